"""The map: light, whole, and with borders that still meet."""

from __future__ import annotations

import re
from collections import Counter

from hub.web import drawing
from hub.web.drawing import capital, lighter, mainland


def points(path: str) -> list[tuple[int, int]]:
    """Every point of a drawn path."""
    told = []
    for ring in re.findall(r"M([^z]*)z", path):
        start, steps = ring.split("l")
        numbers = [int(number) for number in re.findall(r"-?\d+", start + " " + steps)]
        x = y = 0
        for across, down in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = x + across, y + down
            told.append((x, y))
    return told


def test_all_96_departements_are_drawn_within_the_box():
    drawn = mainland()
    left, top, width, height = (int(number) for number in drawn.view_box.split())

    assert len(drawn.paths) == 96
    assert {code for code in drawn.paths if not re.fullmatch(r"D-\d[\dAB]", code)} == set()
    everywhere = [point for path in drawn.paths.values() for point in points(path)]
    assert all(left <= x <= left + width and top <= y <= top + height for x, y in everywhere)


def test_the_drawing_is_light_enough_for_a_page():
    assert sum(len(path) for drawn in (mainland(), capital()) for path in drawn.paths.values()) < 20_000


def test_each_departement_keeps_its_size():
    exact = drawing._drawn(drawing._source(), scale=1, smallest=0).centres

    ratios = {code: size / exact[code][2] for code, (_x, _y, size) in mainland().centres.items()}

    assert {code: ratio for code, ratio in ratios.items() if not 0.9 < ratio < 1.1 and code != "D-75"} == {}


def test_the_departements_around_paris_are_drawn_once_more_and_larger():
    small, large = mainland().centres, capital().centres

    assert set(large) == {f"D-{code}" for code in drawing.CAPITAL}
    assert all(large[code][2] > 12 * small[code][2] for code in large)


def test_neighbours_still_share_their_border():
    shared = Counter(point for path in mainland().paths.values() for point in set(points(path)))
    paris = set(points(mainland().paths["D-75"]))

    assert {shared[point] for point in paris} <= {2, 3}


def test_flat_points_go_on_both_sides_of_a_border_and_corners_stay():
    left = [[(0, 0), (10, 0), (10, 5), (10, 10), (0, 10)]]
    right = [[(10, 0), (20, 0), (20, 10), (10, 10), (10, 5)]]

    told = lighter({"left": left, "right": right}, 1)

    assert told == {
        "left": [[(0, 0), (10, 0), (10, 10), (0, 10)]],
        "right": [[(10, 0), (20, 0), (20, 10), (10, 10)]],
    }


def test_a_small_island_does_not_vanish():
    [ring] = lighter({"island": [[(0, 0), (1, 0), (1, 1), (0, 1)]]}, 100)["island"]

    assert len(ring) == 3


def test_the_middle_of_several_lies_nearer_to_the_larger_one():
    drawn = drawing.Drawing("0 0 9 9", {}, {"small": (0.0, 0.0, 1.0), "large": (8.0, 4.0, 3.0)})

    assert drawn.middle(["small", "large"]) == (6, 3)
