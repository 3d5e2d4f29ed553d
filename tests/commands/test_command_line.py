"""The command line itself: its version, what is typed wrongly, and a reader who goes away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hub import __version__
from tests.commands.conftest import Relais
from tests.commands.processes import RELAIS


def test_it_says_which_version_it_is(relais: Relais) -> None:
    ran = relais("--version")

    assert (ran.code, ran.out, ran.err) == (0, f"Relais {__version__}\n", "")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("pst", "Il n’y a pas de commande pst. Vouliez-vous dire post\u00a0?"),
        ("post show", "Il manque ID."),
        ("hold on", "Il manque --reason."),
        ("post show x", "ID est un nombre entier."),
        ("post list --limit 0", "--limit vaut au moins 1."),
        ("post list --limit 900", "--limit vaut au plus 200."),
        ("post list --limt 5", "Il n’y a pas d’option --limt ici. Vouliez-vous dire --limit\u00a0?"),
        ("post list --limit", "Il faut donner une valeur à --limit."),
        ("post list --mine=3", "--mine ne prend pas de valeur."),
        ("post show 1 2 3", "Ceci est de trop\u00a0: 2 3."),
    ],
)
def test_what_is_typed_wrongly_is_told_in_the_readers_language(
    relais: Relais, monkeypatch: pytest.MonkeyPatch, typed: str, told: str
) -> None:
    monkeypatch.setenv("RELAIS_LANGUAGE", "fr")

    ran = relais(*typed.split())

    first, second = ran.err.splitlines()
    assert (ran.code, ran.out, first) == (2, "", told)
    assert "--help" in second


@pytest.mark.parametrize("arguments", [("audit", "--json"), ("account", "list"), ("--help",)])
def test_a_reader_who_goes_away_is_no_failure(hub_file: Path, arguments: tuple[str, ...]) -> None:
    gone, pipe = os.pipe()
    os.close(gone)
    environment = {**os.environ, "RELAIS_HOME": str(hub_file.parent), "RELAIS_LANGUAGE": "en"}

    ran = subprocess.run([RELAIS, *arguments], stdout=pipe, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(pipe)

    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("debug", ["", "1"], ids=["file", "terminal"])
def test_a_bug_is_told_without_the_secrets_that_it_had_in_its_hands(relais, monkeypatch, tmp_path, debug):
    address = "postgresql+psycopg://relais:planted-word@127.0.0.1:9/relais"
    monkeypatch.setenv("RELAIS_DATABASE_URL", address)
    monkeypatch.setenv("RELAIS_DEBUG", debug)

    def fail(*_ignored: object, **_more: object) -> None:
        raise RuntimeError(f"{address} with planted-word and access_token=EAAUplanted")

    monkeypatch.setattr("hub.wiring.wire", fail)
    ran = relais("doctor")

    file = tmp_path / "relais-error.log"
    told = ran.err + (file.read_text(encoding="utf-8") if file.exists() else "")
    assert (ran.code, file.exists()) == (1, not debug)
    assert "RuntimeError: postgresql+psycopg://relais:***@127.0.0.1:9/relais with *** and access_token=***" in told
    assert "planted" not in told
