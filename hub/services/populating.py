"""Reference populations: brought in from a file with their source and year, and what reach is per 1,000 of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlmodel import Session, col, select

from hub.database import folded, in_turn
from hub.domain.audit import OPERATOR, note
from hub.domain.delivery import Provenance
from hub.domain.population import Cohort, Population, can_rate
from hub.domain.reach import Unit
from hub.domain.table import by_letters
from hub.domain.territory import Atlas, Level, Node
from hub.language import _
from hub.services import geotargeting, tabulating
from hub.services.reporting import Row
from hub.services.tabulating import Line

COLUMNS: Final = ("territory", "cohort", "year", "number", "source")
"""What a file of populations is made of."""

IN_FRENCH: Final[Mapping[str, str]] = {
    "territoire": "territory",
    "groupe": "cohort",
    "annee": "year",
    "nombre": "number",
}
"""The columns as French files call them; `source` is the same."""

COHORTS: Final[Mapping[str, Cohort]] = {
    **{one.value: one for one in Cohort},
    "jeunes": Cohort.YOUNG,
    "decrocheurs": Cohort.LEAVERS,
}
"""How a file tells whom it counts, in small letters without accents."""

YEARS: Final = range(1990, 2101)

LARGEST: Final = 2**31 - 1
"""More people than that is a slip, and no database would keep it."""

_BLANK: Final = re.compile(r"[\s\u00a0\u202f\u2009]")
"""What stands between thousands."""

Key = tuple[str, Cohort, int]


@dataclass(frozen=True)
class Changes:
    """What a file changed."""

    added: int
    changed: int
    unchanged: int


# --- Bringing it in -------------------------------------------------------------------------------------------


def bring_in(session: Session, lines: Iterable[str], *, at: datetime) -> Changes:
    """Bring in a file of populations, all of it or none: rows are added, or replace those of the same year.

    Invalid carries each wrong line. The same file again changes nothing.
    """
    rows = _checked(session, tabulating.table(lines, COLUMNS, also=IN_FRENCH))
    in_turn(session, "populations")
    years = {one.year for one in rows}
    known = session.exec(select(Population).where(col(Population.year).in_(years)))
    present = {_key(one): one for one in known}
    added = [one for one in rows if _key(one) not in present]
    changed = [one for one in rows if _key(one) in present and present[_key(one)].model_dump() != one.model_dump()]
    session.add_all(added)
    for one in changed:
        there = present[_key(one)]
        there.number, there.source = one.number, one.source
        session.add(there)
    session.flush()
    if added or changed:
        fresh = [*added, *changed]
        after = {
            "added": len(added),
            "changed": len(changed),
            "years": sorted({one.year for one in fresh}),
            "sources": sorted({one.source for one in fresh}),
        }
        note(session, "population.import", "population:all", by=OPERATOR, at=at, after=after)
    return Changes(len(added), len(changed), len(rows) - len(added) - len(changed))


def _key(one: Population) -> Key:
    return one.territory_code, Cohort(one.cohort), one.year


def _checked(session: Session, lines: Sequence[Line]) -> list[Population]:
    land = geotargeting.atlas(session, {_code(line) for line in lines})
    rows: list[Population] = []
    wrong: list[tuple[int, str]] = []
    seen: dict[tuple[object, ...], int] = {}
    for line in lines:
        reasons = list(_reasons(line, land))
        told = (_code(line), COHORTS.get(folded(line["cohort"]), line["cohort"]), _whole_number(line["year"]))
        if told in seen:
            reasons.append(_("the same territory, group and year as on line {line}", line=seen[told]))
        seen.setdefault(told, line.number)
        wrong += [(line.number, reason) for reason in reasons]
        if not reasons:
            rows.append(_row(line))
    if wrong:
        raise tabulating.problems(wrong)
    return rows


def _reasons(line: Line, land: Atlas) -> Iterator[str]:
    """All that is wrong with a line."""
    if line.too_much:
        yield _("more cells than columns")
    if _code(line) not in land:
        yield _("unknown territory “{code}”: codes look like FR, R-53, A-14, D-35 or C-35238", code=line["territory"])
    if folded(line["cohort"]) not in COHORTS:
        yield _("unknown group “{group}”: write young (16 to 25) or leavers", group=line["cohort"])
    year = _whole_number(line["year"])
    if year is None or year not in YEARS:
        yield _("“{year}” is not a year from {first} to {last}", year=line["year"], first=YEARS[0], last=YEARS[-1])
    number = _whole_number(line["number"])
    if not line["number"]:
        yield _("there is no number: where it is not known, leave the line out")
    elif number is None or not 0 <= number <= LARGEST:
        yield _("“{number}” is not a number of people", number=line["number"])
    if not line["source"]:
        yield _("there is no source")


def _row(line: Line) -> Population:
    return Population(
        territory_code=_code(line),
        cohort=COHORTS[folded(line["cohort"])],
        year=_whole_number(line["year"]) or 0,
        number=_whole_number(line["number"]) or 0,
        source=line["source"],
    )


def _code(line: Line) -> str:
    return line["territory"].upper()


def _whole_number(typed: str) -> int | None:
    """A number of people or a year, with or without blanks between its digits."""
    digits = _BLANK.sub("", typed)
    return int(digits) if re.fullmatch(r"-?[0-9]{1,18}", digits) else None


# --- What is known --------------------------------------------------------------------------------------------


def list_all(session: Session, cohort: Cohort | None = None) -> list[Population]:
    """Every row by territory, newest year first; of one group, or of all."""
    query = select(Population).order_by(
        by_letters(col(Population.territory_code)), by_letters(col(Population.cohort)), col(Population.year).desc()
    )
    return list(session.exec(query if cohort is None else query.where(Population.cohort == cohort)))


class _Counted(NamedTuple):
    """People of a territory in a year, and who says so."""

    number: int
    sources: frozenset[str]


def newest(session: Session, cohort: Cohort) -> dict[str, Population]:
    """The newest population of each territory that has one, by code.

    A territory without a row of its own has the sum of its parts, for the newest year in which all of them have one;
    its source says so. One of nobody is left out: nothing is told per 1,000 of nobody.
    """
    rows = list_all(session, cohort)
    land = geotargeting.atlas(session, {one.territory_code for one in rows})
    years: dict[int, dict[str, _Counted]] = {}
    for one in rows:
        years.setdefault(one.year, {})[one.territory_code] = _Counted(one.number, frozenset({one.source}))
    found: dict[str, Population] = {}
    for year, counted in sorted(years.items()):
        for code, whole in _sums(land, counted).items():
            source = _("{source} (sum of its parts)", source="; ".join(sorted(whole.sources)))
            found[code] = Population(territory_code=code, cohort=cohort, year=year, number=whole.number, source=source)
    found |= {one.territory_code: one for one in reversed(rows)}
    return {code: one for code, one in found.items() if one.number}


def _sums(land: Atlas, counted: Mapping[str, _Counted]) -> dict[str, _Counted]:
    """The territories that have no row of a year, but whose parts all have one: from the smallest up."""
    known = dict(counted)
    upper = [node for node in land.nodes.values() if node.level is not Level.COMMUNE and node.code not in known]
    for node in sorted(upper, key=lambda node: -node.path.count("/")):
        parts = land.children(node.code)
        if parts and known.keys() >= set(parts) and _complete(land, node, parts):
            several = [known[part] for part in parts]
            sources = frozenset[str]().union(*(part.sources for part in several))
            known[node.code] = _Counted(sum(part.number for part in several), sources)
    return {code: one for code, one in known.items() if code not in counted}


def _complete(land: Atlas, node: Node, parts: Sequence[str]) -> bool:
    """Whether these are all its parts: of a département's communes, the atlas holds only those that were named."""
    return node.level is not Level.DEPARTEMENT or len(parts) == land.communes_of.get(node.code)


def academies_without(session: Session, cohort: Cohort) -> list[str]:
    """The académies (and overseas services) of which nothing is known, where something is known of others."""
    known = newest(session, cohort)
    land = geotargeting.atlas(session)
    academies = [code for code, node in land.nodes.items() if node.level is Level.ACADEMIE]
    return sorted(code for code in academies if code not in known) if known else []


# --- Per 1,000 ------------------------------------------------------------------------------------------------


def per_thousand(value: int, population: Population) -> float:
    """How many that is per 1,000 of them."""
    return 1000 * value / population.number


def rate(value: int | None, unit: Unit | None, provenance: Provenance | None, of: Population | None) -> float | None:
    """A figure per 1,000, where that says something: of people, of the territory itself, and when both are known."""
    if value is None or unit is None or provenance is None or of is None or not of.number:
        return None
    return per_thousand(value, of) if can_rate(unit, provenance) else None


def rates(rows: Iterable[Row], known: Mapping[str, Population]) -> list[float | None]:
    """Of each line of a report by territory, its figure per 1,000 people of that territory.

    It is no surer than the figure: what was reached at least, is so per 1,000.
    """
    return [rate(row.value, row.unit, row.provenance, known.get(row.key)) for row in rows]
