"""`relais sandbox`: Facebook and X on this machine, until stopped."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.commands.processes import running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_plays_says_how_to_use_it_and_stops_cleanly(tmp_path: Path, number: int) -> None:
    with running("sandbox", "--port", "0", home=tmp_path) as process:
        told = process.wait_for("Facebook and X are played on")
        export = process.wait_for("export")
        url = next(word for word in told.split() if word.startswith("http://")).rstrip(".")

        health = httpx.get(f"{url}/_sandbox/health", trust_env=False).json()
        code = process.stop(number)

    assert (health["status"], health["x"]) == ("ok", True)
    assert export.strip() == f"export RELAIS_FACEBOOK_API_URL={url} RELAIS_X_API_URL={url}"
    assert (code, process.err) == (0, [])


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("sandbox", "--port", str(port), home=tmp_path) as process:
            code = process.end()

    assert (code, process.out) == (2, [])
    assert process.err == [f"Port {port} is in use. Stop what listens there, or choose another one with --port.\n"]


def test_a_file_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    nowhere = tmp_path / "nope" / "kept.db"

    with running("sandbox", "--port", "0", "--store", str(nowhere), home=tmp_path) as process:
        code = process.end()

    assert (code, process.out) == (2, [])
    assert process.err == [
        f"{nowhere} cannot keep what is posted: unable to open database file. Choose another file with --store.\n"
    ]


def test_what_is_posted_is_kept_in_a_file(tmp_path: Path) -> None:
    pages: list[object] = []
    for _ in range(2):
        with running("sandbox", "--port", "0", "--store", str(tmp_path / "kept.db"), home=tmp_path) as process:
            told = process.wait_for("Facebook and X are played on")
            url = next(word for word in told.split() if word.startswith("http://")).rstrip(".")
            if not pages:
                made = {"id": "7", "name": "Rennes", "followers": 5}
                httpx.post(f"{url}/_sandbox/facebook/pages", json=made, trust_env=False).raise_for_status()
            pages.append(httpx.get(f"{url}/_sandbox/facebook/pages", trust_env=False).json())
            process.stop()

    assert pages[0] == pages[1]
    assert pages[0] != {"pages": []}
