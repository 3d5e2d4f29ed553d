"""How things look in answers; several routes show the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import Session, col, select

from hub.domain import post as posts
from hub.domain.account import Account
from hub.domain.delivery import STATE_NAMES, Delivery
from hub.domain.gate import OPEN
from hub.domain.person import Actor, Person
from hub.domain.post import Post
from hub.language import _
from hub.services import approving, connecting, drafting, geotargeting
from hub.services.geotargeting import Planned
from hub.services.showing import title
from hub.web.api.typed import Answer
from hub.wiring import Hub


def account(one: Account, name: str) -> Answer:
    """An account as its choosers see it; never its keys."""
    return {
        "id": one.id,
        "network": one.network.value,
        "name": one.name,
        "handle": one.handle,
        "territory": one.territory_code,
        "territory_name": name,
        "state": one.state.value,
        "state_reason": one.state_reason,
        "light": one.light,
        "sentences": [connecting.standing(one), *connecting.sentences(one)],
    }


def people(session: Session, ids: Iterable[int]) -> dict[int, Answer]:
    """Names by number."""
    rows = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(set(ids))))
    return {number: {"id": number, "name": name} for number, name in rows if number is not None}


def destination(account_id: int, gate_key: str) -> str:
    """How people point at one destination of a post."""
    return str(account_id) if gate_key == OPEN else f"{account_id}:{gate_key}"


def gate(stored: dict[str, Any] | None) -> Answer | None:
    """A limit, in territories."""
    if not stored or not stored.get("territories"):
        return None
    return {"territories": stored["territories"], "precision": stored.get("precision")}


def deliveries(session: Session, some: Sequence[Delivery]) -> list[Answer]:
    """Deliveries in a list."""
    accounts = select(Account).where(col(Account.id).in_({one.account_id for one in some}))
    known = {one.id: one for one in session.exec(accounts)}
    land = geotargeting.atlas(session, [one.territory_code for one in some])
    return [
        {
            "id": one.id,
            "post": one.post_id,
            "title": title(one.text),
            "destination": destination(one.account_id, one.gate_key),
            "account": one.account_id,
            "account_name": known[one.account_id].name,
            "network": known[one.account_id].network.value,
            "territory": one.territory_code,
            "territory_name": land.name(one.territory_code),
            "gate": gate(one.gate),
            "unlimited": bool((one.gate or {}).get("unlimited")),
            "provenance": one.provenance.value,
            "state": one.state.value,
            "state_label": _(STATE_NAMES[one.state]),
            "reason": one.reason,
            "due_at": one.due_at,
            "wall_time": one.wall_time,
            "zone": one.zone,
            "sent_at": one.sent_at,
            "url": one.url,
        }
        for one in some
    ]


def planned(one: Planned) -> Answer:
    """A delivery that a post would become."""
    return {
        "destination": one.destination,
        "account": one.account.id,
        "account_name": one.account.name,
        "network": one.account.network.value,
        "territory": one.territory_code,
        "territory_name": one.territory_name,
        "text": one.text,
        "link": one.link,
        "gate": gate(one.stored_gate()),
        "unlimited": one.unlimited,
        "due_at": one.due_at,
        "wall_time": one.wall_time,
        "zone": one.zone,
        "cost": str(one.cost),
        "problems": one.problems,
        "warnings": one.warnings,
    }


def post_list(session: Session, some: Sequence[Post]) -> list[Answer]:
    """Posts in a list."""
    ids = [one.id for one in some]
    states: dict[int, list[Delivery]] = {}
    for delivery in session.exec(select(Delivery).where(col(Delivery.post_id).in_(ids))):
        states.setdefault(delivery.post_id, []).append(delivery)
    audiences = drafting.audiences_of(session, [one.id for one in some if one.id is not None])
    authors = people(session, (one.author_id for one in some))
    return [
        _post_line(one, states.get(one.id or 0, []), audiences.get(one.id or 0, []), authors[one.author_id])
        for one in some
    ]


def _post_line(post: Post, made: Sequence[Delivery], audience: Sequence[str], author: Answer) -> Answer:
    progress = posts.progress(made) if post.state is posts.PostState.APPROVED else None
    return {
        "id": post.id,
        "kind": post.kind.value,
        "title": title(post.text),
        "state": post.state.value,
        "state_label": _(posts.STATE_NAMES[post.state]),
        "progress": progress,
        "progress_label": _(posts.PROGRESS_NAMES[progress]) if progress else None,
        "version": post.version,
        "author": author,
        "audience": sorted(audience),
        "wall_time": post.wall_time,
        "zone": post.zone,
        "first_due_at": post.first_due_at,
        "useless_after": post.useless_after,
        "changed_at": post.changed_at,
    }


def post(session: Session, one: Post, hub: Hub, by: Actor) -> Answer:
    """One post with everything that belongs to it."""
    assert one.id is not None
    parts = geotargeting.whole(session, one)
    land = geotargeting.atlas(session, [*parts.audience, one.territory_code])
    made = session.exec(
        select(Delivery).where(Delivery.post_id == one.id).order_by(col(Delivery.due_at), col(Delivery.id))
    ).all()
    plan = geotargeting.plan(session, one, terms=hub.terms, rules=hub.rules, at=hub.now())
    [line] = post_list(session, [one])
    return line | {
        "draft": drafting.typed_of(session, one).model_dump(mode="json"),
        "territory": one.territory_code,
        "territory_name": land.name(one.territory_code),
        "created_at": one.created_at,
        "submitted_at": one.submitted_at,
        "return_reason": one.return_reason,
        "audience": [{"code": code, "name": land.name(code)} for code in parts.audience],
        "destinations": [
            {
                "account": choice.account_id,
                "account_name": parts.accounts[choice.account_id].name,
                "network": parts.accounts[choice.account_id].network.value,
                "territory": parts.accounts[choice.account_id].territory_code,
                "text": choice.text,
                "accepts_unlimited": choice.accepts_unlimited,
            }
            for choice in parts.destinations
        ],
        "deliveries": deliveries(session, made),
        "approvals": _approvals(session, one),
        "fingerprint": approving.fingerprint_of(session, one, plan),
        "actions": approving.allowed_steps(session, one, by),
    }


def _approvals(session: Session, one: Post) -> list[Answer]:
    told = approving.approvals_of(session, one)
    approvers = people(session, (approval.by_id for approval, _lines in told))
    return [
        {
            "id": approval.id,
            "by": approvers[approval.by_id],
            "at": approval.at,
            "fingerprint": approval.fingerprint,
            "voided_at": approval.voided_at,
            "lines": [
                {
                    "destination": destination(line.account_id, line.gate_key),
                    "verdict": line.verdict.value,
                    "reason": line.reason,
                }
                for line in lines
            ],
        }
        for approval, lines in told
    ]
