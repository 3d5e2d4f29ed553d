"""Reach per territory: the report, and the tidy export."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from hub.services import geotargeting, reporting
from hub.services.exporting import Format
from hub.services.reporting import By, Frame
from hub.web.api.typed import HOME_ZONE, Answer, First, Last, period
from hub.web.deps import Now, ReadDb, SignedIn, TheHub
from hub.web.exports import MEDIA_TYPES, Wish, answer, require_territory
from hub.web.problems import documented

router = APIRouter(prefix="/reach", tags=["reach"], responses=documented(401, 403))


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
    require_territory(session, territory)
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
    responses={200: {"content": {media_type.split(";")[0]: {} for media_type in MEDIA_TYPES.values()}}},
)
def export(
    person: SignedIn,
    hub: TheHub,
    now: Now,
    first: First = None,
    last: Last = None,
    territory: Annotated[str | None, Query(max_length=8)] = None,
    format: Format = Format.CSV,  # noqa: A002 - the name in the address
    separator: Annotated[Literal[",", ";"], Query(description="Of CSV.")] = ",",
    bom: Annotated[bool, Query(description="Of CSV: begin with a byte order mark, as Excel likes it.")] = False,
) -> StreamingResponse:
    """Streamed, so that its size does not matter; only a workbook holds no more than 1,048,575 rows."""
    begin, end = period(first, last, usual=_four_weeks(now))
    return answer(hub, person, Frame(begin, end, territory), Wish(format, separator, bom))
