"""The roll-up that reports read: one row per delivery and territory, kept with whatever changes it, proved from the samples."""  # noqa: E501

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Integer, bindparam, case, delete, distinct, insert, tuple_, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import zone_info
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.metric import Catalogue
from hub.domain.post import Post
from hub.domain.reach import ADDITIVE, Reached, ReachedDay, ReachFigure, Sample, Unit, Visit, monday
from hub.domain.territory import Atlas
from hub.services import geotargeting, pinning

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


Read = tuple[int, str, Unit, int | None, str | None, datetime]
"""Delivery, metric, kind, value, why there is none, when it was read."""
NewestOf = dict[int, dict[str, Newest]]
"""Delivery → metric → its newest reading."""


def fold(newest: NewestOf, read: Iterable[Read]) -> None:
    """Put readings to the newest ones that are known, as `later` would; of many at once, the short way."""
    best: dict[tuple[int, str], list[Any]] = {}
    for number, metric, unit, value, missing, at in read:
        known = best.get((number, metric))
        if known is None:
            best[number, metric] = [unit, value, missing, at, at]
            continue
        if at < known[3]:
            known[3] = at
        if (value is not None, at, value or 0, missing or "") > (
            known[1] is not None,
            known[4],
            known[1] or 0,
            known[2] or "",
        ):
            known[1], known[2], known[4] = value, missing, at
    for (number, metric), one in best.items():
        of_delivery = newest.setdefault(number, {})
        of_delivery[metric] = later(of_delivery.get(metric), Newest(metric, *one))


_KNOWN: Any = sa_select(
    col(ReachFigure.delivery_id), col(ReachFigure.metric), col(ReachFigure.unit), col(ReachFigure.value),
    col(ReachFigure.missing), col(ReachFigure.first_read_at), col(ReachFigure.last_read_at),
).where(col(ReachFigure.delivery_id).in_(bindparam("the_deliveries", expanding=True)))  # fmt: skip
_SAMPLES: Any = sa_select(
    col(Sample.delivery_id), col(Sample.metric), col(Sample.unit), col(Sample.value), col(Sample.missing),
    col(Sample.read_at),
).where(col(Sample.delivery_id).in_(bindparam("the_deliveries", expanding=True)))  # fmt: skip


def newest_known(session: Session, deliveries: Collection[int]) -> NewestOf:
    """The newest readings of these deliveries, as the roll-up has them."""
    newest: NewestOf = {}
    found = session.connection().execute(_KNOWN, {"the_deliveries": list(deliveries)})
    for number, metric, unit, value, missing, first, last in found:
        newest.setdefault(number, {})[metric] = Newest(metric, Unit(unit), value, missing, first, last)
    return newest


def newest_of_samples(session: Session, deliveries: Collection[int]) -> NewestOf:
    """The same from everything that was ever read."""
    newest: NewestOf = {}
    found = session.connection().execute(_SAMPLES, {"the_deliveries": list(deliveries)})
    fold(
        newest, ((number, metric, Unit(unit), value, missing, at) for number, metric, unit, value, missing, at in found)
    )
    return newest


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
    if catalogue.successors:
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
    """A delivery is out: from now on reports know it, with its day and hour where it went out, and boards show it."""
    assert delivery.id is not None
    session.flush()
    for row in _bases(session, [delivery.id]):
        _pin_ours(session, row)
        _enter(session, row | unread(row["network"], has_link=row.pop("has_link")))


def _pin_ours(session: Session, row: Mapping[str, Any]) -> None:
    """What goes out on our own portal is on the boards of its territories."""
    if row["network"] == AccountNetwork.PORTAL.value:
        pinning.pin(session, row["delivery_id"])


def _enter(session: Session, row: Mapping[str, Any], *, elsewhere: bool = False) -> None:
    """A row that is new; one that is there already was counted with its day before.

    `elsewhere` tells that the delivery has a row of another territory already.
    """
    connection = session.connection()
    same = sa_select(func.count()).where(
        col(Reached.delivery_id) == row["delivery_id"], col(Reached.day) == row["day"], col(Reached.area) == row["area"]
    )
    known = connection.execute(same).scalar_one() if elsewhere else 0
    if connection.execute(_ADD[connection.dialect.name], row).rowcount:
        # A delivery that is looked at in two communes of an académie is one delivery there.
        connection.execute(_ADD_TO_DAY[connection.dialect.name], _day_of(row) | {"deliveries": 0 if known else 1})


def _day_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by itself as its day tells it."""
    day = {key: row[key] for key in (*DAY_KEYS, "week")} | {"deliveries": 1}
    for unit in Unit:
        value = row[unit.value]
        day |= {unit.value: value, f"{unit}_known": int(value is not None), f"{unit}_missing": row[f"{unit}_missing"]}
    return day


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
    _pin_ours(session, row)
    _enter(session, made | {"day": there.date(), "week": monday(there.date()), "hour": there.hour})


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
                "week": monday(there.date()),
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


def _adding(insert_into: Any) -> Any:
    return insert_into(Reached).on_conflict_do_nothing(index_elements=["delivery_id", "territory_code"])


def _putting(insert_into: Any) -> Any:
    statement = insert_into(Reached)
    keys = ["delivery_id", "territory_code"]
    same = {one.name: one for one in statement.excluded if one.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=same)


def _adding_to_day(insert_into: Any) -> Any:
    """One row more of a day; as it is new, it tells nobody's people yet."""
    statement = insert_into(ReachedDay)
    new = statement.excluded
    more: dict[str, Any] = {"deliveries": col(ReachedDay.deliveries) + new.deliveries}
    for unit in Unit:
        for name in (f"{unit}_known", f"{unit}_missing"):
            more[name] = getattr(ReachedDay, name) + new[name]
        if unit in ADDITIVE:
            known = getattr(ReachedDay, unit.value)
            more[unit.value] = case((new[unit.value].is_(None), known), else_=func.coalesce(known, 0) + new[unit.value])
    return statement.on_conflict_do_update(index_elements=list(DAY_KEYS), set_=more)


def sums_of_days() -> Any:
    """Every day counted anew out of its rows."""
    keys = [getattr(Reached, key) for key in DAY_KEYS]
    sums = [
        func.max(col(Reached.week)).label("week"),
        func.count(distinct(col(Reached.delivery_id))).label("deliveries"),
    ]
    for unit in Unit:
        column = getattr(Reached, unit.value)
        sums += [
            (func.sum(column) if unit in ADDITIVE else func.max(column)).label(unit.value),
            func.count(column).label(f"{unit}_known"),
            func.sum(getattr(Reached, f"{unit}_missing")).label(f"{unit}_missing"),
        ]
    return sa_select(*keys, *sums).group_by(*keys)


def _own_days() -> Any:
    """The days of some deliveries."""
    return sa_select(*(getattr(_OTHER, key) for key in DAY_KEYS)).where(
        _OTHER.delivery_id.in_(bindparam("the_deliveries", expanding=True))
    )


def _renewing(insert_into: Any, which: Any) -> Any:
    """Days summed up again, in one order, so that two who do it at once never wait for each other."""
    keys = [getattr(Reached, key) for key in DAY_KEYS]
    found = sums_of_days().where(which).order_by(*keys)
    statement = insert_into(ReachedDay).from_select([one.name for one in found.selected_columns], found)
    same = {one.name: one for one in statement.excluded if one.name not in DAY_KEYS}
    return statement.on_conflict_do_update(index_elements=list(DAY_KEYS), set_=same)


DAY_KEYS: Final = ("day", "area", "network", "provenance")
_OTHER: Any = aliased(Reached)
_MAKERS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
# Put together once: every delivery that goes out, and every reading, needs them.
_ADD: Final = {name: _adding(insert_into) for name, insert_into in _MAKERS.items()}
_PUT: Final = {name: _putting(insert_into) for name, insert_into in _MAKERS.items()}
_ADD_TO_DAY: Final = {name: _adding_to_day(insert_into) for name, insert_into in _MAKERS.items()}
_ROWS_OF_DAYS: Any = tuple_(*(getattr(Reached, key) for key in DAY_KEYS)).in_(_own_days())
_SUM_UP: Final = {name: _renewing(insert_into, _ROWS_OF_DAYS) for name, insert_into in _MAKERS.items()}


_DAYS: Final = [getattr(ReachedDay, key) for key in DAY_KEYS]
_HOLD_DAYS: Any = (
    sa_select(col(ReachedDay.day)).where(tuple_(*_DAYS).in_(_own_days())).order_by(*_DAYS).with_for_update()
)


def sum_up(session: Session, deliveries: Collection[int]) -> None:
    """Count the days of these deliveries anew.

    Held first, in a question of its own: whoever adds to one of these days meanwhile is then seen in the sum.
    """
    connection = session.connection()
    connection.execute(_HOLD_DAYS, {"the_deliveries": list(deliveries)}).all()
    connection.execute(_SUM_UP[connection.dialect.name], {"the_deliveries": list(deliveries)})


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
    which = {"the_delivery": delivery.id, "the_territory": territory_code, "more": number}
    if connection.execute(statement).rowcount:
        connection.execute(_MORE_OF_DAY[unit], which)
        return
    land = geotargeting.atlas(session, [territory_code])
    there = {"territory_code": territory_code, "area": area_of(land, territory_code)}
    for row in _bases(session, [delivery.id]):
        fresh = unread(row["network"], has_link=row.pop("has_link"))
        _enter(session, row | fresh | there, elsewhere=True)
        connection.execute(statement)  # somebody else may have made it at the same instant
        connection.execute(_MORE_OF_DAY[unit], which)


def _more_of_day(unit: Unit) -> Any:
    own = sa_select(_OTHER.delivery_id).where(
        _OTHER.delivery_id == bindparam("the_delivery"),
        _OTHER.territory_code == bindparam("the_territory"),
        *(getattr(_OTHER, key) == getattr(ReachedDay, key) for key in DAY_KEYS),
    )
    more = func.coalesce(getattr(ReachedDay, unit.value), 0) + bindparam("more", type_=Integer)
    return update(ReachedDay).where(own.exists()).values({unit.value: more})


_MORE_OF_DAY: Final = {unit: _more_of_day(unit) for unit in (Unit.VIEWS, Unit.CLICKS, Unit.ARRIVALS)}
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
        sum_up(session, newest)


# --- Proving it -----------------------------------------------------------------------------------------------


@dataclass
class Proof:
    """How the roll-up compares with the raw samples."""

    deliveries: int = 0
    samples: int = 0
    differing: list[int] = field(default_factory=list)
    """Deliveries whose rows were not what the samples say."""
    differing_days: list[date] = field(default_factory=list)
    """Days whose sums were not those of their rows."""

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.differing and not self.differing_days


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
    newest = newest_of_samples(session, range(span[0], span[1] + 1))
    rows = list(_from_scratch(session, ids, newest, catalogue))
    wanted: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        wanted[row["delivery_id"]].append(row)
    kept, figures = _kept(session, span)
    proof.deliveries += len(ids)
    proof.samples += session.exec(
        select(func.count()).select_from(Sample).where(col(Sample.delivery_id).between(*span))
    ).one()
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


def prove_days(session: Session, first: date, last: date, proof: Proof, *, mend: bool) -> None:
    """Sum a span of days of publication up again and compare; `mend` writes what differs anew."""
    within = col(ReachedDay.day).between(first, last)
    if mend:
        # Nobody adds to these days until this transaction ends; what is out meanwhile adds itself afterwards.
        _tuples(session, sa_select(col(ReachedDay.day)).where(within).order_by(*_DAYS).with_for_update())
    wanted = {row[:4]: row for row in _tuples(session, sums_of_days().where(col(Reached.day).between(first, last)))}
    columns = [getattr(ReachedDay, one.name) for one in sums_of_days().selected_columns]
    kept = {row[:4]: row for row in _tuples(session, sa_select(*columns).where(within))}
    differing = {key[0] for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)}
    proof.differing_days += sorted(differing)
    if not mend or not differing:
        return
    connection = session.connection()
    own = [getattr(Reached, key) == getattr(ReachedDay, key) for key in DAY_KEYS]
    empty = ~sa_select(col(Reached.delivery_id)).where(*own).exists()
    connection.execute(delete(ReachedDay).where(col(ReachedDay.day).in_(differing), empty))
    connection.execute(_renewing(_MAKERS[connection.dialect.name], col(Reached.day).in_(differing)))


def _tuples(session: Session, query: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.connection().execute(query)]


def months(session: Session) -> Iterator[tuple[date, date]]:
    """Spans of days of publication, each a month long, from the first to the last."""
    ends: list[date | None] = []
    for table in (Reached, ReachedDay):
        ends += session.exec(select(func.min(table.day), func.max(table.day))).one()
    known = [day for day in ends if day is not None]
    begin, end = min(known, default=date.max), max(known, default=date.min)
    while begin <= end:
        following = (begin.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield begin, min(end, following - timedelta(days=1))
        begin = following


def _place(row: Mapping[str, Any]) -> str:
    return str(row["territory_code"])


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
    if rows:
        connection.execute(_PUT[connection.dialect.name], list(rows))
    connection.execute(delete(ReachFigure).where(col(ReachFigure.delivery_id) == number))
    if newest:
        connection.execute(insert(ReachFigure), [{"delivery_id": number, **one._asdict()} for one in newest.values()])
    sum_up(session, [number])
