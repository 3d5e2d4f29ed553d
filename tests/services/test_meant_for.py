"""Whatever is shown in an area is meant for it, and whatever is meant for it is shown: random audiences, everywhere.

What a post is meant for is judged here by its audience as typed and by the communes that lie in it, apart from how
gates are simplified, pinned and looked up; the gates are those that `geotargeting` makes of the audience.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pytest
from sqlmodel import Session, col, select

from hub.database import reading, writing
from hub.domain.territory import COUNTRY, Level, Territory, lineage
from hub.services import following, geotargeting, nearby
from tests.shown import put_out
from tests.stage import NOON, Stage

POSTS = 250
WIDTHS = (1, 1, 1, 2, 3, 8)


@dataclass(frozen=True)
class Land:
    """The country as a list of communes, each with all that it lies in."""

    codes: Mapping[Level, list[str]]
    paths: Mapping[str, list[str]]
    communes_in: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, session: Session) -> Land:
        rows = session.exec(
            select(Territory.code, Territory.level, Territory.path).where(col(Territory.ended_on).is_(None))
        ).all()
        codes: dict[Level, list[str]] = {level: [] for level in Level}
        inside: dict[str, set[str]] = {code: set() for code, _level, _path in rows}
        for code, level, path in sorted(rows):
            codes[Level(level)].append(code)
            if level is Level.COMMUNE:
                for above in lineage(path):
                    inside[above].add(code)
        return cls(
            codes,
            {code: lineage(path) for code, _level, path in rows},
            {code: frozenset(communes) for code, communes in inside.items()},
        )

    def communes(self, audience: Collection[str]) -> frozenset[str]:
        """Every commune for whose people such a post is meant."""
        return frozenset().union(*(self.communes_in[code] for code in audience))

    def audience(self, chance: random.Random) -> list[str]:
        """Somebody's audience: some territories of any levels, at times all parts of a whole by name."""
        if chance.random() < 0.2:
            whole = chance.choice([*self.codes[Level.REGION], *self.codes[Level.ACADEMIE]])
            below = [code for code, path in self.paths.items() if len(path) > 1 and path[-2] == whole]
            return below if chance.random() < 0.5 else chance.sample(below, chance.randint(1, len(below)))
        if chance.random() < 0.1:
            return sorted(self.communes_in[chance.choice(self.codes[Level.DEPARTEMENT])])
        levels = chance.choices(list(Level), [1, 2, 6, 6, 6], k=chance.choice(WIDTHS))
        return [chance.choice(self.codes[level]) for level in levels]


@pytest.mark.parametrize("seed", [6, 1789])
def test_every_post_of_an_area_is_meant_for_it_and_every_post_meant_for_it_is_there(stage: Stage, seed: int):
    chance = random.Random(seed)
    meant: dict[str, frozenset[str]] = {}
    with writing(stage.hub.engine) as session:
        land = Land.read(session)
        everywhere = [[code] for code in (COUNTRY, *land.codes[Level.REGION], *land.codes[Level.ACADEMIE])]
        for audience in [*everywhere, *(land.audience(chance) for _post in range(POSTS))]:
            gate = sorted(geotargeting.atlas(session, audience).intersection(audience, COUNTRY))
            meant[put_out(session, stage, gate).key] = land.communes(audience)

    assert len(land.codes[Level.ACADEMIE]) == 34
    with reading(stage.hub.engine) as session:
        for academie in land.codes[Level.ACADEMIE]:
            for commune in chance.sample(sorted(land.communes_in[academie]), min(3, len(land.communes_in[academie]))):
                wanted = {key for key, communes in meant.items() if commune in communes}
                area = nearby.get_area(session, commune.removeprefix("C-"))
                listed = nearby.items(session, area, at=NOON)
                followed = following.newest(session, following.get_area(session, commune), at=NOON, most=1000)
                assert {one.key for one in listed.items} == wanted, commune
                assert {one.delivery.key for one in followed} == wanted, commune
                assert not listed.cut


@pytest.mark.parametrize("level", [Level.DEPARTEMENT, Level.ACADEMIE, Level.REGION, Level.COUNTRY])
def test_a_wide_area_has_every_post_that_is_meant_for_somebody_in_it_and_no_other(stage: Stage, level: Level):
    chance = random.Random(level.value)
    meant: dict[str, frozenset[str]] = {}
    with writing(stage.hub.engine) as session:
        land = Land.read(session)
        for _post in range(120):
            audience = land.audience(chance)
            gate = sorted(geotargeting.atlas(session, audience).intersection(audience, COUNTRY))
            meant[put_out(session, stage, gate).key] = land.communes(audience)

    with reading(stage.hub.engine) as session:
        for code in land.codes[level]:
            wanted = {key for key, communes in meant.items() if communes & land.communes_in[code]}
            listed = nearby.items(session, nearby.get_wide_area(session, code), at=NOON)
            followed = following.newest(session, following.get_area(session, code), at=NOON, most=1000)
            assert {one.key for one in listed.items} == wanted, code
            assert {one.delivery.key for one in followed} == wanted, code
