"""The clock tells people by mail, in passes of their own, and nothing waits for a mail server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import col, select

from channels import Refused
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.delivery import DeliveryState
from hub.domain.notice import Notice, NoticeKind
from hub.domain.post import Kind
from hub.mail import Mail, MemoryMailer, NotSent, SmtpMailer
from hub.services import approving, drafting, watching
from hub.services.delivering import Task
from hub.services.drafting import Draft
from schedules import runner
from schedules.embedded import Embedded
from schedules.mails import mail_due
from tests.post_office import open_office
from tests.schedules.conftest import Room, only_sqlite, wall
from tests.stage import NOON, Stage, build_stage

JOBS = {job.task: job for job in runner.JOBS}


@dataclass
class Desk:
    """A stage, what is written on it, and the clock that tells people."""

    stage: Stage
    mailer: MemoryMailer = field(default_factory=MemoryMailer)

    def __post_init__(self) -> None:
        self.hub = replace(self.stage.hub, mailer=self.mailer)
        self.engine = Embedded(self.hub, runner.JOBS, watch_clock=False)

    def submit(self, text: str = "Portes ouvertes", by: str = "animator") -> int:
        """A post that waits for approval."""
        actor, at = self.stage.people[by], self.stage.clock()
        typed = Draft(kind=Kind.NEWS, text=text, when=wall(10, 18), accounts=["facebook:A-14"], audience=["A-14"])
        with writing(self.hub.engine) as session:
            post = drafting.draft(session, typed, by=actor, at=at, terms=self.hub.terms, rules=self.hub.rules)
            assert post.id is not None
            drafting.submit(
                session, post.id, by=actor, at=at, terms=self.hub.terms, rules=self.hub.rules, confirm_repeats=True
            )
            return post.id

    def tick(self) -> None:
        """The clock knocks for mails."""
        self.engine.tick(JOBS[Task.MAIL])

    def to(self) -> list[str]:
        """Who got a mail, in order."""
        return [mail.to.partition("@")[0] for mail in self.mailer.sent]

    def notices(self) -> list[Notice]:
        with reading(self.hub.engine) as session:
            return list(session.exec(select(Notice).order_by(col(Notice.id))))


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(build_stage(engine, tmp_path))


def test_mails_are_looked_for_three_times_a_minute() -> None:
    assert JOBS[Task.MAIL].every == timedelta(seconds=20)


def test_a_pass_makes_notices_and_sends_them(desk: Desk) -> None:
    desk.submit()
    desk.tick()
    desk.tick()

    assert desk.to() == ["coordinator", "deputy"]
    assert [(one.sent_at, one.tries) for one in desk.notices()] == [(NOON, 0)] * 2


def test_a_pass_that_finds_nothing_writes_nothing(desk: Desk) -> None:
    desk.submit()
    desk.tick()
    begun: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        begun.append(statement)

    event.listen(desk.hub.engine, "before_cursor_execute", listen)
    desk.tick()

    assert begun
    assert [words for words in begun if words.startswith(("BEGIN IMMEDIATE", "INSERT", "UPDATE", "DELETE"))] == []


def test_a_pass_asks_as_much_of_a_long_past_as_of_a_short_one(desk: Desk) -> None:
    counted: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        counted.append(statement)

    event.listen(desk.hub.engine, "before_cursor_execute", listen)
    desk.tick()
    few = len(counted)
    counted.clear()
    for number in range(30):
        desk.submit(f"Annonce {number}")
    desk.tick()
    counted.clear()
    desk.tick()

    assert len(counted) <= few + 3


@only_sqlite
def test_what_a_pass_looks_at_is_found_by_index(desk: Desk) -> None:
    """Posts by state, deliveries by state and time, notices by thing: none is read from end to end."""
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        asked.append((statement, parameters))

    desk.submit()
    event.listen(desk.hub.engine, "before_cursor_execute", listen)
    desk.tick()
    event.remove(desk.hub.engine, "before_cursor_execute", listen)
    plans: list[str] = []
    with desk.hub.engine.connect() as connection:
        for statement, parameters in asked:
            if statement.startswith("SELECT"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [row[3] for row in rows]

    assert [
        plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in {"post", "delivery", "notice"}
    ] == []


def test_while_the_mail_server_is_out_of_reach_one_try_is_made_and_all_wait(desk: Desk) -> None:
    desk.mailer.refusal = NotSent("The mail server does not answer, or hung up.", everybody=True)
    desk.submit()
    desk.tick()
    desk.tick()
    tried = [(one.tries, one.due_at - NOON) for one in desk.notices()]
    desk.mailer.refusal = None
    desk.stage.clock.forward(minutes=1)
    desk.tick()

    assert tried == [(1, timedelta(minutes=1))] * 2
    assert desk.to() == ["coordinator", "deputy"]


def test_a_mail_that_is_refused_keeps_the_others_from_nothing(desk: Desk) -> None:
    class Picky(MemoryMailer):
        def send(self, mail: Mail) -> None:
            self.refusal = NotSent("no such mailbox", lasting=True) if mail.to.startswith("coordinator") else None
            super().send(mail)

    desk = Desk(desk.stage, Picky())
    desk.submit()
    desk.tick()

    assert desk.to() == ["deputy"]
    assert [one.given_up_at for one in desk.notices()] == [NOON, None]


def test_a_mailer_that_breaks_keeps_neither_the_clock_nor_other_letters_from_going_on(desk: Desk) -> None:
    class Broken(MemoryMailer):
        def send(self, mail: Mail) -> None:
            if mail.to.startswith("coordinator"):
                raise RuntimeError("bug")
            super().send(mail)

    desk = Desk(desk.stage, Broken())
    desk.submit()
    desk.tick()

    assert (desk.to(), desk.engine.worker.trouble) == (["deputy"], None)
    assert [one.trouble for one in desk.notices()] == ["An unexpected RuntimeError: see the log.", None]


def test_nothing_is_held_open_while_a_mail_is_on_its_way(desk: Desk) -> None:
    class Writing(MemoryMailer):
        def send(self, mail: Mail) -> None:
            with writing(desk.hub.engine) as session:
                session.add(
                    Notice(
                        person_id=1,
                        kind=NoticeKind.FAILED,
                        thing="delivery:999",
                        occasion=mail.mark,
                        made_at=NOON,
                        due_at=NOON,
                    )
                )
            super().send(mail)

    desk = Desk(desk.stage, Writing())
    desk.submit(by="coordinator")
    desk.tick()

    assert desk.to() == ["deputy"]


def test_a_clock_that_is_stopping_sends_no_further_letter(desk: Desk) -> None:
    class Last(MemoryMailer):
        def send(self, mail: Mail) -> None:
            super().send(mail)
            desk.engine.stop()

    desk = Desk(desk.stage, Last())
    desk.submit()
    desk.tick()

    assert desk.to() == ["coordinator"]


def test_however_much_there_is_to_tell_each_gets_one_letter_in_a_pass(desk: Desk) -> None:
    with writing(desk.hub.engine) as session:
        for number in range(40):
            session.add(
                Account(
                    network=AccountNetwork.X,
                    name=f"X {number}",
                    remote_id=f"x{number}",
                    territory_code="FR",
                    state=AccountState.RESTING,
                    created_at=NOON,
                )
            )
    desk.tick()

    assert sorted(desk.to()) == ["administrator", "coordinator", "deputy"]
    assert [mail.text.count("\n- X ") for mail in desk.mailer.sent] == [30] * 3
    assert ["and 10 more" in mail.text for mail in desk.mailer.sent] == [True] * 3


def test_a_delivery_that_fails_for_real_is_told_for_real(room: Room) -> None:
    with open_office() as office:
        hub = replace(room.hub, mailer=SmtpMailer(f"smtp://127.0.0.1:{office.port}", "relais@example.org", timeout=5))
        delivery = room.approve_one()
        room.channel().fail_next(Refused("No."))
        room.run_at(room.delivery(delivery).due_at)
        mail_due(replace(room.engine.worker, hub=hub))

    assert room.state(delivery) is DeliveryState.FAILED
    assert sorted(mail["To"].addresses[0].username for mail in office.mails) == [
        "animator",
        "colleague",
        "coordinator",
        "deputy",
    ]


def test_publishing_goes_on_while_a_mail_server_keeps_silent(room: Room) -> None:
    refused = MemoryMailer(refusal=NotSent("The mail server does not answer, or hung up.", everybody=True))
    delivery = room.approve_one()
    mail_due(replace(room.engine.worker, hub=replace(room.hub, mailer=refused)))
    room.run_at(room.delivery(delivery).due_at)

    assert room.state(delivery) is DeliveryState.SENT


def test_mails_that_do_not_leave_are_a_sign_for_those_who_keep_the_machine(desk: Desk) -> None:
    desk.mailer.refusal = NotSent("The mail server refuses name and password (535).", everybody=True)
    desk.submit(by="coordinator")
    for _try in range(3):
        desk.tick()
        desk.stage.clock.forward(hours=1)

    with reading(desk.hub.engine) as session:
        signs = [sign.text for sign in watching.signs(session, at=desk.stage.clock()) if sign.area == "mails"]

    assert signs == [
        "1 message to somebody waits: mails do not leave. The mail server refuses name and password (535). "
        "It is tried again; look at RELAIS_SMTP_URL."
    ]


def test_what_was_approved_between_the_note_and_the_mail_is_not_asked_for(desk: Desk) -> None:
    class Approving(MemoryMailer):
        """Somebody approves while the first mail is on its way."""

        def send(self, mail: Mail) -> None:
            super().send(mail)
            hub, at = desk.hub, desk.stage.clock()
            with writing(hub.engine) as session:
                approving.give_back(session, number, by=desk.stage.people["coordinator"], at=at, reason="Non")

    desk = Desk(desk.stage, Approving())
    number = desk.submit()
    desk.tick()

    assert desk.to() == ["coordinator"]
