"""The calendar: what goes out when, by the clocks of where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from sqlmodel import Session

from hub.domain import post as posts
from hub.domain.delivery import DeliveryState
from hub.domain.person import Actor
from hub.domain.post import PostState
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import drafting, geotargeting, resolving
from hub.services.showing import title
from hub.web.api import shapes
from hub.web.api.typed import HOME_ZONE, Answer, First, Last, period
from hub.web.deps import LARGEST_ID, Now, ReadDb, SignedIn, TheHub
from hub.wiring import Hub

router = APIRouter(tags=["calendar"])

MOST: Final = 2000
"""Most entries of one answer."""

SHOWN: Final = [state for state in DeliveryState if state is not DeliveryState.CANCELLED]


@router.get("/calendar", summary="Deliveries, and posts that wait for approval, by local time.")
def show(
    person: SignedIn,
    session: ReadDb,
    hub: TheHub,
    now: Now,
    first: First = None,
    last: Last = None,
    territory: Annotated[str | None, Query(max_length=8)] = None,
    account: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> list[Answer]:
    """Days are those of each entry's own zone; without dates, the month from today."""
    today = now.astimezone(HOME_ZONE).date()
    begin, end = period(first, last, usual=(today, today + timedelta(days=31)))
    if territory is not None:
        geotargeting.require_territories(session, [territory], name="territory")
    entries = _deliveries(session, person, begin, end, account) + _submitted(session, person, hub, begin, end, account)
    codes = {code for entry in entries for code in _zone(entry)}
    land = geotargeting.atlas(session, [*codes, *([territory] if territory else [])])
    kept = [
        entry
        for entry in entries
        if begin.isoformat() <= entry["wall_time"][:10] <= end.isoformat() and _concerns(land, entry, territory)
    ]
    kept.sort(key=lambda entry: (entry["wall_time"], entry["due_at"], entry["destination"]))
    return kept[:MOST]


def _around(begin: date, end: date) -> tuple[datetime, datetime]:
    """Every instant that is one of these days somewhere on Earth."""
    start = datetime.combine(begin, time(), UTC) - timedelta(days=1)
    return start, datetime.combine(end, time(), UTC) + timedelta(days=2)


def _deliveries(session: Session, by: Actor, begin: date, end: date, account: int | None) -> list[Answer]:
    since, until = _around(begin, end)
    found = resolving.list_deliveries(
        session, by=by, states=SHOWN, account_id=account, since=since, until=until, limit=MOST
    )
    entries = shapes.deliveries(session, found)
    return [{"delivery": entry.pop("id"), **entry} for entry in entries]


def _submitted(session: Session, by: Actor, hub: Hub, begin: date, end: date, account: int | None) -> list[Answer]:
    since, until = _around(begin, end)
    waiting = drafting.list_posts(session, by=by, states=[PostState.SUBMITTED], limit=MOST, since=since, until=until)
    planned = geotargeting.plans(session, waiting, terms=hub.terms, rules=hub.rules, at=hub.now())
    return [
        shapes.planned(one)
        | {
            "delivery": None,
            "post": post.id,
            "title": title(one.text),
            "state": post.state.value,
            "state_label": _(posts.STATE_NAMES[post.state]),
        }
        for post, some in zip(waiting, planned, strict=True)
        for one in some
        if account is None or one.account.id == account
    ]


def _zone(entry: Answer) -> Sequence[str]:
    return list((entry["gate"] or {}).get("territories") or [entry["territory"]])


def _concerns(land: Atlas, entry: Answer, territory: str | None) -> bool:
    return territory is None or any(land.meet(code, territory) for code in _zone(entry))
