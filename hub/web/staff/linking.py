"""Adding accounts: Facebook by its dialog or a pasted token, X by its keys; and which page is whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from channels import ChannelError, Light
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.errors import FieldProblem, Invalid, WrongState
from hub.language import _, ngettext
from hub.services import connecting, consenting, geotargeting, linking
from hub.services.consenting import Kept, LostWay
from hub.services.findings import UNANSWERED
from hub.services.linking import Grant, Offer
from hub.web.checks import check_account
from hub.web.deps import Id, Now, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import go, page
from hub.web.staff.accounts import (
    X_KEYS,
    address,
    check_said,
    facebook_said,
    pasted_pages,
    renewed,
    to_paste_again,
    words,
    x_secret,
)
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

CHOOSE: Final = "/equipe/comptes/facebook/pages"
LONGEST_CODE: Final = 4000
MOST_CHECKED: Final = 40
"""Pages checked while somebody waits; the others say that they were never checked."""

Text = Annotated[str, Query(max_length=LONGEST_CODE)]


@router.get("/comptes/nouveau")
def choose_network(request: Request, visit: Inside) -> Response:
    """Which network the new account lives on."""
    consenting.require_keeper_somewhere(visit.actor)
    return page(request, "accounts/new.html")


# --- Facebook: to the dialog and back --------------------------------------------------------------------


@router.get("/comptes/facebook/connexion")
def leave(
    visit: Inside, hub: TheHub, now: Now, account: Annotated[Id | None, Query(alias="compte")] = None
) -> Response:
    """Go to Facebook's dialog; a link leads here, for forms may lead to our own pages only."""
    if not hub.has_facebook_app:
        raise WrongState(_("Facebook's dialog needs RELAIS_FACEBOOK_APP_ID and RELAIS_FACEBOOK_APP_SECRET."))
    vault = hub.vault
    with writing(hub.engine) as session:
        way = consenting.begin(session, vault, sign_in_id=visit.sign_in_id, by=visit.actor, at=now, account_id=account)
    there = hub.facebook_dialog(redirect_uri=way_back(hub), state=way.state, verifier=way.verifier)
    return RedirectResponse(there, 303, headers={"Cache-Control": "no-store"})


def way_back(hub: Hub) -> str:
    """The one address that Facebook may lead back to; it is given to Facebook when the app is set up."""
    return f"{hub.settings.public_url}/equipe/comptes/facebook/retour"


@router.get("/comptes/facebook/retour")
def come_back(
    request: Request,
    visit: Inside,
    hub: TheHub,
    now: Now,
    state: Text = "",
    code: Text = "",
    error: Text = "",
) -> Response:
    """Back from the dialog: exchange the code, then renew the account or ask which page is whose."""
    vault = hub.vault
    try:
        with writing(hub.engine) as session:
            back = consenting.come_back(session, vault, state, sign_in_id=visit.sign_in_id, by=visit.actor, at=now)
    except LostWay as lost:
        return _lost(request, str(lost), status=404)
    if error == "access_denied":
        return go(request, _begun_at(back.account_id), _("You cancelled on Facebook: nothing was changed."))
    if error or not code:
        return _lost(
            request, _("Facebook met a problem and gave nothing. Nothing was changed; start again."), back.account_id
        )
    try:
        pages = hub.facebook_pages_by_code(code, verifier=back.verifier, redirect_uri=way_back(hub))
    except ChannelError as refused:
        return _lost(request, facebook_said(refused), back.account_id)
    return _arrived(request, hub, visit, back, linking.grants_of(pages))


def _arrived(request: Request, hub: Hub, visit: Visit, back: consenting.Return, grants: list[Grant]) -> Response:
    """Renew the one account that this way was for, if its page was granted; else have somebody choose."""
    vault, now = hub.vault, hub.now()
    done = False
    with writing(hub.engine) as session:
        if back.account_id is not None:
            account = connecting.get_account(session, back.account_id)
            grant = linking.grant_for(account, grants)
            if grant is not None:
                secret = {"token": grant.token}
                connecting.renew_secret(session, vault, back.account_id, secret, by=visit.actor, at=now)
                consenting.forget(session, back.consent_id)
                done = True
        if not done:
            consenting.keep(session, vault, back.consent_id, grants, by=visit.actor, at=now)
    if done and back.account_id is not None:
        return go(request, address(back.account_id), renewed(hub, visit, back.account_id))
    return go(request, f"{CHOOSE}/{back.consent_id}")


def _lost(request: Request, sentence: str, account_id: int | None = None, *, status: int = 502) -> Response:
    return page(request, "accounts/lost.html", status=status, sentence=sentence, account_id=account_id)


def _begun_at(account_id: int | None) -> str:
    return address(account_id) if account_id is not None else "/equipe/comptes/nouveau/facebook"


# --- Facebook: by pasting --------------------------------------------------------------------------------


@router.get("/comptes/nouveau/facebook")
def new_pages(request: Request, visit: Inside, hub: TheHub) -> Response:
    """Ask Facebook, or paste a token."""
    consenting.require_keeper_somewhere(visit.actor)
    return _facebook_page(request, hub, Form())


@router.post("/comptes/nouveau/facebook")
def paste(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Look which pages a pasted token opens, then ask which is whose."""
    consenting.require_keeper_somewhere(visit.actor)
    try:
        grants = pasted_pages(hub, form)
    except Invalid as error:
        return _facebook_page(request, hub, form.refused(error), status=422)
    vault = hub.vault
    with writing(hub.engine) as session:
        consent_id = consenting.keep_pasted(session, vault, grants, sign_in_id=visit.sign_in_id, by=visit.actor, at=now)
    return go(request, f"{CHOOSE}/{consent_id}")


def _facebook_page(request: Request, hub: Hub, form: Form, *, status: int = 200) -> Response:
    return page(
        request,
        "accounts/facebook.html",
        status=status,
        form=form,
        by_dialog=hub.has_facebook_app,
        training="facebook" in hub.settings.sandboxed,
    )


# --- Facebook: which page speaks for which territory -----------------------------------------------------


@dataclass(frozen=True)
class _Choice:
    """What is needed to choose."""

    kept: Kept
    offers: list[Offer]
    territories: dict[str, str]
    wanted: Account | None


@router.get("/comptes/facebook/pages/{consent_id}")
def choose(consent_id: Id, request: Request, visit: Inside, hub: TheHub) -> Response:
    """The pages that were granted, each with the territory that its name speaks of."""
    try:
        choice = _choice(hub, visit, consent_id)
    except LostWay as lost:
        return _lost(request, str(lost), status=404)
    return _choice_page(request, choice, filled(_proposed(choice)))


@router.post("/comptes/facebook/pages/{consent_id}")
def keep_choice(consent_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Make or renew the account of each chosen page, then check them."""
    try:
        choice = _choice(hub, visit, consent_id)
    except LostWay as lost:
        return _lost(request, str(lost), status=404)
    chosen = {number: form[f"territory-{number}"] for number in form.every("page")}
    vault = hub.vault
    try:
        with writing(hub.engine) as session:
            linked = linking.link(session, vault, choice.kept.grants, chosen, by=visit.actor, at=now)
            session.flush()
            numbers = [account.id for account in linked if account.id is not None]
            consenting.forget(session, consent_id)
    except Invalid as error:
        return _choice_page(request, choice, form.refused(error), status=422)
    return _checked(request, hub, visit, numbers)


def _choice(hub: Hub, visit: Visit, consent_id: int) -> _Choice:
    vault = hub.vault
    with reading(hub.engine) as session:
        kept = consenting.kept(session, vault, consent_id, sign_in_id=visit.sign_in_id, by=visit.actor, at=hub.now())
        offers = linking.offers(session, kept.grants, by=visit.actor)
        known = linking.territories(session, visit.actor)
        wanted = connecting.get_account(session, kept.account_id) if kept.account_id is not None else None
        session.expunge_all()
    return _Choice(kept, offers, known, wanted)


def _proposed(choice: _Choice) -> list[tuple[str, str]]:
    """What is ticked and filled in at first: pages whose territory is clear, unless all is well with them already."""
    told: list[tuple[str, str]] = []
    for offer in choice.offers:
        if offer.territory is None or offer.obstacle:
            continue
        told.append((f"territory-{offer.grant.id}", choice.territories.get(offer.territory, offer.territory)))
        if offer.account is None or offer.account.light != Light.GREEN:
            told.append(("page", offer.grant.id))
    return told


def _choice_page(request: Request, choice: _Choice, form: Form, *, status: int = 200) -> Response:
    return page(
        request,
        "accounts/choose.html",
        status=status,
        offers=[offer for offer in choice.offers if not offer.obstacle],
        refused=[offer for offer in choice.offers if offer.obstacle],
        consent_id=choice.kept.consent_id,
        territories=choice.territories,
        wanted=choice.wanted,
        form=form,
        labels={f"territory-{offer.grant.id}": offer.grant.name for offer in choice.offers},
    )


def _checked(request: Request, hub: Hub, visit: Visit, numbers: list[int]) -> Response:
    """Look how the linked pages are, and lead on; a network that does not answer is not asked for each of them."""
    checked: list[Account] = []
    for number in numbers[:MOST_CHECKED]:
        checked.append(check_account(hub, number, by=visit.actor))
        if any(found["code"] in UNANSWERED for found in checked[-1].findings):
            break
    if len(numbers) == 1:
        return go(request, address(numbers[0]), check_said(checked[0]))
    ill = len(numbers) - sum(account.light == Light.GREEN for account in checked)
    told = ngettext("{count} page is linked.", "{count} pages are linked.", len(numbers))
    if ill:
        told += " " + ngettext("{count} needs care: see below.", "{count} need care: see below.", ill)
    else:
        told += " " + _("All were checked and may publish.")
    return go(request, "/equipe/comptes", told)


# --- X ---------------------------------------------------------------------------------------------------


@router.get("/comptes/nouveau/x")
def new_on_x(request: Request, visit: Inside, hub: TheHub) -> Response:
    """The keys of an account on X."""
    consenting.require_keeper_somewhere(visit.actor)
    return _x_page(request, hub, visit, Form())


@router.post("/comptes/nouveau/x")
def add_on_x(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Add an account on X by its keys, then check it."""
    consenting.require_keeper_somewhere(visit.actor)
    handle = form["handle"].removeprefix("@")
    try:
        account_id = _added_on_x(hub, visit, form, handle=handle)
    except Invalid as error:
        names = {"secret": X_KEYS[0], "remote_id": "number"}
        told = to_paste_again(form.refused(error, names=names), X_KEYS)
        return _x_page(request, hub, visit, told, status=422)
    account = check_account(hub, account_id, by=visit.actor)
    if account.light == Light.RED:
        sentence = _("{account} was added, but cannot publish yet: read below what to do.", account=account.name)
    else:
        sentence = _("{account} was added and checked: it publishes.", account=account.name)
    return go(request, address(account_id), sentence)


def _added_on_x(hub: Hub, visit: Visit, form: Form, *, handle: str) -> int:
    """The id of the new account; Invalid with every problem at its field."""
    problems: list[FieldProblem] = []
    code = _territory(hub, visit, form["territory"], problems)
    if not handle:
        problems.append(FieldProblem("handle", _("An X account needs its user name, without the @.")))
    secret: dict[str, str] = {}
    try:
        secret = x_secret(form)
    except Invalid as error:
        problems += error.problems
    number = form["number"] or _front(form["access_token"])
    if secret and not number:
        problems.append(
            FieldProblem("number", _("The access token does not begin with the account's number: type it here."))
        )
    if problems or code is None:
        raise Invalid(problems)
    vault = hub.vault
    with writing(hub.engine) as session:
        present = connecting.account_on(session, AccountNetwork.X, number)
        if present is not None:
            raise Invalid(
                _("{account} is here already. Give it new keys on its own page.", account=present.name), field="handle"
            )
        account = connecting.add_account(
            session,
            vault,
            network=AccountNetwork.X,
            name=f"@{handle}",
            remote_id=number,
            handle=handle,
            territory_code=code,
            secret=secret,
            options={},
            by=visit.actor,
            at=hub.now(),
        )
        assert account.id is not None
        return account.id


def _front(token: str) -> str:
    """The account's number, which stands in front of its access token."""
    front = token.partition("-")[0]
    return front if front.isascii() and front.isdigit() else ""


def _territory(hub: Hub, visit: Visit, typed: str, problems: list[FieldProblem]) -> str | None:
    with reading(hub.engine) as session:
        known = linking.territories(session, visit.actor)
        code = linking.territory_named(typed, known, geotargeting.atlas(session)) if typed else None
    if code is None:
        problems.append(FieldProblem("territory", linking.unnamed(typed)))
    return code


def _x_page(request: Request, hub: Hub, visit: Visit, form: Form, *, status: int = 200) -> Response:
    with reading(hub.engine) as session:
        known = linking.territories(session, visit.actor)
    return page(request, "accounts/x.html", status=status, form=form, territories=known, **words())
