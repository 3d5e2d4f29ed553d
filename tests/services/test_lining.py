"""The export as lines: CSV that no spreadsheet runs, JSON lines, and both read back by others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.services import exporting, lining
from hub.services.exporting import COLUMNS, Figure, Head
from tests.services.taking import made_up, read_back

ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def head(**changed: Any) -> Head:
    usual = Head(
        date(2026, 11, 10), "A-14", "Rennes", "academie", "Page rennes", "facebook", 3, 7, "event", "own page", "yes"
    )
    return usual._replace(**changed)


def figure(value: int | None = 12, missing: str | None = None, read: str | None = "2026-11-10 18:00:00.5") -> Figure:
    return ("post_clicks", "clicks", value, missing, read, read, 7)


def csv(figures: Sequence[Figure], separator: str = ",", *, bom: bool = False, **changed: Any) -> str:
    return "".join(lining.csv([(head(**changed), figures)], "2", separator=separator, bom=bom))


def test_words_are_quoted_and_numbers_are_not():
    _header, line, _end = csv([figure()]).split("\r\n")

    assert line == (
        '"2026-11-10","A-14","Rennes","academie","Page rennes","facebook",3,7,"event","post_clicks","clicks",12,"",'
        '"own page","yes","2026-11-10T18:00:00+00:00","2026-11-10T18:00:00+00:00","2"'
    )


def test_an_empty_cell_is_two_quotes():
    line = csv([figure(None, "not available", None)], post=None, delivery=None, kind=None).split("\r\n")[1]

    assert line == (
        '"2026-11-10","A-14","Rennes","academie","Page rennes","facebook","","","","post_clicks","clicks","",'
        '"not available","own page","yes","","","2"'
    )


def test_rows_of_one_delivery_may_be_read_at_different_moments():
    rows = read_back(csv([figure(), figure(read="2026-11-11 18:00:00"), figure(None, "gone", None), figure()]))

    assert [row["first_read"][:10] for row in rows] == ["2026-11-10", "2026-11-11", "", "2026-11-10"]


def test_the_header_is_there_even_without_rows():
    assert "".join(lining.csv([], "2")) == ",".join(f'"{name}"' for name in COLUMNS) + "\r\n"
    assert "".join(lining.csv([], "2", separator=";")).count(";") == len(COLUMNS) - 1


def test_a_byte_order_mark_comes_first_where_it_is_wanted():
    assert csv([], bom=True) == "\ufeff" + csv([])


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_separator_within_a_name_moves_no_cell(separator):
    [row] = read_back(csv([figure()], separator, account='Page "A", B; C'), separator)

    assert (row["account"], row["network"]) == ('Page "A", B; C', "facebook")


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+33 1", "'+33 1"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("＝1+1", "'＝1+1"),
        ("'=1+1", "''=1+1"),
        ("'x", "'x"),
        ("a=1", "a=1"),
        ("", ""),
    ],
)
def test_no_word_is_taken_for_a_formula(word, shown):
    assert lining.harmless(word) == shown


@given(account=ANYTHING, territory=ANYTHING, metric=ANYTHING, separator=st.sampled_from([",", ";"]))
def test_whatever_people_write_is_harmless_and_comes_back_whole(account, territory, metric, separator):
    written = csv([(metric, *figure()[1:])], separator, account=account, territory_name=territory)
    [row] = read_back(written, separator)

    shown = [row["account"], row["territory_name"], row["metric"]]
    assert [cell for cell in shown if cell.startswith(lining.FORMULA)] == []
    assert [plain(cell) for cell in shown] == [account, territory, metric]
    assert [row["value"], row["network"]] == ["12", "facebook"]


def plain(cell: str) -> str:
    """A word as it was before it was made harmless, as docs/data-dictionary.md says."""
    return cell.removeprefix("'") if cell.lstrip("'").startswith(lining.FORMULA) else cell


@given(account=ANYTHING, value=st.none() | st.integers(0, 10**15))
def test_json_lines_hold_the_same_as_they_are(account, value):
    entry = (head(account=account), [figure(value, None if value is not None else "gone"), figure(None, "gone", None)])

    first, second = (json.loads(line) for line in "".join(lining.json_lines([entry], "2")).split("\n")[:-1])

    assert list(first) == list(COLUMNS)
    assert (first["account"], first["value"], first["post"]) == (account, value, 3)
    assert (second["value"], second["missing"], second["first_read"]) == (None, "gone", None)


def test_both_kinds_of_lines_hold_the_same_rows():
    rows = [list(row) for row in exporting.rows(made_up(200), "2")]

    texts = [list(row.values()) for row in read_back("".join(lining.csv(made_up(200), "2")))]
    objects = [list(json.loads(line).values()) for line in "".join(lining.json_lines(made_up(200), "2")).splitlines()]

    told = [[cell.isoformat() if hasattr(cell, "isoformat") else cell for cell in row] for row in rows]
    assert objects == told
    assert texts == [["" if cell is None else str(cell) for cell in row] for row in told]


def test_lines_come_in_pieces_of_a_good_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lining, "LINES", 10)

    pieces = list(lining.csv(made_up(100), "2"))

    assert len(pieces) == 10
    assert "".join(pieces).count("\r\n") == 101


def test_only_so_many_words_are_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lining, "_REMEMBERED", 3)
    few = "".join(lining.csv(made_up(400), "2"))
    monkeypatch.undo()

    assert few == "".join(lining.csv(made_up(400), "2"))
