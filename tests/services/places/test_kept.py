"""What people here decided about places stands when their file comes again: ends, places shown again, sectors."""

from __future__ import annotations

from datetime import date

from hub.database import writing
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.services import correcting, joining, sectoring
from tests.services.places.conftest import NOON

CIO = "1;cio;CIO de Rennes;35238;02 99 00 00 01"
WITH_SECTORS = "id;type;name;commune;sectors\n"
ML = "1;mission_locale;ML;35238;35238 35047"


def by(desk) -> Actor:
    """A coordinator, whom the audit can name."""
    with writing(desk.engine) as session:
        person = joining.add_person(session, email="ana@example.org", name="Ana", at=NOON, by="operator")
        assert person.id is not None
        return Actor(person.id, person.email, person.name, (HeldRole(RoleKind.COORDINATOR, "FR"),))


def do(desk, activity, *what) -> None:
    actor = by(desk)
    number = desk.place().id
    with writing(desk.engine) as session:
        activity(session, number, *what, by=actor, at=NOON)


def test_a_place_that_was_ended_here_stays_ended_and_is_told(desk):
    desk.own(CIO)
    do(desk, correcting.end)

    brought = desk.own("1;cio;CIO Rennes;35238;02 99 00 00 01")

    number = desk.place().id
    assert brought.kept == [f"Kept: CIO de Rennes ({number}) was ended here; the source still has it."]
    assert (desk.place().name, desk.place().ended_on) == ("CIO Rennes", date(2026, 11, 2))
    assert desk.own("1;cio;CIO Rennes;35238;02 99 00 00 01").changed == 0


def test_a_place_that_is_shown_against_its_source_is_not_ended_again_until_the_source_agrees(desk):
    other = "2;cio;CIO de Bruz;35047;"
    desk.own(CIO)
    desk.own(other, is_whole=True)
    with writing(desk.engine) as session:
        place = session.merge(desk.places()["1"])
        assert place.ended_on is not None
        place.ended_on, place.corrected = None, {"ended_on": "2026-11-02"}

    assert desk.own(other, is_whole=True).ended == 0
    assert desk.places()["1"].ended_on is None
    desk.own(CIO, other)

    assert desk.places()["1"].corrected == {}


def test_a_sector_that_was_corrected_here_is_kept_and_told_until_the_source_says_the_same(desk):
    desk.own(ML, heading=WITH_SECTORS)
    do(desk, sectoring.add, ["C-22113"])
    number = desk.place().id

    brought = desk.own("1;mission_locale;ML;35238;35238", heading=WITH_SECTORS)

    assert brought.kept == [f"Kept: the sector of ML ({number}); the source now names 1 communes."]
    assert desk.sectors() == {"1": {"C-35238", "C-35047", "C-22113"}}
    assert desk.place().corrected == {"sector": ["C-35238"]}

    desk.own("1;mission_locale;ML;35238;35238 35047 22113", heading=WITH_SECTORS)
    assert desk.place().corrected == {}
    assert desk.own(ML, heading=WITH_SECTORS).sectors == 1


def test_the_list_of_sectors_leaves_corrected_ones_alone_too(desk):
    desk.own("ML35;mission_locale;ML;35238;", heading=WITH_SECTORS)
    do(desk, sectoring.set_sector, ["C-35238"])
    heading = "Code INSEE;Nom Commune;Code ML;Nom Officiel ML;Commune présente sur plusieurs ML;Adresse ML\n"

    brought = desk.bring("sectors", heading + "35047;Bruz;ML35;;non;\n")

    assert (brought.sectors, len(brought.kept)) == (0, 1)
    assert desk.place().corrected == {"sector": ["C-35047"]}
