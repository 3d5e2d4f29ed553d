"""`relais population`: brought in from a file, and listed with year and source."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("hub_file")

ROWS = """territoire;groupe;année;nombre;source
D-22;jeunes;2025;60 000;INSEE
D-29;jeunes;2025;100 000;INSEE
D-35;jeunes;2025;150 000;INSEE
D-56;jeunes;2025;70 000;INSEE
A-14;décrocheurs;2024;9 000;Ministère
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "populations.csv"
    file.write_text(ROWS, encoding="utf-8-sig")
    return file


def test_populations_are_brought_in_once_and_listed(relais, file):
    first = relais("population", "import", str(file))
    again = json.loads(relais("population", "import", str(file), "--json").out)

    listed = json.loads(relais("population", "list", "--json").out)
    table = relais("population", "list").out.splitlines()
    assert (first.code, first.out) == (0, "Populations added: 5; changed: 0; as before: 0.\n")
    assert first.err.startswith("33 territories have no population of young people, and no rates: A-01")
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 5)
    assert {cohort: len(codes) for cohort, codes in again["missing"].items()} == {"young": 33, "leavers": 33}
    rennes = [one for one in listed if one["territory_code"] == "A-14"]
    assert rennes == [
        {
            "territory_code": "A-14",
            "cohort": "young",
            "year": 2025,
            "number": 380_000,
            "source": "INSEE (sum of its parts)",
            "name": "Rennes",
        },
        {
            "territory_code": "A-14",
            "cohort": "leavers",
            "year": 2024,
            "number": 9000,
            "source": "Ministère",
            "name": "Rennes",
        },
    ]
    assert [line.split()[0] for line in table] == [
        "Territory", "A-14", "A-14", "D-22", "D-29", "D-35", "D-56", "R-53", "R-53",
    ]  # fmt: skip


def test_where_none_is_known_it_is_said_how_to_bring_some_in(relais):
    assert relais("population", "list").out == (
        "No population is known yet: “relais population import” brings them in.\n"
    )
    assert json.loads(relais("population", "list", "--json").out) == []


def test_populations_may_come_from_standard_input(relais, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(ROWS))

    assert json.loads(relais("population", "import", "-", "--json").out)["added"] == 5


def test_each_wrong_line_is_told_and_nothing_is_kept(relais, file):
    file.write_text(ROWS + "A-99;jeunes;2025;7;INSEE\nA-14;jeunes;1066;7;\n", encoding="utf-8")

    ran = relais("population", "import", str(file))

    assert ran.code == 2
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["Line 7", "Line 8", "Nothing was changed."]
    assert json.loads(relais("population", "list", "--json").out) == []


@pytest.mark.parametrize("content", [ROWS.encode("latin-1"), b""], ids=["Latin-1", "empty"])
def test_a_file_that_is_no_table_is_refused_in_words(relais, file, content):
    file.write_bytes(content)

    ran = relais("population", "import", str(file))

    assert (ran.code, len(ran.err.splitlines())) == (2, 1)


def test_a_folder_is_refused_in_words(relais, tmp_path):
    assert relais("population", "import", str(tmp_path)).err == f"{tmp_path} is a folder: name the file in it.\n"
