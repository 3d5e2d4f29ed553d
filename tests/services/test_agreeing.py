"""Policies are agreed on by those who hold the whole country, checked, noted, and quiet times are warned about."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.errors import Invalid, NotAllowed
from hub.domain.person import RoleKind
from hub.domain.policy import Policies, Policy, QuietWindow, quiet_until
from hub.services import agreeing
from tests.services.desk import Desk, told
from tests.stage import NOON

NIGHT = {"name": "Nuit", "territories": ["FR"], "from_hour": "22:00", "to_hour": "07:00"}
RESERVE = {"name": "Réserve", "territories": ["A-14"], "from_day": "2026-11-09", "to_day": "2026-11-12"}


def wall(day: int, hour: int) -> datetime:
    """A wall time of November."""
    return datetime.fromisoformat(f"2026-11-{day:02}T{hour:02}:00")


def agree(desk: Desk, by: str = "coordinator", **changes: object) -> Policies:
    with writing(desk.stage.hub.engine) as session:
        return agreeing.agree(session, changes, by=desk.who(by), at=desk.now)


def agreed(desk: Desk) -> Policies:
    with reading(desk.stage.hub.engine) as session:
        return agreeing.policies(session)


def noted(desk: Desk) -> list[tuple[str, object, object]]:
    query = select(AuditEntry).where(AuditEntry.action == "policy.agree").order_by(col(AuditEntry.id))
    with reading(desk.stage.hub.engine) as session:
        return [(entry.by_name, entry.before, entry.after) for entry in session.exec(query)]


# --- Agreeing -----------------------------------------------------------------------------------------------


def test_before_anybody_agreed_on_anything_the_usual_values_hold(desk: Desk):
    assert agreed(desk) == Policies()


def test_what_is_agreed_on_holds_and_is_noted_with_what_was_before(desk: Desk):
    agree(desk, silence_days=21, second_factor=True, usual_time="18:00")

    assert agreed(desk) == Policies(silence_days=21, second_factor=True)
    assert noted(desk) == [
        ("Coordinator", {"silence_days": 14, "second_factor": False}, {"silence_days": 21, "second_factor": True})
    ]


def test_agreeing_on_what_holds_already_notes_nothing(desk: Desk):
    agree(desk, silence_days=14)

    assert noted(desk) == []


def test_numbers_may_come_as_a_form_sends_them(desk: Desk):
    agree(desk, silence_days="30")

    assert agreed(desk).silence_days == 30


@pytest.mark.parametrize("who", ["animator", "analyst", "regional"])
def test_only_those_who_keep_the_whole_country_may_agree(desk: Desk, who: str):
    desk.join("regional", RoleKind.COORDINATOR, "A-14")

    with pytest.raises(NotAllowed):
        agree(desk, by=who, silence_days=2)

    assert agreed(desk) == Policies()


def test_every_value_that_cannot_be_taken_is_told_at_once_and_nothing_is_kept(desk: Desk):
    with pytest.raises(Invalid) as refused:
        agree(desk, silence_days=0, token_warning_days="many", usual_time="25:00", boss=True, expiry_warning_hours=12)

    assert told(refused) == [
        ("silence_days", "This must be at least 1."),
        ("token_warning_days", "This must be a whole number."),
        ("usual_time", "Write a time of day such as 18:00."),
        ("boss", "There is no such field. Check its name."),
    ]
    assert agreed(desk) == Policies()


def test_what_is_too_long_or_of_another_shape_is_told_in_words_too(desk: Desk):
    long = {"name": "x" * 300, "territories": ["FR"] * 201, "from_hour": "22:00", "to_hour": "07:00"}

    with pytest.raises(Invalid) as refused:
        agree(desk, second_factor="maybe", silence_days=999, quiet_windows=[long, "night"])

    assert told(refused) == [
        ("silence_days", "This must be at most 365."),
        ("second_factor", "Say true or false."),
        ("quiet_windows.0.name", "At most 250 are taken here."),
        ("quiet_windows.0.territories", "At most 200 are taken here."),
        ("quiet_windows.1", "This does not have the expected form."),
    ]


def test_the_last_change_says_by_whom_and_when(desk: Desk):
    with reading(desk.stage.hub.engine) as session:
        assert agreeing.last_change(session) is None
    agree(desk, silence_days=21)
    desk.stage.clock.forward(hours=1)
    agree(desk, by="administrator", usual_time="17:00")

    with reading(desk.stage.hub.engine) as session:
        last = agreeing.last_change(session)
    assert last is not None
    assert (last.name, last.changed_by, last.changed_at) == ("usual_time", "Administrator", desk.now)


def test_a_stored_value_that_this_version_cannot_take_counts_as_the_usual_one(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        for name, value in (("silence_days", -5), ("token_warning_days", 30), ("of_another_version", "x")):
            session.add(Policy(name=name, value=value, changed_at=NOON, changed_by="operator"))

    assert agreed(desk) == Policies(token_warning_days=30)


# --- Quiet times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"to_hour": None}, "quiet_windows.0", "Give both hours, or none."),
        ({"to_hour": "22:00"}, "quiet_windows.0", "The two hours are the same. Leave both empty for whole days."),
        ({"from_hour": None, "to_hour": None}, "quiet_windows.0", "Say which days or which hours are quiet."),
        (
            {"from_day": "2026-11-02", "to_day": "2026-11-01"},
            "quiet_windows.0",
            "The last day comes before the first.",
        ),
        ({"to_hour": "7"}, "quiet_windows.0.to_hour", "Write a time of day such as 18:00."),
        ({"from_day": "soon"}, "quiet_windows.0.from_day", "Write a date, such as 2026-12-01."),
        ({"name": " "}, "quiet_windows.0.name", "This is missing."),
        ({"territories": []}, "quiet_windows.0.territories", "This is missing."),
        ({"territories": ["A-99"]}, "quiet_windows.0.territories", "There is no territory A-99."),
    ],
)
def test_a_quiet_time_that_means_nothing_is_refused_beside_its_field(desk: Desk, changed, field: str, sentence: str):
    with pytest.raises(Invalid) as refused:
        agree(desk, quiet_windows=[NIGHT | changed])

    assert told(refused) == [(field, sentence)]


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [("21:59", False), ("22:00", True), ("23:59", True), ("00:00", True), ("06:59", True), ("07:00", False)],
)
def test_a_night_holds_from_its_evening_to_its_morning(moment: str, quiet: bool):
    night = QuietWindow.model_validate(NIGHT)

    assert night.holds(datetime.fromisoformat(f"2026-11-10T{moment}")) is quiet


def test_a_night_belongs_to_the_day_on_which_it_begins():
    nights = QuietWindow.model_validate(NIGHT | {"from_day": "2026-11-10", "to_day": "2026-11-10"})

    assert [nights.holds(wall(day, 3)) for day in (10, 11, 12)] == [False, True, False]


def test_the_next_free_moment_is_looked_for_across_windows_that_touch():
    days = QuietWindow(name="Fermeture", from_day=date(2026, 11, 9), to_day=date(2026, 11, 10))
    night = QuietWindow.model_validate(NIGHT)

    assert quiet_until([days, night], wall(9, 12)) == wall(11, 7)
    assert quiet_until([days, night], wall(12, 12)) == wall(12, 12)


@pytest.mark.parametrize(
    "window",
    [
        {"name": "Toujours", "from_day": "2026-11-01"},
        {"name": "Longtemps", "from_day": "2026-11-01", "to_day": "2099-01-01"},
    ],
)
def test_a_quiet_time_without_an_end_in_sight_has_no_next_free_moment(window):
    assert quiet_until([QuietWindow.model_validate(window)], wall(9, 12)) is None


def test_windows_that_take_turns_for_ever_have_no_next_free_moment():
    day = QuietWindow(name="Jour", from_hour="07:00", to_hour="22:00")

    assert quiet_until([QuietWindow.model_validate(NIGHT), day], wall(9, 12)) is None


def test_the_plan_warns_of_a_quiet_time_with_the_next_free_moment(desk: Desk):
    agree(desk, quiet_windows=[RESERVE])

    [planned] = desk.planned(by="animator")

    assert planned.warnings == (
        "Page rennes: 10/11/2026 at 18:00 falls into the quiet time “Réserve” of Rennes. "
        "It is free again from 13/11/2026 at 00:00.",
    )
    assert planned.problems == ()


def test_a_quiet_time_of_elsewhere_or_of_another_hour_warns_of_nothing(desk: Desk):
    agree(desk, quiet_windows=[NIGHT, RESERVE | {"territories": ["A-32", "D-59"]}])

    assert [one.warnings for one in desk.planned(by="animator")] == [()]


def test_each_territory_is_quiet_by_its_own_clock(desk: Desk):
    agree(desk, quiet_windows=[NIGHT])

    # 04:00 in Paris is 23:00 of the evening before in Guadeloupe.
    [planned] = desk.planned(
        when="2026-11-10T12:00", zone="Europe/Paris", audience=["A-32"], accounts=["facebook:A-32"]
    )
    [night] = desk.planned(when="2026-11-10T04:00", zone="Europe/Paris", audience=["A-32"], accounts=["facebook:A-32"])

    assert planned.warnings == ()
    assert night.warnings == (
        "Page elsewhere: 09/11/2026 at 23:00 falls into the quiet time “Nuit” of Guadeloupe. "
        "It is free again from 10/11/2026 at 07:00.",
    )


def test_who_hands_in_for_a_quiet_time_is_asked_and_may_mean_it(desk: Desk):
    agree(desk, quiet_windows=[RESERVE | {"to_day": None}])
    post_id = desk.write()

    with pytest.raises(Invalid) as refused:
        desk.submit(post_id)

    assert told(refused) == [
        (
            "accounts",
            "Page rennes: 10/11/2026 at 18:00 falls into the quiet time “Réserve” of Rennes. "
            "Change the post, or confirm that you mean it.",
        )
    ]
    assert desk.submit(post_id, confirm_repeats=True).state == "submitted"


# --- Handing in late ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "late"), [(25, False), (24, False), (23, True), (0, False), (-1, False)])
def test_handing_in_later_than_agreed_is_told_while_there_is_time(hours: int, late: bool):
    said = agreeing.late_advice(Policies(), due_at=NOON + timedelta(hours=hours), at=NOON)

    assert (said is not None) is late


def test_the_advice_says_what_to_do():
    assert agreeing.late_advice(Policies(approval_lead_hours=48), due_at=NOON + timedelta(hours=30), at=NOON) == (
        "This post goes out in less than 48 hours. Tell a coordinator, so that it is approved in time."
    )
