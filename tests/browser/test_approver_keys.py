"""The approver's keys: they move the eye and the focus, decide nothing by themselves, and can be turned off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.services.desk import Desk
from tests.stage import Stage

Enter = Callable[..., Page]


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


@pytest.fixture
def waiting(desk: Desk) -> list[int]:
    """Three posts that wait, next due first."""
    return [desk.submitted(text=f"Texte {day}", when=f"2026-11-1{day}T18:00") for day in range(3)]


def test_v_leads_to_the_button_and_only_enter_presses_it(enter: Enter, desk: Desk, waiting: list[int]):
    page = enter("coordinator")
    page.goto(f"/equipe/validation/{waiting[0]}")

    page.keyboard.press("v")

    expect(page.locator("[data-approve]")).to_be_focused()
    assert desk.post(waiting[0]).state == "submitted"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/equipe/validation/{waiting[1]}")
    assert desk.post(waiting[0]).state == "approved"


def test_j_and_k_walk_through_the_queue(enter: Enter, waiting: list[int]):
    page = enter("coordinator")
    page.goto(f"/equipe/validation/{waiting[0]}")

    page.keyboard.press("j")
    page.wait_for_url(f"**/equipe/validation/{waiting[1]}")
    page.keyboard.press("k")

    page.wait_for_url(f"**/equipe/validation/{waiting[0]}")


def test_keys_are_letters_where_somebody_writes(enter: Enter, waiting: list[int]):
    page = enter("coordinator")
    page.goto(f"/equipe/validation/{waiting[0]}")

    page.keyboard.press("r")
    page.keyboard.type("vjk ?")

    expect(page.locator("#reason")).to_be_focused()
    expect(page.locator("#reason")).to_have_value("vjk ?")
    assert page.url.endswith(f"/equipe/validation/{waiting[0]}")


def test_keys_that_are_turned_off_stay_off(enter: Enter, waiting: list[int]):
    page = enter("coordinator")
    page.goto(f"/equipe/validation/{waiting[0]}")
    page.keyboard.press("?")
    page.locator("[data-keys-on]").uncheck()

    page.reload()
    page.keyboard.press("v")

    expect(page.locator("[data-approve]")).not_to_be_focused()
    expect(page.locator("[data-keys-on]")).not_to_be_checked()


def test_in_the_list_j_moves_and_x_ticks(enter: Enter, waiting: list[int]):
    page = enter("coordinator")
    page.goto("/equipe/validation")

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")

    expect(page.locator("[data-queue]").nth(1)).to_be_focused()
    ticked = page.locator("[name=post]:checked").evaluate_all("boxes => boxes.map((box) => box.value)")
    assert ticked == [str(waiting[1])]
