"""Reach per territory: the report, and the tidy export."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from hub.domain.account import AccountNetwork
from hub.domain.post import Kind
from hub.services import cataloguing, geotargeting, reporting, trending
from hub.services.exporting import Format
from hub.services.reporting import By, Frame
from hub.services.trending import Step
from hub.web.api.typed import HOME_ZONE, Answer, First, Last, period
from hub.web.deps import Now, ReadDb, SignedIn, TheHub
from hub.web.exports import MEDIA_TYPES, Wish, answer, require_territory
from hub.web.problems import documented

router = APIRouter(prefix="/reach", tags=["reach"], responses=documented(401, 403))

Territory = Annotated[str | None, Query(max_length=8, description="Only what counts for it or for a part of it.")]
OfNetwork = Annotated[AccountNetwork | None, Query(description="Only this network.")]
OfKind = Annotated[Kind | None, Query(description="Only posts of this kind.")]
OfAccount = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only this account, by its number.")]


@router.get("/report", summary="Reach over a period.")
def report(
    person: SignedIn,
    session: ReadDb,
    now: Now,
    by: By = By.TERRITORY,
    first: First = None,
    last: Last = None,
    territory: Territory = None,
    network: OfNetwork = None,
    kind: OfKind = None,
    account: OfAccount = None,
) -> Answer:
    """People are never added up; what a network did not say is null, never 0. Without dates: the last four weeks.

    Each row says how it compares with the period before: `change` is in percent, and null where nothing can be said
    (`against` says why: no figure then, only a part of it, or another measure).
    """
    begin, end = period(first, last, usual=_four_weeks(now))
    require_territory(session, territory)
    ask = partial(
        reporting.report,
        session,
        by=person,
        order=by,
        territory=territory,
        network=network,
        kind=kind,
        account_id=account,
    )
    told = ask(first=begin, last=end)
    first_before, last_before = trending.before(begin, end)
    before = ask(first=first_before, last=last_before)
    changes = trending.compare_reports(told, before, cataloguing.catalogue(session).breaks(first_before, end))
    land = geotargeting.atlas(session)
    answer = told.plain()
    for row, change in zip(answer["rows"], changes, strict=True):
        earlier = change.before
        row |= {
            "before": earlier.value if earlier else None,
            "change": None if change.percent is None else round(change.percent, 1),
            "against": change.against,
        }
    return answer | {
        "before": {"from": first_before.isoformat(), "to": last_before.isoformat()},
        "silent_names": {code: land.name(code) for code in told.silent},
    }


@router.get("/trend", summary="Reach as it changes, day by day, week by week or month by month.")
def trend(
    person: SignedIn,
    session: ReadDb,
    now: Now,
    step: Step | None = None,
    by: Literal["territory"] | None = None,
    first: First = None,
    last: Last = None,
    territory: Territory = None,
    network: OfNetwork = None,
    kind: OfKind = None,
    account: OfAccount = None,
) -> Answer:
    """By the days on which posts were published, where they were. Without dates: the last four weeks.

    Figures of different networks or provenance stand apart; a step without a post is absent, a figure that a network
    did not tell has null for its value.
    """
    begin, end = period(first, last, usual=_four_weeks(now))
    require_territory(session, territory)
    wanted = step or trending.fitting(begin, end)
    frame = reporting.Frame(begin, end, territory, account, kind, network)
    points = trending.steps(session, frame, wanted, by=person, keys=("area",) if by else ())
    land = geotargeting.atlas(session)
    return {
        "from": begin.isoformat(),
        "to": end.isoformat(),
        "step": wanted,
        "points": [
            {
                "first": point.first.isoformat(),
                "territory": point.told.key[0] if by else territory,
                "name": land.name(point.told.key[0]) if by else None,
                "network": point.told.network,
                "provenance": point.told.provenance,
                "deliveries": point.told.deliveries,
                "figures": {unit: {"value": cell.value, "how": cell.how} for unit, cell in point.told.cells.items()},
            }
            for point in points
        ],
        "breaks": [
            asdict(one) | {"day": one.day.isoformat()} for one in cataloguing.catalogue(session).breaks(begin, end)
        ],
    }


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
