"""What every engine does alike: leases, a disk that fails, and nothing to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from channels import Deadline, Prepared, Receipt
from channels.memory import MemoryChannel
from hub.domain.delivery import DeliveryState
from schedules import dispatch
from tests.schedules.conftest import DUE, Room, held, wall
from tests.schedules.disk import Disk

S = DeliveryState


@pytest.mark.parametrize(("opened", "state"), [(False, S.WAITING), (True, S.UNKNOWN)])
def test_a_lease_that_is_over_is_taken_back_and_not_before(room: Room, opened: bool, state: DeliveryState) -> None:
    delivery = held(room, opened=opened)
    room.clock.at = DUE + timedelta(seconds=119)
    early = dispatch.end_leases(room.engine.worker)
    room.clock.at = DUE + timedelta(seconds=120)

    ended = dispatch.end_leases(room.engine.worker)

    assert (early, ended, room.state(delivery)) == (0, 1, state)


def test_nobody_takes_back_what_they_are_working_on_themselves(room: Room) -> None:
    ended: list[int] = []

    class Slow(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.clock.forward(minutes=3)
            ended.append(dispatch.end_leases(room.engine.worker))
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Slow(now=room.clock)
    delivery = room.approve_one()

    room.run_at(DUE)

    assert (ended, room.state(delivery), room.outcomes(delivery)) == ([0], S.SENT, ["ok"])


def test_a_claim_whose_lease_ran_out_before_its_turn_is_given_back(room: Room) -> None:
    class Slow(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.clock.forward(minutes=3)
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Slow(now=room.clock)
    first, second = room.approve_one("Un"), room.approve_one("Deux")

    room.run_at(DUE)

    assert [room.state(one) for one in (first, second)] == [S.SENT, S.SENT]
    assert room.delivery(second).epoch == 2  # the first claim on it ended with nothing said
    assert room.delivery(second).attempts == 1


# --- A disk that fails ------------------------------------------------------------------------------------


def test_without_a_written_attempt_no_call_is_made(room: Room, engine: Engine) -> None:
    disk = Disk(engine)
    made = [room.approve_one("Un"), room.approve_one("Deux")]
    disk.breaks_at = "INSERT INTO attempt"

    room.run_at(DUE)
    trouble, calls = room.engine.worker.trouble, list(room.channel().calls)
    states = [room.state(one) for one in made]
    disk.mend()
    room.run_after(seconds=121)

    assert (trouble, calls) == (f"dispatch task: {disk.error}", [])
    assert states == [S.CLAIMED, S.CLAIMED]
    assert [room.outcomes(one) for one in made] == [["ok"], ["ok"]]


def test_what_the_network_said_is_kept_until_it_can_be_written_down(room: Room, engine: Engine) -> None:
    disk = Disk(engine)
    delivery = room.approve_one()
    disk.breaks_at = "UPDATE attempt"

    room.run_at(DUE)
    before = room.state(delivery), room.engine.worker.trouble
    disk.mend()
    room.run_after(seconds=1)

    assert before == (S.SENDING, f"record: {disk.error}")
    assert (room.state(delivery), room.delivery(delivery).remote_id) == (S.SENT, "post-1")
    assert (room.engine.worker.trouble, room.shown()) == (None, ["Portes ouvertes"])


def test_while_an_answer_is_not_written_down_nothing_new_is_begun(room: Room, engine: Engine) -> None:
    disk = Disk(engine)
    room.approve_one("Un")
    elsewhere = room.approve_one("Deux", accounts=("facebook:FR",), audience=("FR",), when=wall(3, 19))
    disk.breaks_at = "UPDATE attempt"
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(hours=1)

    claimed = dispatch.dispatch_due(room.engine.worker)

    assert (claimed, room.state(elsewhere)) == (0, S.WAITING)
    assert room.engine.worker.trouble == f"record: {disk.error}"


def test_a_draft_that_could_not_be_noted_is_not_published(room: Room, engine: Engine) -> None:
    disk = Disk(engine)
    delivery = room.approve_one(audience=("D-35",))
    disk.breaks_at = "UPDATE attempt"

    room.run_at(DUE)
    shown = room.shown()
    disk.mend()
    room.run_after(seconds=1)

    assert (shown, room.outcomes(delivery), room.state(delivery)) == ([], ["not-sent"], S.WAITING)


def test_nothing_due_is_nothing_done(room: Room) -> None:
    room.approve_one()

    assert room.engine.run_due() == 0
    assert room.engine.agenda().next_at == DUE


def test_a_claim_that_was_not_kept_leaves_nothing_that_this_process_would_hold_on_to(
    room: Room, engine: Engine
) -> None:
    disk = Disk(engine)
    room.approve_one()
    room.clock.at = DUE
    disk.breaks_at = "UPDATE delivery"

    with pytest.raises(DatabaseError):
        dispatch.dispatch_due(room.engine.worker)

    assert room.engine.worker.working == set()
