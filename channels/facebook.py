"""A Facebook page, through facebook-sdk: what it takes, publishing, reading back, figures, and how it is.

What `check` finds, as codes: ok, targeting_may_need_setting, permissions_not_checked, token_expired, token_revoked,
token_invalid, token_expires_soon, data_access_ends_soon, not_a_page_token, wrong_page, wrong_app, app_secret_wrong,
permission_missing, figures_permission_missing, account_blocked, throttled, unreachable, version_answered_differs,
check_refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from channels.base import (
    Blocked,
    ChannelError,
    Deadline,
    Figure,
    Figures,
    Finding,
    Health,
    Light,
    Message,
    Network,
    Picture,
    Prepared,
    Problem,
    Receipt,
    Refused,
    Targeting,
    Throttled,
    Unauthorized,
    Uncertain,
    UnitKind,
    Unreachable,
    normalised,
)
from channels.facebook_calls import VERSION, GraphCalls

METRICS: Final[tuple[tuple[str, UnitKind], ...]] = (
    ("post_total_media_view_unique", UnitKind.PEOPLE),
    ("post_media_view", UnitKind.VIEWS),
    ("post_clicks", UnitKind.CLICKS),
    ("post_reactions_by_type_total", UnitKind.REACTIONS),
)
"""What is asked of a post: Facebook's own names, and what they count."""

NOT_AVAILABLE: Final = "not available"
CLOCKS_APART: Final = timedelta(minutes=2)
"""How far before the asked moment reading back begins, as the network's clock is not ours."""
SOON: Final = timedelta(days=14)
MOST_PAGES: Final = 50
FEWEST_FOLLOWERS_TO_GATE: Final = 5000
"""Below this a page may need a setting of its own before it can limit its audience; to be confirmed."""

TO_PUBLISH: Final = ("pages_manage_posts", "pages_read_engagement")
TO_COUNT: Final = ("read_insights",)
EXPIRED: Final = frozenset({"190/463", "190/490"})
INVALID: Final = frozenset({"190", "190/467"})
GONE: Final = "100/33"
NO_PAGE_TOKEN: Final = "190/2069032"  # noqa: S105 - a code

POST_FIELDS: Final = (
    "id,message,created_time,permalink_url,is_published,targeting,"
    "attachments{media_type,type,url,unshimmed_url,target,subattachments}"
)


# --- Rules ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FacebookRules:
    """What a Facebook page takes."""

    network: Network = Network.FACEBOOK
    can_gate: bool = True
    max_pictures: int = 10
    keeps_link_apart: bool = True
    max_length: int = 63206
    max_picture_bytes: int = 10 * 1024 * 1024
    max_countries: int = 25
    mimes: frozenset[str] = frozenset({"image/jpeg", "image/png", "image/gif"})

    def length(self, text: str) -> int:
        """Characters."""
        return len(text)

    def problems(self, message: Message) -> list[Problem]:
        """All reasons why Facebook would refuse this message."""
        return [*self._words(message), *self._link(message), *self._pictures(message), *self._gate(message)]

    def cost(self, message: Message) -> Decimal:
        """Nothing."""
        return Decimal(0)

    def _words(self, message: Message) -> Iterator[Problem]:
        length = self.length(said(message))
        if not length and not message.link and not message.pictures:
            yield Problem("text_empty")
        if length > self.max_length:
            yield Problem("text_too_long", {"length": length, "max": self.max_length})

    def _link(self, message: Message) -> Iterator[Problem]:
        if message.link is None:
            return
        parts = urlsplit(message.link)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield Problem("link_invalid", {"link": message.link})
        elif parts.hostname == "facebook.com" or parts.hostname.endswith(".facebook.com"):
            yield Problem("link_to_facebook", {"link": message.link})

    def _pictures(self, message: Message) -> Iterator[Problem]:
        if len(message.pictures) > self.max_pictures:
            yield Problem("too_many_pictures", {"count": len(message.pictures), "max": self.max_pictures})
        for place, picture in enumerate(message.pictures, start=1):
            if picture.mime not in self.mimes:
                yield Problem("picture_kind", {"picture": place, "mime": picture.mime})
            if len(picture.data) > self.max_picture_bytes:
                yield Problem("picture_too_large", {"picture": place, "max": self.max_picture_bytes})

    def _gate(self, message: Message) -> Iterator[Problem]:
        if message.targeting is None:
            return
        if not message.targeting:
            yield Problem("gate_empty")  # a gate without a place would be no gate at all
        countries = message.targeting.countries
        if len(countries) > self.max_countries:
            yield Problem("too_many_countries", {"count": len(countries), "max": self.max_countries})


def said(message: Message) -> str:
    """The text as it is posted: pictures leave no room for a link beside them, so it closes the text."""
    if message.link and message.pictures and message.link not in message.text:
        return f"{message.text}\n\n{message.link}".strip()
    return message.text.strip()


# --- The page ---------------------------------------------------------------------------------------


class FacebookPage:
    """One Facebook page, spoken to with its own token.

    `base_url` None is Facebook itself. With `two_step` every post is prepared unseen and then published, not only
    gated ones. `wait_until` says after any call until when to make no further one, as use is nearly up.
    """

    def __init__(
        self,
        *,
        page_id: str,
        token: str,
        base_url: str | None = None,
        version: str = VERSION,
        app_id: str | None = None,
        app_secret: str | None = None,
        token_in_header: bool = False,
        two_step: bool = False,
        timeouts: tuple[float, float] = (3.0, 15.0),
        total: float = 45.0,
        metrics: Sequence[tuple[str, UnitKind]] = METRICS,
    ) -> None:
        self.rules = FacebookRules()
        self._page_id = page_id
        self._token = token
        self._app = f"{app_id}|{app_secret}" if app_id and app_secret else None
        self._app_id = app_id
        self._two_step = two_step
        self._metrics = tuple(metrics)
        self._calls = GraphCalls(
            base_url=base_url,
            version=version,
            token=token,
            app_secret=app_secret,
            token_in_header=token_in_header,
            timeouts=timeouts,
            total=total,
        )

    def __repr__(self) -> str:
        return f"<FacebookPage {self._page_id}>"

    @property
    def wait_until(self) -> datetime | None:
        """Until when to make no further call; None while there is room."""
        return self._calls.wait_until

    def close(self) -> None:
        """Let go of connections."""
        self._calls.session.close()

    # --- publishing ---

    def prepare(self, message: Message) -> Prepared:
        """Upload pictures; for a gated message (or in two steps) make the unseen post and compare its targeting."""
        problems = self.rules.problems(message)
        if problems:
            raise Refused(f"Facebook would not take it: {', '.join(problem.code for problem in problems)}.")
        if message.draft_id:
            kept = self._read(message.draft_id)
            if kept is not None:
                if kept.get("is_published") is not True:  # else it is out, and `publish` answers its receipt
                    self._compare_gate(message, kept)
                return Prepared(message, draft_id=message.draft_id)
        media_ids = tuple(self._upload(picture, place) for place, picture in enumerate(message.pictures, start=1))
        if not message.targeting and not self._two_step:
            return Prepared(message, media_ids=media_ids)
        made = self._calls.quiet_post(f"{self._page_id}/feed", {**_fields(message, media_ids), "published": "false"})
        draft_id = _id_of(made)
        if draft_id is None:
            raise Unreachable("Facebook made a draft without saying which.", trace_id=self._calls.trace_id)
        draft = self._read(draft_id)
        if draft is None:
            raise Unreachable("Facebook does not show the new draft yet.", trace_id=self._calls.trace_id)
        self._compare_gate(message, draft)
        return Prepared(message, draft_id=draft_id, media_ids=media_ids)

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Make the one call: publish the prepared draft, or create the post."""
        if prepared.draft_id:
            if prepared.draft_id == prepared.message.draft_id:  # an earlier try may have published it
                post = self._read(prepared.draft_id)
                if post and post.get("is_published") is True:
                    return self._receipt(post, trace_id=self._calls.trace_id)
            return self._publish_draft(prepared.draft_id, deadline)
        if prepared.message.targeting:  # published at once, its gate could only be looked at too late
            raise Refused("A gated post is only published from its draft.")
        fields = {**_fields(prepared.message, prepared.media_ids), "fields": "id,permalink_url,created_time"}
        made = self._calls.post(f"{self._page_id}/feed", fields, deadline)
        remote_id = _id_of(made)
        if remote_id is None:
            raise Uncertain("Facebook said yes without an id.", status=200, trace_id=self._calls.trace_id)
        return self._receipt({**made, "id": remote_id}, trace_id=self._calls.trace_id)

    def _publish_draft(self, draft_id: str, deadline: Deadline) -> Receipt:
        try:
            done = self._calls.post(draft_id, {"is_published": "true"}, deadline)
        except Refused as error:
            if error.code == GONE:  # nothing was shown, and a new draft can be made
                raise Unreachable(f"The draft is gone: {error}", code=GONE, status=error.status) from error
            raise
        trace_id = self._calls.trace_id
        if done.get("success") is not True:
            raise Uncertain("Facebook did not say that the draft is published.", status=200, trace_id=trace_id)
        try:
            post = self._read(draft_id, "id,permalink_url,created_time") or {"id": draft_id}
        except ChannelError:
            post = {"id": draft_id}  # it is published all the same
        return self._receipt(post, trace_id=trace_id)

    def _upload(self, picture: Picture, place: int) -> str:
        kind = picture.mime.removeprefix("image/")
        fields = {"published": "false", **({"alt_text_custom": picture.alt} if picture.alt else {})}
        file = (f"picture-{place}.{kind}", picture.data, picture.mime)
        made = self._calls.quiet_post(f"{self._page_id}/photos", fields, file)
        media_id = _id_of(made)
        if media_id is None:
            raise Unreachable("Facebook took a picture without saying which.", trace_id=self._calls.trace_id)
        return media_id

    def _compare_gate(self, message: Message, post: Mapping[str, Any]) -> None:
        """Facebook must have kept exactly the asked targeting; else the draft goes, and nothing is published."""
        if _kept(post.get("targeting")) == _asked(message.targeting):
            return
        self._discard(str(post["id"]))  # above all when it should turn out to be seen already
        raise Refused("Facebook did not keep the limit of this post to its territory.", code="targeting_lost")

    def _discard(self, draft_id: str) -> None:
        try:
            self._calls.delete(draft_id)
        except ChannelError:
            return  # an unseen draft may stay

    def remove(self, receipt: Receipt) -> None:
        """Delete a post; one that is gone already is no error."""
        try:
            done = self._calls.delete(receipt.remote_id)
        except Refused as error:
            if error.code == GONE:
                return
            raise
        if done.get("success") is not True:
            raise Uncertain("Facebook did not say that the post is deleted.", trace_id=self._calls.trace_id)

    # --- reading back ---

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """A prepared post by its id; any other by its mark, or by text, link, pictures and targeting."""
        if message.draft_id:
            post = self._read(message.draft_id)
            return [self._receipt(post)] if post and post.get("is_published") is True else []
        start = str(int((since - CLOCKS_APART).timestamp()))
        posts = self._published(start)
        return [self._receipt(post) for post in posts if _same(message, post)]

    def _published(self, since: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        args = {"fields": POST_FIELDS, "since": since, "limit": "100"}
        for page in _pages(self._calls, f"{self._page_id}/published_posts", args):
            found.extend(page)
        return found

    def _read(self, post_id: str, fields: str = POST_FIELDS) -> dict[str, Any] | None:
        """A post, a draft too; None when there is none."""
        try:
            post = self._calls.get(post_id, fields=fields)
        except Refused as error:
            if error.code == GONE:
                return None
            raise
        if _id_of(post) is None:
            raise Unreachable("Facebook's answer about a post says nothing.", trace_id=self._calls.trace_id)
        return post

    def _receipt(self, post: Mapping[str, Any], trace_id: str | None = None) -> Receipt:
        remote_id = str(post["id"])
        url = post.get("permalink_url")
        return Receipt(
            remote_id,
            url=url if isinstance(url, str) and url else f"https://www.facebook.com/{remote_id}",
            posted_at=_moment(post.get("created_time")),
            trace_id=trace_id,
        )

    # --- figures ---

    def figures(self, receipts: Sequence[Receipt]) -> Figures:
        """What Facebook says now of these posts; a deleted one is absent, a missing figure is not 0."""
        found: dict[str, Sequence[Figure]] = {}
        for receipt in receipts:
            values = self._values(receipt.remote_id, [name for name, _ in self._metrics])
            if values is not None:
                found[receipt.remote_id] = tuple(_figure(name, unit, values.get(name)) for name, unit in self._metrics)
        return Figures(found)

    def _values(self, post_id: str, names: list[str]) -> dict[str, int | None] | None:
        """Figures by metric, all at once, or one by one as a single bad metric fails the whole call."""
        try:
            answer = self._calls.get(f"{post_id}/insights", metric=",".join(names))
        except Refused as error:
            if error.code == GONE:
                return None
            if (error.code or "").split("/")[0] not in ("100", "3001"):
                raise
            if len(names) == 1:
                return {}
        except Unauthorized as error:
            if error.code == "200":  # said of audiences that are too small; a lost token has code 190
                return {}
            raise
        else:
            return {str(entry.get("name")): _total(entry) for entry in _data(answer)}
        values: dict[str, int | None] = {}
        for name in names:
            part = self._values(post_id, [name])
            if part is None:
                return None
            values.update(part)
        return values

    # --- how it is ---

    def check(self) -> Health:
        """Ask who the token speaks for; with the app's secret, also what it may do and until when."""
        try:
            page = self._calls.get("me", fields="id,name,category,followers_count")
        except ChannelError as error:
            return Health((_finding_of(error),))
        findings = [*self._findings_of_version(), *self._findings_of_page(page)]
        expires_at = None
        if self._app is None:
            findings.append(Finding(Light.GREEN, "permissions_not_checked"))
        else:
            try:
                token = self._calls.get("debug_token", input_token=self._token, access_token=self._app).get("data")
            except (Unauthorized, Refused):
                findings.append(Finding(Light.RED, "app_secret_wrong"))
            except ChannelError as error:
                findings.append(_finding_of(error))
            else:
                details = token if isinstance(token, dict) else {}
                expires_at = _instant(details.get("expires_at"))
                findings.extend(self._findings_of_token(details, self._calls.moment))
        if not any(finding.light is not Light.GREEN for finding in findings):
            findings.insert(0, Finding(Light.GREEN, "ok"))
        return Health(tuple(findings), name=page.get("name"), remote_id=_id_of(page), expires_at=expires_at)

    def _findings_of_version(self) -> Iterator[Finding]:
        answered = self._calls.header.get("facebook-api-version")
        if answered and answered != self._calls.version:
            details = {"asked": self._calls.version, "answered": answered}
            yield Finding(Light.AMBER, "version_answered_differs", details)

    def _findings_of_page(self, page: Mapping[str, Any]) -> Iterator[Finding]:
        if page.get("id") != self._page_id:
            details = {"expected": self._page_id, "found": str(page.get("id")), "name": str(page.get("name"))}
            yield Finding(Light.RED, "wrong_page", details)
        followers = page.get("followers_count")
        if isinstance(followers, int) and followers < FEWEST_FOLLOWERS_TO_GATE:
            yield Finding(Light.GREEN, "targeting_may_need_setting", {"followers": str(followers)})

    def _findings_of_token(self, token: Mapping[str, Any], now: datetime | None) -> Iterator[Finding]:
        error = token.get("error") if isinstance(token.get("error"), dict) else {}
        if token.get("is_valid") is not True:
            number = f"{error.get('code')}/{error.get('subcode')}" if error else "190"
            yield _token_finding(number, str(error.get("message", "")) if error else "")
            return
        if token.get("type") != "PAGE":
            yield Finding(Light.RED, "not_a_page_token", {"type": str(token.get("type"))})
        if token.get("app_id") not in (None, self._app_id):
            yield Finding(Light.RED, "wrong_app", {"expected": str(self._app_id), "found": str(token.get("app_id"))})
        scopes = token.get("scopes") or []
        for scope in TO_PUBLISH:
            if scope not in scopes:
                yield Finding(Light.RED, "permission_missing", {"permission": scope})
        for scope in TO_COUNT:
            if scope not in scopes:
                yield Finding(Light.AMBER, "figures_permission_missing", {"permission": scope})
        for name, code in (("expires_at", "token_expires_soon"), ("data_access_expires_at", "data_access_ends_soon")):
            ends = _instant(token.get(name))
            if ends and now and ends - now < SOON:
                yield Finding(Light.AMBER, code, {"on": ends.date().isoformat()})


# --- Connecting ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UserToken:
    """A person's long-lived token, only used to ask for their pages."""

    token: str = field(repr=False)
    seconds: int | None = None


@dataclass(frozen=True)
class PageGrant:
    """A page that a person works on, with its own token and what the person may do there."""

    id: str
    name: str
    token: str = field(repr=False)
    tasks: tuple[str, ...] = ()


def exchange_user_token(
    *,
    app_id: str,
    app_secret: str,
    user_token: str,
    base_url: str | None = None,
    version: str = VERSION,
    timeouts: tuple[float, float] = (3.0, 15.0),
) -> UserToken:
    """A long-lived token (about 60 days) for a person's short-lived one; its page tokens have no end."""
    calls = GraphCalls(base_url=base_url, version=version, timeouts=timeouts)
    calls.session.secrets.update((app_secret, user_token))
    try:
        answer = calls.get(
            "oauth/access_token",
            grant_type="fb_exchange_token",
            client_id=app_id,
            client_secret=app_secret,
            fb_exchange_token=user_token,
        )
    finally:
        calls.session.close()
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token:
        raise Unreachable("Facebook's answer holds no token.", trace_id=calls.trace_id)
    return UserToken(token, seconds if isinstance(seconds, int) else None)


def list_pages(
    *,
    user_token: str,
    app_secret: str | None = None,
    base_url: str | None = None,
    version: str = VERSION,
    timeouts: tuple[float, float] = (3.0, 15.0),
) -> list[PageGrant]:
    """The pages that a person works on; those for which Facebook gives no token are left out."""
    calls = GraphCalls(base_url=base_url, version=version, token=user_token, app_secret=app_secret, timeouts=timeouts)
    try:
        args = {"fields": "id,name,access_token,tasks", "limit": "100"}
        entries = [entry for page in _pages(calls, "me/accounts", args) for entry in page]
    finally:
        calls.session.close()
    return [
        PageGrant(str(entry["id"]), str(entry.get("name", "")), entry["access_token"], tuple(entry.get("tasks") or ()))
        for entry in entries
        if entry.get("access_token")
    ]


# --- Reading answers ------------------------------------------------------------------------------------


def _pages(calls: GraphCalls, path: str, args: dict[str, str]) -> Iterator[list[dict[str, Any]]]:
    """A list page by page, by its `after` cursor: the ready-made `next` address holds the token."""
    for _ in range(MOST_PAGES):
        answer = calls.get(path, **args)
        yield _data(answer)
        paging = answer.get("paging") or {}
        after = (paging.get("cursors") or {}).get("after")
        if not paging.get("next") or not after:
            return
        args = {**args, "after": after}
    raise Unreachable("Facebook's list does not come to an end.")


def _data(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a list; an answer without one is no empty list."""
    data = answer.get("data")
    if not isinstance(data, list):
        raise Unreachable("Facebook's answer holds no list.")
    return [entry for entry in data if isinstance(entry, dict)]


def _id_of(answer: Mapping[str, Any]) -> str | None:
    found = answer.get("id")
    return str(found) if isinstance(found, str | int) and found else None


def _moment(text: Any) -> datetime | None:
    """`2026-11-20T08:00:03+0000`, as the Graph API writes it."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _instant(seconds: Any) -> datetime | None:
    """Unix seconds; 0 means no end."""
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) and seconds > 0 else None


def _figure(name: str, unit: UnitKind, value: int | None) -> Figure:
    return Figure(name, unit, value, missing=NOT_AVAILABLE if value is None else None)


def _total(entry: Mapping[str, Any]) -> int | None:
    """The latest value of a metric; one that comes as a map is summed."""
    values = entry.get("values")
    if not isinstance(values, list) or not values or not isinstance(values[-1], dict):
        return None
    value = values[-1].get("value")
    if isinstance(value, dict):
        return sum(part for part in value.values() if isinstance(part, int))
    return value if isinstance(value, int) and not isinstance(value, bool) else None


# --- Targeting ------------------------------------------------------------------------------------------


def _fields(message: Message, media_ids: Sequence[str]) -> dict[str, str]:
    """The post as a form: whatever is nested goes as JSON text, or the SDK loses its content."""
    fields: dict[str, str] = {}
    text = said(message)
    if text:
        fields["message"] = text
    if message.link and not media_ids:
        fields["link"] = message.link
    if media_ids:
        fields["attached_media"] = json.dumps([{"media_fbid": media_id} for media_id in media_ids])
    if message.targeting:
        fields["targeting"] = json.dumps({"geo_locations": _geo(message.targeting)})
    return fields


def _geo(targeting: Targeting) -> dict[str, Any]:
    keyed = {"regions": targeting.regions, "cities": targeting.cities, "zips": targeting.zips}
    geo: dict[str, Any] = {kind: [{"key": key} for key in keys] for kind, keys in keyed.items() if keys}
    if targeting.countries:
        geo["countries"] = list(targeting.countries)
    return geo


def _asked(targeting: Targeting | None) -> frozenset[tuple[str, str]]:
    """Targeting as pairs that compare."""
    if not targeting:
        return frozenset()
    return _kept({"geo_locations": _geo(targeting)})


def _kept(targeting: Any) -> frozenset[tuple[str, str]]:
    """Targeting as Facebook shows it, in its nested or its flat shape, as pairs that compare."""
    if not isinstance(targeting, dict):
        return frozenset()
    flat = {**targeting, **(targeting.get("geo_locations") or {})}
    pairs: set[tuple[str, str]] = set()
    for kind, value in flat.items():
        if kind == "geo_locations" or not value or kind == "location_types":
            continue
        for one in value if isinstance(value, list) else [value]:
            key = one.get("key") if isinstance(one, dict) else one
            pairs.add((kind, str(key)))
    return frozenset(pairs)


# --- Is it the same post? ---------------------------------------------------------------------------------


def _same(message: Message, post: Mapping[str, Any]) -> bool:
    """Whether a post is this message: by its mark when both have links, else by all that can be compared."""
    text = str(post.get("message") or "")
    links = _links(post)
    mark = f"/l/{message.key}"
    if mark in f"{message.text} {message.link or ''}":
        marked = re.compile(re.escape(mark) + r"(?![\w-])")
        if any(marked.search(place) for place in (text, *links)):
            return True
        if links:
            return False
    return (
        normalised(text) == normalised(said(message))
        and _kept(post.get("targeting")) == _asked(message.targeting)
        and _pictures(post) == len(message.pictures)
        and (not message.link or bool(message.pictures) or not links or message.link in links)
    )


def _attachments(post: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attachments, with those inside an album in its place."""
    holder = post.get("attachments")
    found: list[dict[str, Any]] = []
    for entry in holder.get("data") or [] if isinstance(holder, dict) else []:
        inside = (entry.get("subattachments") or {}).get("data")
        found.extend(inside or [entry])
    return found


def _pictures(post: Mapping[str, Any]) -> int:
    return sum(1 for entry in _attachments(post) if "photo" in (entry.get("media_type"), entry.get("type")))


def _links(post: Mapping[str, Any]) -> list[str]:
    """The links beside a post, out of Facebook's own wrapping."""
    links: list[str] = []
    for entry in _attachments(post):
        if "photo" in (entry.get("media_type"), entry.get("type")):
            continue
        for url in (entry.get("unshimmed_url"), entry.get("url"), (entry.get("target") or {}).get("url")):
            if isinstance(url, str) and url:
                wrapped = parse_qs(urlsplit(url).query).get("u") if "/l.php" in url else None
                links.append(unquote(wrapped[0]) if wrapped else url)
    return links


# --- What a check says --------------------------------------------------------------------------------------


def _finding_of(error: ChannelError) -> Finding:
    words = {"message": str(error)}
    match error:
        case Throttled():
            return Finding(Light.AMBER, "throttled", words)
        case Blocked():
            return Finding(Light.RED, "account_blocked", words)
        case Unreachable() | Uncertain():
            return Finding(Light.RED, "unreachable", words)
        case Unauthorized(code=code):
            return _token_finding(code or "", str(error))
    if "appsecret_proof" in str(error):
        return Finding(Light.RED, "app_secret_wrong")
    if "nonexisting field" in str(error):
        return Finding(Light.RED, "not_a_page_token", {"type": "USER"})
    return Finding(Light.RED, "check_refused", words)


def _token_finding(number: str, words: str) -> Finding:
    if number in EXPIRED:
        return Finding(Light.RED, "token_expired")
    if number == NO_PAGE_TOKEN:
        return Finding(Light.RED, "not_a_page_token", {"type": "USER"})
    if number in INVALID:
        return Finding(Light.RED, "token_invalid")
    if number == "104":
        return Finding(Light.RED, "app_secret_wrong")
    if number.startswith("190"):
        return Finding(Light.RED, "token_revoked", {"message": words})
    return Finding(Light.RED, "permission_missing", {"permission": words})
