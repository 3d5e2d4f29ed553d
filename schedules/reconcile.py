"""Read back what is unknown, take down what shall go, and delete drafts that nobody needs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from channels import Channel, ChannelError, Receipt, Unreachable
from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.errors import HubError
from hub.services import reconciling, resolving
from hub.services.reconciling import Leftover, Question
from hub.services.resolving import Removal
from hub.wiring import Hub
from schedules.worker import Worker

logger = logging.getLogger("relais.reconcile")


def reconcile_due(worker: Worker) -> int:
    """Look for every delivery whose outcome is unknown and whose next look is due; return how many."""
    hub = worker.hub
    with writing(hub.engine) as session:
        asked = reconciling.questions(session, at=hub.now(), patience=hub.patience)
    for question in asked:
        worker.submit(partial(_look, hub, question), what="reconcile")
    return len(asked)


def _look(hub: Hub, question: Question) -> None:
    began_at = hub.now()
    answer = _found(hub, question)
    with writing(hub.engine) as session:
        state = reconciling.record_look(
            session, question, answer, began_at=began_at, at=hub.now(), patience=hub.patience
        )
    found = type(answer).__name__ if isinstance(answer, ChannelError) else len(answer)
    logger.info("delivery=%s read-back found=%s state=%s", question.delivery_id, found, state)


def _found(hub: Hub, question: Question) -> Sequence[Receipt] | ChannelError:
    channel = _channel(hub, question.account)
    if isinstance(channel, ChannelError):
        return channel
    try:
        return channel.find(question.message, question.since)
    except ChannelError as error:
        return error
    finally:
        channel.close()


def _channel(hub: Hub, account: Account) -> Channel | ChannelError:
    try:
        return hub.channel_for(account)
    except HubError as error:
        return Unreachable(str(error))


def take_down_due(worker: Worker) -> int:
    """Take down the posts that people asked to remove; return how many were tried."""
    hub = worker.hub
    with writing(hub.engine) as session:
        removals = resolving.open_removals(session, at=hub.now(), patience=hub.patience)
    for removal in removals:
        worker.submit(partial(_take_down, hub, removal), what="remove")
    return len(removals)


def _take_down(hub: Hub, removal: Removal) -> None:
    error = _removed(hub, removal.account, removal.receipt)
    with writing(hub.engine) as session:
        state = resolving.record_removal(session, removal, error, at=hub.now(), patience=hub.patience)
    logger.info("delivery=%s removal state=%s", removal.delivery_id, state)


def _removed(hub: Hub, account: Account, receipt: Receipt) -> ChannelError | None:
    channel = _channel(hub, account)
    if isinstance(channel, ChannelError):
        return channel
    try:
        channel.remove(receipt)
    except ChannelError as error:
        return error
    finally:
        channel.close()
    return None


def tidy_due(worker: Worker) -> int:
    """Delete unseen drafts of deliveries that will not go out; return how many were tried."""
    hub = worker.hub
    with reading(hub.engine) as session:
        kept = reconciling.leftovers(session, at=hub.now())
    for leftover in kept:
        worker.submit(partial(_tidy, hub, leftover), what="tidy")
    return len(kept)


def _tidy(hub: Hub, leftover: Leftover) -> None:
    error = _removed(hub, leftover.account, Receipt(leftover.draft_id))
    if error is None:
        with writing(hub.engine) as session:
            reconciling.forget_draft(session, leftover)
    logger.info("delivery=%s draft %s", leftover.delivery_id, "deleted" if error is None else "kept")
