"""Every channel with the truth behind it: add a factory here, and the whole contract is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from channels.base import Channel, Uncertain, Unreachable
from channels.memory import MemoryChannel
from channels.sandbox.faults import Fault
from tests.channels.facebook_stage import NOON, on_page
from tests.channels.x_stage import stage as on_account


@dataclass
class Play:
    """A channel on its stage."""

    channel: Channel
    shown: Callable[[], list[str]]
    """The texts that people can see now, oldest first."""
    lose_next_answer: Callable[[], None]
    """The next publishing call is carried out, and its answer never arrives."""
    unplug: Callable[[], None]
    """From now on no connection can be made."""
    pass_time: Callable[[timedelta], None]
    now: Callable[[], datetime]
    secrets: list[str] = field(default_factory=list)


@contextmanager
def _facebook(**changes: object) -> Iterator[Play]:
    with on_page(**changes) as stage:
        yield Play(
            channel=stage.channel,
            shown=lambda: [post["message"] for post in stage.posts],
            lose_next_answer=lambda: stage.play(Fault("hang_up", method="POST", path="/feed$|_", after=True)),
            unplug=stage.sandbox.stop,
            pass_time=stage.pass_time,
            now=stage.sandbox.clock.now,
            secrets=[stage.token],
        )


@contextmanager
def _x() -> Iterator[Play]:
    with on_account() as stage:
        yield Play(
            channel=stage.channel,
            shown=lambda: [post["text"] for post in stage.posts],
            lose_next_answer=lambda: stage.sandbox.faults.add(
                Fault("hang_up", method="POST", path="^/2/tweets$", after=True)
            ),
            unplug=stage.sandbox.stop,
            pass_time=lambda time: stage.sandbox.clock.set(stage.sandbox.clock.now() + time),
            now=stage.sandbox.clock.now,
            secrets=[stage.account[key] for key in ("consumer_secret", "access_token", "access_token_secret")],
        )


@contextmanager
def _memory() -> Iterator[Play]:
    moment = [NOON]
    channel = MemoryChannel(now=lambda: moment[0])

    def pass_time(time: timedelta) -> None:
        moment[0] += time

    yield Play(
        channel=channel,
        shown=lambda: [message.text for message in channel.shown.values()],
        lose_next_answer=lambda: channel.fail_next(Uncertain("No answer came."), after_showing=True),
        unplug=lambda: channel.fail_next(Unreachable("No connection.")),
        pass_time=pass_time,
        now=lambda: moment[0],
    )


Factory = Callable[[], AbstractContextManager[Play]]

FACTORIES: Mapping[str, Factory] = {
    "facebook": _facebook,
    "facebook in two steps": lambda: _facebook(two_step=True),
    "facebook with a header": lambda: _facebook(token_in_header=True),
    "x": _x,
    "memory": _memory,
}
