"""`relais calendar`: what goes out when, by local time."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.language import _


def calendar(
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help=_("First day, such as 2026-12-01."))
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help=_("Last day, included."))] = None,
    territory: Annotated[str | None, typer.Option(help=_("Only what concerns this territory."))] = None,
    account: Annotated[int | None, typer.Option(help=_("Only this account, by number."))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False,
) -> None:
    """Print deliveries, and posts that wait for approval, in the order of local time."""
    from hub.commands import client, terminal
    from hub.commands.people import showing

    query = {"from": first, "to": last, "territory": territory, "account": account}
    entries = client.require_login().get("/calendar", **query)
    if as_json:
        terminal.say_json(entries)
        return
    if not entries:
        terminal.say(_("Nothing is planned in these days."))
        return
    columns = [_("When"), _("Post"), _("Account"), _("Territory"), _("State"), _("Begins")]
    terminal.table(
        columns,
        (
            (
                showing.local(one["wall_time"], one["zone"]),
                one["post"],
                one["account_name"],
                one["territory_name"],
                one["state_label"],
                one["title"],
            )
            for one in entries
        ),
    )
