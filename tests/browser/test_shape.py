"""Each type of page has one heading, its landmarks, room on small screens and for large text, and stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.looking import ask, skipped_levels, sticks_out_at
from tests.browser.pages import PageType, named
from tests.browser.world import World


@pytest.mark.parametrize("one", **named())
def test_it_is_well_made_and_fits_every_screen(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who)
    page.emulate_media(reduced_motion="reduce")
    page.goto(one.at(world))

    headings = ask(page, "headings")
    assert ([level for level, _words in headings].count(1), headings[0][0]) == (1, 1)
    assert [words for _level, words in headings if not words] == []
    assert skipped_levels(headings) == []
    assert ask(page, "landmarks") == {"main": 1, "header": 1, "footer": 1, "nameless": 0, "language": "fr"}
    assert ask(page, "moving") == []

    small = sticks_out_at(page, 320)
    targets = ask(page, "smallTargets")
    ask(page, "unfold")
    found = {
        "320 px": small,
        "320 px, unfolded": sticks_out_at(page, 320),
        "twice as near": sticks_out_at(page, 640),
        "text at 200 %": sticks_out_at(page, 1280, text="200%"),
        "targets": targets,
    }
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("one", **named())
def test_it_is_whole_without_scripts(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who, java_script_enabled=False)
    answer = page.goto(one.at(world))

    assert answer is not None
    assert answer.status == one.status
    assert page.locator("h1").count() == 1
    assert ask(page, "buttonsThatNeedScripts") == []
    assert ask(page, "formsWithoutButton") == []
