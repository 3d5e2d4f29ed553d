"""What is due goes out: when it is due, where it is meant for, once, one call at a time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from channels import Deadline, Message, Prepared, Receipt
from channels.memory import MemoryChannel
from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.delivery import Attempt, Delivery, DeliveryState, Phase
from hub.domain.gate import SANDBOX_SOURCE, GeoKey, KeyKind
from hub.domain.post import PostState
from hub.services import delivering, drafting
from schedules import dispatch
from tests.schedules.conftest import DUE, Room, wall
from tests.stage import NOON


def test_a_post_goes_out_when_it_is_due_and_not_before(room: Room) -> None:
    delivery = room.approve_one("Portes ouvertes")

    room.run_at(DUE - timedelta(seconds=1))
    before = room.shown()
    done = room.run_at(DUE)

    assert before == []
    assert (done, room.shown(), room.state(delivery)) == (1, ["Portes ouvertes"], DeliveryState.SENT)
    assert room.delivery(delivery).sent_at == DUE


def test_what_went_out_does_not_go_out_again(room: Room) -> None:
    delivery = room.approve_one()
    room.run_at(DUE)

    again = room.run_after(seconds=1), room.run_after(minutes=30)

    assert again == (0, 0)
    assert room.outcomes(delivery) == ["ok"]
    assert room.channel().calls.count("publish") == 1


def test_six_in_the_evening_is_six_in_the_evening_everywhere(room: Room) -> None:
    here, there = room.approve(accounts=("facebook:A-14", "facebook:A-32"), audience=("A-14", "A-32"))

    room.run_at(DUE)
    first = [room.state(here), room.state(there)]
    room.run_at(datetime(2026, 11, 3, 21, 59, 59, tzinfo=UTC))
    still = room.state(there)
    room.run_at(datetime(2026, 11, 3, 22, tzinfo=UTC))

    assert first == [DeliveryState.SENT, DeliveryState.WAITING]
    assert (still, room.state(there)) == (DeliveryState.WAITING, DeliveryState.SENT)
    assert [room.delivery(one).wall_time[-5:] for one in (here, there)] == ["18:00", "18:00"]


def test_every_account_of_a_post_shows_it(room: Room) -> None:
    made = room.approve(accounts=("facebook:FR", "x:FR", "portal:FR"), audience=("FR",))

    room.run_at(DUE)

    assert [room.state(one) for one in made] == [DeliveryState.SENT] * 3
    assert [room.shown(name) for name in ("national", "x", "portal")] == [["Portes ouvertes"]] * 3


def test_the_attempt_is_written_down_before_the_network_is_called(room: Room) -> None:
    seen: list[tuple[DeliveryState, int, datetime | None]] = []

    class Looking(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            with reading(room.hub.engine) as session:
                for delivery, attempt in session.exec(
                    select(Delivery, Attempt).join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
                ):
                    seen.append((delivery.state, attempt.n, attempt.ended_at))
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Looking(now=room.clock)
    room.approve_one()

    room.run_at(DUE)

    assert seen == [(DeliveryState.SENDING, 1, None)]


def test_what_was_prepared_is_kept_before_it_is_shown(room: Room) -> None:
    kept: list[tuple[str | None, Phase]] = []

    class Looking(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            with reading(room.hub.engine) as session:
                attempt = session.exec(select(Attempt)).one()
                kept.append((attempt.draft_id, attempt.phase))
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Looking(now=room.clock)
    delivery = room.approve_one(audience=("D-35",))

    room.run_at(DUE)

    assert kept == [("post-1", Phase.PUBLISHING)]
    assert room.delivery(delivery).remote_id == "post-1"


def test_one_account_is_called_once_at_a_time_and_others_meanwhile(room: Room) -> None:
    under_way: list[str] = []
    overlaps: list[tuple[str, ...]] = []
    together = threading.Barrier(2, timeout=10)

    class Counting(MemoryChannel):
        def __init__(self, name: str) -> None:
            super().__init__(now=room.clock)
            self.name = name
            self.met = False

        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            under_way.append(self.name)
            if not self.met:
                self.met = True
                together.wait()  # only a second account in another thread can let this go on
            overlaps.append(tuple(sorted(under_way)))
            try:
                return super().publish(prepared, deadline)
            finally:
                under_way.remove(self.name)

    for name in ("rennes", "national"):
        room.channels[room.stage.accounts[name]] = Counting(name)
    ours = [room.approve_one(f"Rennes {number}") for number in range(12)]
    theirs = room.approve("France", accounts=("facebook:FR",), audience=("FR",))

    room.run_at(DUE)

    assert {room.state(one) for one in [*ours, *theirs]} == {DeliveryState.SENT}
    assert [names for names in overlaps if len(set(names)) != len(names)] == []


def test_deliveries_of_one_account_go_out_in_the_order_in_which_they_are_due(room: Room) -> None:
    for number, minute in [(1, 30), (2, 10), (3, 20)]:
        room.approve_one(f"N{number}", when=wall(3, 18, minute))

    room.run_at(DUE + timedelta(hours=1))

    assert room.shown() == ["N2", "N3", "N1"]


def test_a_claim_takes_a_few_of_one_account_and_the_rest_follows(room: Room) -> None:
    made = [room.approve_one(f"N{number}") for number in range(delivering.PER_ACCOUNT * 2 + 3)]

    room.run_at(DUE)

    assert {room.state(one) for one in made} == {DeliveryState.SENT}
    assert len(room.shown()) == len(made)


def siblings(room: Room) -> list[int]:
    """Two gated deliveries of one post on the national page."""
    with writing(room.hub.engine) as session:
        session.add(
            GeoKey(
                network=AccountNetwork.FACEBOOK, territory_code="A-19", kind=KeyKind.REGION, key="4003",
                covers=["A-19"], source=SANDBOX_SOURCE, imported_at=NOON, reviewed_at=NOON, reviewed_by="operator",
            )
        )  # fmt: skip
    return room.approve(accounts=("facebook:FR",), audience=("A-14", "A-19"))


def test_siblings_of_the_national_page_keep_their_distance(room: Room) -> None:
    made = siblings(room)

    room.run_at(DUE)
    first = [room.state(one) for one in made]
    room.run_after(seconds=60)

    assert sorted(first) == [DeliveryState.SENT, DeliveryState.WAITING]
    assert [room.state(one) for one in made] == [DeliveryState.SENT] * 2
    assert len(set(room.shown("national"))) == 2


def test_siblings_that_a_pause_let_become_due_together_still_keep_their_distance(room: Room) -> None:
    made = siblings(room)

    room.run_at(DUE + timedelta(minutes=30))
    first = sorted(room.state(one) for one in made)
    room.run_after(seconds=59)
    before = sorted(room.state(one) for one in made)
    room.run_after(seconds=1)

    assert first == before == [DeliveryState.SENT, DeliveryState.WAITING]
    assert [room.state(one) for one in made] == [DeliveryState.SENT] * 2


def test_a_post_that_nobody_approved_expires_and_is_never_late(room: Room) -> None:
    hub, at = room.hub, room.clock()
    with writing(hub.engine) as session:
        typed = drafting.Draft(text="Oubliée", when=wall(3, 18), accounts=["facebook:A-14"], audience=["A-14"])
        post = drafting.draft(session, typed, by=room.stage.people["animator"], at=at, terms=hub.terms, rules=hub.rules)
        assert post.id is not None
        drafting.submit(session, post.id, by=room.stage.people["animator"], at=at, terms=hub.terms, rules=hub.rules)

    done = room.run_at(DUE)

    with reading(hub.engine) as session:
        found = drafting.get_post(session, post.id, by=room.stage.people["animator"])
    assert (done, found.state, room.shown()) == (1, PostState.EXPIRED, [])


def test_a_delivery_due_more_than_six_hours_ago_goes_to_a_person(room: Room) -> None:
    delivery = room.approve_one(useless_after=wall(20, 18))

    room.run_at(DUE + timedelta(hours=6, seconds=1))

    assert (room.state(delivery), room.shown()) == (DeliveryState.REVIEW, [])
    assert room.delivery(delivery).reason == "It was due too long ago."
    assert len(room.audit("delivery.late")) == 1


def test_a_delivery_due_six_hours_ago_still_goes_out(room: Room) -> None:
    delivery = room.approve_one()

    room.run_at(DUE + timedelta(hours=6))

    assert room.state(delivery) == DeliveryState.SENT


def test_a_delivery_past_its_use_goes_to_a_person_however_little_late_it_is(room: Room) -> None:
    delivery = room.approve_one(useless_after=wall(3, 18, 5))

    room.run_at(DUE + timedelta(minutes=6))

    assert (room.state(delivery), room.shown()) == (DeliveryState.REVIEW, [])
    assert room.delivery(delivery).reason == "It is past the moment after which it is useless."


@pytest.mark.parametrize("account", ["rennes", "portal"])
def test_a_hold_stops_everything_until_it_ends(room: Room, account: str) -> None:
    delivery = room.approve_one(accounts=("facebook:A-14",) if account == "rennes" else ("portal:FR",))
    room.hold()

    stopped = room.run_at(DUE)
    state = room.state(delivery)
    room.release()
    room.run_after(minutes=1)

    assert (stopped, state) == (0, DeliveryState.WAITING)
    assert room.state(delivery) == DeliveryState.SENT


def test_a_hold_between_claim_and_attempt_is_seen(room: Room) -> None:
    delivery = room.approve_one()
    claims = claim(room)
    room.hold()

    work = open_attempt(room, claims[0])

    assert (work, room.state(delivery), room.attempts(delivery)) == (None, DeliveryState.WAITING, [])


def test_a_post_withdrawn_between_claim_and_attempt_is_cancelled(room: Room) -> None:
    delivery = room.approve_one()
    claims = claim(room)
    room.withdraw(delivery)

    work = open_attempt(room, claims[0])

    assert (work, room.state(delivery)) == (None, DeliveryState.CANCELLED)
    assert room.attempts(delivery) == []


def test_a_withdrawn_post_that_nobody_claimed_never_goes_out(room: Room) -> None:
    delivery = room.approve_one()
    room.withdraw(delivery)

    done = room.run_at(DUE)

    assert (done, room.state(delivery), room.shown()) == (0, DeliveryState.CANCELLED, [])


@pytest.mark.parametrize("change", ["text", "link"])
def test_what_changed_since_its_approval_is_caught_when_it_is_claimed(room: Room, change: str) -> None:
    delivery = room.approve_one()
    with writing(room.hub.engine) as session:
        tampered = session.get(Delivery, delivery)
        assert tampered is not None
        setattr(tampered, change, "https://example.org/autre")

    room.run_at(DUE)

    assert (room.state(delivery), room.shown()) == (DeliveryState.CANCELLED, [])
    assert room.delivery(delivery).reason == "The post is no longer what was approved."


def test_a_post_whose_content_changed_behind_its_approval_does_not_go_out(room: Room) -> None:
    delivery = room.approve_one()
    with writing(room.hub.engine) as session:
        post = session.get(type(room.post_of(delivery)), room.post_of(delivery).id)
        assert post is not None
        post.text = "Autre chose"

    room.run_at(DUE)

    assert (room.state(delivery), room.shown()) == (DeliveryState.CANCELLED, [])


def test_a_post_withdrawn_while_it_is_going_out_is_told_as_sent(room: Room) -> None:
    class Withdrawing(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.withdraw(delivery)
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Withdrawing(now=room.clock)
    delivery = room.approve_one()

    room.run_at(DUE)

    assert (room.state(delivery), room.delivery(delivery).withdrawn) == (DeliveryState.SENT, True)


def claim(room: Room) -> list[delivering.Claim]:
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        return delivering.claim(session, at=DUE, owner="somebody", patience=room.hub.patience)


def open_attempt(room: Room, one: delivering.Claim) -> delivering.Work | None:
    with writing(room.hub.engine) as session:
        return delivering.open_attempt(session, one, at=room.clock(), patience=room.hub.patience)


def test_a_deadline_that_passed_while_preparing_sends_nothing(room: Room) -> None:
    delivery = room.approve_one()
    work = open_attempt(room, claim(room)[0])
    assert work is not None

    heard = dispatch.say(room.hub, work, Deadline.after(-1))

    assert str(heard.answer) == "The deadline passed while preparing; nothing was sent."
    assert (room.shown(), room.state(delivery)) == ([], DeliveryState.SENDING)


def test_a_channel_is_closed_after_every_call(room: Room) -> None:
    room.approve_one()

    room.run_at(DUE)

    assert room.channel().closed


def test_the_message_says_what_was_approved(room: Room) -> None:
    heard: list[Message] = []

    class Listening(MemoryChannel):
        def prepare(self, message: Message) -> Prepared:
            heard.append(message)
            return super().prepare(message)

    room.channels[room.stage.accounts["rennes"]] = Listening(now=room.clock)
    delivery = room.approve_one("Venez à {territoire}", audience=("D-35",))

    room.run_at(DUE)

    (message,) = heard
    assert (message.text, message.key) == ("Venez à Ille-et-Vilaine", room.delivery(delivery).key)
    assert message.targeting is not None
    assert message.targeting.regions == ("4002",)


def test_a_process_that_stood_still_while_opening_the_attempt_says_nothing(room: Room) -> None:
    delivery = room.approve_one()
    room.engine.worker.boot_clock = lambda: 1_000.0 if room.attempts(delivery) else 0.0

    room.run_at(DUE)

    assert room.shown() == []
    assert (room.state(delivery), room.outcomes(delivery)) == (DeliveryState.WAITING, ["not-sent"])
