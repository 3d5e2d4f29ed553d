"""Accounts: how each is, what it used, and looking after it: check, pause, resume, give new keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from channels import ChannelError, Light, Unreachable
from hub.database import reading, writing
from hub.domain.account import NETWORK_NAMES, Account, AccountNetwork, require_account_keeper
from hub.domain.delivery import STATE_NAMES as DELIVERY_NAMES
from hub.domain.errors import FieldProblem, Invalid, WrongState
from hub.language import _, ngettext
from hub.services import connecting, geotargeting, linking, tending
from hub.services.connecting import STATE_NAMES
from hub.services.covering import Health
from hub.services.linking import Grant
from hub.services.tending import HEALTH_NAMES, LEAVE_NAMES, Tended
from hub.web.checks import check_account
from hub.web.deps import Id, Now, ReadDb, TheHub
from hub.web.forms import Form, TypedForm
from hub.web.pages import go, page, spoken
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

HEALTH_TONES: Final = {Health.TROUBLE: "bad", Health.CARE: "warn", Health.UNCHECKED: "quiet", Health.GOOD: "ok"}
STATE_TONES: Final = {"active": "ok", "paused": "warn", "resting": "bad", "blocked": "bad"}

X_KEYS: Final = connecting.SECRET_NAMES[AccountNetwork.X]


def words(**more: Any) -> dict[str, Any]:
    """The names that templates of accounts show for values."""
    return {
        "networks": NETWORK_NAMES,
        "states": STATE_NAMES,
        "delivery_states": DELIVERY_NAMES,
        "healths": HEALTH_NAMES,
        "leaves": LEAVE_NAMES,
        "health_tones": HEALTH_TONES,
        "state_tones": STATE_TONES,
        **more,
    }


# --- Looking --------------------------------------------------------------------------------------------


@router.get("/comptes")
def show_all(request: Request, visit: Inside, hub: TheHub, session: ReadDb, now: Now) -> Response:
    """Every account that one may see, those that need somebody first."""
    found = tending.tended(session, by=visit.actor, rules=hub.rules, at=now)
    urgent = [one for one in found if one.health in {Health.TROUBLE, Health.CARE}]
    return page(
        request,
        "accounts/list.html",
        urgent=urgent,
        others=[one for one in found if one not in urgent],
        may_add=visit.is_any("coordinator", "administrator"),
        **words(),
    )


@router.get("/comptes/{account_id}")
def show(account_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now) -> Response:
    """One account."""
    return account_page(request, hub, visit, account_id)


def account_page(
    request: Request, hub: Hub, visit: Visit, account_id: int, *, form: Form | None = None, status: int = 200
) -> Response:
    """The page of one account, with a form of it as it was typed."""
    now = hub.now()
    with reading(hub.engine) as session:
        one = tending.get_tended(session, account_id, by=visit.actor, rules=hub.rules, at=now)
        release = tending.release(session, account_id, at=now, patience=hub.patience)
        recent = tending.recent(session, account_id, by=visit.actor)
        session.expunge_all()
    return page(
        request,
        "accounts/one.html",
        status=status,
        one=one,
        account=one.account,
        findings=connecting.findings_in_words(one.account),
        standing=connecting.standing(one.account),
        release=release,
        recent=recent,
        may_publish=tending.may_publish(one.account),
        may_count=tending.may_count(one.account),
        by_dialog=_by_dialog(hub, one),
        form=form or Form(),
        **words(),
    )


def _by_dialog(hub: Hub, one: Tended) -> bool:
    """Whether its token can be renewed by asking the person on Facebook."""
    return one.account.network is AccountNetwork.FACEBOOK and hub.has_facebook_app


# --- Check, pause, resume -------------------------------------------------------------------------------


@router.post("/comptes/{account_id}/verification")
def check(account_id: Id, request: Request, visit: Inside, hub: TheHub) -> Response:
    """Ask the network how the account is, and show what it said."""
    account = check_account(hub, account_id, by=visit.actor)
    return go(request, address(account_id), check_said(account))


def check_said(account: Account) -> str:
    """What a check came to, in a sentence."""
    if account.light == Light.GREEN:
        return _("{account} was checked: all is well.", account=account.name)
    return _("{account} was checked: read below what to do.", account=account.name)


@router.post("/comptes/{account_id}/pause")
def pause(account_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Let nothing go out until somebody resumes it."""
    try:
        with writing(hub.engine) as session:
            account = connecting.pause(session, account_id, by=visit.actor, at=now, reason=form["reason"][:300])
            name = account.name
    except (Invalid, WrongState) as error:
        return account_page(request, hub, visit, account_id, form=form.refused(error), status=_status(error))
    return go(request, address(account_id), _("{account} is paused: its deliveries wait.", account=name))


@router.post("/comptes/{account_id}/reprise")
def resume(account_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Let deliveries go out again, and say what that releases."""
    try:
        with writing(hub.engine) as session:
            connecting.resume(session, account_id, by=visit.actor, at=now, reason=form["reason"][:300])
            name = connecting.get_account(session, account_id).name
            release = tending.release(session, account_id, at=now, patience=hub.patience)
    except WrongState as error:
        return account_page(request, hub, visit, account_id, form=form.refused(error), status=409)
    return go(request, address(account_id), _released(name, release))


def _released(name: str, release: tending.Release) -> str:
    told = [_("{account} goes on.", account=name)]
    if release.at_once:
        told.append(ngettext("{count} delivery goes out now.", "{count} deliveries go out now.", release.at_once))
    if release.late:
        told.append(
            ngettext(
                "{count} is too late to go out by itself: decide on it on the page of its post.",
                "{count} are too late to go out by themselves: decide on them on the pages of their posts.",
                release.late,
            )
        )
    return " ".join(told)


# --- New keys -------------------------------------------------------------------------------------------


@router.get("/comptes/{account_id}/jeton")
def ask_keys(account_id: Id, request: Request, visit: Inside, hub: TheHub) -> Response:
    """Give an account new keys by pasting them."""
    return _keys_page(request, hub, _kept(hub, visit, account_id), Form())


@router.post("/comptes/{account_id}/jeton")
def renew(account_id: Id, request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Take the new keys, then check at once."""
    account = _kept(hub, visit, account_id)
    try:
        secret = _page_token(hub, account, form) if account.network is AccountNetwork.FACEBOOK else x_secret(form)
        vault = hub.vault
        with writing(hub.engine) as session:
            connecting.renew_secret(session, vault, account_id, secret, by=visit.actor, at=now)
    except Invalid as error:
        told = form.refused(error, names={"secret": X_KEYS[0]})
        return _keys_page(request, hub, account, to_paste_again(told, X_KEYS), status=422)
    return go(request, address(account_id), renewed(hub, visit, account_id))


def renewed(hub: Hub, visit: Visit, account_id: int) -> str:
    """Check an account that has new keys, and say what to do now."""
    account = check_account(hub, account_id, by=visit.actor)
    if account.light == Light.RED:
        return _("{account} has new keys, but cannot publish yet: read below what to do.", account=account.name)
    if account.state.value == "active":
        return _("{account} has new keys and was checked: it publishes.", account=account.name)
    return _("{account} has new keys and was checked. Resume it, so that its deliveries go out.", account=account.name)


def _kept(hub: Hub, visit: Visit, account_id: int) -> Account:
    """The account, for whoever manages it; the portal has no keys to give."""
    with reading(hub.engine) as session:
        account = connecting.get_account(session, account_id)
        require_account_keeper(visit.actor, geotargeting.atlas(session, [account.territory_code]), account)
        session.expunge(account)
    if account.network is AccountNetwork.PORTAL:
        raise WrongState(_("The portal has no keys to renew."))
    return account


def _keys_page(request: Request, hub: Hub, account: Account, form: Form, *, status: int = 200) -> Response:
    dialog = account.network is AccountNetwork.FACEBOOK and hub.has_facebook_app
    return page(request, "accounts/keys.html", status=status, account=account, form=form, by_dialog=dialog, **words())


def x_secret(form: Form) -> dict[str, str]:
    """The four keys of X as typed, or Invalid at each that is missing."""
    missing = [FieldProblem(name, _("Paste this key.")) for name in X_KEYS if not form[name]]
    if missing:
        raise Invalid(missing)
    return {name: form[name] for name in X_KEYS}


def to_paste_again(form: Form, names: Sequence[str]) -> Form:
    """What was pasted is never given back: say so where it would be looked for."""
    lost = [name for name in names if form[name] and name not in form.problems]
    message = _("Paste it again: keys are never shown once more.")
    return form.refused(Invalid([FieldProblem(name, message) for name in lost])) if lost else form


def _page_token(hub: Hub, account: Account, form: Form) -> dict[str, str]:
    """The page's token in what was pasted, be it the page's own or a person's."""
    grants = pasted_pages(hub, form)
    grant = linking.grant_for(account, grants)
    if grant is None:
        names = spoken([one.name for one in grants[:5]]) or _("no page")
        raise Invalid(
            _(
                "This token opens {names}, and not {account}. Paste the token of the right page, or of a person "
                "who may publish on it.",
                names=names,
                account=account.name,
            ),
            field="token",
        )
    return {"token": grant.token}


def pasted_pages(hub: Hub, form: Form) -> list[Grant]:
    """The pages that a pasted token opens; Invalid says what is wrong with it. Asks the network."""
    token = form["token"]
    if problems := connecting.secret_problems(AccountNetwork.FACEBOOK, {"token": token}):
        raise Invalid([FieldProblem("token", problem.message) for problem in problems[-1:]])
    try:
        return linking.grants_of(hub.facebook_pages_of_any(token))
    except Invalid as error:
        raise Invalid(str(error), field="token") from error
    except ChannelError as error:
        raise Invalid(facebook_said(error, pasted=True), field="token") from error


def facebook_said(error: ChannelError, *, pasted: bool = False) -> str:
    """What went wrong on the way to Facebook, and what to do."""
    if isinstance(error, Unreachable):
        return _("Facebook did not answer ({words}). Nothing was changed; try again in a moment.", words=error)
    if not pasted:
        return _("Facebook did not accept this ({words}). Nothing was changed: start again.", words=error)
    return _("Facebook did not accept this ({words}). Nothing was changed: copy the token anew.", words=error)


def address(account_id: int | None) -> str:
    """Where the page of an account is."""
    return f"/equipe/comptes/{account_id}"


def _status(error: Invalid | WrongState) -> int:
    return 422 if isinstance(error, Invalid) else 409
