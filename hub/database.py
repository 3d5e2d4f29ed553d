"""The engine, and the only two ways to a session: reading() to look, writing() to change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlmodel import Session

from hub.domain.errors import HubError, Invalid
from hub.language import _

APPLICATION_ID = 0x52454C41
"""`RELA`: marks a SQLite file as ours."""

BUSY_TIMEOUT_MS = 5000

POOL: Final = {"pool_size": 24, "max_overflow": 72, "pool_timeout": 10}
"""More connections than all threads of a process together (calls, ticks, requests): none waits for another's."""

OUR_OLDEST_TABLES = frozenset({"territory", "delivery", "attempt"})
"""Tables that every Relais has had, by which a newer one is told from a stranger's database."""


class DatabaseTrouble(HubError):
    """The database is missing, ill, not ours, or of another version."""


def build_engine(url: str) -> Engine:
    """An engine with our durability: on SQLite WAL, synchronous=FULL and `BEGIN IMMEDIATE` for writers."""
    try:
        address = make_url(url)
        if address.get_backend_name() != "sqlite":
            return create_engine(address, pool_pre_ping=True, hide_parameters=True, **POOL)
    except ImportError as error:
        raise Invalid(
            _(
                "RELAIS_DATABASE_URL is not the address of a database that this Relais can open: its driver “{name}” "
                "is missing. Leave it unset to use SQLite.",
                name=error.name,
            )
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise Invalid(
            _("RELAIS_DATABASE_URL is not the address of a database: use sqlite:///file or postgresql+psycopg://…")
        ) from error
    patience = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
    engine = create_engine(address, connect_args=patience, hide_parameters=True, **POOL)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


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
"""The letters of French with accents, and the plain ones that they are searched as."""


def folded(text: str) -> str:
    """A text as it is searched: small letters without French accents. SQLite knows it under this name."""
    return text.lower().translate(_PLAIN).replace("œ", "oe")


_PLAIN: Final = str.maketrans(*ACCENTED)


def _begin_sqlite(connection: Any) -> None:
    immediate = connection.get_execution_options().get("relais_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


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
            session.commit()
        except BaseException:
            session.rollback()
            raise


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


def migrate(engine: Engine) -> bool:
    """Bring the schema up to this program's version; return whether anything was done."""
    with explained(engine):
        file = _file(engine)
        if file is not None and not file.exists() and file.parent.is_dir():
            # It will hold people's names and sealed secrets: nobody else on the machine reads it. Before the first
            # look, since looking already makes the file.
            file.touch(mode=0o600)
        present = _own_revision(engine)
        if present == newest_revision(engine):
            return False
        command.upgrade(alembic_config(engine), "head")
        if engine.dialect.name == "sqlite":
            with engine.begin() as connection:
                connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        return True


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
    """Turn what a driver says of an unreachable or damaged database into a sentence."""
    try:
        yield
    except OperationalError as error:
        why = str(error.orig).strip().splitlines()[0] if error.orig else ""
        raise DatabaseTrouble(
            _(
                "The database {where} cannot be used: {why}. Check that it exists, is not locked, and may be written.",
                where=_where(engine),
                why=why,
            )
        ) from error
    except DatabaseError as error:
        raise DatabaseTrouble(
            _(
                "{where} is not a usable database: {why}. Choose another file, or restore a backup.",
                where=_where(engine),
                why=str(error.orig).strip(),
            )
        ) from error
