"""`relais audit`: who did what, when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.language import _

if TYPE_CHECKING:
    from datetime import datetime


NAMES = ("id", "at", "by_id", "by_name", "action", "thing", "before", "after")
"""What `--json` tells of each entry."""

SHOWN = ("at", "by_name", "action", "thing", "before", "after")


def audit(
    thing: Annotated[
        str | None, typer.Option(help=_("Only this thing (post:7), or things of this kind (post)."))
    ] = None,
    by: Annotated[str | None, typer.Option(help=_("Only what this person did (name or e-mail address)."))] = None,
    since: Annotated[
        str | None, typer.Option(metavar="MOMENT", help=_("Only from this day or moment on, such as 2026-11-01."))
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help=_("At most so many."))] = 50,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print data for programs."))] = False,
) -> None:
    """Show the newest audit rows, newest first."""
    from hub.commands import terminal
    from hub.commands.operator.opening import open_hub
    from hub.database import reading
    from hub.services import auditing

    start = _moment(since) if since is not None else None
    with reading(open_hub().engine) as session:
        entries = auditing.list_entries(session, thing=thing, by=by, since=start, limit=limit)
        told = [{name: getattr(entry, name) for name in NAMES} for entry in entries]
    if as_json:
        terminal.say_json(told)
        return
    columns = [_("When (UTC)"), _("Who"), _("What"), _("Thing"), _("Before"), _("After")]
    terminal.table(columns, ([_cell(one[name]) for name in SHOWN] for one in told))


def _cell(value: object) -> str:
    import json
    from datetime import datetime

    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else json.dumps(value, ensure_ascii=False)


def _moment(text: str) -> datetime:
    """A day or moment as it is typed; UTC unless it says otherwise."""
    from datetime import UTC, datetime

    from hub.domain.errors import Invalid

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            _("“{text}” is not a moment: write 2026-11-01 or 2026-11-01T08:00+01:00.", text=text), field="since"
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
