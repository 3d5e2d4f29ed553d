"""Wall times and zones: hours that do not exist, hours that occur twice, and days that differ."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.clock import Fold, end_of_day, instant, local_day, place_of, zone_info
from hub.domain.errors import Invalid

WINTER_AND_SUMMER = {
    "Europe/Paris": ("17:00", "16:00"),
    "America/Guadeloupe": ("22:00", "22:00"),
    "America/Martinique": ("22:00", "22:00"),
    "America/Marigot": ("22:00", "22:00"),
    "America/St_Barthelemy": ("22:00", "22:00"),
    "America/Cayenne": ("21:00", "21:00"),
    "America/Miquelon": ("21:00", "20:00"),
    "Indian/Mayotte": ("15:00", "15:00"),
    "Indian/Reunion": ("14:00", "14:00"),
    "Pacific/Noumea": ("07:00", "07:00"),
    "Pacific/Wallis": ("06:00", "06:00"),
    "Pacific/Tahiti": ("04:00+1", "04:00+1"),
    "Pacific/Marquesas": ("03:30+1", "03:30+1"),
    "Pacific/Gambier": ("03:00+1", "03:00+1"),
}
"""Six in the evening, on 15 January and 15 July, in UTC; `+1`: of the next day."""


def typed(wall: str) -> datetime:
    """A wall time, as people type it."""
    return datetime.fromisoformat(wall)


def _utc(day: datetime, told: str) -> datetime:
    hour, _plus, later = told.partition("+")
    return datetime.combine(day.date() + timedelta(days=int(later or 0)), time.fromisoformat(hour), UTC)


@pytest.mark.parametrize("zone", WINTER_AND_SUMMER)
def test_six_in_the_evening_is_another_instant_in_every_french_zone(zone):
    winter, summer = typed("2027-01-15T18:00"), typed("2027-07-15T18:00")

    told = (instant(winter, zone), instant(summer, zone))

    assert told == tuple(_utc(day, hour) for day, hour in zip((winter, summer), WINTER_AND_SUMMER[zone], strict=True))


def test_the_french_zones_are_fourteen():
    assert len(WINTER_AND_SUMMER) == 14


@pytest.mark.parametrize(
    ("zone", "wall", "before", "later", "day"),
    [
        ("Europe/Paris", typed("2027-03-28T02:30"), "01:30", "03:30", "28/03/2027 at 02:30"),
        ("Europe/Paris", typed("2027-03-28T02:00"), "01:00", "03:00", "28/03/2027 at 02:00"),
        ("America/Miquelon", typed("2027-03-14T02:15"), "01:15", "03:15", "14/03/2027 at 02:15"),
    ],
)
def test_an_hour_that_clocks_skip_is_refused_with_the_hours_around_it(zone, wall, before, later, day):
    with pytest.raises(Invalid) as refused:
        instant(wall, zone, Fold.LATER)

    assert [(one.field, one.message) for one in refused.value.problems] == [
        ("when", f"{day} does not exist in {place_of(zone)}: clocks go forward that night. Take {before} or {later}.")
    ]


@pytest.mark.parametrize("wall", [typed("2027-03-28T01:59"), typed("2027-03-28T03:00")])
def test_the_minutes_around_a_skipped_hour_exist(wall):
    assert instant(wall, "Europe/Paris") == datetime(2027, 3, 28, 0 if wall.hour == 1 else 1, wall.minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "wall", "earlier"),
    [
        ("Europe/Paris", typed("2026-10-25T02:30"), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("America/Miquelon", typed("2026-11-01T01:30"), datetime(2026, 11, 1, 3, 30, tzinfo=UTC)),
    ],
)
def test_an_hour_that_occurs_twice_is_asked_about_and_either_may_be_meant(zone, wall, earlier):
    with pytest.raises(Invalid) as asked:
        instant(wall, zone)

    assert [one.field for one in asked.value.problems] == ["fold"]
    assert str(asked.value).endswith("clocks go back that night. Say which one: the earlier or the later.")
    assert instant(wall, zone, Fold.EARLIER) == earlier
    assert instant(wall, zone, Fold.LATER) == earlier + timedelta(hours=1)


@pytest.mark.parametrize("fold", [None, Fold.EARLIER, Fold.LATER])
def test_a_choice_changes_nothing_where_there_is_none(fold):
    assert instant(typed("2026-12-01T18:00"), "Europe/Paris", fold) == datetime(2026, 12, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", "local", "Paris", "europe/paris", "../../etc/passwd", "UTC+1"])
def test_an_unknown_zone_is_refused_with_an_example(zone):
    with pytest.raises(Invalid) as refused:
        zone_info(zone)

    assert [(one.field, one.message) for one in refused.value.problems] == [
        ("zone", f"Unknown time zone “{zone}”. Use a name such as Europe/Paris, or local.")
    ]


def test_the_day_in_noumea_may_be_tomorrows_and_in_tahiti_yesterdays():
    moment = datetime(2026, 11, 2, 14, tzinfo=UTC)

    days = {zone: local_day(moment, zone).day for zone in ("Pacific/Noumea", "Pacific/Wallis", "Europe/Paris")}

    assert days == {"Pacific/Noumea": 3, "Pacific/Wallis": 3, "Europe/Paris": 2}
    assert local_day(datetime(2026, 11, 2, 8, tzinfo=UTC), "Pacific/Tahiti") == date(2026, 11, 1)


def test_it_is_tomorrow_on_wallis_while_it_is_today_in_tahiti():
    moment = instant(typed("2026-11-03T10:00"), "Pacific/Wallis")

    assert moment == datetime(2026, 11, 2, 22, tzinfo=UTC)
    assert local_day(moment, "Pacific/Tahiti") == date(2026, 11, 2)
    assert local_day(moment, "Pacific/Wallis") == date(2026, 11, 3)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 10, 25), "Europe/Paris", 25),
        (date(2027, 3, 28), "Europe/Paris", 23),
        (date(2026, 12, 31), "Pacific/Noumea", 24),
    ],
)
def test_a_day_ends_when_the_next_one_begins_there(day, zone, hours):
    assert end_of_day(day, zone) - end_of_day(day - timedelta(days=1), zone) == timedelta(hours=hours)
    assert local_day(end_of_day(day, zone), zone) == day + timedelta(days=1)


@given(st.datetimes(typed("2026-01-01T00:00"), typed("2028-12-31T00:00")), st.sampled_from(sorted(WINTER_AND_SUMMER)))
def test_a_wall_time_is_read_back_from_its_instant_as_typed(wall, zone):
    try:
        moment = instant(wall, zone, Fold.EARLIER)
    except Invalid:
        assert zone in {"Europe/Paris", "America/Miquelon"}
        return

    assert moment.astimezone(zone_info(zone)).replace(tzinfo=None) == wall
