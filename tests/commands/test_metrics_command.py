"""`relais metrics`: the catalogue is listed, and changed from a file."""

from __future__ import annotations

import io
import json
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlmodel import select

from hub.database import writing
from hub.domain.metric import Metric, Origin
from hub.secrets import write_new_key
from hub.services import cataloguing

pytestmark = pytest.mark.usefixtures("hub_file")

HEADING = ";".join(cataloguing.COLUMNS)
ROWS = f"""{HEADING}
facebook;post;post_media_view;;views;yes;yes;2010-01-01;2027-02-01;;Affichages;Shown
facebook;post;post_new_view;;views;yes;yes;2027-02-01;;post_media_view;Nouveaux affichages;Newly shown
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_metrics_are_listed(relais):
    told = json.loads(relais("metrics", "list", "--json").out)
    table = relais("metrics", "list").out.splitlines()

    assert told["version"] == str(cataloguing.SHIPPED_VERSION)
    assert len(told["metrics"]) == len(cataloguing.shipped()) == len(table) - 2
    [one] = [one for one in told["metrics"] if one["name"] == "post_clicks"]
    assert one == {
        "network": "facebook",
        "subject": "post",
        "name": "post_clicks",
        "period": "",
        "unit": "clicks",
        "additive": True,
        "counted": True,
        "valid_from": "2010-01-01",
        "valid_until": None,
        "replaces": None,
        "definition": "Nombre de clics sur la publication, où que ce soit.",
        "definition_en": "Clicks anywhere on the post.",
        "origin": "shipped",
    }


def test_a_file_of_metrics_is_brought_in_once(relais, file):
    first = relais("metrics", "import", str(file))
    again = json.loads(relais("metrics", "import", str(file), "--json").out)

    listed = json.loads(relais("metrics", "list", "--json").out)["metrics"]
    assert (first.code, first.out.splitlines()[0]) == (0, "Metrics added: 1; changed: 1; as before: 0.")
    assert again == {"added": 0, "changed": 0, "unchanged": 2, "counted_again": False, "deliveries": []}
    assert {one["name"] for one in listed if one["origin"] == "local"} == {"post_media_view", "post_new_view"}
    assert relais("metrics", "list").out.count("local") == 2


def test_metrics_may_come_from_standard_input(relais, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + ROWS.encode())))

    assert json.loads(relais("metrics", "import", "-", "--json").out)["added"] == 1


def test_every_contradiction_is_told_and_nothing_is_changed(relais, file):
    before = relais("metrics", "list", "--json").out
    file.write_text(
        ROWS.replace("2027-02-01;;Affichages", ";;Affichages").replace("views;yes;yes;2027", "people;yes;yes;2027")
    )

    ran = relais("metrics", "import", str(file))

    assert ran.code == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["Line 3", "Nothing was changed."]
    assert relais("metrics", "list", "--json").out == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ROWS.encode("utf-16"), "{file} is not UTF-8 text: save it as “CSV UTF-8”."),
        (ROWS.replace("Affichages", "Été").encode("latin-1"), "{file} is not UTF-8 text: save it as “CSV UTF-8”."),
        (b"", "{file} is empty."),
        (b"\xef\xbb\xbf \n", "{file} is empty."),
        (HEADING.encode(), "The file holds nothing but its heading."),
        (b"PK\x03\x04 a workbook", "The first line must name the columns"),
    ],
    ids=["UTF-16", "Latin-1", "empty", "blank", "only a heading", "a workbook"],
)
def test_a_file_that_is_no_such_table_is_refused_in_words(relais, file, content, words):
    file.write_bytes(content)

    ran = relais("metrics", "import", str(file))

    assert ran.code == 2
    assert ran.err.startswith(words.format(file=file))


def test_a_folder_and_a_missing_file_are_refused_in_words(relais, tmp_path):
    folder = relais("metrics", "import", str(tmp_path))
    missing = relais("metrics", "import", str(tmp_path / "none.csv"))

    assert (folder.code, folder.err) == (2, f"{tmp_path} is a folder: name the file in it.\n")
    assert (missing.code, missing.err) == (2, f"{tmp_path / 'none.csv'} cannot be read: No such file or directory.\n")


def test_nothing_piped_in_is_told_too(relais, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))

    assert relais("metrics", "import", "-").err == "Standard input is empty.\n"


def test_init_goes_on_beside_rows_that_contradict_ours(relais, engine, tmp_path):
    write_new_key(tmp_path / "relais.key")
    with writing(engine) as session:
        [clicks] = session.exec(select(Metric).where(Metric.name == "post_clicks")).all()
        clicks.valid_from, clicks.origin = date(2020, 1, 1), Origin.LOCAL

    ran = relais("init")

    assert ran.code == 0
    assert ran.err.splitlines() == [
        "The metrics of this version contradict those that were brought in here, which go on counting:",
        "  facebook, post_clicks from 2020-01-01: it is valid at the same time as “post_clicks”, from 2010-01-01.",
        "  Nothing was changed.",
        "“relais metrics import” brings in rows that fit both.",
    ]
