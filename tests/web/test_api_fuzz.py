"""The API takes whatever is sent to it: every operation, as its own OpenAPI document describes it and otherwise."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, Config, GenerationMode
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.generation.overrides import Override
from sqlalchemy import Engine
from sqlmodel import select

from channels import Refused, Uncertain
from hub import media
from hub.database import build_engine, writing
from hub.domain.delivery import Delivery, DeliveryState
from hub.web import api
from hub.web.app import create_app
from hub.web.guard import Turnstile
from tests import postgresql
from tests.sizes import size
from tests.stage import PASSWORD, Stage, build_stage, serving
from tests.web.conftest import Ask, a_draft

Operation = APIOperation[Any, Any, Any, Any]
Sent = Case[Any]

ROLES: Final[tuple[str | None, ...]] = size(
    ci=("coordinator", "animator"), long=("coordinator", "animator", "analyst", "administrator", None)
)
"""None is a stranger, who has no token."""

CASES: Final = size(ci=25, long=500)
"""How many generated cases each operation gets from each role, beside those of its document's edges."""

EDGES_BY: Final = size(ci=ROLES[:1], long=ROLES)
"""Who also sends what is at the edges: most of it is refused before anybody looks at roles."""

EDGES: Final = size(ci=40, long=10_000)
"""At most so many of those for one operation, spread evenly: a post alone has four hundred."""

REFUSED: Final = {400, 401, 405, 413, 422}
"""What the door says before anybody looks at what is asked for."""

PICTURES: Final = "POST /api/v1/media"
"""No picture comes about by chance: all that is generated for it is refused."""

PICTURE: Final = "ab" * 32
EVENT: Final = {"timings": [{"begin": "2026-11-10T18:00", "end": "2026-11-10T20:00"}], "venue": "CFA"}


def _operations() -> dict[str, bool]:
    """Every operation of the API, and whether it asks for a token; the document that is served must agree."""
    app = FastAPI()
    app.include_router(api.router)
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path}": "security" in paths[path][method] for path in paths for method in paths[path]}


OPERATIONS: Final = _operations()
ASKED: Final = [(who, label) for who in ROLES for label, private in OPERATIONS.items() if private or who == ROLES[0]]
"""Who asks for what: what asks for no token cannot tell one role from another."""


# --- A hub in which numbers mean something, as it was before each case ------------------------------------


@dataclass
class World:
    """The application, served, on a database that can be put back; what may be asked for by number."""

    stage: Stage
    app: FastAPI
    url: str
    restore: Callable[[], None]
    schema: BaseSchema
    posts: list[int]
    deliveries: list[int]

    def operation(self, label: str) -> Operation:
        """An operation of the document by its name."""
        method, path = label.split(" ")
        return self.schema[path][method]


@dataclass
class Furniture:
    """What is in the database that every test starts from."""

    stage: Stage
    place: Path | str
    """A file, or the name of a database of the server."""
    posts: list[int]
    deliveries: list[int]
    fingerprints: list[str]


@pytest.fixture(scope="module")
def furniture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furniture]:
    """Posts in every state, deliveries that went out, failed, wait for a person, are to come."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in [name for name in os.environ if name.startswith("RELAIS_")]:
            patch.delenv(name)
        patch.setenv("RELAIS_LANGUAGE", "en")
        home = tmp_path_factory.mktemp("fuzz")
        place: Path | str
        if request.config.getoption("--postgres"):
            server = request.getfixturevalue("server")
            place = stack.enter_context(server.database(request.getfixturevalue("server_template")))
            engine = build_engine(server.url(place))
        else:
            place = Path(shutil.copyfile(request.getfixturevalue("small_template"), home / "furnished.db"))
            engine = build_engine(f"sqlite:///{place}")
        stage = build_stage(engine, home)
        with serving(create_app(stage.hub)) as url, httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            furnished = _furnish(Ask(client, stage), place)
        engine.dispose()
        yield furnished


def _furnish(ask: Ask, place: Path | str) -> Furniture:
    stage = ask.stage
    with writing(stage.hub.engine) as session:
        picture = media.Cleaned(PICTURE, "image/png", 1, 1, b"a picture")
        media.keep(session, picture, at=stage.clock())

    def write(text: str, **more: Any) -> int:
        answer = ask("POST", "/posts", "animator", json=a_draft(text=text, **more))
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def hand_in(text: str, **more: Any) -> int:
        number = write(text, **more)
        assert ask("POST", f"/posts/{number}/submit", "animator").status_code == 200
        return number

    def approve(text: str, **more: Any) -> int:
        number = hand_in(text, **more)
        assert ask.approve(number).status_code == 200
        return number

    # Submitted posts come first: the least number that the document allows is one that much can be done to.
    submitted = [hand_in("À relire"), hand_in("À relire aussi", when="2026-11-12T18:00")]
    drafts = [
        write("Brouillon", pictures=[{"id": PICTURE, "alt": "Un atelier."}]),
        write(
            "Événement", event={"timings": [{"begin": "2026-11-10T18:00", "end": "2026-11-10T20:00"}], "venue": "CFA"}
        ),
    ]
    withdrawn, returned = write("Retirée"), hand_in("Rendue")
    assert ask("POST", f"/posts/{withdrawn}/withdraw", "animator").status_code == 200
    assert ask("POST", f"/posts/{returned}/return", "coordinator", json={"reason": "Trop court"}).status_code == 200
    later = [approve("À venir", when="2026-11-20T18:00"), approve("Tenue", when="2026-11-21T18:00")]
    for error in (None, Refused("Too long."), Uncertain("No answer.")):
        stage.clock.forward(hours=1)
        when = f"2026-11-02T{stage.clock().hour + 2:02}:00"
        later.append(approve(f"Dit {error}", when=when, accounts=["facebook:A-14"]))
        stage.clock.forward(hours=1)
        if error is not None:
            stage.channel("rennes").fail_next(error)
        assert stage.run_due() == 1
    with writing(stage.hub.engine) as session:
        deliveries = session.exec(select(Delivery)).all()
        doubted = next(one for one in deliveries if one.state is DeliveryState.UNKNOWN)
        doubted.state = DeliveryState.REVIEW
        session.add(doubted)
        numbers = [one.id for one in deliveries if one.id]
    seen = [ask("GET", f"/posts/{one}/preview", "coordinator").json()["fingerprint"] for one in submitted]
    return Furniture(stage, place, [*submitted, *drafts, withdrawn, returned, *later], numbers, seen)


@pytest.fixture
def world(furniture: Furniture, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same hub at the beginning of every test."""
    with ExitStack() as stack:
        engine, put_back = _database(furniture, request, tmp_path, stack)
        stage = replace(furniture.stage, hub=replace(furniture.stage.hub, engine=engine))
        app = create_app(stage.hub)
        url = stack.enter_context(serving(app))

        def restore() -> None:
            put_back()
            app.state.sign_ins = Turnstile(30, timedelta(minutes=1))

        document = httpx.get(f"{url}/api/v1/openapi.json", trust_env=False).json()
        schema = schemathesis.openapi.from_dict(document, config=_config(furniture))
        yield World(stage, app, url, restore, schema, furniture.posts, furniture.deliveries)


def _database(
    furniture: Furniture, request: pytest.FixtureRequest, folder: Path, stack: ExitStack
) -> tuple[Engine, Callable[[], None]]:
    """An engine on a copy of what was furnished, and what makes that copy anew."""
    if isinstance(furniture.place, Path):
        template, file = furniture.place, folder / "relais.db"
        shutil.copyfile(template, file)
        engine = build_engine(f"sqlite:///{file}")

        def put_back() -> None:
            engine.dispose()
            for name in ("relais.db-wal", "relais.db-shm"):
                (folder / name).unlink(missing_ok=True)
            shutil.copyfile(template, file)

    else:
        server: postgresql.Server = request.getfixturevalue("server")
        name = stack.enter_context(server.database(furniture.place))
        engine = build_engine(server.url(name))

        def put_back() -> None:
            engine.dispose()
            server.tell(f"DROP DATABASE {name} WITH (FORCE)")
            server.tell(f"CREATE DATABASE {name} TEMPLATE {furniture.place} STRATEGY file_copy")

    stack.callback(engine.dispose)
    return engine, put_back


def _config(furniture: Furniture) -> Config:
    """Values that mean something to this hub are tried often, beside whatever the document allows."""
    known: dict[str, tuple[list[Any], float]] = {
        "path.post_id": (furniture.posts, 0.8),
        "path.delivery_id": (furniture.deliveries, 0.8),
        "query.post": (furniture.posts, 0.5),
        "query.account": (list(furniture.stage.accounts.values()), 0.5),
        "query.territory": (["FR", "A-14", "D-35", "R-53", "C-35238"], 0.5),
        "query.query": (["Rennes", "35000", "35238", "saint"], 0.5),
        "query.near": (["48.11,-1.67", "0,0", "90,180", "nan,nan", "1e400,0"], 0.5),
        "header.if-match": (['"1"', "*", 'W/"2"', "9" * 40], 0.5),
        "body.fingerprint": (furniture.fingerprints, 0.7),
        "body.audience[*]": (["FR", "A-14", "D-35", "A-32"], 0.7),
        "body.accounts[*]": (["facebook:A-14", "portal:FR", "x:FR", "1", "2", "Page x"], 0.7),
        "body.release[*]": (["1", "2", "2:A-14", "5"], 0.7),
        "body.zone": (["local", "Europe/Paris", "Pacific/Noumea"], 0.7),
        "body.when": (["2026-11-10T18:00", "2026-03-29T02:30", "2200-12-31T23:59", "9999-12-31T23:59"], 0.7),
        "body.pictures[*].id": ([PICTURE], 0.7),
        "body.link": (["https://example.org/cfa", "http://[::1", "https://exa mple.org"], 0.7),
        "body.email": (["animator@example.org", "nobody@example.org"], 0.7),
        "body.password": ([PASSWORD], 0.5),
    }
    return Config.from_dict(
        {
            "dictionaries": {f"d{number}": {"values": values} for number, (values, _) in enumerate(known.values())},
            "parameters": {
                name: {"dictionary": f"d{number}", "probability": often}
                for number, (name, (_, often)) in enumerate(known.items())
            },
            # Who asks is ours to say: a token of its own would only hide that something else was wrong.
            "generation": {"with-security-parameters": False},
            # A failure is repeated with the command that it prints; these tokens open nothing but a test.
            "output": {"sanitization": {"enabled": False}},
            "checks": {
                # What the document allows may still be against a rule that no schema can tell, such as a time gone by.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429"]},
            },
        }
    )


# --- What is sent -----------------------------------------------------------------------------------------


def test_the_document_that_is_served_tells_of_every_operation(world: World) -> None:
    paths = world.schema.raw_schema["paths"]

    assert {
        f"{method.upper()} {path}" for path in paths for method in paths[path] if path.startswith("/api/")
    } == OPERATIONS.keys()


@pytest.mark.proof
@pytest.mark.parametrize(("who", "label"), ASKED)
def test_an_operation_takes_whatever_is_sent(world: World, who: str | None, label: str) -> None:
    operation = world.operation(label)
    headers = {"Authorization": f"Bearer {world.stage.tokens[who]}"} if who else {}
    answered: set[int] = set()
    with requests.Session() as session:
        session.trust_env = False

        def send(case: Sent) -> None:
            response = case.call_and_validate(base_url=world.url, session=session, headers=headers)
            answered.add(response.status_code)
            if case.method != "GET" and (response.status_code < 400 or case.path == "/api/v1/login"):
                world.restore()

        if who in EDGES_BY:
            edges = list(_edges(operation))
            for case in edges[:: -(-len(edges) // EDGES)]:
                send(case)
        _generated(operation, send)

    assert answered - REFUSED or label == PICTURES or not (who and OPERATIONS[label]), "nothing got past the door"


def _edges(operation: Operation) -> CoverageGenerator:
    """Values at and beyond each bound of the document, fields left out or doubled, other methods, other content."""
    return CoverageGenerator(
        operation=operation,
        generation_modes=list(GenerationMode),
        generation_config=operation.schema.config.generation_for(operation=operation, phase="coverage"),
        auth_storage=None,
        override=Override(),
        feedback=NO_FEEDBACK,
    )


def _generated(operation: Operation, send: Callable[[Sent], None]) -> None:
    """As many as asked for, of what the document allows and of what it does not."""
    cases = st.one_of([operation.as_strategy(generation_mode=mode, feedback=NO_FEEDBACK) for mode in GenerationMode])
    chosen = settings(
        max_examples=CASES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    chosen(given(case=cases)(lambda case: send(case)))()


# --- What no document can describe ------------------------------------------------------------------------

BODIES: Final[dict[str, dict[str, Any]]] = {
    "POST /api/v1/login": {"email": "animator@example.org", "password": "x", "name": "tests", "code": "123456"},
    "POST /api/v1/posts": a_draft(
        variants={"1": "Autre"}, pictures=[{"id": PICTURE, "alt": "Un atelier."}], zone="local", fold="later",
        useless_after="2026-11-12T18:00", accepts_unlimited=False, event=EVENT | {
            "zone": "Europe/Paris", "address": "1 rue", "commune": "35238", "online": "https://example.org/",
            "registration": {"link": "https://example.org/", "phone": "02", "email": "a@example.org"},
            "ages": {"min": 1, "max": 2}, "conditions": "Aucune", "accessibility": ["hearing"]},
    ),
    "POST /api/v1/posts/{post_id}/submit": {"confirm_repeats": True},
    "POST /api/v1/posts/{post_id}/withdraw": {"reason": "Non"},
    "POST /api/v1/posts/{post_id}/approve": {"fingerprint": "x", "hold": {"1": "Non"}, "release": ["1"]},
    "POST /api/v1/posts/{post_id}/return": {"reason": "Non"},
    "POST /api/v1/deliveries/{delivery_id}/resolve": {"action": "found", "remote_id": "1_2", "reason": "Vu"},
    "POST /api/v1/deliveries/{delivery_id}/remove": {"reason": "Non"},
}  # fmt: skip
"""One of each kind, with every field."""
BODIES["PUT /api/v1/posts/{post_id}"] = BODIES["POST /api/v1/posts"]

ODD_JSON: Final = (
    r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udfff\ud800"', '"\u202e\ufffe\U0010ffff"', '""', '" "', "null", "true",
    "0", "-1", "1e400", "-1e400", "NaN", "Infinity", "1e-400", str(2**31), str(2**63), str(-(2**63) - 1), "9" * 5000,
    f'"{2**31}"', f'"{2**63}"', '"' + "9" * 5000 + '"', '"' + "x" * 100_000 + '"', "[]", "{}", "[null]", '{"":0}',
    "[" * 900 + "]" * 900, "[" * 5000 + "]" * 5000, '{"a":' * 900 + "1" + "}" * 900, '{"a":' * 5000 + "1" + "}" * 5000,
    '"9999-12-31T23:59:59"', '"0001-01-01T00:00"', '"2026-02-30T12:00"', '"2026-10-25T02:30"', '"-1-01-01"',
    r'["\u0000"]', r'{"\u0000":"x"}', r'{"\ud800":"x"}', r'["\ud800"]', r'[["\ud800"]]', r'{"a":{"b":"\u0000"}}',
)  # fmt: skip
ODD_QUERIES: Final = (
    "", "%00", "a%00b", "%ED%A0%80", "%FF", "%F0%9F%8E%88", "9" * 30, "9" * 5000, str(2**63), "-1", "1e400", "NaN", "0",
    "null", "%20", "%25", "9999-12-31", "0001-01-01", "2026-02-30", "nan,nan", "1e999,0", "x" * 10_000, "%E2%80%AE",
)  # fmt: skip


def _odd_bodies(body: Any) -> Iterator[str]:
    """A body with one place of it after the other replaced by each odd value."""
    mark = "the odd one"

    def marked(value: Any) -> Iterator[Any]:
        yield mark
        if isinstance(value, dict):
            for name, part in value.items():
                yield from (value | {name: one} for one in marked(part))
            yield value | {mark: "x"}
        if isinstance(value, list):
            for place, part in enumerate(value):
                yield from ([*value[:place], one, *value[place + 1 :]] for one in marked(part))

    for template in marked(body):
        for odd in ODD_JSON:
            if f'"{mark}":' not in json.dumps(template) or odd.startswith('"'):
                yield json.dumps(template).replace(f'"{mark}"', odd)


def _address(world: World, path: str) -> str:
    return world.url + path.format(post_id=world.posts[0], delivery_id=world.deliveries[0])


@pytest.mark.parametrize("label", size(ci=[one for one in BODIES if not one.startswith("PUT")], long=[*BODIES]))
def test_an_odd_value_in_any_place_of_a_body_is_answered_in_a_documented_way(world: World, label: str) -> None:
    method, path = label.split(" ")
    documented = world.schema.raw_schema["paths"][path][method.lower()]["responses"]
    bodies = list(_odd_bodies(BODIES[label]))[:: size(ci=4, long=1)]
    headers = {"Authorization": f"Bearer {world.stage.tokens['coordinator']}", "Content-Type": "application/json"}
    odd = []
    with httpx.Client(trust_env=False, timeout=30) as client:
        for body in bodies:
            answer = client.request(method, _address(world, path), content=body.encode(), headers=headers)
            if str(answer.status_code) not in documented:
                odd.append((answer.status_code, body[:300]))
            if answer.status_code < 400:
                world.restore()

    assert odd == []


@pytest.mark.parametrize("label", [one for one in OPERATIONS if one.startswith("GET ")])
def test_an_odd_value_in_an_address_is_answered_in_a_documented_way(world: World, label: str) -> None:
    path = label.removeprefix("GET ")
    described = world.schema.raw_schema["paths"][path]["get"]
    names = [one["name"] for one in described.get("parameters", []) if one["in"] == "query"]
    headers = {"Authorization": f"Bearer {world.stage.tokens['coordinator']}"}
    asked = [f"{_address(world, path)}?{name}={odd}" for name in names for odd in ODD_QUERIES]
    # An address without its number is that of the list, with a stroke too many.
    asked += [world.url + re.sub("{.*?}", odd, path) for odd in ODD_QUERIES if odd and "{" in path]
    odd = []
    with httpx.Client(trust_env=False, timeout=30) as client:
        for url in asked:
            status = client.get(url, headers=headers).status_code
            if str(status) not in described["responses"]:
                odd.append((status, url[:300]))

    assert odd == []
