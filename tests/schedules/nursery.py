"""Where processes that publish are born and end, and the prepared world that each test has a copy of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlmodel import col, select

from channels.sandbox.server import Sandbox
from hub.database import build_engine, reading, writing
from hub.domain.delivery import Attempt, Delivery
from hub.domain.post import Post
from hub.services import connecting, drafting
from hub.services.drafting import Draft
from hub.settings import Settings
from hub.wiring import Hub, wire
from tests.postgresql import Server
from tests.schedules.conftest import DUE, Room
from tests.schedules.dying import Order, SharedClock
from tests.schedules.road import EVERY_PLACE, Said, Verdict, judge, open_road, public
from tests.sizes import size
from tests.stage import NOON

ROOT: Final = Path(__file__).parents[2]
TIMES: Final = size(ci=2, long=20)
"""How often a process ends at each point."""

APART: Final = timedelta(minutes=30)
"""Between what one process is there for and what the next one is."""


def due(number: int) -> datetime:
    """When the words of a round are due."""
    return DUE + number * APART


class Nursery:
    """Talks with the process that forks; ends with it."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RELAIS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.schedules.dying"],
            cwd=ROOT, env={**environment, "RELAIS_LANGUAGE": "en"}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        self.log = log

    def _ask(self, asked: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.log.read_text(encoding="utf-8")
        return json.loads(answer)

    def begin(self, order: Order) -> int:
        """Let a process live; its number."""
        number = self._ask({"order": asdict(order)})
        assert isinstance(number, int)
        return number

    def became(self, process: int) -> int | None:
        """Wait: its exit code, minus the signal that ended it; None when it is frozen."""
        code = self._ask({"of": process})
        assert code is None or isinstance(code, int)
        return code

    def close(self) -> None:
        """End whoever lives there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._log.close()


@dataclass
class World:
    """A prepared hub: posts for several rounds, and a sandbox that has their accounts."""

    folder: Path
    database: str | None
    """The name of its database on the server; None: a file in the folder."""
    submitted: list[int] = field(default_factory=list)
    """A post per round that nobody has approved yet."""
    approved: list[int] = field(default_factory=list)
    """A post per round that goes to every place."""


@dataclass
class Life:
    """A copy of that world, in which processes publish; its judge is the sandbox."""

    world: World
    home: Path
    url: str
    sandbox: Sandbox
    hub: Hub
    clock: SharedClock
    nursery: Nursery
    restore: Any
    """Puts the database back to what it was in the beginning."""

    def order(self, at: datetime, until: datetime, **more: Any) -> Order:
        """What a process here is told."""
        return Order(str(self.home), self.url, self.sandbox.url, at.isoformat(), until.isoformat(), **more)

    def play(self, at: datetime, until: datetime, **more: Any) -> int | None:
        """Let a process live to its end; what became of it."""
        return self.nursery.became(self.nursery.begin(self.order(at, until, **more)))

    def seen(self) -> list[Said]:
        """Everything that people can see: account, id, words."""
        return public(self.sandbox)

    def page(self, delivery: Delivery) -> str:
        """What the network calls the account of a delivery."""
        with reading(self.hub.engine) as session:
            return connecting.get_account(session, delivery.account_id).remote_id

    def verdict(self) -> Verdict:
        """What the networks say to our rows."""
        return judge(self.hub, self.sandbox)

    def deliveries(self, words: str | None = None) -> list[Delivery]:
        """All there are, or those with some words."""
        query = select(Delivery).order_by(col(Delivery.id))
        with reading(self.hub.engine) as session:
            return [one for one in session.exec(query) if words is None or one.text == words]

    def attempts(self, delivery_id: int | None) -> list[Attempt]:
        """The tries of a delivery, oldest first."""
        query = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.n))
        with reading(self.hub.engine) as session:
            return list(session.exec(query))

    def post(self, post_id: int) -> Post:
        """A post as it stands."""
        with reading(self.hub.engine) as session:
            found = session.get(Post, post_id)
            assert found is not None
            return found


def hand_in(room: Room, text: str, when: datetime) -> int:
    """A post for the national page that waits for somebody's yes."""
    typed = Draft(text=text, when=when, zone="UTC", accounts=["facebook:FR"],
                  audience=["FR"])  # fmt: skip
    stage, hub, at = room.stage, room.hub, room.clock()
    with writing(hub.engine) as session:
        post = drafting.draft(session, typed, by=stage.people["coordinator"], at=at, terms=hub.terms, rules=hub.rules)
        assert post.id is not None
        by = stage.people["coordinator"]
        drafting.submit(session, post.id, by=by, at=at, terms=hub.terms, rules=hub.rules, confirm_repeats=True)
        return post.id


def make_world(folder: Path, database: str | None, url: str) -> World:
    """As many rounds as a process may die, and one more for whoever lives."""
    engine = build_engine(url)
    world = World(folder, database)
    with open_road(engine, folder, store=folder / "sandbox.db") as road:
        for number in range(TIMES + 1):
            when = due(number).replace(tzinfo=None)
            made = road.approve(f"N{number}", when=when, zone="UTC", accounts=EVERY_PLACE, audience=("FR",))
            road.approve(f"G{number}", when=when, zone="UTC", audience=("D-35",))
            world.approved.append(road.delivery(made[0]).post_id)
            world.submitted.append(
                hand_in(road, f"P{number}", (due(number) + timedelta(minutes=5)).replace(tzinfo=None))
            )
    engine.dispose()
    return world


@contextmanager
def copy_of(world: World, home: Path, nursery: Nursery, server: Server | None) -> Iterator[Life]:
    """A life in a world of its own."""
    with ExitStack() as stack:
        for name in ("relais.key", "sandbox.db", *([] if world.database else ["relais.db"])):
            shutil.copyfile(world.folder / name, home / name)
        if server is not None and world.database:
            own = stack.enter_context(server.database(world.database))
            url = server.url(own)
        else:
            url = f"sqlite:///{home / 'relais.db'}"
        sandbox = stack.enter_context(Sandbox(store=home / "sandbox.db"))
        clock = SharedClock(home)
        clock.set(NOON)
        sandbox.clock.set(NOON)
        settings = Settings(
            home=home, database_url=url, facebook_api_url=sandbox.url, x_api_url=sandbox.url, language="en"
        )
        hub = wire(settings, now=clock, engine=build_engine(url))
        stack.callback(hub.engine.dispose)

        def restore() -> None:
            hub.engine.dispose()
            if server is not None and world.database:
                server.tell(f"DROP DATABASE {own} WITH (FORCE)")
                server.tell(f"CREATE DATABASE {own} TEMPLATE {world.database} STRATEGY file_copy")
                return
            for ending in ("-wal", "-shm"):
                (home / f"relais.db{ending}").unlink(missing_ok=True)
            shutil.copyfile(world.folder / "relais.db", home / "relais.db")

        yield Life(world, home, url, sandbox, hub, clock, nursery, restore)


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """One for all tests of a file."""
    one = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    """The worlds that were made already, by their kind of database."""
    return {}


@pytest.fixture
def life(
    backend: str,
    worlds: dict[str, World],
    nursery: Nursery,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Life]:
    """A life of one's own, on either kind of database."""
    server = request.getfixturevalue("server") if backend == "postgresql" else None
    if backend not in worlds:
        folder = tmp_path_factory.mktemp(f"world-{backend}")
        if server is not None:
            name = f"world_of_{request.module.__name__.rpartition('.')[2]}"
            server.tell(f"CREATE DATABASE {name} TEMPLATE {request.getfixturevalue('server_template')}")
            worlds[backend] = make_world(folder, name, server.url(name))
        else:
            shutil.copyfile(request.getfixturevalue("template"), folder / "relais.db")
            worlds[backend] = make_world(folder, None, f"sqlite:///{folder / 'relais.db'}")
    with copy_of(worlds[backend], tmp_path, nursery, server) as one:
        yield one
