"""`relais population`: how many people each territory has of those that posts are meant for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import N_, _, ngettext

if TYPE_CHECKING:
    from hub.domain.population import Cohort

AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]

COHORT_NAMES = {"young": N_("young people (16 to 25)"), "leavers": N_("early leavers")}


def build() -> typer.Typer:
    """The commands on populations."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("import", help=_("Bring in populations from a CSV file: all rows, or none when one is wrong."))(
        bring_in
    )
    app.command("list", help=_("List the newest population of each territory, with year and source."))(list_populations)
    return app


def bring_in(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=_("CSV with territory;cohort;year;number;source; - for stdin.")),
    ],
    as_json: AsJson = False,
) -> None:
    """Bring in a file of populations."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.population import Cohort
    from hub.services import populating

    lines = terminal.read_table(file)
    hub = open_hub()
    with writing(hub.engine) as session:
        done = populating.bring_in(session, lines, at=hub.now())
        missing = {cohort: populating.academies_without(session, cohort) for cohort in Cohort}
    if as_json:
        told = {"added": done.added, "changed": done.changed, "unchanged": done.unchanged}
        terminal.say_json({**told, "missing": {cohort.value: codes for cohort, codes in missing.items()}})
        return
    terminal.say(
        _(
            "Populations added: {added}; changed: {changed}; as before: {unchanged}.",
            added=done.added,
            changed=done.changed,
            unchanged=done.unchanged,
        )
    )
    if codes := missing[Cohort.YOUNG]:
        terminal.warn(
            ngettext(
                "{count} territory has no population of young people, and no rates: {codes}",
                "{count} territories have no population of young people, and no rates: {codes}",
                len(codes),
                codes=" ".join(codes),
            )
        )


def list_populations(as_json: AsJson = False) -> None:
    """List populations, sums of parts too."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.domain.population import Cohort
    from hub.services import geotargeting, populating

    with reading(open_hub().engine) as session:
        known = [one for cohort in Cohort for one in populating.newest(session, cohort).values()]
        known.sort(key=lambda one: (one.territory_code, list(Cohort).index(Cohort(one.cohort))))
        land = geotargeting.atlas(session, {one.territory_code for one in known})
        told = [one.model_dump(mode="json") | {"name": land.name(one.territory_code)} for one in known]
    if as_json:
        terminal.say_json(told)
        return
    if not told:
        terminal.say(_("No population is known yet: “relais population import” brings them in."))
        return
    columns = [_("Territory"), _("Name"), _("Group"), _("Year"), _("Number"), _("Source")]
    rows = [
        (one["territory_code"], one["name"], _cohort(one["cohort"]), one["year"], one["number"], one["source"])
        for one in told
    ]
    terminal.table(columns, rows, right=columns[3:5])


def _cohort(cohort: Cohort | str) -> str:
    return _(COHORT_NAMES[str(cohort)])
