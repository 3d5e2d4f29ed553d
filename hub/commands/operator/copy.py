"""`relais copy`: move a SQLite hub to a PostgreSQL, so that never both publish."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _, ngettext

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Engine
    from sqlmodel import Session

    from hub.services.copying import Compared, Told
    from hub.services.moving import Move
    from hub.wiring import Hub

KEY = "relais copy"
"""The name of the lock in the new database; and whose leases end."""


def copy(
    to: Annotated[
        str, typer.Option(metavar="URL", help=_("Address of the PostgreSQL: postgresql+psycopg://user@host/name."))
    ] = "",
    password_file: Annotated[
        Path | None,
        typer.Option(
            help=_("File that holds its password; - reads standard input. Else PGPASSWORD or ~/.pgpass are used.")
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help=_("Copy nothing: only compare the two databases."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False,
) -> None:
    """Move everything to an empty PostgreSQL and compare; afterwards this database publishes nothing any more."""
    from hub.commands.operator.opening import open_hub
    from hub.database import on_server
    from hub.domain.errors import WrongState

    hub = open_hub(even_moved=True)
    with ExitStack() as stack:
        stack.callback(hub.engine.dispose)
        if on_server(hub.engine):
            raise WrongState(
                _(
                    "This hub is on PostgreSQL already. Point RELAIS_HOME or RELAIS_DATABASE_URL at the SQLite one to "
                    "move."
                )
            )
        target = _target(to, password_file)
        stack.callback(target.dispose)
        if check:
            _tell_difference(hub, target, as_json=as_json)
        else:
            _tell_copy(hub, target, as_json=as_json)


# --- Where to ---------------------------------------------------------------------------------------------------------


def _target(to: str, password_file: Path | None) -> Engine:
    """The other database, answering; its password is never asked for as an argument."""
    from hub.commands import terminal
    from hub.database import build_engine, explained
    from hub.domain.errors import Invalid

    url = _address(to)
    if url.password:
        terminal.warn(
            _("Others on this machine can read the password in --to. Next time, leave it out: --password-file.")
        )
    elif password_file is not None:
        url = url.set(password=terminal.read_secret(_("Password of the database:"), password_file))
        if not url.password:
            raise Invalid(_("There is no password in {file}.", file=password_file), field="password_file")
    engine = build_engine(url.render_as_string(hide_password=False))
    if not url.password and _wants_password(engine):
        engine.dispose()
        url = url.set(password=_ask())
        engine = build_engine(url.render_as_string(hide_password=False))
    with _about(engine), explained(engine), engine.connect():
        return engine


def _address(to: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    from hub.domain.errors import Invalid

    if not to:
        raise Invalid(_("Say where to: --to postgresql+psycopg://user@host/name."), field="to")
    try:
        url = make_url(to)
    except (ArgumentError, ValueError):
        url = None
    if url is not None and url.drivername.startswith("sqlite"):
        raise Invalid(
            _(
                "A SQLite hub moves by moving its file: stop Relais, then move {file}. --to takes the address of a "
                "PostgreSQL.",
                file="relais.db",
            ),
            field="to",
        )
    if url is None or url.drivername.partition("+")[0] not in {"postgresql", "postgres"} or not url.database:
        # What was typed may hold a password: it is not repeated.
        raise Invalid(
            _("--to is not the address of a PostgreSQL: write postgresql+psycopg://user@host/name."), field="to"
        )
    password = url.query.get("password")
    if isinstance(password, str):
        url = url.difference_update_query(["password"]).set(password=password)
    return url


def _wants_password(engine: Engine) -> bool:
    from sqlalchemy.exc import OperationalError

    try:
        with engine.connect():
            return False
    except OperationalError as error:
        # Before there is a connection, there are only words; these are the driver's own, never translated.
        return "no password supplied" in str(error.orig)


def _ask() -> str:
    import sys

    from hub.commands import terminal
    from hub.domain.errors import Invalid

    if sys.stdin.isatty():
        return terminal.read_secret(_("Password of the database:"))
    raise Invalid(
        _("The database wants a password: give it with --password-file (- reads standard input), or in PGPASSWORD."),
        field="password_file",
    )


def _shown(engine: Engine) -> str:
    """The address as it may be told: no password."""
    return engine.url._replace(password=None).render_as_string()  # `set` takes None for “as it is”


@contextmanager
def _about(target: Engine) -> Iterator[None]:
    """What goes wrong with the other database speaks of --to, since it is in no setting yet."""
    from hub.database import DatabaseTrouble

    try:
        yield
    except DatabaseTrouble as error:
        raise DatabaseTrouble(str(error).replace("RELAIS_DATABASE_URL", "--to")) from error


# --- Copying ----------------------------------------------------------------------------------------------------------


def _tell_copy(hub: Hub, target: Engine, *, as_json: bool) -> None:
    from hub.commands import terminal
    from hub.database import reading
    from hub.services import delivering

    with _locked(hub):
        compared = _copy(hub, target)
    with _trouble_of(hub.engine, target), reading(target) as there:
        hold = delivering.open_hold(there)
    if as_json:
        done = {"done": "already"} if compared is None else {"done": "copied", **_data(compared)}
        terminal.say_json({"to": _shown(target), **done, "on_hold": hold is not None})
        return
    if compared is None:
        terminal.say(
            _("This hub is at {to} already, as a whole; nothing was done. --check compares the two.", to=_shown(target))
        )
    else:
        _table(compared)
        total = sum(one.here.rows for one in compared)
        terminal.say(
            ngettext(
                "{count} row was copied to {to}, and is the same there.",
                "{count} rows were copied to {to}, and are the same there.",
                total,
                to=_shown(target),
            )
        )
    terminal.say(_("This database is on hold for good: “relais serve” does not start on it any more."))
    if hold is not None:
        terminal.say(
            _("The hub was on hold ({reason}), and is so there: “relais hold off” ends it.", reason=hold.reason)
        )
    terminal.say(
        _(
            "Next: set RELAIS_DATABASE_URL to {to} on every machine (its password in it, or in PGPASSWORD), give all "
            "of them the same relais.key or RELAIS_SECRET_KEYS, which no database holds, and start “relais serve” "
            "and “relais worker”.",
            to=_shown(target),
        )
    )


@contextmanager
def _locked(hub: Hub) -> Iterator[None]:
    """The lock of whoever publishes: while it is ours, nobody speaks for this hub."""
    from filelock import FileLock, Timeout

    from hub.domain.errors import WrongState

    try:
        with FileLock(hub.settings.lock_file).acquire(timeout=0):
            yield
    except Timeout as error:
        raise WrongState(
            _(
                "A Relais is publishing from {home}, or being copied. Stop it first (Ctrl-C, or the service), then run "
                "the copy again.",
                home=hub.settings.home.resolve(),
            )
        ) from error


def _copy(hub: Hub, target: Engine) -> list[Compared] | None:
    """Copy in one transaction on each side; None when this very hub is there already.

    This side is marked as moved before the other one becomes visible. Whenever it is interrupted, at most one of the
    two can publish: before the mark, the other side is empty; between the two, neither of them starts.
    """

    from hub.commands import terminal
    from hub.database import DatabaseTrouble, reading, writing
    from hub.services import moving

    with reading(hub.engine) as here:
        move = moving.find_move(here)
    _prepare(target, move)
    try:
        with _trouble_of(hub.engine, target), terminal.progress(_("Copying")) as told, writing(target) as there:
            _take_time(there)
            _alone(there)
            if move is not None and moving.has_arrived(there, move.copy):
                return None
            _require_empty(there, target)
            with writing(hub.engine) as here:
                return _copy_all(hub, here, there, move, to=_shown(target), told=told)
    except KeyboardInterrupt:
        terminal.warn(_interrupted(hub))
        raise typer.Exit(terminal.INTERRUPTED) from None
    except DatabaseTrouble as error:
        if _comes_of_ctrl_c(error):
            terminal.warn(_interrupted(hub))
            raise typer.Exit(terminal.INTERRUPTED) from None
        raise DatabaseTrouble(f"{error} {_interrupted(hub)}") from error


def _comes_of_ctrl_c(error: BaseException | None) -> bool:
    """Whether a connection was in trouble because it was interrupted: closing it may fail for that alone."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _interrupted(hub: Hub) -> str:
    from hub.database import reading
    from hub.services import moving

    # Asked, not remembered: a commit that was interrupted may have been made all the same.
    with reading(hub.engine) as here:
        marked = moving.find_move(here) is not None
    if marked:
        return _(
            "Whether the copy is there as a whole is not known, and nobody publishes from here meanwhile. Run the same "
            "command again: it finds out, or begins anew."
        )
    return _("Nothing was copied, and this hub is as it was. Run the same command again: it begins anew.")


def _prepare(target: Engine, move: Move | None) -> None:
    """Make the tables of the other database, unless it holds something that is not ours to touch."""
    from hub.database import explained, migrate, present_revision, reading, require_current

    with _about(target), explained(target):
        _require_every_letter(target)
        present = present_revision(target)
        if present is not None:
            require_current(target)
            with reading(target) as there:
                _take_time(there)
                _require_ours(there, target, move)
        elif move is not None:
            _require_same(target, move)
        migrate(target)


def _require_every_letter(target: Engine) -> None:
    from sqlalchemy import text

    from hub.domain.errors import Invalid

    with target.connect() as connection:
        encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise Invalid(
            _(
                "{to} keeps texts as {encoding}, in which not every letter can be written. Make the database with "
                "ENCODING 'UTF8' TEMPLATE template0.",
                to=_shown(target),
                encoding=encoding,
            ),
            field="to",
        )


def _require_ours(there: Session, target: Engine, move: Move | None) -> None:
    from hub.services import moving

    if move is None:
        _require_nobodys(there, target)
    elif not moving.has_arrived(there, move.copy):
        _require_same(target, move)
        _require_nobodys(there, target)


def _require_same(target: Engine, move: Move) -> None:
    """A hub that left for one database is not copied to a second one: both would publish."""
    from hub.domain.errors import WrongState
    from hub.services import moving

    if _shown(target) != move.to:
        raise WrongState(moving.gone(move))


def _require_nobodys(there: Session, target: Engine) -> None:
    from hub.domain.errors import WrongState
    from hub.services import copying

    used = copying.in_use(there)
    if used:
        raise WrongState(
            _(
                "{to} holds another hub already (rows in: {tables}); it was left alone. Give --to an empty database.",
                to=_shown(target),
                tables=", ".join(used[:5]) + (" …" if len(used) > 5 else ""),
            )
        )


def _require_empty(there: Session, target: Engine) -> None:
    """Look again, now that nobody can come between: no hub, and nobody who waits to publish it."""
    from hub.domain.errors import WrongState
    from hub.services import attending
    from hub.wiring import DatabaseClock

    _require_nobodys(there, target)
    alive = attending.alive(there, at=DatabaseClock(target)())
    if alive:
        raise WrongState(
            _(
                "Workers are running on {to} already ({names}). Stop them until the copy is done.",
                to=_shown(target),
                names=", ".join(one.name for one in alive),
            )
        )


def _take_time(there: Session) -> None:
    """While a large table is read over here, the other side stands idle, and shall not be hung up for it."""
    from sqlalchemy import text

    there.connection().execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _alone(there: Session) -> None:
    """One copy at a time; of one that was killed, the server lets go by itself."""
    from sqlalchemy import text

    there.connection().execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": KEY})


def _copy_all(
    hub: Hub, here: Session, there: Session, move: Move | None, *, to: str, told: Told | None
) -> list[Compared]:
    import uuid

    from hub.database import due_now
    from hub.domain.audit import OPERATOR
    from hub.services import copying, delivering, moving

    at = hub.now()
    # The lock proves that all who held a delivery are dead. It is proof here and nowhere else: the workers over there
    # would have to wait for leases, and would find the words of a process that they know nothing of.
    delivering.end_leases(here, at=at, owner=KEY, others_are_dead=True)
    here.flush()
    compared = copying.copy(here, there, left_out=moving.traces_here(move), told=told)
    _require_equal(compared)
    if move is None:
        move = moving.leave(here, uuid.uuid4().hex, to=to, by=OPERATOR, at=at)
    moving.arrive(there, move.copy, rows=sum(one.here.rows for one in compared), by=OPERATOR, at=at)
    due_now(there)
    return compared


def _require_equal(compared: Sequence[Compared]) -> None:
    from hub.domain.errors import HubError

    different = [one.table for one in compared if not one.same]
    if different:
        raise HubError(
            _(
                "What arrived is not what was sent, in: {tables}. Nothing was kept, and this hub is as it was. Does "
                "somebody's trigger or rule change rows there?",
                tables=", ".join(different),
            )
        )


@contextmanager
def _trouble_of(source: Engine, target: Engine) -> Iterator[None]:
    """Whichever of the two databases goes wrong, in its own words."""
    import sqlite3

    from sqlalchemy.exc import DatabaseError

    from hub.database import explained
    from hub.domain.errors import WrongState

    try:
        yield
    except DatabaseError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_FREE:
            raise WrongState(
                _(
                    "Somebody else is busy in {to} (another copy, or workers?). Stop them, then run the copy again.",
                    to=_shown(target),
                )
            ) from error
        ill = source if isinstance(error.orig, sqlite3.Error) else target
        with _about(target), explained(ill):
            raise


_LOCK_NOT_FREE = "55P03"


# --- Comparing --------------------------------------------------------------------------------------------------------


def _tell_difference(hub: Hub, target: Engine, *, as_json: bool) -> None:
    """Compare; exit 1 when anything differs."""
    from hub.commands import terminal
    from hub.database import reading, require_current
    from hub.services import copying, moving

    with _about(target):
        require_current(target)
    with (
        _trouble_of(hub.engine, target),
        terminal.progress(_("Comparing")) as told,
        reading(hub.engine) as here,
        reading(target) as there,
    ):
        there.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # one moment, also of one in use
        move = moving.find_move(here)
        compared = copying.compare(
            here,
            there,
            left_out=moving.traces_here(move),
            left_out_there=moving.traces_there(move.copy) if move else {},
            told=told,
        )
    same = all(one.same for one in compared)
    if as_json:
        terminal.say_json({"to": _shown(target), "done": "compared", **_data(compared)})
    else:
        _table(compared)
        if same:
            terminal.say(_("Not one value differs."))
        else:
            terminal.say(_("The two databases differ. Once a copy is in use, that is as it should be."))
    if not same:
        raise typer.Exit(terminal.TROUBLE)


def _data(compared: Sequence[Compared]) -> dict[str, object]:
    rows = [
        {"table": one.table, "rows": one.here.rows, "rows_there": one.there.rows, "same": one.same} for one in compared
    ]
    return {"same": all(one.same for one in compared), "tables": rows}


def _table(compared: Sequence[Compared]) -> None:
    from hub.commands import terminal

    columns = [_("Table"), _("Rows"), _("Rows there"), _("Compared")]
    rows = ((one.table, one.here.rows, one.there.rows, _("same") if one.same else _("different")) for one in compared)
    terminal.table(columns, rows, right=columns[1:3])
