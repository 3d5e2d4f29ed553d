"""Policies: what the people of this house agreed on, changed by them while it runs (machines differ by settings)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field as Bounded
from sqlalchemy import JSON
from sqlmodel import Field

from hub.domain.event import Typed
from hub.domain.table import Moment, Table


class Policy(Table, table=True):
    """One agreed value; absent: the usual one."""

    name: str = Field(primary_key=True, max_length=60)
    value: Any = Field(default=None, sa_type=JSON)
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: str


class Policies(Typed):
    """All of them, with what is usual."""

    silence_days: int = Bounded(default=14, ge=1, le=365)
    """A territory that published nothing for so many days stands out."""
    token_warning_days: int = Bounded(default=14, ge=1, le=90)
    """An account whose token ends within so many days is in trouble."""
    expiry_warning_hours: int = Bounded(default=24, ge=1, le=168)
    """A post that nobody has approved so shortly before its time is told about."""
    approval_lead_hours: int = Bounded(default=24, ge=0, le=336)
    """How long before its time a post should be handed in; a warning, not a refusal."""
    second_factor: bool = False
    """Coordinators and administrators must show a second factor."""
    usual_time: str = Bounded(default="18:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    """The time of day that a new post begins with."""
    daily_mail_hour: int = Bounded(default=7, ge=0, le=23)
    """When the mail of the day goes out, in each person's own zone."""
