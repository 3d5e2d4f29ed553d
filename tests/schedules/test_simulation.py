"""Thousands of small worlds, each ruled by one number: nothing goes out twice, nothing is lost, everything ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.domain.delivery import DeliveryState
from tests.schedules.scenery import Scenery, scenery
from tests.schedules.simulation import Simulation, simulate
from tests.schedules.world import quiet
from tests.sizes import size

S = DeliveryState

PARTS = 5
"""So that several processes can share the seeds."""

SEEDS = size(ci=1_000, long=50_000)


@pytest.fixture(scope="module")
def stage() -> Iterator[Scenery]:
    """The prepared country, once for all seeds."""
    with scenery() as made:
        yield made


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_fails_every_delivery_goes_out_once_or_is_told_to_people(part: int, stage: Scenery) -> None:
    each = SEEDS // PARTS

    moves = simulate(stage, range(part * each, (part + 1) * each))

    assert {to for _from, to in moves} == set(DeliveryState), "every state was met"
    assert moves[S.UNKNOWN, S.WAITING] > 0, "and what nobody found was sent again"


def test_a_seed_plays_the_same_again(stage: Scenery) -> None:
    traces = []
    with quiet():
        for _time in range(2):
            one = Simulation(stage, 4)
            one.run()
            traces.append(one.world.trace)

    assert len(traces[0]) > 50
    assert traces[0] == traces[1]
