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
    reach,
)

router = APIRouter(prefix="/equipe", include_in_schema=False, dependencies=[FromOwnPage])

# In this order: a fixed address before one with a number in its place.
for room in (
    linking,
    accounts,
    calendar,
    compose,
    coverage,
    entrance,
    factor,
    journal,
    me,
    people,
    policies,
    approve,
    post,
    reach,
):
    router.include_router(room.router)

# The first page has no address of its own below /equipe, which no room can say.
router.get("")(day.show)
