"""Chance rules a world: one number decides who goes on, what fails, who dies, and what people do.

`python -m tests.schedules.simulation SEED` plays one seed again and prints all that happened. (FIRST LAST: many.)
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from hub.domain.account import AccountState
from hub.domain.delivery import DeliveryState, Patience
from tests.schedules.judge import Broken, due_tasks, next_moments
from tests.schedules.network import FAULTS_OF, Fault
from tests.schedules.scenery import DUE, LATE_NEWS, POSTS, Scenery, scenery
from tests.schedules.world import JOB, Process, Ruler, World, quiet

S = DeliveryState

STEPS: Final = (20, 120)
"""How much happens before faults stop."""


@dataclass
class Chance(Ruler):
    """What a seed decides. Each seed has its own kinds of trouble, and leaves others out: rare ones meet that way."""

    rng: random.Random = field(default_factory=random.Random)
    troubles: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    how_often: float = 0.0
    late: float = 0.0
    store: float = 0.0
    use: float = 0.0

    @classmethod
    def of(cls, rng: random.Random) -> Chance:
        """The troubles of a seed."""
        troubles = {}
        for call, known in FAULTS_OF.items():
            number = min(len(known), rng.choice((0, 1, 1, 2, 4)))
            troubles[call] = tuple(rng.sample(known, number))
        return cls(
            two_step=rng.random() < 0.3,
            refuses_repeats=rng.random() < 0.25,
            rng=rng,
            troubles=troubles,
            how_often=rng.choice((0.0, 0.2, 0.4, 0.7)),
            late=rng.choice((0.0, 0.3, 0.8)),
            store=rng.choice((0.0, 0.0, 0.0, 0.05)),
            use=rng.choice((0.0, 0.0, 0.1)),
        )

    def fault(self, call: str) -> Fault:
        """One of the troubles of this seed, or none."""
        known = self.troubles[call]
        return self.rng.choice(known) if known and self.rng.random() < self.how_often else Fault.NONE

    def store_fails(self) -> bool:
        """Now and then, in seeds with a full disk."""
        return self.store > 0 and self.rng.random() < self.store

    def lateness(self) -> timedelta:
        """Up to the very last moment at which it is looked for."""
        if self.rng.random() >= self.late:
            return timedelta(0)
        longest = Patience().sure_after.total_seconds()
        return timedelta(seconds=self.rng.choice((1, 20, longest - 1, longest, self.rng.uniform(0, longest))))

    def reset_after(self) -> timedelta | None:
        """Sometimes said, sometimes in the past (the network's clock is not ours)."""
        return self.rng.choice((None, timedelta(seconds=-5), timedelta(seconds=90), timedelta(minutes=10)))

    def use_is_up_for(self) -> timedelta | None:
        """Now and then, in seeds with a busy account."""
        return timedelta(minutes=4) if self.rng.random() < self.use else None

    def jitter(self) -> float:
        """In 0..1."""
        return self.rng.random()


class Simulation:
    """One seed, from the first knock to the last judgement."""

    def __init__(self, stage: Scenery, seed: int) -> None:
        self.seed = seed
        self.random = rng = random.Random(seed)
        self.alone = rng.random() < 0.35
        """One process at a time, whose lock proves that the others are dead; else two that know nothing of it."""
        self.posts = sorted(rng.sample(sorted(POSTS), rng.choice((1, 1, 2, 2, 3))))
        self.deaths = rng.choice((0.0, 0.5, 2.0))
        self.freezes = rng.choice((0.0, 0.5, 2.0))
        self.hangs = rng.choice((0.0, 0.5, 2.0))
        self.deeds = rng.choice((0.0, 0.5, 2.0))
        self.pace = rng.choice((0.5, 2.0, 5.0))
        begins = DUE + timedelta(seconds=rng.choice((-60, -1, 0, 0, 120)))
        self.world = World(stage, Chance.of(rng), posts=self.posts, at=begins)
        self.world.note(f"seed {seed}: {', '.join(self.posts)}; {'one worker' if self.alone else 'two workers'}")

    def run(self) -> None:
        """Let things happen, then let them settle; Broken when a promise was not kept."""
        try:
            for _number in range(1 if self.alone else 2):
                self.world.start()
            for _step in range(self.random.randint(*STEPS)):
                self._step()
            self._mend()
            nap = timedelta(seconds=self.random.choice((0, 60, 450, 900)))
            self.world.settle(next_of=self.random.choice, nap=nap)
        finally:
            self.world.close()

    def _step(self) -> None:
        world, rng = self.world, self.random
        runnable = world.runnable()
        running = [process for process in world.processes.values() if process.runs]
        ways = {
            "resume": 10.0 if runnable else 0.0,
            "knock": 4.0 if running else 0.0,
            "time": self.pace if runnable else self.pace + 3,
            "deed": self.deeds / 2,
            "freeze": self.freezes / 5 if running else 0.0,
            "sleep": self.hangs / 3 if runnable else 0.0,
            "thaw": 1.0 if len(running) < len([one for one in world.processes.values() if one.alive]) else 0.0,
            "kill": self.deaths / 5,
            "start": 2.0 if self._too_few() else 0.0,
        }
        (way,) = rng.choices(list(ways), weights=list(ways.values()))
        match way:
            case "resume":
                world.resume(rng.choice(runnable))
            case "knock":
                self._knock(rng.choice(running))
            case "time":
                self._time()
            case "deed":
                self._deed()
            case "freeze":
                world.freeze(rng.choice(running))
                if rng.random() < 0.6:
                    # Past a lease while it stands still: what it held is taken over, and then it wakes up.
                    world.forward(timedelta(seconds=rng.choice((121, 240, 301))))
            case "sleep":
                calling = [strand for strand in runnable if strand.where.startswith(("publish", "find"))]
                world.sleep(rng.choice(calling or runnable), timedelta(seconds=rng.choice((50, 121, 450, 500, 900))))
            case "thaw":
                world.thaw(rng.choice([one for one in world.processes.values() if one.alive and one.frozen]))
            case "kill":
                if alive := [one for one in world.processes.values() if one.alive]:
                    world.kill(rng.choice(alive))
            case "start":
                world.start(others_are_dead=self.alone)

    def _too_few(self) -> bool:
        alive = sum(process.alive for process in self.world.processes.values())
        return alive < (1 if self.alone else 2)

    def _knock(self, process: Process) -> None:
        due = sorted(due_tasks(self.world.judge.rows, self.world.at))
        task = self.random.choice(due) if due and self.random.random() < 0.85 else self.random.choice(list(JOB))
        self.world.knock(process, task)

    def _time(self) -> None:
        """A little, to the next thing that is due, or beyond a deadline or a lease."""
        world, rng = self.world, self.random
        ahead = next_moments(world.judge.rows, world.at)
        if ahead and rng.random() < 0.5:
            world.forward(rng.choice(ahead[:2]) - world.at)
        else:
            seconds = rng.choice((0.2, 1, 1, 5, 16, 44, 46, 61, 119, 121, 301))
            world.forward(timedelta(seconds=seconds * (20 if rng.random() < 0.01 else 1)))

    def _deed(self) -> None:
        world, rng = self.world, self.random
        rows = list(world.judge.rows.values())
        open_ones = [row.id for row in rows if row.state in {S.REVIEW, S.FAILED}]
        sent = [row.id for row in rows if row.state is S.SENT]
        stopped = [one.id for one in world.accounts() if one.state is not AccountState.ACTIVE and one.id]
        deeds: list[Callable[[], bool]] = [
            partial(world.withdraw, rng.choice(self.posts)),
            world.hold,
            world.release,
            world.release,
        ]
        if LATE_NEWS in self.posts:
            deeds.append(partial(world.approve, LATE_NEWS))
        if rows:
            deeds.append(partial(world.pause_account, rng.choice(rows).account_id))
        deeds += [partial(world.resume_account, number) for number in stopped] * 3
        deeds += [partial(world.resolve, number, send=rng.random() < 0.7) for number in open_ones] * 3
        deeds += [partial(world.take_down, number) for number in sent[:1]]
        rng.choice(deeds)()

    def _mend(self) -> None:
        """People let most accounts go on; some stay as they are, and what waits for them may wait."""
        for account in self.world.accounts():
            if account.state is not AccountState.ACTIVE and account.id and self.random.random() < 0.7:
                self.world.resume_account(account.id)


def simulate(stage: Scenery, seeds: Iterable[int]) -> Counter[tuple[DeliveryState, DeliveryState]]:
    """Play these seeds; the first that breaks a promise is told with the command that plays it again.

    Return how often deliveries went from where to where.
    """
    moves: Counter[tuple[DeliveryState, DeliveryState]] = Counter()
    with quiet():
        for seed in seeds:
            one = Simulation(stage, seed)
            try:
                one.run()
            except Exception as error:
                tail = "\n".join(one.world.trace[-30:])
                again = f"python -m tests.schedules.simulation {seed}"
                raise Broken(f"seed {seed}: {error}\nThe whole of it: {again}\nThe end of it:\n{tail}") from error
            moves += one.world.judge.moves
    return moves


def main(arguments: list[str]) -> int:
    """Play one seed and tell all of it; or, given two, all those from the first up to the last."""
    first, last = int(arguments[0]), int(arguments[-1])
    broken = 0
    with scenery() as stage, quiet():
        began = time.perf_counter()
        for seed in range(first, last + 1):
            one = Simulation(stage, seed)
            try:
                one.run()
                verdict = "every promise was kept"
            except Exception as error:
                broken += 1
                verdict = f"{type(error).__name__}: {error}"
                if first != last:
                    print(f"seed {seed}: {verdict}", flush=True)
            if first == last:
                print("\n".join([*one.world.trace, verdict]))
        if first != last:
            took = time.perf_counter() - began
            print(f"{last - first + 1} seeds, {broken} broken, {took:.1f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
