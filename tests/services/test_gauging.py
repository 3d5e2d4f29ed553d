"""What machines watch: right numbers, found by queries that look at what is open and not at history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlmodel import select

from channels import Refused, Unauthorized, Uncertain, Unreachable
from hub.database import reading, writing
from hub.domain.account import AccountNetwork, AccountState
from hub.domain.delivery import Attempt, Delivery, DeliveryState
from hub.domain.notice import Notice, NoticeKind
from hub.domain.reach import ReadingCost
from hub.mail import NotSent
from hub.metrics import registry_for
from hub.services import gauging, notifying
from hub.services.gauging import Gauges
from hub.services.notifying import Letter
from tests.schedules.conftest import DUE, Room, wall
from tests.schedules.conftest import room as room

S = DeliveryState
MANY = 10_000
DAY = timedelta(days=1)


def gauges(room: Room) -> Gauges:
    with reading(room.hub.engine) as session:
        return gauging.read(session, at=room.clock(), patience=room.hub.patience)


# --- What they say ----------------------------------------------------------------------------------------


def test_an_idle_hub_has_nothing_to_watch(room: Room) -> None:
    told = gauges(room)

    assert (told.overdue, told.failed, told.on_hold, told.mails_waiting, told.mails_given_up) == (0, 0, False, 0, 0)
    assert set(told.deliveries.values()) == {0}
    assert told.accounts == {
        (AccountNetwork.FACEBOOK, AccountState.ACTIVE): 3,
        (AccountNetwork.X, AccountState.ACTIVE): 1,
        (AccountNetwork.PORTAL, AccountState.ACTIVE): 1,
    }
    assert told.posts == {(room.stage.accounts["x"], AccountNetwork.X): 0}


def test_what_nobody_claims_is_overdue_unless_everything_is_on_hold(room: Room) -> None:
    room.approve_one()
    early = [gauges(room).overdue]
    room.clock.at = DUE + timedelta(seconds=10)
    early.append(gauges(room).overdue)
    room.clock.at = DUE + timedelta(seconds=11)

    late = gauges(room)
    room.hold()
    held = gauges(room)

    assert early == [0, 0]
    assert (late.overdue, late.on_hold, late.deliveries[S.WAITING]) == (1, False, 1)
    assert (held.overdue, held.on_hold, held.deliveries[S.WAITING]) == (0, True, 1)


def test_what_waits_for_its_account_is_not_overdue(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Unauthorized("Token expired.", code="190"))
    room.run_at(DUE)

    room.clock.forward(hours=1)
    told = gauges(room)

    assert (told.overdue, told.deliveries[S.WAITING]) == (0, 1)
    assert told.accounts[AccountNetwork.FACEBOOK, AccountState.RESTING] == 1


def test_what_is_unknown_or_waits_for_a_person_is_counted(room: Room) -> None:
    room.approve_one()
    elsewhere = {"accounts": ("facebook:A-32",), "audience": ("A-32",), "zone": "Europe/Paris"}
    room.approve_one("Trop tard", when=wall(3, 10), **elsewhere)
    room.channel().fail_next(Uncertain("No answer."))
    room.channel().fail_next(Unreachable("No reading."), call="find")

    room.run_at(DUE)

    told = gauges(room).deliveries
    assert told == {S.WAITING: 0, S.CLAIMED: 0, S.SENDING: 0, S.UNKNOWN: 1, S.REVIEW: 1}


def test_a_failure_is_counted_for_a_day_after_its_last_try(room: Room) -> None:
    failed = room.approve_one()
    room.channel().fail_next(Refused("Too long."))
    room.run_at(DUE)

    told = []
    for hours in (0, 23, 24):
        room.clock.at = DUE + timedelta(hours=hours)
        told.append(gauges(room).failed)

    assert (room.state(failed), told) == (S.FAILED, [1, 1, 0])


def test_a_failure_long_after_it_was_ready_is_counted_too(room: Room) -> None:
    room.approve_one()
    room.channel().fail_next(Refused("Too long."))
    room.hold()
    room.run_at(DUE)
    room.clock.at = DUE + timedelta(hours=5)
    room.release()
    room.engine.run_due()

    room.clock.at = DUE + timedelta(hours=28)

    assert gauges(room).failed == 1


def test_mails_that_could_not_leave_wait_until_they_are_given_up(room: Room) -> None:
    person_id = room.stage.people["animator"].id
    with writing(room.hub.engine) as session:
        one = Notice(
            person_id=person_id, kind=NoticeKind.FAILED, thing="delivery:1", occasion="x", made_at=room.clock(),
            due_at=room.clock() + timedelta(minutes=30),
        )  # fmt: skip
        session.add(one)
        session.flush()
        letter = Letter((one.id or 0,), person_id, mail=None)  # type: ignore[arg-type]
    planned = gauges(room).mails_waiting
    room.clock.forward(minutes=30)
    due = gauges(room).mails_waiting
    with writing(room.hub.engine) as session:
        notifying.note_failure(session, letter, NotSent("No."), at=room.clock())
    tried = gauges(room)
    with writing(room.hub.engine) as session:
        notifying.note_failure(session, letter, NotSent("Never.", lasting=True), at=room.clock())
    given_up = gauges(room)
    room.clock.forward(hours=24)

    assert (planned, due) == (0, 1)
    assert (tried.mails_waiting, tried.mails_given_up) == (1, 0)
    assert (given_up.mails_waiting, given_up.mails_given_up) == (0, 1)
    assert gauges(room).mails_given_up == 0


# --- How they are found -----------------------------------------------------------------------------------

OPEN_ONLY = ("ix_delivery_state_ready", "ix_delivery_account_sent", "ix_notice_open",
             "ix_notice_sent_at (sent_at=?)", "ix_notice_given_up")  # fmt: skip
"""Indexes on what is open, or on a stretch of time of one account; sent at no time are the letters not sent."""

ONE_BY_ONE = ("INTEGER PRIMARY KEY", "ix_attempt_delivery_id", "(delivery_id=?", "(post_id=?")
"""What belongs to a row that was found already."""

LARGE = ("delivery", "attempt", "notice", "post", "post_media", "approval", "audit_entry", "sample")


def fill(engine: Engine) -> None:
    """A long history: published once an hour, every tenth failed, and a letter about each."""
    columns = [column.name for column in Delivery.__table__.columns]  # type: ignore[attr-defined]
    changed = {
        "id": "10 + n.i",
        "key": "'key-' || n.i",
        "gate_key": "'gate-' || n.i",
        "text_key": "'text-' || n.i",
        "state": "CASE n.i % 10 WHEN 0 THEN 'failed' ELSE 'sent' END",
        "remote_id": "'remote-' || n.i",
        "sent_at": "CASE n.i % 10 WHEN 0 THEN NULL ELSE datetime(one.due_at, '-' || n.i || ' hours') END",
        "ready_at": "datetime(one.due_at, '-' || n.i || ' hours')",
        "due_at": "datetime(one.due_at, '-' || n.i || ' hours')",
        "next_sample_at": "NULL",
    }
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "
    picked = ", ".join(changed.get(name, f"one.{name}") for name in columns)
    with engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO delivery ({', '.join(columns)}) {numbers}"
                f"SELECT {picked} FROM (SELECT * FROM delivery LIMIT 1) AS one, n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO attempt (delivery_id, n, kind, phase, started_at, deadline_at, ended_at, outcome) "
                "SELECT id, 1, 'publish', 'publishing', ready_at, ready_at, ready_at, 'ok' FROM delivery WHERE id > 10"
            )
        )
        connection.execute(
            text(
                "INSERT INTO notice (person_id, kind, thing, occasion, made_at, due_at, sent_at, tries) "
                "SELECT 1, 'failed', 'delivery:' || id, 'x', ready_at, ready_at, ready_at, 0 "
                "FROM delivery WHERE id > 10"
            )
        )


@contextmanager
def listening(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Every question that is asked meanwhile."""
    asked: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    yield asked
    event.remove(engine, "before_cursor_execute", keep)


@pytest.fixture
def old_hub(room: Room) -> Room:
    """A hub with a year of deliveries behind it, one waiting, and one that X published this month."""
    room.approve_one("Sur X", accounts=("x:FR",), audience=("FR",))
    room.run_at(DUE)
    room.approve_one("Demain", when=(DUE + DAY).replace(tzinfo=None))
    fill(room.hub.engine)
    return room


def plans(room: Room, asked: list[tuple[str, Any]]) -> list[str]:
    """How the database goes about each of these questions."""
    found = []
    with room.hub.engine.connect() as connection:
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            found += [str(row[3]) for row in rows]
    return found


def test_no_reading_of_the_metrics_goes_through_history(old_hub: Room) -> None:
    with listening(old_hub.hub.engine) as asked:
        shown = list(registry_for(old_hub.hub).collect())

    steps = plans(old_hub, asked)
    names = "|".join(LARGE)
    scans = [step for step in steps if re.match(rf"SCAN (?:{names})\b", step)]
    searches = [step for step in steps if re.match(rf"SEARCH (?:{names})\b", step)]
    strange = [one for one in searches if not any(name in one for name in (*OPEN_ONLY, *ONE_BY_ONE))]
    assert [one.name for one in shown if one.name == "relais_overdue"] == ["relais_overdue"]
    assert scans == []
    assert strange == []
    assert len([one for one in searches if "ix_delivery_state_ready" in one]) >= 3
    assert len(asked) <= 14


def test_prices_are_worked_out_anew_only_when_something_was_published(old_hub: Room) -> None:
    registry = registry_for(old_hub.hub)
    with listening(old_hub.hub.engine) as first:
        list(registry.collect())
    with listening(old_hub.hub.engine) as second:
        list(registry.collect())
    old_hub.approve_one("Encore sur X", accounts=("x:FR",), audience=("FR",), when=(DUE + DAY).replace(tzinfo=None))
    old_hub.run_at(DUE + DAY)
    with listening(old_hub.hub.engine) as third:
        list(registry.collect())

    whole = [sum("delivery.text," in statement for statement, _ in some) for some in (first, second, third)]
    assert whole == [1, 0, 1]


def test_what_x_costs_this_month_is_told_by_account(room: Room, tmp_path: Path) -> None:
    room.approve_one("Sur X", accounts=("x:FR",), audience=("FR",))
    room.run_at(DUE)
    registry = registry_for(room.hub)
    labels = {"account": str(room.stage.accounts["x"]), "network": "x"}

    november = [registry.get_sample_value(f"relais_month_{what}", labels) for what in ("posts", "spent_usd")]
    room.clock.forward(days=30)
    december = [registry.get_sample_value(f"relais_month_{what}", labels) for what in ("posts", "spent_usd")]

    assert november == [1, float(Decimal("0.015"))]
    assert december == [0, 0]


def test_what_reading_on_x_costs_this_month_is_told_by_account(room: Room) -> None:
    with writing(room.hub.engine) as session:
        session.add(ReadingCost(account_id=room.stage.accounts["x"], day=room.clock().date(), reads=3, micros=15_000))
    registry = registry_for(room.hub)
    labels = {"account": str(room.stage.accounts["x"]), "network": "x"}

    november = [registry.get_sample_value(f"relais_month_{what}", labels) for what in ("reads", "reads_spent_usd")]
    room.clock.forward(days=30)
    december = [registry.get_sample_value(f"relais_month_{what}", labels) for what in ("reads", "reads_spent_usd")]

    assert (november, december) == ([3, 0.015], [0, 0])


def test_lateness_begins_when_a_person_had_it_sent_again(room: Room) -> None:
    delivery = room.approve_one()
    room.channel().fail_next(Refused("Too long."))
    room.run_at(DUE + timedelta(seconds=3))
    with writing(room.hub.engine) as session:
        one = session.get(Delivery, delivery)
        assert one is not None
        one.excused_until = DUE + timedelta(hours=2) + room.hub.patience.too_late
        one.state, one.ready_at = S.WAITING, DUE + timedelta(hours=2)
        session.add(one)
    room.run_at(DUE + timedelta(hours=2, seconds=1))

    with reading(room.hub.engine) as session:
        tries = session.exec(select(Attempt.id).where(Attempt.delivery_id == delivery).order_by(Attempt.n)).all()  # type: ignore[arg-type]
        late = [gauging.lateness_of(session, number or 0, patience=room.hub.patience) for number in tries]

    # The first one began before anybody excused it: by now it counts as in time.
    assert late == [timedelta(0), timedelta(seconds=1)]
