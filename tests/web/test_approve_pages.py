"""The approver's queue and decisions, as a coordinator uses them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hub.domain.person import RoleKind
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Browser
from tests.web.test_post_pages import plain, titles

Browse = Callable[..., Browser]


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def seen(html: str) -> dict[str, str]:
    """The hidden fingerprints of a queue, as its form sends them."""
    return dict(re.findall(r'name="(seen-\d+)" value="(\w+)"', html))


def fingerprint(html: str) -> str:
    """The hidden fingerprint of one post's page."""
    [found] = re.findall(r'name="seen" value="(\w+)"', html)
    return str(found)


# --- The queue ------------------------------------------------------------------------------------------


def test_the_queue_shows_what_waits_next_due_first(browse: Browse, desk: Desk):
    desk.submitted(text="Plus tard", when="2026-11-12T18:00")
    desk.submitted(text="Bientôt", when="2026-11-03T10:00")
    desk.submitted("coordinator", text="Les siens")

    html = browse("coordinator").get("/equipe/validation").text

    assert titles(html) == ["Bientôt", "Plus tard"]
    assert "2 posts wait" in plain(html)
    assert "urgent" in plain(html)


@pytest.mark.parametrize("who", ["animator", "coordinator", "analyst"])
def test_an_empty_queue_teaches(browse: Browse, who):
    assert "Nothing waits for you" in plain(browse(who).get("/equipe/validation").text)


def test_the_queue_is_narrowed(browse: Browse, desk: Desk):
    desk.submitted(text="Un conseil", kind="advice")
    desk.submitted(text="Ce soir", when="2026-11-02T20:00")
    desk.submitted("stranger", text="Ailleurs", audience=["A-32"], accounts=["portal:FR"])
    desk.approved(text="Deux fois")
    desk.submitted(text="Deux fois")
    browser = browse("coordinator")

    def found(query: str) -> list[str]:
        return titles(browser.get(f"/equipe/validation?{query}").text)

    assert found("genre=advice") == ["Un conseil"]
    assert found("urgent=1") == ["Ce soir"]
    assert found("territoire=A-32") == ["Ailleurs"]
    assert found("alertes=1") == ["Deux fois"]
    assert found("genre=x&territoire=Z") == ["Ce soir", "Un conseil", "Deux fois", "Ailleurs"]
    assert "Nothing of this kind waits" in plain(browser.get("/equipe/validation?genre=option").text)


def test_a_long_queue_goes_on(browse: Browse, desk: Desk):
    for turn in range(23):
        desk.submitted(text=f"Numéro {turn}", when=f"2026-11-{10 + turn // 3}T1{turn % 3}:00")
    browser = browse("coordinator")
    first = browser.get("/equipe/validation").text
    [onward] = re.findall(r'href="([^"]+)" rel="next"', first)

    then = browser.get(onward.replace("&amp;", "&")).text

    assert titles(first) + titles(then) == [f"Numéro {turn}" for turn in range(23)]


def test_what_has_warnings_is_opened_before_it_is_approved(browse: Browse, desk: Desk):
    desk.approved(text="Deux fois")
    desk.submitted(text="Deux fois")

    html = browse("coordinator").get("/equipe/validation").text

    assert 'name="post"' not in html
    assert "look at the warnings" in plain(html)


def test_what_is_too_long_to_read_in_the_queue_is_opened_first(browse: Browse, desk: Desk):
    desk.submitted(text="Un mot " * 120)
    short = desk.submitted(text="Court", variants={"facebook:A-14": "Plus court"}, link="https://example.org/a")

    html = browse("coordinator").get("/equipe/validation").text

    assert list(seen(html)) == [f"seen-{short}"]
    assert "A long text: open it to read and approve it." in plain(html)
    assert "Court Text for Page rennes Plus court https://example.org/a" in plain(html)


def test_a_selection_is_approved_together(browse: Browse, desk: Desk):
    first, second, third = (desk.submitted(text=f"Texte {turn}") for turn in range(3))
    browser = browse("coordinator")
    marks = seen(browser.get("/equipe/validation").text)

    answer = browser.post("/equipe/validation", marks | {"post": [str(first), str(third)]})

    assert "2 posts approved." in plain(answer.text)
    assert [desk.post(number).state for number in (first, second, third)] == ["approved", "submitted", "approved"]


def test_what_changed_meanwhile_is_left_for_another_look(browse: Browse, desk: Desk):
    good, changed = (desk.submitted(text=f"Texte {turn}") for turn in range(2))
    browser = browse("coordinator")
    marks = seen(browser.get("/equipe/validation").text)
    desk.change(changed, text="Autres mots")
    desk.submit(changed)

    answer = browser.post("/equipe/validation", marks | {"post": [str(good), str(changed), "999", "x"]})

    assert answer.status_code == 409
    assert "2 posts need another look; the others are approved." in plain(answer.text)
    assert "This post changed since you looked at it." in plain(answer.text)
    assert f'href="/equipe/validation/{changed}"' in answer.text
    assert [desk.post(number).state for number in (good, changed)] == ["approved", "submitted"]


def test_nothing_ticked_approves_nothing(browse: Browse, desk: Desk):
    post_id = desk.submitted()

    answer = browse("coordinator").post("/equipe/validation", {f"seen-{post_id}": desk.seen(post_id)})

    assert "Tick the posts that you approve first." in plain(answer.text)
    assert desk.post(post_id).state == "submitted"


@pytest.mark.parametrize("who", ["deputy", "animator", "analyst"])
def test_a_selection_of_what_is_not_theirs_approves_nothing(browse: Browse, desk: Desk, who):
    post_id = desk.submitted("deputy")

    answer = browse(who).post("/equipe/validation", {"post": str(post_id), f"seen-{post_id}": desk.seen(post_id)})

    assert answer.status_code == 409
    assert desk.post(post_id).state == "submitted"


# --- One post -------------------------------------------------------------------------------------------


def test_a_post_is_shown_whole_with_its_destinations(browse: Browse, desk: Desk):
    post_id = desk.submitted(
        text="Portes ouvertes\n\nVenez.", audience=["D-35"], accounts=["facebook:A-14", "portal:FR"]
    )

    told = plain(browse("coordinator").get(f"/equipe/validation/{post_id}").text)

    assert "By Animator, for Ille-et-Vilaine." in told
    assert "Page rennes Facebook" in told
    assert "Ille-et-Vilaine: limited to this territory" in told
    assert "1 of 1" in told


def test_what_changed_since_the_return_is_shown_word_by_word(browse: Browse, desk: Desk):
    post_id = desk.submitted(text="Rendez-vous mardi")
    browser = browse("coordinator")
    browser.post(f"/equipe/validation/{post_id}/retour", {"reason": "Pas mardi"})
    desk.change(post_id, text="Rendez-vous jeudi", audience=["D-35"])
    desk.submit(post_id)

    html = browser.get(f"/equipe/validation/{post_id}").text
    told = plain(html)

    assert "What changed since it was returned" in told
    assert re.findall(r"<del>.*?</span>(\w+)</del><ins>.*?</span>(\w+)</ins>", html) == [("mardi", "jeudi")]
    assert "[added] Ille-et-Vilaine , [removed] Rennes" in told
    assert "changed since the last look" in plain(browser.get("/equipe/validation").text)


def test_an_approval_leads_to_the_next_post(browse: Browse, desk: Desk):
    first, second = (desk.submitted(text=f"Texte {turn}", when=f"2026-11-1{turn}T18:00") for turn in range(2))
    browser = browse("coordinator")
    html = browser.get(f"/equipe/validation/{first}").text

    answer = browser.post(f"/equipe/validation/{first}", {"seen": fingerprint(html)})
    last = browser.post(f"/equipe/validation/{second}", {"seen": desk.seen(second)})

    assert answer.url.path == f"/equipe/validation/{second}"
    assert "Approved: 1 destination." in plain(answer.text)
    assert last.url.path == "/equipe/validation"
    assert [desk.post(number).state for number in (first, second)] == ["approved", "approved"]


def test_some_destinations_are_held_each_with_its_reason(browse: Browse, desk: Desk):
    post_id = desk.submitted(accounts=["facebook:A-14", "portal:FR"])
    page = str(desk.stage.accounts["rennes"])
    browser = browse("coordinator")
    mark = {"seen": fingerprint(browser.get(f"/equipe/validation/{post_id}").text)}

    refused = browser.post(f"/equipe/validation/{post_id}", mark | {"hold": page})
    done = browser.post(f"/equipe/validation/{post_id}", mark | {"hold": page, f"why-{page}": "Après les vacances"})

    assert refused.status_code == 422
    assert "Say why this destination waits" in plain(refused.text)
    assert f'id="why-{page}-wrong"' in refused.text
    assert "Approved: 1 destination." in plain(done.text)
    assert [one.account_id for one in desk.deliveries(post_id)] == [desk.stage.accounts["portal"]]


def test_what_changed_while_it_was_read_is_shown_anew_instead_of_approved(browse: Browse, desk: Desk):
    post_id = desk.submitted()
    browser = browse("coordinator")
    mark = {"seen": fingerprint(browser.get(f"/equipe/validation/{post_id}").text)}
    desk.change(post_id, text="Autres mots")
    desk.submit(post_id)

    answer = browser.post(f"/equipe/validation/{post_id}", mark)

    assert answer.status_code == 409
    assert "This post changed since you looked at it." in plain(answer.text)
    assert "Autres mots" in plain(answer.text)
    assert fingerprint(answer.text) == desk.seen(post_id)
    assert desk.post(post_id).state == "submitted"


def test_a_post_is_returned_with_picked_and_own_words(browse: Browse, desk: Desk):
    post_id = desk.submitted()

    answer = browse("coordinator").post(
        f"/equipe/validation/{post_id}/retour", {"phrase": ["0", "3", "99"], "reason": "Et bravo !"}
    )

    assert "Returned, with your reason." in plain(answer.text)
    assert desk.post(post_id).state == "returned"
    assert desk.post(post_id).return_reason == (
        "Please check the date and the time.\nSay how to register, or whom to call.\nEt bravo !"
    )


def test_a_return_without_a_reason_is_asked_for_one(browse: Browse, desk: Desk):
    post_id = desk.submitted()

    answer = browse("coordinator").post(f"/equipe/validation/{post_id}/retour", {"reason": "  "})

    assert answer.status_code == 422
    assert "Say why, so that its author knows what to change." in plain(answer.text)
    assert desk.post(post_id).state == "submitted"


def test_its_author_is_told_why_they_cannot_approve_it(browse: Browse, desk: Desk):
    post_id = desk.submitted("coordinator")
    browser = browse("coordinator")

    looked = browser.get(f"/equipe/validation/{post_id}")
    pressed = browser.post(f"/equipe/validation/{post_id}", {"seen": desk.seen(post_id)})
    returned = browser.post(f"/equipe/validation/{post_id}/retour", {"reason": "x"})

    assert (looked.status_code, pressed.status_code, returned.status_code) == (403, 403, 403)
    assert "Nobody approves their own words." in plain(looked.text)
    assert f'href="/equipe/publications/{post_id}"' in looked.text
    assert desk.post(post_id).state == "submitted"


def test_an_animator_is_told_who_approves(browse: Browse, desk: Desk):
    post_id = desk.submitted("colleague")

    answer = browse("animator").get(f"/equipe/validation/{post_id}")

    assert answer.status_code == 403
    assert "Only a coordinator for the whole audience" in plain(answer.text)


def test_a_coordinator_of_elsewhere_does_not_even_find_it(browse: Browse, desk: Desk):
    desk.join("guadeloupe", RoleKind.COORDINATOR, "A-32")
    post_id = desk.submitted()
    browser = browse("guadeloupe")

    asked = [
        browser.get(f"/equipe/validation/{post_id}"),
        browser.post(f"/equipe/validation/{post_id}", {"seen": desk.seen(post_id)}),
        browser.post(f"/equipe/validation/{post_id}/retour", {"reason": "x"}),
    ]

    assert [answer.status_code for answer in asked] == [404, 404, 404]
    assert desk.post(post_id).state == "submitted"


def test_what_does_not_wait_any_more_leads_to_its_page(browse: Browse, desk: Desk):
    post_id = desk.approved()
    browser = browse("coordinator")

    looked = browser.get(f"/equipe/validation/{post_id}")
    again = browser.post(f"/equipe/validation/{post_id}", {"seen": desk.seen(post_id)})

    assert (looked.url.path, again.url.path) == (f"/equipe/publications/{post_id}",) * 2
    assert "This post does not wait for approval (any more)." in plain(looked.text)
    assert "This post is approved already" in plain(again.text)


def test_what_cannot_go_out_can_only_be_returned(browse: Browse, desk: Desk):
    post_id = desk.submitted(audience=["D-35"])
    desk.forget_keys()

    html = browse("coordinator").get(f"/equipe/validation/{post_id}").text

    assert "It cannot go out like this" in plain(html)


def test_every_decision_needs_the_page_it_is_made_on(browse: Browse, desk: Desk):
    post_id = desk.submitted()
    browser = browse("coordinator")
    paths = ["/equipe/validation", f"/equipe/validation/{post_id}", f"/equipe/validation/{post_id}/retour"]

    answers = [
        browser.client.post(path, data={"seen": desk.seen(post_id), "post": str(post_id), "reason": "x"})
        for path in paths
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert desk.post(post_id).state == "submitted"
