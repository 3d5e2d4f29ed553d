"""The engine, and the only two ways to a session: reading() to look, writing() to change."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DisconnectionError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from hub import bell
from hub.domain.errors import HubError, Invalid
from hub.language import N_, _

APPLICATION_ID = 0x52454C41
"""`RELA`: marks a SQLite file as ours."""

BUSY_TIMEOUT_MS = 5000

POOL: Final = {"pool_size": 24, "max_overflow": 72, "pool_timeout": 10}
"""More connections than all threads of a process together (calls, ticks, requests): none waits for another's."""

SHARED_POOL: Final = {"pool_size": 20, "max_overflow": 12, "pool_timeout": 10, "pool_recycle": 1800}
"""On a server that others use too. One for each thread that publishes is kept: to open one costs more than a delivery
costs otherwise, and what the server has learnt of our statements is lost with it."""

RESTED_SECONDS: Final = 1.0
"""A connection that nobody used for so long is asked first whether it still works."""

OLDEST_POSTGRESQL: Final = 14

SERVER_OPTIONS: Final = (
    # An attempt that was written down is there after a power cut too, whatever the server's own default.
    "-c synchronous_commit=on -c timezone=UTC -c lock_timeout=20s -c idle_in_transaction_session_timeout=60s"
)

OUR_OLDEST_TABLES = frozenset({"territory", "delivery", "attempt"})
"""Tables that every Relais has had, by which a newer one is told from a stranger's database."""


class DatabaseTrouble(HubError):
    """The database is missing, ill, not ours, or of another version."""


def build_engine(url: str) -> Engine:
    """An engine with our durability: on SQLite WAL, synchronous=FULL and `BEGIN IMMEDIATE` for writers."""
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise _no_address() from error
    if backend == "postgresql" or address.drivername == "postgres":
        return _postgresql(address.set(drivername="postgresql+psycopg"))
    if backend != "sqlite":
        raise _no_address()
    patience = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
    engine = create_engine(address, connect_args=patience, hide_parameters=True, **POOL)
    event.listen(engine, "connect", _prepare_sqlite)
    queue = _WriteQueue()
    event.listen(engine, "begin", queue.begin)
    event.listen(engine, "checkin", queue.leave)
    return engine


def _no_address() -> Invalid:
    return Invalid(
        _("RELAIS_DATABASE_URL is not the address of a database: use sqlite:///file or postgresql+psycopg://…")
    )


def _postgresql(address: URL) -> Engine:
    if password := address.query.get("password"):
        # Where it is shown nowhere: what stands behind the question mark is.
        address = address.difference_update_query(["password"]).set(password=str(password))
    given = address.query.get("options", "")
    theirs = given if isinstance(given, str) else " ".join(given)
    engine = create_engine(
        address.difference_update_query(["options"]),
        connect_args={
            **bell.SOON_NOTICED,
            "options": f"{SERVER_OPTIONS} {theirs}".strip(),
            "application_name": "relais",
        },
        hide_parameters=True,
        **SHARED_POOL,
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping_if_rested, engine))
    return engine


def _note_use(_connection: Any, record: Any) -> None:
    record.info["relais_used_at"] = time.monotonic()


def _ping_if_rested(engine: Engine, connection: Any, record: Any, _fairy: Any) -> None:
    """Ask a connection that has lain idle whether it still works, so that a server started anew costs nobody an error.

    One that was in use a moment ago is not asked: that would be one question more for each transaction.
    """
    if time.monotonic() - record.info.get("relais_used_at", -math.inf) < RESTED_SECONDS:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


def on_server(engine: Engine) -> bool:
    """Whether the database is a PostgreSQL, which several processes and machines share."""
    return engine.dialect.name == "postgresql"


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Autocommit in the driver: we say BEGIN ourselves, so that a writer takes its lock at once.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()
    connection.create_function("folded", 1, folded, deterministic=True)


ACCENTED: Final = ("àâäáãçéèêëîïíñôöóùûüúÿ", "aaaaaceeeeiiinooouuuuy")
"""The letters of French with accents, and the plain ones that they are searched as; small ones only."""


def folded(text: str) -> str:
    """A text as it is searched: small letters without French accents. SQLite knows it under this name."""
    return text.lower().translate(_PLAIN).replace("œ", "oe")


_PLAIN: Final = str.maketrans(*ACCENTED)


class _WriteQueue:
    """The writers of this process wait here for each other, and only then for those of other processes.

    SQLite has one writer at a time, and whoever finds it busy sleeps and asks again: with a dozen threads most of
    that sleep is lost, since nobody is woken when the lock is free.
    """

    _HELD = "relais_writes"

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def begin(self, connection: Any) -> None:
        """Begin a transaction; one that writes takes the lock of the file at once."""
        if not connection.get_execution_options().get("relais_writing", False):
            connection.exec_driver_sql("BEGIN")
            return
        # Past the patience that SQLite has too, it is asked itself, and says in its own words that it is busy.
        if self._lock.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            connection.info[self._HELD] = True
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def leave(self, _connection: Any, record: Any) -> None:
        """Let the next one in, once a connection is given back: committed, rolled back or broken."""
        if record.info.pop(self._HELD, False):
            self._lock.release()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that only looks; nothing done in it is kept."""
    with Session(engine, expire_on_commit=False) as session:
        try:
            yield session
        finally:
            # Let go of what was read before the rollback, which would empty it: things are used after a look too.
            session.expunge_all()
            session.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session whose changes are kept together at its end, or not at all."""
    with Session(engine.execution_options(relais_writing=True), expire_on_commit=False) as session:
        try:
            yield session
            if session.info.pop(_DUE_NOW, False) and on_server(engine):
                session.flush()
                bell.ring(session.connection())
            session.commit()
        except BaseException:
            session.rollback()
            raise


_DUE_NOW: Final = "relais_due_now"


def due_now(session: Session) -> None:
    """Say that this transaction makes something due at once: whoever publishes hears of it with its commit."""
    session.info[_DUE_NOW] = True


@contextmanager
def alone(engine: Engine, what: str) -> Iterator[bool]:
    """Whether we are the only process at something; kept for as long as the block lasts. Of SQLite there is but one."""
    if not on_server(engine):
        yield True
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"what": what}
        free = bool(connection.scalar(text("SELECT pg_try_advisory_lock(hashtext(:what))"), key))
        try:
            yield free
        finally:
            if free:
                connection.execute(text("SELECT pg_advisory_unlock(hashtext(:what))"), key)


def in_turn(session: Session, what: str) -> None:
    """Wait until no other transaction is at something that has no row to lock, and keep others waiting until this ends.

    Of two that come at once, the second one then sees what the first one did. On SQLite writers never overlap anyway.
    """
    if on_server(session.connection().engine):
        session.connection().execute(text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": f"relais {what}"})


def alembic_config(engine: Engine) -> Config:
    """Alembic's settings for this engine; the migrations ship inside the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine
    return config


def newest_revision(engine: Engine) -> str | None:
    """The schema version that this program knows."""
    return ScriptDirectory.from_config(alembic_config(engine)).get_current_head()


def present_revision(engine: Engine) -> str | None:
    """The schema version of the database; None when it has no tables of ours."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(engine: Engine) -> bool:
    """Whether the database is of this program's version; one small question, for those who ask again and again."""
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT version_num FROM alembic_version")) == _newest())


@cache
def _newest() -> str | None:
    return ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()


def migrate(engine: Engine) -> bool:
    """Bring the schema up to this program's version; return whether anything was done."""
    with explained(engine), _one_migration(engine):
        file = _file(engine)
        if file is not None and not file.exists() and file.parent.is_dir():
            # It will hold people's names and sealed secrets: nobody else on the machine reads it. Before the first
            # look, since looking already makes the file.
            file.touch(mode=0o600)
        present = _own_revision(engine)
        laid = _lay_bell(engine)
        if present == newest_revision(engine):
            return laid
        command.upgrade(alembic_config(engine), "head")
        if engine.dialect.name == "sqlite":
            with engine.begin() as connection:
                connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        return True


@contextmanager
def _one_migration(engine: Engine) -> Iterator[None]:
    """Of two machines that bring a shared database up to date at once, the second one waits, and finds it done."""
    if not on_server(engine):
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # However long the other one takes: our usual patience with locks counts for these too.
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(hashtext('relais migration'))"))
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(hashtext('relais migration'))"))
            connection.execute(text("RESET lock_timeout"))


def require_current(engine: Engine) -> None:
    """Raise DatabaseTrouble unless the database is there, ours, and of this program's version."""
    with explained(engine):
        file = _file(engine)
        if file is not None and not file.exists():
            raise _absent(engine)
        present = _own_revision(engine)
        if present is None:
            raise _absent(engine)
        if present != newest_revision(engine):
            raise DatabaseTrouble(
                _(
                    "The database was made by an older Relais. "
                    "Stop Relais, then run “relais init” to bring it up to date."
                )
            )
        if on_server(engine):
            _refuse_read_only(engine)
            if bell.is_foreign(engine):
                raise _foreign_bell(engine)
        if on_server(engine) and not bell.is_laid(engine):
            raise DatabaseTrouble(
                _(
                    "The bell in {where} was made for another version of Procrastinate than this Relais uses. Install "
                    "the same Relais on all machines, stop its workers, then run “relais init”.",
                    where=_where(engine),
                )
            )


def _lay_bell(engine: Engine) -> bool:
    if not on_server(engine):
        return False
    try:
        return bell.lay(engine)
    except bell.ForeignSchema as error:
        raise _foreign_bell(engine) from error


def _foreign_bell(engine: Engine) -> DatabaseTrouble:
    return DatabaseTrouble(
        _(
            "{where} has a schema named {name} that Relais did not make; it was left alone. Give Relais a database "
            "of its own.",
            where=_where(engine),
            name=bell.SCHEMA,
        )
    )


def _absent(engine: Engine) -> DatabaseTrouble:
    return DatabaseTrouble(
        _("There is no Relais database at {where} yet. Run “relais init” first.", where=_where(engine))
    )


def _file(engine: Engine) -> Path | None:
    """The file of a SQLite database."""
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        return None
    return Path(engine.url.database)


def _refuse_strange_file(engine: Engine) -> None:
    """Look into a SQLite file without touching it: opening it our way would already change a stranger's."""
    file = _file(engine)
    if file is None or not file.exists() or file.stat().st_size == 0:
        return
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as looking:
        names = {name for (name,) in looking.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if names - {"alembic_version"} and not names.issuperset(OUR_OLDEST_TABLES):
        raise _foreign(engine)


def _own_revision(engine: Engine) -> str | None:
    """The present revision, after making sure that the database is ours and not newer."""
    try:
        _refuse_strange_file(engine)
    except sqlite3.Error as error:
        raise DatabaseTrouble(
            _(
                "{where} is not a usable database: {why}. Choose another file, or restore a backup.",
                where=_where(engine),
                why=error,
            )
        ) from error
    if on_server(engine):
        _refuse_old_server(engine)
    present = present_revision(engine)
    tables = set(inspect(engine).get_table_names()) - {"alembic_version"}
    if present is None:
        if tables:
            raise _foreign(engine)
        return None
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config(engine)).walk_revisions()}
    if present in known:
        return present
    if not tables.issuperset(OUR_OLDEST_TABLES):
        raise _foreign(engine)
    raise DatabaseTrouble(_("The database was made by a newer Relais. Upgrade this program; nothing was changed."))


def _refuse_old_server(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.dialect.server_version_info or ()
    if found < (OLDEST_POSTGRESQL,):
        raise DatabaseTrouble(
            _(
                "{where} is a PostgreSQL {found}; Relais needs {oldest} or newer. Upgrade it, or use another one.",
                where=_where(engine),
                found=".".join(str(part) for part in found),
                oldest=OLDEST_POSTGRESQL,
            )
        )


def _refuse_read_only(engine: Engine) -> None:
    """Whoever opens the hub writes sooner or later: better to hear of it now."""
    with engine.connect() as connection:
        if connection.scalar(text("SHOW transaction_read_only")) == "on":
            raise DatabaseTrouble(_(_READ_ONLY, where=_where(engine)))


def _foreign(engine: Engine) -> DatabaseTrouble:
    return DatabaseTrouble(
        _(
            "{where} holds a database that is not Relais's; it was left alone. "
            "Choose another RELAIS_HOME or RELAIS_DATABASE_URL.",
            where=_where(engine),
        )
    )


def _where(engine: Engine) -> str:
    file = _file(engine)
    return str(file.resolve()) if file else engine.url.render_as_string(hide_password=True)


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn what a driver says of an unreachable, forbidden or damaged database into a sentence."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseTrouble(
            _("All connections to the database are in use. Wait a moment, then try again.")
        ) from error
    except DatabaseError as error:
        raise DatabaseTrouble(_in_words(engine, error)) from error


def _in_words(engine: Engine, error: DatabaseError) -> str:
    told = str(error.orig).strip().splitlines() if error.orig else []
    where, why = _where(engine), next((line for line in told if line.strip()), "")
    match getattr(error.orig, "sqlstate", None):
        case "42501":
            return _(
                "Relais may not do what it needs to in {where}: {why}. Make its user the owner of the database.",
                where=where,
                why=why,
            )
        case "25006":
            return _(_READ_ONLY, where=where)
        case "53300":
            return _(_NO_CONNECTION_LEFT, where=where)
    if not isinstance(error, OperationalError):
        return _(
            "{where} is not a usable database: {why}. Choose another file, or restore a backup.", where=where, why=why
        )
    if on_server(engine):
        # What goes wrong before there is a connection has no code, only the server's own words.
        if "too many" in why or "remaining connection slots" in why:
            return _(_NO_CONNECTION_LEFT, where=where)
        # The driver says thrice that it failed; the reason comes last.
        reason = why.rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip().rstrip(".")
        return _(
            "PostgreSQL cannot be used at {where}: {why}. Check RELAIS_DATABASE_URL, that the server runs, and that "
            "the database and its user exist.",
            where=where,
            why=reason,
        )
    return _(
        "The database {where} cannot be used: {why}. Check that it exists, is not locked, and may be written.",
        where=where,
        why=why,
    )


_READ_ONLY: Final = N_(
    "{where} can only be read (a copy that follows another server?). Point RELAIS_DATABASE_URL at the one that can be "
    "written."
)
_NO_CONNECTION_LEFT: Final = N_(
    "PostgreSQL at {where} has no connection left for Relais. Raise its max_connections (some 40 for each process of "
    "Relais), or stop what else uses it."
)
