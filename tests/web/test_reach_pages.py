"""The reach page: the overview and its numbers, tables, periods, honest figures, who sees what, and the export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import delete

from hub.database import writing
from hub.domain.metric import Metric, Origin
from hub.domain.person import RoleKind
from hub.domain.population import Cohort, Population
from hub.services import cataloguing, exporting, joining, reporting
from hub.web.staff import reach_asked, reach_lines
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, sent
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Browser

Browse = Callable[..., Browser]
REACH = "/equipe/portee"
TABLE = f"{REACH}?par=territoire"


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


def earlier(desk: Desk, by: str = "animator", *, back: int = 10, **typed: object) -> list[object]:
    """A post of Tuesday the 10th, approved eight days before."""
    desk.stage.clock.at -= timedelta(days=back)
    try:
        return list(published(desk, by, **typed))
    finally:
        desk.stage.clock.at += timedelta(days=back)


# --- Figures ------------------------------------------------------------------------------------------------


def test_one_line_holds_all_kinds_of_figures_of_one_account(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: 1234, VIEWS: 2000, CLICKS: 0})  # type: ignore[arg-type]

    page = browse("analyst").get(TABLE).text

    assert lines(page) == ["Rennes Page rennes own page 1 1,234 2,000 0"]


def test_people_over_several_posts_are_at_least_the_highest_figure_and_never_a_sum(browse: Browse, desk: Desk):
    for number, words in ((120, "Une"), (80, "Deux")):
        [delivery] = earlier(desk, text=words)
        read(desk, delivery, **{PEOPLE: number, VIEWS: number})  # type: ignore[arg-type]

    assert lines(browse("analyst").get(TABLE).text) == ["Rennes Page rennes own page 2 at least 120 200"]


def test_what_the_network_did_not_tell_is_a_dash_with_its_meaning_and_never_zero(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: None})  # type: ignore[arg-type]

    page = browse("analyst").get(TABLE).text

    assert lines(page) == ["Rennes Page rennes own page 1 — not told by the network"]
    assert "“—” means that the network did not tell: it is not zero." in page


def test_a_post_on_x_says_that_it_was_not_limited(browse: Browse, desk: Desk):
    [delivery] = earlier(desk, audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True)
    read(desk, delivery, impression_count=700)  # type: ignore[arg-type]

    assert lines(browse("analyst").get(TABLE).text) == ["Rennes Page x origin (not limited to the territory) 1 700"]


def test_territories_without_a_post_are_named(browse: Browse, desk: Desk):
    earlier(desk)

    page = browse("analyst").get(REACH).text
    named = re.findall(r'<tr class="silent">\s*<th scope="row"><a href="/equipe/couverture/A-\d+">([^<]+)</a>', page)

    assert "33 territories without a post of their own" in page
    assert (len(named), named[0], "Rennes" in named) == (33, "Aix-Marseille", False)


def test_sources_are_explained_one_click_away(browse: Browse):
    page = browse("analyst").get(REACH).text

    explained = text(page[page.index("<details class=") :])
    for provenance in reporting.PROVENANCE_NAMES.values():
        assert provenance in explained


def test_each_figure_leads_to_what_it_means_metric_by_metric(browse: Browse, desk: Desk):
    [delivery] = earlier(desk)
    read(desk, delivery, **{PEOPLE: 12, VIEWS: 20})  # type: ignore[arg-type]

    page = browse("analyst").get(REACH).text
    anchors = re.findall(r'<dt><a href="#([\w-]+)"', page)
    french = browse("analyst").get(REACH, headers={"Accept-Language": "fr"}).text

    assert anchors == ["sens-facebook-people", "sens-facebook-views"]
    assert [anchor for anchor in anchors if f'id="{anchor}"' not in page] == []
    assert "How often the post was shown. <span" in page
    assert "<code>post_media_view</code>" in page
    assert "Nombre de fois où la publication a été affichée. <span" in french


# --- The overview -------------------------------------------------------------------------------------------


def ranked(html: str, which: int = 0) -> list[str]:
    """What each line of one of the rankings says: territories, kinds, accounts."""
    table = re.findall(r'<table class="ranking stacks">(.*?)</table>', html, re.DOTALL)[which]
    body = table[table.index("<tbody>") :]
    return [text(one) for one in re.findall(r"<tr(?: class=\"silent\")?>(.*?)</tr>", body, re.DOTALL)]


def behind(browser: Browser, html: str, label: str) -> str:
    """The page that a number leads to, by what it is called."""
    [address] = re.findall(rf'<a href="([^"]+)" aria-label="{label}"', html)
    return str(browser.get(address.replace("&amp;", "&")).text)


@pytest.fixture
def two_sources(desk: Desk) -> Desk:
    """In Rennes 120 people by its own page and 30 by a limited post of the national one."""
    [own] = earlier(desk)
    [gated] = earlier(desk, audience=["A-14"], accounts=["facebook:FR"], text="Autre chose", kind="event")
    read(desk, own, **{PEOPLE: 120, VIEWS: 200})  # type: ignore[arg-type]
    read(desk, gated, **{PEOPLE: 30, VIEWS: 50})  # type: ignore[arg-type]
    return desk


def cards(html: str) -> list[str]:
    return [text(one) for one in re.findall(r'<article class="card source".*?</article>', html, re.DOTALL)]


def test_each_source_stands_by_itself_and_no_number_joins_two(browse: Browse, two_sources: Desk):
    page = browse("analyst").get(REACH).text

    assert cards(page) == [
        "Facebook, own page 1 post People 120 Views 200",
        "Facebook, gated 1 post People 30 Views 50",
    ]
    said = text(re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))
    assert [joined for joined in ("150", "250") if re.search(rf"\b{joined}\b", said)] == []


def test_each_number_of_a_source_opens_to_its_posts(browse: Browse, two_sources: Desk):
    browser = browse("analyst")
    addresses = re.findall(r'<a class="value" href="([^"]+)">(\d+)</a>', browser.get(REACH).text)

    for address, number in addresses[:2]:
        page = browser.get(address.replace("&amp;", "&")).text
        assert lines(page) == ["Portes ouvertes au CFA Page rennes own page 120 200"]
        assert number in lines(page)[0]
        assert "<strong>Facebook, own page</strong>" in page


def test_a_figure_is_compared_with_the_period_before_in_words(browse: Browse, desk: Desk):
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-03T18:00", 100)):
        [delivery] = earlier(desk, when=when, text=when)
        read(desk, delivery, **{PEOPLE: views, VIEWS: views})  # type: ignore[arg-type]

    [card] = cards(browse("analyst").get(f"{REACH}?periode=semaine").text)

    assert card.startswith("Facebook, own page 1 post People 150 ▲ 50 % more than before (100)")


@pytest.mark.parametrize(
    ("before", "told"),
    [(300, "▼ 50 % less than before (300)"), (150, "= as much as before (150)"), (0, "before: 0"), (None, "")],
)
def test_a_comparison_says_less_as_much_or_nothing(browse: Browse, desk: Desk, before: int | None, told: str):
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-03T18:00", before)):
        [delivery] = earlier(desk, when=when, text=when)
        read(desk, delivery, **{VIEWS: views})  # type: ignore[arg-type]

    [card] = cards(browse("analyst").get(f"{REACH}?periode=semaine").text)

    assert card == f"Facebook, own page 1 post Views 150 {told}".strip()


def test_what_is_only_known_in_part_is_not_compared(browse: Browse, desk: Desk):
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-10T19:00", None), ("2026-11-03T18:00", 100)):
        [delivery] = earlier(desk, when=when, text=when)
        read(desk, delivery, **{VIEWS: views})  # type: ignore[arg-type]

    [card] = cards(browse("analyst").get(f"{REACH}?periode=semaine").text)

    assert "Views at least 150 not comparable, a part was not told (before: 100)" in card


def test_a_changed_definition_is_told_instead_of_a_percentage_and_drawn_in_the_trend(browse: Browse, desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        session.exec(delete(Metric))
        for one in cataloguing.shipped():
            if one.name == VIEWS:
                one.valid_from, one.replaces, one.origin = date(2026, 11, 9), "post_impressions", Origin.LOCAL
            session.add(one)
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-03T18:00", 100)):
        [delivery] = earlier(desk, when=when, text=when)
        read(desk, delivery, **{VIEWS: views})  # type: ignore[arg-type]

    page = browse("analyst").get(f"{REACH}?periode=mois&mesure=views").text

    assert "≠ Facebook changed its definition on 9 November 2026." in page
    assert page.count('class="break"') == 1
    [card] = cards(browse("analyst").get(f"{REACH}?periode=semaine").text)
    assert "Views 150 not comparable: Facebook changed its definition on 9 November 2026" in card
    assert "since 9 November 2026, instead of post_impressions: the figures before are another measure" in text(page)


def test_territories_are_ranked_by_one_source_with_the_others_beside_it(browse: Browse, two_sources: Desk):
    browser = browse("analyst")
    page = browser.get(REACH).text
    other = browser.get(f"{REACH}?source=facebook-gated").text

    assert ranked(page)[0] == "Rennes 120 1 30"
    assert ranked(other)[0] == "Rennes 30 1 120"
    assert lines(behind(browser, page, "30, Rennes, Facebook, gated")) == ["Autre chose Page national gated 30 50"]


def test_kinds_and_accounts_are_ranked_too_and_narrow_the_page(browse: Browse, two_sources: Desk):
    browser = browse("analyst")
    page = browser.get(REACH).text

    assert ranked(page, 1) == ["news 120 1 ·", "event · 30"]
    assert ranked(page, 2) == ["Page rennes 120 1 ·", "Page national · 30"]
    assert cards(browser.get(f"{REACH}?genre=event").text) == ["Facebook, gated 1 post People 30 Views 50"]
    assert cards(browser.get(f"{REACH}?reseau=x").text) == []


def test_a_national_figure_is_a_line_of_its_own_and_not_on_the_map(browse: Browse, desk: Desk):
    desk.stage.clock.at -= timedelta(days=10)
    post = desk.submitted("coordinator", audience=["FR"], accounts=["facebook:FR"])
    desk.approve(post, "deputy")
    [delivery] = sent(desk, post)
    desk.stage.clock.at += timedelta(days=10)
    read(desk, delivery, **{PEOPLE: 5000})
    browser = browse("analyst")
    page = browser.get(REACH).text

    assert ranked(page)[0] == "France 5,000 1"
    assert page.count('class="silent" fill="url(#silent)"><title>') >= 25
    assert lines(behind(browser, page, "5,000, France, Facebook, national")) == [
        "Portes ouvertes au CFA Page national national 5,000"
    ]


def people_of(desk: Desk, **numbers: int) -> None:
    with writing(desk.stage.hub.engine) as session:
        for code, number in numbers.items():
            session.add(
                Population(
                    territory_code=code.replace("_", "-"), cohort=Cohort.YOUNG, year=2022, number=number, source="INSEE"
                )
            )


def test_people_are_told_per_thousand_where_that_says_something(browse: Browse, desk: Desk):
    people_of(desk, A_14=60_000, A_32=1000)
    desk.keys("A-32", "GP")
    west, isles = earlier(desk, text="{territoire}", audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, west, **{PEOPLE: 120, VIEWS: 200})  # type: ignore[arg-type]
    read(desk, isles, **{PEOPLE: 30, VIEWS: 40})  # type: ignore[arg-type]
    browser = browse("analyst")
    page = browser.get(REACH).text

    assert ranked(page)[:2] == ["Rennes 120 2.0 1", "Guadeloupe 30 30.0 1"]
    assert "Young people from 16 to 25: INSEE, 2022." in page
    assert [line.split()[0] for line in ranked(browser.get(f"{REACH}?tri=taux").text)[:2]] == ["Guadeloupe", "Rennes"]
    assert [line.split()[0] for line in ranked(browser.get(f"{REACH}?tri=nom").text)[:2]] == ["Guadeloupe", "Rennes"]
    assert "per 1,000" not in browser.get(f"{REACH}?mesure=views").text
    assert "Rennes: 120 people, 2.0 per 1,000 young people" in page


def test_a_rate_of_a_lower_bound_is_one_too(browse: Browse, desk: Desk):
    people_of(desk, A_14=60_000)
    for number, words in ((120, "Une"), (80, "Deux")):
        [delivery] = earlier(desk, text=words)
        read(desk, delivery, **{PEOPLE: number})  # type: ignore[arg-type]

    assert ranked(browse("analyst").get(REACH).text)[0] == "Rennes at least 120 at least 2.0 2"


def test_the_map_tells_shades_silence_and_what_was_not_told_apart(browse: Browse, desk: Desk):
    desk.keys("A-10", "4010")
    [known] = earlier(desk)
    desk.stage.clock.at -= timedelta(days=10)
    post = desk.submitted("coordinator", audience=["A-10"], accounts=["facebook:FR"], text="Autre chose")
    desk.approve(post, "deputy")
    [untold] = sent(desk, post)
    desk.stage.clock.at += timedelta(days=10)
    read(desk, known, **{PEOPLE: 12})  # type: ignore[arg-type]
    read(desk, untold, **{PEOPLE: None})
    browser = browse("analyst")

    own = browser.get(REACH).text
    gated = browser.get(f"{REACH}?source=facebook-gated").text

    assert 'class="shade-5"><title>Rennes: 12 people</title>' in own
    assert 'class="none"><title>Lyon: nothing from this source</title>' in own
    assert 'class="untold" fill="url(#not-told)"><title>Lyon: not told by the network</title>' in gated
    assert 'class="silent" fill="url(#silent)"><title>Nantes: nothing published</title>' in own
    assert '<a href="/equipe/portee?territoire=A-14" class="shade-5">' in own


def test_a_trend_has_the_same_numbers_drawn_and_in_its_table(browse: Browse, desk: Desk):
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-03T18:00", 100), ("2026-10-21T18:00", None)):
        [delivery] = earlier(desk, back=30, when=when, text=when)
        read(desk, delivery, **{VIEWS: views})  # type: ignore[arg-type]
    browser = browse("analyst")

    page = browser.get(f"{REACH}?mesure=views").text
    [chart] = re.findall(r'<svg class="chart" width="100%".*?</svg>', page, re.DOTALL)
    body = re.findall(r'<details class="numbers">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)[0]

    assert re.findall(r"<title>(\d+ \w+ · [^<]+)</title>", chart) == ["19 Oct · —", "2 Nov · 100", "9 Nov · 150"]
    assert chart.count('class="missing"') == 1
    assert [text(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)] == [
        "12 Oct (in part) ·",
        "19 Oct —",
        "26 Oct ·",
        "2 Nov 100",
        "9 Nov (in part) 150",
    ]
    assert "2 figures, the highest is 150 (9 Nov), 1 was not told." in chart
    assert lines(behind(browser, page, "100, 2 Nov")) == ["2026-11-03T18:00 Page rennes own page 100"]


def test_the_period_before_goes_along_in_chart_and_table(browse: Browse, desk: Desk):
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-03T18:00", 100)):
        [delivery] = earlier(desk, when=when, text=when)
        read(desk, delivery, **{VIEWS: views})  # type: ignore[arg-type]

    page = browse("analyst").get(f"{REACH}?periode=semaine&mesure=views").text

    assert "10 Nov 150 100 (3 Nov)" in text(page)
    assert page.count('<rect class="before" x=') == 1


@pytest.mark.parametrize(
    ("asked", "step"),
    [
        ("pas=jour", "By day"),
        ("pas=mois", "By month"),
        ("pas=decade", "By week"),
        ("pas=jour&du=2026-01-01&au=2026-12-31", "By month"),
    ],
)
def test_a_trend_goes_by_day_week_or_month_but_never_in_more_columns_than_can_be_seen(
    browse: Browse, desk: Desk, asked: str, step: str
):
    earlier(desk)

    assert f'aria-current="true">{step}</a>' in browse("analyst").get(f"{REACH}?{asked}").text


def test_hours_of_the_week_open_to_their_posts(browse: Browse, desk: Desk):
    for when, views in (("2026-11-10T18:00", 150), ("2026-11-10T18:30", 100), ("2026-11-09T08:00", None)):
        [delivery] = earlier(desk, when=when, text=when)
        read(desk, delivery, **{VIEWS: views})  # type: ignore[arg-type]
    browser = browse("analyst")

    page = browser.get(f"{REACH}?mesure=views").text
    grid = re.findall(r'<table class="rhythm">.*?</table>', page, re.DOTALL)[0]

    assert text(grid) == "Hour Mon Tue Wed Thu Fri Sat Sun 08:00 — ×1 18:00 250 ×2"
    assert 'class="untold"' in grid
    opened = behind(browser, page, "Tuesday 18:00: 250 views, 2 posts")
    assert len(lines(opened)) == 2
    assert "<strong>Facebook, own page, Tuesday, 18:00</strong>" in opened


def test_a_measure_that_nobody_told_says_so(browse: Browse, two_sources: Desk):
    page = browse("analyst").get(f"{REACH}?mesure=impressions").text

    assert "No network told this figure" in page
    assert "<table" not in page


def test_a_number_whose_posts_are_gone_says_so(browse: Browse, two_sources: Desk):
    page = browse("analyst").get(f"{REACH}?par=publication&source=x-origin&ligne=R-53").text

    assert "None of these" in page or "Nothing was published in this period" in page
    assert "<strong>X, origin, what is wider than one académie</strong>" in page


def test_an_animator_of_one_territory_has_no_map_but_all_the_rest(browse: Browse, two_sources: Desk):
    page = browse("animator").get(REACH).text

    assert 'class="map"' not in page
    assert ranked(page) == ["Rennes 120 1 30"]
    assert page.count('<svg class="chart" width="100%"') == 2


def test_nothing_of_the_page_is_inline(browse: Browse, two_sources: Desk):
    page = browse("analyst").get(REACH).text

    assert [wrong for wrong in (" style=", "<style", "<script", " onclick=") if wrong in page] == []


def test_the_files_and_the_printed_report_are_of_the_same_period_and_territory(browse: Browse, two_sources: Desk):
    page = browse("analyst").get(f"{REACH}?du=2026-11-01&au=2026-11-11&territoire=A-14").text

    given = "?du=2026-11-01&amp;au=2026-11-11&amp;territoire=A-14"
    assert f'href="{REACH}/rapport{given}"' in page
    assert re.findall(rf'href="{REACH}/export{re.escape(given)}&amp;forme=(\w+)" download', page) == [
        "excel",
        "csv",
        "xlsx",
        "parquet",
        "jsonl",
    ]


def test_this_month_is_that_of_the_reader(browse: Browse, desk: Desk):
    desk.stage.clock.at = datetime(2026, 11, 30, 15, tzinfo=UTC)
    desk.join("léa", RoleKind.ANALYST, "A-40")

    assert "Posts published from 1 December 2026 to 1 December 2026" in browse("léa").get(f"{REACH}?periode=mois").text
    page = browse("analyst").get(f"{REACH}?periode=mois").text
    assert "Posts published from 1 November 2026 to 30 November 2026" in page
    assert "Compared with 1 October 2026 to 31 October 2026." in page


def test_somebody_without_a_role_sees_nothing_and_no_error(browse: Browse, desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        person = joining.add_person(session, email="zoe@example.org", name="Zoé", at=desk.now, by="operator")
        assert person.id is not None
        desk.stage.people["zoe"] = joining.actor_for(session, person.id)

    answer = browse("zoe").get(REACH)

    assert answer.status_code == 200
    assert "Nothing was published in this period" in answer.text


# --- Ways to tell it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("territoire", "Rennes Page rennes own page 1 12"),
        ("compte", "Page rennes own page 1 12"),
        ("publication", "Portes ouvertes au CFA Page rennes own page 12"),
        ("type", "news Page rennes own page 1 12"),
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

    [behind] = re.findall(r'<a href="([^"]+)" aria-label="1 post of Rennes, Page rennes">', browser.get(TABLE).text)
    page = browser.get(behind.replace("&amp;", "&")).text

    assert lines(page) == ["Portes ouvertes au CFA Page rennes own page 12"]
    assert f'<a href="/equipe/publications/{delivery.post_id}">Portes ouvertes au CFA</a>' in page  # type: ignore[attr-defined]


def test_lines_are_ordered_by_the_column_that_was_asked_for(browse: Browse, desk: Desk):
    desk.keys("A-32", "GP")
    [west, isles] = earlier(desk, text="{territoire}", audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, west, **{PEOPLE: 12})  # type: ignore[arg-type]
    read(desk, isles, **{PEOPLE: 3, VIEWS: 9})  # type: ignore[arg-type]
    browser = browse("analyst")

    first = {order: lines(browser.get(f"{TABLE}&tri={order}").text)[0].split()[0] for order in reach_asked.ORDERS}

    assert first["nom"] == first["views"] == "Guadeloupe"
    assert first["people"] == "Rennes"
    page = browser.get(f"{TABLE}&tri=people").text
    assert 'aria-sort="descending"><a href="/equipe/portee?par=territoire&amp;tri=people#rapport">' in page


def test_long_reports_come_page_by_page_and_none_is_lost(browse: Browse, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reach_lines, "LINES", 2)
    for number in range(5):
        earlier(desk, text=f"Numéro {number}")
    browser, told, address = browse("analyst"), [], f"{REACH}?par=publication"

    while address:
        page = browser.get(address).text
        told += [line.split(" Page")[0] for line in lines(page)]
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following.group(1).replace("&amp;", "&") if following else ""

    assert told == [f"Numéro {number}" for number in reversed(range(5))]


# --- Periods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", "16 October 2026 to 12 November 2026"),
        ("?periode=mois", "1 November 2026 to 12 November 2026"),
        ("?periode=mois-dernier", "1 October 2026 to 31 October 2026"),
        ("?periode=annee", "1 January 2026 to 12 November 2026"),
        ("?periode=semaine", "9 November 2026 to 12 November 2026"),
        ("?periode=annee-scolaire", "1 September 2026 to 12 November 2026"),
        ("?periode=annee-scolaire-derniere", "1 September 2025 to 31 August 2026"),
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
        ("reseau=myspace", "reseau", "Choose one from the list."),
        ("genre=rumour", "genre", "Choose one from the list."),
        ("compte=99", "compte", "Choose one from the list."),
    ],
)
def test_what_cannot_be_followed_is_told_beside_its_field_and_kept_as_typed(
    browse: Browse, desk: Desk, asked: str, field: str, problem: str
):
    answer = browse("analyst").get(f"{REACH}?{asked}")

    assert answer.status_code == 422
    assert f'<p class="wrong" id="{field}-wrong">{problem}</p>' in answer.text
    for name, value in (pair.split("=") for pair in asked.split("&")):
        assert name not in {"du", "au"} or f'name="{name}" type="date" value="{value}"' in answer.text


def test_a_territory_is_chosen_and_the_period_is_kept(browse: Browse, desk: Desk):
    earlier(desk)
    page = browse("analyst").get(f"{TABLE}&territoire=A-14&du=2026-11-01&au=2026-11-11").text

    assert len(lines(page)) == 1
    assert '<option value="A-14" selected>Rennes</option>' in page
    assert (
        "/equipe/portee?par=territoire&amp;du=2026-11-01&amp;au=2026-11-11&amp;territoire=A-14&amp;tri=people#rapport"
        in page
    )


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


# --- Weight -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["", "publication"])
def test_the_longest_page_weighs_less_than_a_hundred_kilobytes(browse: Browse, desk: Desk, way: str):
    browser = browse("analyst")
    bare = browser.get(f"{REACH}?par={way}")
    for number in range(5):
        earlier(desk, text=f"Numéro {number}, dont le titre est assez long pour occuper toute la place")

    page = browser.get(f"{REACH}?par={way}")
    files = [browser.get(file) for file in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)]
    lines_left = reach_lines.LINES - 5 if way else 0
    grown = packed(page) + max(packed(page) - packed(bare), 0) // 5 * lines_left

    assert grown + sum(map(packed, files)) <= 100_000
    assert len(files) <= 4


def packed(answer: Any) -> int:
    """How many bytes came over the network."""
    return int(answer.num_bytes_downloaded)
