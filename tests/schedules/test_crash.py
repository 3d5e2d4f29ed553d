"""Processes killed at each crash point of docs/reliability, on both databases: nothing said twice, nothing lost."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import pytest

from hub.database import writing
from hub.domain.delivery import FINAL, DeliveryState
from hub.domain.post import PostState
from hub.services import holding
from tests.schedules.nursery import TIMES, Life, due, life, nursery, worlds
from tests.schedules.road import CLEAN

__all__ = ["life", "nursery", "worlds"]

S = DeliveryState
BACK = timedelta(seconds=10)
"""After a death, the next process starts."""

Left = tuple[DeliveryState, bool, bool]
"""How a death leaves a delivery: its state, whether an attempt is open, whether people can see it."""


@dataclass(frozen=True)
class Point:
    """One way to die."""

    number: str
    """Its crash point in docs/reliability."""
    holds: str
    """What must hold, in the words of that page."""
    where: str
    """Its name in `dying`."""
    left: Left | None = None
    """What at least one delivery looks like right after the death."""
    words: str = "N"
    """Which posts of a round it concerns."""
    ends: frozenset[DeliveryState] = field(default=frozenset({S.SENT}))
    """How those may end."""
    some: DeliveryState = S.SENT
    """How at least one of them ends."""


WITHDRAWN: Final = frozenset({S.SENT, S.CANCELLED})

POINTS: Final = (
    Point("K1", "no delivery exists", "approval about to commit", words="P"),
    Point("K2", "the next tick finds it", "approval committed", (S.WAITING, False, False), words="P"),
    Point("K3", "waiting after the lease; nothing was sent", "claim committed", (S.CLAIMED, False, False)),
    Point("K4", "unknown, read back, none, waiting", "before the call", (S.SENDING, True, False)),
    Point("K5", "as K4 or K6; never guessed", "half a request", (S.SENDING, True, False)),
    Point("K6", "unknown, found, sent", "answer on its way", (S.SENDING, True, True)),
    Point("K7", "unknown, found, sent", "answer received", (S.SENDING, True, True)),
    Point("K7", "unknown, found, sent", "result about to commit", (S.SENDING, True, True)),
    Point("K8", "atomic: K7 or done", "during the commit"),
    Point("K9", "engine repeats; nothing to claim", "result committed", (S.SENT, False, True)),
    Point("K10", "still unknown; read again", "before reading back", (S.UNKNOWN, False, True)),
    Point("K10", "still unknown; read again", "after reading back", (S.UNKNOWN, False, True)),
    Point("K10", "still unknown; read again", "verdict about to commit", (S.UNKNOWN, False, True)),
    Point("K11", "prepare again", "draft made", (S.SENDING, True, False), words="G"),
    Point("K11", "go on with the known draft", "draft noted", (S.SENDING, True, False), words="G"),
    Point("K14", "no call is made", "disk full before the attempt", (S.CLAIMED, False, False)),
    Point("K15", "kept in memory; else unknown", "disk full before the result", (S.SENDING, True, True)),
    Point("K16", "step 2 sees it: cancelled", "withdrawn once claimed", (S.CLAIMED, False, False),
          ends=WITHDRAWN, some=S.CANCELLED),
    Point("K17", "ends as cancelled", "withdrawn before the call", (S.SENDING, True, False),
          ends=WITHDRAWN, some=S.CANCELLED),
    Point("K17", "ends as sent (offer deletion)", "withdrawn after the call", (S.SENDING, True, True), ends=WITHDRAWN),
)  # fmt: skip
"""K12 (frozen) and K13 (two schedulers) are in test_frozen and test_racing; K18 is below."""


def left_behind(life: Life, of: str) -> set[Left]:
    """How a death left deliveries: those that were approved by the process itself (`P`), or all others."""
    seen = {(page, text) for page, _post, text in life.seen()}
    return {
        (one.state, any(tried.ended_at is None for tried in life.attempts(one.id)), (life.page(one), one.text) in seen)
        for one in life.deliveries()
        if one.text.startswith("P") == (of == "P")
    }


def tries_of_seen(life: Life) -> dict[int, int]:
    """How often that was tried which people can see by now: a network may forgive a second call, we do not."""
    seen = {(page, text) for page, _post, text in life.seen()}
    return {one.id or 0: one.attempts for one in life.deliveries() if (life.page(one), one.text) in seen}


@pytest.mark.proof
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.number} {point.where}")
def test_whatever_it_dies_of_nothing_is_said_twice_and_nothing_lost(life: Life, point: Point) -> None:
    codes, left = [], []
    tried: dict[int, int] = {}
    starts = due(0)
    for number in range(TIMES):
        posts = life.world.submitted if point.words == "P" else life.world.approved
        # Before their time an approval, at their time the rest.
        starts = due(number) - timedelta(minutes=5) if point.words == "P" else due(number)
        codes.append(
            life.play(starts, due(number + 1), point=point.where, seed=number, post_id=posts[number],
                      words=f"{point.words}{number}")
        )  # fmt: skip
        left.append(left_behind(life, point.words))
        tried = tries_of_seen(life) | tried
        assert (life.verdict().twice, life.verdict().unwritten) == ([], [])
    # On PostgreSQL that is before the lease ends: nobody is disturbed who might be alive.
    codes.append(life.play(life.clock() + BACK, due(TIMES + 1) + timedelta(hours=1)))

    assert codes == [-signal.SIGKILL] * TIMES + [0]
    assert life.verdict() == CLEAN
    assert {one: number for one, number in tries_of_seen(life).items() if one in tried} == tried
    if point.left is not None:
        assert [point.left in one for one in left] == [True] * TIMES
    for number in range(TIMES):
        ended = {one.state for one in life.deliveries(f"{point.words}{number}")}
        if point.number == "K1":
            assert (left[number], ended) == (set(), set())
            assert life.post(life.world.submitted[number]).state is PostState.EXPIRED
        else:
            assert point.some in ended
            assert ended <= point.ends
    assert {one.state for one in life.deliveries()} <= FINAL


@pytest.mark.proof
@pytest.mark.parametrize("time", range(TIMES))
def test_k18_after_a_restore_it_is_read_back_before_anything_goes_out(life: Life, time: int) -> None:
    backup_from = life.clock()
    died = life.play(due(0), due(1), point=("result committed", "answer received")[time % 2], words="N0")
    before = sorted(life.seen())
    life.restore()
    with writing(life.hub.engine) as session:
        holding.restored(session, backup_from=backup_from, by="operator", at=life.clock(), patience=life.hub.patience)

    on_hold = life.play(life.clock() + BACK, due(0) + timedelta(minutes=20))
    after = sorted(life.seen())
    with writing(life.hub.engine) as session:
        holding.release(session, by="operator", at=life.clock())
    let_go = life.play(life.clock(), due(TIMES + 1) + timedelta(hours=1))

    assert (died, on_hold, let_go) == (-signal.SIGKILL, 0, 0)
    assert before != []
    assert after == before
    assert life.verdict() == CLEAN
    assert {one.state for one in life.deliveries()} == {S.SENT}
