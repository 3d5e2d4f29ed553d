"""One structure: what it does, when it is open, for whom, and where what we say comes from."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from hub.domain.errors import NotFound
from hub.domain.place import Commune, Place
from hub.language import N_, _
from hub.services import placing
from hub.web.deps import LARGEST_ID, Now, ReadDb
from hub.web.pages import day
from hub.web.portal import answers
from hub.web.portal.answers import public, sorry

router = APIRouter()

_NUMBER: Final = re.compile(r"(?P<id>[1-9]\d{0,9})(?:-.*)?")

SOURCE_NAMES: Final = {
    "annuaire-education": N_("Annuaire de l’éducation (Licence Ouverte 2.0)"),
    "annuaire-administration": N_("Service-Public.gouv.fr / DILA (Licence Ouverte 2.0)"),
    "data-inclusion": N_("data·inclusion (Licence Ouverte 2.0)"),
    "onisep": N_("Onisep, Idéo-structures (ODbL)"),
    "sectors": N_("Sectors of missions locales, as the operator brought them in"),
    "relais": N_("Written by the people of this site"),
    "own": N_("Brought in by the operator of this site"),
}
"""Who says it, and under which licence."""


@router.get("/s/{place}")
def structure(place: Annotated[str, Path(max_length=200)], request: Request, session: ReadDb, now: Now) -> Response:
    """One structure; the one that it was merged into, at its right address; 410 once it is no more."""
    told = _NUMBER.fullmatch(place)
    try:
        found = placing.get_place(session, int(told["id"]) if told and int(told["id"]) <= LARGEST_ID else 0)
    except NotFound:
        return sorry(request, 404, _("There is no structure at this address."))
    if found.merged_into_id is not None:
        return RedirectResponse(f"/s/{found.merged_into_id}", 301)
    if found.ended_on is not None:
        return sorry(request, 410, _("{name} is no longer listed by its source.", name=found.name))
    right = answers.place_address(found.id, found.name)
    if request.url.path != right:
        return RedirectResponse(right, 301)
    kinds = {one.code: one for one in placing.kinds(session)}
    commune = session.get(Commune, found.territory_code.removeprefix("C-"))
    return public(
        request,
        "portal/place.html",
        keep=answers.HOURS,
        place=found,
        kind=kinds.get(found.type_code),
        commune=commune,
        home=answers.area_address(commune.insee, commune.name) if commune else "/",
        hours=[hours(one) for one in found.hours],
        sector=placing.sector_names(session, found),
        source=_(SOURCE_NAMES.get(found.source, found.source)),
        looked_on=max((one for one in (found.dated_on, found.checked_on) if one is not None), default=None),
        stale=placing.is_stale(found, now),
        routes=routes(_written(found, commune), found.lat, found.lon),
    )


def _written(place: Place, commune: Commune | None) -> str:
    return ", ".join(
        part for part in (place.address, f"{place.postcode} {commune.name if commune else ''}".strip()) if part
    )


def hours(told: dict[str, Any]) -> str:
    """One line of opening hours: « du lundi au vendredi : 9:00–12:00, 14:00–17:00 »."""
    days = [_weekday(one) for one in told.get("days") or []]
    when = (
        days[0]
        if days and days[0] == days[-1]
        else _("from {first} to {last}", first=days[0], last=days[-1])
        if days
        else ""
    )
    spans = ", ".join(f"{begin}–{end}" for begin, end in told.get("spans") or [])
    note = f"({told['note']})" if told.get("note") and spans else told.get("note") or ""
    open_at = _("{days}: {hours}", days=when[:1].upper() + when[1:], hours=spans) if when and spans else when or spans
    return " ".join(part for part in (open_at, note) if part)


def _weekday(one: int) -> str:
    return day(date(2024, 1, one), form="EEEE")  # the first of that January was a Monday


def routes(written: str, lat: float | None, lon: float | None) -> list[tuple[str, str]]:
    """How to get there: links that open a map of the reader's own choice, or a page of OpenStreetMap."""
    if not written and (lat is None or lon is None):
        return []
    point = f"{lat},{lon}" if lat is not None and lon is not None else "0,0"
    where = quote(written)
    page = f"search?query={where}" if written else f"?mlat={lat}&mlon={lon}"
    return [
        (f"geo:{point}" + (f"?q={where}" if written else ""), _("Open in my map")),
        (f"https://www.openstreetmap.org/{page}", _("See on OpenStreetMap")),
    ]
