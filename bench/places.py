"""The nearest of 10,000 places (goal: 1 ms), beside a scipy KD-tree on unit vectors that fetches the row (goal: 3)."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from math import cos, radians, sin
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from sqlmodel import Session, select

from hub.database import build_engine, migrate, reading, writing
from hub.domain.place import Commune, Place
from hub.services import importing, kinds, placing

PLACES: Final = 10_000
TURNS: Final = 7
ASKED: Final = 200
AT: Final = datetime(2026, 11, 2, 11, tzinfo=UTC)
GOAL_MS: Final = 1.0
GOAL_RATIO: Final = 3.0

Point = tuple[float, float]


def found(session: Session, chance: random.Random) -> None:
    """Places where people live: beside communes, the bigger the likelier."""
    importing.load_reference(session, at=AT)
    kinds.lay(session, at=AT)
    communes = session.exec(select(Commune.territory_code, Commune.lat, Commune.lon, Commune.population)).all()
    chosen = chance.choices(communes, weights=[population + 100 for *_rest, population in communes], k=PLACES)
    session.add_all(
        Place(
            source="bench", source_id=str(number), type_code="cio", name=f"Place {number}", territory_code=code,
            lat=lat + chance.uniform(-0.02, 0.02), lon=lon + chance.uniform(-0.02, 0.02), imported_at=AT,
        )
        for number, (code, lat, lon, _population) in enumerate(chosen)
    )  # fmt: skip


def vector(lat: float, lon: float) -> tuple[float, float, float]:
    """A point on the unit sphere."""
    return cos(radians(lat)) * cos(radians(lon)), cos(radians(lat)) * sin(radians(lon)), sin(radians(lat))


def tree_of(session: Session) -> Callable[[Session, Point], str] | None:
    """The same question put to a KD-tree, which then fetches the row; None where scipy is not installed."""
    if find_spec("scipy") is None:
        return None
    rows = session.exec(select(Place.id, Place.lat, Place.lon)).all()
    tree: Any = import_module("scipy.spatial").cKDTree([vector(lat or 0, lon or 0) for _id, lat, lon in rows])

    def nearest(session: Session, point: Point) -> str:
        _distance, index = tree.query(vector(*point))
        return session.exec(select(Place).where(Place.id == rows[index][0])).one().source_id

    return nearest


def ours(session: Session, point: Point) -> str:
    """The nearest place, as the portal asks for it."""
    return placing.near(session, *point, limit=1)[0].place.source_id


def seconds(session: Session, ask: Callable[[Session, Point], str], points: list[Point]) -> tuple[float, list[str]]:
    """How long one answer takes, and the answers; nothing is remembered between them."""
    answers = []
    start = perf_counter()
    for point in points:
        answers.append(ask(session, point))
        session.expunge_all()
    return (perf_counter() - start) / len(points), answers


def main() -> int:
    """Measure in turns; 1 where a goal is missed."""
    chance = random.Random(6)
    with tempfile.TemporaryDirectory() as folder:
        engine = build_engine(f"sqlite:///{Path(folder) / 'relais.db'}")
        migrate(engine)
        with writing(engine) as session:
            found(session, chance)
        with reading(engine) as session:
            communes = session.exec(select(Commune.lat, Commune.lon)).all()
            points = [(lat, lon) for lat, lon in chance.sample(communes, ASKED)]
            tree = tree_of(session)
            own, theirs = [], []
            for _turn in range(TURNS):
                took, answers = seconds(session, ours, points)
                own.append(took * 1000)
                if tree is not None:
                    took, told = seconds(session, tree, points)
                    theirs.append(took * 1000)
                    if told != answers:
                        print("The KD-tree found other places.")
                        return 1
        engine.dispose()
    print(f"nearest of {PLACES} places: {median(own):.2f} ms (goal {GOAL_MS}; turns {min(own):.2f} to {max(own):.2f})")
    if not theirs:
        print("scipy is not installed here: not compared with a KD-tree.")
        return int(median(own) > GOAL_MS)
    ratios = [mine / other for mine, other in zip(own, theirs, strict=True)]
    print(
        f"nearest place / KD-tree and the row: {median(ratios):.2f} (goal {GOAL_RATIO}; "
        f"turns {min(ratios):.2f} to {max(ratios):.2f})"
    )
    return int(median(own) > GOAL_MS or median(ratios) > GOAL_RATIO)


if __name__ == "__main__":
    sys.exit(main())
