"""Deliveries: their states, what each outcome makes of them, patience, lateness, and what people may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.delivery import (
    FINAL,
    LEADS,
    STATE_NAMES,
    Action,
    Change,
    Delivery,
    DeliveryState,
    Outcome,
    OutcomeKind,
    Patience,
    actions,
    counts,
    lateness,
    mark,
    may_say_not_sent,
    next_look,
    next_look_after_failure,
    settle,
    text_key,
    too_late_at,
)

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)
PATIENCE = Patience()
STALE = "It is past the moment after which it is useless."


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


def delivery(**columns: Any) -> Delivery:
    """A delivery that was due at noon and is useless a day later."""
    usual: dict[str, Any] = {"due_at": NOON, "useless_after": after(days=1), "state": DeliveryState.SENDING}
    return Delivery(**usual | columns)


# --- States -------------------------------------------------------------------------------------------------

ALLOWED = {  # waiting and claimed go straight to sent by the late answer of an earlier try;
    # failed and cancelled go to a person when they prove to be live
    "waiting": "claimed cancelled review sent",
    "claimed": "sending waiting cancelled sent",
    "sending": "sent waiting failed unknown cancelled",
    "unknown": "sent waiting review",
    "review": "sent waiting cancelled",
    "sent": "removed",
    "failed": "waiting cancelled review",
    "cancelled": "review",
    "removed": "",
}


@pytest.mark.parametrize(("here", "there"), list(product(ALLOWED, repeat=2)))
def test_a_delivery_goes_where_the_table_says_and_nowhere_else(here, there):
    assert (DeliveryState(there) in LEADS[DeliveryState(here)]) is (there in ALLOWED[here].split())


def test_every_state_has_a_name_and_a_way_on_or_an_end():
    assert set(LEADS) == set(STATE_NAMES) == set(DeliveryState)
    assert {state for state in LEADS if not LEADS[state]} == {DeliveryState.REMOVED}
    assert sorted(FINAL) == ["cancelled", "failed", "removed", "sent"]


def test_what_may_have_left_never_waits_again_by_itself():
    assert LEADS[DeliveryState.SENT] == {DeliveryState.REMOVED}
    assert {state for state in DeliveryState if DeliveryState.SENDING in LEADS[state]} == {DeliveryState.CLAIMED}


# --- Outcomes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("ok", Change(DeliveryState.SENT)),
        ("content", Change(DeliveryState.FAILED, "why")),
        ("rate", Change(DeliveryState.WAITING, "why", ready_at=NOON)),
        ("auth", Change(DeliveryState.WAITING, "why", ready_at=NOON)),
        ("block", Change(DeliveryState.WAITING, "why", ready_at=NOON)),
        ("duplicate", Change(DeliveryState.UNKNOWN, "why", unknown_since=NOON)),
        ("unknown", Change(DeliveryState.UNKNOWN, "why", unknown_since=NOON)),
        ("not-sent", Change(DeliveryState.WAITING, "why", ready_at=after(seconds=15), setbacks=1)),
    ],
)
def test_each_class_of_outcome_makes_its_own_of_a_delivery(kind, change):
    assert settle(delivery(), Outcome(OutcomeKind(kind), "why"), NOON, PATIENCE, jitter=1) == change


def test_the_table_of_outcomes_leads_only_where_a_delivery_may_go():
    for kind in OutcomeKind:
        change = settle(delivery(), Outcome(kind), NOON, PATIENCE, jitter=1)

        assert change.state in LEADS[DeliveryState.SENDING]


@pytest.mark.parametrize(
    ("setbacks", "seconds"), [(0, 15), (1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 900), (7, 900)]
)
def test_each_proven_failure_to_send_doubles_the_wait_up_to_a_quarter_of_an_hour(setbacks, seconds):
    change = settle(delivery(setbacks=setbacks), Outcome(OutcomeKind.NOT_SENT), NOON, PATIENCE, jitter=1)

    assert change == Change(DeliveryState.WAITING, "", ready_at=after(seconds=seconds), setbacks=setbacks + 1)


def test_after_eight_tries_again_it_is_given_up_with_the_last_reason():
    change = settle(delivery(setbacks=8), Outcome(OutcomeKind.NOT_SENT, "no route"), NOON, PATIENCE, jitter=1)

    assert change == Change(DeliveryState.FAILED, "no route", setbacks=9)


@given(st.integers(0, 7), st.floats(0, 1))
def test_jitter_spreads_tries_over_the_whole_wait(setbacks, jitter):
    longest = settle(delivery(setbacks=setbacks), Outcome(OutcomeKind.NOT_SENT), NOON, PATIENCE, jitter=1).ready_at
    ready = settle(delivery(setbacks=setbacks), Outcome(OutcomeKind.NOT_SENT), NOON, PATIENCE, jitter=jitter).ready_at

    assert ready is not None
    assert longest is not None
    assert ready == NOON + (longest - NOON) * jitter


@pytest.mark.parametrize("kind", ["rate", "auth", "block"])
def test_waiting_for_the_account_is_no_failure_of_the_delivery(kind):
    assert settle(delivery(setbacks=5), Outcome(OutcomeKind(kind)), NOON, PATIENCE, jitter=1).setbacks == 0


# --- Reading back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "look"),
    [
        ({"seconds": 0}, {"seconds": 15}),
        ({"seconds": 15}, {"seconds": 60}),
        ({"seconds": 59}, {"seconds": 60}),
        ({"seconds": 61}, {"minutes": 5}),
        ({"minutes": 5}, {"minutes": 6}),
        ({"minutes": 20}, {"minutes": 21}),
    ],
)
def test_an_unknown_outcome_is_read_back_at_once_then_at_15_s_a_minute_and_five(now, look):
    assert next_look(delivery(unknown_since=NOON), after(**now), PATIENCE) == after(**look)


@pytest.mark.parametrize(("now", "look"), [(15, {"minutes": 5}), (239, {"minutes": 5}), (241, {"seconds": 301})])
def test_after_the_planned_looks_the_next_is_one_that_may_say_that_nothing_was_sent(now, look):
    hasty = replace(PATIENCE, looks=(timedelta(0), timedelta(seconds=15)))

    assert next_look(delivery(unknown_since=NOON), after(seconds=now), hasty) == after(**look)


@pytest.mark.parametrize(
    ("failed", "now", "look"),
    [
        (0, {"seconds": 1}, {"seconds": 6}),
        (1, {"seconds": 6}, {"seconds": 16}),
        (2, {"seconds": 16}, {"seconds": 36}),
        (3, {"seconds": 36}, {"seconds": 96}),
        (40, {"minutes": 59}, {"minutes": 60}),
        (41, {"minutes": 60}, None),
    ],
)
def test_a_read_that_fails_is_repeated_for_an_hour(failed, now, look):
    told = next_look_after_failure(delivery(unknown_since=NOON, failed_looks=failed), after(**now), PATIENCE)

    assert told == (after(**look) if look else None)


@pytest.mark.parametrize(
    ("began", "lease", "deadline", "sure"),
    [
        ({"minutes": 5}, None, {}, True),
        ({"minutes": 4, "seconds": 59}, None, {}, False),
        ({"minutes": 6}, {"minutes": 6}, {}, True),
        ({"minutes": 6}, {"minutes": 7}, {}, False),
        ({"minutes": 6}, None, {"minutes": 6}, True),
        ({"minutes": 6}, None, {"minutes": 7}, False),
        ({"hours": 9}, {"minutes": 2}, {"seconds": 45}, True),
    ],
)
def test_only_the_age_of_a_read_proves_that_nothing_was_sent(began, lease, deadline, sure):
    unknown = delivery(unknown_since=NOON, lease_until=lease and after(**lease), looks=99)

    assert may_say_not_sent(unknown, after(**began), after(**deadline), PATIENCE) is sure


def test_a_delivery_that_is_not_unknown_is_never_said_not_sent():
    assert may_say_not_sent(delivery(unknown_since=None), after(days=1), NOON, PATIENCE) is False


# --- Lateness -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "now", "why"),
    [
        ({}, {}, None),
        ({}, {"hours": 6}, None),
        ({}, {"hours": 6, "seconds": 1}, "It was due too long ago."),
        ({}, {"days": 2}, STALE),
        ({"useless_after": after(hours=1)}, {"hours": 1}, None),
        ({"useless_after": after(hours=1)}, {"hours": 1, "seconds": 1}, STALE),
        ({"excused_until": after(days=3)}, {"days": 2}, None),
        ({"excused_until": after(days=2)}, {"days": 2}, None),
        ({"excused_until": after(days=2)}, {"days": 2, "seconds": 1}, STALE),
    ],
)
def test_what_is_late_or_useless_does_not_go_out_by_itself(columns, now, why):
    assert lateness(delivery(**columns), after(**now), PATIENCE) == why


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"useless_after": after(hours=1)},
        {"useless_after": after(hours=6)},
        {"excused_until": after(hours=1)},
        {"excused_until": after(hours=9)},
        {"excused_until": after(days=3)},
    ],
)
def test_it_is_known_from_which_second_on_a_delivery_is_late(columns):
    one = delivery(**columns)
    moment = too_late_at(one, PATIENCE)

    assert lateness(one, moment - timedelta(seconds=1), PATIENCE) is None
    assert lateness(one, moment, PATIENCE) is not None


# --- People -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"state": "review"}, [Action.FOUND, Action.SEND, Action.GIVE_UP]),
        ({"state": "failed"}, [Action.SEND, Action.GIVE_UP]),
        ({"state": "sent"}, [Action.REMOVE]),
        ({"state": "sent", "removal_at": NOON}, []),
        ({"state": "waiting"}, []),
        ({"state": "claimed"}, []),
        ({"state": "sending"}, []),
        ({"state": "unknown"}, []),
        ({"state": "cancelled"}, []),
        ({"state": "removed"}, []),
    ],
)
def test_what_a_person_may_do_depends_on_the_state(columns, told):
    assert actions(delivery(**columns | {"state": DeliveryState(columns["state"])})) == told


# --- Names --------------------------------------------------------------------------------------------------


def test_repeats_are_told_by_account_words_and_gate():
    told = text_key(3, "Bonjour", "A-14")

    assert text_key(3, "Bonjour", "A-14") == told
    assert len({told, text_key(4, "Bonjour", "A-14"), text_key(3, "Bonsoir", "A-14"), text_key(3, "Bonjour", "x")}) == 4


@given(st.text(min_size=1), st.integers(1, 10**4), st.sampled_from(["open", "A-14", "D-22+D-35"]))
def test_a_mark_is_short_always_the_same_and_not_to_be_guessed_without_its_seed(seed, account, gate):
    told = mark(seed, account, gate)

    assert told == mark(seed, account, gate)
    assert len(told) == 10
    assert set(told) <= set("abcdefghijkmnpqrstuvwxyz23456789")
    assert told != mark(seed + "x", account, gate)


def test_deliveries_are_counted_with_the_passing_states_as_waiting():
    states = [DeliveryState(name) for name in ("sent", "sent", "claimed", "sending", "waiting", "review")]

    assert counts(states) == {
        "sent": 2,
        "waiting": 3,
        "failed": 0,
        "unknown": 0,
        "review": 1,
        "cancelled": 0,
        "removed": 0,
    }
