"""Our own public site, as a channel like the others: it writes nothing, its pages show deliveries that are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Protocol

from channels.base import (
    FREE,
    Asked,
    AskedOfPage,
    Deadline,
    Figures,
    Finding,
    Health,
    Light,
    Message,
    Network,
    Pace,
    PageFigure,
    Prepared,
    Problem,
    Receipt,
    Refused,
    Unreachable,
)

LONGEST: Final = 63_206
VIEWS, CLICKS = "portal_views", "portal_clicks"


class Pages(Protocol):
    """What the portal must ask about its own pages; the hub answers it from its rows."""

    def knows(self, key: str) -> bool:
        """Whether there is an item with this key to show."""

    def visits(self, keys: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Views and clicks so far, by key; a key that was never shown is absent."""


@dataclass(frozen=True)
class PortalRules:
    """What the portal takes: our own pages, so nearly everything."""

    network: Network = Network.PORTAL
    can_gate: bool = True
    max_pictures: int = 4
    keeps_link_apart: bool = True
    max_length: int = LONGEST

    def length(self, text: str) -> int:
        """Characters."""
        return len(text)

    def problems(self, message: Message) -> list[Problem]:
        """Nothing to say, too much of it, or too many pictures."""
        found = []
        if not message.text.strip():
            found.append(Problem("text_empty"))
        if len(message.text) > self.max_length:
            found.append(Problem("text_too_long", {"length": len(message.text), "max": self.max_length}))
        if len(message.pictures) > self.max_pictures:
            found.append(Problem("too_many_pictures", {"count": len(message.pictures), "max": self.max_pictures}))
        return found

    def cost(self, message: Message) -> Decimal:
        """Nothing."""
        return Decimal(0)


class Portal:
    """The one portal of this hub."""

    def __init__(self, pages: Pages, *, public_url: str) -> None:
        self.rules = PortalRules()
        self._pages = pages
        self._public_url = public_url

    @property
    def pace(self) -> Pace:
        """Our own pages ask nobody to wait."""
        return FREE

    def prepare(self, message: Message) -> Prepared:
        """Nothing to make; what the rules refuse goes no further."""
        problems = self.rules.problems(message)
        if problems:
            raise Refused(f"The portal would not take it: {', '.join(problem.code for problem in problems)}.")
        return Prepared(message)

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """The delivery's key is its id: once the hub records it as sent, the pages show it."""
        if deadline.passed:
            raise Unreachable("The deadline had passed before the item was shown.")
        return self._receipt(prepared.message.key)

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """The item with the message's own key, which is exact."""
        return [self._receipt(message.key)] if self._pages.knows(message.key) else []

    def figures(self, receipts: Sequence[Receipt], asked: Sequence[Asked]) -> Figures:
        """Views and clicks as our own pages counted them."""
        visits = self._pages.visits([receipt.remote_id for receipt in receipts])
        return Figures(
            {
                key: [one.told({VIEWS: views, CLICKS: clicks}.get(one.name)) for one in asked]
                for key, (views, clicks) in visits.items()
            }
        )

    def page_figures(self, asked: Sequence[AskedOfPage], since: date, until: date) -> list[PageFigure]:
        """None: nobody follows the portal, and its readers are counted for each item."""
        return []

    def remove(self, receipt: Receipt) -> None:
        """Nothing to do: pages stop showing what the hub records as removed."""

    def check(self) -> Health:
        """Always well: it is this very hub."""
        return Health((Finding(Light.GREEN, "ok"),), name=None, remote_id="portal")

    def close(self) -> None:
        """Nothing to let go of."""

    def _receipt(self, key: str) -> Receipt:
        return Receipt(key, url=f"{self._public_url}/p/{key}")
