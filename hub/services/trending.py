"""Reach as it changes: by day, ISO week or month, by hour of the week, and one period compared with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

from sqlmodel import Session, col

from hub.domain.delivery import Provenance
from hub.domain.metric import Break
from hub.domain.person import Actor
from hub.domain.reach import ADDITIVE, How, Reached, Unit
from hub.domain.table import weekday_of
from hub.services import reporting
from hub.services.reporting import Cell, Frame, Report, Row, Span, Told

Step: TypeAlias = Span


@dataclass(frozen=True)
class Point:
    """What was reached by posts of one day, week or month; `first` is its first day."""

    first: date
    told: Told


@dataclass(frozen=True)
class Beat:
    """What was reached by posts that went out in one hour of the week, where they went out; Monday is 0."""

    weekday: int
    hour: int
    told: Told


# --- By time --------------------------------------------------------------------------------------------------


def steps(session: Session, frame: Frame, step: Step, *, by: Actor, keys: Sequence[str] = ()) -> list[Point]:
    """What `reporting.told` says, for each step of a period in which something was published."""
    points = [Point(first, told) for first, told in reporting.over_time(session, frame, step, by=by, keys=keys)]
    return sorted(points, key=lambda point: (point.first, point.told.network, point.told.provenance))


def weekly(session: Session, frame: Frame, *, by: Actor, keys: Sequence[str] = ()) -> list[Point]:
    """What was reached, ISO week by ISO week; `first` is the Monday, also where the period begins after it."""
    return steps(session, frame, Step.WEEK, by=by, keys=keys)


def hourly(session: Session, frame: Frame, *, by: Actor) -> list[Beat]:
    """What was reached, by the hour of the week in which it went out."""
    rows = reporting.grouped(session, frame, [weekday_of(col(Reached.day)), col(Reached.hour)], by=by)
    return [Beat(int(one.key[0]), int(one.key[1]), replace(one, key=())) for one in rows]


def starts(first: date, last: date, step: Step) -> list[date]:
    """The first day of each step that a period touches, also of those in which nothing was published."""
    day, found = start(first, step), []
    while day <= last:
        found.append(day)
        day = following(day, step)
    return found


def start(day: date, step: Step) -> date:
    """The first day of the step in which a day lies."""
    if step is Step.DAY:
        return day
    return day - timedelta(days=day.weekday()) if step is Step.WEEK else day.replace(day=1)


def following(day: date, step: Step) -> date:
    """The first day of the step after the one that begins on that day."""
    if step is Step.MONTH:
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=1 if step is Step.DAY else 7)


def fitting(first: date, last: date) -> Step:
    """The step in which a period is told best: not too many of them, and not too few."""
    days = (last - first).days + 1
    return Step.DAY if days <= 14 else Step.WEEK if days <= 27 * 7 else Step.MONTH


# --- The period before ----------------------------------------------------------------------------------------

SCHOOL_YEAR_BEGINS: Final = 9
"""The month with whose first day a school year begins."""


class Calendar(StrEnum):
    """What a period is a piece of, from its beginning: what it is compared with is the same piece of the one before."""

    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


def before(first: date, last: date, calendar: Calendar | None = None) -> tuple[date, date]:
    """What a period is compared with: the same days of the week, month or year before; else as many days before it.

    Without being told, a whole month and a whole year (or school year) are known for what they are.
    """
    match calendar or _whole(first, last):
        case Calendar.WEEK:
            return first - timedelta(days=7), last - timedelta(days=7)
        case Calendar.MONTH:
            return _month_before(first), _last_day(last) if _ends_month(last) else _month_before(last)
        case Calendar.YEAR:
            return _year_before(first), _year_before(last)
        case _:
            return Frame(first, last).before


def _whole(first: date, last: date) -> Calendar | None:
    if first.day != 1 or not _ends_month(last):
        return None
    if (first.year, first.month) == (last.year, last.month):
        return Calendar.MONTH
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return Calendar.YEAR if months == 12 and first.month in {1, SCHOOL_YEAR_BEGINS} else None


def _ends_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def _last_day(day: date) -> date:
    """The last day of the month before."""
    return day.replace(day=1) - timedelta(days=1)


def _month_before(day: date) -> date:
    end = _last_day(day)
    return end.replace(day=min(day.day, end.day))


def _year_before(day: date) -> date:
    leap = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap else day.day)


def school_year(day: date) -> tuple[date, date]:
    """The school year in which a day lies, from the 1st of September to the 31st of August."""
    year = day.year if day.month >= SCHOOL_YEAR_BEGINS else day.year - 1
    return date(year, SCHOOL_YEAR_BEGINS, 1), date(year + 1, SCHOOL_YEAR_BEGINS, 1) - timedelta(days=1)


# --- Comparing ------------------------------------------------------------------------------------------------


class Against(StrEnum):
    """How a figure stands against that of the period before."""

    KNOWN = "known"
    """Both are of the same measure, and `percent` says by how much they differ."""
    BROKEN = "broken"
    """The network changed its definition between them."""
    IN_PART = "in part"
    """Of one of them a part was not told, so that the whole is not known."""
    NOTHING = "nothing"
    """There is none to compare with, or it is nought."""


@dataclass(frozen=True)
class Change:
    """A figure of one thing (`key`), network and provenance, and the same of the period before."""

    key: tuple[Any, ...]
    network: str
    provenance: Provenance
    unit: Unit
    now: Cell | None
    before: Cell | None
    against: Against
    percent: float | None = None
    broken: Break | None = None


def compare(now: Sequence[Told], before: Sequence[Told], breaks: Sequence[Break] = ()) -> list[Change]:
    """Each figure of either period beside that of the other: same thing, network, provenance and kind, never another.

    `breaks` are those of the catalogue from the first day of the one period to the last of the other. People of
    several posts are compared as what they are in both: the highest figure of a single one.
    """
    cells: list[dict[tuple[Any, ...], Cell]] = [
        {(one.key, one.network, one.provenance, unit): cell for one in told for unit, cell in one.cells.items()}
        for told in (now, before)
    ]
    return [
        _change(key, cells[0].get(key), cells[1].get(key), breaks)
        for key in dict.fromkeys(chosen for told in cells for chosen in told)
    ]


def compare_reports(now: Report, before: Report, breaks: Sequence[Break] = ()) -> list[Change]:
    """The same for the rows of two reports that are told by the same: one change for each row of the newer one."""

    def of(row: Row) -> tuple[Any, ...]:
        return ((row.key, row.account), row.network, row.provenance, row.unit)

    earlier = {of(row): Cell(row.value, row.how) for row in before.rows}
    return [_change(of(row), Cell(row.value, row.how), earlier.get(of(row)), breaks) for row in now.rows]


def _change(key: tuple[Any, ...], now: Cell | None, before: Cell | None, breaks: Sequence[Break]) -> Change:
    thing, network, provenance, unit = key
    broken = next((one for one in breaks if one.network == network and one.unit is unit), None)
    against, percent = Against.NOTHING, None
    if now is not None and before is not None and now.value is not None and before.value:
        if broken is not None:
            against = Against.BROKEN
        elif unit in ADDITIVE and How.AT_LEAST in {now.how, before.how}:
            against = Against.IN_PART
        else:
            against, percent = Against.KNOWN, 100 * (now.value - before.value) / before.value
    return Change(thing, network, provenance, unit, now, before, against, percent, broken)
