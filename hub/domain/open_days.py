"""Open days as official files write them in one string, told apart as dates; what cannot be told stays as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True)
class OpenDay:
    """One open day of a place, or a text that could not be told as one (`first` is None)."""

    text: str
    """As the source has it."""
    first: date | None = None
    last: date | None = None
    from_hour: str = ""
    """Such as `08:30`; empty: the source does not say."""
    to_hour: str = ""
    online: bool = False
    note: str = ""

    @property
    def is_read(self) -> bool:
        """Whether it could be told as dates."""
        return self.first is not None


LONGEST: Final = 1000
"""Characters of one open day; more is no open day, and is cut when it is kept as text."""

MONTHS: Final = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip

_MONTH: Final = {name: number for number, name in enumerate(MONTHS, start=1)} | {
    "fevrier": 2, "aout": 8, "decembre": 12, "janv": 1, "févr": 2, "fevr": 2, "avr": 4, "juil": 7, "sept": 9,
    "oct": 10, "nov": 11, "déc": 12, "dec": 12,
}  # fmt: skip

_WEEKDAY: Final = r"(?:(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\s+)?"
_DAY: Final = r"(\d{1,2}/\d{1,2}/\d{4}|\d{1,2}(?:er)?\s+[^\W\d_]+\.?\s+\d{4})"
_HOUR: Final = r"(\d{1,2})\s*(?:h|:)\s*(\d{2})?"
_DATES: Final = re.compile(
    rf"^(?:du\s+{_WEEKDAY}{_DAY}\s+au\s+{_WEEKDAY}{_DAY}|(?:le\s+)?{_WEEKDAY}{_DAY})", re.IGNORECASE
)
_HOURS: Final = re.compile(rf"^,?\s*(?:de\s+{_HOUR}\s*(?:à|a|-)\s*{_HOUR}|à\s+partir\s+de\s+{_HOUR})", re.IGNORECASE)
_ONLINE: Final = re.compile(r"\ben\s+(?:virtuel|ligne|distanciel)\b|\bvirtuelle?s?\b|\bà\s+distance\b", re.IGNORECASE)
_BEFORE: Final = re.compile(r"\bpr[ée]c[ée]dentes?\b|\bann[ée]e\s+derni[èe]re\b", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\bvoir\s+(?:(?:https?://|www\.)\S+|(?:l['’])?url)", re.IGNORECASE)


def read(text: str) -> list[OpenDay]:
    """The open days in such a string, in its own order, each once; dates of former years are left out.

    Parts are joined by `|`: `le 31/01/2026 de 08h30 à 12h00 (sur inscription)`, `du 13/03/2026 au 14/03/2026`,
    `Le 15 mars 2025 de 9h00 à 16h30`, any of them `en virtuel`.
    """
    parts = (" ".join(part.split()) for part in text.split("|"))
    found: dict[str, OpenDay] = {}
    for part in parts:
        if part and not _BEFORE.search(part):
            one = _read(part)
            found.setdefault(one.text, one)
    return list(found.values())


def _read(part: str) -> OpenDay:
    """One part; as it is where anything in it is not understood."""
    unread = OpenDay(part[:LONGEST])
    if len(part) > LONGEST:
        return unread
    dates = _DATES.match(part)
    if dates is None:
        return unread
    first = _day(dates[1] or dates[3])
    last = _day(dates[2] or dates[3])
    if first is None or last is None or last < first:
        return unread
    rest = part[dates.end() :].strip()
    from_hour = to_hour = ""
    hours = _HOURS.match(rest)
    if hours is not None:
        from_hour, to_hour = _hour(hours[1] or hours[5], hours[2] or hours[6]), _hour(hours[3], hours[4])
        if "?" in (from_hour, to_hour) or (first == last and to_hour and to_hour <= from_hour):
            return unread
        rest = rest[hours.end() :].strip()
    note = _note(rest)
    if note is None:
        return unread
    return OpenDay(part, first, last, from_hour, to_hour, bool(_ONLINE.search(rest)), note)


def _note(rest: str) -> str | None:
    """What stands behind dates and hours, without its brackets; None where that is more than a note."""
    outside = re.sub(r"\([^()]*\)", " ", rest)
    for known in (_ONLINE, _ADDRESS):
        outside = known.sub(" ", outside)
    if outside.strip(" .,;:-–"):
        return None
    return " ".join(part.strip() for part in [*re.findall(r"\(([^()]*)\)", rest), *_ADDRESS.findall(rest)])


def _day(told: str) -> date | None:
    """`31/01/2026` or `31 janvier 2026`; None for a day that no calendar has."""
    if "/" in told:
        day, month, year = told.split("/")
        number = int(month)
    else:
        day, name, year = told.lower().split()
        number = _MONTH.get(name.rstrip("."), 0)
    try:
        return date(int(year), number, int(day.removesuffix("er")))
    except ValueError:
        return None


def _hour(hour: str | None, minute: str | None) -> str:
    """`9h` and `09h00` as `09:00`; `?` for one that no clock shows, nothing where nothing was said."""
    if hour is None:
        return ""
    if int(hour) > 23 or int(minute or 0) > 59:
        return "?"
    return f"{int(hour):02}:{int(minute or 0):02}"
