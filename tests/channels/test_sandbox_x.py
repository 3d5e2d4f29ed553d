"""Our own X: as strict as the real one, and honest about what happened."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import tweepy

from channels.sandbox import oauth1
from channels.sandbox.exchange import Clock, Request, Shelf
from channels.sandbox.server import Sandbox
from channels.sandbox.x import XNetwork
from tests.channels.x_stage import KEYS, NOON, PNG, Stage
from tests.channels.x_stage import stage as on_stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    with on_stage() as set_up:
        yield set_up


def ask(stage: Stage, method: str, path: str, *, auth: Any = None, **more: Any) -> requests.Response:
    """Call as the account, signed by tweepy's own signer, unless `auth` says otherwise."""
    signer = auth or tweepy.OAuth1UserHandler(*(stage.account[key] for key in KEYS)).apply_auth()
    return requests.request(method, stage.sandbox.url + path, auth=signer, timeout=5, **more)


def say(stage: Stage, text: str, **more: Any) -> requests.Response:
    return ask(stage, "POST", "/2/tweets", json={"text": text, **more})


def bearer(token: str) -> Any:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def problem(response: requests.Response) -> tuple[int, str]:
    body = response.json()
    return response.status_code, str(body.get("type", "")).rpartition("/")[2]


# --- Who speaks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", KEYS)
def test_one_wrong_key_is_unauthorized(stage: Stage, wrong: str) -> None:
    keys = [stage.account[key] if key != wrong else "wrong" for key in KEYS]

    answer = ask(stage, "GET", "/2/users/me", auth=tweepy.OAuth1UserHandler(*keys).apply_auth())

    assert answer.json() == {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic abc", "OAuth nonsense"])
def test_nobody_is_unauthorized(stage: Stage, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}

    assert requests.get(stage.sandbox.url + "/2/users/me", headers=headers, timeout=5).status_code == 401


def signed(
    stage: Stage, path: str, *, at: float | None = None, method: str = "HMAC-SHA1", query: str = ""
) -> dict[str, str]:
    """An Authorization header made by hand."""
    given = {
        "oauth_consumer_key": stage.account["consumer_key"],
        "oauth_token": stage.account["access_token"],
        "oauth_signature_method": method,
        "oauth_timestamp": str(int(at or time.time())),
        "oauth_nonce": "n1",
        "oauth_version": "1.0",
    }
    pairs = [*given.items(), *(tuple(part.split("=")) for part in query.split("&") if part)]
    given["oauth_signature"] = oauth1.signature(
        "GET",
        stage.sandbox.url + path,
        [(pair[0], pair[1]) for pair in pairs],
        stage.account["consumer_secret"],
        stage.account["access_token_secret"],
    )
    inside = ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in given.items())
    return {"Authorization": f"OAuth {inside}"}


def test_a_signature_counts_once(stage: Stage) -> None:
    headers = signed(stage, "/2/users/me")
    url = stage.sandbox.url + "/2/users/me"

    answers = [requests.get(url, headers=headers, timeout=5).status_code for _ in range(2)]

    assert answers == [200, 401]


@pytest.mark.parametrize(("off", "status"), [(-400, 401), (-200, 200), (200, 200), (400, 401)])
def test_a_signature_is_of_now_by_the_real_clock(stage: Stage, off: int, status: int) -> None:
    headers = signed(stage, "/2/users/me", at=time.time() + off)

    assert requests.get(stage.sandbox.url + "/2/users/me", headers=headers, timeout=5).status_code == status


def test_a_signature_covers_the_query(stage: Stage) -> None:
    headers = signed(stage, "/2/tweets", query="ids=1")

    assert requests.get(stage.sandbox.url + "/2/tweets?ids=2", headers=headers, timeout=5).status_code == 401
    assert requests.get(stage.sandbox.url + "/2/tweets?ids=1", headers=headers, timeout=5).status_code == 200


def test_a_signature_covers_a_form_but_a_form_is_no_post(stage: Stage) -> None:
    assert ask(stage, "POST", "/2/tweets", data={"text": "Bonjour à tous"}).status_code == 400


def test_other_ways_to_sign_are_refused(stage: Stage) -> None:
    headers = signed(stage, "/2/users/me", method="PLAINTEXT")

    assert requests.get(stage.sandbox.url + "/2/users/me", headers=headers, timeout=5).status_code == 401


def test_the_signature_of_the_standard_is_reproduced() -> None:
    parameters = [
        ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
        ("include_entities", "true"),
        ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog"),
        ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "1318622958"),
        ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb"),
        ("oauth_version", "1.0"),
    ]

    made = oauth1.signature(
        "post",
        "https://API.twitter.com:443/1.1/statuses/update.json",
        parameters,
        "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    )

    assert made == "hCtSmYh+iHYCEqBWrE7C7hYmtUk="


def test_an_app_may_read_and_not_post(stage: Stage) -> None:
    app = bearer(stage.account["app_token"])
    post_id = say(stage, "Bonjour").json()["data"]["id"]

    read = ask(stage, "GET", f"/2/tweets/{post_id}", auth=app)
    spoken = ask(stage, "POST", "/2/tweets", auth=app, json={"text": "Bonsoir"})

    assert read.json()["data"]["text"] == "Bonjour"
    assert problem(spoken) == (403, "unsupported-authentication")


@pytest.mark.parametrize(
    ("changes", "kind", "level"),
    [
        ({"read_only": True}, "oauth1-permissions", "read"),
        ({"suspended": True}, "user-suspended", "read-write"),
        ({"enrolled": False}, "client-forbidden", "read-write"),
    ],
)
def test_what_an_account_may_not_do_is_named(stage: Stage, changes: dict[str, Any], kind: str, level: str) -> None:
    stage.change(**changes)

    answer = say(stage, "Bonjour")

    assert problem(answer) == (403, kind)
    assert answer.headers["x-access-level"] == level


# --- What may be said ----------------------------------------------------------------------------------------


def test_a_new_post_has_a_snowflake_of_the_sandboxs_time(stage: Stage) -> None:
    first, second = say(stage, "Un"), say(stage, "Deux")

    data = first.json()["data"]
    assert (first.status_code, data["text"], data["edit_history_tweet_ids"]) == (201, "Un", [data["id"]])
    assert (int(data["id"]) >> 22) + 1288834974657 == int(NOON.timestamp() * 1000)
    assert int(second.json()["data"]["id"]) > int(data["id"])


def test_ids_stay_different_when_time_goes_back(stage: Stage) -> None:
    moments = [NOON, NOON, NOON - timedelta(hours=1), NOON, NOON]
    ids = []
    for turn, moment in enumerate(moments):
        stage.sandbox.clock.set(moment)
        ids.append(stage.network.say(stage.account["id"], f"Annonce {turn}")["id"])

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": 7},
        {"text": "Bonjour", "colour": "blue"},
        {"text": "Bonjour", "media": {"media_ids": ["1"]}},
        {"text": "Bonjour", "media": {"media_ids": []}},
        {"text": "Bonjour", "media": []},
        {"text": "Bonjour", "poll": {"options": ["un"], "duration_minutes": 60}},
        {"text": "Bonjour", "poll": {"options": ["un", "deux"], "duration_minutes": 1}},
        {"text": "Bonjour", "poll": "?"},
        ["Bonjour"],
    ],
)
def test_a_body_that_is_not_right_is_a_400(stage: Stage, body: object) -> None:
    assert problem(ask(stage, "POST", "/2/tweets", json=body)) == (400, "invalid-request")
    assert stage.posts == []


def test_a_body_that_is_no_json_is_a_400(stage: Stage) -> None:
    assert problem(ask(stage, "POST", "/2/tweets", data=b"{", headers={"content-type": "application/json"}))[0] == 400


@pytest.mark.parametrize("text", ["a" * 281, "…" * 141, "a" * 2_000, "a." * 700, "$AB ou $CD"])
def test_a_text_that_is_too_long_is_not_permitted(stage: Stage, text: str) -> None:
    answer = say(stage, text)

    assert (answer.status_code, answer.json()["detail"]) == (403, "You are not permitted to perform this action.")


@pytest.mark.parametrize("text", ["a" * 280, "€" * 140, "https://exemple.fr/" + "a" * 300, "👩‍🎓" * 140])
def test_a_text_that_just_fits_is_taken(stage: Stage, text: str) -> None:
    assert say(stage, text).status_code == 201


def test_the_same_text_is_refused_while_the_first_stands(stage: Stage) -> None:
    first = say(stage, "Bonjour à tous").json()["data"]["id"]

    again = say(stage, "Bonjour  a\u0300 tous ")
    ask(stage, "DELETE", f"/2/tweets/{first}")

    assert (again.status_code, "duplicate content" in again.json()["detail"]) == (403, True)
    assert say(stage, "Bonjour à tous").status_code == 201


def test_one_may_answer_oneself_only_and_quote_nobody(stage: Stage) -> None:
    own = say(stage, "Bonjour").json()["data"]["id"]
    foreign = stage.network.say(stage.network.create_account("autre")["id"], "Bonsoir")["id"]

    answers = [
        say(stage, "Suite", reply={"in_reply_to_tweet_id": own}),
        say(stage, "Réponse", reply={"in_reply_to_tweet_id": foreign}),
        say(stage, "À voir", quote_tweet_id=own),
        say(stage, "Votez", poll={"options": ["un", "deux"], "duration_minutes": 60}),
    ]

    assert [answer.status_code for answer in answers] == [201, 403, 403, 201]


def test_a_post_that_is_not_shown_is_not_in_the_timeline(stage: Stage) -> None:
    say(stage, "Discret", nullcast=True)

    assert timeline(stage) == {"meta": {"result_count": 0}}


def test_links_are_shortened_and_signs_escaped(stage: Stage) -> None:
    sent = say(stage, "A & B <c> : https://exemple.fr/a?b=1&c=2, exemple.org.")

    post = ask(stage, "GET", f"/2/tweets/{sent.json()['data']['id']}?tweet.fields=entities").json()["data"]
    first, second = post["entities"]["urls"]
    assert post["text"] == f"A &amp; B &lt;c&gt; : {first['url']}, {second['url']}."
    assert [link["expanded_url"] for link in (first, second)] == ["https://exemple.fr/a?b=1&c=2", "http://exemple.org"]
    assert [post["text"][link["start"] : link["end"]] for link in (first, second)] == [first["url"], second["url"]]
    assert stage.posts[0]["text"] == "A & B <c> : https://exemple.fr/a?b=1&c=2, exemple.org."


# --- Pictures ------------------------------------------------------------------------------------------------


def upload(stage: Stage, data: bytes = PNG.data) -> requests.Response:
    body = {"media": base64.b64encode(data).decode(), "media_category": "tweet_image"}
    return ask(stage, "POST", "/2/media/upload", json=body)


def test_a_picture_hangs_on_the_text_as_a_link(stage: Stage) -> None:
    media_id = upload(stage).json()["data"]["id"]

    post_id = say(stage, "Bonjour", media={"media_ids": [media_id]}).json()["data"]["id"]

    post = ask(stage, "GET", f"/2/tweets/{post_id}?tweet.fields=entities,attachments").json()["data"]
    assert post["text"].startswith("Bonjour https://t.co/")
    assert post["attachments"] == {"media_keys": [f"3_{media_id}"]}
    assert post["entities"]["urls"][0]["expanded_url"].endswith(f"/status/{post_id}/photo/1")


def test_a_picture_may_come_as_a_form(stage: Stage) -> None:
    answer = ask(stage, "POST", "/2/media/upload", files={"media": ("a.png", PNG.data, "image/png")})

    assert answer.json()["data"]["size"] == len(PNG.data)


def test_what_is_no_picture_is_refused(stage: Stage) -> None:
    answers = [
        upload(stage, b"hello"),
        upload(stage, PNG.data + bytes(5 * 1024 * 1024)),
        ask(stage, "POST", "/2/media/upload", json={"media": "é"}),
        ask(stage, "POST", "/2/media/upload", files={"other": b"a"}),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4


def test_a_picture_is_for_its_account_and_for_a_day(stage: Stage) -> None:
    media_id = upload(stage).json()["data"]["id"]
    other = stage.network.create_account("autre")
    keys = tweepy.OAuth1UserHandler(*(other[key] for key in KEYS)).apply_auth()
    body = {"text": "Bonjour", "media": {"media_ids": [media_id]}}

    foreign = ask(stage, "POST", "/2/tweets", auth=keys, json=body)
    stage.sandbox.clock.set(NOON + timedelta(days=1))

    assert (foreign.status_code, say(stage, "Bonjour", media=body["media"]).status_code) == (400, 400)


@pytest.mark.parametrize("text", ["", "é" * 1_001, 7])
def test_a_description_has_its_bounds(stage: Stage, text: object) -> None:
    media_id = upload(stage).json()["data"]["id"]
    body = {"id": media_id, "metadata": {"alt_text": {"text": text}}}

    assert ask(stage, "POST", "/2/media/metadata", json=body).status_code == 400


def test_what_nobody_uploaded_cannot_be_described(stage: Stage) -> None:
    body = {"id": "1", "metadata": {"alt_text": {"text": "Une cour"}}}

    assert ask(stage, "POST", "/2/media/metadata", json=body).status_code == 400


# --- Reading --------------------------------------------------------------------------------------------------


def timeline(stage: Stage, query: str = "", *, status: int = 200) -> dict[str, Any]:
    answer = ask(stage, "GET", f"/2/users/{stage.account['id']}/tweets?{query}")
    assert answer.status_code == status
    body = answer.json()
    assert isinstance(body, dict)
    return body


def test_a_timeline_comes_newest_first_and_in_pages(stage: Stage) -> None:
    ids = [stage.network.say(stage.account["id"], f"Annonce {turn}")["id"] for turn in range(12)]

    first = timeline(stage, "max_results=5")
    second = timeline(stage, f"max_results=5&pagination_token={first['meta']['next_token']}")
    third = timeline(stage, f"max_results=5&pagination_token={second['meta']['next_token']}")

    read = [post["id"] for page in (first, second, third) for post in page["data"]]
    assert read == ids[::-1]
    assert third["meta"] == {"result_count": 2, "newest_id": ids[1], "oldest_id": ids[0]}
    assert [post["id"] for post in timeline(stage, f"since_id={ids[9]}&until_id={ids[11]}")["data"]] == [ids[10]]


def test_an_empty_page_has_no_data(stage: Stage) -> None:
    assert timeline(stage) == {"meta": {"result_count": 0}}


@pytest.mark.parametrize(
    "query",
    [
        "max_results=4",
        "max_results=101",
        "max_results=x",
        "since_id=x",
        "pagination_token=x",
        "colour=blue",
        "tweet.fields=colour",
    ],
)
def test_a_wrong_question_is_a_400(stage: Stage, query: str) -> None:
    assert timeline(stage, query, status=400)["title"] == "Invalid Request"


def test_what_is_not_there_is_an_error_in_a_good_answer(stage: Stage) -> None:
    stands = say(stage, "Bonjour").json()["data"]["id"]

    several = ask(stage, "GET", f"/2/tweets?ids={stands},77").json()
    one = ask(stage, "GET", "/2/tweets/77").json()
    user = ask(stage, "GET", "/2/users/77/tweets").json()

    assert ([post["id"] for post in several["data"]], several["errors"][0]["resource_id"]) == ([stands], "77")
    assert [list(one), list(user)] == [["errors"], ["errors"]]


@pytest.mark.parametrize("ids", ["", "x", ",".join(["1"] * 101)])
def test_ids_are_numbers_up_to_a_hundred(stage: Stage, ids: str) -> None:
    assert ask(stage, "GET", f"/2/tweets?ids={ids}").status_code == 400


def test_addresses_that_do_not_exist_are_a_404(stage: Stage) -> None:
    assert [ask(stage, method, "/2/lists").status_code for method in ("GET", "POST")] == [404, 404]


@pytest.mark.parametrize(("days", "keeps", "left"), [(29, False, True), (30, False, False), (30, True, True)])
def test_private_figures_last_thirty_days(stage: Stage, days: int, keeps: bool, left: bool) -> None:
    stage.network.set_habits(keeps_refused=keeps)
    post_id = say(stage, "Bonjour exemple.fr").json()["data"]["id"]
    stage.sandbox.clock.set(NOON + timedelta(days=days))

    body = ask(stage, "GET", f"/2/tweets?ids={post_id}&tweet.fields=non_public_metrics,organic_metrics").json()

    assert ("data" in body, len(body.get("errors", []))) == (left, 8 if days == 30 else 0)
    assert all("non_public_metrics" in post for post in body.get("data", [])) is (days == 29 or not left)
    for error in body.get("errors", []):
        assert error.keys() == {
            "field",
            "parameter",
            "resource_id",
            "resource_type",
            "type",
            "section",
            "value",
            "title",
            "detail",
        }


def test_figures_grow_with_the_sandboxs_time_and_with_followers(stage: Stage) -> None:
    few = say(stage, "Bonjour").json()["data"]["id"]
    seen = []
    for hours in (0, 1, 6, 24, 24 * 7, 24 * 28):
        stage.sandbox.clock.set(NOON + timedelta(hours=hours))
        post = ask(stage, "GET", f"/2/tweets/{few}?tweet.fields=public_metrics").json()["data"]
        seen.append(post["public_metrics"]["impression_count"])

    assert seen[0] == 0
    assert seen == sorted(seen)
    assert 150 <= seen[-1] <= 750


@pytest.mark.parametrize(("vocabulary", "word"), [("tweet", "retweet_count"), ("post", "repost_count")])
def test_it_speaks_either_vocabulary(stage: Stage, vocabulary: str, word: str) -> None:
    stage.network.set_habits(vocabulary=vocabulary)

    data = say(stage, "Bonjour").json()["data"]
    post = ask(stage, "GET", f"/2/tweets/{data['id']}?post.fields=public_metrics").json()["data"]

    assert (f"edit_history_{vocabulary}_ids" in data, word in post["public_metrics"]) == (True, True)


# --- Limits and money ---------------------------------------------------------------------------------------------


def test_every_answer_tells_what_is_left(stage: Stage) -> None:
    answer = say(stage, "Bonjour")

    told = {name: answer.headers[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "reset")}
    reset = str(int((NOON + timedelta(minutes=15)).timestamp()))
    assert told == {"limit": "100", "remaining": "99", "reset": reset}
    assert {"api-version", "x-transaction-id", "x-access-level"} <= set(map(str.lower, answer.headers))


def test_a_limit_may_stay_untold(stage: Stage) -> None:
    stage.network.set_habits(tells_limits=False)

    assert [name for name in say(stage, "Bonjour").headers if "limit" in name] == []


def test_limits_are_for_each_account_and_end_in_a_quarter_of_an_hour(stage: Stage) -> None:
    stage.network.set_limits(**{"GET /2/users/me": 2})
    other = bearer(stage.network.create_account("autre")["bearer_token"])

    statuses = [ask(stage, "GET", "/2/users/me").status_code for _ in range(3)]
    statuses.append(ask(stage, "GET", "/2/users/me", auth=other).status_code)
    stage.sandbox.clock.set(NOON + timedelta(minutes=15))
    statuses.append(ask(stage, "GET", "/2/users/me").status_code)

    assert statuses == [200, 200, 429, 200, 200]


@pytest.mark.parametrize(("form", "kind"), [(1, "credits"), (2, "credits-depleted")])
def test_without_credits_nothing_is_done(stage: Stage, form: int, kind: str) -> None:
    stage.network.set_habits(credits_form=form)
    stage.change(credits="0.1")

    dear = say(stage, "Bonjour exemple.fr")
    cheap = say(stage, "Bonjour")

    assert (problem(dear), cheap.status_code) == ((402, kind), 201)
    assert stage.network.account(stage.account["id"])["credits"] == "0.085"


def test_everything_has_its_price_and_reading_again_is_free_that_day(stage: Stage) -> None:
    foreign = stage.network.say(stage.network.create_account("autre")["id"], "Bonsoir")["id"]
    spent = []

    def spend(method: str, path: str) -> None:
        before = Decimal(stage.network.account(stage.account["id"])["spent"])
        ask(stage, method, path)
        spent.append(str(Decimal(stage.network.account(stage.account["id"])["spent"]) - before))

    own = say(stage, "Bonjour").json()["data"]["id"]
    spend("GET", f"/2/tweets/{own}")
    spend("GET", f"/2/tweets/{foreign}")
    spend("GET", f"/2/tweets/{foreign}")
    spend("GET", "/2/users/me")
    stage.sandbox.clock.set(NOON + timedelta(days=1))
    spend("GET", f"/2/tweets/{foreign}")
    spend("DELETE", f"/2/tweets/{foreign}")
    spend("DELETE", f"/2/tweets/{own}")

    assert list(map(Decimal, spent)) == list(map(Decimal, ["0.001", "0.005", "0", "0.010", "0.005", "0", "0.010"]))


# --- Behind the scenes ----------------------------------------------------------------------------------------------


def behind(stage: Stage, method: str, path: str, body: object = None) -> Any:
    answer = requests.request(method, f"{stage.sandbox.url}/_sandbox/x/{path}", json=body, timeout=5)
    assert answer.status_code == 200
    return answer.json()


def test_all_of_it_can_be_done_over_the_admin_address(stage: Stage) -> None:
    made = behind(stage, "POST", "accounts", {"username": "cio_brest", "followers": 5, "consumer_key": "mine"})
    account = f"accounts/{made['id']}"
    said = behind(stage, "POST", f"{account}/posts", {"text": "Bonjour"})

    assert made["consumer_key"] == "mine"
    assert behind(stage, "POST", account, {"credits": "3"})["credits"] == "3"
    assert behind(stage, "GET", account)["followers"] == 5
    assert "access_token" not in behind(stage, "GET", "accounts")[1]
    assert behind(stage, "POST", f"posts/{said['id']}/take_down", {})["deleted"] is True
    assert [(post["text"], post["deleted"]) for post in behind(stage, "GET", f"{account}/posts")] == [("Bonjour", True)]
    assert len(behind(stage, "GET", "posts")) == 1
    assert behind(stage, "POST", "habits", {"vocabulary": "post"})["vocabulary"] == "post"
    assert behind(stage, "GET", "habits")["vocabulary"] == "post"
    assert behind(stage, "POST", "limits", {"GET /2/users/me": 1})["GET /2/users/me"] == 1
    assert behind(stage, "GET", "limits")["GET /2/users/me"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "nothing", {}, 404),
        ("GET", "accounts/7", None, 404),
        ("POST", "posts/7/take_down", {}, 404),
        ("POST", "habits", {"colour": "blue"}, 400),
        ("POST", "limits", {"colour": 7}, 400),
        ("POST", "accounts", {"username": "a", "colour": "blue"}, 400),
        ("POST", "accounts/7", {"colour": "blue"}, 400),
    ],
)
def test_what_cannot_be_done_behind_the_scenes_is_said(
    stage: Stage, method: str, path: str, body: object, status: int
) -> None:
    answer = requests.request(method, f"{stage.sandbox.url}/_sandbox/x/{path}", json=body, timeout=5)

    assert (answer.status_code, "error" in answer.json()) == (status, True)


def test_what_was_posted_outlives_the_sandbox(tmp_path: Path) -> None:
    store = tmp_path / "sandbox.db"
    with Sandbox(store=store) as first:
        account = first.x.create_account("ij_bretagne")
        kept = first.x.say(account["id"], "Bonjour")

    with Sandbox(store=store) as second:
        assert [post["id"] for post in second.x.posts()] == [kept["id"]]
        assert second.x.say(account["id"], "Encore")["id"] != kept["id"]


def test_it_answers_without_a_server_too() -> None:
    network = XNetwork(Shelf(), Clock())
    token = network.create_account("ij_bretagne")["bearer_token"]

    reply = network.answer(
        Request("GET", "http://here/2/users/me", "/2/users/me", (), {"authorization": f"Bearer {token}"})
    )

    assert reply.status == 200
