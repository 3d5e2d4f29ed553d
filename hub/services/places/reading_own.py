"""Our own table of places, in English or French columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hub.services.places import hours
from hub.services.places.told import Row, Told, text

NEEDS: Final = frozenset({"id", "type", "name", "commune"})

ALSO: Final[Mapping[str, str]] = {
    "identifiant": "id", "nom": "name", "adresse": "address", "code_postal": "postcode", "code_insee": "commune",
    "latitude": "lat", "longitude": "lon", "telephone": "phone", "courriel": "mail", "site_web": "website",
    "horaires": "hours", "accessibilite": "accessibility", "date": "dated_on", "secteur": "sectors",
    "journees_portes_ouvertes": "open_days",
}  # fmt: skip


def read(row: Row) -> Told:
    """One place; `commune` is an INSEE code or a name, `sectors` are INSEE codes with blanks or commas between."""
    commune = text(row, "commune")
    is_code = re.fullmatch(r"(?:C-)?\d?[\dAB]?\d{2,5}", commune, re.IGNORECASE) is not None
    return Told(
        source_id=text(row, "id"),
        type_code=text(row, "type"),
        name=text(row, "name"),
        address=text(row, "address"),
        postcode=text(row, "postcode"),
        insee=commune.upper().removeprefix("C-") if is_code else "",
        town="" if is_code else commune,
        lat=text(row, "lat"),
        lon=text(row, "lon"),
        phone=text(row, "phone"),
        mail=text(row, "mail"),
        website=text(row, "website"),
        description=text(row, "description"),
        hours=hours.from_rules(text(row, "hours")),
        accessibility=text(row, "accessibility"),
        siret=text(row, "siret"),
        uai=text(row, "uai"),
        dated_on=text(row, "dated_on"),
        sectors=tuple(re.split(r"[\s,|]+", told)) if (told := text(row, "sectors")) else _silent(row, "sectors"),
        open_days=text(row, "open_days") if "open_days" in row else None,
    )


def _silent(row: Row, name: str) -> tuple[str, ...] | None:
    """No sector where the column is there and empty; nothing said where it is not there."""
    return () if name in row else None
