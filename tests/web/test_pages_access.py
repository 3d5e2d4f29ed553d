"""Who may open and do what in the browser: a table of roles and routes that leaves out none, own and foreign."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from PIL import Image
from sqlalchemy import Engine
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.sign_in import SignIn
from hub.services import sketching
from hub.web.app import create_app
from hub.web.security import SAFE
from tests.stage import Stage, build_stage
from tests.web.conftest import Ask, Browser, a_draft
from tests.web.test_pages_guarded import OPEN, staff

ROLES = ("animator", "colleague", "stranger", "coordinator", "analyst", "administrator")
MAY, NO, UNKNOWN = "may", 403, 404

EVERYBODY = (MAY,) * 6
NOBODY = (UNKNOWN,) * 6
OWNER = (MAY, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
WHO_SEES = (MAY, MAY, UNKNOWN, MAY, MAY, MAY)
WHO_CHANGES = (MAY, MAY, UNKNOWN, MAY, NO, NO)
WHO_APPROVES = (NO, NO, UNKNOWN, MAY, NO, NO)
WHO_WRITES = (MAY, MAY, MAY, MAY, NO, NO)
WHO_KEEPS_ACCOUNTS = (NO, NO, NO, MAY, NO, MAY)
WHO_KEEPS_THIS_ACCOUNT = (NO, NO, UNKNOWN, MAY, NO, MAY)
WHO_KEEPS_THE_HOUSE = (NO, NO, NO, MAY, NO, MAY)
WHO_KEEPS_PEOPLE = (NO, NO, NO, NO, NO, MAY)

TABLE: dict[tuple[str, str], tuple[object, ...]] = {
    ("GET", "/equipe"): EVERYBODY,
    ("GET", "/equipe/calendrier"): EVERYBODY,
    # It says to others why they may not.
    ("GET", "/equipe/calendrier/deplacer/{post_id}"): WHO_SEES,
    ("POST", "/equipe/calendrier/deplacer/{post_id}"): WHO_CHANGES,
    ("POST", "/equipe/calendrier/lien"): EVERYBODY,
    ("POST", "/equipe/calendrier/lien/fin"): EVERYBODY,
    ("GET", "/equipe/comptes"): EVERYBODY,
    ("GET", "/equipe/comptes/facebook/connexion"): WHO_KEEPS_ACCOUNTS,
    ("GET", "/equipe/comptes/facebook/pages/{consent_id}"): NOBODY,
    ("POST", "/equipe/comptes/facebook/pages/{consent_id}"): NOBODY,
    ("GET", "/equipe/comptes/facebook/retour"): NOBODY,
    ("GET", "/equipe/comptes/nouveau"): WHO_KEEPS_ACCOUNTS,
    ("GET", "/equipe/comptes/nouveau/facebook"): WHO_KEEPS_ACCOUNTS,
    ("POST", "/equipe/comptes/nouveau/facebook"): WHO_KEEPS_ACCOUNTS,
    ("GET", "/equipe/comptes/nouveau/x"): WHO_KEEPS_ACCOUNTS,
    ("POST", "/equipe/comptes/nouveau/x"): WHO_KEEPS_ACCOUNTS,
    ("GET", "/equipe/comptes/{account_id}"): WHO_SEES,
    ("GET", "/equipe/comptes/{account_id}/jeton"): WHO_KEEPS_THIS_ACCOUNT,
    ("POST", "/equipe/comptes/{account_id}/jeton"): WHO_KEEPS_THIS_ACCOUNT,
    ("POST", "/equipe/comptes/{account_id}/pause"): WHO_KEEPS_THIS_ACCOUNT,
    ("POST", "/equipe/comptes/{account_id}/reprise"): WHO_KEEPS_THIS_ACCOUNT,
    ("POST", "/equipe/comptes/{account_id}/verification"): WHO_KEEPS_THIS_ACCOUNT,
    ("GET", "/equipe/connexion/code"): EVERYBODY,
    ("POST", "/equipe/connexion/code"): EVERYBODY,
    ("GET", "/equipe/couverture"): EVERYBODY,
    ("GET", "/equipe/couverture/{code}"): WHO_SEES,
    ("POST", "/equipe/diffusions/{delivery_id}/decider"): WHO_CHANGES,
    ("POST", "/equipe/feuilles"): (MAY, UNKNOWN, UNKNOWN, UNKNOWN, NO, NO),
    ("POST", "/equipe/feuilles/{sheet_id}/oublier"): OWNER,
    ("GET", "/equipe/journal"): WHO_KEEPS_THE_HOUSE,
    ("GET", "/equipe/moi"): EVERYBODY,
    ("POST", "/equipe/moi/jetons/{token_id}/fin"): OWNER,
    ("POST", "/equipe/moi/messages"): EVERYBODY,
    ("POST", "/equipe/moi/mot-de-passe"): EVERYBODY,
    ("GET", "/equipe/moi/second-facteur"): EVERYBODY,
    ("POST", "/equipe/moi/second-facteur"): EVERYBODY,
    ("GET", "/equipe/moi/second-facteur/appareil"): EVERYBODY,
    ("POST", "/equipe/moi/second-facteur/appareil"): EVERYBODY,
    ("POST", "/equipe/moi/second-facteur/debut"): EVERYBODY,
    ("POST", "/equipe/moi/sessions/autres"): EVERYBODY,
    ("POST", "/equipe/moi/sessions/{sign_in_id}/fin"): OWNER,
    ("GET", "/equipe/personnes"): WHO_KEEPS_PEOPLE,
    ("GET", "/equipe/personnes/nouvelle"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/nouvelle"): WHO_KEEPS_PEOPLE,
    ("GET", "/equipe/personnes/{person_id}"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/{person_id}/acces"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/{person_id}/lien"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/{person_id}/roles"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/{person_id}/roles/retrait"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/{person_id}/second-facteur"): WHO_KEEPS_PEOPLE,
    ("POST", "/equipe/personnes/{person_id}/sessions"): WHO_KEEPS_PEOPLE,
    ("GET", "/equipe/portee"): EVERYBODY,
    ("GET", "/equipe/portee/export"): EVERYBODY,
    ("GET", "/equipe/portee/rapport"): EVERYBODY,
    ("GET", "/equipe/publications"): EVERYBODY,
    ("POST", "/equipe/publications/apercu"): WHO_WRITES,
    ("POST", "/equipe/publications/images"): WHO_WRITES,
    ("GET", "/equipe/publications/images/{picture_id}"): WHO_WRITES,
    ("GET", "/equipe/publications/nouvelle"): WHO_WRITES,
    ("POST", "/equipe/publications/nouvelle"): WHO_WRITES,
    ("GET", "/equipe/publications/{post_id}"): WHO_SEES,
    ("GET", "/equipe/publications/{post_id}/images/{position}"): WHO_SEES,
    ("POST", "/equipe/publications/{post_id}/liberer"): WHO_APPROVES,
    ("GET", "/equipe/publications/{post_id}/modifier"): WHO_CHANGES,
    ("POST", "/equipe/publications/{post_id}/modifier"): WHO_CHANGES,
    ("POST", "/equipe/publications/{post_id}/retirer"): WHO_CHANGES,
    ("POST", "/equipe/publications/{post_id}/soumettre"): WHO_CHANGES,
    ("GET", "/equipe/reglages"): WHO_KEEPS_THE_HOUSE,
    ("POST", "/equipe/reglages"): WHO_KEEPS_THE_HOUSE,
    ("GET", "/equipe/validation"): EVERYBODY,
    ("POST", "/equipe/validation"): EVERYBODY,
    ("GET", "/equipe/validation/{post_id}"): WHO_APPROVES,
    ("POST", "/equipe/validation/{post_id}"): WHO_APPROVES,
    ("POST", "/equipe/validation/{post_id}/retour"): WHO_APPROVES,
    ("POST", "/equipe/deconnexion"): EVERYBODY,
}
"""Post, delivery, sheet and session are the animator's, for a part of A-14; the stranger works elsewhere.

The one who is kept among people is the deputy; the queue is open to all and shows each only what they may approve.
"""

BODIES: dict[str, dict[str, str]] = {
    "/equipe/calendrier/deplacer/{post_id}": {"date": "2026-11-12", "time": "18:00", "zone": "local", "version": "1"},
    "/equipe/diffusions/{delivery_id}/decider": {"action": "remove", "reason": "because"},
    "/equipe/personnes/{person_id}/roles": {"kind": "analyst", "territory": "FR"},
    "/equipe/publications/{post_id}/liberer": {"release": "1"},
    "/equipe/publications/{post_id}/retirer": {"reason": "because"},
    "/equipe/validation/{post_id}/retour": {"reason": "because"},
}
"""What a route has to be told before it asks who is there."""


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    """With a key and a Facebook app: some pages seal what they keep, one leads to Facebook."""
    return build_stage(
        engine,
        tmp_path,
        secret_keys=Fernet.generate_key().decode(),
        facebook_app_id="7",
        facebook_app_secret="an-app-secret",
    )


def a_file() -> dict[str, Any]:
    """A picture to upload."""
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG")
    return {"file": ("picture.png", out.getvalue())}


def pictured(ask: Ask) -> str:
    """A picture of the animator's."""
    return str(ask("POST", "/media", "animator", files=a_file()).json()["id"])


@pytest.fixture
def things(ask: Ask, stage: Stage, browse) -> dict[str, str]:
    """What stands in the places of the paths: a post to approve with a picture, a live delivery, a sheet, a session."""
    picture = pictured(ask)
    typed = a_draft(text="Un autre", pictures=[{"id": picture, "alt": "Un atelier"}])
    live = ask("POST", "/posts", "animator", json=a_draft()).json()["id"]
    ask("POST", f"/posts/{live}/submit", "animator")
    ask.approve(live)
    stage.clock.at = stage.clock.at.replace(day=10, hour=17, minute=1)
    stage.run_due()
    waiting = ask("POST", "/posts", "animator", json=typed | {"when": "2026-11-11T18:00"}).json()["id"]
    ask("POST", f"/posts/{waiting}/submit", "animator")
    delivery = ask("GET", f"/posts/{live}", "animator").json()["deliveries"][0]["id"]
    with writing(stage.hub.engine) as session:
        sheet_id = sketching.new_id()
        typed_so_far = [("text", "à moitié")]
        sketching.keep(session, sheet_id, typed_so_far, by=stage.people["animator"], at=stage.clock())
    browse("animator")
    with reading(stage.hub.engine) as session:
        sign_in = session.exec(select(SignIn.id).where(SignIn.person_id == stage.people["animator"].id)).one()
    return {
        "post_id": str(waiting),
        "delivery_id": str(delivery),
        "account_id": str(stage.accounts["rennes"]),
        "person_id": str(stage.people["deputy"].id),
        "sheet_id": sheet_id,
        "sign_in_id": str(sign_in),
        "token_id": "1",
        "picture_id": picture,
        "position": "0",
        "code": "A-14",
        "consent_id": "x" * 24,
    }


def did(browser: Browser, method: str, path: str, things: dict[str, str]) -> int:
    """What the route answers."""
    address = re.sub(r"\{(\w+)\}", lambda place: things[place[1]], path)
    if method in SAFE:
        return browser.get(address, follow=False).status_code
    fields: dict[str, Any] = dict(BODIES.get(path, {}))
    if path == "/equipe/feuilles":
        fields |= {"sheet": things["sheet_id"], "text": "à moitié"}
    files = {"files": a_file()} if path == "/equipe/publications/images" else {}
    return browser.post(address, fields, follow=False, **files).status_code


def test_the_table_leaves_out_no_route(stage):
    assert set(TABLE) == {(method, path) for method, path in staff(create_app(stage.hub)) if path not in OPEN}


def test_nobody_gets_further_than_the_table_says_and_everybody_as_far(browse, things):
    browsers = {who: browse(who) for who in ROLES}
    cells = [(route, who, wanted) for route, row in TABLE.items() for who, wanted in zip(ROLES, row, strict=True)]
    # Refusals first: they change nothing, so that each finds the things as they were.
    cells.sort(key=lambda cell: cell[2] == MAY)

    told = {}
    for (method, path), who, wanted in cells:
        status = did(browsers[who], method, path, things)
        came = MAY if wanted == MAY and status not in {401, 403, 404} else status
        if came != wanted:
            told[method, path, who] = came, wanted

    assert told == {}
