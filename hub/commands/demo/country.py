"""The demo's country: a page for each territory, a national one, an X account, people of each role, invented keys."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlmodel import Session, col, select

from channels.sandbox.server import Sandbox
from hub import passwords
from hub.database import migrate, writing
from hub.domain.account import AccountNetwork
from hub.domain.audit import OPERATOR
from hub.domain.gate import SANDBOX_SOURCE
from hub.domain.person import RoleKind
from hub.domain.population import Cohort
from hub.domain.territory import Level, Territory
from hub.secrets import write_new_key
from hub.services import cataloguing, connecting, importing, joining, populating, reviewing
from hub.wiring import Hub

APP_ID: Final = "900"
HOME_ACADEMIE: Final = "A-14"
"""Rennes: the animator whom the demo lets you be."""

OVERSEAS_COUNTRIES: Final = {
    "A-28": ("RE",), "A-31": ("MQ",), "A-32": ("GP", "BL", "MF"), "A-33": ("GF",), "A-40": ("NC",),
    "A-41": ("PF",), "A-42": ("WF",), "A-43": ("YT",), "A-44": ("PM",),
}  # fmt: skip
"""Overseas territories are probably countries of their own to the network."""

PEOPLE: Final = (
    (RoleKind.ADMINISTRATOR, "FR", "Alix Martin", "administration@relais.example"),
    (RoleKind.COORDINATOR, "FR", "Camille Durand", "coordination@relais.example"),
    (RoleKind.ANALYST, "FR", "Dominique Leroy", "analyse@relais.example"),
    (RoleKind.ANIMATOR, HOME_ACADEMIE, "Maëlle Le Gall", "animation.rennes@relais.example"),
)
"""Those whose password is told; the second coordinator and the other animators have none."""

INVENTED: Final = "inventé pour la démonstration"
"""The source of the demo's populations."""


@dataclass(frozen=True)
class Access:
    """How somebody signs in."""

    email: str
    password: str
    token: str


def found(hub: Hub, sandbox: Sandbox, *, at: datetime) -> dict[str, Access]:
    """Make database, accounts, keys and people; return how to sign in, by role."""
    migrate(hub.engine)
    write_new_key(hub.settings.key_file)
    given = {kind: secrets.token_urlsafe(12) for kind, *_rest in PEOPLE}
    hashes = {kind: passwords.hashed(password) for kind, password in given.items()}
    vault = hub.vault
    with writing(hub.engine) as session:
        importing.load_reference(session, at=at)
        importing.make_portal_account(session, at=at)
        cataloguing.lay(session, at=at)
        populating.bring_in(session, _populations(session, at.year), at=at)
        pages = _pages(session, sandbox)
        for code, (page_id, name, token) in pages.items():
            connecting.add_account(
                session,
                vault,
                network=AccountNetwork.FACEBOOK,
                name=name,
                remote_id=page_id,
                handle=None,
                territory_code=code,
                secret={"token": token},
                options={},
                by=OPERATOR,
                at=at,
            )
        _x_account(session, sandbox, hub, at=at)
        _keys(session, sandbox, at=at)
        return _people(session, given, hashes, at=at)


def write_access(folder: Path, access: Mapping[str, Access]) -> None:
    """Keep how to sign in, readable by its owner only."""
    told = {role: {"email": one.email, "password": one.password, "token": one.token} for role, one in access.items()}
    handle = os.open(folder / "access.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=2)


def read_access(folder: Path) -> dict[str, Access]:
    """How to sign in to a demo that is taken up again."""
    told = json.loads((folder / "access.json").read_text(encoding="utf-8"))
    return {role: Access(**one) for role, one in told.items()}


def academies(session: Session) -> list[Territory]:
    """The 34 territories with a page, by code."""
    query = select(Territory).where(Territory.level == Level.ACADEMIE).order_by(col(Territory.code))
    return list(session.exec(query))


def _populations(session: Session, year: int) -> list[str]:
    """Invented populations of all territories, said to be so: an eighth is young, and few of them left school."""
    rows = ["territory;cohort;year;number;source\n"]
    for place in academies(session):
        young = max(1, round(place.population * 0.12))
        for cohort, number in ((Cohort.YOUNG, young), (Cohort.LEAVERS, max(1, round(young * 0.08)))):
            rows.append(f"{place.code};{cohort};{year};{number};{INVENTED}\n")
    return rows


def _pages(session: Session, sandbox: Sandbox) -> dict[str, tuple[str, str, str]]:
    """A page on the sandbox for France and each territory: code → id, name, token."""
    pages = {}
    wanted = [("FR", "Ma seconde chance", 25_000)]
    wanted += [
        (place.code, f"Ma seconde chance · {place.name}", 600 + place.population // 900) for place in academies(session)
    ]
    for number, (code, name, followers) in enumerate(wanted, start=1):
        page_id = str(100_000 + number)
        pages[code] = (page_id, name, sandbox.graph.create_page(page_id, name, followers=followers, app=APP_ID))
    return pages


def _x_account(session: Session, sandbox: Sandbox, hub: Hub, *, at: datetime) -> None:
    made = sandbox.x.create_account("seconde_chance", name="Ma seconde chance", followers=3200, credits_left="50")
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    connecting.add_account(
        session,
        hub.vault,
        network=AccountNetwork.X,
        name="Ma seconde chance (X)",
        remote_id=made["id"],
        handle="seconde_chance",
        territory_code="FR",
        secret={name: made[name] for name in names},
        options={},
        by=OPERATOR,
        at=at,
    )


def _keys(session: Session, sandbox: Sandbox, *, at: datetime) -> None:
    """Invented keys for every territory, known to the sandbox and marked so; one of them spills on purpose."""
    rows = []
    places = []
    for place in academies(session):
        countries = OVERSEAS_COUNTRIES.get(place.code)
        if countries:
            rows += [_key(place.code, "country", key, place.name, place.code) for key in countries]
            places += [{"key": key, "name": key, "type": "country", "country_code": key} for key in countries]
        else:
            key = f"99{place.code[2:]}"
            rows.append(_key(place.code, "region", key, f"{place.name} (inventé)", place.code))
            places.append({"key": key, "name": place.name, "type": "region", "country_code": "FR"})
    rennes = ["C-35238", "C-35047", "C-35051", "C-35281", "C-35024"]
    rows.append(_key("D-35", "city", "990035", "Rennes et ses voisines (inventé)", " ".join(rennes)))
    places.append({"key": "990035", "name": "Rennes", "type": "city", "country_code": "FR"})
    sandbox.graph.add_places(places)
    reviewing.import_keys(session, rows, network=AccountNetwork.FACEBOOK, source=SANDBOX_SOURCE, by=OPERATOR, at=at)
    reviewing.review(session, {row["territory"] for row in rows}, by=OPERATOR, at=at)


def _key(territory: str, kind: str, key: str, name: str, covers: str) -> dict[str, str]:
    return {
        "territory": territory, "kind": kind, "key": key, "name": name, "covers": covers, "source": SANDBOX_SOURCE,
    }  # fmt: skip


def _people(
    session: Session, given: Mapping[RoleKind, str], hashes: Mapping[RoleKind, str], *, at: datetime
) -> dict[str, Access]:
    access = {}
    for kind, territory, name, email in PEOPLE:
        person = joining.add_person(session, email=email, name=name, at=at, by=OPERATOR, password_hash=hashes[kind])
        assert person.id is not None
        joining.give_role(session, person.id, kind, territory, by=OPERATOR, at=at)
        token = joining.make_token(session, person.id, "demo", by=OPERATOR, at=at)
        access[kind.value] = Access(email, given[kind], token)
    second = joining.add_person(session, email="coordination2@relais.example", name="Sacha Bernard", at=at, by=OPERATOR)
    assert second.id is not None
    joining.give_role(session, second.id, RoleKind.COORDINATOR, "FR", by=OPERATOR, at=at)
    for place in academies(session):
        if place.code != HOME_ACADEMIE:
            person = joining.add_person(
                session,
                email=f"animation.{place.code[2:]}@relais.example",
                name=f"Animation {place.name}",
                at=at,
                by=OPERATOR,
            )
            assert person.id is not None
            joining.give_role(session, person.id, RoleKind.ANIMATOR, place.code, by=OPERATOR, at=at)
    return access
