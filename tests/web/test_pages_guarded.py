"""Every page, taken from the router itself: none changes anything without its token, none tells a stranger."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import Engine

from hub.web.app import create_app
from hub.web.security import SAFE, form_token
from tests.stage import Stage, build_stage, serving

OPEN = {
    "/equipe/connexion",
    "/equipe/mot-de-passe",
    "/equipe/bienvenue/{plain}",
    "/equipe/calendrier/{plain}.ics",
}
"""What a stranger may open: ways in, and the calendar file that a private link leads to."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    ),
}


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route that a person or a program can reach."""
    return sorted(
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.path
        for method in set(route.methods or ()) - {"HEAD", "OPTIONS"}
    )


def opened(path: str) -> str:
    """A path with something in its places: numbers that exist, words that do not."""
    filled = re.sub(r"\{\w*(?:id|number)\w*\}", "1", path)
    return re.sub(r"\{\w+\}", "x" * 24, filled)


def staff(app: FastAPI) -> list[tuple[str, str]]:
    """The routes of the staff pages."""
    return [(method, path) for method, path in routes(app) if path.startswith("/equipe")]


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    """With a key: some pages seal what they keep."""
    return build_stage(engine, tmp_path, secret_keys=Fernet.generate_key().decode())


@pytest.fixture
def app(stage: Stage) -> FastAPI:
    """The application, to look at its routes."""
    return create_app(stage.hub)


def test_nothing_changes_without_the_token_of_the_page(browse, app):
    browser = browse("coordinator")
    unsafe = [(method, path) for method, path in staff(app) if method not in SAFE]

    answers = {(method, path): browser.client.request(method, opened(path)).status_code for method, path in unsafe}

    assert len(unsafe) > 20
    assert answers == dict.fromkeys(unsafe, 403)


def test_nothing_changes_with_the_token_of_another_session_or_from_another_site(browse, app):
    browser = browse("coordinator")
    unsafe = [(method, path) for method, path in staff(app) if method not in SAFE]
    foreign = {"X-CSRF-Token": form_token("another session")}
    cross = {"X-CSRF-Token": browser.token, "Sec-Fetch-Site": "cross-site"}

    for headers in (foreign, cross):
        answers = {
            (method, path): browser.client.request(method, opened(path), headers=headers).status_code
            for method, path in unsafe
        }
        assert answers == dict.fromkeys(unsafe, 403)


def test_nobody_sends_pictures_or_texts_without_a_cookie_they_are_refused_before_their_first_byte(url: str, app):
    unsafe = [(method, path) for method, path in staff(app) if method not in SAFE]
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0

    told = {}
    for method, path in unsafe:
        with socket.create_connection((host, port), timeout=10) as line:
            heads = f"{method} {opened(path)} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n"
            line.sendall(f"{heads}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
            told[method, path] = line.recv(12)

    assert told == dict.fromkeys(unsafe, b"HTTP/1.1 403")


def test_no_page_opens_to_a_stranger(browse, app):
    browser = browse()
    token = {"X-CSRF-Token": browser.token}
    closed = [(method, path) for method, path in staff(app) if path not in OPEN]

    told = {}
    for method, path in closed:
        answer = browser.client.request(method, opened(path), headers=token if method not in SAFE else {})
        told[method, path] = (answer.status_code, answer.headers.get("location", "")[:17])

    wanted = {(method, path): (303, "/equipe/connexion") if method in SAFE else (401, "") for method, path in closed}
    assert told == wanted


def test_every_answer_carries_the_headers_that_keep_browsers_safe(browse, app, stage: Stage):
    browser = browse("coordinator")

    told = {}
    for method, path in routes(app):
        answer = browser.client.request(method, opened(path))
        told[method, path] = {name: answer.headers.get(name) for name in HEADERS}

    assert told == dict.fromkeys(routes(app), HEADERS)


def test_nothing_of_the_staff_is_kept_by_browsers_or_proxies(browse, app):
    browser = browse("coordinator")
    pages = [path for method, path in staff(app) if method == "GET" and path != "/equipe/calendrier/{plain}.ics"]

    told = {path: browser.client.get(opened(path)).headers["cache-control"] for path in pages}

    assert told == dict.fromkeys(pages, "no-store")


def test_over_https_cookies_are_bound_to_the_host_and_browsers_come_back_by_https_only(stage: Stage):
    settings = stage.hub.settings.model_copy(update={"public_url": "https://relais.example.org"})
    app = create_app(replace(stage.hub, settings=settings))

    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        answer = client.get("/equipe/connexion")
        headers = [client.request(method, opened(path)).headers for method, path in routes(app)]

    assert answer.headers["set-cookie"].startswith("__Host-relais-visiteur=")
    assert "; Secure" in answer.headers["set-cookie"]
    assert {one["strict-transport-security"] for one in headers} == {"max-age=31536000"}


@pytest.mark.parametrize("who", ["animator", "coordinator", "analyst", "administrator"])
def test_no_page_falls_over_whoever_opens_it(browse, app, who):
    browser = browse(who)

    told = {path: browser.client.get(opened(path)).status_code for method, path in staff(app) if method == "GET"}

    assert {path: status for path, status in told.items() if status >= 500} == {}
