"""What all tables share: constraint names, moments that are always aware UTC, choices kept as text, words of SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, DateTime, Dialect, Enum, Integer, MetaData
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Table(SQLModel):
    """The base of every stored thing."""

    metadata = metadata


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment, on SQLite too, where plain columns forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments, since nobody could say later what they meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A moment needs its zone: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class by_letters(FunctionElement[str]):  # noqa: N801 - it reads like the functions of SQL that it stands beside
    """A text to sort by, letter by letter as SQLite and Python do: a PostgreSQL's own order depends on its locale."""

    inherit_cache = True


@compiles(by_letters)
def _as_it_is(element: by_letters, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.clauses, **more))


@compiles(by_letters, "postgresql")
def _without_locale(element: by_letters, compiler: Any, **more: Any) -> str:
    return f'{compiler.process(element.clauses, **more)} COLLATE "C"'


class week_of(FunctionElement[date]):  # noqa: N801
    """The Monday of the week of a day."""

    type = Date()
    inherit_cache = True


@compiles(week_of)
def _monday(element: week_of, compiler: Any, **more: Any) -> str:
    return f"date({compiler.process(element.clauses, **more)}, '-6 days', 'weekday 1')"


@compiles(week_of, "postgresql")
def _trunc_week(element: week_of, compiler: Any, **more: Any) -> str:
    return f"CAST(date_trunc('week', {compiler.process(element.clauses, **more)}) AS DATE)"


class month_of(FunctionElement[date]):  # noqa: N801
    """The first of the month of a day."""

    type = Date()
    inherit_cache = True


@compiles(month_of)
def _first_of_month(element: month_of, compiler: Any, **more: Any) -> str:
    return f"date({compiler.process(element.clauses, **more)}, 'start of month')"


@compiles(month_of, "postgresql")
def _trunc_month(element: month_of, compiler: Any, **more: Any) -> str:
    return f"CAST(date_trunc('month', {compiler.process(element.clauses, **more)}) AS DATE)"


class weekday_of(FunctionElement[int]):  # noqa: N801
    """The day of the week of a day, as Python counts them: Monday is 0."""

    type = Integer()
    inherit_cache = True


@compiles(weekday_of)
def _weekday(element: weekday_of, compiler: Any, **more: Any) -> str:
    return f"((strftime('%w', {compiler.process(element.clauses, **more)}) + 6) % 7)"


@compiles(weekday_of, "postgresql")
def _iso_weekday(element: weekday_of, compiler: Any, **more: Any) -> str:
    return f"CAST(extract(isodow from {compiler.process(element.clauses, **more)}) - 1 AS INTEGER)"


def choice(kind: type[StrEnum]) -> Any:
    """A column type that keeps a choice as its text value, the same on every database."""
    return Enum(kind, native_enum=False, length=24, values_callable=lambda values: [item.value for item in values])
