"""The front door: type a commune or a postcode, or say « near me »; nothing of it is kept."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from hub.domain.territory import Atlas, Level, search_key
from hub.language import _
from hub.services import finding, geotargeting, pinning, showing
from hub.services.finding import Found
from hub.services.showing import Item
from hub.web.deps import Now, ReadDb
from hub.web.forms import TypedForm
from hub.web.portal import answers
from hub.web.portal.answers import area_address, public, sorry

router = APIRouter()

NEWEST: Final = 8

FAR_KM: Final = 150.0
"""Whoever is farther from every commune is at sea or abroad; communes of Guyane are nearly as wide."""

Typed = Annotated[str, Query()]


@router.get("/")
def home(request: Request, session: ReadDb, now: Now) -> Response:
    """What this is, where to type, and the newest items of anywhere."""
    newest = [item for item in showing.latest(session) if _lasts(item) > now][:NEWEST]
    land = geotargeting.atlas(session, [code for item in newest for code in showing.zone_of(item.delivery)])
    told = [
        {
            "key": item.delivery.key,
            "title": item.title,
            "kind": item.post.kind,
            "where": ", ".join(_name(land, code) for code in showing.zone_of(item.delivery)[:3]),
            "when": item.delivery.wall_time,
        }
        for item in newest
    ]
    academies = sorted(
        (search_key(node.name), answers.academie_address(code, node.name), node.name)
        for code, node in land.nodes.items()
        if node.level is Level.ACADEMIE and node.ended_on is None
    )
    return public(request, "portal/home.html", items=told, academies=academies, typed="")


def _name(land: Atlas, code: str) -> str:
    return answers.academie_name(code, land.name(code)) if code.startswith("A-") else land.name(code)


def _lasts(item: Item) -> datetime:
    """When an item is over."""
    delivery, post = item.delivery, item.post
    sent_at = delivery.sent_at or delivery.due_at
    return pinning.ends_at(post.kind, post.event, sent_at=sent_at, useless_after=delivery.useless_after)


@router.get("/communes")
def suggestions(request: Request, session: ReadDb, q: Typed = "") -> Response:
    """Communes that may be meant by what is typed so far, for the script of the search field."""
    told = [
        {"name": one.label, "address": area_address(one.insee, one.name)} for one in finding.suggest(session, q.strip())
    ]
    answer = JSONResponse(told)
    answer.headers["Cache-Control"] = answers.HOURS
    return answer


@router.get("/chercher")
def search(request: Request, session: ReadDb, q: Typed = "") -> Response:
    """Lead to the one commune that is meant; ask where several may be; say what to do where none is."""
    typed = " ".join(q.split())
    if not typed:
        return RedirectResponse("/", 303)
    if len(typed) > finding.LONGEST_QUERY:
        return sorry(request, 422, _("That is too long for the name of a commune."), more=_how_to_type())
    found = finding.find_territories(session, typed)
    meant = _meant(found, typed)
    if meant is not None:
        return RedirectResponse(area_address(meant.insee, meant.name), 303)
    if not found:
        return sorry(request, 404, _("No commune fits what you typed."), typed=typed, more=_why_none(typed))
    academies = {one.academie_code for one in found}
    return public(
        request,
        "portal/which.html",
        typed=typed,
        found=[(area_address(one.insee, one.name), one) for one in found],
        academies=len(academies) if typed.replace(" ", "").isdigit() else 1,
        academie_name=answers.academie_name,
        cedex=finding.is_cedex(typed),
    )


def _meant(found: list[Found], typed: str) -> Found | None:
    """The one that is meant: the only one, or the only one of exactly that name."""
    if len(found) == 1:
        return found[0]
    key = finding.words_of(typed)
    named = [one for one in found if search_key(one.name) == key and one.ended_on is None]
    return named[0] if len(named) == 1 else None


def _why_none(typed: str) -> str:
    if finding.is_cedex(typed) or typed.replace(" ", "").isdigit():
        return _(
            "Perhaps it is a CEDEX: a number for the mail of firms, which is no place. "
            "Type the name of the town instead, or the postcode of where you live."
        )
    return _how_to_type()


def _how_to_type() -> str:
    return _("Type the name of your commune, or its postcode with five digits. A few letters are enough.")


@router.post("/pres")
def near_me(request: Request, session: ReadDb, form: TypedForm) -> Response:
    """Lead from a position to its commune's page. It is rounded before anything else, and kept nowhere."""
    point = _point(form["lat"]), _point(form["lon"])
    if point[0] is None or point[1] is None or abs(point[0]) > 90 or abs(point[1]) > 180:
        return sorry(request, 422, _("Your position did not come through."), more=_how_to_type())
    found = finding.find_near(session, point[0], point[1], limit=1, most_km=FAR_KM)
    if not found:
        return sorry(request, 404, _("You seem to be far from any French commune."), more=_how_to_type())
    answer = RedirectResponse(area_address(found[0].insee, found[0].name), 303)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _point(typed: str) -> float | None:
    """Half of a position, to a hundredth of a degree: about a kilometre, whatever was sent."""
    try:
        number = float(typed[:40])
    except ValueError:
        return None
    return round(number, 2) if isfinite(number) else None
