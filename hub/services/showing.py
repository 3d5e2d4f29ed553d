"""What our own public pages show: the portal's deliveries that are out, and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import local_day
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import HubError, NotFound
from hub.domain.post import Media, Post, PostMedia, fill
from hub.domain.reach import Unit
from hub.domain.territory import COUNTRY
from hub.language import _
from hub.services import geotargeting, measuring

OUT = frozenset({DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.REMOVED})
"""Links of other deliveries are followed by no reader: a network looks at what it is about to show, or we do."""

SEARCHED = 500
"""How many of the newest items are looked through for those of one territory."""


class TakenDown(HubError):
    """It was here, and was taken down."""


@dataclass(frozen=True)
class Item:
    """One item of the portal."""

    delivery: Delivery
    post: Post
    pictures: Sequence[tuple[PostMedia, int, int]] = ()
    """With width and height, so that a page does not jump while they load."""

    @property
    def title(self) -> str:
        """Its first line."""
        return title(self.delivery.text)


def title(text: str, most: int = 90) -> str:
    """The first line of a text, shortened between words; its gaps told, which are filled for each delivery only."""
    first = text.strip().split("\n", 1)[0].strip()
    told = fill(first, {"territoire": _("each territory"), "academie": _("each académie")})
    if told != first and first.startswith("{"):
        told = told[:1].upper() + told[1:]
    if len(told) <= most:
        return told
    return told[:most].rsplit(" ", 1)[0].rstrip(" .,;:…") + "…"


def latest(session: Session, *, territory: str | None = None, limit: int = 20) -> list[Item]:
    """The newest items, all or those meant for a territory (or for something that it lies in)."""
    query = (
        select(Delivery, Post)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(Account.network == AccountNetwork.PORTAL, Delivery.state == DeliveryState.SENT)
        .order_by(col(Delivery.sent_at).desc(), col(Delivery.id).desc())
        .limit(limit if territory is None else SEARCHED)
    )
    rows = session.exec(query).all()
    if territory is not None:
        land = geotargeting.require_territories(
            session, [territory, *(code for delivery, _post in rows for code in zone_of(delivery))], name="territoire"
        )
        rows = [row for row in rows if any(land.meet(code, territory) for code in zone_of(row[0]))]
    return [Item(delivery, post) for delivery, post in rows[:limit]]


def zone_of(delivery: Delivery) -> list[str]:
    """The territories that a portal item is for."""
    return list((delivery.gate or {}).get("territories") or [COUNTRY])


def get_item(session: Session, key: str) -> Item:
    """The item with this key; TakenDown when it was removed, NotFound when it is not (or not yet) shown."""
    query = (
        select(Delivery, Post)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(Account.network == AccountNetwork.PORTAL, Delivery.key == key)
        .order_by(col(Delivery.id).desc())
    )
    for delivery, post in session.exec(query):
        if delivery.state is DeliveryState.SENT:
            pictures = (
                select(PostMedia, Media.width, Media.height)
                .join(Media, col(Media.id) == col(PostMedia.media_id))
                .where(PostMedia.post_id == post.id)
                .order_by(col(PostMedia.position))
            )
            return Item(delivery, post, session.exec(pictures).all())
        if delivery.state is DeliveryState.REMOVED:
            raise TakenDown(_("This was taken down."))
    raise NotFound(_("There is nothing at this address."))


def get_picture(session: Session, key: str, position: int) -> Media:
    """One picture of an item that is shown."""
    item = get_item(session, key)
    for part, _width, _height in item.pictures:
        if part.position == position:
            media = session.get(Media, part.media_id)
            assert media is not None
            return media
    raise NotFound(_("There is nothing at this address."))


def count_view(session: Session, item: Item, *, at: datetime) -> None:
    """Count one reader of an item; of nobody in particular."""
    _count(session, item.delivery, Unit.VIEWS, at=at)


def follow(session: Session, key: str, *, at: datetime, counted: bool = True) -> str:
    """Where a marked link leads; once its delivery is out, a click that counts is one for its territory and day."""
    query = select(Delivery, Post.link).join(Post, col(Post.id) == col(Delivery.post_id)).where(Delivery.key == key)
    found = session.exec(query.order_by(col(Delivery.id).desc())).first()
    if found is None or not found[1]:
        raise NotFound(_("There is nothing at this address."))
    delivery, link = found
    if counted and delivery.state in OUT:
        _count(session, delivery, Unit.CLICKS, at=at)
    return link


def _count(session: Session, delivery: Delivery, unit: Unit, *, at: datetime) -> None:
    day = local_day(at, delivery.zone)
    measuring.count_visit(session, delivery.key, territory_code=delivery.territory_code, unit=unit, day=day)
