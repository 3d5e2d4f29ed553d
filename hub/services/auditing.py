"""Looking into the audit: who did what to which thing, and when."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from hub.domain.audit import AuditEntry
from hub.domain.person import Person


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
        kind = thing.rstrip(":")
        exact = ":" in kind
        query = query.where(
            AuditEntry.thing == kind if exact else col(AuditEntry.thing).startswith(f"{kind}:", autoescape=True)
        )
    if by:
        people = select(Person.id).where(Person.email == by.strip().casefold())
        named = func.lower(AuditEntry.by_name) == by.strip().lower()
        query = query.where(or_(named, col(AuditEntry.by_id).in_(people)))
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    return list(session.exec(query))
