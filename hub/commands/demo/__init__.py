"""`relais demo`: a country to play with, on our own Facebook and X; nothing leaves this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.language import _


def demo(
    port: Annotated[int, typer.Option(help=_("Port to serve on."), min=0, max=65535)] = 8000,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", help=_("Folder of the demo, made if absent, taken up again if present; default: a temporary one.")
        ),
    ] = None,
    once: Annotated[bool, typer.Option(help=_("Play, count, and do not serve."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print one JSON object of counts."))] = False,
) -> None:
    """Play three weeks of a whole country on the sandbox, then serve it."""
    from hub.commands.demo.performance import perform

    if not perform(port=port, folder=folder, once=once, as_json=as_json):
        raise typer.Exit(1)
