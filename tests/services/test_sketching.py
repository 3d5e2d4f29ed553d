"""Unfinished forms: kept as typed, one's own only, until they become a post or grow old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.errors import Invalid, NotAllowed, NotFound
from hub.domain.sheet import Sheet
from hub.services import sketching
from tests.services.desk import Desk

Result = TypeVar("Result")
ID = "0" * 32
TYPED = [
    ("kind", "event"),
    ("text", "Portes ouvertes\n"),
    ("audience", "A-14"),
    ("audience", "A-32"),
    ("date", "demain"),
]


def keep(desk: Desk, sheet_id: str = ID, fields: Any = None, by: str = "animator", **rest: Any) -> Sheet:
    """Keep a form."""
    with writing(desk.stage.hub.engine) as session:
        return sketching.keep(
            session, sheet_id, TYPED if fields is None else fields, by=desk.who(by), at=desk.now, **rest
        )


def finish(desk: Desk, post_id: int, sheet_id: str = ID) -> None:
    """The form becomes a post."""
    with writing(desk.stage.hub.engine) as session:
        sketching.finish(session, sheet_id, desk.post(post_id), by=desk.who("animator"), at=desk.now)


def look(desk: Desk, asked: Callable[..., Result], *given: Any, by: str = "animator") -> Result:
    """Look at forms as somebody."""
    with reading(desk.stage.hub.engine) as session:
        return asked(session, *given, by=desk.who(by))


def stored(desk: Desk) -> list[str]:
    """The ids of all forms that are kept."""
    with reading(desk.stage.hub.engine) as session:
        return list(session.exec(select(Sheet.id).order_by(Sheet.id)))


def test_a_form_is_kept_as_typed_right_or_wrong(desk: Desk):
    keep(desk)

    assert look(desk, sketching.get, ID).fields == [list(pair) for pair in TYPED]


def test_keeping_it_again_keeps_the_newest_words_only(desk: Desk):
    keep(desk)
    desk.stage.clock.forward(minutes=2)
    keep(desk, fields=[("text", "Autrement")])

    sheet = look(desk, sketching.get, ID)

    assert (sheet.fields, sheet.saved_at) == ([["text", "Autrement"]], desk.now)


@pytest.mark.parametrize("sheet_id", [ID, "1" * 32, "../etc", ""])
def test_nobody_sees_a_form_that_is_not_theirs_or_not_there(desk: Desk, sheet_id: str):
    keep(desk)

    with pytest.raises(NotFound):
        look(desk, sketching.get, sheet_id, by="colleague")


def test_nobody_writes_over_the_form_of_somebody_else(desk: Desk):
    keep(desk)

    with pytest.raises(NotFound):
        keep(desk, fields=[("text", "Le mien")], by="colleague")

    assert look(desk, sketching.get, ID).fields[1] == ["text", "Portes ouvertes\n"]


def test_who_writes_no_posts_keeps_no_forms(desk: Desk):
    with pytest.raises(NotAllowed):
        keep(desk, by="analyst")


def test_a_form_that_is_too_long_is_refused(desk: Desk):
    with pytest.raises(Invalid) as refused:
        keep(desk, fields=[("text", "é" * 100_001)])

    assert [problem.field for problem in refused.value.problems] == ["text"]


def test_of_many_forms_the_oldest_goes(desk: Desk):
    for number in range(sketching.MOST_SHEETS + 1):
        keep(desk, f"{number:032x}")
        desk.stage.clock.forward(minutes=1)

    kept = [sheet.id for sheet in look(desk, sketching.list_mine)]

    assert kept == [f"{number:032x}" for number in range(sketching.MOST_SHEETS, 0, -1)]


def test_a_form_belongs_to_the_post_that_it_changes(desk: Desk):
    post_id = desk.write()
    keep(desk, post_id=post_id, version=1)

    sheet = look(desk, sketching.find_for, post_id)

    assert sheet is not None
    assert (sheet.id, sheet.version) == (ID, 1)
    assert look(desk, sketching.find_for, post_id, by="colleague") is None


def test_no_form_is_kept_for_a_post_that_one_may_not_see(desk: Desk):
    post_id = desk.write()

    with pytest.raises(NotFound):
        keep(desk, post_id=post_id, version=1, by="stranger")


def test_a_form_that_became_a_post_is_over_and_tells_which(desk: Desk):
    keep(desk)
    post_id = desk.write()
    finish(desk, post_id)
    keep(desk, fields=[("text", "Trop tard")])

    assert look(desk, sketching.written_as, ID) == (post_id, 1)
    assert look(desk, sketching.list_mine) == []
    with pytest.raises(NotFound):
        look(desk, sketching.get, ID)


def test_a_form_that_was_never_kept_can_become_a_post_too(desk: Desk):
    post_id = desk.write()
    finish(desk, post_id)

    assert look(desk, sketching.written_as, ID) == (post_id, 1)


def test_an_unfinished_form_has_not_become_a_post(desk: Desk):
    keep(desk, post_id=desk.write(), version=1)

    assert look(desk, sketching.written_as, ID) is None


def test_a_form_can_be_thrown_away_twice(desk: Desk):
    keep(desk)

    for _time in range(2):
        with writing(desk.stage.hub.engine) as session:
            sketching.discard(session, ID, by=desk.who("animator"))

    assert stored(desk) == []


@pytest.mark.parametrize(
    ("age", "left"), [(timedelta(days=2, minutes=1), ["0" * 32]), (timedelta(days=30, minutes=1), [])]
)
def test_what_became_a_post_goes_in_days_and_what_nobody_touches_in_a_month(
    desk: Desk, age: timedelta, left: list[str]
):
    keep(desk)
    finish(desk, desk.write(), "1" * 32)
    desk.stage.clock.at += age

    with writing(desk.stage.hub.engine) as session:
        sketching.sweep(session, at=desk.now)

    assert stored(desk) == left


def test_ids_are_fresh_and_good(desk: Desk):
    first, second = sketching.new_id(), sketching.new_id()

    assert first != second
    assert keep(desk, first).id == first


def test_what_no_database_keeps_is_left_out(desk: Desk):
    keep(desk, fields=[("text", "a\x00b\ud800c")])

    assert look(desk, sketching.get, ID).fields == [["text", "ab?c"]]
