"""What X takes and what it costs: counted as X counts, with no secret and no network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from twitter_text import parse_tweet

from channels import x_reading
from channels.base import Message, Network, Problem


class XRules:
    """What X takes; needs no secret and no network. Prices are US dollars of April 2026."""

    network = Network.X
    can_gate = False
    max_pictures = 4
    keeps_link_apart = False

    max_raw_length = 1_500
    max_picture_bytes = 5 * 1024 * 1024
    max_alt_length = 1_000
    mimes = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

    def __init__(
        self,
        *,
        max_length: int = 280,
        price_post: Decimal = Decimal("0.015"),
        price_post_with_link: Decimal = Decimal("0.200"),
        price_alt: Decimal = Decimal("0.005"),
    ) -> None:
        self._max_length = max_length
        self.price_post = price_post
        self.price_post_with_link = price_post_with_link
        self.price_alt = price_alt

    @property
    def max_length(self) -> int:
        """The longest text, in weighted characters."""
        return self._max_length

    def length(self, text: str) -> int:
        """The weighted length: most letters weigh 1, emoji and signs such as … or € 2, a link 23."""
        if self._slow(text):
            return len(text)
        return int(parse_tweet(_encodable(text)).weightedLength)

    def problems(self, message: Message) -> list[Problem]:
        """All reasons why X would refuse this message."""
        found = list(self._text_problems(message))
        if len(message.pictures) > self.max_pictures:
            found.append(Problem("too_many_pictures", {"count": len(message.pictures), "max": self.max_pictures}))
        for place, picture in enumerate(message.pictures, start=1):
            if picture.mime not in self.mimes:
                found.append(Problem("picture_kind", {"picture": place, "mime": picture.mime}))
            if picture.length > self.max_picture_bytes:
                found.append(Problem("picture_too_large", {"picture": place, "max": self.max_picture_bytes}))
            if len(picture.alt) > self.max_alt_length:
                found.append(Problem("alt_too_long", {"picture": place, "max": self.max_alt_length}))
        if message.targeting is not None:
            found.append(Problem("cannot_gate"))
        return found

    def cost(self, message: Message) -> Decimal:
        """The price of the post, which a link in it multiplies, and of each picture's description."""
        # An address that X might not take for one is priced as a link too: better said dearer than it will be.
        plain = unicodedata.normalize("NFC", message.text)
        has_link = self._slow(plain) or "://" in plain or x_reading.links_in(plain)
        post = self.price_post_with_link if has_link else self.price_post
        return post + self.price_alt * sum(bool(picture.alt) for picture in message.pictures)

    def _text_problems(self, message: Message) -> Iterator[Problem]:
        length = self.length(message.text)
        if not message.text.strip() and not message.pictures:
            yield Problem("text_empty")
        if length > self.max_length:
            yield Problem("text_too_long", {"length": length, "max": self.max_length})
        if _FORBIDDEN.search(message.text):
            yield Problem("text_invalid_characters")
        if len(_CASHTAG.findall(message.text)) > 1:
            yield Problem("too_many_cashtags", {"max": 1})

    def _slow(self, text: str) -> bool:
        """Whether the search for links would take seconds; such a text is too long in any case."""
        return len(text) > self.max_raw_length or len(_LETTER_DOT.findall(text)) > self.max_length // 2


_FORBIDDEN: Final = re.compile("[\ud800-\udfff\ufffe\uffff\ufeff]")
"""Half characters and marks that X does not take."""
_LETTER_DOT: Final = re.compile(r"\w\.")
_CASHTAG: Final = re.compile(r"(?:^|\s)\$[A-Za-z]{1,6}\b")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
