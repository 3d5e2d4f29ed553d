"""A file of places, brought in again and again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.audit import OPERATOR, AuditEntry, note
from hub.domain.errors import Invalid
from hub.domain.place import PlaceProposal, PlaceSector, ProposalState
from hub.services.places import bringing

RENNES = "1;cio;CIO de Rennes;35238;02 99 00 00 01"


def audits(desk) -> int:
    with reading(desk.engine) as session:
        return len(session.exec(select(AuditEntry).where(AuditEntry.action == "places.import")).all())


def test_a_place_is_brought_in_with_the_point_of_its_commune(desk):
    brought = desk.own(RENNES)

    assert (brought.added, brought.changed, brought.unchanged, brought.refused) == (1, 0, 0, [])
    place = desk.place()
    assert (place.source, place.source_id, place.type_code, place.name) == ("own", "1", "cio", "CIO de Rennes")
    assert (place.territory_code, place.lat, place.lon, place.point) == ("C-35238", 48.11109, -1.67431, "commune")
    assert (place.phone, place.dated_on, place.invented, place.ended_on) == ("02 99 00 00 01", None, False, None)


def test_the_same_file_again_changes_nothing(desk):
    desk.own(RENNES)
    before = desk.place().model_dump()

    brought = desk.own(RENNES, at=datetime(2026, 12, 1, tzinfo=UTC))

    assert (brought.added, brought.changed, brought.unchanged) == (0, 0, 1)
    assert desk.place().model_dump() == before
    assert audits(desk) == 1


def test_what_changed_in_the_source_changes_here(desk):
    desk.own(RENNES)

    brought = desk.own("1;cio;CIO de Rennes;35238;02 99 00 00 02")

    assert (brought.added, brought.changed) == (0, 1)
    assert desk.place().phone == "02 99 00 00 02"


def test_a_field_that_was_corrected_here_is_kept_and_told(desk):
    desk.own(RENNES)
    number = desk.place().id

    def correct(place):
        place.phone, place.corrected = "02 99 00 00 09", {"phone": "02 99 00 00 01"}

    desk.change(correct)

    brought = desk.own("1;cio;CIO Rennes;35238;02 99 00 00 02")

    assert brought.kept == [f"Kept: phone of CIO de Rennes ({number}); the source now says “02 99 00 00 02”."]
    assert (desk.place().phone, desk.place().name) == ("02 99 00 00 09", "CIO Rennes")
    assert desk.place().corrected == {"phone": "02 99 00 00 02"}
    again = desk.own("1;cio;CIO Rennes;35238;02 99 00 00 02")
    assert (again.changed, len(again.kept)) == (0, 1)


def test_a_correction_ends_where_the_source_says_the_same(desk):
    desk.own(RENNES)

    def correct(place):
        place.phone, place.corrected = "02 99 00 00 09", {"phone": "02 99 00 00 01", "checked": "?"}

    desk.change(correct)

    assert desk.own("1;cio;CIO de Rennes;35238;02 99 00 00 09").kept == []
    assert desk.place().corrected == {"checked": "?"}


def test_a_point_is_corrected_as_one_thing(desk):
    heading = "id;type;name;commune;lat;lon\n"
    desk.own("1;cio;CIO;35238;48.1;-1.6", heading=heading)
    number = desk.place().id

    def correct(place):
        place.lat, place.lon, place.point = 48.1, -1.65, "typed"
        place.corrected = {"lat": 48.1, "lon": -1.6, "point": "source"}

    desk.change(correct)

    brought = desk.own("1;cio;CIO;35238;48.1;-1.61", heading=heading)
    assert brought.kept == [f"Kept: point of CIO ({number}); the source now says “48.1,-1.61”."]
    assert (desk.place().lat, desk.place().lon, desk.place().point) == (48.1, -1.65, "typed")
    assert desk.place().corrected == {"lat": 48.1, "lon": -1.61, "point": "source"}


def test_corrected_hours_are_kept_and_the_others_told(desk):
    heading = "id;type;name;commune;hours\n"
    desk.own("1;cio;CIO;35238;Mo 09:00-12:00", heading=heading)

    def correct(place):
        place.hours, place.corrected = [], {"hours": place.hours}

    desk.change(correct)

    (told,) = desk.own("1;cio;CIO;35238;Tu 09:00-12:00", heading=heading).kept
    assert '[{"days": [2, 2], "spans": [["09:00", "12:00"]], "note": ""}]' in told
    assert desk.place().hours == []


def test_a_place_that_was_ended_here_stays_ended(desk):
    desk.own(RENNES)
    number = desk.place().id

    def end(place):
        place.ended_on, place.corrected = date(2026, 10, 1), {"ended_on": None}

    desk.change(end)

    brought = desk.own(RENNES)
    assert brought.kept == [f"Kept: CIO de Rennes ({number}) stays ended, although its source still has it."]
    assert desk.place().ended_on == date(2026, 10, 1)


def test_a_place_that_was_shown_again_here_stays_shown(desk):
    desk.own(RENNES)

    def reopen(place):
        place.corrected = {"ended_on": "2026-10-01"}

    desk.change(reopen)

    assert desk.own("2;cio;CIO de Brest;29019;", is_whole=True).ended == 0
    assert desk.places()["1"].ended_on is None


def test_what_the_source_has_no_more_ends_and_comes_back(desk):
    rows = [f"{number};cio;CIO {number};35238;" for number in range(1, 13)]
    desk.own(*rows)

    assert desk.own(*rows[1:]).ended == 1
    assert desk.places()["1"].ended_on == date(2026, 11, 2)
    assert desk.own(*rows[1:]).ended == 0
    assert desk.own(*rows).changed == 1
    assert desk.places()["1"].ended_on is None


def test_a_file_that_lacks_too_much_ends_nothing_unless_it_is_said_to_be_whole(desk):
    rows = [f"{number};cio;CIO {number};35238;" for number in range(1, 13)]
    desk.own(*rows)

    brought = desk.own(*rows[:6])
    assert (brought.ended, brought.missing) == (0, 6)
    assert all(place.ended_on is None for place in desk.places().values())

    brought = desk.own(*rows[:6], is_whole=True)
    assert (brought.ended, brought.missing) == (6, 0)


def test_places_of_another_source_are_left_alone(desk):
    desk.own(RENNES, source="own-rennes")

    assert desk.own("2;cio;CIO de Brest;29019;").ended == 0
    assert {place.source for place in desk.places().values()} == {"own", "own-rennes"}


def test_a_refused_row_is_told_with_its_line_and_does_not_end_what_is_there(desk):
    desk.own(RENNES, "2;cio;CIO de Brest;29019;")

    brought = desk.own("1;cio;CIO de Rennes;99999;", "2;cio;CIO de Brest;29019;")

    assert brought.refused == ["Line 2: unknown commune “99999”: “relais territory find” finds its INSEE code."]
    assert (brought.unchanged, brought.ended) == (1, 0)


def test_nothing_ends_where_it_is_not_known_which_place_a_row_is_about(desk):
    desk.own(RENNES, "2;cio;CIO de Brest;29019;")

    brought = desk.own("2;cio;CIO de Brest;29019;", "1;cio")

    assert brought.refused == ["Line 3: fewer cells than columns: the file may be cut off."]
    assert (brought.ended, brought.missing) == (0, 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (";cio;CIO;35238;", "there is no number of its own (id), by which it would be found again"),
        ("1;cio;;35238;", "there is no name"),
        ("1;lycee;CIO;35238;", "unknown kind “lycee”: “relais place types” shows those that there are"),
        ("1;;CIO;35238;", "unknown kind “?”: “relais place types” shows those that there are"),
        ("1;cio;CIO;;", "there is no commune: write its INSEE code, or its postcode and name"),
        ("1;cio;CIO;35238;;;x", "more cells than columns"),
        ("1;cio;CIO;12345678;", "the commune “12345678” cannot be told: a CEDEX is not in the list and a postcode may "
         "mean several communes; write its INSEE code, which “relais territory find” finds"),
        ("1;cio;CIO;3A238;", "“3A238” is not an INSEE code"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_taken_says_why(desk, row, reason):
    (told,) = desk.own(row).refused

    assert told.startswith(f"Line 2: {reason}") or "3A238" in told
    assert desk.places() == {}


def test_the_same_number_twice_is_refused(desk):
    brought = desk.own(RENNES, "1;cio;Autre;35238;")

    assert brought.refused == ["Line 3: the same number “1” as in row 2."]
    assert desk.place().name == "CIO de Rennes"


def test_rows_of_several_batches_are_all_taken(desk):
    rows = [f"{number};cio;CIO {number};35238;" for number in range(bringing.BATCH + 10)]

    assert desk.own(*rows).added == len(rows)
    assert desk.own(*rows).unchanged == len(rows)


def test_an_unknown_format_says_which_there_are(desk):
    with pytest.raises(Invalid, match="sectors, onisep, education, dila, data-inclusion, own"):
        desk.bring("excel", "id\n1\n")


def test_a_source_that_is_ours_is_refused(desk):
    with pytest.raises(Invalid, match="name it otherwise"):
        desk.own(RENNES, source="relais")


def test_a_file_of_another_format_says_which_one_it_looks_like(desk):
    with pytest.raises(Invalid, match="looks like own: use --format own"):
        desk.bring("onisep", "id;type;name;commune\n1;cio;x;35238\n")


def test_a_file_of_no_format_says_what_it_lacks(desk):
    with pytest.raises(Invalid, match="it lacks commune, type; docs"):
        desk.bring("own", "id;name\n1;x\n")


def test_somebody_is_told_how_far_it_is(desk):
    heard = []
    desk.own(*(f"{n};cio;C;35238;" for n in range(300)), told=lambda done, total: heard.append((done, total)))

    assert len(heard) == 3
    assert all(0 < done <= total for done, total in heard)


# --- Sectors and open days ------------------------------------------------------------------------------------

WITH_SECTORS = "id;type;name;commune;secteur\n"


def test_a_sector_is_laid_changed_and_taken_away(desk):
    desk.own("1;mission_locale;ML;35238;35238 35047,75111", heading=WITH_SECTORS)
    assert desk.sectors() == {"1": {"C-35238", "C-35047", "C-75056"}}

    assert desk.own("1;mission_locale;ML;35238;35238 35051", heading=WITH_SECTORS).sectors == 3
    assert desk.sectors() == {"1": {"C-35238", "C-35051"}}

    assert desk.own("1;mission_locale;ML;35238;", heading="id;type;name;commune;phone\n").sectors == 0
    assert desk.sectors() == {"1": {"C-35238", "C-35051"}}

    assert desk.own("1;mission_locale;ML;35238;", heading=WITH_SECTORS).sectors == 2
    assert desk.sectors() == {}


def test_a_sector_that_people_changed_stays_theirs_and_that_is_told(desk):
    desk.own("1;mission_locale;ML;35238;35238", heading=WITH_SECTORS)
    number = desk.place().id
    with writing(desk.engine) as session:
        session.add(PlaceSector(place_id=number, territory_code="C-35047"))
        note(session, "place.sector", f"place:{number}", by=OPERATOR, at=datetime(2026, 11, 2, tzinfo=UTC))

    brought = desk.own("1;mission_locale;ML;35238;35238", heading=WITH_SECTORS)

    assert brought.kept == [
        f"Kept: the sector of place {number}, which was changed here; the source now tells another one."
    ]
    assert desk.sectors() == {"1": {"C-35238", "C-35047"}}
    assert desk.own("1;mission_locale;ML;35238;35238 35047", heading=WITH_SECTORS).kept == []


def test_an_unknown_commune_of_a_sector_is_told_and_the_others_are_taken(desk):
    brought = desk.own("1;mission_locale;ML;35238;35238 99999", heading=WITH_SECTORS)

    assert brought.remarks == ["ML: its sector names the unknown commune “99999”: left out."]
    assert desk.sectors() == {"1": {"C-35238"}}


WITH_DAYS = "id;type;name;commune;journées portes ouvertes\n"


def test_open_days_become_proposals_and_are_never_doubled(desk):
    row = "1;cfa;CFA;35238;le 31/01/2027 de 08h30 à 12h00 (note) | nous contacter | le 31/01/2020"

    assert desk.own(row, heading=WITH_DAYS).proposals == 2
    assert desk.own(row, heading=WITH_DAYS).proposals == 0

    read, unread = desk.proposals()
    assert (read.state, read.first_day, read.last_day) == (
        ProposalState.PROPOSED, date(2027, 1, 31), date(2027, 1, 31),
    )  # fmt: skip
    assert (read.from_hour, read.to_hour, read.note, read.online) == ("08:30", "12:00", "note", False)
    assert (unread.state, unread.text, unread.first_day) == (ProposalState.UNREAD, "nous contacter", None)


def test_a_dismissed_proposal_stays_dismissed_and_one_that_the_source_drops_goes(desk):
    desk.own("1;cfa;CFA;35238;le 31/01/2027 | le 28/02/2027", heading=WITH_DAYS)
    with writing(desk.engine) as session:
        first = session.exec(select(PlaceProposal)).first()
        first.state = ProposalState.DISMISSED
        session.add(first)

    desk.own("1;cfa;CFA;35238;le 31/01/2027 | le 30/03/2027", heading=WITH_DAYS)
    assert [(one.text, one.state) for one in desk.proposals()] == [
        ("le 31/01/2027", ProposalState.DISMISSED),
        ("le 30/03/2027", ProposalState.PROPOSED),
    ]

    desk.own("1;cfa;CFA;35238;", heading="id;type;name;commune;phone\n")
    assert len(desk.proposals()) == 2
