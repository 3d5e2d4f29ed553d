"""With the keyboard alone: every control is reached, its focus is seen, and nothing holds whoever passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Page

from tests.browser.looking import ask
from tests.browser.pages import PageType, named
from tests.browser.world import World

PARTS_OF_ONE: Final = 8
"""Tab stops that one control may have inside, such as a date's."""


@pytest.mark.parametrize("one", **named())
def test_tab_reaches_everything_and_its_focus_is_seen(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who)
    page.goto(one.at(world))
    unseen, end = [], False

    for _press in range(ask(page, "tabStops") * PARTS_OF_ONE):
        page.keyboard.press("Tab")
        arrived = ask(page, "arrive")
        end = arrived["end"]
        if end:
            break
        if not arrived["seen"] and not arrived["again"]:
            unseen.append(arrived["name"])

    assert (end, ask(page, "missed"), unseen) == (True, [], [])

    # From the end to the first stop again: the way past the menu.
    page.keyboard.press("Tab")
    first = ask(page, "arrive")
    page.keyboard.press("Enter")
    content = ask(page, "arrive")
    page.keyboard.press("Tab")

    assert (first["name"], first["seen"], content["name"]) == ("a skip", True, "main main")
    assert page.evaluate("() => document.activeElement.closest('header')") is None
