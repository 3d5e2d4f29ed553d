"""K13: two schedulers at one database, with a thousand deliveries due at one instant."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine

from hub.domain.delivery import DeliveryState
from tests.schedules.conftest import DUE
from tests.schedules.dying import Order, SharedClock
from tests.schedules.nursery import TIMES, Life, Nursery, due, life, nursery, worlds
from tests.schedules.road import CLEAN, open_road
from tests.stage import NOON

__all__ = ["life", "nursery", "worlds"]

S = DeliveryState
PAGES: Final = 26
POSTS: Final = 34
"""With the stage's own accounts thirty places, and so a thousand deliveries."""


@pytest.mark.proof
@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_two_processes_share_a_thousand_that_are_due_at_one_instant(
    engine: Engine, nursery: Nursery, tmp_path: Path
) -> None:
    with open_road(engine, tmp_path, pages=PAGES) as road:
        everywhere = tuple(str(number) for name, number in road.stage.accounts.items() if name != "portal")
        for number in range(POSTS):
            road.approve(
                f"Numéro {number}", accounts=everywhere, audience=("FR",), when=DUE.replace(tzinfo=None), zone="UTC"
            )
        SharedClock(tmp_path).set(NOON)
        url = engine.url.render_as_string(hide_password=False)
        until = DUE + timedelta(seconds=1)
        order = Order(
            str(tmp_path),
            url,
            road.sandbox.url,
            DUE.isoformat(),
            until.isoformat(),
            together=True,
            lease=120,
            deadline=45,
        )

        both = [nursery.begin(order) for _ in range(2)]
        codes = [nursery.became(one) for one in both]

        made = road.deliveries()
        shares = Counter(one.owner for one in made)
        assert (codes, len(made)) == ([0, 0], POSTS * (PAGES + 4))
        assert road.verdict() == CLEAN
        assert {(one.state, one.attempts) for one in made} == {(S.SENT, 1)}
        assert len(shares) == 2
        assert min(shares.values()) >= len(made) // 10


@pytest.mark.proof
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_of_two_processes_on_one_file_one_is_refused_and_nothing_is_said_twice(life: Life) -> None:
    order = life.order(due(0), due(TIMES + 1) + timedelta(hours=1))

    both = [life.nursery.begin(order) for _ in range(2)]
    codes = [life.nursery.became(one) for one in both]

    assert sorted(code for code in codes if code is not None) == [0, 5]
    assert life.verdict() == CLEAN
    assert {(one.state, one.attempts) for one in life.deliveries()} == {(S.SENT, 1)}
