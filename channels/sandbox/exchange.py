"""What goes in and out of the sandbox's networks, apart from sockets, and where they keep what was posted."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One call as it reached the sandbox. `url` is the whole address without query: OAuth signatures cover it."""

    method: str
    url: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    effects: Mapping[str, float] = field(default_factory=dict)
    """What a queued fault asks of the network itself, such as `late`: seconds until lists show the post."""

    def query_value(self, name: str) -> str | None:
        """The last value of a query parameter, or None."""
        return dict(self.query).get(name)

    def form(self) -> dict[str, str]:
        """The body as a url-encoded form."""
        return dict(parse_qsl(self.body.decode("utf-8"), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """What a network answers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """An answer in JSON."""
        body = json.dumps(value, ensure_ascii=False).encode()
        return cls(status, body, {"content-type": "application/json; charset=UTF-8", **(headers or {})})


class Clock:
    """The sandbox's time: the machine's, until somebody sets it."""

    def __init__(self) -> None:
        self._set_to: datetime | None = None

    def now(self) -> datetime:
        """This moment, in UTC."""
        return self._set_to or datetime.now(UTC)

    def set(self, moment: datetime | None) -> None:
        """Stand still at a moment, or follow the machine again."""
        self._set_to = moment.astimezone(UTC) if moment else None


class Shelf:
    """Things by kind and id, in memory, and written through to a file when there is one, so that a demo can go on."""

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._things: dict[str, dict[str, dict[str, Any]]] = {}
        self._file = sqlite3.connect(file, check_same_thread=False, isolation_level=None) if file else None
        if self._file:
            self._file.execute("PRAGMA journal_mode=WAL")
            # What a killed process posted is kept; only a power cut may lose the last of it.
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS thing (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))"
            )
            for kind, key, body in self._file.execute("SELECT kind, id, body FROM thing"):
                self._things.setdefault(kind, {})[key] = json.loads(body)

    def put(self, kind: str, key: str, thing: dict[str, Any]) -> None:
        """Keep a thing, in place of an earlier one of the same kind and id."""
        with self._lock:
            self._things.setdefault(kind, {})[key] = thing
            if self._file:
                self._file.execute("INSERT OR REPLACE INTO thing VALUES (?, ?, ?)", (kind, key, json.dumps(thing)))

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The thing of that kind and id, or None."""
        with self._lock:
            return self._things.get(kind, {}).get(key)

    def drop(self, kind: str, key: str) -> None:
        """Forget a thing."""
        with self._lock:
            self._things.get(kind, {}).pop(key, None)
            if self._file:
                self._file.execute("DELETE FROM thing WHERE kind = ? AND id = ?", (kind, key))

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """All things of a kind, oldest first."""
        with self._lock:
            return iter(list(self._things.get(kind, {}).values()))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None
