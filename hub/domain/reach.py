"""Reach: figures as they were read, when to read them, and which of them may be added up (people never)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import UniqueConstraint
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

CATALOGUE_VERSION: Final = 1
"""Version of the metric names below; exports carry it."""


class Unit(StrEnum):
    """What a figure counts; the values are those of `channels.UnitKind`."""

    PEOPLE = "people"
    VIEWS = "views"
    IMPRESSIONS = "impressions"
    CLICKS = "clicks"
    REACTIONS = "reactions"


ADDITIVE: Final = frozenset({Unit.VIEWS, Unit.IMPRESSIONS, Unit.CLICKS, Unit.REACTIONS})
"""Kinds of figures that may be summed; the same person reached twice is one person."""


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
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
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


class Visit(Table, table=True):
    """How often one delivery was seen or followed on our own site, by day and territory; of nobody in particular."""

    delivery_id: int = Field(foreign_key="delivery.id", primary_key=True)
    day: date = Field(primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True)
    unit: Unit = Field(sa_type=choice(Unit), primary_key=True)
    count: int


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
