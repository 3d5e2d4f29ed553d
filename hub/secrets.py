"""What is encrypted, and its keys: a secret is bound to its account or person, so that rows cannot be swapped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from hub.domain.errors import HubError, Invalid
from hub.language import _
from hub.masking import remember


class KeyTrouble(HubError):
    """The key is missing, unreadable or not the one that encrypted the data."""


class Vault:
    """Seals and opens the secrets of accounts and people; the first key seals, all of them open."""

    def __init__(self, keys: Sequence[str]) -> None:
        remember(*keys)
        if not keys:
            raise KeyTrouble(_("There is no secret key. Run “relais init”, or set RELAIS_SECRET_KEYS."))
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise KeyTrouble(
                _("A secret key is damaged: each must be 44 characters, as “relais init” writes them.")
            ) from error

    def __repr__(self) -> str:
        return "Vault()"

    def seal(self, account_id: int, secret: Mapping[str, str]) -> str:
        """The secret of an account as text that only these keys open, and only for this account."""
        return self._seal("account", account_id, secret)

    def open(self, account_id: int, sealed: str) -> dict[str, str]:
        """The secret again; KeyTrouble when no key fits or it was sealed for another account."""
        secret = self._open("account", account_id, sealed)
        if secret is None:
            raise KeyTrouble(_("The secret of account {number} belongs to another account.", number=account_id))
        return secret

    def seal_personal(self, person_id: int, secret: Mapping[str, str]) -> str:
        """The same for what belongs to a person."""
        return self._seal("person", person_id, secret)

    def open_personal(self, person_id: int, sealed: str) -> dict[str, str]:
        """The secret again; KeyTrouble when no key fits or it was sealed for somebody else."""
        secret = self._open("person", person_id, sealed)
        if secret is None:
            raise KeyTrouble(_("The secret of person {number} belongs to somebody else.", number=person_id))
        return secret

    def _seal(self, kind: str, owner: int, secret: Mapping[str, str]) -> str:
        remember(*secret.values())
        plain = json.dumps({kind: owner, "secret": dict(secret)})
        return self._fernet.encrypt(plain.encode()).decode()

    def _open(self, kind: str, owner: int, sealed: str) -> dict[str, str] | None:
        """None when it is another's."""
        plain = json.loads(self._unseal(sealed))
        if plain.get(kind) != owner:
            return None
        secret = {str(name): str(value) for name, value in plain["secret"].items()}
        remember(*secret.values())
        return secret

    def rotate(self, sealed: str) -> str:
        """The same secret under the first key."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise _wrong_key() from error

    def _unseal(self, sealed: str) -> bytes:
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken as error:
            raise _wrong_key() from error


def lost_key(file: Path) -> KeyTrouble:
    """What to say when secrets are here and no key is."""
    return KeyTrouble(
        _(
            "The database holds encrypted secrets, but there is no key at {file}. Put back the relais.key that "
            "belongs to this database (or set RELAIS_SECRET_KEYS); a new key could not open them.",
            file=file,
        )
    )


def _wrong_key() -> KeyTrouble:
    return KeyTrouble(
        _("The secret key does not fit this database. Put back the relais.key that belongs to it; nothing was changed.")
    )


def read_keys(file: Path) -> list[str]:
    """The keys of a key file, newest first; none when there is no file."""
    try:
        return file.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise KeyTrouble(_("The key file {file} cannot be read: {why}.", file=file, why=error)) from error


def write_new_key(file: Path) -> str:
    """Put a fresh key in front of those of a key file (mode 600, made if absent); return it."""
    key = Fernet.generate_key().decode()
    _write_keys(file, [key, *read_keys(file)])
    return key


def drop_old_keys(file: Path) -> int:
    """Keep only the newest key of a key file; how many were dropped. Only for when it opens every secret by itself."""
    keys = read_keys(file)
    _write_keys(file, keys[:1])
    return len(keys[1:])


def _write_keys(file: Path, keys: Sequence[str]) -> None:
    """Replace a key file as a whole: a power cut leaves the old one or the new one."""
    fresh = file.with_suffix(".new")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as writing:
            writing.write("\n".join(keys) + "\n")
            writing.flush()
            os.fsync(writing.fileno())
        fresh.replace(file)
    except OSError as error:
        raise Invalid(_("The key file {file} cannot be written: {why}.", file=file, why=error.strerror)) from error
