"""What everybody may see: the latest items near home, one item, and marked links. Counts, and nothing of anybody."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from hub.domain.errors import Invalid, NotFound
from hub.domain.event import Event
from hub.language import _, current_language
from hub.services import geotargeting, showing
from hub.services.showing import Item, TakenDown
from hub.web.deps import Now, ReadDb, WriteDb

router = APIRouter(include_in_schema=False)

Key = Annotated[str, Path(max_length=40)]


@router.get("/", response_class=HTMLResponse)
def home(session: ReadDb, territoire: Annotated[str | None, Query(max_length=40)] = None) -> HTMLResponse:
    """What this is, and the latest items; of one territory, when asked."""
    wanted = (territoire or "").strip().upper() or None
    trouble = ""
    try:
        items = showing.latest(session, territory=wanted)
    except Invalid as error:
        items, trouble = [], str(error)
    land = geotargeting.atlas(session, [code for item in items for code in showing.zone_of(item.delivery)])
    lines = "".join(
        f'<li><a href="/p/{escape(item.delivery.key)}">{escape(item.title)}</a>'
        f"<small>{escape(', '.join(land.name(code) for code in showing.zone_of(item.delivery)))} · "
        f"{escape(_day(item.delivery.wall_time))}</small></li>"
        for item in items
    )
    nothing = trouble or _("Nothing has been published here yet.")
    latest = f'<ul class="items">{lines}</ul>' if items else f"<p>{escape(nothing)}</p>"
    label = escape(_("Territory code, such as A-14"))
    search = (
        f'<form method="get" action="/" role="search"><label for="territoire">{label}</label>'
        f'<input id="territoire" name="territoire" value="{escape(territoire or "")}" maxlength="8">'
        f"<button>{escape(_('Show'))}</button></form>"
    )
    about = _(
        "Relais tells young people who left school without a diploma what exists near home: "
        "open days, apprenticeships, second-chance schools, meetings, advice."
    )
    return _page(
        "Relais",
        f"<h1>Relais</h1><p>{escape(about)}</p>{search}<h2>{escape(_('Latest'))}</h2>{latest}",
        status=422 if trouble else 200,
    )


@router.get("/p/{key}", response_class=HTMLResponse)
def show(key: Key, session: WriteDb, now: Now) -> HTMLResponse:
    """One item; 410 once it was taken down."""
    try:
        item = showing.get_item(session, key)
    except TakenDown as error:
        return _sorry(410, str(error))
    except NotFound as error:
        return _sorry(404, str(error))
    showing.count_view(session, item, at=now)
    return _page(item.title, _article(item))


@router.get("/p/{key}/{position}")
def picture(key: Key, position: Annotated[int, Path(ge=0, le=9)], session: ReadDb) -> Response:
    """A picture of an item that is shown."""
    try:
        media = showing.get_picture(session, key, position)
    except (TakenDown, NotFound) as error:
        return _sorry(404, str(error))
    return Response(media.data, media_type=media.mime, headers={"Cache-Control": "public, max-age=3600"})


@router.get("/l/{key}")
def follow(key: Key, session: WriteDb, now: Now) -> Response:
    """Count one click and go where the post's link leads."""
    try:
        link = showing.follow(session, key, at=now)
    except NotFound as error:
        return _sorry(404, str(error))
    return RedirectResponse(link, 302, headers={"Cache-Control": "no-store"})


def _article(item: Item) -> str:
    paragraphs = [part for part in re.split(r"\n\s*\n", item.delivery.text.strip()) if part.strip()]
    first, _newline, rest = paragraphs[0].partition("\n")
    titled = first.strip() == item.title
    body = paragraphs if not titled else [part for part in (rest, *paragraphs[1:]) if part.strip()]
    text = "".join(f"<p>{'<br>'.join(escape(line) for line in part.splitlines())}</p>" for part in body)
    key = escape(item.delivery.key)
    pictures = "".join(
        f'<img src="/p/{key}/{part.position}" alt="{escape(part.alt)}" width="{width}" height="{height}">'
        for part, width, height in item.pictures
    )
    link = f'<p><a class="more" href="/l/{key}">{escape(_("Learn more"))}</a></p>' if item.post.link else ""
    heading = f"<h1>{escape(item.title)}</h1>"
    back = f'<p><a href="/">{escape(_("All that is near"))}</a></p>'
    return f'<article lang="fr">{heading}{pictures}{text}{_event(item)}{link}</article>{back}'


def _event(item: Item) -> str:
    """When and where, when it is an event."""
    if not item.post.event:
        return ""
    event = Event.model_validate(item.post.event)
    dates = "".join(
        f"<li>{escape(_moment(timing.begin.isoformat()))} – {escape(_moment(timing.end.isoformat()))}</li>"
        for timing in event.timings[:20]
    )
    place = ", ".join(part for part in (event.venue, event.address) if part)
    where = f"<p>{escape(place)}</p>" if place else ""
    return f"<section><h2>{escape(_('When and where'))}</h2><ul>{dates}</ul>{where}</section>"


def _moment(wall: str) -> str:
    moment = datetime.fromisoformat(wall)
    return f"{moment:%d/%m/%Y %H:%M}"


def _day(wall: str) -> str:
    return f"{datetime.fromisoformat(wall):%d/%m/%Y}"


def _sorry(status: int, sentence: str) -> HTMLResponse:
    back = f'<p><a href="/">{escape(_("All that is near"))}</a></p>'
    return _page("Relais", f"<h1>{escape(sentence)}</h1>{back}", status=status)


def _page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """A whole page; everything in `body` is escaped already."""
    html = (
        f'<!doctype html><html lang="{current_language()}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/static/relais.css"></head>'
        f'<body><a class="skip" href="#main">{escape(_("Skip to the content"))}</a>'
        f'<main id="main">{body}</main></body></html>'
    )
    return HTMLResponse(html, status)
