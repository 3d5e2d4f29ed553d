"""Places: which there are in one's territories, which are to be looked at again, and what can be done about one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain import opening
from hub.domain.errors import WrongState
from hub.domain.person import PLACE_KEEPERS
from hub.domain.place import Place
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import (
    auditing,
    correcting,
    geotargeting,
    keeping_places,
    pairing,
    placing,
    proposing,
    sectoring,
)
from hub.services.keeping_places import OWN, STANDING_NAMES, Standing, Wanted
from hub.web.deps import Id, Now, ReadDb, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import go, page, query
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()


def address(place_id: int | None) -> str:
    """Where the page of a place is."""
    return f"/equipe/structures/{place_id}"


# --- All of them ----------------------------------------------------------------------------------------------


@router.get("/structures")
def places(
    request: Request,
    visit: Inside,
    session: ReadDb,
    now: Now,
    words: Annotated[str, Query(alias="q", max_length=200)] = "",
    kind: Annotated[str, Query(alias="type", max_length=40)] = "",
    standing: Annotated[str, Query(alias="etat", max_length=20)] = "",
    territory: Annotated[str, Query(alias="territoire", max_length=8)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """The places of one's territories, by name."""
    by = visit.actor
    wanted = Wanted(words, kind, Standing(standing) if standing in set(Standing) else None, territory)
    count = keeping_places.count_places(session, wanted, by=by, at=now)
    start = (number - 1) * keeping_places.PAGE
    found = keeping_places.list_places(session, wanted, by=by, at=now, offset=start)
    chosen = {"q": words, "type": kind, "etat": standing, "territoire": territory}
    following = number + 1 if start + len(found) < count else None
    land = geotargeting.atlas(session, [one.territory_code for one in found])
    return page(
        request,
        "places/list.html",
        found=found,
        count=count,
        asked=any(chosen.values()),
        form=filled(chosen),
        kinds=[("", _("Any kind")), *kind_choices(session)],
        standings=[("", _("Shown on the portal")), *((one.value, _(name)) for one, name in STANDING_NAMES.items())],
        territories=_territories(land, visit),
        kind_names=dict(kind_choices(session)),
        land=land,
        stale=keeping_places.count_stale(session, by=by, at=now),
        open_days=proposing.count_waiting(session, by=by, at=now),
        is_stale=lambda one: placing.is_stale(one, now),
        own=OWN,
        older=f"/equipe/structures{query(**chosen, page=following)}" if following else None,
    )


def kind_choices(session: Session) -> list[tuple[str, str]]:
    """The kinds of places to choose from."""
    return [(one.code, one.name) for one in placing.kinds(session)]


def _territories(land: Atlas, visit: Visit) -> list[tuple[str, str]]:
    """The académies to choose from, where somebody has several."""
    own = [code for code in visit.actor.territories(PLACE_KEEPERS) if code in land]
    several = sorted(land.academies_of(own), key=land.name)
    return [("", _("All of my territories")), *((code, land.name(code)) for code in several)] if several[1:] else []


# --- One of them ----------------------------------------------------------------------------------------------


@router.get("/structures/{place_id}")
def one(place_id: Id, request: Request, visit: Inside, hub: TheHub) -> Response:
    """One place, with where each thing about it comes from."""
    return _place_page(request, visit, hub, place_id, Form())


def _place_page(request: Request, visit: Visit, hub: Hub, place_id: int, form: Form, *, status: int = 200) -> Response:
    by, now = visit.actor, hub.now()
    with reading(hub.engine) as session:
        place = keeping_places.get_place(session, place_id, by=by)
        land = geotargeting.atlas(session, [place.territory_code, *said_communes(place)])
        kinds = dict(kind_choices(session))
        shown_as = session.get(Place, place.merged_into_id) if place.merged_into_id else None
        return page(
            request,
            "places/one.html",
            status=status,
            form=form,
            place=place,
            here=address(place.id),
            facts=_facts(place, kinds, land),
            kind=kinds.get(place.type_code, place.type_code),
            land=land,
            stale=placing.is_stale(place, now),
            shown_as=shown_as,
            same=pairing.merged_into(session, place),
            has_sectors=sectoring.has_sectors(session, place),
            communes=sectoring.count(session, place),
            open_days=proposing.list_proposals(session, by=by, at=now, place_id=place_id),
            why_unread=proposing.why_unread,
            writes=visit.is_any("animator", "coordinator"),
            own=OWN,
            reads_audit=auditing.can_read(by),
        )


def said_communes(place: Place) -> list[str]:
    """The commune that the source says, where it is another one."""
    said = place.corrected.get("territory_code")
    return [said] if said else []


def _facts(place: Place, kinds: dict[str, str], land: Atlas) -> list[dict[str, Any]]:
    """Each thing that is said of a place, with what the source says where that differs."""
    said = correcting.said_by_source(place)
    return [
        {
            "field": field,
            "name": _(name),
            "value": told(field, now_said(place, field), kinds, land),
            "source": told(field, said[field], kinds, land) if field in said else None,
        }
        for field, name in correcting.FIELDS.items()
    ]


def now_said(place: Place, field: str) -> Any:
    """What is said of a place now."""
    if field == "point":
        return f"{place.lat},{place.lon}" if place.lat is not None else ""
    return getattr(place, correcting.COLUMNS.get(field, field))


def told(field: str, value: Any, kinds: dict[str, str], land: Atlas) -> str:
    """A value as people read it."""
    match field:
        case "type":
            return kinds.get(value, str(value))
        case "commune":
            return f"{land.name(value)} ({value.removeprefix('C-')})" if value in land else str(value)
        case "hours":
            return opening.told(value)
        case _other:
            return str(value)


# --- What can be done about it --------------------------------------------------------------------------------


@router.post("/structures/{place_id}/verification")
def check(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """Somebody made sure today that all of it is right."""
    with writing(hub.engine) as session:
        correcting.check(session, place_id, by=visit.actor, at=now)
    return go(request, address(place_id), _("Noted: checked today."))


@router.post("/structures/{place_id}/source")
def undo(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Let a field say again what the source says."""
    try:
        with writing(hub.engine) as session:
            correcting.undo(session, place_id, form["field"], by=visit.actor, at=now)
    except WrongState as error:
        return _place_page(request, visit, hub, place_id, form.refused(error), status=409)
    return go(request, address(place_id), _("It says again what the source says."))


@router.post("/structures/{place_id}/fin")
def switch(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """End a place, or show it again."""
    back = form["wish"] == "open"
    try:
        with writing(hub.engine) as session:
            change = correcting.reopen if back else correcting.end
            change(session, place_id, by=visit.actor, at=now)
    except WrongState as error:
        return _place_page(request, visit, hub, place_id, form.refused(error), status=409)
    return go(request, address(place_id), _("It is shown again.") if back else _("It is shown no more."))


@router.post("/structures/{place_id}/separation")
def part(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """Show a merged place by itself again."""
    try:
        with writing(hub.engine) as session:
            pairing.part(session, place_id, by=visit.actor, at=now)
    except WrongState as error:
        return _place_page(request, visit, hub, place_id, Form().refused(error), status=409)
    return go(request, address(place_id), _("It is shown by itself again."))
