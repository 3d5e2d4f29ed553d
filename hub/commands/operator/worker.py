"""`relais worker`: publish what is due from a shared PostgreSQL, on as many machines as are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.language import _

if TYPE_CHECKING:
    from hub.wiring import Hub


def worker() -> None:
    """Publish what is due, beside other workers, until stopped."""
    from hub.commands.operator.opening import open_hub, require_keys
    from hub.database import on_server
    from hub.domain.errors import WrongState

    hub = open_hub()
    if not on_server(hub.engine):
        raise WrongState(
            _(
                "On SQLite “relais serve” publishes by itself. “relais worker” is for a PostgreSQL that several "
                "machines share: set RELAIS_DATABASE_URL (docs/running.md)."
            )
        )
    require_keys(hub)
    run(hub)


def run(hub: Hub) -> None:
    """Hear bells until a signal; calls under way are finished up to their deadline."""
    import logging
    import signal

    from hub.commands import terminal
    from schedules import runner
    from schedules.distributed import Distributed

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    engine = Distributed(hub, runner.JOBS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_ignored: engine.tell_to_stop())
    terminal.say(
        _("This worker publishes what is due from {where}. Ctrl-C stops it.",
          where=hub.engine.url.render_as_string(hide_password=True))
    )  # fmt: skip
    try:
        engine.run()
    finally:
        engine.stop()
        hub.engine.dispose()
