"""The only place that picks real things: database, clock, keys, networks."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from channels import Channel, Network, Rules, boot_clock
from channels.facebook import (
    FacebookPage,
    FacebookRules,
    dialog_address,
    exchange_code,
    exchange_user_token,
    list_pages,
    page_of,
)
from channels.portal import Portal, PortalRules
from channels.x import XAccount, XRules
from hub.database import build_engine, on_server, reading
from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.errors import Invalid
from hub.domain.reach import Unit
from hub.language import _
from hub.mail import FileMailer, Mailer, SmtpMailer
from hub.secrets import Vault, lost_key, read_keys
from hub.services import measuring, sealing
from hub.services.budgeting import Price, Prices
from hub.services.geotargeting import Terms
from hub.settings import Settings

Clock = Callable[[], datetime]
Granted = tuple[str, str, str, tuple[str, ...] | None]
"""A Facebook page: id, name, token, and what the person may do there (None: not said)."""


class _Graph(TypedDict):
    """How the Graph API is reached."""

    base_url: str
    version: str
    timeouts: tuple[float, float]


@dataclass(frozen=True)
class Hub:
    """Everything that doors and the clock hand to services; a test or the demo may hand in another clock or channel."""

    settings: Settings
    engine: Engine
    now: Clock
    rules: Mapping[Network, Rules]
    terms: Terms
    channel_for: Callable[[Account], Channel]
    mailer: Mailer
    patience: Patience = field(default_factory=Patience)
    prices: Prices = field(default_factory=dict)
    """What networks take for being read, and how much of it a month may cost."""
    jitter: Callable[[], float] = random.random
    """A number in 0..1 that spreads repeated tries."""

    @property
    def vault(self) -> Vault:
        """The keys, read when needed: looking at data needs none."""
        keys = keys_of(self.settings)
        if not keys:
            with reading(self.engine) as session:
                if sealing.anything_sealed(session):
                    raise lost_key(self.settings.key_file)
        return Vault(keys)

    def facebook_dialog(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """The address at which a person consents that Relais publishes on their pages."""
        app_id, _secret = self._facebook_app()
        return dialog_address(
            app_id=app_id,
            redirect_uri=redirect_uri,
            state=state,
            verifier=verifier,
            base_url=self.settings.facebook_dialog,
            version=self.settings.facebook_api_version,
        )

    def facebook_pages_by_code(self, code: str, *, verifier: str, redirect_uri: str) -> list[Granted]:
        """The same as `facebook_pages`, for the code that a person brought back from the dialog."""
        app_id, secret = self._facebook_app()
        person = exchange_code(
            app_id=app_id,
            app_secret=secret,
            code=code,
            verifier=verifier,
            redirect_uri=redirect_uri,
            **self._graph(),
        )
        return self.facebook_pages(person.token)

    def facebook_pages(self, user_token: str) -> list[Granted]:
        """The pages that a Facebook user token may speak for: id, name, page token, tasks."""
        app_id, secret = self._facebook_app()
        lasting = exchange_user_token(app_id=app_id, app_secret=secret, user_token=user_token, **self._graph())
        grants = list_pages(user_token=lasting.token, app_secret=secret, **self._graph())
        return [(grant.id, grant.name, grant.token, grant.tasks) for grant in grants]

    def facebook_pages_of_any(self, token: str) -> list[Granted]:
        """The pages that any pasted token opens: a page's own, or all those of a person; a page's says no tasks."""
        secret = self.settings.facebook_app_secret
        page = page_of(token=token, app_secret=secret.get_secret_value() if secret else None, **self._graph())
        return [(page.id, page.name, page.token, None)] if page else list(self.facebook_pages(token))

    @property
    def has_facebook_app(self) -> bool:
        """Whether a person can be asked for their consent."""
        return bool(self.settings.facebook_app_id and self.settings.facebook_app_secret)

    def _facebook_app(self) -> tuple[str, str]:
        settings = self.settings
        if not settings.facebook_app_id or settings.facebook_app_secret is None:
            raise Invalid(
                _("Set RELAIS_FACEBOOK_APP_ID and RELAIS_FACEBOOK_APP_SECRET first: a user token belongs to an app.")
            )
        return settings.facebook_app_id, settings.facebook_app_secret.get_secret_value()

    def _graph(self) -> _Graph:
        settings = self.settings
        return {
            "base_url": settings.facebook_api_url,
            "version": settings.facebook_api_version,
            "timeouts": (settings.connect_timeout, settings.read_timeout),
        }


def wire(settings: Settings, *, now: Clock | None = None, engine: Engine | None = None) -> Hub:
    """The hub of this machine, with the real networks (or the sandbox, where the settings say so)."""
    engine = engine or build_engine(settings.database)
    clock = now or (DatabaseClock(engine) if on_server(engine) else machine_clock)
    rules: dict[Network, Rules] = {
        Network.FACEBOOK: FacebookRules(),
        Network.X: XRules(
            price_post=settings.x_price_post,
            price_post_with_link=settings.x_price_post_with_link,
            price_alt=settings.x_price_alt_text,
        ),
        Network.PORTAL: PortalRules(),
    }
    makers: dict[Network, Callable[[Account], Channel]] = {
        Network.FACEBOOK: lambda account: _facebook(account, settings),
        Network.X: lambda account: _x(account, settings, clock),
        Network.PORTAL: lambda account: Portal(OwnPages(engine), public_url=settings.public_url),
    }
    return Hub(
        settings=settings,
        engine=engine,
        now=clock,
        rules=rules,
        terms=Terms(
            sandboxed=settings.sandboxed,
            link_base=settings.link_base,
            sibling_gap=timedelta(seconds=settings.sibling_gap),
            max_cities=settings.facebook_max_cities,
            max_zips=settings.facebook_max_zips,
        ),
        channel_for=lambda account: makers[Network(account.network)](account),
        mailer=_mailer(settings),
        prices={
            AccountNetwork.X: Price.of(
                post=settings.x_price_read, user=settings.x_price_user_read, month=settings.x_reads_budget
            )
        },
        patience=Patience(
            deadline=timedelta(seconds=settings.call_deadline),
            lease=timedelta(seconds=settings.lease),
            too_late=timedelta(hours=settings.too_late_hours),
        ),
    )


def keys_of(settings: Settings) -> list[str]:
    """The keys given as a setting, else those of the key file, newest first."""
    return [key.get_secret_value() for key in settings.secret_keys] or read_keys(settings.key_file)


def machine_clock() -> datetime:
    """This moment: the one place where the machine's clock is read."""
    return datetime.now(UTC)


class DatabaseClock:
    """The clock of a shared database, by which all machines go: asked now and then, and counted on in between."""

    ASKED_EVERY = 15.0
    """Seconds; what this machine counts meanwhile, sleep included, is off by far less than a tick."""
    SLOWEST = 1.0
    """Seconds: of an answer that took longer nobody knows which moment it means."""

    def __init__(self, engine: Engine, count: Callable[[], float] = boot_clock) -> None:
        self._engine = engine
        self._count = count
        self._lock = threading.Lock()
        self._told: tuple[datetime, float] | None = None
        """What the database said, and our own count at that moment."""

    def __call__(self) -> datetime:
        """This moment."""
        with self._lock:
            told = self._told
            if told is None or self._count() - told[1] > self.ASKED_EVERY:
                told = self._told = self._ask(told)
        return told[0] + timedelta(seconds=self._count() - told[1])

    def _ask(self, before: tuple[datetime, float] | None) -> tuple[datetime, float]:
        asked_at = self._count()
        try:
            with self._engine.connect() as connection:
                asked_at = self._count()  # not before: one may wait long for a connection
                moment: datetime | None = connection.scalar(text("SELECT clock_timestamp()"))
                heard_at = self._count()
        except SQLAlchemyError:
            if before is None:
                raise
            # The database is away: time goes on, and whoever needs the database finds out soon enough.
            return _counted_on(before, asked_at)
        assert moment is not None
        if before is not None and heard_at - asked_at > self.SLOWEST:
            return _counted_on(before, heard_at)
        # It was said somewhere between question and answer.
        return moment.astimezone(UTC), (asked_at + heard_at) / 2


def _counted_on(told: tuple[datetime, float], now: float) -> tuple[datetime, float]:
    return told[0] + timedelta(seconds=now - told[1]), now


def _mailer(settings: Settings) -> Mailer:
    if settings.smtp_url is None:
        return FileMailer(settings.mail_folder, settings.mail_from)
    return SmtpMailer(settings.smtp_url.get_secret_value(), settings.mail_from)


def _secret(account: Account, settings: Settings) -> dict[str, str]:
    assert account.id is not None
    if account.secret is None:
        raise Invalid(_("{account} has no secret. Add the account again with its token.", account=account.name))
    keys = keys_of(settings)
    if not keys:
        raise lost_key(settings.key_file)
    return Vault(keys).open(account.id, account.secret)


def _facebook(account: Account, settings: Settings) -> Channel:
    app_secret = settings.facebook_app_secret
    return FacebookPage(
        page_id=account.remote_id,
        token=_secret(account, settings)["token"],
        base_url=settings.facebook_api_url,
        version=settings.facebook_api_version,
        app_id=settings.facebook_app_id,
        app_secret=app_secret.get_secret_value() if app_secret else None,
        token_in_header=settings.facebook_token_in_header,
        two_step=bool(account.options.get("two_step")),
        timeouts=(settings.connect_timeout, settings.read_timeout),
        total=settings.call_deadline,
    )


def _x(account: Account, settings: Settings, clock: Clock) -> Channel:
    secret = _secret(account, settings)
    return XAccount(
        user_id=account.remote_id,
        username=account.handle or account.name,
        now=clock,
        base_url=settings.x_api_url,
        timeouts=(settings.connect_timeout, settings.read_timeout),
        total=settings.call_deadline,
        consumer_key=secret.get("consumer_key"),
        consumer_secret=secret.get("consumer_secret"),
        access_token=secret.get("access_token"),
        access_token_secret=secret.get("access_token_secret"),
        bearer_token=secret.get("bearer_token"),
    )


class OwnPages:
    """What the portal asks about itself, answered from our rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def knows(self, key: str) -> bool:
        """Whether a delivery with this key is to be shown."""
        query = select(Delivery.id).where(Delivery.key == key, col(Delivery.state) != DeliveryState.CANCELLED)
        with reading(self._engine) as session:
            return session.exec(query).first() is not None

    def visits(self, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Views and clicks so far; an item that nobody has seen yet has none of either."""
        with reading(self._engine) as session:
            told = measuring.visits_of(session, keys)
        return {key: (units.get(Unit.VIEWS, 0), units.get(Unit.CLICKS, 0)) for key, units in told.items()}
