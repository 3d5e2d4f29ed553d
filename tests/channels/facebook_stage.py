"""A Facebook page on a sandbox of its own: the stage on which the tests of Facebook play."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.base import Deadline, Message, Picture, Receipt, Targeting
from channels.facebook import FacebookPage
from channels.sandbox.faults import Fault
from channels.sandbox.server import Sandbox

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PAGE_ID = "111"
SECRET = "the-secret-of-the-app"
PNG = Picture(b"\x89PNG\r\n\x1a\n" + bytes(range(64)), "image/png", "La cour du lycée")
BRETAGNE = Targeting(regions=("3001",), zips=("FR:56000",))


@dataclass
class PageStage:
    """A sandbox, one page on it, its token, and the channel that speaks as this page."""

    sandbox: Sandbox
    token: str
    channel: FacebookPage

    @property
    def posts(self) -> list[dict[str, Any]]:
        """What people can see."""
        return self.sandbox.graph.visible_posts(PAGE_ID)

    @property
    def kept(self) -> list[dict[str, Any]]:
        """All that was ever posted and is not deleted, drafts too."""
        return [post for post in self.sandbox.graph.all_posts(PAGE_ID) if not post["deleted"]]

    @property
    def creating(self) -> int:
        """How many calls reached the sandbox that make a post."""
        return sum(1 for call in self.sandbox.calls if call.method == "POST" and call.path.endswith("/feed"))

    def another(self, **changes: Any) -> FacebookPage:
        """A channel that differs in how it was set up; the caller closes it."""
        plain: dict[str, Any] = {
            "page_id": PAGE_ID,
            "token": self.token,
            "base_url": self.sandbox.url,
            "timeouts": (1.0, 5.0),
        }
        return FacebookPage(**{**plain, **changes})

    def play(self, *faults: Fault) -> None:
        """Misbehave."""
        self.sandbox.faults.add(*faults)

    def pass_time(self, time: timedelta) -> None:
        """Put the sandbox's clock forward."""
        self.sandbox.clock.set(self.sandbox.clock.now() + time)

    def publish(self, message: Message, *, seconds: float = 5.0) -> Receipt:
        """Prepare and publish."""
        return self.channel.publish(self.channel.prepare(message), Deadline.after(seconds))


@contextmanager
def on_page(**changes: Any) -> Iterator[PageStage]:
    """A page at noon, for as long as a test lasts."""
    with Sandbox() as sandbox:
        sandbox.clock.set(NOON)
        sandbox.graph.tokens.create_app("900", SECRET)
        token = sandbox.graph.create_page(PAGE_ID, "Académie de Rennes", followers=5000)
        stage = PageStage(sandbox, token, None)  # type: ignore[arg-type]
        stage.channel = stage.another(**changes)
        try:
            yield stage
        finally:
            stage.channel.close()
