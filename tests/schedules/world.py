"""A world in one thread: workers whose tasks are greenlets, a clock and a network that we rule, and a judge.

The code under test is the real one: `schedules.worker.Worker` with the jobs of `schedules.runner`, on a SQLite file.
Its pool starts greenlets, and each of them stops before every transaction, before and after every call to a
network, and at its beginning. Whoever rules the world says who goes on next, or never does: a killed worker's
greenlets are not resumed, as after `kill -9`; a frozen worker's are resumed later. No greenlet stops inside an open
transaction, and no call is made inside one.

Out of reach, here as in life: a post that is shown later than `sure_after` after its call was made; a process that
stands still between the last look at the deadline and the first byte; the same words posted by a stranger's hand
on the page; and people who say that a post is not there although it can be seen.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from channels import Message
from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.delivery import Action, DeliveryState
from hub.domain.errors import HubError
from hub.services import connecting, delivering, drafting, holding, resolving
from hub.services.delivering import Agenda, Task
from schedules import dispatch
from schedules.engine import Job
from schedules.runner import JOBS
from schedules.worker import Worker
from tests.schedules.judge import Broken, Judge
from tests.schedules.network import Fault, Post, Truth, TruthfulChannel
from tests.schedules.scenery import Scenery, approve

S = DeliveryState
P = ParamSpec("P")
T = TypeVar("T")

JOB: Final[dict[str, Job]] = {
    job.task.value: job for job in JOBS if job.task not in {Task.COLLECT, Task.PAGES, Task.MAIL}
}
"""What time knocks for here: counting figures and writing letters change no delivery."""

CALM: Final = timedelta(hours=1)
"""So long after the last fault everything is settled."""


MOST_ROUNDS: Final = 60
"""So often may there be something new to do at one and the same moment."""


class Killed(GreenletExit):  # type: ignore[misc]
    """Thrown into what is left of dead workers once their world is over, so that nothing of them lingers."""


@dataclass(eq=False)
class Strand:
    """One thing that a worker is in the middle of."""

    name: str
    worker: Process
    let: Any
    job: str | None = None
    """The job that it looks after, if it is a knock; one at a time for each job, as the real clock does it."""
    where: str = "begins"
    inside: bool = False
    """Whether it has a transaction open."""
    asleep_until: datetime | None = None
    """Until when it hangs, alone in its process."""


@dataclass(eq=False)
class Process:
    """A worker process."""

    name: str
    worker: Worker
    strands: list[Strand] = field(default_factory=list)
    alive: bool = True
    frozen: bool = False

    @property
    def runs(self) -> bool:
        """Whether its strands may go on."""
        return self.alive and not self.frozen


class Greenlets(Executor):
    """A pool that begins greenlets instead of threads."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin one; it runs when it is told to."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                answer = fn(*args, **kwargs)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(answer)

        self._world.begin(self._world.processes[self._name], "task", run)
        return future


@dataclass
class Ruler:
    """What chance (or an example) decides; here nothing ever goes wrong."""

    two_step: bool = False
    refuses_repeats: bool = False

    def fault(self, call: str) -> Fault:
        """How this call goes."""
        return Fault.NONE

    def store_fails(self) -> bool:
        """Whether the database refuses the next transaction."""
        return False

    def lateness(self) -> timedelta:
        """How late this post is shown; at most `sure_after`."""
        return timedelta(0)

    def reset_after(self) -> timedelta | None:
        """How long a throttled account is told to wait."""
        return None

    def use_is_up_for(self) -> timedelta | None:
        """How long the network wants to hear nothing more."""
        return None

    def jitter(self) -> float:
        """In 0..1."""
        return 1.0


class World:
    """Everything that there is, and everything that may happen to it."""

    def __init__(self, stage: Scenery, ruler: Ruler, *, posts: list[str], at: datetime) -> None:
        stage.lay_out(posts)
        self.stage, self.ruler, self.at, self.began_at = stage, ruler, at, at
        self.post_ids = dict(stage.posts)
        self.truth = Truth()
        self.trace: list[str] = []
        self.processes: dict[str, Process] = {}
        self.current: Strand | None = None
        self.over = False
        self.store_failed = False
        self.broken: Broken | None = None
        self.calm = False
        self._main = getcurrent()
        self.hub = replace(
            stage.hub,
            now=self.now,
            channel_for=lambda account: TruthfulChannel(self, account),
            jitter=ruler.jitter,
        )
        self.judge = Judge(stage.file, self.truth, self.hub.patience)
        self.judge.look(at)
        for name, listener in self._listeners.items():
            event.listen(stage.engine, name, listener)

    @property
    def _listeners(self) -> dict[str, Callable[..., None]]:
        return {
            "engine_connect": self._on_connect,
            "begin": self._on_begin,
            "commit": self._on_end,
            "rollback": self._on_end,
        }

    def close(self) -> None:
        """Let go of everything; what dead workers were in the middle of ends without touching the database."""
        self.over = True
        for process in self.processes.values():
            for strand in process.strands:
                while strand.let:
                    strand.let.throw(Killed)
        for name, listener in self._listeners.items():
            event.remove(self.stage.engine, name, listener)
        self.judge.close()

    # --- strands ---

    def begin(self, process: Process, name: str, run: Callable[[], None], *, job: str | None = None) -> None:
        """Begin a strand; it does nothing yet."""
        process.strands.append(Strand(name, process, greenlet(run, parent=self._main), job))

    def resume(self, strand: Strand) -> None:
        """Let a strand go on to where it stops next."""
        self.note(f"{strand.worker.name} {strand.name}: goes on ({strand.where})")
        self.current = strand
        try:
            strand.let.switch()
        finally:
            self.current = None
            if not strand.let:
                strand.worker.strands.remove(strand)
        if self.broken is not None:
            raise self.broken
        self.judge.look(self.at)

    def runnable(self) -> list[Strand]:
        """What may go on."""
        return [
            strand
            for process in self.processes.values()
            if process.runs
            for strand in process.strands
            if strand.asleep_until is None or strand.asleep_until <= self.at
        ]

    def sleep(self, strand: Strand, span: timedelta) -> None:
        """Let one strand hang: a slow disk, a call that drips, a thread that nobody wakes."""
        self.note(f"{strand.worker.name} {strand.name}: hangs for {span.total_seconds():.0f} s ({strand.where})")
        strand.asleep_until = self.at + span

    def pause(self, where: str) -> None:
        """Stop here; who is not a strand (people, the ruler) goes straight on."""
        if self.over:
            raise Killed
        strand = self.current
        if strand is None:
            return
        if strand.inside:
            self.broken = Broken(f"{strand.name} speaks ({where}) while its transaction is open")
            raise self.broken
        strand.where = where
        self._main.switch()
        if self.over:
            raise Killed

    def _on_connect(self, connection: Any) -> None:
        self.pause("a transaction begins")

    def _on_begin(self, connection: Any) -> None:
        if self.current is None:
            return
        if not self.calm and self.ruler.store_fails():
            self.store_failed = True
            self.note("  the database is full")
            raise OperationalError("BEGIN", {}, sqlite3.OperationalError("database or disk is full"))
        self.current.inside = True

    def _on_end(self, connection: Any) -> None:
        if self.current is not None:
            self.current.inside = False

    # --- processes ---

    def start(self, *, others_are_dead: bool = False) -> Process:
        """Start a worker process."""
        name = f"w{len(self.processes) + 1}"
        pool = Greenlets(self, name)
        worker = Worker(self.hub, pool, pool, pool, owner=name, boot_clock=self.boot_clock)
        process = self.processes[name] = Process(name, worker)
        self.note(f"{name} starts")
        if others_are_dead:
            self.begin(process, "start", lambda: self._try(process, "start", lambda: self._take_over(worker)))
        return process

    def _take_over(self, worker: Worker) -> None:
        dispatch.end_leases(worker, others_are_dead=True)

    def kill(self, process: Process) -> None:
        """As `kill -9` does it."""
        self.note(f"{process.name} is killed; in the middle of: {[strand.where for strand in process.strands]}")
        process.alive = False

    def freeze(self, process: Process) -> None:
        """As SIGSTOP does it."""
        self.note(f"{process.name} freezes; in the middle of: {[strand.where for strand in process.strands]}")
        process.frozen = True

    def thaw(self, process: Process) -> None:
        """As SIGCONT does it."""
        self.note(f"{process.name} thaws")
        process.frozen = False

    def knock(self, process: Process, task: str) -> bool:
        """Time knocks at a worker for one of its jobs; not while it still looks after the last knock for it."""
        if any(strand.job == task for strand in process.strands):
            return False
        self.note(f"{process.name} is knocked at for {task}")
        job = JOB[task]
        self.begin(process, task, lambda: self._try(process, task, lambda: job.run(process.worker)), job=task)
        return True

    def _try(self, process: Process, name: str, run: Callable[[], object]) -> None:
        """As the engine's tick does it: the clock goes on ticking whatever happens."""
        try:
            run()
        except Exception as error:
            process.worker.ail(name, error)
        else:
            process.worker.heal(name)

    # --- clock ---

    def now(self) -> datetime:
        """The hub's clock."""
        return self.at

    def boot_clock(self) -> float:
        """The same in seconds, as the clock that nobody can set."""
        return (self.at - self.began_at).total_seconds()

    def forward(self, span: timedelta) -> None:
        """Time passes."""
        self.at += span
        self.note(f"it is {self.at:%H:%M:%S}")

    # --- what the network asks ---

    @property
    def two_step(self) -> bool:
        """Whether pages make a draft first, for every post."""
        return self.ruler.two_step

    @property
    def refuses_repeats(self) -> bool:
        """Whether the network knows its own posts."""
        return self.ruler.refuses_repeats

    def fault(self, call: str) -> Fault:
        """How a call goes."""
        fault = Fault.NONE if self.calm else self.ruler.fault(call)
        self.note(f"  {call} {fault}")
        return fault

    def lateness(self) -> timedelta:
        """How late a post is shown."""
        late = timedelta(0) if self.calm else self.ruler.lateness()
        if late:
            self.note(f"  it is shown {late.total_seconds():.0f} s later")
        return late

    def reset_at(self) -> datetime | None:
        """Until when a throttled account waits."""
        span = self.ruler.reset_after()
        return None if span is None else self.at + span

    def use_is_up_until(self) -> datetime | None:
        """Until when the network wants to hear nothing more."""
        span = None if self.calm else self.ruler.use_is_up_for()
        return None if span is None else self.at + span

    def making(self, message: Message) -> None:
        """A post is made."""
        self.note(f"  posted: {message.text}")
        self._break_if(lambda: self.judge.making(message, self.at))

    def removing(self, post: Post) -> None:
        """A post is taken down."""
        self.note(f"  taken down: {post.remote_id}")
        self._break_if(lambda: self.judge.removing(post))

    def _break_if(self, judge: Callable[[], None]) -> None:
        """Judge in the middle of a call: the code under test survives whatever a call raises, so it is kept here."""
        try:
            judge()
        except Broken as broken:
            self.broken = broken
            raise

    # --- people ---

    def people(self, what: str, deed: Callable[[Session], object]) -> bool:
        """What a person does, in one go; whether the hub let them."""
        try:
            with writing(self.stage.engine) as session:
                deed(session)
        except HubError as error:
            self.note(f"people: {what}: {error}")
            return False
        self.note(f"people: {what}")
        self.judge.look(self.at)
        return True

    def withdraw(self, name: str) -> bool:
        """The author takes a post back."""
        by, number = self.stage.people["coordinator"], self.post_ids[name]
        return self.people(f"withdraw {name}", lambda session: drafting.withdraw(session, number, by=by, at=self.at))

    def approve(self, name: str) -> bool:
        """Somebody else approves a post that was handed in."""
        by, number = self.stage.people["deputy"], self.post_ids[name]
        return self.people(f"approve {name}", lambda session: approve(session, self.hub, number, by=by, at=self.at))

    def hold(self) -> bool:
        """Stop everything."""
        return self.people("hold", lambda session: holding.hold(session, reason="Panne", by="operator", at=self.at))

    def release(self) -> bool:
        """Let everything go on."""
        return self.people("release", lambda session: holding.release(session, by="operator", at=self.at))

    def pause_account(self, account_id: int) -> bool:
        """Let nothing go out on an account."""
        return self.people(
            f"pause account {account_id}",
            lambda session: connecting.pause(session, account_id, reason="Essai", by="operator", at=self.at),
        )

    def resume_account(self, account_id: int) -> bool:
        """A check finds an account well, and a person lets it go on."""
        connecting.check_account(self.hub, account_id, by="operator")
        return self.people(
            f"resume account {account_id}",
            lambda session: connecting.resume(session, account_id, by="operator", at=self.at),
        )

    def resolve(self, delivery_id: int, *, send: bool) -> bool:
        """A person looks at the page and decides: what can be seen is said to be there, anything else as they like."""
        row = self.judge.rows[delivery_id]
        seen = [post for post in self.truth.of(row.key) if post.visible(self.at)]
        if row.state is S.REVIEW and seen:
            action, remote_id = Action.FOUND, seen[0].remote_id
        else:
            action, remote_id = (Action.SEND if send else Action.GIVE_UP), None
        by = self.stage.people["coordinator"]
        return self.people(
            f"{action} delivery {delivery_id}",
            lambda session: resolving.resolve(
                session, delivery_id, action, by=by, at=self.at, patience=self.hub.patience, remote_id=remote_id
            ),
        )

    def take_down(self, delivery_id: int) -> bool:
        """A person has a post taken down."""
        by = self.stage.people["coordinator"]
        return self.people(
            f"take down delivery {delivery_id}",
            lambda session: resolving.request_removal(session, delivery_id, by=by, at=self.at, reason="Erreur"),
        )

    # --- the end ---

    def agenda(self) -> Agenda:
        """What the real engine would find due."""
        with reading(self.stage.engine) as session:
            return delivering.agenda(session, at=self.at)

    def accounts(self) -> list[Account]:
        """The accounts as they stand."""
        with reading(self.stage.engine) as session:
            return connecting.list_accounts(session)

    def settle(
        self,
        *,
        next_of: Callable[[list[Strand]], Strand] = lambda strands: strands[0],
        nap: timedelta = timedelta(0),
    ) -> None:
        """No fault any more: let one worker follow its agenda for an hour, and judge what is left.

        What was frozen wakes after a `nap`, and finds what became of its work meanwhile.
        """
        self.note("--- no fault from here on ---")
        self.calm = True
        end = self.at + CALM
        for process in self.processes.values():
            if process.alive and process.frozen:
                self.thaw(process)
                for strand in process.strands:
                    self.sleep(strand, nap)
        self.release()
        process = self._most_awake() or self.start()
        rounds = 0
        while True:
            if self._round(process, next_of):
                if (rounds := rounds + 1) > MOST_ROUNDS:
                    raise Broken("work goes round in circles")
                continue
            rounds = 0
            following = min([moment for moment in (self.agenda().next_at, *self._wakings()) if moment], default=end)
            if following >= end:
                break
            self.forward(following - self.at)
        self.at = end
        self.judge.end(end)
        if not self.store_failed:
            for one in self.processes.values():
                if one.worker.trouble is not None:
                    raise Broken(f"{one.name} is in trouble though the database never failed: {one.worker.trouble}")

    def _most_awake(self) -> Process | None:
        """The living process with the fewest strands that hang."""
        alive = [process for process in self.processes.values() if process.alive]
        return min(alive, key=lambda one: sum(strand.asleep_until is not None for strand in one.strands), default=None)

    def _wakings(self) -> list[datetime]:
        """When strands that hang go on."""
        return [
            strand.asleep_until
            for process in self.processes.values()
            if process.alive
            for strand in process.strands
            if strand.asleep_until is not None and strand.asleep_until > self.at
        ]

    def _round(self, process: Process, next_of: Callable[[list[Strand]], Strand]) -> bool:
        """Do what is due now; whether anything came of it."""
        before, due = self.judge.version, self.agenda().due
        for task in JOB:
            if task in due:
                self.knock(process, task)
            self.finish(next_of)
        return self.judge.version != before

    def finish(self, next_of: Callable[[list[Strand]], Strand] = lambda strands: strands[0]) -> None:
        """Let everything that was begun come to its end."""
        while strands := self.runnable():
            self.resume(next_of(strands))

    def note(self, words: str) -> None:
        """One more line of what happened."""
        self.trace.append(words)


@contextmanager
def quiet() -> Iterator[None]:
    """Faults by the hundred are no news here."""
    logger = logging.getLogger("relais")
    before, logger.level = logger.level, logging.CRITICAL + 1
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logger.level = before
        logging.disable(logging.NOTSET)
