"""What guards the pages: the session's cookie, and a token on everything that changes something."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from hub.domain.errors import NotAllowed
from hub.language import _
from hub.wiring import Hub

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"

COOKIE_LASTS: Final = timedelta(days=7)

MOST_FIELDS: Final = 2000
MOST_FILES: Final = 8

_SIZE: Final = 32


# --- Cookies ----------------------------------------------------------------------------------------------


def _https(hub: Hub) -> bool:
    return hub.settings.public_url.startswith("https://")


def cookie_name(hub: Hub, name: str) -> str:
    """The `__Host-` prefix has browsers refuse the cookie from any other host; it needs https."""
    return f"__Host-{name}" if _https(hub) else name


def set_cookie(answer: Response, hub: Hub, name: str, value: str, *, seconds: int) -> None:
    """Set one of our cookies: for this host only, out of scripts' reach."""
    answer.set_cookie(
        cookie_name(hub, name), value, max_age=seconds, path="/", secure=_https(hub), httponly=True, samesite="lax"
    )


def drop_cookie(answer: Response, hub: Hub, name: str) -> None:
    """Forget one of our cookies."""
    answer.delete_cookie(cookie_name(hub, name), path="/", secure=_https(hub), httponly=True, samesite="lax")


def read_cookie(request: Request, hub: Hub, name: str) -> str:
    """The value of one of our cookies, empty without one."""
    return request.cookies.get(cookie_name(hub, name), "")[:200]


SESSION: Final = "relais"
VISITOR: Final = "relais-visiteur"
FLASH: Final = "relais-message"


def set_session(answer: Response, hub: Hub, plain: str) -> None:
    """Hand a new session to the browser, and forget what it had as a stranger.

    The cookie stays longer than the session: of no use any more, but a form that is sent too late is known by it as one
    of ours, and carried through the entrance.
    """
    set_cookie(answer, hub, SESSION, plain, seconds=int(COOKIE_LASTS.total_seconds()))
    drop_cookie(answer, hub, VISITOR)


# --- Forms: only our own pages may send them --------------------------------------------------------------


def _secret(key: str) -> bytes:
    return hmac.new(key.encode(), b"relais form", hashlib.sha256).digest()


def form_token(key: str) -> str:
    """A token for the forms of one page: masked anew each time, so that compressing the page tells nothing of it."""
    mask = secrets.token_bytes(_SIZE)
    masked = bytes(one ^ other for one, other in zip(_secret(key), mask, strict=True))
    return base64.urlsafe_b64encode(mask + masked).decode()


def is_form_token(key: str, token: str) -> bool:
    """Whether a token was made with this key."""
    try:
        raw = base64.urlsafe_b64decode(token.encode())
    except ValueError:
        return False
    if len(raw) != 2 * _SIZE or not key:
        return False
    told = bytes(one ^ other for one, other in zip(raw[:_SIZE], raw[_SIZE:], strict=True))
    return hmac.compare_digest(told, _secret(key))


def from_own_page(request: Request, hub: Hub) -> bool:
    """Whether the browser says, as far as it says anything, that one of our own pages is asking."""
    fetch_site = request.headers.get("sec-fetch-site")
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    own = {urlsplit(hub.settings.public_url).netloc, request.headers.get("host", "")}
    return origin != "null" and urlsplit(origin).netloc in own


def key_of(request: Request, hub: Hub) -> str:
    """What this browser's tokens are made with: its session, else what it got as a visitor of the sign-in page."""
    return read_cookie(request, hub, SESSION) or read_cookie(request, hub, VISITOR)


def fresh_key() -> str:
    """What the tokens of a visitor without a session are made with."""
    return secrets.token_urlsafe(24)


async def check_form(request: Request) -> AsyncIterator[None]:
    """Raise NotAllowed for a change that does not come from one of our own pages with its token.

    Whatever came along as a file is closed in the end; browsers send an empty one for a field left alone.
    """
    try:
        await _require_token(request)
        yield
    finally:
        await request.close()


async def _require_token(request: Request) -> None:
    if request.method in SAFE:
        return
    hub: Hub = request.app.state.hub
    keys = [key for name in (SESSION, VISITOR) if (key := read_cookie(request, hub, name))]
    token = request.headers.get(HEADER, "")
    # Forty megabytes of pictures are not taken from whoever could have no token at all.
    if not token and keys and from_own_page(request, hub):
        token = str((await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS)).get(FIELD, ""))
    if not from_own_page(request, hub) or not any(is_form_token(key, token) for key in keys):
        raise NotAllowed(
            _(
                "This form was not sent from a page of Relais, or your browser keeps no cookies. "
                "Go back, load the page again, and send it once more."
            )
        )


FromOwnPage = Depends(check_form)


# --- Devices ----------------------------------------------------------------------------------------------

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def device_of(request: Request) -> str:
    """Browser and system in two words, by which people know their own sessions again."""
    agent = request.headers.get("user-agent", "")[:500]
    browser = next((name for mark, name in _BROWSERS if re.search(rf"\b{mark}/", agent)), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(part for part in (browser, system) if part) or _("unknown device")
