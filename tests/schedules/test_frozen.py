"""K12: a process frozen past its lease, while another one works; what it says when it wakes counts for nothing."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from typing import Final

import pytest

from channels import Deadline
from hub.domain.delivery import DeliveryState
from tests.schedules.nursery import TIMES, Life, due, life, nursery, worlds
from tests.schedules.road import CLEAN

__all__ = ["life", "nursery", "worlds"]

S = DeliveryState
LEASE, DEADLINE = 2.0, 0.8
WORDS: Final = "N0"
REFUSED: Final = 5
"""What a process ends with that finds the lock taken."""

POINTS: Final[dict[str, frozenset[str]]] = {
    "claim committed": frozenset(),
    "attempt committed": frozenset({"not-sent"}),
    "before the call": frozenset({"not-sent"}),
    # The answer lies there when it wakes, and the deadline says that it is over: whichever comes first.
    "answer on its way": frozenset({"unknown", "ok"}),
    "answer received": frozenset({"ok"}),
}
"""Where it freezes, and what its own attempt may say of its late answer: nothing where it had not opened one."""


@pytest.mark.proof
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_process_frozen_past_its_lease_says_nothing_twice_and_changes_nothing_when_it_wakes(
    life: Life, point: str
) -> None:
    first = life.nursery.begin(
        life.order(
            due(0), due(0) + timedelta(seconds=1), point=point, how=int(signal.SIGSTOP), words=WORDS,
            workers=1, lease=LEASE, deadline=DEADLINE,
        )
    )  # fmt: skip
    frozen = life.nursery.became(first)
    past_deadline = Deadline.after(DEADLINE)
    at_work = life.clock() + timedelta(seconds=LEASE)

    second = life.play(at_work, due(TIMES + 1) + timedelta(hours=1), lease=LEASE)
    before = [one.model_dump() for one in life.deliveries()]
    seen = sorted(life.seen())
    # The deadline is a matter of real time, which the clock of this test does not move.
    threading.Event().wait(max(0.0, past_deadline.left))
    os.kill(first, signal.SIGCONT)
    woken = life.nursery.became(first)

    tries = [tried for one in life.deliveries() for tried in life.attempts(one.id)]
    late = {tried.detail for tried in tries if "Late answer" in (tried.detail or "")}
    assert (frozen, second, woken) == (None, 0, 0)
    assert life.verdict() == CLEAN
    assert sorted(life.seen()) == seen
    assert [one.model_dump() for one in life.deliveries()] == before
    assert {one.state for one in life.deliveries()} == {S.SENT}
    assert bool(late) == bool(POINTS[point])
    assert late <= {f"Its worker stopped before the answer was recorded. Late answer: {one}." for one in POINTS[point]}


@pytest.mark.proof
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_frozen_process_keeps_its_lock_and_goes_on_where_it_was(life: Life, point: str) -> None:
    end = due(TIMES + 1) + timedelta(hours=1)
    first = life.nursery.begin(
        life.order(due(0), end, point=point, how=int(signal.SIGSTOP), words=WORDS, workers=1, deadline=DEADLINE)
    )
    frozen = life.nursery.became(first)
    past_deadline = Deadline.after(DEADLINE)
    seen = sorted(life.seen())

    second = life.play(life.clock() + timedelta(seconds=LEASE), end)
    meanwhile = sorted(life.seen())
    threading.Event().wait(max(0.0, past_deadline.left))
    os.kill(first, signal.SIGCONT)
    woken = life.nursery.became(first)

    assert (frozen, second, woken) == (None, REFUSED, 0)
    assert meanwhile == seen
    assert life.verdict() == CLEAN
    assert {one.state for one in life.deliveries()} == {S.SENT}
