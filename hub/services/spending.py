"""What accounts have used, as Relais counts it from its own rows: never the network's own bill."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from sqlmodel import Session, col, func, select

from channels import Message, Network, Picture, Rules
from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import local_day, zone_info
from hub.domain.delivery import Attempt, AttemptKind, Delivery, DeliveryState, Patience, lateness
from hub.domain.post import PostMedia
from hub.services import budgeting, pacing, rationing
from hub.services.budgeting import Used
from hub.services.rationing import Ration

ZONE: Final = "Europe/Paris"
"""Where a day and a month begin for these figures."""

PRICED: Final = frozenset({AccountNetwork.X})
"""The networks that take money for a post, and for being read."""


@dataclass(frozen=True)
class Use:
    """What one account has used so far."""

    month: date
    """The first day of the month that is counted."""
    posts: int = 0
    """Posts published in this month, also those taken down since."""
    cost: Decimal | None = None
    """Their price in US dollars, by the prices of the settings; None where posts cost nothing."""
    reads: int = 0
    """Posts and profiles read for their figures in this month, as far as the network bills them."""
    reads_cost: Decimal | None = None
    """Their price; None where reading costs nothing."""
    calls_today: int = 0
    """Calls that publish or take down; reading back and figures are not counted."""
    waiting: int = 0
    """Deliveries that wait for it, due now or later."""
    wait_until: datetime | None = None
    """Until when the network asked us not to call, this account or its whole app."""
    rations: tuple[Ration, ...] = ()
    """How many posts the network takes of it, and how many of them are out; empty where it sets no limit."""


def uses(
    session: Session, accounts: Sequence[Account], *, rules: Mapping[Network, Rules], at: datetime
) -> dict[int, Use]:
    """What each of these accounts has used this month and today."""
    month = local_day(at, ZONE).replace(day=1)
    ids = [account.id for account in accounts if account.id is not None]
    posts = _posts(session, ids, since=_begin(month))
    calls = _calls(session, since=_begin(local_day(at, ZONE)))
    waiting = _waiting(session, ids)
    asked = pacing.waits(session, accounts, at=at)
    left = rationing.rations(session, accounts, at=at)
    priced = [account for account in accounts if account.network in PRICED]
    costs = _costs(session, priced, rules=rules, since=_begin(month))
    read = budgeting.used(session, ids, since=month)
    return {
        account.id: Use(
            month=month,
            posts=posts.get(account.id, 0),
            cost=costs.get(account.id, Decimal(0)) if account.network in PRICED else None,
            reads=read.get(account.id, Used()).reads,
            reads_cost=read.get(account.id, Used()).dollars if account.network in PRICED else None,
            calls_today=calls.get(account.id, 0),
            waiting=waiting.get(account.id, 0),
            wait_until=asked.get(account.id),
            rations=left.get(account.id, ()),
        )
        for account in accounts
        if account.id is not None
    }


def month_of(at: datetime) -> date:
    """The first day of the month that a moment counts for."""
    return local_day(at, ZONE).replace(day=1)


def posts_this_month(session: Session, *, at: datetime) -> dict[tuple[int, AccountNetwork], int]:
    """How many posts each account published this month, where a post costs money."""
    priced = _priced(session)
    posts = _posts(session, [number for number, _account in priced], since=_begin(month_of(at)))
    return {(number, account.network): posts.get(number, 0) for number, account in priced}


def read_this_month(session: Session, *, at: datetime) -> dict[tuple[int, AccountNetwork], Used]:
    """What was read through each account this month and what that cost, where it costs money."""
    priced = _priced(session)
    read = budgeting.used(session, [number for number, _account in priced], since=month_of(at))
    return {(number, account.network): read.get(number, Used()) for number, account in priced}


def cost_this_month(session: Session, *, rules: Mapping[Network, Rules], at: datetime) -> dict[int, Decimal]:
    """Their prices, by account."""
    accounts = [account for _number, account in _priced(session)]
    return _costs(session, accounts, rules=rules, since=_begin(month_of(at)))


def _priced(session: Session) -> list[tuple[int, Account]]:
    query = select(Account).where(col(Account.network).in_(PRICED)).order_by(col(Account.id))
    return [(account.id, account) for account in session.exec(query) if account.id is not None]


def too_late(session: Session, account_id: int, *, at: datetime, patience: Patience) -> int:
    """How many waiting deliveries of an account are too late to go out by themselves: a person decides on them."""
    waiting = Delivery.state == DeliveryState.WAITING
    query = select(Delivery).where(Delivery.account_id == account_id, waiting, Delivery.due_at <= at)
    return sum(lateness(delivery, at, patience) is not None for delivery in session.exec(query))


def _begin(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), zone_info(ZONE)).astimezone(UTC)


def _posts(session: Session, ids: Collection[int], *, since: datetime) -> dict[int, int]:
    query = (
        select(Delivery.account_id, func.count())
        .where(col(Delivery.account_id).in_(ids), col(Delivery.sent_at) >= since)
        .group_by(col(Delivery.account_id))
    )
    return dict(session.exec(query).all())


def _waiting(session: Session, ids: Collection[int]) -> dict[int, int]:
    query = (
        select(Delivery.account_id, func.count())
        .where(col(Delivery.account_id).in_(ids), Delivery.state == DeliveryState.WAITING)
        .group_by(col(Delivery.account_id))
    )
    return dict(session.exec(query).all())


def _calls(session: Session, *, since: datetime) -> dict[int, int]:
    # Of all accounts: a day has few attempts, and naming accounts would have databases begin with their deliveries.
    query = (
        select(Delivery.account_id, func.count())
        .join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
        .where(col(Attempt.started_at) >= since, col(Attempt.kind) != AttemptKind.PERSON)
        .group_by(col(Delivery.account_id))
    )
    return dict(session.exec(query).all())


def _costs(
    session: Session, accounts: Sequence[Account], *, rules: Mapping[Network, Rules], since: datetime
) -> dict[int, Decimal]:
    """The prices of what was published, by the same rule that told them before approval."""
    networks = {account.id: Network(account.network) for account in accounts if account.id is not None}
    query = select(Delivery).where(col(Delivery.account_id).in_(networks), col(Delivery.sent_at) >= since)
    sent = list(session.exec(query)) if networks else []
    described = _pictures(session, {delivery.post_id for delivery in sent})
    costs: dict[int, Decimal] = {}
    for delivery in sent:
        message = Message(
            text=delivery.text, key=delivery.key, link=delivery.link, pictures=described.get(delivery.post_id, ())
        )
        price = rules[networks[delivery.account_id]].cost(message)
        costs[delivery.account_id] = costs.get(delivery.account_id, Decimal(0)) + price
    return costs


def _pictures(session: Session, post_ids: Collection[int]) -> dict[int, tuple[Picture, ...]]:
    """The pictures of posts as far as prices look at them: whether there are words for them."""
    told: dict[int, tuple[Picture, ...]] = {}
    for part in session.exec(select(PostMedia).where(col(PostMedia.post_id).in_(post_ids))):
        told[part.post_id] = (*told.get(part.post_id, ()), Picture(b"", "image/jpeg", part.alt))
    return told
