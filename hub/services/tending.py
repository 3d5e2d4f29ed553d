"""Tending accounts: how each one is, what it used, what went out last, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, func, select

from channels import Light, Network, Rules
from hub.domain.account import Account, AccountNetwork, AccountState, can_keep_account, require_account_seen
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.person import Actor
from hub.domain.policy import Policies
from hub.domain.post import Post
from hub.domain.territory import COUNTRY
from hub.language import N_
from hub.services import agreeing, connecting, covering, foreseeing, geotargeting, linking, listing, spending
from hub.services.covering import Health
from hub.services.findings import CURED_BY_KEYS, UNANSWERED
from hub.services.showing import title
from hub.services.spending import Use

HEALTH_NAMES: Final[Mapping[Health, str]] = {
    Health.TROUBLE: N_("in trouble"),
    Health.CARE: N_("needs care"),
    Health.UNCHECKED: N_("never checked"),
    Health.GOOD: N_("all well"),
}

LAST: Final = 8
"""Deliveries shown with an account."""


class Step(StrEnum):
    """What a person should do next about an account."""

    RENEW = "renew"
    RESUME = "resume"
    CHECK = "check"
    WAIT = "wait"
    NOTHING = "nothing"


class Leave(StrEnum):
    """Whether the network lets us do something, as the last check saw it."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


LEAVE_NAMES: Final[Mapping[Leave, str]] = {Leave.YES: N_("yes"), Leave.NO: N_("no"), Leave.UNKNOWN: N_("not known")}


@dataclass(frozen=True)
class Tended:
    """One account as people look after it."""

    account: Account
    territory: str
    health: Health
    step: Step
    use: Use
    keeps: bool
    """Whether this person may change anything."""
    planned: Delivery | None = None
    """The first delivery that is planned for after the end of its access."""

    @property
    def number(self) -> int:
        """Its id."""
        assert self.account.id is not None
        return self.account.id

    @property
    def foreseen(self) -> str:
        """That its access ends before a post that is planned on it; empty where it does not."""
        return foreseeing.ends_before(self.account, self.planned) if self.planned else ""


@dataclass(frozen=True)
class Recent:
    """One delivery of an account."""

    delivery: Delivery
    title: str


@dataclass(frozen=True)
class Release:
    """What begins to move when an account goes on."""

    waiting: int
    due: int
    late: int
    """Of those that are due: too late to go out by themselves, so that a person decides."""

    @property
    def at_once(self) -> int:
        """How many go out at once."""
        return self.due - self.late


# --- Looking --------------------------------------------------------------------------------------------


def tended(session: Session, *, by: Actor, rules: Mapping[Network, Rules], at: datetime) -> list[Tended]:
    """Every account that this person may see, those that need somebody first."""
    accounts = connecting.list_accounts(session, by)
    order = list(Health)
    found = _tended(session, accounts, by=by, rules=rules, at=at)
    return sorted(found, key=lambda one: (order.index(one.health), one.account.territory_code != COUNTRY))


def get_tended(session: Session, account_id: int, *, by: Actor, rules: Mapping[Network, Rules], at: datetime) -> Tended:
    """One account, or NotFound to whoever may not know of it."""
    account = connecting.get_account(session, account_id)
    require_account_seen(by, geotargeting.atlas(session, [account.territory_code]), account)
    return _tended(session, [account], by=by, rules=rules, at=at)[0]


def _tended(
    session: Session, accounts: list[Account], *, by: Actor, rules: Mapping[Network, Rules], at: datetime
) -> list[Tended]:
    land = geotargeting.atlas(session, [account.territory_code for account in accounts])
    used = spending.uses(session, accounts, rules=rules, at=at)
    policies = agreeing.policies(session)
    planned = foreseeing.after_end(session)
    return [
        Tended(
            account,
            linking.label(land.nodes[account.territory_code]),
            covering.health_of(account, at=at, policies=policies),
            next_step(account, at=at, policies=policies),
            used[account.id or 0],
            can_keep_account(by, land, account),
            planned.get(account.id or 0),
        )
        for account in accounts
    ]


def recent(session: Session, account_id: int, *, by: Actor) -> list[Recent]:
    """The last deliveries of an account that are out or failed, of posts that this person may see."""
    query = (
        select(Delivery, Post.text)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .where(
            Delivery.account_id == account_id,
            col(Delivery.state).not_in({DeliveryState.WAITING, DeliveryState.CANCELLED}),
            listing.reaching(session, by.territories()),
        )
        .order_by(col(Delivery.due_at).desc(), col(Delivery.id).desc())
        .limit(LAST)
    )
    return [Recent(delivery, title(text)) for delivery, text in session.exec(query)]


def release(session: Session, account_id: int, *, at: datetime, patience: Patience) -> Release:
    """What would begin to move if an account went on now."""
    waiting = select(func.count()).where(Delivery.account_id == account_id, Delivery.state == DeliveryState.WAITING)
    due = waiting.where(Delivery.ready_at <= at, Delivery.due_at <= at)
    late = spending.too_late(session, account_id, at=at, patience=patience)
    return Release(session.exec(waiting).one(), session.exec(due).one(), late)


# --- What it needs --------------------------------------------------------------------------------------


def next_step(account: Account, *, at: datetime, policies: Policies) -> Step:
    """The one thing to do next: what keeps it from publishing first, then what will soon."""
    stopped = account.state in {AccountState.PAUSED, AccountState.RESTING}
    if needs_keys(account, at=at, policies=policies):
        return Step.RENEW
    if account.state is AccountState.RESTING and account.light == Light.RED:
        return Step.CHECK
    if stopped:
        return Step.RESUME
    if account.state is AccountState.BLOCKED and not account.may_call(at):
        return Step.WAIT
    unknown = account.light is None and account.network is not AccountNetwork.PORTAL
    return Step.CHECK if unknown or account.light in {Light.RED, Light.AMBER} else Step.NOTHING


def needs_keys(account: Account, *, at: datetime, policies: Policies) -> bool:
    """Whether new keys are what would help."""
    soon = timedelta(days=policies.token_warning_days)
    if account.token_expires_at is not None and account.token_expires_at - at < soon:
        return True
    return any(found["code"] in CURED_BY_KEYS for found in account.findings)


def may_publish(account: Account) -> Leave:
    """Whether the keys let Relais publish."""
    if account.light is None or any(found["code"] in UNANSWERED for found in account.findings):
        return Leave.UNKNOWN
    return Leave.NO if account.light == Light.RED else Leave.YES


def may_count(account: Account) -> Leave:
    """Whether the keys let Relais read figures."""
    codes = {found["code"] for found in account.findings}
    if may_publish(account) is not Leave.YES or "permissions_not_checked" in codes:
        return Leave.UNKNOWN
    return Leave.NO if "figures_permission_missing" in codes else Leave.YES
