"""How the hub is: what is ill, what needs care, in words that say what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session, col, func, select

from channels import Light
from hub.domain.account import NETWORK_NAMES, Account, AccountNetwork, AccountState, AppWait
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.gate import GeoKey
from hub.domain.territory import Level, Territory
from hub.language import _, ngettext
from hub.services import attending, budgeting, connecting, delivering, foreseeing, notifying
from hub.services.budgeting import NO_PRICES, Prices

OVERDUE = timedelta(minutes=5)
"""A delivery that nobody claimed so long after it was due, though its account may be called, means a dead clock."""

LONG_WAIT = timedelta(hours=1)
"""A wait that a network asks for is news when it is longer."""

DISK_RED, DISK_AMBER = 50 * 2**20, 500 * 2**20
"""Bytes left on the disk of the database."""


@dataclass(frozen=True)
class Sign:
    """One thing that was looked at; `area` is clock, database, disk, accounts, keys, deliveries, mails or hold."""

    area: str
    light: Light
    text: str
    told_to_all: str | None = None
    """Other words for those who are not signed in, where `text` repeats what a person typed."""

    @property
    def brief(self) -> str:
        """The sign without any person's words."""
        return self.told_to_all or self.text


def disk(home: Path) -> Sign:
    """How much room is left where the database is."""
    try:
        free = shutil.disk_usage(home).free
    except OSError as error:
        return Sign("disk", Light.RED, _("The folder {home} cannot be read: {why}.", home=home, why=error.strerror))
    left = f"{free // 2**20} MB"
    if free < DISK_RED:
        return Sign("disk", Light.RED, _("The disk is nearly full ({left} left): make room now.", left=left))
    if free < DISK_AMBER:
        return Sign("disk", Light.AMBER, _("The disk is filling up ({left} left): make room soon.", left=left))
    return Sign("disk", Light.GREEN, _("Disk: {left} left.", left=left))


def workers(session: Session, *, at: datetime) -> Sign:
    """Who publishes from a shared database: nobody is as ill as a dead clock."""
    alive = attending.alive(session, at=at)
    if not alive:
        last = attending.last_seen(session)
        since = last.strftime("%Y-%m-%d %H:%M UTC") if last else _("never")
        text = _("Nobody publishes: no worker is alive (last heard of: {since}). Start “relais worker”.", since=since)
        return Sign("clock", Light.RED, text)
    stuck = [one for one in alive if one.trouble]
    if stuck:
        told = "; ".join(f"{one.name}: {one.trouble}" for one in stuck)
        light = Light.RED if len(stuck) == len(alive) else Light.AMBER
        text = ngettext(
            "{count} of {all} workers is in trouble ({told}).",
            "{count} of {all} workers are in trouble ({told}).",
            len(stuck),
            all=len(alive),
            told=told,
        )
        return Sign("clock", light, text)
    return Sign("clock", Light.GREEN, ngettext("{count} worker publishes.", "{count} workers publish.", len(alive)))


def signs(session: Session, *, at: datetime, prices: Prices = NO_PRICES) -> list[Sign]:
    """Everything that the database tells of the hub's health, the worst first within each area."""
    return [
        *_hold(session),
        *_accounts(session, at),
        *_budgets(session, at, prices),
        *_deliveries(session, at),
        *_mails(session, at),
        *_keys(session),
    ]


def _hold(session: Session) -> Iterator[Sign]:
    if hold := delivering.open_hold(session):
        since = hold.since.strftime("%Y-%m-%d %H:%M UTC")
        yield Sign(
            "hold",
            Light.AMBER,
            _(
                "Everything is on hold since {since} ({reason}): nothing goes out. “relais hold off” ends it.",
                since=since,
                reason=hold.reason,
            ),
            _("Everything is on hold: nothing goes out."),
        )


def _accounts(session: Session, at: datetime) -> Iterator[Sign]:
    yield from _apps(session, at)
    planned = foreseeing.after_end(session)
    for account in session.exec(select(Account).order_by(col(Account.id))):
        name, reason = account.name, account.state_reason or "—"
        if account.state is AccountState.RESTING:
            text = _(
                "{account} rests: {reason} Run “relais account check {id}”, then “relais account resume {id}”.",
                account=name,
                reason=reason,
                id=account.id,
            )
        elif account.state is AccountState.BLOCKED and account.blocked_until and account.blocked_until > at:
            text = _("{account} is blocked by its network: {reason}", account=name, reason=reason)
        elif account.state is AccountState.PAUSED:
            text = _("{account} is paused: {reason}", account=name, reason=reason)
        elif account.not_before and account.not_before - at > LONG_WAIT:
            text = _(
                "{account} makes no call before {moment}: its network asked for that.",
                account=name,
                moment=account.not_before.strftime("%Y-%m-%d %H:%M UTC"),
            )
        elif account.token_expires_at and account.token_expires_at <= at:
            text = _(
                "The token of {account} ended on {day}: nothing goes out until it is renewed.",
                account=name,
                day=account.token_expires_at.date().isoformat(),
            )
        elif account.token_expires_at and account.id in planned:
            text = _(
                "The token of {account} ends on {day}, before the post planned for {planned}: renew it before.",
                account=name,
                day=account.token_expires_at.date().isoformat(),
                planned=planned[account.id].wall_time[:10],
            )
        elif account.token_expires_at and account.token_expires_at - at < timedelta(days=14):
            text = _(
                "The token of {account} ends on {day}: renew it before.",
                account=name,
                day=account.token_expires_at.date().isoformat(),
            )
        elif account.light == Light.RED.value:
            text = _(
                "The last check of {account} was red. Run “relais account check {id}”.", account=name, id=account.id
            )
        else:
            continue
        brief = _("{account} needs care: {state}.", account=name, state=_(connecting.STATE_NAMES[account.state]))
        yield Sign("accounts", Light.AMBER, text, brief)


def _apps(session: Session, at: datetime) -> Iterator[Sign]:
    """Waits of a whole app: they hold back many accounts at once, so that also a short one is worth telling."""
    for app in session.exec(select(AppWait).order_by(col(AppWait.app_key))):
        network = _(NETWORK_NAMES[AccountNetwork(app.app_key.partition(":")[0])])
        if app.not_before and app.not_before > at:
            text = _(
                "No account of this app on {network} makes a call before {moment}: {reason} They go on by themselves.",
                network=network,
                moment=app.not_before.strftime("%Y-%m-%d %H:%M UTC"),
                reason=_ended(app.reason),
            )
            brief = _("{network} asks to wait.", network=network)
        elif app.reads_not_before and app.reads_not_before > at:
            text = _(
                "Nothing is read from {network} before {moment}: {reason} Posts go out; figures wait, and what must be "
                "read back is shown to a person.",
                network=network,
                moment=app.reads_not_before.strftime("%Y-%m-%d %H:%M UTC"),
                reason=_ended(app.reason),
            )
            brief = _("{network} lets nothing be read for now.", network=network)
        else:
            continue
        yield Sign("accounts", Light.AMBER, text, brief)


def _budgets(session: Session, at: datetime, prices: Prices) -> Iterator[Sign]:
    for one in budgeting.strains(session, prices, at=at):
        told = {
            "network": _(NETWORK_NAMES[one.network]),
            "spent": f"{one.spent:.2f}",
            "month": f"{one.month:.2f}",
            "day": one.again_on.isoformat(),
        }
        if one.is_over:
            text = _(
                "The money for reading figures on {network} is used up ({spent} of {month} US dollars): none are read "
                "before {day}. RELAIS_X_READS_BUDGET allows more.",
                **told,
            )
            brief = _("No figures are read on {network} for now.", network=told["network"])
        else:
            text = _(
                "Reading figures on {network} has cost {spent} of {month} US dollars this month: once that is used up, "
                "none are read before {day}. RELAIS_X_READS_BUDGET allows more.",
                **told,
            )
            brief = _("The money for reading figures on {network} is nearly used up.", network=told["network"])
        yield Sign("accounts", Light.AMBER, text, brief)


def _ended(words: str) -> str:
    """Somebody's words as a sentence of their own."""
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _deliveries(session: Session, at: datetime) -> Iterator[Sign]:
    late = overdue(session, at=at, after=OVERDUE)
    if late and not delivering.open_hold(session):
        yield Sign(
            "clock",
            Light.RED,
            ngettext(
                "{count} delivery is overdue: nobody publishes. Start “relais serve” (PostgreSQL: “relais worker”).",
                "{count} deliveries are overdue: nobody publishes. Start “relais serve” (PostgreSQL: “relais worker”).",
                late,
            ),
        )
    review, unknown = (_in_state(session, state) for state in (DeliveryState.REVIEW, DeliveryState.UNKNOWN))
    if review:
        text = ngettext(
            "{count} delivery waits for a decision (relais delivery list --state review).",
            "{count} deliveries wait for a decision (relais delivery list --state review).",
            review,
        )
        yield Sign("deliveries", Light.AMBER, text)
    if unknown:
        text = ngettext(
            "The outcome of {count} delivery is being read back.",
            "The outcomes of {count} deliveries are being read back.",
            unknown,
        )
        yield Sign("deliveries", Light.AMBER, text)


def overdue(session: Session, *, at: datetime, after: timedelta) -> int:
    """How many deliveries nobody claimed so long after they were due, though nothing stood in their way but a hold."""
    return session.exec(
        select(func.count())
        .select_from(Delivery)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            Delivery.state == DeliveryState.WAITING,
            col(Delivery.ready_at) < at - after,
            delivering.callable_account(at),
            delivering.not_held_up(at),
        )
    ).one()


def _in_state(session: Session, state: DeliveryState) -> int:
    return session.exec(select(func.count()).select_from(Delivery).where(Delivery.state == state)).one()


def _mails(session: Session, at: datetime) -> Iterator[Sign]:
    kept = notifying.backlog(session, at=at)
    if kept.waiting:
        text = ngettext(
            "{count} message to somebody waits: mails do not leave. {why} It is tried again; look at RELAIS_SMTP_URL.",
            "{count} messages to people wait: mails do not leave. {why} It is tried again; look at RELAIS_SMTP_URL.",
            kept.waiting,
            why=kept.why,
        )
        yield Sign("mails", Light.AMBER, text)
    elif kept.given_up:
        text = ngettext(
            "{count} message to somebody was given up in the last seven days. {why}",
            "{count} messages to people were given up in the last seven days. {why}",
            kept.given_up,
            why=kept.why,
        )
        yield Sign("mails", Light.AMBER, text)


def post_office(mail_folder: Path | None, *, public: bool) -> Sign:
    """Where mails go: a file that nobody receives is care for those whom others reach, and none while trying out."""
    if mail_folder is None:
        return Sign("mails", Light.GREEN, _("Mails leave through the mail server of RELAIS_SMTP_URL."))
    text = _("Mails become files in {folder}: nobody receives them until RELAIS_SMTP_URL is set.", folder=mail_folder)
    return Sign("mails", Light.AMBER if public else Light.GREEN, text)


def _keys(session: Session) -> Iterator[Sign]:
    facebook = session.exec(select(Account.id).where(Account.network == AccountNetwork.FACEBOOK).limit(1)).first()
    academies = set(session.exec(select(Territory.code).where(Territory.level == Level.ACADEMIE)))
    reviewed = select(GeoKey.territory_code).where(
        GeoKey.network == AccountNetwork.FACEBOOK, col(GeoKey.reviewed_at).is_not(None)
    )
    with_keys = set(session.exec(reviewed))
    missing = academies - with_keys
    if missing:
        yield Sign(
            "keys",
            # Nobody misses them before there is a page.
            Light.GREEN if facebook is None else Light.AMBER,
            ngettext(
                "{count} of {all} territories has no reviewed Facebook key: posts cannot be limited to it "
                "(relais geo keys).",
                "{count} of {all} territories have no reviewed Facebook key: posts cannot be limited to them "
                "(relais geo keys).",
                len(missing),
                all=len(academies),
            ),
        )
