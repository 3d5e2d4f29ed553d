"""The export as lines of text: CSV for spreadsheets, JSON lines for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from hub.services.exporting import COLUMNS, Entry, moment_text

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


WORDS: Final = (
    "day", "territory", "territory_name", "level", "account", "network", "kind", "metric", "missing", "provenance",
    "limited",
)  # fmt: skip
"""Columns of which there are few different cells, each of them written once."""


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
    days, territories, names, levels, accounts, networks, kinds, metrics, missings, provenances, limits = (
        _Cells(hand, column) for column in WORDS
    )
    units = _Cells(hand, "unit", hand.name("value"))
    post, delivery, between, nothing = hand.name("post"), hand.name("delivery"), hand.between, hand.nothing
    tail = between + hand.cell("catalogue_version", version) + hand.end
    unread = hand.cell("first_read", None) + between + hand.cell("last_read", None) + tail
    opening, middle, closing = f'{hand.name("first_read")}"', f'"{between}{hand.name("last_read")}"', f'"{tail}'
    lines: list[str] = []
    write = lines.append
    for head, figures in entries:
        day, territory, name, level, account, network, post_id, delivery_id, kind, provenance, limited = head
        before = (
            f"{hand.begin}{days[day]}{territories[territory]}{names[name]}{levels[level]}{accounts[account]}"
            f"{networks[network]}{post}{nothing if post_id is None else post_id}{between}"
            f"{delivery}{nothing if delivery_id is None else delivery_id}{between}{kinds[kind]}"
        )
        marks = provenances[provenance] + limits[limited]
        read_first = read_last = after = told = ""
        for metric, unit, value, missing, first, last, _delivery in figures:
            if not told or first != read_first or last != read_last:
                read_first, read_last = first, last
                read = f"{opening}{moment_text(first)}{middle}{moment_text(last)}{closing}" if first else unread
                after = marks + read
                told = f"{between}{missings[None]}{after}"
            if value is None:
                write(f"{before}{metrics[metric]}{units[unit]}{nothing}{between}{missings[missing]}{after}")
            else:
                write(f"{before}{metrics[metric]}{units[unit]}{value}{told}")
        if len(lines) >= LINES:
            yield "".join(lines)
            lines.clear()
    if lines:
        yield "".join(lines)
