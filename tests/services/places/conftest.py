"""A desk at which files of places are brought in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.place import Place, PlaceProposal, PlaceSector
from hub.services.places import bringing, taking
from hub.services.places.taking import Brought

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)

OWN = "id;type;name;commune;phone\n"


@dataclass
class Importer:
    """Brings in what is written to it, and tells what is there."""

    engine: Engine
    folder: Path

    def file(self, content: str | bytes | Sequence[Any] | dict[str, Any], name: str = "places.csv") -> Path:
        """A file with that content: words, bytes, or what JSON is made of."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            told = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
            path.write_text(told, encoding="utf-8")
        return path

    def bring(self, format_name: str, content: Any, *, at: datetime = NOON, **rest: Any) -> Brought:
        """Bring in a file of that content."""
        file, is_whole = self.file(content), rest.pop("is_whole", False)
        with ExitStack() as stack:
            with reading(self.engine) as session:
                taken = stack.enter_context(taking.taken(session, file, format_name, **rest))
            with writing(self.engine) as session:
                return bringing.bring_in(session, taken, at=at, is_whole=is_whole)

    def own(self, *rows: str, heading: str = OWN, **rest: Any) -> Brought:
        """Bring in our own CSV."""
        return self.bring("own", heading + "".join(f"{row}\n" for row in rows), **rest)

    def places(self) -> dict[str, Place]:
        """All places by their number at their source."""
        with reading(self.engine) as session:
            return {one.source_id: one for one in session.exec(select(Place).order_by(col(Place.id)))}

    def place(self) -> Place:
        """The only place."""
        (one,) = self.places().values()
        return one

    def sectors(self) -> dict[str, set[str]]:
        """The communes of the sector of each place, by its number at its source."""
        with reading(self.engine) as session:
            rows = session.exec(
                select(Place.source_id, PlaceSector.territory_code).join(
                    PlaceSector, col(PlaceSector.place_id) == col(Place.id)
                )
            ).all()
        return {number: {code for other, code in rows if other == number} for number, _code in rows}

    def proposals(self) -> list[PlaceProposal]:
        """All open days that are proposed."""
        with reading(self.engine) as session:
            return list(session.exec(select(PlaceProposal).order_by(col(PlaceProposal.id))))

    def change(self, change: Callable[[Place], None]) -> None:
        """Change the only place."""
        with writing(self.engine) as session:
            place = session.exec(select(Place)).one()
            change(place)
            session.add(place)


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Importer:
    """Somewhere to bring in."""
    return Importer(engine, tmp_path)
