"""Looking into the audit: who did what to which thing, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select

from hub.domain.audit import AuditEntry
from hub.domain.errors import NotAllowed
from hub.domain.person import ACCOUNT_KEEPERS, Actor, Person
from hub.domain.territory import COUNTRY
from hub.language import _

PAGE: Final = 50
"""Entries on one page."""


def list_entries(
    session: Session,
    *,
    thing: str | None = None,
    by: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """The newest entries, newest first. `thing`: `post:7`, or `post` for all; `by`: a name or e-mail address."""
    query = select(AuditEntry).order_by(col(AuditEntry.at).desc(), col(AuditEntry.id).desc()).limit(limit)
    if thing:
        query = query.where(_about(thing))
    if by:
        query = query.where(_done_by(by))
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    return list(session.exec(query))


def _about(thing: str) -> ColumnElement[bool]:
    kind = thing.rstrip(":")
    exact = ":" in kind
    return col(AuditEntry.thing) == kind if exact else col(AuditEntry.thing).startswith(f"{kind}:", autoescape=True)


def _done_by(who: str) -> ColumnElement[bool]:
    people = select(Person.id).where(Person.email == who.strip().casefold())
    named = func.lower(AuditEntry.by_name) == who.strip().lower()
    return or_(named, col(AuditEntry.by_id).in_(people))


# --- In the browser ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What of the audit somebody wants to see; empty: all of it."""

    thing: str = ""
    """`post:7`, or `post` for all."""
    who: str = ""
    """A name or e-mail address."""
    action: str = ""
    """`post.approve`, or `post` for all that begin so."""
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class Found:
    """One page of the audit, newest first; `older`: the id that the next one begins below."""

    entries: list[AuditEntry]
    older: int | None


def can_read(actor: Actor) -> bool:
    """Whether this person may read the audit: it tells of everybody, so only those who keep the whole country."""
    return COUNTRY in actor.territories(ACCOUNT_KEEPERS)


def browse(session: Session, asked: Asked, *, by: Actor, below: int | None = None, most: int = PAGE) -> Found:
    """A page of the audit; NotAllowed for most people."""
    if not can_read(by):
        raise NotAllowed(_("Only coordinators and administrators for the whole country may read the audit."))
    query = select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(most + 1)
    if asked.thing:
        query = query.where(_about(asked.thing))
    if asked.who:
        query = query.where(_done_by(asked.who))
    if asked.action:
        exact = "." in asked.action
        action = col(AuditEntry.action)
        query = query.where(action == asked.action if exact else action.startswith(f"{asked.action}.", autoescape=True))
    if asked.since is not None:
        query = query.where(AuditEntry.at >= asked.since)
    if asked.before is not None:
        query = query.where(AuditEntry.at < asked.before)
    if below is not None:
        query = query.where(col(AuditEntry.id) < below)
    found = list(session.exec(query))
    more = len(found) > most
    return Found(found[:most], found[most - 1].id if more else None)
