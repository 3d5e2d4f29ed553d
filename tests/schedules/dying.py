"""A process that publishes, and kills itself at a chosen point; run by tests/schedules/test_crash.py.

`python -m tests.schedules.dying HOME POINT AT URL`: what is public is a file in HOME, which outlives every process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from channels import Deadline, Figures, Message, Prepared, Receipt
from channels.memory import MemoryChannel, MemoryRules
from hub.database import build_engine
from hub.domain.account import Account
from hub.settings import Settings
from hub.wiring import Hub, wire
from schedules import runner
from schedules.embedded import Embedded

POINTS = ("before the call", "after the call", "while reading back", "before reading back")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """This moment."""
        return self.at


def die(home: Path) -> None:
    """As after a power cut, but once only: the next process lives."""
    (home / "died").touch()
    os.kill(os.getpid(), signal.SIGKILL)


class PublicFile(MemoryChannel):
    """A network whose memory is a file, one line per post, written before it answers."""

    def __init__(self, home: Path, point: str, clock: Clock) -> None:
        super().__init__(MemoryRules(), now=clock)
        self.home, self.clock = home, clock
        self.point = "nowhere" if (home / "died").exists() else point

    def _posts(self) -> list[tuple[str, str, datetime]]:
        file = self.home / "public.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        found = [json.loads(line) for line in lines]
        return [(f"post-{place}", text, datetime.fromisoformat(at)) for place, (text, at) in enumerate(found)]

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Add a line; perhaps die before, or before anybody hears of it."""
        if self.point == "before the call":
            die(self.home)
        with (self.home / "public.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps([prepared.message.text, self.clock().isoformat()]) + "\n")
        if self.point == "after the call":
            die(self.home)
        if self.point in {"while reading back", "before reading back"}:
            raise ConnectionError
        return Receipt(self._posts()[-1][0], posted_at=self.clock())

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """Look through the file; perhaps die before, or before anybody hears of it."""
        if self.point == "before reading back":
            die(self.home)
        found = [
            Receipt(post, posted_at=at) for post, text, at in self._posts() if text == message.text and at >= since
        ]
        if self.point == "while reading back":
            die(self.home)
        return found

    def figures(self, receipts: Sequence[Receipt]) -> Figures:
        """None."""
        return Figures()


def hub_of(home: Path, point: str, clock: Clock, url: str) -> Hub:
    """The hub of that home, with a network that is a file."""
    settings = Settings(
        home=home, database_url=url, facebook_api_url="http://127.0.0.1:9", x_api_url="http://127.0.0.1:9"
    )
    wired = wire(settings, now=clock, engine=build_engine(settings.database))

    def channel_for(account: Account) -> PublicFile:
        return PublicFile(home, point, clock)

    return replace(wired, channel_for=channel_for, jitter=lambda: 1.0)


def main(home: Path, point: str, at: datetime, url: str) -> None:
    """Start as `serve` does, and do all that is due for twenty minutes of the clock."""
    clock = Clock(at)
    hub = hub_of(home, point, clock, url)
    engine = runner.build(hub)
    if isinstance(engine, Embedded):
        engine.take_lock()
    end = at + timedelta(minutes=20)
    while clock.at < end:
        engine.run_due()
        clock.at = min(engine.agenda().next_at or end, end)
    engine.stop()
    hub.engine.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3]), sys.argv[4])
