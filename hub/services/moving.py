"""A hub that moved to another database: the mark it leaves behind, by which the old one refuses to go on by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col, select

from hub.domain.audit import AuditEntry, note
from hub.domain.delivery import Hold
from hub.domain.errors import Invalid, WrongState
from hub.domain.person import Actor
from hub.language import _
from hub.services import delivering

LEFT: Final = "hub.leave"
"""Noted in the database that a hub leaves: as long as it is the last word on moving, nobody publishes from here."""

CAME_BACK: Final = "hub.come-back"
ARRIVED: Final = "hub.arrive"
"""Noted in the database that a hub moved to, with the name of the copy."""


@dataclass(frozen=True)
class Move:
    """That this hub went elsewhere: when, where to, and what that left behind here."""

    copy: str
    """The name of the copy, the same on both sides."""
    to: str
    """The address of the new database, without a password."""
    at: datetime
    entry_id: int
    hold_id: int | None
    """The hold that came with it; None when everything was on hold already."""


def find_move(session: Session) -> Move | None:
    """Where this hub moved to, if it did and has not come back."""
    moves = select(AuditEntry).where(col(AuditEntry.action).in_([LEFT, CAME_BACK]))
    last = session.exec(moves.order_by(col(AuditEntry.id).desc()).limit(1)).first()
    if last is None or last.action != LEFT:
        return None
    assert last.id is not None
    told = last.after or {}
    return Move(last.thing.removeprefix("copy:"), told["to"], last.at, last.id, told["hold"])


def require_here(session: Session) -> None:
    """Raise WrongState when this hub moved elsewhere: two that publish the same deliveries would say everything twice."""  # noqa: E501
    move = find_move(session)
    if move is not None:
        raise WrongState(gone(move))


def gone(move: Move) -> str:
    """That this hub is elsewhere now, and the way there and back."""
    return _(
        "This hub moved to {to} on {day}: set RELAIS_DATABASE_URL to it. To come back to the database here, stop "
        "every Relais there first, then run “relais hold restored {moment}”.",
        to=move.to,
        day=move.at.date().isoformat(),
        moment=moment_of(move),
    )


def moment_of(move: Move) -> str:
    """When it moved, as `relais hold restored` takes it."""
    return move.at.strftime("%Y-%m-%dT%H:%MZ")


def leave(session: Session, copy: str, *, to: str, by: Actor | str, at: datetime) -> Move:
    """Mark this hub as moved, and hold it: a program that does not know the mark claims nothing either."""
    hold_id = None
    if delivering.open_hold(session) is None:
        stop = Hold(since=at, reason=_("Moved to {to}", to=to), by_name=by.name if isinstance(by, Actor) else by)
        session.add(stop)
        session.flush()
        hold_id = stop.id
    note(session, LEFT, f"copy:{copy}", by=by, at=at, after={"to": to, "hold": hold_id})
    session.flush()
    move = find_move(session)
    assert move is not None
    return move


def come_back(session: Session, *, backup_from: datetime, by: Actor | str, at: datetime) -> bool:
    """Take the mark away, and the hold that came with it; whether there was one.

    Invalid when all that may have gone out there would not be looked for.
    """
    move = find_move(session)
    if move is None:
        return False
    if backup_from > move.at:
        raise Invalid(
            _(
                "This hub moved away on {moment}: what went out since is not known here. Say “relais hold restored "
                "{moment}”.",
                moment=moment_of(move),
            ),
            field="backup_from",
        )
    if move.hold_id is not None:
        stop = session.get(Hold, move.hold_id)
        if stop is not None and stop.until is None:
            stop.until = at
            session.add(stop)
    note(session, CAME_BACK, f"copy:{move.copy}", by=by, at=at, before={"to": move.to})
    session.flush()
    return True


def arrive(session: Session, copy: str, *, rows: int, by: Actor | str, at: datetime) -> None:
    """Note in the new database which copy it is."""
    note(session, ARRIVED, f"copy:{copy}", by=by, at=at, after={"rows": rows})
    session.flush()


def has_arrived(session: Session, copy: str) -> bool:
    """Whether this database is that copy, as a whole."""
    return session.exec(select(AuditEntry.id).where(_arrival(copy))).first() is not None


def traces_here(move: Move | None) -> Mapping[str, ColumnElement[bool]]:
    """What moving itself left in the old database, by table: no part of the hub, so neither copied nor compared."""
    if move is None:
        return {}
    own: dict[str, ColumnElement[bool]] = {"auditentry": col(AuditEntry.id) == move.entry_id}
    if move.hold_id is not None:
        own["hold"] = col(Hold.id) == move.hold_id
    return own


def traces_there(copy: str) -> Mapping[str, ColumnElement[bool]]:
    """The same of the new one."""
    return {"auditentry": _arrival(copy)}


def _arrival(copy: str) -> ColumnElement[bool]:
    return and_(col(AuditEntry.action) == ARRIVED, col(AuditEntry.thing) == f"copy:{copy}")
