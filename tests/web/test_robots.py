"""Who is counted: readers, and neither robots nor what a browser loads ahead of time; of nobody is anything kept."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.delivery import Delivery, Provenance
from hub.domain.reach import Reached, Visit
from hub.services import rolling
from hub.web import robots
from tests.web.conftest import FIREFOX, Ask

READERS = [
    FIREFOX,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "[FBAN/FBIOS;FBAV/470.0.0.38.99;FBDV/iPhone14,5;FBSN/iOS]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Twitter for iPhone",
    "Mozilla/5.0 (Linux; Android 12; CUBOT X50) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Version/4.0 Chrome/126.0 Mobile [Pinterest/Android]",
]

OTHERS = [
    "",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Facebot",
    "Twitterbot/1.0",
    "Mozilla/5.0 AppleWebKit/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/126.0",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "WhatsApp/2.23.20.0",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "curl/8.9.1",
    "python-requests/2.32.3",
    "python-httpx/0.28.1",
    "SomeNewCrawler/0.1",
    "A-Spider",
    "Google-PageRenderer (link preview)",
    "CubotBot/1.0",
]

AHEAD = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Purpose": "prefetch"},
    {"X-Purpose": "preview"},
    {"X-Moz": "prefetch"},
]


@pytest.fixture
def page_key(published: dict[str, Any], engine: Any) -> str:
    """The mark of the delivery on the Facebook page."""
    item = next(one for one in published["deliveries"] if one["network"] == "facebook")
    with writing(engine) as session:
        delivery = session.get_one(Delivery, item["id"])
        rolling.enter(session, delivery)
        return delivery.key


@pytest.fixture
def portal_key(published: dict[str, Any], engine: Any) -> str:
    """The mark of the same post on the portal."""
    item = next(one for one in published["deliveries"] if one["network"] == "portal")
    with reading(engine) as session:
        return session.get_one(Delivery, item["id"]).key


def counts(engine: Any) -> int:
    """All that our own pages counted."""
    with reading(engine) as session:
        return sum(one.count for one in session.exec(select(Visit)))


@pytest.mark.parametrize("name", READERS)
def test_whoever_reads_is_counted(ask: Ask, engine, portal_key, name):
    ask.page(f"/p/{portal_key}", **{"User-Agent": name})
    ask.page(f"/l/{portal_key}", **{"User-Agent": name})

    assert counts(engine) == 2


@pytest.mark.parametrize("headers", [*({"User-Agent": name} for name in OTHERS), *AHEAD], ids=str)
def test_whoever_does_not_read_is_shown_everything_and_not_counted(ask: Ask, engine, portal_key, headers):
    shown = ask.page(f"/p/{portal_key}", **headers)
    followed = ask.page(f"/l/{portal_key}", **headers)

    assert (shown.status_code, followed.status_code, followed.headers["location"]) == (
        200,
        302,
        "https://example.org/cfa",
    )
    assert counts(engine) == 0


def test_whoever_only_asks_for_headers_is_not_counted(ask: Ask, engine, portal_key):
    for path in (f"/p/{portal_key}", f"/l/{portal_key}"):
        ask.client.head(path, headers={"User-Agent": FIREFOX})

    assert counts(engine) == 0


def test_names_of_robots_are_in_small_letters_and_the_list_has_its_day():
    assert [one for one in (*robots.ROBOTS, *robots.NO_ROBOTS, *robots.AHEAD) if one != one.lower()] == []
    assert len(set(robots.ROBOTS)) == len(robots.ROBOTS)
    assert robots.LISTED_ON.year >= 2026


def test_a_click_on_a_link_of_a_page_is_one_arrival_on_its_territory_and_day(ask: Ask, engine, stage, page_key):
    # Half past midnight in Paris: a day later there than it is in Greenwich.
    stage.clock.at = stage.clock.at.replace(day=14, hour=23, minute=30)

    answer = ask.page(f"/l/{page_key}")

    with reading(engine) as session:
        [visit] = session.exec(select(Visit)).all()
        delivery = session.get_one(Delivery, visit.delivery_id)
        reached = session.exec(select(Reached).where(Reached.delivery_id == delivery.id)).one()
    assert answer.status_code == 302
    assert (visit.day.day, visit.territory_code, visit.unit, visit.count) == (15, "D-35", "clicks", 1)
    assert (delivery.provenance, reached.arrivals, reached.clicks) == (Provenance.OWN_PAGE, 1, None)


def test_nothing_is_kept_of_whoever_comes(ask: Ask, engine, page_key, portal_key, caplog):
    caplog.set_level(logging.DEBUG)
    planted = {
        "User-Agent": "Mozilla/5.0 (a-zq7-telephone)",
        "X-Forwarded-For": "203.0.113.77",
        "X-Real-IP": "203.0.113.77",
        "Referer": "https://zq7-referrer.example/",
        "Cookie": "zq7-cookie=1",
    }

    answers = [ask.page(path, **planted) for path in (f"/p/{portal_key}", f"/l/{page_key}", "/", "/p/unknown")]

    assert counts(engine) == 2
    assert [answer for answer in answers if "set-cookie" in answer.headers] == []
    told = everything(engine) + caplog.text
    assert [word for word in ("zq7", "203.0.113") if word in told] == []


def everything(engine: Any) -> str:
    """Every value of every table, as text."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [row for table in tables.sorted_tables for row in connection.execute(table.select())]
    return "\n".join(str(value) for row in rows for value in row)
