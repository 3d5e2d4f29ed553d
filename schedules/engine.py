"""The small port behind which time knocks, and the embedded engine: one process, one file lock, a ticking clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from apscheduler.schedulers.background import BackgroundScheduler
from filelock import FileLock, Timeout

from hub.database import reading
from hub.domain.errors import WrongState
from hub.language import _
from hub.services import delivering
from hub.services.delivering import Agenda, Task
from hub.wiring import Hub, machine_clock
from schedules import dispatch
from schedules.worker import Worker

logger = logging.getLogger("relais.engine")

READERS: Final = 4
"""Readings (figures, reading back, tidying) under way at once."""

JUMP = timedelta(seconds=5)
"""A wall clock that moves so far against the boot-time clock has been set, or the machine slept."""


@dataclass(frozen=True)
class Job:
    """Something that is looked at again and again; `run` returns how much it found to do."""

    task: Task
    every: timedelta
    run: Callable[[Worker], int]
    settles: bool = True
    """Whether what it found is done with afterwards; what cannot be tidied now stays due."""


@dataclass(frozen=True)
class Pulse:
    """How the engine is: whether its clock ticks, how long ago it last did, and what stands in its way."""

    alive: bool
    seconds_since_tick: float | None
    trouble: str | None = None


class Engine(Protocol):
    """What doors may ask of whoever publishes."""

    def wake(self) -> None:
        """Something may be due now: look at once."""

    def run_due(self) -> int:
        """Do everything that is due now, wait for it, and return how much that was."""

    def stop(self) -> None:
        """Stop claiming, finish what is under way up to the deadline, and leave the rest to the leases."""


class Embedded:
    """APScheduler as a ticking clock in this process; the table knows what is due, so a lost tick costs a second."""

    def __init__(self, hub: Hub, jobs: Sequence[Job], *, watch_clock: bool = True) -> None:
        self.hub = hub
        self.jobs = jobs
        self._pool = ThreadPoolExecutor(hub.settings.workers, thread_name_prefix="relais")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="relais-reads")
        self.worker = Worker(hub, self._pool, self._readers, may_begin=self._may_begin)
        self._lock = FileLock(hub.settings.lock_file)
        self._scheduler: BackgroundScheduler | None = None
        self._watch_clock = watch_clock
        self._last_tick: float | None = None
        self._drift: float | None = None
        self._claim_again_at: datetime | None = None
        self._stopping = threading.Event()

    def take_lock(self) -> None:
        """Become the one process that publishes from this home folder; WrongState when another one does."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise WrongState(
                _(
                    "Another Relais is already publishing from {home}. Stop it first, or use another RELAIS_HOME.",
                    home=self.hub.settings.home.resolve(),
                )
            ) from error
        # The lock proves that all earlier owners are dead: what they held is taken back at once.
        dispatch.end_leases(self.worker, others_are_dead=True)

    def start(self) -> None:
        """Take the lock and begin to tick."""
        self.take_lock()
        # A tick that overlaps the last one is skipped on purpose; that is no news, nor is what it says of its jobs.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(timezone="UTC", daemon=True)
        for job in self.jobs:
            self._scheduler.add_job(
                self.tick,
                "interval",
                args=[job],
                id=job.task,
                seconds=job.every.total_seconds(),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        self._last_tick = time.monotonic()
        self._scheduler.start()

    def tick(self, job: Job) -> None:
        """Look once at what a job is for, unless nothing may be begun now."""
        self._last_tick = time.monotonic()
        if self._watch_clock:
            self._look_at_clock()
        if not self._may_begin():
            return
        try:
            job.run(self.worker)
        except Exception as error:  # the clock must go on ticking
            self.worker.ail(job.task, error)
            logger.exception("job=%s failed", job.task)
        else:
            self.worker.heal(job.task)

    def _may_begin(self) -> bool:
        paused = self._claim_again_at is not None and self.hub.now() < self._claim_again_at
        return not paused and not self._stopping.is_set()

    def _look_at_clock(self) -> None:
        """Notice a wall clock that was set, or a machine that slept: then nothing is begun for one lease."""
        now = self.hub.now()
        drift = now.timestamp() - _boot_clock()
        before, self._drift = self._drift, drift
        if before is not None and abs(drift - before) > JUMP.total_seconds():
            self._claim_again_at = now + self.hub.patience.lease
            logger.warning("the clock jumped by %.0f s; nothing is claimed for one lease", drift - before)

    def wake(self) -> None:
        """Tick now."""
        if self._scheduler:
            for job in self.jobs:
                self._scheduler.modify_job(job.task, next_run_time=machine_clock())

    def run_due(self) -> int:
        """Round after round of the jobs that the agenda names, until a round finds nothing to do."""
        done = 0
        while True:
            self.worker.write_down()
            found = 0
            due = self.agenda().due
            for job in self.jobs:
                if job.task in due:
                    number = job.run(self.worker)
                    found += number if job.settles else 0
                    self.worker.finish()
            if not found:
                return done
            done += found

    def agenda(self) -> Agenda:
        """What may be due now, and when the next thing will be."""
        with reading(self.hub.engine) as session:
            return delivering.agenda(session, at=self.hub.now())

    def pulse(self) -> Pulse:
        """How the engine is."""
        alive = self._scheduler is not None and bool(self._scheduler.running)
        since = time.monotonic() - self._last_tick if self._last_tick is not None else None
        return Pulse(alive, since, self.worker.trouble)

    def stop(self) -> None:
        """Stop ticking, wait for calls under way up to the deadline, let go of the lock."""
        self._stopping.set()
        if self._scheduler and self._scheduler.running:
            # Ticks only look and hand over; one that is looking now may still hand over to the pool.
            self._scheduler.shutdown(wait=True)
        finished = self.worker.finish(timeout=self.hub.patience.deadline.total_seconds())
        self.worker.write_down()
        for pool in (self._pool, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)
        if finished:
            self._lock.release()
        else:
            # A free lock would prove that nobody speaks any more; the end of this process frees it.
            logger.warning("calls are still under way; their leases will end by themselves")


def _boot_clock() -> float:
    """Seconds on the clock that also counts sleep, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()
