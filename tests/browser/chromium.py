"""The browser of this machine: where it is, and how tests start it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Debian's Chromium without windows first: the same browser, at less than half the work."""

ARGUMENTS: Final = (
    "--no-sandbox",  # tests may run as root; all they open is their own server
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--lang=fr",  # how fields for days and hours look is up to the browser itself
)

PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
LAPTOP: Final[ViewportSize] = {"width": 1280, "height": 900}


def find() -> str | None:
    """The path of a Chromium or Chrome that is installed, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def running(path: str) -> Iterator[Browser]:
    """A browser without a window; nothing of it is left afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def context_of(browser: Browser, url: str, **options: Any) -> BrowserContext:
    """A context as our readers have it: French, Paris, and patient for seconds only."""
    usual = {"base_url": url, "locale": "fr-FR", "timezone_id": "Europe/Paris", "viewport": LAPTOP}
    context = browser.new_context(**(usual | options))
    context.set_default_timeout(10_000)
    return context
