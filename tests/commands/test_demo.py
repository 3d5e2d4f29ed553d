"""`relais demo`: three weeks of a whole country, judged by what the sandbox really holds."""

from __future__ import annotations

import json
import socket
import sqlite3
import stat
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.commands.operator import figures
from hub.settings import read_settings
from hub.wiring import wire
from tests.commands.processes import RELAIS, running

pytestmark = pytest.mark.xdist_group("demo")


@dataclass(frozen=True)
class Played:
    """A demo that was played once."""

    home: Path
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """What it printed."""
        told: dict[str, Any] = json.loads(self.out)
        return told


def play(home: Path, folder: Path, *more: str) -> Played:
    """Play once, into a folder."""
    ran = subprocess.run(
        [RELAIS, "demo", "--once", "--json", "--dir", str(folder), *more],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Played(folder, ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Played once, for all tests of this room."""
    home = tmp_path_factory.mktemp("demo")
    return play(home, home / "country")


def test_it_ends_well_and_prints_exactly_one_object(played: Played) -> None:
    assert (played.code, played.err) == (0, "")
    assert list(played.told) == [
        "territories", "accounts", "posts", "approved", "returned", "deliveries", "sandbox", "reach", "report",
        "seconds",
    ]  # fmt: skip
    assert list(played.told["deliveries"]) == ["sent", "waiting", "failed", "unknown", "review", "cancelled"]
    assert list(played.told["sandbox"]) == [
        "facebook_posts", "x_posts", "duplicates", "outside_territory", "unlimited",
    ]  # fmt: skip


def test_it_plays_a_whole_country(played: Played) -> None:
    told = played.told

    assert (told["territories"], told["accounts"]) == (34, {"facebook": 35, "x": 1, "portal": 1})
    assert told["reach"]["territories"] == 34
    assert told["deliveries"]["sent"] >= 60
    assert (told["deliveries"]["unknown"], told["deliveries"]["failed"]) == (0, 0)
    assert told["returned"] >= 1
    assert told["posts"] >= told["approved"] > 60


def test_nothing_is_said_twice_nor_outside_its_territory(played: Played) -> None:
    seen = played.told["sandbox"]

    assert (seen["duplicates"], seen["outside_territory"]) == (0, 0)
    assert seen["unlimited"] == 1
    assert seen["facebook_posts"] + seen["x_posts"] < played.told["deliveries"]["sent"]  # the rest is on the portal


def test_a_page_whose_token_expired_lets_its_deliveries_wait(played: Played) -> None:
    assert played.told["deliveries"]["waiting"] > 0


def test_the_report_is_where_it_says(played: Played) -> None:
    report = Path(played.told["report"])

    lines = report.read_text(encoding="utf-8").splitlines()
    assert report.parent == played.home
    assert len(lines) == played.told["reach"]["rows"] + 1


def test_the_logins_are_for_their_owner_only(played: Played) -> None:
    file = played.home / "access.json"

    access = json.loads(file.read_text(encoding="utf-8"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(access) == ["administrator", "analyst", "animator", "coordinator"]
    assert {frozenset(one) for one in access.values()} == {frozenset({"email", "password", "token"})}


def test_taken_up_again_it_adds_nothing_and_its_logins_open_the_door(played: Played, tmp_path: Path) -> None:
    access = json.loads((played.home / "access.json").read_text(encoding="utf-8"))["coordinator"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    with running("demo", "--port", port, "--json", "--dir", str(played.home), home=tmp_path) as process:
        process.wait_for('"seconds"')
        process.wait_for("}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            by_token = client.get("/api/v1/me", headers={"Authorization": f"Bearer {access['token']}"})
            health = client.get("/healthz")
        code = process.stop()
    again = json.loads("".join(process.out))

    assert (by_token.status_code, health.status_code, code) == (200, 200, 0)
    same = ("posts", "approved", "returned", "deliveries", "sandbox", "accounts", "territories")
    assert {name: again[name] for name in same} == {name: played.told[name] for name in same}


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "photos.txt").write_text("mine")

    ran = subprocess.run(
        [RELAIS, "demo", "--once", "--json", "--dir", str(folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"RELAIS_LANGUAGE": "en", "PATH": ""},
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"The folder {folder} holds other things (photos.txt). Choose an empty one with --dir.\n"
    assert [file.name for file in folder.iterdir()] == ["photos.txt"]


def test_a_port_in_use_is_told_before_anything_is_played(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("demo", "--port", str(port), "--dir", str(tmp_path / "country"), home=tmp_path) as process:
            code = process.end()

    assert (code, process.out) == (2, [])
    assert process.err == [f"Port {port} is in use. Stop what listens there, or choose another one with --port.\n"]
    assert not (tmp_path / "country").exists()


def test_every_territory_has_an_invented_population_that_says_so(played: Played) -> None:
    with closing(sqlite3.connect(played.home / "relais.db")) as database:
        rows = database.execute("SELECT territory_code, cohort, number, source FROM population").fetchall()

    assert {cohort: len({row[0] for row in rows if row[1] == cohort}) for cohort in ("young", "leavers")} == {
        "young": 34,
        "leavers": 34,
    }
    assert all(number > 0 and "inventé" in source for _code, _cohort, number, source in rows)


def test_its_reports_tell_what_was_read(played: Played) -> None:
    hub = wire(read_settings(home=played.home, facebook_api_url="http://127.0.0.1:9", x_api_url="http://127.0.0.1:9"))
    try:
        proof = figures.compare(hub.engine)
    finally:
        hub.engine.dispose()

    assert proof.samples > 0
    assert proof.differing == []
