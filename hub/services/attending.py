"""Which processes publish from a shared database: each says that it is there, and everybody else can see it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, delete, func, select

from hub.domain.process import SILENT_AFTER, Process
from hub.domain.table import by_letters

FORGOTTEN_AFTER: Final = timedelta(days=1)


def say_present(
    session: Session, owner: str, *, host: str, pid: int, version: str, trouble: str | None, at: datetime
) -> None:
    """Write down that this process is there, and what stands in its way; those long dead are forgotten."""
    own = session.get(Process, owner)
    if own is None:
        own = Process(owner=owner, host=host, pid=pid, version=version, started_at=at, seen_at=at)
        session.exec(delete(Process).where(col(Process.seen_at) <= at - FORGOTTEN_AFTER))
    own.seen_at, own.trouble = at, trouble
    session.add(own)


def say_gone(session: Session, owner: str) -> None:
    """This process ends in order."""
    session.exec(delete(Process).where(col(Process.owner) == owner))


def alive(session: Session, *, at: datetime) -> list[Process]:
    """The processes that were heard of just now, the oldest first."""
    return list(
        session.exec(
            select(Process)
            .where(Process.seen_at > at - SILENT_AFTER)
            .order_by(col(Process.started_at), by_letters(col(Process.owner)))
        )
    )


def last_seen(session: Session) -> datetime | None:
    """When any process was last heard of."""
    return session.exec(select(func.max(Process.seen_at))).one()
