"""`relais serve` as a process: it starts, says how it is, stops when told, and refuses in words."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest
from cryptography.fernet import Fernet

from channels.sandbox.exchange import Request
from channels.sandbox.faults import Fault
from channels.sandbox.server import Sandbox
from hub.database import writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.delivery import DeliveryState
from hub.secrets import Vault, write_new_key
from hub.services import connecting
from hub.wiring import machine_clock
from schedules import runner
from tests.commands.processes import running
from tests.conftest import only_sqlite
from tests.schedules.conftest import Room
from tests.stage import build_stage

pytestmark = only_sqlite  # beside PostgreSQL it never publishes: see tests/postgres and `relais worker`

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def home(engine, tmp_path: Path) -> Path:
    """A founded home: the country and a key."""
    write_new_key(tmp_path / "relais.key")
    return tmp_path


def address_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://"))


def test_it_starts_answers_and_stops_cleanly(home: Path) -> None:
    with running("serve", "--port", "0", home=home) as process:
        url = address_in(process.wait_for("Relais listens on"))

        answer = httpx.get(f"{url}/healthz", trust_env=False)
        code = process.stop()

    assert [line for line in process.err if "job" in line] == []
    assert (answer.status_code, answer.json()["status"], answer.json()["ill"]) == (200, "ok", {})
    assert (code, [line for line in process.err if "Traceback" in line]) == (0, [])


def test_it_hands_out_metrics_to_whoever_shows_the_token_and_logs_as_json_when_told(home: Path) -> None:
    token = "watchers-token-5d1e"
    settings = {"RELAIS_METRICS_TOKEN": token, "RELAIS_LOG_FORMAT": "json"}
    with running("serve", "--port", "0", home=home, **settings) as process:
        url = address_in(process.wait_for("Relais listens on"))

        refused = httpx.get(f"{url}/metrics", trust_env=False)
        told = httpx.get(f"{url}/metrics", trust_env=False, headers={"Authorization": f"Bearer {token}"})
        process.stop()

    lines = [json.loads(line) for line in process.err]
    assert (refused.status_code, told.status_code) == (401, 200)
    wanted = ("relais_clock_alive 1.0", "relais_overdue 0.0", "relais_tick_age_seconds ", "relais_attempts_total{")
    assert [name for name in wanted if name not in told.text] == []
    answers = [(one["logger"], one["level"], one["path"], one["status"]) for one in lines if "path" in one]
    assert answers == [("relais.access", "INFO", "/metrics", 401), ("relais.access", "INFO", "/metrics", 200)]
    assert token not in "".join(process.err)


def test_ctrl_c_stops_it_as_cleanly(home: Path) -> None:
    with running("serve", "--port", "0", home=home) as process:
        process.wait_for("Relais listens on")

        code = process.stop(signal.SIGINT)

    assert (code, [line for line in process.err if "Traceback" in line]) == (0, [])


def test_once_it_has_stopped_it_can_be_started_again(home: Path) -> None:
    for _ in range(2):
        with running("serve", "--port", "0", home=home) as process:
            process.wait_for("Relais listens on")
            assert process.stop() == 0


def test_a_port_in_use_is_told_in_one_sentence(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("serve", "--port", str(port), home=home) as process:
            code = process.end()

    assert (code, process.out) == (2, [])
    assert process.err == [f"Port {port} is in use. Stop what listens there, or choose another one with --port.\n"]


def test_a_second_one_on_the_same_home_is_refused_in_words(home: Path) -> None:
    with running("serve", "--port", "0", home=home) as first:
        first.wait_for("Relais listens on")

        with running("serve", "--port", "0", home=home) as second:
            code = second.end()

    assert (code, second.out) == (5, [])
    assert second.err == [
        f"Another Relais is already publishing from {home}. Stop it first, or use another RELAIS_HOME.\n"
    ]


def test_a_key_of_another_database_is_refused_in_words(home: Path, engine) -> None:
    with writing(engine) as session:
        page = Account(
            network=AccountNetwork.FACEBOOK, name="Rennes", remote_id="1", territory_code="A-14", created_at=NOW
        )
        session.add(page)
        session.flush()
        assert page.id is not None
        page.secret = Vault([Fernet.generate_key().decode()]).seal(page.id, {"token": "t"})

    with running("serve", "--port", "0", home=home) as process:
        code = process.end()

    assert (code, process.out) == (1, [])
    assert process.err == [
        "The secret key does not fit this database. Put back the relais.key that belongs to it; nothing was changed.\n"
    ]


def test_a_key_that_is_none_is_refused_at_once(home: Path) -> None:
    with running("serve", "--port", "0", home=home, RELAIS_SECRET_KEYS="abc") as process:
        code = process.end()

    assert (code, process.out) == (2, [])
    assert process.err == ["Setting RELAIS_SECRET_KEYS: each key has 44 characters, as “relais init” writes them.\n"]


def test_a_home_without_a_database_says_what_to_do(tmp_path: Path) -> None:
    with running("serve", "--port", "0", home=tmp_path) as process:
        code = process.end()

    assert (code, process.out) == (1, [])
    assert process.err == [f"There is no Relais database at {tmp_path / 'relais.db'} yet. Run “relais init” first.\n"]


class Listening(deque[Request]):
    """The calls of a sandbox, of which one is waited for."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.came = path, threading.Event()

    def append(self, request: Request) -> None:
        super().append(request)
        if request.path.endswith(self.path):
            self.came.set()


def test_a_call_under_way_is_finished_and_recorded_before_it_stops(home: Path, engine) -> None:
    stage = build_stage(engine, home)
    room = Room(stage, stage.clock, runner.build(stage.hub))
    with Sandbox() as sandbox:
        sandbox.calls = calls = Listening("/feed")
        token = sandbox.graph.create_page(room.account("rennes").remote_id, "Rennes", followers=900)
        with writing(engine) as session:
            for name, number in stage.accounts.items():
                connecting.get_account(session, number).secret = None
                if name == "rennes":
                    connecting.renew_secret(session, stage.hub.vault, number, {"token": token}, by="operator", at=NOW)
        delivery = due_five_minutes_ago(room)
        sandbox.faults.add(Fault("delay", method="POST", path="/feed$", seconds=1.5, after=True))
        addresses = {"RELAIS_FACEBOOK_API_URL": sandbox.url, "RELAIS_X_API_URL": sandbox.url}
        with running("serve", "--port", "0", home=home, **addresses) as process:
            process.wait_for("Relais listens on")
            assert calls.came.wait(30)

            code = process.stop()

        posted = [post["message"] for post in sandbox.graph.visible_posts(room.account("rennes").remote_id)]

    assert (code, posted) == (0, ["Portes ouvertes"])
    assert (room.state(delivery), room.outcomes(delivery)) == (DeliveryState.SENT, ["ok"])


def due_five_minutes_ago(room: Room) -> int:
    """A delivery that is due by the machine's own clock, approved before it was."""
    now = machine_clock()
    room.clock.at = now - timedelta(minutes=10)
    wall_time = (now - timedelta(minutes=5)).astimezone(ZoneInfo("Europe/Paris")).replace(tzinfo=None)
    return room.approve_one(when=wall_time)


def test_the_address_it_tells_is_the_one_it_listens_on(home: Path) -> None:
    with running("serve", "--port", "0", home=home) as process:
        told = urlsplit(address_in(process.wait_for("Relais listens on")))
        assert told.port is not None

        with socket.create_connection(("127.0.0.1", told.port), timeout=5) as connected:
            assert connected.getpeername()[1] == told.port
        process.stop()
