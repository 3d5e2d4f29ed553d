"""Asking networks how many were reached, and keeping every figure as it was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from channels import ChannelError, Figure, Figures, Receipt, Throttled
from hub import bulk
from hub.domain.account import Account
from hub.domain.audit import OPERATOR, note
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.errors import Invalid, NotFound
from hub.domain.post import Post
from hub.domain.reach import ReachFigure, Sample, Unit, Visit, next_slot, slot_at
from hub.domain.table import by_letters
from hub.language import _
from hub.services import cataloguing, delivering, pacing, rolling

BATCH = 100
"""Most posts of one account asked about together (X takes a hundred ids at once)."""


@dataclass(frozen=True)
class Reading:
    """Posts of one account whose figures are due."""

    account: Account
    receipts: Mapping[str, int]
    """Remote id → delivery id."""


def due_readings(session: Session, *, at: datetime, patience: Patience) -> list[Reading]:
    """What to ask now, one reading per account; asked again after a lease if nobody comes back with an answer."""
    if delivering.open_hold(session):
        return []
    due = (
        select(Delivery)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            col(Delivery.next_sample_at) <= at,
            Delivery.state == DeliveryState.SENT,
            pacing.leisurely(at),
        )
        .order_by(col(Delivery.account_id), col(Delivery.next_sample_at))
        .limit(1000)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    per_account: dict[int, dict[str, int]] = {}
    for delivery in session.exec(due):
        if not delivery.remote_id or not delivery.id:
            delivery.next_sample_at = None  # nothing that a network could be asked about
            continue
        posts = per_account.setdefault(delivery.account_id, {})
        if len(posts) < BATCH:
            posts[delivery.remote_id] = delivery.id
            delivery.next_sample_at = at + patience.lease
    readings = []
    for account_id, posts in per_account.items():
        account = session.get(Account, account_id)
        assert account is not None
        readings.append(Reading(account, posts))
    return readings


def receipts(reading: Reading) -> list[Receipt]:
    """The posts of a reading as a channel takes them."""
    return [Receipt(remote_id) for remote_id in reading.receipts]


def keep_figures(session: Session, reading: Reading, figures: Figures, *, at: datetime) -> int:
    """Keep what was read, and plan the next reading; return how many figures were new."""
    samples = []
    for remote_id, delivery in _locked(session, reading):
        assert delivery.id is not None
        assert delivery.sent_at is not None
        slot = slot_at(delivery.sent_at, at)
        samples += [as_sample(delivery.id, figure, slot=slot, at=at) for figure in figures.by_post.get(remote_id, ())]
        # One that was taken down meanwhile is asked about no more.
        delivery.next_sample_at = next_slot(delivery.sent_at, at) if delivery.state is DeliveryState.SENT else None
    return keep(session, reading.account.network.value, samples)


def _locked(session: Session, reading: Reading) -> list[tuple[str, Delivery]]:
    """The posts of a reading with their remote ids: two answers about the same posts are kept one after the other."""
    query = select(Delivery).where(col(Delivery.id).in_(reading.receipts.values())).order_by(col(Delivery.id))
    found = session.exec(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    remote_ids = {delivery_id: remote_id for remote_id, delivery_id in reading.receipts.items()}
    return [(remote_ids[one.id or 0], one) for one in found]


def as_sample(delivery_id: int, figure: Figure, *, slot: timedelta, at: datetime) -> dict[str, Any]:
    """One figure as it is kept."""
    return {
        "delivery_id": delivery_id,
        "metric": figure.metric,
        "unit": Unit(figure.unit.value),
        "slot": int(slot.total_seconds() // 3600),
        "value": figure.value,
        "missing": figure.missing,
        "read_at": at,
    }


SAMPLE: Final = ("delivery_id", "metric", "unit", "slot", "value", "missing", "read_at")
FIGURE: Final = ("delivery_id", "metric", "unit", "value", "missing", "first_read_at", "last_read_at")


def keep(session: Session, network: str, samples: Sequence[Mapping[str, Any]]) -> int:
    """Keep readings of one network as they are, and the roll-up with them; return how many were new.

    One that is kept already (the same metric at the same planned moment) is not kept again.
    """
    if not samples:
        return 0
    session.flush()
    at = bulk.moments(session)
    rows = [
        (one["delivery_id"], one["metric"], one["unit"].value, one["slot"], one["value"], one["missing"],
         at[one["read_at"]])
        for one in samples
    ]  # fmt: skip
    ids = {row[0] for row in rows}
    newest = rolling.newest_known(session, ids)
    kept = bulk.put(session, Sample, SAMPLE, rows, keys=("delivery_id", "metric", "slot"), renew=False)
    if kept == len(samples):
        rolling.fold(newest, ((one["delivery_id"], one["metric"], one["unit"], one["value"], one["missing"],
                               one["read_at"]) for one in samples))  # fmt: skip
    else:
        # Some were there before: what they say is known, and is not what was heard now.
        newest = rolling.newest_of_samples(session, ids)
    figures = [
        (number, one.metric, one.unit.value, one.value, one.missing, at[one.first_read_at], at[one.last_read_at])
        for number, some in newest.items()
        for one in some.values()
    ]
    bulk.put(session, ReachFigure, FIGURE, figures, keys=("delivery_id", "metric"), renew=True)
    told = {number: some.values() for number, some in newest.items()}
    rolling.tell(session, network, told, catalogue=cataloguing.catalogue(session))
    return kept


def strike(session: Session, delivery_id: int, metric: str, slot: int, *, reason: str, at: datetime) -> Sample:
    """Take one absurd reading out, for good and on record; what is told is what the readings that stay say."""
    sample = session.exec(
        select(Sample).where(Sample.delivery_id == delivery_id, Sample.metric == metric, Sample.slot == slot)
    ).first()
    if sample is None:
        raise NotFound(_("There is no such reading. “relais delivery show {number}” names those that there are.",
                         number=delivery_id))  # fmt: skip
    if not reason.strip():
        raise Invalid(_("Say why this reading is struck out."), field="reason")
    before = {"metric": metric, "slot": slot, "value": sample.value, "read_at": sample.read_at.isoformat()}
    note(session, "reach.strike", f"delivery:{delivery_id}", by=OPERATOR, at=at, before=before,
         after={"reason": reason.strip()})  # fmt: skip
    session.delete(sample)
    session.flush()
    rolling.prove(
        session, (delivery_id, delivery_id), rolling.Proof(), catalogue=cataloguing.catalogue(session), mend=True
    )
    return sample


def note_failure(session: Session, reading: Reading, error: ChannelError, *, at: datetime, patience: Patience) -> None:
    """A reading that failed is tried again later; publishing goes on, unless the token itself is dead."""
    outcome = delivering.outcome_of(error, patience, at=at)
    asked = _locked(session, reading)  # before the account, as everybody else
    delivering.note_failed_reading(session, reading.account, error, at=at, patience=patience)
    again = outcome.until if isinstance(error, Throttled) and outcome.until else at + patience.rate_wait
    for _remote_id, delivery in asked:
        delivery.next_sample_at = again if delivery.state is DeliveryState.SENT else None


def count_visit(
    session: Session, key: str, *, territory_code: str, unit: Unit, day: date, number: int = 1
) -> str | None:
    """Count a view of, or a click on, one of our own items; of nobody in particular. Return where its link leads."""
    delivery = session.exec(select(Delivery).where(Delivery.key == key).order_by(col(Delivery.id).desc())).first()
    if delivery is None or delivery.id is None:
        return None
    add_visits(session, delivery.id, territory_code=territory_code, unit=unit, day=day, number=number)
    post = session.get(Post, delivery.post_id)
    return post.link if post else None


def add_visits(session: Session, delivery_id: int, *, territory_code: str, unit: Unit, day: date, number: int) -> None:
    """Add to one of our own counts; in one statement, since two readers may come at the same instant."""
    where = {"delivery_id": delivery_id, "day": day, "territory_code": territory_code, "unit": unit}
    made = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement: Any = made(Visit).values(**where, count=number)
    more = {"count": col(Visit.count) + number}
    session.execute(statement.on_conflict_do_update(index_elements=list(where), set_=more))
    delivery = session.get(Delivery, delivery_id)
    if delivery is not None and delivery.sent_at is not None:
        rolling.count(session, delivery, territory_code=territory_code, unit=unit, number=number)


def visits_of(session: Session, keys: Sequence[str]) -> dict[str, dict[Unit, int]]:
    """Views and clicks of our own items so far, by the delivery's key."""
    query = (
        select(Delivery.key, Visit.unit, Visit.count)
        .join(Visit, col(Visit.delivery_id) == col(Delivery.id))
        .where(col(Delivery.key).in_(list(keys)))
    )
    told: dict[str, dict[Unit, int]] = {key: {} for key in keys}
    for key, kind, count in session.exec(query):
        unit = Unit(kind)
        told[key][unit] = told[key].get(unit, 0) + count
    return told


def figures_of(session: Session, delivery_id: int) -> list[ReachFigure]:
    """The newest reading of each metric of one delivery, by name."""
    query = (
        select(ReachFigure).where(ReachFigure.delivery_id == delivery_id).order_by(by_letters(col(ReachFigure.metric)))
    )
    return list(session.exec(query))
