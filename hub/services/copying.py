"""All rows of a hub from one database to another, as they are, and the proof that nothing differs."""

from __future__ import annotations

import hashlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Enum,
    Integer,
    LargeBinary,
    String,
    Text,
    cast,
    false,
    func,
    literal,
    not_,
    select,
    text,
    type_coerce,
)
from sqlalchemy import Table as Rows
from sqlalchemy.exc import DBAPIError
from sqlmodel import AutoString, Session

from hub import domain
from hub.domain.account import AccountNetwork
from hub.domain.errors import Invalid
from hub.domain.table import metadata
from hub.language import _

Told = Callable[[int, int], None]
"""Told how many rows of how many are done."""

LeftOut = Mapping[str, ColumnElement[bool]]
"""By table: the rows that are no part of the copy."""

BATCH: Final = 2000
"""Rows in memory at once."""

PICTURES: Final = 4
"""The same, of a table whose rows may be as large as a picture."""

FOUND_BY_INIT: Final = frozenset(
    {"territory", "commune", "postcode", "account", "auditentry", "process", "metric", "place_type"}
)
"""Tables in which `relais init` (or a worker that found nothing to do) leaves rows before anybody used a hub."""


class Unstorable(Invalid):
    """A value that SQLite keeps and PostgreSQL does not."""


@dataclass(frozen=True)
class Sum:
    """How many rows a table has, and a digest of them all in order of their keys."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Compared:
    """One table on both sides."""

    table: str
    here: Sum
    there: Sum

    @property
    def same(self) -> bool:
        """Whether not one value differs."""
        return self.here == self.there


def tables() -> list[Rows]:
    """Every table, those that others point at first."""
    for room in pkgutil.iter_modules(domain.__path__):
        import_module(f"{domain.__name__}.{room.name}")
    return metadata.sorted_tables


def count(session: Session, left_out: LeftOut) -> int:
    """All rows that belong to the hub."""
    return sum(
        session.connection().execute(select(func.count()).select_from(table).where(_kept(table, left_out))).scalar_one()
        for table in tables()
    )


def in_use(session: Session) -> list[str]:
    """The tables by which a database is seen to be somebody's hub, not just as `relais init` made it."""
    known = tables()
    connection = session.connection()

    def filled(table: Rows) -> bool:
        query = select(literal(1)).select_from(table)
        if table.name == "account":
            query = query.where(table.c.network != AccountNetwork.PORTAL)
        elif table.name in FOUND_BY_INIT:
            query = query.where(false())
        return connection.execute(query.limit(1)).first() is not None

    return [table.name for table in known if filled(table)]


def copy(here: Session, there: Session, *, left_out: LeftOut, told: Told | None = None) -> list[Compared]:
    """Fill a PostgreSQL that holds nobody's hub with all rows from here, then read them again and compare.

    Everything happens in the two transactions that are given: until the other side is committed, nobody sees any of it.
    Unstorable when a value cannot be kept there.
    """
    done = _Progress(2 * count(here, left_out), told)
    known = tables()
    _take(there, known)
    sums = {table.name: _lay(here, there, table, left_out, done) for table in known}
    for table in known:
        _go_on_counting(there, table)
    there.connection().execute(text(f"ANALYZE {_names(there, known)}"))
    return [Compared(table.name, sums[table.name], sum_of(there, table, {}, done)) for table in known]


def compare(
    here: Session, there: Session, *, left_out: LeftOut, left_out_there: LeftOut, told: Told | None = None
) -> list[Compared]:
    """Read both sides and compare."""
    done = _Progress(count(here, left_out) + count(there, left_out_there), told)
    return [
        Compared(table.name, sum_of(here, table, left_out, done), sum_of(there, table, left_out_there, done))
        for table in tables()
    ]


def sum_of(session: Session, table: Rows, left_out: LeftOut, done: _Progress | None = None) -> Sum:
    """Count and digest of a table, read in order of its keys a batch at a time."""
    digest = _Digest()
    for row in _rows(session, table, left_out):
        digest.add(row)
        if done is not None:
            done.step()
    return digest.sum()


# --- Rows as both sides have them -------------------------------------------------------------------------------------


def _rows(session: Session, table: Rows, left_out: LeftOut) -> Iterator[tuple[Any, ...]]:
    """The rows of a table in order of its keys; JSON and choices are text, moments aware UTC, whatever the database."""
    server = _on_server(session)
    query = select(*(_plain(column, server=server).label(column.name) for column in table.columns))
    query = query.where(_kept(table, left_out)).order_by(*(_in_order(key, server=server) for key in table.primary_key))
    large = any(isinstance(column.type, LargeBinary) for column in table.columns)
    result = session.connection().execute(query, execution_options={"yield_per": PICTURES if large else BATCH})
    documents = [at for at, column in enumerate(table.columns) if isinstance(column.type, JSON)]
    if server or not documents:
        yield from (tuple(row) for row in result)
        return
    for row in result:
        values = list(row)
        for at in documents:
            # SQLite keeps a document that is a bare number as one.
            if values[at] is not None and not isinstance(values[at], str):
                values[at] = json.dumps(values[at])
        yield tuple(values)


def _plain(column: Any, *, server: bool) -> ColumnElement[Any]:
    if isinstance(column.type, JSON):
        # As it was written, down to the blanks; the driver would read it.
        return cast(column, Text) if server else type_coerce(column, Text)
    if isinstance(column.type, Enum):
        return type_coerce(column, String)
    return column  # type: ignore[no-any-return]


def _in_order(key: Any, *, server: bool) -> ColumnElement[Any]:
    # By bytes, as SQLite does; a server's own order may be that of a dictionary.
    return key.collate("C") if server and isinstance(key.type, _TEXT) else key  # type: ignore[no-any-return]


_TEXT: Final = (String, AutoString)
"""How tables keep texts."""


def _kept(table: Rows, left_out: LeftOut) -> ColumnElement[bool]:
    return not_(left_out.get(table.name, false()))


def _on_server(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


class _Digest:
    """One digest over rows: their values as Python writes them, which tells 1 from "1" and from True."""

    def __init__(self) -> None:
        self._rows, self._hash = 0, hashlib.sha256()

    def add(self, row: Sequence[Any]) -> None:
        """Take one row in."""
        if any(type(value) is bytes for value in row):
            row = tuple(hashlib.sha256(value).digest() if type(value) is bytes else value for value in row)
        self._hash.update(repr(row).encode())
        self._rows += 1

    def sum(self) -> Sum:
        """What it came to."""
        return Sum(self._rows, self._hash.hexdigest())


class _Progress:
    """Tells now and then how far it is."""

    def __init__(self, total: int, told: Told | None) -> None:
        self._done, self._total, self._told = 0, total, told

    def step(self) -> None:
        """One more row."""
        self._done += 1
        if self._told is not None and (self._done % BATCH == 0 or self._done == self._total):
            self._told(self._done, self._total)


# --- Filling the other side -------------------------------------------------------------------------------------------


def _take(there: Session, known: Sequence[Rows]) -> None:
    """Shut everybody else out until the end, and throw away what `relais init` may have left."""
    names = _names(there, known)
    connection = there.connection()
    connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    if any(connection.execute(select(literal(1)).select_from(table).limit(1)).first() for table in known):
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


def _lay(here: Session, there: Session, table: Rows, left_out: LeftOut, done: _Progress) -> Sum:
    """Stream a table into its twin: one statement, so that rows may point at each other; what was read is summed."""
    import psycopg

    digest, limits = _Digest(), [_limit(column) for column in table.columns]
    preparer = there.connection().dialect.identifier_preparer
    columns = ", ".join(preparer.quote(column.name) for column in table.columns)
    driver: Any = there.connection().connection.driver_connection
    statement = f"COPY {preparer.format_table(table)} ({columns}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as stream:
            for row in _rows(here, table, left_out):
                _refuse_unstorable(table, row, limits)
                digest.add(row)
                stream.write_row(row)
                done.step()
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise Unstorable(
            _(
                "PostgreSQL does not take a row of the table {table}: {why}. Nothing was copied; put it right here, "
                "then run the copy again.",
                table=table.name,
                why=error.diag.message_primary,
            )
        ) from None  # the cause holds people's words
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
    return digest.sum()


def _limit(column: Any) -> int:
    """How long a text, or how large a number may be; SQLite asks for neither."""
    if isinstance(column.type, _TEXT):
        return column.type.length or 2**30
    return 2**63 if isinstance(column.type, BigInteger) or not isinstance(column.type, Integer) else 2**31


def _refuse_unstorable(table: Rows, row: Sequence[Any], limits: Sequence[int]) -> None:
    for at, value in enumerate(row):
        kind = type(value)
        if kind is str:
            if "\0" in value:
                raise _unstorable(table, row, at, _("it holds a character that PostgreSQL keeps nowhere (U+0000)"))
            if len(value) > limits[at]:
                raise _unstorable(table, row, at, _("it is longer than {most} characters", most=limits[at]))
        elif kind is int and not -limits[at] <= value < limits[at]:
            raise _unstorable(table, row, at, _("the number is too large"))


def _unstorable(table: Rows, row: Sequence[Any], at: int, why: str) -> Unstorable:
    keys = [value for column, value in zip(table.columns, row, strict=True) if column.primary_key]
    return Unstorable(
        _(
            "The column {column} of {table} {key} cannot be copied: {why}. Nothing was copied; put it right here, then "
            "run the copy again.",
            column=list(table.columns)[at].name,
            table=table.name,
            key="/".join(str(key) for key in keys),
            why=why,
        )
    )


def _go_on_counting(there: Session, table: Rows) -> None:
    """New rows are numbered after the last one."""
    number = table.autoincrement_column
    if number is None:
        return
    preparer = there.connection().dialect.identifier_preparer
    name, column = preparer.format_table(table), preparer.quote(number.name)
    there.connection().execute(
        text(
            f"SELECT setval(pg_get_serial_sequence(:name, :column), coalesce(max({column}), 1), "  # noqa: S608
            f"max({column}) IS NOT NULL) FROM {name}"
        ),
        {"name": name, "column": number.name},
    )


def _names(session: Session, known: Sequence[Rows]) -> str:
    preparer = session.connection().dialect.identifier_preparer
    return ", ".join(preparer.format_table(table) for table in known)
