"""Moving a post in time: the same post at another moment, checked like any other change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from hub.domain import post as posts
from hub.domain.clock import Fold
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import Invalid
from hub.domain.person import Actor
from hub.domain.post import Post, PostState
from hub.language import N_, _
from hub.services import drafting, geotargeting

LEFT_ALONE: Final = frozenset({PostState.ARCHIVED, PostState.WITHDRAWN, PostState.EXPIRED})
"""Not in the calendar any more: writing them anew is another decision than moving them."""

_MEANINGS: Final = {
    PostState.APPROVED: N_(
        "This post is approved. Moving it takes the approval back: hand it in again, and a coordinator approves the "
        "new time."
    ),
    PostState.SUBMITTED: N_("This post waits for approval. Moving it makes it a draft again: hand it in afterwards."),
}


def meaning(post: Post) -> str | None:
    """What moving it costs, told before; None: nothing."""
    return _(_MEANINGS[post.state]) if post.state in _MEANINGS else None


def move(
    session: Session,
    post_id: int,
    when: datetime,
    *,
    zone: str | None = None,
    fold: Fold | None = None,
    version: int,
    by: Actor,
    at: datetime,
) -> Post:
    """Give a post another time of publication (wall time, in its zone unless told); the dates of an event stay.

    `version` is the one that the person saw. A submitted or approved post becomes a draft, as by any other change.
    """
    typed = drafting.typed_of(session, drafting.get_post(session, post_id, by=by))
    moved = drafting.Draft.model_validate(
        typed.model_dump() | {"when": when, "zone": zone or typed.zone, "fold": fold, "event": typed.event}
    )
    if (moved.when, moved.zone, moved.fold) == (typed.when, typed.zone, typed.fold):
        raise Invalid(_("It goes out at that time already. Choose another one."), field="when")
    return drafting.change(session, post_id, moved, version=version, by=by, at=at)


def movable(session: Session, several: Sequence[Post], *, by: Actor) -> frozenset[int]:
    """Those of several posts that this person may move now, found together."""
    ids = [post.id for post in several if post.id is not None and post.state not in LEFT_ALONE]
    if not ids:
        return frozenset()
    begun = _begun(session, ids)
    audiences = drafting.audiences_of(session, ids)
    land = geotargeting.atlas(session, [*by.territories(), *(code for some in audiences.values() for code in some)])
    return frozenset(
        post.id
        for post in several
        if post.id in audiences
        and post.id not in begun
        and posts.can_change(by, land, audiences[post.id], author_id=post.author_id)
    )


def _begun(session: Session, post_ids: Sequence[int]) -> frozenset[int]:
    """Those that have begun to go out."""
    quiet = [DeliveryState.WAITING, DeliveryState.CANCELLED]
    begun: set[int] = set()
    for start in range(0, len(post_ids), 500):
        some = col(Delivery.post_id).in_(post_ids[start : start + 500])
        out = col(Delivery.state).not_in(quiet) | (col(Delivery.attempts) > 0)
        begun |= set(session.exec(select(Delivery.post_id).where(some, out).distinct()))
    return frozenset(begun)
