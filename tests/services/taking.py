"""What somebody takes away: the rows of an export, planned and read on the stage or made up."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import duckdb

from hub.database import reading, writing
from hub.domain.metric import Catalogue
from hub.domain.reach import PageFigure, Unit
from hub.services import cataloguing, exporting, lining
from hub.services.exporting import COLUMNS, Entry, Head, Plan
from hub.services.reporting import Frame
from tests.services.desk import Desk

NOVEMBER = Frame(date(2026, 11, 1), date(2026, 11, 30))


def planned(desk: Desk, by: str = "analyst", **narrowed: Any) -> Plan:
    """What somebody may take away of November."""
    with reading(desk.stage.hub.engine) as session:
        return exporting.plan(session, replace(NOVEMBER, **narrowed), by=desk.who(by))


def entries(desk: Desk, plan: Plan) -> Iterator[Entry]:
    """Everything that was planned."""
    return exporting.entries(partial(reading, desk.stage.hub.engine), plan)


def taken(desk: Desk, by: str = "analyst", **narrowed: Any) -> list[dict[str, Any]]:
    """The rows that somebody takes away, each cell with its type."""
    plan = planned(desk, by, **narrowed)
    told = exporting.rows(entries(desk, plan), plan.catalogue.version)
    return [dict(zip(COLUMNS, row, strict=True)) for row in told]


def written(desk: Desk, by: str = "analyst", *, separator: str = ",", **narrowed: Any) -> str:
    """The same as CSV."""
    plan = planned(desk, by, **narrowed)
    return "".join(lining.csv(entries(desk, plan), plan.catalogue.version, separator=separator))


def read_back(text: str, separator: str = ",") -> list[dict[str, str]]:
    """CSV, as a spreadsheet reads it."""
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


def asked(query: str) -> list[tuple[Any, ...]]:
    """What DuckDB answers; it reads what we wrote and knows nothing of us."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


def page_figure(desk: Desk, account: str, metric: str, day: date, value: int | None, **rest: Any) -> None:
    """What a network told of a page as a whole."""
    told = {"period": "day", "dimension": "", "unit": Unit.PEOPLE} | rest
    read = datetime.combine(day, datetime.min.time(), tzinfo=desk.now.tzinfo) + timedelta(days=1, hours=6)
    with writing(desk.stage.hub.engine) as session:
        session.add(
            PageFigure(
                account_id=desk.stage.accounts[account],
                metric=metric,
                day=day,
                value=value,
                missing=None if value is not None else "not available",
                first_read_at=read,
                last_read_at=read + timedelta(days=1),
                **told,
            )
        )


# --- Made up --------------------------------------------------------------------------------------------------


def made_up_plan() -> Plan:
    """A plan of nothing, for rows that nobody read."""
    catalogue = Catalogue(cataloguing.shipped(), "2")
    return Plan(NOVEMBER, (), {}, (), {"FR": ("France", "country")}, catalogue, ("FR",))


def made_up(rows: int, *, account: str = "Page de l'académie") -> Iterator[Entry]:
    """So many rows, four to a delivery, made as they are asked for."""
    metrics = (("post_clicks", "clicks"), ("post_media_view", "views"), ("reactions", "reactions"), ("seen", "people"))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(rows // 4):
        read = (begin + timedelta(minutes=number)).replace(tzinfo=None).isoformat(" ")
        head = Head(
            date(2026, 11, 1 + number % 30), "A-14", "Rennes", "academie", account, "facebook", number, number, "event",
            "own page", "yes",
        )  # fmt: skip
        yield head, [
            (metric, unit, None if (number + place) % 7 == 0 else number * 31 % 9973,
             "not available" if (number + place) % 7 == 0 else None, read, read, number)
            for place, (metric, unit) in enumerate(metrics)
        ]  # fmt: skip
