"""A box around a circle on the sphere, for an index to look in before distances are measured exactly."""

from __future__ import annotations

from collections.abc import Iterator
from math import asin, cos, degrees, pi, radians, sin
from typing import Any, Final

from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from hub.domain.place import EARTH_RADIUS_KM

FIRST_RADIUS_KM: Final = 25.0
HALF_EARTH_KM: Final = pi * EARTH_RADIUS_KM
GROWS: Final = 4
"""How much wider each next circle is."""


def radii(most_km: float | None = None) -> Iterator[float]:
    """Ever wider circles, the last one as wide as is asked for, or holding the whole Earth."""
    most = HALF_EARTH_KM if most_km is None else min(most_km, HALF_EARTH_KM)
    radius = FIRST_RADIUS_KM
    while radius < most:
        yield radius
        radius *= GROWS
    yield most


def box(table: Any, lat: float, lon: float, radius: float) -> list[ColumnElement[bool]]:
    """A box around a circle; two boxes where it crosses the date line, a whole band where it holds a pole.

    `table` has the columns `lat` and `lon`, in degrees.
    """
    angle = radius / EARTH_RADIUS_KM
    south, north = lat - degrees(angle), lat + degrees(angle)
    within: list[ColumnElement[bool]] = [col(table.lat).between(south, north)]
    if south <= -90 or north >= 90:
        return within
    half = degrees(asin(min(1.0, sin(angle) / cos(radians(lat)))))
    west, east = lon - half, lon + half
    stripes = [(west + turn, east + turn) for turn in (-360, 0, 360) if west + turn <= 180 and east + turn >= -180]
    return [*within, or_(*(col(table.lon).between(*stripe) for stripe in stripes))]
