"""What callers of our own X ask, checked: bodies, ids, polls and uploads; what is not right is a 400."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, Final

from channels.sandbox import x_problems
from channels.sandbox.exchange import Request

BODY_KEYS: Final = frozenset(
    "text media geo reply poll reply_settings quote_tweet_id community_id share_with_followers made_with_ai"  # noqa: SIM905
    " paid_partnership nullcast card_uri edit_options for_super_followers_only direct_message_deep_link".split()
)
"""What a new post may be made of; everything else is refused."""


def json_body(request: Request, known: Collection[str]) -> dict[str, Any]:
    """A body that is a JSON object of known keys."""
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise x_problems.invalid("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise x_problems.invalid("The body is not a JSON object.")
    for name in body:
        if name not in known:
            raise x_problems.invalid(f"[$.{name}: is not defined in the schema and the schema does not allow it]")
    return body


def inner(body: dict[str, Any], name: str) -> dict[str, Any]:
    """An object within a body."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise x_problems.invalid(f"[$.{name}: object expected]")
    return value


def text_of(body: dict[str, Any]) -> str:
    """The text of a new post; empty when there is none."""
    text = body.get("text", "")
    if not isinstance(text, str):
        raise x_problems.invalid("[$.text: string expected]")
    return text


def check_poll(body: dict[str, Any], *, media: bool) -> None:
    """A poll has two to four short options, an end, and no pictures beside it."""
    if "poll" not in body:
        return
    poll = inner(body, "poll")
    options, minutes = poll.get("options"), poll.get("duration_minutes")
    well = (
        isinstance(options, list) and 2 <= len(options) <= 4 and all(1 <= len(str(option)) <= 25 for option in options)
    )
    if media or not well or not isinstance(minutes, int) or not 5 <= minutes <= 10_080:
        raise x_problems.invalid("poll is not valid, or stands beside media.")


def checked_id(parameter: str, value: str) -> str:
    """An id is a number, as text."""
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII):
        raise x_problems.invalid(
            f"The `{parameter}` query parameter value [{value}] is not valid", **{parameter: value}
        )
    return value


def uploaded(request: Request) -> bytes:
    """The bytes of an upload, which comes as JSON with base64 or as a form of several parts."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        form = BytesParser(policy=HTTP).parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + request.body)
        for part in form.iter_parts():
            if part.get_param("name", header="content-disposition") == "media":
                return bytes(part.get_payload(decode=True))
        raise x_problems.invalid("[$.media: is missing]")
    body = json_body(request, frozenset({"media", "media_category", "media_type", "shared", "additional_owners"}))
    try:
        return base64.b64decode(str(body.get("media", "")), validate=True)
    except ValueError as error:
        raise x_problems.invalid("media is not valid base64.") from error
