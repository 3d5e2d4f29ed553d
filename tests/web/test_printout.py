"""The report to print: what stands on it, who gets which figures, and the files that are made of it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from hub.database import writing
from hub.domain.metric import Metric, Origin
from hub.domain.population import Cohort, Population
from hub.domain.reach import Unit
from hub.printing import find_chromium
from hub.services import cataloguing
from hub.web.app import create_app
from tests.services.counting import PEOPLE, posted, published, read, visit
from tests.services.desk import Desk
from tests.stage import Stage, serving
from tests.web.conftest import Ask, Browser

Browse = Callable[..., Browser]
PAPER = "/equipe/portee/rapport"
NOVEMBER = "du=2026-11-01&au=2026-11-30"

real = pytest.mark.skipif(find_chromium() is None, reason="no Chromium here: install Debian's chromium")


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def plain(html: str) -> str:
    """What a page says, without its tags, drawings and style."""
    drawn = re.sub(r"<(svg|style).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", drawn)).strip()


def table(html: str, caption: str) -> list[str]:
    """What each row of a table says, its head first."""
    found = re.search(rf"<table><caption>{re.escape(caption)}</caption>(.*?)</table>", html, re.DOTALL)
    assert found, f"no table “{caption}”"
    return [plain(row) for row in re.findall(r"<tr>(.*?)</tr>", found.group(1), re.DOTALL)]


# --- What stands on it --------------------------------------------------------------------------------------


def test_it_says_of_whom_it_is_for_which_days_and_who_made_it_when(browse: Browse, desk: Desk) -> None:
    html = browse("animator").get(f"{PAPER}?{NOVEMBER}").text

    told = plain(html)
    assert "<h1>Reach: Rennes</h1>" in html
    assert "Posts published from 1 November 2026 to 30 November 2026" in told
    assert "Made by Animator on 2 November 2026, 12:00 (time of Paris), with Relais." in told
    assert "Catalogue of metrics: version 2." in told
    assert "<script" not in html


def test_without_days_it_is_of_the_last_four_weeks(browse: Browse, desk: Desk) -> None:
    assert "from 6 October 2026 to 2 November 2026" in plain(browse("animator").get(PAPER).text)


def test_a_territory_is_told_by_source_week_and_post_with_every_figure_defined(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 1234)
    posted(desk, "2026-11-10", 80, kind="advice", text="Un conseil")

    html = browse("animator").get(f"{PAPER}?{NOVEMBER}&territoire=A-14").text

    assert table(html, "What was reached, by source") == [
        "Counted by Posts People Views",
        "Facebook · own page 2 at least 1,234 1,314",
    ]
    assert table(html, "The main figure of each source; empty where nothing was published") == [
        "Week of Facebook · own page, people",
        "26 Oct",
        "2 Nov 1,234",
        "9 Nov 80",
        "16 Nov",
        "23 Nov",
        "30 Nov",
    ]
    assert table(html, "2 posts, each on one account") == [
        "Day Post Counted by People Views",
        "3 Nov 2026 Le 2026-11-03 news · Page rennes Facebook · own page 1,234 1,234",
        "10 Nov 2026 Un conseil advice · Page rennes Facebook · own page 80 80",
    ]
    assert table(html, "What each figure counts")[1:] == [
        "Facebook, people post_total_media_view_unique "
        "People who saw the post at least once, each of them counted once by Facebook.",
        "Facebook, views post_media_view How often the post was shown.",
    ]
    told = plain(html)
    assert "own page The page of the territory itself." in told
    assert "“At least” is a lower bound" in told
    assert "Licence Ouverte 2.0" in told
    assert html.count('<svg class="chart"') == 1


def test_the_country_is_ranked_and_its_silent_territories_are_named(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 120)
    posted(desk, "2026-11-03", 300, "stranger", audience=["A-32"], accounts=["facebook:A-32"])

    html = browse("analyst").get(f"{PAPER}?{NOVEMBER}").text

    assert table(html, "Facebook · own page") == [
        "Rank Territory Posts People Views",
        "1 Guadeloupe 1 300 300",
        "2 Rennes 1 120 120",
    ]
    assert "32 territories without a post of their own Aix-Marseille, Amiens" in plain(html)


def test_a_long_period_is_told_by_months(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 120)

    html = browse("analyst").get(f"{PAPER}?du=2026-01-01&au=2026-12-31").text

    assert table(html, "The main figure of each source; empty where nothing was published")[-2:] == [
        "Nov 2026 120",
        "Dec 2026",
    ]


def test_our_own_counts_under_five_are_not_told_exactly_those_of_networks_are(browse: Browse, desk: Desk) -> None:
    desk.settle(link_base="https://relais.example/l/")
    [delivery] = published(desk, link="https://example.org/cfa")
    read(desk, delivery, **{PEOPLE: 3})
    visit(desk, delivery, "A-14", Unit.CLICKS, 2)
    [portal] = published(desk, accounts=["portal:FR"], text="Sur le portail")
    visit(desk, portal, "A-14", Unit.VIEWS, 4)

    html = browse("animator").get(f"{PAPER}?{NOVEMBER}").text

    assert table(html, "What was reached, by source") == [
        "Counted by Posts People Views Clicks Arrivals",
        "Facebook · own page 1 3 &lt; 5",
        "Our portal 1 &lt; 5 0",
    ]
    assert "9 Nov 3 &lt; 5" in table(html, "The main figure of each source; empty where nothing was published")
    charts = re.findall(r'<svg class="chart".*?</svg>', html, re.DOTALL)
    assert [chart.count('<rect class="now"') for chart in charts] == [1, 0]


def test_young_people_are_told_with_who_counted_them(browse: Browse, desk: Desk) -> None:
    with writing(desk.stage.hub.engine) as session:
        session.add(
            Population(territory_code="A-14", cohort=Cohort.YOUNG, year=2023, number=400_000, source="INSEE, RP 2023")
        )
    posted(desk, "2026-11-03", 200)

    html = browse("animator").get(f"{PAPER}?{NOVEMBER}").text
    country = browse("analyst").get(f"{PAPER}?{NOVEMBER}").text

    assert table(html, "What was reached, by source")[1] == "Facebook · own page 1 200 200 0.5"
    assert "Per 1,000 of the 400,000 young people from 16 to 25 of 2023 (INSEE, RP 2023)." in plain(html)
    assert "Young people: INSEE, RP 2023." in plain(html)
    assert table(country, "What was reached, by source")[1] == "Facebook · own page 1 200 200"
    assert table(country, "Facebook · own page")[1] == "1 Rennes 1 200 200 0.5"


def test_a_broken_series_is_told(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 200)
    with writing(desk.stage.hub.engine) as session:
        if not session.exec(select(Metric)).first():
            session.add_all(cataloguing.shipped())
        old = session.exec(select(Metric).where(Metric.name == PEOPLE)).one()
        fresh = old.model_dump(exclude={"id"}) | {
            "name": "people_anew",
            "valid_from": old.valid_from.replace(year=2026, month=11, day=20),
            "replaces": PEOPLE,
            "origin": Origin.LOCAL,
        }
        session.add(Metric(**fresh))

    told = plain(browse("animator").get(f"{PAPER}?{NOVEMBER}").text)

    assert "people_anew took over from post_total_media_view_unique on 20 November 2026" in told
    assert "before and after are not the same measure." in told


def test_a_period_without_posts_is_told_plainly(browse: Browse, desk: Desk) -> None:
    html = browse("animator").get(f"{PAPER}?du=2026-01-01&au=2026-01-31").text

    assert "Nothing was published in this period." in plain(html)
    assert '<svg class="chart"' not in html
    assert "What each figure counts" not in html


def test_words_and_names_of_any_length_and_kind_are_only_words(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 200, text="<b>Gras</b> & " + "très " * 40 + "long")

    html = browse("animator").get(f"{PAPER}?{NOVEMBER}").text

    assert "&lt;b&gt;Gras&lt;/b&gt; &amp; très" in html
    assert max(len(row) for row in table(html, "1 post on one account")) < 220


# --- Who gets what ------------------------------------------------------------------------------------------


def test_an_animator_is_printed_their_own_figures_only(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 1234)
    posted(desk, "2026-11-03", 5678, "stranger", audience=["A-32"], accounts=["facebook:A-32"], text="Ailleurs")

    own = browse("stranger").get(f"{PAPER}?{NOVEMBER}").text

    assert ("5,678" in own, "1,234" in own, "Rennes" in own) == (True, False, False)
    assert "12:00" not in plain(own)  # by the clock of Guadeloupe
    assert "07:00 (time of " in plain(own)


@pytest.mark.parametrize("territory", ["A-14", "FR", "R-53", "Z-9"])
def test_the_report_of_another_territory_is_not_found(browse: Browse, ask: Ask, desk: Desk, territory: str) -> None:
    page = browse("stranger").get(f"{PAPER}?{NOVEMBER}&territoire={territory}")
    api = ask("GET", f"/reach/print?territory={territory}", "stranger")

    assert (page.status_code, api.status_code) == (404, 404)
    assert f"There is no report of {territory} that you may see." in page.text
    assert api.json()["detail"].startswith(f"There is no report of {territory}")


def test_a_stranger_is_led_to_the_entrance(browse: Browse) -> None:
    assert browse().get(PAPER, follow=False).status_code == 303


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("du=soon", "Write a date, such as 2026-12-01."),
        ("du=2026-03-02&au=2026-03-01", "The last day comes before the first."),
        ("du=2020-01-01&au=2026-01-01", "Ask for at most 1098 days at once."),
    ],
)
def test_days_that_are_none_are_told(browse: Browse, asked: str, problem: str) -> None:
    answer = browse("animator").get(f"{PAPER}?{asked}")

    assert (answer.status_code, problem in answer.text) == (422, True)


def test_it_speaks_the_language_of_its_reader(browse: Browse, desk: Desk) -> None:
    posted(desk, "2026-11-03", 1234)

    html = browse("animator").get(f"{PAPER}?{NOVEMBER}", headers={"Accept-Language": "fr"}).text

    assert '<html lang="fr">' in html
    assert "1er novembre 2026" in html
    assert "Personnes qui ont vu la publication au moins une fois" in html


# --- Files --------------------------------------------------------------------------------------------------


def test_the_file_is_whole_in_itself(ask: Ask, desk: Desk) -> None:
    posted(desk, "2026-11-03", 1234)

    answer = ask("GET", "/reach/print?from=2026-11-01&to=2026-11-30&territory=A-14", "animator")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    name = "relais-portee-A-14-2026-11-01-2026-11-30.html"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert re.findall(r'(?:src|href)="[^#]', answer.text) == []
    assert "@page { size: A4;" in answer.text
    assert "default-src &#39;none&#39;" not in answer.text
    assert """content="default-src 'none'; style-src 'unsafe-inline'">""" in answer.text
    assert "1,234" in answer.text
    assert "Back to the reach page" not in answer.text


def without_chromium(stage: Stage) -> Stage:
    settings = stage.hub.settings.model_copy(update={"chromium": Path("no-such-program")})
    return replace(stage, hub=replace(stage.hub, settings=settings))


def test_without_chromium_the_page_and_the_api_say_what_to_do_instead(stage: Stage) -> None:
    instead = "Take the report as HTML instead, open it in a browser and print it from there."
    bare = without_chromium(stage)
    with serving(create_app(bare.hub)) as url, httpx.Client(base_url=url, trust_env=False) as client:
        ask, browser = Ask(client, bare), Browser(url, bare, "animator")

        page, pdf, api = (
            browser.get(PAPER),
            browser.get(f"{PAPER}?forme=pdf"),
            ask("GET", "/reach/print?format=pdf", "animator"),
        )
        browser.client.close()

    assert "Print it from your browser, on paper or into a PDF" in page.text
    assert "Download as PDF" not in page.text
    assert (pdf.status_code, api.status_code) == (503, 503)
    assert instead in pdf.text
    assert api.json()["detail"].endswith(instead)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@real
def test_a_pdf_is_made_of_the_page_and_of_the_api(browse: Browse, ask: Ask, desk: Desk) -> None:
    for day in range(3, 28):
        posted(desk, f"2026-11-{day:02}", 100 + day)
    browser = browse("animator")

    [address] = re.findall(r'href="([^"]+)" download', browser.get(f"{PAPER}?{NOVEMBER}").text)
    page = browser.get(address.replace("&amp;", "&"), timeout=60)
    api = ask("GET", "/reach/print?format=pdf&from=2026-11-01&to=2026-11-30", "animator", timeout=60)

    for answer in (page, api):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"].endswith('A-14-2026-11-01-2026-11-30.pdf"')
        assert answer.content.startswith(b"%PDF")
        assert pages(answer.content) >= 2
        assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45][.\d]* 84[12]", answer.content)


def test_no_connection_to_the_database_is_held_while_chromium_prints(stage: Stage, desk: Desk, tmp_path: Path) -> None:
    begun, gate, chromium = (tmp_path / name for name in ("begun", "gate", "chromium"))
    os.mkfifo(begun)
    os.mkfifo(gate)
    chromium.write_text(
        '#!/bin/sh\nfor one in "$@"; do case "$one" in --print-to-pdf=*) made="${one#--print-to-pdf=}";; esac; done\n'
        f'echo > "{begun}"; cat "{gate}" > /dev/null; echo "%PDF" > "$made"\n'
    )
    chromium.chmod(0o755)
    settings = stage.hub.settings.model_copy(update={"chromium": chromium})
    hub = replace(stage.hub, settings=settings)
    answers: list[httpx.Response] = []
    with serving(create_app(hub)) as url:
        browser = Browser(url, stage, "animator")
        asking = threading.Thread(target=lambda: answers.append(browser.get(f"{PAPER}?forme=pdf")))
        asking.start()
        begun.read_text()

        held = hub.engine.pool.checkedout()  # type: ignore[attr-defined]

        gate.write_text("go on")
        asking.join()
        browser.client.close()
    assert (held, [answer.content for answer in answers]) == (0, [b"%PDF\n"])
