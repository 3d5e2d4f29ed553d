"""`relais secrets rotate`: every secret under a new key, the old ones dropped only once that is sure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.audit import OPERATOR
from hub.secrets import KeyTrouble, Vault, read_keys, write_new_key
from hub.services import auditing, connecting

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PAGES = 12

pytestmark = pytest.mark.usefixtures("hub_file")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "relais.key"
    write_new_key(file)
    return file


def connect(engine, vault: Vault, number: int) -> None:
    with writing(engine) as session:
        connecting.add_account(
            session,
            vault,
            network=AccountNetwork.FACEBOOK,
            name=f"Page {number}",
            remote_id=str(number),
            handle=None,
            territory_code="A-14",
            secret={"token": f"planted-{number}"},
            options={},
            by=OPERATOR,
            at=NOON,
        )


@pytest.fixture
def old(engine, key_file: Path) -> Vault:
    """The vault of before, with a dozen pages under it."""
    vault = Vault(read_keys(key_file))
    for number in range(PAGES):
        connect(engine, vault, number)
    return vault


def opened(engine, vault: Vault) -> list[str]:
    """The secrets that these keys open."""
    found = []
    with reading(engine) as session:
        for account in connecting.list_accounts(session):
            if account.secret is not None and account.id is not None:
                try:
                    found.append(vault.open(account.id, account.secret)["token"])
                except KeyTrouble:
                    continue
    return sorted(found)


ALL = sorted(f"planted-{number}" for number in range(PAGES))


def test_all_secrets_are_put_under_a_new_key_and_the_old_one_is_kept(relais, engine, key_file, old):
    ran = relais("secrets", "rotate", "--json")

    keys = read_keys(key_file)
    assert json.loads(ran.out) == {"secrets": PAGES, "new_key": True, "dropped": 0}
    assert len(keys) == 2
    assert opened(engine, Vault(keys[:1])) == ALL
    assert opened(engine, old) == []


def test_old_keys_are_dropped_on_demand(relais, engine, key_file, old):
    relais("secrets", "rotate")
    ran = relais("secrets", "rotate", "--drop-old", "--json")
    words = relais("secrets", "rotate", "--drop-old").out.splitlines()

    assert json.loads(ran.out)["dropped"] == 2
    assert words == [
        "12 secrets are now under the first key.",
        "1 old key was dropped. Keep a copy of the key file apart from backups.",
    ]
    assert len(read_keys(key_file)) == 1
    assert opened(engine, Vault(read_keys(key_file))) == ALL
    with reading(engine) as session:
        actions = [entry.action for entry in auditing.list_entries(session, thing="vault")]
    assert actions == ["secrets.drop", "secrets.rotate", "secrets.drop", "secrets.rotate", "secrets.rotate"]


def test_neither_keys_nor_secrets_are_printed_or_audited(relais, key_file, old):
    printed = relais("secrets", "rotate", "--drop-old")
    audit = relais("audit", "--json", "--limit", "1000")

    for text in (printed.out, printed.err, audit.out):
        assert "planted" not in text
        assert read_keys(key_file)[0] not in text


def test_with_a_key_that_does_not_fit_nothing_changes(relais, engine, key_file, old):
    kept = key_file.read_text()
    key_file.write_text(Fernet.generate_key().decode() + "\n")
    wrong = key_file.read_text()

    ran = relais("secrets", "rotate", "--drop-old")

    assert ran.code == 1
    assert key_file.read_text() == wrong
    key_file.write_text(kept)
    assert opened(engine, old) == ALL


def test_without_any_key_the_way_is_told(relais):
    ran = relais("secrets", "rotate")

    assert ran.code == 1
    assert "relais init" in ran.err


def test_keys_given_as_a_setting_are_used_in_their_order_and_no_file_is_written(
    relais, engine, key_file, old, monkeypatch
):
    fresh, (former,) = Fernet.generate_key().decode(), read_keys(key_file)
    key_file.unlink()
    monkeypatch.setenv("RELAIS_SECRET_KEYS", f"{fresh},{former}")

    ran = relais("secrets", "rotate", "--drop-old", "--json")

    assert json.loads(ran.out) == {"secrets": PAGES, "new_key": False, "dropped": 0}
    assert not key_file.exists()
    assert opened(engine, Vault([fresh])) == ALL
    assert "RELAIS_SECRET_KEYS" in relais("secrets", "rotate").out
