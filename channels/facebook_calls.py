"""Calls to the Graph API through facebook-sdk: the token of each call, its proof, and what an answer means."""

from __future__ import annotations

import hashlib
import hmac
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests

from channels.base import (
    FREE,
    Blocked,
    Breadth,
    ChannelError,
    Deadline,
    Refused,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from channels.session import Answer, NetworkSession, never_sent

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)  # facebook-sdk 3.1.0 has a string with a loose backslash
    import facebook

ORIGINAL: Final = "https://graph.facebook.com"
VERSION: Final = "v26.0"
SLOW_AT: Final = 75
"""Per cent of use from which calls stay apart and figures wait."""
STOP_AT: Final = 95
"""Per cent of use from which no further call is made."""
REST: Final = timedelta(minutes=15)
"""How long use that is nearly up is left alone when the network does not say how long."""
SHORTEST_GAP, LONGEST_GAP = timedelta(seconds=5), timedelta(seconds=60)
"""How far calls stay apart, at the first and at the last per cent of slowing down."""
LONGEST_WORDS: Final = 500

Code = tuple[int, int | None]

CODES: Final[Mapping[Code, type[ChannelError]]] = {
    # Uncertain stands for "temporary": a call that shows nothing is simply made again (see `judged`).
    (1, None): Uncertain,
    (2, None): Uncertain,
    (4, None): Throttled,
    (17, None): Throttled,
    (32, None): Throttled,
    (341, None): Throttled,
    (613, None): Throttled,
    (80001, None): Throttled,
    (80002, None): Throttled,
    (3, None): Unauthorized,
    (10, None): Unauthorized,
    (102, None): Unauthorized,
    (104, None): Unauthorized,
    (190, None): Unauthorized,
    (200, 1609008): Refused,
    (210, None): Unauthorized,
    (240, None): Unauthorized,
    (368, None): Blocked,
    (368, 1390008): Blocked,
    (368, 1404082): Refused,
    (100, None): Refused,
    (803, None): Refused,
    (2500, None): Refused,
    (324, None): Refused,
    (382, None): Refused,
    (389, None): Refused,
    (6000, None): Refused,
    (6001, None): Refused,
    (506, None): Uncertain,
    (1500, None): Refused,
    (960, None): Refused,
    (2635, None): Refused,
    (3001, None): Refused,
}
"""What a code means, with its subcode where that changes it. Known rows win over `is_transient`."""

EITHER: Final[Mapping[int, type[ChannelError]]] = {
    1404078: Unauthorized,
    4854002: Unauthorized,
    1404112: Blocked,
    1404082: Refused,
    1404102: Refused,
    1346003: Refused,
    1366046: Refused,
    1366051: Refused,
    **dict.fromkeys(range(1363019, 1363047), Refused),
    1363047: Uncertain,
    2061006: Refused,
    1609005: Refused,
    1609008: Refused,
    1609010: Uncertain,
}
"""Numbers that come as code or as subcode."""

OF_THE_APP: Final = frozenset({4, 341})
"""Limits of the app: they hold for every page that speaks through it."""
PERMISSIONS: Final = range(200, 300)
DUPLICATE: Final = 506
MAY_PASS: Final = 324
"""Refused, but temporary when the network says so."""


def meaning(code: int, subcode: int | None, *, transient: bool = False) -> type[ChannelError] | None:
    """What a code and subcode mean; None for what nobody knows."""
    if transient and code == MAY_PASS:
        return Uncertain
    for known in (CODES.get((code, subcode)), EITHER.get(subcode or 0), EITHER.get(code), CODES.get((code, None))):
        if known:
            return known
    if code in PERMISSIONS:
        return Unauthorized
    return Uncertain if transient else None


@dataclass(frozen=True)
class _Said:
    """What the network said of a failure; `code` None when it said nothing that can be read."""

    words: str
    code: int | None = None
    subcode: int | None = None
    transient: bool = False
    trace_id: str | None = None

    @property
    def number(self) -> str | None:
        """Code and subcode as they are kept: `190/463`."""
        if self.code is None:
            return None
        return f"{self.code}/{self.subcode}" if self.subcode is not None else str(self.code)


class GraphSession(NetworkSession):
    """Adds to each call the proof made from that call's own token, and on demand the token as a header."""

    def __init__(
        self,
        base_url: str | None,
        *,
        token: str | None,
        app_secret: str | None,
        token_in_header: bool,
        timeouts: tuple[float, float],
        total: float,
    ) -> None:
        secrets = [text for text in (token, app_secret) if text]
        super().__init__(ORIGINAL, base_url, timeouts=timeouts, total=total, secrets=secrets)
        self._app_secret = app_secret
        self._header_token = token if token_in_header else None

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Make one call with its token and proof."""
        given = kwargs.get("data") or kwargs.get("params") or {}
        token = given.get("access_token")
        if token is None and self._header_token:
            token = self._header_token
            kwargs["headers"] = {**(kwargs.get("headers") or {}), "Authorization": f"Bearer {token}"}
        if token and self._app_secret:
            place = "data" if kwargs.get("data") else "params"
            kwargs[place] = {**(kwargs.get(place) or {}), "appsecret_proof": proof(self._app_secret, token)}
        return super().request(method, url, *args, **kwargs)


def proof(app_secret: str, token: str) -> str:
    """The appsecret_proof of a token."""
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()


class GraphCalls:
    """The Graph API for one token: calls in, plain answers or ChannelErrors out."""

    def __init__(
        self,
        *,
        base_url: str | None,
        version: str = VERSION,
        token: str | None = None,
        app_secret: str | None = None,
        token_in_header: bool = False,
        timeouts: tuple[float, float] = (3.0, 15.0),
        total: float = 45.0,
    ) -> None:
        self.session = GraphSession(
            base_url,
            token=token,
            app_secret=app_secret,
            token_in_header=token_in_header,
            timeouts=timeouts,
            total=total,
        )
        self.version = version
        self._sdk = facebook.GraphAPI(None if token_in_header else token, session=self.session)
        self._sdk.version = version  # its constructor knows no version above 3.1
        self.pace = FREE
        """How much use is left, as far as the answers told."""

    def get(self, path: str, **args: str) -> dict[str, Any]:
        """Read; may be repeated, so whatever fails without a reason is Unreachable."""
        return self._call(path, "GET", args=args, sending=False)

    def quiet_post(self, path: str, fields: Mapping[str, str], file: Any = None) -> dict[str, Any]:
        """Make something that nobody sees; may be repeated."""
        return self._call(path, "POST", fields=fields, file=file, sending=False)

    def post(self, path: str, fields: Mapping[str, str], deadline: Deadline) -> dict[str, Any]:
        """Make something that is seen: once, before the deadline; what fails without a reason is Uncertain."""
        with self.session.within(deadline):
            return self._call(path, "POST", fields=fields, sending=True)

    def delete(self, path: str) -> dict[str, Any]:
        """Delete; what fails without a reason is Uncertain."""
        return self._call(path, "DELETE", sending=True)

    @property
    def header(self) -> Mapping[str, str]:
        """The headers of the last answer."""
        return self.session.last.headers if self.session.last else {}

    @property
    def trace_id(self) -> str | None:
        """The network's mark of the last call."""
        return self.header.get("x-fb-trace-id")

    @property
    def moment(self) -> datetime | None:
        """When the network gave its last answer, by its own clock."""
        try:
            return parsedate_to_datetime(self.header["date"])
        except (KeyError, ValueError):
            return None

    def _call(
        self,
        path: str,
        method: str,
        *,
        args: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        file: Any = None,
        sending: bool,
    ) -> dict[str, Any]:
        """One call through the SDK; its own exceptions end here, and drag no token along as their cause."""
        said: _Said
        unsent = False
        result: Any = None
        try:
            result = self._sdk.request(
                f"{self.version}/{path}",
                args=dict(args or {}),
                post_args=None if fields is None else dict(fields),
                files={"source": file} if file else None,
                method=method,
            )
            said = _Said("The network answered something that is no answer.")
        except facebook.GraphAPIError as error:
            said = _said(error.result)
        except requests.RequestException as error:
            unsent, said = never_sent(error), _Said(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - the SDK throws KeyError, ValueError and more on odd answers
            said = _Said(f"The answer could not be read: {type(error).__name__}.")
        answer = self.session.last
        self._note_use(answer)
        if said.code is None and not unsent and answer and answer.well and isinstance(result, dict):
            return result
        raise self._judged(said, answer, sending=sending, unsent=unsent)

    def _judged(self, said: _Said, answer: Answer | None, *, sending: bool, unsent: bool) -> ChannelError:
        """The error to raise."""
        status = answer.status if answer else None
        words = self.session.mask(said.words)[:LONGEST_WORDS]
        record: dict[str, Any] = {"code": said.number, "status": status, "trace_id": said.trace_id or self.trace_id}
        if unsent:
            return Unreachable(words, **record)
        kind = None if said.code is None else meaning(said.code, said.subcode, transient=said.transient)
        if kind is None and status == 429:
            kind = Throttled
        if sending and (status or 0) >= 500:
            kind = Uncertain  # whatever the code says: a 5xx may come after the post was made
        if kind is Throttled:
            breadth = Breadth.APP if said.code in OF_THE_APP else Breadth.ACCOUNT
            return Throttled(words, until=self._free_again(answer), breadth=breadth, **record)
        if kind is None or kind is Uncertain:
            if not sending:
                return Unreachable(words, **record)
            return Uncertain(words, duplicate=said.code == DUPLICATE, **record)
        return kind(words, **record)

    # --- how much use is left ---

    def _note_use(self, answer: Answer | None) -> None:
        """What an answer tells of use; one that tells nothing of the page, or of the app, leaves that as it was."""
        moment = self.moment
        if answer is None or moment is None:  # no moment is invented
            return
        if own := _use(answer.headers, PAGE_HEADERS):
            wait_until, slow_until = self._until(own, moment)
            self.pace = replace(self.pace, wait_until=wait_until, slow_until=slow_until)
        if whole := _use(answer.headers, APP_HEADERS):
            wait_until, slow_until = self._until(whole, moment)
            self.pace = replace(self.pace, app_wait_until=wait_until, app_slow_until=slow_until)

    def _until(self, cases: list[dict[str, Any]], moment: datetime) -> tuple[datetime | None, datetime | None]:
        """Until when to make no call, and until when to leave out what can wait."""
        used = max(_most(case) for case in cases)
        if used < SLOW_AT:
            return None, None
        rest = self._regain(cases) or REST
        if used >= STOP_AT:
            return moment + rest, moment + rest
        gap = SHORTEST_GAP + (LONGEST_GAP - SHORTEST_GAP) * ((used - SLOW_AT) / (STOP_AT - SLOW_AT))
        return moment + gap, moment + REST

    def _free_again(self, answer: Answer | None) -> datetime | None:
        regain = self._regain(_use(answer.headers, (*APP_HEADERS, *PAGE_HEADERS))) if answer else None
        return self.moment + regain if regain and self.moment else None

    @staticmethod
    def _regain(cases: list[dict[str, Any]]) -> timedelta | None:
        """The longest wait that is told; Facebook tells it in minutes."""
        minutes = max((_number(case.get("estimated_time_to_regain_access")) for case in cases), default=0)
        return timedelta(minutes=minutes) if minutes > 0 else None


def _said(result: Any) -> _Said:
    """What an error of the SDK holds; parts of it, or all of it, may be missing."""
    error = result.get("error") if isinstance(result, dict) else None
    if not isinstance(error, dict):
        return _Said(str(result) if isinstance(result, str) else "The network reported an error without a reason.")
    code, subcode = _whole(error.get("code")), _whole(error.get("error_subcode"))
    words = error.get("error_user_msg") or error.get("message") or "The network reported an error without a reason."
    return _Said(str(words), code, subcode, error.get("is_transient") is True, error.get("fbtrace_id"))


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


APP_HEADERS: Final = ("x-app-usage",)
PAGE_HEADERS: Final = ("x-page-usage", "x-business-use-case-usage")


def _use(headers: Mapping[str, str], names: Sequence[str]) -> list[dict[str, Any]]:
    """Every usage entry in these headers; any may be absent, and none is worth a crash."""
    found: list[Any] = []
    for name in names:
        try:
            value = json.loads(headers.get(name) or "{}")
        except ValueError:
            continue
        if name.startswith("x-business") and isinstance(value, dict):
            for cases in value.values():
                found.extend(cases if isinstance(cases, list) else [])
        else:
            found.append(value)
    return [case for case in found if isinstance(case, dict) and case]


def _most(case: Mapping[str, Any]) -> float:
    return max(_number(case.get(name)) for name in ("call_count", "total_time", "total_cputime"))
