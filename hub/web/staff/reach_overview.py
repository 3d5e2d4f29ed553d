"""The overview of the reach page: sources side by side with the period before, and what their figures mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlmodel import Session

from hub.domain.account import NETWORK_NAMES
from hub.domain.delivery import Provenance
from hub.domain.metric import Break, Catalogue, Metric, Subject
from hub.domain.person import Actor
from hub.domain.reach import Unit
from hub.domain.territory import Atlas
from hub.language import _, current_language
from hub.services import cataloguing, reporting, trending
from hub.services.reporting import UNIT_NAMES, Cell, Told
from hub.services.trending import Against, Change
from hub.web.pages import day, number
from hub.web.staff.reach_asked import UNITS, Asked, Source
from hub.web.staff.reach_lines import shown

NEAREST: Final = (
    Provenance.OWN_PAGE,
    Provenance.GATED,
    Provenance.PORTAL,
    Provenance.ORIGIN,
    Provenance.NATIONAL,
)
"""In what order sources stand side by side: what is known of the territories themselves first."""


@dataclass(frozen=True)
class Fact:
    """One figure of a source, against the period before, with the way to its posts and to its definition."""

    unit: Unit
    cell: Cell
    change: Change
    address: str
    meaning: str


@dataclass(frozen=True)
class Card:
    """All figures of one source."""

    source: Source
    posts: int
    address: str
    facts: Sequence[Fact]


@dataclass(frozen=True)
class Meaning:
    """What a kind of figure of a network is made of."""

    anchor: str
    network: str
    unit: Unit
    metrics: Sequence[Metric]


@dataclass
class Overview:
    """What was told in the period and in the one before it, and which of it is shown; each read once, when needed."""

    session: Session
    asked: Asked
    land: Atlas
    by: Actor

    @cached_property
    def catalogue(self) -> Catalogue:
        """What metrics mean, and when that changed."""
        return cataloguing.catalogue(self.session)

    @cached_property
    def now(self) -> list[Told]:
        """What each source told of the period."""
        return reporting.told(self.session, self.asked.frame, by=self.by)

    @cached_property
    def before(self) -> list[Told]:
        """What each source told of the period before; tables do not ask."""
        return reporting.told(self.session, self.asked.frame_before, by=self.by)

    @cached_property
    def units(self) -> list[Unit]:
        """The kinds of figures that there are."""
        return [unit for unit in UNITS if any(unit in one.cells for one in self.now)]

    @property
    def unit(self) -> Unit:
        """The measure that is shown: the one asked for, else the first that there is."""
        return self.asked.unit or next(iter(self.units), Unit.PEOPLE)

    @cached_property
    def sources(self) -> list[Source]:
        """The sources that have this measure: pages of territories first, what counts for the whole country last."""
        having = [Source(one.network, one.provenance) for one in self.now if self.unit in one.cells]
        return sorted(having, key=lambda one: (NEAREST.index(one.provenance), one.network))

    @property
    def source(self) -> Source | None:
        """The one that the map and the rankings go by."""
        if self.asked.source in self.sources:
            return self.asked.source
        return next(iter(self.sources), None)

    @cached_property
    def breaks(self) -> list[Break]:
        """Where a figure of these networks is another measure than before, from the period before on."""
        seen = {one.network for one in [*self.now, *self.before]}
        return [
            one for one in self.catalogue.breaks(self.asked.before[0], self.asked.last) if one.network.value in seen
        ]

    def cards(self) -> list[Card]:
        """Each source with all its figures: side by side, never joined."""
        changes = {
            (one.network, one.provenance, one.unit): one for one in trending.compare(self.now, self.before, self.breaks)
        }
        return [
            Card(
                source,
                one.posts,
                self.asked.posts(source),
                [
                    Fact(
                        unit,
                        one.cells[unit],
                        changes[one.network, one.provenance, unit],
                        self.asked.posts(source, unit),
                        anchor_of(one.network, unit),
                    )
                    for unit in UNITS
                    if unit in one.cells
                ],
            )
            for one in sorted(self.now, key=lambda one: (NEAREST.index(one.provenance), one.network))
            for source in [Source(one.network, one.provenance)]
        ]

    def meanings(self) -> list[Meaning]:
        """What the kinds of figures on the page are made of, metric by metric."""
        seen = {one.network for one in self.now}
        found: dict[tuple[str, Unit], list[Metric]] = {}
        for one in self.catalogue.metrics:
            if one.counted and one.subject is Subject.POST and one.network.value in seen:
                found.setdefault((one.network.value, one.unit), []).append(one)
        return [
            Meaning(anchor_of(network, unit), network, unit, found[network, unit])
            for network, unit in sorted(found, key=lambda one: (one[0], UNITS.index(one[1])))
        ]


# --- Words ----------------------------------------------------------------------------------------------


def change_words(change: Change) -> str:
    """How a figure stands against the period before; nothing where there is no other."""
    if change.against is Against.BROKEN and change.broken:
        return _("not comparable: {why}", why=break_words(change.broken))
    if change.against is Against.IN_PART:
        return _("not comparable, a part was not told (before: {number})", number=shown(change.before))
    if change.percent is not None:
        return _percent_words(round(change.percent), shown(change.before))
    if change.now is None or change.before is None or change.before.value is None:
        return ""
    return _("before: {number}", number=shown(change.before))


def _percent_words(percent: int, before: str) -> str:
    if percent == 0:
        return _("as much as before ({number})", number=before)
    if percent > 0:
        return _("{percent} % more than before ({number})", percent=number(percent), number=before)
    return _("{percent} % less than before ({number})", percent=number(-percent), number=before)


def arrow(change: Change) -> str:
    """Which way a figure went: ▲, ▼ or =; nothing where that cannot be said."""
    if change.percent is None:
        return ""
    return "▲" if round(change.percent) > 0 else "▼" if round(change.percent) < 0 else "="


def break_words(broken: Break) -> str:
    """From when on a figure is another measure."""
    return _(
        "{network} changed its definition on {day}",
        network=_(NETWORK_NAMES[broken.network]),
        day=day(broken.day, form="d MMMM y"),
    )


def anchor_of(network: str, unit: Unit) -> str:
    """Where on the page a kind of figure of a network is explained."""
    return f"sens-{network}-{unit.value}"


def definition(metric: Metric) -> str:
    """What a metric counts, in the language that is being spoken."""
    return metric.definition if current_language() == "fr" else metric.definition_en


def measures() -> list[tuple[Unit, str]]:
    """The kinds of figures by name."""
    return [(unit, _(UNIT_NAMES[unit])) for unit in UNITS]
