"""Reach: people are never added up, what is missing is never zero, missed readings are skipped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.reach import ADDITIVE, SLOTS, How, Unit, combine, first_slot, next_slot, slot_at

SENT = datetime(2026, 11, 2, 17, tzinfo=UTC)
VALUES = st.lists(st.none() | st.integers(0, 10**9), max_size=8)


def hours(number: float) -> datetime:
    return SENT + timedelta(hours=number)


# --- Adding up ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "values", "told"),
    [
        (Unit.PEOPLE, [120], (120, How.SINGLE)),
        (Unit.PEOPLE, [120, 80], (120, How.AT_LEAST)),
        (Unit.PEOPLE, [120, None], (120, How.AT_LEAST)),
        (Unit.PEOPLE, [None, None], (None, How.MISSING)),
        (Unit.PEOPLE, [0], (0, How.SINGLE)),
        (Unit.PEOPLE, [], (None, How.MISSING)),
        (Unit.VIEWS, [120, 80], (200, How.SUM)),
        (Unit.VIEWS, [120, 0], (120, How.SUM)),
        (Unit.VIEWS, [120], (120, How.SINGLE)),
        (Unit.VIEWS, [120, 80, None], (200, How.AT_LEAST)),
        (Unit.CLICKS, [None], (None, How.MISSING)),
        (Unit.IMPRESSIONS, [1, 2], (3, How.SUM)),
        (Unit.REACTIONS, [1, 2], (3, How.SUM)),
    ],
)
def test_several_figures_become_one(unit, values, told):
    assert combine(unit, values) == told


@given(VALUES)
def test_people_are_never_added_up(values):
    value, how = combine(Unit.PEOPLE, values)

    assert value == max((one for one in values if one is not None), default=None)
    assert how is not How.SUM


@given(st.sampled_from(sorted(Unit)), VALUES)
def test_nothing_known_is_missing_and_never_zero(unit, values):
    value, how = combine(unit, values)

    assert (value is None) is (how is How.MISSING) is all(one is None for one in values)


@given(st.sampled_from(sorted(ADDITIVE)), VALUES)
def test_a_sum_is_only_called_so_when_nothing_is_missing(unit, values):
    _value, how = combine(unit, values)

    assert (how is How.SUM) is (len(values) > 1 and None not in values)


def test_every_kind_but_people_may_be_summed():
    assert set(Unit) - ADDITIVE == {Unit.PEOPLE}


# --- When to read -------------------------------------------------------------------------------------------


def test_figures_are_read_after_an_hour_six_a_day_three_a_week_and_four_weeks():
    assert [slot.total_seconds() / 3600 for slot in SLOTS] == [1, 6, 24, 72, 168, 672]
    assert first_slot(SENT) == hours(1)


@pytest.mark.parametrize(
    ("read", "stands_for", "then"),
    [
        (0.5, 1, 1),
        (1, 1, 6),
        (1.2, 1, 6),
        (6, 6, 24),
        (30, 24, 72),
        (100, 72, 168),
        (671, 168, 672),
        (672, 672, None),
        (9000, 672, None),
    ],
)
def test_a_reading_stands_for_the_newest_moment_past_and_missed_ones_are_skipped(read, stands_for, then):
    assert slot_at(SENT, hours(read)) == timedelta(hours=stands_for)
    assert next_slot(SENT, hours(read)) == (None if then is None else hours(then))


@given(st.floats(0, 2000))
def test_the_next_reading_is_always_ahead(read):
    following = next_slot(SENT, hours(read))

    assert following is None or following > hours(read)
