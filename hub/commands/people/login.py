"""`relais login`, `logout`, `whoami`."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.language import _


def login(
    email: Annotated[str | None, typer.Argument(help=_("Your e-mail address; asked for when left out."))] = None,
    url: Annotated[
        str | None, typer.Option(help=_("Address of the Relais, such as https://relais.example.org."))
    ] = None,
    password_file: Annotated[
        str | None, typer.Option(help=_("File that holds the password; else it is typed, or read from standard input."))
    ] = None,
) -> None:
    """Exchange e-mail and password for a token, and keep it."""
    import platform
    import sys

    from hub.commands import client, terminal
    from hub.domain.errors import Invalid

    where = client.Client(url or client.usual_url())
    if not email:
        if not sys.stdin.isatty():
            raise Invalid(_("Give your e-mail address: “relais login name@example.org”."))
        email = str(typer.prompt(_("E-mail")))
    password = terminal.read_secret(_("Password:"), password_file)
    if not password:
        raise Invalid(_("No password was given."))
    name = f"relais login {platform.node()}".strip()[:100]
    typed = {"email": email, "password": password, "name": name}
    try:
        told = where.post("/login", typed)
    except Invalid as refused:
        if not sys.stdin.isatty() or [one.field for one in refused.problems] != ["code"]:
            raise
        told = where.post("/login", typed | {"code": str(typer.prompt(_("Code of your authenticator")))})
    client.keep_login(where.url, told["token"])
    terminal.say(_("Good day, {name}. You are logged in at {url}.", name=told["person"]["name"], url=where.url))


def logout() -> None:
    """Revoke the kept token and forget it."""
    from hub.commands import client, terminal
    from hub.domain.errors import NotSignedIn

    try:
        client.require_login().delete("/tokens/current")
    except NotSignedIn:
        terminal.say(_("Nobody was logged in."))
    else:
        terminal.say(_("Logged out."))
    client.forget_login()


def whoami(as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False) -> None:
    """Print who is logged in, where, with which roles."""
    from hub.commands import client, terminal

    here = client.require_login()
    me = here.get("/me")
    if as_json:
        terminal.say_json(me | {"url": here.url})
        return
    terminal.say(f"{me['name']} <{me['email']}> · {here.url}")
    for role in me["roles"]:
        terminal.say(f"  {_(role['kind'])} {role['territory']}")
    if not me["roles"]:
        terminal.say("  " + _("You have no role yet: ask an administrator for one."))
