"""Every class of answer: what becomes of the delivery, and of its account."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels import (
    Blocked,
    Breadth,
    ChannelError,
    Deadline,
    Prepared,
    Receipt,
    Refused,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from channels.memory import MemoryChannel
from hub.database import writing
from hub.domain.account import Account, AccountState
from hub.domain.delivery import DeliveryState, Patience
from hub.domain.errors import Invalid
from hub.services import connecting, delivering
from tests.schedules.conftest import DUE, Room, wall

S = DeliveryState
QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("error", "outcome", "state", "account"),
    [
        (Refused("Too long.", code="100", status=400), "content", S.FAILED, AccountState.ACTIVE),
        (Unauthorized("Token expired.", code="190", status=401), "auth", S.WAITING, AccountState.RESTING),
        (Throttled("Slow down.", status=429), "rate", S.WAITING, AccountState.ACTIVE),
        (Blocked("Spam.", code="368"), "block", S.WAITING, AccountState.BLOCKED),
        (Unreachable("No connection."), "not-sent", S.WAITING, AccountState.ACTIVE),
        (Uncertain("No answer."), "unknown", S.UNKNOWN, AccountState.ACTIVE),
        (Uncertain("Said before.", duplicate=True, code="506"), "duplicate", S.UNKNOWN, AccountState.ACTIVE),
        (ChannelError("Something unheard of."), "unknown", S.UNKNOWN, AccountState.ACTIVE),
    ],
    ids=["refused", "unauthorized", "throttled", "blocked", "unreachable", "uncertain", "duplicate", "unheard of"],
)
def test_an_answer_decides_what_becomes_of_delivery_and_account(
    room: Room, error: ChannelError, outcome: str, state: DeliveryState, account: AccountState
) -> None:
    delivery = room.approve_one()
    room.channel().fail_next(error)
    room.channel().fail_next(Unreachable("No reading either."), call="find")

    room.run_at(DUE)

    (attempt,) = room.attempts(delivery)
    assert (attempt.outcome, attempt.detail) == (outcome, str(error))
    assert (attempt.code, attempt.http_status) == (error.code, error.status)
    assert (room.state(delivery), room.account().state) == (state, account)
    assert room.delivery(delivery).reason == str(error)


def test_an_answer_without_an_id_is_no_answer(room: Room) -> None:
    class Forgetful(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            super().publish(prepared, deadline)
            return Receipt("")

    forgetful = Forgetful(now=room.clock)
    forgetful.fail_next(Unreachable("No reading."), call="find")
    room.channels[room.stage.accounts["rennes"]] = forgetful
    delivery = room.approve_one()

    room.run_at(DUE)
    state = room.state(delivery)
    room.run_after(seconds=5)

    assert (state, room.state(delivery), len(forgetful.shown)) == (S.UNKNOWN, S.SENT, 1)


def test_a_channel_that_breaks_its_contract_leaves_the_outcome_unknown(room: Room) -> None:
    class Broken(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            super().publish(prepared, deadline)
            raise ZeroDivisionError

    room.channels[room.stage.accounts["rennes"]] = Broken(now=room.clock)
    delivery = room.approve_one()

    room.run_at(DUE)

    assert room.outcomes(delivery) == ["unknown"]
    assert room.state(delivery) == S.SENT  # read back at once, and found


def test_whatever_goes_wrong_while_preparing_said_nothing(room: Room) -> None:
    class Broken(MemoryChannel):
        def prepare(self, message: object) -> Prepared:
            raise ZeroDivisionError

    room.channels[room.stage.accounts["rennes"]] = Broken(now=room.clock)
    delivery = room.approve_one()

    room.run_at(DUE)

    assert (room.outcomes(delivery), room.state(delivery)) == (["not-sent"], S.WAITING)


def test_an_uncertain_answer_while_preparing_said_nothing(room: Room) -> None:
    delivery = room.approve_one()
    room.channel().fail_next(Uncertain("The upload hung."), call="prepare")

    room.run_at(DUE)
    first = room.state(delivery)
    room.run_after(seconds=15)

    assert (first, room.outcomes(delivery)) == (S.WAITING, ["not-sent", "ok"])


def test_no_connection_is_tried_again_with_growing_patience_and_then_given_up(room: Room) -> None:
    delivery = room.approve_one()
    for _ in range(20):
        room.channel().fail_next(Unreachable("No connection."))
    tried = []

    room.clock.at = DUE
    while room.state(delivery) is S.WAITING:
        room.run_at(room.delivery(delivery).ready_at)
        tried.append((room.clock() - DUE).total_seconds())

    assert tried == [0, 15, 45, 105, 225, 465, 945, 1845, 2745]
    assert (room.state(delivery), room.delivery(delivery).reason) == (S.FAILED, "No connection.")


def test_a_connection_that_comes_back_sends_it_once(room: Room) -> None:
    delivery = room.approve_one()
    room.channel().fail_next(Unreachable("No connection."))

    room.run_at(DUE)
    room.run_after(seconds=14)
    early = room.outcomes(delivery)
    room.run_after(seconds=1)

    assert early == ["not-sent"]
    assert (room.outcomes(delivery), room.shown()) == (["not-sent", "ok"], ["Portes ouvertes"])


def test_a_second_try_that_goes_well_is_no_matter_of_other_posts_or_other_accounts(room: Room) -> None:
    room.approve_one("Avant", when=wall(3, 17))
    elsewhere = room.approve_one("Ailleurs", accounts=("facebook:FR",), audience=("FR",), when=wall(3, 17))
    delivery = room.approve_one()
    room.channel("national")._count = 1  # so that its ids are those of the other account
    room.run_at(DUE - timedelta(hours=1))
    room.channel().fail_next(Unreachable("No connection."))

    room.run_at(DUE)
    room.run_after(seconds=15)

    assert room.delivery(delivery).remote_id == room.delivery(elsewhere).remote_id == "post-2"
    assert (room.outcomes(delivery), room.delivery(delivery).reason) == (["not-sent", "ok"], None)
    assert room.audit("delivery.duplicate") == []


def test_a_rate_limit_lets_the_whole_account_wait_and_counts_as_no_failure(room: Room) -> None:
    made = [room.approve_one(f"N{number}") for number in range(3)]
    elsewhere = room.approve_one("Ailleurs", accounts=("facebook:A-32",), audience=("A-32",), zone="Europe/Paris")
    until = DUE + timedelta(minutes=40)
    room.channel().fail_next(Throttled("Slow down.", until=until))

    room.run_at(DUE)
    states = [room.state(one) for one in made]
    room.run_at(until - timedelta(seconds=1))
    waiting = room.channel().calls.count("publish")
    room.run_at(until)

    assert (states, room.state(elsewhere)) == ([S.WAITING] * 3, S.SENT)
    assert waiting == 1
    assert [room.state(one) for one in made] == [S.SENT] * 3
    assert [room.delivery(one).setbacks for one in made] == [0] * 3


def test_a_rate_limit_without_an_end_waits_a_quarter_of_an_hour(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Throttled("Slow down."))

    room.run_at(DUE)

    assert room.account().not_before == DUE + timedelta(minutes=15)


def test_a_rate_limit_that_has_ended_by_our_clock_is_not_asked_again_at_once(room: Room) -> None:
    delivery = room.approve_one()
    for _ in range(3):
        room.channel().fail_next(Throttled("Slow down.", until=DUE - timedelta(minutes=5)))

    room.run_at(DUE)

    assert room.account().not_before == DUE + timedelta(minutes=15)
    assert room.outcomes(delivery) == ["rate"]


def test_use_that_is_nearly_up_lets_the_account_wait_although_the_post_is_out(room: Room) -> None:
    first, second = room.approve_one("Un"), room.approve_one("Deux")
    until = DUE + timedelta(minutes=19)
    room.channel().wait_until = until

    room.run_at(DUE)
    states = [room.state(first), room.state(second)]
    room.channel().wait_until = None
    room.run_at(until)

    assert states == [S.SENT, S.WAITING]
    assert room.state(second) == S.SENT


def test_a_longer_wait_is_never_made_shorter(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Throttled("Slow down.", until=DUE + timedelta(hours=2)))
    room.channel().wait_until = DUE + timedelta(minutes=5)

    room.run_at(DUE)

    assert room.account().not_before == DUE + timedelta(hours=2)


def test_a_refused_authorisation_rests_the_account_once_and_its_deliveries_wait(room: Room) -> None:
    made = [room.approve_one(f"N{number}") for number in range(20)]
    for _ in made:
        room.channel().fail_next(Unauthorized("Token expired."))

    room.run_at(DUE)
    room.run_after(minutes=1)

    assert [room.state(one) for one in made] == [S.WAITING] * 20
    assert room.channel().calls.count("publish") == 1
    assert [entry.after for entry in room.audit("account.rest")] == [{"state": "resting", "reason": "Token expired."}]


def test_a_resumed_account_releases_its_deliveries_in_order_and_the_late_ones_to_a_person(room: Room) -> None:
    early = room.approve_one("Trop tard", when=wall(3, 13))
    made = [room.approve_one(f"N{number}", when=wall(3, 18, number)) for number in (2, 1, 3)]
    room.channel().fail_next(Unauthorized("Token expired."))
    room.run_at(datetime(2026, 11, 3, 12, tzinfo=UTC))
    room.run_at(DUE + timedelta(hours=2))

    released = room.resume()
    room.run_after(seconds=1)

    assert (released.waiting, released.due) == (4, 4)
    assert room.shown() == ["N1", "N2", "N3"]
    assert room.state(early) == S.REVIEW
    assert [room.state(one) for one in made] == [S.SENT] * 3


def test_a_resting_account_with_due_deliveries_does_not_keep_the_clock_busy(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Unauthorized("Token expired."))
    room.run_at(DUE)

    again = room.run_after(hours=1)

    assert again == 0


def test_a_paused_account_with_due_deliveries_does_not_keep_the_clock_busy(room: Room) -> None:
    delivery = room.approve_one()
    pause(room)

    done = room.run_at(DUE)

    assert (done, room.state(delivery)) == (0, S.WAITING)


def test_an_account_paused_between_claim_and_attempt_is_not_called(room: Room) -> None:
    class Pausing(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            pause(room)
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Pausing(now=room.clock)
    first, second = room.approve_one("Un"), room.approve_one("Deux")

    room.run_at(DUE)

    assert [room.state(one) for one in (first, second)] == [S.SENT, S.WAITING]


def pause(room: Room) -> None:
    with writing(room.hub.engine) as session:
        connecting.pause(session, room.stage.accounts["rennes"], by="operator", at=room.clock(), reason="Travaux")


def test_a_block_rests_the_account_for_hours_and_then_goes_on_by_itself(room: Room) -> None:
    delivery = room.approve_one(useless_after=wall(5, 18))
    room.channel().fail_next(Blocked("Spam."))

    room.run_at(DUE)
    room.run_at(DUE + timedelta(hours=6, seconds=-1))
    blocked = room.state(delivery)
    room.run_at(DUE + timedelta(hours=6))

    assert (blocked, room.state(delivery)) == (S.WAITING, S.SENT)
    assert len(room.audit("account.block")) == 1


def test_missing_keys_rest_the_account_and_are_no_failure_of_any_delivery(room: Room) -> None:
    delivery = room.approve_one()
    account_id = room.stage.accounts["rennes"]

    def without_key(account: Account) -> MemoryChannel:
        if room.clock() < DUE + timedelta(minutes=15):
            raise Invalid("The secret key is missing.")
        assert account.id == account_id
        return room.channel()

    object.__setattr__(room.hub, "channel_for", without_key)

    room.run_at(DUE)
    states = room.state(delivery), room.account().state, room.delivery(delivery).reason
    room.run_after(minutes=15)
    connecting.check_account(room.hub, account_id, by="operator")
    with writing(room.hub.engine) as session:
        connecting.resume(session, account_id, by="operator", at=room.clock())
    room.run_after(seconds=1)

    assert states == (S.WAITING, AccountState.RESTING, "The secret key is missing.")
    assert room.state(delivery) == S.SENT


def test_a_withdrawn_post_that_was_not_sent_is_cancelled_even_if_its_account_rests(room: Room) -> None:
    class Withdrawing(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.withdraw(delivery)
            raise Unauthorized("Token expired.")

    room.channels[room.stage.accounts["rennes"]] = Withdrawing(now=room.clock)
    delivery = room.approve_one()

    room.run_at(DUE)

    assert (room.state(delivery), room.delivery(delivery).reason) == (S.CANCELLED, "The post was withdrawn.")
    assert room.account().state == AccountState.RESTING
    (entry,) = room.audit("delivery.cancel")
    assert (entry.thing, entry.by_name, entry.after) == (
        f"delivery:{delivery}",
        "relais",
        {"reason": "The post was withdrawn."},
    )


def test_an_answer_with_the_id_of_another_delivery_is_read_back(room: Room) -> None:
    class Repeating(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            receipt = super().publish(prepared, deadline)
            return Receipt("post-1") if receipt.remote_id != "post-1" else receipt

    room.channels[room.stage.accounts["rennes"]] = Repeating(now=room.clock)
    first, second = room.approve_one("Un"), room.approve_one("Deux")

    room.run_at(DUE)

    assert [room.delivery(one).remote_id for one in (first, second)] == ["post-1", "post-2"]
    assert room.delivery(second).reason == "Found on the network when reading back."


def test_the_id_of_another_delivery_is_no_answer_and_the_attempt_keeps_it(room: Room) -> None:
    class Repeating(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            super().publish(prepared, deadline)
            return Receipt("post-1", trace_id="t")

    network = Repeating(now=room.clock)
    network.fail_next(Unreachable("No reading."), call="find")
    room.channels[room.stage.accounts["rennes"]] = network
    _, second = room.approve_one("Un"), room.approve_one("Deux")

    room.run_at(DUE)

    found = room.delivery(second)
    assert (found.state, found.remote_id) == (S.UNKNOWN, None)
    assert found.reason == "The network answered with the id of another delivery."
    (attempt,) = room.attempts(second)
    assert (attempt.outcome, attempt.detail, attempt.remote_id, attempt.trace_id) == ("ok", None, "post-1", "t")


# --- In the hub's own words -----------------------------------------------------------------------------------

TOLD: dict[str, Any] = {"code": "7", "status": 499, "trace_id": "t"}
LATER = DUE + timedelta(minutes=7)
RATE = {"kind": "rate", "until": DUE + QUARTER}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Receipt("1_2", "https://example.org", DUE, "t"), {"kind": "ok", "remote_id": "1_2", "url": "https://example.org"}),
        (Refused("why", **TOLD), {"kind": "content"}),
        (Unauthorized("why", **TOLD), {"kind": "auth"}),
        (Throttled("why", until=LATER, breadth=Breadth.APP, **TOLD), {**RATE, "until": LATER, "breadth": "app"}),
        (Throttled("why", breadth=Breadth.READS, **TOLD), {**RATE, "breadth": "reads", "stated": False}),
        (Throttled("why", until=DUE, **TOLD), {**RATE, "stated": False}),
        (Blocked("why", **TOLD), {"kind": "block", "until": DUE + timedelta(hours=6)}),
        (Unreachable("why", **TOLD), {"kind": "not-sent"}),
        (Uncertain("why", **TOLD), {"kind": "unknown"}),
        (Uncertain("why", duplicate=True, **TOLD), {"kind": "duplicate"}),
        (ChannelError("why", **TOLD), {"kind": "unknown"}),
    ],
)  # fmt: skip
def test_an_answer_is_told_whole(answer: Receipt | ChannelError, outcome: dict[str, Any]) -> None:
    said = {} if isinstance(answer, Receipt) else {"detail": "why", "code": "7", "http_status": 499}
    usual = {"detail": "", "remote_id": None, "url": None, "until": None, "stated": True, "breadth": "account"}
    record = {"code": None, "http_status": None, "trace_id": "t"}

    assert asdict(delivering.outcome_of(answer, Patience(), at=DUE)) == usual | record | said | outcome


def test_an_answer_without_an_id_says_so() -> None:
    outcome = delivering.outcome_of(Receipt(""), Patience(), at=DUE)

    assert (outcome.kind, outcome.detail) == ("unknown", "The network answered without an id.")


def test_a_networks_words_are_kept_whole_but_not_endless() -> None:
    assert delivering.readable("Été\x00 \ud83d!") == "Été ?!"
    assert delivering.readable("é" * 501) == "é" * 500


@pytest.mark.parametrize(
    ("error", "rests", "waits"),
    [
        (Unauthorized("", code="190"), True, False),
        (Unauthorized("", code="102/463"), True, False),
        (Unauthorized("", status=401), True, False),
        (Unauthorized("", code="10", status=403), False, False),
        (Unauthorized("", code="200/190", status=400), False, False),
        (Unauthorized(""), False, False),
        (Throttled(""), False, True),
        (Refused("", status=401, code="190"), False, False),
        (Unreachable(""), False, False),
    ],
)
def test_only_a_dead_token_or_the_rate_of_a_page_makes_a_failed_reading_matter_for_publishing(
    room: Room, error: ChannelError, rests: bool, waits: bool
) -> None:
    with writing(room.hub.engine) as session:
        account = connecting.get_account(session, room.stage.accounts["rennes"])
        delivering.note_failed_reading(session, account, error, at=DUE, patience=room.hub.patience)

    assert room.account().state == (AccountState.RESTING if rests else AccountState.ACTIVE)
    assert room.account().not_before == (DUE + QUARTER if waits else None)
