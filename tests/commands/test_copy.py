"""`relais copy`: from SQLite to PostgreSQL, whatever interrupts it, and never two that publish."""

from __future__ import annotations

import io
import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from filelock import FileLock
from sqlalchemy import Engine
from sqlmodel import select

from hub.database import build_engine, reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Delivery, DeliveryState, Patience
from hub.domain.errors import WrongState
from hub.domain.territory import Level, Territory
from hub.secrets import write_new_key
from hub.services import attending, copying, delivering, holding, importing, moving
from hub.settings import Settings
from hub.wiring import DatabaseClock, machine_clock, wire
from schedules import runner
from schedules.embedded import Embedded
from tests import postgresql
from tests.commands.conftest import Relais
from tests.commands.processes import Process, running
from tests.furnished import furnish
from tests.schedules.conftest import DUE
from tests.stage import NOON

S = DeliveryState
TABLES = len(copying.tables())
PATIENCE = 30


@pytest.fixture(scope="module")
def furnished_file(small_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub in which no table is empty; never written to."""
    home = tmp_path_factory.mktemp("furnished")
    file = Path(shutil.copyfile(small_template, home / "relais.db"))
    engine = build_engine(f"sqlite:///{file}")
    furnish(engine, home)
    engine.dispose()
    return file


@pytest.fixture
def home(furnished_file: Path, tmp_path: Path) -> Path:
    """The home of that hub."""
    shutil.copyfile(furnished_file, tmp_path / "relais.db")
    return tmp_path


@pytest.fixture
def here(home: Path) -> Iterator[Engine]:
    """Its database."""
    engine = build_engine(f"sqlite:///{home / 'relais.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def name(server: postgresql.Server, bare_template: str) -> Iterator[str]:
    """A database with all tables, and nothing in them."""
    with server.database(bare_template) as name:
        yield name


@pytest.fixture
def to(server: postgresql.Server, name: str) -> str:
    """Its address."""
    return server.url(name)


@pytest.fixture
def there(to: str) -> Iterator[Engine]:
    """It, opened."""
    engine = build_engine(to)
    yield engine
    engine.dispose()


def moved(engine: Engine) -> bool:
    with reading(engine) as session:
        return moving.find_move(session) is not None


def rows(engine: Engine) -> int:
    with reading(engine) as session:
        return copying.count(session, {})


# --- All is well ------------------------------------------------------------------------------------------------------


def test_a_hub_is_moved_to_an_empty_database_and_every_table_is_the_same(
    relais: Relais, here: Engine, server: postgresql.Server
) -> None:
    number = rows(here)
    with server.database() as empty:
        url = server.url(empty)

        ran = relais("copy", "--to", url)
        again = relais("copy", "--to", url)
        compared = relais("copy", "--to", url, "--check")

    lines = [line.split() for line in ran.out.splitlines()]
    assert (ran.code, ran.err) == (0, "")
    assert [line[0] for line in lines[1 : TABLES + 1]] == [table.name for table in copying.tables()]
    assert {line[3] for line in lines[1 : TABLES + 1]} == {"same"}
    assert all(line[1] == line[2] != "0" for line in lines[1 : TABLES + 1])
    assert ran.out.splitlines()[TABLES + 1] == f"{number} rows were copied to {url}, and are the same there."
    assert "relais.key or RELAIS_SECRET_KEYS" in ran.out
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        f"This hub is at {url} already, as a whole; nothing was done. --check compares the two.",
    )
    assert (compared.code, compared.out.splitlines()[-1]) == (0, "Not one value differs.")


def test_programs_read_the_same(relais: Relais, here: Engine, to: str) -> None:
    number = rows(here)

    told = [json.loads(relais("copy", "--to", to, *more, "--json").out) for more in ([], [], ["--check"])]

    assert [one["done"] for one in told] == ["copied", "already", "compared"]
    assert {one["to"] for one in told} == {to}
    assert (told[0]["same"], len(told[0]["tables"]), told[0]["on_hold"]) == (True, TABLES, False)
    assert sum(table["rows_there"] for table in told[0]["tables"]) == number
    assert told[2]["tables"] == told[0]["tables"]


def test_from_then_on_the_old_one_publishes_nothing_and_says_where_it_went(
    relais: Relais, home: Path, here: Engine, to: str
) -> None:
    write_new_key(home / "relais.key")
    relais("copy", "--to", to)

    with running("serve", "--port", "0", home=home) as process:
        code = process.end()
    off = relais("hold", "off")

    with writing(here) as session:
        claimed = delivering.claim(session, at=DUE + timedelta(days=7), owner="old", patience=Patience())
    assert (code, process.out) == (5, [])
    assert process.err[0].startswith(f"This hub moved to {to} on ")
    assert (off.code, off.err) == (5, process.err[0])
    assert claimed == []


def test_an_engine_that_was_begun_before_the_copy_finds_the_mark_under_the_lock(
    relais: Relais, home: Path, here: Engine, to: str
) -> None:
    engine = runner.build(wire(Settings(home=home), engine=here))
    assert isinstance(engine, Embedded)
    relais("copy", "--to", to)

    with pytest.raises(WrongState, match="This hub moved to"):
        engine.take_lock()

    with FileLock(home / "relais.lock").acquire(timeout=0):
        pass
    engine.stop()


def test_the_new_one_goes_on_where_the_old_one_stood(
    relais: Relais, small_template: Path, tmp_path: Path, there: Engine, to: str
) -> None:
    shutil.copyfile(small_template, tmp_path / "relais.db")
    old = build_engine(f"sqlite:///{tmp_path / 'relais.db'}")
    room = furnish(old, tmp_path, begun_at=machine_clock().replace(second=0, microsecond=0) - timedelta(hours=28))
    assert relais("copy", "--to", to).code == 0
    old.dispose()

    with reading(there) as session:
        states = {one.id: one.state for one in session.exec(select(Delivery))}
    worker = runner.build(replace(room.hub, engine=there))
    room.clock.at = machine_clock()
    worker.run_due()
    shown_at_once = [*room.shown("rennes"), *room.shown("elsewhere")]
    for _step in range(20):
        room.clock.forward(minutes=1)
        worker.run_due()
    room.clock.forward(days=2)
    worker.run_due()
    worker.stop()

    assert [states[one] for one in (room.claimed, room.sending, room.waiting)] == [S.WAITING, S.UNKNOWN, S.WAITING]
    assert shown_at_once == ["Déjà dit", "Tenue"]
    assert room.shown("rennes") == ["Déjà dit", "Commencée", "À venir"]
    assert room.shown("elsewhere") == ["Tenue"]
    with reading(there) as session:
        ended = {one.id: one.state for one in session.exec(select(Delivery))}
    assert [ended[one] for one in (room.claimed, room.sending, room.waiting)] == [S.SENT, S.SENT, S.SENT]


def test_a_hub_on_hold_is_on_hold_there_too(relais: Relais, here: Engine, there: Engine, to: str) -> None:
    with writing(here) as session:
        holding.hold(session, reason="Panne", by="operator", at=NOON)

    ran = relais("copy", "--to", to)

    with reading(there) as session:
        hold = delivering.open_hold(session)
    assert hold is not None
    assert hold.reason == "Panne"
    assert "The hub was on hold (Panne), and is so there: “relais hold off” ends it." in ran.out.splitlines()


def test_both_sides_note_the_move(relais: Relais, here: Engine, there: Engine, to: str) -> None:
    relais("copy", "--to", to)

    noted = []
    for engine, action in ((here, moving.LEFT), (there, moving.ARRIVED)):
        with reading(engine) as session:
            noted += [one.thing for one in session.exec(select(AuditEntry).where(AuditEntry.action == action))]
    assert len(noted) == 2
    assert noted[0] == noted[1]


def test_what_init_made_there_is_replaced(relais: Relais, here: Engine, there: Engine, to: str) -> None:
    with writing(there) as session:
        session.add(Territory(code="FR", level=Level.COUNTRY, name="Ancienne", path="/FR/", zone="Europe/Paris"))
        session.flush()
        importing.make_portal_account(session, at=NOON)

    ran = relais("copy", "--to", to)

    assert (ran.code, ran.err) == (0, "")


def test_a_changed_row_is_found_by_comparing(
    relais: Relais, here: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    relais("copy", "--to", to)
    server.tell("UPDATE post SET text = text || '.'", database=name)

    ran = relais("copy", "--to", to, "--check")
    data = json.loads(relais("copy", "--to", to, "--check", "--json").out)

    assert ran.code == 1
    assert [line.split()[0] for line in ran.out.splitlines() if line.endswith("different")] == ["post"]
    assert [one["table"] for one in data["tables"] if not one["same"]] == ["post"]
    assert data["same"] is False


def test_what_does_not_arrive_as_it_was_sent_is_not_kept(
    relais: Relais, here: Engine, there: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    body = "BEGIN NEW.text := upper(NEW.text); RETURN NEW; END"
    server.tell(f"CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $${body}$$", database=name)
    server.tell("CREATE TRIGGER shout BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION shout()", database=name)

    ran = relais("copy", "--to", to)

    assert ran.code == 1
    assert ran.err.startswith(
        "What arrived is not what was sent, in: post. Nothing was kept, and this hub is as it was."
    )
    assert (moved(here), rows(there)) == (False, 0)


# --- Interrupted ------------------------------------------------------------------------------------------------------


@contextmanager
def gate(server: postgresql.Server, name: str, table: str, *, at_commit: bool = False) -> Iterator[Callable[[], int]]:
    """Whoever adds a row to a table waits for us; in the block, a call waits for one who does, and tells which."""
    body = "BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END"
    server.tell(f"CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $${body}$$", database=name)
    kind, when = ("CONSTRAINT TRIGGER", "AFTER") if at_commit else ("TRIGGER", "BEFORE")
    late = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    server.tell(
        f"CREATE {kind} gate {when} INSERT ON {table} {late} FOR EACH ROW EXECUTE FUNCTION gate()", database=name
    )
    with psycopg.connect(server.address(name), autocommit=True) as keeper:
        keeper.execute("SELECT pg_advisory_lock(4711)")

        def somebody_waits() -> int:
            waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                found = keeper.execute(waiting).fetchone()
                if found:
                    return int(found[0])
            raise AssertionError("Nobody came to the gate.")

        yield somebody_waits
        keeper.execute("SELECT pg_advisory_unlock(4711)")
    # Waits until whoever stood there has gone, one way or the other.
    server.tell(f"DROP TRIGGER gate ON {table}", database=name)
    server.tell("DROP FUNCTION gate", database=name)


def begin(home: Path, to: str) -> Any:
    return running("copy", "--to", to, home=home)


def killed(process: Process) -> None:
    assert process.stop(signal.SIGKILL) == -signal.SIGKILL


def test_killed_half_way_nothing_was_done_and_it_begins_anew(
    relais: Relais, home: Path, here: Engine, there: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    before = rows(here)
    with gate(server, name, "delivery") as somebody_waits, begin(home, to) as process:
        somebody_waits()
        killed(process)
    left = (moved(here), rows(here), rows(there))

    ran = relais("copy", "--to", to)

    assert left == (False, before, 0)
    assert (ran.code, ran.err) == (0, "")
    assert relais("copy", "--to", to, "--check").code == 0


@pytest.mark.parametrize("arrives", [True, False])
def test_killed_between_the_two_commits_neither_side_publishes_until_it_is_run_again(
    relais: Relais,
    home: Path,
    here: Engine,
    there: Engine,
    server: postgresql.Server,
    name: str,
    to: str,
    arrives: bool,
) -> None:
    with gate(server, name, "auditentry", at_commit=True) as somebody_waits, begin(home, to) as process:
        backend = somebody_waits()
        killed(process)
        if not arrives:
            server.tell(f"SELECT pg_terminate_backend({backend})")
    left = (moved(here), rows(there) > 0)
    refused = relais("hold", "off")

    ran = relais("copy", "--to", to)

    assert left == (True, arrives)
    assert refused.code == 5
    assert (ran.code, ran.err) == (0, "")
    assert ("already" in ran.out) is arrives
    assert relais("copy", "--to", to, "--check").code == 0
    with reading(there) as session:
        assert delivering.open_hold(session) is None


def test_ctrl_c_says_how_it_goes_on(
    relais: Relais, home: Path, here: Engine, there: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    with gate(server, name, "delivery") as somebody_waits, begin(home, to) as process:
        somebody_waits()
        code = process.stop(signal.SIGINT)

    assert (code, process.out) == (130, [])
    assert process.err == [
        "Nothing was copied, and this hub is as it was. Run the same command again: it begins anew.\n"
    ]
    assert (moved(here), rows(there)) == (False, 0)


def test_a_lost_connection_says_how_it_goes_on(
    relais: Relais, home: Path, here: Engine, there: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    with gate(server, name, "delivery") as somebody_waits, begin(home, to) as process:
        server.tell(f"SELECT pg_terminate_backend({somebody_waits()})")
        code = process.end()
    left = (moved(here), rows(there))

    ran = relais("copy", "--to", to)

    assert (code, left) == (1, (False, 0))
    assert process.err[0].startswith(f"PostgreSQL cannot be used at {to}: ")
    assert process.err[0].endswith(
        "Nothing was copied, and this hub is as it was. Run the same command again: it begins anew.\n"
    )
    assert ran.code == 0


def test_a_connection_lost_at_the_very_end_says_that_it_is_not_known(
    home: Path, here: Engine, there: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    with gate(server, name, "auditentry", at_commit=True) as somebody_waits, begin(home, to) as process:
        server.tell(f"SELECT pg_terminate_backend({somebody_waits()})")
        code = process.end()

    assert code == 1
    assert "Whether the copy is there as a whole is not known" in process.err[0]
    assert (moved(here), rows(there)) == (True, 0)


def test_a_second_copy_waits_for_the_first_and_nobody_writes_meanwhile(
    relais: Relais, home: Path, here: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    with gate(server, name, "delivery") as somebody_waits, begin(home, to) as process:
        somebody_waits()
        second = relais("copy", "--to", to)
        changed = relais("hold", "on", "--reason", "Panne")
        killed(process)

    assert second.code == 5
    assert second.err.startswith(f"A Relais is publishing from {home}, or being copied.")
    assert changed.code == 1


def test_somebody_who_is_busy_with_the_tables_over_there_is_told_of(
    relais: Relais, here: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    impatient = f"{to}?options=-c%20lock_timeout%3D100ms"
    with psycopg.connect(server.address(name)) as other:
        other.execute("LOCK TABLE sample IN ROW EXCLUSIVE MODE")
        ran = relais("copy", "--to", impatient)

    assert ran.code == 5
    assert ran.err == (
        f"Somebody else is busy in {to} (another copy, or workers?). Stop them, then run the copy again.\n"
    )
    assert not moved(here)


# --- Refused ----------------------------------------------------------------------------------------------------------


def test_while_a_relais_is_serving_it_is_refused(relais: Relais, home: Path, here: Engine, to: str) -> None:
    with FileLock(home / "relais.lock"):
        ran = relais("copy", "--to", to)

    assert ran.code == 5
    assert ran.err == (
        f"A Relais is publishing from {home}, or being copied. Stop it first (Ctrl-C, or the service), then run the "
        "copy again.\n"
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ((), "Say where to: --to postgresql+psycopg://user@host/name."),
        (("--to", "nonsense"), "--to is not the address of a PostgreSQL"),
        (("--to", "mysql://db/relais"), "--to is not the address of a PostgreSQL"),
        (("--to", "postgresql://db"), "--to is not the address of a PostgreSQL"),
        (("--to", "sqlite:///other.db"), "A SQLite hub moves by moving its file"),
    ],
)
def test_an_address_that_will_not_do_is_refused(
    relais: Relais, here: Engine, typed: tuple[str, ...], told: str
) -> None:
    ran = relais("copy", *typed)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(told)


def test_a_hub_that_is_on_postgresql_is_refused(relais: Relais, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    monkeypatch.setenv("RELAIS_DATABASE_URL", to)

    ran = relais("copy", "--to", to)

    assert ran.code == 5
    assert ran.err.startswith("This hub is on PostgreSQL already.")


def test_another_hub_is_left_alone(relais: Relais, here: Engine, there: Engine, to: str, tmp_path: Path) -> None:
    with writing(there) as session:
        holding.hold(session, reason="Ours", by="operator", at=NOON)
    before = rows(there)

    ran = relais("copy", "--to", to)

    assert (ran.code, rows(there)) == (5, before)
    assert ran.err == (
        f"{to} holds another hub already (rows in: hold); it was left alone. Give --to an empty database.\n"
    )
    assert not moved(here)


def test_a_strangers_database_is_left_alone(relais: Relais, here: Engine, server: postgresql.Server) -> None:
    with server.database() as strange:
        server.tell("CREATE TABLE recipes (name text)", database=strange)

        ran = relais("copy", "--to", server.url(strange))

        tables = server.tell("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database=strange)
    assert ran.code == 1
    assert "holds a database that is not Relais's; it was left alone." in ran.err
    assert "RELAIS_DATABASE_URL" not in ran.err
    assert tables == [("recipes",)]


def test_a_hub_that_left_is_not_copied_to_a_second_database(
    relais: Relais, here: Engine, server: postgresql.Server, to: str
) -> None:
    relais("copy", "--to", to)
    with server.database() as second:
        ran = relais("copy", "--to", server.url(second))

    assert ran.code == 5
    assert ran.err.startswith(f"This hub moved to {to} on ")


def test_workers_that_run_there_already_are_told_of(relais: Relais, here: Engine, there: Engine, to: str) -> None:
    with writing(there) as session:
        attending.say_present(session, "w", host="m", pid=7, version="1", trouble=None, at=DatabaseClock(there)())

    ran = relais("copy", "--to", to)

    assert ran.code == 5
    assert ran.err == f"Workers are running on {to} already (m/7). Stop them until the copy is done.\n"


def test_a_database_that_can_only_be_read_is_refused(
    relais: Relais, here: Engine, server: postgresql.Server, name: str, to: str
) -> None:
    server.tell(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    ran = relais("copy", "--to", to)

    assert ran.code == 1
    assert ran.err.startswith(f"{to} can only be read")
    assert not moved(here)


def test_a_user_without_rights_is_refused(
    relais: Relais, here: Engine, server: postgresql.Server, guest: str, to: str
) -> None:
    url = to.replace("relais@", f"{guest}@")

    ran = relais("copy", "--to", url)

    assert ran.code == 1
    assert ran.err.startswith(f"Relais may not do what it needs to in {url}")
    assert not moved(here)


@pytest.fixture
def guest(server: postgresql.Server) -> Iterator[str]:
    """Somebody who may connect, and nothing else."""
    server.tell("CREATE ROLE guest LOGIN")
    yield "guest"
    server.tell("DROP ROLE guest")


def test_a_server_that_does_not_answer_is_told_of(relais: Relais, here: Engine) -> None:
    ran = relais("copy", "--to", "postgresql://relais@127.0.0.1:9/relais")

    assert ran.code == 1
    assert ran.err.startswith("PostgreSQL cannot be used at postgresql+psycopg://relais@127.0.0.1:9/relais: ")
    assert "Check --to" in ran.err


def test_a_database_without_every_letter_is_refused(relais: Relais, here: Engine, server: postgresql.Server) -> None:
    server.tell("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")

    ran = relais("copy", "--to", server.url("latin"))

    server.tell("DROP DATABASE latin")
    assert ran.code == 2
    assert "keeps texts as LATIN1" in ran.err


def test_a_value_that_cannot_be_kept_is_named_and_nothing_was_done(
    relais: Relais, home: Path, here: Engine, there: Engine, to: str
) -> None:
    with closing(sqlite3.connect(home / "relais.db")) as database:
        database.execute("UPDATE post SET text = 'a' || char(0) || 'b' WHERE id = 2")
        database.commit()

    ran = relais("copy", "--to", to)

    assert ran.code == 2
    assert ran.err.startswith("The column text of post 2 cannot be copied: ")
    assert (moved(here), rows(there)) == (False, 0)


# --- The password -----------------------------------------------------------------------------------------------------

PASSWORD = "Fernet-like " + Fernet.generate_key().decode()


@pytest.fixture
def guarded(server: postgresql.Server, bare_template: str) -> Iterator[str]:
    """The address of a database that wants a password."""
    rules = server.folder / "data" / "pg_hba.conf"
    open_to_all = rules.read_text()
    server.tell(f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    rules.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + open_to_all)
    server.tell("SELECT pg_reload_conf()")
    with server.database(bare_template) as name:
        url = server.url(name).replace("relais@", "guarded@")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                psycopg.connect(url.replace("+psycopg", "")).close()
            except psycopg.OperationalError:
                break
        yield url
    rules.write_text(open_to_all)
    server.tell("SELECT pg_reload_conf()")
    server.tell("DROP ROLE guarded")


def test_a_password_comes_from_a_file_or_the_environment_and_is_never_told(
    relais: Relais, here: Engine, guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")

    refused = relais("copy", "--to", guarded)
    copied = relais("copy", "--to", guarded, "--password-file", str(file))
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    piped = relais("copy", "--to", guarded, "--password-file", "-", "--check")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    again = relais("copy", "--to", guarded)
    monkeypatch.setenv("PGPASSWORD", "wrong")
    wrong = relais("copy", "--to", guarded)

    assert refused.code == 2
    assert refused.err == (
        "The database wants a password: give it with --password-file (- reads standard input), or in PGPASSWORD.\n"
    )
    assert (copied.code, piped.code, again.code, wrong.code) == (0, 0, 0, 1)
    assert f"This hub is at {guarded} already" in again.out
    assert [PASSWORD in ran.out + ran.err for ran in (refused, copied, piped, again, wrong)] == [False] * 5
    with reading(here) as session:
        assert [one for one in session.exec(select(AuditEntry)) if PASSWORD in str(one.after)] == []
    assert moved(here)


def test_a_password_in_the_address_is_taken_with_a_warning_and_never_told(
    relais: Relais, here: Engine, to: str
) -> None:
    url = to.replace("relais@", "relais:geheim@")

    ran = relais("copy", "--to", url)

    assert (ran.code, ran.err) == (
        0,
        "Others on this machine can read the password in --to. Next time, leave it out: --password-file.\n",
    )
    assert "geheim" not in ran.out
    assert to in ran.out


def test_an_empty_password_file_is_refused(relais: Relais, here: Engine, to: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")

    ran = relais("copy", "--to", to, "--password-file", str(tmp_path / "password"))

    assert (ran.code, ran.err) == (2, f"There is no password in {tmp_path / 'password'}.\n")
