"""The sector of a place: the communes that it is competent for, near or not; typed, pasted, or a whole département."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, delete, func, select

from hub.domain.audit import note
from hub.domain.errors import Invalid, WrongState
from hub.domain.person import Actor
from hub.domain.place import SECTOR, Place, PlaceSector, PlaceType
from hub.domain.table import by_letters
from hub.domain.territory import Level, Territory
from hub.language import _
from hub.services import finding
from hub.services.keeping_places import get_place

TOLD: Final = 30
"""Communes that are named in the audit; of more, only how many they are."""


def codes(session: Session, place: Place) -> list[str]:
    """The communes that a place is competent for, in order."""
    sector = select(PlaceSector.territory_code).where(PlaceSector.place_id == place.id)
    return list(session.exec(sector.order_by(by_letters(col(PlaceSector.territory_code)))))


def communes(session: Session, place: Place) -> list[Territory]:
    """The same as territories, by name."""
    sector = (
        select(Territory)
        .join(PlaceSector, col(PlaceSector.territory_code) == col(Territory.code))
        .where(PlaceSector.place_id == place.id)
        .order_by(by_letters(col(Territory.name)), by_letters(col(Territory.code)))
    )
    return list(session.exec(sector))


def count(session: Session, place: Place) -> int:
    """How many communes a place is competent for."""
    return session.exec(select(func.count()).select_from(PlaceSector).where(PlaceSector.place_id == place.id)).one()


def has_sectors(session: Session, place: Place) -> bool:
    """Whether a place of this kind is competent for communes."""
    kind = session.get(PlaceType, place.type_code)
    return kind is not None and kind.has_sectors


# --- What is meant --------------------------------------------------------------------------------------------


def read_codes(session: Session, text: str) -> list[str]:
    """The communes of a pasted list of INSEE codes, whatever stands between them; Invalid names what is none.

    A commune that merged counts as the one that it merged into, an arrondissement as its city.
    """
    pasted = [_padded(word) for word in re.findall(r"[^\s,;|\"']+", text)]
    if not pasted:
        raise Invalid(_("Paste INSEE codes of communes, such as 35238."), field="pasted")
    known = _communes(session, {f"C-{finding.fold(code)}" for code in pasted})
    unknown = list(dict.fromkeys(code for code in pasted if f"C-{finding.fold(code)}" not in known))
    if unknown:
        shown = ", ".join(code[:12] for code in unknown[:10]) + ("…" if len(unknown) > 10 else "")
        raise Invalid(
            _("Not an INSEE code of a commune: {codes}. Correct or remove it; postcodes are none.", codes=shown),
            field="pasted",
        )
    return list(dict.fromkeys(known[f"C-{finding.fold(code)}"] for code in pasted))


def of_departement(session: Session, code: str) -> list[str]:
    """The living communes of a département (`D-35`)."""
    inside = select(Territory.code).where(
        Territory.parent_code == code, Territory.level == Level.COMMUNE, col(Territory.ended_on).is_(None)
    )
    found = list(session.exec(inside))
    if not found:
        raise Invalid(_("Choose a département."), field="departement")
    return found


def _padded(code: str) -> str:
    """Programs for tables drop the zero that codes begin with."""
    return code.upper().zfill(5) if code.isascii() and code.isdigit() else code.upper()


def _communes(session: Session, wanted: Collection[str]) -> dict[str, str]:
    """Each of these communes that is known, with the one that it is today."""
    told: dict[str, str] = {}
    some = sorted(wanted)
    for start in range(0, len(some), 500):
        chosen = select(Territory.code, Territory.successor_code).where(
            col(Territory.code).in_(some[start : start + 500]), Territory.level == Level.COMMUNE
        )
        told |= {code: successor or code for code, successor in session.exec(chosen)}
    return told


# --- Changing -------------------------------------------------------------------------------------------------


def set_sector(session: Session, place_id: int, wanted: Iterable[str], *, by: Actor, at: datetime) -> Place:
    """Let a place be competent for exactly these communes."""
    place = get_place(session, place_id, by=by, lock=True)
    before, after = set(codes(session, place)), set(wanted)
    new, gone = sorted(after - before), sorted(before - after)
    if new and not has_sectors(session, place):
        raise WrongState(_("Places of this kind have no sector: they receive whoever comes."))
    if len(_communes(session, new)) < len(new):
        raise Invalid(_("A sector is made of communes."), field="pasted")
    for start in range(0, len(gone), 500):
        some = col(PlaceSector.territory_code).in_(gone[start : start + 500])
        session.exec(delete(PlaceSector).where(col(PlaceSector.place_id) == place.id, some))
    session.add_all(PlaceSector(place_id=place_id, territory_code=code) for code in new)
    said = place.corrected.get(SECTOR, sorted(before))
    others = {name: kept for name, kept in place.corrected.items() if name != SECTOR}
    place.corrected = others if said == sorted(after) else others | {SECTOR: said}
    session.add(place)
    session.flush()
    if new or gone:
        told = {"before": {"communes": len(before)} | _named("taken_communes", gone)}
        told |= {"after": {"communes": len(after)} | _named("new_communes", new)}
        note(session, "place.sector", f"place:{place.id}", by=by, at=at, **told)
    return place


def add(session: Session, place_id: int, some: Iterable[str], *, by: Actor, at: datetime) -> Place:
    """Let a place be competent for these communes too."""
    place = get_place(session, place_id, by=by, lock=True)
    return set_sector(session, place_id, {*codes(session, place), *some}, by=by, at=at)


def take(session: Session, place_id: int, some: Iterable[str], *, by: Actor, at: datetime) -> Place:
    """Let a place be competent for these communes no longer."""
    place = get_place(session, place_id, by=by, lock=True)
    return set_sector(session, place_id, set(codes(session, place)) - set(some), by=by, at=at)


def undo(session: Session, place_id: int, *, by: Actor, at: datetime) -> Place:
    """Let a place be competent for the communes that its source names, and for no other."""
    place = get_place(session, place_id, by=by, lock=True)
    if SECTOR not in place.corrected:
        raise WrongState(_("This is not corrected here: it says what the source says."))
    return set_sector(session, place_id, place.corrected[SECTOR], by=by, at=at)


def _named(name: str, some: list[str]) -> dict[str, Any]:
    return {name: [code.removeprefix("C-") for code in some]} if 0 < len(some) <= TOLD else {}
