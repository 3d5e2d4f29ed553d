"""Commands of people: everything goes through the REST API, with a person's token."""

from __future__ import annotations

import typer

from hub.language import _


def register(app: typer.Typer) -> None:
    """Put every people's command into the command line."""
    from hub.commands.people import calendar, delivery, login, post, reach, reach_print

    app.command("login", help=_("Log in with e-mail and password."))(login.login)
    app.command("logout", help=_("Log out: the kept token is revoked."))(login.logout)
    app.command("whoami", help=_("Show who is logged in, with which roles."))(login.whoami)
    app.add_typer(post.app, name="post")
    app.command("approve", help=_("Approve a post, or hold some of its destinations."))(post.approve)
    app.command("return", help=_("Return a post to its author, with the reason."))(post.give_back)
    app.command("calendar", help=_("Show what goes out when."))(calendar.calendar)
    app.add_typer(delivery.app, name="delivery")
    reach.app.command("print", help=_("Write the report over a period to print it: a PDF, or HTML."))(
        reach_print.print_report
    )
    app.add_typer(reach.app, name="reach")
