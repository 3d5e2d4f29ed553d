"""`relais init`: everything made once, kept afterwards, and nothing overwritten that cannot be made again."""

from __future__ import annotations

import json
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from cryptography.fernet import Fernet
from sqlmodel import col, select

from hub.database import alembic_config, reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import AuditEntry
from hub.domain.place import Commune
from hub.domain.territory import Territory
from hub.secrets import Vault, read_keys, write_new_key
from tests.conftest import only_sqlite

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_init_makes_everything_and_the_second_time_changes_nothing(relais, address, tmp_path, monkeypatch):
    home = tmp_path / "deep" / "home"
    monkeypatch.setenv("RELAIS_HOME", str(home))

    first = relais("init")
    key = (home / "relais.key").read_text()
    second = relais("init")

    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        f"The database {address or home / 'relais.db'} was brought to this version.",
        f"The secret key is in {home / 'relais.key'}: keep a copy apart from the backups of the database.",
        "Reference data: 35123 territories, of which 34963 communes; 6309 postcodes (105669 rows added, 0 changed).",
        "Metrics: 22 rows were added or changed.",
        "The portal account was made: approved posts can appear there.",
        "Next: “relais user add” makes the first administrator, “relais serve” starts Relais.",
    ]
    assert (second.code, second.out) == (
        0,
        "Nothing changed: database, key and reference data are up to date.\n",
    )
    assert (home / "relais.key").read_text() == key
    assert stat.S_IMODE((home / "relais.key").stat().st_mode) == 0o600


def test_the_migrations_make_exactly_the_tables_of_the_code(engine):
    command.check(alembic_config(engine))


def with_secret(engine, *keys: str) -> None:
    """A page whose token is encrypted."""
    with writing(engine) as session:
        page = Account(
            network=AccountNetwork.FACEBOOK, name="Rennes", remote_id="1", territory_code="A-14", created_at=NOW
        )
        session.add(page)
        session.flush()
        assert page.id is not None
        page.secret = Vault(keys).seal(page.id, {"token": "t"})


def test_a_lost_key_is_asked_for_and_never_replaced(relais, engine, tmp_path):
    with_secret(engine, Fernet.generate_key().decode())

    ran = relais("init")

    assert ran.code == 1
    assert ran.err == (
        f"The database holds encrypted secrets, but there is no key at {tmp_path / 'relais.key'}. Put back the "
        "relais.key that belongs to this database (or set RELAIS_SECRET_KEYS); a new key could not open them.\n"
    )
    assert not (tmp_path / "relais.key").exists()


def test_a_key_of_another_database_is_refused(relais, engine, tmp_path):
    with_secret(engine, Fernet.generate_key().decode())
    wrong = write_new_key(tmp_path / "relais.key")

    ran = relais("init")

    assert ran.code == 1
    assert "does not fit this database" in ran.err
    assert read_keys(tmp_path / "relais.key") == [wrong]


def test_a_damaged_key_is_refused(relais, hub_file, tmp_path):
    (tmp_path / "relais.key").write_text("not a key")

    ran = relais("init")

    assert ran.code == 1
    assert "A secret key is damaged" in ran.err


def test_keys_given_as_a_setting_need_no_file(relais, engine, tmp_path, monkeypatch):
    key = Fernet.generate_key().decode()
    with_secret(engine, key)
    monkeypatch.setenv("RELAIS_SECRET_KEYS", key)

    ran = relais("init")

    assert (ran.code, ran.out) == (0, "Nothing changed: database, key and reference data are up to date.\n")
    assert not (tmp_path / "relais.key").exists()


def test_the_communes_of_a_file_in_the_home_folder_replace_ours(relais, engine, tmp_path):
    write_new_key(tmp_path / "relais.key")
    official = [
        {
            "code": "97502",
            "nom": "Saint-Pierre",
            "codesPostaux": ["97500"],
            "centre": {"type": "Point", "coordinates": [-56.1773, 46.7811]},
            "population": 5500,
        }
    ]
    file = tmp_path / "relais-communes.json"
    file.write_text(json.dumps(official), encoding="utf-8")

    ran = relais("init")

    with reading(engine) as session:
        point = session.exec(select(Commune.lat, Commune.population).where(Commune.insee == "97502")).one()
        people = session.exec(select(Territory.population).where(Territory.code == "A-44")).one()
        miquelon = session.exec(select(Territory).where(Territory.code == "C-97501")).one()
        session.expunge(miquelon)
        noted = session.exec(select(AuditEntry.action).order_by(col(AuditEntry.id))).all()
    assert ran.code == 0
    assert point == (46.7811, 5500)
    assert people == 5500
    assert miquelon.ended_on is not None
    assert ran.out.splitlines() == [
        "Reference data: 35123 territories, of which 34963 communes; 6309 postcodes (0 rows added, 6 changed).",
        f"The communes were taken from {file}.",
        "1 commune is not in the file any more; it is kept, marked as ended: Miquelon-Langlade (97501)",
    ]
    assert noted[-1] == "reference.load"


def test_a_wrong_file_in_the_home_folder_is_refused_in_words(relais, hub_file, tmp_path):
    write_new_key(tmp_path / "relais.key")
    (tmp_path / "relais-communes.csv").write_text("insee\n35238\n", encoding="utf-8")

    ran = relais("init")

    assert ran.code == 2
    assert ran.err.startswith("relais-communes.csv: commune 1 cannot be read (lat is missing).")


@only_sqlite
def test_somebody_elses_database_is_left_alone(relais, tmp_path):
    with sqlite3.connect(tmp_path / "relais.db") as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()

    ran = relais("init")

    assert ran.code == 1
    assert "holds a database that is not Relais's" in ran.err
    assert tables(tmp_path / "relais.db") == ["recipes"]
    assert not (tmp_path / "relais.key").exists()


def tables(file: Path) -> list[str]:
    database = sqlite3.connect(file)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    database.close()
    return names


@only_sqlite
def test_a_newer_database_is_left_alone(relais, hub_file, tmp_path):
    database = sqlite3.connect(hub_file)
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()

    ran = relais("init")

    assert ran.code == 1
    assert "made by a newer Relais" in ran.err
    assert not (tmp_path / "relais.key").exists()


@only_sqlite
def test_a_file_that_is_no_database_is_refused(relais, tmp_path):
    (tmp_path / "relais.db").write_bytes(b"These are holiday pictures, not a database. " * 50)

    ran = relais("init")

    assert ran.code == 1
    assert "is not a usable database" in ran.err


def test_a_home_that_cannot_be_made_is_refused(relais, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RELAIS_HOME", str(tmp_path / "file" / "home"))

    ran = relais("init")

    assert ran.code == 2
    assert ran.err == (
        f"The folder {tmp_path / 'file' / 'home'} cannot be made: Not a directory. Choose another RELAIS_HOME.\n"
    )


@pytest.mark.parametrize("url", ["nonsense", "oracle://x"])
def test_an_address_that_is_no_database_is_refused(relais, monkeypatch, url):
    monkeypatch.setenv("RELAIS_DATABASE_URL", url)

    ran = relais("init")

    assert ran.code == 2
    assert ran.err.startswith("RELAIS_DATABASE_URL is not the address of a database")
