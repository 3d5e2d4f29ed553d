"""A post from its first word to the network and back, in any order of steps: the same promises, smaller failures.

Hypothesis chooses the steps, and shrinks what breaks a promise to the few that matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.domain.account import AccountState
from hub.domain.delivery import DeliveryState, Patience
from hub.services import approving
from tests.schedules.judge import next_moments
from tests.schedules.network import FAULTS_OF, Fault
from tests.schedules.scenery import DUE, POSTS, Scenery, scenery, typed, write
from tests.schedules.world import JOB, Process, Ruler, World, quiet
from tests.sizes import size

S = DeliveryState
MOST = 4
"""Posts in one example."""

TEXTS = ("Portes ouvertes", "Remise  des prix", "Remise des prix")
PLACES = (
    {"accounts": ["facebook:A-14"]},
    {"accounts": ["facebook:FR"]},
    {"accounts": ["facebook:A-14", "facebook:FR"]},
    {"accounts": ["x:FR"], "audience": ["FR"]},
)
"""A page of its own, a gated post on the national one, both at once, X."""

LATEST = Patience().sure_after.total_seconds()
LATE = st.sampled_from([0.0, 0.0, 60.0, LATEST - 1, LATEST])
WAIT = st.sampled_from([None, None, 0, 46, 121, 301])
FAULTS = st.fixed_dictionaries(
    {
        "publish": st.sampled_from((Fault.DONE, Fault.NONE, Fault.NOTHING_DONE, *FAULTS_OF["publish"])),
        "find": st.sampled_from((Fault.NONE, Fault.NONE, Fault.NONE, *FAULTS_OF["find"])),
    },
    optional={call: st.sampled_from(FAULTS_OF[call]) for call in ("prepare", "remove")},
)


class Planned(Ruler):
    """The next call of a name goes as an example says; all others go well."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, Fault] = {}
        self.late = 0.0

    def fault(self, call: str) -> Fault:
        """What was planned for this call."""
        return self.faults.pop(call, Fault.NONE)

    def lateness(self) -> timedelta:
        """What was planned for this post."""
        return timedelta(seconds=self.late)


class Publishing(RuleBasedStateMachine):
    """Two workers, one network, and people who write, approve, withdraw and decide."""

    def __init__(self, stage: Scenery, moves: Counter[tuple[DeliveryState, DeliveryState]]) -> None:
        super().__init__()
        self.stage, self.moves = stage, moves
        self.ruler = Planned()
        self.world: World
        self.written: dict[str, int] = {}

    @initialize(
        names=st.lists(st.sampled_from(sorted(POSTS)), min_size=1, max_size=3, unique=True), two_step=st.booleans()
    )
    def some_posts_are_approved_already(self, names: list[str], two_step: bool) -> None:
        self.ruler.two_step = two_step
        self.world = World(self.stage, self.ruler, posts=names, at=DUE)
        self.written = {name: self.stage.posts[name] for name in names}
        self.world.start()
        self.world.start()

    # --- people write ---

    @precondition(lambda self: len(self.written) < MOST)
    @rule(
        text=st.sampled_from(TEXTS), place=st.sampled_from(PLACES), minutes=st.sampled_from([1, 9]), yes=st.booleans()
    )
    def a_post_is_handed_in(self, text: str, place: dict[str, list[str]], minutes: int, yes: bool) -> None:
        world = self.world
        after = int((world.at - DUE) / timedelta(minutes=1)) + minutes
        author, name = self.stage.people["coordinator"], f"post {len(self.written)}"

        def deed(session):
            number = write(session, world.hub, typed(text, minute=after, **place), by=author, at=world.at)
            world.post_ids[name] = number
            self.written[name] = number

        if world.people(f"write {name}", deed) and yes:
            world.approve(name)

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 3))
    def a_post_is_approved(self, which: int) -> None:
        self.world.approve(self._name(which))

    @precondition(lambda self: self.written)
    @rule(which=st.integers(0, 3), by_its_author=st.booleans())
    def a_post_is_taken_back(self, which: int, by_its_author: bool) -> None:
        """Withdrawn by its author, or returned by who might have approved it."""
        name, deputy = self._name(which), self.stage.people["deputy"]
        if by_its_author:
            self.world.withdraw(name)
            return
        self.world.people(
            f"return {name}",
            lambda session: approving.give_back(
                session, self.written[name], by=deputy, at=self.world.at, reason="À revoir"
            ),
        )

    # --- the clock, and what goes wrong ---

    @rule(which=st.integers(0, 1), wait=WAIT, faults=FAULTS, late=LATE)
    def a_worker_does_what_is_due(self, which: int, wait: int | None, faults: dict[str, Fault], late: float) -> None:
        """To the end, though the first call of each kind may go wrong, and what it posts be shown late."""
        self._wait(wait)
        self._plan(faults, late)
        self._do_due(self._process(which), stops=90)

    @rule(which=st.integers(0, 1), wait=WAIT, late=LATE, stops=st.integers(2, 14), dies=st.booleans())
    def a_worker_stops_in_the_middle_of_what_is_due(
        self, which: int, wait: int | None, late: float, stops: int, dies: bool
    ) -> None:
        """It stands still from there on, or is dead."""
        process = self._process(which)
        self._wait(wait)
        self._plan({}, late)
        self._do_due(process, stops=stops)
        if dies:
            self.world.kill(process)
            self.world.start()

    @rule(which=st.integers(0, 1), wait=WAIT, steps=st.integers(1, 9))
    def a_worker_goes_on(self, which: int, wait: int | None, steps: int) -> None:
        """And finds how much the others did meanwhile."""
        self._wait(wait)
        self._go_on(self._process(which), steps)

    def _wait(self, seconds: int | None) -> None:
        """So long, or until the next thing is due."""
        ahead = next_moments(self.world.judge.rows, self.world.at)
        if seconds is not None:
            self.world.forward(timedelta(seconds=seconds))
        elif ahead:
            self.world.forward(ahead[0] - self.world.at)

    def _plan(self, faults: dict[str, Fault], late: float) -> None:
        self.ruler.late = late
        self.ruler.faults = dict(faults)

    def _do_due(self, process: Process, *, stops: int) -> None:
        for task in sorted(self.world.agenda().due & JOB.keys()):
            self.world.knock(process, task)
        self._go_on(process, stops)

    @rule()
    def all_die_and_the_next_one_knows_it(self) -> None:
        for process in self._alive():
            self.world.kill(process)
        process = self.world.start(others_are_dead=True)
        self.world.resume(process.strands[0])
        self.world.start()

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
        if not hasattr(self, "world"):
            return
        try:
            self.accounts_go_on()
            self.world.settle()
        finally:
            self.world.close()
            self.moves += self.world.judge.moves

    # --- small things ---

    def _name(self, which: int) -> str:
        return list(self.written)[which % len(self.written)]

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

    moves: Counter[tuple[DeliveryState, DeliveryState]] = Counter()

    with quiet():
        run_state_machine_as_test(lambda: Publishing(stage, moves), settings=sized)  # type: ignore[arg-type]

    assert {to for _from, to in moves} == set(DeliveryState), "every state was met"
    assert min(moves[S.UNKNOWN, S.SENT], moves[S.UNKNOWN, S.WAITING]) > 20, "and what was unknown came to both ends"
