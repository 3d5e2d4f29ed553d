"""The annuaire de l'éducation: of its schools and services, those that receive young people without a school."""

from __future__ import annotations

from typing import Final

from hub.domain.territory import search_key
from hub.services.places.told import Row, Told, text, texts

NEEDS: Final = frozenset({"identifiant_de_l_etablissement", "nom_etablissement", "type_etablissement"})

OPEN: Final = "ouvert"
GUIDANCE: Final = "information et orientation"


def read(row: Row) -> Told | None:
    """One centre d'information et d'orientation that is open; None for whatever else is listed there."""
    kind = _kind(row)
    if kind is None or search_key(text(row, "etat") or OPEN) != OPEN:
        return None
    number = text(row, "identifiant_de_l_etablissement").upper()
    return Told(
        source_id=number,
        type_code=kind,
        name=text(row, "nom_etablissement"),
        address=texts(row, "adresse_1", "adresse_2"),
        postcode=text(row, "code_postal"),
        insee=text(row, "code_commune"),
        town=text(row, "nom_commune"),
        lat=text(row, "latitude"),
        lon=text(row, "longitude"),
        phone=text(row, "telephone"),
        mail=text(row, "mail"),
        website=text(row, "web"),
        siret=text(row, "siren_siret"),
        uai=number,
        dated_on=text(row, "date_maj_ligne"),
    )


def _kind(row: Row) -> str | None:
    nature = search_key(text(row, "libelle_nature"))
    if search_key(text(row, "type_etablissement")) == GUIDANCE or nature.startswith("centre d information et d orient"):
        return "cio"
    return None
