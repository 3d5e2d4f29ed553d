"""How a test asks the web application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from hub.database import writing
from hub.services import visiting
from hub.web.app import create_app
from hub.web.security import form_token
from tests.stage import Stage, build_stage, serving

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


class Ask:
    """Ask as one of the people on the stage, or as nobody."""

    def __init__(self, client: httpx.Client, stage: Stage) -> None:
        self.client = client
        self.stage = stage

    def __call__(self, method: str, path: str, who: str | None = None, **rest: Any) -> httpx.Response:
        """The answer; a path without a leading /api is one of the API's."""
        headers = {"Accept-Language": "en"} | rest.pop("headers", {})
        if who:
            headers["Authorization"] = f"Bearer {self.stage.tokens[who]}"
        return self.client.request(method, f"/api/v1{path}", headers=headers, **rest)

    def approve(self, number: int, who: str = "coordinator", **rest: Any) -> httpx.Response:
        """Approve a post as it is seen now."""
        seen = self("GET", f"/posts/{number}/preview", who).json()["fingerprint"]
        return self("POST", f"/posts/{number}/approve", who, json={"fingerprint": seen} | rest)

    def page(self, path: str, **headers: str) -> httpx.Response:
        """A public page, as a reader's browser asks for it."""
        return self.client.get(path, headers={"Accept-Language": "en", "User-Agent": FIREFOX} | headers)


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    """People, accounts, keys, a clock."""
    return build_stage(engine, tmp_path)


@pytest.fixture
def ask(stage: Stage) -> Iterator[Ask]:
    """The application, served for real."""
    with serving(create_app(stage.hub)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield Ask(client, stage)


class Browser:
    """Somebody at the pages: keeps cookies, sends forms with the token of the page, follows where it is led."""

    def __init__(self, url: str, stage: Stage, who: str | None = None) -> None:
        # Patient: a password takes a while to check where the machine has much to do.
        self.client = httpx.Client(base_url=url, trust_env=False, headers={"Accept-Language": "en"}, timeout=30)
        self.stage = stage
        if who:
            with writing(stage.hub.engine) as session:
                plain = visiting.enter(session, stage.people[who].id, device="tests", at=stage.clock())
            self.client.cookies.set("relais", plain)

    def get(self, path: str, *, follow: bool = True, **rest: Any) -> httpx.Response:
        """A page, by way of what leads to it."""
        return self.client.get(path, follow_redirects=follow, **rest)

    @property
    def token(self) -> str:
        """A token for forms, as any page of ours would hold it."""
        if not (self.client.cookies.get("relais") or self.client.cookies.get("relais-visiteur")):
            self.get("/equipe/connexion")
        return form_token(self.client.cookies.get("relais") or self.client.cookies["relais-visiteur"])

    def post(
        self, path: str, fields: dict[str, Any] | None = None, *, follow: bool = True, **rest: Any
    ) -> httpx.Response:
        """Send a form; a list is a field that is given several times."""
        return self.client.post(path, data={"csrf": self.token} | (fields or {}), follow_redirects=follow, **rest)


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    """The application, served for real, by its address."""
    with serving(create_app(stage.hub)) as url:
        yield url


@pytest.fixture
def browse(url: str, stage: Stage) -> Iterator[Callable[..., Browser]]:
    """`browse("animator")` is a browser in which that person is signed in; `browse()` is a stranger's."""
    opened: list[Browser] = []

    def at(who: str | None = None) -> Browser:
        opened.append(Browser(url, stage, who))
        return opened[-1]

    yield at
    for one in opened:
        one.client.close()


def a_draft(**changed: Any) -> dict[str, Any]:
    """A post for the pages of Rennes and the portal, next week at six."""
    return {
        "kind": "event",
        "text": "Portes ouvertes au CFA\n\nVenez voir les ateliers.",
        "link": "https://example.org/cfa",
        "when": "2026-11-10T18:00",
        "audience": ["D-35"],
        "accounts": ["facebook:A-14", "portal:FR"],
    } | changed


@pytest.fixture
def written(ask: Ask) -> dict[str, Any]:
    """A draft by the animator."""
    answer = ask("POST", "/posts", "animator", json=a_draft())
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def approved(ask: Ask, written: dict[str, Any]) -> dict[str, Any]:
    """The same, submitted and approved."""
    ask("POST", f"/posts/{written['id']}/submit", "animator")
    answer = ask.approve(written["id"])
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.fixture
def published(ask: Ask, stage: Stage, approved: dict[str, Any]) -> dict[str, Any]:
    """The same, gone out."""
    stage.clock.at = stage.clock.at.replace(day=10, hour=17, minute=1)
    stage.run_due()
    told: dict[str, Any] = ask("GET", f"/posts/{approved['id']}", "animator").json()
    return told
