"""Reach from near: the section of a post's page, that of a territory's page, and who sees which figures there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from hub.database import writing
from hub.domain.delivery import Delivery
from hub.domain.population import Cohort, Population
from hub.domain.reach import Unit
from hub.web import nearby
from tests.services.counting import CLICKS, PEOPLE, VIEWS, posted, published, read, tell_page, visit
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Browser

Browse = Callable[..., Browser]


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def plain(html: str) -> str:
    """What a piece of a page says, without its tags and drawings."""
    drawn = re.sub(r"<svg.*?</svg>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", drawn)).strip()


def section(html: str, name: str) -> str:
    """A section of a page by its class; empty where there is none."""
    found = re.search(rf'<section [^>]*class="{name}".*?</section>', html, re.DOTALL)
    return found.group(0) if found else ""


def of_post(browser: Browser, delivery: Delivery) -> str:
    return section(browser.get(f"/equipe/publications/{delivery.post_id}").text, "post-reach")


def of_territory(browser: Browser, code: str = "A-14") -> str:
    return section(browser.get(f"/equipe/couverture/{code}").text, "near-reach")


# --- A post -------------------------------------------------------------------------------------------------


def test_a_post_tells_its_newest_figures_where_they_come_from_and_when_they_were_read(
    browse: Browse, desk: Desk
) -> None:
    desk.settle(link_base="https://relais.example/l/")
    [delivery] = published(desk, link="https://example.org/cfa")
    read(desk, delivery, **{PEOPLE: 1234, VIEWS: None})
    visit(desk, delivery, "A-14", Unit.CLICKS, 7)

    told = plain(of_post(browse("animator"), delivery))

    assert "Page rennes Counted by: Facebook · own page read 10 Nov 2026 19:00" in told
    assert "1,234 People — not told by the network Views 7 Arrivals" in told


def test_a_post_has_a_curve_for_each_kind_of_figure_with_its_gaps_and_a_table_of_the_same(
    browse: Browse, desk: Desk
) -> None:
    [delivery] = published(desk)
    assert delivery.sent_at is not None
    for hours, people in ((1, 40), (6, 90), (24, 85), (168, None)):
        read(desk, delivery, delivery.sent_at + timedelta(hours=hours), **{PEOPLE: people, CLICKS: hours})

    html = of_post(browse("animator"), delivery)

    assert re.findall(r'<svg class="chart"[^>]* aria-labelledby="([^"]+)"', html) == [
        f"courbe-{delivery.id}-people-title",
        f"courbe-{delivery.id}-clicks-title",
    ]
    drawn = html[html.index('<svg class="chart"') : html.index("</svg>")]
    assert (drawn.count("<circle"), drawn.count('<line class="now"'), drawn.count('class="missing"')) == (3, 2, 1)
    rows = [plain(row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)]
    assert rows == [
        "After Read People Clicks",
        "1 hour 10 Nov 19:00 40 1",
        "6 hours 11 Nov 00:00 90 6",
        "1 day 11 Nov 18:00 85 24",
        "3 days not read",
        "7 days 17 Nov 18:00 — 168",
        "28 days not read",
    ]


def test_a_post_is_compared_with_those_of_its_own_territory_in_words(browse: Browse, desk: Desk) -> None:
    for day in ("03", "04", "05", "06"):
        posted(desk, f"2026-11-{day}", 120)
    best = posted(desk, "2026-11-09", 240)

    assert "240 People twice the usual 120 people of Rennes 240 Views" in plain(of_post(browse("animator"), best))


def test_from_fewer_than_five_posts_nothing_is_called_usual(browse: Browse, desk: Desk) -> None:
    for day in ("03", "04", "05"):
        posted(desk, f"2026-11-{day}", 120)
    best = posted(desk, "2026-11-09", 240)

    assert "usual" not in plain(of_post(browse("animator"), best))


def test_before_the_first_reading_it_is_said_when_it_comes(browse: Browse, desk: Desk) -> None:
    [delivery] = published(desk)

    told = plain(of_post(browse("animator"), delivery))

    assert "not read yet: first one hour after it went out" in told
    assert "— not told by the network People" in told
    assert "Reading by reading" not in told


def test_what_did_not_go_out_has_no_section(browse: Browse, desk: Desk) -> None:
    page = browse("animator").get(f"/equipe/publications/{desk.approved()}").text

    assert section(page, "post-reach") == ""


def test_an_animator_never_sees_what_a_post_reached_in_another_academie(browse: Browse, desk: Desk) -> None:
    desk.keys("A-32", "GP")
    rennes, guadeloupe = published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, rennes, **{PEOPLE: 1234})
    read(desk, guadeloupe, **{PEOPLE: 5678})
    address = f"/equipe/publications/{rennes.post_id}"

    pages = {who: browse(who).get(address).text for who in ("animator", "stranger", "coordinator")}

    assert {who: ("1,234" in plain(page), "5,678" in plain(page)) for who, page in pages.items()} == {
        "animator": (True, False),
        "stranger": (False, True),
        "coordinator": (True, True),
    }
    narrow = "\u202f"
    assert f"5{narrow}678" not in pages["animator"]
    assert f"1{narrow}234" not in pages["stranger"]


def test_the_portal_is_told_to_an_animator_for_their_own_territory(browse: Browse, desk: Desk) -> None:
    [delivery] = published(desk, audience=["A-14", "A-32"], accounts=["portal:FR"])
    visit(desk, delivery, "D-35", Unit.VIEWS, 14)
    visit(desk, delivery, "D-971", Unit.VIEWS, 33)

    own = plain(of_post(browse("animator"), delivery))
    all_of_it = plain(of_post(browse("coordinator"), delivery))

    assert ("14 Views 0 Clicks" in own, "33" in own) == (True, False)
    assert "counted by Relais until now" in own
    assert ("Rennes 14 Views" in all_of_it, "Guadeloupe 33 Views" in all_of_it) == (True, True)
    assert "France" not in all_of_it


def test_of_many_destinations_only_the_main_kind_is_drawn(
    browse: Browse, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "DRAWN", 1)
    desk.keys("A-32", "GP")
    for delivery in published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"]):
        read(desk, delivery, **{PEOPLE: 12, VIEWS: 30})

    html = of_post(browse("coordinator"), delivery)

    assert re.findall(r'aria-labelledby="courbe-\d+-(\w+)-title"', html) == ["people", "people"]
    assert html.count("People</th>") == html.count("Views</th>") == 2


def test_a_post_on_x_says_that_it_was_not_limited(browse: Browse, desk: Desk) -> None:
    [delivery] = published(desk, audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True)
    read(desk, delivery, impression_count=700)

    assert "X · origin not limited to the territory read" in plain(of_post(browse("animator"), delivery))


# --- A territory --------------------------------------------------------------------------------------------


def test_a_territory_tells_its_last_twelve_weeks_by_source(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)
    posted(desk, "2026-11-10", 500, accounts=["facebook:FR"], text="Par la page nationale")
    desk.stage.clock.forward(days=10)

    html = of_territory(browse("animator"))

    told = plain(html)
    assert "Reach of the last 12 weeks" in told
    assert "Counted by Posts People Views Facebook · gated 1 500 500 Facebook · own page 1 80 80" in told
    assert re.findall(r"<h4>([^<]+)</h4>", html) == ["Facebook · gated, people", "Facebook · own page, people"]
    assert "9 Nov 500 80 2 Nov" in told
    assert 'href="/equipe/portee?territoire=A-14&amp;du=2026-08-24&amp;au=2026-11-12"' in html
    assert 'href="/equipe/portee/rapport?territoire=A-14&amp;du=2026-08-24&amp;au=2026-11-12"' in html


def test_a_territory_names_what_worked_with_its_address(browse: Browse, desk: Desk) -> None:
    for day in ("03", "04", "05", "06"):
        posted(desk, f"2026-11-{day}", 100)
    best = posted(desk, "2026-11-09", 340, text="Un titre " + "très " * 40 + "long")
    desk.stage.clock.forward(days=10)

    html = of_territory(browse("animator"))

    assert f'<a class="title" href="/equipe/publications/{best.post_id}">Un titre très' in html
    assert "340 people 3.4 times the usual 100 people Facebook · own page 9 Nov 2026" in plain(html)


def test_where_too_little_was_posted_nothing_is_told_to_have_worked(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-09", 340)
    desk.stage.clock.forward(days=10)

    assert "too few to say what is usual" in plain(of_territory(browse("animator")))


def test_where_all_was_as_usual_that_is_said(browse: Browse, desk: Desk) -> None:
    for day in ("03", "04", "05", "06", "09"):
        posted(desk, f"2026-11-{day}", 100)
    desk.stage.clock.forward(days=10)

    assert "No post reached clearly more than is usual here." in plain(of_territory(browse("animator")))


def test_a_territory_is_told_by_kind_and_per_thousand_young_people(browse: Browse, desk: Desk) -> None:
    with writing(desk.stage.hub.engine) as session:
        session.add(
            Population(territory_code="A-14", cohort=Cohort.YOUNG, year=2023, number=400_000, source="INSEE, RP 2023")
        )
    posted(desk, "2026-11-09", 200, kind="advice")
    [portal] = published(desk, accounts=["portal:FR"], text="Sur le portail")
    visit(desk, portal, "A-14", Unit.VIEWS, 9)
    desk.stage.clock.forward(days=10)

    told = plain(of_territory(browse("animator")))

    assert "Facebook · own page 1 200 200 0.5 Our portal 1 9 0 Per 1,000 of the 400,000 young people" in told
    assert "from 16 to 25 of 2023 (INSEE, RP 2023)" in told
    assert "advice Facebook · own page 1 200 200" in told


def test_a_territory_tells_its_pages_with_their_followers_and_cities(browse: Browse, desk: Desk) -> None:
    for day, value in ((1, 1200), (8, 1198), (9, None), (11, 1260)):
        tell_page(desk, "rennes", "page_follows", date(2026, 11, day), value)
    tell_page(desk, "rennes", "page_total_media_view_unique", date(2026, 11, 11), 77)
    for city, value in (("Rennes, Bretagne, France", 800), ("Brest, Bretagne, France", 90)):
        tell_page(desk, "rennes", "page_follows_city", date(2026, 11, 11), value, city=city)
    desk.stage.clock.forward(days=10)

    html = of_territory(browse("animator"))

    told = plain(html)
    assert "Nothing was published for it alone in these weeks" in told
    assert "Page rennes Facebook 1,260 followers 60 more than on 1 November" in told
    assert "Where most followers live: Rennes (800), Brest (90) (11 Nov 2026)" in told
    assert html.count('<svg class="chart"') == 2


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([10], ""),
        ([10, 10], "as many as on 1 November"),
        ([10, 7], "3 fewer than on 1 November"),
        ([7, 10], "3 more than on 1 November"),
    ],
)
def test_followers_are_compared_with_the_first_count(counts: list[int], words: str) -> None:
    assert nearby._change([(date(2026, 11, 1 + place), count) for place, count in enumerate(counts)]) == words


def test_a_week_has_its_last_count_of_followers_and_one_without_any_is_left_open() -> None:
    monday = date(2026, 11, 2)
    counts = [(monday, 10), (monday + timedelta(days=3), 12), (monday + timedelta(days=6), None)]

    told = nearby._of_week(counts, monday, "2 Nov")
    silent = nearby._of_week(counts[2:], monday, "2 Nov")

    assert told is not None
    assert silent is not None
    assert (told.value, silent.value, nearby._of_week(counts, monday + timedelta(days=7), "9 Nov")) == (12, None, None)


def test_an_overseas_territory_counts_by_its_own_days(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-02", 30, "stranger", audience=["A-32"], accounts=["facebook:A-32"])
    desk.stage.clock.at = desk.stage.clock.at.replace(day=9, hour=2)

    html = of_territory(browse("stranger"), "A-32")

    assert "Facebook · own page 1 30 30" in plain(html)
    assert "au=2026-11-08" in html


def test_another_academie_is_not_found(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-02", 30)

    assert browse("stranger").get("/equipe/couverture/A-14").status_code == 404


def test_who_has_one_territory_sees_its_reach_at_once(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)
    desk.stage.clock.forward(days=10)

    assert "Facebook · own page 1 80 80" in plain(
        section(browse("animator").get("/equipe/couverture").text, "near-reach")
    )


@pytest.mark.parametrize(("hours", "words"), [(1, "1 hour"), (6, "6 hours"), (24, "1 day"), (30, "30 hours")])
def test_readings_are_named_by_hours_and_days(hours: int, words: str) -> None:
    assert nearby.slot_name(hours) == words
