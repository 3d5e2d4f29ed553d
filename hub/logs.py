"""The log: one line per outcome with ids, in UTC, as text or JSON; whatever is written, no secret is."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

from hub.masking import masked

Form = Literal["text", "json"]

_PLAIN: Final = re.compile(r"[^\s\"=]+")
_PAIR: Final = re.compile(r'(?<!\S)([a-z][a-z_]*)=("(?:[^"\\]|\\.)*"|\S*)')
_UNSEEN: Final = {number: f"\\x{number:02x}" for number in (*range(32), 127, 0x85, 0x2028, 0x2029)} | {10: "\\n"}
"""A line of the log is one line: nobody writes a second one by what they ask for."""

logger = logging.getLogger("relais")


def line(**words: object) -> str:
    """One line of log: `delivery=7 outcome=rate`; what is None is left out, what is no single word is quoted."""
    return " ".join(f"{name}={_word(value)}" for name, value in words.items() if value is not None)


def _word(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def seconds(span: float) -> str:
    """A length of time in a line of log: `1.2s`."""
    return f"{span:.1f}s"


def set_up(form: Form = "text", *, stream: TextIO | None = None) -> None:
    """Have this process write its log, to standard error unless told; what others' libraries chat is left out."""
    keep_secrets()
    shown = logging.StreamHandler(stream or sys.stderr)
    shown.setFormatter(AsJson() if form == "json" else AsText())
    shown.addFilter(_worth_reading)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(shown)
    root.setLevel(logging.INFO)
    threading.excepthook = _told


def _worth_reading(record: logging.LogRecord) -> bool:
    """Everything of ours, and what libraries warn of: at DEBUG they repeat whole requests and rows."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] == "relais"


def _told(ended: threading.ExceptHookArgs) -> None:
    """A thread that died is told by the log, where secrets are masked, and not straight to standard error."""
    error = ended.exc_value
    told = line(outcome="thread-died", error=ended.exc_type.__name__)
    logger.error(told, exc_info=(type(error), error, error.__traceback__) if error else None)


# --- No secrets -------------------------------------------------------------------------------------------


def keep_secrets() -> None:
    """Mask every record as it is made: of every logger, also those made later, and whoever listens."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Masking):
        logging.setLogRecordFactory(_Masking(make))


class _Masking:
    """Makes records whose words, arguments and traceback hold no secret."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self.make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.make(*args, **kwargs)
        try:
            words = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a line that cannot be made must not end who wrote it
            words = f"{record.msg} ({type(error).__name__} while writing this line)"
        # Whole and at once, since a handler may look at the pieces as well.
        record.msg, record.args = masked(words), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
        record.exc_info = None
        if record.stack_info:
            record.stack_info = masked(record.stack_info)
        return record


# --- How a line looks -------------------------------------------------------------------------------------


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class AsText(logging.Formatter):
    """`2026-11-03T17:00:01.204Z INFO relais.dispatch task=dispatch delivery=7 …`, a traceback on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        told = record.getMessage().translate(_UNSEEN)
        first = f"{_moment(record)} {record.levelname} {record.name} {told}"
        return "\n".join([first, *(f"  {one}" for one in (record.exc_text or "").splitlines())])


class AsJson(logging.Formatter):
    """The same as one JSON object per line, with the line's own words as values."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        message = record.getMessage()
        told: dict[str, object] = {name: _value(word) for name, word in _PAIR.findall(message)}
        told |= {"time": _moment(record), "level": record.levelname, "logger": record.name, "message": message}
        if record.exc_text:
            told["exception"] = record.exc_text
        return json.dumps(told, ensure_ascii=False)


def _value(word: str) -> object:
    if word.startswith('"'):
        try:
            return json.loads(word)
        except ValueError:
            return word
    return int(word) if word.isascii() and word.isdecimal() else word
