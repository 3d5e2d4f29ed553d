"""A Facebook page, through facebook-sdk: what it takes, publishing, reading back, figures, and how it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from channels import facebook_health, facebook_insights
from channels.base import (
    NOT_AVAILABLE,
    RETIRED,
    Asked,
    AskedOfPage,
    ChannelError,
    Deadline,
    Figure,
    Figures,
    Finding,
    Health,
    Light,
    Message,
    Network,
    Pace,
    PageFigure,
    Picture,
    Prepared,
    Problem,
    Receipt,
    Refused,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from channels.facebook_calls import VERSION, GraphCalls
from channels.facebook_connecting import (
    PageGrant,
    UserToken,
    dialog_address,
    exchange_code,
    exchange_user_token,
    list_pages,
    page_of,
)
from channels.facebook_reading import (
    asked,
    data,
    fields_of,
    id_of,
    instant,
    kept,
    moment,
    pages,
    readable,
    said,
    same,
)

__all__ = [
    "FacebookPage",
    "FacebookRules",
    "PageGrant",
    "UserToken",
    "dialog_address",
    "exchange_code",
    "exchange_user_token",
    "list_pages",
    "page_of",
]

CLOCKS_APART: Final = timedelta(minutes=2)
"""How far before the asked moment reading back begins, as the network's clock is not ours."""
GONE: Final = "100/33"
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
            if picture.length > self.max_picture_bytes:
                yield Problem("picture_too_large", {"picture": place, "max": self.max_picture_bytes})

    def _gate(self, message: Message) -> Iterator[Problem]:
        if message.targeting is None:
            return
        if not message.targeting:
            yield Problem("gate_empty")  # a gate without a place would be no gate at all
        countries = message.targeting.countries
        if len(countries) > self.max_countries:
            yield Problem("too_many_countries", {"count": len(countries), "max": self.max_countries})


# --- The page ---------------------------------------------------------------------------------------


class FacebookPage:
    """One Facebook page, spoken to with its own token.

    `base_url` None is Facebook itself. With `two_step` every post is prepared unseen and then published, not only
    gated ones. `pace` says after any call whether use is nearly up, of the page or of the app.
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
    ) -> None:
        self.rules = FacebookRules()
        self._page_id = page_id
        self._token = token
        self._app = f"{app_id}|{app_secret}" if app_id and app_secret else None
        self._app_id = app_id
        self._two_step = two_step
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
    def pace(self) -> Pace:
        """How much use is left, of the page and of the app."""
        return self._calls.pace

    def close(self) -> None:
        """Let go of connections."""
        self._calls.session.close()

    # --- publishing ---

    @readable()
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
        made = self._calls.quiet_post(f"{self._page_id}/feed", {**fields_of(message, media_ids), "published": "false"})
        draft_id = id_of(made)
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
        fields = {**fields_of(prepared.message, prepared.media_ids), "fields": "id,permalink_url,created_time"}
        made = self._calls.post(f"{self._page_id}/feed", fields, deadline)
        remote_id = id_of(made)
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
        media_id = id_of(made)
        if media_id is None:
            raise Unreachable("Facebook took a picture without saying which.", trace_id=self._calls.trace_id)
        return media_id

    def _compare_gate(self, message: Message, post: Mapping[str, Any]) -> None:
        """Facebook must have kept exactly the asked targeting; else the draft goes, and nothing is published."""
        if kept(post.get("targeting")) == asked(message.targeting):
            return
        self._discard(str(post["id"]))  # above all when it should turn out to be seen already
        raise Refused("Facebook did not keep the limit of this post to its territory.", code="targeting_lost")

    def _discard(self, draft_id: str) -> None:
        try:
            self._calls.delete(draft_id)
        except ChannelError:
            return  # an unseen draft may stay

    def remove(self, receipt: Receipt) -> None:
        """Delete a post of this page; one that is gone already is no error."""
        if not re.fullmatch(rf"{re.escape(self._page_id)}_\d+", receipt.remote_id):
            # The id becomes part of an address: nothing but a post of this very page may be named by it.
            raise Refused("This is not the id of a post of this page.", code="not_our_post")
        try:
            done = self._calls.delete(receipt.remote_id)
        except Refused as error:
            if error.code == GONE:
                return
            raise
        if done.get("success") is not True:
            raise Uncertain("Facebook did not say that the post is deleted.", trace_id=self._calls.trace_id)

    # --- reading back ---

    @readable()
    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """A prepared post by its id; any other by its mark, or by text, link, pictures and targeting."""
        if message.draft_id:
            post = self._read(message.draft_id)
            return [self._receipt(post)] if post and post.get("is_published") is True else []
        start = str(int((since - CLOCKS_APART).timestamp()))
        posts = self._published(start)
        return [self._receipt(post) for post in posts if same(message, post)]

    def _published(self, since: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        args = {"fields": POST_FIELDS, "since": since, "limit": "100"}
        for page in pages(self._calls, f"{self._page_id}/published_posts", args):
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
        if id_of(post) is None:
            raise Unreachable("Facebook's answer about a post says nothing.", trace_id=self._calls.trace_id)
        return post

    def _receipt(self, post: Mapping[str, Any], trace_id: str | None = None) -> Receipt:
        remote_id = str(post["id"])
        url = post.get("permalink_url")
        return Receipt(
            remote_id,
            # It becomes a link on our pages: whatever a network answers, it leads to the web and nowhere else.
            url=url if str(url).startswith(("https://", "http://")) else f"https://www.facebook.com/{remote_id}",
            posted_at=moment(post.get("created_time")),
            trace_id=trace_id,
        )

    # --- figures ---

    @readable()
    def figures(self, receipts: Sequence[Receipt], asked: Sequence[Asked]) -> Figures:
        """What Facebook says now of these posts; a deleted one is absent, a missing figure is not 0."""
        found: dict[str, Sequence[Figure]] = {}
        trouble, heard = None, False
        for receipt in receipts if asked else ():
            told: dict[str, Mapping[str, Any]] = {}
            why: dict[str, str] = {}
            try:
                told, why = self._insights(receipt.remote_id, [one.name for one in asked])
                heard = True
            except (Refused, Unreachable) as error:
                if error.code == GONE:
                    continue
                if error.status is None:
                    raise  # nobody answered: that is no matter of this post
                trouble = trouble or error
            found[receipt.remote_id] = [
                one.told(facebook_insights.total(told.get(one.name, {})), why.get(one.name, NOT_AVAILABLE))
                for one in asked
            ]
        if trouble is not None and not heard:
            raise trouble  # it was not one bad post
        return Figures(found)

    @readable()
    def page_figures(self, asked: Sequence[AskedOfPage], since: date, until: date) -> list[PageFigure]:
        """What Facebook says of the page, by its own days, which are those of California."""
        found: list[PageFigure] = []
        for period in dict.fromkeys(one.period for one in asked):
            those = [one for one in asked if one.period == period]
            for window in facebook_insights.windows(since, until):
                names = [one.name for one in those]
                told, why = self._insights(self._page_id, names, period=period, **window.bounds)
                for one in those:
                    reason = why.get(one.name, NOT_AVAILABLE)
                    found += facebook_insights.by_day(one, told.get(one.name, {}), window, reason)
        return found

    def _insights(
        self, owner_id: str, names: Sequence[str], **more: str
    ) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        """What Facebook tells by metric, and why it does not tell others.

        All at once, or one by one, as a single bad metric fails the whole call.
        """
        try:
            answer = self._calls.get(f"{owner_id}/insights", metric=",".join(names), **more)
        except Refused as error:
            code = (error.code or "").split("/")[0]
            if error.code == GONE or code not in ("100", "3001"):
                raise
            if len(names) == 1:
                return {}, {names[0]: RETIRED if code == "100" else NOT_AVAILABLE}
        except Unauthorized as error:
            if error.code == "200":  # said of audiences that are too small; a lost token has code 190
                return {}, {}
            raise
        else:
            return {str(entry.get("name")): entry for entry in data(answer)}, {}
        told: dict[str, Mapping[str, Any]] = {}
        why: dict[str, str] = {}
        for name in names:
            part, reason = self._insights(owner_id, [name], **more)
            told |= part
            why |= reason
        return told, why

    # --- how it is ---

    def check(self) -> Health:
        """Ask who the token speaks for; with the app's secret, also what it may do and until when."""
        try:
            return self._looked_at()
        except Unreachable as error:
            return Health((facebook_health.of_error(error),))

    @readable()
    def _looked_at(self) -> Health:
        try:
            page = self._calls.get("me", fields="id,name,category,followers_count")
        except ChannelError as error:
            return Health((facebook_health.of_error(error),))
        findings = [
            *facebook_health.of_version(self._calls.version, self._calls.header.get("facebook-api-version")),
            *facebook_health.of_page(self._page_id, page),
        ]
        expires_at = None
        if self._app is None:
            findings.append(Finding(Light.GREEN, "permissions_not_checked"))
        else:
            try:
                token = self._calls.get("debug_token", input_token=self._token, access_token=self._app).get("data")
            except (Unauthorized, Refused):
                findings.append(Finding(Light.RED, "app_secret_wrong"))
            except ChannelError as error:
                findings.append(facebook_health.of_error(error))
            else:
                details = token if isinstance(token, dict) else {}
                expires_at = instant(details.get("expires_at"))
                findings.extend(facebook_health.of_token(self._app_id, details, self._calls.moment))
        if not any(finding.light is not Light.GREEN for finding in findings):
            findings.insert(0, Finding(Light.GREEN, "ok"))
        return Health(tuple(findings), name=page.get("name"), remote_id=id_of(page), expires_at=expires_at)
