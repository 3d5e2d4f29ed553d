"""Passwords: which are good enough, how they are kept, and a check that costs the same whoever knocks."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.domain.errors import Busy, Invalid
from hub.language import _

SHORTEST, LONGEST = 12, 128
"""Length of a password, in characters; nothing is asked of its composition."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)
"""argon2id with 46 MiB and two passes: 50 to 250 ms on the machines that this runs on."""

SLOTS = threading.BoundedSemaphore(2)
"""At most two at once: each takes memory and a core, and everybody may knock."""

WAIT = 3.0
"""Seconds to wait for a slot: whoever comes later is told to come back, so that a rush holds no thread for long."""

_WORD = 6
"""The fewest letters that tell a common password by themselves."""

_DECORATION = 8
"""That many digits and signs around a common password do not make it a good one."""

_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_NOT_WORD = re.compile(r"[\W_]+")


@contextmanager
def _slot() -> Iterator[None]:
    if not SLOTS.acquire(timeout=WAIT):
        raise Busy(_("Many people are signing in right now. Try again in a moment."))
    try:
        yield
    finally:
        SLOTS.release()


@dataclass(frozen=True)
class Verdict:
    """What a check showed; `stale` asks for a new hash, since the present one is weaker than today's."""

    good: bool
    stale: bool = False


def hashed(password: str) -> str:
    """The argon2id hash of a password; slow on purpose, so never inside a transaction."""
    with _slot():
        return _HASHER.hash(_same(password))


def check(known: str | None, password: str) -> Verdict:
    """Compare a password with a hash; without one, take the same time and say no."""
    tried = _same(password[: LONGEST * 2])
    with _slot():
        try:
            _HASHER.verify(known or _nobody(), tried)
        except (VerificationError, InvalidHashError):
            return Verdict(good=False)
    if not known:
        return Verdict(good=False)
    return Verdict(good=True, stale=_HASHER.check_needs_rehash(known))


@cache
def _nobody() -> str:
    """The hash that strangers are compared with."""
    return _HASHER.hash("nobody knocks with these words")


def require_good(password: str, *, email: str = "", name: str = "") -> None:
    """Raise Invalid, with every reason, unless this password may protect that person's account."""
    problems = []
    if len(password) < SHORTEST:
        problems.append(_("The password is too short: at least {count} characters.", count=SHORTEST))
    if len(password) > LONGEST:
        problems.append(_("The password is too long: at most {count} characters.", count=LONGEST))
    if not problems and _is_common(password):
        problems.append(_("This password is among the first that a burglar tries. Take four words that have no link."))
    if not problems and any(part in _letters(password) for part in _own_words(email, name)):
        problems.append(_("The password must not hold the name or the e-mail address of its owner."))
    if problems:
        raise Invalid(" ".join(problems), field="password")


def _same(password: str) -> str:
    """One form for the same letters, however a keyboard composes its accents."""
    return unicodedata.normalize("NFKC", password)


def _plain(text: str) -> str:
    """Lower case without accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _letters(text: str) -> str:
    return _NOT_WORD.sub("", _plain(text))


def _core(text: str) -> str:
    """Without the digits and signs at both ends."""
    return _EDGES.sub("", text)


@cache
def common() -> frozenset[str]:
    """The common passwords that we ship, in plain lower case."""
    lines = resources.files("hub").joinpath("data/common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(_plain(line.strip()) for line in lines if line.strip() and not line.startswith("#"))


@cache
def _common_cores() -> frozenset[str]:
    """What is left of the common ones without their decoration, where that is still a word."""
    return frozenset(core for core in (_NOT_WORD.sub("", _core(line)) for line in common()) if len(core) >= _WORD)


def _is_common(password: str) -> bool:
    plain = _plain(password)
    packed = _NOT_WORD.sub("", plain)
    if plain in common() or packed in common() or len(set(packed)) < 5 or _is_row(packed) or _is_repeated(packed):
        return True
    core = _NOT_WORD.sub("", _core(plain))
    return core in _common_cores() and len(plain) - len(core) <= _DECORATION


def _is_row(text: str) -> bool:
    """Whether nearly each letter follows the one before: 123456789012, abcdefghijkl, and backwards."""
    steps = [(ord(b) - ord(a)) for a, b in pairwise(text)]
    return any(sum(step in {way, -9 * way} for step in steps) >= 0.8 * len(steps) for way in (1, -1))


def _is_repeated(text: str) -> bool:
    """Whether it is one short piece said again and again: soleilsoleil, abc1abc1abc1."""
    return any(
        len(text) % size == 0 and text == text[:size] * (len(text) // size) for size in range(1, len(text) // 2 + 1)
    )


def _own_words(email: str, name: str) -> Iterable[str]:
    """What everybody knows of a person: address, its local part, the whole name and its longer parts."""
    words = [email, email.partition("@")[0], name, *(part for part in name.split() if len(part) >= 5)]
    return [word for word in map(_letters, words) if len(word) >= 4]
