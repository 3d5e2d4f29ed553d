"""`relais reach`: the report per territory, and the tidy export."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.language import _

app = typer.Typer(help=_("How many were reached, per territory."), no_args_is_help=True)

First = Annotated[str | None, typer.Option("--from", metavar="DATE", help=_("First day, such as 2026-12-01."))]
Last = Annotated[str | None, typer.Option("--to", metavar="DATE", help=_("Last day, included."))]


@app.command("report", help=_("Reach over a period; without dates, the last four weeks."))
def report(
    by: Annotated[str, typer.Option(help=_("territory, account, post or kind."))] = "territory",
    first: First = None,
    last: Last = None,
    territory: Annotated[str | None, typer.Option(help=_("Only what counts for this territory."))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False,
) -> None:
    """Print one line per thing, account and kind of figure, with where it comes from."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    query = {"by": by, "from": first, "to": last, "territory": territory}
    told = client.require_login().get("/reach/report", **query)
    if as_json:
        terminal.say_json(told)
        return
    terminal.say(_("From {first} to {last}", first=told["from"], last=told["to"]))
    columns = [_("Code"), _("Name"), _("Account"), _("Posts"), _("Figure"), _("Kind"), _("Provenance")]
    terminal.table(columns, (_line(one) for one in told["rows"]), right=[columns[3], columns[4]])
    if told["silent"]:
        names = ", ".join(told["silent_names"][code] for code in told["silent"])
        terminal.say(_("Nothing was published for: {names}.", names=names))
    if any(one["how"] == "at least" for one in told["rows"]):
        terminal.say(
            _("“At least”: the same person may be reached by several posts, so the highest single reach is told.")
        )
    if any(one["value"] is None for one in told["rows"]):
        terminal.say(_("{nothing} means that the network did not say; it does not mean zero.", nothing=showing.NOTHING))


def _line(row: dict[str, Any]) -> list[object]:
    from hub.commands.people import showing

    provenance = _(showing.PROVENANCES.get(row["provenance"], row["provenance"]))
    return [
        row["key"],
        row["name"],
        row["account"],
        row["posts"],
        showing.figure(row["value"], row["how"]),
        _(showing.UNITS.get(row["unit"], row["unit"])),
        provenance,
    ]


@app.command("export", help=_("Write every figure of a period as tidy rows."))
def export(
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help=_("Where to; - is standard output."))],
    format: Annotated[str, typer.Option(help=_("csv."))] = "csv",  # noqa: A002 - the name of the option
    first: First = None,
    last: Last = None,
) -> None:
    """Write the export; a file is complete or not there."""
    import sys

    from hub.commands import client, terminal

    here = client.require_login()
    query = {"format": format, "from": first, "to": last}
    with here.download("/reach/export", **query) as pieces:
        if output == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        rows = _write(output, pieces)
    terminal.say(_("{file}: {count} rows.", file=output, count=rows))


def _write(output: str, pieces: Any) -> int:
    """Write beside, then rename; return the number of rows below the header."""
    import os
    import tempfile
    from pathlib import Path

    from hub.domain.errors import Invalid

    target = Path(output)
    lines = 0
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise Invalid(_("{file} cannot be written: {why}.", file=output, why=error.strerror)) from error
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for piece in pieces:
                out.write(piece)
                lines += piece.count(b"\n")
        unfinished.chmod(0o644)
        unfinished.replace(target)
    except OSError as error:
        raise Invalid(_("{file} cannot be written: {why}.", file=output, why=error.strerror)) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return max(lines - 1, 0)
