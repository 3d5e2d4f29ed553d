"""Figures of pages: once a day after nine, made up for after a standstill, publishing first, kept as they were read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from channels import ChannelError, Network, PageFigure, Throttled, Unauthorized, Uncertain, UnitKind, Unreachable
from channels.memory import MemoryChannel, MemoryRules
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AccountState, AppWait
from hub.domain.delivery import DeliveryState
from hub.domain.metric import Metric
from hub.domain.reach import PageFigure as Kept
from hub.domain.reach import PagePlan, PageSample, ReadingCost, next_page_reading, page_days
from hub.services import cataloguing, connecting, surveying
from hub.services.budgeting import Price
from schedules.collect import pages_due
from schedules.runner import JOBS
from tests.schedules.conftest import DUE, Room
from tests.stage import NOON

S = DeliveryState
REACHED = "page_total_media_view_unique"
TODAY = NOON.date()
YESTERDAY = TODAY - timedelta(days=1)
MORNING = datetime(2026, 11, 3, 9, tzinfo=UTC)


def survey(room: Room, at: datetime) -> int:
    """Time knocks for the figures of pages."""
    room.clock.at = at
    number = pages_due(room.engine.worker)
    room.engine.worker.finish()
    return number


def asked(room: Room, name: str = "rennes") -> int:
    """How often an account was asked."""
    return room.channel(name).calls.count("page_figures")


def kept(room: Room, metric: str, name: str = "rennes", period: str = "day") -> dict[date, int | None]:
    """The newest figures of an account by day; those that are missing too."""
    with reading(room.hub.engine) as session:
        query = select(Kept).where(
            Kept.account_id == room.stage.accounts[name], Kept.metric == metric, Kept.period == period
        )
        return {one.day: one.value for one in session.exec(query.order_by(col(Kept.day)))}


def samples(room: Room, metric: str, day: date, name: str = "rennes") -> list[tuple[date, int | None, str | None]]:
    """Each reading of one figure of a day: when, what, and why it is missing."""
    with reading(room.hub.engine) as session:
        query = select(PageSample).where(
            PageSample.account_id == room.stage.accounts[name],
            PageSample.metric == metric,
            PageSample.period == "day",
            PageSample.day == day,
        )
        return [(one.read_on, one.value, one.missing) for one in session.exec(query.order_by(col(PageSample.read_on)))]


def planned(room: Room, name: str = "rennes") -> datetime:
    """When an account is asked next."""
    with reading(room.hub.engine) as session:
        return session.get_one(PagePlan, room.stage.accounts[name]).next_at


# --- The plan ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "following"),
    [
        (datetime(2026, 11, 2, 8, 59, tzinfo=UTC), datetime(2026, 11, 2, 9, tzinfo=UTC)),
        (datetime(2026, 11, 2, 9, tzinfo=UTC), MORNING),
        (datetime(2026, 11, 2, 23, tzinfo=UTC), MORNING),
    ],
)
def test_pages_are_read_once_a_day_at_nine(at: datetime, following: datetime) -> None:
    assert next_page_reading(at) == following


@pytest.mark.parametrize(
    ("last", "at", "days"),
    [
        (None, NOON, (date(2026, 8, 4), YESTERDAY)),
        (YESTERDAY, MORNING, (date(2026, 10, 30), TODAY)),
        (date(2026, 10, 1), MORNING, (date(2026, 9, 29), TODAY)),
        (date(2026, 1, 1), MORNING, (date(2026, 8, 5), TODAY)),
        # By night the day before has not ended everywhere.
        (YESTERDAY, datetime(2026, 11, 3, 3, tzinfo=UTC), (date(2026, 10, 30), YESTERDAY)),
        # A clock that was set back.
        (date(2026, 12, 24), MORNING, (TODAY, TODAY)),
    ],
)
def test_days_are_read_from_a_little_before_the_last_one_kept(
    last: date | None, at: datetime, days: tuple[date, date]
) -> None:
    assert page_days(last, at) == days


def test_a_new_account_is_read_at_once_and_then_every_morning(room: Room) -> None:
    room.channel().page = {(REACHED, YESTERDAY): 40, (REACHED, TODAY): 50}

    first = survey(room, NOON)
    again = survey(room, NOON + timedelta(hours=8))
    early = dict(kept(room, REACHED))
    third = survey(room, MORNING)

    assert (first, again, third) == (4, 0, 4)  # the portal has nobody to ask
    assert (len(early), early[YESTERDAY]) == (90, 40)
    assert kept(room, REACHED)[TODAY] == 50
    assert planned(room) == planned(room, "portal") == MORNING + timedelta(days=1)


def test_an_account_that_comes_later_gets_a_plan_of_its_own(room: Room) -> None:
    survey(room, NOON)
    with writing(room.hub.engine) as session:
        account = Account(
            network=AccountNetwork.FACEBOOK, name="Nouvelle", remote_id="77", territory_code="FR", created_at=NOON
        )
        session.add(account)
        session.flush()
        assert account.id is not None
        room.stage.accounts["new"] = account.id
        room.stage.channels[account.id] = MemoryChannel(MemoryRules(network=Network.FACEBOOK), now=room.clock)

    done = survey(room, NOON + timedelta(minutes=1))

    assert (done, asked(room, "new"), planned(room, "new")) == (1, 1, MORNING)


def test_days_of_which_nothing_was_told_are_asked_for_again(room: Room) -> None:
    survey(room, NOON)  # the network tells nothing yet
    room.channel().page = {(REACHED, YESTERDAY - timedelta(days=number)): 10 + number for number in range(20)}

    survey(room, MORNING + timedelta(days=1))

    told = kept(room, REACHED)
    assert [told[YESTERDAY - timedelta(days=number)] for number in range(20)] == [10 + number for number in range(20)]


def test_after_a_standstill_all_days_since_are_read(room: Room) -> None:
    survey(room, NOON)
    late = date(2026, 11, 20)
    room.channel().page = {(REACHED, YESTERDAY + timedelta(days=number)): number for number in range(60)}

    survey(room, datetime(2026, 11, 21, 14, tzinfo=UTC))

    told = kept(room, REACHED)
    assert [told[YESTERDAY + timedelta(days=number)] for number in range(20)] == list(range(20))
    assert max(told) == late


def test_an_account_whose_worker_died_is_asked_again_after_a_lease(room: Room) -> None:
    with writing(room.hub.engine) as session:
        surveying.due_pages(session, at=NOON, patience=room.hub.patience)

    early = survey(room, NOON + timedelta(seconds=119))
    late = survey(room, NOON + timedelta(seconds=120))

    assert (early, late) == (0, 4)


def test_pages_are_read_beside_the_agenda(room: Room) -> None:
    [job] = [one for one in JOBS if one.task == "pages"]

    assert (job.run, job.listed, job.every) == (pages_due, False, timedelta(minutes=1))
    assert room.engine.agenda().next_at is None


# --- What is kept ----------------------------------------------------------------------------------------------


def test_a_figure_that_goes_down_is_kept_as_it_was_read(room: Room) -> None:
    room.channel().page = {(REACHED, YESTERDAY): 40}
    survey(room, NOON)
    room.channel().page = {(REACHED, YESTERDAY): 38}
    survey(room, MORNING)
    room.channel().page = {}
    survey(room, MORNING + timedelta(days=1))

    assert samples(room, REACHED, YESTERDAY) == [
        (date(2026, 11, 2), 40, None),
        (date(2026, 11, 3), 38, None),
        (date(2026, 11, 4), None, "not available"),
    ]
    assert kept(room, REACHED)[YESTERDAY] == 38


def test_two_answers_of_one_day_are_kept_once(room: Room) -> None:
    with writing(room.hub.engine) as session:
        [one, *_others] = surveying.due_pages(session, at=NOON, patience=room.hub.patience)
    told = [PageFigure("page_follows_city", UnitKind.PEOPLE, "day", YESTERDAY, 7, dimension="Rennes\x00" + "x" * 900)]
    numbers = []
    for value in (7, 9):
        with writing(room.hub.engine) as session:
            figures = [replace(figure, value=value) for figure in told]
            numbers.append(surveying.keep_page_figures(session, one, figures, at=NOON))
    with writing(room.hub.engine) as session:
        nothing = surveying.keep_page_figures(session, one, [], at=NOON)

    with reading(room.hub.engine) as session:
        [figure] = session.exec(select(Kept))
    assert (numbers, nothing, figure.value) == ([1, 0], 0, 7)
    assert (figure.dimension[:8], len(figure.dimension)) == ("Rennesxx", 200)


def test_a_retired_figure_is_asked_for_no_more_and_a_new_one_is_by_data_only(room: Room) -> None:
    with writing(room.hub.engine) as session:
        if not session.exec(select(Metric)).first():
            session.add_all(cataloguing.shipped())
            session.flush()
        for one in session.exec(select(Metric).where(Metric.subject == "page", Metric.network == "facebook")):
            one.valid_until = TODAY
        more = session.exec(select(Metric).where(Metric.name == REACHED, Metric.period == "day")).one()
        fresh = more.model_dump(exclude={"id"}) | {"name": "page_viewers", "valid_from": TODAY, "valid_until": None}
        session.add(Metric(**fresh))
    room.channel().page = {("page_viewers", YESTERDAY): 12, (REACHED, YESTERDAY): 40}

    survey(room, NOON)

    assert kept(room, "page_viewers")[YESTERDAY] == 12
    assert kept(room, REACHED) == {}


# --- Who is asked ----------------------------------------------------------------------------------------------


def test_an_account_with_something_to_publish_is_left_to_that(room: Room) -> None:
    delivery = room.approve_one()
    survey(room, NOON)

    at_due = survey(room, DUE + timedelta(seconds=1))
    waited = asked(room)
    room.run_at(DUE + timedelta(seconds=2))
    survey(room, DUE + timedelta(seconds=3))

    assert (at_due, waited, asked(room), room.state(delivery)) == (3, 1, 2, S.SENT)


@pytest.mark.parametrize("state", [S.CLAIMED, S.SENDING])
def test_an_account_that_somebody_is_speaking_for_is_left_alone(room: Room, state: DeliveryState) -> None:
    delivery = room.approve_one()
    with writing(room.hub.engine) as session:
        one = session.get_one(type(room.delivery(delivery)), delivery)
        one.state, one.lease_until, one.owner = state, DUE + timedelta(minutes=2), "somebody"

    survey(room, NOON)

    assert (asked(room), asked(room, "national")) == (0, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": AccountState.PAUSED},
        {"state": AccountState.RESTING},
        {"state": AccountState.BLOCKED, "blocked_until": NOON + timedelta(hours=1)},
        {"not_before": NOON + timedelta(hours=1)},
        {"slow_until": NOON + timedelta(hours=1)},
    ],
)
def test_accounts_that_rest_wait_or_grow_slow_are_left_alone(room: Room, changes: dict[str, Any]) -> None:
    with writing(room.hub.engine) as session:
        account = connecting.get_account(session, room.stage.accounts["rennes"])
        for name, value in changes.items():
            setattr(account, name, value)

    survey(room, NOON)

    assert (asked(room), asked(room, "national"), planned(room)) == (0, 1, NOON)


def test_while_nothing_may_be_read_through_an_app_its_pages_are_left_alone(room: Room) -> None:
    with writing(room.hub.engine) as session:
        session.add(AppWait(app_key="facebook", reason="Cap.", reads_not_before=NOON + timedelta(hours=1)))

    assert survey(room, NOON) == 1
    assert asked(room, "x") == 1


def test_no_page_is_read_during_a_hold(room: Room) -> None:
    room.hold()

    assert survey(room, NOON) == 0


# --- When it goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Unreachable("No connection."), NOON + timedelta(minutes=15)),
        (Uncertain("No answer."), NOON + timedelta(minutes=15)),
        (Throttled("Slow down.", until=NOON + timedelta(hours=2)), NOON + timedelta(hours=2)),
        (Unauthorized("No read_insights.", code="10", status=400), MORNING),
    ],
)
def test_a_reading_that_failed_is_put_off(room: Room, error: ChannelError, again: datetime) -> None:
    room.channel().fail_next(error, call="page_figures")

    survey(room, NOON)

    assert (planned(room), kept(room, REACHED), room.account().state) == (again, {}, AccountState.ACTIVE)
    assert planned(room, "national") == MORNING


def test_a_dead_token_rests_the_account(room: Room) -> None:
    room.channel().fail_next(Unauthorized("Expired.", code="190/463", status=400), call="page_figures")

    survey(room, NOON)

    assert room.account().state is AccountState.RESTING


def test_use_that_grows_after_a_reading_is_heeded(room: Room) -> None:
    room.channel().slow_until = NOON + timedelta(minutes=9)

    survey(room, NOON)

    assert room.account().slow_until == NOON + timedelta(minutes=9)


# --- Money -----------------------------------------------------------------------------------------------------


def priced(room: Room, **price: int) -> None:
    """What reading on X costs from now on."""
    room.engine.hub = room.engine.worker.hub = replace(room.hub, prices={AccountNetwork.X: Price(**price)})


def costs(room: Room) -> list[tuple[date, int, int]]:
    """Day, reads and price of what was read on X."""
    with reading(room.hub.engine) as session:
        rows = session.exec(select(ReadingCost).order_by(col(ReadingCost.day)))
        return [(one.day, one.reads, one.micros) for one in rows]


def test_followers_on_x_cost_one_reading_a_day(room: Room) -> None:
    room.channel("x").page = {("followers_count", TODAY): 1234}

    survey(room, NOON)
    survey(room, MORNING)

    assert kept(room, "followers_count", "x", "moment") == {TODAY: 1234, TODAY + timedelta(days=1): None}
    assert costs(room) == [(TODAY, 1, 10_000), (MORNING.date(), 1, 10_000)]


@pytest.mark.parametrize("month", [0, 9_999])
def test_without_money_followers_are_missing_for_that_reason_and_asked_for_tomorrow(room: Room, month: int) -> None:
    priced(room, post=5_000, user=10_000, month=month)

    survey(room, NOON)

    with reading(room.hub.engine) as session:
        query = select(PageSample).where(PageSample.account_id == room.stage.accounts["x"])
        [sample] = session.exec(query)
    assert (sample.metric, sample.day, sample.value, sample.missing) == ("followers_count", TODAY, None, "budget")
    assert (asked(room, "x"), costs(room), planned(room, "x")) == (0, [], MORNING)


@pytest.mark.parametrize(
    ("error", "cost"),
    [
        (Uncertain("No answer came."), [(TODAY, 1, 10_000)]),
        (Uncertain("X gave no usable answer.", status=503), []),
        (Unreachable("No connection."), []),
    ],
)
def test_a_reading_whose_answer_was_lost_may_have_cost_something(
    room: Room, error: ChannelError, cost: list[tuple[date, int, int]]
) -> None:
    room.channel("x").fail_next(error, call="page_figures")

    survey(room, NOON)

    assert costs(room) == cost
