"""Communes as people name them: postcodes, points, distance."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

from sqlmodel import Field

from hub.domain.table import Table

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


class Commune(Table, table=True):
    """A commune, or an arrondissement of Paris, Lyon or Marseille, which refines one.

    `territory_code` is the commune's node in the tree; an arrondissement has its city's.
    """

    insee: str = Field(primary_key=True, max_length=5)
    name: str
    name_key: str = Field(index=True)
    departement: str = Field(max_length=3, index=True)
    academie_code: str = Field(max_length=2)
    territory_code: str = Field(foreign_key="territory.code", index=True)
    lat: float = Field(index=True)
    lon: float
    population: int = 0
    point: str = "typed"
    """How the point was found; `postcode` and `epci` are estimates."""
    arrondissement: bool = False


class Postcode(Table, table=True):
    """One postcode of one commune; most postcodes mean several communes."""

    postcode: str = Field(primary_key=True, max_length=5)
    insee: str = Field(primary_key=True, foreign_key="commune.insee", max_length=5, index=True)


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Kilometres between two points on the sphere (haversine)."""
    north, other_north = radians(lat), radians(other_lat)
    a = sin((other_north - north) / 2) ** 2 + cos(north) * cos(other_north) * sin(radians(other_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(a)))
