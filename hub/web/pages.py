"""Pages: one environment of templates, and what every page may say."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hub.domain.territory import plain
from hub.language import N_, _, current_language, ngettext
from hub.web import security
from hub.wiring import Hub

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
HOME: Final = "Europe/Paris"

FIRST_OF_MONTH: Final = re.compile(r"(?<!\d)1 (?=[^\W\d])")
"""French says « 1er novembre » of the first day alone; the locale data say « 1 novembre »."""


DANGER_NUMBERS: Final = (
    ("tel:119", "119", N_("child in danger")),
    ("tel:3114", "3114", N_("suicidal thoughts")),
    ("tel:3018", "3018", N_("bullying, violence online")),
    ("tel:15", "15", N_("doctor, emergency")),
    ("tel:17", "17", N_("police")),
    ("tel:18", "18", N_("firefighters")),
    ("tel:112", "112", N_("any emergency")),
    ("sms:114", "114", N_("emergency by text message")),
)
"""In the foot of every public page: where a press of the thumb leads, the number, and a word on it."""


# --- Words for values -------------------------------------------------------------------------------------


def moment(at: datetime | None, zone: str = HOME, *, form: str = "d MMM y HH:mm") -> str:
    """A moment by the clocks of a zone: « 2 déc. 2026 18:00 »; a dash for none."""
    return "—" if at is None else _told(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), form, current_language())


def wall(typed: str, *, form: str = "EEEE d MMMM y, HH:mm") -> str:
    """A wall time as stored (`2026-12-01T18:00`), in words."""
    return _told(datetime.fromisoformat(typed), form, current_language())


def day(on: date, *, form: str = "EEEE d MMMM y") -> str:
    """A day in words."""
    return _told(datetime(on.year, on.month, on.day), form, current_language())  # noqa: DTZ001 - a day has no zone


def clock(at: datetime, zone: str = HOME) -> str:
    """The time of day in a zone."""
    return _told(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None), "HH:mm", current_language())


@lru_cache(maxsize=10_000)
def _told(wall_time: datetime, form: str, language: str) -> str:
    """Kept once worked out: the same days stand on many pages, and a list says forty of them."""
    told = format_datetime(wall_time, form, locale=language)
    return FIRST_OF_MONTH.sub("1er ", told) if language == "fr" and wall_time.day == 1 else told


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, or in how long, in words; a dash for none."""
    if at is None:
        return "—"
    return format_timedelta(at - now, add_direction=True, locale=current_language())


def number(value: float | Decimal | None, decimals: int | None = None) -> str:
    """A number as the reader writes it; a dash for what nobody said, which is never 0."""
    if value is None:
        return "—"
    form = None if decimals is None else "#,##0." + "0" * decimals
    return format_decimal(value, form, locale=current_language())


def query(**given: object) -> str:
    """A query string of what is given, without what is empty."""
    pairs = [(key, one) for key, value in given.items() for one in (value if isinstance(value, list) else [value])]
    told = urlencode([(key, str(value)) for key, value in pairs if value not in (None, "", False)])
    return f"?{told}" if told else ""


_ARTICLES: Final = (("Le ", "du "), ("Les ", "des "))


def of(name: str) -> str:
    """In French the name of a place behind « de »: « de Rennes », « d’Angers », « du Mans »; else the name alone."""
    if current_language() != "fr":
        return name
    for article, joined in _ARTICLES:
        if name.startswith(article):
            return joined + name.removeprefix(article)
    letters = plain(name)
    silent = letters[:1] in set("aeiou") or (letters[:1] == "y" and letters[1:2] not in set("aeiou"))
    return f"d’{name}" if silent else f"de {name}"


@cache
def asset(name: str) -> str:
    """The address of a static file, new with its content, so that browsers may keep it for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


# --- The environment --------------------------------------------------------------------------------------


@cache
def environment() -> Environment:
    """Every template of the house; what is written into one is escaped, and a missing name is a bug."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(_=_, ngettext=ngettext, asset=asset, query=query, language=current_language)
    made.globals.update(danger_numbers=DANGER_NUMBERS)
    made.filters.update(moment=moment, wall=wall, day=day, clock=clock, ago=ago, number=number, of=of)
    return made


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    key: str = "",
    **context: Any,
) -> HTMLResponse:
    """One whole page. `visit` is whoever is signed in (see `hub.web.visits`); templates may count on:

    `path`, `now`, `visit` or None, `csrf` (the token for forms), `said` (a message of the step before),
    `hold` (the stop that is on, shown everywhere). `key`: of a session that begins with this very answer.
    """
    hub: Hub = request.app.state.hub
    visit = getattr(request.state, "visit", None)
    said = _flash(request, hub) if request.url.path.startswith("/equipe") else None
    key, fresh = key or security.key_of(request, hub), ""
    if not key:
        key = fresh = security.fresh_key()
    known = {
        "path": request.url.path,
        "now": hub.now(),
        "visit": visit,
        "csrf": security.form_token(key),
        "said": said,
        "hold": getattr(request.state, "hold", None),
    }
    html = environment().get_template(template).render(**(known | context))
    answer = HTMLResponse(html, status, headers=headers)
    if said is not None:
        security.drop_cookie(answer, hub, security.FLASH)
    if fresh and request.url.path.startswith("/equipe"):
        security.set_cookie(answer, hub, security.VISITOR, fresh, seconds=12 * 3600)
    return answer


def fragment(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A piece of a page, for a module that puts it in its place."""
    return HTMLResponse(environment().get_template(template).render(**context), status)


# --- Going on ---------------------------------------------------------------------------------------------


def go(request: Request, to: str, said: str = "") -> RedirectResponse:
    """Lead to a page after something was done, with a message that it shows once."""
    answer = RedirectResponse(to, 303)
    if said:
        kept = base64.urlsafe_b64encode(said[:800].encode()).decode()
        security.set_cookie(answer, request.app.state.hub, security.FLASH, kept, seconds=60)
    return answer


def _flash(request: Request, hub: Hub) -> str | None:
    kept = request.cookies.get(security.cookie_name(hub, security.FLASH))
    if not kept:
        return None
    try:
        return base64.urlsafe_b64decode(kept[:2000].encode()).decode()[:800]
    except ValueError:
        return None


def local(path: str, otherwise: str = "/equipe") -> str:
    """The path if it is one of the staff pages, so that nobody is led elsewhere by a link to the entrance."""
    good = path.startswith("/equipe") and not any(bad in path for bad in ("\\", "\n", "\r", "//"))
    return path if good and len(path) <= 500 else otherwise


def spoken(values: Sequence[str]) -> str:
    """« a, b et c »."""
    if len(values) < 2:
        return "".join(values)
    return _("{first} and {last}", first=", ".join(values[:-1]), last=values[-1])
