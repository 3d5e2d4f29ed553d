"""`relais doctor`: how this hub is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from hub.services.watching import Sign
    from hub.wiring import Hub


def doctor(as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False) -> None:
    """Say what is ill (exit 1) and what needs care."""
    from dataclasses import asdict

    from channels import Light
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub

    hub = open_hub()
    found = examine(hub)
    if as_json:
        terminal.say_json([asdict(sign) for sign in found])
    else:
        marks = {Light.GREEN: "✓", Light.AMBER: "!", Light.RED: "✗"}
        for sign in found:
            terminal.say(f"{marks[sign.light]} {sign.text}")
    if any(sign.light is Light.RED for sign in found):
        raise typer.Exit(terminal.TROUBLE)


def examine(hub: Hub) -> list[Sign]:
    """Everything worth saying, green signs included."""
    from channels import Light
    from hub.database import reading
    from hub.domain.errors import HubError
    from hub.services import rebuilding, sealing, watching
    from hub.services.watching import Sign
    from hub.settings import is_loopback

    found = [Sign("database", Light.GREEN, _("Database: ours and up to date."))]
    found.append(_publisher(hub))
    found.append(watching.disk(hub.settings.home))
    folder = None if hub.settings.smtp_url else hub.settings.mail_folder
    found.append(watching.post_office(folder, public=not is_loopback(hub.settings.public_url)))
    with reading(hub.engine) as session:
        try:
            opened = sealing.require_all_open(session, hub.vault)
            text = (
                ngettext("Secret key: opens the {count} secret.", "Secret key: opens all {count} secrets.", opened)
                if opened
                else _("Secret key: it is here, and there is no secret to open yet.")
            )
            found.append(Sign("keys", Light.GREEN, text))
        except HubError as error:
            found.append(Sign("keys", Light.RED, str(error)))
        found += watching.signs(session, at=hub.now(), prices=hub.prices)
        if rebuilding.is_due(session):
            text = _("Reports do not tell all that was read: “relais figures rebuild” counts it again.")
            found.append(Sign("figures", Light.AMBER, text))
    return found


def _publisher(hub: Hub) -> Sign:
    """Whether anybody publishes: who holds the lock of this folder, or who was heard of in a shared database."""
    from filelock import FileLock, Timeout

    from channels import Light
    from hub.database import on_server, reading
    from hub.services import watching
    from hub.services.watching import Sign

    if on_server(hub.engine):
        with reading(hub.engine) as session:
            return watching.workers(session, at=hub.now())
    try:
        with FileLock(hub.settings.lock_file).acquire(timeout=0):
            return Sign("clock", Light.AMBER, _("Nobody publishes right now: start “relais serve”."))
    except Timeout:
        return Sign("clock", Light.GREEN, _("Clock: a Relais is publishing from this folder."))
