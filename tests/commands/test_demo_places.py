"""The places of the demo: invented, marked so, in every territory, with numbers that nobody has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlmodel import Session, select

from hub.commands.demo import places
from hub.database import reading, writing
from hub.domain.place import Commune, Place, PlaceProposal, PlaceSector
from hub.services import placing

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)


@pytest.fixture
def demo(engine):
    with writing(engine) as session:
        places.lay(session, at=NOON)
    with reading(engine) as session:
        yield session


def test_every_territory_has_invented_places_that_are_marked_so(demo: Session):
    rows = demo.exec(select(Place, Commune.academie_code).where(Place.territory_code == "C-" + Commune.insee)).all()

    assert len({academie for _place, academie in rows}) == 34
    assert {place.source for place, _academie in rows} == {"demo"}
    assert all(place.invented and place.description == places.INVENTED and place.hours for place, _a in rows)
    assert len(rows) == len(demo.exec(select(Place)).all()) == 350


def test_their_numbers_are_of_ranges_that_are_given_to_nobody(demo: Session):
    phones = demo.exec(select(Place.phone)).all()

    assert len(set(phones)) == len(phones)
    assert {phone[:8] for phone in phones} == {*places.FICTITIOUS, places.MOBILE}
    assert {len(phone) for phone in phones} == {14}


def test_every_commune_has_one_competent_mission_locale(demo: Session):
    codes = demo.exec(select(PlaceSector.territory_code)).all()

    assert len(codes) == len(set(codes)) == 34963
    for commune in ("C-35238", "C-97353", "C-98735", "C-75056"):
        (place,) = placing.competent(demo, commune)
        assert place.type_code == "mission_locale"


def test_some_are_stale_and_training_centres_tell_open_days(demo: Session):
    known = demo.exec(select(Place)).all()

    assert 0 < sum(placing.is_stale(place, NOON) for place in known) < len(known) / 2
    assert len(demo.exec(select(PlaceProposal)).all()) == 3 * 34
