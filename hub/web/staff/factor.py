"""The second factor: its challenge at the entrance, setting it up, recovery codes, another device."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from hub.database import reading, writing
from hub.domain.errors import Busy, HubError, Invalid, WrongState
from hub.language import _, ngettext
from hub.services import agreeing, proving, visiting
from hub.services.proving import Enrolment, Proof
from hub.services.visiting import Owed
from hub.web import security
from hub.web.arriving import Carried, carried_in
from hub.web.deps import Now, TheHub
from hub.web.forms import Form, TypedForm
from hub.web.pages import go, local, page, query
from hub.web.qr import picture
from hub.web.visits import AtTheDoor, SecondFactorOwed, Visit
from hub.wiring import Hub

router = APIRouter()

CODE = "/equipe/connexion/code"
OWN = "/equipe/moi/second-facteur"
DEVICE = f"{OWN}/appareil"

After = Annotated[str, Query(alias="suite", max_length=500)]


# --- At the entrance --------------------------------------------------------------------------------------


@router.get("/connexion/code")
def ask(request: Request, visit: AtTheDoor, after: After = "") -> Response:
    """Ask for a code, after the password."""
    if visit.owed is not Owed.CODE:
        return go(request, local(after))
    return _challenge(request, Form(), Carried(), local(after))


@router.post("/connexion/code")
def answer(request: Request, visit: AtTheDoor, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Check the code, and let its owner go where they wanted to go."""
    carried, after = carried_in(form), local(form["suite"])
    if visit.owed is not Owed.CODE:
        return _onward(request, visit, carried, after, key="")
    try:
        proof = proving.require_proof(hub.engine, hub.vault, form["code"], by=visit.actor, at=now)
    except (Invalid, Busy) as error:
        return _challenge(request, form.refused(error), carried, after, status=_status(error))
    with writing(hub.engine) as session:
        plain = visiting.let_in(session, visit.sign_in_id, by=visit.actor, at=now)
    answered = _onward(request, visit, carried, after, key=plain, said=_left(proof))
    security.set_session(answered, hub, plain)
    return answered


def _challenge(request: Request, form: Form, carried: Carried, after: str, *, status: int = 200) -> Response:
    return page(request, "factor/code.html", status=status, form=form, carried=carried, after=after, visit=None)


def _onward(
    request: Request, visit: Visit, carried: Carried, after: str, *, key: str, said: str | None = None
) -> Response:
    if not carried:
        return go(request, after, said or "")
    request.state.visit = Visit(visit.actor, visit.sign_in_id, Owed.NOTHING)
    told: dict[str, Any] = {"said": said} if said else {}
    return page(request, "entrance/go_on.html", carried=carried, key=key, **told)


def _left(proof: Proof) -> str | None:
    """What to say to somebody who came in by a recovery code."""
    if not proof.recovered:
        return None
    return ngettext(
        "You used a recovery code; {count} is left. If your device is lost, set up another one under your name.",
        "You used a recovery code; {count} are left. If your device is lost, set up another one under your name.",
        proof.codes_left,
    )


def _status(error: HubError) -> int:
    return 429 if isinstance(error, Busy) else 409 if isinstance(error, WrongState) else 422


def _without_menu(visit: Visit) -> dict[str, Any]:
    """Whoever still owes something is shown no menu: nothing of it would open."""
    return {} if visit.owed is Owed.NOTHING else {"visit": None}


# --- One's own --------------------------------------------------------------------------------------------


@router.get("/moi/second-facteur")
def own(request: Request, visit: AtTheDoor, hub: TheHub, after: After = "") -> Response:
    """How one's second factor is, and what to do with it."""
    _require_code_shown(visit)
    return _own_page(request, visit, hub, Form(), after=after)


def _require_code_shown(visit: Visit) -> None:
    if visit.owed is Owed.CODE:
        raise SecondFactorOwed(visit.owed)


def _own_page(request: Request, visit: Visit, hub: Hub, form: Form, *, after: str = "", status: int = 200) -> Response:
    with reading(hub.engine) as session:
        standing = proving.standing(session, visit.actor.id)
        required = proving.required_for(visit.actor, agreeing.policies(session))
        begun = proving.is_begun(session, visit.actor.id)
    return page(
        request,
        "factor/own.html",
        status=status,
        form=form,
        standing=standing,
        required=required,
        begun=begun,
        owed=visit.owed is Owed.SETUP,
        after=local(after, ""),
        **_without_menu(visit),
    )


@router.post("/moi/second-facteur/debut")
def begin(request: Request, visit: AtTheDoor, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Make a secret for the authenticator, then show it."""
    _require_code_shown(visit)
    vault = hub.vault
    with writing(hub.engine) as session:
        proving.begin(session, vault, by=visit.actor, at=now)
    return go(request, DEVICE + query(suite=local(form["suite"], "")))


@router.get("/moi/second-facteur/appareil")
def device(request: Request, visit: AtTheDoor, hub: TheHub, after: After = "") -> Response:
    """What the authenticator must be told."""
    _require_code_shown(visit)
    enrolment = _pending(visit, hub)
    if enrolment is None:
        return go(request, OWN)
    return _device_page(request, visit, enrolment, Form(), after=local(after, ""))


def _pending(visit: Visit, hub: Hub) -> Enrolment | None:
    vault = hub.vault
    with reading(hub.engine) as session:
        return proving.pending(session, vault, by=visit.actor)


def _device_page(
    request: Request, visit: Visit, enrolment: Enrolment, form: Form, *, after: str, status: int = 200
) -> Response:
    secret = enrolment.secret
    return page(
        request,
        "factor/device.html",
        status=status,
        form=form,
        qr=picture(enrolment.address),
        address=enrolment.address,
        secret=[secret[start : start + 4] for start in range(0, len(secret), 4)],
        after=after,
        **_without_menu(visit),
    )


@router.post("/moi/second-facteur/appareil")
def confirm(request: Request, visit: AtTheDoor, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Turn it on with a first code, then show the recovery codes, this once."""
    _require_code_shown(visit)
    enrolment, vault, after = _pending(visit, hub), hub.vault, local(form["suite"], "")
    if enrolment is None:
        return go(request, OWN)
    with writing(hub.engine) as session:
        proof, codes = proving.confirm(session, vault, form["code"], by=visit.actor, at=now)
        plain = visiting.let_in(session, visit.sign_in_id, by=visit.actor, at=now) if proof.good else ""
    try:
        proving.require_good(proof, at=now)
    except (Invalid, Busy) as error:
        refused = form.refused(error)
        return _device_page(request, visit, enrolment, refused, after=after, status=_status(error))
    request.state.visit = Visit(visit.actor, visit.sign_in_id, Owed.NOTHING)
    answered = _codes_page(request, codes, after=after, key=plain, first=True)
    security.set_session(answered, hub, plain)
    return answered


def _codes_page(request: Request, codes: list[str], *, after: str = "", key: str = "", first: bool) -> Response:
    return page(request, "factor/codes.html", codes=codes, after=after, key=key, first=first)


@router.post("/moi/second-facteur")
def change(request: Request, visit: AtTheDoor, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """New recovery codes, another device, or none any more: each needs a code."""
    _require_code_shown(visit)
    wish, vault = form["wish"], hub.vault
    try:
        _require_wish(wish)
        proving.require_proof(hub.engine, vault, form["code"], by=visit.actor, at=now)
        with writing(hub.engine) as session:
            if wish == "codes":
                codes = proving.renew_codes(session, by=visit.actor, at=now)
            elif wish == "device":
                proving.change_device(session, vault, by=visit.actor, at=now)
            else:
                proving.turn_off(session, policies=agreeing.policies(session), by=visit.actor, at=now)
    except (Invalid, Busy, WrongState) as error:
        return _own_page(request, visit, hub, form.refused(error), status=_status(error))
    if wish == "codes":
        return _codes_page(request, codes, first=False)
    if wish == "device":
        return go(request, DEVICE, _("Your old device opens nothing any more. Set up the new one now."))
    return go(request, OWN, _("Your second factor is off."))


def _require_wish(wish: str) -> None:
    if wish not in {"codes", "device", "off"}:
        raise Invalid(_("Choose what to do."), field="wish")
