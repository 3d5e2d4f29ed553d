"""The export as lines of text: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.services.exporting import COLUMNS, Entry, Head, moment_text

LINES: Final = 500
"""About how many lines are handed over at once."""

_REMEMBERED: Final = 20_000
"""Cells of one column that are kept written; there are never many different ones, moments apart."""

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the beginning of a formula, at the beginning of a cell."""


def harmless(text: str) -> str:
    """A word that no spreadsheet takes for a formula: an apostrophe in front tells it that this is text.

    One that begins so already gets one more: to read it back, take one apostrophe off.
    """
    return "'" + text if text.lstrip("'").startswith(FORMULA) else text


@dataclass(frozen=True)
class Hand:
    """How one format writes a row."""

    begin: str
    between: str
    end: str
    name: Callable[[str], str]
    """What stands before a cell of a column."""
    word: Callable[[str], str]
    nothing: str

    def cell(self, column: str, told: object) -> str:
        """One cell with its name."""
        if told is None:
            return self.name(column) + self.nothing
        return self.name(column) + (str(told) if isinstance(told, int) else self.word(str(told)))


def csv(entries: Iterable[Entry], version: str, *, separator: str = ",", bom: bool = False) -> Iterator[str]:
    """The rows as CSV, in pieces, with a header; numbers stay numbers, words are quoted and made harmless."""
    header = separator.join(_quoted(column) for column in COLUMNS)
    yield ("\ufeff" if bom else "") + header + "\r\n"
    yield from _pieces(entries, version, Hand("", separator, "\r\n", lambda _column: "", _csv_word, '""'))


def json_lines(entries: Iterable[Entry], version: str) -> Iterator[str]:
    """The rows as JSON, one object per line, in pieces; what is empty is null."""
    return _pieces(entries, version, Hand("{", ",", "}\n", lambda column: f'"{column}":', _json_word, "null"))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _csv_word(text: str) -> str:
    return _quoted(harmless(text))


def _json_word(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Cells(dict[Any, str]):
    """The words of a column as they are written, each of them once, with what stands behind."""

    def __init__(self, hand: Hand, column: str, behind: str = "") -> None:
        self._hand, self._column, self._behind = hand, column, hand.between + behind

    def __missing__(self, word: str | None) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        self[word] = written = self._hand.cell(self._column, word) + self._behind
        return written


def _pieces(entries: Iterable[Entry], version: str, hand: Hand) -> Iterator[str]:
    """The lines of all entries. What several rows have in common is written once: there may be millions."""
    cells = {column: _Cells(hand, column) for column in COLUMNS}
    metrics, missings, units = cells["metric"], cells["missing"], _Cells(hand, "unit", hand.name("value"))
    between, nothing = hand.between, hand.nothing
    tail = between + hand.cell("catalogue_version", version) + hand.end
    lines: list[str] = []
    for head, figures in entries:
        before = _before(head, cells, hand)
        marks = cells["provenance"][head.provenance] + cells["limited"][head.limited]
        read_first = read_last = after = told = ""
        for metric, unit, value, missing, first, last, _delivery in figures:
            if not told or first != read_first or last != read_last:
                read_first, read_last = first, last
                after = marks + _read(first, last, hand) + tail
                told = between + missings[None] + after
            if value is None:
                lines.append(f"{before}{metrics[metric]}{units[unit]}{nothing}{between}{missings[missing]}{after}")
            else:
                lines.append(f"{before}{metrics[metric]}{units[unit]}{value}{told}")
        if len(lines) >= LINES:
            yield "".join(lines)
            lines.clear()
    if lines:
        yield "".join(lines)


def _read(first: Any, last: Any, hand: Hand) -> str:
    """When a figure was read."""
    if first is None:
        return hand.cell("first_read", None) + hand.between + hand.cell("last_read", None)
    return f'{hand.name("first_read")}"{moment_text(first)}"{hand.between}{hand.name("last_read")}"{moment_text(last)}"'


def _before(head: Head, cells: Mapping[str, _Cells], hand: Hand) -> str:
    """What the rows of an entry begin with; numbers are not worth remembering."""
    return (
        f"{hand.begin}{cells['day'][head.day]}{cells['territory'][head.territory]}"
        f"{cells['territory_name'][head.territory_name]}{cells['level'][head.level]}"
        f"{cells['account'][head.account]}{cells['network'][head.network]}"
        f"{hand.cell('post', head.post)}{hand.between}{hand.cell('delivery', head.delivery)}{hand.between}"
        f"{cells['kind'][head.kind]}"
    )
