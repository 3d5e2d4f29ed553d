"""The calendar: what goes out when, by the clocks of where it is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from hub.domain import post as posts
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import calendaring, geotargeting
from hub.services.calendaring import Entry, Standing, Wanted
from hub.services.showing import title
from hub.web.api import shapes
from hub.web.api.typed import HOME_ZONE, Answer, First, Last, period
from hub.web.deps import LARGEST_ID, Now, ReadDb, SignedIn, TheHub
from hub.web.problems import documented

router = APIRouter(tags=["calendar"], responses=documented(401, 404))

USUAL: Final = calendaring.USUAL - {Standing.DRAFT, Standing.RETURNED}
"""Unless asked otherwise, what goes out and what waits for approval: drafts are nobody's promise."""


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
    state: Annotated[list[Standing] | None, Query(description="Only what stands like this.")] = None,
) -> list[Answer]:
    """Days are those of each entry's own zone; without dates, the month from today."""
    today = now.astimezone(HOME_ZONE).date()
    begin, end = period(first, last, usual=(today, today + timedelta(days=31)))
    wanted = Wanted(begin, end, territory, account, frozenset(state) if state else USUAL)
    found = calendaring.entries(session, wanted, by=person, at=now, terms=hub.terms, rules=hub.rules).entries
    made = [entry.delivery for entry in found if entry.delivery is not None]
    shaped = {one["id"]: one for one in shapes.deliveries(session, made)}
    land = geotargeting.atlas(session, [entry.post.territory_code for entry in found])
    return [
        _made(shaped[entry.delivery.id]) if entry.delivery is not None else _coming(entry, land)
        for entry in found[: calendaring.MOST]
    ]


def _made(shaped: Answer) -> Answer:
    return {"delivery": shaped.pop("id"), **shaped}


def _coming(entry: Entry, land: Atlas) -> Answer:
    """What a post would become, or a draft for an account."""
    post = entry.post
    told = {
        "delivery": None,
        "post": post.id,
        "title": title(entry.planned.text if entry.planned else post.text),
        "state": post.state.value,
        "state_label": _(posts.STATE_NAMES[post.state]),
    }
    if entry.planned is not None:
        return shapes.planned(entry.planned) | told
    return _draft(entry, land) | told


def _draft(entry: Entry, land: Atlas) -> Answer:
    account = entry.account
    return {
        "destination": str(account.id) if account else None,
        "account": account.id if account else None,
        "account_name": account.name if account else None,
        "network": account.network.value if account else None,
        "territory": entry.post.territory_code,
        "territory_name": land.name(entry.post.territory_code),
        "audience": list(entry.zone_codes),
        "due_at": entry.due_at,
        "wall_time": entry.wall_time,
        "zone": entry.zone,
    }
