"""The official files as they are: read and checked line by line, nothing decided yet."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.domain.errors import Invalid
from hub.language import _

SHIPPED = Path(__file__).parent.parent / "data"
"""The folder of the files we ship; its SOURCES.md says where they come from."""

OUTSIDE = "Hors région académique"
"""What the official list writes for the overseas services that belong to no région académique."""

TREE = (
    "academies.csv", "arrondissements_municipaux.csv", "communes.csv", "departements.csv", "fuseaux_horaires.csv",
)  # fmt: skip
"""The files there that the tree is made of."""


def digest(communes: Path) -> str | None:
    """A digest of every file that the tree is made of, by which a second load is known; None if one cannot be read."""
    told = hashlib.sha256(b"1")
    try:
        for file in (communes, *(SHIPPED / name for name in TREE)):
            told.update(file.read_bytes())
    except OSError:
        return None
    return told.hexdigest()


@dataclass(frozen=True)
class AcademieRow:
    """An académie or an overseas service."""

    code: str
    name: str
    region: str
    departements: tuple[str, ...]
    chef_lieu: str


@dataclass(frozen=True)
class DepartementRow:
    """A département, or an overseas territory that counts as one."""

    code: str
    name: str
    region_code: str
    academie_code: str


@dataclass(frozen=True)
class CommuneRow:
    """A commune, an arrondissement (`city` set), or one that has merged into another (`merged_into` set)."""

    insee: str
    name: str
    postcodes: tuple[str, ...]
    departement: str
    lat: float
    lon: float
    population: int | None
    point: str
    city: str | None = None
    merged_into: str | None = None


def read_academies(folder: Path = SHIPPED) -> list[AcademieRow]:
    """The 30 académies and 4 overseas services, in order of code."""
    return [
        AcademieRow(
            row["academie_code"],
            row["academie_name"],
            row["region_academique"],
            tuple(row["departement_codes"].split()),
            row["chef_lieu"],
        )
        for row in _lines(folder / "academies.csv")
    ]


def read_departements(folder: Path = SHIPPED) -> list[DepartementRow]:
    """The 107 départements and overseas territories."""
    return [
        DepartementRow(row["code"], row["name"], row["region_code"], row["academie_code"])
        for row in _lines(folder / "departements.csv")
    ]


def read_zones(folder: Path = SHIPPED) -> dict[str, dict[str, str]]:
    """IANA zones by level (`departement`, `commune`) and code; `*` is every other département."""
    zones: dict[str, dict[str, str]] = {"departement": {}, "commune": {}}
    for row in _lines(folder / "fuseaux_horaires.csv"):
        zones[row["niveau"]][row["code"]] = row["iana_tz"]
    return zones


def read_arrondissements(folder: Path = SHIPPED) -> list[CommuneRow]:
    """The 45 arrondissements of Paris, Lyon and Marseille."""
    return [_commune(row, point="typed") for row in _lines(folder / "arrondissements_municipaux.csv")]


def read_communes(file: Path = SHIPPED / "communes.csv") -> list[CommuneRow]:
    """The communes of a CSV like ours, or of a JSON file of geo.api.gouv.fr; Invalid names the line that is wrong."""
    official = file.suffix.lower() == ".json"
    communes = []
    for number, row in enumerate(_features(file) if official else _lines(file), start=1):
        try:
            communes.append(_commune(_renamed(row) if official else row, point="centre"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Invalid(
                _(
                    "{file}: commune {number} cannot be read ({why}). The file must have insee, name, postcodes, "
                    "departement, lat, lon and population, or be the JSON of geo.api.gouv.fr.",
                    file=file.name,
                    number=number,
                    why=_("{column} is missing", column=error.args[0]) if isinstance(error, KeyError) else error,
                )
            ) from error
    if not communes:
        raise Invalid(_("{file} holds no commune; nothing was changed.", file=file.name))
    return communes


def padded(insee: str) -> str:
    """An INSEE code on five characters: spreadsheets lose the leading zero, people type 2a004."""
    return insee.strip().upper().zfill(5)


def departement_of(insee: str) -> str:
    """The département inside an INSEE code (never inside a postcode)."""
    return insee[:3] if insee.startswith(("97", "98")) else insee[:2]


def _commune(row: Mapping[str, Any], *, point: str) -> CommuneRow:
    insee = padded(row["insee"])
    if not re.fullmatch(r"\d[\dAB]\d{3}", insee):
        raise ValueError(_("{code} is not an INSEE code", code=row["insee"]))
    lat, lon = float(row["lat"]), float(row["lon"])
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise ValueError(_("{lat},{lon} is not a point on Earth", lat=lat, lon=lon))
    city, merged_into = row.get("commune_insee"), row.get("merged_into")
    population = row.get("population")
    return CommuneRow(
        insee=insee,
        name=row["name"],
        postcodes=tuple(code.zfill(5) for code in row["postcodes"].split()),
        departement=row.get("departement") or departement_of(insee),
        lat=lat,
        lon=lon,
        population=int(population) if population not in (None, "") else None,
        point=row.get("point") or point,
        city=padded(city) if city else None,
        merged_into=padded(merged_into) if merged_into else None,
    )


def _lines(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV, by column."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(file, error) from error


def _features(file: Path) -> list[dict[str, Any]]:
    """The communes of a geo.api.gouv.fr answer, as they are."""
    try:
        answer = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    return answer if isinstance(answer, list) else []


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    """One commune of geo.api.gouv.fr under our column names."""
    lon, lat = row["centre"]["coordinates"]
    return {
        "insee": row["code"],
        "name": row["nom"],
        "postcodes": " ".join(row["codesPostaux"]),
        "departement": row.get("codeDepartement"),
        "lat": lat,
        "lon": lon,
        "population": row.get("population"),
    }


def _unreadable(file: Path, error: Exception) -> Invalid:
    why = error.strerror if isinstance(error, OSError) else error
    return Invalid(_("{file} cannot be read: {why}.", file=file, why=why))
