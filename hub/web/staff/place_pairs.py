"""Two places that are the same, and the communes that a place is competent for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.database import reading, writing
from hub.domain.errors import Invalid, WrongState
from hub.domain.place import SECTOR
from hub.domain.territory import Level
from hub.language import _, ngettext
from hub.services import finding, geotargeting, keeping_places, pairing, sectoring
from hub.web.deps import LARGEST_ID, Id, Now, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import go, page
from hub.web.staff.places import address, kind_choices
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

MOST_FOUND = 50
"""Communes found at once: a postcode has up to 46."""


# --- The same -------------------------------------------------------------------------------------------------


@router.get("/structures/{place_id}/fusion")
def choose(
    place_id: Id,
    request: Request,
    visit: Inside,
    hub: TheHub,
    words: Annotated[str, Query(alias="q", max_length=200)] = "",
) -> Response:
    """Which other place may be the same."""
    return _pair_page(request, visit, hub, place_id, filled({"q": words, "sector": "1"}))


def _pair_page(request: Request, visit: Visit, hub: Hub, place_id: int, form: Form, *, status: int = 200) -> Response:
    with reading(hub.engine) as session:
        place = keeping_places.get_place(session, place_id, by=visit.actor)
        found = pairing.likely(session, place, by=visit.actor, at=hub.now(), words=form["q"])
        return page(
            request,
            "places/pair.html",
            status=status,
            form=form,
            place=place,
            here=address(place.id),
            found=found,
            land=geotargeting.atlas(session, [place.territory_code, *(one.place.territory_code for one in found)]),
            kind_names=dict(kind_choices(session)),
            communes=sectoring.count(session, place),
        )


@router.post("/structures/{place_id}/fusion")
def merge(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Show a place as the other one that was chosen."""
    try:
        with writing(hub.engine) as session:
            keeping_places.get_place(session, place_id, by=visit.actor)
            other = _number(form["other"])
            takes = "sector" in form
            pairing.merge(session, place_id, other, by=visit.actor, at=now, takes_sector=takes)
    except (Invalid, WrongState) as error:
        status = 422 if isinstance(error, Invalid) else 409
        return _pair_page(request, visit, hub, place_id, form.refused(error), status=status)
    return go(request, address(other), _("The two are shown as one: this one."))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) <= LARGEST_ID):
        raise Invalid(_("Choose the place that is the same."), field="other")
    return int(text)


# --- Its sector -----------------------------------------------------------------------------------------------


@router.get("/structures/{place_id}/secteur")
def sector(place_id: Id, request: Request, visit: Inside, hub: TheHub) -> Response:
    """The communes that a place is competent for."""
    return _sector_page(request, visit, hub, place_id, Form())


def _sector_page(request: Request, visit: Visit, hub: Hub, place_id: int, form: Form, *, status: int = 200) -> Response:
    with reading(hub.engine) as session:
        place = keeping_places.get_place(session, place_id, by=visit.actor)
        communes = sectoring.communes(session, place)
        known = {one.code for one in communes}
        found = finding.find_territories(session, form["q"])[:MOST_FOUND] if form["q"] else []
        land = geotargeting.atlas(session, [place.territory_code])
        departements = [(code, node.name) for code, node in land.nodes.items() if node.level is Level.DEPARTEMENT]
        return page(
            request,
            "places/sector.html",
            status=status,
            form=form
            if "departement" in form
            else form.with_values(departement=land.parent(place.territory_code) or ""),
            place=place,
            here=address(place.id),
            has_sectors=sectoring.has_sectors(session, place),
            communes=communes,
            departement_of=lambda one: one.parent_code.removeprefix("D-"),
            found=[one for one in found if one.code not in known],
            searched=bool(form["q"]),
            source_names=place.corrected.get(SECTOR),
            departements=sorted(departements, key=lambda one: one[0].removeprefix("D-")),
        )


@router.post("/structures/{place_id}/secteur")
def change_sector(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Whatever button was pressed there: look for communes, add some, paste a list, take some out."""
    by = visit.actor
    if form["step"] == "find":
        return _sector_page(request, visit, hub, place_id, form)
    try:
        with writing(hub.engine) as session:
            place = keeping_places.get_place(session, place_id, by=by, lock=True)
            before = sectoring.count(session, place)
            match form["step"]:
                case "paste":
                    sectoring.add(session, place_id, sectoring.read_codes(session, form["pasted"]), by=by, at=now)
                case "replace":
                    wanted = sectoring.read_codes(session, form["pasted"])
                    sectoring.set_sector(session, place_id, wanted, by=by, at=now)
                case "departement":
                    wanted = sectoring.of_departement(session, form["departement"])
                    sectoring.add(session, place_id, wanted, by=by, at=now)
                case "undo":
                    sectoring.undo(session, place_id, by=by, at=now)
                case "take":
                    sectoring.take(session, place_id, form.every("take"), by=by, at=now)
                case _add:
                    sectoring.add(session, place_id, form.every("add"), by=by, at=now)
            after = sectoring.count(session, place)
    except (Invalid, WrongState) as error:
        status = 422 if isinstance(error, Invalid) else 409
        return _sector_page(request, visit, hub, place_id, form.refused(error), status=status)
    return go(request, f"{address(place_id)}/secteur", _change_told(before, after))


def _change_told(before: int, after: int) -> str:
    told = ngettext("The sector has {count} commune now.", "The sector has {count} communes now.", after)
    return told if before != after else _("Nothing changed.") + " " + told
