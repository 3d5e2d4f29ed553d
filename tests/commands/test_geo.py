"""`relais geo keys`: a file of keys is brought in, looked at and reviewed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("hub_file")

ROWS = """territory,kind,key,name,covers,source
A-14,region,3001,Bretagne,,
A-28,country,RE,Réunion,,sandbox
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keys.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_keys_are_brought_in_listed_and_reviewed(relais, file):
    first = json.loads(relais("geo", "keys", "import", str(file), "--json").out)
    again = json.loads(relais("geo", "keys", "import", str(file), "--json").out)
    reviewed = json.loads(relais("geo", "keys", "review", "a-14", "--json").out)
    listed = json.loads(relais("geo", "keys", "list", "--json").out)

    assert (first["added"], again["added"], again["unchanged"], reviewed["reviewed"]) == (2, 0, 2, 1)
    assert len(first["territories_without_reviewed_keys"]) == 34
    assert len(reviewed["territories_without_reviewed_keys"]) == 33
    assert [(key["territory"], key["key"], key["source"], key["reviewed_by"]) for key in listed] == [
        ("A-14", "3001", "keys.csv", "operator"),
        ("A-28", "RE", "sandbox", None),
    ]
    assert [(key["covered"], key["spilled"]) for key in listed] == [(100.0, 0.0)] * 2


def test_keys_may_come_from_standard_input_with_their_source(relais, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(ROWS))

    relais("geo", "keys", "import", "-", "--source", "search of October")

    listed = json.loads(relais("geo", "keys", "list", "--territory", "A-14", "--json").out)
    assert [key["source"] for key in listed] == ["search of October"]


def test_one_is_not_told_as_many(relais, file):
    relais("geo", "keys", "import", str(file))

    first = relais("geo", "keys", "review", "A-14")
    again = relais("geo", "keys", "review", "A-14")

    assert first.out == "1 key is now reviewed. 33 territories still have no reviewed key.\n"
    assert again.out == "No key was left to review. 33 territories still have no reviewed key.\n"


def test_all_that_is_left_may_be_reviewed_at_once(relais, file):
    relais("geo", "keys", "import", str(file))

    assert json.loads(relais("geo", "keys", "review", "--all", "--json").out)["reviewed"] == 2
    assert json.loads(relais("geo", "keys", "review", "--all", "--json").out)["reviewed"] == 0
    assert json.loads(relais("geo", "keys", "list", "--unreviewed", "--json").out) == []


def test_each_wrong_row_is_told_and_nothing_is_kept(relais, file):
    file.write_text(ROWS + "A-99,region,1,x,,\nA-04,planet,1,x,,\n", encoding="utf-8")

    ran = relais("geo", "keys", "import", str(file))

    assert ran.code == 2
    assert [line[:7] for line in ran.err.splitlines()] == ["Line 4:", "Line 5:"]
    assert json.loads(relais("geo", "keys", "list", "--json").out) == []


def test_a_table_tells_precision_and_how_many_territories_have_no_key(relais, file):
    relais("geo", "keys", "import", str(file))
    relais("geo", "keys", "review", "A-14")

    ran = relais("geo", "keys", "list")

    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [
        ["A-14", "region", "3001"],
        ["A-28", "country", "RE"],
    ]
    assert "33 of 34" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("review",), 2),
        (("review", "A-14", "--all"), 2),
        (("review", "A-14"), 4),
        (("list", "--territory", "A-99"), 2),
        (("import", "none.csv"), 2),
        (("import", "{file}", "--network", "x"), 2),
        (("import", "{file}", "--network", "myspace"), 2),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(relais, file, arguments, code):
    ran = relais("geo", "keys", *(argument.format(file=file) for argument in arguments))

    assert ran.code == code
    assert len(ran.err.strip().splitlines()) == 1


def test_a_file_of_another_encoding_is_refused_in_words(relais, file):
    file.write_bytes(ROWS.encode("latin-1"))

    ran = relais("geo", "keys", "import", str(file))

    assert ran.code == 2
    assert "UTF-8" in ran.err
