"""The same road over the real SDKs, against our own Facebook and X, which misbehave and know the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from channels.sandbox.faults import Fault, named
from hub.database import writing
from hub.domain.account import AccountState
from hub.domain.delivery import DeliveryState
from hub.services import connecting, resolving
from tests.schedules.conftest import DUE
from tests.schedules.road import EVERY_PLACE, PUBLISHING, Road, open_road

S = DeliveryState


@pytest.fixture
def road(engine: Engine, tmp_path: Path) -> Iterator[Road]:
    """A Monday noon; nothing is due yet."""
    with open_road(engine, tmp_path) as one:
        yield one


# --- One at a time ---------------------------------------------------------------------------------------------

LOST = {
    "hang-up after accepting": named("hang_up_after"),
    "reset after accepting": named("reset_after"),
    "silence after accepting": Fault("delay", seconds=0.8, after=True),
    "5xx with a post": named("unavailable_after"),
    "5xx without a post": named("unavailable_before"),
    "a page of HTML": named("html_502_after"),
    "half an answer": named("cut"),
    "half of the JSON": named("broken"),
    "success without an id": named("without_id"),
}


@pytest.mark.parametrize("name", LOST)
def test_an_answer_that_is_none_ends_in_one_post_on_each_network(road: Road, name: str) -> None:
    made = road.approve(accounts=EVERY_PLACE, audience=("FR",), zone="Europe/Paris")
    road.play(replace(LOST[name], method="POST", path=PUBLISHING, times=4))

    road.run_at(DUE)
    first = [road.outcomes(one)[0] for one in made]
    road.live_until(DUE + timedelta(minutes=12))

    assert first == ["unknown"] * 4
    assert [road.state(one) for one in made] == [S.SENT] * 4
    assert sorted(road.public()) == sorted(road.linked())
    assert len(road.public()) == 4


@pytest.mark.parametrize("account", ["facebook:FR", "x:FR"])
def test_a_post_that_shows_up_too_late_is_refused_as_a_repeat_and_then_found(road: Road, account: str) -> None:
    delivery = road.approve_one(accounts=(account,), audience=("FR",))
    road.play(
        Fault("late", method="POST", path=PUBLISHING, seconds=480),
        named("hang_up_after", method="POST", path=PUBLISHING),
    )

    road.clock.at = DUE
    road.live_until(DUE + timedelta(minutes=30))

    assert road.outcomes(delivery) == ["unknown", "duplicate"]
    assert (road.state(delivery), road.delivery(delivery).reason) == (
        S.SENT,
        "Found on the network when reading back.",
    )
    assert road.public() == road.linked()


def test_a_gated_post_whose_limit_got_lost_is_never_seen(road: Road) -> None:
    delivery = road.approve_one(audience=("D-35",))
    road.play(named("drop_targeting", times=None))

    road.clock.at = DUE
    road.live_until(DUE + timedelta(hours=1))

    assert (road.state(delivery), road.public()) == (S.FAILED, [])
    assert road.delivery(delivery).reason == "Facebook did not keep the limit of this post to its territory."


def test_a_gated_post_is_seen_in_its_territory_only(road: Road) -> None:
    road.approve_one(audience=("D-35",))

    road.run_at(DUE)

    (post,) = road.sandbox.graph.visible_posts()
    assert [region["key"] for region in post["targeting"]["geo_locations"]["regions"]] == ["4002"]


def test_an_expired_token_rests_its_page_only_and_nothing_is_lost(road: Road) -> None:
    road.sandbox.graph.tokens.expire_token(road.tokens["rennes"])
    made = [road.approve_one(f"Rennes {number}") for number in range(3)]
    elsewhere = road.approve_one("France", accounts=("facebook:FR",), audience=("FR",))

    road.run_at(DUE)
    resting = road.account("rennes").state
    states = [road.state(one) for one in made]
    fresh = road.sandbox.graph.create_page(road.account("rennes").remote_id, "Rennes", followers=900)
    with writing(road.hub.engine) as session:
        secret = {"token": fresh}
        number = road.stage.accounts["rennes"]
        connecting.renew_secret(session, road.hub.vault, number, secret, by="operator", at=road.clock())
    road.resume()
    road.run_after(seconds=1)

    assert (resting, states, road.state(elsewhere)) == (AccountState.RESTING, [S.WAITING] * 3, S.SENT)
    assert [road.state(one) for one in made] == [S.SENT] * 3
    assert sorted(road.public()) == sorted(road.linked())


def test_a_page_whose_use_is_nearly_up_is_left_alone_for_as_long_as_it_asks(road: Road) -> None:
    page = road.account("rennes").remote_id
    usage = named("usage_high")
    road.play(replace(usage, method="POST", path=f"/{page}/feed$"))
    made = [road.approve_one("Un"), road.approve_one("Deux")]

    road.run_at(DUE)
    states = [road.state(one) for one in made]
    waits = road.account("rennes").not_before
    road.run_after(minutes=15)

    assert (states, waits) == ([S.SENT, S.WAITING], DUE + timedelta(minutes=15))
    assert road.state(made[1]) == S.SENT


def test_a_post_taken_down_is_gone_from_the_network(road: Road) -> None:
    made = road.approve(accounts=("facebook:FR", "x:FR"), audience=("FR",))
    road.run_at(DUE)
    with writing(road.hub.engine) as session:
        for one in made:
            resolving.request_removal(
                session, one, by=road.stage.people["coordinator"], at=road.clock(), reason="Annulé"
            )

    road.run_after(seconds=2)

    assert (road.public(), [road.state(one) for one in made]) == ([], [S.REMOVED] * 2)
