"""One call as an account: every way in which it can go wrong comes back as an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from channels import FREE, Channel, ChannelError, Pace, Unauthorized, Uncertain
from hub.domain.account import Account
from hub.domain.errors import HubError
from hub.logs import line
from hub.services import delivering
from hub.wiring import Hub

logger = logging.getLogger("relais.asking")

T = TypeVar("T")


@dataclass(frozen=True)
class Heard(Generic[T]):
    """What a network said, and how much use it leaves to this account and to the app that it speaks through."""

    answer: T | ChannelError
    pace: Pace = FREE


def ask(hub: Hub, account: Account, call: Callable[[Channel], T]) -> Heard[T]:
    """Make a call as an account, with no transaction open."""
    try:
        channel = hub.channel_for(account)
    except HubError as error:
        # Keys are missing or do not fit: nothing was said, and a person must mend it before anything can be.
        return Heard(Unauthorized(str(error)))
    try:
        answer = _answer(channel, call, account)
        return Heard(answer, channel.pace)
    finally:
        channel.close()


def _answer(channel: Channel, call: Callable[[Channel], T], account: Account) -> T | ChannelError:
    try:
        return call(channel)
    except ChannelError as error:
        return error
    except Exception as error:
        logger.exception(line(account=account.id, outcome="contract-broken", error=type(error).__name__))
        return Uncertain(f"An unexpected {type(error).__name__} in the channel.")


def word_for(answer: object, hub: Hub) -> str:
    """What a network answered, in the one word that the log has for it: `ok`, or the class of its error."""
    if not isinstance(answer, ChannelError):
        return "ok"
    return delivering.outcome_of(answer, hub.patience, at=hub.now()).kind.value
