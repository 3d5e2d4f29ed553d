"""The small port behind which time knocks, and what its engines share: jobs, threads, and an eye on the clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from channels import boot_clock
from hub.database import reading, writing
from hub.logs import line, seconds
from hub.services import delivering, reconciling
from hub.services.delivering import Agenda, Task
from hub.wiring import Hub
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
    listed: bool = True
    """Whether the agenda tells when it is due; what it does not tell is looked at every so often."""
    alone: bool = False
    """Whether one process at a time may do it: what it does has no row of its own to lock."""


@dataclass(frozen=True)
class Pulse:
    """How an engine is: whether its clock ticks, how long ago it last did, and what stands in its way."""

    alive: bool
    seconds_since_tick: float | None
    trouble: str | None = None


class Engine:
    """What doors may ask of whoever publishes; the table knows what is due, so a lost knock costs a second."""

    def __init__(self, hub: Hub, jobs: Sequence[Job], *, watch_clock: bool = True) -> None:
        self.hub = hub
        self.jobs = jobs
        self._pool = ThreadPoolExecutor(hub.settings.workers, thread_name_prefix="relais")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="relais-reads")
        self._counters = ThreadPoolExecutor(READERS, thread_name_prefix="relais-counts")
        self.worker = Worker(hub, self._pool, self._readers, self._counters, may_begin=self._may_begin)
        self._watch_clock = watch_clock
        self.boot_clock: Callable[[], float] = boot_clock
        self._last_tick: float | None = None
        self._drift: float | None = None
        self._claim_again_at: datetime | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to publish in this process, in threads of its own."""
        raise NotImplementedError

    def wake(self) -> None:
        """Something may be due now: look at once."""
        raise NotImplementedError

    def run_due(self) -> int:
        """Do everything that is due now, wait for it, and return how much that was."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop claiming, finish what is under way up to the deadline, and leave the rest to the leases."""
        raise NotImplementedError

    # --- what all engines do alike ---

    def agenda(self) -> Agenda:
        """What may be due now, and when the next thing will be."""
        with reading(self.hub.engine) as session:
            return delivering.agenda(session, at=self.hub.now())

    def pulse(self) -> Pulse:
        """How the engine is."""
        since = time.monotonic() - self._last_tick if self._last_tick is not None else None
        return Pulse(self._is_alive(), since, self.worker.trouble)

    def _is_alive(self) -> bool:
        return not self._stopping.is_set()

    def _ticked(self) -> None:
        """Note that time knocked, and look at the clock by which it did."""
        self._last_tick = time.monotonic()
        if self._watch_clock:
            self._look_at_clock()

    def _run(self, job: Job) -> int:
        """Look once at what a job is for; what goes wrong is shown as trouble, and time goes on knocking."""
        try:
            number = job.run(self.worker)
        except Exception as error:  # the clock must go on ticking
            self.worker.ail(job.task, error)
            logger.exception(line(task=job.task, outcome="failed", error=type(error).__name__))
            return 0
        self.worker.heal(job.task)
        return number

    def _may_begin(self) -> bool:
        paused = self._claim_again_at is not None and self.hub.now() < self._claim_again_at
        return not paused and not self._stopping.is_set()

    def _look_at_clock(self) -> None:
        """Notice a wall clock that was set, or a machine that slept: then nothing is begun for one lease."""
        now = self.hub.now()
        drift = now.timestamp() - self.boot_clock()
        before = self._drift
        if before is not None and abs(drift - before) > JUMP.total_seconds():
            self._claim_again_at = now + self.hub.patience.lease
            # Nothing is claimed for one lease.
            logger.warning(line(task="clock", outcome="jumped", by=seconds(drift - before)))
            # If this cannot be written, the next tick finds the jump again.
            with writing(self.hub.engine) as session:
                reconciling.wait_anew(session, at=now)
        self._drift = drift

    def _finish(self) -> bool:
        """Wait for calls under way up to the deadline; whether all of them ended."""
        finished = self.worker.finish(timeout=self.hub.patience.deadline.total_seconds())
        self.worker.write_down()
        for pool in (self._pool, self._readers, self._counters):
            pool.shutdown(wait=False, cancel_futures=True)
        if not finished:
            # Their leases will end by themselves.
            logger.warning(line(task="stop", outcome="calls-under-way"))
        return finished
