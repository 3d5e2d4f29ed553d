"""Items of the portal that are out, put there without walking the road of a post."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.gate import gate_key
from hub.domain.post import Approval, Kind, Post
from hub.services import pinning
from tests.stage import Stage


def an_event(begin: str, end: str = "", **more: Any) -> dict[str, Any]:
    """An event as it is stored: one date, at the town hall of Rennes unless told otherwise."""
    timing = {"begin": begin, "end": end or begin[:11] + "23:00:00"}
    return {"timings": [timing], "zone": "Europe/Paris", "commune": "35238", "attendance": "on_site"} | more


def put_out(
    session: Session,
    stage: Stage,
    zone: Sequence[str],
    *,
    kind: Kind = Kind.NEWS,
    text: str = "Une nouvelle\n\nÀ lire.",
    event: dict[str, Any] | None = None,
    sent_at: datetime | None = None,
    **more: Any,
) -> Delivery:
    """One item that is out for these territories."""
    at = sent_at or stage.clock()
    author = stage.people["animator"].id
    same: dict[str, Any] = {
        "wall_time": "2026-11-02T12:00",
        "zone": "Europe/Paris",
        "useless_after": at + timedelta(days=1),
    }
    post = Post(
        kind=kind, text=text, event=event, first_due_at=at, author_id=author, changed_by_id=author, seed="seed",
        territory_code="A-14", created_at=at, changed_at=at, link=more.pop("link", None), **same,
    )  # fmt: skip
    session.add(post)
    session.flush()
    assert post.id is not None
    approval = Approval(
        post_id=post.id, by_id=stage.people["coordinator"].id, at=at, version=1, content="c", fingerprint="f"
    )
    session.add(approval)
    session.flush()
    assert approval.id is not None
    key = f"k{post.id}"
    delivery = Delivery(
        post_id=post.id, account_id=stage.accounts["portal"], approval_id=approval.id, key=key,
        gate_key=gate_key(zone), gate={"territories": list(zone)}, territory_code=zone[0],
        provenance=Provenance.PORTAL, text=text, text_key=key, due_at=at, ready_at=at, sent_at=at, remote_id=key,
        state=DeliveryState.SENT, **(same | more),
    )  # fmt: skip
    session.add(delivery)
    session.flush()
    assert delivery.id is not None
    pinning.pin(session, delivery.id)
    return delivery
