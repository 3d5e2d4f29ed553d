"""Places as those who keep them see them: whose they are, and which of them need somebody's care."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Text, cast
from sqlmodel import Session, col, func, or_, select

from hub.domain.clock import zone_info
from hub.domain.errors import NotAllowed, NotFound
from hub.domain.person import PLACE_KEEPERS, Actor
from hub.domain.place import Place
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Territory, search_key
from hub.language import N_, _
from hub.services import geotargeting, listing, placing

PAGE: Final = 40
"""Places on one page."""

MOST_WORDS: Final = 8
"""Words that a search looks at."""


class Standing(StrEnum):
    """What a place may be looked for by, beside its name and kind."""

    STALE = "stale"
    NO_PHONE = "no-phone"
    CORRECTED = "corrected"
    BY_HAND = "by-hand"
    ENDED = "ended"
    MERGED = "merged"


STANDING_NAMES: Final[Mapping[Standing, str]] = {
    Standing.STALE: N_("to check: not looked at for 18 months"),
    Standing.NO_PHONE: N_("without a telephone"),
    Standing.CORRECTED: N_("corrected here"),
    Standing.BY_HAND: N_("written here"),
    Standing.ENDED: N_("ended"),
    Standing.MERGED: N_("merged into another"),
}

OWN: Final = "relais"
"""The source of places that were written here."""


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; empty: every place that is shown."""

    words: str = ""
    """Of the name, the commune or the postcode."""
    type_code: str = ""
    standing: Standing | None = None
    territory: str = ""


# --- Whose they are -------------------------------------------------------------------------------------------


def can_keep(by: Actor) -> bool:
    """Whether this person keeps places anywhere."""
    return bool(by.territories(PLACE_KEEPERS))


def require_keeper(by: Actor) -> None:
    """NotAllowed for whoever keeps no places anywhere."""
    if not can_keep(by):
        raise NotAllowed(_("Places are kept by animators, coordinators and administrators. Ask one of them."))


def get_place(session: Session, place_id: int, *, by: Actor, lock: bool = False) -> Place:
    """A place of this person's own territories, ended and merged ones too; NotFound for those of elsewhere."""
    require_keeper(by)
    query = select(Place).where(Place.id == place_id, own_land(session, by))
    if lock:  # what another transaction changed meanwhile is read again
        query = query.with_for_update().execution_options(populate_existing=True)
    place = session.exec(query).one_or_none()
    if place is None:
        raise NotFound(_("There is no place {number} that you may keep.", number=place_id))
    return place


def own_land(session: Session, by: Actor) -> ColumnElement[bool]:
    """The condition that a place lies in a territory for which this person keeps places."""
    return lies_in(session, by.territories(PLACE_KEEPERS))


def lies_in(session: Session, codes: list[str]) -> ColumnElement[bool]:
    """The condition that a place lies in one of these territories."""
    if COUNTRY in codes:
        return col(Place.id).is_not(None)
    known = geotargeting.atlas(session, codes)
    own = [code for code in codes if code in known]
    below = {code for code in known.nodes if any(known.within(code, other) for other in own)}
    communes = select(Territory.code).where(col(Territory.parent_code).in_(below))
    return or_(col(Place.territory_code).in_(below), col(Place.territory_code).in_(communes))


def holds(session: Session, code: str, *, by: Actor) -> bool:
    """Whether a territory lies in those for which this person keeps places."""
    own = by.territories(PLACE_KEEPERS)
    known = geotargeting.atlas(session, [code, *own])
    return code in known and any(known.within(code, other) for other in own)


def today_at(session: Session, place: Place, at: datetime) -> date:
    """The day that it is where the place lies."""
    zone = geotargeting.atlas(session, [place.territory_code]).zone(place.territory_code)
    return at.astimezone(zone_info(zone)).date()


# --- Looking for them -----------------------------------------------------------------------------------------


def list_places(
    session: Session, wanted: Wanted, *, by: Actor, at: datetime, limit: int = PAGE, offset: int = 0
) -> list[Place]:
    """Places of one's own territories, by name."""
    require_keeper(by)
    query = select(Place).where(*_conditions(session, wanted, by=by, at=at))
    order = (by_letters(func.lower(Place.name)), col(Place.id))
    return list(session.exec(query.order_by(*order).limit(limit).offset(offset)))


def count_places(session: Session, wanted: Wanted, *, by: Actor, at: datetime) -> int:
    """How many that are."""
    require_keeper(by)
    query = select(func.count()).select_from(Place).where(*_conditions(session, wanted, by=by, at=at))
    return session.exec(query).one()


def count_stale(session: Session, *, by: Actor, at: datetime) -> int:
    """How many places of one's own territories nobody has looked at for a year and a half; 0 for who keeps none."""
    return count_places(session, Wanted(standing=Standing.STALE), by=by, at=at) if can_keep(by) else 0


def _conditions(session: Session, wanted: Wanted, *, by: Actor, at: datetime) -> list[ColumnElement[bool]]:
    told = [own_land(session, by), *_standing(wanted.standing, at)]
    if wanted.type_code:
        told.append(col(Place.type_code) == wanted.type_code)
    if wanted.territory:
        told.append(lies_in(session, [wanted.territory]))
    return [*told, *(_says(session, word) for word in re.findall(r"\w+", wanted.words)[:MOST_WORDS])]


def _standing(standing: Standing | None, at: datetime) -> list[ColumnElement[bool]]:
    living = list(placing.is_living())
    match standing:
        case Standing.ENDED:
            return [col(Place.ended_on).is_not(None)]
        case Standing.MERGED:
            return [col(Place.merged_into_id).is_not(None)]
        case Standing.STALE:
            return [*living, *placing.are_old(at)]
        case Standing.NO_PHONE:
            return [*living, col(Place.phone) == ""]
        case Standing.CORRECTED:
            # By its length: a document is compared by no operator that all databases have.
            return [*living, func.length(cast(col(Place.corrected), Text)) > len("{}")]
        case Standing.BY_HAND:
            return [*living, col(Place.source) == OWN]
        case None:
            return living


def _says(session: Session, word: str) -> ColumnElement[bool]:
    """The condition that name, commune or postcode of a place hold a word; « st » is « saint » too."""
    name = select(Territory.name).where(Territory.code == Place.territory_code).scalar_subquery()
    told = [col(Place.postcode).startswith(word, autoescape=True)] if word.isdigit() else []
    for form in dict.fromkeys((word, search_key(word))):
        told += [listing.says(session, col(Place.name), form), listing.says(session, name, form)]
    return or_(*told)
