"""Everything that is sealed, whoever it belongs to: whether the keys open it, and putting it under a new one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, delete, select

from hub.database import on_server
from hub.domain.account import Account
from hub.domain.audit import note
from hub.domain.consent import Consent
from hub.domain.person import Actor
from hub.domain.sign_in import SecondFactor
from hub.secrets import Vault


def seal_again(session: Session, vault: Vault, *, by: Actor | str, at: datetime) -> int:
    """Put every secret under the vault's first key; how many there are. KeyTrouble if one resists.

    Ways to a network's dialog are simply lost: they live for minutes, and are begun again.
    """
    keep_shut(session)
    accounts, factors = _accounts(session), _factors(session)
    for account in accounts:
        assert account.secret is not None
        account.secret = vault.rotate(account.secret)
        session.add(account)
    for factor in factors:
        factor.secret = vault.rotate(factor.secret)
        session.add(factor)
    session.exec(delete(Consent))
    session.flush()
    count = len(accounts) + len(factors)
    note(session, "secrets.rotate", "vault:keys", by=by, at=at, after={"secrets": count})
    return count


def keep_shut(session: Session) -> None:
    """Nobody seals anything until this transaction ends: a secret that comes meanwhile would be under an old key."""
    if on_server(session.connection().engine):
        session.connection().execute(text("LOCK TABLE account, second_factor IN EXCLUSIVE MODE"))


def require_all_open(session: Session, vault: Vault) -> int:
    """Raise KeyTrouble unless these keys open every secret; how many there are."""
    accounts, factors = _accounts(session), _factors(session)
    for account in accounts:
        assert account.id is not None
        assert account.secret is not None
        vault.open(account.id, account.secret)
    for factor in factors:
        vault.open_personal(factor.person_id, factor.secret)
    return len(accounts) + len(factors)


def anything_sealed(session: Session) -> bool:
    """Whether there is a secret that a lost key would lose."""
    account = select(Account.id).where(col(Account.secret).is_not(None)).limit(1)
    return session.exec(account).first() is not None or session.exec(select(SecondFactor)).first() is not None


def _accounts(session: Session) -> Sequence[Account]:
    return session.exec(
        select(Account).where(col(Account.secret).is_not(None)).order_by(col(Account.id)).with_for_update()
    ).all()


def _factors(session: Session) -> Sequence[SecondFactor]:
    return session.exec(select(SecondFactor).order_by(col(SecondFactor.person_id)).with_for_update()).all()
