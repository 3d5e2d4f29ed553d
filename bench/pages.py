"""A list page beside a bare FastAPI + Jinja page of the same posts (goal: 0.5 of its requests per second), and with 10 000 posts beside 100 (goal: 0.8)."""  # noqa: E501

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment
from sqlalchemy import Engine
from sqlmodel import Session, col, insert, select

from hub.database import build_engine, migrate, writing
from hub.domain.person import Person, RoleKind
from hub.domain.post import Kind, Post, PostAudience, PostState
from hub.domain.territory import Level, Territory
from hub.services import importing, joining, visiting
from hub.settings import Settings
from hub.web.app import create_app
from hub.wiring import wire

PAGE = "/equipe/publications"
TURNS, REQUESTS = 7, 60

BARE = """<!doctype html>
<html lang="fr"><head><title>Publications</title><link rel="stylesheet" href="/x.css"></head><body>
<header><nav><ul>{% for n in range(20) %}<li><a href="/{{ n }}">Page {{ n }}</a></li>{% endfor %}</ul></nav></header>
<main><h1>Publications</h1>
<form method="get"><label for="t">Mots</label><input id="t" name="t" value="{{ asked.t }}">
{% for name, some in choices.items() %}
<label for="{{ name }}">{{ name }}</label>
<select id="{{ name }}" name="{{ name }}">
{% for value, label in some %}
<option value="{{ value }}"{% if value == asked[name] %} selected{% endif %}>{{ label }}</option>
{% endfor %}
</select>
{% endfor %}
<button>Filtrer</button></form>
<ul class="lines posts">
{% for post in posts %}
<li><a class="title" href="/equipe/publications/{{ post.id }}">{{ post.text.split("\n")[0] }}</a>
<p class="meta"><span class="badge quiet">{{ post.state.value }}</span>
<span>{{ post.kind.value }}</span>
<span>{{ post.first_due_at.strftime("%a %d %b %Y, %H:%M") }}</span>
<span>{{ audiences[post.id]|join(", ") }}</span>
<span>{{ authors[post.author_id] }}</span></p></li>
{% endfor %}
</ul></main></body></html>"""
"""The same content as our page, as somebody would write it in an afternoon."""


def build(home: Path, posts: int) -> tuple[Engine, str]:
    """A hub with that many posts all over the country, and the cookie of a national coordinator."""
    engine = build_engine(f"sqlite:///{home / 'relais.db'}")
    migrate(engine)
    now = datetime.now(UTC)
    with writing(engine) as session:
        importing.load_reference(session, at=now)
        person = joining.add_person(session, email="who@example.org", name="Who", at=now, by="operator")
        assert person.id is not None
        joining.give_role(session, person.id, RoleKind.COORDINATOR, "FR", by="operator", at=now)
        lands = session.exec(select(Territory.code).where(Territory.level == Level.ACADEMIE)).all()
        cookie = visiting.enter(session, person.id, device="bench", at=now)
        for start in range(0, posts, 500):
            numbers = range(start, min(start + 500, posts))
            session.exec(insert(Post).values([_post(number, person.id, now) for number in numbers]))
            session.exec(
                insert(PostAudience).values(
                    [{"post_id": number + 1, "territory_code": lands[number % len(lands)]} for number in numbers]
                )
            )
    return engine, cookie


def _post(number: int, author: int, now: datetime) -> dict[str, object]:
    due = now + timedelta(minutes=number)
    return {
        "id": number + 1,
        "kind": "event",
        "state": "draft",
        "version": 1,
        "text": f"Portes ouvertes numéro {number} au centre de formation\n\nVenez voir les ateliers.",
        "wall_time": due.strftime("%Y-%m-%dT%H:%M"),
        "zone": "Europe/Paris",
        "first_due_at": due,
        "useless_after": due + timedelta(days=1),
        "author_id": author,
        "changed_by_id": author,
        "seed": "x",
        "territory_code": "FR",
        "created_at": now,
        "changed_at": now,
    }


def bare(engine: Engine) -> FastAPI:
    """The same posts with the same choices, for anybody: no session, no permission, no language, no search."""
    app = FastAPI()
    template = Environment(autoescape=True, loader=DictLoader({"page": BARE})).get_template("page")

    @app.get(PAGE)
    def show(etat: str = "", genre: str = "", territoire: str = "", t: str = "") -> HTMLResponse:
        asked = {"etat": etat, "genre": genre, "territoire": territoire, "t": t}
        with Session(engine) as session:
            level = select(Territory.code, Territory.name).where(Territory.level == Level.ACADEMIE)
            lands = dict(session.exec(level).all())
            posts = session.exec(select(Post).order_by(col(Post.id).desc()).limit(40)).all()
            ids = [post.id for post in posts]
            audiences: dict[int, list[str]] = {}
            for one in session.exec(select(PostAudience).where(col(PostAudience.post_id).in_(ids))):
                audiences.setdefault(one.post_id, []).append(lands[one.territory_code])
            authors = dict(session.exec(select(Person.id, Person.name)).all())
            choices = {
                "etat": [(one.value, one.value) for one in PostState],
                "genre": [(one.value, one.value) for one in Kind],
                "territoire": sorted(lands.items()),
            }
            told = {"asked": asked, "choices": choices, "authors": authors, "audiences": audiences}
            return HTMLResponse(template.render(posts=posts, **told))

    return app


def serve(which: str, home: str) -> None:
    """Serve one side on a free port, and say which."""
    engine = build_engine(f"sqlite:///{home}/relais.db")
    settings = Settings(home=Path(home))
    app = bare(engine) if which == "bare" else create_app(wire(settings, engine=engine))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, ws="none", lifespan="off", timeout_keep_alive=600
        )
        uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def asked(which: str, home: Path, cookie: str) -> Iterator[Callable[[], bytes]]:
    """A process that serves one side, and a function that asks it for the page."""
    command = [sys.executable, "-m", "bench.pages", which, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()))

        def ask() -> bytes:
            connection.request("GET", PAGE, headers={"Cookie": f"relais={cookie}", "Accept-Language": "fr"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, (answer.status, body[:300])
            return body

        try:
            ask()
            yield ask
        finally:
            process.terminate()


def per_second(ask: Callable[[], bytes]) -> float:
    """Requests per second over one turn."""
    began = perf_counter()
    for _number in range(REQUESTS):
        ask()
    return REQUESTS / (perf_counter() - began)


def in_turns(one: Callable[[], bytes], other: Callable[[], bytes]) -> tuple[list[float], float, float]:
    """The ratio of each pair of turns, and the median speed of both sides."""
    pairs = [(per_second(one), per_second(other)) for _turn in range(TURNS)]
    return [a / b for a, b in pairs], median(a for a, _b in pairs), median(b for _a, b in pairs)


def main() -> int:
    """Measure both questions; 1 when a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        homes = {}
        for posts in (100, 10_000):
            home = Path(folder) / str(posts)
            home.mkdir()
            engine, cookie = build(home, posts)
            engine.dispose()
            homes[posts] = home, cookie
        home, cookie = homes[10_000]
        small, small_cookie = homes[100]
        with (
            asked("page", home, cookie) as page,
            asked("page", small, small_cookie) as few,
            asked("bare", home, cookie) as plain,
        ):
            assert [len(re.findall(rb"Portes ouvertes num", body())) for body in (page, few, plain)] == [40, 40, 40]
            good = [
                told("list page / bare page of the same posts", 0.5, *in_turns(page, plain)),
                told("list of 10 000 posts / list of 100", 0.8, *in_turns(page, few)),
            ]
    return 0 if all(good) else 1


def told(question: str, goal: float, ratios: list[float], one: float, other: float) -> bool:
    """Print one line, and say whether the goal is met."""
    ratio = median(ratios)
    print(
        f"{question}: {ratio:.2f} (goal: at least {goal}; turns {min(ratios):.2f} to {max(ratios):.2f}; "
        f"{one:.0f} and {other:.0f} requests per second)"
    )
    return ratio >= goal


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(*sys.argv[1:])
    else:
        sys.exit(main())
