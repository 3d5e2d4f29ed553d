"""Pacing: until when accounts, and the apps they speak through, make no call, since their network asks for that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select, update

from channels import Pace
from hub.domain.account import Account, AccountState, AppWait
from hub.domain.audit import CLOCK, note
from hub.domain.delivery import Attempt, AttemptKind, Breadth, Delivery, Outcome, OutcomeKind, Patience
from hub.language import _

MOST_IN_A_ROW = 8
"""How many refusals in a row are looked for: the wait has long stopped growing by then."""


# --- Who may be called --------------------------------------------------------------------------------------


def callable_account(at: Any) -> ColumnElement[bool]:
    """The condition under which an account may be called (see `Account.may_call`), and its app as well.

    `at` is a moment, or the parameter for one.
    """
    rested = and_(col(Account.state) == AccountState.BLOCKED, col(Account.blocked_until) <= at)
    allowed = or_(col(Account.state) == AccountState.ACTIVE, rested)
    return and_(allowed, _is_over(col(Account.not_before), at), _app_is_free(AppWait.not_before, at))


def leisurely(at: datetime) -> ColumnElement[bool]:
    """The condition under which an account may be asked what can wait, such as figures: not while use is growing."""
    return and_(
        callable_account(at),
        _is_over(col(Account.slow_until), at),
        _app_is_free(AppWait.slow_until, at),
        _app_is_free(AppWait.reads_not_before, at),
    )


def _is_over(moment: Any, at: Any) -> ColumnElement[bool]:
    return or_(moment.is_(None), moment <= at)


def _app_is_free(moment: Any, at: Any) -> ColumnElement[bool]:
    app = func.coalesce(col(Account.app_key), cast(col(Account.network), String))
    return app.not_in(select(AppWait.app_key).where(col(moment) > at))


def wait_until(session: Session, account: Account, *, at: datetime, to_read: bool = False) -> datetime | None:
    """Until when no call may be made as this account (or only nothing read); None when it may be made now."""
    app = session.get(AppWait, account.app)
    moments = [account.not_before, app and app.not_before, app and to_read and app.reads_not_before]
    return max((moment for moment in moments if moment and moment > at), default=None)


def waits(session: Session, accounts: Iterable[Account], *, at: datetime) -> dict[int, datetime]:
    """Until when each of these accounts makes no call; those that may be called are absent."""
    apps = {app.app_key: app.not_before for app in session.exec(select(AppWait).where(col(AppWait.not_before) > at))}
    found = {
        account.id or 0: [moment for moment in (account.not_before, apps.get(account.app)) if moment and moment > at]
        for account in accounts
    }
    return {number: max(moments) for number, moments in found.items() if moments}


# --- Waiting ----------------------------------------------------------------------------------------------------


def let_wait(session: Session, account_id: int, *, until: datetime | None, at: datetime, patience: Patience) -> None:
    """Let a whole account wait, if its network asks for it: never shorter than it waits already, nor for ever."""
    _put_off(session, account_id, "not_before", until, at=at, patience=patience)


def heed(session: Session, account: Account, pace: Pace, *, at: datetime, patience: Patience) -> None:
    """Do as the last call as an account told: leave the account alone, or everybody of its app, or only slow down."""
    assert account.id is not None
    _put_off(session, account.id, "not_before", pace.wait_until, at=at, patience=patience)
    _put_off(session, account.id, "slow_until", pace.slow_until, at=at, patience=patience)
    why = _("The use of the app is nearly up.")
    _put_off_app(session, account, "not_before", pace.app_wait_until, why, at=at, patience=patience)
    _put_off_app(session, account, "slow_until", pace.app_slow_until, why, at=at, patience=patience)


def heed_limit(session: Session, account: Account, outcome: Outcome, *, at: datetime, patience: Patience) -> None:
    """Let wait whom a refused call tells to wait: the account, its whole app, or only what its app reads."""
    assert account.id is not None
    until = outcome.until if outcome.stated else None
    if outcome.breadth is Breadth.READS:
        # The end of a cycle that nobody tells: one reading a day asks whether it has come.
        until = until or at + patience.longest_wait
        _put_off_app(session, account, "reads_not_before", until, outcome.detail, at=at, patience=patience)
        return
    until = until or at + _own_wait(session, account.id, at=at, patience=patience)
    if outcome.breadth is Breadth.APP:
        _put_off_app(session, account, "not_before", until, outcome.detail, at=at, patience=patience)
    else:
        _put_off(session, account.id, "not_before", until, at=at, patience=patience)


def _own_wait(session: Session, account_id: int, *, at: datetime, patience: Patience) -> timedelta:
    """How long to wait when the network does not say: longer with every refusal in a row, up to some hours.

    A limit of minutes is over after the first wait; one of the day is not asked about four times an hour.
    """
    latest = (
        select(Attempt.outcome)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(
            Delivery.account_id == account_id,
            col(Attempt.kind) != AttemptKind.PERSON,
            col(Attempt.ended_at).is_not(None),
            col(Attempt.started_at) > at - patience.longest_wait,
        )
        .order_by(col(Attempt.id).desc())
        .limit(MOST_IN_A_ROW)
    )
    row = 0
    for outcome in session.exec(latest):
        if outcome != OutcomeKind.RATE.value:
            break
        row += 1
    doubled: timedelta = patience.rate_wait * (1 << max(row - 1, 0))
    return min(doubled, patience.longest_rate_wait)


def _put_off(
    session: Session, account_id: int, name: str, until: datetime | None, *, at: datetime, patience: Patience
) -> None:
    """One statement, as several workers may be told something at once: the longest wait counts."""
    if until is None or until <= at:
        return
    until = min(until, at + patience.longest_wait)
    moment = getattr(Account, name)
    session.exec(
        update(Account)
        .where(col(Account.id) == account_id, or_(moment.is_(None), moment < until))
        .values(**{name: until})
    )


def _put_off_app(
    session: Session,
    account: Account,
    name: str,
    until: datetime | None,
    reason: str,
    *,
    at: datetime,
    patience: Patience,
) -> None:
    """The same for the app, under the lock of its row (delivery, account, app: always in this order).

    One line in the audit tells that a wait begins, however many accounts are told of it.
    """
    if until is None or until <= at:
        return
    until = min(until, at + patience.longest_wait)
    session.exec(select(Account.id).where(Account.id == account.id).with_for_update()).one()
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    made: Any = insert(AppWait).values(app_key=account.app, reason=reason)
    session.execute(made.on_conflict_do_nothing(index_elements=["app_key"]))
    query = select(AppWait).where(AppWait.app_key == account.app)
    app = session.exec(query.with_for_update().execution_options(populate_existing=True)).one()
    before: datetime | None = getattr(app, name)
    if before is not None and before >= until:
        return
    setattr(app, name, until)
    if name != "slow_until":  # which is no wait that would need a reason
        app.reason = reason
    begins = before is None or before <= at
    if begins and name != "slow_until" and until - at >= patience.rate_wait:
        after = {"app": account.app, "what": name, "until": until.isoformat(), "reason": reason}
        note(session, "account.app-wait", f"account:{account.id}", by=CLOCK, at=at, after=after)
