"""Claiming what is due, opening the attempt before the call, and recording what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select, update

from channels import (
    Blocked,
    ChannelError,
    Message,
    Receipt,
    Refused,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from hub.domain.account import Account, AccountNetwork, AppWait
from hub.domain.audit import CLOCK, note
from hub.domain.delivery import (
    Attempt,
    AttemptKind,
    Breadth,
    Change,
    Delivery,
    DeliveryState,
    Hold,
    Outcome,
    OutcomeKind,
    Patience,
    Phase,
    lateness,
    settle,
)
from hub.domain.post import Approval, ApprovalLine, Post, PostMedia, PostState
from hub.domain.reach import first_slot
from hub.domain.table import Moment, choice
from hub.language import _
from hub.services import connecting, geotargeting, pacing, rationing, rolling
from hub.services.pacing import callable_account as callable_account
from hub.services.pacing import let_wait as let_wait

S = DeliveryState
BATCH = 64
"""Most deliveries of one claim."""

PER_ACCOUNT = 8
"""Most deliveries of one account in one claim: its calls go out one after the other, within one lease."""

DEAD_TOKEN = frozenset({"190", "102"})
"""Codes by which Facebook says that a token is no longer good for anything."""


@dataclass(frozen=True)
class Claim:
    """A delivery that this owner may work on, as of that epoch."""

    delivery_id: int
    account_id: int
    epoch: int


@dataclass(frozen=True)
class Work:
    """An open attempt: what to say, as whom, and under which epoch the answer counts."""

    delivery_id: int
    attempt_id: int
    epoch: int
    account: Account
    message: Message
    first_late: timedelta | None = None
    """Of a first try that began the short way (`attempting`), how late it was; None: any other."""
    row: Mapping[str, Any] | None = None
    """Of such a try, what the roll-up says of it apart from day and hour; and its zone."""


_OPEN_HOLD = select(Hold).where(col(Hold.until).is_(None))


def open_hold(session: Session) -> Hold | None:
    """The hold that stops everything now, or None."""
    return session.exec(_OPEN_HOLD).first()


def _twin_is_known() -> ColumnElement[bool]:
    """While the outcome of a delivery is unknown, no other one with its words goes out."""
    return col(Delivery.text_key).not_in(select(Delivery.text_key).where(Delivery.state == S.UNKNOWN))


def not_held_up(at: datetime) -> ColumnElement[bool]:
    """The condition under which a due delivery should have been claimed by now: nothing is under way before it."""
    under_way = select(Delivery.account_id).where(
        col(Delivery.state).in_([S.CLAIMED, S.SENDING]), col(Delivery.lease_until) > at
    )
    return and_(_twin_is_known(), col(Delivery.account_id).not_in(under_way))


def change_if(
    session: Session, delivery_id: int, epoch: int, states: Iterable[DeliveryState], **values: object
) -> bool:
    """Change a delivery only if it still stands where we think; False: somebody else owns it now, touch nothing."""
    statement = (
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.epoch) == epoch, col(Delivery.state).in_(list(states)))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(session.exec(statement).rowcount)


# --- Claim ----------------------------------------------------------------------------------------------


def claim(
    session: Session,
    *,
    at: datetime,
    owner: str,
    patience: Patience,
    accounts: int = BATCH,
    account_id: int | None = None,
) -> list[Claim]:
    """Take what is due of so many accounts, oldest first and a few each; what is too late goes to a person instead.

    Accounts that somebody works on are left to them. `account_id` asks for more of one that the caller is done with.
    """
    if open_hold(session):
        return []
    if account_id is not None:
        own = session.execute(_THIS_ACCOUNT, {"the_account": account_id}).scalars()
        return [
            one
            for number in own
            for one in _claim_of(session, number, PER_ACCOUNT, at=at, owner=owner, patience=patience)
        ]
    free = list(session.execute(_ACCOUNTS_DUE.limit(accounts), {"the_moment": at}).scalars())
    share = max(1, min(PER_ACCOUNT, BATCH // len(free))) if free else 0
    return [one for number in free for one in _claim_of(session, number, share, at=at, owner=owner, patience=patience)]


def accounts_due(session: Session, *, at: datetime) -> int:
    """How many accounts have something due that nobody works on."""
    if open_hold(session):
        return 0
    return int(session.execute(_HOW_MANY_DUE, {"the_moment": at}).scalar_one())


_STATE = choice(DeliveryState)
_MOMENT: Any = bindparam("the_moment", type_=Moment)
# Nothing is ready before it is due: the index goes by due time, which so bounds how far is looked.
_IS_READY = and_(col(Delivery.due_at) <= _MOMENT, col(Delivery.ready_at) <= _MOMENT)


def _stands(*states: DeliveryState, of: Any = Delivery) -> ColumnElement[bool]:
    """In one of those states, spelled out in the statement: only so do indexes over few rows fit."""
    spelled = [bindparam(None, one, type_=_STATE, literal_execute=True) for one in states]
    state = col(of.state)
    return state == spelled[0] if len(spelled) == 1 else or_(*(state == one for one in spelled))


_HELD = aliased(Delivery)


def _worked_on(account_id: Any) -> ColumnElement[bool]:
    """Whether somebody holds something of an account."""
    own = col(_HELD.account_id) == account_id
    return select(_HELD.id).where(own, _stands(S.CLAIMED, S.SENDING, of=_HELD)).exists()


def nothing_to_publish(at: datetime) -> ColumnElement[bool]:
    """The condition under which an account has nothing due and nothing under way, so that what can wait may begin."""
    own = col(_HELD.account_id) == col(Account.id)
    due = select(_HELD.id).where(own, _stands(S.WAITING, of=_HELD), col(_HELD.due_at) <= at, col(_HELD.ready_at) <= at)
    return and_(~due.exists(), ~_worked_on(col(Account.id)))


def _accounts_due() -> Any:
    """Accounts with something to claim, those first whose oldest has waited longest."""
    own = and_(col(Delivery.account_id) == col(Account.id), _stands(S.WAITING))
    due = select(Delivery.id).where(own, _IS_READY, _twin_is_known()).correlate(Account)
    oldest = select(func.min(Delivery.due_at)).where(own).correlate(Account).scalar_subquery()
    return (
        sa_select(col(Account.id))
        .where(callable_account(_MOMENT), due.exists(), ~_worked_on(col(Account.id)))
        .order_by(oldest, col(Account.id))
    )


def _due_of() -> Any:
    """The oldest of what is due of one account."""
    return (
        sa_select(Delivery)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            col(Delivery.account_id) == bindparam("the_account"),
            _stands(S.WAITING),
            _IS_READY,
            callable_account(_MOMENT),
            _twin_is_known(),
            ~_worked_on(col(Delivery.account_id)),
        )
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(bindparam("the_most"))
        .with_for_update(skip_locked=True, of=Delivery)
    )


# Put together once: time knocks often.
_HOW_MANY_DUE = sa_select(func.count()).select_from(_accounts_due().order_by(None).subquery())
# Whoever else is at an account right now keeps it; nobody waits for anybody.
_ACCOUNTS_DUE = _accounts_due().with_for_update(key_share=True, skip_locked=True, of=Account)
_THIS_ACCOUNT = (
    sa_select(col(Account.id))
    .where(col(Account.id) == bindparam("the_account"))
    .with_for_update(key_share=True, skip_locked=True)
)
# Looked at again under the account's lock: another process may have claimed there a moment ago.
_LEFT_ALONE = _due_of()


def _claim_of(
    session: Session,
    account_id: int,
    most: int,
    *,
    at: datetime,
    owner: str,
    patience: Patience,
) -> list[Claim]:
    given = {"the_account": account_id, "the_most": most, "the_moment": at}
    claims = []
    for delivery in session.execute(_LEFT_ALONE, given).scalars():
        if late := lateness(delivery, at, patience):
            delivery.state, delivery.reason = S.REVIEW, _(late)
            delivery.epoch += 1
            note(session, "delivery.late", f"delivery:{delivery.id}", by=CLOCK, at=at, after={"reason": late})
            continue
        assert delivery.id is not None
        delivery.state, delivery.owner, delivery.lease_until = S.CLAIMED, owner, at + patience.lease
        delivery.epoch += 1
        claims.append(Claim(delivery.id, delivery.account_id, delivery.epoch))
    return claims


def put_back(session: Session, claim: Claim, *, ready_at: datetime) -> None:
    """Give a claimed delivery back untouched."""
    change_if(session, claim.delivery_id, claim.epoch, [S.CLAIMED], state=S.WAITING, ready_at=ready_at, owner=None)


# --- Open attempt -----------------------------------------------------------------------------------------


def open_attempt(
    session: Session,
    claim: Claim,
    *,
    at: datetime,
    patience: Patience,
    sandboxed: Collection[str] = frozenset(AccountNetwork),
    sibling_gap: timedelta = timedelta(0),
) -> Work | None:
    """Write the attempt down before anything is said; None when the delivery must not go out (now).

    `sandboxed` names the networks that are our own sandbox: invented keys are good there only.
    """
    delivery = session.get(Delivery, claim.delivery_id, with_for_update=True)
    if delivery is None or delivery.epoch != claim.epoch or delivery.state is not S.CLAIMED:
        return None
    account = session.get(Account, delivery.account_id)
    assert account is not None
    waits = not account.may_call(at) or pacing.wait_until(session, account, at=at) is not None
    if waits or open_hold(session) or (delivery.lease_until and delivery.lease_until <= at):
        put_back(session, claim, ready_at=at)
        return None
    if _busy(session, delivery):
        put_back(session, claim, ready_at=at + patience.busy_wait)
        return None
    if (sibling_at := _sibling_sent(session, delivery)) and sibling_at + sibling_gap > at:
        # They were planned apart, but a pause or a wait may have let them become due together.
        put_back(session, claim, ready_at=sibling_at + sibling_gap)
        return None
    if reason := (_no_longer_approved(session, delivery) or useless_gate(delivery, account, sandboxed)):
        change_if(session, claim.delivery_id, claim.epoch, [S.CLAIMED], state=S.CANCELLED, reason=reason)
        note(session, "delivery.cancel", f"delivery:{delivery.id}", by=CLOCK, at=at, after={"reason": reason})
        return None
    if place := rationing.free_at(session, account, at=at):
        until, why = place
        delivery.state, delivery.owner, delivery.lease_until = S.WAITING, None, None
        rationing.wait(delivery, until=until, why=why, patience=patience)
        rationing.put_off(session, delivery.account_id, until=until, why=why, at=at, patience=patience)
        return None
    message = message_of(session, delivery)
    plain = not message.pictures and message.targeting is None
    attempt = Attempt(
        delivery_id=claim.delivery_id,
        n=claim.epoch,
        phase=Phase.PUBLISHING if plain else Phase.PREPARING,
        started_at=at,
        deadline_at=at + patience.deadline,
        draft_id=delivery.draft_id,
    )
    session.add(attempt)
    delivery.state = S.SENDING
    delivery.attempts += 1
    delivery.lease_until = at + patience.lease
    session.flush()
    assert attempt.id is not None
    return Work(claim.delivery_id, attempt.id, claim.epoch, account, message)


def _busy(session: Session, delivery: Delivery) -> bool:
    """Whether another call of this account is under way, or another delivery of these words has an unknown outcome."""
    others = select(Delivery.id).where(
        Delivery.id != delivery.id,
        or_(
            and_(col(Delivery.account_id) == delivery.account_id, col(Delivery.state) == S.SENDING),
            and_(col(Delivery.text_key) == delivery.text_key, col(Delivery.state) == S.UNKNOWN),
        ),
    )
    return session.exec(others.limit(1)).first() is not None


def _sibling_sent(session: Session, delivery: Delivery) -> datetime | None:
    """When another gated delivery of the same post went out last on the same account."""
    return session.exec(
        select(func.max(Delivery.sent_at)).where(
            Delivery.post_id == delivery.post_id,
            Delivery.account_id == delivery.account_id,
            Delivery.id != delivery.id,
        )
    ).one()


def _no_longer_approved(session: Session, delivery: Delivery) -> str | None:
    """Why this delivery may not go out any more: withdrawn, or not what was approved."""
    post = session.get(Post, delivery.post_id)
    approval = session.get(Approval, delivery.approval_id)
    assert post is not None
    assert approval is not None
    if delivery.withdrawn or post.state is not PostState.APPROVED or approval.voided_at is not None:
        return _("The post was withdrawn.")
    line = session.exec(
        select(ApprovalLine).where(
            ApprovalLine.approval_id == approval.id,
            ApprovalLine.account_id == delivery.account_id,
            ApprovalLine.gate_key == delivery.gate_key,
        )
    ).one()
    if frozen(delivery) != line.fingerprint or geotargeting.whole(session, post).content != approval.content:
        return _("The post is no longer what was approved.")
    return None


def frozen(delivery: Delivery) -> str:
    """The fingerprint of what a delivery says, to whom and when, as it stands now."""
    return geotargeting.delivery_fingerprint(
        account_id=delivery.account_id,
        gate_key=delivery.gate_key,
        gate=delivery.gate,
        text=delivery.text,
        link=delivery.link,
        due_at=delivery.due_at,
        useless_after=delivery.useless_after,
    )


def useless_gate(delivery: Delivery, account: Account, sandboxed: Collection[str]) -> str | None:
    """A limit that says nothing to its network would be none at all: the last look before anything is said."""
    limited = bool((delivery.gate or {}).get("territories"))
    if limited and account.network is not AccountNetwork.PORTAL and geotargeting.targeting(delivery.gate) is None:
        return _("Its limit has no key that the network knows, so everybody would see it.")
    if (delivery.gate or {}).get("invented") and account.network.value not in sandboxed:
        return _("Its limit is made of invented keys, which only the sandbox knows.")
    return None


def message_of(session: Session, delivery: Delivery) -> Message:
    """What a channel is asked to say for a delivery."""
    parts = session.exec(
        select(PostMedia).where(PostMedia.post_id == delivery.post_id).order_by(col(PostMedia.position))
    ).all()
    return message_with(session, delivery, parts)


def message_with(session: Session, delivery: Delivery, parts: Sequence[PostMedia]) -> Message:
    """The same, with the pictures that were read already."""
    return Message(
        text=delivery.text,
        key=delivery.key,
        link=delivery.link,
        pictures=geotargeting.pictures(session, parts) if parts else (),
        targeting=geotargeting.targeting(delivery.gate),
        draft_id=delivery.draft_id,
    )


def note_prepared(session: Session, work: Work, *, draft_id: str | None) -> bool:
    """Keep what was prepared, durably, before the call that shows it; False when the attempt is not ours any more."""
    ours = change_if(session, work.delivery_id, work.epoch, [S.SENDING], draft_id=draft_id)
    attempt = session.get(Attempt, work.attempt_id)
    assert attempt is not None
    attempt.phase = Phase.PUBLISHING
    attempt.draft_id = draft_id
    return ours


# --- Outcome ------------------------------------------------------------------------------------------------


LONGEST_WORDS = 500


def readable(words: str) -> str:
    """A network's words as they can be kept: whole characters, no NUL, not endless."""
    return words.encode("utf-8", "replace").decode().replace("\x00", "")[:LONGEST_WORDS]


def outcome_of(answer: Receipt | ChannelError, patience: Patience, *, at: datetime) -> Outcome:
    """A network's answer in the hub's own words: the one table from error class to outcome."""
    if isinstance(answer, Receipt):
        if not answer.remote_id:
            return Outcome(OutcomeKind.UNKNOWN, _("The network answered without an id."))
        return Outcome(OutcomeKind.OK, remote_id=answer.remote_id, url=answer.url, trace_id=answer.trace_id)
    until, stated, breadth = None, True, Breadth.ACCOUNT
    match answer:
        case Refused():
            kind = OutcomeKind.CONTENT
        case Unauthorized():
            kind = OutcomeKind.AUTH
        case Throttled():
            # A moment that has passed (the network's clock is not ours) would let us ask again at once, and again.
            stated = answer.until is not None and answer.until > at
            kind, until = OutcomeKind.RATE, answer.until if stated else at + patience.rate_wait
            breadth = Breadth(answer.breadth)
        case Blocked():
            kind, until = OutcomeKind.BLOCK, at + patience.block_rest
        case Unreachable():
            kind = OutcomeKind.NOT_SENT
        case Uncertain():
            kind = OutcomeKind.DUPLICATE if answer.duplicate else OutcomeKind.UNKNOWN
        case _:
            kind = OutcomeKind.UNKNOWN
    return Outcome(
        kind,
        readable(str(answer)),
        until=until,
        stated=stated,
        breadth=breadth,
        code=answer.code,
        http_status=answer.status,
        trace_id=answer.trace_id,
    )


def record(
    session: Session, work: Work, outcome: Outcome, *, at: datetime, patience: Patience, jitter: float
) -> DeliveryState | None:
    """Close the attempt and move the delivery; None when the answer came too late to count."""
    # The delivery first: whoever ends its lease right now closes the attempt too.
    delivery = session.get(Delivery, work.delivery_id, with_for_update=True)
    attempt = session.get(Attempt, work.attempt_id)
    assert attempt is not None
    assert delivery is not None
    _close(attempt, outcome, at)
    note_account(session, work.account, outcome, at=at, patience=patience)
    if outcome.kind is OutcomeKind.OK and _linked_elsewhere(session, delivery, outcome.remote_id):
        outcome = Outcome(OutcomeKind.UNKNOWN, _("The network answered with the id of another delivery."))
    if delivery.epoch != work.epoch or delivery.state not in {S.SENDING, S.UNKNOWN}:
        _late_answer(session, delivery, outcome, at=at)
        return None
    if delivery.state is S.UNKNOWN and outcome.kind is not OutcomeKind.OK:
        return None
    change = settle(delivery, outcome, at, patience, jitter=jitter)
    if delivery.withdrawn and change.state is S.WAITING:
        # It was not sent, and nobody wants it any more: not even once its account may be called again.
        change = Change(S.CANCELLED, _("The post was withdrawn."))
        note(session, "delivery.cancel", f"delivery:{delivery.id}", by=CLOCK, at=at, after={"reason": change.reason})
    apply(delivery, change, outcome, at=at)
    if change.state is S.SENT:
        rolling.enter(session, delivery)
        _alarm_if_said_before(session, delivery, work, at=at)
    return delivery.state


def _close(attempt: Attempt, outcome: Outcome, at: datetime) -> None:
    """Write the answer into its attempt; one that was closed meanwhile keeps its verdict and adds the late words."""
    if attempt.ended_at is None:
        attempt.ended_at = at
        attempt.outcome = outcome.kind.value
        attempt.detail = outcome.detail or None
    else:
        attempt.detail = _(
            "{before} Late answer: {late}.", before=attempt.detail or "", late=outcome.kind.value
        ).strip()
    attempt.http_status = outcome.http_status
    attempt.code = outcome.code
    attempt.remote_id = outcome.remote_id
    attempt.trace_id = outcome.trace_id


def _linked_elsewhere(session: Session, delivery: Delivery, remote_id: str | None) -> bool:
    query = select(Delivery.id).where(
        Delivery.account_id == delivery.account_id, Delivery.remote_id == remote_id, Delivery.id != delivery.id
    )
    return session.exec(query.limit(1)).first() is not None


def _late_answer(session: Session, delivery: Delivery, outcome: Outcome, *, at: datetime) -> None:
    """A frozen worker's answer: kept in its attempt; an alarm if the delivery went out twice because of it.

    When nothing was sent again yet, it spares the second call: the network itself says that the post is there.
    """
    if outcome.kind is not OutcomeKind.OK:
        return
    if delivery.state in {S.WAITING, S.CLAIMED, S.REVIEW}:
        delivery.epoch += 1  # whoever holds a claim on it finds it taken
        apply(delivery, Change(S.SENT, _("Found on the network when reading back.")), outcome, at=at)
        rolling.enter(session, delivery)
        note(session, "delivery.late-answer", f"delivery:{delivery.id}", by=CLOCK, at=at,
             after={"state": delivery.state, "remote_id": delivery.remote_id})  # fmt: skip
    elif delivery.state in {S.CANCELLED, S.FAILED}:
        show_to_people(session, delivery, outcome.remote_id, at=at)
    elif delivery.remote_id and delivery.remote_id != outcome.remote_id:
        _alarm(session, delivery, outcome.remote_id, at=at)


def _alarm_if_said_before(session: Session, delivery: Delivery, work: Work, *, at: datetime) -> None:
    """An earlier try may have answered, too late to count, while this one was under way."""
    earlier = select(Attempt.remote_id).where(
        Attempt.delivery_id == delivery.id, Attempt.id != work.attempt_id, Attempt.kind == AttemptKind.PUBLISH,
        col(Attempt.remote_id).is_not(None), Attempt.remote_id != delivery.remote_id,
    )  # fmt: skip
    for remote_id in session.exec(earlier):
        _alarm(session, delivery, remote_id, at=at)


def _alarm(session: Session, delivery: Delivery, also: str | None, *, at: datetime) -> None:
    after = {"linked": delivery.remote_id, "also": also}
    note(session, "delivery.duplicate", f"delivery:{delivery.id}", by=CLOCK, at=at, after=after)


def apply(delivery: Delivery, change: Change, outcome: Outcome | None, *, at: datetime) -> None:
    """Put a change on a delivery."""
    delivery.state, delivery.reason = change.state, change.reason
    delivery.setbacks = change.setbacks
    match change.state:
        case S.SENT:
            assert outcome is not None
            delivery.remote_id, delivery.url = outcome.remote_id, outcome.url
            delivery.sent_at, delivery.next_sample_at = at, first_slot(at)
        case S.UNKNOWN:
            delivery.unknown_since = delivery.look_at = change.unknown_since
            delivery.looks = delivery.failed_looks = 0
        case S.WAITING:
            delivery.ready_at = change.ready_at or at
            delivery.owner = delivery.lease_until = None


def note_account(session: Session, account: Account, outcome: Outcome, *, at: datetime, patience: Patience) -> None:
    """What an outcome means for the account as a whole: wait, or rest with one alert."""
    assert account.id is not None
    match outcome.kind:
        case OutcomeKind.RATE:
            pacing.heed_limit(session, account, outcome, at=at, patience=patience)
        case OutcomeKind.AUTH:
            connecting.rest(session, account.id, reason=outcome.detail, at=at)
        case OutcomeKind.BLOCK:
            until = outcome.until or at + patience.block_rest
            connecting.block(session, account.id, reason=outcome.detail, until=until, at=at)


def note_failed_reading(
    session: Session, account: Account, error: ChannelError, *, at: datetime, patience: Patience
) -> None:
    """What a reading that failed means for publishing: a page's rate is one for all its calls, a dead token is dead.

    X counts each kind of call apart, so that only a cap on all readings says more than that this one must wait; and
    a missing permission to read figures keeps nobody from posting.
    """
    outcome = outcome_of(error, patience, at=at)
    page_rate = outcome.kind is OutcomeKind.RATE and (
        account.network is AccountNetwork.FACEBOOK or outcome.breadth is Breadth.READS
    )
    dead_token = outcome.kind is OutcomeKind.AUTH and (
        error.status == 401 or str(error.code or "").split("/")[0] in DEAD_TOKEN
    )
    if page_rate or dead_token:
        note_account(session, account, outcome, at=at, patience=patience)


def show_to_people(session: Session, delivery: Delivery, remote_id: str | None, *, at: datetime) -> None:
    """A delivery that was given up or refused proves to be live: a person decides, since nothing else may."""
    _alarm(session, delivery, remote_id, at=at)
    twin = select(Delivery.id).where(
        Delivery.post_id == delivery.post_id,
        Delivery.account_id == delivery.account_id,
        Delivery.gate_key == delivery.gate_key,
        Delivery.id != delivery.id,
        Delivery.state != S.CANCELLED,
    )
    if session.exec(twin.limit(1)).first() is None:
        delivery.epoch += 1
        reason = _("It is on the network after all ({id}). Tell that it was found there, then take it down if need be.",
                   id=remote_id)  # fmt: skip
        apply(delivery, Change(S.REVIEW, reason), None, at=at)


# --- Leases ---------------------------------------------------------------------------------------------------


def end_leases(
    session: Session, *, at: datetime, owner: str, others_are_dead: bool = False, working: Collection[int] = ()
) -> int:
    """Take back what dead workers held: waiting where no attempt is open, else unknown; never our own work."""
    over = col(Delivery.lease_until) <= at
    if others_are_dead:
        over = or_(over, col(Delivery.owner) != owner)
    held = select(Delivery).where(
        col(Delivery.state).in_([S.CLAIMED, S.SENDING]), over, col(Delivery.id).not_in(list(working))
    )
    ended = list(session.exec(held.with_for_update(skip_locked=True)))
    for delivery in ended:
        attempt = session.exec(
            select(Attempt).where(
                Attempt.delivery_id == delivery.id,
                Attempt.kind == AttemptKind.PUBLISH,
                col(Attempt.ended_at).is_(None),
            )
        ).first()
        if attempt is None:
            apply(delivery, Change(S.WAITING, ready_at=at, setbacks=delivery.setbacks), None, at=at)
            continue
        attempt.ended_at, attempt.outcome = at, OutcomeKind.UNKNOWN.value
        attempt.detail = _("Its worker stopped before the answer was recorded.")
        if others_are_dead:
            # The lock proves that nobody is calling any more: no lease is left to wait for.
            delivery.lease_until = at
        apply(delivery, Change(S.UNKNOWN, attempt.detail, unknown_since=at), None, at=at)
    return len(ended)


# --- Agenda ---------------------------------------------------------------------------------------------------


class Task(StrEnum):
    """What the clock may have to do."""

    DISPATCH = "dispatch"
    RECONCILE = "reconcile"
    LEASES = "leases"
    COLLECT = "collect"
    PAGES = "pages"
    """Never on the agenda: once a day is often enough, an hour sooner or later."""
    REMOVE = "remove"
    EXPIRE = "expire"
    TIDY = "tidy"
    ARCHIVE = "archive"
    """Never on the agenda: nobody waits for it."""
    MAIL = "mail"
    """Never on the agenda: what there is to tell is found by looking, and being told may be late; going out may not."""


@dataclass(frozen=True)
class Agenda:
    """What may be due now, and the next instant at which something will be (None: nothing is planned)."""

    due: frozenset[Task]
    next_at: datetime | None


_AT = bindparam("at", type_=Moment)
_DRAFTS = col(Delivery.draft_id).is_not(None) & col(Delivery.state).in_([S.CANCELLED, S.FAILED])
_MOMENTS: tuple[tuple[Task, Any, ColumnElement[bool]], ...] = (
    (Task.DISPATCH, Delivery.ready_at, col(Delivery.state) == S.WAITING),
    (Task.RECONCILE, Delivery.look_at, col(Delivery.state) == S.UNKNOWN),
    (Task.LEASES, Delivery.lease_until, col(Delivery.state).in_([S.CLAIMED, S.SENDING])),
    (Task.COLLECT, Delivery.next_sample_at, col(Delivery.next_sample_at).is_not(None)),
    (Task.REMOVE, Delivery.removal_at, col(Delivery.removal_at).is_not(None)),
    (Task.EXPIRE, Post.first_due_at, col(Post.state) == PostState.SUBMITTED),
    (Task.DISPATCH, Account.not_before, col(Account.not_before).is_not(None)),
    (Task.COLLECT, Account.slow_until, col(Account.slow_until).is_not(None)),
    (Task.DISPATCH, AppWait.not_before, col(AppWait.not_before).is_not(None)),
    (Task.COLLECT, AppWait.slow_until, col(AppWait.slow_until).is_not(None)),
    (Task.COLLECT, AppWait.reads_not_before, col(AppWait.reads_not_before).is_not(None)),
    (Task.DISPATCH, Account.blocked_until, col(Account.blocked_until).is_not(None)),
)
# Built once: the clock asks it every second.
_AGENDA = sa_select(
    *(
        select(func.min(moment)).where(condition, when).scalar_subquery()
        for _task, moment, condition in _MOMENTS
        for when in (col(moment) <= _AT, col(moment) > _AT)
    ),
    select(func.min(Delivery.due_at)).where(_DRAFTS).scalar_subquery(),
)


def agenda(session: Session, *, at: datetime) -> Agenda:
    """Look at everything that time knocks for, in one query; what waits for its account's rest counts as due."""
    row = session.connection().execute(_AGENDA, {"at": at}).one()
    due = {task for place, (task, *_rest) in enumerate(_MOMENTS) if row[2 * place] is not None}
    if row[-1] is not None:
        due.add(Task.TIDY)
    coming = [moment for moment in row[1:-1:2] if moment is not None]
    return Agenda(frozenset(due), min(coming, default=None))
