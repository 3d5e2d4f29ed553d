"""Which language speaks: messages are written in English here and shown in the reader's, French unless told."""

from __future__ import annotations

import gettext as _gettext
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

LANGUAGES = ("fr", "en")
"""The languages that Relais speaks, the default first."""

_LOCALE = Path(__file__).parent / "locale"


def default_language() -> str:
    """The language of this process: `RELAIS_LANGUAGE`, else French."""
    asked = os.environ.get("RELAIS_LANGUAGE", LANGUAGES[0])[:2].lower()
    return asked if asked in LANGUAGES else LANGUAGES[0]


_speaking: ContextVar[str | None] = ContextVar("language", default=None)


def current_language() -> str:
    """The language being spoken here and now."""
    return _speaking.get() or default_language()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language for a while; an unknown one leaves things as they are."""
    token = _speaking.set(language if language in LANGUAGES else _speaking.get())
    try:
        yield
    finally:
        _speaking.reset(token)


@lru_cache
def _catalogue(language: str) -> _gettext.NullTranslations:
    return _gettext.translation("relais", localedir=_LOCALE, languages=[language], fallback=True)


def _(message: str, /, **values: object) -> str:
    """The message in the reader's language, with its `{values}` filled in."""
    text = _catalogue(current_language()).gettext(message)
    return text.format(**values) if values else text


def ngettext(singular: str, plural: str, count: int, /, **values: object) -> str:
    """The message for that many, in the reader's language; `{count}` is always filled in."""
    text = _catalogue(current_language()).ngettext(singular, plural, count)
    return text.format(count=count, **values)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for a message to be translated later
    """Mark a message for the catalogue without translating it yet."""
    return message
