"""What a check of an account found, in words: what is wrong and what to do. docs/connecting.md explains each."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from textwrap import shorten
from typing import Final

from channels import Finding
from hub.language import N_, _

SENTENCES: Final[Mapping[str, str]] = {
    "ok": N_("All is well: Relais may publish here."),
    "throttled": N_(
        "The network asks us to wait before the next call. Nothing to do; check again in a quarter of an hour."
    ),
    "unreachable": N_(
        "The network did not answer, so nothing is known of the account. Check the connection of this "
        "machine, then check again."
    ),
    "check_refused": N_(
        "The network refused the question itself. Compare its words with docs/connecting.md, and check again later."
    ),
    # Facebook
    "token_expired": N_("The page's token has expired. Sign in to Facebook again and give a new token."),
    "token_revoked": N_(
        "The page's token was withdrawn: a password changed, the app was removed, or the person lost their "
        "role on the page. Give a new token."
    ),
    "token_invalid": N_("Facebook does not recognise the page's token. Copy it again, whole, or make a new one."),
    "token_expires_soon": N_("The page's token ends on {on}. Give a new one before that day."),
    "data_access_ends_soon": N_(
        "Facebook's leave to read figures ends on {on}. Have the same person sign in to the app again before that day."
    ),
    "not_a_page_token": N_(
        "This token does not belong to a page (Facebook calls it {type}). Give the page's own token, or "
        "connect the page anew as the person who works on it."
    ),
    "wrong_page": N_(
        "The token speaks for another page: {name}, number {found}, not {expected}. Give the token of the right page."
    ),
    "wrong_app": N_(
        "The token was made by another app ({found}, not {expected}). Make it with the app whose number is in"
        " RELAIS_FACEBOOK_APP_ID."
    ),
    "app_secret_wrong": N_(
        "The app's secret does not fit. Copy it again from the app's settings into RELAIS_FACEBOOK_APP_SECRET."
    ),
    "permission_missing": N_(
        "A permission to publish is missing: {permission}. Grant it to the app, check the person's tasks on "
        "the page, then give a new token."
    ),
    "figures_permission_missing": N_(
        "Relais may publish, but not read figures: {permission} is missing. Grant it to the app, then give a new token."
    ),
    "permissions_not_checked": N_(
        "Permissions and the token's end were not looked at: that needs RELAIS_FACEBOOK_APP_ID and "
        "RELAIS_FACEBOOK_APP_SECRET."
    ),
    "targeting_may_need_setting": N_(
        "The page has {followers} followers. A small page may first have to allow audience limits in its own "
        "settings, or limited posts are refused."
    ),
    "account_blocked": N_(
        "Facebook has blocked publishing on this page for a while. Look at the page's quality tab, correct "
        "what it names, and wait; do not post by hand meanwhile."
    ),
    "version_answered_differs": N_(
        "Facebook answered with version {answered} instead of {asked}, which it has retired. Upgrade Relais, "
        "or set RELAIS_FACEBOOK_API_VERSION."
    ),
    # X
    "keys_refused": N_("X does not accept the four keys. Make new ones in the developer portal and give them again."),
    "read_only": N_(
        "The keys may only read. Set the app to “Read and write”, make the access token anew, and give it."
    ),
    "not_enrolled": N_(
        "The X app does not belong to a project that may use this API. Put it into one in the developer portal."
    ),
    "not_an_account_token": N_(
        "These keys are the app's, not the account's. Give the access token and secret made for the account."
    ),
    "suspended": N_("X has suspended this account. Sign in on x.com, follow what it asks, then check again."),
    "credits_used_up": N_(
        "The X account has no credits left, or its spending limit is reached. Buy credits in the developer "
        "portal; nothing was sent."
    ),
    "wrong_account": N_(
        "The keys speak for another account: @{found}, not @{expected}. Give those of the right account."
    ),
    "renamed": N_(
        "The account is now called @{found} (it was @{expected}). Posts still go out; its name here is out of date."
    ),
    "clock_wrong": N_(
        "This machine's clock is {seconds} seconds off, so X refuses its signatures. Set the clock (turn on "
        "NTP), then check again."
    ),
}
"""Sentence by code of `channels.Finding`."""

UNANSWERED: Final = frozenset({"throttled", "unreachable"})
"""Findings that say nothing of the account."""

CURED_BY_KEYS: Final = frozenset(
    {
        "data_access_ends_soon", "figures_permission_missing", "keys_refused", "not_a_page_token",
        "not_an_account_token", "permission_missing", "read_only", "token_expired", "token_expires_soon",
        "token_invalid", "token_revoked", "wrong_account", "wrong_app", "wrong_page",
    }
)  # fmt: skip
"""Findings that new keys put right."""

LONGEST_WORDS: Final = 200

_WORDS: Final = "message"
"""The detail that holds the network's own words."""

_NAMES: Final = frozenset(
    name for words in SENTENCES.values() for _text, name, _form, _kind in Formatter().parse(words) if name
)


def sentence(finding: Finding) -> str:
    """What a finding means and what to do; with the network's own words where it gave some."""
    known = SENTENCES.get(finding.code)
    if known is None:
        return finding.code
    words = finding.details.get(_WORDS)
    told = _(known, **_filled(finding.details))
    if not words:
        return told
    return told + " " + _("(The network said: {words})", words=shorten(str(words), LONGEST_WORDS, placeholder=" …"))


def _filled(details: Mapping[str, str]) -> dict[str, str]:
    """The details, with a question mark for each one that a network left out."""
    return {**dict.fromkeys(_NAMES, "?"), **details}
