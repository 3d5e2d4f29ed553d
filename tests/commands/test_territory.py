"""`relais territory find`: what a person reads, and what a program reads."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlmodel import select

from hub.database import writing
from hub.domain.territory import Territory
from tests.conftest import only_sqlite

pytestmark = pytest.mark.usefixtures("hub_file")


def test_a_program_reads_exactly_these_fields(relais):
    ran = relais("territory", "find", "35238", "--json")

    assert ran.code == 0
    assert json.loads(ran.out) == [
        {
            "insee": "35238",
            "name": "Rennes",
            "postcodes": ["35000", "35200", "35700"],
            "departement": "35",
            "academie_code": "14",
            "academie": "Rennes",
            "lat": 48.11109,
            "lon": -1.67431,
            "code": "C-35238",
        }
    ]


def test_a_person_reads_departement_and_academie(relais):
    ran = relais("territory", "find", "35238")

    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["Commune", "INSEE", "Postcodes", "Académie", "Code"],
        ["Rennes", "(Ille-et-Vilaine)", "35238", "35000", "35200", "35700", "Rennes", "(14)", "C-35238"],
    ]


def test_a_name_of_several_words_needs_no_quotes(relais):
    ran = relais("territory", "find", "Saint", "Malo", "--json")

    assert json.loads(ran.out)[0]["insee"] == "35288"


def test_homonyms_are_listed_with_their_departement_to_choose_from(relais):
    ran = relais("territory", "find", "Sainte-Colombe")

    lines = ran.out.splitlines()
    assert lines[0] == "12 communes answer to “Sainte-Colombe”; say which one is meant:"
    assert lines[2].startswith("Sainte-Colombe (Rhône)")
    assert sum(line.startswith("Sainte-Colombe (") for line in lines) == 12


def test_a_postcode_across_two_academies_says_so(relais):
    ran = relais("territory", "find", "42620")

    assert ran.out.splitlines()[0] == (
        "The postcode 42620 lies in 2 académies (Clermont-Ferrand, Lyon); say which commune is meant:"
    )


def test_the_communes_nearest_to_a_point_are_told_with_their_distance(relais):
    ran = relais("territory", "find", "--near", "-21.1,55.5")

    assert ran.code == 0
    assert ran.out.splitlines()[1].split() == [
        "Cilaos", "(La", "Réunion)", "97424", "97413", "La", "Réunion", "(28)", "C-97424", "5.0", "km",
    ]  # fmt: skip


def test_a_program_reads_the_same_fields_of_what_is_near(relais):
    ran = relais("territory", "find", "--near", "48.11109,-1.67431", "--json")

    near = json.loads(ran.out)
    assert [len(near), near[0]["insee"], list(near[0])] == [
        10,
        "35238",
        ["insee", "name", "postcodes", "departement", "academie_code", "academie", "lat", "lon", "code"],
    ]


def test_an_ended_commune_says_what_it_became(relais, engine):
    with writing(engine) as session:
        cesson = session.exec(select(Territory).where(Territory.code == "C-35051")).one()
        cesson.ended_on, cesson.successor_code = date(2026, 1, 1), "C-35238"
        session.add(cesson)

    ran = relais("territory", "find", "35051")

    lines = ran.out.splitlines()
    assert lines[1].startswith("Cesson-Sévigné (Ille-et-Vilaine)")
    assert lines[1].endswith("ended on 2026-01-01, now 35238")
    assert lines[2].startswith("Rennes (Ille-et-Vilaine)")


def test_an_ended_commune_without_known_successor_says_when(relais, engine):
    with writing(engine) as session:
        cesson = session.exec(select(Territory).where(Territory.code == "C-35051")).one()
        cesson.ended_on = date(2026, 1, 1)
        session.add(cesson)

    ran = relais("territory", "find", "35051")

    assert ran.out.splitlines()[1].endswith("ended on 2026-01-01")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Nullepart", "No commune is called so. Try the beginning of its name, its postcode or its INSEE code.\n"),
        (
            "99999",
            "Nothing was found for “99999”. A CEDEX or company postcode is not in the list: "
            "try the name of the commune.\n",
        ),
    ],
)
def test_nothing_found_says_what_to_try_and_exits_4(relais, query, said):
    ran = relais("territory", "find", query)

    assert (ran.code, ran.out, ran.err) == (4, "", said)


def test_a_program_that_finds_nothing_reads_an_empty_list(relais):
    ran = relais("territory", "find", "Nullepart", "--json")

    assert (ran.code, ran.out) == (4, "[]\n")


@pytest.mark.parametrize(
    ("near", "said"),
    [
        ("here", "is not a point"),
        ("48.1", "is not a point"),
        ("48.1,-1.6,3", "is not a point"),
        ("48.1,west", "is not a point"),
        ("91,0", "is not on Earth"),
        ("0,181", "is not on Earth"),
        ("nan,0", "is not on Earth"),
        ("0,inf", "is not on Earth"),
    ],
)
def test_a_wrong_point_is_refused_in_words(relais, near, said):
    ran = relais("territory", "find", "--near", near)

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.parametrize("arguments", [(), ("Rennes", "--near", "48.1,-1.6")])
def test_either_words_or_a_point_are_needed(relais, arguments):
    ran = relais("territory", "find", *arguments)

    assert ran.code == 2
    assert ran.err.startswith("Say either what to look for or where")


@only_sqlite
def test_without_a_database_init_is_proposed(relais, hub_file):
    hub_file.unlink()

    ran = relais("territory", "find", "Rennes")

    assert ran.code == 1
    assert "Run “relais init” first" in ran.err


OFFICIAL = {
    "code": "97502",
    "nom": "Saint-Pierre",
    "codesPostaux": ["97500"],
    "centre": {"type": "Point", "coordinates": [-56.1773, 46.7811]},
    "population": 5500,
}


def test_an_official_file_gives_exact_points_and_is_kept_for_init(relais, hub_file, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    file = folder / "communes.json"
    miquelon = OFFICIAL | {"code": "97501", "nom": "Miquelon-Langlade", "population": 600}
    file.write_text(json.dumps([OFFICIAL, miquelon]), encoding="utf-8")
    (tmp_path / "relais-communes.csv").write_text("insee\n", encoding="utf-8")

    ran = relais("territory", "import", str(file))

    kept = tmp_path / "relais-communes.json"
    assert ran.code == 0
    assert ran.out.splitlines()[-2:] == [
        f"The communes were taken from {file}.",
        f"It is kept as {kept}; without it, “relais init” takes the shipped communes again.",
    ]
    assert kept.read_bytes() == file.read_bytes()
    assert not (tmp_path / "relais-communes.csv").exists()
    (told,) = json.loads(relais("territory", "find", "97502", "--json").out)
    assert (told["lat"], told["lon"]) == (46.7811, -56.1773)
    again = relais("territory", "import", str(kept))
    assert again.out.startswith("Nothing changed: ")


def test_a_wrong_file_of_communes_changes_nothing(relais, hub_file, tmp_path):
    file = tmp_path / "communes.json"
    file.write_text("[]", encoding="utf-8")

    ran = relais("territory", "import", str(file))

    assert ran.code == 2
    assert ran.err == "communes.json holds no commune; nothing was changed.\n"
    assert not (tmp_path / "relais-communes.json").exists()
