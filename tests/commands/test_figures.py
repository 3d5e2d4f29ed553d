"""`relais figures`, and what `relais init` and `relais metrics` count again: reports tell what was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, event
from sqlmodel import col, select

from hub.commands.operator import figures
from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.audit import AuditEntry
from hub.domain.reach import Reached
from hub.secrets import write_new_key
from hub.services import rolling
from tests.commands.conftest import Relais
from tests.services.counting import PEOPLE, published, read
from tests.services.desk import Desk
from tests.stage import build_stage


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    """Three posts that went out, the first of which was read twice."""
    write_new_key(tmp_path / "relais.key")
    stage = build_stage(engine, tmp_path)
    with writing(engine) as session:
        for account in session.exec(select(Account)):
            account.secret = None  # those of the stage open nothing, and init would say so
    desk = Desk(stage, stage.hub.terms)
    for number, words in enumerate(("Une", "Deux", "Trois"), start=1):
        [delivery] = published(desk, text=words)
        read(desk, delivery, **{PEOPLE: 100 * number})
    return desk


def spoil(engine: Engine, *deliveries: int) -> None:
    """Reports know nothing of these."""
    with writing(engine) as session:
        session.execute(delete(Reached).where(col(Reached.delivery_id).in_(deliveries)))


def people(engine: Engine) -> dict[int, int | None]:
    """What reports tell of each delivery."""
    with reading(engine) as session:
        return {one.delivery_id: one.people for one in session.exec(select(Reached))}


@contextmanager
def ctrl_c(*, at_page: int) -> Iterator[None]:
    """Ctrl-C comes while the readings of that page are asked for."""
    pages = 0

    def press(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal pages
        if statement.startswith("SELECT sample.delivery_id"):
            pages += 1
            if pages == at_page:
                raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", press)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", press)


WHOLE = {1: 100, 2: 200, 3: 300}


def test_reports_that_tell_what_was_read_are_right(relais: Relais, engine: Engine, desk: Desk):
    ran = relais("figures", "check")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "Deliveries counted again: 3; readings: 3. Reports tell what was read: not one figure differs.\n"
    assert json.loads(relais("figures", "check", "--json").out) == {
        "deliveries": 3,
        "samples": 3,
        "differing": [],
        "differing_days": [],
    }


def test_what_differs_is_named_and_nothing_is_changed(relais: Relais, engine: Engine, desk: Desk):
    spoil(engine, 1, 3)

    ran = relais("figures", "check")

    assert (ran.code, ran.out) == (5, "Deliveries counted again: 3; readings: 3.\n")
    assert ran.err.splitlines() == [
        "Reports of 2 deliveries differ from what was read: 1, 3",
        "The sum of 1 day is not that of its posts: 2026-11-10",
        "“relais figures rebuild” puts them right.",
    ]
    told = relais("figures", "check", "--json")
    assert (told.code, json.loads(told.out)["differing"]) == (5, [1, 3])
    assert json.loads(told.out)["differing_days"] == ["2026-11-10"]
    assert people(engine) == {2: 200}


def test_of_many_that_differ_the_first_are_named(relais: Relais, engine: Engine, desk: Desk, monkeypatch):
    monkeypatch.setattr(figures, "MOST_NAMED", 1)
    spoil(engine, 1, 3)

    assert relais("figures", "check").err.splitlines()[0] == ("Reports of 2 deliveries differ from what was read: 1 …")


def test_what_differs_is_put_right_page_by_page_and_on_record(relais: Relais, engine: Engine, desk: Desk, monkeypatch):
    monkeypatch.setattr(rolling, "PAGE", 2)
    spoil(engine, 1, 3)

    first, again = relais("figures", "rebuild"), relais("figures", "rebuild", "--json")

    assert first.out == "Deliveries counted again: 3; readings: 3. 2 deliveries were put right.\n"
    assert json.loads(again.out) == {"deliveries": 3, "samples": 3, "differing": [], "differing_days": []}
    assert people(engine) == WHOLE
    assert relais("figures", "rebuild").out.endswith("Nothing had to be put right.\n")
    with reading(engine) as session:
        query = select(AuditEntry).where(AuditEntry.action == "figures.mend").order_by(col(AuditEntry.id))
        assert [(one.thing, one.after) for one in session.exec(query)] == [
            ("figures:1-2", {"deliveries": [1]}),
            ("figures:3-3", {"deliveries": [3]}),
        ]


def test_whoever_stops_it_keeps_what_was_put_right(relais: Relais, engine: Engine, desk: Desk, monkeypatch):
    """Ctrl-C comes while the second page is counted."""
    monkeypatch.setattr(rolling, "PAGE", 2)
    spoil(engine, 1, 3)

    with ctrl_c(at_page=2):
        ran = relais("figures", "rebuild")

    assert ran.code == 130
    assert ran.err.splitlines()[-1] == (
        "Stopped: what was counted is right, the rest is as it was. “relais figures rebuild” counts all of it."
    )
    assert people(engine) == {1: 100, 2: 200}
    assert relais("figures", "rebuild").code == 0
    assert people(engine) == WHOLE


# --- Striking out ---------------------------------------------------------------------------------------------


def test_a_reading_is_struck_out(relais: Relais, engine: Engine, desk: Desk):
    ran = relais("figures", "strike", "2", "--metric", PEOPLE, "--slot", "1", "--reason", "absurd")

    assert (ran.code, ran.out) == (
        0,
        f"The reading of {PEOPLE} after 1 h (200) is struck out of delivery 2.\n",
    )
    assert people(engine) == {1: 100, 2: None, 3: 300}
    assert relais("figures", "check").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("2", "--metric", PEOPLE, "--slot", "6", "--reason", "absurd"),
            4,
            f"There is no such reading. Of delivery 2 there are: {PEOPLE} 1 h.",
        ),
        (("99", "--metric", PEOPLE, "--slot", "1", "--reason", "absurd"), 4, "Nothing was read of delivery 99."),
        (("2", "--metric", PEOPLE, "--slot", "1", "--reason", " "), 2, "Say why this reading is struck out."),
        (("2", "--metric", PEOPLE, "--slot", "1"), 2, "--reason is missing."),
    ],
)
def test_what_cannot_be_struck_out_is_said(relais: Relais, engine: Engine, desk: Desk, arguments, code, words):
    ran = relais("figures", "strike", *arguments)

    assert ran.code == code
    assert ran.err.startswith(words)
    assert people(engine) == WHOLE


# --- Where it happens by itself -------------------------------------------------------------------------------


def test_init_counts_what_was_out_before_reports_had_a_roll_up(relais: Relais, engine: Engine, desk: Desk):
    spoil(engine, 1, 2, 3)

    first, again = relais("init"), relais("init")

    assert (first.code, first.out) == (0, "Reports were counted again. 3 deliveries were put right.\n")
    assert again.out == "Nothing changed: database, key and reference data are up to date.\n"
    assert people(engine) == WHOLE


RETIRED = """network;subject;name;period;unit;additive;counted;valid_from;valid_until;replaces;definition;definition_en
facebook;post;post_total_media_view_unique;;people;no;no;2010-01-01;;;Personnes;People
"""


def test_reports_are_counted_again_when_metrics_count_anew(relais: Relais, engine: Engine, desk: Desk, tmp_path: Path):
    (tmp_path / "metrics.csv").write_text(RETIRED, encoding="utf-8")

    ran = relais("metrics", "import", str(tmp_path / "metrics.csv"))

    assert ran.out.splitlines() == [
        "Metrics added: 0; changed: 1; as before: 0.",
        "Reports were counted again. 3 deliveries were put right.",
    ]
    assert people(engine) == dict.fromkeys(WHOLE)
    assert relais("figures", "check").code == 0


def test_counting_that_was_stopped_is_made_up_for_by_init(relais: Relais, engine: Engine, desk: Desk, tmp_path: Path):
    (tmp_path / "metrics.csv").write_text(RETIRED, encoding="utf-8")
    with ctrl_c(at_page=1):
        stopped = relais("metrics", "import", str(tmp_path / "metrics.csv"))
    before = people(engine)

    made_up = relais("init")

    assert (stopped.code, before) == (130, WHOLE)
    assert made_up.out == "Reports were counted again. 3 deliveries were put right.\n"
    assert people(engine) == dict.fromkeys(WHOLE)


def test_the_doctor_says_when_reports_do_not_know_all(relais: Relais, engine: Engine, desk: Desk):
    def said() -> bool:
        return "! Reports do not tell all that was read: “relais figures rebuild” counts it again." in (
            relais("doctor").out.splitlines()
        )

    before = said()
    spoil(engine, 1)
    meanwhile = said()
    relais("figures", "rebuild")

    assert (before, meanwhile, said()) == (False, True, False)
