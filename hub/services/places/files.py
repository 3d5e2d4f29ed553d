"""Files of rows, CSV or JSON, read as they come: however long the file, only a little of it is in memory."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

from hub.database import folded
from hub.domain.errors import Invalid
from hub.language import _
from hub.services.places.told import Row

CHUNK: Final = 1 << 16
"""Bytes read at once."""

LARGEST_ENTRY: Final = 1 << 22
"""Characters of one entry of a JSON file: more is a file that lost a bracket."""

Rows = Generator[tuple[int, Row], None, None]

_LIST: Final = re.compile(r'\s*(?:\{\s*"[^"]*"\s*:\s*)?\[')
"""A list, or an object whose first thing is one, as in the archive of the annuaire de l'administration."""

_BETWEEN: Final = re.compile(r"[\s,]*")


@dataclass
class Opened:
    """An open file: its rows with their numbers, and how far it was read."""

    rows: Iterator[tuple[int, Row]]
    names: frozenset[str]
    """The normalised names of its columns, or of what its first entry has."""
    is_json: bool
    size: int
    position: Callable[[], int] = field(repr=False)

    def where(self, number: int) -> str:
        """How a row is called where something is said of it."""
        return _("Entry {number}", number=number) if self.is_json else _("Line {number}", number=number)


def normalised(name: str) -> str:
    """A name of a column without case, accents, blanks and signs: « n° SIRET » is `n_siret`."""
    return re.sub(r"[^a-z0-9]+", "_", folded(name)).strip("_")


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """Open a file of places; Invalid with what to do where it is none, also while its rows are read."""
    try:
        with file.open("rb") as raw:
            is_json = _begins(file, raw) in (b"[", b"{")
            with closing(_entries(file, raw) if is_json else _lines(file, raw)) as rows:
                first = next(rows, None)
                if first is None:
                    raise Invalid(_("{file} holds no place.", file=file.name))
                names = frozenset(first[1]) - {SURPLUS}
                yield Opened(chain([first], rows), names, is_json, file.stat().st_size, raw.tell)
    except UnicodeDecodeError as error:
        raise Invalid(
            _("{file} is not UTF-8 text: save it as “CSV UTF-8”. Nothing was changed.", file=file.name)
        ) from error
    except IsADirectoryError as error:
        raise Invalid(_("{file} is a folder: name the file in it.", file=file)) from error
    except OSError as error:
        raise Invalid(_("{file} cannot be read: {why}.", file=file, why=error.strerror)) from error


def _begins(file: Path, raw: BinaryIO) -> bytes:
    """The first sign of a file; Invalid where there is none, or it is no text."""
    start = raw.read(CHUNK).removeprefix(codecs.BOM_UTF8).lstrip()
    if not start:
        raise Invalid(_("{file} is empty.", file=file.name))
    if start.startswith(b"PK\x03\x04"):
        raise Invalid(_("{file} is a spreadsheet or an archive: save it as “CSV UTF-8”, or unpack it.", file=file.name))
    raw.seek(0)
    return start[:1]


# --- CSV ------------------------------------------------------------------------------------------------------

SURPLUS: Final = "\0surplus"
"""Where a row tells by how many cells it differs from the heading."""


def _lines(file: Path, raw: BinaryIO) -> Rows:
    """The rows of a CSV, each with the line that it ends on."""
    lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    try:
        heading = next(lines, "")
        separator = max(";,\t", key=heading.count)
        rows = csv.reader(chain([heading], lines), delimiter=separator, strict=True)
        try:
            names = [normalised(cell) for cell in next(rows, [])]
            for cells in rows:
                if any(cell.strip() for cell in cells):
                    yield rows.line_num, _row(names, cells)
        except csv.Error as error:
            raise _broken(file, _("line {number}: {why}", number=rows.line_num, why=error)) from error
    finally:
        lines.detach()  # the file is closed by whoever opened it


def _row(names: list[str], cells: list[str]) -> Row:
    row: dict[str, Any] = dict(zip(names, cells, strict=False))
    if len(cells) != len(names) and (len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :])):
        row[SURPLUS] = len(cells) - len(names)
    return row


# --- JSON -----------------------------------------------------------------------------------------------------


def _entries(file: Path, raw: BinaryIO) -> Rows:
    """The objects of a list, told apart one by one."""
    text = _Text(raw)
    text.read_more()
    begins = _LIST.match(text.held)
    if begins is None:
        raise _broken(file, _("it holds no list of places"))
    text.at = begins.end()
    number = 0
    while text.goes_on(file):
        number += 1
        entry = text.take(file, number)
        if not isinstance(entry, dict):
            raise _broken(file, _("entry {number} is not an object", number=number))
        yield number, {normalised(str(name)): value for name, value in entry.items()}


class _Text:
    """The part of a JSON file that is looked at."""

    def __init__(self, raw: BinaryIO) -> None:
        self.held = ""
        self.at = 0
        self._raw = raw
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()

    def read_more(self) -> bool:
        """Let go of what was taken and read on; whether there was more."""
        chunk = self._raw.read(CHUNK)
        self.held = self.held[self.at :] + self._decode.decode(chunk, final=not chunk)
        self.at = 0
        return bool(chunk)

    def goes_on(self, file: Path) -> bool:
        """Whether another entry follows; Invalid where the list does not end."""
        while True:
            between = _BETWEEN.match(self.held, self.at)
            self.at = between.end() if between else self.at
            if self.at < len(self.held):
                return self.held[self.at] != "]"
            if not self.read_more():
                raise _broken(file, _("it ends in the middle"))

    def take(self, file: Path, number: int) -> Any:
        """The entry that stands here."""
        while True:
            try:
                entry, self.at = self._json.raw_decode(self.held, self.at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or len(self.held) - self.at > LARGEST_ENTRY:
                    raise _broken(file, _("entry {number} cannot be told", number=number)) from error
                if not self.read_more():
                    raise _broken(
                        file, _("entry {number} is not whole: the file may be cut off", number=number)
                    ) from error
            else:
                return entry


def _broken(file: Path, why: str) -> Invalid:
    return Invalid(
        _("{file} is broken ({why}): fetch it again from its source. Nothing was changed.", file=file.name, why=why)
    )
