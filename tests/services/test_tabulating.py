"""Tables that operators bring in: headings, separators, lines."""

from __future__ import annotations

import pytest

from hub.domain.errors import Invalid
from hub.services import tabulating

COLUMNS = ("territory", "number")


def rows(text: str) -> list[tuple[int, str, str]]:
    """Each row: its line, and what stands in our columns."""
    told = tabulating.table(text.splitlines(keepends=True), COLUMNS, also={"territoire": "territory"})
    return [(one.number, one["territory"], one["number"]) for one in told]


@pytest.mark.parametrize(
    "text",
    [
        "territory;number\nA-14;7\n",
        "territory,number\r\nA-14,7\r\n",
        "\ufeffterritory;number\nA-14;7",
        "number;Territory\n7;A-14\n",
        " TERRITOIRE ;number;more\nA-14; 7 ;x\n",
        '"territory";"number"\n"A-14";"7"\n',
    ],
    ids=["semicolons", "commas", "a mark before it", "another order", "French, and more columns", "quoted"],
)
def test_a_table_is_read_by_the_names_of_its_columns(text):
    assert rows(text) == [(2, "A-14", "7")]


def test_empty_lines_are_passed_over_and_the_others_keep_their_numbers():
    assert rows("territory;number\n\nA-14;7\n;\nA-32;8\n") == [(3, "A-14", "7"), (5, "A-32", "8")]


def test_a_short_row_has_empty_cells_and_a_long_one_is_marked():
    short, long = tabulating.table(["territory;number\n", "A-14\n", "A-14;7;8\n"], COLUMNS)

    assert (short["number"], short.too_much, long.too_much) == ("", False, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "The first line must name the columns territory, number; missing: territory, number."),
        ("A-14;7\n", "The first line must name the columns territory, number; missing: territory, number."),
        ("territory\nA-14\n", "The first line must name the columns territory, number; missing: number."),
        ("territory;number\n\n", "The file holds nothing but its heading."),
        (
            f"territory;number\nA-14;{'7' * 200_000}\n",
            "Line 2: field larger than field limit (131072). Nothing was changed.",
        ),
    ],
    ids=["nothing", "no heading", "a column less", "no row", "no table at all"],
)
def test_what_is_not_such_a_table_is_refused_in_words(text, why):
    with pytest.raises(Invalid) as refused:
        rows(text)

    assert str(refused.value) == why


def test_all_that_is_wrong_is_told_line_by_line():
    told = tabulating.problems([(7, "no number"), (3, "no source"), (7, "no source")])

    assert [(one.field, one.message) for one in told.problems] == [
        ("line 3", "Line 3: no source."),
        ("line 7", "Line 7: no number; no source."),
        ("", "Nothing was changed."),
    ]
