"""Reach through the API: the report with what was before, the trend, and whose figures a delivery shows to whom."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from hub.database import writing
from hub.domain.account import AccountNetwork
from hub.domain.metric import Metric, Origin, Subject
from hub.domain.reach import Unit
from tests.services.counting import PEOPLE, VIEWS, published, read
from tests.services.desk import Desk
from tests.stage import Stage
from tests.web.conftest import Ask

NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30"}


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


def two_weeks(desk: Desk) -> None:
    """A post in each of two weeks, the second one seen more often."""
    [first] = published(desk, text="Un", when="2026-11-10T18:00")
    [second] = published(desk, text="Deux", when="2026-11-17T18:00")
    read(desk, first, **{PEOPLE: 100, VIEWS: 200})
    read(desk, second, **{PEOPLE: 130, VIEWS: 300})


def test_each_row_of_a_report_says_what_was_before(ask: Ask, desk: Desk):
    two_weeks(desk)

    told = ask("GET", "/reach/report", "analyst", params={"from": "2026-11-16", "to": "2026-11-22"}).json()

    assert told["before"] == {"from": "2026-11-09", "to": "2026-11-15"}
    assert {row["unit"]: (row["value"], row["before"], row["change"]) for row in told["rows"]} == {
        "people": (130, 100, 30.0),
        "views": (300, 200, 50.0),
    }


def test_nothing_is_compared_across_a_changed_definition(ask: Ask, desk: Desk):
    two_weeks(desk)
    with writing(desk.stage.hub.engine) as session:
        session.add(
            Metric(
                network=AccountNetwork.FACEBOOK, subject=Subject.POST, name="new_views", unit=Unit.VIEWS, additive=True,
                counted=True, valid_from=date(2026, 11, 15), replaces=VIEWS, definition="d", definition_en="d",
                origin=Origin.LOCAL,
            )
        )  # fmt: skip

    told = ask("GET", "/reach/report", "analyst", params={"from": "2026-11-16", "to": "2026-11-22"}).json()
    whole = ask("GET", "/reach/trend", "analyst", params=NOVEMBER).json()

    assert {row["unit"]: (row["change"], row["against"]) for row in told["rows"]}["views"] == (None, "broken")
    assert [(one["day"], one["before"], one["after"]) for one in whole["breaks"]] == [
        ("2026-11-15", VIEWS, "new_views")
    ]


def test_a_report_may_be_narrowed_to_a_network_a_kind_and_an_account(ask: Ask, desk: Desk):
    two_weeks(desk)
    rennes = desk.stage.accounts["rennes"]

    def rows(**narrowed: object) -> int:
        return len(ask("GET", "/reach/report", "analyst", params=NOVEMBER | narrowed).json()["rows"])

    assert (rows(network="facebook"), rows(network="x")) == (2, 0)
    assert (rows(kind="news"), rows(kind="event")) == (2, 0)
    assert (rows(account=rennes), rows(account=rennes + 1000)) == (2, 0)


@pytest.mark.parametrize("wrong", [{"network": "myspace"}, {"kind": "party"}, {"account": 0}, {"territory": "A-99"}])
def test_what_cannot_be_narrowed_so_is_refused_with_its_field(ask: Ask, desk: Desk, wrong: dict[str, object]):
    for path in ("/reach/report", "/reach/trend"):
        answer = ask("GET", path, "analyst", params=wrong)

        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["problems"]] == list(wrong)


def test_a_trend_goes_by_weeks_from_monday_on(ask: Ask, desk: Desk):
    two_weeks(desk)

    told = ask("GET", "/reach/trend", "analyst", params=NOVEMBER | {"step": "week", "by": "territory"}).json()

    assert [(one["first"], one["territory"], one["deliveries"]) for one in told["points"]] == [
        ("2026-11-09", "A-14", 1),
        ("2026-11-16", "A-14", 1),
    ]
    assert [one["figures"]["people"] for one in told["points"]] == [
        {"value": 100, "how": "single"},
        {"value": 130, "how": "single"},
    ]


def test_of_a_post_for_several_territories_each_sees_its_own_figures(ask: Ask, desk: Desk):
    desk.keys("A-32", "GP")
    rennes, guadeloupe = published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"])
    for one in (rennes, guadeloupe):
        read(desk, one, datetime(2026, 11, 20, tzinfo=UTC), **{PEOPLE: 50})

    def figures(who: str, number: int | None) -> list[int]:
        return [one["value"] for one in ask("GET", f"/deliveries/{number}", who).json()["figures"]]

    assert (figures("animator", rennes.id), figures("animator", guadeloupe.id)) == ([50], [])
    assert (figures("analyst", rennes.id), figures("analyst", guadeloupe.id)) == ([50], [50])
