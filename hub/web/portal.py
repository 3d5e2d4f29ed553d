"""What everybody may see: the latest items near home, one item, and marked links. Counts, and nothing of anybody."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from hub.domain.errors import Invalid, NotFound
from hub.domain.event import Event
from hub.services import geotargeting, showing
from hub.services.showing import Item, TakenDown
from hub.web import robots
from hub.web.deps import Now, ReadDb, WriteDb
from hub.web.pages import page

router = APIRouter(include_in_schema=False)

Key = Annotated[str, Path(max_length=40)]


@router.get("/")
def home(request: Request, session: ReadDb, territoire: Annotated[str | None, Query(max_length=40)] = None) -> Response:
    """What this is, and the latest items; of one territory, when asked."""
    wanted = (territoire or "").strip().upper() or None
    trouble = ""
    try:
        items = showing.latest(session, territory=wanted)
    except Invalid as error:
        items, trouble = [], str(error)
    land = geotargeting.atlas(session, [code for item in items for code in showing.zone_of(item.delivery)])
    told = [
        {
            "key": item.delivery.key,
            "title": item.title,
            "where": ", ".join(land.name(code) for code in showing.zone_of(item.delivery)),
            "when": item.delivery.wall_time,
        }
        for item in items
    ]
    status = 422 if trouble else 200
    return page(request, "portal/home.html", status=status, items=told, trouble=trouble, typed=territoire or "")


@router.get("/accessibilite")
def accessibility(request: Request) -> Response:
    """What can be said about accessibility before anybody has audited it."""
    return page(request, "portal/accessibility.html")


@router.get("/p/{key}")
def show(key: Key, request: Request, session: WriteDb, now: Now) -> Response:
    """One item; 410 once it was taken down."""
    try:
        item = showing.get_item(session, key)
    except TakenDown as error:
        return _sorry(request, 410, str(error))
    except NotFound as error:
        return _sorry(request, 404, str(error))
    if robots.is_reader(request):
        showing.count_view(session, item, at=now)
    event = Event.model_validate(item.post.event) if item.post.event else None
    return page(request, "portal/item.html", item=item, paragraphs=_paragraphs(item), event=event)


@router.get("/p/{key}/{position}")
def picture(request: Request, key: Key, position: Annotated[int, Path(ge=0, le=9)], session: ReadDb) -> Response:
    """A picture of an item that is shown."""
    try:
        media = showing.get_picture(session, key, position)
    except (TakenDown, NotFound) as error:
        return _sorry(request, 404, str(error))
    return Response(media.data, media_type=media.mime, headers={"Cache-Control": "public, max-age=3600"})


@router.get("/l/{key}")
def follow(request: Request, key: Key, session: WriteDb, now: Now) -> Response:
    """Count one click of a reader and go where the post's link leads; robots go there as well."""
    try:
        link = showing.follow(session, key, at=now, counted=robots.is_reader(request))
    except NotFound as error:
        return _sorry(request, 404, str(error))
    return RedirectResponse(link, 302, headers={"Cache-Control": "no-store"})


def _paragraphs(item: Item) -> list[str]:
    """The text in paragraphs, without a first line that the title says already."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", item.delivery.text.strip()) if part.strip()]
    first, _newline, rest = paragraphs[0].partition("\n")
    if first.strip() != item.title:
        return paragraphs
    return [part for part in (rest.strip(), *paragraphs[1:]) if part]


def _sorry(request: Request, status: int, sentence: str) -> Response:
    return page(request, "portal/sorry.html", status=status, sentence=sentence)
