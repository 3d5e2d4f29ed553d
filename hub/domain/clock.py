"""Wall times and zones: what was typed is the truth, the instant is worked out from it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hub.domain.errors import Invalid
from hub.language import _

LOCAL = "local"
"""Instead of a zone: the local time of each territory."""


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
                "{moment} does not exist in {zone}: clocks go forward that night. Take {before} or {later}.",
                moment=shown,
                zone=zone,
                before=(wall - shift).strftime("%H:%M"),
                later=(wall + shift).strftime("%H:%M"),
            ),
            field="when",
        )
    if first.utcoffset() != second.utcoffset() and fold is None:
        raise Invalid(
            _(
                "{moment} occurs twice in {zone}: clocks go back that night. Say which one: earlier or later.",
                moment=shown,
                zone=zone,
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
