"""Places that receive young people: competent for a commune first, then near it; which are to be looked at again."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, bindparam, false, or_
from sqlmodel import Session, col, select

from hub.domain.errors import NotFound
from hub.domain.person import Actor
from hub.domain.place import Commune, Place, PlaceProposal, PlaceSector, PlaceType, distance_km
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Territory
from hub.language import _
from hub.services import bounding, finding

FRESH_MONTHS: Final = 18
"""So long what is said of a place is believed, once its source or somebody here has looked at it."""

LARGEST_ID: Final = 2**31 - 1
"""A larger number is no id of ours."""

EACH: Final = 2
"""How many places of each kind are shown around a commune."""

AROUND_KM: Final = 300.0
"""Further than that, a place is of no use to somebody who has no car; Guyane alone is so wide."""


@dataclass(frozen=True)
class Near:
    """A place, and how far it is as the crow flies."""

    place: Place
    km: float


@dataclass(frozen=True)
class Around:
    """What there is for a commune: the places that are competent for it, and the nearest others by kind."""

    competent: Sequence[Place]
    near_by_type: Mapping[str, Sequence[Near]]
    """By code of kind, in the order of kinds; a kind without a place near enough is left out."""


# --- One place, and the kinds of them -------------------------------------------------------------------------


def get_place(session: Session, number: int) -> Place:
    """The place of that number, ended and merged ones too; or NotFound."""
    place = session.get(Place, number) if 0 < number <= LARGEST_ID else None
    if place is None:
        raise NotFound(_("There is no place {number}; “relais place list” shows those that there are.", number=number))
    return place


def kinds(session: Session) -> list[PlaceType]:
    """The kinds of places, in the order in which they are shown."""
    return list(session.exec(select(PlaceType).order_by(col(PlaceType.rank), by_letters(col(PlaceType.code)))))


def is_living() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What tells, in a query, places that are shown: neither ended nor merged into another."""
    return col(Place.ended_on).is_(None), col(Place.merged_into_id).is_(None)


def listed(
    session: Session, *, territory: str | None = None, kind: str | None = None, living: bool = True
) -> list[Place]:
    """Places by kind and name: of a territory, of a kind, those that are shown or ended and merged ones too."""
    places = select(Place).join(PlaceType, col(PlaceType.code) == col(Place.type_code))
    if living:
        places = places.where(*is_living())
    if kind is not None:
        places = places.where(Place.type_code == kind)
    if territory is not None and territory != COUNTRY:
        places = places.where(col(Place.territory_code).in_(_inside(session, [territory])))
    return list(session.exec(places.order_by(col(PlaceType.rank), by_letters(col(Place.name)), col(Place.id))))


def sector(session: Session, number: int) -> list[str]:
    """The codes of the communes that a place is competent for."""
    codes = select(PlaceSector.territory_code).where(PlaceSector.place_id == number)
    return list(session.exec(codes.order_by(by_letters(col(PlaceSector.territory_code)))))


def proposals(session: Session, number: int) -> list[PlaceProposal]:
    """The open days that sources tell of a place, the first ones first; those that could not be read come last."""
    rows = session.exec(select(PlaceProposal).where(PlaceProposal.place_id == number)).all()
    return sorted(rows, key=lambda row: (row.first_day is None, row.first_day or date.max, row.text))


def _inside(session: Session, codes: Sequence[str]) -> Any:
    """A question for the codes of whatever lies within these territories."""
    paths = session.exec(select(Territory.path).where(col(Territory.code).in_(codes))).all()
    inside = [or_(col(Territory.path) == path, col(Territory.path).startswith(f"{path}/")) for path in paths]
    return select(Territory.code).where(or_(false(), *inside))


# --- Competent, then near -------------------------------------------------------------------------------------


def competent(session: Session, territory_code: str) -> list[Place]:
    """The living places whose sector lists that commune; an arrondissement counts as its city."""
    code = f"C-{finding.fold(territory_code.removeprefix('C-'))}"
    places = (
        select(Place)
        .join(PlaceSector, col(PlaceSector.place_id) == col(Place.id))
        .join(PlaceType, col(PlaceType.code) == col(Place.type_code))
        .where(PlaceSector.territory_code == code, *is_living())
        .order_by(col(PlaceType.rank), by_letters(col(Place.name)), col(Place.id))
    )
    return list(session.exec(places))


def near(
    session: Session,
    lat: float,
    lon: float,
    *,
    types: Collection[str] | None = None,
    limit: int = 10,
    most_km: float | None = None,
) -> list[Near]:
    """The living places nearest to a point, nearest first; right at the poles and across the date line too.

    Of all kinds or of some, and no further than is asked for.
    """
    found: list[_Measured] = []
    for radius in bounding.radii(most_km):
        found = _within(session, lat, lon, radius, types=types)
        if len(found) >= limit:
            break
    return _with_places(session, sorted(found)[:limit])


def around(session: Session, commune_code: str, *, each: int = EACH, most_km: float = AROUND_KM) -> Around:
    """What there is for a commune (`C-35238`), or an arrondissement, which is nearer to the point; or NotFound.

    Places that are competent are not told again among the near ones.
    """
    commune = session.get(Commune, commune_code.removeprefix("C-"))
    if commune is None:
        raise NotFound(_("There is no commune {code}.", code=commune_code.removeprefix("C-")))
    first = competent(session, commune_code)
    order = [kind.code for kind in kinds(session)]
    nearest = _nearest_by_type(
        session, commune.lat, commune.lon, order, each=each, most_km=most_km, apart={place.id for place in first}
    )
    return Around(first, nearest)


_Measured = tuple[float, int, str]
"""Kilometres, number and kind of a place: sorted so, the nearest comes first."""


def _nearest_by_type(
    session: Session, lat: float, lon: float, types: Sequence[str], *, each: int, most_km: float,
    apart: Collection[int | None],
) -> dict[str, list[Near]]:  # fmt: skip
    """A few places of each kind; only kinds that have too few so far are looked for in wider circles."""
    known: dict[str, list[_Measured]] = {}
    missing = list(types)
    for radius in bounding.radii(most_km):
        found: dict[str, list[_Measured]] = defaultdict(list)
        for one in sorted(_within(session, lat, lon, radius, types=missing)):
            if one[1] not in apart:
                found[one[2]].append(one)
        known |= {kind: several[:each] for kind, several in found.items()}
        missing = [kind for kind in missing if len(found[kind]) < each]
        if not missing:
            break
    placed = {one.place.id: one for one in _with_places(session, [one for some in known.values() for one in some])}
    return {kind: [placed[number] for _km, number, _kind in known[kind]] for kind in types if known.get(kind)}


_POINTS: Final = select(Place.id, Place.type_code, Place.lat, Place.lon).where(
    *is_living(), col(Place.lat).is_not(None), *bounding.inside(Place)
)
_POINTS_OF_TYPES: Final = _POINTS.where(col(Place.type_code).in_(bindparam("types", expanding=True)))
_PLACES: Final = select(Place).where(col(Place.id).in_(bindparam("numbers", expanding=True)))
"""Made once: to make a question takes longer than to answer it."""


def _within(
    session: Session, lat: float, lon: float, radius: float, *, types: Collection[str] | None
) -> list[_Measured]:
    """The living places within a radius: a box by index first, then the sphere."""
    edges: dict[str, Any] = bounding.bounds(lat, lon, radius)
    rows = session.connection().execute(
        _POINTS if types is None else _POINTS_OF_TYPES, edges if types is None else edges | {"types": list(types)}
    )
    measured = (
        (distance_km(lat, lon, other_lat, other_lon), number, kind) for number, kind, other_lat, other_lon in rows
    )
    return [one for one in measured if one[0] <= radius or radius >= bounding.HALF_EARTH_KM]


def _with_places(session: Session, measured: Iterable[_Measured]) -> list[Near]:
    kilometres = {number: km for km, number, _kind in measured}
    if not kilometres:
        return []
    places = {place.id: place for place in session.exec(_PLACES, params={"numbers": list(kilometres)})}
    return [Near(places[number], km) for number, km in kilometres.items()]


# --- Old news -------------------------------------------------------------------------------------------------


def is_stale(place: Place, at: datetime) -> bool:
    """Whether neither its source nor anybody here has looked at it for a year and a half, as far as we know."""
    looked = [day for day in (place.dated_on, place.checked_on) if day is not None]
    return not looked or max(looked) < _fresh_since(at)


def are_old(at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The same as `is_stale`, for a query."""
    since = _fresh_since(at)
    return (
        or_(col(Place.dated_on).is_(None), col(Place.dated_on) < since),
        or_(col(Place.checked_on).is_(None), col(Place.checked_on) < since),
    )


def stale(session: Session, by: Actor, at: datetime) -> list[Place]:
    """The living places of somebody's territories that are to be looked at again, the longest forgotten first."""
    own = by.territories()
    old = select(Place).where(*is_living(), *are_old(at))
    if COUNTRY not in own:
        old = old.where(col(Place.territory_code).in_(_inside(session, own)))
    return sorted(session.exec(old), key=_forgotten)


def _forgotten(place: Place) -> tuple[date, str, int]:
    looked = [day for day in (place.dated_on, place.checked_on) if day is not None]
    return max(looked, default=date.min), place.name, place.id or 0


def _fresh_since(at: datetime) -> date:
    """The first day that is not too long ago; of a month that is too short, its last day."""
    today = at.astimezone(ZoneInfo("Europe/Paris")).date()
    years, month = divmod(today.year * 12 + today.month - 1 - FRESH_MONTHS, 12)
    return date(years, month + 1, min(today.day, monthrange(years, month + 1)[1]))
