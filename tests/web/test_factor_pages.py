"""The second factor in a browser: set up, shown after the password, recovered from, and asked of some."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pyotp
import pytest
import segno

from hub.database import reading, writing
from hub.secrets import write_new_key
from hub.services import agreeing, proving
from hub.web.app import create_app
from hub.web.qr import picture
from tests.stage import PASSWORD, Stage
from tests.web.conftest import Browser
from tests.web.test_pages_guarded import OPEN, opened, staff

OWN = "/equipe/moi/second-facteur"

AT_THE_DOOR = {
    "/equipe/connexion/code",
    "/equipe/deconnexion",
    OWN,
    f"{OWN}/debut",
    f"{OWN}/appareil",
}
"""What is open to whoever showed their password only: the second factor itself, and the way out."""


@pytest.fixture(autouse=True)
def key(stage: Stage) -> None:
    """A key for what is sealed."""
    write_new_key(stage.hub.settings.key_file)


def code(stage: Stage, secret: str, **later: float) -> str:
    return pyotp.TOTP(secret).at(stage.clock() + timedelta(**later))


def set_up(stage: Stage, who: str = "coordinator") -> tuple[str, list[str]]:
    """Their authenticator and recovery codes."""
    with writing(stage.hub.engine) as session:
        actor = stage.people[who]
        secret = proving.begin(session, stage.hub.vault, by=actor, at=stage.clock()).secret
        _proof, codes = proving.confirm(session, stage.hub.vault, code(stage, secret), by=actor, at=stage.clock())
    stage.clock.forward(minutes=1)
    return secret, codes


def require(stage: Stage) -> None:
    with writing(stage.hub.engine) as session:
        agreeing.agree(session, {"second_factor": True}, by=stage.people["administrator"], at=stage.clock())


def sign_in(browser: Browser, who: str = "coordinator", **more: str):
    return browser.post("/equipe/connexion", {"email": f"{who}@example.org", "password": PASSWORD} | more)


def found(pattern: str, page: str) -> str:
    match = re.search(pattern, page, re.DOTALL)
    assert match is not None, page
    return html.unescape(match[1])


def heading(answer) -> str:
    return found(r"<h1>(.*?)</h1>", answer.text)


def secret_on(page: str) -> str:
    """What the page tells for typing."""
    return re.sub(r"<[^>]+>|\s", "", found(r'<p class="key"><code>(.*?)</code>', page))


# --- Setting up ---------------------------------------------------------------------------------------------


def test_it_is_set_up_in_three_steps_and_the_recovery_codes_are_shown_once(browse, stage: Stage):
    browser = browse("animator")

    browser.get(OWN)
    shown = browser.post(f"{OWN}/debut", {"suite": "/equipe/publications"})
    secret = secret_on(shown.text)
    codes = browser.post(f"{OWN}/appareil", {"code": code(stage, secret), "suite": "/equipe/publications"})

    assert (heading(shown), heading(codes)) == ("Set up your device", "Your recovery codes")
    told = re.findall(r"<li><code>([0-9a-z-]{14})</code></li>", codes.text)
    assert len(set(told)) == 10
    assert '<a class="button main" href="/equipe/publications">' in codes.text
    later = browser.get(OWN)
    assert later.status_code == 200
    assert "Recovery codes left</dt><dd>10</dd>" in later.text
    assert told[0] not in later.text


def test_the_picture_and_the_link_tell_the_same_secret(browse, stage: Stage):
    page = browse("animator").post(f"{OWN}/debut").text

    address = found(r'href="(otpauth://[^"]+)"', page)
    qr = picture(address)
    assert f"secret={secret_on(page)}" in address
    assert f'viewBox="0 0 {qr.side} {qr.side}"' in page
    assert f'd="{qr.path}"' in page


def test_a_wrong_first_code_is_said_beside_its_field_and_the_secret_stays(browse, stage: Stage):
    browser = browse("animator")
    secret = secret_on(browser.post(f"{OWN}/debut").text)

    refused = browser.post(f"{OWN}/appareil", {"code": "abc"})

    assert refused.status_code == 422
    assert "This code is not right" in refused.text
    assert secret_on(refused.text) == secret
    with reading(stage.hub.engine) as session:
        assert proving.is_on(session, stage.people["animator"].id) is False


def test_coming_back_to_the_device_page_without_a_secret_leads_to_the_beginning(browse):
    browser = browse("animator")

    assert browser.get(f"{OWN}/appareil", follow=False).headers["location"] == OWN
    assert browser.post(f"{OWN}/appareil", {"code": "123456"}, follow=False).headers["location"] == OWN


# --- After the password -------------------------------------------------------------------------------------


def test_after_the_password_a_code_is_asked_for_and_nothing_opens_before_it(browse, stage: Stage):
    secret, _codes = set_up(stage)
    browser = browse()

    asked = sign_in(browser, suite=OWN)
    elsewhere = browser.get("/equipe/moi/second-facteur", follow=False)
    done = browser.post("/equipe/connexion/code", {"code": code(stage, secret), "suite": OWN})

    assert heading(asked) == "Your code"
    assert 'autocomplete="one-time-code" inputmode="numeric"' in asked.text
    assert elsewhere.headers["location"].startswith("/equipe/connexion/code")
    assert heading(done) == "Second factor"


@pytest.mark.parametrize("owed", ["code", "device"])
def test_no_page_at_all_opens_to_whoever_still_owes_the_second_factor(browse, stage: Stage, owed: str):
    if owed == "code":
        set_up(stage)
    else:
        require(stage)
    browser, there = browse("coordinator"), "/equipe/connexion/code" if owed == "code" else OWN
    closed = [(method, path) for method, path in staff(create_app(stage.hub)) if path not in OPEN | AT_THE_DOOR]
    token = {"X-CSRF-Token": browser.token}

    told = {}
    for method, path in closed:
        answer = browser.client.request(method, opened(path), headers=token)
        told[method, path] = (answer.status_code, answer.headers.get("location", "").partition("?")[0])

    assert len(closed) > 50
    assert told == dict.fromkeys(closed, (303, there))


@pytest.mark.parametrize("path", [OWN, f"{OWN}/debut", f"{OWN}/appareil"])
def test_whoever_owes_a_code_cannot_set_up_another_device_instead(browse, stage: Stage, path: str):
    set_up(stage)
    browser = browse("coordinator")

    answers = [browser.post(path, {"wish": "off", "code": "123456"}, follow=False), browser.get(path, follow=False)]

    assert answers[0].headers["location"].startswith("/equipe/connexion/code")
    assert answers[1].status_code == 405 or answers[1].headers["location"].startswith("/equipe/connexion/code")


def test_the_session_goes_on_under_a_new_cookie(browse, stage: Stage):
    secret, _codes = set_up(stage)
    browser = browse()
    sign_in(browser)
    before = browser.client.cookies["relais"]

    browser.post("/equipe/connexion/code", {"code": code(stage, secret)}, follow=False)

    assert browser.client.cookies["relais"] != before
    browser.client.cookies.set("relais", before)
    assert browser.get(OWN, follow=False).headers["location"].startswith("/equipe/connexion")


def test_a_wrong_code_is_said_and_after_five_of_them_one_waits(browse, stage: Stage):
    secret, _codes = set_up(stage)
    browser = browse()
    sign_in(browser)

    tries = [browser.post("/equipe/connexion/code", {"code": "000 00x"}) for _number in range(5)]
    waiting = browser.post("/equipe/connexion/code", {"code": code(stage, secret)})
    stage.clock.forward(seconds=31)
    done = browser.post("/equipe/connexion/code", {"code": code(stage, secret)}, follow=False)

    assert [one.status_code for one in tries] == [422, 422, 422, 422, 429]
    assert (waiting.status_code, "Wait 30 seconds" in waiting.text) == (429, True)
    assert done.status_code == 303


def test_a_recovery_code_opens_once_and_tells_how_many_are_left(browse, stage: Stage):
    _secret, codes = set_up(stage)
    browser = browse()
    sign_in(browser)

    done = browser.post("/equipe/connexion/code", {"code": codes[0].upper(), "suite": OWN})
    other = browse()
    sign_in(other)
    again = other.post("/equipe/connexion/code", {"code": codes[0]})

    assert "You used a recovery code; 9 are left." in done.text
    assert again.status_code == 422


def test_a_form_that_was_being_sent_is_carried_past_the_code_too(browse, stage: Stage):
    secret, _codes = set_up(stage)
    browser = browse()
    carried = {"garde-vers": "/equipe/reglages", "garde:silence_days": "21"}

    asked = sign_in(browser, **carried)
    wrong = browser.post("/equipe/connexion/code", {"code": "x"} | carried)
    done = browser.post("/equipe/connexion/code", {"code": code(stage, secret)} | carried)

    for page in (asked, wrong):
        assert '<input type="hidden" name="garde:silence_days" value="21">' in page.text
    assert heading(done) == "Go on where you were"
    assert '<form method="post" action="/equipe/reglages"' in done.text
    assert '<input type="hidden" name="silence_days" value="21">' in done.text


def test_without_a_second_factor_no_code_is_asked_for(browse):
    browser = browse("animator")

    assert browser.get("/equipe/connexion/code", follow=False).headers["location"] == "/equipe"
    assert browser.post("/equipe/connexion/code", {"code": "1"}, follow=False).headers["location"] == "/equipe"


def test_the_code_page_is_for_those_who_showed_a_password(browse):
    assert heading(browse().get("/equipe/connexion/code")) == "Sign in"


# --- Where it was agreed on ---------------------------------------------------------------------------------


def test_a_coordinator_without_one_is_led_to_set_it_up_before_anything_else(browse, stage: Stage):
    require(stage)
    browser = browse("coordinator")

    led = browser.get("/equipe/reglages", follow=False)
    page = browser.get(led.headers["location"])
    secret = secret_on(browser.post(f"{OWN}/debut").text)
    codes = browser.post(f"{OWN}/appareil", {"code": code(stage, secret)})

    assert led.headers["location"] == f"{OWN}?suite=%2Fequipe%2Freglages"
    assert "One more step before you go on." in page.text
    assert 'href="/equipe/validation"' not in page.text
    assert heading(codes) == "Your recovery codes"
    assert 'href="/equipe/validation"' in codes.text
    assert browser.get("/equipe/reglages").status_code == 200


def test_an_animator_is_not_asked_for_one(browse, stage: Stage):
    require(stage)

    assert "One more step" not in browse("animator").get(OWN).text


def test_it_cannot_be_turned_off_where_it_was_agreed_on(browse, stage: Stage):
    require(stage)
    secret, _codes = set_up(stage)
    browser = browse()
    sign_in(browser)
    browser.post("/equipe/connexion/code", {"code": code(stage, secret)})
    stage.clock.forward(minutes=1)

    page = browser.get(OWN)
    refused = browser.post(OWN, {"wish": "off", "code": code(stage, secret)})

    assert 'value="off"' not in page.text
    assert (refused.status_code, "must have a second factor" in refused.text) == (409, True)


# --- Changing it --------------------------------------------------------------------------------------------


@pytest.fixture
def inside(browse, stage: Stage) -> tuple[Browser, str]:
    """Somebody who came in with their code, and their secret."""
    secret, _codes = set_up(stage, "animator")
    browser = browse()
    sign_in(browser, "animator")
    browser.post("/equipe/connexion/code", {"code": code(stage, secret)}, follow=False)
    stage.clock.forward(minutes=1)
    return browser, secret


def test_each_change_needs_a_code(inside, stage: Stage):
    browser, _secret = inside

    statuses = {wish: browser.post(OWN, {"wish": wish, "code": "x"}).status_code for wish in ("codes", "device", "off")}

    assert statuses == {"codes": 422, "device": 422, "off": 422}
    with reading(stage.hub.engine) as session:
        assert proving.is_on(session, stage.people["animator"].id) is True


def test_what_to_do_must_be_chosen_before_a_code_is_spent(inside, stage: Stage):
    browser, secret = inside

    refused = browser.post(OWN, {"code": code(stage, secret)})
    done = browser.post(OWN, {"wish": "codes", "code": code(stage, secret)})

    assert (refused.status_code, "Choose what to do." in refused.text) == (422, True)
    assert heading(done) == "Your recovery codes"


def test_another_device_takes_its_place(inside, stage: Stage):
    browser, secret = inside

    page = browser.post(OWN, {"wish": "device", "code": code(stage, secret)})
    fresh = secret_on(page.text)
    done = browser.post(f"{OWN}/appareil", {"code": code(stage, fresh)})

    assert fresh != secret
    assert heading(done) == "Your recovery codes"


def test_its_owner_turns_it_off(inside, stage: Stage):
    browser, secret = inside

    done = browser.post(OWN, {"wish": "off", "code": code(stage, secret)})

    assert "Your second factor is off." in done.text
    with reading(stage.hub.engine) as session:
        assert proving.is_on(session, stage.people["animator"].id) is False


@pytest.mark.parametrize("path", ["/equipe/connexion/code", OWN, f"{OWN}/debut", f"{OWN}/appareil"])
def test_nothing_changes_without_the_token_of_a_page(browse, path: str):
    browser = browse("animator")

    assert browser.client.post(path, data={"code": "1"}).status_code == 403


def test_the_picture_of_a_text_has_its_margin_and_every_dark_module():
    drawn = picture("relais")

    assert drawn.side == 21 + 8
    assert sum(int(run) for run in re.findall(r"h(\d+)v1", drawn.path)) == sum(
        sum(row) for row in segno.make("relais", error="m", micro=False).matrix
    )
    assert drawn.path.startswith("M4 4h7v1h-7z")
