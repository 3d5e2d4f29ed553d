"""docs/data-dictionary.md says of every column and value what the code makes of it."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest

from hub.domain.account import AccountNetwork
from hub.domain.delivery import Provenance
from hub.domain.post import Kind
from hub.domain.reach import ADDITIVE, Unit
from hub.domain.territory import Level
from hub.services import cataloguing, exporting, tabling
from hub.services.exporting import COLUMNS, SCHEMA_VERSION, Format, metric_name
from tests.services.taking import made_up, made_up_plan

TEXT = (Path(__file__).parents[2] / "docs/data-dictionary.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    below = re.split(r"^#{2,3} ", TEXT.split(f"{heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in below.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def words(heading: str) -> list[str]:
    """What stands in the first column."""
    return [row[0].strip("| ").strip("`") for row in table(heading)]


def test_the_columns_are_those_of_the_code_in_their_order():
    assert tuple(words("## Columns")) == COLUMNS
    assert f"**schema version {SCHEMA_VERSION}**" in TEXT


def test_each_column_has_a_meaning_types_an_example_and_says_when_it_is_empty():
    assert [row[0] for row in table("## Columns") if len(row) != 7 or not all(row)] == []


def test_the_types_are_those_of_the_code():
    kinds = {"date32[day]": "DATE", "int64": "BIGINT", "string": "VARCHAR"} | {
        "timestamp[s, tz=UTC]": "TIMESTAMP WITH TIME ZONE"
    }
    parquet = {field.name: kinds[str(field.type)] for field in tabling._schema(made_up_plan())}
    told = {row[0].strip("| `"): (row[2], row[3], row[4]) for row in table("## Columns")}
    cells = dict(zip(COLUMNS, next(iter(exporting.rows(made_up(4), "2"))), strict=True))

    for column, (text, sheet, kind) in told.items():
        assert kind == parquet[column]
        number = column in tabling.NUMBERS
        assert text == ("number" if number else "text")
        assert sheet == ("number" if number else {date: "date", datetime: "moment"}.get(type(cells[column]), "text"))


@pytest.mark.parametrize(
    ("column", "known"),
    [
        ("level", list(Level)),
        ("network", list(AccountNetwork)),
        ("kind", list(Kind)),
        ("unit", list(Unit)),
        ("missing", [exporting.NOT_READ, exporting.TOO_FEW]),
        ("provenance", list(Provenance)),
    ],
)
def test_every_value_is_explained(column: str, known: list[str]):
    assert sorted(words(f"### `{column}`")) == sorted(map(str, known))


def test_it_says_which_provenances_are_of_their_territory():
    assert {row[0].strip("| `"): row[2].strip("`| ") for row in table("### `provenance`")} == exporting.LIMITED


def test_it_says_which_units_may_be_added_up():
    told = {row[0].strip("| `"): row[2] for row in table("### `unit`")}

    assert {unit for unit, rule in told.items() if rule == "add up"} == set(ADDITIVE)


def test_it_names_every_metric_that_is_shipped_with_its_network_and_unit():
    shipped = {(metric_name(one.name, one.period), one.network.value, one.unit.value) for one in cataloguing.shipped()}

    assert {tuple(cell.strip("`| ") for cell in row) for row in table("### `metric`")} == shipped


def test_it_describes_every_format():
    assert words("## Formats") == list(Format)
    assert f"{tabling.MOST_ROWS:,} rows" in TEXT
    assert f"Row groups of {tabling.GROUP:,} rows" in TEXT
