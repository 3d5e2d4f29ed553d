"""What people are to be told of, as it stands now: posts to approve or to mend, deliveries gone wrong, accounts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, func, select

from hub.domain import post as posts
from hub.domain.account import Account, AccountState, can_keep_account
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.notice import Notice, NoticeKind
from hub.domain.person import WRITERS, Actor, RoleKind
from hub.domain.policy import Policies
from hub.domain.post import Post, PostState
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import drafting, foreseeing, geotargeting, showing

NEWS: Final = timedelta(days=3)
"""What went wrong longer ago has been told, or is nothing new: states that last for ever are not read for ever."""

CHUNK: Final = 500
"""How many things are asked about in one query."""

Occasions = dict[int, str]
"""By number of the thing: what makes this time different from the last one."""


@dataclass(frozen=True)
class Look:
    """From where one looks: the moment, what was agreed on, and, if not at everything, at which things."""

    at: datetime
    agreed: Policies
    only: Collection[int] | None = None


@dataclass(frozen=True)
class Matter:
    """One thing that is so now, whom it concerns, and what a mail says of it."""

    kind: NoticeKind
    number: int
    occasion: str
    concerns: Callable[[Actor], bool]
    title: str
    path: str
    territories: tuple[str, ...]
    wall: tuple[str, str] | None = None
    """Wall time and zone of its publication."""
    remark: str = ""
    ends_at: datetime | None = None
    """When it is too late to do anything about it."""

    @property
    def thing(self) -> str:
        """`kind:number`, such as `post:7`."""
        return f"{_THINGS[self.kind]}:{self.number}"


_THINGS: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.EXPIRING: "post",
    NoticeKind.TO_APPROVE: "post",
    NoticeKind.RETURNED: "post",
    NoticeKind.TO_DECIDE: "delivery",
    NoticeKind.FAILED: "delivery",
    NoticeKind.ACCOUNT_TROUBLE: "account",
}


def untold(session: Session, *, at: datetime, agreed: Policies) -> list[Matter]:
    """All that is so now and that nobody has been told of yet."""
    found: list[Matter] = []
    for kind in NoticeKind:
        true = _LOOKS[kind](session, Look(at, agreed))
        told = _told(session, kind, true)
        found += _matters(session, kind, {number: one for number, one in true.items() if (number, one) not in told})
    return found


def still_true(session: Session, notices: Iterable[Notice], *, at: datetime, agreed: Policies) -> dict[int, Matter]:
    """By notice, what it tells, for those whose matter is still the same one."""
    asked: dict[NoticeKind, list[tuple[int, Notice]]] = {}
    for notice in notices:
        asked.setdefault(notice.kind, []).append((int(notice.thing.rpartition(":")[2]), notice))
    found: dict[int, Matter] = {}
    for kind, some in asked.items():
        true = _LOOKS[kind](session, Look(at, agreed, only={number for number, _notice in some}))
        known = {one.number: one for one in _matters(session, kind, true)}
        for number, notice in some:
            if number in known and known[number].occasion == notice.occasion and notice.id is not None:
                found[notice.id] = known[number]
    return found


def _told(session: Session, kind: NoticeKind, true: Occasions) -> set[tuple[int, str]]:
    """What of this somebody has been told already."""
    told: set[tuple[int, str]] = set()
    names = {f"{_THINGS[kind]}:{number}": number for number in true}
    things = list(names)
    for start in range(0, len(things), CHUNK):
        query = select(Notice.thing, Notice.occasion).where(
            col(Notice.thing).in_(things[start : start + CHUNK]), Notice.kind == kind
        )
        told |= {(names[thing], occasion) for thing, occasion in session.exec(query.distinct())}
    return told


# --- What is so now: read from present states only, never from the whole past ---------------------------------


def _to_approve(session: Session, look: Look) -> Occasions:
    query = select(Post.id, Post.submitted_at).where(Post.state == PostState.SUBMITTED, Post.first_due_at > look.at)
    if look.only is not None:
        query = query.where(col(Post.id).in_(look.only))
    return {number: f"submitted:{_at(submitted)}" for number, submitted in session.exec(query) if number is not None}


def _expiring(session: Session, look: Look) -> Occasions:
    """Those handed in before it was urgent: of the others, the first mail says when they are due."""
    warning = timedelta(hours=look.agreed.expiry_warning_hours)
    query = select(Post.id, Post.submitted_at, Post.first_due_at).where(
        Post.state == PostState.SUBMITTED, Post.first_due_at > look.at, Post.first_due_at <= look.at + warning
    )
    if look.only is not None:
        query = query.where(col(Post.id).in_(look.only))
    return {
        number: f"submitted:{_at(submitted)}"
        for number, submitted, due in session.exec(query)
        if number is not None and submitted is not None and submitted <= due - warning
    }


def _returned(session: Session, look: Look) -> Occasions:
    """A post is returned before its time, so later than some days after it that is no news."""
    query = select(Post.id, Post.returned_version, Post.submitted_at).where(
        Post.state == PostState.RETURNED, Post.first_due_at > look.at - NEWS
    )
    if look.only is not None:
        query = query.where(col(Post.id).in_(look.only))
    rows = session.exec(query)
    return {number: f"returned:{version}:{_at(submitted)}" for number, version, submitted in rows if number is not None}


def _to_decide(session: Session, look: Look) -> Occasions:
    query = select(Delivery.id, Delivery.epoch).where(Delivery.state == DeliveryState.REVIEW)
    if look.only is not None:
        query = query.where(col(Delivery.id).in_(look.only))
    return {number: f"review:{epoch}" for number, epoch in session.exec(query) if number is not None}


def _failed(session: Session, look: Look) -> Occasions:
    """What fails was ready hours before at most: what is later goes to a person instead."""
    query = select(Delivery.id, Delivery.epoch).where(
        Delivery.state == DeliveryState.FAILED, Delivery.ready_at > look.at - NEWS
    )
    if look.only is not None:
        query = query.where(col(Delivery.id).in_(look.only))
    return {number: f"failed:{epoch}" for number, epoch in session.exec(query) if number is not None}


def _accounts(session: Session, look: Look) -> Occasions:
    soon = look.at + timedelta(days=look.agreed.token_warning_days)
    planned = foreseeing.after_end(session)
    query = select(Account).where(
        col(Account.state).in_([AccountState.RESTING, AccountState.BLOCKED])
        | (col(Account.token_expires_at) <= soon)
        | col(Account.id).in_(planned)
    )
    if look.only is not None:
        query = query.where(col(Account.id).in_(look.only))
    found = {one.id: _trouble(session, one, look.at, planned=one.id in planned) for one in session.exec(query)}
    return {number: told for number, told in found.items() if number and told}


def _trouble(session: Session, account: Account, at: datetime, *, planned: bool) -> str | None:
    """What is wrong with an account, and since which line of the audit: a second rest is told again."""
    blocked = account.state is AccountState.BLOCKED and account.blocked_until is not None and account.blocked_until > at
    if account.state is AccountState.RESTING or blocked:
        actions = ["account.rest", "account.block"]
        since = select(func.max(AuditEntry.id)).where(
            col(AuditEntry.action).in_(actions), AuditEntry.thing == f"account:{account.id}"
        )
        return f"{account.state.value}:{session.exec(since).one() or 0}"
    if account.token_expires_at is None:
        return None
    # A post that is planned for after the end is news of its own, also to those who know of the end.
    return f"{'planned' if planned else 'token'}:{_at(account.token_expires_at)}"


def _at(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


_LOOKS: Final[Mapping[NoticeKind, Callable[[Session, Look], Occasions]]] = {
    NoticeKind.EXPIRING: _expiring,
    NoticeKind.TO_APPROVE: _to_approve,
    NoticeKind.RETURNED: _returned,
    NoticeKind.TO_DECIDE: _to_decide,
    NoticeKind.FAILED: _failed,
    NoticeKind.ACCOUNT_TROUBLE: _accounts,
}


# --- Whom it concerns, and what is said of it ------------------------------------------------------------------


def _matters(session: Session, kind: NoticeKind, true: Occasions) -> list[Matter]:
    if not true:
        return []
    match _THINGS[kind]:
        case "post":
            return _of_posts(session, kind, true)
        case "delivery":
            return _of_deliveries(session, kind, true)
        case _:
            return _of_accounts(session, kind, true)


def _of_posts(session: Session, kind: NoticeKind, true: Occasions) -> list[Matter]:
    rows = [one for some in _chunks(true) for one in session.exec(select(Post).where(col(Post.id).in_(some)))]
    audiences = drafting.audiences_of(session, true)
    atlas = geotargeting.atlas(session, {code for codes in audiences.values() for code in codes})
    found = []
    for post in rows:
        assert post.id is not None
        codes = audiences.get(post.id, [])
        returned = kind is NoticeKind.RETURNED
        found.append(
            Matter(
                kind,
                post.id,
                true[post.id],
                concerns=_author(atlas, post, codes) if returned else _approver(atlas, post, codes),
                title=_title(post),
                path=f"/equipe/publications/{post.id}",
                territories=_names(atlas, codes),
                wall=(post.wall_time, post.zone),
                remark=_("Why: {reason}", reason=post.return_reason) if returned and post.return_reason else "",
                ends_at=None if returned else post.first_due_at,
            )
        )
    return found


def _of_deliveries(session: Session, kind: NoticeKind, true: Occasions) -> list[Matter]:
    query = (
        select(Delivery, Post, Account)
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .join(Account, col(Account.id) == col(Delivery.account_id))
    )
    rows = [row for some in _chunks(true) for row in session.exec(query.where(col(Delivery.id).in_(some)))]
    audiences = drafting.audiences_of(session, {post.id for _delivery, post, _account in rows if post.id is not None})
    land = {delivery.id: _land(delivery) for delivery, _post, _account in rows}
    atlas = geotargeting.atlas(session, {code for codes in [*audiences.values(), *land.values()] for code in codes})
    found = []
    for delivery, post, account in rows:
        assert delivery.id is not None
        assert post.id is not None
        found.append(
            Matter(
                kind,
                delivery.id,
                true[delivery.id],
                concerns=_decider(atlas, post, audiences.get(post.id, []), land[delivery.id]),
                title=_title(post),
                path=f"/equipe/publications/{post.id}",
                territories=_names(atlas, land[delivery.id]),
                wall=(delivery.wall_time, delivery.zone),
                remark=_("Account: {account}", account=account.name),
            )
        )
    return found


def _of_accounts(session: Session, kind: NoticeKind, true: Occasions) -> list[Matter]:
    rows = session.exec(select(Account).where(col(Account.id).in_(true))).all()
    atlas = geotargeting.atlas(session)
    planned = foreseeing.after_end(session)
    found = []
    for account in rows:
        assert account.id is not None
        found.append(
            Matter(
                kind,
                account.id,
                true[account.id],
                concerns=_keeper(atlas, account),
                title=account.name,
                path=f"/equipe/comptes/{account.id}",
                territories=_names(atlas, [account.territory_code]),
                remark=_what_to_do(account, true[account.id], planned.get(account.id)),
            )
        )
    return found


def _what_to_do(account: Account, occasion: str, planned: Delivery | None) -> str:
    """In our own words only: what a network answered may hold anything."""
    match occasion.partition(":")[0]:
        case AccountState.RESTING.value:
            return _("The network refuses its connection: nothing goes out on it until somebody renews that.")
        case AccountState.BLOCKED.value:
            return _("The network blocks it for some hours: what is due on it waits. Look at the page itself.")
        case "planned" if planned is not None:
            return _(
                "Its connection ends on {day}, before the post planned for {planned}: renew it before.",
                day=foreseeing.end_in_words(account),
                planned=foreseeing.day_of(planned),
            )
        case _:
            return _("Its connection ends on {day}: renew it before.", day=foreseeing.end_in_words(account))


def _author(atlas: Atlas, post: Post, codes: Collection[str]) -> Callable[[Actor], bool]:
    return lambda actor: actor.id == post.author_id and posts.can_see(actor, atlas, codes)


def _approver(atlas: Atlas, post: Post, codes: Collection[str]) -> Callable[[Actor], bool]:
    return lambda actor: bool(codes) and posts.can_approve(actor, atlas, codes, writers=post.writers)


def _decider(atlas: Atlas, post: Post, audience: Collection[str], land: Collection[str]) -> Callable[[Actor], bool]:
    """Its author, and whoever may decide: a writing role for the whole territory of the delivery."""
    author = _author(atlas, post, audience)
    return lambda actor: (
        author(actor) or (posts.can_see(actor, atlas, audience) and actor.holds_for_all(atlas, WRITERS, land))
    )


def _keeper(atlas: Atlas, account: Account) -> Callable[[Actor], bool]:
    """Those who manage it, and the animators of its territory."""
    return lambda actor: (
        can_keep_account(actor, atlas, account)
        or actor.holds_for_all(atlas, {RoleKind.ANIMATOR}, [account.territory_code])
    )


def _land(delivery: Delivery) -> list[str]:
    return (delivery.gate or {}).get("territories") or [delivery.territory_code]


def _title(post: Post) -> str:
    return showing.title(post.text) or _("Post {number}", number=post.id)


def _names(atlas: Atlas, codes: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(atlas.name(code) for code in codes if code in atlas))


def _chunks(true: Occasions) -> Iterable[list[int]]:
    numbers = sorted(true)
    return (numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK))
