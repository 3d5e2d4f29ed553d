"""Connecting pages: from a person's short-lived token to the lasting token of each page they work on."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.base import Unreachable
from channels.facebook_calls import VERSION, GraphCalls
from channels.facebook_reading import pages, readable


@dataclass(frozen=True)
class UserToken:
    """A person's long-lived token, only used to ask for their pages."""

    token: str = field(repr=False)
    seconds: int | None = None


@dataclass(frozen=True)
class PageGrant:
    """A page that a person works on, with its own token and what the person may do there."""

    id: str
    name: str
    token: str = field(repr=False)
    tasks: tuple[str, ...] = ()


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
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token:
        raise Unreachable("Facebook's answer holds no token.", trace_id=calls.trace_id)
    return UserToken(token, seconds if isinstance(seconds, int) else None)


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
