"""The map of mainland France for pages, drawn light: fewer points than its source, and borders that still meet."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hub.domain.territory import Atlas

Point = tuple[int, int]
Ring = list[Point]

SMALLEST = 6
"""A point goes when the triangle that it makes with its two neighbours is smaller (square units of the drawing)."""

CAPITAL = ("75", "77", "78", "91", "92", "93", "94", "95")
"""The départements around Paris: too small to be seen, so they are drawn once more, larger."""

MARGIN = 3

_STEP = re.compile(r"([mz])([^mz]*)", re.IGNORECASE)
_NUMBER = re.compile(r"-?[\d.]+(?:e-?\d+)?")


@dataclass(frozen=True)
class Drawing:
    """Paths by département (`D-35`), the box that they lie in, and a point inside each."""

    view_box: str
    paths: Mapping[str, str]
    centres: Mapping[str, tuple[float, float, float]]
    """Where the middle of each is, and how large it is, so that the middle of several can be told."""

    def middle(self, codes: Iterable[str]) -> tuple[int, int]:
        """The middle of several départements together."""
        parts = [self.centres[code] for code in codes]
        whole = sum(size for _x, _y, size in parts)
        return (
            round(sum(x * size for x, _y, size in parts) / whole),
            round(sum(y * size for _x, y, size in parts) / whole),
        )


@dataclass(frozen=True)
class Shape:
    """One académie as it is drawn, and its middle."""

    code: str
    path: str
    x: int
    y: int


@dataclass(frozen=True)
class Look:
    """How one académie looks on the map of a page: its class and pattern, what it says, and where it leads."""

    address: str
    kind: str
    words: str
    pattern: str = ""
    mark: str = ""
    """What is written on it."""


@dataclass(frozen=True)
class Country:
    """The map of a page: the mainland, the surroundings of Paris once more, and how each académie on it looks.

    Those without a look are drawn as neighbours.
    """

    mainland: Drawing
    shapes: list[Shape]
    capital: Drawing
    around_paris: list[Shape]
    looks: Mapping[str, Look]

    @property
    def drawn(self) -> set[str]:
        """The académies with a look that are on the map; others are told beside it."""
        return {shape.code for shape in self.shapes if shape.code in self.looks}

    @property
    def shows_paris(self) -> bool:
        """Whether any of those around Paris has a look."""
        return any(shape.code in self.looks for shape in self.around_paris)


def country(land: Atlas, looks: Mapping[str, Look]) -> Country:
    """The map with these académies on it."""
    return Country(mainland(), academies(mainland(), land), capital(), academies(capital(), land), looks)


def academies(drawn: Drawing, land: Atlas) -> list[Shape]:
    """Each académie of a drawing, as one path."""
    of_academie: dict[str, list[str]] = {}
    for departement in drawn.paths:
        academie = land.parent(departement) if departement in land else None
        of_academie.setdefault(academie or "", []).append(departement)
    return [
        Shape(code, "".join(drawn.paths[one] for one in some), *drawn.middle(some))
        for code, some in sorted(of_academie.items())
    ]


@cache
def mainland() -> Drawing:
    """The 96 départements of the mainland and Corsica; drawn once."""
    return _drawn(_source(), scale=1, smallest=SMALLEST)


@cache
def capital() -> Drawing:
    """The eight départements around Paris, larger; drawn once."""
    return _drawn({code: path for code, path in _source().items() if code in CAPITAL}, scale=4, smallest=3 * SMALLEST)


def _source() -> dict[str, str]:
    told = json.loads((files("hub") / "data" / "departements_map.json").read_text(encoding="utf-8"))
    paths: dict[str, str] = told["paths"]
    return paths


def _drawn(paths: Mapping[str, str], *, scale: int, smallest: float) -> Drawing:
    light = lighter({f"D-{code}": list(_rings(path, scale)) for code, path in paths.items()}, smallest)
    return Drawing(
        _box(light.values()),
        {code: "".join(_path(ring) for ring in rings) for code, rings in light.items()},
        {code: _centre(rings) for code, rings in light.items()},
    )


def _box(shapes: Iterable[list[Ring]]) -> str:
    """The view box of several shapes, with a margin for their outline."""
    points = [point for rings in shapes for ring in rings for point in ring]
    left, top = min(x for x, _y in points) - MARGIN, min(y for _x, y in points) - MARGIN
    right, bottom = max(x for x, _y in points) + MARGIN, max(y for _x, y in points) + MARGIN
    return f"{left} {top} {right - left} {bottom - top}"


def _rings(path: str, scale: int) -> Iterator[Ring]:
    """The rings of a path of relative steps, on whole units, without repeats."""
    x = y = 0.0
    for command, numbers in _STEP.findall(path):
        if command in "zZ":
            continue
        ring: Ring = []
        steps = [float(number) for number in _NUMBER.findall(numbers)]
        start = (x, y)
        for across, down in zip(steps[::2], steps[1::2], strict=True):
            x, y = x + across, y + down
            start = start if ring else (x, y)
            point = (round(x * scale), round(y * scale))
            if not ring or ring[-1] != point:
                ring.append(point)
        x, y = start  # closing goes back to where the ring began
        if len(ring) > 1 and ring[0] == ring[-1]:
            ring.pop()
        if len(ring) > 2:  # else a rock, too small to be drawn
            yield ring


def lighter(shapes: Mapping[str, list[Ring]], smallest: float) -> dict[str, list[Ring]]:
    """The same shapes with fewer points: the flattest goes first (Visvalingam), on both sides of a border alike.

    Points where three borders meet stay; so do shapes that would vanish.
    """
    around = _neighbours(shapes)
    waiting = [(_area(point, *sides), point) for point, sides in around.items() if len(sides) == 2]
    heapq.heapify(waiting)
    gone: set[Point] = set()
    while waiting and waiting[0][0] < smallest:
        area, point = heapq.heappop(waiting)
        if point in gone or len(around[point]) != 2:
            continue
        one, other = around[point]
        if area != _area(point, one, other) or other in around[one]:
            continue  # looked at again since, or the last corner of a triangle
        gone.add(point)
        for side, far in ((one, other), (other, one)):
            around[side] = (around[side] - {point}) | {far}
            if len(around[side]) == 2:
                heapq.heappush(waiting, (_area(side, *around[side]), side))
    return {code: [[point for point in ring if point not in gone] for ring in rings] for code, rings in shapes.items()}


def _neighbours(shapes: Mapping[str, list[Ring]]) -> dict[Point, frozenset[Point]]:
    """What each point is joined to, over all shapes."""
    told: dict[Point, set[Point]] = {}
    for rings in shapes.values():
        for ring in rings:
            for one, other in zip(ring, ring[1:] + ring[:1], strict=True):
                told.setdefault(one, set()).add(other)
                told.setdefault(other, set()).add(one)
    return {point: frozenset(others) for point, others in told.items()}


def _area(a: Point, b: Point, c: Point) -> float:
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2


def _path(ring: Ring) -> str:
    """A ring as relative steps, in as few characters as can be."""
    last = ring[0]
    steps = [f"M{last[0]} {last[1]}l"]
    for point in ring[1:]:
        steps.append(f"{point[0] - last[0]} {point[1] - last[1]} ")
        last = point
    return "".join(steps).rstrip().replace(" -", "-").replace("l ", "l") + "z"


def _centre(rings: list[Ring]) -> tuple[float, float, float]:
    """The middle of the largest ring, and its size."""
    return max((_middle(ring) for ring in rings), key=lambda told: told[2])


def _middle(ring: Ring) -> tuple[float, float, float]:
    across = down = twice = 0.0
    for (x, y), (next_x, next_y) in zip(ring, ring[1:] + ring[:1], strict=True):
        turn = x * next_y - next_x * y
        twice += turn
        across += (x + next_x) * turn
        down += (y + next_y) * turn
    return across / (3 * twice), down / (3 * twice), abs(twice) / 2
