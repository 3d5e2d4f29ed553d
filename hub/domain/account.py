"""Accounts: a page or profile on one network, and the territory that it speaks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, Index, text
from sqlmodel import Field

from hub.domain.errors import NotAllowed, NotFound
from hub.domain.person import ACCOUNT_KEEPERS, WRITERS, Actor
from hub.domain.table import Moment, Table, choice
from hub.domain.territory import Atlas
from hub.language import N_, _


class AccountNetwork(StrEnum):
    """The networks an account may live on; the values are those of `channels.Network`."""

    FACEBOOK = "facebook"
    X = "x"
    PORTAL = "portal"


NETWORK_NAMES: Final[Mapping[AccountNetwork, str]] = {
    AccountNetwork.FACEBOOK: "Facebook",
    AccountNetwork.X: "X",
    AccountNetwork.PORTAL: N_("portal"),
}


class AccountState(StrEnum):
    """Whether deliveries of an account are claimed."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By a person, until a person resumes it."""
    RESTING = "resting"
    """By Relais, since the network refuses its authorisation, until a check is green and a person resumes it."""
    BLOCKED = "blocked"
    """By Relais, for some hours, since the network blocks it for policy or spam."""


class Account(Table, table=True):
    """One page or profile on one network."""

    __table_args__ = (
        Index("uq_account_network_remote_id", "network", "remote_id", unique=True),
        Index("uq_account_portal", "network", unique=True, sqlite_where=text("network = 'portal'"),
              postgresql_where=text("network = 'portal'")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    network: AccountNetwork = Field(sa_type=choice(AccountNetwork))
    name: str
    remote_id: str
    """The network's own id of the page or profile."""
    handle: str | None = None
    territory_code: str = Field(foreign_key="territory.code", index=True)
    state: AccountState = Field(default=AccountState.ACTIVE, sa_type=choice(AccountState))
    state_reason: str | None = None
    blocked_until: datetime | None = Field(default=None, sa_type=Moment)
    not_before: datetime | None = Field(default=None, sa_type=Moment)
    """No call before this moment: the network asked us to wait."""
    slow_until: datetime | None = Field(default=None, sa_type=Moment)
    """Until then what can wait, such as figures, does: use is growing."""
    app_key: str | None = None
    """The app that it speaks through, where each account may have one of its own; None: the network's one app."""
    secret: str | None = None
    """Encrypted, bound to this account; see `hub.secrets`."""
    options: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Per-account choices of its channel, such as `two_step`."""
    created_at: datetime = Field(sa_type=Moment)
    checked_at: datetime | None = Field(default=None, sa_type=Moment)
    light: str | None = None
    """What the last check showed: green, amber, red."""
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    token_expires_at: datetime | None = Field(default=None, sa_type=Moment)

    @property
    def app(self) -> str:
        """Through which app it speaks: accounts of the same app share its limits."""
        return self.app_key or self.network.value

    def may_call(self, at: datetime) -> bool:
        """Whether a call for this account is allowed at this moment, as far as it is not up to its app."""
        if self.not_before is not None and self.not_before > at:
            return False
        if self.state is AccountState.BLOCKED:
            return self.blocked_until is not None and self.blocked_until <= at
        return self.state is AccountState.ACTIVE


class AppWait(Table, table=True):
    """How long everybody who speaks through one app of a network waits: limits of the app hold for all its accounts."""

    __tablename__ = "app_wait"

    app_key: str = Field(primary_key=True)
    """`Account.app`: the network's name, or the mark of an app that not all accounts of the network share."""
    not_before: datetime | None = Field(default=None, sa_type=Moment)
    """No call before this moment."""
    slow_until: datetime | None = Field(default=None, sa_type=Moment)
    """Until then what can wait, such as figures, does."""
    reads_not_before: datetime | None = Field(default=None, sa_type=Moment)
    """No reading before this moment; publishing goes on."""
    reason: str
    """Why, in words: our own, or the network's."""


OPTIONS: Final[Mapping[AccountNetwork, Mapping[str, type]]] = {
    AccountNetwork.FACEBOOK: {"two_step": bool},
    AccountNetwork.X: {"verified": bool, "posts_a_day": int, "posts_a_half_hour": int},
    AccountNetwork.PORTAL: {},
}
"""What can be chosen for an account, by network (docs/connecting.md says what each is for)."""


@dataclass(frozen=True)
class Allowed:
    """How many posts a network takes of one account."""

    a_day: int
    a_half_hour: int


UNVERIFIED: Final = Allowed(a_day=50, a_half_hour=50)
VERIFIED: Final = Allowed(a_day=2400, a_half_hour=50)
"""X's caps as they were seen in May 2026: 2,400 posts a day, cut into 48 half hours; 50 a day without verification."""


def posts_allowed(account: Account) -> Allowed | None:
    """How many posts its network takes of an account, by its options; None where no cap is known."""
    if account.network is not AccountNetwork.X:
        return None
    usual = VERIFIED if account.options.get("verified") is True else UNVERIFIED
    return Allowed(
        _positive(account.options.get("posts_a_day"), usual.a_day),
        _positive(account.options.get("posts_a_half_hour"), usual.a_half_hour),
    )


def _positive(value: object, usual: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else usual


def app_key_of(network: AccountNetwork, secret: Mapping[str, str]) -> str | None:
    """The mark of the app whose keys an account has; None where one app serves the whole network.

    A digest of the app's key, which tells apps apart and opens nothing.
    """
    key = secret.get("consumer_key", "").strip()
    if network is not AccountNetwork.X or not key:
        return None
    return f"x:{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def can_see_account(actor: Actor, atlas: Atlas, account: Account) -> bool:
    """People of any territory inside the account's own, and those whose role covers it."""
    return actor.meets(atlas, [account.territory_code])


def can_choose_account(actor: Actor, atlas: Atlas, account: Account) -> bool:
    """Those who see it and write posts."""
    return actor.meets(atlas, [account.territory_code], WRITERS)


def can_keep_account(actor: Actor, atlas: Atlas, account: Account) -> bool:
    """Those who manage accounts for the whole of its territory."""
    return actor.holds_for_all(atlas, ACCOUNT_KEEPERS, [account.territory_code])


def require_account_seen(actor: Actor, atlas: Atlas, account: Account) -> None:
    """Raise NotFound to whoever may not even know of the account."""
    if not can_see_account(actor, atlas, account):
        raise NotFound(_("There is no account {ref}.", ref=account.id))


def require_account_keeper(actor: Actor, atlas: Atlas, account: Account) -> None:
    """Raise NotFound to whoever may not see the account, NotAllowed to whoever sees it without managing it."""
    require_account_seen(actor, atlas, account)
    if not can_keep_account(actor, atlas, account):
        raise NotAllowed(
            _(
                "Only a coordinator or an administrator for the whole of {code} may manage this account.",
                code=account.territory_code,
            )
        )
