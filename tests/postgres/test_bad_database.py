"""A PostgreSQL that is not as it should be: each time one clear sentence, exit code 1, and nothing changed."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from hub.database import DatabaseTrouble, build_engine, migrate, require_current
from hub.secrets import write_new_key
from tests import postgresql
from tests.commands.conftest import Ran, Relais
from tests.commands.conftest import relais as relais
from tests.commands.processes import running
from tests.commands.test_serve import address_in
from tests.postgresql import Server

OPENERS = ("serve", "worker", "doctor")
ALL = ("init", *OPENERS)


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that may be stopped, filled up and guarded, with one user who must show a password and one poor one."""
    with postgresql.running() as server:
        server.tell("CREATE ROLE guarded LOGIN PASSWORD 'right words'")
        server.tell("CREATE ROLE poor LOGIN")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        server.tell("ALTER SYSTEM SET max_connections = 20")
        server.stop()
        yield server.start()


@pytest.fixture
def empty(own_server: Server) -> Iterator[str]:
    """A database with nothing in it."""
    with own_server.database() as name:
        yield name


@pytest.fixture
def filled(server: Server, server_template: str) -> Iterator[str]:
    """A database of ours."""
    with server.database(server_template) as name:
        yield name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a key in it."""
    write_new_key(tmp_path / "relais.key")
    return tmp_path


@pytest.fixture
def at(relais: Relais, home: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command against a database, by its address; what it told must be one sentence and no bug."""

    def run(url: str, command: str) -> Ran:
        monkeypatch.setenv("RELAIS_DATABASE_URL", url)
        ran = relais(command)
        assert not (home / "relais-error.log").exists(), (home / "relais-error.log").read_text()
        return ran

    return run


def shape(server: Server, database: str) -> list[tuple[object, ...]]:
    """Everything that there is in a database, by name, with what is written on its schemas."""
    things = (
        "SELECT nspname, relname, obj_description(pg_namespace.oid, 'pg_namespace') FROM pg_class "
        "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname NOT LIKE 'pg\\_%' "
        "AND nspname <> 'information_schema' ORDER BY 1, 2"
    )
    schemas = "SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace ORDER BY 1"
    return [*server.tell(things, database=database), *server.tell(schemas, database=database)]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


# --- No way in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ALL)
def test_a_server_that_is_not_there(at, command: str):
    where = f"postgresql+psycopg://relais@127.0.0.1:{free_port()}/relais"

    ran = at(where, command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"PostgreSQL cannot be used at {where}: Connection refused. Check RELAIS_DATABASE_URL, that the server runs, "
        "and that the database and its user exist.\n"
    )


@pytest.mark.parametrize("command", ALL)
def test_a_host_that_nobody_knows(at, command: str):
    ran = at("postgresql+psycopg://relais@nowhere.invalid/relais", command)

    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("PostgreSQL cannot be used at postgresql+psycopg://relais@nowhere.invalid/relais: ")
    assert ran.err.endswith(
        "Check RELAIS_DATABASE_URL, that the server runs, and that the database and its user exist.\n"
    )


@pytest.mark.parametrize("command", ALL)
def test_a_database_that_does_not_exist(at, own_server: Server, command: str):
    where = own_server.url("nowhere")

    ran = at(where, command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f'PostgreSQL cannot be used at {where}: database "nowhere" does not exist. Check RELAIS_DATABASE_URL, that '
        "the server runs, and that the database and its user exist.\n"
    )


@pytest.mark.parametrize("command", ALL)
def test_a_wrong_password(at, own_server: Server, empty: str, command: str):
    url = own_server.url(empty).replace("relais@", "guarded:wrong-words@")

    ran = at(url, command)

    assert (ran.code, ran.out) == (1, "")
    assert "wrong-words" not in ran.err
    assert ran.err == (
        f"PostgreSQL cannot be used at {url.replace('wrong-words', '***')}: password authentication failed for user "
        '"guarded". Check RELAIS_DATABASE_URL, that the server runs, and that the database and its user exist.\n'
    )


@pytest.mark.parametrize("command", ALL)
def test_no_password_where_one_is_asked_for(at, own_server: Server, empty: str, command: str):
    url = own_server.url(empty).replace("relais@", "guarded@")

    ran = at(url, command)

    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"PostgreSQL cannot be used at {url}: fe_sendauth: no password supplied. Check" in ran.err


@pytest.mark.parametrize("command", ALL)
def test_a_server_that_has_no_connection_left(at, own_server: Server, empty: str, command: str):
    where = own_server.url(empty)
    with ExitStack() as stack:
        full = False
        while not full:
            try:
                stack.enter_context(psycopg.connect(own_server.address("postgres")))
            except psycopg.OperationalError:
                full = True

        ran = at(where, command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"PostgreSQL at {where} has no connection left for Relais. Raise its max_connections (some 40 for each "
        "process of Relais), or stop what else uses it.\n"
    )


# --- Not what it must be ----------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", [migrate, require_current])
def test_a_server_that_is_too_old(own_server: Server, empty: str, opened):
    before = shape(own_server, empty)
    engine = build_engine(own_server.url(empty))
    with engine.connect():
        """What the server says of itself is asked for once, here."""
    engine.dialect.server_version_info = (13, 4)

    with pytest.raises(DatabaseTrouble) as refused:
        opened(engine)
    engine.dispose()

    assert str(refused.value) == (
        f"{own_server.url(empty)} is a PostgreSQL 13.4; Relais needs 14 or newer. Upgrade it, or use another one."
    )
    assert shape(own_server, empty) == before


def test_a_user_who_may_not_make_tables(at, own_server: Server, empty: str):
    where, before = own_server.url(empty).replace("relais@", "poor@"), shape(own_server, empty)

    ran = at(where, "init")

    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(
        re.escape(f"Relais may not do what it needs to in {where}: ")
        + "permission denied for [^.]*"
        + re.escape(". Make its user the owner of the database.\n"),
        ran.err,
    )
    assert shape(own_server, empty) == before


@pytest.mark.parametrize("command", OPENERS)
def test_a_user_who_may_not_read_our_tables(at, server: Server, filled: str, command: str):
    server.tell("DO $$ BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    where, before = server.url(filled).replace("relais@", "poor@"), shape(server, filled)

    ran = at(where, command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"Relais may not do what it needs to in {where}: permission denied for table alembic_version. "
        "Make its user the owner of the database.\n"
    )
    assert shape(server, filled) == before


@pytest.mark.parametrize("command", OPENERS)
def test_our_database_where_it_can_only_be_read(at, server: Server, filled: str, command: str):
    server.tell(f"ALTER DATABASE {filled} SET default_transaction_read_only = on")
    where = server.url(filled)

    ran = at(where, command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"{where} can only be read (a copy that follows another server?). Point RELAIS_DATABASE_URL at the one that "
        "can be written.\n"
    )


def test_an_empty_database_that_can_only_be_read(at, own_server: Server, empty: str):
    own_server.tell(f"ALTER DATABASE {empty} SET default_transaction_read_only = on")
    where, before = own_server.url(empty), shape(own_server, empty)

    ran = at(where, "init")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"{where} can only be read (a copy that follows another server?). Point RELAIS_DATABASE_URL at the one that "
        "can be written.\n"
    )
    assert shape(own_server, empty) == before


@pytest.mark.parametrize("command", OPENERS)
def test_an_empty_database(at, own_server: Server, empty: str, command: str):
    before = shape(own_server, empty)

    ran = at(own_server.url(empty), command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"There is no Relais database at {own_server.url(empty)} yet. Run “relais init” first.\n"
    assert shape(own_server, empty) == before


@pytest.mark.parametrize("command", ALL)
def test_a_strangers_database(at, own_server: Server, empty: str, command: str):
    own_server.tell("CREATE TABLE cats (name text)", database=empty)
    before = shape(own_server, empty)

    ran = at(own_server.url(empty), command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"{own_server.url(empty)} holds a database that is not Relais's; it was left alone. Choose another RELAIS_HOME "
        "or RELAIS_DATABASE_URL.\n"
    )
    assert shape(own_server, empty) == before


@pytest.mark.parametrize("command", ALL)
def test_a_database_of_a_newer_relais(at, server: Server, filled: str, command: str):
    server.tell("UPDATE alembic_version SET version_num = '9999'", database=filled)
    before = shape(server, filled)

    ran = at(server.url(filled), command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "The database was made by a newer Relais. Upgrade this program; nothing was changed.\n"
    assert shape(server, filled) == before


@pytest.mark.parametrize("command", OPENERS)
def test_a_database_of_an_older_relais(at, server: Server, filled: str, command: str):
    server.tell("UPDATE alembic_version SET version_num = '0001'", database=filled)

    ran = at(server.url(filled), command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "The database was made by an older Relais. Stop Relais, then run “relais init” to bring it up to date.\n"
    )


@pytest.mark.parametrize("command", OPENERS)
def test_a_bell_of_another_version(at, server: Server, filled: str, command: str):
    server.tell("COMMENT ON SCHEMA relais_bell IS 'The bell of Relais, as of long ago'", database=filled)

    ran = at(server.url(filled), command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"The bell in {server.url(filled)} was made for another version of Procrastinate than this Relais uses. "
        "Install the same Relais on all machines, stop its workers, then run “relais init”.\n"
    )


def test_a_bell_of_another_version_is_made_anew(at, server: Server, filled: str):
    server.tell("COMMENT ON SCHEMA relais_bell IS 'The bell of Relais, as of long ago'", database=filled)

    ran = at(server.url(filled), "init")

    assert (ran.code, ran.err) == (0, "")
    assert at(server.url(filled), "doctor").out.startswith("✓ Database: ours and up to date.")


@pytest.mark.parametrize("command", ALL)
def test_a_strangers_schema_of_the_bells_name(at, server: Server, filled: str, command: str):
    server.tell("DROP SCHEMA relais_bell CASCADE", database=filled)
    server.tell("CREATE SCHEMA relais_bell", database=filled)
    server.tell("CREATE TABLE relais_bell.cats (name text)", database=filled)
    before = shape(server, filled)

    ran = at(server.url(filled), command)

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"{server.url(filled)} has a schema named relais_bell that Relais did not make; it was left alone. Give Relais "
        "a database of its own.\n"
    )
    assert shape(server, filled) == before


def test_a_hub_without_any_worker_says_what_to_start(at, server: Server, filled: str):
    ran = at(server.url(filled), "doctor")

    assert (ran.code, ran.err) == (1, "")
    assert [line for line in ran.out.splitlines() if line.startswith("✗")] == [
        "✗ Nobody publishes: no worker is alive (last heard of: never). Start “relais worker”."
    ]


# --- While it runs ----------------------------------------------------------------------------------------


def test_pages_say_so_while_the_database_is_away_and_are_well_again_after_it(own_server: Server, home: Path):
    with own_server.database() as name:
        engine = build_engine(own_server.url(name))
        migrate(engine)
        engine.dispose()
        with running("serve", "--port", "0", home=home, RELAIS_DATABASE_URL=own_server.url(name)) as process:
            url = address_in(process.wait_for("Relais listens on")).rstrip(";")
            with httpx.Client(base_url=url, trust_env=False, timeout=60, headers={"Accept-Language": "en"}) as client:
                before = client.get("/api/v1/territories?query=Rennes")
                own_server.stop("immediate")
                away, ill = client.get("/api/v1/territories?query=Rennes"), client.get("/healthz")
                own_server.start()
                after, well = client.get("/api/v1/territories?query=Rennes"), client.get("/healthz")
            code = process.stop()

    sentence = "The database cannot be used right now. Nothing was kept; try again in a moment."
    assert [one.status_code for one in (before, away, after)] == [200, 503, 200]
    assert (away.json()["detail"], away.headers["retry-after"]) == (sentence, "5")
    assert (ill.status_code, ill.json()["ill"]["database"]) == (503, "the database does not answer (OperationalError)")
    assert "database" not in well.json()["ill"]
    assert (code, [line for line in process.err if "Traceback" in line]) == (0, [])


def test_a_worker_ends_in_words_when_another_version_takes_the_database_over(server: Server, filled: str, home: Path):
    with running("worker", home=home, RELAIS_DATABASE_URL=server.url(filled)) as process:
        process.wait_for("This worker publishes")
        server.tell("UPDATE alembic_version SET version_num = '9999'", database=filled)
        code = process.end()

    assert code == 1
    assert process.err[-1] == (
        "The database was brought to another version of Relais. Install the same one here, then start again.\n"
    )
    assert [line for line in process.err if "Traceback" in line] == []
