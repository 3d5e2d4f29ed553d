"""Where what the portal shows of structures comes from."""

from __future__ import annotations

from datetime import date

from sqlmodel import Session, col, func, select

from hub.domain.place import Place
from hub.domain.table import by_letters
from hub.services import placing


def sources(session: Session) -> list[tuple[str, int, date | None]]:
    """Each source of living places, how many there are of it, and the newest day on which it looked at one."""
    rows = session.exec(
        select(Place.source, func.count(), func.max(Place.dated_on))
        .where(*placing.is_living())
        .group_by(col(Place.source))
        .order_by(by_letters(col(Place.source)))
    )
    return [(source, number, newest) for source, number, newest in rows]
