"""The calendar: what goes out when, by the clocks of where it is read; deliveries, what waits for approval, drafts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from sqlmodel import Session, col, select

from channels import Network, Rules
from hub.domain.account import Account
from hub.domain.clock import LOCAL, zone_info
from hub.domain.delivery import STATE_NAMES, Delivery, DeliveryState
from hub.domain.person import Actor
from hub.domain.post import Post, PostDestination, PostState, variables_in
from hub.domain.territory import COUNTRY, Atlas
from hub.language import N_, _
from hub.services import drafting, geotargeting, resolving
from hub.services.geotargeting import Planned, Terms
from hub.services.showing import title

Thing = TypeVar("Thing", Post, Account)

MOST: Final = 2000
"""Most deliveries, and most posts without any, of one answer."""


class Standing(StrEnum):
    """How something in the calendar stands: few enough to be told apart at a glance, the one to care for first."""

    TROUBLE = "trouble"
    RETURNED = "returned"
    TO_APPROVE = "to_approve"
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    REMOVED = "removed"
    CANCELLED = "cancelled"


STANDING_NAMES: Final[Mapping[Standing, str]] = {
    Standing.TROUBLE: N_("to look at"),
    Standing.RETURNED: N_("returned"),
    Standing.TO_APPROVE: N_("to approve"),
    Standing.DRAFT: N_("draft"),
    Standing.SCHEDULED: N_("scheduled"),
    Standing.PUBLISHED: N_("published"),
    Standing.REMOVED: N_("taken down"),
    Standing.CANCELLED: N_("cancelled"),
}

USUAL: Final = frozenset(Standing) - {Standing.CANCELLED}
"""What is shown unless asked otherwise."""

_OF_DELIVERIES: Final[Mapping[DeliveryState, Standing]] = {
    DeliveryState.WAITING: Standing.SCHEDULED,
    DeliveryState.CLAIMED: Standing.SCHEDULED,
    DeliveryState.SENDING: Standing.SCHEDULED,
    DeliveryState.UNKNOWN: Standing.TROUBLE,
    DeliveryState.REVIEW: Standing.TROUBLE,
    DeliveryState.FAILED: Standing.TROUBLE,
    DeliveryState.SENT: Standing.PUBLISHED,
    DeliveryState.REMOVED: Standing.REMOVED,
    DeliveryState.CANCELLED: Standing.CANCELLED,
}

_OF_POSTS: Final[Mapping[PostState, Standing]] = {
    PostState.DRAFT: Standing.DRAFT,
    PostState.RETURNED: Standing.RETURNED,
    PostState.SUBMITTED: Standing.TO_APPROVE,
}


LATE: Final = timedelta(hours=1)
"""A delivery that still waits so long after its time needs somebody: its account rests, or nobody publishes."""


@dataclass(frozen=True)
class Entry:
    """One line of the calendar: a delivery, one that a post would become, or a draft for one account."""

    post: Post
    standing: Standing
    wall_time: str
    """As the clocks there show it, `2026-12-01T18:00`."""
    zone: str
    """IANA zone; `local` for a draft that means each territory's own."""
    due_at: datetime
    zone_codes: tuple[str, ...]
    """The territories that it is for."""
    account: Account | None
    """None: a draft that names no account yet."""
    delivery: Delivery | None = None
    planned: Planned | None = None

    @property
    def day(self) -> date:
        """Its day, by the clocks there."""
        return date.fromisoformat(self.wall_time[:10])

    @property
    def state_name(self) -> str:
        """Its state in words: the delivery's own where there is one."""
        return _(STATE_NAMES[self.delivery.state]) if self.delivery else _(STANDING_NAMES[self.standing])


@dataclass(frozen=True)
class Wanted:
    """What somebody asks the calendar for."""

    first: date
    last: date
    territory: str | None = None
    account_id: int | None = None
    standings: Collection[Standing] = field(default=USUAL)


@dataclass(frozen=True)
class Found:
    """The lines that somebody asked for, in the order of local time."""

    entries: list[Entry]
    cut: bool = False
    """There is more than was read: the last days may lack something."""


def entries(
    session: Session,
    wanted: Wanted,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    most: int = MOST,
) -> Found:
    """What this person may see of these days; Invalid for an unknown territory."""
    if wanted.territory is not None:
        geotargeting.require_territories(session, [wanted.territory], name="territory")
    made = _deliveries(session, wanted, by=by, at=at, most=most)
    found = [
        *(entry for entry in made if entry.standing in wanted.standings),
        *_submitted(session, wanted, by=by, at=at, terms=terms, rules=rules, most=most),
        *_drafts(session, wanted, by=by, most=most),
    ]
    codes = {code for entry in found for code in entry.zone_codes}
    land = geotargeting.atlas(session, [*codes, *([wanted.territory] if wanted.territory else [])])
    kept = [
        entry
        for entry in found
        if wanted.first <= entry.day <= wanted.last
        and (wanted.account_id is None or (entry.account is not None and entry.account.id == wanted.account_id))
        and _concerns(land, entry.zone_codes, wanted.territory)
    ]
    return Found(sorted(kept, key=_order), cut=len(made) >= most)


def _order(entry: Entry) -> tuple[str, datetime, int, int]:
    return entry.wall_time, entry.due_at, entry.post.id or 0, (entry.account.id or 0) if entry.account else 0


def _concerns(land: Atlas, codes: Iterable[str], territory: str | None) -> bool:
    return territory is None or any(land.meet(code, territory) for code in codes if code in land)


def _around(wanted: Wanted) -> tuple[datetime, datetime]:
    """Every instant that is one of these days somewhere on Earth."""
    start = datetime.combine(wanted.first, time(), UTC) - timedelta(days=1)
    return start, datetime.combine(wanted.last, time(), UTC) + timedelta(days=2)


def _deliveries(session: Session, wanted: Wanted, *, by: Actor, at: datetime, most: int) -> list[Entry]:
    late = {DeliveryState.WAITING} if Standing.TROUBLE in wanted.standings else set()
    states = late | {state for state, standing in _OF_DELIVERIES.items() if standing in wanted.standings}
    if not states:
        return []
    since, until = _around(wanted)
    found = resolving.list_deliveries(
        session, by=by, states=states, account_id=wanted.account_id, since=since, until=until, limit=most
    )
    return of_deliveries(session, found, at=at)


def standing_of(delivery: Delivery, at: datetime) -> Standing:
    """How a delivery stands; one that waits although its time is past needs somebody."""
    late = delivery.state is DeliveryState.WAITING and delivery.due_at < at - LATE
    return Standing.TROUBLE if late else _OF_DELIVERIES[delivery.state]


def of_deliveries(session: Session, found: Sequence[Delivery], *, at: datetime) -> list[Entry]:
    """Deliveries as lines of the calendar, with their posts and accounts, read together."""
    posts = _by_id(session, Post, {one.post_id for one in found})
    accounts = _by_id(session, Account, {one.account_id for one in found})
    return [
        Entry(
            post=posts[one.post_id],
            standing=standing_of(one, at),
            wall_time=one.wall_time,
            zone=one.zone,
            due_at=one.due_at,
            zone_codes=tuple((one.gate or {}).get("territories") or [one.territory_code]),
            account=accounts[one.account_id],
            delivery=one,
        )
        for one in found
    ]


def _by_id(session: Session, table: type[Thing], ids: Collection[int]) -> dict[int, Thing]:
    known: dict[int, Thing] = {}
    ordered = sorted(ids)
    for start in range(0, len(ordered), 500):
        rows = session.exec(select(table).where(col(table.id).in_(ordered[start : start + 500])))
        known |= {row.id: row for row in rows if row.id is not None}
    return known


def _submitted(
    session: Session,
    wanted: Wanted,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    most: int,
) -> list[Entry]:
    waiting = _posts(session, wanted, [PostState.SUBMITTED], by=by, most=most)
    planned = geotargeting.plans(session, waiting, terms=terms, rules=rules, at=at) if waiting else []
    return [
        Entry(
            post=post,
            standing=Standing.TO_APPROVE,
            wall_time=one.wall_time,
            zone=one.zone,
            due_at=one.due_at,
            zone_codes=tuple((one.stored_gate() or {}).get("territories") or [one.territory_code]),
            account=one.account,
            planned=one,
        )
        for post, some in zip(waiting, planned, strict=True)
        for one in some
    ]


def _posts(session: Session, wanted: Wanted, states: Iterable[PostState], *, by: Actor, most: int) -> list[Post]:
    asked = [state for state in states if _OF_POSTS[state] in wanted.standings]
    if not asked:
        return []
    since, until = _around(wanted)
    return drafting.list_posts(session, by=by, states=asked, limit=most, since=since, until=until)


def _drafts(session: Session, wanted: Wanted, *, by: Actor, most: int) -> list[Entry]:
    """Unfinished posts, one line for each account that they name: what they become is not worked out yet."""
    found = _posts(session, wanted, [PostState.DRAFT, PostState.RETURNED], by=by, most=most)
    if not found:
        return []
    ids = [post.id for post in found if post.id is not None]
    audiences = drafting.audiences_of(session, ids)
    chosen: dict[int, list[int]] = {}
    query = select(PostDestination.post_id, PostDestination.account_id)
    for post_id, account_id in session.exec(query.where(col(PostDestination.post_id).in_(ids))):
        chosen.setdefault(post_id, []).append(account_id)
    accounts = _by_id(session, Account, {number for some in chosen.values() for number in some})
    return [
        Entry(
            post=post,
            standing=_OF_POSTS[post.state],
            wall_time=post.wall_time,
            zone=post.zone,
            due_at=post.first_due_at,
            zone_codes=tuple(audiences.get(post.id or 0, [COUNTRY])),
            account=accounts[number] if number is not None else None,
        )
        for post in found
        for number in chosen.get(post.id or 0) or (None,)
    ]


# --- As people look at it -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """All that one post does on one day: siblings and accounts together."""

    entries: tuple[Entry, ...]

    @property
    def post(self) -> Post:
        """The post."""
        return self.entries[0].post

    @property
    def first(self) -> Entry:
        """Its earliest line of that day."""
        return self.entries[0]

    @property
    def day(self) -> date:
        """The day."""
        return self.first.day

    @property
    def hour(self) -> str:
        """When it begins, `18:00`."""
        return self.first.wall_time[11:16]

    @property
    def title(self) -> str:
        """The first line of the post: as it goes out where all lines are for one land, else with its gaps told."""
        own = self.first.delivery or self.first.planned
        if own is not None and len({entry.zone_codes for entry in self.entries}) == 1 and variables_in(self.post.text):
            return title(own.text, 80)
        return title(self.post.text, 80)

    @property
    def codes(self) -> frozenset[str]:
        """The territories that it is for."""
        return frozenset(code for entry in self.entries for code in entry.zone_codes)

    @property
    def standing(self) -> Standing:
        """How it stands: where its lines differ, what needs care comes first."""
        order = list(Standing)
        return min((entry.standing for entry in self.entries), key=order.index)

    @property
    def accounts(self) -> list[Account]:
        """The accounts, each once."""
        named = {entry.account.id: entry.account for entry in self.entries if entry.account is not None}
        return list(named.values())

    @property
    def zones(self) -> list[str]:
        """The zones of its clocks."""
        return sorted({entry.zone for entry in self.entries})


def slots(found: Iterable[Entry]) -> list[Slot]:
    """Lines of the same post on the same day as one, in the order of local time."""
    grouped: dict[tuple[date, int | None], list[Entry]] = {}
    for entry in found:
        grouped.setdefault((entry.day, entry.post.id), []).append(entry)
    return [Slot(tuple(some)) for some in grouped.values()]


def by_day(found: Iterable[Entry]) -> dict[date, list[Slot]]:
    """The slots of each day."""
    days: dict[date, list[Slot]] = {}
    for slot in slots(found):
        days.setdefault(slot.day, []).append(slot)
    return days


def is_today(entry: Entry, at: datetime) -> bool:
    """Whether its day has come by the clocks there."""
    return entry.zone != LOCAL and entry.day == at.astimezone(zone_info(entry.zone)).date()
