"""How a post on our own X looks from outside: links shortened, entities escaped, counters that grow."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from twitter_text import extract_urls_with_indices, parse_tweet

Vocabulary = Literal["tweet", "post"]

EPOCH_MS = 1288834974657
PRIVATE_FOR = timedelta(days=30)
MAX_WEIGHT = 280
MAX_RAW = 1500
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LETTER_DOT = re.compile(r"\w\.")

FIELDS = frozenset(
    "attachments author_id conversation_id created_at edit_history_tweet_ids edit_history_post_ids entities geo id lang"  # noqa: SIM905
    " non_public_metrics note_tweet note_post organic_metrics possibly_sensitive public_metrics referenced_tweets"
    " referenced_posts reply_settings source text".split()
)
"""Fields of a post that may be asked for."""
PRIVATE_FIELDS = ("non_public_metrics", "organic_metrics")


def moment_of(post_id: str) -> datetime:
    """When a post was made, which its id tells."""
    return datetime.fromtimestamp(((int(post_id) >> 22) + EPOCH_MS) / 1000, UTC)


def weight(text: str) -> int:
    """The weighted length of a text; a text that would take long to count is over the limit anyway."""
    if len(text) > MAX_RAW or len(_LETTER_DOT.findall(text)) > MAX_WEIGHT // 2:
        return len(text)
    return int(parse_tweet(text).weightedLength)


def links_in(text: str) -> list[str]:
    """What X takes for links in a text."""
    return [found["url"] for found in extract_urls_with_indices(text)]


def shown(text: str, post_id: str, username: str, media: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The text as X gives it back, and its `entities.urls`; media hang on as one more link."""
    text = unicodedata.normalize("NFC", text)
    parts: list[str] = []
    urls: list[dict[str, Any]] = []
    done = 0
    for found in extract_urls_with_indices(text):
        start, end = found["indices"]
        parts.append(_escaped(text[done:start]))
        urls.append(_entity(found["url"], at=sum(map(len, parts))))
        parts.append(urls[-1]["url"])
        done = end
    parts.append(_escaped(text[done:]))
    if media:
        if text:
            parts.append(" ")
        target = f"https://x.com/{username}/status/{post_id}/photo/1"
        entity = _entity(target, at=sum(map(len, parts)))
        urls += [{**entity, "media_key": item["media_key"]} for item in media]
        parts.append(entity["url"])
    return "".join(parts), urls


def look(post: dict[str, Any], fields: set[str], *, now: datetime, vocabulary: Vocabulary) -> dict[str, Any]:
    """A post as an answer shows it: only the fields asked for, and no empty values."""
    text, urls = shown(post["text"], post["id"], post["username"], post["media"])
    history = f"edit_history_{vocabulary}_ids"
    keys = [item["media_key"] for item in post["media"]]
    known: dict[str, Any] = {
        "id": post["id"],
        "text": text,
        history: [post["id"]],
        "author_id": post["account_id"],
        "conversation_id": post["id"],
        "created_at": post["created_at"].replace("+00:00", "Z"),
        "lang": "fr",
        "entities": {"urls": urls} if urls else None,
        "attachments": {"media_keys": keys} if keys else None,
        "public_metrics": public_metrics(post, now, vocabulary),
        "non_public_metrics": private_metrics(post, now),
        "organic_metrics": {**public_metrics(post, now, vocabulary), **private_metrics(post, now)},
    }
    always = {"id", "text", history}
    return {name: value for name, value in known.items() if name in fields | always and value is not None}


def public_metrics(post: dict[str, Any], now: datetime, vocabulary: Vocabulary) -> dict[str, int]:
    """Counters for everybody; the same moment always gives the same figures."""
    views = _views(post, now)
    again = "retweet_count" if vocabulary == "tweet" else "repost_count"
    return {
        again: int(views * 0.004),
        "reply_count": int(views * 0.002),
        "like_count": int(views * 0.02),
        "quote_count": int(views * 0.001),
        "bookmark_count": int(views * 0.003),
        "impression_count": int(views),
    }


def private_metrics(post: dict[str, Any], now: datetime) -> dict[str, int]:
    """Counters for the author only."""
    views = _views(post, now)
    clicks = {"url_link_clicks": int(views * 0.015)} if links_in(post["text"]) else {}
    return {
        "impression_count": int(views),
        "user_profile_clicks": int(views * 0.006),
        "engagements": int(views * 0.05),
        **clicks,
    }


def _views(post: dict[str, Any], now: datetime) -> float:
    hours = max(0.0, (now - datetime.fromisoformat(post["created_at"])).total_seconds() / 3600)
    chance = int.from_bytes(hashlib.sha256(post["id"].encode()).digest()[:4], "big") / 2**32
    return float(post["followers"]) * (0.15 + 0.6 * chance) * (1 - math.exp(-hours / 18))


def _entity(url: str, *, at: int) -> dict[str, Any]:
    target = url if "://" in url else f"http://{url}"
    slug = hashlib.sha256(target.encode()).hexdigest()[:10]
    short = f"https://t.co/{slug}"
    display = target.split("://", 1)[1].rstrip("/")
    return {
        "start": at,
        "end": at + len(short),
        "url": short,
        "expanded_url": target,
        "display_url": display if len(display) <= 27 else display[:26] + "…",
    }


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in text)
