"""`relais geo keys`: by which keys a network is told a territory, and who has looked at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from hub.domain.gate import GeoKey, Precision

AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]


def build() -> typer.Typer:
    """The commands on geography."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    keys.command("import", help=_("Bring in keys from a CSV file: all of them, or none when a row is wrong."))(bring_in)
    keys.command("list", help=_("List keys and how well they fit their territories."))(list_keys)
    keys.command("review", help=_("Say that the keys of territories are right; only then are they used."))(review)
    app.add_typer(keys, name="keys", help=_("Network keys of territories."))
    return app


def bring_in(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=_("CSV with territory,kind,key,name,covers,source; - for stdin."))
    ],
    network: Annotated[str, typer.Option(help=_("The network whose keys they are."))] = "facebook",
    source: Annotated[str, typer.Option(help=_("Where the keys come from, for rows that do not say."))] = "",
    as_json: AsJson = False,
) -> None:
    """Bring in a file of keys."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.account import AccountNetwork
    from hub.domain.audit import OPERATOR
    from hub.domain.errors import Invalid
    from hub.services import reviewing

    if network not in set(AccountNetwork):
        raise Invalid(
            _("Unknown network “{network}”: one of {known}.", network=network, known=", ".join(AccountNetwork)),
            field="network",
        )
    rows = reviewing.read_rows("".join(terminal.read_table(file)))
    hub = open_hub()
    with writing(hub.engine) as session:
        done = reviewing.import_keys(
            session,
            rows,
            network=AccountNetwork(network),
            source=source or (file.name if str(file) != "-" else "stdin"),
            by=OPERATOR,
            at=hub.now(),
        )
        missing = reviewing.territories_without_keys(session, AccountNetwork(network))
    if as_json:
        told = {"added": done.added, "changed": done.changed, "unchanged": done.unchanged}
        terminal.say_json({**told, "territories_without_reviewed_keys": missing})
        return
    terminal.say(
        _(
            "Keys added: {added}; changed: {changed}; as before: {unchanged}.",
            added=done.added,
            changed=done.changed,
            unchanged=done.unchanged,
        )
    )
    if done.added or done.changed:
        terminal.say(_("New and changed keys are used once a person has reviewed them: relais geo keys review."))


def list_keys(
    territory: Annotated[str | None, typer.Option(help=_("Only the keys of this territory."))] = None,
    unreviewed: Annotated[bool, typer.Option("--unreviewed", help=_("Only those nobody has reviewed."))] = False,
    as_json: AsJson = False,
) -> None:
    """List keys with the precision of each territory."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import geotargeting, reviewing

    with reading(open_hub().engine) as session:
        if territory is not None:
            geotargeting.require_territories(session, [territory.upper()], name="territory")
        keys = reviewing.list_keys(session, territory and territory.upper(), unreviewed=unreviewed)
        whole = keys if not unreviewed else reviewing.list_keys(session, territory and territory.upper())
        fits = reviewing.precisions(session, whole)
        missing, whole_count = reviewing.territories_without_keys(session), len(reviewing.territories_to_tell(session))
        told = [_told(key, fits.get(key.territory_code)) for key in keys]
        rows = [_row(key, fits.get(key.territory_code)) for key in keys]
    if as_json:
        terminal.say_json(told)
        return
    columns = [_("Territory"), _("Kind"), _("Key"), _("Name"), _("Covers"), _("Covered %"), _("Spilled %"),
               _("Source"), _("Reviewed")]  # fmt: skip
    terminal.table(columns, rows, right=columns[5:7])
    if missing and territory is None:
        terminal.warn(
            ngettext(
                "{count} of {whole} territories has no reviewed key: {codes}",
                "{count} of {whole} territories have no reviewed key: {codes}",
                len(missing),
                whole=whole_count,
                codes=" ".join(missing),
            )
        )


def review(
    territories: Annotated[
        list[str] | None, typer.Argument(metavar="[TERRITORY]…", help=_("Codes of the territories."))
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help=_("All that nobody has reviewed yet."))] = False,
    as_json: AsJson = False,
) -> None:
    """Review the keys of territories."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import writing
    from hub.domain.audit import OPERATOR
    from hub.domain.errors import Invalid
    from hub.services import reviewing

    if bool(territories) == everything:
        raise Invalid(_("Name the territories whose keys you have looked at, or say --all."), field="territories")
    hub = open_hub()
    with writing(hub.engine) as session:
        codes = [code.upper() for code in territories or ()]
        if everything:
            codes = sorted({key.territory_code for key in reviewing.list_keys(session, unreviewed=True)})
        count = reviewing.review(session, codes, by=OPERATOR, at=hub.now()) if codes else 0
        missing = reviewing.territories_without_keys(session)
    if as_json:
        terminal.say_json({"reviewed": count, "territories_without_reviewed_keys": missing})
    else:
        reviewed = (
            ngettext("{count} key is now reviewed.", "{count} keys are now reviewed.", count)
            if count
            else _("No key was left to review.")
        )
        left = (
            ngettext(
                "{count} territory still has no reviewed key.",
                "{count} territories still have no reviewed key.",
                len(missing),
            )
            if missing
            else _("Every territory has a reviewed key.")
        )
        terminal.say(f"{reviewed} {left}")


def _told(key: GeoKey, fit: Precision | None) -> dict[str, Any]:
    return {
        "network": key.network.value,
        "territory": key.territory_code,
        "kind": key.kind.value,
        "key": key.key,
        "name": key.name,
        "covers": key.covers,
        "source": key.source,
        "covered": fit and fit.covered,
        "spilled": fit and fit.spilled,
        "reviewed_at": key.reviewed_at,
        "reviewed_by": key.reviewed_by,
    }


def _row(key: GeoKey, fit: Precision | None) -> tuple[object, ...]:
    reviewed = f"{key.reviewed_at:%Y-%m-%d} {key.reviewed_by}" if key.reviewed_at else _("no")
    exact = (fit.covered, fit.spilled) if fit else ("?", "?")
    return key.territory_code, key.kind.value, key.key, key.name, " ".join(key.covers), *exact, key.source, reviewed
