"""Territories that are the same land have one code, whichever way they were named."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from hub.database import reading
from hub.domain.territory import Atlas
from hub.services import geotargeting


@pytest.fixture
def atlas(engine: Engine) -> Atlas:
    """The whole tree down to départements."""
    with reading(engine) as session:
        return geotargeting.atlas(session, ["C-75056"])


def test_a_region_with_one_academie_is_that_academie(atlas):
    assert atlas.simplify(["A-14"]) == atlas.simplify(["R-53"]) == {"A-14"}
    assert atlas.simplify(["D-22", "D-29", "D-35", "D-56"]) == {"A-14"}
    assert atlas.same(["A-14"], "R-53")
    assert atlas.covers(["A-14"], ["R-53"])
    assert atlas.intersection(["FR"], "R-53") == {"A-14"}


def test_a_region_with_several_academies_is_itself(atlas):
    parts = atlas.children("R-75")

    assert len(parts) > 1
    assert atlas.simplify(parts) == {"R-75"}


def test_all_academies_together_are_the_country(atlas):
    academies = atlas.academies_of(["FR"])

    assert len(academies) == 34
    assert atlas.simplify(academies) == {"FR"}
    assert atlas.simplify(academies[1:]) != {"FR"}


def test_paris_is_one_land_from_its_commune_up_to_its_academie(atlas):
    assert atlas.simplify(["C-75056"]) == atlas.simplify(["D-75"]) == atlas.simplify(["A-01"]) == {"A-01"}
