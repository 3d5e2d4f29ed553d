"""My account in a browser: mails, password, sessions, keys; everybody's own and nobody else's."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.notice import Rhythm
from hub.domain.person import Person, Scope
from hub.domain.sign_in import Purpose
from hub.mail import FileMailer, MemoryMailer, NotSent
from hub.services import joining, visiting
from hub.web.app import create_app
from hub.web.links import send_link
from tests.beside import dump
from tests.stage import PASSWORD, Stage, serving
from tests.web.conftest import Ask, Browser

HERE = "/equipe/moi"
NEW = "cinq autres mots bien choisis"

Browse = Callable[..., Browser]


def words(page: str) -> str:
    """What a page says, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def section(page: str, name: str) -> str:
    """What one section of the page says."""
    return words(page.split(f'aria-labelledby="{name}">')[1].split("</section>")[0])


def rhythm(stage: Stage, name: str = "animator") -> Rhythm:
    with reading(stage.hub.engine) as session:
        person = session.get(Person, stage.people[name].id)
        assert person is not None
        return person.mail_rhythm


def actions(stage: Stage, like: str) -> list[str]:
    with reading(stage.hub.engine) as session:
        query = select(AuditEntry.action).where(col(AuditEntry.action).startswith(like)).order_by(col(AuditEntry.id))
        return list(session.exec(query))


def test_it_says_who_one_is_and_which_roles_one_holds_where(browse: Browse) -> None:
    page = browse("animator").get(HERE)

    assert page.status_code == 200
    assert section(page.text, "who").startswith("Animator E-mail address animator@example.org Animator Rennes An admin")


def test_strangers_are_led_to_the_entrance(browse: Browse) -> None:
    assert browse().get(HERE, follow=False).headers["location"] == "/equipe/connexion?suite=%2Fequipe%2Fmoi"


# --- Mails ----------------------------------------------------------------------------------------------------


def test_the_present_rhythm_is_chosen_already_and_another_one_is_kept(browse: Browse, stage: Stage) -> None:
    browser = browse("animator")
    before = re.findall(r'value="(\w+)" checked', browser.get(HERE).text)

    page = browser.post(f"{HERE}/messages", {"rhythm": "daily"})

    assert before == ["at_once"]
    assert re.findall(r'value="(\w+)" checked', page.text) == ["daily"]
    assert "Your choice about mails is kept." in words(page.text)
    assert (rhythm(stage), actions(stage, "person.mails")) == (Rhythm.DAILY, ["person.mails"])


def test_the_daily_mail_comes_by_ones_own_clock(browse: Browse) -> None:
    assert "Once a day, all in one mail, at 7:00 (time of Guadeloupe)" in words(browse("stranger").get(HERE).text)


@pytest.mark.parametrize("typed", ["", "hourly"])
def test_a_rhythm_that_there_is_not_is_told_beside_the_choice(browse: Browse, stage: Stage, typed: str) -> None:
    page = browse("animator").post(f"{HERE}/messages", {"rhythm": typed})

    assert page.status_code == 422
    assert '<p class="wrong" id="rhythm-wrong">Choose when mails shall come.</p>' in page.text
    assert rhythm(stage) is Rhythm.AT_ONCE


# --- Password -------------------------------------------------------------------------------------------------


def change(browser: Browser, **typed: str) -> str:
    usual = {"old_password": PASSWORD, "password": NEW, "again": NEW}
    answer = browser.post(f"{HERE}/mot-de-passe", usual | typed)
    return words(answer.text) if answer.status_code == 200 else f"{answer.status_code} {words(answer.text)}"


def with_cookie(browse: Browse, value: str) -> Browser:
    """A browser that holds this cookie and no other."""
    browser = browse()
    browser.client.cookies.set("relais", value)
    return browser


def test_a_new_password_ends_other_sessions_and_keys_and_this_session_goes_on_under_a_new_cookie(
    browse: Browse, stage: Stage
) -> None:
    here, elsewhere = browse("animator"), browse("animator")
    old = here.client.cookies["relais"]

    answer = here.post(f"{HERE}/mot-de-passe", {"old_password": PASSWORD, "password": NEW, "again": NEW}, follow=False)

    fresh = answer.cookies["relais"]
    opened = [with_cookie(browse, one).get(HERE, follow=False).status_code for one in (old, fresh)]
    assert answer.headers["location"] == f"{HERE}#main"
    assert opened == [303, 200]
    assert elsewhere.get(HERE, follow=False).status_code == 303
    with reading(stage.hub.engine) as session:
        tokens = joining.list_tokens(session, stage.people["animator"].id)
    assert [one.revoked_at for one in tokens] == [stage.clock()]
    assert joining.sign_in(stage.hub.engine, "animator@example.org", NEW, at=stage.clock()).name == "Animator"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"old_password": "faux"}, "This is not your present password."),
        ({"old_password": ""}, "Type the password that you have now."),
        ({"old_password": "x" * 1001}, "This is not your present password."),
        ({"password": "court", "again": "court"}, "The password is too short: at least 12 characters."),
        ({"again": "autre chose encore"}, "The two passwords differ. Type the same one twice."),
        ({"password": PASSWORD, "again": PASSWORD}, "This is the password that you have already."),
    ],
)
def test_what_is_wrong_with_a_new_password_is_told_and_nothing_changes(
    browse: Browse, stage: Stage, typed: dict[str, str], told: str
) -> None:
    browser = browse("animator")

    said = change(browser, **typed)

    assert said.startswith("422")
    assert told in said
    assert [word for word in (PASSWORD, NEW, "faux") if word in said] == []
    assert joining.sign_in(stage.hub.engine, "animator@example.org", PASSWORD, at=stage.clock()).name == "Animator"


def test_guessing_the_present_password_is_slowed_down_as_at_the_entrance(browse: Browse) -> None:
    browser = browse("animator")
    for _try in range(5):
        change(browser, old_password="faux")

    right = change(browser)

    assert "After five wrong tries, wait for up to 15 minutes." in right


def test_the_fields_stay_open_where_something_is_to_be_mended(browse: Browse) -> None:
    browser = browse("animator")
    answer = browser.post(f"{HERE}/mot-de-passe", {})

    assert '<details class="fold-form" open>' in answer.text
    assert '<details class="fold-form">' in browser.get(HERE).text


# --- Sessions -------------------------------------------------------------------------------------------------


def test_sessions_are_listed_and_one_elsewhere_is_ended(browse: Browse, stage: Stage) -> None:
    elsewhere, here = browse("animator"), browse("animator")
    listed = section(here.get(HERE).text, "sessions").count("since 2 Nov 2026")
    (other,) = re.findall(r"/equipe/moi/sessions/(\d+)/fin", here.get(HERE).text)

    page = here.post(f"{HERE}/sessions/{other}/fin")

    assert listed == 2
    assert "That session has ended." in words(page.text)
    assert elsewhere.get(HERE, follow=False).status_code == 303
    assert actions(stage, "session.end") == ["session.end"]


def test_all_other_sessions_end_at_once(browse: Browse) -> None:
    others, here = [browse("animator") for _one in range(2)], browse("animator")

    page = here.post(f"{HERE}/sessions/autres")
    again = here.post(f"{HERE}/sessions/autres")

    assert "2 other sessions have ended." in words(page.text)
    assert "There was no other session." in words(again.text)
    assert [one.get(HERE, follow=False).status_code for one in others] == [303, 303]


def test_sessions_of_others_are_not_found(browse: Browse, stage: Stage) -> None:
    colleague = browse("colleague")
    with reading(stage.hub.engine) as session:
        (theirs,) = visiting.list_open(session, stage.people["colleague"].id, at=stage.clock())

    answer = browse("administrator").post(f"{HERE}/sessions/{theirs.id}/fin")

    assert answer.status_code == 404
    assert colleague.get(HERE, follow=False).status_code == 200


# --- Keys -----------------------------------------------------------------------------------------------------


def test_keys_are_listed_and_revoked(browse: Browse, ask: Ask, stage: Stage) -> None:
    browser = browse("animator")
    page = browser.get(HERE)
    (number,) = re.findall(r"/equipe/moi/jetons/(\d+)/fin", page.text)

    after = browser.post(f"{HERE}/jetons/{number}/fin")

    assert "tests made 2 Nov 2026" in section(page.text, "keys")
    assert section(after.text, "keys").startswith("Keys to the API None.")
    assert ask("GET", "/me", "animator").status_code == 401


def test_keys_that_ended_and_the_link_of_the_calendar_are_not_listed(browse: Browse, stage: Stage) -> None:
    person = stage.people["animator"]
    with writing(stage.hub.engine) as session:
        joining.make_token(session, person.id, "agenda", by=person, at=stage.clock(), scope=Scope.CALENDAR)
        joining.make_token(session, person.id, "court", by=person, at=stage.clock(), lasts=timedelta(hours=1))
    stage.clock.forward(hours=1)

    assert re.findall(r"/jetons/(\d+)/fin", browse("animator").get(HERE).text) == ["1"]


def test_keys_of_others_are_not_found_here_even_by_an_administrator(browse: Browse, ask: Ask) -> None:
    answer = browse("administrator").post(f"{HERE}/jetons/1/fin")

    assert answer.status_code == 404
    assert ask("GET", "/me", "animator").status_code == 200


# --- Mails with single-use links ------------------------------------------------------------------------------


def test_a_forgotten_password_is_mailed_as_a_link_that_works_and_is_stored_nowhere(stage: Stage) -> None:
    with serving(create_app(stage.hub)) as url:
        browser = Browser(url, stage)
        browser.post("/equipe/mot-de-passe", {"email": "animator@example.org"})
        browser.client.close()
    # The mail leaves after the answer; the server waited for it before it stopped.
    assert isinstance(stage.hub.mailer, FileMailer)
    (file,) = stage.hub.mailer.folder.glob("*.eml")
    (plain,) = re.findall(r"/equipe/bienvenue/(\S+)", file.read_text(encoding="utf-8"))

    with serving(create_app(stage.hub)) as url:
        page = httpx.get(f"{url}/equipe/bienvenue/{plain}", trust_env=False)

    stored = dump(stage.hub.engine)
    assert (page.status_code, "animator@example.org" in page.text) == (200, True)
    assert stored
    assert [one for one in stored if plain in one] == []


def test_whoever_sends_a_link_hears_that_it_did_not_leave_and_no_log_holds_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = MemoryMailer(refusal=NotSent("The mail server does not answer, or hung up.", everybody=True))
    hub = replace(stage.hub, mailer=refusing)
    with reading(hub.engine) as session:
        person = joining.get_person(session, stage.people["animator"].id)

    left = send_link(hub, person, Purpose.INVITATION, "s3cret", at=stage.clock())

    assert left is False
    assert 'link=invitation outcome=not-sent why="The mail server does not answer, or hung up."' in caplog.text
    assert "s3cret" not in caplog.text
