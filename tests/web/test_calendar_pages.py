"""The calendar in a browser: month, week, filters, moving a post, the private link and its file."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from icalendar import Calendar

from hub.domain.post import PostState
from hub.web.app import create_app
from tests.services.desk import Desk
from tests.stage import Stage, serving
from tests.web.conftest import Browser

NOVEMBER = "/equipe/calendrier?le=2026-11-10"
WEEK = "/equipe/calendrier?vue=semaine&le=2026-11-10"


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def chips(html: str) -> list[tuple[str, str]]:
    """State and link of everything on a page of the calendar."""
    return re.findall(r'<li class="chip is-(\w+)">\s*<a href="/equipe/publications/(\d+)">', html)


@pytest.mark.parametrize("address", [NOVEMBER, WEEK])
def test_month_and_week_show_what_is_written_waits_and_goes_out(browse, desk, address):
    draft = desk.write(when="2026-11-10T08:00")
    waiting = desk.submitted(text="Attend", when="2026-11-11T08:00")
    going = desk.approved(text="Part", accounts=["facebook:A-14", "portal:FR"])

    html = browse("animator").get(address).text

    expected = [("draft", str(draft)), ("scheduled", str(going)), ("to_approve", str(waiting))]
    assert chips(html) == expected
    assert "Rennes" in html


def test_a_full_day_of_a_month_leads_to_its_week_which_shows_everything(browse, desk):
    for number in range(7):
        desk.write(text=f"Texte {number}", when=f"2026-11-10T0{number + 1}:00")
    browser = browse("animator")

    month = browser.get(NOVEMBER).text

    assert len(chips(month)) == 4
    assert 'href="/equipe/calendrier?vue=semaine&amp;le=2026-11-10#j2026-11-10"' in month
    assert len(chips(browser.get(WEEK).text)) == 7


def test_filters_narrow_the_page_and_stay_in_its_links(browse, desk):
    desk.write()
    browser = browse("animator")

    kept = browser.get(f"{NOVEMBER}&territoire=D-35&etat=brouillon").text
    none = browser.get(f"{NOVEMBER}&etat=publiee").text

    assert len(chips(kept)) == 1
    assert "vue=mois&amp;le=2026-12-01&amp;territoire=D-35&amp;etat=brouillon" in kept
    assert "Nothing here with this filter" in none


def test_a_stranger_sees_an_empty_calendar_that_teaches(browse, desk):
    desk.approved()

    html = browse("stranger").get(NOVEMBER).text

    assert chips(html) == []
    assert "Nothing is planned in these days" in html


@pytest.mark.parametrize(
    ("query", "status"),
    [("le=2026-02-30", 422), ("le=0001-01-01", 422), ("vue=annee", 422), ("territoire=A-99", 422),
     ("compte=x", 422), ("compte=9999999999", 200), ("etat=nonsense", 200)],
)  # fmt: skip
def test_odd_addresses_are_answered_in_words(browse, query, status):
    assert browse("animator").get(f"/equipe/calendrier?{query}").status_code == status


def test_the_api_gives_drafts_to_those_who_ask_for_them(ask, desk):
    desk.write(accounts=["facebook:A-14"])

    usual, asked = (ask("GET", f"/calendar{query}", "animator").json() for query in ("", "?state=draft"))

    assert usual == []
    assert [(one["state"], one["territory_name"], one["delivery"]) for one in asked] == [("draft", "Rennes", None)]


# --- Moving -----------------------------------------------------------------------------------------------


def moving(desk: Desk, post_id: int, **changed: Any) -> dict[str, Any]:
    """The fields of the form."""
    version = str(desk.post(post_id).version)
    return {"date": "2026-11-12", "time": "09:30", "version": version, "retour": NOVEMBER} | changed


def test_a_post_is_moved_by_a_form_and_the_calendar_is_shown_again(browse, desk):
    post_id = desk.write()
    browser = browse("animator")
    asked = browser.get(f"/equipe/calendrier/deplacer/{post_id}?retour={NOVEMBER}")

    answer = browser.post(f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id))

    assert 'value="2026-11-10"' in asked.text
    assert desk.post(post_id).wall_time == "2026-11-12T09:30"
    assert str(answer.url).endswith(NOVEMBER)
    assert "The post goes out on Thursday 12 November 2026, 09:30, once it is handed in and approved." in answer.text


def test_an_approved_post_says_what_moving_costs_and_is_handed_in_again_at_once(browse, desk):
    post_id = desk.approved()
    browser = browse("animator")
    path = f"/equipe/calendrier/deplacer/{post_id}"

    assert "Moving it takes the approval back" in browser.get(path).text
    browser.post(path, moving(desk, post_id, submit="1"))

    assert desk.post(post_id).state is PostState.SUBMITTED


def test_a_time_that_has_passed_is_told_beside_its_field_and_what_was_typed_stays(browse, desk):
    post_id = desk.write()

    answer = browse("animator").post(f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id, date="2026-11-01"))

    assert answer.status_code == 422
    assert 'id="date-wrong"' in answer.text
    assert 'value="2026-11-01"' in answer.text


def test_days_and_hours_that_are_none_are_told_together(browse, desk):
    post_id = desk.write()

    answer = browse("animator").post(
        f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id, date="soon", time="25:99")
    )

    assert ("Give the day." in answer.text, "Give the time of day, such as 18:00." in answer.text) == (True, True)


def test_a_doubled_hour_is_asked_about(browse, desk):
    post_id = desk.write(zone="Europe/Paris")
    browser = browse("animator")
    fields = moving(desk, post_id, date="2027-10-31", time="02:30")

    asked = browser.post(f"/equipe/calendrier/deplacer/{post_id}", fields)
    browser.post(f"/equipe/calendrier/deplacer/{post_id}", fields | {"fold": "later"})

    assert 'name="fold" value="later"' in asked.text
    assert desk.post(post_id).wall_time == "2027-10-31T02:30"


def test_who_moves_what_somebody_else_moved_meanwhile_is_told(browse, desk):
    post_id = desk.write()
    browser = browse("animator")
    browser.post(f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id))

    answer = browser.post(
        f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id, version="1", date="2026-11-20")
    )

    assert answer.status_code == 409
    assert "Somebody else changed this post" in answer.text
    assert desk.post(post_id).wall_time == "2026-11-12T09:30"


def test_what_has_gone_out_is_locked(browse, desk, stage):
    post_id = desk.approved()
    stage.clock.forward(days=8, hours=6, minutes=1)
    stage.run_due()
    browser = browse("animator")

    month, asked = browser.get(NOVEMBER).text, browser.get(f"/equipe/calendrier/deplacer/{post_id}").text
    answer = browser.post(f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id, date="2026-12-12"))

    assert (chips(month), "/deplacer/" in month) == ([("published", str(post_id))], False)
    assert 'name="date"' not in asked
    assert answer.status_code == 409


def test_a_strangers_post_is_not_found_and_a_wider_one_is_not_for_an_animator_to_move(browse, desk):
    post_id = desk.write()
    wide = desk.write("deputy", audience=["FR"], accounts=["facebook:FR"])

    foreign = browse("stranger").post(f"/equipe/calendrier/deplacer/{post_id}", moving(desk, post_id))
    refused = browse("animator").post(f"/equipe/calendrier/deplacer/{wide}", moving(desk, wide))

    assert (foreign.status_code, refused.status_code) == (404, 403)


def test_nobody_is_led_elsewhere_after_moving(browse, desk):
    post_id = desk.write()
    fields = moving(desk, post_id, retour="https://example.org/")

    answer = browse("animator").post(f"/equipe/calendrier/deplacer/{post_id}", fields, follow=False)

    assert answer.headers["location"] == "/equipe/calendrier"


# --- The private link ---------------------------------------------------------------------------------------


def link_of(browser: Any) -> str:
    """A fresh private link, as the page shows it once: its path."""
    html = browser.post("/equipe/calendrier/lien").text
    [address] = re.findall(r'value="http[^"]*?(/equipe/calendrier/relais_[^"]+\.ics)"', html)
    return str(address)


def test_the_private_link_gives_the_file_to_whoever_holds_it_without_a_session(browse, desk):
    desk.approved()

    answer = browse().get(link_of(browse("animator")))

    [event] = Calendar.from_ical(answer.content).walk("VEVENT")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, max-age=900"
    assert "set-cookie" not in answer.headers
    assert str(event["SUMMARY"]).endswith("Portes ouvertes au CFA")


def test_the_log_holds_no_private_link(stage: Stage, caplog):
    caplog.set_level(logging.INFO, logger="relais.access")
    with serving(create_app(stage.hub)) as url:
        browser = Browser(url, stage, "animator")
        link = link_of(browser)
        browser.get(link)
        browser.client.close()

    # The server has ended, so each line that it writes after an answer is there.
    lines = [record.getMessage().split(" ")[:2] for record in caplog.records if record.name == "relais.access"]
    assert lines == [
        ["method=POST", "path=/equipe/calendrier/lien"],
        ["method=GET", "path=/equipe/calendrier/…"],
    ]
    assert link.rpartition("/")[2] not in caplog.text


def test_an_ended_link_and_other_tokens_open_no_calendar(browse, stage):
    browser = browse("animator")
    link = link_of(browser)
    token = f"/equipe/calendrier/{stage.tokens['animator']}.ics"

    browser.post("/equipe/calendrier/lien/fin")

    assert [browse().get(path).status_code for path in (link, token, "/equipe/calendrier/x.ics")] == [404, 404, 404]


def test_a_calendar_link_is_no_key_to_the_api(browse, ask):
    secret = link_of(browse("animator")).rsplit("/", 1)[1].removesuffix(".ics")

    answer = ask.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

    assert answer.status_code == 401


def test_a_new_link_replaces_the_one_before_and_the_page_says_that_there_is_one(browse):
    browser = browse("animator")
    first, second = link_of(browser), link_of(browser)

    assert [browse().get(path).status_code for path in (first, second)] == [404, 200]
    assert "You made a link on 2 November 2026" in browser.get(NOVEMBER).text


def test_programs_that_ask_all_the_time_are_asked_to_wait(browse):
    stranger = browse()

    answers = [stranger.get("/equipe/calendrier/relais_nothing.ics").status_code for _knock in range(61)]

    assert answers == [404] * 60 + [429]
