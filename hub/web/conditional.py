"""Answers that need not be sent again: a tag of what they hold, a moment, and 304 for whoever has it already."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from fastapi import Request, Response


def conditional(request: Request, answer: Response, *, changed_at: datetime | None = None, seconds: int) -> Response:
    """The answer, good for so many seconds in any cache; without its body for whoever has the same already.

    The tag is a weak one: what is sent may be packed on its way. A moment is only asked about where no tag is.
    """
    answer.headers["ETag"] = f'W/"{hashlib.sha256(bytes(answer.body)).hexdigest()[:32]}"'
    answer.headers["Cache-Control"] = f"public, max-age={seconds}"
    if changed_at is not None:
        answer.headers["Last-Modified"] = format_datetime(changed_at.astimezone(UTC), usegmt=True)
    if not _known(request, answer.headers["ETag"], changed_at):
        return answer
    kept = {name: answer.headers[name] for name in ("ETag", "Cache-Control", "Last-Modified") if name in answer.headers}
    return Response(status_code=304, headers=kept)


def _known(request: Request, tag: str, changed_at: datetime | None) -> bool:
    asked = request.headers.get("if-none-match")
    if asked is not None:
        tags = {one.strip().removeprefix("W/") for one in asked[:4000].split(",")}
        return "*" in tags or tag.removeprefix("W/") in tags
    since = request.headers.get("if-modified-since")
    if since is None or changed_at is None:
        return False
    try:
        moment = parsedate_to_datetime(since[:60])
    except (TypeError, ValueError):
        return False
    return changed_at.replace(microsecond=0) <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
