"""What a source says of a place, checked: codes, points, addresses, and which commune is meant."""

from __future__ import annotations

from datetime import date

import pytest

from hub.database import writing
from hub.domain.territory import Territory
from hub.services.places.checking import is_siret, phone
from hub.services.places.taking import Brought
from tests.services.places.conftest import Importer

ALL = "id;type;name;commune;postcode;lat;lon;mail;website;siret;uai;dated_on\n"


def one(desk: Importer, **cells: str) -> Brought:
    usual = {"id": "1", "type": "cio", "name": "CIO", "commune": "35238"} | cells
    return desk.own(";".join(usual.get(name, "") for name in ALL.strip().split(";")), heading=ALL)


@pytest.mark.parametrize(
    ("digits", "good"),
    [
        ("35600000000048", True),  # La Poste, by Luhn
        ("35600000009075", True),  # La Poste, by its own rule
        ("35600000009076", False),
        ("73282932000074", True),
        ("73282932000075", False),
        ("7328293200007", False),
        ("7328293200007A", False),
        ("٧٣٢٨٢٩٣٢٠٠٠٠٧٤", False),
    ],
)
def test_a_siret_is_told_by_its_last_digit_but_for_la_poste(digits, good):
    assert is_siret(digits) is good


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("0299000001", "02 99 00 00 01"),
        ("02.99.00.00.01", "02 99 00 00 01"),
        ("+33 2 99 00 00 01", "02 99 00 00 01"),
        ("+33 (0)2 99 00 00 01", "02 99 00 00 01"),
        ("0033299000001", "02 99 00 00 01"),
        ("3949", "3949"),
        ("", ""),
    ],
)
def test_a_phone_number_is_written_as_people_do(told, written):
    assert phone(told) == written


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"siret": "73282932000075"},
         "“73282932000075” is not a SIRET: 14 digits, of which the last checks the others"),
        ({"uai": "350001A"}, "“350001A” is not a UAI: seven digits and a letter, such as 0350001A"),
        ({"postcode": "35OOO"}, "“35OOO” is not a postcode: five digits"),
        ({"commune": "C-9Z999"}, "the commune “C-9Z999” cannot be told: a CEDEX is not in the list and a postcode may "
         "mean several communes; write its INSEE code, which “relais territory find” finds"),
        ({"commune": "", "postcode": "35042"}, "the commune “35042” cannot be told: a CEDEX is not in the list and a "
         "postcode may mean several communes; write its INSEE code, which “relais territory find” finds"),
        ({"commune": "", "postcode": "42620"}, "the commune “42620” cannot be told: a CEDEX is not in the list and a "
         "postcode may mean several communes; write its INSEE code, which “relais territory find” finds"),
    ],
)  # fmt: skip
def test_a_wrong_code_refuses_the_row(desk, cells, reason):
    assert one(desk, **cells).refused == [f"Line 2: {reason}."]


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"commune": "1001"}, "C-01001"),
        ({"commune": "2a004"}, "C-2A004"),
        ({"commune": "C-35238"}, "C-35238"),
        ({"commune": "75111"}, "C-75056"),
        ({"commune": "Rennes"}, "C-35238"),
        ({"commune": "RENNES CEDEX 7", "postcode": "35042"}, "C-35238"),
        ({"commune": "Ajaccio Cedex 1", "postcode": "20179"}, "C-2A004"),
        ({"commune": "Fort-de-France Cedex", "postcode": "97262"}, "C-97209"),
        ({"commune": "PARIS 11", "postcode": "75011"}, "C-75056"),
        ({"commune": "", "postcode": "75011"}, "C-75056"),
        ({"commune": "", "postcode": "35238"}, None),
        ({"commune": "Le Bouchage", "postcode": "38510"}, "C-38050"),
        ({"commune": "", "postcode": "97300"}, "C-97302"),
    ],
)
def test_the_commune_is_told_by_code_postcode_and_name(desk, cells, code):
    brought = one(desk, **cells)

    assert [place.territory_code for place in desk.places().values()] == ([code] if code else [])
    assert bool(brought.refused) is (code is None)


@pytest.mark.parametrize(
    ("lat", "lon", "point"),
    [
        ("48.1", "-1.68", (48.1, -1.68, "source")),
        ("48,1", "-1,68", (48.1, -1.68, "source")),
        ("", "", (48.11109, -1.67431, "commune")),
    ],
)
def test_a_point_is_that_of_the_source_or_of_the_commune(desk, lat, lon, point):
    assert one(desk, lat=lat, lon=lon).remarks == []
    assert (desk.place().lat, desk.place().lon, desk.place().point) == point


@pytest.mark.parametrize(
    ("lat", "lon"), [("-1.68", "48.1"), ("0", "0"), ("nan", "nan"), ("x", "1"), ("148", "1"), ("48.1", "")]
)
def test_a_point_that_is_elsewhere_is_told_and_that_of_the_commune_taken(desk, lat, lon):
    (told,) = one(desk, lat=lat, lon=lon).remarks

    assert told == f"Line 2: the point {lat},{lon} is not in Rennes: that of the commune was taken."
    assert desk.place().point == "commune"


@pytest.mark.parametrize(
    ("cells", "remark"),
    [
        ({"mail": "nobody"}, "“nobody” is not an e-mail address: left out"),
        ({"website": "javascript:alert(1)"}, "“javascript:alert(1)” is not a web address: left out"),
        ({"website": "http://[x"}, "“http://[x” is not a web address: left out"),
        ({"website": "rien"}, "“rien” is not a web address: left out"),
        ({"dated_on": "hier"}, "“hier” is not a day: left out"),
        ({"dated_on": "31/02/2026"}, "“31/02/2026” is not a day: left out"),
    ],
)
def test_what_is_of_no_use_is_left_out_and_told(desk, cells, remark):
    assert one(desk, **cells).remarks == [f"Line 2: {remark}."]
    place = desk.place()
    assert (place.mail, place.website, place.dated_on) == ("", "", None)


def test_a_commune_that_has_ended_is_told_and_its_successor_taken(desk):
    with writing(desk.engine) as session:
        ended = session.get_one(Territory, "C-35047")
        ended.ended_on, ended.successor_code = date(2026, 1, 1), "C-35238"

    assert one(desk, commune="35047").remarks == [
        "Line 2: the commune 35047 has ended; it is taken for Rennes (35238)."
    ]
    assert desk.place().territory_code == "C-35238"


def test_communes_that_merged_in_a_circle_end_the_search(desk):
    with writing(desk.engine) as session:
        for code, successor in (("C-35047", "C-35238"), ("C-35238", "C-35047")):
            ended = session.get_one(Territory, code)
            ended.ended_on, ended.successor_code = date(2026, 1, 1), successor

    assert one(desk, commune="35047").added == 1
