"""What machines watch: how much waits, is late, failed or is stopped, read in a few queries that look at little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.delivery import Attempt, AttemptKind, Delivery, DeliveryState, Patience
from hub.domain.notice import LONGEST_WAIT, Notice
from hub.domain.post import Approval
from hub.services import delivering, spending, watching
from hub.services.budgeting import Used

S = DeliveryState

ON_THE_WAY: Final = (S.WAITING, S.CLAIMED, S.SENDING, S.UNKNOWN, S.REVIEW)
"""The states that something is still to come of: what ended is history, and not counted again and again."""

CLAIMED_WITHIN: Final = timedelta(seconds=10)
"""A clock that ticks claims within this what may go out; the health page is more patient."""

LAST_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Gauges:
    """How the hub stands at one moment: numbers, ids and codes, and no word that anybody wrote."""

    overdue: int
    """Deliveries that should have been claimed by now; none while everything is on hold."""
    deliveries: Mapping[DeliveryState, int]
    failed: int
    """Deliveries whose last try was in the last day, and which failed."""
    on_hold: bool
    accounts: Mapping[tuple[AccountNetwork, AccountState], int]
    posts: Mapping[tuple[int, AccountNetwork], int]
    """Published this month, by account, where a post costs money."""
    reads: Mapping[tuple[int, AccountNetwork], Used]
    """Read this month for figures, by account, where reading costs money."""
    mails_waiting: int
    """Things that people should have been told by mail by now, tries that failed included."""
    mails_given_up: int
    """In the last day."""


def read(session: Session, *, at: datetime, patience: Patience) -> Gauges:
    """All of it, at one moment."""
    on_hold = delivering.open_hold(session) is not None
    return Gauges(
        overdue=0 if on_hold else watching.overdue(session, at=at, after=CLAIMED_WITHIN),
        deliveries=_deliveries(session),
        failed=_failed(session, at=at, patience=patience),
        on_hold=on_hold,
        accounts=_accounts(session),
        posts=spending.posts_this_month(session, at=at),
        reads=spending.read_this_month(session, at=at),
        mails_waiting=_mails_waiting(session, at=at),
        mails_given_up=_mails_given_up(session, at=at),
    )


def _deliveries(session: Session) -> dict[DeliveryState, int]:
    query = (
        select(Delivery.state, func.count()).where(col(Delivery.state).in_(ON_THE_WAY)).group_by(col(Delivery.state))
    )
    return dict.fromkeys(ON_THE_WAY, 0) | {S(state): number for state, number in session.exec(query)}


def _failed(session: Session, *, at: datetime, patience: Patience) -> int:
    """Found by when they could be claimed last: one that waits longer than what is too late does not go out at all."""
    tried = select(Attempt.id).where(
        Attempt.delivery_id == Delivery.id, Attempt.kind == AttemptKind.PUBLISH, col(Attempt.ended_at) > at - LAST_DAY
    )
    query = (
        select(func.count())
        .select_from(Delivery)
        .where(Delivery.state == S.FAILED, Delivery.ready_at > at - LAST_DAY - patience.too_late, tried.exists())
    )
    return session.exec(query).one()


def _accounts(session: Session) -> Counter[tuple[AccountNetwork, AccountState]]:
    query = select(Account.network, Account.state, func.count()).group_by(col(Account.network), col(Account.state))
    found = session.exec(query)
    return Counter({(AccountNetwork(network), AccountState(state)): number for network, state, number in found})


def _mails_waiting(session: Session, *, at: datetime) -> int:
    # One that failed waits for its next try for an hour at most: the first condition only keeps the search short.
    query = (
        select(func.count())
        .select_from(Notice)
        .where(
            col(Notice.sent_at).is_(None),
            col(Notice.given_up_at).is_(None),
            Notice.due_at <= at + LONGEST_WAIT,
            or_(col(Notice.due_at) <= at, col(Notice.tries) > 0),
        )
    )
    return session.exec(query).one()


def _mails_given_up(session: Session, *, at: datetime) -> int:
    query = select(func.count()).select_from(Notice).where(col(Notice.given_up_at) > at - LAST_DAY)
    return session.exec(query).one()


# --- One delivery -----------------------------------------------------------------------------------------


def state_of(session: Session, delivery_id: int) -> DeliveryState | None:
    """Where a delivery stands, whatever this session believed before."""
    state = session.exec(select(Delivery.state).where(Delivery.id == delivery_id)).one_or_none()
    return None if state is None else S(state)


def lateness_of(session: Session, attempt_id: int, *, patience: Patience) -> timedelta:
    """How long after it was due and allowed a try began: allowed by its approval, or by who had it sent again."""
    attempt = session.get(Attempt, attempt_id)
    assert attempt is not None
    delivery = session.get(Delivery, attempt.delivery_id)
    assert delivery is not None
    approval = session.get(Approval, delivery.approval_id)
    assert approval is not None
    allowed_at = approval.at
    if delivery.excused_until is not None:
        allowed_at = max(allowed_at, delivery.excused_until - patience.too_late)
    return max(attempt.started_at - max(delivery.due_at, allowed_at), timedelta(0))
