"""/healthz: ill only when clock, database or disk are; an account in trouble is a warning."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from hub.database import on_server, writing
from hub.services import attending, connecting, holding
from hub.web.app import create_app
from schedules.engine import Pulse
from tests.conftest import only_sqlite
from tests.schedules.conftest import DUE, Room
from tests.stage import build_stage, serving

TICKING = Pulse(alive=True, seconds_since_tick=0.4)


@pytest.fixture
def room(engine: Engine, tmp_path: Path) -> Room:
    """A hub with accounts, and no clock of its own."""
    from schedules import runner

    stage = build_stage(engine, tmp_path)
    return Room(stage, stage.clock, runner.build(stage.hub))


def ask(room: Room, pulse: Pulse | None = TICKING) -> tuple[int, dict[str, Any]]:
    """Status and answer."""
    hub = room.stage.hub
    if on_server(hub.engine):
        # Who publishes from a shared database says so there, and not in the process that serves pages.
        with writing(hub.engine) as session:
            attending.say_present(session, "w", host="there", pid=1, version="1", trouble=None, at=hub.now())
    app = create_app(hub, pulse=None if pulse is None else lambda: pulse)
    with serving(app) as url:
        answer = httpx.get(f"{url}/healthz", trust_env=False)
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


def test_a_hub_whose_clock_ticks_is_well(room: Room) -> None:
    status, told = ask(room)

    assert (status, told["status"], told["ill"]) == (200, "ok", {})


def test_a_process_that_does_not_publish_is_well_too(room: Room) -> None:
    assert ask(room, None)[0] == 200


@only_sqlite
@pytest.mark.parametrize(
    "pulse",
    [
        Pulse(alive=False, seconds_since_tick=0.1),
        Pulse(alive=True, seconds_since_tick=None),
        Pulse(alive=True, seconds_since_tick=5.1),
        Pulse(alive=True, seconds_since_tick=0.1, trouble="record: OperationalError"),
    ],
    ids=["dead", "never ticked", "stuck", "in trouble"],
)
def test_a_clock_that_stands_still_is_ill(room: Room, pulse: Pulse) -> None:
    status, told = ask(room, pulse)

    assert (status, told["status"], list(told["ill"])) == (503, "ill", ["clock"])


def test_deliveries_that_nobody_claims_are_ill(room: Room) -> None:
    room.approve_one()
    room.clock.at = DUE + timedelta(minutes=6)

    status, told = ask(room)

    assert (status, list(told["ill"])) == (503, ["clock"])


def test_deliveries_of_a_paused_account_are_no_illness(room: Room) -> None:
    room.approve_one()
    with writing(room.stage.hub.engine) as session:
        connecting.pause(session, room.stage.accounts["rennes"], by="operator", at=room.clock(), reason="Travaux")
    before = ask(room)[1]["warnings"]
    room.clock.at = DUE + timedelta(hours=3)

    status, told = ask(room)

    assert (status, told["ill"], told["warnings"]) == (200, {}, before)
    assert [line for line in before if "Page rennes" in line] != []


def test_an_account_that_rests_is_a_warning(room: Room) -> None:
    calm = ask(room)[1]["warnings"]
    with writing(room.stage.hub.engine) as session:
        connecting.rest(session, room.stage.accounts["rennes"], reason="Token expired.", at=room.clock())

    status, told = ask(room)

    assert (status, told["ill"]) == (200, {})
    assert len(told["warnings"]) == len(calm) + 1


def test_a_hold_is_a_warning_and_what_waits_for_it_no_illness(room: Room) -> None:
    room.approve_one()
    with writing(room.stage.hub.engine) as session:
        holding.hold(session, reason="Panne", by="operator", at=room.clock())
    room.clock.at = DUE + timedelta(hours=3)

    status, told = ask(room)

    assert (status, told["ill"]) == (200, {})
    assert [line for line in told["warnings"] if "on hold" in line] != []
    assert "Panne" not in str(told)  # whoever is not signed in reads no word that a person typed


def test_a_database_that_does_not_answer_is_ill(room: Room) -> None:
    with room.stage.hub.engine.begin() as connection:
        connection.execute(text("ALTER TABLE hold RENAME TO gone"))

    status, told = ask(room)

    assert (status, list(told["ill"])) == (503, ["database"])
