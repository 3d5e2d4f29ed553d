"""What everybody may see: areas near home, items, structures, and what the law asks for. Counts, and nothing of anybody."""  # noqa: E501

from fastapi import APIRouter

from hub.web.portal import areas, following, home, items, machines, places, told

router = APIRouter(include_in_schema=False)
for room in (home, areas, places, following, items, told, machines):  # `/p/{key}.ics` is looked for before `/p/{key}`
    router.include_router(room.router)
