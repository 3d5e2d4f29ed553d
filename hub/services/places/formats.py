"""The formats of files of places, in one table: which columns tell one, and which room reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.services.places import (
    reading_administration,
    reading_education,
    reading_inclusion,
    reading_onisep,
    reading_own,
)
from hub.services.places.told import Row, Told


@dataclass(frozen=True)
class Format:
    """One kind of file."""

    name: str
    source: str
    """What places of such a file have as their source."""
    needs: frozenset[str]
    """Columns without which it is no such file, by normalised name."""
    read: Callable[[Row], Told | None] | None
    """One row in our words, or None where it is of no kind that receives young people; None: it tells no places."""
    also: Mapping[str, str] = field(default_factory=dict)
    """Other names of its columns."""

    def named(self, name: str) -> str:
        """A column under the name by which it is read."""
        return self.also.get(name, name)


SECTORS: Final = Format("sectors", "sectors", frozenset({"code_insee", "code_ml", "nom_officiel_ml"}), None)

FORMATS: Final[Mapping[str, Format]] = {
    one.name: one
    for one in (
        SECTORS,
        Format("onisep", "onisep", reading_onisep.NEEDS, reading_onisep.read, reading_onisep.ALSO),
        Format("education", "annuaire-education", reading_education.NEEDS, reading_education.read),
        Format("dila", "annuaire-administration", reading_administration.NEEDS, reading_administration.read),
        Format("data-inclusion", "data-inclusion", reading_inclusion.NEEDS, reading_inclusion.read),
        Format("own", "own", reading_own.NEEDS, reading_own.read, reading_own.ALSO),
    )
}  # fmt: skip
"""By name, the most particular columns first: a file is taken for the first that fits."""


def looks_like(names: Collection[str]) -> Format | None:
    """The format whose columns a file has."""
    return next((one for one in FORMATS.values() if one.needs <= {one.named(name) for name in names}), None)
