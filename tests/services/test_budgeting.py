"""What reading may cost: prices in whole millionths, a month of the UTC calendar, and a word before it is used up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlmodel import Session

from channels import Refused, Uncertain, Unreachable
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.reach import PagePlan
from hub.services import budgeting, watching
from hub.services.budgeting import Price, Used
from tests.services.counting import published, read
from tests.services.desk import Desk

X = AccountNetwork.X
PRICE = Price(post=5_000, user=10_000, month=100_000)
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def spend(desk: Desk, micros: int, at: datetime = AT, account: str = "x") -> None:
    """Something was read through an account."""
    with writing(desk.stage.hub.engine) as session:
        one = session.get_one(Account, desk.stage.accounts[account])
        budgeting.charge(session, one, reads=1, each=micros, at=at)


def left(desk: Desk, at: datetime = AT) -> int:
    with writing(desk.stage.hub.engine) as session:
        return budgeting.left(session, X, PRICE, at=at, lease=timedelta(minutes=2))


def test_prices_are_whole_millionths_and_never_less_than_they_are():
    price = Price.of(post=Decimal("0.005"), user=Decimal("0.0000001"), month=Decimal(20))

    assert price == Price(post=5_000, user=1, month=20_000_000)
    assert Used(3, 15_000).dollars == Decimal("0.015")


def test_what_was_spent_this_month_is_gone_from_the_budget(desk: Desk):
    spend(desk, 30_000)
    spend(desk, 10_000)
    spend(desk, 99_000, at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    spend(desk, 50_000, account="rennes")  # of another network

    assert left(desk) == 60_000
    assert left(desk, datetime(2026, 12, 1, tzinfo=UTC)) == 100_000


def test_what_may_be_under_way_is_gone_as_well(desk: Desk):
    [delivery] = published(desk, accounts=["x:FR"], accepts_unlimited=True)
    desk.move(delivery.id, next_sample_at=AT + timedelta(minutes=2))
    with writing(desk.stage.hub.engine) as session:
        session.add(PagePlan(account_id=desk.stage.accounts["x"], next_at=AT + timedelta(minutes=1)))

    assert left(desk) == 85_000
    assert left(desk, AT - timedelta(seconds=1)) == 90_000
    assert left(desk, AT + timedelta(minutes=2)) == 100_000


def test_nothing_read_and_nothing_taken_are_not_written_down(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        account = session.get_one(Account, desk.stage.accounts["x"])
        budgeting.charge(session, account, reads=0, each=5, at=AT)
        budgeting.charge(session, account, reads=5, each=0, at=AT)
        assert budgeting.used(session, [account.id or 0], since=date(2026, 1, 1)) == {}


def test_several_readings_of_one_day_are_one_row(desk: Desk):
    for _reading in range(3):
        spend(desk, 5_000)

    with reading(desk.stage.hub.engine) as session:
        told = budgeting.used(session, desk.stage.accounts.values(), since=AT.date())
    assert told == {desk.stage.accounts["x"]: Used(3, 15_000)}


def test_a_post_that_was_read_today_costs_nothing_again(desk: Desk):
    [first] = published(desk, text="Un", accounts=["x:FR"], accepts_unlimited=True)
    [second] = published(desk, text="Deux", accounts=["x:FR"], accepts_unlimited=True)
    read(desk, first, datetime(2026, 11, 10, 23, 59, tzinfo=UTC), impression_count=7)
    read(desk, second, datetime(2026, 11, 10, 23, 59, tzinfo=UTC), impression_count=None)

    def billed(session: Session, at: datetime) -> set[int]:
        return budgeting.billed_today(session, [first.id or 0, second.id or 0], at=at)

    with reading(desk.stage.hub.engine) as session:
        today = billed(session, datetime(2026, 11, 10, 23, 59, 30, tzinfo=UTC))
        tomorrow = billed(session, datetime(2026, 11, 11, tzinfo=UTC))
    assert (today, tomorrow) == ({first.id}, set())


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (Uncertain("no answer"), True),
        (Uncertain("not JSON", status=200), True),
        (Uncertain("broken", status=500), False),
        (Refused("no", status=400), False),
        (Unreachable("no route"), False),
    ],
)
def test_only_an_answer_that_was_lost_may_be_billed(error, billed):
    assert budgeting.may_be_billed(error) is billed


# --- A word in time -----------------------------------------------------------------------------------------


def signs(desk: Desk, price: Price = PRICE) -> list[tuple[str, str]]:
    with reading(desk.stage.hub.engine) as session:
        found = watching.signs(session, at=AT, prices={X: price})
        return [(one.text, one.brief) for one in found if "RELAIS_X_READS_BUDGET" in one.text]


def test_nobody_is_warned_while_there_is_money(desk: Desk):
    spend(desk, 79_999)

    assert signs(desk) == []


def test_from_four_fifths_on_it_is_told_that_the_money_will_end(desk: Desk):
    spend(desk, 80_000)

    [(text, brief)] = signs(desk)

    assert text == (
        "Reading figures on X has cost 0.08 of 0.10 US dollars this month: once that is used up, none are read before "
        "2026-12-01. RELAIS_X_READS_BUDGET allows more."
    )
    assert brief == "The money for reading figures on X is nearly used up."


def test_once_it_is_used_up_it_is_told_until_when(desk: Desk):
    spend(desk, 96_000)

    [(text, brief)] = signs(desk)

    assert text.startswith("The money for reading figures on X is used up (0.10 of 0.10 US dollars)")
    assert "before 2026-12-01" in text
    assert brief == "No figures are read on X for now."


def test_who_wants_nothing_read_is_not_warned(desk: Desk):
    spend(desk, 1)

    assert signs(desk, Price(post=5, user=10, month=0)) == []
