"""My day: the first page, with what waits for whoever opens it and the next step."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response

from hub.domain.person import Actor
from hub.domain.reach import How, Unit
from hub.domain.sheet import Sheet
from hub.domain.territory import Atlas
from hub.language import N_, _, ngettext
from hub.services import awaiting, geotargeting
from hub.services.awaiting import Day, Told
from hub.services.reporting import UNIT_NAMES
from hub.services.showing import title
from hub.web.deps import Now, ReadDb, TheHub
from hub.web.pages import HOME, number, page
from hub.web.staff import calendar_grid as grid
from hub.web.visits import Inside

SHOWN: Final = (Unit.PEOPLE, Unit.VIEWS, Unit.IMPRESSIONS, Unit.CLICKS)
"""Figures on this page; the others are on the post's own."""

ROAD: Final = (
    (N_("You write it"), N_("Words, territories, time: ten minutes, also on a phone. What you type is kept.")),
    (N_("A coordinator approves it"), N_("Or returns it with a reason; you find that here.")),
    (N_("It goes out by itself"), N_("At its time, limited to your territories. Nothing more to do.")),
    (N_("You see whom it reached"), N_("The first figures come after an hour.")),
)
"""From draft to published, for somebody's first day."""


def show(request: Request, visit: Inside, session: ReadDb, hub: TheHub, now: Now) -> Response:
    """What waits for me, what goes out today, how the last posts did."""
    day = awaiting.day(session, by=visit.actor, at=now, terms=hub.terms, rules=hub.rules)
    land = geotargeting.atlas(
        session, [*visit.actor.territories(), *(code for slot in day.today for code in slot.codes)]
    )
    zone = _zone(land, visit.actor)
    return page(
        request,
        "day/day.html",
        day=day,
        zone=zone,
        greeting=_greeting(visit.actor.name, now.astimezone(ZoneInfo(zone))),
        in_short=_in_short(day),
        chips=[grid.chip(slot, land) for slot in day.today],
        sheets=[(one, _sheet_title(one), _sheet_address(one)) for one in day.sheets],
        figures={done.post.id: [words(told) for told in done.figures if told.unit in SHOWN] for done in day.recent},
        road=[(_(step), _(hint)) for step, hint in ROAD],
        first_line=title,
    )


def _zone(land: Atlas, by: Actor) -> str:
    """The clocks of the first of one's territories."""
    return next((land.zone(code) for code in by.territories() if code in land), HOME)


def _greeting(name: str, at: datetime) -> str:
    if at.hour >= 18 or at.hour < 4:
        return _("Good evening {name}", name=name)
    return _("Good day {name}", name=name)


def _in_short(day: Day) -> str:
    """The state of things in one sentence: first what waits."""
    waiting = len(day.returned) + len(day.expired) + len(day.decisions) + day.to_approve
    if waiting:
        return ngettext("{count} thing waits for you.", "{count} things wait for you.", waiting)
    if day.accounts:
        return ngettext("{count} account needs care.", "{count} accounts need care.", len(day.accounts))
    if day.writes and not day.wrote:
        return _("Welcome. Here is how your first post comes to be.")
    return _("Nothing waits for you.")


def words(told: Told) -> str:
    """A figure in words: « at least » where it is a lower bound; a dash for what no network said."""
    name = _(UNIT_NAMES[told.unit])
    if told.how is How.AT_LEAST:
        return _("at least {number} {unit}", number=number(told.value), unit=name)
    return f"{number(told.value)} {name}"


def _sheet_title(sheet: Sheet) -> str:
    text = next((str(value) for name, value in sheet.fields if name == "text"), "")
    return title(text) if text.strip() else _("(no words yet)")


def _sheet_address(sheet: Sheet) -> str:
    where = f"{sheet.post_id}/modifier" if sheet.post_id else "nouvelle"
    return f"/equipe/publications/{where}?feuille={sheet.id}"
