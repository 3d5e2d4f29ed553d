"""A country whose networks are our own Facebook and X: real channels, the real engine, one clock that we move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from channels.sandbox.server import Sandbox
from hub.secrets import write_new_key
from hub.web.app import create_app
from hub.wiring import wire
from schedules import runner
from tests.schedules.road import Road, connect
from tests.stage import NOON, build_stage, serving

SECRET: Final = "the-secret-of-the-app"


@contextmanager
def playing(engine: Engine, home: Path) -> Iterator[tuple[Road, str]]:
    """The road of posts, with its pages served at this address."""
    with Sandbox() as sandbox:
        sandbox.clock.set(NOON)
        sandbox.graph.tokens.create_app("900", SECRET, require_proof=True)
        write_new_key(home / "relais.key")
        stage = build_stage(
            engine,
            home,
            facebook_api_url=sandbox.url,
            facebook_dialog_url=sandbox.url,
            x_api_url=sandbox.url,
            facebook_app_id="900",
            facebook_app_secret=SECRET,
        )
        sandbox.graph.add_places(
            [{"key": key, "name": key, "type": "region", "country_code": "FR"} for key in ("4001", "4002")]
        )
        tokens = connect(stage, sandbox)
        app = create_app(stage.hub)
        with serving(app) as url:
            # Where the pages are is known only now, and Facebook's dialog must lead back there.
            settings = stage.hub.settings.model_copy(update={"public_url": url})
            hub = replace(wire(settings, now=stage.clock, engine=engine), jitter=lambda: 1.0)
            stage.hub = app.state.hub = hub
            road = Road(stage, stage.clock, runner.build(hub), {}, sandbox, tokens)
            try:
                yield road, url
            finally:
                road.engine.stop()
