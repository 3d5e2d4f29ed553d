"""What nobody may read in a log or an error: secrets that this process knows, and whatever stands where one stands."""

from __future__ import annotations

import json
import re
import threading
from typing import Final
from urllib.parse import quote, quote_plus

from channels.session import SHORTEST_SECRET, mask

_SHAPES: Final = re.compile(
    r"""
    # As libraries print pairs: ('oauth_token', 'x'), (b'Authorization', b'x').
    (['"](?:[a-z_]*(?:token|secret|password|verifier|signature|proof)|authorization|cookie|set-cookie)['"],\s*b?['"])
        [^'"]+
    # Headers, as text.
  | (\b(?:Authorization|Proxy-Authorization|Cookie|Set-Cookie):\s*)[^\r\n'"]+
  | (\bBasic\s+)[A-Za-z0-9+/=_-]{8,}
    # Fields of forms and queries.
  | (\b(?:password|new_password|again|passwd|csrf|code_verifier|totp)(?:=|%3D|["']:\s*["']))[^&\s"',)]+
  | (\b(?:code|state|secret|token)(?:=|%3D|["']:\s*["']))[^&\s"',)]{16,}
    # A name and a password within an address.
  | ([a-z][a-z0-9+.-]*://[^\s/:@'"]+:)[^\s/@'"]+(?=@)
    # Private links, and our cookies.
  | (/equipe/(?:bienvenue|calendrier)/)[^\s/"'?]{20,}
  | (\b(?:__Host-)?relais(?:-visiteur)?=)[^;\s"']{16,}
    # What is known by its looks: our tokens, Facebook's, encrypted texts and their keys, hashes of passwords.
  | \brelais_[A-Za-z0-9_-]{16,}
  | \bEAA[A-Za-z0-9]{20,}
  | \bgAAAA[A-Za-z0-9_-]{20,}={0,2}
  | (?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])
  | \$argon2[^\s'"]+
    """,
    re.IGNORECASE | re.VERBOSE,
)

_LOCK: Final = threading.Lock()
_known: set[str] = set()
"""Of the whole process, as its log is: whoever writes a line cannot know which secrets others hold."""
_forms: tuple[str, ...] = ()
"""Those secrets in every spelling, the longest first."""


def remember(*secrets: str | None) -> None:
    """Mask these from now on, wherever they stand; what is short is left alone, it would take words apart."""
    global _forms
    fresh = {one for one in secrets if one and len(one) >= SHORTEST_SECRET} - _known
    if not fresh:
        return
    with _LOCK:
        _known.update(fresh)
        spelled = {form for one in _known for form in _spellings(one)}
        _forms = tuple(sorted(spelled, key=len, reverse=True))


def _spellings(secret: str) -> set[str]:
    as_bytes, as_json = repr(secret.encode())[2:-1], json.dumps(secret)[1:-1]
    return {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), as_bytes, as_json}


def masked(text: str) -> str:
    """A text without any secret."""
    for form in _forms:
        if form in text:
            text = text.replace(form, "***")
    return _SHAPES.sub(lambda found: f"{next(filter(None, found.groups()), '')}***", mask(text))
