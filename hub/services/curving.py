"""The reach of one post from near: how it grew over its planned readings, and whether that is usual where it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from babel.numbers import format_decimal
from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.delivery import Delivery, Provenance
from hub.domain.metric import Catalogue
from hub.domain.person import Actor
from hub.domain.reach import SLOTS, How, Reached, ReachFigure, Sample, Unit
from hub.language import _, current_language
from hub.services import cataloguing, geotargeting, reporting, rolling
from hub.services.reporting import UNIT_NAMES, Cell, Frame, Usual
from hub.services.rolling import Newest

ALWAYS: Final = (date.min, date.max)

HOUR: Final = timedelta(hours=1)

SETTLED: Final = timedelta(days=7)
"""Before that, a post is still on its way: that it has reached less than usual says nothing yet."""


# --- Curves -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """One planned reading of one kind of figure; `read_at` None: nobody read it then, which is a gap."""

    hours: int
    """After publication."""
    value: int | None = None
    how: How = How.MISSING
    read_at: datetime | None = None


@dataclass(frozen=True)
class Curve:
    """One kind of figure over all planned readings, each as it was read: one that went down stays down."""

    unit: Unit
    points: Sequence[Point]


def curves(session: Session, delivery_ids: Collection[int]) -> dict[int, list[Curve]]:
    """The curves of each delivery, by kind of figure; nothing for those of which nothing was read."""
    catalogue = cataloguing.catalogue(session)
    rows = session.exec(
        select(Sample, Account.network)
        .join(Delivery, col(Delivery.id) == col(Sample.delivery_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(col(Sample.delivery_id).in_(delivery_ids))
        .order_by(col(Sample.delivery_id), col(Sample.slot), col(Sample.id))
    )
    networks: dict[int, str] = {}
    read: dict[int, dict[int, list[Newest]]] = {}
    for sample, network in rows:
        networks[sample.delivery_id] = str(network)
        figure = Newest(sample.metric, sample.unit, sample.value, sample.missing, sample.read_at, sample.read_at)
        read.setdefault(sample.delivery_id, {}).setdefault(sample.slot, []).append(figure)
    told = {number: curves_of(networks[number], slots, catalogue) for number, slots in read.items()}
    return {number: some for number, some in told.items() if some}


def curves_of(network: str, read: Mapping[int, Sequence[Newest]], catalogue: Catalogue) -> list[Curve]:
    """The curves of one delivery out of what was read at each slot, counted as the report counts it."""
    slots = sorted({*(int(slot / HOUR) for slot in SLOTS), *read})
    counted = {
        slot: rolling.told(network, figures, catalogue)
        for slot, figures in read.items()
        if any(catalogue.counts(network, figure.metric) for figure in figures)
    }
    kinds = [
        unit
        for unit in Unit
        if any(counts.get(unit) is not None or counts.get(f"{unit}_missing") for counts in counted.values())
    ]
    return [
        Curve(unit, [_point(unit, slot, read.get(slot, ()), counted.get(slot)) for slot in slots]) for unit in kinds
    ]


def _point(unit: Unit, slot: int, figures: Sequence[Newest], counts: rolling.Counts | None) -> Point:
    if counts is None:
        return Point(slot)
    read_at = max(one.last_read_at for one in figures)
    cell = cell_of(counts.get(unit), counts.get(f"{unit}_missing"))
    return Point(slot, cell.value, cell.how, read_at) if cell else Point(slot)


def cell_of(value: int | None, missing: int | None) -> Cell | None:
    """One figure of one row of the roll-up; None where the network has no such figure."""
    if value is None:
        return Cell(None, How.MISSING) if missing else None
    return Cell(value, How.AT_LEAST if missing else How.SINGLE)


# --- What is usual ------------------------------------------------------------------------------------------

ABOUT: Final = (0.8, 1.25)
"""A figure within these shares of the usual one is about as usual."""

TWICE: Final = 1.75
"""From that share on it is told how many times the usual it is."""


@dataclass(frozen=True)
class Against:
    """A figure set against the usual one of its own territory: its share of it; None where the usual one is 0."""

    usual: Usual
    share: float | None


def against_usual(value: int | None, usual: Usual | None, *, settled: bool = True) -> Against | None:
    """How a figure compares; None where there is no figure, nothing usual, or it is too early to call it small."""
    if value is None or usual is None:
        return None
    if usual.value <= 0:
        return Against(usual, None) if value > 0 else None
    share = value / usual.value
    return Against(usual, share) if settled or share >= ABOUT[0] else None


def compared(against: Against, unit: Unit, name: str) -> str:
    """The comparison in words: « twice the usual 120 people of Rennes »."""
    told = {
        "number": format_decimal(round(against.usual.value), locale=current_language()),
        "unit": _(UNIT_NAMES[unit]),
        "name": name,
    }
    share = against.share
    if share is None or ABOUT[1] < share < TWICE:
        return _("more than the usual {number} {unit} of {name}", **told)
    if share >= TWICE:
        times = round(share)
        if times <= 2:
            return _("twice the usual {number} {unit} of {name}", **told)
        return _("{times} times the usual {number} {unit} of {name}", times=times, **told)
    if share >= ABOUT[0]:
        return _("about the usual {number} {unit} of {name}", **told)
    return _("less than the usual {number} {unit} of {name}", **told)


def share_told(against: Against, unit: Unit) -> str:
    """How many times the usual it is, for a list of what worked: « 3.4 times the usual 118 people »."""
    usual = format_decimal(round(against.usual.value), locale=current_language())
    times = format_decimal(round(against.share or 0, 1), locale=current_language())
    return _("{times} times the usual {number} {unit}", times=times, number=usual, unit=_(UNIT_NAMES[unit]))


# --- A post -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Landed:
    """What one delivery reached in one territory (a line of a report), by the newest readings."""

    delivery_id: int
    area: str
    name: str
    network: str
    provenance: Provenance
    unlimited: bool
    cells: Mapping[Unit, Cell]
    read_at: datetime | None
    """When the network was asked last; None: it was not asked yet, or all of it is our own count."""
    against: Mapping[Unit, Against]
    whole: bool
    """Whether this person sees all territories that the delivery counts for: its curve tells of them together."""


def of_post(session: Session, post_id: int, *, by: Actor, at: datetime) -> list[Landed]:
    """Where a post landed, as far as it concerns this person; each compared with the usual of that territory alone."""
    rows = _rows(session, post_id, by=by)
    ids = {row.delivery_id for row, _sent_at in rows}
    land = geotargeting.atlas(session, {row.area for row, _sent_at in rows})
    read = _last_read(session, ids)
    whole = wholly(session, post_id, by=by)
    together: dict[tuple[int, str], list[tuple[Reached, datetime]]] = {}
    for row, sent_at in rows:
        together.setdefault((row.delivery_id, row.area), []).append((row, sent_at))
    landed = []
    for (number, area), some in together.items():
        first, sent_at = some[0]
        provenance = Provenance(first.provenance)
        read_at = read.get(number)
        usual = reporting.usual(session, area, network=first.network, provenance=provenance, until=first.day)
        settled = ((at if provenance is Provenance.PORTAL else read_at) or sent_at) - sent_at >= SETTLED
        cells = joined(row for row, _sent_at in some)
        compared_with = {
            unit: against
            for unit, cell in cells.items()
            if (against := against_usual(cell.value, usual.get(unit), settled=settled))
        }
        landed.append(
            Landed(
                number,
                area,
                land.name(area),
                first.network,
                provenance,
                first.unlimited,
                cells,
                None if provenance is Provenance.PORTAL else read_at,
                compared_with,
                whole=number in whole,
            )
        )
    return landed


def wholly(session: Session, post_id: int, *, by: Actor) -> set[int]:
    """The deliveries of a post all of whose figures concern this person: what is told of them together is theirs."""
    rows = _rows(session, post_id, by=by)
    parts = _parts(session, {row.delivery_id for row, _sent_at in rows})
    seen = Counter(row.delivery_id for row, _sent_at in rows)
    return {number for number, count in parts.items() if seen[number] == count}


def _rows(session: Session, post_id: int, *, by: Actor) -> list[tuple[Reached, datetime]]:
    """The rows of the roll-up that are this post's and concern this person, with when each went out."""
    found = session.exec(
        select(Reached, Delivery.sent_at)
        .join(Delivery, col(Delivery.id) == col(Reached.delivery_id))
        # By the post of the delivery, which has an index: the roll-up is in the order of days.
        .where(*reporting.scope(session, Frame(*ALWAYS), by=by), col(Delivery.post_id) == post_id)
        .order_by(col(Delivery.due_at), col(Reached.delivery_id), col(Reached.area), col(Reached.territory_code))
    )
    return [(row, sent_at) for row, sent_at in found if sent_at is not None]


def joined(rows: Iterable[Reached]) -> dict[Unit, Cell]:
    """Rows of one network and provenance as one: every kind of figure that one of them has."""
    cells: dict[Unit, list[Cell]] = {}
    for row in rows:
        for unit in Unit:
            if cell := cell_of(getattr(row, unit.value), getattr(row, f"{unit.value}_missing")):
                cells.setdefault(unit, []).append(cell)
    return {unit: reporting.join(unit, some) for unit, some in cells.items()}


def _last_read(session: Session, delivery_ids: Collection[int]) -> dict[int, datetime]:
    """When each delivery was read last."""
    query = (
        select(ReachFigure.delivery_id, func.max(ReachFigure.last_read_at))
        .where(col(ReachFigure.delivery_id).in_(delivery_ids))
        .group_by(col(ReachFigure.delivery_id))
    )
    return {number: read_at for number, read_at in session.exec(query) if read_at is not None}


def _parts(session: Session, delivery_ids: Collection[int]) -> dict[int, int]:
    """For how many territories each delivery counts, whoever may see them."""
    query = (
        select(Reached.delivery_id, func.count())
        .where(col(Reached.delivery_id).in_(delivery_ids))
        .group_by(col(Reached.delivery_id))
    )
    return dict(session.exec(query).all())
