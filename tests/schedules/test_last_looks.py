"""The last looks before what cannot be taken back: repeats, live posts, limits without keys, long waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channels import Refused, Throttled, Unauthorized, Uncertain, Unreachable
from channels.base import Receipt
from channels.facebook import FacebookPage
from channels.memory import MemoryChannel
from hub.database import writing
from hub.domain.account import AccountState
from hub.domain.delivery import Action, DeliveryState
from hub.services import connecting, delivering, resolving
from tests.schedules.conftest import DUE, Room, wall

S = DeliveryState


def test_what_the_network_calls_a_repeat_and_does_not_show_goes_to_a_person_and_is_not_said_again(room: Room) -> None:
    delivery = room.approve_one()
    room.channel().fail_next(Uncertain("You said that already.", duplicate=True))

    room.run_at(DUE)
    room.live_until(DUE + timedelta(hours=1))

    assert (room.state(delivery), room.shown()) == (S.REVIEW, [])
    assert room.channel().calls.count("publish") == 1


def test_a_given_up_delivery_that_is_live_is_never_deleted_by_tidying(room: Room) -> None:
    network = MemoryChannel(now=room.clock)
    room.channels[room.stage.accounts["rennes"]] = network
    delivery = room.approve_one(audience=("D-35",), useless_after=wall(9, 18))
    network.fail_next(Uncertain("No answer came."), after_showing=True)
    for _ in range(64):
        network.fail_next(Unreachable("No connection."), call="find")
    room.run_at(DUE)
    room.live_until(DUE + timedelta(hours=2))
    network._failures.clear()
    with writing(room.hub.engine) as session:
        resolving.resolve(
            session, delivery, Action.GIVE_UP, by=room.stage.people["coordinator"], at=room.clock(),
            patience=room.hub.patience,
        )  # fmt: skip

    room.run_after(minutes=1)

    assert (room.state(delivery), len(network.shown)) == (S.REVIEW, 1)
    assert "remove" not in network.calls


def test_invented_keys_are_stopped_before_anything_is_said_to_a_real_network(room: Room) -> None:
    delivery = room.approve_one(audience=("D-35",))
    room.clock.at = DUE

    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=DUE, owner="somebody", patience=room.hub.patience)
        work = delivering.open_attempt(session, claim, at=DUE, patience=room.hub.patience, sandboxed=frozenset())

    assert (work, room.state(delivery)) == (None, S.CANCELLED)


def test_a_network_that_asks_to_wait_for_centuries_is_asked_again_after_a_day(room: Room) -> None:
    account_id = room.stage.accounts["rennes"]

    with writing(room.hub.engine) as session:
        until = datetime(2999, 1, 1, tzinfo=UTC)
        delivering.let_wait(session, account_id, until=until, at=DUE, patience=room.hub.patience)

    assert room.account().not_before == DUE + timedelta(hours=24)


@pytest.mark.parametrize(
    "error", [Throttled("Cap.", code="UsageCapExceeded"), Throttled("Slow down."), Unauthorized("(#10)", code="10")]
)
def test_what_stops_reading_on_x_does_not_stop_posting(room: Room, error: Throttled | Unauthorized) -> None:
    with writing(room.hub.engine) as session:
        account = connecting.find_account(session, "x:FR")
        delivering.note_failed_reading(session, account, error, at=DUE, patience=room.hub.patience)

        assert (account.not_before, account.state) == (None, AccountState.ACTIVE)


@pytest.mark.parametrize("foreign", ["777", "777_1", "1_2/subscribed_apps", "1_2?x=1", ""])
def test_a_page_deletes_nothing_but_its_own_posts(foreign: str) -> None:
    page = FacebookPage(page_id="1", token="a-page-token", base_url="http://127.0.0.1:9")

    with pytest.raises(Refused) as refused:
        page.remove(Receipt(foreign))

    assert refused.value.code == "not_our_post"
    page.close()
