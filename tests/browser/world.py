"""A hub with something on every page: posts in each state, figures, an account in trouble, people half-way in."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyotp
from PIL import Image
from sqlalchemy import Engine
from sqlmodel import Session, select

from channels import Refused
from hub import media
from hub.database import reading, writing
from hub.domain.delivery import Delivery
from hub.domain.place import Place, PlaceSector, PlaceType
from hub.domain.post import Kind
from hub.secrets import write_new_key
from hub.services import approving, connecting, consenting, proving, sectoring, sketching, visiting
from hub.services.linking import Grant
from schedules import runner
from tests.services.desk import Desk
from tests.services.shelf import Shelf
from tests.shown import an_event, put_out
from tests.stage import Stage, build_stage

LONG = "https://www.example.org/une/adresse/tres/longue/que/rien/ne/coupe/" + "0123456789" * 8
"""What people paste: it must not push anything off a small screen."""


@dataclass
class World:
    """A furnished stage, and the names by which addresses find what stands on it."""

    stage: Stage
    names: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def cookie(self, who: str) -> str:
        """The session of one of the people, the same each time."""
        if who not in self.sessions:
            self.sessions[who] = open_session(self.stage, who)
        return self.sessions[who]

    def sign_in_id(self, who: str) -> int:
        """The number of that session."""
        with reading(self.stage.hub.engine) as session:
            return visiting.entered(session, self.cookie(who), at=self.stage.clock()).sign_in_id


def open_session(stage: Stage, who: str) -> str:
    """The cookie of a new session of one of the people."""
    with writing(stage.hub.engine) as session:
        return visiting.enter(session, stage.people[who].id, device="Chromium", at=stage.clock())


def build_world(engine: Engine, home: Path, **settings: Any) -> World:
    """Let some days go by in which everything happens once."""
    write_new_key(home / "relais.key")
    stage = build_stage(engine, home, **settings)
    world = World(stage)
    desk = Desk(stage, stage.hub.terms)
    _what_went_out(world, desk)
    _what_waits(world, desk)
    with writing(engine) as session:
        _accounts(session, world)
        _people(session, world)
        _what_is_near(session, world)
    with writing(engine) as session:
        _half_way_in(session, world)
    _places(world)
    return world


def _places(world: World) -> None:
    """A place with everything, corrected; one that is the same; one with the longest words; open days."""
    shelf = Shelf(world.stage)
    hours = [{"days": [1, 5], "spans": [["09:00", "12:00"], ["13:30", "17:00"]], "note": "sur rendez-vous"}]
    place = world.names["place"] = shelf.put(
        "Mission locale We Ker", dated_on=None, hours=hours, address="7 rue de la Parcheminerie", postcode="35000",
        mail="accueil@mission-locale.example.org", website=LONG, corrected={"phone": "02 99 00 00 99", "mail": ""},
        description="On t’écoute, et on cherche avec toi.",
    )  # fmt: skip
    world.names["merged"] = shelf.put("Mission Locale Rennes", merged_into_id=place, source="data-inclusion")
    shelf.put(f"École de la deuxième chance {LONG}"[:250], type_code="e2c", phone="")
    shelf.propose(place)
    shelf.unread(place, f"au printemps, voir {LONG}")
    with writing(world.stage.hub.engine) as session:
        by = world.stage.people["animator"]
        sectoring.set_sector(session, place, ["C-35238", "C-35047"], by=by, at=world.stage.clock())


def _what_went_out(world: World, desk: Desk) -> None:
    stage, names = world.stage, world.names
    picture = _picture(stage)
    accounts = ["facebook:A-14", "portal:FR"]
    names["published"] = desk.approved(
        when="2026-11-02T18:00",
        accounts=accounts,
        link="https://example.org/cfa",
        pictures=[{"id": picture, "alt": "Des apprentis dans la cour du CFA"}],
    )
    names["failed"] = desk.approved(text="Une rencontre", when="2026-11-02T18:30", accounts=["facebook:A-14"])
    names["picture"] = picture
    engine = runner.build(stage.hub)
    stage.clock.forward(hours=6, minutes=5)
    engine.run_due()
    stage.channel("rennes").people |= dict.fromkeys(stage.channel("rennes").shown, 412)
    stage.channel("rennes").fail_next(Refused("Invalid parameter (#100)"))
    stage.clock.forward(hours=0.5)
    engine.run_due()
    stage.clock.forward(days=1, hours=14)
    engine.run_due()
    engine.stop()
    with reading(stage.hub.engine) as session:
        sent = session.exec(select(Delivery).where(Delivery.post_id == names["published"])).all()
    names["delivery"] = next(one.id for one in sent)
    names["key"] = next(one.key for one in sent if one.account_id == stage.accounts["portal"])


def _what_is_near(session: Session, world: World) -> None:
    """Events, options and advice around Rennes, and who helps there."""
    stage, at = world.stage, world.stage.clock()
    workshop = an_event("2026-11-20T18:00:00", "2026-11-20T20:00:00", venue="CFA de Rennes", accessibility=["motor"])
    text = f"Un atelier pour essayer un métier : {LONG}"
    put_out(session, stage, ["A-14"], kind=Kind.EVENT, text=text, event=workshop)
    put_out(session, stage, ["D-35"], kind=Kind.OPTION, text="Un CAP cuisine en un an\n\nEn alternance.")
    put_out(session, stage, ["FR"], kind=Kind.ADVICE, text="Tes droits après l’école\n\nÀ lire.")
    session.merge(
        PlaceType(
            code="mission_locale", name="Mission locale", plural="Missions locales", rank=1, has_sectors=True,
            does="On t’aide à trouver une formation, un emploi, un logement, de 16 à 25 ans.",
        )
    )  # fmt: skip
    session.flush()
    hours = [{"days": [1, 5], "spans": [["09:00", "12:00"], ["14:00", "17:00"]], "note": "sur rendez-vous"}]
    places = [
        Place(
            source="relais", source_id=str(number), type_code="mission_locale", name=name, phone="02 99 00 00 00",
            address="7 rue de la Gare", postcode="35000", territory_code="C-35238", lat=48.1 + number / 20, lon=-1.68,
            mail="accueil@example.org", website="https://example.org", hours=hours, imported_at=at,
            dated_on=date(2026, 10, 1) if number == 1 else None,
        )
        for number, name in enumerate(("Mission locale de Rennes", "Mission locale du pays de Liffré"), start=1)
    ]  # fmt: skip
    session.add_all(places)
    session.flush()
    session.add(PlaceSector(place_id=places[0].id or 0, territory_code="C-35238"))
    world.names["structure"] = f"{places[0].id}-mission-locale-de-rennes"


def _picture(stage: Stage) -> str:
    drawn = io.BytesIO()
    Image.new("RGB", (640, 360), "#2b4bb8").save(drawn, "JPEG")
    with writing(stage.hub.engine) as session:
        return media.keep(session, media.clean(drawn.getvalue()), at=stage.clock()).id


def _what_waits(world: World, desk: Desk) -> None:
    stage, names = world.stage, world.names
    names["draft"] = desk.write(
        text=f"Un brouillon\n\nQui attend la suite : {LONG}", pictures=[{"id": names["picture"], "alt": "La cour"}]
    )
    names["submitted"] = desk.submitted(text="Une visite de l'école de la deuxième chance", when="2026-11-11T18:00")
    names["other"] = desk.submitted(text=f"Un atelier : {LONG}", when="2026-11-12T09:30")
    names["approved"] = desk.approved(text="Un forum de l'apprentissage", when="2026-11-13T14:00")
    names["today"] = desk.approved(text="Une soirée d'information", when="2026-11-04T19:00")
    names["returned"] = desk.submitted(text="Un texte à reprendre", when="2026-11-14T18:00")
    reason = "Le lieu manque : dans quelle salle ?"
    with writing(stage.hub.engine) as session:
        approving.give_back(session, names["returned"], by=desk.who("coordinator"), at=stage.clock(), reason=reason)
        sheet = [("kind", "event"), ("text", "Une feuille commencée"), ("date", ""), ("time", "")]
        names["sheet"] = sketching.keep(
            session, sketching.new_id(), sheet, by=desk.who("animator"), at=stage.clock()
        ).id


def _accounts(session: Session, world: World) -> None:
    stage, names = world.stage, world.names
    names["account"], names["paused"], names["x"] = (stage.accounts[name] for name in ("rennes", "elsewhere", "x"))
    keeper = stage.people["administrator"]
    connecting.pause(session, names["paused"], reason="La page déménage", by=keeper, at=stage.clock())


def _people(session: Session, world: World) -> None:
    stage = world.stage
    person, plain = visiting.invite(
        session,
        email="nouvelle@example.org",
        name="Nouvelle Venue",
        by=stage.people["administrator"],
        at=stage.clock() - timedelta(hours=1),
    )
    world.names |= {"invited": person.id, "invitation": plain, "person": stage.people["animator"].id}


def _half_way_in(session: Session, world: World) -> None:
    """The deputy owes a code, the analyst showed one, the colleague sets up a device; Facebook granted pages."""
    stage, vault, at = world.stage, world.stage.hub.vault, world.stage.clock()
    for who in ("deputy", "analyst"):
        person = stage.people[who]
        secret = proving.begin(session, vault, by=person, at=at).secret
        proving.confirm(session, vault, pyotp.TOTP(secret).at(at), by=person, at=at)
    proving.begin(session, vault, by=stage.people["colleague"], at=at)
    shown = visiting.enter(session, stage.people["analyst"].id, device="Chromium", at=at)
    session.flush()
    world.sessions["analyst"] = visiting.let_in(
        session, visiting.entered(session, shown, at=at).sign_in_id, by=stage.people["analyst"], at=at
    )
    keeper = stage.people["administrator"]
    world.sessions["administrator"] = visiting.enter(session, keeper.id, device="Chromium", at=at)
    sign_in = visiting.entered(session, world.sessions["administrator"], at=at).sign_in_id
    grants = [Grant("501", "Page de Nantes", "token"), Grant("502", "Une page sans territoire", "token")]
    world.names["consent"] = consenting.keep_pasted(session, vault, grants, sign_in_id=sign_in, by=keeper, at=at)
