"""The clock itself: one process, leases, a disk that fails, a clock that jumps, and stopping."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from channels import Deadline, Prepared, Receipt
from channels.memory import MemoryChannel
from hub.database import writing
from hub.domain.delivery import DeliveryState, Patience
from hub.domain.errors import WrongState
from hub.services import delivering
from hub.services.delivering import Task
from schedules import dispatch, runner
from schedules.embedded import Embedded
from schedules.engine import Job
from schedules.worker import Worker
from tests.schedules.conftest import DUE, Room, wall
from tests.schedules.disk import Disk

S = DeliveryState
JOBS = {job.task: job for job in runner.JOBS}


# --- One process ---------------------------------------------------------------------------------------


@contextmanager
def another(room: Room) -> Iterator[Embedded]:
    """A second engine on the same home folder."""
    engine = runner.build(room.hub)
    try:
        yield engine
    finally:
        engine.stop()


def test_a_second_process_is_refused_in_words(room: Room) -> None:
    room.engine.take_lock()

    with another(room) as second, pytest.raises(WrongState) as refused:
        second.take_lock()

    home = room.hub.settings.home.resolve()
    assert str(refused.value) == (
        f"Another Relais is already publishing from {home}. Stop it first, or use another RELAIS_HOME."
    )


def test_once_the_first_has_stopped_a_second_may_start(room: Room) -> None:
    room.engine.take_lock()
    room.engine.stop()
    delivery = room.approve_one()

    with another(room) as second:
        second.take_lock()
        room.clock.at = DUE
        done = second.run_due()

    assert (done, room.state(delivery)) == (1, S.SENT)


def held(room: Room, *, opened: bool) -> int:
    """A delivery that a worker which is dead by now had claimed, and perhaps begun to send."""
    delivery = room.approve_one()
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=DUE, owner="dead", patience=room.hub.patience)
    if opened:
        with writing(room.hub.engine) as session:
            delivering.open_attempt(session, claim, at=DUE, patience=room.hub.patience)
    return delivery


def test_whoever_gets_the_lock_takes_back_what_the_dead_had_claimed(room: Room) -> None:
    delivery = held(room, opened=False)

    room.engine.take_lock()

    assert (room.state(delivery), room.attempts(delivery)) == (S.WAITING, [])


def test_whoever_gets_the_lock_reads_back_what_the_dead_were_sending(room: Room) -> None:
    delivery = held(room, opened=True)

    room.engine.take_lock()
    state = room.state(delivery)
    room.live_until(DUE + timedelta(minutes=6))

    assert (state, room.outcomes(delivery)) == (S.UNKNOWN, ["unknown", "ok"])
    assert room.shown() == ["Portes ouvertes"]


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

    assert (trouble, calls) == ("dispatch task: OperationalError", [])
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

    assert before == (S.SENDING, "record: OperationalError")
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
    assert room.engine.worker.trouble == "record: OperationalError"


def test_a_draft_that_could_not_be_noted_is_not_published(room: Room, engine: Engine) -> None:
    disk = Disk(engine)
    delivery = room.approve_one(audience=("D-35",))
    disk.breaks_at = "UPDATE attempt"

    room.run_at(DUE)
    shown = room.shown()
    disk.mend()
    room.run_after(seconds=1)

    assert (shown, room.outcomes(delivery), room.state(delivery)) == ([], ["not-sent"], S.WAITING)


# --- A clock that jumps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, -1])
def test_when_the_clock_was_set_nothing_is_claimed_for_one_lease(room: Room, hours: int) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE + timedelta(hours=2) - timedelta(hours=hours)
    room.engine.tick(JOBS[Task.EXPIRE])
    room.clock.forward(hours=hours)

    room.engine.tick(JOBS[Task.DISPATCH])
    room.engine.worker.finish()
    jumped = room.state(delivery)
    for _ in range(31):  # the clock moves on without another jump
        room.clock.forward(seconds=4)
        room.engine.tick(JOBS[Task.DISPATCH])
        room.engine.worker.finish()

    assert jumped == S.WAITING
    assert room.state(delivery) == S.SENT
    assert room.delivery(delivery).sent_at == DUE + timedelta(hours=2, seconds=120)


def test_a_clock_that_moves_as_it_should_pauses_nothing(room: Room) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE - timedelta(seconds=4)
    room.engine.tick(JOBS[Task.EXPIRE])
    room.clock.at = DUE

    room.engine.tick(JOBS[Task.DISPATCH])
    room.engine.worker.finish()

    assert room.state(delivery) == S.SENT


def test_an_account_that_is_being_worked_through_stops_at_the_jump_too(room: Room) -> None:
    class Jumping(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.clock.forward(hours=1)
            room.engine.tick(JOBS[Task.EXPIRE])
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Jumping(now=room.clock)
    made = [room.approve_one("Un"), room.approve_one("Deux")]
    room.clock.at = DUE
    room.engine.tick(JOBS[Task.EXPIRE])

    room.engine.tick(JOBS[Task.DISPATCH])
    room.engine.worker.finish()

    assert [room.state(one) for one in made] == [S.SENT, S.WAITING]


# --- Ticking and stopping --------------------------------------------------------------------------------------


class Held(MemoryChannel):
    """A network that takes its time: until it is let go."""

    def __init__(self, room: Room) -> None:
        super().__init__(now=room.clock)
        self.reached, self.go = threading.Event(), threading.Event()

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Show it once it is let go."""
        self.reached.set()
        assert self.go.wait(20)
        return super().publish(prepared, deadline)


@pytest.fixture
def network(room: Room) -> Iterator[Held]:
    """The page of Rennes, slow."""
    slow = Held(room)
    room.channels[room.stage.accounts["rennes"]] = slow
    yield slow
    slow.go.set()


def test_the_clock_ticks_by_itself_and_says_so(room: Room, network: Held) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE
    asleep = room.engine.pulse()
    network.go.set()

    room.engine.start()
    room.engine.wake()
    reached = network.reached.wait(10)
    awake = room.engine.pulse()
    room.engine.stop()

    assert (asleep.alive, asleep.seconds_since_tick) == (False, None)
    assert reached
    assert awake.alive
    assert awake.seconds_since_tick is not None
    assert awake.seconds_since_tick < 5
    assert (room.engine.pulse().alive, room.state(delivery)) == (False, S.SENT)


def test_stopping_waits_for_the_call_under_way_and_begins_no_other(room: Room, network: Held) -> None:
    made = [room.approve_one(f"N{number}") for number in range(12)]
    room.clock.at = DUE
    room.engine.take_lock()
    room.engine.tick(JOBS[Task.DISPATCH])
    assert network.reached.wait(10)
    stopper = threading.Thread(target=room.engine.stop)

    stopper.start()
    while room.engine.worker.may_begin():
        stopper.join(0.01)
    network.go.set()
    stopper.join(20)

    states = [room.state(one) for one in made]
    assert (states[0], set(states[1:])) == (S.SENT, {S.WAITING})
    assert len(network.shown) == 1
    assert [len(room.attempts(one)) for one in made] == [1] + [0] * 11


def test_a_call_that_outlives_the_deadline_keeps_the_lock_until_the_process_ends(room: Room, network: Held) -> None:
    short = replace(room.hub, patience=Patience(deadline=timedelta(seconds=0.1)))
    delivery = room.approve_one()
    room.clock.at = DUE
    first = runner.build(short)
    first.take_lock()
    first.tick(JOBS[Task.DISPATCH])
    assert network.reached.wait(10)

    first.stop()

    with another(room) as second, pytest.raises(WrongState):
        second.take_lock()
    network.go.set()
    first.worker.finish()
    first.stop()
    # By then its deadline has passed, so it said nothing.
    assert (room.state(delivery), network.shown) == (S.WAITING, {})


def test_after_a_stop_nothing_is_begun(room: Room) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE
    room.engine.stop()

    room.engine.tick(JOBS[Task.DISPATCH])

    assert (room.engine.run_due(), room.state(delivery)) == (0, S.WAITING)


def test_a_job_that_fails_is_trouble_until_it_works_again(room: Room) -> None:
    works: list[bool] = [False, True]

    def run(worker: Worker) -> int:
        if not works.pop(0):
            raise ZeroDivisionError
        return 0

    job = Job(Task.COLLECT, timedelta(seconds=1), run)

    room.engine.tick(job)
    trouble = room.engine.pulse().trouble
    room.engine.tick(job)

    assert (trouble, room.engine.pulse().trouble) == ("collect: ZeroDivisionError", None)


def test_nothing_due_is_nothing_done(room: Room) -> None:
    room.approve_one()

    assert room.engine.run_due() == 0
    assert room.engine.agenda().next_at == DUE
