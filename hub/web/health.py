"""Whether the hub is well: 503 only when clock, database or disk are ill; an account in trouble is a warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from channels import Light
from hub.database import is_current, on_server, reading
from hub.services import watching
from hub.services.watching import Sign
from hub.wiring import Hub

STALE_SECONDS = 5.0
"""A clock whose last tick is older has died, even if its process is up."""

CORE = frozenset({"clock", "database", "disk"})

router = APIRouter()


class Pulse(Protocol):
    """How the engine says that it is."""

    @property
    def alive(self) -> bool:
        """Whether its clock is running."""

    @property
    def seconds_since_tick(self) -> float | None:
        """How long ago it ticked last."""

    @property
    def trouble(self) -> str | None:
        """What stands in its way."""


def clock_sign(pulse: Pulse | None) -> Sign:
    """How the clock is, in a word."""
    if pulse is None:
        return Sign("clock", Light.GREEN, "this process does not publish")
    if not pulse.alive or pulse.seconds_since_tick is None or pulse.seconds_since_tick > STALE_SECONDS:
        return Sign("clock", Light.RED, "the clock has stopped")
    if pulse.trouble:
        return Sign("clock", Light.RED, f"work stands still ({pulse.trouble})")
    return Sign("clock", Light.GREEN, "ticking")


def examine(hub: Hub, pulse: Pulse | None) -> list[Sign]:
    """Every sign, from clock, disk and database."""
    found = [watching.disk(hub.settings.home)]
    if not on_server(hub.engine):
        found.insert(0, clock_sign(pulse))
    try:
        with reading(hub.engine) as session:
            at = hub.now()
            if on_server(hub.engine):
                found.insert(0, watching.workers(session, at=at))
            if not is_current(hub.engine):
                found.append(Sign("database", Light.RED, "the database is of another version of Relais"))
            return [*found, *watching.signs(session, at=at, prices=hub.prices)]
    except SQLAlchemyError as error:
        return [*found, Sign("database", Light.RED, f"the database does not answer ({type(error).__name__})")]


@router.get("/healthz", include_in_schema=False)
def healthz(request: Request, response: Response) -> dict[str, Any]:
    """For whoever watches machines, signed in or not: lights and counts, nothing that anybody typed."""
    hub: Hub = request.app.state.hub
    pulse: Callable[[], Pulse] | None = request.app.state.pulse
    found = examine(hub, pulse() if pulse else None)
    ill = [sign for sign in found if sign.light is Light.RED and sign.area in CORE]
    response.status_code = 503 if ill else 200
    response.headers["Cache-Control"] = "no-store"
    return {
        "status": "ill" if ill else "ok",
        "ill": {sign.area: sign.brief for sign in ill},
        "warnings": [sign.brief for sign in found if sign.light is not Light.GREEN and sign not in ill],
    }
