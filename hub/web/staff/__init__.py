"""Pages of those who work here, under /equipe: each room is one place of the menu."""

from __future__ import annotations

from fastapi import APIRouter

from hub.web.security import FromOwnPage
from hub.web.staff import (
    accounts,
    approve,
    calendar,
    compose,
    coverage,
    day,
    entrance,
    factor,
    journal,
    linking,
    me,
    people,
    policies,
    post,
    printout,
    reach,
)

router = APIRouter(prefix="/equipe", include_in_schema=False, dependencies=[FromOwnPage])

# The first page has no address of its own below /equipe, which no room can say.
router.get("")(day.show)

# Rooms are tried in this order: those of every day first, and a fixed address before one with a number in its place.
for room in (
    compose,
    post,
    approve,
    calendar,
    coverage,
    printout,
    reach,
    linking,
    accounts,
    me,
    entrance,
    factor,
    people,
    journal,
    policies,
):
    router.include_router(room.router)
