"""E-mail and password for a token, and how often one may try."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import httpx
import pyotp
import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.audit import OPERATOR
from hub.domain.errors import Busy
from hub.domain.person import RoleKind, Token
from hub.secrets import write_new_key
from hub.services import agreeing, joining, proving
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


@pytest.fixture
def secret(stage) -> str:
    """The authenticator of the coordinator."""
    hub = stage.hub
    write_new_key(hub.settings.key_file)
    with writing(hub.engine) as session:
        secret = proving.begin(session, hub.vault, by=stage.people["coordinator"], at=hub.now()).secret
        code = pyotp.TOTP(secret).at(hub.now())
        proving.confirm(session, hub.vault, code, by=stage.people["coordinator"], at=hub.now())
    stage.clock.forward(minutes=1)
    return secret


def test_whoever_has_a_second_factor_shows_it_for_a_token_too(ask: Ask, stage, secret: str):
    right = {"email": "coordinator@example.org", "password": PASSWORD}
    without = ask("POST", "/login", json=right)
    wrong = ask("POST", "/login", json=right | {"code": "no code"})
    good = ask("POST", "/login", json=right | {"code": pyotp.TOTP(secret).at(stage.clock())})
    again = ask("POST", "/login", json=right | {"code": pyotp.TOTP(secret).at(stage.clock())})

    assert [one.status_code for one in (without, wrong, good, again)] == [422, 422, 200, 422]
    assert [one["field"] for one in without.json()["problems"]] == ["code"]


def test_where_a_second_factor_was_agreed_on_no_token_is_had_without_one(ask: Ask, stage):
    with writing(stage.hub.engine) as session:
        agreeing.agree(session, {"second_factor": True}, by=stage.people["administrator"], at=stage.clock())

    statuses = {
        who: ask("POST", "/login", json={"email": f"{who}@example.org", "password": PASSWORD}).status_code
        for who in ("animator", "analyst", "coordinator", "administrator")
    }

    assert statuses == {"animator": 200, "analyst": 200, "coordinator": 403, "administrator": 403}


def test_a_token_from_before_opens_no_more_than_a_session_until_its_holder_has_a_second_factor(
    ask: Ask, stage, secret: str
):
    with writing(stage.hub.engine) as session:
        agreeing.agree(session, {"second_factor": True}, by=stage.people["administrator"], at=stage.clock())
        promoted = stage.people["animator"].id
        joining.give_role(session, promoted, RoleKind.COORDINATOR, "FR", by=OPERATOR, at=stage.clock())

    answers = {who: ask("GET", "/me", who) for who in ("animator", "colleague", "coordinator", "deputy")}

    assert {who: answer.status_code for who, answer in answers.items()} == {
        "animator": 403,
        "colleague": 200,
        "coordinator": 200,
        "deputy": 403,
    }
    assert answers["animator"].json()["detail"] == (
        "Your role asks for a second factor. Sign in with a browser first, and set it up there."
    )


@pytest.mark.parametrize(
    ("addresses", "most"),
    [
        (["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff::"], 2),
        (["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:4::1"], 3),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3"], 3),
        (["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"], 2),
    ],
)
def test_a_house_with_countless_addresses_knocks_as_often_as_one_with_one(addresses, most):
    gate, passed = Turnstile(2, timedelta(minutes=1)), 0

    for address in addresses:
        with suppress(Busy):
            gate.pass_through(address, NOON)
            passed += 1

    assert passed == most


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
