"""A small real HTTP server on loopback that plays Facebook and X."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from channels.sandbox import faults as misbehaviour
from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.faults import EFFECTS, Fault, Faults
from channels.sandbox.graph import GraphNetwork

ADMIN: Final = "/_sandbox"
LARGEST_BODY: Final = 64 * 1024 * 1024
_FROM_NOW: Final = re.compile(r"@[+-]\d{1,9}")
ON_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class PlayedNetwork(Protocol):
    """What plays one network."""

    def answer(self, request: Request) -> Reply:
        """Carry out one call."""

    def admin(self, parts: Sequence[str], body: dict[str, Any] | None) -> object:
        """Look (`body` None) or change something behind the scenes; LookupError when there is no such thing."""


class Sandbox:
    """Our own Facebook and X: what is posted here stays here. Port 0 takes a free one."""

    def __init__(self, port: int = 0, store: Path | None = None) -> None:
        self.clock = Clock()
        self.shelf = Shelf(store)
        self.faults = Faults()
        self.graph = GraphNetwork(self.shelf, self.clock)
        self.x: Any = _x_network(self.shelf, self.clock)
        self.calls: deque[Request] = deque(maxlen=5000)
        """The latest calls as they came in, whatever became of them."""
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Sandbox:
        """Open the door; OSError says when the port is taken."""
        try:
            self._server = _Server(self, self._port)
        except OSError as error:
            raise OSError(
                error.errno, f"The sandbox cannot open port {self._port} on 127.0.0.1: {error.strerror}. Take another."
            ) from error
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Hang up on everybody and close; what was posted stays on the shelf's file, if it has one."""
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.hang_up()
            self._server.server_close()
            self._server = None
        self.shelf.close()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def network(self, path: str) -> tuple[str, PlayedNetwork | None]:
        """Which network a path belongs to: its name and who plays it."""
        if path.startswith(("/2/", "/1.1/", "/oauth/", "/oauth2/")) and not path.startswith("/oauth/access_token"):
            return "x", self.x
        return "facebook", self.graph

    def admin(self, method: str, parts: Sequence[str], body: dict[str, Any] | None) -> object:
        """What the admin address does; LookupError: no such thing, ValueError: not like that."""
        match [method, *parts]:
            case ["GET", "health"]:
                return {"status": "ok", "now": self.clock.now().isoformat(), "x": self.x is not None}
            case ["POST", "clock"]:
                now = (body or {}).get("now")
                self.clock.set(_moment(now) if now else None)
                return {"now": self.clock.now().isoformat()}
            case ["GET", "clock"]:
                return {"now": self.clock.now().isoformat()}
            case ["POST", "faults"]:
                asked = (body or {}).get("faults", [body])
                self.faults.add(*[misbehaviour.from_mapping(one) for one in asked])
                return {"waiting": self.faults.waiting()}
            case ["GET", "faults"]:
                return {"waiting": self.faults.waiting(), "named": sorted(misbehaviour.NAMED)}
            case ["DELETE", "faults"]:
                self.faults.clear()
                return {"waiting": []}
            case [_, "facebook", *rest]:
                return self.graph.admin(rest, body)
            case [_, "x", *rest] if self.x is not None:
                return self.x.admin(rest, body)
        raise LookupError("/".join(parts))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone.")
    return moment


def _x_network(shelf: Shelf, clock: Clock) -> Any:
    try:
        room = importlib.import_module("channels.sandbox.x")
    except ModuleNotFoundError:
        return None
    return room.XNetwork(shelf, clock)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.sandbox = sandbox
        self.stopping = threading.Event()
        self._open: set[_Handler] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)

    def opened(self, handler: _Handler) -> None:
        with self._changed:
            self._open.add(handler)

    def closed(self, handler: _Handler) -> None:
        with self._changed:
            self._open.discard(handler)
            self._changed.notify_all()

    def hang_up(self) -> None:
        """End all conversations and wait until nobody speaks."""
        self.stopping.set()
        with self._changed:
            for handler in self._open:
                handler.end()
            self._changed.wait_for(lambda: not self._open, timeout=5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up first is no news; anything else is a bug and is shown."""
        if not self.stopping.is_set():
            super().handle_error(request, client_address)


class _HungUp(Exception):
    """The connection is gone, as ordered."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.closed(self)

    def end(self) -> None:
        """End this conversation from another thread."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, _HungUp):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: addresses hold tokens."""

    def do_GET(self) -> None:
        """Carry out any call."""
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        if "transfer-encoding" in self.headers or length > LARGEST_BODY:
            self.close_connection = True
            self._send(Reply.json({"error": "length required"}, status=411))
            return
        host = self.headers.get("host", "")
        request = Request(
            method=self.command,
            url=f"http://{host}{parts.path}",
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        if urlsplit(f"//{host}").hostname not in ON_THIS_MACHINE:  # a web page elsewhere is no guest here
            self._send(Reply.json({"error": "this is a sandbox on this machine"}, status=421))
        elif parts.path.startswith(ADMIN + "/"):
            self._send(self._admin(request))
        else:
            self._play(request)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _admin(self, request: Request) -> Reply:
        parts = [unquote(part) for part in request.path[len(ADMIN) + 1 :].split("/") if part]
        try:
            body = None
            if request.method != "GET":
                body = json.loads(request.body or b"{}")
            return Reply.json(self.server.sandbox.admin(request.method, parts, body))
        except LookupError as error:
            return Reply.json({"error": f"nothing here: {error}"}, status=404)
        except (ValueError, TypeError) as error:
            return Reply.json({"error": str(error)}, status=400)

    def _play(self, request: Request) -> None:
        sandbox = self.server.sandbox
        sandbox.calls.append(request)
        name, network = sandbox.network(request.path)
        taken = sandbox.faults.take(name, request)
        effects = {fault.kind: fault.seconds for fault in taken if fault.kind in EFFECTS}
        others = [fault for fault in taken if fault.kind not in EFFECTS]
        for fault in others:
            if not fault.after:
                reply = self._before(fault)
                if reply:
                    self._send(reply)
                    return
        if network is None:
            self._send(Reply.json({"error": "nobody plays this network"}, status=404))
            return
        reply = network.answer(replace(request, effects=effects))
        drip = 0.0
        for fault in others:
            if fault.after:
                reply = self._before(fault) or reply
            reply = _shaped(reply, fault)
            drip = fault.seconds if fault.kind == "drip" else drip
        for fault in others:
            if fault.kind == "headers":  # last, so that they also stand on an answer that was ordered
                reply = Reply(reply.status, reply.body, {**reply.headers, **fault.headers})
        self._send(reply, cut=any(fault.kind == "cut" for fault in others), drip=drip)

    def _before(self, fault: Fault) -> Reply | None:
        """What a fault does in place of going on; None: go on."""
        if fault.kind == "delay":
            self.server.stopping.wait(fault.seconds)
            return None
        if fault.kind == "hang_up":
            self.end()
            raise _HungUp
        if fault.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # without a shutdown first, or it would look like a hang-up
            raise _HungUp
        return fault.reply() if fault.kind == "answer" else None

    def _told(self, value: str) -> str:
        """A header's value; `@+900` is the moment so many seconds from the sandbox's own time."""
        if not _FROM_NOW.fullmatch(value):
            return value
        return str(int(self.server.sandbox.clock.now().timestamp()) + int(value[1:]))

    def _send(self, reply: Reply, *, cut: bool = False, drip: float = 0.0) -> None:
        self.send_response_only(reply.status)
        now = format_datetime(self.server.sandbox.clock.now(), usegmt=True)
        for name, value in {"date": now, **reply.headers}.items():
            if value:  # a fault takes a header away by leaving it empty
                self.send_header(name, self._told(value))
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if cut:
            self.wfile.write(reply.body[: len(reply.body) // 2])
            self.end()
            raise _HungUp
        if not drip:
            self.wfile.write(reply.body)
            return
        for place in range(len(reply.body)):
            self.wfile.write(reply.body[place : place + 1])
            if self.server.stopping.wait(drip):
                raise _HungUp


def _shaped(reply: Reply, fault: Fault) -> Reply:
    """The right answer, made wrong."""
    if fault.kind == "broken":
        return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
    if fault.kind == "without_id":
        return Reply.json(_without_ids(json.loads(reply.body)), status=reply.status)
    return reply


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(inner) for key, inner in value.items() if key not in ("id", "post_id")}
    return value
