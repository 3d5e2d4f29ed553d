"""Places to keep: put on the stage, looked at, and what was noted of them."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.place import Commune, Place, PlaceProposal, ProposalState
from tests.stage import Stage

DATED = date(2026, 9, 1)
"""When sources looked at places last, unless told otherwise: lately."""


class Shelf:
    """Places on a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.count = 0

    def put(self, name: str = "Mission locale de Rennes", insee: str = "35238", **columns: Any) -> int:
        """A place as an import would have brought it in, at the point of its commune."""
        self.count += 1
        with writing(self.stage.hub.engine) as session:
            commune = session.get(Commune, insee)
            assert commune is not None
            usual: dict[str, Any] = {
                "source": "annuaire-administration",
                "source_id": f"n{self.count}",
                "type_code": "mission_locale",
                "territory_code": commune.territory_code,
                "lat": commune.lat,
                "lon": commune.lon,
                "phone": "02 99 00 00 00",
                "dated_on": DATED,
                "imported_at": self.stage.clock(),
            }
            place = Place(name=name, **(usual | columns))
            session.add(place)
            session.flush()
            assert place.id is not None
            return place.id

    def propose(self, place_id: int, text: str = "le 30/01/2027 de 09h00 à 12h00", **columns: Any) -> int:
        """An open day as an import would have told it."""
        usual: dict[str, Any] = {
            "first_day": date(2027, 1, 30),
            "last_day": date(2027, 1, 30),
            "from_hour": "09:00",
            "to_hour": "12:00",
        }
        with writing(self.stage.hub.engine) as session:
            proposal = PlaceProposal(place_id=place_id, text=text, **(usual | columns))
            session.add(proposal)
            session.flush()
            assert proposal.id is not None
            return proposal.id

    def unread(self, place_id: int, text: str = "au printemps, voir le site") -> int:
        """An open day that could not be told as dates."""
        nothing = {"first_day": None, "last_day": None, "from_hour": "", "to_hour": ""}
        return self.propose(place_id, text, state=ProposalState.UNREAD, **nothing)

    def get(self, place_id: int) -> Place:
        """A place as it is stored."""
        with reading(self.stage.hub.engine) as session:
            place = session.get(Place, place_id)
            assert place is not None
            return place

    def proposal(self, proposal_id: int) -> PlaceProposal:
        """An open day as it is stored."""
        with reading(self.stage.hub.engine) as session:
            found = session.get(PlaceProposal, proposal_id)
            assert found is not None
            return found

    def noted(self, place_id: int) -> list[tuple[str, str, Any, Any]]:
        """What was noted of a place: action, by whom, before and after."""
        query = select(AuditEntry).where(AuditEntry.thing == f"place:{place_id}").order_by(col(AuditEntry.id))
        with reading(self.stage.hub.engine) as session:
            return [(one.action, one.by_name, one.before, one.after) for one in session.exec(query)]
