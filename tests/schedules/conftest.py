"""A hub whose clock we move, the real engine on it, and channels that remember."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from channels import Channel, Deadline, Prepared, Receipt
from channels.memory import MemoryChannel
from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Attempt, Delivery, DeliveryState
from hub.domain.post import Kind, Post
from hub.services import approving, connecting, delivering, drafting, geotargeting, holding
from hub.services.drafting import Draft
from schedules import runner
from schedules.engine import Engine as Publisher
from tests.stage import NOON, Clock, Stage, build_stage

DUE = datetime(2026, 11, 3, 17, tzinfo=UTC)
"""Tomorrow at six in the evening, in Paris: when posts are due unless told otherwise."""


def wall(day: int, hour: int, minute: int = 0) -> datetime:
    """A wall time in that November, in whatever zone is meant."""
    return datetime(2026, 11, day, hour, minute)  # noqa: DTZ001


@dataclass
class Room:
    """Where time knocks: what tests do to it, and what they see."""

    stage: Stage
    clock: Clock
    engine: Publisher
    channels: dict[int, Channel] = field(default_factory=dict)
    """Channels that stand in for the stage's own, by account."""

    @property
    def hub(self) -> Any:
        return self.engine.hub

    def channel(self, name: str = "rennes") -> MemoryChannel:
        """What stands for the network of an account."""
        return self.stage.channel(name)

    def shown(self, name: str = "rennes") -> list[str]:
        """The texts that people can see on an account, oldest first."""
        return [message.text for message in self.channel(name).shown.values()]

    def approve(
        self,
        text: str = "Portes ouvertes",
        *,
        when: datetime | None = None,
        accounts: tuple[str, ...] = ("facebook:A-14",),
        audience: tuple[str, ...] = ("A-14",),
        **more: Any,
    ) -> list[int]:
        """Write, hand in and approve a post; the ids of its deliveries."""
        stage, hub, at = self.stage, self.hub, self.clock()
        typed = Draft(
            kind=Kind.NEWS, text=text, when=when or wall(3, 18), accounts=[*accounts], audience=[*audience], **more
        )
        with writing(hub.engine) as session:
            post = drafting.draft(
                session, typed, by=stage.people["coordinator"], at=at, terms=hub.terms, rules=hub.rules
            )
            assert post.id is not None
            drafting.submit(
                session,
                post.id,
                by=stage.people["coordinator"],
                at=at,
                terms=hub.terms,
                rules=hub.rules,
                confirm_repeats=True,
            )
            planned = geotargeting.plan(session, post, terms=hub.terms, rules=hub.rules, at=at)
            made = approving.approve(
                session,
                post.id,
                by=stage.people["deputy"],
                at=at,
                terms=hub.terms,
                rules=hub.rules,
                seen=approving.fingerprint_of(session, post, planned),
            )
            return [one.id for one in made if one.id is not None]

    def approve_one(self, text: str = "Portes ouvertes", **more: Any) -> int:
        """The same, for a post with one delivery."""
        (made,) = self.approve(text, **more)
        return made

    def run_at(self, moment: datetime) -> int:
        """Put the clock there, and do all that is due."""
        self.clock.at = moment
        return self.engine.run_due()

    def run_after(self, **span: float) -> int:
        """Put the clock forward, and do all that is due."""
        return self.run_at(self.clock() + timedelta(**span))

    def live_until(self, moment: datetime) -> None:
        """Go from one thing that is due to the next, until a moment."""
        self.run_at(self.clock())
        while True:
            following = self.engine.agenda().next_at
            self.run_at(min(following, moment) if following else moment)
            if self.clock() >= moment:
                return

    # --- looking ---

    def delivery(self, delivery_id: int) -> Delivery:
        """A delivery as it stands."""
        with reading(self.hub.engine) as session:
            found = session.get(Delivery, delivery_id)
            assert found is not None
            return found

    def state(self, delivery_id: int) -> DeliveryState:
        """Where a delivery stands."""
        return self.delivery(delivery_id).state

    def attempts(self, delivery_id: int) -> list[Attempt]:
        """Its tries, oldest first."""
        with reading(self.hub.engine) as session:
            return list(
                session.exec(select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.n)))
            )

    def outcomes(self, delivery_id: int) -> list[str | None]:
        """What its tries came to."""
        return [attempt.outcome for attempt in self.attempts(delivery_id)]

    def account(self, name: str = "rennes") -> Account:
        """An account as it stands."""
        with reading(self.hub.engine) as session:
            return connecting.get_account(session, self.stage.accounts[name])

    def audit(self, action: str) -> list[AuditEntry]:
        """What was noted under a name."""
        with reading(self.hub.engine) as session:
            return list(session.exec(select(AuditEntry).where(AuditEntry.action == action)))

    def post_of(self, delivery_id: int) -> Post:
        """The post of a delivery."""
        with reading(self.hub.engine) as session:
            found = session.get(Post, self.delivery(delivery_id).post_id)
            assert found is not None
            return found

    # --- people's part ---

    def withdraw(self, delivery_id: int) -> None:
        """Its author takes the post back."""
        post = self.post_of(delivery_id)
        assert post.id is not None
        with writing(self.hub.engine) as session:
            drafting.withdraw(session, post.id, by=self.stage.people["coordinator"], at=self.clock())

    def resume(self, name: str = "rennes") -> connecting.Released:
        """A check finds an account well again, and a person lets it go on."""
        account_id = self.stage.accounts[name]
        connecting.check_account(self.hub, account_id, by="operator")
        with writing(self.hub.engine) as session:
            return connecting.resume(session, account_id, by="operator", at=self.clock())

    def hold(self) -> None:
        """Stop everything."""
        with writing(self.hub.engine) as session:
            holding.hold(session, reason="Panne", by="operator", at=self.clock())

    def release(self) -> None:
        """Let everything go on."""
        with writing(self.hub.engine) as session:
            holding.release(session, by="operator", at=self.clock())


def held(room: Room, *, opened: bool) -> int:
    """A delivery that a worker which is dead by now had claimed, and perhaps begun to send."""
    delivery = room.approve_one()
    room.clock.at = DUE
    with writing(room.hub.engine) as session:
        (claim,) = delivering.claim(session, at=DUE, owner="dead", patience=room.hub.patience)
    if opened:
        with writing(room.hub.engine) as session:
            delivering.open_attempt(session, claim, at=DUE, patience=room.hub.patience)
    return delivery


class Held(MemoryChannel):
    """A network that takes its time: until it is let go."""

    def __init__(self, room: Room) -> None:
        super().__init__(now=room.clock)
        self.reached, self.go = threading.Event(), threading.Event()

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Show it once it is let go."""
        self.reached.set()
        assert self.go.wait(20)
        return super().publish(prepared, deadline)


@pytest.fixture
def network(room: Room) -> Iterator[Held]:
    """The page of Rennes, slow."""
    slow = Held(room)
    room.channels[room.stage.accounts["rennes"]] = slow
    yield slow
    slow.go.set()


only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Both: the engine of one machine, and that of many."""
    return str(request.param)


@pytest.fixture
def room(engine: Engine, tmp_path: Path) -> Iterator[Room]:
    """A Monday noon; nothing is due yet."""
    stage = build_stage(engine, tmp_path)
    replaced: dict[int, Channel] = {}
    hub = replace(
        stage.hub,
        channel_for=lambda account: replaced.get(account.id or 0) or stage.channels[account.id or 0],
        jitter=lambda: 1.0,
    )
    one = Room(stage, stage.clock, runner.build(hub), replaced)
    assert one.clock() == NOON
    yield one
    one.engine.stop()
