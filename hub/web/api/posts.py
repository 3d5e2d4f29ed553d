"""Posts: write, change, look, hand in, approve."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response, status
from pydantic import ConfigDict, Field

from hub.domain.errors import Invalid
from hub.domain.event import Typed
from hub.domain.post import PostState
from hub.language import _
from hub.services import agreeing, approving, drafting
from hub.services.drafting import Draft
from hub.web.api import shapes
from hub.web.api.typed import Answer, Words
from hub.web.deps import LARGEST_ID, Id, Now, ReadDb, SignedIn, TheHub, WriteDb
from hub.web.problems import documented

router = APIRouter(prefix="/posts", tags=["posts"], responses=documented(400, 401, 403, 404, 409))


class Submit(Typed):
    """`confirm_repeats`: the author means to say the same words again."""

    confirm_repeats: bool = False


class Reason(Typed):
    """Why."""

    reason: Words = ""


class Approve(Typed):
    """`fingerprint` of what the approver looked at; `hold`: destination → reason, for those that shall wait.

    `release`: destinations of an approved post that were held, and shall go out now.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["fingerprint"]})

    fingerprint: Annotated[str, Field(max_length=64)] = ""
    hold: dict[Annotated[str, Field(max_length=100)], Words] = Field(default={}, max_length=200)
    release: list[Annotated[str, Field(max_length=100)]] = Field(default=[], max_length=200)


@router.post("", status_code=status.HTTP_201_CREATED, summary="Write a post.")
def write(typed: Draft, person: SignedIn, session: WriteDb, hub: TheHub, now: Now, answer: Response) -> Answer:
    """A draft; everything that is wrong with it is told at once."""
    post = drafting.draft(session, typed, by=person, at=now, terms=hub.terms, rules=hub.rules)
    answer.headers["Location"] = f"/api/v1/posts/{post.id}"
    answer.headers["ETag"] = f'"{post.version}"'
    return shapes.post(session, post, hub, person)


@router.get("", summary="The posts that one may see, newest first.")
def list_posts(
    person: SignedIn,
    session: ReadDb,
    state: Annotated[list[PostState], Query()] = [],  # noqa: B006 - FastAPI copies it
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> list[Answer]:
    """To go on, give the last id as `before`."""
    found = drafting.list_posts(session, by=person, states=state, mine=mine, limit=limit, before=before)
    return shapes.post_list(session, found)


@router.get("/{post_id}", summary="One post with everything that belongs to it.")
def show(post_id: Id, person: SignedIn, session: ReadDb, hub: TheHub, answer: Response) -> Answer:
    """`draft` can be changed and handed in again with PUT."""
    post = drafting.get_post(session, post_id, by=person)
    answer.headers["ETag"] = f'"{post.version}"'
    return shapes.post(session, post, hub, person)


@router.put("/{post_id}", summary="Change a post.")
def change(
    post_id: Id,
    typed: Draft,
    person: SignedIn,
    session: WriteDb,
    hub: TheHub,
    now: Now,
    answer: Response,
    if_match: Annotated[str | None, Header(max_length=40)] = None,
) -> Answer:
    """With `If-Match: "version"`, refused when somebody changed it meanwhile; an approval is voided."""
    post = drafting.change(session, post_id, typed, version=_version(if_match), by=person, at=now)
    answer.headers["ETag"] = f'"{post.version}"'
    return shapes.post(session, post, hub, person)


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    number = if_match.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit()):
        raise Invalid(_('If-Match holds the version of the post that you saw, such as "3".'), field="If-Match")
    return int(number)


@router.get("/{post_id}/preview", summary="Every delivery that the post would become now.")
def preview(post_id: Id, person: SignedIn, session: ReadDb, hub: TheHub, now: Now) -> Answer:
    """Final words, limits, times, costs, problems; the fingerprint is what an approval is bound to."""
    plan = drafting.preview(session, post_id, by=person, at=now, terms=hub.terms, rules=hub.rules)
    post = drafting.get_post(session, post_id, by=person)
    return {
        "fingerprint": approving.fingerprint_of(session, post, plan),
        "deliveries": [shapes.planned(one) for one in plan],
    }


@router.post("/{post_id}/submit", summary="Hand a post to the coordinators.")
def submit(post_id: Id, person: SignedIn, session: WriteDb, hub: TheHub, now: Now, typed: Submit = Submit()) -> Answer:
    """Refused with everything that stands in its way."""
    post = drafting.submit(
        session,
        post_id,
        by=person,
        at=now,
        terms=hub.terms,
        rules=hub.rules,
        confirm_repeats=typed.confirm_repeats,
    )
    return shapes.post(session, post, hub, person) | {"advice": agreeing.advice_at(session, post.first_due_at, at=now)}


@router.post("/{post_id}/withdraw", summary="Take a post back.")
def withdraw(
    post_id: Id, person: SignedIn, session: WriteDb, hub: TheHub, now: Now, typed: Reason = Reason()
) -> Answer:
    """What waits is cancelled."""
    post = drafting.withdraw(session, post_id, by=person, at=now, reason=typed.reason)
    return shapes.post(session, post, hub, person)


@router.post("/{post_id}/approve", summary="Approve a post, or release held destinations of an approved one.")
def approve(
    post_id: Id, person: SignedIn, session: WriteDb, hub: TheHub, now: Now, typed: Approve = Approve()
) -> Answer:
    """One line per destination: approved, or held with a reason. The fingerprint is that of the preview."""
    approving.approve(
        session,
        post_id,
        by=person,
        at=now,
        terms=hub.terms,
        rules=hub.rules,
        seen=typed.fingerprint,
        hold=typed.hold,
        release=typed.release,
    )
    return shapes.post(session, drafting.get_post(session, post_id, by=person), hub, person)


@router.post("/{post_id}/return", summary="Return a post to its author, with the reason.")
def give_back(
    post_id: Id, person: SignedIn, session: WriteDb, hub: TheHub, now: Now, typed: Reason = Reason()
) -> Answer:
    """Its author may change it and hand it in again."""
    post = approving.give_back(session, post_id, by=person, at=now, reason=typed.reason)
    return shapes.post(session, post, hub, person)
