"""Read reach: figures of published posts on their plan, and of the pages themselves once a day."""

from __future__ import annotations

import logging
from functools import partial

from channels import ChannelError
from hub.database import writing
from hub.logs import line
from hub.services import measuring, pacing, surveying
from hub.services.delivering import Task
from hub.services.measuring import Reading
from hub.services.surveying import PageReading
from hub.wiring import Hub
from schedules.asking import ask, word_for
from schedules.worker import Worker

logger = logging.getLogger("relais.collect")


def collect_due(worker: Worker) -> int:
    """Ask for the figures that are due; return how many posts were asked about."""
    hub = worker.hub
    with writing(hub.engine) as session:
        readings = measuring.due_readings(session, at=hub.now(), patience=hub.patience, prices=hub.prices)
    for one in readings:
        worker.submit(partial(_read, hub, one), what=Task.COLLECT)
    return sum(len(one.receipts) for one in readings)


def _read(hub: Hub, one: Reading) -> None:
    heard = ask(hub, one.account, lambda channel: channel.figures(measuring.receipts(one), one.asked))
    answer, at = heard.answer, hub.now()
    with writing(hub.engine) as session:
        if isinstance(answer, ChannelError):
            measuring.note_failure(session, one, answer, at=at, patience=hub.patience)
            kept = 0
        else:
            kept = measuring.keep_figures(session, one, answer, at=at)
        pacing.heed(session, one.account, heard.pace, at=at, patience=hub.patience)
    logger.info(
        line(
            task=Task.COLLECT,
            account=one.account.id,
            posts=len(one.receipts),
            figures=kept,
            outcome=word_for(answer, hub),
        )
    )


def pages_due(worker: Worker) -> int:
    """Ask accounts for their own figures where that is due; return how many were asked."""
    hub = worker.hub
    with writing(hub.engine) as session:
        readings = surveying.due_pages(session, at=hub.now(), patience=hub.patience, prices=hub.prices)
    for one in readings:
        worker.submit(partial(_read_page, hub, one), what=Task.PAGES)
    return len(readings)


def _read_page(hub: Hub, one: PageReading) -> None:
    heard = ask(hub, one.account, lambda channel: channel.page_figures(one.asked, one.since, one.until))
    answer, at = heard.answer, hub.now()
    with writing(hub.engine) as session:
        if isinstance(answer, ChannelError):
            surveying.note_page_failure(session, one, answer, at=at, patience=hub.patience)
            kept = 0
        else:
            kept = surveying.keep_page_figures(session, one, answer, at=at)
        pacing.heed(session, one.account, heard.pace, at=at, patience=hub.patience)
    logger.info(
        line(
            task=Task.PAGES,
            account=one.account.id,
            since=one.since,
            until=one.until,
            figures=kept,
            outcome=word_for(answer, hub),
        )
    )
