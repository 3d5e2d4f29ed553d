"""The list of posts and the page of one, as people use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hub.database import writing
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.post import Media
from hub.services import approving
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Browser

Browse = Callable[..., Browser]


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def plain(html: str) -> str:
    """The words of a page's main part, without tags, on one line."""
    main = html.split("<main", 1)[1].split("</main>", 1)[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def titles(html: str) -> list[str]:
    """The titles in a list."""
    return re.findall(r'<a class="title"[^>]*>([^<]*)</a>', html)


def only_delivery(desk: Desk, post_id: int, **columns: Any) -> Delivery:
    """The one delivery of a post, put where a test needs it."""
    [delivery] = desk.deliveries(post_id)
    if columns:
        desk.move(delivery.id, **columns)
    return desk.deliveries(post_id)[0]


# --- The list -------------------------------------------------------------------------------------------


def test_the_list_shows_what_one_may_see_newest_first(browse: Browse, desk: Desk):
    desk.write(text="Le premier")
    desk.write("stranger", text="Ailleurs", audience=["A-32"], accounts=["portal:FR"])
    desk.submitted(text="Le second")

    assert titles(browse("animator").get("/equipe/publications").text) == ["Le second", "Le premier"]


def test_the_list_is_narrowed_by_what_is_asked_for(browse: Browse, desk: Desk):
    desk.write(text="Écouter un métier", kind="advice")
    desk.submitted("colleague", text="Portes ouvertes")
    desk.write(text="Au lycée", audience=["D-35"])
    browser = browse("animator")

    def found(query: str) -> list[str]:
        return titles(browser.get(f"/equipe/publications?{query}").text)

    assert found("texte=ECOUTER") == ["Écouter un métier"]
    assert found("etat=submitted") == ["Portes ouvertes"]
    assert found("genre=advice") == ["Écouter un métier"]
    assert found("moi=1") == ["Au lycée", "Écouter un métier"]
    assert found("territoire=D-22") == ["Portes ouvertes", "Écouter un métier"]
    assert found("etat=nonsense&genre=x&territoire=Z-9") == ["Au lycée", "Portes ouvertes", "Écouter un métier"]


def test_a_long_list_goes_on_page_by_page_with_its_filters(browse: Browse, desk: Desk):
    made = [desk.write(text=f"Numéro {turn}") for turn in range(45)]
    browser = browse("animator")
    first = browser.get("/equipe/publications?etat=draft").text
    [onward] = re.findall(r'href="([^"]+)" rel="next"', first)

    then = browser.get(onward.replace("&amp;", "&")).text

    assert "etat=draft" in onward
    assert titles(first) + titles(then) == [f"Numéro {turn}" for turn in reversed(range(len(made)))]
    assert 'rel="next"' not in then


@pytest.mark.parametrize(
    ("query", "words"), [("", "No post yet"), ("?texte=rien", "No post fits"), ("?avant=1", "No post fits")]
)
def test_an_empty_list_says_what_to_do(browse: Browse, query, words):
    assert words in plain(browse("animator").get(f"/equipe/publications{query}").text)


# --- One post -------------------------------------------------------------------------------------------


def test_the_page_of_a_draft_tells_what_comes_next_and_hands_it_in(browse: Browse, desk: Desk):
    post_id = desk.write()
    browser = browse("animator")
    before = plain(browser.get(f"/equipe/publications/{post_id}").text)

    answer = browser.post(f"/equipe/publications/{post_id}/soumettre")

    assert "A draft: nobody has been asked yet." in before
    assert "Portes ouvertes au CFA" in before
    assert "Handed in." in plain(answer.text)
    assert desk.post(post_id).state == "submitted"


def test_a_repeat_is_asked_about_and_confirmed_on_the_page(browse: Browse, desk: Desk):
    desk.approved()
    post_id = desk.write()
    browser = browse("animator")

    refused = browser.post(f"/equipe/publications/{post_id}/soumettre")
    taken = browser.post(f"/equipe/publications/{post_id}/soumettre", {"confirm": "1"})

    assert refused.status_code == 422
    assert "says the same words within 24 hours" in plain(refused.text)
    assert 'name="confirm"' in refused.text
    assert taken.status_code == 200
    assert desk.post(post_id).state == "submitted"


def test_a_returned_post_shows_why(browse: Browse, desk: Desk):
    post_id = desk.submitted()
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason="La date est fausse")

    told = plain(browse("animator").get(f"/equipe/publications/{post_id}").text)

    assert "Why it came back La date est fausse" in told
    assert "mend it, then hand it in again" in told


def test_a_published_post_shows_where_it_is_and_its_story(browse: Browse, desk: Desk):
    post_id = desk.approved()
    desk.stage.clock.forward(days=8, hours=7)
    desk.stage.run_due()
    delivery = only_delivery(desk, post_id, url="https://www.facebook.com/1002_1")

    page = browse("animator").get(f"/equipe/publications/{post_id}").text
    told = plain(page)

    assert delivery.state == "sent"
    assert f'href="{delivery.url}"' in page
    assert "Coordinator approved it" in told
    assert "Relais published it on Page rennes" in told
    assert "Published everywhere." in told


def test_a_post_is_taken_back_with_a_reason_only(browse: Browse, desk: Desk):
    post_id = desk.approved()
    browser = browse("animator")

    refused = browser.post(f"/equipe/publications/{post_id}/retirer", {"reason": " "})
    taken = browser.post(f"/equipe/publications/{post_id}/retirer", {"reason": "Reporté"})

    assert refused.status_code == 422
    assert "Say why, so that the others understand." in plain(refused.text)
    assert "Animator withdrew it Reporté" in plain(taken.text)
    assert (desk.post(post_id).state, only_delivery(desk, post_id).state) == ("withdrawn", "cancelled")


def test_held_destinations_are_released_as_they_are_seen(browse: Browse, desk: Desk):
    post_id = desk.submitted(accounts=["facebook:A-14", "portal:FR"])
    page_id = str(desk.stage.accounts["rennes"])
    desk.approve(post_id, hold={page_id: "Après les vacances"})
    browser = browse("coordinator")
    html = browser.get(f"/equipe/publications/{post_id}").text
    [seen] = re.findall(r'name="seen" value="(\w+)"', html)

    stale = browser.post(f"/equipe/publications/{post_id}/liberer", {"seen": "x", "release": page_id})
    nothing = browser.post(f"/equipe/publications/{post_id}/liberer", {"seen": seen})
    done = browser.post(f"/equipe/publications/{post_id}/liberer", {"seen": seen, "release": page_id})

    assert "Après les vacances" in plain(html)
    assert (stale.status_code, nothing.status_code, done.status_code) == (409, 422, 200)
    assert "1 destination goes out now." in plain(done.text)
    assert len(desk.deliveries(post_id)) == 2


def test_who_may_not_release_sees_what_is_held_without_a_button(browse: Browse, desk: Desk):
    post_id = desk.submitted(accounts=["facebook:A-14", "portal:FR"])
    desk.approve(post_id, hold={str(desk.stage.accounts["rennes"]): "Après les vacances"})

    html = browse("animator").get(f"/equipe/publications/{post_id}").text

    assert "Après les vacances" in plain(html)
    assert 'name="release"' not in html


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({"action": "found", "remote_id": "https://www.facebook.com/1002/posts/77"}, "sent", "Kept: it is published"),
        ({"action": "send"}, "waiting", "It goes out again within a minute."),
        ({"action": "give-up", "reason": "Trop tard"}, "cancelled", "Given up"),
    ],
)
def test_a_person_decides_about_a_delivery_that_waits_for_them(browse: Browse, desk: Desk, fields, state, words):
    post_id = desk.approved()
    delivery = only_delivery(desk, post_id, state=DeliveryState.REVIEW)
    browser = browse("animator")
    before = browser.get(f"/equipe/publications/{post_id}").text

    answer = browser.post(f"/equipe/diffusions/{delivery.id}/decider", fields)

    assert re.findall(r'name="action" value="([\w-]+)"', before) == ["found", "send", "give-up"]
    assert "One destination waits for your decision below." in plain(before)
    assert words in plain(answer.text)
    assert only_delivery(desk, post_id).state == state


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "Choose what shall be done."),
        ({"action": "found", "remote_id": "nothing"}, 422, "Give the id of the post on the network"),
        ({"action": "remove", "reason": "Annulé"}, 409, "is not possible for this delivery now"),
    ],
)
def test_a_decision_that_cannot_be_taken_is_told_beside_its_form(browse: Browse, desk: Desk, fields, status, words):
    post_id = desk.approved()
    delivery = only_delivery(desk, post_id, state=DeliveryState.REVIEW)

    answer = browse("animator").post(f"/equipe/diffusions/{delivery.id}/decider", fields)

    assert answer.status_code == status
    assert words in plain(answer.text)
    assert only_delivery(desk, post_id).state == "review"


def test_a_live_post_is_taken_down_with_a_reason(browse: Browse, desk: Desk):
    post_id = desk.approved()
    delivery = only_delivery(desk, post_id, state=DeliveryState.SENT, remote_id="7", sent_at=desk.now)
    browser = browse("animator")

    refused = browser.post(f"/equipe/diffusions/{delivery.id}/decider", {"action": "remove", "reason": ""})
    done = browser.post(f"/equipe/diffusions/{delivery.id}/decider", {"action": "remove", "reason": "Annulé"})

    assert (refused.status_code, done.status_code) == (422, 200)
    assert "It is being taken down: Annulé" in plain(done.text)
    assert only_delivery(desk, post_id).removal_at == desk.now


@pytest.mark.parametrize("who", ["analyst", "administrator"])
def test_who_only_reads_finds_nothing_to_press(browse: Browse, desk: Desk, who):
    post_id = desk.approved()
    only_delivery(desk, post_id, state=DeliveryState.REVIEW)

    main = browse(who).get(f"/equipe/publications/{post_id}").text.split("<main", 1)[1]

    assert "<button" not in main
    assert "/modifier" not in main


def test_a_foreign_post_is_not_found_and_changes_nothing(browse: Browse, desk: Desk):
    post_id = desk.approved()
    delivery = only_delivery(desk, post_id, state=DeliveryState.REVIEW)
    browser = browse("stranger")

    asked = [
        browser.get(f"/equipe/publications/{post_id}"),
        browser.get(f"/equipe/publications/{post_id}/images/0"),
        browser.post(f"/equipe/publications/{post_id}/soumettre"),
        browser.post(f"/equipe/publications/{post_id}/retirer", {"reason": "x"}),
        browser.post(f"/equipe/publications/{post_id}/liberer", {"seen": "x", "release": "1"}),
        browser.post(f"/equipe/diffusions/{delivery.id}/decider", {"action": "give-up"}),
    ]

    assert [answer.status_code for answer in asked] == [404] * 6
    assert (desk.post(post_id).state, only_delivery(desk, post_id).state) == ("approved", "review")


def test_an_event_is_told_in_words(browse: Browse, desk: Desk):
    post_id = desk.write(
        kind="event",
        event={
            "timings": [{"begin": "2026-12-01T14:00", "end": "2026-12-01T17:00"}],
            "commune": "35238",
            "venue": "CIO",
            "ages": {"min": 16},
            "accessibility": ["motor"],
            "registration": {"phone": "02 99 00 00 00", "link": "https://example.org/inscription"},
        },
    )

    html = browse("animator").get(f"/equipe/publications/{post_id}").text
    told = plain(html)

    assert "Dates 01/12/2026, from 14:00 to 17:00 Place CIO, Rennes" in told
    assert "Ages from 16 years on Accessibility reduced mobility" in told
    assert 'href="https://example.org/inscription"' in html


def test_words_that_look_like_markup_are_shown_as_words(browse: Browse, desk: Desk):
    post_id = desk.write(text="<script>alert(1)</script> & co")

    html = browse("animator").get(f"/equipe/publications/{post_id}").text

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in html


def test_a_picture_is_shown_to_those_who_see_the_post(browse: Browse, desk: Desk):
    data = b"\x89PNG" + bytes(20)
    with writing(desk.stage.hub.engine) as session:
        size = {"width": 4, "height": 3, "size": len(data)}
        session.add(Media(id="a" * 64, mime="image/png", data=data, created_at=desk.now, **size))
    post_id = desk.write(pictures=[{"id": "a" * 64, "alt": "Une cour"}])
    browser = browse("animator")
    address = f"/equipe/publications/{post_id}/images/0"

    html = browser.get(f"/equipe/publications/{post_id}").text
    picture = browser.get(address)

    assert f'<img src="{address}" alt="Une cour"' in html
    assert (picture.content, picture.headers["content-type"]) == (data, "image/png")
    assert "private" in picture.headers["cache-control"]
    assert browser.get(f"/equipe/publications/{post_id}/images/1").status_code == 404
    assert browse("stranger").get(address).status_code == 404


def test_what_is_wrong_is_told_beside_the_form_that_was_sent_and_the_words_are_kept(browse: Browse, desk: Desk):
    post_id = desk.approved()
    delivery = only_delivery(desk, post_id, state=DeliveryState.REVIEW)

    html = (
        browse("animator")
        .post(
            f"/equipe/diffusions/{delivery.id}/decider",
            {"action": "found", "remote_id": "sans numéro", "reason": "Vue ce matin"},
        )
        .text
    )

    assert f'id="remote_id-{delivery.id}" name="remote_id" value="sans numéro"' in html
    assert f'aria-describedby="remote_id-{delivery.id}-wrong" aria-invalid="true"' in html
    assert ">Vue ce matin</textarea>" in html
    assert 'value="found" checked' in html
