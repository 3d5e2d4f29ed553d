"""People: who works here, with which roles, how they come in; inviting, shutting out, helping who is locked out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.database import reading, writing
from hub.domain.errors import Invalid, WrongState
from hub.domain.person import Person, RoleKind
from hub.domain.sign_in import INVITATION_LASTS, RESET_LASTS, Purpose
from hub.language import _, ngettext
from hub.services import auditing, geotargeting, joining, proving, staffing, visiting
from hub.services.joining import ROLE_NAMES
from hub.services.staffing import ACCESS_NAMES, Access, Wanted
from hub.web.deps import Id, Now, ReadDb, TheHub, WriteDb
from hub.web.forms import Form, TypedForm, filled
from hub.web.links import link_of, send_link
from hub.web.pages import go, page, query
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

Words = Annotated[str, Query(alias="q", max_length=200)]


def _address(person_id: int) -> str:
    return f"/equipe/personnes/{person_id}"


# --- Who is here ------------------------------------------------------------------------------------------


@router.get("/personnes")
def people(
    request: Request,
    visit: Inside,
    session: ReadDb,
    now: Now,
    words: Words = "",
    kind: Annotated[str, Query(alias="role", max_length=20)] = "",
    access: Annotated[str, Query(alias="acces", max_length=20)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Everybody whom this administrator keeps or meets, by name."""
    wanted = Wanted(
        words,
        RoleKind(kind) if kind in set(RoleKind) else None,
        Access(access) if access in set(Access) else None,
    )
    found = staffing.members(session, wanted, by=visit.actor, at=now)
    start = (number - 1) * staffing.PAGE
    following = number + 1 if len(found) > start + staffing.PAGE else None
    chosen = {"q": words, "role": kind, "acces": access}
    return page(
        request,
        "people/people.html",
        members=found[start : start + staffing.PAGE],
        count=len(found),
        asked=any(chosen.values()),
        form=filled(chosen),
        kinds=[("", _("Any role")), *_kinds()],
        states=[("", _("Anybody")), *((one.value, _(name)) for one, name in ACCESS_NAMES.items())],
        land=geotargeting.atlas(session),
        role_names=ROLE_NAMES,
        access_names=ACCESS_NAMES,
        older=f"/equipe/personnes{query(**chosen, page=following)}" if following else None,
    )


def _kinds() -> list[tuple[str, str]]:
    return [(kind.value, _(name)) for kind, name in ROLE_NAMES.items()]


# --- Inviting ---------------------------------------------------------------------------------------------


@router.get("/personnes/nouvelle")
def invitation(request: Request, visit: Inside, hub: TheHub) -> Response:
    """Whom to invite, and for what."""
    return _invitation_page(request, visit, hub, filled({"role": RoleKind.ANIMATOR.value}))


def _invitation_page(request: Request, visit: Visit, hub: Hub, form: Form, *, status: int = 200) -> Response:
    with reading(hub.engine) as session:
        joining.require_people_keeper(visit.actor, geotargeting.atlas(session), [])
        groups = staffing.territories_to_give(session, by=visit.actor)
    return page(request, "people/invite.html", status=status, form=form, kinds=_kinds(), groups=groups)


@router.post("/personnes/nouvelle")
def invite(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Add the person with a first role, mail them their link, and show it once."""
    try:
        kind = _kind(form)
        with writing(hub.engine) as session:
            person, plain = staffing.invite(
                session,
                email=form["email"],
                name=form["name"],
                kind=kind,
                territory_code=form["territory"],
                by=visit.actor,
                at=now,
            )
    except Invalid as error:
        return _invitation_page(request, visit, hub, form.refused(error), status=422)
    return _link_page(request, hub, person, Purpose.INVITATION, plain)


def _kind(form: Form) -> RoleKind:
    if form["role"] not in set(RoleKind):
        raise Invalid(_("Choose the role."), field="role")
    return RoleKind(form["role"])


def _link_page(request: Request, hub: Hub, person: Person, purpose: Purpose, plain: str) -> Response:
    """The link, shown this once, so that it also reaches its owner where no mail does."""
    now = hub.now()
    mailed = send_link(hub, person, purpose, plain, at=now)
    lasts = INVITATION_LASTS if purpose is Purpose.INVITATION else RESET_LASTS
    return page(
        request,
        "people/link.html",
        person=person,
        purpose=purpose,
        link=link_of(hub, plain),
        mailed=mailed,
        until=now + lasts,
    )


# --- One person -------------------------------------------------------------------------------------------


@router.get("/personnes/{person_id}")
def person(person_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """One person, and what can be done for them."""
    return _person_page(request, visit, hub, person_id, Form())


def _person_page(
    request: Request, visit: Visit, hub: Hub, person_id: int, form: Form, *, status: int = 200
) -> Response:
    with reading(hub.engine) as session:
        member = staffing.get_member(session, person_id, by=visit.actor, at=hub.now())
        return page(
            request,
            "people/person.html",
            status=status,
            form=form,
            member=member,
            mine=person_id == visit.actor.id,
            keeps=staffing.keeps(session, member, by=visit.actor),
            sessions=visiting.list_open(session, person_id, at=hub.now()),
            kinds=_kinds(),
            groups=staffing.territories_to_give(session, by=visit.actor),
            land=geotargeting.atlas(session),
            role_names=ROLE_NAMES,
            access_names=ACCESS_NAMES,
            reads_audit=auditing.can_read(visit.actor),
        )


@router.post("/personnes/{person_id}/roles")
def give_role(person_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Let them hold one more role; their sessions end, for the next one to begin with it."""
    try:
        kind = _kind(form)
        with writing(hub.engine) as session:
            staffing.get_member(session, person_id, by=visit.actor, at=now)
            staffing.give_role(session, person_id, kind, form["territory"], by=visit.actor, at=now)
    except Invalid as error:
        return _person_page(request, visit, hub, person_id, form.refused(error), status=422)
    return go(request, _address(person_id), _("The role is given. It holds from the next sign-in."))


@router.post("/personnes/{person_id}/roles/retrait")
def take_role(person_id: Id, request: Request, visit: Inside, session: WriteDb, now: Now, form: TypedForm) -> Response:
    """Take a role away; their sessions end at once."""
    staffing.get_member(session, person_id, by=visit.actor, at=now)
    joining.take_role(session, person_id, _kind(form), form["territory"], by=visit.actor, at=now)
    return go(request, _address(person_id), _("The role is taken away, and their sessions have ended."))


@router.post("/personnes/{person_id}/lien")
def make_link(person_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """A new link to choose a password: the invitation again, or a reset for who has one already."""
    with writing(hub.engine) as session:
        member = staffing.get_member(session, person_id, by=visit.actor, at=now)
        purpose = Purpose.INVITATION if member.person.password_hash is None else Purpose.RESET
        plain = visiting.make_ticket(session, person_id, purpose, by=visit.actor, at=now)
    return _link_page(request, hub, member.person, purpose, plain)


@router.post("/personnes/{person_id}/sessions")
def end_sessions(person_id: Id, request: Request, visit: Inside, session: WriteDb, now: Now) -> Response:
    """End all their sessions."""
    staffing.get_member(session, person_id, by=visit.actor, at=now)
    count = staffing.end_sessions(session, person_id, by=visit.actor, at=now)
    said = ngettext("{count} session has ended.", "{count} sessions have ended.", count)
    return go(request, _address(person_id), said)


@router.post("/personnes/{person_id}/acces")
def switch(person_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Shut somebody out, or let them in again."""
    back = form["wish"] == "open"
    try:
        with writing(hub.engine) as session:
            staffing.get_member(session, person_id, by=visit.actor, at=now)
            change = joining.enable if back else staffing.shut_out
            change(session, person_id, by=visit.actor, at=now)
    except WrongState as error:
        return _person_page(request, visit, hub, person_id, form.refused(error), status=409)
    said = _("They may sign in again.") if back else _("They are shut out: sessions and tokens have ended.")
    return go(request, _address(person_id), said)


@router.post("/personnes/{person_id}/second-facteur")
def reset_factor(person_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Take a lost second factor away."""
    try:
        with writing(hub.engine) as session:
            staffing.get_member(session, person_id, by=visit.actor, at=now)
            proving.reset(session, person_id, by=visit.actor, at=now)
    except WrongState as error:
        return _person_page(request, visit, hub, person_id, form.refused(error), status=409)
    return go(request, _address(person_id), _("The second factor is taken away, and their sessions have ended."))
