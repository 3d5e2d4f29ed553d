"""A stage to play on: a hub with people of every role, accounts of every network, and a clock that we move."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import select

from channels import ChannelError, Deadline, Network
from channels.memory import MemoryChannel, MemoryRules
from hub import passwords
from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.gate import SANDBOX_SOURCE, GeoKey, KeyKind
from hub.domain.person import Actor, RoleKind
from hub.services import connecting, delivering, joining
from hub.settings import Settings
from hub.wiring import Hub, wire

NOON = datetime(2026, 11, 2, 11, tzinfo=UTC)
"""A Monday, noon in Paris."""

PASSWORD = "quatre mots sans lien"

PEOPLE: dict[str, tuple[RoleKind, str]] = {
    "animator": (RoleKind.ANIMATOR, "A-14"),
    "colleague": (RoleKind.ANIMATOR, "A-14"),
    "stranger": (RoleKind.ANIMATOR, "A-32"),
    "coordinator": (RoleKind.COORDINATOR, "FR"),
    "deputy": (RoleKind.COORDINATOR, "FR"),
    "analyst": (RoleKind.ANALYST, "FR"),
    "administrator": (RoleKind.ADMINISTRATOR, "FR"),
}
"""Who plays which role where; A-14 is Rennes, A-32 is Guadeloupe."""

ACCOUNTS: dict[str, tuple[AccountNetwork, str]] = {
    "national": (AccountNetwork.FACEBOOK, "FR"),
    "rennes": (AccountNetwork.FACEBOOK, "A-14"),
    "elsewhere": (AccountNetwork.FACEBOOK, "A-32"),
    "x": (AccountNetwork.X, "FR"),
}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """This moment."""
        return self.at

    def forward(self, **span: float) -> datetime:
        """Move on by so much."""
        self.at += timedelta(**span)
        return self.at


@dataclass
class Stage:
    """A hub with everything on it: people, their tokens, accounts by short name."""

    hub: Hub
    clock: Clock
    people: dict[str, Actor] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    channels: dict[int, MemoryChannel] = field(default_factory=dict)

    def channel(self, name: str) -> MemoryChannel:
        """The channel of an account."""
        return self.channels[self.accounts[name]]

    def run_due(self) -> int:
        """Let everything that is due go out through the memory channels; return how many were tried."""
        hub = self.hub
        with writing(hub.engine) as session:
            claims = delivering.claim(session, at=hub.now(), owner="stage", patience=hub.patience)
        for claim in claims:
            with writing(hub.engine) as session:
                work = delivering.open_attempt(session, claim, at=hub.now(), patience=hub.patience)
            if work is None:
                continue
            with writing(hub.engine) as session:
                outcome = delivering.outcome_of(self._said(work), hub.patience, at=hub.now())
                delivering.record(session, work, outcome, at=hub.now(), patience=hub.patience, jitter=0.5)
        return len(claims)

    def _said(self, work: delivering.Work) -> Any:
        channel = self.channels[work.account.id or 0]
        try:
            prepared = channel.prepare(work.message)
            with writing(self.hub.engine) as session:
                delivering.note_prepared(session, work, draft_id=prepared.draft_id)
            return channel.publish(prepared, Deadline.after(30))
        except ChannelError as error:
            return error


def build_stage(engine: Engine, home: Path, **settings: Any) -> Stage:
    """People with roles and tokens, a page for the country and two académies, an X account, reviewed keys for Rennes.

    The portal account is in the template database already. Everybody's password is PASSWORD.
    """
    clock = Clock()
    given = {"home": home, "facebook_api_url": "http://127.0.0.1:9", "x_api_url": "http://127.0.0.1:9", **settings}
    wired = wire(Settings(**given), now=clock, engine=engine)
    stage = Stage(replace(wired, channel_for=lambda account: stage.channels[account.id or 0]), clock)
    with writing(engine) as session:
        for name, (kind, territory) in PEOPLE.items():
            person = joining.add_person(
                session,
                email=f"{name}@example.org",
                name=name.capitalize(),
                at=clock(),
                by="operator",
                password_hash=_known_hash(),
            )
            assert person.id is not None
            joining.give_role(session, person.id, kind, territory, by="operator", at=clock())
            stage.people[name] = joining.actor_for(session, person.id)
            stage.tokens[name] = joining.make_token(session, person.id, "tests", by="operator", at=clock())
        for number, (name, (network, territory)) in enumerate(ACCOUNTS.items(), start=1):
            account = connecting.add_account(
                session,
                _NoVault(),  # type: ignore[arg-type]
                network=network,
                name=f"Page {name}",
                remote_id=str(1000 + number),
                handle=name if network is AccountNetwork.X else None,
                territory_code=territory,
                secret=dict.fromkeys(connecting.SECRET_NAMES[network], "a-secret-key"),
                options={},
                by="operator",
                at=clock(),
            )
            assert account.id is not None
            stage.accounts[name] = account.id
        _add_keys(engine, session, clock())
    with reading(engine) as session:
        for account in session.exec(select(Account)).all():
            assert account.id is not None
            if account.network is AccountNetwork.PORTAL:
                stage.accounts["portal"] = account.id
            rules = MemoryRules(network=Network(account.network), can_gate=account.network is not AccountNetwork.X)
            stage.channels[account.id] = MemoryChannel(rules, now=clock)
    return stage


class _NoVault:
    """Secrets on this stage open nothing, so nothing is sealed."""

    def seal(self, account_id: int, secret: dict[str, str]) -> str:
        return "sealed"


def _add_keys(engine: Engine, session: Any, at: datetime) -> None:
    for code, key in (("A-14", "4001"), ("D-35", "4002")):
        session.add(
            GeoKey(
                network=AccountNetwork.FACEBOOK,
                territory_code=code,
                kind=KeyKind.REGION,
                key=key,
                covers=[code],
                source=SANDBOX_SOURCE,
                imported_at=at,
                reviewed_at=at,
                reviewed_by="operator",
            )
        )


@cache
def _known_hash() -> str:
    return passwords.hashed(PASSWORD)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of this machine; the address is good at once, for the socket listens."""
    # Named as TCP: asyncio turns off Nagle's waiting (40 ms per answer) only for sockets that say so.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
