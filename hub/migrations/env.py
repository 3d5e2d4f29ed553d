"""Alembic's way in: our engine, our tables."""

from alembic import context
from sqlalchemy import Engine

from hub.domain import account, audit, delivery, gate, person, place, post, reach, territory
from hub.domain.table import metadata

ROOMS = (account, audit, delivery, gate, person, place, post, reach, territory)
"""Imported so that every table is known."""


def run(engine: Engine) -> None:
    """Run what was asked (upgrade, check, revision) on a live connection."""
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run(context.config.attributes["engine"])
