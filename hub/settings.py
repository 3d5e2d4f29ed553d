"""All that differs between machines; read once, at a door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url

from hub.domain.errors import FieldProblem, Invalid
from hub.language import _
from hub.mail import sender_is_good, why_not_smtp
from hub.masking import remember

FACEBOOK: Final = "https://www.facebook.com"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

SHORTEST_TOKEN: Final = 16
"""What whoever reads /metrics shows has at least so many characters."""


def is_loopback(url: str) -> bool:
    """Whether an address leads to this very machine."""
    return urlsplit(url).hostname in LOOPBACK


class Settings(BaseSettings):
    """Every setting, with the environment variable `RELAIS_<NAME>`; docs/settings.md says what each is for."""

    model_config = SettingsConfigDict(env_prefix="RELAIS_", extra="ignore", validate_default=True)

    home: Path = Field(default=Path())
    """Folder of the database, the key file and the lock."""
    database_url: str | None = None
    """SQLAlchemy address; default: `relais.db` in the home folder."""
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Fernet keys, comma-separated, newest first; default: the file `relais.key` in the home folder."""
    public_url: str = "http://127.0.0.1:8000"
    """Address under which people reach this hub."""
    language: Literal["fr", "en"] = "fr"

    facebook_api_url: str = "https://graph.facebook.com"
    facebook_dialog_url: str | None = None
    """Where people consent; default: Facebook itself, or the sandbox where the Graph API is."""
    facebook_api_version: str = "v26.0"
    facebook_app_id: str | None = None
    facebook_app_secret: SecretStr | None = None
    facebook_token_in_header: bool = False
    facebook_max_cities: int = Field(default=250, ge=1)
    facebook_max_zips: int = Field(default=2500, ge=1)
    x_api_url: str = "https://api.x.com"
    x_price_post: Decimal = Decimal("0.015")
    x_price_post_with_link: Decimal = Decimal("0.200")
    x_price_alt_text: Decimal = Decimal("0.005")
    x_price_read: Decimal = Field(default=Decimal("0.005"), ge=0)
    """US dollars for reading the figures of one post."""
    x_price_user_read: Decimal = Field(default=Decimal("0.010"), ge=0)
    """US dollars for reading the figures of an account."""
    x_reads_budget: Decimal = Field(default=Decimal(20), ge=0, le=2000)
    """US dollars that reading figures may cost in a month, through all X accounts together."""

    connect_timeout: float = Field(default=3, gt=0)
    """Seconds to make a connection to a network."""
    read_timeout: float = Field(default=15, gt=0)
    """Seconds of silence from a network."""
    call_deadline: float = Field(default=45, gt=0)
    """Seconds for the whole of one publishing call."""
    lease: float = Field(default=120, gt=0)
    """Seconds that a worker may keep a delivery; at least twice the deadline."""
    too_late_hours: float = Field(default=6, gt=0)
    sibling_gap: float = Field(default=60, ge=0)
    """Seconds between several gated deliveries of one post on one account."""
    workers: int = Field(default=16, ge=1, le=64)
    """Calls in flight at once."""
    smtp_url: SecretStr | None = None
    """Mail server, with name and password if it asks for them; default: mails become files in the home folder."""
    mail_from: str = "Relais <relais@localhost>"
    """Who mails come from."""
    metrics_token: SecretStr | None = None
    """What whoever reads /metrics must show; default: there is no such address."""
    chromium: Path | None = None
    """The program that makes PDFs of reports; default: the Chromium or Chrome that is installed."""
    log_format: Literal["text", "json"] = "text"
    """How `relais serve` writes its log."""

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("secret_keys")
    @classmethod
    def _keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        try:
            for key in value:
                Fernet(key.get_secret_value())
        except ValueError:
            # Not `from`: the cause may hold a piece of the key.
            raise ValueError(_("each key has 44 characters, as “relais init” writes them.")) from None
        return value

    @field_validator("facebook_api_url", "facebook_dialog_url", "x_api_url", "public_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(_("Give a whole address, such as https://example.org."))
        if parts.scheme == "http" and not is_loopback(value):
            raise ValueError(_("Plain http is accepted for this machine only; use https."))
        return value.rstrip("/")

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (why := why_not_smtp(value.get_secret_value())):
            raise ValueError(why)
        return value

    @field_validator("metrics_token")
    @classmethod
    def _not_to_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(_("give at least {count} characters that nobody guesses.", count=SHORTEST_TOKEN))
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        if not sender_is_good(value):
            raise ValueError(_("give a sender such as Relais <relais@example.org>."))
        return value

    @property
    def database(self) -> str:
        """The address of the database."""
        return self.database_url or f"sqlite:///{self.home / 'relais.db'}"

    @property
    def key_file(self) -> Path:
        """Where the secret keys are, unless they are given as a setting."""
        return self.home / "relais.key"

    @property
    def mail_folder(self) -> Path:
        """Where mails become files while no mail server is set."""
        return self.home / "mails"

    @property
    def lock_file(self) -> Path:
        """Whoever holds it publishes; it lies beside the database, which two home folders may share."""
        address = make_url(self.database)
        if address.get_backend_name() == "sqlite" and address.database:
            return Path(address.database).with_suffix(".lock")
        return self.home / "relais.lock"

    @property
    def sandboxed(self) -> frozenset[str]:
        """The networks that are our own sandbox: those on this machine."""
        urls = {"facebook": self.facebook_api_url, "x": self.x_api_url}
        return frozenset(network for network, url in urls.items() if is_loopback(url))

    @property
    def facebook_dialog(self) -> str:
        """The address of Facebook's dialog: a training hub never sends anybody to the real one by mistake."""
        if self.facebook_dialog_url:
            return self.facebook_dialog_url
        return self.facebook_api_url if "facebook" in self.sandboxed else FACEBOOK

    @property
    def link_base(self) -> str | None:
        """Where our marked links lead, or None while this hub cannot be reached by those who would follow them."""
        if is_loopback(self.public_url) and self.sandboxed != {"facebook", "x"}:
            return None
        return f"{self.public_url}/l/"


def read_settings(**given: Any) -> Settings:
    """The settings of this process; raises Invalid with one sentence per wrong variable."""
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems = []
        for one in error.errors():
            name = "RELAIS_" + "_".join(str(part) for part in one["loc"]).upper()
            message = one["msg"].removeprefix("Value error, ")
            problems.append(FieldProblem(name, _("Setting {name}: {message}", name=name, message=message)))
        raise Invalid(problems) from error
    remember(*_secrets(settings))
    return settings


def _secrets(settings: Settings) -> Iterator[str | None]:
    """Every setting that no log may repeat."""
    kept = (settings.facebook_app_secret, settings.smtp_url, settings.metrics_token, *settings.secret_keys)
    yield from (one.get_secret_value() for one in kept if one is not None)
    for address in (settings.smtp_url and settings.smtp_url.get_secret_value(), settings.database_url):
        with suppress(ValueError):  # one that is none is refused by whoever uses it
            parts = urlsplit(address or "")
            password = parts.password or ""
            yield from (password, unquote(password), *parse_qs(parts.query).get("password", []))
