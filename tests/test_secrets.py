"""What is encrypted opens only with its key and for its account; keys are made and dropped as whole files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from hub.domain.errors import Invalid
from hub.secrets import KeyTrouble, Vault, drop_old_keys, read_keys, write_new_key

SECRET = {"token": "planted"}


def key() -> str:
    return Fernet.generate_key().decode()


def test_a_sealed_secret_says_nothing_and_opens_again():
    vault = Vault([key()])
    sealed = vault.seal(7, SECRET)

    assert "planted" not in sealed
    assert vault.open(7, sealed) == SECRET


def test_a_secret_does_not_open_for_another_account():
    vault = Vault([key()])

    with pytest.raises(KeyTrouble, match="8"):
        vault.open(8, vault.seal(7, SECRET))


def test_a_secret_does_not_open_with_another_key_nor_when_it_was_touched():
    vault = Vault([key()])
    sealed = vault.seal(7, SECRET)
    touched = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]

    for reader, text in ((Vault([key()]), sealed), (vault, touched), (vault, "not sealed")):
        with pytest.raises(KeyTrouble):
            reader.open(7, text)
        with pytest.raises(KeyTrouble):
            reader.rotate(text)


def test_a_rotated_secret_opens_with_the_new_key_alone():
    old, new = key(), key()
    sealed = Vault([old]).seal(7, SECRET)

    rotated = Vault([new, old]).rotate(sealed)

    assert Vault([new]).open(7, rotated) == SECRET
    with pytest.raises(KeyTrouble):
        Vault([old]).open(7, rotated)


@pytest.mark.parametrize("keys", [[], ["too short"], [""]])
def test_a_vault_needs_whole_keys(keys):
    with pytest.raises(KeyTrouble):
        Vault(keys)


def test_a_vault_shown_by_accident_shows_no_key():
    secret = key()

    assert secret not in repr(Vault([secret]))


def test_a_new_key_comes_first_and_the_old_ones_stay_until_they_are_dropped(tmp_path: Path):
    file = tmp_path / "relais.key"

    first = write_new_key(file)
    second = write_new_key(file)
    both = read_keys(file)
    dropped = drop_old_keys(file)

    assert both == [second, first]
    assert dropped == 1
    assert read_keys(file) == [second]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [left.name for left in tmp_path.iterdir()] == ["relais.key"]


def test_no_key_file_means_no_keys(tmp_path: Path):
    assert read_keys(tmp_path / "relais.key") == []


def test_a_key_file_that_cannot_be_read_or_written_is_said_in_words(tmp_path: Path):
    (tmp_path / "binary.key").write_bytes(b"\xff\xfe")

    with pytest.raises(KeyTrouble, match=r"binary\.key"):
        read_keys(tmp_path / "binary.key")
    with pytest.raises(Invalid, match=r"none"):
        write_new_key(tmp_path / "none" / "relais.key")
