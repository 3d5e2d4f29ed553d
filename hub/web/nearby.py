"""The reach of a post and of a territory as their pages show it: figures in words, and charts of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from markupsafe import Markup
from sqlmodel import Session

from hub.domain.account import NETWORK_NAMES, AccountNetwork
from hub.domain.delivery import Provenance
from hub.domain.person import Actor
from hub.domain.post import KIND_NAMES, Kind
from hub.domain.reach import How, Unit
from hub.language import _, ngettext
from hub.services import compiling, curving, nearing
from hub.services.curving import Curve, Landed, Point
from hub.services.nearing import Nearby, Page, Series, Worked
from hub.services.reporting import PROVENANCE_NAMES, UNIT_NAMES, Cell, Told
from hub.web import charts
from hub.web.charts import Mark
from hub.web.pages import day as day_in_words
from hub.web.pages import number, query

DRAWN: Final = 3
"""Of so many deliveries each kind of figure is drawn, and nothing is folded; of more, the main kind only."""

PAGE_DAYS: Final = timedelta(days=28)
"""So many days of a page as a whole are drawn."""

CITY_WORDS: Final = ","
"""What stands between a city and where it lies, as Facebook says it."""


# --- Words --------------------------------------------------------------------------------------------------


def unit_name(unit: Unit) -> str:
    """What a kind of figure is called at the head of a column."""
    return _(UNIT_NAMES[unit]).capitalize()


def source_name(network: str, provenance: Provenance) -> str:
    """Who counted, and what that says of a territory: « Facebook · own page »."""
    if provenance is Provenance.PORTAL:
        return _("Our portal")
    return f"{_(NETWORK_NAMES[AccountNetwork(network)])} · {_(PROVENANCE_NAMES[provenance])}"


def figure(cell: Cell | None) -> str:
    """A figure as it stands in a table: « at least » before a lower bound, a dash for what was not told."""
    if cell is None:
        return ""
    if cell.how is How.AT_LEAST:
        return _("at least {number}", number=number(cell.value))
    return number(cell.value)


def slot_name(hours: int) -> str:
    """How long after publication."""
    if hours < 24 or hours % 24:
        return ngettext("{count} hour", "{count} hours", hours)
    return ngettext("{count} day", "{count} days", hours // 24)


def units_of(several: Iterable[Told]) -> list[Unit]:
    """The kinds of figures that some of these have, in their usual order."""
    found = {unit for one in several for unit in one.cells}
    return [unit for unit in Unit if unit in found]


def rate_told(rate: float | None) -> str:
    """People per 1,000; nothing where nobody can say."""
    return "" if rate is None else number(rate, 1)


# --- A post -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """One newest figure: how it is called, what it is, and how it compares with what is usual."""

    name: str
    shown: str
    told: bool
    compared: str


@dataclass
class Destination:
    """What is shown of one delivery that went out."""

    id: int
    name: str
    source: str
    unlimited: bool
    own: bool
    """Whether all of it is our own count, which nobody reads anywhere."""
    read_at: datetime | None
    areas: list[tuple[str, list[Tile]]]
    charts: list[Markup] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    readings: list[tuple[str, datetime | None, list[str]]] = field(default_factory=list)
    """Of each planned reading: how long after, when it was made, and its figures."""


def of_post(session: Session, post_id: int, names: Mapping[int, str], *, by: Actor, at: datetime) -> list[Destination]:
    """The reach of a post, one destination after the other, as far as it concerns this person."""
    landed = curving.of_post(session, post_id, by=by, at=at)
    curves = curving.curves(session, {one.delivery_id for one in landed if one.whole})
    shown: dict[int, Destination] = {}
    for one in landed:
        if one.delivery_id not in shown:
            shown[one.delivery_id] = _destination(one, names.get(one.delivery_id, one.name))
        if not _is_idle(one, landed):
            shown[one.delivery_id].areas.append((one.name, _tiles(one)))
    for number_, destination in shown.items():
        network = next(one.network for one in landed if one.delivery_id == number_)
        _draw(destination, curves.get(number_, []), network, all_kinds=len(shown) <= DRAWN)
    return list(shown.values())


def _is_idle(one: Landed, landed: Sequence[Landed]) -> bool:
    """Whether nobody looked there, on a portal that was looked at elsewhere: nought is all that there is to tell."""
    others = [other for other in landed if other.delivery_id == one.delivery_id and _has_some(other)]
    return bool(others) and not _has_some(one)


def _has_some(one: Landed) -> bool:
    return any(cell.value for cell in one.cells.values())


def _destination(one: Landed, name: str) -> Destination:
    return Destination(
        id=one.delivery_id,
        name=name,
        source=source_name(one.network, one.provenance),
        unlimited=one.unlimited,
        own=one.provenance is Provenance.PORTAL,
        read_at=one.read_at,
        areas=[],
    )


def _tiles(one: Landed) -> list[Tile]:
    return [
        Tile(
            unit_name(unit),
            figure(cell),
            cell.value is not None,
            curving.compared(one.against[unit], unit, one.name) if unit in one.against else "",
        )
        for unit, cell in one.cells.items()
    ]


def _draw(destination: Destination, curves: Sequence[Curve], network: str, *, all_kinds: bool) -> None:
    main = nearing.main_unit(network)
    ordered = sorted(curves, key=lambda one: one.unit is not main)
    destination.kinds = [unit_name(one.unit) for one in ordered]
    destination.charts = [_curve(destination, one) for one in (ordered if all_kinds else ordered[:1])]
    if ordered:
        destination.readings = [
            (
                slot_name(points[0].hours),
                max((one.read_at for one in points if one.read_at), default=None),
                ["" if one.read_at is None else figure(Cell(one.value, one.how)) for one in points],
            )
            for points in zip(*(one.points for one in ordered), strict=True)
        ]


def _curve(destination: Destination, curve: Curve) -> Markup:
    kind = unit_name(curve.unit)
    return charts.curve(
        f"courbe-{destination.id}-{curve.unit}",
        [slot_name(one.hours) for one in curve.points],
        [_point(one) for one in curve.points],
        title=_("{kind} after publication: {name}", kind=kind, name=destination.name),
        description=_("The same figures are in the table below."),
    )


def _point(point: Point) -> Mark | None:
    if point.read_at is None:
        return None
    shown = figure(Cell(point.value, point.how))
    return Mark(slot_name(point.hours), point.value, shown, at_least=point.how is How.AT_LEAST)


# --- A territory --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PageShown:
    """What is shown of one page of a territory as a whole."""

    page: Page
    network: str
    followers: int | None
    change: str
    """How many followers more or fewer than at the beginning, in words."""
    charts: Sequence[Markup]
    cities: Sequence[tuple[str, int]]


def of_territory(session: Session, area: str, *, by: Actor, today: date) -> dict[str, Any]:
    """What the page of a territory says of its reach."""
    told = nearing.near(session, area, by=by, today=today)
    return {
        "reach": told,
        "trends": [
            trend_chart(f"tendance-{place}", one, week_names(told.weeks)) for place, one in enumerate(told.series)
        ],
        "week_rows": step_rows(told.series, week_names(told.weeks)),
        "series_names": [series_name(one) for one in told.series],
        "reach_lines": [("", _line(one, told)) for one in told.told],
        "kind_lines": [(_(KIND_NAMES[Kind(one.key[0])]), _line(one, told)) for one in told.kinds],
        "reach_units": units_of(told.told),
        "worked": [_worked(one) for one in told.worked],
        "pages_shown": [_page(one, told) for one in told.pages],
        "reach_address": "/equipe/portee" + query(territoire=area, du=told.first, au=told.last),
        "print_address": "/equipe/portee/rapport" + query(territoire=area, du=told.first, au=told.last),
        "unit_name": unit_name,
        "patterns": charts.patterns,
    }


def _line(one: Told, told: Nearby) -> dict[str, Any]:
    return {
        "source": source_name(one.network, one.provenance),
        "unlimited": one.unlimited,
        "posts": one.posts,
        "figures": {unit: figure(cell) for unit, cell in one.cells.items()},
        "rate": rate_told(told.rate(one)),
    }


def _worked(one: Worked) -> dict[str, Any]:
    return {
        "address": f"/equipe/publications/{one.post_id}" if one.title else "",
        "title": one.title or _("Post {number}", number=one.post_id),
        "day": one.day,
        "source": source_name(one.network, one.provenance),
        "figure": f"{number(one.value)} {_(UNIT_NAMES[one.unit])}",
        "compared": curving.share_told(one.against, one.unit),
    }


def week_names(mondays: Sequence[date]) -> list[str]:
    """How weeks are called below a chart: by their Mondays."""
    return [day_in_words(monday, form="d MMM") for monday in mondays]


def trend_chart(name: str, series: Series, labels: Sequence[str], *, outside: bool = False) -> Markup:
    """The main kind of figure of one network and provenance, step by step; `outside`: our own few are not drawn."""
    hidden = outside and compiling.is_own(series.unit, series.provenance)
    cells = [step.get(series.unit) for step in series.steps]
    return charts.columns(
        name,
        labels,
        [
            None if cell is None or (hidden and compiling.is_few(cell)) else _mark(label, cell)
            for label, cell in zip(labels, cells, strict=True)
        ],
        title=f"{unit_name(series.unit)} · {source_name(series.network, series.provenance)}",
        description=_("The same figures are in the table below."),
    )


def _mark(label: str, cell: Cell) -> Mark:
    return Mark(label, cell.value, figure(cell), at_least=cell.how is How.AT_LEAST)


def series_name(series: Series) -> str:
    """What a trend is of: « Facebook · own page, people »."""
    return f"{source_name(series.network, series.provenance)}, {unit_name(series.unit).lower()}"


def step_rows(series: Sequence[Series], labels: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The same as a table, the newest step first: what each source reached, empty where nothing was published."""
    rows = [(label, [figure(one.steps[place].get(one.unit)) for one in series]) for place, label in enumerate(labels)]
    return rows[::-1]


def _page(one: Page, told: Nearby) -> PageShown:
    known = [(day, value) for day, value in one.followers if value is not None]
    account = one.account
    assert account.id is not None
    labels = week_names(told.weeks)
    followers = [_of_week(one.followers, monday, label) for monday, label in zip(told.weeks, labels, strict=True)]
    people = [
        Mark(day_in_words(day, form="d MMM"), value, number(value))
        for day, value in one.people
        if day > told.last - PAGE_DAYS
    ]
    drawn = []
    below = _("{account}: what the network told", account=account.name)
    if len(known) > 1:
        title = _("Followers, week by week: {account}", account=account.name)
        drawn.append(charts.curve(f"abonnes-{account.id}", labels, followers, title=title, description=below))
    if people:
        title = _("People reached by the page, day by day: {account}", account=account.name)
        drawn.append(
            charts.columns(f"page-{account.id}", [one.label for one in people], people, title=title, description=below)
        )
    return PageShown(
        one,
        _(NETWORK_NAMES[account.network]),
        known[-1][1] if known else None,
        _change(known),
        drawn,
        [(city.split(CITY_WORDS)[0], value) for city, value in one.cities],
    )


def _of_week(followers: Sequence[tuple[date, int | None]], monday: date, label: str) -> Mark | None:
    """The last count of a week."""
    of_week = [value for day, value in followers if monday <= day < monday + nearing.WEEK]
    known = [value for value in of_week if value is not None]
    if known:
        return Mark(label, known[-1], number(known[-1]))
    return Mark(label, None, number(None)) if of_week else None


def _change(known: Sequence[tuple[date, int]]) -> str:
    """How many more or fewer than at the first count of the span."""
    if len(known) < 2:
        return ""
    (first, before), (_last, now) = known[0], known[-1]
    since = day_in_words(first, form="d MMMM")
    if now == before:
        return _("as many as on {day}", day=since)
    if now > before:
        return _("{count} more than on {day}", count=number(now - before), day=since)
    return _("{count} fewer than on {day}", count=number(before - now), day=since)
