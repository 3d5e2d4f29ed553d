"""The table of page types is complete; without this, a new page would escape every check of this room."""

from __future__ import annotations

import re
from collections import defaultdict

import httpx

from hub.web.app import create_app
from tests.browser.pages import NO_PAGES, PAGES, routes_that_show
from tests.browser.world import World


def test_every_address_that_shows_something_is_in_the_table_of_page_types(world: World) -> None:
    routes = routes_that_show(create_app(world.stage.hub))
    told = {one.route for one in PAGES} | set(NO_PAGES)

    assert sorted(routes - told) == [], "not in tests/browser/pages.py"
    assert sorted(told - routes) == [], "in tests/browser/pages.py, but no route"


def test_each_type_of_page_has_a_title_of_its_own_on_its_side_of_the_door(served_world: tuple[World, str]) -> None:
    world, url = served_world
    routes_by_title: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in PAGES:
        cookies = {"relais": world.cookie(one.who)} if one.who else {}
        with httpx.Client(base_url=url, trust_env=False, cookies=cookies) as client:
            answer = client.get(one.at(world))
        assert (str(one), answer.status_code) == (str(one), one.status)
        title = re.search(r"<title>(.*?)</title>", answer.text, re.DOTALL)
        place = "inside" if one.who else "outside"
        routes_by_title[place, " ".join(title[1].split()) if title else ""].add(one.route)

    assert {"", "Relais", "· Relais"} & {title for _place, title in routes_by_title} == set()
    assert {title: sorted(routes) for title, routes in routes_by_title.items() if len(routes) > 1} == {}
