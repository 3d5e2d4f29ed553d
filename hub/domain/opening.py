"""Opening hours as people type them, a line for each, and as they are kept; read again, they give the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from hub.domain.errors import Invalid
from hub.domain.territory import search_key
from hub.language import N_, _

Hours = list[dict[str, Any]]
"""As places keep them: `days` (first and last, 1 is Monday), `spans` of two hours each, `note`."""

DAY_NAMES: Final = (
    N_("Monday"), N_("Tuesday"), N_("Wednesday"), N_("Thursday"), N_("Friday"), N_("Saturday"), N_("Sunday"),
)  # fmt: skip

MOST_LINES: Final = 20
LONGEST_NOTE: Final = 500

_DAYS: Final[Mapping[str, int]] = {
    name: number
    for names in ("lun mar mer jeu ven sam dim", "mon tue wed thu fri sat sun")
    for number, name in enumerate(names.split(), 1)
}
"""How names of days begin, in both of our languages."""

_LINE: Final = re.compile(r"(?P<days>[^\d(]*)(?P<spans>[^(]*)(?:\((?P<note>.*)\)\s*\.?)?", re.DOTALL)
_TIME: Final = re.compile(r"(\d{1,2})\s*(?:[hH:](?:\s*(\d{2}))?)")
_BETWEEN: Final = re.compile(r"[\s,;./àa–-]|et|and|to|de|from", re.IGNORECASE)
_SMALL: Final = frozenset({"du", "le", "les", "de", "from", "on"})
_UNTIL: Final = frozenset({"au", "a", "to"})


def read(text: str) -> Hours:
    """The hours in a text such as « lundi-vendredi 9:00-12:00 14:00-17:30 (sur rendez-vous) »; Invalid by line."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Invalid(_("Write at most {count} lines of hours.", count=MOST_LINES), field="hours")
    return [_read_line(line, number) for number, line in lines]


def told(hours: Sequence[Mapping[str, Any]]) -> str:
    """The hours as they are typed, with the names of days in the reader's language."""
    return "\n".join(_told_line(one) for one in hours)


def _told_line(one: Mapping[str, Any]) -> str:
    days = [_(DAY_NAMES[number - 1]).lower() for number in one.get("days") or [] if 1 <= number <= 7]
    parts = ["-".join(dict.fromkeys((days[0], days[-1])))] if days else []
    parts += [f"{begin}-{end}" for begin, end in one.get("spans") or []]
    parts += [f"({' '.join(one['note'].split())})"] if one.get("note") else []
    return " ".join(parts)


def _read_line(line: str, number: int) -> dict[str, Any]:
    parts = _LINE.fullmatch(line)
    days = _days(parts["days"]) if parts else None
    spans = _spans(parts["spans"]) if parts else None
    note = (parts["note"] or "").strip() if parts else ""
    if days is None or spans is None or not (spans or note) or (spans and not days):
        raise Invalid(
            _(
                "Line {number}, “{line}”: write it like “Monday-Friday 9:00-12:00 14:00-17:30 (by appointment)”.",
                number=number,
                line=line[:80],
            ),
            field="hours",
        )
    if len(note) > LONGEST_NOTE:
        raise Invalid(
            _("Line {number}: write at most {count} characters in brackets.", number=number, count=LONGEST_NOTE),
            field="hours",
        )
    return {"days": days, "spans": spans, "note": note}


def _days(text: str) -> list[int] | None:
    """First and last day; empty for no word at all, None for what is no day, or days that do not follow each other."""
    if not text.strip():
        return []
    words = [word for word in search_key(text).split() if word not in _SMALL]
    named = [_DAYS.get(word[:3]) for word in words if word not in _UNTIL]
    joined = len(words) == len(named) + 1 or "-" in text or "–" in text
    if None in named or not 1 <= len(named) <= 2 or (len(named) == 2 and not joined):
        return None
    first, last = named[0], named[-1]
    return [first, last] if first is not None and last is not None and first <= last else None


def _spans(text: str) -> list[list[str]] | None:
    """Spans of hours in order; None for what is none."""
    times = [f"{int(hour):02}:{minute or '00'}" for hour, minute in _TIME.findall(text)]
    rest = _BETWEEN.sub("", _TIME.sub("", text))
    ordered = all(one < other for one, other in pairwise(times))
    if rest or len(times) % 2 or not ordered or any(one > "24:00" or one[3:] > "59" for one in times):
        return None
    return [times[place : place + 2] for place in range(0, len(times), 2)]
