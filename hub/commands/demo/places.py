"""The demo's places: invented structures in all 34 territories, with sectors, hours and numbers that nobody has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlmodel import Session, col, select

from hub.domain import open_days
from hub.domain.place import Commune, Place
from hub.domain.territory import Territory
from hub.services.places import linking

SOURCE: Final = "demo"

INVENTED: Final = "Structure inventée pour la démonstration."

OF_DEPARTEMENT: Final = (("mission_locale", "Mission locale"), ("cio", "Centre d’information et d’orientation"))
"""Kinds of which each département has one, in its biggest commune."""

OF_ACADEMIE: Final = (
    ("e2c", "École de la deuxième chance"),
    ("micro_lycee", "Micro-lycée"),
    ("cfa", "Centre de formation d’apprentis"),
    ("information_jeunesse", "Info jeunesse"),
)
"""Kinds of which each académie has one, each in another of its biggest communes where it has several."""

FICTITIOUS: Final = {
    "01 99 00": "75 77 78 91 92 93 94 95",
    "02 61 91": "14 18 22 27 28 29 35 36 37 41 44 45 49 50 53 56 61 72 76 85",
    "03 53 01": "02 08 10 21 25 39 51 52 54 55 57 58 59 60 62 67 68 70 71 80 88 89 90",
    "04 65 71": "01 03 04 05 06 07 11 13 15 26 2A 2B 30 34 38 42 43 48 63 66 69 73 74 83 84",
    "05 36 49": "09 12 16 17 19 23 24 31 32 33 40 46 47 64 65 79 81 82 86 87",
}
"""Numbers that are given to nobody (Arcep), by the départements that they would belong to."""

MOBILE: Final = "06 39 98"
"""The same for mobile phones: overseas."""

HOURS: Final[Sequence[dict[str, Any]]] = (
    {"days": [1, 4], "spans": [["09:00", "12:30"], ["13:30", "17:30"]], "note": ""},
    {"days": [5, 5], "spans": [["09:00", "12:30"]], "note": "L’après-midi sur rendez-vous"},
)


class _Spot(NamedTuple):
    """A commune as the demo needs it."""

    name: str
    departement: str
    academie: str
    code: str
    lat: float
    lon: float


def lay(session: Session, *, at: datetime) -> int:
    """Lay the places of the demo; return how many."""
    spots = _spots(session)
    places = list(_places(spots, at=at))
    session.add_all(places)
    session.flush()
    numbers = {place.source_id: place.id or 0 for place in places}
    sectors: dict[int, set[str]] = defaultdict(set)
    for spot in spots:
        sectors[numbers[f"mission_locale-{spot.departement}"]].add(spot.code)
    days = _open_days(at)
    proposed = {place.id or 0: open_days.read(days) for place in places if place.type_code == "cfa"}
    linking.propose(session, proposed, today=at.date())
    linking.set_sectors(session, sectors, [])
    return len(places)


def _spots(session: Session) -> list[_Spot]:
    """The living communes, the biggest first."""
    rows = session.exec(
        select(Commune)
        .join(Territory, col(Territory.code) == col(Commune.territory_code))
        .where(col(Commune.arrondissement).is_(False), col(Territory.ended_on).is_(None))
        .order_by(col(Commune.population).desc(), col(Commune.insee))
    )
    spots = [_Spot(one.name, one.departement, one.academie_code, one.territory_code, one.lat, one.lon) for one in rows]
    session.expunge_all()
    return spots


def _places(spots: Sequence[_Spot], *, at: datetime) -> Iterator[Place]:
    """Two places for each département, and four for each académie."""
    departements: dict[str, list[_Spot]] = defaultdict(list)
    academies: dict[str, list[_Spot]] = defaultdict(list)
    for spot in spots:
        departements[spot.departement].append(spot)
        academies[spot.academie].append(spot)
    wanted = [
        (f"{kind}-{code}", kind, name, departements[code][0])
        for code in sorted(departements)
        for kind, name in OF_DEPARTEMENT
    ]
    wanted += [
        (f"{kind}-A{code}", kind, name, academies[code][turn % len(academies[code])])
        for code in sorted(academies)
        for turn, (kind, name) in enumerate(OF_ACADEMIE)
    ]
    for number, (source_id, kind, name, spot) in enumerate(wanted):
        yield _place(number, source_id, kind, f"{name} de démonstration, {spot.name}", spot, at=at)


def _place(number: int, source_id: str, kind: str, name: str, spot: _Spot, *, at: datetime) -> Place:
    beside = (number % 7 - 3) / 400  # some hundred metres, so that places of one commune do not lie on each other
    looked = timedelta(days=700 if number % 9 == 0 else 20 + number % 200)
    return Place(
        source=SOURCE,
        source_id=source_id,
        type_code=kind,
        name=name,
        address=f"{number % 90 + 1} rue de l’Exemple",
        territory_code=spot.code,
        lat=round(spot.lat + beside, 5),
        lon=round(spot.lon - beside, 5),
        point="source",
        phone=_phone(spot.departement, number),
        mail=f"structure{number}@relais.example",
        website=f"https://structure{number}.relais.example/",
        description=INVENTED,
        hours=[dict(row) for row in HOURS],
        accessibility="Accessible en fauteuil roulant" if number % 3 else "",
        dated_on=(at - looked).date(),
        imported_at=at,
        invented=True,
    )


def _phone(departement: str, number: int) -> str:
    """A number of the range that is given to nobody."""
    start = next((start for start, codes in FICTITIOUS.items() if departement in codes.split()), MOBILE)
    return f"{start} {number // 100:02} {number % 100:02}"


def _open_days(at: datetime) -> str:
    """Open days as official files write them, one of which nobody could tell apart."""
    first, second = at.date() + timedelta(days=60), at.date() + timedelta(days=88)
    return (
        f"le {first:%d/%m/%Y} de 09h00 à 12h30 (sur inscription) | "
        f"du {second:%d/%m/%Y} au {second + timedelta(days=1):%d/%m/%Y} | nous contacter"
    )
