"""Kinds of typed values that several routes take."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Query
from pydantic import BeforeValidator, StringConstraints

from hub.domain.errors import Invalid
from hub.language import _

Answer = dict[str, Any]

HOME_ZONE: Final = ZoneInfo("Europe/Paris")
"""Where a day that nobody named begins."""

LONGEST_PERIOD: Final = timedelta(days=366 * 3)


Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Code = Annotated[str, Query(max_length=8)]


def _day(value: object) -> object:
    """The value as it was given; ValueError for a number, which would be taken for seconds since 1970."""
    if isinstance(value, str) and not DAY.fullmatch(value):
        raise ValueError(_("Write a date, such as 2026-12-01."))
    return value


DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Day = Annotated[date, BeforeValidator(_day)]
First = Annotated[Day | None, Query(alias="from", description="First day.")]
Last = Annotated[Day | None, Query(alias="to", description="Last day, included.")]


def period(first: date | None, last: date | None, *, usual: tuple[date, date]) -> tuple[date, date]:
    """The days asked for, or the usual ones; a missing end is as far from the other as usual."""
    length = usual[1] - usual[0]
    if first is None and last is None:
        return usual
    try:
        begin = first if first is not None else (last or usual[1]) - length
        end = last if last is not None else begin + length
    except OverflowError as error:
        raise Invalid(_("Check the year."), field="from") from error
    if not (begin.year >= 1900 and end.year <= 2200):
        raise Invalid(_("Check the year."), field="from")
    if end < begin:
        raise Invalid(_("The last day comes before the first."), field="to")
    if end - begin > LONGEST_PERIOD:
        raise Invalid(_("Ask for at most {days} days at once.", days=LONGEST_PERIOD.days), field="to")
    return begin, end
