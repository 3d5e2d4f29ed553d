"""How long it takes until somebody publishes again once a process was killed in the middle of a call: real time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from channels.sandbox.exchange import Reply, Request
from channels.sandbox.faults import Fault
from hub.domain.delivery import DeliveryState
from tests.commands.processes import running
from tests.schedules.road import CLEAN, PUBLISHING, Road, open_road
from tests.sizes import size

S = DeliveryState
LEASE: Final = 2
COMMANDS: Final = {"sqlite": ("serve", "--port", "0"), "postgresql": ("worker",)}
SOON: Final = {"sqlite": 10, "postgresql": LEASE + 30}
"""Seconds from the death to the next post; the start of the next process is in it."""

PATIENCE: Final = 60


class Ear:
    """Hears what reaches the played Facebook."""

    def __init__(self, road: Road) -> None:
        self._answer: Callable[[Request], Reply] = road.sandbox.graph.answer
        self._heard: dict[tuple[str, bytes], threading.Event] = {}
        road.sandbox.graph.answer = self._listen  # type: ignore[method-assign]

    def listen_for(self, method: str, words: bytes = b"") -> threading.Event:
        """Something that is set once such a call was carried out."""
        return self._heard.setdefault((method, words), threading.Event())

    def _listen(self, request: Request) -> Reply:
        reply = self._answer(request)
        for (method, words), event in self._heard.items():
            if request.method == method and words in request.body:
                event.set()
        return reply


@pytest.mark.proof
@pytest.mark.parametrize("time_and_again", range(size(ci=1, long=20)))
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
def test_after_a_death_in_the_middle_of_a_call_it_is_soon_back_at_work(
    engine: Engine, backend: str, tmp_path: Path, time_and_again: int
) -> None:
    with open_road(engine, tmp_path) as road:
        now = datetime.now(UTC).replace(microsecond=0)
        road.sandbox.clock.set(None)
        road.clock.at = now - timedelta(minutes=10)
        for text in ("Un", "Deux"):
            road.approve(text, accounts=("facebook:FR",), audience=("FR",), zone="UTC",
                         when=(now - timedelta(minutes=5)).replace(second=0, tzinfo=None))  # fmt: skip
        road.play(Fault("delay", method="POST", path=PUBLISHING, contains="Un", seconds=20, after=True))
        ear = Ear(road)
        spoken, next_one, read = ear.listen_for("POST", b"Un"), ear.listen_for("POST", b"Deux"), ear.listen_for("GET")
        settings: dict[str, Any] = {
            "RELAIS_DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "RELAIS_FACEBOOK_API_URL": road.sandbox.url,
            "RELAIS_X_API_URL": road.sandbox.url,
            "RELAIS_LEASE": str(LEASE),
            "RELAIS_CALL_DEADLINE": "20" if backend == "sqlite" else "0.8",
        }

        began_at = time.monotonic()
        with running(*COMMANDS[backend], home=tmp_path, **settings) as first:
            assert spoken.wait(PATIENCE), first.err
            start_took = time.monotonic() - began_at
            code = first.stop(signal.SIGKILL)
        died_at = time.monotonic()
        left = {one.text: one.state for one in road.deliveries()}
        with running(*COMMANDS[backend], home=tmp_path, **settings) as second:
            assert next_one.wait(PATIENCE), second.err
            took = time.monotonic() - died_at
            assert read.wait(PATIENCE), second.err
            ended = second.stop()

        assert (code, left["Un"], ended) == (-signal.SIGKILL, S.SENDING, 0)
        # A machine that is busy with other things may need longer than that to start anything at all.
        assert took <= max(SOON[backend], start_took + 5)
        assert road.verdict() == CLEAN
        assert [one.state for one in road.deliveries()] == [S.SENT, S.SENT]
