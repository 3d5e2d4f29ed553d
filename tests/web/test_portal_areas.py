"""Public pages of areas: from what is typed to what is near, how far it looks, and what is said where nothing is."""

from __future__ import annotations

import json
import logging
import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlmodel import Session, select

from hub.database import reading, writing
from hub.domain.place import AreaVisit, Place, PlaceSector, PlaceType
from hub.domain.post import Kind
from hub.domain.territory import Territory
from hub.language import speaking
from hub.services import finding
from hub.web.pages import of
from hub.web.portal import answers
from hub.web.portal.areas import distance, filters_of
from tests.shown import an_event, put_out
from tests.stage import NOON, Stage
from tests.web.conftest import Ask

RENNES = "/c/35238-rennes"


def out(stage: Stage, *zone: str, **told: Any) -> str:
    with writing(stage.hub.engine) as session:
        return put_out(session, stage, zone, **told).key


def a_place(session: Session, name: str, kind: str = "mission_locale", **told: Any) -> Place:
    if session.get(PlaceType, kind) is None:
        session.add(
            PlaceType(
                code=kind, name="Mission locale", plural="Missions locales", does="On t'aide.", rank=1, has_sectors=True
            )
        )
        session.flush()
    usual: dict[str, Any] = {
        "source": "annuaire-education", "source_id": name, "type_code": kind, "name": name, "phone": "02 99 00 00 00",
        "territory_code": "C-35238", "lat": 48.11, "lon": -1.68, "postcode": "35000", "address": "7 rue de la Gare",
        "dated_on": date(2026, 10, 1), "imported_at": NOON,
    }  # fmt: skip
    place = Place(**(usual | told))
    session.add(place)
    session.flush()
    return place


# --- Searching ---


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("Rennes", "/c/35238-rennes"),
        ("35238", "/c/35238-rennes"),
        ("  rennes  ", "/c/35238-rennes"),
        ("Saint-Denis (La Réunion)", "/c/97411-saint-denis"),
        ("35700 Rennes CEDEX", "/c/35238-rennes"),
        ("35042 Rennes CEDEX", "/c/35238-rennes"),
        ("75011", "/c/75111-paris-11e-arrondissement"),
        ("", "/"),
    ],
)
def test_a_search_leads_to_the_commune_that_is_meant(ask: Ask, typed: str, address: str):
    answer = ask.client.get("/chercher", params={"q": typed})

    assert (answer.status_code, answer.headers["location"]) == (303, address)


def test_a_postcode_of_two_academies_is_asked_about(ask: Ask):
    page = ask.page("/chercher?q=01410")

    assert page.status_code == 200
    assert "not all in the same académie" in page.text
    assert 'href="/c/39274-lajoux"' in page.text
    assert 'href="/c/01247-mijoux"' in page.text
    assert "académie Besançon" in page.text
    assert "académie Lyon" in page.text


def test_a_name_of_several_communes_is_asked_about_with_their_departements(ask: Ask):
    page = ask.page("/chercher?q=Sainte-Colombe").text

    assert "Several communes fit “Sainte-Colombe”" in page
    assert "<small>Rhône</small>" in page


@pytest.mark.parametrize("typed", ["35999 CEDEX", "99999", "35999"])
def test_a_cedex_is_explained(ask: Ask, typed: str):
    page = ask.client.get("/chercher", params={"q": typed}, headers={"Accept-Language": "en"})

    assert page.status_code == 404
    assert "Perhaps it is a CEDEX" in page.text
    assert 'action="/chercher"' in page.text


def test_a_cedex_with_a_town_that_several_bear_is_explained_beside_them(ask: Ask):
    page = ask.client.get("/chercher", params={"q": "Sainte-Colombe CEDEX"}, headers={"Accept-Language": "en"})

    assert page.status_code == 200
    assert "A CEDEX is a number for the mail of firms" in page.text


@pytest.mark.parametrize("typed", ["<script>alert(1)</script>", "'; drop table place; --", "%", "🙂", "Nulleparville"])
def test_what_is_no_commune_is_told_kindly_and_as_text(ask: Ask, typed: str):
    page = ask.client.get("/chercher", params={"q": typed}, headers={"Accept-Language": "en"})

    assert page.status_code == 404
    assert "No commune fits what you typed." in page.text
    assert "<script>" not in page.text
    assert 'href="/"' in page.text


def test_ten_thousand_characters_are_told_kindly(ask: Ask):
    page = ask.page("/chercher?q=" + "a" * 10_000)
    paths = [ask.page(path + "a" * 5_000).status_code for path in ("/c/35238-", "/a/14-", "/s/1-", "/c/")]

    assert page.status_code == 422
    assert "too long" in page.text
    assert 'action="/chercher"' in page.text
    assert paths == [404] * 4


def test_suggestions_come_as_people_type(ask: Ask):
    by_name = ask.client.get("/communes", params={"q": "renn"})
    by_postcode = ask.client.get("/communes", params={"q": "3500"})

    assert by_name.json()[0] == {"name": "Rennes (Ille-et-Vilaine)", "address": RENNES}
    assert len(by_name.json()) == 8
    assert by_postcode.json()[0]["address"] == RENNES
    assert by_name.headers["cache-control"] == "public, max-age=3600"
    assert [ask.client.get("/communes", params={"q": typed}).json() for typed in ("r", "", "<b>", "zzzz")] == [[]] * 4


def test_what_is_suggested_finds_its_commune_again(stage: Stage):
    with reading(stage.hub.engine) as session:
        for typed in ("saint-de", "la ro", "l'ha", "château-chinon", "975"):
            for one in finding.suggest(session, typed):
                assert one.insee in [found.insee for found in finding.find_territories(session, one.label)]


# --- Near me ---


def test_a_position_leads_to_its_commune_and_nothing_more(ask: Ask):
    answer = ask.client.post("/pres", data={"lat": "48.1147", "lon": "-1.6794"})

    assert (answer.status_code, answer.headers["location"]) == (303, RENNES)
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


def test_a_position_is_rounded_before_it_is_used(ask: Ask):
    places = {
        ask.client.post("/pres", data={"lat": lat, "lon": "-1.68"}).headers["location"]
        for lat in ("48.1051", "48.11", "48.1149")
    }

    assert len(places) == 1


@pytest.mark.parametrize(("lat", "lon", "status"), [
    ("44.0", "-20.0", 404), ("52.52", "13.40", 404), ("-30", "-140", 404), ("nan", "2", 422), ("inf", "2", 422),
    ("", "", 422), ("abc", "2", 422), ("91", "2", 422), ("48", "181", 422), ("1" * 10_000, "2", 422),
])  # fmt: skip
def test_a_position_that_is_none_of_ours_is_told_with_a_way_on(ask: Ask, lat: str, lon: str, status: int):
    page = ask.client.post("/pres", data={"lat": lat, "lon": lon}, headers={"Accept-Language": "en"})

    assert page.status_code == status
    assert 'action="/chercher"' in page.text


@pytest.mark.parametrize(("lat", "lon", "insee"), [
    ("4.94", "-52.33", "97302"), ("-17.54", "-149.57", "98735"), ("46.78", "-56.18", "97502"),
    ("-22.27", "166.45", "98818"),
])  # fmt: skip
def test_positions_overseas_lead_to_communes_overseas(ask: Ask, lat: str, lon: str, insee: str):
    answer = ask.client.post("/pres", data={"lat": lat, "lon": lon})

    assert answer.headers["location"].startswith(f"/c/{insee}-")


def test_no_position_and_no_address_is_in_any_row_or_log(ask: Ask, stage: Stage, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    out(stage, "A-14")
    headers = {"X-Forwarded-For": "203.0.113.77", "User-Agent": "Mozilla/5.0 Firefox/128.0 planted"}
    ask.client.post("/pres", data={"lat": "48.1123", "lon": "-1.6789"}, headers=headers)
    ask.client.get(RENNES, headers=headers)
    ask.client.get("/chercher", params={"q": "plantedville"}, headers=headers)
    ask("GET", "/me", "animator")  # a line is written once its answer has left

    with reading(stage.hub.engine) as session:
        kept = "".join(
            repr(session.execute(text(f'SELECT * FROM "{table}"')).all())
            for table in inspect(session.connection()).get_table_names()
        )
    own = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith(("relais", "hub")))
    for planted in ("48.1123", "-1.6789", "203.0.113.77", "plantedville", "Firefox/128.0 planted"):
        assert planted not in kept
        assert planted not in own
    assert RENNES not in own


# --- The page of a commune ---


@pytest.mark.parametrize("path", ["/c/35238", "/c/35238-Rennes", "/c/35238-nantes", "/c/35238-"])
def test_the_name_behind_the_number_is_put_right(ask: Ask, path: str):
    answer = ask.page(path + "?type=event")

    assert (answer.status_code, answer.headers["location"]) == (301, RENNES + "?type=event")


def test_numbers_of_corsica_are_taken_in_small_letters(ask: Ask):
    assert ask.page("/c/2a004-ajaccio").headers["location"] == "/c/2A004-ajaccio"


@pytest.mark.parametrize("path", [
    "/c/99999-nowhere", "/c/rennes", "/c/%3Cscript%3E", "/a/99-nowhere", "/a/xx", "/s/9", "/s/x",
    "/s/99999999999999999999", "/p/unknown",
])  # fmt: skip
def test_an_unknown_address_has_a_search_and_a_way_on(ask: Ask, path: str):
    page = ask.page(path)

    assert page.status_code == 404
    assert 'action="/chercher"' in page.text
    assert 'href="tel:119"' in page.text
    assert "<script>" not in page.text


def test_a_commune_that_merged_leads_to_what_it_became(ask: Ask, stage: Stage):
    with writing(stage.hub.engine) as session:
        gone = session.get_one(Territory, "C-35115")
        gone.ended_on, gone.successor_code = date(2026, 1, 1), "C-35238"
        session.get_one(Territory, "C-35288").ended_on = date(2026, 1, 1)

    assert ask.page("/c/35115-fougeres").headers["location"] == "/c/35238"
    assert ask.page("/c/35288-saint-malo").status_code == 404


def test_an_area_shows_what_is_meant_for_it_by_kind(ask: Ask, stage: Stage):
    out(stage, "A-14", text="Portes ouvertes", kind=Kind.EVENT, event=an_event("2026-11-20T18:00:00", venue="CFA"))
    out(stage, "D-35", text="Un CAP en un an", kind=Kind.OPTION)
    out(stage, "A-32", text="Ailleurs", kind=Kind.OPTION)
    page = ask.page(RENNES)

    assert page.status_code == 200
    assert re.findall(r'<h2 id="(\w+)">', page.text)[:2] == ["event", "option"]
    assert ">Fri 20 Nov</time>" in page.text
    assert "CFA, Rennes · close by" in page.text
    assert "Un CAP en un an" in page.text
    assert "Ailleurs" not in page.text
    assert "Ille-et-Vilaine · académie Rennes" in page.text


@pytest.mark.parametrize(("zone", "told"), [
    ("C-35238", ""), ("D-35", "for Rennes alone yet. This is for the whole département: Ille-et-Vilaine."),
    ("A-14", "This is for: académie Rennes."), ("R-53", "This is for: region Bretagne."),
    ("FR", "This is for: the whole of France."),
])  # fmt: skip
def test_how_far_one_has_to_look_is_told(ask: Ask, stage: Stage, zone: str, told: str):
    out(stage, zone)
    page = ask.page(RENNES).text

    assert told in page
    assert ("Nothing " in page) == bool(told)


def test_nothing_yet_is_no_dead_end(ask: Ask):
    page = ask.page(RENNES).text

    assert "Nothing is announced here yet." in page
    assert 'href="/a/14-rennes"' in page
    assert ">Everywhere in France</a>" in page


def test_filters_are_in_the_address_and_nothing_fitting_says_so(ask: Ask, stage: Stage):
    out(stage, "A-14", text="Loin", kind=Kind.EVENT, event=an_event("2026-11-20T18:00:00", commune="29019"))
    out(stage, "A-14", text="Conseil", kind=Kind.ADVICE)

    assert "Loin" not in ask.page(RENNES + "?distance=30").text
    assert "Conseil" not in ask.page(RENNES + "?type=event").text
    assert '<option value="event" selected>' in ask.page(RENNES + "?type=event").text
    nothing = ask.page(RENNES + "?type=meeting&acces=motor&en-ligne=oui&avant=2026-11-12").text
    assert "Nothing fits these filters." in nothing
    assert f'href="{RENNES}"' in nothing


def test_what_cannot_be_understood_of_filters_is_left_out():
    filters = filters_of({"type": "x", "distance": "7", "avant": "hier", "acces": "x", "en-ligne": "x", "page": "0"})

    assert not filters
    assert filters.page == 1
    assert filters_of({"page": "3"}).page == 3


def test_many_of_a_kind_are_one_step_further_and_page_by_page(ask: Ask, stage: Stage):
    with writing(stage.hub.engine) as session:
        for number in range(40):
            put_out(session, stage, ["A-14"], kind=Kind.ADVICE, text=f"Conseil {number:02}",
                    sent_at=NOON - timedelta(minutes=number))  # fmt: skip
    first, all_of_it, second = (ask.page(RENNES + told).text for told in ("", "?type=advice", "?type=advice&page=2"))

    assert re.findall(r"Conseil \d\d", first) == [f"Conseil {number:02}" for number in range(6)]
    assert f'href="{RENNES}?type=advice">Good to know: 34 more</a>' in first
    assert len(re.findall(r"Conseil \d\d", all_of_it)) == 30
    assert f'href="{RENNES}?type=advice&amp;page=2"' in all_of_it
    assert re.findall(r"Conseil \d\d", second) == [f"Conseil {number}" for number in range(30, 40)]


def test_distances_are_said_in_words():
    with speaking("en"):
        assert [distance(km) for km in (None, 0.4, 12.6)] == ["", "close by", "13 km away"]


# --- Structures ---


def test_whoever_is_competent_comes_first_then_who_is_near(ask: Ask, stage: Stage):
    with writing(stage.hub.engine) as session:
        far = a_place(session, "Mission locale du pays de Rennes", lat=48.2, lon=-1.5)
        session.add(PlaceSector(place_id=far.id or 0, territory_code="C-35238"))
        a_place(session, "Mission locale d’à côté", dated_on=date(2020, 1, 1), invented=True)
        number = far.id
    page = ask.page(RENNES).text

    assert page.index("Mission locale du pays de Rennes") < page.index("Mission locale d’à côté")
    assert f'href="/s/{number}-mission-locale-du-pays-de-rennes"' in page
    assert 'href="tel:0299000000"' in page
    assert page.count("Not checked for a long time") == 1
    assert page.count("Made up for the demonstration.") == 1


def test_a_structure_says_what_it_is_and_where_that_comes_from(ask: Ask, stage: Stage):
    with writing(stage.hub.engine) as session:
        hours = [
            {"days": [1, 5], "spans": [["09:00", "12:00"], ["14:00", "17:00"]], "note": "sur rendez-vous"},
            {"days": [6, 6], "spans": [["09:00", "12:00"]], "note": ""},
            {"days": [], "spans": [], "note": "Fermé en août"},
        ]
        place = a_place(session, "Mission locale", hours=hours, mail="a@example.org", website="https://ml.example.org")
        session.add(PlaceSector(place_id=place.id or 0, territory_code="C-35238"))
        bad = a_place(session, "Autre", website="javascript:alert(1)", dated_on=None, hours=[])
        numbers = place.id, bad.id
    page = ask.page(f"/s/{numbers[0]}-mission-locale").text
    other = ask.page(f"/s/{numbers[1]}-autre").text

    assert "From Monday to Friday: 09:00–12:00, 14:00–17:00 (sur rendez-vous)" in page
    assert "Saturday: 09:00–12:00" in page
    assert "<li>Fermé en août</li>" in page
    assert "People of 1 commune" in page
    assert "Annuaire de l’éducation" in page
    assert "Looked at on 1 October 2026." in page
    assert 'href="mailto:a@example.org"' in page
    assert 'href="geo:48.11,-1.68?q=' in page
    assert 'href="https://www.openstreetmap.org/search?query=7%20rue' in page
    assert "javascript:" not in other
    assert "The source does not say when it looked last." in other
    assert "We do not know them: call first." in other


def test_sources_of_structures_are_credited(ask: Ask, stage: Stage):
    assert "No structure has been brought in yet." in ask.page("/sources").text
    with writing(stage.hub.engine) as session:
        a_place(session, "Une")
        a_place(session, "Deux", source="strange", dated_on=None)
    page = ask.page("/sources").text

    assert "Annuaire de l’éducation (Licence Ouverte 2.0): 1 structure (newest of 1 October 2026)" in page
    assert "strange: 1 structure</li>" in page


def test_a_structure_that_merged_or_ended_says_so(ask: Ask, stage: Stage):
    with writing(stage.hub.engine) as session:
        kept = a_place(session, "Celle-ci")
        merged = a_place(session, "Double", merged_into_id=kept.id)
        ended = a_place(session, "Finie", ended_on=date(2026, 10, 1))
        numbers = kept.id, merged.id, ended.id

    assert ask.page(f"/s/{numbers[1]}-double").headers["location"] == f"/s/{numbers[0]}"
    assert ask.page(f"/s/{numbers[0]}").headers["location"] == f"/s/{numbers[0]}-celle-ci"
    gone = ask.page(f"/s/{numbers[2]}-finie")
    assert gone.status_code == 410
    assert 'action="/chercher"' in gone.text


# --- Académies ---


def test_the_page_of_an_academie_holds_all_of_its_parts(ask: Ask, stage: Stage):
    out(stage, "C-35238", text="À Rennes")
    out(stage, "A-32", text="Ailleurs")
    page = ask.page("/a/14-rennes")

    assert page.status_code == 200
    assert "À Rennes" in page.text
    assert "Ailleurs" not in page.text
    assert "Ille-et-Vilaine" in page.text
    assert ask.page("/a/14").headers["location"] == "/a/14-rennes"
    assert "Nothing is announced here yet." in ask.page("/a/02-aix-marseille").text


def test_every_academie_has_its_page_and_is_on_the_home_page(ask: Ask):
    addresses = re.findall(r'href="(/a/[^"]+)"', ask.page("/").text)

    assert len(addresses) == 34
    assert {ask.page(address).status_code for address in addresses} == {200}


# --- Counting ---


def visits(stage: Stage) -> list[tuple[str, str, int]]:
    with reading(stage.hub.engine) as session:
        return sorted((one.territory_code, one.page, one.count) for one in session.exec(select(AreaVisit)))


def test_pages_are_counted_by_departement_day_and_kind_alone(ask: Ask, stage: Stage):
    for path in (RENNES, RENNES, "/c/35115-fougeres", "/a/14-rennes", "/c/99999-x", "/c/35238"):
        ask.page(path)
    ask.page("/")  # a visit is counted once its answer has left
    ask.page(RENNES, **{"User-Agent": "Googlebot/2.1"})
    ask.page(RENNES, **{"Sec-Purpose": "prefetch"})
    ask("GET", "/me", "animator")

    assert visits(stage) == [("A-14", "academie", 1), ("D-35", "area", 3)]


# --- Slugs ---


@pytest.mark.parametrize(("name", "slug"), [
    ("Saint-Étienne-du-Rouvray", "saint-etienne-du-rouvray"), ("L'Haÿ-les-Roses", "l-hay-les-roses"),
    ("Œuilly", "oeuilly"), ("…", "ici"),
])  # fmt: skip
def test_names_become_parts_of_addresses(name: str, slug: str):
    assert answers.slug(name) == slug


def test_the_manifest_is_json(ask: Ask):
    answer = ask.page("/manifest.webmanifest")

    assert answer.headers["content-type"] == "application/manifest+json"
    assert json.loads(answer.text)["short_name"] == "Relais"


def test_names_of_places_stand_behind_de_in_french_alone():
    names = ("Rennes", "Angers", "Le Mans", "Les Ulis", "La Rochelle", "Yvetot", "Yutz", "Éguilles")
    with speaking("fr"):
        french = [of(name) for name in names]
        overseas = answers.academie_name("A-41", "Polynésie française")
    with speaking("en"):
        english = [of(name) for name in names]

    assert french == ["de Rennes", "d’Angers", "du Mans", "des Ulis", "de La Rochelle", "d’Yvetot", "de Yutz",
                      "d’Éguilles"]  # fmt: skip
    assert english == list(names)
    assert overseas == "Polynésie française"
