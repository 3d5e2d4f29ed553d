"""A thousand deliveries of which a third goes wrong, in every way that we know of: the networks' own record judges."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Final

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from channels.sandbox.faults import Fault, Faults, graph_error, named
from hub.database import reading
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Attempt, Delivery, DeliveryState, OutcomeKind
from hub.services.delivering import Task
from hub.services.reconciling import UNSETTLED
from schedules.runner import JOBS
from tests.schedules.conftest import wall
from tests.schedules.road import CLEAN, PUBLISHING, Road, open_road
from tests.sizes import size
from tests.stage import NOON

S = DeliveryState
logger = logging.getLogger("relais.proof")

PAGES: Final = 26
"""Académies with a page; with the stage's two, the country's, and X, thirty places in all."""

FAULTS: Final[dict[str, tuple[Fault, ...]]] = {
    "time-out after commit": (Fault("delay", seconds=0.3, after=True),),
    "reset before commit": (named("reset_before"),),
    "reset after commit": (named("reset_after"),),
    "close without answer, before": (named("hang_up_before"),),
    "close without answer, after": (named("hang_up_after"),),
    "5xx without a post": (named("unavailable_before"),),
    "5xx with a post": (named("unavailable_after"),),
    "HTML": (named("html_502_after"),),
    "HTML that says 200": (named("html_200_after"),),
    "cut JSON": (named("cut"),),
    "broken JSON": (named("broken"),),
    "2xx without id": (named("without_id"),),
    "slow drip": (named("drip", seconds=0.1),),
    "429": (named("too_many"),),
    "4xx": (graph_error(100), Fault("answer", network="x", status=400, body='{"title": "Invalid Request"}')),
    "refused as a repeat": (
        named("duplicate", after=True),
        Fault("answer", network="x", after=True, status=403,
              body='{"detail": "You are not allowed to create a Tweet with duplicate content."}'),
    ),
}  # fmt: skip
"""What goes wrong, once per network where they say it in other words."""

WRONG: Final = 0.3
"""How many calls go wrong."""

LATE: Final = (30, 90, 240)
"""Seconds until lists show a post: effects, which come together with other faults."""


@dataclass(frozen=True)
class Volume:
    """How much of it."""

    posts: int
    """Each goes to every place."""
    gated: int
    """Each goes to one page, through a draft with a limit."""
    minutes: int
    """Over how many minutes they are spread: posts of one minute are due at one instant."""

    @property
    def deliveries(self) -> int:
        """How many that makes."""
        return self.posts * (PAGES + 4) + self.gated


WHOLE: Final = size(ci=Volume(posts=32, gated=40, minutes=4), long=Volume(posts=320, gated=400, minutes=40))
PART: Final = size(ci=Volume(posts=6, gated=20, minutes=2), long=WHOLE)
"""On PostgreSQL, which costs thrice as much processor time: an eighth in CI, all of it where proofs are long."""


@pytest.fixture
def road(engine: Engine, tmp_path: Path) -> Iterator[Road]:
    """Thirty places."""
    with open_road(
        engine, tmp_path, pages=PAGES, connect_timeout=0.2, read_timeout=0.2, call_deadline=0.8, workers=8
    ) as one:
        # Figures are only read: they have their own tests, and would be half of the calls here.
        one.engine.jobs = [job for job in JOBS if job.task is not Task.COLLECT]
        yield one


def go_wrong(road: Road, seed: int) -> None:
    """Let a third of all publishing calls go wrong, in every way alike, and one in twenty show up late."""
    road.sandbox.faults = Faults(seed)
    chance = 1 - (1 - WRONG) ** (1 / len(FAULTS))
    for ways in FAULTS.values():
        for fault in ways:
            road.play(replace(fault, method="POST", path=PUBLISHING, times=None, chance=chance))
    for seconds in LATE:
        road.play(Fault("late", method="POST", path=PUBLISHING, times=None, chance=0.02, seconds=seconds))


def approve(road: Road, volume: Volume) -> list[int]:
    """All that is to be said, spread over some minutes of the next morning."""
    everywhere = tuple(str(number) for name, number in road.stage.accounts.items() if name != "portal")
    made = []
    for number in range(volume.posts):
        when = wall(3, 8, number % volume.minutes)
        made += road.approve(
            f"Rendez-vous numéro {number}", accounts=everywhere, audience=("FR",), when=when, zone="Europe/Paris"
        )
    for number in range(volume.gated):
        made += road.approve(f"Chez nous {number}", audience=("D-35",), when=wall(3, 8, number % volume.minutes))
    return made


def live(road: Road, until: datetime) -> None:
    """From one thing that is due to the next, those of ten seconds taken together; a look is never early."""
    while road.clock() < until:
        following = road.engine.agenda().next_at or until
        road.run_at(min(max(following, road.clock() + timedelta(seconds=10)), until))


def settling_times(road: Road) -> list[float]:
    """How long unknown outcomes took to be settled, in seconds of the clock.

    Only while reads work: a network that asked an account to wait (429) is not asked meanwhile.
    """
    rate_wait = road.hub.patience.rate_wait
    with reading(road.hub.engine) as session:
        query = select(Attempt, Delivery.account_id).join(Delivery, col(Delivery.id) == Attempt.delivery_id)
        tries = [(tried, account) for tried, account in session.exec(query) if tried.ended_at is not None]
        verdicts: dict[str, list[datetime]] = {}
        for entry in session.exec(select(AuditEntry).where(AuditEntry.action == "delivery.read-back")):
            verdicts.setdefault(entry.thing, []).append(entry.at)
    asked_to_wait = [(account, tried.ended_at) for tried, account in tries if tried.outcome == OutcomeKind.RATE.value]
    times = []
    for tried, account in tries:
        if tried.outcome not in UNSETTLED or tried.ended_at is None:
            continue
        settled_at = min(at for at in verdicts[f"delivery:{tried.delivery_id}"] if at >= tried.ended_at)
        silent = (other == account and at is not None and at - rate_wait <= tried.ended_at <= at + rate_wait
                  for other, at in asked_to_wait)  # fmt: skip
        if not any(silent):
            times.append((settled_at - tried.ended_at).total_seconds())
    return times


def prove(road: Road, volume: Volume, seed: int) -> None:
    """Say it all among faults, then let them stop; judge."""
    made = approve(road, volume)
    go_wrong(road, seed)

    road.clock.at = NOON
    live(road, NOON + timedelta(hours=22))
    road.sandbox.faults.clear()
    live(road, NOON + timedelta(hours=24))

    came = [fault for fault in road.sandbox.faults.came if fault.kind != "late"]
    refused = sum(fault.status == 400 and not fault.after for fault in came)
    states = Counter(one.state for one in road.deliveries())
    settled = settling_times(road)
    p95 = quantiles(settled, n=20)[-1]
    tries = sum(one.attempts for one in road.deliveries())
    logger.warning(
        "proof=thousand deliveries=%s tries=%s faults=%s unknown=%s review=%s failed=%s settled-p95=%.0f",
        len(made), tries, len(came), len(settled), states[S.REVIEW], states[S.FAILED], p95,
    )  # fmt: skip
    assert len(made) == volume.deliveries
    assert len(came) >= 0.25 * len(made)
    assert len(settled) >= 0.1 * len(made)
    assert road.verdict() == CLEAN
    assert states[S.REVIEW] <= 0.01 * len(made)
    # Only what the network refused was not said: it tells why, and nobody sees it.
    assert states[S.FAILED] <= refused
    assert states[S.SENT] + states[S.FAILED] + states[S.REVIEW] == len(made)
    assert p95 <= timedelta(minutes=6).total_seconds()


@pytest.mark.proof
@pytest.mark.xdist_group("a thousand")
@pytest.mark.parametrize("seed", [20261103])
def test_of_a_thousand_deliveries_among_faults_none_is_lost_and_none_said_twice(
    road: Road, seed: int, backend: str
) -> None:
    prove(road, WHOLE if backend == "sqlite" else PART, seed)
