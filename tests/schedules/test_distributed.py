"""The engine of many machines: bells that ring with a transaction, workers that share the work, and words when one stops."""  # noqa: E501

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text

from channels import Deadline, Prepared, Receipt
from channels.memory import MemoryChannel
from hub import bell
from hub.database import DatabaseTrouble, alembic_config, alone, build_engine, due_now, reading, writing
from hub.domain.delivery import Action, DeliveryState
from hub.services import attending, connecting, delivering, resolving
from hub.wiring import DatabaseClock, machine_clock
from schedules import runner
from schedules.distributed import Distributed
from tests.schedules.conftest import DUE, Held, Room, only_postgresql

S = DeliveryState
pytestmark = only_postgresql


def bells(engine: Engine) -> int:
    """Bells that nobody has heard yet."""
    with engine.connect() as connection:
        return bell.waiting(connection)


@pytest.fixture
def worker(room: Room) -> Iterator[Callable[..., Distributed]]:
    """`worker()` is one more process that publishes from the same database, as far as threads can play one."""
    begun: list[Distributed] = []

    def begin(**more: Any) -> Distributed:
        begun.append(Distributed(replace(room.hub, **more), runner.JOBS, watch_clock=False))
        return begun[-1]

    yield begin
    for one in begun:
        one.stop()


# --- Bells -------------------------------------------------------------------------------------------------


def test_a_bell_rings_with_the_transaction_that_makes_something_due(engine: Engine) -> None:
    with writing(engine) as session:
        due_now(session)
        before = bells(engine)

    assert (before, bells(engine)) == (0, 1)


def test_what_is_taken_back_rings_no_bell(engine: Engine) -> None:
    def begin_and_fail() -> None:
        with writing(engine) as session:
            due_now(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin_and_fail()

    assert bells(engine) == 0


def test_bells_that_nobody_hears_do_not_pile_up(engine: Engine) -> None:
    for _time in range(3 * bell.MOST_WAITING):
        with writing(engine) as session:
            due_now(session)

    assert bells(engine) == bell.MOST_WAITING


def to_review(room: Room, delivery: int) -> None:
    """As if it had been due too long ago."""
    with writing(room.hub.engine) as session:
        delivering.change_if(session, delivery, 0, [S.WAITING], state=S.REVIEW)


def decide(room: Room, delivery: int, action: Action) -> None:
    """A coordinator decides about a delivery."""
    with writing(room.hub.engine) as session:
        resolving.resolve(
            session,
            delivery,
            action,
            by=room.stage.people["deputy"],
            at=room.clock(),
            patience=room.hub.patience,
            reason="Mieux ainsi",
        )


def have_it_sent(room: Room) -> None:
    delivery = room.approve_one()
    to_review(room, delivery)
    decide(room, delivery, Action.SEND)


def have_it_taken_down(room: Room) -> None:
    delivery = room.approve_one()
    room.run_at(DUE)
    decide(room, delivery, Action.REMOVE)


def let_all_go_on(room: Room) -> None:
    room.hold()
    room.release()


def let_an_account_go_on(room: Room) -> None:
    with writing(room.hub.engine) as session:
        connecting.pause(session, room.stage.accounts["rennes"], by="operator", at=room.clock(), reason="Congés")
    room.resume()


@pytest.mark.parametrize("deed", [have_it_sent, have_it_taken_down, let_all_go_on, let_an_account_go_on])
def test_whatever_a_person_makes_due_at_once_rings(room: Room, deed: Callable[[Room], None]) -> None:
    deed(room)

    assert bells(room.hub.engine) == 1


def test_a_post_for_later_rings_no_bell(room: Room) -> None:
    room.approve_one()

    assert bells(room.hub.engine) == 0


@pytest.mark.parametrize(("workers", "rung"), [(1, 1), (2, 2), (3, 2)])
def test_the_clock_rings_for_as_many_workers_as_there_is_work_for(room: Room, workers: int, rung: int) -> None:
    few = replace(room.hub, settings=room.hub.settings.model_copy(update={"workers": 1}))
    room.approve("Partout", accounts=("facebook:A-14", "facebook:FR"), audience=("FR",), zone="Europe/Paris")
    room.clock.at = DUE
    present(room, *(f"worker-{number}" for number in range(workers)))
    clock = Distributed(few, runner.JOBS)

    clock.knock()
    clock.stop()

    assert bells(room.hub.engine) == rung


def test_the_clock_rings_for_nobody_when_nothing_is_due(room: Room) -> None:
    room.approve_one()
    present(room, "worker")

    clock = Distributed(room.hub, runner.JOBS)
    clock.knock()
    clock.stop()

    assert bells(room.hub.engine) == 0


def test_bells_of_dead_workers_are_closed_and_not_rung_again(engine: Engine) -> None:
    with engine.begin() as connection:
        bell.ring(connection)
        connection.execute(text(f"SET LOCAL search_path TO {bell.SCHEMA}"))
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))

    with engine.begin() as connection:
        closed = bell.close_orphans(connection)
        left = connection.scalar(text(f"SELECT count(*) FROM {bell.SCHEMA}.procrastinate_jobs"))

    assert (closed, left) == (1, 0)


# --- The schema of the bell -------------------------------------------------------------------------------------


def test_the_bell_of_another_version_is_made_anew_and_one_that_fits_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"COMMENT ON SCHEMA {bell.SCHEMA} IS 'The bell of Relais, as of another version'"))
    before = bell.is_laid(engine)

    assert (before, bell.lay(engine), bell.lay(engine), bell.is_laid(engine)) == (False, True, False, True)


def test_a_schema_of_that_name_that_we_did_not_make_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"COMMENT ON SCHEMA {bell.SCHEMA} IS 'Ours since 1998'"))

    with pytest.raises(bell.ForeignSchema):
        bell.lay(engine)


def test_alembic_finds_nothing_to_change_beside_the_bell(engine: Engine) -> None:
    command.check(alembic_config(engine))


# --- Workers ----------------------------------------------------------------------------------------------------


def present(room: Room, *owners: str, trouble: str | None = None) -> None:
    """Workers that were heard of just now."""
    with writing(room.hub.engine) as session:
        for owner in owners:
            attending.say_present(session, owner, host="machine", pid=7, version="1", trouble=trouble, at=room.clock())


def alive(room: Room) -> list[str]:
    """Who was heard of just now."""
    with reading(room.hub.engine) as session:
        return [one.owner for one in attending.alive(session, at=room.clock())]


def test_a_worker_hears_the_bell_and_is_seen_until_it_ends(room: Room, worker: Callable[..., Distributed]) -> None:
    network = Held(room)
    room.channels[room.stage.accounts["rennes"]] = network
    delivery = room.approve_one()
    room.clock.at = DUE
    one = worker()

    one.start()
    reached = network.reached.wait(20)
    seen, pulse = alive(room), one.pulse()
    network.go.set()
    one.stop()

    assert reached
    assert (seen, pulse.alive, pulse.trouble) == ([one.worker.owner], True, None)
    assert (room.state(delivery), alive(room), one.pulse().alive) == (S.SENT, [], False)


def test_a_worker_that_says_nothing_for_twenty_seconds_is_taken_for_dead(room: Room) -> None:
    present(room, "worker")
    before = alive(room)

    room.clock.forward(seconds=20)

    assert (before, alive(room)) == (["worker"], [])


def test_two_workers_that_look_at_once_take_different_accounts(room: Room, worker: Callable[..., Distributed]) -> None:
    made = room.approve("Partout", accounts=("facebook:A-14", "facebook:FR"), audience=("FR",), zone="Europe/Paris")
    room.clock.at = DUE
    first, second = worker(), worker()

    with writing(room.hub.engine) as session:
        taken = delivering.claim(session, at=DUE, owner=first.worker.owner, patience=room.hub.patience, accounts=1)
        # While the first has not even committed, the second neither waits for it nor takes the same.
        with writing(room.hub.engine) as other:
            left = delivering.claim(other, at=DUE, owner=second.worker.owner, patience=room.hub.patience)

    assert sorted([taken[0].account_id, left[0].account_id]) == sorted(
        room.stage.accounts[name] for name in ("rennes", "national")
    )
    assert {taken[0].delivery_id, left[0].delivery_id} == set(made)


def test_a_worker_claims_for_no_more_accounts_than_it_can_speak_for(
    room: Room, worker: Callable[..., Distributed]
) -> None:
    network = Held(room)
    room.channels = {room.stage.accounts[name]: network for name in ("rennes", "national")}
    hub = replace(room.hub, channel_for=lambda account: network)
    made = room.approve("Partout", accounts=("facebook:A-14", "facebook:FR"), audience=("FR",), zone="Europe/Paris")
    room.clock.at = DUE
    one = worker(settings=hub.settings.model_copy(update={"workers": 1}), channel_for=hub.channel_for)

    claimed = one.jobs[1].run(one.worker)
    reached = network.reached.wait(20)
    meanwhile = one.jobs[1].run(one.worker)
    states = sorted(room.state(delivery) for delivery in made)
    network.go.set()
    one.worker.finish()

    assert (claimed, reached, meanwhile) == (1, True, 0)
    assert states == [S.SENDING, S.WAITING]
    # Whoever is done with one account goes on with the next, and waits for no bell.
    assert [room.state(delivery) for delivery in made] == [S.SENT, S.SENT]


def test_what_must_be_done_alone_is_left_to_whoever_is_at_it(engine: Engine) -> None:
    with alone(engine, "mails") as first, alone(engine, "mails") as second, alone(engine, "archive") as other:
        pass
    with alone(engine, "mails") as again:
        pass

    assert (first, second, other, again) == (True, False, True, True)


def test_an_answer_that_comes_after_another_worker_read_it_back_changes_nothing(
    room: Room, worker: Callable[..., Distributed]
) -> None:
    class Frozen(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            receipt = super().publish(prepared, deadline)
            room.clock.forward(minutes=3)  # past the lease, as when a machine is frozen
            room.engine.run_due()  # another worker takes it back and reads it back
            return receipt

    room.channels[room.stage.accounts["rennes"]] = Frozen(now=room.clock)
    delivery = room.approve_one()
    room.clock.at = DUE

    one = worker()
    one.jobs[1].run(one.worker)
    one.worker.finish()

    assert (room.state(delivery), room.outcomes(delivery)) == (S.SENT, ["unknown"])
    assert len(room.channels[room.stage.accounts["rennes"]].shown) == 1  # type: ignore[attr-defined]


def test_what_goes_wrong_while_hearing_is_shown_until_it_goes_well(
    room: Room, worker: Callable[..., Distributed]
) -> None:
    room.approve_one()
    room.clock.at = DUE
    one = worker()
    with room.hub.engine.begin() as connection:
        connection.execute(text("ALTER TABLE delivery RENAME TO delivery_away"))

    one.hear()
    trouble = one.worker.trouble
    with room.hub.engine.begin() as connection:
        connection.execute(text("ALTER TABLE delivery_away RENAME TO delivery"))
    one.hear()
    one.worker.finish()

    assert (trouble, one.worker.trouble) == ("hearing: ProgrammingError", None)


def test_workers_in_trouble_take_no_bell_from_the_others(room: Room) -> None:
    room.approve_one()
    room.clock.at = DUE
    present(room, "well")
    present(room, "ill", trouble="clock")

    one = Distributed(room.hub, runner.JOBS)
    one.knock()
    one.stop()

    assert bells(room.hub.engine) == 2


def test_only_one_process_knocks_at_a_time(room: Room) -> None:
    room.approve_one()
    room.clock.at = DUE
    one = Distributed(room.hub, runner.JOBS)

    with room.hub.engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('relais knock'))"))
        one.knock()
    one.stop()

    assert bells(room.hub.engine) == 0


# --- When a worker must not go on ------------------------------------------------------------------------------


def test_a_worker_whose_database_was_brought_to_another_version_ends_in_words(room: Room) -> None:
    with room.hub.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    one = Distributed(room.hub, runner.JOBS, watch_clock=False)

    # In a thread of its own, as the main one of a process: this one may have a browser's loop running in it.
    with ThreadPoolExecutor(1) as thread, pytest.raises(DatabaseTrouble) as ended:
        thread.submit(one.run).result()
    one.stop()

    assert str(ended.value) == (
        "The database was brought to another version of Relais. Install the same one here, then start again."
    )


def test_a_machine_whose_clock_is_an_hour_off_the_databases_publishes_nothing_and_says_so(room: Room) -> None:
    delivery = room.approve_one()
    room.clock.at = machine_clock() + timedelta(hours=1)  # the room's clock plays the database's
    one = Distributed(replace(room.hub, now=room.clock), runner.JOBS)

    one._look_around()
    one.hear()
    trouble = one.worker.trouble
    one.stop()

    assert room.state(delivery) == S.WAITING
    assert trouble == "clock: the clock of this machine is 3600 s off the database's"


def test_the_clock_of_the_database_is_what_workers_go_by(engine: Engine) -> None:
    clock = DatabaseClock(engine)
    before = machine_clock()

    moments = [clock() for _time in range(3)]

    assert moments == sorted(moments)
    assert abs(moments[0] - before) < timedelta(seconds=5)
    assert moments[0].utcoffset() == timedelta(0)


def test_a_machine_that_slept_asks_the_database_anew(engine: Engine) -> None:
    counted = [0.0]
    clock = DatabaseClock(engine, count=lambda: counted[0])
    before = clock()
    counted[0] += 3600

    assert clock() - before < timedelta(minutes=1)


def test_of_an_answer_that_took_long_nobody_knows_which_moment_it_means(engine: Engine) -> None:
    counted = iter([0.0, 0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 109.0, 109.0])
    clock = DatabaseClock(engine, count=lambda: next(counted))
    before = clock()

    assert clock() - before == timedelta(seconds=109)


def test_a_database_that_is_away_for_a_while_does_not_stop_the_clock(engine: Engine) -> None:
    asked: list[int] = []

    class Lost(DatabaseClock):
        ASKED_EVERY = 0.0

        def _ask(self, before: Any) -> Any:
            asked.append(1)
            return super()._ask(before)

    clock = Lost(engine)
    first = clock()
    clock._engine = build_engine(engine.url.set(port=9).render_as_string(hide_password=False))

    assert clock() >= first
    assert len(asked) == 2


def test_stopping_ends_the_thread_of_the_bells(room: Room, worker: Callable[..., Distributed]) -> None:
    one = worker()
    one.start()

    one.stop()

    assert [thread.name for thread in threading.enumerate() if thread.name == "relais-bells"] == []
