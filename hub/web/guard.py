"""What holds for every request: the reader's language, safe headers, limits of size, one line of log."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from threading import Lock
from time import perf_counter
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.domain.errors import Busy
from hub.language import LANGUAGES, _, default_language, speaking
from hub.logs import line
from hub.web.problems import sorry

log = logging.getLogger("relais.access")

MOST_BYTES: Final = 1024 * 1024
MOST_PICTURE_BYTES: Final = 12 * 1024 * 1024
MOST_FORM_BYTES: Final = 42 * 1024 * 1024
"""A form with four pictures."""

LARGER: Final = (("/api/v1/media", MOST_PICTURE_BYTES), ("/equipe/publications/", MOST_FORM_BYTES))
"""Addresses that take more than others, by how they begin."""

LONGEST_PATH: Final = 500
"""So much of an address is logged."""

PRIVATE: Final = ("/api/", "/equipe")
"""What is behind these is kept by no browser and no proxy, unless the answer itself says how."""

SECRET_TAIL: Final = re.compile(r"^(/equipe/(?:bienvenue|calendrier)/)[^/]{20,}")
"""Addresses that end in a key: the log shall not open anything."""

LOGGED: Final = (*PRIVATE, "/static/", "/healthz", "/readyz", "/metrics")
"""Requests of these are logged one by one. Of public pages only what went wrong is: where somebody looks is theirs."""

SCRIPT_HASHES: Final = "script_hashes"
"""Where a page tells, in the state of its request, which blocks of data stand in it: no other script ever does."""

CONTENT_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


class Guard:
    """Pure ASGI, so that the language set here also holds in the threads where routes run."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, guarded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answered: list[int] = []

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.append(message["status"])
                self._add_headers(scope, MutableHeaders(scope=message))
            await send(message)

        began = perf_counter()
        with speaking(asked_language(Headers(scope=scope).get("accept-language", ""))):
            try:
                await self._guarded(scope, receive, send_guarded)
            except Exception as error:  # the last net: a bug is told as one, with the headers of every answer
                path, kind = _loggable(scope["path"]), type(error).__name__
                log.exception(line(method=scope["method"], path=path, outcome="bug", error=kind))
                if not answered:
                    sentence = _("This was not expected. Nothing half-done was kept; the log of Relais says more.")
                    await sorry(scope, 500, sentence)(scope, receive, send_guarded)
        # No query and no address: a query may hold what people typed, an address says who they are.
        milliseconds = round((perf_counter() - began) * 1000)
        status = answered[0] if answered else 0
        if not scope["path"].startswith(LOGGED) and status < 500:
            return
        path = _loggable(scope["path"])
        log.info(line(method=scope["method"], path=path, status=status, ms=milliseconds))

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = next((size for start, size in LARGER if scope["path"].startswith(start)), MOST_BYTES)
        announced = Headers(scope=scope).get("content-length", "0")
        if not (announced.isascii() and announced.isdigit()) or int(announced[:20]) > most:
            sentence = _("The request is larger than this address takes.")
            await sorry(scope, 413, sentence, headers={"Connection": "close"})(scope, receive, send)
            return
        if "\x00" in scope["path"]:
            await sorry(scope, 404, _("There is nothing at this address."))(scope, receive, send)
            return
        if b"%00" in scope["query_string"] or b"\x00" in scope["query_string"]:
            # PostgreSQL keeps no such character, and must not be asked for one.
            sentence = _("The text holds characters that no network can show. Type it anew.")
            await sorry(scope, 422, sentence)(scope, receive, send)
            return
        await self.app(scope, _counted(receive, most), send)

    def _add_headers(self, scope: Scope, headers: MutableHeaders) -> None:
        path = scope["path"]
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Content-Security-Policy"] = content_policy(scope.get("state", {}).get(SCRIPT_HASHES, ()))
        # A position is asked for by a button of public pages alone.
        own = "()" if path.startswith(PRIVATE) else "(self)"
        headers["Permissions-Policy"] = f"geolocation={own}, camera=(), microphone=(), payment=()"
        if self.https:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if path.startswith(PRIVATE):
            headers.setdefault("Cache-Control", "no-store")
        elif path.startswith("/static/") and b"v=" in scope["query_string"]:
            headers["Cache-Control"] = "public, max-age=31536000, immutable"


def content_policy(script_hashes: Sequence[str] = ()) -> str:
    """What a page may load: our own files, and in it the blocks of data that it announced."""
    if not script_hashes:
        return CONTENT_POLICY
    told = " ".join(f"'sha256-{one}'" for one in script_hashes)
    return f"{CONTENT_POLICY}; script-src 'self' {told}"


def _loggable(path: str) -> str:
    """As it was asked for, in letters that cannot make a second line, nor another word of this one.

    Of a public page only its kind: which area somebody looked at is nobody's business.
    """
    if not path.startswith(LOGGED):
        kind, _slash, rest = path[1:].partition("/")
        return f"/{quote(kind[:LONGEST_PATH])}" + ("/…" if rest else "")
    return SECRET_TAIL.sub(r"\1…", quote(path[:LONGEST_PATH]))


def _counted(receive: Receive, most: int) -> Receive:
    """Receive, but stop a body that grows past its limit without having announced it."""
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413)
        return message

    return counting


def asked_language(header: str) -> str:
    """The language of ours that the reader likes best; the default one when none is named."""
    liked: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:1000].split(",")):
        name, _semicolon, weight = part.strip().partition(";q=")
        try:
            how_much = float(weight) if weight else 1.0
        except ValueError:
            how_much = 0.0
        if how_much > 0 and name[:2].lower() in LANGUAGES:
            liked.append((-how_much, place, name[:2].lower()))
    return min(liked)[2] if liked else default_language()


class Turnstile:
    """Counts knocks per address in memory: so many within a span, then Busy."""

    def __init__(self, most: int, within: timedelta) -> None:
        self._most = most
        self._within = within
        self._knocks: dict[str, deque[datetime]] = {}
        self._lock = Lock()

    def pass_through(self, address: str, at: datetime) -> None:
        """Count one knock, or raise Busy."""
        address = _household(address)
        with self._lock:
            if len(self._knocks) > 10_000:
                self._forget(at)
            knocks = self._knocks.setdefault(address, deque())
            while knocks and knocks[0] <= at - self._within:
                knocks.popleft()
            if len(knocks) >= self._most:
                raise Busy(_("Too many tries from this address. Wait a minute, then try again."))
            knocks.append(at)

    def _forget(self, at: datetime) -> None:
        old = [address for address, knocks in self._knocks.items() if not knocks or knocks[-1] <= at - self._within]
        for address in old:
            del self._knocks[address]


def _household(address: str) -> str:
    """What is counted together: an address; of the newer kind, where each house has 2^64 of them, their first half."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
