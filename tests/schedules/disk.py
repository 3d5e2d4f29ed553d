"""A disk that refuses to be written from a chosen statement on: the database itself says so, as when one is full."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event


class Disk:
    """The disk under an engine."""

    def __init__(self, engine: Engine) -> None:
        self.breaks_at: str | None = None
        """Beginning of the statement at which it breaks."""
        self.broken = False
        self.error = "InternalError" if engine.dialect.name == "postgresql" else "OperationalError"
        """What its refusal is called."""
        self._on_server = engine.dialect.name == "postgresql"
        event.listen(engine, "before_cursor_execute", self._look)

    def mend(self) -> None:
        """Make room."""
        self.breaks_at, self.broken = None, False

    def _look(self, _connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        self.broken = self.broken or (self.breaks_at is not None and statement.startswith(self.breaks_at))
        if not self._on_server:
            cursor.execute(f"PRAGMA query_only={'ON' if self.broken else 'OFF'}")
        elif self.broken:
            cursor.execute("SET TRANSACTION READ ONLY")
