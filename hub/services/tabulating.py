"""Tables that operators bring in as CSV: their heading, and each row with the line that it ends on."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from hub.database import folded
from hub.domain.errors import FieldProblem, Invalid
from hub.language import _


@dataclass(frozen=True)
class Line:
    """One row of a file; every column of the heading is in it, empty where nothing was typed."""

    number: int
    cells: Mapping[str, str]
    too_much: bool
    """It has more cells than the heading."""

    def __getitem__(self, column: str) -> str:
        """What stands in a column, without the blanks around it."""
        return self.cells[column].strip()


def table(lines: Iterable[str], columns: Sequence[str], *, also: Mapping[str, str] | None = None) -> list[Line]:
    """The rows of a file with semicolons or commas; Invalid when its heading lacks a column, or nothing follows it.

    `also` holds other names for columns, in small letters without accents. Columns of other names are left alone.
    """
    coming = iter(lines)
    heading = next(coming, "").removeprefix("\ufeff")
    separator = ";" if heading.count(";") >= heading.count(",") else ","
    rows = csv.reader(chain([heading], coming), delimiter=separator)
    found = []
    try:
        names = [(also or {}).get(name, name) for name in (folded(cell.strip()) for cell in next(rows, []))]
        _require_all(names, columns)
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = dict(zip(names, [*row, *[""] * len(names)], strict=False))
                found.append(Line(rows.line_num, cells, too_much=any(row[len(names) :])))
    except csv.Error as error:
        raise problems([(rows.line_num, str(error))]) from error
    if not found:
        raise Invalid(_("The file holds nothing but its heading."))
    return found


def _require_all(names: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in names]
    if missing:
        raise Invalid(
            _(
                "The first line must name the columns {columns}; missing: {missing}.",
                columns=", ".join(columns),
                missing=", ".join(missing),
            )
        )


def problems(reasons: Iterable[tuple[int, str]]) -> Invalid:
    """All that is wrong with a file, line by line; nothing of it was taken."""
    told: dict[int, list[str]] = {}
    for line, reason in reasons:
        told.setdefault(line, []).append(reason)
    return Invalid(
        [
            *(
                FieldProblem(f"line {line}", _("Line {line}: {reasons}.", line=line, reasons="; ".join(told[line])))
                for line in sorted(told)
            ),
            FieldProblem("", _("Nothing was changed.")),
        ]
    )
