"""Foreseeing: posts planned for a time when the access of their account will have ended."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_date
from sqlalchemy import and_
from sqlmodel import Session, col, func, select

from hub.domain.account import Account
from hub.domain.delivery import Delivery, DeliveryState
from hub.language import _, current_language

COMING = (DeliveryState.WAITING, DeliveryState.CLAIMED)


def after_end(session: Session) -> dict[int, Delivery]:
    """By account, the first delivery that is planned for after the end of its token."""
    first = (
        select(col(Delivery.account_id).label("account_id"), func.min(Delivery.due_at).label("due_at"))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(col(Delivery.state).in_(COMING), col(Delivery.due_at) >= col(Account.token_expires_at))
        .group_by(col(Delivery.account_id))
        .subquery()
    )
    here = and_(col(Delivery.account_id) == first.c.account_id, col(Delivery.due_at) == first.c.due_at)
    query = select(Delivery).join(first, here).where(col(Delivery.state).in_(COMING)).order_by(col(Delivery.id).desc())
    return {one.account_id: one for one in session.exec(query)}


def ends_before(account: Account, planned: Delivery) -> str:
    """That an account's access ends before a post that is planned on it."""
    return _(
        "Its access ends on {day}, before the post planned for {planned}.",
        day=end_in_words(account),
        planned=day_of(planned),
    )


def end_in_words(account: Account) -> str:
    """The day on which the token of an account ends, in words."""
    return _day(account.token_expires_at) if account.token_expires_at else "?"


def day_of(delivery: Delivery) -> str:
    """The day for which a delivery is planned, on the clocks of those who planned it, in words."""
    return _day(datetime.fromisoformat(delivery.wall_time))


def _day(moment: datetime) -> str:
    return format_date(moment, "d MMMM y", locale=current_language())
