"""Axe finds nothing on any type of page, in light and in dark, on a laptop and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser import axe
from tests.browser.chromium import PHONE
from tests.browser.looking import ask
from tests.browser.pages import PageType, named
from tests.browser.world import World


@pytest.mark.parametrize("one", **named())
def test_axe_finds_nothing(look: Callable[..., Page], world: World, one: PageType) -> None:
    page = look(one.who, bypass_csp=True)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    answer = page.goto(one.at(world))
    ask(page, "unfold")

    light = axe.violations(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = axe.violations(page)
    page.set_viewport_size(PHONE)
    phone = axe.violations(page)

    assert answer is not None
    assert answer.status == one.status
    assert {"light": light, "dark": dark, "phone": phone} == {"light": [], "dark": [], "phone": []}
