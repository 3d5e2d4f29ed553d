"""The REST API: everything that pages and people's commands can do, under /api/v1; one file per noun."""

from __future__ import annotations

from fastapi import APIRouter

from hub.web.api import calendar, deliveries, people, places, posts, prints, reach
from hub.web.problems import documented

router = APIRouter(prefix="/api/v1", responses=documented(413, 422, 503))
for room in (people, places, posts, calendar, deliveries, reach, prints):
    router.include_router(room.router)
