"""After publishing: figures on their plan, posts taken down, drafts that nobody needs deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from channels import (
    ChannelError,
    Deadline,
    Figures,
    Message,
    Prepared,
    Receipt,
    Refused,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from channels.memory import MemoryChannel
from hub.database import reading, writing
from hub.domain.account import Account, AccountState
from hub.domain.delivery import Action, AttemptKind, Delivery, DeliveryState
from hub.domain.reach import Sample
from hub.services import reconciling, resolving
from tests.schedules.conftest import DUE, Room, wall

S = DeliveryState
HOUR = timedelta(hours=1)


def slots(room: Room) -> list[tuple[int, int | None, str | None]]:
    """Hours, value and reason of every sample."""
    with reading(room.hub.engine) as session:
        found = session.exec(select(Sample).order_by(col(Sample.slot)))
        return [(sample.slot, sample.value, sample.missing) for sample in found]


# --- Figures ------------------------------------------------------------------------------------------------


def test_figures_are_read_on_the_plan_and_never_again(room: Room) -> None:
    delivery = room.approve_one()
    room.run_at(DUE)
    room.channel().people["post-1"] = 40

    room.live_until(DUE + timedelta(days=40))

    assert slots(room) == [(hours, 40, None) for hours in (1, 6, 24, 72, 168, 672)]
    assert room.channel().calls.count("figures") == 6
    assert room.delivery(delivery).next_sample_at is None


def test_a_figure_that_is_missing_is_kept_as_missing_and_not_as_nothing(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)

    room.run_after(hours=1)

    assert slots(room) == [(1, None, "not available")]


def test_moments_missed_while_down_are_skipped_and_not_bunched(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)
    room.channel().people["post-1"] = 9

    room.run_after(days=2)
    room.run_after(days=1)

    assert slots(room) == [(24, 9, None), (72, 9, None)]


def test_a_reading_that_fails_is_tried_again_and_changes_nothing_else(room: Room) -> None:
    delivery = room.approve_one()
    room.run_at(DUE)
    room.channel().people["post-1"] = 9
    room.channel().fail_next(Unreachable("No connection."), call="figures")

    room.run_after(hours=1)
    first = slots(room), room.state(delivery)
    room.run_after(minutes=15)

    assert first == ([], S.SENT)
    assert slots(room) == [(1, 9, None)]


def test_a_reading_limit_that_has_ended_by_our_clock_is_not_asked_again_at_once(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)
    for _ in range(5):
        room.channel().fail_next(Throttled("Slow down.", until=DUE), call="figures")

    done = room.run_after(hours=1)

    assert (done, room.account().not_before) == (1, DUE + HOUR + timedelta(minutes=15))


def test_use_that_is_nearly_up_after_a_reading_lets_the_account_wait(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)
    room.channel().wait_until = DUE + HOUR + timedelta(minutes=19)

    room.run_after(hours=1)

    assert room.account().not_before == DUE + HOUR + timedelta(minutes=19)


def test_a_refused_token_while_reading_rests_the_account_once(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)
    for _ in range(5):
        room.channel().fail_next(Unauthorized("Token expired.", code="190/463"), call="figures")

    done = room.run_after(hours=1), room.run_after(hours=1), room.run_after(days=1)

    assert (done, room.account().state) == ((1, 0, 0), AccountState.RESTING)
    assert len(room.audit("account.rest")) == 1


def test_a_channel_that_breaks_while_reading_figures_is_asked_again_later(room: Room) -> None:
    class Broken(MemoryChannel):
        def figures(self, receipts: object, asked: object) -> Figures:
            self.calls.append("figures")
            raise ZeroDivisionError

    broken = Broken(now=room.clock)
    room.channels[room.stage.accounts["rennes"]] = broken
    room.approve_one()
    room.run_at(DUE)

    room.run_after(hours=1)
    room.run_after(minutes=15)

    assert broken.calls.count("figures") == 2


def test_no_figures_are_read_during_a_hold(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)
    room.hold()

    done = room.run_after(hours=1)

    assert (done, slots(room)) == (0, [])


# --- Taking down ----------------------------------------------------------------------------------------------


def published(room: Room) -> int:
    """A post that is out, and that shall be taken down."""
    delivery = room.approve_one()
    room.run_at(DUE)
    with writing(room.hub.engine) as session:
        resolving.request_removal(
            session, delivery, by=room.stage.people["coordinator"], at=room.clock(), reason="Annulé"
        )
    return delivery


def test_a_post_is_taken_down_by_the_clock_and_that_is_recorded(room: Room) -> None:
    delivery = published(room)
    before = room.shown()

    room.run_after(seconds=2)

    assert (before, room.shown()) == (["Portes ouvertes"], [])
    assert (room.state(delivery), room.delivery(delivery).reason) == (S.REMOVED, "Annulé")
    tries = [(one.kind, one.outcome) for one in room.attempts(delivery)]
    assert tries == [(AttemptKind.PUBLISH, "ok"), (AttemptKind.REMOVE, "ok")]
    assert len(room.audit("delivery.removed")) == 1


def test_what_is_taken_down_is_not_measured_any_more(room: Room) -> None:
    published(room)
    room.run_after(seconds=2)

    room.live_until(DUE + timedelta(days=2))

    assert room.channel().calls.count("figures") == 0


@pytest.mark.parametrize(
    "error", [Unreachable("No connection."), Uncertain("No answer.")], ids=["unreachable", "uncertain"]
)
def test_a_removal_that_failed_is_tried_again_in_a_minute(room: Room, error: ChannelError) -> None:
    delivery = published(room)
    room.channel().fail_next(error, call="remove")

    room.run_after(seconds=2)
    first = room.state(delivery)
    room.run_after(seconds=60)

    assert (first, room.state(delivery)) == (S.SENT, S.REMOVED)
    assert room.outcomes(delivery)[2] == "ok"


def test_a_removal_that_the_network_refuses_is_told_to_people(room: Room) -> None:
    delivery = published(room)
    room.channel().fail_next(Refused("Not yours."), call="remove")

    room.run_after(seconds=2)
    again = room.run_after(hours=1)

    found = room.delivery(delivery)
    assert (found.state, found.removal_at) == (S.SENT, None)
    assert found.reason == "The network refuses to take it down: Not yours. Take it down on the page itself."
    assert again == 1  # its figures, and no removal
    assert room.channel().calls.count("remove") == 1


def test_a_removal_on_an_account_that_rests_waits_and_keeps_no_clock_busy(room: Room) -> None:
    delivery = published(room)
    room.channel().fail_next(Unauthorized("Token expired."), call="remove")

    room.run_after(seconds=2)
    idle = room.run_after(minutes=10)
    room.resume()
    room.run_after(seconds=1)

    assert (idle, room.state(delivery)) == (0, S.REMOVED)


def test_a_removal_waits_as_long_as_the_network_asks(room: Room) -> None:
    delivery = published(room)
    room.channel().fail_next(Throttled("Slow down.", until=DUE + timedelta(minutes=30)), call="remove")

    room.run_after(seconds=2)
    room.run_at(DUE + timedelta(minutes=29))
    early = room.state(delivery)
    room.run_at(DUE + timedelta(minutes=30))

    assert (early, room.state(delivery)) == (S.SENT, S.REMOVED)


def test_a_removal_that_breaks_the_channel_is_tried_again(room: Room) -> None:
    class Broken(MemoryChannel):
        def remove(self, receipt: Receipt) -> None:
            if "broken" not in self.calls:
                self.calls.append("broken")
                raise ZeroDivisionError
            super().remove(receipt)

    room.channels[room.stage.accounts["rennes"]] = Broken(now=room.clock)
    delivery = published(room)

    room.run_after(seconds=2)
    room.run_after(seconds=60)

    assert room.state(delivery) == S.REMOVED


def test_a_removal_whose_worker_died_is_made_anew(room: Room) -> None:
    delivery = published(room)
    with writing(room.hub.engine) as session:
        (orphan,) = resolving.open_removals(session, at=room.clock(), patience=room.hub.patience)

    room.run_after(seconds=60)
    early = room.state(delivery)
    room.run_after(seconds=61)
    with writing(room.hub.engine) as session:
        late = resolving.record_removal(
            session, orphan, Unreachable("No connection."), at=room.clock(), patience=room.hub.patience
        )

    assert (early, room.state(delivery), late) == (S.SENT, S.REMOVED, S.REMOVED)
    assert len(room.audit("delivery.removed")) == 1


def test_nothing_is_taken_down_during_a_hold(room: Room) -> None:
    delivery = published(room)
    room.hold()

    room.run_after(seconds=2)

    assert (room.state(delivery), room.shown()) == (S.SENT, ["Portes ouvertes"])


# --- Drafts that nobody needs -----------------------------------------------------------------------------------


def forgotten(room: Room) -> int:
    """A gated post whose draft is made, whose publishing fails for good."""
    delivery = room.approve_one(audience=("D-35",))
    room.channel().fail_next(Refused("Too long."))
    room.run_at(DUE)
    return delivery


class Drafts(MemoryChannel):
    """Forgets a draft that is removed, as the real ones do."""

    def remove(self, receipt: Receipt) -> None:
        """A draft too."""
        super().remove(receipt)
        self.drafts.pop(receipt.remote_id, None)


def test_the_draft_of_a_delivery_that_failed_is_deleted(room: Room) -> None:
    network = Drafts(now=room.clock)
    network.fail_next(Refused("Too long."))
    room.channels[room.stage.accounts["rennes"]] = network
    delivery = room.approve_one(audience=("D-35",))

    room.run_at(DUE)

    assert (room.state(delivery), network.drafts, room.delivery(delivery).draft_id) == (S.FAILED, {}, None)


def test_a_draft_that_cannot_be_deleted_now_keeps_no_clock_busy_and_is_tried_again(room: Room) -> None:
    network = Drafts(now=room.clock)
    network.fail_next(Refused("Too long."))
    network.fail_next(Unreachable("No connection."), call="remove")
    room.channels[room.stage.accounts["rennes"]] = network
    room.approve_one(audience=("D-35",))

    room.run_at(DUE)
    left = dict(network.drafts)
    room.run_after(minutes=30)

    assert (len(left), network.drafts) == (1, {})


def test_the_draft_of_a_post_that_is_withdrawn_in_time_is_deleted(room: Room) -> None:
    class Withdrawing(Drafts):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.withdraw(delivery)
            raise Unreachable("No connection.")

    network = Withdrawing(now=room.clock)
    room.channels[room.stage.accounts["rennes"]] = network
    delivery = room.approve_one(audience=("D-35",))

    room.run_at(DUE)

    assert (room.state(delivery), network.drafts, network.shown) == (S.CANCELLED, {}, {})


def test_the_draft_of_a_delivery_that_waits_is_kept(room: Room) -> None:
    room.approve_one(audience=("D-35",))
    room.channel().fail_next(Unreachable("No connection."))

    room.run_at(DUE)

    assert [message.text for message in room.channel().drafts.values()] == ["Portes ouvertes"]


def left_over(room: Room, answer: Any, **meanwhile: Any) -> Delivery:
    """What a delivery with a forgotten draft looks like once that was tidied up, and this was the answer."""
    network = Drafts(now=room.clock)
    network.fail_next(Refused("Too long."))
    network.fail_next(Unreachable("No connection."), call="remove")
    room.channels[room.stage.accounts["rennes"]] = network
    delivery = room.approve_one(audience=("D-35",))
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(minutes=30)
    with writing(room.hub.engine) as session:
        (leftover,) = reconciling.leftovers(session, at=room.clock())
    taken = room.delivery(delivery)
    assert (leftover.delivery_id, leftover.draft_id, taken.draft_id) == (delivery, "post-1", None)
    assert (leftover.account.id, leftover.message.draft_id) == (room.stage.accounts["rennes"], "post-1")
    with writing(room.hub.engine) as session:
        found = session.get(Delivery, delivery)
        assert found is not None
        for name, value in meanwhile.items():
            setattr(found, name, value)
    with writing(room.hub.engine) as session:
        reconciling.record_tidying(session, leftover, answer, at=room.clock(), patience=room.hub.patience)
    return room.delivery(delivery)


@pytest.mark.parametrize(
    ("answer", "meanwhile", "draft"),
    [
        (None, {}, None),
        ([], {}, None),
        (Refused("Not yours."), {}, None),
        (Unreachable("No connection."), {}, "post-1"),
        (Unreachable("No connection."), {"state": S.CANCELLED}, "post-1"),
        (Unreachable("No connection."), {"state": S.WAITING}, None),
        (Unreachable("No connection."), {"draft_id": "post-2"}, "post-2"),
    ],
)
def test_a_draft_is_taken_up_again_only_while_somebody_may_still_delete_it(
    room: Room, answer: Any, meanwhile: dict[str, Any], draft: str | None
) -> None:
    found = left_over(room, answer, **meanwhile)

    again = DUE + timedelta(hours=1)
    assert (found.draft_id, found.ready_at == again) == (draft, draft == "post-1")


def test_a_limit_met_while_tidying_lets_the_account_wait(room: Room) -> None:
    left_over(room, Throttled("Slow down."))

    assert room.account().not_before == DUE + timedelta(minutes=45)


def test_a_draft_that_proves_to_be_live_goes_to_a_person(room: Room) -> None:
    found = left_over(room, [Receipt("post-9")])

    assert (found.state, found.draft_id) == (S.REVIEW, None)
    assert "(post-9)" in (found.reason or "")


def test_whoever_held_a_delivery_whose_draft_is_taken_up_holds_it_no_longer(room: Room) -> None:
    delivery = forgotten(room)

    assert room.delivery(delivery).epoch == 2


def test_drafts_are_taken_up_a_few_at_a_time_and_the_oldest_first(room: Room) -> None:
    made = [room.approve_one(f"N{number}", audience=("D-35",)) for number in range(3)]
    for number, delivery in zip((2, 1, 3), made, strict=True):
        with writing(room.hub.engine) as session:
            found = session.get(Delivery, delivery)
            assert found is not None
            found.state, found.draft_id, found.ready_at = S.FAILED, f"d{delivery}", DUE + timedelta(seconds=number)
    taken = []

    for seconds in (2, 2, 2, 3):
        with writing(room.hub.engine) as session:
            few = reconciling.leftovers(session, at=DUE + timedelta(seconds=seconds), limit=1)
            taken.append([leftover.message.text for leftover in few])

    assert taken == [["N1"], ["N0"], [], ["N2"]]


@pytest.mark.parametrize("state", [state for state in S if state not in {S.CANCELLED, S.FAILED}])
def test_no_draft_is_taken_up_that_may_yet_be_published_or_is(room: Room, state: DeliveryState) -> None:
    delivery = room.approve_one(audience=("D-35",))
    with writing(room.hub.engine) as session:
        found = session.get(Delivery, delivery)
        assert found is not None
        found.state, found.draft_id, found.ready_at = state, "d1", DUE

    with writing(room.hub.engine) as session:
        assert reconciling.leftovers(session, at=DUE) == []


def test_no_draft_is_taken_up_while_its_account_rests(room: Room) -> None:
    delivery = room.approve_one(audience=("D-35",))
    with writing(room.hub.engine) as session:
        found, account = session.get(Delivery, delivery), session.get(Account, room.stage.accounts["rennes"])
        assert found is not None
        assert account is not None
        found.state, found.draft_id, found.ready_at = S.FAILED, "d1", DUE
        account.slow_until = DUE + HOUR
    numbers = []

    for at in (DUE, DUE + HOUR):
        with writing(room.hub.engine) as session:
            numbers.append(len(reconciling.leftovers(session, at=at)))

    assert numbers == [0, 1]


def test_a_person_may_have_a_failed_delivery_sent_after_all(room: Room) -> None:
    delivery = forgotten(room)

    with writing(room.hub.engine) as session:
        resolving.resolve(
            session,
            delivery,
            Action.SEND,
            by=room.stage.people["coordinator"],
            at=room.clock(),
            patience=room.hub.patience,
            reason="Essayer",
        )
    room.run_after(seconds=1)

    assert (room.state(delivery), room.shown()) == (S.SENT, ["Portes ouvertes"])


def test_a_second_post_with_the_same_words_goes_out_when_it_is_meant(room: Room) -> None:
    first = room.approve_one("Rappel")
    second = room.approve_one("Rappel", when=wall(5, 18))

    room.run_at(DUE)
    room.run_at(DUE + timedelta(days=2))

    assert [room.state(one) for one in (first, second)] == [S.SENT, S.SENT]
    assert room.shown() == ["Rappel", "Rappel"]
    assert isinstance(room.channel().shown["post-2"], Message)
