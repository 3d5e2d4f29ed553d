"""The first page: what each role finds there on the first day, on a busy one, and on a quiet one."""

from __future__ import annotations

import re

import pytest

from hub.database import writing
from hub.domain.account import Account
from hub.domain.delivery import DeliveryState
from hub.services import approving, holding, sketching
from tests.services.counting import PEOPLE, VIEWS, read, sent
from tests.services.desk import Desk
from tests.stage import Stage


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def headings(html: str) -> list[str]:
    """The parts of the page."""
    return re.findall(r"<h2[^>]*>([^<]+)</h2>", html)


def lead(html: str) -> str:
    """The state of things in one sentence."""
    [told] = re.findall(r'<p class="lead">([^<]*)</p>', html)
    return str(told)


QUIET = ["Goes out today", "How the last posts did"]


def test_a_new_animator_is_shown_the_road_from_draft_to_published(browse):
    html = browse("animator").get("/equipe").text

    assert lead(html) == "Welcome. Here is how your first post comes to be."
    assert headings(html) == ["From an idea to the people near you", *QUIET]
    assert html.count('href="/equipe/publications/nouvelle"') >= 2
    assert "Good day Animator" in html


def test_an_animator_sees_first_what_came_back_with_its_reason_and_how_to_correct_it(browse, desk):
    post_id = desk.submitted()
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason="Quelle <heure> ?")

    html = browse("animator").get("/equipe").text

    assert lead(html) == "1 thing waits for you."
    assert headings(html)[0] == "Came back to you"
    assert "Quelle &lt;heure&gt; ?" in html
    assert f'href="/equipe/publications/{post_id}/modifier"' in html


def test_a_coordinator_sees_how_many_wait_and_begins_with_one_press(browse, desk):
    for number in range(6):
        desk.submitted(text=f"Texte {number}")

    html = browse("coordinator").get("/equipe").text

    assert lead(html) == "6 things wait for you."
    assert '<a class="button main big" href="/equipe/validation">Approve 6 posts</a>' in html
    assert len(re.findall(r'href="/equipe/validation/\d+"', html)) == 5
    assert "1 more" in html


def test_a_failure_leads_to_where_it_is_decided(browse, desk):
    [delivery] = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=DeliveryState.FAILED, reason="Facebook refuse le lien.")

    html = browse("animator").get("/equipe").text

    assert headings(html)[0] == "Waits for your decision"
    assert f'href="/equipe/publications/{delivery.post_id}#diffusion-{delivery.id}"' in html
    assert "Facebook refuse le lien." in html


def test_an_account_in_trouble_is_mended_by_who_keeps_it_and_told_to_who_uses_it(browse, desk, stage):
    with writing(stage.hub.engine) as session:
        account = session.get(Account, stage.accounts["rennes"])
        assert account is not None
        account.light = "red"

    keeper, user, stranger = (browse(who).get("/equipe").text for who in ("administrator", "animator", "stranger"))

    told = "Accounts that need care"
    assert [told in headings(html) for html in (keeper, user, stranger)] == [True, True, False]
    assert ("Mend it" in keeper, "Mend it" in user) == (True, False)


def test_what_one_left_off_is_gone_on_with(browse, desk):
    with writing(desk.stage.hub.engine) as session:
        sketching.keep(session, "a" * 32, [("text", "Atelier CV")], by=desk.who("animator"), at=desk.now)
    draft = desk.write(text="Un brouillon")

    html = browse("animator").get("/equipe").text

    assert f'href="/equipe/publications/nouvelle?feuille={"a" * 32}">Atelier CV</a>' in html
    assert f'href="/equipe/publications/{draft}">Un brouillon</a>' in html


def test_today_and_the_last_posts_are_told_in_words_that_add_nobody_up(browse, desk, stage):
    desk.keys("A-32", "4032")
    both = desk.approved(
        "deputy", text="Deux", when="2026-11-09T18:00", audience=["A-14", "A-32"], accounts=["facebook:FR"]
    )
    first, second = sent(desk, both)
    desk.approved(text="Ce soir")
    stage.clock.forward(days=8, hours=5)
    read(desk, first, stage.clock(), **{PEOPLE: 1200, VIEWS: None})
    read(desk, second, stage.clock(), **{PEOPLE: 800, VIEWS: None})

    html = browse("coordinator").get("/equipe").text

    assert "<time>18:00</time>" in html
    assert "at least 1,200 people" in html
    assert "— views" in html


def test_a_post_without_figures_yet_says_when_they_come(browse, desk, stage):
    sent(desk, desk.approved())
    stage.clock.forward(days=8, hours=6, minutes=10)

    assert "first figures at 19:00" in browse("animator").get("/equipe").text


def test_an_analyst_is_led_to_the_reach_and_an_administrator_to_people_and_accounts(browse):
    analyst, administrator = (browse(who).get("/equipe").text for who in ("analyst", "administrator"))

    assert '<a class="button main" href="/equipe/portee">See the reach</a>' in analyst
    assert headings(administrator)[0] == "People and accounts"
    assert '<a class="button" href="/equipe/personnes">' in administrator
    assert "/equipe/publications/nouvelle" not in analyst + administrator


def test_an_animator_without_work_is_told_what_would_be_here(browse, desk):
    desk.withdraw(desk.write())

    html = browse("animator").get("/equipe").text

    assert lead(html) == "Nothing waits for you."
    assert "What a coordinator returns" in html


def test_the_stop_of_everything_is_on_the_page(browse, stage):
    with writing(stage.hub.engine) as session:
        holding.hold(session, reason="Erreur", by="operator", at=stage.clock())

    assert "Everything is stopped." in browse("analyst").get("/equipe").text


def test_nobody_sees_a_day_without_signing_in(browse):
    answer = browse().get("/equipe", follow=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/equipe/connexion")
