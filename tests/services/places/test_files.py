"""Files that are broken, cut off, empty or something else: clear words, and nothing changes."""

from __future__ import annotations

import json

import pytest

from hub.domain.errors import Invalid
from hub.services.places import files
from tests.services.places.conftest import OWN

ROW = {"id": "1", "type": "cio", "name": "CIO", "commune": "35238"}


def several(count: int) -> list[dict[str, str]]:
    return [ROW | {"id": str(number), "description": "é" * 50} for number in range(count)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf  \n", "is empty"),
        (b"PK\x03\x04rest", "is a spreadsheet or an archive"),
        (b"id;type;name;commune\n", "holds no place"),
        (b"[]", "holds no place"),
        ("id;type;name;commune\n1;cio;École;35238\n".encode("latin-1"), "is not UTF-8"),
        (b'id;type;name;commune\n1;cio;"CIO;35238\n', "is broken .line 2"),
        (b'{"a": 1}', "it holds no list"),
        (b"[1]", "entry 1 is not an object"),
        (json.dumps([ROW])[:-1].encode(), "it ends in the middle"),
        (b'[{"id": "1', "entry 1 is not whole"),
        (b'[{"id": 1},,]x', "ends|whole|no place|lacks"),
        (b"[" + b'{"a":' * 100_000, "cannot be told|not whole"),
    ],
)
def test_what_is_no_good_file_says_so(desk, content, words):
    with pytest.raises(Invalid, match=words):
        desk.bring("own", content)


def test_a_folder_and_a_missing_file_say_so(desk):
    with pytest.raises(Invalid, match="is a folder"), files.opened(desk.folder):
        pass
    with pytest.raises(Invalid, match="cannot be read"), files.opened(desk.folder / "none.csv"):
        pass


@pytest.mark.parametrize("at_end", [b'{"id": "1', b"\xff"])
def test_a_file_that_breaks_in_the_middle_changes_nothing(desk, at_end):
    whole = json.dumps(several(2000), ensure_ascii=False).encode()

    with pytest.raises(Invalid, match=r"Nothing was changed"):
        desk.bring("own", whole[:-1] + b"," + at_end)

    assert desk.places() == {}


def test_a_long_json_is_read_in_pieces_with_letters_across_their_edges(desk):
    brought = desk.bring("own", several(3000))

    assert (brought.added, brought.refused) == (3000, [])
    assert desk.places()["2999"].description == "é" * 50


def test_an_entry_that_never_ends_is_given_up(desk):
    with pytest.raises(Invalid, match="cannot be told"):
        desk.bring("own", b'[{"id": "' + b"x" * (files.LARGEST_ENTRY + 3 * files.CHUNK))


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_may_have_any_of_three_separators_and_a_mark_in_front(desk, separator, mark):
    desk.bring("own", mark + OWN.replace(";", separator) + separator.join(["1", "cio", "CIO", "35238", ""]) + "\n")

    assert desk.place().name == "CIO"


def test_empty_lines_are_passed_over_and_cells_may_hold_lines(desk):
    brought = desk.bring("own", OWN + '\n;;;;\n1;cio;"CIO\nde Rennes";35238;\n2;cio;CIO;99999;\n')

    assert desk.place().name == "CIO de Rennes"
    assert brought.refused[0].startswith("Line 6: ")


def test_what_no_database_keeps_is_taken_out(desk):
    desk.bring("own", [ROW | {"name": "C\0IO"}])

    assert desk.place().name == "CIO"


def test_a_lone_half_of_a_letter_is_taken_out(desk):
    desk.bring("own", b'[{"id": "1", "type": "cio", "name": "C\\ud800IO", "commune": "35238"}]')

    assert desk.place().name == "CIO"
