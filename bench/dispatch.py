"""Publishing beside a bare claim loop with the same durable writes, and beside plain Procrastinate (goals: 0.8 embedded, 0.7 on PostgreSQL, ahead of Procrastinate)."""  # noqa: E501

from __future__ import annotations

import argparse
import asyncio
import http.client
import logging
import math
import multiprocessing
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg
from sqlmodel import Session, col, func, select

from channels import Deadline, Prepared, Receipt
from channels.memory import MemoryChannel, MemoryRules
from hub.database import build_engine, migrate, on_server, reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.person import Person
from hub.domain.post import Approval, ApprovalLine, Kind, Post, PostAudience, PostDestination, PostState, Verdict
from hub.domain.territory import Level, Territory
from hub.services import geotargeting
from hub.services.delivering import Task
from hub.settings import Settings
from hub.wiring import Hub, wire
from schedules import runner
from schedules.embedded import Embedded
from tests import postgresql

ACCOUNTS: Final = 40
THREADS: Final = 16
S = DeliveryState


# --- A network that answers after a while ----------------------------------------------------------------------


async def _play(door: socket.socket, wait: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(wait)
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await answer(reader, writer)

    async with await asyncio.start_server(quietly, sock=door, backlog=512) as server:
        await server.serve_forever()


def _network(door: socket.socket, wait: float) -> None:
    asyncio.run(_play(door, wait))


@contextmanager
def network(wait: float) -> Iterator[int]:
    """A process of its own that answers every call after so many seconds; its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as door:
        process = multiprocessing.get_context("fork").Process(target=_network, args=(door, wait), daemon=True)
        process.start()
        try:
            yield door.getsockname()[1]
        finally:
            process.terminate()
            process.join()


class Caller(threading.local):
    """Makes the same call for whoever publishes: one kept connection per thread."""

    def __init__(self) -> None:
        self.connection: http.client.HTTPConnection | None = None

    def call(self, port: int) -> None:
        """Post once, and wait for the answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("GET", "/")
        self.connection.getresponse().read()


class Calling(MemoryChannel):
    """A channel whose one irreversible call is that one."""

    def __init__(self, port: int, caller: Caller) -> None:
        super().__init__(MemoryRules())
        self._port, self._caller = port, caller

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Call, and answer an id that nothing else has."""
        self._caller.call(self._port)
        return Receipt(prepared.message.key, posted_at=datetime.now(UTC))


# --- Something to publish ---------------------------------------------------------------------------------------


def furnish(url: str, *, deliveries: int, due_at: datetime, history: int = 0) -> None:
    """A small country with 40 pages, and so many approved deliveries that are due at one instant; some ended before."""
    engine = build_engine(url)
    migrate(engine)
    with writing(engine) as session:
        session.add(Territory(code="FR", level=Level.COUNTRY, name="France", path="FR", zone="Europe/Paris"))
        session.flush()
        person = Person(email="bench@example.org", name="Bench", created_at=due_at)
        pages = [
            Account(network=AccountNetwork.FACEBOOK, name=f"Page {number}", remote_id=str(number),
                    territory_code="FR", created_at=due_at)
            for number in range(ACCOUNTS)
        ]  # fmt: skip
        session.add_all([person, *pages])
        session.flush()
        for number in range(math.ceil((deliveries + history) / ACCOUNTS)):
            old = number < history // ACCOUNTS
            _approved(session, person, pages, number, due_at - timedelta(days=30) if old else due_at, sent=old)
    if on_server(engine):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _approved(
    session: Session, person: Person, pages: Sequence[Account], number: int, due_at: datetime, *, sent: bool
) -> None:
    """One post for all pages, approved as the real service would, with a delivery for each."""
    assert person.id is not None
    useless = due_at + timedelta(days=1)
    post = Post(
        kind=Kind.NEWS, state=PostState.APPROVED, text=f"Portes ouvertes {number}", wall_time="2026-11-03T18:00",
        zone="Europe/Paris", first_due_at=due_at, useless_after=useless, author_id=person.id,
        changed_by_id=person.id, seed=f"seed-{number}", territory_code="FR", created_at=due_at, changed_at=due_at,
    )  # fmt: skip
    session.add(post)
    session.flush()
    assert post.id is not None
    session.add(PostAudience(post_id=post.id, territory_code="FR"))
    session.add_all(PostDestination(post_id=post.id, account_id=page.id or 0) for page in pages)
    session.flush()
    content = geotargeting.whole(session, post).content
    approval = Approval(post_id=post.id, by_id=person.id, at=due_at, content=content, fingerprint=content)
    session.add(approval)
    session.flush()
    assert approval.id is not None
    for page in pages:
        assert page.id is not None
        text = f"{post.text} / {page.name}"
        session.add(
            ApprovalLine(
                approval_id=approval.id, account_id=page.id, gate_key="", verdict=Verdict.APPROVED,
                fingerprint=geotargeting.delivery_fingerprint(
                    account_id=page.id, gate_key="", gate=None, text=text, link=None, due_at=due_at,
                    useless_after=useless,
                ),
            )
        )  # fmt: skip
        delivery = Delivery(
            post_id=post.id, account_id=page.id, approval_id=approval.id, key=f"{number}-{page.id}", gate_key="",
            territory_code="FR", provenance=Provenance.OWN_PAGE, text=text, text_key=f"{number}-{page.id}",
            wall_time=post.wall_time, zone=post.zone, due_at=due_at, useless_after=useless, ready_at=due_at,
        )  # fmt: skip
        if sent:
            delivery.state, delivery.sent_at, delivery.remote_id = S.SENT, due_at, f"old-{delivery.key}"
        session.add(delivery)


# --- Ours -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What one run came to."""

    seconds: float
    latest: float
    """Seconds after the due instant at which the last one was out."""
    sent: int

    @property
    def per_second(self) -> float:
        """Throughput."""
        return self.sent / self.seconds


def hub_of(url: str, home: Path, port: int) -> Hub:
    """The hub of that database, with a network that only answers."""
    settings = Settings(
        home=home, database_url=url, facebook_api_url="http://127.0.0.1:9", x_api_url="http://127.0.0.1:9",
        workers=THREADS,
    )  # fmt: skip
    caller = Caller()
    return replace(wire(settings), channel_for=lambda account: Calling(port, caller))


def _outcome(url: str, began: float, due_at: datetime) -> Seen:
    engine = build_engine(url)
    with reading(engine) as session:
        sent = session.exec(select(Delivery.sent_at).where(col(Delivery.sent_at) >= due_at)).all()
    engine.dispose()
    latest = max((one for one in sent if one is not None), default=due_at)
    return Seen(time.perf_counter() - began, (latest - due_at).total_seconds(), len(sent))


def embedded(url: str, home: Path, port: int, due_at: datetime) -> Seen:
    """The engine of one machine, in this process, from its first look until nothing is left."""
    hub = hub_of(url, home, port)
    engine = Embedded(hub, runner.JOBS)
    engine.take_lock()
    dispatch_job = next(job for job in runner.JOBS if job.task is Task.DISPATCH)
    began = time.perf_counter()
    while dispatch_job.run(engine.worker):
        engine.worker.finish()
    seen = _outcome(url, began, due_at)
    engine.stop()
    hub.engine.dispose()
    return seen


def _work(url: str, home: Path, port: int, ready: Any, go: Any) -> None:
    """A worker process, until everything is out."""
    from schedules.distributed import Distributed

    hub = hub_of(url, home, port)
    engine = Distributed(hub, runner.JOBS)
    ready.put(True)
    go.wait()
    engine.start()
    left = select(func.count()).select_from(Delivery).where(col(Delivery.state).in_([S.WAITING, S.CLAIMED, S.SENDING]))
    while True:
        with reading(hub.engine) as session:
            if not session.exec(left).one():
                break
        time.sleep(0.05)  # a bench asks now and then whether it is over; nothing waits for it
    engine.stop()
    hub.engine.dispose()


def distributed(url: str, home: Path, port: int, due_at: datetime, workers: int = 1) -> Seen:
    """So many worker processes on one PostgreSQL."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Queue(), context.Event()
    some = [context.Process(target=_work, args=(url, home, port, ready, go)) for _worker in range(workers)]
    for one in some:
        one.start()
    for _one in some:
        ready.get(timeout=60)
    began = time.perf_counter()
    go.set()
    for one in some:
        one.join()
    return _outcome(url, began, due_at)


# --- The bare claim loop: the same durable writes, none of our rules ------------------------------------------------

BARE_TABLES: Final = (
    "CREATE TABLE job (id INTEGER PRIMARY KEY, account INTEGER, due REAL, state TEXT, text TEXT)",
    "CREATE TABLE try (id INTEGER PRIMARY KEY, job INTEGER, started REAL, ended REAL, outcome TEXT, remote TEXT)",
    "CREATE INDEX job_open ON job (account, due) WHERE state = 'waiting'",
)


class Bare:
    """Claims per account, writes a try before each call and its outcome after it; the driver's own connections."""

    def __init__(self, connect: Callable[[], Any], port: int, *, mark: str, begin: str | None) -> None:
        self.connect, self.port, self.mark, self.begin = connect, port, mark, begin
        self.lock, self.busy = threading.Lock(), set[int]()
        self.caller = Caller()

    def _say(self, connection: Any, statement: str, *values: object) -> Any:
        return connection.execute(statement.replace("?", self.mark), values)

    @contextmanager
    def _transaction(self, connection: Any) -> Iterator[None]:
        if self.begin is not None:
            connection.execute(self.begin)
        yield
        connection.execute("COMMIT") if self.begin is not None else connection.commit()

    def run(self) -> float:
        """Until nothing is left; the seconds it took."""
        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            for one in [pool.submit(self._work) for _thread in range(THREADS)]:
                one.result()
        return time.perf_counter() - began

    def _work(self) -> None:
        connection = self.connect()
        try:
            while claims := self._claim(connection):
                for job in claims[1]:
                    self._publish(connection, job)
                with self.lock:
                    self.busy.discard(claims[0])
        finally:
            connection.close()

    def _claim(self, connection: Any) -> tuple[int, list[int]] | None:
        with self.lock:
            account = next(
                (one for one in range(ACCOUNTS) if one not in self.busy and self._left(connection, one)), None
            )
            if account is None:
                return None
            self.busy.add(account)
        with self._transaction(connection):
            due = self._say(
                connection,
                "SELECT id FROM job WHERE account = ? AND state = 'waiting' ORDER BY due, id LIMIT 8",
                account,
            ).fetchall()
            for (job,) in due:
                self._say(connection, "UPDATE job SET state = 'claimed' WHERE id = ?", job)
        return account, [job for (job,) in due]

    def _left(self, connection: Any, account: int) -> bool:
        found = self._say(
            connection, "SELECT 1 FROM job WHERE account = ? AND state = 'waiting' LIMIT 1", account
        ).fetchone()
        if self.begin is None:
            connection.commit()
        return found is not None

    def _publish(self, connection: Any, job: int) -> None:
        now = time.time()
        with self._transaction(connection):
            self._say(connection, "INSERT INTO try (job, started) VALUES (?, ?)", job, now)
            self._say(connection, "UPDATE job SET state = 'sending' WHERE id = ?", job)
        self.caller.call(self.port)
        with self._transaction(connection):
            self._say(connection, "UPDATE try SET ended = ?, outcome = 'ok', remote = 'x' WHERE job = ?", now, job)
            self._say(connection, "UPDATE job SET state = 'sent' WHERE id = ?", job)


def _rows(number: int) -> list[tuple[int, float, str, str]]:
    return [(one % ACCOUNTS, 0.0, "waiting", f"Portes ouvertes {one}") for one in range(number)]


def bare_sqlite(folder: Path, port: int, deliveries: int) -> Seen:
    """The bare loop on SQLite, with the same pragmas as ours."""
    file = folder / "bare.db"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None, timeout=5, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    with closing(connect()) as connection:
        for statement in (*BARE_TABLES, "CREATE INDEX try_job ON try (job)"):
            connection.execute(statement)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO job (account, due, state, text) VALUES (?, ?, ?, ?)", _rows(deliveries))
        connection.execute("COMMIT")
    seconds = Bare(connect, port, mark="?", begin="BEGIN IMMEDIATE").run()
    return Seen(seconds, seconds, deliveries)


def bare_postgresql(address: str, port: int, deliveries: int) -> Seen:
    """The bare loop on PostgreSQL, with commits as durable as ours."""

    def connect() -> psycopg.Connection[Any]:
        return psycopg.connect(address, options="-c synchronous_commit=on")

    with connect() as connection:
        for statement in (*BARE_TABLES, "CREATE INDEX try_job ON try (job)"):
            made = statement.replace("INTEGER PRIMARY KEY", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
            connection.execute(made.replace("REAL", "double precision"))
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO job (account, due, state, text) VALUES (%s, %s, %s, %s)", _rows(deliveries))
    seconds = Bare(connect, port, mark="%s", begin=None).run()
    return Seen(seconds, seconds, deliveries)


# --- Plain Procrastinate: one job per delivery, the same call, none of our guarantees --------------------------------


def plain_procrastinate(address: str, port: int, deliveries: int) -> Seen:
    """A worker of Procrastinate that makes the same call once per job, as many at once as we have threads."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address, max_size=THREADS + 4))
    caller = Caller()

    @app.task(name="publish", queue="bench")
    def publish(number: int) -> None:
        caller.call(port)

    async def run() -> float:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            publishing = app.configure_task("publish", queue="bench")
            await publishing.batch_defer_async(*[dict[str, Any](number=one) for one in range(deliveries)])
            began = time.perf_counter()
            await app.run_worker_async(concurrency=THREADS, wait=False, install_signal_handlers=False)
            return time.perf_counter() - began

    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    seconds = asyncio.run(run())
    return Seen(seconds, seconds, deliveries)


# --- In turns ---------------------------------------------------------------------------------------------------


def measure(turns: int, deliveries: int, wait: float, *, servers: bool) -> dict[str, list[Seen]]:
    """Every side in every turn, one after the other."""
    seen: dict[str, list[Seen]] = {}
    with network(wait) as port, tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as kept:
        for turn in range(turns):
            folder = Path(kept) / str(turn)
            folder.mkdir()
            for one in (Path(kept), folder):  # the server runs as somebody else when we are root
                one.chmod(0o755)
            url = f"sqlite:///{folder / 'relais.db'}"
            furnish(url, deliveries=deliveries, due_at=(due_at := datetime.now(UTC)))
            seen.setdefault("embedded", []).append(embedded(url, folder, port, due_at))
            seen.setdefault("bare loop, SQLite", []).append(bare_sqlite(folder, port, deliveries))
            if servers:
                _on_server(seen, folder, port, deliveries)
    return seen


def _on_server(seen: dict[str, list[Seen]], folder: Path, port: int, deliveries: int) -> None:
    programs = postgresql.find_programs()
    assert programs is not None
    # On a real disk, with commits that wait for it: as it is in earnest.
    with postgresql.running(durable=folder) as server:
        for workers in (1, 2):
            with server.database() as name:
                furnish(server.url(name), deliveries=deliveries, due_at=(due_at := datetime.now(UTC)))
                label = f"PostgreSQL, {workers} worker{'s' if workers > 1 else ''}"
                seen.setdefault(label, []).append(distributed(server.url(name), folder, port, due_at, workers))
        with server.database() as name:
            seen.setdefault("bare loop, PostgreSQL", []).append(bare_postgresql(server.address(name), port, deliveries))
        with server.database() as name:
            seen.setdefault("plain Procrastinate", []).append(
                plain_procrastinate(server.address(name), port, deliveries)
            )


RATIOS: Final = (
    ("embedded", "bare loop, SQLite", 0.8),
    ("PostgreSQL, 1 worker", "bare loop, PostgreSQL", 0.7),
    ("PostgreSQL, 1 worker", "plain Procrastinate", 1.0),
    ("PostgreSQL, 2 workers", "PostgreSQL, 1 worker", 1.6),
)


def main() -> int:
    """Print what was seen; 1 when a goal on 50 ms calls was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--wait", type=float, default=0.05, help="seconds that a call takes")
    parser.add_argument("--sqlite-only", action="store_true")
    asked = parser.parse_args()
    seen = measure(asked.turns, asked.deliveries, asked.wait, servers=not asked.sqlite_only)
    for label, some in seen.items():
        each = median(one.per_second for one in some)
        last = median(one.latest for one in some)
        print(f"{label}: {each:.0f} a second, the last one {last:.1f} s after its time, {some[0].sent} sent")
    missed = False
    for ours, theirs, goal in RATIOS:
        if ours not in seen or theirs not in seen:
            continue
        ratios = [one.per_second / other.per_second for one, other in zip(seen[ours], seen[theirs], strict=True)]
        told = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{ours} / {theirs}: {median(ratios):.2f} (goal {goal}, turns {told})")
        missed = missed or median(ratios) < goal
    return 1 if missed and asked.wait > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
