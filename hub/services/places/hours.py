"""Opening hours as sources write them, in our one shape: first and last day, spans of two hours, a note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hub.database import folded
from hub.services.places.told import plain

Hours = list[dict[str, Any]]

DAYS: Final[Mapping[str, int]] = {
    "lundi": 1, "mardi": 2, "mercredi": 3, "jeudi": 4, "vendredi": 5, "samedi": 6, "dimanche": 7,
}  # fmt: skip

_SHORT: Final = {
    "mo": 1, "tu": 2, "we": 3, "th": 4, "fr": 5, "sa": 6, "su": 7,
}  # fmt: skip

_RULE: Final = re.compile(
    r"^(?P<days>(?:mo|tu|we|th|fr|sa|su)(?:\s*[-,]\s*(?:mo|tu|we|th|fr|sa|su))*)\s+"
    r"(?P<spans>\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2}(?:\s*,\s*\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2})*)$",
    re.IGNORECASE,
)
"""A rule of OpenStreetMap's opening hours, as data·inclusion has them: `Mo-Fr 09:00-12:00,14:00-17:30`."""


def from_rules(told: str) -> Hours:
    """Hours written as OpenStreetMap does; anything else is kept as a note, whole."""
    hours: Hours = []
    for rule in filter(None, (part.strip() for part in told.split(";"))):
        match = _RULE.match(rule)
        if match is None:
            return noted(told)
        spans = [[_hour(hour) for hour in re.split(r"\s*-\s*", span.strip())] for span in match["spans"].split(",")]
        for days in match["days"].lower().split(","):
            first, _sign, last = (part.strip() for part in days.partition("-"))
            hours.append({"days": [_SHORT[first], _SHORT[last or first]], "spans": spans, "note": ""})
    return hours


def from_days(told: Iterable[Any]) -> Hours:
    """Hours of the annuaire de l'administration: `nom_jour_debut`, `valeur_heure_debut_1` and so on."""
    hours: Hours = []
    for row in told:
        if not isinstance(row, dict):
            continue
        first = DAYS.get(folded(str(row.get("nom_jour_debut") or "")))
        last = DAYS.get(folded(str(row.get("nom_jour_fin") or "")), first)
        spans = [
            [_hour(plain(row[f"valeur_heure_debut_{number}"])), _hour(plain(row[f"valeur_heure_fin_{number}"]))]
            for number in (1, 2)
            if row.get(f"valeur_heure_debut_{number}") and row.get(f"valeur_heure_fin_{number}")
        ]
        note = plain(row.get("commentaire") or "")
        if first is not None and spans:
            hours.append({"days": [first, last], "spans": spans, "note": note})
        elif note:
            hours += noted(note)
    return hours


def noted(note: str) -> Hours:
    """Hours that nobody could tell apart, as they are written."""
    return [{"days": [], "spans": [], "note": note}] if note else []


def _hour(told: str) -> str:
    """`9:00` and `09:00:00` as `09:00`."""
    hour, minute, *_seconds = [*told.strip().split(":"), "00"]
    return f"{hour:0>2}:{minute}"
