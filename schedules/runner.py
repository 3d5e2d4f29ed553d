"""The table of jobs, and which engine runs them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.domain.errors import Invalid
from hub.language import _
from hub.services.delivering import Task
from hub.wiring import Hub
from schedules.collect import collect_due
from schedules.dispatch import dispatch_due, end_leases, expire_due
from schedules.engine import Embedded, Job
from schedules.mails import mail_due
from schedules.reconcile import reconcile_due, take_down_due, tidy_due

JOBS: Final = (
    Job(Task.EXPIRE, timedelta(seconds=1), expire_due),
    Job(Task.DISPATCH, timedelta(seconds=1), dispatch_due),
    Job(Task.LEASES, timedelta(seconds=5), end_leases),
    Job(Task.RECONCILE, timedelta(seconds=1), reconcile_due),
    Job(Task.REMOVE, timedelta(seconds=2), take_down_due),
    Job(Task.COLLECT, timedelta(seconds=10), collect_due),
    Job(Task.TIDY, timedelta(minutes=1), tidy_due, settles=False),
    Job(Task.MAIL, timedelta(seconds=20), mail_due),
)
"""What time knocks for. Each looks at the table; nothing is scheduled ahead."""


def build(hub: Hub) -> Embedded:
    """The engine of this machine; Invalid for a database that its one file lock could not guard."""
    if hub.engine.dialect.name != "sqlite":
        raise Invalid(
            _("This Relais publishes from SQLite only: one process, one lock. Leave RELAIS_DATABASE_URL unset.")
        )
    return Embedded(hub, JOBS)
