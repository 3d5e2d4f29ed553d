"""The channel that only remembers: what a fast test may plan with it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from channels.base import (
    Asked,
    AskedOfPage,
    Deadline,
    Figure,
    Message,
    PageFigure,
    Picture,
    Refused,
    Targeting,
    Throttled,
    Uncertain,
    UnitKind,
    Unreachable,
)
from channels.memory import MemoryChannel, MemoryRules

HELLO = Message("Bonjour", key="k1")
PEOPLE = [Asked("people", UnitKind.PEOPLE), Asked("views", UnitKind.VIEWS)]
SOON = datetime(2000, 1, 1, tzinfo=UTC)


def publish(channel: MemoryChannel, message: Message = HELLO) -> str:
    return channel.publish(channel.prepare(message), Deadline.after(5)).remote_id


def test_a_planned_error_comes_once_and_shows_nothing() -> None:
    channel = MemoryChannel()
    channel.fail_next(Throttled("wait"))

    with pytest.raises(Throttled):
        publish(channel)
    assert channel.shown == {}

    publish(channel)
    assert list(channel.shown.values()) == [HELLO]


def test_a_planned_error_may_come_after_showing() -> None:
    channel = MemoryChannel()
    channel.fail_next(Uncertain("no answer"), after_showing=True)

    with pytest.raises(Uncertain):
        publish(channel)

    assert list(channel.shown.values()) == [HELLO]


def test_a_planned_error_waits_for_its_call() -> None:
    channel = MemoryChannel()
    channel.fail_next(Unreachable("no"), call="find")
    publish(channel)

    with pytest.raises(Unreachable):
        channel.find(HELLO, SOON)

    assert channel.calls == ["prepare", "publish", "find"]


def test_people_are_only_told_when_given() -> None:
    channel = MemoryChannel()
    receipt = channel.publish(channel.prepare(HELLO), Deadline.after(5))
    assert channel.figures([receipt], PEOPLE).by_post[receipt.remote_id] == [
        Figure("people", UnitKind.PEOPLE, None, "not available")
    ]

    channel.people[receipt.remote_id] = 12

    assert channel.figures([receipt], PEOPLE).by_post[receipt.remote_id] == [Figure("people", UnitKind.PEOPLE, 12)]
    channel.remove(receipt)
    assert channel.figures([receipt], PEOPLE).by_post == {}


def test_other_figures_are_told_once_they_are_given() -> None:
    channel = MemoryChannel()
    receipt = channel.publish(channel.prepare(HELLO), Deadline.after(5))
    channel.counts[receipt.remote_id] = {"people": 3, "views": 7}

    told = channel.figures([receipt], PEOPLE).by_post[receipt.remote_id]

    assert told == [Figure("people", UnitKind.PEOPLE, 3), Figure("views", UnitKind.VIEWS, 7)]


def test_figures_of_the_page_are_told_by_day() -> None:
    channel = MemoryChannel(now=lambda: datetime(2026, 11, 2, 9, tzinfo=UTC))
    first, last, today = (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2))
    channel.page = {("follows", first): 40, ("followers", today): 41}

    told = channel.page_figures(
        [AskedOfPage("follows", UnitKind.PEOPLE, "day"), AskedOfPage("followers", UnitKind.PEOPLE, "moment")],
        first,
        last,
    )

    assert told == [
        PageFigure("follows", UnitKind.PEOPLE, "day", first, 40),
        PageFigure("follows", UnitKind.PEOPLE, "day", last, None, "not available"),
        PageFigure("followers", UnitKind.PEOPLE, "moment", today, 41),
    ]


def test_a_draft_that_is_gone_is_tried_again() -> None:
    channel = MemoryChannel(two_step=True)
    prepared = channel.prepare(HELLO)
    channel.drafts.clear()

    with pytest.raises(Unreachable):
        channel.publish(prepared, Deadline.after(5))


def test_a_draft_is_no_match_until_it_is_shown() -> None:
    channel = MemoryChannel(two_step=True)
    draft_id = channel.prepare(HELLO).draft_id

    assert channel.find(Message("Bonjour", key="k1", draft_id=draft_id), SOON) == []


def test_closing_is_remembered() -> None:
    channel = MemoryChannel()
    channel.close()

    assert channel.closed


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Message(" ", key="k"), "text_empty"),
        (Message("x" * 11, key="k"), "text_too_long"),
        (Message("x", key="k", pictures=(Picture(b"", "image/png"),) * 2), "too_many_pictures"),
        (Message("x", key="k", targeting=Targeting(("FR",))), "cannot_gate"),
    ],
)
def test_its_rules_can_be_narrowed(message: Message, code: str) -> None:
    channel = MemoryChannel(MemoryRules(can_gate=False, max_length=10, max_pictures=1))

    assert [problem.code for problem in channel.rules.problems(message)] == [code]
    with pytest.raises(Refused):
        channel.prepare(message)
