"""How many people a territory has of those that posts are meant for, and who says so."""

from __future__ import annotations

from sqlmodel import Session, col, select

from hub.domain.population import Cohort, Population


def newest(session: Session, cohort: Cohort) -> dict[str, Population]:
    """The newest known population of a group, by territory code."""
    rows = session.exec(select(Population).where(Population.cohort == cohort).order_by(col(Population.year)))
    return {one.territory_code: one for one in rows}
