"""How long everybody waits is in the database: for an account, for all of an app, for readings only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from channels import Breadth, Throttled, Uncertain
from hub.database import reading, writing
from hub.domain.account import Account, AppWait
from hub.domain.delivery import DeliveryState as S
from hub.secrets import Vault
from hub.services import connecting, delivering, pacing, resolving
from tests.schedules.conftest import DUE, Room

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)


def whole_app(until: datetime | None = None) -> Throttled:
    return Throttled("(#4) Application request limit reached", until=until, breadth=Breadth.APP, code="4")


def app(room: Room, key: str = "facebook") -> AppWait:
    """How long an app waits."""
    with reading(room.hub.engine) as session:
        found = session.get(AppWait, key)
        assert found is not None
        return found


def calls(room: Room, name: str, kind: str = "publish") -> int:
    return room.channel(name).calls.count(kind)


def test_a_limit_of_the_app_holds_back_every_page_and_no_other_network(room: Room) -> None:
    first = room.approve_one("Rennes")
    room.channel("rennes").fail_next(whole_app(DUE + 2 * HOUR))
    room.run_at(DUE)
    elsewhere = room.approve_one("France", accounts=("facebook:FR",), audience=("FR",), when=wall_at(room, 10))
    on_x = room.approve_one("Sur X", accounts=("x:FR",), audience=("FR",), when=wall_at(room, 10))

    room.run_after(minutes=10)
    held = [room.state(one) for one in (first, elsewhere, on_x)]
    room.run_at(DUE + 2 * HOUR)

    assert held == [S.WAITING, S.WAITING, S.SENT]
    assert [room.state(one) for one in (first, elsewhere)] == [S.SENT, S.SENT]
    assert (room.account("rennes").not_before, room.account("national").not_before) == (None, None)


def wall_at(room: Room, minutes: int) -> datetime:
    """So many minutes from now on the clocks of Paris."""
    return (room.clock() + HOUR + timedelta(minutes=minutes)).replace(tzinfo=None)


def test_what_was_claimed_before_the_app_had_to_wait_goes_back_untouched(room: Room) -> None:
    delivery = room.approve_one()
    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=DUE, owner="a", patience=room.hub.patience)
    with writing(room.hub.engine) as session:
        outcome = delivering.outcome_of(whole_app(), room.hub.patience, at=DUE)
        pacing.heed_limit(session, room.account("national"), outcome, at=DUE, patience=room.hub.patience)

    with writing(room.hub.engine) as session:
        work = delivering.open_attempt(session, claim, at=DUE, patience=room.hub.patience)

    assert (work, room.state(delivery), room.attempts(delivery)) == (None, S.WAITING, [])


def test_a_wait_of_the_app_is_told_once_however_many_pages_hear_of_it(room: Room) -> None:
    for name in ("rennes", "national"):
        with writing(room.hub.engine) as session:
            outcome = delivering.outcome_of(whole_app(DUE + HOUR), room.hub.patience, at=DUE)
            pacing.heed_limit(session, room.account(name), outcome, at=DUE, patience=room.hub.patience)

    (entry,) = room.audit("account.app-wait")
    assert entry.after == {
        "app": "facebook",
        "what": "not_before",
        "until": (DUE + HOUR).isoformat(),
        "reason": "(#4) Application request limit reached",
    }


def test_a_longer_wait_of_the_app_is_never_made_shorter_nor_lasts_for_ever(room: Room) -> None:
    moments = []
    for until in (DUE + timedelta(days=9), DUE + HOUR):
        with writing(room.hub.engine) as session:
            outcome = delivering.outcome_of(whole_app(until), room.hub.patience, at=DUE)
            pacing.heed_limit(session, room.account(), outcome, at=DUE, patience=room.hub.patience)
        moments.append(app(room).not_before)

    assert moments == [DUE + timedelta(days=1)] * 2


def test_use_of_the_app_that_is_nearly_up_lets_all_its_pages_wait_although_the_post_is_out(room: Room) -> None:
    first = room.approve_one("Un")
    second = room.approve_one("Deux", accounts=("facebook:FR",), audience=("FR",))
    room.channel("rennes").app_wait_until = room.channel("national").app_wait_until = DUE + QUARTER
    with writing(room.hub.engine) as session:
        # One after the other, so that the second one hears of the first one's answer.
        claims = delivering.claim(session, at=DUE, owner="a", patience=room.hub.patience, account_id=account_id(room))
        delivering.put_back(session, claims[0], ready_at=DUE + timedelta(seconds=1))

    room.run_at(DUE)
    room.channel("national").app_wait_until = None
    room.run_after(minutes=1)
    states = sorted(room.state(one) for one in (first, second))
    room.channel("rennes").app_wait_until = None
    room.run_at(DUE + QUARTER)

    assert states == [S.SENT, S.WAITING]
    assert [room.state(one) for one in (first, second)] == [S.SENT] * 2


def account_id(room: Room, name: str = "rennes") -> int:
    return room.stage.accounts[name]


# --- Minutes, hours, and nothing said ------------------------------------------------------------------------


def test_without_an_end_each_refusal_in_a_row_doubles_the_wait_up_to_four_hours(room: Room) -> None:
    delivery = room.approve_one(useless_after=wall_days(room, 9))
    waits = []
    for _ in range(7):
        room.channel().fail_next(Throttled("Slow down."))
    room.run_at(DUE)
    for _ in range(6):
        until = room.account().not_before
        assert until is not None
        waits.append(until - room.clock())
        excuse(room, delivery)
        room.run_at(until)

    assert waits == [QUARTER, 2 * QUARTER, HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR]
    assert set(room.outcomes(delivery)) == {"rate"}


def wall_days(room: Room, days: int) -> datetime:
    return (room.clock() + timedelta(days=days)).replace(tzinfo=None)


def excuse(room: Room, delivery_id: int) -> None:
    """Somebody wants it although it is late."""
    with writing(room.hub.engine) as session:
        found = session.get(type(room.delivery(delivery_id)), delivery_id)
        assert found is not None
        found.excused_until = room.clock() + timedelta(days=2)


def test_after_a_post_that_went_well_the_wait_begins_small_again(room: Room) -> None:
    first, second = room.approve_one("Un"), room.approve_one("Deux", when=wall_at(room, 30 * 60 + 360))
    room.channel().fail_next(Throttled("Slow down."))
    room.channel().fail_next(Throttled("Slow down."))
    room.run_at(DUE)
    room.run_after(minutes=15)
    room.run_after(minutes=30)
    room.channel().fail_next(Throttled("Slow down."))

    room.run_at(room.delivery(second).due_at)

    assert (room.state(first), room.state(second)) == (S.SENT, S.WAITING)
    assert room.account().not_before == room.clock() + QUARTER


# --- Readings only -------------------------------------------------------------------------------------------


def capped() -> Throttled:
    return Throttled("Usage cap exceeded: Monthly product cap", breadth=Breadth.READS, code="UsageCapExceeded")


def test_a_cap_on_readings_stops_readings_for_a_day_and_posts_go_on(room: Room) -> None:
    first = room.approve_one("Un", accounts=("x:FR",), audience=("FR",))
    room.run_at(DUE)
    room.channel("x").fail_next(capped(), call="figures")
    room.run_at(DUE + HOUR)
    second = room.approve_one("Deux", accounts=("x:FR",), audience=("FR",), when=wall_at(room, 1))
    until = app(room, x_app(room)).reads_not_before
    room.run_at(DUE + 7 * HOUR)
    read = calls(room, "x", "figures")

    assert (until, read) == (DUE + 25 * HOUR, 1)
    assert [room.state(one) for one in (first, second)] == [S.SENT] * 2
    room.run_at(DUE + 25 * HOUR)
    assert calls(room, "x", "figures") == 2


def x_app(room: Room) -> str:
    return room.account("x").app


def test_what_cannot_be_read_back_for_days_is_shown_to_a_person_within_the_hour(room: Room) -> None:
    delivery = room.approve_one("Un", accounts=("x:FR",), audience=("FR",))
    with writing(room.hub.engine) as session:
        outcome = delivering.outcome_of(capped(), room.hub.patience, at=DUE)
        pacing.heed_limit(session, room.account("x"), outcome, at=DUE, patience=room.hub.patience)
    room.channel("x").fail_next(Uncertain("No answer came."))

    room.clock.at = DUE
    room.live_until(DUE + HOUR)

    assert (room.state(delivery), calls(room, "x", "find")) == (S.REVIEW, 0)
    assert "it asks us to wait until" in str(room.delivery(delivery).reason)


def test_while_use_grows_figures_wait_and_posts_go_out(room: Room) -> None:
    room.approve_one("Un")
    room.run_at(DUE)
    with writing(room.hub.engine) as session:
        account = connecting.get_account(session, account_id(room))
        account.slow_until = DUE + 2 * HOUR
    second = room.approve_one("Deux", when=wall_at(room, 60))

    room.run_at(DUE + HOUR)
    asked = calls(room, "rennes", "figures")

    assert (room.state(second), asked) == (S.SENT, 0)
    room.run_at(DUE + 2 * HOUR)
    assert calls(room, "rennes", "figures") == 1


@pytest.mark.parametrize("name", ["slow_until", "reads_not_before", "not_before"])
def test_figures_wait_for_the_app_too_and_the_clock_knows_when_they_may_be_read(room: Room, name: str) -> None:
    room.approve_one("Un")
    room.run_at(DUE)
    until = DUE + 2 * HOUR
    with writing(room.hub.engine) as session:
        session.add(AppWait(app_key="facebook", reason="Use is nearly up.", **{name: until}))

    room.run_at(DUE + HOUR)

    assert (calls(room, "rennes", "figures"), room.engine.agenda().next_at) == (0, until)
    room.run_at(until)
    assert calls(room, "rennes", "figures") == 1


def test_taking_down_waits_for_the_app(room: Room) -> None:
    delivery = room.approve_one()
    room.run_at(DUE)
    with writing(room.hub.engine) as session:
        session.add(AppWait(app_key="facebook", reason="Use is nearly up.", not_before=DUE + HOUR))
        by = room.stage.people["coordinator"]
        resolving.request_removal(session, delivery, by=by, at=DUE, reason="Annulé")

    room.run_after(minutes=1)
    state = room.state(delivery)
    room.run_at(DUE + HOUR)

    assert (state, room.state(delivery)) == (S.SENT, S.REMOVED)


# --- Whose app ------------------------------------------------------------------------------------------------


def test_accounts_on_x_with_the_same_app_wait_together_and_others_do_not(room: Room) -> None:
    stage = room.stage
    with writing(room.hub.engine) as session:
        for number, key in ((7001, "the-key-of-one-app"), (7002, "the-key-of-one-app"), (7003, "another-apps-key")):
            secret = dict.fromkeys(connecting.SECRET_NAMES[room.account("x").network], "a-secret-key")
            connecting.add_account(
                session, _Sealed(), network=room.account("x").network, name=f"X {number}", remote_id=str(number),
                handle=f"x{number}", territory_code="FR", secret={**secret, "consumer_key": key}, options={},
                by="operator", at=stage.clock(),
            )  # fmt: skip
    with writing(room.hub.engine) as session:
        one, other, third = session.exec(select(Account).where(Account.name.startswith("X 700"))).all()
        outcome = delivering.outcome_of(whole_app(DUE + HOUR), room.hub.patience, at=DUE)
        pacing.heed_limit(session, one, outcome, at=DUE, patience=room.hub.patience)
        waits = [pacing.wait_until(session, account, at=DUE) is not None for account in (one, other, third)]
        callable_ones = session.exec(select(Account.name).where(pacing.callable_account(DUE))).all()

    assert waits == [True, True, False]
    assert {"X 7001", "X 7002", "X 7003"} & set(callable_ones) == {"X 7003"}
    assert "the-key-of-one-app" not in one.app


class _Sealed(Vault):
    """Keeps nothing."""

    def __init__(self) -> None:
        """Needs no key."""

    def seal(self, account_id: int, secret: Mapping[str, str]) -> str:
        return "sealed"


def test_a_call_that_left_room_lets_nobody_wait(room: Room) -> None:
    delivery = room.approve_one()

    room.run_at(DUE)

    with reading(room.hub.engine) as session:
        assert session.exec(select(AppWait)).all() == []
    assert (room.state(delivery), room.account().not_before) == (S.SENT, None)
