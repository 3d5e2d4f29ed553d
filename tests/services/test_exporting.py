"""The rows of the export: one per figure, whose they are, what is too few to be told, read in short looks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session

from hub.database import reading
from hub.domain.account import AccountNetwork
from hub.domain.delivery import DeliveryState, Provenance
from hub.domain.person import Actor, RoleKind
from hub.domain.reach import Unit
from hub.services import exporting
from hub.services.cataloguing import SHIPPED_VERSION
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, visit
from tests.services.desk import Desk
from tests.services.taking import NOVEMBER, page_figure, planned, read_back, taken, written

REACH = "page_total_media_view_unique"


def told(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


# --- Figures of posts -----------------------------------------------------------------------------------------


def test_each_figure_is_one_row(desk: Desk):
    [delivery] = published(desk, kind="event", audience=["D-35"])
    read(desk, delivery, **{PEOPLE: 120, VIEWS: None})

    views, people = read_back(written(desk))

    assert people == {
        "day": "2026-11-10",
        "territory": "D-35",
        "territory_name": "Ille-et-Vilaine",
        "level": "departement",
        "account": "Page rennes",
        "network": "facebook",
        "post": str(delivery.post_id),
        "delivery": str(delivery.id),
        "kind": "event",
        "metric": PEOPLE,
        "unit": "people",
        "value": "120",
        "missing": "",
        "provenance": "own page",
        "limited": "yes",
        "first_read": "2026-11-10T18:00:00+00:00",
        "last_read": "2026-11-10T18:00:00+00:00",
        "catalogue_version": str(SHIPPED_VERSION),
    }
    assert (views["metric"], views["value"], views["missing"]) == (VIEWS, "", "not available")


def test_each_cell_has_its_type(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})

    [row] = taken(desk)

    assert (row["day"], row["value"], row["missing"]) == (date(2026, 11, 10), 120, None)
    assert (row["post"], row["delivery"]) == (delivery.post_id, delivery.id)
    assert row["first_read"] == row["last_read"] == datetime(2026, 11, 10, 18, tzinfo=UTC)


def test_what_was_not_read_yet_has_a_row_that_says_so(desk: Desk):
    published(desk)
    published(desk, accounts=["x:FR"], accepts_unlimited=True, text="Autre chose")

    assert told(taken(desk), "metric", "unit", "value", "missing", "first_read") == [
        (None, "people", None, "not read yet", None),
        (None, "impressions", None, "not read yet", None),
    ]


def test_what_was_not_limited_says_so(desk: Desk):
    [delivery] = published(desk, accounts=["x:FR"], accepts_unlimited=True)
    read(desk, delivery, impression_count=7)

    assert told(taken(desk), "limited", "provenance") == [("no", "origin")]


def test_every_provenance_says_whether_it_is_limited():
    assert set(exporting.LIMITED) == set(Provenance)


def test_figures_that_no_report_counts_are_there_too(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, some_new_metric=7)

    assert told(taken(desk), "metric", "value") == [("some_new_metric", 7)]


def test_a_post_that_was_taken_down_keeps_its_rows(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    desk.move(delivery.id, state=DeliveryState.REMOVED)

    assert told(taken(desk), "value") == [(120,)]


# --- Our own counts -------------------------------------------------------------------------------------------


def test_the_portal_counts_for_each_territory_that_was_looked_at(desk: Desk):
    [delivery] = published(desk, accounts=["portal:FR"])
    visit(desk, delivery, "C-35238", Unit.VIEWS, 40)
    visit(desk, delivery, "A-14", Unit.CLICKS, 7)

    rows = taken(desk)

    assert told(rows, "territory", "territory_name", "level", "metric", "value") == [
        ("A-14", "Rennes", "academie", "portal_clicks", 7),
        ("A-14", "Rennes", "academie", "portal_views", 0),
        ("C-35238", "Rennes", "commune", "portal_clicks", 0),
        ("C-35238", "Rennes", "commune", "portal_views", 40),
    ]
    assert {row["first_read"] for row in rows} == {None}


@pytest.mark.parametrize(("count", "value", "missing"), [(1, None, "< 5"), (4, None, "< 5"), (5, 5, None)])
def test_of_our_own_counts_fewer_than_five_are_not_told(desk: Desk, count, value, missing):
    [delivery] = published(desk, accounts=["portal:FR"])
    visit(desk, delivery, "A-14", Unit.VIEWS, count)

    assert told(taken(desk), "metric", "value", "missing") == [
        ("portal_clicks", 0, None),
        ("portal_views", value, missing),
    ]


def test_figures_of_networks_are_told_however_few(desk: Desk):
    [delivery] = published(desk)
    read(desk, delivery, **{CLICKS: 3})

    assert told(taken(desk), "value", "missing") == [(3, None)]


@pytest.mark.parametrize(("count", "value", "missing"), [(0, 0, None), (3, None, "< 5"), (12, 12, None)])
def test_arrivals_by_our_link_stand_beside_what_the_network_tells(desk: Desk, count, value, missing):
    [delivery] = published(desk, link="https://example.org/portes-ouvertes")
    read(desk, delivery, **{CLICKS: 30})
    if count:
        visit(desk, delivery, "A-14", Unit.CLICKS, count)

    assert told(taken(desk), "metric", "unit", "value", "missing", "provenance") == [
        (CLICKS, "clicks", 30, None, "own page"),
        ("link_arrivals", "arrivals", value, missing, "own page"),
    ]


# --- Figures of pages -----------------------------------------------------------------------------------------


def test_a_page_as_a_whole_has_rows_of_its_own(desk: Desk):
    page_figure(desk, "rennes", REACH, date(2026, 11, 5), 900, period="week")
    page_figure(desk, "rennes", "page_follows_city", date(2026, 11, 5), 2, dimension="Rennes, Bretagne")
    page_figure(desk, "national", REACH, date(2026, 11, 6), None)
    page_figure(desk, "x", "followers_count", date(2026, 11, 6), 12, period="moment")

    rows = taken(desk)

    assert told(rows, "day", "territory", "account", "metric", "value", "missing", "provenance", "limited") == [
        (date(2026, 11, 6), "FR", "Page national", f"{REACH}:day", None, "not available", "national", "no"),
        (
            date(2026, 11, 5),
            "A-14",
            "Page rennes",
            "page_follows_city:day:Rennes, Bretagne",
            2,
            None,
            "own page",
            "yes",
        ),
        (date(2026, 11, 5), "A-14", "Page rennes", f"{REACH}:week", 900, None, "own page", "yes"),
        (date(2026, 11, 6), "FR", "Page x", "followers_count:moment", 12, None, "origin", "no"),
    ]
    assert {(row["post"], row["delivery"], row["kind"]) for row in rows} == {(None, None, None)}
    assert rows[0]["last_read"] - rows[0]["first_read"] == timedelta(days=1)


def test_pages_of_others_and_days_of_other_months_are_left_out(desk: Desk):
    page_figure(desk, "rennes", REACH, date(2026, 11, 5), 900)
    page_figure(desk, "elsewhere", REACH, date(2026, 11, 5), 800)
    page_figure(desk, "national", REACH, date(2026, 11, 5), 700)
    page_figure(desk, "rennes", REACH, date(2026, 12, 1), 600)

    seen = {who: {row["value"] for row in taken(desk, who)} for who in ("animator", "stranger", "analyst")}

    assert seen == {"animator": {900, 700}, "stranger": {800, 700}, "analyst": {900, 800, 700}}


@pytest.mark.parametrize(
    ("narrowed", "values"),
    [
        ({"territory": "R-53"}, {900}),
        ({"territory": "FR"}, {900, 700, 12}),
        ({"network": "x"}, {12}),
        ({"provenance": Provenance.NATIONAL}, {700}),
        ({"kind": "event"}, set()),
    ],
)
def test_pages_are_narrowed_as_posts_are(desk: Desk, narrowed, values):
    page_figure(desk, "rennes", REACH, date(2026, 11, 5), 900)
    page_figure(desk, "national", REACH, date(2026, 11, 5), 700)
    page_figure(desk, "x", "followers_count", date(2026, 11, 5), 12)

    assert {row["value"] for row in taken(desk, **narrowed)} == values


def test_one_account_may_be_asked_for(desk: Desk):
    page_figure(desk, "rennes", REACH, date(2026, 11, 5), 900)
    page_figure(desk, "national", REACH, date(2026, 11, 5), 700)

    assert told(taken(desk, account_id=desk.stage.accounts["national"]), "value") == [(700,)]


# --- Whose ----------------------------------------------------------------------------------------------------


def test_an_animator_takes_away_their_own_figures_and_those_of_everybody(desk: Desk):
    desk.keys("A-32", "GP")
    for delivery in published(desk, "deputy", audience=["A-14", "A-32"], accounts=["facebook:FR"]):
        read(desk, delivery, **{PEOPLE: 10})
    [national] = published(desk, "deputy", audience=["FR"], accounts=["facebook:FR"], text="Pour tous")
    read(desk, national, **{PEOPLE: 99})

    seen = {who: [row["territory"] for row in taken(desk, who)] for who in ("animator", "stranger", "analyst")}

    assert seen == {"animator": ["A-14", "FR"], "stranger": ["A-32", "FR"], "analyst": ["A-14", "A-32", "FR"]}


def test_somebody_without_a_role_takes_nothing_away(desk: Desk):
    [delivery] = published(desk, "deputy", audience=["FR"], accounts=["facebook:FR"])
    read(desk, delivery, **{PEOPLE: 10})
    page_figure(desk, "national", REACH, date(2026, 11, 5), 700)
    desk.stage.people["nobody"] = Actor(99, "nobody@example.org", "Nobody", ())

    assert taken(desk, "nobody") == []


def test_a_territory_may_be_asked_for(desk: Desk):
    desk.keys("A-32", "GP")
    for delivery in published(desk, "deputy", audience=["A-14", "A-32"], accounts=["facebook:FR"]):
        read(desk, delivery, **{PEOPLE: 10})

    assert told(taken(desk, territory="R-53"), "territory") == [("A-14",)]
    assert taken(desk, territory="D-33") == []


def test_the_account_of_a_small_town_is_known_by_name(desk: Desk):
    desk.join("maire", RoleKind.ANALYST, "D-35")
    desk.page("C-35238", AccountNetwork.FACEBOOK)
    page_figure(desk, "C-35238", REACH, date(2026, 11, 5), 50)

    assert told(taken(desk, "maire"), "territory", "territory_name") == [("C-35238", "Rennes")]


# --- Read in short looks --------------------------------------------------------------------------------------


def test_everything_is_read_however_small_the_looks(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    for number in range(5):
        [delivery] = published(desk, text=f"Bonjour {number}", when=f"2026-11-{10 + number // 2}T18:00")
        read(desk, delivery, **{VIEWS: 10**number, PEOPLE: number})
    [portal] = published(desk, accounts=["portal:FR"], text="Chez nous")
    for code in ("C-35238", "C-35001", "C-35002", "A-14"):
        visit(desk, portal, code, Unit.VIEWS, 9)
    for number in range(1, 6):
        page_figure(desk, "rennes", REACH, date(2026, 11, number), number)
    whole = taken(desk)

    for page, at_once in ((2, 1), (3, 2), (1, 1)):
        monkeypatch.setattr(exporting, "PAGE", page)
        monkeypatch.setattr(exporting, "AT_ONCE", at_once)
        assert taken(desk) == whole
    assert len(whole) == 10 + 8 + 5


def test_the_rows_are_as_many_as_were_counted(desk: Desk):
    [delivery] = published(desk, link="https://example.org/")
    read(desk, delivery, **{VIEWS: 12, PEOPLE: None})
    published(desk, text="Pas encore lu")
    [portal] = published(desk, accounts=["portal:FR"], text="Chez nous")
    visit(desk, portal, "C-35238", Unit.VIEWS, 9)
    page_figure(desk, "rennes", REACH, date(2026, 11, 5), 900)
    page_figure(desk, "rennes", REACH, date(2026, 12, 5), 900)

    for who in ("analyst", "animator", "stranger"):
        with reading(desk.stage.hub.engine) as session:
            number = exporting.count(session, planned(desk, who))
        assert number == len(taken(desk, who))


def test_no_transaction_is_open_while_rows_are_handed_over(desk: Desk):
    published(desk)
    page_figure(desk, "rennes", REACH, date(2026, 11, 5), 900)
    open_now: list[Session] = []

    class Look(AbstractContextManager[Session]):
        def __enter__(self) -> Session:
            self._inner = reading(desk.stage.hub.engine)
            open_now.append(self._inner.__enter__())
            return open_now[-1]

        def __exit__(self, *trouble: Any) -> None:
            open_now.pop()
            self._inner.__exit__(*trouble)

    seen = [len(open_now) for _entry in exporting.entries(Look, planned(desk))]

    assert seen == [0, 0]


def test_a_period_may_be_as_long_as_the_calendar(desk: Desk):
    published(desk)

    assert len(taken(desk, first=date.min, last=date.max)) == 1


def test_an_unknown_provenance_is_no_row_but_a_fault(desk: Desk):
    from sqlalchemy import text

    from hub.database import writing

    published(desk)
    with writing(desk.stage.hub.engine) as session:
        session.execute(text("UPDATE reached SET provenance = 'elsewhere'"))

    with pytest.raises(KeyError):
        taken(desk)


# --- Moments and names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kept",
    [
        "2026-11-10 18:00:00.123456",
        "2026-11-10 18:00:00",
        datetime(2026, 11, 10, 18, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 10, 19, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_a_moment_is_told_to_the_second_however_a_database_hands_it_over(kept):
    assert exporting.moment(kept) == datetime(2026, 11, 10, 18, tzinfo=UTC)
    assert exporting.moment_text(kept) == "2026-11-10T18:00:00+00:00"


def test_no_moment_stays_none():
    assert exporting.moment(None) is None


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("page_follows", "day"), "page_follows:day"),
        (("page_follows_city", "day", "Rennes"), "page_follows_city:day:Rennes"),
        (("post_clicks", ""), "post_clicks"),
    ],
)
def test_a_figure_of_a_page_has_one_name(parts, name):
    assert exporting.metric_name(*parts) == name


def test_the_plan_knows_whose_figures_it_holds(desk: Desk):
    plan = planned(desk, "animator")

    assert (plan.frame, list(plan.sees)) == (NOVEMBER, ["A-14"])
    assert list(exporting.entries(partial(reading, desk.stage.hub.engine), plan)) == []
