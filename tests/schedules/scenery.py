"""A small prepared country: people, accounts and approved posts that wait for their time, laid out anew in a moment."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session

from hub.database import build_engine, migrate, writing
from hub.domain.account import AccountNetwork
from hub.domain.gate import SANDBOX_SOURCE, GeoKey, KeyKind
from hub.domain.person import Actor
from hub.services import approving, drafting, geotargeting, importing
from hub.services.drafting import Draft
from hub.services.reference import SHIPPED
from hub.wiring import Hub
from tests.stage import NOON, build_stage

MEMORY: Final = Path("/dev/shm")
"""Where files are kept in memory, on machines that have such a place."""

DUE: Final = datetime(2026, 11, 3, 17, tzinfo=UTC)
"""Six in the evening in Paris: when the first posts are due."""

DEPARTEMENTS: Final = ("35", "75", "971")
"""One commune of each of these is all the land that there is."""

LATE_NEWS: Final = "submitted"
"""The post that nobody has approved yet."""

POSTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {"text": "Portes ouvertes"},
    "second": {"text": "Remise des prix"},
    "third": {"text": "Forum des métiers", "minute": 2},
    "twin": {"text": "Portes  ouvertes", "minute": 1},
    "other twin": {"text": "Portes ouvertes", "minute": 3},
    "short-lived": {"text": "Dernières places", "minute": 1, "useless_after": datetime(2026, 11, 3, 18, 12)},  # noqa: DTZ001
    "gated": {"text": "Rentrée", "accounts": ["facebook:FR"]},
    "gated later": {"text": "Bourses", "accounts": ["facebook:FR"], "minute": 3},
    "siblings": {"text": "{territoire} recrute", "accounts": ["facebook:FR"], "audience": ["A-14", "A-32"]},
    "national": {"text": "Parcoursup ouvre", "accounts": ["facebook:FR", "x:FR"], "audience": ["FR"], "minute": 1},
    "x": {"text": "Nouvelle carte des formations", "accounts": ["x:FR"], "audience": ["FR"]},
    "x again": {"text": "Nouvelle  carte des formations", "accounts": ["x:FR"], "audience": ["FR"], "minute": 2},
    "both": {"text": "Journée de l'orientation", "accounts": ["facebook:A-14", "facebook:FR"], "minute": 2},
    LATE_NEWS: {"text": "Bulletin de novembre", "minute": 5},
}
"""By name: what is said, where (a page of Rennes unless told otherwise), and how many minutes after `DUE`."""


def typed(
    text: str,
    *,
    minute: int = 0,
    accounts: Collection[str] = ("facebook:A-14",),
    audience: Collection[str] = ("A-14",),
    **more: Any,
) -> Draft:
    """A post as it is typed."""
    when = datetime(2026, 11, 3, 18) + timedelta(minutes=minute)  # noqa: DTZ001
    zone = "Europe/Paris"
    return Draft(text=text, when=when, zone=zone, accounts=[*accounts], audience=[*audience], **more)


def write(session: Session, hub: Hub, draft: Draft, *, by: Actor, at: datetime) -> int:
    """Write a post and hand it in; its id."""
    post = drafting.draft(session, draft, by=by, at=at, terms=hub.terms, rules=hub.rules)
    assert post.id is not None
    drafting.submit(session, post.id, by=by, at=at, terms=hub.terms, rules=hub.rules, confirm_repeats=True)
    return post.id


def approve(session: Session, hub: Hub, post_id: int, *, by: Actor, at: datetime) -> None:
    """Approve a post exactly as it stands."""
    post = drafting.get_post(session, post_id, by=by)
    planned = geotargeting.plan(session, post, terms=hub.terms, rules=hub.rules, at=at)
    seen = approving.fingerprint_of(session, post, planned)
    approving.approve(session, post_id, by=by, at=at, terms=hub.terms, rules=hub.rules, seen=seen)


@dataclass
class Scenery:
    """The prepared database, and the one engine on the file that it is laid out in: what it compiled stays compiled."""

    hub: Hub
    file: Path
    prepared: bytes
    people: Mapping[str, Actor]
    posts: Mapping[str, int]

    @property
    def engine(self) -> Engine:
        """The engine on the file."""
        return self.hub.engine

    def lay_out(self, names: Collection[str]) -> None:
        """Begin anew, with these posts and no others."""
        self.clear()
        self.file.write_bytes(self.prepared)
        kept = ", ".join(str(self.posts[name]) for name in names)
        with closing(sqlite3.connect(self.file, isolation_level=None)) as raw:
            # Straight into the tables: that a post was never written has no service.
            raw.execute("PRAGMA synchronous=OFF")
            raw.execute("BEGIN")
            for table in ("delivery", "approval"):
                raw.execute(f"DELETE FROM {table} WHERE post_id NOT IN ({kept or 0})")
            raw.execute("DELETE FROM approval_line WHERE approval_id NOT IN (SELECT id FROM approval)")
            raw.execute(f"UPDATE post SET state = 'withdrawn' WHERE id NOT IN ({kept or 0})")
            raw.execute("COMMIT")

    def clear(self) -> None:
        """Let go of the file."""
        self.engine.dispose()
        for part in (self.file, Path(f"{self.file}-wal"), Path(f"{self.file}-shm")):
            part.unlink(missing_ok=True)


@contextmanager
def scenery() -> Iterator[Scenery]:
    """The prepared country, in memory where the machine allows that."""
    with TemporaryDirectory(prefix="relais-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = _prepare(Path(folder))
        try:
            yield made
        finally:
            made.clear()


def _prepare(home: Path) -> Scenery:
    file = home / "relais.db"
    engine = build_engine(f"sqlite:///{file}")
    migrate(engine)
    with writing(engine) as session:
        importing.load_reference(session, at=NOON, communes=_few_communes(home))
        importing.make_portal_account(session, at=NOON)
    stage = build_stage(engine, home)
    hub, people = stage.hub, stage.people
    posts = {}
    with writing(engine) as session:
        session.add(
            GeoKey(
                network=AccountNetwork.FACEBOOK,
                territory_code="A-32",
                kind=KeyKind.REGION,
                key="4032",
                covers=["A-32"],
                source=SANDBOX_SOURCE,
                imported_at=NOON,
                reviewed_at=NOON,
                reviewed_by="operator",
            )
        )
        session.flush()
        for name, more in POSTS.items():
            posts[name] = write(session, hub, typed(**more), by=people["coordinator"], at=NOON)
            if name != LATE_NEWS:
                approve(session, hub, posts[name], by=people["deputy"], at=NOON)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA journal_mode=DELETE")
        raw.execute("VACUUM")
        raw.execute("PRAGMA journal_mode=WAL")
    prepared = file.read_bytes()
    return Scenery(hub, file, prepared, people, posts)


def _few_communes(home: Path) -> Path:
    """The first commune of some départements: loading all 35,000 takes longer than a hundred simulations."""
    small = home / "communes.csv"
    seen: set[str] = set()
    with (
        (SHIPPED / "communes.csv").open(encoding="utf-8", newline="") as whole,
        small.open("w", encoding="utf-8") as few,
    ):
        rows = csv.DictReader(whole)
        chosen = csv.DictWriter(few, rows.fieldnames or [])
        chosen.writeheader()
        for row in rows:
            if row["departement"] in DEPARTEMENTS and row["departement"] not in seen:
                seen.add(row["departement"])
                chosen.writerow(row)
    return small
