"""Places that are the same: proposed, shown as one, and parted again."""

from __future__ import annotations

from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.errors import Invalid, NotFound, WrongState
from hub.services import pairing, sectoring
from tests.services.desk import told
from tests.services.shelf import Shelf

BRUZ, POINTE_A_PITRE = "35047", "97120"


def likely(shelf: Shelf, place_id: int, words: str = "", who: str = "animator") -> list[str]:
    by = shelf.stage.people[who]
    with reading(shelf.stage.hub.engine) as session:
        found = pairing.likely(session, shelf.get(place_id), by=by, at=shelf.stage.clock(), words=words)
    return [one.place.name for one in found]


def do(shelf: Shelf, activity: Any, *what: Any, who: str = "animator", **rest: Any) -> None:
    with writing(shelf.stage.hub.engine) as session:
        activity(session, *what, by=shelf.stage.people[who], at=shelf.stage.clock(), **rest)


def test_places_near_by_are_proposed_the_likest_first(shelf: Shelf):
    place_id = shelf.put("Mission locale de Rennes")
    shelf.put("CIO de Rennes", type_code="cio")
    shelf.put("Mission Locale Rennes")
    shelf.put("Mission locale de Saint-Malo", "35288")
    shelf.put("Mission locale fermée", ended_on=shelf.stage.clock().date())

    assert likely(shelf, place_id) == ["Mission Locale Rennes", "CIO de Rennes"]
    assert likely(shelf, place_id, "saint malo") == ["Mission locale de Saint-Malo"]


def test_a_place_without_a_point_has_those_of_its_commune_near_by(shelf: Shelf):
    place_id = shelf.put("Mission locale", lat=None, lon=None)
    shelf.put("La voisine")
    shelf.put("Bruz", BRUZ)
    by = shelf.stage.people["animator"]

    with reading(shelf.stage.hub.engine) as session:
        [found] = pairing.likely(session, shelf.get(place_id), by=by, at=shelf.stage.clock())

    assert (found.place.name, found.km) == ("La voisine", None)


def test_places_of_others_are_never_proposed(shelf: Shelf):
    place_id = shelf.put("Mission locale de Guadeloupe", POINTE_A_PITRE)
    shelf.put("CIO", POINTE_A_PITRE)

    assert likely(shelf, place_id, who="stranger") == ["CIO"]
    assert likely(shelf, place_id) == likely(shelf, place_id, "cio") == []


def test_a_merged_place_keeps_its_row_and_can_be_parted(shelf: Shelf):
    first, second = shelf.put("Mission locale"), shelf.put("La même")

    do(shelf, pairing.merge, second, first)

    assert shelf.get(second).merged_into_id == first
    with reading(shelf.stage.hub.engine) as session:
        assert [one.name for one in pairing.merged_into(session, shelf.get(first))] == ["La même"]
    with pytest.raises(WrongState, match="is merged already"):
        do(shelf, pairing.merge, second, first)

    do(shelf, pairing.part, second)

    assert shelf.get(second).merged_into_id is None
    with pytest.raises(WrongState, match="is not merged into another one"):
        do(shelf, pairing.part, second)
    same = {"same_as": "Mission locale", "place": first}
    assert shelf.noted(second) == [
        ("place.merge", "Animator", None, same), ("place.part", "Animator", same, None),
    ]  # fmt: skip


def test_the_other_one_takes_the_sector_over_where_that_is_wished(shelf: Shelf):
    first, second = shelf.put(), shelf.put()
    do(shelf, sectoring.set_sector, first, ["C-35238"])
    do(shelf, sectoring.set_sector, second, ["C-35238", "C-35047"])

    do(shelf, pairing.merge, second, first, takes_sector=True)

    with reading(shelf.stage.hub.engine) as session:
        assert sectoring.codes(session, shelf.get(first)) == ["C-35047", "C-35238"]
        assert sectoring.codes(session, shelf.get(second)) == ["C-35047", "C-35238"]


def test_a_kind_without_sectors_takes_none_over(shelf: Shelf):
    first, second = shelf.put("E2C", type_code="e2c"), shelf.put()
    do(shelf, sectoring.set_sector, second, ["C-35238"])

    do(shelf, pairing.merge, second, first, takes_sector=True)

    with reading(shelf.stage.hub.engine) as session:
        assert sectoring.codes(session, shelf.get(first)) == []
    assert shelf.get(second).merged_into_id == first


def test_a_place_is_merged_only_into_another_one_that_is_shown(shelf: Shelf):
    first, second = shelf.put(), shelf.put("La même")
    ended = shelf.put("Fermée", ended_on=shelf.stage.clock().date())
    do(shelf, pairing.merge, second, first)

    for other, said in (
        (first, "Choose another place: this one is itself."),
        (second, "“La même” is not shown itself. Choose a place that is."),
        (ended, "“Fermée” is not shown itself. Choose a place that is."),
    ):
        with pytest.raises(Invalid) as refused:
            do(shelf, pairing.merge, first, other)
        assert told(refused) == [("other", said)]


def test_a_place_of_elsewhere_is_merged_neither_way(shelf: Shelf):
    here, there = shelf.put(), shelf.put("Là-bas", POINTE_A_PITRE)

    for one, other in ((here, there), (there, here)):
        with pytest.raises(NotFound):
            do(shelf, pairing.merge, one, other)
    with pytest.raises(NotFound):
        do(shelf, pairing.part, there)
