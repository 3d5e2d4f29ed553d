"""`relais territory find`: which commune, département and académie; through the API when logged in, else from here."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.language import _, ngettext

app = typer.Typer(help=_("Communes, départements and académies."), no_args_is_help=True)

SHOWN = ("insee", "name", "postcodes", "departement", "academie_code", "academie", "lat", "lon", "code")
"""What `--json` prints of each commune, in this order."""

Point = tuple[float, float]
Row = dict[str, Any]


@app.command("find", help=_("Find a commune by INSEE code, postcode, name or nearness."))
def find(
    query: Annotated[
        list[str] | None,
        typer.Argument(help=_("INSEE code, postcode or name; « Nom (département) » for one of several.")),
    ] = None,
    near: Annotated[
        str | None, typer.Option("--near", metavar="LAT,LON", help=_("The communes nearest to a point."))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False,
) -> None:
    """Print what was found, the likeliest first; exit 4 when nothing was."""
    from hub.commands import terminal

    words, point = _asked(" ".join(query or []).strip(), near)
    rows = _ask(words, point)
    if as_json:
        terminal.say_json([{name: row[name] for name in SHOWN} for row in rows])
    elif rows:
        _show(rows, words)
    if not rows:
        terminal.warn(_nothing(words))
        raise typer.Exit(terminal.NOTHING_FOUND)


@app.command("import", help=_("Take the communes of a file from now on: JSON of geo.api.gouv.fr, or CSV like ours."))
def bring_in(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("Such as communes.json, with its exact points."))],
) -> None:
    """Bring communes and their points in line with an official file."""
    from hub.commands.operator import init

    init.load_communes(file)


def _asked(words: str, near: str | None) -> tuple[str, Point | None]:
    """Either words or a point, checked."""
    from hub.domain.errors import Invalid

    if bool(words) == (near is not None):
        raise Invalid(
            _(
                "Say either what to look for or where, such as “relais territory find Rennes” "
                "or “relais territory find --near 48.11,-1.67”."
            )
        )
    return words, None if near is None else _point(near)


def _point(near: str) -> Point:
    from hub.domain.errors import Invalid

    try:
        lat, lon = (float(part) for part in near.replace(";", ",").split(","))
    except ValueError as error:
        raise Invalid(
            _("“{near}” is not a point: give latitude and longitude in degrees, such as 48.11,-1.67.", near=near),
            field="near",
        ) from error
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise Invalid(
            _(
                "{near} is not on Earth: latitude goes from -90 to 90 and comes first, longitude from -180 to 180.",
                near=near,
            ),
            field="near",
        )
    return lat, lon


def _ask(words: str, point: Point | None) -> list[Row]:
    client = _client()
    return _through_the_api(client, words, point) if client is not None else _from_the_database(words, point)


def _client() -> Any:
    """The client of whoever is logged in, or None."""
    if find_spec("hub.commands.client") is None:
        return None
    return import_module("hub.commands.client").logged_in()


def _through_the_api(client: Any, words: str, point: Point | None) -> list[Row]:
    if point is None:
        rows = client.get("/territories", query=words)
    else:
        rows = client.get("/territories", near=f"{point[0]},{point[1]}")
    return list(rows)


def _from_the_database(words: str, point: Point | None) -> list[Row]:
    from dataclasses import asdict

    from hub.database import build_engine, explained, reading, require_current
    from hub.services import finding
    from hub.settings import read_settings

    engine = build_engine(read_settings().database)
    try:
        require_current(engine)
        with explained(engine), reading(engine) as session:
            found = finding.find_territories(session, words) if point is None else finding.find_near(session, *point)
        return [asdict(one) for one in found]
    finally:
        engine.dispose()


def _show(rows: list[Row], words: str) -> None:
    from hub.commands import terminal

    several = _several(rows, words)
    if several:
        terminal.say(several)
    columns = [_("Commune"), _("INSEE"), _("Postcodes"), _("Académie"), _("Code")]
    lines = [
        [
            f"{row['name']} ({row.get('departement_name') or row['departement']})",
            row["insee"],
            _some(row["postcodes"]),
            f"{row['academie']} ({row['academie_code']})",
            row["code"],
        ]
        for row in rows
    ]
    notes = [_note(row) for row in rows]
    if any(notes):
        columns.append(_("Note"))
        lines = [[*line, note] for line, note in zip(lines, notes, strict=True)]
    terminal.table(columns, lines)


def _several(rows: list[Row], words: str) -> str | None:
    """What to say above a choice; nothing when there is none to make."""
    from hub.domain.territory import search_key

    living = [row for row in rows if not row.get("ended_on")]
    by_postcode = [row for row in living if words in row["postcodes"]]
    exact = by_postcode or [row for row in living if search_key(row["name"]) == search_key(words)]
    if len(exact) < 2:
        return None
    academies = sorted({row["academie"] for row in exact})
    if by_postcode and len(academies) > 1:
        return ngettext(
            "The postcode {postcode} lies in {count} académie ({academies}); say which commune is meant:",
            "The postcode {postcode} lies in {count} académies ({academies}); say which commune is meant:",
            len(academies),
            postcode=words,
            academies=", ".join(academies),
        )
    return ngettext(
        "{count} commune answers to “{words}”; say which one is meant:",
        "{count} communes answer to “{words}”; say which one is meant:",
        len(exact),
        words=words,
    )


def _some(postcodes: list[str]) -> str:
    """A few postcodes: Paris has 21."""
    return " ".join(postcodes[:3]) + (" …" if len(postcodes) > 3 else "")


def _note(row: Row) -> str:
    """How far a commune is, or what became of it."""
    if row.get("distance_km") is not None:
        return _("{distance} km", distance=f"{row['distance_km']:.1f}")
    if not row.get("ended_on"):
        return ""
    if row.get("successor"):
        return _("ended on {day}, now {successor}", day=row["ended_on"], successor=row["successor"])
    return _("ended on {day}", day=row["ended_on"])


def _nothing(words: str) -> str:
    if not any(sign.isdigit() for sign in words):
        return _("No commune is called so. Try the beginning of its name, its postcode or its INSEE code.")
    return _(
        "Nothing was found for “{words}”. A CEDEX or company postcode is not in the list: try the name of the commune.",
        words=words,
    )
