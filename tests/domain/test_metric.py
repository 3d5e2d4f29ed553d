"""Metrics: when each is told, what a name means on a day, and where a series is broken."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hub.domain.account import AccountNetwork
from hub.domain.delivery import Provenance
from hub.domain.metric import Break, Catalogue, Metric, Subject
from hub.domain.population import can_rate
from hub.domain.reach import Unit

CHANGE = date(2026, 6, 1)


def metric(name: str, **rest: Any) -> Metric:
    """A figure of posts on Facebook."""
    usual: dict[str, Any] = {
        "network": AccountNetwork.FACEBOOK, "subject": Subject.POST, "name": name, "unit": Unit.VIEWS,
        "additive": True, "counted": True, "valid_from": date(2010, 1, 1), "definition": "d", "definition_en": "d",
    }  # fmt: skip
    return Metric(**(usual | rest))


OLD = metric("old", valid_until=CHANGE)
NEW = metric("new", valid_from=CHANGE, replaces="old")
PAGE = metric("page", subject=Subject.PAGE, period="day", counted=False)
ELSEWHERE = metric("old", network=AccountNetwork.X, unit=Unit.IMPRESSIONS)
CATALOGUE = Catalogue([OLD, NEW, PAGE, ELSEWHERE], "1")


@pytest.mark.parametrize(
    ("day", "told"), [(date(2009, 12, 31), False), (date(2010, 1, 1), True), (date(2026, 5, 31), True), (CHANGE, False)]
)
def test_a_metric_is_told_from_its_first_day_until_the_one_that_it_ends_on(day, told):
    assert OLD.is_valid(day) == told


def test_a_network_is_asked_for_what_it_tells_on_that_day():
    asked = CATALOGUE.asked

    assert asked(AccountNetwork.FACEBOOK, Subject.POST, date(2026, 5, 31)) == [OLD]
    assert asked(AccountNetwork.FACEBOOK, Subject.POST, CHANGE) == [NEW]
    assert asked(AccountNetwork.FACEBOOK, Subject.PAGE, CHANGE) == [PAGE]
    assert asked(AccountNetwork.PORTAL, Subject.POST, CHANGE) == []


def test_a_name_means_what_it_meant_on_that_day():
    again = metric("old", valid_from=date(2027, 1, 1), unit=Unit.CLICKS)
    catalogue = Catalogue([OLD, again], "1")

    assert catalogue.named("facebook", "old", date(2026, 1, 1)) is OLD
    assert catalogue.named("facebook", "old", date(2027, 1, 1)) is again
    assert catalogue.named("facebook", "old", date(2026, 7, 1)) is again
    assert catalogue.named("facebook", "old") is again
    assert catalogue.named("facebook", "unheard_of") is None


def test_reports_count_what_the_catalogue_says_they_do():
    assert CATALOGUE.counts("facebook", "new")
    assert not CATALOGUE.counts("facebook", "page")
    assert not CATALOGUE.counts("x", "new")


def test_what_another_one_took_over_from_is_replaced_where_both_are_there():
    assert CATALOGUE.replaced("facebook", ["old", "new"]) == {"old"}
    assert CATALOGUE.replaced("facebook", ["old"]) == CATALOGUE.replaced("x", ["old", "new"]) == set()


@pytest.mark.parametrize(
    ("first", "last", "broken"),
    [
        (date(2026, 5, 1), date(2026, 6, 30), True),
        (date(2026, 5, 31), CHANGE, True),
        (CHANGE, date(2026, 6, 30), False),
        (date(2026, 5, 1), date(2026, 5, 31), False),
    ],
    ids=["within", "on the last day", "on the first day", "after"],
)
def test_a_series_is_broken_where_a_newer_metric_takes_over_within_a_period(first, last, broken):
    [expected] = [Break(CHANGE, AccountNetwork.FACEBOOK, Unit.VIEWS, "old", "new")]

    assert CATALOGUE.breaks(first, last) == ([expected] if broken else [])


def test_only_people_of_the_territory_itself_may_be_told_per_thousand():
    rated = {one for one in Provenance if can_rate(Unit.PEOPLE, one)}

    assert rated == {Provenance.OWN_PAGE, Provenance.GATED, Provenance.NATIONAL}
    assert [one for one in Unit if can_rate(one, Provenance.OWN_PAGE)] == [Unit.PEOPLE]
