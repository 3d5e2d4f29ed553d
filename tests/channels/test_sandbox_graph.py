"""The played Graph API: it refuses what the real one refuses, and keeps what it takes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from channels.sandbox import faults
from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.faults import Fault, Faults, from_mapping, named
from channels.sandbox.graph import GraphNetwork
from channels.sandbox.server import Sandbox

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PLACES: list[dict[str, Any]] = [
    {"key": "3001", "name": "Région Exemple", "type": "region", "country_code": "FR"},
    {"key": "900001", "name": "Ville Exemple", "type": "city", "country_code": "FR", "region_id": 3001},
    {"key": "900002", "name": "Autre Ville", "type": "city", "country_code": "FR", "region_id": 3002},
    {"key": "FR:35000", "name": "35000", "type": "zip", "country_code": "FR", "region_id": 3001},
]
PNG = b"\x89PNG\r\n\x1a\n and more\r\n--lines"


class Facebook:
    """A network with one page, called without sockets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.set(NOON)
        self.network = GraphNetwork(Shelf(), self.clock)
        self.token = self.network.create_page("111", "Académie A", followers=5000)

    def ask(self, method: str, path: str, *, effects: Mapping[str, float] | None = None, **params: Any) -> Reply:
        """One call with the page's token; `access_token=None` leaves it out."""
        params = {"access_token": self.token, **params}
        pairs = {name: str(value) for name, value in params.items() if value is not None}
        body, query = (urlencode(pairs).encode(), ()) if method == "POST" else (b"", tuple(pairs.items()))
        url = f"/v26.0/{path}" if not path.startswith("/") else path
        return self.network.answer(Request(method, url, url, query, {}, body, effects or {}))

    def well(self, method: str, path: str, **params: Any) -> dict[str, Any]:
        """The answer of a call that must succeed."""
        reply = self.ask(method, path, **params)
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = json.loads(reply.body)
        return answer

    def refused(self, method: str, path: str, **params: Any) -> tuple[int, int | None]:
        """Code and subcode of a call that must be refused."""
        reply = self.ask(method, path, **params)
        assert reply.status >= 400, reply.body
        error = json.loads(reply.body)["error"]
        return error["code"], error.get("error_subcode")

    def post(self, **params: Any) -> str:
        """A post's id."""
        return str(self.well("POST", "111/feed", **params)["id"])

    def photo(self, data: bytes = PNG, **fields: str) -> Reply:
        """An upload."""
        words = {"access_token": self.token, "published": "false", **fields}
        mark = "------form"
        pieces = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
            for name, text in words.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="source"; filename="a.png"\r\n\r\n'
        body = b"".join(pieces) + head.encode() + data + f"\r\n--{mark}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={mark}"}
        return self.network.answer(Request("POST", "", "/v26.0/111/photos", (), headers, body))


@pytest.fixture
def facebook() -> Facebook:
    return Facebook()


def targeting(**geo: Any) -> str:
    return json.dumps({"geo_locations": geo})


# --- Versions and tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "answered"),
    [("/v26.0/me", "v26.0"), ("/v24.0/me", "v24.0"), ("/v3.0/me", "v21.0"), ("/me", "v26.0")],
)
def test_the_version_that_answers_is_named(facebook: Facebook, path: str, answered: str) -> None:
    reply = facebook.ask("GET", path)

    assert (reply.status, reply.headers["facebook-api-version"]) == (200, answered)


@pytest.mark.parametrize("path", ["/v27.0/me", "/v99.0/me", "/v2/me", "/v26.1/me", "/v0.0/me"])
def test_a_version_that_does_not_exist_is_an_unknown_path(facebook: Facebook, path: str) -> None:
    assert facebook.refused("GET", path) == (2500, None)


def test_without_a_token_nothing_is_said(facebook: Facebook) -> None:
    assert facebook.refused("GET", "me", access_token=None) == (2500, None)
    assert facebook.refused("GET", "me", access_token="nobody") == (190, 467)


def test_an_expired_token_is_refused(facebook: Facebook) -> None:
    facebook.network.tokens.expire_token(facebook.token, NOON + timedelta(hours=1))
    assert facebook.ask("GET", "me").status == 200

    facebook.clock.set(NOON + timedelta(hours=1))
    assert facebook.refused("GET", "me") == (190, 463)


def test_a_token_may_come_as_a_header(facebook: Facebook) -> None:
    headers = {"authorization": f"Bearer {facebook.token}"}

    assert facebook.network.answer(Request("GET", "", "/v26.0/me", (), headers)).status == 200


def test_a_person_cannot_publish_on_a_page(facebook: Facebook) -> None:
    token = facebook.network.tokens.create_user("77")

    assert facebook.refused("POST", "111/feed", message="x", access_token=token) == (200, None)
    assert facebook.refused("GET", "111/published_posts", access_token=token) == (190, 2069032)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["pages_read_engagement"], (200, None)), (["pages_manage_posts"], (283, None)), ([], (200, None))],
)
def test_publishing_needs_its_permissions(facebook: Facebook, scopes: list[str], expected: tuple[int, None]) -> None:
    facebook.network.tokens.set_scopes(facebook.token, scopes)

    assert facebook.refused("POST", "111/feed", message="x") == expected


def test_publishing_needs_the_persons_task(facebook: Facebook) -> None:
    token = facebook.network.create_page("111", "Académie A", user="80", tasks=["ANALYZE"])

    assert facebook.refused("POST", "111/feed", message="x", access_token=token) == (200, None)


def test_a_page_cannot_publish_on_another(facebook: Facebook) -> None:
    facebook.network.create_page("222", "Académie B")

    assert facebook.refused("POST", "222/feed", message="x") == (200, None)


def test_the_proof_is_made_of_the_secret_and_the_calls_own_token(facebook: Facebook) -> None:
    facebook.network.tokens.create_app("900", "secret", require_proof=True)
    right = hmac.new(b"secret", facebook.token.encode(), hashlib.sha256).hexdigest()

    assert facebook.refused("GET", "me") == (100, None)
    assert facebook.refused("GET", "me", appsecret_proof="0" * 64) == (100, None)
    assert facebook.ask("GET", "me", appsecret_proof=right).status == 200


def test_a_short_token_becomes_a_long_one_whose_page_tokens_have_no_end(facebook: Facebook) -> None:
    facebook.network.tokens.create_app("900", "secret")
    short = facebook.network.tokens.create_user("77")
    exchange = {"grant_type": "fb_exchange_token", "client_id": "900", "client_secret": "secret"}

    answer = facebook.well("GET", "oauth/access_token", access_token=None, fb_exchange_token=short, **exchange)
    (entry,) = facebook.well("GET", "me/accounts", access_token=answer["access_token"])["data"]
    details = facebook.well("GET", "debug_token", access_token="900|secret", input_token=entry["access_token"])["data"]

    assert answer["expires_in"] == 5183944
    assert (entry["id"], entry["tasks"]) == ("111", ["CREATE_CONTENT", "ANALYZE"])
    assert (details["type"], details["profile_id"], details["expires_at"]) == ("PAGE", "111", 0)
    assert details["is_valid"] is True


def test_a_page_token_of_a_short_token_ends_with_it(facebook: Facebook) -> None:
    facebook.network.tokens.create_app("900", "secret")
    short = facebook.network.tokens.create_user("77")
    (entry,) = facebook.well("GET", "me/accounts", access_token=short)["data"]

    details = facebook.well("GET", "debug_token", access_token="900|secret", input_token=entry["access_token"])["data"]

    assert details["expires_at"] == int((NOON + timedelta(hours=2)).timestamp())


def test_a_revoked_token_is_shown_as_such(facebook: Facebook) -> None:
    facebook.network.tokens.create_app("900", "secret")
    facebook.network.tokens.end_token(facebook.token, 460)

    details = facebook.well("GET", "debug_token", access_token="900|secret", input_token=facebook.token)["data"]

    assert (details["is_valid"], details["error"]["subcode"]) == (False, 460)


@pytest.mark.parametrize("token", ["900|wrong", "901|secret"])
def test_a_wrong_app_token_is_refused(facebook: Facebook, token: str) -> None:
    assert facebook.refused("GET", "debug_token", access_token=token, input_token="x") == (190, None)


def test_pages_come_in_parts_with_cursors(facebook: Facebook) -> None:
    for number in range(4):
        facebook.network.create_page(f"20{number}", f"Page {number}")
    user = facebook.network.tokens.create_user("77")

    first = facebook.well("GET", "me/accounts", access_token=user, limit=3, fields="id")
    after = first["paging"]["cursors"]["after"]
    second = facebook.well("GET", "me/accounts", access_token=user, limit=3, fields="id", after=after)

    assert [one["id"] for one in first["data"] + second["data"]] == ["111", "200", "201", "202", "203"]
    assert user in first["paging"]["next"]
    assert "next" not in second["paging"]


# --- Posts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (100, None)),
        ({"message": "  "}, (100, None)),
        ({"message": "x" * 63207}, (100, None)),
        ({"message": "x", "link": "https://www.facebook.com/a"}, (200, 1609008)),
        ({"message": "x", "link": "notaurl"}, (1500, None)),
        ({"message": "x", "published": "False"}, (100, None)),
        ({"message": "x", "published": "0"}, (100, None)),
        ({"message": "x", "colour": "blue"}, (100, None)),
        ({"message": "x", "tags": "1"}, (100, None)),
        ({"message": "x", "fields": "id,nonsense"}, (100, None)),
        ({"message": "x", "scheduled_publish_time": "1793631600"}, (100, None)),
        ({"message": "x", "attached_media": "nonsense"}, (100, None)),
        ({"message": "x", "attached_media[0]": '{"media_fbid":"1"}'}, (100, 33)),
        ({"message": "x", "targeting": "{'geo_locations': {}}"}, (100, None)),
        ({"message": "x", "targeting": '["FR"]'}, (100, None)),
        ({"message": "x", "targeting": '{"age_max": 20}'}, (100, None)),
        ({"message": "x", "targeting": '{"age_min": 16}'}, (100, None)),
        ({"message": "x", "targeting": targeting(radius=3)}, (100, None)),
        ({"message": "x", "targeting": targeting(countries=["France"])}, (100, None)),
        ({"message": "x", "targeting": targeting(regions=["3001"])}, (100, None)),
        ({"message": "x", "targeting": targeting(regions=[{"key": 3001}])}, (100, None)),
        ({"message": "x", "targeting": targeting(countries=[f"A{chr(65 + n)}" for n in range(26)])}, (100, None)),
        ({"message": "x", "feed_targeting": '{"timezones": [1]}'}, (100, None)),
    ],
)
def test_what_the_real_one_refuses_is_refused(
    facebook: Facebook, params: dict[str, str], expected: tuple[int, int | None]
) -> None:
    assert facebook.refused("POST", "111/feed", **params) == expected
    assert facebook.network.visible_posts() == []


def test_targeting_is_kept_and_returned(facebook: Facebook) -> None:
    sent = targeting(regions=[{"key": "3001"}], zips=[{"key": "FR:35000"}])

    answer = facebook.well("POST", "111/feed", message="x", targeting=sent, fields="id,targeting,permalink_url")

    assert answer["targeting"] == json.loads(sent)
    assert facebook.well("GET", answer["id"], fields="targeting")["targeting"] == json.loads(sent)
    assert answer["permalink_url"].startswith("https://www.facebook.com/111/posts/")


@pytest.mark.parametrize(
    ("geo", "expected"),
    [
        ({"countries": ["FR"], "regions": [{"key": "3001"}]}, (100, 1487756)),
        ({"countries": ["FR"], "zips": [{"key": "FR:35000"}]}, (100, 1487756)),
        ({"regions": [{"key": "3001"}], "cities": [{"key": "900001"}]}, (100, 1487756)),
        ({"regions": [{"key": "4711"}]}, (100, None)),
        ({"regions": [{"key": "900001"}]}, (100, None)),
    ],
)
def test_places_that_overlap_or_are_unknown_are_refused(
    facebook: Facebook, geo: dict[str, Any], expected: tuple[int, int | None]
) -> None:
    facebook.network.add_places(PLACES)

    assert facebook.refused("POST", "111/feed", message="x", targeting=targeting(**geo)) == expected


def test_places_side_by_side_are_taken(facebook: Facebook) -> None:
    facebook.network.add_places(PLACES)

    facebook.post(message="x", targeting=targeting(regions=[{"key": "3001"}], cities=[{"key": "900002"}]))

    assert len(facebook.network.visible_posts()) == 1


def test_a_draft_is_unseen_until_it_is_published_and_publishing_again_is_no_error(facebook: Facebook) -> None:
    post_id = facebook.post(message="x", published="false")
    assert facebook.well("GET", "111/published_posts")["data"] == []

    assert facebook.well("POST", post_id, is_published="true") == {"success": True}
    assert facebook.well("POST", post_id, is_published="true") == {"success": True}

    assert [post["id"] for post in facebook.well("GET", "111/published_posts")["data"]] == [post_id]
    assert facebook.refused("POST", post_id, is_published="false") == (100, None)


def test_targeting_cannot_be_changed(facebook: Facebook) -> None:
    post_id = facebook.post(message="x")

    assert facebook.refused("POST", post_id, targeting=targeting(countries=["FR"])) == (100, None)


def test_the_same_text_to_the_same_people_twice_in_a_row_is_refused(facebook: Facebook) -> None:
    facebook.post(message="x")

    assert facebook.refused("POST", "111/feed", message="x") == (506, None)
    facebook.post(message="x", targeting=targeting(countries=["FR"]))
    facebook.post(message="y")
    facebook.post(message="x")


def test_a_draft_that_repeats_the_latest_post_is_refused_when_published(facebook: Facebook) -> None:
    drafts = [facebook.post(message="x", published="false") for _ in range(2)]
    facebook.well("POST", drafts[0], is_published="true")

    assert facebook.refused("POST", drafts[1], is_published="true") == (506, None)


def test_a_deleted_post_is_gone(facebook: Facebook) -> None:
    post_id = facebook.post(message="x")

    assert facebook.well("DELETE", post_id) == {"success": True}

    assert facebook.refused("DELETE", post_id) == (100, 33)
    assert facebook.refused("GET", post_id) == (100, 33)
    assert facebook.well("GET", "111/published_posts")["data"] == []


def test_a_scheduled_post_comes_out_at_its_time(facebook: Facebook) -> None:
    at = NOON + timedelta(hours=1)
    post_id = facebook.post(message="x", published="false", scheduled_publish_time=int(at.timestamp()))
    assert [post["id"] for post in facebook.well("GET", "111/scheduled_posts")["data"]] == [post_id]

    facebook.clock.set(NOON + timedelta(hours=2))

    (post,) = facebook.well("GET", "111/published_posts", fields="id,created_time")["data"]
    assert post == {"id": post_id, "created_time": "2026-11-02T13:00:00+0000"}
    assert facebook.well("GET", "111/scheduled_posts")["data"] == []


@pytest.mark.parametrize("ahead", [timedelta(minutes=9), timedelta(days=31), timedelta(days=-1)])
def test_the_scheduled_time_has_its_limits(facebook: Facebook, ahead: timedelta) -> None:
    at = int((NOON + ahead).timestamp())

    assert facebook.refused("POST", "111/feed", message="x", published="false", scheduled_publish_time=at) == (
        100,
        None,
    )


def test_lists_are_read_by_time_and_in_parts(facebook: Facebook) -> None:
    for number in range(5):
        facebook.clock.set(NOON + timedelta(minutes=number))
        facebook.post(message=f"Texte {number}")
    since = int((NOON + timedelta(minutes=1)).timestamp())
    until = int((NOON + timedelta(minutes=3)).timestamp())

    first = facebook.well("GET", "111/published_posts", fields="message", since=since, until=until, limit=2)
    after = first["paging"]["cursors"]["after"]
    second = facebook.well(
        "GET", "111/published_posts", fields="message", since=since, until=until, limit=2, after=after
    )

    assert [post["message"] for post in first["data"] + second["data"]] == ["Texte 3", "Texte 2", "Texte 1"]
    assert "next" not in second["paging"]


def test_a_late_post_can_be_read_by_its_id_before_lists_show_it(facebook: Facebook) -> None:
    answer = json.loads(facebook.ask("POST", "111/feed", message="x", effects={"late": 60}).body)

    assert facebook.well("GET", answer["id"])["message"] == "x"
    assert facebook.well("GET", "111/published_posts")["data"] == []
    facebook.clock.set(NOON + timedelta(seconds=60))
    assert len(facebook.well("GET", "111/published_posts")["data"]) == 1


def test_reading_the_feed_needs_a_permission_of_its_own(facebook: Facebook) -> None:
    assert facebook.refused("GET", "111/feed") == (10, None)


def test_an_unknown_address_is_refused(facebook: Facebook) -> None:
    assert facebook.refused("GET", "111/nonsense") == (100, None)
    assert facebook.refused("GET", "nobody") == (100, 33)
    assert facebook.refused("POST", "a/b/c") == (2500, None)
    assert facebook.refused("GET", "search", type="page") == (100, None)


# --- Photos ---------------------------------------------------------------------------------------------


def test_a_photo_is_kept_to_the_byte_with_its_words(facebook: Facebook) -> None:
    photo_id = json.loads(facebook.photo(alt_text_custom="Élèves à l’atelier").body)["id"]

    (photo,) = facebook.network.all_photos()
    assert (photo["id"], photo["size"], photo["alt"]) == (photo_id, len(PNG), "Élèves à l’atelier")
    assert facebook.network.all_posts() == []


def test_a_photo_goes_into_one_post_only(facebook: Facebook) -> None:
    media = json.dumps({"media_fbid": json.loads(facebook.photo().body)["id"]})

    facebook.post(message="x", **{"attached_media[0]": media})

    assert facebook.refused("POST", "111/feed", message="y", **{"attached_media[0]": media}) == (100, 1366051)


def test_an_unpublished_photo_is_kept_a_day(facebook: Facebook) -> None:
    media = json.dumps([{"media_fbid": json.loads(facebook.photo().body)["id"]}])
    facebook.clock.set(NOON + timedelta(hours=25))

    assert facebook.refused("POST", "111/feed", message="x", attached_media=media) == (100, 33)


def test_a_link_and_photos_do_not_go_together(facebook: Facebook) -> None:
    media = json.dumps([{"media_fbid": json.loads(facebook.photo().body)["id"]}])

    refused = facebook.refused("POST", "111/feed", message="x", attached_media=media, link="https://a.example")

    assert refused == (100, None)


@pytest.mark.parametrize(("data", "code"), [(b"RIFFxxxxWEBP", 324), (b"", 324), (PNG + bytes(10 * 1024 * 1024), 100)])
def test_what_is_no_photo_or_too_large_is_refused(facebook: Facebook, data: bytes, code: int) -> None:
    assert json.loads(facebook.photo(data).body)["error"]["code"] == code


def test_a_published_photo_is_a_post(facebook: Facebook) -> None:
    answer = json.loads(facebook.photo(published="true", caption="Bonjour").body)

    assert [post["id"] for post in facebook.network.visible_posts()] == [answer["post_id"]]
    (entry,) = facebook.well("GET", answer["post_id"], fields="attachments{media_type}")["attachments"]["data"]
    assert entry["media_type"] == "photo"


# --- Places and figures ---------------------------------------------------------------------------------


def test_places_are_found_by_the_beginning_of_their_name(facebook: Facebook) -> None:
    facebook.network.add_places(PLACES)

    cities = facebook.well("GET", "search", type="adgeolocation", q="ville", location_types='["city"]')["data"]
    inside = facebook.well("GET", "search", type="adgeolocation", q="", region_id="3001")["data"]

    assert [place["key"] for place in cities] == ["900001"]
    assert [place["key"] for place in inside] == ["900001", "FR:35000"]


@pytest.mark.parametrize("metric", ["post_impressions", "post_media_view,post_impressions_unique", "page_media_view"])
def test_one_metric_that_does_not_live_fails_the_whole_call(facebook: Facebook, metric: str) -> None:
    post_id = facebook.post(message="x")

    assert facebook.refused("GET", f"{post_id}/insights", metric=metric) == (100, None)


def test_no_metric_at_all_is_refused(facebook: Facebook) -> None:
    assert facebook.refused("GET", f"{facebook.post(message='x')}/insights") == (3001, 1504028)


def reach(facebook: Facebook, post_id: str) -> int:
    (entry,) = facebook.well("GET", f"{post_id}/insights", metric="post_total_media_view_unique")["data"]
    assert entry["period"] == "lifetime"
    return int(entry["values"][0]["value"])


def test_figures_grow_and_slow_down_and_never_shrink(facebook: Facebook) -> None:
    post_id = facebook.post(message="x")
    values = []
    for hours in (0, 1, 6, 24, 72, 168, 672):
        facebook.clock.set(NOON + timedelta(hours=hours))
        values.append(reach(facebook, post_id))

    assert values == sorted(values)
    assert values[0] == 0
    assert 0 < values[1] < values[3]
    assert values[6] - values[5] < values[3] - values[2]
    assert values[6] <= 5000


def test_figures_are_the_same_each_time() -> None:
    values = []
    for _ in range(2):
        facebook = Facebook()
        post_id = facebook.post(message="x")
        facebook.clock.set(NOON + timedelta(days=2))
        values.append(reach(facebook, post_id))

    assert values[0] == values[1]


def test_figures_that_may_not_be_read_are_empty(facebook: Facebook) -> None:
    post_id = facebook.post(message="x")
    facebook.network.tokens.set_scopes(facebook.token, ["pages_read_engagement"])

    assert facebook.well("GET", f"{post_id}/insights", metric="post_clicks") == {"data": []}


def test_a_page_of_few_people_has_no_figures(facebook: Facebook) -> None:
    facebook.network.create_page("111", "Académie A", followers=99)

    assert facebook.well("GET", f"{facebook.post(message='x')}/insights", metric="post_clicks") == {"data": []}


def test_a_page_has_figures_by_day_that_end_the_morning_after(facebook: Facebook) -> None:
    facebook.post(message="x")
    facebook.clock.set(NOON + timedelta(days=3))
    window = {"since": int(NOON.timestamp()), "until": int((NOON + timedelta(days=3)).timestamp())}

    (entry,) = facebook.well("GET", "111/insights", metric="page_media_view", period="day", **window)["data"]

    ends = [value["end_time"] for value in entry["values"]]
    assert ends == [f"2026-11-0{day}T08:00:00+0000" for day in (3, 4, 5)]
    assert sum(value["value"] for value in entry["values"]) > 0


def test_a_day_of_a_page_ends_at_midnight_in_california_in_summer_too(facebook: Facebook) -> None:
    facebook.clock.set(datetime(2026, 7, 3, 12, tzinfo=UTC))
    window = {"since": int(datetime(2026, 7, 1, 7, tzinfo=UTC).timestamp())}

    (entry,) = facebook.well("GET", "111/insights", metric="page_follows_city", period="day", **window)["data"]

    assert [value["end_time"] for value in entry["values"]] == [f"2026-07-0{day}T07:00:00+0000" for day in (2, 3)]
    assert set(entry["values"][0]["value"]) > {"Rennes"}


def test_a_metric_that_is_retired_is_refused_by_name(facebook: Facebook) -> None:
    post_id = facebook.post(message="x")
    facebook.network.retire(["post_clicks"])

    refused = facebook.refused("GET", f"{post_id}/insights", metric="post_clicks,post_media_view")
    facebook.network.retire([])

    assert refused == (100, None)
    assert facebook.well("GET", f"{post_id}/insights", metric="post_clicks")["data"]


@pytest.mark.parametrize("params", [{"period": "year"}, {"since": "0", "until": "99999999"}, {"since": "monday"}])
def test_a_window_that_is_wrong_is_refused(facebook: Facebook, params: dict[str, str]) -> None:
    assert facebook.refused("GET", "111/insights", metric="page_media_view", **params) == (100, None)


# --- Faults ---------------------------------------------------------------------------------------------


def request(method: str = "POST", path: str = "/v26.0/111/feed", body: str = "message=caf%C3%A9") -> Request:
    return Request(method, "", path, (("access_token", "T1"),), {"authorization": "Bearer T2"}, body.encode())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("reset"), True),
        (Fault("reset", network="facebook", method="POST", path="/feed$"), True),
        (Fault("reset", network="x"), False),
        (Fault("reset", method="GET"), False),
        (Fault("reset", path="/photos"), False),
        (Fault("reset", contains="T1"), True),
        (Fault("reset", contains="T2"), True),
        (Fault("reset", contains="café"), True),
        (Fault("reset", contains="thé"), False),
        (Fault("reset", chance=0.0), False),
    ],
)
def test_a_fault_meets_only_the_calls_it_is_meant_for(fault: Fault, expected: bool) -> None:
    queue = Faults()
    queue.add(fault)

    assert bool(queue.take("facebook", request())) is expected
    assert bool(queue.waiting()) is not expected


def test_faults_come_one_by_one_and_as_often_as_told() -> None:
    queue = Faults()
    queue.add(named("reset_before", times=2), named("cut"))

    came = [[fault.kind for fault in queue.take("facebook", request())] for _ in range(4)]

    assert came == [["reset"], ["reset"], ["cut"], []]
    assert [fault.kind for fault in queue.came] == ["reset", "reset", "cut"]


def test_waiting_and_effects_come_together_with_another_fault() -> None:
    queue = Faults()
    queue.add(named("slow"), named("late"), named("reset_after"), named("drop_targeting"))

    came = [fault.kind for fault in queue.take("facebook", request())]

    assert came == ["delay", "late", "reset", "drop_targeting"]


def test_a_fault_for_ever_ends_when_cleared() -> None:
    queue = Faults()
    queue.add(named("cut", times=None))
    queue.take("facebook", request())
    assert queue.take("facebook", request())

    queue.clear()

    assert queue.take("facebook", request()) == []


@pytest.mark.parametrize("asked", [{"kind": "nonsense"}, {"name": "nonsense"}, {"kind": "cut", "colour": "blue"}, {}])
def test_a_fault_that_does_not_exist_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises((ValueError, TypeError)):
        from_mapping(asked)


# --- The server -----------------------------------------------------------------------------------------


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_everything_behind_the_scenes_can_be_done_over_http(sandbox: Sandbox, http: requests.Session) -> None:
    admin = f"{sandbox.url}/_sandbox"
    page = {"id": "500", "name": "Académie C", "token": "T5", "followers": 700, "user": "79", "tasks": ["ANALYZE"]}

    assert http.get(f"{admin}/health").json()["status"] == "ok"
    assert http.post(f"{admin}/facebook/pages", json=page).json() == {"id": "500", "access_token": "T5"}
    assert http.get(f"{sandbox.url}/v26.0/500?access_token=T5&fields=name,followers_count").json() == {
        "id": "500",
        "name": "Académie C",
        "followers_count": 700,
    }
    assert http.get(f"{admin}/facebook/posts").json() == {"posts": []}
    assert [one["id"] for one in http.get(f"{admin}/facebook/pages").json()["pages"]] == ["500"]
    assert http.post(f"{admin}/facebook/apps", json={"id": "901", "secret": "s"}).json() == {"done": True}
    assert http.post(f"{admin}/facebook/users", json={"id": "81", "token": "U1"}).json() == {"access_token": "U1"}
    assert http.post(f"{admin}/facebook/places", json={"places": PLACES}).json() == {"done": True}
    assert http.post(f"{admin}/facebook/tokens/scopes", json={"token": "T5", "scopes": []}).json() == {"done": True}
    assert http.post(f"{admin}/facebook/tokens/expire", json={"token": "T5"}).json() == {"done": True}
    assert http.get(f"{sandbox.url}/v26.0/me?access_token=T5").json()["error"]["error_subcode"] == 463
    assert http.post(f"{admin}/facebook/tokens/end", json={"token": "U1"}).json() == {"done": True}
    assert http.post(f"{admin}/facebook/retired", json={"metrics": ["post_clicks"]}).json() == {"done": True}
    assert http.get(f"{sandbox.url}/v26.0/me?access_token=U1").json()["error"]["error_subcode"] == 460


def test_the_clock_is_set_and_let_go_over_http(sandbox: Sandbox, http: requests.Session) -> None:
    admin = f"{sandbox.url}/_sandbox/clock"

    assert http.post(admin, json={"now": "2026-12-01T08:00:00+01:00"}).json() == {"now": "2026-12-01T07:00:00+00:00"}
    assert sandbox.clock.now() == datetime(2026, 12, 1, 7, tzinfo=UTC)
    assert http.get(admin).json()["now"] == "2026-12-01T07:00:00+00:00"

    http.post(admin, json={"now": None})
    assert abs(sandbox.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_faults_are_queued_over_http(sandbox: Sandbox, http: requests.Session) -> None:
    admin = f"{sandbox.url}/_sandbox/faults"

    http.post(admin, json={"name": "html_502", "times": 2})
    http.post(admin, json={"faults": [{"kind": "answer", "status": 418}]})
    first = http.get(f"{sandbox.url}/v26.0/me")
    waiting = [(one["kind"], one["times"]) for one in http.get(admin).json()["waiting"]]
    http.delete(admin)

    assert first.status_code == 502
    assert waiting == [("answer", 1), ("answer", 1)]
    assert sandbox.faults.waiting() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("clock", {"now": "yesterday"}, 400),
        ("clock", {"now": "2026-11-02T12:00:00"}, 400),
        ("faults", {"name": "nonsense"}, 400),
        ("facebook/pages", {"id": "1"}, 400),
        ("facebook/pages", {"id": "1", "name": "A", "colour": "blue"}, 400),
        ("facebook/tokens/end", {"token": "nobody"}, 404),
        ("facebook/nonsense", {}, 404),
        ("nonsense", {}, 404),
    ],
)
def test_what_cannot_be_done_is_said(
    sandbox: Sandbox, http: requests.Session, path: str, body: dict[str, str], status: int
) -> None:
    assert http.post(f"{sandbox.url}/_sandbox/{path}", json=body).status_code == status


def test_web_pages_from_elsewhere_are_no_guests(sandbox: Sandbox, http: requests.Session) -> None:
    answer = http.get(f"{sandbox.url}/_sandbox/health", headers={"Host": "evil.example"})

    assert answer.status_code == 421


def test_a_port_in_use_is_said(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])

    with pytest.raises(OSError, match=f"cannot open port {port}"):
        Sandbox(port=port).start()


def test_what_was_posted_outlives_the_sandbox_when_it_has_a_file(tmp_path: Path, http: requests.Session) -> None:
    with Sandbox(store=tmp_path / "sandbox.db") as first:
        token = first.graph.create_page("111", "Académie A")
        http.post(f"{first.url}/v26.0/111/feed", data={"message": "x", "access_token": token})

    with Sandbox(store=tmp_path / "sandbox.db") as second:
        posts = http.get(f"{second.url}/v26.0/111/published_posts", params={"access_token": token}).json()["data"]

    assert [post["message"] for post in posts] == ["x"]


def test_the_answers_carry_the_sandboxs_time(sandbox: Sandbox, http: requests.Session) -> None:
    assert http.get(f"{sandbox.url}/v26.0/me").headers["date"] == "Mon, 02 Nov 2026 12:00:00 GMT"


def test_a_body_of_unknown_length_is_refused(sandbox: Sandbox, http: requests.Session) -> None:
    assert http.post(f"{sandbox.url}/v26.0/111/feed", data=iter([b"a"])).status_code == 411


def test_every_named_fault_can_be_played(sandbox: Sandbox, http: requests.Session) -> None:
    for name in faults.NAMED:
        sandbox.faults.add(named(name, seconds=0.001))
        try:
            http.get(f"{sandbox.url}/v26.0/me", allow_redirects=False)
        except requests.RequestException:
            continue

    assert len(sandbox.calls) == len(faults.NAMED)
