"""One item of the portal, its pictures, and its marked link. Counts, and nothing of anybody."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from sqlmodel import Session

from hub.domain.errors import NotFound
from hub.domain.event import IMPAIRMENT_NAMES, Attendance, Event
from hub.domain.place import Commune
from hub.language import _
from hub.services import announcing, geotargeting, nearby, showing
from hub.services.showing import Item, TakenDown
from hub.web import robots
from hub.web.deps import Now, ReadDb, TheHub, WriteDb
from hub.web.portal import answers, places
from hub.web.portal.answers import public, sorry

router = APIRouter()

Key = Annotated[str, Path(max_length=40)]

DESCRIBED: Final = 200
"""So much of a text stands for it where a link to it is shared."""

FEW: Final = 4
"""Of more académies than these none is pointed at."""


@router.get("/p/{key}")
def show(key: Key, request: Request, session: WriteDb, now: Now, hub: TheHub) -> Response:
    """One item; 410 once it was taken down."""
    try:
        item = showing.get_item(session, key)
    except TakenDown as error:
        return sorry(request, 410, str(error))
    except NotFound as error:
        return sorry(request, 404, str(error))
    if robots.is_reader(request):
        showing.count_view(session, item, at=now)
    event = Event.model_validate(item.post.event) if item.post.event else None
    commune = session.get(Commune, event.commune) if event and event.commune else None
    paragraphs = _paragraphs(item)
    description = " ".join(" ".join(paragraphs).split())[:DESCRIBED]
    return public(
        request,
        "portal/item.html",
        keep=answers.ASK_AGAIN,
        data=announcing.event_of(item, address=hub.settings.public_url, organizer="Relais", commune=commune),
        item=item,
        paragraphs=paragraphs,
        description=description,
        event=event,
        is_past=event is not None and nearby.is_past(event, now),
        where=_where(event, commune),
        routes=_routes(event, commune),
        access=[_(IMPAIRMENT_NAMES[one]) for one in event.accessibility] if event else [],
        more=_more(session, item, commune),
        typed="",
    )


def _where(event: Event | None, commune: Commune | None) -> str:
    """Where it is, in one line."""
    if event is None:
        return ""
    parts = (event.venue, event.address, commune.name if commune else None)
    return ", ".join(dict.fromkeys(part for part in parts if part))


def _routes(event: Event | None, commune: Commune | None) -> list[tuple[str, str]]:
    if event is None or event.attendance is Attendance.ONLINE:
        return []
    return places.routes(_where(event, commune), commune.lat if commune else None, commune.lon if commune else None)


def _more(session: Session, item: Item, commune: Commune | None) -> list[tuple[str, str]]:
    """Where there is more of the like: near its commune, and in the académies that it is for."""
    more = [(answers.area_address(commune.insee, commune.name), commune.name)] if commune else []
    zone = showing.zone_of(item.delivery)
    land = geotargeting.atlas(session, zone)
    academies = land.academies_of(zone)
    if len(academies) <= FEW:
        names = [(code, land.name(code)) for code in academies]
        more += [(answers.academie_address(*one), answers.academie_name(*one)) for one in names]
    return more


@router.get("/p/{key}/{position}")
def picture(request: Request, key: Key, position: Annotated[int, Path(ge=0, le=9)], session: ReadDb) -> Response:
    """A picture of an item that is shown."""
    try:
        media = showing.get_picture(session, key, position)
    except (TakenDown, NotFound) as error:
        return sorry(request, 404, str(error))
    return Response(media.data, media_type=media.mime, headers={"Cache-Control": "public, max-age=3600"})


@router.get("/l/{key}")
def follow(request: Request, key: Key, session: WriteDb, now: Now) -> Response:
    """Count one click of a reader and go where the post's link leads; robots go there as well."""
    try:
        link = showing.follow(session, key, at=now, counted=robots.is_reader(request))
    except NotFound as error:
        return sorry(request, 404, str(error))
    return RedirectResponse(link, 302, headers={"Cache-Control": "no-store"})


def _paragraphs(item: Item) -> list[str]:
    """The text in paragraphs, without a first line that the title says already."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", item.delivery.text.strip()) if part.strip()]
    first, _newline, rest = paragraphs[0].partition("\n")
    if first.strip() != item.title:
        return paragraphs
    return [part for part in (rest.strip(), *paragraphs[1:]) if part]
