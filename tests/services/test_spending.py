"""What accounts used is counted from our own rows: this month's posts and prices, today's calls, what waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlmodel import Session, col, select

from channels import Network
from channels.x import XRules
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AppWait
from hub.domain.delivery import Attempt, AttemptKind, Delivery, DeliveryState
from hub.domain.person import RoleKind
from hub.domain.post import Media, PostMedia
from hub.domain.reach import ReadingCost
from hub.services import spending
from hub.services.budgeting import Used
from hub.services.rationing import Ration
from hub.services.spending import Use
from tests.services.desk import Desk

NOVEMBER = date(2026, 11, 1)


def use(desk: Desk, name: str) -> Use:
    """What an account has used by now, at X's own prices."""
    rules = {**desk.stage.hub.rules, Network.X: XRules()}
    with reading(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts[name])
        assert account is not None
        return spending.uses(session, [account], rules=rules, at=desk.now)[desk.stage.accounts[name]]


def on_x(desk: Desk, text: str = "Portes ouvertes", **more: object) -> int:
    """A delivery on X, waiting; return its id."""
    post_id = desk.approved("coordinator2", text=text, audience=["FR"], accounts=["x:FR"], **more)
    [delivery] = desk.deliveries(post_id)
    assert delivery.id is not None
    return delivery.id


@pytest.fixture(autouse=True)
def second_coordinator(desk: Desk) -> None:
    """Somebody whose posts the coordinator may approve."""
    desk.join("coordinator2", RoleKind.COORDINATOR, "FR")


def sent(desk: Desk, delivery_id: int, at: datetime | None = None, state: DeliveryState = DeliveryState.SENT) -> None:
    """It went out at that moment."""
    desk.move(delivery_id, state=state, sent_at=at or desk.now)


def test_an_account_that_did_nothing_has_used_nothing(desk: Desk):
    left = (Ration(timedelta(hours=24), most=50, used=0), Ration(timedelta(minutes=30), most=50, used=0))
    assert use(desk, "x") == Use(NOVEMBER, posts=0, cost=Decimal(0), reads_cost=Decimal(0), rations=left)
    assert use(desk, "rennes") == Use(NOVEMBER, posts=0, cost=None)


def test_posts_of_this_month_are_priced_as_before_their_approval(desk: Desk):
    sent(desk, on_x(desk, "Sans lien"))
    sent(desk, on_x(desk, "Avec un lien https://example.org/cfa"))
    sent(desk, on_x(desk, "Dépubliée depuis"), state=DeliveryState.REMOVED)

    told = use(desk, "x")

    assert (told.posts, told.cost) == (3, Decimal("0.230"))


def test_what_was_read_this_month_is_counted_with_its_price(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        for day, account in ((date(2026, 10, 31), "x"), (date(2026, 11, 1), "x"), (date(2026, 11, 2), "x")):
            session.add(ReadingCost(account_id=desk.stage.accounts[account], day=day, reads=2, micros=10_000))

    told = use(desk, "x")

    assert (told.reads, told.reads_cost) == (4, Decimal("0.02"))
    with reading(desk.stage.hub.engine) as session:
        month = spending.read_this_month(session, at=desk.now)
    assert month == {(desk.stage.accounts["x"], AccountNetwork.X): Used(4, 20_000)}


def test_words_of_pictures_are_priced_too(desk: Desk):
    delivery_id = on_x(desk, "Avec une image")
    sent(desk, delivery_id)
    with writing(desk.stage.hub.engine) as session:
        post_id = session.exec(select(Delivery.post_id).where(Delivery.id == delivery_id)).one()
        _picture(session, post_id, desk.now)

    assert use(desk, "x").cost == Decimal("0.020")


def _picture(session: Session, post_id: int, at: datetime) -> None:
    media = Media(id="a" * 64, mime="image/jpeg", width=1, height=1, size=1, data=b"x", created_at=at)
    session.add(media)
    session.flush()
    session.add(PostMedia(post_id=post_id, position=0, media_id=media.id, alt="Une cour"))


def test_the_month_begins_in_paris(desk: Desk):
    sent(desk, on_x(desk, "Le 1er à 0 h 30"), datetime(2026, 10, 31, 23, 30, tzinfo=UTC))
    sent(desk, on_x(desk, "La veille à 23 h 30"), datetime(2026, 10, 31, 22, 30, tzinfo=UTC))

    assert use(desk, "x").posts == 1


def test_calls_of_today_are_those_that_publish_or_take_down(desk: Desk):
    delivery_id = on_x(desk)
    kinds = [AttemptKind.PUBLISH, AttemptKind.REMOVE, AttemptKind.PERSON, AttemptKind.PUBLISH]
    moments = [desk.now, desk.now, desk.now, desk.now - timedelta(days=1)]
    with writing(desk.stage.hub.engine) as session:
        for number, (kind, at) in enumerate(zip(kinds, moments, strict=True)):
            session.add(
                Attempt(delivery_id=delivery_id, n=number, kind=kind, started_at=at, deadline_at=at, ended_at=at)
            )

    assert use(desk, "x").calls_today == 2
    assert use(desk, "rennes").calls_today == 0


def test_what_waits_is_counted_and_how_long_the_network_asked_us_to_wait(desk: Desk):
    on_x(desk)
    until = desk.now + timedelta(minutes=5)
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["x"])
        assert account is not None
        account.not_before = until

    assert (use(desk, "x").waiting, use(desk, "x").wait_until) == (1, until)
    desk.stage.clock.at = until
    assert use(desk, "x").wait_until is None


def test_a_wait_of_the_whole_app_is_told_with_each_of_its_accounts(desk: Desk):
    until = desk.now + timedelta(minutes=5)
    with writing(desk.stage.hub.engine) as session:
        session.add(AppWait(app_key="facebook", not_before=until, reason="The use of the app is nearly up."))

    waits = [use(desk, name).wait_until for name in ("rennes", "national", "x")]

    assert waits == [until, until, None]


def test_what_is_too_late_is_told_before_an_account_goes_on(desk: Desk):
    desk.approved(text="Bientôt")
    late = desk.approved(text="Il y a longtemps")
    excused = desk.approved(text="Voulue quand même")
    desk.stage.clock.at = datetime(2026, 11, 10, 17, 1, tzinfo=UTC)
    long_ago = desk.now - timedelta(hours=7)
    desk.move(desk.deliveries(late)[0].id, due_at=long_ago)
    desk.move(desk.deliveries(excused)[0].id, due_at=long_ago, excused_until=desk.now + timedelta(hours=1))

    with reading(desk.stage.hub.engine) as session:
        number = desk.stage.accounts["rennes"]
        patience = desk.stage.hub.patience
        assert spending.too_late(session, number, at=desk.now, patience=patience) == 1
        waiting = select(Delivery.id).where(col(Delivery.account_id) == number)
        assert len(session.exec(waiting).all()) == 3
