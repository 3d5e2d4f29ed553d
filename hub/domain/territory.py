"""Territories: the tree from France down to communes, and what lies within what."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property

from sqlmodel import Field

from hub.domain.table import Table, choice

COUNTRY = "FR"
"""The code of the whole country."""


class Level(StrEnum):
    """How high a territory stands in the tree."""

    COUNTRY = "country"
    REGION = "region"
    ACADEMIE = "academie"
    DEPARTEMENT = "departement"
    COMMUNE = "commune"


class Territory(Table, table=True):
    """A node of the tree; `path` is its lineage from France down, itself included (`FR/R-53/A-14/D-35`)."""

    code: str = Field(primary_key=True, max_length=8)
    level: Level = Field(sa_type=choice(Level), index=True)
    name: str
    parent_code: str | None = Field(default=None, foreign_key="territory.code", index=True)
    path: str = Field(index=True)
    zone: str
    """IANA time zone; above the commune that of its chef-lieu."""
    population: int = 0
    ended_on: date | None = None
    """When it ceased to exist (communes merge each January); it is kept, since old files name it."""
    successor_code: str | None = Field(default=None, foreign_key="territory.code")


_LEADING_ARTICLE = re.compile(r"^(?:les?|la|l) (?=\S)")
_SAINT = re.compile(r"\bst(e?)\b")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def plain(name: str) -> str:
    """A name in small letters without accents, its words apart."""
    told = name.lower().replace("œ", "oe").replace("æ", "ae")
    told = "".join(letter for letter in unicodedata.normalize("NFD", told) if not unicodedata.combining(letter))
    return _NOT_WORD.sub(" ", told).strip()


def search_key(name: str) -> str:
    """A name as it is searched: no case, accents, hyphens, apostrophes; Saint/St and œ/oe alike; no leading article."""
    return _LEADING_ARTICLE.sub("", _SAINT.sub(r"saint\1", plain(name)))


def lineage(path: str) -> list[str]:
    """The codes of a path, from France down."""
    return path.split("/")


def lies_within(path: str, code: str) -> bool:
    """Whether the territory with this path lies within another one (or is it)."""
    return code in lineage(path)


@dataclass(frozen=True)
class Node:
    """What the rules need to know of a territory."""

    code: str
    name: str
    level: Level
    path: str
    zone: str
    population: int
    ended_on: date | None = None


@dataclass(frozen=True)
class Atlas:
    """The territories at hand: always those down to départements, and the communes that were asked for.

    `communes_of` counts the communes of each département that has some at hand, so that naming all of them
    is the same as naming the département.
    """

    nodes: Mapping[str, Node]
    communes_of: Mapping[str, int] = field(default_factory=dict)

    def __contains__(self, code: object) -> bool:
        return code in self.nodes

    def name(self, code: str) -> str:
        """The name of a territory."""
        return self.nodes[code].name

    def zone(self, code: str) -> str:
        """The time zone of a territory."""
        return self.nodes[code].zone

    def parent(self, code: str) -> str | None:
        """The territory right above, or None for France."""
        above = lineage(self.nodes[code].path)[:-1]
        return above[-1] if above else None

    def children(self, code: str) -> list[str]:
        """The territories right below, of those at hand that still exist."""
        return self._children.get(code, [])

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        told: dict[str, list[str]] = {}
        for code, node in self.nodes.items():
            if node.ended_on is None and (parent := self.parent(code)):
                told.setdefault(parent, []).append(code)
        return told

    def within(self, code: str, other: str) -> bool:
        """Whether the first lies within the second (or is it)."""
        return lies_within(self.nodes[code].path, other)

    def meet(self, code: str, other: str) -> str | None:
        """What two territories have in common: the smaller one, or None."""
        if self.within(code, other):
            return code
        return other if self.within(other, code) else None

    def simplify(self, codes: Iterable[str]) -> frozenset[str]:
        """The same land in as few codes as can be: parts of a named whole left out, complete sets of parts joined.

        A région that is one académie is told as that académie.
        """
        kept = {self._as_academie(code) for code in codes}
        while True:
            kept = {code for code in kept if not any(code != other and self.within(code, other) for other in kept)}
            parents = {parent for parent in map(self.parent, kept) if parent and self._complete(parent, kept)}
            joined = {self._as_academie(parent) for parent in parents} - kept
            if not joined:
                return frozenset(kept)
            kept |= joined

    def _as_academie(self, code: str) -> str:
        if self.nodes[code].level is not Level.REGION:
            return code
        children = self.children(code)
        return children[0] if len(children) == 1 else code

    def _complete(self, parent: str, kept: set[str]) -> bool:
        children = [self._as_academie(child) for child in self.children(parent)]
        if self.nodes[parent].level is Level.DEPARTEMENT:
            return len(kept & set(children)) == self.communes_of.get(parent, -1)
        return bool(children) and kept.issuperset(children)

    def intersection(self, codes: Iterable[str], territory: str) -> frozenset[str]:
        """What of these territories lies within one territory, simplified; empty when nothing does."""
        met = (self.meet(code, territory) for code in codes)
        return self.simplify(code for code in met if code is not None)

    def covers(self, wide: Iterable[str], narrow: Iterable[str]) -> bool:
        """Whether all of the narrow territories lie within the wide ones."""
        whole = self.simplify(wide)
        return all(any(self.within(code, other) for other in whole) for code in self.simplify(narrow))

    def same(self, codes: Iterable[str], territory: str) -> bool:
        """Whether these territories together are exactly that one."""
        return self.simplify(codes) == self.simplify({territory})

    def academies_of(self, codes: Iterable[str]) -> list[str]:
        """The académies (and overseas services) that these territories touch, in order of code."""
        found = set()
        for code in codes:
            found |= {
                other
                for other, node in self.nodes.items()
                if node.level is Level.ACADEMIE and (self.within(other, code) or self.within(code, other))
            }
        return sorted(found)

    def common(self, codes: Iterable[str]) -> str:
        """The smallest territory that holds all of these."""
        paths = [lineage(self.nodes[code].path) for code in codes]
        shared = COUNTRY
        for step in zip(*paths, strict=False):
            if len(set(step)) > 1:
                break
            shared = step[0]
        return shared

    def population(self, codes: Iterable[str]) -> int:
        """How many people live in these territories together."""
        return sum(self.nodes[code].population for code in self.simplify(codes))
