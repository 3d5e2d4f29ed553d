"""What X's answers mean: one table from status and words to what the hub does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from channels.base import Breadth, ChannelError, Pace, Refused, Throttled, Unauthorized, Uncertain


class Duplicate(Uncertain):
    """X refused the text as a repeat: very likely our own earlier try."""


@dataclass(frozen=True)
class Row:
    """One line of the table: it fits when the status is this one and the words hold the mark.

    A mark of None fits any answer, also one without words; an empty mark any answer in JSON, as pages of HTML
    come from gateways, which do not know what X did.
    """

    status: int
    mark: str | None
    becomes: type[ChannelError]


ROWS: Final = (
    Row(400, "", Refused),
    Row(401, None, Unauthorized),
    Row(402, None, Unauthorized),
    Row(403, "duplicate", Duplicate),  # "duplicate content", and in the older form "Status is a duplicate."
    Row(403, "oauth1-permissions", Unauthorized),
    Row(403, "client-forbidden", Unauthorized),
    Row(403, "client-not-enrolled", Unauthorized),
    Row(403, "unsupported-authentication", Unauthorized),
    Row(403, "user-suspended", Unauthorized),
    Row(403, "", Refused),
    Row(404, None, Refused),
    Row(429, None, Throttled),
)
"""The first row that fits counts; what no row fits is Uncertain: 5xx, redirects, anything unheard of."""

USAGE_CAP: Final = "UsageCapExceeded"
"""Code of a 429 that no rate limit explains: reads are used up until the billing cycle ends, which X does not tell."""

_APP_WINDOW: Final = "x-app-limit-24hour"
"""The one limit that all accounts of an app share."""
_DAY_WINDOWS: Final = ("x-user-limit-24hour", _APP_WINDOW)
_OWN_WINDOWS: Final = ("x-rate-limit", "x-user-limit-24hour")
_WINDOWS: Final = (*_OWN_WINDOWS, _APP_WINDOW)
_SENTENCES: Final[Mapping[int, str]] = {
    401: "X does not accept the account's keys",
    402: "The credits for X are used up",
    404: "X does not know this",
    429: "X asks to wait",
}


def error_of(
    status: int, headers: Mapping[str, str], body: Any, *, now: datetime, reading: bool = False
) -> ChannelError:
    """The error that an unwelcome answer stands for. `body` is parsed JSON, None when it was none.

    `reading`: it was a reading call, which is counted apart from posting.
    """
    words = words_of(body)
    becomes = next((row.becomes for row in ROWS if _fits(row, status, body, words)), Uncertain)
    code = _code(body)
    trace_id = headers.get("x-transaction-id")
    sentence = _SENTENCES.get(status, "X refused it" if 400 <= status < 500 else "X gave no usable answer")
    said = _said(body)
    message = f"{sentence} ({status}): {said}" if said else f"{sentence} ({status})."
    if issubclass(becomes, Throttled):
        until, whole_app = (None, True) if code == USAGE_CAP else _until(headers, now)
        breadth = (Breadth.READS if reading else Breadth.APP) if whole_app else Breadth.ACCOUNT
        return Throttled(message, until=until, breadth=breadth, code=code, status=status, trace_id=trace_id)
    if issubclass(becomes, Uncertain):
        return Uncertain(message, duplicate=becomes is Duplicate, code=code, status=status, trace_id=trace_id)
    return becomes(message, code=code, status=status, trace_id=trace_id)


def words_of(body: Any) -> str:
    """Everything in a problem body that may tell one refusal from another: type, title, reason, detail."""
    if not isinstance(body, dict):
        return ""
    return " ".join([problem_name(body), str(body.get("title", "")), str(body.get("reason", "")), _said(body)])


def problem_name(body: Mapping[str, Any]) -> str:
    """The last part of a problem's type: hosts before it change."""
    kind = str(body.get("type") or "")
    return "" if kind == "about:blank" else kind.rstrip("/").rpartition("/")[2]


def _fits(row: Row, status: int, body: Any, words: str) -> bool:
    return status == row.status and (row.mark is None or (isinstance(body, dict) and row.mark in words))


def _code(body: Any) -> str | None:
    """What names the refusal best: X's own title for the cap, else the type, an old numeric code, or the title."""
    if not isinstance(body, dict):
        return None
    name, title = problem_name(body), str(body.get("title") or "")
    if USAGE_CAP in (name, title) or name == "usage-capped":
        return USAGE_CAP
    numbers = (str(item["code"]) for item in _items(body) if item.get("code") is not None)
    return name or next(numbers, None) or title or None


def _said(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    said = [str(item.get("message") or item.get("detail") or "") for item in _items(body)]
    return " ".join(filter(None, [str(body.get("detail") or ""), *said]))


def _items(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = body.get("errors")
    return [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []


def pace_of(headers: Mapping[str, str], now: datetime) -> Pace:
    """When the limits end that an answer tells to be used up: a quarter of an hour, or the day, as X says."""
    spent = _spent(headers)
    own = [_number(headers, f"{prefix}-reset") for prefix in _OWN_WINDOWS if prefix in spent]
    whole = [_number(headers, f"{_APP_WINDOW}-reset")] if _APP_WINDOW in spent else []
    return Pace(wait_until=_latest(own, now), app_wait_until=_latest(whole, now))


def _until(headers: Mapping[str, str], now: datetime) -> tuple[datetime | None, bool]:
    """When the limit that was hit ends, and whether it is the app's.

    None when X does not say, or names a moment that has passed. A refusal while calls remain in the quarter of an
    hour means a cap of the day: its reset counts then, and never that of the quarter.
    """
    spent = _spent(headers)
    if not spent and _number(headers, "x-rate-limit-remaining") is None:
        spent = ["x-rate-limit"]
    told = [prefix for prefix in spent or _DAY_WINDOWS if _number(headers, f"{prefix}-reset") is not None]
    resets = [_number(headers, f"{prefix}-reset") for prefix in told]
    pause = _number(headers, "retry-after")
    if not told and pause:
        return now + timedelta(seconds=pause), False
    last = max(told, key=lambda prefix: _number(headers, f"{prefix}-reset") or 0, default=None)
    return _latest(resets, now), last == _APP_WINDOW


def _spent(headers: Mapping[str, str]) -> list[str]:
    return [prefix for prefix in _WINDOWS if _number(headers, f"{prefix}-remaining") == 0]


def _latest(resets: Sequence[int | None], now: datetime) -> datetime | None:
    moments = [reset for reset in resets if reset is not None]
    if not moments or max(moments) > _FAR:
        return None
    until = datetime.fromtimestamp(max(moments), UTC)
    return until if until > now else None


_FAR: Final = 253_402_300_799
"""The last second that a datetime can hold."""


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() else None
