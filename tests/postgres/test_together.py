"""Two transactions at once: of each pair exactly one wins, and the other one is told so in words."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from channels import Figures, Receipt, Throttled
from hub.database import build_engine, migrate, reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.audit import OPERATOR, AuditEntry
from hub.domain.delivery import Action, Delivery, DeliveryState, Hold
from hub.domain.errors import Invalid, NotFound, NotSignedIn, WrongState
from hub.domain.notice import Notice, Rhythm
from hub.domain.person import Person, RoleKind, Token
from hub.domain.post import Post, PostState
from hub.domain.reach import Sample, Unit, Visit, first_slot
from hub.domain.sign_in import Purpose, RecoveryCode
from hub.secrets import Vault
from hub.services import (
    agreeing,
    approving,
    connecting,
    delivering,
    drafting,
    holding,
    importing,
    joining,
    measuring,
    notifying,
    proving,
    rescheduling,
    resolving,
    reviewing,
    sealing,
    sketching,
    staffing,
    subscribing,
    visiting,
)
from hub.web.app import create_app
from schedules.worker import Worker
from tests.postgres.meeting import meet, overtake
from tests.services.counting import CLICKS, VIEWS, figure, published
from tests.services.desk import Desk
from tests.stage import Stage, serving
from tests.web.conftest import Browser

S = DeliveryState


@pytest.fixture
def hub(stage: Stage) -> Any:
    """What doors work with."""
    return stage.hub


def doing(engine: Engine, deed: Callable[..., Any], *words: Any, **more: Any) -> Callable[[], Any]:
    """A deed in a transaction of its own."""

    def run() -> Any:
        with writing(engine) as session:
            return deed(session, *words, **more)

    return run


def count(engine: Engine, thing: Any, *conditions: Any) -> int:
    """How many rows there are."""
    with reading(engine) as session:
        return session.exec(select(func.count()).select_from(thing).where(*conditions)).one()


def noted(engine: Engine, action: str) -> int:
    """How often the audit has it."""
    return count(engine, AuditEntry, AuditEntry.action == action)


def states(desk: Desk, post_id: int) -> list[DeliveryState]:
    """Where the deliveries of a post stand."""
    return [one.state for one in desk.deliveries(post_id)]


# --- Posts ----------------------------------------------------------------------------------------------


def test_of_two_who_approve_at_once_one_does_and_the_other_is_told(engine: Engine, desk: Desk):
    post_id = desk.submitted()
    seen = desk.seen(post_id)

    made, refused = meet(
        engine,
        lambda: desk.approve(post_id, "coordinator", seen=seen),
        lambda: desk.approve(post_id, "deputy", seen=seen),
    )

    assert [one.state for one in made] == [S.WAITING]
    assert isinstance(refused, WrongState)
    assert str(refused) == "This post is approved already, and none of its destinations is held."
    assert states(desk, post_id) == [S.WAITING]


def test_of_approving_and_returning_at_once_one_happens(engine: Engine, desk: Desk):
    post_id = desk.submitted()
    seen = desk.seen(post_id)

    made, refused = meet(
        engine,
        lambda: desk.approve(post_id, seen=seen),
        doing(engine, approving.give_back, post_id, by=desk.who("deputy"), at=desk.now, reason="Trop long"),
    )

    assert len(made) == 1
    assert isinstance(refused, WrongState)
    assert desk.post(post_id).state is PostState.APPROVED


def test_of_two_who_hand_in_at_once_one_does(engine: Engine, desk: Desk):
    post_id = desk.write()

    handed_in, refused = meet(engine, lambda: desk.submit(post_id), lambda: desk.submit(post_id, "colleague"))

    assert handed_in.state is PostState.SUBMITTED
    assert isinstance(refused, WrongState)
    assert noted(engine, "post.submit") == 1


def test_what_changed_while_somebody_approves_is_not_approved(engine: Engine, desk: Desk):
    post_id = desk.submitted()
    seen = desk.seen(post_id)

    _changed, refused = meet(
        engine, lambda: desk.change(post_id, text="Autre chose"), lambda: desk.approve(post_id, seen=seen)
    )

    assert isinstance(refused, WrongState)
    assert desk.post(post_id).state is PostState.DRAFT
    assert desk.deliveries(post_id) == []


def test_a_change_that_meets_an_approval_takes_it_back(engine: Engine, desk: Desk):
    post_id = desk.submitted()
    seen = desk.seen(post_id)

    made, changed = meet(
        engine, lambda: desk.approve(post_id, seen=seen), lambda: desk.change(post_id, version=1, text="Autre chose")
    )

    assert (len(made), changed.version) == (1, 2)
    assert states(desk, post_id) == [S.CANCELLED]


def test_of_two_changes_of_one_version_the_second_is_refused(engine: Engine, desk: Desk):
    post_id = desk.write()

    _changed, refused = meet(
        engine,
        lambda: desk.change(post_id, version=1, text="Le premier"),
        lambda: desk.change(post_id, "colleague", version=1, text="Le second"),
    )

    assert isinstance(refused, WrongState)
    assert "Somebody else changed this post" in str(refused)
    assert (desk.post(post_id).text, desk.post(post_id).version) == ("Le premier", 2)


def test_who_moves_a_post_does_not_undo_what_was_written_meanwhile(engine: Engine, desk: Desk):
    post_id = desk.write()
    by, when = desk.who("animator"), desk.typed(when="2026-11-12T18:00").when

    def move(session: Session) -> Post:
        looked_at = drafting.get_post(session, post_id, by=by)  # as a page has it in its hands
        return rescheduling.move(session, post_id, when, version=looked_at.version, by=by, at=desk.now)

    moved = doing(engine, move)

    refused, _changed = overtake(engine, moved, lambda: desk.change(post_id, "colleague", text="Entre-temps"))

    assert isinstance(refused, WrongState)
    assert (desk.post(post_id).text, desk.post(post_id).version) == ("Entre-temps", 2)


def test_a_form_that_is_sent_twice_at_once_becomes_one_post(engine: Engine, stage: Stage, hub):
    fields = {
        "step": "submit",
        "sheet": sketching.new_id(),
        "kind": "news",
        "text": "Portes ouvertes",
        "date": "2026-11-10",
        "time": "18:00",
        "zone": "local",
        "audience": "A-14",
        "proposed": "",
        "accounts": str(stage.accounts["rennes"]),
    }
    with serving(create_app(hub)) as url:
        browser = Browser(url, stage, "animator")

        def send() -> httpx.Response:
            return browser.client.post(
                "/equipe/publications/nouvelle", data={"csrf": browser.token} | fields, follow_redirects=False
            )

        answers = meet(engine, send, send, after="INSERT INTO post ")
        browser.client.close()

    assert [one.status_code for one in answers] == [303, 303], [one.text for one in answers]
    assert len({one.headers["location"].partition("?")[0] for one in answers}) == 1
    assert count(engine, Post) == 1


def test_a_form_that_is_kept_while_it_is_sent_stays_sent(engine: Engine, desk: Desk):
    sheet_id, by = sketching.new_id(), desk.who("animator")
    keep = doing(engine, sketching.keep, sheet_id, [("text", "Bonjour")], by=by, at=desk.now)
    keep()

    def send(session: Session) -> int:
        post = drafting.draft(session, desk.typed(), by=by, at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules)
        sketching.finish(session, sheet_id, post, by=by, at=desk.now)
        return post.id or 0

    post_id, _kept = meet(engine, doing(engine, send), keep)

    with reading(engine) as session:
        assert sketching.written_as(session, sheet_id, by=by) == (post_id, 1)


# --- Deliveries -----------------------------------------------------------------------------------------


def claimed(desk: Desk) -> Callable[[Session], list[delivering.Claim]]:
    """What a worker takes."""
    return lambda session: delivering.claim(session, at=desk.now, owner="one", patience=desk.stage.hub.patience)


def due(desk: Desk) -> int:
    """An approved post, at the moment at which it is due; its number."""
    post_id = desk.approved()
    desk.stage.clock.at = desk.deliveries(post_id)[0].due_at
    return post_id


def test_a_post_that_is_claimed_right_now_is_not_changed_any_more(engine: Engine, desk: Desk):
    post_id = due(desk)

    claims, refused = meet(
        engine, doing(engine, claimed(desk)), lambda: desk.change(post_id, when="2026-11-20T18:00", text="Autre chose")
    )

    assert len(claims) == 1
    assert isinstance(refused, WrongState)
    assert str(refused) == "This post has begun to go out, so it cannot change any more. Make a copy of it instead."
    assert states(desk, post_id) == [S.CLAIMED]


def test_a_post_that_is_changed_right_now_is_not_claimed(engine: Engine, desk: Desk):
    post_id = due(desk)

    _changed, claims = meet(
        engine, lambda: desk.change(post_id, when="2026-11-20T18:00", text="Autre chose"), doing(engine, claimed(desk))
    )

    assert claims == []
    assert states(desk, post_id) == [S.CANCELLED]


def test_a_post_that_begins_to_go_out_while_it_is_withdrawn_is_told_once_it_is_known(engine: Engine, desk: Desk):
    post_id = due(desk)
    with writing(engine) as session:
        [claim] = claimed(desk)(session)

    work, withdrawn = meet(
        engine,
        doing(engine, delivering.open_attempt, claim, at=desk.now, patience=desk.stage.hub.patience),
        lambda: desk.withdraw(post_id),
    )

    assert work is not None
    assert withdrawn.state is PostState.WITHDRAWN
    [delivery] = desk.deliveries(post_id)
    assert (delivery.state, delivery.withdrawn) == (S.SENDING, True)


def test_a_post_that_is_withdrawn_while_its_attempt_opens_does_not_go_out(engine: Engine, desk: Desk):
    post_id = due(desk)
    with writing(engine) as session:
        [claim] = claimed(desk)(session)

    _withdrawn, work = meet(
        engine,
        lambda: desk.withdraw(post_id),
        doing(engine, delivering.open_attempt, claim, at=desk.now, patience=desk.stage.hub.patience),
    )

    assert work is None
    assert states(desk, post_id) == [S.CANCELLED]


def test_of_two_who_decide_about_a_delivery_at_once_one_does(engine: Engine, desk: Desk):
    post_id = due(desk)
    [delivery] = desk.deliveries(post_id)
    desk.move(delivery.id, state=S.REVIEW)
    more = {"at": desk.now, "patience": desk.stage.hub.patience}
    give_up, send = Action.GIVE_UP, Action.SEND

    done, refused = meet(
        engine,
        doing(engine, resolving.resolve, delivery.id, give_up, by=desk.who("coordinator"), **more),
        doing(engine, resolving.resolve, delivery.id, send, by=desk.who("deputy"), **more),
    )

    assert done.state is S.CANCELLED
    assert isinstance(refused, WrongState)
    assert states(desk, post_id) == [S.CANCELLED]


def test_two_workers_expire_and_archive_each_post_once(engine: Engine, desk: Desk):
    desk.submitted()
    desk.stage.clock.forward(days=30)

    expire = doing(engine, approving.expire, at=desk.now)
    expired = meet(engine, expire, expire)
    desk.stage.clock.forward(days=500)
    archive = doing(engine, approving.archive, at=desk.now)
    archived = meet(engine, archive, archive)

    assert [len(some) for some in (*expired, *archived)] == [1, 0, 1, 0]
    assert (noted(engine, "post.expire"), noted(engine, "post.archive")) == (1, 1)


# --- Stopping -------------------------------------------------------------------------------------------


def test_of_two_who_stop_everything_at_once_one_does_and_one_release_lets_all_go_on(engine: Engine, desk: Desk):
    stop, refused = meet(
        engine,
        doing(engine, holding.hold, reason="Panne", by=desk.who("coordinator"), at=desk.now),
        doing(engine, holding.hold, reason="Alerte", by=desk.who("deputy"), at=desk.now),
    )
    with writing(engine) as session:
        holding.release(session, by=desk.who("deputy"), at=desk.now)

    assert stop.reason == "Panne"
    assert isinstance(refused, WrongState)
    assert str(refused) == "Everything is stopped already: Panne"
    assert count(engine, Hold, col(Hold.until).is_(None)) == 0


def test_of_two_who_release_at_once_one_does(engine: Engine, desk: Desk):
    with writing(engine) as session:
        holding.hold(session, reason="Panne", by=OPERATOR, at=desk.now)

    release = doing(engine, holding.release, by=OPERATOR, at=desk.now)

    _stop, refused = meet(engine, release, release)

    assert isinstance(refused, WrongState)
    assert str(refused) == "Nothing is stopped."
    assert noted(engine, "hold.off") == 1


def test_two_who_agree_on_something_at_once_are_both_heard(engine: Engine, desk: Desk):
    by = desk.who("coordinator")

    meet(
        engine,
        doing(engine, agreeing.agree, {"silence_days": 20}, by=by, at=desk.now),
        doing(engine, agreeing.agree, {"silence_days": 30, "token_warning_days": 7}, by=by, at=desk.now),
    )

    with reading(engine) as session:
        agreed = agreeing.policies(session)
    assert (agreed.silence_days, agreed.token_warning_days) == (30, 7)


# --- People ---------------------------------------------------------------------------------------------


def test_of_two_who_add_the_same_person_at_once_one_does(engine: Engine, desk: Desk):
    add = doing(engine, joining.add_person, email="new@example.org", name="New", at=desk.now, by=OPERATOR)

    person, refused = meet(engine, add, add)

    assert person.email == "new@example.org"
    assert isinstance(refused, Invalid)
    assert str(refused) == "new@example.org is here already."


def test_of_two_administrators_who_shut_each_other_out_one_is_left(engine: Engine, desk: Desk):
    desk.join("second", RoleKind.ADMINISTRATOR, "FR")
    one, other = desk.who("administrator"), desk.who("second")

    done, refused = meet(
        engine,
        doing(engine, staffing.shut_out, other.id, by=one, at=desk.now),
        doing(engine, staffing.shut_out, one.id, by=other, at=desk.now),
    )

    assert done is None
    assert isinstance(refused, NotSignedIn)
    assert count(engine, Person, col(Person.disabled_at).is_not(None)) == 1


def test_of_two_administrators_who_take_each_others_role_one_keeps_it(engine: Engine, desk: Desk):
    desk.join("second", RoleKind.ADMINISTRATOR, "FR")
    one, other = desk.who("administrator"), desk.who("second")
    role = (RoleKind.ADMINISTRATOR, "FR")

    done, refused = meet(
        engine,
        doing(engine, joining.take_role, other.id, *role, by=one, at=desk.now),
        doing(engine, joining.take_role, one.id, *role, by=other, at=desk.now),
    )

    assert done is None
    assert "Only an administrator" in str(refused)


def test_a_token_made_while_its_holder_is_shut_out_opens_nothing(engine: Engine, desk: Desk):
    number = desk.who("animator").id

    _done, refused = meet(
        engine,
        doing(engine, joining.disable, number, by=OPERATOR, at=desk.now),
        doing(engine, joining.make_token, number, "laptop", by=OPERATOR, at=desk.now),
    )

    assert isinstance(refused, WrongState)
    assert count(engine, Token, Token.person_id == number, col(Token.revoked_at).is_(None)) == 0


def test_of_two_calendar_links_made_at_once_one_is_good(engine: Engine, desk: Desk):
    make = doing(engine, subscribing.make_link, by=desk.who("animator"), at=desk.now)

    links = meet(engine, make, make)

    assert len(set(links)) == 2
    assert count(engine, Token, Token.name == "Calendar", col(Token.revoked_at).is_(None)) == 1


def test_many_wrong_passwords_at_once_are_all_counted(engine: Engine, desk: Desk):
    begin = doing(engine, joining.begin_sign_in, "animator@example.org", at=desk.now)

    meet(engine, begin, begin)

    with reading(engine) as session:
        assert joining.person_by_email(session, "animator@example.org").failures == 2


def test_a_link_to_choose_a_password_is_good_for_one_of_two(engine: Engine, desk: Desk):
    number = desk.who("animator").id
    with writing(engine) as session:
        plain = visiting.make_ticket(session, number, Purpose.RESET, by=OPERATOR, at=desk.now)

    used, refused = meet(
        engine,
        doing(engine, visiting.use_ticket, plain, password_hash="one", at=desk.now),
        doing(engine, visiting.use_ticket, plain, password_hash="two", at=desk.now),
    )

    assert used == number
    assert isinstance(refused, NotFound)
    assert str(refused).startswith("This link has been used already, or is too old.")
    with reading(engine) as session:
        assert joining.get_person(session, number).password_hash == "one"


def test_a_link_that_is_used_while_a_new_one_is_made_is_good_no_more(engine: Engine, desk: Desk):
    number = desk.who("animator").id
    with writing(engine) as session:
        plain = visiting.make_ticket(session, number, Purpose.RESET, by=OPERATOR, at=desk.now)

    fresh, refused = meet(
        engine,
        doing(engine, visiting.make_ticket, number, Purpose.RESET, by=OPERATOR, at=desk.now),
        doing(engine, visiting.use_ticket, plain, password_hash="x", at=desk.now),
    )

    assert isinstance(refused, NotFound)
    with reading(engine) as session:
        assert visiting.ticket_of(session, fresh, at=desk.now)[1].id == number


def test_a_session_that_is_ended_while_its_password_changes_stays_ended(engine: Engine, desk: Desk):
    by = desk.who("animator")
    with writing(engine) as session:
        cookie = visiting.enter(session, by.id, device="tests", at=desk.now)
    with reading(engine) as session:
        number = visiting.entered(session, cookie, at=desk.now).sign_in_id

    _done, refused = meet(
        engine,
        doing(engine, joining.disable, by.id, by=OPERATOR, at=desk.now),
        doing(engine, visiting.change_password, number, password_hash="x", by=by, at=desk.now),
    )

    assert isinstance(refused, NotSignedIn)


# --- The second factor ----------------------------------------------------------------------------------


class Key:
    """An authenticator in force, its vault, and its recovery codes."""

    def __init__(self, engine: Engine, desk: Desk) -> None:
        self.vault = Vault([Fernet.generate_key().decode()])
        self.by = desk.who("coordinator")
        with writing(engine) as session:
            self.secret = proving.begin(session, self.vault, by=self.by, at=desk.now).secret
        with writing(engine) as session:
            code = pyotp.TOTP(self.secret).at(desk.now)
            _proof, self.codes = proving.confirm(session, self.vault, code, by=self.by, at=desk.now)


def test_a_code_of_an_authenticator_is_good_for_one_of_two(engine: Engine, desk: Desk):
    key = Key(engine, desk)
    desk.stage.clock.forward(minutes=1)
    code = pyotp.TOTP(key.secret).at(desk.now)
    check = doing(engine, proving.check, key.vault, code, by=key.by, at=desk.now)

    proofs = meet(engine, check, check)

    assert [one.good for one in proofs] == [True, False]


def test_a_recovery_code_is_good_for_one_of_two(engine: Engine, desk: Desk):
    key = Key(engine, desk)
    check = doing(engine, proving.check, key.vault, key.codes[0], by=key.by, at=desk.now)

    proofs = meet(engine, check, check)

    assert [one.good for one in proofs] == [True, False]


def test_recovery_codes_made_twice_at_once_are_good_once(engine: Engine, desk: Desk):
    key = Key(engine, desk)
    renew = doing(engine, proving.renew_codes, by=key.by, at=desk.now)

    first, second = meet(engine, renew, renew)

    assert set(first).isdisjoint(second)
    assert count(engine, RecoveryCode) == proving.CODES


def test_an_authenticator_begun_twice_at_once_is_one(engine: Engine, desk: Desk):
    vault = Vault([Fernet.generate_key().decode()])
    begin = doing(engine, proving.begin, vault, by=desk.who("coordinator"), at=desk.now)

    _first, second = meet(engine, begin, begin)

    with reading(engine) as session:
        pending = proving.pending(session, vault, by=desk.who("coordinator"))
    assert pending is not None
    assert pending.secret == second.secret


def test_a_recovery_code_that_meets_a_reset_is_good_no_more(engine: Engine, desk: Desk):
    key = Key(engine, desk)

    _reset, refused = meet(
        engine,
        doing(engine, proving.reset, key.by.id, by=OPERATOR, at=desk.now),
        doing(engine, proving.check, key.vault, key.codes[0], by=key.by, at=desk.now),
    )

    assert isinstance(refused, WrongState)
    assert count(engine, RecoveryCode) == 0


# --- Accounts and keys ----------------------------------------------------------------------------------


def a_page(vault: Vault, at: Any) -> dict[str, Any]:
    """A page that is not here yet."""
    return {
        "network": AccountNetwork.FACEBOOK, "name": "Nouvelle", "remote_id": "777", "handle": None,
        "territory_code": "A-14", "secret": {"token": "a-secret-token"}, "options": {}, "by": OPERATOR, "at": at,
    }  # fmt: skip


def test_of_two_who_add_the_same_page_at_once_one_does(engine: Engine, desk: Desk):
    vault = Vault([Fernet.generate_key().decode()])
    add = doing(engine, connecting.add_account, vault, **a_page(vault, desk.now))

    made, refused = meet(engine, add, add)

    assert isinstance(refused, Invalid)
    assert f"This account is here already: number {made.id}" in str(refused)


def test_the_portal_account_is_made_once_by_two(engine: Engine, desk: Desk):
    with writing(engine) as session:
        session.connection().execute(text("DELETE FROM account WHERE network = 'portal'"))
    make = doing(engine, importing.make_portal_account, at=desk.now)

    assert meet(engine, make, make) == (True, False)


def test_reference_data_loaded_by_two_at_once_are_loaded_once(engine: Engine, desk: Desk):
    with writing(engine) as session:
        session.connection().execute(text("DELETE FROM auditentry WHERE action = 'reference.load'"))
        session.connection().execute(text("UPDATE commune SET population = population + 1 WHERE insee = '35238'"))
    load = doing(engine, importing.load_reference, at=desk.now)

    first, second = meet(engine, load, load)

    assert (first["changed"] > 0, second["changed"]) == (True, 0)


def test_network_keys_brought_in_twice_at_once_are_there_once(engine: Engine, desk: Desk):
    rows = [{"territory": "A-32", "kind": "country", "key": "GP", "name": "Guadeloupe"}]
    bring = doing(
        engine, reviewing.import_keys, rows, network=AccountNetwork.FACEBOOK, source="x", by=OPERATOR, at=desk.now
    )

    first, second = meet(engine, bring, bring)

    assert (first.added, second.added, second.unchanged) == (1, 0, 1)


def test_a_secret_that_comes_while_keys_are_rotated_is_under_the_new_key(engine: Engine, desk: Desk):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    before, both, after = Vault([old]), Vault([new, old]), Vault([new])
    with writing(engine) as session:
        session.connection().execute(text("UPDATE account SET secret = NULL"))

    meet(
        engine,
        doing(engine, connecting.add_account, before, **a_page(before, desk.now)),
        doing(engine, sealing.seal_again, both, by=OPERATOR, at=desk.now),
    )

    with reading(engine) as session:
        assert sealing.require_all_open(session, after) == 1


# --- Figures and mails ----------------------------------------------------------------------------------


def test_figures_that_are_read_twice_at_once_are_kept_once(engine: Engine, desk: Desk):
    [delivery] = published(desk)
    account = desk.stage.accounts["rennes"]
    with reading(engine) as session:
        page = connecting.get_account(session, account)
    asked = measuring.Reading(page, {delivery.remote_id or "": delivery.id or 0})
    told = Figures({delivery.remote_id or "": [figure(VIEWS, 7), figure(CLICKS, 2)]})
    assert delivery.sent_at is not None
    keep = doing(engine, measuring.keep_figures, asked, told, at=first_slot(delivery.sent_at))

    kept = meet(engine, keep, keep)

    assert kept == (2, 0)
    assert count(engine, Sample) == 2


def test_two_visitors_at_once_count_twice(engine: Engine, desk: Desk):
    [delivery] = published(desk)
    number, day = delivery.id or 0, desk.now.date()
    add = doing(engine, measuring.add_visits, number, territory_code="D-35", unit=Unit.VIEWS, day=day, number=1)

    meet(engine, add, add)

    with reading(engine) as session:
        assert session.exec(select(Visit.count)).all() == [2]


def test_two_workers_ask_for_the_figures_of_a_post_once(engine: Engine, desk: Desk):
    [delivery] = published(desk)
    assert delivery.next_sample_at is not None
    ask = doing(engine, measuring.due_readings, at=delivery.next_sample_at, patience=desk.stage.hub.patience)

    first, second = meet(engine, ask, ask)

    assert ([list(one.receipts) for one in first], second) == ([[delivery.remote_id]], [])


def test_figures_that_fail_while_another_answer_is_recorded_do_not_stand_in_its_way(engine: Engine, desk: Desk):
    post_id = due(desk)
    with writing(engine) as session:
        [claim] = claimed(desk)(session)
    with writing(engine) as session:
        work = delivering.open_attempt(session, claim, at=desk.now, patience=desk.stage.hub.patience)
    assert work is not None
    patience = desk.stage.hub.patience
    throttled = Throttled("wait", until=desk.now + timedelta(hours=1))
    asked = measuring.Reading(work.account, {"r": claim.delivery_id})
    outcome = delivering.outcome_of(throttled, patience, at=desk.now)

    results = meet(
        engine,
        doing(engine, measuring.note_failure, asked, throttled, at=desk.now, patience=patience),
        doing(engine, delivering.record, work, outcome, at=desk.now, patience=patience, jitter=1.0),
    )

    assert results == (None, S.WAITING)
    assert states(desk, post_id) == [S.WAITING]


def a_notice(engine: Engine, desk: Desk) -> None:
    """Something to tell the coordinators."""
    desk.submitted()
    with reading(engine) as session:
        missing = notifying.missing(session, at=desk.now)
    with writing(engine) as session:
        session.add_all([one for one in missing if one.person_id == desk.who("coordinator").id])


def test_a_letter_is_taken_by_one_of_two(engine: Engine, desk: Desk):
    a_notice(engine, desk)
    take = doing(engine, notifying.take_letter, at=desk.now, public_url="https://relais.example.org")

    first, second = meet(engine, take, take)

    assert first.person_id == desk.who("coordinator").id
    assert second is None


def test_who_wants_no_mails_any_more_while_one_leaves_is_obeyed(engine: Engine, desk: Desk):
    a_notice(engine, desk)

    letter, chosen = meet(
        engine,
        doing(engine, notifying.take_letter, at=desk.now, public_url="https://relais.example.org"),
        doing(engine, notifying.choose_rhythm, Rhythm.NEVER, by=desk.who("coordinator"), at=desk.now),
    )

    assert letter is not None
    assert chosen is None
    assert count(engine, Notice) == 0


# --- The schema -----------------------------------------------------------------------------------------


def test_of_two_machines_that_make_the_tables_at_once_one_does(server):
    with server.database() as name:
        url = server.url(name)

        def make() -> bool:
            engine = build_engine(url)
            try:
                return migrate(engine)
            finally:
                engine.dispose()

        with ThreadPoolExecutor(2) as pool:
            made = sorted(one.result() for one in [pool.submit(make), pool.submit(make)])

    assert made == [False, True]


# --- What no order can avoid ----------------------------------------------------------------------------


@pytest.fixture
def hasty(engine: Engine, stage: Stage) -> Any:
    """The same hub, on connections that wait for a lock no longer than a moment."""
    address = make_url(str(engine.url.render_as_string(hide_password=False)))
    url = address.update_query_dict({"options": "-c lock_timeout=300ms"})
    quick = build_engine(url.render_as_string(hide_password=False))
    yield quick
    quick.dispose()


def withdrawing(url: str, stage: Stage, post_id: int) -> httpx.Response:
    headers = {"Authorization": f"Bearer {stage.tokens['animator']}", "Accept-Language": "en"}
    address = f"{url}/api/v1/posts/{post_id}/withdraw"
    return httpx.post(address, json={"reason": "Reporté"}, headers=headers, trust_env=False, timeout=30)


def test_a_request_that_waits_too_long_for_another_is_told_to_try_again(engine: Engine, desk: Desk, hasty, hub):
    post_id = desk.approved()
    with serving(create_app(replace(hub, engine=hasty))) as url, engine.begin() as other:
        other.execute(text("SELECT id FROM post FOR UPDATE"))
        answer = withdrawing(url, desk.stage, post_id)

    assert answer.status_code == 503
    assert answer.json()["detail"] == "The database cannot be used right now. Nothing was kept; try again in a moment."
    assert answer.headers["retry-after"] == "5"
    assert desk.post(post_id).state is PostState.APPROVED


def test_a_request_that_is_stopped_in_favour_of_another_is_told_that_it_met_somebody(engine: Engine, desk: Desk, hub):
    post_id = desk.approved()
    with serving(create_app(hub)) as url, engine.connect() as other, ThreadPoolExecutor(1) as pool:
        # It is the request that notices first that both wait for each other.
        other.execute(text("SET deadlock_timeout = '1h'"))
        other.execute(text("SELECT id FROM delivery FOR UPDATE"))
        asked = pool.submit(withdrawing, url, desk.stage, post_id)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
            while not looking.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                assert not asked.done()
        other.execute(text("SELECT id FROM post FOR UPDATE"))
        answer = asked.result()
        other.rollback()

    assert answer.status_code == 409
    assert answer.json()["detail"] == (
        "Somebody else changed this at the same moment. Nothing of yours was kept: look at it again, then try again."
    )
    assert desk.post(post_id).state is PostState.APPROVED


def test_an_answer_that_cannot_be_recorded_now_is_kept_and_recorded_later(engine: Engine, desk: Desk, hasty, hub):
    post_id = due(desk)
    patience = hub.patience
    with writing(engine) as session:
        [claim] = claimed(desk)(session)
    with writing(engine) as session:
        work = delivering.open_attempt(session, claim, at=desk.now, patience=patience)
    assert work is not None
    outcome = delivering.outcome_of(Receipt("r1"), patience, at=desk.now)
    record = doing(hasty, delivering.record, work, outcome, at=desk.now, patience=patience, jitter=1.0)

    with ThreadPoolExecutor(1) as pool:
        worker = Worker(hub, pool, pool, pool)
        with engine.begin() as other:
            other.execute(text("SELECT id FROM delivery FOR UPDATE"))
            worker.record(record)
            meanwhile = (worker.trouble, states(desk, post_id))
        written = worker.write_down()

    assert meanwhile == ("record: OperationalError", [S.SENDING])
    assert (written, worker.trouble) == (True, None)
    assert states(desk, post_id) == [S.SENT]


def test_a_delivery_is_there_once_even_for_who_looks_at_nothing(engine: Engine, desk: Desk):
    post_id = desk.approved()
    [delivery] = desk.deliveries(post_id)
    twin = Delivery(**delivery.model_dump(exclude={"id"}))

    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add(twin)

    assert len(desk.deliveries(post_id)) == 1
