"""The accounts of our own X: their keys, what they may do, how often, and what it costs them."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from channels.sandbox import x_posts, x_problems
from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.oauth1 import BadSignature, Verifier, read_header

WINDOW: Final = timedelta(minutes=15)
SLICE: Final = timedelta(minutes=30)
DAY: Final = timedelta(days=1)

PRICE_POST: Final = Decimal("0.015")
PRICE_POST_WITH_LINK: Final = Decimal("0.200")
PRICE_READ: Final = Decimal("0.005")
PRICE_READ_OWN: Final = Decimal("0.001")
PRICE_USER: Final = Decimal("0.010")
PRICE_METADATA: Final = Decimal("0.005")
PRICE_DELETION: Final = Decimal("0.010")

LIMITS: Final[Mapping[str, int]] = {
    "POST /2/tweets": 100,
    "GET /2/tweets": 5_000,
    "GET /2/tweets/:id": 900,
    "DELETE /2/tweets/:id": 50,
    "GET /2/users/me": 75,
    "GET /2/users/:id/tweets": 900,
    "POST /2/media/upload": 500,
    "POST /2/media/metadata": 500,
    "posts a day": 2_400,
    "posts a day, unverified": 50,
    "posts a half hour": 50,
    "posts a day, of an app": 10_000,
}
"""Calls of one account in a quarter of an hour; those of posts are caps of their own."""

SECRETS: Final = ("consumer_key", "consumer_secret", "access_token", "access_token_secret", "bearer_token", "app_token")
CHANGEABLE: Final = frozenset(
    {"name", "username", "followers", "credits", "read_only", "suspended", "enrolled", "revoked", "verified"}
)


@dataclass
class Habits:
    """How this X behaves where the real one is known to do one thing or the other."""

    vocabulary: x_posts.Vocabulary = "tweet"
    """`tweet` or `post`: retweet_count or repost_count, and so on."""
    refuses_fields: str | None = None
    """`tweet.fields` or `post.fields`: a 400 that names it."""
    ignores_fields: str | None = None
    """`tweet.fields` or `post.fields`: taken, and without effect."""
    credits_form: int = 1
    """Which of the two 402 bodies."""
    limit_form: int = 1
    """Which of the two 429 bodies."""
    usage_capped: bool = False
    """Reads are refused, however much of the rate limit remains."""
    tells_limits: bool = True
    """Whether answers carry x-rate-limit headers."""
    gone_status: int = 404
    """What deleting a second time answers: 404 or 200."""
    keeps_refused: bool = False
    """Whether a post stays in the answer when a private field of it was refused."""
    skew_seconds: float = 0
    """How far the clock that judges signatures is off."""
    empty_history: bool = False
    """Answer a new post with `[""]` for its history, as has been seen."""


@dataclass
class Call:
    """One call under way: who makes it, and what its answer will carry in its headers."""

    request: Request
    now: datetime
    headers: dict[str, str]
    account: dict[str, Any] = field(default_factory=dict)
    app_only: bool = False
    query: dict[str, str] = field(default_factory=dict)

    @property
    def account_id(self) -> str:
        """Who calls."""
        return str(self.account["id"])


@dataclass(frozen=True)
class Route:
    """One endpoint: its address, who may call it, and the least it costs."""

    name: str
    pattern: re.Pattern[str]
    handler: Callable[..., Reply]
    as_app: bool = False
    writes: bool = False
    price: Decimal = Decimal(0)

    @property
    def method(self) -> str:
        """GET, POST or DELETE."""
        return self.name.split(" ", 1)[0]


class Accounts:
    """Where calls are let in, counted and charged; the half of our own X that knows no posts."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self.habits = Habits()
        self.limits = dict(LIMITS)
        self._shelf, self._clock = shelf, clock
        self._lock = threading.RLock()
        self._verifier = Verifier()
        self._windows: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._billed: tuple[date, set[tuple[str, str, str]]] = (date.min, set())
        self._latest = 0
        self._taken = {thing["id"] for kind in ("x_account", "x_media", "x_post") for thing in shelf.all(kind)}

    def _identify(self, call: Call) -> None:
        given = call.request.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer":
            call.account = self._account_with("bearer_token", token) or self._account_with("app_token", token)
            call.app_only = bool(call.account) and call.account["app_token"] == token
        elif scheme.lower() == "oauth":
            call.account = self._signed_by(call.request, given)
        if not call.account or call.account["revoked"]:
            raise x_problems.unauthorized()

    def _signed_by(self, request: Request, header: str) -> dict[str, Any]:
        try:
            given = read_header(header)
            account = self._account_with("access_token", given.get("oauth_token", ""))
            if account and account["consumer_key"] == given.get("oauth_consumer_key"):
                self._verifier.verify(
                    request,
                    given,
                    consumer_secret=account["consumer_secret"],
                    token_secret=account["access_token_secret"],
                    skew_seconds=self._skew(request),
                )
                return account
        except BadSignature as error:
            raise x_problems.unauthorized() from error
        return {}

    def _skew(self, request: Request) -> float:
        """How far the clock that judges this call is off."""
        return self.habits.skew_seconds + request.effects.get("skew", 0.0)

    def _account_with(self, key: str, value: str) -> dict[str, Any]:
        found = (account for account in self._shelf.all("x_account") if value and account[key] == value)
        return next(found, {})

    def _admit(self, call: Call, route: Route) -> None:
        """Everything that is refused before anybody looks at what is asked."""
        account = call.account
        call.headers["x-access-level"] = "read" if account["read_only"] else "read-write"
        if not account["enrolled"]:
            raise x_problems.not_enrolled(call.account_id)
        if call.app_only and not route.as_app:
            raise x_problems.app_only()
        if account["suspended"]:
            raise x_problems.suspended()
        if route.writes and account["read_only"]:
            raise x_problems.read_only()
        self._count(call, route)
        self._require_credits(call, route.price)

    def _require_credits(self, call: Call, price: Decimal) -> None:
        credits_left = call.account["credits"]
        if credits_left is not None and (Decimal(credits_left) <= 0 or Decimal(credits_left) < price):
            raise x_problems.credits_used_up(call.account_id, form=self.habits.credits_form)

    def _count(self, call: Call, route: Route) -> None:
        """Count the call against its limits, and say in the headers what is left."""
        allowed = self._take(call, route.name, WINDOW, "x-rate-limit")
        if route.name == "POST /2/tweets" and allowed:
            allowed = self._count_post(call)
        if not allowed:
            raise x_problems.too_many_requests(form=self.habits.limit_form)
        if self.habits.usage_capped and route.method == "GET" and route.name != "GET /2/users/me":
            raise x_problems.usage_cap_exceeded(call.account_id)

    def _count_post(self, call: Call) -> bool:
        """Count a new post against the caps of its account and of its app."""
        a_day = "posts a day" if call.account.get("verified", True) else "posts a day, unverified"
        return (
            self._take(call, a_day, DAY, "x-user-limit-24hour")
            and self._take(call, "posts a half hour", SLICE)  # of which no header tells
            and self._take(call, "posts a day, of an app", DAY, "x-app-limit-24hour", of=call.account["consumer_key"])
        )

    def _take(self, call: Call, name: str, length: timedelta, prefix: str = "", *, of: str = "") -> bool:
        key = (of or call.account_id, name)
        began, used = self._windows.get(key, (call.now, 0))
        if not began <= call.now < began + length:
            began, used = call.now, 0
        limit = self.limits[name]
        self._windows[key] = (began, used + 1)
        if prefix and self.habits.tells_limits:
            call.headers[f"{prefix}-limit"] = str(limit)
            call.headers[f"{prefix}-remaining"] = str(max(0, limit - used - 1))
            call.headers[f"{prefix}-reset"] = str(int((began + length).timestamp()))
        return used < limit

    def _charge(self, call: Call, price: Decimal, kind: str = "", resource_id: str = "") -> None:
        """Take the price off the account; the same thing read again on the same UTC day is free."""
        today = call.now.astimezone(UTC).date()
        if self._billed[0] != today:
            self._billed = (today, set())
        mark = (call.account_id, kind, resource_id)
        if kind and mark in self._billed[1]:
            return
        self._billed[1].add(mark)
        account = call.account
        account["spent"] = str(Decimal(account["spent"]) + price)
        if account["credits"] is not None:
            account["credits"] = str(Decimal(account["credits"]) - price)
        self._shelf.put("x_account", account["id"], account)

    def create_account(
        self,
        username: str,
        *,
        name: str | None = None,
        followers: int = 1_000,
        credits_left: str | None = None,
        **keys: str,
    ) -> dict[str, Any]:
        """A new account with an app of its own and all its keys (those not given are made up); no credits: no end."""
        if not set(keys) <= set(SECRETS):
            raise ValueError(f"Only these keys can be given: {', '.join(SECRETS)}.")
        with self._lock:
            account_id = self._new_id()
            account: dict[str, Any] = {
                "id": account_id,
                "username": username,
                "name": name or username,
                "followers": followers,
                "credits": credits_left,
                "spent": "0",
                "read_only": False,
                "suspended": False,
                "enrolled": True,
                "revoked": False,
                "verified": True,
                **{key: secrets.token_urlsafe(24) for key in SECRETS},
                "access_token": f"{account_id}-{secrets.token_urlsafe(24)}",
                **keys,
            }
            self._shelf.put("x_account", account_id, account)
            return dict(account)

    def change_account(self, account_id: str, **changes: Any) -> dict[str, Any]:
        """Change how an account is: see CHANGEABLE."""
        if not set(changes) <= CHANGEABLE:
            raise ValueError(f"Only these can be changed: {', '.join(sorted(CHANGEABLE))}.")
        with self._lock:
            account = {**self._known_account(account_id), **changes}
            self._shelf.put("x_account", account_id, account)
            return dict(account)

    def accounts(self) -> list[dict[str, Any]]:
        """All accounts, with what they spent, without their keys."""
        return [without_secrets(account) for account in self._shelf.all("x_account")]

    def account(self, account_id: str) -> dict[str, Any]:
        """One account, with what it spent, without its keys."""
        return without_secrets(self._known_account(account_id))

    def set_habits(self, **changes: Any) -> dict[str, Any]:
        """Change how this X behaves; see `Habits`."""
        if not set(changes) <= {known.name for known in fields(Habits)}:
            raise ValueError(f"Only these habits exist: {', '.join(known.name for known in fields(Habits))}.")
        self.habits = Habits(**{**asdict(self.habits), **changes})
        return asdict(self.habits)

    def set_limits(self, **changes: int) -> dict[str, int]:
        """Change limits by endpoint, see `LIMITS`, and begin to count anew."""
        if not set(changes) <= set(LIMITS):
            raise ValueError(f"Only these limits exist: {', '.join(LIMITS)}.")
        with self._lock:
            self._windows.clear()
            self.limits |= {name: int(limit) for name, limit in changes.items()}
        return dict(self.limits)

    def _known_account(self, account_id: str) -> dict[str, Any]:
        account = self._shelf.get("x_account", account_id)
        if account is None:
            raise LookupError(f"No account {account_id}.")
        return account

    def _new_id(self) -> str:
        """A snowflake of the sandbox's time, never twice the same even when that time stands still or goes back."""
        milliseconds = int(self._clock.now().timestamp() * 1000) - x_posts.EPOCH_MS
        made = max(milliseconds, 1) << 22
        if made <= self._latest < made + (1 << 22):
            made = self._latest + 1
        while str(made) in self._taken:
            made += 1
        self._taken.add(str(made))
        self._latest = made
        return str(made)


def without_secrets(account: dict[str, Any]) -> dict[str, Any]:
    """An account as it may be shown."""
    return {name: value for name, value in account.items() if name not in SECRETS}
