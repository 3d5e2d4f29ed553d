"""What is not known is read back, and nothing is said twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from channels import ChannelError, Deadline, Message, Prepared, Receipt, Throttled, Unauthorized, Uncertain, Unreachable
from channels.memory import MemoryChannel
from hub.database import writing
from hub.domain.delivery import Action, Delivery, DeliveryState
from hub.services import delivering, reconciling, resolving
from tests.schedules.conftest import DUE, Room, wall

S = DeliveryState


def lost() -> Uncertain:
    """An answer that never came."""
    return Uncertain("No answer came.")


class Watching(MemoryChannel):
    """Notes when it is read back."""

    def __init__(self, room: Room) -> None:
        super().__init__(now=room.clock)
        self.reads: list[float] = []
        self.hidden = False
        """Whether lists do not show what was posted (yet)."""
        self._room = room

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """What the others find, unless it is hidden."""
        self.reads.append((self._room.clock() - DUE).total_seconds())
        found = super().find(message, since)
        return [] if self.hidden else found


@pytest.fixture
def network(room: Room) -> Watching:
    """The page of Rennes, watched."""
    watching = Watching(room)
    room.channels[room.stage.accounts["rennes"]] = watching
    return watching


def test_a_lost_answer_is_read_back_at_once_and_found(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost(), after_showing=True)

    room.run_at(DUE)

    found = room.delivery(delivery)
    assert (found.state, found.remote_id, found.reason) == (
        S.SENT,
        "post-1",
        "Found on the network when reading back.",
    )
    assert (network.reads, len(network.shown), room.outcomes(delivery)) == ([0], 1, ["unknown"])
    assert found.next_sample_at == DUE + timedelta(hours=1)


def test_it_is_looked_for_four_times_before_it_may_be_said_again(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())

    room.clock.at = DUE
    room.live_until(DUE + timedelta(minutes=5, seconds=-1))
    before = room.state(delivery)
    room.live_until(DUE + timedelta(minutes=6))

    assert before == S.UNKNOWN
    assert network.reads == [0, 15, 60, 300]
    assert (room.outcomes(delivery), room.state(delivery)) == (["unknown", "ok"], S.SENT)
    assert len(network.shown) == 1


def test_a_post_that_shows_up_late_is_found_and_not_repeated(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost(), after_showing=True)
    network.hidden = True

    room.run_at(DUE)
    room.run_after(seconds=15)
    network.hidden = False
    room.run_at(DUE + timedelta(seconds=60))

    assert (room.state(delivery), network.calls.count("publish"), network.reads) == (S.SENT, 1, [0, 15, 60])


def test_only_a_read_that_began_late_enough_may_say_that_nothing_was_sent(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(minutes=4, seconds=59)
    question = ask(room, delivery)

    early = look(room, question, [], began_at=room.clock(), at=DUE + timedelta(minutes=9))
    late = look(room, question, [], began_at=DUE + timedelta(minutes=5), at=DUE + timedelta(minutes=9))

    assert (early, late) == (S.UNKNOWN, S.WAITING)


def ask(room: Room, delivery_id: int) -> reconciling.Question:
    """The question about a delivery, whenever its next look may be."""
    with writing(room.hub.engine) as session:
        delivery = resolving.get_delivery(session, delivery_id, by=room.stage.people["coordinator"])
        delivery.look_at = room.clock()
    with writing(room.hub.engine) as session:
        (question,) = reconciling.questions(session, at=room.clock(), patience=room.hub.patience)
    return question


def look(
    room: Room,
    question: reconciling.Question,
    answer: Sequence[Receipt] | ChannelError,
    *,
    began_at: datetime,
    at: datetime | None = None,
) -> DeliveryState | None:
    """Record what a look found."""
    with writing(room.hub.engine) as session:
        return reconciling.record_look(
            session, question, answer, began_at=began_at, at=at or began_at, patience=room.hub.patience
        )


def test_a_look_asks_for_all_that_any_try_may_have_left_since_the_first_began(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    network.fail_next(Uncertain("Said before.", duplicate=True))
    room.clock.at = DUE
    room.live_until(DUE + timedelta(minutes=5))
    again = room.clock()

    question = ask(room, delivery)

    first, second = room.attempts(delivery)
    assert (first.outcome, second.outcome) == ("unknown", "duplicate")
    assert question == reconciling.Question(
        delivery_id=delivery,
        attempt_id=second.id or 0,
        epoch=room.delivery(delivery).epoch,
        account=question.account,
        message=question.message,
        since=DUE - timedelta(minutes=2),
        deadline_at=again + timedelta(seconds=45),
        refused_as_repeat=True,
        unknowns=2,
    )
    assert (question.account.id, question.message.text) == (room.stage.accounts["rennes"], "Portes ouvertes")


def test_those_that_wait_longest_are_looked_for_first_and_a_few_at_a_time(room: Room, network: Watching) -> None:
    made = [room.approve_one(f"N{number}") for number in range(3)]
    for _ in made:
        network.fail_next(lost())
        network.fail_next(Unreachable("No connection."), call="find")
    room.run_at(DUE)
    room.clock.forward(minutes=1)
    with writing(room.hub.engine) as session:
        for delivery, minute in zip(made, (2, 1, 3), strict=True):
            found = session.get(Delivery, delivery)
            assert found is not None
            found.look_at = DUE + timedelta(seconds=minute)
    asked = []

    for _ in range(3):
        with writing(room.hub.engine) as session:
            few = reconciling.questions(session, at=room.clock(), patience=room.hub.patience, limit=2)
            asked.append([question.message.text for question in few])

    assert asked == [["N1", "N0"], ["N2"], []]


def test_looks_are_counted_and_one_that_works_forgives_those_that_failed(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    for _ in range(2):
        network.fail_next(Unreachable("No connection."), call="find")
    counted = []

    for seconds in (0, 5, 15):
        room.run_at(DUE + timedelta(seconds=seconds))
        found = room.delivery(delivery)
        counted.append((found.looks, found.failed_looks, found.look_at))

    assert counted == [
        (0, 1, DUE + timedelta(seconds=5)),
        (0, 2, DUE + timedelta(seconds=15)),
        (1, 0, DUE + timedelta(seconds=60)),
    ]


def test_what_is_found_counts_from_the_moment_at_which_the_network_showed_it(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(minutes=3)
    shown = Receipt("post-8", "https://example.org/8", DUE + timedelta(seconds=2))

    look(room, ask(room, delivery), [shown], began_at=room.clock())

    found = room.delivery(delivery)
    assert (found.state, found.remote_id, found.url) == (S.SENT, "post-8", "https://example.org/8")
    assert (found.sent_at, found.next_sample_at) == (shown.posted_at, DUE + timedelta(hours=1, seconds=2))


def test_a_post_of_unknown_moment_counts_from_the_look_that_found_it(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(minutes=3)

    look(room, ask(room, delivery), [Receipt("post-8")], began_at=room.clock())

    assert room.delivery(delivery).sent_at == DUE + timedelta(minutes=3)


@pytest.mark.parametrize(("tries", "state"), [(4, S.WAITING), (5, S.REVIEW)])
def test_after_five_tries_that_nobody_knows_of_a_person_looks(
    room: Room, network: Watching, tries: int, state: DeliveryState
) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(minutes=6)
    question = replace(ask(room, delivery), unknowns=tries)

    told = look(room, question, [], began_at=room.clock())

    reason = {
        S.WAITING: "Not found on the network; it will be sent again.",
        S.REVIEW: "After 5 tries nobody knows whether it is out. Look at the page, then decide.",
    }
    assert (told, room.delivery(delivery).reason) == (state, reason[state])


def test_a_repeat_that_is_not_found_is_told_to_a_person_in_words(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(Uncertain("Said before.", duplicate=True))
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(minutes=6)

    look(room, ask(room, delivery), [], began_at=room.clock())

    assert (room.state(delivery), room.delivery(delivery).reason) == (
        S.REVIEW,
        "The network refuses it as a repeat, and it was not found there. Look at the page, then decide.",
    )


def test_every_verdict_of_reading_back_is_noted_and_a_look_without_one_is_not(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    room.run_at(DUE)
    before = room.audit("delivery.read-back")
    room.clock.at = DUE + timedelta(minutes=6)

    look(room, ask(room, delivery), [Receipt("post-8")], began_at=room.clock())

    (entry,) = room.audit("delivery.read-back")
    assert (before, entry.thing, entry.by_name, entry.at) == ([], f"delivery:{delivery}", "relais", room.clock())
    assert entry.after == {
        "state": "sent",
        "remote_id": "post-8",
        "reason": "Found on the network when reading back.",
    }


def test_several_matches_are_for_a_person_to_tell_apart(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE
    twin = network.publish(network.prepare(Message("Portes ouvertes", key="else")), Deadline.after(5))
    network.fail_next(lost(), after_showing=True)

    room.run_at(DUE)

    assert twin.remote_id in network.shown
    assert room.state(delivery) == S.REVIEW
    assert room.delivery(delivery).reason == "2 posts on the network say this. Tell which one it is."


def test_a_post_that_belongs_to_another_delivery_is_no_match(room: Room, network: Watching) -> None:
    first = room.approve_one("Un")
    room.run_at(DUE)
    question_of = room.approve_one("Deux", when=wall(3, 18, 1))
    network.fail_next(lost())
    room.run_at(DUE + timedelta(minutes=1))
    room.clock.at = DUE + timedelta(minutes=7)

    state = look(room, ask(room, question_of), [Receipt("post-1")], began_at=room.clock())

    assert (room.delivery(first).remote_id, state) == ("post-1", S.WAITING)


def test_reads_that_fail_are_repeated_and_then_left_to_a_person(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    for _ in range(100):
        network.fail_next(Unreachable("No connection."), call="find")

    room.clock.at = DUE
    room.live_until(DUE + timedelta(hours=2))

    assert network.reads[:6] == [0, 5, 15, 35, 95, 155]
    assert {later - earlier for earlier, later in zip(network.reads[3:], network.reads[4:], strict=False)} == {60}
    assert network.reads[-1] == 3635
    assert (room.state(delivery), len(network.shown)) == (S.REVIEW, 0)
    assert room.delivery(delivery).reason == (
        "The network could not be read back: No connection. Look at the page yourself, then decide."
    )


def test_a_channel_that_breaks_while_reading_counts_as_a_read_that_failed(room: Room) -> None:
    class Broken(MemoryChannel):
        def find(self, message: Message, since: datetime) -> list[Receipt]:
            raise ZeroDivisionError

    broken = Broken(now=room.clock)
    broken.fail_next(lost())
    room.channels[room.stage.accounts["rennes"]] = broken
    delivery = room.approve_one()

    room.clock.at = DUE
    room.live_until(DUE + timedelta(hours=2))

    assert room.state(delivery) == S.REVIEW


def test_a_read_limit_lets_the_account_wait_and_looks_again_afterwards(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost(), after_showing=True)
    network.fail_next(Throttled("Slow down.", until=DUE + timedelta(minutes=20)), call="find")

    room.clock.at = DUE
    room.live_until(DUE + timedelta(minutes=30))

    assert (network.reads, room.state(delivery)) == ([0, 1200], S.SENT)


def test_a_read_limit_that_lasts_too_long_leaves_it_to_a_person(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost(), after_showing=True)
    network.fail_next(Throttled("Slow down.", until=DUE + timedelta(hours=24)), call="find")

    room.clock.at = DUE
    room.live_until(DUE + timedelta(hours=2))

    assert (network.reads, room.state(delivery)) == ([0], S.REVIEW)
    assert room.delivery(delivery).reason == (
        "The network could not be read back: it asks us to wait until 2026-11-04 17:00 UTC. "
        "Look at the page yourself, then decide."
    )
    (entry,) = room.audit("delivery.read-back")
    assert (entry.thing, entry.at) == (f"delivery:{delivery}", DUE + timedelta(hours=1))


def test_use_that_is_nearly_up_after_a_look_lets_the_account_wait(room: Room, network: Watching) -> None:
    room.approve_one()
    network.fail_next(lost())
    network.wait_until = DUE + timedelta(minutes=9)

    room.run_at(DUE)

    assert room.account().not_before == DUE + timedelta(minutes=9)


def test_a_refused_token_while_reading_is_tried_for_an_hour_only(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    for _ in range(100):
        network.fail_next(Unauthorized("Token expired."), call="find")

    room.clock.at = DUE
    room.live_until(DUE + timedelta(hours=2))

    assert room.state(delivery) == S.REVIEW


def test_while_the_outcome_is_unknown_its_twin_waits(room: Room, network: Watching) -> None:
    first = room.approve_one()
    network.fail_next(lost())
    network.hidden = True
    room.run_at(DUE)
    twin = room.approve_one(when=wall(3, 18, 1))
    other = room.approve_one("Autre chose", when=wall(3, 18, 1))

    room.run_at(DUE + timedelta(minutes=2))
    states = [room.state(one) for one in (first, twin, other)]
    room.live_until(DUE + timedelta(minutes=10))

    assert states == [S.UNKNOWN, S.WAITING, S.SENT]
    assert [room.state(one) for one in (first, twin)] == [S.SENT, S.SENT]


def test_a_prepared_post_is_read_by_its_id_and_gone_on_with(room: Room, network: Watching) -> None:
    delivery = room.approve_one(audience=("D-35",))
    network.fail_next(lost())

    room.clock.at = DUE
    room.live_until(DUE + timedelta(minutes=6))

    assert [attempt.draft_id for attempt in room.attempts(delivery)] == ["post-1", "post-1"]
    assert (list(network.shown), network.drafts, room.delivery(delivery).remote_id) == (["post-1"], {}, "post-1")


def test_a_network_that_calls_it_a_repeat_is_read_back_too(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(Uncertain("Said before.", duplicate=True), after_showing=True)

    room.run_at(DUE)

    assert (room.outcomes(delivery), room.state(delivery), len(network.shown)) == (["duplicate"], S.SENT, 1)


def test_reading_back_goes_on_during_a_hold(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost(), after_showing=True)
    network.hidden = True
    room.run_at(DUE)
    room.hold()
    network.hidden = False

    room.run_after(seconds=15)

    assert room.state(delivery) == S.SENT


def test_a_withdrawn_post_that_was_not_sent_after_all_is_cancelled(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    room.run_at(DUE)
    room.withdraw(delivery)

    room.live_until(DUE + timedelta(minutes=10))

    assert (room.state(delivery), network.shown) == (S.CANCELLED, {})


def test_the_look_is_planned_anew_before_it_begins(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    network.hidden = True
    room.run_at(DUE)
    room.clock.forward(seconds=15)

    ask(room, delivery)

    assert room.delivery(delivery).look_at == DUE + timedelta(seconds=15) + room.hub.patience.lease


def test_a_look_that_comes_back_after_a_person_decided_changes_nothing(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    network.fail_next(lost())
    for _ in range(100):
        network.fail_next(Unreachable("No connection."), call="find")
    room.clock.at = DUE
    room.run_at(DUE)
    question = ask(room, delivery)
    room.live_until(DUE + timedelta(hours=2))
    decide(room, delivery, Action.GIVE_UP)

    state = look(room, question, [Receipt("post-9")], began_at=room.clock())

    assert (state, room.state(delivery)) == (None, S.CANCELLED)


def decide(room: Room, delivery: int, action: Action, **more: Any) -> None:
    """A person answers the open question."""
    with writing(room.hub.engine) as session:
        resolving.resolve(
            session,
            delivery,
            action,
            by=room.stage.people["coordinator"],
            at=room.clock(),
            patience=room.hub.patience,
            **more,
        )


def in_review(room: Room, network: Watching) -> int:
    """A delivery that could not be read back for an hour."""
    delivery = room.approve_one(useless_after=wall(9, 18))
    network.fail_next(lost())
    for _ in range(64):
        network.fail_next(Unreachable("No connection."), call="find")
    room.clock.at = DUE
    room.live_until(DUE + timedelta(hours=2))
    assert room.state(delivery) == S.REVIEW
    return delivery


def test_a_person_who_found_it_has_it_sent(room: Room, network: Watching) -> None:
    delivery = in_review(room, network)
    began = room.attempts(delivery)[0].started_at
    room.clock.forward(days=3)

    decide(room, delivery, Action.FOUND, remote_id="4711")

    assert (room.state(delivery), room.delivery(delivery).remote_id) == (S.SENT, "1002_4711")
    assert room.delivery(delivery).sent_at == began  # it did not go out when somebody found it
    assert [(one.kind.value, one.outcome) for one in room.attempts(delivery)] == [
        ("publish", "unknown"),
        ("person", "ok"),
    ]


def test_a_person_who_has_it_sent_again_sends_it_once_however_late(room: Room, network: Watching) -> None:
    delivery = in_review(room, network)
    room.clock.forward(hours=12)

    decide(room, delivery, Action.SEND)
    room.run_after(seconds=1)

    assert (room.state(delivery), len(network.shown)) == (S.SENT, 1)


# --- Late answers ----------------------------------------------------------------------------------------


def frozen(room: Room) -> tuple[int, delivering.Work]:
    """A worker that opened its attempt, said its words, and froze."""
    delivery = room.approve_one()
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=DUE, owner="frozen", patience=room.hub.patience)
    with writing(room.hub.engine) as session:
        work = delivering.open_attempt(session, claim, at=DUE, patience=room.hub.patience)
    assert work is not None
    return delivery, work


def answers(room: Room, work: delivering.Work, answer: Receipt | ChannelError) -> DeliveryState | None:
    """The frozen worker wakes up and records its answer."""
    patience = room.hub.patience
    outcome = delivering.outcome_of(answer, patience, at=room.clock())
    with writing(room.hub.engine) as session:
        return delivering.record(session, work, outcome, at=room.clock(), patience=patience, jitter=0.5)


def test_an_answer_while_it_is_being_read_back_settles_it(room: Room, network: Watching) -> None:
    delivery, work = frozen(room)
    room.run_after(seconds=121)
    unknown = room.state(delivery)

    state = answers(room, work, Receipt("post-7"))

    assert (unknown, state, room.delivery(delivery).remote_id) == (S.UNKNOWN, S.SENT, "post-7")
    assert room.attempts(delivery)[0].detail == ("Its worker stopped before the answer was recorded. Late answer: ok.")


def test_a_failure_told_while_it_is_being_read_back_proves_nothing(room: Room, network: Watching) -> None:
    delivery, work = frozen(room)
    room.run_after(seconds=121)

    state = answers(room, work, Unreachable("No connection."))

    assert (state, room.state(delivery)) == (None, S.UNKNOWN)


def test_an_answer_after_it_was_sent_again_raises_the_alarm(room: Room, network: Watching) -> None:
    delivery, work = frozen(room)
    room.live_until(DUE + timedelta(minutes=10))
    again = room.delivery(delivery)

    state = answers(room, work, Receipt("post-7"))

    assert (again.state, again.remote_id, state) == (S.SENT, "post-1", None)
    assert room.delivery(delivery).remote_id == "post-1"
    assert [entry.after for entry in room.audit("delivery.duplicate")] == [{"linked": "post-1", "also": "post-7"}]


def test_an_answer_before_it_is_sent_again_spares_the_second_call(room: Room, network: Watching) -> None:
    delivery, work = frozen(room)
    room.hold()
    room.live_until(DUE + timedelta(minutes=10))
    waiting = room.state(delivery)

    answers(room, work, Receipt("post-7"))
    room.release()
    room.run_after(minutes=1)

    assert (waiting, room.state(delivery), room.delivery(delivery).remote_id) == (S.WAITING, S.SENT, "post-7")
    assert network.calls.count("publish") == 0
    assert room.delivery(delivery).reason == "Found on the network when reading back."
    (entry,) = room.audit("delivery.late-answer")
    assert (entry.thing, entry.by_name) == (f"delivery:{delivery}", "relais")
    assert entry.after == {"state": "sent", "remote_id": "post-7"}


def test_an_answer_takes_the_delivery_out_of_the_hands_of_whoever_claimed_it_again(
    room: Room, network: Watching
) -> None:
    delivery, work = frozen(room)
    room.hold()
    room.live_until(DUE + timedelta(minutes=10))
    room.release()
    with writing(room.hub.engine) as session:
        (again,) = delivering.claim(session, at=room.clock(), owner="own", patience=room.hub.patience)

    answers(room, work, Receipt("post-7"))
    with writing(room.hub.engine) as session:
        opened = delivering.open_attempt(session, again, at=room.clock(), patience=room.hub.patience)

    assert (opened, room.state(delivery), room.delivery(delivery).epoch) == (None, S.SENT, again.epoch + 1)


@pytest.mark.parametrize("state", [S.CANCELLED, S.FAILED])
def test_what_was_given_up_and_proves_to_be_live_goes_to_a_person(
    room: Room, network: Watching, state: DeliveryState
) -> None:
    delivery, work = frozen(room)
    room.approve_one("Autre chose", when=wall(9, 18))
    given_up(room, delivery, state)

    told = answers(room, work, Receipt("post-7"))

    found = room.delivery(delivery)
    assert (told, found.state, found.epoch, found.remote_id) == (None, S.REVIEW, work.epoch + 2, None)
    assert found.reason == (
        "It is on the network after all (post-7). Tell that it was found there, then take it down if need be."
    )
    (entry,) = room.audit("delivery.duplicate")
    assert (entry.thing, entry.by_name, entry.after) == (
        f"delivery:{delivery}",
        "relais",
        {"linked": None, "also": "post-7"},
    )


def given_up(room: Room, delivery: int, state: DeliveryState) -> None:
    """Nobody waits for it any more, nor for the answer of the try."""
    with writing(room.hub.engine) as session:
        found = session.get(Delivery, delivery)
        assert found is not None
        found.state, found.epoch = state, found.epoch + 1


@pytest.mark.parametrize(
    ("account", "other", "state"),
    [
        ("rennes", {"state": S.WAITING}, S.CANCELLED),
        ("rennes", {"state": S.CANCELLED}, S.REVIEW),
        ("rennes", {"state": S.WAITING, "gate_key": "D-22"}, S.REVIEW),
        ("national", {"state": S.WAITING}, S.REVIEW),
    ],
)
def test_a_delivery_that_took_its_place_keeps_it_and_the_alarm_is_raised_all_the_same(
    room: Room, network: Watching, account: str, other: dict[str, Any], state: DeliveryState
) -> None:
    delivery, work = frozen(room)
    given_up(room, delivery, S.CANCELLED)
    columns = {"account_id": room.stage.accounts[account], **other}
    with writing(room.hub.engine) as session:
        own = session.get(Delivery, delivery)
        assert own is not None
        session.add(Delivery(**(own.model_dump(exclude={"id"}) | columns)))

    answers(room, work, Receipt("post-7"))

    assert (room.state(delivery), len(room.audit("delivery.duplicate"))) == (state, 1)


def test_an_answer_with_the_id_that_is_linked_already_is_no_alarm(room: Room, network: Watching) -> None:
    delivery, work = frozen(room)
    room.live_until(DUE + timedelta(minutes=10))

    answers(room, work, Receipt("post-1"))

    assert (room.state(delivery), room.audit("delivery.duplicate")) == (S.SENT, [])


@pytest.mark.parametrize(
    ("late", "alarms"),
    [("post-7", [{"linked": "post-1", "also": "post-7"}]), ("post-1", [])],
    ids=["another", "the same"],
)
def test_an_answer_while_it_is_being_sent_again_raises_the_alarm_in_the_end_if_it_tells_of_another_post(
    room: Room, network: Watching, late: str, alarms: list[dict[str, str]]
) -> None:
    delivery, work = frozen(room)

    class Waking(Watching):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            answers(room, work, Receipt(late))
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Waking(room)
    room.live_until(DUE + timedelta(minutes=10))

    assert (room.state(delivery), room.delivery(delivery).remote_id) == (S.SENT, "post-1")
    assert [entry.after for entry in room.audit("delivery.duplicate")] == alarms


def test_a_late_failure_of_an_earlier_try_changes_nothing(room: Room, network: Watching) -> None:
    delivery, work = frozen(room)
    room.live_until(DUE + timedelta(minutes=10))

    state = answers(room, work, Unauthorized("Token expired."))

    assert (state, room.state(delivery)) == (None, S.SENT)
    assert room.audit("delivery.duplicate") == []


def test_a_claim_that_was_taken_over_opens_no_attempt(room: Room, network: Watching) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=DUE, owner="frozen", patience=room.hub.patience)

    with writing(room.hub.engine) as session:
        old = delivering.open_attempt(
            session, replace(claim, epoch=claim.epoch - 1), at=DUE, patience=room.hub.patience
        )

    assert (old, room.attempts(delivery), room.state(delivery)) == (None, [], S.CLAIMED)
