"""Which commune people mean: by INSEE code, postcode, name or nearness."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import ColumnElement, and_, case, or_
from sqlmodel import Session, col, select

from hub.domain.place import Commune, Postcode, distance_km
from hub.domain.table import by_letters
from hub.domain.territory import Level, Territory, search_key
from hub.services import bounding

MOST_NAMES = 20
"""How many communes a name may bring; a postcode brings all of its own."""

LONGEST_QUERY = 120
"""Characters; no name is half as long."""


@dataclass(frozen=True)
class Found:
    """A commune (or an arrondissement) as it is shown to somebody who looked for it."""

    insee: str
    name: str
    postcodes: list[str]
    departement: str
    departement_name: str
    academie_code: str
    academie: str
    lat: float
    lon: float
    code: str
    """The commune's territory; for an arrondissement that of its city."""
    zone: str
    distance_km: float | None = None
    ended_on: date | None = None
    successor: str | None = None
    """INSEE code of the commune that it merged into, when known."""


def label(found: Found, homonym: bool = True) -> str:
    """« Nom (département) » for one of several of that name, else the name alone."""
    return f"{found.name} ({found.departement_name})" if homonym else found.name


def fold(insee: str) -> str:
    """The city of an arrondissement of Paris, Lyon or Marseille; any other code as it is."""
    for first, last, city in (("75101", "75120", "75056"), ("69381", "69389", "69123"), ("13201", "13216", "13055")):
        if first <= insee <= last:
            return city
    return insee


def find_territories(session: Session, query: str) -> list[Found]:
    """The communes that a query may mean, the likeliest first; none when nothing fits.

    Digits may be both a postcode and an INSEE code: both are given, the postcode's communes first, since people
    type postcodes. A commune that has ended is still found; by its INSEE code with its successor right behind it.
    """
    asked = _Asked.read(query)
    found = []
    if asked.digits is not None:
        found = _with_postcode(session, asked.digits)
        if not asked.postal:
            found += _with_insee(session, asked.digits)
    if asked.words:
        fitting = [one for one in found if _fits(one, asked.words)]
        # A postcode that does not exist is mostly a CEDEX: then the name decides.
        found = fitting or _named(session, asked.words)
    return _without_repeats(found)


def find_near(session: Session, lat: float, lon: float, *, limit: int = 10) -> list[Found]:
    """The living communes nearest to a point, nearest first; right at the poles and across the date line too."""
    near: list[tuple[str, float]] = []
    for radius in bounding.radii():
        near = _within(session, lat, lon, radius)
        if len(near) >= limit:
            break
    near.sort(key=lambda pair: (pair[1], pair[0]))
    kilometres = dict(near[:limit])
    found = _describe(session, col(Commune.insee).in_(kilometres))
    placed = [replace(one, distance_km=kilometres[one.insee]) for one in found]
    return sorted(placed, key=lambda one: (one.distance_km, one.insee))


_CEDEX = re.compile(r"\bcedex\b(?:\s+\d{1,2}\b)?", re.IGNORECASE)
_CODE = re.compile(r"\b(?:\d[\dAB]\d{3}|\d{4})\b", re.IGNORECASE)
_BRACKETS = re.compile(r"^(?P<name>.+?)\s*\((?P<departement>[^()]+)\)\s*$")
_ARRONDISSEMENT = re.compile(r"^(paris|lyon|marseille) (\d{1,2}) ?(?:er|ere|e|eme|ieme)?(?: arr\w*)?$")


@dataclass(frozen=True)
class _Asked:
    """What was typed, taken apart."""

    digits: str | None
    words: str
    postal: bool = False
    """Whether the digits can only be a postcode."""

    @classmethod
    def read(cls, query: str) -> _Asked:
        text, postal = _CEDEX.subn(" ", query.strip())
        text = text.strip()
        if len(text) > LONGEST_QUERY:
            return cls(None, "")
        if re.fullmatch(r"[\d\s]+", text):
            text = re.sub(r"\s", "", text)  # « 35 000 »
        text = re.sub(r"^C-", "", text, flags=re.IGNORECASE)  # our own code of a commune
        code = _CODE.search(text)
        if code is None:
            return cls(None, text)
        words = (text[: code.start()] + " " + text[code.end() :]).strip()
        return cls(code.group().upper().zfill(5), words if search_key(words) else "", bool(postal))


def _with_postcode(session: Session, digits: str) -> list[Found]:
    """The living communes of a postcode; an arrondissement stands for its city."""
    insee = select(Postcode.insee).where(Postcode.postcode == digits)
    found = _describe(session, col(Commune.insee).in_(insee), col(Territory.ended_on).is_(None))
    refined = {one.code for one in found if fold(one.insee) != one.insee}
    return [one for one in found if one.code not in refined or fold(one.insee) != one.insee]


def _with_insee(session: Session, digits: str) -> list[Found]:
    """The commune of an INSEE code; behind one that has ended, what it became."""
    found: list[Found] = []
    insee: str | None = digits
    while insee is not None and insee not in {one.insee for one in found}:
        commune = _describe(session, Commune.insee == insee)
        found += commune
        insee = commune[0].successor if commune else None
    return found


def _fits(found: Found, words: str) -> bool:
    """Whether a commune may be what these words beside a code mean."""
    name, departement = _split(words)
    asked = search_key(name)
    known = search_key(found.name)
    return known.startswith(asked) and (not departement or _is_departement(found, departement))


def _split(words: str) -> tuple[str, str | None]:
    """A name and what stands in brackets behind it."""
    brackets = _BRACKETS.match(words)
    return (brackets["name"], brackets["departement"].strip()) if brackets else (words, None)


def _is_departement(found: Found, departement: str) -> bool:
    return found.departement == departement.upper().zfill(2) or search_key(found.departement_name) == search_key(
        departement
    )


def _named(session: Session, words: str) -> list[Found]:
    """The communes of that name, then those whose name begins so, then those in which every word begins a word."""
    name, departement = _split(words)
    if departement is not None:
        codes = _departements(session, departement)
        if codes:
            return _matching(session, search_key(name), col(Commune.departement).in_(codes))
    # « Château-Chinon (Ville) » is a name, brackets and all.
    return _matching(session, search_key(words))


def _departements(session: Session, asked: str) -> list[str]:
    """The codes of the département named so, by code or name."""
    rows = session.exec(select(Territory.code, Territory.name).where(Territory.level == Level.DEPARTEMENT))
    wanted = {f"D-{asked.upper().zfill(2)}", search_key(asked)}
    return [code.removeprefix("D-") for code, name in rows if code in wanted or search_key(name) in wanted]


def _matching(session: Session, key: str, *also: ColumnElement[bool]) -> list[Found]:
    arrondissement = _ARRONDISSEMENT.match(key)
    if arrondissement:
        city, number = arrondissement.groups()
        key = f"{city} {int(number)}{'er' if int(number) == 1 else 'e'} arrondissement"
    if not key:
        return []
    name_key = col(Commune.name_key)
    words = [or_(name_key.like(f"{word}%"), name_key.like(f"% {word}%")) for word in key.split()]
    closeness = case((name_key == key, 0), (name_key.like(f"{key}%"), 1), else_=2)
    ended = case((col(Territory.ended_on).is_(None), 0), else_=1)
    order = (
        closeness,
        col(Commune.arrondissement),
        ended,
        case((col(Commune.arrondissement), 0), else_=-col(Commune.population)),
        by_letters(col(Commune.insee)),
    )
    best = (
        select(Commune.insee)
        .join(Territory, col(Territory.code) == col(Commune.territory_code))
        .where(and_(*words), *also)
        .order_by(*order)
        .limit(MOST_NAMES)
    )
    codes = list(session.exec(best))
    return sorted(_describe(session, col(Commune.insee).in_(codes)), key=lambda one: codes.index(one.insee))


def _describe(session: Session, *which: ColumnElement[bool] | bool) -> list[Found]:
    """All that is shown of these communes, the most populous first."""
    rows = session.exec(
        select(Commune, Territory)
        .join(Territory, col(Territory.code) == col(Commune.territory_code))
        .where(*which)
        .order_by(col(Commune.population).desc(), by_letters(col(Commune.insee)))
    ).all()
    postcodes = _postcodes(session, [commune.insee for commune, _node in rows])
    names = _names(session, rows)
    return [
        Found(
            insee=commune.insee,
            name=commune.name,
            postcodes=postcodes[commune.insee],
            departement=commune.departement,
            departement_name=names[f"D-{commune.departement}"],
            academie_code=commune.academie_code,
            academie=names[f"A-{commune.academie_code}"],
            lat=commune.lat,
            lon=commune.lon,
            code=node.code,
            zone=node.zone,
            ended_on=node.ended_on,
            successor=node.successor_code.removeprefix("C-") if node.successor_code else None,
        )
        for commune, node in rows
    ]


def _postcodes(session: Session, insee: list[str]) -> dict[str, list[str]]:
    postcodes: dict[str, list[str]] = defaultdict(list)
    rows = select(Postcode).where(col(Postcode.insee).in_(insee)).order_by(by_letters(col(Postcode.postcode)))
    for row in session.exec(rows):
        postcodes[row.insee].append(row.postcode)
    return postcodes


def _names(session: Session, rows: Sequence[tuple[Commune, Territory]]) -> dict[str, str]:
    """The names of the départements and académies of these communes."""
    codes = {f"D-{commune.departement}" for commune, _node in rows}
    codes |= {f"A-{commune.academie_code}" for commune, _node in rows}
    return dict(session.exec(select(Territory.code, Territory.name).where(col(Territory.code).in_(codes))).all())


_POINTS = (
    select(Commune.insee, Commune.lat, Commune.lon)
    .join(Territory, col(Territory.code) == col(Commune.territory_code))
    .where(col(Territory.ended_on).is_(None), *bounding.inside(Commune))
)


def _within(session: Session, lat: float, lon: float, radius: float) -> list[tuple[str, float]]:
    """Codes and distances of the living communes within a radius: a box by index first, then the sphere."""
    rows = session.exec(_POINTS, params=bounding.bounds(lat, lon, radius))
    measured = ((insee, distance_km(lat, lon, other_lat, other_lon)) for insee, other_lat, other_lon in rows)
    return [(insee, distance) for insee, distance in measured if distance <= radius or radius >= bounding.HALF_EARTH_KM]


def _without_repeats(found: Sequence[Found]) -> list[Found]:
    return list({one.insee: one for one in found}.values())
