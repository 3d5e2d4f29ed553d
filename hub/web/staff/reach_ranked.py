"""Rankings of the reach page, by territory, kind or account, and the map that goes with the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.domain.population import Cohort, Population, can_rate
from hub.domain.post import KIND_NAMES, Kind
from hub.domain.reach import How, Unit
from hub.domain.territory import Level, search_key
from hub.language import _
from hub.services import populating, reporting
from hub.services.reporting import UNIT_NAMES, Cell, Told
from hub.web import charts, drawing
from hub.web.charts import Mark
from hub.web.drawing import Country, Look
from hub.web.pages import number
from hub.web.staff.reach_asked import Source
from hub.web.staff.reach_lines import of_territory, shown
from hub.web.staff.reach_overview import Overview


@dataclass(frozen=True)
class Ranked:
    """One line of a ranking: a territory, kind or account, with the measure that is shown of each source."""

    key: Any
    name: str
    address: str
    """The page narrowed to it."""
    narrowed: Mapping[str, object]
    """What an address says of it."""
    cells: Mapping[Source, Cell]
    posts: int = 0
    """How many posts the source has that the ranking goes by."""
    rate: float | None = None
    """People per 1,000 young people, where that says something."""
    silent: bool = False
    wide: bool = False
    """Wider than one académie: it is not on the map."""

    def value(self, source: Source) -> float:
        """What it is ranked by: what was not told comes after nought, and what there is nothing of comes last."""
        cell = self.cells.get(source)
        return -2 if cell is None else -1 if cell.value is None else cell.value


@dataclass(frozen=True)
class Ranking:
    """Lines in their order, and what is told of them."""

    lines: Sequence[Ranked]
    source: Source
    sources: Sequence[Source]
    """The one that it goes by first, then the others."""
    rates: bool = False
    populations: Sequence[str] = ()
    """Who says how many young people there are."""

    @property
    def most(self) -> float:
        """The highest value, as which bars are longest."""
        return max((line.value(self.source) for line in self.lines), default=0)

    def bar(self, line: Ranked) -> str:
        """The bar of a line."""
        return charts.bar(mark(line.name, line.cells.get(self.source)), self.most)


def mark(label: str, cell: Cell | None) -> Mark | None:
    """A figure as a chart takes it."""
    if cell is None:
        return None
    return Mark(label, cell.value, shown(cell), at_least=cell.how is How.AT_LEAST and cell.value is not None)


# --- Territories ----------------------------------------------------------------------------------------


def territories(view: Overview, source: Source) -> Ranking:
    """Territory by territory; those for which nothing was published come last, and say so."""
    asked, land = view.asked, view.land
    rated = can_rate(view.unit, source.provenance)
    people = populating.newest(view.session, Cohort.YOUNG) if rated else {}
    heard = []
    for code, some in _grouped(reporting.told(view.session, asked.frame, by=view.by, keys=("area",))).items():
        wide = land.nodes[code].level is not Level.ACADEMIE
        cells = _cells(some, view.unit)
        heard.append(
            Ranked(
                code,
                land.name(code),
                "" if wide else asked.address(territoire=code),
                of_territory(code, land),
                cells,
                posts=_posts(some, source),
                rate=_rate(cells.get(source), people.get(code)),
                wide=wide,
            )
        )
    silent = [
        Ranked(code, land.name(code), f"/equipe/couverture/{code}", {}, {}, silent=True)
        for code in _silent(view, {one.key for one in heard})
    ]
    lines = _sorted(heard, view, source) + sorted(silent, key=lambda one: search_key(one.name))
    told = {(one.source, one.year) for code, one in people.items() if any(line.key == code for line in heard)}
    return Ranking(
        lines,
        source,
        _first(source, view.sources),
        rates=any(line.rate is not None for line in lines),
        populations=[f"{name}, {year}" for name, year in sorted(told)],
    )


def _silent(view: Overview, heard: set[str]) -> list[str]:
    """The académies of this reader, within what is asked for, that are not among those."""
    land = view.land
    own = [code for code in view.by.territories() if code in land]
    return [
        code
        for code, node in land.nodes.items()
        if node.level is Level.ACADEMIE
        and code not in heard
        and any(land.meet(code, mine) for mine in own)
        and (not view.asked.territory or land.within(code, view.asked.territory))
    ]


def _rate(cell: Cell | None, people: Population | None) -> float | None:
    if cell is None or cell.value is None or people is None or not people.number:
        return None
    return 1000 * cell.value / people.number


def shaded(view: Overview, ranking: Ranking) -> tuple[Country, list[float]] | None:
    """The map, and where its shades end; None where there is nothing to compare on it."""
    lines = [one for one in ranking.lines if not one.wide]
    if len(lines) < 2:
        return None
    values = {one.key: _shade_of(one, view, ranking) for one in lines}
    ends = charts.steps(values.values())
    looks = {one.key: _look(one, view.unit, ranking.source, charts.shade(values[one.key], ends)) for one in lines}
    return drawing.country(view.land, looks), ends


def _shade_of(line: Ranked, view: Overview, ranking: Ranking) -> float | None:
    """What a territory is shaded by: its rate where lines are ordered by it, else its figure."""
    cell = line.cells.get(ranking.source)
    return line.rate if view.asked.order == "taux" and ranking.rates else cell.value if cell else None


def _look(line: Ranked, unit: Unit, source: Source, shade: int | None) -> Look:
    name, cell = line.name + _(": "), line.cells.get(source)
    if line.silent:
        return Look(line.address, "silent", name + _("nothing published"), "silent")
    if cell is None:
        return Look(line.address, "none", name + _("nothing from this source"))
    if cell.value is None:
        return Look(line.address, "untold", name + _("not told by the network"), "not-told")
    words = f"{name}{shown(cell)} {_(UNIT_NAMES[unit])}"
    if line.rate is not None:
        words += ", " + _("{number} per 1,000 young people", number=rate_words(line, source))
    return Look(line.address, f"shade-{shade}" if shade else "none", words)


def rate_words(line: Ranked, source: Source) -> str:
    """A rate as it is said: a lower bound where its figure is one, a dash where nobody knows."""
    cell = line.cells.get(source)
    if line.rate is not None and cell is not None and cell.how is How.AT_LEAST:
        return _("at least {number}", number=number(line.rate, 1))
    return number(line.rate, 1)


# --- Kinds and accounts ---------------------------------------------------------------------------------


def kinds(view: Overview, source: Source) -> Ranking:
    """Kind of post by kind of post."""
    return _ranking(view, source, "kind", "genre", lambda kind: _(KIND_NAMES[Kind(kind)]))


def accounts(view: Overview, source: Source) -> Ranking:
    """Account by account."""
    names = reporting.account_names(view.session)
    return _ranking(view, source, "account_id", "compte", lambda account: names[account])


def _ranking(view: Overview, source: Source, column: str, word: str, name: Callable[[Any], str]) -> Ranking:
    told = reporting.told(view.session, view.asked.frame, by=view.by, keys=(column,))
    lines = [
        Ranked(key, name(key), view.asked.address(**{word: key}), {word: key}, cells, posts=_posts(some, source))
        for key, some in _grouped(told).items()
        if (cells := _cells(some, view.unit))
    ]
    return Ranking(_sorted(lines, view, source), source, _first(source, view.sources))


# --- Pieces ---------------------------------------------------------------------------------------------


def _grouped(told: Iterable[Told]) -> dict[Any, list[Told]]:
    found: dict[Any, list[Told]] = {}
    for one in told:
        found.setdefault(one.key[-1], []).append(one)
    return found


def _cells(told: Iterable[Told], unit: Unit) -> dict[Source, Cell]:
    return {Source(one.network, one.provenance): one.cells[unit] for one in told if unit in one.cells}


def _posts(told: Iterable[Told], source: Source) -> int:
    return sum(one.posts for one in told if Source(one.network, one.provenance) == source)


def _first(source: Source, sources: Iterable[Source]) -> list[Source]:
    return [source, *(one for one in sources if one != source)]


def _sorted(some: Sequence[Ranked], view: Overview, source: Source) -> list[Ranked]:
    by_name = sorted(some, key=lambda one: search_key(one.name))
    if view.asked.order == "nom":
        return by_name
    if view.asked.order == "taux" and any(one.rate is not None for one in some):
        return sorted(by_name, key=lambda one: -1 if one.rate is None else one.rate, reverse=True)
    return sorted(by_name, key=lambda one: -one.value(source))
