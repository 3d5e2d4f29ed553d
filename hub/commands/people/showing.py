"""How things are shown on a terminal: local time with its zone, figures with where they come from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.language import N_, _, current_language

NOTHING = "—"
"""What is not known; never 0."""

UNITS = {
    "people": N_("people"),
    "views": N_("views"),
    "impressions": N_("impressions"),
    "clicks": N_("clicks"),
    "reactions": N_("reactions"),
    "arrivals": N_("arrivals"),
}

PROVENANCES = {
    "own page": N_("own page"),
    "gated": N_("limited to the territory"),
    "national": N_("national page, everybody"),
    "origin": N_("not limited; by the territory that wrote it"),
    "portal": N_("portal"),
}


def local(wall_time: str, zone: str) -> str:
    """A wall time as people of its zone say it."""
    moment = datetime.fromisoformat(wall_time)
    named = _("local time") if zone == "local" else zone
    return f"{moment:%d/%m/%Y %H:%M} {named}"


def instant(moment: str | None, zone: str) -> str:
    """An instant on the clocks of a zone."""
    if moment is None:
        return NOTHING
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    read = datetime.fromisoformat(moment)
    try:
        return f"{read.astimezone(ZoneInfo(zone)):%d/%m/%Y %H:%M:%S} {zone}"
    except (ZoneInfoNotFoundError, ValueError):
        return f"{read:%d/%m/%Y %H:%M:%S} UTC"


def number(value: int) -> str:
    """A number with its thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def figure(value: int | None, how: str = "single") -> str:
    """A figure: « at least » for people over several posts, a dash where the network did not say."""
    if value is None:
        return NOTHING
    return _("at least {number}", number=number(value)) if how == "at least" else number(value)


def limit(gate: dict[str, Any] | None, unlimited: bool) -> str:
    """What a delivery is limited to, and how exactly."""
    if unlimited:
        return _("not limited to the territory")
    if gate is None:
        return _("whole audience of the account")
    codes = " ".join(gate["territories"][:6]) + (" …" if len(gate["territories"]) > 6 else "")
    precision = gate.get("precision")
    if not precision:
        return codes
    return _(
        "{codes} ({covered} % of its people, {spilled} % of others)",
        codes=codes,
        covered=decimal(precision["covered"]),
        spilled=decimal(precision["spilled"]),
    )


def decimal(value: float) -> str:
    """A number with a decimal, as the reader writes it."""
    text = f"{value:.1f}"
    return text.replace(".", ",") if current_language() == "fr" else text


def bar(value: int | None, highest: int, width: int = 20) -> str:
    """A figure as a bar beside the others, in eighths of a letter; nothing for one that is not known."""
    if value is None or highest <= 0:
        return ""
    eighths = round(value * width * 8 / highest)
    full, rest = divmod(max(eighths, 1 if value else 0), 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def change(percent: float | None) -> str:
    """How something changed, in percent; nothing where that cannot be said."""
    if percent is None:
        return ""
    text = f"{percent:+.0f}\u202f%".replace("-", "\u2212")
    return "=" if round(percent) == 0 else text
