"""An event of the portal as machines read it: schema.org's Event, for search engines and whoever gathers open days."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hub.domain.delivery import DeliveryState
from hub.domain.event import Ages, Attendance, Event, Span
from hub.domain.place import Commune
from hub.services.showing import Item

ATTENDANCE: Final[Mapping[Attendance, str]] = {
    Attendance.ON_SITE: "https://schema.org/OfflineEventAttendanceMode",
    Attendance.ONLINE: "https://schema.org/OnlineEventAttendanceMode",
    Attendance.MIXED: "https://schema.org/MixedEventAttendanceMode",
}

MOST_PARTS: Final = 50
"""Most dates that are told one by one: a page stays light."""

_FREE: Final = re.compile(r"\b(gratuit|gratuite|gratuits|gratuitement|entrée libre|accès libre)\b", re.IGNORECASE)
_BUT: Final = re.compile(
    r"\b(pas|non|sauf|pour|si|payant\w*|tarif\w*|euros?|réduit|moins)\b|€|(?<!\w)[1-9]\d*\s*eur\b", re.IGNORECASE
)
"""Words beside which « gratuit » is no longer true of everybody: then nothing is said."""


def event_of(item: Item, *, address: str, organizer: str, commune: Commune | None = None) -> dict[str, Any] | None:
    """schema.org's Event of an item; None when it is no event.

    `address` is where this hub is reached, without a slash at its end; `commune` is that of the event, when known.
    What was not typed is left out rather than guessed.
    """
    if item.post.event is None:
        return None
    event = Event.model_validate(item.post.event)
    spans = event.spans()
    page = f"{address}/p/{item.delivery.key}"
    gone = item.delivery.state is DeliveryState.REMOVED
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Event",
        "@id": page,
        "name": item.title,
        "description": item.delivery.text.strip(),
        "startDate": _start(spans[0]),
        "endDate": _end(max(spans, key=lambda span: span.end)),
        "eventStatus": "https://schema.org/EventCancelled" if gone else "https://schema.org/EventScheduled",
        "eventAttendanceMode": ATTENDANCE[event.attendance],
        "location": _location(event, commune, page),
        "organizer": {"@type": "Organization", "name": organizer, "url": f"{address}/"},
        "inLanguage": "fr",
        "url": page,
    }
    pictures = [f"{page}/{part.position}" for part, _width, _height in item.pictures]
    if pictures:
        told["image"] = pictures
    if is_free(event.conditions):
        told["isAccessibleForFree"] = True
    if ages := _ages(event.ages):
        told["typicalAgeRange"] = ages
    if len(spans) > 1:
        told["subEvent"] = [_part(span, told) for span in spans[:MOST_PARTS]]
    return told


def is_free(conditions: str | None) -> bool:
    """Whether the conditions say that it costs nobody anything; False also means that they do not say."""
    return bool(conditions and _FREE.search(conditions) and not _BUT.search(conditions))


def _start(span: Span) -> str:
    return span.first_day.isoformat() if span.whole_days else span.begin.isoformat()


def _end(span: Span) -> str:
    return span.last_day.isoformat() if span.whole_days else span.end.isoformat()


def _part(span: Span, whole: Mapping[str, Any]) -> dict[str, Any]:
    """One date of several; a part repeats what is asked of every Event."""
    same = ("name", "eventStatus", "eventAttendanceMode", "location", "url")
    return {"@type": "Event", "startDate": _start(span), "endDate": _end(span)} | {key: whole[key] for key in same}


def _location(event: Event, commune: Commune | None, page: str) -> dict[str, Any] | list[dict[str, Any]]:
    online = {"@type": "VirtualLocation", "url": str(event.online or page)}
    if event.attendance is Attendance.ONLINE:
        return online
    place = _place(event, commune)
    return [place, online] if event.attendance is Attendance.MIXED else place


def _place(event: Event, commune: Commune | None) -> dict[str, Any]:
    """The venue. The point of a commune is not that of a house in it: no coordinates are told."""
    address = {
        "@type": "PostalAddress",
        "streetAddress": event.address,
        "addressLocality": commune.name if commune else None,
        "addressCountry": "FR",
    }
    return {
        "@type": "Place",
        "name": event.venue or (commune.name if commune else event.address or event.commune),
        "address": {key: value for key, value in address.items() if value},
    }


def _ages(ages: Ages | None) -> str | None:
    if ages is None or (ages.min is None and ages.max is None):
        return None
    return f"{ages.min or 0}-{'' if ages.max is None else ages.max}"
