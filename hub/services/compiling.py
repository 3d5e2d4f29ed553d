"""Everything that a printed report says of the reach of a territory or of the country, gathered once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

from sqlmodel import Session

from hub.domain.delivery import Provenance
from hub.domain.errors import NotFound
from hub.domain.metric import Break, Catalogue, Metric, Subject
from hub.domain.person import Actor
from hub.domain.population import Cohort, Population
from hub.domain.reach import SMALL, Unit
from hub.domain.territory import COUNTRY, Atlas, Level, search_key
from hub.language import _
from hub.services import cataloguing, geotargeting, nearing, populating, reporting
from hub.services.nearing import Series, main_unit
from hub.services.reporting import Cell, Frame, Told

MOST_WEEKS: Final = 26
"""A longer period is told month by month."""

MOST_POSTS: Final = 200
"""Most posts that are printed; the export holds all of them."""


@dataclass(frozen=True)
class Ranked:
    """One territory in a ranking of its like: the same network and provenance."""

    code: str
    name: str
    told: Told
    rate: float | None
    """People per 1,000 young people, where that says something."""


@dataclass(frozen=True)
class Ranking:
    """Territories of one network and provenance, the most reached first: others are not to be compared with them."""

    network: str
    provenance: Provenance
    lines: Sequence[Ranked]


@dataclass(frozen=True)
class Listed:
    """One post on one account."""

    post_id: int
    title: str
    """Empty where its words are not this person's to read."""
    day: date
    kind: str
    account: str
    told: Told


@dataclass(frozen=True)
class Compiled:
    """A report as it is printed."""

    code: str
    """Empty: all that is this person's."""
    name: str
    zone: str
    first: date
    last: date
    by: str
    at: datetime
    told: Sequence[Told]
    """All of the period, by network and provenance."""
    rates: Sequence[float | None]
    """Of each of these."""
    monthly: bool
    steps: Sequence[date]
    """First days of the weeks or months of the trend."""
    series: Sequence[Series]
    rankings: Sequence[Ranking]
    posts: Sequence[Listed]
    more_posts: int
    """How many were left out."""
    silent: Sequence[str]
    metrics: Sequence[Metric]
    """What the catalogue says of each figure that is used."""
    breaks: Sequence[Break]
    version: str
    young: Population | None
    """The population that rates of the whole are told by."""
    sources: Sequence[str]
    """Who says how many young people there are."""


def compile_report(
    session: Session, *, by: Actor, first: date, last: date, territory: str | None, at: datetime
) -> Compiled:
    """The report of a territory, or without one of all that is this person's; NotFound for what is not theirs."""
    own = by.territories()
    land = geotargeting.atlas(session, own)
    if territory is not None and not can_ask(land, territory, own):
        raise NotFound(_("There is no report of {code} that you may see. Choose one of your territories.",
                         code=territory))  # fmt: skip
    code = territory or _all_of(own)
    frame = Frame(first, last, code or None)
    catalogue = cataloguing.catalogue(session)
    young = populating.newest(session, Cohort.YOUNG)
    whole = sorted(reporting.told(session, frame, by=by), key=lambda one: (one.network, one.provenance))
    near = code in land and land.nodes[code].level in {Level.ACADEMIE, Level.DEPARTEMENT}
    steps, monthly = steps_of(first, last)
    rankings = [] if near else _rankings(session, frame, land, young, by=by)
    posts = _posts(session, frame, by=by) if near else []
    population = young.get(code)
    return Compiled(
        code=code,
        name=land.name(code) if code in land else _names(land, own),
        zone=land.zone(code) if code in land else land.zone(COUNTRY),
        first=first,
        last=last,
        by=by.name,
        at=at,
        told=whole,
        rates=[_whole_rate(one, population, near=near) for one in whole],
        monthly=monthly,
        steps=steps,
        series=nearing.trend(session, frame, steps, by=by),
        rankings=rankings,
        posts=posts[:MOST_POSTS],
        more_posts=max(len(posts) - MOST_POSTS, 0),
        silent=sorted((land.name(one) for one in reporting.silent(session, frame, by=by, land=land)), key=search_key),
        metrics=used(catalogue, whole, first, last),
        breaks=[one for one in catalogue.breaks(first, last) if any(told.network == one.network for told in whole)],
        version=catalogue.version,
        young=population,
        sources=_sources([population], [young.get(line.code) for one in rankings for line in one.lines]),
    )


def can_ask(land: Atlas, territory: str, own: Iterable[str]) -> bool:
    """Whether a report of a territory may be made: it is theirs, or the académie that theirs lies in."""
    if territory not in land:
        return False
    mine = [code for code in own if code in land]
    academie = land.nodes[territory].level is Level.ACADEMIE
    return any(land.within(territory, code) or (academie and land.within(code, territory)) for code in mine)


def _all_of(own: Sequence[str]) -> str:
    """What a report without a territory is of, where that is one."""
    if COUNTRY in own:
        return COUNTRY
    return own[0] if len(set(own)) == 1 else ""


def _names(land: Atlas, own: Iterable[str]) -> str:
    return ", ".join(sorted({land.name(code) for code in own if code in land}, key=search_key))


def _whole_rate(one: Told, population: Population | None, *, near: bool) -> float | None:
    """A rate of the whole: of what holds several académies, an unlimited post's only, since others reach a part."""
    return nearing.per_thousand(one, population) if near or one.provenance is Provenance.NATIONAL else None


def _sources(*several: Sequence[Population | None]) -> list[str]:
    return sorted({one.source for some in several for one in some if one is not None})


# --- Step by step -------------------------------------------------------------------------------------------


def steps_of(first: date, last: date) -> tuple[list[date], bool]:
    """The first days of the ISO weeks of a period, or of its months where there are too many weeks."""
    begin = first - timedelta(days=first.weekday())
    if (last - begin).days // 7 < MOST_WEEKS:
        return [begin + timedelta(days=day) for day in range(0, (last - begin).days + 1, 7)], False
    months = [first.replace(day=1)]
    while (following := (months[-1] + timedelta(days=31)).replace(day=1)) <= last:
        months.append(following)
    return months, True


# --- Territories, or posts ----------------------------------------------------------------------------------


def _rankings(
    session: Session, frame: Frame, land: Atlas, young: Mapping[str, Population], *, by: Actor
) -> list[Ranking]:
    """The territories by what was reached in each, told apart by network and provenance; what is wider is left out."""
    several = [
        one
        for one in reporting.told(session, frame, by=by, keys=("area",))
        if one.key[0] in land and land.nodes[one.key[0]].level is Level.ACADEMIE
    ]
    several.sort(key=lambda one: (one.network, one.provenance))
    return [
        Ranking(
            network,
            provenance,
            [
                Ranked(one.key[0], land.name(one.key[0]), one, nearing.per_thousand(one, young.get(one.key[0])))
                for one in sorted(some, key=lambda one: (-_main(one), search_key(land.name(one.key[0]))))
            ],
        )
        for (network, provenance), some in groupby(several, key=lambda one: (one.network, one.provenance))
    ]


def _main(one: Told) -> int:
    cell = one.cells.get(main_unit(one.network))
    return -1 if cell is None or cell.value is None else cell.value


def _posts(session: Session, frame: Frame, *, by: Actor) -> list[Listed]:
    """The posts behind a report of one territory, in the order of their days."""
    several = reporting.told(session, frame, by=by, keys=("day", "post_id", "kind", "account_id"))
    titles = reporting.titles(session, {one.key[1] for one in several}, by=by)
    accounts = reporting.account_names(session)
    listed = [
        Listed(one.key[1], titles.get(one.key[1], ""), one.key[0], one.key[2], accounts[one.key[3]], one)
        for one in several
    ]
    return sorted(listed, key=lambda one: (one.day, one.post_id, one.account, one.told.provenance))


# --- What is meant ------------------------------------------------------------------------------------------


def used(catalogue: Catalogue, several: Iterable[Told], first: date, last: date) -> list[Metric]:
    """The metrics that these figures were counted by, at any time of a period."""
    kinds = {(one.network, unit) for one in several for unit in one.cells}
    found = [
        one
        for one in catalogue.metrics
        if one.counted and one.subject is Subject.POST and (one.network.value, one.unit) in kinds
        if one.valid_from <= last and (one.valid_until is None or one.valid_until > first)
    ]
    return sorted(found, key=lambda one: (one.network, list(Unit).index(one.unit), one.valid_from, one.name))


def is_own(unit: Unit, provenance: Provenance) -> bool:
    """Whether it is a count of our own, which is not told exactly outside while it is small."""
    return unit is Unit.ARRIVALS or provenance is Provenance.PORTAL


def is_few(cell: Cell) -> bool:
    """Whether a count is so small that it might be somebody in particular; nought is nobody."""
    return cell.value is not None and 0 < cell.value < SMALL
