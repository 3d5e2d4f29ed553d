"""The report to print, as a file: HTML that is whole in itself, or a PDF."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from hub.web import printed
from hub.web.api.typed import First, Last
from hub.web.deps import Now, SignedIn, TheHub
from hub.web.problems import documented

router = APIRouter(prefix="/reach", tags=["reach"], responses=documented(401, 403, 404, 429))


@router.get(
    "/print",
    summary="The report over a period, to print.",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "application/pdf": {}}}},
)
def print_report(
    person: SignedIn,
    hub: TheHub,
    now: Now,
    first: First = None,
    last: Last = None,
    territory: Annotated[str | None, Query(max_length=8)] = None,
    format: Literal["html", "pdf"] = "html",  # noqa: A002 - the name in the address
) -> Response:
    """Of one territory, or of all that is yours; own counts from 1 to 4 are told as “< 5”. A PDF needs Chromium."""
    report = printed.gathered(hub, person, first, last, territory, at=now)
    return printed.pdf(hub, report) if format == "pdf" else printed.html(report)
