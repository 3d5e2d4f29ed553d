"""Finding a commune: the traps that the data really holds."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from hub.database import build_engine, reading, writing
from hub.domain.place import Commune, distance_km
from hub.domain.territory import Territory
from hub.services import finding
from hub.services.finding import Found, find_near, find_territories, fold, label


@pytest.fixture(scope="module")
def country(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session on the whole country, for looking only."""
    file = shutil.copyfile(template, tmp_path_factory.mktemp("country") / "relais.db")
    engine = build_engine(f"sqlite:///{file}")
    with reading(engine) as session:
        yield session
    engine.dispose()


def codes(found: list[Found]) -> list[str]:
    return [one.insee for one in found]


def test_a_commune_is_told_with_its_departement_academie_point_and_time(country):
    (rennes,) = find_territories(country, "35238")

    assert rennes == Found(
        insee="35238",
        name="Rennes",
        postcodes=["35000", "35200", "35700"],
        departement="35",
        departement_name="Ille-et-Vilaine",
        academie_code="14",
        academie="Rennes",
        lat=48.11109,
        lon=-1.67431,
        code="C-35238",
        zone="Europe/Paris",
    )


@pytest.mark.parametrize(
    ("query", "insee"),
    [
        ("2A004", "2A004"),
        ("2a004", "2A004"),
        ("1001", "01001"),
        ("01001", "01001"),
        (" 35238 ", "35238"),
        ("C-35238", "35238"),
        ("98613", "98613"),
        ("75056", "75056"),
    ],
)
def test_an_insee_code_finds_its_commune(country, query, insee):
    assert codes(find_territories(country, query)) == [insee]


def test_the_departement_is_that_of_the_commune_and_not_of_the_postcode(country):
    found = find_territories(country, "42620")

    assert [(one.insee, one.departement, one.academie) for one in found] == [
        ("42257", "42", "Lyon"),
        ("03250", "03", "Clermont-Ferrand"),
    ]


@pytest.mark.parametrize("postcode", ["01200", "01410", "01590", "05700", "06260", "13780", "37160", "42620", "48250"])
def test_a_postcode_across_two_academies_gives_communes_of_both(country, postcode):
    found = find_territories(country, postcode)

    assert len({one.academie_code for one in found}) == 2
    assert {one.academie_code for one in found if postcode in one.postcodes} == {one.academie_code for one in found}


def test_no_other_postcode_lies_in_two_academies(country):
    rows = country.exec(
        text(
            "SELECT postcode FROM postcode JOIN commune USING (insee) "
            "GROUP BY postcode HAVING count(DISTINCT academie_code) > 1"
        )
    ).all()

    assert len(rows) == 9


def test_digits_that_are_a_postcode_and_an_insee_code_give_the_postcode_first(country):
    found = find_territories(country, "97133")

    assert [(one.name, one.departement, one.academie_code) for one in found] == [
        ("Saint-Barthélemy", "977", "32"),
        ("Vieux-Fort", "971", "32"),
    ]


def test_97150_is_saint_martin(country):
    assert [(one.name, one.departement) for one in find_territories(country, "97150")] == [("Saint-Martin", "978")]


@pytest.mark.parametrize(
    ("postcode", "departement", "name"),
    [("20000", "2A", "Ajaccio"), ("20200", "2B", "Bastia"), ("20100", "2A", "Sartène")],
)
def test_corsican_postcodes_lead_to_2a_and_2b(country, postcode, departement, name):
    found = find_territories(country, postcode)

    assert found[0].name == name
    assert {(one.departement, one.academie_code) for one in found} == {(departement, "27")}


def test_a_postcode_gives_all_of_its_communes_before_the_one_with_that_insee_code(country):
    most, count = country.exec(
        text("SELECT postcode, count(*) FROM postcode GROUP BY postcode ORDER BY count(*) DESC LIMIT 1")
    ).one()

    found = find_territories(country, most)

    assert count == 46
    assert [most in one.postcodes for one in found] == [True] * 46 + [False]
    assert found[-1].insee == most


@pytest.mark.parametrize(
    "query", ["75011", "75111", "Paris 11", "paris 11e", "Paris 11ème arrondissement", "75011 Paris"]
)
def test_the_eleventh_arrondissement_is_found_and_speaks_for_paris(country, query):
    (found,) = find_territories(country, query)

    assert (found.insee, found.name, found.code, found.postcodes) == (
        "75111",
        "Paris 11e Arrondissement",
        "C-75056",
        ["75011"],
    )


def test_both_postcodes_of_the_sixteenth_lead_to_it(country):
    assert codes(find_territories(country, "75016")) == ["75116"]
    assert codes(find_territories(country, "75116")) == ["75116"]


def test_13001_is_marseille_by_post_and_aix_by_insee(country):
    assert codes(find_territories(country, "13001")) == ["13201", "13001"]


@pytest.mark.parametrize("query", ["Paris", "PARIS", "paris cedex 05"])
def test_paris_is_the_city_before_its_parts(country, query):
    found = find_territories(country, query)

    assert found[0].insee == "75056"
    assert found[0].postcodes[0] == "75001"


@pytest.mark.parametrize(
    ("query", "insee"),
    [
        ("rennes", "35238"),
        ("Saint Malo", "35288"),
        ("St-Malo", "35288"),
        ("st malo", "35288"),
        ("SAINT-MALO", "35288"),
        ("Ste Foy les Lyon", "69202"),
        ("Sainte-Foy-lès-Lyon", "69202"),
        ("Havre", "76351"),
        ("Le Havre", "76351"),
        ("le havre", "76351"),
        ("L'Haÿ-les-Roses", "94038"),
        ("l’hay les roses", "94038"),
        ("Hay-les-Roses", "94038"),
        ("Abymes", "97101"),
        ("Schoelcher", "97229"),
        ("Schœlcher", "97229"),
        ("Châteauroux", "36044"),
        ("Chateauroux", "36044"),
        ("Château-Chinon (Ville)", "58062"),
        ("35000 Rennes", "35238"),
        ("Rennes 35000", "35238"),
        ("35042 Rennes Cedex", "35238"),
        ("RENNES CEDEX 7", "35238"),
        ("42620 Saint-Pierre-Laval", "03250"),
    ],
)
def test_a_name_is_found_however_it_is_typed(country, query, insee):
    assert find_territories(country, query)[0].insee == insee


def test_a_name_in_brackets_behind_it_says_which_departement(country):
    assert codes(find_territories(country, "Sainte-Colombe (Gironde)")) == ["33390"]
    assert codes(find_territories(country, "ste colombe (33)")) == ["33390"]
    assert codes(find_territories(country, "Saint-Denis (La Réunion)")) == ["97411"]
    assert codes(find_territories(country, "Ambérieu-en-Bugey (1)")) == ["01004"]
    assert codes(find_territories(country, "Sartène (2a)")) == ["2A272"]


def test_there_are_twelve_sainte_colombe_and_they_come_first(country):
    found = find_territories(country, "Sainte-Colombe")

    assert [one.name for one in found[:12]] == ["Sainte-Colombe"] * 12
    assert len({label(one, True) for one in found[:12]}) == 12
    assert all(one.name.startswith("Sainte-Colombe-") for one in found[12:])
    assert len(found) == finding.MOST_NAMES


def test_names_that_begin_so_come_before_those_that_hold_the_word(country):
    names = [one.name for one in find_territories(country, "malo")]

    begins = [name for name in names if name.lower().startswith("malo")]
    assert names[: len(begins)] == begins
    assert "Saint-Malo" in names[len(begins) :]


def test_every_word_may_be_cut_short(country):
    assert "35288" in codes(find_territories(country, "sai mal"))
    assert "50353" in codes(find_territories(country, "mont michel"))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "99999",
        "00000",
        "cedex",
        "35042 CEDEX",
        "%",
        "_",
        "Paris 21",
        "Rennes (99)",
        "(35)",
        "Nullepart",
        "📍",
        "-",
    ],
)
def test_nothing_is_guessed(country, query):
    assert find_territories(country, query) == []


def test_a_very_long_query_is_only_a_query(country):
    assert find_territories(country, "saint " * 10_000) == []


@pytest.mark.parametrize(
    ("query", "zone"),
    [
        ("Nuku-Hiva", "Pacific/Marquesas"),
        ("Gambier", "Pacific/Gambier"),
        ("Miquelon-Langlade", "America/Miquelon"),
        ("Uvea", "Pacific/Wallis"),
        ("Papeete", "Pacific/Tahiti"),
        ("97133", "America/St_Barthelemy"),
        ("75011", "Europe/Paris"),
    ],
)
def test_a_commune_is_told_with_its_own_time(country, query, zone):
    assert find_territories(country, query)[0].zone == zone


@pytest.fixture
def merged(engine):
    """Cesson-Sévigné has merged into Rennes."""
    with writing(engine) as session:
        cesson = session.exec(select(Territory).where(Territory.code == "C-35051")).one()
        cesson.ended_on = date(2026, 1, 1)
        cesson.successor_code = "C-35238"
        session.add(cesson)
    return engine


def test_a_code_that_has_ended_is_found_with_its_successor_behind_it(merged):
    with reading(merged) as session:
        found = find_territories(session, "35051")

    assert [(one.name, one.ended_on, one.successor) for one in found] == [
        ("Cesson-Sévigné", date(2026, 1, 1), "35238"),
        ("Rennes", None, None),
    ]


def test_an_ended_commune_is_found_by_name_and_not_by_postcode_or_nearness(merged):
    with reading(merged) as session:
        by_name = find_territories(session, "Cesson-Sévigné")
        by_postcode = find_territories(session, "35510")
        near = find_near(session, by_name[0].lat, by_name[0].lon, limit=3)

    assert codes(by_name) == ["35051"]
    assert by_postcode == []
    assert "35051" not in codes(near)


def test_successors_that_turn_in_a_circle_are_told_once(merged):
    with writing(merged) as session:
        rennes = session.exec(select(Territory).where(Territory.code == "C-35238")).one()
        rennes.ended_on = date(2026, 1, 1)
        rennes.successor_code = "C-35051"
        session.add(rennes)

    with reading(merged) as session:
        assert codes(find_territories(session, "35051")) == ["35051", "35238"]


@pytest.mark.parametrize(
    ("insee", "city"),
    [
        ("75101", "75056"),
        ("75120", "75056"),
        ("75121", "75121"),
        ("75056", "75056"),
        ("69381", "69123"),
        ("69389", "69123"),
        ("69380", "69380"),
        ("13201", "13055"),
        ("13216", "13055"),
        ("13217", "13217"),
        ("2A004", "2A004"),
    ],
)
def test_arrondissements_fold_into_their_city(insee, city):
    assert fold(insee) == city


def test_all_arrondissements_fold_into_the_city_whose_territory_they_have(country):
    rows = country.exec(select(Commune.insee, Commune.territory_code).where(Commune.arrondissement)).all()

    assert len(rows) == 45
    assert all(code == f"C-{fold(insee)}" for insee, code in rows)


def test_a_label_names_the_departement_of_a_homonym_only(country):
    (found,) = find_territories(country, "Sainte-Colombe (33)")

    assert label(found, True) == "Sainte-Colombe (Gironde)"
    assert label(found, False) == "Sainte-Colombe"


def test_the_nearest_commune_comes_first_with_its_distance(country):
    near = find_near(country, 48.11109, -1.67431, limit=3)

    assert near[0].insee == "35238"
    assert near[0].distance_km == pytest.approx(0, abs=0.01)
    assert near[1].distance_km is not None
    assert near[2].distance_km is not None
    assert 0 < near[1].distance_km <= near[2].distance_km
    assert len(near) == 3


POINTS = [
    (48.8566, 2.3522),
    (46.77, -56.17),
    (-21.1, 55.5),
    (16.2, -61.5),
    (4.9, -52.3),
    (-22.27, 166.44),
    (-13.28, -176.17),
    (-15.0, 179.99),
    (-15.0, -179.99),
    (-17.5, 180.0),
    (-9.8, -139.0),
    (-23.1, -134.97),
    (0.0, 0.0),
    (89.9, 12.0),
    (-90.0, 0.0),
]
dice = random.Random(35238)
POINTS += [(dice.uniform(-90, 90), dice.uniform(-180, 180)) for _ in range(5)]


@pytest.fixture(scope="module")
def points(country):
    return country.exec(select(Commune.insee, Commune.lat, Commune.lon)).all()


@pytest.mark.parametrize(("lat", "lon"), POINTS)
def test_nearness_is_the_same_as_measuring_every_commune_on_earth(country, points, lat, lon):
    measured = sorted(distance_km(lat, lon, other_lat, other_lon) for _, other_lat, other_lon in points)

    near = find_near(country, lat, lon, limit=5)

    assert [one.distance_km for one in near] == pytest.approx(measured[:5])


# --- As people type ---


@pytest.mark.parametrize(("typed", "first"), [
    ("renn", "Rennes (Ille-et-Vilaine)"), ("LYON", "Lyon (Rhône)"), ("3500", "Rennes (Ille-et-Vilaine)"),
    ("le havr", "Le Havre (Seine-Maritime)"), ("st etienne", "Saint-Étienne (Loire)"), ("97600", "Mamoudzou (Mayotte)"),
])  # fmt: skip
def test_communes_are_suggested_as_people_type_the_most_populous_first(engine, typed, first):
    with reading(engine) as session:
        assert finding.suggest(session, typed)[0].label == first


@pytest.mark.parametrize("typed", ["", "r", "%", "__", "zzzz", "999"])
def test_nothing_is_suggested_for_too_little_or_for_what_nobody_bears(engine, typed):
    with reading(engine) as session:
        assert finding.suggest(session, typed) == []


def test_no_more_is_suggested_than_is_asked_for(engine):
    with reading(engine) as session:
        assert len(finding.suggest(session, "saint", limit=3)) == 3


def test_a_cedex_and_the_words_beside_it_are_told():
    assert [finding.is_cedex(query) for query in ("35042 Rennes CEDEX 9", "cedexville", "Rennes")] == [
        True,
        False,
        False,
    ]
    assert finding.words_of("35042 Saint-Malo CEDEX 9") == "saint malo"


def test_nothing_is_near_that_is_farther_than_asked_for(engine):
    with reading(engine) as session:
        assert finding.find_near(session, 44.0, -20.0, limit=1, most_km=150) == []
        assert [one.name for one in finding.find_near(session, 48.11, -1.68, limit=1, most_km=150)] == ["Rennes"]
