"""What X gives back of a post: whether it says what we said, and its figures, in either of its two vocabularies."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from twitter_text import extract_urls_with_indices

from channels.base import Asked, AskedOfPage, Figure, Message, PageFigure, normalised, whole

EPOCH_MS: Final = 1288834974657
"""X counts its ids from this moment."""

_SHORT_LINK: Final = re.compile(r"https?://t\.co/[A-Za-z0-9]+")
_ANY_MARK: Final = re.compile(r"/l/[\w-]+")
_LINK: Final = "<link>"

OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "repost_count": ("retweet_count",),
    "retweet_count": ("repost_count",),
    "post_count": ("tweet_count",),
    "tweet_count": ("post_count",),
}
"""What a counter is called in X's other vocabulary."""

PRIVATE: Final = frozenset({"url_link_clicks", "user_profile_clicks", "engagements"})
"""Counters that X tells the author only; all others are for everybody."""

PUBLIC_FIELD: Final = "public_metrics"
PRIVATE_FIELD: Final = "non_public_metrics"


def moment_of(post_id: str) -> datetime:
    """When a post was made, which its id tells."""
    return datetime.fromtimestamp(((int(post_id) >> 22) + EPOCH_MS) / 1000, UTC)


def id_at(moment: datetime) -> int:
    """The id that stands for a moment: later posts have greater ones."""
    return max(int(moment.timestamp() * 1000) - EPOCH_MS, 0) << 22


def links_in(text: str) -> list[dict[str, Any]]:
    """What X takes for links in a text in NFC, with places; call it on short texts only."""
    return list(extract_urls_with_indices(text))


def says(post: Mapping[str, Any], message: Message) -> bool:
    """Whether a post read back is this message: by our own mark in a link, which is exact, else by its words."""
    mark = re.compile(rf"/l/{re.escape(message.key)}(?![\w-])")
    targets = [str(link.get(name) or "") for link in _links(post) for name in ("expanded_url", "unwound_url")]
    if mark.search(message.text) and any(_ANY_MARK.search(target) for target in targets):
        return any(mark.search(target) for target in targets)
    pictures = _pictures(post)
    return pictures == len(message.pictures) and _returned(post, pictures) == _sent(message.text)


def figures(
    post: Mapping[str, Any] | None, private: Mapping[str, Any] | None, asked: Sequence[Asked], *, why: str, why_own: str
) -> list[Figure]:
    """What a post's counters say; those that are not there have no value, for the reason given.

    `private` is the same post with what only its author may see.
    """
    return [
        one.told(_count(private, PRIVATE_FIELD, one.name), why_own)
        if one.name in PRIVATE
        else one.told(_count(post, PUBLIC_FIELD, one.name), why)
        for one in asked
    ]


def of_user(user: Mapping[str, Any] | None, asked: AskedOfPage, day: date, why: str) -> PageFigure:
    """A counter of an account as of that day."""
    return asked.told(day, _count(user, PUBLIC_FIELD, asked.name), why)


def refusals(errors: Iterable[Any]) -> dict[str, str]:
    """Post id → the last part of the problem's type, out of the `errors` of a partial answer."""
    found: dict[str, str] = {}
    for item in errors:
        if isinstance(item, dict):
            post_id = str(item.get("resource_id") or item.get("value") or "")
            found.setdefault(post_id, str(item.get("type") or "").rpartition("/")[2] or "not given")
    return found


def _count(holder: Mapping[str, Any] | None, field: str, name: str) -> int | None:
    given = (holder or {}).get(field)
    counters = given if isinstance(given, dict) else {}
    values = (whole(counters.get(one)) for one in (name, *OTHER_NAMES.get(name, ())))
    return next((value for value in values if value is not None), None)


def _links(post: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entities = post.get("entities")
    links = entities.get("urls") if isinstance(entities, dict) else None
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _pictures(post: Mapping[str, Any]) -> int:
    attachments = post.get("attachments")
    keys = attachments.get("media_keys") if isinstance(attachments, dict) else None
    return len(keys) if isinstance(keys, list) else sum("media_key" in link for link in _links(post))


def _sent(text: str) -> str:
    """Our text as it compares. Escaped first, as what people typed as `&amp;` comes back as `&amp;amp;`."""
    text = unicodedata.normalize("NFC", text)
    parts, done = [], 0
    for link in links_in(text):
        start, end = link["indices"]
        parts += [text[done:start], _LINK]
        done = end
    return normalised(html.escape("".join([*parts, text[done:]]), quote=False))


def _returned(post: Mapping[str, Any], pictures: int) -> str:
    """X's text as it compares: whole, without the link that stands for the pictures."""
    note = post.get("note_tweet") or post.get("note_post")
    whole = note.get("text") if isinstance(note, dict) else None
    text = _SHORT_LINK.sub(_LINK, normalised(str(whole or post.get("text") or "")))
    return text.removesuffix(_LINK).rstrip() if pictures and whole is None else text
