"""Places that two sources tell of: which are likely the same, and showing them as one, until somebody parts them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Final

from sqlmodel import Session, col, select

from hub.domain.audit import note
from hub.domain.errors import Invalid, WrongState
from hub.domain.person import Actor
from hub.domain.place import Place, distance_km
from hub.domain.territory import search_key
from hub.language import _
from hub.services import keeping_places, placing, sectoring
from hub.services.keeping_places import Wanted, get_place

NEAR_KM: Final = 5.0
"""Two rows for one house are never further apart: points of communes are right to about a kilometre or two."""

MOST: Final = 12
"""Places that are proposed at once."""


@dataclass(frozen=True)
class Likely:
    """A place that may be the same as another one."""

    place: Place
    km: float | None
    """How far it is; None where one of them has no point."""


def likely(session: Session, place: Place, *, by: Actor, at: datetime, words: str = "") -> list[Likely]:
    """Other living places of one's own: those near by, or those that are looked for; the likest name first."""
    if words.strip():
        found = keeping_places.list_places(session, Wanted(words), by=by, at=at, limit=MOST + 1)
    else:
        found = _near(session, place, by=by)
    told = [Likely(one, _km(place, one)) for one in found if one.id != place.id]
    return sorted(told, key=lambda one: (-_likeness(place, one.place), one.place.id or 0))[:MOST]


def _near(session: Session, place: Place, *, by: Actor) -> list[Place]:
    if place.lat is None or place.lon is None:
        around = [col(Place.territory_code) == place.territory_code]
    else:
        near = placing.near(session, place.lat, place.lon, limit=10 * MOST, most_km=NEAR_KM)
        around = [col(Place.id).in_([one.place.id for one in near])]
    own = keeping_places.own_land(session, by)
    return list(session.exec(select(Place).where(*around, own, *placing.is_living())))


def _km(place: Place, other: Place) -> float | None:
    if place.lat is None or place.lon is None or other.lat is None or other.lon is None:
        return None
    return distance_km(place.lat, place.lon, other.lat, other.lon)


def _likeness(place: Place, other: Place) -> float:
    """How alike two places are: by name, kind and telephone."""
    same = [place.type_code == other.type_code, bool(place.phone) and place.phone == other.phone]
    return SequenceMatcher(None, search_key(place.name), search_key(other.name)).ratio() + sum(same) / 2


def merge(
    session: Session, place_id: int, into_id: int, *, by: Actor, at: datetime, takes_sector: bool = False
) -> Place:
    """Show a place no more, since another one is the same; its row is kept, as its source goes on telling of it.

    `takes_sector`: the other one becomes competent for its communes too, if its kind has sectors.
    """
    place, other = _locked(session, (place_id, into_id), by=by)
    if place_id == into_id:
        raise Invalid(_("Choose another place: this one is itself."), field="other")
    if place.merged_into_id is not None:
        raise WrongState(_("This place is merged already. Part it first."))
    if other.merged_into_id is not None or other.ended_on is not None:
        raise Invalid(_("“{name}” is not shown itself. Choose a place that is.", name=other.name), field="other")
    place.merged_into_id = other.id
    session.add(place)
    session.flush()
    note(session, "place.merge", f"place:{place.id}", by=by, at=at, after={"same_as": other.name, "place": other.id})
    if takes_sector and other.id is not None and sectoring.has_sectors(session, other):
        sectoring.add(session, other.id, sectoring.codes(session, place), by=by, at=at)
    return place


def part(session: Session, place_id: int, *, by: Actor, at: datetime) -> Place:
    """Show a place by itself again."""
    place = get_place(session, place_id, by=by, lock=True)
    if place.merged_into_id is None:
        raise WrongState(_("This place is not merged into another one."))
    before = session.get(Place, place.merged_into_id)
    place.merged_into_id = None
    session.add(place)
    session.flush()
    told = {"same_as": before.name, "place": before.id} if before else None
    note(session, "place.part", f"place:{place.id}", by=by, at=at, before=told)
    return place


def merged_into(session: Session, place: Place) -> list[Place]:
    """The places that are shown as this one."""
    same = select(Place).where(Place.merged_into_id == place.id).order_by(col(Place.id))
    return list(session.exec(same))


def _locked(session: Session, numbers: Iterable[int], *, by: Actor) -> list[Place]:
    """These places, locked in the order of their numbers, so that two people never wait for each other."""
    wanted = list(numbers)
    held = {number: get_place(session, number, by=by, lock=True) for number in sorted(set(wanted))}
    return [held[number] for number in wanted]
