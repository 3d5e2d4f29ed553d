"""`relais serve`: the API and the clock in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hub.domain.errors import Invalid
    from hub.wiring import Hub

LAST_ANSWERS = 5
"""Seconds that answers under way may take once a signal came."""


def serve(
    port: Annotated[int, typer.Option(help=_("Port to listen on."), min=0, max=65535)] = 8000,
    host: Annotated[
        str, typer.Option(help=_("Address to listen on; put a proxy with https in front of it."))
    ] = "127.0.0.1",
) -> None:
    """Serve API and public pages, and publish what is due, until stopped; on PostgreSQL, workers publish."""
    from hub.commands.operator.opening import open_hub, require_keys

    hub = open_hub()
    require_keys(hub)
    run(hub, reserve(host, port))


def reserve(host: str, port: int) -> socket.socket:
    """A door that is ours, still closed; Invalid with what to do when the port is taken or not allowed."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: asyncio turns off Nagle's waiting (40 ms per answer) only for sockets that say so.
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
    except OSError as error:
        door.close()
        raise _closed(host, port, error) from error
    return door


def _open(door: socket.socket) -> None:
    host, port = door.getsockname()[:2]
    try:
        door.listen(128)
    except OSError as error:
        raise _closed(host, port, error) from error


def _closed(host: str, port: int, error: OSError) -> Invalid:
    import errno

    from hub.domain.errors import Invalid

    if error.errno == errno.EADDRINUSE:
        return Invalid(
            _("Port {port} is in use. Stop what listens there, or choose another one with --port.", port=port)
        )
    return Invalid(_("Relais cannot listen on {host}:{port}: {why}.", host=host, port=port, why=error.strerror))


def run(hub: Hub, door: socket.socket, *, ready: Callable[[], None] | None = None) -> None:
    """Publish and serve until a signal; calls under way are finished up to their deadline.

    `ready` is done once the door is open; by default, the address is told and the log shown.
    """
    import signal

    import uvicorn

    from hub import logs
    from hub.commands import terminal
    from hub.database import on_server
    from hub.metrics import registry_for
    from hub.web.app import create_app
    from schedules import runner

    if ready is None:
        logs.set_up(hub.settings.log_format)
    else:
        logs.keep_secrets()
    # On a shared database, workers publish: whoever serves pages never does.
    engine = None if on_server(hub.engine) else runner.build(hub)
    pulse = engine.pulse if engine else None
    registry = registry_for(hub, tally=engine.worker.tally if engine else None, beat=pulse)
    config = uvicorn.Config(
        create_app(hub, pulse=pulse, registry=registry),
        log_config=None,  # its lines join ours
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )
    server = uvicorn.Server(config)
    # The server raises the signal that ended it once more: without our own ear for it that would end us at once,
    # with calls under way and the lock held.
    signal.signal(signal.SIGTERM, lambda *_ignored: setattr(server, "should_exit", True))
    try:
        if engine:
            engine.start()
        _open(door)
        if ready is not None:
            ready()
        else:
            address = f"http://{door.getsockname()[0]}:{door.getsockname()[1]}"
            if engine:
                told = _("Relais listens on {address} and publishes what is due. Ctrl-C stops it.", address=address)
            else:
                told = _("Relais listens on {address}; “relais worker” publishes. Ctrl-C stops it.", address=address)
            terminal.say(told)
        server.run(sockets=[door])
    except KeyboardInterrupt:
        pass
    finally:
        if engine:
            engine.stop()
        door.close()
        hub.engine.dispose()
