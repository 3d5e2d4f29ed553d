"""Wall times and zones: what was typed is the truth, the instant is worked out from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from hub.domain.errors import Invalid
from hub.language import _

LOCAL = "local"
"""Instead of a zone: the local time of each territory."""

ZONE_PLACES: Final[Mapping[str, str]] = {
    "Europe/Paris": "Paris",
    "America/Guadeloupe": "Pointe-à-Pitre",
    "America/Martinique": "Fort-de-France",
    "America/Cayenne": "Cayenne",
    "Indian/Reunion": "Saint-Denis de La Réunion",
    "Indian/Mayotte": "Mamoudzou",
    "America/Miquelon": "Saint-Pierre",
    "America/St_Barthelemy": "Saint-Barthélemy",
    "America/Marigot": "Saint-Martin",
    "Pacific/Noumea": "Nouméa",
    "Pacific/Wallis": "Mata-Utu",
    "Pacific/Tahiti": "Papeete",
    "Pacific/Marquesas": "Taiohae",
    "Pacific/Gambier": "Rikitea",
}
"""Where the clock of each zone of France hangs; Paris first, then by nearness."""


class Fold(StrEnum):
    """Which of the two hours is meant when clocks go back."""

    EARLIER = "earlier"
    LATER = "later"


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_info(zone: str) -> ZoneInfo:
    """The zone of that IANA name, or Invalid."""
    if zone in _known_zones():
        return ZoneInfo(zone)
    raise Invalid(_("Unknown time zone “{zone}”. Use a name such as Europe/Paris, or local.", zone=zone), field="zone")


def zone_name(zone: str) -> str:
    """A zone in words."""
    if zone == LOCAL:
        return _("local time of each territory")
    return _("time of {place}", place=place_of(zone))


def place_of(zone: str) -> str:
    """Where the clock of a zone hangs."""
    return ZONE_PLACES.get(zone, zone)


def instant(wall: datetime, zone: str, fold: Fold | None = None) -> datetime:
    """The UTC instant of a wall time in a zone; Invalid when that hour is missing, or doubled and none was chosen."""
    info = zone_info(zone)
    first = wall.replace(tzinfo=info, fold=0)
    second = wall.replace(tzinfo=info, fold=1)
    shown = _("{day} at {hour}", day=wall.strftime("%d/%m/%Y"), hour=wall.strftime("%H:%M"))
    if first.astimezone(UTC).astimezone(info).replace(tzinfo=None) != wall:
        after = second.astimezone(UTC).astimezone(info).replace(tzinfo=None)
        shift = abs(after - wall)
        raise Invalid(
            _(
                "{moment} does not exist in {place}: clocks go forward that night. Take {before} or {later}.",
                moment=shown,
                place=place_of(zone),
                before=(wall - shift).strftime("%H:%M"),
                later=(wall + shift).strftime("%H:%M"),
            ),
            field="when",
        )
    if first.utcoffset() != second.utcoffset() and fold is None:
        raise Invalid(
            _(
                "{moment} occurs twice in {place}: clocks go back that night. Say which one: the earlier or the later.",
                moment=shown,
                place=place_of(zone),
            ),
            field="fold",
        )
    return (second if fold is Fold.LATER else first).astimezone(UTC)


def end_of_day(day: date, zone: str) -> datetime:
    """The UTC instant at which a day ends in a zone."""
    following = datetime.combine(day + timedelta(days=1), datetime.min.time())
    return following.replace(tzinfo=zone_info(zone)).astimezone(UTC)


def local_day(moment: datetime, zone: str) -> date:
    """The calendar day of an instant in a zone: never taken from UTC, a date in Nouméa may be tomorrow's."""
    return moment.astimezone(zone_info(zone)).date()
