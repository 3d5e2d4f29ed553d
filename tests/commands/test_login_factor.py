"""`relais login` with a second factor: the code is asked for on a terminal, and said to be missing elsewhere."""

from __future__ import annotations

import io
import json
import sys

import pyotp
import pytest

from hub.database import writing
from hub.secrets import write_new_key
from hub.services import proving
from hub.web.app import create_app
from tests.stage import PASSWORD, build_stage, serving


class Terminal(io.StringIO):
    """A keyboard with somebody before it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def code(engine, tmp_path, monkeypatch):
    """A code that the coordinator's authenticator shows; a Relais is served meanwhile."""
    stage = build_stage(engine, tmp_path)
    write_new_key(stage.hub.settings.key_file)
    with writing(engine) as session:
        who = stage.people["coordinator"]
        shown = pyotp.TOTP(proving.begin(session, stage.hub.vault, by=who, at=stage.clock()).secret)
        proving.confirm(session, stage.hub.vault, shown.at(stage.clock()), by=who, at=stage.clock())
    (tmp_path / "password").write_text(PASSWORD)
    monkeypatch.setenv("RELAIS_CONFIG", str(tmp_path / "config"))
    with serving(create_app(stage.hub)) as url:
        monkeypatch.setenv("RELAIS_URL", url)
        yield shown.at(stage.clock.forward(minutes=1))


def test_the_code_is_asked_for_on_a_terminal(relais, code, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(code + "\n"))

    ran = relais("login", "coordinator@example.org", "--password-file", str(tmp_path / "password"))

    assert (ran.code, ran.out.splitlines()[0].startswith("Code of your authenticator")) == (0, True)
    assert json.loads(relais("whoami", "--json").out)["email"] == "coordinator@example.org"


def test_without_a_terminal_it_is_said_that_a_code_is_missing(relais, code, tmp_path):
    ran = relais("login", "coordinator@example.org", "--password-file", str(tmp_path / "password"))

    assert (ran.code, ran.err) == (2, "Give a code of your authenticator too, or a recovery code.\n")
