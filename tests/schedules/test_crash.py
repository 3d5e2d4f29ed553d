"""A process that is killed at the worst moments, on a real database: nothing is said twice, and nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.domain.delivery import DeliveryState
from tests.schedules.conftest import DUE, Room
from tests.schedules.dying import POINTS

S = DeliveryState
ROOT = Path(__file__).parents[2]


def publish(home: Path, point: str, at: datetime, url: str) -> int:
    """A process that publishes; its exit code."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.schedules.dying", str(home), point, at.isoformat(), url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode


@pytest.mark.parametrize(
    ("point", "audience"),
    [*((point, "A-14") for point in POINTS), ("after the call", "D-35")],
)
def test_whatever_it_dies_of_the_next_one_says_it_once(room: Room, tmp_path: Path, point: str, audience: str) -> None:
    made = [room.approve_one(f"N{number}", audience=(audience,)) for number in range(3)]

    url = room.hub.engine.url.render_as_string(hide_password=False)

    first = publish(tmp_path, point, DUE, url)
    second = publish(tmp_path, point, DUE + timedelta(seconds=10), url)

    shown = [json.loads(line)[0] for line in (tmp_path / "public.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (first, second) == (-signal.SIGKILL, 0)
    assert sorted(shown) == ["N0", "N1", "N2"]
    assert [room.state(one) for one in made] == [S.SENT] * 3
    assert len({room.delivery(one).remote_id for one in made}) == 3
