"""Our own Facebook: speaks the Graph API, keeps what is posted, refuses what it refuses."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from channels.sandbox import graph_figures, graph_targeting
from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.graph_dialog import Dialog
from channels.sandbox.graph_posts import PostBox, Upload, field_names, new_trace_id, paged
from channels.sandbox.graph_problems import GraphProblem, bad_parameter, missing, not_allowed, unknown_path
from channels.sandbox.graph_tokens import Caller, TokenDesk

NEWEST: Final = 26
OLDEST_USABLE: Final = 21
PAGE_FIELDS: Final = frozenset(
    {"id", "name", "access_token", "followers_count", "fan_count", "tasks", "category", "link", "is_published"}
)
_VERSION = re.compile(r"v(\d+)\.0")


class GraphNetwork:
    """The Graph API, one call at a time."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._lock = threading.RLock()
        self.tokens = TokenDesk(shelf, clock)
        self.dialog = Dialog(shelf, clock, self.tokens)
        self.posts = PostBox(shelf, clock)
        self._retired: frozenset[str] = frozenset()

    def answer(self, request: Request) -> Reply:
        """Carry out one call."""
        trace_id = new_trace_id()
        version = f"v{NEWEST}.0"
        with self._lock:
            try:
                version, path = self._version(request.path)
                self.posts.tick()
                if path == ["dialog", "oauth"]:
                    reply = self.dialog.answer(request)
                else:
                    reply = Reply.json(self._carry_out(request, path))
            except GraphProblem as problem:
                reply = problem.reply(trace_id)
        return Reply(
            reply.status,
            reply.body,
            {**reply.headers, "facebook-api-version": version, "x-fb-trace-id": trace_id, "cache-control": "no-store"},
        )

    def _version(self, path: str) -> tuple[str, list[str]]:
        """The version that answers, and the path without it; a version past its end is answered by an older usable."""
        parts = [part for part in path.split("/") if part]
        found = _VERSION.fullmatch(parts[0]) if parts else None
        if found is None:
            if parts and re.fullmatch(r"v\d.*", parts[0]):
                raise unknown_path(f"/{parts[0]}")
            return f"v{NEWEST}.0", parts
        if not 1 <= int(found[1]) <= NEWEST:
            raise unknown_path("/" + "/".join(parts[1:]))
        return f"v{max(int(found[1]), OLDEST_USABLE)}.0", parts[1:]

    def _carry_out(self, request: Request, path: list[str]) -> dict[str, Any]:
        params, files = _parameters(request)
        if path == ["oauth", "access_token"]:
            return self.dialog.exchange(params) if "code" in params else self.tokens.exchange(params)
        caller = self.tokens.caller(params, request.headers.get("authorization", ""))
        method = request.method if request.method != "POST" else params.pop("method", "POST").upper()
        match [method, *path]:
            case ["GET", "debug_token"]:
                return self.tokens.debug(caller, params.get("input_token", ""))
            case ["GET", "search"]:
                if params.get("type") != "adgeolocation":
                    raise bad_parameter("Only type=adgeolocation is played here")
                return graph_targeting.search(self._shelf, params)
            case ["GET", "me"]:
                return self._me(caller, params)
            case ["GET", "me", "accounts"]:
                return self._accounts(caller, params, request)
            case ["GET", object_id]:
                return self._object(caller, object_id, params)
            case ["GET", object_id, edge]:
                return self._list(caller, object_id, edge, params, request)
            case ["POST", page_id, "feed" | "photos" as edge]:
                return self._publish(caller, page_id, edge, params, files, request)
            case ["POST", post_id]:
                return self.posts.change(self._own_post(caller, post_id), params, request.effects)
            case ["DELETE", post_id]:
                return self.posts.delete(self._own_post(caller, post_id))
        raise unknown_path("/" + "/".join(path))

    def _publish(
        self,
        caller: Caller,
        page_id: str,
        edge: str,
        params: dict[str, str],
        files: Mapping[str, Upload],
        request: Request,
    ) -> dict[str, Any]:
        if caller.kind == "USER":
            raise not_allowed("Publishing to a page needs a page token; this one belongs to a person")
        scopes = ("pages_manage_posts", "pages_read_engagement")
        page = self.tokens.page_for(caller, page_id, scopes=scopes, task="CREATE_CONTENT")
        if edge == "photos":
            return self.posts.add_photo(page, caller.app_id, params, files, request.effects)
        return self.posts.create(page, caller.app_id, params, request.effects)

    def _list(
        self, caller: Caller, object_id: str, edge: str, params: dict[str, str], request: Request
    ) -> dict[str, Any]:
        base = f"https://graph.facebook.com{request.path}?access_token={caller.token}"
        if edge == "insights":
            return self._insights(caller, object_id, params, request)
        if edge == "feed" and "pages_read_user_content" not in caller.scopes:
            raise not_allowed("This endpoint requires the 'pages_read_user_content' permission", 10)
        if edge in ("published_posts", "scheduled_posts", "feed"):
            self.tokens.page_for(caller, object_id, scopes=("pages_read_engagement",))
            if edge == "scheduled_posts":
                return self.posts.list_scheduled(object_id, params, base)
            return self.posts.list_published(object_id, params, base)
        raise bad_parameter(f"Tried accessing nonexisting field ({edge})")

    def _insights(self, caller: Caller, object_id: str, params: dict[str, str], request: Request) -> dict[str, Any]:
        post = self.posts.find(object_id)
        page = self._shelf.get("fb_page", post["page_id"] if post else object_id)
        if page is None:
            raise missing(object_id)
        self.tokens.page_for(caller, page["id"])
        living = set(graph_figures.POST_METRICS if post else graph_figures.PAGE_METRICS) - self._retired
        metrics = graph_figures.metrics_asked(params, living)
        allowed = "read_insights" in caller.scopes and "ANALYZE" in page["tasks"].get(caller.user_id, [])
        small = page["followers"] < graph_figures.FEWEST_FOLLOWERS
        hidden = post is not None and not post["published_at"]
        if not allowed or small or hidden or "empty_insights" in request.effects:
            return {"data": []}
        now = self._clock.now()
        if post:
            return {"data": graph_figures.of_post(post, page, now, metrics)}
        return {"data": graph_figures.of_page(page, self.posts.live(page["id"]), params, metrics, now)}

    def _object(self, caller: Caller, object_id: str, params: dict[str, str]) -> dict[str, Any]:
        page = self._shelf.get("fb_page", object_id)
        if page:
            return self._page(caller, page, params.get("fields", "id,name"))
        post = self.posts.find(object_id)
        if post is None or caller.page_id != post["page_id"]:
            raise missing(object_id)
        self.tokens.page_for(caller, post["page_id"], scopes=("pages_read_engagement",))
        return self.posts.show(post, params.get("fields", ""))

    def _page(self, caller: Caller, page: dict[str, Any], fields: str) -> dict[str, Any]:
        for name in field_names(fields):
            if name not in PAGE_FIELDS:
                raise bad_parameter(f"Tried accessing nonexisting field ({name}) on node type (Page)")
        all_fields = {
            "id": page["id"],
            "name": page["name"],
            "access_token": self.tokens.page_token(caller, page) if caller.kind != "APP" else None,
            "followers_count": page["followers"],
            "fan_count": page["followers"],
            "tasks": page["tasks"].get(caller.user_id),
            "category": "Education",
            "link": f"https://www.facebook.com/{page['id']}",
            "is_published": True,
        }
        return {name: all_fields[name] for name in ["id", *field_names(fields)] if all_fields[name] is not None}

    def _me(self, caller: Caller, params: dict[str, str]) -> dict[str, Any]:
        if caller.page_id:
            return self._page(caller, self._shelf.get("fb_page", caller.page_id) or {}, params.get("fields", "id,name"))
        user = self._shelf.get("fb_user", caller.user_id or "")
        if user is None:
            raise missing("me")
        for name in field_names(params.get("fields", "")):
            if name not in ("id", "name"):
                raise bad_parameter(f"Tried accessing nonexisting field ({name}) on node type (User)")
        return {"id": user["id"], "name": user["name"]}

    def _accounts(self, caller: Caller, params: dict[str, str], request: Request) -> dict[str, Any]:
        fields = params.get("fields", "access_token,name,id,tasks")
        pages = [self._page(caller, page, fields) for page in self.tokens.pages(caller)]
        return paged(pages, params, f"https://graph.facebook.com{request.path}?access_token={caller.token}")

    def _own_post(self, caller: Caller, post_id: str) -> dict[str, Any]:
        post = self.posts.find(post_id)
        if post is None:
            raise missing(post_id)
        self.tokens.page_for(caller, post["page_id"], scopes=("pages_manage_posts",), task="CREATE_CONTENT")
        if post["app_id"] != caller.app_id:
            raise not_allowed("This post wasn't created by the application")
        return post

    # --- behind the scenes ---

    def create_page(self, page_id: str, name: str, **more: Any) -> str:
        """A page, as `TokenDesk.create_page` takes it; answers its token."""
        with self._lock:
            return self.tokens.create_page(page_id, name, **more)

    def retire(self, metrics: Iterable[str]) -> None:
        """From now on these figures, and no others, are no longer known by name."""
        with self._lock:
            self._retired = frozenset(metrics)

    def add_places(self, places: Sequence[Mapping[str, Any]]) -> None:
        """Register places for targeting: key, name, type, country_code…; from then on unknown keys are refused."""
        with self._lock:
            for place in places:
                full = {"country_name": place["country_code"], **place}
                self._shelf.put("fb_place", str(full["key"]), full)

    def all_posts(self, page_id: str | None = None) -> list[dict[str, Any]]:
        """The truth: everything that was ever posted here, drafts and deleted ones too, oldest first."""
        with self._lock:
            self.posts.tick()
            return [dict(post) for post in self._shelf.all("fb_post") if page_id in (None, post["page_id"])]

    def visible_posts(self, page_id: str | None = None) -> list[dict[str, Any]]:
        """What people can see now."""
        return [post for post in self.all_posts(page_id) if post["published_at"] and not post["deleted"]]

    def all_photos(self) -> list[dict[str, Any]]:
        """Every photo that was uploaded."""
        with self._lock:
            return [dict(photo) for photo in self._shelf.all("fb_photo")]

    def admin(self, parts: Sequence[str], body: dict[str, Any] | None) -> object:
        """The same behind an address; `body` None only looks."""
        match list(parts):
            case ["posts"] if body is None:
                return {"posts": self.all_posts()}
            case ["photos"] if body is None:
                return {"photos": self.all_photos()}
            case ["pages"] if body is None:
                with self._lock:
                    return {"pages": list(self._shelf.all("fb_page"))}
            case ["pages"] if body is not None:
                asked = dict(body)
                token = self.create_page(str(_need(asked, "id")), str(_need(asked, "name")), **asked)
                return {"id": body["id"], "access_token": token}
        if body is None:
            raise LookupError("/".join(parts))
        with self._lock:
            return self._admin_change(list(parts), dict(body))

    def _admin_change(self, parts: list[str], asked: dict[str, Any]) -> object:
        match parts:
            case ["apps"]:
                self.tokens.create_app(str(_need(asked, "id")), str(_need(asked, "secret")), **asked)
            case ["users"]:
                return {"access_token": self.tokens.create_user(str(_need(asked, "id")), **asked)}
            case ["places"]:
                self.add_places(_need(asked, "places"))
            case ["retired"]:
                self.retire([str(name) for name in _need(asked, "metrics")])
            case ["tokens", "end"]:
                self.tokens.end_token(_need(asked, "token"), int(asked.get("subcode", 460)))
            case ["tokens", "expire"]:
                at = asked.get("at")
                self.tokens.expire_token(_need(asked, "token"), datetime.fromisoformat(at) if at else None)
            case ["tokens", "scopes"]:
                self.tokens.set_scopes(_need(asked, "token"), _need(asked, "scopes"))
            case _:
                raise LookupError("/".join(parts))
        return {"done": True}


def _need(asked: dict[str, Any], name: str) -> Any:
    if name not in asked:
        raise ValueError(f"{name} is missing")
    return asked.pop(name)


def _parameters(request: Request) -> tuple[dict[str, str], dict[str, Upload]]:
    """What a call says in its address and its body, and the files it brings."""
    params = dict(request.query)
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        words, files = _multipart(request.body, kind)
        return {**params, **words}, files
    if request.body:
        params.update(parse_qsl(request.body.decode("utf-8"), keep_blank_values=True))
    return params, {}


def _multipart(body: bytes, kind: str) -> tuple[dict[str, str], dict[str, Upload]]:
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    words: dict[str, str] = {}
    files: dict[str, Upload] = {}
    for piece in body.split(b"--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        name = re.search(rb'\bname="([^"]*)"', head)
        file_name = re.search(rb'filename\*?="?([^";\r\n]*)', head)
        if name and file_name:
            files[name[1].decode()] = Upload(file_name[1].decode(), content)
        elif name:
            words[name[1].decode()] = content.decode("utf-8")
    return words, files
