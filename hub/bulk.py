"""Many rows at once, by the driver's own way: where an ORM would cost more than the database does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlmodel import Session


@cache
def _statement(table: str, columns: tuple[str, ...], keys: tuple[str, ...], mark: str, *, renew: bool) -> str:
    """An INSERT that both databases understand; a row that is there already is left, or takes the new values."""
    named, marks = ", ".join(columns), ", ".join([mark] * len(columns))
    same = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    otherwise = f"DO UPDATE SET {same}" if renew else "DO NOTHING"
    # Names are those of our own tables, never anybody's words.
    return f"INSERT INTO {table} ({named}) VALUES ({marks}) ON CONFLICT ({', '.join(keys)}) {otherwise}"  # noqa: S608


def put(
    session: Session, table: type, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, keys: Sequence[str],
    renew: bool,
) -> int:  # fmt: skip
    """Put rows into a table, each in the order of the columns; return how many were written.

    Values are what the driver takes (see `moments`): choices as their text, days as `date` or ISO text.
    """
    connection = session.connection()
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    statement = _statement(str(table.__tablename__), tuple(columns), tuple(keys), mark, renew=renew)  # type: ignore[attr-defined]
    return int(connection.exec_driver_sql(statement, list(rows)).rowcount) if rows else 0


class moments(dict[datetime, Any]):  # noqa: N801 - it is used like the function that it stands for
    """Moments as the driver of a session takes them, each worked out once: `moments(session)[at]`."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._as_text = session.get_bind().dialect.name == "sqlite"

    def __missing__(self, at: datetime) -> Any:
        told = self[at] = f"{at:%Y-%m-%d %H:%M:%S.%f}" if self._as_text else at
        return told
