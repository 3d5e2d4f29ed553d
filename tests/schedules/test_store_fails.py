"""A disk that is full, a locked file, a server that crashes, connections that are cut: no call goes unwritten."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError

from channels.sandbox.exchange import Reply, Request
from hub.domain.delivery import DeliveryState
from hub.services.delivering import Task
from schedules.runner import JOBS
from tests.postgresql import Server
from tests.schedules.conftest import DUE, only_postgresql, only_sqlite
from tests.schedules.road import CLEAN, Road, open_road
from tests.sizes import size

S = DeliveryState
PAGES: Final = 6
POSTS: Final = size(ci=10, long=50)
"""Each goes to ten places, all at one instant."""

EVERY: Final = 17
"""After so many calls that reached the networks, the store fails again."""


@pytest.fixture
def road(engine: Engine, tmp_path: Path) -> Iterator[Road]:
    """Ten places, and a hundred deliveries (or five hundred) that are due at one instant."""
    with open_road(engine, tmp_path, pages=PAGES, call_deadline=5, lease=10, workers=4) as one:
        one.engine.jobs = [job for job in JOBS if job.task is not Task.COLLECT]
        everywhere = tuple(str(number) for name, number in one.stage.accounts.items() if name != "portal")
        for number in range(POSTS):
            one.approve(
                f"Numéro {number}", accounts=everywhere, audience=("FR",), when=DUE.replace(tzinfo=None), zone="UTC"
            )
        yield one


@contextmanager
def each_time(road: Road, fail: Callable[[], None]) -> Iterator[list[int]]:
    """Let something fail while a call is under way: accepted by the network, not yet answered."""
    failures: list[int] = []
    seen = 0
    counting = threading.Lock()

    def heard(network: Any) -> Callable[[Request], Reply]:
        answer = network.answer

        def then_fail(request: Request) -> Reply:
            nonlocal seen
            reply: Reply = answer(request)
            if request.method == "POST":
                with counting:
                    seen += 1
                    if seen % EVERY == 0:
                        failures.append(seen)
                        fail()
            return reply

        return then_fail

    played: tuple[Any, ...] = (road.sandbox.graph, road.sandbox.x)
    for network in played:
        network.answer = heard(network)
    yield failures


def live(road: Road, mend: Callable[[], None]) -> None:
    """Do all that is due for some hours, as often as the store lets us; each time it fails, mend it and go on."""
    road.clock.at = DUE
    end = DUE + timedelta(hours=2)
    while road.clock() < end:
        try:
            road.run_at(road.clock())
            following = road.engine.agenda().next_at or end
        except DatabaseError:
            # A tick that fails is shown as trouble; the next one tries again.
            following = road.clock() + timedelta(seconds=1)
        road.engine.worker.finish()
        mend()
        road.clock.at = min(max(following, road.clock() + timedelta(seconds=1)), end)


def prove(road: Road, failures: list[int]) -> None:
    """All of it is out, once, and was written down before."""
    assert len(failures) >= POSTS * (PAGES + 4) // EVERY
    assert road.verdict() == CLEAN
    assert {one.state for one in road.deliveries()} == {S.SENT}
    assert len(road.public()) == POSTS * (PAGES + 4)


def told_at_once(road: Road) -> bool:
    """Whether every answer was kept until it could be written: nothing had to be read back."""
    return {outcome for one in road.deliveries() for outcome in road.outcomes(one.id or 0)} == {"ok"}


# --- SQLite -----------------------------------------------------------------------------------------------------


class FullDisk:
    """A disk with no room for one page more, until there is some."""

    def __init__(self, engine: Engine) -> None:
        self.full = False
        self.refused = 0
        event.listen(engine, "before_cursor_execute", self._limit)
        event.listen(engine, "handle_error", self._count)

    def _limit(self, _connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("BEGIN"):
            # SQLite never lets it be less than there are pages: from then on, every new page is one too many.
            cursor.execute(f"PRAGMA max_page_count={1 if self.full else 2**30}")

    def _count(self, context: Any) -> None:
        self.refused += "full" in str(context.original_exception)

    def fill(self) -> None:
        """Leave no room."""
        self.full = True

    def mend(self) -> None:
        """Make room."""
        self.full = False


@pytest.mark.proof
@only_sqlite
def test_on_a_full_disk_nothing_is_said_unwritten_and_nothing_twice(road: Road, engine: Engine) -> None:
    disk = FullDisk(engine)

    with each_time(road, disk.fill) as failures:
        live(road, disk.mend)

    assert disk.refused > 0
    prove(road, failures)
    assert told_at_once(road)


@pytest.mark.proof
@only_sqlite
def test_while_another_program_locks_the_file_nothing_is_said_unwritten_and_nothing_twice(
    road: Road, engine: Engine
) -> None:
    refused: list[str] = []
    other = sqlite3.connect(engine.url.database or "", isolation_level=None, check_same_thread=False)

    @event.listens_for(engine, "before_cursor_execute")
    def _impatient(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("BEGIN"):  # five seconds of patience, for each of hundreds, would only take longer
            cursor.execute("PRAGMA busy_timeout=20")

    @event.listens_for(engine, "handle_error")
    def _note(context: Any) -> None:
        refused.append(str(context.original_exception))

    def lock() -> None:
        if not other.in_transaction:
            other.execute("PRAGMA busy_timeout=5000")
            other.execute("BEGIN IMMEDIATE")

    def unlock() -> None:
        if other.in_transaction:
            other.execute("ROLLBACK")

    with each_time(road, lock) as failures:
        live(road, unlock)
    other.close()

    assert "database is locked" in refused
    prove(road, failures)
    assert told_at_once(road)


# --- PostgreSQL -------------------------------------------------------------------------------------------------


@pytest.mark.proof
@only_postgresql
def test_when_the_server_crashes_and_comes_back_nothing_is_said_unwritten_and_nothing_twice(
    road: Road, server: Server
) -> None:
    down = threading.Event()

    def crash() -> None:
        if not down.is_set():
            down.set()
            server.stop("immediate")

    def start() -> None:
        if down.is_set():
            server.start()
            down.clear()

    try:
        with each_time(road, crash) as failures:
            live(road, start)
    finally:
        start()

    prove(road, failures)


@pytest.mark.proof
@only_postgresql
def test_when_all_connections_are_cut_nothing_is_said_unwritten_and_nothing_twice(
    road: Road, server: Server, engine: Engine
) -> None:
    cut: list[int] = []

    def end_all() -> None:
        others = f"datname = '{engine.url.database}' AND pid <> pg_backend_pid()"
        cut.append(len(server.tell(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")))

    with each_time(road, end_all) as failures:
        live(road, lambda: None)

    assert sum(cut) > 0
    prove(road, failures)
