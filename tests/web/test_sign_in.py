"""E-mail and password for a token, and how often one may try."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from sqlmodel import select

from hub.database import reading
from hub.domain.errors import Busy
from hub.domain.person import Token
from hub.web.app import create_app
from hub.web.guard import Turnstile
from tests.stage import NOON, PASSWORD, serving
from tests.web.conftest import Ask


def test_a_password_buys_a_named_token_that_opens_the_api(ask: Ask, engine):
    told = ask("POST", "/login", json={"email": "Animator@example.org", "password": PASSWORD, "name": "laptop"}).json()

    assert told["token"].startswith("relais_")
    me = ask("GET", "/me", headers={"Authorization": f"Bearer {told['token']}"}).json()
    assert me == told["person"]
    assert (me["name"], me["roles"]) == ("Animator", [{"kind": "animator", "territory": "A-14"}])
    with reading(engine) as session:
        assert session.exec(select(Token.hash).where(Token.name == "laptop")).one() != told["token"]


def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(ask: Ask):
    wrong = ask("POST", "/login", json={"email": "animator@example.org", "password": "guess"})
    unknown = ask("POST", "/login", json={"email": "nobody@example.org", "password": "guess"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_after_five_wrong_tries_the_right_one_waits_too(ask: Ask, stage):
    for _try in range(5):
        ask("POST", "/login", json={"email": "animator@example.org", "password": "guess"})
    right = {"email": "animator@example.org", "password": PASSWORD}

    assert ask("POST", "/login", json=right).status_code == 401
    stage.clock.forward(minutes=1)
    assert ask("POST", "/login", json=right).status_code == 200


def test_one_address_knocks_so_many_times_a_minute_and_no_more(stage):
    app = create_app(stage.hub)
    app.state.sign_ins = Turnstile(2, timedelta(minutes=1))
    typed = {"email": "nobody@example.org", "password": "x"}
    with serving(app) as url, httpx.Client(base_url=f"{url}/api/v1", trust_env=False) as client:
        statuses = [client.post("/login", json=typed).status_code for _knock in range(3)]
        stage.clock.forward(seconds=61)
        later = client.post("/login", json=typed).status_code

    assert statuses == [401, 401, 429]
    assert later == 401


def test_thirty_knocks_a_minute_are_let_through(stage):
    turnstile = create_app(stage.hub).state.sign_ins
    for _knock in range(30):
        turnstile.pass_through("192.0.2.1", NOON)

    with pytest.raises(Busy):
        turnstile.pass_through("192.0.2.1", NOON)
    turnstile.pass_through("192.0.2.2", NOON)
