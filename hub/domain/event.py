"""What an event is: when, where, for whom, how to register; shaped like OpenAgenda's so that exchange loses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from hub.domain.clock import end_of_day, zone_info
from hub.domain.errors import Invalid
from hub.language import N_, _

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=250)]


class Attendance(StrEnum):
    """Where an event takes place."""

    ON_SITE = "on_site"
    ONLINE = "online"
    MIXED = "mixed"


ATTENDANCE_NAMES: Final[Mapping[str, str]] = {
    Attendance.ON_SITE: N_("on site"),
    Attendance.ONLINE: N_("online"),
    Attendance.MIXED: N_("on site and online"),
}


class Impairment(StrEnum):
    """The impairments that a place can receive (OpenAgenda's hi, vi, ii, mi, pi)."""

    HEARING = "hearing"
    VISUAL = "visual"
    INTELLECTUAL = "intellectual"
    MOTOR = "motor"
    PSYCHIC = "psychic"


IMPAIRMENT_NAMES: Final[Mapping[str, str]] = {
    Impairment.HEARING: N_("hearing impairment"),
    Impairment.VISUAL: N_("visual impairment"),
    Impairment.INTELLECTUAL: N_("intellectual disability"),
    Impairment.MOTOR: N_("reduced mobility"),
    Impairment.PSYCHIC: N_("psychic disability"),
}


UNSHOWABLE: Final = re.compile("[\x00\ud800-\udfff]")


class Typed(BaseModel):
    """A model of typed data: unknown fields are refused, since a mistyped name must not lose what follows it."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _showable(cls, data: Any) -> Any:
        """Refuse, wherever they stand, characters that a database cannot keep or an answer cannot say."""
        places = list(dict.fromkeys(_unshowable(data)))
        if places:
            sentence = _("The text holds characters that no network can show. Type it anew.")
            error = PydanticCustomError("unshowable", "{sentence}", {"sentence": sentence})
            raise ValidationError.from_exception_data(
                cls.__name__, [InitErrorDetails(type=error, loc=place, input=None) for place in places]
            )
        return data


def _unshowable(data: object) -> Iterator[tuple[str | int, ...]]:
    """Where NUL, which PostgreSQL refuses, and halves of characters are; names that hold one count for their table."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), data)]
    while waiting:  # not by calling itself: what was sent may be nested as deep as this machine can count
        place, value = waiting.pop()
        if isinstance(value, str):
            if UNSHOWABLE.search(value):
                yield place
        elif isinstance(value, dict):
            good = [name for name in value if not (isinstance(name, str) and UNSHOWABLE.search(name))]
            if len(good) < len(value):
                yield place
            waiting += [((*place, name if isinstance(name, int) else str(name)), value[name]) for name in good]
        elif isinstance(value, list | tuple):
            waiting += [((*place, number), part) for number, part in enumerate(value)]


DAY_OR_NUMBER: Final = re.compile(r"\s*(\d{4}-?\d\d-?\d\d|[-+]?\d+(\.\d*)?)\s*")

WALL_TIME: Final = (
    r"^((19|20|21)[0-9]{2}|2200)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"
)
"""How a time of the clock is written; for documents, since a `date-time` of theirs would have an offset."""


def timed(value: object) -> object:
    """The value as it was given; ValueError for what would be taken for another time than was meant.

    A day without a time would become midnight; a number, seconds since 1970.
    """
    if isinstance(value, int | float) or (isinstance(value, str) and DAY_OR_NUMBER.fullmatch(value)):
        raise ValueError(_("“{text}” is not a date and time. Write it like 2026-12-01 18:00.", text=value))
    return value


Timed = Annotated[
    datetime,
    BeforeValidator(timed),
    WithJsonSchema({"type": "string", "pattern": WALL_TIME, "examples": ["2026-12-01T18:00"]}),
]
"""A day and a time of that day."""


class Timing(Typed):
    """One time span, in the wall time of the event's zone."""

    begin: Timed
    end: Timed

    @model_validator(mode="after")
    def _in_order(self) -> Timing:
        if self.begin.tzinfo or self.end.tzinfo:
            raise ValueError(_("Write event times without an offset: the event's zone says where they are meant."))
        if not (1900 <= self.begin.year <= 2200 and 1900 <= self.end.year <= 2200):
            # Near the ends of the calendar no zone can be applied.
            raise ValueError(_("Check the year: {year} is not meant.", year=self.end.year))
        if self.end <= self.begin:
            raise ValueError(_("An event must end after it begins."))
        return self


@dataclass(frozen=True)
class Span:
    """One timing as it falls on the line of time: two moments by the clocks of where it takes place."""

    begin: datetime
    end: datetime
    whole_days: bool

    @property
    def first_day(self) -> date:
        """The day on which it begins, there."""
        return self.begin.date()

    @property
    def last_day(self) -> date:
        """The day on which it is still going on, there: an end at midnight belongs to the evening before."""
        return max((self.end - timedelta(microseconds=1)).date(), self.first_day)


def span_of(timing: Timing, zone: str) -> Span:
    """A timing in a zone. An hour that the clocks leave out is moved on by what they skip; of two, the earlier one."""
    info = zone_info(zone)
    begin = timing.begin.replace(tzinfo=info).astimezone(UTC)
    end = timing.end.replace(tzinfo=info).astimezone(UTC)
    if end <= begin:  # as typed it ends later: only the clocks have jumped in between
        end = begin + (timing.end - timing.begin)
    whole_days = timing.begin.time() == time() and timing.end.time() in (time(), time(23, 59))
    return Span(begin.astimezone(info), end.astimezone(info), whole_days)


class Registration(Typed):
    """How to register; any of the three."""

    link: AnyHttpUrl | None = None
    phone: Line | None = None
    email: EmailStr | None = None


class Ages(Typed):
    """For whom, in years."""

    min: int | None = Field(default=None, ge=0, le=120)
    max: int | None = Field(default=None, ge=0, le=120)

    @model_validator(mode="after")
    def _in_order(self) -> Ages:
        if self.min is not None and self.max is not None and self.max < self.min:
            raise ValueError(_("The highest age is below the lowest one."))
        return self


class Event(Typed):
    """An event as typed."""

    timings: list[Timing] = Field(min_length=1, max_length=200)
    zone: str = "Europe/Paris"
    attendance: Attendance = Attendance.ON_SITE
    venue: Line | None = None
    address: Line | None = None
    commune: Annotated[str, StringConstraints(pattern=r"^[0-9][0-9AB][0-9]{3}$")] | None = None
    """INSEE code of the commune; it never narrows the audience."""
    online: AnyHttpUrl | None = None
    registration: Registration | None = None
    ages: Ages | None = None
    accessibility: list[Impairment] = []
    conditions: Line | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> Event:
        try:
            zone_info(self.zone)
        except Invalid as error:
            raise ValueError(str(error)) from error
        if self.attendance is not Attendance.ONLINE and not (self.commune or self.venue):
            raise ValueError(_("Say where the event takes place: a commune or a venue, or make it online."))
        if self.attendance is Attendance.ONLINE and not self.online:
            raise ValueError(_("An online event needs its link."))
        return self

    def spans_as_typed(self) -> list[Span]:
        """Its timings as moments, in the order in which they were typed."""
        return [span_of(timing, self.zone) for timing in self.timings]

    def spans(self) -> list[Span]:
        """Its timings in the order of time."""
        return sorted(self.spans_as_typed(), key=lambda span: (span.begin, span.end))

    def last_day_ends_at(self) -> datetime:
        """The UTC instant at which its last date is over; an end at midnight still belongs to the evening before."""
        last = max(timing.end for timing in self.timings) - timedelta(microseconds=1)
        return end_of_day(last.date(), self.zone)
