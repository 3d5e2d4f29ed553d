"""A box around a circle on the sphere, for an index to look in before distances are measured exactly."""

from __future__ import annotations

from collections.abc import Iterator
from math import asin, cos, degrees, pi, radians, sin
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, or_
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


def bounds(lat: float, lon: float, radius: float) -> dict[str, float]:
    """The edges of a box around a circle: two boxes where it crosses the date line, a whole band where it holds a pole.

    The values that `inside` asks for, in degrees; where one box is enough, the second one is empty.
    """
    angle = radius / EARTH_RADIUS_KM
    south, north = lat - degrees(angle), lat + degrees(angle)
    stripes = [(-180.0, 180.0)]
    if south > -90 and north < 90:
        half = degrees(asin(min(1.0, sin(angle) / cos(radians(lat)))))
        turned = ((lon - half + turn, lon + half + turn) for turn in (0, -360, 360))
        stripes = [(west, east) for west, east in turned if west <= 180 and east >= -180]
    (west, east), (west_too, east_too) = [*stripes, (1.0, 0.0)][:2]
    return {"south": south, "north": north, "west": west, "east": east, "west_too": west_too, "east_too": east_too}


def inside(table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What tells, in a query that is made once, which rows lie in a box; `table` has `lat` and `lon`, in degrees."""
    lon = col(table.lon)
    return (
        col(table.lat).between(bindparam("south"), bindparam("north")),
        or_(
            lon.between(bindparam("west"), bindparam("east")),
            lon.between(bindparam("west_too"), bindparam("east_too")),
        ),
    )
