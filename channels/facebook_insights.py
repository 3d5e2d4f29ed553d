"""What Facebook's insights say: of a post since it is out, of a page day by day, in the days of California."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from channels.base import AskedOfPage, PageFigure, whole
from channels.facebook_reading import moment

ZONE: Final = ZoneInfo("America/Los_Angeles")
"""Where the days of a page end."""

LONGEST: Final = timedelta(days=90)
"""Most that may be asked for in one call."""

DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Days that are asked for in one call, the last one included."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """All of them."""
        return [self.first + DAY * number for number in range((self.last - self.first).days + 1)]

    @property
    def bounds(self) -> dict[str, str]:
        """The same as Facebook takes it: what ends within them is told, and a day ends with the midnight after it.

        A second more, as nobody says whether the bound itself is within; never more than ninety days, which an autumn
        exceeds by an hour.
        """
        until = _midnight(self.last + DAY) + timedelta(seconds=1)
        since = max(_midnight(self.first), until - LONGEST)
        return {"since": str(int(since.timestamp())), "until": str(int(until.timestamp()))}


def _midnight(day: date) -> datetime:
    """When a day begins in California."""
    return datetime.combine(day, datetime.min.time(), ZONE).astimezone(UTC)


def windows(since: date, until: date) -> Iterator[Window]:
    """Those days in pieces that one call may ask for."""
    first = since
    while first <= until:
        last = min(first + LONGEST - DAY, until)
        yield Window(first, last)
        first = last + DAY


def total(entry: Mapping[str, Any]) -> int | None:
    """The latest value of a metric; one that comes as a map is summed."""
    values = entry.get("values")
    if not isinstance(values, list) or not values or not isinstance(values[-1], dict):
        return None
    value = values[-1].get("value")
    if isinstance(value, dict):
        return whole(sum(part for part in value.values() if isinstance(part, int)))
    return whole(value)


def by_day(asked: AskedOfPage, entry: Mapping[str, Any], window: Window, why: str) -> Iterator[PageFigure]:
    """One metric of a page for each day of a window; a day that is not told of is missing, for the reason given."""
    values = entry.get("values")
    told = dict(_days(values if isinstance(values, list) else []))
    for day in window.days:
        value = told.get(day)
        if isinstance(value, dict) and value:
            for name in sorted(value):
                yield asked.told(day, whole(value[name]), why, dimension=str(name))
        else:
            yield asked.told(day, whole(value), why)


def _days(values: list[Any]) -> Iterator[tuple[date, Any]]:
    """Values by the day that they count: they carry the midnight after it."""
    for one in values:
        ended = moment(one.get("end_time")) if isinstance(one, dict) else None
        if ended is not None:
            yield (ended.astimezone(ZONE) - timedelta(hours=12)).date(), one.get("value")
