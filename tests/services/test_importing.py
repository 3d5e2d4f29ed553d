"""Loading the country: the whole tree once, then newer files on top of it, and nothing lost."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row
from sqlmodel import col, select

from hub.database import build_engine, migrate, reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import AuditEntry
from hub.domain.errors import Invalid
from hub.domain.place import Commune, Postcode
from hub.domain.table import metadata
from hub.domain.territory import Level
from hub.services import importing, reference

FIRST = datetime(2026, 1, 5, 8, tzinfo=UTC)
LATER = datetime(2027, 1, 4, 23, 30, tzinfo=UTC)
"""Already 5 January in Paris."""

COLUMNS = ("insee", "name", "postcodes", "departement", "lat", "lon", "population", "point", "merged_into")


def territories(engine: Engine) -> dict[str, Row[Any]]:
    with engine.connect() as connection:
        return {node.code: node for node in connection.execute(metadata.tables["territory"].select())}


def territory(engine: Engine, code: str) -> Row[Any]:
    table = metadata.tables["territory"]
    with engine.connect() as connection:
        return connection.execute(table.select().where(table.c.code == code)).one()


def commune(engine: Engine, insee: str) -> Row[Any]:
    table = metadata.tables["commune"]
    with engine.connect() as connection:
        return connection.execute(table.select().where(table.c.insee == insee)).one()


@pytest.fixture(scope="module")
def country(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The whole country, for looking only."""
    file = shutil.copyfile(template, tmp_path_factory.mktemp("country") / "relais.db")
    engine = build_engine(f"sqlite:///{file}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def nodes(country: Engine) -> dict[str, Row[Any]]:
    return territories(country)


def test_the_whole_tree_is_there(nodes):
    levels = Counter(node.level for node in nodes.values())

    assert levels == {
        Level.COUNTRY: 1,
        Level.REGION: 18,
        Level.ACADEMIE: 34,
        Level.DEPARTEMENT: 107,
        Level.COMMUNE: 34_963,
    }


def test_every_path_is_that_of_the_parent_and_the_code(nodes):
    wrong = [
        node.code
        for node in nodes.values()
        if node.path != (f"{nodes[node.parent_code].path}/{node.code}" if node.parent_code else node.code)
    ]

    assert wrong == []
    assert nodes["C-35238"].path == "FR/R-53/A-14/D-35/C-35238"


def test_the_four_overseas_services_stand_directly_under_france(nodes):
    under_france = {node.code for node in nodes.values() if node.parent_code == "FR" and node.level is Level.ACADEMIE}

    assert under_france == {"A-40", "A-41", "A-42", "A-44"}


def test_saint_barthelemy_and_saint_martin_belong_to_guadeloupe(nodes):
    assert nodes["D-977"].path == "FR/R-01/A-32/D-977"
    assert nodes["D-978"].path == "FR/R-01/A-32/D-978"
    assert nodes["R-01"].name == "Guadeloupe"


def test_an_academie_is_not_named_like_its_region(nodes):
    grand_est = {node.name for node in nodes.values() if node.parent_code == "R-44"}

    assert nodes["R-44"].name == "Grand Est"
    assert grand_est == {"Nancy-Metz", "Reims", "Strasbourg"}


def test_people_are_summed_upward_and_nobody_is_counted_twice(nodes):
    parts: Counter[str] = Counter()
    for node in nodes.values():
        if node.parent_code:
            parts[node.parent_code] += node.population

    wrong = [code for code, people in parts.items() if nodes[code].population != people]

    assert wrong == []
    assert nodes["FR"].population == 68_952_941


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("FR", "Europe/Paris"),
        ("A-14", "Europe/Paris"),
        ("R-04", "Indian/Reunion"),
        ("A-33", "America/Cayenne"),
        ("A-32", "America/Guadeloupe"),
        ("C-97701", "America/St_Barthelemy"),
        ("C-97801", "America/Marigot"),
        ("A-44", "America/Miquelon"),
        ("C-97501", "America/Miquelon"),
        ("A-42", "Pacific/Wallis"),
        ("C-98613", "Pacific/Wallis"),
        ("A-41", "Pacific/Tahiti"),
        ("D-987", "Pacific/Tahiti"),
        ("C-98731", "Pacific/Marquesas"),
        ("C-98719", "Pacific/Gambier"),
        ("A-40", "Pacific/Noumea"),
    ],
)
def test_a_territory_keeps_the_time_of_its_chef_lieu(country, code, zone):
    assert territory(country, code).zone == zone


def test_there_are_fourteen_time_zones(nodes):
    assert len({node.zone for node in nodes.values()}) == 14


def test_the_departement_comes_from_the_commune_and_not_from_its_postcode(country):
    assert commune(country, "03250").departement == "03"
    assert commune(country, "97701").departement == "977"
    assert commune(country, "97801").departement == "978"
    assert commune(country, "2A004").departement == "2A"


def test_an_arrondissement_refines_its_city(country):
    with reading(country) as session:
        cities = session.exec(select(Commune.territory_code).where(col(Commune.arrondissement))).all()

    assert Counter(cities) == {"C-75056": 20, "C-69123": 9, "C-13055": 16}


def test_there_is_one_portal_account_for_the_whole_country(engine):
    with writing(engine) as session:
        made_again = importing.make_portal_account(session, at=LATER)
    with reading(engine) as session:
        portal = session.exec(select(Account)).one()
        session.expunge_all()

    assert not made_again
    assert (portal.network, portal.territory_code, portal.name, portal.remote_id) == (
        AccountNetwork.PORTAL,
        "FR",
        "Portail",
        "portal",
    )


def test_loading_again_changes_nothing(engine):
    with writing(engine) as session:
        before = len(session.exec(select(AuditEntry)).all())
        counts = importing.load_reference(session, at=LATER)
        after = len(session.exec(select(AuditEntry)).all())

    assert counts == {
        "territories": 35_123,
        "communes": 34_963,
        "arrondissements": 45,
        "postcodes": 6_309,
        "added": 0,
        "changed": 0,
        "ended": 0,
    }
    assert after == before


def test_the_four_typed_files_agree_with_each_other():
    departements = {row.code: row.academie_code for row in reference.read_departements()}

    listed = {code: row.code for row in reference.read_academies() for code in row.departements}

    assert listed == departements


# A small country, for what newer files do.

FOUR = [
    {"insee": "35238", "name": "Rennes", "postcodes": "35000 35200", "departement": "35", "population": "230000"},
    {"insee": "35047", "name": "Bruz", "postcodes": "35170", "departement": "35", "population": "20000"},
    {"insee": "35051", "name": "Cesson", "postcodes": "35510", "departement": "35", "population": "18000"},
    {"insee": "97411", "name": "Saint-Denis", "postcodes": "97400", "departement": "974", "population": "150000"},
]


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    engine = build_engine(f"sqlite:///{tmp_path / 'small.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


class Files:
    """Official files as they may arrive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def csv(self, rows: list[dict[str, str]]) -> Path:
        file = self._folder / "communes.csv"
        with file.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows({"lat": "48.1", "lon": "-1.6", "point": "typed"} | row for row in rows)
        return file

    def json(self, rows: list[dict[str, Any]]) -> Path:
        file = self._folder / "communes.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        return file


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def load(engine: Engine, file: Path, *, at: datetime = FIRST) -> dict[str, int]:
    with writing(engine) as session:
        return importing.load_reference(session, at=at, communes=file)


def test_a_commune_missing_from_a_newer_file_is_kept_and_marked_as_ended(empty, files):
    load(empty, files.csv(FOUR))

    counts = load(empty, files.csv([row for row in FOUR if row["insee"] != "35051"]), at=LATER)

    cesson = territory(empty, "C-35051")
    assert counts["ended"] == 1
    assert (cesson.name, cesson.ended_on, cesson.successor_code) == ("Cesson", date(2027, 1, 5), None)
    assert commune(empty, "35051").name == "Cesson"
    with reading(empty) as session:
        assert [one.code for one in importing.ended_communes(session, at=LATER)] == ["C-35051"]


def test_the_people_of_an_ended_commune_are_counted_once(empty, files):
    load(empty, files.csv(FOUR))

    load(empty, files.csv([FOUR[0] | {"population": "248000"}, FOUR[1], FOUR[3]]), at=LATER)

    assert territory(empty, "D-35").population == 268_000
    assert territory(empty, "FR").population == 418_000


def test_a_merged_commune_names_what_it_became(empty, files):
    load(empty, files.csv(FOUR))

    counts = load(empty, files.csv([*FOUR[:2], FOUR[2] | {"merged_into": "35047"}, FOUR[3]]), at=LATER)

    cesson = territory(empty, "C-35051")
    assert counts["ended"] == 1
    assert (cesson.ended_on, cesson.successor_code) == (date(2027, 1, 5), "C-35047")


def test_an_ended_commune_stays_ended_on_its_first_day(empty, files):
    load(empty, files.csv(FOUR))
    newer = files.csv([*FOUR[:2], FOUR[2] | {"merged_into": "35047"}, FOUR[3]])
    load(empty, newer, at=FIRST)

    counts = load(empty, files.csv([*FOUR[:2], FOUR[3]]), at=LATER)

    cesson = territory(empty, "C-35051")
    assert (counts["ended"], counts["added"], counts["changed"]) == (0, 0, 0)
    assert (cesson.ended_on, cesson.successor_code) == (date(2026, 1, 5), "C-35047")


def test_a_commune_that_comes_back_lives_again(empty, files):
    load(empty, files.csv(FOUR))
    load(empty, files.csv([*FOUR[:2], FOUR[2] | {"merged_into": "35047"}, FOUR[3]]))

    load(empty, files.csv(FOUR), at=LATER)

    cesson = territory(empty, "C-35051")
    assert (cesson.ended_on, cesson.successor_code) == (None, None)


def test_a_commune_never_seen_may_arrive_already_merged(empty, files):
    counts = load(empty, files.csv([*FOUR[:2], FOUR[2] | {"merged_into": "35047"}, FOUR[3]]))

    assert (counts["communes"], counts["ended"]) == (4, 1)
    assert territory(empty, "C-35051").successor_code == "C-35047"


def test_a_changed_row_is_updated_and_its_lost_postcode_forgotten(empty, files):
    load(empty, files.csv(FOUR))

    counts = load(empty, files.csv([FOUR[0] | {"name": "Rennes-Ville", "postcodes": "35000 35700"}, *FOUR[1:]]))

    with reading(empty) as session:
        postcodes = session.exec(select(Postcode.postcode).where(Postcode.insee == "35238")).all()
    assert (counts["added"], counts["changed"]) == (1, 3)
    assert commune(empty, "35238").name_key == "rennes ville"
    assert territory(empty, "C-35238").name == "Rennes-Ville"
    assert sorted(postcodes) == ["35000", "35700"]


def test_the_load_is_noted_with_its_counts(empty, files):
    load(empty, files.csv(FOUR))

    with reading(empty) as session:
        entry = session.exec(select(AuditEntry)).one()
        session.expunge_all()
    assert (entry.action, entry.by_name, entry.at) == ("reference.load", "operator", FIRST)
    assert entry.after is not None
    assert entry.after["communes"] == 4


def test_a_departement_that_a_file_leaves_out_stays_as_it_is(empty, files):
    load(empty, files.csv(FOUR))

    counts = load(empty, files.csv(FOUR[:3]), at=LATER)

    assert (counts["ended"], counts["changed"]) == (0, 0)
    assert territory(empty, "C-97411").ended_on is None


def test_the_file_of_geo_api_is_taken_with_the_people_we_know_when_it_counts_none(empty, files):
    load(empty, files.csv(FOUR))
    official = {
        "code": "97411",
        "nom": "Saint-Denis",
        "codesPostaux": ["97400", "97417"],
        "centre": {"type": "Point", "coordinates": [55.4504, -20.9329]},
    }

    load(empty, files.json([official]))

    place = commune(empty, "97411")
    assert (place.lat, place.lon, place.point, place.departement) == (-20.9329, 55.4504, "centre", "974")
    assert place.population == 150_000


def test_a_lost_leading_zero_is_given_back(empty, files):
    load(empty, files.csv([{"insee": "1004", "name": "Ambérieu", "postcodes": "1500", "departement": "01"}]))

    with reading(empty) as session:
        assert session.exec(select(Postcode)).one() == Postcode(postcode="01500", insee="01004")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([FOUR[0] | {"lat": "north"}], "commune 1 cannot be read"),
        ([FOUR[0], FOUR[1] | {"lat": "99"}], "commune 2 cannot be read"),
        ([FOUR[0] | {"insee": "Rennes"}], "Rennes is not an INSEE code"),
        ([FOUR[0] | {"population": "many"}], "commune 1 cannot be read"),
        ([FOUR[0] | {"departement": "99"}], "département 99 is not known"),
        ([FOUR[0], FOUR[0]], "35238 is there twice"),
        ([FOUR[0], FOUR[1] | {"merged_into": "35999"}], "35047 is said to have merged into 35999"),
        ([], "holds no commune"),
    ],
)
def test_a_wrong_file_is_refused_in_words_and_nothing_is_kept(empty, files, rows, said):
    with pytest.raises(Invalid) as refusal:
        load(empty, files.csv(rows))

    assert said in str(refusal.value)
    assert territories(empty) == {}


def test_a_file_that_is_cut_off_is_refused(empty, files):
    load(empty, files.csv(FOUR))

    with pytest.raises(Invalid) as refusal:
        load(empty, files.csv([FOUR[0]]))

    assert "lacks 2 of the 4 known communes" in str(refusal.value)
    assert territory(empty, "C-35051").ended_on is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("communes.csv", b"insee,name\n35238,Rennes\n"),
        ("communes.csv", "insee,name\n35238,Orléans\n".encode("latin-1")),
        ("communes.json", b"{"),
        ("communes.json", b'{"code": "35238"}'),
        ("communes.json", b'[{"code": "35238"}]'),
        ("communes.json", b'["35238"]'),
    ],
)
def test_a_file_of_another_kind_is_refused(empty, tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(Invalid) as refusal:
        load(empty, file)

    assert str(refusal.value).startswith(("communes.csv", "communes.json", str(file)))
    assert territories(empty) == {}


def test_a_file_that_is_not_there_is_named(empty, tmp_path):
    with pytest.raises(Invalid, match=r"nowhere\.csv cannot be read: No such file"):
        load(empty, tmp_path / "nowhere.csv")


def test_whoever_watches_is_told_until_the_last_row(empty, files):
    seen: list[tuple[int, int]] = []
    with writing(empty) as session:
        importing.load_reference(
            session,
            at=FIRST,
            communes=files.csv(FOUR),
            told=lambda done, total: seen.append((done, total)),
        )

    total = 160 + 4 + 4 + 5
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
