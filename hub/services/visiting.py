"""Coming in through the browser: sessions that end, and single-use links to choose a password."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, func, select

from hub.domain.audit import note
from hub.domain.errors import NotAllowed, NotFound, NotSignedIn, WrongState
from hub.domain.person import Actor, HeldRole, Person, Role
from hub.domain.sign_in import INVITATION_LASTS, LONGEST, RESET_LASTS, Purpose, SecondFactor, SignIn, Ticket
from hub.domain.table import by_letters
from hub.language import _
from hub.services import geotargeting, joining

SEEN_STEP: Final = timedelta(minutes=1)
"""The last use of a session is kept that exactly: not each page is worth a write."""

MOST_RESETS: Final = 3
"""Links that one person is mailed while each of them is good: whoever asks for more fills nobody's mailbox."""


class Owed(StrEnum):
    """What a session still has to show before it opens anything."""

    NOTHING = "nothing"
    CODE = "code"
    """A code of the authenticator."""
    SETUP = "setup"
    """An authenticator, which was agreed on for this role."""


@dataclass(frozen=True)
class Entered:
    """A session that holds, and who is behind it."""

    sign_in_id: int
    actor: Actor
    owed: Owed
    stale: bool
    """Its last use is worth noting."""


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


# --- Sessions ---------------------------------------------------------------------------------------------


def enter(session: Session, person_id: int, *, device: str, at: datetime) -> str:
    """Open a session for somebody who showed their password; its cookie is told this once.

    What ended long ago, of anybody, is forgotten on the way.
    """
    sweep(session, at=at)
    person = joining.get_person(session, person_id, lock=True)
    plain = secrets.token_urlsafe(32)
    session.add(
        SignIn(
            person_id=person_id,
            hash=_digest(plain),
            device=device[:100],
            created_at=at,
            seen_at=at,
            ends_at=at + LONGEST,
        )
    )
    person.last_sign_in_at = at
    session.add(person)
    session.flush()
    note(session, "session.open", f"person:{person_id}", by=joining.actor_for(session, person_id), at=at)
    return plain


def entered(session: Session, plain: str, *, at: datetime) -> Entered:
    """Who holds this cookie; NotSignedIn when the session has ended, or its holder was shut out. Only reads.

    Every page asks this first, so one query reads what could take four: a row for each role of the person.
    """
    query = (
        select(SignIn, Person, SecondFactor, Role)
        .join(Person, col(Person.id) == col(SignIn.person_id))
        .outerjoin(SecondFactor, col(SecondFactor.person_id) == col(SignIn.person_id))
        .outerjoin(Role, col(Role.person_id) == col(SignIn.person_id))
        .where(SignIn.hash == _digest(plain))
        .order_by(by_letters(col(Role.kind)), by_letters(col(Role.territory_code)))
    )
    rows = session.exec(query).all()
    sign_in, person, factor, _role = rows[0] if rows else (None, None, None, None)
    if sign_in is None or person is None or not sign_in.holds(at) or person.disabled_at is not None:
        raise NotSignedIn(_("Your session has ended. Please sign in again."))
    assert sign_in.id is not None
    roles = tuple(HeldRole(role.kind, role.territory_code) for *_rest, role in rows if role is not None)
    actor = Actor(id=sign_in.person_id, email=person.email, name=person.name, roles=roles)
    return Entered(sign_in.id, actor, _owed(session, sign_in, factor, actor), at - sign_in.seen_at >= SEEN_STEP)


def _owed(session: Session, sign_in: SignIn, factor: SecondFactor | None, actor: Actor) -> Owed:
    if factor is not None and factor.confirmed_at is not None:
        return Owed.NOTHING if sign_in.second_factor_at is not None else Owed.CODE
    return Owed.SETUP if joining.must_have_factor(session, actor) else Owed.NOTHING


def note_use(session: Session, sign_in_id: int, *, at: datetime) -> None:
    """Remember that a session was used, to the minute."""
    known = session.get(SignIn, sign_in_id)
    if known is not None:
        known.seen_at = max(known.seen_at, at)
        session.add(known)


def let_in(session: Session, sign_in_id: int, *, by: Actor, at: datetime) -> str:
    """Note that the second factor was shown; the session goes on under a new cookie, told this once."""
    known = session.get(SignIn, sign_in_id, with_for_update=True)
    if known is None or known.person_id != by.id or not known.holds(at):
        raise NotSignedIn(_("Your session has ended. Please sign in again."))
    plain = secrets.token_urlsafe(32)
    known.hash, known.second_factor_at = _digest(plain), at
    session.add(known)
    return plain


def list_open(session: Session, person_id: int, *, at: datetime) -> list[SignIn]:
    """The sessions of a person that still open something, the newest use first."""
    query = select(SignIn).where(SignIn.person_id == person_id, col(SignIn.ended_at).is_(None), SignIn.ends_at > at)
    return [one for one in session.exec(query.order_by(col(SignIn.seen_at).desc())) if one.holds(at)]


def leave(session: Session, sign_in_id: int, *, by: Actor, at: datetime) -> None:
    """End one of one's own sessions; those of others are NotFound."""
    known = session.get(SignIn, sign_in_id)
    if known is None or known.person_id != by.id:
        raise NotFound(_("There is no such session."))
    if known.ended_at is None:
        known.ended_at = at
        session.add(known)
        note(session, "session.end", f"person:{by.id}", by=by, at=at)


def leave_others(session: Session, sign_in_id: int, *, by: Actor, at: datetime) -> int:
    """End all of one's own sessions but this one; return how many ended."""
    ended = joining.end_sessions(session, by.id, at=at, but=sign_in_id)
    if ended:
        note(session, "session.end-others", f"person:{by.id}", by=by, at=at, after={"ended": ended})
    return ended


def change_password(session: Session, sign_in_id: int, *, password_hash: str, by: Actor, at: datetime) -> str:
    """Keep one's new password; every session and token ends, and this one goes on under a new cookie, told this once.

    The old password was shown just before, outside the transaction (`joining.sign_in`).
    """
    joining.get_person(session, by.id, lock=True)  # whoever ends sessions does so before, or after
    known = session.get(SignIn, sign_in_id, with_for_update=True)
    if known is None or known.person_id != by.id or not known.holds(at):
        raise NotSignedIn(_("Your session has ended. Please sign in again."))
    joining.set_password(session, by.id, password_hash=password_hash, by=by, at=at)
    plain = secrets.token_urlsafe(32)
    known.hash, known.ended_at = _digest(plain), None
    session.add(known)
    return plain


def sweep(session: Session, *, at: datetime) -> int:
    """Forget sessions and links that ended long ago; return how many."""
    before = at - timedelta(days=30)
    ended = select(SignIn).where(SignIn.ends_at < before).limit(500).with_for_update(skip_locked=True)
    lapsed = select(Ticket).where(Ticket.expires_at < before).limit(500).with_for_update(skip_locked=True)
    old_sessions, old_tickets = session.exec(ended).all(), session.exec(lapsed).all()
    for one in (*old_sessions, *old_tickets):
        session.delete(one)
    return len(old_sessions) + len(old_tickets)


# --- Single-use links -------------------------------------------------------------------------------------


def invite(session: Session, *, email: str, name: str, by: Actor | str, at: datetime) -> tuple[Person, str]:
    """Add a person without a password, and make the link by which they choose one."""
    person = joining.add_person(session, email=email, name=name, by=by, at=at)
    assert person.id is not None
    return person, make_ticket(session, person.id, Purpose.INVITATION, by=by, at=at)


def make_ticket(session: Session, person_id: int, purpose: Purpose, *, by: Actor | str, at: datetime) -> str:
    """A single-use link of a person, told this once; an earlier one of the same kind is good no more.

    An administrator makes it for others; the person's own wish (`by` their address) needs no role.
    """
    person = joining.get_person(session, person_id, lock=True)
    if isinstance(by, Actor) and by.id == person_id:
        # Their present password is asked for there: a session that somebody left open is no way to a new one.
        raise NotAllowed(_("Change your own password on the page of your account."))
    if isinstance(by, Actor):
        joining.require_keeper_of(session, person_id, by)
    if person.disabled_at is not None:
        raise WrongState(_("{email} is disabled. Enable the account first.", email=person.email))
    unused = select(Ticket).where(
        Ticket.person_id == person_id, Ticket.purpose == purpose, col(Ticket.used_at).is_(None)
    )
    for old in session.exec(unused.order_by(col(Ticket.id)).with_for_update()):
        old.used_at = at
    plain = secrets.token_urlsafe(24)
    lasts = INVITATION_LASTS if purpose is Purpose.INVITATION else RESET_LASTS
    ticket = Ticket(person_id=person_id, purpose=purpose, hash=_digest(plain), created_at=at, expires_at=at + lasts)
    session.add(ticket)
    session.flush()
    note(session, f"ticket.{purpose.value}", f"person:{person_id}", by=by, at=at)
    return plain


def ask_reset(session: Session, email: str, *, at: datetime) -> tuple[Person, str] | None:
    """A reset link for whoever forgot their password; None for an address that nobody here has, or too many asked.

    Of several, the last one is good, and as long as no more are sent it still is.
    """
    wanted = email.strip().casefold()
    query = select(Person).where(Person.email == wanted).with_for_update(key_share=True)
    person = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if person is None or person.id is None or person.disabled_at is not None:
        return None
    lately = select(func.count()).where(
        Ticket.person_id == person.id, Ticket.purpose == Purpose.RESET, Ticket.created_at > at - RESET_LASTS
    )
    if session.exec(lately).one() >= MOST_RESETS:
        return None
    return person, make_ticket(session, person.id, Purpose.RESET, by=person.email, at=at)


def ticket_of(session: Session, plain: str, *, at: datetime, lock: bool = False) -> tuple[Ticket, Person]:
    """A link that is still good, and whose it is; NotFound otherwise, with what to do."""
    ticket = session.exec(select(Ticket).where(Ticket.hash == _digest(plain))).one_or_none()
    if ticket is not None and lock:
        # Of two who use it at once, the second one finds it used. The person first, as whoever makes links does.
        joining.get_person(session, ticket.person_id, lock=True)
        session.refresh(ticket, with_for_update=True)
    if ticket is not None and ticket.used_at is None and ticket.expires_at > at:
        person = joining.get_person(session, ticket.person_id)
        if person.disabled_at is None:
            return ticket, person
    raise NotFound(
        _(
            "This link has been used already, or is too old. Ask for a new one with “Forgotten password”, "
            "or ask whoever invited you."
        )
    )


def use_ticket(session: Session, plain: str, *, password_hash: str, at: datetime) -> int:
    """Set the password that somebody chose by their link, once; return whose it is. Sessions and tokens end."""
    ticket, person = ticket_of(session, plain, at=at, lock=True)
    assert person.id is not None
    ticket.used_at = at
    session.add(ticket)
    joining.set_password(session, person.id, password_hash=password_hash, by=person.email, at=at)
    return person.id


def home_zone(session: Session, actor: Actor) -> str:
    """The zone that a person lives by: that of their first territory; without one, Paris."""
    codes = actor.territories()
    land = geotargeting.atlas(session, codes[:1])
    return land.zone(codes[0]) if codes and codes[0] in land else "Europe/Paris"
