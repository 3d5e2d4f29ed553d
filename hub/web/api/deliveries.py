"""Deliveries: what became of each, and what a person decides about it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, status
from pydantic import Field
from sqlmodel import Session

from hub.domain.delivery import Action, Attempt, Delivery, DeliveryState
from hub.domain.event import Typed
from hub.domain.person import Actor
from hub.services import curving, measuring, resolving
from hub.web.api import shapes
from hub.web.api.typed import Answer, Words
from hub.web.deps import LARGEST_ID, Id, Now, ReadDb, SignedIn, TheHub, WriteDb
from hub.web.problems import documented

router = APIRouter(prefix="/deliveries", tags=["deliveries"], responses=documented(400, 401, 403, 404, 409))


class Resolve(Typed):
    """A decision; `remote_id` is the post's id on the network, for `found`. Taking down is an errand of its own."""

    action: Literal["found", "send", "give-up"]
    remote_id: Annotated[str, Field(max_length=200)] | None = None
    reason: Words = ""


class Remove(Typed):
    """Why a live post is taken down."""

    reason: Words = ""


@router.get("", summary="The deliveries that one may see, by due time.")
def list_deliveries(
    person: SignedIn,
    session: ReadDb,
    state: Annotated[list[DeliveryState], Query()] = [],  # noqa: B006 - FastAPI copies it
    post: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Answer]:
    """Of every state, or of those named."""
    found = resolving.list_deliveries(session, by=person, states=state, post_id=post, limit=limit)
    return shapes.deliveries(session, found)


@router.get("/{delivery_id}", summary="One delivery with its time line.")
def show(delivery_id: Id, person: SignedIn, session: ReadDb) -> Answer:
    """When it is due, every try, what was read back, its figures, what may be done."""
    return _told(session, resolving.get_delivery(session, delivery_id, by=person), person)


@router.post("/{delivery_id}/resolve", summary="Decide about a delivery that waits for a person.")
def resolve(delivery_id: Id, typed: Resolve, person: SignedIn, session: WriteDb, now: Now, hub: TheHub) -> Answer:
    """It was found on the network, is to be sent (again), or is given up."""
    delivery = resolving.resolve(
        session,
        delivery_id,
        Action(typed.action),
        by=person,
        at=now,
        patience=hub.patience,
        remote_id=typed.remote_id,
        reason=typed.reason,
    )
    return _told(session, delivery, person)


@router.post("/{delivery_id}/remove", status_code=status.HTTP_202_ACCEPTED, summary="Take a live post down.")
def remove(delivery_id: Id, person: SignedIn, session: WriteDb, now: Now, typed: Remove = Remove()) -> Answer:
    """The clock does it, and tells in the time line what came of it."""
    delivery = resolving.request_removal(session, delivery_id, by=person, at=now, reason=typed.reason)
    return _told(session, delivery, person)


def _told(session: Session, delivery: Delivery, by: Actor) -> Answer:
    assert delivery.id is not None
    [line] = shapes.deliveries(session, [delivery])
    # Of a post for several territories, each sees its own figures and those of France.
    counted = delivery.id in curving.wholly(session, delivery.post_id, by=by)
    figures = measuring.figures_of(session, delivery.id) if counted else []
    return line | {
        "text": delivery.text,
        "link": delivery.link,
        "remote_id": delivery.remote_id,
        "useless_after": delivery.useless_after,
        "ready_at": delivery.ready_at,
        "removal": {"at": delivery.removal_at, "reason": delivery.removal_reason} if delivery.removal_reason else None,
        "read_back": _read_back(delivery),
        "attempts": [_attempt(one) for one in resolving.attempts_of(session, delivery.id)],
        "figures": [
            {
                "metric": figure.metric,
                "unit": figure.unit.value,
                "value": figure.value,
                "missing": figure.missing,
                "first_read_at": figure.first_read_at,
                "last_read_at": figure.last_read_at,
            }
            for figure in figures
        ],
        "actions": [action.value for action in resolving.allowed_actions(session, delivery, by)],
    }


def _read_back(delivery: Delivery) -> Answer | None:
    """How far the network was asked what it shows; None when there never was a doubt."""
    if delivery.unknown_since is None:
        return None
    return {
        "since": delivery.unknown_since,
        "looks": delivery.looks,
        "failed_looks": delivery.failed_looks,
        "next_look_at": delivery.look_at if delivery.state is DeliveryState.UNKNOWN else None,
    }


def _attempt(attempt: Attempt) -> Answer:
    return {
        "n": attempt.n,
        "kind": attempt.kind.value,
        "phase": attempt.phase.value,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "outcome": attempt.outcome,
        "detail": attempt.detail,
        "http_status": attempt.http_status,
        "code": attempt.code,
        "remote_id": attempt.remote_id,
    }
