"""Single-use links on their way to their owners: the one secret that a mail may hold, and kept nowhere else."""

from __future__ import annotations

import logging
from datetime import datetime

from hub.domain.person import Person
from hub.domain.sign_in import Purpose
from hub.logs import line
from hub.mail import NotSent
from hub.services import letters
from hub.services.delivering import Task
from hub.wiring import Hub

logger = logging.getLogger("relais.mails")


def link_of(hub: Hub, plain: str) -> str:
    """The address by which somebody chooses a password."""
    return f"{hub.settings.public_url}/equipe/bienvenue/{plain}"


def send_link(hub: Hub, person: Person, purpose: Purpose, plain: str, *, at: datetime) -> bool:
    """Mail a link to its owner, outside any transaction; False when the mail did not leave."""
    write = letters.invitation if purpose is Purpose.INVITATION else letters.reset
    try:
        hub.mailer.send(write(person, link_of(hub, plain), at=at))
    except NotSent as error:
        logger.warning(line(task=Task.MAIL, person=person.id, link=purpose, outcome="not-sent", why=error))
        return False
    logger.info(line(task=Task.MAIL, person=person.id, link=purpose, outcome="sent"))
    return True
