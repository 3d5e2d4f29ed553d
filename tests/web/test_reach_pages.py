"""The reach page: periods, ways to tell it, honest figures, who sees what, and the export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from hub.domain.person import RoleKind
from hub.services import exporting, reporting
from hub.web.staff import reach
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, sent
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Browser

Browse = Callable[..., Browser]
REACH = "/equipe/portee"


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write; it is the 12th of November, two days after its posts went out."""
    stage.clock.at += timedelta(days=10)
    return Desk(stage, stage.hub.terms)


def text(html: str) -> str:
    """What a piece of a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def lines(html: str) -> list[str]:
    """What each line of the table says."""
    body = re.search(r"<tbody>(.*?)</tbody>", html, re.DOTALL)
    return [text(one) for one in re.findall(r"<tr>(.*?)</tr>", body.group(1), re.DOTALL)] if body else []


def earlier(desk: Desk, by: str = "animator", **typed: object) -> list[object]:
    """A post of Tuesday the 10th, approved eight days before."""
    desk.stage.clock.at -= timedelta(days=10)
    try:
        return list(published(desk, by, **typed))
    finally:
        desk.stage.clock.at += timedelta(days=10)


# --- Figures ------------------------------------------------------------------------------------------------


def test_one_line_holds_all_kinds_of_figures_of_one_account(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: 1234, VIEWS: 2000, CLICKS: 0})  # type: ignore[arg-type]

    page = browse("analyst").get(REACH).text

    assert lines(page) == ["Rennes Page rennes own page 1 1,234 2,000 0"]


def test_people_over_several_posts_are_at_least_the_highest_figure_and_never_a_sum(browse: Browse, desk: Desk):
    for number, words in ((120, "Une"), (80, "Deux")):
        [delivery] = earlier(desk, text=words)
        read(desk, delivery, **{PEOPLE: number, VIEWS: number})  # type: ignore[arg-type]

    assert lines(browse("analyst").get(REACH).text) == ["Rennes Page rennes own page 2 at least 120 200"]


def test_what_the_network_did_not_tell_is_a_dash_with_its_meaning_and_never_zero(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: None})  # type: ignore[arg-type]

    page = browse("analyst").get(REACH).text

    assert lines(page) == ["Rennes Page rennes own page 1 — not told by the network"]
    assert "“—” means that the network did not tell: it is not zero." in page


def test_a_post_on_x_says_that_it_was_not_limited(browse: Browse, desk: Desk):
    [delivery] = earlier(desk, audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True)
    read(desk, delivery, impression_count=700)  # type: ignore[arg-type]

    assert lines(browse("analyst").get(REACH).text) == ["Rennes Page x origin (not limited to the territory) 1 700"]


def test_territories_without_a_post_are_named(browse: Browse, desk: Desk):
    earlier(desk)

    page = browse("analyst").get(REACH).text
    named = re.findall(r'<li><a href="/equipe/couverture/A-\d+">([^<]+)</a></li>', page)

    assert "33 territories without a post of their own" in page
    assert (len(named), named[0], "Rennes" in named) == (33, "Aix-Marseille", False)


def test_figures_are_explained_one_click_away(browse: Browse):
    page = browse("analyst").get(REACH).text

    explained = text(page[page.index("<details class=") :])
    for unit in reporting.UNIT_NAMES.values():
        assert unit.capitalize() in explained
    for provenance in reporting.PROVENANCE_NAMES.values():
        assert provenance in explained


# --- Ways to tell it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("territoire", "Rennes Page rennes own page 1 12"),
        ("compte", "Page rennes own page 1 12"),
        ("publication", "Portes ouvertes au CFA Page rennes own page 12"),
        ("type", "news Page rennes own page 1 12"),
        ("whatever", "Rennes Page rennes own page 1 12"),
    ],
)
def test_the_report_is_told_by_territory_account_post_or_kind(browse: Browse, desk: Desk, way: str, told: str):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: 12})  # type: ignore[arg-type]

    assert lines(browse("analyst").get(f"{REACH}?par={way}").text) == [told]


def test_a_number_of_posts_leads_to_these_posts_and_a_post_to_its_page(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: 12})  # type: ignore[arg-type]
    browser = browse("analyst")

    [behind] = re.findall(r'<a href="([^"]+)" aria-label="1 post of Rennes, Page rennes">', browser.get(REACH).text)
    page = browser.get(behind.replace("&amp;", "&")).text

    assert lines(page) == ["Portes ouvertes au CFA Page rennes own page 12"]
    assert f'<a href="/equipe/publications/{delivery.post_id}">Portes ouvertes au CFA</a>' in page  # type: ignore[attr-defined]


def test_lines_are_ordered_by_the_column_that_was_asked_for(browse: Browse, desk: Desk):
    desk.keys("A-32", "GP")
    [west, isles] = earlier(desk, text="{territoire}", audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, west, **{PEOPLE: 12})  # type: ignore[arg-type]
    read(desk, isles, **{PEOPLE: 3, VIEWS: 9})  # type: ignore[arg-type]
    browser = browse("analyst")

    first = {order: lines(browser.get(f"{REACH}?tri={order}").text)[0].split()[0] for order in reach.ORDERS}

    assert first["nom"] == first["views"] == "Guadeloupe"
    assert first["people"] == "Rennes"
    assert (
        'aria-sort="descending"><a href="/equipe/portee?tri=people#rapport">' in browser.get(f"{REACH}?tri=people").text
    )


def test_long_reports_come_page_by_page_and_none_is_lost(browse: Browse, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reach, "LINES", 2)
    for number in range(5):
        earlier(desk, text=f"Numéro {number}")
    browser, told, address = browse("analyst"), [], f"{REACH}?par=publication"

    while address:
        page = browser.get(address).text
        told += [line.split(" Page")[0] for line in lines(page)]
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following.group(1).replace("&amp;", "&") if following else ""

    assert told == [f"Numéro {number}" for number in range(5)]


# --- Periods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", "16 October 2026 to 12 November 2026"),
        ("?periode=mois", "1 November 2026 to 12 November 2026"),
        ("?periode=mois-dernier", "1 October 2026 to 31 October 2026"),
        ("?periode=annee", "1 January 2026 to 12 November 2026"),
        ("?periode=nonsense", "16 October 2026 to 12 November 2026"),
        ("?du=2026-03-01&au=2026-03-31", "1 March 2026 to 31 March 2026"),
        ("?du=2026-03-01", "1 March 2026 to 28 March 2026"),
        ("?au=2026-03-28", "1 March 2026 to 28 March 2026"),
    ],
)
def test_a_period_is_one_press_or_two_days(browse: Browse, desk: Desk, asked: str, told: str):
    page = browse("analyst").get(REACH + asked).text

    assert f"Posts published from {told}</h2>" in page


@pytest.mark.parametrize(
    ("asked", "field", "problem"),
    [
        ("du=soon&au=2026-03-01", "du", "Type a day such as 2026-11-30."),
        ("du=2026-03-01&au=2026-02-30", "au", "Type a day such as 2026-11-30."),
        ("du=2026-03-02&au=2026-03-01", "au", "The last day comes before the first."),
        ("du=1026-03-02&au=1026-03-03", "du", "Check the year."),
        ("du=2020-01-01&au=2026-01-01", "au", "Ask for at most 1098 days at once."),
        ("territoire=A-99", "territoire", "Choose one of your territories from the list."),
    ],
)
def test_what_cannot_be_followed_is_told_beside_its_field_and_kept_as_typed(
    browse: Browse, desk: Desk, asked: str, field: str, problem: str
):
    answer = browse("analyst").get(f"{REACH}?{asked}")

    assert answer.status_code == 422
    assert f'<p class="wrong" id="{field}-wrong">{problem}</p>' in answer.text
    for name, value in (pair.split("=") for pair in asked.split("&")):
        assert name == "territoire" or f'name="{name}" type="date" value="{value}"' in answer.text


def test_a_territory_is_chosen_and_the_period_is_kept(browse: Browse, desk: Desk):
    earlier(desk)
    page = browse("analyst").get(f"{REACH}?territoire=A-14&du=2026-11-01&au=2026-11-11").text

    assert len(lines(page)) == 1
    assert '<option value="A-14" selected>Rennes</option>' in page
    assert "/equipe/portee?du=2026-11-01&amp;au=2026-11-11&amp;territoire=A-14&amp;tri=people#rapport" in page


def test_a_period_without_posts_teaches_and_leads_on(browse: Browse):
    page = browse("analyst").get(f"{REACH}?du=2026-01-01&au=2026-01-31").text

    assert "Nothing was published in this period" in page
    assert 'href="/equipe/portee?periode=annee"' in page


# --- Who sees what ------------------------------------------------------------------------------------------


def test_figures_of_other_territories_are_neither_told_nor_to_be_chosen(browse: Browse, desk: Desk):
    earlier(desk)

    page = browse("stranger").get(REACH).text

    assert lines(page) == []
    assert re.findall(r'<option value="([^"]*)"', page)[:2] == ["", "A-32"]
    assert browse("stranger").get(f"{REACH}?territoire=A-14").status_code == 422


def test_words_of_a_post_that_is_not_theirs_are_not_told_with_its_national_figure(browse: Browse, desk: Desk):
    desk.stage.clock.at -= timedelta(days=10)
    post = desk.submitted(
        "coordinator", text="Entre nous", audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True
    )
    desk.approve(post, "deputy")
    sent(desk, post)
    desk.stage.clock.at += timedelta(days=10)

    page = browse("stranger").get(f"{REACH}?par=publication").text

    assert "Entre nous" not in page
    assert f"/equipe/publications/{post}" not in page
    assert [line.split(" Page")[0] for line in lines(page)] == [f"Post {post}"]


def test_somebody_for_a_departement_chooses_their_academie(browse: Browse, desk: Desk):
    desk.join("yann", RoleKind.ANALYST, "D-35")

    page = browse("yann").get(REACH).text

    assert re.findall(r'<option value="(A-\d+)"', page) == ["A-14"]


def test_a_stranger_is_led_to_the_entrance(browse: Browse):
    for path in (REACH, f"{REACH}/export"):
        assert browse().get(path, follow=False).status_code == 303


# --- Export -------------------------------------------------------------------------------------------------


def test_the_export_is_that_of_the_api(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: 12})  # type: ignore[arg-type]

    answer = browse("analyst").get(f"{REACH}/export?du=2026-11-01&au=2026-11-30")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="relais-portee-2026-11-01-2026-11-30.csv"'
    [header, row] = csv.reader(io.StringIO(answer.text))
    assert tuple(header) == exporting.COLUMNS
    assert dict(zip(header, row, strict=True))["value"] == "12"


def test_the_export_for_excel_has_semicolons_and_says_its_encoding(browse: Browse, desk: Desk):
    earlier(desk)

    answer = browse("analyst").get(f"{REACH}/export?forme=excel")

    assert answer.content.startswith(b"\xef\xbb\xbf")
    [header, row] = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")
    assert (tuple(header), len(row)) == (exporting.COLUMNS, len(header))


def test_an_animator_exports_their_own_figures_only(browse: Browse, desk: Desk):
    earlier(desk)

    assert browse("animator").get(f"{REACH}/export").text.count("\r\n") == 2
    assert browse("stranger").get(f"{REACH}/export").text.count("\r\n") == 1


def test_the_longest_page_weighs_less_than_a_hundred_kilobytes(browse: Browse, desk: Desk):
    browser = browse("analyst")
    bare = browser.get(f"{REACH}?par=publication")
    for number in range(5):
        earlier(desk, text=f"Numéro {number}, dont le titre est assez long pour occuper toute la place")

    page = browser.get(f"{REACH}?par=publication")
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    grown = len(page.content) + (len(page.content) - len(bare.content)) // 5 * (reach.LINES - 5)

    assert grown + sum(len(browser.get(file).content) for file in files) <= 100_000
    assert len(files) <= 4
