"""Structures of data·inclusion, schema v1: the kind is that of the network that a structure belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from hub.domain.territory import search_key
from hub.services.places import hours
from hub.services.places.told import Row, Told, text, texts

NEEDS: Final = frozenset({"source", "id", "nom", "date_maj"})

NETWORKS: Final[Mapping[str, str]] = {
    "mission-locale": "mission_locale",
    "ecoles-de-la-deuxieme-chance": "e2c",
    "epide": "epide",
    "reseau-information-jeunesse": "information_jeunesse",
    "france-travail": "france_travail",
}

CHAMBERS: Final = "chambres-consulaires"
"""Three kinds of chambers are one network there: the name tells them apart."""


def read(row: Row) -> Told | None:
    """One structure; None where it belongs to no network that receives young people."""
    kind = _kind(row)
    if kind is None:
        return None
    source, number = text(row, "source"), text(row, "id")
    return Told(
        source_id=f"{source}:{number}" if source and number else "",
        type_code=kind,
        name=text(row, "nom"),
        address=texts(row, "adresse", "complement_adresse"),
        postcode=text(row, "code_postal"),
        insee=text(row, "code_insee"),
        town=text(row, "commune"),
        lat=text(row, "latitude"),
        lon=text(row, "longitude"),
        phone=text(row, "telephone"),
        mail=text(row, "courriel"),
        website=text(row, "site_web"),
        description=text(row, "description"),
        hours=hours.from_rules(text(row, "horaires_accueil")),
        accessibility=text(row, "accessibilite_lieu"),
        siret=text(row, "siret"),
        dated_on=text(row, "date_maj"),
    )


def _kind(row: Row) -> str | None:
    for network in _networks(row.get("reseaux_porteurs")):
        if network == CHAMBERS:
            return _chamber(text(row, "nom"))
        if network in NETWORKS:
            return NETWORKS[network]
    return None


def _networks(told: object) -> list[str]:
    """A list in JSON; in CSV a list written as JSON, or words with commas between."""
    if isinstance(told, str) and told.strip().startswith("["):
        with suppress(ValueError):  # then it is read as words
            told = json.loads(told)
    words = told.split(",") if isinstance(told, str) else told
    return [str(one).strip(" \"'{}[]") for one in words] if isinstance(words, list) else []


def _chamber(name: str) -> str | None:
    words = search_key(name)
    if "agriculture" in words:
        return "chambre_agriculture"
    if "metiers" in words or "artisanat" in words or "cma" in words.split():
        return "cma"
    return "cci" if "commerce" in words or "cci" in words.split() else None
