"""The way to a network's dialog and back: each is bound to one session, good once, for a short while."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, delete, select

from hub.domain.account import AccountNetwork, require_account_keeper
from hub.domain.consent import CHOICE_LASTS, WAY_LASTS, Consent
from hub.domain.errors import Invalid, NotAllowed, NotFound
from hub.domain.person import ACCOUNT_KEEPERS, Actor
from hub.language import _
from hub.secrets import KeyTrouble, Vault
from hub.services import connecting, geotargeting
from hub.services.linking import Grant


class LostWay(NotFound):
    """This way is not known, belongs to another session, was gone already or took too long: it is begun again."""


@dataclass(frozen=True)
class Way:
    """What goes to the dialog: `state` comes back openly, `verifier` is shown only to the network itself."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class Return:
    """Somebody who came back, before what they brought is exchanged."""

    consent_id: int
    verifier: str = field(repr=False)
    account_id: int | None = None


@dataclass(frozen=True)
class Kept:
    """The pages that were granted, waiting for somebody to choose."""

    consent_id: int
    grants: tuple[Grant, ...]
    account_id: int | None = None


def begin(
    session: Session, vault: Vault, *, sign_in_id: int, by: Actor, at: datetime, account_id: int | None = None
) -> Way:
    """A way to the dialog for somebody who keeps accounts; with an account, to renew its token."""
    _require_keeper(session, by, account_id)
    session.exec(delete(Consent).where(col(Consent.ends_at) <= at))
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    session.add(
        Consent(
            sign_in_id=sign_in_id,
            person_id=by.id,
            account_id=account_id,
            hash=_digest(state),
            verifier=vault.seal_personal(by.id, {"verifier": verifier}),
            created_at=at,
            ends_at=at + WAY_LASTS,
        )
    )
    return Way(state, verifier)


def come_back(session: Session, vault: Vault, state: str, *, sign_in_id: int, by: Actor, at: datetime) -> Return:
    """Take a way as gone, whatever comes of it; LostWay unless this very session began it, just now and once."""
    query = select(Consent).where(Consent.hash == _digest(state)).with_for_update()
    consent = session.exec(query).one_or_none()
    mine = consent is not None and (consent.sign_in_id, consent.person_id) == (sign_in_id, by.id)
    if consent is None or not mine or consent.returned_at is not None or consent.ends_at <= at:
        raise _lost()
    verifier = _opened(vault, by, consent.verifier)["verifier"]
    consent.returned_at, consent.verifier = at, None
    session.add(consent)
    assert consent.id is not None
    return Return(consent.id, verifier, consent.account_id)


def keep(session: Session, vault: Vault, consent_id: int, grants: Sequence[Grant], *, by: Actor, at: datetime) -> None:
    """Keep what was granted, encrypted, until it is chosen from."""
    consent = session.get(Consent, consent_id)
    if consent is None or consent.person_id != by.id:
        raise _lost()
    consent.pages = vault.seal_personal(by.id, {"pages": json.dumps([grant.told() for grant in grants])})
    consent.ends_at = at + CHOICE_LASTS
    session.add(consent)


def keep_pasted(
    session: Session,
    vault: Vault,
    grants: Sequence[Grant],
    *,
    sign_in_id: int,
    by: Actor,
    at: datetime,
    account_id: int | None = None,
) -> int:
    """The same for the pages of a pasted token, which took no way; return what to find them by."""
    _require_keeper(session, by, account_id)
    consent = Consent(
        sign_in_id=sign_in_id,
        person_id=by.id,
        account_id=account_id,
        hash=_digest(secrets.token_urlsafe(32)),
        created_at=at,
        ends_at=at + CHOICE_LASTS,
        returned_at=at,
    )
    session.add(consent)
    session.flush()
    assert consent.id is not None
    keep(session, vault, consent.id, grants, by=by, at=at)
    return consent.id


def kept(session: Session, vault: Vault, consent_id: int, *, sign_in_id: int, by: Actor, at: datetime) -> Kept:
    """What was granted to this session and waits to be chosen from, or LostWay."""
    consent = session.get(Consent, consent_id)
    mine = consent is not None and (consent.sign_in_id, consent.person_id) == (sign_in_id, by.id)
    if consent is None or not mine or consent.pages is None or consent.ends_at <= at:
        raise _lost()
    pages = json.loads(_opened(vault, by, consent.pages)["pages"])
    return Kept(consent_id, tuple(Grant.read(page) for page in pages), consent.account_id)


def forget(session: Session, consent_id: int) -> None:
    """Keep nothing more of it: the choice is made."""
    consent = session.get(Consent, consent_id)
    if consent is not None:
        session.delete(consent)


def require_keeper_somewhere(by: Actor) -> None:
    """Raise NotAllowed to whoever keeps no accounts at all."""
    if not by.territories(ACCOUNT_KEEPERS):
        raise NotAllowed(_("Only coordinators and administrators connect accounts."))


def _require_keeper(session: Session, by: Actor, account_id: int | None) -> None:
    require_keeper_somewhere(by)
    if account_id is not None:
        account = connecting.get_account(session, account_id)
        require_account_keeper(by, geotargeting.atlas(session, [account.territory_code]), account)
        if account.network is not AccountNetwork.FACEBOOK:
            raise Invalid(_("This account is not on Facebook: give it new keys by hand."))


def _opened(vault: Vault, by: Actor, sealed: str | None) -> dict[str, str]:
    try:
        return vault.open_personal(by.id, sealed or "")
    except KeyTrouble as error:  # the keys were changed meanwhile
        raise _lost() from error


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()


def _lost() -> LostWay:
    return LostWay(
        _(
            "This return from Facebook does not belong to your session, was used already, or took too long. "
            "Nothing was changed. Start again from the page of the account."
        )
    )
