"""Tell people by mail: look at what is so now, make notices, and send what is due, one letter after the other."""

from __future__ import annotations

import logging
from typing import Final

from hub.database import reading, writing
from hub.language import _
from hub.logs import line
from hub.mail import NotSent
from hub.services import notifying
from hub.services.delivering import Task
from hub.services.notifying import Letter
from hub.wiring import Hub
from schedules.worker import Worker

logger = logging.getLogger("relais.mails")

MOST_LETTERS: Final = 100
"""How many leave in one pass; the others leave in the next one."""


def mail_due(worker: Worker) -> int:
    """Make the notices that are missing and send the letters that are due; return how many were tried.

    In the clock's own thread, so that there is never a second pass beside this one, and publishing waits for none.
    """
    hub = worker.hub
    _take_note(hub)
    tried = 0
    while tried < MOST_LETTERS and worker.may_begin():
        letter = _take(hub)
        if letter is None:
            break
        tried += 1
        if not _send(hub, letter):
            break
    return tried


def _take_note(hub: Hub) -> None:
    """Looked for without keeping anybody from writing: mostly there is nothing to note."""
    at = hub.now()
    with reading(hub.engine) as session:
        missing = notifying.missing(session, at=at)
    if missing:
        with writing(hub.engine) as session:
            session.add_all(missing)
            notifying.forget(session, at=at)


def _take(hub: Hub) -> Letter | None:
    with reading(hub.engine) as session:
        if not notifying.any_due(session, at=hub.now()):
            return None
    with writing(hub.engine) as session:
        return notifying.take_letter(session, at=hub.now(), public_url=hub.settings.public_url)


def _send(hub: Hub, letter: Letter) -> bool:
    """Send a letter, with no transaction open, and record what came of it; False when no mail leaves at all now."""
    failure: NotSent | None = None
    try:
        hub.mailer.send(letter.mail)
    except NotSent as error:
        failure = error
    except Exception as error:  # one letter that cannot be made must not keep the others, nor the clock, from going on
        logger.exception(line(task=Task.MAIL, person=letter.person_id, outcome="not-made", error=type(error).__name__))
        failure = NotSent(_("An unexpected {kind}: see the log.", kind=type(error).__name__))
    with writing(hub.engine) as session:
        if failure is None:
            notifying.note_sent(session, letter, at=hub.now())
        else:
            notifying.note_failure(session, letter, failure, at=hub.now())
    outcome = "sent" if failure is None else "given-up" if failure.lasting else "not-sent"
    logger.info(
        line(task=Task.MAIL, person=letter.person_id, notices=len(letter.notice_ids), outcome=outcome, why=failure)
    )
    return failure is None or not failure.everybody
