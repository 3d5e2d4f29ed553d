"""A file of places read and checked whole, before anything is written: others may write meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, NamedTuple

from sqlmodel import Session, select

from hub.domain.errors import Invalid
from hub.domain.place import PlaceType
from hub.language import _
from hub.services.importing import Told
from hub.services.places import checking, files
from hub.services.places.files import Opened
from hub.services.places.formats import FORMATS, SECTORS, Format, looks_like
from hub.services.places.land import Land
from hub.services.places.sectoring import Sectors
from hub.services.places.told import Row, Unfit
from hub.services.places.told import Told as Written

WRITTEN_HERE: Final = frozenset({"relais", "demo"})
"""Sources of places that come from no file: an import must not take them for its own."""


@dataclass
class Brought:
    """What became of a file, row by row where it matters."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    left_aside: int = 0
    """Rows of kinds that receive no young people."""
    ended: int = 0
    """Places that the source has no more."""
    missing: int = 0
    """Places that the file lacks and that were left as they are, since it lacks too many to be the whole source."""
    sectors: int = 0
    """Communes that came to a sector or left one."""
    proposals: int = 0
    """Open days that are new."""
    refused: list[str] = field(default_factory=list)
    """Of each row that was not taken: its line and the reason."""
    remarks: list[str] = field(default_factory=list)
    """Of rows that were taken: what was left out of them."""
    kept: list[str] = field(default_factory=list)
    """Fields that were corrected here and that the source tells otherwise."""

    def told(self) -> dict[str, int]:
        """The numbers, for the record."""
        counted = {"added": self.added, "changed": self.changed, "vanished": self.ended, "refused": len(self.refused)}
        return {name: count for name, count in counted.items() if count}


class Fit(NamedTuple):
    """A row that can be taken."""

    source_id: str
    values: dict[str, Any]
    """Its columns."""
    sector: list[str] | None
    """The communes that it is competent for; None: the source does not speak of them."""
    open_days: str | None


@dataclass
class Taken:
    """A file that was read whole: its good rows, set aside on disk, and what became of the others."""

    kind: Format
    source: str
    file: str
    brought: Brought
    seen: Mapping[str, int]
    """The numbers of all places in it, of refused rows too, with their lines."""
    is_sure: bool
    """Whether it is known of every row which place it is about."""
    sectors: Mapping[int, set[str]]
    """Where it is a list of sectors: the communes of each mission locale."""
    _aside: IO[str]

    def fits(self) -> Iterator[Fit]:
        """The rows that can be taken, in their order."""
        self._aside.seek(0)
        for line in self._aside:
            fit = Fit(*json.loads(line))
            told = fit.values["dated_on"]
            fit.values["dated_on"] = date.fromisoformat(told) if told else None
            yield fit


@contextmanager
def taken(
    session: Session, file: Path, format_name: str, *, source: str | None = None, told: Told | None = None
) -> Iterator[Taken]:
    """Read a file whole; Invalid where it is broken or of another format. The session only looks, and may end after."""
    kind = FORMATS.get(format_name)
    if kind is None:
        raise Invalid(_("There is no format “{name}”: write one of {formats}.", name=format_name,
                        formats=", ".join(FORMATS)))  # fmt: skip
    if source in WRITTEN_HERE:
        raise Invalid(_("“{source}” is what Relais calls its own places: name it otherwise.", source=source))
    brought = Brought()
    with TemporaryFile("w+", encoding="utf-8") as aside:
        with files.opened(file) as opened:
            _require_format(file, opened, kind)
            rows = _Rows(opened, kind, brought, told)
            reading = _Reading(session, kind, rows, brought)
            sectors = Sectors(session, reading.land).read(rows.fitting(), rows.refuse) if kind is SECTORS else {}
            for fit in reading.fits() if kind is not SECTORS else ():
                aside.write(json.dumps(fit, ensure_ascii=False, default=date.isoformat) + "\n")
        yield Taken(kind, source or kind.source, file.name, brought, reading.seen, rows.is_sure, sectors, aside)


def _require_format(file: Path, opened: Opened, kind: Format) -> None:
    names = {kind.named(name) for name in opened.names}
    missing = sorted(kind.needs - names)
    if not missing:
        return
    other = looks_like(opened.names)
    if other is not None:
        raise Invalid(
            _("{file} is not of the format {asked}; it looks like {other}: use --format {other}. Nothing was changed.",
              file=file.name, asked=kind.name, other=other.name)
        )  # fmt: skip
    raise Invalid(
        _("{file} is not of the format {asked}: it lacks {missing}; docs/places.md shows its columns. "
          "Nothing was changed.", file=file.name, asked=kind.name, missing=", ".join(missing))
    )  # fmt: skip


class _Rows:
    """The rows of an open file, under the names by which they are read; somebody is told how far it is."""

    def __init__(self, opened: Opened, kind: Format, brought: Brought, told: Told | None) -> None:
        self._opened = opened
        self._kind = kind
        self._brought = brought
        self._told = told or (lambda done, total: None)
        self.is_sure = True
        """Whether it is known of every row which place it is about."""

    def fitting(self) -> Iterator[tuple[int, Row]]:
        """Rows with as many cells as the heading; others are refused."""
        for number, row in self._opened.rows:
            if number % 100 == 0:
                self._told(self._opened.position(), self._opened.size)
            surplus = row.get(files.SURPLUS, 0)
            if surplus:
                more, fewer = _("more cells than columns"), _("fewer cells than columns: the file may be cut off")
                self.refuse(number, more if surplus > 0 else fewer, is_known=False)
                continue
            yield number, {self._kind.named(name): value for name, value in row.items()} if self._kind.also else row

    def refuse(self, number: int, reason: str, *, is_known: bool = True) -> None:
        """Tell that a row is not taken, and why; `is_known`: whether it is known which place it is about."""
        self.is_sure = self.is_sure and is_known
        self._brought.refused.append(_("{where}: {reason}.", where=self._opened.where(number), reason=reason))

    def remark(self, number: int, words: str) -> None:
        """Tell what was left out of a row."""
        self._brought.remarks.append(_("{where}: {reason}.", where=self._opened.where(number), reason=words))


class _Reading:
    """Rows on their way to what the database keeps."""

    def __init__(self, session: Session, kind: Format, rows: _Rows, brought: Brought) -> None:
        self._kind = kind
        self._rows = rows
        self._brought = brought
        self._types = frozenset(session.exec(select(PlaceType.code)))
        self.land = Land(session)
        self.seen: dict[str, int] = {}

    def fits(self) -> Iterator[Fit]:
        """The rows that can be taken; others are refused or left aside."""
        for number, row in self._rows.fitting():
            try:
                written = self._kind.read(row) if self._kind.read else None
            except Unfit as why:
                self._rows.refuse(number, str(why), is_known=False)
                continue
            if written is None:
                self._brought.left_aside += 1
                continue
            try:
                yield self._fit(number, written, partial(self._rows.remark, number))
            except Unfit as why:
                self._rows.refuse(number, str(why))

    def _fit(self, number: int, written: Written, remark: Callable[[str], None]) -> Fit:
        before = self.seen.setdefault(written.source_id, number)
        if written.source_id and before != number:
            raise Unfit(_("the same number “{number}” as in row {before}", number=written.source_id, before=before))
        values = checking.checked(written, self.land, self._types, remark)
        return Fit(written.source_id, values, self._sector(written), written.open_days)

    def _sector(self, written: Written) -> list[str] | None:
        if written.sectors is None:
            return None
        codes = set()
        for insee in filter(None, written.sectors):
            spot = self.land.by_code(insee.upper().removeprefix("C-"))
            if spot is not None:
                codes.add(spot.territory_code)
            else:
                self._brought.remarks.append(
                    _("{place}: its sector names the unknown commune “{code}”: left out.", place=written.name,
                      code=insee)
                )  # fmt: skip
        return sorted(codes)
