"""Communes as people name them, and the places that receive young people: kinds, sectors, points, distance."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from math import asin, cos, radians, sin, sqrt
from typing import Any, Final

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Field

from hub.domain.post import Kind
from hub.domain.table import Moment, Table, choice

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


class Commune(Table, table=True):
    """A commune, or an arrondissement of Paris, Lyon or Marseille, which refines one.

    `territory_code` is the commune's node in the tree; an arrondissement has its city's.
    """

    insee: str = Field(primary_key=True, max_length=5)
    name: str
    name_key: str = Field(index=True)
    departement: str = Field(max_length=3, index=True)
    academie_code: str = Field(max_length=2)
    territory_code: str = Field(foreign_key="territory.code", index=True)
    lat: float = Field(index=True)
    lon: float
    population: int = 0
    point: str = "typed"
    """How the point was found; `postcode` and `epci` are estimates."""
    arrondissement: bool = False


class Postcode(Table, table=True):
    """One postcode of one commune; most postcodes mean several communes."""

    postcode: str = Field(primary_key=True, max_length=5)
    insee: str = Field(primary_key=True, foreign_key="commune.insee", max_length=5, index=True)


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Kilometres between two points on the sphere (haversine)."""
    north, other_north = radians(lat), radians(other_lat)
    a = sin((other_north - north) / 2) ** 2 + cos(north) * cos(other_north) * sin(radians(other_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(a)))


class PlaceType(Table, table=True):
    """A kind of place that receives young people. A table and not a choice in code: new ones come with new files."""

    __tablename__ = "place_type"

    code: str = Field(primary_key=True, max_length=40)
    """Such as `mission_locale`."""
    name: str
    """In French, without an acronym that is not explained: « Mission locale »."""
    plural: str
    does: str = Field(sa_type=Text)
    """What one finds there, said to a sixteen-year-old: « On t'aide à… »."""
    rank: int
    """What is shown first, where several are as near."""
    has_sectors: bool = False
    """Whether a place of this kind is competent for the communes of its sector, near or not."""


class Place(Table, table=True):
    """A structure that can receive a young person, as its source tells it, with what people here corrected on top."""

    __table_args__ = (
        UniqueConstraint("source", "source_id"),
        Index("ix_place_point", "lat", "lon"),
        Index("ix_place_kind", "type_code", "territory_code"),
    )

    id: int | None = Field(default=None, primary_key=True)
    source: str
    """Which file it comes from, such as `annuaire-education`; `relais` where it was written here."""
    source_id: str
    """Its own number there: an import finds it again by that."""
    type_code: str = Field(foreign_key="place_type.code")
    name: str
    address: str = ""
    postcode: str = Field(default="", max_length=5)
    territory_code: str = Field(foreign_key="territory.code", index=True)
    """The commune that it lies in."""
    lat: float | None = None
    lon: float | None = None
    point: str = "commune"
    """How the point was found: `source`, `commune` where it is that of its commune, `typed` by somebody here."""
    phone: str = ""
    mail: str = ""
    website: str = ""
    description: str = Field(default="", sa_type=Text)
    hours: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    """Opening hours: `days` (first and last, 1 is Monday), `spans` of two hours each, `note`."""
    accessibility: str = ""
    siret: str = Field(default="", max_length=14)
    uai: str = Field(default="", max_length=8)
    dated_on: date | None = None
    """When its source last looked at it; None: the source does not say."""
    imported_at: datetime = Field(sa_type=Moment)
    checked_on: date | None = None
    """When somebody here last made sure of it."""
    corrected: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Field → what the source says of it, where people here know better; an import leaves such fields alone."""
    merged_into_id: int | None = Field(default=None, foreign_key="place.id")
    """The place that it is the same as: shown instead of it."""
    ended_on: date | None = None
    """When its source no longer had it: kept, and shown no more."""
    invented: bool = False
    """Made up for the demo."""


SECTOR = "sector"
"""Under this name a place keeps, among what is corrected, which communes its source names."""


class PlaceSector(Table, table=True):
    """A commune that a place is competent for."""

    __tablename__ = "place_sector"

    place_id: int = Field(foreign_key="place.id", primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True, index=True)


class ProposalState(StrEnum):
    """What became of a date that a source tells of a place."""

    PROPOSED = "proposed"
    """It waits for somebody who makes a post of it."""
    UNREAD = "unread"
    """It could not be told as dates: kept as text, for somebody to look at."""
    TAKEN = "taken"
    DISMISSED = "dismissed"


class PlaceProposal(Table, table=True):
    """An open day that a source tells of a place: a proposal, never published by itself."""

    __tablename__ = "place_proposal"
    __table_args__ = (UniqueConstraint("place_id", "text"),)

    id: int | None = Field(default=None, primary_key=True)
    place_id: int = Field(foreign_key="place.id", index=True)
    text: str
    """As the source has it."""
    first_day: date | None = None
    last_day: date | None = None
    from_hour: str = ""
    to_hour: str = ""
    online: bool = False
    note: str = ""
    state: ProposalState = Field(default=ProposalState.PROPOSED, sa_type=choice(ProposalState))
    post_id: int | None = Field(default=None, foreign_key="post.id")
    """The draft that was made of it."""


class AreaVisit(Table, table=True):
    """How often pages of a département were opened on the portal on a day, by kind of page; of nobody in particular."""

    __tablename__ = "area_visit"

    day: date = Field(primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True)
    page: str = Field(primary_key=True, max_length=24)
    count: int


FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what has none."""


class Pinned(Table, table=True):
    """An item of the portal on the board of one territory: kept with what goes out and what is taken down.

    So that a page of a commune reads its own few boards, however much was ever published.
    """

    __table_args__ = (Index("ix_pinned_board", "territory_code", "whole", "ends_at", "sent_at", "kind", "delivery_id"),)

    delivery_id: int = Field(foreign_key="delivery.id", primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True)
    whole: bool
    """Whether it is meant for all of this territory; else for something within it."""
    kind: Kind = Field(sa_type=choice(Kind))
    sent_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(sa_type=Moment)
    """When it is over and listed no more; FOREVER for what is not about a day."""
