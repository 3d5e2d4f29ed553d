"""What hangs on places: the communes that they are competent for, and the open days that sources tell of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from sqlmodel import Session, col, select

from hub.domain.audit import AuditEntry
from hub.domain.open_days import OpenDay
from hub.domain.place import PlaceProposal, PlaceSector, ProposalState
from hub.domain.table import metadata
from hub.language import _

SECTOR_CHANGED: Final = "place.sector"
"""What the journal calls it when people change a sector."""

MOST_ASKED: Final = 500
"""Places that are asked for at once: databases limit how many values a question has."""


def set_sectors(session: Session, wanted: Mapping[int, Collection[str]], kept: list[str]) -> int:
    """Make these the sectors of these places; return how many communes came or went.

    A sector that people changed here stays theirs; where the source tells another one, that is said in `kept`.
    """
    present: dict[int, set[str]] = defaultdict(set)
    for numbers in _portions(wanted):
        for row in session.exec(select(PlaceSector).where(col(PlaceSector.place_id).in_(numbers))):
            present[row.place_id].add(row.territory_code)
    session.expunge_all()
    by_hand = [number for number in _changed_here(session, wanted) if present[number] != set(wanted[number])]
    kept += [
        _(
            "Kept: the sector of place {number}, which was changed here; the source now tells another one.",
            number=number,
        )
        for number in sorted(by_hand)
    ]
    wanted = {number: codes for number, codes in wanted.items() if number not in by_hand}
    come = [(number, code) for number, codes in wanted.items() for code in sorted(set(codes) - present[number])]
    gone = [(number, code) for number, codes in wanted.items() for code in sorted(present[number] - set(codes))]
    table = metadata.tables["place_sector"]
    if come:
        rows = [{"place_id": number, "territory_code": code} for number, code in come]
        session.connection().execute(table.insert(), rows)
    for number, code in gone:
        is_it = (table.c.place_id == number) & (table.c.territory_code == code)
        session.connection().execute(table.delete().where(is_it))
    return len(come) + len(gone)


def _changed_here(session: Session, numbers: Iterable[int]) -> set[int]:
    """The places of which people here changed the sector, as the journal knows."""
    found: set[int] = set()
    for some in _portions(numbers):
        things = [f"place:{number}" for number in some]
        noted = select(AuditEntry.thing).where(AuditEntry.action == SECTOR_CHANGED, col(AuditEntry.thing).in_(things))
        found |= {int(thing.removeprefix("place:")) for thing in session.exec(noted)}
    return found


def propose(session: Session, told: Mapping[int, Sequence[OpenDay]], *, today: date) -> int:
    """Propose the open days of these places that are still to come; return how many are new.

    One that was told before stays as it is, dismissed ones too. One that nobody took up and the source tells no more
    is taken away.
    """
    present: dict[int, dict[str, PlaceProposal]] = defaultdict(dict)
    for numbers in _portions(told):
        for row in session.exec(select(PlaceProposal).where(col(PlaceProposal.place_id).in_(numbers))):
            present[row.place_id][row.text] = row
    added = 0
    for number, days in told.items():
        coming = {day.text: day for day in days if day.last is None or day.last >= today}
        for text, day in coming.items():
            if text not in present[number]:
                session.add(_proposal(number, day))
                added += 1
        for text, row in present[number].items():
            if text not in coming and row.state in (ProposalState.PROPOSED, ProposalState.UNREAD):
                session.delete(row)
    session.flush()
    session.expunge_all()
    return added


def _proposal(number: int, day: OpenDay) -> PlaceProposal:
    return PlaceProposal(
        place_id=number,
        text=day.text,
        first_day=day.first,
        last_day=day.last,
        from_hour=day.from_hour,
        to_hour=day.to_hour,
        online=day.online,
        note=day.note,
        state=ProposalState.PROPOSED if day.is_read else ProposalState.UNREAD,
    )


def _portions(numbers: Iterable[int]) -> Iterable[list[int]]:
    every = list(numbers)
    return (every[start : start + MOST_ASKED] for start in range(0, len(every), MOST_ASKED))
