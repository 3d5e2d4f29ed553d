"""Sheets: what somebody is typing, kept as typed until it has become a post."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field

from hub.domain.table import Moment, Table


class Sheet(Table, table=True):
    """One unfinished form: its fields as typed, right or wrong."""

    id: str = Field(primary_key=True, max_length=32)
    """Random; it stands in the address of the page."""
    person_id: int = Field(foreign_key="person.id", index=True)
    post_id: int | None = Field(default=None, foreign_key="post.id", index=True)
    """The post being changed; None: a new one."""
    version: int | None = None
    """The version of the post that the person began from."""
    fields: list[Any] = Field(default_factory=list, sa_type=JSON)
    """Pairs of field name and text, in the order of the form."""
    saved_at: datetime = Field(sa_type=Moment)
