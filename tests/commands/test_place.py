"""`relais place`: files of places brought in, and places looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("hub_file")

ROWS = """id;type;name;commune;phone;secteur;journées portes ouvertes
1;mission_locale;Mission locale de Rennes;35238;0299000001;35238 35047;le 31/01/2099 de 9h à 12h
2;cio;CIO de Brest;29019;;;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "places.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_places_are_brought_in_listed_and_shown(relais, file):
    first = relais("place", "import", "--format", "own", str(file))
    again = relais("place", "import", "--format", "own", str(file), "--json")

    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        "Places added: 2; changed: 0; as before: 0; of other kinds, left aside: 0.",
        "2 communes came to a sector or left one.",
        "1 open day is proposed.",
    ]
    told = json.loads(again.out)
    assert (told["added"], told["unchanged"], told["refused"]) == (0, 2, [])
    listed = json.loads(relais("place", "list", "--territory", "D-35", "--json").out)
    assert [one["name"] for one in listed] == ["Mission locale de Rennes"]
    assert relais("place", "list", "--type", "cio").out.splitlines()[1].split()[1:5] == ["cio", "CIO", "de", "Brest"]
    assert len(json.loads(relais("place", "list", "--stale", "--json").out)) == 2
    shown = json.loads(relais("place", "show", str(listed[0]["id"]), "--json").out)
    assert shown["sectors"] == ["C-35047", "C-35238"]
    assert shown["open_days"] == [{"text": "le 31/01/2099 de 9h à 12h", "state": "proposed"}]
    table = relais("place", "show", str(listed[0]["id"])).out
    assert "35047 35238" in table
    assert "le 31/01/2099 de 9h à 12h (proposed)" in table


def test_refused_rows_are_told_with_their_lines_and_the_exit_code(relais, file):
    file.write_text(ROWS + "3;lycee;Lycée;35238;;;\n", encoding="utf-8")

    ran = relais("place", "import", "--format", "own", str(file))

    assert ran.code == 1
    assert ran.err == "Line 4: unknown kind “lycee”: “relais place types” shows those that there are.\n"
    assert ran.out.startswith("Places added: 2;")


def test_a_broken_file_changes_nothing(relais, file):
    file.write_text(ROWS + '3;cio;"CIO', encoding="utf-8")

    ran = relais("place", "import", "--format", "own", str(file))

    assert ran.code == 2
    assert ran.err.startswith("places.csv is broken (line 4: unexpected end of data)")
    assert relais("place", "list").code == 4


def test_what_is_missing_and_what_ended_is_told(relais, file):
    more = "".join(f"{number};cio;CIO {number};35238;;;\n" for number in range(3, 14))
    heading, *rest = ROWS.splitlines(keepends=True)
    file.write_text(ROWS + more, encoding="utf-8")
    relais("place", "import", "--format", "own", str(file))

    file.write_text(heading + "".join(rest), encoding="utf-8")
    part = relais("place", "import", "--format", "own", str(file))
    whole = relais("place", "import", "--format", "own", "--whole", str(file))

    assert part.err.startswith("11 places of this source are not in the file")
    assert whole.out.splitlines()[1].startswith("11 places are not in the source any more")
    assert len(json.loads(relais("place", "list", "--json").out)) == 2
    assert len(json.loads(relais("place", "list", "--all", "--json").out)) == 13


def test_kinds_are_listed(relais):
    told = json.loads(relais("place", "types", "--json").out)

    assert told[0]["code"] == "mission_locale"
    assert relais("place", "types").out.splitlines()[1].startswith("mission_locale")


def test_a_place_that_is_not_there_says_so(relais):
    ran = relais("place", "show", "99")

    assert ran.code == 4
    assert ran.err == "There is no place 99; “relais place list” shows those that there are.\n"
