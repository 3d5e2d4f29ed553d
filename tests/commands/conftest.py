"""How a test types a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import commands


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


Relais = Callable[..., Ran]


@pytest.fixture
def address(backend: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Where a command finds its database, if not in its home: that of `engine`, a country's, or an empty one."""
    asked = set(request.fixturenames)
    if backend != "postgresql":
        yield None
    elif "engine" in asked:
        yield request.getfixturevalue("engine").url.render_as_string(hide_password=False)
    else:
        server = request.getfixturevalue("server")
        template = request.getfixturevalue("server_template") if "hub_file" in asked else "template1"
        with server.database(template) as name:
            yield server.url(name)


@pytest.fixture
def relais(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str | None
) -> Relais:
    """Type `relais …` with a fresh home; where `hub_file` is asked for, the country is in it."""
    monkeypatch.setenv("RELAIS_HOME", str(tmp_path))
    if address is not None:
        monkeypatch.setenv("RELAIS_DATABASE_URL", address)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            commands.run(arguments)
        printed = capsys.readouterr()
        return Ran(int(left.value.code or 0), printed.out, printed.err)

    return run
