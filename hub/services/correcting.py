"""Places put right by those who know them: what is corrected here stands on top of what the source says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final
from uuid import uuid4

from sqlmodel import Session, col, select

from hub.domain import opening
from hub.domain.audit import note
from hub.domain.details import Details, coordinates
from hub.domain.errors import FieldProblem, Invalid, WrongState
from hub.domain.person import Actor
from hub.domain.place import Commune, Place, PlaceType
from hub.domain.territory import search_key
from hub.language import N_, _
from hub.services import finding, keeping_places, placing
from hub.services.keeping_places import OWN, get_place

COLUMNS: Final[Mapping[str, str]] = {"type": "type_code", "commune": "territory_code"}
"""Where a typed field is kept, if not under its own name."""

FIELDS: Final[Mapping[str, str]] = {
    "name": N_("Name"),
    "type": N_("Kind of place"),
    "address": N_("Address"),
    "postcode": N_("Postcode"),
    "commune": N_("Commune"),
    "phone": N_("Telephone"),
    "mail": N_("E-mail"),
    "website": N_("Website"),
    "hours": N_("Opening hours"),
    "description": N_("What one finds there"),
    "accessibility": N_("Accessibility"),
    "siret": N_("SIRET number"),
    "uai": N_("UAI number"),
    "point": N_("Point on the map"),
}
"""What may be corrected, in the order of pages, with its name."""

POINT: Final = ("lat", "lon", "point")
"""The columns that are one point: they are corrected together."""

REQUIRED: Final[Mapping[str, str]] = {
    "name": N_("Say what the place is called."),
    "type": N_("Choose the kind of place."),
    "commune": N_("Say in which commune it lies."),
}
"""What a new place cannot do without."""


def mark(place: Place) -> str:
    """What tells that a place is still as somebody saw it."""
    seen = [_stored(getattr(place, name)) for name in (*_columns(FIELDS), "lat", "lon", "ended_on", "merged_into_id")]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:16]


def said_by_source(place: Place) -> dict[str, Any]:
    """Field → what the source says of it, for those that are corrected here."""
    told = {name: place.corrected[column] for name, column in _named(FIELDS) if column in place.corrected}
    if set(POINT) & set(place.corrected):
        numbers = [place.corrected.get(one, getattr(place, one)) for one in ("lat", "lon")]
        told["point"] = ",".join(str(one) for one in numbers if one is not None)
    return told


# --- Correcting -----------------------------------------------------------------------------------------------


def correct(
    session: Session, place_id: int, typed: Details, *, by: Actor, at: datetime, seen: str | None = None
) -> Place:
    """Put right what is given; `seen` is the mark of the place as it was looked at."""
    place = get_place(session, place_id, by=by, lock=True)
    if seen is not None and seen != mark(place):
        raise WrongState(_("Somebody else changed this place meanwhile."))
    values = _values(session, typed, place, by=by)
    _change(session, place, values, "place.correct", by=by, at=at)
    return place


def undo(session: Session, place_id: int, field: str, *, by: Actor, at: datetime) -> Place:
    """Let a field say again what the source says."""
    place = get_place(session, place_id, by=by, lock=True)
    columns: tuple[str, ...] = POINT if field == "point" else (COLUMNS.get(field, field),)
    if field == "commune" and place.point == "commune":
        columns = (*columns, *POINT)  # the point had moved along
    columns = tuple(name for name in columns if name in place.corrected)
    if field not in FIELDS or not columns:
        raise WrongState(_("This is not corrected here: it says what the source says."))
    before = _told(place, columns)
    for name in columns:
        setattr(place, name, _read(name, place.corrected[name]))
    place.corrected = {name: said for name, said in place.corrected.items() if name not in columns}
    _keep(session, place)
    note(session, "place.undo", f"place:{place.id}", by=by, at=at, before=before, after=_told(place, columns))
    return place


def check(session: Session, place_id: int, *, by: Actor, at: datetime) -> Place:
    """Note that somebody made sure today that all of it is right."""
    place = get_place(session, place_id, by=by, lock=True)
    before, today = place.checked_on, keeping_places.today_at(session, place, at)
    place.checked_on = today
    _keep(session, place)
    note(
        session, "place.check", f"place:{place.id}", by=by, at=at,
        before={"checked_on": _stored(before)}, after={"checked_on": _stored(today)},
    )  # fmt: skip
    return place


def end(session: Session, place_id: int, *, by: Actor, at: datetime) -> Place:
    """Show a place no more, since it receives nobody any longer."""
    place = get_place(session, place_id, by=by, lock=True)
    if place.ended_on is not None:
        raise WrongState(_("This place has ended already."))
    _change(session, place, {"ended_on": keeping_places.today_at(session, place, at)}, "place.end", by=by, at=at)
    return place


def reopen(session: Session, place_id: int, *, by: Actor, at: datetime) -> Place:
    """Show a place again that had ended."""
    place = get_place(session, place_id, by=by, lock=True)
    if place.ended_on is None:
        raise WrongState(_("This place has not ended."))
    _change(session, place, {"ended_on": None}, "place.reopen", by=by, at=at)
    return place


# --- Writing --------------------------------------------------------------------------------------------------


def write(session: Session, typed: Details, *, by: Actor, at: datetime, confirm_twin: bool = False) -> Place:
    """A place that no source has; asks first when one of that name stands in the commune already."""
    keeping_places.require_keeper(by)
    missing = [FieldProblem(name, _(said)) for name, said in REQUIRED.items() if name not in typed.model_fields_set]
    if missing:
        raise Invalid(missing)
    place = Place(
        source=OWN, source_id=uuid4().hex, type_code="", name="", territory_code="", imported_at=at, point="commune"
    )
    for name, value in _values(session, typed, place, by=by).items():
        setattr(place, name, value)
    twin = find_twin(session, place)
    if twin is not None and not confirm_twin:
        raise Invalid(
            _("“{name}” in this commune is known already (no. {number}). Confirm that this is another one.",
              name=twin.name, number=twin.id),
            field="confirm_twin",
        )  # fmt: skip
    place.checked_on = keeping_places.today_at(session, place, at)
    _keep(session, place)
    told = _told(place, _columns(typed.model_fields_set))
    note(session, "place.write", f"place:{place.id}", by=by, at=at, after=told)
    return place


def find_twin(session: Session, place: Place) -> Place | None:
    """A living place of the same name in the same commune."""
    same = select(Place).where(Place.territory_code == place.territory_code, *placing.is_living())
    key = search_key(place.name)
    there = session.exec(same.order_by(col(Place.id)))
    return next((one for one in there if one.id != place.id and search_key(one.name) == key), None)


# --- From what is typed to columns ----------------------------------------------------------------------------


def _values(session: Session, typed: Details, place: Place, *, by: Actor) -> dict[str, Any]:
    """What is given, by column; Invalid with all that the tables do not know."""
    given = typed.model_fields_set
    values: dict[str, Any] = {COLUMNS.get(name, name): getattr(typed, name) for name in given - {"point"}}
    problems: list[FieldProblem] = []
    if "type" in given and session.get(PlaceType, typed.type) is None:
        problems.append(FieldProblem("type", _("Choose the kind of place.")))
    if "hours" in given:
        values["hours"] = opening.read(typed.hours)
    commune = None
    if "commune" in given:
        values["territory_code"] = f"C-{finding.fold(typed.commune)}"
        commune = _commune(session, typed.commune, values["territory_code"], place, problems, by=by)
    if problems:
        raise Invalid(problems)
    return values | _point(session, typed, place, commune)


def _commune(
    session: Session, insee: str, code: str, place: Place, problems: list[FieldProblem], *, by: Actor
) -> Commune | None:
    """The commune of that code; a problem where there is none, or where it is none of one's own."""
    commune = session.get(Commune, insee)
    own = keeping_places.holds(session, code, by=by)
    if commune is None:
        problems.append(FieldProblem("commune", _("There is no commune {code}.", code=insee)))
    elif not own and code != place.territory_code:
        sentence = _("{commune} is not in your territories: ask those who keep places there.", commune=commune.name)
        problems.append(FieldProblem("commune", sentence))
    return commune


def _point(session: Session, typed: Details, place: Place, commune: Commune | None) -> dict[str, Any]:
    """Where it is: as typed, else with its commune; a point of its own stays."""
    moved = commune is not None and (commune.arrondissement or commune.territory_code != place.territory_code)
    if "point" in typed.model_fields_set and typed.point:
        lat, lon = coordinates(typed.point)
        same = (place.lat, place.lon) == (lat, lon)
        return {} if same else {"lat": lat, "lon": lon, "point": "typed"}
    if "point" in typed.model_fields_set or (moved and place.point == "commune"):
        there = commune or session.get(Commune, place.territory_code.removeprefix("C-"))
        return {"lat": there.lat, "lon": there.lon, "point": "commune"} if there else {}
    return {}


def _change(session: Session, place: Place, values: Mapping[str, Any], action: str, *, by: Actor, at: datetime) -> None:
    """Set columns that differ, keep what the source says of them, and note it; nothing is noted where none differs."""
    changed = [name for name, value in values.items() if getattr(place, name) != value]
    if not changed:
        return
    before = _told(place, changed)
    together = {*changed, *(POINT if set(changed) & set(POINT) else ())}
    for name in together:
        _put(place, name, values.get(name, getattr(place, name)))
    _tidy_point(place)
    _keep(session, place)
    note(session, action, f"place:{place.id}", by=by, at=at, before=before, after=_told(place, changed))


def _put(place: Place, name: str, value: Any) -> None:
    """Put a value over what the source says; what the source says too is no correction."""
    if place.source != OWN:
        said = place.corrected.get(name, _stored(getattr(place, name)))
        others = {key: kept for key, kept in place.corrected.items() if key != name}
        same = said == _stored(value) and name not in POINT
        place.corrected = others if same else others | {name: said}
    setattr(place, name, value)


def _tidy_point(place: Place) -> None:
    """A point that is that of the source again is no correction; as long as one part differs, all three are kept."""
    if all(place.corrected.get(name, place) == _stored(getattr(place, name)) for name in POINT):
        place.corrected = {key: kept for key, kept in place.corrected.items() if key not in POINT}


def _keep(session: Session, place: Place) -> None:
    session.add(place)
    session.flush()


def _named(fields: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, COLUMNS.get(name, name)) for name in fields]


def _columns(fields: Iterable[str]) -> list[str]:
    return [column for _name, column in _named(name for name in FIELDS if name in set(fields))]


def _told(place: Place, columns: Iterable[str]) -> dict[str, Any]:
    """Columns as they are noted: hours in words."""
    told = {name: _stored(getattr(place, name)) for name in columns}
    return told | ({"hours": opening.told(told["hours"])} if "hours" in told else {})


def _stored(value: Any) -> Any:
    """A value as JSON keeps it."""
    return value.isoformat() if isinstance(value, date) else value


def _read(name: str, kept: Any) -> Any:
    """The value of a column, from JSON."""
    return date.fromisoformat(kept) if name == "ended_on" and kept else kept
