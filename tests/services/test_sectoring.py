"""Sectors: typed, pasted, or a whole département; only of communes, and only for kinds that have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.errors import Invalid, NotFound, WrongState
from hub.domain.territory import Level, Territory
from hub.services import sectoring
from tests.services.desk import told
from tests.services.shelf import Shelf


def do(shelf: Shelf, activity: Any, place_id: int, some: Iterable[str], who: str = "animator") -> None:
    with writing(shelf.stage.hub.engine) as session:
        activity(session, place_id, some, by=shelf.stage.people[who], at=shelf.stage.clock())


def codes(shelf: Shelf, place_id: int) -> list[str]:
    with reading(shelf.stage.hub.engine) as session:
        assert sectoring.count(session, shelf.get(place_id)) == len(sectoring.codes(session, shelf.get(place_id)))
        return sectoring.codes(session, shelf.get(place_id))


def test_communes_are_added_taken_out_and_noted(shelf: Shelf):
    place_id = shelf.put()

    do(shelf, sectoring.add, place_id, ["C-35238", "C-35047"])
    do(shelf, sectoring.add, place_id, ["C-35047", "C-22113"])
    do(shelf, sectoring.take, place_id, ["C-35047", "C-99999"])
    do(shelf, sectoring.take, place_id, [])

    assert codes(shelf, place_id) == ["C-22113", "C-35238"]
    with reading(shelf.stage.hub.engine) as session:
        assert [one.name for one in sectoring.communes(session, shelf.get(place_id))] == ["Lannion", "Rennes"]
    assert [(action, before, after) for action, _who, before, after in shelf.noted(place_id)] == [
        ("place.sector", {"communes": 0}, {"communes": 2, "new_communes": ["35047", "35238"]}),
        ("place.sector", {"communes": 2}, {"communes": 3, "new_communes": ["22113"]}),
        ("place.sector", {"communes": 3, "taken_communes": ["35047"]}, {"communes": 2}),
    ]


def test_a_whole_departement_is_added_at_once_and_noted_as_a_number(shelf: Shelf):
    place_id = shelf.put()
    with reading(shelf.stage.hub.engine) as session:
        all_of_it = sectoring.of_departement(session, "D-35")

    do(shelf, sectoring.set_sector, place_id, all_of_it)
    do(shelf, sectoring.set_sector, place_id, ["C-35238"])

    assert len(all_of_it) > 300
    assert codes(shelf, place_id) == ["C-35238"]
    assert [(before, after) for _action, _who, before, after in shelf.noted(place_id)] == [
        ({"communes": 0}, {"communes": len(all_of_it)}), ({"communes": len(all_of_it)}, {"communes": 1}),
    ]  # fmt: skip


def test_what_the_source_names_is_remembered_and_can_be_taken_again(shelf: Shelf):
    place_id = shelf.put()
    do(shelf, sectoring.set_sector, place_id, ["C-35238"])
    assert shelf.get(place_id).corrected == {"sector": []}
    do(shelf, sectoring.add, place_id, ["C-35047"])
    assert shelf.get(place_id).corrected == {"sector": []}

    with writing(shelf.stage.hub.engine) as session:
        sectoring.undo(session, place_id, by=shelf.stage.people["animator"], at=shelf.stage.clock())

    assert (codes(shelf, place_id), shelf.get(place_id).corrected) == ([], {})
    with writing(shelf.stage.hub.engine) as session, pytest.raises(WrongState, match="not corrected here"):
        sectoring.undo(session, place_id, by=shelf.stage.people["animator"], at=shelf.stage.clock())


@pytest.mark.parametrize("code", ["A-14", "D-99", "", "C-35238"])
def test_only_a_departement_is_a_departement(shelf: Shelf, code: str):
    with reading(shelf.stage.hub.engine) as session, pytest.raises(Invalid) as refused:
        sectoring.of_departement(session, code)

    assert told(refused) == [("departement", "Choose a département.")]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("35238\n35047\r\n35238", ["C-35238", "C-35047"]),
        ("35238;35047, 22113 | 2a004", ["C-35238", "C-35047", "C-22113", "C-2A004"]),
        ("\"1001\" '75111' 69381", ["C-01001", "C-75056", "C-69123"]),
    ],
)
def test_a_pasted_list_is_read_whatever_stands_between(shelf: Shelf, text: str, meant: list[str]):
    with reading(shelf.stage.hub.engine) as session:
        assert sectoring.read_codes(session, text) == meant


def test_a_commune_that_merged_counts_as_the_one_that_it_merged_into(shelf: Shelf):
    with writing(shelf.stage.hub.engine) as session:
        old = session.get(Territory, "C-35047")
        assert old is not None
        old.successor_code = "C-35238"
    with reading(shelf.stage.hub.engine) as session:
        assert sectoring.read_codes(session, "35047 35238") == ["C-35238"]


def test_what_is_no_commune_is_named_and_nothing_is_taken_for_it(shelf: Shelf):
    with reading(shelf.stage.hub.engine) as session:
        with pytest.raises(Invalid) as refused:
            sectoring.read_codes(session, "35238 99999 Rennes 35000")
        with pytest.raises(Invalid) as many:
            sectoring.read_codes(session, " ".join(f"X{number:03}" for number in range(1000)) + " " + "y" * 1000)
        with pytest.raises(Invalid) as empty:
            sectoring.read_codes(session, " \n;")

    said = "Not an INSEE code of a commune: 99999, RENNES, 35000. Correct or remove it; postcodes are none."
    assert told(refused) == [("pasted", said)]
    assert "X009…. Correct" in told(many)[0][1]
    assert told(empty) == [("pasted", "Paste INSEE codes of communes, such as 35238.")]


def test_a_sector_is_made_of_communes_only(shelf: Shelf):
    place_id = shelf.put()

    for code in ("D-35", "C-99999"):
        with pytest.raises(Invalid, match="A sector is made of communes"):
            do(shelf, sectoring.add, place_id, ["C-35238", code])

    assert codes(shelf, place_id) == []


def test_kinds_without_sectors_get_none_but_lose_an_old_one(shelf: Shelf):
    mission, school = shelf.put(), shelf.put("E2C", type_code="e2c")
    with reading(shelf.stage.hub.engine) as session:
        has = [sectoring.has_sectors(session, shelf.get(number)) for number in (mission, school)]
    with pytest.raises(WrongState, match="have no sector"):
        do(shelf, sectoring.add, school, ["C-35238"])
    do(shelf, sectoring.take, school, ["C-35238"])

    assert (has, codes(shelf, school)) == ([True, False], [])


def test_the_sector_of_a_place_of_elsewhere_is_not_found(shelf: Shelf):
    place_id = shelf.put()

    for activity in (sectoring.add, sectoring.take, sectoring.set_sector):
        with pytest.raises(NotFound):
            do(shelf, activity, place_id, ["C-35238"], "stranger")


def test_a_sector_may_reach_into_another_departement_and_be_as_large_as_a_region(shelf: Shelf):
    place_id = shelf.put()
    with reading(shelf.stage.hub.engine) as session:
        query = select(Territory.code).where(Territory.level == Level.COMMUNE, Territory.path.like("FR/R-53/%"))  # type: ignore[attr-defined]
        region = list(session.exec(query))

    do(shelf, sectoring.set_sector, place_id, region)
    do(shelf, sectoring.set_sector, place_id, [])

    assert len(region) > 1000
    assert codes(shelf, place_id) == []
