"""`relais metrics`: what each figure of a network counts, since when and until when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.language import _

if TYPE_CHECKING:
    from hub.domain.metric import Metric

AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]


def build() -> typer.Typer:
    """The commands on metrics."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("list", help=_("List what networks tell, what it counts and since when."))(list_metrics)
    app.command("import", help=_("Bring in metrics from a CSV file: all of them, or none when one is wrong."))(bring_in)
    return app


def list_metrics(as_json: AsJson = False) -> None:
    """List the catalogue."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import cataloguing

    with reading(open_hub().engine) as session:
        catalogue = cataloguing.catalogue(session)
        told = [_told(one) for one in catalogue.metrics]
        rows = [_row(one) for one in catalogue.metrics]
    if as_json:
        terminal.say_json({"version": catalogue.version, "metrics": told})
        return
    columns = [_("Network"), _("What"), _("Metric"), _("Period"), _("Counts"), _("In reports"), _("From"), _("Until"),
               _("Replaces"), _("Origin")]  # fmt: skip
    terminal.table(columns, rows)
    terminal.say(_("Version of the catalogue: {version}", version=catalogue.version))


def bring_in(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help=_("CSV with the columns that docs/reach.md describes; - for stdin.")),
    ],
    as_json: AsJson = False,
) -> None:
    """Bring in a file of metrics, and count reports again where they count something else now."""
    from hub.commands import terminal
    from hub.commands.operator import figures
    from hub.commands.operator.opening import open_hub
    from hub.database import reading, writing
    from hub.services import cataloguing, rebuilding

    lines = terminal.read_table(file)
    hub = open_hub()
    with writing(hub.engine) as session:
        done = cataloguing.bring_in(session, lines, at=hub.now())
    with reading(hub.engine) as session:
        due = rebuilding.is_due(session)
    proof = figures.count_again(hub.engine, at=hub.now()) if due else None
    if as_json:
        told = {"added": done.added, "changed": done.changed, "unchanged": done.unchanged}
        terminal.say_json({**told, "counted_again": proof is not None, "deliveries": proof.differing if proof else []})
        return
    terminal.say(
        _(
            "Metrics added: {added}; changed: {changed}; as before: {unchanged}.",
            added=done.added,
            changed=done.changed,
            unchanged=done.unchanged,
        )
    )
    if proof is not None:
        terminal.say(_("Reports were counted again.") + " " + figures.mended(proof))


def _told(one: Metric) -> dict[str, Any]:
    days = {"valid_from": one.valid_from.isoformat(), "valid_until": one.valid_until and one.valid_until.isoformat()}
    return one.model_dump(mode="json", exclude={"id"}) | days


def _row(one: Metric) -> tuple[object, ...]:
    from hub.domain.metric import Origin, Subject
    from hub.services.reporting import UNIT_NAMES

    return (
        one.network.value,
        _("posts") if one.subject is Subject.POST else _("pages"),
        one.name,
        one.period,
        _(UNIT_NAMES[one.unit]),
        _("yes") if one.counted else _("no"),
        one.valid_from,
        one.valid_until,
        one.replaces,
        _("shipped") if one.origin is Origin.SHIPPED else _("local"),
    )
