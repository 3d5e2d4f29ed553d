"""Read reach: figures of published posts, on their plan."""

from __future__ import annotations

import logging
from functools import partial

from channels import ChannelError, Figures, Unreachable
from hub.database import writing
from hub.domain.errors import HubError
from hub.services import measuring
from hub.services.measuring import Reading
from hub.wiring import Hub
from schedules.worker import Worker

logger = logging.getLogger("relais.collect")


def collect_due(worker: Worker) -> int:
    """Ask for the figures that are due; return how many posts were asked about."""
    hub = worker.hub
    with writing(hub.engine) as session:
        readings = measuring.due_readings(session, at=hub.now(), patience=hub.patience)
    for one in readings:
        worker.submit(partial(_read, hub, one), what="collect")
    return sum(len(one.receipts) for one in readings)


def _read(hub: Hub, one: Reading) -> None:
    answer = _figures(hub, one)
    with writing(hub.engine) as session:
        if isinstance(answer, ChannelError):
            measuring.note_failure(session, one, answer, at=hub.now(), patience=hub.patience)
            kept = 0
        else:
            kept = measuring.keep_figures(session, one, answer, at=hub.now())
    what = type(answer).__name__ if isinstance(answer, ChannelError) else "ok"
    logger.info("account=%s figures=%s posts=%s outcome=%s", one.account.id, kept, len(one.receipts), what)


def _figures(hub: Hub, one: Reading) -> Figures | ChannelError:
    try:
        channel = hub.channel_for(one.account)
    except HubError as error:
        return Unreachable(str(error))
    try:
        return channel.figures(measuring.receipts(one))
    except ChannelError as error:
        return error
    finally:
        channel.close()
