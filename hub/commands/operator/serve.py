"""`relais serve`: the API and the clock in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _

if TYPE_CHECKING:
    import socket

    from hub.wiring import Hub


def serve(
    port: Annotated[int, typer.Option(help=_("Port to listen on."), min=0, max=65535)] = 8000,
    host: Annotated[
        str, typer.Option(help=_("Address to listen on; put a proxy with https in front of it."))
    ] = "127.0.0.1",
) -> None:
    """Serve API and public pages, and publish what is due, until stopped."""
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import connecting

    hub = open_hub()
    with reading(hub.engine) as session:
        # A wrong key is found now, not when the first post is due.
        if any(account.secret for account in connecting.list_accounts(session)):
            connecting.require_all_open(session, hub.vault)
    run(hub, listen(host, port))


def listen(host: str, port: int) -> socket.socket:
    """An open door; Invalid with what to do when the port is taken or not allowed."""
    import errno
    import socket

    from hub.domain.errors import Invalid

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: asyncio turns off Nagle's waiting (40 ms per answer) only for sockets that say so.
    door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(128)
    except OSError as error:
        door.close()
        if error.errno == errno.EADDRINUSE:
            raise Invalid(
                _("Port {port} is in use. Stop what listens there, or choose another one with --port.", port=port)
            ) from error
        raise Invalid(
            _("Relais cannot listen on {host}:{port}: {why}.", host=host, port=port, why=error.strerror)
        ) from error
    return door


def run(hub: Hub, door: socket.socket, *, quiet: bool = False) -> None:
    """Publish and serve until a signal; calls under way are finished up to their deadline."""
    import logging

    import uvicorn

    from hub.commands import terminal
    from hub.web.app import create_app
    from schedules import runner

    if not quiet:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    engine = runner.build(hub)
    engine.start()
    address = f"http://{door.getsockname()[0]}:{door.getsockname()[1]}"
    try:
        if not quiet:
            terminal.say(_("Relais listens on {address} and publishes what is due. Ctrl-C stops it.", address=address))
        config = uvicorn.Config(
            create_app(hub, pulse=engine.pulse), log_level="warning", access_log=False, server_header=False
        )
        uvicorn.Server(config).run(sockets=[door])
    except KeyboardInterrupt:
        pass
    finally:
        engine.stop()
        hub.engine.dispose()
