"""The door bell of a hub on PostgreSQL: something may be due now. It rings with the caller's own transaction, and carries nothing."""  # noqa: E501

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from procrastinate import App

SCHEMA: Final = "relais_bell"
"""Where Procrastinate's tables are: apart from ours, so that neither looks at the other's."""

BELL: Final = "bell"
QUEUE: Final = "relais"

SOON_NOTICED: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that is gone without a word is noticed before the lease of what was being written ends, idle or not."""

MOST_WAITING: Final = 8
"""Bells that nobody has heard yet; one more would tell nothing new."""

ALIVE_SECONDS: Final = 20
"""A worker that was not heard of for longer is taken for dead."""

_OURS: Final = "The bell of Relais, as of "


class ForeignSchema(Exception):
    """The schema of that name is not ours."""


def ring(connection: Connection) -> None:
    """Tell whoever publishes, once this transaction is committed, that something may be due."""
    with _inside(connection):
        if waiting(connection) < MOST_WAITING:
            _defer(connection)


def _defer(connection: Connection) -> None:
    from procrastinate.exceptions import ConnectorException

    driver = connection.connection.dbapi_connection
    try:
        _app().configure_task(BELL, queue=QUEUE, connection=driver).defer()
    except ConnectorException as error:
        # Whoever writes expects the errors of a database, and this is one.
        raise OperationalError("ring the bell", None, error.__cause__ or error) from error


def waiting(connection: Connection) -> int:
    """Bells that nobody has heard yet, up to `MOST_WAITING`."""
    some = f"SELECT FROM {SCHEMA}.procrastinate_jobs WHERE status = 'todo' AND task_name = '{BELL}'"
    return int(connection.scalar(text(f"SELECT count(*) FROM ({some} LIMIT {MOST_WAITING}) AS bells")) or 0)  # noqa: S608


def live_workers(connection: Connection) -> int:
    """How many processes were heard of just now."""
    alive = f"SELECT count(*) FROM {SCHEMA}.procrastinate_workers WHERE last_heartbeat > now() - interval"  # noqa: S608
    return int(connection.scalar(text(f"{alive} '{ALIVE_SECONDS} seconds'")) or 0)


def close_orphans(connection: Connection) -> int:
    """Bells of dead workers are closed, never rung again: whatever they had begun, its lease brings back."""
    dead = (
        f"DELETE FROM {SCHEMA}.procrastinate_jobs AS job WHERE status = 'doing' AND NOT EXISTS ("  # noqa: S608
        f"SELECT FROM {SCHEMA}.procrastinate_workers AS worker WHERE worker.id = job.worker_id "
        f"AND worker.last_heartbeat > now() - interval '{ALIVE_SECONDS} seconds')"
    )
    with _inside(connection):
        return connection.execute(text(dead)).rowcount


@contextmanager
def _inside(connection: Connection) -> Iterator[None]:
    """In the bell's own schema, where its triggers look for its types and tables."""
    connection.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
    yield
    connection.execute(text("SET LOCAL search_path TO DEFAULT"))


def lay(engine: Engine) -> bool:
    """Make Procrastinate's tables as this program's version of it wants them; return whether anything was done.

    Nothing in them is worth keeping: another version's are thrown away.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('relais schema'))"))
        present = _remark(connection)
        if present == _remark_wanted():
            return False
        if present is None and connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}') IS NOT NULL")):
            raise ForeignSchema(SCHEMA)
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        connection.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(_tables())  # many statements: only the bare driver takes them together
        connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{_remark_wanted()}'"))
        return True


def is_foreign(engine: Engine) -> bool:
    """Whether there is a schema of that name which we did not make."""
    with engine.connect() as connection:
        there = bool(connection.scalar(text(f"SELECT to_regnamespace('{SCHEMA}') IS NOT NULL")))
        return there and _remark(connection) is None


def is_laid(engine: Engine) -> bool:
    """Whether Procrastinate's tables are there as this program wants them."""
    with engine.connect() as connection:
        return _remark(connection) == _remark_wanted()


def _remark(connection: Connection) -> str | None:
    """What we wrote on the schema; None when there is none, or not by us."""
    told = connection.scalar(text(f"SELECT obj_description(to_regnamespace('{SCHEMA}'), 'pg_namespace')"))
    return told if told is not None and told.startswith(_OURS) else None


def _remark_wanted() -> str:
    return _OURS + hashlib.sha256(_tables().encode()).hexdigest()[:16]


@cache
def _tables() -> str:
    from procrastinate.schema import SchemaManager

    return SchemaManager.get_schema()


@cache
def _app() -> App:
    """Only to ring with connections of ours: it never opens one itself."""
    from procrastinate import App, SyncPsycopgConnector

    return App(connector=SyncPsycopgConnector())


def connection_options(engine: Engine) -> dict[str, Any]:
    """How Procrastinate's own connections are made: as ours, but in its schema."""
    url = engine.url.set(drivername="postgresql")
    return {
        "conninfo": url.render_as_string(hide_password=False),
        "kwargs": {**SOON_NOTICED, "options": f"-c search_path={SCHEMA}", "application_name": "relais bell"},
    }
