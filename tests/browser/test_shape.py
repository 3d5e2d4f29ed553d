"""Each type of page has one heading, its landmarks, room on small screens and for large text, and stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.looking import ask, skipped_levels, sticks_out_at
from tests.browser.pages import PageType, named
from tests.browser.world import World


@pytest.mark.parametrize("one", **named())
def test_it_has_one_heading_no_skipped_level_and_its_landmarks(
    look: Callable[..., Page], world: World, one: PageType
) -> None:
    page = look(one.who)
    page.goto(one.at(world))

    headings = ask(page, "headings")
    landmarks = ask(page, "landmarks")

    assert [level for level, _words in headings].count(1) == 1
    assert headings[0][0] == 1
    assert [words for _level, words in headings if not words] == []
    assert skipped_levels(headings) == []
    assert landmarks == {"main": 1, "header": 1, "footer": 1, "nameless": 0, "language": "fr"}


@pytest.mark.parametrize("one", **named())
def test_it_fits_a_small_screen_and_large_text(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who)
    page.goto(one.at(world))
    small = sticks_out_at(page, 320)
    targets = ask(page, "smallTargets")
    ask(page, "unfold")

    unfolded = sticks_out_at(page, 320)
    large = sticks_out_at(page, 1280, text="200%")
    zoomed = sticks_out_at(page, 640)

    assert {"320 px": small, "unfolded": unfolded, "text at 200 %": large, "zoomed twice": zoomed} == {
        "320 px": [], "unfolded": [], "text at 200 %": [], "zoomed twice": [],
    }  # fmt: skip
    assert targets == []


@pytest.mark.parametrize("one", **named())
def test_nothing_moves_for_whoever_asks_for_that(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who)
    page.emulate_media(reduced_motion="reduce")
    page.goto(one.at(world))

    assert ask(page, "moving") == []


@pytest.mark.parametrize("one", **named())
def test_it_is_whole_without_scripts(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who, java_script_enabled=False)
    answer = page.goto(one.at(world))

    assert answer is not None
    assert answer.status == one.status
    assert page.locator("h1").count() == 1
    assert ask(page, "buttonsThatNeedScripts") == []
    assert ask(page, "formsWithoutButton") == []
