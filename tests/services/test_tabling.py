"""The export as tables: a workbook and a Parquet file, opened by independent readers, made with flat memory."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.errors import Invalid
from hub.domain.reach import Unit
from hub.language import speaking
from hub.services import exporting, legend, lining, tabling
from hub.services.exporting import COLUMNS, Entry
from tests.services.counting import PEOPLE, VIEWS, published, read, visit
from tests.services.desk import Desk
from tests.services.taking import asked, entries, made_up, made_up_plan, page_figure, planned, read_back

XML = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Cn"]), max_size=200)
"""What an account may be called: control characters are taken off names."""


def workbook(coming: Iterable[Entry], plan: Any = None) -> Any:
    out = io.BytesIO()
    tabling.write_workbook(out, coming, plan or made_up_plan())
    return openpyxl.load_workbook(out)


def parquet(folder: Path, coming: Iterable[Entry], plan: Any = None) -> Path:
    file = folder / "reach.parquet"
    with file.open("wb") as out:
        tabling.write_parquet(out, coming, plan or made_up_plan())
    return file


@pytest.fixture
def country(desk: Desk) -> Desk:
    """A bit of everything: networks, missing figures, our own counts, pages."""
    [own] = published(desk, kind="event", link="https://example.org/")
    read(desk, own, **{PEOPLE: 120, VIEWS: None})
    published(desk, accounts=["x:FR"], accepts_unlimited=True, text="Pas encore lu")
    [portal] = published(desk, accounts=["portal:FR"], text="Chez nous")
    visit(desk, portal, "C-35238", Unit.VIEWS, 40)
    visit(desk, portal, "A-14", Unit.VIEWS, 2)
    page_figure(desk, "rennes", "page_follows_city", date(2026, 11, 5), 31, dimension="Rennes")
    return desk


# --- The same figures in each format --------------------------------------------------------------------------


def sheet_rows(sheet: Any) -> list[list[Any]]:
    """The cells below the header, as a reader finds them: moments are in UTC and know no zone."""

    def cell(place: int, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.date() if COLUMNS[place] == "day" else value.replace(tzinfo=UTC)
        return value

    return [[cell(*one) for one in enumerate(row)] for row in sheet.iter_rows(min_row=2, values_only=True)]


def test_independent_readers_find_the_same_rows_in_each_format(country: Desk, tmp_path: Path):
    plan = planned(country)
    rows = [list(row) for row in exporting.rows(entries(country, plan), plan.catalogue.version)]

    sheet = sheet_rows(workbook(entries(country, plan), plan)["data"])
    table = asked(f"SELECT * FROM '{parquet(tmp_path, entries(country, plan), plan)}'")
    text = tmp_path / "reach.csv"
    text.write_text("".join(lining.csv(entries(country, plan), plan.catalogue.version)), encoding="utf-8", newline="")
    loaded = asked(f"SELECT * FROM read_csv('{text}', all_varchar = true)")
    lines = map(json.loads, "".join(lining.json_lines(entries(country, plan), plan.catalogue.version)).splitlines())

    assert len(rows) == 9
    assert sheet == rows
    assert [[_utc(cell) for cell in row] for row in table] == rows
    told = [[_text(cell) for cell in row] for row in rows]
    assert [list(row) for row in loaded] == told
    assert [[_text(cell) for cell in line.values()] for line in lines] == told


def _utc(cell: Any) -> Any:
    return cell.astimezone(UTC) if isinstance(cell, datetime) else cell


def _text(cell: Any) -> str | None:
    return None if cell is None else cell.isoformat() if isinstance(cell, date) else str(cell)


if shutil.which("soffice"):  # where LibreOffice is installed; elsewhere there is nothing to ask

    def test_libreoffice_finds_the_same_rows_in_a_workbook(country: Desk, tmp_path: Path):
        plan = planned(country)
        file = tmp_path / "reach.xlsx"
        with file.open("wb") as out:
            tabling.write_workbook(out, entries(country, plan), plan)

        command = ["soffice", "--headless", "--convert-to", "csv", "--outdir", str(tmp_path), str(file)]
        subprocess.run(command, check=True, capture_output=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})

        rows = read_back((tmp_path / "reach.csv").read_text(encoding="utf-8"))
        wanted = list(exporting.rows(entries(country, plan), plan.catalogue.version))
        places = {column: place for place, column in enumerate(COLUMNS)}
        for column in ("day", "territory", "account", "metric", "value", "missing"):
            assert [row[column] for row in rows] == [_text(row[places[column]]) or "" for row in wanted]


# --- A workbook -----------------------------------------------------------------------------------------------


def test_a_workbook_has_one_header_row_that_stays_and_cells_with_types():
    book = workbook(made_up(8))
    data = book["data"]

    assert book.sheetnames == ["data", "definitions", "read me"]
    assert [cell.value for cell in data[1]] == list(COLUMNS)
    assert (data.freeze_panes, data.max_row) == ("A2", 9)
    kinds = {COLUMNS[place]: data.cell(3, place + 1).data_type for place in range(len(COLUMNS))}
    assert {column for column, kind in kinds.items() if kind == "d"} == {"day", "first_read", "last_read"}
    assert {column for column, kind in kinds.items() if kind == "n"} == {"post", "delivery", "value", "missing"}
    assert data["A3"].number_format == "yyyy-mm-dd"


def test_definitions_say_what_each_metric_unit_provenance_and_reason_means():
    with speaking("fr"):
        sheet = workbook([])["definitions"]
    told = list(sheet.iter_rows(values_only=True))
    words = {(row[0], row[1]) for row in told[1:]}

    assert told[0] == legend.Definition._fields
    assert ("metric", "page_total_media_view_unique:week") in words
    assert {word for column, word in words if column == "unit"} == set(Unit)
    assert {word for column, word in words if column == "provenance"} == set(exporting.LIMITED)
    assert {word for column, word in words if column == "missing"} == {"not read yet", "< 5"}
    assert "Personnes qui ont vu la publication" in str(told[5][-1]) + str([row[-1] for row in told])


def test_definitions_are_in_the_reader_s_language():
    with speaking("en"):
        told = list(legend.definitions(made_up_plan()))

    assert [one.meaning for one in told if one.word == "post_media_view"] == ["How often the post was shown."]
    assert all(one.meaning for one in told)


def test_notes_say_the_period_who_may_read_it_and_the_versions():
    with speaking("en"):
        told = dict(workbook([])["read me"].iter_rows(values_only=True))

    assert told["Period"].startswith("From 2026-11-01 to 2026-11-30")
    assert "France (FR)" in told["Who may read it"]
    assert (told["Schema version"], told["Catalogue version"]) == (str(exporting.SCHEMA_VERSION), "2")
    assert {"At least", "Missing", "< 5", "Provenance", "Moments", "Territory"} <= set(told)


def test_notes_name_a_territory_that_was_asked_for_and_one_that_is_gone():
    from dataclasses import replace

    plan = made_up_plan()
    with speaking("en"):
        notes = dict(legend.notes(replace(plan, frame=replace(plan.frame, territory="A-14"), sees=["C-01999"])))

    assert notes["Territory"] == "A-14"
    assert "C-01999" in notes["Who may read it"]


@settings(max_examples=25, deadline=None)
@given(st.lists(XML, min_size=1, max_size=5))
def test_whatever_an_account_is_called_it_is_text_and_comes_back_whole(names):
    data = workbook(entry for name in names for entry in made_up(4, account=name))["data"]

    cells = [data.cell(2 + 4 * place, COLUMNS.index("account") + 1) for place in range(len(names))]
    assert [cell.value or "" for cell in cells] == names
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n"}


@pytest.mark.parametrize("name", ["=1+1", "+33", "@SUM(A1)", "{=1}", "https://example.org", "12", "'=1+1"])
def test_a_name_that_looks_like_something_else_is_still_a_name(name):
    cell = workbook(made_up(4, account=name))["data"].cell(2, COLUMNS.index("account") + 1)

    assert (cell.value, cell.data_type, cell.hyperlink) == (name, "s", None)


def test_more_rows_than_a_sheet_holds_are_refused_before_anything_is_written():
    with pytest.raises(Invalid) as refused, speaking("en"):
        tabling.require_room(tabling.MOST_ROWS + 1)

    assert "Take Parquet or CSV" in str(refused.value)
    tabling.require_room(tabling.MOST_ROWS)


def test_a_sheet_that_turns_out_too_long_is_refused_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(tabling, "MOST_ROWS", 6)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(Invalid):
        workbook(made_up(8))

    assert list(tmp_path.iterdir()) == []


# --- Parquet --------------------------------------------------------------------------------------------------


def test_parquet_has_types_row_groups_and_says_its_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tabling, "GROUP", 20)
    monkeypatch.setattr(tabling, "BATCH", 10)
    file = parquet(tmp_path, made_up(48))

    kinds = dict(asked(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{file}')"))
    groups = asked(f"SELECT DISTINCT row_group_num_rows FROM parquet_metadata('{file}') ORDER BY 1")
    about = dict(asked(f"SELECT key::VARCHAR, value::VARCHAR FROM parquet_kv_metadata('{file}')"))

    assert list(kinds) == list(COLUMNS)
    assert kinds == dict.fromkeys(COLUMNS, "VARCHAR") | {
        "day": "DATE", "post": "BIGINT", "delivery": "BIGINT", "value": "BIGINT",
        "first_read": "TIMESTAMP WITH TIME ZONE", "last_read": "TIMESTAMP WITH TIME ZONE",
    }  # fmt: skip
    assert groups == [(8,), (20,)]
    assert (about["relais.schema_version"], about["relais.catalogue_version"]) == ("2", "2")
    assert (about["relais.from"], about["relais.to"]) == ("2026-11-01", "2026-11-30")


def test_an_empty_export_is_a_whole_file(tmp_path: Path):
    file = parquet(tmp_path, [])

    assert asked(f"SELECT count(*) FROM '{file}'") == [(0,)]
    assert [cell.value for cell in workbook([])["data"][1]] == list(COLUMNS)


@settings(max_examples=25, deadline=None)
@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_parquet_holds_names_as_they_are(name, tmp_path_factory: pytest.TempPathFactory):
    file = parquet(tmp_path_factory.mktemp("names"), made_up(4, account=name))

    assert asked(f"SELECT DISTINCT account FROM '{file}'") == [(name,)]


# --- A disk that is full, and memory that is not ---------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
@pytest.mark.parametrize("write", [tabling.write_workbook, tabling.write_parquet])
def test_a_full_disk_is_an_error_of_the_disk_and_nothing_is_left(
    write: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        write(full, made_up(400), made_up_plan())

    assert gettempdir() == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_s_error_is_told_with_what_to_do():
    with speaking("en"):
        told = str(tabling.explained(OSError(28, "No space left on device")))

    assert told.startswith("The export could not be made: No space left on device. Nothing was kept.")


FEW, MANY = 4_000, 40_000


def peak(make: Callable[[int], object], rows: int) -> int:
    """The most memory that writing so many rows takes at any moment."""
    tracemalloc.start()
    try:
        make(rows)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _lined(lines: Callable[..., Iterable[str]]) -> Callable[[int], object]:
    return lambda rows: sum(len(piece) for piece in lines(made_up(rows), "2"))


@pytest.mark.parametrize("lines", [lining.csv, lining.json_lines])
def test_lines_take_the_same_memory_however_many(lines):
    make = _lined(lines)
    peak(make, FEW)

    assert peak(make, MANY) <= 1.5 * peak(make, FEW)


@pytest.mark.parametrize("write", [tabling.write_workbook, tabling.write_parquet])
def test_a_file_takes_the_same_memory_however_long(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import pyarrow

    monkeypatch.setattr(tabling, "BATCH", 500)
    monkeypatch.setattr(tabling, "GROUP", 1_000)
    arrow: dict[int, int] = {}

    def make(rows: int) -> None:
        usual, pool = pyarrow.default_memory_pool(), pyarrow.proxy_memory_pool(pyarrow.default_memory_pool())
        pyarrow.set_memory_pool(pool)
        try:
            with (tmp_path / "out").open("wb") as out:
                assert write(out, made_up(rows), made_up_plan()) == rows
        finally:
            pyarrow.set_memory_pool(usual)
        arrow[rows] = pool.max_memory()

    peak(make, FEW)

    assert peak(make, MANY) <= 1.5 * peak(make, FEW)
    assert arrow[MANY] <= 1.5 * arrow[FEW]
