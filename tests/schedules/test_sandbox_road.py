"""The same road over the real SDKs, against our own Facebook and X, which misbehave and know the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from channels.sandbox.faults import Fault, Faults, named, usage
from channels.sandbox.server import Sandbox
from hub.database import reading, writing
from hub.domain.account import AccountState
from hub.domain.delivery import Delivery, DeliveryState
from hub.secrets import write_new_key
from hub.services import connecting, resolving
from hub.wiring import wire
from schedules import runner
from tests.schedules.conftest import DUE, Room, wall
from tests.stage import NOON, build_stage

S = DeliveryState
PUBLISHING = r"/feed$|/\d+_\d+$|/2/tweets$"
"""Where posts are made and drafts are shown."""

EVERY_PLACE = ("facebook:FR", "facebook:A-14", "facebook:A-32", "x:FR")


@dataclass
class Road(Room):
    """A room whose networks are the sandbox's; both share one clock."""

    sandbox: Sandbox = None  # type: ignore[assignment]
    tokens: dict[str, str] | None = None

    def run_at(self, moment: datetime) -> int:
        """Put both clocks there, and do all that is due."""
        self.sandbox.clock.set(moment)
        return super().run_at(moment)

    def play(self, *faults: Fault) -> None:
        """Misbehave."""
        self.sandbox.faults.add(*faults)

    def public(self) -> list[tuple[str, str, str]]:
        """Everything that people can see: account, id, words."""
        facebook = [(post["page_id"], post["id"], post["message"]) for post in self.sandbox.graph.visible_posts()]
        x = [(post["account_id"], post["id"], post["text"]) for post in self.sandbox.x.posts() if not post["deleted"]]
        return facebook + x

    def linked(self) -> list[tuple[str, str | None, str]]:
        """The same as we know it, of every delivery there is."""
        with reading(self.hub.engine) as session:
            accounts = {account.id: account.remote_id for account in connecting.list_accounts(session)}
            return [(accounts[one.account_id], one.remote_id, one.text) for one in session.exec(select(Delivery)).all()]


@pytest.fixture
def road(engine: Engine, tmp_path: Path) -> Iterator[Road]:
    """A Monday noon; nothing is due yet."""
    with Sandbox() as sandbox:
        sandbox.clock.set(NOON)
        write_new_key(tmp_path / "relais.key")
        stage = build_stage(
            engine, tmp_path, facebook_api_url=sandbox.url, x_api_url=sandbox.url, read_timeout=0.4, call_deadline=5
        )
        sandbox.graph.add_places(
            [{"key": key, "name": key, "type": "region", "country_code": "FR"} for key in ("4001", "4002")]
        )
        tokens = connect(stage, sandbox)
        hub = replace(wire(stage.hub.settings, now=stage.clock, engine=engine), jitter=lambda: 1.0)
        one = Road(stage, stage.clock, runner.build(hub), {}, sandbox, tokens)
        yield one
        one.engine.stop()


def connect(stage: Any, sandbox: Sandbox) -> dict[str, str]:
    """Give every account keys that open the sandbox."""
    tokens = {}
    with writing(stage.hub.engine) as session:
        for name in ("national", "rennes", "elsewhere"):
            page = connecting.get_account(session, stage.accounts[name])
            tokens[name] = sandbox.graph.create_page(page.remote_id, page.name, followers=900)
            secret = {"token": tokens[name]}
            connecting.renew_secret(session, stage.hub.vault, page.id or 0, secret, by="operator", at=NOON)
        made = sandbox.x.create_account("seconde_chance", name="Ma seconde chance", credits_left="500")
        account = connecting.get_account(session, stage.accounts["x"])
        account.remote_id, account.handle = made["id"], "seconde_chance"
        keys = {key: made[key] for key in connecting.SECRET_NAMES[account.network]}
        connecting.renew_secret(session, stage.hub.vault, account.id or 0, keys, by="operator", at=NOON)
    return tokens


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
    assert road.tokens is not None
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


# --- Two hundred -----------------------------------------------------------------------------------------------

MISBEHAVIOUR = [
    "hang_up_before", "hang_up_after", "reset_before", "reset_after", "unavailable_before", "unavailable_after",
    "html_502_after", "cut", "broken", "without_id",
]  # fmt: skip


@pytest.mark.xdist_group("two hundred")
@pytest.mark.parametrize("seed", [20261103])
def test_two_hundred_deliveries_of_which_a_third_goes_wrong_are_neither_lost_nor_said_twice(
    road: Road, seed: int
) -> None:
    road.sandbox.faults = Faults(seed)
    made = []
    for number in range(40):
        when = wall(3, 8 + number // 10, number % 10 * 6)
        text = f"Rendez-vous numéro {number}"
        made += road.approve(text, accounts=EVERY_PLACE, audience=("FR",), when=when, zone="Europe/Paris")
        made += road.approve(f"Chez nous {number}", audience=("D-35",), when=when)
    for name in MISBEHAVIOUR:
        road.play(named(name, method="POST", path=PUBLISHING, times=None, chance=0.035))
    road.play(Fault("late", path=PUBLISHING, method="POST", times=None, chance=0.05, seconds=90))
    last = DUE.replace(hour=11)

    road.clock.at = NOON
    road.live_until(last)
    road.sandbox.faults.clear()
    road.live_until(last + timedelta(hours=1))

    tries = Counter(outcome for one in made for outcome in road.outcomes(one))
    assert len(made) == 200
    assert tries["unknown"] >= 40
    assert Counter(road.state(one) for one in made) == {S.SENT: 200}
    assert sorted(road.public()) == sorted(road.linked())
