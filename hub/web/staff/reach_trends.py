"""Trends of the reach page: the measure by day, week or month with the period before, and by hour of the week."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hub.domain.metric import Break
from hub.domain.reach import How, Unit
from hub.language import _, ngettext
from hub.services import trending
from hub.services.reporting import UNIT_NAMES, Cell, Told
from hub.services.trending import Point, Step
from hub.web import charts
from hub.web.pages import day, number
from hub.web.staff.reach_asked import Source, hour_name, weekday_name
from hub.web.staff.reach_lines import shown
from hub.web.staff.reach_overview import Overview, break_words
from hub.web.staff.reach_ranked import mark


@dataclass(frozen=True)
class Spell:
    """One day, week or month of a trend, with the one that it is compared with."""

    name: str
    in_part: bool
    """The period begins after it, or ends before it does."""
    cell: Cell | None
    name_before: str
    before: Cell | None
    address: str
    """Where the posts behind it are listed."""
    broken: Break | None = None


@dataclass(frozen=True)
class Trend:
    """The measure of one source as it went: the chart, and the same numbers for the table below it."""

    source: Source
    chart: str
    spells: Sequence[Spell]
    compared: bool
    """Whether anything is known of the period before."""


Cells = Mapping[date, Cell]


def trends(view: Overview) -> list[Trend]:
    """A trend for each source that has the measure."""
    asked = view.asked
    now, before = (
        _by_source(trending.steps(view.session, frame, asked.step, by=view.by), view.unit)
        for frame in (asked.frame, asked.frame_before)
    )
    return [_trend(view, source, _spells(view, source, now[source], before.get(source, {}))) for source in view.sources]


def _by_source(points: Iterable[Point], unit: Unit) -> dict[Source, dict[date, Cell]]:
    found: dict[Source, dict[date, Cell]] = {}
    for one in points:
        if unit in one.told.cells:
            found.setdefault(Source(one.told.network, one.told.provenance), {})[one.first] = one.told.cells[unit]
    return found


def _spells(view: Overview, source: Source, now: Cells, before: Cells) -> list[Spell]:
    """Step by step, beside the step at the same place of the period before."""
    asked, told = view.asked, []
    earlier = trending.starts(*asked.before, asked.step)
    for place, begin in enumerate(trending.starts(asked.first, asked.last, asked.step)):
        first, last = begin, trending.following(begin, asked.step) - timedelta(days=1)
        within = max(first, asked.first), min(last, asked.last)
        old = earlier[place] if place < len(earlier) else None
        told.append(
            Spell(
                name=spell_name(begin, asked.step),
                in_part=within != (first, last),
                cell=now.get(begin),
                name_before=spell_name(old, asked.step) if old else "",
                before=before.get(old) if old else None,
                address=asked.posts(source, view.unit, periode="", du=within[0], au=within[1]),
                broken=_broken(view, source, *within),
            )
        )
    return told


def _broken(view: Overview, source: Source, first: date, last: date) -> Break | None:
    return next(
        (
            one
            for one in view.breaks
            if one.network.value == source.network and one.unit is view.unit and first <= one.day <= last
        ),
        None,
    )


def _trend(view: Overview, source: Source, spells: Sequence[Spell]) -> Trend:
    compared = any(one.before for one in spells)
    chart = charts.columns(
        f"trend-{source.word}",
        [one.name for one in spells],
        [mark(one.name, one.cell) for one in spells],
        [mark(one.name_before, one.before) for one in spells] if compared else (),
        title=f"{_(UNIT_NAMES[view.unit]).capitalize()}{_(': ')}{source.name}",
        description=_described(spells),
        breaks={place: break_words(one.broken) for place, one in enumerate(spells) if one.broken},
    )
    return Trend(source, chart, spells, compared)


def _described(spells: Sequence[Spell]) -> str:
    """What a chart shows, in a sentence."""
    known = [one for one in spells if one.cell and one.cell.value is not None]
    untold = sum(one.cell is not None and one.cell.value is None for one in spells)
    words = [ngettext("{count} figure", "{count} figures", len(known))]
    if known:
        highest = max(known, key=lambda one: (one.cell and one.cell.value) or 0)
        words.append(_("the highest is {number} ({when})", number=shown(highest.cell), when=highest.name))
    if untold:
        words.append(ngettext("{count} was not told", "{count} were not told", untold))
    return ", ".join(words) + ". " + _("The table below has the same numbers.")


def spell_name(begin: date, step: Step) -> str:
    """A day, a week by its Monday, or a month, as short as a chart needs it."""
    return day(begin, form="MMM y" if step is Step.MONTH else "d MMM")


# --- Hours of the week ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beat:
    """What was reached by posts of one hour of the week."""

    number: str
    at_least: bool
    shade: int | None
    posts: int
    words: str
    address: str


@dataclass(frozen=True)
class Rhythm:
    """A measure by hour and weekday: the hours in which anything went out, each with its seven days."""

    weekdays: Sequence[str]
    hours: Sequence[tuple[str, Sequence[Beat | None]]]


def rhythm(view: Overview, source: Source) -> Rhythm:
    """The measure of one source by the hour of the week in which posts went out, where they went out."""
    told = {
        (one.weekday, one.hour): one.told
        for one in trending.hourly(view.session, view.asked.frame, by=view.by)
        if Source(one.told.network, one.told.provenance) == source and view.unit in one.told.cells
    }
    ends = charts.steps(one.cells[view.unit].value for one in told.values())
    return Rhythm(
        [weekday_name(weekday) for weekday in range(7)],
        [
            (
                hour_name(hour),
                [
                    _beat(view, source, (weekday, hour), told[weekday, hour], ends) if (weekday, hour) in told else None
                    for weekday in range(7)
                ],
            )
            for hour in sorted({hour for _weekday, hour in told})
        ],
    )


def _beat(view: Overview, source: Source, when: tuple[int, int], told: Told, ends: Sequence[float]) -> Beat:
    weekday, hour = when
    cell = told.cells[view.unit]
    posts = ngettext("{count} post", "{count} posts", told.posts)
    figure = f"{shown(cell)} {_(UNIT_NAMES[view.unit])}" if cell.value is not None else _("not told by the network")
    return Beat(
        number=number(cell.value),
        at_least=cell.how is How.AT_LEAST and cell.value is not None,
        shade=charts.shade(cell.value, ends),
        posts=told.posts,
        words=f"{weekday_name(weekday)} {hour_name(hour)}{_(': ')}{figure}, {posts}",
        address=view.asked.posts(source, view.unit, jour=str(weekday), heure=str(hour)),
    )
