"""The stories that Relais is for, as people live them: on phones and laptops, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from tests.browser.chromium import PHONE
from tests.browser.conftest import entering
from tests.browser.country import playing
from tests.schedules.conftest import DUE
from tests.schedules.road import Road
from tests.services.desk import Desk
from tests.stage import PASSWORD, Stage

TEXT = "Portes ouvertes au CFA de Rennes\n\nVenez voir les ateliers, sans rendez-vous."

Enter = Callable[..., Page]


@pytest.fixture
def country(engine: Engine, tmp_path: Path) -> Iterator[tuple[Road, str]]:
    """Our own Facebook and X, and the pages before them."""
    with playing(engine, tmp_path) as played:
        yield played


@pytest.fixture
def road(country: tuple[Road, str]) -> Road:
    """What moves the clock, and knows what the networks really show."""
    return country[0]


@pytest.fixture
def come(browser: Browser, country: tuple[Road, str]) -> Iterator[Enter]:
    """`come("animator", viewport=PHONE)`: a browser of their own, signed in, before the pages of this country."""
    road, url = country
    with entering(browser, url, road.stage) as enter:
        yield enter


def press(page: Page, step: str) -> None:
    """One of the buttons under the sheet."""
    page.locator(f"#compose .bar button[name=step][value={step}]").click()


def write(page: Page, text: str = TEXT, *, on: datetime = DUE) -> None:
    """Fill in the sheet of a short piece of news for Rennes, to go out at six."""
    page.goto("/equipe/publications/nouvelle")
    page.locator("input[name=kind][value=news]").check(force=True)
    page.locator("#text").fill(text)
    page.locator("#date").fill(f"{on:%Y-%m-%d}")
    page.locator("#time").fill("18:00")


def number_in(page: Page) -> int:
    """The number of the post whose page this is."""
    found = re.search(r"/publications/(\d+)$", page.url)
    assert found is not None, page.url
    return int(found[1])


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_written_on_a_phone_approved_on_a_laptop_published_and_counted(come: Enter, road: Road, scripts: bool) -> None:
    phone = come("animator", viewport=PHONE, java_script_enabled=scripts)
    laptop = come("coordinator", java_script_enabled=scripts)

    write(phone)
    press(phone, "submit")
    phone.wait_for_url(re.compile(r"/publications/\d+$"))
    post = number_in(phone)

    laptop.goto("/equipe")
    laptop.locator("main a[href^='/equipe/validation']").first.click()
    laptop.goto(f"/equipe/validation/{post}")
    expect(laptop.locator("main")).to_contain_text("Venez voir les ateliers, sans rendez-vous.")
    laptop.locator("[data-approve]").click()
    laptop.wait_for_url(re.compile(r"/equipe/validation"))
    assert road.public() == []

    road.live_until(DUE + timedelta(days=2))
    shown = [words for _account, _id, words in road.public()]
    assert [words for words in shown if not words.startswith("Portes ouvertes au CFA de Rennes")] == []
    assert shown != []

    later = come("animator", viewport=PHONE, java_script_enabled=scripts)
    later.goto(f"/equipe/publications/{post}")
    expect(later.locator("main .head .badge").first).to_have_text("publiée")
    assert later.locator("main article a[rel=noreferrer]").count() == len(shown) + 1  # and the portal
    later.goto("/equipe/portee")
    expect(later.locator("main")).to_contain_text("Rennes")


def test_two_who_change_the_same_post_meet_and_nothing_is_lost(enter: Enter, stage: Stage) -> None:
    desk = Desk(stage, stage.hub.terms)
    post = desk.write(text="Un texte à deux")
    first, second = enter("animator"), enter("colleague")
    for page in (first, second):
        page.goto(f"/equipe/publications/{post}/modifier")
    first.locator("#text").fill("Le texte de l'animatrice")
    second.locator("#text").fill("Le texte du collègue")

    press(first, "save")
    first.wait_for_url(re.compile(rf"/publications/{post}$"))
    press(second, "save")
    expect(second.locator(".versus").first).to_contain_text("Le texte de l'animatrice")
    expect(second.locator(".versus").first).to_contain_text("Le texte du collègue")
    second.locator("button[name=step][value=save]").click()
    second.wait_for_url(re.compile(rf"/publications/{post}$"))

    expect(second.locator("#words + *")).to_contain_text("Le texte du collègue")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_session_that_ends_while_somebody_writes_costs_them_nothing(
    enter: Enter, stage: Stage, scripts: bool
) -> None:
    page = enter("animator", java_script_enabled=scripts)
    write(page)
    stage.clock.forward(hours=3)

    press(page, "save")
    page.locator("#email").fill("animator@example.org")
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").click()
    page.locator("main form button.main").click()
    page.wait_for_url(re.compile(r"/publications/\d+$"))

    expect(page.locator("main")).to_contain_text("Venez voir les ateliers, sans rendez-vous.")
    assert Desk(stage, stage.hub.terms).post(number_in(page)).author_id == stage.people["animator"].id


def test_a_post_that_was_returned_is_mended_and_handed_in_again(enter: Enter, stage: Stage) -> None:
    desk = Desk(stage, stage.hub.terms)
    post = desk.submitted(text="Un texte sans lieu")
    author, approver = enter("animator", viewport=PHONE), enter("coordinator")

    approver.goto(f"/equipe/validation/{post}")
    approver.locator("#reason").fill("Dans quelle salle ?")
    approver.locator("form[action$='/retour'] button").click()
    approver.wait_for_url(re.compile(r"/equipe/validation"))

    author.goto("/equipe")
    author.locator(f"main a[href^='/equipe/publications/{post}']").first.click()
    expect(author.locator("main")).to_contain_text("Dans quelle salle ?")
    author.goto(f"/equipe/publications/{post}/modifier")
    author.locator("#text").fill("Un texte sans lieu\n\nSalle des fêtes de Rennes.")
    press(author, "submit")
    author.wait_for_url(re.compile(rf"/publications/{post}$"))

    assert desk.post(post).state == "submitted"
    approver.goto(f"/equipe/validation/{post}")
    expect(approver.locator("main ins").first).to_contain_text("Salle des fêtes")


def test_an_expired_token_is_repaired_through_facebook_and_what_waited_goes_out(come: Enter, road: Road) -> None:
    assert road.tokens is not None
    road.sandbox.graph.tokens.expire_token(road.tokens["rennes"])
    waiting = road.approve_one("Un rendez-vous à Rennes")
    road.run_at(DUE)
    page = come("coordinator")
    assert (road.state(waiting).value, road.public()) == ("waiting", [])

    page.goto("/equipe")
    page.locator(f"main a[href='/equipe/comptes/{road.stage.accounts['rennes']}']").first.click()
    page.locator("form[action$='/verification'] button").first.click()
    page.locator("main a[href^='/equipe/comptes/facebook/connexion']").first.click()
    page.locator("button[name=answer][value=yes]").click()
    page.wait_for_url(re.compile(r"/equipe/comptes/\d+$"))
    page.locator("form[action$='/reprise'] button").first.click()
    expect(page.locator(".notice.ok")).to_be_visible()
    road.run_after(seconds=2)

    assert [words for _account, _id, words in road.public()] == ["Un rendez-vous à Rennes"]
