"""The reach of one territory from near: week by week, what worked there, by kind, its pages, and per 1,000 young people."""  # noqa: E501

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.delivery import Provenance
from hub.domain.metric import Catalogue, Subject
from hub.domain.person import Actor
from hub.domain.population import Cohort, Population
from hub.domain.reach import PageFigure, Reached, Unit
from hub.services import cataloguing, curving, populating, reporting, rolling
from hub.services.curving import Against
from hub.services.reporting import Cell, Frame, Span, Told, Usual

WEEK: Final = timedelta(days=7)

WEEKS: Final = 12
"""So many ISO weeks are looked at, the one that is going on included."""

BEST: Final = 5
"""Most posts that are told to have worked."""

WORKED: Final = 1.25
"""A post worked where it reached so many times what is usual there."""

CITIES: Final = 10
"""Most cities that are named."""

FOLLOWERS: Final = frozenset({"page_follows", "followers_count"})
CITY_FOLLOWERS: Final = frozenset({"page_follows_city"})
PAGE_PEOPLE: Final = frozenset({"page_total_media_view_unique"})
"""What networks call these figures of a page; a metric that takes over from one of them counts as well."""


@dataclass(frozen=True)
class Series:
    """What one network and provenance reached, step by step (weeks or months); a step without posts has no cell."""

    network: str
    provenance: Provenance
    steps: Sequence[Mapping[Unit, Cell]]

    @property
    def unit(self) -> Unit:
        """The kind of figure that stands for it."""
        return main_unit(self.network)


@dataclass(frozen=True)
class Worked:
    """A post that reached more than is usual for the territory."""

    post_id: int
    title: str
    """Empty where its words are not this person's to read."""
    day: date
    network: str
    provenance: Provenance
    unit: Unit
    value: int
    against: Against


@dataclass(frozen=True)
class Page:
    """What a network tells of one page of the territory as a whole."""

    account: Account
    followers: Sequence[tuple[date, int | None]]
    people: Sequence[tuple[date, int | None]]
    """Reached by anything of the page on each day; days are never added up."""
    cities: Sequence[tuple[str, int]]
    """Where most of its followers live, the largest first."""
    read_on: date | None
    """The day of the newest count of followers by city."""


@dataclass(frozen=True)
class Nearby:
    """Everything that is told of the reach of one territory."""

    first: date
    last: date
    weeks: Sequence[date]
    """The Mondays."""
    series: Sequence[Series]
    told: Sequence[Told]
    """All of it together, by network and provenance."""
    kinds: Sequence[Told]
    """The same by kind of post (`key[0]`)."""
    worked: Sequence[Worked]
    enough: bool
    """Whether there were posts enough to say what is usual."""
    pages: Sequence[Page]
    young: Population | None

    def rate(self, one: Told) -> float | None:
        """People per 1,000 young people, where that says something."""
        return per_thousand(one, self.young)


def main_unit(network: str) -> Unit:
    """The kind of figure that stands for a network where there is room for one only."""
    return rolling.FIRST_TOLD.get(network, Unit.VIEWS)


def per_thousand(one: Told, young: Population | None) -> float | None:
    """People reached per 1,000 of a population; None where nobody knows, or where it would say nothing."""
    cell = one.cells.get(Unit.PEOPLE)
    return populating.rate(cell.value if cell else None, Unit.PEOPLE, one.provenance, young)


def near(session: Session, area: str, *, by: Actor, today: date) -> Nearby:
    """The last twelve weeks of one line of the report; `today` by its own calendar."""
    mondays = weeks(today)
    frame = Frame(mondays[0], today, territory=area)
    worked, enough = what_worked(session, frame, area, by=by)
    return Nearby(
        first=frame.first,
        last=frame.last,
        weeks=mondays,
        series=trend(session, frame, mondays, by=by, area=area),
        told=[_shorter(one) for one in _of_area(reporting.told(session, frame, by=by, keys=("area",)), area)],
        kinds=[_shorter(one) for one in _of_area(reporting.told(session, frame, by=by, keys=("area", "kind")), area)],
        worked=worked,
        enough=enough,
        pages=pages(session, area, first=frame.first, last=today),
        young=populating.newest(session, Cohort.YOUNG).get(area),
    )


def _of_area(several: Iterable[Told], area: str) -> list[Told]:
    """Those that count for this line of the report itself: of France, not for its académies."""
    mine = [one for one in several if one.key[0] == area]
    return sorted(mine, key=lambda one: (*map(str, one.key[1:]), one.network, one.provenance))


def _shorter(one: Told) -> Told:
    return Told(one.key[1:], one.network, one.provenance, one.posts, one.deliveries, one.unlimited, one.cells)


# --- Week by week -------------------------------------------------------------------------------------------


def weeks(last: date, number: int = WEEKS) -> list[date]:
    """The Mondays of so many ISO weeks; the last one holds this day."""
    monday = last - timedelta(days=last.weekday())
    return [monday - WEEK * back for back in range(number - 1, -1, -1)]


def trend(session: Session, frame: Frame, steps: Sequence[date], *, by: Actor, area: str | None = None) -> list[Series]:
    """What was reached step by step; `steps` are their first days, of one line of the report or of all of them."""
    together: dict[tuple[str, Provenance], list[dict[Unit, list[Cell]]]] = {}
    for day, one in reporting.over_time(session, frame, Span.DAY, by=by, keys=("area",)):
        if area is not None and one.key[0] != area:
            continue
        empty: list[dict[Unit, list[Cell]]] = [{} for _step in steps]
        series = together.setdefault((one.network, one.provenance), empty)
        for unit, cell in one.cells.items():
            series[_step_of(day, steps)].setdefault(unit, []).append(cell)
    return [
        Series(
            network,
            provenance,
            [{unit: reporting.join(unit, cells) for unit, cells in step.items()} for step in series],
        )
        for (network, provenance), series in sorted(together.items())
    ]


def _step_of(day: date, steps: Sequence[date]) -> int:
    return max(place for place, first in enumerate(steps) if first <= day or place == 0)


# --- What worked --------------------------------------------------------------------------------------------


def what_worked(session: Session, frame: Frame, area: str, *, by: Actor) -> tuple[list[Worked], bool]:
    """The posts that did best, set against what is usual for the territory itself; and whether that can be told."""
    rows = session.exec(
        select(Reached)
        .where(*reporting.within(session, frame, by=by), col(Reached.area) == area)
        .order_by(col(Reached.delivery_id), col(Reached.territory_code))
    ).all()
    deliveries: dict[int, list[Reached]] = {}
    for row in rows:
        deliveries.setdefault(row.delivery_id, []).append(row)
    usual: dict[tuple[str, Provenance], dict[Unit, Usual]] = {}
    found = []
    for some in deliveries.values():
        first = some[0]
        source = (first.network, Provenance(first.provenance))
        if source not in usual:
            usual[source] = reporting.usual(session, area, network=source[0], provenance=source[1], until=frame.last)
        unit = main_unit(first.network)
        cell = curving.joined(some).get(unit)
        against = curving.against_usual(cell.value if cell else None, usual[source].get(unit))
        if cell and cell.value is not None and against and (against.share or 0) >= WORKED:
            found.append(Worked(first.post_id, "", first.day, *source, unit, cell.value, against))
    best = sorted(found, key=lambda one: (-(one.against.share or 0), one.post_id))[:BEST]
    titles = reporting.titles(session, {one.post_id for one in best}, by=by)
    enough = any(main_unit(network) in known for (network, _provenance), known in usual.items())
    return [_named(one, titles) for one in best], enough


def _named(one: Worked, titles: Mapping[int, str]) -> Worked:
    return Worked(
        one.post_id, titles.get(one.post_id, ""), one.day, one.network, one.provenance, one.unit, one.value, one.against
    )


# --- Pages --------------------------------------------------------------------------------------------------


def pages(session: Session, area: str, *, first: date, last: date) -> list[Page]:
    """The pages that speak for the territory itself, as far as their networks told anything of them."""
    catalogue = cataloguing.catalogue(session)
    followers, people, cities = (heirs(catalogue, names) for names in (FOLLOWERS, PAGE_PEOPLE, CITY_FOLLOWERS))
    told = []
    for account in session.exec(
        select(Account).where(Account.territory_code == area).order_by(col(Account.network), col(Account.id))
    ):
        by_city, read_on = _cities(session, account, cities, last)
        one = Page(
            account,
            _daily(session, account, followers, first, last),
            _daily(session, account, people, first, last, period="day"),
            by_city,
            read_on,
        )
        if one.followers or one.people or one.cities:
            told.append(one)
    return told


def heirs(catalogue: Catalogue, names: Collection[str]) -> set[str]:
    """These metrics of pages, and those that took over from them."""
    known = set(names)
    of_pages = [one for one in catalogue.metrics if one.subject is Subject.PAGE]
    while more := {one.name for one in of_pages if one.replaces in known} - known:
        known |= more
    return known


def _daily(
    session: Session, account: Account, names: Collection[str], first: date, last: date, *, period: str | None = None
) -> list[tuple[date, int | None]]:
    """One figure for each day on which the network told it, or told that it does not know."""
    query: Any = (
        sa_select(col(PageFigure.day), func.max(col(PageFigure.value)))
        .where(
            col(PageFigure.account_id) == account.id,
            col(PageFigure.metric).in_(names),
            col(PageFigure.dimension) == "",
            col(PageFigure.day).between(first, last),
        )
        .group_by(col(PageFigure.day))
        .order_by(col(PageFigure.day))
    )
    if period is not None:
        query = query.where(col(PageFigure.period) == period)
    return [(day, value) for day, value in session.execute(query)]


def _cities(
    session: Session, account: Account, names: Collection[str], last: date
) -> tuple[list[tuple[str, int]], date | None]:
    """Where most followers live, as of the newest day that was told."""
    of_account = (
        PageFigure.account_id == account.id,
        col(PageFigure.metric).in_(names),
        PageFigure.dimension != "",
        col(PageFigure.value).is_not(None),
    )
    newest = session.exec(select(func.max(PageFigure.day)).where(*of_account, PageFigure.day <= last)).one()
    if newest is None:
        return [], None
    rows = session.exec(
        select(PageFigure.dimension, PageFigure.value)
        .where(*of_account, PageFigure.day == newest)
        .order_by(col(PageFigure.value).desc(), col(PageFigure.dimension))
        .limit(CITIES)
    )
    return [(city, value) for city, value in rows if value is not None], newest
