"""Processes that publish until they kill or freeze themselves at a chosen point; tests order them from a nursery.

`python -m tests.schedules.dying` reads one order per line and tells, per line, what became of it. It has one thread and
opens nothing itself, so whoever it forks is a process like any other, without the second and a half of getting ready.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import requests
from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import configure_mappers
from sqlmodel import Session
from sqlmodel import select as sql_select

from channels import Channel, Deadline, Message, Prepared, Receipt
from hub.database import build_engine, writing
from hub.domain.account import Account
from hub.domain.errors import WrongState
from hub.domain.person import Actor, Person
from hub.services import approving, drafting, geotargeting, joining
from hub.services.delivering import Task
from hub.settings import Settings
from hub.wiring import Hub, wire
from schedules import distributed, runner
from schedules.embedded import Embedded
from tests.schedules.disk import Disk

ENGINES: Final = (Embedded, distributed.Distributed)
"""Both are loaded before anything is forked."""

NOWHERE: Final = "nowhere"


@dataclass(frozen=True)
class Order:
    """What a process shall do: publish in that home from a moment on, and stop being at a point."""

    home: str
    url: str
    sandbox: str
    at: str
    until: str
    point: str = NOWHERE
    how: int = int(signal.SIGKILL)
    """SIGKILL: as after a power cut; SIGSTOP: frozen."""
    seed: int = 0
    post_id: int = 0
    """The post that a person approves, or takes back, meanwhile."""
    words: str = ""
    """Only what says this is struck; nothing given: whatever comes first."""
    workers: int = 4
    """At how many accounts it works at once: with one, it is known what else it is in the middle of (nothing)."""
    together: bool = False
    """Whether others work beside it: then time goes on only once nothing is due any more, for anybody."""
    lease: float = 10
    deadline: float = 5


class SharedClock:
    """A clock in a file, which the sandbox and all processes go by: it stands until somebody moves it."""

    def __init__(self, home: Path, sandbox: str = "") -> None:
        self._file, self._sandbox = home / "now", sandbox

    def __call__(self) -> datetime:
        """This moment."""
        return datetime.fromisoformat(self._file.read_text(encoding="ascii"))

    def set(self, at: datetime) -> None:
        """Move it, and the sandbox's with it."""
        unfinished = self._file.with_name(f"now.{os.getpid()}")
        unfinished.write_text(at.isoformat(), encoding="ascii")
        unfinished.replace(self._file)
        if self._sandbox:
            requests.post(f"{self._sandbox}/_sandbox/clock", json={"now": at.isoformat()}, timeout=20)


class Fate:
    """Where this process ends; its point is reached once."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.point = order.point
        self.withdraw: Callable[[], None] = lambda: None
        self.speaking: Callable[[], None] = lambda: None
        self._here = threading.local()
        self._unstruck = threading.Lock()

    def strike(self) -> None:
        """End, or freeze, at once and without a word; two threads may come here together, and one is enough."""
        if self._unstruck.acquire(blocking=False):
            self.point = NOWHERE
            # To this very thread: it does not come back from here, while the process as a whole might stop a bit later.
            signal.pthread_kill(threading.get_ident(), self.order.how)

    def at(self, point: str, words: str = "") -> bool:
        """Here we are: perhaps it is here; True for whoever was frozen, and lives again."""
        if self.point != point or (words and self.order.words and words != self.order.words):
            return False
        if point.startswith("withdrawn"):
            self.withdraw()
        self.strike()
        return True

    def called(self, what: str) -> None:
        """The next transaction of this thread records what came of such a call."""
        self._here.last = what

    # --- what the database is told ---

    def watch(self, engine: Engine) -> None:
        """Follow what this process writes, by its statements."""
        event.listen(engine, "before_cursor_execute", self._told)
        event.listen(engine, "begin", self._begins)
        event.listen(engine, "commit", self._committing)
        event.listen(Session, "after_commit", self._committed)

    def _begins(self, _connection: Any) -> None:
        self._here.told = []

    def _told(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self._here.__dict__.setdefault("told", []).append(statement)

    def _kind(self) -> str:
        told = getattr(self._here, "told", [])
        last = getattr(self._here, "last", "")
        if last == "publish" and any(one.startswith("UPDATE attempt") for one in told):
            return "result"
        if last == "find" and any(one.startswith("UPDATE delivery") for one in told):
            return "verdict"
        if any(one.startswith("INSERT INTO delivery") for one in told):
            return "approval"
        if any(one.startswith("INSERT INTO attempt") for one in told):
            return "attempt"
        claims = (one for one in told if one.startswith("UPDATE delivery") and "epoch=" in one and "owner=" in one)
        return "claim" if any(claims) else "another"

    def _committing(self, _connection: Any) -> None:
        kind = self._kind()
        self.at(f"{kind} about to commit")
        if kind == "result" and self.point == "during the commit":
            # Nobody knows how far it comes: the blow falls within three milliseconds of the order to commit.
            self.point = NOWHERE
            wait = random.Random(self.order.seed).uniform(0, 0.003)
            threading.Timer(wait, os.kill, (os.getpid(), self.order.how)).start()

    def _committed(self, _session: Session) -> None:
        kind = self._kind()
        self._here.told = []
        if kind in {"result", "verdict"}:
            self._here.last = ""
        self.at(f"{kind} committed")
        if kind == "claim":
            self.at("withdrawn once claimed")


class Fated:
    """A real channel, around whose calls this process may end."""

    def __init__(self, real: Channel, fate: Fate) -> None:
        self._real, self._fate = real, fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def prepare(self, message: Message) -> Prepared:
        """Upload and draft; a draft is known to the network before it is to us."""
        prepared = self._real.prepare(message)
        if prepared.draft_id:
            self._fate.at("draft made")
        return prepared

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """The one call that shows it."""
        fate, words = self._fate, prepared.message.text
        fate.at("before the call", words)
        fate.at("withdrawn before the call", words)
        if prepared.draft_id:
            fate.at("draft noted")
        fate.called("publish")
        fate.speaking()
        with tapped(fate):
            receipt = self._real.publish(prepared, deadline)
        fate.at("answer received", words)
        fate.at("withdrawn after the call", words)
        if fate.point in LOOKING:
            raise ConnectionError("The answer got lost on its way.")
        return receipt

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """Look for it."""
        self._fate.at("before reading back")
        found = self._real.find(message, since)
        self._fate.at("after reading back")
        self._fate.called("find")
        return found


LOOKING: Final = {"before reading back", "after reading back", "verdict about to commit"}
"""Points that are reached only once an answer got lost."""


@contextmanager
def tapped(fate: Fate) -> Iterator[None]:
    """For one call: half of its request goes out, or its answer comes in and is never read."""
    send, getresponse = http.client.HTTPConnection.send, http.client.HTTPConnection.getresponse

    def half(connection: http.client.HTTPConnection, data: Any) -> None:
        if fate.point == "half a request":
            send(connection, data[: len(data) // 2])
            fate.strike()
        send(connection, data)

    def unread(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        if fate.point == "answer on its way":
            select.select([connection.sock], [], [])
            fate.strike()
        return getresponse(connection)

    taps = {"half a request": ("send", half), "answer on its way": ("getresponse", unread)}
    if fate.point in taps:
        setattr(http.client.HTTPConnection, *taps[fate.point])
    yield


# --- One life ---------------------------------------------------------------------------------------------------


def hub_of(order: Order, clock: SharedClock, fate: Fate) -> Hub:
    """The hub of that home, its networks played by the sandbox."""
    settings = Settings(
        home=Path(order.home),
        database_url=order.url,
        facebook_api_url=order.sandbox,
        x_api_url=order.sandbox,
        lease=order.lease,
        call_deadline=order.deadline,
        read_timeout=order.deadline,
        workers=order.workers,
        language="en",
    )
    wired = wire(settings, now=clock, engine=build_engine(settings.database))

    def channel_for(account: Account) -> Any:
        return Fated(wired.channel_for(account), fate)

    return replace(wired, channel_for=channel_for, jitter=lambda: 1.0)


def approve(hub: Hub, post_id: int) -> list[int]:
    """The deputy's yes to a post that was handed in."""
    with writing(hub.engine) as session:
        by = _person(session, "deputy")
        post = drafting.get_post(session, post_id, by=by)
        planned = geotargeting.plan(session, post, terms=hub.terms, rules=hub.rules, at=hub.now())
        seen = approving.fingerprint_of(session, post, planned)
        made = approving.approve(session, post_id, by=by, at=hub.now(), terms=hub.terms, rules=hub.rules, seen=seen)
        return [one.id for one in made if one.id is not None]


def withdraw(hub: Hub, post_id: int) -> None:
    """Its author takes a post back."""
    with writing(hub.engine) as session:
        drafting.withdraw(session, post_id, by=_person(session, "coordinator"), at=hub.now())


def _person(session: Session, name: str) -> Actor:
    person = session.exec(sql_select(Person).where(Person.email == f"{name}@example.org")).one()
    assert person.id is not None
    return joining.actor_for(session, person.id)


def live(order: Order) -> None:
    """Start as `serve` or `worker` does, and do all that is due until a moment of the clock."""
    clock = SharedClock(Path(order.home), order.sandbox)
    clock.set(max(clock(), datetime.fromisoformat(order.at)))
    fate = Fate(order)
    hub = hub_of(order, clock, fate)
    fate.watch(hub.engine)
    fate.withdraw = partial(withdraw, hub, order.post_id)
    disk = Disk(hub.engine)
    if order.point == "disk full before the attempt":
        disk.breaks_at = "INSERT INTO attempt"
    if order.point == "disk full before the result":
        # Not before somebody speaks: to take back what the dead had open is written the same way.
        fate.speaking = lambda: setattr(disk, "breaks_at", "UPDATE attempt")
    if order.point.startswith("approval"):
        approve(hub, order.post_id)
    engine = runner.build(hub)
    if isinstance(engine, Embedded):
        engine.take_lock()
    until = datetime.fromisoformat(order.until)
    while clock() < until:
        try:
            engine.run_due()
        except DatabaseError:
            if not disk.broken:
                raise
        if disk.broken:
            fate.strike()
        if order.together and Task.DISPATCH in engine.agenda().due:
            continue
        # Never back: whoever was frozen wakes up in a later time.
        clock.set(max(clock(), min(engine.agenda().next_at or until, until)))
    engine.stop()
    hub.engine.dispose()


# --- The nursery ------------------------------------------------------------------------------------------------


def main() -> None:
    """Fork one process per order; tell its number, and on demand what became of it."""
    logging.disable(logging.ERROR)
    configure_mappers()
    living: set[int] = set()
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            if "order" in asked:
                number = _begin(Order(**asked["order"]))
                living.add(number)
                print(json.dumps(number), flush=True)
                continue
            became = _became(asked["of"])
            if became is not None:
                living.discard(asked["of"])
            print(json.dumps(became), flush=True)
    finally:
        for process in living:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _begin(order: Order) -> int:
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        live(order)
        code = 0
    except WrongState:
        code = 5
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _became(process: int) -> int | None:
    """Its exit code, minus the signal that ended it; None when it is frozen. Waits for that."""
    _process, status = os.waitpid(process, os.WUNTRACED)
    return None if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
