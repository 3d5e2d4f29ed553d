"""Who works: one process with its calls in flight, and the answers that it could not write down yet."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from functools import partial

from channels import boot_clock
from hub.logs import line
from hub.metrics import Tally
from hub.wiring import Hub

logger = logging.getLogger("relais")

RECORD = "record"
"""The trouble of an outcome that could not be written down."""


@dataclass
class Worker:
    """One process start: its name on leases, its pool, and what it is in the middle of."""

    hub: Hub
    pool: Executor
    readers: Executor
    counters: Executor
    """Who asks for figures, which can wait: whoever looks for what is unknown never waits behind that."""
    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    working: set[int] = field(default_factory=set)
    """Deliveries that this process is working on: their leases are not taken back by itself."""
    may_begin: Callable[[], bool] = lambda: True
    """Whether anything new may be begun: not while stopping, nor after the clock jumped."""
    tally: Tally = field(default_factory=Tally)
    """What this process counts of what it did, for /metrics."""
    boot_clock: Callable[[], float] = boot_clock
    """Seconds that nobody can set: what deadlines are measured by."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _troubles: dict[str, str] = field(default_factory=dict)
    _unrecorded: list[Callable[[], None]] = field(default_factory=list)
    """Writes of outcomes that failed (disk full, database gone): tried again before anything else."""
    _futures: set[Future[None]] = field(default_factory=set)
    _speaking: int = 0
    _counting: int = 0

    @property
    def capacity(self) -> int:
        """How many accounts this process can speak for at once."""
        return self.hub.settings.workers

    @property
    def free(self) -> int:
        """How many more it can speak for now: what is claimed beyond would only wait, and use up its lease."""
        with self._lock:
            return max(0, self.capacity - self._speaking)

    @property
    def counting(self) -> bool:
        """Whether readings of figures are under way or wait for their turn: no more are begun until those are done."""
        with self._lock:
            return self._counting > 0

    @property
    def trouble(self) -> str | None:
        """Why work stands still here, for /healthz; None while all is well."""
        with self._lock:
            return next((f"{what}: {why}" for what, why in self._troubles.items()), None)

    def ail(self, what: str, error: Exception | str) -> None:
        """Something went wrong that is no answer of a network: shown until the same goes well."""
        with self._lock:
            self._troubles[what] = error if isinstance(error, str) else type(error).__name__

    def heal(self, what: str) -> None:
        """It went well."""
        with self._lock:
            self._troubles.pop(what, None)

    def submit(self, task: Callable[[], None], *, what: str, speaks: bool = False, counts: bool = False) -> None:
        """Run a task in a pool; whatever it raises is logged and shown as trouble, never lost.

        `speaks` tells what publishes from what only reads: a slow reading must not keep a post waiting. `counts` tells
        what asks for figures.
        """

        def run() -> None:
            try:
                task()
            except Exception as error:  # a pool has no one above who would see it
                self.ail(f"{what} task", error)
                logger.exception(line(task=what, outcome="failed", error=type(error).__name__))
            else:
                self.heal(f"{what} task")

        with self._lock:
            self._speaking += speaks
            self._counting += counts
        pool = self.pool if speaks else self.counters if counts else self.readers
        try:
            future = pool.submit(run)
        except BaseException:
            with self._lock:
                self._speaking -= speaks
                self._counting -= counts
            raise
        with self._lock:
            self._futures.add(future)
        future.add_done_callback(partial(self._forget, speaks=speaks, counts=counts))

    def _forget(self, future: Future[None], *, speaks: bool, counts: bool) -> None:
        with self._lock:
            self._futures.discard(future)
            self._speaking -= speaks
            self._counting -= counts

    def finish(self, timeout: float | None = None) -> bool:
        """Wait until nothing is in flight; False when time ran out first."""
        while True:
            with self._lock:
                pending = set(self._futures)
            if not pending:
                return True
            if wait(pending, timeout=timeout).not_done:
                return False

    def record(self, write: Callable[[], None]) -> None:
        """Write an outcome down; when the store fails, keep it in memory and try again before anything new is begun."""
        try:
            write()
        except Exception as error:  # a full disk must not lose what the network said
            # The outcome is kept in memory, and written before anything new is begun.
            logger.exception(line(task=RECORD, outcome="kept", error=type(error).__name__))
            self.ail(RECORD, error)
            with self._lock:
                self._unrecorded.append(write)

    def write_down(self) -> bool:
        """Try again what could not be recorded; False while that still fails, and nothing new may be begun."""
        with self._lock:
            kept, self._unrecorded = self._unrecorded, []
        for write in kept:
            self.record(write)
        with self._lock:
            left = bool(self._unrecorded)
        if kept and not left:
            self.heal(RECORD)
        return not left
