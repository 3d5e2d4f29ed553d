"""The log of a day's work: one line per outcome, with ids and codes, and with nobody's words."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from channels import (
    Blocked,
    Deadline,
    Prepared,
    Receipt,
    Refused,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from channels.memory import MemoryChannel
from hub.database import writing
from hub.domain.account import AccountState
from hub.mail import MemoryMailer, NotSent
from hub.services import connecting, delivering, resolving
from schedules import dispatch
from schedules.collect import pages_due
from schedules.mails import mail_due
from tests.schedules.conftest import DUE, Room, wall

WORDS = "Mots à nous"
"""What people wrote and networks answered here begins with this."""


def refused(kind: Any, **more: Any) -> Any:
    return kind(f"{WORDS} de la part du réseau", **more)


def shapes(records: list[logging.LogRecord]) -> set[str]:
    """Lines with every number taken out, below the name of their logger and their level."""
    lines = ((one, re.sub(r"\d+(\.\d+)?", "N", one.getMessage())) for one in records)
    return {f"{one.levelname} {one.name} {told}" for one, told in lines if one.name.startswith("relais")}


@pytest.fixture
def told(room: Room, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged, at every level."""
    caplog.set_level(logging.DEBUG)
    return caplog


def free(room: Room) -> None:
    """The account may call again, whatever was said to it."""
    with writing(room.hub.engine) as session:
        account = connecting.get_account(session, room.stage.accounts["rennes"])
        account.state, account.not_before, account.blocked_until = AccountState.ACTIVE, None, None
        session.add(account)


def test_publishing_tells_each_outcome_in_one_line(room: Room, told: pytest.LogCaptureFixture) -> None:
    errors = [
        None,
        refused(Refused, code="100"),
        refused(Throttled),
        refused(Unreachable),
        refused(Blocked),
        refused(Unauthorized),
    ]
    room.clock.at = DUE
    for number in range(len(errors)):
        room.approve_one(f"{WORDS} {number}", when=wall(3, 18, 10 + number))
    for number, error in enumerate(errors):
        if error:
            room.channel().fail_next(error)
        room.run_at(DUE + timedelta(minutes=10 + number, seconds=1))
        free(room)

    assert shapes(told.records) == {
        f"INFO relais.dispatch task=dispatch delivery=N account=N epoch=N outcome={outcome} state={state} late=Ns"
        for outcome, state in [
            ("ok", "sent"),
            ("content", "failed"),
            ("rate", "waiting"),
            ("not-sent", "waiting"),
            ("block", "waiting"),
            ("auth", "waiting"),
        ]
    } | {
        # Claimed together with one after which the account may not call.
        "INFO relais.dispatch task=dispatch delivery=N account=N epoch=N outcome=not-begun state=waiting"
    }
    assert WORDS not in told.text
    first = next(one.getMessage() for one in told.records if "outcome=ok" in one.getMessage())
    assert first.endswith("outcome=ok state=sent late=1.0s")


def test_whatever_a_channel_does_wrong_is_told_with_its_ids(room: Room, told: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryChannel):
        def prepare(self, message: Any) -> Prepared:
            raise ZeroDivisionError

    class Worse(MemoryChannel):
        def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
            raise ZeroDivisionError

    room.channels[room.stage.accounts["rennes"]] = Broken(now=room.clock)
    room.channels[room.stage.accounts["elsewhere"]] = Worse(now=room.clock)
    room.approve_one(WORDS)
    room.approve_one(WORDS, accounts=("facebook:A-32",), audience=("A-32",), zone="Europe/Paris")

    room.run_at(DUE)

    assert shapes(told.records) == {
        "ERROR relais.dispatch task=dispatch delivery=N account=N epoch=N outcome=not-prepared error=ZeroDivisionError",
        "ERROR relais.asking account=N outcome=contract-broken error=ZeroDivisionError",
        "INFO relais.dispatch task=dispatch delivery=N account=N epoch=N outcome=not-sent state=waiting late=Ns",
        "INFO relais.dispatch task=dispatch delivery=N account=N epoch=N outcome=unknown state=unknown late=Ns",
        "INFO relais.reconcile task=reconcile delivery=N account=N epoch=N outcome=ok found=N state=unknown",
    }


def test_what_is_not_begun_is_told_with_where_it_stands(room: Room, told: pytest.LogCaptureFixture) -> None:
    made = room.approve_one(WORDS)
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        claims = delivering.claim(session, at=DUE, owner=room.engine.worker.owner, patience=room.hub.patience)
    room.withdraw(made)

    dispatch._attempt(room.engine.worker, claims[0])

    assert shapes(told.records) == {
        "INFO relais.dispatch task=dispatch delivery=N account=N epoch=N outcome=not-begun state=cancelled"
    }


def test_what_is_taken_back_from_the_dead_is_a_warning(room: Room, told: pytest.LogCaptureFixture) -> None:
    room.approve_one(WORDS)
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        delivering.claim(session, at=DUE, owner="dead", patience=room.hub.patience)
    room.clock.at = DUE + room.hub.patience.lease

    dispatch.end_leases(room.engine.worker)

    assert shapes(told.records) == {"WARNING relais.dispatch task=leases outcome=ended deliveries=N"}


def test_reading_back_tells_what_each_look_found(room: Room, told: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        room.approve_one(f"{WORDS} {number}", when=wall(3, 18, 20 * number))
    room.channel().fail_next(refused(Uncertain), after_showing=True)
    room.channel().fail_next(refused(Unreachable), call="find")
    room.run_at(DUE)
    room.run_after(seconds=10)
    room.channel().fail_next(refused(Uncertain, duplicate=True))
    room.live_until(DUE + timedelta(minutes=30))

    assert {one for one in shapes(told.records) if "relais.reconcile" in one} == {
        f"INFO relais.reconcile task=reconcile delivery=N account=N epoch=N {rest}"
        for rest in (
            "outcome=not-sent state=unknown",
            "outcome=ok found=N state=sent late=Ns",
            "outcome=ok found=N state=unknown",
            "outcome=ok found=N state=review",
        )
    }
    assert WORDS not in told.text


def test_taking_down_tidying_and_figures_tell_what_came_of_them(room: Room, told: pytest.LogCaptureFixture) -> None:
    gone, kept = room.approve_one(f"{WORDS} 1", audience=("D-35",)), room.approve_one(f"{WORDS} 2", when=wall(3, 18, 5))
    room.channel().fail_next(refused(Refused))
    room.channel().fail_next(refused(Unreachable), call="find")
    room.run_at(DUE)
    room.live_until(DUE + timedelta(minutes=40))
    room.channel().fail_next(refused(Unreachable), call="figures")
    room.live_until(DUE + timedelta(hours=2))
    with writing(room.hub.engine) as session:
        by = room.stage.people["coordinator"]
        resolving.request_removal(session, kept, by=by, at=room.clock(), reason=WORDS)
    for error in (refused(Unreachable), refused(Refused)):
        room.channel().fail_next(error, call="remove")
    room.live_until(room.clock() + timedelta(minutes=5))

    lines = {one for one in shapes(told.records) if "dispatch" not in one}
    assert room.state(gone).value == "failed"
    assert lines == {
        "INFO relais.reconcile task=tidy delivery=N account=N outcome=not-sent draft=kept",
        "INFO relais.reconcile task=tidy delivery=N account=N outcome=ok draft=gone",
        "INFO relais.collect task=collect account=N posts=N figures=N outcome=not-sent",
        "INFO relais.collect task=collect account=N posts=N figures=N outcome=ok",
        "INFO relais.reconcile task=remove delivery=N account=N epoch=N outcome=not-sent state=sent",
        "INFO relais.reconcile task=remove delivery=N account=N epoch=N outcome=content state=sent",
    }
    assert WORDS not in told.text


def test_readings_of_pages_tell_what_came_of_them(room: Room, told: pytest.LogCaptureFixture) -> None:
    room.channel().fail_next(refused(Unreachable), call="page_figures")

    pages_due(room.engine.worker)
    room.engine.worker.finish()

    assert shapes(told.records) == {
        "INFO relais.collect task=pages account=N since=N-N-N until=N-N-N figures=N outcome=not-sent",
        "INFO relais.collect task=pages account=N since=N-N-N until=N-N-N figures=N outcome=ok",
    }
    assert WORDS not in told.text


def test_mails_tell_whom_they_went_to_by_number_only(room: Room, told: pytest.LogCaptureFixture) -> None:
    mailer = MemoryMailer()
    worker = replace(room.engine.worker, hub=replace(room.hub, mailer=mailer))
    hung_up, never = NotSent("The mail server hung up.", everybody=True), NotSent("Never.", lasting=True)
    days: list[tuple[int, list[NotSent | None]]] = [(3, [hung_up, None]), (6, [never])]
    for day, refusals in days:
        room.approve_one(f"{WORDS} {day}", when=wall(day, 18))
        room.channel().fail_next(refused(Refused))
        room.run_at(DUE.replace(day=day))
        for refusal in refusals:
            mailer.refusal = refusal
            mail_due(worker)
            room.clock.forward(hours=24)

    assert {one for one in shapes(told.records) if "relais.mails" in one} == {
        'INFO relais.mails task=mail person=N notices=N outcome=not-sent why="The mail server hung up."',
        "INFO relais.mails task=mail person=N notices=N outcome=given-up why=Never.",
        "INFO relais.mails task=mail person=N notices=N outcome=sent",
    }
    assert [word for word in (WORDS, "example.org", "Coordinator") if word in told.text] == []


def test_a_task_that_fails_and_an_outcome_that_cannot_be_kept_are_told_by_name(
    room: Room, told: pytest.LogCaptureFixture
) -> None:
    worker = room.engine.worker

    def fail() -> None:
        raise OSError("disk full")

    worker.submit(fail, what="tidy")
    worker.finish()
    worker.record(fail)

    assert shapes(told.records) == {
        "ERROR relais task=tidy outcome=failed error=OSError",
        "ERROR relais task=record outcome=kept error=OSError",
    }
