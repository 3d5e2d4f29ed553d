"""The report to print: a page for the browser's own printing, or a PDF that is made here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hub.printing import find_chromium
from hub.web import printed
from hub.web.api.typed import Day
from hub.web.deps import Now, TheHub
from hub.web.pages import page, query
from hub.web.visits import Inside

router = APIRouter()

HERE = "/equipe/portee/rapport"


@router.get("/portee/rapport")
def show(
    request: Request,
    visit: Inside,
    hub: TheHub,
    now: Now,
    du: Day | None = None,
    au: Day | None = None,
    territoire: Annotated[str, Query(max_length=8)] = "",
    forme: Annotated[str, Query(max_length=4)] = "",
) -> Response:
    """The report over a period, by default the last four weeks; of one territory, or of all that is this person's."""
    report = printed.gathered(hub, visit.actor, du, au, territoire or None, at=now)
    if forme == "pdf":
        return printed.pdf(hub, report)
    asked = {"du": report.first, "au": report.last, "territoire": territoire}
    pdf = HERE + query(**asked, forme="pdf") if find_chromium(hub.settings.chromium) else ""
    ways = {"back": "/equipe/portee" + query(**asked), "pdf": pdf}
    return page(request, "reach/print.html", ways=ways, **printed.context(report))
