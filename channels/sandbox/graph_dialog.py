"""The played Facebook Login: a page that asks a person for their consent, and the code that it sends back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from channels.sandbox.exchange import Clock, Reply, Request, Shelf
from channels.sandbox.graph_problems import GraphProblem, bad_parameter
from channels.sandbox.graph_tokens import TokenDesk

CODE_LASTS: Final = timedelta(minutes=10)
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PERMISSIONS: Final[Mapping[str, str]] = {
    "public_profile": "Voir votre nom",
    "email": "Voir votre adresse électronique",
    "pages_show_list": "Voir la liste des pages que vous gérez",
    "pages_read_engagement": "Lire ce que ces pages ont publié",
    "pages_manage_posts": "Publier sur ces pages",
    "read_insights": "Lire les statistiques de ces pages",
    "pages_read_user_content": "Lire ce que d’autres écrivent sur ces pages",
    "business_management": "Gérer votre portefeuille professionnel",
}
"""Every permission that may be asked for here, as the person reads it."""
CARRIED: Final = (
    "client_id", "redirect_uri", "state", "response_type", "scope", "code_challenge", "code_challenge_method", "user",
)  # fmt: skip
"""What the page carries on from the address to the answer."""
STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;"
    "padding:0 1rem}.note{border:2px dashed;padding:.5rem 1rem;border-radius:.5rem}"
    "fieldset{border:1px solid;border-radius:.5rem;margin:1rem 0}label{display:block;padding:.35rem 0}"
    "button,a.person{font:inherit;min-height:2.75rem;padding:.5rem 1.25rem;border-radius:.5rem;border:2px solid}"
    "button.yes{background:#1d4ed8;border-color:#1d4ed8;color:#fff}a.person{display:inline-block;margin:.25rem 0}"
    ":focus-visible{outline:3px solid #d97706;outline-offset:2px}"
)


class NotShown(Exception):
    """A dialog that cannot be shown; the person reads why, and nobody is sent anywhere."""


class Dialog:
    """Asks a person, and hands out codes that are good once, for a short while, for one address."""

    def __init__(self, shelf: Shelf, clock: Clock, tokens: TokenDesk) -> None:
        self._shelf = shelf
        self._clock = clock
        self._tokens = tokens

    # --- the page ---

    def answer(self, request: Request) -> Reply:
        """The page itself (GET), or where the person's answer leads (POST)."""
        pairs = request.query if request.method == "GET" else _pairs(request)
        asked = {name: value for name, value in pairs if name in CARRIED}
        try:
            app = self._checked(asked)
            if request.method == "POST":
                return self._answered(app, asked, pairs)
            return _page("Facebook d’entraînement", self._question(app, asked, request.path))
        except NotShown as problem:
            return _page("Connexion impossible", f"<p role='alert'>{escape(str(problem))}</p>", status=400)

    def _checked(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The app that asks, if it asks properly; a wrong address to come back to is never followed."""
        app = self._shelf.get("fb_app", asked.get("client_id", ""))
        if app is None:
            raise NotShown("Invalid App ID: The provided app ID does not look like a valid app ID.")
        address = asked.get("redirect_uri", "")
        known = app.get("redirect_uris") or []
        if address not in known if known else not _on_this_machine(address):
            raise NotShown(
                "URL Blocked: This redirect failed because the redirect URI is not whitelisted in the app's Client "
                "OAuth Settings. Make sure Client and Web OAuth Login are on and add all your app domains as Valid "
                "OAuth Redirect URIs."
            )
        if asked.get("response_type", "code") != "code":
            raise NotShown("Only response_type=code is played here.")
        if strange := [name for name in _scopes(asked) if name not in PERMISSIONS]:
            raise NotShown(f"Invalid Scopes: {', '.join(strange)}. This message is only shown to developers.")
        if "code_challenge" in asked and asked.get("code_challenge_method", "plain") != "S256":
            raise NotShown("Invalid code_challenge_method parameter: only S256 is played here.")
        return app

    def _question(self, app: Mapping[str, Any], asked: Mapping[str, str], path: str) -> str:
        people = list(self._shelf.all("fb_user"))
        person = self._person(asked, people)
        if person is None:
            return _who(asked, people, path)
        wanted = "".join(f"<li>{escape(PERMISSIONS[name])} <small>({name})</small></li>" for name in _scopes(asked))
        pages = [page for page in self._shelf.all("fb_page") if page["tasks"].get(person["id"])]
        boxes = "".join(
            f"<label><input type='checkbox' name='page' value='{escape(page['id'])}' checked> "
            f"{escape(page['name'])}</label>"
            for page in pages
        )
        carried = {**asked, "user": person["id"]}
        hidden = "".join(
            f"<input type='hidden' name='{escape(name)}' value='{escape(value)}'>" for name, value in carried.items()
        )
        return (
            f"<p><strong>{escape(app.get('name', 'Relais'))}</strong> (application n° {escape(app['id'])}) demande "
            f"à agir pour vous, {escape(person['name'])}.</p><h2>Autorisations demandées</h2><ul>{wanted}</ul>"
            f"<form method='post' action='{escape(path)}'>{hidden}<fieldset><legend>Pages concernées</legend>"
            f"{boxes or '<p>Vous ne gérez aucune page.</p>'}</fieldset>"
            "<p><button class='yes' name='answer' value='yes'>Continuer</button> "
            "<button name='answer' value='no'>Annuler</button></p></form>"
        )

    @staticmethod
    def _person(asked: Mapping[str, str], people: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        if len(people) == 1 and "user" not in asked:
            return people[0]
        return next((person for person in people if person["id"] == asked.get("user")), None)

    def _answered(self, app: Mapping[str, Any], asked: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> Reply:
        state = {"state": asked["state"]} if "state" in asked else {}
        given = dict(pairs)
        if given.get("answer") != "yes":
            return _back(
                asked["redirect_uri"],
                {
                    "error": "access_denied",
                    "error_code": "200",
                    "error_description": "Permissions error",
                    "error_reason": "user_denied",
                    **state,
                },
            )
        if self._shelf.get("fb_user", given.get("user", "")) is None:
            raise NotShown("Nobody is signed in to this Facebook.")
        code = self.grant(
            app_id=app["id"],
            user_id=given["user"],
            redirect_uri=asked["redirect_uri"],
            scopes=_scopes(asked),
            pages=[value for name, value in pairs if name == "page"],
            challenge=asked.get("code_challenge"),
        )
        return _back(asked["redirect_uri"], {"code": code, **state})

    # --- codes ---

    def grant(
        self,
        *,
        app_id: str,
        user_id: str,
        redirect_uri: str,
        scopes: Sequence[str],
        pages: Sequence[str] | None = None,
        challenge: str | None = None,
    ) -> str:
        """A code for what a person has consented to; `pages` None stands for all of theirs."""
        code = "AQ" + secrets.token_urlsafe(90)
        thing = {
            "code": code,
            "app_id": app_id,
            "user_id": user_id,
            "redirect_uri": redirect_uri,
            "scopes": list(scopes),
            "pages": None if pages is None else list(pages),
            "challenge": challenge,
            "ends_at": (self._clock.now() + CODE_LASTS).timestamp(),
            "used": False,
        }
        self._shelf.put("fb_code", code, thing)
        return code

    def exchange(self, params: Mapping[str, str]) -> dict[str, Any]:
        """A short-lived token for a code: once, in time, to the same app, with its address and its verifier."""
        app = self._tokens.app_with_secret(params)
        known = self._shelf.get("fb_code", params["code"])
        if known is None or known["app_id"] != app["id"]:
            raise GraphProblem(100, "Invalid verification code format.")
        if known["used"]:
            raise GraphProblem(100, "This authorization code has been used.", subcode=36009)
        if known["ends_at"] <= self._clock.now().timestamp():
            raise GraphProblem(100, "This authorization code has expired.", subcode=36007)
        if params.get("redirect_uri") != known["redirect_uri"]:
            message = (
                "Error validating verification code. Please make sure your redirect_uri is identical to the one you "
                "used in the OAuth dialog request"
            )
            raise GraphProblem(100, message, subcode=36008)
        # Used up also by a wrong verifier: whoever tries does not get a second try.
        self._shelf.put("fb_code", params["code"], {**known, "used": True})
        if known["challenge"] and not _fits(params.get("code_verifier", ""), known["challenge"]):
            raise bad_parameter("Invalid code_verifier parameter")
        return self._tokens.issue_short(
            app_id=app["id"], user_id=known["user_id"], scopes=known["scopes"], pages=known["pages"]
        )


def _fits(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def _scopes(asked: Mapping[str, str]) -> list[str]:
    return [name for name in asked.get("scope", "").replace(",", " ").split() if name] or ["public_profile"]


def _on_this_machine(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname in LOOPBACK


def _pairs(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _who(asked: Mapping[str, str], people: Sequence[Mapping[str, Any]], path: str) -> str:
    if not people:
        raise NotShown("Personne n’a de compte sur ce Facebook d’entraînement.")
    links = "".join(
        f"<li><a class='person' href='{escape(path)}?{escape(urlencode({**asked, 'user': person['id']}))}'>"
        f"Continuer en tant que {escape(person['name'])}</a></li>"
        for person in people
    )
    return f"<h2>Qui êtes-vous ?</h2><ul>{links}</ul>"


def _back(address: str, told: Mapping[str, str]) -> Reply:
    parts = urlsplit(address)
    query = "&".join(part for part in (parts.query, urlencode(told)) if part)
    location = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
    return Reply(303, b"", {"location": location})


def _page(title: str, body: str, *, status: int = 200) -> Reply:
    html = (
        "<!doctype html><html lang='fr'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        "<p class='note'>Ceci n’est pas Facebook : c’est le bac à sable de Relais, pour s’exercer. "
        f"Rien ne sort de cette machine.</p>{body}</main></body></html>"
    )
    return Reply(status, html.encode(), {"content-type": "text/html; charset=utf-8", "referrer-policy": "no-referrer"})
