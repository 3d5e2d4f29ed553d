"""Asking networks how many were reached, and keeping every figure as it was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, insert
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from channels import ChannelError, Figure, Figures, Receipt, Throttled
from hub.domain.account import Account
from hub.domain.audit import OPERATOR, note
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.errors import Invalid, NotFound
from hub.domain.post import Post
from hub.domain.reach import ReachFigure, Sample, Unit, Visit, next_slot, slot_at
from hub.domain.table import by_letters
from hub.language import _
from hub.services import cataloguing, delivering, pacing, rolling
from hub.services.rolling import Newest

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


_PRESENT: Any = sa_select(col(Sample.delivery_id), col(Sample.metric), col(Sample.slot)).where(
    col(Sample.delivery_id).in_(bindparam("the_deliveries", expanding=True))
)
_KNOWN: Any = sa_select(
    col(ReachFigure.delivery_id), col(ReachFigure.metric), col(ReachFigure.unit), col(ReachFigure.value),
    col(ReachFigure.missing), col(ReachFigure.first_read_at), col(ReachFigure.last_read_at),
).where(col(ReachFigure.delivery_id).in_(bindparam("the_deliveries", expanding=True)))  # fmt: skip


def _keeping(insert_into: Any) -> Any:
    statement = insert_into(ReachFigure)
    same = {one.name: one for one in statement.excluded if one.name not in {"delivery_id", "metric"}}
    return statement.on_conflict_do_update(index_elements=["delivery_id", "metric"], set_=same)


_KEEP: Final = {"postgresql": _keeping(postgresql.insert), "sqlite": _keeping(sqlite.insert)}


def keep(session: Session, network: str, samples: Sequence[Mapping[str, Any]]) -> int:
    """Keep readings of one network as they are, and the roll-up with them; return how many were new.

    One that is kept already (the same metric at the same planned moment) is not kept again.
    """
    ids = {"the_deliveries": list({sample["delivery_id"] for sample in samples})}
    if not samples:
        return 0
    session.flush()
    connection = session.connection()
    present = {tuple(row) for row in connection.execute(_PRESENT, ids)}
    fresh: dict[tuple[int, str, int], Mapping[str, Any]] = {}
    for sample in samples:
        key = (sample["delivery_id"], sample["metric"], sample["slot"])
        if key not in present:
            fresh.setdefault(key, sample)
    if not fresh:
        return 0
    connection.execute(insert(Sample), list(fresh.values()))
    newest: dict[int, dict[str, Newest]] = {}
    for delivery_id, metric, unit, *rest in connection.execute(_KNOWN, ids):
        newest.setdefault(delivery_id, {})[metric] = Newest(metric, Unit(unit), *rest)
    changed = {}
    for sample in fresh.values():
        figures, metric, at = newest.setdefault(sample["delivery_id"], {}), sample["metric"], sample["read_at"]
        read = Newest(metric, sample["unit"], sample["value"], sample["missing"], at, at)
        figures[metric] = changed[sample["delivery_id"], metric] = rolling.later(figures.get(metric), read)
    rows = [{"delivery_id": number, **one._asdict()} for (number, _metric), one in changed.items()]
    connection.execute(_KEEP[connection.dialect.name], rows)
    rolling.tell(
        session,
        network,
        {number: some.values() for number, some in newest.items()},
        catalogue=cataloguing.catalogue(session),
    )
    return len(fresh)


def strike(session: Session, delivery_id: int, metric: str, slot: int, *, reason: str, at: datetime) -> Sample:
    """Take one absurd reading out, for good and on record; what is told is what the readings that stay say."""
    sample = session.exec(
        select(Sample).where(Sample.delivery_id == delivery_id, Sample.metric == metric, Sample.slot == slot)
    ).first()
    if sample is None:
        raise _no_such_reading(session, delivery_id)
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


def _no_such_reading(session: Session, delivery_id: int) -> NotFound:
    """Names the readings that there are."""
    query = select(Sample.metric, Sample.slot).where(Sample.delivery_id == delivery_id)
    slots: dict[str, list[str]] = {}
    for metric, slot in session.exec(query.order_by(by_letters(col(Sample.metric)), col(Sample.slot))):
        slots.setdefault(metric, []).append(str(slot))
    if not slots:
        return NotFound(_("Nothing was read of delivery {number}.", number=delivery_id))
    known = "; ".join(f"{metric} {', '.join(some)} h" for metric, some in slots.items())
    return NotFound(_("There is no such reading. Of delivery {number} there are: {known}.", number=delivery_id,
                      known=known))  # fmt: skip


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
