"""The rows of the export: every figure as it was read, one per row, with everything that says what it means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, String, bindparam, tuple_, type_coerce
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import Provenance
from hub.domain.metric import Catalogue
from hub.domain.person import Actor
from hub.domain.reach import SMALL, PageFigure, Reached, ReachFigure, Unit
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Atlas, Territory
from hub.services import cataloguing, geotargeting, reporting
from hub.services.reporting import Frame
from hub.services.rolling import FIRST_TOLD

SCHEMA_VERSION: Final = 2
"""Version of the columns below (docs/data-dictionary.md): within one, nothing is moved, renamed or removed."""

COLUMNS: Final = (
    "day",
    "territory",
    "territory_name",
    "level",
    "account",
    "network",
    "post",
    "delivery",
    "kind",
    "metric",
    "unit",
    "value",
    "missing",
    "provenance",
    "limited",
    "first_read",
    "last_read",
    "catalogue_version",
)


class Format(StrEnum):
    """What the export may be written as."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    JSONL = "jsonl"


LIMITED: Final[Mapping[str, str]] = {
    Provenance.OWN_PAGE.value: "yes",
    Provenance.GATED.value: "yes",
    Provenance.PORTAL.value: "yes",
    Provenance.NATIONAL.value: "no",
    Provenance.ORIGIN.value: "no",
}
"""Whether figures are of the territory that they are told for; of the others everybody may see what they count."""

NOT_READ: Final = "not read yet"
TOO_FEW: Final = f"< {SMALL}"
"""Why one of our own counts has no value."""

PAGE: Final = 2_000
"""Deliveries (or figures of a page) that are looked up together."""

AT_ONCE: Final = 500
"""Deliveries whose figures are read together: few enough to be still at hand when they are written."""


class Head(NamedTuple):
    """What the rows of one delivery and territory, or of one page and day, begin with."""

    day: date
    territory: str
    territory_name: str
    level: str
    account: str
    network: str
    post: int | None
    delivery: int | None
    kind: str | None
    provenance: str
    limited: str


Figure = Sequence[Any]
"""Metric, unit, value, why that is missing, when it was read first and last (`moment` tells), number of the delivery.

Bare, as databases hand them over: there are millions of them.
"""

Entry = tuple[Head, Sequence[Figure]]
"""What belongs together; each figure is a row."""

Row = tuple[Any, ...]
"""One row, in the order of COLUMNS; None where a cell is empty."""

Look = Callable[[], AbstractContextManager[Session]]
"""Opens a session that only looks."""


@dataclass(frozen=True)
class Page:
    """An account whose own figures are exported."""

    account_id: int
    name: str
    network: str
    territory: str
    provenance: Provenance


@dataclass(frozen=True)
class Plan:
    """What an export holds, before any of it is read."""

    frame: Frame
    conditions: Sequence[ColumnElement[bool]]
    """On the roll-up, whatever the day."""
    accounts: Mapping[int, str]
    pages: Sequence[Page]
    places: dict[str, tuple[str, str]]
    """Territory → name and level; communes are added as they are met."""
    catalogue: Catalogue
    sees: Sequence[str]
    """Whose figures these are: the territories of whoever asked."""


def plan(session: Session, frame: Frame, *, by: Actor) -> Plan:
    """What somebody may take away of a period."""
    own = by.territories()
    accounts = session.exec(select(Account).order_by(col(Account.id))).all()
    named = [frame.territory] if frame.territory else []
    land = geotargeting.atlas(session, [*own, *named, *(one.territory_code for one in accounts)])
    conditions = reporting.scope(session, frame, by=by)
    pages = [page for page in map(_page, accounts) if _wanted(page, frame, own, land)]
    return Plan(
        frame=frame,
        conditions=conditions,
        accounts={one.id: one.name for one in accounts if one.id is not None},
        pages=pages,
        places={code: (node.name, node.level.value) for code, node in land.nodes.items()},
        catalogue=cataloguing.catalogue(session),
        sees=own,
    )


def _page(account: Account) -> Page:
    assert account.id is not None
    return Page(account.id, account.name, account.network.value, account.territory_code, _provenance(account))


def _wanted(page: Page, frame: Frame, own: Sequence[str], land: Atlas) -> bool:
    """Whether somebody sees the figures of a page as a whole, and asked for them; they are of no kind of post."""
    if page.territory == COUNTRY:
        theirs = bool(own)
    else:
        theirs = any(mine in land and land.meet(page.territory, mine) is not None for mine in own)
    return (
        theirs
        and (frame.territory is None or land.within(page.territory, frame.territory))
        and frame.account_id in {None, page.account_id}
        and frame.network in {None, page.network}
        and frame.provenance in {None, page.provenance}
        and frame.kind is None
    )


def _provenance(account: Account) -> Provenance:
    """What the figures of a page as a whole can say about its territory."""
    if account.network is AccountNetwork.X:
        return Provenance.ORIGIN
    return Provenance.NATIONAL if account.territory_code == COUNTRY else Provenance.OWN_PAGE


def count(session: Session, plan: Plan) -> int:
    """How many rows there are; a delivery that was not read yet has one too."""
    conditions = [col(Reached.day).between(plan.frame.first, plan.frame.last), *plan.conditions]
    ours = sa_select(func.count(col(Reached.views)), func.count(col(Reached.clicks))).where(*conditions, _OURS)
    told = (
        sa_select(func.count())
        .select_from(Reached)
        .outerjoin(ReachFigure, col(ReachFigure.delivery_id) == col(Reached.delivery_id))
        .where(*conditions, ~_OURS)
    )
    arrived = sa_select(func.count(col(Reached.arrivals))).where(*conditions, ~_OURS)
    of_pages = sa_select(func.count()).where(
        col(PageFigure.account_id).in_([page.account_id for page in plan.pages]),
        col(PageFigure.day).between(plan.frame.first, plan.frame.last),
    )
    connection = session.connection()
    return sum(int(number) for query in (ours, told, arrived, of_pages) for number in connection.execute(query).one())


_PORTAL: Final = Provenance.PORTAL.value
_OURS: Final = col(Reached.provenance) == _PORTAL


# --- Reading them ---------------------------------------------------------------------------------------------


def entries(look: Look, plan: Plan) -> Iterator[Entry]:
    """Everything that was planned, day by day, then page by page.

    Each part is read in a look of its own, and handed over after it: whoever takes the rows slowly keeps no
    transaction open, and no more of them are in memory than one look finds.
    """
    yield from _of_deliveries(look, plan)
    for page in plan.pages:
        yield from _of_page(look, plan, page)


def rows(entries: Iterable[Entry], version: str) -> Iterator[Row]:
    """The same, row by row, each cell with its type."""
    for head, figures in entries:
        before, after = head[:9], head[9:]
        for metric, unit, value, missing, first, last, _delivery in figures:
            yield (*before, metric, unit, value, missing, *after, moment(first), moment(last), version)


_LAID: Final = (col(Reached.day), col(Reached.delivery_id), col(Reached.territory_code))
_HEADS: Final = (
    sa_select(
        *_LAID,
        col(Reached.post_id),
        col(Reached.kind),
        col(Reached.account_id),
        col(Reached.network),
        col(Reached.provenance),
        col(Reached.views),
        col(Reached.clicks),
        col(Reached.arrivals),
    )
    .where(
        col(Reached.day).between(bindparam("the_day"), bindparam("the_last")),
        (col(Reached.day) > bindparam("the_day"))
        | (col(Reached.delivery_id) > bindparam("the_delivery"))
        | (
            (col(Reached.delivery_id) == bindparam("the_delivery"))
            & (col(Reached.territory_code) > bindparam("the_code"))
        ),
    )
    .order_by(*_LAID)
)


def _of_deliveries(look: Look, plan: Plan) -> Iterator[Entry]:
    query = _HEADS.where(*plan.conditions).limit(PAGE)
    place: tuple[date, int, str] | None = (plan.frame.first, 0, "")
    while place is not None:
        day, delivery_id, code = place
        there = {"the_day": day, "the_last": plan.frame.last, "the_delivery": delivery_id, "the_code": code}
        with look() as session:
            heads = _bare(session.connection().execute(query, there))
            _learn(session, plan, {row[2] for row in heads})
        for start in range(0, len(heads), AT_ONCE):
            some = heads[start : start + AT_ONCE]
            with look() as session:
                read = _read(session, [row[1] for row in some if row[7] != _PORTAL])
            for row in some:
                yield _entry(plan, row, read)
        place = (_day(heads[-1][0]), *heads[-1][1:3]) if len(heads) == PAGE else None


_READ: Final = sa_select(
    col(ReachFigure.metric),
    # As the database keeps them: each moment is told apart once, not once per row.
    type_coerce(col(ReachFigure.unit), String),
    col(ReachFigure.value),
    col(ReachFigure.missing),
    type_coerce(col(ReachFigure.first_read_at), String),
    type_coerce(col(ReachFigure.last_read_at), String),
    col(ReachFigure.delivery_id),
).order_by(col(ReachFigure.delivery_id), by_letters(col(ReachFigure.metric)))
_SPAN: Final = _READ.where(col(ReachFigure.delivery_id).between(bindparam("the_first"), bindparam("the_last")))
_NAMED: Final = _READ.where(col(ReachFigure.delivery_id).in_(bindparam("the_deliveries", expanding=True)))


class _Read:
    """What networks told of several deliveries: one list, and where in it each of them lies."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._figures = figures
        self._places: dict[int, tuple[int, int]] = {}
        begin = 0
        for delivery_id, number in Counter(map(_DELIVERY, figures)).items():
            self._places[delivery_id] = (begin, begin + number)
            begin += number

    def of(self, delivery_id: int) -> Sequence[Figure]:
        """The figures of one delivery, by name; none of one that was not read yet."""
        begin, end = self._places.get(delivery_id, (0, 0))
        return self._figures[begin:end]


def _read(session: Session, deliveries: Sequence[int]) -> _Read:
    """Their figures; those in between are read along where there are few, since a span is asked for more quickly."""
    first, last = min(deliveries, default=0), max(deliveries, default=0)
    if last - first < 2 * AT_ONCE:
        found = session.connection().execute(_SPAN, {"the_first": first, "the_last": last})
    else:
        found = session.connection().execute(_NAMED, {"the_deliveries": deliveries})
    return _Read(_bare(found))


_DELIVERY: Final = itemgetter(6)


def _bare(found: Any) -> Sequence[Sequence[Any]]:
    """All rows of an answer as the driver made them: whatever is done to each of them is done a million times."""
    rows: Sequence[Sequence[Any]] = found.cursor.fetchall()
    return rows


@lru_cache(maxsize=100)
def moment(kept: str | datetime | None) -> datetime | None:
    """A moment that was handed over bare, to the second: as text without a zone (SQLite), or as it is (PostgreSQL)."""
    if isinstance(kept, str):
        return datetime.fromisoformat(kept[:19]).replace(tzinfo=UTC)
    return kept.astimezone(UTC).replace(microsecond=0) if kept is not None else None


def moment_text(kept: str | datetime) -> str:
    """The same as text: `2026-11-10T18:00:00+00:00`."""
    if isinstance(kept, str):
        return f"{kept[:10]}T{kept[11:19]}+00:00"
    return kept.astimezone(UTC).isoformat(timespec="seconds")


def _learn(session: Session, plan: Plan, codes: Collection[str]) -> None:
    """Have the names of these territories at hand."""
    new = sorted(code for code in codes if code not in plan.places)
    for start in range(0, len(new), AT_ONCE):
        named = col(Territory.code).in_(new[start : start + AT_ONCE])
        for code, name, level in session.exec(select(Territory.code, Territory.name, Territory.level).where(named)):
            plan.places[code] = (name, str(level))


def _entry(plan: Plan, row: Sequence[Any], read: _Read) -> Entry:
    day, delivery_id, code, post_id, kind, account_id, network, provenance, views, clicks, arrivals = row
    name, level = plan.places[code]
    day = _day(day)
    account, limited = plan.accounts[account_id], LIMITED[provenance]
    head = Head(day, code, name, level, account, network, post_id, delivery_id, kind, provenance, limited)
    if provenance == _PORTAL:
        ours = (("portal_clicks", Unit.CLICKS, clicks), ("portal_views", Unit.VIEWS, views))
        return head, [_ours(*one) for one in ours if one[2] is not None]
    figures = read.of(delivery_id)
    if not figures:
        first = FIRST_TOLD.get(network, Unit.VIEWS)
        figures = [(None, first.value, None, NOT_READ, None, None, delivery_id)]
    if arrivals is not None:
        figures = [*figures, _ours("link_arrivals", Unit.ARRIVALS, arrivals)]
    return head, figures


@lru_cache(maxsize=2_000)
def _day(kept: str | date) -> date:
    return date.fromisoformat(kept) if isinstance(kept, str) else kept


def _ours(metric: str, unit: Unit, count: int) -> Figure:
    """One of our own counts; of so few that somebody might be known by it, no number leaves the house."""
    if 0 < count < SMALL:
        return metric, unit.value, None, TOO_FEW, None, None, None
    return metric, unit.value, count, None, None, None, None


# --- Pages ----------------------------------------------------------------------------------------------------

_PLACE: Final = (col(PageFigure.metric), col(PageFigure.period), col(PageFigure.dimension), col(PageFigure.day))
_PAGE_FIGURES: Final = sa_select(
    *_PLACE,
    type_coerce(col(PageFigure.unit), String),
    col(PageFigure.value),
    col(PageFigure.missing),
    type_coerce(col(PageFigure.first_read_at), String),
    type_coerce(col(PageFigure.last_read_at), String),
).order_by(*_PLACE)


def _of_page(look: Look, plan: Plan, page: Page) -> Iterator[Entry]:
    """The figures of a page as a whole, in the order in which they lie."""
    name, level = plan.places[page.territory]
    mark = page.provenance.value
    about = (page.territory, name, level, page.name, page.network, None, None, None, mark, LIMITED[mark])
    query = _PAGE_FIGURES.where(
        col(PageFigure.account_id) == page.account_id,
        col(PageFigure.day).between(plan.frame.first, plan.frame.last),
    ).limit(PAGE)
    place: tuple[Any, ...] | None = None
    more = True
    while more:
        with look() as session:
            coming = query if place is None else query.where(tuple_(*_PLACE) > tuple_(*place))
            found = session.connection().execute(coming).all()
        for metric, period, dimension, day, *figure in found:
            unit, value, missing, first, last = figure
            yield Head(day, *about), [(metric_name(metric, period, dimension), unit, value, missing, first, last, None)]
        more = len(found) == PAGE
        place = tuple(found[-1][:4]) if found else None


def metric_name(metric: str, period: str, dimension: str = "") -> str:
    """A figure of a page by one name: that of the network, the span that it counts, the part of the page."""
    return ":".join(part for part in (metric, period, dimension) if part)
