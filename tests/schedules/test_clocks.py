"""Clocks that are set while Relais runs, hours that are missing or doubled, and the fourteen zones of France."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from channels import Deadline, Message, Prepared, Receipt, Uncertain
from channels.memory import MemoryChannel
from hub.domain.clock import ZONE_PLACES, Fold
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid
from schedules.distributed import Distributed
from tests.schedules.conftest import DUE, Room, only_postgresql, only_sqlite, wall

S = DeliveryState
pytestmark = pytest.mark.proof

# --- A clock that is set while Relais runs ----------------------------------------------------------------------


@dataclass
class Times:
    """The clock on the wall, which people set, and the one that only counts."""

    room: Room
    counted: float = 0.0

    def __post_init__(self) -> None:
        self.room.engine.boot_clock = lambda: self.counted

    def go_on(self, **span: float) -> None:
        """Both move, as they should."""
        passed = timedelta(**span)
        self.counted += passed.total_seconds()
        self.room.clock.at += passed

    def tick(self) -> None:
        """What every engine does when time knocks: look at the clock, then do what is due unless it was set."""
        engine = self.room.engine
        engine._ticked()
        due = engine.agenda().due
        for job in engine.jobs:
            if engine._may_begin() and job.task in due:
                engine._run(job)
                engine.worker.finish()

    def live(self, *, every: float = 1, **span: float) -> None:
        """Tick through a span of time, every so many minutes."""
        end = self.counted + timedelta(**span).total_seconds()
        while self.counted < end:
            self.tick()
            self.go_on(minutes=every)
        self.tick()


JUMPS: Final = {
    "an hour on": timedelta(hours=1),
    "an hour back": timedelta(hours=-1),
    "a day on": timedelta(days=1),
    "a day back": timedelta(days=-1),
}


@only_sqlite  # a database's clock that is off the machine's stops everything: see below
@pytest.mark.parametrize("jump", JUMPS)
def test_when_the_clock_is_set_nothing_goes_out_early_or_twice_and_nothing_is_forgotten(room: Room, jump: str) -> None:
    made = [room.approve_one(f"N{number}", when=wall(3, 18, number * 10)) for number in range(6)]
    times = Times(room)
    room.clock.at = DUE - timedelta(minutes=5)

    times.live(minutes=30)
    before = list(room.shown())
    times.tick()
    room.clock.at += JUMPS[jump]
    set_to = room.clock()
    times.tick()
    paused = list(room.shown())
    times.live(every=5, hours=2)
    times.live(every=60, hours=24)

    said = Counter(room.shown())
    states = [room.state(one) for one in made]
    assert (len(before), paused) == (3, before)
    assert set(said.values()) == {1}
    for one in made:
        for tried in room.attempts(one):
            assert tried.started_at >= room.delivery(one).due_at
            assert not set_to < tried.started_at < set_to + room.hub.patience.lease
    if jump == "a day on":
        # Due eighteen hours ago by that clock: never late by itself, a person decides.
        assert states == [S.SENT] * 3 + [S.REVIEW] * 3
    else:
        assert states == [S.SENT] * 6


class ShowsLate(MemoryChannel):
    """A network that takes a post without a word, and lists it only minutes later."""

    def __init__(self, times: Times, seconds: float) -> None:
        super().__init__(now=times.room.clock)
        self._times, self._seconds = times, seconds
        self._listed_at: float | None = None

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Take it."""
        super().publish(prepared, deadline)
        self._listed_at = self._listed_at or self._times.counted + self._seconds
        raise Uncertain("The answer got lost.")

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """Nothing yet, by the clock that only counts; then what it took."""
        listed = self._listed_at is not None and self._times.counted >= self._listed_at
        return super().find(message, since - timedelta(days=2)) if listed else []


@only_sqlite  # a database's clock that is off the machine's stops everything: see below
@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_is_set_makes_no_unknown_outcome_older_than_it_is(room: Room, jump: str) -> None:
    times = Times(room)
    delivery = room.approve_one()
    network = ShowsLate(times, seconds=240)
    room.channels[room.stage.accounts["rennes"]] = network
    room.clock.at = DUE
    times.tick()
    room.clock.at += JUMPS[jump]

    times.live(minutes=20)

    assert [message.text for message in network.shown.values()] == ["Portes ouvertes"]
    assert (room.state(delivery), room.outcomes(delivery)) == (S.SENT, ["unknown"])


@only_postgresql
@pytest.mark.parametrize("hours", [1, -1])
def test_a_machine_whose_clock_is_off_the_database_s_begins_nothing_and_says_so(room: Room, hours: int) -> None:
    # The hub goes by the database's clock, which is the room's here; the machine's is the real one.
    engine = room.engine
    assert isinstance(engine, Distributed)
    delivery = room.approve_one()
    off = timedelta(hours=hours)
    room.clock.at = datetime.now(UTC) - off
    engine._ticked()

    engine.hear()
    engine.worker.finish()

    assert room.delivery(delivery).attempts == 0
    assert engine.pulse().trouble == "clock: the clock of this machine is 3600 s off the database's"
    room.clock.at = datetime.now(UTC)
    engine._ticked()
    assert engine.pulse().trouble is None


# --- Typed times ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Typed:
    """A wall time as somebody typed it, and the instant that it means."""

    when: str
    zone: str
    means: str
    fold: Fold | None = None


def _everywhere(when: str) -> list[Typed]:
    moment = datetime.fromisoformat(when)
    return [
        Typed(when, zone, moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).isoformat()) for zone in ZONE_PLACES
    ]


TYPED: Final[dict[str, Sequence[Typed]]] = {
    "all fourteen zones, in winter": _everywhere("2027-01-15T18:00"),
    "all fourteen zones, in summer": _everywhere("2027-07-14T09:30"),
    "the turn of the year": [
        *_everywhere("2026-12-31T23:59"),
        *_everywhere("2027-01-01T00:00"),
        Typed("2027-01-01T00:00", "Pacific/Wallis", "2026-12-31T12:00+00:00"),
    ],
    "spring in Paris": [
        Typed("2027-03-28T01:59", "Europe/Paris", "2027-03-28T00:59+00:00"),
        Typed("2027-03-28T03:00", "Europe/Paris", "2027-03-28T01:00+00:00"),
        Typed("2027-03-28T18:00", "Europe/Paris", "2027-03-28T16:00+00:00"),
    ],
    "autumn in Paris": [
        Typed("2027-10-31T02:30", "Europe/Paris", "2027-10-31T00:30+00:00", Fold.EARLIER),
        Typed("2027-10-31T02:30", "Europe/Paris", "2027-10-31T01:30+00:00", Fold.LATER),
        Typed("2027-10-31T18:00", "Europe/Paris", "2027-10-31T17:00+00:00"),
    ],
    "spring in Miquelon": [
        Typed("2027-03-14T01:59", "America/Miquelon", "2027-03-14T04:59+00:00"),
        Typed("2027-03-14T03:00", "America/Miquelon", "2027-03-14T05:00+00:00"),
        # Two weeks lie between its change and that of Paris.
        Typed("2027-03-20T18:00", "America/Miquelon", "2027-03-20T20:00+00:00"),
    ],
    "autumn in Miquelon": [
        Typed("2027-11-07T01:30", "America/Miquelon", "2027-11-07T03:30+00:00", Fold.EARLIER),
        Typed("2027-11-07T01:30", "America/Miquelon", "2027-11-07T04:30+00:00", Fold.LATER),
    ],
}


@only_sqlite
@pytest.mark.parametrize("name", TYPED)
def test_what_was_typed_is_what_is_shown_and_when_it_goes_out(room: Room, name: str) -> None:
    typed = TYPED[name]
    made = [
        room.approve_one(
            f"N{place}", when=datetime.fromisoformat(one.when), zone=one.zone, accounts=("facebook:FR",),
            audience=("FR",), **({"fold": one.fold} if one.fold else {}),
        )
        for place, one in enumerate(typed)
    ]  # fmt: skip

    first = min(datetime.fromisoformat(one.means) for one in typed)
    last = max(datetime.fromisoformat(one.means) for one in typed)
    room.run_at(first - timedelta(seconds=1))
    early = room.shown("national")
    room.live_until(last)

    assert early == []
    assert Counter(room.shown("national")) == Counter(f"N{place}" for place in range(len(typed)))
    for delivery_id, one in zip(made, typed, strict=True):
        sent = room.delivery(delivery_id)
        (tried,) = room.attempts(delivery_id)
        assert sent.due_at == tried.started_at == datetime.fromisoformat(one.means)
        # What people are shown: the instant, as a clock in that zone tells it, is what was typed.
        assert sent.due_at.astimezone(ZoneInfo(one.zone)).replace(tzinfo=None) == datetime.fromisoformat(one.when)
        assert (datetime.fromisoformat(sent.wall_time), sent.zone) == (datetime.fromisoformat(one.when), one.zone)


@only_sqlite
@pytest.mark.parametrize(
    ("when", "zone", "field"),
    [
        ("2027-03-28T02:30", "Europe/Paris", "when"),
        ("2027-03-14T02:30", "America/Miquelon", "when"),
        ("2027-10-31T02:30", "Europe/Paris", "fold"),
        ("2027-11-07T01:30", "America/Miquelon", "fold"),
    ],
)
def test_an_hour_that_is_missing_is_refused_and_a_doubled_one_asked_about(
    room: Room, when: str, zone: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        room.approve_one(when=datetime.fromisoformat(when), zone=zone, accounts=("facebook:FR",), audience=("FR",))

    assert [problem.field for problem in refused.value.problems] == [field]


def test_local_time_is_each_territory_s_own(room: Room) -> None:
    made = room.approve(
        when=wall(3, 18), zone="local", accounts=("facebook:A-14", "facebook:A-32"), audience=("A-14", "A-32")
    )

    room.live_until(DUE + timedelta(hours=6))

    sent = {room.delivery(one).zone: room.attempts(one)[0].started_at for one in made}
    assert sent == {"Europe/Paris": DUE, "America/Guadeloupe": DUE + timedelta(hours=5)}
