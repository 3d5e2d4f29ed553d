"""`relais worker`: publish what is due from a shared PostgreSQL, on as many machines as are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.wiring import Hub
    from schedules.distributed import Distributed


def worker(
    metrics: Annotated[
        int | None,
        typer.Option(help=_("Port of 127.0.0.1 at which Prometheus reads this worker's figures."), min=1, max=65535),
    ] = None,
) -> None:
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
    run(hub, metrics)


def run(hub: Hub, metrics: int | None = None) -> None:
    """Hear bells until a signal; calls under way are finished up to their deadline."""
    import signal

    from hub import logs
    from hub.commands import terminal
    from schedules import runner
    from schedules.distributed import Distributed

    logs.set_up(hub.settings.log_format)
    engine = Distributed(hub, runner.JOBS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_ignored: engine.tell_to_stop())
    end_metrics = _show_metrics(engine, metrics)
    terminal.say(
        _("This worker publishes what is due from {where}. Ctrl-C stops it.",
          where=hub.engine.url.render_as_string(hide_password=True))
    )  # fmt: skip
    try:
        engine.run()
    finally:
        engine.stop()
        end_metrics()
        hub.engine.dispose()


def _show_metrics(engine: Distributed, port: int | None) -> Callable[[], None]:
    """Hand out what this process counts; returns what ends that."""
    if port is None:
        return lambda: None
    from hub.domain.errors import Invalid
    from hub.metrics import registry_for, show_on

    try:
        return show_on(registry_for(engine.hub, tally=engine.worker.tally, beat=engine.pulse), port)
    except OSError as error:
        raise Invalid(
            _("Port {port} cannot be opened: {why}. Choose another one with --metrics.", port=port, why=error.strerror)
        ) from error
