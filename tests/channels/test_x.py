"""X as the hub sees it: the real tweepy against the sandbox."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels import x_errors, x_reading
from channels.base import (
    Asked,
    AskedOfPage,
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
    Problem,
    Receipt,
    Refused,
    Targeting,
    Throttled,
    Unauthorized,
    Uncertain,
    UnitKind,
    Unreachable,
)
from channels.sandbox import faults, x_posts
from channels.x import XAccount, XRules
from tests.channels.factories import OF_A_PROFILE, OF_X
from tests.channels.x_stage import KEYS, NOON, PLAIN, PNG, Stage
from tests.channels.x_stage import stage as on_stage

HELLO = Message("Portes ouvertes & café au « lycée » de Rennes https://exemple.fr/l/k7 !", key="k7")
LATER = NOON + timedelta(hours=1)
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with on_stage() as set_up:
        yield set_up


def answered(status: int, body: object = None, **headers: str) -> faults.Fault:
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return faults.Fault("answer", path="^/2/tweets", status=status, body=text, headers=names)


# --- Saying it --------------------------------------------------------------------------------------


def test_a_message_is_posted_once_with_its_pictures_and_their_words(stage: Stage) -> None:
    receipt = stage.publish(replace(HELLO, pictures=(PNG, PLAIN)))

    assert [(post["id"], post["text"]) for post in stage.posts] == [(receipt.remote_id, HELLO.text)]
    assert [(item["mime"], item["alt"]) for item in stage.posts[0]["media"]] == [
        ("image/png", "La cour du lycée"),
        ("image/jpeg", ""),
    ]


def test_a_receipt_tells_address_moment_and_trace(stage: Stage) -> None:
    receipt = stage.publish(HELLO)

    assert receipt.url == f"https://x.com/ij_bretagne/status/{receipt.remote_id}"
    assert receipt.posted_at == NOON
    assert receipt.trace_id


def test_pictures_alone_are_enough(stage: Stage) -> None:
    message = Message("", key="k8", pictures=(PNG,))

    receipt = stage.publish(message)

    assert stage.channel.find(message, NOON) == [replace(receipt, trace_id=None)]


def test_a_history_of_nothing_does_not_matter(stage: Stage) -> None:
    stage.network.set_habits(empty_history=True)

    assert stage.publish(HELLO).remote_id == stage.posts[0]["id"]


def test_a_users_bearer_token_speaks_as_well(stage: Stage) -> None:
    keys = dict.fromkeys(KEYS)
    channel = stage.another(**keys, bearer_token=stage.account["bearer_token"])

    receipt = channel.publish(channel.prepare(HELLO), Deadline.after(5))
    channel.close()

    assert receipt.remote_id == stage.posts[0]["id"]


def test_an_apps_own_token_cannot_post(stage: Stage) -> None:
    channel = stage.another(**dict.fromkeys(KEYS), bearer_token=stage.account["app_token"])

    with pytest.raises(Unauthorized) as caught:
        channel.publish(Prepared(HELLO), Deadline.after(5))
    channel.close()

    assert (caught.value.code, caught.value.status, stage.posts) == ("unsupported-authentication", 403, [])


def test_an_account_without_keys_is_refused_at_once() -> None:
    with pytest.raises(ValueError):
        XAccount(user_id="1", username="a", now=lambda: NOON, consumer_key="half")


def test_preparing_again_shows_nothing(stage: Stage) -> None:
    message = replace(HELLO, pictures=(PNG,))

    stage.channel.prepare(message)
    stage.channel.prepare(message)

    assert stage.posts == []


def test_an_upload_that_fails_was_not_a_post_and_may_be_done_again(stage: Stage) -> None:
    stage.sandbox.faults.add(faults.html(503, path="media/upload"))

    with pytest.raises(Unreachable):
        stage.channel.prepare(replace(HELLO, pictures=(PNG,)))


def test_unknown_media_are_refused(stage: Stage) -> None:
    with pytest.raises(Refused) as caught:
        stage.channel.publish(Prepared(HELLO, media_ids=("99",)), Deadline.after(5))

    assert str(caught.value).endswith("Your media IDs are invalid.")


def test_a_limited_message_never_goes_out_unlimited(stage: Stage) -> None:
    limited = replace(HELLO, targeting=Targeting(countries=("FR",)))

    with pytest.raises(Refused):
        stage.channel.prepare(limited)
    with pytest.raises(Refused):
        stage.channel.publish(Prepared(limited), Deadline.after(5))

    assert list(stage.sandbox.calls) == []


# --- The table of refusals: facts, section 5 -----------------------------------------------------------

PROBLEMS = "https://api.twitter.com/2/problems/"
FORBIDDEN = {"type": "about:blank", "title": "Forbidden", "status": 403}
TABLE: list[tuple[str, int, object, type[ChannelError], str | None]] = [
    (
        "an invalid request",
        400,
        {
            "errors": [{"parameters": {"text": ["x"]}, "message": "text is not valid"}],
            "title": "Invalid Request",
            "detail": "One or more parameters to your request was invalid.",
            "type": PROBLEMS + "invalid-request",
        },
        Refused,
        "invalid-request",
    ),
    (
        "refused keys",
        401,
        {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"},
        Unauthorized,
        "Unauthorized",
    ),
    ("refused keys without words", 401, None, Unauthorized, None),
    (
        "credits depleted",
        402,
        {"title": "CreditsDepleted", "detail": "…", "type": "https://api.x.com/2/problems/credits", "account_id": 7},
        Unauthorized,
        "credits",
    ),
    (
        "payment required",
        402,
        {
            "title": "Payment Required",
            "status": 402,
            "detail": "credits depleted",
            "type": PROBLEMS + "credits-depleted",
        },
        Unauthorized,
        "credits-depleted",
    ),
    (
        "a duplicate",
        403,
        {**FORBIDDEN, "detail": "You are not allowed to create a Tweet with duplicate content."},
        Uncertain,
        "Forbidden",
    ),
    (
        "a duplicate in the older form",
        403,
        {"errors": [{"code": 187, "message": "Status is a duplicate."}]},
        Uncertain,
        "187",
    ),
    (
        "an action that is not permitted",
        403,
        {**FORBIDDEN, "detail": "You are not permitted to perform this action."},
        Refused,
        "Forbidden",
    ),
    (
        "a read-only app",
        403,
        {**FORBIDDEN, "type": PROBLEMS + "oauth1-permissions"},
        Unauthorized,
        "oauth1-permissions",
    ),
    (
        "an app without a project",
        403,
        {"type": "https://api.x.com/2/problems/client-forbidden", "reason": "client-not-enrolled"},
        Unauthorized,
        "client-forbidden",
    ),
    (
        "an app without a project, by its reason",
        403,
        {**FORBIDDEN, "reason": "client-not-enrolled"},
        Unauthorized,
        "Forbidden",
    ),
    (
        "a forbidden app without a reason",
        403,
        {"type": PROBLEMS + "client-forbidden"},
        Unauthorized,
        "client-forbidden",
    ),
    (
        "an app-only token",
        403,
        {"type": PROBLEMS + "unsupported-authentication"},
        Unauthorized,
        "unsupported-authentication",
    ),
    ("a suspended user", 403, {"type": PROBLEMS + "user-suspended"}, Unauthorized, "user-suspended"),
    ("the same, with a slash", 403, {"type": PROBLEMS + "user-suspended/"}, Unauthorized, "user-suspended"),
    ("a 403 from a gateway", 403, "<html></html>", Uncertain, None),
    ("nothing there", 404, {"errors": [{"message": "Not found", "code": 34}]}, Refused, "34"),
    ("nothing there, without words", 404, None, Refused, None),
    (
        "too many requests",
        429,
        {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429},
        Throttled,
        "Too Many Requests",
    ),
    ("code 88", 429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, Throttled, "88"),
    (
        "the usage cap",
        429,
        {
            "title": "UsageCapExceeded",
            "detail": "Usage cap exceeded: Monthly product cap",
            "type": PROBLEMS + "usage-capped",
            "period": "Monthly",
        },
        Throttled,
        "UsageCapExceeded",
    ),
    ("the usage cap by its type", 429, {"type": PROBLEMS + "usage-capped"}, Throttled, "UsageCapExceeded"),
    ("a 500 without words", 500, None, Uncertain, None),
    ("a 502 in HTML", 502, "<html></html>", Uncertain, None),
    (
        "a 503",
        503,
        {"title": "Service Unavailable", "detail": "Service Unavailable", "type": "about:blank", "status": 503},
        Uncertain,
        "Service Unavailable",
    ),
    ("a 504", 504, {}, Uncertain, None),
    ("a success that is not JSON", 200, "<html></html>", Uncertain, None),
    ("a success cut short", 201, '{"data":{"id":"1', Uncertain, None),
    ("a success without an id", 201, {"data": {"text": "Bonjour"}}, Uncertain, None),
    ("a success with an empty id", 201, {"data": {"id": ""}}, Uncertain, None),
    ("a success that is a list", 201, [], Uncertain, None),
    ("an error that is a list", 403, ["no"], Uncertain, None),
    ("an error that is a word", 400, '"no"', Uncertain, None),
    ("a status never heard of", 409, {"title": "Conflict"}, Uncertain, "Conflict"),
]


@pytest.mark.parametrize(
    ("status", "body", "becomes", "code"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_every_answer_to_a_post_is_of_its_class(
    stage: Stage, status: int, body: object, becomes: type[ChannelError], code: str | None
) -> None:
    stage.sandbox.faults.add(answered(status, body, x_transaction_id="t1"))

    with pytest.raises(ChannelError) as caught:
        stage.publish(HELLO)

    error = caught.value
    assert (type(error), error.status, error.code, error.trace_id) == (becomes, status, code, "t1")
    assert len(stage.sandbox.calls) == 1


def test_every_row_of_the_table_decides_some_answer() -> None:
    decided = {
        next((row for row in x_errors.ROWS if x_errors._fits(row, status, body, x_errors.words_of(body))), None)
        for _, status, body, _, _ in TABLE
    }

    assert set(x_errors.ROWS) - decided == set()


REFUSALS = [row for row in TABLE if row[1] >= 400]


@pytest.mark.parametrize(
    ("status", "body", "becomes", "code"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_every_refusal_of_a_reading_is_of_the_same_class(
    stage: Stage, status: int, body: object, becomes: type[ChannelError], code: str | None
) -> None:
    stage.sandbox.faults.add(answered(status, body))

    with pytest.raises(ChannelError) as caught:
        stage.channel.figures([Receipt("1")], OF_X)

    assert (type(caught.value), caught.value.code) == (becomes, code)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, None, "X does not accept the account's keys (401)."),
        (402, {"detail": "no credits"}, "The credits for X are used up (402): no credits"),
        (404, {"errors": [{"detail": "gone"}]}, "X does not know this (404): gone"),
        (429, {}, "X asks to wait (429)."),
        (400, {"detail": "Bad.", "errors": [{"message": "text", "detail": "-"}]}, "X refused it (400): Bad. text"),
        (499, ["odd"], "X refused it (499)."),
        (500, None, "X gave no usable answer (500)."),
        (302, {"errors": [{}, "odd"]}, "X gave no usable answer (302)."),
    ],
)
def test_a_refusal_is_told_in_words_with_those_of_x_behind(status: int, body: Any, words: str) -> None:
    assert str(x_errors.error_of(status, {}, body, now=NOON)) == words


def test_a_refusal_is_known_by_its_kind_title_reason_and_detail() -> None:
    body = {"type": "https://x/kind", "title": "Title", "reason": "why", "detail": "Words."}

    assert x_errors.words_of(body) == "kind Title why Words."
    assert x_errors.words_of({}).strip() == x_errors.words_of("no JSON") == ""


def test_only_the_refusal_of_a_repeat_is_called_a_duplicate(stage: Stage) -> None:
    stage.publish(HELLO)
    with pytest.raises(Uncertain) as repeated:
        stage.publish(HELLO)
    stage.sandbox.faults.add(answered(503))
    with pytest.raises(Uncertain) as unavailable:
        stage.publish(HELLO)

    assert (repeated.value.duplicate, unavailable.value.duplicate) == (True, False)


# --- Waiting -------------------------------------------------------------------------------------------


def unix(moment: datetime) -> str:
    return str(int(moment.timestamp()))


@pytest.mark.parametrize(
    ("headers", "until"),
    [
        ({}, None),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": unix(LATER)}, LATER),
        ({"x-rate-limit-reset": unix(LATER)}, LATER),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": unix(NOON - timedelta(hours=1))}, None),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": unix(NOON)}, None),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "253402300799"}, END_OF_TIME),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "soon"}, None),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "9" * 30}, None),
        ({"x-rate-limit-remaining": "57", "x-rate-limit-reset": unix(LATER)}, None),
        (
            {
                "x-rate-limit-remaining": "57",
                "x-rate-limit-reset": unix(NOON + timedelta(minutes=9)),
                "x-user-limit-24hour-remaining": "0",
                "x-user-limit-24hour-reset": unix(LATER),
            },
            LATER,
        ),
        ({"x-rate-limit-remaining": "57", "x-app-limit-24hour-reset": unix(LATER)}, LATER),
        ({"retry-after": "3600"}, LATER),
    ],
    ids=[
        "nothing said",
        "used up",
        "only the reset",
        "in the past",
        "now",
        "at the end of all time",
        "no number",
        "beyond all time",
        "not used up",
        "the day used up",
        "the app's day",
        "retry-after",
    ],
)
def test_a_limit_ends_when_the_network_says(stage: Stage, headers: dict[str, str], until: datetime | None) -> None:
    stage.sandbox.faults.add(faults.Fault("answer", status=429, body='{"title":"Too Many Requests"}', headers=headers))

    with pytest.raises(Throttled) as caught:
        stage.publish(HELLO)

    assert caught.value.until == until


@pytest.mark.parametrize("form", [1, 2])
def test_one_call_too_many_waits_for_the_quarter_of_an_hour(stage: Stage, form: int) -> None:
    stage.network.set_habits(limit_form=form)
    stage.network.set_limits(**{"POST /2/tweets": 1})
    stage.publish(HELLO)

    with pytest.raises(Throttled) as caught:
        stage.publish(replace(HELLO, text="Encore"))

    assert (caught.value.until, len(stage.posts)) == (NOON + timedelta(minutes=15), 1)


def test_the_last_call_that_a_limit_allows_asks_to_wait_for_its_end(stage: Stage) -> None:
    stage.network.set_limits(**{"POST /2/tweets": 1})

    stage.publish(HELLO)

    assert stage.channel.pace.wait_until == NOON + timedelta(minutes=15)


def test_hours_of_the_app_are_told_from_minutes_of_the_account(stage: Stage) -> None:
    quarter = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": unix(NOON + timedelta(minutes=9))}
    day = {"x-app-limit-24hour-remaining": "0", "x-app-limit-24hour-reset": unix(LATER)}
    stage.sandbox.faults.add(faults.Fault("headers", headers={**quarter, **day}))

    stage.publish(HELLO)

    assert stage.channel.pace == Pace(wait_until=NOON + timedelta(minutes=9), app_wait_until=LATER)


def test_a_limit_of_which_something_is_left_lets_nobody_wait(stage: Stage) -> None:
    windows = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")
    left = {f"{window}-remaining": "1" for window in windows} | {f"{window}-reset": unix(LATER) for window in windows}
    stage.sandbox.faults.add(faults.Fault("headers", headers=left))

    stage.publish(HELLO)

    assert stage.channel.pace == Pace()


def days_used_up(own: datetime, of_the_app: datetime) -> dict[str, str]:
    """The headers of an account and an app that may both say no more today."""
    ends = {"x-user-limit-24hour": own, "x-app-limit-24hour": of_the_app}
    used_up = {f"{window}-remaining": "0" for window in ends}
    return used_up | {f"{window}-reset": unix(end) for window, end in ends.items()}


@pytest.mark.parametrize(
    ("headers", "breadth"),
    [
        ({}, Breadth.ACCOUNT),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": unix(LATER)}, Breadth.ACCOUNT),
        ({"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": unix(LATER)}, Breadth.ACCOUNT),
        ({"x-app-limit-24hour-remaining": "0", "x-app-limit-24hour-reset": unix(LATER)}, Breadth.APP),
        ({"x-rate-limit-remaining": "57", "x-app-limit-24hour-reset": unix(LATER)}, Breadth.APP),
        ({"retry-after": "3600"}, Breadth.ACCOUNT),
        (days_used_up(LATER, LATER + timedelta(hours=1)), Breadth.APP),
        (days_used_up(LATER + timedelta(hours=1), LATER), Breadth.ACCOUNT),
    ],
)
def test_the_limit_of_the_app_holds_for_all_its_accounts(
    stage: Stage, headers: dict[str, str], breadth: Breadth
) -> None:
    stage.sandbox.faults.add(faults.Fault("answer", status=429, body="{}", headers=headers))

    with pytest.raises(Throttled) as caught:
        stage.publish(HELLO)

    assert caught.value.breadth is breadth


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_cap_of_readings_stops_readings_and_one_of_posts_everything(stage: Stage, method: str) -> None:
    body = {"title": "UsageCapExceeded", "type": "https://api.x.com/2/problems/usage-capped"}
    stage.sandbox.faults.add(faults.answer(body, status=429, method=method))

    with pytest.raises(Throttled) as caught:
        stage.channel.find(HELLO, NOON) if method == "GET" else stage.publish(HELLO)

    assert caught.value.breadth is (Breadth.READS if method == "GET" else Breadth.APP)


def test_before_any_call_and_while_there_is_room_nobody_waits(stage: Stage) -> None:
    before = stage.channel.pace.wait_until

    stage.publish(HELLO)

    assert (before, stage.channel.pace.wait_until) == (None, None)


def test_one_post_too_many_today_waits_for_the_day(stage: Stage) -> None:
    stage.network.set_limits(**{"posts a day": 1})
    stage.publish(HELLO)

    with pytest.raises(Throttled) as caught:
        stage.publish(replace(HELLO, text="Encore"))

    assert caught.value.until == NOON + timedelta(days=1)


def test_the_usage_cap_has_no_known_end(stage: Stage) -> None:
    stage.network.set_habits(usage_capped=True)

    with pytest.raises(Throttled) as caught:
        stage.channel.find(HELLO, NOON)

    assert (caught.value.until, caught.value.code) == (None, "UsageCapExceeded")


# --- Not knowing, and knowing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        ("unavailable_before", 0),
        ("unavailable_after", 1),
        ("html_502", 0),
        ("html_502_after", 1),
        ("html_200_after", 1),
        ("json_without_error", 1),
        ("empty_error", 1),
        ("hang_up_before", 0),
        ("hang_up_after", 1),
        ("reset_before", 0),
        ("reset_after", 1),
        ("cut", 1),
        ("broken", 1),
        ("without_id", 1),
        ("redirect", 0),
    ],
)
def test_what_may_have_been_posted_is_uncertain_and_the_timeline_tells(stage: Stage, fault: str, made: int) -> None:
    stage.sandbox.faults.add(faults.named(fault, method="POST"))

    with pytest.raises(Uncertain):
        stage.publish(HELLO)

    assert [receipt.remote_id for receipt in stage.channel.find(HELLO, NOON)] == [post["id"] for post in stage.posts]
    assert len(stage.posts) == made
    assert [call.method for call in stage.sandbox.calls] == ["POST", "GET"]


@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_does_not_come_is_uncertain(stage: Stage, after: bool) -> None:
    channel = stage.another(timeouts=(1.0, 0.1))
    stage.sandbox.faults.add(faults.Fault("delay", seconds=60, after=after, method="POST"))

    with pytest.raises(Uncertain) as failed:
        channel.publish(Prepared(HELLO), Deadline.after(5))
    channel.close()

    assert str(failed.value) == "X did not answer: no answer in time."
    assert len(stage.channel.find(HELLO, NOON)) == len(stage.posts) == int(after)


def test_an_answer_that_drips_is_ended_by_the_deadline(stage: Stage) -> None:
    stage.sandbox.faults.add(faults.Fault("drip", seconds=0.05, method="POST"))

    with pytest.raises(Uncertain):
        stage.publish(HELLO, seconds=0.3)

    assert len(stage.channel.find(HELLO, NOON)) == 1


def test_a_connection_that_breaks_is_told_in_words(stage: Stage) -> None:
    stage.sandbox.faults.add(faults.Fault("reset", method="POST"))

    with pytest.raises(Uncertain) as failed:
        stage.publish(HELLO)

    assert str(failed.value) == "X did not answer: the connection broke."


def test_nothing_is_sent_once_the_deadline_has_passed(stage: Stage) -> None:
    with pytest.raises(Unreachable) as failed:
        stage.channel.publish(Prepared(HELLO), Deadline.after(-1))

    assert str(failed.value) == "X was not reached: the time for this call was over."
    assert list(stage.sandbox.calls) == []


def test_nobody_at_the_door_means_nothing_was_sent(stage: Stage) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        channel = stage.another(base_url=f"http://127.0.0.1:{door.getsockname()[1]}")

        with pytest.raises(Unreachable) as failed:
            channel.publish(Prepared(HELLO), Deadline.after(5))
        channel.close()

    assert str(failed.value) == "X was not reached: no connection could be made."


# --- Reading back ------------------------------------------------------------------------------------------

SAME = [
    ("plain words", "Bonjour Rennes"),
    ("entities", "Thé & café < 3 > 2 &amp; &lt;"),
    ("accents apart", "Lyce\u0301e a\u0300 de\u0301couvrir"),
    ("links inside", "Voir https://exemple.fr/a?b=1&c=2 et (exemple.org/été), vite"),
    ("a link at the end", "Inscription : https://exemple.fr/ici."),
    ("white space", "Deux  espaces\n\n\net  des lignes "),
    ("emoji", "Rendez-vous 👩‍🎓🇫🇷 demain"),
    ("an e-mail address", "Écrire à cio@exemple.fr"),
]


@pytest.mark.parametrize("pictures", [(), (PNG,)], ids=["bare", "with a picture"])
@pytest.mark.parametrize("text", [text for _, text in SAME], ids=[name for name, _ in SAME])
def test_a_post_is_known_again_however_x_writes_it(stage: Stage, text: str, pictures: tuple[Picture, ...]) -> None:
    message = Message(text, key="k", pictures=pictures)

    receipt = stage.publish(message)

    assert stage.channel.find(message, NOON) == [replace(receipt, trace_id=None)]


def test_our_own_mark_tells_two_posts_of_the_same_words_apart(stage: Stage) -> None:
    stage.network.say(stage.account["id"], HELLO.text.replace("/l/k7", "/l/k77"))
    ours = stage.network.say(stage.account["id"], HELLO.text)

    assert [receipt.remote_id for receipt in stage.channel.find(HELLO, NOON)] == [ours["id"]]


def test_other_words_other_pictures_and_other_moments_are_other_posts(stage: Stage) -> None:
    message = Message("Bonjour", key="k")
    stage.network.say(stage.account["id"], "Bonjour")
    stage.sandbox.clock.set(LATER)
    stage.network.say(stage.account["id"], "Bonjour à tous")

    assert stage.channel.find(message, LATER) == []
    assert stage.channel.find(replace(message, pictures=(PNG,)), NOON) == []
    assert len(stage.channel.find(message, NOON + timedelta(minutes=2))) == 1


def test_what_was_deleted_is_not_found(stage: Stage) -> None:
    stage.channel.remove(stage.publish(HELLO))

    assert stage.channel.find(HELLO, NOON) == []


def test_a_post_that_shows_late_is_found_later(stage: Stage) -> None:
    stage.sandbox.faults.add(faults.Fault("late", seconds=90))
    receipt = stage.publish(HELLO)

    assert stage.channel.find(HELLO, NOON) == []
    stage.sandbox.clock.set(NOON + timedelta(seconds=91))
    assert stage.channel.find(HELLO, NOON) == [replace(receipt, trace_id=None)]


def test_all_pages_are_read(stage: Stage) -> None:
    ours = stage.network.say(stage.account["id"], HELLO.text)
    for turn in range(210):
        stage.network.say(stage.account["id"], f"Annonce {turn}")

    assert [receipt.remote_id for receipt in stage.channel.find(HELLO, NOON)] == [ours["id"]]
    assert len(stage.sandbox.calls) == 3


def test_reading_back_ends_where_x_ends(stage: Stage) -> None:
    page = {"data": [{"id": "4194304", "text": "Bonsoir"}], "meta": {"next_token": "again"}}
    stage.sandbox.faults.add(faults.answer(page, status=200, times=None))

    assert stage.channel.find(HELLO, NOON) == []
    assert len(stage.sandbox.calls) == 32


def test_a_moment_before_x_began_means_from_the_start(stage: Stage) -> None:
    receipt = stage.publish(HELLO)

    assert len(stage.channel.find(HELLO, datetime(2000, 1, 1, tzinfo=UTC))) == 1
    assert receipt.remote_id == stage.posts[0]["id"]


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=120), pictures=st.booleans()
)
@settings(max_examples=200, deadline=None)
@example("a&amp;b &lt; https://exemple.fr/?q=é&copy=1 exemple.fr.", True)
@example("<link> https://t.co/abc", False)
def test_whatever_is_said_is_known_again(text: str, pictures: bool) -> None:
    media = [{"media_key": "3_1"}] if pictures else []
    post = {"id": "4194304", "account_id": "1", "username": "a", "text": text, "media": media, "followers": 0}
    shown = x_posts.look(
        {**post, "created_at": NOON.isoformat()}, {"entities", "attachments"}, now=NOON, vocabulary="tweet"
    )

    assert x_reading.says(shown, Message(text, key="k", pictures=(PNG,) * pictures))


@pytest.mark.parametrize(
    ("text", "link", "is_it"),
    [
        ("Autres mots https://exemple.fr/l/k7", {"unwound_url": "https://exemple.fr/l/k7"}, True),
        ("Autres mots https://exemple.fr/l/k7", {"expanded_url": "https://exemple.fr/l/k7"}, True),
        ("Voir https://exemple.fr/l/k7", {"unwound_url": "https://exemple.fr/l/k77"}, False),
        ("Voir https://exemple.fr/l/k7", {"expanded_url": "https://court.exemple/1"}, True),
        ("Voir https://exemple.fr/l/autre", {"expanded_url": "https://exemple.fr/l/autre"}, True),
        ("Voir https://exemple.fr/", {}, True),
    ],
)
def test_our_mark_decides_where_we_set_one_and_it_came_back_and_words_do_elsewhere(
    text: str, link: dict[str, str], is_it: bool
) -> None:
    shown = {"text": "Voir https://t.co/abc", "entities": {"urls": [{"url": "https://t.co/abc", **link}]}}

    assert x_reading.says(shown, Message(text, key="k7")) is is_it


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        ({}, 0),
        ({"attachments": {"media_keys": ["3_1", "3_2"]}}, 2),
        ({"attachments": {"media_keys": ["3_1"]}, "entities": {"urls": [{"media_key": "3_1"}] * 2}}, 1),
        ({"attachments": "odd", "entities": {"urls": [{"media_key": "3_1"}, {"url": "https://t.co/a"}]}}, 1),
    ],
)
def test_pictures_are_counted_by_their_keys_wherever_x_tells_them(parts: dict[str, Any], number: int) -> None:
    shown = {"text": "Bonjour", **parts}

    assert [
        count for count in range(4) if x_reading.says(shown, Message("Bonjour", key="k", pictures=(PNG,) * count))
    ] == [number]


def test_no_id_is_older_than_x() -> None:
    assert (x_reading.id_at(datetime(2000, 1, 1, tzinfo=UTC)), x_reading.id_at(x_reading.moment_of("4194304"))) == (
        0,
        4194304,
    )


@pytest.mark.parametrize("word", ["note_tweet", "note_post"])
def test_a_long_post_is_read_whole(stage: Stage, word: str) -> None:
    post = {"id": "4194304", "text": "Bonj…", word: {"text": "Bonjour &amp; bienvenue"}}
    stage.sandbox.faults.add(faults.answer({"data": [post], "meta": {"result_count": 1}}, status=200))

    found = stage.channel.find(Message("Bonjour & bienvenue", key="k"), NOON)

    assert [receipt.remote_id for receipt in found] == ["4194304"]


def test_an_account_that_x_does_not_show_is_no_empty_page(stage: Stage) -> None:
    channel = stage.another(user_id="4194304")

    with pytest.raises(Refused):
        channel.find(HELLO, NOON)
    channel.close()


# --- Figures ---------------------------------------------------------------------------------------------


def values(figures: Any) -> dict[str, int | None]:
    return {figure.metric: figure.value for figure in figures}


def reasons(figures: Any) -> set[str | None]:
    return {figure.missing for figure in figures}


@pytest.mark.parametrize("vocabulary", ["tweet", "post"])
def test_figures_come_in_both_vocabularies(stage: Stage, vocabulary: str) -> None:
    stage.network.set_habits(vocabulary=vocabulary)
    stage.change(followers=100_000)
    receipt = stage.publish(HELLO)
    stage.sandbox.clock.set(NOON + timedelta(days=2))

    found = stage.channel.figures([receipt], OF_X).by_post[receipt.remote_id]

    assert [(figure.metric, figure.unit) for figure in found] == [
        ("impression_count", UnitKind.IMPRESSIONS),
        ("like_count", UnitKind.REACTIONS),
        ("repost_count", UnitKind.REACTIONS),
        ("reply_count", UnitKind.REACTIONS),
        ("quote_count", UnitKind.REACTIONS),
        ("bookmark_count", UnitKind.REACTIONS),
        ("url_link_clicks", UnitKind.CLICKS),
    ]
    assert all(figure.value for figure in found)


def test_figures_of_many_posts_come_by_the_hundred(stage: Stage) -> None:
    receipts = [Receipt(stage.network.say(stage.account["id"], f"Annonce {turn}")["id"]) for turn in range(150)]

    found = stage.channel.figures([*receipts, receipts[0]], OF_X)

    assert list(found.by_post) == [receipt.remote_id for receipt in receipts]
    assert len(stage.sandbox.calls) >= 4


def test_no_posts_cost_no_call(stage: Stage) -> None:
    assert stage.channel.figures([], OF_X).by_post == {}
    assert list(stage.sandbox.calls) == []


def test_of_nothing_that_is_asked_no_call_is_made(stage: Stage) -> None:
    assert stage.channel.figures([Receipt("4194304")], []).by_post == {}
    assert list(stage.sandbox.calls) == []


def test_where_no_figure_of_the_author_is_asked_for_one_call_is_enough(stage: Stage) -> None:
    receipt = stage.publish(HELLO)
    stage.sandbox.calls.clear()

    found = stage.channel.figures([receipt], OF_X[:2]).by_post[receipt.remote_id]

    assert [figure.metric for figure in found] == ["impression_count", "like_count"]
    assert len(stage.sandbox.calls) == 1


def test_a_figure_may_be_asked_for_by_its_name_in_the_other_vocabulary(stage: Stage) -> None:
    stage.network.set_habits(vocabulary="post")
    stage.change(followers=100_000)
    receipt = stage.publish(HELLO)
    stage.sandbox.clock.set(NOON + timedelta(days=2))

    found = stage.channel.figures([receipt], [Asked("retweet_count", UnitKind.REACTIONS)]).by_post[receipt.remote_id]

    assert found[0].value


@pytest.mark.parametrize("vocabulary", ["tweet", "post"])
def test_followers_are_those_of_this_moment(stage: Stage, vocabulary: str) -> None:
    stage.network.set_habits(vocabulary=vocabulary)
    stage.change(followers=1234)
    asked = [*OF_A_PROFILE, AskedOfPage("post_count", UnitKind.VIEWS, "moment")]
    stage.sandbox.calls.clear()

    told = stage.channel.page_figures(asked, NOON.date() - timedelta(days=9), NOON.date() - timedelta(days=1))

    assert told == [
        PageFigure("followers_count", UnitKind.PEOPLE, "moment", NOON.date(), 1234),
        PageFigure("post_count", UnitKind.VIEWS, "moment", NOON.date(), 0),
    ]
    assert len(stage.sandbox.calls) == 1


def test_of_days_that_have_passed_nothing_is_asked_and_nothing_paid(stage: Stage) -> None:
    by_day = [AskedOfPage("followers_count", UnitKind.PEOPLE, "day")]

    assert stage.channel.page_figures(by_day, NOON.date(), NOON.date()) == []
    assert list(stage.sandbox.calls) == []


@pytest.mark.parametrize(
    "data", [None, {}, {"id": "7", "public_metrics": {"followers_count": 3}}, {"public_metrics": []}]
)
def test_followers_of_an_answer_that_is_not_about_us_are_missing(stage: Stage, data: Any) -> None:
    stage.sandbox.faults.add(faults.answer({"data": data}, status=200))

    [told] = stage.channel.page_figures(OF_A_PROFILE, NOON.date(), NOON.date())

    assert (told.value, told.missing) == (None, "not given")


def test_followers_that_cannot_be_read_are_an_error(stage: Stage) -> None:
    stage.sandbox.faults.add(faults.named("too_many"))

    with pytest.raises(Throttled):
        stage.channel.page_figures(OF_A_PROFILE, NOON.date(), NOON.date())


def test_a_post_that_is_gone_has_figures_without_values(stage: Stage) -> None:
    gone, stands = stage.publish(HELLO), stage.publish(replace(HELLO, text="Encore"))
    stage.channel.remove(gone)

    found = stage.channel.figures([gone, stands], OF_X).by_post

    assert reasons(found[gone.remote_id]) == {"resource-not-found"}
    assert values(found[stands.remote_id])["impression_count"] == 0


def test_after_thirty_days_clicks_are_not_asked_for(stage: Stage) -> None:
    receipt = stage.publish(HELLO)
    stage.sandbox.clock.set(NOON + timedelta(days=31))
    stage.sandbox.calls.clear()

    found = stage.channel.figures([receipt], OF_X).by_post[receipt.remote_id]

    assert found[-1] == Figure("url_link_clicks", UnitKind.CLICKS, None, "older than 30 days")
    assert values(found)["impression_count"]
    assert len(stage.sandbox.calls) == 1


def test_one_refused_private_figure_leaves_the_others(stage: Stage) -> None:
    other = stage.network.create_account("autre")
    foreign = Receipt(stage.network.say(other["id"], HELLO.text)["id"])
    ours = stage.publish(HELLO)
    stage.sandbox.clock.set(NOON + timedelta(days=2))

    found = stage.channel.figures([foreign, ours], OF_X).by_post

    assert found[foreign.remote_id][-1].missing == "not-authorized-for-field"
    assert values(found[foreign.remote_id])["impression_count"]
    assert values(found[ours.remote_id])["url_link_clicks"] is not None


@pytest.mark.parametrize("fault", ["unavailable_before", "too_many", "reset_before", "redirect"])
def test_a_dead_private_call_leaves_the_public_figures(stage: Stage, fault: str) -> None:
    receipt = stage.publish(HELLO)
    stage.sandbox.clock.set(LATER)
    stage.sandbox.faults.add(faults.named(fault, contains="non_public_metrics"))

    found = stage.channel.figures([receipt], OF_X).by_post[receipt.remote_id]

    assert values(found)["impression_count"] is not None
    assert (found[-1].value, bool(found[-1].missing)) == (None, True)


def test_a_dead_second_batch_leaves_the_first(stage: Stage) -> None:
    receipts = [Receipt(stage.network.say(stage.account["id"], f"Annonce {turn}")["id"]) for turn in range(101)]
    stage.sandbox.faults.add(faults.html(503, contains=f"ids={receipts[100].remote_id}"))

    found = stage.channel.figures(receipts, OF_X)

    assert list(found.by_post) == [receipt.remote_id for receipt in receipts[:100]]


@pytest.mark.parametrize("way", ["refuses_fields", "ignores_fields"])
def test_the_new_name_of_the_fields_is_tried_once(stage: Stage, way: str) -> None:
    receipt = stage.publish(HELLO)
    stage.sandbox.clock.set(LATER)
    stage.network.set_habits(**{way: "tweet.fields"})
    stage.sandbox.calls.clear()

    first = stage.channel.figures([receipt], OF_X).by_post[receipt.remote_id]
    again = stage.channel.figures([receipt], OF_X).by_post[receipt.remote_id]

    assert values(first) == values(again)
    assert None not in values(first).values()
    assert len(stage.sandbox.calls) == 5


def test_the_new_name_is_also_tried_beside_a_post_that_is_gone(stage: Stage) -> None:
    receipt = stage.publish(HELLO)
    stage.network.set_habits(ignores_fields="tweet.fields")

    found = stage.channel.figures([receipt, Receipt("4194304")], OF_X).by_post

    assert None not in values(found[receipt.remote_id]).values()
    assert reasons(found["4194304"]) == {"resource-not-found"}


def test_reading_back_also_tries_the_new_name(stage: Stage) -> None:
    receipt = stage.publish(HELLO)
    stage.network.set_habits(refuses_fields="tweet.fields")

    assert [found.remote_id for found in stage.channel.find(HELLO, NOON)] == [receipt.remote_id]


def test_a_post_that_x_does_not_speak_of_is_absent(stage: Stage) -> None:
    stage.sandbox.faults.add(faults.answer({"meta": {"result_count": 0}}, status=200))

    assert stage.channel.figures([Receipt("4194304")], OF_X).by_post == {}


def test_a_refusal_among_figures_is_told_by_its_post_and_the_last_part_of_its_kind() -> None:
    told = x_reading.refusals(
        [
            {"resource_id": "1", "value": "9", "type": "https://api.x.com/2/problems/not-found"},
            {"value": "2", "type": "a/b"},
            {"value": "2", "type": "a/later"},
            {"resource_id": "3"},
            {"type": "a/nobody"},
            "odd",
        ]
    )

    assert told == {"1": "not-found", "2": "b", "3": "not given", "": "nobody"}


# --- Taking down ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 200])
def test_taking_down_twice_is_no_error(stage: Stage, status: int) -> None:
    stage.network.set_habits(gone_status=status)
    receipt = stage.publish(HELLO)

    stage.channel.remove(receipt)
    stage.channel.remove(receipt)

    assert stage.posts == []


def test_somebody_elses_post_stays(stage: Stage) -> None:
    other = stage.network.create_account("autre")
    foreign = Receipt(stage.network.say(other["id"], "Bonjour")["id"])

    with pytest.raises(Refused):
        stage.channel.remove(foreign)


# --- How the account is ------------------------------------------------------------------------------------


def found_by(channel: XAccount) -> list[tuple[Light, str]]:
    return [(finding.light, finding.code) for finding in channel.check().findings]


def test_a_sound_account_is_green(stage: Stage) -> None:
    health = stage.channel.check()

    assert health.findings == (Finding(Light.GREEN, "ok", {"username": "ij_bretagne"}),)
    assert (health.light, health.name, health.remote_id) == (Light.GREEN, "IJ Bretagne", stage.account["id"])


@pytest.mark.parametrize(
    ("changes", "light", "code"),
    [
        ({"revoked": True}, Light.RED, "keys_refused"),
        ({"read_only": True}, Light.RED, "read_only"),
        ({"credits": "0"}, Light.RED, "credits_used_up"),
        ({"suspended": True}, Light.RED, "suspended"),
        ({"enrolled": False}, Light.RED, "not_enrolled"),
        ({"username": "nouveau"}, Light.AMBER, "renamed"),
    ],
)
def test_what_is_wrong_with_an_account_is_named(stage: Stage, changes: dict[str, Any], light: Light, code: str) -> None:
    stage.change(**changes)

    assert found_by(stage.channel) == [(light, code)]


@pytest.mark.parametrize(
    ("fault", "light", "code"),
    [
        (answered(429), Light.AMBER, "throttled"),
        (answered(503), Light.RED, "unreachable"),
        (answered(200, "<html>"), Light.RED, "unreachable"),
        (answered(200, {}), Light.RED, "unreachable"),
        (answered(404), Light.RED, "check_refused"),
        (answered(403, {"type": PROBLEMS + "oauth1-permissions"}), Light.RED, "read_only"),
        (answered(401, {}, date="not a date"), Light.RED, "keys_refused"),
    ],
)
def test_what_went_wrong_in_a_check_is_named(stage: Stage, fault: faults.Fault, light: Light, code: str) -> None:
    stage.sandbox.faults.add(replace(fault, path="users/me"))

    assert found_by(stage.channel) == [(light, code)]


def test_a_token_of_another_account_is_named(stage: Stage) -> None:
    channel = stage.another(user_id="4194304")

    assert found_by(channel) == [(Light.RED, "wrong_account")]
    channel.close()


def test_a_wrong_clock_is_told_from_wrong_keys(stage: Stage) -> None:
    stage.network.set_habits(skew_seconds=1_000)

    assert found_by(stage.channel) == [(Light.RED, "clock_wrong")]


def test_an_apps_own_token_is_named(stage: Stage) -> None:
    channel = stage.another(**dict.fromkeys(KEYS), bearer_token=stage.account["app_token"])

    assert found_by(channel) == [(Light.RED, "not_an_account_token")]
    channel.close()


# --- Secrets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["keys", "bearer"])
def test_no_secret_is_ever_said(stage: Stage, caplog: pytest.LogCaptureFixture, way: str) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("tweepy", "oauthlib", "requests_oauthlib", "urllib3", "tweepy.client"):
        caplog.set_level(logging.DEBUG, logger=name)
    bearer = {**dict.fromkeys(KEYS), "bearer_token": stage.account["bearer_token"]}
    channel = stage.another(**(bearer if way == "bearer" else {}))
    secrets = [stage.account[key] for key in (*KEYS, "bearer_token")]
    echo = {"title": "Invalid Request", "detail": f"Not good: {' '.join(secrets)}"}
    said = [repr(channel), repr(channel.check()), repr(channel.rules)]

    for fault in (answered(400, echo), answered(500), faults.named("reset_before"), faults.named("redirect")):
        stage.sandbox.faults.add(fault)
        with pytest.raises(ChannelError) as caught:
            channel.publish(channel.prepare(HELLO), Deadline.after(5))
        said += [repr(caught.value), "".join(traceback.format_exception(caught.value))]
    channel.publish(channel.prepare(replace(HELLO, pictures=(PNG,))), Deadline.after(5))
    channel.close()

    spoken = "\n".join([*said, caplog.text])
    used = [stage.account["bearer_token"]] if way == "bearer" else [stage.account[key] for key in KEYS]
    assert [secret for secret in used if secret in spoken] == []
    assert HELLO.text not in caplog.text


# --- Rules ----------------------------------------------------------------------------------------------------

RULES = XRules()


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("Bonjour", 7),
        ("É à ç « » “ ” ’ – —", 19),
        ("\u00a0", 1),
        ("\u202f", 2),
        ("…", 2),
        ("€", 2),
        ("→", 2),
        ("№", 2),
        ("e\u0301", 1),
        ("日本", 4),
        ("👩‍👩‍👧‍👦", 2),
        ("🇫🇷", 2),
        ("https://exemple.fr/une/adresse/tres/longue/" + "a" * 60, 23),
        ("exemple.fr", 23),
        ("cio@exemple.fr", 14),
        ("(https://exemple.fr)", 25),
        ("\ud83d", 1),
    ],
)
def test_x_counts_as_x_counts(text: str, length: int) -> None:
    assert RULES.length(text) == length


def test_a_text_that_takes_long_to_count_is_over_the_limit_uncounted() -> None:
    assert [RULES.length("a." * 300), RULES.length("a" * 1_501)] == [600, 1_501]


@pytest.mark.parametrize(
    ("text", "codes"), [("a" * 280, []), ("a" * 281, ["text_too_long"]), ("…" * 141, ["text_too_long"])]
)
def test_the_limit_is_where_the_network_has_it(stage: Stage, text: str, codes: list[str]) -> None:
    message = Message(text, key="k")

    assert [problem.code for problem in RULES.problems(message)] == codes
    if codes:
        with pytest.raises(Refused):
            stage.channel.prepare(message)
        with pytest.raises(Refused):
            stage.channel.publish(Prepared(message), Deadline.after(5))
    else:
        assert stage.publish(message).remote_id == stage.posts[0]["id"]


def test_problems_are_told_all_at_once() -> None:
    big = Picture(bytes(5 * 1024 * 1024 + 1), "image/png", "é" * 1_001)
    message = Message("$AB $CD\ufeff", key="k", pictures=(PNG,) * 4 + (big,), targeting=Targeting(countries=("FR",)))

    assert RULES.problems(message) == [
        Problem("text_invalid_characters"),
        Problem("too_many_cashtags", {"max": 1}),
        Problem("too_many_pictures", {"count": 5, "max": 4}),
        Problem("picture_too_large", {"picture": 5, "max": 5 * 1024 * 1024}),
        Problem("alt_too_long", {"picture": 5, "max": 1_000}),
        Problem("cannot_gate"),
    ]
    assert [problem.code for problem in RULES.problems(Message(" ", key="k"))] == ["text_empty"]
    assert RULES.problems(Message("", key="k", pictures=(replace(PNG, mime="image/bmp"),))) == [
        Problem("picture_kind", {"picture": 1, "mime": "image/bmp"})
    ]


@pytest.mark.parametrize(
    ("message", "cost"),
    [
        (Message("Bonjour", key="k"), "0.015"),
        (Message("Bonjour exemple.fr", key="k"), "0.200"),
        (Message("Bonjour", key="k", pictures=(PNG, PLAIN)), "0.020"),
    ],
)
def test_the_price_told_is_the_price_taken(stage: Stage, message: Message, cost: str) -> None:
    stage.publish(message)

    assert RULES.cost(message) == Decimal(cost) == Decimal(stage.network.account(stage.account["id"])["spent"])


def test_prices_are_data() -> None:
    rules = XRules(max_length=500, price_post=Decimal(1), price_post_with_link=Decimal(2), price_alt=Decimal(3))

    assert rules.max_length == 500
    assert rules.cost(Message("Bonjour exemple.fr", key="k", pictures=(PNG,))) == 5


def test_ids_tell_their_moment(stage: Stage) -> None:
    receipt = stage.publish(HELLO)

    assert receipt.posted_at == datetime(2026, 11, 2, 12, tzinfo=UTC)
