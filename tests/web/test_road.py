"""The road of a post over the API: written, changed, submitted, approved, gone out, counted, taken down."""

from __future__ import annotations

import csv
import io

import pytest
from PIL import Image

from channels import Uncertain
from hub.database import reading, writing
from hub.domain.delivery import Delivery
from hub.domain.reach import Unit
from hub.services import measuring, resolving
from tests.web.conftest import Ask, a_draft


def test_a_post_comes_back_as_it_was_typed(ask: Ask):
    typed = a_draft(
        zone="local",
        useless_after="2026-11-12T20:00",
        variants={"facebook:A-14": "Pour {territoire}"},
        event={
            "timings": [{"begin": "2026-11-12T09:00", "end": "2026-11-12T17:00"}],
            "venue": "CFA",
            "registration": {"phone": "02 99 00 00 00"},
        },
    )

    post = ask("POST", "/posts", "animator", json=typed).json()
    again = ask("PUT", f"/posts/{post['id']}", "animator", json=post["draft"]).json()

    draft = post["draft"]
    assert again["draft"] == draft
    assert (again["version"], again["fingerprint"]) == (2, post["fingerprint"])
    assert (draft["text"], draft["when"][:16], draft["useless_after"][:16]) == (
        typed["text"],
        typed["when"],
        typed["useless_after"],
    )
    assert list(draft["variants"].values()) == ["Pour {territoire}"]
    assert draft["event"]["venue"] == "CFA"


def test_an_end_is_read_back_as_typed_where_territories_have_several_clocks(ask: Ask, stage):
    everywhere = a_draft(audience=["A-28", "A-33"], accounts=["portal:FR"], useless_after="2026-11-11T20:00", link=None)

    post = ask("POST", "/posts", "coordinator", json=everywhere).json()

    assert post["useless_after"] == "2026-11-11T23:00:00Z"  # eight in the evening in Cayenne
    assert post["draft"]["useless_after"] == "2026-11-11T20:00:00"
    again = ask("PUT", f"/posts/{post['id']}", "coordinator", json=post["draft"]).json()
    assert again["useless_after"] == post["useless_after"]


def test_an_end_that_nobody_typed_is_not_sent_back(written):
    assert written["draft"]["useless_after"] is None
    assert written["useless_after"] == "2026-11-11T17:00:00Z"


def test_two_who_change_the_same_version_meet_a_conflict(ask: Ask, written):
    path = f"/posts/{written['id']}"
    seen = ask("GET", path, "animator").headers["etag"]

    first = ask("PUT", path, "colleague", json=a_draft(text="Autre chose"), headers={"If-Match": seen})
    second = ask("PUT", path, "animator", json=a_draft(text="Encore"), headers={"If-Match": seen})
    unreadable = ask("PUT", path, "animator", json=a_draft(), headers={"If-Match": "yesterday"})

    assert [first.status_code, second.status_code, unreadable.status_code] == [200, 409, 422]
    assert first.headers["etag"] == '"2"'
    assert ask("GET", path, "animator").json()["draft"]["text"] == "Autre chose"


def test_the_preview_shows_each_delivery_with_its_limit(ask: Ask, written):
    told = ask("GET", f"/posts/{written['id']}/preview", "animator").json()

    portal, page = sorted(told["deliveries"], key=lambda one: one["account"])
    assert set(page) >= {"destination", "account", "network", "territory", "territory_name", "text", "link", "gate",
                         "unlimited", "due_at", "wall_time", "zone", "cost", "problems", "warnings"}  # fmt: skip
    assert page["gate"] == {"territories": ["D-35"], "precision": {"covered": 100.0, "spilled": 0.0}}
    assert page["destination"] == f"{page['account']}:D-35"
    assert (page["wall_time"], page["zone"], page["due_at"]) == (
        "2026-11-10T18:00",
        "Europe/Paris",
        "2026-11-10T17:00:00Z",
    )
    assert page["cost"] == portal["cost"] == "0"
    assert page["link"] != portal["link"]


def test_the_price_of_a_post_on_x_is_told_before_it_is_submitted(ask: Ask):
    typed = a_draft(text="Voir https://example.org/cfa", link=None, accounts=["x:FR"], accepts_unlimited=True)
    post = ask("POST", "/posts", "animator", json=typed).json()

    [one] = ask("GET", f"/posts/{post['id']}/preview", "animator").json()["deliveries"]

    assert (one["cost"], one["unlimited"], one["gate"]) == ("0.200", True, None)


def test_what_one_may_do_follows_the_state_and_the_role(ask: Ask, written):
    path = f"/posts/{written['id']}"

    def actions() -> dict[str, list[str]]:
        return {who: ask("GET", path, who).json()["actions"] for who in ("animator", "coordinator", "analyst")}

    drafted = actions()
    ask("POST", f"{path}/submit", "animator")
    submitted = actions()
    ask("POST", f"{path}/return", "coordinator", json={"reason": "Une date manque."})
    returned = ask("GET", path, "animator").json()

    assert drafted == {
        "animator": ["edit", "submit", "withdraw"],
        "coordinator": ["edit", "submit", "withdraw"],
        "analyst": [],
    }
    assert submitted == {
        "animator": ["edit", "withdraw"],
        "coordinator": ["edit", "withdraw", "approve", "return"],
        "analyst": [],
    }
    assert (returned["state"], returned["return_reason"]) == ("returned", "Une date manque.")
    assert returned["actions"] == ["edit", "submit", "withdraw"]


def test_an_approval_is_bound_to_what_was_seen(ask: Ask, written):
    path = f"/posts/{written['id']}"
    ask("POST", f"{path}/submit", "animator")
    seen = ask("GET", f"{path}/preview", "coordinator").json()["fingerprint"]
    ask("PUT", path, "animator", json=a_draft(text="Tout autre chose"))
    ask("POST", f"{path}/submit", "animator")

    late = ask("POST", f"{path}/approve", "coordinator", json={"fingerprint": seen})
    fresh = ask("GET", path, "coordinator").json()["fingerprint"]
    good = ask("POST", f"{path}/approve", "coordinator", json={"fingerprint": fresh})

    assert [late.status_code, good.status_code] == [409, 200]


def test_nothing_is_approved_without_the_fingerprint_of_what_was_seen(ask: Ask, written):
    ask("POST", f"/posts/{written['id']}/submit", "animator")

    path = f"/posts/{written['id']}/approve"
    blind = [ask("POST", path, "coordinator"), ask("POST", path, "coordinator", json={"hold": {}})]

    assert [answer.status_code for answer in blind] == [422, 422]
    assert [answer.json()["problems"] for answer in blind] == [
        [
            {
                "field": "fingerprint",
                "message": "Look at the preview, then send its fingerprint: exactly what you saw is approved.",
            }
        ]
    ] * 2


def test_a_held_destination_is_shown_with_its_reason_and_may_be_released(ask: Ask, written):
    path = f"/posts/{written['id']}"
    ask("POST", f"{path}/submit", "animator")
    destination = next(
        one["destination"]
        for one in ask("GET", f"{path}/preview", "coordinator").json()["deliveries"]
        if one["network"] == "facebook"
    )

    held = ask.approve(written["id"], hold={destination: "Photo à refaire"}).json()
    unknown = ask.approve(written["id"], hold={"99": "x"})
    waiting = ask("GET", path, "deputy").json()["actions"]
    unnamed = ask.approve(written["id"])
    released = ask.approve(written["id"], release=[destination]).json()

    lines = {line["destination"]: (line["verdict"], line["reason"]) for line in held["approvals"][-1]["lines"]}
    assert lines[destination] == ("held", "Photo à refaire")
    assert [one["network"] for one in held["deliveries"]] == ["portal"]
    assert waiting == ["edit", "withdraw", "approve"]
    assert unknown.json()["problems"][0]["field"] == "hold"
    assert unnamed.status_code == 409
    assert sorted(one["network"] for one in released["deliveries"]) == ["facebook", "portal"]


def test_a_picture_is_uploaded_once_and_shown_with_its_words(ask: Ask):
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (10, 20, 30)).save(out, "PNG")

    answers = [ask("POST", "/media", "animator", files={"file": ("a.png", out.getvalue())}) for _time in range(2)]
    picture = answers[0].json()
    typed = a_draft(pictures=[{"id": picture["id"], "alt": "L'atelier"}])
    post = ask("POST", "/posts", "animator", json=typed).json()

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json() == picture
    assert (picture["mime"], picture["width"], picture["height"]) == ("image/jpeg", 40, 20)
    assert post["draft"]["pictures"] == typed["pictures"]


def test_what_is_no_picture_is_refused(ask: Ask):
    answer = ask("POST", "/media", "animator", files={"file": ("a.svg", b"<svg/>")})

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "file")


def test_the_calendar_shows_what_is_asked_for_and_what_is_approved_by_local_time(ask: Ask, written):
    path = f"/posts/{written['id']}"

    def shown(**query: str) -> list[tuple[str, str]]:
        entries = ask("GET", "/calendar", "colleague", params=query).json()
        return [(entry["wall_time"], entry["state"]) for entry in entries]

    drafted = shown()
    ask("POST", f"{path}/submit", "animator")
    submitted = shown()
    ask.approve(written["id"])

    assert drafted == []
    assert submitted == [("2026-11-10T18:00", "submitted")] * 2
    assert shown() == [("2026-11-10T18:00", "waiting")] * 2
    assert shown(**{"from": "2026-11-11"}) == []
    assert shown(territory="D-35") == shown()
    assert shown(territory="D-29") == []


def test_a_delivery_tells_its_whole_story(ask: Ask, stage, published):
    page = next(one for one in published["deliveries"] if one["network"] == "facebook")

    told = ask("GET", f"/deliveries/{page['id']}", "animator").json()

    assert (published["progress"], told["state"]) == ("published", "sent")
    [attempt] = told["attempts"]
    assert (attempt["kind"], attempt["phase"], attempt["outcome"]) == ("publish", "publishing", "ok")
    assert told["actions"] == ["remove"]
    assert told["read_back"] is None
    assert [message.text for message in stage.channel("rennes").shown.values()] == [told["text"]]


def test_a_person_decides_what_nobody_knows(ask: Ask, stage, approved):
    stage.channel("rennes").fail_next(Uncertain("No answer."))
    stage.clock.at = stage.clock.at.replace(day=10, hour=17, minute=1)
    stage.run_due()
    page = next(one for one in approved["deliveries"] if one["network"] == "facebook")
    path = f"/deliveries/{page['id']}"

    unknown = ask("GET", path, "animator").json()
    too_early = ask("POST", f"{path}/resolve", "animator", json={"action": "send"})

    assert (unknown["state"], unknown["read_back"]["looks"], unknown["actions"]) == ("unknown", 0, [])
    assert too_early.status_code == 409


def test_a_late_delivery_waits_for_a_person_who_sends_it_or_gives_it_up(ask: Ask, stage, approved):
    stage.clock.forward(days=9)
    stage.run_due()
    first, second = ask("GET", "/deliveries", "animator", params={"state": "review"}).json()

    sent = ask("POST", f"/deliveries/{first['id']}/resolve", "animator", json={"action": "send"}).json()
    nameless = ask("POST", f"/deliveries/{second['id']}/resolve", "animator", json={"action": "found"})
    found = ask(
        "POST",
        f"/deliveries/{second['id']}/resolve",
        "animator",
        json={"action": "found", "remote_id": "https://www.facebook.com/1002/posts/7"},
    ).json()

    assert (sent["state"], sent["attempts"][0]["kind"]) == ("waiting", "person")
    assert nameless.json()["problems"][0]["field"] == "remote_id"
    assert (found["state"], found["remote_id"]) == ("sent", "1002_7")


def test_a_live_post_is_taken_down_with_a_reason(ask: Ask, published):
    path = f"/deliveries/{published['deliveries'][0]['id']}/remove"

    wordless = ask("POST", path, "animator")
    asked = ask("POST", path, "animator", json={"reason": "Date fausse"})

    assert (wordless.status_code, wordless.json()["problems"][0]["field"]) == (422, "reason")
    assert (asked.status_code, asked.json()["removal"]["reason"], asked.json()["actions"]) == (202, "Date fausse", [])


def test_what_a_network_did_not_say_is_null_in_the_report_and_empty_in_the_export(ask: Ask, published):
    told = ask("GET", "/reach/report", "analyst", params={"from": "2026-11-01", "to": "2026-11-30"}).json()
    export = ask("GET", "/reach/export", "analyst", params={"from": "2026-11-01", "to": "2026-11-30"})

    assert {(row["key"], row["unit"], row["value"], row["how"]) for row in told["rows"]} == {
        ("A-14", "people", None, "missing"),
        *(("A-14", own, 0, "single") for own in ("arrivals", "views", "clicks")),
    }
    assert len(told["silent"]) == 33
    assert told["silent_names"]["A-32"] == "Guadeloupe"
    assert export.headers["content-type"] == "text/csv; charset=utf-8"
    assert export.headers["content-disposition"] == ('attachment; filename="relais-portee-2026-11-01-2026-11-30.csv"')
    rows = list(csv.DictReader(io.StringIO(export.text)))
    assert sorted((row["territory"], row["metric"], row["value"], row["missing"]) for row in rows) == [
        ("D-35", "", "", "not read yet"),
        ("D-35", "link_arrivals", "0", ""),
        ("D-35", "portal_clicks", "0", ""),
        ("D-35", "portal_views", "0", ""),
    ]


def test_animators_of_other_places_find_nothing_of_it_in_their_report(ask: Ask, published):
    told = ask("GET", "/reach/report", "stranger", params={"from": "2026-11-01", "to": "2026-11-30"}).json()

    assert told["rows"] == []
    assert told["silent"] == ["A-32"]


# --- What everybody sees ------------------------------------------------------------------------------


@pytest.fixture
def key(published, engine) -> str:
    """The mark of the published portal item."""
    item = next(one for one in published["deliveries"] if one["network"] == "portal")
    with reading(engine) as session:
        delivery = session.get(Delivery, item["id"])
        assert delivery is not None
        return delivery.key


def visits(engine, key: str) -> dict[Unit, int]:
    with reading(engine) as session:
        return measuring.visits_of(session, [key])[key]


def test_nothing_is_shown_before_it_is_out(ask: Ask, approved):
    assert "Portes ouvertes" not in ask.page("/").text


def test_an_item_is_shown_to_everybody_and_each_reader_is_counted(ask: Ask, engine, key):
    pages = [ask.page(f"/p/{key}") for _reader in range(2)]

    assert [page.status_code for page in pages] == [200, 200]
    assert "<h1>Portes ouvertes au CFA</h1>" in pages[0].text
    assert "<p>Venez voir les ateliers.</p>" in pages[0].text
    assert visits(engine, key) == {Unit.VIEWS: 2}
    assert "set-cookie" not in pages[0].headers


def test_a_marked_link_leads_on_and_is_counted(ask: Ask, engine, key):
    answer = ask.page(f"/l/{key}")

    assert (answer.status_code, answer.headers["location"]) == (302, "https://example.org/cfa")
    assert visits(engine, key) == {Unit.CLICKS: 1}


def test_whoever_follows_a_link_before_it_is_out_is_not_counted(ask: Ask, engine, written):
    ask("POST", f"/posts/{written['id']}/submit", "animator")
    ask.approve(written["id"])
    marked = ask("GET", f"/posts/{written['id']}/preview", "animator").json()["deliveries"][0]["link"]
    key = marked.rsplit("/", 1)[-1]

    assert ask.page(f"/l/{key}").status_code == 302
    assert visits(engine, key) == {}


def test_the_home_page_lists_what_is_out_for_a_territory(ask: Ask, key):
    listed = {code: f'href="/p/{key}"' in ask.page(f"/?territoire={code}").text for code in ("A-14", "C-35238", "A-32")}

    assert f'href="/p/{key}"' in ask.page("/").text
    assert listed == {"A-14": True, "C-35238": True, "A-32": False}
    assert ask.page("/?territoire=nonsense").status_code == 422


def test_an_item_that_was_taken_down_is_gone(ask: Ask, stage, engine, published, key):
    item = next(one for one in published["deliveries"] if one["network"] == "portal")
    ask("POST", f"/deliveries/{item['id']}/remove", "animator", json={"reason": "Date fausse"})
    with writing(engine) as session:
        [removal] = resolving.open_removals(session, at=stage.clock(), patience=stage.hub.patience)
        resolving.record_removal(session, removal, None, at=stage.clock(), patience=stage.hub.patience)

    assert ask.page(f"/p/{key}").status_code == 410
    assert "Portes ouvertes" not in ask.page("/").text


def test_words_never_become_markup(ask: Ask, stage):
    nasty = '<script>alert("1")</script>\n\n<b onclick=x>&amp; {territoire}'
    post = ask("POST", "/posts", "animator", json=a_draft(text=nasty, accounts=["portal:FR"])).json()
    ask("POST", f"/posts/{post['id']}/submit", "animator")
    ask.approve(post["id"])
    stage.clock.at = stage.clock.at.replace(day=10, hour=17, minute=1)
    stage.run_due()
    home = ask.page("/").text
    page = ask.page("/p/" + home.split('href="/p/')[1].split('"')[0]).text

    for html in (home, page):
        assert "<script" not in html
        assert "<b " not in html
        assert "style=" not in html
    assert "&lt;b onclick=x&gt;&amp;amp; Ille-et-Vilaine" in page


@pytest.mark.parametrize("path", ["/p/unknown", "/l/unknown", "/p/unknown/0"])
def test_an_unknown_address_says_so_on_a_page(ask: Ask, path):
    answer = ask.page(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing at this address." in answer.text
