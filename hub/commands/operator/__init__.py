"""Commands of those who keep the machine: they work on the database directly, one file per noun."""

from __future__ import annotations

import typer

from hub.language import _


def register(app: typer.Typer) -> None:
    """Put every operator command into the command line."""
    from hub.commands import territory
    from hub.commands.operator import init

    app.command("init", help=_("Make database, key and reference data, or bring them up to date."))(init.init)
    app.add_typer(territory.app, name="territory")
