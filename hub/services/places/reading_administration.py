"""The annuaire de l'administration of DILA: nested things are lists in its archive, and JSON in a string elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hub.language import _
from hub.services.places import hours
from hub.services.places.told import Row, Told, Unfit, text, texts

NEEDS: Final = frozenset({"id", "nom", "pivot"})

SERVICES: Final[Mapping[str, str]] = {
    "mission_locale": "mission_locale",
    "cio": "cio",
    "cij": "information_jeunesse",
    "bij": "information_jeunesse",
    "pij": "information_jeunesse",
    "epide": "epide",
    "e2c": "e2c",
    "greta": "greta",
    "france_travail": "france_travail",
    "pole_emploi": "france_travail",
    "chambre_metier": "cma",
    "cma": "cma",
    "cci": "cci",
    "chambre_agriculture": "chambre_agriculture",
}
"""Kinds by `type_service_local`."""

ACCESS: Final[Mapping[str, str]] = {
    "ACC": "Accessible en fauteuil roulant",
    "DEM": "Accessible en fauteuil roulant sur demande",
    "NAC": "Non accessible en fauteuil roulant",
}
"""What its signs for wheelchairs mean, in the language of whatever else it says."""


def read(row: Row) -> Told | None:
    """One service; None where it is of no kind that receives young people."""
    services = [str(one.get("type_service_local")) for one in _nested(row, "pivot")]
    kind = next((SERVICES[one] for one in services if one in SERVICES), None)
    if kind is None:
        return None
    address = _address(_nested(row, "adresse"))
    return Told(
        source_id=text(row, "id"),
        type_code=kind,
        name=text(row, "nom"),
        address=texts(address, "numero_voie", "complement1", "complement2"),
        postcode=text(address, "code_postal"),
        insee=text(row, "code_insee_commune"),
        town=text(address, "nom_commune"),
        lat=text(address, "latitude"),
        lon=text(address, "longitude"),
        phone=_first(row, "telephone"),
        mail=_first(row, "adresse_courriel"),
        website=_first(row, "site_internet"),
        hours=hours.from_days(_nested(row, "plage_ouverture")),
        accessibility=_accessibility(address),
        siret=text(row, "siret"),
        dated_on=text(row, "date_modification"),
    )


def _nested(row: Row, name: str) -> list[dict[str, Any]]:
    """The objects of a column: a list, or one written as JSON; nothing where it is empty."""
    told = row.get(name)
    if isinstance(told, str) and told.strip()[:1] in ("[", "{"):
        try:
            told = json.loads(told)
        except ValueError as error:
            raise Unfit(_("{column} is not JSON: “{told}”", column=name, told=told[:60])) from error
    if isinstance(told, dict):
        told = [told]
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def _first(row: Row, name: str) -> str:
    """The first of several phones, mails or sites: objects with a `valeur`, or plain words in a list or a string."""
    nested = _nested(row, name)
    if nested:
        return text(nested[0], "valeur")
    told = row.get(name)
    if isinstance(told, str) and told.strip().startswith("["):
        told = json.loads(told)  # what is no JSON was refused above
    return text({"told": told[0] if isinstance(told, list) and told else told}, "told")


def _address(several: list[dict[str, Any]]) -> Row:
    """Where people go, rather than where letters go."""
    return next((one for one in several if one.get("type_adresse") == "Adresse"), several[0] if several else {})


def _accessibility(address: Row) -> str:
    how = ACCESS.get(text(address, "accessibilite"), "")
    return texts({**address, "how": how}, "how", "note_accessibilite")
