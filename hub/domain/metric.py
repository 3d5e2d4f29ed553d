"""The catalogue of metrics: what each name of a network counts, since when and until when, as dated data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field

from hub.domain.account import AccountNetwork
from hub.domain.reach import Unit
from hub.domain.table import Table, choice


class Subject(StrEnum):
    """What a metric tells about."""

    POST = "post"
    PAGE = "page"


class Origin(StrEnum):
    """Where a row of the catalogue comes from."""

    SHIPPED = "shipped"
    LOCAL = "local"
    """Brought in by the operator; `relais init` leaves it alone."""


class Metric(Table, table=True):
    """One figure that a network tells, for as long as it means the same."""

    __table_args__ = (UniqueConstraint("network", "subject", "name", "period", "valid_from"),)

    id: int | None = Field(default=None, primary_key=True)
    network: AccountNetwork = Field(sa_type=choice(AccountNetwork))
    subject: Subject = Field(sa_type=choice(Subject))
    name: str
    """The network's own name."""
    period: str = ""
    """Of a page's figure: the span that it counts (`day`, `week`, `days_28`, `moment`)."""
    unit: Unit = Field(sa_type=choice(Unit))
    additive: bool
    """Whether several of them may be summed: never for people."""
    counted: bool
    """Whether reports count it; others are kept, and exported only."""
    valid_from: date
    valid_until: date | None = None
    """The first day on which the network tells it no more; None: it does."""
    replaces: str | None = None
    """The metric that it took over from. The series is broken there: before and after are not the same measure."""
    definition: str = Field(sa_type=Text)
    """What it counts, in French."""
    definition_en: str = Field(sa_type=Text)
    origin: Origin = Field(default=Origin.SHIPPED, sa_type=choice(Origin))

    def is_valid(self, day: date) -> bool:
        """Whether the network tells it on that day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True)
class Break:
    """From this day on, a kind of figure of a network is not the same measure as before."""

    day: date
    network: AccountNetwork
    unit: Unit
    before: str
    after: str


@dataclass(frozen=True)
class Catalogue:
    """All metrics with their dates; `version` changes with any of them."""

    metrics: Sequence[Metric]
    version: str

    def asked(self, network: AccountNetwork, subject: Subject, day: date) -> list[Metric]:
        """What to ask a network for on that day."""
        return [one for one in self.metrics if one.network is network and one.subject is subject and one.is_valid(day)]

    def named(self, network: str, name: str, day: date | None = None) -> Metric | None:
        """What a name meant on a day (else lately); None where the catalogue does not know it."""
        known = [one for one in self.metrics if one.network == network and one.name == name]
        fitting = [one for one in known if day is not None and one.is_valid(day)]
        return max(fitting or known, key=lambda one: one.valid_from, default=None)

    @cached_property
    def counted(self) -> frozenset[tuple[str, str]]:
        """Network and name of the metrics whose figures reports count."""
        return frozenset((one.network.value, one.name) for one in self.metrics if one.counted)

    def counts(self, network: str, name: str) -> bool:
        """Whether reports count the figures of that name."""
        return (network, name) in self.counted

    @cached_property
    def successors(self) -> Sequence[Metric]:
        """The metrics that took over from another."""
        return [one for one in self.metrics if one.replaces]

    def replaced(self, network: str, names: Iterable[str]) -> set[str]:
        """Those of several names that another one of them took over from."""
        given = set(names)
        return {
            one.replaces
            for one in self.successors
            if one.network == network and one.name in given and one.replaces in given
        }

    def breaks(self, first: date, last: date) -> list[Break]:
        """Where, within a period, a counted series of posts is broken: its newer part is another measure."""
        return sorted(
            (
                Break(one.valid_from, one.network, one.unit, one.replaces, one.name)
                for one in self.metrics
                if one.replaces and one.counted and one.subject is Subject.POST and first < one.valid_from <= last
            ),
            key=lambda one: (one.day, one.network, one.unit),
        )
