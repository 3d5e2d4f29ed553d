"""Read reach: figures of published posts on their plan, and of the pages themselves once a day."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from channels import ChannelError
from hub.database import writing
from hub.logs import line
from hub.services import measuring, pacing, surveying
from hub.services.delivering import Task
from hub.services.measuring import Reading
from hub.services.surveying import PageReading
from hub.wiring import Hub
from schedules.asking import Heard, ask, word_for
from schedules.worker import Worker

logger = logging.getLogger("relais.collect")


def collect_due(worker: Worker) -> int:
    """Ask for the figures that are due; return how many posts were asked about."""
    hub = worker.hub
    if worker.counting:
        return 0
    with writing(hub.engine) as session:
        readings = measuring.due_readings(session, at=hub.now(), patience=hub.patience, prices=hub.prices)
    for one in readings:
        worker.submit(partial(_read, hub, one), what=Task.COLLECT, counts=True)
    return sum(len(one.receipts) for one in readings)


def _read(hub: Hub, one: Reading) -> None:
    heard = ask(hub, one.account, lambda channel: channel.figures(measuring.receipts(one), one.asked))
    posts = len(one.receipts)
    _record(hub, Task.COLLECT, one, heard, measuring.keep_figures, measuring.note_failure, posts=posts)


def pages_due(worker: Worker) -> int:
    """Ask accounts for their own figures where that is due; return how many were asked."""
    hub = worker.hub
    if worker.counting:
        return 0
    with writing(hub.engine) as session:
        readings = surveying.due_pages(session, at=hub.now(), patience=hub.patience, prices=hub.prices)
    for one in readings:
        worker.submit(partial(_read_page, hub, one), what=Task.PAGES, counts=True)
    return len(readings)


def _read_page(hub: Hub, one: PageReading) -> None:
    heard = ask(hub, one.account, lambda channel: channel.page_figures(one.asked, one.since, one.until))
    span = {"since": one.since, "until": one.until}
    _record(hub, Task.PAGES, one, heard, surveying.keep_page_figures, surveying.note_page_failure, **span)


def _record(
    hub: Hub,
    task: Task,
    one: Reading | PageReading,
    heard: Heard[Any],
    keep: Callable[..., int],
    fail: Callable[..., None],
    **told: object,
) -> None:
    """Write down what was answered, in one transaction, and say so."""
    answer, at, kept = heard.answer, hub.now(), 0
    with writing(hub.engine) as session:
        if isinstance(answer, ChannelError):
            fail(session, one, answer, at=at, patience=hub.patience)
        else:
            kept = keep(session, one, answer, at=at)
        pacing.heed(session, one.account, heard.pace, at=at, patience=hub.patience)
    logger.info(line(task=task, account=one.account.id, **told, figures=kept, outcome=word_for(answer, hub)))
