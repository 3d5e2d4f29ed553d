"""Reading back what is not known: what to look for, and what was or was not found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select, update

from channels import ChannelError, Message, Receipt, Refused
from hub.domain.account import Account
from hub.domain.audit import CLOCK, note
from hub.domain.delivery import (
    Attempt,
    AttemptKind,
    Change,
    Delivery,
    DeliveryState,
    Outcome,
    OutcomeKind,
    Patience,
    may_say_not_sent,
    next_look,
    next_look_after_failure,
)
from hub.domain.reach import first_slot
from hub.language import _
from hub.services import delivering, pacing, rolling

S = DeliveryState
BATCH = 16

UNSETTLED: Final = frozenset({OutcomeKind.UNKNOWN.value, OutcomeKind.DUPLICATE.value})


@dataclass(frozen=True)
class Question:
    """Did this message go out on this account since that moment?"""

    delivery_id: int
    attempt_id: int
    """The try that is asked about."""
    epoch: int
    account: Account
    message: Message
    since: datetime
    deadline_at: datetime
    refused_as_repeat: bool = False
    """The network says that it has these words already."""
    unknowns: int = 1
    """How many tries nobody knows the outcome of."""


def questions(session: Session, *, at: datetime, patience: Patience, limit: int = BATCH) -> list[Question]:
    """What must be read back now; a look is planned anew at once, so that a crash costs one look and no more."""
    due = (
        select(Delivery)
        .where(Delivery.state == S.UNKNOWN, col(Delivery.look_at) <= at)
        .order_by(col(Delivery.look_at), col(Delivery.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    asked = []
    for delivery in session.exec(due):
        account = session.get(Account, delivery.account_id)
        tries = session.exec(
            select(Attempt)
            .where(Attempt.delivery_id == delivery.id, Attempt.kind == AttemptKind.PUBLISH)
            .order_by(col(Attempt.n))
        ).all()
        assert account is not None
        assert delivery.id is not None
        if (until := pacing.wait_until(session, account, at=at, to_read=True)) is not None:
            _wait_with_account(session, delivery, until, at=at, patience=patience)
            continue
        delivery.look_at = at + patience.lease
        asked.append(
            Question(
                delivery_id=delivery.id,
                attempt_id=tries[-1].id or 0,
                epoch=delivery.epoch,
                account=account,
                message=delivering.message_of(session, delivery),
                # From the first try on: a post of an earlier one may have shown up after we stopped looking.
                since=tries[0].started_at - patience.look_back,
                deadline_at=tries[-1].deadline_at,
                refused_as_repeat=tries[-1].outcome == OutcomeKind.DUPLICATE.value,
                unknowns=sum(one.outcome in UNSETTLED for one in tries),
            )
        )
    return asked


def _wait_with_account(
    session: Session, delivery: Delivery, not_before: datetime, *, at: datetime, patience: Patience
) -> None:
    """The network asks this account to wait; one that asks for longer than we look for leaves it to a person."""
    give_up_at = (delivery.unknown_since or at) + patience.give_up_looking
    if give_up_at > at:
        delivery.look_at = min(not_before, give_up_at)
        return
    until = not_before.strftime("%Y-%m-%d %H:%M UTC")
    _give_up(delivery, _("it asks us to wait until {until}", until=until), at=at)
    _note_verdict(session, delivery, at=at)


def record_look(
    session: Session,
    question: Question,
    answer: Sequence[Receipt] | ChannelError,
    *,
    began_at: datetime,
    at: datetime,
    patience: Patience,
) -> DeliveryState | None:
    """What a look means; None when the delivery moved on meanwhile."""
    delivery = session.get(Delivery, question.delivery_id, with_for_update=True)
    if delivery is None or delivery.state is not S.UNKNOWN or delivery.epoch != question.epoch:
        return None
    if isinstance(answer, ChannelError):
        _failed_look(delivery, answer, at=at, patience=patience)
        delivering.note_failed_reading(session, question.account, answer, at=at, patience=patience)
    else:
        _worked(session, delivery, question, answer, began_at=began_at, at=at, patience=patience)
    if delivery.state is not S.UNKNOWN:
        _note_verdict(session, delivery, at=at)
    return delivery.state


def _note_verdict(session: Session, delivery: Delivery, *, at: datetime) -> None:
    after = {"state": delivery.state, "remote_id": delivery.remote_id, "reason": delivery.reason}
    note(session, "delivery.read-back", f"delivery:{delivery.id}", by=CLOCK, at=at, after=after)


def _failed_look(delivery: Delivery, error: ChannelError, *, at: datetime, patience: Patience) -> None:
    again = next_look_after_failure(delivery, at, patience)
    delivery.failed_looks += 1
    if again is None:
        _give_up(delivery, str(error), at=at)
    else:
        delivery.look_at = again


def _give_up(delivery: Delivery, why: str, *, at: datetime) -> None:
    reason = _(
        "The network could not be read back: {why}. Look at the page yourself, then decide.", why=why.rstrip(".")
    )
    delivering.apply(delivery, Change(S.REVIEW, reason), None, at=at)


def _worked(
    session: Session,
    delivery: Delivery,
    question: Question,
    found: Sequence[Receipt],
    *,
    began_at: datetime,
    at: datetime,
    patience: Patience,
) -> None:
    ids = [receipt.remote_id for receipt in found]
    linked = select(Delivery.remote_id).where(
        Delivery.account_id == delivery.account_id, col(Delivery.remote_id).in_(ids)
    )
    taken = set(session.exec(linked))
    free = {receipt.remote_id: receipt for receipt in found if receipt.remote_id not in taken}
    delivery.looks += 1
    delivery.failed_looks = 0
    if len(free) == 1:
        receipt = next(iter(free.values()))
        outcome = Outcome(OutcomeKind.OK, remote_id=receipt.remote_id, url=receipt.url)
        reason = _("Found on the network when reading back.")
        delivering.apply(delivery, Change(S.SENT, reason), outcome, at=at)
        if receipt.posted_at:
            delivery.sent_at, delivery.next_sample_at = receipt.posted_at, first_slot(receipt.posted_at)
        rolling.enter(session, delivery)
    elif free:
        reason = _("{number} posts on the network say this. Tell which one it is.", number=len(free))
        delivering.apply(delivery, Change(S.REVIEW, reason), None, at=at)
    elif not may_say_not_sent(delivery, began_at, question.deadline_at, patience):
        delivery.look_at = next_look(delivery, at, patience)
    elif question.refused_as_repeat:
        reason = _("The network refuses it as a repeat, and it was not found there. Look at the page, then decide.")
        delivering.apply(delivery, Change(S.REVIEW, reason), None, at=at)
    elif question.unknowns >= patience.most_unknown:
        reason = _("After {number} tries nobody knows whether it is out. Look at the page, then decide.",
                   number=question.unknowns)  # fmt: skip
        delivering.apply(delivery, Change(S.REVIEW, reason), None, at=at)
    else:
        reason = _("Not found on the network; it will be sent again.")
        delivering.apply(delivery, Change(S.WAITING, reason, ready_at=at), None, at=at)


def wait_anew(session: Session, *, at: datetime) -> None:
    """The clock was set, so no age can be trusted: what is unknown becomes so now, and is looked for anew."""
    statement = (
        update(Delivery)
        .where(col(Delivery.state) == S.UNKNOWN)
        .values(unknown_since=at, look_at=at)
        .execution_options(synchronize_session=False)
    )
    session.exec(statement)


def doubt(session: Session, *, backup_from: datetime, at: datetime) -> int:
    """After a restore: whatever is due by now may have gone out since the backup, so it is read back before anything.

    Return how many deliveries that concerns.
    """
    may_be_out = select(Delivery).where(col(Delivery.state).in_([S.WAITING, S.CLAIMED]), Delivery.due_at <= at)
    doubted = list(session.exec(may_be_out.order_by(col(Delivery.id)).with_for_update()))
    for delivery in doubted:
        assert delivery.id is not None
        delivery.epoch += 1
        reason = _("The database was restored from a backup: it may have gone out since.")
        session.add(
            Attempt(
                delivery_id=delivery.id,
                n=delivery.epoch,
                started_at=max(delivery.due_at, backup_from),
                deadline_at=at,
                ended_at=at,
                outcome=OutcomeKind.UNKNOWN.value,
                detail=reason,
            )
        )
        delivering.apply(delivery, Change(S.UNKNOWN, reason, unknown_since=at), None, at=at)
        delivery.owner = delivery.lease_until = None
    return len(doubted)


@dataclass(frozen=True)
class Leftover:
    """An unseen draft of a delivery that will not go out any more; `message` finds it, should it be live after all."""

    delivery_id: int
    account: Account
    draft_id: str
    message: Message


TIDY_AGAIN: Final = timedelta(minutes=30)


def leftovers(session: Session, *, at: datetime, limit: int = BATCH) -> list[Leftover]:
    """Take up drafts that nobody needs: those of cancelled and failed deliveries, which let go of them at once."""
    query = (
        select(Delivery)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            col(Delivery.draft_id).is_not(None),
            col(Delivery.state).in_([S.CANCELLED, S.FAILED]),
            Delivery.ready_at <= at,
            pacing.leisurely(at),
        )
        .order_by(col(Delivery.ready_at), col(Delivery.id))
        .limit(limit)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    taken = []
    for delivery in session.exec(query):
        account = session.get(Account, delivery.account_id)
        assert account is not None
        assert delivery.id is not None
        assert delivery.draft_id is not None
        taken.append(Leftover(delivery.id, account, delivery.draft_id, delivering.message_of(session, delivery)))
        # Whoever has it sent again makes a new draft: this one may be deleted under their hands.
        delivery.draft_id = None
        delivery.epoch += 1
    return taken


def record_tidying(
    session: Session,
    leftover: Leftover,
    answer: Sequence[Receipt] | ChannelError | None,
    *,
    at: datetime,
    patience: Patience,
) -> None:
    """What became of a draft: gone (None), live after all (its receipts), or to be tried again later (an error)."""
    delivery = session.get(Delivery, leftover.delivery_id, with_for_update=True)
    assert delivery is not None
    if isinstance(answer, ChannelError):
        delivering.note_failed_reading(session, leftover.account, answer, at=at, patience=patience)
        if not isinstance(answer, Refused) and delivery.draft_id is None and delivery.state in {S.CANCELLED, S.FAILED}:
            delivery.draft_id, delivery.ready_at = leftover.draft_id, at + TIDY_AGAIN
    elif answer:
        delivering.show_to_people(session, delivery, answer[0].remote_id, at=at)
