"""Budgeting: what reading figures costs where a network takes money for it, and how much of it a month may cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select

from channels import ChannelError, Uncertain
from hub.database import in_turn
from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.reach import PagePlan, ReadingCost, Sample

MILLION: Final = 1_000_000

NEARLY: Final = Decimal("0.8")
"""The part of a budget from which it is told that it will be used up."""


@dataclass(frozen=True)
class Price:
    """What a network takes for being read, and what all of that may cost in a month; in millionths of a US dollar."""

    post: int = 0
    """For each post; once on one day (UTC), however often it is read."""
    user: int = 0
    """For the figures of an account itself."""
    month: int = 0
    """Through all accounts of the network together, in one month (UTC). Nothing is read for nothing."""

    @classmethod
    def of(cls, *, post: Decimal, user: Decimal, month: Decimal) -> Price:
        """From US dollars; a fraction of a millionth counts as a whole one."""
        return cls(*(int((dollars * MILLION).to_integral_value("ROUND_CEILING")) for dollars in (post, user, month)))


Prices = Mapping[AccountNetwork, Price]
"""What each network takes for being read; one that is absent takes nothing."""

NO_PRICES: Final[Prices] = {}


@dataclass(frozen=True)
class Used:
    """What reading through one account came to."""

    reads: int = 0
    micros: int = 0

    @property
    def dollars(self) -> Decimal:
        """In US dollars."""
        return dollars(self.micros)


def dollars(micros: int) -> Decimal:
    """Millionths of a US dollar as dollars."""
    return Decimal(micros) / MILLION


def day_of(at: datetime) -> date:
    """The day that networks bill a moment for."""
    return at.astimezone(UTC).date()


# --- What may be spent ----------------------------------------------------------------------------------------


def left(session: Session, network: AccountNetwork, price: Price, *, at: datetime, lease: timedelta) -> int:
    """What of this month's budget is neither spent nor perhaps being spent by readings that are under way.

    Whoever asks is the only one who may begin to spend until this transaction ends.
    """
    in_turn(session, f"reading {network.value}")
    return price.month - spent(session, network, at=at) - _under_way(session, network, price, at=at, lease=lease)


def spent(session: Session, network: AccountNetwork, *, at: datetime) -> int:
    """What reading through all accounts of a network cost in this month (UTC)."""
    query = (
        select(func.sum(ReadingCost.micros))
        .join(Account, col(Account.id) == col(ReadingCost.account_id))
        .where(Account.network == network, ReadingCost.day >= day_of(at).replace(day=1))
    )
    return int(session.exec(query).one() or 0)


def _under_way(session: Session, network: AccountNetwork, price: Price, *, at: datetime, lease: timedelta) -> int:
    """What the readings may cost whose answer is not written down yet: they are planned anew for the end of a lease.

    What is planned for that time anyway is counted as well; its money is as good as spent.
    """
    coming = select(func.count()).select_from(Account)
    posts = (
        coming.join(Delivery, col(Delivery.account_id) == col(Account.id))
        .where(Account.network == network, Delivery.state == DeliveryState.SENT)
        .where(col(Delivery.next_sample_at) > at, col(Delivery.next_sample_at) <= at + lease)
    )
    pages = (
        coming.join(PagePlan, col(PagePlan.account_id) == col(Account.id))
        .where(Account.network == network)
        .where(col(PagePlan.next_at) > at, col(PagePlan.next_at) <= at + lease)
    )
    return session.exec(posts).one() * price.post + session.exec(pages).one() * price.user


# --- What was spent -------------------------------------------------------------------------------------------


def billed_today(session: Session, delivery_ids: Collection[int], *, at: datetime) -> set[int]:
    """Those of several posts that were read on this day (UTC) already, which costs nothing again."""
    begin = datetime.combine(day_of(at), datetime.min.time(), UTC)
    query = select(Sample.delivery_id).where(
        col(Sample.delivery_id).in_(delivery_ids), col(Sample.read_at) >= begin, col(Sample.value).is_not(None)
    )
    return set(session.exec(query.distinct()))


def may_be_billed(error: ChannelError) -> bool:
    """Whether a call that failed may cost something all the same: its answer was lost, while a refusal is free."""
    return isinstance(error, Uncertain) and (error.status is None or error.status < 400)


def charge(session: Session, account: Account, *, reads: int, each: int, at: datetime) -> None:
    """Write down what was read through an account and what that cost; in one statement, as others may do the same."""
    if not reads or not each:
        return
    made = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement: Any = made(ReadingCost).values(account_id=account.id, day=day_of(at), reads=reads, micros=reads * each)
    more = {"reads": col(ReadingCost.reads) + reads, "micros": col(ReadingCost.micros) + reads * each}
    session.execute(statement.on_conflict_do_update(index_elements=["account_id", "day"], set_=more))


def used(session: Session, account_ids: Iterable[int], *, since: date) -> dict[int, Used]:
    """What reading through each of these accounts came to since a day; those of which nothing was read are absent."""
    query = (
        select(ReadingCost.account_id, func.sum(ReadingCost.reads), func.sum(ReadingCost.micros))
        .where(col(ReadingCost.account_id).in_(list(account_ids)), ReadingCost.day >= since)
        .group_by(col(ReadingCost.account_id))
    )
    return {account_id: Used(int(reads), int(micros)) for account_id, reads, micros in session.exec(query)}


# --- What to tell ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Strain:
    """A budget that is used up, or nearly."""

    network: AccountNetwork
    spent: Decimal
    month: Decimal
    is_over: bool
    """Whether what is left does not pay for one more post."""
    again_on: date
    """The first day of the next month."""


def strains(session: Session, prices: Prices, *, at: datetime) -> list[Strain]:
    """The networks whose budget of this month is nearly used up, or is; one without any budget strains nobody."""
    found = []
    for network, price in prices.items():
        so_far = spent(session, network, at=at)
        if price.month > 0 and so_far >= price.month * NEARLY:
            first = day_of(at).replace(day=1)
            again = (first + timedelta(days=31)).replace(day=1)
            over = price.month - so_far < price.post
            found.append(Strain(network, dollars(so_far), dollars(price.month), over, again))
    return found
