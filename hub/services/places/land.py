"""Which commune a file means, by INSEE code, postcode and name: all communes, held once for a whole file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from hub.domain.place import Commune, Postcode
from hub.domain.territory import Territory, search_key
from hub.language import _
from hub.services.places.told import Unfit
from hub.services.reference import departement_of, padded

_INSEE: Final = re.compile(r"\d[\dAB]\d{3}")
_CEDEX: Final = re.compile(r"\bcedex\b.*$", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"^(paris|lyon|marseille) 0?(\d{1,2})(?:er|e|eme)?(?: arrondissement)?$")


@dataclass(frozen=True, slots=True)
class Spot:
    """A commune, or an arrondissement, as an import needs it."""

    insee: str
    name: str
    key: str
    territory_code: str
    lat: float
    lon: float
    arrondissement: bool
    has_ended: bool
    successor: str | None
    """INSEE code of what it merged into."""


class Land:
    """All communes, by what files call them."""

    def __init__(self, session: Session) -> None:
        rows = session.exec(
            select(Commune, col(Territory.ended_on), col(Territory.successor_code)).join(
                Territory, col(Territory.code) == col(Commune.territory_code)
            )
        )
        self._spots: dict[str, Spot] = {}
        self._named: dict[str, list[str]] = defaultdict(list)
        for one, ended_on, successor in rows:
            self._spots[one.insee] = Spot(
                one.insee, one.name, one.name_key, one.territory_code, one.lat, one.lon, one.arrondissement,
                ended_on is not None, successor.removeprefix("C-") if successor else None,
            )  # fmt: skip
            self._named[one.name_key].append(one.insee)
        session.expunge_all()
        self._coded: dict[str, list[str]] = defaultdict(list)
        for row in session.exec(select(Postcode.postcode, Postcode.insee)):
            self._coded[row[0]].append(row[1])

    def find(self, insee: str, postcode: str, town: str) -> Spot:
        """The commune that a row means, its successor where it has merged; Unfit says what the row lacks."""
        return self._living(self._told(insee, postcode, town))

    def by_code(self, insee: str) -> Spot | None:
        """The commune of an INSEE code, its successor where it has merged."""
        found = self._spots.get(padded(insee))
        return self._living(found) if found else None

    def _living(self, spot: Spot) -> Spot:
        seen = {spot.insee}
        while spot.has_ended and spot.successor in self._spots and spot.successor not in seen:
            spot = self._spots[spot.successor]
            seen.add(spot.insee)
        return spot

    def _told(self, insee: str, postcode: str, town: str) -> Spot:
        if insee and (known := self._spots.get(padded(insee))) is not None:
            return known
        if insee and not _INSEE.fullmatch(padded(insee)):
            raise Unfit(_("“{code}” is not an INSEE code: it has five signs, such as 35238 or 2A004", code=insee))
        found = self._by_postcode(postcode, town) if postcode else self._choose(self._named.get(_key(town), []))
        if found is not None:
            return found
        raise Unfit(_why(insee, postcode, town))

    def _by_postcode(self, postcode: str, town: str) -> Spot | None:
        code = postcode.replace(" ", "").zfill(5)
        key = _key(town)
        within = self._coded.get(code)
        if within is not None:
            return self._choose([one for one in within if self._spots[one].key == key]) or self._choose(within)
        # A postcode that nobody knows is mostly a CEDEX: then the name decides, within its département.
        return self._choose(one for one in self._named.get(key, []) if _may_have(one, code))

    def _choose(self, codes: Iterable[str]) -> Spot | None:
        """The only one of them that there still is; an arrondissement rather than its city."""
        spots = [self._spots[code] for code in codes]
        for some in ([one for one in spots if one.arrondissement], [one for one in spots if not one.has_ended], spots):
            if len(some) == 1:
                return some[0]
        return None


def _key(town: str) -> str:
    """A name of a town as it is searched, without CEDEX; « PARIS 11 » as our communes call it."""
    key = search_key(_CEDEX.sub("", town))
    numbered = _NUMBERED.match(key)
    if numbered is None:
        return key
    number = int(numbered[2])
    return f"{numbered[1]} {number}{'er' if number == 1 else 'e'} arrondissement"


def _may_have(insee: str, postcode: str) -> bool:
    """Whether a commune may have a postcode, as far as the département goes; Corsica has two for 20."""
    departement = departement_of(insee)
    return postcode.startswith(departement) or (postcode.startswith("20") and departement in ("2A", "2B"))


def _why(insee: str, postcode: str, town: str) -> str:
    told: Sequence[str] = [part for part in (insee, postcode, town) if part]
    if not told:
        return _("there is no commune: write its INSEE code, or its postcode and name")
    if insee:
        return _("unknown commune “{told}”: “relais territory find” finds its INSEE code", told=" ".join(told))
    return _(
        "the commune “{told}” cannot be told: a CEDEX is not in the list and a postcode may mean several communes; "
        "write its INSEE code, which “relais territory find” finds",
        told=" ".join(told),
    )
