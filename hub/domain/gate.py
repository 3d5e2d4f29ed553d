"""Gates: the frozen set of territories a delivery is limited to, in the network's keys, and how exact they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field

from hub.domain.account import AccountNetwork
from hub.domain.table import Moment, Table, choice

OPEN = "open"
"""The gate key of a delivery that is not limited."""

SANDBOX_SOURCE = "sandbox"
"""The source of invented keys: good for our own sandbox only."""


class KeyKind(StrEnum):
    """What a network key stands for."""

    COUNTRY = "country"
    REGION = "region"
    CITY = "city"
    ZIP = "zip"


class GeoKey(Table, table=True):
    """One network key of a territory; a territory is said by all of its reviewed keys together."""

    __table_args__ = (UniqueConstraint("network", "territory_code", "kind", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    network: AccountNetwork = Field(sa_type=choice(AccountNetwork))
    territory_code: str = Field(foreign_key="territory.code", index=True)
    kind: KeyKind = Field(sa_type=choice(KeyKind))
    key: str
    name: str = ""
    """The network's own name for the key, for the reviewer."""
    covers: list[str] = Field(default_factory=list, sa_type=JSON)
    """Codes of the territories that the key really reaches; more than the territory means spill."""
    source: str
    """Where the key comes from; `sandbox` for invented ones."""
    imported_at: datetime = Field(sa_type=Moment)
    reviewed_at: datetime | None = Field(default=None, sa_type=Moment)
    reviewed_by: str | None = None


@dataclass(frozen=True)
class Precision:
    """How well keys fit a zone, by population: per cent of its people covered, per cent of those covered outside it."""

    covered: float
    spilled: float

    @classmethod
    def of(cls, *, zone: int, reached: int, both: int) -> Precision:
        """From people of the zone, people reached, and people of the zone who are reached."""
        return cls(
            covered=round(100 * both / zone, 1) if zone else 0.0,
            spilled=round(100 * (reached - both) / reached, 1) if reached else 0.0,
        )


@dataclass(frozen=True)
class Gate:
    """A limit, compiled for one network: kind → keys, none on a network that knows our territories itself."""

    territories: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    precision: Precision | None = None
    invented: bool = False
    """Its keys are the sandbox's: good there only, which is looked at again before anything is said."""

    @property
    def key(self) -> str:
        """A short stable name of the set of territories."""
        return gate_key(self.territories)

    def stored(self) -> dict[str, Any]:
        """As it is frozen on a delivery."""
        precision = self.precision and {"covered": self.precision.covered, "spilled": self.precision.spilled}
        keys = {kind: list(values) for kind, values in self.keys.items()}
        told: dict[str, Any] = {"territories": list(self.territories), "keys": keys, "precision": precision}
        return {**told, "invented": True} if self.invented else told


def gate_key(territories: Iterable[str]) -> str:
    """The codes joined while short, else their count and digest; `open` for none."""
    codes = sorted(territories)
    if not codes:
        return OPEN
    joined = "+".join(codes)
    if len(joined) <= 60:
        return joined
    return f"{len(codes)}x{hashlib.sha256(joined.encode()).hexdigest()[:16]}"
