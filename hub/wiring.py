"""The only place that picks real things: database, clock, keys, networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from channels import Channel, Network, Rules
from hub.database import build_engine
from hub.domain.account import Account
from hub.domain.delivery import Patience
from hub.secrets import Vault, read_keys
from hub.services.geotargeting import Terms
from hub.settings import Settings

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Hub:
    """Everything that doors and the clock hand to services; a test or the demo may hand in another clock or channel."""

    settings: Settings
    engine: Engine
    now: Clock
    rules: Mapping[Network, Rules]
    terms: Terms
    channel_for: Callable[[Account], Channel]
    patience: Patience = field(default_factory=Patience)

    @property
    def vault(self) -> Vault:
        """The keys, read when needed: looking at data needs none."""
        return vault(self.settings)


def vault(settings: Settings) -> Vault:
    """The keys given as a setting, else those of the key file; KeyTrouble when there are none."""
    given = [key.get_secret_value() for key in settings.secret_keys]
    return Vault(given or read_keys(settings.key_file))


def machine_clock() -> datetime:
    """This moment: the one place where the machine's clock is read."""
    return datetime.now(UTC)
