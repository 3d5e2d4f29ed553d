"""The second factor: an authenticator's codes beside the password, and recovery codes for the day that it is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp
from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from hub.database import reading, writing
from hub.domain.audit import CLOCK, note
from hub.domain.errors import Busy, Invalid, NotAllowed, WrongState
from hub.domain.person import ACCOUNT_KEEPERS, Actor, Person, Role
from hub.domain.policy import Policies
from hub.domain.sign_in import RecoveryCode, SecondFactor
from hub.language import _
from hub.secrets import Vault
from hub.services import agreeing, joining
from hub.services.joining import FIRST_WAIT, FREE_TRIES, LONGEST_WAIT

ISSUER: Final = "Relais"
"""How an authenticator calls us."""

STEP: Final = 30
"""Seconds that a code is good for; the one before and the one after are taken too, since clocks differ."""

CODES: Final = 10
"""Recovery codes that a person gets."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Without the letters that are taken for others when written down by hand: i, l, o, u."""

_GROUPS: Final = 3
"""Groups of four: 60 random bits."""

_READ_AS: Final = str.maketrans("ilo", "110")


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator must be told, once: as an address for its camera, and in letters."""

    secret: str
    address: str


@dataclass(frozen=True)
class Standing:
    """How a person's second factor is."""

    on: bool
    since: datetime | None = None
    codes_left: int = 0


@dataclass(frozen=True)
class Proof:
    """What became of a code; not good: until when none is looked at; `recovered`: it was a recovery code."""

    good: bool
    wait_until: datetime | None = None
    recovered: bool = False
    codes_left: int = 0


# --- How it is ------------------------------------------------------------------------------------------


def required_for(actor: Actor, policies: Policies) -> bool:
    """Whether it was agreed that this person shows a second factor."""
    return policies.second_factor and bool(actor.territories(ACCOUNT_KEEPERS))


def standing(session: Session, person_id: int) -> Standing:
    """Whether a person's second factor is on, and how many recovery codes are left."""
    factor = session.get(SecondFactor, person_id)
    if factor is None or factor.confirmed_at is None:
        return Standing(on=False)
    return Standing(True, factor.confirmed_at, _codes_left(session, person_id))


def is_on(session: Session, person_id: int) -> bool:
    """Whether a person's second factor is on."""
    return standing(session, person_id).on


def is_begun(session: Session, person_id: int) -> bool:
    """Whether an authenticator waits for its first code."""
    factor = session.get(SecondFactor, person_id)
    return factor is not None and factor.confirmed_at is None


def without_factor(session: Session) -> tuple[int, int]:
    """How many coordinators and administrators have no second factor, of how many."""
    concerned = set(
        session.exec(
            select(Role.person_id)
            .join(Person, col(Person.id) == col(Role.person_id))
            .where(col(Role.kind).in_(ACCOUNT_KEEPERS), col(Person.disabled_at).is_(None))
        )
    )
    having = set(session.exec(select(SecondFactor.person_id).where(col(SecondFactor.confirmed_at).is_not(None))))
    return len(concerned - having), len(concerned)


def _codes_left(session: Session, person_id: int) -> int:
    query = select(func.count()).where(RecoveryCode.person_id == person_id, col(RecoveryCode.used_at).is_(None))
    return session.exec(query).one()


def _factor(session: Session, person_id: int) -> SecondFactor | None:
    query = select(SecondFactor).where(SecondFactor.person_id == person_id)
    # What another transaction changed meanwhile is read again: no code is good twice.
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


# --- Setting up -----------------------------------------------------------------------------------------


def begin(session: Session, vault: Vault, *, by: Actor, at: datetime) -> Enrolment:
    """A fresh secret for the authenticator of this person; it counts only once they showed a code of it."""
    joining.get_person(session, by.id, lock=True)  # there may be no factor to lock yet
    factor = _factor(session, by.id)
    if factor is not None and factor.confirmed_at is not None:
        raise WrongState(_("Your second factor is on already. To use another device, change the device."))
    secret = pyotp.random_base32()
    sealed = vault.seal_personal(by.id, {"totp": secret})
    if factor is None:
        factor = SecondFactor(person_id=by.id, secret=sealed, created_at=at)
    else:
        factor.secret, factor.created_at, factor.last_step = sealed, at, 0
    session.add(factor)
    session.flush()
    note(session, "factor.begin", f"person:{by.id}", by=by, at=at)
    return _enrolment(secret, by)


def pending(session: Session, vault: Vault, *, by: Actor) -> Enrolment | None:
    """The secret that waits for its first code; None when there is none."""
    factor = session.get(SecondFactor, by.id)
    if factor is None or factor.confirmed_at is not None:
        return None
    return _enrolment(_secret(vault, factor), by)


def _enrolment(secret: str, who: Actor) -> Enrolment:
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=who.email, issuer_name=ISSUER))


def _secret(vault: Vault, factor: SecondFactor) -> str:
    return vault.open_personal(factor.person_id, factor.secret)["totp"]


def confirm(session: Session, vault: Vault, code: str, *, by: Actor, at: datetime) -> tuple[Proof, list[str]]:
    """Put the authenticator in force if the code is one of it, with the recovery codes, told this once."""
    factor = _factor(session, by.id)
    if factor is None or factor.confirmed_at is not None:
        raise WrongState(_("There is no authenticator to confirm. Begin again."))
    proof = _tried(session, factor, lambda: _is_of_authenticator(vault, factor, code, at), at=at)
    if not proof.good:
        return proof, []
    factor.confirmed_at = at
    session.add(factor)
    note(session, "factor.confirm", f"person:{by.id}", by=by, at=at)
    return proof, _new_codes(session, by.id)


# --- Showing it -----------------------------------------------------------------------------------------


def check(session: Session, vault: Vault, code: str, *, by: Actor, at: datetime) -> Proof:
    """Whether this is a code of the person's authenticator that was never used, or one of their recovery codes.

    In a writing session that must be kept whatever comes of it: the try is counted. See `require_proof`.
    """
    factor = _factor(session, by.id)
    if factor is None or factor.confirmed_at is None:
        raise WrongState(_("Your second factor is not on."))
    used: list[RecoveryCode] = []

    def is_good() -> bool:
        if _is_of_authenticator(vault, factor, code, at):
            return True
        used.extend(_recovery(session, by.id, code))
        return bool(used)

    proof = _tried(session, factor, is_good, at=at)
    if not used:
        return proof
    used[0].used_at = at
    session.add(used[0])
    session.flush()
    left = _codes_left(session, by.id)
    note(session, "factor.recover", f"person:{by.id}", by=by, at=at, after={"codes_left": left})
    return Proof(True, recovered=True, codes_left=left)


def _tried(session: Session, factor: SecondFactor, is_good: Callable[[], bool], *, at: datetime) -> Proof:
    """Count a try: after some wrong ones in a row, none is even looked at for a growing while."""
    if factor.wait_until is not None and at < factor.wait_until:
        return Proof(False, factor.wait_until)
    if is_good():
        factor.failures, factor.wait_until = 0, None
        session.add(factor)
        return Proof(True)
    factor.failures += 1
    if factor.failures >= FREE_TRIES:
        factor.wait_until = at + min(FIRST_WAIT * 2 ** min(factor.failures - FREE_TRIES, 10), LONGEST_WAIT)
    session.add(factor)
    if factor.failures == FREE_TRIES:
        after = {"failures": factor.failures}
        note(session, "factor.throttle", f"person:{factor.person_id}", by=CLOCK, at=at, after=after)
    return Proof(False, factor.wait_until)


def _is_of_authenticator(vault: Vault, factor: SecondFactor, code: str, at: datetime) -> bool:
    digits = "".join(unicodedata.normalize("NFKC", code).split())
    if not (len(digits) == 6 and digits.isascii() and digits.isdigit()):
        return False
    codes = pyotp.TOTP(_secret(vault, factor), interval=STEP)
    now = int(at.timestamp()) // STEP
    for step in (now - 1, now, now + 1):
        if step > factor.last_step and hmac.compare_digest(codes.generate_otp(step), digits):
            factor.last_step = step
            return True
    return False


def require_proof(engine: Engine, vault: Vault, code: str, *, by: Actor, at: datetime) -> Proof:
    """What `check` found, if it is good; Invalid or Busy in words otherwise. The try is kept either way."""
    with writing(engine) as session:
        proof = check(session, vault, code, by=by, at=at)
    return require_good(proof, at=at)


def require_shown(engine: Engine, vault: Callable[[], Vault], code: str, *, by: Actor, at: datetime) -> None:
    """Let somebody pass without a browser: their code is right, or none is asked of them."""
    with reading(engine) as session:
        on, required = is_on(session, by.id), required_for(by, agreeing.policies(session))
    if on and not code:
        raise Invalid(_("Give a code of your authenticator too, or a recovery code."), field="code")
    if on:
        require_proof(engine, vault(), code, by=by, at=at)
    elif required:
        raise NotAllowed(_("Your role asks for a second factor. Sign in with a browser first, and set it up there."))


def require_good(proof: Proof, *, at: datetime) -> Proof:
    """The same proof if it is good; else Invalid, or Busy while no code is looked at."""
    if proof.good:
        return proof
    if proof.wait_until is not None:
        seconds = max(1, round((proof.wait_until - at).total_seconds()))
        raise Busy(_("Too many wrong codes. Wait {seconds} seconds, then take the newest code.", seconds=seconds))
    raise Invalid(
        _("This code is not right, or was used already. Take the newest one that your authenticator shows."),
        field="code",
    )


# --- Recovery codes -------------------------------------------------------------------------------------


def renew_codes(session: Session, *, by: Actor, at: datetime) -> list[str]:
    """Ten new recovery codes, told this once, for somebody who has just shown a code; the old ones are good no more."""
    factor = _factor(session, by.id)
    if factor is None or factor.confirmed_at is None:
        raise WrongState(_("Your second factor is not on."))
    note(session, "factor.codes", f"person:{by.id}", by=by, at=at)
    return _new_codes(session, by.id)


def _new_codes(session: Session, person_id: int) -> list[str]:
    _drop_codes(session, person_id)
    codes = [_random_code() for _number in range(CODES)]
    session.add_all(RecoveryCode(person_id=person_id, hash=_digest(person_id, code)) for code in codes)
    session.flush()
    return codes


def _random_code() -> str:
    groups = ("".join(secrets.choice(_ALPHABET) for _place in range(4)) for _group in range(_GROUPS))
    return "-".join(groups)


def _recovery(session: Session, person_id: int, code: str) -> list[RecoveryCode]:
    query = select(RecoveryCode).where(
        RecoveryCode.person_id == person_id,
        RecoveryCode.hash == _digest(person_id, code),
        col(RecoveryCode.used_at).is_(None),
    )
    return list(session.exec(query))


def _digest(person_id: int, code: str) -> str:
    """Random enough that a quick hash does; as people copy it: any case, spaces or dashes, o for 0."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", code[:100]).lower() if sign.isalnum())
    return hashlib.sha256(f"{person_id}:{plain.translate(_READ_AS)}".encode("utf-8", "surrogatepass")).hexdigest()


def _drop_codes(session: Session, person_id: int) -> None:
    for old in session.exec(select(RecoveryCode).where(RecoveryCode.person_id == person_id)):
        session.delete(old)
    session.flush()


# --- Turning it off -------------------------------------------------------------------------------------


def turn_off(session: Session, *, policies: Policies, by: Actor, at: datetime) -> None:
    """Turn one's own second factor off, having just shown a code; refused where it was agreed on."""
    if required_for(by, policies):
        raise WrongState(_("Coordinators and administrators must have a second factor. You may change the device."))
    _forget(session, by.id)
    note(session, "factor.off", f"person:{by.id}", by=by, at=at)


def change_device(session: Session, vault: Vault, *, by: Actor, at: datetime) -> Enrolment:
    """Begin anew with another authenticator, having just shown a code of the old one, which is good no more."""
    joining.get_person(session, by.id, lock=True)
    _forget(session, by.id)
    return begin(session, vault, by=by, at=at)


def reset(session: Session, person_id: int, *, by: Actor | str, at: datetime) -> None:
    """Take the second factor of somebody who lost it away, and end their sessions: they set up a new one."""
    person = joining.get_person(session, person_id, lock=True)
    if isinstance(by, Actor) and by.id == person_id:
        raise NotAllowed(_("Nobody resets their own second factor: another administrator does."))
    joining.require_keeper_of(session, person_id, by)
    if session.get(SecondFactor, person_id) is None:
        raise WrongState(_("{email} has no second factor.", email=person.email))
    _forget(session, person_id)
    joining.end_sessions(session, person_id, at=at)
    note(session, "factor.reset", f"person:{person_id}", by=by, at=at)


def _forget(session: Session, person_id: int) -> None:
    factor = _factor(session, person_id)
    _drop_codes(session, person_id)
    if factor is not None:
        session.delete(factor)
    session.flush()
