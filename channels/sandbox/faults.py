"""How the sandbox misbehaves on demand: faults queue up, each for the calls that it matches."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final
from urllib.parse import unquote_plus

from channels.sandbox import x_problems
from channels.sandbox.exchange import Reply, Request
from channels.sandbox.x_problems import Refusal

KINDS: Final[Mapping[str, str]] = {
    "delay": "wait `seconds`, then go on (`after`: the call was carried out first)",
    "hang_up": "close the connection without an answer (`after`: the call was carried out first)",
    "reset": "reset the connection without an answer (`after`: the call was carried out first)",
    "answer": "answer `status`, `headers` and `body` (`after`: the call was carried out first)",
    "cut": "carry out, announce the whole answer, hang up half-way",
    "broken": "carry out, answer half of the JSON as if it were all",
    "without_id": "carry out, answer success without any id",
    "drip": "carry out, answer one byte every `seconds`",
    "headers": "carry out, add `headers` to the answer",
    "late": "carry out; lists show the post only `seconds` later, on the sandbox's clock",
    "skew": "judge signatures by a clock that is `seconds` off, and tell that clock's time",
    "drop_targeting": "carry out, but forget the targeting",
    "empty_insights": "answer no figures",
}
"""Every kind of fault, and what it does."""

EFFECTS: Final = frozenset({"late", "skew", "drop_targeting", "empty_insights"})
"""Kinds that only the network itself can bring about; it finds them in `Request.effects`."""


@dataclass(frozen=True)
class Fault:
    """One misbehaviour, and the calls it is meant for; what is not said matches every call."""

    kind: str
    network: str | None = None
    """`facebook` or `x`."""
    method: str | None = None
    path: str | None = None
    """A regular expression, searched in the path."""
    contains: str | None = None
    """A text to be found in the query, the body or the Authorization header, such as a token or a message."""
    times: int | None = 1
    """How many calls it still meets; None: until cleared."""
    after: bool = False
    """Whether the call is carried out before things go wrong."""
    chance: float = 1.0
    seconds: float = 0.0
    status: int = 500
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """A value such as `@+900` or `@-60` is told as Unix seconds, so many from the sandbox's own time."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"No such fault: {self.kind}. There are {', '.join(KINDS)}.")

    def matches(self, network: str, request: Request) -> bool:
        """Whether this fault is meant for that call."""
        return (
            self.network in (None, network)
            and self.method in (None, request.method)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and (self.contains is None or self.contains in _readable(request))
        )

    def reply(self) -> Reply:
        """What an `answer` fault answers."""
        return Reply(
            self.status, self.body.encode(), {"content-type": "application/json; charset=UTF-8", **self.headers}
        )


def _readable(request: Request) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query)
    body = request.body.decode("utf-8", "replace")
    return "\n".join([query, body, unquote_plus(body), request.headers.get("authorization", "")])


def answer(value: object, *, status: int, **more: Any) -> Fault:
    """An answer in JSON instead of the right one."""
    return Fault("answer", status=status, body=json.dumps(value), **more)


def html(status: int, **more: Any) -> Fault:
    """A page of HTML, as gateways send it."""
    page = "<html><body><h1>Sorry, something went wrong.</h1></body></html>"
    return Fault("answer", status=status, body=page, headers={"content-type": "text/html; charset=utf-8"}, **more)


def graph_error(
    code: int,
    subcode: int | None = None,
    *,
    status: int = 400,
    transient: bool | None = None,
    message: str = "An error, as ordered",
    **more: Any,
) -> Fault:
    """An error in the Graph API's own words."""
    error: dict[str, Any] = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    if transient is not None:
        error["is_transient"] = transient
    error["fbtrace_id"] = "AordeREd"
    return answer({"error": error}, status=status, network="facebook", **more)


def usage(percent: int, *, page: str | None = None, minutes: int = 0, **more: Any) -> Fault:
    """The Graph API's usage headers: of the app, or with `page` of that page, with the minutes to regain access."""
    used = {"call_count": percent, "total_time": 25, "total_cputime": 25}
    if page is None:
        headers = {"x-app-usage": json.dumps(used)}
    else:
        case = {"type": "pages", **used, "estimated_time_to_regain_access": minutes}
        headers = {"x-business-use-case-usage": json.dumps({page: [case]})}
    return Fault("headers", network="facebook", headers=headers, **more)


def x_refusal(refusal: Refusal, **headers: str) -> Fault:
    """A refusal in X's own words; a name such as `x_rate_limit_reset` becomes the header."""
    reply = refusal.reply
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("answer", network="x", status=reply.status, body=reply.body.decode(), headers=named)


_X_UNAVAILABLE: Final = {
    "title": "Service Unavailable", "detail": "Service Unavailable", "type": "about:blank", "status": 503,
}  # fmt: skip
_WAIT: Final = x_problems.too_many_requests(form=1)

NAMED: Final[Mapping[str, Fault]] = {
    # Of either network
    "slow": Fault("delay", seconds=2),
    "hang": Fault("delay", seconds=120, after=True),
    "hang_before": Fault("delay", seconds=120),
    "hang_after": Fault("delay", seconds=120, after=True),
    "hang_up_before": Fault("hang_up"),
    "hang_up_after": Fault("hang_up", after=True),
    "reset_before": Fault("reset"),
    "reset_after": Fault("reset", after=True),
    "unavailable_before": answer({"error": {"message": "Service temporarily unavailable", "code": 2}}, status=503),
    "unavailable_after": answer(
        {"error": {"message": "Please retry your request later", "code": 2}}, status=503, after=True
    ),
    "json_without_error": answer({"status": "failed"}, status=500, after=True),
    "empty_error": answer({"error": {}}, status=500, after=True),
    "html_502": html(502),
    "html_502_after": html(502, after=True),
    "html_200": html(200),
    "html_200_after": html(200, after=True),
    "cut": Fault("cut"),
    "broken": Fault("broken"),
    "without_id": Fault("without_id"),
    "drip": Fault("drip", seconds=0.2),
    "redirect": Fault("answer", status=302, body="{}", headers={"location": "https://login.example/"}),
    "too_many": answer({"title": "Too Many Requests"}, status=429),
    "late": Fault("late", seconds=90),
    # Facebook's
    "drop_targeting": Fault("drop_targeting", network="facebook"),
    "empty_insights": Fault("empty_insights", network="facebook"),
    "unknown": graph_error(1, status=500),
    "unknown_after": graph_error(1, status=500, after=True),
    "service_down": graph_error(2, status=503, transient=True),
    "transient": graph_error(1234, transient=True),
    "app_limit": graph_error(4, status=403),
    "user_limit": graph_error(17, 2446079),
    "page_limit": graph_error(32),
    "page_use_limit": graph_error(80001),
    "expired": graph_error(190, 463, status=401),
    "blocked": graph_error(368),
    "duplicate": graph_error(506),
    "usage_growing": usage(80),
    "usage_high": usage(97),
    "page_usage_growing": usage(80, page="page"),
    "page_usage_high": usage(97, page="page", minutes=19),
    # X's
    "x_unavailable_before": answer(_X_UNAVAILABLE, status=503, network="x"),
    "x_unavailable_after": answer(_X_UNAVAILABLE, status=503, network="x", after=True),
    "x_quarter_used_up": x_refusal(_WAIT, x_rate_limit_remaining="0", x_rate_limit_reset="@+900"),
    "x_day_used_up": x_refusal(
        _WAIT,
        x_rate_limit_remaining="57",
        x_rate_limit_reset="@+900",
        x_user_limit_24hour_remaining="0",
        x_user_limit_24hour_reset="@+14400",
    ),
    "x_app_day_used_up": x_refusal(_WAIT, x_app_limit_24hour_remaining="0", x_app_limit_24hour_reset="@+14400"),
    "x_day_used_up_untold": x_refusal(_WAIT, x_rate_limit_remaining="57", x_rate_limit_reset="@+900"),
    "x_reset_in_the_past": x_refusal(_WAIT, x_rate_limit_remaining="0", x_rate_limit_reset="@-60"),
    "x_without_headers": x_refusal(_WAIT),
    "x_usage_capped": x_refusal(x_problems.usage_cap_exceeded("1")),
    "x_credits_used_up": x_refusal(x_problems.credits_used_up("1", form=1)),
    "x_app_read_only": x_refusal(x_problems.read_only()),
    "x_app_only": x_refusal(x_problems.app_only()),
    "x_suspended": x_refusal(x_problems.suspended()),
    "x_unauthorized": x_refusal(x_problems.unauthorized()),
    "x_duplicate": x_refusal(x_problems.duplicate()),
    "x_not_permitted": x_refusal(x_problems.not_permitted()),
    "x_media_invalid": x_refusal(x_problems.invalid("Your media IDs are invalid.")),
    "x_clock_skew": Fault("skew", network="x", seconds=600),
}
"""Faults by name, for the admin address and the demo; times and matches are set on top."""

GRAPH_CODE: Final = re.compile(r"graph_(\d+)(?:_(\d+))?")
"""Any error of the Graph API by its numbers: `graph_190_463`."""


def named(name: str, **changes: Any) -> Fault:
    """A fault by its name, with changes; `graph_190_463` is that error of the Graph API."""
    if numbers := GRAPH_CODE.fullmatch(name):
        code, subcode = int(numbers[1]), int(numbers[2]) if numbers[2] else None
        return replace(graph_error(code, subcode), **changes)
    if name not in NAMED:
        raise ValueError(f"No fault is named {name}. There are graph_<code>_<subcode>, {', '.join(NAMED)}.")
    return replace(NAMED[name], **changes)


def from_mapping(asked: Mapping[str, Any]) -> Fault:
    """A fault as the admin address takes it: `name` or `kind`, and any other field."""
    rest = dict(asked)
    unknown = rest.keys() - {one.name for one in fields(Fault)} - {"name"}
    if unknown:
        raise ValueError(f"A fault has no {', '.join(sorted(unknown))}.")
    name = rest.pop("name", None)
    return named(name, **rest) if name else Fault(**rest)


class Faults:
    """The faults still to come, and those that came."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []
        self._dice = random.Random(seed)  # noqa: S311 - faults that can be had again, not secrets
        self.came: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Queue faults; the first ones queued come first."""
        with self._lock:
            self._queue.extend(faults)

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._queue.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """The faults still to come, as the admin address shows them."""
        with self._lock:
            return [asdict(fault) for fault in self._queue]

    def take(self, network: str, request: Request) -> list[Fault]:
        """The faults for this call: every effect and the first of the others; each is used up by one."""
        taken: list[Fault] = []
        with self._lock:
            for place, fault in enumerate(list(self._queue)):
                told = any(one.kind not in EFFECTS | {"delay", "headers"} for one in taken)
                if (told and fault.kind not in EFFECTS) or not fault.matches(network, request):
                    continue
                if fault.chance < 1 and self._dice.random() >= fault.chance:
                    continue
                taken.append(fault)
                if fault.times is not None:
                    self._queue[place] = replace(fault, times=fault.times - 1)
            self._queue = [fault for fault in self._queue if fault.times is None or fault.times > 0]
            self.came.extend(taken)
        return taken
