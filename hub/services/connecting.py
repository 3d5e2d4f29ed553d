"""Accounts: add, list, check, pause, rest and resume; and what a check found, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, Protocol

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from channels import Channel, ChannelError, Finding, Health, Light, Throttled
from hub.database import due_now, in_turn, reading, writing
from hub.domain.account import (
    NETWORK_NAMES,
    OPTIONS,
    Account,
    AccountNetwork,
    AccountState,
    app_key_of,
    can_see_account,
    require_account_keeper,
)
from hub.domain.audit import CLOCK, note
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import FieldProblem, HubError, Invalid, NotAllowed, NotFound, WrongState
from hub.domain.person import ACCOUNT_KEEPERS, Actor
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Atlas, Level, Territory, search_key
from hub.language import N_, _
from hub.secrets import Vault
from hub.services import geotargeting
from hub.services.findings import UNANSWERED
from hub.services.findings import sentence as sentence

SECRET_NAMES: Final[Mapping[AccountNetwork, tuple[str, ...]]] = {
    AccountNetwork.FACEBOOK: ("token",),
    AccountNetwork.X: ("consumer_key", "consumer_secret", "access_token", "access_token_secret"),
    AccountNetwork.PORTAL: (),
}
"""What each network needs to let Relais in."""

STATE_NAMES: Final[Mapping[AccountState, str]] = {
    AccountState.ACTIVE: N_("active"),
    AccountState.PAUSED: N_("paused"),
    AccountState.RESTING: N_("resting"),
    AccountState.BLOCKED: N_("blocked"),
}

LIGHT_NAMES: Final[Mapping[str, str]] = {
    Light.GREEN.value: N_("green"),
    Light.AMBER.value: N_("amber"),
    Light.RED.value: N_("red"),
}

SOMEBODY_ELSE: Final = frozenset({"wrong_page", "wrong_account"})
"""Findings that tell of another account than ours."""


SHORTEST_KEY: Final = 8
"""A shorter one is no key of any network, and could not be told apart from the letters of a sentence."""


class Unanswered(HubError):
    """The network could not be asked; the account was left as it was."""


class Connected(Protocol):
    """What a check needs of the hub."""

    @property
    def engine(self) -> Engine:
        """The database."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""

    @property
    def channel_for(self) -> Callable[[Account], Channel]:
        """The way to an account's network."""


# --- Finding --------------------------------------------------------------------------------------------


def can_see(actor: Actor, atlas: Atlas, account: Account) -> bool:
    """Whether this person may know of the account, and choose it for a post."""
    return can_see_account(actor, atlas, account)


def list_accounts(session: Session, by: Actor | None = None) -> list[Account]:
    """All accounts, or those that this person may see; by network, then territory."""
    order = (
        by_letters(col(Account.network)),
        by_letters(col(Account.territory_code)),
        by_letters(col(Account.name)),
        col(Account.id),
    )
    accounts = list(session.exec(select(Account).order_by(*order)))
    if by is None:
        return accounts
    atlas = geotargeting.atlas(session, [account.territory_code for account in accounts])
    return [account for account in accounts if can_see(by, atlas, account)]


def get_account(session: Session, account_id: int, *, lock: bool = False) -> Account:
    """The account with this id, or NotFound."""
    query = select(Account).where(Account.id == account_id)
    if lock:  # what another transaction changed meanwhile is read again
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    account = session.exec(query).one_or_none()
    if account is None:
        raise _unknown(account_id)
    return account


def find_account(session: Session, ref: str, by: Actor | None = None) -> Account:
    """The one account that people mean: its id, its exact name, or `network:territory` (`facebook:A-14`).

    NotFound with the nearest names, Invalid with the choices when several fit. Case and accents do not matter.
    """
    wanted = ref.strip()
    accounts = list_accounts(session, by)
    found = [account for account in accounts if wanted.isascii() and wanted.isdigit() and account.id == int(wanted)]
    found = found or [account for account in accounts if account.name.casefold() == wanted.casefold()]
    found = found or [account for account in accounts if search_key(account.name) == search_key(wanted)]
    found = found or [account for account in accounts if short_name(account).casefold() == wanted.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        choices = "; ".join(f"{account.id} = {account.name} ({short_name(account)})" for account in found)
        raise Invalid(_("“{ref}” may be several accounts; give the number: {choices}.", ref=ref, choices=choices))
    raise _unknown(ref, accounts)


def short_name(account: Account) -> str:
    """`network:territory`."""
    return f"{account.network.value}:{account.territory_code}"


def _unknown(ref: object, accounts: Sequence[Account] = ()) -> NotFound:
    known = {name.casefold(): name for account in accounts for name in (account.name, short_name(account))}
    near = [known[key] for key in get_close_matches(str(ref).strip().casefold(), known, n=3, cutoff=0.6)]
    hint = _("Did you mean {name}?", name=" / ".join(near)) if near else _("“relais account list” shows them all.")
    return NotFound(_("There is no account {ref}.", ref=ref) + " " + hint)


# --- Adding ---------------------------------------------------------------------------------------------


def add_account(
    session: Session,
    vault: Vault | None,
    *,
    network: AccountNetwork,
    name: str,
    remote_id: str,
    handle: str | None,
    territory_code: str,
    secret: Mapping[str, str],
    options: Mapping[str, Any],
    by: Actor | str,
    at: datetime,
) -> Account:
    """Add an account that speaks for a territory; its secret is sealed for it alone (no secret, no vault needed)."""
    _require_keeper_for(session, territory_code, by)
    problems = [
        *_name_problems(name),
        *_id_problems(network, remote_id, handle),
        *secret_problems(network, secret),
        *_option_problems(network, options),
    ]
    if problems:
        raise Invalid(problems)
    in_turn(session, "accounts")
    _require_place(session, network, territory_code)
    _require_new(session, network, remote_id)
    account = Account(
        network=network,
        name=name.strip(),
        remote_id=remote_id,
        handle=handle,
        territory_code=territory_code,
        options={name: value for name, value in options.items() if value is not None},
        created_at=at,
    )
    session.add(account)
    session.flush()
    _seal(account, vault, secret)
    session.add(account)
    after = {"network": network.value, "name": account.name, "remote_id": remote_id, "territory": territory_code}
    note(session, "account.add", f"account:{account.id}", by=by, at=at, after=after)
    return account


def renew_secret(
    session: Session, vault: Vault, account_id: int, secret: Mapping[str, str], *, by: Actor | str, at: datetime
) -> Account:
    """Give an account new keys; a resting one stays so until a check is not red and somebody resumes it."""
    account = _kept(session, account_id, by)
    problems = secret_problems(account.network, secret)
    if problems:
        raise Invalid(problems)
    _seal(account, vault, secret)
    account.token_expires_at = None
    session.add(account)
    note(session, "account.renew", f"account:{account_id}", by=by, at=at)
    return account


def choose_options(
    session: Session, account_id: int, chosen: Mapping[str, Any], *, by: Actor | str, at: datetime
) -> Account:
    """Choose how an account is used; None takes a choice back, and what is not named stays as it is."""
    account = _kept(session, account_id, by)
    if problems := _option_problems(account.network, chosen):
        raise Invalid(problems)
    before = account.options
    # A new mapping: one that is changed in place would not be seen as changed.
    account.options = {name: value for name, value in {**before, **chosen}.items() if value is not None}
    session.add(account)
    if account.options != before:
        note(session, "account.options", f"account:{account_id}", by=by, at=at, before=before, after=account.options)
    return account


def _option_problems(network: AccountNetwork, chosen: Mapping[str, Any]) -> list[FieldProblem]:
    known = OPTIONS[network]
    problems = []
    for name, value in chosen.items():
        if name not in known:
            message = _("There is no choice {name} on {network}. There is: {known}.", name=name,
                        network=_(NETWORK_NAMES[network]), known=", ".join(known) or "-")  # fmt: skip
            problems.append(FieldProblem("option", message))
        elif value is None:
            continue
        elif known[name] is bool and not isinstance(value, bool):
            problems.append(FieldProblem("option", _("Write {name}=true or {name}=false.", name=name)))
        elif known[name] is int and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            problems.append(FieldProblem("option", _("{name} is a whole number, 1 at least.", name=name)))
    return problems


def secret_problems(network: AccountNetwork, secret: Mapping[str, str]) -> list[FieldProblem]:
    """What is missing from an account's keys, or too much; never a word of the keys themselves."""
    wanted = set(SECRET_NAMES[network])
    given = {name for name, value in secret.items() if value.strip()}
    problems = []
    if missing := sorted(wanted - given):
        message = _("Missing from the keys: {names}.", names=", ".join(missing))
        problems.append(FieldProblem("secret", message))
    if set(secret) - wanted:
        message = _("These keys are taken, and no others: {names}.", names=", ".join(sorted(wanted)) or "-")
        problems.append(FieldProblem("secret", message))
    if any(not value.strip().isascii() or any(sign.isspace() for sign in value.strip()) for value in secret.values()):
        problems.append(FieldProblem("secret", _("A key holds spaces or letters that no key has: copy it again.")))
    if any(0 < len(value.strip()) < SHORTEST_KEY for value in secret.values()):
        problems.append(FieldProblem("secret", _("A key is too short to be a whole one: copy it again.")))
    return problems


def _seal(account: Account, vault: Vault | None, secret: Mapping[str, str]) -> None:
    assert account.id is not None
    if secret:
        assert vault is not None
        account.app_key = app_key_of(account.network, secret)
        account.secret = vault.seal(account.id, {name: value.strip() for name, value in secret.items()})


def _name_problems(name: str) -> list[FieldProblem]:
    if name.strip() and len(name) <= 200 and name.isprintable():
        return []
    return [FieldProblem("name", _("Give the account a name, in at most 200 characters."))]


def _id_problems(network: AccountNetwork, remote_id: str, handle: str | None) -> list[FieldProblem]:
    problems = []
    if network is not AccountNetwork.PORTAL and not (remote_id.isascii() and remote_id.isdigit()):
        problems.append(FieldProblem("remote_id", _("The network's own number of the account has digits only.")))
    if network is AccountNetwork.X and not (
        handle and handle.isascii() and handle.replace("_", "a").isalnum() and len(handle) <= 15
    ):
        problems.append(FieldProblem("handle", _("An X account needs its user name, without the @.")))
    return problems


def _require_place(session: Session, network: AccountNetwork, code: str) -> None:
    territory = session.get(Territory, code)
    if territory is None:
        raise NotFound(_("There is no territory {code}. “relais territory find” gives the codes.", code=code))
    if territory.level is Level.COMMUNE:
        raise Invalid(_("An account speaks for a département or something larger."), field="territory")
    if network is AccountNetwork.PORTAL:
        if code != COUNTRY:
            raise Invalid(_("The portal speaks for the whole country: its territory is FR."), field="territory")
        if session.exec(select(Account.id).where(Account.network == network)).first() is not None:
            raise Invalid(_("There is one portal account, and it is here already."), field="network")


def account_on(session: Session, network: AccountNetwork, remote_id: str) -> Account | None:
    """The account with the network's own number, if it is here."""
    query = select(Account).where(Account.network == network, Account.remote_id == remote_id)
    return session.exec(query).one_or_none()


def _require_new(session: Session, network: AccountNetwork, remote_id: str) -> None:
    present = account_on(session, network, remote_id)
    if present is not None:
        message = _(
            "This account is here already: number {number}, {name}. With --renew its keys are replaced.",
            number=present.id,
            name=present.name,
        )
        raise Invalid(message, field="remote_id")


def _require_keeper_for(session: Session, code: str, by: Actor | str) -> None:
    if isinstance(by, Actor):
        atlas = geotargeting.atlas(session, [code])
        if code not in atlas or not by.holds_for_all(atlas, ACCOUNT_KEEPERS, [code]):
            raise NotAllowed(
                _("Only a coordinator or an administrator for the whole of {code} may do this.", code=code)
            )


def _kept(session: Session, account_id: int, by: Actor | str) -> Account:
    """The account, locked, for somebody who manages it."""
    account = get_account(session, account_id, lock=True)
    if isinstance(by, Actor):
        require_account_keeper(by, geotargeting.atlas(session, [account.territory_code]), account)
    return account


# --- Pausing, resting, resuming -------------------------------------------------------------------------


@dataclass(frozen=True)
class Released:
    """What begins to move when an account is resumed: deliveries waiting, and how many of them are due already."""

    waiting: int
    due: int


def pause(session: Session, account_id: int, *, by: Actor | str, at: datetime, reason: str) -> Account:
    """Let nothing go out for an account until a person resumes it."""
    account = _kept(session, account_id, by)
    if not reason.strip():
        raise Invalid(_("Say why: the next person will want to know."), field="reason")
    if account.state in {AccountState.PAUSED, AccountState.RESTING}:
        raise WrongState(_("Nothing goes out on {account} already: it is {state}.", account=account.name,
                           state=_(STATE_NAMES[account.state])))  # fmt: skip
    _move(session, account, AccountState.PAUSED, reason.strip(), action="account.pause", by=by, at=at)
    return account


def resume(session: Session, account_id: int, *, by: Actor | str, at: datetime, reason: str = "") -> Released:
    """Let deliveries go out again; WrongState when nothing was stopped, or a resting account was not found well."""
    account = _kept(session, account_id, by)
    if account.state is AccountState.ACTIVE:
        raise WrongState(_("{account} is not stopped.", account=account.name))
    if account.state is AccountState.RESTING and account.light not in {Light.GREEN, Light.AMBER}:
        message = _(
            "{account} rests, and no check since then shows that it can publish. "
            "Renew its keys if need be, check it, then resume it.",
            account=account.name,
        )
        raise WrongState(message)
    released = _released(session, account_id, at)
    due_now(session)
    _move(
        session, account, AccountState.ACTIVE, None, action="account.resume", by=by, at=at, why=reason.strip() or None
    )
    return released


def rest(session: Session, account_id: int, *, reason: str, at: datetime) -> bool:
    """Stop an account whose authorisation is refused; whether this is news: one alert goes out, not hundreds."""
    account = get_account(session, account_id, lock=True)
    if account.state in {AccountState.RESTING, AccountState.PAUSED}:
        return False
    account.light, account.findings = Light.RED.value, []  # what an earlier check showed is no longer true
    _move(session, account, AccountState.RESTING, reason, action="account.rest", by=CLOCK, at=at)
    return True


def block(session: Session, account_id: int, *, reason: str, until: datetime, at: datetime) -> bool:
    """Stop an account for some hours, since its network blocks it; whether this is news."""
    account = get_account(session, account_id, lock=True)
    if account.state in {AccountState.RESTING, AccountState.PAUSED}:
        return False
    running = account.state is AccountState.BLOCKED and account.blocked_until is not None and account.blocked_until > at
    if running:
        account.blocked_until = max(until, account.blocked_until or until)
        session.add(account)
        return False
    _move(session, account, AccountState.BLOCKED, reason, action="account.block", by=CLOCK, at=at, until=until)
    return True


def _move(
    session: Session,
    account: Account,
    to: AccountState,
    reason: str | None,
    *,
    action: str,
    by: Actor | str,
    at: datetime,
    until: datetime | None = None,
    why: str | None = None,
) -> None:
    before = {"state": account.state.value, "reason": account.state_reason}
    account.state, account.state_reason, account.blocked_until = to, reason, until
    session.add(account)
    after: dict[str, Any] = {"state": to.value, "reason": reason or why}
    if until is not None:
        after["until"] = until.isoformat()
    note(session, action, f"account:{account.id}", by=by, at=at, before=before, after=after)


def _released(session: Session, account_id: int, at: datetime) -> Released:
    waiting = select(func.count()).where(Delivery.account_id == account_id, Delivery.state == DeliveryState.WAITING)
    due = waiting.where(Delivery.ready_at <= at, Delivery.due_at <= at)
    return Released(waiting=session.exec(waiting).one(), due=session.exec(due).one())


# --- Checking -------------------------------------------------------------------------------------------


def check_account(hub: Connected, account_id: int, *, by: Actor | str) -> Account:
    """Ask the network how an account is, and keep what it said: read, call without any transaction, record."""
    with reading(hub.engine) as session:
        account = get_account(session, account_id)
        if isinstance(by, Actor):
            require_account_keeper(by, geotargeting.atlas(session, [account.territory_code]), account)
        session.expunge(account)
    channel = hub.channel_for(account)
    try:
        health = channel.check()
    except ChannelError as error:
        health = _failed(error)
    finally:
        channel.close()
    with writing(hub.engine) as session:
        return record_check(session, account_id, health, by=by, at=hub.now())


def _failed(error: ChannelError) -> Health:
    """A check should answer rather than fail; if it fails, nothing was learnt of the account."""
    code = "throttled" if isinstance(error, Throttled) else "unreachable"
    return Health((Finding(Light.AMBER, code, {"message": str(error)}),))


def record_check(session: Session, account_id: int, health: Health, *, by: Actor | str, at: datetime) -> Account:
    """Keep what a check showed. It resumes nothing; and a network that did not answer does not clear a red light."""
    account = get_account(session, account_id, lock=True)
    before = account.light
    learnt = not all(finding.code in UNANSWERED for finding in health.findings) or not health.findings
    account.checked_at = at
    account.findings = [
        {"light": _light(finding).value, "code": finding.code, "details": dict(finding.details)}
        for finding in health.findings
    ]
    if learnt:
        account.light = health.light.value
        account.token_expires_at = health.expires_at
    elif account.light != Light.RED:
        account.light = Light.AMBER.value
    stranger = any(finding.code in SOMEBODY_ELSE for finding in health.findings)
    if health.name and health.name != account.name and not stranger:
        renamed = {"name": account.name}, {"name": health.name}
        account.name = health.name
        note(session, "account.rename", f"account:{account_id}", by=by, at=at, before=renamed[0], after=renamed[1])
    session.add(account)
    if account.light != before:
        codes = sorted(finding.code for finding in health.findings)
        note(session, "account.check", f"account:{account_id}", by=by, at=at,
             before={"light": before}, after={"light": account.light, "findings": codes})  # fmt: skip
    return account


def _light(finding: Finding) -> Light:
    """A silent network is no fault of the account."""
    return Light.AMBER if finding.code in UNANSWERED else finding.light


def sentences(account: Account) -> list[str]:
    """What the last check found, in words, the worst first."""
    return [sentence(finding) for finding in _found(account)]


def findings_in_words(account: Account) -> list[tuple[str, str]]:
    """The same, each with its light."""
    return [(finding.light.value, sentence(finding)) for finding in _found(account)]


def _found(account: Account) -> list[Finding]:
    order = [Light.RED, Light.AMBER, Light.GREEN]
    findings = [
        Finding(Light(stored["light"]), str(stored["code"]), stored.get("details") or {}) for stored in account.findings
    ]
    return sorted(findings, key=lambda finding: order.index(finding.light))


def light_name(account: Account) -> str:
    """The light of the last check as people call it; `unknown` before the first one."""
    return _(LIGHT_NAMES.get(account.light or "", N_("unknown")))


def standing(account: Account) -> str:
    """Whether deliveries of an account go out, and why not, in words."""
    reason = account.state_reason or "-"
    match account.state:
        case AccountState.ACTIVE:
            return _("Deliveries go out.")
        case AccountState.PAUSED:
            return _("Paused by a person ({reason}): resume it when that is settled.", reason=reason)
        case AccountState.RESTING:
            return _(
                "Resting, since its authorisation was refused ({reason}): check it, then resume it.", reason=reason
            )
        case AccountState.BLOCKED:
            until = account.blocked_until.strftime("%Y-%m-%d %H:%M UTC") if account.blocked_until else "?"
            return _("Blocked by the network until {until} ({reason}).", until=until, reason=reason)


def told(account: Account) -> dict[str, Any]:
    """An account as data for programs; never its keys."""
    return {
        "id": account.id,
        "network": account.network.value,
        "name": account.name,
        "remote_id": account.remote_id,
        "handle": account.handle,
        "territory": account.territory_code,
        "options": account.options,
        "state": account.state.value,
        "reason": account.state_reason,
        "blocked_until": account.blocked_until,
        "light": account.light,
        "checked_at": account.checked_at,
        "token_expires_at": account.token_expires_at,
        "findings": [
            {
                "light": finding.light.value,
                "code": finding.code,
                "details": dict(finding.details),
                "sentence": sentence(finding),
            }
            for finding in _found(account)
        ],
    }
