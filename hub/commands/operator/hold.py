"""`relais hold`: the emergency stop of all publishing."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.language import _, ngettext


def build() -> typer.Typer:
    """The commands of the emergency stop."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("on", help=_("Stop all publishing at once."))(on)
    app.command("off", help=_("Let publishing go on."))(off)
    app.command("restored", help=_("Begin again after a restore from a backup."))(restored)
    return app


def on(reason: Annotated[str, typer.Option(help=_("Why; everybody sees it."))]) -> None:
    """Stop everything."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import holding

    hub = open_hub()
    with writing(hub.engine) as session:
        holding.hold(session, reason=reason, by=OPERATOR, at=hub.now())
    terminal.say(_("Everything is stopped: nothing more goes out until “relais hold off”."))


def off(reason: Annotated[str, typer.Option(help=_("Why it may go on."))] = "") -> None:
    """Let everything go on."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.services import holding

    hub = open_hub()
    with writing(hub.engine) as session:
        holding.release(session, reason=reason, by=OPERATOR, at=hub.now())
    terminal.say(_("Publishing goes on. What is too late by now waits for a person."))


def restored(
    backup_from: Annotated[str, typer.Argument(help=_("When the backup was made, such as 2026-11-20T22:00."))],
) -> None:
    """Hold everything, and read back what may have gone out since the backup."""
    from datetime import datetime

    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.domain.errors import Invalid
    from hub.services import holding

    try:
        moment = datetime.fromisoformat(backup_from).astimezone()
    except ValueError as error:
        raise Invalid(
            _("“{text}” is not a date and time. Write it like 2026-11-20T22:00.", text=backup_from)
        ) from error
    hub = open_hub(even_moved=True)  # this is the way back
    with writing(hub.engine) as session:
        number = holding.restored(session, backup_from=moment, by=OPERATOR, at=hub.now(), patience=hub.patience)
    terminal.say(
        ngettext(
            "Everything is on hold. {count} delivery may have gone out since the backup; it is read back now.",
            "Everything is on hold. {count} deliveries may have gone out since the backup; they are read back now.",
            number,
        )
    )
    terminal.say(_("Start “relais serve”; once “relais doctor” tells of none being read back, run “relais hold off”."))
