"""Events: several dates, somewhere or online, and when the last date is over."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hub.domain.event import Event, Span, Timed, Timing, span_of

OPEN_DAY = {"begin": "2027-01-30T09:00", "end": "2027-01-30T12:00"}


def event(**changed: Any) -> Event:
    """An open day in Bruz, changed as a test needs it."""
    return Event.model_validate({"timings": [OPEN_DAY], "commune": "35047"} | changed)


def refused(**changed: Any) -> list[tuple[str, str]]:
    """Where and why such an event is refused."""
    with pytest.raises(ValidationError) as error:
        event(**changed)
    return [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in error.value.errors()]


def test_an_event_is_over_at_the_end_of_its_last_day_where_it_takes_place():
    both = [{"begin": "2027-02-06T14:00", "end": "2027-02-06T17:00"}, OPEN_DAY]

    assert event(timings=both).last_day_ends_at() == datetime(2027, 2, 6, 23, tzinfo=UTC)
    assert event(timings=both, zone="Pacific/Noumea").last_day_ends_at() == datetime(2027, 2, 6, 13, tzinfo=UTC)


def test_a_day_without_a_time_is_not_taken_for_midnight():
    told = "“2027-01-30” is not a date and time. Write it like 2026-12-01 18:00."

    assert refused(timings=[OPEN_DAY | {"begin": "2027-01-30"}]) == [("timings.0.begin", told)]


def test_an_event_that_ends_at_midnight_is_over_that_night():
    evening = {"begin": "2027-01-30T20:00", "end": "2027-01-31T00:00"}

    assert event(timings=[evening]).last_day_ends_at() == datetime(2027, 1, 30, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timing", "message"),
    [
        (("2027-01-30T12:00", "2027-01-30T09:00"), "An event must end after it begins."),
        (("2027-01-30T12:00", "2027-01-30T12:00"), "An event must end after it begins."),
        (
            ("2027-01-30T12:00+01:00", "2027-01-30T13:00+01:00"),
            "Write event times without an offset: the event's zone says where they are meant.",
        ),
        (("0001-01-30T12:00", "2027-01-30T13:00"), "Check the year: 2027 is not meant."),
        (("2027-01-30T12:00", "9999-12-31T23:00"), "Check the year: 9999 is not meant."),
    ],
)
def test_a_date_that_cannot_be_meant_is_refused(timing, message):
    assert refused(timings=[{"begin": timing[0], "end": timing[1]}]) == [("timings.0", message)]


def test_an_event_without_dates_is_refused():
    assert [where for where, _why in refused(timings=[])] == ["timings"]


@pytest.mark.parametrize("place", [{"commune": "35047"}, {"commune": None, "venue": "CFA de Bruz"}])
def test_an_event_takes_place_somewhere(place):
    assert event(**place).attendance.value == "on_site"


@pytest.mark.parametrize("attendance", ["on_site", "mixed"])
def test_an_event_that_is_nowhere_is_refused(attendance):
    assert refused(commune=None, attendance=attendance) == [
        ("", "Say where the event takes place: a commune or a venue, or make it online.")
    ]


def test_an_online_event_needs_its_link():
    assert refused(commune=None, attendance="online") == [("", "An online event needs its link.")]
    assert str(event(attendance="online", online="https://example.org/visio").online) == "https://example.org/visio"


@pytest.mark.parametrize("commune", ["2A004", "97133", "01001"])
def test_a_commune_is_named_by_its_insee_code(commune):
    assert event(commune=commune).commune == commune


@pytest.mark.parametrize("commune", ["1001", "C-35047", "Bruz", "2C004"])
def test_what_is_no_insee_code_is_refused(commune):
    assert [where for where, _why in refused(commune=commune)] == ["commune"]


def test_everything_that_is_wrong_with_the_fields_is_told_at_once():
    told = refused(timings=[], ages={"min": 26, "max": 16}, color="blue")

    assert [where for where, _why in told] == ["timings", "ages", "color"]


def test_an_unknown_zone_is_told_as_a_trouble_of_the_event():
    assert refused(zone="Europe/Rennes") == [
        ("", "Unknown time zone “Europe/Rennes”. Use a name such as Europe/Paris, or local.")
    ]


@pytest.mark.parametrize("ages", [{"min": 16, "max": 25}, {"min": 16}, {"max": 25}, {"min": 16, "max": 16}, {}])
def test_ages_may_be_open_on_either_side(ages):
    told = event(ages=ages).ages

    assert told is not None
    assert told.model_dump(exclude_none=True) == ages


def test_ages_that_are_crossed_are_refused():
    assert refused(ages={"min": 26, "max": 16}) == [("ages", "The highest age is below the lowest one.")]


def test_a_field_that_nobody_knows_is_refused_rather_than_lost():
    assert refused(comune="35047") == [("comune", "Extra inputs are not permitted")]


@pytest.mark.parametrize("number", [0, 1893456000, "1893456000", " -1.5 "])
def test_a_number_is_not_taken_for_seconds_since_1970(number):
    told = f"“{number}” is not a date and time. Write it like 2026-12-01 18:00."

    assert refused(timings=[OPEN_DAY | {"begin": number}]) == [("timings.0.begin", told)]


@pytest.mark.parametrize("written", ["2026-12-01T18:00", "2026-12-01 18:00:30", "2200-12-31T23:59:59.5"])
def test_the_document_of_the_api_describes_times_as_they_are_written(written):
    described = Timing.model_json_schema()["properties"]["begin"]

    assert re.fullmatch(described["pattern"], written)
    assert TypeAdapter(Timed).validate_python(written).isoformat(" ").startswith(written.replace("T", " "))


HALF = "\ud800"


@pytest.mark.parametrize(
    ("changed", "places"),
    [
        ({"venue": "a\0b"}, ["venue"]),
        ({"venue": HALF, "address": HALF}, ["address", "venue"]),
        ({"registration": {"phone": HALF}}, ["registration.phone"]),
        ({"timings": [OPEN_DAY, OPEN_DAY | {"end": "\0"}]}, ["timings.1.end"]),
        ({HALF: "x"}, [""]),
        ({"ages": {"\0": 3}}, ["ages"]),
    ],
)
def test_what_a_database_or_an_answer_cannot_hold_is_refused_where_it_stands(changed, places):
    sentence = "The text holds characters that no network can show. Type it anew."

    assert sorted(refused(**changed)) == [(place, sentence) for place in places]


def test_what_is_nested_beyond_counting_is_refused_like_any_other_nonsense():
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]

    assert refused(venue=deep) == [("venue", "Input should be a valid string")]


def span(begin: str, end: str, zone: str = "Europe/Paris") -> Span:
    """A timing on the line of time."""
    return span_of(Timing.model_validate({"begin": begin, "end": end}), zone)


def test_a_timing_is_two_moments_by_the_clocks_there():
    found = span("2027-01-30T09:00", "2027-01-30T12:00", "Pacific/Noumea")

    assert found.begin.astimezone(UTC) == datetime(2027, 1, 29, 22, tzinfo=UTC)
    assert found.begin.isoformat() == "2027-01-30T09:00:00+11:00"
    assert (found.first_day, found.last_day) == (date(2027, 1, 30), date(2027, 1, 30))
    assert not found.whole_days


@pytest.mark.parametrize("end", ["2027-02-01T00:00", "2027-01-31T23:59"])
def test_from_midnight_to_midnight_are_whole_days(end):
    found = span("2027-01-30T00:00", end)

    assert found.whole_days
    assert (found.first_day, found.last_day) == (date(2027, 1, 30), date(2027, 1, 31))


def test_an_hour_that_the_clocks_leave_out_is_moved_on_and_still_ends_after_it_begins():
    missing = span("2027-03-28T02:30", "2027-03-28T03:15")

    assert missing.begin.isoformat() == "2027-03-28T03:30:00+02:00"
    assert missing.end.isoformat() == "2027-03-28T04:15:00+02:00"


def test_of_a_doubled_hour_the_earlier_one_is_meant():
    assert span("2027-10-31T02:30", "2027-10-31T05:00").begin.isoformat() == "2027-10-31T02:30:00+02:00"


def test_spans_are_in_the_order_of_time():
    both = event(timings=[{"begin": "2027-02-06T14:00", "end": "2027-02-06T17:00"}, OPEN_DAY]).spans()

    assert [one.first_day for one in both] == [date(2027, 1, 30), date(2027, 2, 6)]
