"""The table of jobs, and which engine runs them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.database import on_server
from hub.services.delivering import Task
from hub.wiring import Hub
from schedules.collect import collect_due, pages_due
from schedules.dispatch import archive_due, dispatch_due, end_leases, expire_due
from schedules.embedded import Embedded
from schedules.engine import Engine, Job
from schedules.mails import mail_due
from schedules.reconcile import reconcile_due, take_down_due, tidy_due

JOBS: Final = (
    Job(Task.EXPIRE, timedelta(seconds=1), expire_due),
    Job(Task.DISPATCH, timedelta(seconds=1), dispatch_due),
    Job(Task.LEASES, timedelta(seconds=5), end_leases),
    Job(Task.RECONCILE, timedelta(seconds=1), reconcile_due),
    Job(Task.REMOVE, timedelta(seconds=2), take_down_due),
    Job(Task.COLLECT, timedelta(seconds=10), collect_due),
    Job(Task.PAGES, timedelta(minutes=1), pages_due, listed=False),
    Job(Task.TIDY, timedelta(minutes=1), tidy_due, settles=False),
    Job(Task.ARCHIVE, timedelta(minutes=1), archive_due, listed=False),
    Job(Task.MAIL, timedelta(seconds=20), mail_due, listed=False, alone=True),
)
"""What time knocks for. Each looks at the table; nothing is scheduled ahead."""


def build(hub: Hub) -> Engine:
    """The engine that this hub's database asks for: SQLite is one process's own, PostgreSQL is shared by many."""
    if not on_server(hub.engine):
        return Embedded(hub, JOBS)
    # Late: only those who share a database need it, and it takes a while to load.
    from schedules.distributed import Distributed

    return Distributed(hub, JOBS)
