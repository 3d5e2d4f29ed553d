"""An event in words: the lines by which people know when, where and for whom it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.domain.clock import zone_name
from hub.domain.event import ATTENDANCE_NAMES, IMPAIRMENT_NAMES, Attendance, Event, Timing
from hub.language import _

CommuneName = Callable[[str], str]
"""From a commune's INSEE code to its name."""


USUAL_ZONE: Final = "Europe/Paris"


@dataclass(frozen=True)
class Fact:
    """One thing that is told of an event, with its name; several lines where there are several."""

    field: str
    name: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole of it."""
        return "\n".join(self.lines)


def facts(event: Event, commune: CommuneName) -> list[Fact]:
    """Everything that is told of an event, in the order in which people ask; what was not typed is left out."""
    told = [
        Fact("timings", _("Dates"), tuple(_span(one) for one in event.timings)),
        Fact("zone", _("Time zone"), () if event.zone == USUAL_ZONE else (zone_name(event.zone),)),
        Fact("place", _("Place"), _place(event, commune)),
        Fact("online", _("Online"), (str(event.online),) if event.online else ()),
        Fact("registration", _("Registration"), _registration(event)),
        Fact("ages", _("Ages"), _ages(event)),
        Fact("accessibility", _("Accessibility"), tuple(_(IMPAIRMENT_NAMES[one]) for one in event.accessibility)),
        Fact("conditions", _("Conditions"), (event.conditions,) if event.conditions else ()),
    ]
    return [fact for fact in told if fact.lines]


def _span(timing: Timing) -> str:
    day, begin = timing.begin.strftime("%d/%m/%Y"), timing.begin.strftime("%H:%M")
    if timing.begin.date() == timing.end.date():
        return _("{day}, from {begin} to {end}", day=day, begin=begin, end=timing.end.strftime("%H:%M"))
    return _("from {begin} to {end}", begin=moment(timing.begin), end=moment(timing.end))


def moment(wall: datetime) -> str:
    """A wall time in figures."""
    return _("{day} at {hour}", day=wall.strftime("%d/%m/%Y"), hour=wall.strftime("%H:%M"))


def _place(event: Event, commune: CommuneName) -> tuple[str, ...]:
    where = [event.venue, event.address, commune(event.commune) if event.commune else None]
    told = ", ".join(part for part in where if part)
    kind = "" if event.attendance is Attendance.ON_SITE else _(ATTENDANCE_NAMES[event.attendance])
    return tuple(line for line in (told, kind) if line)


def _registration(event: Event) -> tuple[str, ...]:
    by = event.registration
    return tuple(str(one) for one in (by.link, by.phone, by.email) if one) if by else ()


def _ages(event: Event) -> tuple[str, ...]:
    ages = event.ages
    if ages is None or (ages.min is None and ages.max is None):
        return ()
    if ages.max is None:
        return (_("from {age} years on", age=ages.min),)
    if ages.min is None:
        return (_("up to {age} years", age=ages.max),)
    return (_("from {begin} to {end} years", begin=ages.min, end=ages.max),)
