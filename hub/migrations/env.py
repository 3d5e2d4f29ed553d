"""Alembic's way in: our engine, our tables."""

from typing import Literal

from alembic import context
from sqlalchemy import Engine
from sqlmodel import AutoString

from hub.domain import (
    account,
    audit,
    consent,
    delivery,
    gate,
    metric,
    notice,
    person,
    place,
    policy,
    population,
    post,
    process,
    reach,
    sheet,
    sign_in,
    territory,
)
from hub.domain.table import metadata

ROOMS = (
    account,
    audit,
    consent,
    delivery,
    gate,
    metric,
    notice,
    person,
    place,
    policy,
    population,
    post,
    process,
    reach,
    sheet,
    sign_in,
    territory,
)
"""Imported so that every table is known."""


def _plain_strings(kind: str, thing: object, _context: object) -> str | Literal[False]:
    """SQLModel's own string type is a plain one in the database."""
    if kind == "type" and isinstance(thing, AutoString):
        return f"sa.String(length={thing.length})" if thing.length else "sa.String()"
    return False


def run(engine: Engine) -> None:
    """Run what was asked (upgrade, check, revision) on a live connection."""
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=True,
            compare_type=True,
            render_item=_plain_strings,
        )
        with context.begin_transaction():
            if engine.dialect.name == "postgresql":
                # Two machines that are brought up to date at once: the second waits, and finds nothing left to do.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('relais schema'))")
            context.run_migrations()
        connection.commit()


run(context.config.attributes["engine"])
