"""The Idéo-structures of Onisep: of its schools, those that take back young people, with their open days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hub.domain.territory import search_key
from hub.services.places.told import Row, Told, text, texts

NEEDS: Final = frozenset({"code_uai", "type_detablissement", "nom", "commune_cog"})

ALSO: Final[Mapping[str, str]] = {"type_d_etablissement": "type_detablissement"}
"""The CSV has an apostrophe where the JSON has nothing."""

KINDS: Final[Mapping[str, str]] = {
    "micro lycee": "micro_lycee",
    "ecole de la deuxieme chance": "e2c",
    "ecole de la 2e chance": "e2c",
    "centre de formation d apprentis": "cfa",
    "ecole de production": "ecole_production",
    "centre d information et d orientation": "cio",
    "mission locale": "mission_locale",
}


def read(row: Row) -> Told | None:
    """One school; None where it is of no kind that takes back young people."""
    kind = KINDS.get(search_key(text(row, "type_detablissement")))
    if kind is None:
        return None
    uai, page = text(row, "code_uai").upper(), text(row, "url_et_id_onisep")
    return Told(
        # Some have no UAI: their page at Onisep ends with a number of their own.
        source_id=uai or page.rstrip("/").rsplit("/", 1)[-1],
        type_code=kind,
        name=text(row, "nom"),
        address=texts(row, "adresse", "boite_postale"),
        postcode=text(row, "cp", "code_postal"),
        insee=text(row, "commune_cog"),
        town=text(row, "commune"),
        lat=text(row, "latitude_y"),
        lon=text(row, "longitude_x"),
        phone=text(row, "telephone"),
        website=page,
        siret=text(row, "n_siret"),
        uai=uai,
        dated_on=text(row, "date_de_modification"),
        open_days=text(row, "journees_portes_ouvertes"),
    )
