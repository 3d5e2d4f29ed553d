"""The roll-up that reports read: one row per delivery and territory, kept with whatever changes it, proved from the samples."""  # noqa: E501

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select

from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import zone_info
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.metric import Catalogue
from hub.domain.post import Post
from hub.domain.reach import ADDITIVE, Reached, ReachFigure, Sample, Unit, Visit
from hub.domain.territory import Atlas
from hub.services import geotargeting

PAGE: Final = 500
"""Deliveries that are counted again in one transaction."""

OUT: Final = (DeliveryState.SENT, DeliveryState.REMOVED)
"""Deliveries that have figures."""

FIRST_TOLD: Final[Mapping[str, Unit]] = {
    AccountNetwork.FACEBOOK.value: Unit.PEOPLE,
    AccountNetwork.X.value: Unit.IMPRESSIONS,
}
"""The figure of a network that is missed first while nothing was read yet."""

COUNTS: Final = tuple(name for unit in Unit for name in (unit.value, f"{unit.value}_missing"))
"""The columns that hold figures."""

Counts = dict[str, int | None]
"""Figures by column."""


class Newest(NamedTuple):
    """The newest reading of one metric."""

    metric: str
    unit: Unit
    value: int | None
    missing: str | None
    first_read_at: datetime
    last_read_at: datetime


def later(known: Newest | None, read: Newest) -> Newest:
    """Of two readings of one metric the one that counts: a figure beats none, a younger one an older one.

    In whatever order they come: `first_read_at` is that of the first, `last_read_at` that of the one that counts.
    """
    if known is None:
        return read
    first = min(known.first_read_at, read.first_read_at)
    return max(known, read, key=_weight)._replace(first_read_at=first)


def _weight(one: Newest) -> tuple[object, ...]:
    """By what readings win; of two of the same moment always the same one, whichever came first."""
    return one.value is not None, one.last_read_at, one.value or 0, one.missing or "", one.unit


# --- What a row says ------------------------------------------------------------------------------------------


def unread(network: str, *, has_link: bool) -> Counts:
    """The figures of what is out and was not asked about yet; our own counts begin at nought."""
    counts: Counts = {name: 0 if name.endswith("_missing") else None for name in COUNTS}
    if network == AccountNetwork.PORTAL.value:
        return counts | {Unit.VIEWS.value: 0, Unit.CLICKS.value: 0}
    counts[f"{FIRST_TOLD.get(network, Unit.VIEWS)}_missing"] = 1
    return counts | {Unit.ARRIVALS.value: 0 if has_link else None}


def told(network: str, figures: Iterable[Newest], catalogue: Catalogue) -> Counts:
    """The columns that a network's figures fill: additive kinds summed over its metrics, people the highest of them.

    Where one metric took over from another, the newer one counts as soon as it tells something.
    """
    known = [one for one in figures if catalogue.counts(network, one.metric)]
    gone = catalogue.replaced(network, [one.metric for one in known if one.value is not None])
    known = [one for one in known if one.metric not in gone]
    counts = unread(network, has_link=False)
    del counts[Unit.ARRIVALS.value], counts[f"{Unit.ARRIVALS}_missing"]  # these are our own
    if not known:
        return counts
    counts[f"{FIRST_TOLD.get(network, Unit.VIEWS)}_missing"] = 0
    for unit in {one.unit for one in known}:
        values = [one.value for one in known if one.unit is unit and one.value is not None]
        counts[unit.value] = None if not values else sum(values) if unit in ADDITIVE else max(values)
        counts[f"{unit}_missing"] = sum(one.unit is unit and one.value is None for one in known)
    return counts


# --- Keeping it -----------------------------------------------------------------------------------------------


def enter(session: Session, delivery: Delivery) -> None:
    """A delivery is out: from now on reports know it, with its day and hour where it went out."""
    assert delivery.id is not None
    session.flush()
    for row in _bases(session, [delivery.id]):
        _put(session, [row | unread(row["network"], has_link=row.pop("has_link"))])


def area_of(land: Atlas, code: str) -> str:
    """The line of a report that a territory counts for: its académie, or itself when it is wider than one."""
    academies = land.academies_of([code])
    return academies[0] if len(academies) == 1 else code


def row_of(delivery: Delivery, account: Account, kind: str, land: Atlas) -> dict[str, Any]:
    """The same row before it is out, with the zone in place of day and hour."""
    base = {
        "delivery_id": delivery.id,
        "territory_code": delivery.territory_code,
        "area": area_of(land, delivery.territory_code),
        "zone": delivery.zone,
        "post_id": delivery.post_id,
        "kind": str(kind),
        "account_id": delivery.account_id,
        "network": str(account.network),
        "provenance": str(delivery.provenance),
        "unlimited": bool((delivery.gate or {}).get("unlimited")),
    }
    return base | unread(account.network.value, has_link=delivery.link is not None)


def enter_row(session: Session, row: Mapping[str, Any], *, sent_at: datetime) -> None:
    """What `enter` does, where the row is known already."""
    there = sent_at.astimezone(zone_info(row["zone"]))
    made = {name: value for name, value in row.items() if name != "zone"}
    _put(session, [made | {"day": there.date(), "hour": there.hour}])


_BASE: Any = (
    sa_select(
        col(Delivery.id),
        col(Delivery.territory_code),
        col(Delivery.sent_at),
        col(Delivery.zone),
        col(Delivery.post_id),
        col(Post.kind),
        col(Delivery.account_id),
        col(Account.network),
        col(Delivery.provenance),
        col(Delivery.gate),
        col(Delivery.link),
    )
    .join(Post, col(Post.id) == col(Delivery.post_id))
    .join(Account, col(Account.id) == col(Delivery.account_id))
    .where(col(Delivery.id).in_(bindparam("the_deliveries", expanding=True)), col(Delivery.sent_at).is_not(None))
)


def _bases(session: Session, ids: Collection[int]) -> list[dict[str, Any]]:
    """What tells the rows of these deliveries apart, without figures; and whether each has a link of ours."""
    bases = []
    found = session.connection().execute(_BASE, {"the_deliveries": list(ids)}).all()
    land = geotargeting.atlas(session, {row.territory_code for row in found})
    for row in found:
        there = row.sent_at.astimezone(zone_info(row.zone))
        bases.append(
            {
                "delivery_id": row.id,
                "territory_code": row.territory_code,
                "area": area_of(land, row.territory_code),
                "day": there.date(),
                "hour": there.hour,
                "post_id": row.post_id,
                "kind": str(row.kind),
                "account_id": row.account_id,
                "network": str(row.network),
                "provenance": str(row.provenance),
                "unlimited": bool((row.gate or {}).get("unlimited")),
                "has_link": row.link is not None,
            }
        )
    return bases


def _putting(insert_into: Any) -> Any:
    statement = insert_into(Reached)
    keys = ["delivery_id", "territory_code"]
    same = {one.name: one for one in statement.excluded if one.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=same)


_PUT: Final = {"postgresql": _putting(postgresql.insert), "sqlite": _putting(sqlite.insert)}
# Put together once: every delivery that goes out needs it.
_MAKE: Final = {
    "postgresql": postgresql.insert(Reached).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(Reached).on_conflict_do_nothing(),
}


def _put(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; one that is there already is as it would be written now, apart from its figures."""
    if not rows:
        return
    session.connection().execute(_PUT[session.get_bind().dialect.name], list(rows))


def count(session: Session, delivery: Delivery, *, territory_code: str, unit: Unit, number: int) -> None:
    """Add our own count to the row of a delivery and a territory, which is made for a territory that is new to it.

    On a network only those who followed our link are counted: its views are its own to tell.
    """
    assert delivery.id is not None
    if delivery.provenance is not Provenance.PORTAL:
        if unit is not Unit.CLICKS:
            return
        unit, territory_code = Unit.ARRIVALS, delivery.territory_code
    column = getattr(Reached, unit.value)
    statement = (
        update(Reached)
        .where(col(Reached.delivery_id) == delivery.id, col(Reached.territory_code) == territory_code)
        .values({unit.value: func.coalesce(column, 0) + number})
    )
    connection = session.connection()
    if connection.execute(statement).rowcount:
        return
    land = geotargeting.atlas(session, [territory_code])
    there = {"territory_code": territory_code, "area": area_of(land, territory_code)}
    for row in _bases(session, [delivery.id]):
        fresh = unread(row["network"], has_link=row.pop("has_link"))
        connection.execute(_MAKE[connection.dialect.name], row | fresh | there)
        connection.execute(statement)  # somebody else may have made it at the same instant


_UPDATE: Final[dict[str, Any]] = {
    name: bindparam(f"the_{name}") for name in COUNTS if not name.startswith(Unit.ARRIVALS.value)
}
_TELL = (
    update(Reached)
    .where(col(Reached.delivery_id) == bindparam("the_delivery"), col(Reached.provenance) != Provenance.PORTAL.value)
    .values(_UPDATE)
)


def tell(session: Session, network: str, newest: Mapping[int, Iterable[Newest]], *, catalogue: Catalogue) -> None:
    """Put what a network told newly of deliveries into their rows; the portal's are our own counts."""
    rows = [
        {"the_delivery": number, **{f"the_{name}": value for name, value in told(network, some, catalogue).items()}}
        for number, some in newest.items()
    ]
    if rows and network != AccountNetwork.PORTAL.value:
        session.connection().execute(_TELL, rows)


# --- Proving it -----------------------------------------------------------------------------------------------


@dataclass
class Proof:
    """How the roll-up compares with the raw samples."""

    deliveries: int = 0
    samples: int = 0
    differing: list[int] = field(default_factory=list)
    """Deliveries whose rows were not what the samples say."""


def pages(session: Session) -> Iterator[tuple[int, int]]:
    """Spans of delivery numbers, first and last, small enough for one transaction each."""
    highest = session.exec(select(func.max(Delivery.id))).one() or 0
    for first in range(1, highest + 1, PAGE):
        yield first, min(first + PAGE - 1, highest)


def prove(session: Session, span: tuple[int, int], proof: Proof, *, catalogue: Catalogue, mend: bool) -> None:
    """Count a span of deliveries again from samples and visits, and compare; `mend` writes what differs anew."""
    session.flush()
    if mend:
        _keep_still(session, span)
    within = col(Delivery.id).between(*span)
    ids = [number for number in session.exec(select(Delivery.id).where(within, col(Delivery.state).in_(OUT))) if number]
    newest, samples = _from_samples(session, span)
    rows = list(_from_scratch(session, ids, newest, catalogue))
    wanted: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        wanted[row["delivery_id"]].append(row)
    kept, figures = _kept(session, span)
    proof.deliveries += len(ids)
    proof.samples += samples
    for number in sorted({*ids, *kept, *figures, *newest}):
        same = sorted(wanted[number], key=_place) == kept.get(number, [])
        if same and newest.get(number, {}) == figures.get(number, {}):
            continue
        proof.differing.append(number)
        if mend:
            _mend(session, number, wanted[number], kept.get(number, []), newest.get(number, {}))


def _keep_still(session: Session, span: tuple[int, int]) -> None:
    """Nobody keeps readings or counts visitors of these deliveries until this transaction ends."""
    deliveries = select(Delivery.id).where(col(Delivery.id).between(*span)).order_by(col(Delivery.id))
    session.exec(deliveries.with_for_update()).all()
    rows = select(Reached.delivery_id).where(col(Reached.delivery_id).between(*span))
    session.exec(rows.order_by(col(Reached.delivery_id), col(Reached.territory_code)).with_for_update()).all()


def _place(row: Mapping[str, Any]) -> str:
    return str(row["territory_code"])


def _from_samples(session: Session, span: tuple[int, int]) -> tuple[dict[int, dict[str, Newest]], int]:
    """The newest reading of each metric of each delivery, from everything that was ever read; and how much that is."""
    newest: dict[int, dict[str, Newest]] = defaultdict(dict)
    number = 0
    samples: Any = sa_select(
        col(Sample.delivery_id),
        col(Sample.metric),
        col(Sample.unit),
        col(Sample.value),
        col(Sample.missing),
        col(Sample.read_at),
    ).where(col(Sample.delivery_id).between(*span))
    for delivery_id, metric, unit, value, missing, read_at in session.execute(samples):
        number += 1
        read = Newest(metric, Unit(unit), value, missing, read_at, read_at)
        newest[delivery_id][metric] = later(newest[delivery_id].get(metric), read)
    return newest, number


def _from_scratch(
    session: Session, ids: Sequence[int], newest: Mapping[int, Mapping[str, Newest]], catalogue: Catalogue
) -> Iterator[dict[str, Any]]:
    visits: dict[int, dict[str, Counts]] = defaultdict(lambda: defaultdict(dict))
    counted = (
        select(Visit.delivery_id, Visit.territory_code, Visit.unit, func.sum(Visit.count))
        .where(col(Visit.delivery_id).in_(ids))
        .group_by(col(Visit.delivery_id), col(Visit.territory_code), col(Visit.unit))
    )
    for delivery_id, territory, unit, number in session.exec(counted):
        visits[delivery_id][territory][str(unit)] = int(number)
    bases = _bases(session, ids)
    codes = {base["territory_code"] for base in bases}
    land = geotargeting.atlas(session, codes.union(*visits.values()))
    for base in bases:
        number, network = base["delivery_id"], base["network"]
        fresh = unread(network, has_link=base.pop("has_link"))
        own = visits[number]
        if base["provenance"] == Provenance.PORTAL.value:
            for territory in {base["territory_code"], *own}:
                there = {"territory_code": territory, "area": area_of(land, territory)}
                yield base | fresh | there | own.get(territory, {})
            continue
        arrivals = sum(counts.get(Unit.CLICKS.value) or 0 for counts in own.values())
        if arrivals:
            fresh[Unit.ARRIVALS.value] = arrivals
        yield base | fresh | told(network, newest.get(number, {}).values(), catalogue)


def _kept(
    session: Session, span: tuple[int, int]
) -> tuple[dict[int, list[dict[str, Any]]], dict[int, dict[str, Newest]]]:
    """What the roll-up holds of a span."""
    connection = session.connection()
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(_ROWS.where(col(Reached.delivery_id).between(*span))):
        rows[row.delivery_id].append(dict(row._mapping))
    figures: dict[int, dict[str, Newest]] = defaultdict(dict)
    for number, metric, unit, *rest in connection.execute(_FIGURES.where(col(ReachFigure.delivery_id).between(*span))):
        figures[number][metric] = Newest(metric, Unit(unit), *rest)
    return {number: sorted(some, key=_place) for number, some in rows.items()}, figures


_ROWS: Any = sa_select(*(getattr(Reached, name) for name in Reached.model_fields))
_FIGURES: Any = sa_select(*(getattr(ReachFigure, name) for name in ("delivery_id", *Newest._fields)))


def _mend(
    session: Session,
    number: int,
    rows: Sequence[Mapping[str, Any]],
    kept: Iterable[Mapping[str, Any]],
    newest: Mapping[str, Newest],
) -> None:
    """Write the rows of a delivery anew. Those that stay are written over: whoever waits to add to one finds it."""
    session.expire_all()
    connection = session.connection()
    for place in {_place(row) for row in kept} - {_place(row) for row in rows}:
        gone = delete(Reached).where(col(Reached.delivery_id) == number, col(Reached.territory_code) == place)
        connection.execute(gone)
    _put(session, rows)
    connection.execute(delete(ReachFigure).where(col(ReachFigure.delivery_id) == number))
    if newest:
        connection.execute(insert(ReachFigure), [{"delivery_id": number, **one._asdict()} for one in newest.values()])
