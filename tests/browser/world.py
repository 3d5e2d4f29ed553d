"""A hub with something on every page: posts in each state, figures, an account in trouble, an invitation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import select

from channels import Refused
from hub.database import reading, writing
from hub.domain.delivery import Delivery
from hub.secrets import write_new_key
from hub.services import approving, connecting, visiting
from tests.services.desk import Desk
from tests.stage import Stage, build_stage


@dataclass
class World:
    """A furnished stage, and the names by which addresses find what stands on it."""

    stage: Stage
    names: dict[str, Any] = field(default_factory=dict)

    def cookie(self, who: str) -> str:
        """A session of one of the people, opened now."""
        return open_session(self.stage, who)


def open_session(stage: Stage, who: str) -> str:
    """The cookie of a session of one of the people."""
    with writing(stage.hub.engine) as session:
        return visiting.enter(session, stage.people[who].id, device="Chromium", at=stage.clock())


def build_world(engine: Engine, home: Path, **settings: Any) -> World:
    """Let a week go by in which everything happens once."""
    write_new_key(home / "relais.key")
    stage = build_stage(engine, home, **settings)
    world = World(stage)
    desk = Desk(stage, stage.hub.terms)
    _what_went_out(world, desk)
    _what_waits(world, desk)
    _who_comes(world)
    return world


def _what_went_out(world: World, desk: Desk) -> None:
    stage = world.stage
    accounts = ["facebook:A-14", "portal:FR"]
    world.names["published"] = desk.approved(when="2026-11-02T18:00", accounts=accounts, link="https://example.org/cfa")
    world.names["failed"] = desk.approved(
        text="Une rencontre qui ne passera pas", when="2026-11-02T18:30", accounts=["facebook:A-14"]
    )
    stage.clock.forward(hours=6, minutes=5)
    stage.run_due()
    stage.clock.forward(hours=0.5)
    stage.channel("rennes").fail_next(Refused("Invalid parameter (#100)"))
    stage.run_due()
    with reading(stage.hub.engine) as session:
        sent = session.exec(select(Delivery).where(Delivery.post_id == world.names["published"])).all()
    world.names["delivery"] = next(one.id for one in sent)
    world.names["key"] = next(one.key for one in sent if one.account_id == stage.accounts["portal"])


def _what_waits(world: World, desk: Desk) -> None:
    stage, names = world.stage, world.names
    names["draft"] = desk.write(text="Un brouillon\n\nQui attend la suite.")
    names["submitted"] = desk.submitted(text="Une visite de l'école de la deuxième chance", when="2026-11-11T18:00")
    names["other"] = desk.submitted(text="Un atelier pour préparer son entretien", when="2026-11-12T09:30")
    names["approved"] = desk.approved(text="Un forum de l'apprentissage", when="2026-11-13T14:00")
    names["returned"] = desk.submitted(text="Un texte à reprendre", when="2026-11-14T18:00")
    with writing(stage.hub.engine) as session:
        reason = "Le lieu manque : dans quelle salle ?"
        approving.give_back(session, names["returned"], by=desk.who("coordinator"), at=stage.clock(), reason=reason)
        resting = connecting.get_account(session, stage.accounts["elsewhere"])
        connecting.pause(session, resting.id or 0, reason="En vacances", by=desk.who("administrator"), at=stage.clock())
    names["account"], names["paused"] = stage.accounts["rennes"], stage.accounts["elsewhere"]


def _who_comes(world: World) -> None:
    stage = world.stage
    with writing(stage.hub.engine) as session:
        person, plain = visiting.invite(
            session,
            email="nouvelle@example.org",
            name="Nouvelle Venue",
            by=stage.people["administrator"],
            at=stage.clock() - timedelta(hours=1),
        )
        world.names["invited"], world.names["invitation"] = person.id, plain
    world.names["person"] = stage.people["animator"].id
