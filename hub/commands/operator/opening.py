"""How an operator's command opens the hub: settings, database and keys, each refused in words when it is not right."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from hub.language import _

if TYPE_CHECKING:
    from hub.wiring import Hub


DEMO_NOTE: Final = "demo.json"
"""The file by which a demo knows its own folder."""


OPENED: Final = ExitStack()
"""Closed when the command ends: a server that others share too is left in order."""


def open_hub(*, even_moved: bool = False, **given: Any) -> Hub:
    """The hub of this machine, with a database that is ours, up to date, and (unless told) not left for another one."""
    from hub.database import explained, reading, require_current
    from hub.domain.errors import Invalid
    from hub.services import moving
    from hub.settings import read_settings
    from hub.wiring import wire

    settings = read_settings(**given)
    if (settings.home / DEMO_NOTE).exists() and settings.sandboxed != {"facebook", "x"}:
        raise Invalid(
            _(
                "{home} is the folder of a demo, whose accounts live on its own sandbox. "
                "Start “relais demo --dir {home}”, then read in what it wrote: set -a; . {home}/demo.env; set +a",
                home=settings.home,
            )
        )
    hub = wire(settings)
    OPENED.callback(hub.engine.dispose)
    require_current(hub.engine)
    if not even_moved:
        with explained(hub.engine), reading(hub.engine) as session:
            moving.require_here(session)
    return hub


def require_keys(hub: Hub) -> None:
    """A wrong key is found now, not when the first post is due."""
    from hub.database import reading
    from hub.services import sealing

    with reading(hub.engine) as session:
        if sealing.anything_sealed(session):
            sealing.require_all_open(session, hub.vault)
