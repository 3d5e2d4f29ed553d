"""Each type of page is light: at most 100 kB over the network in all, in at most five requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Page, Response

from tests.browser.pages import PageType, named
from tests.browser.world import World

MOST_BYTES: Final = 100_000
MOST_REQUESTS: Final = 5

PICTURE: Final = re.compile(r"/(?:images|p/[^/]+)/\w+$")
"""A picture of a post: people decide how many there are; its bytes count, its request does not."""


@pytest.mark.parametrize("one", **named())
def test_it_is_light(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who)
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(one.at(world))
    # A browser with a window fetches the icon too; this one does not, so it is asked for by hand.
    icon = page.request.get(page.locator("link[rel=icon]").get_attribute("href") or "")

    sizes = {answer.url: _bytes_of(answer) for answer in answers} | {icon.url: len(icon.body())}

    own = [address for address in sizes if not PICTURE.search(address)]
    assert len(own) <= MOST_REQUESTS, sizes
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def _bytes_of(answer: Response) -> int:
    """As they came over the network, packed, with what was said around them."""
    sizes = answer.request.sizes()
    return sizes["responseBodySize"] + sizes["responseHeadersSize"]
