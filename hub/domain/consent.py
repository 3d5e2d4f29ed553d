"""Consents: somebody's way through a network's dialog and back, bound to one session in a browser."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Field

from hub.domain.table import Moment, Table

WAY_LASTS: Final = timedelta(minutes=15)
"""How long somebody may take in the network's dialog."""

CHOICE_LASTS: Final = timedelta(minutes=30)
"""How long they may then take to say which page speaks for which territory."""


class Consent(Table, table=True):
    """One way to the dialog: it is gone once, by the session that began it, in time."""

    id: int | None = Field(default=None, primary_key=True)
    sign_in_id: int = Field(foreign_key="sign_in.id", index=True, ondelete="CASCADE")
    person_id: int = Field(foreign_key="person.id", index=True)
    account_id: int | None = Field(default=None, foreign_key="account.id")
    """The account whose token is to be renewed; None: pages are to be added."""
    hash: str = Field(unique=True)
    """SHA-256 of the state that the dialog gives back."""
    verifier: str | None = None
    """Encrypted: what proves that whoever exchanges the code is who asked for it (PKCE)."""
    pages: str | None = None
    """Encrypted: the pages that were granted, with their tokens, until somebody chose."""
    created_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(sa_type=Moment, index=True)
    returned_at: datetime | None = Field(default=None, sa_type=Moment)
