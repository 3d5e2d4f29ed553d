"""Apps, people, pages and tokens of the played Graph API: who calls, and what they may do."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from channels.sandbox.exchange import Clock, Shelf
from channels.sandbox.graph_problems import GraphProblem, bad_parameter, missing, not_allowed

SCOPES: Final = ("pages_show_list", "pages_read_engagement", "pages_manage_posts", "read_insights")
TASKS: Final = ("CREATE_CONTENT", "ANALYZE")
SECRET: Final = "sandbox-secret"  # noqa: S105 - invented, and known to everybody
"""The secret of the app that is there without asking."""
SHORT_LIVED: Final = timedelta(hours=2)
LONG_LIVED: Final = timedelta(days=60)
LONG_LIVED_SECONDS: Final = 5183944
ENDINGS: Final = {
    458: "The user has not authorized the application.",
    459: "You cannot access the app till you log in to www.facebook.com and follow the instructions given.",
    460: "The session has been invalidated because the user changed their password.",
    463: "Session has expired",
    464: "Sessions for the user are not allowed because the user is not a confirmed user.",
    467: "The access token is invalid.",
    490: "The session has expired.",
    492: "The user must be an administrator, editor, or moderator of the page.",
}
"""Subcodes of code 190, and what is said."""


@dataclass(frozen=True)
class Caller:
    """Whose token a call carries."""

    token: str
    kind: str
    """USER, PAGE or APP."""
    app_id: str
    user_id: str | None = None
    page_id: str | None = None
    scopes: tuple[str, ...] = ()


class TokenDesk:
    """Hands tokens out and looks at them."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock

    # --- behind the scenes ---

    def create_app(
        self,
        app_id: str = "900",
        secret: str = SECRET,
        *,
        name: str = "Relais",
        require_proof: bool = False,
        redirect_uris: Sequence[str] = (),
    ) -> None:
        """An app with its secret; with `require_proof` each call must carry its appsecret_proof.

        `redirect_uris` are the addresses that its login may lead back to; none: any on this machine.
        """
        app = {"id": app_id, "secret": secret, "name": name, "require_proof": require_proof}
        self._shelf.put("fb_app", app_id, {**app, "redirect_uris": list(redirect_uris)})

    def create_user(
        self,
        user_id: str = "77",
        name: str = "Camille Exemple",
        *,
        token: str | None = None,
        app: str = "900",
        scopes: Sequence[str] = SCOPES,
    ) -> str:
        """A person; answers a short-lived token of theirs (two hours)."""
        self._need_app(app)
        self._shelf.put("fb_user", user_id, {"id": user_id, "name": name})
        ends = self._clock.now() + SHORT_LIVED
        return self._issue(token, "USER", app=app, user=user_id, page=None, scopes=scopes, ends=ends)

    def create_page(
        self,
        page_id: str,
        name: str,
        *,
        token: str | None = None,
        user: str = "77",
        followers: int = 1500,
        tasks: Sequence[str] = TASKS,
        app: str = "900",
        scopes: Sequence[str] = SCOPES,
    ) -> str:
        """A page and a person who works on it; answers a page token without end."""
        self._need_app(app)
        if self._shelf.get("fb_user", user) is None:
            self.create_user(user, app=app)
        known = self._shelf.get("fb_page", page_id) or {"tasks": {}}
        page = {**known, "id": page_id, "name": name, "followers": followers}
        page["tasks"] = {**known["tasks"], user: list(tasks)}
        self._shelf.put("fb_page", page_id, page)
        return self._issue(token, "PAGE", app=app, user=user, page=page_id, scopes=scopes, ends=None)

    def end_token(self, token: str, subcode: int = 460) -> None:
        """Make a token invalid, for the reason of that subcode of code 190."""
        self._change(token, ended=subcode)

    def expire_token(self, token: str, at: datetime | None = None) -> None:
        """Let a token expire, now or at a moment."""
        self._change(token, expires_at=int((at or self._clock.now()).timestamp()))

    def set_scopes(self, token: str, scopes: Sequence[str]) -> None:
        """Give a token these permissions and no other."""
        self._change(token, scopes=list(scopes))

    def _change(self, token: str, **changes: Any) -> None:
        known = self._shelf.get("fb_token", token)
        if known is None:
            raise LookupError("no such token")
        self._shelf.put("fb_token", token, {**known, **changes})

    def _need_app(self, app_id: str) -> None:
        if self._shelf.get("fb_app", app_id) is None:
            self.create_app(app_id)

    def _issue(
        self,
        token: str | None,
        kind: str,
        *,
        app: str,
        user: str | None,
        page: str | None,
        scopes: Sequence[str],
        ends: datetime | None,
        pages: Sequence[str] | None = None,
    ) -> str:
        made = token or f"EAA{kind[0]}{secrets.token_hex(20)}"
        thing = {
            "token": made,
            "kind": kind,
            "app_id": app,
            "user_id": user,
            "page_id": page,
            "scopes": list(scopes),
            "issued_at": int(self._clock.now().timestamp()),
            "expires_at": int(ends.timestamp()) if ends else 0,
            "pages": pages,
        }
        self._shelf.put("fb_token", made, thing)
        return made

    # --- on each call ---

    def caller(self, params: dict[str, str], authorization: str) -> Caller:
        """Who calls; takes token and proof out of the parameters, and refuses what is not in order."""
        token = params.pop("access_token", None) or authorization.removeprefix("Bearer ").strip()
        proof = params.pop("appsecret_proof", None)
        if not token:
            raise GraphProblem(2500, "An active access token must be used to query information about the current user.")
        caller = self._known(token)
        app = self._shelf.get("fb_app", caller.app_id)
        if app and caller.kind != "APP":
            self._check_proof(app, token, proof)
        return caller

    def _known(self, token: str) -> Caller:
        app_id, _, secret = token.partition("|")
        if secret:
            app = self._shelf.get("fb_app", app_id)
            if app is None or not hmac.compare_digest(app["secret"], secret):
                raise GraphProblem(190, "Invalid OAuth access token signature.", status=401)
            return Caller(token, "APP", app_id)
        thing = self._shelf.get("fb_token", token)
        if thing is None:
            raise GraphProblem(190, "Invalid OAuth access token - Cannot parse access token", subcode=467, status=401)
        subcode = self._ended(thing)
        if subcode:
            message = f"Error validating access token: {ENDINGS.get(subcode, 'It is not valid.')}"
            raise GraphProblem(190, message, subcode=subcode, status=401)
        return Caller(token, thing["kind"], thing["app_id"], thing["user_id"], thing["page_id"], tuple(thing["scopes"]))

    def _ended(self, thing: dict[str, Any]) -> int | None:
        if thing.get("ended"):
            return int(thing["ended"])
        if thing["expires_at"] and thing["expires_at"] <= self._clock.now().timestamp():
            return 463
        return None

    def _check_proof(self, app: dict[str, Any], token: str, proof: str | None) -> None:
        if proof is None and not app["require_proof"]:
            return
        if proof is None:
            raise bad_parameter("API calls from the server require an appsecret_proof argument")
        right = hmac.new(app["secret"].encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, proof):
            raise bad_parameter("Invalid appsecret_proof provided in the API argument")

    def page_for(self, caller: Caller, page_id: str, *, scopes: Sequence[str] = (), task: str = "") -> dict[str, Any]:
        """The page, if this caller speaks as it and may do this."""
        page = self._shelf.get("fb_page", page_id)
        if page is None:
            raise missing(page_id)
        if caller.kind != "PAGE":
            raise GraphProblem(190, "This method must be called with a Page Access Token", subcode=2069032)
        if caller.page_id != page_id:
            raise not_allowed("The user has not authorized the application to perform this action")
        for scope in scopes:
            if scope not in caller.scopes:
                code = 283 if scope == "pages_read_engagement" else 200
                raise not_allowed(f"Requires {scope} permission", code)
        if task and task not in page["tasks"].get(caller.user_id, []):
            raise not_allowed(f"The person lacks the task {task} on this page")
        return page

    # --- calls about tokens ---

    def app_with_secret(self, params: Mapping[str, str]) -> dict[str, Any]:
        """The app that asks, if it shows its secret."""
        app = self._shelf.get("fb_app", params.get("client_id", ""))
        if app is None:
            raise GraphProblem(101, "Error validating application. Cannot get application info due to a system error.")
        if not hmac.compare_digest(app["secret"], params.get("client_secret", "")):
            raise GraphProblem(1, "Error validating client secret.")
        return app

    def issue_short(
        self, *, app_id: str, user_id: str, scopes: Sequence[str], pages: Sequence[str] | None
    ) -> dict[str, Any]:
        """A short-lived token of a person who has just consented; `pages` None: for all of theirs."""
        ends = self._clock.now() + SHORT_LIVED
        token = self._issue(None, "USER", app=app_id, user=user_id, page=None, scopes=scopes, ends=ends, pages=pages)
        return {"access_token": token, "token_type": "bearer", "expires_in": int(SHORT_LIVED.total_seconds())}

    def exchange(self, params: dict[str, str]) -> dict[str, Any]:
        """A long-lived token for a short-lived one."""
        app = self.app_with_secret(params)
        if params.get("grant_type") == "client_credentials":
            return {"access_token": f"{app['id']}|{app['secret']}", "token_type": "bearer"}
        if params.get("grant_type") != "fb_exchange_token":
            raise bad_parameter("Invalid grant_type")
        caller = self._known(params.get("fb_exchange_token", ""))
        if caller.kind != "USER" or caller.app_id != app["id"]:
            raise bad_parameter("The token was not issued to a person by this app")
        ends = self._clock.now() + LONG_LIVED
        token = self._issue(
            None,
            "USER",
            app=caller.app_id,
            user=caller.user_id,
            page=None,
            scopes=caller.scopes,
            ends=ends,
            pages=self._granted(caller),
        )
        self._change(token, long_lived=True)
        return {"access_token": token, "token_type": "bearer", "expires_in": LONG_LIVED_SECONDS}

    def page_token(self, caller: Caller, page: dict[str, Any]) -> str | None:
        """This person's token for a page: without end if their own was long-lived; the same each time."""
        if caller.kind == "PAGE":
            return caller.token if caller.page_id == page["id"] else None
        granted = self._granted(caller)
        if caller.user_id not in page["tasks"] or (granted is not None and page["id"] not in granted):
            return None
        mine = self._shelf.get("fb_token", caller.token) or {}
        digest = hashlib.sha256(f"{caller.token}/{page['id']}".encode()).hexdigest()[:40]
        token = f"EAAP{digest}"
        if self._shelf.get("fb_token", token) is None:
            endless = mine.get("long_lived") or not mine["expires_at"]
            ends = None if endless else datetime.fromtimestamp(mine["expires_at"], UTC)
            self._issue(
                token, "PAGE", app=caller.app_id, user=caller.user_id, page=page["id"], scopes=caller.scopes, ends=ends
            )
        return token

    def pages(self, caller: Caller) -> list[dict[str, Any]]:
        """The pages which this person works on."""
        if caller.kind != "USER":
            raise not_allowed("A user access token is required to request this resource.")
        if "pages_show_list" not in caller.scopes:
            return []
        granted = self._granted(caller)
        return [
            page
            for page in self._shelf.all("fb_page")
            if page["tasks"].get(caller.user_id) and (granted is None or page["id"] in granted)
        ]

    def _granted(self, caller: Caller) -> list[str] | None:
        """The pages that the person ticked in the dialog; None when they were not asked."""
        known: list[str] | None = (self._shelf.get("fb_token", caller.token) or {}).get("pages")
        return known

    def debug(self, caller: Caller, token: str) -> dict[str, Any]:
        """What a token is."""
        if caller.kind != "APP":
            raise bad_parameter("You must provide an app access token, or a user access token of the app's developer")
        thing = self._shelf.get("fb_token", token)
        if thing is None or thing["app_id"] != caller.app_id:
            error = {"code": 190, "message": "Invalid OAuth access token.", "subcode": 467}
            return {"data": {"is_valid": False, "error": error, "scopes": []}}
        data: dict[str, Any] = {
            "app_id": thing["app_id"],
            "type": thing["kind"],
            "application": "Hub",
            "is_valid": True,
            "issued_at": thing["issued_at"],
            "expires_at": thing["expires_at"],
            "data_access_expires_at": thing.get("data_access_expires_at", thing["issued_at"] + 90 * 86400),
            "user_id": thing["user_id"],
            "scopes": thing["scopes"],
        }
        if thing["page_id"]:
            data["profile_id"] = thing["page_id"]
            targets = [thing["page_id"]]
            data["granular_scopes"] = [
                {"scope": scope, "target_ids": targets} for scope in thing["scopes"] if scope.startswith("pages_")
            ]
        subcode = self._ended(thing)
        if subcode:
            data["is_valid"] = False
            data["error"] = {"code": 190, "message": ENDINGS.get(subcode, "not valid"), "subcode": subcode}
        return {"data": data}
