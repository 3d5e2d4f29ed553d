"""The engine of one machine: APScheduler as a ticking clock inside `relais serve`, guarded by a file lock."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from apscheduler.schedulers.background import BackgroundScheduler
from filelock import FileLock, Timeout

from hub.database import reading
from hub.domain.errors import WrongState
from hub.language import _
from hub.services import moving
from hub.wiring import Hub, machine_clock
from schedules import dispatch
from schedules.engine import Engine, Job


class Embedded(Engine):
    """Ticks in this process; jobs are in memory only."""

    def __init__(self, hub: Hub, jobs: Sequence[Job], *, watch_clock: bool = True) -> None:
        super().__init__(hub, jobs, watch_clock=watch_clock)
        self._lock = FileLock(hub.settings.lock_file)
        self._scheduler: BackgroundScheduler | None = None

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
        try:
            # Looked at under the lock, which a copy holds too until it has left its mark.
            with reading(self.hub.engine) as session:
                moving.require_here(session)
        except BaseException:
            self._lock.release()
            raise
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
        self._ticked()
        if self._may_begin():
            self._run(job)

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

    def _is_alive(self) -> bool:
        return self._scheduler is not None and bool(self._scheduler.running)

    def stop(self) -> None:
        """Stop ticking, wait for calls under way up to the deadline, let go of the lock."""
        self._stopping.set()
        if self._scheduler and self._scheduler.running:
            # Ticks only look and hand over; one that is looking now may still hand over to the pool.
            self._scheduler.shutdown(wait=True)
        if self._finish():
            # A free lock proves that nobody speaks any more; otherwise the end of this process frees it.
            self._lock.release()
