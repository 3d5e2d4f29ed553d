"""A room whose networks are our own Facebook and X: what they keep is the truth that our rows are judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from channels.sandbox.faults import Fault
from channels.sandbox.server import Sandbox
from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.delivery import FINAL, Attempt, AttemptKind, Delivery, DeliveryState
from hub.domain.territory import Level, Territory
from hub.secrets import write_new_key
from hub.services import connecting
from hub.wiring import Hub, wire
from schedules import runner
from tests.schedules.conftest import Room
from tests.stage import NOON, Stage, build_stage

S = DeliveryState
PUBLISHING = r"/feed$|/\d+_\d+$|/2/tweets$"
"""Where posts are made and drafts are shown."""

EVERY_PLACE = ("facebook:FR", "facebook:A-14", "facebook:A-32", "x:FR")

Said = tuple[str, str | None, str]
"""Account on the network, id there, words."""


def public(sandbox: Sandbox) -> list[Said]:
    """Everything that people can see."""
    facebook = [(post["page_id"], post["id"], post["message"]) for post in sandbox.graph.visible_posts()]
    x = [(post["account_id"], post["id"], post["text"]) for post in sandbox.x.posts() if not post["deleted"]]
    return facebook + x


@dataclass(frozen=True)
class Verdict:
    """What the networks' own record says of our rows: all of it must be empty."""

    twice: list[Said]
    """Words that one account shows more often than we have deliveries of them."""
    unowned: list[Said]
    """Posts that no delivery knows of, nor a person has to decide about."""
    lost: list[int]
    """Deliveries that are said to be out and are not, or that are not settled."""
    unwritten: list[Said]
    """Posts without an attempt of ours that could have made them."""


CLEAN: Final = Verdict([], [], [], [])
"""Nothing was said twice, lost, or said without having been written down before."""


def judge(hub: Hub, sandbox: Sandbox) -> Verdict:
    """Compare what people can see with what we know."""
    shown = public(sandbox)
    with reading(hub.engine) as session:
        pages = {account.id: account.remote_id for account in connecting.list_accounts(session)}
        rows = list(session.exec(select(Delivery)))
        tried = set(session.exec(select(Attempt.delivery_id).where(Attempt.kind == AttemptKind.PUBLISH)))
    ours = Counter((pages[one.account_id], one.text) for one in rows)
    seen = Counter((page, text) for page, _id, text in shown)
    linked = {(pages[one.account_id], one.remote_id) for one in rows if one.state is S.SENT}
    to_decide = {(pages[one.account_id], one.text) for one in rows if one.state is S.REVIEW}
    begun = {(pages[one.account_id], one.text) for one in rows if one.id in tried}
    at_network = {(page, post) for page, post, _text in shown}
    return Verdict(
        twice=[said for said in shown if seen[said[0], said[2]] > ours[said[0], said[2]]],
        unowned=[one for one in shown if one[:2] not in linked and (one[0], one[2]) not in to_decide],
        lost=[
            one.id or 0
            for one in rows
            if one.state not in FINAL | {S.REVIEW}
            or (one.state is S.SENT and (pages[one.account_id], one.remote_id) not in at_network)
        ],
        unwritten=[one for one in shown if (one[0], one[2]) not in begun],
    )


@dataclass
class Road(Room):
    """A room whose networks are the sandbox's; both share one clock."""

    sandbox: Sandbox = None  # type: ignore[assignment]
    tokens: dict[str, str] = field(default_factory=dict)

    def run_at(self, moment: datetime) -> int:
        """Put both clocks there, and do all that is due."""
        self.sandbox.clock.set(moment)
        return super().run_at(moment)

    def play(self, *faults: Fault) -> None:
        """Misbehave."""
        self.sandbox.faults.add(*faults)

    def public(self) -> list[Said]:
        """Everything that people can see: account, id, words."""
        return public(self.sandbox)

    def linked(self) -> list[Said]:
        """The same as we know it, of every delivery there is."""
        with reading(self.hub.engine) as session:
            accounts = {account.id: account.remote_id for account in connecting.list_accounts(session)}
            return [(accounts[one.account_id], one.remote_id, one.text) for one in session.exec(select(Delivery)).all()]

    def deliveries(self) -> list[Delivery]:
        """All there are, in order."""
        with reading(self.hub.engine) as session:
            return list(session.exec(select(Delivery).order_by(col(Delivery.id))))

    def verdict(self) -> Verdict:
        """What the networks say to our rows."""
        return judge(self.hub, self.sandbox)


@contextmanager
def open_road(
    engine: Engine, home: Path, *, pages: int = 0, store: Path | None = None, **settings: Any
) -> Iterator[Road]:
    """A Monday noon; nothing is due yet. `pages`: how many académies have a page besides the stage's two."""
    with Sandbox(store=store) as sandbox:
        sandbox.clock.set(NOON)
        write_new_key(home / "relais.key")
        given = {"read_timeout": 0.4, "call_deadline": 5, **settings}
        stage = build_stage(engine, home, facebook_api_url=sandbox.url, x_api_url=sandbox.url, **given)
        sandbox.graph.add_places(
            [{"key": key, "name": key, "type": "region", "country_code": "FR"} for key in ("4001", "4002")]
        )
        tokens = connect(stage, sandbox)
        _add_pages(stage, sandbox, pages)
        hub = replace(wire(stage.hub.settings, now=stage.clock, engine=engine), jitter=lambda: 1.0)
        one = Road(stage, stage.clock, runner.build(hub), {}, sandbox, tokens)
        try:
            yield one
        finally:
            one.engine.stop()


def connect(stage: Stage, sandbox: Sandbox) -> dict[str, str]:
    """Give every account keys that open the sandbox."""
    tokens = {}
    with writing(stage.hub.engine) as session:
        for name in ("national", "rennes", "elsewhere"):
            page = connecting.get_account(session, stage.accounts[name])
            tokens[name] = sandbox.graph.create_page(page.remote_id, page.name, followers=900)
            secret = {"token": tokens[name]}
            connecting.renew_secret(session, stage.hub.vault, page.id or 0, secret, by="operator", at=NOON)
        made = sandbox.x.create_account("seconde_chance", name="Ma seconde chance", credits_left="5000")
        account = connecting.get_account(session, stage.accounts["x"])
        account.remote_id, account.handle = made["id"], "seconde_chance"
        keys = {key: made[key] for key in connecting.SECRET_NAMES[account.network]}
        connecting.renew_secret(session, stage.hub.vault, account.id or 0, keys, by="operator", at=NOON)
    return tokens


def _add_pages(stage: Stage, sandbox: Sandbox, number: int) -> None:
    with writing(stage.hub.engine) as session:
        for place, code in enumerate(other_academies(session)[:number]):
            remote_id = str(2000 + place)
            account = connecting.add_account(
                session,
                stage.hub.vault,
                network=AccountNetwork.FACEBOOK,
                name=f"Page {code}",
                remote_id=remote_id,
                handle=None,
                territory_code=code,
                secret={"token": sandbox.graph.create_page(remote_id, code, followers=100)},
                options={},
                by="operator",
                at=NOON,
            )
            assert account.id is not None
            stage.accounts[code] = account.id


def other_academies(session: Session) -> list[str]:
    """The académies that have no page on the stage."""
    query = select(Territory.code).where(
        Territory.level == Level.ACADEMIE, col(Territory.code).not_in(["A-14", "A-32"])
    )
    return sorted(session.exec(query))
