"""The tree over the communes, as rows: what the official lists say together about lineage, zones and people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hub.domain.errors import Invalid
from hub.domain.territory import COUNTRY, Level, search_key
from hub.language import _
from hub.services import reference
from hub.services.reference import OUTSIDE, CommuneRow

Rows = dict[Any, dict[str, Any]]
"""Rows by primary key, as the tables hold them."""


class Country:
    """The tree above the communes, and what each level knows of its parts."""

    def __init__(self, living: Mapping[str, CommuneRow]) -> None:
        self._living = living
        self._zones = reference.read_zones()
        self._departements = {row.code: row for row in reference.read_departements()}
        self._academies = {row.code: row for row in reference.read_academies()}
        self._people: Counter[str] = Counter()
        for row in living.values():
            for code in self._path(row.departement).split("/"):
                self._people[code] += row.population or 0

    def territories(self) -> Rows:
        """Every living territory, from France down, so that parents come first."""
        rows = [self._row(COUNTRY, Level.COUNTRY, "France", self._zones["departement"]["*"])]
        academies = [
            self._row(self._academie_path(row.code), Level.ACADEMIE, row.name, self._academie_zone(row.code))
            for row in self._academies.values()
        ]
        regions: Rows = {}
        for row in academies:
            region = row["parent_code"]
            if region != COUNTRY and region not in regions:
                name = self._academies[row["code"].removeprefix("A-")].region
                regions[region] = self._row(f"{COUNTRY}/{region}", Level.REGION, name, row["zone"])
        rows += [*regions.values(), *academies]
        rows += [
            self._row(self._path(code), Level.DEPARTEMENT, row.name, self._zone(code))
            for code, row in self._departements.items()
        ]
        rows += [self.node(row) for row in self._living.values()]
        return {row["code"]: row for row in rows}

    def node(self, row: CommuneRow) -> dict[str, Any]:
        """The node of a commune in the tree."""
        path = f"{self._path(row.departement)}/C-{row.insee}"
        zone = self._zone(row.departement, row.insee)
        return self._row(path, Level.COMMUNE, row.name, zone) | {"population": row.population}

    def commune(self, row: CommuneRow) -> dict[str, Any]:
        """The place of a commune or an arrondissement."""
        self._path(row.departement)
        return {
            "insee": row.insee,
            "name": row.name,
            "name_key": search_key(row.name),
            "departement": row.departement,
            "academie_code": self._departements[row.departement].academie_code,
            "territory_code": f"C-{row.city or row.insee}",
            "lat": row.lat,
            "lon": row.lon,
            "population": row.population,
            "point": row.point,
            "arrondissement": row.city is not None,
        }

    def _row(self, path: str, level: Level, name: str, zone: str) -> dict[str, Any]:
        *above, code = path.split("/")
        return {
            "code": code,
            "level": level,
            "name": name,
            "parent_code": above[-1] if above else None,
            "path": path,
            "zone": zone,
            "population": self._people[code],
            "ended_on": None,
        }

    def _path(self, departement: str) -> str:
        if departement not in self._departements:
            raise Invalid(_("The département {code} is not known; nothing was changed.", code=departement))
        return f"{self._academie_path(self._departements[departement].academie_code)}/D-{departement}"

    def _academie_path(self, code: str) -> str:
        academie = self._academies[code]
        if academie.region == OUTSIDE:
            return f"{COUNTRY}/A-{code}"
        # Saint-Barthélemy and Saint-Martin have region codes of their own, but belong to Guadeloupe's académie:
        # the first département is the one that gives the région its code.
        return f"{COUNTRY}/R-{self._departements[academie.departements[0]].region_code}/A-{code}"

    def _zone(self, departement: str, insee: str | None = None) -> str:
        zones = self._zones["departement"]
        return self._zones["commune"].get(insee or "", zones.get(departement, zones["*"]))

    def _academie_zone(self, code: str) -> str:
        """The zone of the chef-lieu: all of an académie's départements share it, but its islands may not."""
        academie = self._academies[code]
        seat = next(
            (
                row
                for row in self._living.values()
                if row.name == academie.chef_lieu and row.departement in academie.departements
            ),
            None,
        )
        return self._zone(seat.departement, seat.insee) if seat else self._zone(academie.departements[0])
