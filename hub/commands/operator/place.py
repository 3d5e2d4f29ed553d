"""`relais place`: bring in structures that receive young people, and look at them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from hub.services.places.taking import Brought

AsJson = Annotated[bool, typer.Option("--json", help=_("Print data for programs."))]

MOST_LISTED = 200
"""Places that are listed unless all are asked for."""


def build() -> typer.Typer:
    """The commands on places."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("import", help=_("Bring in a file of places, or of sectors; rows that cannot be taken are told."))(
        bring_in
    )
    app.command("list", help=_("List places."))(list_places)
    app.command("show", help=_("Show one place: contact, hours, sector, source and date."))(show)
    app.command("types", help=_("List the kinds of places."))(list_types)
    return app


def bring_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("CSV or JSON, as docs/places.md describes."))],
    format_name: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help=_("own, data-inclusion, education, dila, sectors or onisep.")),
    ],
    source: Annotated[
        str | None,
        typer.Option("--source", help=_("Name of the source, where you have several files.")),
    ] = None,
    is_whole: Annotated[
        bool, typer.Option("--whole", help=_("The file is the whole source: end whatever it lacks, however much."))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring in a file; exit 1 when rows were refused."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading, writing
    from hub.services.places import bringing, taking

    hub = open_hub()
    with ExitStack() as stack:
        with terminal.progress(_("Places")) as told, reading(hub.engine) as session:
            taken = stack.enter_context(taking.taken(session, file, format_name, source=source, told=told))
        with writing(hub.engine) as session:
            brought = bringing.bring_in(session, taken, at=hub.now(), is_whole=is_whole)
    if as_json:
        terminal.say_json(vars(brought))
    else:
        _tell(brought)
    if brought.refused:
        raise typer.Exit(terminal.TROUBLE)


def _tell(brought: Brought) -> None:
    from hub.commands import terminal

    for line in [*brought.refused, *brought.remarks]:
        terminal.warn(line)
    for line in brought.kept:
        terminal.say(line)
    terminal.say(
        _("Places added: {added}; changed: {changed}; as before: {unchanged}; of other kinds, left aside: {aside}.",
          added=brought.added, changed=brought.changed, unchanged=brought.unchanged, aside=brought.left_aside)
    )  # fmt: skip
    counted = (
        (brought.sectors, ngettext("{count} commune came to a sector or left one.",
                                   "{count} communes came to a sector or left one.", brought.sectors)),
        (brought.proposals, ngettext("{count} open day is proposed.", "{count} open days are proposed.",
                                     brought.proposals)),
        (brought.ended, ngettext("{count} place is not in the source any more; it is kept, marked as ended.",
                                 "{count} places are not in the source any more; they are kept, marked as ended.",
                                 brought.ended)),
    )  # fmt: skip
    for count, words in counted:
        if count:
            terminal.say(words)
    if brought.missing:
        terminal.warn(
            ngettext(
                "{count} place of this source is not in the file, which may be a part of it or was not read whole: it "
                "is left as it was; --whole ends it.",
                "{count} places of this source are not in the file, which may be a part of it or was not read whole: "
                "they are left as they were; --whole ends them.",
                brought.missing,
            )
        )


def list_places(
    territory: Annotated[
        str | None,
        typer.Option("--territory", metavar="CODE", help=_("Of a territory, such as A-14, D-35 or C-35238.")),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=_("Of a kind; see “relais place types”."))
    ] = None,
    only_stale: Annotated[bool, typer.Option("--stale", help=_("Nobody has looked at them for 18 months."))] = False,
    every: Annotated[bool, typer.Option("--all", help=_("All of them, ended and merged ones too."))] = False,
    as_json: AsJson = False,
) -> None:
    """List places; exit 4 when there are none."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import placing

    hub = open_hub()
    with reading(hub.engine) as session:
        places = placing.listed(session, territory=territory, kind=kind, living=not every)
        if only_stale:
            places = [one for one in places if placing.is_stale(one, hub.now())]
        told = [one.model_dump(mode="json") for one in places]
    if as_json:
        terminal.say_json(told)
    elif told:
        columns = [_("Number"), _("Kind"), _("Name"), _("Commune"), _("Phone"), _("Source"), _("Date")]
        shown = told if every else told[:MOST_LISTED]
        terminal.table(columns, [_row(one) for one in shown], right=columns[:1])
        if len(told) > len(shown):
            terminal.say(
                _("{shown} of {count} places; --territory and --type narrow them, --all shows all.",
                  shown=len(shown), count=len(told))
            )  # fmt: skip
    if not told:
        terminal.warn(_("There is no such place: “relais place import” brings places in."))
        raise typer.Exit(terminal.NOTHING_FOUND)


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    looked = max(filter(None, (one["dated_on"], one["checked_on"])), default="")
    commune = one["territory_code"].removeprefix("C-")
    return one["id"], one["type_code"], one["name"], commune, one["phone"], one["source"], looked


def show(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help=_("Its number, as “relais place list” shows it."))],
    as_json: AsJson = False,
) -> None:
    """Show one place with its sector and its open days."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import placing

    with reading(open_hub().engine) as session:
        place = placing.get_place(session, number)
        told = place.model_dump(mode="json")
        told["sectors"] = placing.sector(session, number)
        told["open_days"] = [{"text": one.text, "state": one.state.value} for one in placing.proposals(session, number)]
    if as_json:
        terminal.say_json(told)
        return
    told["sectors"] = " ".join(code.removeprefix("C-") for code in told["sectors"])
    told["open_days"] = " | ".join(f"{one['text']} ({one['state']})" for one in told["open_days"])
    rows = [(name, _worded(value)) for name, value in told.items() if value not in ("", None)]
    terminal.table([_("What"), _("Value")], rows)


def _worded(value: object) -> object:
    import json

    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def list_types(as_json: AsJson = False) -> None:
    """List the kinds."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import placing

    with reading(open_hub().engine) as session:
        told = [one.model_dump(mode="json") for one in placing.kinds(session)]
    if as_json:
        terminal.say_json(told)
        return
    yes, no = _("yes"), _("no")
    terminal.table(
        [_("Kind"), _("Name"), _("Has sectors"), _("What one finds there")],
        [(one["code"], one["name"], yes if one["has_sectors"] else no, one["does"]) for one in told],
    )
