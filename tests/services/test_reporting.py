"""Reach per territory: provenance, at least, missing, silent territories, scope, local days, and the export."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from hub.database import reading
from hub.domain.delivery import DeliveryState, Provenance
from hub.domain.person import Actor, RoleKind
from hub.domain.reach import How, Unit
from hub.services import reporting
from hub.services.reporting import By, Report, Row
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, sent, visit
from tests.services.desk import Desk

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


def report(desk: Desk, by: str = "analyst", first: date = FIRST, last: date = LAST, **rest: Any) -> Report:
    with reading(desk.stage.hub.engine) as session:
        return reporting.report(session, by=desk.who(by), first=first, last=last, **rest)


def rows(told: Report) -> list[tuple[Any, ...]]:
    """Key, kind of figure, provenance, value and how it came, of each row."""
    return [(row.key, row.unit, row.provenance, row.value, row.how) for row in told.rows]


# --- Provenance ---------------------------------------------------------------------------------------------


def test_a_figure_of_an_academie_s_own_page_counts_for_that_academie(desk: Desk):
    [whole] = published(desk, audience=["A-14"])
    [part] = published(desk, audience=["D-35"], text="Autre chose")
    read(desk, whole, **{PEOPLE: 120})
    read(desk, part, **{PEOPLE: 80})

    told = report(desk)

    assert rows(told) == [("A-14", Unit.PEOPLE, Provenance.OWN_PAGE, 120, How.AT_LEAST)]
    assert (told.rows[0].name, told.rows[0].account, told.rows[0].posts) == ("Rennes", "Page rennes", 2)


def test_each_gated_delivery_of_the_national_page_counts_for_its_own_academie(desk: Desk):
    desk.keys("A-32", "GP")
    rennes, guadeloupe = published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, rennes, **{PEOPLE: 120})
    read(desk, guadeloupe, **{PEOPLE: 30})

    assert rows(report(desk)) == [
        ("A-14", Unit.PEOPLE, Provenance.GATED, 120, How.SINGLE),
        ("A-32", Unit.PEOPLE, Provenance.GATED, 30, How.SINGLE),
    ]


def test_a_national_post_counts_for_the_country_only_and_is_never_spread(desk: Desk):
    [delivery] = published(desk, audience=["FR"], accounts=["facebook:FR"])
    read(desk, delivery, **{PEOPLE: 5000, VIEWS: 9000})

    told = report(desk)

    assert rows(told) == [
        ("FR", Unit.PEOPLE, Provenance.NATIONAL, 5000, How.SINGLE),
        ("FR", Unit.VIEWS, Provenance.NATIONAL, 9000, How.SINGLE),
    ]
    assert len(told.silent) == 34


def test_x_counts_for_the_territory_that_wrote_and_keeps_that_it_was_not_limited(desk: Desk):
    [delivery] = published(desk, audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True)
    read(desk, delivery, impression_count=700, like_count=5, repost_count=2)

    told = report(desk)

    assert rows(told) == [
        ("A-14", Unit.IMPRESSIONS, Provenance.ORIGIN, 700, How.SINGLE),
        ("A-14", Unit.REACTIONS, Provenance.ORIGIN, 7, How.SINGLE),
    ]
    assert [row.unlimited for row in told.rows] == [True, True]


def test_the_portal_counts_for_the_territories_of_its_visitors(desk: Desk):
    [delivery] = published(desk, "animator", audience=["A-14", "A-32"], accounts=["portal:FR"])
    visit(desk, delivery, "A-14", Unit.VIEWS, 10)
    visit(desk, delivery, "C-35238", Unit.VIEWS, 4)
    visit(desk, delivery, "D-971", Unit.VIEWS, 3)
    visit(desk, delivery, "A-14", Unit.CLICKS, 1)

    assert rows(report(desk)) == [
        ("A-14", Unit.CLICKS, Provenance.PORTAL, 1, How.SINGLE),
        ("A-14", Unit.VIEWS, Provenance.PORTAL, 14, How.SINGLE),
        ("A-32", Unit.CLICKS, Provenance.PORTAL, 0, How.SINGLE),
        ("A-32", Unit.VIEWS, Provenance.PORTAL, 3, How.SINGLE),
        ("FR", Unit.CLICKS, Provenance.PORTAL, 0, How.SINGLE),
        ("FR", Unit.VIEWS, Provenance.PORTAL, 0, How.SINGLE),
    ]


def test_figures_of_different_provenance_are_never_joined(desk: Desk):
    [own] = published(desk, audience=["A-14"])
    [gated] = published(desk, audience=["A-14"], accounts=["facebook:FR"])
    read(desk, own, **{VIEWS: 10})
    read(desk, gated, **{VIEWS: 5})

    assert rows(report(desk)) == [
        ("A-14", Unit.VIEWS, Provenance.GATED, 5, How.SINGLE),
        ("A-14", Unit.VIEWS, Provenance.OWN_PAGE, 10, How.SINGLE),
    ]


# --- Several posts ------------------------------------------------------------------------------------------


@pytest.fixture
def two_posts(desk: Desk) -> Desk:
    """Two posts on one page: 120 and 80 people, 150 and 100 views, clicks of one only."""
    [first] = published(desk, kind="event")
    [second] = published(desk, kind="advice", text="Autre chose")
    read(desk, first, **{PEOPLE: 120, VIEWS: 150, CLICKS: 3})
    read(desk, second, **{PEOPLE: 80, VIEWS: 100, CLICKS: None})
    return desk


def test_over_several_posts_people_are_at_least_the_highest_and_views_are_summed(two_posts: Desk):
    assert rows(report(two_posts)) == [
        ("A-14", Unit.CLICKS, Provenance.OWN_PAGE, 3, How.AT_LEAST),
        ("A-14", Unit.PEOPLE, Provenance.OWN_PAGE, 120, How.AT_LEAST),
        ("A-14", Unit.VIEWS, Provenance.OWN_PAGE, 250, How.SUM),
    ]


@pytest.mark.parametrize(
    ("unit", "offset", "posts"),
    [(Unit.VIEWS, 0, [1, 2]), (Unit.CLICKS, 0, [1, 2]), (None, 0, [2, 1]), (Unit.VIEWS, 1, [2]), (None, 2, [])],
)
def test_one_page_comes_in_order_and_says_how_many_there_are_in_all(two_posts: Desk, unit, offset, posts):
    with reading(two_posts.stage.hub.engine) as session:
        frame, keys = reporting.Frame(FIRST, LAST), ("account_id", "post_id")
        told, count = reporting.highest(
            session, frame, unit, by=two_posts.who("analyst"), keys=keys, limit=2, offset=offset
        )
        whole = reporting.told(session, frame, by=two_posts.who("analyst"), keys=keys)

    assert ([one.key[-1] for one in told], count) == (posts, 2)
    assert [one for one in told if one not in whole] == []


@pytest.mark.parametrize(
    ("order", "keys"),
    [
        (By.TERRITORY, [("A-14", "Rennes", 120)]),
        (By.ACCOUNT, [("rennes", "Page rennes", 120)]),
        (By.KIND, [("advice", "advice", 80), ("event", "event", 120)]),
        (By.POST, [("1", "1", 120), ("2", "2", 80)]),
    ],
)
def test_a_report_is_ordered_by_territory_account_post_or_kind(two_posts: Desk, order, keys):
    told = report(two_posts, order=order)

    accounts = {str(number): name for name, number in two_posts.stage.accounts.items()}
    found = [
        (accounts[row.key] if order is By.ACCOUNT else row.key, row.name, row.value)
        for row in told.rows
        if row.unit is Unit.PEOPLE
    ]
    assert found == keys


def test_people_of_the_siblings_of_one_post_are_not_added_either(desk: Desk):
    desk.keys("A-32", "GP")
    rennes, guadeloupe = published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, rennes, **{PEOPLE: 120})
    read(desk, guadeloupe, **{PEOPLE: 30})

    [row] = report(desk, order=By.POST).rows

    assert (row.value, row.how, row.posts) == (120, How.AT_LEAST, 1)


def test_what_was_not_read_yet_is_missing_and_not_zero(desk: Desk):
    published(desk)

    told = report(desk)

    assert rows(told) == [("A-14", Unit.PEOPLE, Provenance.OWN_PAGE, None, How.MISSING)]
    assert reporting.shown(told.rows[0]) == "—"


def test_a_post_that_was_taken_down_keeps_its_figures(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    desk.move(delivery.id, state=DeliveryState.REMOVED)

    assert [row.value for row in report(desk).rows] == [120]


@pytest.mark.parametrize("state", ["waiting", "failed", "cancelled", "unknown", "review"])
def test_what_did_not_go_out_is_not_reported(desk: Desk, state):
    [delivery] = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=DeliveryState(state))

    told = report(desk)

    assert told.rows == []
    assert "A-14" in told.silent


@pytest.mark.parametrize(
    ("value", "how", "words"),
    [
        (120, How.SINGLE, "120 people"),
        (12345, How.AT_LEAST, "at least 12\u202f345 people"),
        (0, How.SINGLE, "0 people"),
        (None, How.MISSING, "—"),
    ],
)
def test_a_figure_is_told_in_words(value, how, words):
    row = Row("A-14", "Rennes", "Page", "facebook", Unit.PEOPLE, Provenance.OWN_PAGE, 1, value, how)

    assert reporting.shown(row) == words


# --- Silent territories and scope ---------------------------------------------------------------------------


def test_territories_in_which_nothing_was_published_are_named(desk: Desk):
    published(desk)

    silent = report(desk).silent

    assert len(silent) == 33
    assert "A-14" not in silent


def test_a_territory_with_figures_that_no_report_counts_is_not_silent(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, some_new_metric=7)

    told = report(desk)

    assert rows(told) == [("A-14", Unit.PEOPLE, Provenance.OWN_PAGE, None, How.MISSING)]
    assert "A-14" not in told.silent


def test_an_animator_sees_their_own_territory_and_what_concerns_everybody(desk: Desk):
    for by, typed in [
        ("animator", {}),
        ("stranger", {"audience": ["A-32"], "accounts": ["facebook:A-32"]}),
        ("coordinator", {"audience": ["FR"], "accounts": ["facebook:FR"]}),
    ]:
        [delivery] = published_by(desk, by, **typed)
        read(desk, delivery, **{PEOPLE: 10})

    seen = {who: [row.key for row in report(desk, who).rows] for who in ("animator", "stranger", "analyst")}

    assert seen == {"animator": ["A-14", "FR"], "stranger": ["A-32", "FR"], "analyst": ["A-14", "A-32", "FR"]}
    assert report(desk, "animator", first=date(2026, 1, 1), last=date(2026, 1, 31)).silent == ["A-14"]


def published_by(desk: Desk, by: str, **typed: Any) -> Any:
    """Like `published`, by somebody whom the other coordinator approves."""
    post_id = desk.submitted(by, **typed)
    desk.approve(post_id, "deputy")
    [delivery] = desk.deliveries(post_id)
    return sent(desk, post_id, delivery.due_at)


def test_somebody_without_a_role_sees_nothing(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 10})
    desk.stage.people["nobody"] = Actor(99, "nobody@example.org", "Nobody", ())

    told = report(desk, "nobody")

    assert (told.rows, told.silent) == ([], [])


def test_a_role_for_a_departement_sees_what_concerns_it(desk: Desk):
    desk.join("elue", RoleKind.ANALYST, "D-35")
    desk.join("voisine", RoleKind.ANALYST, "D-33")
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 10})

    assert [row.key for row in report(desk, "elue").rows] == ["A-14"]
    assert report(desk, "voisine").rows == []


def test_a_report_may_be_narrowed_to_one_territory(desk: Desk):
    desk.keys("A-32", "GP")
    for delivery in published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"]):
        read(desk, delivery, **{PEOPLE: 10})

    told = report(desk, territory="R-53")

    assert [row.key for row in told.rows] == ["A-14"]
    assert told.silent == []
    assert report(desk, territory="D-33").rows == []


def test_a_report_is_plain_data_with_null_for_what_is_missing(desk: Desk):
    published(desk)

    told = report(desk, territory="A-14").plain()

    assert told == {
        "by": "territory",
        "from": "2026-11-01",
        "to": "2026-11-30",
        "rows": [
            {
                "key": "A-14",
                "name": "Rennes",
                "account": "Page rennes",
                "network": "facebook",
                "unit": "people",
                "provenance": "own page",
                "posts": 1,
                "value": None,
                "how": "missing",
                "metrics": [PEOPLE],
                "unlimited": False,
            }
        ],
        "silent": [],
        "breaks": [],
    }


# --- Days ---------------------------------------------------------------------------------------------------


def test_a_post_counts_for_the_day_that_it_was_in_its_own_zone(desk: Desk):
    """Eight in the morning of the 11th in Nouméa is the evening of the 10th in Paris."""
    [delivery] = published_by(desk, "coordinator", audience=["A-40"], accounts=["portal:FR"], when="2026-11-11T08:00")

    on_the = {day: len(report(desk, first=date(2026, 11, day), last=date(2026, 11, day)).rows) for day in (10, 11, 12)}

    assert delivery.sent_at == datetime(2026, 11, 10, 21, tzinfo=UTC)
    assert on_the == {10: 0, 11: 2, 12: 0}


def test_first_and_last_day_are_both_within_the_period(desk: Desk):
    [delivery] = published(desk)
    assert delivery.sent_at is not None
    day = delivery.sent_at.date()

    whole = report(desk, first=day, last=day)
    before = report(desk, first=day - timedelta(days=9), last=day - timedelta(days=1))
    after = report(desk, first=day + timedelta(days=1), last=day + timedelta(days=9))

    assert [len(one.rows) for one in (whole, before, after)] == [1, 0, 0]


def test_a_period_may_be_as_long_as_the_calendar(desk: Desk):
    published(desk)

    assert len(report(desk, first=date.min, last=date.max).rows) == 1


# --- Size ---------------------------------------------------------------------------------------------------


def test_the_number_of_questions_does_not_grow_with_the_number_of_posts(desk: Desk):
    def asked() -> int:
        count = 0

        def one_more(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(desk.stage.hub.engine, "before_cursor_execute", one_more)
        try:
            report(desk)
        finally:
            event.remove(desk.stage.hub.engine, "before_cursor_execute", one_more)
        return count

    published(desk)
    asked()
    few = asked()
    for number in range(5):
        [delivery] = published(desk, text=f"Bonjour {number}")
        read(desk, delivery, **{PEOPLE: number})

    assert asked() == few
