"""A hub in which no table is empty: people at work, deliveries in every passing state, pictures, and odd values."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, Boolean, Date, Engine, Enum, Float, Integer, LargeBinary, Table, insert, select

from hub import media
from hub.database import writing
from hub.domain.policy import Policy
from hub.domain.table import Moment
from hub.services import copying, delivering
from hub.services.delivering import Claim
from schedules import runner
from tests.schedules.conftest import Room
from tests.stage import NOON, build_stage

ODD_MOMENT: Final = datetime(2026, 3, 29, 1, 30, 0, 123457, tzinfo=UTC)
ODD_TEXT: Final = "Zoé’s “déjà\tvu”\r\n\\N 🎈 %s"
ODD_DOCUMENTS: Final[dict[str, Any]] = {
    "whole": 14,
    "broken": 0.1234567890123456,
    "round": 1000.0,
    "yes": True,
    "nothing": None,
    "text": "18:00",
    "digits": "0012",
    "nested": {"é": [1, 1.5, None, {"nul": "a\0b"}], "": ""},
}
EVERY_BYTE: Final = bytes(range(256)) * 5000


class Furnished(Room):
    """A room with three deliveries that are still to be settled."""

    waiting: int
    claimed: int
    sending: int


def furnish(engine: Engine, home: Path, *, begun_at: datetime = NOON) -> Furnished:
    """Fill a hub: one delivery went out, one was held and one begun by a worker that is dead now, one is to come."""
    stage = build_stage(engine, home)
    stage.clock.at = begun_at
    room = Furnished(stage, stage.clock, runner.build(stage.hub))

    def after(hours: int, zone: str = "Europe/Paris") -> datetime:
        return (begun_at + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    room.approve("Déjà dit", when=after(2))
    room.run_after(hours=2)
    there = after(27, "America/Guadeloupe")
    room.claimed = room.approve_one("Tenue", accounts=("facebook:A-32",), audience=("A-32",), when=there)
    room.sending = room.approve_one("Commencée", when=after(28))
    room.waiting = room.approve_one("À venir", when=after(72))
    room.clock.forward(hours=26)
    _let_die(room)
    with writing(engine) as session:
        picture = media.Cleaned(hashlib.sha256(EVERY_BYTE).hexdigest(), "image/png", 1, 1, EVERY_BYTE)
        media.keep(session, picture, at=ODD_MOMENT)
        for name, document in ODD_DOCUMENTS.items():
            session.add(Policy(name=name, value=document, changed_at=ODD_MOMENT, changed_by=ODD_TEXT))
        session.flush()
        for table in copying.tables():
            if session.connection().execute(select(table).limit(1)).first() is None:
                session.connection().execute(insert(table), _row(session, table))
    room.engine.stop()
    return room


def _let_die(room: Furnished) -> None:
    """A worker claims what is due, and dies in the middle of one of them."""
    hub = room.hub
    with writing(hub.engine) as session:
        claims = delivering.claim(session, at=room.clock(), owner="dead", patience=hub.patience)
    begun = next(claim for claim in claims if claim.delivery_id == room.sending)
    with writing(hub.engine) as session:
        assert isinstance(begun, Claim)
        delivering.open_attempt(session, begun, at=room.clock(), patience=hub.patience)
    assert (room.state(room.claimed), room.state(room.sending)) == ("claimed", "sending")


def _row(session: Any, table: Table) -> dict[str, Any]:
    """One row for any table, pointing at rows that are there."""
    row = {}
    for column in table.columns:
        if column.foreign_keys:
            row[column.name] = session.connection().execute(select(next(iter(column.foreign_keys)).column)).scalar()
        elif column is not table.autoincrement_column:
            row[column.name] = _value(column.type)
    return row


def _value(kind: Any) -> Any:
    """A value of a type, chosen to be easily spoiled."""
    match kind:
        case Enum():
            return next(iter(kind.enum_class or ()))
        case JSON():
            return ODD_DOCUMENTS["nested"]
        case Moment():
            return ODD_MOMENT
        case Date():
            return date(2026, 2, 28)
        case Boolean():
            return True
        case Integer():
            return 2_000_000_000
        case Float():
            return 0.1 + 0.2
        case LargeBinary():
            return EVERY_BYTE
        case _:
            return ODD_TEXT[: kind.length or 100]
