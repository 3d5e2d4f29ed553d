"""The same road over the real SDKs, against our own Facebook and X, which misbehave and know the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from channels.sandbox.faults import Fault, named, usage
from hub.database import writing
from hub.domain.account import AccountState
from hub.domain.delivery import DeliveryState
from hub.services import connecting, resolving
from tests.schedules.conftest import DUE, wall
from tests.schedules.road import EVERY_PLACE, PUBLISHING, Road, open_road
from tests.stage import NOON

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
    road.play(usage(97, page=page, method="POST", path=f"/{page}/feed$"))
    made = [road.approve_one("Un"), road.approve_one("Deux")]

    road.run_at(DUE)
    states = [road.state(one) for one in made]
    waits = road.account("rennes").not_before
    road.run_after(minutes=15)

    assert (states, waits) == ([S.SENT, S.WAITING], DUE + timedelta(minutes=15))
    assert road.state(made[1]) == S.SENT


def test_a_limit_of_the_app_leaves_every_page_alone_and_x_goes_on(road: Road) -> None:
    road.play(named("app_limit", path="/feed$"))
    first = road.approve_one("Un")
    road.run_at(DUE)
    later = DUE + timedelta(minutes=5)
    pages = road.approve("Deux", accounts=EVERY_PLACE[:3], audience=("FR",), when=wall(3, 18, 5), zone="Europe/Paris")
    on_x = road.approve_one("Trois", accounts=("x:FR",), audience=("FR",), when=wall(3, 18, 5))
    before = len(road.sandbox.calls)

    road.run_at(later)
    asked = {call.path for call in list(road.sandbox.calls)[before:]}
    states = [road.state(one) for one in (first, *pages)]
    road.run_at(DUE + timedelta(minutes=15))

    assert (states, road.state(on_x), asked) == ([S.WAITING] * 4, S.SENT, {"/2/tweets"})
    assert [road.state(one) for one in (first, *pages)] == [S.SENT] * 4
    assert sorted(road.public()) == sorted(road.linked())


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("x_quarter_used_up", timedelta(minutes=15)),
        ("x_day_used_up", timedelta(hours=4)),
        ("x_app_day_used_up", timedelta(hours=4)),
        ("x_day_used_up_untold", timedelta(minutes=15)),
        ("x_reset_in_the_past", timedelta(minutes=15)),
        ("x_without_headers", timedelta(minutes=15)),
    ],
)
def test_minutes_of_x_are_told_from_hours_and_what_it_does_not_tell_is_ours_to_guess(
    road: Road, name: str, waits: timedelta
) -> None:
    delivery = road.approve_one(accounts=("x:FR",), audience=("FR",))
    road.play(named(name, path="/2/tweets$"))

    road.run_at(DUE)
    refused = (road.state(delivery), road.outcomes(delivery))
    road.run_at(DUE + waits - timedelta(seconds=1))
    early = road.public()
    road.run_at(DUE + waits)

    assert (refused, early) == ((S.WAITING, ["rate"]), [])
    assert road.state(delivery) == S.SENT


def test_sixty_posts_due_at_once_on_x_all_go_out_and_x_has_nothing_to_refuse(road: Road) -> None:
    number = road.stage.accounts["x"]
    with writing(road.hub.engine) as session:
        connecting.choose_options(session, number, {"verified": True}, by="operator", at=NOON)
    made = [road.approve_one(f"Numéro {one}", accounts=("x:FR",), audience=("FR",)) for one in range(60)]

    road.run_at(DUE)
    at_once = len(road.public())
    road.live_until(DUE + timedelta(minutes=30))

    assert (at_once, {road.state(one) for one in made}) == (50, {S.SENT})
    assert Counter(outcome for one in made for outcome in road.outcomes(one)) == {"ok": 60}
    assert sorted(road.public()) == sorted(road.linked())


def test_credits_that_are_used_up_rest_the_account_with_one_alert_and_nothing_is_lost(road: Road) -> None:
    made = [road.approve_one(f"N{one}", accounts=("x:FR",), audience=("FR",)) for one in range(12)]
    road.play(named("x_credits_used_up", path="/2/tweets$", times=None))

    road.run_at(DUE)
    road.run_after(minutes=1)
    resting = (road.account("x").state, len(road.audit("account.rest")), {road.state(one) for one in made})
    road.sandbox.faults.clear()
    road.resume("x")
    road.run_after(seconds=1)

    assert resting == (AccountState.RESTING, 1, {S.WAITING})
    assert [text for _account, _id, text in road.public()] == [f"N{one}" for one in range(12)]


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
