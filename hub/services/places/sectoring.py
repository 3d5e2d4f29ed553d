"""The list of sectors: which mission locale is competent for which communes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from sqlalchemy import select
from sqlmodel import Session, col

from hub.domain.place import Place
from hub.domain.territory import search_key
from hub.language import _
from hub.services.places.land import Land
from hub.services.places.told import Row, text

KIND = "mission_locale"


class Sectors:
    """Missions locales by what the list calls them."""

    def __init__(self, session: Session, land: Land) -> None:
        self._land = land
        self._numbers: dict[str, int] = {}
        self._named: dict[str, set[int]] = defaultdict(set)
        query = select(
            col(Place.id), col(Place.source_id), col(Place.siret), col(Place.name), col(Place.merged_into_id)
        ).where(col(Place.type_code) == KIND, col(Place.ended_on).is_(None))
        for number, source_id, siret, name, merged_into_id in session.connection().execute(query):
            place = int(merged_into_id or number or 0)
            self._numbers |= {code: place for code in (source_id, siret) if code}
            self._named[_key(name)].add(place)

    def read(self, rows: Iterable[tuple[int, Row]], refuse: Callable[[int, str], None]) -> dict[int, set[str]]:
        """The communes of each mission locale that the list names."""
        wanted: dict[int, set[str]] = defaultdict(set)
        for number, row in rows:
            code, name, insee = text(row, "code_ml"), text(row, "nom_officiel_ml"), text(row, "code_insee")
            place = self._find(code, name)
            spot = self._land.by_code(insee) if insee else None
            if spot is None:
                refuse(number, _("unknown commune “{told}”: “relais territory find” finds its INSEE code",
                                 told=f"{insee} {text(row, 'nom_commune')}".strip()))  # fmt: skip
            elif place is None:
                refuse(
                    number,
                    _("no mission locale here has the number “{code}” or the name “{name}”: bring it in first, or "
                      "give it that name", code=code, name=name),
                )  # fmt: skip
            else:
                wanted[place].add(spot.territory_code)
        return wanted

    def _find(self, code: str, name: str) -> int | None:
        """By number, else by name where only one is called so."""
        named = self._named.get(key, set()) if (key := _key(name)) else set()
        return self._numbers.get(code) or (next(iter(named)) if len(named) == 1 else None)


def _key(name: str) -> str:
    """A name as it is compared: « Mission locale de Rennes » and « ML Rennes » differ in no more than the kind."""
    words = search_key(name).split()
    small = {"mission", "locale", "ml", "de", "du", "des", "la", "le", "les", "l", "d", "pour", "jeunes"}
    return " ".join(word for word in words if word not in small)
