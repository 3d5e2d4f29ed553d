"""OAuth 1.0a as a server sees it: what a signature covers, and whether it is right."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

from channels.sandbox.exchange import Request

MAX_SKEW_SECONDS = 300


class BadSignature(Exception):
    """The call is not signed as it should be; the message says where it goes wrong and never holds a key."""


def read_header(value: str) -> dict[str, str]:
    """The parameters of an `Authorization: OAuth …` header."""
    _, _, rest = value.partition(" ")
    pairs = (part.strip().partition("=") for part in rest.split(","))
    return {unquote(name): unquote(quoted.strip('"')) for name, _, quoted in pairs if name}


def signature(
    method: str, url: str, parameters: Iterable[tuple[str, str]], consumer_secret: str, token_secret: str
) -> str:
    """The HMAC-SHA1 signature of a call (RFC 5849 §3.4)."""
    encoded = sorted((_escaped(name), _escaped(value)) for name, value in parameters)
    joined = "&".join(f"{name}={value}" for name, value in encoded)
    base = "&".join([method.upper(), _escaped(_base_url(url)), _escaped(joined)])
    key = f"{_escaped(consumer_secret)}&{_escaped(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha1).digest()).decode()


class Verifier:
    """Checks signatures against the machine's own time, and remembers nonces so that no call can be played again."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str, str], float] = {}

    def verify(
        self,
        request: Request,
        given: dict[str, str],
        *,
        consumer_secret: str,
        token_secret: str,
        skew_seconds: float = 0,
    ) -> None:
        """Raise BadSignature unless the call is signed with these secrets, now, for the first time."""
        if given.get("oauth_signature_method") != "HMAC-SHA1" or given.get("oauth_version", "1.0") != "1.0":
            raise BadSignature("only HMAC-SHA1 of OAuth 1.0 is taken")
        covered = [*request.query, *((name, value) for name, value in given.items() if name not in _NOT_COVERED)]
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            covered += request.form().items()
        expected = signature(request.method, request.url, covered, consumer_secret, token_secret)
        if not hmac.compare_digest(expected, given.get("oauth_signature", "")):
            raise BadSignature("the signature does not fit")
        self._check_time_and_nonce(given, time.time() + skew_seconds)

    def _check_time_and_nonce(self, given: dict[str, str], now: float) -> None:
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        if not stamp.isdigit() or abs(int(stamp) - now) > MAX_SKEW_SECONDS:
            raise BadSignature("timestamp out of bounds")
        mark = (given.get("oauth_token", ""), stamp, nonce)
        if not nonce or mark in self._used:
            raise BadSignature("the nonce was used before")
        self._used = {used: at for used, at in self._used.items() if now - at <= 2 * MAX_SKEW_SECONDS}
        self._used[mark] = now


_NOT_COVERED = {"oauth_signature", "realm"}


def _escaped(text: str) -> str:
    return quote(text, safe="~")


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port
    if port and (parts.scheme.lower(), port) not in {("http", 80), ("https", 443)}:
        host = f"{host}:{port}"
    return f"{parts.scheme.lower()}://{host}{parts.path or '/'}"
