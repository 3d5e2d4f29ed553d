"""My day: what waits for one person, what goes out today, and how the last posts did."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, exists, func, or_, select

from channels import Network, Rules
from hub.domain.account import Account, can_choose_account, can_keep_account
from hub.domain.delivery import Action, Delivery, DeliveryState, Hold, actions
from hub.domain.person import PLACE_KEEPERS, WRITERS, Actor, Person, RoleKind
from hub.domain.policy import Policies
from hub.domain.post import Post, PostState
from hub.domain.reach import How, Reached, ReachFigure, Unit, combine
from hub.domain.sheet import Sheet
from hub.domain.table import by_letters
from hub.language import _, ngettext
from hub.services import (
    agreeing,
    calendaring,
    connecting,
    covering,
    delivering,
    drafting,
    foreseeing,
    geotargeting,
    keeping_places,
    listing,
    proposing,
    queueing,
    sketching,
)
from hub.services.calendaring import Slot
from hub.services.covering import Health
from hub.services.geotargeting import Terms
from hub.services.queueing import Waiting
from hub.services.showing import title

FEW: Final = 5
"""How many of each are shown; the rest is a page of its own."""

NEXT: Final = 10
"""How many of today's posts are shown."""

READ: Final = 300
"""Most deliveries that are looked through for today's posts, or for open questions."""

OPEN_FOR: Final = timedelta(days=30)
"""A failure that nobody has decided about for so long is history."""

EXPIRED_FOR: Final = timedelta(days=7)
"""How long a post that nobody approved in time is told about."""

COMING: Final = (DeliveryState.WAITING, DeliveryState.CLAIMED, DeliveryState.SENDING)


@dataclass(frozen=True)
class Open:
    """A delivery about which a person must decide, with what this one may do."""

    delivery: Delivery
    title: str
    account: Account
    territory: str
    """The name of the territory that it is for."""
    actions: Sequence[Action]


@dataclass(frozen=True)
class Trouble:
    """An account that does not publish, or soon will not."""

    account: Account
    territory: str
    health: Health
    sentence: str
    keeps: bool
    """Whether this person can do something about it."""


@dataclass(frozen=True)
class Told:
    """One figure of a post; `value` None: no network has said."""

    unit: Unit
    value: int | None
    how: How


@dataclass(frozen=True)
class Done:
    """A post that is out, and what is known of its reach."""

    post: Post
    sent_at: datetime
    zone: str
    accounts: int
    figures: Sequence[Told] = ()
    first_read_at: datetime | None = None
    """When the first figures will be read; None: they have been, or never will be."""

    @property
    def title(self) -> str:
        """The first line of the post."""
        return title(self.post.text)


@dataclass(frozen=True)
class People:
    """What an administrator wants to know of the people."""

    active: int
    invited: int
    """Not come yet."""


@dataclass(frozen=True)
class Places:
    """What whoever keeps places should look at."""

    stale: int
    """Neither dated by their source nor checked here for a year and a half."""
    open_days: int
    """Told by sources, and made no post of yet."""


@dataclass(frozen=True)
class Day:
    """Everything on one person's first page; each part is empty for those whom it does not concern."""

    hold: Hold | None = None
    returned: Sequence[Post] = ()
    expired: Sequence[Post] = ()
    to_approve: int = 0
    first_to_approve: Sequence[Waiting] = ()
    decisions: Sequence[Open] = ()
    accounts: Sequence[Trouble] = ()
    sheets: Sequence[Sheet] = ()
    drafts: Sequence[Post] = ()
    today: Sequence[Slot] = ()
    today_count: int = 0
    recent: Sequence[Done] = ()
    mine: bool = True
    """Whether `recent` are this person's own posts, or those of their territories."""
    people: People | None = None
    places: Places | None = None
    wrote: bool = True
    """Whether this person has written anything yet."""
    roles: frozenset[RoleKind] = field(default=frozenset())

    @property
    def writes(self) -> bool:
        """Whether this person writes posts."""
        return bool(self.roles & WRITERS)

    @property
    def calm(self) -> bool:
        """Whether nothing waits for this person."""
        waiting = (self.returned, self.expired, self.to_approve, self.decisions, self.accounts, self.sheets)
        return not any(waiting)


def day(session: Session, *, by: Actor, at: datetime, terms: Terms, rules: Mapping[Network, Rules]) -> Day:
    """The day of one person, in as many questions however long the history is."""
    policies = agreeing.policies(session)
    roles = frozenset(role.kind for role in by.roles)
    writes, approves = bool(roles & WRITERS), RoleKind.COORDINATOR in roles
    wrote = writes and session.exec(select(Post.id).where(Post.author_id == by.id).limit(1)).first() is not None
    count = queueing.count_waiting(session, by) if approves else 0
    first = queueing.waiting(session, by=by, at=at, terms=terms, rules=rules, limit=FEW) if count else []
    today = _today(session, by=by, at=at)
    mine = wrote and not approves
    return Day(
        hold=delivering.open_hold(session),
        returned=_mine(session, by, Post.state == PostState.RETURNED) if wrote else (),
        expired=_mine(session, by, _lately_expired(at)) if wrote else (),
        to_approve=count,
        first_to_approve=first,
        decisions=_decisions(session, by=by, at=at) if writes else (),
        accounts=_troubles(session, by=by, at=at, policies=policies),
        sheets=sketching.list_mine(session, by=by)[:FEW] if writes else (),
        drafts=_mine(session, by, Post.state == PostState.DRAFT) if wrote else (),
        today=today[:NEXT],
        today_count=len(today),
        recent=_recent(session, by=by, at=at, mine=mine),
        mine=mine,
        people=_people(session) if RoleKind.ADMINISTRATOR in roles else None,
        places=_places_to_keep(session, by=by, at=at) if roles & PLACE_KEEPERS else None,
        wrote=wrote,
        roles=roles,
    )


# --- What waits ------------------------------------------------------------------------------------------


def _lately_expired(at: datetime) -> ColumnElement[bool]:
    return (col(Post.state) == PostState.EXPIRED) & (col(Post.first_due_at) > at - EXPIRED_FOR)


def _mine(session: Session, by: Actor, condition: Any) -> list[Post]:
    """One's own posts that one may still see, by their time."""
    query = select(Post).where(Post.author_id == by.id, condition).order_by(col(Post.first_due_at), col(Post.id))
    found = session.exec(query.limit(4 * FEW)).all()
    seen = drafting.visible(session, [post.id for post in found if post.id is not None], by=by) if found else ()
    return [post for post in found if post.id in seen][:FEW]


def _decisions(session: Session, *, by: Actor, at: datetime) -> list[Open]:
    """Failures and open questions that this person may decide about, the newest first."""
    lately = (col(Delivery.state) == DeliveryState.FAILED) & (col(Delivery.due_at) > at - OPEN_FOR)
    query = (
        select(Delivery)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .where(or_(col(Delivery.state) == DeliveryState.REVIEW, lately), listing.reaching(session, _places(by)))
        .order_by(col(Delivery.due_at).desc(), col(Delivery.id).desc())
        .limit(READ)
    )
    found = session.exec(query).all()
    land = geotargeting.atlas(session, [*by.territories(), *(code for one in found for code in _land(one))])
    open_yet = [one for one in found if by.holds_for_all(land, WRITERS, _land(one))][: 2 * FEW]
    return [
        Open(one, title(entry.post.text), entry.account, land.name(one.territory_code), actions(one))
        for one, entry in zip(open_yet, calendaring.of_deliveries(session, open_yet, at=at), strict=True)
        if entry.account is not None
    ]


def _places(by: Actor) -> list[str]:
    return by.territories(WRITERS)


def _land(delivery: Delivery) -> list[str]:
    return list((delivery.gate or {}).get("territories") or [delivery.territory_code])


def _troubles(session: Session, *, by: Actor, at: datetime, policies: Policies) -> list[Trouble]:
    """Accounts that this person keeps or uses and that do not publish, or need care soon; the worst first."""
    accounts = session.exec(select(Account).order_by(by_letters(col(Account.territory_code)), col(Account.id))).all()
    land = geotargeting.atlas(session, [*by.territories(), *(one.territory_code for one in accounts)])
    planned = foreseeing.after_end(session)
    found = []
    for one in accounts:
        keeps = can_keep_account(by, land, one)
        health = covering.health_of(one, at=at, policies=policies)
        after = planned.get(one.id or 0)
        if after is not None and health is not Health.TROUBLE:
            health = Health.CARE
        if health in {Health.TROUBLE, Health.CARE} and (keeps or can_choose_account(by, land, one)):
            found.append(Trouble(one, land.name(one.territory_code), health, _sentence(one, at, after), keeps))
    return sorted(found, key=lambda one: (list(Health).index(one.health), one.account.name))


def _sentence(account: Account, at: datetime, planned: Delivery | None) -> str:
    """What is wrong with an account, in one sentence."""
    if not account.may_call(at) and account.not_before is None:
        return connecting.standing(account)
    ends = account.token_expires_at
    if ends is not None and ends <= at:
        return _("Its access has ended: nothing goes out until it is renewed.")
    if planned is not None and account.light != "red":
        return foreseeing.ends_before(account, planned)
    if account.light in {"red", "amber"} and (found := connecting.sentences(account)):
        return found[0]
    if ends is not None:
        days = max((ends - at).days, 0)
        return ngettext("Its access ends in {count} day.", "Its access ends in {count} days.", days)
    return connecting.standing(account)


def _people(session: Session) -> People:
    living = select(func.count()).select_from(Person).where(col(Person.disabled_at).is_(None))
    invited = session.exec(living.where(col(Person.password_hash).is_(None))).one()
    return People(session.exec(living).one() - invited, invited)


def _places_to_keep(session: Session, *, by: Actor, at: datetime) -> Places | None:
    """How many places and open days wait; None where none does."""
    stale = keeping_places.count_stale(session, by=by, at=at)
    open_days = proposing.count_waiting(session, by=by, at=at)
    return Places(stale, open_days) if stale or open_days else None


# --- What goes out, and what went out ---------------------------------------------------------------------


def _today(session: Session, *, by: Actor, at: datetime) -> list[Slot]:
    """The posts that still go out on this day of each territory, by their moment."""
    query = (
        select(Delivery)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .where(
            col(Delivery.state).in_(COMING),
            Delivery.due_at > at - timedelta(days=1),
            Delivery.due_at < at + timedelta(days=1),
            listing.reaching(session, by.territories()),
        )
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(READ)
    )
    entries = calendaring.of_deliveries(session, session.exec(query).all(), at=at)
    slots = calendaring.slots(entry for entry in entries if calendaring.is_today(entry, at))
    return sorted(slots, key=lambda slot: slot.first.due_at)


def _recent(session: Session, *, by: Actor, at: datetime, mine: bool) -> list[Done]:
    """The last posts that went out: this person's own, or those of their territories."""
    out = exists().where(col(Delivery.post_id) == col(Post.id), col(Delivery.state) == DeliveryState.SENT)
    own = [col(Post.author_id) == by.id] if mine else []
    query = (
        select(Post)
        .where(Post.first_due_at <= at, out, *own, listing.reaching(session, by.territories()))
        .order_by(col(Post.first_due_at).desc(), col(Post.id).desc())
        .limit(FEW)
    )
    found = session.exec(query).all()
    ids = [post.id for post in found if post.id is not None]
    sent = select(Delivery).where(col(Delivery.post_id).in_(ids), Delivery.state == DeliveryState.SENT)
    deliveries: dict[int, list[Delivery]] = {}
    for one in session.exec(sent.order_by(col(Delivery.sent_at), col(Delivery.id))) if ids else ():
        deliveries.setdefault(one.post_id, []).append(one)
    figures = _figures(session, [one.id for some in deliveries.values() for one in some if one.id is not None])
    return [_done(post, deliveries[post.id or 0], figures) for post in found]


def _figures(session: Session, ids: Collection[int]) -> dict[int, list[tuple[Unit, int | None]]]:
    """The newest figures by delivery, our own counts among them."""
    told: dict[int, list[tuple[Unit, int | None]]] = {}
    read = set(session.exec(select(ReachFigure.delivery_id).where(col(ReachFigure.delivery_id).in_(ids)).distinct()))
    for row in session.exec(select(Reached).where(col(Reached.delivery_id).in_(ids))):
        for unit in Unit:
            value, missing = getattr(row, unit.value), getattr(row, f"{unit.value}_missing")
            if value or (value is not None and row.delivery_id in read) or (missing and row.delivery_id in read):
                told.setdefault(row.delivery_id, []).append((unit, value))
    return told


def _done(post: Post, sent: Sequence[Delivery], figures: Mapping[int, Sequence[tuple[Unit, int | None]]]) -> Done:
    read = [figure for one in sent for figure in figures.get(one.id or 0, ())]
    told = []
    for unit in Unit:
        values = [value for kind, value in read if kind is unit]
        if values:
            told.append(Told(unit, *combine(unit, values)))
    coming = [one.next_sample_at for one in sent if one.next_sample_at is not None]
    return Done(
        post=post,
        sent_at=sent[0].sent_at or sent[0].due_at,
        zone=sent[0].zone,
        accounts=len({one.account_id for one in sent}),
        figures=told,
        first_read_at=min(coming) if coming and not read else None,
    )
