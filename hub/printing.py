"""A page as a PDF, through the Chromium of this machine: one at a time, without a network, without a trace."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from hub.domain.errors import Busy, HubError
from hub.language import N_, _
from hub.logs import line

log = logging.getLogger("relais.printing")

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What Chromium is called on different machines; the one without windows first, which has the least to do."""

PATIENCE: Final = 25.0
"""Seconds that one PDF may take."""

IN_TURN: Final = 1.0
"""Seconds that somebody waits for the one before: who waits longer keeps a thread from everybody else's pages."""

INSTEAD: Final = N_("Take the report as HTML instead, open it in a browser and print it from there.")

_ONE: Final = Lock()


class CannotPrint(HubError):
    """There is no Chromium here, or it made no PDF."""


def find_chromium(chosen: Path | None = None) -> str | None:
    """The program that prints: the one that was chosen, else the first that is installed; None where there is none."""
    return next((found for name in ([chosen] if chosen else NAMES) if (found := shutil.which(str(name)))), None)


def pdf_of(html: str, *, chromium: Path | None = None, patience: float = PATIENCE) -> bytes:
    """The PDF of a page that needs nothing from elsewhere; CannotPrint says what to do instead, Busy to come back."""
    program = find_chromium(chromium)
    if program is None:
        raise CannotPrint(f"{_missing(chromium)} {_(INSTEAD)}")
    if not _ONE.acquire(timeout=min(patience, IN_TURN)):
        raise Busy(_("Other reports are being printed. Try again in a minute."))
    try:
        with tempfile.TemporaryDirectory(prefix="relais-print-", ignore_cleanup_errors=True) as name:
            return _printed(html, program, Path(name), patience)
    finally:
        _ONE.release()


def _missing(chosen: Path | None) -> str:
    if chosen:
        return _("RELAIS_CHROMIUM names {path}, which cannot be started here.", path=chosen)
    return _("A PDF needs Chromium on the machine of Relais, and there is none.")


def _printed(html: str, program: str, folder: Path, patience: float) -> bytes:
    page, made = folder / "page.html", folder / "page.pdf"
    page.write_text(html, encoding="utf-8")
    code = _run(_command(program, folder, page, made), folder, patience)
    pdf = made.read_bytes() if made.exists() else b""
    if code != 0 or not pdf.startswith(b"%PDF"):
        log.warning(line(outcome="no-pdf", program=Path(program).name, code=code))
        told = _("Chromium took too long.") if code is None else _("Chromium made no PDF.")
        raise CannotPrint(f"{told} {_(INSTEAD)}")
    return pdf


def _command(program: str, folder: Path, page: Path, made: Path) -> list[str]:
    # Chromium cannot shut itself in where it runs as root; what it opens is our own page, without scripts.
    rooted = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [
        program,
        "--headless",
        *rooted,
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--no-default-browser-check",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        "--no-pdf-header-footer",
        f"--print-to-pdf={made}",
        page.as_uri(),
    ]


def _run(command: Sequence[str], folder: Path, patience: float) -> int | None:
    """The exit code, or None where it took too long: then it is ended with all that it started."""
    # Only what it needs of our environment, which holds secrets.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder)}
    try:
        process = subprocess.Popen(  # noqa: S603 - a program of this machine, and no words that anybody typed
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return -1
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and whatever it left running."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # nothing of it is left
    else:
        process.kill()
    process.wait()
