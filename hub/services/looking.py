"""Everything that one person sees of one post, read together: its words, plans, deliveries, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from channels import Network, Rules
from hub.domain.account import Account
from hub.domain.delivery import Action, Delivery, DeliveryState
from hub.domain.errors import NotFound
from hub.domain.event import Event
from hub.domain.person import Actor, Person
from hub.domain.post import Media, Post, PostMedia, PostState, Progress, progress, progress_of
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import approving, comparing, curving, describing, drafting, geotargeting, resolving, telling
from hub.services.comparing import Look
from hub.services.describing import Fact
from hub.services.geotargeting import Planned, Terms
from hub.services.showing import title

UNDECIDED = frozenset({PostState.DRAFT, PostState.SUBMITTED, PostState.RETURNED})
"""States in which a post would still become what its plan says."""


@dataclass(frozen=True)
class Sent:
    """One delivery as a page shows it."""

    delivery: Delivery
    account: Account
    name: str
    """Where it goes, told apart from others on the same account."""
    territory: str
    figures: str
    actions: Sequence[Action]


@dataclass(frozen=True)
class Sight:
    """A post and all that belongs to it."""

    post: Post
    title: str
    parts: geotargeting.Whole
    audience: Sequence[str]
    """Names of territories."""
    people: Mapping[int, str]
    facts: Sequence[Fact]
    planned: Sequence[Planned]
    fingerprint: str
    look: Look | None
    steps: Sequence[str]
    deliveries: Sequence[Sent]
    held: Mapping[str, str]
    """Destination → reason, of what may still be released."""
    progress: Progress | None

    @property
    def author(self) -> str:
        """Who wrote it."""
        return self.people.get(self.post.author_id, "?")

    @property
    def changed_by(self) -> str:
        """Who changed it last."""
        return self.people.get(self.post.changed_by_id, "?")

    @property
    def warnings(self) -> list[str]:
        """What somebody must have seen, each once."""
        return list(dict.fromkeys(text for one in self.planned for text in one.warnings))

    @property
    def problems(self) -> list[str]:
        """Why it cannot go out like this, each once."""
        return list(dict.fromkeys(text for one in self.planned for text in one.problems))

    @property
    def held_planned(self) -> list[Planned]:
        """The destinations that are held back, as they would go out."""
        return [one for one in self.planned if one.destination in self.held]


def at_post(
    session: Session, post_id: int, *, by: Actor, at: datetime, terms: Terms, rules: Mapping[Network, Rules]
) -> Sight:
    """The post as this person sees it; NotFound when it is not for them."""
    post = drafting.get_post(session, post_id, by=by)
    parts = geotargeting.whole(session, post)
    planned = geotargeting.plan(session, post, terms=terms, rules=rules, at=at)
    deliveries = sent(session, post, by=by)
    land = geotargeting.atlas(session, parts.audience)
    people = select(Person.id, Person.name).where(col(Person.id).in_(post.writers))
    approved = post.state is PostState.APPROVED
    return Sight(
        post=post,
        title=title(post.text),
        parts=parts,
        audience=sorted(land.name(code) for code in parts.audience),
        people={number: name for number, name in session.exec(people) if number is not None},
        facts=facts_of(session, [post]).get(post_id, []),
        planned=planned,
        fingerprint=approving.fingerprint_seen(parts, planned),
        look=comparing.since_last_look(session, post),
        steps=approving.allowed_steps(session, post, by),
        deliveries=deliveries,
        held=approving.held_back(session, post, planned),
        progress=progress(one.delivery for one in deliveries) if approved else None,
    )


def sent(session: Session, post: Post, *, by: Actor) -> list[Sent]:
    """The deliveries of a post, by due time, with their figures and what this person may do about each."""
    query = select(Delivery, Account).join(Account, col(Account.id) == col(Delivery.account_id))
    rows = session.exec(query.where(Delivery.post_id == post.id).order_by(col(Delivery.due_at), col(Delivery.id))).all()
    some = [delivery for delivery, _account in rows]
    names = telling.destination_names(session, some)
    figures = telling.figures_of(session, curving.wholly(session, post.id or 0, by=by))
    allowed = resolving.actions_of(session, some, by)
    land = geotargeting.atlas(session, [one.territory_code for one in some])
    return [
        Sent(
            delivery,
            account,
            names[delivery.id or 0],
            land.name(delivery.territory_code),
            telling.figures_told(figures.get(delivery.id or 0, [])),
            allowed[delivery.id or 0],
        )
        for delivery, account in rows
    ]


@dataclass(frozen=True)
class Line:
    """A post in a list."""

    post: Post
    title: str
    author: str
    audience: Sequence[str]
    progress: Progress | None


def lines(session: Session, some: Sequence[Post], upper: Atlas | None = None) -> list[Line]:
    """Several posts as a list shows them; `upper`: the tree down to départements, where it was read already."""
    ids = [one.id for one in some if one.id is not None]
    audiences = drafting.audiences_of(session, ids)
    meant = {code for codes in audiences.values() for code in codes}
    land = upper if upper is not None and all(code in upper for code in meant) else geotargeting.atlas(session, meant)
    authors = dict(
        session.exec(select(Person.id, Person.name).where(col(Person.id).in_({one.author_id for one in some}))).all()
    )
    stood: dict[int, list[DeliveryState]] = {}
    states = select(Delivery.post_id, Delivery.state).where(col(Delivery.post_id).in_(ids)).distinct()
    for post_id, state in session.exec(states):
        stood.setdefault(post_id, []).append(DeliveryState(state))
    return [
        Line(
            post=one,
            title=title(one.text),
            author=authors.get(one.author_id, "?"),
            audience=sorted(land.name(code) for code in audiences.get(one.id or 0, [])),
            progress=progress_of(stood.get(one.id or 0, [])) if one.state is PostState.APPROVED else None,
        )
        for one in some
    ]


def facts_of(session: Session, some: Sequence[Post]) -> dict[int, list[Fact]]:
    """What is told of the events of several posts, by post; nothing for posts without one."""
    events = {one.id or 0: Event.model_validate(one.event) for one in some if one.event}
    land = geotargeting.atlas(session, {f"C-{one.commune}" for one in events.values() if one.commune})

    def commune(insee: str) -> str:
        code = f"C-{insee}"
        return land.name(code) if code in land else insee

    return {number: describing.facts(event, commune) for number, event in events.items()}


def get_picture(session: Session, post_id: int, position: int, *, by: Actor) -> Media:
    """One picture of a post, for those who see the post."""
    post = drafting.get_post(session, post_id, by=by)
    query = select(Media).join(PostMedia, col(PostMedia.media_id) == col(Media.id))
    found = session.exec(query.where(PostMedia.post_id == post.id, PostMedia.position == position)).first()
    if found is None:
        raise NotFound(_("This picture is not here any more. Upload it again."))
    return found
