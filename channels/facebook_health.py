"""How a Facebook page is: what its token, its permissions and its errors mean, as findings.

The codes: ok, targeting_may_need_setting, permissions_not_checked, token_expired, token_revoked, token_invalid,
token_expires_soon, data_access_ends_soon, not_a_page_token, wrong_page, wrong_app, app_secret_wrong,
permission_missing, figures_permission_missing, account_blocked, throttled, unreachable, version_answered_differs,
check_refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from channels.base import Blocked, ChannelError, Finding, Light, Throttled, Unauthorized, Uncertain, Unreachable
from channels.facebook_reading import instant

SOON: Final = timedelta(days=14)
FEWEST_FOLLOWERS_TO_GATE: Final = 5000
"""Below this a page may need a setting of its own before it can limit its audience; to be confirmed."""

TO_PUBLISH: Final = ("pages_manage_posts", "pages_read_engagement")
TO_COUNT: Final = ("read_insights",)
EXPIRED: Final = frozenset({"190/463", "190/490"})
INVALID: Final = frozenset({"190", "190/467"})
NO_PAGE_TOKEN: Final = "190/2069032"  # noqa: S105 - a code


def of_version(asked: str, answered: str | None) -> Iterator[Finding]:
    """Whether another version answered than was asked."""
    if answered and answered != asked:
        details = {"asked": asked, "answered": answered}
        yield Finding(Light.AMBER, "version_answered_differs", details)


def of_page(expected: str, page: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether it is the right page, and large enough to limit its audience without more ado."""
    if page.get("id") != expected:
        details = {"expected": expected, "found": str(page.get("id")), "name": str(page.get("name"))}
        yield Finding(Light.RED, "wrong_page", details)
    followers = page.get("followers_count")
    if isinstance(followers, int) and followers < FEWEST_FOLLOWERS_TO_GATE:
        yield Finding(Light.GREEN, "targeting_may_need_setting", {"followers": str(followers)})


def of_token(app_id: str | None, token: Mapping[str, Any], now: datetime | None) -> Iterator[Finding]:
    """What `debug_token` says of the token: whose, what for, until when."""
    error = token.get("error") if isinstance(token.get("error"), dict) else {}
    if token.get("is_valid") is not True:
        number = f"{error.get('code')}/{error.get('subcode')}" if error else "190"
        yield _token_finding(number, str(error.get("message", "")) if error else "")
        return
    if token.get("type") != "PAGE":
        yield Finding(Light.RED, "not_a_page_token", {"type": str(token.get("type"))})
    if token.get("app_id") not in (None, app_id):
        yield Finding(Light.RED, "wrong_app", {"expected": str(app_id), "found": str(token.get("app_id"))})
    scopes = token.get("scopes") or []
    for scope in TO_PUBLISH:
        if scope not in scopes:
            yield Finding(Light.RED, "permission_missing", {"permission": scope})
    for scope in TO_COUNT:
        if scope not in scopes:
            yield Finding(Light.AMBER, "figures_permission_missing", {"permission": scope})
    for name, code in (("expires_at", "token_expires_soon"), ("data_access_expires_at", "data_access_ends_soon")):
        ends = instant(token.get(name))
        if ends and now and ends - now < SOON:
            yield Finding(Light.AMBER, code, {"on": ends.date().isoformat()})


def of_error(error: ChannelError) -> Finding:
    """What an error says of the account."""
    words = {"message": str(error)}
    match error:
        case Throttled():
            return Finding(Light.AMBER, "throttled", words)
        case Blocked():
            return Finding(Light.RED, "account_blocked", words)
        case Unreachable() | Uncertain():
            return Finding(Light.RED, "unreachable", words)
        case Unauthorized(code=code):
            return _token_finding(code or "", str(error))
    if "appsecret_proof" in str(error):
        return Finding(Light.RED, "app_secret_wrong")
    if "nonexisting field" in str(error):
        return Finding(Light.RED, "not_a_page_token", {"type": "USER"})
    return Finding(Light.RED, "check_refused", words)


def _token_finding(number: str, words: str) -> Finding:
    if number in EXPIRED:
        return Finding(Light.RED, "token_expired")
    if number == NO_PAGE_TOKEN:
        return Finding(Light.RED, "not_a_page_token", {"type": "USER"})
    if number in INVALID:
        return Finding(Light.RED, "token_invalid")
    if number == "104":
        return Finding(Light.RED, "app_secret_wrong")
    if number.startswith("190"):
        return Finding(Light.RED, "token_revoked", {"message": words})
    return Finding(Light.RED, "permission_missing", {"permission": words})
