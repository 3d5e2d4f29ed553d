"""How an operator's command opens the hub: settings, database and keys, each refused in words when it is not right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.wiring import Hub


def open_hub(**given: Any) -> Hub:
    """The hub of this machine, with a database that is ours and up to date."""
    from hub.database import require_current
    from hub.settings import read_settings
    from hub.wiring import wire

    hub = wire(read_settings(**given))
    require_current(hub.engine)
    return hub
