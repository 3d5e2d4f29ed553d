"""Approving and returning posts: nobody approves their own, and a yes is bound to what was seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, String, cast, exists, literal, or_
from sqlmodel import Session, col, select

from channels import Network, Rules
from hub.domain import post as posts
from hub.domain.audit import CLOCK, AuditEntry, note
from hub.domain.delivery import FINAL, Attempt, Delivery, DeliveryState
from hub.domain.errors import FieldProblem, Invalid, NotAllowed, WrongState
from hub.domain.person import Actor
from hub.domain.post import Approval, ApprovalLine, Post, PostState, Verdict, fingerprint
from hub.language import _
from hub.services import drafting, geotargeting
from hub.services.geotargeting import Planned, Terms, Whole

ARCHIVED_AFTER: Final = timedelta(days=400)
"""A post is put away so long after its last moment: a report over a whole year still finds it where it was."""

MOST_ARCHIVED: Final = 200
"""How many posts are put away at once; the clock comes again in a second."""

Place = tuple[int | None, str]
"""An account and a gate: where one delivery of a post goes."""


def require_approver(session: Session, post: Post, by: Actor) -> None:
    """Raise NotAllowed unless this person may approve and return this post."""
    codes = drafting.audience_of(session, post)
    known = geotargeting.atlas(session, [*codes, *by.territories()])
    if posts.can_approve(by, known, codes, writers=post.writers):
        return
    if by.id in post.writers:
        raise NotAllowed(_("Nobody approves their own words. Another coordinator must look at this post."))
    raise NotAllowed(_("Only a coordinator for the whole audience may approve or return this post."))


def fingerprint_of(session: Session, post: Post, planned: Sequence[Planned]) -> str:
    """The fingerprint of the post and of every destination, as an approver sees them now."""
    return fingerprint_seen(geotargeting.whole(session, post), planned)


def fingerprint_seen(parts: Whole, planned: Sequence[Planned]) -> str:
    """The same of a post that was read already."""
    return fingerprint([parts.content, sorted(one.fingerprint for one in planned)])


def may_approve(session: Session, post: Post, by: Actor) -> bool:
    """Whether this person may approve and return this post."""
    try:
        require_approver(session, post, by)
    except NotAllowed:
        return False
    return True


def allowed_steps(session: Session, post: Post, by: Actor) -> list[str]:
    """What this person may do about this post now: edit, submit, withdraw, approve, return."""
    codes = drafting.audience_of(session, post)
    known = geotargeting.atlas(session, [*codes, *by.territories()])
    steps = []
    if drafting.can_still_change(session, post, by=by):
        steps.append("edit")
        if PostState.SUBMITTED in posts.ROADS[post.state]:
            steps.append("submit")
    writes = posts.can_change(by, known, codes, author_id=post.author_id)
    if writes and PostState.WITHDRAWN in posts.ROADS[post.state]:
        steps.append("withdraw")
    if may_approve(session, post, by):
        if post.state is PostState.SUBMITTED or _reasons(session, post):
            steps.append("approve")
        if post.state is PostState.SUBMITTED:
            steps.append("return")
    return steps


def approvals_of(session: Session, post: Post) -> list[tuple[Approval, list[ApprovalLine]]]:
    """Every approval of a post with its lines, oldest first; void ones too."""
    query = select(Approval).where(Approval.post_id == post.id).order_by(col(Approval.id))
    told = []
    for approval in session.exec(query).all():
        lines = select(ApprovalLine).where(ApprovalLine.approval_id == approval.id).order_by(col(ApprovalLine.id))
        told.append((approval, list(session.exec(lines))))
    return told


def approve(
    session: Session,
    post_id: int,
    *,
    by: Actor,
    at: datetime,
    terms: Terms,
    rules: Mapping[Network, Rules],
    seen: str,
    hold: Mapping[str, str] | None = None,
    release: Collection[str] = (),
) -> list[Delivery]:
    """Approve a submitted post, or release held destinations of an approved one, and make their deliveries.

    `seen` is the fingerprint that the approver looked at: WrongState when the post says something else now.
    `hold` is destination → reason, for those that shall wait. Of an approved post only what `release` names goes out.
    """
    post = drafting.get_post(session, post_id, by=by, lock=True)
    require_approver(session, post, by)
    if post.state not in {PostState.SUBMITTED, PostState.APPROVED}:
        post.move(PostState.APPROVED)
    if not seen:
        raise Invalid(
            _("Look at the preview, then send its fingerprint: exactly what you saw is approved."), field="fingerprint"
        )
    planned = geotargeting.plan(session, post, terms=terms, rules=rules, at=at)
    now_says = fingerprint_of(session, post, planned)
    if seen != now_says:
        raise WrongState(_("This post changed since you looked at it. Look at it again, then approve."))
    made = _made(session, post)
    kept = _kept(planned, _reasons(session, post), made) if post.state is PostState.APPROVED else {}
    named = _released(planned, kept, release)
    held = {key: why for key, why in kept.items() if key not in named} | _held(planned, hold or {}, made)
    going = [one for one in planned if _place(one) not in made and one.destination not in held]
    _require_in_time(post, planned, at=at)
    _require_something(post, going, kept, at=at)
    if problems := [FieldProblem(one.destination, text) for one in going for text in one.problems]:
        raise Invalid(problems)
    before = {"state": post.state}
    approval = _approval(session, post, planned, held, now_says, by=by, at=at)
    if post.state is PostState.SUBMITTED:
        post.move(PostState.APPROVED)
    deliveries = [_delivery(post, approval, one) for one in going]
    session.add_all(deliveries)
    session.flush()
    after = {"state": post.state, "deliveries": [one.id for one in deliveries], "held": held}
    note(session, "post.approve", f"post:{post.id}", by=by, at=at, before=before, after=after)
    return deliveries


def _place(one: Planned) -> Place:
    return one.account.id, one.gate_key


def _made(session: Session, post: Post) -> set[Place]:
    """Where this post has a delivery, or had one that was given up since."""
    query = (
        select(Delivery)
        .join(Approval, col(Approval.id) == col(Delivery.approval_id))
        .where(
            Delivery.post_id == post.id,
            or_(col(Delivery.state) != DeliveryState.CANCELLED, col(Approval.voided_at).is_(None)),
        )
    )
    return {(one.account_id, one.gate_key) for one in session.exec(query)}


def _reasons(session: Session, post: Post) -> dict[Place, str]:
    """What the approval in force holds back, and why; nothing where the post is not approved."""
    if post.state is not PostState.APPROVED:
        return {}
    told = [lines for approval, lines in approvals_of(session, post) if approval.voided_at is None]
    lines = told[-1] if told else []
    return {(line.account_id, line.gate_key): line.reason or "" for line in lines if line.verdict is Verdict.HELD}


def _kept(planned: Sequence[Planned], reasons: Mapping[Place, str], made: Collection[Place]) -> dict[str, str]:
    """Destination → reason, for all of an approved post that has not gone on; what nobody said yes to is held too."""
    unseen = _("It was not there when this post was approved.")
    return {one.destination: reasons.get(_place(one), unseen) for one in planned if _place(one) not in made}


def held_back(session: Session, post: Post, planned: Sequence[Planned]) -> dict[str, str]:
    """Destination → reason, for what of an approved post may still be released; nothing of any other post."""
    if post.state is not PostState.APPROVED:
        return {}
    return _kept(planned, _reasons(session, post), _made(session, post))


def _matching(planned: Sequence[Planned], reference: str) -> list[Planned]:
    """What a reference points at: one destination, or with `3` or `facebook:A-14` every delivery of that account."""
    account = reference.casefold()
    return [
        one
        for one in planned
        if reference == one.destination
        or account in {str(one.account.id), f"{one.account.network.value}:{one.account.territory_code}".casefold()}
    ]


def _released(planned: Sequence[Planned], kept: Mapping[str, str], release: Collection[str]) -> frozenset[str]:
    """The held destinations that are named; Invalid for a name that holds none."""
    named: set[str] = set()
    for reference in release:
        found = {one.destination for one in _matching(planned, reference)} & kept.keys()
        if not found:
            raise Invalid(
                _(
                    "{reference} is not held, so it cannot be released. Held: {held}.",
                    reference=reference,
                    held=", ".join(kept) or _("none"),
                ),
                field="release",
            )
        named |= found
    return frozenset(named)


def _held(planned: Sequence[Planned], hold: Mapping[str, str], made: Collection[Place]) -> dict[str, str]:
    """Destination → reason, as the approver gave it."""
    held: dict[str, str] = {}
    for reference, reason in hold.items():
        matching = _matching(planned, reference)
        if not matching:
            known = ", ".join(one.destination for one in planned)
            message = _(
                "There is no destination {reference} to hold. There are: {known}.", reference=reference, known=known
            )
            raise Invalid(message, field="hold")
        if not reason.strip():
            raise Invalid(_("Say why {reference} is held.", reference=reference), field="hold")
        open_yet = [one.destination for one in matching if _place(one) not in made]
        if not open_yet:
            raise WrongState(
                _("{reference} is approved already, so it cannot be held. Withdraw the post.", reference=reference)
            )
        held |= dict.fromkeys(open_yet, reason.strip())
    return held


def _require_in_time(post: Post, planned: Sequence[Planned], *, at: datetime) -> None:
    if not planned:
        raise Invalid(_("This post has no account to go out on."), field="accounts")
    if post.first_due_at <= at and post.state is PostState.SUBMITTED:
        raise WrongState(
            _("The time to publish this post has passed, so it expires: it is never sent late. Its author may move it.")
        )


def _require_something(post: Post, going: Sequence[Planned], kept: Mapping[str, str], *, at: datetime) -> None:
    """WrongState when nothing is left to release, or it would be late."""
    if post.state is PostState.APPROVED and not going:
        if not kept:
            raise WrongState(_("This post is approved already, and none of its destinations is held."))
        raise WrongState(
            _(
                "This post is approved already. Held: {held}. Name what shall go out: “release” in the API, "
                "“relais approve {number} --release {example}” on the command line.",
                held=", ".join(f"{destination} ({reason})" for destination, reason in kept.items()),
                number=post.id,
                example=next(iter(kept)),
            )
        )
    if late := [one.destination for one in going if one.due_at <= at]:
        raise WrongState(
            _(
                "The time of {destinations} has passed, and nothing is sent late. Copy this post, or hold it.",
                destinations=", ".join(late),
            )
        )


def _approval(
    session: Session,
    post: Post,
    planned: Sequence[Planned],
    held: Mapping[str, str],
    now_says: str,
    *,
    by: Actor,
    at: datetime,
) -> Approval:
    assert post.id is not None
    content = geotargeting.whole(session, post).content
    approval = Approval(
        post_id=post.id, by_id=by.id, at=at, version=post.version, content=content, fingerprint=now_says
    )
    session.add(approval)
    session.flush()
    assert approval.id is not None
    for one in planned:
        assert one.account.id is not None
        session.add(
            ApprovalLine(
                approval_id=approval.id,
                account_id=one.account.id,
                gate_key=one.gate_key,
                verdict=Verdict.HELD if one.destination in held else Verdict.APPROVED,
                reason=held.get(one.destination),
                fingerprint=one.fingerprint,
            )
        )
    return approval


def _delivery(post: Post, approval: Approval, one: Planned) -> Delivery:
    assert post.id is not None
    assert approval.id is not None
    assert one.account.id is not None
    return Delivery(
        post_id=post.id,
        account_id=one.account.id,
        approval_id=approval.id,
        key=one.key,
        gate_key=one.gate_key,
        gate=one.stored_gate(),
        territory_code=one.territory_code,
        provenance=one.provenance,
        text=one.text,
        link=one.link,
        text_key=one.text_key,
        wall_time=one.wall_time,
        zone=one.zone,
        due_at=one.due_at,
        useless_after=one.useless_after,
        ready_at=one.due_at,
    )


def give_back(session: Session, post_id: int, *, by: Actor, at: datetime, reason: str) -> Post:
    """Return a submitted post to its author, with the reason."""
    post = drafting.get_post(session, post_id, by=by, lock=True)
    require_approver(session, post, by)
    if not reason.strip():
        raise Invalid(_("Say why, so that its author knows what to change."), field="reason")
    post.move(PostState.RETURNED)
    post.return_reason = reason.strip()
    post.returned_version = post.version
    note(session, "post.return", f"post:{post.id}", by=by, at=at, after={"reason": post.return_reason})
    return post


def expire(session: Session, *, at: datetime) -> list[Post]:
    """Expire submitted posts whose time has passed: never late."""
    late = select(Post).where(Post.state == PostState.SUBMITTED, Post.first_due_at <= at).order_by(col(Post.id))
    expired = list(session.exec(late.with_for_update(skip_locked=True)))
    for post in expired:
        post.move(PostState.EXPIRED)
        note(session, "post.expire", f"post:{post.id}", by=CLOCK, at=at)
    return expired


def archive(session: Session, *, at: datetime) -> list[Post]:
    """Put away posts whose story ended long ago: approved ones with all deliveries final, expired, withdrawn."""
    before = at - ARCHIVED_AFTER
    ended = [PostState.APPROVED, PostState.EXPIRED, PostState.WITHDRAWN]
    query = (
        select(Post)
        .where(
            col(Post.state).in_(ended),
            Post.first_due_at <= before,
            Post.useless_after <= before,
            Post.changed_at <= before,
            *_quiet_since(before),
        )
        .order_by(col(Post.id))
        .limit(MOST_ARCHIVED)
    )
    archived = list(session.exec(query.with_for_update(skip_locked=True)))
    for post in archived:
        state = post.state
        post.move(PostState.ARCHIVED)
        note(session, "post.archive", f"post:{post.id}", by=CLOCK, at=at, before={"state": state})
    return archived


def _quiet_since(before: datetime) -> list[ColumnElement[bool]]:
    """Nothing of a post is open, and neither anybody nor a network had to do with it since."""
    own = col(Delivery.post_id) == col(Post.id)
    open_yet = or_(col(Delivery.state).not_in(FINAL), col(Delivery.removal_at).is_not(None))
    tried = exists().where(col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.started_at) > before)
    named = literal("post:") + cast(col(Post.id), String)
    noted = exists().where(col(AuditEntry.at) > before, col(AuditEntry.thing) == named)
    return [~exists().where(own, or_(open_yet, tried)), ~noted]
