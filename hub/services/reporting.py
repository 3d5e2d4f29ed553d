"""Reach per territory, from the roll-up: figures with their provenance, people never added up, missing never shown as zero."""  # noqa: E501

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from statistics import median
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Label, cast, distinct, false, or_
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.delivery import Provenance
from hub.domain.metric import Break, Catalogue
from hub.domain.person import Actor
from hub.domain.post import Post
from hub.domain.reach import ADDITIVE, How, Reached, Unit
from hub.domain.territory import COUNTRY, Atlas, Level, Territory, lineage
from hub.language import N_, _
from hub.services import cataloguing, drafting, geotargeting
from hub.services.showing import title


class By(StrEnum):
    """What a report is ordered by."""

    TERRITORY = "territory"
    ACCOUNT = "account"
    POST = "post"
    KIND = "kind"


@dataclass(frozen=True)
class Frame:
    """Which part of the roll-up is asked for: days of publication, both included, and what else narrows it."""

    first: date
    last: date
    territory: str | None = None
    """Only what counts for this territory, or for a part of it."""
    account_id: int | None = None
    kind: str | None = None
    network: str | None = None
    provenance: Provenance | None = None

    @property
    def days(self) -> int:
        """How many days it spans."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> tuple[date, date]:
        """The days of the period of the same length that ended right before."""
        return self.first - timedelta(days=self.days), self.first - timedelta(days=1)


@dataclass(frozen=True)
class Cell:
    """One kind of figure of several deliveries together, and how it came from them."""

    value: int | None
    how: How


@dataclass(frozen=True)
class Told:
    """Deliveries that have something in common (`key`), on one network and of one provenance, with their figures.

    A kind of figure that the network does not have is absent; one that it has and did not tell is MISSING.
    """

    key: tuple[Any, ...]
    network: str
    provenance: Provenance
    posts: int
    deliveries: int
    unlimited: bool
    cells: Mapping[Unit, Cell]


@dataclass(frozen=True)
class Row:
    """One line of a report."""

    key: str
    name: str
    account: str
    network: str
    unit: Unit | None
    provenance: Provenance | None
    posts: int
    value: int | None
    how: How
    metrics: list[str] = field(default_factory=list)
    unlimited: bool = False


@dataclass(frozen=True)
class Report:
    """A report: its period, its rows, and the territories in which nothing was published."""

    by: By
    first: date
    last: date
    rows: list[Row]
    silent: list[str]
    breaks: list[Break] = field(default_factory=list)
    """Where a figure is another measure than before."""

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "by": self.by,
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "rows": [asdict(row) for row in self.rows],
            "silent": self.silent,
            "breaks": [asdict(one) | {"day": one.day.isoformat()} for one in self.breaks],
        }


# --- Out of the roll-up -----------------------------------------------------------------------------------------


def told(session: Session, frame: Frame, *, by: Actor, keys: Sequence[str] = ()) -> list[Told]:
    """What was reached, grouped by these columns of `Reached` and always by network and provenance.

    Figures of different networks or provenance are never joined; people never added up.
    """
    columns = [getattr(Reached, key) for key in keys]
    own = [col(Reached.network), col(Reached.provenance)]
    query: Any = (
        sa_select(
            *columns,
            *own,
            func.count(distinct(col(Reached.post_id))).label("posts"),
            func.count(distinct(col(Reached.delivery_id))).label("deliveries"),
            func.max(_as_number(col(Reached.unlimited))).label("unlimited"),
            *_sums(),
        )
        .where(*within(session, frame, by=by))
        .group_by(*columns, *own)
    )
    return [_told(row, len(columns)) for row in session.connection().execute(query)]


def daily(session: Session, frame: Frame, *, by: Actor, keys: Sequence[str] = ()) -> list[tuple[date, Told]]:
    """The same for each day of publication; without counts of posts, which the days of a longer span do not add up to.

    The cheapest question: one pass over the roll-up, whatever the number of samples.
    """
    columns = [col(Reached.day), *(getattr(Reached, key) for key in keys)]
    own = [col(Reached.network), col(Reached.provenance)]
    query: Any = (
        sa_select(*columns, *own, func.count().label("rows"), *_sums())
        .where(*within(session, frame, by=by))
        .group_by(*columns, *own)
    )
    return [(row[0], _told(row, len(columns), skip=1)) for row in session.connection().execute(query)]


def join(unit: Unit, cells: Iterable[Cell]) -> Cell:
    """Several cells of one kind, network and provenance as one: what `combine` does of figures."""
    known = [cell for cell in cells if cell.how is not How.MISSING]
    missing = any(cell.how is How.MISSING for cell in cells)
    values = [cell.value for cell in known if cell.value is not None]
    if not values:
        return Cell(None, How.MISSING)
    if unit not in ADDITIVE:
        alone = len(known) == 1 and not missing
        return Cell(max(values), known[0].how if alone else How.AT_LEAST)
    lower = missing or any(cell.how is How.AT_LEAST for cell in known)
    return Cell(sum(values), How.AT_LEAST if lower else How.SINGLE if len(known) == 1 else How.SUM)


def _as_number(column: Any) -> Any:
    return cast(column, Integer)


def _sums() -> list[Label[Any]]:
    """Of each kind of figure: how many are known, how many were not told, and what they are together."""
    told: list[Label[Any]] = []
    for unit in Unit:
        column, missing = getattr(Reached, unit.value), getattr(Reached, f"{unit.value}_missing")
        whole = func.sum(column) if unit in ADDITIVE else func.max(column)
        told += [
            func.count(column).label(f"{unit.value}_known"),
            func.sum(missing).label(f"{unit.value}_missing"),
            whole.label(unit.value),
        ]
    return told


def _told(row: Any, keys: int, skip: int = 0) -> Told:
    given = row._mapping
    deliveries = given.get("deliveries", given.get("rows"))
    cells = {}
    for unit in Unit:
        known, missing = int(given[f"{unit.value}_known"]), int(given[f"{unit.value}_missing"] or 0)
        if known or missing:
            cells[unit] = _cell(unit, given[unit.value], known, missing, deliveries)
    return Told(
        key=tuple(row[skip:keys]),
        network=str(given["network"]),
        provenance=Provenance(given["provenance"]),
        posts=given.get("posts", 0),
        deliveries=deliveries,
        unlimited=bool(given.get("unlimited", False)),
        cells=cells,
    )


def _cell(unit: Unit, value: Any, known: int, missing: int, deliveries: int) -> Cell:
    if not known:
        return Cell(None, How.MISSING)
    if missing or (unit not in ADDITIVE and known > 1):
        return Cell(int(value), How.AT_LEAST)
    return Cell(int(value), How.SINGLE if deliveries == 1 else How.SUM)


def within(session: Session, frame: Frame, *, by: Actor) -> list[ColumnElement[bool]]:
    """Conditions on the roll-up: the frame, and only what concerns this person."""
    return [col(Reached.day).between(frame.first, frame.last), *scope(session, frame, by=by)]


def scope(session: Session, frame: Frame, *, by: Actor) -> list[ColumnElement[bool]]:
    """The same of whatever day."""
    conditions: list[ColumnElement[bool]] = []
    own = by.territories()
    if COUNTRY not in own:
        # National figures concern everybody who has a role at all.
        conditions.append(
            or_(*(_meets(session, code) for code in own), col(Reached.area) == COUNTRY) if own else _none()
        )
    if frame.territory is not None and frame.territory != COUNTRY:
        conditions.append(_inside(session, frame.territory))
    if frame.account_id is not None:
        conditions.append(col(Reached.account_id) == frame.account_id)
    for name in ("kind", "network", "provenance"):
        wanted = getattr(frame, name)
        if wanted is not None:
            conditions.append(getattr(Reached, name) == str(wanted))
    return conditions


def _none() -> ColumnElement[bool]:
    return false()


def _inside(session: Session, code: str) -> ColumnElement[bool]:
    """Rows that count for a territory or a part of it; few codes are named, of many the lineage is looked at."""
    path = session.exec(select(Territory.path).where(Territory.code == code)).one()
    parts = select(Territory.code).where(or_(col(Territory.path) == path, col(Territory.path).startswith(f"{path}/")))
    return col(Reached.territory_code).in_(parts)


def _meets(session: Session, code: str) -> ColumnElement[bool]:
    """Rows that count for a territory, for a part of it, or for one that it lies in."""
    path = session.exec(select(Territory.path).where(Territory.code == code)).first()
    if path is None:
        return _none()
    return or_(_inside(session, code), col(Reached.territory_code).in_(lineage(path)))


# --- The report -----------------------------------------------------------------------------------------------

_KEYS: Final[Mapping[By, tuple[str, ...]]] = {
    By.TERRITORY: ("account_id", "area"),
    By.ACCOUNT: ("account_id",),
    By.POST: ("account_id", "post_id"),
    By.KIND: ("account_id", "kind"),
}


def report(
    session: Session, *, by: Actor, first: date, last: date, order: By = By.TERRITORY, territory: str | None = None
) -> Report:
    """Reach over a period, one row per thing × account × kind of figure × provenance."""
    frame = Frame(first, last, territory)
    land = geotargeting.atlas(session)
    catalogue = cataloguing.catalogue(session)
    accounts = account_names(session)
    rows: list[Row] = []
    for one in told(session, frame, by=by, keys=_KEYS[order]):
        key = str(one.key[-1])
        name = land.name(key) if order is By.TERRITORY else accounts[one.key[0]] if order is By.ACCOUNT else key
        rows += [
            Row(
                key=key,
                name=name,
                account=accounts[one.key[0]],
                network=one.network,
                unit=unit,
                provenance=one.provenance,
                posts=one.posts,
                value=cell.value,
                how=cell.how,
                metrics=metrics_of(catalogue, one.network, unit),
                unlimited=one.unlimited,
            )
            for unit, cell in one.cells.items()
        ]
    rows.sort(key=lambda row: (row.key, row.network, row.account, str(row.unit), str(row.provenance)))
    return Report(
        order,
        first,
        last,
        rows,
        silent(session, frame, by=by, land=land) if order is By.TERRITORY else [],
        [one for one in catalogue.breaks(first, last) if any(row.network == one.network.value for row in rows)],
    )


def account_names(session: Session) -> dict[int, str]:
    """What accounts are called."""
    return {number: name for number, name in session.exec(select(Account.id, Account.name)) if number is not None}


def metrics_of(catalogue: Catalogue, network: str, unit: Unit) -> list[str]:
    """The metrics that reports count as that kind of figure."""
    return sorted(
        {one.name for one in catalogue.metrics if one.counted and one.network == network and one.unit is unit}
    )


def silent(session: Session, frame: Frame, *, by: Actor, land: Atlas) -> list[str]:
    """The académies (and overseas services) of a person for which nothing was published: in order of code."""
    query = select(Reached.area).where(*within(session, frame, by=by)).distinct()
    heard = set(session.exec(query))
    own = [code for code in by.territories() if code in land]
    return sorted(
        code
        for code, node in land.nodes.items()
        if node.level is Level.ACADEMIE
        and code not in heard
        and any(land.meet(code, mine) for mine in own)
        and (frame.territory is None or (frame.territory in land and land.within(code, frame.territory)))
    )


def titles(session: Session, post_ids: Collection[int], *, by: Actor) -> dict[int, str]:
    """What posts are called, of those that this person may see: a national figure is everybody's, its words are not."""
    seen = drafting.visible(session, post_ids, by=by)
    return {
        number: title(text)
        for number, text in session.exec(select(Post.id, Post.text).where(col(Post.id).in_(seen)))
        if number is not None
    }


# --- What is usual --------------------------------------------------------------------------------------------

USUAL_OVER: Final = timedelta(days=365)
"""What is usual is told from so long before."""

FEWEST: Final = 5
"""From fewer deliveries nothing usual is told."""


@dataclass(frozen=True)
class Usual:
    """The middle one of the figures of a territory, of one network, provenance and kind; and how many there are."""

    value: float
    deliveries: int


def usual(session: Session, area: str, *, network: str, provenance: Provenance, until: date) -> dict[Unit, Usual]:
    """What is usual for a territory itself in the year before; of a kind with too few figures, nothing is told."""
    units = list(Unit)
    rows = session.connection().execute(
        sa_select(*(getattr(Reached, unit.value) for unit in units)).where(
            col(Reached.day).between(until - USUAL_OVER, until),
            col(Reached.area) == area,
            col(Reached.network) == network,
            col(Reached.provenance) == provenance.value,
        )
    )
    known: dict[Unit, list[int]] = {unit: [] for unit in units}
    for row in rows:
        for unit, value in zip(units, row, strict=True):
            if value is not None:
                known[unit].append(value)
    return {unit: Usual(median(some), len(some)) for unit, some in known.items() if len(some) >= FEWEST}


# --- In words ------------------------------------------------------------------------------------------------

UNIT_NAMES = {
    Unit.PEOPLE: N_("people"),
    Unit.VIEWS: N_("views"),
    Unit.IMPRESSIONS: N_("impressions"),
    Unit.CLICKS: N_("clicks"),
    Unit.REACTIONS: N_("reactions"),
    Unit.ARRIVALS: N_("arrivals"),
}

PROVENANCE_NAMES = {
    Provenance.OWN_PAGE: N_("own page"),
    Provenance.GATED: N_("gated"),
    Provenance.NATIONAL: N_("national"),
    Provenance.ORIGIN: N_("origin"),
    Provenance.PORTAL: N_("portal"),
}


def shown(row: Row) -> str:
    """A row's figure in words: « at least » before people over several posts, a dash for what is missing."""
    if row.value is None or row.unit is None:
        return "—"
    number = f"{row.value:,}".replace(",", "\u202f")
    unit = _(UNIT_NAMES[row.unit])
    if row.how is How.AT_LEAST:
        return _("at least {number} {unit}", number=number, unit=unit)
    return f"{number} {unit}"
