"""An X account, through tweepy."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
import tweepy

from channels import x_reading
from channels.base import (
    FREE,
    MOMENT,
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
    Pace,
    PageFigure,
    Prepared,
    Receipt,
    Refused,
    Rules,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from channels.session import Answer, DeadlinePassed, NetworkSession, never_sent
from channels.x_errors import error_of, pace_of
from channels.x_rules import XRules

__all__ = ["CHECK_CODES", "XAccount", "XRules"]

API_URL: Final = "https://api.x.com"
ORIGINALS: Final = ("https://api.twitter.com", API_URL)
"""The first is written into tweepy; the second is where it is sent when nothing else is said."""

FIELDS: Final = ("created_at", "entities", "attachments")
FIELD_PARAMETERS: Final = ("tweet.fields", "post.fields")
NOT_GIVEN: Final = "not given"
"""Why there is no figure: X answered without it."""
PRIVATE_FOR: Final = timedelta(days=30)
LOOK_BACK: Final = timedelta(minutes=2)
"""Clocks differ: posts are read back from a little before the try."""
MAX_SKEW_SECONDS: Final = 240
BATCH: Final = 100
PAGES: Final = 32
"""X gives back the latest 3,200 posts of an account, a hundred a page."""

CHECK_CODES: Final[Mapping[str, str]] = {
    "oauth1-permissions": "read_only",
    "client-forbidden": "not_enrolled",
    "unsupported-authentication": "not_an_account_token",
    "user-suspended": "suspended",
}
"""X's own name of a refusal → our finding."""


class _NoWords(logging.Filter):
    """Keeps what libraries say at DEBUG out of every log: tokens, signatures and people's words."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_NO_WORDS: Final = _NoWords()
for _name in ("tweepy.client", "oauthlib.oauth1.rfc5849", "requests_oauthlib.oauth1_auth"):
    logging.getLogger(_name).addFilter(_NO_WORDS)


class XAccount:
    """One X account.

    It speaks with the four keys of OAuth 1.0a, or with an OAuth 2.0 user token as `bearer_token`. `now` tells the
    hub's time: private figures end thirty days after a post was made. Pass `base_url` to speak to a sandbox.
    """

    def __init__(
        self,
        *,
        user_id: str,
        username: str,
        now: Callable[[], datetime],
        consumer_key: str | None = None,
        consumer_secret: str | None = None,
        access_token: str | None = None,
        access_token_secret: str | None = None,
        bearer_token: str | None = None,
        base_url: str = API_URL,
        timeouts: tuple[float, float] = (5.0, 20.0),
        total: float = 45.0,
        rules: XRules | None = None,
    ) -> None:
        keys = (consumer_key, consumer_secret, access_token, access_token_secret)
        if not all(keys) and not bearer_token:
            raise ValueError("An X account needs its four keys, or a user's bearer token.")
        self.rules: Rules = rules or XRules()
        self.user_id, self.username = user_id, username
        self._now = now
        self._session = NetworkSession(
            ORIGINALS, base_url, timeouts=timeouts, total=total, secrets=filter(None, (*keys, bearer_token))
        )
        self._client = tweepy.Client(bearer_token, *keys, return_type=requests.Response, wait_on_rate_limit=False)
        self._client.session.close()
        self._client.session = self._session
        self._signs = all(keys)
        self._fields_parameter = FIELD_PARAMETERS[0]

    def __repr__(self) -> str:
        return f"XAccount(@{self.username}, {self.user_id})"

    @property
    def pace(self) -> Pace:
        """When the limits end that the last posting call used up: the account's own, and the app's.

        Limits are per endpoint: a reading one that is used up does not keep anybody from posting.
        """
        last = self._session.last
        if last is None or last.method != "POST":
            return FREE
        return pace_of(last.headers, self._now())

    def prepare(self, message: Message) -> Prepared:
        """Upload the pictures and their descriptions; nobody can see them yet."""
        problems = self.rules.problems(message)
        if problems:
            raise Refused(f"X would not take it: {', '.join(problem.code for problem in problems)}.")
        try:
            media_ids = tuple(self._upload(picture.data, picture.alt) for picture in message.pictures)
        except Uncertain as error:
            # Whatever became of the upload, nothing was said: it may be done again.
            raise Unreachable(
                f"A picture could not be uploaded: {error}",
                code=error.code,
                status=error.status,
                trace_id=error.trace_id,
            ) from error
        return Prepared(message, media_ids=media_ids)

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Create the post, once."""
        message = prepared.message
        if message.targeting is not None:  # everybody would see it
            raise Refused("X cannot limit a post to a territory.", code="cannot_gate")
        with self._session.within(deadline):
            answer = self._answer(
                lambda: self._client.create_tweet(
                    text=message.text or None, media_ids=prepared.media_ids or None, user_auth=self._signs
                )
            )
        return self._receipt(_made_id(answer), answer)

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """The account's posts since a moment, or little before it, that say this message."""
        params: dict[str, object] = {"max_results": BATCH}
        since_id = x_reading.id_at(since - LOOK_BACK)
        if since_id:
            params["since_id"] = since_id
        found: list[Receipt] = []
        for _ in range(PAGES):
            answer = self._read(f"/2/users/{self.user_id}/tweets", params, FIELDS)
            body = _body(answer)
            if "data" not in body and "meta" not in body:
                raise Refused("X does not show the account's posts.", status=answer.status, trace_id=_trace(answer))
            posts = _posts(body)
            found += [self._receipt(str(post["id"])) for post in posts if x_reading.says(post, message)]
            token = body["meta"].get("next_token") if isinstance(body.get("meta"), dict) else None
            if not token:
                break
            params["pagination_token"] = token
        return found

    def figures(self, receipts: Sequence[Receipt], asked: Sequence[Asked]) -> Figures:
        """What is asked of each post, its author's own counters while X tells them; a refused figure says why."""
        ids = list(dict.fromkeys(receipt.remote_id for receipt in receipts)) if asked else []
        by_post: dict[str, Sequence[Figure]] = {}
        for start in range(0, len(ids), BATCH):
            try:
                by_post |= self._batch(ids[start : start + BATCH], asked)
            except ChannelError:
                if not by_post:
                    raise
                break  # what was read is paid for; the rest is asked for again another time
        return Figures(by_post)

    def page_figures(self, asked: Sequence[AskedOfPage], since: date, until: date) -> list[PageFigure]:
        """Counters of the account as of now, its followers: X tells nothing of days that have passed."""
        today = self._now().date()
        now = [one for one in asked if one.period == MOMENT]
        if not now:
            return []
        answer = self._request("GET", "/2/users/me", params={"user.fields": x_reading.PUBLIC_FIELD})
        user = _body(answer).get("data")
        known = user if isinstance(user, dict) and str(user.get("id")) == self.user_id else None
        return [x_reading.of_user(known, one, today, NOT_GIVEN) for one in now]

    def remove(self, receipt: Receipt) -> None:
        """Delete a post; one that is gone already is no error."""
        if not receipt.remote_id.isascii() or not receipt.remote_id.isdigit():
            raise Refused("This is not the id of a post.", code="not_our_post")
        try:
            answer = self._answer(lambda: self._client.delete_tweet(receipt.remote_id, user_auth=self._signs))
        except Refused as error:
            if error.status == 404:
                return
            raise
        _body(answer)

    def check(self) -> Health:
        """Ask X who we are."""
        try:
            answer = self._answer(lambda: self._client.get_me(user_auth=self._signs))
            me = _body(answer).get("data")
        except ChannelError as error:
            return Health((self._clock_finding(error) or _finding(error),))
        if not isinstance(me, dict):
            return Health((Finding(Light.RED, "unreachable", {"message": "no account in the answer"}),))
        return Health(
            tuple(self._findings(me, answer)) or (Finding(Light.GREEN, "ok", {"username": self.username}),),
            name=str(me.get("name") or ""),
            remote_id=str(me.get("id") or ""),
        )

    def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    def _findings(self, me: Mapping[str, Any], answer: Answer) -> Iterator[Finding]:
        if str(me.get("id")) != self.user_id:
            yield Finding(Light.RED, "wrong_account", {"found": str(me.get("username")), "expected": self.username})
        elif str(me.get("username")).casefold() != self.username.casefold():
            yield Finding(Light.AMBER, "renamed", {"found": str(me.get("username")), "expected": self.username})
        if answer.headers.get("x-access-level") == "read":
            yield Finding(Light.RED, "read_only")

    def _clock_finding(self, error: ChannelError) -> Finding | None:
        """A signature holds the time: when this machine's clock is wrong, good keys are refused like bad ones."""
        told = self._session.last.headers.get("date") if self._session.last else None
        if not self._signs or error.status != 401 or not told:
            return None
        try:
            off = round(time.time() - parsedate_to_datetime(told).timestamp())
        except ValueError:
            return None
        return Finding(Light.RED, "clock_wrong", {"seconds": str(off)}) if abs(off) > MAX_SKEW_SECONDS else None

    def _upload(self, data: bytes, alt: str) -> str:
        content = {"media": base64.b64encode(data).decode(), "media_category": "tweet_image"}
        media_id = _made_id(self._request("POST", "/2/media/upload", json=content))
        if alt:
            words = {"id": media_id, "metadata": {"alt_text": {"text": alt}}}
            self._request("POST", "/2/media/metadata", json=words)
        return media_id

    def _batch(self, ids: list[str], asked: Sequence[Asked]) -> dict[str, Sequence[Figure]]:
        posts, missing = self._look_up(ids, x_reading.PUBLIC_FIELD)
        own = any(one.name in x_reading.PRIVATE for one in asked)
        young = [post_id for post_id in ids if own and post_id in posts and self._is_young(post_id)]
        private: dict[str, Mapping[str, Any]] = {}
        refused: dict[str, str] = {}
        if young:
            try:
                private, refused = self._look_up(young, x_reading.PRIVATE_FIELD)
            except ChannelError as error:
                refused = dict.fromkeys(young, _why(error))
        figures: dict[str, Sequence[Figure]] = {}
        for post_id in ids:
            if post_id not in posts and post_id not in missing:
                continue  # X did not speak of it
            why = missing.get(post_id, NOT_GIVEN)
            why_own = why if post_id not in posts else refused.get(post_id, NOT_GIVEN)
            if post_id in posts and post_id not in young:
                why_own = "older than 30 days"
            figures[post_id] = x_reading.figures(
                posts.get(post_id), private.get(post_id), asked, why=why, why_own=why_own
            )
        return figures

    def _look_up(self, ids: list[str], field: str) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        """Posts by id with one kind of figures, and what X said of those that it did not give."""
        params = {"ids": ",".join(ids)}
        body = _body(self._read("/2/tweets", params, (field,)))
        if _without_effect(body, field):
            self._turn_fields_parameter()  # ask once by its other name
            body = _body(self._read("/2/tweets", params, (field,), again=False))
        return {str(post["id"]): post for post in _posts(body)}, _refusals(body)

    def _is_young(self, post_id: str) -> bool:
        return self._now() - x_reading.moment_of(post_id) < PRIVATE_FOR

    def _read(self, route: str, params: Mapping[str, object], fields: Sequence[str], *, again: bool = True) -> Answer:
        """Read with fields, which X calls `tweet.fields` or `post.fields`; refused under one name, the other is tried.

        Not by tweepy's own methods, as they know the first name only.
        """
        try:
            return self._request("GET", route, params={**params, self._fields_parameter: ",".join(fields)})
        except Refused as error:
            if not again or error.status != 400 or self._fields_parameter not in str(error):
                raise
        self._turn_fields_parameter()
        return self._read(route, params, fields, again=False)

    def _turn_fields_parameter(self) -> None:
        first, second = FIELD_PARAMETERS
        self._fields_parameter = second if self._fields_parameter == first else first

    def _request(self, method: str, route: str, **more: Any) -> Answer:
        return self._answer(lambda: self._client.request(method, route, user_auth=self._signs, **more))

    def _answer(self, call: Callable[[], object]) -> Answer:
        """Make one call and judge it by what X answered, as tweepy loses the answer when its form is unusual."""
        failed: Exception | None = None
        before = self._session.last
        try:
            call()
        except Exception as error:  # noqa: BLE001 - judged below, all of it; tweepy also throws what it trips over
            failed = error
        answer = self._session.last
        if answer is None or answer is before:  # an earlier call's answer tells nothing about this one
            raise self._silence(failed) from failed
        # Not `from failed`: tweepy's error repeats the answer unmasked, and says no more than ours.
        if not answer.well:
            raise self._masked(
                error_of(answer.status, answer.headers, answer.body, now=self._now(), reading=answer.method == "GET")
            )
        if failed is not None:
            raise Uncertain(self._session.mask(f"The answer could not be read: {failed}"))
        return answer

    def _silence(self, failed: Exception | None) -> ChannelError:
        if failed is not None and never_sent(failed):
            return Unreachable(f"X was not reached: {self._session.mask(_why_silent(failed, sent=False))}.")
        return Uncertain(f"X did not answer: {self._session.mask(_why_silent(failed, sent=True))}.")

    def _masked(self, error: ChannelError) -> ChannelError:
        error.args = (self._session.mask(str(error)),)
        return error

    def _receipt(self, post_id: str, answer: Answer | None = None) -> Receipt:
        return Receipt(
            post_id,
            url=f"https://x.com/{self.username}/status/{post_id}",
            posted_at=x_reading.moment_of(post_id),
            trace_id=_trace(answer) if answer else None,
        )


def _why_silent(failed: Exception | None, *, sent: bool) -> str:
    """What happened, in words: those of the libraries speak of their own objects."""
    match failed:
        case None:
            return "nothing came back"
        case DeadlinePassed():
            return "no answer in time" if sent else "the time for this call was over"
        case requests.exceptions.SSLError():
            return "no safe connection could be made"
        case requests.ConnectionError() | requests.Timeout() if not sent:
            return "no connection could be made"
        case requests.Timeout():
            return "no answer in time"
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            return "the connection broke"
    return str(failed).rstrip(".")


def _body(answer: Answer) -> dict[str, Any]:
    if isinstance(answer.body, dict):
        return answer.body
    raise Uncertain("X's answer is not JSON.", status=answer.status, trace_id=_trace(answer))


def _made_id(answer: Answer) -> str:
    """The id of what was made; without one nobody knows whether it was."""
    data = _body(answer).get("data")
    made = data.get("id") if isinstance(data, dict) else None
    if isinstance(made, str) and made.isascii() and made.isdigit():
        return made
    raise Uncertain("X's answer holds no id.", status=answer.status, trace_id=_trace(answer))


def _posts(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    data = body.get("data")
    return [post for post in data if isinstance(post, dict) and "id" in post] if isinstance(data, list) else []


def _refusals(body: Mapping[str, Any]) -> dict[str, str]:
    errors = body.get("errors")
    return x_reading.refusals(errors) if isinstance(errors, list) else {}


def _without_effect(body: Mapping[str, Any], field: str) -> bool:
    """Whether the fields parameter was taken and did nothing: no post has the field, and no refusal explains it."""
    refused = _refusals(body)
    unexplained = [post for post in _posts(body) if str(post["id"]) not in refused]
    return bool(unexplained) and not any(field in post for post in unexplained)


def _trace(answer: Answer) -> str | None:
    return answer.headers.get("x-transaction-id")


def _why(error: ChannelError) -> str:
    return error.code or type(error).__name__.lower()


def _finding(error: ChannelError) -> Finding:
    """What a failed call as the account shows."""
    details = {"message": str(error)}
    if isinstance(error, Unauthorized):
        plain = "credits_used_up" if error.status == 402 else "keys_refused"
        return Finding(Light.RED, CHECK_CODES.get(error.code or "", plain), details)
    if isinstance(error, Throttled):
        return Finding(Light.AMBER, "throttled", details)
    if isinstance(error, Refused):
        return Finding(Light.RED, "check_refused", details)
    return Finding(Light.RED, "unreachable", details)
