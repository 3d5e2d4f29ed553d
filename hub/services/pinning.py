"""Which item of the portal is on whose board: pinned when it goes out, taken off when it is taken down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import zone_info
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.place import FOREVER, Pinned
from hub.domain.post import Kind, Post
from hub.domain.territory import COUNTRY, lineage
from hub.services import geotargeting

UNDATED_LASTS: Final = timedelta(days=30)
"""So long after it went out an event is listed of which nobody told the day."""

DATED: Final = frozenset({Kind.EVENT, Kind.MEETING})
"""Kinds that are about a day, told or not."""

PAGE: Final = 500

_MAKERS: Final[Mapping[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def ends_at(kind: Kind, event: Mapping[str, Any] | None, *, sent_at: datetime, useless_after: datetime) -> datetime:
    """When an item is over: at the last end of its event; FOREVER for what is not about a day."""
    if event:
        last = max(datetime.fromisoformat(timing["end"]) for timing in event["timings"])
        return last.replace(tzinfo=zone_info(event.get("zone") or "Europe/Paris"))
    if kind in DATED:
        return max(useless_after, sent_at + UNDATED_LASTS)
    return FOREVER


def pin(session: Session, delivery_id: int) -> None:
    """Put an item that is out on the boards of its territories and of all that they lie in; twice does no harm."""
    session.flush()
    _pin(session, [delivery_id])


def unpin(session: Session, delivery_id: int) -> None:
    """Take an item off every board."""
    session.execute(delete(Pinned).where(col(Pinned.delivery_id) == delivery_id))


def pin_all(session: Session) -> int:
    """Make every board anew from what is out; return how many items there are."""
    session.execute(delete(Pinned))
    out = (
        select(Delivery.id)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(Account.network == AccountNetwork.PORTAL, Delivery.state == DeliveryState.SENT)
    )
    ids = [number for number in session.exec(out) if number is not None]
    for start in range(0, len(ids), PAGE):
        _pin(session, ids[start : start + PAGE])
    return len(ids)


def _pin(session: Session, ids: list[int]) -> None:
    found: Any = (
        select(  # type: ignore[call-overload]
            Delivery.id, Delivery.gate, Delivery.sent_at, Delivery.useless_after, Post.kind, Post.event
        )
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            col(Delivery.id).in_(ids),
            Account.network == AccountNetwork.PORTAL,
            Delivery.state == DeliveryState.SENT,
            col(Delivery.sent_at).is_not(None),
        )
    )
    told = [(row, list((row.gate or {}).get("territories") or [COUNTRY])) for row in session.exec(found)]
    land = geotargeting.atlas(session, {code for _row, codes in told for code in codes})
    rows = []
    for row, codes in told:
        known = {
            "delivery_id": row.id,
            "kind": row.kind,
            "sent_at": row.sent_at,
            "ends_at": ends_at(row.kind, row.event, sent_at=row.sent_at, useless_after=row.useless_after),
        }
        above = {code for known_code in codes for code in lineage(land.nodes[known_code].path)} - set(codes)
        rows += [known | {"territory_code": code, "whole": True} for code in dict.fromkeys(codes)]
        rows += [known | {"territory_code": code, "whole": False} for code in sorted(above)]
    if rows:
        connection = session.connection()
        connection.execute(_MAKERS[connection.dialect.name](Pinned).on_conflict_do_nothing(), rows)
