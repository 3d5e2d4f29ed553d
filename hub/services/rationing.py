"""Rationing: how many posts a network takes of one account in a day and in half an hour, and when the next may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, distinct, or_
from sqlmodel import Session, col, func, select

from hub.domain.account import Account, posts_allowed
from hub.domain.delivery import Attempt, AttemptKind, Delivery, DeliveryState, OutcomeKind, Patience, too_late_at
from hub.domain.table import Moment
from hub.language import N_, _
from hub.services import connecting

DAY: Final = timedelta(hours=24)
SLICE: Final = timedelta(minutes=30)

SPANS: Final[Mapping[timedelta, str]] = {DAY: N_("24 hours"), SLICE: N_("half an hour")}
"""The spans that are counted, each ending now: from whatever hour the network counts, no more than this go out."""

MADE_NOTHING: Final = (
    OutcomeKind.NOT_SENT.value,
    OutcomeKind.RATE.value,
    OutcomeKind.AUTH.value,
    OutcomeKind.CONTENT.value,
    OutcomeKind.BLOCK.value,
    OutcomeKind.DUPLICATE.value,
)
"""Outcomes by which the network itself says that there is no post."""

NOT_OUT: Final = (DeliveryState.WAITING, DeliveryState.CLAIMED, DeliveryState.FAILED)
"""Where a delivery stands of which it is known that no try showed anything: a doubtful try counts no more."""

MOST_MOVED: Final = 1000
"""How many deliveries are put off together; the others find out by themselves."""


@dataclass(frozen=True)
class Ration:
    """How many posts of one account go out in a span, and how many did in the one that ends now."""

    span: timedelta
    most: int
    used: int

    @property
    def left(self) -> int:
        """How many more."""
        return max(0, self.most - self.used)

    @property
    def name(self) -> str:
        """The span in words."""
        return _(SPANS[self.span])

    @property
    def sentence(self) -> str:
        """How many posts are left, in words."""
        return _("Posts left in {span}: {left} of {most}.", left=self.left, most=self.most, span=self.name)

    def told(self) -> dict[str, int]:
        """The same as data for programs."""
        return {"minutes": int(self.span.total_seconds() // 60), "most": self.most, "used": self.used}


def limits(account: Account) -> dict[timedelta, int]:
    """How many posts in which span; empty where the network sets no such limit."""
    allowed = posts_allowed(account)
    return {} if allowed is None else {DAY: allowed.a_day, SLICE: allowed.a_half_hour}


def rations(session: Session, accounts: Collection[Account], *, at: datetime) -> dict[int, tuple[Ration, ...]]:
    """What is left to each of these accounts; those without a limit are absent."""
    limited = {account.id: limits(account) for account in accounts if account.id is not None and limits(account)}
    used = {span: _used(session, since=at - span) for span in SPANS} if limited else {}
    return {
        number: tuple(Ration(span, most, used[span].get(number, 0)) for span, most in spans.items())
        for number, spans in limited.items()
    }


def _used(session: Session, *, since: datetime) -> dict[int, int]:
    # Of all accounts: a day has few attempts, and naming accounts would have databases begin with their deliveries.
    query = (
        select(Delivery.account_id, func.count(distinct(col(Delivery.id))))
        .join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
        .where(*_counted(since))
        .group_by(col(Delivery.account_id))
    )
    return dict(session.exec(query).all())


def _counted(since: datetime) -> tuple[ColumnElement[bool], ...]:
    """Tries that made a post, or may have: whatever is under way, and whatever nobody knows yet."""
    known = col(Attempt.outcome)
    doubtful = and_(known.not_in(MADE_NOTHING), col(Delivery.state).not_in(NOT_OUT))
    return (
        col(Attempt.started_at) > since,
        col(Attempt.kind) == AttemptKind.PUBLISH,
        or_(known.is_(None), known == OutcomeKind.OK.value, doubtful),
    )


def free_at(session: Session, account: Account, *, at: datetime) -> tuple[datetime, str] | None:
    """When the next post of an account may go out, and why not now; None: now.

    The account's row is locked, so that two workers never both take the last place.
    """
    spans = limits(account)
    if not spans:
        return None
    assert account.id is not None
    connecting.get_account(session, account.id, lock=True)
    found = [
        (moment + span, _("It waits: the posts that {account} may make in {span} ({count}) are out.",
                          account=account.name, count=most, span=_(SPANS[span])))
        for span, most in spans.items()
        if (moment := _oldest_in_the_way(session, account.id, most, since=at - span)) is not None
    ]  # fmt: skip
    return max(found, default=None)


def _oldest_in_the_way(session: Session, account_id: int, most: int, *, since: datetime) -> datetime | None:
    """The try which, once it is long enough ago, makes room for one more; None while there is room."""
    latest = func.max(col(Attempt.started_at), type_=Moment)
    query = (
        select(latest)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(Delivery.account_id == account_id, *_counted(since))
        .group_by(col(Delivery.id))  # however many tries it took, a delivery is one post
        .order_by(latest.desc())
        .offset(most - 1)
        .limit(1)
    )
    return session.exec(query).first()


def put_off(session: Session, account_id: int, *, until: datetime, why: str, at: datetime, patience: Patience) -> None:
    """Let everything that is due on an account wait for its next place; what is too late by then, for a person."""
    due = (
        select(Delivery)
        .where(
            Delivery.account_id == account_id,
            Delivery.state == DeliveryState.WAITING,
            col(Delivery.ready_at) <= at,
        )
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(MOST_MOVED)
        .with_for_update(skip_locked=True)
    )
    for delivery in session.exec(due):
        wait(delivery, until=until, why=why, patience=patience)


def wait(delivery: Delivery, *, until: datetime, why: str, patience: Patience) -> None:
    """Let one delivery wait, but no longer than until it is too late: then a person is asked, without delay."""
    delivery.ready_at = min(until, too_late_at(delivery, patience))
    delivery.reason = why
