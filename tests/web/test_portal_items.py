"""Pages of items, pages that the law asks for, and what machines read: headers, ETags, JSON-LD, robots, sitemap."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as Tree

import pytest

from hub.database import reading, writing
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.post import Kind
from hub.domain.reach import Unit
from hub.services import measuring
from hub.services.showing import title
from hub.web.guard import CONTENT_POLICY
from hub.web.pages import DANGER_NUMBERS
from tests.shown import an_event, put_out
from tests.stage import NOON, Stage
from tests.web.conftest import Ask

PUBLIC = ["/", "/c/35238-rennes", "/a/14-rennes", "/accessibilite", "/mentions-legales", "/vie-privee", "/sources",
          "/chercher?q=sainte", "/chercher?q=xyzzy", "/c/99999-x", "/p/unknown", "/nowhere"]  # fmt: skip


def out(stage: Stage, *zone: str, **told: Any) -> str:
    with writing(stage.hub.engine) as session:
        return put_out(session, stage, zone, **told).key


def a_full_event(**more: Any) -> dict[str, Any]:
    return an_event("2026-11-20T18:00:00", "2026-11-20T20:00:00", **({
        "venue": "CFA", "address": "1 rue des Ateliers", "attendance": "mixed", "online": "https://example.org/visio",
        "registration": {"link": "https://example.org/s", "phone": "02 99 00 00 00", "email": "cfa@example.org"},
        "ages": {"min": 16, "max": 25}, "accessibility": ["motor"], "conditions": "Gratuit",
    } | more))  # fmt: skip


def json_ld(page: str) -> Any:
    return json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])


# --- Items ---


def test_an_event_says_when_where_for_whom_and_how_to_come(ask: Ask, stage: Stage):
    key = out(
        stage, "A-14", text="Portes ouvertes\n\nViens.", kind=Kind.EVENT, event=a_full_event(), link="https://x.fr"
    )
    page = ask.page(f"/p/{key}").text

    assert "CFA, 1 rue des Ateliers, Rennes" in page
    assert "From 16 to 25 years" in page
    assert "Can receive: reduced mobility" in page
    assert '<p lang="fr">Gratuit</p>' in page
    for address in (f"/l/{key}", "tel:0299000000", "mailto:cfa@example.org", "https://example.org/s",
                    "https://example.org/visio", f"/p/{key}.ics", "/c/35238-rennes", "/a/14-rennes"):  # fmt: skip
        assert f'href="{address}"' in page
    assert 'href="geo:48.' in page
    assert 'href="https://www.openstreetmap.org/search?query=CFA' in page


def test_an_item_tells_machines_what_it_is(ask: Ask, stage: Stage):
    event = a_full_event()
    event["timings"].append({"begin": "2026-12-01T09:00:00", "end": "2026-12-01T12:00:00"})
    key = out(stage, "A-14", text="Portes </script> ouvertes\n\nViens.", kind=Kind.EVENT, event=event)
    answer = ask.page(f"/p/{key}")
    told = json_ld(answer.text)

    assert (told["@context"], told["@type"], told["name"]) == (
        "https://schema.org",
        "Event",
        "Portes </script> ouvertes",
    )
    assert (told["startDate"], told["endDate"]) == ("2026-11-20T18:00:00+01:00", "2026-12-01T12:00:00+01:00")
    assert [one["@type"] for one in told["location"]] == ["Place", "VirtualLocation"]
    assert told["location"][0]["address"]["addressLocality"] == "Rennes"
    assert told["eventAttendanceMode"] == "https://schema.org/MixedEventAttendanceMode"
    assert told["typicalAgeRange"] == "16-25"
    assert len(told["subEvent"]) == 2
    assert told["url"] == f"http://127.0.0.1:8000/p/{key}"
    assert f'<link rel="canonical" href="http://127.0.0.1:8000/p/{key}">' in answer.text
    assert '<meta property="og:title" content="Portes &lt;/script&gt; ouvertes">' in answer.text
    assert '<meta property="og:description" content="Viens.">' in answer.text


def test_the_one_block_of_data_is_announced_and_no_other_script_is(ask: Ask, stage: Stage):
    key = out(stage, "A-14", kind=Kind.EVENT, event=a_full_event())
    answer = ask.page(f"/p/{key}")
    block = answer.text.split('<script type="application/ld+json">')[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()

    assert answer.headers["content-security-policy"] == f"{CONTENT_POLICY}; script-src 'self' 'sha256-{digest}'"
    assert answer.text.count("<script") == 1
    assert ask.page("/").headers["content-security-policy"] == CONTENT_POLICY


@pytest.mark.parametrize(("more", "mode", "kinds"), [
    ({"attendance": "online", "commune": None, "venue": None, "address": None}, "Online", "VirtualLocation"),
    ({"attendance": "on_site", "online": None, "ages": None}, "Offline", "Place"),
])  # fmt: skip
def test_events_online_and_on_site_are_told_apart(ask: Ask, stage: Stage, more: dict[str, Any], mode: str, kinds: str):
    event = {name: value for name, value in a_full_event(**more).items() if value is not None}
    page = ask.page("/p/" + out(stage, "A-14", kind=Kind.EVENT, event=event)).text

    assert json_ld(page)["location"]["@type"] == kinds
    assert json_ld(page)["eventAttendanceMode"].endswith(f"/{mode}EventAttendanceMode")
    assert ("openstreetmap" in page) == (kinds == "Place")
    assert ("typicalAgeRange" in json_ld(page)) == ("ages" in event)


@pytest.mark.parametrize(("ages", "told"), [({"min": 16}, "From 16 years"), ({"max": 25}, "Up to 25 years")])
def test_half_of_an_age_is_told_as_such(ask: Ask, stage: Stage, ages: dict[str, int], told: str):
    page = ask.page("/p/" + out(stage, "A-14", kind=Kind.EVENT, event=a_full_event(ages=ages))).text

    assert told in page


def test_an_item_that_is_no_event_has_no_block(ask: Ask, stage: Stage):
    page = ask.page("/p/" + out(stage, "FR", kind=Kind.ADVICE)).text

    assert "ld+json" not in page
    assert ".ics" not in page
    assert "/a/" not in page


def test_what_is_over_says_so_and_offers_what_is_near(ask: Ask, stage: Stage):
    key = out(stage, "A-14", kind=Kind.EVENT, event=a_full_event())
    stage.clock.at = NOON + timedelta(days=60)
    page = ask.page(f"/p/{key}").text

    assert "This is over." in page
    assert page.index('href="/c/35238-rennes"') < page.index("<h1")
    assert "tel:0299000000" not in page
    assert f"/p/{key}" not in ask.page("/c/35238-rennes").text
    assert f"/p/{key}" not in ask.page("/").text


def test_what_was_taken_down_is_gone_with_a_way_on(ask: Ask, stage: Stage):
    key = out(stage, "A-14")
    with writing(stage.hub.engine) as session:
        number = int(key[1:])
        session.get_one(Delivery, number).state = DeliveryState.REMOVED
    answer = ask.page(f"/p/{key}")

    assert answer.status_code == 410
    assert 'action="/chercher"' in answer.text


# --- What holds for every public page ---


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_page_has_the_danger_numbers(ask: Ask, path: str):
    page = ask.page(path).text

    for address, number, _word in DANGER_NUMBERS:
        assert f'<a href="{address}"><strong>{number}</strong> ' in page
    assert {number for _address, number, _word in DANGER_NUMBERS} == {
        "119", "3114", "3018", "15", "17", "18", "112", "114",
    }  # fmt: skip


@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_set_no_cookie_and_load_nothing_from_elsewhere(ask: Ask, path: str):
    answer = ask.page(path, Cookie="relais-message=SGVsbG8=")
    loaded = re.findall(r'(?:src|<link[^>]*\shref)="?([^"> ]+)', re.sub(r"<link rel=.canonical[^>]*>", "", answer.text))

    assert "set-cookie" not in answer.headers
    assert [one for one in loaded if one.startswith(("http", "//"))] == []
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["permissions-policy"].startswith("geolocation=(self)")


def test_staff_pages_are_not_asked_for_a_position(ask: Ask):
    assert ask.page("/equipe/connexion").headers["permissions-policy"].startswith("geolocation=()")


@pytest.mark.parametrize(("path", "keep"), [
    ("/", "public, max-age=120"), ("/c/35238-rennes", "public, max-age=120"), ("/a/14-rennes", "public, max-age=120"),
    ("/sources", "public, max-age=3600"), ("/robots.txt", "public, max-age=3600"),
    ("/sitemap.xml", "public, max-age=3600"), ("/manifest.webmanifest", "public, max-age=3600"),
])  # fmt: skip
def test_a_proxy_may_keep_pages_and_ask_whether_they_changed(ask: Ask, stage: Stage, path: str, keep: str):
    first = ask.page(path)
    again = ask.page(path, **{"If-None-Match": f'"other", {first.headers["etag"]}'})

    assert first.headers["cache-control"] == keep
    assert "Accept-Language" in first.headers["vary"]
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == keep


def test_a_page_that_changed_has_another_tag_and_so_has_another_language(ask: Ask, stage: Stage):
    before = ask.page("/c/35238-rennes").headers["etag"]
    out(stage, "A-14")

    assert ask.page("/c/35238-rennes", **{"If-None-Match": before}).status_code == 200
    assert ask.page("/c/35238-rennes", **{"Accept-Language": "fr"}).headers["etag"] != before


def test_an_item_is_asked_for_each_time_and_each_reader_is_counted(ask: Ask, stage: Stage):
    key = out(stage, "A-14")
    first = ask.page(f"/p/{key}")
    again = ask.page(f"/p/{key}", **{"If-None-Match": first.headers["etag"]})
    with reading(stage.hub.engine) as session:
        counted = measuring.visits_of(session, [key])[key]

    assert first.headers["cache-control"] == "public, no-cache"
    assert again.status_code == 304
    assert counted == {Unit.VIEWS: 2}


def test_the_first_page_is_small_and_needs_few_requests(ask: Ask, stage: Stage):
    for number in range(10):
        out(stage, "A-14", text=f"Une nouvelle {number}")
    page = ask.page("/").text
    loaded = re.findall(r'<(?:script|link)[^>]*(?:src|href)="(/[^"]+)"', page)
    sizes = [len(gzip.compress(page.encode()))] + [len(gzip.compress(ask.page(one).content)) for one in loaded]

    assert len(sizes) <= 4
    assert sum(sizes) <= 50_000


# --- What machines read ---


def test_robots_are_told_what_is_public(ask: Ask):
    told = ask.page("/robots.txt").text.splitlines()

    assert "Disallow: /equipe" in told
    assert "Sitemap: http://127.0.0.1:8000/sitemap.xml" in told


def test_the_sitemap_holds_areas_with_something_academies_and_live_items(ask: Ask, stage: Stage):
    live = out(stage, "C-35238")
    over = out(stage, "C-35115", kind=Kind.EVENT, event=an_event("2026-10-20T18:00:00"))
    page = Tree.fromstring(ask.page("/sitemap.xml").content)
    paths = [(one.text or "").removeprefix("http://127.0.0.1:8000") for one in page.iter() if one.tag.endswith("loc")]

    assert paths[0] == "/"
    assert len([path for path in paths if path.startswith("/a/")]) == 34
    assert [path for path in paths if path.startswith("/c/")] == ["/c/35238-rennes"]
    assert f"/p/{live}" in paths
    assert f"/p/{over}" not in paths


@pytest.mark.parametrize(("path", "told"), [
    ("/mentions-legales", "Legal notice"), ("/vie-privee", "No cookie on these pages"),
    ("/sources", "INSEE (COG 2026)"), ("/accessibilite", "not compliant"),
])  # fmt: skip
def test_what_a_public_site_owes_is_said(ask: Ask, path: str, told: str):
    assert told in ask.page(path).text


def test_titles_are_first_lines():
    assert title("Une nouvelle\n\nÀ lire.") == "Une nouvelle"
