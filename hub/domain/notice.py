"""Notices: what somebody is to be told by mail, at once or in the mail of the day."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field

from hub.domain.table import Moment, Table, choice


class Rhythm(StrEnum):
    """When a person wants mails; single-use links always come at once."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    NEVER = "never"


class NoticeKind(StrEnum):
    """What a notice tells."""

    TO_APPROVE = "to_approve"
    RETURNED = "returned"
    FAILED = "failed"
    TO_DECIDE = "to_decide"
    ACCOUNT_TROUBLE = "account_trouble"
    EXPIRING = "expiring"
    INVITATION = "invitation"
    RESET = "reset"


class Notice(Table, table=True):
    """One thing to tell one person, once."""

    __table_args__ = (UniqueConstraint("person_id", "kind", "thing", "occasion"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    kind: NoticeKind = Field(sa_type=choice(NoticeKind))
    thing: str
    """`kind:id`, such as `post:7`."""
    occasion: str
    """What makes this time different from the last one, such as the version: nobody is told twice."""
    details: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """What the words need; never a secret."""
    made_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment, index=True)
    """Not before: the next mail of the day, or at once; later after a failed try."""
    sent_at: datetime | None = Field(default=None, sa_type=Moment, index=True)
    tries: int = 0
    given_up_at: datetime | None = Field(default=None, sa_type=Moment)
