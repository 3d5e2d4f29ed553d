"""The calendar as a page lays it out: weeks of a month, hours of a week, and what each place shows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from hub.domain.clock import LOCAL
from hub.domain.errors import Invalid
from hub.domain.territory import Atlas
from hub.language import _, ngettext
from hub.services import choosing
from hub.services.calendaring import STANDING_NAMES, Slot, Standing

MOST_NAMES: Final = 2
"""Territories that are named; more are counted."""

A_DAY_SHOWS: Final = 4
"""How many posts a day of a month shows; the others are in its week."""

USUAL_HOURS: Final = (8, 19)
"""Hours that a week always shows."""


class View(StrEnum):
    """How much is shown at once."""

    MONTH = "mois"
    WEEK = "semaine"


STATES: Final[Mapping[str, Standing]] = {
    "brouillon": Standing.DRAFT,
    "a-corriger": Standing.RETURNED,
    "a-valider": Standing.TO_APPROVE,
    "programmee": Standing.SCHEDULED,
    "publiee": Standing.PUBLISHED,
    "a-regarder": Standing.TROUBLE,
    "depubliee": Standing.REMOVED,
    "annulee": Standing.CANCELLED,
}
"""States as addresses name them."""


@dataclass(frozen=True)
class Span:
    """The days of one page, and the ways to its neighbours."""

    view: View
    first: date
    last: date
    before: date
    after: date
    month: date
    """The first day of the month that is meant; a week belongs to that of its Thursday."""

    @property
    def weeks(self) -> list[list[date]]:
        """Its days, week by week."""
        days = [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]
        return [days[start : start + 7] for start in range(0, len(days), 7)]


def span(view: View, on: date) -> Span:
    """The month or week that holds a day; Invalid far from any post."""
    if not 1900 < on.year < 2200:
        raise Invalid(_("Check the year."), field="le")
    monday = on - timedelta(days=on.weekday())
    if view is View.WEEK:
        month = (monday + timedelta(days=3)).replace(day=1)
        week = timedelta(days=7)
        return Span(view, monday, monday + timedelta(days=6), on - week, on + week, month)
    begin = on.replace(day=1)
    following = (begin + timedelta(days=31)).replace(day=1)
    end = following - timedelta(days=1)
    first, last = begin - timedelta(days=begin.weekday()), end + timedelta(days=6 - end.weekday())
    return Span(view, first, last, (begin - timedelta(days=1)).replace(day=1), following, begin)


@dataclass(frozen=True)
class Chip:
    """One post on one day, as it is shown."""

    post_id: int
    title: str
    hour: str
    state: Standing
    movable: bool
    where: str
    """Its territory, or how many."""
    accounts: str
    """Its account, or how many."""
    clock: str
    """Whose clocks, where they are not those of its territory."""

    @property
    def state_name(self) -> str:
        """Its state in words."""
        return _(STANDING_NAMES[self.state])


@dataclass(frozen=True)
class DayCell:
    """One day."""

    on: date
    chips: Sequence[Chip]
    outside: bool
    """Of another month than the one that is meant."""
    today: bool

    @property
    def shown(self) -> Sequence[Chip]:
        """Those that a month shows."""
        return self.chips if len(self.chips) <= A_DAY_SHOWS + 1 else self.chips[:A_DAY_SHOWS]

    @property
    def hidden(self) -> int:
        """How many it does not show."""
        return len(self.chips) - len(self.shown)

    @property
    def hours(self) -> dict[int, list[Chip]]:
        """Its posts by the hour."""
        told: dict[int, list[Chip]] = {}
        for chip in self.chips:
            told.setdefault(int(chip.hour[:2]), []).append(chip)
        return told


def cells(
    span: Span, days: Mapping[date, Sequence[Slot]], *, today: date, movable: Collection[int], land: Atlas
) -> list[list[DayCell]]:
    """The days of a page, week by week, with all that they hold."""
    return [
        [
            DayCell(
                on,
                [chip(slot, land, movable) for slot in days.get(on, ())],
                outside=span.view is View.MONTH and on.month != span.month.month,
                today=on == today,
            )
            for on in week
        ]
        for week in span.weeks
    ]


def chip(slot: Slot, land: Atlas, movable: Collection[int] = ()) -> Chip:
    """How a post shows on its day."""
    codes, accounts = [code for code in slot.codes if code in land], slot.accounts
    names = sorted(land.name(code) for code in land.simplify(codes))
    counted = ngettext("{count} account", "{count} accounts", len(accounts))
    return Chip(
        post_id=slot.post.id or 0,
        title=slot.title,
        hour=slot.hour,
        state=slot.standing,
        movable=slot.post.id in movable,
        where=", ".join(names)
        if len(names) <= MOST_NAMES
        else ngettext("{count} territory", "{count} territories", len(names)),
        accounts=accounts[0].name if len(accounts) == 1 else counted if accounts else _("no account yet"),
        clock=clock_of(slot.zones, {land.zone(code) for code in codes}),
    )


def clock_of(zones: Sequence[str], own: Collection[str]) -> str:
    """Whose clocks are meant, in words; nothing where they are those that hang in the territory itself."""
    if set(zones) == {LOCAL} or set(zones) == set(own):
        return ""
    return _("local time") if len(zones) > 1 else choosing.zone_name(zones[0])


def landmark(weeks: Iterable[Sequence[DayCell]], today: date) -> date:
    """The first day from today on that holds something: where « today » leads to on a long page."""
    return next((cell.on for week in weeks for cell in week if cell.on >= today and cell.chips), today)


def hours(week: Iterable[DayCell]) -> list[int]:
    """The hours that a week shows, from the earliest to the latest."""
    used = {hour for cell in week for hour in cell.hours} | set(USUAL_HOURS)
    return list(range(min(used), max(used) + 1))
