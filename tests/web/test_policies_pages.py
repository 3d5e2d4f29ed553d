"""The rules of the house in a browser: shown, agreed on, refused beside the field; quiet times added and removed."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.policy import Policies, QuietWindow
from hub.services import agreeing
from tests.stage import Stage
from tests.web.conftest import Browser, a_draft

RULES = "/equipe/reglages"
NIGHT = {"name": "Nuit", "territories": ["FR"], "from_hour": "22:00", "to_hour": "07:00"}


def agreed(stage: Stage) -> Policies:
    with reading(stage.hub.engine) as session:
        return agreeing.policies(session)


def agree(stage: Stage, **changes: Any) -> None:
    with writing(stage.hub.engine) as session:
        agreeing.agree(session, changes, by=stage.people["administrator"], at=stage.clock())


def fields(browser: Browser) -> dict[str, str]:
    """The form as it is shown: what a browser would send if nothing was touched."""
    page = browser.get(RULES).text.partition('<form method="post" action="/equipe/reglages"')[2].partition("</form>")[0]
    told = {}
    for tag in re.findall(r"<input ([^>]*)>", page):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if given.get("type") != "checkbox" or " checked" in tag:
            told[given["name"]] = html.unescape(given.get("value", ""))
    told.pop("csrf")
    return told


def test_the_form_shows_what_holds_and_keeping_it_untouched_changes_nothing(browse, stage: Stage):
    agree(stage, silence_days=21, quiet_windows=[NIGHT | {"territories": ["A-14", "D-59"]}])
    browser = browse("coordinator")
    before = agreed(stage)

    shown = fields(browser)
    browser.post(RULES, shown)

    assert (shown["silence_days"], shown["usual_time"], "second_factor" in shown) == ("21", "18:00", False)
    assert [shown[f"window-0-place-{place}"] for place in range(3)] == ["Rennes (A-14)", "Nord (D-59)", ""]
    assert agreed(stage) == before


def test_what_is_agreed_on_holds_at_once_and_says_by_whom(browse, stage: Stage):
    browser = browse("coordinator")

    done = browser.post(RULES, fields(browser) | {"silence_days": "10", "usual_time": "17:30", "second_factor": "1"})

    assert agreed(stage) == Policies(silence_days=10, usual_time="17:30", second_factor=True)
    assert done.url.path == "/equipe/moi/second-facteur"
    assert "The rules are kept." in done.text


def test_the_form_tells_how_many_would_have_to_set_up_a_second_factor(browse):
    assert "3 of 3 have none yet" in browse("coordinator").get(RULES).text


def test_every_value_that_cannot_be_taken_is_told_beside_its_field_and_kept_as_typed(browse, stage: Stage):
    browser = browse("coordinator")

    refused = browser.post(RULES, fields(browser) | {"silence_days": "0", "daily_mail_hour": "late", "usual_time": ""})

    assert refused.status_code == 422
    assert 'id="silence_days-wrong">This must be at least 1.' in refused.text
    assert 'id="daily_mail_hour-wrong">This must be a whole number.' in refused.text
    assert 'id="usual_time-wrong">Write a time of day such as 18:00.' in refused.text
    assert 'value="late"' in refused.text
    assert agreed(stage) == Policies()


@pytest.mark.parametrize("typed", ["Rennes (A-14)", "A-14", "a-14", "rennes"])
def test_a_quiet_time_is_added_with_its_territory_as_chosen_or_typed(browse, stage: Stage, typed: str):
    browser = browse("administrator")
    window = {"window-0-name": "Fermeture", "window-0-from_day": "2026-12-24", "window-0-place-0": typed}

    browser.post(RULES, fields(browser) | window)

    assert agreed(stage).quiet_windows == [
        QuietWindow.model_validate({"name": "Fermeture", "from_day": "2026-12-24", "territories": ["A-14"]})
    ]


def test_namesakes_are_taken_for_the_academie(browse, stage: Stage):
    browser = browse("administrator")
    night = {"window-0-name": "Nuit", "window-0-from_hour": "22:00", "window-0-to_hour": "07:00"}

    browser.post(RULES, fields(browser) | night | {"window-0-place-0": "Mayotte"})

    assert agreed(stage).quiet_windows[0].territories == ["A-43"]


def test_what_is_wrong_with_a_quiet_time_is_told_at_its_own_field(browse, stage: Stage):
    agree(stage, quiet_windows=[NIGHT])
    browser = browse("administrator")
    shown = fields(browser)
    half = {"window-1-name": "", "window-1-from_day": "2026-12-24", "window-1-place-0": "FR"}

    nowhere = browser.post(RULES, shown | half | {"window-1-place-0": "Atlantide"})
    nameless = browser.post(RULES, shown | half)
    placeless = browser.post(RULES, shown | half | {"window-1-name": "Fermeture", "window-1-place-0": ""})
    shifted = browser.post(RULES, shown | half | {"window-0-gone": "1"})

    assert 'id="window-1-place-0-wrong">There is no territory “Atlantide”.' in html.unescape(nowhere.text)
    assert 'id="window-1-name-wrong">This is missing.' in nameless.text
    assert 'id="window-1-place-0-wrong">This is missing.' in placeless.text
    assert 'id="window-1-name-wrong">This is missing.' in shifted.text
    assert agreed(stage).quiet_windows == [QuietWindow.model_validate(NIGHT)]


def test_a_quiet_time_is_removed(browse, stage: Stage):
    agree(stage, quiet_windows=[NIGHT, NIGHT | {"name": "Sieste", "from_hour": "12:00", "to_hour": "14:00"}])
    browser = browse("administrator")

    browser.post(RULES, fields(browser) | {"window-0-gone": "1"})

    assert [window.name for window in agreed(stage).quiet_windows] == ["Sieste"]


LATE = "This post goes out in less than 24 hours. Tell a coordinator, so that it is approved in time."


@pytest.mark.parametrize(("when", "advice"), [("2026-11-02T20:00", LATE), ("2026-11-04T20:00", "")])
def test_who_hands_in_later_than_agreed_is_told_to_call_a_coordinator(ask, browse, when: str, advice: str):
    posts = [ask("POST", "/posts", "animator", json=a_draft(when=when, text=text)).json()["id"] for text in ("A", "B")]

    told = ask("POST", f"/posts/{posts[0]}/submit", "animator").json()
    page = browse("animator").post(f"/equipe/publications/{posts[1]}/soumettre")

    assert told["advice"] == advice
    assert "Handed in." in page.text
    assert (LATE in page.text) is bool(advice)


@pytest.mark.parametrize("who", ["animator", "analyst"])
def test_only_those_who_keep_the_whole_country_agree(browse, stage: Stage, who: str):
    browser = browse(who)

    assert browser.get(RULES).status_code == 403
    assert browser.post(RULES, {"silence_days": "1"}).status_code == 403
    assert agreed(stage) == Policies()


def test_nothing_changes_without_the_token_of_a_page(browse, stage: Stage):
    assert browse("coordinator").client.post(RULES, data={"silence_days": "1"}).status_code == 403
    assert agreed(stage) == Policies()
