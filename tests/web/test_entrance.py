"""Signing in and out in a browser, single-use links, and what happens when a session ends in the middle of a form."""

from __future__ import annotations

import re

import pytest

from hub.database import reading, writing
from hub.domain.errors import NotSignedIn
from hub.domain.person import RoleKind
from hub.domain.sign_in import Purpose
from hub.services import joining, visiting
from hub.web.app import create_app
from hub.web.security import form_token
from tests.stage import PASSWORD, Stage, serving
from tests.web.conftest import Browser


def hidden(html: str, name: str) -> list[str]:
    """The values of a hidden field of a page."""
    return re.findall(rf'name="{re.escape(name)}" value="([^"]*)"', html)


def test_whoever_is_not_signed_in_is_led_to_the_entrance_and_back_to_where_they_wanted_to_go(browse):
    browser = browse()

    led = browser.get("/equipe/moi", follow=False)
    answer = browser.post(
        "/equipe/connexion",
        {"email": "animator@example.org", "password": PASSWORD, "suite": "/equipe/moi"},
        follow=False,
    )

    assert led.status_code == 303
    assert led.headers["location"] == "/equipe/connexion?suite=%2Fequipe%2Fmoi"
    assert (answer.status_code, answer.headers["location"]) == (303, "/equipe/moi")


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example/equipe", "/equipe//evil", "/equipe\\x"])
def test_the_entrance_leads_nowhere_else(browse, elsewhere):
    answer = browse().post(
        "/equipe/connexion",
        {"email": "animator@example.org", "password": PASSWORD, "suite": elsewhere},
        follow=False,
    )

    assert answer.headers["location"] == "/equipe"


def test_a_wrong_password_keeps_the_address_and_never_the_password(browse):
    answer = browse().post("/equipe/connexion", {"email": "animator@example.org", "password": "not the right one"})

    assert answer.status_code == 401
    assert 'value="animator@example.org"' in answer.text
    assert "not the right one" not in answer.text
    assert "Wrong e-mail address or password." in answer.text


def test_the_cookie_of_a_session_is_out_of_reach_of_scripts_and_of_other_sites(browse):
    answer = browse().post("/equipe/connexion", {"email": "animator@example.org", "password": PASSWORD}, follow=False)

    [cookie] = [
        one for one in answer.headers.get_list("set-cookie") if one.startswith("relais=") and "Max-Age=0" not in one
    ]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=604800"} <= parts


def test_a_stranger_and_a_known_person_are_refused_in_the_same_words(browse):
    browser = browse()

    known = browser.post("/equipe/connexion", {"email": "animator@example.org", "password": "x" * 12})
    unknown = browser.post("/equipe/connexion", {"email": "nobody@example.org", "password": "x" * 12})

    words = [re.findall(r'<div class="notice bad".*?</div>', one.text, re.S) for one in (known, unknown)]
    assert words[0] == words[1]
    assert known.status_code == unknown.status_code == 401


def test_signing_out_ends_the_session_at_once(browse, stage: Stage):
    browser = browse("animator")
    cookie = browser.client.cookies["relais"]

    browser.post("/equipe/deconnexion")

    with reading(stage.hub.engine) as session, pytest.raises(NotSignedIn):
        visiting.entered(session, cookie, at=stage.clock())


@pytest.mark.parametrize(
    ("spans", "holds"), [([{"hours": 1.9}] * 6, True), ([{"hours": 1.9}] * 7, False), ([{"hours": 2}], False)]
)
def test_a_session_ends_after_two_idle_hours_and_after_twelve_at_most(browse, stage: Stage, spans, holds):
    browser = browse("animator")

    for span in spans:
        stage.clock.forward(**span)
        answer = browser.get("/equipe/connexion", follow=False)

    assert (answer.status_code == 303) is holds


def test_a_form_sent_after_the_session_ended_goes_on_after_signing_in(browse, stage: Stage):
    browser = browse("animator")
    token = browser.token
    stage.clock.forward(hours=3)

    stopped = browser.post("/equipe/deconnexion", {"csrf": token, "text": "Des mots <précieux>\nsur deux lignes"})
    assert stopped.status_code == 401
    carried = {"garde-vers": "/equipe/deconnexion", "garde:text": "Des mots <précieux>\nsur deux lignes"}
    assert hidden(stopped.text, "garde-vers") == ["/equipe/deconnexion"]
    assert hidden(stopped.text, "garde:csrf") == []
    answer = browser.post("/equipe/connexion", {"email": "animator@example.org", "password": PASSWORD} | carried)

    assert answer.status_code == 200
    assert 'action="/equipe/deconnexion"' in answer.text
    assert hidden(answer.text, "text") == ["Des mots &lt;précieux&gt;\nsur deux lignes"]


def test_a_form_sent_the_next_morning_still_goes_on_after_signing_in(browse, stage: Stage):
    browser = browse("animator")
    token = browser.token
    stage.clock.forward(hours=14)

    stopped = browser.post("/equipe/deconnexion", {"csrf": token, "text": "écrit hier soir"})

    assert stopped.status_code == 401
    assert hidden(stopped.text, "garde:text") == ["écrit hier soir"]


def test_a_form_from_another_site_is_not_carried_through_the_entrance(browse):
    answer = browse().post("/equipe/deconnexion", {"text": "planted"}, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert "planted" not in answer.text


@pytest.mark.parametrize(
    "change",
    [{"csrf": ""}, {"csrf": "x" * 88}, {"csrf": form_token("somebody else's session")}],
    ids=["none", "rubbish", "foreign"],
)
def test_a_change_without_the_token_of_the_session_is_refused(browse, change):
    browser = browse("animator")

    assert browser.post("/equipe/deconnexion", change).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_a_change_sent_from_elsewhere_is_refused_even_with_a_token(browse, headers):
    assert browse("animator").post("/equipe/deconnexion", headers=headers).status_code == 403


def test_an_invited_person_chooses_a_password_once(browse, stage: Stage):
    with writing(stage.hub.engine) as session:
        _person, plain = visiting.invite(
            session, email="new@example.org", name="Nour", by=stage.people["administrator"], at=stage.clock()
        )
    browser = browse()

    page = browser.get(f"/equipe/bienvenue/{plain}")
    chosen = {"password": "lampe herbe canal sept", "again": "lampe herbe canal sept"}
    first = browser.post(f"/equipe/bienvenue/{plain}", chosen, follow=False)
    second = browse().post(f"/equipe/bienvenue/{plain}", chosen)

    assert "Welcome, Nour." in page.text
    assert (first.status_code, first.headers["location"]) == (303, "/equipe")
    assert second.status_code == 404
    assert (
        joining.sign_in(stage.hub.engine, "new@example.org", "lampe herbe canal sept", at=stage.clock()).name == "Nour"
    )


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"password": "court", "again": "court"}, "The password is too short: at least 12 characters."),
        (
            {"password": "lampe herbe canal sept", "again": "autre"},
            "The two passwords differ. Type the same one twice.",
        ),
    ],
)
def test_a_poor_choice_is_told_and_the_link_stays_good(browse, stage: Stage, typed, sentence):
    with writing(stage.hub.engine) as session:
        plain = visiting.make_ticket(
            session, stage.people["animator"].id, Purpose.RESET, by="operator", at=stage.clock()
        )
    browser = browse()

    answer = browser.post(f"/equipe/bienvenue/{plain}", typed)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert typed["password"] not in answer.text.replace(sentence, "")
    assert browser.get(f"/equipe/bienvenue/{plain}").status_code == 200


@pytest.mark.parametrize(("purpose", "hours"), [(Purpose.RESET, 1), (Purpose.INVITATION, 7 * 24)])
def test_a_link_ends(browse, stage: Stage, purpose, hours):
    with writing(stage.hub.engine) as session:
        plain = visiting.make_ticket(session, stage.people["animator"].id, purpose, by="operator", at=stage.clock())
    stage.clock.forward(hours=hours)

    answer = browse().get(f"/equipe/bienvenue/{plain}")

    assert answer.status_code == 404
    assert "This link has been used already, or is too old." in answer.text
    ways = re.findall(r'<a class="button[^"]*" href="([^"]+)">', answer.text)
    assert ways == ["/equipe/mot-de-passe", "/equipe/connexion"]


def test_a_forgotten_password_is_answered_alike_for_everybody_and_mailed_to_its_owner_only(stage: Stage):
    with serving(create_app(stage.hub)) as url:
        browser = Browser(url, stage)
        known = browser.post("/equipe/mot-de-passe", {"email": "animator@example.org"})
        unknown = browser.post("/equipe/mot-de-passe", {"email": "not-known@example.org"})
        browser.client.close()

    # The server has ended, so what it did after its answers is done.
    assert known.text.replace("animator@", "X@") == unknown.text.replace("not-known@", "X@")
    assert known.status_code == unknown.status_code == 200
    [mail] = (stage.hub.settings.home / "mails").glob("*.eml")
    assert "To: Animator <animator@example.org>" in mail.read_text()


def test_a_new_password_and_a_new_role_end_every_session(browse, stage: Stage):
    one, other = browse("animator"), browse("colleague")

    with writing(stage.hub.engine) as session:
        joining.set_password(session, stage.people["animator"].id, password_hash="x", by="operator", at=stage.clock())
        joining.give_role(
            session, stage.people["colleague"].id, RoleKind.ANALYST, "FR", by="operator", at=stage.clock()
        )

    assert [browser.get("/equipe/connexion", follow=False).status_code for browser in (one, other)] == [200, 200]


def test_an_unknown_address_is_told_kindly_with_a_way_on(browse):
    answer = browse("animator").get("/equipe/nulle-part")

    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text
    assert 'href="/equipe"' in answer.text


def test_a_program_that_asks_a_page_for_json_gets_a_problem_document(browse):
    answer = browse().get("/equipe/moi", headers={"Accept": "application/json"}, follow=False)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
