"""Posts and photos of the played Graph API: taken strictly, kept, shown, changed and deleted."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from channels.sandbox import graph_targeting
from channels.sandbox.exchange import Clock, Shelf
from channels.sandbox.graph_problems import GraphProblem, bad_parameter, missing

LONGEST_TEXT: Final = 63206
SOONEST: Final = timedelta(minutes=10)
LATEST: Final = timedelta(days=30)
PHOTO_LIFE: Final = timedelta(hours=24)
LARGEST_PHOTO: Final = 10 * 1024 * 1024
PHOTO_BEGINNINGS: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")

FEED_KEYS: Final = frozenset(
    {
        "message",
        "link",
        "published",
        "scheduled_publish_time",
        "unpublished_content_type",
        "targeting",
        "feed_targeting",
        "attached_media",
        "place",
        "tags",
        "backdated_time",
        "backdated_time_granularity",
        "fields",
    }
)
PHOTO_KEYS: Final = frozenset(
    {
        "caption",
        "published",
        "scheduled_publish_time",
        "unpublished_content_type",
        "targeting",
        "feed_targeting",
        "place",
        "alt_text_custom",
        "temporary",
        "no_story",
        "url",
        "fields",
    }
)
CHANGE_KEYS: Final = frozenset({"message", "is_published", "scheduled_publish_time", "is_hidden"})
POST_FIELDS: Final = frozenset(
    {
        "id",
        "message",
        "created_time",
        "updated_time",
        "permalink_url",
        "is_published",
        "is_hidden",
        "targeting",
        "feed_targeting",
        "scheduled_publish_time",
        "scheduled_failure_notice",
        "attachments",
        "shares",
        "from",
        "status_type",
    }
)
_ATTACHED = re.compile(r"attached_media\[(\d+)\]")


@dataclass(frozen=True)
class Upload:
    """A file that came with a call."""

    name: str
    data: bytes


class PostBox:
    """Where posts and photos are kept."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self.flat_targeting = False
        """Whether targeting is read back in the older flat shape."""
        # What is looked at on every call, so that thousands of posts cost no more than ten.
        self._posts_made = sum(1 for _ in shelf.all("fb_post"))
        self._photos_made = sum(1 for _ in shelf.all("fb_photo"))
        self._scheduled_ids = {post["id"] for post in shelf.all("fb_post") if post["scheduled_at"]}
        self._published_ids: dict[str, list[str]] = {}
        published = [post for post in shelf.all("fb_post") if post["published_at"]]
        for post in sorted(published, key=lambda post: post["published_at"]):
            self._published_ids.setdefault(post["page_id"], []).append(post["id"])

    # --- creating ---

    def create(
        self, page: dict[str, Any], app_id: str, params: dict[str, str], effects: Mapping[str, float]
    ) -> dict[str, Any]:
        """POST /{page}/feed."""
        media_ids = self._attached(params)
        known_only(params, FEED_KEYS)
        text, link = params.get("message", ""), params.get("link")
        self._check_words(text, link, media_ids)
        published = _flag(params, "published", True)
        scheduled = self._scheduled(params, published=published)
        targeting = graph_targeting.read(params.get("targeting"), self._shelf)
        soft = graph_targeting.read(params.get("feed_targeting"), self._shelf, soft=True)
        if "tags" in params and "place" not in params:
            raise bad_parameter("Tags need a place")
        photos = [self._photo(page, media_id) for media_id in media_ids]
        if "drop_targeting" in effects:
            targeting = None
        now = self._now()
        self._posts_made += 1
        number = str(122_000_000_000_000 + self._posts_made)
        post = {
            "id": f"{page['id']}_{number}",
            "page_id": page["id"],
            "number": number,
            "app_id": app_id,
            "message": text,
            "link": link,
            "targeting": targeting,
            "feed_targeting": soft,
            "media": media_ids,
            "created_at": now,
            "published_at": now if published else None,
            "scheduled_at": scheduled,
            "visible_at": now + effects.get("late", 0),
            "is_hidden": False,
            "deleted": False,
        }
        if published:
            self._refuse_repeat(post)
        answer = {"id": post["id"], **self.show(post, params.get("fields", "id"))}
        for photo in photos:
            self._shelf.put("fb_photo", photo["id"], {**photo, "post_id": post["id"]})
        self._keep(post)
        return answer

    def add_photo(
        self,
        page: dict[str, Any],
        app_id: str,
        params: dict[str, str],
        files: Mapping[str, Upload],
        effects: Mapping[str, float],
    ) -> dict[str, Any]:
        """POST /{page}/photos."""
        known_only(params, PHOTO_KEYS)
        upload = files.get("source")
        if upload is None:
            raise GraphProblem(324, "(#324) Requires upload file", subcode=2069019)
        if not upload.data.startswith(PHOTO_BEGINNINGS):
            raise GraphProblem(324, "(#324) Missing or invalid image file", subcode=2069019)
        if len(upload.data) > LARGEST_PHOTO:
            raise bad_parameter("Your photos couldn't be uploaded: the file is too large", 1366046)
        published = _flag(params, "published", True)
        _flag(params, "temporary", False)
        self._photos_made += 1
        photo = {
            "id": str(333_000_000 + self._photos_made),
            "page_id": page["id"],
            "alt": params.get("alt_text_custom", ""),
            "size": len(upload.data),
            "created_at": self._now(),
            "post_id": None,
        }
        self._shelf.put("fb_photo", photo["id"], photo)
        if not published:
            return {"id": photo["id"]}
        media = json.dumps([{"media_fbid": photo["id"]}])
        words = {"message": params.get("caption", ""), "attached_media": media}
        words.update({key: text for key, text in params.items() if key in ("targeting", "feed_targeting")})
        return {"id": photo["id"], "post_id": self.create(page, app_id, words, effects)["id"]}

    def _attached(self, params: dict[str, str]) -> list[str]:
        """The photos that a call names, in order; taken out of the parameters."""
        places = sorted((int(found[1]), key) for key in list(params) if (found := _ATTACHED.fullmatch(key)))
        texts = [params.pop(key) for _, key in places]
        try:
            whole = json.loads(params.pop("attached_media", "[]"))
            media = whole + [json.loads(text) for text in texts]
            return [str(one["media_fbid"]) for one in media]
        except (ValueError, TypeError, KeyError) as error:
            raise bad_parameter('attached_media must be JSON text: {"media_fbid": id}') from error

    def _check_words(self, text: str, link: str | None, media_ids: list[str]) -> None:
        if not text.strip() and not link and not media_ids:
            raise bad_parameter("A message, a link or a photo is needed")
        if len(text) > LONGEST_TEXT:
            raise bad_parameter(f"Param message must be at most {LONGEST_TEXT} characters long")
        if link is None:
            return
        if media_ids:
            raise bad_parameter("A link and attached_media do not go together")
        parts = urlsplit(link)
        if parts.scheme not in ("http", "https") or not parts.hostname or "." not in parts.hostname:
            raise GraphProblem(1500, "(#1500) The url you supplied is invalid")
        if parts.hostname == "facebook.com" or parts.hostname.endswith(".facebook.com"):
            raise GraphProblem(200, "(#200) Links to facebook.com cannot be shared", subcode=1609008, status=403)

    def _scheduled(self, params: dict[str, str], *, published: bool) -> float | None:
        text = params.get("scheduled_publish_time")
        if text is None:
            return None
        if published:
            raise bad_parameter("You cannot specify a scheduled publish time on a published post")
        try:
            moment = float(text) if text.isdigit() else datetime.fromisoformat(text).timestamp()
        except ValueError as error:
            raise bad_parameter("The specified scheduled publish time is invalid") from error
        if not SOONEST.total_seconds() <= moment - self._now() <= LATEST.total_seconds():
            raise bad_parameter("The specified scheduled publish time is invalid")
        return moment

    def _photo(self, page: dict[str, Any], media_id: str) -> dict[str, Any]:
        photo = self._shelf.get("fb_photo", media_id)
        if photo is None or photo["page_id"] != page["id"]:
            raise missing(media_id)
        if photo["post_id"]:
            raise bad_parameter("These photos were already posted", 1366051)
        if self._now() - photo["created_at"] > PHOTO_LIFE.total_seconds():
            raise missing(media_id)
        return photo

    def _refuse_repeat(self, post: dict[str, Any]) -> None:
        """Code 506: the page's latest post says the same to the same people."""
        for other_id in reversed(self._published_ids.get(post["page_id"], [])):
            latest = self.find(other_id)
            if latest and other_id != post["id"]:
                if all(latest[part] == post[part] for part in ("message", "link", "targeting")):
                    raise GraphProblem(506, "(#506) Duplicate status message")
                return

    def _keep(self, post: dict[str, Any]) -> None:
        """Put a post on the shelf, and its id where it is looked for."""
        before = self._shelf.get("fb_post", post["id"])
        if post["published_at"] and not (before and before["published_at"]):
            self._published_ids.setdefault(post["page_id"], []).append(post["id"])
        waits = post["scheduled_at"] and not post["deleted"]
        (self._scheduled_ids.add if waits else self._scheduled_ids.discard)(post["id"])
        self._shelf.put("fb_post", post["id"], post)

    # --- changing ---

    def change(self, post: dict[str, Any], params: dict[str, str], effects: Mapping[str, float]) -> dict[str, Any]:
        """POST /{post}: publish a draft (again is no error), change words or the hour."""
        known_only(params, CHANGE_KEYS)
        changed = dict(post)
        if "message" in params:
            self._check_words(params["message"], None, post["media"])
            changed["message"] = params["message"]
        if "is_hidden" in params:
            changed["is_hidden"] = _flag(params, "is_hidden", False)
        if "scheduled_publish_time" in params:
            changed["scheduled_at"] = self._scheduled(params, published=bool(post["published_at"]))
        if "is_published" in params:
            publish = _flag(params, "is_published", False)
            if post["published_at"] and not publish:
                raise bad_parameter("A published post cannot become unpublished")
            if publish and not post["published_at"]:
                self._refuse_repeat(changed)
                now = self._now()
                changed.update(published_at=now, scheduled_at=None, visible_at=now + effects.get("late", 0))
        self._keep(changed)
        return {"success": True}

    def delete(self, post: dict[str, Any]) -> dict[str, Any]:
        """DELETE /{post}."""
        self._keep({**post, "deleted": True})
        return {"success": True}

    def tick(self) -> None:
        """Publish what was scheduled for a moment that has come."""
        now = self._now()
        for post_id in sorted(self._scheduled_ids):
            post = self.find(post_id)
            if post and post["scheduled_at"] <= now:
                moment = post["scheduled_at"]
                self._keep({**post, "published_at": moment, "visible_at": moment, "scheduled_at": None})

    # --- reading ---

    def find(self, post_id: str) -> dict[str, Any] | None:
        """A post which is not deleted."""
        post = self._shelf.get("fb_post", post_id)
        return post if post and not post["deleted"] else None

    def live(self, page_id: str) -> list[dict[str, Any]]:
        """What can be seen on a page."""
        posts = [self.find(post_id) for post_id in self._published_ids.get(page_id, [])]
        return [post for post in posts if post]

    def list_published(self, page_id: str, params: dict[str, str], base: str) -> dict[str, Any]:
        """GET /{page}/published_posts, newest first, within since and until."""
        try:
            since, until = float(params.get("since", 0)), float(params.get("until", "inf"))
        except ValueError as error:
            raise bad_parameter("since and until must be seconds") from error
        now = self._now()
        posts = [
            post for post in self.live(page_id) if since <= post["published_at"] <= until and post["visible_at"] <= now
        ]
        posts.sort(key=lambda post: (post["published_at"], post["id"]), reverse=True)
        answer = paged(posts, params, base)
        return {**answer, "data": [self.show(post, params.get("fields", "")) for post in answer["data"]]}

    def list_scheduled(self, page_id: str, params: dict[str, str], base: str) -> dict[str, Any]:
        """GET /{page}/scheduled_posts."""
        waiting = [self.find(post_id) for post_id in sorted(self._scheduled_ids)]
        posts = [post for post in waiting if post and post["page_id"] == page_id]
        fields = params.get("fields", "id,message,scheduled_publish_time")
        return paged([self.show(post, fields) for post in posts], params, base)

    def show(self, post: dict[str, Any], fields: str) -> dict[str, Any]:
        """The asked fields of a post; empty ones are left out, as the real one does."""
        asked = field_names(fields) or ["created_time", "message", "id"]
        for name in asked:
            if name not in POST_FIELDS:
                raise bad_parameter(f"Tried accessing nonexisting field ({name}) on node type (Post)")
        shown = post["published_at"] or post["created_at"]
        all_fields: dict[str, Any] = {
            "id": post["id"],
            "message": post["message"] or None,
            "created_time": stamp(shown),
            "updated_time": stamp(shown),
            "permalink_url": f"https://www.facebook.com/{post['page_id']}/posts/{post['number']}",
            "is_published": bool(post["published_at"]),
            "is_hidden": post["is_hidden"],
            "targeting": graph_targeting.shown(post["targeting"], flat=self.flat_targeting),
            "feed_targeting": graph_targeting.shown(post["feed_targeting"], flat=self.flat_targeting),
            "scheduled_publish_time": int(post["scheduled_at"]) if post["scheduled_at"] else None,
            "attachments": self._attachments(post),
            "from": {"id": post["page_id"]},
            "status_type": "mobile_status_update",
        }
        return {name: all_fields[name] for name in ["id", *asked] if all_fields.get(name) is not None}

    def _attachments(self, post: dict[str, Any]) -> dict[str, Any] | None:
        if post["link"]:
            entry = {"media_type": "link", "type": "share", "url": post["link"], "unshimmed_url": post["link"]}
            return {"data": [entry]}
        photos = [{"media_type": "photo", "type": "photo", "target": {"id": media_id}} for media_id in post["media"]]
        if len(photos) > 1:
            return {"data": [{"media_type": "album", "type": "album", "subattachments": {"data": photos}}]}
        return {"data": photos} if photos else None

    def _now(self) -> float:
        return self._clock.now().timestamp()


def known_only(params: dict[str, str], known: frozenset[str]) -> None:
    """Refuse a parameter that the real one might drop in silence."""
    for name in params:
        if name not in known:
            raise bad_parameter(f"Param {name} is unexpected")


def _flag(params: dict[str, str], name: str, default: bool) -> bool:
    text = params.get(name)
    if text not in (None, "true", "false"):
        raise bad_parameter(f"Param {name} must be a boolean: true or false")
    return default if text is None else text == "true"


def field_names(text: str) -> list[str]:
    """The names in a `fields` parameter, without what is asked of their insides."""
    depth, name, names = 0, "", []
    for sign in text + ",":
        if sign == "," and depth == 0:
            names.append(name.strip().split(".")[0])
            name = ""
            continue
        depth += (sign == "{") - (sign == "}")
        if depth == 0 and sign != "}":
            name += sign
    return [name for name in names if name]


def stamp(seconds: float) -> str:
    """A moment as the Graph API writes it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S+0000}"


def paged(entries: list[dict[str, Any]], params: dict[str, str], base: str) -> dict[str, Any]:
    """One page of a list, with cursors; `next` holds the token, as the real one does."""
    try:
        limit = min(int(params.get("limit", "25")), 100)
        start = int(base64.urlsafe_b64decode(params["after"]).decode()) if "after" in params else 0
    except ValueError as error:
        raise bad_parameter("Invalid cursor or limit") from error
    part = entries[start : start + limit]
    answer: dict[str, Any] = {"data": part}
    if part:
        before, after = (base64.urlsafe_b64encode(str(place).encode()).decode() for place in (start, start + limit))
        answer["paging"] = {"cursors": {"before": before, "after": after}}
        if start + limit < len(entries):
            answer["paging"]["next"] = f"{base}&limit={limit}&after={after}"
    return answer


def new_trace_id() -> str:
    """The Graph API's mark of a call."""
    return "A" + secrets.token_urlsafe(16)
