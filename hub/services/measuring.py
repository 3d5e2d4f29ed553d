"""Asking networks how many were reached, and keeping every figure as it was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from channels import Asked, ChannelError, Figure, Figures, Receipt, Throttled
from hub import bulk
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import OPERATOR, note
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.errors import Invalid, NotFound
from hub.domain.post import Post
from hub.domain.reach import BUDGET, ReachFigure, Sample, Unit, Visit, next_slot, slot_at
from hub.domain.table import by_letters
from hub.language import _
from hub.services import budgeting, cataloguing, delivering, pacing, rolling
from hub.services.budgeting import NO_PRICES, Price, Prices

BATCH = 100
"""Most posts of one account asked about together (X takes a hundred ids at once)."""


@dataclass(frozen=True)
class Reading:
    """Posts of one account whose figures are due."""

    account: Account
    receipts: Mapping[str, int]
    """Remote id → delivery id."""
    asked: tuple[Asked, ...] = ()
    price: int = 0
    """What reading one of them costs, in millionths of a US dollar."""


def due_readings(session: Session, *, at: datetime, patience: Patience, prices: Prices = NO_PRICES) -> list[Reading]:
    """What to ask now, one reading per account; asked again after a lease if nobody comes back with an answer.

    Accounts that have something to publish are left to that. What there is no money for is kept as missing.
    """
    if delivering.open_hold(session):
        return []
    due = _due(session, at)
    if not due:
        return []
    known = cataloguing.catalogue(session)
    readings = []
    for network in dict.fromkeys(account.network for account, _posts in due):
        there = [(account, posts) for account, posts in due if account.network is network]
        asked = cataloguing.asked_of_posts(known, network, budgeting.day_of(at))
        every = [one for _account, posts in there for one in posts]
        price = prices.get(network)
        chosen = {one.id for one in every} if asked else set()
        if asked and price is not None:
            chosen = _affordable(session, network, price, every, at=at, lease=patience.lease)
        _leave_out(session, network, [one for one in every if one.id not in chosen], asked, at=at)
        for account, posts in there:
            wanted = [one for one in posts if one.id in chosen]
            for one in wanted:
                one.next_sample_at = at + patience.lease
            ids = {one.remote_id: one.id for one in wanted if one.remote_id and one.id}
            if ids:
                readings.append(Reading(account, ids, asked, price.post if price else 0))
    return readings


def _due(session: Session, at: datetime) -> list[tuple[Account, list[Delivery]]]:
    """Posts whose figures are due, those of the newest planned moments first, by account; a batch of each."""
    due = (
        select(Delivery)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            col(Delivery.next_sample_at) <= at,
            Delivery.state == DeliveryState.SENT,
            pacing.leisurely(at),
            delivering.nothing_to_publish(at),
        )
        .order_by(col(Delivery.account_id), col(Delivery.next_sample_at).desc())
        .limit(1000)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    per_account: dict[int, list[Delivery]] = {}
    for delivery in session.exec(due):
        if not delivery.remote_id:
            delivery.next_sample_at = None  # nothing that a network could be asked about
            continue
        posts = per_account.setdefault(delivery.account_id, [])
        if len(posts) < BATCH:
            posts.append(delivery)
    return [(session.get_one(Account, number), posts) for number, posts in per_account.items()]


def _affordable(
    session: Session,
    network: AccountNetwork,
    price: Price,
    posts: Sequence[Delivery],
    *,
    at: datetime,
    lease: timedelta,
) -> set[int | None]:
    """Those posts that the month's budget still pays for, the newest planned moments first."""
    if price.month <= 0:
        return set()
    money = budgeting.left(session, network, price, at=at, lease=lease)
    free = budgeting.billed_today(session, [one.id for one in posts if one.id], at=at)
    chosen: set[int | None] = set()
    for one in sorted(posts, key=lambda one: one.next_sample_at or at, reverse=True):
        cost = 0 if one.id in free else price.post
        if not cost or cost <= money:
            money -= cost
            chosen.add(one.id)
    return chosen


def _leave_out(
    session: Session, network: AccountNetwork, posts: Sequence[Delivery], asked: Sequence[Asked], *, at: datetime
) -> None:
    """Posts that are not asked about this time: their figures are missing for a reason, until the next planned moment.

    Where nothing is asked at all, there is nothing to miss.
    """
    samples = []
    for delivery in posts:
        assert delivery.id is not None
        assert delivery.sent_at is not None
        slot = slot_at(delivery.sent_at, at)
        samples += [as_sample(delivery.id, one.told(None, BUDGET), slot=slot, at=at) for one in asked]
        delivery.next_sample_at = next_slot(delivery.sent_at, at)
    keep(session, network.value, samples)


def receipts(reading: Reading) -> list[Receipt]:
    """The posts of a reading as a channel takes them."""
    return [Receipt(remote_id) for remote_id in reading.receipts]


def keep_figures(session: Session, reading: Reading, figures: Figures, *, at: datetime) -> int:
    """Keep what was read and what that cost, and plan the next reading; return how many figures were new."""
    samples = []
    told = set()
    for remote_id, delivery in _locked(session, reading):
        assert delivery.id is not None
        assert delivery.sent_at is not None
        slot = slot_at(delivery.sent_at, at)
        own = [as_sample(delivery.id, figure, slot=slot, at=at) for figure in figures.by_post.get(remote_id, ())]
        samples += own
        if any(one["value"] is not None for one in own):
            told.add(delivery.id)
        # One that was taken down meanwhile is asked about no more.
        delivery.next_sample_at = next_slot(delivery.sent_at, at) if delivery.state is DeliveryState.SENT else None
    _charge(session, reading, told, at=at)
    return keep(session, reading.account.network.value, samples)


def _charge(session: Session, reading: Reading, delivery_ids: Collection[int], *, at: datetime) -> None:
    """Write down what these posts of a reading cost; before their figures are kept, which tell what is paid for."""
    if reading.price:
        billed = budgeting.billed_today(session, delivery_ids, at=at)
        budgeting.charge(session, reading.account, reads=len(set(delivery_ids) - billed), each=reading.price, at=at)


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
    """A reading that failed is tried again later; publishing goes on, unless the token itself is dead.

    One whose answer was lost may cost something all the same.
    """
    outcome = delivering.outcome_of(error, patience, at=at)
    asked = _locked(session, reading)  # before the account, as everybody else
    if budgeting.may_be_billed(error):
        _charge(session, reading, set(reading.receipts.values()), at=at)
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
