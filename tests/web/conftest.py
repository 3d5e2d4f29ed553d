"""How a test asks the web application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from hub.web.app import create_app
from tests.stage import Stage, build_stage, serving


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
        """A public page."""
        return self.client.get(path, headers={"Accept-Language": "en"} | headers)


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    """People, accounts, keys, a clock."""
    return build_stage(engine, tmp_path)


@pytest.fixture
def ask(stage: Stage) -> Iterator[Ask]:
    """The application, served for real."""
    with serving(create_app(stage.hub)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield Ask(client, stage)


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
