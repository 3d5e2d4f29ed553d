"""The approver's queue: what waits for somebody's yes, by due time, and saying it to several posts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from channels import Network, Rules
from hub.domain import post as posts
from hub.domain.errors import HubError
from hub.domain.person import Actor, Person, RoleKind
from hub.domain.post import Approval, Kind, Post, PostState
from hub.domain.territory import COUNTRY
from hub.services import approving, drafting, geotargeting
from hub.services.geotargeting import Planned, Terms, Whole
from hub.services.listing import Wanted, conditions, reaching
from hub.services.showing import title

URGENT: Final = timedelta(hours=24)
"""What goes out so soon is shown as urgent."""


READ_AT_ONCE: Final = 700
"""Characters of a post that is read in the queue itself; a longer one is opened."""

MOST_PLANNED: Final = 200
"""So many posts are planned for one page."""


@dataclass(frozen=True)
class Waiting:
    """A post that waits for a yes, as it would go out now."""

    parts: Whole
    planned: Sequence[Planned]
    fingerprint: str
    """What a yes to it is bound to."""
    looked_at: bool
    """It was approved or returned before, so that something in it has changed since."""

    @property
    def post(self) -> Post:
        """The post itself."""
        return self.parts.post

    @property
    def audience(self) -> Sequence[str]:
        """The territories that it is meant for."""
        return self.parts.audience

    @property
    def readable_at_once(self) -> bool:
        """Whether all its words fit into a line of the queue, so that who sees the line has read them."""
        own = sum(len(one.text or "") for one in self.parts.destinations)
        return not self.troubled and len(self.post.text) + own <= READ_AT_ONCE

    @property
    def troubled(self) -> bool:
        """Whether something stands in its way, or must have been seen."""
        return any(one.problems or one.warnings for one in self.planned)

    def urgent(self, at: datetime) -> bool:
        """Whether it is due soon."""
        return self.post.first_due_at <= at + URGENT


@dataclass(frozen=True)
class Place:
    """Where a post stands in somebody's queue."""

    number: int
    """From 1 on; 0 where it is not in the queue any more."""
    count: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Answer:
    """What came of a yes to one of several posts."""

    post_id: int
    title: str
    refused: str | None = None
    """Why it was not approved; None where it was."""


def count_waiting(session: Session, by: Actor) -> int:
    """How many posts wait for this person; cheap enough for every page."""
    held = by.territories({RoleKind.COORDINATOR})
    if COUNTRY in held:
        return session.exec(select(func.count()).select_from(Post).where(*_candidate(session, by))).one()
    return len(_ids(session, by)) if held else 0


def waiting(
    session: Session,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    kind: Kind | None = None,
    territory: str | None = None,
    urgent: bool = False,
    troubled: bool = False,
    after: int | None = None,
    limit: int = MOST_PLANNED,
) -> list[Waiting]:
    """What this person may approve, next due first, planned together; `after` is the post to go on from.

    Of one kind, reaching a territory, due soon, or with something that stands in the way or must have been seen.
    """
    soon = at + URGENT + timedelta(microseconds=1) if urgent else None
    ids = _ids(session, by, Wanted(kind=kind, territory=territory, until=soon))
    ids = ids[ids.index(after) + 1 :] if after in ids else ids
    found = _planned(session, ids[: MOST_PLANNED if troubled else limit], at=at, terms=terms, rules=rules)
    return [one for one in found if one.troubled or not troubled][:limit]


def _planned(
    session: Session, ids: Sequence[int], *, at: datetime, terms: Terms, rules: Mapping[Network, Rules]
) -> list[Waiting]:
    found = session.exec(select(Post).where(col(Post.id).in_(ids)).order_by(*_BY_DUE_TIME)).all()
    plans = geotargeting.plans(session, found, terms=terms, rules=rules, at=at) if found else []
    looked_at = set(session.exec(select(Approval.post_id).where(col(Approval.post_id).in_(ids))))
    return [
        Waiting(
            parts=parts,
            planned=planned,
            fingerprint=approving.fingerprint_seen(parts, planned),
            looked_at=parts.post.returned_version is not None or parts.post.id in looked_at,
        )
        for parts, planned in zip(geotargeting.wholes(session, found), plans, strict=True)
    ]


def authors(session: Session, some: Sequence[Waiting]) -> dict[int, str]:
    """Who wrote what waits, by number."""
    wrote = {one.post.author_id for one in some}
    people = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(wrote)))
    return {number: name for number, name in people if number is not None}


def place_of(session: Session, post: Post, *, by: Actor) -> Place:
    """Where a post stands in this person's queue; for one that has left it, what comes where it stood."""
    ids = _ids(session, by)
    if post.id in ids:
        spot = ids.index(post.id)
        after = ids[spot + 1] if spot + 1 < len(ids) else None
        return Place(spot + 1, len(ids), ids[spot - 1] if spot else None, after)
    later = select(Post.id).where(col(Post.id).in_(ids), col(Post.first_due_at) >= post.first_due_at)
    following = session.exec(later.order_by(*_BY_DUE_TIME).limit(1)).first()
    return Place(0, len(ids), None, following or next(iter(ids), None))


def approve_several(
    session: Session,
    seen: Mapping[int, str],
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
) -> list[Answer]:
    """Approve posts whole, each bound to the fingerprint that was seen; a refused one stops none of the others."""
    return [_approved(session, post_id, mark, by=by, at=at, terms=terms, rules=rules) for post_id, mark in seen.items()]


def _approved(
    session: Session,
    post_id: int,
    seen: str,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
) -> Answer:
    try:
        post = drafting.get_post(session, post_id, by=by)
    except HubError as error:
        return Answer(post_id, "", str(error))
    name = title(post.text)
    try:
        with session.begin_nested():
            approving.approve(session, post_id, by=by, at=at, terms=terms, rules=rules, seen=seen)
    except HubError as error:
        return Answer(post_id, name, str(error))
    return Answer(post_id, name)


_BY_DUE_TIME: Final = (col(Post.first_due_at), col(Post.id))


def _candidate(session: Session, by: Actor, wanted: Wanted = Wanted()) -> list[ColumnElement[bool]]:
    """Conditions for what may wait for this person: handed in, not their own words, not for elsewhere."""
    return [
        col(Post.state) == PostState.SUBMITTED,
        col(Post.author_id) != by.id,
        col(Post.changed_by_id) != by.id,
        reaching(session, by.territories({RoleKind.COORDINATOR})),
        *conditions(session, wanted),
    ]


def _ids(session: Session, by: Actor, wanted: Wanted = Wanted()) -> list[int]:
    """What waits for this person, next due first, as `approving.may_approve` judges it."""
    query = select(Post.id, Post.author_id, Post.changed_by_id).where(*_candidate(session, by, wanted))
    rows = session.exec(query.order_by(*_BY_DUE_TIME)).all()
    ids = [post_id for post_id, _author, _changer in rows if post_id is not None]
    audiences = drafting.audiences_of(session, ids) if ids else {}
    known = geotargeting.atlas(session, [*by.territories(), *(code for some in audiences.values() for code in some)])
    return [
        post_id
        for post_id, author_id, changer_id in rows
        if post_id is not None and posts.can_approve(by, known, audiences[post_id], writers={author_id, changer_id})
    ]
