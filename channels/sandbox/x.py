"""Our own X: accounts, keys, limits, credits and posts behind the API v2, stricter than the real one where in doubt."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from email.utils import formatdate
from typing import Any, Final

from channels.base import normalised
from channels.sandbox import x_posts, x_problems, x_questions
from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.x_accounts import (
    DAY,
    PRICE_DELETION,
    PRICE_METADATA,
    PRICE_POST,
    PRICE_POST_WITH_LINK,
    PRICE_READ,
    PRICE_READ_OWN,
    PRICE_USER,
    Accounts,
    Call,
    Route,
    without_secrets,
)
from channels.sandbox.x_problems import Refusal

API_VERSION: Final = "2.168"

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

FIELD_PARAMETERS: Final = ("tweet.fields", "post.fields")
MORE_PARAMETERS: Final = frozenset({"expansions", "user.fields", "media.fields", "place.fields", "poll.fields"})
TIMELINE_PARAMETERS: Final = frozenset(
    {"max_results", "since_id", "until_id", "pagination_token", "start_time", "end_time", "exclude"}
)


class XNetwork(Accounts):
    """Everything behind `/2/…`, and the truth about it behind `/_sandbox/x/…`."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        super().__init__(shelf, clock)
        self._post_ids: dict[str, list[str]] = {}
        for post in shelf.all("x_post"):
            self._post_ids.setdefault(post["account_id"], []).append(post["id"])
        self._routes = [
            Route("POST /2/tweets", re.compile(r"/2/tweets"), self._create, writes=True, price=PRICE_POST),
            Route("GET /2/tweets", re.compile(r"/2/tweets"), self._several, as_app=True),
            Route("GET /2/tweets/:id", re.compile(r"/2/tweets/([^/]+)"), self._one, as_app=True),
            Route("DELETE /2/tweets/:id", re.compile(r"/2/tweets/([^/]+)"), self._delete, writes=True),
            Route("GET /2/users/me", re.compile(r"/2/users/me"), self._me),
            Route("GET /2/users/:id/tweets", re.compile(r"/2/users/([^/]+)/tweets"), self._timeline, as_app=True),
            Route("POST /2/media/upload", re.compile(r"/2/media/upload"), self._upload, writes=True),
            Route(
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
            "date": formatdate(time.time() + self._skew(request), usegmt=True),
        }
        with self._lock:
            try:
                reply = self._serve(Call(request, self._clock.now(), headers))
            except Refusal as refusal:
                reply = refusal.reply
        return Reply(reply.status, reply.body, {**headers, **reply.headers})

    def _serve(self, call: Call) -> Reply:
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

    def _read_query(self, call: Call) -> dict[str, str]:
        known = {*FIELD_PARAMETERS, *MORE_PARAMETERS, *TIMELINE_PARAMETERS, "ids"}
        query = dict(call.request.query)
        for name in query:
            if name not in known or name == self.habits.refuses_fields:
                raise x_problems.invalid(f"The query parameter [{name}] is not one of [{', '.join(sorted(known))}]")
        return query

    # --- saying something -----------------------------------------------------------------------------

    def _create(self, call: Call) -> Reply:
        body = x_questions.json_body(call.request, x_questions.BODY_KEYS)
        text = x_questions.text_of(body)
        media = self._media(call, body.get("media"))
        if not text and not media:
            raise x_problems.invalid("One of the following keys must be given: text, media.", text=text)
        x_questions.check_poll(body, media=bool(media))
        if x_posts.weight(text) > x_posts.MAX_WEIGHT or len(CASHTAG.findall(text)) > 1:
            raise x_problems.not_permitted()
        self._check_relations(call, body)
        if text and self._stands(call.account_id, text):
            raise x_problems.duplicate()
        price = PRICE_POST_WITH_LINK if x_posts.links_in(text) else PRICE_POST
        self._require_credits(call, price)
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

    def _check_relations(self, call: Call, body: dict[str, Any]) -> None:
        """By API one may answer oneself, and not quote: that is what self-serve plans have."""
        if "quote_tweet_id" in body:
            raise x_problems.not_permitted()
        if "reply" in body:
            target = self._post(str(x_questions.inner(body, "reply").get("in_reply_to_tweet_id", "")))
            if not target or target["account_id"] != call.account_id:
                raise x_problems.not_permitted()

    def _media(self, call: Call, given: object) -> list[dict[str, Any]]:
        if given is None:
            return []
        ids = given.get("media_ids") if isinstance(given, dict) else None
        if not isinstance(ids, list) or not 1 <= len(ids) <= 4 or len(set(map(str, ids))) != len(ids):
            raise x_problems.invalid("media.media_ids must hold between 1 and 4 different ids.")
        found = [self._usable_media(call, str(media_id)) for media_id in ids]
        if None in found:
            raise x_problems.invalid("Your media IDs are invalid.", media_ids=ids)
        return [dict(item) for item in found if item]

    def _usable_media(self, call: Call, media_id: str) -> dict[str, Any] | None:
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
        self._post_ids.setdefault(account["id"], []).append(post_id)
        return post

    def _delete(self, call: Call, post_id: str) -> Reply:
        post = self._shelf.get("x_post", x_questions.checked_id("id", post_id))
        if post and post["account_id"] != call.account_id:
            raise x_problems.not_permitted()
        if not post or (post["deleted"] and self.habits.gone_status == 404):
            raise x_problems.not_found()
        if not post["deleted"]:
            self.take_down(post_id)
            self._charge(call, PRICE_DELETION)
        return Reply.json({"data": {"deleted": True}})

    # --- pictures -----------------------------------------------------------------------------------------

    def _upload(self, call: Call) -> Reply:
        data = x_questions.uploaded(call.request)
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

    def _describe(self, call: Call) -> Reply:
        body = x_questions.json_body(call.request, frozenset({"id", "metadata"}))
        item = self._usable_media(call, str(body.get("id", "")))
        text = x_questions.inner(x_questions.inner(body, "metadata"), "alt_text").get("text")
        if item is None:
            raise x_problems.invalid("Your media IDs are invalid.", id=body.get("id"))
        if not isinstance(text, str) or not 1 <= len(text) <= ALT_LENGTH:
            raise x_problems.invalid(f"alt_text.text must hold between 1 and {ALT_LENGTH} characters.")
        self._shelf.put("x_media", item["id"], {**item, "alt": text})
        self._charge(call, PRICE_METADATA)
        return Reply.json({"data": {"id": item["id"], "associated_metadata": {"alt_text": {"text": text}}}})

    # --- reading --------------------------------------------------------------------------------------------

    def _me(self, call: Call) -> Reply:
        self._charge(call, PRICE_USER, "user", call.account_id)
        told: dict[str, Any] = {name: call.account[name] for name in ("id", "name", "username")}
        if "public_metrics" in call.query.get("user.fields", "").split(","):
            told["public_metrics"] = {
                "followers_count": call.account["followers"],
                "following_count": 0,
                "listed_count": 0,
                f"{self.habits.vocabulary}_count": len(self._posts_of(call.account_id)),
            }
        return Reply.json({"data": told})

    def _several(self, call: Call) -> Reply:
        ids = call.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100:
            raise x_problems.invalid("The number of values in the `ids` query parameter is not between 1 and 100.")
        found, errors = self._read(call, [x_questions.checked_id("ids", post_id) for post_id in ids], "ids")
        return Reply.json({name: value for name, value in (("data", found), ("errors", errors)) if value})

    def _one(self, call: Call, post_id: str) -> Reply:
        found, errors = self._read(call, [x_questions.checked_id("id", post_id)], "id")
        data = found[0] if found else None
        return Reply.json({name: value for name, value in (("data", data), ("errors", errors)) if value})

    def _read(self, call: Call, ids: list[str], parameter: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
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

    def _refused_fields(self, call: Call, post: dict[str, Any], wanted: set[str]) -> list[str]:
        """Private fields are for the author, and for thirty days."""
        young = call.now - x_posts.moment_of(post["id"]) < x_posts.PRIVATE_FOR
        if young and not call.app_only and post["account_id"] == call.account_id:
            return []
        names = x_posts.private_metrics(post, call.now)
        return [f"{kind}.{name}" for kind in x_posts.PRIVATE_FIELDS if kind in wanted for name in names]

    def _timeline(self, call: Call, account_id: str) -> Reply:
        query, wanted = call.query, self._fields(call)
        size = query.get("max_results", "10")
        if not size.isdigit() or not 5 <= int(size) <= 100:
            raise x_problems.invalid(f"The `max_results` query parameter value [{size}] is not between 5 and 100")
        if not self._shelf.get("x_account", x_questions.checked_id("id", account_id)):
            return Reply.json({"errors": [x_problems.missing_resource("user", account_id, "id")]})
        after = int(x_questions.checked_id("since_id", query.get("since_id", "1")))
        before = int(x_questions.checked_id("until_id", query.get("until_id", str(2**63))))
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

    def _look(self, call: Call, post: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
        return x_posts.look(post, wanted, now=call.now, vocabulary=self.habits.vocabulary)

    def _fields(self, call: Call) -> set[str]:
        names: set[str] = set()
        for parameter in FIELD_PARAMETERS:
            asked = {name for name in call.query.get(parameter, "").split(",") if name}
            if not asked <= x_posts.FIELDS:
                raise x_problems.invalid(f"The `{parameter}` query parameter value [{','.join(asked)}] is not known")
            if parameter != self.habits.ignores_fields:
                names |= asked
        return names

    def _posts_of(self, account_id: str) -> list[dict[str, Any]]:
        found = (self._shelf.get("x_post", post_id) for post_id in self._post_ids.get(account_id, []))
        return [post for post in found if post]

    def _post(self, post_id: str) -> dict[str, Any] | None:
        post = self._shelf.get("x_post", post_id)
        return post if post and self._readable(post) else None

    def _readable(self, post: dict[str, Any]) -> bool:
        return not post["deleted"] and datetime.fromisoformat(post["readable_at"]) <= self._clock.now()

    # --- money ------------------------------------------------------------------------------------------------

    def _charge_read(self, call: Call, post: dict[str, Any]) -> None:
        own = post["account_id"] == call.account_id
        self._charge(call, PRICE_READ_OWN if own else PRICE_READ, "post", post["id"])

    # --- the truth, for tests, demo and training ------------------------------------------------------------

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
                return without_secrets(self.change_account(account_id, **body))
            case ["accounts", account_id, "posts"]:
                return self.say(account_id, str(body["text"]))
            case ["posts", post_id, "take_down"]:
                return self.take_down(post_id)
            case ["habits"]:
                return self.set_habits(**body)
            case ["limits"]:
                return self.set_limits(**body)
        raise LookupError("/".join(parts))
