"""Places of one's own territories: found by name, commune, kind and state, and nobody else's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from hub.database import reading
from hub.domain.errors import NotAllowed, NotFound
from hub.domain.person import RoleKind
from hub.services import keeping_places
from hub.services.keeping_places import Standing, Wanted
from tests.services.desk import Desk
from tests.services.shelf import Shelf

NOUMEA = "98818"
POINTE_A_PITRE = "97120"


def names(shelf: Shelf, who: str = "coordinator", **wanted: Any) -> list[str]:
    at, by = shelf.stage.clock(), shelf.stage.people[who]
    with reading(shelf.stage.hub.engine) as session:
        found = keeping_places.list_places(session, Wanted(**wanted), by=by, at=at)
        assert keeping_places.count_places(session, Wanted(**wanted), by=by, at=at) == len(found)
    return [place.name for place in found]


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    """Places here and far away, in every state."""
    first = shelf.put("Mission locale de Rennes", postcode="35000")
    shelf.put("CIO de Saint-Malo", "35288", type_code="cio", phone="", postcode="35400")
    shelf.put("École de la deuxième chance", "35238", type_code="e2c", dated_on=None, checked_on=date(2026, 10, 1))
    shelf.put("Épide de Lanrodec", "22116", type_code="epide", dated_on=date(2025, 3, 1))
    shelf.put("Mission locale de Guadeloupe", POINTE_A_PITRE)
    shelf.put("CIO de Nouméa", NOUMEA, type_code="cio")
    shelf.put("Fermée", ended_on=date(2026, 1, 1))
    shelf.put("La même", merged_into_id=first)
    shelf.put("Corrigée", corrected={"phone": ""})
    shelf.put("Écrite ici", source="relais")
    return shelf


def test_everybody_finds_the_places_of_their_own_territories_by_name(full: Shelf):
    own = [
        "CIO de Saint-Malo", "Corrigée", "Mission locale de Rennes", "École de la deuxième chance", "Écrite ici",
        "Épide de Lanrodec",
    ]  # fmt: skip

    assert sorted(names(full, "animator")) == sorted(own)
    assert names(full, "stranger") == ["Mission locale de Guadeloupe"]
    assert len(names(full, "administrator")) == 8


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"words": "malo"}, ["CIO de Saint-Malo"]),
        ({"words": "CIO st-malo"}, ["CIO de Saint-Malo"]),
        ({"words": "ecole"}, ["École de la deuxième chance"]),
        ({"words": "lanrodec"}, ["Épide de Lanrodec"]),
        ({"words": "354"}, ["CIO de Saint-Malo"]),
        ({"words": "mission rennes"}, ["Mission locale de Rennes"]),
        ({"words": "% _"}, None),
        ({"words": "introuvable"}, []),
        ({"type_code": "cio"}, ["CIO de Nouméa", "CIO de Saint-Malo"]),
        ({"type_code": "cio", "territory": "A-14"}, ["CIO de Saint-Malo"]),
        ({"territory": "Z-9"}, []),
        ({"standing": Standing.STALE}, ["Épide de Lanrodec"]),
        ({"standing": Standing.NO_PHONE}, ["CIO de Saint-Malo"]),
        ({"standing": Standing.ENDED}, ["Fermée"]),
        ({"standing": Standing.MERGED}, ["La même"]),
        ({"standing": Standing.CORRECTED}, ["Corrigée"]),
        ({"standing": Standing.BY_HAND}, ["Écrite ici"]),
    ],
)
def test_places_are_looked_for_by_words_kind_state_and_territory(full: Shelf, wanted, found):
    told = names(full, **wanted)

    assert len(told) == 8 if found is None else told == found


def test_a_long_list_goes_on_where_it_stopped(shelf: Shelf):
    for number in range(5):
        shelf.put(f"P{number}")
    by = shelf.stage.people["animator"]

    with reading(shelf.stage.hub.engine) as session:
        some = keeping_places.list_places(session, Wanted(), by=by, at=shelf.stage.clock(), limit=2, offset=3)

    assert [place.name for place in some] == ["P3", "P4"]


def test_places_are_kept_by_those_who_work_there_and_by_no_analyst(full: Shelf, desk: Desk):
    desk.join("local", RoleKind.ANIMATOR, "D-22")

    assert names(full, "local") == ["Épide de Lanrodec"]
    with pytest.raises(NotAllowed, match="kept by animators, coordinators and administrators"):
        names(full, "analyst")


def test_a_place_of_elsewhere_is_not_found(shelf: Shelf):
    place_id = shelf.put("Là-bas", POINTE_A_PITRE)

    with reading(shelf.stage.hub.engine) as session:
        assert keeping_places.get_place(session, place_id, by=shelf.stage.people["stranger"]).name == "Là-bas"
        for number in (place_id, 2**31 - 1):
            with pytest.raises(NotFound, match=f"There is no place {number} that you may keep"):
                keeping_places.get_place(session, number, by=shelf.stage.people["animator"])


def test_stale_places_are_counted_for_those_who_keep_them(full: Shelf):
    at = full.stage.clock()
    with reading(full.stage.hub.engine) as session:
        counts = {
            who: keeping_places.count_stale(session, by=full.stage.people[who], at=at)
            for who in ("animator", "stranger", "coordinator", "analyst")
        }

    assert counts == {"animator": 1, "stranger": 0, "coordinator": 1, "analyst": 0}


def test_today_is_the_day_where_the_place_lies(shelf: Shelf):
    place = shelf.get(shelf.put("CIO de Nouméa", NOUMEA))

    with reading(shelf.stage.hub.engine) as session:
        told = keeping_places.today_at(session, place, datetime(2026, 11, 2, 20, tzinfo=UTC))

    assert told == date(2026, 11, 3)


def test_a_territory_is_held_with_all_that_lies_in_it(shelf: Shelf):
    by = shelf.stage.people["animator"]
    with reading(shelf.stage.hub.engine) as session:
        held = {code: keeping_places.holds(session, code, by=by) for code in ("A-14", "C-35238", "C-97120", "C-00000")}

    assert held == {"A-14": True, "C-35238": True, "C-97120": False, "C-00000": False}
