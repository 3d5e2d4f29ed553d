"""What somebody follows who follows an area: its newest items, its dates to come, and those that were taken down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, func, select

from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import Attempt, AttemptKind, Delivery, DeliveryState
from hub.domain.errors import NotFound
from hub.domain.event import Event, Span
from hub.domain.place import FOREVER, Commune, Pinned
from hub.domain.post import Kind, Post
from hub.domain.territory import Node, Territory, lineage
from hub.language import _
from hub.services import finding, geotargeting
from hub.services.showing import Item, TakenDown, get_item, zone_of

MOST: Final = 100
"""Most items of one feed."""

MOST_EVENTS: Final = 500
"""Most events of one calendar; each may have several dates."""

MOST_DATES: Final = 1000
"""Most dates of one calendar."""

BEHIND: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=366)
"""How far a calendar reaches back, since programs forget what a file no longer holds, and ahead."""

TOLD: Final = timedelta(days=90)
"""So long a date that was taken down is told as cancelled: programs that look once a month strike it out too."""


Told = tuple[Item, datetime | None]
"""An item, and when it was taken down, if it was."""


@dataclass(frozen=True)
class Dated:
    """An item with its dates, or what is left to say of one that was taken down."""

    item: Item
    event: Event
    removed_at: datetime | None = None
    commune: Commune | None = None

    @property
    def changed_at(self) -> datetime:
        """When what is told of it last changed."""
        return self.removed_at or moment_of(self.item)

    def all_dates(self) -> Iterator[tuple[int, Span]]:
        """Its dates, each with the number that it keeps: its place as typed."""
        yield from enumerate(self.event.spans_as_typed(), start=1)

    def dates(self, at: datetime) -> Iterator[tuple[int, Span]]:
        """Its dates within reach of a calendar."""
        for number, span in self.all_dates():
            if span.end >= at - BEHIND and span.begin <= at + AHEAD:
                yield number, span


def moment_of(item: Item) -> datetime:
    """When an item came out."""
    return item.delivery.sent_at or item.delivery.due_at


def get_area(session: Session, code: str) -> Node:
    """The area that is followed by this code: an arrondissement is its city, a commune that merged what it became.

    NotFound for what is no area.
    """
    code = code.strip().upper()
    if code.startswith("C-"):
        code = f"C-{finding.fold(code.removeprefix('C-'))}"
    seen: set[str] = set()
    territory = session.get(Territory, code) if len(code) <= 8 else None
    while territory and territory.successor_code and territory.code not in seen:
        seen.add(territory.code)
        territory = session.get(Territory, territory.successor_code)
    if territory is None:
        raise NotFound(_("There is no such area to follow. Look for a commune on the first page."))
    return geotargeting.atlas(session, [territory.code]).nodes[territory.code]


def newest(session: Session, area: Node, *, kind: Kind | None = None, at: datetime, most: int = MOST) -> list[Item]:
    """The newest items that are meant for an area or for a part of it, and not over; the newest first."""
    found: dict[int, datetime] = {}
    for code, whole in boards(area):
        lasting = col(Pinned.ends_at) == FOREVER
        coming = col(Pinned.ends_at).between(at, FOREVER - timedelta(days=1))
        for when in (lasting, coming):
            query = _pinned(code, whole, kind).where(when).order_by(col(Pinned.sent_at).desc()).limit(most)
            found |= dict(session.exec(query).all())
    ids = sorted(found, key=lambda number: (found[number], number), reverse=True)[:most]
    return _items(session, ids)


def coming(session: Session, area: Node, *, kind: Kind | None = None, at: datetime) -> list[Dated]:
    """What has dates from the last month to the next year in an area, those taken down lately included."""
    ids: set[int] = set()
    for code, whole in boards(area):
        query = _pinned(code, whole, kind).where(col(Pinned.ends_at).between(at - BEHIND, FOREVER - timedelta(days=1)))
        ids.update(number for number, _sent in session.exec(query.order_by(col(Pinned.ends_at)).limit(MOST_EVENTS)))
    alive: list[Told] = [(item, None) for item in _items(session, sorted(ids))]
    return _dated(session, [*alive, *_taken_down(session, area, kind, at=at)], at=at)


def dated_item(session: Session, key: str, *, at: datetime) -> Dated:
    """One item with its dates; NotFound when it has none, TakenDown when it was removed longer ago than is told."""
    try:
        told: list[Told] = [(get_item(session, key), None)]
    except TakenDown:
        told = _removed(session, at=at, key=key)
        if not told:
            raise
    found = _dated(session, told, at=at, everything=True)
    if not found:
        raise NotFound(_("This has no date to put into a calendar."))
    return found[0]


def began_at(session: Session) -> datetime:
    """When the portal began: a file in which nothing is yet has not changed since then."""
    return session.exec(select(Account.created_at).where(Account.network == AccountNetwork.PORTAL)).one()


def boards(area: Node) -> list[tuple[str, bool]]:
    """The boards to read for an area: all that it lies in, itself, and what is meant for a part of it."""
    return [*((code, True) for code in lineage(area.path)), (area.code, False)]


def _pinned(code: str, whole: bool, kind: Kind | None) -> Any:
    query = select(Pinned.delivery_id, Pinned.sent_at).where(
        Pinned.territory_code == code, col(Pinned.whole).is_(whole)
    )
    return query if kind is None else query.where(Pinned.kind == kind)


def _items(session: Session, ids: Sequence[int]) -> list[Item]:
    """The items of these deliveries, in that order."""
    found: dict[int | None, Item] = {}
    for start in range(0, len(ids), 500):
        query = (
            select(Delivery, Post)
            .join(Post, col(Post.id) == col(Delivery.post_id))
            .where(col(Delivery.id).in_(ids[start : start + 500]), Delivery.state == DeliveryState.SENT)
        )
        found |= {delivery.id: Item(delivery, post) for delivery, post in session.exec(query)}
    return [found[number] for number in ids if number in found]


def _taken_down(session: Session, area: Node, kind: Kind | None, *, at: datetime) -> Iterator[Told]:
    """What was taken down lately and had been meant for the area: few at any time, whatever the history."""
    removed = [(item, when) for item, when in _removed(session, at=at) if kind is None or item.post.kind is kind]
    codes = {code for item, _when in removed for code in zone_of(item.delivery)}
    land = geotargeting.atlas(session, [area.code, *codes])
    for item, when in removed:
        if any(land.meet(code, area.code) for code in zone_of(item.delivery) if code in land):
            yield item, when


def _removed(session: Session, *, at: datetime, key: str | None = None) -> list[Told]:
    removed_at = (
        select(func.max(Attempt.ended_at))
        .where(Attempt.delivery_id == Delivery.id, Attempt.kind == AttemptKind.REMOVE)
        .scalar_subquery()
    )
    query = (
        select(Delivery, Post, removed_at)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(
            Delivery.state == DeliveryState.REMOVED,
            Account.network == AccountNetwork.PORTAL,
            removed_at >= at - TOLD,
        )
        .order_by(col(Delivery.id).desc())
        .limit(MOST_EVENTS)
    )
    if key is not None:
        query = query.where(Delivery.key == key)
    return [(Item(delivery, post), when) for delivery, post, when in session.exec(query)]


def _dated(session: Session, told: Iterable[Told], *, at: datetime, everything: bool = False) -> list[Dated]:
    """Those that have dates (within reach, unless everything is asked for), by their first date."""
    events = [(item, Event.model_validate(item.post.event), when) for item, when in told if item.post.event]
    communes = _communes(session, {event.commune for _item, event, _when in events if event.commune})
    found = [Dated(item, event, when, communes.get(event.commune or "")) for item, event, when in events]
    return sorted(
        (one for one in found if everything or any(True for _date in one.dates(at))),
        key=lambda one: (min(span.begin for span in one.event.spans()), one.item.delivery.key),
    )


def _communes(session: Session, codes: Iterable[str]) -> dict[str, Commune]:
    ordered = sorted(codes)
    found: dict[str, Commune] = {}
    for start in range(0, len(ordered), 500):
        query = select(Commune).where(col(Commune.insee).in_(ordered[start : start + 500]))
        found |= {one.insee: one for one in session.exec(query)}
    return found
