"""Places: competent for a commune first, then near it; which are to be looked at again."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, delete, select

from hub.database import reading, writing
from hub.domain.errors import NotFound
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.domain.place import Commune, Place, PlaceProposal, PlaceSector, PlaceType, distance_km
from hub.services import placing

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)
RENNES = (48.11, -1.67)
POINTS = {
    "Rennes": ("C-35238", 48.11, -1.67),
    "Saint-Malo": ("C-35288", 48.65, -2.01),
    "Cayenne": ("C-97302", 4.93, -52.33),
    "Maripasoula": ("C-97353", 3.64, -54.03),
    "Papeete": ("C-98735", -17.53, -149.56),
    "Nuku-Hiva": ("C-98731", -8.91, -140.10),
    "Uvea": ("C-98613", -13.28, -176.18),
    "Nouméa": ("C-98818", -22.27, 166.44),
    "Saint-Pierre": ("C-97502", 46.78, -56.18),
    "Ouessant": ("C-29155", 48.46, -5.09),
}
"""Where places of these tests lie, islands and far countries among them."""


def place(name: str, **rest) -> Place:
    """A place at one of the points."""
    code, lat, lon = POINTS.get(name, POINTS["Rennes"])
    told = {"type_code": "cio", "source": "test", "territory_code": code, "lat": lat, "lon": lon, "imported_at": NOON}
    return Place(**{"source_id": name, "name": name, **told, **rest})


@pytest.fixture
def kinds(engine) -> None:
    """Two kinds, the second of which has sectors and is shown first."""
    with writing(engine) as session:
        session.merge(PlaceType(code="cio", name="CIO", plural="CIO", does="", rank=20))
        session.merge(PlaceType(code="mission_locale", name="ML", plural="ML", does="", rank=10, has_sectors=True))


def lay(engine, *places: Place, sectors: dict[str, list[str]] | None = None) -> None:
    with writing(engine) as session:
        session.add_all(places)
        session.flush()
        for one in places:
            assert one.id is not None
            for code in (sectors or {}).get(one.name, []):
                session.add(PlaceSector(place_id=one.id, territory_code=code))


def names(found) -> list[str]:
    return [getattr(one, "place", one).name for one in found]


def test_a_place_whose_sector_lists_the_commune_is_competent_however_far(engine, kinds):
    lay(
        engine,
        place("Rennes", type_code="mission_locale"),
        place("Saint-Malo", type_code="mission_locale"),
        sectors={"Saint-Malo": ["C-35238"]},
    )

    with reading(engine) as session:
        assert names(placing.competent(session, "C-35238")) == ["Saint-Malo"]
        assert placing.competent(session, "C-35288") == []


@pytest.mark.parametrize(
    ("arrondissement", "city"), [("C-75111", "C-75056"), ("C-69385", "C-69123"), ("C-13201", "C-13055")]
)
def test_an_arrondissement_has_the_competent_places_of_its_city(engine, kinds, arrondissement, city):
    lay(engine, place("Rennes"), sectors={"Rennes": [city]})

    with reading(engine) as session:
        assert names(placing.competent(session, arrondissement)) == ["Rennes"]


def test_places_that_ended_or_were_merged_are_neither_competent_nor_near(engine, kinds):
    lay(engine, place("Rennes"), place("gone", ended_on=date(2026, 1, 1)), sectors={"gone": ["C-35238"]})
    with writing(engine) as session:
        (kept,) = session.exec(select(Place).where(Place.name == "Rennes"))
        twin = place("twin", merged_into_id=kept.id)
        session.add(twin)
        session.flush()
        assert twin.id is not None
        session.add(PlaceSector(place_id=twin.id, territory_code="C-35238"))

    with reading(engine) as session:
        assert placing.competent(session, "C-35238") == []
        assert names(placing.near(session, *RENNES)) == ["Rennes"]


def test_competent_places_come_in_the_order_of_their_kinds_then_by_name(engine, kinds):
    lay(
        engine,
        place("a"),
        place("c", type_code="mission_locale"),
        place("b", type_code="mission_locale"),
        sectors={name: ["C-35238"] for name in "abc"},
    )

    with reading(engine) as session:
        assert names(placing.competent(session, "C-35238")) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("lat", "lon", "nearest"),
    [
        (48.11, -1.67, "Rennes"),
        (3.65, -54.00, "Maripasoula"),
        (4.90, -52.40, "Cayenne"),
        (-9.0, -140.0, "Nuku-Hiva"),
        (-17.0, -150.0, "Papeete"),
        (48.46, -5.0, "Ouessant"),
        (46.9, -56.3, "Saint-Pierre"),
        (-15.0, 179.9, "Uvea"),
        (-15.0, -179.9, "Uvea"),
        (-89.9, 10.0, "Nouméa"),
    ],
)
def test_the_nearest_place_is_found_in_guyane_polynesie_on_islands_and_across_the_date_line(
    engine, kinds, lat, lon, nearest
):
    lay(engine, *(place(name) for name in POINTS))

    with reading(engine) as session:
        assert names(placing.near(session, lat, lon, limit=1)) == [nearest]


def test_near_places_are_of_the_kinds_asked_for_and_no_further_than_asked(engine, kinds):
    lay(engine, place("Rennes"), place("Saint-Malo", type_code="mission_locale"), place("Papeete"))

    with reading(engine) as session:
        near = placing.near(session, *RENNES, types=["mission_locale"])
        assert [(one.place.name, round(one.km)) for one in near] == [("Saint-Malo", 65)]
        assert names(placing.near(session, *RENNES, most_km=60)) == ["Rennes"]
        assert names(placing.near(session, *RENNES, most_km=5)) == ["Rennes"]
        assert placing.near(session, *RENNES, types=[]) == []


def test_a_place_without_a_point_is_near_nothing(engine, kinds):
    lay(engine, place("Rennes", lat=None, lon=None))

    with reading(engine) as session:
        assert placing.near(session, *RENNES) == []


points = st.tuples(
    st.floats(-90, 90, allow_nan=False).map(lambda value: round(value, 3)),
    st.floats(-180, 180, allow_nan=False).map(lambda value: round(value, 3)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=points, there=st.lists(points, min_size=1, max_size=30), limit=st.integers(1, 5))
def test_the_index_finds_what_a_scan_of_all_places_finds(engine, kinds, at, there, limit):
    with writing(engine) as session:
        session.exec(delete(Place))
        session.add_all(place("x", source_id=str(n), lat=lat, lon=lon) for n, (lat, lon) in enumerate(there))

    with reading(engine) as session:
        scanned = sorted((distance_km(*at, *point), n) for n, point in enumerate(there))[:limit]
        found = placing.near(session, *at, limit=limit)
        assert [(one.km, int(one.place.source_id)) for one in found] == scanned


def test_around_a_commune_the_competent_come_first_then_the_nearest_of_each_kind(engine, kinds):
    lay(
        engine,
        place("own", type_code="mission_locale"),
        place("Saint-Malo", type_code="mission_locale"),
        place("Rennes"),
        place("Ouessant"),
        place("Papeete"),
        sectors={"own": ["C-35238"]},
    )

    with reading(engine) as session:
        around = placing.around(session, "C-35238")
        assert names(around.competent) == ["own"]
        assert {kind: names(near) for kind, near in around.near_by_type.items()} == {
            "mission_locale": ["Saint-Malo"],
            "cio": ["Rennes", "Ouessant"],
        }
        assert list(around.near_by_type) == ["mission_locale", "cio"]
        assert {
            kind: names(near) for kind, near in placing.around(session, "C-35238", each=1).near_by_type.items()
        } == {
            "mission_locale": ["Saint-Malo"],
            "cio": ["Rennes"],
        }


def test_around_a_commune_without_any_place_there_is_nothing(engine, kinds):
    with reading(engine) as session:
        assert placing.around(session, "C-97353") == placing.Around([], {})


def test_around_an_arrondissement_distances_are_from_its_own_point(engine, kinds):
    with reading(engine) as session:
        eleventh = session.get_one(Commune, "75111")
    lay(engine, place("there", lat=eleventh.lat, lon=eleventh.lon))

    with reading(engine) as session:
        (near,) = placing.around(session, "C-75111").near_by_type["cio"]
        assert near.km == 0


def test_around_an_unknown_commune_is_not_found(engine, kinds):
    with reading(engine) as session, pytest.raises(NotFound, match="99999"):
        placing.around(session, "C-99999")


def test_a_place_is_had_by_its_number(engine, kinds):
    lay(engine, place("Rennes", ended_on=date(2026, 1, 1)))

    with reading(engine) as session:
        (number,) = session.exec(select(Place.id))
        assert number is not None
        assert placing.get_place(session, number).name == "Rennes"
        for wrong in (number + 1, 0, -1, 10**30):
            with pytest.raises(NotFound):
                placing.get_place(session, wrong)


def test_kinds_come_in_the_order_in_which_they_are_shown(engine, kinds):
    with reading(engine) as session:
        ranks = [kind.rank for kind in placing.kinds(session)]
        assert ranks == sorted(ranks)
        assert {"cio", "mission_locale"} <= {kind.code for kind in placing.kinds(session)}


@pytest.mark.parametrize(
    ("dated_on", "checked_on", "old"),
    [
        (None, None, True),
        (date(2025, 5, 1), None, True),
        (date(2025, 5, 2), None, False),
        (None, date(2025, 5, 1), True),
        (date(2020, 1, 1), date(2026, 1, 1), False),
        (date(2026, 1, 1), date(2020, 1, 1), False),
    ],
)
def test_a_place_is_stale_when_nobody_looked_at_it_for_eighteen_months(dated_on, checked_on, old):
    assert placing.is_stale(place("Rennes", dated_on=dated_on, checked_on=checked_on), NOON) is old


def test_eighteen_months_before_the_end_of_august_is_the_end_of_february():
    at = datetime(2026, 8, 31, 11, tzinfo=UTC)

    assert not placing.is_stale(place("Rennes", dated_on=date(2025, 2, 28)), at)
    assert placing.is_stale(place("Rennes", dated_on=date(2025, 2, 27)), at)


def somebody(*codes: str) -> Actor:
    return Actor(1, "a@example.org", "A", tuple(HeldRole(RoleKind.ANIMATOR, code) for code in codes))


def test_stale_places_are_those_of_ones_own_territories_the_longest_forgotten_first(engine, kinds):
    lay(
        engine,
        place("Rennes", dated_on=date(2024, 1, 1)),
        place("Saint-Malo"),
        place("Ouessant", dated_on=date(2026, 9, 1)),
        place("Cayenne", checked_on=date(2024, 1, 1)),
        place("gone", ended_on=date(2026, 1, 1)),
    )

    def told(session: Session, *codes: str) -> list[str]:
        return names(placing.stale(session, somebody(*codes), NOON))

    with reading(engine) as session:
        assert told(session, "A-14") == ["Saint-Malo", "Rennes"]
        assert told(session, "A-32") == []
        assert told(session, "A-32", "D-973") == ["Cayenne"]
        assert told(session, "FR") == ["Saint-Malo", "Cayenne", "Rennes"]
        assert told(session) == []


def test_places_are_listed_by_kind_and_name_of_a_territory_or_of_all(engine, kinds):
    lay(
        engine,
        place("Rennes"),
        place("Ouessant", type_code="mission_locale"),
        place("Cayenne"),
        place("gone", ended_on=date(2026, 1, 1)),
        sectors={"Ouessant": ["C-29155", "C-29019"]},
    )

    with reading(engine) as session:
        assert names(placing.listed(session)) == ["Ouessant", "Cayenne", "Rennes"]
        assert names(placing.listed(session, territory="FR", living=False)) == ["Ouessant", "Cayenne", "Rennes", "gone"]
        assert names(placing.listed(session, territory="A-14")) == ["Ouessant", "Rennes"]
        assert names(placing.listed(session, territory="D-35", kind="mission_locale")) == []
        assert placing.listed(session, territory="nowhere") == []
        (ouessant,) = placing.listed(session, kind="mission_locale")
        assert ouessant.id is not None
        assert placing.sector(session, ouessant.id) == ["C-29019", "C-29155"]


def test_open_days_of_a_place_come_by_date_and_those_that_could_not_be_read_last(engine, kinds):
    lay(engine, place("Rennes"))
    with writing(engine) as session:
        number = session.exec(select(Place.id)).one()
        assert number is not None
        days = [("b", None), ("c", date(2027, 2, 1)), ("a", date(2027, 1, 1))]
        session.add_all(PlaceProposal(place_id=number, text=text, first_day=day, last_day=day) for text, day in days)

    with reading(engine) as session:
        assert [one.text for one in placing.proposals(session, number)] == ["a", "c", "b"]


def test_wider_circles_are_left_where_every_kind_has_been_found(engine, kinds):
    with writing(engine) as session:
        codes = [kind.code for kind in placing.kinds(session)]
    lay(engine, *(place("Rennes", source_id=code, type_code=code) for code in codes))

    with reading(engine) as session:
        assert list(placing.around(session, "C-35238", each=1).near_by_type) == codes
