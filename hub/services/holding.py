"""The emergency stop: while it is on, nothing is claimed for publishing."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from hub.database import due_now, in_turn
from hub.domain.audit import note
from hub.domain.delivery import Hold, Patience
from hub.domain.errors import Invalid, NotAllowed, WrongState
from hub.domain.person import ACCOUNT_KEEPERS, Actor
from hub.domain.territory import COUNTRY
from hub.language import _
from hub.services import delivering, geotargeting, moving, reconciling


def hold(session: Session, *, reason: str, by: Actor | str, at: datetime) -> Hold:
    """Stop everything, at once; calls that have left already are read back as usual."""
    _require_keeper(session, by)
    if not reason.strip():
        raise Invalid(_("Say why: the next person will want to know."), field="reason")
    in_turn(session, "hold")
    present = delivering.open_hold(session)
    if present is not None:
        raise WrongState(_("Everything is stopped already: {reason}", reason=present.reason))
    stop = Hold(since=at, reason=reason.strip(), by_name=by.name if isinstance(by, Actor) else by)
    session.add(stop)
    session.flush()
    note(session, "hold.on", f"hold:{stop.id}", by=by, at=at, after={"reason": stop.reason})
    return stop


def release(session: Session, *, by: Actor | str, at: datetime, reason: str = "") -> Hold:
    """Let everything go on; what is too late by now goes to a person, not out."""
    _require_keeper(session, by)
    in_turn(session, "hold")
    stop = delivering.open_hold(session)
    if stop is None:
        raise WrongState(_("Nothing is stopped."))
    stop.until = at
    session.add(stop)
    due_now(session)
    after = {"reason": reason.strip() or None}
    note(session, "hold.off", f"hold:{stop.id}", by=by, at=at, before={"reason": stop.reason}, after=after)
    return stop


def restored(session: Session, *, backup_from: datetime, by: Actor | str, at: datetime, patience: Patience) -> int:
    """Begin again after a restore, on hold: what may have gone out since the backup is read back first.

    A hub that comes back from another database begins like that too: what stayed here is a backup of that moment.
    """
    _require_keeper(session, by)
    if backup_from > at:
        raise Invalid(_("The backup cannot be from the future."), field="backup_from")
    in_turn(session, "hold")
    moving.come_back(session, by=by, at=at, backup_from=backup_from)
    if delivering.open_hold(session) is None:
        hold(session, reason=_("Restored from a backup"), by=by, at=at)
    number = reconciling.doubt(session, backup_from=backup_from - patience.look_back, at=at)
    after = {"backup_from": backup_from.isoformat(), "deliveries": number}
    note(session, "hold.restored", "hold:restored", by=by, at=at, after=after)
    return number


def _require_keeper(session: Session, by: Actor | str) -> None:
    if isinstance(by, Actor) and not by.holds_for_all(geotargeting.atlas(session), ACCOUNT_KEEPERS, [COUNTRY]):
        raise NotAllowed(_("Only a coordinator or an administrator for the whole country may do this."))
