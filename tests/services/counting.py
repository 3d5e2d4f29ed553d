"""Posts that went out, and figures read of them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from channels import Figure, Figures
from channels.base import UnitKind
from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.reach import SLOTS, PageFigure, Unit, first_slot
from hub.services import measuring, rolling
from hub.services.measuring import Reading
from tests.services.desk import Desk

PEOPLE = "post_total_media_view_unique"
VIEWS = "post_media_view"
CLICKS = "post_clicks"
UNITS = {
    PEOPLE: UnitKind.PEOPLE,
    VIEWS: UnitKind.VIEWS,
    CLICKS: UnitKind.CLICKS,
    "impression_count": UnitKind.IMPRESSIONS,
    "like_count": UnitKind.REACTIONS,
    "repost_count": UnitKind.REACTIONS,
}


def figure(metric: str, value: int | None) -> Figure:
    """One figure as a network gives it."""
    return Figure(metric, UNITS.get(metric, UnitKind.VIEWS), value, None if value is not None else "not available")


def sent(desk: Desk, post_id: int, at: datetime | None = None) -> list[Delivery]:
    """All deliveries of a post went out, when they were due or then; they are its deliveries now."""
    for one in desk.deliveries(post_id):
        moment = at or one.due_at
        desk.move(
            one.id, state=DeliveryState.SENT, remote_id=f"r{one.id}", sent_at=moment, next_sample_at=first_slot(moment)
        )
    with writing(desk.stage.hub.engine) as session:
        for one in desk.deliveries(post_id):
            rolling.enter(session, one)
    return desk.deliveries(post_id)


def published(desk: Desk, by: str = "animator", **typed: Any) -> list[Delivery]:
    """A post that was written, approved and sent."""
    return sent(desk, desk.approved(by, **typed))


def read(desk: Desk, delivery: Delivery, at: datetime | None = None, /, **values: int | None) -> int:
    """Keep what a network says of a delivery (by default an hour after it went out); return how many were new."""
    assert delivery.sent_at is not None
    assert delivery.id is not None
    assert delivery.remote_id is not None
    told = Figures({delivery.remote_id: [figure(metric, value) for metric, value in values.items()]})
    with reading(desk.stage.hub.engine) as session:
        account = session.get(Account, delivery.account_id)
        assert account is not None
    with writing(desk.stage.hub.engine) as session:
        asked = Reading(account, {delivery.remote_id: delivery.id})
        return measuring.keep_figures(session, asked, told, at=at or first_slot(delivery.sent_at))


def visit(desk: Desk, delivery: Delivery, territory: str, unit: Unit, number: int) -> None:
    """Somebody looked at our own page, or followed a link."""
    assert delivery.id is not None
    assert delivery.sent_at is not None
    with writing(desk.stage.hub.engine) as session:
        measuring.add_visits(
            session, delivery.id, territory_code=territory, unit=unit, day=delivery.sent_at.date(), number=number
        )


def posted(desk: Desk, on: str, people: int | None, by: str = "animator", **typed: Any) -> Delivery:
    """A post that went out on a day at noon, and of which a network told so many people and views after a week."""
    noon = datetime.fromisoformat(f"{on}T12:00+00:00")
    [delivery] = sent(desk, desk.approved(by, **({"text": f"Le {on}"} | typed)), noon)
    read(desk, delivery, noon + SLOTS[4], **{PEOPLE: people, VIEWS: people})
    return delivery


def tell_page(
    desk: Desk, account: str, metric: str, day: date, value: int | None, *, period: str = "day", city: str = ""
) -> None:
    """A network told a figure of a page for a day."""
    figure_of_page = PageFigure(
        account_id=desk.stage.accounts[account],
        metric=metric,
        period=period,
        dimension=city,
        day=day,
        unit=Unit.PEOPLE,
        value=value,
        missing=None if value is not None else "not available",
        first_read_at=desk.now,
        last_read_at=desk.now,
    )
    with writing(desk.stage.hub.engine) as session:
        session.add(figure_of_page)
