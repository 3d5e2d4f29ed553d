"""What the demo says when it is ready."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from hub.commands import terminal
from hub.commands.demo import country
from hub.commands.demo.story import LENGTH
from hub.database import reading
from hub.domain.clock import local_day
from hub.domain.reach import Unit
from hub.language import _
from hub.services import joining, reporting
from hub.wiring import Hub


def tell(told: dict[str, Any], hub: Hub, home: Path, address: str | None) -> None:
    """What happened, the report per territory, how to get in, three commands to try."""
    access = country.read_access(home)
    _report(hub, access["analyst"].email)
    say = terminal.say
    states, seen = told["deliveries"], told["sandbox"]
    say("")
    say(
        _(
            "{posts} posts, {sent} deliveries published, {waiting} waiting; on the sandbox {facebook} Facebook and {x} "
            "X posts: {duplicates} twice, {outside} outside their territory.",
            posts=told["posts"],
            sent=states["sent"],
            waiting=states["waiting"],
            facebook=seen["facebook_posts"],
            x=seen["x_posts"],
            duplicates=seen["duplicates"],
            outside=seen["outside_territory"],
        )
    )
    say(_("Report per territory: {file}", file=told["report"]))
    if address is None:
        return
    say("")
    say(_("The portal is at {address}. Sign in at {address}/equipe as:", address=address))
    terminal.table(
        [_("Role"), _("E-mail"), _("Password")],
        [[role, one.email, one.password] for role, one in access.items()],
    )
    token = access["coordinator"].token
    say("")
    say(_("Try, in another terminal:"))
    say(f"  export RELAIS_URL={address} RELAIS_TOKEN={token}")
    say("  .venv/bin/relais post list --state submitted")
    say("  .venv/bin/relais reach report --by territory")
    say("  .venv/bin/relais territory find 42620")
    say("")
    say(_("For an operator’s commands, such as “relais account check 2”, first:"))
    say(f"  set -a; . {home}/demo.env; set +a")
    say("")
    say(_("Everything is in {folder}. Ctrl-C stops the demo.", folder=home))


def _report(hub: Hub, email: str) -> None:
    """Reach of the three weeks: one line per territory, people never added up."""
    today = local_day(hub.now(), "Europe/Paris")
    with reading(hub.engine) as session:
        person = joining.person_by_email(session, email)
        assert person.id is not None
        by = joining.actor_for(session, person.id)
        report = reporting.report(session, by=by, first=today - LENGTH - timedelta(days=1), last=today)
    rows = [
        [row.name, row.account, _provenance(row), row.posts, reporting.shown(row)]
        for row in report.rows
        if row.unit in {Unit.PEOPLE, Unit.IMPRESSIONS}
    ]
    columns = [_("Territory"), _("Account"), _("Provenance"), _("Posts"), _("Reach")]
    terminal.table(columns, rows, title=_("Reach per territory, three weeks"), right=[columns[3], columns[4]])


def _provenance(row: reporting.Row) -> str:
    return _(reporting.PROVENANCE_NAMES[row.provenance]) if row.provenance else "—"
