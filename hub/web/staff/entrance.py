"""The entrance: signing in and out, a forgotten password, and the link by which somebody chooses one."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response

from hub import passwords
from hub.database import reading, writing
from hub.domain.errors import HubError, Invalid, NotFound, NotSignedIn
from hub.domain.sign_in import Purpose
from hub.language import _
from hub.services import joining, visiting
from hub.services.visiting import Owed
from hub.web import security
from hub.web.arriving import Carried, carried_in, entrance_page
from hub.web.deps import Now, TheHub
from hub.web.forms import Form, TypedForm
from hub.web.links import send_link
from hub.web.pages import go, local, page
from hub.web.visits import AtTheDoor, Visit, at_the_door
from hub.wiring import Hub

router = APIRouter()

LONGEST_PASSWORD: Final = 1000

Plain = Annotated[str, Path(max_length=100)]
After = Annotated[str, Query(alias="suite", max_length=500)]


@router.get("/connexion")
def show(request: Request, hub: TheHub, now: Now, after: After = "") -> Response:
    """The sign-in page; whoever is signed in already goes straight on."""
    try:
        at_the_door(request, hub, now)
    except NotSignedIn:
        return entrance_page(request, after=after)
    return go(request, local(after))


@router.post("/connexion")
def sign_in(request: Request, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Check e-mail and password, open a session, go where the person wanted to go."""
    carried, after = carried_in(form), form["suite"]
    try:
        _count_knock(request, hub)
        _require_typed(form)
        actor = joining.sign_in(hub.engine, form["email"], form.raw("password"), at=now)
    except HubError as error:
        status = 422 if isinstance(error, Invalid) else 401
        return entrance_page(request, form=form.refused(error), carried=carried, after=after, status=status)
    with writing(hub.engine) as session:
        plain = visiting.enter(session, actor.id, device=security.device_of(request), at=now)
    answer = _onward(request, hub, plain, carried, after)
    security.set_session(answer, hub, plain)
    return answer


def _count_knock(request: Request, hub: Hub) -> None:
    request.app.state.sign_ins.pass_through(request.client.host if request.client else "", hub.now())


def _require_typed(form: Form) -> None:
    if not form["email"] or not form.raw("password"):
        raise Invalid(_("Type your e-mail address and your password."), field="email")
    if len(form["email"]) > 254 or len(form.raw("password")) > LONGEST_PASSWORD:
        raise joining.refusal()


def _onward(request: Request, hub: Hub, plain: str, carried: Carried, after: str) -> Response:
    """To the page asked for; with a form carried along, to a page that sends it on."""
    if not carried:
        return go(request, local(after))
    with reading(hub.engine) as session:
        entered = visiting.entered(session, plain, at=hub.now())
    request.state.visit = Visit(entered.actor, entered.sign_in_id, entered.owed)
    if entered.owed is Owed.CODE:
        return page(
            request, "factor/code.html", form=Form(), carried=carried, after=local(after), key=plain, visit=None
        )
    return page(request, "entrance/go_on.html", carried=carried, key=plain)


@router.post("/deconnexion")
def sign_out(request: Request, visit: AtTheDoor, hub: TheHub, now: Now) -> Response:
    """End this session."""
    with writing(hub.engine) as session:
        visiting.leave(session, visit.sign_in_id, by=visit.actor, at=now)
    answer = go(request, "/equipe/connexion", _("You are signed out."))
    security.drop_cookie(answer, hub, security.SESSION)
    return answer


# --- Forgotten passwords, invitations -------------------------------------------------------------------


@router.get("/mot-de-passe")
def forgotten(request: Request) -> Response:
    """Ask for the address to send a link to."""
    return page(request, "entrance/forgotten.html", form=Form(), sent=False)


@router.post("/mot-de-passe")
def send_reset(request: Request, hub: TheHub, now: Now, form: TypedForm, later: BackgroundTasks) -> Response:
    """Send a link if the address is known; the page says and takes the same either way."""
    try:
        _count_knock(request, hub)
        if "@" not in form["email"] or len(form["email"]) > 254:
            raise Invalid(_("Type your e-mail address, such as name@example.org."), field="email")
    except HubError as error:
        return page(request, "entrance/forgotten.html", status=422, form=form.refused(error), sent=False)
    later.add_task(_send_reset, hub, form["email"])
    return page(request, "entrance/forgotten.html", form=form, sent=True)


def _send_reset(hub: Hub, email: str) -> None:
    """After the answer, so that its time tells nothing about who is known here."""
    with writing(hub.engine) as session:
        made = visiting.ask_reset(session, email, at=hub.now())
    if made is not None:
        person, plain = made
        send_link(hub, person, Purpose.RESET, plain, at=hub.now())


@router.get("/bienvenue/{plain}")
def choose(plain: Plain, request: Request, hub: TheHub, now: Now) -> Response:
    """Choose a password, by a single-use link."""
    try:
        with reading(hub.engine) as session:
            ticket, person = visiting.ticket_of(session, plain, at=now)
    except NotFound as error:
        return _sorry(request, error)
    return page(request, "entrance/choose.html", form=Form(), person=person, purpose=ticket.purpose)


@router.post("/bienvenue/{plain}")
def keep_password(plain: Plain, request: Request, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Keep the password chosen, and let its owner in."""
    _count_knock(request, hub)
    try:
        with reading(hub.engine) as session:
            ticket, person = visiting.ticket_of(session, plain, at=now)
        purpose = ticket.purpose
    except NotFound as error:
        return _sorry(request, error)
    try:
        _require_chosen(form, email=person.email, name=person.name)
        hashed = passwords.hashed(form.raw("password"))
        with writing(hub.engine) as session:
            person_id = visiting.use_ticket(session, plain, password_hash=hashed, at=now)
            cookie = visiting.enter(session, person_id, device=security.device_of(request), at=now)
    except NotFound as error:
        return _sorry(request, error)
    except HubError as error:
        told = form.refused(error)
        return page(request, "entrance/choose.html", status=422, form=told, person=person, purpose=purpose)
    answer = go(request, "/equipe", _("Your password is kept. Welcome."))
    security.set_session(answer, hub, cookie)
    return answer


def _require_chosen(form: Form, *, email: str, name: str) -> None:
    passwords.require_good(form.raw("password"), email=email, name=name)
    if form.raw("password") != form.raw("again"):
        raise Invalid(_("The two passwords differ. Type the same one twice."), field="again")


def _sorry(request: Request, error: NotFound) -> Response:
    title = _("This link is no longer good")
    return page(request, "error.html", status=404, title=title, detail=str(error), code=404)
