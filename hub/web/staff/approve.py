"""The approver's pages: the queue, one post looked at whole, and the decision about it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain import post as posts
from hub.domain.errors import HubError, Invalid, NotAllowed, WrongState
from hub.domain.post import Kind, Post, PostState
from hub.language import N_, _, ngettext
from hub.services import approving, drafting, geotargeting, looking, queueing
from hub.services.queueing import Waiting
from hub.services.showing import title
from hub.web.deps import LARGEST_ID, Id, Now, ReadDb, TheHub
from hub.web.forms import Form, TypedForm
from hub.web.pages import go, page
from hub.web.staff.post import LONGEST_WORDS, choices, clock_of, required, words
from hub.web.staff.preview import cards
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

PAGE: Final = 20
"""Posts on one page of the queue."""

PHRASES: Final = (
    N_("Please check the date and the time."),
    N_("The territories do not fit: choose those that it is meant for."),
    N_("The text is too long or hard to read: make it shorter and plainer."),
    N_("Say how to register, or whom to call."),
    N_("The picture or its description does not fit."),
    N_("This was published already."),
)
"""Reasons for which posts come back most often; picked, they need no typing."""


# --- The queue --------------------------------------------------------------------------------------------


@router.get("/validation")
def queue(
    request: Request,
    visit: Inside,
    session: ReadDb,
    hub: TheHub,
    now: Now,
    kind: Annotated[str, Query(alias="genre", max_length=20)] = "",
    territory: Annotated[str, Query(alias="territoire", max_length=8)] = "",
    urgent: Annotated[str, Query(alias="urgent", max_length=1)] = "",
    troubled: Annotated[str, Query(alias="alertes", max_length=1)] = "",
    after: Annotated[int | None, Query(alias="apres", ge=1, le=LARGEST_ID)] = None,
) -> Response:
    """What waits for this person, next due first."""
    land = geotargeting.atlas(session, [territory] if territory else [])
    found = queueing.waiting(
        session,
        by=visit.actor,
        at=now,
        terms=hub.terms,
        rules=hub.rules,
        kind=Kind(kind) if kind in set(Kind) else None,
        territory=territory if territory in land else None,
        urgent=bool(urgent),
        troubled=bool(troubled),
        after=after,
        limit=PAGE + 1,
    )
    shown = found[:PAGE]
    asked = {"genre": kind, "territoire": territory, "urgent": urgent, "alertes": troubled}
    return page(
        request,
        "approve/queue.html",
        waiting=shown,
        title=title,
        accounts=_accounts,
        names=_names(session, shown),
        facts=looking.facts_of(session, [one.post for one in shown]),
        authors=queueing.authors(session, shown),
        count=queueing.count_waiting(session, visit.actor),
        asked=Form(tuple(asked.items())),
        narrowed=any(asked.values()),
        onward=asked | {"apres": shown[-1].post.id} if len(found) > PAGE else None,
        kinds=[(one.value, _(posts.KIND_NAMES[one])) for one in Kind],
        territories=choices(land, territory),
        **words(),
    )


def _names(session: Session, some: list[Waiting]) -> dict[int, list[str]]:
    """The names of each post's territories."""
    land = geotargeting.atlas(session, {code for one in some for code in one.audience})
    return {one.post.id or 0: sorted(land.name(code) for code in one.audience) for one in some}


def _accounts(one: Waiting) -> list[str]:
    """Where a post would go, each account once."""
    return list(dict.fromkeys(planned.account.name for planned in one.planned))


@router.post("/validation")
def approve_several(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Approve those that are ticked, each as it was seen; tell of each what came of it."""
    chosen = {int(number): form[f"seen-{number}"] for number in form.every("post") if _is_id(number)}
    if not chosen:
        return go(request, "/equipe/validation", _("Tick the posts that you approve first."))
    with writing(hub.engine) as session:
        answers = queueing.approve_several(
            session, dict(list(chosen.items())[:PAGE]), by=visit.actor, at=now, terms=hub.terms, rules=hub.rules
        )
    refused = [one for one in answers if one.refused]
    if not refused:
        told = ngettext("{count} post approved.", "{count} posts approved.", len(answers))
        return go(request, "/equipe/validation", told)
    return page(request, "approve/answers.html", status=409, answers=answers, refused=refused)


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdigit() and 1 <= int(number[:12]) <= LARGEST_ID


# --- One post ---------------------------------------------------------------------------------------------


@router.get("/validation/{post_id}")
def show(post_id: Id, request: Request, visit: Inside, session: ReadDb, hub: TheHub) -> Response:
    """The whole post with its previews, what changed since the last look, and the decision."""
    post = drafting.get_post(session, post_id, by=visit.actor)
    if post.state is not PostState.SUBMITTED:
        return go(request, f"/equipe/publications/{post_id}", _("This post does not wait for approval (any more)."))
    try:
        approving.require_approver(session, post, visit.actor)
    except NotAllowed as error:
        return page(request, "approve/not_yours.html", status=403, post_id=post_id, why=str(error))
    return _shown(request, session, post_id, visit, hub)


@router.post("/validation/{post_id}")
def decide(post_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Approve, with some destinations held if the approver says so; then on to the next one."""
    try:
        with writing(hub.engine) as session:
            made = approving.approve(
                session,
                post_id,
                by=visit.actor,
                at=now,
                terms=hub.terms,
                rules=hub.rules,
                seen=form["seen"],
                hold=_held(form),
            )
    except (Invalid, WrongState) as error:
        return _again(request, post_id, visit, hub, form, error, "approve")
    told = ngettext("Approved: {count} destination.", "Approved: {count} destinations.", len(made))
    return _onward(request, post_id, visit, hub, told)


@router.post("/validation/{post_id}/retour")
def give_back(post_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Return it to its author with a reason, picked or typed; then on to the next one."""
    try:
        with writing(hub.engine) as session:
            approving.give_back(session, post_id, by=visit.actor, at=now, reason=_reason(form))
    except (Invalid, WrongState) as error:
        return _again(request, post_id, visit, hub, form, error, "return")
    return _onward(request, post_id, visit, hub, _("Returned, with your reason. Its author is told."))


def _held(form: Form) -> dict[str, str]:
    """Destination → reason, of those that are ticked to wait; Invalid beside each that has none."""
    return {
        destination: required(
            form[f"why-{destination}"][:LONGEST_WORDS],
            f"why-{destination}",
            _("Say why this destination waits, so that the author knows."),
        )
        for destination in form.every("hold")
    }


def _reason(form: Form) -> str:
    picked = [_(PHRASES[int(number)]) for number in form.every("phrase") if number in _PHRASE_NUMBERS]
    return "\n".join([*picked, *([form["reason"]] if form["reason"] else [])])[:LONGEST_WORDS]


_PHRASE_NUMBERS: Final = frozenset(str(number) for number in range(len(PHRASES)))


def _onward(request: Request, post_id: int, visit: Visit, hub: Hub, told: str) -> Response:
    """To the next post of the queue; to the empty queue after the last."""
    with reading(hub.engine) as session:
        post = session.get(Post, post_id)
        following = queueing.place_of(session, post, by=visit.actor).after if post else None
    return go(request, f"/equipe/validation/{following}" if following else "/equipe/validation", told)


def _again(request: Request, post_id: int, visit: Visit, hub: Hub, form: Form, error: HubError, place: str) -> Response:
    """The page once more, as the post is now, with what is wrong and what was typed."""
    status = 422 if isinstance(error, Invalid) else 409
    with reading(hub.engine) as session:
        post = drafting.get_post(session, post_id, by=visit.actor)
        if post.state is not PostState.SUBMITTED:
            return go(request, f"/equipe/publications/{post_id}", str(error))
        return _shown(request, session, post_id, visit, hub, form=form.refused(error), place=place, status=status)


def _shown(
    request: Request,
    session: Session,
    post_id: int,
    visit: Visit,
    hub: Hub,
    *,
    form: Form = Form(),
    place: str = "",
    status: int = 200,
) -> Response:
    """The page; `place` is the form to which `form` belongs."""
    sight = looking.at_post(session, post_id, by=visit.actor, at=hub.now(), terms=hub.terms, rules=hub.rules)
    return page(
        request,
        "approve/show.html",
        status=status,
        sight=sight,
        cards=cards(sight.planned, hub.rules),
        where=queueing.place_of(session, sight.post, by=visit.actor),
        urgent=sight.post.first_due_at <= hub.now() + queueing.URGENT,
        zone=clock_of(session, visit),
        phrases=[_(one) for one in PHRASES],
        deciding=form if place == "approve" else Form(),
        returning=form if place == "return" else Form(),
        **words(),
    )
