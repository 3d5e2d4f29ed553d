"""Writing a post in a browser, by its forms alone: what is typed is kept, shown, saved, handed in."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from httpx import Response
from PIL import Image
from sqlmodel import select

from hub.database import reading
from hub.domain.post import Post, PostDestination, PostMedia, PostState
from hub.domain.sheet import Sheet
from hub.services import drafting, sketching
from hub.services.drafting import Draft
from tests.stage import Stage
from tests.web.conftest import Browser

Browse = Callable[..., Browser]
NEW = "/equipe/publications/nouvelle"


def typed(**changed: Any) -> dict[str, Any]:
    """What is typed: a short piece of news for Rennes; `_` in names stands for `-`."""
    usual = {"kind": "news", "text": "Portes ouvertes", "date": "2026-11-10", "time": "18:00", "zone": "local"}
    return (
        usual
        | {"audience": ["A-14"], "proposed": ""}
        | {key.replace("_", "-"): value for key, value in changed.items()}
    )


def seen(answer: Response) -> str:
    """The words of a page, without its marks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def value(answer: Response, name: str) -> list[str]:
    """The values of the inputs of that name; of boxes and radios those that are checked."""
    told = []
    for tag in re.findall(rf'<input[^>]* name="{re.escape(name)}"[^>]*>', answer.text):
        if ("checkbox" in tag or "radio" in tag) and " checked" not in tag:
            continue
        told.append(unescape(re.search(r'value="([^"]*)"', tag)[1]))  # type: ignore[index]
    return told


def text_of(answer: Response, name: str = "text") -> str:
    """What stands in a text area, as a browser reads it."""
    found = re.search(rf'<textarea[^>]* name="{name}"[^>]*>(.*?)</textarea>', answer.text, re.DOTALL)
    assert found is not None
    return unescape(found[1]).removeprefix("\n")


def problems(answer: Response) -> list[tuple[str, str]]:
    """Every problem of the page, by the field that it leads to."""
    box = re.search(r'id="problems".*?</div>', answer.text, re.DOTALL)
    found = re.findall(r'<li>(?:<a href="#([^"]*)">)?(.*?)(?:</a>)?</li>', box[0] if box else "", re.DOTALL)
    return [(field, unescape(text)) for field, text in found]


def drafts(stage: Stage) -> list[tuple[int, Draft]]:
    """Every post as typed."""
    with reading(stage.hub.engine) as session:
        found = session.exec(select(Post).order_by(Post.id))  # type: ignore[arg-type]
        return [(post.id or 0, drafting.typed_of(session, post)) for post in found]


def post(stage: Stage, post_id: int = 1) -> Post:
    """A post as it is stored."""
    with reading(stage.hub.engine) as session:
        found = session.get(Post, post_id)
        assert found is not None
        return found


def a_picture(colour: str = "navy") -> tuple[str, bytes, str]:
    """A small photo, as a browser sends it."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return "photo.png", out.getvalue(), "image/png"


# --- Beginning ------------------------------------------------------------------------------------------


def test_a_new_post_begins_with_what_is_usual(browse: Browse, stage: Stage):
    page = browse("animator").get(NEW)

    assert page.status_code == 200
    assert value(page, "kind") == []
    assert value(page, "audience") == ["A-14"]
    assert (value(page, "date"), value(page, "time"), value(page, "zone")) == (["2026-11-03"], ["18:00"], ["local"])
    assert sorted(value(page, "account")) == sorted(str(stage.accounts[one]) for one in ("rennes", "portal"))


def test_before_a_weekend_the_usual_day_is_monday(browse: Browse, stage: Stage):
    stage.clock.at = stage.clock.at.replace(day=6)

    assert value(browse("animator").get(NEW), "date") == ["2026-11-09"]


def test_the_kind_can_be_chosen_by_the_address(browse: Browse):
    assert value(browse("animator").get(f"{NEW}?genre=meeting"), "kind") == ["meeting"]


def test_who_writes_no_posts_is_told_so(browse: Browse):
    assert browse("analyst").get(NEW).status_code == 403


def test_a_copy_takes_everything_but_a_time_that_has_passed(browse: Browse, stage: Stage):
    browse("animator").post(NEW, typed(step="save", text="Une fois", link="https://example.org/a"))
    stage.clock.forward(days=30)

    page = browse("animator").get(f"{NEW}?comme=1")

    assert (text_of(page), value(page, "link")) == ("Une fois", ["https://example.org/a"])
    assert (value(page, "date"), value(page, "post"), value(page, "version")) == (["2026-12-03"], [""], [""])


def test_nobody_copies_a_post_that_they_may_not_see(browse: Browse):
    browse("animator").post(NEW, typed(step="save"))

    assert browse("stranger").get(f"{NEW}?comme=1").status_code == 404


# --- Saving and handing in --------------------------------------------------------------------------------


def test_a_draft_is_saved_as_typed(browse: Browse, stage: Stage):
    told = typed(step="save", text="Bonjour\r\n\r\n  à tous ", kind="event", timing_0_date="2026-11-14")
    told |= {"timing-0-from": "14:00", "timing-0-to": "17:00", "venue": "CFA", "attendance": "on_site"}

    answer = browse("animator").post(NEW, told, follow=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/equipe/publications/1")
    [(_number, draft)] = drafts(stage)
    assert (draft.text, draft.audience) == ("Bonjour\n\n  à tous ", ["A-14"])
    assert draft.event is not None
    assert draft.event.timings[0].begin.isoformat() == "2026-11-14T14:00:00"
    assert draft.accounts == sorted(str(stage.accounts[one]) for one in ("rennes", "portal"))


def test_a_post_is_handed_in_at_once(browse: Browse, stage: Stage):
    browse("animator").post(NEW, typed(step="submit"), follow=False)

    assert post(stage).state is PostState.SUBMITTED


def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(browse: Browse, stage: Stage):
    page = browse("animator").post(NEW, typed(step="save", text="{ville} & <co>", date="2020-01-01", link="ici"))

    assert page.status_code == 422
    # All at once, what only the rules know too: nobody mends in rounds.
    assert [field for field, _text in problems(page)] == ["link", "text", "date"]
    assert (text_of(page), value(page, "link"), value(page, "date")) == ("{ville} & <co>", ["ici"], ["2020-01-01"])
    assert drafts(stage) == []


def test_what_only_the_rules_know_stands_at_its_field_too(browse: Browse):
    page = browse("animator").post(NEW, typed(step="save", text="{ville}", date="2020-01-01"))

    assert problems(page) == [
        ("text", "Unknown variable {ville}. You may write {academie} and {territoire}."),
        ("date", "01/01/2020 18:00 has passed. Choose a later time."),
    ]
    assert 'id="text-wrong"' in page.text
    assert 'id="date-wrong"' in page.text


def test_an_empty_event_tells_of_its_past_moment_in_the_same_round(browse: Browse):
    told = typed(step="save", kind="event", text="", date="2020-01-01") | {"venue": "CFA"}

    page = browse("animator").post(NEW, told)

    assert [field for field, _text in problems(page)] == ["text", "timing-0-date", "date"]


def test_an_address_that_is_none_is_told_in_our_own_words(browse: Browse):
    told = typed(step="save", kind="event", timing_0_date="2026-11-14")
    told |= {"timing-0-from": "14:00", "timing-0-to": "17:00", "attendance": "on_site", "registration-email": "x@"}

    page = browse("animator").post(NEW, told)

    assert problems(page) == [
        ("registration-email", "This is not an e-mail address. It should look like name@example.org.")
    ]


def test_a_post_that_cannot_be_handed_in_is_saved_as_a_draft(browse: Browse, stage: Stage):
    browser = browse("animator")
    page = browser.post(NEW, typed(step="submit", audience=["D-35"], account=[str(stage.accounts["x"])]))

    assert page.status_code == 422
    assert [field for field, _text in problems(page)] == ["account"]
    assert "What you typed is saved as a draft." in seen(page)
    assert post(stage).state is PostState.DRAFT
    assert 'action="/equipe/publications/1/modifier"' in page.text
    assert value(page, "version") == ["1"]


def test_the_same_words_twice_are_asked_about_once(browse: Browse, stage: Stage):
    browser = browse("animator")
    browser.post(NEW, typed(step="submit"))
    stage.clock.forward(minutes=1)
    coordinator = browse("coordinator")
    with reading(stage.hub.engine) as session:
        assert session.get(Post, 1) is not None
    _approve(stage, 1)

    asked = browser.post(NEW, typed(step="submit", sheet="1" * 32))
    assert 'name="confirm-repeats"' in asked.text
    browser.post("/equipe/publications/2/modifier", typed(step="submit", version="1", confirm_repeats="1"))

    assert coordinator is not browser
    assert post(stage, 2).state is PostState.SUBMITTED


def _approve(stage: Stage, post_id: int) -> None:
    from tests.services.desk import Desk

    Desk(stage, stage.hub.terms).approve(post_id)


def test_a_form_sent_twice_becomes_one_post(browse: Browse, stage: Stage):
    browser = browse("animator")
    told = typed(step="save", sheet="a" * 32)

    browser.post(NEW, told, follow=False)
    again = browser.post(NEW, told | {"text": "Mieux dit"}, follow=False)

    assert again.headers["location"] == "/equipe/publications/1"
    assert [draft.text for _number, draft in drafts(stage)] == ["Mieux dit"]


def test_no_territory_at_all_is_refused(browse: Browse):
    page = browse("animator").post(NEW, typed(step="save", audience=[]))

    assert problems(page) == [("audience", "Choose at least one territory.")]


def test_a_missing_hour_is_refused_with_its_reason(browse: Browse):
    page = browse("animator").post(NEW, typed(step="save", date="2027-03-28", time="02:30"))

    [(field, sentence)] = problems(page)
    assert field == "date"
    assert "does not exist in Paris: clocks go forward that night." in sentence


def test_a_doubled_hour_is_asked_about(browse: Browse, stage: Stage):
    browser = browse("animator")

    asked = browser.post(NEW, typed(step="save", date="2027-10-31", time="02:30"))
    browser.post(NEW, typed(step="save", date="2027-10-31", time="02:30", fold="later"))

    assert [field for field, _sentence in problems(asked)] == ["fold"]
    assert "Which of the two hours?" in seen(asked)
    assert [draft.fold for _number, draft in drafts(stage)] == ["later"]


# --- Small steps without a module -------------------------------------------------------------------------


def test_a_step_gives_the_page_back_as_typed_and_writes_no_post(browse: Browse, stage: Stage):
    page = browse("animator").post(NEW, typed(step="preview", text="Un brouillon\n<b>", link="https://example.org/"))

    assert page.status_code == 200
    assert (text_of(page), problems(page), drafts(stage)) == ("Un brouillon\n<b>", [], [])


def test_a_date_is_added_and_removed(browse: Browse):
    browser = browse("animator")
    one = typed(kind="event", timing_0_date="2026-11-14", timing_0_from="14:00", timing_0_to="17:00")

    two = browser.post(NEW, one | {"step": "add-timing"})
    none = browser.post(NEW, one | {"step": "drop-timing:0"})

    assert (value(two, "timing-0-date"), value(two, "timing-1-date")) == (["2026-11-14"], [""])
    assert (value(none, "timing-0-date"), value(none, "timing-1-date")) == ([""], [])


def test_a_quick_pick_sets_the_audience_and_its_accounts_follow(browse: Browse, stage: Stage):
    told = typed(step="pick:FR", account=[str(stage.accounts["rennes"]), str(stage.accounts["portal"])])
    told["proposed"] = told["account"]

    page = browse("animator").post(NEW, told)

    assert value(page, "audience") == ["FR"]
    assert set(value(page, "account")) == {str(stage.accounts["national"]), str(stage.accounts["portal"])}


def test_what_somebody_added_to_the_proposed_accounts_or_left_out_stays_so(browse: Browse, stage: Stage):
    rennes, portal, x = (str(stage.accounts[one]) for one in ("rennes", "portal", "x"))
    told = typed(step="pick:FR", account=[rennes, x]) | {"proposed": [rennes, portal]}

    page = browse("animator").post(NEW, told)

    assert set(value(page, "account")) == {str(stage.accounts["national"]), x}


def test_the_place_is_searched_and_sets_the_clock_of_the_event(browse: Browse):
    browser = browse("animator")

    found = browser.post(NEW, typed(kind="event", step="find-commune", commune_query="Cayenne"))
    chosen = browser.post(NEW, typed(kind="event", step="preview", commune="97302@America/Cayenne"))

    assert 'value="97302@America/Cayenne"' in found.text
    assert value(chosen, "commune") == ["97302"]
    assert '<option value="America/Cayenne" selected>' in chosen.text


def test_a_commune_is_found_for_the_audience(browse: Browse):
    browser = browse("animator")

    found = browser.post(NEW, typed(step="find-territory", audience_query="35238"))
    chosen = browser.post(NEW, typed(step="preview", audience=["C-35238"]))

    assert '<input type="checkbox" name="audience" value="C-35238">' in found.text
    assert value(chosen, "audience") == ["C-35238"]


def test_own_words_of_an_account_are_kept_beside_it(browse: Browse, stage: Stage):
    rennes = str(stage.accounts["rennes"])
    told = typed(account=[rennes]) | {f"variant-{rennes}": "Ici, à Rennes"}
    browser = browse("animator")

    page = browser.post(NEW, told | {"step": "preview"})
    browser.post(NEW, told | {"step": "save"})

    assert text_of(page, f"variant-{rennes}") == "Ici, à Rennes"
    assert [draft.variants for _number, draft in drafts(stage)] == [{rennes: "Ici, à Rennes"}]


# --- Pictures -------------------------------------------------------------------------------------------


def test_a_picture_is_sent_with_the_form_and_waits_for_its_words(browse: Browse, stage: Stage):
    browser = browse("animator")

    asked = browser.post(NEW, typed(step="save"), files={"picture-file": a_picture()})
    [media] = value(asked, "picture-0-id")
    browser.post(NEW, typed(step="save", picture_0_id=media, picture_0_alt="Une façade"))

    assert [field for field, _sentence in problems(asked)] == ["picture-0-alt"]
    with reading(stage.hub.engine) as session:
        assert [(one.media_id, one.alt) for one in session.exec(select(PostMedia))] == [(media, "Une façade")]


def test_pictures_move_and_go(browse: Browse):
    browser = browse("animator")
    two = typed(picture_0_id="a" * 64, picture_0_alt="Un", picture_1_id="b" * 64, picture_1_alt="Deux")

    moved = browser.post(NEW, two | {"step": "up-picture:1"})
    gone = browser.post(NEW, two | {"step": "drop-picture:0"})

    assert (value(moved, "picture-0-alt"), value(moved, "picture-1-alt")) == (["Deux"], ["Un"])
    assert (value(gone, "picture-0-alt"), value(gone, "picture-1-alt")) == (["Deux"], [])


def test_what_is_no_picture_is_refused_by_name_and_the_rest_is_kept(browse: Browse):
    files = [("picture-file", ("notes.txt", b"no picture", "text/plain")), ("picture-file", a_picture())]

    page = browse("animator").post(NEW, typed(step="upload", text="Gardé"), files=files)

    [(field, sentence)] = problems(page)
    assert (field, sentence.startswith("notes.txt: This file is not a picture")) == ("picture-file", True)
    assert (len(value(page, "picture-0-id")) + len(value(page, "picture-1-id")), text_of(page)) == (1, "Gardé")


def test_a_fifth_picture_is_refused(browse: Browse):
    files = [("picture-file", a_picture(colour)) for colour in ("red", "green", "blue", "white", "black")]

    page = browse("animator").post(NEW, typed(step="upload"), files=files)

    assert problems(page) == [("picture-file", "A post takes 4 pictures at most.")]
    assert [len(value(page, f"picture-{row}-id")) for row in range(5)] == [1, 1, 1, 1, 0]


def test_a_picture_sent_by_the_module_can_be_looked_at_by_staff_only(browse: Browse):
    browser = browse("animator")

    kept = browser.post("/equipe/publications/images", files={"file": a_picture()}).json()

    assert (kept["width"], kept["height"]) == (40, 30)
    shown = browser.get(f"/equipe/publications/images/{kept['id']}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert browse().get(f"/equipe/publications/images/{kept['id']}", follow=False).status_code == 303
    assert browser.get(f"/equipe/publications/images/{'0' * 64}").status_code == 404


# --- Preview --------------------------------------------------------------------------------------------


def test_the_preview_shows_final_words_limits_times_and_lengths(browse: Browse, stage: Stage):
    told = typed(text="Venez à {territoire}", audience=["D-35"], step="preview")

    page = seen(browse("animator").post(NEW, told))

    assert page.count("Venez à Ille-et-Vilaine") == 2
    assert "Limit Ille-et-Vilaine" in page
    assert "Goes out Tue 10 Nov, 18:00 in Paris" in page
    assert "Length 23 / " in page


def test_the_preview_of_x_tells_its_cost_and_asks_for_consent(browse: Browse, stage: Stage):
    told = typed(account=[str(stage.accounts["x"])], link="https://example.org/", step="preview")

    asked = browse("animator").post(NEW, told)
    agreed = browse("animator").post(NEW, told | {"accepts-unlimited": "1"})

    assert "cannot limit a post to a territory" in seen(asked)
    assert 'name="accepts-unlimited"' in asked.text
    assert "cannot limit a post to a territory" not in seen(agreed)
    assert "Limit no limit: everybody sees it" in seen(agreed)
    assert "Cost $0.20" in seen(agreed)


def test_local_times_are_spelled_out_beside_paris(browse: Browse):
    page = seen(browse("coordinator").post(NEW, typed(audience=["A-32", "A-14"], step="preview")))

    assert "18:00 in Pointe-à-Pitre = 10 Nov 23:00 in Paris" in page
    assert "18:00 in Paris 18:00 in Pointe-à-Pitre" in page


def test_an_unfinished_post_is_previewed_as_far_as_it_goes(browse: Browse):
    page = seen(browse("animator").post(NEW, typed(kind="event", venue="CFA", step="preview", text="Déjà écrit")))

    assert "One thing is still missing: Say when it takes place, or leave out place and registration too." in page
    assert page.count("Déjà écrit") == 3


def test_the_module_gets_pieces_of_the_page(browse: Browse, stage: Stage):
    answer = browse("animator").post("/equipe/publications/apercu", typed(step="pick:D-35"))

    places = re.findall(r'<div data-place="([^"]+)">', answer.text)
    assert places[:6] == ["look", "counters", "audience-told", "when-told", "confirm", "pictures"]
    assert places[-1] == "accounts"
    assert "<html" not in answer.text
    assert drafts(stage) == []


# --- Kept as typed --------------------------------------------------------------------------------------


def sheets(stage: Stage) -> list[Sheet]:
    """All sheets."""
    with reading(stage.hub.engine) as session:
        return list(session.exec(select(Sheet)))


def test_what_is_typed_is_kept_and_gone_on_with(browse: Browse, stage: Stage):
    browser = browse("animator")

    kept = browser.post("/equipe/feuilles", typed(sheet="a" * 32, text="À moitié\r\nécrit", date="bientôt"))
    page = browser.get(f"{NEW}?feuille={'a' * 32}")

    assert kept.json() == {"at": "12:00"}
    assert (text_of(page), value(page, "date"), value(page, "sheet")) == ("À moitié\nécrit", ["bientôt"], ["a" * 32])
    assert [name for name, _text in sheets(stage)[0].fields if name in {"csrf", "sheet", "step"}] == []


def test_what_was_left_is_offered_again_until_it_is_thrown_away(browse: Browse):
    browser = browse("animator")
    browser.post("/equipe/feuilles", typed(sheet="a" * 32, text="À moitié écrit"))

    offered = seen(browser.get(NEW))
    browser.post(f"/equipe/feuilles/{'a' * 32}/oublier")

    assert "You began this and did not finish it: À moitié écrit" in offered
    assert "À moitié écrit" not in seen(browser.get(NEW))


def test_a_saved_form_is_not_offered_again(browse: Browse, stage: Stage):
    browser = browse("animator")
    browser.post("/equipe/feuilles", typed(sheet="a" * 32))
    browser.post(NEW, typed(sheet="a" * 32, step="save"), follow=False)

    assert [one.fields for one in sheets(stage)] == [[]]
    assert "You began this" not in seen(browser.get(NEW))


def test_a_refused_form_is_kept_as_typed(browse: Browse, stage: Stage):
    browse("animator").post(NEW, typed(sheet="a" * 32, step="save", link="ici"))

    assert dict(sheets(stage)[0].fields)["link"] == "ici"


def test_nobody_goes_on_with_the_form_of_somebody_else(browse: Browse):
    browse("animator").post("/equipe/feuilles", typed(sheet="a" * 32))

    assert browse("colleague").get(f"{NEW}?feuille={'a' * 32}").status_code == 404


def test_what_was_typed_survives_the_end_of_the_session(browse: Browse):
    answer = browse().post(NEW, typed(step="save", text="Encore là"))

    assert answer.status_code == 401
    assert 'name="garde:text" value="Encore là"' in answer.text


# --- Changing ---------------------------------------------------------------------------------------------


@pytest.fixture
def animator(browse: Browse) -> Browser:
    """The animator, who has saved one draft."""
    browser = browse("animator")
    browser.post(NEW, typed(step="save"), follow=False)
    return browser


EDIT = "/equipe/publications/1/modifier"


def test_a_post_is_changed_where_it_was(animator: Browser, stage: Stage):
    page = animator.get(EDIT)
    animator.post(EDIT, typed(step="save", text="Autrement", version=value(page, "version")[0]), follow=False)

    assert text_of(page) == "Portes ouvertes"
    assert (post(stage).text, post(stage).version) == ("Autrement", 2)


def test_saving_without_a_change_takes_no_approval_back(animator: Browser, stage: Stage):
    chosen = [str(stage.accounts["rennes"]), str(stage.accounts["portal"])]
    animator.post(EDIT, typed(step="submit", version="1", account=chosen), follow=False)
    _approve(stage, 1)

    page = animator.get(EDIT)
    animator.post(EDIT, typed(step="save", version="1", account=chosen), follow=False)

    assert "This post is approved. Saving a change takes the approval back" in seen(page)
    assert (post(stage).state, post(stage).version) == (PostState.APPROVED, 1)


def test_a_change_of_an_approved_post_takes_the_approval_back(animator: Browser, stage: Stage):
    animator.post(EDIT, typed(step="submit", version="1"), follow=False)
    _approve(stage, 1)

    animator.post(EDIT, typed(step="save", version="1", text="Autrement"), follow=False)

    assert (post(stage).state, post(stage).version) == (PostState.DRAFT, 2)


def test_two_who_write_at_once_meet_both_versions(animator: Browser, browse: Browse, stage: Stage):
    browse("colleague").post(EDIT, typed(step="save", version="1", text="Le sien"), follow=False)

    page = animator.post(EDIT, typed(step="save", version="1", text="Le mien"))

    assert page.status_code == 409
    assert "Colleague changed this post while you were writing" in seen(page)
    assert re.findall(r"<del>(.*?)</del>|<ins>(.*?)</ins>", page.text) == [("sien", ""), ("", "mien")]
    assert (text_of(page), value(page, "version")) == ("Le mien", ["2"])
    assert post(stage).text == "Le sien"


def test_whoever_keeps_their_own_version_saves_it_on_top(animator: Browser, browse: Browse, stage: Stage):
    browse("colleague").post(EDIT, typed(step="save", version="1", text="Le sien"), follow=False)
    animator.post(EDIT, typed(step="save", version="1", text="Le mien"))

    animator.post(EDIT, typed(step="save", version="2", text="Le mien"), follow=False)

    assert (post(stage).text, post(stage).version) == ("Le mien", 3)


def test_whoever_takes_the_other_version_sees_it(animator: Browser, browse: Browse):
    browse("colleague").post(EDIT, typed(step="save", version="1", text="Le sien"), follow=False)
    sheet = "b" * 32
    animator.post(EDIT, typed(step="save", version="1", text="Le mien", sheet=sheet))

    page = animator.post(f"/equipe/feuilles/{sheet}/oublier", {"post": "1"})

    assert text_of(page) == "Le sien"
    assert "Le mien" not in page.text


def test_a_post_of_others_is_not_there(animator: Browser, browse: Browse):
    stranger = browse("stranger")

    assert stranger.get(EDIT).status_code == 404
    assert stranger.post(EDIT, typed(step="save", version="1")).status_code == 404


def test_a_post_that_went_out_is_copied_instead(animator: Browser, browse: Browse, stage: Stage):
    animator.post(EDIT, typed(step="submit", version="1"), follow=False)
    _approve(stage, 1)
    stage.clock.forward(days=9)
    stage.run_due()

    answer = browse("animator").get(EDIT, follow=False)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{NEW}?comme=1")


def test_a_post_that_goes_out_while_one_writes_loses_nothing(animator: Browser, browse: Browse, stage: Stage):
    animator.post(EDIT, typed(step="submit", version="1"), follow=False)
    _approve(stage, 1)
    stage.clock.forward(days=9)
    stage.run_due()

    page = browse("animator").post(EDIT, typed(step="save", version="1", text="Trop tard", date="2026-12-01"))

    assert page.status_code == 409
    assert text_of(page) == "Trop tard"
    assert 'action="/equipe/publications/nouvelle"' in page.text
    assert "it cannot change any more. Make a copy of it instead." in seen(page)


def test_every_account_keeps_its_choice(animator: Browser, stage: Stage):
    page = animator.get(EDIT)

    with reading(stage.hub.engine) as session:
        chosen = sorted(str(one.account_id) for one in session.exec(select(PostDestination)))
    assert sorted(value(page, "account")) == chosen


def test_sheets_of_the_page_have_good_names(animator: Browser):
    [name] = value(animator.get(NEW), "sheet")

    assert re.fullmatch("[0-9a-f]{32}", name)
    assert name != sketching.new_id()
