"""The engine of one machine: one process, one lock, a clock that jumps, and stopping."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from channels import Deadline, Prepared, Receipt
from channels.memory import MemoryChannel
from hub.domain.delivery import DeliveryState, Patience
from hub.domain.errors import WrongState
from hub.services.delivering import Task
from hub.wiring import Hub
from schedules import runner
from schedules.embedded import Embedded
from schedules.engine import Job
from schedules.worker import Worker
from tests.schedules.conftest import DUE, Held, Room, held, only_sqlite

S = DeliveryState
JOBS = {job.task: job for job in runner.JOBS}
pytestmark = only_sqlite


def embedded(room: Room) -> Embedded:
    """The engine of a room, as what it is."""
    assert isinstance(room.engine, Embedded)
    return room.engine


def begin(hub: Hub) -> Embedded:
    """Another engine of the same kind."""
    engine = runner.build(hub)
    assert isinstance(engine, Embedded)
    return engine


# --- One process ---------------------------------------------------------------------------------------


@contextmanager
def another(room: Room) -> Iterator[Embedded]:
    """A second engine on the same home folder."""
    engine = begin(room.hub)
    try:
        yield engine
    finally:
        engine.stop()


def test_a_second_process_is_refused_in_words(room: Room) -> None:
    embedded(room).take_lock()

    with another(room) as second, pytest.raises(WrongState) as refused:
        second.take_lock()

    home = room.hub.settings.home.resolve()
    assert str(refused.value) == (
        f"Another Relais is already publishing from {home}. Stop it first, or use another RELAIS_HOME."
    )


def test_once_the_first_has_stopped_a_second_may_start(room: Room) -> None:
    embedded(room).take_lock()
    room.engine.stop()
    delivery = room.approve_one()

    with another(room) as second:
        second.take_lock()
        room.clock.at = DUE
        done = second.run_due()

    assert (done, room.state(delivery)) == (1, S.SENT)


def test_whoever_gets_the_lock_takes_back_what_the_dead_had_claimed(room: Room) -> None:
    delivery = held(room, opened=False)

    embedded(room).take_lock()

    assert (room.state(delivery), room.attempts(delivery)) == (S.WAITING, [])


def test_whoever_gets_the_lock_reads_back_what_the_dead_were_sending(room: Room) -> None:
    delivery = held(room, opened=True)

    embedded(room).take_lock()
    state = room.state(delivery)
    room.live_until(DUE + timedelta(minutes=6))

    assert (state, room.outcomes(delivery)) == (S.UNKNOWN, ["unknown", "ok"])
    assert room.shown() == ["Portes ouvertes"]


# --- A clock that jumps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, -1])
def test_when_the_clock_was_set_nothing_is_claimed_for_one_lease(room: Room, hours: int) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE + timedelta(hours=2) - timedelta(hours=hours)
    embedded(room).tick(JOBS[Task.EXPIRE])
    room.clock.forward(hours=hours)

    embedded(room).tick(JOBS[Task.DISPATCH])
    room.engine.worker.finish()
    jumped = room.state(delivery)
    for _ in range(31):  # the clock moves on without another jump
        room.clock.forward(seconds=4)
        embedded(room).tick(JOBS[Task.DISPATCH])
        room.engine.worker.finish()

    assert jumped == S.WAITING
    assert room.state(delivery) == S.SENT
    assert room.delivery(delivery).sent_at == DUE + timedelta(hours=2, seconds=120)


def test_a_clock_that_moves_as_it_should_pauses_nothing(room: Room) -> None:
    delivery = room.approve_one()
    room.clock.at = DUE - timedelta(seconds=4)
    embedded(room).tick(JOBS[Task.EXPIRE])
    room.clock.at = DUE

    embedded(room).tick(JOBS[Task.DISPATCH])
    room.engine.worker.finish()

    assert room.state(delivery) == S.SENT


def test_an_account_that_is_being_worked_through_stops_at_the_jump_too(room: Room) -> None:
    class Jumping(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            room.clock.forward(hours=1)
            embedded(room).tick(JOBS[Task.EXPIRE])
            return super().publish(prepared, deadline)

    room.channels[room.stage.accounts["rennes"]] = Jumping(now=room.clock)
    made = [room.approve_one("Un"), room.approve_one("Deux")]
    room.clock.at = DUE
    embedded(room).tick(JOBS[Task.EXPIRE])

    embedded(room).tick(JOBS[Task.DISPATCH])
    room.engine.worker.finish()

    assert [room.state(one) for one in made] == [S.SENT, S.WAITING]


# --- Ticking and stopping --------------------------------------------------------------------------------------


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
    embedded(room).take_lock()
    embedded(room).tick(JOBS[Task.DISPATCH])
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
    first = begin(short)
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

    embedded(room).tick(JOBS[Task.DISPATCH])

    assert (room.engine.run_due(), room.state(delivery)) == (0, S.WAITING)


def test_a_job_that_fails_is_trouble_until_it_works_again(room: Room) -> None:
    works: list[bool] = [False, True]

    def run(worker: Worker) -> int:
        if not works.pop(0):
            raise ZeroDivisionError
        return 0

    job = Job(Task.COLLECT, timedelta(seconds=1), run)

    embedded(room).tick(job)
    trouble = room.engine.pulse().trouble
    embedded(room).tick(job)

    assert (trouble, room.engine.pulse().trouble) == ("collect: ZeroDivisionError", None)
