"""The played Facebook Login: it asks a person, and its codes are good once, for whoever asked."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from channels.sandbox.exchange import Reply, Request
from channels.sandbox.server import Sandbox

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECRET = "the-secret-of-the-app"
BACK = "http://127.0.0.1:8000/equipe/comptes/facebook/retour"
VERIFIER = "a-verifier-that-is-long-enough-for-its-purpose"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "client_id": "900",
    "redirect_uri": BACK,
    "state": "a-state <&>",
    "response_type": "code",
    "scope": "pages_show_list,pages_manage_posts",
}


class Fields(HTMLParser):
    """What a form of the dialog would send; every box is ticked at first."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.action = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        if tag == "input":
            self.sent.append((given["name"], given["value"]))


class Login:
    """Somebody before the dialog of a sandbox with one app, one person and two pages."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        sandbox.clock.set(NOON)
        sandbox.graph.tokens.create_app("900", SECRET)
        sandbox.graph.create_page("111", "Page <A>")
        sandbox.graph.create_page("222", "Page B")

    def ask(self, method: str, path: str, query: dict[str, str], body: list[tuple[str, str]] | None = None) -> Reply:
        """One call without sockets."""
        sent = urlencode(body or []).encode()
        return self.sandbox.graph.answer(Request(method, path, path, tuple(query.items()), {}, sent))

    def open(self, **changed: str | None) -> Reply:
        """The dialog as an app's link opens it."""
        asked = {name: value for name, value in {**ASKED, **changed}.items() if value is not None}
        return self.ask("GET", "/v26.0/dialog/oauth", asked)

    def reply(self, answer: str = "yes", *, without: str = "", **changed: str | None) -> dict[str, str]:
        """What the app is told when the person presses a button, after taking the tick from one page."""
        form = Fields(self.open(**changed).body.decode())
        body = [pair for pair in form.sent if pair != ("page", without)]
        there = self.ask("POST", form.action, {}, [*body, ("answer", answer)])
        assert there.status == 303, there.body
        location = urlsplit(there.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == BACK
        return dict(parse_qsl(location.query))

    def exchange(self, code: str, **changed: str | None) -> tuple[int, dict[str, Any]]:
        """What the app gets for a code."""
        asked = {"client_id": "900", "client_secret": SECRET, "redirect_uri": BACK, "code": code, **changed}
        query = {name: value for name, value in asked.items() if value is not None}
        reply = self.ask("GET", "/v26.0/oauth/access_token", query)
        return reply.status, json.loads(reply.body)

    def refusal(self, code: str, **changed: str | None) -> tuple[int, int | None]:
        """Code and subcode with which an exchange is refused."""
        status, answer = self.exchange(code, **changed)
        assert status >= 400, answer
        return answer["error"]["code"], answer["error"].get("error_subcode")

    def pages(self, token: str) -> list[str]:
        """The pages that a token opens."""
        reply = self.ask("GET", "/v26.0/me/accounts", {"access_token": token, "fields": "id"})
        return [page["id"] for page in json.loads(reply.body)["data"]]


@pytest.fixture
def login() -> Iterator[Login]:
    with Sandbox() as sandbox:
        yield Login(sandbox)


def test_the_dialog_names_the_app_the_person_the_permissions_and_the_pages(login: Login) -> None:
    reply = login.open()

    page = reply.body.decode()
    told = ("Relais</strong>", "Camille Exemple", "pages_manage_posts", "Page &lt;A&gt;", "Page B", "Facebook d")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [words for words in told if words not in page] == []
    assert "Page <A>" not in page


def test_going_on_gives_a_code_and_the_state_as_it_was(login: Login) -> None:
    told = login.reply()

    assert sorted(told) == ["code", "state"]
    assert told["state"] == ASKED["state"]
    status, answer = login.exchange(told["code"])
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "bearer", 7200)
    assert login.pages(answer["access_token"]) == ["111", "222"]


def test_a_page_without_a_tick_is_not_granted_nor_after_the_long_exchange(login: Login) -> None:
    short = login.exchange(login.reply(without="222")["code"])[1]["access_token"]
    params = {"grant_type": "fb_exchange_token", "client_id": "900", "client_secret": SECRET}
    reply = login.ask("GET", "/v26.0/oauth/access_token", {**params, "fb_exchange_token": short})

    assert login.pages(short) == ["111"]
    assert login.pages(json.loads(reply.body)["access_token"]) == ["111"]


def test_only_the_permissions_asked_for_are_granted(login: Login) -> None:
    token = login.exchange(login.reply()["code"])[1]["access_token"]

    seen = login.ask("GET", "/v26.0/debug_token", {"access_token": f"900|{SECRET}", "input_token": token})

    assert json.loads(seen.body)["data"]["scopes"] == ["pages_show_list", "pages_manage_posts"]


def test_cancelling_says_so_and_gives_no_code(login: Login) -> None:
    assert login.reply("no") == {
        "error": "access_denied",
        "error_code": "200",
        "error_description": "Permissions error",
        "error_reason": "user_denied",
        "state": ASKED["state"],
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "901"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://elsewhere.example/retour"},
        {"redirect_uri": "javascript:alert(1)//127.0.0.1"},
        {"redirect_uri": "http://[broken"},
        {"response_type": "token"},
        {"scope": "pages_show_list,read_minds"},
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
    ],
)
def test_an_improper_question_is_shown_to_nobody_and_leads_nowhere(
    login: Login, changed: dict[str, str | None]
) -> None:
    reply = login.open(**changed)

    assert (reply.status, reply.headers.get("location")) == (400, None)
    assert "role='alert'" in reply.body.decode()


def test_an_app_that_names_its_addresses_is_led_back_to_those_only(login: Login) -> None:
    login.sandbox.graph.tokens.create_app("900", SECRET, redirect_uris=["https://relais.example/retour"])

    assert login.open(redirect_uri="https://relais.example/retour").status == 200
    assert login.open(redirect_uri="https://relais.example/retour/").status == 400
    assert login.open().status == 400


def test_an_improper_answer_is_refused_like_an_improper_question(login: Login) -> None:
    form = Fields(login.open().body.decode())
    body = [("redirect_uri", "https://elsewhere.example/") if name == "redirect_uri" else (name, value)
            for name, value in form.sent]  # fmt: skip
    strange = [(name, "nobody") if name == "user" else (name, value) for name, value in form.sent]

    assert login.ask("POST", form.action, {}, [*body, ("answer", "yes")]).status == 400
    assert login.ask("POST", form.action, {}, [*strange, ("answer", "yes")]).status == 400


def test_with_several_people_one_says_first_who_one_is(login: Login) -> None:
    login.sandbox.graph.tokens.create_user("78", "Sacha Exemple")

    first = login.open().body.decode()
    theirs = login.open(user="78").body.decode()

    assert first.count("Continuer en tant que") == 2
    assert "<form" not in first
    assert "Vous ne gérez aucune page." in theirs


def test_without_anybody_there_is_nobody_to_ask() -> None:
    with Sandbox() as sandbox:
        sandbox.graph.tokens.create_app("900", SECRET)
        asked = urlencode(ASKED)
        reply = requests.get(f"{sandbox.url}/v26.0/dialog/oauth?{asked}", timeout=5)

    assert reply.status_code == 400


def test_a_code_is_good_once(login: Login) -> None:
    code = login.reply()["code"]
    login.exchange(code)

    assert login.refusal(code) == (100, 36009)


def test_a_code_does_not_live_long(login: Login) -> None:
    code = login.reply()["code"]

    login.sandbox.clock.set(NOON + timedelta(minutes=10))

    assert login.refusal(code) == (100, 36007)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"redirect_uri": BACK + "?x=1"}, (100, 36008)),
        ({"redirect_uri": None}, (100, 36008)),
        ({"client_secret": "no"}, (1, None)),
        ({"client_id": "901"}, (101, None)),
        ({"code": "AQinvented"}, (100, None)),
    ],
)
def test_a_code_is_given_for_its_own_app_and_address_only(
    login: Login, changed: dict[str, str | None], said: tuple[int, int | None]
) -> None:
    code = login.reply()["code"]

    assert login.refusal(**{"code": code, **changed}) == said  # type: ignore[arg-type]


@pytest.mark.parametrize("verifier", [None, "", "another-verifier"])
def test_a_code_asked_for_with_a_challenge_needs_its_verifier(login: Login, verifier: str | None) -> None:
    code = login.reply(code_challenge=CHALLENGE, code_challenge_method="S256")["code"]

    assert login.refusal(code, code_verifier=verifier) == (100, None)
    assert login.refusal(code, code_verifier=VERIFIER) == (100, 36009)


def test_with_its_verifier_such_a_code_is_exchanged(login: Login) -> None:
    code = login.reply(code_challenge=CHALLENGE, code_challenge_method="S256")["code"]

    assert login.exchange(code, code_verifier=VERIFIER)[0] == 200


def test_a_browser_finds_the_dialog_where_the_sandbox_listens(login: Login) -> None:
    address = f"{login.sandbox.url}/v26.0/dialog/oauth"

    page = requests.get(address, params=ASKED, timeout=5)
    form = Fields(page.text)
    answered = requests.post(
        login.sandbox.url + form.action, data=[*form.sent, ("answer", "no")], timeout=5, allow_redirects=False
    )

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answered.status_code == 303
    assert answered.headers["location"].startswith(BACK + "?error=access_denied&")
