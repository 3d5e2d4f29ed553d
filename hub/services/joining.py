"""People: invite, sign in, hand out tokens, change roles."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from hub import passwords
from hub.database import in_turn, reading, writing
from hub.domain.audit import CLOCK, note
from hub.domain.errors import Invalid, NotAllowed, NotFound, NotSignedIn, WrongState
from hub.domain.person import ACCOUNT_KEEPERS, Actor, HeldRole, Person, Role, RoleKind, Scope, Token
from hub.domain.policy import Policies, Policy
from hub.domain.sign_in import Purpose, SecondFactor, SignIn, Ticket
from hub.domain.table import by_letters
from hub.domain.territory import Atlas, Level, Territory
from hub.language import N_, _
from hub.services import geotargeting

FREE_TRIES: Final = 5
"""Wrong passwords in a row before an account has to wait."""

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)

ROLE_NAMES: Final[Mapping[RoleKind, str]] = {
    RoleKind.ANIMATOR: N_("animator"),
    RoleKind.COORDINATOR: N_("coordinator"),
    RoleKind.ANALYST: N_("analyst"),
    RoleKind.ADMINISTRATOR: N_("administrator"),
}

TOKEN_PREFIX: Final = "relais_"  # noqa: S105 - what every token begins with, so that scanners for leaks find it

TOKEN_LASTS: Final = timedelta(days=90)
"""A token ends, so that one that leaked is not good for ever."""

USE_STEP: Final = timedelta(hours=1)
"""The last use of a token is kept that exactly: not each request is worth a write."""


# --- Who somebody is ------------------------------------------------------------------------------------


def get_person(session: Session, person_id: int, *, lock: bool = False) -> Person:
    """The person with this id, or NotFound."""
    query = select(Person).where(Person.id == person_id)
    if lock:  # what another transaction changed meanwhile is read again
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    person = session.exec(query).one_or_none()
    if person is None:
        raise NotFound(_("There is no person {ref}.", ref=person_id))
    return person


def person_by_email(session: Session, email: str) -> Person:
    """The person with this address, or NotFound with the nearest one."""
    wanted = email.strip().casefold()
    person = session.exec(select(Person).where(Person.email == wanted)).one_or_none()
    if person is not None:
        return person
    near = get_close_matches(wanted, session.exec(select(Person.email)).all(), n=1, cutoff=0.7)
    hint = _("Did you mean {name}?", name=near[0]) if near else _("“relais user list” shows everybody.")
    raise NotFound(_("There is no person {ref}.", ref=email) + " " + hint)


def list_people(session: Session) -> list[tuple[Person, list[HeldRole]]]:
    """Everybody with their roles, by address."""
    held: dict[int, list[HeldRole]] = {}
    for role in session.exec(select(Role).order_by(by_letters(col(Role.kind)), by_letters(col(Role.territory_code)))):
        held.setdefault(role.person_id, []).append(HeldRole(role.kind, role.territory_code))
    return [
        (one, held.get(one.id or 0, [])) for one in session.exec(select(Person).order_by(by_letters(col(Person.email))))
    ]


def actor_for(session: Session, person_id: int) -> Actor:
    """That person with the roles of this moment; NotSignedIn when unknown or disabled."""
    person = session.get(Person, person_id)
    if person is None or person.id is None or person.disabled_at is not None:
        raise NotSignedIn(_("Please sign in."))
    roles = list_roles(session, person.id)
    return Actor(id=person.id, email=person.email, name=person.name, roles=tuple(roles))


def list_roles(session: Session, person_id: int) -> list[HeldRole]:
    """The roles of a person, disabled or not."""
    query = (
        select(Role)
        .where(Role.person_id == person_id)
        .order_by(by_letters(col(Role.kind)), by_letters(col(Role.territory_code)))
    )
    return [HeldRole(role.kind, role.territory_code) for role in session.exec(query)]


# --- Who may change people ------------------------------------------------------------------------------


def require_people_keeper(actor: Actor, atlas: Atlas, codes: Iterable[str]) -> None:
    """Raise NotAllowed unless the actor is administrator for the whole of these territories (for none: anywhere)."""
    wanted = list(codes)
    if not actor.territories({RoleKind.ADMINISTRATOR}) or (
        wanted and not actor.holds_for_all(atlas, {RoleKind.ADMINISTRATOR}, wanted)
    ):
        raise NotAllowed(_("Only an administrator for the whole territory may do this."))


def require_keeper_of(session: Session, person_id: int, by: Actor | str) -> None:
    """Raise NotAllowed unless `by` keeps this person: an operator, or an administrator for all that they hold."""
    if isinstance(by, Actor):
        codes = [role.territory_code for role in list_roles(session, person_id)]
        require_people_keeper(by, geotargeting.atlas(session, codes), codes)


def _as_of_now(session: Session, by: Actor | str) -> Actor | str:
    """Who acts, with the rights of this moment: of two who shut each other out at once, the second is out already."""
    in_turn(session, "people")
    if isinstance(by, str):
        return by
    session.get(Person, by.id, populate_existing=True)
    return actor_for(session, by.id)


def _require_self_or_keeper(session: Session, person_id: int, by: Actor | str) -> None:
    if not (isinstance(by, Actor) and by.id == person_id):
        require_keeper_of(session, person_id, by)


# --- Coming, changing, leaving --------------------------------------------------------------------------


def add_person(
    session: Session, *, email: str, name: str, at: datetime, by: Actor | str, password_hash: str | None = None
) -> Person:
    """Add a person without any role; the hash comes from `passwords.hashed`, made before the transaction."""
    if isinstance(by, Actor):
        require_people_keeper(by, geotargeting.atlas(session, []), [])
    address, called = _checked_email(email), name.strip()
    if not called or len(called) > 200 or not called.isprintable():
        raise Invalid(_("Give the person's name, in at most 200 characters."), field="name")
    in_turn(session, "people")
    if session.exec(select(Person).where(Person.email == address)).one_or_none() is not None:
        raise Invalid(_("{email} is here already.", email=address), field="email")
    person = Person(email=address, name=called, password_hash=password_hash, created_at=at)
    session.add(person)
    session.flush()
    after = {"email": address, "name": called, "password": password_hash is not None}
    note(session, "person.add", f"person:{person.id}", by=by, at=at, after=after)
    return person


def _checked_email(email: str) -> str:
    try:
        found = validate_email(email.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Invalid(
            _("“{email}” is not an e-mail address: use a form such as name@example.org.", email=email), field="email"
        ) from error
    return found.normalized.casefold()


def set_password(session: Session, person_id: int, *, password_hash: str, by: Actor | str, at: datetime) -> None:
    """Give a person a new password, already checked (`passwords.require_good`) and hashed; waits are over."""
    person = get_person(session, person_id, lock=True)
    _require_self_or_keeper(session, person_id, by)
    person.password_hash, person.failures, person.wait_until = password_hash, 0, None
    session.add(person)
    # Whoever knew the old password may hold a token made with it.
    _revoke_all(session, person_id, at=at)
    note(session, "person.password", f"person:{person_id}", by=by, at=at)


def give_role(
    session: Session, person_id: int, kind: RoleKind, territory_code: str, *, by: Actor | str, at: datetime
) -> None:
    """Let a person hold a role for a territory; holding it already changes nothing."""
    person = get_person(session, person_id, lock=True)
    _require_territory_for_role(session, territory_code)
    if isinstance(by, Actor):
        require_people_keeper(by, geotargeting.atlas(session, [territory_code]), [territory_code])
    if _find_role(session, person_id, kind, territory_code) is not None:
        return
    session.add(Role(person_id=person_id, kind=kind, territory_code=territory_code))
    session.flush()
    # What a session or a link may do is never more than what was agreed to when it began.
    end_sessions(session, person_id, at=at)
    _end_links(session, person_id, {Purpose.RESET}, at=at)
    after = {"role": kind.value, "territory": territory_code, "email": person.email}
    note(session, "role.give", f"person:{person_id}", by=by, at=at, after=after)


def take_role(
    session: Session, person_id: int, kind: RoleKind, territory_code: str, *, by: Actor | str, at: datetime
) -> None:
    """Take a role away; NotFound when the person does not hold it."""
    by = _as_of_now(session, by)
    person = get_person(session, person_id, lock=True)
    if isinstance(by, Actor):
        require_people_keeper(by, geotargeting.atlas(session, [territory_code]), [territory_code])
    role = _find_role(session, person_id, kind, territory_code)
    if role is None:
        raise NotFound(
            _("{name} is not {role} for {code}.", name=person.name, role=_(ROLE_NAMES[kind]), code=territory_code)
        )
    session.delete(role)
    end_sessions(session, person_id, at=at)
    before = {"role": kind.value, "territory": territory_code, "email": person.email}
    note(session, "role.take", f"person:{person_id}", by=by, at=at, before=before)


def _find_role(session: Session, person_id: int, kind: RoleKind, territory_code: str) -> Role | None:
    query = select(Role).where(Role.person_id == person_id, Role.kind == kind, Role.territory_code == territory_code)
    return session.exec(query).one_or_none()


def _require_territory_for_role(session: Session, code: str) -> None:
    territory = session.get(Territory, code)
    if territory is None:
        raise NotFound(_("There is no territory {code}. “relais territory find” gives the codes.", code=code))
    if territory.level is Level.COMMUNE:
        raise Invalid(_("A role is held for a département or something larger, not for a commune."), field="territory")


def disable(session: Session, person_id: int, *, by: Actor | str, at: datetime) -> None:
    """Shut a person out: no sign-in, no session, and their tokens are revoked for good."""
    by = _as_of_now(session, by)
    person = get_person(session, person_id, lock=True)
    require_keeper_of(session, person_id, by)
    if person.disabled_at is not None:
        raise WrongState(_("{email} is disabled already.", email=person.email))
    person.disabled_at = at
    session.add(person)
    revoked = _revoke_all(session, person_id, at=at)
    note(session, "person.disable", f"person:{person_id}", by=by, at=at, after={"tokens_revoked": revoked})


def end_sessions(session: Session, person_id: int, *, at: datetime, but: int | None = None) -> int:
    """End every session of a person, except one; return how many ended."""
    query = select(SignIn).where(SignIn.person_id == person_id, col(SignIn.ended_at).is_(None))
    live = [one for one in session.exec(query.order_by(col(SignIn.id)).with_for_update()) if one.id != but]
    for one in live:
        one.ended_at = at
        session.add(one)
    return len(live)


def _end_links(session: Session, person_id: int, purposes: Collection[Purpose], *, at: datetime) -> None:
    wanted = col(Ticket.purpose).in_(sorted(purposes))
    open_yet = select(Ticket).where(Ticket.person_id == person_id, wanted, col(Ticket.used_at).is_(None))
    for link in session.exec(open_yet.order_by(col(Ticket.id)).with_for_update()):
        link.used_at = at
        session.add(link)


def _revoke_all(session: Session, person_id: int, *, at: datetime) -> int:
    """End everything that opens something: sessions, links to choose a password, tokens; return how many of those."""
    end_sessions(session, person_id, at=at)
    _end_links(session, person_id, set(Purpose), at=at)
    live = session.exec(select(Token).where(Token.person_id == person_id, col(Token.revoked_at).is_(None))).all()
    for token in live:
        token.revoked_at = at
        session.add(token)
    return len(live)


def enable(session: Session, person_id: int, *, by: Actor | str, at: datetime) -> None:
    """Let a disabled person in again; their old tokens stay revoked."""
    person = get_person(session, person_id, lock=True)
    require_keeper_of(session, person_id, by)
    if person.disabled_at is None:
        raise WrongState(_("{email} is not disabled.", email=person.email))
    person.disabled_at = None
    session.add(person)
    note(session, "person.enable", f"person:{person_id}", by=by, at=at)


# --- Tokens ---------------------------------------------------------------------------------------------


def make_token(
    session: Session,
    person_id: int,
    name: str,
    *,
    by: Actor | str,
    at: datetime,
    lasts: timedelta = TOKEN_LASTS,
    scope: Scope = Scope.API,
) -> str:
    """A new named token of a person, told this once: only its hash is kept, it opens one thing, and it ends."""
    person = get_person(session, person_id, lock=True)  # or it might be shut out, with all its tokens, meanwhile
    _require_self_or_keeper(session, person_id, by)
    if person.disabled_at is not None:
        raise WrongState(_("{email} is disabled already.", email=person.email))
    called = name.strip()
    if not called or len(called) > 100 or not called.isprintable():
        raise Invalid(_("Give the token a name that tells what it is for, in at most 100 characters."), field="name")
    plain = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(
        person_id=person_id, name=called, hash=_digest(plain), scope=scope, created_at=at, expires_at=at + lasts
    )
    session.add(token)
    session.flush()
    after = {"person": person.email, "name": called, "scope": scope.value}
    note(session, "token.make", f"token:{token.id}", by=by, at=at, after=after)
    return plain


def revoke_token(session: Session, token_id: int, *, by: Actor | str, at: datetime) -> None:
    """End a token at once; ending it twice changes nothing. Other people's tokens are NotFound."""
    token = session.get(Token, token_id)
    unknown = NotFound(_("There is no token {ref}.", ref=token_id))
    if token is None:
        raise unknown
    try:
        _require_self_or_keeper(session, token.person_id, by)
    except NotAllowed as error:
        raise unknown from error
    if token.revoked_at is not None:
        return
    token.revoked_at = at
    session.add(token)
    note(session, "token.revoke", f"token:{token_id}", by=by, at=at, before={"name": token.name})


def give_up_token(session: Session, plain: str, *, by: Actor | str, at: datetime) -> None:
    """End the very token that somebody signs in with."""
    token = _find_token(session, plain)
    if token is not None and token.id is not None:
        revoke_token(session, token.id, by=by, at=at)


def list_tokens(session: Session, person_id: int) -> list[Token]:
    """The tokens of a person, the revoked ones too, oldest first."""
    return list(session.exec(select(Token).where(Token.person_id == person_id).order_by(col(Token.id))))


def actor_for_token(session: Session, token: str, at: datetime, *, scope: Scope = Scope.API) -> Actor:
    """Who holds this token; NotSignedIn when it is unknown, revoked or for something else, or its holder disabled.

    NotAllowed where the holder must have a second factor and has none: a token opens no more than a session does.
    Only reads.
    """
    known = _find_token(session, token)
    if known is None or known.scope is not scope or (known.revoked_at is not None and known.revoked_at <= at):
        raise NotSignedIn(_("This token is not known here, or was revoked. “relais login” makes a new one."))
    if known.expires_at <= at:
        raise NotSignedIn(_("This token has ended. “relais login” makes a new one."))
    actor = actor_for(session, known.person_id)
    if scope is Scope.API and must_have_factor(session, actor) and not _has_factor(session, actor.id):
        raise NotAllowed(_("Your role asks for a second factor. Sign in with a browser first, and set it up there."))
    return actor


def must_have_factor(session: Session, actor: Actor) -> bool:
    """Whether it was agreed that somebody with these roles has a second factor."""
    if not actor.territories(ACCOUNT_KEEPERS):
        return False
    agreed = session.get(Policy, "second_factor")
    return bool(agreed.value) if agreed is not None else Policies().second_factor


def _has_factor(session: Session, person_id: int) -> bool:
    factor = session.get(SecondFactor, person_id)
    return factor is not None and factor.confirmed_at is not None


def note_token_use(session: Session, token: str, at: datetime) -> None:
    """Remember that a token was used, to the hour."""
    known = _find_token(session, token)
    if known is not None and _use_is_news(known, at):
        known.last_used_at = at
        session.add(known)


def _use_is_news(token: Token | None, at: datetime) -> bool:
    return token is not None and (token.last_used_at is None or at - token.last_used_at >= USE_STEP)


def _find_token(session: Session, token: str) -> Token | None:
    if not token.startswith(TOKEN_PREFIX):
        return None
    return session.exec(select(Token).where(Token.hash == _digest(token))).one_or_none()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# --- Signing in -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Challenge:
    """What the password is compared with; `known_hash` None where nothing can be right (checking takes as long)."""

    person_id: int | None
    known_hash: str | None


def begin_sign_in(session: Session, email: str, *, at: datetime) -> Challenge:
    """Step 1, in a writing session: count the try before it is made, so that many at once gain nothing.

    An unknown, disabled, invited or waiting person gets a challenge that no password answers.
    """
    query = select(Person).where(Person.email == email.strip().casefold()).with_for_update(key_share=True)
    person = session.exec(query.execution_options(populate_existing=True)).one_or_none()
    if person is None or person.password_hash is None or person.disabled_at is not None:
        return Challenge(None, None)
    if person.wait_until is not None and at < person.wait_until:
        return Challenge(None, None)
    person.failures += 1
    if person.failures >= FREE_TRIES:
        person.wait_until = at + min(FIRST_WAIT * 2 ** min(person.failures - FREE_TRIES, 10), LONGEST_WAIT)
    session.add(person)
    return Challenge(person.id, person.password_hash)


def end_sign_in(
    session: Session, challenge: Challenge, *, good: bool, at: datetime, new_hash: str | None = None
) -> Actor | None:
    """Step 3, in a writing session: the actor after a right password, else None (then refuse with `refusal`).

    None rather than an error: what was noted must be kept. Step 2, `passwords.check`, is outside any transaction.
    """
    if challenge.person_id is None:
        return None
    person = get_person(session, challenge.person_id, lock=True)
    if not good:
        if person.failures == FREE_TRIES:
            after = {"failures": person.failures}
            note(session, "person.throttle", f"person:{person.id}", by=CLOCK, at=at, after=after)
        return None
    if person.disabled_at is not None or person.password_hash != challenge.known_hash:
        return None  # shut out, or given another password, while this one was being checked
    person.failures, person.wait_until = 0, None
    if new_hash is not None:
        person.password_hash = new_hash
    session.add(person)
    return actor_for(session, challenge.person_id)


def refusal() -> NotSignedIn:
    """The one answer to every sign-in that fails, so that nobody learns who is known here."""
    return NotSignedIn(
        _("Wrong e-mail address or password. After five wrong tries, wait for up to 15 minutes before the next one.")
    )


def sign_in(engine: Engine, email: str, password: str, *, at: datetime) -> Actor:
    """Who these words belong to; NotSignedIn, always the same, otherwise. The slow check holds no transaction."""
    with writing(engine) as session:
        challenge = begin_sign_in(session, email, at=at)
    verdict = passwords.check(challenge.known_hash, password)
    new_hash = passwords.hashed(password) if verdict.good and verdict.stale else None
    with writing(engine) as session:
        actor = end_sign_in(session, challenge, good=verdict.good, at=at, new_hash=new_hash)
    if actor is None:
        raise refusal()
    return actor


def actor_by_token(engine: Engine, token: str, *, at: datetime, scope: Scope = Scope.API) -> Actor:
    """Who holds this token, with its use remembered; NotSignedIn otherwise."""
    with reading(engine) as session:
        actor = actor_for_token(session, token, at, scope=scope)
        worth_noting = _use_is_news(_find_token(session, token), at)
    if worth_noting:
        with writing(engine) as session:
            note_token_use(session, token, at)
    return actor
