"""`relais doctor`: how the hub is, in words; exit 1 when something is ill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from filelock import FileLock
from sqlalchemy import Engine

from hub.database import on_server, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.secrets import Vault, write_new_key
from hub.services import attending, connecting, holding
from hub.wiring import machine_clock
from schedules import runner
from tests.commands.conftest import Relais
from tests.conftest import only_sqlite
from tests.schedules.conftest import Room
from tests.stage import build_stage

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def key(engine: Engine, tmp_path: Path) -> str:
    """The hub's key; the country is there."""
    return write_new_key(tmp_path / "relais.key")


def page(engine: Engine, key: str, **changes: object) -> int:
    """A page, and what is wrong with it."""
    with writing(engine) as session:
        account = Account(
            network=AccountNetwork.X, name="Rennes", remote_id="1", handle="r", territory_code="A-14", created_at=NOW
        )
        session.add(account)
        session.flush()
        assert account.id is not None
        account.secret = Vault([key]).seal(account.id, {"token": "t"})
        for name, value in changes.items():
            setattr(account, name, value)
        return account.id


@contextmanager
def publishing(engine: Engine, home: Path) -> Iterator[None]:
    """Somebody publishes meanwhile: they hold the lock of the folder, or say so in the database that they share."""
    if on_server(engine):
        with writing(engine) as session:
            attending.say_present(session, "w", host="there", pid=1, version="1", trouble=None, at=machine_clock())
        yield
        return
    with FileLock(home / "relais.lock"):
        yield


def lines(out: str, sign: str) -> list[str]:
    return [line.removeprefix(f"{sign} ") for line in out.splitlines() if line.startswith(sign)]


@only_sqlite
def test_a_fresh_hub_is_well_and_only_wants_to_be_started(relais: Relais, key: str) -> None:
    ran = relais("doctor")

    assert (ran.code, ran.err, lines(ran.out, "✗")) == (0, "", [])
    assert lines(ran.out, "!") == ["Nobody publishes right now: start “relais serve”."]
    assert lines(ran.out, "✓")[0] == "Database: ours and up to date."


def test_missing_keys_of_territories_are_told_before_the_first_page_and_want_care_after_it(
    relais: Relais, engine: Engine, key: str
) -> None:
    told = "34 of 34 territories have no reviewed Facebook key: posts cannot be limited to them (relais geo keys)."

    before = relais("doctor")
    page(engine, key, network=AccountNetwork.FACEBOOK)
    after = relais("doctor")

    assert lines(before.out, "✓")[-1] == told
    assert lines(after.out, "!")[-1] == told


def test_while_a_relais_publishes_the_clock_is_well(relais: Relais, engine: Engine, key: str, tmp_path: Path) -> None:
    with publishing(engine, tmp_path):
        ran = relais("doctor")

    assert (ran.code, lines(ran.out, "!")) == (0, [])


def test_asking_how_it_is_leaves_the_lock_free(relais: Relais, key: str, tmp_path: Path) -> None:
    relais("doctor")

    with FileLock(tmp_path / "relais.lock").acquire(timeout=0) as lock:
        assert lock.is_locked


def test_a_key_that_opens_nothing_is_ill(relais: Relais, engine: Engine, key: str, tmp_path: Path) -> None:
    page(engine, Fernet.generate_key().decode())

    with publishing(engine, tmp_path):
        ran = relais("doctor")

    assert ran.code == 1
    assert lines(ran.out, "✗") == [
        "The secret key does not fit this database. Put back the relais.key that belongs to it; nothing was changed."
    ]


def test_deliveries_that_nobody_publishes_are_ill(relais: Relais, engine: Engine, key: str, tmp_path: Path) -> None:
    stage = build_stage(engine, tmp_path)
    room = Room(stage, stage.clock, runner.build(stage.hub))
    room.clock.at = machine_clock() - timedelta(hours=3)
    with writing(engine) as session:
        for number in stage.accounts.values():
            connecting.get_account(session, number).secret = None
    room.approve_one(when=(machine_clock() - timedelta(hours=1)).replace(tzinfo=None))

    ran = relais("doctor")

    assert ran.code == 1
    assert lines(ran.out, "✗")[-1:] == [
        "1 delivery is overdue: nobody publishes. Start “relais serve” (PostgreSQL: “relais worker”)."
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"state": AccountState.RESTING, "state_reason": "Token expired."},
            "Rennes rests: Token expired. Run “relais account check 2”, then “relais account resume 2”.",
        ),
        ({"state": AccountState.PAUSED, "state_reason": "Travaux"}, "Rennes is paused: Travaux"),
        ({"light": "red"}, "The last check of Rennes was red. Run “relais account check 2”."),
    ],
    ids=["resting", "paused", "red"],
)
def test_an_account_in_trouble_wants_care_but_is_no_illness(
    relais: Relais, engine: Engine, key: str, tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    assert page(engine, key, **changes) == 2

    with publishing(engine, tmp_path):
        ran = relais("doctor")

    assert (ran.code, lines(ran.out, "!")) == (0, [told])


def test_a_hold_is_told(relais: Relais, engine: Engine, key: str, tmp_path: Path) -> None:
    with writing(engine) as session:
        holding.hold(session, reason="Panne", by="operator", at=NOW)

    with publishing(engine, tmp_path):
        ran = relais("doctor")

    assert (ran.code, lines(ran.out, "!")) == (
        0,
        ["Everything is on hold since 2026-03-02 09:00 UTC (Panne): nothing goes out. “relais hold off” ends it."],
    )


def test_programs_read_the_same_as_data(relais: Relais, engine: Engine, key: str, tmp_path: Path) -> None:
    with publishing(engine, tmp_path):
        page(engine, key, state=AccountState.PAUSED, state_reason="Travaux")
        words, data = relais("doctor"), relais("doctor", "--json")

    signs = json.loads(data.out)
    assert {sign["area"] for sign in signs} == {"database", "clock", "disk", "keys", "mails", "accounts"}
    assert len(signs) == len(words.out.splitlines())
    assert {sign["light"] for sign in signs} == {"green", "amber"}


@only_sqlite
def test_without_a_database_it_says_what_to_do(relais: Relais, tmp_path: Path) -> None:
    ran = relais("doctor")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"There is no Relais database at {tmp_path / 'relais.db'} yet. Run “relais init” first.\n"


# --- The emergency stop ------------------------------------------------------------------------------------------


def test_the_emergency_stop_is_set_once_and_ended_once(relais: Relais, key: str) -> None:
    first, second = relais("hold", "on", "--reason", "Panne"), relais("hold", "on", "--reason", "Encore")
    third, fourth = relais("hold", "off"), relais("hold", "off")

    assert (first.code, first.out) == (0, "Everything is stopped: nothing more goes out until “relais hold off”.\n")
    assert (second.code, second.err) == (5, "Everything is stopped already: Panne\n")
    assert (third.code, third.out) == (0, "Publishing goes on. What is too late by now waits for a person.\n")
    assert (fourth.code, fourth.err) == (5, "Nothing is stopped.\n")


def test_the_emergency_stop_wants_a_reason(relais: Relais, key: str) -> None:
    ran = relais("hold", "on", "--reason", " ")

    assert (ran.code, ran.err) == (2, "Say why: the next person will want to know.\n")


@pytest.mark.parametrize(
    ("given", "sign", "words"),
    [
        ({}, "✓", "Mails become files in "),
        ({"RELAIS_PUBLIC_URL": "https://relais.example.org"}, "!", "Mails become files in "),
        ({"RELAIS_SMTP_URL": "smtps://relais:sesame@mail.example.org"}, "✓", "Mails leave through the mail server"),
    ],
)
def test_where_mails_go_is_told_and_wants_care_once_others_reach_this_hub(
    relais: Relais, key: str, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sign: str, words: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    ran = relais("doctor")

    assert [line.startswith(words) for line in lines(ran.out, sign) if line.startswith("Mails")] == [True]
    assert "sesame" not in ran.out + ran.err


def test_a_token_that_ends_before_a_planned_post_wants_care(
    relais: Relais, engine: Engine, key: str, tmp_path: Path
) -> None:
    stage = build_stage(engine, tmp_path)
    room = Room(stage, stage.clock, runner.build(stage.hub))
    room.clock.at = machine_clock()
    due = machine_clock() + timedelta(days=50)
    room.approve_one(when=due.replace(tzinfo=None))
    with writing(engine) as session:
        for number in stage.accounts.values():
            connecting.get_account(session, number).secret = None
        ends = due - timedelta(days=10)
        connecting.get_account(session, stage.accounts["rennes"]).token_expires_at = ends

    with FileLock(tmp_path / "relais.lock"):
        ran = relais("doctor")

    words = f"ends on {ends.date()}, before the post planned for {due.date()}: renew it before."
    assert f"The token of Page rennes {words}" in lines(ran.out, "!")
