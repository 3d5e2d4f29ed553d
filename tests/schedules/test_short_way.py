"""The short way of an ordinary try: whatever is unusual about one is left to the long way, also what changes on the way."""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.account import Account, AppWait
from hub.domain.delivery import Delivery, DeliveryState, Outcome, OutcomeKind
from hub.domain.post import Approval, Media, Post, PostDestination, PostMedia, PostState
from hub.services import attempting, connecting, delivering
from hub.services.attempting import Ready
from hub.services.delivering import Claim, Work
from hub.services.drafting import PictureOf
from tests.schedules.conftest import DUE, Room, wall

S = DeliveryState
OK = Outcome(OutcomeKind.OK, remote_id="1002_77", url="https://example.org/77", trace_id="t")


@pytest.fixture
def claim(room: Room) -> Claim:
    """An ordinary delivery, claimed, beside one of another post that is approved as well."""
    room.approve_one("Un autre jour", when=wall(9, 18))
    room.approve_one()
    room.clock.at = DUE
    return claimed(room)


def claimed(room: Room) -> Claim:
    """The one delivery that is due."""
    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=room.clock(), owner="own", patience=room.hub.patience)
    return claim


def look(room: Room, claim: Claim) -> Ready | None:
    """Look, as the dispatcher does."""
    with reading(room.hub.engine) as session:
        return attempting.look(session, [claim], sandboxed=room.hub.terms.sandboxed).get(claim.delivery_id)


def begin(room: Room, ready: Ready) -> Work | None:
    """Begin, as the dispatcher does."""
    with writing(room.hub.engine) as session:
        return attempting.begin(
            session, ready, at=room.clock(), patience=room.hub.patience, sibling_gap=timedelta(minutes=1)
        )


def begun(room: Room, claim: Claim) -> Work:
    """Look and begin."""
    ready = look(room, claim)
    assert ready is not None
    work = begin(room, ready)
    assert work is not None
    return work


def record(room: Room, work: Work, outcome: Outcome) -> DeliveryState | None:
    """Record, as the dispatcher does first."""
    with writing(room.hub.engine) as session:
        return attempting.record_sent(session, work, outcome, at=room.clock())


def columns(thing: Any) -> dict[str, Any]:
    """Everything that a row holds, apart from its number."""
    return {name: value for name, value in thing.model_dump().items() if name not in {"id", "delivery_id", "key"}}


def test_it_leaves_the_same_rows_as_the_long_way(room: Room, claim: Claim) -> None:
    work = begun(room, claim)
    sending, opened = columns(room.delivery(claim.delivery_id)), columns(room.attempts(claim.delivery_id)[0])
    record(room, work, OK)
    sent, closed = columns(room.delivery(claim.delivery_id)), columns(room.attempts(claim.delivery_id)[0])
    with writing(room.hub.engine) as session:  # the same delivery once more, as if nothing had been
        again = session.get(Delivery, claim.delivery_id)
        assert again is not None
        for attempt in room.attempts(claim.delivery_id):
            session.delete(session.merge(attempt))
        for name, value in before_the_try().items():
            setattr(again, name, value)
        again.epoch, again.owner, again.lease_until = claim.epoch, "own", room.clock() + room.hub.patience.lease

    with writing(room.hub.engine) as session:
        long = delivering.open_attempt(session, claim, at=room.clock(), patience=room.hub.patience)
    assert long is not None
    assert sending == columns(room.delivery(claim.delivery_id))
    assert opened == columns(room.attempts(claim.delivery_id)[0])
    with writing(room.hub.engine) as session:
        delivering.record(session, long, OK, at=room.clock(), patience=room.hub.patience, jitter=1)

    assert sent == columns(room.delivery(claim.delivery_id))
    assert closed == columns(room.attempts(claim.delivery_id)[0])
    assert long.message == work.message


def before_the_try() -> dict[str, Any]:
    return {
        "state": S.CLAIMED, "attempts": 0, "remote_id": None, "url": None, "sent_at": None, "next_sample_at": None
    }  # fmt: skip


# --- What it leaves to the long way -----------------------------------------------------------------------------


def change(room: Room, claim: Claim, **values: Any) -> None:
    """Change the delivery."""
    with writing(room.hub.engine) as session:
        delivery = session.get(Delivery, claim.delivery_id)
        assert delivery is not None
        for name, value in values.items():
            setattr(delivery, name, value)


def change_post(room: Room, claim: Claim, **values: Any) -> None:
    """Change the post behind everybody's back."""
    with writing(room.hub.engine) as session:
        post = session.get(Post, room.delivery(claim.delivery_id).post_id)
        assert post is not None
        for name, value in values.items():
            setattr(post, name, value)


def void(room: Room, claim: Claim) -> None:
    """Void the approval."""
    with writing(room.hub.engine) as session:
        approval = session.get(Approval, room.delivery(claim.delivery_id).approval_id)
        assert approval is not None
        approval.voided_at = room.clock()


def let_app_wait(room: Room) -> None:
    """The whole app shall wait."""
    with writing(room.hub.engine) as session:
        session.add(AppWait(app_key="facebook", not_before=room.clock() + timedelta(hours=1), reason="(#4)"))


def twin(room: Room, claim: Claim, state: DeliveryState, **values: Any) -> None:
    """Another delivery of the same account stands there."""
    with writing(room.hub.engine) as session:
        own = session.get(Delivery, claim.delivery_id)
        assert own is not None
        usual = {"gate_key": "D-22", "state": state, "text_key": "its own"}
        session.add(Delivery(**(own.model_dump(exclude={"id"}) | usual | values)))


def pause(room: Room) -> None:
    """A person pauses the page."""
    with writing(room.hub.engine) as session:
        connecting.pause(session, room.stage.accounts["rennes"], by="operator", at=room.clock(), reason="Congés")


def replace_secret(room: Room, claim: Claim) -> None:
    """The account is connected anew."""
    with writing(room.hub.engine) as session:
        account = session.get(Account, claim.account_id)
        assert account is not None
        account.secret = "another"


BY_ANYBODY: dict[str, Callable[[Room, Claim], object]] = {
    "everything is on hold": lambda room, _claim: room.hold(),
    "the account is paused": lambda room, _claim: pause(room),
    "the app waits": lambda room, _claim: let_app_wait(room),
    "the post was withdrawn": lambda room, claim: room.withdraw(claim.delivery_id),
    "the post is no longer approved": lambda room, claim: change_post(room, claim, state=PostState.DRAFT),
    "the approval is void": void,
    "it was withdrawn while claimed": lambda room, claim: change(room, claim, withdrawn=True),
    "somebody else claimed it": lambda room, claim: change(room, claim, epoch=claim.epoch + 1),
    "the lease is over": lambda room, _claim: room.clock.forward(seconds=120),
    "the account is being spoken for": lambda room, claim: twin(room, claim, S.SENDING),
    "its secret is replaced": lambda room, claim: replace_secret(room, claim),
    "a sibling goes out on the account": lambda room, claim: twin(
        room, claim, S.SENT, sent_at=room.clock() - timedelta(seconds=59), remote_id="9"
    ),
    "nobody knows what became of its twin": lambda room, claim: twin(
        room, claim, S.UNKNOWN, text_key=room.delivery(claim.delivery_id).text_key
    ),
}
"""What may happen at any moment, also between looking and beginning."""


@pytest.mark.parametrize("what", BY_ANYBODY)
def test_what_happens_between_looking_and_beginning_is_noticed(room: Room, claim: Claim, what: str) -> None:
    ready = look(room, claim)
    assert ready is not None
    BY_ANYBODY[what](room, claim)

    assert begin(room, ready) is None
    assert room.attempts(claim.delivery_id) == []


def elsewhere(room: Room) -> dict[str, Any]:
    """Of the same words, on another account."""
    return {"account_id": room.stage.accounts["national"]}


def words(room: Room, claim: Claim) -> dict[str, Any]:
    """Of the same words."""
    return {"text_key": room.delivery(claim.delivery_id).text_key}


def of_another_post(room: Room) -> dict[str, Any]:
    """Of another post, and just gone out."""
    other = room.approve_one("Autre chose", when=wall(9, 18))
    return {"post_id": room.delivery(other).post_id, "sent_at": room.clock(), "remote_id": "9"}


def hold_and_release(room: Room) -> None:
    """A stop that is over."""
    room.hold()
    room.release()


OF_NO_CONCERN: dict[str, Callable[[Room, Claim], object]] = {
    "a hold that is over": lambda room, _claim: hold_and_release(room),
    "another account is being spoken for": lambda room, claim: twin(room, claim, S.SENDING, **elsewhere(room)),
    "its twin waits": lambda room, claim: twin(room, claim, S.WAITING, **words(room, claim)),
    "nobody knows what became of other words": lambda room, claim: twin(room, claim, S.UNKNOWN),
    "a sibling went out on another account": lambda room, claim: twin(
        room, claim, S.SENT, sent_at=room.clock(), remote_id="9", **elsewhere(room)
    ),
    "another post went out": lambda room, claim: twin(room, claim, S.SENT, **of_another_post(room)),
    "another one of the account is claimed": lambda room, claim: twin(room, claim, S.CLAIMED),
    "another account has that id": lambda room, claim: twin(
        room, claim, S.SENT, sent_at=room.clock(), remote_id=OK.remote_id, **elsewhere(room)
    ),
}


@pytest.mark.parametrize("what", OF_NO_CONCERN)
def test_what_is_of_no_concern_to_it_does_not_send_it_the_long_way(room: Room, claim: Claim, what: str) -> None:
    OF_NO_CONCERN[what](room, claim)

    work = begun(room, claim)

    assert record(room, work, OK) is S.SENT


def test_it_is_begun_in_the_last_second_of_the_lease_which_then_begins_anew(room: Room, claim: Claim) -> None:
    ready = look(room, claim)
    assert ready is not None
    room.clock.at += room.hub.patience.lease - timedelta(seconds=1)

    assert begin(room, ready) is not None
    assert room.delivery(claim.delivery_id).lease_until == room.clock() + room.hub.patience.lease


def test_it_says_its_own_pictures_in_their_order(room: Room) -> None:
    with writing(room.hub.engine) as session:
        for name in "abc":
            columns: dict[str, Any] = {"mime": "image/png", "width": 1, "height": 1, "size": 1, "data": b"x"}
            session.add(Media(id=name * 64, created_at=room.clock(), **columns))
    room.approve_one("Un autre jour", when=wall(9, 18), pictures=[PictureOf(id="c" * 64, alt="C")])
    room.approve_one(pictures=[PictureOf(id=name * 64, alt=name.upper()) for name in "ba"])
    room.clock.at = DUE
    with writing(room.hub.engine) as session:  # as if they had been written the other way round
        own = select(PostMedia).where(col(PostMedia.alt) == "B")
        first = session.exec(own).one()
        session.delete(first)
        session.flush()
        session.add(PostMedia(**first.model_dump()))

    ready = look(room, claimed(room))

    assert ready is not None
    assert [picture.alt for picture in ready.message.pictures] == ["B", "A"]


SEEN_BY_LOOKING: dict[str, Callable[[Room, Claim], object]] = {
    "it was tried before": lambda room, claim: change(room, claim, attempts=1),
    "its text is not what was approved": lambda room, claim: change(room, claim, text="Autre chose"),
    "its gate is not what was approved": lambda room, claim: change(room, claim, gate={"territories": ["FR"]}),
    "the post says something else": lambda room, claim: change_post(room, claim, text="Autre chose"),
}


@pytest.mark.parametrize("what", SEEN_BY_LOOKING)
def test_what_is_not_as_it_was_approved_is_seen_by_looking(room: Room, claim: Claim, what: str) -> None:
    SEEN_BY_LOOKING[what](room, claim)

    assert look(room, claim) is None


def test_another_destination_than_was_approved_is_seen_by_looking(room: Room, claim: Claim) -> None:
    with writing(room.hub.engine) as session:
        post_id = room.delivery(claim.delivery_id).post_id
        session.add(PostDestination(post_id=post_id, account_id=room.stage.accounts["national"]))

    assert look(room, claim) is None


def test_a_change_of_the_post_after_looking_is_noticed_by_its_version(room: Room, claim: Claim) -> None:
    ready = look(room, claim)
    assert ready is not None
    change_post(room, claim, version=ready.version + 1)

    assert begin(room, ready) is None


def test_an_account_whose_posts_are_rationed_goes_the_long_way(room: Room) -> None:
    room.approve_one(accounts=("x:FR",), audience=("FR",))
    room.clock.at = DUE

    assert look(room, claimed(room)) is None


def test_siblings_that_keep_their_distance_go_the_long_way(room: Room, claim: Claim) -> None:
    twin(room, claim, S.SENT, sent_at=room.clock() - timedelta(seconds=30), remote_id="9")
    ready = look(room, claim)
    assert ready is not None

    assert begin(room, ready) is None
    room.clock.forward(seconds=30)
    assert begin(room, ready) is not None


def test_of_several_that_are_looked_at_together_each_says_its_own(room: Room) -> None:
    with writing(room.hub.engine) as session:
        columns: dict[str, Any] = {"mime": "image/png", "width": 1, "height": 1, "size": 1, "data": b"x"}
        session.add(Media(id="a" * 64, created_at=room.clock(), **columns))
    plain = [room.approve_one("Un"), room.approve_one("Deux"), room.approve_one("Trois")]
    room.approve_one("Une image", pictures=[PictureOf(id="a" * 64, alt="A")])
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        claims = delivering.claim(session, at=room.clock(), owner="own", patience=room.hub.patience)
    change(room, claims[1], text="Autre chose")
    change(room, claims[2], epoch=claims[2].epoch + 1)

    with reading(room.hub.engine) as session:
        ready = attempting.look(session, claims, sandboxed=room.hub.terms.sandboxed)

    assert len(claims) == 4
    assert {number: one.message.text for number, one in ready.items()} == {plain[0]: "Un"}
    assert ready[plain[0]].claim == claims[0]


# --- Recording ----------------------------------------------------------------------------------------------------


OTHERWISE: dict[str, tuple[Callable[[Room, Claim], object], Outcome]] = {
    "it went wrong": (lambda _room, _claim: None, Outcome(OutcomeKind.UNKNOWN)),
    "it was taken back and looked for": (lambda room, claim: change(room, claim, state=S.UNKNOWN), OK),
    "somebody else is at it": (lambda room, claim: change(room, claim, epoch=claim.epoch + 1), OK),
    "the id belongs to another one": (lambda room, claim: twin(room, claim, S.SENT, remote_id=OK.remote_id), OK),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_an_end_that_is_not_an_ordinary_one_is_left_to_the_long_way(room: Room, claim: Claim, what: str) -> None:
    happens, outcome = OTHERWISE[what]
    work = begun(room, claim)
    happens(room, claim)
    state = room.state(claim.delivery_id)

    assert record(room, work, outcome) is None
    assert (room.state(claim.delivery_id), room.outcomes(claim.delivery_id)) == (state, [None])


def test_once_it_is_out_nothing_is_left_of_why_it_waited(room: Room, claim: Claim) -> None:
    change(room, claim, reason="All of today's posts are used up.", setbacks=2)

    record(room, begun(room, claim), OK)

    found = room.delivery(claim.delivery_id)
    assert (found.state, found.reason, found.setbacks) == (S.SENT, None, 0)


def test_a_second_try_goes_the_long_way_also_when_it_went_well(room: Room, claim: Claim) -> None:
    work = begun(room, claim)

    assert record(room, replace(work, first_late=None), OK) is None


# --- Never a scan ---------------------------------------------------------------------------------------------------


def plans(room: Room, statements: list[tuple[str, Any]]) -> list[str]:
    """How the database would go about what it was asked, a step per line."""
    on_server = room.hub.engine.dialect.name == "postgresql"
    told = []
    with room.hub.engine.connect() as connection:
        if on_server:
            # Of a table with few rows it would rather read all; that is not what is asked here.
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in statements:
            word = "EXPLAIN" if on_server else "EXPLAIN QUERY PLAN"
            rows = connection.exec_driver_sql(f"{word} {statement}", parameters)
            told += [str(row[0] if on_server else row[3]).strip() for row in rows]
    return told


def test_no_statement_of_a_claim_or_a_try_goes_through_history(room: Room, claim: Claim) -> None:
    from sqlalchemy import event

    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            asked.append((statement, parameters))

    with writing(room.hub.engine) as session:
        delivering.put_back(session, claim, ready_at=DUE)
    event.listen(room.hub.engine, "before_cursor_execute", listen)
    again = claimed(room)
    work = begun(room, again)
    record(room, work, OK)
    with writing(room.hub.engine) as session:
        delivering.claim(session, at=room.clock(), owner="own", patience=room.hub.patience, account_id=again.account_id)
        delivering.accounts_due(session, at=room.clock())
    event.remove(room.hub.engine, "before_cursor_execute", listen)

    whole = [
        step
        for step in plans(room, asked)
        if ("Seq Scan on" in step or step.startswith("SCAN "))
        and any(table in step.split() for table in ("delivery", "attempt", "post", "approval", "approval_line"))
    ]
    assert whole == []
    assert len(asked) > 8


def test_the_next_of_an_account_is_found_by_its_own_index(room: Room, claim: Claim) -> None:
    with reading(room.hub.engine) as session:
        waiting = select(Delivery.id).where(delivering._stands(S.WAITING), col(Delivery.account_id) == 1)
        told = str(waiting.compile(session.get_bind(), compile_kwargs={"render_postcompile": True}))

    assert "state = 'waiting'" in told
