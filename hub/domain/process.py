"""The processes that publish from a shared database, and when each was last heard of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Field

from hub.domain.table import Moment, Table

SILENT_AFTER: Final = timedelta(seconds=20)
"""Whoever was not heard of for longer is taken for dead."""


class Process(Table, table=True):
    """One start of `relais worker`."""

    owner: str = Field(primary_key=True)
    """The name that it writes on its leases."""
    host: str
    pid: int
    version: str
    started_at: datetime = Field(sa_type=Moment)
    seen_at: datetime = Field(sa_type=Moment)
    trouble: str | None = None
    """What stands in its way, in words."""

    @property
    def name(self) -> str:
        """How people find it: machine and process id."""
        return f"{self.host}/{self.pid}"

    def is_alive(self, at: datetime) -> bool:
        """Whether it was heard of just now."""
        return self.seen_at > at - SILENT_AFTER
