"""A browser for all tests of this room, the application served for real, and people who are signed in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from hub.database import build_engine
from hub.web.app import create_app
from tests.browser import chromium
from tests.browser.visitor import Visitor
from tests.browser.world import World, build_world, open_session
from tests.stage import Stage, build_stage, serving


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium."""
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium here: install Debian's chromium, or put chromium or google-chrome on PATH")
    with chromium.running(path) as running:
        yield running


# --- A furnished world, which tests only look at -----------------------------------------------------------


@pytest.fixture(scope="session")
def served_world(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A world with something on every page, and its address."""
    home = tmp_path_factory.mktemp("world")
    engine = build_engine(f"sqlite:///{shutil.copyfile(template, home / 'relais.db')}")
    world = build_world(engine, home)
    with serving(create_app(world.stage.hub)) as url:
        yield world, url
    engine.dispose()


@pytest.fixture(scope="session")
def world(served_world: tuple[World, str]) -> World:
    """What stands on the furnished stage."""
    return served_world[0]


@pytest.fixture(scope="session")
def contexts(browser: Browser, served_world: tuple[World, str]) -> Iterator[Callable[..., BrowserContext]]:
    """`contexts("animator", java_script_enabled=False)`: one for all tests that ask for the same."""
    world, url = served_world
    opened: dict[Any, BrowserContext] = {}

    def context_for(who: str | None = None, **options: Any) -> BrowserContext:
        wanted = (who, *sorted(options.items()))
        if wanted not in opened:
            opened[wanted] = chromium.context_of(browser, url, **options)
            if who:
                cookie = {"name": "relais", "value": world.cookie(who), "url": url}
                opened[wanted].add_cookies([cookie])  # type: ignore[list-item]
        return opened[wanted]

    yield context_for
    for one in opened.values():
        one.close()


@pytest.fixture
def look(contexts: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """`look("animator", java_script_enabled=False)` is a page in which nothing may go wrong unheard."""
    with ExitStack() as stack:
        yield lambda who=None, **options: stack.enter_context(Visitor(contexts(who, **options))).page


# --- A stage of one's own, for stories ---------------------------------------------------------------------


@pytest.fixture
def stage(engine: Any, tmp_path: Path) -> Stage:
    """People, accounts, keys, a clock."""
    return build_stage(engine, tmp_path)


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    """The application, served for real, by its address."""
    with serving(create_app(stage.hub)) as url:
        yield url


@contextmanager
def entering(browser: Browser, url: str, stage: Stage) -> Iterator[Callable[..., Page]]:
    """Opens browsers for the people of a stage, and closes them again."""
    with ExitStack() as stack:

        def enter(who: str | None = None, **options: Any) -> Page:
            context = chromium.context_of(browser, url, **options)
            stack.callback(context.close)
            if who:
                context.add_cookies([{"name": "relais", "value": open_session(stage, who), "url": url}])
            return stack.enter_context(Visitor(context)).page

        yield enter


@pytest.fixture
def enter(browser: Browser, url: str, stage: Stage) -> Iterator[Callable[..., Page]]:
    """`enter("animator", viewport=PHONE)`: a browser of their own, signed in; `enter()` is a stranger's."""
    with entering(browser, url, stage) as opened:
        yield opened
