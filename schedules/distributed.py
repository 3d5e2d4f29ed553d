"""The engine of many machines: Procrastinate carries bells between processes that share one PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import platform
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any, Final

from procrastinate import App, PsycopgConnector
from procrastinate.worker import Worker as BellWorker
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import text

from hub import __version__, bell
from hub.database import DatabaseTrouble, alone, is_current, writing
from hub.language import _
from hub.logs import line
from hub.services import attending, delivering
from hub.services.delivering import Task
from hub.wiring import Hub, machine_clock
from schedules.engine import Engine, Job

logger = logging.getLogger("relais.engine")

BELLS_AT_ONCE: Final = 4
CONNECTIONS: Final = BELLS_AT_ONCE + 3
OPENING: Final = 5.0
"""Seconds that a server may take to answer; then it is asked again."""

PRESENT_EVERY: Final = 5.0
"""Seconds between two words of a process that it is there."""

AGAIN_AFTER: Final = (1.0, 2.0, 5.0, 10.0)
"""Seconds until a database that was lost is asked again."""

CLOCK_OFF: Final = timedelta(seconds=60)
"""A machine whose clock is further off the database's signs calls that networks refuse."""


class Distributed(Engine):
    """One of several processes that publish: a bell means “look”, and whoever hears it claims a batch."""

    def __init__(self, hub: Hub, jobs: Sequence[Job], *, watch_clock: bool = True) -> None:
        super().__init__(hub, jobs, watch_clock=watch_clock)
        # Every bell would be a line, and every lost connection a page; what matters of that we say ourselves.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._found = 0
        self._counting = threading.Lock()
        self._next: dict[Task, float] = {}
        self._present_at: float | None = None
        self._heard_from = 0.0
        """When the bell last worked."""
        self._clock_off = False
        self._outdated: DatabaseTrouble | None = None
        self._runner = asyncio.Runner()
        self._steps = ThreadPoolExecutor(1, thread_name_prefix="relais-steps")
        self._app: App | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    # --- bells ---

    def _build(self) -> App:
        app = App(connector=PsycopgConnector(**bell.connection_options(self.hub.engine), max_size=CONNECTIONS))
        app.task(name=bell.BELL, queue=bell.QUEUE)(self.hear)
        return app

    def hear(self) -> None:
        """Somebody rang: look at all that may be due, and take a batch of it."""
        if not self._may_begin():
            return
        try:
            self._take()
        except Exception as error:
            # Procrastinate would throw it away together with the bell.
            self.worker.ail("hearing", error)
            logger.exception(line(task="hear", outcome="failed", error=type(error).__name__))
        else:
            self.worker.heal("hearing")

    def _take(self) -> None:
        due = self.agenda().due
        claimed = 0
        for job in self.jobs:
            if job.task in due:
                number = self._once(job)
                claimed = number if job.task is Task.DISPATCH else claimed
        if claimed >= self.worker.capacity:
            # As much as this process can do at once: there may be work for another.
            self.wake()

    def knock(self) -> None:
        """Once a second, one of all processes: ring as many bells as there is work for."""
        hub, at = self.hub, self.hub.now()
        with writing(hub.engine) as session:
            connection = session.connection()
            if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('relais knock'))")):
                return
            bell.close_orphans(connection)
            if not delivering.agenda(session, at=at).due:
                return
            alive = attending.alive(session, at=at)
            batches = math.ceil(delivering.accounts_due(session, at=at) / hub.settings.workers)
            # Who is in trouble hears bells as well, and can do nothing about them.
            wanted = max(1, min(batches + sum(one.trouble is not None for one in alive), len(alive)))
            for _missing in range(bell.waiting(connection), wanted):
                bell.ring(connection)

    def wake(self) -> None:
        """Ring once."""
        with writing(self.hub.engine) as session:
            bell.ring(session.connection())

    def _once(self, job: Job) -> int:
        """Do one look of a job; one that must be alone is left to whoever is at it already."""
        if not job.alone:
            number = self._run(job)
        else:
            with alone(self.hub.engine, f"relais {job.task}") as free:
                number = self._run(job) if free else 0
        with self._counting:
            self._found += number if job.settles else 0
        return number

    # --- for as long as the process lives ---

    def run(self) -> None:
        """Publish until told to stop; DatabaseTrouble when the database was brought to another version meanwhile."""
        asyncio.run(self._live())
        if self._outdated is not None:
            raise self._outdated

    def start(self) -> None:
        """Publish in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="relais-bells")
        self._thread.start()

    async def _live(self) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        if self._stopping.is_set():  # told before there was anybody to tell
            return
        beat = asyncio.create_task(self._beat())
        lost = 0
        while not self._stopping.is_set():
            before = time.monotonic()
            error = "its connection was lost"  # of which Procrastinate says nothing when it stops by itself
            try:
                await self._serve()
            except Exception as wrong:  # noqa: BLE001 - the database went away, in whichever of its many ways
                error = type(wrong).__name__
            if self._stopping.is_set():
                break
            lost = 0 if self._heard_from > before else lost + 1
            self.worker.ail("bell", error)
            logger.warning(line(task="bell", outcome="lost", error=error))
            await self._pause(AGAIN_AFTER[min(lost, len(AGAIN_AFTER) - 1)])
        await beat

    async def _serve(self) -> None:
        """Hear bells until told to stop, or until the database goes away."""
        async with self._opened() as app:
            self.worker.heal("bell")
            self._heard_from = time.monotonic()
            await self._answer(app, wait=True)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[App]:
        """Procrastinate with connections of its own; cancelled while they open, they would leave a task for ever."""
        app = self._build()
        kept = bell.connection_options(self.hub.engine)
        check = AsyncConnectionPool.check_connection
        async with AsyncConnectionPool(**kept, min_size=1, max_size=CONNECTIONS, open=False, check=check) as pool:
            await pool.open(wait=True, timeout=OPENING)
            await app.open_async(pool)
            yield app

    async def _answer(self, app: App, *, wait: bool) -> None:
        """Run Procrastinate's own worker until told to stop, or, without `wait`, until no bell is left."""
        worker = BellWorker(
            app,
            queues=[bell.QUEUE],
            concurrency=BELLS_AT_ONCE,
            wait=wait,
            listen_notify=wait,
            fetch_job_polling_interval=1.0,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=PRESENT_EVERY,
            stalled_worker_timeout=float(bell.ALIVE_SECONDS),
            shutdown_graceful_timeout=self.hub.patience.deadline.total_seconds(),
        )
        running = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
        if wait:
            await self._unless_told(running)
            while not running.done():
                # It forgets what it was told before it began: told again until it ends.
                worker.stop()  # type: ignore[no-untyped-call]
                await asyncio.wait({running}, timeout=0.2)
        await running

    async def _unless_told(self, task: asyncio.Task[None]) -> None:
        """Wait for a task, or for word to stop."""
        assert self._told is not None
        told = asyncio.create_task(self._told.wait())
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        await asyncio.wait({told})

    async def _pause(self, seconds: float) -> None:
        """Wait, unless told to stop."""
        await asyncio.to_thread(self._stopping.wait, seconds)

    async def _beat(self) -> None:
        """Each second, in every process: the clock, what could not be written down, and word that we are here."""
        while not self._stopping.is_set():
            await asyncio.to_thread(self._look_around)
            await self._pause(1.0)

    def _look_around(self) -> None:
        try:
            self._ticked()
            self.worker.write_down()
            self._say_present()
            # Not by Procrastinate's own clock: that is this machine's, and stands still when it is set back.
            self.knock()
            if self._may_begin():
                self._do_unlisted()
        except Exception as error:  # noqa: BLE001 - the database is away for a while; the next second tries again
            self.worker.ail("database", error)
            logger.warning(line(task="beat", outcome="missed", error=type(error).__name__))
        else:
            self.worker.heal("database")

    def _do_unlisted(self) -> None:
        """What no agenda names is looked at now and then, in every process; a slow mail server keeps nobody waiting."""
        now = time.monotonic()
        for job in self.jobs:
            if not job.listed and now >= self._next.get(job.task, 0):
                # Until it has ended, it is not begun again.
                self._next[job.task] = math.inf
                self.worker.submit(partial(self._do_one_unlisted, job), what=job.task)

    def _do_one_unlisted(self, job: Job) -> None:
        try:
            self._once(job)
        finally:
            self._next[job.task] = time.monotonic() + job.every.total_seconds()

    def _look_at_clock(self) -> None:
        super()._look_at_clock()
        off = machine_clock() - self.hub.now()
        if abs(off) > CLOCK_OFF:
            self._clock_off = True
            seconds = f"{abs(off).total_seconds():.0f}"
            self.worker.ail("clock", _("the clock of this machine is {seconds} s off the database's", seconds=seconds))
        elif self._clock_off:
            self._clock_off = False
            self.worker.heal("clock")

    def _may_begin(self) -> bool:
        return super()._may_begin() and not self._clock_off and self._outdated is None

    def _compare_version(self) -> None:
        """A program must not go on with tables that another version has changed under it."""
        if not is_current(self.hub.engine):
            self._outdated = DatabaseTrouble(
                _("The database was brought to another version of Relais. Install the same one here, then start again.")
            )
            self.tell_to_stop()

    def _say_present(self) -> None:
        now = time.monotonic()
        if self._present_at is not None and now < self._present_at + PRESENT_EVERY:
            return
        self._compare_version()
        with writing(self.hub.engine) as session:
            attending.say_present(
                session,
                self.worker.owner,
                host=platform.node() or "?",
                pid=os.getpid(),
                version=__version__,
                trouble=self.worker.trouble,
                at=self.hub.now(),
            )
        self._present_at = now

    def _is_alive(self) -> bool:
        return self._loop is not None and not self._stopping.is_set()

    def tell_to_stop(self) -> None:
        """Begin to stop; safe from a signal and from any thread."""
        self._stopping.set()
        if self._loop is not None and self._told is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._told.set)

    def stop(self) -> None:
        """Hear no more bells, wait for calls under way up to the deadline; the rest is left to the leases."""
        self.tell_to_stop()
        if self._thread is not None:
            self._thread.join()
        if self._app is not None:
            self._step(self._close(self._app))
            self._steps.submit(self._runner.close).result()
        self._steps.shutdown()
        self._finish()
        if self._present_at is not None:
            with contextlib.suppress(Exception), writing(self.hub.engine) as session:
                attending.say_gone(session, self.worker.owner)

    # --- one step at a time ---

    def run_due(self) -> int:
        """Ring, let the bells be heard until none is left, and again until there is nothing more to find."""
        if self._app is None:
            self._app = self._build()
            self._step(self._open(self._app))
        done = 0
        while True:
            self.worker.write_down()
            self._found = 0
            if self.agenda().due:
                self.wake()
                self._step(self._answer(self._app, wait=False))
                self.worker.finish()
            if not self._found:
                return done
            done += self._found

    def _step(self, step: Coroutine[Any, Any, None]) -> None:
        """Run one step in a thread of its own: who calls may have a loop running in theirs."""
        self._steps.submit(self._runner.run, step).result()

    @staticmethod
    async def _open(app: App) -> None:
        await app.open_async()

    @staticmethod
    async def _close(app: App) -> None:
        await app.close_async()
