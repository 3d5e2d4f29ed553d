"""What a file says of a place, checked and written our way; what makes a row unfit, and what is only left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from hub.domain.place import distance_km
from hub.language import _
from hub.services.places.land import Land, Spot
from hub.services.places.told import Told, Unfit

Remark = Callable[[str], None]
"""Told what was left out of a row that is taken."""

FAR_KM: Final = 250.0
"""A point further than that from its commune is a slip: latitude and longitude swapped, or another commune."""

POSTE: Final = "356000000"
"""SIREN of La Poste, whose SIRET have a rule of their own."""

LENGTHS: Final = {"name": 300, "address": 300, "phone": 60, "mail": 254, "website": 500, "description": 5000,
                  "accessibility": 500}  # fmt: skip
"""Most characters of what is shown."""

_PHONE: Final = re.compile(r"(?:\+33|0033)\s?\(?0?\)?\s?(?=[1-9])")


def checked(told: Told, land: Land, kinds: frozenset[str], remark: Remark) -> dict[str, Any]:
    """The columns of a place; Unfit with the reason where it cannot be taken."""
    if not told.source_id:
        raise Unfit(_("there is no number of its own (id), by which it would be found again"))
    if not told.name:
        raise Unfit(_("there is no name"))
    if told.type_code not in kinds:
        raise Unfit(
            _("unknown kind “{kind}”: “relais place types” shows those that there are", kind=told.type_code or "?")
        )
    spot = land.find(told.insee, told.postcode, told.town)
    if land.has_ended(told.insee):
        remark(_("the commune {code} has ended; it is taken for {commune} ({insee})", code=told.insee,
                 commune=spot.name, insee=spot.insee))  # fmt: skip
    lat, lon, point = _point(told, spot, remark)
    return {
        "type_code": told.type_code,
        "name": told.name[: LENGTHS["name"]],
        "address": told.address[: LENGTHS["address"]],
        "postcode": _postcode(told.postcode),
        "territory_code": spot.territory_code,
        "lat": lat,
        "lon": lon,
        "point": point,
        "phone": phone(told.phone),
        "mail": _mail(told.mail, remark),
        "website": _website(told.website, remark),
        "description": told.description[: LENGTHS["description"]],
        "hours": told.hours,
        "accessibility": told.accessibility[: LENGTHS["accessibility"]],
        "siret": _siret(told.siret),
        "uai": _uai(told.uai),
        "dated_on": _day(told.dated_on, remark),
    }


def phone(told: str) -> str:
    """A number as people write it here: `02 99 00 00 00`; one of another shape stays as it is."""
    digits = re.sub(r"[\s.\-/]", "", _PHONE.sub("0", told))
    if re.fullmatch(r"0\d{9}", digits):
        return " ".join(re.findall("..", digits))
    return told[: LENGTHS["phone"]]


def is_siret(digits: str) -> bool:
    """Whether fourteen digits are a SIRET: by Luhn, or La Poste's own rule (their sum is a multiple of five)."""
    if not re.fullmatch(r"[0-9]{14}", digits):
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    if sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0:
        return True
    return digits.startswith(POSTE) and sum(map(int, digits)) % 5 == 0


def _siret(told: str) -> str:
    digits = re.sub(r"\s", "", told)
    if digits and not is_siret(digits):
        raise Unfit(_("“{siret}” is not a SIRET: 14 digits, of which the last checks the others", siret=told))
    return digits


def _uai(told: str) -> str:
    if told and not re.fullmatch(r"\d{7}[A-Z]", told.upper()):
        raise Unfit(_("“{uai}” is not a UAI: seven digits and a letter, such as 0350001A", uai=told))
    return told.upper()


def _postcode(told: str) -> str:
    digits = told.replace(" ", "").zfill(5) if told else ""
    if digits and not re.fullmatch(r"[0-9]{5}", digits):
        raise Unfit(_("“{postcode}” is not a postcode: five digits", postcode=told))
    return digits


def _point(told: Told, spot: Spot, remark: Remark) -> tuple[float, float, str]:
    """Where the source puts it, else where its commune is."""
    commune = spot.lat, spot.lon, "commune"
    if not told.lat and not told.lon:
        return commune
    try:
        lat, lon = float(told.lat.replace(",", ".")), float(told.lon.replace(",", "."))
        is_there = abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0, 0)
    except ValueError:
        is_there = False
    if not is_there or distance_km(lat, lon, spot.lat, spot.lon) > FAR_KM:
        remark(
            _("the point {lat},{lon} is not in {commune}: that of the commune was taken", lat=told.lat, lon=told.lon,
              commune=spot.name)
        )  # fmt: skip
        return commune
    return lat, lon, "source"


def _mail(told: str, remark: Remark) -> str:
    if told and not re.fullmatch(r"[^@\s<>\"']+@[^@\s<>\"']+\.[^@\s<>\"']+", told[: LENGTHS["mail"]]):
        remark(_("“{mail}” is not an e-mail address: left out", mail=told[:80]))
        return ""
    return told[: LENGTHS["mail"]]


def _website(told: str, remark: Remark) -> str:
    """A web address that may stand in a link; one without its beginning gets it."""
    if not told:
        return ""
    address = told if re.match(r"[a-z][a-z0-9+.-]*:", told, re.IGNORECASE) else f"https://{told.lstrip('/')}"
    try:
        parts = urlsplit(address)
        fits = parts.scheme.lower() in ("http", "https") and "." in (parts.hostname or "")
    except ValueError:
        fits = False
    if not fits or re.search(r"[\s<>\"']", address) or len(address) > LENGTHS["website"]:
        remark(_("“{website}” is not a web address: left out", website=told[:80]))
        return ""
    return address


def _day(told: str, remark: Remark) -> date | None:
    """`2026-01-31`, with or without an hour behind it, or `31/01/2026`."""
    if not told:
        return None
    french = re.match(r"(\d{2})/(\d{2})/(\d{4})", told)
    try:
        return date.fromisoformat("-".join(reversed(french.groups())) if french else told[:10])
    except ValueError:
        remark(_("“{day}” is not a day: left out", day=told[:40]))
        return None
