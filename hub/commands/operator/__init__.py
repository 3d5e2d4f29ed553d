"""Commands of those who keep the machine: they work on the database directly, one file per noun."""

from __future__ import annotations

import typer

from hub.language import _


def register(app: typer.Typer) -> None:
    """Put every operator command into the command line."""
    from hub.commands import demo, territory
    from hub.commands.operator import (
        account,
        audit,
        copy,
        doctor,
        figures,
        geo,
        hold,
        init,
        metrics,
        population,
        sandbox,
        secrets,
        serve,
        user,
        worker,
    )

    app.command("init", help=_("Make database, key and reference data, or bring them up to date."))(init.init)
    app.command("serve", help=_("Serve API and public pages, and publish what is due."))(serve.serve)
    app.command("worker", help=_("Publish what is due from a shared PostgreSQL, beside other workers."))(worker.worker)
    app.command("copy", help=_("Move this SQLite hub to a PostgreSQL, or compare the two."))(copy.copy)
    app.command("demo", help=_("Play three weeks of a whole country on the sandbox, then serve it."))(demo.demo)
    app.command("sandbox", help=_("Play Facebook and X on this machine."))(sandbox.sandbox)
    app.command("doctor", help=_("Say what is ill and what needs care."))(doctor.doctor)
    app.add_typer(territory.app, name="territory")
    app.add_typer(user.build(), name="user", help=_("People, their roles and tokens."))
    app.add_typer(account.build(), name="account", help=_("Pages and profiles, and how they are."))
    app.add_typer(geo.build(), name="geo", help=_("How networks are told territories."))
    app.add_typer(metrics.build(), name="metrics", help=_("What the figures of networks count."))
    app.add_typer(population.build(), name="population", help=_("How many young people each territory has."))
    app.add_typer(figures.build(), name="figures", help=_("Whether reports tell what was read."))
    app.command("audit", help=_("Show who did what, newest first."))(audit.audit)
    app.add_typer(secrets.build(), name="secrets", help=_("Keys of what is encrypted."))
    app.add_typer(hold.build(), name="hold", help=_("The emergency stop of all publishing."))
