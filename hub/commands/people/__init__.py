"""Commands of people: everything goes through the REST API, with a person's token."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Put every people's command into the command line."""
