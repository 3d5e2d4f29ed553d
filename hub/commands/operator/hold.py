"""`relais hold`: the emergency stop of all publishing."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.language import _


def build() -> typer.Typer:
    """The commands of the emergency stop."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("on", help=_("Stop all publishing at once."))(on)
    app.command("off", help=_("Let publishing go on."))(off)
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
