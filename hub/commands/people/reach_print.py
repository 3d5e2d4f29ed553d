"""`relais reach print`: the report of a territory or of the country, as a file to print."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.commands.people.reach import First, Last
from hub.language import _


def print_report(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help=_("Where to: a name that ends in .pdf or .html."))
    ],
    territory: Annotated[
        str | None, typer.Option(help=_("Only what counts for this territory; without one, all that is yours."))
    ] = None,
    first: First = None,
    last: Last = None,
) -> None:
    """Write the report; a file is complete or not there."""
    from pathlib import Path

    from hub.commands import client, terminal
    from hub.commands.people import saving
    from hub.domain.errors import Invalid

    format_ = Path(output).suffix.lower().removeprefix(".")
    if format_ not in {"pdf", "html"}:
        raise Invalid(_("Name a file that ends in .pdf or .html."), field="--output")
    query = {"format": format_, "from": first, "to": last, "territory": territory}
    with client.require_login().download("/reach/print", **query) as download:
        saving.save(download, output, header=False)
    terminal.say(_("{file} is written.", file=output))
