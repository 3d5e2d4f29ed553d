"""Places that receive young people: found, near, looked at, put right, checked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response

from hub.domain import opening
from hub.domain.details import Details
from hub.domain.place import Place
from hub.services import correcting, keeping_places, placing
from hub.services.keeping_places import Standing, Wanted
from hub.web.api.places import point
from hub.web.api.typed import Answer, Code
from hub.web.deps import Id, Now, ReadDb, SignedIn, WriteDb
from hub.web.problems import documented

POINT: Final = r"^-?[0-9]{1,2}(\.[0-9]{1,8})?,-?[0-9]{1,3}(\.[0-9]{1,8})?$"

router = APIRouter(
    prefix="/places", tags=["places that receive young people"], responses=documented(400, 401, 403, 404)
)

around = APIRouter(prefix="/nearby", tags=["places that receive young people"], responses=documented(400, 401, 403))
# Beside the others: under their prefix it would look like the number of a place.

Seen = Annotated[str | None, Header(alias="If-Match", max_length=40)]


@router.get("", summary="The places of one's own territories, by name.")
def list_places(
    person: SignedIn,
    session: ReadDb,
    now: Now,
    query: Annotated[str, Query(max_length=200, description="Words of name, commune or postcode.")] = "",
    type: Annotated[str, Query(max_length=40, description="Code of a kind of place.")] = "",  # noqa: A002
    state: Annotated[Standing | None, Query(description="Without it: those that are shown.")] = None,
    territory: Code = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[Answer]:
    """To go on, give an offset."""
    wanted = Wanted(query, type, state, territory)
    found = keeping_places.list_places(session, wanted, by=person, at=now, limit=limit, offset=offset)
    return [_told(one, now) for one in found]


@around.get("/places", summary="The places nearest to a point, whoever keeps them.")
def near(
    person: SignedIn,
    session: ReadDb,
    now: Now,
    at: Annotated[str, Query(pattern=POINT, description="Latitude and longitude: 48.11,-1.67")],
    type: Annotated[str, Query(max_length=40, description="Code of a kind of place.")] = "",  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> list[Answer]:
    """The nearest first, with kilometres as the crow flies."""
    lat, lon = point(at)
    found = placing.near(session, lat, lon, types=[type] if type else None, limit=limit)
    return [_told(one.place, now) | {"km": round(one.km, 2)} for one in found]


@router.get("/{place_id}", summary="One place, with what its source says where that was corrected.")
def show(place_id: Id, person: SignedIn, session: ReadDb, now: Now, answer: Response) -> Answer:
    """Its `ETag` tells a correction that nobody came first."""
    return _answered(keeping_places.get_place(session, place_id, by=person), now, answer)


@router.patch("/{place_id}", summary="Put right what is given.", responses=documented(409))
def correct(
    place_id: Id, typed: Details, person: SignedIn, session: WriteDb, now: Now, answer: Response, if_match: Seen = None
) -> Answer:
    """What is not given stays; with `If-Match`, refused when somebody changed the place meanwhile."""
    seen = None if if_match is None or if_match.strip() == "*" else if_match.strip().removeprefix("W/").strip('"')
    return _answered(correcting.correct(session, place_id, typed, by=person, at=now, seen=seen), now, answer)


@router.post("/{place_id}/check", summary="Note that all of it is right today.")
def check(place_id: Id, person: SignedIn, session: WriteDb, now: Now, answer: Response) -> Answer:
    """The place, with the day."""
    return _answered(correcting.check(session, place_id, by=person, at=now), now, answer)


def _answered(place: Place, now: datetime, answer: Response) -> Answer:
    answer.headers["ETag"] = f'"{correcting.mark(place)}"'
    return _told(place, now)


def _told(place: Place, now: datetime) -> Answer:
    said = correcting.said_by_source(place)
    return {
        "id": place.id,
        "name": place.name,
        "type": place.type_code,
        "address": place.address,
        "postcode": place.postcode,
        "commune": place.territory_code.removeprefix("C-"),
        "lat": place.lat,
        "lon": place.lon,
        "phone": place.phone,
        "mail": place.mail,
        "website": place.website,
        "description": place.description,
        "hours": opening.told(place.hours),
        "accessibility": place.accessibility,
        "siret": place.siret,
        "uai": place.uai,
        "source": place.source,
        "source_id": place.source_id,
        "dated_on": place.dated_on,
        "checked_on": place.checked_on,
        "ended_on": place.ended_on,
        "merged_into": place.merged_into_id,
        "stale": placing.is_stale(place, now),
        "said_by_source": said | ({"hours": opening.told(said["hours"])} if "hours" in said else {}),
    }
