"""The audit as people read it: who did what, day by day, with what was before and after."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session

from hub.domain.audit import CLOCK, OPERATOR
from hub.domain.clock import end_of_day, local_day
from hub.domain.errors import FieldProblem, Invalid
from hub.language import _
from hub.services import auditing, joining, recounting
from hub.services.auditing import Asked
from hub.services.recounting import DEEDS
from hub.web.deps import LARGEST_ID, ReadDb
from hub.web.forms import Form, filled
from hub.web.pages import HOME, page, query
from hub.web.visits import Inside

router = APIRouter()

Short = Annotated[str, Query(max_length=254)]


@router.get("/journal")
def journal(
    request: Request,
    visit: Inside,
    session: ReadDb,
    thing: Annotated[str, Query(alias="objet", max_length=60)] = "",
    who: Annotated[str, Query(alias="qui", max_length=254)] = "",
    action: Annotated[str, Query(max_length=60)] = "",
    first: Annotated[str, Query(alias="du", max_length=20)] = "",
    last: Annotated[str, Query(alias="au", max_length=20)] = "",
    below: Annotated[int | None, Query(alias="avant", ge=1, le=LARGEST_ID)] = None,
) -> Response:
    """A page of the audit, newest first, as it was asked for."""
    chosen = {"objet": thing, "qui": who, "action": action, "du": first, "au": last}
    form, asked = _read(filled(chosen))
    found = auditing.browse(session, asked, by=visit.actor, below=below)
    deeds = recounting.deeds(session, found.entries)
    return page(
        request,
        "journal/journal.html",
        status=422 if form.problems else 200,
        form=form,
        days=[(day, list(some)) for day, some in groupby(deeds, key=lambda one: local_day(one.at, HOME))],
        about=recounting.thing_name(session, thing),
        asked=any(chosen.values()),
        people=_people(session),
        groups=[
            (kind, _(name), [(one, _(words)) for one, words in names.items()]) for kind, (name, names) in DEEDS.items()
        ],
        without_thing=f"/equipe/journal{query(**(chosen | {'objet': ''}))}",
        older=f"/equipe/journal{query(**chosen, avant=found.older)}" if found.older else None,
    )


def _read(form: Form) -> tuple[Form, Asked]:
    """What is asked for; a day that is none is told beside its field and left out."""
    problems: list[FieldProblem] = []
    first, last = _day(form, "du", problems), _day(form, "au", problems)
    if first and last and last < first:
        problems.append(FieldProblem("au", _("The last day comes before the first.")))
    since = end_of_day(first - timedelta(days=1), HOME) if first else None
    before = end_of_day(last, HOME) if last else None
    asked = Asked(form["objet"], form["qui"], form["action"], since, before)
    return (form.refused(Invalid(problems)) if problems else form), asked


def _day(form: Form, name: str, problems: list[FieldProblem]) -> date | None:
    if not form[name]:
        return None
    try:
        day = datetime.strptime(form[name], "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        problems.append(FieldProblem(name, _("Write a date, such as 2026-12-01.")))
        return None
    if not 1900 <= day.year <= 2200:
        problems.append(FieldProblem(name, _("Check the year.")))
        return None
    return day


def _people(session: Session) -> list[tuple[str, str]]:
    """Who may have done something, for the list to choose from."""
    names = [(person.email, person.name) for person, _held in joining.list_people(session)]
    names.sort(key=lambda one: one[1].casefold())
    return [
        ("", _("Anybody")),
        (CLOCK, recounting.actor_name(CLOCK)),
        (OPERATOR, recounting.actor_name(OPERATOR)),
        *names,
    ]
