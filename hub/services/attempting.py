"""The short way of a try with nothing unusual about it: looked at without a lock, begun and ended in two statements each.

Everything else (a hold, a limit, a late answer, whatever changed meanwhile) goes the whole way in `delivering`, where
what is asked here in passing is asked again, and told in words.
"""  # noqa: E501

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, and_, bindparam, exists, insert, or_, update
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

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
from hub.services import delivering, geotargeting, pacing, rationing, rolling
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
    row: Mapping[str, Any]
    """What the roll-up will say of it."""


# --- Statements: put together once, since that costs more than to run them ---------------------------------------


def _given(name: str, kind: Any = Integer) -> Any:
    return bindparam(f"the_{name}", type_=kind)


_MINE = and_(
    col(Delivery.id) == _given("delivery"),
    col(Delivery.epoch) == _given("epoch"),
    col(Delivery.state) == _given("state", choice(DeliveryState)),
)
_OF_POSTS: Any = bindparam("the_posts", expanding=True)
_NOW: Any = _given("moment", Moment)
_OTHER = aliased(Delivery)
_NO_HOLD = ~exists().where(col(Hold.until).is_(None))
_MAY_CALL = exists().where(
    col(Account.id) == _given("account"),
    # With another secret than was looked at, the account is looked at again.
    col(Account.secret).is_not_distinct_from(_given("secret", String)),
    pacing.callable_account(_NOW),
)


def _another(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(col(_OTHER.id) != _given("delivery"), *conditions)


_BUSY = or_(
    _another(col(_OTHER.account_id) == _given("account"), col(_OTHER.state) == S.SENDING),
    _another(col(_OTHER.text_key) == _given("text_key", String), col(_OTHER.state) == S.UNKNOWN),
    # A sibling that is out so lately that the network would take this one for a repeat of it.
    _another(
        col(_OTHER.post_id) == _given("post"),
        col(_OTHER.account_id) == _given("account"),
        col(_OTHER.sent_at) > _given("siblings_since", Moment),
    ),
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
    .where(col(Delivery.id).in_(bindparam("the_deliveries", expanding=True)), col(Delivery.state) == S.CLAIMED)
)
_AUDIENCE = select(PostAudience.post_id, PostAudience.territory_code).where(col(PostAudience.post_id).in_(_OF_POSTS))
_DESTINATIONS = select(
    PostDestination.post_id, PostDestination.account_id, PostDestination.text, PostDestination.accepts_unlimited
).where(col(PostDestination.post_id).in_(_OF_POSTS))
_PICTURES = (
    select(PostMedia)
    .where(col(PostMedia.post_id).in_(_OF_POSTS))
    .order_by(col(PostMedia.post_id), col(PostMedia.position))
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


def look(session: Session, claims: Sequence[Claim], *, sandboxed: Collection[str]) -> dict[int, Ready]:
    """What claimed deliveries say, by number: those of which it is the first try, and in whose way nothing stands.

    Those that are absent go the whole way. Only looks, so that nobody waits meanwhile, and at several together, which
    costs little more than at one; `begin` asks again whether all of it is still so. Pictures are large: what has some
    is only told when it is asked for alone.
    """
    epochs = {claim.delivery_id: claim for claim in claims}
    found = session.execute(_LOOK, {"the_deliveries": list(epochs)}).all()
    posts = {"the_posts": list({post.id for _delivery, _account, post, _approval, _line in found})}
    audiences, destinations, pictures = defaultdict(list), defaultdict(list), defaultdict(list)
    if found:
        connection = session.connection()
        for post_id, code in connection.execute(_AUDIENCE, posts):
            audiences[post_id].append(code)
        for row in connection.execute(_DESTINATIONS, posts):
            destinations[row.post_id].append(row)
        for part in session.exec(_PICTURES, params=posts):
            pictures[part.post_id].append(part)
    land = geotargeting.atlas(session, {delivery.territory_code for delivery, *_rest in found})
    ready = {}
    for delivery, account, post, approval, approved in found:
        claim = epochs[delivery.id]
        parts = geotargeting.Whole(
            post=post,
            audience=audiences[post.id],
            destinations=destinations[post.id],  # type: ignore[arg-type]
            accounts={},
            pictures=pictures[post.id],
        )
        if delivery.epoch != claim.epoch or delivery.attempts or delivery.excused_until is not None:
            continue
        if rationing.limits(account) or (parts.pictures and len(claims) > 1):
            continue
        if delivering.frozen(delivery) != approved or parts.content != approval.content:
            continue
        if delivering.useless_gate(delivery, account, sandboxed):
            continue
        ready[claim.delivery_id] = Ready(
            claim=claim,
            account=account,
            message=delivering.message_with(session, delivery, parts.pictures),
            post_id=post.id,
            version=post.version,
            approval_id=approval.id,
            text_key=delivery.text_key,
            late_since=max(delivery.due_at, approval.at),
            row=rolling.row_of(delivery, account, post.kind, land),
        )
    return ready


def begin(session: Session, ready: Ready, *, at: datetime, patience: Patience, sibling_gap: timedelta) -> Work | None:
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
            "the_secret": ready.account.secret,
            "the_text_key": ready.text_key,
            "the_siblings_since": at - sibling_gap,
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
    return Work(claim.delivery_id, number, claim.epoch, ready.account, message, first_late=late, row=ready.row)


# --- After it -----------------------------------------------------------------------------------------------------


def record_sent(session: Session, work: Work, outcome: Outcome, *, at: datetime) -> DeliveryState | None:
    """Close an attempt that went well at the first try; None: go the whole way."""
    if outcome.kind is not OutcomeKind.OK or work.first_late is None or work.row is None:
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
    rolling.enter_row(session, work.row, sent_at=at)
    return S.SENT
