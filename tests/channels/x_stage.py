"""An X account on a sandbox of its own: the stage on which the tests of X play."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from channels.base import Deadline, Message, Picture, Receipt
from channels.sandbox.server import Sandbox
from channels.sandbox.x import XNetwork
from channels.x import XAccount

KEYS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
PNG = Picture(b"\x89PNG\r\n\x1a\n" + bytes(32), "image/png", "La cour du lycée")
PLAIN = Picture(b"\xff\xd8\xff\xe0" + bytes(32), "image/jpeg")
NOON = datetime.fromisoformat("2026-11-02T12:00:00+00:00")


@dataclass
class Stage:
    """A sandbox, one account on it, and the channel that speaks as this account."""

    sandbox: Sandbox
    account: dict[str, Any]
    channel: XAccount = field(init=False)

    def __post_init__(self) -> None:
        self.channel = self.another()

    @property
    def network(self) -> XNetwork:
        network = self.sandbox.x
        assert isinstance(network, XNetwork)
        return network

    @property
    def posts(self) -> list[dict[str, Any]]:
        """What really stands on the account."""
        return [post for post in self.network.posts(self.account["id"]) if not post["deleted"]]

    def change(self, **changes: Any) -> None:
        """Change the account behind the channel's back."""
        self.network.change_account(self.account["id"], **changes)

    def another(self, **changes: Any) -> XAccount:
        """A channel that differs in how it was set up; the caller closes it."""
        keys: dict[str, Any] = {key: self.account[key] for key in KEYS}
        plain: dict[str, Any] = {
            "user_id": self.account["id"],
            "username": self.account["username"],
            "now": self.sandbox.clock.now,
            "base_url": self.sandbox.url,
            "timeouts": (1.0, 5.0),
        }
        return XAccount(**{**plain, **keys, **changes})

    def publish(self, message: Message, *, seconds: float = 5.0) -> Receipt:
        """Prepare and publish."""
        return self.channel.publish(self.channel.prepare(message), Deadline.after(seconds))


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage at noon, for as long as a test lasts."""
    with Sandbox() as sandbox:
        sandbox.clock.set(NOON)
        set_up = Stage(sandbox, sandbox.x.create_account("ij_bretagne", name="IJ Bretagne"))
        try:
            yield set_up
        finally:
            set_up.channel.close()
