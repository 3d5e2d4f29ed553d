"""Secrets of the entrance: planted ones are found in no log, whatever logs, in no audit, and not in the database."""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

import pyotp
import pytest
from sqlmodel import select

from hub.database import reading
from hub.domain.audit import AuditEntry
from hub.secrets import write_new_key
from tests.beside import dump
from tests.stage import PASSWORD, Stage

OWN = "/equipe/moi/second-facteur"
NEW_PASSWORD = "lampe herbe canal sept"

OF_THE_TEST = ("httpx", "httpcore")
"""The browser of these tests, which is no part of the hub."""


@pytest.fixture
def secrets(browse, stage: Stage, caplog: pytest.LogCaptureFixture) -> set[str]:
    """All that somebody shows or is told on the way in, once, while everything logs all it can."""
    for name in ("", "sqlalchemy", "uvicorn", "asyncio", "python_multipart", "concurrent", "relais"):
        caplog.set_level(logging.DEBUG, logger=name)
    write_new_key(stage.hub.settings.key_file)
    told: set[str] = {PASSWORD, NEW_PASSWORD}

    def cookie() -> str:
        return str(browser.client.cookies["relais"])

    administrator = browse("administrator")
    person = f"/equipe/personnes/{stage.people['coordinator'].id}"
    link = re.search(r'id="link" readonly value="([^"]+)"', administrator.post(f"{person}/lien").text)
    assert link is not None
    told |= {urlsplit(link[1]).path.rpartition("/")[2], str(administrator.client.cookies["relais"])}

    browser = browse()
    browser.get("/equipe/connexion")
    told.add(str(browser.client.cookies["relais-visiteur"]))
    wrong = {"email": "coordinator@example.org", "password": "a wrong one that is theirs elsewhere"}
    told.add(wrong["password"])
    assert browser.post("/equipe/connexion", wrong).status_code == 401
    assert browser.post(urlsplit(link[1]).path, {"password": NEW_PASSWORD, "again": NEW_PASSWORD}).status_code == 200
    told.add(cookie())

    browser.post(f"{OWN}/debut")
    device = browser.get(f"{OWN}/appareil").text
    secret = re.search(r"secret=([A-Z2-7]+)", device)
    assert secret is not None
    told |= {secret[1], cookie()}
    code = pyotp.TOTP(secret[1]).at(stage.clock())
    codes = re.findall(r"<li><code>([^<]+)</code>", browser.post(f"{OWN}/appareil", {"code": code}).text)
    told |= {code, *codes, cookie()}
    browser.post("/equipe/deconnexion")
    assert browser.post("/equipe/connexion", {"email": wrong["email"], "password": NEW_PASSWORD}).status_code == 200
    told.add(cookie())
    assert browser.post("/equipe/connexion/code", {"code": codes[0]}).status_code == 200
    told.add(cookie())

    calendar = re.search(r"/equipe/calendrier/([^/\"]+)\.ics", browser.post("/equipe/calendrier/lien").text)
    assert calendar is not None
    told.add(calendar[1])
    assert browser.get(f"/equipe/calendrier/{calendar[1]}.ics").status_code == 200
    assert browser.get("/equipe/calendrier").status_code == 200  # so that the line before was written
    return told


def test_no_logger_tells_a_secret_of_the_entrance_not_even_when_all_say_everything(
    secrets: set[str], caplog: pytest.LogCaptureFixture
):
    records = [one for one in caplog.get_records("setup") if not one.name.startswith(OF_THE_TEST)]
    lines = [logging.Formatter().format(one) for one in records]

    assert len(secrets) > 20
    assert {one.name for one in records} >= {"relais.access", "sqlalchemy.engine.Engine"}
    assert {(secret, line) for secret in secrets for line in lines if secret in line} == set()


def test_neither_audit_nor_database_holds_a_secret_of_the_entrance(secrets: set[str], stage: Stage):
    with reading(stage.hub.engine) as session:
        noted = "\n".join(f"{one.thing} {one.before} {one.after}" for one in session.exec(select(AuditEntry)))
    stored = "\n".join(dump(stage.hub.engine))

    assert {secret for secret in secrets if secret in noted} == set()
    assert {secret for secret in secrets if len(secret) > 6 and secret in stored} == set()
