"""A worker that is told to stop at an awkward moment stops all the same."""

from __future__ import annotations

import threading

from procrastinate import App

from schedules.distributed import Distributed
from tests.stage import Stage


class ToldWhileOpening(Distributed):
    """Told to stop when its connections are about to open."""

    def _build(self) -> App:
        self.tell_to_stop()
        return super()._build()


def test_a_worker_that_is_told_to_stop_while_it_connects_does_not_hang(stage: Stage):
    engine = ToldWhileOpening(stage.hub, ())
    thread = threading.Thread(target=engine.run, daemon=True)

    thread.start()
    thread.join(20)

    assert not thread.is_alive()
    engine.stop()
