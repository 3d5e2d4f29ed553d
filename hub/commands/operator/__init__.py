"""Commands of those who keep the machine: they work on the database directly, one file per noun."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Put every operator command into the command line."""
