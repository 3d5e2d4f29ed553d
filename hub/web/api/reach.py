"""Reach per territory: the report, and the tidy export."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from hub.database import reading
from hub.domain.errors import Invalid
from hub.domain.person import Actor
from hub.language import _
from hub.services import exporting, geotargeting, reporting
from hub.services.reporting import By
from hub.web.api.typed import HOME_ZONE, Answer, First, Last, period
from hub.web.deps import Now, ReadDb, SignedIn, TheHub
from hub.web.problems import documented
from hub.wiring import Hub

router = APIRouter(prefix="/reach", tags=["reach"], responses=documented(401, 403))

CHUNK: Final = 32 * 1024
"""Characters sent at once."""


@router.get("/report", summary="Reach over a period.")
def report(
    person: SignedIn,
    session: ReadDb,
    now: Now,
    by: By = By.TERRITORY,
    first: First = None,
    last: Last = None,
    territory: Annotated[str | None, Query(max_length=8)] = None,
) -> Answer:
    """People are never added up; what a network did not say is null, never 0. Without dates: the last four weeks."""
    begin, end = period(first, last, usual=_four_weeks(now))
    if territory is not None and territory not in geotargeting.atlas(session):
        raise Invalid(
            _("Reports are by département or larger: give a code such as FR, R-53, A-14 or D-35."), field="territory"
        )
    told = reporting.report(session, by=person, first=begin, last=end, order=by, territory=territory)
    land = geotargeting.atlas(session)
    return told.plain() | {"silent_names": {code: land.name(code) for code in told.silent}}


def _four_weeks(now: datetime) -> tuple[date, date]:
    today = now.astimezone(HOME_ZONE).date()
    return today - timedelta(days=27), today


@router.get(
    "/export",
    summary="Every figure of a period as tidy rows.",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
def export(
    person: SignedIn,
    hub: TheHub,
    now: Now,
    first: First = None,
    last: Last = None,
    format: Literal["csv"] = "csv",  # noqa: A002 - the name in the address
) -> StreamingResponse:
    """Streamed, so that its size does not matter; the session stays open as long and only reads."""
    begin, end = period(first, last, usual=_four_weeks(now))
    name = f"relais-portee-{begin.isoformat()}-{end.isoformat()}.{format}"
    return StreamingResponse(
        csv_chunks(hub, person, begin, end),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def csv_chunks(hub: Hub, person: Actor, begin: date, end: date, *, separator: str = ",") -> Iterator[str]:
    """The export in pieces of a good size; the session stays open until the last one."""
    with reading(hub.engine) as session:
        waiting = ""
        rows = exporting.export_rows(session, by=person, first=begin, last=end)
        for line in exporting.csv_lines(rows, separator=separator):
            waiting += line
            if len(waiting) > CHUNK:
                yield waiting
                waiting = ""
        yield waiting
