"""Claim what is due, say it once, record what came of it; and take back what dead workers held."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from sqlalchemy.exc import IntegrityError

from channels import ChannelError, Deadline, Receipt, Uncertain, Unreachable
from hub.database import writing
from hub.domain.errors import HubError
from hub.services import approving, delivering
from hub.services.delivering import Claim, Work
from hub.wiring import Hub
from schedules.worker import Worker

logger = logging.getLogger("relais.dispatch")


def dispatch_due(worker: Worker) -> int:
    """Attempt what is due, one call in flight per account; return how many deliveries were claimed."""
    if not worker.write_down():
        return 0
    claims = _claim(worker)
    by_account: defaultdict[int, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_account[claim.account_id].append(claim)
    for account_id, some in by_account.items():
        worker.submit(partial(_work_through, worker, account_id, some), what="dispatch")
    worker.trouble = None
    return len(claims)


def _claim(worker: Worker, account_id: int | None = None) -> list[Claim]:
    hub = worker.hub
    with writing(hub.engine) as session:
        claims = delivering.claim(
            session, at=hub.now(), owner=worker.owner, patience=hub.patience, account_id=account_id
        )
        worker.working.update(claim.delivery_id for claim in claims)
    return claims


def _work_through(worker: Worker, account_id: int, claims: Sequence[Claim]) -> None:
    """One account's deliveries, one after the other, until none is due any more."""
    while claims:
        for claim in claims:
            try:
                _attempt(worker, claim)
            finally:
                worker.working.discard(claim.delivery_id)
        claims = _claim(worker, account_id) if worker.write_down() else []


def _attempt(worker: Worker, claim: Claim) -> None:
    """Open the attempt, call the network with no transaction open, record the outcome."""
    hub = worker.hub
    work = _open(hub, claim)
    if work is None:
        return
    deadline = Deadline.after(hub.patience.deadline.total_seconds())
    answer = say(hub, work, deadline)
    outcome = delivering.outcome_of(answer, hub.patience, at=hub.now())
    jitter = hub.jitter()

    def record() -> None:
        with writing(hub.engine) as session:
            state = delivering.record(session, work, outcome, at=hub.now(), patience=hub.patience, jitter=jitter)
        logger.info(
            "delivery=%s account=%s epoch=%s outcome=%s state=%s",
            work.delivery_id,
            work.account.id,
            work.epoch,
            outcome.kind.value,
            state or "late",
        )

    worker.record(record)


def _open(hub: Hub, claim: Claim) -> Work | None:
    try:
        with writing(hub.engine) as session:
            return delivering.open_attempt(session, claim, at=hub.now(), patience=hub.patience)
    except IntegrityError:
        # The one-per-account index refused: another worker speaks for this account right now.
        with writing(hub.engine) as session:
            delivering.put_back(session, claim, ready_at=hub.now() + hub.patience.busy_wait)
        return None


def say(hub: Hub, work: Work, deadline: Deadline) -> Receipt | ChannelError:
    """Prepare and publish; every way in which it can go wrong comes back as an answer."""
    try:
        channel = hub.channel_for(work.account)
    except HubError as error:
        return Unreachable(str(error))
    try:
        try:
            prepared = channel.prepare(work.message)
        except Uncertain as error:
            # What is prepared cannot be seen by anybody, so nothing was said yet.
            return Unreachable(str(error), code=error.code, status=error.status, trace_id=error.trace_id)
        if prepared.draft_id or prepared.media_ids:
            with writing(hub.engine) as session:
                if not delivering.note_prepared(session, work, draft_id=prepared.draft_id):
                    return Unreachable("Another worker took this delivery over.")
        if deadline.passed:
            return Unreachable("The deadline passed while preparing; nothing was sent.")
        return channel.publish(prepared, deadline)
    except ChannelError as error:
        return error
    except Exception as error:
        logger.exception("delivery=%s the channel broke its contract", work.delivery_id)
        return Uncertain(f"An unexpected {type(error).__name__} in the channel.")
    finally:
        channel.close()


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
