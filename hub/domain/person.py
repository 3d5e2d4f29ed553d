"""People, and the roles that they hold, each for a territory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from hub.domain.notice import Rhythm
from hub.domain.table import Moment, Table, choice
from hub.domain.territory import Atlas


class RoleKind(StrEnum):
    """What somebody does here."""

    ANIMATOR = "animator"
    COORDINATOR = "coordinator"
    ANALYST = "analyst"
    ADMINISTRATOR = "administrator"


WRITERS = frozenset({RoleKind.ANIMATOR, RoleKind.COORDINATOR})
"""Roles that write and change posts."""

ACCOUNT_KEEPERS = frozenset({RoleKind.COORDINATOR, RoleKind.ADMINISTRATOR})
"""Roles that manage accounts."""

PLACE_KEEPERS = frozenset({RoleKind.ANIMATOR, RoleKind.COORDINATOR, RoleKind.ADMINISTRATOR})
"""Roles that keep what is said of places right."""


class Person(Table, table=True):
    """Somebody who signs in; an invited one has no password yet."""

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True, max_length=254)
    """In lower case."""
    name: str
    password_hash: str | None = None
    created_at: datetime = Field(sa_type=Moment)
    disabled_at: datetime | None = Field(default=None, sa_type=Moment)
    failures: int = 0
    """Wrong passwords in a row."""
    wait_until: datetime | None = Field(default=None, sa_type=Moment)
    """No password is even looked at before this moment."""
    last_sign_in_at: datetime | None = Field(default=None, sa_type=Moment)
    mail_rhythm: Rhythm = Field(default=Rhythm.AT_ONCE, sa_type=choice(Rhythm))


class Role(Table, table=True):
    """A role held for a territory."""

    __table_args__ = (UniqueConstraint("person_id", "kind", "territory_code"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    kind: RoleKind = Field(sa_type=choice(RoleKind))
    territory_code: str = Field(foreign_key="territory.code")


class Scope(StrEnum):
    """What a token opens."""

    API = "api"
    CALENDAR = "calendar"
    """The calendar file of its holder, by a private link; nothing else."""


class Token(Table, table=True):
    """A named key to the API, or to one's calendar; only its hash is kept."""

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    name: str
    hash: str = Field(unique=True)
    """SHA-256 of the token, in hex: the token is random, so no slow hash is needed."""
    scope: Scope = Field(default=Scope.API, sa_type=choice(Scope))
    created_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    last_used_at: datetime | None = Field(default=None, sa_type=Moment)
    revoked_at: datetime | None = Field(default=None, sa_type=Moment)


@dataclass(frozen=True)
class HeldRole:
    """A role as rules see it."""

    kind: RoleKind
    territory_code: str


@dataclass(frozen=True)
class Actor:
    """A person who acts, with the roles that they hold at this moment."""

    id: int
    email: str
    name: str
    roles: tuple[HeldRole, ...]

    def territories(self, kinds: Iterable[RoleKind] = frozenset(RoleKind)) -> list[str]:
        """Where they hold one of these roles."""
        wanted = set(kinds)
        return [role.territory_code for role in self.roles if role.kind in wanted]

    def holds_for_all(self, atlas: Atlas, kinds: Iterable[RoleKind], codes: Iterable[str]) -> bool:
        """Whether one of these roles is held for the whole of these territories."""
        held = self.territories(kinds)
        return bool(held) and atlas.covers(held, codes)

    def meets(self, atlas: Atlas, codes: Iterable[str], kinds: Iterable[RoleKind] = frozenset(RoleKind)) -> bool:
        """Whether a role of theirs touches one of these territories."""
        held = self.territories(kinds)
        return any(atlas.meet(code, other) for code in codes for other in held)
