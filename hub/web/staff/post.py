"""Posts: the list, the page of one with its whole story, and what may be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain import post as posts
from hub.domain.delivery import STATE_NAMES as DELIVERY_STATES
from hub.domain.delivery import Action
from hub.domain.errors import HubError, Invalid, WrongState
from hub.domain.person import WRITERS
from hub.domain.post import Kind, PostState, Progress
from hub.domain.territory import Atlas, Level
from hub.language import N_, _, ngettext
from hub.services import (
    agreeing,
    approving,
    choosing,
    curving,
    drafting,
    geotargeting,
    listing,
    looking,
    recounting,
    resolving,
    telling,
)
from hub.services.listing import Wanted
from hub.services.looking import Line, Sight
from hub.web import charts, nearby
from hub.web.deps import LARGEST_ID, Id, Now, ReadDb, TheHub
from hub.web.forms import Form, TypedForm
from hub.web.pages import go, page, wall
from hub.web.staff.preview import cards
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

PAGE: Final = 40
"""Posts on one page of the list."""

MOST_NAMES: Final = 3
"""Territories that a line names; of the others it says how many there are."""

STATE_TONES: Final = {
    PostState.DRAFT: "quiet",
    PostState.SUBMITTED: "info",
    PostState.RETURNED: "warn",
    PostState.APPROVED: "ok",
    PostState.EXPIRED: "bad",
    PostState.WITHDRAWN: "quiet",
    PostState.ARCHIVED: "quiet",
}

PROGRESS_TONES: Final = {
    Progress.PUBLISHED: "ok",
    Progress.SCHEDULED: "info",
    Progress.PARTLY_PUBLISHED: "warn",
    Progress.FAILED: "bad",
}

LONGEST_WORDS: Final = 2000

ACTION_NAMES: Final = {
    Action.FOUND: N_("I found it on the network"),
    Action.SEND: N_("Send it again"),
    Action.GIVE_UP: N_("Give it up"),
    Action.REMOVE: N_("Take it down"),
}

ACTION_HINTS: Final = {
    Action.FOUND: N_("It is there already: give its address, so that its figures are read and nobody posts it twice."),
    Action.SEND: N_("Look on the page first: if it is there already, people would see it twice."),
    Action.GIVE_UP: N_("It will not go out here any more. The other destinations are not touched."),
    Action.REMOVE: N_("It disappears from the network within a minute. Who shared it keeps their own words."),
}

ACTION_DONE: Final = {
    Action.FOUND: N_("Kept: it is published, and its figures will be read."),
    Action.SEND: N_("It goes out again within a minute."),
    Action.GIVE_UP: N_("Given up: it will not go out there."),
    Action.REMOVE: N_("It will be taken down within a minute; the story below tells when it is done."),
}


# --- The list ---------------------------------------------------------------------------------------------


@router.get("/publications")
def show_list(
    request: Request,
    visit: Inside,
    session: ReadDb,
    text: Annotated[str, Query(alias="texte", max_length=100)] = "",
    state: Annotated[str, Query(alias="etat", max_length=20)] = "",
    kind: Annotated[str, Query(alias="genre", max_length=20)] = "",
    territory: Annotated[str, Query(alias="territoire", max_length=8)] = "",
    mine: Annotated[str, Query(alias="moi", max_length=1)] = "",
    before: Annotated[int | None, Query(alias="avant", ge=1, le=LARGEST_ID)] = None,
) -> Response:
    """The posts that one may see, newest first, narrowed by what is asked for."""
    land = geotargeting.atlas(session, [territory] if territory else [])
    wanted = Wanted(
        states=[PostState(state)] if state in set(PostState) else (),
        kind=Kind(kind) if kind in set(Kind) else None,
        territory=territory if territory in land else None,
        author_id=visit.actor.id if mine else None,
        text=text,
    )
    found = listing.list_posts(session, wanted, by=visit.actor, limit=PAGE + 1, before=before)
    shown = found[:PAGE]
    asked = {"texte": text, "etat": state, "genre": kind, "territoire": territory, "moi": mine}
    return page(
        request,
        "post/list.html",
        lines=[_line(one) for one in looking.lines(session, shown, land)],
        asked=Form(tuple(asked.items())),
        narrowed=any(asked.values()),
        onward=asked | {"avant": shown[-1].id} if len(found) > PAGE else None,
        later=before is not None,
        writes=bool(visit.actor.territories(WRITERS)),
        states=[(one.value, _(posts.STATE_NAMES[one])) for one in PostState],
        kinds=[(one.value, _(posts.KIND_NAMES[one])) for one in Kind],
        territories=choices(land, territory),
        **words(),
    )


def _line(one: Line) -> dict[str, Any]:
    """A post in the list, in words: worked out here, since a template is slow at it and there are forty."""
    name, tone = (
        (posts.PROGRESS_NAMES[one.progress], PROGRESS_TONES[one.progress])
        if one.progress
        else (posts.STATE_NAMES[one.post.state], STATE_TONES[one.post.state])
    )
    return {
        "id": one.post.id,
        "title": one.title,
        "state": _(name),
        "tone": tone,
        "kind": _(posts.KIND_NAMES[one.post.kind]),
        "when": wall(one.post.wall_time, form="EEE d MMM y, HH:mm"),
        "where": _short(one.audience),
        "author": one.author,
    }


def _short(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    more = len(names) - MOST_NAMES
    told = ", ".join(names[:MOST_NAMES])
    return told if more <= 0 else f"{told} {ngettext('and {count} more', 'and {count} more', more)}"


def choices(land: Atlas, chosen: str = "") -> list[tuple[str, str]]:
    """The territories that a list is narrowed to: académies and overseas services, and one that was asked for."""
    told = [(one.name, code) for code, one in land.nodes.items() if one.level is Level.ACADEMIE]
    known = {code for _name, code in told}
    extra = [(chosen, land.name(chosen))] if chosen in land and chosen not in known else []
    return [*extra, *((code, name) for name, code in sorted(told))]


def words() -> dict[str, Any]:
    """How the things of these pages are called."""
    return {
        "STATE_NAMES": posts.STATE_NAMES,
        "STATE_TONES": STATE_TONES,
        "PROGRESS_NAMES": posts.PROGRESS_NAMES,
        "PROGRESS_TONES": PROGRESS_TONES,
        "KIND_NAMES": posts.KIND_NAMES,
        "DELIVERY_STATES": DELIVERY_STATES,
        "zone_name": choosing.zone_name,
    }


# --- One post ---------------------------------------------------------------------------------------------


@router.get("/publications/{post_id}")
def show(post_id: Id, request: Request, visit: Inside, session: ReadDb, hub: TheHub) -> Response:
    """What it says, where it goes, what became of it, and what may be done now."""
    return _shown(request, session, post_id, visit, hub)


@router.get("/publications/{post_id}/images/{position}")
def picture(post_id: Id, position: Annotated[int, Path(ge=0, le=9)], visit: Inside, session: ReadDb) -> Response:
    """A picture of a post, for those who see the post."""
    media = looking.get_picture(session, post_id, position, by=visit.actor)
    return Response(media.data, media_type=media.mime, headers={"Cache-Control": "private, max-age=3600"})


@router.post("/publications/{post_id}/soumettre")
def submit(post_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Hand it in for approval; repeats are asked about."""
    try:
        with writing(hub.engine) as session:
            post = drafting.submit(
                session,
                post_id,
                by=visit.actor,
                at=now,
                terms=hub.terms,
                rules=hub.rules,
                confirm_repeats="confirm" in form,
            )
            advice = agreeing.advice_at(session, post.first_due_at, at=now)
    except (Invalid, WrongState) as error:
        return _again(request, post_id, visit, hub, form.refused(error), error, "submit")
    said = _("Handed in. You are told as soon as a coordinator has looked at it.")
    return go(request, _address(post_id), f"{said} {advice}".strip())


@router.post("/publications/{post_id}/retirer")
def withdraw(post_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Take the post back."""
    try:
        reason = required(form["reason"], "reason", _("Say why, so that the others understand."))
        with writing(hub.engine) as session:
            drafting.withdraw(session, post_id, by=visit.actor, at=now, reason=reason[:LONGEST_WORDS])
    except (Invalid, WrongState) as error:
        return _again(request, post_id, visit, hub, form.refused(error), error, "withdraw")
    return go(request, _address(post_id), _("Withdrawn: what had not gone out yet will not."))


@router.post("/publications/{post_id}/liberer")
def release(post_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Let held destinations of an approved post go out."""
    try:
        named = required(form.every("release"), "release", _("Tick the destinations that shall go out."))
        with writing(hub.engine) as session:
            made = approving.approve(
                session,
                post_id,
                by=visit.actor,
                at=now,
                terms=hub.terms,
                rules=hub.rules,
                seen=form["seen"],
                release=named,
            )
    except (Invalid, WrongState) as error:
        return _again(request, post_id, visit, hub, form.refused(error), error, "release")
    told = ngettext("{count} destination goes out now.", "{count} destinations go out now.", len(made))
    return go(request, _address(post_id), told)


@router.post("/diffusions/{delivery_id}/decider")
def decide(delivery_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Carry out what a person decides about one delivery."""
    with reading(hub.engine) as session:
        post_id = resolving.get_delivery(session, delivery_id, by=visit.actor).post_id
    try:
        action = _action(form["action"])
        with writing(hub.engine) as session:
            resolving.resolve(
                session,
                delivery_id,
                action,
                by=visit.actor,
                at=now,
                patience=hub.patience,
                remote_id=form["remote_id"][:500],
                reason=form["reason"][:LONGEST_WORDS],
            )
    except (Invalid, WrongState) as error:
        names = {name: f"{name}-{delivery_id}" for name in ("action", "remote_id", "reason")}
        return _again(request, post_id, visit, hub, form.refused(error, names=names), error, f"delivery-{delivery_id}")
    return go(request, f"{_address(post_id)}#diffusion-{delivery_id}", _(ACTION_DONE[action]))


def _action(typed: str) -> Action:
    if typed not in set(Action):
        raise Invalid(_("Choose what shall be done."), field="action")
    return Action(typed)


Value = TypeVar("Value", str, list[str])


def required(value: Value, field: str, sentence: str) -> Value:
    """What was typed; Invalid with this sentence where nothing was."""
    if not value:
        raise Invalid(sentence, field=field)
    return value


def _address(post_id: int) -> str:
    return f"/equipe/publications/{post_id}"


def _again(request: Request, post_id: int, visit: Visit, hub: Hub, form: Form, error: HubError, place: str) -> Response:
    """The page once more with what is wrong, beside the form that was sent."""
    status = 422 if isinstance(error, Invalid) else 409
    with reading(hub.engine) as session:
        return _shown(request, session, post_id, visit, hub, form=form, place=place, status=status)


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
    at = hub.now()
    sight = looking.at_post(session, post_id, by=visit.actor, at=at, terms=hub.terms, rules=hub.rules)
    names = {one.delivery.id or 0: one.name for one in sight.deliveries}
    entries = telling.entries_of(session, sight.post, names)
    return page(
        request,
        "post/show.html",
        status=status,
        sight=sight,
        next_step=next_step(sight),
        cards=cards(sight.planned, hub.rules) if sight.post.state in looking.UNDECIDED else [],
        reach=nearby.of_post(session, post_id, names, by=visit.actor, at=at),
        patterns=charts.patterns,
        story=telling.story(session, sight.post, counted=curving.wholly(session, post_id, by=visit.actor)),
        deeds=recounting.deeds(session, entries),
        writes=bool(visit.actor.territories(WRITERS)),
        zone=clock_of(session, visit),
        forms={place: form},
        blank=Form(),
        ACTION_NAMES=ACTION_NAMES,
        ACTION_HINTS=ACTION_HINTS,
        **words(),
    )


def clock_of(session: Session, visit: Visit) -> str:
    """The zone in which this person reads moments: that of where they work."""
    land = geotargeting.atlas(session, visit.actor.territories())
    home = choosing.home(visit.actor)
    return land.zone(home) if home in land else choosing.HOME_ZONE


def next_step(sight: Sight) -> str:
    """What happens next, or what somebody should do, in one sentence."""
    match sight.post.state:
        case PostState.DRAFT:
            return _("A draft: nobody has been asked yet. Hand it in when it is ready.")
        case PostState.SUBMITTED:
            return _("It waits for a coordinator. Without their yes it does not go out.")
        case PostState.RETURNED:
            return _("It came back with a reason: mend it, then hand it in again.")
        case PostState.EXPIRED:
            return _("Nobody approved it in time, so it did not go out. Give it another date, or copy it.")
        case PostState.WITHDRAWN:
            return _("It was taken back. Copy it to begin anew.")
        case PostState.ARCHIVED:
            return _("It is put away; its figures stay in the report.")
        case _:
            return _of_deliveries(sight)


def _of_deliveries(sight: Sight) -> str:
    waiting: Sequence[looking.Sent] = [one for one in sight.deliveries if one.actions and _open(one)]
    if waiting:
        return ngettext(
            "One destination waits for your decision below.",
            "{count} destinations wait for your decision below.",
            len(waiting),
        )
    return {
        posts.Progress.SCHEDULED: _("Approved: it goes out by itself at its time."),
        posts.Progress.PUBLISHED: _("Published everywhere. Figures come in over the next 28 days."),
        posts.Progress.PARTLY_PUBLISHED: _("Part of it is out; the destinations below tell the rest."),
        posts.Progress.FAILED: _("It did not go out. The destinations below tell why and what can be done."),
        None: _("All its destinations are held for now."),
    }[sight.progress]


def _open(one: looking.Sent) -> bool:
    return one.actions != [Action.REMOVE]
