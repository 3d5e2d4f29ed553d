"""Read back what is unknown, take down what shall go, and delete drafts that nobody needs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from channels import Channel, ChannelError, Receipt
from hub.database import writing
from hub.domain.delivery import AttemptKind, DeliveryState, OutcomeKind
from hub.logs import line, seconds
from hub.services import gauging, pacing, reconciling, resolving
from hub.services.delivering import Task
from hub.services.reconciling import Leftover, Question
from hub.services.resolving import Removal
from schedules.asking import ask, word_for
from schedules.worker import Worker

logger = logging.getLogger("relais.reconcile")

BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Before any post of ours: a draft is looked for by its id, whenever it was made."""


def reconcile_due(worker: Worker) -> int:
    """Look for every delivery whose outcome is unknown and whose next look is due; return how many."""
    hub = worker.hub
    with writing(hub.engine) as session:
        asked = reconciling.questions(session, at=hub.now(), patience=hub.patience)
    for question in asked:
        worker.submit(partial(_look, worker, question), what=Task.RECONCILE)
    return len(asked)


def _look(worker: Worker, question: Question) -> None:
    hub = worker.hub
    began_at = hub.now()
    heard = ask(hub, question.account, lambda channel: channel.find(question.message, question.since))
    answer, at = heard.answer, hub.now()
    with writing(hub.engine) as session:
        state = reconciling.record_look(session, question, answer, began_at=began_at, at=at, patience=hub.patience)
        pacing.heed(session, question.account, heard.pace, at=at, patience=hub.patience)
        late = gauging.lateness_of(session, question.attempt_id, patience=hub.patience)
    if state is not None:
        worker.tally.looked(question.account.network, state)
    if state is DeliveryState.SENT:
        worker.tally.sent_late(question.account.network, late)
    logger.info(
        line(
            task=Task.RECONCILE,
            delivery=question.delivery_id,
            account=question.account.id,
            epoch=question.epoch,
            outcome=word_for(answer, hub),
            found=None if isinstance(answer, ChannelError) else len(answer),
            state=state or "too-late-to-count",
            late=seconds(late.total_seconds()) if state is DeliveryState.SENT else None,
        )
    )


def take_down_due(worker: Worker) -> int:
    """Take down the posts that people asked to remove; return how many were tried."""
    hub = worker.hub
    with writing(hub.engine) as session:
        removals = resolving.open_removals(session, at=hub.now(), patience=hub.patience)
    for removal in removals:
        worker.submit(partial(_take_down, worker, removal), what=Task.REMOVE)
    return len(removals)


def _take_down(worker: Worker, removal: Removal) -> None:
    hub = worker.hub
    heard = ask(hub, removal.account, lambda channel: channel.remove(removal.receipt))
    at = hub.now()
    with writing(hub.engine) as session:
        state = resolving.record_removal(session, removal, heard.answer, at=at, patience=hub.patience)
        pacing.heed(session, removal.account, heard.pace, at=at, patience=hub.patience)
    outcome = OutcomeKind(word_for(heard.answer, hub))
    worker.tally.attempted(removal.account.network, AttemptKind.REMOVE, outcome)
    logger.info(
        line(
            task=Task.REMOVE,
            delivery=removal.delivery_id,
            account=removal.account.id,
            epoch=removal.epoch,
            outcome=outcome,
            state=state,
        )
    )


def tidy_due(worker: Worker) -> int:
    """Delete unseen drafts of deliveries that will not go out; return how many were tried."""
    hub = worker.hub
    with writing(hub.engine) as session:
        taken = reconciling.leftovers(session, at=hub.now())
    for leftover in taken:
        worker.submit(partial(_tidy, worker, leftover), what=Task.TIDY)
    return len(taken)


def _tidy(worker: Worker, leftover: Leftover) -> None:
    hub = worker.hub
    heard = ask(hub, leftover.account, lambda channel: _delete_unseen(channel, leftover))
    answer, at = heard.answer, hub.now()
    with writing(hub.engine) as session:
        reconciling.record_tidying(session, leftover, answer, at=at, patience=hub.patience)
    became = "gone" if answer is None else "kept" if isinstance(answer, ChannelError) else "live"
    logger.info(
        line(
            task=Task.TIDY,
            delivery=leftover.delivery_id,
            account=leftover.account.id,
            outcome=word_for(answer, hub),
            draft=became,
        )
    )


def _delete_unseen(channel: Channel, leftover: Leftover) -> Sequence[Receipt] | None:
    """Delete a draft, unless it is live after all: taking a live post down is for people to decide."""
    if live := channel.find(replace(leftover.message, draft_id=leftover.draft_id), BEGINNING):
        return live
    channel.remove(Receipt(leftover.draft_id))
    return None
