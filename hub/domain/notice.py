"""Notices: what somebody is to be told by mail, at once or in the mail of the day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from hub.domain.clock import zone_info
from hub.domain.table import Moment, Table, choice
from hub.language import N_

MOST_TRIES: Final = 28
"""With the waits below, a server that takes nothing is asked for a day."""

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)


class Rhythm(StrEnum):
    """When a person wants mails; single-use links always come at once."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    NEVER = "never"


RHYTHM_NAMES: Final[Mapping[Rhythm, str]] = {
    Rhythm.AT_ONCE: N_("at once"),
    Rhythm.DAILY: N_("once a day"),
    Rhythm.NEVER: N_("never"),
}


class NoticeKind(StrEnum):
    """What a notice tells."""

    EXPIRING = "expiring"
    TO_APPROVE = "to_approve"
    RETURNED = "returned"
    TO_DECIDE = "to_decide"
    FAILED = "failed"
    ACCOUNT_TROUBLE = "account_trouble"


class Notice(Table, table=True):
    """One thing to tell one person, once. It holds no words: they are those of the moment at which a mail is made."""

    __table_args__ = (
        # Begins with the thing: whether anybody was told of it is asked all day.
        UniqueConstraint("thing", "kind", "occasion", "person_id"),
        Index("ix_notice_open", "due_at",
              sqlite_where=text("sent_at IS NULL AND given_up_at IS NULL"),
              postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL")),
        Index("ix_notice_given_up", "given_up_at",
              sqlite_where=text("given_up_at IS NOT NULL"), postgresql_where=text("given_up_at IS NOT NULL")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    kind: NoticeKind = Field(sa_type=choice(NoticeKind))
    thing: str
    """`kind:id`, such as `post:7`."""
    occasion: str
    """What makes this time different from the last one, such as when it was handed in: nobody is told twice."""
    made_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    """Not before: the next mail of the day, or at once; later while a mail is on its way, and after a failed try."""
    sent_at: datetime | None = Field(default=None, sa_type=Moment, index=True)
    tries: int = 0
    """Those that failed."""
    trouble: str | None = None
    """Why the last try failed, in words."""
    given_up_at: datetime | None = Field(default=None, sa_type=Moment)


def wait_after(tries: int) -> timedelta | None:
    """How long to wait after so many failed tries; None: give up."""
    if tries >= MOST_TRIES:
        return None
    return min(FIRST_WAIT * (1 << min(tries - 1, 10)), LONGEST_WAIT)


def due_at(rhythm: Rhythm, *, at: datetime, hour: int, zone: str, ends_at: datetime | None = None) -> datetime:
    """When to tell somebody something: now, or with their next mail of the day, unless that comes after its end."""
    if rhythm is Rhythm.AT_ONCE:
        return at
    following = next_daily(at, hour=hour, zone=zone)
    return at if ends_at is not None and following >= ends_at else following


def next_daily(at: datetime, *, hour: int, zone: str) -> datetime:
    """The next time that it is this hour in a zone, later than now."""
    info = zone_info(zone)
    today = at.astimezone(info).replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    # Added to the wall time: the day of a change of clocks has 23 or 25 hours.
    coming = (today, today + timedelta(days=1))
    return next(moment.astimezone(at.tzinfo) for moment in coming if moment.astimezone(at.tzinfo) > at)
