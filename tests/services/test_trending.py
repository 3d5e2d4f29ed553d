"""Reach as it changes: by day, ISO week and month, by hour of the week, and compared with the period before."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.database import reading
from hub.domain.account import AccountNetwork
from hub.domain.delivery import Provenance
from hub.domain.metric import Break
from hub.domain.reach import How, Unit
from hub.services import reporting, trending
from hub.services.reporting import Cell, Frame, Told
from hub.services.trending import Against, Calendar, Point, Step
from tests.services.counting import PEOPLE, VIEWS, published, read
from tests.services.desk import Desk

NOVEMBER = Frame(date(2026, 11, 1), date(2026, 11, 30))
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def steps(desk: Desk, step: Step, frame: Frame = NOVEMBER, **rest: Any) -> list[Point]:
    with reading(desk.stage.hub.engine) as session:
        return trending.steps(session, frame, step, by=desk.who("analyst"), **rest)


def out(desk: Desk, when: str, views: int | None, **typed: Any) -> None:
    """A post that went out then, and was seen so often."""
    [delivery] = published(desk, when=when, text=f"Publication du {when}", **typed)
    read(desk, delivery, **{VIEWS: views})


# --- By time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Step.DAY, [("2026-11-08", 10), ("2026-11-09", 20), ("2026-11-15", 5)]),
        (Step.WEEK, [("2026-11-02", 10), ("2026-11-09", 25)]),
        (Step.MONTH, [("2026-11-01", 35)]),
    ],
)
def test_days_weeks_from_monday_to_sunday_and_months(desk: Desk, step: Step, told: list[tuple[str, int]]):
    for when, views in (("2026-11-08T23:30", 10), ("2026-11-09T00:30", 20), ("2026-11-15T12:00", 5)):
        out(desk, when, views)

    points = steps(desk, step)

    assert [(str(point.first), point.told.cells[Unit.VIEWS].value) for point in points] == told
    assert sum(point.told.deliveries for point in points) == 3


def test_weeks_are_those_of_the_calendar_of_iso_over_the_end_of_a_year(desk: Desk):
    out(desk, "2026-12-31T12:00", 1)
    out(desk, "2027-01-03T12:00", 2)
    out(desk, "2027-01-04T12:00", 4)

    with reading(desk.stage.hub.engine) as session:
        frame = Frame(date(2026, 12, 30), date(2027, 1, 31))
        points = trending.weekly(session, frame, by=desk.who("analyst"), keys=("area",))

    assert [(one.first.isocalendar()[:2], one.told.key, one.told.cells[Unit.VIEWS].value) for one in points] == [
        ((2026, 53), ("A-14",), 3),
        ((2027, 1), ("A-14",), 4),
    ]


def test_people_of_a_week_are_the_highest_single_figure_and_what_was_not_told_is_missing(desk: Desk):
    for when, number in (("2026-11-09T10:00", 120), ("2026-11-10T10:00", 80), ("2026-11-17T10:00", None)):
        [delivery] = published(desk, when=when, text=when)
        read(desk, delivery, **{PEOPLE: number})

    assert [point.told.cells[Unit.PEOPLE] for point in steps(desk, Step.WEEK)] == [
        Cell(120, How.AT_LEAST),
        Cell(None, How.MISSING),
    ]


def test_networks_and_provenances_have_points_of_their_own(desk: Desk):
    out(desk, "2026-11-10T10:00", 10)
    out(desk, "2026-11-10T11:00", 4, accounts=["facebook:FR"], audience=["A-14"])

    assert [
        (one.told.network, one.told.provenance, one.told.cells[Unit.VIEWS].value) for one in steps(desk, Step.WEEK)
    ] == [("facebook", Provenance.GATED, 4), ("facebook", Provenance.OWN_PAGE, 10)]


def test_the_hour_of_the_week_is_that_of_where_it_went_out(desk: Desk):
    out(desk, "2026-11-09T08:15", 10)
    out(desk, "2026-11-15T23:30", 5)
    with reading(desk.stage.hub.engine) as session:
        beats = trending.hourly(session, NOVEMBER, by=desk.who("analyst"))

    assert sorted((one.weekday, one.hour, one.told.cells[Unit.VIEWS].value) for one in beats) == [
        (0, 8, 10),
        (6, 23, 5),
    ]


@pytest.mark.parametrize(
    ("narrowed", "views"), [({"weekday": 0}, 10), ({"hour": 23}, 5), ({"weekday": 0, "hour": 23}, None)]
)
def test_a_report_may_be_narrowed_to_an_hour_of_the_week(desk: Desk, narrowed: dict[str, Any], views: int | None):
    out(desk, "2026-11-09T08:15", 10)
    out(desk, "2026-11-15T23:30", 5)
    frame = Frame(NOVEMBER.first, NOVEMBER.last, **narrowed)
    with reading(desk.stage.hub.engine) as session:
        told = reporting.told(session, frame, by=desk.who("analyst"))

    assert [one.cells[Unit.VIEWS].value for one in told] == ([] if views is None else [views])


@given(first=DAYS, length=st.integers(0, 400), step=st.sampled_from(Step))
def test_every_day_of_a_period_lies_in_exactly_one_step(first: date, length: int, step: Step):
    last = first + timedelta(days=length)
    begins = trending.starts(first, last, step)

    assert begins == sorted({trending.start(first + timedelta(days=number), step) for number in range(length + 1)})
    assert trending.following(begins[-1], step) > last


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, Step.DAY), (14, Step.DAY), (15, Step.WEEK), (28, Step.WEEK), (189, Step.WEEK), (190, Step.MONTH)],
)
def test_a_period_is_told_in_steps_that_fit_it(days: int, step: Step):
    first = date(2026, 11, 1)

    assert trending.fitting(first, first + timedelta(days=days - 1)) is step


# --- The period before --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "calendar", "earlier"),
    [
        # as many days before
        ("2026-11-05", "2026-11-14", None, ("2026-10-26", "2026-11-04")),
        ("2026-11-01", "2026-11-12", None, ("2026-10-20", "2026-10-31")),
        # months: a whole one with the whole one before, a begun one with as much of it
        ("2026-03-01", "2026-03-31", None, ("2026-02-01", "2026-02-28")),
        ("2026-02-01", "2026-02-28", None, ("2026-01-01", "2026-01-31")),
        ("2026-11-01", "2026-11-12", Calendar.MONTH, ("2026-10-01", "2026-10-12")),
        ("2026-03-01", "2026-03-30", Calendar.MONTH, ("2026-02-01", "2026-02-28")),
        # weeks
        ("2026-11-09", "2026-11-12", Calendar.WEEK, ("2026-11-02", "2026-11-05")),
        # years and school years
        ("2025-09-01", "2026-08-31", None, ("2024-09-01", "2025-08-31")),
        ("2025-01-01", "2025-12-31", None, ("2024-01-01", "2024-12-31")),
        ("2025-03-01", "2026-02-28", None, ("2024-03-01", "2025-02-28")),
        ("2026-09-01", "2026-11-12", Calendar.YEAR, ("2025-09-01", "2025-11-12")),
        ("2028-01-01", "2028-02-29", Calendar.YEAR, ("2027-01-01", "2027-02-28")),
    ],
)
def test_what_a_period_is_compared_with(first: str, last: str, calendar: Calendar | None, earlier: tuple[str, str]):
    found = trending.before(date.fromisoformat(first), date.fromisoformat(last), calendar)

    assert tuple(map(str, found)) == earlier


@given(first=DAYS, length=st.integers(0, 800))
def test_the_period_before_lies_before(first: date, length: int):
    last = first + timedelta(days=length)

    begin, end = trending.before(first, last)

    assert begin <= end < last
    assert end < first


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        ("2026-08-31", "2025-09-01", "2026-08-31"),
        ("2026-09-01", "2026-09-01", "2027-08-31"),
        ("2027-01-15", "2026-09-01", "2027-08-31"),
    ],
)
def test_a_school_year_goes_from_september_to_august(day: str, first: str, last: str):
    assert tuple(map(str, trending.school_year(date.fromisoformat(day)))) == (first, last)


# --- Comparing ----------------------------------------------------------------------------------------------


def told(network: str = "facebook", provenance: Provenance = Provenance.OWN_PAGE, **cells: Any) -> Told:
    """What one source told: a number, or a number and how it came."""
    made = {
        Unit(name): value if isinstance(value, Cell) else Cell(value, How.MISSING if value is None else How.SUM)
        for name, value in cells.items()
    }
    return Told((), network, provenance, 1, 1, False, made)


def at_least(value: int) -> Cell:
    return Cell(value, How.AT_LEAST)


BREAK = Break(date(2026, 6, 15), AccountNetwork.FACEBOOK, Unit.VIEWS, "post_impressions", "post_media_view")


@pytest.mark.parametrize(
    ("now", "before", "against", "percent"),
    [
        (told(views=150), told(views=100), Against.KNOWN, 50.0),
        (told(views=0), told(views=100), Against.KNOWN, -100.0),
        (told(views=150), told(views=0), Against.NOTHING, None),
        (told(views=150), told(views=None), Against.NOTHING, None),
        (told(views=None), told(views=100), Against.NOTHING, None),
        (told(views=at_least(150)), told(views=100), Against.IN_PART, None),
        (told(views=150), told(views=at_least(100)), Against.IN_PART, None),
        (told(people=at_least(90)), told(people=at_least(100)), Against.KNOWN, -10.0),
    ],
)
def test_two_periods_are_compared_where_both_are_known(
    now: Told, before: Told, against: Against, percent: float | None
):
    [change] = trending.compare([now], [before])

    assert (change.against, change.percent) == (against, percent)


def test_another_network_or_provenance_is_never_compared_with():
    changes = trending.compare(
        [told(views=10)],
        [told(network="portal", provenance=Provenance.PORTAL, views=5), told(provenance=Provenance.GATED, views=5)],
    )

    assert [(one.now, one.before, one.against) for one in changes] == [
        (Cell(10, How.SUM), None, Against.NOTHING),
        (None, Cell(5, How.SUM), Against.NOTHING),
        (None, Cell(5, How.SUM), Against.NOTHING),
    ]


def test_a_changed_definition_between_them_makes_two_periods_incomparable():
    views, clicks = trending.compare([told(views=150, clicks=3)], [told(views=100, clicks=2)], [BREAK])
    [elsewhere] = trending.compare([told("portal", views=150)], [told("portal", views=100)], [BREAK])

    assert (views.against, views.percent, views.broken) == (Against.BROKEN, None, BREAK)
    assert (clicks.against, clicks.percent) == (Against.KNOWN, 50.0)
    assert elsewhere.against is Against.KNOWN
