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
    format: Annotated[  # noqa: A002 - the name of the option
        str | None, typer.Option(help=_("csv, xlsx, parquet or jsonl; by default as the name of the file ends."))
    ] = None,
    separator: Annotated[str, typer.Option(help=_("Of CSV: a comma or a semicolon."))] = ",",
    bom: Annotated[bool, typer.Option("--bom", help=_("Of CSV: begin with a byte order mark, for Excel."))] = False,
    first: First = None,
    last: Last = None,
    territory: Annotated[str | None, typer.Option(help=_("Only what counts for this territory."))] = None,
) -> None:
    """Write the export; a file is complete or not there."""
    import sys

    from hub.commands import client, terminal
    from hub.commands.people import saving

    here, kind = client.require_login(), saving.format_of(output, format)
    query = {"format": kind, "from": first, "to": last, "territory": territory}
    if kind == "csv":
        query |= {"separator": separator, "bom": str(bom).lower()}
    with here.download("/reach/export", **query) as download:
        if output == "-":
            saving.pour(download, sys.stdout.buffer, header=kind == "csv", tell=None)
            sys.stdout.buffer.flush()
            return
        with terminal.counting(_("rows")) as tell:
            rows = saving.save(download, output, header=kind == "csv", tell=tell)
    terminal.say(_("{file}: {count} rows.", file=output, count=rows))
