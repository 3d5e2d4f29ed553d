"""My account: who I am here, when mails come, my password, where I am signed in, and my keys to the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlmodel import Session

from hub import passwords
from hub.database import reading, writing
from hub.domain.errors import Busy, Invalid, NotFound, NotSignedIn
from hub.domain.notice import Rhythm
from hub.domain.person import Scope, Token
from hub.language import _, ngettext
from hub.services import agreeing, geotargeting, joining, letters, notifying, proving, visiting
from hub.web import security
from hub.web.deps import Id, Now, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import go, page
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter(prefix="/moi")

HERE: Final = "/equipe/moi#main"
"""Its top, where what was done is said: browsers stay at the part of the page whose form was sent."""

LONGEST_PASSWORD: Final = 1000


@router.get("")
def show(request: Request, visit: Inside, hub: TheHub) -> Response:
    """My account, all on one page."""
    return _page(request, hub, visit)


def _page(
    request: Request,
    hub: Hub,
    visit: Visit,
    *,
    mails: Form | None = None,
    password: Form | None = None,
    status: int = 200,
) -> Response:
    now = hub.now()
    with reading(hub.engine) as session:
        person = joining.get_person(session, visit.actor.id)
        zone = visiting.home_zone(session, visit.actor)
        known: dict[str, Any] = {
            "person": person,
            "zone": zone,
            "roles": _roles(session, visit),
            "rhythms": _rhythms(agreeing.policies(session).daily_mail_hour, zone),
            "sessions": visiting.list_open(session, visit.actor.id, at=now),
            "tokens": [one for one in joining.list_tokens(session, visit.actor.id) if _opens_api(one, now)],
            "factor": proving.standing(session, visit.actor.id),
        }
    shown = mails or filled({"rhythm": person.mail_rhythm.value})
    return page(request, "me/me.html", status=status, mails=shown, password=password or Form(), **known)


def _roles(session: Session, visit: Visit) -> list[tuple[str, list[str]]]:
    """Each role with the names of its territories."""
    atlas = geotargeting.atlas(session, visit.actor.territories())
    held: dict[str, list[str]] = {}
    for role in visit.actor.roles:
        held.setdefault(_(joining.ROLE_NAMES[role.kind]), []).append(atlas.name(role.territory_code))
    return list(held.items())


def _rhythms(hour: int, zone: str) -> list[tuple[str, str]]:
    daily = _("Once a day, all in one mail, at {hour}:00 (time of {city})", hour=hour, city=letters.city(zone))
    return [
        (Rhythm.AT_ONCE.value, _("At once: within a minute, several things together in one mail")),
        (Rhythm.DAILY.value, daily),
        (Rhythm.NEVER.value, _("Never: I look at Relais myself")),
    ]


def _opens_api(token: Token, now: datetime) -> bool:
    """The link of the calendar is kept on the page of the calendar."""
    return token.scope is Scope.API and token.revoked_at is None and token.expires_at > now


# --- Mails ------------------------------------------------------------------------------------------------


@router.post("/messages")
def choose_rhythm(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Have mails at once, once a day, or never."""
    if form["rhythm"] not in set(Rhythm):
        error = Invalid(_("Choose when mails shall come."), field="rhythm")
        return _page(request, hub, visit, mails=form.refused(error), status=422)
    with writing(hub.engine) as session:
        notifying.choose_rhythm(session, Rhythm(form["rhythm"]), by=visit.actor, at=now)
    return go(request, HERE, _("Your choice about mails is kept."))


# --- Password ---------------------------------------------------------------------------------------------


@router.post("/mot-de-passe")
def change_password(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Change my password; the old one is asked for, and every other session ends."""
    try:
        # A session that somebody left open is no way to try passwords either.
        request.app.state.sign_ins.pass_through(request.client.host if request.client else "", now)
        _require_own(hub, visit, form, now)
        _require_new(visit, form)
        hashed = passwords.hashed(form.raw("password"))
        with writing(hub.engine) as session:
            cookie = visiting.change_password(session, visit.sign_in_id, password_hash=hashed, by=visit.actor, at=now)
    except (Invalid, Busy) as error:
        status = 429 if isinstance(error, Busy) else 422
        return _page(request, hub, visit, password=form.refused(error), status=status)
    answer = go(request, HERE, _("Your new password is kept. Your other sessions and your keys have ended."))
    security.set_session(answer, hub, cookie)
    return answer


def _require_own(hub: Hub, visit: Visit, form: Form, now: datetime) -> None:
    """Raise Invalid unless the old password was typed; wrong ones count as at the entrance."""
    old = form.raw("old_password")
    if not old:
        raise Invalid(_("Type the password that you have now."), field="old_password")
    try:
        if len(old) > LONGEST_PASSWORD:
            raise joining.refusal()
        joining.sign_in(hub.engine, visit.actor.email, old, at=now)
    except NotSignedIn as error:
        words = _("This is not your present password. After five wrong tries, wait for up to 15 minutes.")
        raise Invalid(words, field="old_password") from error


def _require_new(visit: Visit, form: Form) -> None:
    passwords.require_good(form.raw("password"), email=visit.actor.email, name=visit.actor.name)
    if form.raw("password") == form.raw("old_password"):
        raise Invalid(_("This is the password that you have already. Choose another one."), field="password")
    if form.raw("password") != form.raw("again"):
        raise Invalid(_("The two passwords differ. Type the same one twice."), field="again")


# --- Sessions and keys ------------------------------------------------------------------------------------


@router.post("/sessions/autres")
def leave_others(request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """End all of my sessions but this one."""
    with writing(hub.engine) as session:
        ended = visiting.leave_others(session, visit.sign_in_id, by=visit.actor, at=now)
    said = ngettext("{count} other session has ended.", "{count} other sessions have ended.", ended)
    return go(request, HERE, said if ended else _("There was no other session."))


@router.post("/sessions/{sign_in_id}/fin")
def leave(sign_in_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """End one of my sessions."""
    with writing(hub.engine) as session:
        visiting.leave(session, sign_in_id, by=visit.actor, at=now)
    return go(request, HERE, _("That session has ended."))


@router.post("/jetons/{token_id}/fin")
def revoke(token_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """End one of my keys to the API."""
    with writing(hub.engine) as session:
        if token_id not in {one.id for one in joining.list_tokens(session, visit.actor.id)}:
            # An administrator ends those of others on the page of that person, not here.
            raise NotFound(_("There is no token {ref}.", ref=token_id))
        joining.revoke_token(session, token_id, by=visit.actor, at=now)
    return go(request, HERE, _("That key has ended: nothing opens with it any more."))
