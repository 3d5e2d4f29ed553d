"""A Facebook page as the hub sees it: the real facebook-sdk against the sandbox."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from channels import facebook_reading
from channels.base import (
    FREE,
    Asked,
    AskedOfPage,
    Blocked,
    Breadth,
    ChannelError,
    Deadline,
    Figure,
    Finding,
    Light,
    Message,
    Pace,
    PageFigure,
    Picture,
    Prepared,
    Receipt,
    Refused,
    Targeting,
    Throttled,
    Unauthorized,
    Uncertain,
    UnitKind,
    Unreachable,
)
from channels.facebook import FacebookRules, exchange_user_token, list_pages
from channels.facebook_calls import CODES, EITHER, _said, meaning
from channels.sandbox import faults
from channels.sandbox.faults import Fault, graph_error, named
from tests.channels.facebook_stage import BRETAGNE, NOON, PAGE_ID, PNG, SECRET, PageStage
from tests.channels.factories import OF_FACEBOOK

LINK = "https://ij.example/l/k7"
HELLO = Message("Portes ouvertes au lycée", key="k7", link=LINK)
GATED = replace(HELLO, targeting=BRETAGNE)
CREATE = "/feed$"


def mistake(call: Callable[[], object]) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        call()
    return caught.value


# --- Saying it --------------------------------------------------------------------------------------


def test_a_post_without_a_limit_is_made_by_one_call(page: PageStage) -> None:
    receipt = page.publish(HELLO)

    (post,) = page.posts
    assert (post["message"], post["link"], post["targeting"]) == (HELLO.text, LINK, None)
    assert receipt.remote_id == post["id"]
    assert receipt.url == f"https://www.facebook.com/111/posts/{post['number']}"
    assert receipt.posted_at == NOON
    assert receipt.trace_id
    assert [call.method for call in page.sandbox.calls] == ["POST"]


def test_pictures_go_up_unseen_and_then_into_one_post_whose_text_ends_with_the_link(page: PageStage) -> None:
    page.publish(replace(HELLO, pictures=(PNG, PNG)))

    (post,) = page.posts
    assert post["message"] == f"{HELLO.text}\n\n{LINK}"
    assert post["link"] is None
    photos = page.sandbox.graph.all_photos()
    assert [photo["id"] for photo in photos] == post["media"]
    assert [(photo["alt"], photo["size"]) for photo in photos] == [(PNG.alt, len(PNG.data))] * 2


def test_one_picture_takes_the_same_way_as_several(page: PageStage) -> None:
    page.publish(Message("Une photo", key="k1", pictures=(PNG,)))

    assert [call.path for call in page.sandbox.calls] == ["/v26.0/111/photos", "/v26.0/111/feed"]
    assert len(page.posts) == 1


def test_in_two_steps_every_post_is_first_unseen(page: PageStage) -> None:
    channel = page.another(two_step=True)

    prepared = channel.prepare(HELLO)

    assert (page.posts, len(page.kept)) == ([], 1)
    channel.publish(prepared, Deadline.after(5))
    assert len(page.posts) == 1
    channel.close()


# --- The gate ---------------------------------------------------------------------------------------


def test_a_gated_post_is_prepared_unseen_with_its_targeting(page: PageStage) -> None:
    prepared = page.channel.prepare(GATED)

    (draft,) = page.kept
    assert page.posts == []
    assert prepared.draft_id == draft["id"]
    assert draft["targeting"] == {"geo_locations": {"regions": [{"key": "3001"}], "zips": [{"key": "FR:56000"}]}}


def test_a_gated_post_is_published_by_one_call_on_its_draft(page: PageStage) -> None:
    prepared = page.channel.prepare(GATED)
    page.sandbox.calls.clear()

    receipt = page.channel.publish(prepared, Deadline.after(5))

    posting = [call.path for call in page.sandbox.calls if call.method == "POST"]
    assert posting == [f"/v26.0/{prepared.draft_id}"]
    assert [post["id"] for post in page.posts] == [receipt.remote_id] == [prepared.draft_id]


@pytest.mark.parametrize("targeting", [BRETAGNE, Targeting(countries=("FR",)), Targeting(cities=("7", "8"))])
def test_targeting_is_also_known_in_its_flat_shape(page: PageStage, targeting: Targeting) -> None:
    page.sandbox.graph.posts.flat_targeting = True

    page.publish(replace(HELLO, targeting=targeting))

    assert len(page.posts) == 1
    assert page.channel.find(replace(HELLO, targeting=targeting), NOON)


def test_a_draft_whose_targeting_was_lost_is_removed_and_nothing_is_shown(page: PageStage) -> None:
    page.play(named("drop_targeting"))

    error = mistake(lambda: page.channel.prepare(GATED))

    assert isinstance(error, Refused)
    assert error.code == "targeting_lost"
    assert page.kept == []


def test_a_draft_with_another_targeting_is_not_gone_on_with(page: PageStage) -> None:
    draft_id = page.channel.prepare(replace(GATED, targeting=Targeting(countries=("FR",)))).draft_id

    error = mistake(lambda: page.channel.prepare(replace(GATED, draft_id=draft_id)))

    assert isinstance(error, Refused)
    assert page.kept == []


@pytest.mark.parametrize("flat", [False, True])
def test_a_draft_for_another_place_of_the_same_kind_is_not_gone_on_with(page: PageStage, flat: bool) -> None:
    page.sandbox.graph.posts.flat_targeting = flat
    draft_id = page.channel.prepare(replace(GATED, targeting=replace(BRETAGNE, zips=("FR:56100",)))).draft_id

    error = mistake(lambda: page.channel.prepare(replace(GATED, draft_id=draft_id)))

    assert isinstance(error, Refused)
    assert page.kept == []


@pytest.mark.parametrize(
    ("targeting", "pairs"),
    [
        (None, set()),
        ("odd", set()),
        ({"geo_locations": None}, set()),
        ({"geo_locations": {"zips": [], "location_types": ["home"]}}, set()),
        ({"location_types": ["home"], "countries": ["FR", "BE"]}, {("countries", "FR"), ("countries", "BE")}),
        ({"geo_locations": {"countries": "FR"}, "age_min": 18}, {("countries", "FR"), ("age_min", "18")}),
        (
            {"geo_locations": {"regions": [{"key": "1", "name": "R"}, {"key": 2}], "cities": [{"name": "?"}]}},
            {("regions", "1"), ("regions", "2"), ("cities", "None")},
        ),
    ],
)
def test_targeting_compares_by_kind_and_key_in_either_shape(targeting: Any, pairs: set[tuple[str, str]]) -> None:
    assert facebook_reading.kept(targeting) == pairs


def test_a_gated_message_without_its_draft_is_never_published(page: PageStage) -> None:
    error = mistake(lambda: page.channel.publish(Prepared(GATED), Deadline.after(5)))

    assert isinstance(error, Refused)
    assert page.kept == []


def test_an_overlap_of_places_is_refused(page: PageStage) -> None:
    page.sandbox.graph.add_places([{"key": "3001", "name": "Région Exemple", "type": "region", "country_code": "FR"}])

    error = mistake(lambda: page.channel.prepare(replace(HELLO, targeting=Targeting(("FR",), ("3001",)))))

    assert isinstance(error, Refused)
    assert error.code == "100/1487756"


def test_a_known_draft_is_gone_on_with(page: PageStage) -> None:
    draft_id = page.channel.prepare(GATED).draft_id

    assert page.channel.prepare(replace(GATED, draft_id=draft_id)).draft_id == draft_id
    assert len(page.kept) == 1


def test_a_draft_that_is_gone_makes_room_for_a_new_one(page: PageStage) -> None:
    draft_id = page.channel.prepare(GATED).draft_id
    assert draft_id
    page.channel.remove(Receipt(draft_id))

    again = page.channel.prepare(replace(GATED, draft_id=draft_id))

    assert again.draft_id != draft_id
    assert len(page.kept) == 1


def test_a_draft_that_was_published_meanwhile_answers_its_receipt(page: PageStage) -> None:
    receipt = page.publish(GATED)
    page.pass_time(timedelta(minutes=5))

    again = page.publish(replace(GATED, draft_id=receipt.remote_id))

    assert (again.remote_id, again.posted_at) == (receipt.remote_id, NOON)
    assert len(page.posts) == 1


def test_a_draft_that_vanished_before_publishing_was_surely_not_shown(page: PageStage) -> None:
    prepared = page.channel.prepare(GATED)
    assert prepared.draft_id
    page.channel.remove(Receipt(prepared.draft_id))

    assert isinstance(mistake(lambda: page.channel.publish(prepared, Deadline.after(5))), Unreachable)


def test_a_published_draft_stays_published_when_its_address_cannot_be_read(page: PageStage) -> None:
    prepared = page.channel.prepare(GATED)
    page.play(faults.html(502, method="GET"))

    receipt = page.channel.publish(prepared, Deadline.after(5))

    assert receipt == Receipt(
        str(prepared.draft_id), f"https://www.facebook.com/{prepared.draft_id}", trace_id=receipt.trace_id
    )


def test_a_draft_of_an_earlier_try_that_nobody_sees_yet_is_published(page: PageStage) -> None:
    draft_id = page.channel.prepare(GATED).draft_id

    receipt = page.publish(replace(GATED, draft_id=draft_id))

    assert [post["id"] for post in page.posts] == [receipt.remote_id] == [draft_id]


def test_a_draft_that_cannot_be_read_yet_is_tried_again(page: PageStage) -> None:
    page.play(graph_error(100, 33, method="GET"))

    assert isinstance(mistake(lambda: page.channel.prepare(GATED)), Unreachable)
    assert page.posts == []


def test_a_draft_that_facebook_refuses_to_publish_is_refused(page: PageStage) -> None:
    prepared = page.channel.prepare(GATED)
    page.play(graph_error(368, 1404082, method="POST"))

    assert isinstance(mistake(lambda: page.channel.publish(prepared, Deadline.after(5))), Refused)


@pytest.mark.parametrize("answer", [{"success": False}, {"success": "true"}, {}, {"id": "111_1"}])
def test_a_draft_is_only_published_when_facebook_says_so(page: PageStage, answer: dict[str, Any]) -> None:
    prepared = page.channel.prepare(GATED)
    page.play(faults.answer(answer, status=200, method="POST"))

    assert isinstance(mistake(lambda: page.channel.publish(prepared, Deadline.after(5))), Uncertain)


def test_a_draft_that_cannot_be_removed_is_refused_all_the_same(page: PageStage) -> None:
    page.play(named("drop_targeting"), named("html_502", method="DELETE"))

    assert isinstance(mistake(lambda: page.channel.prepare(GATED)), Refused)
    assert page.posts == []


def test_a_post_that_is_seen_too_early_with_the_wrong_limit_is_taken_down(page: PageStage) -> None:
    page.publish(HELLO)
    (post,) = page.posts
    page.play(faults.answer({"id": post["id"]}, status=200, path=CREATE))

    assert isinstance(mistake(lambda: page.channel.prepare(GATED)), Refused)
    assert page.posts == []


def test_a_link_alone_is_a_post(page: PageStage) -> None:
    receipt = page.publish(Message("", key="k7", link=LINK))

    assert [(post["message"], post["link"]) for post in page.posts] == [("", LINK)]
    assert [one.remote_id for one in page.channel.find(Message("", key="k7", link=LINK), NOON)] == [receipt.remote_id]


# --- What goes wrong: every row of the table of codes -----------------------------------------------

TEMPORARY = [(1, None), (1, 99), (2, None), (1363047, None), (100, 1363047), (1609010, None), (100, 1609010)]
TEMPORARY += [(506, None)]
RATE = [(4, None), (17, None), (17, 2446079), (32, None), (341, None), (613, None), (613, 1996), (80001, None)]
RATE += [(80002, None)]
AUTHORISATION = [(3, None), (10, None), (102, None), (104, None), (190, None), (190, 2069032)]
AUTHORISATION += [(190, subcode) for subcode in (458, 459, 460, 463, 464, 467, 490, 492)]
AUTHORISATION += [(200, None), (210, None), (240, None), (283, None), (294, None), (299, None)]
AUTHORISATION += [(100, 1404078), (1404078, None), (100, 4854002), (4854002, None)]
BLOCK = [(368, None), (368, 1390008), (100, 1404112), (1404112, None)]
CONTENT = [(200, 1609008), (368, 1404082), (100, 1404102), (1404102, None), (100, 1346003), (1346003, None)]
CONTENT += [(100, None), (100, 1487756), (100, 33), (803, None), (2500, None), (324, None), (324, 2069019)]
CONTENT += [(100, 1366046), (1366046, None), (100, 1366051), (1366051, None), (382, None), (389, None), (6000, None)]
CONTENT += [(6001, None), (6000, 1363019), (1500, None), (100, 2061006), (2061006, None), (1404082, None)]
CONTENT += [(number, None) for number in range(1363019, 1363047)] + [(1609008, None)]
CONTENT += [(100, 1609005), (1609005, None), (960, None), (2635, None), (3001, None), (3001, 1504028)]

TABLE: list[tuple[int, int | None, type[ChannelError]]] = [
    *((code, subcode, Uncertain) for code, subcode in TEMPORARY),
    *((code, subcode, Throttled) for code, subcode in RATE),
    *((code, subcode, Unauthorized) for code, subcode in AUTHORISATION),
    *((code, subcode, Blocked) for code, subcode in BLOCK),
    *((code, subcode, Refused) for code, subcode in CONTENT),
]


def test_every_row_of_the_table_of_codes_is_tried() -> None:
    tried = {(code, subcode) for code, subcode, _ in TABLE}

    assert set(CODES) - tried == set()
    assert set(EITHER) - {number for pair in tried for number in pair} == set()


def test_what_nobody_knows_has_no_meaning_unless_it_will_pass() -> None:
    assert (meaning(77777, None), meaning(77777, 5, transient=True)) == (None, Uncertain)


NO_REASON = "The network reported an error without a reason."


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"error": {"error_user_msg": "Trop long.", "message": "(#100)", "code": 100}}, "Trop long."),
        ({"error": {"message": "(#100)", "code": 100}}, "(#100)"),
        ({"error": {"code": 100}}, NO_REASON),
        ({"error": "no"}, NO_REASON),
        ("no JSON", "no JSON"),
        (None, NO_REASON),
    ],
)
def test_an_error_is_told_in_the_words_that_are_meant_for_people(result: Any, words: str) -> None:
    assert _said(result).words == words


@pytest.fixture(scope="module")
def shared_page():
    from tests.channels.facebook_stage import on_page

    with on_page() as stage:
        yield stage


@pytest.mark.parametrize(("code", "subcode", "kind"), TABLE)
def test_a_code_says_what_to_do_next(
    shared_page: PageStage, code: int, subcode: int | None, kind: type[ChannelError]
) -> None:
    shared_page.play(graph_error(code, subcode, path=CREATE))

    error = mistake(lambda: shared_page.channel.publish(Prepared(HELLO), Deadline.after(5)))

    assert type(error) is kind
    assert error.code == (str(code) if subcode is None else f"{code}/{subcode}")
    assert str(error) == f"(#{code}) An error, as ordered"
    assert error.status == 400
    assert error.trace_id == "AordeREd"
    assert shared_page.kept == []


@pytest.mark.parametrize(("code", "subcode", "kind"), TABLE)
def test_the_same_code_on_a_call_that_shows_nothing_is_never_uncertain(
    shared_page: PageStage, code: int, subcode: int | None, kind: type[ChannelError]
) -> None:
    shared_page.play(graph_error(code, subcode, path="/published_posts$"))

    error = mistake(lambda: shared_page.channel.find(HELLO, NOON))

    assert type(error) is (Unreachable if kind is Uncertain else kind)
    assert str(error) == f"(#{code}) An error, as ordered"
    assert error.code == (str(code) if subcode is None else f"{code}/{subcode}")
    assert (error.status, error.trace_id) == (400, "AordeREd")


@pytest.mark.parametrize("code", [4, 100, 190, 368])
def test_a_known_code_wins_over_the_word_that_it_will_pass(page: PageStage, code: int) -> None:
    page.play(graph_error(code, transient=True, path=CREATE))

    error = mistake(lambda: page.publish(HELLO))

    assert not isinstance(error, Uncertain)


@pytest.mark.parametrize("code", [324, 77777])
def test_a_code_that_will_pass_is_uncertain(page: PageStage, code: int) -> None:
    page.play(graph_error(code, transient=True, path=CREATE))

    assert type(mistake(lambda: page.publish(HELLO))) is Uncertain


def test_a_code_that_nobody_knows_is_uncertain(page: PageStage) -> None:
    page.play(graph_error(77777, path=CREATE))

    assert type(mistake(lambda: page.publish(HELLO))) is Uncertain


def test_the_same_text_twice_in_a_row_is_uncertain_and_said_to_be_a_duplicate(page: PageStage) -> None:
    page.publish(HELLO)

    error = mistake(lambda: page.publish(HELLO))

    assert isinstance(error, Uncertain)
    assert (error.duplicate, error.code) == (True, "506")
    assert len(page.posts) == 1


def test_other_refusals_are_no_duplicates(page: PageStage) -> None:
    page.play(graph_error(1, path=CREATE))

    error = mistake(lambda: page.publish(HELLO))

    assert isinstance(error, Uncertain)
    assert error.duplicate is False


@pytest.mark.parametrize("status", [500, 503, 599])
@pytest.mark.parametrize("code", [4, 100, 190])
def test_a_5xx_is_uncertain_whatever_its_code_says(page: PageStage, status: int, code: int) -> None:
    page.play(graph_error(code, status=status, path=CREATE))

    assert type(mistake(lambda: page.publish(HELLO))) is Uncertain


def test_a_post_that_reached_nobody_was_not_sent(page: PageStage) -> None:
    page.sandbox.stop()

    error = mistake(lambda: page.publish(HELLO))

    assert isinstance(error, Unreachable)
    assert str(error).startswith("ConnectionError: ")
    assert (error.code, error.status) == (None, None)


# --- What goes wrong: answers that are none -----------------------------------------------------------

AFTER_THE_FACT = [
    "hang_up_after",
    "reset_after",
    "unavailable_after",
    "json_without_error",
    "empty_error",
    "html_502_after",
    "html_200_after",
    "unknown_after",
    "cut",
    "broken",
    "without_id",
]
BEFORE_THE_FACT = ["hang_up_before", "reset_before", "unavailable_before", "html_502", "redirect", "unknown"]


@pytest.mark.parametrize(
    ("name", "two_step"),
    # publishing a draft answers no id that could be missing
    [
        (name, two_step)
        for name in AFTER_THE_FACT
        for two_step in (False, True)
        if (name, two_step) != ("without_id", True)
    ],
)
def test_a_post_whose_answer_is_lost_is_uncertain_and_found_once(page: PageStage, name: str, two_step: bool) -> None:
    channel = page.another(two_step=two_step)
    prepared = channel.prepare(HELLO)
    page.play(named(name, method="POST"))

    error = mistake(lambda: channel.publish(prepared, Deadline.after(5)))

    assert type(error) is Uncertain
    assert len(page.posts) == 1
    found = channel.find(replace(HELLO, draft_id=prepared.draft_id), NOON)
    assert [receipt.remote_id for receipt in found] == [page.posts[0]["id"]]
    assert page.creating == 1
    channel.close()


@pytest.mark.parametrize("two_step", [False, True])
@pytest.mark.parametrize("name", BEFORE_THE_FACT)
def test_a_post_that_was_not_made_looks_just_as_uncertain_and_is_not_found(
    page: PageStage, name: str, two_step: bool
) -> None:
    channel = page.another(two_step=two_step)
    prepared = channel.prepare(HELLO)
    page.play(named(name, method="POST"))

    error = mistake(lambda: channel.publish(prepared, Deadline.after(5)))

    assert type(error) is Uncertain
    assert page.posts == []
    assert channel.find(replace(HELLO, draft_id=prepared.draft_id), NOON) == []
    channel.close()


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", ["", "null", "[]", "1", '"yes"', "{}", '{"id":""}', '{"id":null}', '{"error":"no"}'])
def test_an_odd_answer_is_uncertain(page: PageStage, status: int, body: str) -> None:
    page.play(Fault("answer", path=CREATE, status=status, body=body))

    assert type(mistake(lambda: page.publish(HELLO))) is Uncertain


def test_an_answer_that_does_not_say_what_it_is_is_uncertain(page: PageStage) -> None:
    page.play(Fault("answer", path=CREATE, status=200, body='{"id":"1"}', headers={"content-type": ""}))

    assert type(mistake(lambda: page.publish(HELLO))) is Uncertain


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_success_and_is_not_followed(page: PageStage, status: int) -> None:
    headers = {"location": f"{page.sandbox.url}/v26.0/111/feed"}
    page.play(Fault("answer", path=CREATE, status=status, body='{"id":"111_1"}', headers=headers))

    assert type(mistake(lambda: page.publish(HELLO))) is Uncertain
    assert len(page.sandbox.calls) == 1


def test_a_429_without_any_header_means_waiting(page: PageStage) -> None:
    page.play(named("too_many", path=CREATE))

    error = mistake(lambda: page.publish(HELLO))

    assert isinstance(error, Throttled)
    assert error.until is None


def test_a_post_that_shows_up_late_is_found_when_it_does(page: PageStage) -> None:
    page.play(named("late"))
    receipt = page.publish(HELLO)

    assert page.channel.find(HELLO, NOON) == []

    page.pass_time(timedelta(seconds=91))
    assert [one.remote_id for one in page.channel.find(HELLO, NOON)] == [receipt.remote_id]


def test_an_answer_that_never_comes_is_uncertain(page: PageStage) -> None:
    channel = page.another(timeouts=(1.0, 0.2))
    page.play(named("hang", path=CREATE))
    began = time.monotonic()

    assert type(mistake(lambda: channel.publish(Prepared(HELLO), Deadline.after(9)))) is Uncertain
    assert time.monotonic() - began < 4
    channel.close()


def test_an_answer_that_drips_ends_at_the_deadline(page: PageStage) -> None:
    page.play(Fault("drip", path=CREATE, seconds=0.1))
    began = time.monotonic()

    error = mistake(lambda: page.publish(HELLO, seconds=0.4))

    assert type(error) is Uncertain
    assert time.monotonic() - began < 2
    assert len(page.posts) == 1


def test_a_reading_that_drips_ends_too(page: PageStage) -> None:
    channel = page.another(total=0.3)
    page.play(Fault("drip", seconds=0.1))

    assert isinstance(mistake(lambda: channel.find(HELLO, NOON)), Unreachable)
    channel.close()


@pytest.mark.parametrize("body", ["{}", '{"data":null}', '{"error":{}}', '{"data":{}}'])
def test_a_list_that_is_none_is_not_taken_for_an_empty_one(page: PageStage, body: str) -> None:
    page.play(Fault("answer", path="/published_posts$", status=200, body=body))

    error = mistake(lambda: page.channel.find(HELLO, NOON))

    assert (type(error), str(error)) == (Unreachable, "Facebook's answer holds no list.")


ODD = [
    {"data": [{"message": HELLO.text}]},
    {"data": [{"id": "1", "message": HELLO.text, "attachments": {"data": ["x"]}}]},
    {"data": [{"id": "1", "message": HELLO.text, "targeting": {"geo_locations": "x"}}]},
    {"data": [], "paging": "x"},
    {"data": [], "paging": {"next": "x", "cursors": ["x"]}},
]


@pytest.mark.parametrize("odd", ODD)
def test_a_list_of_an_odd_shape_was_not_read(page: PageStage, odd: dict[str, Any]) -> None:
    page.play(faults.answer(odd, status=200))

    assert isinstance(mistake(lambda: page.channel.find(Message(HELLO.text, key="k7"), NOON)), Unreachable)


def test_an_odd_answer_about_the_token_is_a_finding(page: PageStage) -> None:
    token = {"is_valid": True, "expires_at": 10**30, "scopes": [], "app_id": "900", "type": "PAGE"}
    page.play(faults.answer({"data": token}, status=200, path="/debug_token$"))

    assert checked(page, **WITH_APP) == [(Light.RED, "unreachable")]


def test_pages_of_an_odd_shape_connect_nobody(page: PageStage) -> None:
    page.play(faults.answer({"data": [{"access_token": "x"}]}, status=200))

    assert isinstance(mistake(lambda: list_pages(user_token="x", base_url=page.sandbox.url)), Unreachable)


@pytest.mark.parametrize("name", [*BEFORE_THE_FACT, "hang_up_after", "cut", "broken", "without_id"])
def test_preparing_may_always_be_repeated(page: PageStage, name: str) -> None:
    page.play(named(name, method="POST"))

    assert isinstance(mistake(lambda: page.channel.prepare(GATED)), Unreachable)

    page.publish(GATED)
    assert len(page.posts) == 1


def test_a_lost_picture_is_uploaded_again(page: PageStage) -> None:
    message = replace(HELLO, pictures=(PNG,))
    page.play(named("without_id", path="/photos$"))

    assert isinstance(mistake(lambda: page.channel.prepare(message)), Unreachable)

    page.publish(message)
    assert len(page.posts) == 1


def test_a_removal_without_an_answer_is_uncertain(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(named("hang_up_after", method="DELETE"))

    assert isinstance(mistake(lambda: page.channel.remove(receipt)), Uncertain)


def test_a_removal_without_a_yes_is_uncertain(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(faults.answer({"success": False}, status=200, method="DELETE"))

    assert isinstance(mistake(lambda: page.channel.remove(receipt)), Uncertain)


def test_a_removal_that_is_not_allowed_says_so(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(graph_error(100, method="DELETE"))

    assert isinstance(mistake(lambda: page.channel.remove(receipt)), Refused)


@pytest.mark.parametrize("answer", [{}, {"id": ""}, {"error": {}}])
def test_a_post_that_is_answered_without_its_id_was_not_read(page: PageStage, answer: dict[str, Any]) -> None:
    page.play(faults.answer(answer, status=200))

    assert isinstance(mistake(lambda: page.channel.find(replace(GATED, draft_id="111_1"), NOON)), Unreachable)


def test_a_post_that_may_not_be_read_is_not_taken_for_gone(page: PageStage) -> None:
    page.play(graph_error(100))

    assert isinstance(mistake(lambda: page.channel.find(replace(GATED, draft_id="111_1"), NOON)), Refused)


# --- How much use is left ---------------------------------------------------------------------------


def test_the_minutes_to_wait_are_told(page: PageStage) -> None:
    page.play(faults.usage(97, page=PAGE_ID, minutes=19))
    page.publish(HELLO)

    assert page.channel.pace.wait_until == NOON + timedelta(minutes=19)


def test_a_limit_says_until_when(page: PageStage) -> None:
    page.play(faults.usage(100, page=PAGE_ID, minutes=7), graph_error(80001, path=CREATE, after=True))

    error = mistake(lambda: page.publish(HELLO))

    assert isinstance(error, Throttled)
    assert error.until == NOON + timedelta(minutes=7)


@pytest.mark.parametrize("minutes", [1, 2])
def test_a_short_wait_is_heeded_too(page: PageStage, minutes: int) -> None:
    page.play(faults.usage(97, page=PAGE_ID, minutes=minutes))
    page.publish(HELLO)

    assert page.channel.pace.wait_until == NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize("what", ["call_count", "total_time", "total_cputime"])
@pytest.mark.parametrize("header", ["x-page-usage", "x-app-usage"])
def test_use_is_the_most_of_calls_time_and_work(page: PageStage, what: str, header: str) -> None:
    use = json.dumps({"call_count": 1, "total_time": 2, "total_cputime": 3} | {what: 95})
    page.play(Fault("headers", headers={header: use}))
    page.publish(HELLO)

    quarter = NOON + timedelta(minutes=15)
    own, whole = Pace(wait_until=quarter, slow_until=quarter), Pace(app_wait_until=quarter, app_slow_until=quarter)
    assert page.channel.pace == (own if header == "x-page-usage" else whole)


def test_full_use_without_minutes_waits_a_quarter_of_an_hour(page: PageStage) -> None:
    page.play(faults.usage(95, page=PAGE_ID))
    page.publish(HELLO)

    assert page.channel.pace.wait_until == NOON + timedelta(minutes=15)


def test_the_use_of_the_app_is_told_apart_from_that_of_the_page(page: PageStage) -> None:
    page.play(faults.usage(95))
    page.publish(HELLO)

    quarter = NOON + timedelta(minutes=15)
    assert page.channel.pace == Pace(app_wait_until=quarter, app_slow_until=quarter)


@pytest.mark.parametrize(
    ("percent", "gap"), [(74, None), (75, 5), (85, 32.5), (94, 57.25)], ids=["room", "first", "half-way", "last"]
)
def test_use_that_grows_keeps_calls_apart_before_it_stops_them(
    page: PageStage, percent: int, gap: float | None
) -> None:
    page.play(faults.usage(percent, page=PAGE_ID))
    page.publish(HELLO)

    quarter = NOON + timedelta(minutes=15)
    expected = FREE if gap is None else Pace(wait_until=NOON + timedelta(seconds=gap), slow_until=quarter)
    assert page.channel.pace == expected


def test_an_answer_that_tells_nothing_of_use_takes_back_nothing(page: PageStage) -> None:
    page.play(faults.usage(97, page=PAGE_ID, minutes=19))
    page.publish(HELLO)

    page.channel.check()

    assert page.channel.pace.wait_until == NOON + timedelta(minutes=19)


def test_with_room_left_there_is_no_waiting(page: PageStage) -> None:
    page.play(faults.usage(74))
    page.channel.check()

    assert page.channel.pace == FREE


@pytest.mark.parametrize(
    ("code", "breadth"),
    [(4, Breadth.APP), (341, Breadth.APP), (17, Breadth.ACCOUNT), (32, Breadth.ACCOUNT), (80001, Breadth.ACCOUNT)],
)
def test_a_limit_of_the_app_is_told_from_that_of_a_page(page: PageStage, code: int, breadth: Breadth) -> None:
    page.play(graph_error(code, path=CREATE))

    error = mistake(lambda: page.publish(HELLO))

    assert isinstance(error, Throttled)
    assert error.breadth is breadth


def test_without_a_readable_date_no_moment_is_invented(page: PageStage) -> None:
    page.play(faults.usage(97), Fault("headers", headers={"date": "one of these days"}))
    page.publish(HELLO)

    assert page.channel.pace.wait_until is None


@pytest.mark.parametrize("value", ["", "no JSON", "[]", '{"call_count":"97"}', "1", '{"111":97}', '{"111":[97]}'])
def test_odd_usage_headers_do_no_harm(page: PageStage, value: str) -> None:
    page.play(Fault("headers", headers={"x-app-usage": value, "x-business-use-case-usage": value}))
    page.publish(HELLO)

    assert page.channel.pace.wait_until is None


def test_an_odd_usage_header_hides_no_other(page: PageStage) -> None:
    page.play(faults.usage(95, page=PAGE_ID), Fault("headers", headers={"x-page-usage": "no JSON"}))
    page.publish(HELLO)

    assert page.channel.pace.wait_until == NOON + timedelta(minutes=15)


# --- Reading back -------------------------------------------------------------------------------------


def test_a_mark_in_the_link_is_exact_whatever_else_was_changed(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.channel.publish(Prepared(replace(HELLO, link="https://ij.example/l/k77", key="k77")), Deadline.after(5))

    found = page.channel.find(replace(HELLO, text="Portes ouvertes, corrigé"), NOON)

    assert [one.remote_id for one in found] == [receipt.remote_id]


def test_without_a_mark_text_and_spaces_are_compared_as_they_read(page: PageStage) -> None:
    receipt = page.publish(Message("Journée  de l’orientation\nà 14 h &  plus", key="k1"))

    found = page.channel.find(Message("Journée de l’orientation à 14 h &amp; plus ", key="k1"), NOON)

    assert [one.remote_id for one in found] == [receipt.remote_id]


@pytest.mark.parametrize(
    "other",
    [
        Message("Autre texte", key="k1"),
        Message("Texte", key="k1", pictures=(PNG,)),
        Message("Texte", key="k1", targeting=BRETAGNE),
    ],
)
def test_what_differs_is_not_found(page: PageStage, other: Message) -> None:
    page.publish(Message("Texte", key="k1"))

    assert page.channel.find(other, NOON) == []


def test_pictures_are_counted(page: PageStage) -> None:
    message = Message("Texte", key="k1", pictures=(PNG, PNG, PNG))
    receipt = page.publish(message)

    assert [one.remote_id for one in page.channel.find(message, NOON)] == [receipt.remote_id]
    assert page.channel.find(replace(message, pictures=(PNG, PNG)), NOON) == []


def test_a_draft_that_nobody_sees_is_no_match(page: PageStage) -> None:
    prepared = page.channel.prepare(GATED)

    assert page.channel.find(replace(GATED, draft_id=prepared.draft_id), NOON) == []
    assert page.channel.find(GATED, NOON) == []


def test_a_published_draft_is_found_by_its_id_alone(page: PageStage) -> None:
    receipt = page.publish(GATED)

    found = page.channel.find(Message("other words", key="k0", draft_id=receipt.remote_id), NOON + timedelta(days=9))

    assert [one.remote_id for one in found] == [receipt.remote_id]


def test_reading_back_goes_through_every_page_of_the_list(page: PageStage) -> None:
    first = page.publish(Message("Texte 0", key="k0"))
    for number in range(1, 120):
        page.channel.publish(Prepared(Message(f"Texte {number}", key=f"k{number}")), Deadline.after(5))

    found = page.channel.find(Message("Texte 0", key="k0"), NOON)

    assert [one.remote_id for one in found] == [first.remote_id]


def test_reading_back_begins_two_minutes_early(page: PageStage) -> None:
    page.publish(HELLO)

    assert len(page.channel.find(HELLO, NOON + timedelta(minutes=2))) == 1
    assert page.channel.find(HELLO, NOON + timedelta(minutes=3)) == []


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_link_is_known_inside_facebooks_wrapping(page: PageStage, wrapped: bool) -> None:
    url = f"https://l.facebook.com/l.php?u={LINK.replace(':', '%3A').replace('/', '%2F')}&h=x" if wrapped else LINK
    post = {"id": "111_9", "message": "x", "attachments": {"data": [{"media_type": "link", "url": url}]}}
    page.play(faults.answer({"data": [post]}, status=200, path="/published_posts$"))

    assert [one.remote_id for one in page.channel.find(HELLO, NOON)] == ["111_9"]


def test_a_post_whose_preview_failed_is_known_by_its_text(page: PageStage) -> None:
    page.play(faults.answer({"data": [{"id": "111_9", "message": HELLO.text}]}, status=200, path="/published_posts$"))

    assert [one.remote_id for one in page.channel.find(HELLO, NOON)] == ["111_9"]


def shown_with(*attachments: dict[str, Any], **columns: Any) -> dict[str, Any]:
    """A post as Facebook lists it."""
    return {"message": "Texte", "attachments": {"data": list(attachments)}, **columns}


LINKED = Message("Texte", key="k1", link="https://exemple.fr/a")
PICTURED = Message("Texte", key="k1", link="https://exemple.fr/a", pictures=(PNG,))
OURS = {"media_type": "link", "unshimmed_url": "https://exemple.fr/a"}
THEIRS = {"media_type": "link", "target": {"url": "https://exemple.fr/b"}}
PHOTO = {"media_type": "photo", "url": "https://exemple.fr/c"}


@pytest.mark.parametrize(
    ("message", "post", "is_it"),
    [
        (LINKED, shown_with(OURS), True),
        (LINKED, shown_with(THEIRS), False),
        (LINKED, shown_with(THEIRS, OURS), True),
        (LINKED, shown_with(), True),
        (LINKED, shown_with(OURS, PHOTO), False),
        (replace(LINKED, link=None), shown_with(THEIRS), True),
        (PICTURED, shown_with(PHOTO, THEIRS, message="Texte https://exemple.fr/a"), True),
        (PICTURED, shown_with({"type": "photo"}, message="Texte https://exemple.fr/a"), True),
        (PICTURED, shown_with({"type": "photo"}, PHOTO, message="Texte https://exemple.fr/a"), False),
        (replace(PICTURED, text="", link=None), {"attachments": {"data": [PHOTO]}}, True),
        (replace(PICTURED, text="", link=None), {"message": None, "attachments": {"data": [PHOTO]}}, True),
    ],
)
def test_without_a_mark_words_pictures_and_a_link_of_our_own_must_be_those(
    message: Message, post: dict[str, Any], is_it: bool
) -> None:
    assert facebook_reading.same(message, post) is is_it


def test_the_links_of_a_post_are_those_beside_it_wherever_facebook_tells_them() -> None:
    wrapped = "https://l.facebook.com/l.php?u=https%3A%2F%2Fexemple.fr%2Fe%3Fx%3D1&h=y"
    post = shown_with(
        PHOTO,
        {"type": "photo", "url": "https://exemple.fr/c"},
        OURS,
        {"media_type": "link", "url": "https://exemple.fr/?u=elsewhere", "unshimmed_url": 7},
        THEIRS,
        {"media_type": "album", "subattachments": {"data": [{"type": "share", "url": wrapped}]}},
        {"media_type": "link", "url": "", "target": None},
    )

    assert facebook_reading._links(post) == [
        "https://exemple.fr/a",
        "https://exemple.fr/?u=elsewhere",
        "https://exemple.fr/b",
        "https://exemple.fr/e?x=1",
    ]


@pytest.mark.parametrize("paging", [None, {}, {"next": "x"}, {"next": "x", "cursors": {}}, {"cursors": {"after": "a"}}])
def test_a_list_ends_where_no_next_page_is_told(page: PageStage, paging: Any) -> None:
    page.play(faults.answer({"data": [], "paging": paging}, status=200, path="/published_posts$", times=None))

    assert page.channel.find(HELLO, NOON) == []
    assert len(page.sandbox.calls) == 1


def test_a_list_without_end_is_not_read_for_ever(page: PageStage) -> None:
    endless = {"data": [], "paging": {"next": "x", "cursors": {"after": "a"}}}
    page.play(faults.answer(endless, status=200, path="/published_posts$", times=None))

    error = mistake(lambda: page.channel.find(HELLO, NOON))

    assert (type(error), str(error)) == (Unreachable, "Facebook's list does not come to an end.")


# --- Figures --------------------------------------------------------------------------------------------

NAMES = ("post_total_media_view_unique", "post_media_view", "post_clicks", "post_reactions_by_type_total")


def test_figures_carry_facebooks_names_and_grow(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.pass_time(timedelta(hours=1))
    early = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]
    page.pass_time(timedelta(days=3))

    late = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]

    assert tuple(figure.metric for figure in late) == NAMES
    kinds = [UnitKind.PEOPLE, UnitKind.VIEWS, UnitKind.CLICKS, UnitKind.REACTIONS]
    assert [figure.unit for figure in late] == kinds
    assert 0 < (early[0].value or 0) < (late[0].value or 0) < 5000


def test_a_post_that_facebook_will_not_tell_of_keeps_the_figures_of_no_other(page: PageStage) -> None:
    kept, bad = page.publish(HELLO), page.publish(replace(HELLO, text="Autre chose", key="other"))
    page.play(graph_error(1, path=f"/{bad.remote_id}/insights", times=9))

    found = page.channel.figures([bad, kept], OF_FACEBOOK).by_post

    assert [figure.value for figure in found[bad.remote_id]] == [None] * len(NAMES)
    assert all(figure.value is not None for figure in found[kept.remote_id])


def test_when_facebook_tells_of_no_post_at_all_the_reading_has_failed(page: PageStage) -> None:
    receipts = [page.publish(HELLO), page.publish(replace(HELLO, text="Autre chose", key="other"))]
    page.play(graph_error(1, path="/insights", times=9))

    assert isinstance(mistake(lambda: page.channel.figures(receipts, OF_FACEBOOK)), Unreachable)


def test_all_figures_are_asked_for_in_one_call(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.sandbox.calls.clear()

    page.channel.figures([receipt], OF_FACEBOOK)

    assert len(page.sandbox.calls) == 1


def test_a_new_post_has_zeros_that_are_meant(page: PageStage) -> None:
    receipt = page.publish(HELLO)

    figures = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]

    assert [(figure.value, figure.missing) for figure in figures] == [(0, None)] * 4


def test_missing_figures_are_never_zero(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(named("empty_insights"))

    figures = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]

    assert [(figure.value, figure.missing) for figure in figures] == [(None, "not available")] * 4


def test_one_bad_metric_does_not_hide_the_others(page: PageStage) -> None:
    asked = [Asked("post_impressions_unique", UnitKind.PEOPLE), Asked("post_clicks", UnitKind.CLICKS)]
    receipt = page.publish(HELLO)

    figures = page.channel.figures([receipt], asked).by_post[receipt.remote_id]

    assert list(figures) == [
        Figure("post_impressions_unique", UnitKind.PEOPLE, None, "retired by the network"),
        Figure("post_clicks", UnitKind.CLICKS, 0),
    ]


def test_a_call_that_names_no_metric_for_facebook_says_nothing_of_why(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(graph_error(3001, path="/insights$"))

    figures = page.channel.figures([receipt], OF_FACEBOOK[:1]).by_post[receipt.remote_id]

    assert [figure.missing for figure in figures] == ["not available"]


def test_of_nothing_that_is_asked_no_call_is_made(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.sandbox.calls.clear()

    assert (page.channel.figures([receipt], []).by_post, list(page.sandbox.calls)) == ({}, [])


def test_an_audience_that_is_too_small_has_no_figures_and_the_account_goes_on(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(graph_error(200, path="/insights$"))

    figures = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]

    assert [figure.value for figure in figures] == [None] * 4


def test_a_deleted_post_has_no_figures_at_all(page: PageStage) -> None:
    kept = page.publish(HELLO)
    gone = page.publish(replace(HELLO, text="autre", key="k8", link=None))
    page.channel.remove(gone)

    assert list(page.channel.figures([gone, kept], OF_FACEBOOK).by_post) == [kept.remote_id]


@pytest.mark.parametrize("value", [None, True, "12", [1], 1.5, 2**31, {"like": 2**31}])
def test_a_value_that_is_no_whole_number_is_missing(page: PageStage, value: Any) -> None:
    receipt = page.publish(HELLO)
    entry = {"name": "post_clicks", "period": "lifetime", "values": [{"value": value}]}
    page.play(faults.answer({"data": [entry]}, status=200, path="/insights$"))

    figures = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]

    assert [figure.value for figure in figures] == [None] * 4


def test_an_expired_token_is_no_missing_figure(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.sandbox.graph.tokens.end_token(page.token, 463)

    assert isinstance(mistake(lambda: page.channel.figures([receipt], OF_FACEBOOK)), Unauthorized)


def test_figures_of_another_refusal_are_an_error(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(graph_error(803, path="/insights$"))

    assert isinstance(mistake(lambda: page.channel.figures([receipt], OF_FACEBOOK)), Refused)


def test_a_post_that_goes_while_it_is_counted_has_no_figures(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(graph_error(100, path="/insights$"), graph_error(100, 33, path="/insights$"))

    assert page.channel.figures([receipt], OF_FACEBOOK).by_post == {}


@pytest.mark.parametrize("values", [None, [], [None], {}])
def test_a_metric_without_values_is_missing(page: PageStage, values: Any) -> None:
    receipt = page.publish(HELLO)
    entry = {"name": "post_clicks", "period": "lifetime", "values": values}
    page.play(faults.answer({"data": [entry]}, status=200, path="/insights$"))

    figures = page.channel.figures([receipt], OF_FACEBOOK).by_post[receipt.remote_id]

    assert [figure.value for figure in figures] == [None] * 4


def test_a_limit_while_counting_is_told(page: PageStage) -> None:
    receipt = page.publish(HELLO)
    page.play(graph_error(80001, path="/insights$"))

    assert isinstance(mistake(lambda: page.channel.figures([receipt], OF_FACEBOOK)), Throttled)


# --- Figures of the page ----------------------------------------------------------------------------------

FOLLOWS = AskedOfPage("page_follows", UnitKind.PEOPLE, "day")
CITIES = AskedOfPage("page_follows_city", UnitKind.PEOPLE, "day")
REACHED = AskedOfPage("page_total_media_view_unique", UnitKind.PEOPLE, "week")


def on(month: int, day: int) -> date:
    return date(2026, month, day)


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        (NOON, on(10, 30), on(11, 1)),  # clocks in California went back on the first of November
        (datetime(2026, 3, 12, 12, tzinfo=UTC), on(3, 6), on(3, 10)),  # and forward on the eighth of March
        (datetime(2026, 7, 12, 8, tzinfo=UTC), on(7, 11), on(7, 11)),
    ],
)
def test_the_days_of_a_page_are_those_of_california(page: PageStage, now: datetime, first: date, last: date) -> None:
    page.sandbox.clock.set(now)

    told = page.channel.page_figures([FOLLOWS], first, last)

    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert told == [PageFigure("page_follows", UnitKind.PEOPLE, "day", day, 5000) for day in days]


def test_followers_are_told_by_city(page: PageStage) -> None:
    told = page.channel.page_figures([CITIES], on(11, 1), on(11, 1))

    assert {figure.dimension for figure in told} >= {"Rennes", "Pointe-à-Pitre"}
    assert all(figure.value and figure.missing is None for figure in told)


def test_each_period_is_asked_for_in_one_call(page: PageStage) -> None:
    page.sandbox.calls.clear()

    told = page.channel.page_figures([FOLLOWS, REACHED, CITIES], on(11, 1), on(11, 1))

    assert {(figure.metric, figure.period) for figure in told} == {
        ("page_follows", "day"), ("page_follows_city", "day"), ("page_total_media_view_unique", "week"),
    }  # fmt: skip
    assert len(page.sandbox.calls) == 2


@pytest.mark.parametrize(("days", "calls"), [(90, 1), (91, 2), (200, 3)])
def test_no_window_is_longer_than_ninety_days(page: PageStage, days: int, calls: int) -> None:
    page.sandbox.calls.clear()
    first = on(11, 1) - timedelta(days=days - 1)

    told = page.channel.page_figures([FOLLOWS], first, on(11, 1))

    assert [figure.day for figure in told] == [first + timedelta(days=number) for number in range(days)]
    assert {figure.value for figure in told} == {5000}
    assert len(page.sandbox.calls) == calls


def test_a_day_that_has_not_ended_there_is_missing(page: PageStage) -> None:
    told = page.channel.page_figures([FOLLOWS], on(11, 1), on(11, 2))

    assert [(figure.value, figure.missing) for figure in told] == [(5000, None), (None, "not available")]


def test_a_page_of_few_people_tells_nothing_and_no_zero(page: PageStage) -> None:
    page.sandbox.graph.create_page("111", "Académie de Rennes", followers=99)

    told = page.channel.page_figures([FOLLOWS, CITIES], on(11, 1), on(11, 1))

    assert [(figure.value, figure.missing) for figure in told] == [(None, "not available")] * 2


def test_a_page_figure_that_was_retired_leaves_the_others(page: PageStage) -> None:
    page.sandbox.graph.retire(["page_follows"])

    told = page.channel.page_figures([FOLLOWS, REACHED], on(11, 1), on(11, 1))
    both = page.channel.page_figures([CITIES, FOLLOWS], on(11, 1), on(11, 1))

    assert (told[0].value, told[0].missing) == (None, "retired by the network")
    assert told[1].value is not None
    assert both[0].value
    assert both[-1] == told[0]


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        [None],
        [{"value": 7}],
        [{"value": 7, "end_time": "soon"}],
        [{"value": {}, "end_time": "2026-11-02T08:00:00+0000"}],
        [{"value": True, "end_time": "2026-11-02T08:00:00+0000"}],
        [{"value": 7, "end_time": "2025-11-02T08:00:00+0000"}],
    ],
)
def test_a_value_of_a_page_that_says_nothing_of_that_day_is_missing(page: PageStage, values: Any) -> None:
    entry = {"name": "page_follows", "period": "day", "values": values}
    page.play(faults.answer({"data": [entry]}, status=200, path="/insights$"))

    told = page.channel.page_figures([FOLLOWS], on(11, 1), on(11, 1))

    assert [(figure.value, figure.missing) for figure in told] == [(None, "not available")]


def test_an_expired_token_is_no_missing_figure_of_a_page(page: PageStage) -> None:
    page.sandbox.graph.tokens.end_token(page.token, 463)

    assert isinstance(mistake(lambda: page.channel.page_figures([FOLLOWS], on(11, 1), on(11, 1))), Unauthorized)


def test_a_page_that_is_gone_is_an_error(page: PageStage) -> None:
    page.play(graph_error(100, 33, path="/insights$"))

    assert isinstance(mistake(lambda: page.channel.page_figures([FOLLOWS], on(11, 1), on(11, 1))), Refused)


# --- How it is ----------------------------------------------------------------------------------------


def checked(page: PageStage, **changes: Any) -> list[tuple[Light, str]]:
    channel = page.another(**changes)
    findings = channel.check().findings
    channel.close()
    return [(finding.light, finding.code) for finding in findings]


WITH_APP = {"app_id": "900", "app_secret": SECRET}


def test_a_page_in_order_is_green(page: PageStage) -> None:
    channel = page.another(**WITH_APP)

    health = channel.check()

    assert [finding.code for finding in health.findings] == ["ok"]
    assert (health.name, health.remote_id, health.expires_at) == ("Académie de Rennes", PAGE_ID, None)
    channel.close()


def test_without_the_apps_secret_permissions_stay_unknown(page: PageStage) -> None:
    assert checked(page) == [(Light.GREEN, "ok"), (Light.GREEN, "permissions_not_checked")]


@pytest.mark.parametrize(
    ("subcode", "code"),
    [
        (458, "token_revoked"),
        (459, "token_revoked"),
        (460, "token_revoked"),
        (463, "token_expired"),
        (464, "token_revoked"),
        (467, "token_invalid"),
        (490, "token_expired"),
        (492, "token_revoked"),
    ],
)
def test_a_token_that_ended_is_an_answer(page: PageStage, subcode: int, code: str) -> None:
    page.sandbox.graph.tokens.end_token(page.token, subcode)

    assert checked(page) == [(Light.RED, code)]


def test_an_unknown_token_is_invalid(page: PageStage) -> None:
    assert checked(page, token="nobody") == [(Light.RED, "token_invalid")]


def test_a_persons_token_is_no_page_token(page: PageStage) -> None:
    token = page.sandbox.graph.tokens.create_user("78")

    assert checked(page, token=token) == [(Light.RED, "not_a_page_token")]


def test_another_pages_token_is_noticed(page: PageStage) -> None:
    token = page.sandbox.graph.create_page("222", "Académie B", followers=9000)

    channel = page.another(token=token)
    finding = channel.check().findings[0]
    channel.close()

    assert finding == Finding(Light.RED, "wrong_page", {"expected": "111", "found": "222", "name": "Académie B"})


def test_missing_permissions_are_named(page: PageStage) -> None:
    page.sandbox.graph.tokens.set_scopes(page.token, ["pages_show_list", "pages_read_engagement"])

    expected = [(Light.RED, "permission_missing"), (Light.AMBER, "figures_permission_missing")]
    assert checked(page, **WITH_APP) == expected


def test_a_token_that_ends_soon_is_amber(page: PageStage) -> None:
    page.sandbox.graph.tokens.expire_token(page.token, NOON + timedelta(days=3))

    channel = page.another(**WITH_APP)
    health = channel.check()
    channel.close()

    assert health.findings == (Finding(Light.AMBER, "token_expires_soon", {"on": "2026-11-05"}),)
    assert health.expires_at == NOON + timedelta(days=3)


def test_the_wrong_secret_of_the_app_is_noticed(page: PageStage) -> None:
    assert checked(page, app_id="900", app_secret="wrong") == [(Light.RED, "app_secret_wrong")]


def test_the_token_of_another_app_is_noticed(page: PageStage) -> None:
    page.sandbox.graph.tokens.create_app("901", SECRET)

    assert (Light.RED, "token_invalid") in checked(page, app_id="901", app_secret=SECRET)


def test_a_version_that_was_replaced_is_amber(page: PageStage) -> None:
    channel = page.another(version="v3.0")
    finding = channel.check().findings[0]
    channel.close()

    assert finding == Finding(Light.AMBER, "version_answered_differs", {"asked": "v3.0", "answered": "v21.0"})


def test_a_version_that_does_not_exist_is_refused(page: PageStage) -> None:
    assert checked(page, version="v99.0") == [(Light.RED, "check_refused")]


def test_a_small_page_is_told_about_the_setting(page: PageStage) -> None:
    page.sandbox.graph.create_page(PAGE_ID, "Académie de Rennes", followers=300)

    assert (Light.GREEN, "targeting_may_need_setting") in checked(page)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (graph_error(190, path="/debug_token$"), "app_secret_wrong"),
        (graph_error(100, path="/debug_token$"), "app_secret_wrong"),
        (graph_error(2, status=503, path="/debug_token$"), "unreachable"),
        (graph_error(4, path="/debug_token$"), "throttled"),
    ],
)
def test_what_stops_the_look_at_the_token_is_its_finding(page: PageStage, fault: Fault, code: str) -> None:
    page.play(fault)

    assert [found for _, found in checked(page, **WITH_APP)] == [code]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"type": "USER"}, ["not_a_page_token"]),
        ({"app_id": "901"}, ["wrong_app"]),
        ({"data_access_expires_at": int((NOON + timedelta(days=2)).timestamp())}, ["data_access_ends_soon"]),
        ({"is_valid": False}, ["token_invalid"]),
        ({"is_valid": False, "error": {"code": 190, "subcode": 463, "message": "x"}}, ["token_expired"]),
        ({"scopes": None}, ["permission_missing", "permission_missing", "figures_permission_missing"]),
    ],
)
def test_the_token_itself_is_looked_at(page: PageStage, changes: dict[str, Any], codes: list[str]) -> None:
    scopes = ["pages_manage_posts", "pages_read_engagement", "read_insights"]
    token = {"app_id": "900", "type": "PAGE", "is_valid": True, "expires_at": 0, "scopes": scopes, **changes}
    page.play(faults.answer({"data": token}, status=200, path="/debug_token$"))

    assert [code for _, code in checked(page, **WITH_APP)] == codes


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (graph_error(4), "throttled"),
        (graph_error(368), "account_blocked"),
        (graph_error(2, status=503), "unreachable"),
        (graph_error(104), "app_secret_wrong"),
        (graph_error(10), "permission_missing"),
        (graph_error(190, 2069032), "not_a_page_token"),
    ],
)
def test_what_stops_a_check_is_its_finding(page: PageStage, fault: Fault, code: str) -> None:
    page.play(fault)

    assert [found for _, found in checked(page)] == [code]


def test_a_network_out_of_reach_is_a_finding(page: PageStage) -> None:
    page.sandbox.stop()

    assert checked(page) == [(Light.RED, "unreachable")]


# --- Tokens and proofs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("token_in_header", [False, True])
def test_each_call_proves_that_it_knows_the_apps_secret(page: PageStage, token_in_header: bool) -> None:
    page.sandbox.graph.tokens.create_app("900", SECRET, require_proof=True)
    channel = page.another(token_in_header=token_in_header, **WITH_APP)

    receipt = channel.publish(channel.prepare(replace(GATED, pictures=(PNG,))), Deadline.after(5))

    assert channel.find(replace(GATED, draft_id=receipt.remote_id), NOON)
    assert channel.check().light is Light.GREEN
    channel.remove(receipt)
    assert page.posts == []
    channel.close()


def test_a_missing_proof_is_named(page: PageStage) -> None:
    page.sandbox.graph.tokens.create_app("900", SECRET, require_proof=True)

    assert checked(page) == [(Light.RED, "app_secret_wrong")]


def test_in_a_header_the_token_is_in_no_address_and_no_body(page: PageStage) -> None:
    channel = page.another(token_in_header=True)
    receipt = channel.publish(channel.prepare(replace(GATED, pictures=(PNG,))), Deadline.after(5))
    channel.find(HELLO, NOON)
    channel.remove(receipt)
    channel.close()

    for call in page.sandbox.calls:
        assert page.token not in str(call.query)
        assert page.token.encode() not in call.body
        assert call.headers["authorization"] == f"Bearer {page.token}"


def test_no_token_is_in_an_error_or_its_trace_or_a_log(page: PageStage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    channel = page.another(timeouts=(1.0, 0.2), **WITH_APP)
    spoken = graph_error(190, 467, message=f"Malformed access token {page.token} of {SECRET}")
    texts = []
    for fault in [named("hang_up_before"), named("redirect"), named("html_200_after"), named("hang"), spoken]:
        page.play(fault)
        error = mistake(lambda: channel.find(HELLO, NOON))
        texts += [str(error), repr(error), "".join(traceback.format_exception(error))]
    channel.check()
    page.sandbox.stop()
    texts.append("".join(traceback.format_exception(mistake(lambda: channel.find(HELLO, NOON)))))
    channel.close()

    everything = "\n".join([*texts, caplog.text, repr(channel)])
    assert [secret for secret in (page.token, SECRET) if secret in everything] == []
    assert "GET" in caplog.text


def test_a_person_connects_their_pages(page: PageStage) -> None:
    desk = page.sandbox.graph.tokens
    short = desk.create_user("78")
    for number in range(3):
        page.sandbox.graph.create_page(f"30{number}", f"Page {number}", user="78", tasks=("CREATE_CONTENT",))

    person = exchange_user_token(app_id="900", app_secret=SECRET, user_token=short, base_url=page.sandbox.url)
    pages = list_pages(user_token=person.token, app_secret=SECRET, base_url=page.sandbox.url)

    assert person.seconds == 5183944
    assert [call.path for call in page.sandbox.calls if "authorization" in call.headers] == []
    assert [(one.id, one.name, one.tasks) for one in pages] == [
        (f"30{number}", f"Page {number}", ("CREATE_CONTENT",)) for number in range(3)
    ]
    assert checked(page, page_id="301", token=pages[1].token, **WITH_APP)[0] == (Light.GREEN, "ok")
    assert [text for text in (person.token, pages[0].token) if text in f"{person!r}{pages!r}"] == []


def test_more_than_a_hundred_pages_are_all_listed(page: PageStage) -> None:
    token = page.sandbox.graph.tokens.create_user("78")
    for number in range(130):
        page.sandbox.graph.create_page(f"3{number:03}", f"Page {number}", user="78")

    assert len(list_pages(user_token=token, base_url=page.sandbox.url)) == 130


def test_a_wrong_secret_connects_nobody(page: PageStage) -> None:
    short = page.sandbox.graph.tokens.create_user("78")

    error = mistake(
        lambda: exchange_user_token(app_id="900", app_secret="no", user_token=short, base_url=page.sandbox.url)
    )

    assert short not in str(error)


def test_an_exchange_without_a_token_connects_nobody(page: PageStage) -> None:
    page.play(faults.answer({"token_type": "bearer"}, status=200))

    error = mistake(
        lambda: exchange_user_token(app_id="900", app_secret="x", user_token="y", base_url=page.sandbox.url)
    )

    assert isinstance(error, Unreachable)


# --- Rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        (Message("", key="k"), ["text_empty"]),
        (Message("", key="k", link=LINK), []),
        (Message("", key="k", pictures=(PNG,)), []),
        (Message("x" * 63206, key="k"), []),
        (Message("x" * 63207, key="k"), ["text_too_long"]),
        (Message("x" * 63200, key="k", link=LINK, pictures=(PNG,)), ["text_too_long"]),
        (Message("x", key="k", link="ftp://a.example"), ["link_invalid"]),
        (Message("x", key="k", link="https://m.facebook.com/a"), ["link_to_facebook"]),
        (Message("x", key="k", pictures=(PNG,) * 11), ["too_many_pictures"]),
        (Message("x", key="k", pictures=(Picture(b"x", "image/webp"),)), ["picture_kind"]),
        (Message("x", key="k", pictures=(Picture(bytes(10_485_761), "image/png"),)), ["picture_too_large"]),
        (Message("x", key="k", targeting=Targeting()), ["gate_empty"]),
        (Message("x", key="k", targeting=Targeting(tuple(f"{n:02}" for n in range(26)))), ["too_many_countries"]),
    ],
)
def test_the_rules_say_what_facebook_would_refuse(message: Message, codes: list[str]) -> None:
    assert [problem.code for problem in FacebookRules().problems(message)] == codes


def test_a_gate_without_a_place_is_never_published(page: PageStage) -> None:
    assert isinstance(mistake(lambda: page.publish(replace(HELLO, targeting=Targeting()))), Refused)
    assert page.sandbox.calls == type(page.sandbox.calls)()
