"""A file of places brought in, again and again safely: corrections are kept, what vanished is marked."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam
from sqlalchemy import select as sa_select
from sqlmodel import Session

from hub.database import in_turn
from hub.domain import open_days
from hub.domain.audit import OPERATOR, note
from hub.domain.table import metadata
from hub.language import _
from hub.services.importing import MOST_VANISHED
from hub.services.places import linking
from hub.services.places.formats import SECTORS
from hub.services.places.taking import Brought, Fit, Taken

BATCH: Final = 500
"""Rows that are compared and written at once."""

COMPARED: Final = (
    "type_code", "name", "address", "postcode", "territory_code", "lat", "lon", "point", "phone", "mail", "website",
    "description", "hours", "accessibility", "siret", "uai", "dated_on",
)  # fmt: skip
"""What a source says of a place."""

POINT: Final = ("lat", "lon", "point")
"""Columns that are one thing: they are corrected together."""


def bring_in(session: Session, taken: Taken, *, at: datetime, is_whole: bool = False) -> Brought:
    """Bring in what was taken from a file of places or of sectors; return what became of it, row by row.

    Places that a file lacks are marked as ended, unless it lacks more than a tenth of them; `is_whole` says that it
    is the whole source.
    """
    in_turn(session, "places")
    brought = taken.brought
    if taken.kind is SECTORS:
        brought.sectors = linking.set_sectors(session, taken.sectors, brought.kept)
    else:
        _Bringing(session, taken, at=at).bring_in(is_whole=is_whole)
    session.flush()
    session.expire_all()
    if brought.added + brought.changed + brought.ended + brought.sectors + brought.proposals:
        named = {"format": taken.kind.name, "source": taken.source, "file": taken.file}
        thing = f"places:{taken.kind.name}"
        note(session, "places.import", thing, by=OPERATOR, at=at, after={**named, **brought.told()})
    return brought


class _Bringing:
    """Places of one source on their way into the database."""

    def __init__(self, session: Session, taken: Taken, *, at: datetime) -> None:
        self._session = session
        self._taken = taken
        self._source = taken.source
        self._brought = taken.brought
        self._at = at
        self._today = at.astimezone(ZoneInfo("Europe/Paris")).date()
        self._table = metadata.tables["place"]

    def bring_in(self, *, is_whole: bool) -> None:
        fits = self._taken.fits()
        while batch := list(islice(fits, BATCH)):
            self._write(batch)
        self._end(is_whole=is_whole)

    def _write(self, batch: Sequence[Fit]) -> None:
        there = self._there([fit.source_id for fit in batch])
        new = [self._new(fit) for fit in batch if fit.source_id not in there]
        if new:
            self._session.connection().execute(self._table.insert(), new)
        changed = [row for fit in batch if (known := there.get(fit.source_id)) and (row := self._renewed(known, fit))]
        if changed:
            names = [*COMPARED, "ended_on", "imported_at", "corrected"]
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

    def _new(self, fit: Fit) -> dict[str, Any]:
        return {
            **fit.values,
            "source": self._source,
            "source_id": fit.source_id,
            "imported_at": self._at,
            "corrected": {},
            "invented": False,
        }

    def _renewed(self, known: Mapping[str, Any], fit: Fit) -> dict[str, Any] | None:
        """What is to be written over what is there; None where the source says the same as before."""
        corrected = dict(known["corrected"] or {})
        values = {**fit.values, "ended_on": None}
        for names in _together(corrected):
            says = {name: _plain(values[name]) for name in names}
            if all(says[name] == _plain(known[name]) for name in names):
                corrected = {name: said for name, said in corrected.items() if name not in names}
                continue  # the source knows it by now
            corrected |= says
            values |= {name: known[name] for name in names}
            self._brought.kept.append(_kept(known, names, says))
        if corrected == (known["corrected"] or {}) and all(value == known[name] for name, value in values.items()):
            return None
        return {**values, "key": known["id"], "imported_at": self._at, "corrected": corrected}

    def _link(self, batch: Sequence[Fit]) -> None:
        """Lay sectors and open days, where the source speaks of them."""
        speaking = [fit for fit in batch if fit.sector is not None or fit.open_days is not None]
        if not speaking:
            return
        numbers = self._numbers([fit.source_id for fit in speaking])
        sectors = {numbers[fit.source_id]: fit.sector for fit in speaking if fit.sector is not None}
        self._brought.sectors += linking.set_sectors(self._session, sectors, self._brought.kept)
        days = {numbers[fit.source_id]: open_days.read(fit.open_days) for fit in speaking if fit.open_days is not None}
        self._brought.proposals += linking.propose(self._session, days, today=self._today)

    def _numbers(self, source_ids: Sequence[str]) -> dict[str, int]:
        table = self._table
        query = sa_select(table.c.source_id, table.c.id).where(
            table.c.source == self._source, table.c.source_id.in_(source_ids)
        )
        return {row[0]: row[1] for row in self._session.connection().execute(query)}

    def _end(self, *, is_whole: bool) -> None:
        """Mark what the source has no more, unless so much is missing that this is only a part of it.

        Nothing is marked where it is not known which places some rows are about.
        """
        table = self._table
        living = sa_select(table.c.id, table.c.source_id, table.c.corrected).where(
            table.c.source == self._source, table.c.ended_on.is_(None)
        )
        known = self._session.connection().execute(living).all()
        # Whoever showed an ended place again knows better than its source.
        gone = [
            row.id for row in known if row.source_id not in self._taken.seen and "ended_on" not in (row.corrected or {})
        ]
        if not self._taken.is_sure or (len(gone) > max(1, MOST_VANISHED * len(known)) and not is_whole):
            self._brought.missing = len(gone)
            return
        update = self._table.update().where(self._table.c.id == bindparam("key")).values(ended_on=self._today)
        if gone:
            self._session.connection().execute(update, [{"key": number} for number in gone])
        self._brought.ended = len(gone)


def _together(corrected: Collection[str]) -> Iterator[tuple[str, ...]]:
    """The columns that were corrected, those of a point as one."""
    if any(name in corrected for name in POINT):
        yield POINT
    yield from ((name,) for name in (*COMPARED, "ended_on") if name in corrected and name not in POINT)


def _kept(known: Mapping[str, Any], names: tuple[str, ...], says: Mapping[str, Any]) -> str:
    """What is told of a correction that stays."""
    place, number = known["name"], known["id"]
    if names == ("ended_on",):
        return _("Kept: {place} ({number}) stays ended, although its source still has it.", place=place, number=number)
    told = ",".join(str(says[name]) for name in names[:2]) if names == POINT else says[names[0]]
    told = json.dumps(told, ensure_ascii=False) if isinstance(told, list) else told
    field = "point" if names == POINT else names[0]
    return _("Kept: {field} of {place} ({number}); the source now says “{says}”.", field=field, place=place,
             number=number, says=told)  # fmt: skip


def _plain(value: Any) -> Any:
    """A value as it is kept among what was corrected."""
    return value.isoformat() if isinstance(value, date) else value
