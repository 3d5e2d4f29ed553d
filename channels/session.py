"""HTTP sessions for the networks' SDKs: name, detour to a sandbox, hard deadline, and "was anything sent?"."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from channels.base import Deadline

USER_AGENT: Final = "Relais/0.1"
SHORTEST_SECRET: Final = 8
"""What is shorter is not masked: it would take letters out of every sentence."""
POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {}
"""Which connections a session makes, by scheme; filled below."""


class DeadlinePassed(requests.Timeout):
    """Our own deadline ended the call; `never_sent` tells whether anything had left by then."""


class Redirected(requests.RequestException):
    """The network answered with a redirect: it is not followed, and it is no success."""


@dataclass(frozen=True)
class Answer:
    """What the last call of this thread was answered; SDKs hide it. `body` is parsed JSON, None when it is none."""

    status: int
    headers: Mapping[str, str]
    """Asked for in any case."""
    body: Any
    method: str = "GET"

    @property
    def well(self) -> bool:
        """Whether the status says success."""
        return 200 <= self.status < 300


@dataclass
class _Call:
    """One call under way: until when, on which sockets, and whether its first byte has left."""

    deadline: Deadline
    sent: bool = False
    expired: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def speaks_on(self, twin: socket.socket) -> None:
        """Let the watchdog end this socket too; a twin of our own, as an answer may outlive its connection."""
        with self._lock:
            self._sockets.append(twin.dup())
        if self.expired:
            self.expire()

    def about_to_send(self) -> None:
        """Last look before a byte of the request leaves; afterwards the outcome may be unknown."""
        if not self.sent and (self.expired or self.deadline.passed):
            raise DeadlinePassed("The deadline had passed before anything was sent.")
        self.sent = True

    def expire(self) -> None:
        """End the call from outside, however slowly the other side still drips."""
        self.expired = True
        with self._lock:
            for twin in self._sockets:
                with contextlib.suppress(OSError):
                    twin.shutdown(socket.SHUT_RDWR)

    def over(self) -> None:
        """Let go of the sockets."""
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()


_CALL: ContextVar[_Call | None] = ContextVar("call under way", default=None)


class _Watched:
    """A connection that shows its socket to the call under way and asks it before the first byte.

    The watchdog holds a twin of the socket: shutting it down ends the connection, also below TLS.
    """

    _twin: socket.socket | None = None
    _connecting = False
    sock: Any

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._twin = made.dup()
        self._show()
        return made

    def _show(self) -> None:
        call = _CALL.get()
        if call and self._twin:
            call.speaks_on(self._twin)

    def connect(self) -> None:
        self._connecting = True  # what is sent meanwhile is for a proxy, not for the network
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._show()  # a connection kept from an earlier call
        super().request(*args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if not self._connecting:
            if self.sock is None:
                self.connect()
            call = _CALL.get()
            if call:
                call.about_to_send()
        super().send(data)  # type: ignore[misc]

    def close(self) -> None:
        super().close()  # type: ignore[misc]
        if self._twin:
            self._twin.close()
            self._twin = None


class _PlainConnection(_Watched, HTTPConnection):
    """Plain HTTP: loopback only."""


class _SafeConnection(_Watched, HTTPSConnection):
    """HTTP over TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SafePool(HTTPSConnectionPool):
    ConnectionCls = _SafeConnection


POOLS.update(http=_PlainPool, https=_SafePool)


class _Adapter(HTTPAdapter):
    """Watched connections, and nothing is ever sent twice: no retries."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


class NetworkSession(requests.Session):
    """A session for one network's SDK, which has that network's addresses written into it.

    `originals` are those addresses (`https://graph.facebook.com`); calls to them go to `base_url` when one is given,
    calls to any other are refused. `timeouts` are (connect, read) in seconds, `total` bounds a whole call.
    `secrets` are texts which may never be read in an error: add to them whatever the adapter learns.
    """

    def __init__(
        self,
        originals: str | Iterable[str],
        base_url: str | None = None,
        *,
        timeouts: tuple[float, float] = (3.0, 15.0),
        total: float = 45.0,
        secrets: Iterable[str] = (),
    ) -> None:
        super().__init__()
        found = [originals] if isinstance(originals, str) else list(originals)
        self.originals = tuple(original.rstrip("/") for original in found)
        self.base_url = base_url.rstrip("/") if base_url else None
        if self.base_url:
            require_safe(self.base_url)
        self.detoured = self.base_url is not None and self.base_url not in self.originals
        self.timeouts = timeouts
        self.total = total
        self.secrets = set(secrets)
        self._here = threading.local()
        self.trust_env = not self.detoured
        self.auth = _as_it_is  # or requests would look for a password in ~/.netrc
        self.headers["User-Agent"] = USER_AGENT
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(max_retries=0))

    @property
    def last(self) -> Answer | None:
        """What the latest call of this thread was answered; None when nothing (readable) came back."""
        return getattr(self._here, "last", None)

    @contextlib.contextmanager
    def within(self, deadline: Deadline) -> Iterator[None]:
        """Make calls that cannot be taken back: not after the deadline, and never on a connection that may be stale."""
        self.close()
        self._here.deadline = deadline
        try:
            yield
        finally:
            self._here.deadline = None

    def mask(self, text: str) -> str:
        """A text without any token."""
        return mask(text, self.secrets)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Make one call, once: to the right address, in time, without redirects; errors hold no token."""
        kwargs["allow_redirects"] = False
        self._here.last = None
        deadline = getattr(self._here, "deadline", None) or Deadline.after(self.total)
        call = _Call(deadline)
        failed: Exception
        try:
            response = self._call(call, _text(method), self._detour(_text(url)), args, kwargs)
        except requests.RequestException as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - whatever a library throws here may hold the token
            failed = requests.RequestException(f"{type(error).__name__}: {error}")
        else:
            return response
        # Raised here, so that it drags no context along whose text holds the address with its token.
        raise self._cleaned(failed, call)

    def _call(self, call: _Call, method: str, url: str, args: Any, kwargs: Any) -> requests.Response:
        left = call.deadline.left
        if left <= 0:
            raise DeadlinePassed("The deadline had passed before anything was sent.")
        connect, read = self.timeouts
        kwargs["timeout"] = (min(connect, left), min(read, left))
        watchdog = threading.Timer(left, call.expire)
        watchdog.daemon = True
        token = _CALL.set(call)
        watchdog.start()
        try:
            response = super().request(method, url, *args, **kwargs)
        finally:
            watchdog.cancel()
            _CALL.reset(token)
            call.over()
        if call.expired:  # what was read may be cut
            raise DeadlinePassed("The deadline ended the call.")
        self._here.last = Answer(response.status_code, response.headers, _json(response), method.upper())
        if 300 <= response.status_code < 400:
            raise Redirected(f"The network answered with a redirect ({response.status_code}).")
        return response

    def _detour(self, url: str) -> str:
        for original in self.originals:
            if url == original or url.startswith((original + "/", original + "?")):
                return (self.base_url or original) + url[len(original) :]
        raise requests.exceptions.InvalidURL("This session does not speak to that address.")

    def _cleaned(self, error: Exception, call: _Call) -> requests.RequestException:
        kind = type(error)
        text = self.mask(str(error))
        if call.expired and kind is not DeadlinePassed:
            kind, text = DeadlinePassed, "The deadline ended the call."
        try:
            cleaned = kind(text)
        except Exception:  # noqa: BLE001 - a class with a constructor of its own
            cleaned = requests.RequestException(text)
        cleaned.never_sent = not call.sent  # type: ignore[attr-defined]
        return cleaned  # type: ignore[return-value]


def never_sent(error: BaseException) -> bool:
    """Whether it is sure that nothing of the request left: the one question before a repeat.

    True only when no connection was made, or our deadline had passed before the first byte. Looks through wrappers.
    """
    seen: BaseException | None = error
    while seen is not None:
        known = getattr(seen, "never_sent", None)
        if known is not None:
            return bool(known)
        if isinstance(seen, requests.ConnectTimeout):
            return True
        if isinstance(seen, requests.ConnectionError) and seen.args:
            inner = seen.args[0]
            reason = inner.reason if isinstance(inner, MaxRetryError) else inner
            return isinstance(reason, NewConnectionError | NameResolutionError)
        seen = seen.__cause__
    return False


def require_safe(base_url: str) -> None:
    """Take an address of https anywhere, or of plain http on this machine; else raise ValueError."""
    parts = urlsplit(base_url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError(f"Not an address of a network: {base_url!r}. Expected https://host.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"Plain http is for this machine only, and {parts.hostname} is not it. Use https.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_SECRET = re.compile(
    r"((?:access_token|input_token|fb_exchange_token|client_secret|appsecret_proof|refresh_token|bearer_token"
    r"|oauth_token|oauth_token_secret|oauth_verifier|oauth_signature|oauth_consumer_key)"
    r"(?:=\"?|%3D|\\?[\"']\s*:\s*\\?[\"']))[^&\s\"'\\,)]+|(\bBearer\s+)[^\s\"',)]+",
    re.IGNORECASE,
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with tokens made unreadable: those given, and whatever stands where a token stands."""
    for secret in sorted((one for one in secrets if len(one) >= SHORTEST_SECRET), key=len, reverse=True):
        for form in {secret, quote(secret, safe="")}:
            text = text.replace(form, "***")
    return _SECRET.sub(lambda found: f"{found[1] or found[2]}***", text)


class _MaskedLog(logging.Filter):
    """Rewrites a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask(record.getMessage()), None
        return True


def mask_log(*names: str) -> None:
    """Mask tokens in what these loggers say themselves; repeating it does no harm."""
    for name in names:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _MaskedLog) for known in logger.filters):
            logger.addFilter(_MaskedLog())


mask_log("urllib3.connectionpool")  # it writes whole addresses at DEBUG


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _json(response: requests.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        return None
