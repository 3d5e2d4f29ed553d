"""Reading figures: publishing first, what the catalogue names and nothing else, on X no more than its budget pays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, func, select

from channels import ChannelError, Refused, Throttled, Uncertain, Unreachable
from channels.memory import MemoryChannel
from channels.sandbox.faults import named
from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.metric import Metric
from hub.domain.reach import PageFigure, ReachFigure, ReadingCost, Sample
from hub.services import cataloguing, measuring
from hub.services.budgeting import Price
from schedules.collect import pages_due
from tests.schedules.conftest import DUE, Room, wall
from tests.schedules.road import Road, open_road

S = DeliveryState
HOUR = timedelta(hours=1)
POST = 5_000


@pytest.fixture
def road(engine: Engine, tmp_path: Path) -> Iterator[Road]:
    """Our own Facebook and X; their price of reading one's own posts."""
    with open_road(engine, tmp_path, x_price_read=Decimal("0.001"), read_timeout=5) as one:
        yield one


def on_x(room: Room, number: int) -> list[int]:
    """Posts that are out on X, a minute apart."""
    made = [
        room.approve_one(f"N{one}", accounts=("x:FR",), audience=("FR",), when=wall(3, 18, one))
        for one in range(number)
    ]
    room.clock.at = DUE
    room.live_until(DUE + timedelta(minutes=number))
    return made


def afford(room: Room, posts: float) -> None:
    """From now on this month's budget pays for so many posts."""
    price = Price(post=POST, user=10_000, month=int(POST * posts))
    room.engine.hub = room.engine.worker.hub = replace(room.hub, prices={AccountNetwork.X: price})


def reasons(room: Room, delivery: int) -> list[tuple[int, set[str | None]]]:
    """Slot and reasons of what is missing of a delivery."""
    with reading(room.hub.engine) as session:
        rows = session.exec(select(Sample).where(Sample.delivery_id == delivery))
        told: dict[int, set[str | None]] = {}
        for one in rows:
            told.setdefault(one.slot, set()).add(one.missing)
        return sorted(told.items())


def costs(room: Room) -> list[tuple[date, int, int]]:
    """Day, reads and price of what was read on X."""
    with reading(room.hub.engine) as session:
        rows = session.exec(select(ReadingCost).order_by(col(ReadingCost.day)))
        return [(one.day, one.reads, one.micros) for one in rows]


def tell(room: Room) -> MemoryChannel:
    """X tells 7 impressions of each post."""
    channel = room.channel("x")
    for remote_id in channel.shown:
        channel.counts[remote_id] = {"impression_count": 7}
    return channel


# --- Publishing first --------------------------------------------------------------------------------------------


def test_nothing_is_read_as_an_account_that_has_something_to_publish(room: Room) -> None:
    room.approve_one("Un")
    room.run_at(DUE)
    room.approve_one("Deux", when=wall(3, 19))
    room.clock.at = DUE + HOUR

    with writing(room.hub.engine) as session:
        early = measuring.due_readings(session, at=room.clock(), patience=room.hub.patience)
    done = room.run_at(DUE + HOUR)

    assert (early, done) == ([], 2)
    assert room.channel().calls[-2:] == ["publish", "figures"]


@pytest.mark.parametrize("state", [S.CLAIMED, S.SENDING])
def test_nothing_is_read_as_an_account_that_somebody_speaks_for(room: Room, state: DeliveryState) -> None:
    room.approve_one("Un")
    room.run_at(DUE)
    second = room.approve_one("Deux", when=wall(3, 23))
    with writing(room.hub.engine) as session:
        one = session.get_one(Delivery, second)
        one.state, one.owner, one.lease_until = state, "somebody", DUE + 2 * HOUR

    with writing(room.hub.engine) as session:
        due = measuring.due_readings(session, at=DUE + HOUR, patience=room.hub.patience)

    assert due == []


# --- What is asked -----------------------------------------------------------------------------------------------


def lay_metrics(room: Room) -> None:
    with writing(room.hub.engine) as session:
        if not session.exec(select(Metric)).first():
            session.add_all(cataloguing.shipped())


def asked(room: Room, at: datetime) -> list[str]:
    """The names that are asked for now."""
    with writing(room.hub.engine) as session:
        [one] = measuring.due_readings(session, at=at, patience=room.hub.patience)
        return [figure.name for figure in one.asked]


def test_networks_are_asked_for_what_the_catalogue_names_and_never_for_our_own_counts(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)

    assert sorted(asked(room, DUE + HOUR)) == [
        "post_clicks", "post_media_view", "post_reactions_by_type_total", "post_total_media_view_unique",
    ]  # fmt: skip


def test_a_figure_that_ended_is_asked_for_no_more_and_its_successor_is(room: Room) -> None:
    lay_metrics(room)
    room.approve_one()
    room.run_at(DUE)
    last = DUE.date() + timedelta(days=1)
    with writing(room.hub.engine) as session:
        old = session.exec(select(Metric).where(Metric.name == "post_media_view")).one()
        fresh = old.model_dump(exclude={"id"}) | {"name": "post_views", "valid_from": last, "replaces": old.name}
        old.valid_until = last
        session.add(Metric(**fresh))

    before = asked(room, DUE + HOUR)
    after = asked(room, DUE + timedelta(days=1))

    assert ("post_media_view" in before, "post_views" in before) == (True, False)
    assert ("post_media_view" in after, "post_views" in after) == (False, True)


def test_where_nothing_is_asked_no_call_is_made_and_the_plan_goes_on(room: Room) -> None:
    lay_metrics(room)
    delivery = room.approve_one()
    room.run_at(DUE)
    with writing(room.hub.engine) as session:
        for one in session.exec(select(Metric)):
            one.valid_until = DUE.date()

    room.run_at(DUE + HOUR)

    assert (room.channel().calls.count("figures"), reasons(room, delivery)) == (0, [])
    assert room.delivery(delivery).next_sample_at == DUE + 6 * HOUR


# --- The budget of X -----------------------------------------------------------------------------------------------


def test_what_there_is_no_money_for_is_missing_for_that_reason_the_oldest_first(room: Room) -> None:
    made = on_x(room, 5)
    afford(room, 3)
    tell(room)

    room.run_at(DUE + 2 * HOUR)

    told = [reasons(room, one)[0][1] == {"budget"} for one in made]
    assert told == [True, True, False, False, False]
    assert costs(room) == [(DUE.date(), 3, 3 * POST)]
    assert [room.delivery(one).next_sample_at for one in made] == [
        DUE + timedelta(hours=6, minutes=number) for number in range(5)
    ]


def test_what_was_left_out_is_read_at_its_next_moment_once_there_is_money(room: Room) -> None:
    [delivery] = on_x(room, 1)
    afford(room, 0.9)
    tell(room)
    room.run_at(DUE + 2 * HOUR)
    afford(room, 1)

    room.run_at(DUE + 7 * HOUR)

    assert reasons(room, delivery)[0] == (1, {"budget"})
    assert room.channel("x").calls.count("figures") == 1
    with reading(room.hub.engine) as session:
        figure = session.get_one(ReachFigure, (delivery, "impression_count"))
    assert (figure.value, figure.missing) == (7, None)


def test_with_a_budget_of_nothing_nothing_is_read_on_x_and_all_else_is(room: Room) -> None:
    [delivery] = on_x(room, 1)
    room.approve_one("Rennes", when=wall(3, 18, 30))
    room.run_at(DUE + timedelta(minutes=30))
    afford(room, 0)

    room.live_until(DUE + timedelta(days=40))

    assert [slot for slot, why in reasons(room, delivery) if why == {"budget"}] == [1, 6, 24, 72, 168, 672]
    assert room.delivery(delivery).next_sample_at is None
    assert (room.channel("x").calls.count("figures"), room.channel().calls.count("figures")) == (0, 6)


def test_the_same_post_costs_once_on_one_day_and_can_be_read_though_the_money_is_used_up(room: Room) -> None:
    [delivery] = on_x(room, 1)
    afford(room, 1)
    tell(room)

    room.run_at(DUE + HOUR)  # 18:00 UTC
    room.run_at(DUE + 6 * HOUR)  # 23:00 UTC
    room.run_at(DUE + 24 * HOUR)

    assert costs(room) == [(DUE.date(), 1, POST)]
    assert reasons(room, delivery)[-1] == (24, {"budget"})
    assert room.channel("x").calls.count("figures") == 2


def test_a_new_month_has_a_budget_of_its_own(room: Room) -> None:
    [delivery] = on_x(room, 1)
    afford(room, 1)
    tell(room)
    with writing(room.hub.engine) as session:
        session.get_one(Delivery, delivery).next_sample_at = None
        session.add(ReadingCost(account_id=room.stage.accounts["x"], day=date(2026, 11, 30), reads=1, micros=POST))
    with writing(room.hub.engine) as session:
        session.get_one(Delivery, delivery).next_sample_at = datetime.fromisoformat("2026-12-01T00:00:00+00:00")

    room.run_at(datetime.fromisoformat("2026-12-01T00:00:00+00:00"))

    assert costs(room)[-1] == (date(2026, 12, 1), 1, POST)


def test_what_is_under_way_is_as_good_as_spent(room: Room) -> None:
    on_x(room, 2)
    afford(room, 1)
    at = DUE + 2 * HOUR
    with writing(room.hub.engine) as session:
        [first] = measuring.due_readings(session, at=at, patience=room.hub.patience, prices=room.hub.prices)
    third = room.approve_one("N3", accounts=("x:FR",), audience=("FR",), when=wall(3, 19, 30))
    room.run_at(at)
    with writing(room.hub.engine) as session:
        session.get_one(Delivery, third).next_sample_at = at
        second = measuring.due_readings(session, at=at, patience=room.hub.patience, prices=room.hub.prices)

    assert (len(first.receipts), second) == (1, [])
    assert reasons(room, third)[0][1] == {"budget"}


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (Uncertain("No answer came."), True),
        (Uncertain("X's answer is not JSON.", status=200), True),
        (Uncertain("X gave no usable answer.", status=503), False),
        (Throttled("Slow down.", status=429), False),
        (Refused("No.", status=400), False),
        (Unreachable("No connection."), False),
    ],
)
def test_a_reading_whose_answer_was_lost_may_have_cost_something(room: Room, error: ChannelError, billed: bool) -> None:
    on_x(room, 2)
    room.channel("x").fail_next(error, call="figures")

    room.run_at(DUE + 2 * HOUR)

    assert costs(room) == ([(DUE.date(), 2, 2 * POST)] if billed else [])


def test_readings_of_facebook_cost_nothing(room: Room) -> None:
    room.approve_one()
    room.run_at(DUE)

    room.run_at(DUE + HOUR)

    assert costs(room) == []


# --- Over the real networks ------------------------------------------------------------------------------------------


def test_what_reading_costs_is_what_x_takes_for_it(road: Road) -> None:
    made = on_x(road, 3)
    account = road.account("x").remote_id
    before = Decimal(road.sandbox.x.account(account)["spent"])
    road.sandbox.x.take_down(road.delivery(made[1]).remote_id or "")

    for day in range(1, 33):
        road.live_until(DUE + timedelta(days=day))
        pages_due(road.engine.worker)
        road.engine.worker.finish()

    taken = Decimal(road.sandbox.x.account(account)["spent"]) - before
    assert sum(micros for _day, _reads, micros in costs(road)) == taken * 1_000_000
    # Two posts on five days (two of the six moments lie on one), and 32 mornings of followers.
    assert sum(reads for _day, reads, _micros in costs(road)) == 2 * 5 + 32
    assert {why for _slot, some in reasons(road, made[1]) for why in some} == {"resource-not-found"}


def test_a_retired_figure_is_missing_and_the_others_are_read(road: Road) -> None:
    delivery = road.approve_one()
    road.run_at(DUE)
    road.sandbox.graph.retire(["post_media_view"])

    road.run_at(DUE + HOUR)

    with reading(road.hub.engine) as session:
        told = {one.metric: (one.value is None, one.missing) for one in measuring.figures_of(session, delivery)}
    assert told.pop("post_media_view") == (True, "retired by the network")
    assert set(told.values()) == {(False, None)}


def test_after_thirty_days_x_tells_no_clicks_and_the_rest_all_the_same(road: Road) -> None:
    [delivery] = on_x(road, 1)
    with writing(road.hub.engine) as session:
        session.get_one(Delivery, delivery).next_sample_at = DUE + timedelta(days=31)

    road.run_at(DUE + timedelta(days=31))

    assert reasons(road, delivery) == [(672, {None, "older than 30 days"})]


def test_figures_of_pages_come_over_the_wire(road: Road) -> None:
    road.play(named("unavailable_before", path="/2/users/me"))
    road.run_at(DUE)

    pages_due(road.engine.worker)
    road.engine.worker.finish()

    with reading(road.hub.engine) as session:
        rows = session.exec(
            select(PageFigure.metric, func.count())
            .where(col(PageFigure.value).is_not(None))
            .group_by(PageFigure.metric)
        )
        told = dict(rows.all())
    assert set(told) == {"page_follows", "page_follows_city", "page_media_view", "page_total_media_view_unique"}
    assert (told["page_follows"], told["page_total_media_view_unique"]) == (3 * 90, 3 * 90 * 3)
    assert costs(road) == []
