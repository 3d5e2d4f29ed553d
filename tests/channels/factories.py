"""Every channel with the truth behind it: add a factory here, and the whole contract is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from channels.base import (
    Asked,
    AskedOfPage,
    Channel,
    Deadline,
    Message,
    Prepared,
    Receipt,
    Uncertain,
    UnitKind,
    Unreachable,
)
from channels.memory import MemoryChannel
from channels.portal import Portal
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
    asked: tuple[Asked, ...] = ()
    """What the hub asks of its posts."""
    asked_of_page: tuple[AskedOfPage, ...] = ()
    """What the hub asks of the page itself."""


OF_FACEBOOK = (
    Asked("post_total_media_view_unique", UnitKind.PEOPLE),
    Asked("post_media_view", UnitKind.VIEWS),
    Asked("post_clicks", UnitKind.CLICKS),
    Asked("post_reactions_by_type_total", UnitKind.REACTIONS),
)
OF_A_PAGE = (
    AskedOfPage("page_total_media_view_unique", UnitKind.PEOPLE, "day"),
    AskedOfPage("page_total_media_view_unique", UnitKind.PEOPLE, "week"),
    AskedOfPage("page_follows", UnitKind.PEOPLE, "day"),
    AskedOfPage("page_follows_city", UnitKind.PEOPLE, "day"),
)
OF_X = (
    Asked("impression_count", UnitKind.IMPRESSIONS),
    Asked("like_count", UnitKind.REACTIONS),
    Asked("repost_count", UnitKind.REACTIONS),
    Asked("reply_count", UnitKind.REACTIONS),
    Asked("quote_count", UnitKind.REACTIONS),
    Asked("bookmark_count", UnitKind.REACTIONS),
    Asked("url_link_clicks", UnitKind.CLICKS),
)
OF_A_PROFILE = (AskedOfPage("followers_count", UnitKind.PEOPLE, "moment"),)
OF_THE_PORTAL = (Asked("portal_views", UnitKind.VIEWS), Asked("portal_clicks", UnitKind.CLICKS))


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
            asked=OF_FACEBOOK,
            asked_of_page=OF_A_PAGE,
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
            asked=OF_X,
            asked_of_page=OF_A_PROFILE,
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
        asked=OF_FACEBOOK,
        asked_of_page=OF_A_PAGE,
    )


@dataclass
class _Pages:
    """A small portal: its items, as the hub would show them once it records them as sent."""

    shown: dict[str, Message] = field(default_factory=dict)

    def knows(self, key: str) -> bool:
        return key in self.shown

    def visits(self, keys: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        return {key: (3, 1) for key in keys if key in self.shown}


class _ShowingPortal(Portal):
    """The portal with the hub's part played: what it publishes is shown, what it removes is not."""

    def __init__(self, pages: _Pages) -> None:
        super().__init__(pages, public_url="https://relais.example")
        self._shelf = pages

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        receipt = super().publish(prepared, deadline)
        self._shelf.shown[receipt.remote_id] = prepared.message
        return receipt

    def remove(self, receipt: Receipt) -> None:
        super().remove(receipt)
        self._shelf.shown.pop(receipt.remote_id, None)


def _no_network() -> None:
    raise NotImplementedError("Between the hub and its own pages there is no network that could fail.")


@contextmanager
def _portal() -> Iterator[Play]:
    pages = _Pages()
    yield Play(
        channel=_ShowingPortal(pages),
        shown=lambda: [message.text for message in pages.shown.values()],
        lose_next_answer=_no_network,
        unplug=_no_network,
        pass_time=lambda time: None,
        now=lambda: NOON,
        asked=OF_THE_PORTAL,
    )


Factory = Callable[[], AbstractContextManager[Play]]

FACTORIES: Mapping[str, Factory] = {
    "facebook": _facebook,
    "facebook in two steps": lambda: _facebook(two_step=True),
    "facebook with a header": lambda: _facebook(token_in_header=True),
    "x": _x,
    "memory": _memory,
    "portal": _portal,
}

OVER_A_NETWORK = [name for name in FACTORIES if name != "portal"]
"""Channels whose calls can get lost, and who look for posts by what they say."""

WITH_DRAFTS = [name for name in OVER_A_NETWORK if name != "x"]
"""Channels that prepare gated posts unseen."""
