"""Coming in through the browser: sessions, single-use links, and the second factor."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import Field

from hub.domain.table import Moment, Table, choice

IDLE: Final = timedelta(hours=2)
"""A session that nobody uses ends."""

LONGEST: Final = timedelta(hours=12)
"""However busy, a session ends."""

INVITATION_LASTS: Final = timedelta(days=7)
RESET_LASTS: Final = timedelta(hours=1)


class SignIn(Table, table=True):
    """A session in a browser; only the hash of its cookie is kept."""

    __tablename__ = "sign_in"

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    hash: str = Field(unique=True)
    """SHA-256 of the cookie, in hex."""
    device: str = ""
    """Browser and system, so that its owner knows it again; never an address."""
    created_at: datetime = Field(sa_type=Moment)
    seen_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    """By its owner, an administrator, or a change of password or role."""
    second_factor_at: datetime | None = Field(default=None, sa_type=Moment)
    """When the second factor was shown; None: not yet, or not needed."""

    def holds(self, at: datetime) -> bool:
        """Whether it still opens anything."""
        return self.ended_at is None and at < self.ends_at and at - self.seen_at < IDLE


class Purpose(StrEnum):
    """What a single-use link is for."""

    INVITATION = "invitation"
    RESET = "reset"


class Ticket(Table, table=True):
    """A single-use link to choose a password; only its hash is kept."""

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    purpose: Purpose = Field(sa_type=choice(Purpose))
    hash: str = Field(unique=True)
    created_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    used_at: datetime | None = Field(default=None, sa_type=Moment)


class SecondFactor(Table, table=True):
    """The authenticator of a person; in force once they showed a code of it."""

    __tablename__ = "second_factor"

    person_id: int = Field(foreign_key="person.id", primary_key=True)
    secret: str
    """Encrypted, bound to the person."""
    created_at: datetime = Field(sa_type=Moment)
    confirmed_at: datetime | None = Field(default=None, sa_type=Moment)
    last_step: int = 0
    """The newest time step that was used: no code is good twice."""
    failures: int = 0
    wait_until: datetime | None = Field(default=None, sa_type=Moment)


class RecoveryCode(Table, table=True):
    """A way in without the authenticator, once; only its hash is kept."""

    __tablename__ = "recovery_code"

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    hash: str
    used_at: datetime | None = Field(default=None, sa_type=Moment)
