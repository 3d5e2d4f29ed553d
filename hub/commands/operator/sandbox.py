"""`relais sandbox`: our own Facebook and X on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.language import _


def sandbox(
    port: Annotated[int, typer.Option(help=_("Port to listen on; 0 takes a free one."), min=0, max=65535)] = 8001,
    store: Annotated[Path | None, typer.Option(help=_("File that keeps what is posted."))] = None,
) -> None:
    """Play Facebook and X on loopback, for training and tests, until stopped."""
    import signal
    import sqlite3
    import threading

    from channels.sandbox.server import Sandbox
    from hub.commands import terminal
    from hub.domain.errors import Invalid

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: stopped.set())
    try:
        played = Sandbox(port, store)
    except (sqlite3.Error, OSError) as error:
        raise Invalid(
            _("{file} cannot keep what is posted: {why}. Choose another file with --store.", file=store, why=error),
            field="store",
        ) from error
    try:
        running = played.start()
    except OSError as error:
        raise Invalid(
            _("Port {port} is in use. Stop what listens there, or choose another one with --port.", port=port)
        ) from error
    try:
        terminal.say(_("Facebook and X are played on {url}. Ctrl-C stops it.", url=running.url))
        terminal.say(_("Point a hub at it:"))
        terminal.say(f"  export RELAIS_FACEBOOK_API_URL={running.url} RELAIS_X_API_URL={running.url}")
        stopped.wait()
    finally:
        running.stop()
