"""A place as the fields of a page: correcting one, and writing one that no source has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain import opening
from hub.domain.details import Details
from hub.domain.errors import FieldProblem, Invalid, WrongState
from hub.domain.place import Place
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import correcting, finding, geotargeting, keeping_places
from hub.web.deps import Id, Now, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import go, page
from hub.web.problems import field_problem
from hub.web.staff.places import address, kind_choices, now_said, said_communes, told
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

MOST_FOUND = 20
"""Communes to choose from."""


# --- Writing a new one ----------------------------------------------------------------------------------------


@router.get("/structures/nouvelle")
def begin(request: Request, visit: Inside, hub: TheHub) -> Response:
    """An empty form."""
    return _form_page(request, visit, hub, None, Form())


@router.post("/structures/nouvelle")
def write(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Keep what was typed as a place, unless a commune was only looked for."""
    keeping_places.require_keeper(visit.actor)
    form, problem = _with_commune(hub, form)
    if form["step"] == "find":
        return _form_page(request, visit, hub, None, form)
    try:
        typed = _typed(
            {name: form.raw(name) for name in correcting.FIELDS if form[name]}, problem, required=correcting.REQUIRED
        )
        with writing(hub.engine) as session:
            confirmed = "confirm_twin" in form
            place = correcting.write(session, typed, by=visit.actor, at=now, confirm_twin=confirmed)
            number = place.id
    except Invalid as error:
        return _form_page(request, visit, hub, None, form.refused(error), status=422)
    return go(request, address(number), _("The place is written. It is shown on the portal from now on."))


# --- Correcting one -------------------------------------------------------------------------------------------


@router.get("/structures/{place_id}/correction")
def change(place_id: Id, request: Request, visit: Inside, hub: TheHub) -> Response:
    """What is said of a place now, to be put right."""
    return _form_page(request, visit, hub, place_id, None)


@router.post("/structures/{place_id}/correction")
def correct(place_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Keep what differs; what somebody else changed meanwhile is shown beside what was typed."""
    form, problem = _with_commune(hub, form)
    with reading(hub.engine) as session:
        place = keeping_places.get_place(session, place_id, by=visit.actor)
        now_written, seen = _written(place), correcting.mark(place)
    if form["step"] == "find":
        return _form_page(request, visit, hub, place_id, form)
    touched = _touched(form)
    try:
        typed = _typed({name: form.raw(name) for name in touched}, problem)
        if any(form[f"was-{name}"] != now_written[name].strip() for name in touched):
            return _form_page(request, visit, hub, place_id, form, status=409, overtaken=True)
        with writing(hub.engine) as session:
            correcting.correct(session, place_id, typed, by=visit.actor, at=now, seen=seen)
            if "checked" in form:
                correcting.check(session, place_id, by=visit.actor, at=now)
    except Invalid as error:
        return _form_page(request, visit, hub, place_id, form.refused(error), status=422)
    except WrongState:
        return _form_page(request, visit, hub, place_id, form, status=409, overtaken=True)
    return go(request, address(place_id), _("What you typed is kept."))


def _touched(form: Form) -> list[str]:
    """The fields that somebody changed on the page: the others are nobody's wish."""
    return [name for name in correcting.FIELDS if name in form and form[name] != form[f"was-{name}"]]


# --- The page -------------------------------------------------------------------------------------------------


def _form_page(
    request: Request,
    visit: Visit,
    hub: Hub,
    place_id: int | None,
    form: Form | None,
    *,
    status: int = 200,
    overtaken: bool = False,
) -> Response:
    with reading(hub.engine) as session:
        keeping_places.require_keeper(visit.actor)
        place = keeping_places.get_place(session, place_id, by=visit.actor) if place_id else None
        shown = _shown(form, place, overtaken=overtaken)
        communes = finding.find_territories(session, shown["commune-query"])[:MOST_FOUND]
        chosen = [f"C-{shown['commune']}"] if shown["commune"] else []
        land = geotargeting.atlas(session, [*chosen, *(said_communes(place) if place else [])])
        kinds = kind_choices(session)
        return page(
            request,
            "places/form.html",
            status=status,
            form=shown,
            place=place,
            here=address(place.id) if place else "/equipe/structures/nouvelle",
            kinds=[("", _("Choose…")), *kinds],
            by_source=_said(place, dict(kinds), land),
            meanwhile=_meanwhile(session, place, form, dict(kinds)) if place and form and overtaken else [],
            communes=communes,
            commune_name=land.name(chosen[0]) if chosen and chosen[0] in land else shown["commune"],
            labels={name: _(label) for name, label in correcting.FIELDS.items()},
            overtaken=overtaken,
        )


def _shown(form: Form | None, place: Place | None, *, overtaken: bool) -> Form:
    """The form to show: what was typed, on top of what the place is now."""
    if place is None:
        return form or Form()
    if form is not None and not overtaken:
        return form
    now = _written(place)
    typed = {name: form.raw(name) for name in _touched(form)} if form else {}
    return filled(now | typed | {f"was-{name}": text for name, text in now.items()})


def _written(place: Place) -> dict[str, str]:
    """The fields of a place."""
    values = {name: now_said(place, name) for name in correcting.FIELDS}
    hours, commune = opening.told(values["hours"]), values["commune"].removeprefix("C-")
    return {name: str(value) for name, value in values.items()} | {"hours": hours, "commune": commune}


def _said(place: Place | None, kinds: dict[str, str], land: Atlas) -> dict[str, str]:
    """What the source says of the fields that are corrected."""
    if place is None:
        return {}
    said = correcting.said_by_source(place)
    return {name: told(name, value, kinds, land) for name, value in said.items()}


def _meanwhile(session: Session, place: Place, form: Form, kinds: dict[str, str]) -> list[tuple[str, str]]:
    """What is said now in the fields that were typed."""
    land = geotargeting.atlas(session, [place.territory_code])
    return [
        (_(correcting.FIELDS[name]), told(name, now_said(place, name), kinds, land) or _("nothing"))
        for name in _touched(form)
    ]


def _with_commune(hub: Hub, form: Form) -> tuple[Form, FieldProblem | None]:
    """The form with the commune that its search means, where that is one alone; else what to say about it."""
    if not form["commune-query"] or form["step"] == "find":
        return form, None
    with reading(hub.engine) as session:
        found = finding.find_territories(session, form["commune-query"])
    chosen = [one.insee for one in found if one.insee == form["commune"] or len(found) == 1]
    if chosen:
        return form.with_values(**{"commune": chosen[0], "commune-query": ""}), None
    sentence = _("Choose which commune is meant.") if found else _("No commune of that name. Try its postcode.")
    return form, FieldProblem("commune", sentence)


def _typed(values: Mapping[str, str], also: FieldProblem | None, *, required: Iterable[str] = ()) -> Details:
    """What was typed, checked; Invalid with everything that is wrong at once."""
    problems = [also] if also else []
    told = {one.field for one in problems}
    empty = [name for name in correcting.REQUIRED if not values.get(name, "" if name in required else "…").strip()]
    problems += [FieldProblem(name, _(correcting.REQUIRED[name])) for name in empty if name not in told]
    try:
        typed = Details.model_validate(values)
    except ValidationError as error:
        found = (field_problem(one) for one in error.errors())
        problems += [one for one in found if one.field not in {*told, *empty}]
    if problems:
        raise Invalid(problems)
    return typed
