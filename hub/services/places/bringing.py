"""A file of places brought in, again and again safely: corrections are kept, what vanished is marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam
from sqlalchemy import select as sa_select
from sqlmodel import Session, select

from hub.database import in_turn
from hub.domain import open_days
from hub.domain.audit import OPERATOR, note
from hub.domain.errors import Invalid
from hub.domain.place import PlaceType
from hub.domain.table import metadata
from hub.language import _
from hub.services.importing import MOST_VANISHED, Told
from hub.services.places import checking, files, linking
from hub.services.places.files import Opened
from hub.services.places.formats import FORMATS, SECTORS, Format, looks_like
from hub.services.places.land import Land
from hub.services.places.sectoring import Sectors
from hub.services.places.told import Row, Unfit
from hub.services.places.told import Told as Written

BATCH: Final = 500
"""Rows that are compared and written at once."""

WRITTEN_HERE: Final = frozenset({"relais", "demo"})
"""Sources of places that come from no file: an import must not take them for its own."""

COMPARED: Final = (
    "type_code", "name", "address", "postcode", "territory_code", "lat", "lon", "point", "phone", "mail", "website",
    "description", "hours", "accessibility", "siret", "uai", "dated_on",
)  # fmt: skip
"""What a source says of a place."""


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

    def told(self) -> dict[str, Any]:
        """The numbers, for the record."""
        return {name: len(value) if isinstance(value, list) else value for name, value in vars(self).items()}


def bring_in(
    session: Session,
    file: Path,
    format_name: str,
    *,
    at: datetime,
    source: str | None = None,
    is_whole: bool = False,
    told: Told | None = None,
) -> Brought:
    """Bring in a file of places or of sectors. Rows that cannot be taken are told, one by one; the others are taken.

    Invalid where the file is broken or of another format: then the transaction is to be given up. Places that a file
    lacks are marked as ended, unless it lacks more than a tenth of them; `is_whole` says that it is the whole source.
    """
    kind = FORMATS.get(format_name)
    if kind is None:
        raise Invalid(_("There is no format “{name}”: write one of {formats}.", name=format_name,
                        formats=", ".join(FORMATS)))  # fmt: skip
    if source in WRITTEN_HERE:
        raise Invalid(_("“{source}” is what Relais calls its own places: name it otherwise.", source=source))
    in_turn(session, "places")
    brought = Brought()
    with files.opened(file) as opened:
        _require_format(file, opened, kind)
        rows = _Rows(opened, kind, brought, told)
        if kind is SECTORS:
            Sectors(session, Land(session)).bring_in(rows.fitting(), rows.refuse, brought)
        else:
            _Bringing(session, kind, source or kind.source, brought, at=at).bring_in(rows, is_whole=is_whole)
    session.flush()
    session.expire_all()
    changes = brought.added + brought.changed + brought.ended + brought.sectors + brought.proposals
    if changes:
        named = {"format": kind.name, "source": source or kind.source, "file": file.name}
        note(session, "place.import", f"places:{kind.name}", by=OPERATOR, at=at, after={**named, **brought.told()})
    return brought


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


@dataclass(frozen=True)
class _Fit:
    """A row that can be taken."""

    source_id: str
    values: dict[str, Any]
    written: Written


class _Bringing:
    """Places of one source on their way into the database."""

    def __init__(self, session: Session, kind: Format, source: str, brought: Brought, *, at: datetime) -> None:
        self._session = session
        self._kind = kind
        self._source = source
        self._brought = brought
        self._at = at
        self._today = at.astimezone(ZoneInfo("Europe/Paris")).date()
        self._land = Land(session)
        self._types = frozenset(session.exec(select(PlaceType.code)))
        self._seen: dict[str, int] = {}
        self._table = metadata.tables["place"]

    def bring_in(self, rows: _Rows, *, is_whole: bool) -> None:
        fits = self._fits(rows)
        while batch := list(islice(fits, BATCH)):
            self._write(batch)
        self._end(is_whole=is_whole, is_sure=rows.is_sure)

    # --- Reading --------------------------------------------------------------------------------------

    def _fits(self, rows: _Rows) -> Iterator[_Fit]:
        for number, row in rows.fitting():
            try:
                written = self._kind.read(row) if self._kind.read else None
            except Unfit as why:
                rows.refuse(number, str(why), is_known=False)
                continue
            if written is None:
                self._brought.left_aside += 1
                continue
            try:
                yield self._fit(number, written, partial(rows.remark, number))
            except Unfit as why:
                rows.refuse(number, str(why))

    def _fit(self, number: int, written: Written, remark: Callable[[str], None]) -> _Fit:
        before = self._seen.setdefault(written.source_id, number)
        if written.source_id and before != number:
            raise Unfit(_("the same number “{number}” as in row {before}", number=written.source_id, before=before))
        return _Fit(written.source_id, checking.checked(written, self._land, self._types, remark), written)

    # --- Writing --------------------------------------------------------------------------------------

    def _write(self, batch: Sequence[_Fit]) -> None:
        there = self._there([fit.source_id for fit in batch])
        new = [self._new(fit) for fit in batch if fit.source_id not in there]
        if new:
            self._session.connection().execute(self._table.insert(), new)
        changed = [row for fit in batch if (known := there.get(fit.source_id)) and (row := self._renewed(known, fit))]
        if changed:
            names = [*COMPARED, "imported_at", "corrected", "ended_on"]
            update = self._table.update().where(self._table.c.id == bindparam("key"))
            self._session.connection().execute(update.values({name: bindparam(name) for name in names}), changed)
        self._brought.added += len(new)
        self._brought.changed += len(changed)
        self._brought.unchanged += len(batch) - len(new) - len(changed)
        self._link(batch)

    def _there(self, source_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        is_it = (self._table.c.source == self._source) & self._table.c.source_id.in_(source_ids)
        rows = self._session.connection().execute(self._table.select().where(is_it)).mappings()
        return {row["source_id"]: dict(row) for row in rows}

    def _new(self, fit: _Fit) -> dict[str, Any]:
        return {
            **fit.values,
            "source": self._source,
            "source_id": fit.source_id,
            "imported_at": self._at,
            "corrected": {},
            "invented": False,
        }

    def _renewed(self, known: Mapping[str, Any], fit: _Fit) -> dict[str, Any] | None:
        """What is to be written over what is there; None where the source says the same as before."""
        corrected = dict(known["corrected"] or {})
        values = dict(fit.values)
        for name in known["corrected"] or {}:
            if name not in values:
                continue
            says = _plain(values[name])
            if says == _plain(known[name]):
                del corrected[name]  # the source knows it by now
                continue
            corrected[name] = says
            self._brought.kept.append(
                _("Kept: {field} of {place} ({number}); the source now says “{says}”.", field=name,
                  place=known["name"], number=known["id"], says=says)
            )  # fmt: skip
            values[name] = known[name]
        ended_on = self._ended_here(known, corrected)
        same = all(values[name] == known[name] for name in COMPARED)
        if same and corrected == (known["corrected"] or {}) and known["ended_on"] == ended_on:
            return None
        return {**values, "key": known["id"], "imported_at": self._at, "corrected": corrected, "ended_on": ended_on}

    def _ended_here(self, known: Mapping[str, Any], corrected: dict[str, Any]) -> date | None:
        """When somebody here ended a place that its source still has; a place shown against its source agrees now."""
        if "ended_on" not in corrected:
            return None
        if known["ended_on"] is None:
            del corrected["ended_on"]
            return None
        self._brought.kept.append(
            _("Kept: {place} ({number}) was ended here; the source still has it.", place=known["name"],
              number=known["id"])
        )  # fmt: skip
        ended_on: date = known["ended_on"]
        return ended_on

    def _link(self, batch: Sequence[_Fit]) -> None:
        """Lay sectors and open days, where the source speaks of them."""
        speaking = [fit for fit in batch if fit.written.sectors is not None or fit.written.open_days is not None]
        if not speaking:
            return
        numbers = self._numbers([fit.source_id for fit in speaking])
        sectors = {numbers[fit.source_id]: self._sector(fit) for fit in speaking if fit.written.sectors is not None}
        taken, kept = linking.without_corrected(self._session, sectors)
        self._brought.kept += kept
        self._brought.sectors += linking.set_sectors(self._session, taken)
        days = {
            numbers[fit.source_id]: open_days.read(fit.written.open_days)
            for fit in speaking
            if fit.written.open_days is not None
        }
        self._brought.proposals += linking.propose(self._session, days, today=self._today)

    def _numbers(self, source_ids: Sequence[str]) -> dict[str, int]:
        table = self._table
        query = sa_select(table.c.source_id, table.c.id).where(
            table.c.source == self._source, table.c.source_id.in_(source_ids)
        )
        return {row[0]: row[1] for row in self._session.connection().execute(query)}

    def _sector(self, fit: _Fit) -> set[str]:
        codes = set()
        for insee in filter(None, fit.written.sectors or ()):
            spot = self._land.by_code(insee.upper().removeprefix("C-"))
            if spot is not None:
                codes.add(spot.territory_code)
            else:
                self._brought.remarks.append(
                    _("{place}: its sector names the unknown commune “{code}”: left out.", place=fit.values["name"],
                      code=insee)
                )  # fmt: skip
        return codes

    def _end(self, *, is_whole: bool, is_sure: bool) -> None:
        """Mark what the source has no more, unless so much is missing that this is only a part of it.

        Nothing is marked where it is not known which places some rows are about.
        """
        table = self._table
        living = sa_select(table.c.id, table.c.source_id, table.c.corrected).where(
            table.c.source == self._source, table.c.ended_on.is_(None)
        )
        known = self._session.connection().execute(living).all()
        # One that people here show although the source has it no more is not ended again.
        gone = [number for number, code, corrected in known if code not in self._seen and "ended_on" not in corrected]
        if not is_sure or (len(gone) > max(1, MOST_VANISHED * len(known)) and not is_whole):
            self._brought.missing = len(gone)
            return
        update = self._table.update().where(self._table.c.id == bindparam("key")).values(ended_on=self._today)
        if gone:
            self._session.connection().execute(update, [{"key": number} for number in gone])
        self._brought.ended = len(gone)


def _plain(value: Any) -> Any:
    """A value as it is kept among what was corrected."""
    return value.isoformat() if isinstance(value, date) else value
