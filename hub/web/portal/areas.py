"""What there is near home: the page of a commune, and of an académie."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.background import BackgroundTask

from hub.database import writing
from hub.domain.errors import NotFound
from hub.domain.event import IMPAIRMENT_NAMES, Impairment
from hub.domain.place import Place, PlaceType
from hub.domain.post import Kind
from hub.domain.territory import Level
from hub.language import N_, _, ngettext
from hub.services import geotargeting, nearby, placing
from hub.services.nearby import Area, Ended, Listed, Shown
from hub.web import robots
from hub.web.deps import Now, ReadDb
from hub.web.pages import day, number, query
from hub.web.portal import answers
from hub.web.portal.answers import public, sorry
from hub.wiring import Hub

router = APIRouter()

Named = Annotated[str, Path(max_length=200)]
Asked = Annotated[str, Query(max_length=40)]

KINDS: Final[Mapping[Kind, str]] = {
    Kind.EVENT: N_("Events"),
    Kind.MEETING: N_("Meetings"),
    Kind.OPTION: N_("Ways to go on"),
    Kind.ADVICE: N_("Good to know"),
    Kind.NEWS: N_("What is new"),
}
"""What people call several items of a kind."""

DISTANCES: Final = (10, 30, 50, 100)

FEW: Final = 6
"""So many of a kind stand on the page of an area; the others one step further."""

ON_A_PAGE: Final = 30

_NUMBER: Final = re.compile(r"(?P<insee>\d[\dab]\d{3})(?:-.*)?", re.IGNORECASE)
_ACADEMIE: Final = re.compile(r"(?P<code>\d{2})(?:-.*)?")


# --- Filters --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filters:
    """What somebody wants to see of an area, as the address says it; what cannot be understood is left out."""

    kind: Kind | None = None
    within_km: int | None = None
    until: date | None = None
    access: Impairment | None = None
    online: bool = False
    page: int = 1

    def __bool__(self) -> bool:
        return any((self.kind, self.within_km, self.until, self.access, self.online))

    def told(self, **changed: Any) -> str:
        """As a query string, with some changes."""
        values = {
            "type": self.kind,
            "distance": self.within_km,
            "avant": self.until,
            "acces": self.access,
            "en-ligne": "oui" if self.online else "",
        }
        return query(**(values | changed))

    def arguments(self) -> dict[str, Any]:
        """As the activity asks for them."""
        return {
            "kinds": {self.kind} if self.kind else None,
            "within_km": self.within_km,
            "until": self.until,
            "access": self.access,
            "online": True if self.online else None,
        }


def filters_of(typed: Mapping[str, str]) -> Filters:
    """The filters that an address says."""
    kind, access, far = typed.get("type", ""), typed.get("acces", ""), typed.get("distance", "")
    page = typed.get("page", "")
    try:
        until = date.fromisoformat(typed.get("avant", ""))
    except ValueError:
        until = None
    return Filters(
        kind=Kind(kind) if kind in set(Kind) else None,
        within_km=int(far) if far in {str(one) for one in DISTANCES} else None,
        until=until,
        access=Impairment(access) if access in set(Impairment) else None,
        online=typed.get("en-ligne", "") == "oui",
        page=int(page) if re.fullmatch(r"[1-9]\d{0,2}", page) else 1,
    )


# --- Pages ----------------------------------------------------------------------------------------------------


@router.get("/c/{place}")
def commune(place: Named, request: Request, session: ReadDb, now: Now) -> Response:
    """Everything near one commune; at its right address, whatever was typed behind its number."""
    told = _NUMBER.fullmatch(place)
    if told is None:
        return sorry(request, 404, _("There is no commune at this address."))
    try:
        area = nearby.get_area(session, told["insee"].upper())
    except Ended as error:
        if error.successor:
            return RedirectResponse(f"/c/{error.successor}", 301)
        return sorry(request, 404, str(error))
    except NotFound as error:
        return sorry(request, 404, str(error))
    right = answers.area_address(area.insee, area.name)
    if request.url.path != right:
        return _moved(request, right)
    filters = filters_of(request.query_params)
    around = placing.around(session, f"C-{area.insee}")
    kinds = {one.code: one for one in placing.kinds(session)}
    return _area_page(
        request,
        area,
        nearby.items(session, area, **filters.arguments(), at=now),
        filters,
        now,
        template="portal/area.html",
        competent=[told_place(one, kinds, now) for one in around.competent],
        near=[
            (kinds[code], [told_place(one.place, kinds, now, km=one.km) for one in several])
            for code, several in around.near_by_type.items()
        ],
        wider=_wider(area),
    )


@router.get("/a/{place}")
def academie(place: Named, request: Request, session: ReadDb, now: Now) -> Response:
    """Everything of one académie, and of what lies within it."""
    told = _ACADEMIE.fullmatch(place)
    try:
        area = nearby.get_wide_area(session, f"A-{told['code'] if told else '00'}")
    except NotFound:
        return sorry(request, 404, _("There is no académie at this address."))
    right = answers.address_of(area)
    if request.url.path != right:
        return _moved(request, right)
    filters = filters_of(request.query_params)
    land = geotargeting.atlas(session)
    return _area_page(
        request,
        area,
        nearby.items(session, area, **filters.arguments(), at=now),
        filters,
        now,
        template="portal/academie.html",
        departements=[land.name(code) for code in land.children(area.code)],
    )


def _moved(request: Request, right: str) -> Response:
    return RedirectResponse(right + (f"?{request.url.query}" if request.url.query else ""), 301)


def _area_page(
    request: Request, area: Area, listed: Listed, filters: Filters, now: datetime, *, template: str, **more: Any
) -> Response:
    answer = public(
        request,
        template,
        area=area,
        sections=_sections(listed, filters),
        empty=not listed.items,
        filters=filters,
        kinds=[(kind, _(name)) for kind, name in KINDS.items()],
        distances=DISTANCES,
        impairments=[(one, _(IMPAIRMENT_NAMES[one])) for one in Impairment],
        academie=answers.wide_name(area, area.above(Level.ACADEMIE) or area.code),
        widened=widened(area, listed.nearest) if not filters else "",
        typed="",
        **more,
    )
    if robots.is_reader(request):
        hub: Hub = request.app.state.hub
        answer.background = BackgroundTask(_count, hub, area, template, now)
    return answer


def _count(hub: Hub, area: Area, template: str, now: datetime) -> None:
    """One more of a département and a day, once the answer has left."""
    with writing(hub.engine) as session:
        nearby.count_visit(session, area, template.removeprefix("portal/").removesuffix(".html"), at=now)


# --- What stands on them --------------------------------------------------------------------------------------


def _sections(listed: Listed, filters: Filters) -> list[dict[str, Any]]:
    """Items by kind, a few of each; of one kind all, page by page."""
    sections: list[dict[str, Any]] = []
    for kind, name in KINDS.items():
        some = listed.of(kind)
        if not some:
            continue
        first, most = ((filters.page - 1) * ON_A_PAGE, ON_A_PAGE) if filters.kind else (0, FEW)
        more = len(some) > first + most
        sections.append(
            {
                "kind": kind,
                "name": _(name),
                "lines": [line(one) for one in some[first : first + most]],
                "more": filters.told(type=kind, page=filters.page + 1 if filters.kind else None) if more else "",
                "left": ngettext("{count} more", "{count} more", len(some) - first - most) if more else "",
            }
        )
    return sections


def line(one: Shown) -> dict[str, Any]:
    """One item in a list."""
    where = [one.place, _("online") if one.online else "", distance(one.distance_km)]
    return {
        "key": one.key,
        "title": one.title,
        "wall": one.wall,
        "day": day(one.wall.date(), form="EEE d MMM") if one.wall else "",
        "where": " · ".join(part for part in where if part),
    }


def distance(km: float | None) -> str:
    """How far, in words; nothing where nobody knows."""
    if km is None:
        return ""
    return _("close by") if km < 1.5 else _("{number} km away", number=number(round(km)))


def widened(area: Area, nearest: str | None) -> str:
    """How far one had to look, where nothing is for the commune alone."""
    if nearest is None or nearest == area.code:
        return ""
    if nearest == area.above(Level.DEPARTEMENT):
        return _(
            "Nothing is announced for {commune} alone yet. This is for the whole département: {name}.",
            commune=area.name, name=area.name_of(nearest),
        )  # fmt: skip
    return _("Nothing nearer is announced yet. This is for: {name}.", name=answers.wide_name(area, nearest))


def _wider(area: Area) -> Sequence[tuple[str, str]]:
    """Where to look further."""
    code = area.above(Level.ACADEMIE)
    wider = [(answers.academie_address(code, area.name_of(code)), answers.wide_name(area, code))] if code else []
    return [*wider, ("/", _("Everywhere in France"))]


def told_place(
    place: Place, kinds: Mapping[str, PlaceType], at: datetime, *, km: float | None = None
) -> dict[str, Any]:
    """A structure in a list."""
    kind = kinds.get(place.type_code)
    return {
        "address": answers.place_address(place.id, place.name),
        "name": place.name,
        "kind": kind.name if kind else "",
        "does": kind.does if kind else "",
        "phone": place.phone,
        "where": place.address,
        "far": distance(km),
        "stale": placing.is_stale(place, at),
        "invented": place.invented,
    }
