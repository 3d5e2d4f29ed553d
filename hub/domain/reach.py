"""Reach: figures as they were read, when to read them, and which of them may be added up (people never)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field

from hub.domain.table import Moment, Table, choice

SLOTS: Final = (
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=28),
)
"""When figures of a post are read, counted from its publication."""


class Unit(StrEnum):
    """What a figure counts; the values are those of `channels.UnitKind`, and one kind that is our own."""

    PEOPLE = "people"
    VIEWS = "views"
    IMPRESSIONS = "impressions"
    CLICKS = "clicks"
    REACTIONS = "reactions"
    ARRIVALS = "arrivals"
    """Each time that somebody followed our own link in a post on a network, counted by Relais."""


ADDITIVE: Final = frozenset({Unit.VIEWS, Unit.IMPRESSIONS, Unit.CLICKS, Unit.REACTIONS, Unit.ARRIVALS})
"""Kinds of figures that may be summed; the same person reached twice is one person."""

BUDGET: Final = "budget"
"""Why there is no figure: the money for reading was used up, so that it was not asked for."""

SMALL: Final = 5
"""Our own counts below this are told as « < 5 » wherever others than staff may read them."""


class How(StrEnum):
    """How a shown figure came from several."""

    SINGLE = "single"
    SUM = "sum"
    AT_LEAST = "at least"
    MISSING = "missing"


class Sample(Table, table=True):
    """One figure of one delivery at one planned moment, as it was read; `value` None: the network did not say."""

    __table_args__ = (UniqueConstraint("delivery_id", "metric", "slot"),)

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id")
    metric: str
    unit: Unit = Field(sa_type=choice(Unit))
    slot: int
    """Which planned moment, in hours after publication."""
    value: int | None = None
    missing: str | None = None
    read_at: datetime = Field(sa_type=Moment)


class ReachFigure(Table, table=True):
    """The roll-up: what the newest reading of one metric of one delivery says; kept with each sample."""

    __tablename__ = "reach_figure"

    delivery_id: int = Field(foreign_key="delivery.id", primary_key=True)
    metric: str = Field(primary_key=True)
    unit: Unit = Field(sa_type=choice(Unit))
    value: int | None = None
    missing: str | None = None
    first_read_at: datetime = Field(sa_type=Moment)
    last_read_at: datetime = Field(sa_type=Moment)


class Reached(Table, table=True):
    """The roll-up that reports read: what one delivery reached in one territory, all kinds of figures side by side.

    One row as soon as it is out (of the portal, one per territory that was looked at), kept in the transaction of
    whatever changes it. Everything that tells figures apart stands beside them, so that a report joins nothing.
    Of each kind: the figure (None: not told, or no such figure), and how many of its parts the network did not tell.
    """

    __table_args__ = (Index("ix_reached_day_area", "day", "area"),)

    delivery_id: int = Field(foreign_key="delivery.id", primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True)
    """The territory that the figures count for."""
    area: str
    """The line of a report that this is: its académie (or overseas service), or itself when it is wider than one."""
    day: date
    """Day of publication, in the zone of the delivery."""
    week: date
    """The Monday of its ISO week."""
    hour: int
    """Hour of the day, there."""
    post_id: int
    kind: str
    account_id: int
    network: str
    provenance: str
    unlimited: bool = False
    """On a network that cannot limit a post, with a part of the account's territory in mind."""

    people: int | None = Field(default=None, sa_type=BigInteger)
    people_missing: int = 0
    views: int | None = Field(default=None, sa_type=BigInteger)
    views_missing: int = 0
    impressions: int | None = Field(default=None, sa_type=BigInteger)
    impressions_missing: int = 0
    clicks: int | None = Field(default=None, sa_type=BigInteger)
    clicks_missing: int = 0
    reactions: int | None = Field(default=None, sa_type=BigInteger)
    reactions_missing: int = 0
    arrivals: int | None = Field(default=None, sa_type=BigInteger)
    arrivals_missing: int = 0


class ReachedDay(Table, table=True):
    """Of all rows of `Reached` with the same day, area, network and provenance: each kind of figure together.

    What a trend of years reads: it does not grow with the number of posts either. People are the highest single figure.
    """

    __tablename__ = "reached_day"

    day: date = Field(primary_key=True)
    area: str = Field(primary_key=True)
    network: str = Field(primary_key=True)
    provenance: str = Field(primary_key=True)
    week: date
    deliveries: int

    people: int | None = Field(default=None, sa_type=BigInteger)
    people_known: int = 0
    people_missing: int = 0
    views: int | None = Field(default=None, sa_type=BigInteger)
    views_known: int = 0
    views_missing: int = 0
    impressions: int | None = Field(default=None, sa_type=BigInteger)
    impressions_known: int = 0
    impressions_missing: int = 0
    clicks: int | None = Field(default=None, sa_type=BigInteger)
    clicks_known: int = 0
    clicks_missing: int = 0
    reactions: int | None = Field(default=None, sa_type=BigInteger)
    reactions_known: int = 0
    reactions_missing: int = 0
    arrivals: int | None = Field(default=None, sa_type=BigInteger)
    arrivals_known: int = 0
    arrivals_missing: int = 0


def monday(day: date) -> date:
    """The first day of its ISO week."""
    return day - timedelta(days=day.weekday())


class PageSample(Table, table=True):
    """One figure of one page (not of a post) for one day, as it was read on another; kept as it was."""

    __tablename__ = "page_sample"
    __table_args__ = (UniqueConstraint("account_id", "metric", "period", "dimension", "day", "read_on"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    metric: str
    period: str
    """What span ends with that day: `day`, `week`, `days_28`; `moment` for a count as of then."""
    dimension: str = ""
    """Which part, such as a city; empty: all of it."""
    day: date
    """The day that is counted."""
    unit: Unit = Field(sa_type=choice(Unit))
    value: int | None = None
    missing: str | None = None
    read_on: date
    read_at: datetime = Field(sa_type=Moment)


class PageFigure(Table, table=True):
    """The newest reading of each figure of a page for each day; kept with each sample."""

    __tablename__ = "page_figure"

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    metric: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    dimension: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    unit: Unit = Field(sa_type=choice(Unit))
    value: int | None = None
    missing: str | None = None
    first_read_at: datetime = Field(sa_type=Moment)
    last_read_at: datetime = Field(sa_type=Moment)


class PagePlan(Table, table=True):
    """When the figures of a page are read next."""

    __tablename__ = "page_plan"

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    next_at: datetime = Field(sa_type=Moment, index=True)


class ReadingCost(Table, table=True):
    """What reading figures through one account cost on one day (UTC), where a network takes money for it."""

    __tablename__ = "reading_cost"

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    day: date = Field(primary_key=True)
    reads: int
    """Things read, as the network bills them."""
    micros: int
    """Millionths of a US dollar."""


class Visit(Table, table=True):
    """How often one delivery was seen or followed on our own site, by day and territory; of nobody in particular."""

    delivery_id: int = Field(foreign_key="delivery.id", primary_key=True)
    day: date = Field(primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True)
    unit: Unit = Field(sa_type=choice(Unit), primary_key=True)
    count: int


PAGES_AT: Final = timedelta(hours=9)
"""How long after midnight (UTC) the figures of pages are read: by then the day before has ended everywhere."""

MOST_PAGE_DAYS: Final = 90
"""How many days of a page are read at most, after a long standstill or of one that is new."""

PAGE_DAYS_AGAIN: Final = 2
"""How many days before the last one kept are read once more, as networks put them right."""


def next_page_reading(at: datetime) -> datetime:
    """When the figures of a page are read next: once a day."""
    morning = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + PAGES_AT
    return morning if morning > at else morning + timedelta(days=1)


def page_days(last_kept: date | None, at: datetime) -> tuple[date, date]:
    """The first and the last day to read of a page: up to the last one that had ended by the reading before now."""
    until = (at.astimezone(UTC) - PAGES_AT).date() - timedelta(days=1)
    earliest = until - timedelta(days=MOST_PAGE_DAYS - 1)
    if last_kept is None:
        return earliest, until
    return min(max(last_kept - timedelta(days=PAGE_DAYS_AGAIN), earliest), until), until


def first_slot(sent_at: datetime) -> datetime:
    """When figures of a fresh post are read first."""
    return sent_at + SLOTS[0]


def slot_at(sent_at: datetime, at: datetime) -> timedelta:
    """The planned moment that a reading at this time stands for: the newest one past; missed ones are skipped."""
    past = [slot for slot in SLOTS if sent_at + slot <= at]
    return past[-1] if past else SLOTS[0]


def next_slot(sent_at: datetime, at: datetime) -> datetime | None:
    """When figures are read next, or None when the plan is done."""
    coming = [sent_at + slot for slot in SLOTS if sent_at + slot > at]
    return coming[0] if coming else None


def combine(unit: Unit, values: Iterable[int | None]) -> tuple[int | None, How]:
    """Several figures of one kind as one: additive ones summed, people as at least the highest single one.

    Where one of several is missing, what is known is a lower bound too: missing is not 0.
    """
    told = list(values)
    known = [value for value in told if value is not None]
    if not known:
        return None, How.MISSING
    value = sum(known) if unit in ADDITIVE else max(known)
    if len(told) == 1:
        return value, How.SINGLE
    return value, How.SUM if unit in ADDITIVE and len(known) == len(told) else How.AT_LEAST
