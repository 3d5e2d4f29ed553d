"""An item as machines read it: schema.org's Event, in JSON-LD."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.domain.event import Attendance, Event
from hub.domain.place import Commune
from hub.services.showing import Item

MODES: Final = {
    Attendance.ON_SITE: "https://schema.org/OfflineEventAttendanceMode",
    Attendance.ONLINE: "https://schema.org/OnlineEventAttendanceMode",
    Attendance.MIXED: "https://schema.org/MixedEventAttendanceMode",
}


def event_data(
    item: Item, event: Event, *, site: str, address: str, commune: Commune | None, description: str
) -> dict[str, Any]:
    """An event with its dates, places and ages; what nobody told is left out."""
    spans = sorted((one.begin, one.end) for one in event.timings)
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Event",
        "@id": address,
        "url": address,
        "name": item.title,
        "description": description,
        "startDate": moment(spans[0][0], event.zone),
        "endDate": moment(max(end for _begin, end in spans), event.zone),
        "eventStatus": "https://schema.org/EventScheduled",
        "eventAttendanceMode": MODES[event.attendance],
        "inLanguage": "fr",
        "location": _location(event, commune),
        "organizer": {"@type": "Organization", "name": "Relais", "url": site},
    }
    if len(spans) > 1:
        told["subEvent"] = [
            {
                "@type": "Event",
                "name": item.title,
                "startDate": moment(begin, event.zone),
                "endDate": moment(end, event.zone),
                "location": told["location"],
            }
            for begin, end in spans
        ]
    if event.ages and (event.ages.min is not None or event.ages.max is not None):
        told["typicalAgeRange"] = f"{event.ages.min or ''}-{event.ages.max or ''}"
    if item.pictures:
        told["image"] = [f"{address}/{part.position}" for part, _width, _height in item.pictures]
    return told


def moment(wall: datetime, zone: str) -> str:
    """A wall time with the offset of its zone."""
    return wall.replace(tzinfo=ZoneInfo(zone)).isoformat()


def _location(event: Event, commune: Commune | None) -> dict[str, Any] | Sequence[dict[str, Any]]:
    places: list[dict[str, Any]] = []
    if event.attendance is not Attendance.ONLINE:
        places.append(_place(event, commune))
    if event.online is not None and event.attendance is not Attendance.ON_SITE:
        places.append({"@type": "VirtualLocation", "url": str(event.online)})
    return places[0] if len(places) == 1 else places


def _place(event: Event, commune: Commune | None) -> dict[str, Any]:
    postal = {"@type": "PostalAddress", "addressCountry": "FR"}
    if event.address:
        postal["streetAddress"] = event.address
    if commune:
        postal["addressLocality"] = commune.name
    return {"@type": "Place", "name": event.venue or (commune.name if commune else ""), "address": postal}
