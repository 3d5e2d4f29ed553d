"""What somebody follows of an area: what is meant for it, and what was taken down of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain.delivery import Attempt, AttemptKind, Delivery, DeliveryState
from hub.domain.errors import NotFound
from hub.domain.post import Kind
from hub.domain.territory import Territory
from hub.services import following, pinning
from hub.services.following import Dated
from hub.services.showing import TakenDown, get_item
from tests.services.test_reading_together import statements
from tests.shown import an_event, put_out
from tests.stage import NOON, Stage


def out(stage: Stage, *zone: str, **told: Any) -> str:
    """An item that is out for these territories; its key."""
    with writing(stage.hub.engine) as session:
        return put_out(session, stage, zone, **told).key


def open_day(stage: Stage, *zone: str, begin: str = "2026-11-20T14:00:00", **told: Any) -> str:
    return out(stage, *zone, kind=Kind.EVENT, event=an_event(begin), **told)


def take_down(stage: Stage, key: str) -> None:
    """Take an item off the portal, now."""
    at = stage.clock()
    with writing(stage.hub.engine) as session:
        delivery = get_item(session, key).delivery
        assert delivery.id is not None
        session.add(
            Attempt(
                delivery_id=delivery.id,
                n=99,
                kind=AttemptKind.REMOVE,
                started_at=at,
                deadline_at=at,
                ended_at=at,
                outcome="ok",
            )
        )
        delivery.state = DeliveryState.REMOVED
        pinning.unpin(session, delivery.id)


def newest(stage: Stage, code: str = "C-35238", **asked: Any) -> list[str]:
    with reading(stage.hub.engine) as session:
        area = following.get_area(session, code)
        return [item.delivery.key for item in following.newest(session, area, at=stage.clock(), **asked)]


def coming(stage: Stage, code: str = "C-35238", **asked: Any) -> list[Dated]:
    with reading(stage.hub.engine) as session:
        return following.coming(session, following.get_area(session, code), at=stage.clock(), **asked)


def keys(found: Sequence[Dated]) -> list[tuple[str, bool]]:
    return [(one.item.delivery.key, one.removed_at is not None) for one in found]


# --- Areas ---


def code_of(session: Session, code: str) -> str:
    return following.get_area(session, code).code


def test_an_area_is_known_by_its_code_in_any_letters(stage: Stage):
    with reading(stage.hub.engine) as session:
        assert code_of(session, " c-35238") == "C-35238"
        assert [code_of(session, code) for code in ("D-35", "A-14", "FR", "C-75111", "C-2A004")] == [
            "D-35", "A-14", "FR", "C-75056", "C-2A004",
        ]  # fmt: skip


@pytest.mark.parametrize("code", ["", "35238", "C-99999", "A-99", "../..", "C-" + "9" * 5000])
def test_what_is_no_area_is_not_found(stage: Stage, code: str):
    with reading(stage.hub.engine) as session, pytest.raises(NotFound, match="no such area"):
        following.get_area(session, code)


def test_who_follows_a_commune_that_merged_follows_what_it_became(stage: Stage):
    with writing(stage.hub.engine) as session:
        gone = session.get_one(Territory, "C-35115")
        gone.ended_on, gone.successor_code = date(2026, 1, 1), "C-35238"

    with reading(stage.hub.engine) as session:
        assert code_of(session, "C-35115") == "C-35238"


def test_communes_that_name_each_other_as_successor_do_not_turn_in_circles(stage: Stage):
    with writing(stage.hub.engine) as session:
        session.get_one(Territory, "C-35115").successor_code = "C-35238"
        session.get_one(Territory, "C-35238").successor_code = "C-35115"

    with reading(stage.hub.engine) as session:
        assert code_of(session, "C-35115") == "C-35115"


# --- The newest ---


def test_a_commune_has_what_is_for_it_and_all_that_it_lies_in_the_newest_first(stage: Stage):
    told = {zone: out(stage, zone, sent_at=NOON - timedelta(hours=number)) for number, zone in enumerate(
        ["FR", "R-53", "A-14", "D-35", "C-35238"])}  # fmt: skip
    for elsewhere in ("D-29", "C-35047", "A-32"):
        out(stage, elsewhere)

    assert newest(stage) == list(told.values())


def test_a_wide_area_has_what_is_for_a_part_of_it_too(stage: Stage):
    told = {zone: out(stage, zone) for zone in ("FR", "A-14", "D-35", "C-35047", "D-29", "A-32")}

    assert sorted(newest(stage, "D-35")) == sorted(told[zone] for zone in ("FR", "A-14", "D-35", "C-35047"))
    assert sorted(newest(stage, "A-14")) == sorted(told[zone] for zone in told if zone != "A-32")
    assert sorted(newest(stage, "FR")) == sorted(told.values())


def test_one_kind_is_followed_alone(stage: Stage):
    day = open_day(stage, "A-14")
    advice = out(stage, "A-14", kind=Kind.ADVICE)

    assert newest(stage, kind=Kind.EVENT) == [day]
    assert newest(stage, kind=Kind.ADVICE) == [advice]
    assert newest(stage, kind=Kind.MEETING) == []


def test_what_is_over_or_was_taken_down_is_news_no_more(stage: Stage):
    over, down, here = open_day(stage, "A-14", begin="2026-10-30T09:00:00"), out(stage, "A-14"), out(stage, "A-14")
    take_down(stage, down)

    assert newest(stage) == [here]
    assert over not in newest(stage, "FR")


def test_a_feed_holds_the_newest_only(stage: Stage):
    told = [out(stage, "A-14", sent_at=NOON - timedelta(hours=number)) for number in range(5)]

    assert newest(stage, most=3) == told[:3]


def test_an_item_that_is_pinned_but_not_out_is_not_told(stage: Stage):
    key = out(stage, "A-14")
    with writing(stage.hub.engine) as session:
        session.get_one(Delivery, get_item(session, key).delivery.id).state = DeliveryState.FAILED

    assert newest(stage) == []


# --- What is coming ---


def test_dates_come_in_their_order_with_the_commune_of_each(stage: Stage):
    later = open_day(stage, "A-14", begin="2026-12-20T14:00:00")
    sooner = open_day(stage, "C-35238")
    out(stage, "A-14", kind=Kind.EVENT)

    found = coming(stage)

    assert keys(found) == [(sooner, False), (later, False)]
    assert [one.commune.name for one in found if one.commune] == ["Rennes", "Rennes"]
    assert [one.changed_at for one in found] == [NOON, NOON]


def test_a_calendar_reaches_a_month_back_and_a_year_ahead(stage: Stage):
    within = [open_day(stage, "A-14", begin=begin) for begin in ("2026-10-10T09:00:00", "2027-11-02T09:00:00")]
    for begin in ("2026-10-01T09:00:00", "2027-11-10T09:00:00"):
        open_day(stage, "A-14", begin=begin)

    assert keys(coming(stage)) == [(key, False) for key in within]


def test_dates_of_an_item_keep_their_numbers_when_some_are_out_of_reach(stage: Stage):
    event = an_event("2026-11-21T09:00:00")
    event["timings"] = [
        {"begin": f"{day}T09:00:00", "end": f"{day}T12:00:00"} for day in ("2026-11-21", "2026-09-01", "2026-11-20")
    ]
    out(stage, "A-14", kind=Kind.MEETING, event=event)

    [found] = coming(stage)

    assert [number for number, _span in found.dates(NOON)] == [1, 3]
    assert [number for number, _span in found.all_dates()] == [1, 2, 3]


def test_what_was_taken_down_is_told_for_ninety_days_to_those_it_was_for(stage: Stage):
    key = open_day(stage, "D-35", begin="2027-03-20T14:00:00")
    elsewhere = open_day(stage, "D-29", begin="2027-03-20T14:00:00")
    stage.clock.forward(days=1)
    take_down(stage, key)
    take_down(stage, elsewhere)

    assert keys(coming(stage)) == keys(coming(stage, kind=Kind.EVENT)) == [(key, True)]
    assert coming(stage)[0].changed_at == stage.clock()
    assert len(coming(stage, "A-14")) == 2
    assert coming(stage, kind=Kind.MEETING) == []
    stage.clock.forward(days=91)
    assert coming(stage) == []


def test_what_is_read_does_not_grow_with_what_was_published(stage: Stage):
    for number in range(40):
        open_day(stage, "D-29" if number % 2 else "C-35047")
    open_day(stage, "C-35238")

    with statements(stage.hub.engine) as asked:
        assert len(coming(stage)) == 1

    assert len(asked) <= 20


# --- One item ---


def one(stage: Stage, key: str) -> Dated:
    with reading(stage.hub.engine) as session:
        return following.dated_item(session, key, at=stage.clock())


def test_one_item_with_a_date_is_told_even_when_it_is_long_over(stage: Stage):
    key = open_day(stage, "A-14")
    stage.clock.forward(days=400)

    assert one(stage, key).item.delivery.key == key


def test_one_item_without_a_date_has_nothing_for_a_calendar(stage: Stage):
    with pytest.raises(NotFound, match="no date"):
        one(stage, out(stage, "A-14"))
    with pytest.raises(NotFound):
        one(stage, "nothing")


def test_one_item_that_was_taken_down_is_told_as_such_and_then_gone(stage: Stage):
    key = open_day(stage, "A-14")
    take_down(stage, key)

    assert one(stage, key).removed_at == stage.clock()
    stage.clock.forward(days=91)
    with pytest.raises(TakenDown):
        one(stage, key)
