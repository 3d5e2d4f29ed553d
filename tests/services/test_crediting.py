"""Where what is shown of structures comes from, and which communes they are for."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlmodel import Session

from hub.database import reading, writing
from hub.domain.place import Place, PlaceSector, PlaceType
from hub.services import crediting, placing
from tests.stage import NOON, Stage


def a_place(session: Session, number: int, source: str, **told: Any) -> Place:
    session.merge(PlaceType(code="cio", name="CIO", plural="CIO", does="On t'écoute.", rank=2, has_sectors=True))
    session.flush()
    place = Place(
        source=source, source_id=str(number), type_code="cio", name=f"CIO {number}", territory_code="C-35238",
        imported_at=NOON, **told,
    )  # fmt: skip
    session.add(place)
    session.flush()
    return place


def test_each_source_is_told_with_its_number_of_living_places_and_its_newest_day(stage: Stage):
    with writing(stage.hub.engine) as session:
        a_place(session, 1, "onisep", dated_on=date(2026, 9, 1))
        a_place(session, 2, "onisep", dated_on=date(2026, 10, 1))
        a_place(session, 3, "onisep", dated_on=date(2026, 11, 1), ended_on=date(2026, 11, 1))
        a_place(session, 4, "data-inclusion")
    with reading(stage.hub.engine) as session:
        assert crediting.sources(session) == [("data-inclusion", 1, None), ("onisep", 2, date(2026, 10, 1))]


def test_a_sector_is_told_by_the_names_of_its_communes(stage: Stage):
    with writing(stage.hub.engine) as session:
        place = a_place(session, 1, "relais")
        for code in ("C-35238", "C-29019", "C-75056"):
            session.add(PlaceSector(place_id=place.id or 0, territory_code=code))
        session.flush()

        assert placing.sector_names(session, place) == ["Brest", "Paris", "Rennes"]
