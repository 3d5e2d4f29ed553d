"""Who did what, when: append-only, in the same transaction as the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, Session

from hub.domain.person import Actor
from hub.domain.table import Moment, Table


class AuditEntry(Table, table=True):
    """One change: by whom (nobody: Relais itself, or an operator at the machine), to what, before and after."""

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=Moment, index=True)
    by_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    by_name: str
    action: str = Field(index=True)
    """`thing.verb`, such as `post.approve`."""
    thing: str = Field(index=True)
    """`kind:id`, such as `post:7`."""
    before: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    after: dict[str, Any] | None = Field(default=None, sa_type=JSON)


OPERATOR = "operator"
"""The name under which commands at the machine are noted."""

CLOCK = "relais"
"""The name under which Relais notes what it did by itself."""

REFERENCE_LOADED = "reference.load"
"""The action under which a change of the reference data is noted; readers of territories watch for it."""

METRICS_LAID, METRICS_BROUGHT_IN = "metrics.lay", "metrics.import"
"""The actions under which a change of the catalogue of metrics is noted."""

FIGURES_REBUILT = "figures.rebuild"
"""The action under which it is noted that the whole roll-up was counted again."""


def note(
    session: Session,
    action: str,
    thing: str,
    *,
    by: Actor | str,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one line of audit into the change's own transaction; never hand a secret to it."""
    session.add(
        AuditEntry(
            at=at,
            by_id=by.id if isinstance(by, Actor) else None,
            by_name=by.name if isinstance(by, Actor) else by,
            action=action,
            thing=thing,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
        )
    )
