"""Places in a browser: found, corrected, checked, merged; nothing typed is lost, nor the word of a source."""

from __future__ import annotations

import html
import re
from datetime import date
from typing import Any

import httpx
import pytest

from hub.database import reading, writing
from hub.domain.place import ProposalState
from hub.services import drafting, sectoring
from tests.services.shelf import Shelf
from tests.stage import Stage
from tests.web.conftest import Browser

HERE = "/equipe/structures"
POINTE_A_PITRE, NOUMEA = "97120", "98818"
LONG = "Association départementale pour l’accompagnement et l’insertion des jeunes du pays de Saint-Brieuc " * 2


@pytest.fixture
def shelf(stage: Stage) -> Shelf:
    """Places to keep."""
    return Shelf(stage)


def names(page: httpx.Response) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'<a class="title"[^>]*>(.*?)</a>', page.text)]


def fields(page: httpx.Response) -> dict[str, str]:
    """What the form of a page would send, as a browser does."""
    told: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page.text):
        name, value = re.search(r' name="([^"]*)"', tag), re.search(r' value="([^"]*)"', tag)
        kind = re.search(r' type="([^"]*)"', tag)
        off = kind and kind[1] in {"radio", "checkbox"} and " checked" not in tag
        if name and not off and name[1] != "csrf":
            told[name[1]] = html.unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', page.text, re.DOTALL):
        told[name] = html.unescape(text)
    for name, inside in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', page.text, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inside)
        told[name] = html.unescape(chosen[1]) if chosen else ""
    return told


def correct(browser: Browser, place_id: int, **typed: str) -> httpx.Response:
    """Open the form, change some of it, send it."""
    form = fields(browser.get(f"{HERE}/{place_id}/correction"))
    return browser.post(f"{HERE}/{place_id}/correction", form | {"step": "save"} | typed)


def plain(page: httpx.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


# --- All of them ----------------------------------------------------------------------------------------------


def test_an_animator_finds_the_places_of_the_territory_and_how_many_are_to_be_checked(browse, shelf: Shelf):
    shelf.put("Mission locale de Rennes")
    shelf.put("CIO de Saint-Malo", "35288", type_code="cio", dated_on=None, phone="")
    shelf.put("Là-bas", POINTE_A_PITRE)

    page = browse("animator").get(HERE)

    assert names(page) == ["CIO de Saint-Malo", "Mission locale de Rennes"]
    assert "1 place was not looked at for 18 months" in page.text
    assert "no telephone" in page.text
    assert 'href="/equipe/structures" aria-current="page">Places</a>' in page.text


def test_a_list_is_narrowed_and_goes_on_over_pages(browse, shelf: Shelf):
    for number in range(41):
        shelf.put(f"P{number:02}")
    shelf.put("CIO de Nouméa", NOUMEA, type_code="cio")
    browser = browse("coordinator")

    first = browser.get(f"{HERE}?type=mission_locale&territoire=A-14")
    second = browser.get(f"{HERE}?type=mission_locale&territoire=A-14&page=2")

    assert (len(names(first)), names(second)) == (40, ["P40"])
    assert 'href="/equipe/structures?type=mission_locale&amp;territoire=A-14&amp;page=2" rel="next"' in first.text
    assert 'rel="next"' not in second.text
    assert names(browser.get(f"{HERE}?q=noumea")) == ["CIO de Nouméa"]
    assert "Nouvelle-Calédonie" in first.text


def test_nothing_found_and_nothing_there_each_say_what_to_do(browse, shelf: Shelf):
    browser = browse("animator")

    assert "An operator brings in official files" in browser.get(HERE).text
    assert "No place of your territories fits" in browser.get(f"{HERE}?q=rien&etat=nonsense").text


def test_analysts_have_no_places_in_their_menu(browse):
    browser = browse("analyst")

    assert HERE not in browser.get("/equipe").text
    assert browser.get(HERE).status_code == 403


# --- One of them ----------------------------------------------------------------------------------------------


def test_a_place_shows_what_its_source_says_beside_what_is_corrected_and_takes_it_back(browse, shelf: Shelf):
    place_id = shelf.put(hours=[{"days": [1, 5], "spans": [["09:00", "17:00"]], "note": ""}])
    browser = browse("animator")

    page = correct(browser, place_id, phone="0299111111", hours="monday 9:00-12:00", mail="a@example.org")

    assert "What you typed is kept." in page.text
    assert "02 99 11 11 11" in page.text
    assert "The source says: “02 99 00 00 00”" in plain(page)
    assert "The source says: “monday-friday 09:00-17:00”" in plain(page)
    assert "The source says nothing of it." in plain(page)

    page = browser.post(f"{HERE}/{place_id}/source", {"field": "phone"})

    assert "It says again what the source says." in page.text
    assert shelf.get(place_id).phone == "02 99 00 00 00"
    assert browser.post(f"{HERE}/{place_id}/source", {"field": "phone"}).status_code == 409


def test_only_what_somebody_changed_is_sent_on_whatever_else_the_source_wrote(browse, shelf: Shelf):
    place_id = shelf.put(phone="demander à l’accueil", siret="123", website="voir mairie")

    page = correct(browse("animator"), place_id, address="3 rue du Port")

    assert "What you typed is kept." in page.text
    assert shelf.get(place_id).corrected == {"address": ""}


def test_what_is_wrong_stands_at_its_field_and_everything_typed_is_kept(browse, shelf: Shelf):
    place_id = shelf.put()

    page = correct(
        browse("animator"), place_id,
        name="", phone="bonjour", mail="personne", website="x", siret="1", uai="2", point="là", hours="toujours",
        description="Venez <nombreux>",
    )  # fmt: skip

    assert page.status_code == 422
    for name in ("name", "phone", "mail", "website", "siret", "uai", "point", "hours"):
        assert f'id="{name}-wrong"' in page.text
    assert {"phone": "bonjour", "hours": "toujours", "description": "Venez <nombreux>"}.items() <= fields(page).items()
    assert "8 things to mend" in page.text
    assert shelf.get(place_id).corrected == {}


def test_when_two_correct_the_same_field_the_second_one_sees_both_and_chooses(browse, shelf: Shelf):
    place_id = shelf.put()
    browser = browse("animator")
    form = fields(browser.get(f"{HERE}/{place_id}/correction"))
    correct(browse("colleague"), place_id, phone="0299222222", mail="eux@example.org")

    page = browser.post(f"{HERE}/{place_id}/correction", form | {"phone": "0299111111"})

    assert page.status_code == 409
    assert "Somebody else changed this place meanwhile" in page.text
    assert "Telephone 02 99 22 22 22" in plain(page)
    assert (fields(page)["phone"], fields(page)["mail"]) == ("0299111111", "eux@example.org")

    browser.post(f"{HERE}/{place_id}/correction", fields(page))

    place = shelf.get(place_id)
    assert (place.phone, place.mail) == ("02 99 11 11 11", "eux@example.org")


def test_two_who_correct_different_fields_do_not_meet(browse, shelf: Shelf):
    place_id = shelf.put()
    browser = browse("animator")
    form = fields(browser.get(f"{HERE}/{place_id}/correction"))
    correct(browse("colleague"), place_id, mail="eux@example.org")

    browser.post(f"{HERE}/{place_id}/correction", form | {"phone": "3949"})

    place = shelf.get(place_id)
    assert (place.phone, place.mail) == ("3949", "eux@example.org")


def test_a_commune_is_searched_without_a_script_and_nothing_typed_is_lost(browse, shelf: Shelf):
    place_id = shelf.put()
    browser = browse("animator")

    page = correct(browser, place_id, **{"step": "find", "commune-query": "saint malo", "phone": "3949"})
    assert page.status_code == 200
    assert 'name="commune" value="35288"' in page.text
    assert fields(page)["phone"] == "3949"

    unsure = correct(browser, place_id, **{"commune-query": "saint"})
    assert (unsure.status_code, "Choose which commune is meant." in unsure.text) == (422, True)
    nowhere = correct(browser, place_id, **{"commune-query": "nulle part"})
    assert "No commune of that name. Try its postcode." in nowhere.text

    chosen = correct(browser, place_id, **{"commune-query": "saint malo", "commune": "35288"})
    assert "What you typed is kept." in chosen.text
    assert shelf.get(place_id).territory_code == "C-35288"
    sure = correct(browser, place_id, **{"commune-query": "35047"})
    assert "Bruz (35047)" in plain(sure)


def test_a_place_is_checked_ended_and_shown_again(browse, shelf: Shelf):
    place_id = shelf.put(dated_on=date(2024, 1, 1))
    browser = browse("animator")
    assert "Nobody has looked at this place for 18 months." in browser.get(f"{HERE}/{place_id}").text

    page = browser.post(f"{HERE}/{place_id}/verification")
    assert "Noted: checked today." in page.text
    assert "Nobody has looked" not in page.text

    page = browser.post(f"{HERE}/{place_id}/fin", {"wish": "end"})
    assert "Ended on Monday 2 November 2026" in page.text
    assert browser.post(f"{HERE}/{place_id}/fin", {"wish": "end"}).status_code == 409
    assert "It is shown again." in browser.post(f"{HERE}/{place_id}/fin", {"wish": "open"}).text


def test_a_correction_may_say_at_once_that_all_of_it_is_checked(browse, shelf: Shelf):
    place_id = shelf.put(dated_on=None)

    correct(browse("animator"), place_id, phone="3949", checked="1")

    assert shelf.get(place_id).checked_on == date(2026, 11, 2)


def test_long_names_and_foreign_marks_are_shown_as_they_are_and_harm_nothing(browse, shelf: Shelf):
    place_id = shelf.put(f"{LONG}<script>alert(1)</script>"[:250], website="javascript:alert(1)")
    browser = browse("animator")

    for path in ("", "/correction", "/fusion", "/secteur"):
        page = browser.get(f"{HERE}/{place_id}{path}")
        assert (page.status_code, "<script>alert" in page.text) == (200, False)
        assert 'href="javascript' not in page.text


def test_a_place_without_a_point_or_of_an_unknown_kind_of_row_is_shown_all_the_same(browse, shelf: Shelf):
    place_id = shelf.put(lat=None, lon=None, point="commune", phone="", dated_on=None)

    page = browse("animator").get(f"{HERE}/{place_id}")

    assert page.status_code == 200
    assert "it does not say" in page.text


def test_an_administrator_reads_what_was_noted_about_a_place(browse, shelf: Shelf):
    place_id = shelf.put()
    correct(browse("animator"), place_id, commune="35288", phone="3949")
    correcter = browse("administrator")

    assert f"/equipe/journal?objet=place%3A{place_id}" in correcter.get(f"{HERE}/{place_id}").text
    journal = correcter.get(f"/equipe/journal?objet=place:{place_id}")

    assert "corrected a place" in journal.text
    assert "Saint-Malo" in journal.text
    assert f'href="/equipe/structures/{place_id}"' in journal.text


# --- Writing one ----------------------------------------------------------------------------------------------


def test_a_place_is_written_by_hand_and_asked_about_when_it_seems_known(browse, shelf: Shelf):
    shelf.put("Point Accueil", "35288")
    browser = browse("animator")
    typed = {"name": "Point accueil", "type": "association", "commune-query": "35288", "phone": "3949"}
    assert browser.get(f"{HERE}/nouvelle").status_code == 200

    asked = browser.post(f"{HERE}/nouvelle", typed)
    assert asked.status_code == 422
    assert "is known already" in asked.text
    assert fields(asked)["phone"] == "3949"

    page = browser.post(f"{HERE}/nouvelle", fields(asked) | {"confirm_twin": "1", "step": "save"})

    assert "The place is written." in page.text
    assert "written here" in page.text


def test_an_empty_form_says_all_that_is_missing(browse):
    page = browse("animator").post(f"{HERE}/nouvelle", {"phone": "x", "commune-query": "nulle part"})

    assert page.status_code == 422
    for name in ("name", "type", "commune", "phone"):
        assert f'id="{name}-wrong"' in page.text


def test_a_commune_is_searched_for_a_new_place_too(browse):
    page = browse("animator").post(f"{HERE}/nouvelle", {"name": "X", "step": "find", "commune-query": "bruz"})

    assert (page.status_code, fields(page)["name"]) == (200, "X")
    assert 'name="commune" value="35047"' in page.text


def test_nobody_writes_a_place_in_the_territory_of_others(browse):
    typed = {"name": "X", "type": "association", "commune": "35288"}

    page = browse("stranger").post(f"{HERE}/nouvelle", typed)

    assert page.status_code == 422
    assert "Saint-Malo is not in your territories" in page.text


# --- The same, and sectors ------------------------------------------------------------------------------------


def test_two_that_are_the_same_are_shown_as_one_and_parted_again(browse, shelf: Shelf):
    first, second = shelf.put("Mission locale de Rennes"), shelf.put("Mission Locale Rennes")
    browser = browse("animator")
    assert f'name="other" value="{first}"' in browser.get(f"{HERE}/{second}/fusion").text

    page = browser.post(f"{HERE}/{second}/fusion", {"other": str(first)})

    assert "The two are shown as one: this one." in page.text
    assert "Shown as this one:" in page.text
    assert names(browser.get(HERE)) == ["Mission locale de Rennes"]
    assert "This is the same as another place" in browser.get(f"{HERE}/{second}").text
    assert browser.post(f"{HERE}/{second}/fusion", {"other": str(first)}).status_code == 409

    assert "It is shown by itself again." in browser.post(f"{HERE}/{second}/separation").text
    assert browser.post(f"{HERE}/{second}/separation").status_code == 409


@pytest.mark.parametrize("other", ["", "x", "0", "9" * 30])
def test_the_other_one_has_to_be_chosen(browse, shelf: Shelf, other: str):
    place_id = shelf.put()
    shelf.put("Une autre")

    page = browse("animator").post(f"{HERE}/{place_id}/fusion", {"other": other, "q": "autre"})

    assert page.status_code == 422
    assert "Choose the place that is the same." in page.text
    assert 'value="autre"' in page.text


def test_the_other_one_is_searched_by_words(browse, shelf: Shelf):
    place_id, other = shelf.put(), shelf.put("CIO", "35288")
    browser = browse("animator")

    assert f'value="{other}"' in browser.get(f"{HERE}/{place_id}/fusion?q=malo").text
    assert "No place of your territories fits" in browser.get(f"{HERE}/{place_id}/fusion?q=rien").text
    assert "No other place is near by" in browser.get(f"{HERE}/{place_id}/fusion").text


def sector(shelf: Shelf, place_id: int) -> list[str]:
    with reading(shelf.stage.hub.engine) as session:
        return sectoring.codes(session, shelf.get(place_id))


def test_a_sector_is_searched_pasted_filled_and_emptied(browse, shelf: Shelf):
    place_id = shelf.put()
    browser = browse("animator")
    address = f"{HERE}/{place_id}/secteur"

    found = browser.post(address, {"step": "find", "q": "35170"})
    assert 'name="add" value="C-35047"' in found.text
    assert "The sector has 1 commune now." in browser.post(address, {"step": "add", "add": ["C-35047"]}).text
    assert 'name="add" value="C-35047"' not in browser.post(address, {"step": "find", "q": "bruz"}).text

    wrong = browser.post(address, {"step": "paste", "pasted": "35238\nRennes\n99999"})
    assert (wrong.status_code, "RENNES, 99999" in wrong.text) == (422, True)
    assert fields(wrong)["pasted"] == "35238\nRennes\n99999"
    assert sector(shelf, place_id) == ["C-35047"]

    browser.post(address, {"step": "paste", "pasted": "35238"})
    assert sector(shelf, place_id) == ["C-35047", "C-35238"]
    browser.post(address, {"step": "replace", "pasted": "22113"})
    assert sector(shelf, place_id) == ["C-22113"]
    told = browser.post(address, {"step": "departement", "departement": "D-975"})
    assert "The sector has 3 communes now." in told.text
    assert browser.post(address, {"step": "departement", "departement": "D-00"}).status_code == 422
    told = browser.post(address, {"step": "take", "take": ["C-97501", "C-97502"]})
    assert sector(shelf, place_id) == ["C-22113"]
    assert "Nothing changed." in browser.post(address, {"step": "take"}).text
    assert "its source names 0 communes" in browser.get(address).text
    assert "The sector has 0 communes now." in browser.post(address, {"step": "undo"}).text
    assert browser.post(address, {"step": "undo"}).status_code == 409


def test_kinds_without_a_sector_say_so(browse, shelf: Shelf):
    place_id = shelf.put("E2C", type_code="e2c")
    browser = browse("animator")

    assert "have no sector" in browser.get(f"{HERE}/{place_id}/secteur").text
    assert browser.post(f"{HERE}/{place_id}/secteur", {"step": "add", "add": "C-35238"}).status_code == 409


# --- Open days ------------------------------------------------------------------------------------------------


def test_open_days_are_listed_with_their_dates_or_with_their_text_and_why(browse, shelf: Shelf):
    place_id = shelf.put("CFA de Rennes", type_code="cfa")
    shelf.propose(place_id)
    shelf.unread(place_id, "au printemps <voir le site>")
    browser = browse("animator")

    page = browser.get(f"{HERE}/portes-ouvertes")

    assert "Saturday 30 January 2027, 09:00 to 12:00" in plain(page)
    assert "“au printemps <voir le site>”" in plain(page)
    assert "It names no day." in page.text
    assert "2 open days" in page.text
    assert "Saturday 30 January 2027" in plain(browser.get(f"{HERE}/{place_id}"))
    assert "2 open days wait" in browser.get(HERE).text


def test_an_open_day_is_dismissed_and_waits_again(browse, shelf: Shelf):
    number = shelf.propose(shelf.put())
    browser = browse("animator")

    page = browser.post(f"{HERE}/portes-ouvertes/{number}")
    assert "Nothing is made of it." in page.text
    assert "No open day here" in page.text
    assert browser.post(f"{HERE}/portes-ouvertes/{number}").status_code == 409
    assert "le 30/01/2027" in browser.get(f"{HERE}/portes-ouvertes?etat=dismissed").text

    assert "It waits again." in browser.post(f"{HERE}/portes-ouvertes/{number}", {"wish": "recall"}).text


def test_open_days_go_on_over_pages(browse, shelf: Shelf):
    place_id = shelf.put()
    for number in range(41):
        shelf.propose(place_id, f"n° {number}")

    page = browse("animator").get(f"{HERE}/portes-ouvertes")

    assert 'href="/equipe/structures/portes-ouvertes?page=2" rel="next"' in page.text


def test_a_post_of_an_open_day_begins_filled_in_and_is_remembered_once_it_is_saved(browse, shelf: Shelf, stage: Stage):
    place_id = shelf.put("CFA de Rennes", address="3 rue du Port", website="https://cfa.example.org", type_code="cfa")
    number = shelf.propose(place_id, last_day=date(2027, 1, 31))
    browser = browse("animator")

    form = fields(browser.get(f"/equipe/publications/nouvelle?proposition={number}"))

    wanted = {
        "kind": "event", "venue": "CFA de Rennes", "address": "3 rue du Port", "commune": "35238",
        "link": "https://cfa.example.org", "proposal": str(number), "timing-0-date": "2027-01-30",
        "timing-0-from": "09:00", "timing-0-to": "12:00", "timing-1-date": "2027-01-31",
        "event-zone": "Europe/Paris",
    }  # fmt: skip
    assert wanted.items() <= form.items()
    assert "CFA de Rennes" in form["text"]
    assert shelf.proposal(number).state == ProposalState.PROPOSED

    sent: dict[str, Any] = {**form, "step": "save", "audience": ["A-14"]}
    sent.pop("with-event", None)
    page = browser.post("/equipe/publications/nouvelle", sent)

    assert "The draft is saved." in page.text, plain(page)
    taken = shelf.proposal(number)
    assert (taken.state, page.url.path) == (ProposalState.TAKEN, f"/equipe/publications/{taken.post_id}")
    with reading(stage.hub.engine) as session:
        post = drafting.get_post(session, taken.post_id or 0, by=stage.people["animator"])
        assert drafting.audience_of(session, post) == ["A-14"]
        assert post.event is not None
        assert len(post.event["timings"]) == 2
    assert browser.get(f"/equipe/publications/nouvelle?proposition={number}").status_code == 409
    assert f'href="/equipe/publications/{taken.post_id}"' in browser.get(f"{HERE}/portes-ouvertes?etat=taken").text


def test_an_open_day_overseas_begins_by_its_own_clock(browse, shelf: Shelf):
    number = shelf.propose(shelf.put("CFA", POINTE_A_PITRE))

    form = fields(browse("stranger").get(f"/equipe/publications/nouvelle?proposition={number}"))

    assert form["event-zone"] == "America/Guadeloupe"


def test_open_days_of_elsewhere_begin_no_post(browse, shelf: Shelf):
    number = shelf.propose(shelf.put())

    assert browse("stranger").get(f"/equipe/publications/nouvelle?proposition={number}").status_code == 404
    assert browse("administrator").get(f"/equipe/publications/nouvelle?proposition={number}").status_code == 403


# --- My day ---------------------------------------------------------------------------------------------------


def test_my_day_tells_how_many_places_and_open_days_wait(browse, shelf: Shelf):
    assert "to check" not in browse("animator").get("/equipe").text
    shelf.propose(shelf.put(dated_on=None))

    page = browse("animator").get("/equipe")

    assert "1 place to check" in page.text
    assert "1 open day to make a post of" in page.text
    for who in ("stranger", "analyst"):
        assert "1 place to check" not in browse(who).get("/equipe").text


def test_a_place_is_corrected_under_way_only_by_who_still_keeps_it(browse, shelf: Shelf, stage: Stage):
    place_id = shelf.put()
    browser = browse("animator")
    form = fields(browser.get(f"{HERE}/{place_id}/correction"))
    with writing(stage.hub.engine) as session:
        place = session.merge(shelf.get(place_id))
        place.territory_code = f"C-{POINTE_A_PITRE}"

    assert browser.post(f"{HERE}/{place_id}/correction", form | {"phone": "3949"}).status_code == 404


def test_the_form_shows_beside_a_corrected_field_what_the_source_says(browse, shelf: Shelf):
    place_id = shelf.put(corrected={"phone": "02 99 33 33 33", "territory_code": "C-35288", "mail": ""})

    page = browse("animator").get(f"{HERE}/{place_id}/correction")

    for told in (": “02 99 33 33 33”", ": “Saint-Malo (35288)”", " nothing of it."):
        assert f"The source says{told}" in plain(page)
    assert 'class="notice ok"' not in page.text
