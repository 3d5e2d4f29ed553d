"""The coverage board as a page: who sees which lines, what is chosen and ordered, the map, one territory from near."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.database import writing
from hub.domain.account import Account
from hub.domain.person import RoleKind
from hub.services import joining
from tests.services.counting import published
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Browser

Browse = Callable[..., Browser]
BOARD = "/equipe/couverture"


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def text(html: str) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def names(html: str) -> list[str]:
    """The territories of the table, from top to bottom."""
    return re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', html)


def row(html: str, name: str) -> str:
    """What the table says of a territory."""
    [found] = re.findall(rf'<th scope="row"><a href="[^"]+">{name}</a>.*?</tr>', html, re.DOTALL)
    return text(found)


def drawn(html: str) -> list[str]:
    """The names on the map of the mainland."""
    [first, *_rest] = re.findall(r'<svg class="map".*?</svg>', html, re.DOTALL)
    return re.findall(r"<title>([^<]+)</title>", first)


# --- Who sees what ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["coordinator", "analyst", "administrator"])
def test_a_national_role_sees_all_34_territories_on_map_and_table(browse: Browse, who: str):
    page = browse(who).get(BOARD).text

    assert len(names(page)) == 34
    assert len(drawn(page)) == 25
    assert re.findall(r"<b>([^<]+)</b>", page) == [
        "Guadeloupe",
        "Guyane",
        "Martinique",
        "Mayotte",
        "Nouvelle-Calédonie",
        "Polynésie française",
        "La Réunion",
        "Saint-Pierre-et-Miquelon",
        "Wallis-et-Futuna",
    ]


def test_an_animator_sees_their_own_territory_from_near_at_once(browse: Browse):
    page = browse("animator").get(BOARD).text

    assert re.findall(r"<h1>(.*?)</h1>", page) == ["Rennes"]
    assert "Guadeloupe" not in page


def test_a_role_for_a_region_sees_its_territories_and_the_others_without_a_link(browse: Browse, desk: Desk):
    desk.join("ada", RoleKind.COORDINATOR, "R-84")

    page = browse("ada").get(BOARD).text

    assert sorted(names(page)) == ["Clermont-Ferrand", "Grenoble", "Lyon"]
    assert len(drawn(page)) == 3
    assert page.count('class="other"') == 22


def test_a_role_overseas_has_no_map_of_the_mainland(browse: Browse, desk: Desk):
    desk.join("ada", RoleKind.ANALYST, "A-32")
    with writing(desk.stage.hub.engine) as session:
        joining.give_role(session, desk.who("ada").id, RoleKind.ANALYST, "A-33", by="operator", at=desk.now)

    page = browse("ada").get(BOARD).text

    assert sorted(names(page)) == ["Guadeloupe", "Guyane"]
    assert "<svg" not in page


def test_somebody_without_a_role_is_told_what_to_do(browse: Browse, stage: Stage):
    with writing(stage.hub.engine) as session:
        person = joining.add_person(session, email="zoe@example.org", name="Zoé", at=stage.clock(), by="operator")
        assert person.id is not None
        stage.people["zoe"] = joining.actor_for(session, person.id)

    answer = browse("zoe").get(BOARD)

    assert answer.status_code == 200
    assert "An administrator of your académie gives you one." in answer.text


def test_a_stranger_is_led_to_the_entrance(browse: Browse):
    answer = browse().get(BOARD, follow=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/equipe/connexion?suite=%2Fequipe%2Fcouverture")


@pytest.mark.parametrize("code", ["A-32", "D-35", "A-99", "nowhere"])
def test_a_territory_that_is_not_theirs_is_not_found(browse: Browse, code: str):
    assert browse("animator").get(f"{BOARD}/{code}").status_code == 404


# --- What it says -------------------------------------------------------------------------------------------


def test_a_line_tells_last_next_week_and_what_waits(browse: Browse, desk: Desk):
    published(desk, when="2026-11-09T18:00", text="Portes ouvertes au CFA")
    desk.approved(when="2026-11-12T18:00", text="Atelier CV")
    desk.submitted(when="2026-11-13T18:00", text="À relire")
    desk.stage.clock.at += timedelta(days=8)

    page = browse("analyst").get(BOARD).text

    assert row(page, "Rennes") == (
        "Rennes heard lately 1 day Portes ouvertes au CFA Mon 9 Nov Atelier CV Thu 12 Nov 1 out, 1 to come 1 never "
        "checked"
    )
    assert row(page, "Lyon") == "Lyon silent never heard none yet nothing planned none 0 no account of its own"


def test_a_delivery_that_should_have_left_is_called_late(browse: Browse, desk: Desk):
    desk.approved(when="2026-11-03T18:00", text="Atelier CV")
    desk.stage.clock.at += timedelta(days=8)

    assert "Atelier CV Tue 3 Nov late" in row(browse("analyst").get(BOARD).text, "Rennes")


def test_the_map_says_in_words_what_it_shows_by_pattern(browse: Browse, desk: Desk):
    published(desk, when="2026-11-09T18:00")
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["rennes"])
        assert account is not None
        account.light = "red"
    desk.stage.clock.at += timedelta(days=8)

    page = browse("analyst").get(BOARD).text

    assert "Rennes: account in trouble, 1 day" in drawn(page)
    assert "Lyon: silent, never heard" in drawn(page)
    assert '<a href="/equipe/couverture/A-14" class="trouble" fill="url(#trouble)">' in page


def test_words_that_people_wrote_are_shown_as_words(browse: Browse, desk: Desk):
    published(desk, when="2026-11-03T18:00", text="<script>alert(1)</script>")
    desk.stage.clock.at += timedelta(days=8)

    for path in (BOARD, f"{BOARD}/A-14"):
        page = browse("analyst").get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_one_territory_from_near_names_its_posts_its_accounts_and_what_comes_from_above(browse: Browse, desk: Desk):
    published(desk, when="2026-11-03T18:00", text="Portes ouvertes au CFA")
    national = desk.submitted("coordinator", audience=["FR"], accounts=["facebook:FR"], text="Pour tout le pays")
    desk.approve(national, "deputy")
    desk.stage.clock.at += timedelta(days=1, hours=12)

    told = text(browse("animator").get(f"{BOARD}/A-14").text)

    assert "To come Nothing is planned for this territory alone." in told
    assert "Portes ouvertes au CFA Tuesday 3 November, 18:00 Page rennes" in told
    assert "Page rennes Facebook never checked" in told
    assert "What also reaches it France Next to go out: Pour tout le pays" in told


# --- Choosing and ordering ----------------------------------------------------------------------------------


def test_a_choice_narrows_the_table_and_says_when_nothing_is_left(browse: Browse, desk: Desk):
    desk.submitted()
    browser = browse("analyst")

    assert names(browser.get(f"{BOARD}?voir=validation").text) == ["Rennes"]
    assert "That is good news." in browser.get(f"{BOARD}?voir=comptes").text
    assert len(names(browser.get(f"{BOARD}?voir=silence").text)) == 34


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("urgence", "Aix-Marseille"),
        ("nom", "Aix-Marseille"),
        ("silence", "Aix-Marseille"),
        ("derniere", "Rennes"),
        ("prochaine", "Guadeloupe"),
        ("semaine", "Rennes"),
        ("validation", "Guadeloupe"),
        ("whatever", "Aix-Marseille"),
    ],
)
def test_the_table_is_ordered_as_asked(browse: Browse, desk: Desk, order: str, first: str):
    published(desk, when="2026-11-03T18:00")
    desk.page("A-32")
    desk.keys("A-32", "GP")
    post = desk.submitted("coordinator", audience=["A-32"], accounts=["portal:FR"], when="2026-11-20T18:00")
    desk.approve(post, "deputy")
    desk.submitted("coordinator", audience=["A-32"], accounts=["portal:FR"], when="2026-11-21T18:00", text="Autre")
    desk.stage.clock.at += timedelta(days=2)

    assert names(browse("analyst").get(f"{BOARD}?tri={order}").text)[0] == first


# --- Weight -------------------------------------------------------------------------------------------------


def test_the_whole_board_weighs_less_than_a_hundred_kilobytes(browse: Browse, desk: Desk):
    published(desk, when="2026-11-03T18:00", text="Un titre assez long pour occuper toute la place du tableau. " * 3)
    browser = browse("analyst")

    page = browser.get(BOARD)
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    weights = [len(page.content), *(len(browser.get(file).content) for file in files)]

    assert sum(weights) <= 100_000
    assert len(weights) <= 5
