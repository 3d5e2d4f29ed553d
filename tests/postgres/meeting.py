"""Two who come at once: the one is held where it matters, until the other one has come as far as it can."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event, text

PATIENCE = 30
"""Seconds after which somebody who does not come is taken for stuck."""

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND pid <> pg_backend_pid()"
)


def meet(engine: Engine, first: Callable[[], Any], second: Callable[[], Any], *, after: str = "") -> tuple[Any, Any]:
    """What both came to, a value or an error: the second begins when the first has done all but commit.

    The first one commits once the second waits for it, or has ended without waiting. `after`: it is the commit of the
    transaction with this statement in it.
    """
    with _held_at_commit(engine, after) as (reached, go), ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        try:
            assert reached.wait(PATIENCE), f"The first one never came to its commit: {_outcome(one)!r}"
            other = pool.submit(second)
            _until_waiting(engine, other)
        finally:
            go.set()
        return _outcome(one), _outcome(other)


def overtake(engine: Engine, slow: Callable[[], Any], quick: Callable[[], Any]) -> tuple[Any, Any]:
    """What both came to: the slow one has looked, and the quick one is done before the slow one locks anything."""
    with _held_at_lock(engine) as (reached, go), ThreadPoolExecutor(1) as pool:
        one = pool.submit(slow)
        try:
            assert reached.wait(PATIENCE), f"The slow one never locked anything: {_outcome(one)!r}"
            other: Future[Any] = Future()
            try:
                other.set_result(quick())
            except Exception as error:
                other.set_exception(error)
        finally:
            go.set()
        return _outcome(one), _outcome(other)


@contextmanager
def _held_at_commit(engine: Engine, after: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    reached, go = threading.Event(), threading.Event()
    mine: list[object] = []

    def hear(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if not mine and after in statement:
            mine.append(connection.connection.dbapi_connection)

    def hold(connection: Connection) -> None:
        if mine and connection.connection.dbapi_connection is mine[0] and not reached.is_set():
            reached.set()
            assert go.wait(PATIENCE)

    event.listen(engine, "before_cursor_execute", hear)
    event.listen(engine, "commit", hold)
    try:
        yield reached, go
    finally:
        go.set()
        event.remove(engine, "before_cursor_execute", hear)
        event.remove(engine, "commit", hold)


@contextmanager
def _held_at_lock(engine: Engine) -> Iterator[tuple[threading.Event, threading.Event]]:
    reached, go = threading.Event(), threading.Event()

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        locks = "FOR UPDATE" in statement or "FOR NO KEY UPDATE" in statement or "advisory" in statement
        if locks and not reached.is_set():
            reached.set()
            assert go.wait(PATIENCE)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield reached, go
    finally:
        go.set()
        event.remove(engine, "before_cursor_execute", hear)


def _until_waiting(engine: Engine, other: Future[Any]) -> None:
    """Until somebody waits for a lock, or has ended without."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
        for _look in range(PATIENCE * 50):
            if looking.scalar(text(WAITING)) or wait([other], timeout=0.02).done:
                return
    raise AssertionError("The second one neither waits nor ends.")


def _outcome(one: Future[Any]) -> Any:
    error = one.exception(PATIENCE)
    return error if error is not None else one.result()
