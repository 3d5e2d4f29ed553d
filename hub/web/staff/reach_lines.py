"""The tables of the reach page: one line for each thing, account and source, ordered and paged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from hub.domain.person import Actor
from hub.domain.post import KIND_NAMES, Kind
from hub.domain.reach import How, Unit
from hub.domain.territory import Atlas, Level, search_key
from hub.language import _
from hub.services import reporting
from hub.services.reporting import Cell, Told
from hub.web.pages import number
from hub.web.staff.reach_asked import UNITS, WAYS, Asked, Source

LINES: Final = 60
"""Most lines of one page."""


@dataclass(frozen=True)
class Line:
    """One line of a table: everything that was counted of one thing, on one account, from one source."""

    name: str
    account: str
    source: Source
    posts: int
    unlimited: bool
    cells: Mapping[Unit, Cell]
    address: str = ""
    """Where the thing itself is shown."""
    behind: str = ""
    """Where the posts behind the figures are listed."""


@dataclass(frozen=True)
class Table:
    """One page of lines, how many there are in all, and where the next ones are."""

    lines: Sequence[Line]
    count: int
    page: int
    more: str


def table(session: Session, asked: Asked, land: Atlas, *, by: Actor, page: int) -> Table:
    """The lines that the address asks for; names are looked up for those that are shown."""
    accounts = reporting.account_names(session)
    begin = (page - 1) * LINES
    order = asked.order or ("nom" if asked.way != "publication" else "")
    if asked.way == "publication" and order not in {"nom", "compte"}:
        unit = next((one for one in UNITS if one.value == order), None)
        keys = WAYS[asked.way]
        shown, count = reporting.highest(session, asked.frame, unit, by=by, keys=keys, limit=LINES, offset=begin)
        names = _names(session, shown, asked.way, land, accounts, by)
    else:
        told = reporting.told(session, asked.frame, by=by, keys=WAYS[asked.way])
        names = _names(session, told, asked.way, land, accounts, by)
        shown, count = ordered(told, order, names, accounts)[begin : begin + LINES], len(told)
    more = asked.address(page=page + 1) if count > begin + LINES else ""
    return Table([_line(one, names, accounts, asked, land) for one in shown], count, page, more)


def ordered(told: Sequence[Told], order: str, names: Mapping[Any, str], accounts: Mapping[int, str]) -> list[Told]:
    """By one of the columns; what was not told comes last, and what is alike by account."""
    alike = sorted(told, key=lambda one: (search_key(accounts[one.key[0]]), one.network, one.provenance))
    match order:
        case "compte":
            return alike
        case "publications":
            return sorted(alike, key=lambda one: -one.posts)
        case "nom" | "taux":
            return sorted(alike, key=lambda one: search_key(names.get(one.key[-1], "")))
        case _:
            return sorted(alike, key=lambda one: -value(one, Unit(order)))


def value(told: Told, unit: Unit) -> int:
    """What a column is ordered by."""
    cell = told.cells.get(unit)
    return -1 if cell is None or cell.value is None else cell.value


def _names(
    session: Session, told: Sequence[Told], way: str, land: Atlas, accounts: Mapping[int, str], by: Actor
) -> dict[Any, str]:
    """What people call each thing; not of posts that they may not see."""
    keys = {one.key[-1] for one in told}
    if way == "publication":
        return dict(reporting.titles(session, keys, by=by))
    if way == "type":
        return {key: _(KIND_NAMES[Kind(key)]) for key in keys}
    return {key: land.name(key) if way == "territoire" else accounts[key] for key in keys}


def _line(told: Told, names: Mapping[Any, str], accounts: Mapping[int, str], asked: Asked, land: Atlas) -> Line:
    source = Source(told.network, told.provenance)
    account, thing = told.key[0], told.key[-1]
    address = ""
    if asked.way == "publication" and thing in names:
        address = f"/equipe/publications/{thing}"
    elif asked.way == "territoire" and land.nodes[thing].level is Level.ACADEMIE:
        address = f"/equipe/couverture/{thing}"
    return Line(
        name=names.get(thing) or _("Post {number}", number=thing),
        account=accounts[account],
        source=source,
        posts=told.posts,
        unlimited=told.unlimited,
        cells=told.cells,
        address=address,
        behind=""
        if asked.way == "publication"
        else asked.posts(source, None, compte=account, **_narrowed(thing, asked, land)),
    )


def _narrowed(thing: Any, asked: Asked, land: Atlas) -> dict[str, object]:
    """What an address says of one thing."""
    if asked.way == "territoire":
        return of_territory(str(thing), land)
    return {"genre": thing} if asked.way == "type" else {}


def of_territory(code: str, land: Atlas) -> dict[str, object]:
    """What an address says of one line of a report by territory."""
    return {"territoire": code} if land.nodes[code].level is Level.ACADEMIE else {"ligne": code}


def shown(cell: Cell | None) -> str:
    """A figure as it is said: « at least » before a lower bound, a dash for what nobody said."""
    if cell is None:
        return ""
    if cell.how is How.AT_LEAST:
        return _("at least {number}", number=number(cell.value))
    return number(cell.value)


def units_of(lines: Sequence[Line]) -> list[Unit]:
    """The kinds of figures that any of these lines has."""
    return [unit for unit in UNITS if any(unit in line.cells for line in lines)]
