"""The tidy export: every figure as it was read, one per row, with everything that says what it means."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.clock import local_day
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.person import Actor
from hub.domain.post import Post
from hub.domain.reach import ReachFigure, Unit, Visit
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Atlas
from hub.services import cataloguing, geotargeting


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
    version = cataloguing.catalogue(session).version
    coming = figures(session, by=by, first=first, last=last)
    while some := list(islice(coming, PAGE)):
        yield from _tidy(geotargeting.atlas(session, {figure.territory for figure in some}), some, version)


def _tidy(land: Atlas, some: Iterable[Figure], version: str) -> Iterator[list[object]]:
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
            version,
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
