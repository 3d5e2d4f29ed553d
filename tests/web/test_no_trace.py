"""Who reads the portal leaves no trace: what they send is planted everywhere, and looked for everywhere."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import Engine, inspect, text
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.post import Kind, Post
from hub.domain.reach import Visit
from hub.web.app import create_app
from hub.web.guard import PRIVATE
from tests.shown import an_event, put_out
from tests.stage import Stage, serving
from tests.web.test_planted_secrets import Everything, listening

__all__ = ["listening"]

PLANTED = {
    "address": "203.0.113.77",
    "browser": "Fennec-Plantee/7.31",
    "latitude": "48.117306",
    "longitude": "-1.677926",
    "commune": "Rennes-la-Plantee",
    "before": "site-d-avant.example",
    "cookie": "biscuit-plante-91",
}
"""What a visitor sends, in words that are nowhere else."""

TYPED = (
    "q", "commune", "ou", "genre", "quoi", "lieu", "territoire", "lat", "lon", "latitude", "longitude", "position",
    "page", "rayon", "jusqua", "acces", "en_ligne", "distance", "date", "lng",
)  # fmt: skip
"""Names under which something may be typed, beside those that the routes tell of themselves."""

CONTROL = "Temoin-publie-4711"
"""Published, and so found: the search finds what is there."""


@pytest.fixture
def key(stage: Stage) -> str:
    """An item that is out, with a date and a link."""
    with writing(stage.hub.engine) as session:
        event = an_event("2026-11-20T14:00:00")
        link = "https://example.org/cfa"
        return put_out(session, stage, ["D-35"], kind=Kind.EVENT, text=CONTROL, event=event, link=link).key


def public_routes(app: FastAPI) -> list[tuple[str, str, set[str]]]:
    """Method, path and known names of fields of every route that is open to everybody."""
    found = []
    for one in iter_route_contexts(app.routes):
        route = one.original_route
        if not isinstance(route, APIRoute) or not one.path or one.path.startswith(PRIVATE):
            continue
        fields = {str(part.alias) for part in (*route.dependant.query_params, *route.dependant.body_params)}
        found += [(method, one.path, fields) for method in sorted(set(one.methods or ()) - {"OPTIONS"})]
    return found


def ways(path: str, key: str) -> Iterator[str]:
    """A path with what is there, and with what was planted, in each of its gaps."""
    marks = [PLANTED["commune"], f"{PLANTED['latitude']},{PLANTED['longitude']}"]
    known = [key, "C-35238", "35238", f"35238-{PLANTED['commune']}", f"14-{PLANTED['commune']}", "1", "0"]
    for value in (*known, *marks):
        yield re.sub(r"\{[^}]+\}", quote(value), path)
        if "{" not in path:
            return


def knock(door: HTTPConnection, method: str, path: str, fields: set[str], commune: str) -> int:
    """Ask as a visitor whose every word is planted."""
    typed = dict.fromkeys({*TYPED, *fields}, commune)
    typed |= dict.fromkeys(("lat", "latitude"), PLANTED["latitude"])
    typed |= dict.fromkeys(("lon", "lng", "longitude"), PLANTED["longitude"])
    typed["position"] = f"{PLANTED['latitude']},{PLANTED['longitude']}"
    headers = {
        "User-Agent": f"Mozilla/5.0 (Android 16; Mobile) Gecko/140 {PLANTED['browser']}",
        "X-Forwarded-For": PLANTED["address"],
        "X-Real-IP": PLANTED["address"],
        "Forwarded": f"for={PLANTED['address']}",
        "Referer": f"https://{PLANTED['before']}/?q={PLANTED['commune']}",
        "Cookie": f"relais={PLANTED['cookie']}; autre={PLANTED['cookie']}",
        "Accept-Language": "fr",
    }
    body = None
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(typed)
    door.request(method, f"{path}?{urlencode(typed)}", body, headers)
    answer = door.getresponse()
    told = answer.read().decode(errors="replace")
    assert answer.getheader("Set-Cookie") is None, path
    # What was typed may stand in the answer, since it is theirs; who they are never does.
    for name in ("address", "browser", "before", "cookie"):
        assert PLANTED[name] not in f"{told}{answer.getheaders()}", (path, name)
    return answer.status


def everything_stored(engine: Engine, folder: Path) -> dict[str, str]:
    """Every table in words, and the database file with what is beside it in bytes."""
    found = {}
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()
            found[table] = "\n".join(str(tuple(row)) for row in rows)
    if engine.dialect.name == "sqlite":
        source = Path(str(engine.url.database))
        for beside in source.parent.glob(f"{source.name}*"):
            found[f"file {beside.name}"] = (
                Path(shutil.copy(beside, folder / beside.name)).read_bytes().decode("latin-1")
            )
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(folder / "backup.db")) as backup:
            live.backup(backup)
        found["backup"] = (folder / "backup.db").read_bytes().decode("latin-1")
    return found


def test_nothing_of_a_visitor_is_kept_or_logged(
    stage: Stage, key: str, listening: Everything, tmp_path: Path, engine: Engine
):
    folder = tmp_path / "copies"
    folder.mkdir()
    app = create_app(stage.hub)
    routes = public_routes(app)
    statuses = set()
    with serving(app) as url:
        parts = urlsplit(url)
        door = HTTPConnection(str(parts.hostname), parts.port or 80, timeout=30)
        with closing(door):
            for method, path, fields in routes:
                for way in ways(path, key):
                    for commune in (PLANTED["commune"], f"35000 {PLANTED['commune']}", f"<b>{PLANTED['commune']}"):
                        statuses.add(knock(door, method, way, fields, commune))
            statuses.add(knock(door, "GET", f"/p/{key}", set(), ""))
    stored = everything_stored(engine, folder)
    said = "\n".join(listening.told)

    assert len(routes) >= 8
    assert {200, 404} <= statuses
    assert statuses & {500, 502, 503} == set()
    # The visits were counted, and the search finds what is there.
    with reading(engine) as session:
        assert sum(session.exec(select(Visit.count)).all()) > 0
        assert session.exec(select(Post.text)).all() == [CONTROL]
    assert [place for place in ("post", "delivery") if CONTROL in stored[place]] == ["post", "delivery"]
    assert engine.dialect.name != "sqlite" or CONTROL in stored["backup"]
    traces = [
        (name, place)
        for name, mark in PLANTED.items()
        for place, words in [*stored.items(), ("log", said)]
        if mark.lower() in words.lower() or quote(mark).lower() in words.lower()
    ]
    assert traces == []


def test_requests_of_public_pages_are_not_logged_one_by_one(stage: Stage, key: str, listening: Everything):
    with serving(create_app(stage.hub)) as url:
        parts = urlsplit(url)
        with closing(HTTPConnection(str(parts.hostname), parts.port or 80, timeout=30)) as door:
            for path in (f"/p/{key}", "/suivre/C-35238.atom", "/", "/api/v1/me"):
                door.request("GET", path)
                door.getresponse().read()

    lines = [one for one in listening.told if one.startswith("relais.access ")]
    assert len(lines) == 1
    assert "path=/api/v1/me" in lines[0]
