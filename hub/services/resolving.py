"""What people do about deliveries: look, decide open questions, take a live post down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_
from sqlmodel import Session, col, func, select

from channels import ChannelError, Receipt, Refused, Throttled, Unauthorized
from hub.database import due_now
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import CLOCK, note
from hub.domain.delivery import (
    WHY_NONE,
    Action,
    Attempt,
    AttemptKind,
    Change,
    Delivery,
    DeliveryState,
    Outcome,
    OutcomeKind,
    Patience,
    Phase,
    actions,
)
from hub.domain.errors import Invalid, NotAllowed, NotFound, WrongState
from hub.domain.person import WRITERS, Actor
from hub.language import _
from hub.services import connecting, delivering, drafting, geotargeting, pinning, rolling

S = DeliveryState

PAGE = 500
"""How many deliveries are read together."""


def get_delivery(session: Session, delivery_id: int, *, by: Actor, lock: bool = False) -> Delivery:
    """The delivery, or NotFound when it is not there or its post is not for this person."""
    query = select(Delivery).where(Delivery.id == delivery_id)
    if lock:  # what another transaction changed meanwhile is read again
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    delivery = session.exec(query).one_or_none()
    try:
        if delivery is not None:
            drafting.get_post(session, delivery.post_id, by=by)
            return delivery
    except NotFound:
        pass
    raise NotFound(_("There is no delivery {number} that you may see.", number=delivery_id))


def list_deliveries(
    session: Session,
    *,
    by: Actor,
    states: Iterable[DeliveryState] = (),
    post_id: int | None = None,
    account_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Deliveries that this person may see, by due time."""
    query = select(Delivery).order_by(col(Delivery.due_at), col(Delivery.id))
    if wanted := list(states):
        query = query.where(col(Delivery.state).in_(wanted))
    if post_id is not None:
        query = query.where(Delivery.post_id == post_id)
    if account_id is not None:
        query = query.where(Delivery.account_id == account_id)
    if since is not None:
        query = query.where(Delivery.due_at >= since)
    if until is not None:
        query = query.where(Delivery.due_at < until)
    looked_at: set[int] = set()
    seen: set[int] = set()
    found: list[Delivery] = []
    page = session.exec(query.limit(PAGE)).all()
    while page:
        fresh = {one.post_id for one in page} - looked_at
        seen |= drafting.visible(session, fresh, by=by) if fresh else frozenset()
        looked_at |= fresh
        found += [one for one in page if one.post_id in seen]
        if len(found) >= limit or len(page) < PAGE:
            break
        last = page[-1]
        later = or_(
            col(Delivery.due_at) > last.due_at, and_(col(Delivery.due_at) == last.due_at, col(Delivery.id) > last.id)
        )
        page = session.exec(query.where(later).limit(PAGE)).all()
    return found[:limit]


def attempts_of(session: Session, delivery_id: int) -> list[Attempt]:
    """Every try of a delivery, oldest first."""
    query = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.n))
    return list(session.exec(query))


def may_decide(session: Session, delivery: Delivery, by: Actor) -> bool:
    """Whether this person may decide about a delivery: a writing role for its whole territory."""
    return delivery.id in _decidable_ones(session, [delivery], by)


def allowed_actions(session: Session, delivery: Delivery, by: Actor) -> list[Action]:
    """What this person may do about this delivery now."""
    return actions_of(session, [delivery], by)[delivery.id or 0]


def actions_of(session: Session, some: Sequence[Delivery], by: Actor) -> dict[int, list[Action]]:
    """What this person may do about each of several deliveries now, found together."""
    theirs = _decidable_ones(session, some, by)
    return {one.id or 0: actions(one) if one.id in theirs else [] for one in some}


def _decidable_ones(session: Session, some: Sequence[Delivery], by: Actor) -> set[int | None]:
    land = {one.id: list((one.gate or {}).get("territories") or [one.territory_code]) for one in some}
    known = geotargeting.atlas(session, [*by.territories(), *(code for codes in land.values() for code in codes)])
    return {number for number, codes in land.items() if by.holds_for_all(known, WRITERS, codes)}


def _decidable(session: Session, delivery_id: int, action: Action, *, by: Actor) -> Delivery:
    delivery = get_delivery(session, delivery_id, by=by, lock=True)
    if not may_decide(session, delivery, by):
        raise NotAllowed(
            _("Only an animator or coordinator for the whole territory of this delivery decides about it.")
        )
    possible = actions(delivery)
    if not possible:
        why = _(WHY_NONE[delivery.state])
        raise WrongState(_("“{action}” is not possible for this delivery now. {why}", action=action, why=why))
    if action not in possible:
        named = ", ".join(one.value for one in possible)
        raise WrongState(
            _("“{action}” is not possible for this delivery now. Possible: {possible}.", action=action, possible=named)
        )
    return delivery


def _person_attempt(
    session: Session, delivery: Delivery, words: str, *, at: datetime, remote_id: str | None = None
) -> None:
    assert delivery.id is not None
    delivery.epoch += 1
    session.add(
        Attempt(
            delivery_id=delivery.id,
            n=delivery.epoch,
            kind=AttemptKind.PERSON,
            phase=Phase.PUBLISHING,
            started_at=at,
            deadline_at=at,
            ended_at=at,
            outcome=OutcomeKind.OK.value if remote_id else OutcomeKind.NOT_SENT.value,
            detail=words,
            remote_id=remote_id,
        )
    )


def resolve(
    session: Session,
    delivery_id: int,
    action: Action,
    *,
    by: Actor,
    at: datetime,
    patience: Patience,
    remote_id: str | None = None,
    reason: str = "",
) -> Delivery:
    """Carry out what a person decided about a delivery in review, or one that failed."""
    if action is Action.REMOVE:
        return request_removal(session, delivery_id, by=by, at=at, reason=reason)
    delivery = _decidable(session, delivery_id, action, by=by)
    before = {"state": delivery.state, "reason": delivery.reason}
    match action:
        case Action.FOUND:
            found = _post_id(session, delivery, remote_id or "")
            _refuse_taken(session, delivery, found)
            _person_attempt(session, delivery, _("{name} found it.", name=by.name), at=at, remote_id=found)
            outcome = Outcome(OutcomeKind.OK, remote_id=found)
            # It went out with one of our tries, not when somebody found it: its day and its readings go by that.
            delivering.apply(delivery, Change(S.SENT, reason or None), outcome, at=_last_try(session, delivery) or at)
            rolling.enter(session, delivery)
        case Action.SEND:
            _person_attempt(session, delivery, _("{name} had it sent (again).", name=by.name), at=at)
            delivering.apply(delivery, Change(S.WAITING, reason or None, ready_at=at), None, at=at)
            delivery.excused_until = at + patience.too_late
            due_now(session)
        case Action.GIVE_UP:
            _person_attempt(session, delivery, _("{name} gave it up.", name=by.name), at=at)
            delivering.apply(delivery, Change(S.CANCELLED, reason or _("Given up.")), None, at=at)
    after = {"action": action, "state": delivery.state, "remote_id": delivery.remote_id, "reason": reason}
    note(session, "delivery.resolve", f"delivery:{delivery.id}", by=by, at=at, before=before, after=after)
    return delivery


def _last_try(session: Session, delivery: Delivery) -> datetime | None:
    """When the last try to publish it began."""
    tries = select(func.max(Attempt.started_at)).where(
        Attempt.delivery_id == delivery.id, Attempt.kind == AttemptKind.PUBLISH
    )
    return session.exec(tries).one()


def _post_id(session: Session, delivery: Delivery, typed: str) -> str:
    """The id of a post of this very account, from its id or its address; Invalid for anything else."""
    account = connecting.get_account(session, delivery.account_id)
    digits = re.search(r"([0-9]{1,30})/?$", typed.strip().split("?")[0])
    if account.network is AccountNetwork.PORTAL:
        return delivery.key
    if digits is None:
        raise Invalid(
            _("Give the id of the post on the network, or its address, which ends with the id."), field="remote_id"
        )
    if account.network is AccountNetwork.FACEBOOK:
        return f"{account.remote_id}_{digits.group(1)}"
    return digits.group(1)


def _refuse_taken(session: Session, delivery: Delivery, remote_id: str) -> None:
    other = session.exec(
        select(Delivery).where(Delivery.account_id == delivery.account_id, Delivery.remote_id == remote_id)
    ).first()
    if other is not None:
        raise Invalid(
            _("That post belongs to delivery {number} already. Look for another one.", number=other.id),
            field="remote_id",
        )


# --- Taking down ----------------------------------------------------------------------------------------------


def request_removal(session: Session, delivery_id: int, *, by: Actor, at: datetime, reason: str) -> Delivery:
    """Have a live post taken down by the clock."""
    delivery = _decidable(session, delivery_id, Action.REMOVE, by=by)
    if not reason.strip():
        raise Invalid(_("Say why this post is taken down."), field="reason")
    delivery.removal_at, delivery.removal_reason = at, reason.strip()
    due_now(session)
    note(session, "delivery.remove", f"delivery:{delivery.id}", by=by, at=at, after={"reason": reason.strip()})
    return delivery


@dataclass(frozen=True)
class Removal:
    """An open attempt to take a post down."""

    delivery_id: int
    attempt_id: int
    epoch: int
    account: Account
    receipt: Receipt


def open_removals(session: Session, *, at: datetime, patience: Patience, limit: int = 16) -> list[Removal]:
    """Open an attempt for each post that shall be taken down now."""
    if delivering.open_hold(session):
        return []
    due = (
        select(Delivery)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(Delivery.state == S.SENT, col(Delivery.removal_at) <= at, delivering.callable_account(at))
        .limit(limit)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    opened = []
    for delivery in session.exec(due):
        account = session.get(Account, delivery.account_id)
        assert account is not None
        assert delivery.id is not None
        assert delivery.remote_id is not None
        for stale in session.exec(
            select(Attempt).where(Attempt.delivery_id == delivery.id, col(Attempt.ended_at).is_(None))
        ):
            # Taking down may be repeated: a try whose worker died is closed, and made anew.
            stale.ended_at, stale.outcome = at, OutcomeKind.UNKNOWN.value
        delivery.epoch += 1
        delivery.removal_at = at + patience.lease
        attempt = Attempt(
            delivery_id=delivery.id,
            n=delivery.epoch,
            kind=AttemptKind.REMOVE,
            phase=Phase.PUBLISHING,
            started_at=at,
            deadline_at=at + patience.deadline,
        )
        session.add(attempt)
        session.flush()
        assert attempt.id is not None
        opened.append(
            Removal(delivery.id, attempt.id, delivery.epoch, account, Receipt(delivery.remote_id, delivery.url))
        )
    return opened


def record_removal(
    session: Session, removal: Removal, error: ChannelError | None, *, at: datetime, patience: Patience
) -> DeliveryState:
    """What came of taking a post down: removed, tried again later, or told to people."""
    delivery = session.get(Delivery, removal.delivery_id, with_for_update=True)
    attempt = session.get(Attempt, removal.attempt_id)
    assert delivery is not None
    assert attempt is not None
    attempt.ended_at = at
    if delivery.state is S.REMOVED:  # by another try, while this one's answer was on its way
        attempt.outcome = OutcomeKind.OK.value
        return delivery.state
    if error is None:
        attempt.outcome = OutcomeKind.OK.value
        delivery.state, delivery.removal_at, delivery.next_sample_at = S.REMOVED, None, None
        delivery.reason = delivery.removal_reason
        pinning.unpin(session, removal.delivery_id)
        note(session, "delivery.removed", f"delivery:{delivery.id}", by=CLOCK, at=at)
        return delivery.state
    outcome = delivering.outcome_of(error, patience, at=at)
    attempt.outcome, attempt.detail = outcome.kind.value, outcome.detail
    attempt.code, attempt.http_status = outcome.code, outcome.http_status
    delivering.note_account(session, removal.account, outcome, at=at, patience=patience)
    if isinstance(error, Refused):
        delivery.removal_at = None
        why = str(error).rstrip(".")
        delivery.reason = _("The network refuses to take it down: {why}. Take it down on the page itself.", why=why)
        note(session, "delivery.removal-refused", f"delivery:{delivery.id}", by=CLOCK, at=at)
    elif isinstance(error, Throttled | Unauthorized):
        delivery.removal_at = outcome.until or at
    else:
        _again_or_never(session, delivery, error, at=at, patience=patience)
    return delivery.state


def _again_or_never(
    session: Session, delivery: Delivery, error: ChannelError, *, at: datetime, patience: Patience
) -> None:
    """Taking down may be repeated, with growing waits; after so many tries a person must do it on the page."""
    tries = session.exec(
        select(func.count())
        .select_from(Attempt)
        .where(Attempt.delivery_id == delivery.id, Attempt.kind == AttemptKind.REMOVE)
    ).one()
    if tries > patience.most_setbacks:
        delivery.removal_at = None
        delivery.reason = _("It could not be taken down: {why} Take it down on the page itself.", why=error)
        note(session, "delivery.removal-failed", f"delivery:{delivery.id}", by=CLOCK, at=at)
    else:
        delivery.removal_at = at + min(patience.then_look_every * 2 ** (tries - 1), patience.longest_setback)
