"""The kinds of places that we ship, laid beside those of the operator."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlmodel import Session, select

from hub.database import in_turn
from hub.domain.audit import OPERATOR, note
from hub.domain.place import PlaceType
from hub.services import tabulating
from hub.services.reference import SHIPPED

FILE: Final = SHIPPED / "place_types.csv"

COLUMNS: Final = ("code", "name", "plural", "does", "rank", "has_sectors")


def lay(session: Session, *, at: datetime) -> int:
    """Lay the kinds that we ship, or bring them up to date; return how many changed. Kinds of others are left alone."""
    in_turn(session, "place types")
    present = {one.code: one.model_dump() for one in session.exec(select(PlaceType))}
    changed = [row for row in _shipped() if present.get(row["code"]) != row]
    for row in changed:
        session.merge(PlaceType(**row))
    session.flush()
    if changed:
        note(session, "places.lay", "places:kinds", by=OPERATOR, at=at, after={"changed": len(changed)})
    return len(changed)


@cache
def _shipped() -> tuple[dict[str, Any], ...]:
    with FILE.open(encoding="utf-8") as file:
        return tuple(
            {
                **{name: line[name] for name in ("code", "name", "plural", "does")},
                "rank": int(line["rank"]),
                "has_sectors": line["has_sectors"] == "yes",
            }
            for line in tabulating.table(file, COLUMNS)
        )
