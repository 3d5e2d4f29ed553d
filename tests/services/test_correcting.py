"""Places put right: the source's word stays beside ours, every change is noted, and each can be undone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from hub.database import writing
from hub.domain.details import Details
from hub.domain.errors import Invalid, NotAllowed, NotFound, WrongState
from hub.domain.place import Place
from hub.services import correcting
from tests.services.desk import told
from tests.services.shelf import Shelf

RENNES, SAINT_MALO, POINTE_A_PITRE, NOUMEA = "35238", "35288", "97120", "98818"


def correct(shelf: Shelf, place_id: int, who: str = "animator", seen: str | None = None, **typed: Any) -> Place:
    with writing(shelf.stage.hub.engine) as session:
        details = Details.model_validate(typed)
        by = shelf.stage.people[who]
        return correcting.correct(session, place_id, details, by=by, at=shelf.stage.clock(), seen=seen)


def do(shelf: Shelf, activity: Any, *what: Any, who: str = "animator", **rest: Any) -> Place:
    with writing(shelf.stage.hub.engine) as session:
        done: Place = activity(session, *what, by=shelf.stage.people[who], at=shelf.stage.clock(), **rest)
        return done


# --- Correcting -----------------------------------------------------------------------------------------------


def test_a_correction_stands_on_top_of_what_the_source_says_and_is_noted(shelf: Shelf):
    place_id = shelf.put()

    correct(shelf, place_id, phone="0299111111", website="example.org")

    place = shelf.get(place_id)
    assert (place.phone, place.website) == ("02 99 11 11 11", "https://example.org")
    assert place.corrected == {"phone": "02 99 00 00 00", "website": ""}
    assert correcting.said_by_source(place) == {"phone": "02 99 00 00 00", "website": ""}
    [(action, who, before, after)] = shelf.noted(place_id)
    assert (action, who) == ("place.correct", "Animator")
    assert before == {"phone": "02 99 00 00 00", "website": ""}
    assert after == {"phone": "02 99 11 11 11", "website": "https://example.org"}


def test_what_is_not_given_and_what_does_not_differ_stays_and_is_not_noted(shelf: Shelf):
    place_id = shelf.put()

    correct(shelf, place_id, phone="02 99 00 00 00")
    correct(shelf, place_id)

    assert (shelf.get(place_id).corrected, shelf.noted(place_id)) == ({}, [])


def test_a_second_correction_keeps_the_word_of_the_source_and_its_own_value_ends_it(shelf: Shelf):
    place_id = shelf.put()

    correct(shelf, place_id, phone="0299111111")
    correct(shelf, place_id, phone="0299222222")
    assert shelf.get(place_id).corrected == {"phone": "02 99 00 00 00"}
    correct(shelf, place_id, phone="0299000000")

    assert shelf.get(place_id).corrected == {}


def test_hours_are_corrected_as_lines(shelf: Shelf):
    before = [{"days": [1, 5], "spans": [["09:00", "17:00"]], "note": ""}]
    place_id = shelf.put(hours=before)

    correct(shelf, place_id, hours="lundi 9h-12h")

    place = shelf.get(place_id)
    assert place.hours == [{"days": [1, 1], "spans": [["09:00", "12:00"]], "note": ""}]
    assert place.corrected == {"hours": before}
    assert shelf.noted(place_id)[0][2:] == ({"hours": "monday-friday 09:00-17:00"}, {"hours": "monday 09:00-12:00"})


def test_a_place_that_moves_takes_the_point_of_its_new_commune_with_it_and_back_again(shelf: Shelf):
    place_id = shelf.put()
    old = shelf.get(place_id)

    correct(shelf, place_id, commune=SAINT_MALO)

    place = shelf.get(place_id)
    assert (place.territory_code, place.point) == ("C-35288", "commune")
    assert place.lat is not None
    assert place.lat > 48.6
    assert set(place.corrected) == {"territory_code", "lat", "lon", "point"}
    assert correcting.said_by_source(place) == {"commune": "C-35238", "point": f"{old.lat},{old.lon}"}

    do(shelf, correcting.undo, place_id, "commune")

    place = shelf.get(place_id)
    assert (place.territory_code, place.lat, place.lon, place.corrected) == ("C-35238", old.lat, old.lon, {})


def test_a_place_with_a_point_of_its_own_keeps_it(shelf: Shelf):
    place_id = shelf.put(point="source", lat=48.1, lon=-1.6)

    correct(shelf, place_id, commune=SAINT_MALO)

    place = shelf.get(place_id)
    assert (place.lat, place.lon, place.point) == (48.1, -1.6, "source")
    assert set(place.corrected) == {"territory_code"}


def test_a_point_is_corrected_as_one_and_empty_is_that_of_the_commune(shelf: Shelf):
    place_id = shelf.put(point="source", lat=48.1, lon=-1.6)

    correct(shelf, place_id, point="48.1,-1.7")
    place = shelf.get(place_id)
    assert (place.lat, place.lon, place.point) == (48.1, -1.7, "typed")
    assert place.corrected == {"lat": 48.1, "lon": -1.6, "point": "source"}

    correct(shelf, place_id, point="48.1,-1.7")
    assert len(shelf.noted(place_id)) == 1

    correct(shelf, place_id, point="")
    place = shelf.get(place_id)
    assert (place.lat, place.lon, place.point) == (48.11109, -1.67431, "commune")

    do(shelf, correcting.undo, place_id, "point")
    place = shelf.get(place_id)
    assert (place.lat, place.lon, place.point, place.corrected) == (48.1, -1.6, "source", {})


def test_an_arrondissement_is_a_point_in_its_city(shelf: Shelf):
    place_id = shelf.put("CIO de Paris", "75111", territory_code="C-75056")
    before = shelf.get(place_id)

    correct(shelf, place_id, "coordinator", commune="75118")

    place = shelf.get(place_id)
    assert (place.territory_code, place.point) == ("C-75056", "commune")
    assert place.lat is not None
    assert before.lat is not None
    assert place.lat > before.lat


def test_a_place_written_here_is_changed_without_a_source_to_remember(shelf: Shelf):
    place_id = shelf.put(source="relais")

    correct(shelf, place_id, phone="0299111111", commune=SAINT_MALO)

    place = shelf.get(place_id)
    assert (place.phone, place.territory_code, place.corrected) == ("02 99 11 11 11", "C-35288", {})


def test_what_the_tables_do_not_know_is_refused_together(shelf: Shelf):
    place_id = shelf.put()

    with pytest.raises(Invalid) as refused:
        correct(shelf, place_id, type="chateau", commune="35999")

    assert sorted(told(refused)) == [
        ("commune", "There is no commune 35999."), ("type", "Choose the kind of place."),
    ]  # fmt: skip


def test_a_place_is_not_moved_into_the_territory_of_others(shelf: Shelf):
    place_id = shelf.put()

    with pytest.raises(Invalid) as refused:
        correct(shelf, place_id, commune=POINTE_A_PITRE)

    assert told(refused) == [("commune", "Pointe-à-Pitre is not in your territories: ask those who keep places there.")]
    assert shelf.get(place_id).territory_code == "C-35238"


def test_who_saw_an_older_state_is_told_so(shelf: Shelf):
    place_id = shelf.put()
    seen = correcting.mark(shelf.get(place_id))

    correct(shelf, place_id, "colleague", seen=seen, phone="0299111111")
    with pytest.raises(WrongState, match="Somebody else changed this place meanwhile"):
        correct(shelf, place_id, seen=seen, mail="a@example.org")

    assert shelf.get(place_id).mail == ""


def test_places_of_others_are_not_found_and_analysts_may_not(shelf: Shelf):
    place_id = shelf.put()
    for activity in (correcting.check, correcting.end, correcting.reopen):
        with pytest.raises(NotFound):
            do(shelf, activity, place_id, who="stranger")
        with pytest.raises(NotAllowed):
            do(shelf, activity, place_id, who="analyst")
    with pytest.raises(NotFound):
        correct(shelf, place_id, "stranger", phone="3949")
    with pytest.raises(NotFound):
        do(shelf, correcting.undo, place_id, "phone", who="stranger")

    assert shelf.noted(place_id) == []


# --- Undoing --------------------------------------------------------------------------------------------------


def test_a_correction_is_undone_with_what_the_source_says_by_now(shelf: Shelf):
    place_id = shelf.put(phone="02 99 11 11 11", corrected={"phone": "02 99 33 33 33", "mail": "x@example.org"})

    do(shelf, correcting.undo, place_id, "phone")

    place = shelf.get(place_id)
    assert (place.phone, place.corrected) == ("02 99 33 33 33", {"mail": "x@example.org"})
    assert shelf.noted(place_id) == [
        ("place.undo", "Animator", {"phone": "02 99 11 11 11"}, {"phone": "02 99 33 33 33"})
    ]


def test_a_correction_ends_where_the_source_says_the_same_by_now(shelf: Shelf):
    place_id = shelf.put(phone="02 99 11 11 11", corrected={"phone": "02 99 11 11 11"})

    do(shelf, correcting.undo, place_id, "phone")

    assert shelf.get(place_id).corrected == {}


@pytest.mark.parametrize("field", ["phone", "point", "nonsense", "ended_on"])
def test_what_is_not_corrected_cannot_be_undone(shelf: Shelf, field: str):
    place_id = shelf.put(corrected={"ended_on": None})

    with pytest.raises(WrongState, match="This is not corrected here"):
        do(shelf, correcting.undo, place_id, field)


# --- Checking, ending -----------------------------------------------------------------------------------------


def test_a_check_is_dated_with_the_day_of_the_place(shelf: Shelf):
    place_id = shelf.put("CIO de Nouméa", NOUMEA)
    shelf.stage.clock.at = datetime(2026, 11, 2, 20, tzinfo=UTC)

    do(shelf, correcting.check, place_id, who="coordinator")

    assert shelf.get(place_id).checked_on == date(2026, 11, 3)
    assert shelf.noted(place_id) == [("place.check", "Coordinator", {"checked_on": None}, {"checked_on": "2026-11-03"})]


def test_a_place_is_ended_against_its_source_and_shown_again(shelf: Shelf):
    place_id = shelf.put()

    do(shelf, correcting.end, place_id)
    place = shelf.get(place_id)
    assert (place.ended_on, place.corrected) == (date(2026, 11, 2), {"ended_on": None})
    with pytest.raises(WrongState, match="has ended already"):
        do(shelf, correcting.end, place_id)

    do(shelf, correcting.reopen, place_id)
    place = shelf.get(place_id)
    assert (place.ended_on, place.corrected) == (None, {})
    with pytest.raises(WrongState, match="has not ended"):
        do(shelf, correcting.reopen, place_id)
    assert [action for action, *_rest in shelf.noted(place_id)] == ["place.end", "place.reopen"]


def test_a_place_that_its_source_ended_is_shown_again_and_the_source_remembered(shelf: Shelf):
    place_id = shelf.put(ended_on=date(2026, 6, 1))

    do(shelf, correcting.reopen, place_id)

    place = shelf.get(place_id)
    assert (place.ended_on, place.corrected) == (None, {"ended_on": "2026-06-01"})


# --- Writing --------------------------------------------------------------------------------------------------

NEW: dict[str, Any] = {"name": "Point Accueil Jeunes", "type": "association", "commune": SAINT_MALO}


def write(shelf: Shelf, who: str = "animator", confirm_twin: bool = False, **typed: Any) -> Place:
    return do(shelf, correcting.write, Details.model_validate(typed), who=who, confirm_twin=confirm_twin)


def test_a_place_that_no_source_has_is_written_at_the_point_of_its_commune(shelf: Shelf):
    number = write(shelf, **NEW, phone="0299111111").id
    assert number is not None

    place = shelf.get(number)
    assert (place.source, place.territory_code, place.point) == ("relais", "C-35288", "commune")
    assert place.lat is not None
    assert place.lat > 48.6
    assert (place.checked_on, place.corrected) == (date(2026, 11, 2), {})
    [(action, _who, before, after)] = shelf.noted(number)
    assert (action, before, after["name"], after["phone"]) == (
        "place.write", None, "Point Accueil Jeunes", "02 99 11 11 11",
    )  # fmt: skip


def test_a_place_is_written_at_a_point_of_its_own(shelf: Shelf):
    number = write(shelf, **NEW, point="48.65,-2.01").id
    assert number is not None

    assert (shelf.get(number).lat, shelf.get(number).point) == (48.65, "typed")


def test_a_new_place_says_name_kind_and_commune_at_least(shelf: Shelf):
    with pytest.raises(Invalid) as refused:
        write(shelf, phone="3949")

    assert [field for field, _message in told(refused)] == ["name", "type", "commune"]


def test_a_place_of_the_same_name_in_the_commune_is_asked_about(shelf: Shelf):
    twin = shelf.put("POINT accueil-jeunes", SAINT_MALO)
    shelf.put("Point Accueil Jeunes", RENNES)

    with pytest.raises(Invalid) as refused:
        write(shelf, **NEW)

    sentence = (
        f"“POINT accueil-jeunes” in this commune is known already (no. {twin}). Confirm that this is another one."
    )
    assert told(refused) == [("confirm_twin", sentence)]
    assert write(shelf, confirm_twin=True, **NEW).id


def test_nobody_writes_a_place_elsewhere_and_no_analyst_writes_one(shelf: Shelf):
    with pytest.raises(Invalid, match="is not in your territories"):
        write(shelf, "stranger", **NEW)
    with pytest.raises(NotAllowed):
        write(shelf, "analyst", **NEW)
