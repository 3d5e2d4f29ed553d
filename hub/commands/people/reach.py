"""`relais reach`: the report per territory, and the tidy export."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.language import _

app = typer.Typer(help=_("How many were reached, per territory."), no_args_is_help=True)

First = Annotated[str | None, typer.Option("--from", metavar="DATE", help=_("First day, such as 2026-12-01."))]
Last = Annotated[str | None, typer.Option("--to", metavar="DATE", help=_("Last day, included."))]


Territory = Annotated[str | None, typer.Option(help=_("Only what counts for this territory."))]
Network = Annotated[str | None, typer.Option(help=_("Only one network: facebook, x or portal."))]
Kind = Annotated[str | None, typer.Option(help=_("Only one kind: event, option, meeting, advice or news."))]
Account = Annotated[int | None, typer.Option(help=_("Only one account, by its number."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]


@app.command("report", help=_("Reach over a period; without dates, the last four weeks."))
def report(
    by: Annotated[str, typer.Option(help=_("territory, account, post or kind."))] = "territory",
    first: First = None,
    last: Last = None,
    territory: Territory = None,
    network: Network = None,
    kind: Kind = None,
    account: Account = None,
    as_json: AsJson = False,
) -> None:
    """Print one line per thing, account and kind of figure, with where it comes from and how it changed."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    query = {"by": by, "from": first, "to": last, "territory": territory, "network": network, "kind": kind}
    told = client.require_login().get("/reach/report", **query, account=account)
    if as_json:
        terminal.say_json(told)
        return
    terminal.say(_("From {first} to {last}", first=told["from"], last=told["to"]))
    columns = [_("Code"), _("Name"), _("Account"), _("Posts"), _("Figure"), "", _("Kind"), _("Change"), _("Provenance")]
    highest = _highest(told["rows"])
    terminal.table(columns, (_line(one, highest) for one in told["rows"]), right=[columns[3], columns[4], columns[7]])
    if told["silent"]:
        names = ", ".join(told["silent_names"][code] for code in told["silent"])
        terminal.say(_("Nothing was published for: {names}.", names=names))
    if any(one["how"] == "at least" for one in told["rows"]):
        terminal.say(
            _("“At least”: the same person may be reached by several posts, so the highest single reach is told.")
        )
    if any(one["value"] is None for one in told["rows"]):
        terminal.say(_("{nothing} means that the network did not say; it does not mean zero.", nothing=showing.NOTHING))
    if any(one["change"] is not None for one in told["rows"]):
        terminal.say(
            _("“Change” compares with {first} to {last}.", first=told["before"]["from"], last=told["before"]["to"])
        )
    _say_breaks(told["breaks"])


def _highest(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    """What bars are measured by: the highest figure of the same kind, network and provenance."""
    highest: dict[tuple[str, str, str], int] = {}
    for row in rows:
        measure = _measure(row)
        highest[measure] = max(highest.get(measure, 0), row["value"] or 0)
    return highest


def _measure(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["unit"], row["network"], row["provenance"]


def _line(row: dict[str, Any], highest: dict[tuple[str, str, str], int]) -> list[object]:
    from hub.commands.people import showing

    return [
        row["key"],
        row["name"],
        row["account"],
        row["posts"],
        showing.figure(row["value"], row["how"]),
        showing.bar(row["value"], highest[_measure(row)], width=12),
        _(showing.UNITS.get(row["unit"], row["unit"])),
        showing.change(row["change"]),
        _(showing.PROVENANCES.get(row["provenance"], row["provenance"])),
    ]


def _say_breaks(breaks: list[dict[str, Any]]) -> None:
    from hub.commands import terminal
    from hub.commands.people import showing

    for one in breaks:
        terminal.warn(
            _(
                "From {day} on, {unit} on {network} are another measure ({after} instead of {before}): what lies "
                "before and after does not compare.",
                day=one["day"],
                unit=_(showing.UNITS[one["unit"]]),
                network=one["network"],
                before=one["before"],
                after=one["after"],
            )
        )


@app.command("trend", help=_("Reach as it changes, with small bars; without dates, the last four weeks."))
def trend(
    step: Annotated[str | None, typer.Option(help=_("day, week or month; otherwise what fits the period."))] = None,
    unit: Annotated[str | None, typer.Option(help=_("Only one kind of figure, such as people or views."))] = None,
    first: First = None,
    last: Last = None,
    territory: Territory = None,
    network: Network = None,
    kind: Kind = None,
    account: Account = None,
    as_json: AsJson = False,
) -> None:
    """Print one line per step, network, provenance and kind of figure."""
    from hub.commands import client, terminal
    from hub.commands.people import showing
    from hub.domain.errors import Invalid

    if unit is not None and unit not in showing.UNITS:
        raise Invalid(_("There is no kind of figure “{unit}”: {all}.", unit=unit, all=", ".join(showing.UNITS)))
    query = {"step": step, "from": first, "to": last, "territory": territory, "network": network, "kind": kind}
    told = client.require_login().get("/reach/trend", **query, account=account)
    if as_json:
        terminal.say_json(told)
        return
    terminal.say(_("From {first} to {last}", first=told["from"], last=told["to"]))
    rows = [
        {
            "first": point["first"],
            "network": point["network"],
            "provenance": point["provenance"],
            "unit": name,
            **figure,
        }
        for point in told["points"]
        for name, figure in point["figures"].items()
        if unit in (None, name)
    ]
    rows.sort(key=lambda row: (row["network"], row["provenance"], row["unit"], row["first"]))
    highest = _highest(rows)
    columns = [_("From"), _("Network"), _("Provenance"), _("Kind"), _("Figure"), ""]
    lines = [
        [
            row["first"],
            row["network"],
            _(showing.PROVENANCES[row["provenance"]]),
            _(showing.UNITS[row["unit"]]),
            showing.figure(row["value"], row["how"]),
            showing.bar(row["value"], highest[_measure(row)], width=24),
        ]
        for row in rows
    ]
    if lines:
        terminal.table(columns, lines, right=[columns[4]])
    else:
        terminal.say(_("Nothing was published in this period."))
    _say_breaks(told["breaks"])


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
