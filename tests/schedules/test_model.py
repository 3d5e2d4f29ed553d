"""A post from its first word to the network and back, in any order of steps: the same promises, smaller failures.

Hypothesis chooses the steps, and shrinks what breaks a promise to the few that matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hub.domain.account import AccountState
from hub.domain.delivery import DeliveryState, Patience
from hub.services import approving
from tests.schedules.network import FAULTS_OF, Fault
from tests.schedules.scenery import DUE, Scenery, scenery, typed, write
from tests.schedules.world import JOB, Process, Ruler, World, quiet
from tests.sizes import size

S = DeliveryState
TEXTS = ("Portes ouvertes", "Remise  des prix", "Remise des prix")
PLACES = (
    {"accounts": ["facebook:A-14"]},
    {"accounts": ["facebook:FR"]},
    {"accounts": ["facebook:A-14", "facebook:FR"]},
    {"accounts": ["x:FR"], "audience": ["FR"]},
)
"""A page of its own, a gated post on the national one, both at once, X."""

LATEST = Patience().sure_after.total_seconds()
ASKED = ("prepare", "publish", "find", "remove")
FAULTS = tuple((call, fault) for call in ASKED for fault in FAULTS_OF[call])


class Planned(Ruler):
    """The next call of a name goes as an example says; all others go well."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, deque[Fault]] = {call: deque() for call in FAULTS_OF}
        self.late: deque[float] = deque()

    def fault(self, call: str) -> Fault:
        """What was planned for this call."""
        return self.faults[call].popleft() if self.faults[call] else Fault.NONE

    def lateness(self) -> timedelta:
        """What was planned for this post."""
        return timedelta(seconds=self.late.popleft() if self.late else 0)


class Publishing(RuleBasedStateMachine):
    """Two workers, one network, and people who write, approve, withdraw and decide."""

    def __init__(self, stage: Scenery) -> None:
        super().__init__()
        self.stage = stage
        self.ruler = Planned()
        self.world = World(stage, self.ruler, posts=[], at=DUE)
        self.world.start()
        self.world.start()
        self.written: list[int] = []

    # --- people write ---

    @precondition(lambda self: len(self.written) < 4)
    @rule(text=st.sampled_from(TEXTS), place=st.sampled_from(PLACES), minutes=st.sampled_from([1, 2, 9]))
    def a_post_is_handed_in(self, text: str, place: dict[str, list[str]], minutes: int) -> None:
        world = self.world
        after = int((world.at - DUE) / timedelta(minutes=1)) + minutes
        author, name = self.stage.people["coordinator"], f"post {len(self.written)}"

        def deed(session):
            number = write(session, world.hub, typed(text, minute=after, **place), by=author, at=world.at)
            world.post_ids[name] = number
            self.written.append(number)

        world.people(f"write {name}", deed)

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 3))
    def a_post_is_approved(self, which: int) -> None:
        self.world.approve(self._name(which))

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 3))
    def a_post_is_returned(self, which: int) -> None:
        number, by = self.written[which % len(self.written)], self.stage.people["deputy"]
        self.world.people(
            "return",
            lambda session: approving.give_back(session, number, by=by, at=self.world.at, reason="À revoir"),
        )

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 3))
    def a_post_is_withdrawn(self, which: int) -> None:
        self.world.withdraw(self._name(which))

    # --- the clock, and what goes wrong ---

    @rule(seconds=st.sampled_from([1, 16, 46, 61, 121, 301]))
    def time_passes(self, seconds: int) -> None:
        self.world.forward(timedelta(seconds=seconds))

    @rule(which=st.integers(0, 1))
    def a_worker_does_what_is_due(self, which: int) -> None:
        process = self._process(which)
        for task in sorted(self.world.agenda().due & JOB.keys()):
            self.world.knock(process, task)
            for _time in range(60):
                if not process.strands:
                    break
                self.world.resume(process.strands[0])

    @rule(which=st.integers(0, 1), task=st.sampled_from(sorted(JOB)), steps=st.integers(1, 9))
    def a_worker_begins(self, which: int, task: str, steps: int) -> None:
        """And stands still somewhere on the way."""
        process = self._process(which)
        self.world.knock(process, task)
        self._go_on(process, steps)

    @rule(which=st.integers(0, 1), steps=st.integers(1, 9))
    def a_worker_goes_on(self, which: int, steps: int) -> None:
        self._go_on(self._process(which), steps)

    @rule(which=st.integers(0, 1))
    def a_worker_dies_and_another_starts(self, which: int) -> None:
        self.world.kill(self._process(which))
        self.world.start()

    @rule()
    def all_die_and_the_next_one_knows_it(self) -> None:
        for process in self._alive():
            self.world.kill(process)
        process = self.world.start(others_are_dead=True)
        self.world.resume(process.strands[0])
        self.world.start()

    @rule(planned=st.sampled_from(FAULTS), again=st.integers(1, 2))
    def a_call_will_go_wrong(self, planned: tuple[str, Fault], again: int) -> None:
        call, fault = planned
        self.ruler.faults[call].extend([fault] * again)

    @rule(late=st.sampled_from([1.0, 60.0, LATEST - 1, LATEST]))
    def a_post_will_be_shown_late(self, late: float) -> None:
        self.ruler.late.append(late)

    # --- people look after it ---

    @rule(stop=st.booleans())
    def everything_is_stopped_or_released(self, stop: bool) -> None:
        if stop:
            self.world.hold()
        else:
            self.world.release()

    @precondition(lambda self: self._open())
    @rule(which=st.integers(0, 7), send=st.booleans())
    def a_person_decides(self, which: int, send: bool) -> None:
        waiting = self._open()
        self.world.resolve(waiting[which % len(waiting)], send=send)

    @precondition(lambda self: self._in(S.SENT))
    @rule(which=st.integers(0, 7))
    def a_post_shall_be_taken_down(self, which: int) -> None:
        sent = self._in(S.SENT)
        self.world.take_down(sent[which % len(sent)])

    @rule()
    def accounts_go_on(self) -> None:
        for account in self.world.accounts():
            if account.state is not AccountState.ACTIVE and account.id is not None:
                self.world.resume_account(account.id)

    # --- what holds ---

    @invariant()
    def at_most_one_post_of_a_delivery_was_ever_made(self) -> None:
        keys = [post.key for post in self.world.truth.posts.values()]

        assert sorted(keys) == sorted(set(keys))

    @invariant()
    def each_post_is_linked_or_somebody_is_after_it(self) -> None:
        for post in self.world.truth.posts.values():
            row = self.world.judge.by_key[post.key]
            assert row.remote_id == post.remote_id or row.state in {S.SENDING, S.UNKNOWN, S.REVIEW}

    def teardown(self) -> None:
        """Once nothing fails any more, everything is settled within an hour; the judge sees to it."""
        try:
            self.accounts_go_on()
            self.world.settle()
        finally:
            self.world.close()

    # --- small things ---

    def _name(self, which: int) -> str:
        return f"post {which % len(self.written)}"

    def _alive(self) -> list[Process]:
        return [process for process in self.world.processes.values() if process.alive]

    def _process(self, which: int) -> Process:
        return self._alive()[which]

    def _go_on(self, process: Process, steps: int) -> None:
        for _step in range(steps):
            if process.strands:
                self.world.resume(process.strands[0])

    def _in(self, *states: DeliveryState) -> list[int]:
        return [row.id for row in self.world.judge.rows.values() if row.state in states]

    def _open(self) -> list[int]:
        return self._in(S.REVIEW, S.FAILED)


@pytest.fixture(scope="module")
def stage() -> Iterator[Scenery]:
    """The prepared country, once for all examples."""
    with scenery() as made:
        yield made


@pytest.mark.proof
def test_whatever_the_order_of_steps_a_delivery_goes_out_once_or_is_told_to_people(stage: Scenery) -> None:
    sized = settings(
        max_examples=size(ci=200, long=5_000),
        stateful_step_count=size(ci=40, long=60),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    with quiet():
        run_state_machine_as_test(lambda: Publishing(stage), settings=sized)
