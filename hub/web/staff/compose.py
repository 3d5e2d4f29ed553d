"""Writing a post: one page, kept as typed, shown as each network will show it, saved, handed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel import Session

from hub import media
from hub.database import reading, writing
from hub.domain.errors import FieldProblem, HubError, Invalid, NotFound, WrongState
from hub.domain.person import Actor
from hub.domain.post import MAX_PICTURES, Media, Post
from hub.language import _
from hub.services import agreeing, comparing, drafting, proposing, sketching
from hub.services.drafting import Draft
from hub.web.deps import LARGEST_ID, Id, Now, ReadDb, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import clock, fragment, go, page
from hub.web.staff import draft_form, sheet, stepping
from hub.web.staff.sheet import Begun
from hub.web.visits import Inside
from hub.wiring import Hub

router = APIRouter()

PictureId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
SheetId = Annotated[str, Query(max_length=40)]
SAVING: Final = frozenset({"save", "submit"})


# --- Looking --------------------------------------------------------------------------------------------


@router.get("/publications/nouvelle")
def begin(
    request: Request,
    visit: Inside,
    session: ReadDb,
    hub: TheHub,
    now: Now,
    genre: Annotated[str, Query(max_length=20)] = "",
    comme: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    proposition: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    feuille: SheetId = "",
) -> Response:
    """A new post: empty, like an earlier one, about an open day that a source tells, or where somebody left off."""
    drafting.require_writer(visit.actor)
    if feuille:
        return _go_on(request, session, hub, feuille, by=visit.actor)
    begun = Begun(sketching.new_id())
    if proposition is not None:
        form = sheet.about(session, proposition, by=visit.actor, at=now)
    elif comme is None:
        form = sheet.fresh(session, by=visit.actor, at=now, kind=genre)
    else:
        form = sheet.like(session, drafting.get_post(session, comme, by=visit.actor), by=visit.actor, at=now)
    looked = comme is not None or proposition is not None
    return _page(request, session, hub, form, begun, by=visit.actor, looked=looked)


@router.get("/publications/{post_id}/modifier")
def edit(post_id: Id, request: Request, visit: Inside, session: ReadDb, hub: TheHub, feuille: SheetId = "") -> Response:
    """A post as it is, to be changed; or where somebody left off changing it."""
    drafting.require_writer(visit.actor)
    if feuille:
        return _go_on(request, session, hub, feuille, by=visit.actor)
    post = drafting.get_post(session, post_id, by=visit.actor)
    try:
        drafting.require_changeable(session, post, by=visit.actor)
    except WrongState as error:
        said = str(error) + " " + _("This is the copy.")
        return go(request, f"/equipe/publications/nouvelle?comme={post_id}", said)
    begun = Begun(sketching.new_id(), post, post.version)
    return _page(request, session, hub, sheet.of_post(session, post), begun, by=visit.actor, looked=True)


def _go_on(request: Request, session: Session, hub: Hub, sheet_id: str, *, by: Actor) -> Response:
    kept = sketching.get(session, sheet_id, by=by)
    post = drafting.get_post(session, kept.post_id, by=by) if kept.post_id else None
    form = filled([(name, text) for name, text in kept.fields])
    return _page(request, session, hub, form, Begun(kept.id, post, kept.version), by=by, looked=True)


def _page(
    request: Request,
    session: Session,
    hub: Hub,
    form: Form,
    begun: Begun,
    *,
    by: Actor,
    looked: bool,
    status: int = 200,
    **more: Any,
) -> Response:
    others = [one for one in sketching.list_mine(session, by=by) if one.id != begun.sheet_id]
    mine = [one for one in others if one.post_id == (begun.post.id if begun.post else None)]
    context = sheet.shown(session, hub, form, begun, by=by, looked=looked)
    left = [(one.id, stepping.title(one.fields), one.saved_at) for one in mine[:3]] if request.method == "GET" else []
    return page(request, "compose/page.html", status=status, **(context | {"left": left, "saved": False} | more))


# --- Typing ---------------------------------------------------------------------------------------------


@router.post("/publications/apercu")
def look(visit: Inside, session: ReadDb, hub: TheHub, form: TypedForm) -> Response:
    """What is typed right now, as each network will show it; pieces of the page for its module."""
    drafting.require_writer(visit.actor)
    begun = _begun(session, form, by=visit.actor)
    context = sheet.shown(session, hub, stepping.taken(form), begun, by=visit.actor, looked=True)
    return fragment("compose/answer.html", **context)


@router.post("/feuilles")
def keep(visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Keep what is typed right now, right or wrong."""
    with writing(hub.engine) as session:
        sketching.keep(
            session,
            form["sheet"],
            stepping.kept(form),
            by=visit.actor,
            at=now,
            post_id=_number(form["post"]),
            version=_number(form["version"]),
        )
    return JSONResponse({"at": clock(now)})


@router.post("/feuilles/{sheet_id}/oublier")
def forget(
    request: Request, sheet_id: Annotated[str, Path(max_length=40)], visit: Inside, hub: TheHub, form: TypedForm
) -> Response:
    """Throw an unfinished form away."""
    with writing(hub.engine) as session:
        sketching.discard(session, sheet_id, by=visit.actor)
    number = _number(form["post"])
    return go(request, f"/equipe/publications/{number}/modifier" if number else "/equipe/publications/nouvelle")


@router.post("/publications/images")
def upload(visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """A picture chosen on the page, cleaned and kept before anything else is sent."""
    # By the form, not as a parameter: that would be read before anybody asked who sends it.
    drafting.require_writer(visit.actor)
    file = next((one for name, one in form.files if name == "file"), None)
    if file is None:
        raise Invalid(_("Choose a picture."), field="file")
    cleaned = media.clean(file.file.read(media.MOST_BYTES + 1))
    with writing(hub.engine) as session:
        kept = media.keep(session, cleaned, at=now)
        return JSONResponse({"id": kept.id, "width": kept.width, "height": kept.height}, 201)


@router.get("/publications/images/{picture_id}")
def picture(picture_id: PictureId, visit: Inside, session: ReadDb) -> Response:
    """A picture that somebody uploaded; its address is the digest of its content, which only its holders know."""
    drafting.require_writer(visit.actor)
    found = session.get(Media, picture_id)
    if found is None:
        raise NotFound(_("This picture is not here any more. Upload it again."))
    kept = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(found.data, media_type=found.mime, headers=kept)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


# --- Sending --------------------------------------------------------------------------------------------


@router.post("/publications/nouvelle")
def send_new(request: Request, visit: Inside, hub: TheHub, form: TypedForm) -> Response:
    """Whatever button was pressed on the page of a new post."""
    return _sent(request, hub, form, by=visit.actor)


@router.post("/publications/{post_id}/modifier")
def send_changed(post_id: Id, request: Request, visit: Inside, hub: TheHub, form: TypedForm) -> Response:
    """Whatever button was pressed on the page of a post being changed."""
    return _sent(request, hub, form.with_values(post=str(post_id)), by=visit.actor)


def _begun(session: Session, form: Form, *, by: Actor) -> Begun:
    """What a form is about; one that has become a post meanwhile is about that post."""
    sheet_id = form["sheet"]
    number, version = _number(form["post"]), _number(form["version"])
    written = sketching.written_as(session, sheet_id, by=by) if sheet_id else None
    if written and number is None:
        number, version = written
    post = drafting.get_post(session, number, by=by) if number else None
    return Begun(sheet_id or sketching.new_id(), post, version)


def _sent(request: Request, hub: Hub, form: Form, *, by: Actor) -> Response:
    drafting.require_writer(by)
    with reading(hub.engine) as session:
        begun = _begun(session, form, by=by)
    form = _with_uploads(hub, form)
    form = draft_form.tidied(stepping.taken(form))
    if form["step"] not in SAVING:
        return _again(request, hub, form, begun, by=by)
    if form.problems:
        return _refused(request, hub, form, begun, by=by)
    try:
        typed = _understood(hub, form, begun, by=by)
        saved = _save(hub, typed, form, begun, by=by)
    except Invalid as error:
        return _refused(request, hub, _told(form, error), begun, by=by)
    except Overtaken as overtaken:
        return _conflict(request, hub, form, begun, overtaken.typed, by=by)
    except WrongState as error:
        # It has begun to go out: what was typed goes on as a copy.
        copy = Begun(sketching.new_id())
        return _again(request, hub, form.refused(error), copy, by=by, status=409)
    if saved.hindrance is not None:
        begun = Begun(begun.sheet_id, saved.post, saved.post.version)
        return _refused(request, hub, _told(form, saved.hindrance), begun, by=by, saved=True)
    said = (_("Handed in. A coordinator will approve it or return it to you.") + " " + saved.advice).strip()
    return go(
        request,
        f"/equipe/publications/{saved.post.id}",
        said if form["step"] == "submit" else _("The draft is saved. Hand it in when it is ready."),
    )


def _with_uploads(hub: Hub, form: Form) -> Form:
    """The form with the pictures that came along, cleaned and kept; what is wrong with one stands at its field."""
    try:
        return _uploaded(hub, form)
    finally:
        for _name, file in form.files:
            file.file.close()


def _uploaded(hub: Hub, form: Form) -> Form:
    rows = draft_form.pictures(form)
    free, place = MAX_PICTURES - len(rows), max(rows, default=-1) + 1
    for count, (_name, file) in enumerate(form.files):
        if count >= free:
            problem = FieldProblem("picture-file", _("A post takes {count} pictures at most.", count=MAX_PICTURES))
            form = form.refused(Invalid([problem]))
            break
        try:
            cleaned = media.clean(file.file.read(media.MOST_BYTES + 1))
        except HubError as error:
            sentence = f"{file.filename}{_(': ')}{error}"
            form = form.refused(Invalid(sentence, field="picture-file"))
            continue
        with writing(hub.engine) as session:
            kept = media.keep(session, cleaned, at=hub.now())
            form = replace(form, pairs=(*form.pairs, (f"picture-{place + count}-id", kept.id)))
    return replace(form, files=())


def _understood(hub: Hub, form: Form, begun: Begun, *, by: Actor) -> Draft:
    """The draft that was typed; Invalid with all that is wrong, so that nobody mends in rounds."""
    with reading(hub.engine) as session:
        chosen = sheet.chosen_now(session, form, by=by)
        try:
            return sheet.spoken_for(draft_form.read(form), chosen)
        except Invalid as error:
            also = sheet.also_wrong(session, hub, form, error, begun, chosen, by=by)
            raise Invalid([*error.problems, *also]) from error


@dataclass(frozen=True)
class Saved:
    """A post that was written, and what stood in the way of handing it in."""

    post: Post
    hindrance: Invalid | None = None
    advice: str = ""
    """What to say to somebody who hands in late."""


class Overtaken(WrongState):
    """Somebody else changed the post meanwhile."""

    def __init__(self, typed: Draft) -> None:
        self.typed = typed
        super().__init__(_("Somebody else changed this post while you were writing."))


def _save(hub: Hub, typed: Draft, form: Form, begun: Begun, *, by: Actor) -> Saved:
    """Write the post, forget its sheet, and hand it in where that was asked: kept together."""
    at = hub.now()
    with writing(hub.engine) as session:
        sketching.take_up(session, begun.sheet_id)
        if begun.post is None and (done := sketching.written_as(session, begun.sheet_id, by=by)):
            # The same form, sent twice at the same instant: the other one has just become that post.
            return Saved(drafting.get_post(session, done[0], by=by))
        post = _written(session, hub, typed, begun, by=by)
        sketching.finish(session, begun.sheet_id, post, by=by, at=at)
        if begun.post is None and (proposal := _number(form["proposal"])):
            proposing.take(session, proposal, post, by=by, at=at)
        if form["step"] != "submit":
            return Saved(post)
        assert post.id is not None
        try:
            drafting.submit(
                session,
                post.id,
                by=by,
                at=at,
                terms=hub.terms,
                rules=hub.rules,
                confirm_repeats="confirm-repeats" in form,
            )
        except Invalid as error:
            # What was typed is a draft from here on: nothing is lost, and the problems stand at their fields.
            return Saved(post, error)
        return Saved(post, advice=agreeing.advice_at(session, post.first_due_at, at=at))


def _written(session: Session, hub: Hub, typed: Draft, begun: Begun, *, by: Actor) -> Post:
    at = hub.now()
    if begun.post is None or begun.post.id is None:
        return drafting.draft(session, typed, by=by, at=at, terms=hub.terms, rules=hub.rules)
    post = drafting.get_post(session, begun.post.id, by=by, lock=True)
    if begun.version is not None and post.version != begun.version:
        raise Overtaken(typed)
    if not drafting.would_change(session, post, typed, by=by, at=at):
        return post  # nothing changed: an approval is not taken back for that
    return drafting.change(session, begun.post.id, typed, version=begun.version, by=by, at=at)


def _told(form: Form, error: Invalid) -> Form:
    """The form with every problem at its own field."""
    return form.refused(Invalid([draft_form.placed(one, form) for one in error.problems]))


# --- Coming back ----------------------------------------------------------------------------------------


def _again(request: Request, hub: Hub, form: Form, begun: Begun, *, by: Actor, **more: Any) -> Response:
    """The same page with what was typed; it is kept meanwhile, should somebody leave from here."""
    _keep(hub, form, begun, by=by)
    with reading(hub.engine) as session:
        return _page(request, session, hub, form, begun, by=by, looked=True, **more)


def _refused(request: Request, hub: Hub, form: Form, begun: Begun, *, by: Actor, saved: bool = False) -> Response:
    return _again(request, hub, form, begun, by=by, status=422, saved=saved, refused=form["step"])


def _keep(hub: Hub, form: Form, begun: Begun, *, by: Actor) -> None:
    post_id = begun.post.id if begun.post else None
    with writing(hub.engine) as session:
        sketching.keep(
            session,
            begun.sheet_id,
            stepping.kept(form),
            by=by,
            at=hub.now(),
            post_id=post_id,
            version=begun.version,
        )


def _conflict(request: Request, hub: Hub, form: Form, begun: Begun, typed: Draft, *, by: Actor) -> Response:
    """Both versions side by side; what was typed is kept and goes with the page."""
    _keep(hub, form, begun, by=by)
    assert begun.post is not None
    assert begun.post.id is not None
    with reading(hub.engine) as session:
        post = drafting.get_post(session, begun.post.id, by=by)
        theirs = drafting.typed_of(session, post)
        names = comparing.names_for(session, [theirs, typed])
        told: dict[str, Any] = {
            "form": form,
            "begun": Begun(begun.sheet_id, post, begun.version),
            "differences": comparing.differences(theirs, typed, names),
            "other": drafting.last_writer(session, post),
            "carried": [pair for pair in stepping.kept(form) if pair[0] != "version"],
        }
        return page(request, "compose/conflict.html", status=409, **told)
