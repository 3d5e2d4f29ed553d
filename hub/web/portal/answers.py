"""Answers to everybody: pages that a proxy may keep for a while, without a cookie, and sorry pages with a way on."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from hub.domain.territory import COUNTRY, plain
from hub.language import _
from hub.services.nearby import Area
from hub.web.guard import SCRIPT_HASHES
from hub.web.pages import environment, of
from hub.wiring import Hub

MINUTES: Final = "public, max-age=120"
"""How long an area may be shown as it was: a browser and a proxy alike."""

HOURS: Final = "public, max-age=3600"

ASK_AGAIN: Final = "public, no-cache"
"""Kept, but asked about each time: what was taken down is gone at once, and each reader is counted."""


def public(
    request: Request,
    template: str,
    *,
    status: int = 200,
    keep: str = MINUTES,
    data: Mapping[str, Any] | None = None,
    **context: Any,
) -> Response:
    """A whole public page, or 304 to whoever has it already; `data`: what it tells machines, as JSON-LD."""
    hub: Hub = request.app.state.hub
    known: dict[str, Any] = {
        "path": request.url.path,
        "now": hub.now(),
        "site": hub.settings.public_url,
        "canonical": hub.settings.public_url + request.url.path,
        "json_ld": _block(request, data),
    }
    html = environment().get_template(template).render(**(known | context))
    return _kept(request, HTMLResponse(html, status), keep)


def kept(request: Request, body: str, media_type: str, *, keep: str) -> Response:
    """Something else that a proxy may keep."""
    return _kept(request, Response(body, media_type=media_type), keep)


def sorry(request: Request, status: int, sentence: str, **context: Any) -> Response:
    """What cannot be shown, in words, with a way on: the search, and all there is."""
    given = {"typed": "", "more": "", "found": []} | context
    return public(request, "portal/sorry.html", status=status, keep=ASK_AGAIN, sentence=sentence, **given)


def _kept(request: Request, answer: Response, keep: str) -> Response:
    answer.headers["Cache-Control"] = keep
    answer.headers["Vary"] = "Accept-Language"
    if answer.status_code != 200:
        return answer
    tag = f'W/"{hashlib.sha256(answer.body).hexdigest()[:20]}"'
    answer.headers["ETag"] = tag
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        same = {name: answer.headers[name] for name in ("Cache-Control", "Vary", "ETag")}
        return Response(status_code=304, headers=same)
    return answer


_UNSAFE: Final = re.compile("[<>&\u2028\u2029]")


def _block(request: Request, data: Mapping[str, Any] | None) -> Markup | None:
    """Data as a block that cannot end before its end, announced to the guard by what it holds."""
    if data is None:
        return None
    told = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(data, ensure_ascii=False))
    digest = base64.b64encode(hashlib.sha256(told.encode()).digest()).decode()
    setattr(request.state, SCRIPT_HASHES, [digest])
    return Markup(told)  # noqa: S704 - made safe right above


# --- Names ----------------------------------------------------------------------------------------------------

OVERSEAS: Final = frozenset({"A-40", "A-41", "A-42", "A-44"})
"""Services overseas that are no académie."""


def academie_name(code: str, name: str) -> str:
    """What an académie is called: « académie de Rennes »; a service overseas by its name alone."""
    return name if code in OVERSEAS else _("académie {name}", name=of(name))


def wide_name(area: Area, code: str) -> str:
    """What something wide that an area lies in is called."""
    if code == COUNTRY:
        return _("the whole of France")
    if code.startswith("R-"):
        return _("region {name}", name=area.name_of(code))
    return academie_name(code, area.name_of(code)) if code.startswith("A-") else area.name_of(code)


# --- Addresses ------------------------------------------------------------------------------------------------


def area_address(insee: str, name: str) -> str:
    """Where the page of a commune is."""
    return f"/c/{insee}-{slug(name)}"


def academie_address(code: str, name: str) -> str:
    """Where the page of an académie is; `code` with its prefix."""
    return f"/a/{code.removeprefix('A-')}-{slug(name)}"


def place_address(number: int | None, name: str) -> str:
    """Where the page of a structure is."""
    return f"/s/{number}-{slug(name)}"


def address_of(area: Area) -> str:
    """Where the page of an area is; of the whole country the home page."""
    if area.insee:
        return area_address(area.insee, area.name)
    return academie_address(area.code, area.name) if area.code.startswith("A-") else "/"


def slug(name: str) -> str:
    """A name as part of an address: small letters without accents, and hyphens."""
    return plain(name).replace(" ", "-")[:80] or "ici"
