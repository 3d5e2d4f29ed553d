"""The web application: everything that people reach over HTTP, made for one hub."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry

from hub import __version__
from hub.metrics import registry_for
from hub.web import api, metrics, portal, problems, staff
from hub.web.guard import Guard, Turnstile
from hub.wiring import Hub

STATIC = Path(__file__).parent / "static"


def create_app(
    hub: Hub, *, pulse: Callable[[], object] | None = None, registry: CollectorRegistry | None = None
) -> FastAPI:
    """The application; `pulse` tells how the clock is, `registry` what it counted, where one runs in this process."""
    # FastAPI's own pages of documentation load scripts from elsewhere, which our policy forbids.
    app = FastAPI(
        title="Relais", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json"
    )
    app.state.hub = hub
    app.state.pulse = pulse
    app.state.sign_ins = Turnstile(30, timedelta(minutes=1))
    app.state.calendar_reads = Turnstile(60, timedelta(minutes=1))
    problems.install(app)
    app.include_router(staff.router)
    app.include_router(api.router)
    if find_spec("hub.web.health") is not None:
        app.include_router(import_module("hub.web.health").router)
    if hub.settings.metrics_token is not None:
        app.state.registry = registry or registry_for(hub)
        app.include_router(metrics.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(portal.router)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Guard, https=hub.settings.public_url.startswith("https://"))
    return app
