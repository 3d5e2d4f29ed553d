"""The audit in a browser: sentences by day, filters, pages; for those who keep the whole country."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from hub.database import writing
from hub.domain.audit import CLOCK, note
from hub.domain.person import RoleKind
from hub.services import joining
from tests.stage import NOON, Stage

JOURNAL = "/equipe/journal"


def lines(page) -> list[str]:
    """The sentences, without marks."""
    told = re.findall(r"<li>\n<time [^>]*>([^<]*)</time>\n<div>\n<p>(.*?)</p>", page.text, re.DOTALL)
    return [f"{at} " + html.unescape(re.sub(r"<[^>]+>|\n", "", words)).strip() for at, words in told]


@pytest.fixture
def history(stage: Stage, written) -> int:
    """A post, and what happened to it since."""
    number: int = written["id"]
    with writing(stage.hub.engine) as session:
        by = stage.people["coordinator"]
        note(
            session, "post.return", f"post:{number}", by=by, at=NOON + timedelta(hours=1), after={"reason": "Trop long"}
        )
        note(session, "post.expire", f"post:{number}", by=CLOCK, at=NOON + timedelta(days=1))
    return number


def test_it_reads_as_sentences_by_day_with_a_way_to_the_thing(browse, history: int):
    page = browse("coordinator").get(f"{JOURNAL}?objet=post%3A{history}")

    assert lines(page) == [
        f"12:00 Relais itself let a post expire: no. {history}, Portes ouvertes au CFA",
        f"13:00 Coordinator returned a post: no. {history}, Portes ouvertes au CFA",
        f"12:00 Animator wrote a post: no. {history}, Portes ouvertes au CFA",
    ]
    assert re.findall(r'<h2 class="day">(.*?)</h2>', page.text) == [
        "Tuesday 3 November 2026", "Monday 2 November 2026",
    ]  # fmt: skip
    assert f'<a href="/equipe/publications/{history}">' in page.text
    assert "<dt>reason</dt><dd>Trop long</dd>" in page.text
    assert f"Only about: no. {history}, Portes ouvertes au CFA" in page.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?qui=coordinator%40example.org&action=post", ["13:00 Coordinator returned a post"]),
        ("?qui=relais&action=post", ["12:00 Relais itself let a post expire"]),
        ("?action=post.draft", ["12:00 Animator wrote a post"]),
        ("?du=2026-11-03", ["12:00 Relais itself let a post expire"]),
        ("?du=2026-11-02&au=2026-11-02&action=post.return", ["13:00 Coordinator returned a post"]),
        ("?au=2026-11-01&action=post", []),
        ("?action=of.tomorrow", []),
    ],
)
def test_it_is_filtered_by_person_action_and_day(browse, history: int, query: str, expected: list[str]):
    told = [line.partition(":")[0] + ":" + line.partition(":")[2].partition(": ")[0] for line in lines(
        browse("coordinator").get(JOURNAL + query)
    )]  # fmt: skip

    assert told == expected


def test_a_search_without_result_says_so_and_leads_back(browse):
    page = browse("coordinator").get(f"{JOURNAL}?action=hold.on")

    assert "Nothing was noted that fits this search." in page.text
    assert '<option value="hold.on" selected>' in page.text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?du=soon", 'id="du-wrong">Write a date, such as 2026-12-01.'),
        ("?du=0001-01-01", 'id="du-wrong">Check the year.'),
        ("?du=2026-11-03&au=2026-11-02", 'id="au-wrong">The last day comes before the first.'),
    ],
)
def test_a_day_that_is_none_is_told_beside_its_field(browse, query: str, sentence: str):
    page = browse("coordinator").get(JOURNAL + query)

    assert (page.status_code, sentence in page.text) == (422, True)


def test_older_lines_follow_on_the_next_page(browse, stage: Stage):
    with writing(stage.hub.engine) as session:
        for minute in range(60):
            note(session, "hold.on", f"hold:{minute}", by="operator", at=NOON + timedelta(minutes=minute))
    browser = browse("administrator")

    first = browser.get(f"{JOURNAL}?action=hold")
    address = html.unescape(re.findall(r'<a class="button" href="([^"]+)" rel="next">', first.text)[0])
    second = browser.get(address)

    assert (len(lines(first)), len(lines(second))) == (50, 10)
    assert lines(first)[-1] == "12:10 An operator at the machine stopped all publishing"
    assert lines(second)[0] == "12:09 An operator at the machine stopped all publishing"
    assert 'rel="next"' not in second.text


def test_people_are_a_link_only_for_those_who_keep_them(browse):
    query = f"{JOURNAL}?action=person.add"

    assert "/equipe/personnes/" not in browse("coordinator").get(query).text.partition("<main")[2]
    assert "/equipe/personnes/1" in browse("administrator").get(query).text


def test_what_was_noted_about_a_person_says_whom_it_is_about(browse, stage: Stage):
    number = stage.people["analyst"].id
    page = browse("coordinator").get(f"{JOURNAL}?objet=person%3A{number}")

    assert "Only about: Analyst" in page.text
    assert "Only about: thing:x" in browse("coordinator").get(f"{JOURNAL}?objet=thing%3Ax").text
    assert browse("coordinator").get(f"{JOURNAL}?objet=post%3A{10**30}").status_code == 200


@pytest.mark.parametrize(("who", "status"), [("animator", 403), ("analyst", 403), ("regional", 403)])
def test_it_is_not_for_everybody(browse, stage: Stage, who: str, status: int):
    with writing(stage.hub.engine) as session:
        one = joining.add_person(session, email="regional@example.org", name="R", at=NOON, by="operator")
        joining.give_role(session, one.id or 0, RoleKind.COORDINATOR, "A-14", by="operator", at=NOON)
        stage.people["regional"] = joining.actor_for(session, one.id or 0)

    assert browse(who).get(JOURNAL).status_code == status
