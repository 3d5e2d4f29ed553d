"""Which commune a file means, by INSEE code, postcode and name: all communes, held once for a whole file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from hub.domain.table import metadata
from hub.domain.territory import search_key
from hub.language import _
from hub.services.places.told import Unfit
from hub.services.reference import departement_of, padded

_INSEE: Final = re.compile(r"\d[\dAB]\d{3}")
_CEDEX: Final = re.compile(r"\bcedex\b.*$", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"^(paris|lyon|marseille) 0?(\d{1,2})(?:er|e|eme)?(?: arrondissement)?$")


class Spot(NamedTuple):
    """A commune, or an arrondissement, as an import needs it."""

    insee: str
    name: str
    key: str
    territory_code: str
    lat: float
    lon: float
    arrondissement: bool
    ended_on: date | None
    successor_code: str | None
    """What it merged into."""


class Land:
    """All communes, by what files call them."""

    def __init__(self, session: Session) -> None:
        commune, territory = metadata.tables["commune"].c, metadata.tables["territory"].c
        rows = session.connection().execute(
            select(
                commune.insee, commune.name, commune.name_key, commune.territory_code, commune.lat, commune.lon,
                commune.arrondissement, territory.ended_on, territory.successor_code,
            ).where(territory.code == commune.territory_code)
        )  # fmt: skip
        self._spots = {row[0]: Spot(*row) for row in rows}
        self._named: dict[str, list[str]] = defaultdict(list)
        for insee, one in self._spots.items():
            self._named[one.key].append(insee)
        self._coded: dict[str, list[str]] = defaultdict(list)
        coded = metadata.tables["postcode"].c
        for postcode, insee in session.connection().execute(select(coded.postcode, coded.insee)):
            self._coded[postcode].append(insee)

    def find(self, insee: str, postcode: str, town: str) -> Spot:
        """The commune that a row means, its successor where it has merged; Unfit says what the row lacks."""
        return self._living(self._told(insee, postcode, town))

    def by_code(self, insee: str) -> Spot | None:
        """The commune of an INSEE code, its successor where it has merged."""
        found = self._spots.get(padded(insee))
        return self._living(found) if found else None

    def has_ended(self, insee: str) -> bool:
        """Whether a code is that of a commune that there is no more."""
        known = self._spots.get(padded(insee)) if insee else None
        return known is not None and known.ended_on is not None

    def _living(self, spot: Spot) -> Spot:
        seen = {spot.insee}
        while spot.ended_on and (insee := (spot.successor_code or "").removeprefix("C-")) in self._spots:
            if insee in seen:
                break
            spot = self._spots[insee]
            seen.add(insee)
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
        for some in (
            [one for one in spots if one.arrondissement],
            [one for one in spots if one.ended_on is None],
            spots,
        ):
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
