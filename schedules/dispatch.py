"""Claim what is due, say it once, record what came of it; and take back what dead workers held."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import IntegrityError

from channels import Channel, ChannelError, Deadline, Prepared, Receipt, Uncertain, Unreachable
from hub.database import writing
from hub.services import approving, delivering
from hub.services.delivering import Claim, Task, Work
from hub.wiring import Hub
from schedules.asking import Heard, ask
from schedules.worker import Worker

logger = logging.getLogger("relais.dispatch")


def dispatch_due(worker: Worker) -> int:
    """Attempt what is due, one call in flight per account; return how many deliveries were claimed."""
    by_account: defaultdict[int, list[Claim]] = defaultdict(list)
    claims = _claim(worker, accounts=worker.free)
    for claim in claims:
        by_account[claim.account_id].append(claim)
    for some in by_account.values():
        worker.submit(partial(_work_through, worker, some), what=Task.DISPATCH, speaks=True)
    return len(claims)


def _claim(worker: Worker, *, accounts: int, account_id: int | None = None) -> list[Claim]:
    """What may be worked on now: nothing while an outcome waits to be written down, or nothing new may be begun."""
    hub = worker.hub
    if not accounts or not worker.write_down() or not worker.may_begin():
        return []
    with writing(hub.engine) as session:
        claims = delivering.claim(
            session,
            at=hub.now(),
            owner=worker.owner,
            patience=hub.patience,
            accounts=accounts,
            account_id=account_id,
        )
        worker.working.update(claim.delivery_id for claim in claims)
    return claims


def _work_through(worker: Worker, claims: Sequence[Claim]) -> None:
    """One account's deliveries, one after the other, until none is due any more; then those of another account."""
    while claims:
        account_id = claims[0].account_id
        unused = list(claims)
        try:
            while unused:
                _attempt(worker, unused[0])
                unused.pop(0)
        finally:
            # Whatever was not reached goes back at once, or, if even that fails, with its lease.
            worker.working.difference_update(claim.delivery_id for claim in claims)
            if unused:
                _give_back(worker.hub, unused)
        claims = _claim(worker, accounts=1, account_id=account_id) or _claim(worker, accounts=1)


def _give_back(hub: Hub, claims: Sequence[Claim]) -> None:
    """Claims that were not used: those that were have moved on, and are not touched by it."""
    with writing(hub.engine) as session:
        for claim in claims:
            delivering.put_back(session, claim, ready_at=hub.now() + hub.patience.busy_wait)


def _attempt(worker: Worker, claim: Claim) -> None:
    """Open the attempt, call the network with no transaction open, record the outcome."""
    hub = worker.hub
    # Before the attempt is open, not after: a process that is frozen in between must not wake up with time to spare.
    deadline = Deadline.after(hub.patience.deadline.total_seconds())
    work = _open(worker, claim)
    if work is None:
        return
    heard = say(hub, work, deadline)
    outcome = delivering.outcome_of(heard.answer, hub.patience, at=hub.now())
    jitter = hub.jitter()

    def record() -> None:
        at = hub.now()
        with writing(hub.engine) as session:
            state = delivering.record(session, work, outcome, at=at, patience=hub.patience, jitter=jitter)
            delivering.let_wait(session, claim.account_id, until=heard.wait_until, at=at, patience=hub.patience)
        logger.info(
            "delivery=%s account=%s epoch=%s outcome=%s state=%s",
            work.delivery_id,
            work.account.id,
            work.epoch,
            outcome.kind.value,
            state or "late",
        )

    worker.record(record)


def _open(worker: Worker, claim: Claim) -> Work | None:
    hub = worker.hub
    if not worker.may_begin():
        with writing(hub.engine) as session:
            delivering.put_back(session, claim, ready_at=hub.now())
        return None
    try:
        with writing(hub.engine) as session:
            return delivering.open_attempt(
                session,
                claim,
                at=hub.now(),
                patience=hub.patience,
                sandboxed=hub.terms.sandboxed,
                sibling_gap=hub.terms.sibling_gap,
            )
    except IntegrityError:
        # The one-per-account index refused: another worker speaks for this account right now.
        with writing(hub.engine) as session:
            delivering.put_back(session, claim, ready_at=hub.now() + hub.patience.busy_wait)
        return None


def say(hub: Hub, work: Work, deadline: Deadline) -> Heard[Receipt]:
    """Prepare and publish; every way in which it can go wrong comes back as an answer."""
    return ask(hub, work.account, lambda channel: _publish(hub, channel, work, deadline))


def _publish(hub: Hub, channel: Channel, work: Work, deadline: Deadline) -> Receipt:
    """What goes wrong before the call that shows it, of whatever kind, means that nothing was said yet."""
    try:
        prepared = channel.prepare(work.message)
        ours = _keep(hub, work, prepared)
    except Uncertain as error:
        raise Unreachable(str(error), code=error.code, status=error.status, trace_id=error.trace_id) from error
    except ChannelError:
        raise
    except Exception as error:
        logger.exception("delivery=%s could not be prepared", work.delivery_id)
        raise Unreachable(f"An unexpected {type(error).__name__} while preparing; nothing was sent.") from error
    if not ours:
        raise Unreachable("Another worker took this delivery over.")
    if deadline.passed:
        raise Unreachable("The deadline passed while preparing; nothing was sent.")
    return channel.publish(prepared, deadline)


def _keep(hub: Hub, work: Work, prepared: Prepared) -> bool:
    """Write down what was prepared; False when the attempt is not ours any more."""
    if not prepared.draft_id and not prepared.media_ids:
        return True
    with writing(hub.engine) as session:
        return delivering.note_prepared(session, work, draft_id=prepared.draft_id)


def end_leases(worker: Worker, *, others_are_dead: bool = False) -> int:
    """Take back what dead workers held."""
    hub = worker.hub
    with writing(hub.engine) as session:
        ended = delivering.end_leases(
            session,
            at=hub.now(),
            owner=worker.owner,
            others_are_dead=others_are_dead,
            working=tuple(worker.working),
        )
    if ended:
        logger.warning("leases ended=%s", ended)
    return ended


def expire_due(worker: Worker) -> int:
    """Expire posts that nobody approved in time."""
    with writing(worker.hub.engine) as session:
        return len(approving.expire(session, at=worker.hub.now()))


def archive_due(worker: Worker) -> int:
    """Put away posts whose story ended long ago."""
    with writing(worker.hub.engine) as session:
        return len(approving.archive(session, at=worker.hub.now()))
