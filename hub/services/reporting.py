"""Reach per territory, from the roll-up: figures with their provenance, people never added up, missing never shown as zero."""  # noqa: E501

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from statistics import median
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, cast, distinct, false, or_
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.delivery import Provenance
from hub.domain.metric import Break, Catalogue
from hub.domain.person import Actor
from hub.domain.post import Post
from hub.domain.reach import ADDITIVE, How, Reached, ReachedDay, Unit
from hub.domain.table import month_of, weekday_of
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
    area: str | None = None
    """Only what is on that very line of a report by territory: of one that is wider than an académie, not its parts."""
    weekday: int | None = None
    """Only what was published on that day of the week, where it went out; Monday is 0."""
    hour: int | None = None
    """Only what was published in that hour of the day, there."""

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
    return grouped(session, frame, [getattr(Reached, key) for key in keys], by=by)


def grouped(session: Session, frame: Frame, columns: Sequence[Any], *, by: Actor) -> list[Told]:
    """What `told` says, grouped by whatever can be worked out of a row of the roll-up."""
    rows = session.connection().execute(_query(session, frame, columns, by=by))
    return [_told_with_counts(row, len(columns)) for row in rows]


def highest(
    session: Session, frame: Frame, unit: Unit | None, *, by: Actor, keys: Sequence[str], limit: int, offset: int
) -> tuple[list[Told], int]:
    """One page of what `told` says, the most of a figure first (else the newest things), and how many there are in all.

    The database puts them in order, so that a page costs the same however many posts there are.
    """
    columns = [getattr(Reached, key) for key in keys]
    query = _query(session, frame, columns, by=by)
    newest = [column.desc() for column in reversed(columns)]
    most = [] if unit is None else [_whole(unit).desc().nulls_last()]
    own = [col(Reached.network), col(Reached.provenance)]
    connection = session.connection()
    rows = connection.execute(query.order_by(*most, *newest, *own).limit(limit).offset(offset))
    told = [_told_with_counts(row, len(columns)) for row in rows]
    groups = sa_select(*columns, *own).where(*within(session, frame, by=by)).group_by(*columns, *own).subquery()
    return told, int(connection.execute(sa_select(func.count()).select_from(groups)).scalar_one())


def _query(session: Session, frame: Frame, columns: Sequence[Any], *, by: Actor) -> Any:
    own = [col(Reached.network), col(Reached.provenance)]
    counts = [
        func.count(distinct(col(Reached.post_id))),
        func.count(distinct(col(Reached.delivery_id))),
        func.max(cast(col(Reached.unlimited), Integer)),
    ]
    return (
        sa_select(*columns, *own, *counts, *_sums(Reached))
        .where(*within(session, frame, by=by))
        .group_by(*columns, *own)
    )


def _told_with_counts(row: Any, keys: int) -> Told:
    posts, deliveries, unlimited = row[keys + 2 : keys + 5]
    return _told(tuple(row), keys, posts, deliveries, unlimited)


class Span(StrEnum):
    """What a trend goes by."""

    DAY = "day"
    WEEK = "week"
    """From Monday to Sunday."""
    MONTH = "month"


def over_time(
    session: Session, frame: Frame, span: Span, *, by: Actor, keys: Sequence[str] = ()
) -> list[tuple[date, Told]]:
    """The same for each day, ISO week or month of publication, by its first day; without counts of posts.

    Out of the sums of days, where these can tell it: then the number of posts does not matter either.
    """
    table: Any = ReachedDay if _days_suffice(session, frame, by=by, keys=keys) else Reached
    first = month_of(col(table.day)) if span is Span.MONTH else getattr(table, span.value)
    columns = [first, *(getattr(table, key) for key in keys)]
    own = [table.network, table.provenance]
    number = func.sum(table.deliveries) if table is ReachedDay else func.count(distinct(table.delivery_id))
    query: Any = (
        sa_select(*columns, *own, number, *_sums(table))
        .where(*within(session, frame, by=by, table=table))
        .group_by(*columns, *own)
    )
    head = len(columns)
    return [(row[0], _told(row, head, 0, row[head + 2], 0, skip=1)) for row in _rows(session, query)]


def _days_suffice(session: Session, frame: Frame, *, by: Actor, keys: Sequence[str]) -> bool:
    """Whether nothing is asked that the sums of days have forgotten: accounts, kinds, parts of an académie."""
    forgotten = (frame.account_id, frame.kind, frame.hour)
    if set(keys) - {"area"} or any(asked is not None for asked in forgotten):
        return False
    wide = {Level.COUNTRY, Level.REGION, Level.ACADEMIE}
    land = geotargeting.atlas(session)
    places = [*by.territories(), *([frame.territory] if frame.territory else [])]
    return all(code in land and land.nodes[code].level in wide for code in places)


def _rows(session: Session, query: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.connection().execute(query)]


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


def _whole(unit: Unit, table: Any = Reached) -> Any:
    """Several figures of a kind together: summed, or the highest of them."""
    column = getattr(table, unit.value)
    return func.sum(column) if unit in ADDITIVE else func.max(column)


def _sums(table: Any) -> list[Any]:
    """Of each kind of figure: what they are together, how many are known, how many were not told."""
    sums: list[Any] = []
    for unit in Unit:
        column = getattr(table, unit.value)
        known = func.count(column) if table is Reached else func.sum(getattr(table, f"{unit}_known"))
        sums += [_whole(unit, table), known, func.sum(getattr(table, f"{unit}_missing"))]
    return sums


_UNITS: Final = tuple(Unit)


def _told(row: Sequence[Any], keys: int, posts: int, deliveries: int, unlimited: int, skip: int = 0) -> Told:
    """A row: its keys, network and provenance, counts, and three columns for each kind of figure at its end."""
    cells = {}
    figures = row[-3 * len(_UNITS) :]
    for place, unit in enumerate(_UNITS):
        value, known, missing = figures[3 * place : 3 * place + 3]
        if known or missing:
            cells[unit] = _cell(unit, value, known, missing, deliveries)
    provenance = Provenance(row[keys + 1])
    return Told(tuple(row[skip:keys]), row[keys], provenance, posts, deliveries, bool(unlimited), cells)


def _cell(unit: Unit, value: Any, known: int, missing: int, deliveries: int) -> Cell:
    if not known:
        return Cell(None, How.MISSING)
    if missing or (unit not in ADDITIVE and known > 1):
        return Cell(int(value), How.AT_LEAST)
    return Cell(int(value), How.SINGLE if deliveries == 1 else How.SUM)


def within(session: Session, frame: Frame, *, by: Actor, table: Any = Reached) -> list[ColumnElement[bool]]:
    """Conditions on the roll-up: the frame, and only what concerns this person."""
    return [col(table.day).between(frame.first, frame.last), *scope(session, frame, by=by, table=table)]


def scope(session: Session, frame: Frame, *, by: Actor, table: Any = Reached) -> list[ColumnElement[bool]]:
    """The same of whatever day."""
    conditions: list[ColumnElement[bool]] = []
    place = table.territory_code if table is Reached else table.area
    own = by.territories()
    if COUNTRY not in own:
        # National figures concern everybody who has a role at all.
        theirs = [_meets(session, code, place) for code in own]
        conditions.append(or_(*theirs, col(table.area) == COUNTRY) if own else false())
    if frame.territory is not None and frame.territory != COUNTRY:
        conditions.append(_inside(session, frame.territory, place))
    for name in ("account_id", "kind", "network", "provenance", "area"):
        wanted = getattr(frame, name)
        if wanted is not None:
            conditions.append(getattr(table, name) == wanted)
    if frame.weekday is not None:
        conditions.append(weekday_of(col(table.day)) == frame.weekday)
    if frame.hour is not None:
        conditions.append(col(table.hour) == frame.hour)
    return conditions


def _inside(session: Session, code: str, place: Any) -> ColumnElement[bool]:
    """What counts for a territory or a part of it."""
    path = session.exec(select(Territory.path).where(Territory.code == code)).first()
    if path is None:
        return false()
    parts = select(Territory.code).where(or_(col(Territory.path) == path, col(Territory.path).startswith(f"{path}/")))
    return col(place).in_(parts)


def _meets(session: Session, code: str, place: Any) -> ColumnElement[bool]:
    """What counts for a territory, for a part of it, or for one that it lies in."""
    path = session.exec(select(Territory.path).where(Territory.code == code)).first()
    return or_(_inside(session, code, place), col(place).in_(lineage(path))) if path else false()


# --- The report -----------------------------------------------------------------------------------------------

_KEYS: Final[Mapping[By, tuple[str, ...]]] = {
    By.TERRITORY: ("account_id", "area"),
    By.ACCOUNT: ("account_id",),
    By.POST: ("account_id", "post_id"),
    By.KIND: ("account_id", "kind"),
}


def report(
    session: Session,
    *,
    by: Actor,
    first: date,
    last: date,
    order: By = By.TERRITORY,
    territory: str | None = None,
    network: str | None = None,
    kind: str | None = None,
    account_id: int | None = None,
) -> Report:
    """Reach over a period, one row per thing × account × kind of figure × provenance."""
    frame = Frame(first, last, territory, account_id, kind, network)
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
    columns = ((unit, getattr(Reached, unit.value)) for unit in units)
    # The portal has a row for each territory that was looked at, several of which may lie in one line of the report.
    whole = [func.sum(column) if unit in ADDITIVE else func.max(column) for unit, column in columns]
    query: Any = (
        sa_select(*whole)
        .where(
            col(Reached.day).between(until - USUAL_OVER, until),
            col(Reached.area) == area,
            col(Reached.network) == network,
            col(Reached.provenance) == provenance.value,
        )
        .group_by(col(Reached.delivery_id))
    )
    rows = session.connection().execute(query)
    known: dict[Unit, list[int]] = {unit: [] for unit in units}
    for row in rows:
        for unit, value in zip(units, row, strict=True):
            if value is not None:
                known[unit].append(int(value))  # PostgreSQL sums to a decimal
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
