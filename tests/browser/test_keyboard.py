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
    most = ask(page, "tabStops") * PARTS_OF_ONE + PARTS_OF_ONE
    unseen = []

    for _press in range(most):
        page.keyboard.press("Tab")
        arrived = ask(page, "arrive")
        if arrived["end"]:
            break
        if not arrived["seen"] and not arrived["again"]:
            unseen.append(arrived["name"])
    else:
        pytest.fail(f"Tab never comes to the end of the page; it was last at {arrived['name']}")

    assert ask(page, "missed") == []
    assert unseen == []


@pytest.mark.parametrize("one", **named())
def test_the_first_stop_leads_to_the_content(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who)
    page.goto(one.at(world))

    page.keyboard.press("Tab")
    shown = page.evaluate(
        "() => document.activeElement.matches('.skip') && document.activeElement.getBoundingClientRect().left >= 0"
    )
    page.keyboard.press("Enter")
    main = page.evaluate("() => document.activeElement.id")
    page.keyboard.press("Tab")

    assert (shown, main) == (True, "main")
    assert page.evaluate(
        "() => document.activeElement === document.body || document.activeElement.closest('header') === null"
    )
