"""Reading figures: each kept as it was read, once per planned moment; what is missing wipes nothing out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from channels import ChannelError, Deadline, Message, Receipt, Throttled, Unauthorized, Unreachable
from channels.memory import MemoryChannel
from hub.database import reading, writing
from hub.domain.account import Account, AccountState
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.reach import Sample, Unit
from hub.services import holding, measuring
from hub.services.measuring import Reading
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, sent, visit
from tests.services.desk import Desk

PATIENCE = Patience()


def samples(desk: Desk) -> list[tuple[str, int, int | None, str | None]]:
    """Metric, slot, value and why it is missing, of every sample kept."""
    with reading(desk.stage.hub.engine) as session:
        rows = session.exec(select(Sample).order_by(col(Sample.slot), col(Sample.metric)))
        return [(row.metric, row.slot, row.value, row.missing) for row in rows]


def newest(desk: Desk, delivery: Delivery) -> dict[str, tuple[int | None, str | None]]:
    """What the roll-up says: value and why it is missing, by metric."""
    assert delivery.id is not None
    with reading(desk.stage.hub.engine) as session:
        return {row.metric: (row.value, row.missing) for row in measuring.figures_of(session, delivery.id)}


def due(desk: Desk, at: datetime) -> list[Reading]:
    with writing(desk.stage.hub.engine) as session:
        return measuring.due_readings(session, at=at, patience=PATIENCE)


def fail(desk: Desk, one: Reading, error: ChannelError, at: datetime) -> None:
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, one.account.id)
        assert account is not None
        measuring.note_failure(session, Reading(account, one.receipts), error, at=at, patience=PATIENCE)


def after(delivery: Delivery, **span: float) -> datetime:
    assert delivery.sent_at is not None
    return delivery.sent_at + timedelta(**span)


# --- Keeping ------------------------------------------------------------------------------------------------


def test_figures_are_kept_as_they_were_read_one_for_each_planned_moment(desk: Desk):
    [delivery] = published(desk)

    kept = [
        read(desk, delivery, after(delivery, hours=1), **{PEOPLE: 10, VIEWS: 12}),
        read(desk, delivery, after(delivery, hours=2), **{PEOPLE: 99, VIEWS: 99}),
        read(desk, delivery, after(delivery, hours=6), **{PEOPLE: 40, VIEWS: 52}),
    ]

    assert kept == [2, 0, 2]
    assert samples(desk) == [(VIEWS, 1, 12, None), (PEOPLE, 1, 10, None), (VIEWS, 6, 52, None), (PEOPLE, 6, 40, None)]
    assert newest(desk, delivery) == {PEOPLE: (40, None), VIEWS: (52, None)}


def test_a_figure_may_go_down_and_is_kept_as_it_is(desk: Desk):
    [delivery] = published(desk)

    read(desk, delivery, after(delivery, hours=1), **{PEOPLE: 10})
    read(desk, delivery, after(delivery, hours=6), **{PEOPLE: 8})

    assert newest(desk, delivery) == {PEOPLE: (8, None)}


def test_one_dead_metric_does_not_empty_the_rest(desk: Desk):
    [delivery] = published(desk)

    read(desk, delivery, **{PEOPLE: None, VIEWS: 12, CLICKS: 0})

    assert newest(desk, delivery) == {PEOPLE: (None, "not available"), VIEWS: (12, None), CLICKS: (0, None)}


def test_a_figure_that_is_missing_now_does_not_wipe_out_an_earlier_one(desk: Desk):
    [delivery] = published(desk)

    read(desk, delivery, after(delivery, hours=1), **{PEOPLE: 10})
    read(desk, delivery, after(delivery, hours=6), **{PEOPLE: None})

    assert samples(desk) == [(PEOPLE, 1, 10, None), (PEOPLE, 6, None, "not available")]
    assert newest(desk, delivery) == {PEOPLE: (10, None)}


def test_a_figure_that_was_missing_is_filled_by_a_later_one(desk: Desk):
    [delivery] = published(desk)

    read(desk, delivery, after(delivery, hours=1), **{PEOPLE: None})
    read(desk, delivery, after(delivery, hours=6), **{PEOPLE: 10})

    assert newest(desk, delivery) == {PEOPLE: (10, None)}


def test_the_roll_up_tells_when_its_figure_was_read(desk: Desk):
    [delivery] = published(desk)
    assert delivery.id is not None

    read(desk, delivery, after(delivery, hours=1), **{PEOPLE: 10})
    read(desk, delivery, after(delivery, hours=6), **{PEOPLE: 12})
    read(desk, delivery, after(delivery, days=1), **{PEOPLE: None})

    with reading(desk.stage.hub.engine) as session:
        [row] = measuring.figures_of(session, delivery.id)
    assert (row.first_read_at, row.last_read_at) == (after(delivery, hours=1), after(delivery, hours=6))


def test_a_post_that_the_network_does_not_speak_of_is_asked_about_again_as_planned(desk: Desk):
    [delivery] = published(desk)

    assert read(desk, delivery, after(delivery, hours=1)) == 0

    [later] = desk.deliveries(delivery.post_id)
    assert samples(desk) == []
    assert later.next_sample_at == after(delivery, hours=6)


# --- When ---------------------------------------------------------------------------------------------------


def test_figures_are_due_an_hour_after_a_post_went_out(desk: Desk):
    [delivery] = published(desk)

    assert due(desk, after(delivery, minutes=59)) == []
    [one] = due(desk, after(delivery, hours=1))

    assert one.receipts == {delivery.remote_id: delivery.id}
    assert measuring.receipts(one) == [Receipt(delivery.remote_id or "")]


def test_each_reading_plans_the_next_until_the_plan_is_done(desk: Desk):
    [delivery] = published(desk)
    planned = []

    for hours in (1, 6, 24, 72, 168, 672):
        read(desk, delivery, after(delivery, hours=hours), **{PEOPLE: hours})
        [now] = desk.deliveries(delivery.post_id)
        planned.append(now.next_sample_at)

    assert planned == [*(after(delivery, hours=hours) for hours in (6, 24, 72, 168, 672)), None]
    assert due(desk, after(delivery, days=400)) == []


def test_moments_missed_while_nobody_read_are_skipped_and_not_bunched(desk: Desk):
    [delivery] = published(desk)

    read(desk, delivery, after(delivery, days=5), **{PEOPLE: 10})

    [now] = desk.deliveries(delivery.post_id)
    assert samples(desk) == [(PEOPLE, 72, 10, None)]
    assert now.next_sample_at == after(delivery, days=7)


def test_a_reading_that_nobody_came_back_from_is_asked_again_after_a_lease(desk: Desk):
    [delivery] = published(desk)
    at = after(delivery, hours=1)
    due(desk, at)

    assert due(desk, at + timedelta(seconds=119)) == []
    assert len(due(desk, at + timedelta(seconds=120))) == 1


def test_posts_of_one_account_are_asked_about_together(desk: Desk):
    deliveries = [
        one
        for number in range(3)
        for one in published(desk, text=f"Bonjour {number}", accounts=["facebook:A-14", "portal:FR"])
    ]

    told = due(desk, after(deliveries[0], hours=2))

    assert sorted(len(one.receipts) for one in told) == [3, 3]
    assert {one.account.id for one in told} == {desk.stage.accounts["rennes"], desk.stage.accounts["portal"]}


def test_more_posts_than_a_network_takes_at_once_are_asked_about_next_time(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measuring, "BATCH", 2)
    deliveries = [published(desk, text=f"Bonjour {number}")[0] for number in range(3)]
    at = after(deliveries[0], hours=1)

    told = [sorted(one.receipts.values()) for _ in range(2) for one in due(desk, at)]

    ids = [one.id for one in deliveries]
    assert told == [ids[:2], ids[2:]]


@pytest.mark.parametrize("state", ["removed", "unknown", "waiting", "failed"])
def test_only_what_is_out_is_asked_about(desk: Desk, state):
    [delivery] = published(desk)
    desk.move(delivery.id, state=DeliveryState(state))

    assert due(desk, after(delivery, hours=1)) == []


def test_a_paused_account_is_not_asked(desk: Desk):
    [delivery] = published(desk)
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, delivery.account_id)
        assert account is not None
        account.state = AccountState.PAUSED

    assert due(desk, after(delivery, hours=1)) == []


def test_nobody_is_asked_while_everything_is_stopped(desk: Desk):
    [delivery] = published(desk)
    with writing(desk.stage.hub.engine) as session:
        holding.hold(session, reason="Panne", by="operator", at=desk.now)

    assert due(desk, after(delivery, hours=1)) == []


def test_what_has_no_id_on_the_network_is_not_asked_about_for_ever(desk: Desk):
    [delivery] = published(desk)
    desk.move(delivery.id, remote_id=None)

    assert due(desk, after(delivery, hours=1)) == []

    [now] = desk.deliveries(delivery.post_id)
    assert now.next_sample_at is None


# --- When it goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Unreachable("no route"), timedelta(minutes=15)),
        (Throttled("slow down", until=datetime(2026, 11, 10, 19, tzinfo=UTC)), timedelta(hours=1)),
        (Throttled("slow down"), timedelta(minutes=15)),
    ],
)
def test_a_reading_that_failed_is_tried_again_later(desk: Desk, error, again):
    [delivery] = published(desk)
    at = after(delivery, hours=1)
    [one] = due(desk, at)

    fail(desk, one, error, at)

    [now] = desk.deliveries(delivery.post_id)
    assert (now.state, now.next_sample_at) == ("sent", at + again)
    assert samples(desk) == []


def account_of(desk: Desk, delivery: Delivery) -> Account:
    with reading(desk.stage.hub.engine) as session:
        account = session.get(Account, delivery.account_id)
    assert account is not None
    return account


def test_an_account_whose_token_proves_dead_while_reading_rests(desk: Desk):
    [delivery] = published(desk)
    [one] = due(desk, after(delivery, hours=1))

    fail(desk, one, Unauthorized("expired", status=401), after(delivery, hours=1))

    assert account_of(desk, delivery).state == "resting"


@pytest.mark.parametrize(
    "error", [Unauthorized("cap", code="UsageCapExceeded"), Unauthorized("no read_insights", code="200", status=403)]
)
def test_what_only_stops_readings_does_not_stop_publishing(desk: Desk, error):
    [delivery] = published(desk)
    [one] = due(desk, after(delivery, hours=1))

    fail(desk, one, error, after(delivery, hours=1))

    assert account_of(desk, delivery).state == "active"


@pytest.mark.parametrize(("account", "waits"), [("facebook:A-14", True), ("x:FR", False)])
def test_a_rate_is_one_for_all_calls_of_a_page_but_each_kind_has_its_own_on_x(desk: Desk, account, waits):
    [delivery] = published(desk, accounts=[account], accepts_unlimited=True)
    at = after(delivery, hours=1)
    [one] = due(desk, at)

    fail(desk, one, Throttled("slow down", until=at + timedelta(minutes=30)), at)

    assert account_of(desk, delivery).not_before == (at + timedelta(minutes=30) if waits else None)


# --- Our own counts -----------------------------------------------------------------------------------------


def test_our_own_counts_are_added_up_by_day_and_territory(desk: Desk):
    [delivery] = published(desk, accounts=["portal:FR"])
    for territory, unit, number in [
        ("A-14", Unit.VIEWS, 2),
        ("A-14", Unit.VIEWS, 3),
        ("C-35238", Unit.VIEWS, 1),
        ("A-14", Unit.CLICKS, 1),
    ]:
        visit(desk, delivery, territory, unit, number)

    with reading(desk.stage.hub.engine) as session:
        told = measuring.visits_of(session, [delivery.key, "nobody"])

    assert told == {delivery.key: {Unit.VIEWS: 6, Unit.CLICKS: 1}, "nobody": {}}


def test_a_click_is_counted_and_told_where_it_leads(desk: Desk):
    [delivery] = published(desk, accounts=["portal:FR"], link="https://example.org/cfa")
    day = after(delivery).date()

    with writing(desk.stage.hub.engine) as session:
        leads = measuring.count_visit(session, delivery.key, territory_code="A-14", unit=Unit.CLICKS, day=day)
        nowhere = measuring.count_visit(session, "nobody", territory_code="A-14", unit=Unit.CLICKS, day=day)

    assert (leads, nowhere) == ("https://example.org/cfa", None)
    with reading(desk.stage.hub.engine) as session:
        assert measuring.visits_of(session, [delivery.key]) == {delivery.key: {Unit.CLICKS: 1}}


# --- Through a channel --------------------------------------------------------------------------------------


def test_what_a_channel_says_is_what_is_kept(desk: Desk):
    channel = MemoryChannel(now=desk.stage.clock)
    receipt = channel.publish(channel.prepare(Message("Bonjour", "key")), Deadline.after(30))
    channel.people[receipt.remote_id] = 42
    [delivery] = sent(desk, desk.approved())
    desk.move(delivery.id, remote_id=receipt.remote_id)
    [one] = due(desk, after(delivery, hours=1))

    with writing(desk.stage.hub.engine) as session:
        measuring.keep_figures(
            session, one, channel.figures(measuring.receipts(one), one.asked), at=after(delivery, hours=1)
        )

    assert newest(desk, delivery) == {PEOPLE: (42, None)}
