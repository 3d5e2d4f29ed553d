"""The calendar page: a month or a week, filtered; moving a post; the private link for one's own calendar program."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request, Response
from sqlmodel import Session

from hub.database import reading, writing
from hub.domain.clock import Fold
from hub.domain.errors import FieldProblem, Invalid, NotFound, NotSignedIn, WrongState
from hub.domain.person import Actor, Scope
from hub.domain.post import Post
from hub.domain.territory import COUNTRY, Level
from hub.language import _
from hub.services import calendaring, choosing, connecting, drafting, geotargeting, joining, rescheduling, subscribing
from hub.services.calendaring import STANDING_NAMES, Wanted
from hub.services.showing import title
from hub.web.deps import LARGEST_ID, Id, Now, ReadDb, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import HOME, go, local, page, wall
from hub.web.staff import calendar_grid as grid
from hub.web.staff.calendar_grid import STATES, View
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter(prefix="/calendrier")

HERE: Final = "/equipe/calendrier"
HOME_ZONE: Final = ZoneInfo(HOME)

Plain = Annotated[str, Path(max_length=100)]


@router.get("")
def show(
    request: Request,
    visit: Inside,
    session: ReadDb,
    hub: TheHub,
    now: Now,
    view: Annotated[View, Query(alias="vue")] = View.MONTH,
    on: Annotated[date | None, Query(alias="le")] = None,
    territory: Annotated[str, Query(alias="territoire", max_length=8)] = "",
    account: Annotated[str, Query(alias="compte", max_length=10, pattern=r"^[0-9]*$")] = "",
    state: Annotated[str, Query(alias="etat", max_length=20)] = "",
) -> Response:
    """A month or a week of what goes out."""
    today = now.astimezone(HOME_ZONE).date()
    span = grid.span(view, on or today)
    asked = Wanted(
        span.first,
        span.last,
        territory or None,
        min(int(account), LARGEST_ID) if account else None,
        frozenset({STATES[state]}) if state in STATES else calendaring.USUAL,
    )
    found = calendaring.entries(session, asked, by=visit.actor, at=now, terms=hub.terms, rules=hub.rules)
    days = calendaring.by_day(found.entries)
    several = {slot.post.id: slot.post for some in days.values() for slot in some}
    movable = rescheduling.movable(session, list(several.values()), by=visit.actor)
    land = geotargeting.atlas(session, {code for some in days.values() for slot in some for code in slot.codes})
    weeks = grid.cells(span, days, today=today, movable=movable, land=land)
    chosen = {"territoire": territory, "compte": account, "etat": state}
    return page(
        request,
        f"calendar/{'week' if view is View.WEEK else 'month'}.html",
        span=span,
        weeks=weeks,
        hours=grid.hours(weeks[0]) if view is View.WEEK else [],
        today=today,
        landmark=grid.landmark(weeks, today),
        on=on or today,
        count=len(several),
        states={one.value: _(name) for one, name in STANDING_NAMES.items() if one in calendaring.USUAL},
        cut=found.cut,
        chosen=chosen,
        form=filled(chosen),
        choices=_choices(session, visit.actor),
        here=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
        link=subscribing.find_link(session, by=visit.actor, at=now),
    )


def _choices(session: Session, by: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: only what is this person's."""
    accounts = connecting.list_accounts(session, by=by)
    return {
        "territoire": [("", _("All my territories")), *_territories(session, by)],
        "compte": [("", _("All accounts")), *((str(one.id), one.name) for one in accounts)],
        "etat": [("", _("All states")), *((word, _(STANDING_NAMES[standing])) for word, standing in STATES.items())],
    }


def _territories(session: Session, by: Actor) -> list[tuple[str, str]]:
    """The académies of this person; for somebody of one académie, its départements too."""
    land = geotargeting.atlas(session, by.territories())
    own = [code for code in by.territories() if code in land]
    codes = {COUNTRY} if COUNTRY in own else set()
    academies = land.academies_of(own)
    codes |= set(academies)
    if len(academies) == 1:
        codes |= {code for code in land.children(academies[0]) if land.nodes[code].level is Level.DEPARTEMENT}
    order = {Level.COUNTRY: 0, Level.ACADEMIE: 1}
    named = sorted((order.get(land.nodes[code].level, 2), land.name(code), code) for code in codes)
    return [(code, name) for _rank, name, code in named]


# --- Moving ---------------------------------------------------------------------------------------------


@router.get("/deplacer/{post_id}")
def ask_move(
    post_id: Id, request: Request, visit: Inside, session: ReadDb, back: Annotated[str, Query(alias="retour")] = ""
) -> Response:
    """Ask for the new time."""
    post = drafting.get_post(session, post_id, by=visit.actor)
    day, hour = post.wall_time[:10], post.wall_time[11:16]
    form = filled({"date": day, "time": hour, "version": str(post.version), "retour": local(back, HERE)})
    return _move_page(request, session, post, form, visit)


@router.post("/deplacer/{post_id}")
def move(post_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Move the post, and hand it in again if that was asked for."""
    try:
        with writing(hub.engine) as session:
            post = _moved(session, post_id, form, hub, by=visit.actor, at=now)
            wall_time, said = post.wall_time, _said(form)
    except (Invalid, WrongState) as error:
        with reading(hub.engine) as session:
            post = drafting.get_post(session, post_id, by=visit.actor)
            told = form.refused(error, names={"when": "date", "useless_after": "date"})
            told = told.with_values(version=str(post.version), retour=local(form["retour"], HERE))
            return _move_page(request, session, post, told, visit, status=409 if isinstance(error, WrongState) else 422)
    return go(request, local(form["retour"], HERE), said.format(when=wall(wall_time)))


def _said(form: Form) -> str:
    if "submit" in form:
        return _("The post goes out on {when}, once a coordinator has approved it.")
    return _("The post goes out on {when}, once it is handed in and approved.")


def _moved(session: Session, post_id: int, form: Form, hub: Hub, *, by: Actor, at: datetime) -> Post:
    fold = Fold(form["fold"]) if form["fold"] in set(Fold) else None
    version = int(form["version"]) if form["version"].isdecimal() else 0
    post = rescheduling.move(session, post_id, _typed(form), fold=fold, version=version, by=by, at=at)
    if "submit" not in form:
        return post
    return drafting.submit(
        session,
        post_id,
        by=by,
        at=at,
        terms=hub.terms,
        rules=hub.rules,
        confirm_repeats="confirm" in form,
    )


def _typed(form: Form) -> datetime:
    """The wall time that was typed; Invalid beside its field."""
    problems = []
    try:
        day = date.fromisoformat(form["date"])
    except ValueError:
        problems.append(FieldProblem("date", _("Give the day.")))
    try:
        hour = datetime.strptime(form["time"][:5], "%H:%M").time()  # noqa: DTZ007 - a wall time has no zone
    except ValueError:
        problems.append(FieldProblem("time", _("Give the time of day, such as 18:00.")))
    if problems:
        raise Invalid(problems)
    return datetime.combine(day, hour)


def _move_page(
    request: Request, session: Session, post: Post, form: Form, visit: Visit, *, status: int = 200
) -> Response:
    movable = post.id in rescheduling.movable(session, [post], by=visit.actor)
    return page(
        request,
        "calendar/move.html",
        status=status,
        post=post,
        title=title(post.text),
        form=form,
        movable=movable,
        meaning=rescheduling.meaning(post),
        zone_told=choosing.zone_name(post.zone),
    )


# --- The private link -------------------------------------------------------------------------------------


@router.post("/lien")
def make_link(request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """Make a private link, and show it this once."""
    with writing(hub.engine) as session:
        plain = subscribing.make_link(session, by=visit.actor, at=now)
    address = f"{hub.settings.public_url.rstrip('/')}{HERE}/{plain}.ics"
    return page(request, "calendar/link.html", address=address, until=now + subscribing.LASTS)


@router.post("/lien/fin")
def end_link(request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """End the private link."""
    with writing(hub.engine) as session:
        subscribing.revoke_link(session, by=visit.actor, at=now)
    return go(request, HERE, _("The private link is ended: your calendar program finds nothing there any more."))


@router.get("/{plain}.ics")
def subscribe(plain: Plain, request: Request, hub: TheHub, now: Now) -> Response:
    """The calendar as a file, for whoever holds its private link."""
    request.app.state.calendar_reads.pass_through(request.client.host if request.client else "", now)
    try:
        actor = joining.actor_by_token(hub.engine, plain, at=now, scope=Scope.CALENDAR)
    except NotSignedIn as error:
        raise NotFound(_("There is no calendar at this address, or its link was ended.")) from error
    with reading(hub.engine) as session:
        told = subscribing.file_for(
            session,
            by=actor,
            at=now,
            terms=hub.terms,
            rules=hub.rules,
            address=hub.settings.public_url.rstrip("/"),
        )
    headers = {"Cache-Control": "private, max-age=900", "Content-Disposition": 'inline; filename="relais.ics"'}
    return Response(told, media_type="text/calendar; charset=utf-8", headers=headers)
