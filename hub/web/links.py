"""Single-use links on their way to their owners: the one secret that a mail may hold, and kept nowhere else."""

from __future__ import annotations

from datetime import datetime

from hub.domain.person import Person
from hub.domain.sign_in import INVITATION_LASTS, RESET_LASTS, Purpose
from hub.language import _
from hub.mail import Mail, NotSent
from hub.wiring import Hub


def link_of(hub: Hub, plain: str) -> str:
    """The address by which somebody chooses a password."""
    return f"{hub.settings.public_url}/equipe/bienvenue/{plain}"


def send_link(hub: Hub, person: Person, purpose: Purpose, plain: str, *, at: datetime) -> bool:
    """Mail a link to its owner, outside any transaction; False when the mail did not leave."""
    link = link_of(hub, plain)
    subject, text = _invitation(person, link) if purpose is Purpose.INVITATION else _reset(person, link)
    try:
        hub.mailer.send(Mail(to=person.email, name=person.name, subject=subject, text=text, at=at))
    except NotSent:
        return False
    return True


def _invitation(person: Person, link: str) -> tuple[str, str]:
    text = _(
        "Hello {name},\n\nYou are invited to work with Relais. Choose your password here:\n\n{link}\n\n"
        "The link is good for {days} days and once. If you expected no invitation, leave this mail alone.\n",
        name=person.name,
        link=link,
        days=INVITATION_LASTS.days,
    )
    return _("Your invitation to Relais"), text


def _reset(person: Person, link: str) -> tuple[str, str]:
    text = _(
        "Hello {name},\n\nHere you choose a new password for Relais:\n\n{link}\n\n"
        "The link is good for {minutes} minutes and once. If you did not ask for it, leave this mail alone: "
        "your password stays as it is.\n",
        name=person.name,
        link=link,
        minutes=int(RESET_LASTS.total_seconds() // 60),
    )
    return _("A new password for Relais"), text
