"""Our own X: accounts, keys, limits, credits and posts behind the API v2, stricter than the real one where in doubt."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate
from typing import Any, Final

from channels.base import normalised
from channels.sandbox import x_posts, x_problems
from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.oauth1 import BadSignature, Verifier, read_header
from channels.sandbox.x_problems import Refusal

WINDOW: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)
API_VERSION: Final = "2.168"

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
}
"""Calls of one account in a quarter of an hour; `posts a day` is a cap of its own."""

IMAGE_BYTES: Final = 5 * 1024 * 1024
IMAGE_MARKS: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
MEDIA_LIFE: Final = DAY
ALT_LENGTH: Final = 1_000
CASHTAG: Final = re.compile(r"(?:^|\s)\$[A-Za-z]{1,6}\b")

BODY_KEYS: Final = frozenset(
    "text media geo reply poll reply_settings quote_tweet_id community_id share_with_followers made_with_ai"  # noqa: SIM905
    " paid_partnership nullcast card_uri edit_options for_super_followers_only direct_message_deep_link".split()
)
FIELD_PARAMETERS: Final = ("tweet.fields", "post.fields")
MORE_PARAMETERS: Final = frozenset({"expansions", "user.fields", "media.fields", "place.fields", "poll.fields"})
TIMELINE_PARAMETERS: Final = frozenset(
    {"max_results", "since_id", "until_id", "pagination_token", "start_time", "end_time", "exclude"}
)
SECRETS: Final = ("consumer_key", "consumer_secret", "access_token", "access_token_secret", "bearer_token", "app_token")
CHANGEABLE: Final = frozenset(
    {"name", "username", "followers", "credits", "read_only", "suspended", "enrolled", "revoked"}
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
class _Call:
    """One call under way: who makes it, and what its answer will carry in its headers."""

    request: Request
    now: datetime
    headers: dict[str, str]
    account: dict[str, Any] = field(default_factory=dict)
    app_only: bool = False
    query: dict[str, str] = field(default_factory=dict)

    @property
    def account_id(self) -> str:
        return str(self.account["id"])


@dataclass(frozen=True)
class _Route:
    """One endpoint: its address, who may call it, and the least it costs."""

    name: str
    pattern: re.Pattern[str]
    handler: Callable[..., Reply]
    as_app: bool = False
    writes: bool = False
    price: Decimal = Decimal(0)

    @property
    def method(self) -> str:
        return self.name.split(" ", 1)[0]


class XNetwork:
    """Everything behind `/2/…`, and the truth about it behind `/_sandbox/x/…`."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self.habits = Habits()
        self.limits = dict(LIMITS)
        self._shelf, self._clock = shelf, clock
        self._lock = threading.RLock()
        self._verifier = Verifier()
        self._windows: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._billed: tuple[date, set[tuple[str, str, str]]] = (date.min, set())
        self._taken = {thing["id"] for kind in ("x_account", "x_media", "x_post") for thing in shelf.all(kind)}
        self._routes = [
            _Route("POST /2/tweets", re.compile(r"/2/tweets"), self._create, writes=True, price=PRICE_POST),
            _Route("GET /2/tweets", re.compile(r"/2/tweets"), self._several, as_app=True),
            _Route("GET /2/tweets/:id", re.compile(r"/2/tweets/([^/]+)"), self._one, as_app=True),
            _Route("DELETE /2/tweets/:id", re.compile(r"/2/tweets/([^/]+)"), self._delete, writes=True),
            _Route("GET /2/users/me", re.compile(r"/2/users/me"), self._me),
            _Route("GET /2/users/:id/tweets", re.compile(r"/2/users/([^/]+)/tweets"), self._timeline, as_app=True),
            _Route("POST /2/media/upload", re.compile(r"/2/media/upload"), self._upload, writes=True),
            _Route(
                "POST /2/media/metadata",
                re.compile(r"/2/media/metadata"),
                self._describe,
                writes=True,
                price=PRICE_METADATA,
            ),
        ]

    # --- the API ------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer one call as X would."""
        headers = {
            "api-version": API_VERSION,
            "x-transaction-id": secrets.token_hex(8),
            "date": formatdate(time.time() + self.habits.skew_seconds, usegmt=True),
        }
        with self._lock:
            try:
                reply = self._serve(_Call(request, self._clock.now(), headers))
            except Refusal as refusal:
                reply = refusal.reply
        return Reply(reply.status, reply.body, {**headers, **reply.headers})

    def _serve(self, call: _Call) -> Reply:
        request = call.request
        here = [(route, route.pattern.fullmatch(request.path)) for route in self._routes]
        matches = [(route, found) for route, found in here if found and route.method == request.method]
        if not matches:
            raise x_problems.not_found()
        route, found = matches[0]
        self._identify(call)
        self._admit(call, route)
        call.query = self._read_query(call)
        return route.handler(call, *found.groups())

    def _identify(self, call: _Call) -> None:
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
                    skew_seconds=self.habits.skew_seconds,
                )
                return account
        except BadSignature as error:
            raise x_problems.unauthorized() from error
        return {}

    def _account_with(self, key: str, value: str) -> dict[str, Any]:
        found = (account for account in self._shelf.all("x_account") if value and account[key] == value)
        return next(found, {})

    def _admit(self, call: _Call, route: _Route) -> None:
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
        if account["credits"] is not None:
            left = Decimal(account["credits"])
            if left <= 0 or left < route.price:
                raise x_problems.credits_used_up(call.account_id, form=self.habits.credits_form)

    def _count(self, call: _Call, route: _Route) -> None:
        """Count the call against its limits, and say in the headers what is left."""
        allowed = self._take(call, route.name, WINDOW, "x-rate-limit")
        if route.name == "POST /2/tweets" and allowed:
            allowed = self._take(call, "posts a day", DAY, "x-user-limit-24hour")
        if not allowed:
            raise x_problems.too_many_requests(form=self.habits.limit_form)
        if self.habits.usage_capped and route.method == "GET" and route.name != "GET /2/users/me":
            raise x_problems.usage_cap_exceeded(call.account_id)

    def _take(self, call: _Call, name: str, length: timedelta, prefix: str) -> bool:
        key = (call.account_id, name)
        began, used = self._windows.get(key, (call.now, 0))
        if not began <= call.now < began + length:
            began, used = call.now, 0
        limit = self.limits[name]
        self._windows[key] = (began, used + 1)
        if self.habits.tells_limits:
            call.headers[f"{prefix}-limit"] = str(limit)
            call.headers[f"{prefix}-remaining"] = str(max(0, limit - used - 1))
            call.headers[f"{prefix}-reset"] = str(int((began + length).timestamp()))
        return used < limit

    def _read_query(self, call: _Call) -> dict[str, str]:
        known = {*FIELD_PARAMETERS, *MORE_PARAMETERS, *TIMELINE_PARAMETERS, "ids"}
        query = dict(call.request.query)
        for name in query:
            if name not in known or name == self.habits.refuses_fields:
                raise x_problems.invalid(f"The query parameter [{name}] is not one of [{', '.join(sorted(known))}]")
        return query

    # --- saying something -----------------------------------------------------------------------------

    def _create(self, call: _Call) -> Reply:
        body = _json_body(call.request, BODY_KEYS)
        text = _text(body)
        media = self._media(call, body.get("media"))
        if not text and not media:
            raise x_problems.invalid("One of the following keys must be given: text, media.", text=text)
        _check_poll(body, media=bool(media))
        if x_posts.weight(text) > x_posts.MAX_WEIGHT or len(CASHTAG.findall(text)) > 1:
            raise x_problems.not_permitted()
        self._check_relations(call, body)
        if text and self._stands(call.account_id, text):
            raise x_problems.duplicate()
        price = PRICE_POST_WITH_LINK if x_posts.links_in(text) else PRICE_POST
        if call.account["credits"] is not None and Decimal(call.account["credits"]) < price:
            raise x_problems.credits_used_up(call.account_id, form=self.habits.credits_form)
        post = self._keep(
            call.account,
            text,
            media,
            shown=not body.get("nullcast"),
            late_seconds=call.request.effects.get("late", 0.0),
        )
        self._charge(call, price)
        fields_asked = {"text"}
        data = x_posts.look(post, fields_asked, now=call.now, vocabulary=self.habits.vocabulary)
        if self.habits.empty_history:
            data[f"edit_history_{self.habits.vocabulary}_ids"] = [""]
        return Reply.json({"data": data}, status=201)

    def _stands(self, account_id: str, text: str) -> bool:
        said = normalised(text)
        return any(post["said"] == said and not post["deleted"] for post in self._posts_of(account_id))

    def _check_relations(self, call: _Call, body: dict[str, Any]) -> None:
        """By API one may answer oneself, and not quote: that is what self-serve plans have."""
        if "quote_tweet_id" in body:
            raise x_problems.not_permitted()
        if "reply" in body:
            target = self._post(str(_object(body, "reply").get("in_reply_to_tweet_id", "")))
            if not target or target["account_id"] != call.account_id:
                raise x_problems.not_permitted()

    def _media(self, call: _Call, given: object) -> list[dict[str, Any]]:
        if given is None:
            return []
        ids = given.get("media_ids") if isinstance(given, dict) else None
        if not isinstance(ids, list) or not 1 <= len(ids) <= 4 or len(set(map(str, ids))) != len(ids):
            raise x_problems.invalid("media.media_ids must hold between 1 and 4 different ids.")
        found = [self._usable_media(call, str(media_id)) for media_id in ids]
        if None in found:
            raise x_problems.invalid("Your media IDs are invalid.", media_ids=ids)
        return [dict(item) for item in found if item]

    def _usable_media(self, call: _Call, media_id: str) -> dict[str, Any] | None:
        item = self._shelf.get("x_media", media_id)
        if item and item["account_id"] == call.account_id and x_posts.moment_of(media_id) + MEDIA_LIFE > call.now:
            return item
        return None

    def _keep(
        self,
        account: dict[str, Any],
        text: str,
        media: list[dict[str, Any]],
        *,
        shown: bool = True,
        late_seconds: float = 0.0,
    ) -> dict[str, Any]:
        post_id, now = self._new_id(), self._clock.now()
        post = {
            "id": post_id,
            "account_id": account["id"],
            "username": account["username"],
            "text": text,
            "said": normalised(text),
            "media": media,
            "followers": account["followers"],
            "created_at": x_posts.moment_of(post_id).isoformat(timespec="milliseconds"),
            "readable_at": (now + timedelta(seconds=late_seconds)).isoformat(),
            "shown": shown,
            "deleted": False,
        }
        self._shelf.put("x_post", post_id, post)
        return post

    def _delete(self, call: _Call, post_id: str) -> Reply:
        post = self._shelf.get("x_post", _checked_id("id", post_id))
        if post and post["account_id"] != call.account_id:
            raise x_problems.not_permitted()
        if not post or (post["deleted"] and self.habits.gone_status == 404):
            raise x_problems.not_found()
        if not post["deleted"]:
            self.take_down(post_id)
            self._charge(call, PRICE_DELETION)
        return Reply.json({"data": {"deleted": True}})

    # --- pictures -----------------------------------------------------------------------------------------

    def _upload(self, call: _Call) -> Reply:
        data = _uploaded(call.request)
        mime = next((mime for mark, mime in IMAGE_MARKS.items() if data.startswith(mark)), None)
        if mime is None or len(data) > IMAGE_BYTES:
            raise x_problems.invalid("The media is no image, or is larger than 5 MB.")
        media_id = self._new_id()
        item = {
            "id": media_id,
            "media_key": f"3_{media_id}",
            "account_id": call.account_id,
            "mime": mime,
            "size": len(data),
            "alt": "",
        }
        self._shelf.put("x_media", media_id, item)
        life = int(MEDIA_LIFE.total_seconds())
        told = {"id": media_id, "media_key": item["media_key"], "size": len(data), "expires_after_secs": life}
        return Reply.json({"data": told})

    def _describe(self, call: _Call) -> Reply:
        body = _json_body(call.request, frozenset({"id", "metadata"}))
        item = self._usable_media(call, str(body.get("id", "")))
        text = _object(_object(body, "metadata"), "alt_text").get("text")
        if item is None:
            raise x_problems.invalid("Your media IDs are invalid.", id=body.get("id"))
        if not isinstance(text, str) or not 1 <= len(text) <= ALT_LENGTH:
            raise x_problems.invalid(f"alt_text.text must hold between 1 and {ALT_LENGTH} characters.")
        self._shelf.put("x_media", item["id"], {**item, "alt": text})
        self._charge(call, PRICE_METADATA)
        return Reply.json({"data": {"id": item["id"], "associated_metadata": {"alt_text": {"text": text}}}})

    # --- reading --------------------------------------------------------------------------------------------

    def _me(self, call: _Call) -> Reply:
        self._charge(call, PRICE_USER, "user", call.account_id)
        return Reply.json({"data": {name: call.account[name] for name in ("id", "name", "username")}})

    def _several(self, call: _Call) -> Reply:
        ids = call.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100:
            raise x_problems.invalid("The number of values in the `ids` query parameter is not between 1 and 100.")
        found, errors = self._read(call, [_checked_id("ids", post_id) for post_id in ids], "ids")
        return Reply.json({name: value for name, value in (("data", found), ("errors", errors)) if value})

    def _one(self, call: _Call, post_id: str) -> Reply:
        found, errors = self._read(call, [_checked_id("id", post_id)], "id")
        data = found[0] if found else None
        return Reply.json({name: value for name, value in (("data", data), ("errors", errors)) if value})

    def _read(self, call: _Call, ids: list[str], parameter: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        wanted = self._fields(call)
        found: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for post_id in dict.fromkeys(ids):
            post = self._post(post_id)
            if post is None:
                errors.append(x_problems.missing_resource("tweet", post_id, parameter))
                continue
            refused = self._refused_fields(call, post, wanted)
            errors += [x_problems.refused_field(name, post_id, parameter) for name in refused]
            if not refused or self.habits.keeps_refused:
                found.append(self._look(call, post, wanted - (set(x_posts.PRIVATE_FIELDS) if refused else set())))
                self._charge_read(call, post)
        return found, errors

    def _refused_fields(self, call: _Call, post: dict[str, Any], wanted: set[str]) -> list[str]:
        """Private fields are for the author, and for thirty days."""
        young = call.now - x_posts.moment_of(post["id"]) < x_posts.PRIVATE_FOR
        if young and not call.app_only and post["account_id"] == call.account_id:
            return []
        names = x_posts.private_metrics(post, call.now)
        return [f"{kind}.{name}" for kind in x_posts.PRIVATE_FIELDS if kind in wanted for name in names]

    def _timeline(self, call: _Call, account_id: str) -> Reply:
        query, wanted = call.query, self._fields(call)
        size = query.get("max_results", "10")
        if not size.isdigit() or not 5 <= int(size) <= 100:
            raise x_problems.invalid(f"The `max_results` query parameter value [{size}] is not between 5 and 100")
        if not self._shelf.get("x_account", _checked_id("id", account_id)):
            return Reply.json({"errors": [x_problems.missing_resource("user", account_id, "id")]})
        after = int(_checked_id("since_id", query.get("since_id", "1")))
        before = int(_checked_id("until_id", query.get("until_id", str(2**63))))
        page = query.get("pagination_token", "b0")
        if not re.fullmatch(r"b\d+", page):
            raise x_problems.invalid(f"The `pagination_token` query parameter value [{page}] is not valid")
        before = min(before, int(page[1:]) or before)
        posts = [post for post in self._posts_of(account_id) if self._readable(post) and post["shown"]]
        posts = [post for post in posts if after < int(post["id"]) < before]
        posts.sort(key=lambda post: int(post["id"]), reverse=True)
        here, more = posts[: int(size)], len(posts) > int(size)
        if not here:
            return Reply.json({"meta": {"result_count": 0}})
        for post in here:
            self._charge_read(call, post)
        meta: dict[str, Any] = {"result_count": len(here), "newest_id": here[0]["id"], "oldest_id": here[-1]["id"]}
        if more:
            meta["next_token"] = f"b{here[-1]['id']}"
        shown = wanted - set(x_posts.PRIVATE_FIELDS)
        return Reply.json({"data": [self._look(call, post, shown) for post in here], "meta": meta})

    def _look(self, call: _Call, post: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
        return x_posts.look(post, wanted, now=call.now, vocabulary=self.habits.vocabulary)

    def _fields(self, call: _Call) -> set[str]:
        names: set[str] = set()
        for parameter in FIELD_PARAMETERS:
            asked = {name for name in call.query.get(parameter, "").split(",") if name}
            if not asked <= x_posts.FIELDS:
                raise x_problems.invalid(f"The `{parameter}` query parameter value [{','.join(asked)}] is not known")
            if parameter != self.habits.ignores_fields:
                names |= asked
        return names

    def _posts_of(self, account_id: str) -> list[dict[str, Any]]:
        return [post for post in self._shelf.all("x_post") if post["account_id"] == account_id]

    def _post(self, post_id: str) -> dict[str, Any] | None:
        post = self._shelf.get("x_post", post_id)
        return post if post and self._readable(post) else None

    def _readable(self, post: dict[str, Any]) -> bool:
        return not post["deleted"] and datetime.fromisoformat(post["readable_at"]) <= self._clock.now()

    # --- money ------------------------------------------------------------------------------------------------

    def _charge_read(self, call: _Call, post: dict[str, Any]) -> None:
        own = post["account_id"] == call.account_id
        self._charge(call, PRICE_READ_OWN if own else PRICE_READ, "post", post["id"])

    def _charge(self, call: _Call, price: Decimal, kind: str = "", resource_id: str = "") -> None:
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

    # --- the truth, for tests, demo and training ------------------------------------------------------------

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
                **{key: secrets.token_urlsafe(24) for key in SECRETS},
                "access_token": f"{account_id}-{secrets.token_urlsafe(24)}",
                **keys,
            }
            self._shelf.put("x_account", account_id, account)
            return dict(account)

    def change_account(self, account_id: str, **changes: Any) -> dict[str, Any]:
        """Change how an account is: followers, credits, read_only, suspended, enrolled, revoked, name, username."""
        if not set(changes) <= CHANGEABLE:
            raise ValueError(f"Only these can be changed: {', '.join(sorted(CHANGEABLE))}.")
        with self._lock:
            account = {**self._known_account(account_id), **changes}
            self._shelf.put("x_account", account_id, account)
            return dict(account)

    def accounts(self) -> list[dict[str, Any]]:
        """All accounts, with what they spent, without their keys."""
        return [_without_secrets(account) for account in self._shelf.all("x_account")]

    def account(self, account_id: str) -> dict[str, Any]:
        """One account, with what it spent, without its keys."""
        return _without_secrets(self._known_account(account_id))

    def posts(self, account_id: str | None = None) -> list[dict[str, Any]]:
        """What was really posted, oldest first, deleted posts too."""
        told = ("id", "account_id", "username", "text", "media", "created_at", "deleted")
        found = [post for post in self._shelf.all("x_post") if account_id in (None, post["account_id"])]
        return [{name: post[name] for name in told} for post in found]

    def say(self, account_id: str, text: str) -> dict[str, Any]:
        """Post by hand, as somebody with the app on a telephone would: no keys, no limits, no price."""
        with self._lock:
            return self._keep(self._known_account(account_id), text, [])

    def take_down(self, post_id: str) -> dict[str, Any]:
        """Delete a post by hand."""
        with self._lock:
            post = self._shelf.get("x_post", post_id)
            if post is None:
                raise LookupError(f"No post {post_id}.")
            gone = {**post, "deleted": True}
            self._shelf.put("x_post", post_id, gone)
            return gone

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

    def admin(self, parts: Sequence[str], body: dict[str, Any] | None) -> object:
        """The same by HTTP: look (`body` None) or change; LookupError where there is nothing to be had."""
        if body is None:
            match parts:
                case ["accounts"]:
                    return self.accounts()
                case ["accounts", account_id]:
                    return self.account(account_id)
                case ["accounts", account_id, "posts"]:
                    return self.posts(account_id)
                case ["posts"]:
                    return self.posts()
                case ["habits"]:
                    return asdict(self.habits)
                case ["limits"]:
                    return dict(self.limits)
            raise LookupError("/".join(parts))
        match parts:
            case ["accounts"]:
                return self.create_account(**body)
            case ["accounts", account_id]:
                return _without_secrets(self.change_account(account_id, **body))
            case ["accounts", account_id, "posts"]:
                return self.say(account_id, str(body["text"]))
            case ["posts", post_id, "take_down"]:
                return self.take_down(post_id)
            case ["habits"]:
                return self.set_habits(**body)
            case ["limits"]:
                return self.set_limits(**body)
        raise LookupError("/".join(parts))

    def _known_account(self, account_id: str) -> dict[str, Any]:
        account = self._shelf.get("x_account", account_id)
        if account is None:
            raise LookupError(f"No account {account_id}.")
        return account

    def _new_id(self) -> str:
        """A snowflake of the sandbox's time, never twice the same even when that time stands still or goes back."""
        milliseconds = int(self._clock.now().timestamp() * 1000) - x_posts.EPOCH_MS
        made = max(milliseconds, 1) << 22
        while str(made) in self._taken:
            made += 1
        self._taken.add(str(made))
        return str(made)


def _without_secrets(account: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in account.items() if name not in SECRETS}


def _json_body(request: Request, known: Collection[str]) -> dict[str, Any]:
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


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise x_problems.invalid(f"[$.{name}: object expected]")
    return value


def _text(body: dict[str, Any]) -> str:
    text = body.get("text", "")
    if not isinstance(text, str):
        raise x_problems.invalid("[$.text: string expected]")
    return text


def _check_poll(body: dict[str, Any], *, media: bool) -> None:
    if "poll" not in body:
        return
    poll = _object(body, "poll")
    options, minutes = poll.get("options"), poll.get("duration_minutes")
    well = (
        isinstance(options, list) and 2 <= len(options) <= 4 and all(1 <= len(str(option)) <= 25 for option in options)
    )
    if media or not well or not isinstance(minutes, int) or not 5 <= minutes <= 10_080:
        raise x_problems.invalid("poll is not valid, or stands beside media.")


def _checked_id(parameter: str, value: str) -> str:
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII):
        raise x_problems.invalid(
            f"The `{parameter}` query parameter value [{value}] is not valid", **{parameter: value}
        )
    return value


def _uploaded(request: Request) -> bytes:
    """The bytes of an upload, which comes as JSON with base64 or as a form of several parts."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        form = BytesParser(policy=HTTP).parsebytes(b"content-type: " + kind.encode() + b"\r\n\r\n" + request.body)
        for part in form.iter_parts():
            if part.get_param("name", header="content-disposition") == "media":
                return bytes(part.get_payload(decode=True))
        raise x_problems.invalid("[$.media: is missing]")
    body = _json_body(request, frozenset({"media", "media_category", "media_type", "shared", "additional_owners"}))
    try:
        return base64.b64decode(str(body.get("media", "")), validate=True)
    except ValueError as error:
        raise x_problems.invalid("media is not valid base64.") from error
