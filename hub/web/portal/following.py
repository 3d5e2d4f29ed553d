"""Following an area without an account: its feed and its calendar, and one item as a calendar file."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from sqlmodel import Session

from hub.domain.errors import NotFound
from hub.domain.post import KIND_NAMES, Kind
from hub.domain.territory import Node
from hub.language import _, default_language, speaking
from hub.services import following, syndicating
from hub.services.showing import TakenDown
from hub.web.conditional import conditional
from hub.web.deps import Now, ReadDb, TheHub
from hub.web.pages import query
from hub.web.portal import answers
from hub.web.portal.answers import sorry

router = APIRouter()

Code = Annotated[str, Path(max_length=40)]
Key = Annotated[str, Path(max_length=40)]
Wanted = Annotated[str, Query(alias="genre", max_length=40)]

FRESH: Final = 900
"""Seconds that a file may be kept on its way before anybody asks for it again."""

ATOM: Final = "application/atom+xml; charset=utf-8"
CALENDAR: Final = "text/calendar; charset=utf-8"


def path_of(code: str, form: str, kind: Kind | None = None) -> str:
    """Where an area is followed: `form` is `atom` or `ics`."""
    return f"/suivre/{code}.{form}{query(genre=kind.value if kind else None)}"


# A file is the same for everybody, and kept on its way: it speaks the language of this hub, not of who asks.


@router.get("/suivre/{code}.atom")
def feed(code: Code, request: Request, hub: TheHub, session: ReadDb, now: Now, genre: Wanted = "") -> Response:
    """The newest items of an area."""
    with speaking(default_language()):
        try:
            area, kind = _asked(session, code, genre)
        except NotFound as error:
            return sorry(request, 404, str(error))
        items = following.newest(session, area, kind=kind, at=now)
        since = following.began_at(session)
        told = syndicating.atom(
            items,
            title=_title(area, kind),
            path=path_of(area.code, "atom", kind),
            page=page_of(area),
            address=hub.settings.public_url.rstrip("/"),
            since=since,
        )
    changed_at = max([since, *map(following.moment_of, items)])
    return conditional(request, Response(told, media_type=ATOM), changed_at=changed_at, seconds=FRESH)


@router.get("/suivre/{code}.ics")
def calendar(code: Code, request: Request, hub: TheHub, session: ReadDb, now: Now, genre: Wanted = "") -> Response:
    """The dates of an area, from the last month to the next year."""
    with speaking(default_language()):
        try:
            area, kind = _asked(session, code, genre)
        except NotFound as error:
            return sorry(request, 404, str(error))
        found = following.coming(session, area, kind=kind, at=now)
        address = hub.settings.public_url.rstrip("/")
        told = syndicating.calendar(found, title=_title(area, kind), address=address, at=now)
    changed_at = syndicating.changed_at(found, at=now, since=following.began_at(session))
    answer = Response(told, media_type=CALENDAR, headers=_named(f"relais-{area.code}"))
    return conditional(request, answer, changed_at=changed_at, seconds=FRESH)


@router.get("/p/{key}.ics")
def one_item(key: Key, request: Request, hub: TheHub, session: ReadDb, now: Now) -> Response:
    """One item with all its dates; as cancelled for a while after it was taken down."""
    with speaking(default_language()):
        try:
            dated = following.dated_item(session, key, at=now)
        except (NotFound, TakenDown) as error:
            return sorry(request, 410 if isinstance(error, TakenDown) else 404, str(error))
        address = hub.settings.public_url.rstrip("/")
        title = "Relais" if dated.removed_at else dated.item.title
        told = syndicating.calendar([dated], title=title, address=address, at=now, whole=True)
    answer = Response(told, media_type=CALENDAR, headers=_named(f"relais-{dated.item.delivery.key}"))
    return conditional(request, answer, changed_at=dated.changed_at, seconds=FRESH)


def page_of(area: Node) -> str:
    """The page of an area; those that have none of their own are on the first one."""
    if area.code.startswith("C-"):
        return answers.area_address(area.code.removeprefix("C-"), area.name)
    return answers.academie_address(area.code, area.name) if area.code.startswith("A-") else "/"


def _asked(session: Session, code: str, genre: str) -> tuple[Node, Kind | None]:
    """The area and the kind that were asked for; NotFound where there is no such."""
    kinds = {kind.value: kind for kind in Kind}
    if genre and genre not in kinds:
        raise NotFound(_("There is no such kind to follow. Take one of: {kinds}.", kinds=", ".join(kinds)))
    return following.get_area(session, code), kinds.get(genre)


def _title(area: Node, kind: Kind | None) -> str:
    if kind is None:
        return _("Near you: {place}", place=area.name)
    return _("Near you: {place} ({kind})", place=area.name, kind=_(KIND_NAMES[kind]))


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'inline; filename="{name}.ics"'}
