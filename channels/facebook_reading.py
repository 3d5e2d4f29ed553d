"""What the Graph API's answers say, and whether a post is the one that was meant: no calls but reading lists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from channels.base import Message, Targeting, Unreachable, normalised
from channels.facebook_calls import GraphCalls

MOST_PAGES: Final = 50


def said(message: Message) -> str:
    """The text as it is posted: pictures leave no room for a link beside them, so it closes the text."""
    if message.link and message.pictures and message.link not in message.text:
        return f"{message.text}\n\n{message.link}".strip()
    return message.text.strip()


@contextmanager
def readable() -> Iterator[None]:
    """Around what only reads: an answer of another shape than promised was not read, which is no bug of ours."""
    try:
        yield
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise Unreachable(f"Facebook's answer has an odd shape ({type(error).__name__}).") from error


# --- Reading answers ------------------------------------------------------------------------------------


def pages(calls: GraphCalls, path: str, args: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    """A list page by page, by its `after` cursor: the ready-made `next` address holds the token."""
    for _ in range(MOST_PAGES):
        answer = calls.get(path, **args)
        yield data(answer)
        paging = answer.get("paging") or {}
        after = (paging.get("cursors") or {}).get("after")
        if not paging.get("next") or not after:
            return
        args = {**args, "after": after}
    raise Unreachable("Facebook's list does not come to an end.")


def data(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a list; an answer without one is no empty list."""
    entries = answer.get("data")
    if not isinstance(entries, list):
        raise Unreachable("Facebook's answer holds no list.")
    return [entry for entry in entries if isinstance(entry, dict)]


def id_of(answer: Mapping[str, Any]) -> str | None:
    """The id in an answer, as text; None when there is none, or an empty one."""
    found = answer.get("id")
    return str(found) if isinstance(found, str | int) and found else None


def moment(text: Any) -> datetime | None:
    """`2026-11-20T08:00:03+0000`, as the Graph API writes it."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)
    except (TypeError, ValueError):
        return None


def instant(seconds: Any) -> datetime | None:
    """Unix seconds; 0 means no end."""
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) and seconds > 0 else None


# --- Targeting ------------------------------------------------------------------------------------------


def fields_of(message: Message, media_ids: Sequence[str]) -> dict[str, str]:
    """The post as a form: whatever is nested goes as JSON text, or the SDK loses its content."""
    fields: dict[str, str] = {}
    text = said(message)
    if text:
        fields["message"] = text
    if message.link and not media_ids:
        fields["link"] = message.link
    if media_ids:
        fields["attached_media"] = json.dumps([{"media_fbid": media_id} for media_id in media_ids])
    if message.targeting:
        fields["targeting"] = json.dumps({"geo_locations": _geo(message.targeting)})
    return fields


def _geo(targeting: Targeting) -> dict[str, Any]:
    keyed = {"regions": targeting.regions, "cities": targeting.cities, "zips": targeting.zips}
    geo: dict[str, Any] = {kind: [{"key": key} for key in keys] for kind, keys in keyed.items() if keys}
    if targeting.countries:
        geo["countries"] = list(targeting.countries)
    return geo


def asked(targeting: Targeting | None) -> frozenset[tuple[str, str]]:
    """Targeting as pairs that compare."""
    if not targeting:
        return frozenset()
    return kept({"geo_locations": _geo(targeting)})


def kept(targeting: Any) -> frozenset[tuple[str, str]]:
    """Targeting as Facebook shows it, in its nested or its flat shape, as pairs that compare."""
    if not isinstance(targeting, dict):
        return frozenset()
    flat = {**targeting, **(targeting.get("geo_locations") or {})}
    pairs: set[tuple[str, str]] = set()
    for kind, value in flat.items():
        if kind == "geo_locations" or not value or kind == "location_types":
            continue
        for one in value if isinstance(value, list) else [value]:
            key = one.get("key") if isinstance(one, dict) else one
            pairs.add((kind, str(key)))
    return frozenset(pairs)


# --- Is it the same post? ---------------------------------------------------------------------------------


def same(message: Message, post: Mapping[str, Any]) -> bool:
    """Whether a post is this message: by its mark when both have links, else by all that can be compared."""
    text = str(post.get("message") or "")
    links = _links(post)
    mark = f"/l/{message.key}"
    if mark in f"{message.text} {message.link or ''}":
        marked = re.compile(re.escape(mark) + r"(?![\w-])")
        if any(marked.search(place) for place in (text, *links)):
            return True
        if links:
            return False
    return (
        normalised(text) == normalised(said(message))
        and kept(post.get("targeting")) == asked(message.targeting)
        and _pictures(post) == len(message.pictures)
        and (not message.link or bool(message.pictures) or not links or message.link in links)
    )


def _attachments(post: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attachments, with those inside an album in its place."""
    holder = post.get("attachments")
    found: list[dict[str, Any]] = []
    for entry in holder.get("data") or [] if isinstance(holder, dict) else []:
        inside = (entry.get("subattachments") or {}).get("data")
        found.extend(inside or [entry])
    return found


def _pictures(post: Mapping[str, Any]) -> int:
    return sum(1 for entry in _attachments(post) if "photo" in (entry.get("media_type"), entry.get("type")))


def _links(post: Mapping[str, Any]) -> list[str]:
    """The links beside a post, out of Facebook's own wrapping."""
    links: list[str] = []
    for entry in _attachments(post):
        if "photo" in (entry.get("media_type"), entry.get("type")):
            continue
        for url in (entry.get("unshimmed_url"), entry.get("url"), (entry.get("target") or {}).get("url")):
            if isinstance(url, str) and url:
                wrapped = parse_qs(urlsplit(url).query).get("u") if "/l.php" in url else None
                links.append(unquote(wrapped[0]) if wrapped else url)
    return links
