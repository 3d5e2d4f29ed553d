"""A command as a process of its own, for what only a real one shows: signals, ports, locks, what is said when."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RELAIS = Path(sys.executable).parent / "relais"
PATIENCE = 60
"""Seconds after which a process that says nothing is taken for stuck."""


class Process:
    """A running command; its lines can be waited for."""

    def __init__(self, *arguments: str, home: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RELAIS_")}
        environment = {**kept, "RELAIS_HOME": str(home), "RELAIS_LANGUAGE": "en", **settings}
        self.popen = subprocess.Popen(
            [RELAIS, *arguments], env=environment, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(self.popen.stdout, self.out)),
            threading.Thread(target=self._read, args=(self.popen.stderr, self.err)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: object, kept: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            kept.append(line)
            if kept is self.out:
                self._lines.put(line)
        if kept is self.out:
            self._lines.put("")

    def wait_for(self, words: str) -> str:
        """The first line on standard output with these words."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line, f"It ended without “{words}”: {''.join(self.err)}"
            if words in line:
                return line

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.popen.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait for its end; the exit code."""
        code = self.popen.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.end()
        for stream in (self.popen.stdout, self.popen.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def running(*arguments: str, home: Path, **settings: str) -> Iterator[Process]:
    """A command, for as long as a test lasts."""
    process = Process(*arguments, home=home, **settings)
    try:
        yield process
    finally:
        process.close()
