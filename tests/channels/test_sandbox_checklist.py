"""Everything that our own Facebook and X must offer, one by one, shown over HTTP: nothing is claimed that is not so.

Behind the scenes everything is done by the admin address as well, as training and other programs do it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
import requests
import tweepy

from channels.sandbox.server import Sandbox
from tests.channels.x_stage import KEYS, NOON

PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(range(64))

FACEBOOK: Final = (
    "token check: 190/463",
    "token check: 200",
    "version header",
    "read-after-write",
    "targeting kept and returned",
    "overlap error",
    "scheduling limits",
    "24 h photos",
    "cursor paging",
    "insights with removed metrics refused",
    "metrics that are retired on demand",
    "insights of a page, by the days of California, and by city",
    "usage headers on demand",
    "delay",
    "hang-up after accepting a POST, post kept",
    "500 JSON",
    "HTML 502",
    "code 1",
    "code 2",
    "code 4",
    "code 17",
    "code 32",
    "code 80001",
    "code 190",
    "code 368",
    "code 506",
    "any other code with its subcode",
    "is_transient",
    "dropped targeting",
    "empty insights",
)
"""What the sandbox's Facebook must offer."""

X: Final = (
    "OAuth 1.0a signature over its own address",
    "bearer",
    "unknown body keys: 400",
    "bad media ids: 400",
    "over-length by weighted count: 403",
    "same text by the same account: 403 duplicate",
    "app-only POST: 403",
    "read-only app: 403",
    "limits per user and endpoint with three headers, and a 429",
    "caps of the half hour, of the day, and of the unverified",
    "24 h limit of the app",
    "credits and 402",
    "t.co links and escaped entities",
    "30-day rule",
    "both vocabularies, in answers",
    "both vocabularies, in the fields parameter",
    "snowflake ids",
    "metrics that grow with time",
    "followers of one's own account",
    "503 before creating",
    "503 after creating",
    "hang before creating",
    "hang after creating",
    "cut body",
    "HTML 200",
    "connection reset",
    "302",
    "429 without headers",
    "reset header in the past",
    "24 h cap while calls remain",
    "usage cap on readings",
    "clock skew",
)
"""What the sandbox's X must offer."""


@dataclass
class Web:
    """A caller of the sandbox who knows nothing but addresses."""

    sandbox: Sandbox
    page_token: str = ""
    account: dict[str, Any] = field(default_factory=dict)

    # --- behind the scenes ---

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self.sandbox.url}/_sandbox/{path}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def play(self, name: str, **more: Any) -> None:
        """Queue a fault by its name."""
        self.admin("POST", "faults", {"name": name, **more})

    def forward(self, **span: float) -> None:
        now = datetime.fromisoformat(self.admin("GET", "clock")["now"]) + timedelta(**span)
        self.admin("POST", "clock", {"now": now.isoformat()})

    # --- Facebook ---

    def graph(self, method: str, path: str, *, timeout: float = 5, **params: Any) -> requests.Response:
        given = {"access_token": self.page_token, **params}
        return requests.request(
            method,
            f"{self.sandbox.url}/v26.0/{path}",
            data=given if method == "POST" else None,
            params=None if method == "POST" else given,
            timeout=timeout,
            allow_redirects=False,
        )

    def error(self, answer: requests.Response) -> tuple[int, int | None]:
        found = answer.json()["error"]
        return found["code"], found.get("error_subcode")

    def refused(self, name: str) -> dict[str, Any]:
        """What a named fault answers to a post that is not made; the post after it is."""
        self.play(name, path="/feed$")
        answer = self.graph("POST", "111/feed", message="Bonjour")
        assert (answer.ok, self.page_posts()) == (False, [])
        error: dict[str, Any] = answer.json()["error"]
        return error

    def page_posts(self) -> list[str]:
        """The truth about the page."""
        posts = self.admin("GET", "facebook/posts")["posts"]
        return [post["message"] for post in posts if post["published_at"] and not post["deleted"]]

    # --- X ---

    def x(self, method: str, path: str, *, auth: Any = None, timeout: float = 5, **more: Any) -> requests.Response:
        signer = auth or tweepy.OAuth1UserHandler(*(self.account[key] for key in KEYS)).apply_auth()
        return requests.request(
            method, self.sandbox.url + path, auth=signer, timeout=timeout, allow_redirects=False, **more
        )

    def say(self, text: str = "Bonjour", *, timeout: float = 5, **more: Any) -> requests.Response:
        return self.x("POST", "/2/tweets", json={"text": text, **more}, timeout=timeout)

    def tweets(self) -> list[str]:
        """The truth about the account."""
        return [post["text"] for post in self.admin("GET", f"x/accounts/{self.account['id']}/posts")]

    def change(self, **changes: Any) -> None:
        self.admin("POST", f"x/accounts/{self.account['id']}", changes)


@pytest.fixture
def web() -> Iterator[Web]:
    with Sandbox() as sandbox:
        caller = Web(sandbox)
        caller.admin("POST", "clock", {"now": NOON.isoformat()})
        caller.admin("POST", "facebook/apps", {"id": "900", "secret": "the-secret-of-the-app"})
        caller.page_token = caller.admin("POST", "facebook/pages", {"id": "111", "name": "Rennes"})["access_token"]
        caller.account = caller.admin("POST", "x/accounts", {"username": "ij_bretagne"})
        yield caller


Shown = Callable[[Web], None]
SHOWN: dict[str, Shown] = {}


def shows(fact: str) -> Callable[[Shown], Shown]:
    """This function shows that fact."""

    def keep(function: Shown) -> Shown:
        assert fact not in SHOWN, fact
        SHOWN[fact] = function
        return function

    return keep


def bearer(token: str) -> Any:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def kind(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).rpartition("/")[2]


# --- Facebook -----------------------------------------------------------------------------------------


@shows("token check: 190/463")
def _expired(web: Web) -> None:
    web.admin("POST", "facebook/tokens/expire", {"token": web.page_token})
    assert web.error(web.graph("GET", "me")) == (190, 463)


@shows("token check: 200")
def _no_permission(web: Web) -> None:
    web.admin("POST", "facebook/tokens/scopes", {"token": web.page_token, "scopes": ["pages_read_engagement"]})
    assert web.error(web.graph("POST", "111/feed", message="Bonjour")) == (200, None)


@shows("version header")
def _version(web: Web) -> None:
    assert web.graph("GET", "me").headers["facebook-api-version"] == "v26.0"


@shows("read-after-write")
def _read_after_write(web: Web) -> None:
    made = web.graph("POST", "111/feed", message="Bonjour", fields="id,permalink_url,created_time").json()
    assert made["created_time"] == "2026-11-02T12:00:00+0000"
    assert made["permalink_url"].startswith("https://www.facebook.com/111/posts/")


@shows("targeting kept and returned")
def _targeting(web: Web) -> None:
    limit = json.dumps({"geo_locations": {"zips": [{"key": "FR:35000"}]}})
    made = web.graph("POST", "111/feed", message="Bonjour", targeting=limit).json()["id"]
    told = web.graph("GET", made, fields="targeting").json()["targeting"]
    assert [one["key"] for one in told["geo_locations"]["zips"]] == ["FR:35000"]


@shows("overlap error")
def _overlap(web: Web) -> None:
    places = [
        {"key": "FR", "name": "France", "type": "country", "country_code": "FR"},
        {"key": "3001", "name": "Région Exemple", "type": "region", "country_code": "FR"},
    ]
    web.admin("POST", "facebook/places", {"places": places})
    limit = json.dumps({"geo_locations": {"countries": ["FR"], "regions": [{"key": "3001"}]}})
    assert web.error(web.graph("POST", "111/feed", message="Bonjour", targeting=limit)) == (100, 1487756)


@shows("scheduling limits")
def _scheduling(web: Web) -> None:
    def schedule(**ahead: float) -> bool:
        moment = int((NOON + timedelta(**ahead)).timestamp())
        return web.graph(
            "POST", "111/feed", message=f"{ahead}", published="false", scheduled_publish_time=moment
        ).ok  # fmt: skip

    assert [schedule(minutes=9), schedule(minutes=11), schedule(days=29), schedule(days=31)] == [
        False, True, True, False,
    ]  # fmt: skip


@shows("24 h photos")
def _photos(web: Web) -> None:
    def upload() -> str:
        answer = requests.post(
            f"{web.sandbox.url}/v26.0/111/photos",
            data={"access_token": web.page_token, "published": "false"},
            files={"source": ("a.png", PNG, "image/png")},
            timeout=5,
        )
        return str(answer.json()["id"])

    def post(photo: str) -> requests.Response:
        media = json.dumps([{"media_fbid": photo}])
        return web.graph("POST", "111/feed", message=f"Avec {photo}", attached_media=media)

    early, late = upload(), upload()
    web.forward(hours=23)
    assert post(early).ok
    web.forward(hours=2)
    assert web.error(post(late)) == (100, 33)


@shows("cursor paging")
def _paging(web: Web) -> None:
    for number in range(3):
        web.graph("POST", "111/feed", message=f"N{number}")
        web.forward(seconds=1)
    first = web.graph("GET", "111/published_posts", fields="message", limit=2).json()
    second = web.graph(
        "GET", "111/published_posts", fields="message", limit=2, after=first["paging"]["cursors"]["after"]
    ).json()
    assert [post["message"] for post in first["data"] + second["data"]] == ["N2", "N1", "N0"]
    assert ("next" in first["paging"], "next" in second["paging"]) == (True, False)


@shows("insights with removed metrics refused")
def _removed_metrics(web: Web) -> None:
    made = web.graph("POST", "111/feed", message="Bonjour").json()["id"]
    for gone in ("post_impressions", "post_impressions_unique"):
        assert web.error(web.graph("GET", f"{made}/insights", metric=gone))[0] == 100
    assert web.graph("GET", f"{made}/insights", metric="post_total_media_view_unique").ok


@shows("metrics that are retired on demand")
def _retired_metrics(web: Web) -> None:
    made = web.graph("POST", "111/feed", message="Bonjour").json()["id"]
    web.admin("POST", "facebook/retired", {"metrics": ["post_clicks"]})
    assert web.error(web.graph("GET", f"{made}/insights", metric="post_clicks"))[0] == 100
    assert web.graph("GET", f"{made}/insights", metric="post_media_view").ok
    web.admin("POST", "facebook/retired", {"metrics": []})
    assert web.graph("GET", f"{made}/insights", metric="post_clicks").ok


@shows("insights of a page, by the days of California, and by city")
def _page_insights(web: Web) -> None:
    since = int((NOON - timedelta(days=2)).timestamp())
    told = web.graph("GET", "111/insights", metric="page_follows,page_follows_city", period="day", since=since).json()
    ends = [[value["end_time"] for value in entry["values"]] for entry in told["data"]]
    # On the first of November, clocks in California went back.
    assert ends == [["2026-11-01T07:00:00+0000", "2026-11-02T08:00:00+0000"]] * 2
    assert told["data"][1]["values"][0]["value"].keys() > {"Rennes"}


@shows("usage headers on demand")
def _usage(web: Web) -> None:
    for name, header in (
        ("usage_growing", "x-app-usage"),
        ("usage_high", "x-app-usage"),
        ("page_usage_growing", "x-business-use-case-usage"),
        ("page_usage_high", "x-business-use-case-usage"),
    ):
        web.play(name)
        told = json.loads(web.graph("GET", "me").headers[header])
        case = told["page"][0] if "page" in told else told
        assert case["call_count"] == (80 if name.endswith("growing") else 97)
    assert case["estimated_time_to_regain_access"] == 19
    assert not {"x-app-usage", "x-business-use-case-usage"} & set(web.graph("GET", "me").headers)


@shows("delay")
def _delay(web: Web) -> None:
    web.play("slow", seconds=0.3)
    began = time.monotonic()
    assert web.graph("GET", "me").ok
    assert time.monotonic() - began >= 0.3


@shows("hang-up after accepting a POST, post kept")
def _hang_up(web: Web) -> None:
    web.play("hang_up_after")
    with pytest.raises(requests.ConnectionError):
        web.graph("POST", "111/feed", message="Bonjour")
    assert web.page_posts() == ["Bonjour"]


@shows("500 JSON")
def _json_500(web: Web) -> None:
    for name in ("json_without_error", "empty_error"):
        web.play(name)
        answer = web.graph("GET", "me")
        assert (answer.status_code, answer.json().get("error") or {}) == (500, {})


@shows("HTML 502")
def _html_502(web: Web) -> None:
    web.play("html_502")
    answer = web.graph("GET", "me")
    assert (answer.status_code, answer.text.startswith("<html>")) == (502, True)


@shows("code 1")
def _code_1(web: Web) -> None:
    assert web.refused("unknown")["code"] == 1


@shows("code 2")
def _code_2(web: Web) -> None:
    assert web.refused("service_down")["code"] == 2


@shows("code 4")
def _code_4(web: Web) -> None:
    assert web.refused("app_limit")["code"] == 4


@shows("code 17")
def _code_17(web: Web) -> None:
    error = web.refused("user_limit")
    assert (error["code"], error["error_subcode"]) == (17, 2446079)


@shows("code 32")
def _code_32(web: Web) -> None:
    assert web.refused("page_limit")["code"] == 32


@shows("code 80001")
def _code_80001(web: Web) -> None:
    assert web.refused("page_use_limit")["code"] == 80001


@shows("code 190")
def _code_190(web: Web) -> None:
    error = web.refused("expired")
    assert (error["code"], error["error_subcode"]) == (190, 463)


@shows("code 368")
def _code_368(web: Web) -> None:
    assert web.refused("blocked")["code"] == 368


@shows("code 506")
def _code_506(web: Web) -> None:
    assert web.refused("duplicate")["code"] == 506
    first, second = (web.graph("POST", "111/feed", message="Bonjour") for _ in range(2))
    assert (first.ok, web.error(second)) == (True, (506, None))


@shows("any other code with its subcode")
def _any_code(web: Web) -> None:
    for code, subcode in ((341, None), (613, 1996), (190, 458), (200, 1609008), (368, 1390008), (1363047, None)):
        name = f"graph_{code}" if subcode is None else f"graph_{code}_{subcode}"
        error = web.refused(name)
        assert (error["code"], error.get("error_subcode")) == (code, subcode)


@shows("is_transient")
def _transient(web: Web) -> None:
    assert web.refused("transient")["is_transient"] is True


@shows("dropped targeting")
def _dropped(web: Web) -> None:
    web.play("drop_targeting")
    limit = json.dumps({"geo_locations": {"zips": [{"key": "FR:35000"}]}})
    made = web.graph("POST", "111/feed", message="Bonjour", targeting=limit).json()["id"]
    assert "targeting" not in web.graph("GET", made, fields="targeting").json()


@shows("empty insights")
def _empty(web: Web) -> None:
    made = web.graph("POST", "111/feed", message="Bonjour").json()["id"]
    web.play("empty_insights")
    told = [web.graph("GET", f"{made}/insights", metric="post_media_view").json()["data"] for _ in range(2)]
    assert (told[0], len(told[1])) == ([], 1)


# --- X ------------------------------------------------------------------------------------------------


@shows("OAuth 1.0a signature over its own address")
def _signature(web: Web) -> None:
    keys = [web.account[key] if key != "access_token_secret" else "wrong" for key in KEYS]
    wrong = web.x("GET", "/2/users/me", auth=tweepy.OAuth1UserHandler(*keys).apply_auth())
    assert (wrong.status_code, web.x("GET", "/2/users/me").status_code) == (401, 200)


@shows("bearer")
def _bearer(web: Web) -> None:
    asked = [web.x("GET", "/2/users/me", auth=bearer(token)) for token in (web.account["bearer_token"], "wrong")]
    assert [answer.status_code for answer in asked] == [200, 401]


@shows("unknown body keys: 400")
def _body_keys(web: Web) -> None:
    assert kind(web.say(colour="blue")) == (400, "invalid-request")


@shows("bad media ids: 400")
def _media_ids(web: Web) -> None:
    answer = web.say(media={"media_ids": ["12345"]})
    assert (kind(answer), "Your media IDs are invalid." in answer.text) == ((400, "invalid-request"), True)
    web.play("x_media_invalid")
    assert web.say().status_code == 400
    picture = {"media": base64.b64encode(PNG).decode(), "media_category": "tweet_image"}
    good = web.x("POST", "/2/media/upload", json=picture).json()["data"]["id"]
    assert web.say(media={"media_ids": [good]}).status_code == 201


@shows("over-length by weighted count: 403")
def _too_long(web: Web) -> None:
    assert [web.say(text).status_code for text in ("€" * 141, "€" * 140, "a" * 280)] == [403, 201, 201]
    web.play("x_not_permitted")
    assert web.say().status_code == 403


@shows("same text by the same account: 403 duplicate")
def _same_text(web: Web) -> None:
    answers = [web.say(), web.say()]
    web.play("x_duplicate")
    answers.append(web.say("Autre chose"))
    assert [answer.status_code for answer in answers] == [201, 403, 403]
    assert all("duplicate content" in answer.text for answer in answers[1:])


@shows("app-only POST: 403")
def _app_only(web: Web) -> None:
    answer = web.x("POST", "/2/tweets", auth=bearer(web.account["app_token"]), json={"text": "Bonjour"})
    assert kind(answer) == (403, "unsupported-authentication")
    web.play("x_app_only")
    assert kind(web.say()) == (403, "unsupported-authentication")


@shows("read-only app: 403")
def _read_only(web: Web) -> None:
    web.play("x_app_read_only")
    assert kind(web.say()) == (403, "oauth1-permissions")
    web.change(read_only=True)
    answer = web.say()
    assert (kind(answer), answer.headers["x-access-level"]) == ((403, "oauth1-permissions"), "read")


@shows("limits per user and endpoint with three headers, and a 429")
def _limits(web: Web) -> None:
    web.admin("POST", "x/limits", {"POST /2/tweets": 1})
    first, second = web.say("Un"), web.say("Deux")
    told = [first.headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "reset")]
    assert told == ["1", "0", str(int((NOON + timedelta(minutes=15)).timestamp()))]
    assert (second.status_code, web.x("GET", "/2/users/me").status_code) == (429, 200)


@shows("caps of the half hour, of the day, and of the unverified")
def _caps(web: Web) -> None:
    web.admin("POST", "x/limits", {"posts a half hour": 1})
    over = [web.say("Un"), web.say("Deux")][-1]
    assert (over.status_code, int(over.headers["x-rate-limit-remaining"]) > 0) == (429, True)
    web.admin("POST", "x/limits", {"posts a half hour": 50, "posts a day": 1})
    over = [web.say("Trois"), web.say("Quatre")][-1]
    assert (over.status_code, over.headers["x-user-limit-24hour-remaining"]) == (429, "0")
    web.admin("POST", "x/limits", {"posts a day": 2400, "posts a day, unverified": 1})
    web.change(verified=False)
    assert [web.say(text).status_code for text in ("Cinq", "Six")] == [201, 429]


@shows("24 h limit of the app")
def _app_day(web: Web) -> None:
    other = web.admin("POST", "x/accounts", {"username": "other", "consumer_key": web.account["consumer_key"]})
    web.admin("POST", "x/limits", {"posts a day, of an app": 1})
    first = web.say()
    signer = tweepy.OAuth1UserHandler(*(other[key] for key in KEYS)).apply_auth()
    second = web.x("POST", "/2/tweets", auth=signer, json={"text": "Bonjour aussi"})
    assert (first.headers["x-app-limit-24hour-remaining"], second.status_code) == ("0", 429)


@shows("credits and 402")
def _credits(web: Web) -> None:
    web.play("x_credits_used_up")
    assert kind(web.say()) == (402, "credits")
    web.change(credits="0.01")
    for form, name in ((1, "credits"), (2, "credits-depleted")):
        web.admin("POST", "x/habits", {"credits_form": form})
        assert kind(web.say()) == (402, name)
    assert web.tweets() == []


@shows("t.co links and escaped entities")
def _entities(web: Web) -> None:
    made = web.say("Lire & voir https://exemple.fr/cfa").json()["data"]["id"]
    told = web.x("GET", f"/2/tweets/{made}?tweet.fields=entities").json()["data"]
    assert told["text"].startswith("Lire &amp; voir https://t.co/")
    assert told["entities"]["urls"][0]["expanded_url"] == "https://exemple.fr/cfa"


@shows("30-day rule")
def _thirty_days(web: Web) -> None:
    made = web.say().json()["data"]["id"]
    address = f"/2/tweets?ids={made}&tweet.fields=non_public_metrics"
    web.forward(days=29)
    young = web.x("GET", address).json()
    web.forward(days=1)
    old = web.x("GET", address).json()
    assert "non_public_metrics" in young["data"][0]
    assert {error["type"].rpartition("/")[2] for error in old["errors"]} == {"not-authorized-for-field"}


@shows("both vocabularies, in answers")
def _vocabularies(web: Web) -> None:
    made = web.say().json()["data"]["id"]
    for vocabulary, word in (("tweet", "retweet_count"), ("post", "repost_count")):
        web.admin("POST", "x/habits", {"vocabulary": vocabulary})
        told = web.x("GET", f"/2/tweets/{made}?tweet.fields=public_metrics").json()["data"]
        assert (word in told["public_metrics"], f"edit_history_{vocabulary}_ids" in told) == (True, True)


@shows("both vocabularies, in the fields parameter")
def _fields(web: Web) -> None:
    made = web.say().json()["data"]["id"]
    for name, other in (("tweet.fields", "post.fields"), ("post.fields", "tweet.fields")):
        web.admin("POST", "x/habits", {"refuses_fields": name, "ignores_fields": None})
        asked = [web.x("GET", f"/2/tweets/{made}?{one}=public_metrics") for one in (name, other)]
        assert [answer.status_code for answer in asked] == [400, 200]
        web.admin("POST", "x/habits", {"refuses_fields": None, "ignores_fields": name})
        told = [web.x("GET", f"/2/tweets/{made}?{one}=public_metrics").json()["data"] for one in (name, other)]
        assert ["public_metrics" in one for one in told] == [False, True]


@shows("snowflake ids")
def _snowflake(web: Web) -> None:
    made = int(web.say().json()["data"]["id"])
    assert (made >> 22) + 1288834974657 == int(NOON.timestamp() * 1000)


@shows("metrics that grow with time")
def _growing(web: Web) -> None:
    made = web.say().json()["data"]["id"]
    views = []
    for _ in range(3):
        told = web.x("GET", f"/2/tweets/{made}?tweet.fields=public_metrics").json()["data"]
        views.append(told["public_metrics"]["impression_count"])
        web.forward(hours=6)
    assert views[0] < views[1] < views[2]


def unavailable(web: Web, name: str, *, posted: bool) -> None:
    web.play(name)
    answer = web.say()
    assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
    assert web.tweets() == (["Bonjour"] if posted else [])


@shows("followers of one's own account")
def _followers(web: Web) -> None:
    web.change(followers=1234)
    plain = web.x("GET", "/2/users/me").json()["data"]
    told = web.x("GET", "/2/users/me?user.fields=public_metrics").json()["data"]
    assert "public_metrics" not in plain
    assert told["public_metrics"]["followers_count"] == 1234


@shows("503 before creating")
def _503_before(web: Web) -> None:
    unavailable(web, "x_unavailable_before", posted=False)


@shows("503 after creating")
def _503_after(web: Web) -> None:
    unavailable(web, "x_unavailable_after", posted=True)


def hang(web: Web, name: str, *, posted: bool) -> None:
    web.play(name)
    with pytest.raises(requests.ReadTimeout):
        web.say(timeout=0.4)
    assert web.tweets() == (["Bonjour"] if posted else [])


@shows("hang before creating")
def _hang_before(web: Web) -> None:
    hang(web, "hang_before", posted=False)


@shows("hang after creating")
def _hang_after(web: Web) -> None:
    hang(web, "hang_after", posted=True)


@shows("cut body")
def _cut(web: Web) -> None:
    web.play("cut")
    with pytest.raises(requests.RequestException):
        web.say()
    assert web.tweets() == ["Bonjour"]


@shows("HTML 200")
def _html_200(web: Web) -> None:
    for name, posted in (("html_200", []), ("html_200_after", ["Bonjour"])):
        web.play(name)
        answer = web.say()
        assert (answer.status_code, answer.text.startswith("<html>"), web.tweets()) == (200, True, posted)


@shows("connection reset")
def _reset(web: Web) -> None:
    for name, posted in (("reset_before", []), ("reset_after", ["Bonjour"])):
        web.play(name)
        with pytest.raises(requests.ConnectionError, match="reset"):
            web.say()
        assert web.tweets() == posted


@shows("302")
def _redirect(web: Web) -> None:
    web.play("redirect")
    answer = web.say()
    assert (answer.status_code, "location" in answer.headers, web.tweets()) == (302, True, [])


def limits_told(answer: requests.Response) -> dict[str, int]:
    return {name.lower(): int(value) for name, value in answer.headers.items() if "limit" in name.lower()}


@shows("429 without headers")
def _no_headers(web: Web) -> None:
    for name in ("x_without_headers", "too_many"):
        web.play(name)
        answer = web.say()
        assert (answer.status_code, limits_told(answer)) == (429, {})
    web.admin("POST", "x/habits", {"tells_limits": False})
    assert limits_told(web.say()) == {}


@shows("reset header in the past")
def _past(web: Web) -> None:
    web.play("x_reset_in_the_past")
    answer = web.say()
    assert answer.status_code == 429
    assert limits_told(answer)["x-rate-limit-reset"] == int(NOON.timestamp()) - 60


@shows("24 h cap while calls remain")
def _day_cap(web: Web) -> None:
    for name, header in (("x_day_used_up", "x-user-limit-24hour"), ("x_app_day_used_up", "x-app-limit-24hour")):
        web.play(name)
        told = limits_told(web.say())
        assert (told[f"{header}-remaining"], told[f"{header}-reset"]) == (0, int(NOON.timestamp()) + 4 * 3600)
    web.play("x_day_used_up_untold")
    answer = web.say()
    assert (answer.status_code, limits_told(answer)["x-rate-limit-remaining"]) == (429, 57)


@shows("usage cap on readings")
def _usage_cap(web: Web) -> None:
    made = web.say().json()["data"]["id"]
    web.admin("POST", "x/habits", {"usage_capped": True})
    read, said = web.x("GET", f"/2/tweets/{made}"), web.say("Encore")
    assert (read.json()["title"], said.status_code) == ("UsageCapExceeded", 201)
    web.admin("POST", "x/habits", {"usage_capped": False})
    web.play("x_usage_capped", method="GET")
    assert web.x("GET", f"/2/tweets/{made}").json()["title"] == "UsageCapExceeded"


@shows("clock skew")
def _skew(web: Web) -> None:
    web.play("x_clock_skew")
    asked = [web.x("GET", "/2/users/me").status_code for _ in range(2)]
    web.admin("POST", "x/habits", {"skew_seconds": -600})
    assert (asked, web.x("GET", "/2/users/me").status_code) == ([401, 200], 401)


# --- One by one ---------------------------------------------------------------------------------------


def test_every_fact_of_the_checklist_is_shown_and_nothing_else() -> None:
    assert list(SHOWN) == [*FACEBOOK, *X]


@pytest.mark.parametrize("fact", [*FACEBOOK, *X])
def test_the_sandbox_does_what_the_checklist_says(web: Web, fact: str) -> None:
    SHOWN[fact](web)


def test_every_named_fault_can_be_ordered_and_what_is_no_name_is_refused_with_those_that_are(web: Web) -> None:
    named = web.admin("GET", "faults")["named"]
    for name in named:
        web.play(name)
    answer = requests.post(f"{web.sandbox.url}/_sandbox/faults", json={"name": "graph_x"}, timeout=5)

    assert len(web.admin("GET", "faults")["waiting"]) == len(named)
    assert (answer.status_code, all(name in answer.text for name in named)) == (400, True)
