"""Who may do what: a table of roles and routes that leaves out none, and nothing without a token."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from hub.web.app import create_app
from tests.web.conftest import Ask, a_draft

PUBLIC = {("GET", "/territories"), ("POST", "/login")}

ROLES = ("animator", "colleague", "stranger", "coordinator", "analyst", "administrator")
MAY, NO, UNKNOWN = "may", 403, 404

EVERYBODY = (MAY, MAY, MAY, MAY, MAY, MAY)
WHO_SEES = (MAY, MAY, UNKNOWN, MAY, MAY, MAY)
WHO_CHANGES = (MAY, MAY, UNKNOWN, MAY, NO, NO)
WHO_APPROVES = (NO, NO, UNKNOWN, MAY, NO, NO)
WHO_WRITES = (MAY, MAY, MAY, MAY, NO, NO)

TABLE: dict[tuple[str, str], tuple[object, ...]] = {
    ("GET", "/me"): EVERYBODY,
    ("GET", "/accounts"): EVERYBODY,
    ("POST", "/media"): WHO_WRITES,
    ("POST", "/posts"): WHO_WRITES,
    ("GET", "/posts"): EVERYBODY,
    ("GET", "/posts/{post_id}"): WHO_SEES,
    ("GET", "/posts/{post_id}/preview"): WHO_SEES,
    ("POST", "/posts/{post_id}/submit"): WHO_CHANGES,
    ("POST", "/posts/{post_id}/return"): WHO_APPROVES,
    ("POST", "/posts/{post_id}/approve"): WHO_APPROVES,
    ("POST", "/posts/{post_id}/withdraw"): WHO_CHANGES,
    # After approving: whoever changes a post does not approve it.
    ("PUT", "/posts/{post_id}"): WHO_CHANGES,
    ("GET", "/calendar"): EVERYBODY,
    ("GET", "/deliveries"): EVERYBODY,
    ("GET", "/deliveries/{delivery_id}"): WHO_SEES,
    ("POST", "/deliveries/{delivery_id}/resolve"): WHO_CHANGES,
    ("POST", "/deliveries/{delivery_id}/remove"): WHO_CHANGES,
    ("GET", "/reach/report"): EVERYBODY,
    ("GET", "/reach/trend"): EVERYBODY,
    ("GET", "/reach/export"): EVERYBODY,
    ("GET", "/reach/print"): EVERYBODY,
    ("DELETE", "/tokens/current"): EVERYBODY,
}
"""The post is the animator's, for a part of A-14; the stranger is animator of another académie."""


@pytest.fixture
def routes(stage) -> set[tuple[str, str]]:
    """Every route of the API, as its own document lists them."""
    paths = create_app(stage.hub).openapi()["paths"]
    return {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        if path.startswith("/api/v1")
        for method in methods
    }


def body(method: str, path: str) -> dict[str, Any]:
    """Something that every route takes."""
    if path == "/media":
        out = io.BytesIO()
        Image.new("RGB", (4, 4)).save(out, "PNG")
        return {"files": {"file": ("picture.png", out.getvalue())}}
    if method == "PUT":
        return {"json": a_draft()}
    if path == "/posts" and method == "POST":
        return {"json": a_draft(audience=None, accounts=["portal:FR"])}
    if path.endswith("/resolve"):
        return {"json": {"action": "give-up"}}
    return {"json": {"reason": "because"}} if path.endswith(("/return", "/withdraw", "/remove")) else {}


def test_the_table_leaves_out_no_route(routes):
    assert routes == set(TABLE) | PUBLIC


def test_every_role_may_do_what_the_table_says_and_nothing_else(ask: Ask, approved):
    delivery = approved["deliveries"][0]["id"]
    told, expected = {}, {}

    for (method, template), verdicts in TABLE.items():
        path = template.format(post_id=approved["id"], delivery_id=delivery)
        for who, verdict in zip(ROLES, verdicts, strict=True):
            status = ask(method, path, who, **body(method, template)).status_code
            told[method, template, who] = status if status in {401, 403, 404} else MAY
            expected[method, template, who] = verdict
            assert status < 500

    assert told == expected


def test_nothing_but_the_public_routes_answers_without_a_token(ask: Ask, routes):
    statuses = {
        (method, path): ask(method, path.format(post_id=1, delivery_id=1), **body(method, path)).status_code
        for method, path in routes - PUBLIC
    }

    assert statuses == dict.fromkeys(routes - PUBLIC, 401)


@pytest.mark.parametrize("token", ["", "relais_", "relais_unknown", "nonsense", "Bearer relais_x"])
def test_a_token_that_nobody_knows_opens_nothing(ask: Ask, token):
    answer = ask.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}".strip()})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_revoked_token_opens_nothing_any_more(ask: Ask):
    assert ask("DELETE", "/tokens/current", "animator").status_code == 204

    assert ask("GET", "/me", "animator").status_code == 401
    assert ask("GET", "/me", "colleague").status_code == 200


def test_posts_deliveries_and_calendar_hold_nothing_of_strangers(ask: Ask, approved):
    for path in ("/posts", "/deliveries", "/calendar"):
        assert ask("GET", path, "stranger").json() == []
        assert ask("GET", path, "colleague").json() != []


def test_accounts_of_other_academies_are_not_even_listed(ask: Ask):
    names = [account["name"] for account in ask("GET", "/accounts", "animator").json()]

    assert names == ["Page rennes", "Page national", "Portail", "Page x"]
    assert "secret" not in ask("GET", "/accounts", "coordinator").text
