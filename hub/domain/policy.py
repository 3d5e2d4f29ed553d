"""Policies: what the people of this house agreed on, changed by them while it runs (machines differ by settings)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import Field as Bounded
from pydantic import StringConstraints, model_validator
from sqlalchemy import JSON
from sqlmodel import Field

from hub.domain.clock import zone_info
from hub.domain.event import Line, Typed
from hub.domain.table import Moment, Table
from hub.domain.territory import COUNTRY, Atlas
from hub.language import _

Hour = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day, `18:00`."""

_SOON = timedelta(days=400)
"""Nobody looks further for the end of a quiet time."""


class Policy(Table, table=True):
    """One agreed value; absent: the usual one."""

    name: str = Field(primary_key=True, max_length=60)
    value: Any = Field(default=None, sa_type=JSON)
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: str


class QuietWindow(Typed):
    """A time at which nothing should go out: days, hours of each day, or hours within days; by local wall time."""

    name: Line
    territories: list[str] = Bounded(default_factory=lambda: [COUNTRY], min_length=1, max_length=200)
    from_day: date | None = None
    """First day; None: always."""
    to_day: date | None = None
    """Last day, included; None: for ever."""
    from_hour: Hour | None = None
    to_hour: Hour | None = None
    """Up to this hour; before `from_hour`, it is that of the next morning. Without hours: the whole day."""

    @model_validator(mode="after")
    def _makes_sense(self) -> QuietWindow:
        if (self.from_hour is None) != (self.to_hour is None):
            raise ValueError(_("Give both hours, or none."))
        if self.from_hour is not None and self.from_hour == self.to_hour:
            raise ValueError(_("The two hours are the same. Leave both empty for whole days."))
        if self.from_hour is None and self.from_day is None and self.to_day is None:
            raise ValueError(_("Say which days or which hours are quiet."))
        if self.from_day is not None and self.to_day is not None and self.to_day < self.from_day:
            raise ValueError(_("The last day comes before the first."))
        return self

    def holds(self, wall: datetime) -> bool:
        """Whether it is quiet at this wall time."""
        if self.from_hour is None or self.to_hour is None:
            return self._has_day(wall.date())
        begin, end, now = time.fromisoformat(self.from_hour), time.fromisoformat(self.to_hour), wall.time()
        if begin < end:
            return begin <= now < end and self._has_day(wall.date())
        if now >= begin:
            return self._has_day(wall.date())
        # A night belongs to the day on which it begins.
        return now < end and self._has_day(wall.date() - timedelta(days=1))

    def _has_day(self, day: date) -> bool:
        return (self.from_day is None or self.from_day <= day) and (self.to_day is None or day <= self.to_day)

    def end_after(self, wall: datetime) -> datetime | None:
        """The wall time at which this quiet stretch ends; None when that is out of sight."""
        if self.from_hour is None or self.to_hour is None:
            if self.to_day is None or self.to_day - wall.date() > _SOON:
                return None
            return datetime.combine(self.to_day + timedelta(days=1), time.min)
        end = datetime.combine(wall.date(), time.fromisoformat(self.to_hour))
        return end if end > wall else end + timedelta(days=1)


def quiet_until(windows: Sequence[QuietWindow], wall: datetime) -> datetime | None:
    """The first wall time from here on at which none of these windows holds; None when none is in sight."""
    free = wall
    for _step in range(50):  # one window may end within another
        ends = [window.end_after(free) for window in windows if window.holds(free)]
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return None
        if not known:
            return free
        free = max(known)
    return None


@dataclass(frozen=True)
class Quiet:
    """That a moment is quiet in a territory, by which window, and until when there."""

    window: str
    territory_code: str
    wall: datetime
    free: datetime | None


def quiet_at(windows: Sequence[QuietWindow], land: Iterable[str], moment: datetime, atlas: Atlas) -> Quiet | None:
    """The first of these territories in which it is quiet at that moment, each by its own clock."""
    for code in sorted(land):
        near = [(window, met) for window in windows for met in _met(window, code, atlas)]
        for window, met in near:
            wall = moment.astimezone(zone_info(atlas.zone(met))).replace(tzinfo=None)
            if window.holds(wall):
                same = [other for other, where in near if where == met]
                return Quiet(window.name, met, wall, quiet_until(same, wall))
    return None


def _met(window: QuietWindow, code: str, atlas: Atlas) -> set[str]:
    """What of a territory a window speaks of; codes that are no more do not count."""
    common = (atlas.meet(code, other) for other in window.territories if other in atlas)
    return {met for met in common if met is not None}


class Policies(Typed):
    """All of them, with what is usual."""

    silence_days: int = Bounded(default=14, ge=1, le=365)
    """A territory that published nothing for so many days stands out."""
    token_warning_days: int = Bounded(default=14, ge=1, le=90)
    """An account whose token ends within so many days is in trouble."""
    expiry_warning_hours: int = Bounded(default=24, ge=1, le=168)
    """A post that nobody has approved so shortly before its time is told about."""
    approval_lead_hours: int = Bounded(default=24, ge=0, le=336)
    """How long before its time a post should be handed in; a warning, not a refusal."""
    second_factor: bool = False
    """Coordinators and administrators must show a second factor."""
    usual_time: Hour = "18:00"
    """The time of day that a new post begins with."""
    daily_mail_hour: int = Bounded(default=7, ge=0, le=23)
    """When the mail of the day goes out, in each person's own zone."""
    quiet_windows: list[QuietWindow] = Bounded(default_factory=list, max_length=50)
    """When nothing should go out; the plan warns."""
