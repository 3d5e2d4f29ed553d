"""Pages of those who work here, under /equipe: each room is one place of the menu."""

from __future__ import annotations

from fastapi import APIRouter

from hub.web.security import FromOwnPage
from hub.web.staff import accounts, calendar, compose, coverage, entrance, factor, linking

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
):
    router.include_router(room.router)
