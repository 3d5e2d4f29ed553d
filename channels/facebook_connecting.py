"""Connecting pages: from a person's consent or short-lived token to the lasting token of each page they work on."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from channels.base import Refused, Unreachable
from channels.facebook_calls import VERSION, GraphCalls
from channels.facebook_reading import pages, readable

DIALOG: Final = "https://www.facebook.com"
SCOPES: Final = ("pages_show_list", "pages_read_engagement", "pages_manage_posts", "read_insights")
"""The least that Relais can work with: find the page, read its posts back, publish, count."""


@dataclass(frozen=True)
class UserToken:
    """A person's token, only used to ask for their pages."""

    token: str = field(repr=False)
    seconds: int | None = None


@dataclass(frozen=True)
class PageGrant:
    """A page that a person works on, with its own token and what the person may do there."""

    id: str
    name: str
    token: str = field(repr=False)
    tasks: tuple[str, ...] = ()


# --- The dialog -----------------------------------------------------------------------------------------


def challenge_of(verifier: str) -> str:
    """What the dialog is told of a secret word that the exchange will have to show (PKCE, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def dialog_address(
    *, app_id: str, redirect_uri: str, state: str, verifier: str, base_url: str | None = None, version: str = VERSION
) -> str:
    """Where a person consents; they come back to exactly `redirect_uri`, with a code and the same state."""
    asked = {
        "client_id": app_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "response_type": "code",
        "scope": ",".join(SCOPES),
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    return f"{base_url or DIALOG}/{version}/dialog/oauth?{urlencode(asked)}"


def exchange_code(
    *,
    app_id: str,
    app_secret: str,
    code: str,
    verifier: str,
    redirect_uri: str,
    base_url: str | None = None,
    version: str = VERSION,
    timeouts: tuple[float, float] = (3.0, 15.0),
) -> UserToken:
    """The person's short-lived token for the code that they brought back."""
    calls = GraphCalls(base_url=base_url, version=version, timeouts=timeouts)
    calls.session.secrets.update((app_secret, code, verifier))
    try:
        answer = calls.get(
            "oauth/access_token",
            client_id=app_id,
            client_secret=app_secret,
            redirect_uri=redirect_uri,
            code=code,
            code_verifier=verifier,
        )
    finally:
        calls.session.close()
    return _user_token(answer, calls)


# --- Tokens ---------------------------------------------------------------------------------------------


def exchange_user_token(
    *,
    app_id: str,
    app_secret: str,
    user_token: str,
    base_url: str | None = None,
    version: str = VERSION,
    timeouts: tuple[float, float] = (3.0, 15.0),
) -> UserToken:
    """A long-lived token (about 60 days) for a person's short-lived one; its page tokens have no end."""
    calls = GraphCalls(base_url=base_url, version=version, timeouts=timeouts)
    calls.session.secrets.update((app_secret, user_token))
    try:
        answer = calls.get(
            "oauth/access_token",
            grant_type="fb_exchange_token",
            client_id=app_id,
            client_secret=app_secret,
            fb_exchange_token=user_token,
        )
    finally:
        calls.session.close()
    return _user_token(answer, calls)


def _user_token(answer: dict[str, Any], calls: GraphCalls) -> UserToken:
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token:
        raise Unreachable("Facebook's answer holds no token.", trace_id=calls.trace_id)
    return UserToken(token, seconds if isinstance(seconds, int) else None)


@readable()
def page_of(
    *,
    token: str,
    app_secret: str | None = None,
    base_url: str | None = None,
    version: str = VERSION,
    timeouts: tuple[float, float] = (3.0, 15.0),
) -> PageGrant | None:
    """The page whose own token this is; None when it is a person's."""
    calls = GraphCalls(base_url=base_url, version=version, token=token, app_secret=app_secret, timeouts=timeouts)
    try:
        answer = calls.get("me", fields="id,name,category")
    except Refused as error:
        if "nonexisting field" in str(error):  # only pages have a category
            return None
        raise
    finally:
        calls.session.close()
    return PageGrant(str(answer["id"]), str(answer.get("name", "")), token)


@readable()
def list_pages(
    *,
    user_token: str,
    app_secret: str | None = None,
    base_url: str | None = None,
    version: str = VERSION,
    timeouts: tuple[float, float] = (3.0, 15.0),
) -> list[PageGrant]:
    """The pages that a person works on; those for which Facebook gives no token are left out."""
    calls = GraphCalls(base_url=base_url, version=version, token=user_token, app_secret=app_secret, timeouts=timeouts)
    try:
        args = {"fields": "id,name,access_token,tasks", "limit": "100"}
        entries = [entry for page in pages(calls, "me/accounts", args) for entry in page]
    finally:
        calls.session.close()
    return [
        PageGrant(str(entry["id"]), str(entry.get("name", "")), entry["access_token"], tuple(entry.get("tasks") or ()))
        for entry in entries
        if entry.get("access_token")
    ]
