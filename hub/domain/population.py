"""How many people a territory has of those that posts are meant for, so that reach can be told per 1,000 of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlmodel import Field

from hub.domain.delivery import Provenance
from hub.domain.reach import Unit
from hub.domain.table import Table, choice


class Cohort(StrEnum):
    """Whom a reference population counts."""

    YOUNG = "young"
    """Everybody from 16 to 25."""
    LEAVERS = "leavers"
    """Young people who left school without a diploma, where it is known."""


class Population(Table, table=True):
    """How many there were of a group, in a territory, in a year, and who says so."""

    territory_code: str = Field(foreign_key="territory.code", primary_key=True)
    cohort: Cohort = Field(sa_type=choice(Cohort), primary_key=True)
    year: int = Field(primary_key=True)
    number: int
    source: str


RATED: Final = frozenset({Provenance.OWN_PAGE, Provenance.GATED, Provenance.NATIONAL})
"""Provenances whose people may be set against those of a territory: of the others nobody knows where they live."""


def can_rate(unit: Unit, provenance: Provenance | str) -> bool:
    """Whether « per 1,000 » says something: of people only, and only where they are people of the territory."""
    return unit is Unit.PEOPLE and provenance in RATED
