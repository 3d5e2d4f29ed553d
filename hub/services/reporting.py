"""Reach per territory: figures with their provenance, people never added up, missing never shown as zero."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.clock import local_day
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.person import Actor
from hub.domain.post import Post
from hub.domain.reach import CATALOGUE_VERSION, How, ReachFigure, Unit, Visit, combine
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Atlas, Level
from hub.language import N_, _
from hub.services import drafting, geotargeting
from hub.services.showing import title


class By(StrEnum):
    """What a report is ordered by."""

    TERRITORY = "territory"
    ACCOUNT = "account"
    POST = "post"
    KIND = "kind"


@dataclass(frozen=True)
class Figure:
    """The newest reading of one metric of one delivery, with everything that says what it means."""

    day: date
    """Day of publication in the delivery's own zone."""
    territory: str
    """The territory it counts for."""
    delivery_id: int
    post_id: int
    kind: str
    account_id: int
    account: str
    network: str
    metric: str
    unit: Unit
    value: int | None
    missing: str | None
    provenance: Provenance
    first_read_at: datetime | None = None
    last_read_at: datetime | None = None
    unlimited: bool = False


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

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "by": self.by,
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "rows": [asdict(row) for row in self.rows],
            "silent": self.silent,
        }


MAIN = {
    "post_total_media_view_unique",
    "post_media_view",
    "post_clicks",
    "post_reactions_by_type_total",
    "impression_count",
    "url_link_clicks",
    "portal_views",
    "portal_clicks",
    "like_count",
    "repost_count",
    "reply_count",
    "quote_count",
    "bookmark_count",
}
"""Metrics that a report counts; others are kept and exported only."""


PAGE = 500
"""How many deliveries are read together."""


def figures(session: Session, *, by: Actor, first: date, last: date) -> Iterator[Figure]:
    """Every figure of deliveries published in a period that concerns a person; days are those of each delivery's zone.

    The portal's counts come from our own day counts, so that each territory gets its own.
    """
    own = by.territories()
    land = geotargeting.atlas(session, own)
    for page in _pages(session, first=first, last=last):
        read = _read(session, [delivery.id for delivery, _kind, _account in page if delivery.id])
        for delivery, kind, account in page:
            day = local_day(delivery.sent_at, delivery.zone) if delivery.sent_at else None
            if day is None or not first <= day <= last:
                continue
            base = {
                "day": day,
                "delivery_id": delivery.id,
                "post_id": delivery.post_id,
                "kind": kind,
                "account_id": account.id,
                "account": account.name,
                "network": str(account.network),
                "provenance": delivery.provenance,
                "unlimited": bool((delivery.gate or {}).get("unlimited")),
            }
            yield from (
                figure for figure in _figures_of(delivery, base, *read) if _concerns(land, figure.territory, own)
            )


def _pages(session: Session, *, first: date, last: date) -> Iterator[Sequence[tuple[Delivery, str, Account]]]:
    """What was published from the day before to the day after a period, page by page: days differ by zone."""
    day = timedelta(days=1)
    begin = datetime.combine(max(first, date.min + day), time(), UTC) - day
    end = datetime.combine(min(last, date.max - 2 * day), time(), UTC) + 2 * day
    query = (
        select(Delivery, Post.kind, Account)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            col(Delivery.state).in_([DeliveryState.SENT, DeliveryState.REMOVED]),
            col(Delivery.sent_at).between(begin, end),
        )
        .order_by(col(Delivery.id))
        .limit(PAGE)
    )
    page: Sequence[tuple[Delivery, str, Account]] = session.exec(query).all()
    while page:
        yield page
        page = session.exec(query.where(col(Delivery.id) > page[-1][0].id)).all()


Visited = Mapping[int, Mapping[tuple[str, Unit], int]]
"""Delivery → territory and unit → how often."""


def _read(session: Session, deliveries: Sequence[int]) -> tuple[Visited, Mapping[int, list[ReachFigure]]]:
    """What is known of several deliveries: our own counts, and the networks' figures."""
    visited: dict[int, dict[tuple[str, Unit], int]] = {}
    counted = (
        select(Visit.delivery_id, Visit.territory_code, Visit.unit, func.sum(Visit.count))
        .where(col(Visit.delivery_id).in_(deliveries))
        .group_by(col(Visit.delivery_id), col(Visit.territory_code), col(Visit.unit))
    )
    for delivery_id, territory, unit, number in session.exec(counted):
        visited.setdefault(delivery_id, {})[territory, Unit(unit)] = int(number)
    told: dict[int, list[ReachFigure]] = {}
    newest = (
        select(ReachFigure)
        .where(col(ReachFigure.delivery_id).in_(deliveries))
        .order_by(by_letters(col(ReachFigure.metric)))
    )
    for row in session.exec(newest):
        told.setdefault(row.delivery_id, []).append(row)
    return visited, told


def _figures_of(
    delivery: Delivery, base: dict[str, Any], visited: Visited, told: Mapping[int, list[ReachFigure]]
) -> Iterator[Figure]:
    assert delivery.id is not None
    own_counts = visited.get(delivery.id)
    if delivery.provenance is Provenance.PORTAL and own_counts:
        for (territory, unit), value in sorted(own_counts.items()):
            yield Figure(**base, territory=territory, metric=f"portal_{unit}", unit=unit, value=value, missing=None)
        return
    rows = told.get(delivery.id, [])
    territory = delivery.territory_code
    for row in rows:
        yield Figure(
            **base,
            territory=territory,
            metric=row.metric,
            unit=Unit(row.unit),
            value=row.value,
            missing=row.missing,
            first_read_at=row.first_read_at,
            last_read_at=row.last_read_at,
        )
    if not rows:
        unit = {"facebook": Unit.PEOPLE, "x": Unit.IMPRESSIONS}.get(base["network"], Unit.VIEWS)
        yield Figure(**base, territory=territory, metric="", unit=unit, value=None, missing="not read yet")


def _concerns(land: Atlas, territory: str, own: Sequence[str]) -> bool:
    """Whether a figure concerns people of these territories: they meet (national ones concern everybody)."""
    if territory == COUNTRY:
        return bool(own)
    code = territory if territory in land else _departement(territory)
    return any(land.meet(code, mine) for mine in own)


def _departement(commune: str) -> str:
    """The département of a commune code (its own row is the truth; the code is enough to find the académie)."""
    insee = commune.removeprefix("C-")
    return "D-" + (insee[:3] if insee.startswith(("97", "98")) else insee[:2])


def report(
    session: Session, *, by: Actor, first: date, last: date, order: By = By.TERRITORY, territory: str | None = None
) -> Report:
    """Reach over a period, one row per thing × account × kind of figure × provenance."""
    land = geotargeting.atlas(session)
    groups: dict[tuple[str, int, Unit, Provenance], list[Figure]] = {}
    reached: set[str] = set()
    for figure in figures(session, by=by, first=first, last=last):
        if territory is not None and not _counts_for(land, figure.territory, territory):
            continue
        reached.add(report_territory(land, figure.territory))
        if figure.metric not in MAIN and figure.metric:
            continue
        key = _key(land, figure, order)
        account = figure.account_id
        groups.setdefault((key, account, figure.unit, figure.provenance), []).append(figure)
    rows = [_row(land, key[0], some, order) for key, some in groups.items()]
    rows.sort(key=lambda row: (row.key, row.network, row.account, str(row.unit), str(row.provenance)))
    silent = []
    if order is By.TERRITORY:
        own = by.territories()
        wanted = [code for code, node in land.nodes.items() if node.level is Level.ACADEMIE]
        silent = sorted(
            code
            for code in wanted
            if code not in reached
            and any(mine in land and land.meet(code, mine) for mine in own)
            and (territory is None or _counts_for(land, code, territory))
        )
    return Report(order, first, last, rows, silent)


def _counts_for(land: Atlas, code: str, territory: str) -> bool:
    node = code if code in land else _departement(code)
    return node in land and land.within(node, territory)


def _key(land: Atlas, figure: Figure, order: By) -> str:
    match order:
        case By.TERRITORY:
            return report_territory(land, figure.territory)
        case By.ACCOUNT:
            return str(figure.account_id)
        case By.POST:
            return str(figure.post_id)
        case By.KIND:
            return figure.kind


def report_territory(land: Atlas, code: str) -> str:
    """The line of the report that a territory counts for: its académie, or itself when it is wider than one."""
    node = code if code in land else _departement(code)
    academies = land.academies_of([node])
    return academies[0] if len(academies) == 1 else node


def _row(land: Atlas, key: str, some: Sequence[Figure], order: By) -> Row:
    """One line: several metrics of one kind are first joined per delivery, then over deliveries."""
    one = some[0]
    value, how = combine(one.unit, [figure.value for figure in some])
    deliveries = {figure.delivery_id for figure in some}
    if how is How.SUM and len(deliveries) == 1 and len({figure.metric for figure in some}) == 1:
        how = How.SINGLE
    names = {By.TERRITORY: lambda: land.name(key), By.ACCOUNT: lambda: one.account}
    return Row(
        key=key,
        name=names.get(order, lambda: key)(),
        account=one.account,
        network=one.network,
        unit=one.unit,
        provenance=one.provenance,
        posts=len({figure.post_id for figure in some}),
        value=value,
        how=how,
        metrics=sorted({figure.metric for figure in some if figure.metric}),
        unlimited=any(figure.unlimited for figure in some),
    )


def titles(session: Session, post_ids: Collection[int], *, by: Actor) -> dict[int, str]:
    """What posts are called, of those that this person may see: a national figure is everybody's, its words are not."""
    seen = drafting.visible(session, post_ids, by=by)
    return {
        number: title(text)
        for number, text in session.exec(select(Post.id, Post.text).where(col(Post.id).in_(seen)))
        if number is not None
    }


# --- Export ---------------------------------------------------------------------------------------------------

COLUMNS = (
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
"""Columns of the tidy export; they never change without a new schema version (docs/reach.md)."""

LIMITED = frozenset({Provenance.OWN_PAGE, Provenance.GATED, Provenance.PORTAL})
"""Provenances whose figures are of the territory that they are told for; everybody sees what the others show."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if cell is None else str(cell)
    return "'" + text if text.startswith(_FORMULA) else text


def export_rows(session: Session, *, by: Actor, first: date, last: date) -> Iterator[list[object]]:
    """Tidy rows, one per figure, in the order of COLUMNS."""
    coming = figures(session, by=by, first=first, last=last)
    while some := list(islice(coming, PAGE)):
        yield from _tidy(geotargeting.atlas(session, {figure.territory for figure in some}), some)


def _tidy(land: Atlas, some: Iterable[Figure]) -> Iterator[list[object]]:
    for figure in some:
        yield [
            figure.day.isoformat(),
            figure.territory,
            land.name(figure.territory),
            land.nodes[figure.territory].level.value,
            figure.account,
            figure.network,
            figure.post_id,
            figure.delivery_id,
            figure.kind,
            figure.metric,
            figure.unit.value,
            figure.value,
            figure.missing,
            figure.provenance.value,
            "yes" if figure.provenance in LIMITED else "no",
            figure.first_read_at.isoformat() if figure.first_read_at else None,
            figure.last_read_at.isoformat() if figure.last_read_at else None,
            CATALOGUE_VERSION,
        ]


def csv_lines(rows: Iterable[Sequence[object]], *, separator: str = ",") -> Iterator[str]:
    """The export as CSV text, line by line, with its header; numbers stay numbers, words are made harmless."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    for row in _with_header(rows):
        writer.writerow([cell if isinstance(cell, int) else harmless(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _with_header(rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    yield COLUMNS
    yield from rows


UNIT_NAMES = {
    Unit.PEOPLE: N_("people"),
    Unit.VIEWS: N_("views"),
    Unit.IMPRESSIONS: N_("impressions"),
    Unit.CLICKS: N_("clicks"),
    Unit.REACTIONS: N_("reactions"),
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
