"""Approving and returning posts: nobody approves their own, and a yes is bound to what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from sqlmodel import Session, col, select

from channels import Network, Rules
from hub.domain import post as posts
from hub.domain.audit import CLOCK, note
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import FieldProblem, Invalid, NotAllowed, WrongState
from hub.domain.person import Actor
from hub.domain.post import Approval, ApprovalLine, Post, PostState, Verdict, fingerprint
from hub.language import _
from hub.services import drafting, geotargeting
from hub.services.geotargeting import Planned, Terms


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
    lines = sorted(one.fingerprint for one in planned)
    return fingerprint([geotargeting.whole(session, post).content, lines])


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
        held = post.state is PostState.APPROVED and any(
            line.verdict is Verdict.HELD for _approval, lines in approvals_of(session, post)[-1:] for line in lines
        )
        if post.state is PostState.SUBMITTED or held:
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
    seen: str | None = None,
    hold: Mapping[str, str] | None = None,
) -> list[Delivery]:
    """Approve a submitted post (or the held destinations of an approved one) and make its deliveries.

    `seen` is the fingerprint that the approver looked at: WrongState when the post says something else now.
    `hold` is destination → reason, for those that shall wait.
    """
    post = drafting.get_post(session, post_id, by=by, lock=True)
    require_approver(session, post, by)
    if post.state not in {PostState.SUBMITTED, PostState.APPROVED}:
        post.move(PostState.APPROVED)
    planned = geotargeting.plan(session, post, terms=terms, rules=rules, at=at)
    now_says = fingerprint_of(session, post, planned)
    if seen is not None and seen != now_says:
        raise WrongState(_("This post changed since you looked at it. Look at it again, then approve."))
    made = _made(session, post)
    held = _held(planned, hold or {}, made)
    going = [one for one in planned if one.destination not in held]
    _require_in_time(post, planned, at=at)
    if problems := [FieldProblem(one.destination, text) for one in going for text in one.problems]:
        raise Invalid(problems)
    before = {"state": post.state}
    going = _not_yet_made(post, going, made, at=at)
    approval = _approval(session, post, planned, held, now_says, by=by, at=at)
    if post.state is PostState.SUBMITTED:
        post.move(PostState.APPROVED)
    deliveries = [_delivery(post, approval, one) for one in going]
    session.add_all(deliveries)
    session.flush()
    after = {"state": post.state, "deliveries": [one.id for one in deliveries], "held": held}
    note(session, "post.approve", f"post:{post.id}", by=by, at=at, before=before, after=after)
    return deliveries


def _made(session: Session, post: Post) -> set[tuple[int | None, str]]:
    """Account and gate of every delivery that this post has."""
    query = select(Delivery).where(Delivery.post_id == post.id, Delivery.state != DeliveryState.CANCELLED)
    return {(one.account_id, one.gate_key) for one in session.exec(query)}


def _held(planned: Sequence[Planned], hold: Mapping[str, str], made: Set[tuple[int | None, str]]) -> dict[str, str]:
    """Destination → reason, with `3` meaning every gated delivery of account 3."""
    held: dict[str, str] = {}
    for reference, reason in hold.items():
        matching = [one for one in planned if reference in {one.destination, str(one.account.id)}]
        if not matching:
            known = ", ".join(one.destination for one in planned)
            message = _(
                "There is no destination {reference} to hold. There are: {known}.", reference=reference, known=known
            )
            raise Invalid(message, field="hold")
        if not reason.strip():
            raise Invalid(_("Say why {reference} is held.", reference=reference), field="hold")
        open_yet = [one.destination for one in matching if (one.account.id, one.gate_key) not in made]
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


def _not_yet_made(
    post: Post, going: Sequence[Planned], made: Set[tuple[int | None, str]], *, at: datetime
) -> list[Planned]:
    """The destinations that have no delivery yet; WrongState when nothing is left to approve, or it would be late."""
    fresh = [one for one in going if (one.account.id, one.gate_key) not in made]
    if post.state is PostState.APPROVED and not fresh:
        raise WrongState(_("This post is approved already, and no held destination was released."))
    if late := [one.destination for one in fresh if one.due_at <= at]:
        raise WrongState(
            _(
                "The time of {destinations} has passed, and nothing is sent late. Copy this post, or hold it.",
                destinations=", ".join(late),
            )
        )
    return fresh


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
    approval = Approval(post_id=post.id, by_id=by.id, at=at, content=content, fingerprint=now_says)
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
    note(session, "post.return", f"post:{post.id}", by=by, at=at, after={"reason": post.return_reason})
    return post


def expire(session: Session, *, at: datetime) -> list[Post]:
    """Expire submitted posts whose time has passed: never late."""
    late = select(Post).where(Post.state == PostState.SUBMITTED, Post.first_due_at <= at).order_by(col(Post.id))
    expired = list(session.exec(late.with_for_update()))
    for post in expired:
        post.move(PostState.EXPIRED)
        note(session, "post.expire", f"post:{post.id}", by=CLOCK, at=at)
    return expired
