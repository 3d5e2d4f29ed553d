"""Errors are problem documents in the reader's language, with every field at once; every answer has safe headers."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import httpx
import pytest

from hub.database import build_engine
from hub.web.app import create_app
from hub.web.guard import CONTENT_POLICY, asked_language
from tests.stage import PASSWORD, serving
from tests.web.conftest import Ask, a_draft


def fields(answer: httpx.Response) -> list[str]:
    return [problem["field"] for problem in answer.json()["problems"]]


def test_every_field_that_is_wrong_is_told_at_once_by_its_own_name(ask: Ask):
    answer = ask(
        "POST",
        "/posts",
        "animator",
        json={"kind": "party", "text": " ", "when": "soon", "pictures": [{"id": "x", "alt": ""}], "titel": "x"},
    )

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "problems"}
    assert sorted(fields(answer)) == ["kind", "pictures.0.alt", "pictures.0.id", "text", "titel", "when"]
    messages = {problem["field"]: problem["message"] for problem in answer.json()["problems"]}
    assert messages["when"] == "Write a date and time, such as 2026-12-01T18:00."
    assert messages["titel"] == "There is no such field. Check its name."


def test_what_rules_say_has_the_same_shape_as_what_types_say(ask: Ask):
    answer = ask("POST", "/posts", "animator", json=a_draft(text="{ville}", accounts=["facebook:A-99"]))

    assert answer.status_code == 422
    assert sorted(fields(answer)) == ["accounts", "text"]


REFUSALS = {
    ("GET", "/nowhere"): 404,
    ("PATCH", "/posts"): 405,
    ("GET", "/posts/999"): 404,
    ("GET", "/posts/0"): 422,
    ("GET", "/posts/99999999999999999999"): 422,
    ("GET", "/posts/seven"): 422,
    ("GET", "/posts?limit=0"): 422,
    ("GET", "/posts?state=eaten"): 422,
    ("GET", "/calendar?from=2026-02-30"): 422,
    ("GET", "/calendar?from=2026-03-02&to=2026-03-01"): 422,
    ("GET", "/calendar?from=0001-01-01&to=0001-01-02"): 422,
    ("GET", "/calendar?from=9999-12-31"): 422,
    ("GET", "/calendar?territory=A-99"): 422,
    ("GET", "/reach/report?territory=C-35238"): 422,
    ("GET", "/reach/report?by=age"): 422,
    ("GET", "/reach/export?format=xml"): 422,
    ("GET", "/territories"): 422,
    ("GET", "/territories?near=here"): 422,
    ("GET", "/territories?near=99,0"): 422,
    ("GET", "/territories?near=nan,nan"): 422,
}


def test_every_refusal_is_a_problem_document(ask: Ask):
    answers = {(method, path): ask(method, path, "animator") for method, path in REFUSALS}

    assert {asked: answer.status_code for asked, answer in answers.items()} == REFUSALS
    for answer in answers.values():
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["detail"] != ""


BAD: list[dict[str, Any]] = [
    {"when": "9999-12-31T23:59"},
    {"when": "0001-01-01T00:00"},
    {"when": "2026-11-10T18:00", "useless_after": "9999-12-31T23:59"},
    {"when": "2026-11-10T18:00+01:00"},
    {"when": "2027-03-28T02:30", "zone": "Europe/Paris"},
    {"zone": "Mars/Olympus"},
    {"text": "\u0000"},
    {"text": "x" * 100_000},
    {"audience": ["A-99"]},
    {"audience": ["D-35"] * 501},
    {"link": "javascript:alert(1)"},
    {"event": {"timings": [{"begin": "9999-12-31T10:00", "end": "9999-12-31T11:00"}], "venue": "CFA"}},
    {"event": {"timings": [], "zone": "nowhere"}},
    {"pictures": [{"id": "0" * 64, "alt": "x"}]},
    {"fold": "sideways"},
]


def test_bad_input_is_refused_with_a_field_and_never_breaks_anything(ask: Ask):
    for changed in BAD:
        answer = ask("POST", "/posts", "animator", json=a_draft(**changed))

        assert answer.status_code == 422, (changed, answer.text)
        assert answer.json()["problems"] != []


def test_a_body_that_cannot_be_read_is_a_problem_too(ask: Ask):
    for body in [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"text": "\\ud800"}', b"null"]:
        answer = ask("POST", "/posts", "animator", content=body, headers={"Content-Type": "application/json"})

        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"


HALF = r'"\ud800"'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"text": "a\\u0000b", "when": "2026-12-01T18:00"}', "text"),
        ('{"text": "x", "when": "2026-12-01T18:00", "accounts": [HALF]}', "accounts.0"),
        ('{"text": "x", "when": "2026-12-01T18:00", "audience": ["A-14", HALF]}', "audience.1"),
        ('{"text": "x", "when": "2026-12-01T18:00", "variants": {HALF: "x"}}', "variants"),
        ('{"text": "x", "when": "2026-12-01T18:00", HALF: 1}', ""),
    ],
)
def test_characters_that_a_database_or_an_answer_cannot_hold_are_refused(ask: Ask, body: str, field: str):
    typed = {"Content-Type": "application/json"}
    answer = ask("POST", "/posts", "animator", content=body.replace("HALF", HALF), headers=typed)

    assert (answer.status_code, fields(answer)) == (422, [field])
    assert answer.json()["detail"] == "The text holds characters that no network can show. Type it anew."


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/territories?query=%00", 422), ("/?lieu=a%00b", 422), ("/l/%00", 404), ("/api/v1/posts/%00", 404)],
)
def test_an_address_that_holds_a_nul_never_reaches_a_database(ask: Ask, path: str, status: int):
    assert ask.page(path).status_code == status


def test_a_body_in_other_letters_than_utf_8_is_a_problem_in_the_readers_language(ask: Ask):
    answer = ask("POST", "/posts", "animator", content=b"\xff", headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    sentence = "The body of the request cannot be read. Send JSON in UTF-8, or a form as its content type says."
    assert answer.json()["detail"] == sentence


@pytest.mark.parametrize("day", ["0", "20261201", "1893456000", "2026-12-01T00:00"])
def test_only_a_day_is_taken_for_a_day(ask: Ask, day: str):
    answer = ask("GET", f"/calendar?from={day}", "animator")

    assert (answer.status_code, fields(answer)) == (422, ["from"])
    assert answer.json()["detail"] == "Write a date, such as 2026-12-01."


@pytest.mark.parametrize(
    ("path", "methods"), [("/posts", "GET, POST"), ("/posts/1", "GET, PUT"), ("/login", "POST"), ("/me", "GET")]
)
def test_a_method_that_is_not_taken_is_answered_with_all_that_are(ask: Ask, path: str, methods: str):
    answer = ask("PATCH", path)

    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_bodies_that_are_too_large_are_refused_announced_or_not(ask: Ask):
    announced = ask("POST", "/posts", "animator", content=b" " * (1024 * 1024 + 1))
    pieces = (b" " * 65536 for _piece in range(20))
    unannounced = ask("POST", "/posts", "animator", content=pieces, headers={"Content-Type": "application/json"})

    assert [announced.status_code, unannounced.status_code] == [413, 413]
    assert unannounced.json()["title"] == "Too large"


def test_the_reader_chooses_the_language(ask: Ask):
    assert [asked_language(header) for header in ("fr-CA, en;q=0.5", "de, en-GB;q=0.7, fr;q=0.3")] == ["fr", "en"]
    page = ask.client.get("/", headers={"Accept-Language": "fr"})
    assert '<html lang="fr">' in page.text
    assert '<html lang="en">' in ask.page("/").text


@pytest.mark.parametrize("path", ["/", "/p/unknown", "/l/unknown", "/static/relais.css", "/api/v1/me", "/nowhere"])
def test_every_answer_has_safe_headers(ask: Ask, path):
    headers = ask.page(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"] == CONTENT_POLICY
    kept = {"/": "public, max-age=120", "/api/v1/me": "no-store", "/p/unknown": "public, no-cache"}
    assert headers.get("cache-control") == (kept | {"/l/unknown": "public, no-cache"}).get(path)
    assert "strict-transport-security" not in headers


def test_over_https_browsers_are_told_to_stay_there(stage):
    settings = stage.hub.settings.model_copy(update={"public_url": "https://relais.example.org"})
    with serving(create_app(replace(stage.hub, settings=settings))) as url:
        answer = httpx.get(url, trust_env=False)

    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_the_document_of_the_api_is_there_and_loads_nothing_from_elsewhere(ask: Ask):
    document = ask("GET", "/openapi.json").json()
    answers = [
        one["responses"]
        for path, methods in document["paths"].items()
        for one in methods.values()
        if path.startswith("/api/v1")
    ]

    assert document["info"]["title"] == "Relais"
    assert [known for known in answers if list(known["422"]["content"]) != ["application/problem+json"]] == []
    assert [ask.page(path).status_code for path in ("/docs", "/redoc")] == [404, 404]


def test_a_database_that_cannot_be_used_is_said_to_be_so_and_where_it_is_only_to_the_log(stage, tmp_path, caplog):
    empty = build_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with serving(create_app(replace(stage.hub, engine=empty))) as url:
        answer = httpx.get(f"{url}/api/v1/territories?query=Rennes", trust_env=False, headers={"Accept-Language": "en"})
        page = httpx.get(url, trust_env=False)
    empty.dispose()

    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    sentence = "The database cannot be used right now. Nothing was kept; try again in a moment."
    assert answer.json()["detail"] == sentence
    assert [name for name in (str(tmp_path), "empty.db", "no such table") if name in answer.text + page.text] == []
    assert str(tmp_path / "empty.db") in caplog.text


def test_a_bug_is_told_as_one_with_safe_headers_and_no_details(stage, caplog):
    def broken() -> None:
        raise RuntimeError("the inside of Relais")

    with serving(create_app(replace(stage.hub, now=broken))) as url:
        answer = httpx.get(f"{url}/api/v1/me", headers={"Authorization": "Bearer relais_x"}, trust_env=False)

    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "inside" not in answer.text
    assert "the inside of Relais" in caplog.text


def test_the_log_holds_no_token_no_password_and_no_question(ask: Ask, caplog):
    caplog.set_level(logging.DEBUG, logger="relais")
    caplog.set_level(logging.DEBUG, logger="hub")

    ask("GET", "/me", "animator")
    ask("POST", "/login", json={"email": "animator@example.org", "password": PASSWORD})
    ask("GET", "/territories", params={"query": "Rennes"})
    ask("GET", "/me", "animator")  # a line is written once its answer has left: this one lets the others be there

    lines = [record.getMessage() for record in caplog.records if record.name == "relais.access"]
    assert [line.split(" ms=")[0] for line in lines[:3]] == [
        "method=GET path=/api/v1/me status=200",
        "method=POST path=/api/v1/login status=200",
        "method=GET path=/api/v1/territories status=200",
    ]
    assert stage_secrets(ask).isdisjoint(caplog.text.split())


def test_an_address_cannot_write_a_line_of_log_nor_a_word_of_one(ask: Ask, caplog):
    caplog.set_level(logging.INFO, logger="relais.access")

    ask.client.get("/api/x%0A2026-11-03%20INFO%20relais%20status=200%22" + "y" * 600)
    ask("GET", "/me", "animator")  # a line is written once its answer has left

    first = next(record.getMessage() for record in caplog.records if record.name == "relais.access")
    method, path, status, spent = first.split(" ")
    assert (method, status) == ("method=GET", "status=404")
    assert path.startswith("path=/api/x%0A2026-11-03%20INFO%20relais%20status%3D200%22y")
    assert (len(path) < 600, spent.startswith("ms=")) == (True, True)


def stage_secrets(ask: Ask) -> set[str]:
    return {*ask.stage.tokens.values(), PASSWORD}
