"""Places through the API: found, near, looked at, put right, checked."""

from __future__ import annotations

import pytest

from tests.services.shelf import Shelf
from tests.web.conftest import Ask

POINTE_A_PITRE = "97120"


@pytest.fixture
def shelf(ask: Ask) -> Shelf:
    """Places to keep."""
    return Shelf(ask.stage)


def test_places_are_listed_by_words_kind_state_and_territory(ask: Ask, shelf: Shelf):
    shelf.put("Mission locale de Rennes")
    shelf.put("CIO de Saint-Malo", "35288", type_code="cio", phone="")
    shelf.put("Là-bas", POINTE_A_PITRE)

    def names(query: str = "", who: str = "animator") -> list[str]:
        return [one["name"] for one in ask("GET", f"/places{query}", who).json()]

    assert names() == ["CIO de Saint-Malo", "Mission locale de Rennes"]
    assert names("?query=malo") == names("?type=cio") == names("?state=no-phone") == ["CIO de Saint-Malo"]
    assert names("?limit=1&offset=1") == ["Mission locale de Rennes"]
    assert names("?territory=A-32", "coordinator") == ["Là-bas"]
    assert ask("GET", "/places?state=nonsense", "animator").status_code == 422


def test_places_near_a_point_are_those_of_everybody(ask: Ask, shelf: Shelf):
    shelf.put("Mission locale de Rennes")
    shelf.put("CIO de Saint-Malo", "35288", type_code="cio")

    near = ask("GET", "/nearby/places?at=48.11,-1.67", "stranger").json()
    cio = ask("GET", "/nearby/places?at=48.11,-1.67&type=cio&limit=1", "analyst").json()

    assert [(one["name"], one["km"] < 1) for one in near] == [
        ("Mission locale de Rennes", True), ("CIO de Saint-Malo", False),
    ]  # fmt: skip
    assert [one["name"] for one in cio] == ["CIO de Saint-Malo"]
    assert ask("GET", "/nearby/places?at=Rennes", "analyst").status_code == 422


def test_a_place_is_put_right_and_keeps_the_word_of_its_source(ask: Ask, shelf: Shelf):
    place_id = shelf.put(hours=[{"days": [1, 5], "spans": [["09:00", "17:00"]], "note": ""}])
    seen = ask("GET", f"/places/{place_id}", "animator").headers["etag"]

    answer = ask(
        "PATCH", f"/places/{place_id}", "animator",
        json={"phone": "0299111111", "hours": ""}, headers={"If-Match": seen},
    )  # fmt: skip

    assert answer.status_code == 200
    told = answer.json()
    assert (told["phone"], told["hours"]) == ("02 99 11 11 11", "")
    assert told["said_by_source"] == {"phone": "02 99 00 00 00", "hours": "monday-friday 09:00-17:00"}
    assert answer.headers["etag"] != seen
    late = ask("PATCH", f"/places/{place_id}", "animator", json={"mail": "a@example.org"}, headers={"If-Match": seen})
    assert (late.status_code, late.json()["detail"]) == (409, "Somebody else changed this place meanwhile.")
    anyway = ask("PATCH", f"/places/{place_id}", "animator", json={"mail": "a@example.org"}, headers={"If-Match": "*"})
    assert anyway.json()["mail"] == "a@example.org"


def test_what_is_wrong_is_told_field_by_field(ask: Ask, shelf: Shelf):
    answer = ask("PATCH", f"/places/{shelf.put()}", "animator", json={"phone": "x", "siret": "1", "colour": "red"})

    assert answer.status_code == 422
    assert {one["field"] for one in answer.json()["problems"]} == {"phone", "siret", "colour"}


def test_a_check_is_dated(ask: Ask, shelf: Shelf):
    place_id = shelf.put(dated_on=None)

    told = ask("POST", f"/places/{place_id}/check", "animator").json()

    assert (told["checked_on"], told["stale"]) == ("2026-11-02", False)
