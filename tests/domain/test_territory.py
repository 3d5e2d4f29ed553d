"""What lies within what: the tree, and sets of territories said in as few codes as can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.territory import Atlas, search_key
from tests.domain.land import ATLAS, NODES, leaves

CODES = st.sets(st.sampled_from(sorted(NODES)), max_size=8)
BRUZ, RENNES, SAINT_MALO = "C-35047", "C-35238", "C-35288"


# --- The tree -----------------------------------------------------------------------------------------------


def test_a_territory_knows_its_name_zone_parent_and_parts():
    assert ATLAS.name("D-35") == "Land D-35"
    assert ATLAS.zone("A-40") == "Pacific/Noumea"
    assert (ATLAS.parent("D-35"), ATLAS.parent("A-40"), ATLAS.parent("FR")) == ("A-14", "FR", None)
    assert ATLAS.children("A-04") == ["D-33", "D-40"]
    assert ATLAS.children(RENNES) == []
    assert ("D-35" in ATLAS, "D-99" in ATLAS) == (True, False)


@pytest.mark.parametrize(
    ("code", "other", "within", "met"),
    [
        ("D-35", "D-35", True, "D-35"),
        ("D-35", "A-14", True, "D-35"),
        ("A-14", "D-35", False, "D-35"),
        ("D-35", "D-22", False, None),
        ("FR", RENNES, False, RENNES),
        ("A-40", "FR", True, "A-40"),
    ],
)
def test_two_territories_meet_in_the_smaller_one_or_not_at_all(code, other, within, met):
    assert ATLAS.within(code, other) is within
    assert ATLAS.meet(code, other) == met


def test_a_code_that_begins_like_another_lies_not_within_it():
    land = Atlas({code: replace(NODES["D-33"], code=code, path=f"FR/{code}") for code in ("D-1", "D-10")})

    assert land.within("D-10", "D-1") is False


# --- As few codes as can be ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (set(), set()),
        ({"D-35", "A-14"}, {"A-14"}),
        ({"D-35", "D-22"}, {"A-14"}),
        ({"R-53"}, {"A-14"}),
        ({"R-53", "A-14"}, {"A-14"}),
        ({"D-87"}, {"A-22"}),
        ({"D-988"}, {"A-40"}),
        ({"A-04", "A-22"}, {"R-75"}),
        ({"D-33", "D-40", "D-87"}, {"R-75"}),
        ({"R-75", "A-14", "A-40"}, {"FR"}),
        ({"D-33", "D-40", "D-87", "D-22", "D-35", "D-988"}, {"FR"}),
        ({BRUZ, RENNES}, {BRUZ, RENNES}),
        ({BRUZ, RENNES, SAINT_MALO}, {"D-35"}),
        ({BRUZ, RENNES, SAINT_MALO, "D-22"}, {"A-14"}),
        ({BRUZ, "FR"}, {"FR"}),
    ],
)
def test_parts_of_a_named_whole_are_left_out_and_complete_sets_are_joined(codes, told):
    assert ATLAS.simplify(codes) == told


def test_communes_are_their_departement_only_when_all_of_it_is_named():
    more = Atlas(NODES, {"D-35": 4})

    assert more.simplify({BRUZ, RENNES, SAINT_MALO}) == {BRUZ, RENNES, SAINT_MALO}
    assert Atlas(NODES).simplify({BRUZ, RENNES, SAINT_MALO}) == {BRUZ, RENNES, SAINT_MALO}


def test_a_commune_that_has_ended_stands_for_none_that_is_missing():
    ended = replace(NODES[SAINT_MALO], ended_on=date(2026, 1, 1))
    land = Atlas({**NODES, SAINT_MALO: ended}, {"D-35": 3})

    assert land.simplify({BRUZ, RENNES, SAINT_MALO}) == {BRUZ, RENNES, SAINT_MALO}
    assert land.children("D-35") == [BRUZ, RENNES]


@given(CODES)
def test_simplified_codes_keep_the_land(codes):
    assert leaves(ATLAS.simplify(codes)) == leaves(codes)


@given(CODES)
def test_what_is_simple_stays_as_it_is(codes):
    told = ATLAS.simplify(codes)

    assert ATLAS.simplify(told) == told


@given(CODES)
def test_no_land_is_said_twice(codes):
    told = ATLAS.simplify(codes)

    assert [(one, other) for one in told for other in told if one != other and ATLAS.within(one, other)] == []


@given(CODES, CODES)
def test_the_same_land_is_always_said_the_same_way(some, more):
    alike = leaves(some) == leaves(more)

    assert (ATLAS.simplify(some) == ATLAS.simplify(more)) is alike


# --- Sets against territories -------------------------------------------------------------------------------


@given(CODES, st.sampled_from(sorted(NODES)))
def test_an_intersection_is_the_land_that_both_have(codes, territory):
    assert leaves(ATLAS.intersection(codes, territory)) == leaves(codes) & leaves({territory})


@given(CODES, CODES)
def test_territories_cover_exactly_what_lies_within_them(wide, narrow):
    assert ATLAS.covers(wide, narrow) is (leaves(narrow) <= leaves(wide))


@pytest.mark.parametrize(
    ("codes", "territory", "told"),
    [
        ({"FR"}, "A-14", {"A-14"}),
        ({"D-35"}, "FR", {"D-35"}),
        ({"D-33"}, "A-14", set()),
        ({RENNES, "D-33", "D-22"}, "A-14", {RENNES, "D-22"}),
        ({"FR"}, "R-53", {"A-14"}),
    ],
)
def test_an_intersection_is_told_simply(codes, territory, told):
    assert ATLAS.intersection(codes, territory) == told


def test_territories_are_the_same_when_they_are_the_same_land():
    assert ATLAS.same({"D-35", "D-22"}, "R-53") is True
    assert ATLAS.same({"D-35"}, "A-14") is False


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([], []),
        (["FR"], ["A-04", "A-14", "A-22", "A-40"]),
        (["R-75", RENNES], ["A-04", "A-14", "A-22"]),
        (["D-988"], ["A-40"]),
    ],
)
def test_the_academies_that_are_touched_are_told_in_order(codes, told):
    assert ATLAS.academies_of(codes) == told


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([], "FR"),
        ([RENNES], RENNES),
        ([RENNES, BRUZ], "D-35"),
        ([RENNES, "D-22"], "A-14"),
        (["D-33", "D-87"], "R-75"),
        (["D-33", "A-40"], "FR"),
        (["A-14", "D-35"], "A-14"),
    ],
)
def test_the_smallest_territory_that_holds_several(codes, told):
    assert ATLAS.common(codes) == told


def test_people_of_overlapping_territories_are_counted_once():
    assert ATLAS.population({"D-35", RENNES, "A-14"}) == 400
    assert ATLAS.population({RENNES, "A-40"}) == 250
    assert ATLAS.population([]) == 0


# --- Names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Saint-Étienne", "saint etienne"),
        ("St Etienne", "saint etienne"),
        ("STE-COLOMBE", "sainte colombe"),
        ("Bourg-St-Maurice", "bourg saint maurice"),
        ("Le Mans", "mans"),
        ("Les Abymes", "abymes"),
        ("L’Haÿ-les-Roses", "hay les roses"),
        ("L'Île-d'Yeu", "ile d yeu"),
        ("Œuilly", "oeuilly"),
        ("Stains", "stains"),
        ("La", "la"),
        ("  Fort  de France ", "fort de france"),
        ("", ""),
    ],
)
def test_names_are_compared_without_what_people_leave_out(name, key):
    assert search_key(name) == key


@given(st.text(alphabet="abcdéèœ'- STstELel", max_size=20))
def test_case_never_matters_to_a_search(name):
    assert search_key(name.upper()) == search_key(name.lower())
