"""A box around a circle on the sphere."""

from __future__ import annotations

from math import isclose

import pytest

from hub.services.bounding import HALF_EARTH_KM, bounds, radii


def test_circles_grow_until_they_hold_the_whole_earth():
    every = list(radii())

    assert every[:3] == [25.0, 100.0, 400.0]
    assert every[-1] == HALF_EARTH_KM


@pytest.mark.parametrize(("most", "circles"), [(10.0, [10.0]), (25.0, [25.0]), (60.0, [25.0, 60.0])])
def test_circles_grow_no_further_than_asked(most, circles):
    assert list(radii(most)) == circles


def test_far_from_poles_and_date_line_one_box_is_enough():
    box = bounds(48.0, -1.0, 111.195)

    assert isclose(box["south"], 47.0, abs_tol=1e-4)
    assert isclose(box["north"], 49.0, abs_tol=1e-4)
    assert box["west"] < -2 < 0 < box["east"]
    assert box["west_too"] > box["east_too"]


@pytest.mark.parametrize(("lon", "other"), [(179.9, -180.0), (-179.9, 180.0)])
def test_across_the_date_line_the_second_box_lies_on_the_other_side(lon, other):
    box = bounds(-15.0, lon, 50.0)

    assert box["west"] < lon < box["east"]
    assert box["west_too"] < other < box["east_too"]


@pytest.mark.parametrize("lat", [89.9, -89.9])
def test_around_a_pole_the_box_is_a_whole_band(lat):
    box = bounds(lat, 10.0, 50.0)

    assert (box["west"], box["east"]) == (-180.0, 180.0)
