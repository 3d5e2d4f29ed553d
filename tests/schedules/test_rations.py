"""X takes so many posts of an account in a day and in half an hour: what is too much waits, and is never lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from channels import Refused, Throttled, Uncertain
from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.delivery import DeliveryState as S
from hub.services import connecting, delivering, rationing
from hub.services.rationing import DAY, SLICE, Ration
from tests.schedules.conftest import DUE, Room, wall

HALF_AN_HOUR = timedelta(minutes=30)


def choose(room: Room, **options: Any) -> None:
    """Somebody chooses how the X account is used."""
    with writing(room.hub.engine) as session:
        number = room.stage.accounts["x"]
        connecting.choose_options(session, number, options, by="operator", at=room.clock())


def on_x(room: Room, text: str, when: datetime | None = None) -> int:
    return room.approve_one(text, accounts=("x:FR",), audience=("FR",), when=when)


def left(room: Room) -> dict[timedelta, int]:
    """How many posts are left, by span."""
    with reading(room.hub.engine) as session:
        account = session.get(Account, room.stage.accounts["x"])
        assert account is not None
        found = rationing.rations(session, [account], at=room.clock())
        return {ration.span: ration.left for ration in found[account.id or 0]}


def test_what_is_too_much_for_half_an_hour_waits_for_the_next_in_the_order_of_its_due_time(room: Room) -> None:
    choose(room, posts_a_half_hour=2)
    made = [on_x(room, f"Numéro {number}", wall(3, 18, number)) for number in (4, 3, 2, 1, 0)]

    room.run_at(DUE + timedelta(minutes=5))
    first = room.shown("x")
    reasons = {room.delivery(one).reason for one in made[:3]}
    room.run_at(DUE + timedelta(minutes=35) - timedelta(seconds=1))
    too_early = len(room.shown("x"))
    room.run_at(DUE + timedelta(minutes=35))
    second = room.shown("x")
    room.run_at(DUE + timedelta(minutes=65))

    assert first == ["Numéro 0", "Numéro 1"]
    assert reasons == {"It waits: the posts that Page x may make in half an hour (2) are out."}
    assert (too_early, second) == (2, ["Numéro 0", "Numéro 1", "Numéro 2", "Numéro 3"])
    assert [room.state(one) for one in made] == [S.SENT] * 5
    assert [room.delivery(one).reason for one in made] == [None] * 5


def test_the_day_is_a_day_and_what_gets_too_late_goes_to_a_person_as_soon_as_it_is(room: Room) -> None:
    choose(room, posts_a_day=1)
    first, late = on_x(room, "Un"), on_x(room, "Deux", wall(3, 18, 1))
    tomorrow = on_x(room, "Trois", wall(4, 18))

    room.run_at(DUE)
    room.run_after(minutes=1)
    waits = room.delivery(late).ready_at
    room.run_at(waits)
    decided = room.state(late)
    room.run_at(DUE + timedelta(days=1))

    assert waits == DUE + timedelta(hours=6, minutes=1, seconds=1)
    assert (decided, len(room.audit("delivery.late"))) == (S.REVIEW, 1)
    assert [room.state(one) for one in (first, tomorrow)] == [S.SENT, S.SENT]


def test_without_a_choice_an_account_has_fifty_posts_a_day_and_a_verified_one_fifty_in_half_an_hour(
    room: Room,
) -> None:
    fresh = left(room)
    choose(room, verified=True)

    assert fresh == {DAY: 50, SLICE: 50}
    assert left(room) == {DAY: 2400, SLICE: 50}


@pytest.mark.parametrize(
    ("error", "counts"),
    [(None, 1), (Uncertain("No answer came."), 1), (Refused("Not like that."), 0), (Throttled("Slow down."), 0)],
)
def test_a_try_counts_unless_the_network_says_that_nothing_came_of_it(
    room: Room, error: Exception | None, counts: int
) -> None:
    on_x(room, "Un")
    if error is not None:
        room.channel("x").fail_next(error)  # type: ignore[arg-type]

    room.run_at(DUE)

    assert left(room) == {DAY: 50 - counts, SLICE: 50 - counts}


def test_what_was_read_back_and_is_not_there_counts_no_more_and_many_tries_of_one_post_count_once(room: Room) -> None:
    choose(room, posts_a_half_hour=1)
    delivery = on_x(room, "Un")
    for _ in range(2):
        room.channel("x").fail_next(Uncertain("No answer came."))

    room.clock.at = DUE
    room.live_until(DUE + timedelta(minutes=20))

    assert (room.state(delivery), room.outcomes(delivery)) == (S.SENT, ["unknown", "unknown", "ok"])
    assert left(room) == {DAY: 49, SLICE: 0}


def test_networks_without_such_a_cap_are_not_counted(room: Room) -> None:
    made = [room.approve_one(f"N{number}") for number in range(60)]

    room.run_at(DUE)

    assert {room.state(one) for one in made} == {S.SENT}


def test_sixty_posts_due_at_once_never_exceed_the_half_hour_and_all_go_out(room: Room) -> None:
    choose(room, verified=True)
    made = [on_x(room, f"N{number}") for number in range(60)]

    room.run_at(DUE)
    at_once = len(room.shown("x"))
    room.live_until(DUE + HALF_AN_HOUR)

    assert (at_once, len(room.shown("x"))) == (50, 60)
    assert {room.state(one) for one in made} == {S.SENT}


def test_a_worker_that_claimed_earlier_finds_the_last_place_taken(room: Room) -> None:
    choose(room, posts_a_half_hour=1)
    on_x(room, "Un")
    on_x(room, "Deux")
    with writing(room.hub.engine) as session:
        first, second = delivering.claim(session, at=DUE, owner="a", patience=room.hub.patience)
    with writing(room.hub.engine) as session:
        work = delivering.open_attempt(session, first, at=DUE, patience=room.hub.patience)
        assert work is not None
        delivering.record(
            session, work, delivering.outcome_of(Uncertain("?"), room.hub.patience, at=DUE), at=DUE,
            patience=room.hub.patience, jitter=1,
        )  # fmt: skip

    with writing(room.hub.engine) as session:
        assert delivering.open_attempt(session, second, at=DUE, patience=room.hub.patience) is None

    assert (room.state(second.delivery_id), room.attempts(second.delivery_id)) == (S.WAITING, [])


def test_figures_and_reading_back_do_not_wait_for_a_place(room: Room) -> None:
    choose(room, posts_a_day=1)
    on_x(room, "Un")
    room.run_at(DUE)
    on_x(room, "Deux", wall(3, 19))

    room.run_at(DUE + timedelta(hours=1))

    assert room.channel("x").calls.count("figures") == 1


def test_what_is_left_is_said_in_words_and_never_below_nothing() -> None:
    assert Ration(SLICE, most=50, used=12).sentence == "Posts left in half an hour: 38 of 50."
    assert Ration(DAY, most=2, used=5).left == 0
