"""Claim what is due, say it once, record what came of it; and take back what dead workers held."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import IntegrityError

from channels import Channel, ChannelError, Deadline, Prepared, Receipt, Uncertain, Unreachable
from hub.database import reading, writing
from hub.domain.delivery import AttemptKind, DeliveryState
from hub.logs import line, seconds
from hub.services import approving, attempting, delivering, gauging, pacing
from hub.services.attempting import Ready
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
    # Only what is kept: of a claim whose commit failed nobody here works on anything, whatever the database thinks.
    worker.working.update(claim.delivery_id for claim in claims)
    return claims


def _work_through(worker: Worker, claims: Sequence[Claim]) -> None:
    """One account's deliveries, one after the other, until none is due any more; then those of another account."""
    while claims:
        account_id = claims[0].account_id
        unused = list(claims)
        try:
            ready = _look(worker.hub, claims) if len(claims) > 1 else {}
            while unused:
                _attempt(worker, unused[0], ready.get(unused[0].delivery_id))
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


def _attempt(worker: Worker, claim: Claim, ready: Ready | None = None) -> None:
    """Open the attempt, call the network with no transaction open, record the outcome."""
    hub = worker.hub
    # It runs from before the attempt is opened: a process that stands still in between must not speak after
    # the moment written down there, when its lease may be over and somebody may be reading back already.
    deadline = Deadline.after(hub.patience.deadline.total_seconds(), worker.boot_clock)
    work = _open(worker, claim, ready)
    if work is None:
        return
    heard = say(hub, work, deadline)
    outcome = delivering.outcome_of(heard.answer, hub.patience, at=hub.now())
    jitter = hub.jitter()

    def record() -> None:
        at = hub.now()
        with writing(hub.engine) as session:
            state = attempting.record_sent(session, work, outcome, at=at) or delivering.record(
                session, work, outcome, at=at, patience=hub.patience, jitter=jitter
            )
            pacing.heed(session, work.account, heard.pace, at=at, patience=hub.patience)
            late = work.first_late
            if late is None:
                late = gauging.lateness_of(session, work.attempt_id, patience=hub.patience)
        # Only what is kept is counted: a write that failed comes here again.
        network = work.account.network
        worker.tally.attempted(network, AttemptKind.PUBLISH, outcome.kind)
        if state is DeliveryState.SENT:
            worker.tally.sent_late(network, late)
        logger.info(
            line(
                task=Task.DISPATCH,
                delivery=work.delivery_id,
                account=work.account.id,
                epoch=work.epoch,
                outcome=outcome.kind,
                state=state or "too-late-to-count",
                late=seconds(late.total_seconds()),
            )
        )

    worker.record(record)


def _open(worker: Worker, claim: Claim, ready: Ready | None) -> Work | None:
    hub = worker.hub
    if not worker.may_begin():
        with writing(hub.engine) as session:
            delivering.put_back(session, claim, ready_at=hub.now())
        return None
    try:
        if work := _begin(hub, claim, ready):
            return work
        with writing(hub.engine) as session:
            work = delivering.open_attempt(
                session,
                claim,
                at=hub.now(),
                patience=hub.patience,
                sandboxed=hub.terms.sandboxed,
                sibling_gap=hub.terms.sibling_gap,
            )
            state = None if work else gauging.state_of(session, claim.delivery_id)
    except IntegrityError:
        # The one-per-account index refused: another worker speaks for this account right now.
        with writing(hub.engine) as session:
            delivering.put_back(session, claim, ready_at=hub.now() + hub.patience.busy_wait)
        work, state = None, DeliveryState.WAITING
    if work is None:
        logger.info(
            line(
                task=Task.DISPATCH,
                delivery=claim.delivery_id,
                account=claim.account_id,
                epoch=claim.epoch,
                outcome="not-begun",
                state=state,
            )
        )
    return work


def _look(hub: Hub, claims: Sequence[Claim]) -> dict[int, Ready]:
    """What can go the short way: whoever only looks keeps nobody from writing."""
    with reading(hub.engine) as session:
        return attempting.look(session, claims, sandboxed=hub.terms.sandboxed)


def _begin(hub: Hub, claim: Claim, ready: Ready | None) -> Work | None:
    """The short way, on which little is written."""
    ready = ready or _look(hub, [claim]).get(claim.delivery_id)
    if ready is None:
        return None
    with writing(hub.engine) as session:
        return attempting.begin(session, ready, at=hub.now(), patience=hub.patience, sibling_gap=hub.terms.sibling_gap)


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
        logger.exception(
            line(
                task=Task.DISPATCH,
                delivery=work.delivery_id,
                account=work.account.id,
                epoch=work.epoch,
                outcome="not-prepared",
                error=type(error).__name__,
            )
        )
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
        worker.tally.leases_ended(ended)
        logger.warning(line(task=Task.LEASES, outcome="ended", deliveries=ended))
    return ended


def expire_due(worker: Worker) -> int:
    """Expire posts that nobody approved in time."""
    with writing(worker.hub.engine) as session:
        return len(approving.expire(session, at=worker.hub.now()))


def archive_due(worker: Worker) -> int:
    """Put away posts whose story ended long ago."""
    with writing(worker.hub.engine) as session:
        return len(approving.archive(session, at=worker.hub.now()))
