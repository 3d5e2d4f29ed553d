"""Following an area over HTTP: files that caches keep, addresses that stay, kind words for what is not there."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as Xml

import httpx
import pytest
from icalendar import Calendar

from hub.database import writing
from hub.domain.post import Kind
from hub.services.syndicating import ATOM
from hub.web.portal.following import FRESH
from tests.services.test_following import open_day, out, take_down
from tests.stage import Stage
from tests.web.conftest import Ask


def titles(answer: httpx.Response) -> list[str | None]:
    assert answer.status_code == 200, answer.text
    return [one.text for one in Xml.fromstring(answer.content).findall(f"{{{ATOM}}}entry/{{{ATOM}}}title")]


def dates(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    return [(str(one["SUMMARY"]), str(one["STATUS"])) for one in Calendar.from_ical(answer.content).walk("VEVENT")]


def test_an_area_is_followed_as_feed_and_as_calendar(ask: Ask, stage: Stage):
    open_day(stage, "D-35", text="Portes ouvertes")
    out(stage, "A-14", text="Un conseil", kind=Kind.ADVICE)
    out(stage, "D-29", text="Ailleurs")

    feed, calendar = ask.page("/suivre/C-35238.atom"), ask.page("/suivre/C-35238.ics")

    assert feed.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert calendar.headers["content-type"] == "text/calendar; charset=utf-8"
    assert sorted(filter(None, titles(feed))) == ["Portes ouvertes", "Un conseil"]
    assert dates(calendar) == [("Portes ouvertes", "CONFIRMED")]
    assert sorted(filter(None, titles(ask.page("/suivre/FR.atom")))) == ["Ailleurs", "Portes ouvertes", "Un conseil"]


def test_one_kind_has_its_own_addresses(ask: Ask, stage: Stage):
    open_day(stage, "D-35", text="Portes ouvertes")
    out(stage, "A-14", text="Un conseil", kind=Kind.ADVICE)

    feed = ask.page("/suivre/D-35.atom?genre=advice")

    assert titles(feed) == ["Un conseil"]
    assert "/suivre/D-35.atom?genre=advice" in feed.text
    assert dates(ask.page("/suivre/D-35.ics?genre=event")) == [("Portes ouvertes", "CONFIRMED")]
    assert dates(ask.page("/suivre/D-35.ics?genre=advice")) == []


@pytest.mark.parametrize("path", ["/suivre/C-35238.atom", "/suivre/C-35238.ics", "/suivre/A-40.atom"])
def test_who_has_it_already_is_sent_nothing(ask: Ask, stage: Stage, path: str):
    open_day(stage, "A-14")
    first = ask.page(path)

    by_tag = ask.page(path, **{"If-None-Match": f'"other", {first.headers["etag"]}'})
    by_moment = ask.page(path, **{"If-Modified-Since": first.headers["last-modified"]})
    both = ask.page(path, **{"If-None-Match": '"other"', "If-Modified-Since": first.headers["last-modified"]})

    assert first.headers["cache-control"] == f"public, max-age={FRESH}"
    assert "set-cookie" not in first.headers
    assert (by_tag.status_code, by_tag.content, by_tag.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (by_moment.status_code, both.status_code) == (304, 200)
    assert ask.page(path, **{"If-Modified-Since": "yesterday"}).status_code == 200
    assert ask.page(path, **{"If-None-Match": "*"}).status_code == 304


@pytest.mark.parametrize("form", ["atom", "ics"])
def test_a_file_is_the_same_until_something_happens(ask: Ask, stage: Stage, form: str):
    key = open_day(stage, "A-14", begin="2027-01-30T09:00:00")
    first = ask.page(f"/suivre/A-14.{form}")
    stage.clock.forward(days=1)
    second = ask.page(f"/suivre/A-14.{form}")
    open_day(stage, "A-14", begin="2027-01-30T09:00:00")
    third = ask.page(f"/suivre/A-14.{form}")
    take_down(stage, key)
    fourth = ask.page(f"/suivre/A-14.{form}")

    assert first.content == second.content
    assert len({one.headers["etag"] for one in (first, second, third, fourth)}) == 3
    assert parsedate_to_datetime(first.headers["last-modified"]) == stage.clock() - timedelta(days=1)
    assert parsedate_to_datetime(third.headers["last-modified"]) == stage.clock()


def test_a_calendar_strikes_out_what_was_taken_down_and_the_item_does_so_too(ask: Ask, stage: Stage):
    key = open_day(stage, "A-14", text="Portes ouvertes")
    before = dates(ask.page(f"/p/{key}.ics"))
    take_down(stage, key)

    assert before == [("Portes ouvertes", "CONFIRMED")]
    assert [status for _summary, status in dates(ask.page("/suivre/A-14.ics"))] == ["CANCELLED"]
    assert [status for _summary, status in dates(ask.page(f"/p/{key}.ics"))] == ["CANCELLED"]
    stage.clock.forward(days=91)
    assert ask.page(f"/p/{key}.ics").status_code == 410


def test_an_item_without_a_date_has_no_calendar_file_but_its_page(ask: Ask, stage: Stage):
    key = out(stage, "A-14")

    assert ask.page(f"/p/{key}").status_code == 200
    assert ask.page(f"/p/{key}.ics").status_code == 404
    assert "no date" in ask.page(f"/p/{key}.ics").text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/suivre/C-99999.atom", "no such area"),
        ("/suivre/<script>.ics", "no such area"),
        ("/suivre/FR.atom?genre=<b>", "no such kind"),
        ("/p/nothing.ics", "nothing at this address"),
    ],
)
def test_what_is_not_there_is_said_with_a_way_on(ask: Ask, path: str, words: str):
    answer = ask.page(path)

    assert answer.status_code == 404
    assert words in answer.text
    assert "<script>" not in answer.text
    assert 'href="/"' in answer.text


def test_files_speak_the_language_of_the_hub_whoever_asks(ask: Ask, stage: Stage):
    open_day(stage, "A-14")

    english, french = (ask.page("/suivre/A-14.ics", **{"Accept-Language": one}) for one in ("en", "fr"))

    assert english.content == french.content
    assert english.headers["etag"] == french.headers["etag"]


def test_following_leaves_no_trace_of_who_follows(ask: Ask, stage: Stage):
    open_day(stage, "A-14")
    with writing(stage.hub.engine) as session:
        before = session.connection().exec_driver_sql("SELECT count(*) FROM visit").scalar()
    ask.page("/suivre/A-14.ics")
    with writing(stage.hub.engine) as session:
        after = session.connection().exec_driver_sql("SELECT count(*) FROM visit").scalar()

    assert (before, after) == (0, 0)


@pytest.mark.parametrize(
    ("page", "codes"), [("/c/35238-rennes", {"C-35238", "D-35", "A-14"}), ("/a/14-rennes", {"A-14"})]
)
def test_pages_of_areas_tell_how_to_follow_them_and_each_address_works(ask: Ask, page: str, codes: set[str]):
    told = ask.page(page).text

    links = set(re.findall(r'href="(/suivre/[^"]+)"', told))
    feeds = {link for link in links if "genre" in link}
    assert {re.split(r"[/.]", link)[2] for link in links} == codes
    assert len(feeds) == len(Kind)
    assert re.search(r'<link rel="alternate" type="application/atom\+xml"[^>]+href="/suivre/[CA]-\d+\.atom">', told)
    assert {link: ask.page(link).status_code for link in links} == dict.fromkeys(links, 200)


@pytest.mark.parametrize(
    ("code", "page"),
    [
        ("C-35238", "/c/35238-rennes"),
        ("A-14", "/a/14-rennes"),
        ("D-35", "/"),
        ("FR", "/"),
        ("C-75111", "/c/75056-paris"),
    ],
)
def test_a_feed_leads_to_the_page_of_its_area(ask: Ask, code: str, page: str):
    feed = Xml.fromstring(ask.page(f"/suivre/{code}.atom").content)

    [link] = [one.attrib["href"] for one in feed.findall(f"{{{ATOM}}}link") if one.attrib["rel"] == "alternate"]
    assert link == f"http://127.0.0.1:8000{page}"
    assert ask.page(page).status_code == 200
