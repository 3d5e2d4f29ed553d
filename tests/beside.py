"""What a database looks like from beside the program: all that it holds, and whether a transaction is open."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool


def dump(engine: Engine) -> list[str]:
    """Every row of every table, as one line each."""
    lines = []
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"'))
            lines += [f"{table} {tuple(row)!r}" for row in rows]
    return lines


def tell(engine: Engine, statement: str, **values: object) -> list[tuple[object, ...]]:
    """Run one statement on a connection of its own that waits for nobody: an error if somebody holds what it needs."""
    patience = {"options": "-c lock_timeout=200ms"} if engine.dialect.name == "postgresql" else {"timeout": 0.2}
    other = create_engine(engine.url, poolclass=NullPool, connect_args=patience)
    with other.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            open_yet = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND state LIKE 'idle in transaction%'"
            )
            assert connection.scalar(text(open_yet)) == 0, "a transaction is open"
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []
