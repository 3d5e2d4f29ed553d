"""One page in a browser, watched: errors of scripts, refusals by our own policy and outside requests are failures."""

from __future__ import annotations

from types import TracebackType
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

HARMLESS = ("Failed to load resource: the server responded with a status of 4",)
"""Answers that a test means to get: a mistake in a form, a page that is not there."""


class Visitor:
    """Holds a page, and afterwards says what went wrong in it without anybody seeing."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        self.page.on("request", self._watch)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(HARMLESS):
            self.troubles.append(f"console: {message.text}")

    def _watch(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.hostname != "127.0.0.1":
            self.troubles.append(f"outside: {request.url}")

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.page.close()
        if error is None:
            assert self.troubles == []
