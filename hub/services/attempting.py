"""The short way of a try with nothing unusual about it: looked at without a lock, begun and ended in two statements each.

Everything else (a hold, a limit, a late answer, whatever changed meanwhile) goes the whole way in `delivering`, where
what is asked here in passing is asked again, and told in words.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, bindparam, exists, insert, or_, update
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from channels import Message
from hub.domain.account import Account
from hub.domain.delivery import (
    Attempt,
    AttemptKind,
    Delivery,
    DeliveryState,
    Hold,
    Outcome,
    OutcomeKind,
    Patience,
    Phase,
)
from hub.domain.post import Approval, ApprovalLine, Post, PostAudience, PostDestination, PostMedia, PostState
from hub.domain.reach import first_slot
from hub.domain.table import Moment, choice
from hub.services import delivering, geotargeting, pacing, rationing
from hub.services.delivering import Claim, Work

S = DeliveryState


@dataclass(frozen=True)
class Ready:
    """A claimed delivery of which all is as it was approved: what to say, and what must still be so when it begins."""

    claim: Claim
    account: Account
    message: Message
    post_id: int
    version: int
    approval_id: int
    text_key: str
    late_since: datetime
    """From when on its lateness counts."""


# --- Statements: put together once, since that costs more than to run them ---------------------------------------


def _given(name: str, kind: Any = Integer) -> Any:
    return bindparam(f"the_{name}", type_=kind)


_MINE = and_(
    col(Delivery.id) == _given("delivery"),
    col(Delivery.epoch) == _given("epoch"),
    col(Delivery.state) == _given("state", choice(DeliveryState)),
)
_NOW: Any = _given("moment", Moment)
_OTHER = aliased(Delivery)
_NO_HOLD = ~exists().where(col(Hold.until).is_(None))
_MAY_CALL = exists().where(col(Account.id) == _given("account"), pacing.callable_account(_NOW))


def _another(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(col(_OTHER.id) != _given("delivery"), *conditions)


_BUSY = or_(
    _another(col(_OTHER.account_id) == _given("account"), col(_OTHER.state) == S.SENDING),
    _another(col(_OTHER.text_key) == _given("text_key", String), col(_OTHER.state) == S.UNKNOWN),
)
_LOOK: Any = (
    sa_select(Delivery, Account, Post, Approval, col(ApprovalLine.fingerprint))
    .join(Account, col(Account.id) == col(Delivery.account_id))
    .join(Post, col(Post.id) == col(Delivery.post_id))
    .join(Approval, col(Approval.id) == col(Delivery.approval_id))
    .join(
        ApprovalLine,
        and_(
            col(ApprovalLine.approval_id) == col(Approval.id),
            col(ApprovalLine.account_id) == col(Delivery.account_id),
            col(ApprovalLine.gate_key) == col(Delivery.gate_key),
        ),
    )
    .where(_MINE)
)
_AUDIENCE = select(PostAudience.territory_code).where(col(PostAudience.post_id) == _given("post"))
_DESTINATIONS = select(PostDestination.account_id, PostDestination.text, PostDestination.accepts_unlimited).where(
    col(PostDestination.post_id) == _given("post")
)
_PICTURES = select(PostMedia).where(col(PostMedia.post_id) == _given("post")).order_by(col(PostMedia.position))
_SIBLING = select(func.max(Delivery.sent_at)).where(
    col(Delivery.post_id) == _given("post"),
    col(Delivery.account_id) == _given("account"),
    col(Delivery.id) != _given("delivery"),
)
_BEGIN = (
    update(Delivery)
    .where(
        _MINE,
        col(Delivery.lease_until) > _NOW,
        col(Delivery.withdrawn).is_(False),
        exists().where(
            col(Post.id) == _given("post"),
            col(Post.state) == PostState.APPROVED,
            col(Post.version) == _given("version"),
        ),
        exists().where(col(Approval.id) == _given("approval"), col(Approval.voided_at).is_(None)),
        _NO_HOLD,
        _MAY_CALL,
        ~_BUSY,
    )
    .values(state=S.SENDING, attempts=Delivery.attempts + 1, lease_until=_given("lease", Moment))
)
_OPEN: Any = insert(Attempt).returning(col(Attempt.id))
_SENT = (
    update(Delivery)
    .where(
        _MINE,
        ~_another(col(_OTHER.account_id) == _given("account"), col(_OTHER.remote_id) == _given("remote_id", String)),
    )
    .values(
        state=S.SENT,
        reason=None,
        setbacks=0,
        remote_id=_given("remote_id", String),
        url=_given("url", String),
        sent_at=_NOW,
        next_sample_at=_given("sample", Moment),
    )
)
_CLOSE = update(Attempt).where(col(Attempt.id) == _given("attempt"), col(Attempt.ended_at).is_(None))


# --- Before the call ----------------------------------------------------------------------------------------------


def look(
    session: Session, claim: Claim, *, at: datetime, sandboxed: Collection[str], sibling_gap: timedelta
) -> Ready | None:
    """What a claimed delivery says, if it is its first try and nothing stands in its way; None: go the whole way.

    Only looks, so that nobody waits meanwhile; `begin` asks again whether all of it is still so.
    """
    given = {"the_delivery": claim.delivery_id, "the_epoch": claim.epoch, "the_state": S.CLAIMED}
    found = session.execute(_LOOK, given).one_or_none()
    if found is None:
        return None
    delivery, account, post, approval, approved = found
    assert post.id is not None
    assert account.id is not None
    assert approval.id is not None
    which = {"the_post": post.id, "the_account": account.id, "the_delivery": claim.delivery_id}
    connection = session.connection()
    sibling_at = connection.execute(_SIBLING, which).scalar()
    usual = not delivery.attempts and delivery.excused_until is None and not rationing.limits(account)
    if not usual or (sibling_at and sibling_at + sibling_gap > at):
        return None
    pictures = list(session.exec(_PICTURES, params=which))
    parts = geotargeting.Whole(
        post=post,
        audience=list(connection.execute(_AUDIENCE, which).scalars()),
        destinations=list(connection.execute(_DESTINATIONS, which)),  # type: ignore[arg-type]
        accounts={},
        pictures=pictures,
    )
    if delivering.frozen(delivery) != approved or parts.content != approval.content:
        return None
    if delivering.useless_gate(delivery, account, sandboxed):
        return None
    return Ready(
        claim=claim,
        account=account,
        message=delivering.message_with(session, delivery, pictures),
        post_id=post.id,
        version=post.version,
        approval_id=approval.id,
        text_key=delivery.text_key,
        late_since=max(delivery.due_at, approval.at),
    )


def begin(session: Session, ready: Ready, *, at: datetime, patience: Patience) -> Work | None:
    """Write the attempt down before anything is said; None when anything changed since it was looked at."""
    claim, message = ready.claim, ready.message
    assert ready.account.id is not None
    connection = session.connection()
    begun = connection.execute(
        _BEGIN,
        {
            "the_delivery": claim.delivery_id,
            "the_epoch": claim.epoch,
            "the_state": S.CLAIMED,
            "the_moment": at,
            "the_post": ready.post_id,
            "the_version": ready.version,
            "the_approval": ready.approval_id,
            "the_account": ready.account.id,
            "the_text_key": ready.text_key,
            "the_lease": at + patience.lease,
        },
    )
    if begun.rowcount != 1:
        return None
    plain = not message.pictures and message.targeting is None
    number: int = connection.execute(
        _OPEN,
        {
            "delivery_id": claim.delivery_id,
            "n": claim.epoch,
            "kind": AttemptKind.PUBLISH,
            "phase": Phase.PUBLISHING if plain else Phase.PREPARING,
            "started_at": at,
            "deadline_at": at + patience.deadline,
            "draft_id": message.draft_id,
        },
    ).scalar_one()
    late = max(at - ready.late_since, timedelta(0))
    return Work(claim.delivery_id, number, claim.epoch, ready.account, message, first_late=late)


# --- After it -----------------------------------------------------------------------------------------------------


def record_sent(session: Session, work: Work, outcome: Outcome, *, at: datetime) -> DeliveryState | None:
    """Close an attempt that went well at the first try; None: go the whole way."""
    if outcome.kind is not OutcomeKind.OK or work.first_late is None:
        return None
    connection = session.connection()
    moved = connection.execute(
        _SENT,
        {
            "the_delivery": work.delivery_id,
            "the_epoch": work.epoch,
            "the_state": S.SENDING,
            "the_account": work.account.id,
            "the_remote_id": outcome.remote_id,
            "the_url": outcome.url,
            "the_moment": at,
            "the_sample": first_slot(at),
        },
    )
    if moved.rowcount != 1:
        return None
    ended = {
        "ended_at": at,
        "outcome": outcome.kind.value,
        "http_status": outcome.http_status,
        "code": outcome.code,
        "remote_id": outcome.remote_id,
        "trace_id": outcome.trace_id,
    }
    connection.execute(_CLOSE, {"the_attempt": work.attempt_id, **ended})
    return S.SENT
