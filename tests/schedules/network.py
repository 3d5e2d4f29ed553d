"""A network that keeps the truth of what was posted, misbehaves as it is told, and shows posts late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NoReturn, Protocol, TypeVar

from channels import (
    FREE,
    Asked,
    AskedOfPage,
    Blocked,
    Deadline,
    Figures,
    Finding,
    Health,
    Light,
    Message,
    Network,
    Pace,
    PageFigure,
    Prepared,
    Receipt,
    Refused,
    Throttled,
    Unauthorized,
    Uncertain,
    Unreachable,
    normalised,
)
from channels.memory import MemoryRules
from hub.domain.account import Account, AccountNetwork

T = TypeVar("T")


class Fault(StrEnum):
    """How one call goes wrong."""

    NONE = "goes well"
    UNREACHABLE = "is never connected"
    THROTTLED = "is told to wait"
    UNAUTHORIZED = "is not authorised"
    REFUSED = "is refused"
    BLOCKED = "is blocked"
    REPEAT = "is refused as a repeat, though there is none"
    NOTHING_DONE = "breaks off, and nothing was done"
    BUG = "raises what no channel may raise, and nothing was done"
    DONE = "breaks off, and it was done all the same"
    DONE_BUG = "raises what no channel may raise, and it was done all the same"
    DONE_REPEAT = "is done, but something on the way asked twice, and its answer is a refusal as a repeat"
    NO_ID = "is done, but the answer has no id"


BEFORE = frozenset(
    {Fault.UNREACHABLE, Fault.THROTTLED, Fault.UNAUTHORIZED, Fault.REFUSED, Fault.BLOCKED, Fault.REPEAT,
     Fault.NOTHING_DONE, Fault.BUG}
)  # fmt: skip
"""Those after which nothing was done."""

FAULTS_OF: dict[str, tuple[Fault, ...]] = {
    "prepare": (Fault.UNREACHABLE, Fault.THROTTLED, Fault.UNAUTHORIZED, Fault.REFUSED, Fault.NOTHING_DONE, Fault.BUG,
                Fault.DONE, Fault.DONE_BUG),
    "publish": tuple(fault for fault in Fault if fault is not Fault.NONE),
    "find": (Fault.UNREACHABLE, Fault.THROTTLED, Fault.UNAUTHORIZED, Fault.NOTHING_DONE, Fault.BUG),
    "remove": (Fault.UNREACHABLE, Fault.THROTTLED, Fault.UNAUTHORIZED, Fault.REFUSED, Fault.NOTHING_DONE, Fault.BUG,
               Fault.DONE, Fault.DONE_BUG),
    "check": (),
}  # fmt: skip
"""What can go wrong with each call. A draft or a removal that was done without an answer may be repeated freely."""


@dataclass
class Post:
    """A post as the network has it; `key` is the mark of the delivery that it was made for, which no reading tells."""

    remote_id: str
    account_id: int
    message: Message
    made_at: datetime
    visible_at: datetime
    removed: bool = False

    @property
    def key(self) -> str:
        """Whose it is."""
        return self.message.key

    def visible(self, at: datetime) -> bool:
        """Whether people and readings see it."""
        return not self.removed and self.visible_at <= at


@dataclass
class Truth:
    """Everything that was ever posted, and the drafts that nobody sees."""

    posts: dict[str, Post] = field(default_factory=dict)
    drafts: dict[str, Message] = field(default_factory=dict)
    count: int = 0

    def of(self, key: str) -> list[Post]:
        """The posts that were ever made for a delivery."""
        return [post for post in self.posts.values() if post.key == key]

    def next_id(self, account: Account) -> str:
        """A new id in the network's own form."""
        self.count += 1
        number = f"77{self.count:06}"
        return f"{account.remote_id}_{number}" if account.network is AccountNetwork.FACEBOOK else number


class Weather(Protocol):
    """What the network asks of the world around it."""

    truth: Truth

    @property
    def two_step(self) -> bool:
        """Whether pages make a draft first, for every post."""

    @property
    def refuses_repeats(self) -> bool:
        """Whether the network refuses words that it has already."""

    def now(self) -> datetime:
        """This moment."""

    def pause(self, where: str) -> None:
        """Let others go on; whoever calls may never come back."""

    def fault(self, call: str) -> Fault:
        """How this call goes."""

    def lateness(self) -> timedelta:
        """How much later than it was made a post is shown."""

    def reset_at(self) -> datetime | None:
        """Until when a throttled account shall wait, as far as the network says."""

    def use_is_up_until(self) -> datetime | None:
        """Until when to make no further call, as the network says of its own accord."""

    def making(self, message: Message) -> None:
        """A post is being made at this very moment."""

    def removing(self, post: Post) -> None:
        """A post is being taken down at this very moment."""


class TruthfulChannel:
    """One account's channel, for one call."""

    def __init__(self, world: Weather, account: Account) -> None:
        self.world, self.account = world, account
        self.rules = MemoryRules(network=Network(account.network), can_gate=account.network is not AccountNetwork.X)
        self.pace = FREE

    def prepare(self, message: Message) -> Prepared:
        """On with a known draft, or a new one where one is needed."""
        if not message.targeting and not (self.world.two_step and self.rules.can_gate):
            return Prepared(message)  # nothing to upload: no call is made

        def draft() -> Prepared:
            known = message.draft_id
            if known and (known in self.world.truth.drafts or known in self.world.truth.posts):
                return Prepared(message, draft_id=known)
            made = self.world.truth.next_id(self.account)
            self.world.truth.drafts[made] = message
            return Prepared(message, draft_id=made)

        return self._call("prepare", draft)

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Make the post, unless the deadline has passed: the last look before it leaves."""

        def show() -> Receipt:
            remote_id = prepared.draft_id or self.world.truth.next_id(self.account)
            if remote_id not in self.world.truth.posts:
                if prepared.draft_id and prepared.draft_id not in self.world.truth.drafts:
                    raise Unreachable("The draft is gone.")
                self._make(remote_id, replace(prepared.message, draft_id=None))
            return Receipt(remote_id, f"https://example.org/{remote_id}", self.world.now())

        return self._call("publish", show, deadline=deadline, repeats=prepared)

    def _make(self, remote_id: str, message: Message) -> None:
        world, at = self.world, self.world.now()
        world.making(message)
        assert self.account.id is not None
        world.truth.drafts.pop(remote_id, None)
        world.truth.posts[remote_id] = Post(remote_id, self.account.id, message, at, at + world.lateness())

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """A prepared post by its id, any other by all that it says; only what can be seen by now."""

        def look() -> list[Receipt]:
            return [
                Receipt(post.remote_id, f"https://example.org/{post.remote_id}", post.made_at)
                for post in self.world.truth.posts.values()
                if post.account_id == self.account.id and post.visible(self.world.now())
                and (post.remote_id == message.draft_id if message.draft_id
                     else post.made_at >= since and said(post.message) == said(message))
            ]  # fmt: skip

        return self._call("find", look)

    def remove(self, receipt: Receipt) -> None:
        """Take a post or a draft down; gone already is no error."""

        def take_down() -> None:
            self.world.truth.drafts.pop(receipt.remote_id, None)
            post = self.world.truth.posts.get(receipt.remote_id)
            if post is not None and not post.removed:
                self.world.removing(post)
                post.removed = True

        self._call("remove", take_down)

    def figures(self, receipts: Sequence[Receipt], asked: Sequence[Asked]) -> Figures:
        """None: nobody counts here."""
        return Figures()

    def page_figures(self, asked: Sequence[AskedOfPage], since: date, until: date) -> list[PageFigure]:
        """None either."""
        return []

    def check(self) -> Health:
        """All well."""
        return Health((Finding(Light.GREEN, "ok"),), name=self.account.name, remote_id=self.account.remote_id)

    def close(self) -> None:
        """Nothing to let go of."""

    def _call(
        self, name: str, deed: Callable[[], T], *, deadline: Deadline | None = None, repeats: Prepared | None = None
    ) -> T:
        """Leave, be done (or not), answer (or not); between these anybody else may act, and this process may die."""
        world = self.world
        world.pause(f"{name} leaves")
        if deadline is not None and deadline.passed:
            raise Unreachable("The deadline had passed before anything was sent.")
        fault = world.fault(name)
        if fault in BEFORE:
            world.pause(f"{name} {fault}")
            self._fail(fault)
        if repeats is not None and world.refuses_repeats and self._is_repeat(repeats):
            world.pause(f"{name} {Fault.REPEAT}")
            raise Uncertain("The network has these words already.", duplicate=True, status=403)
        answer = deed()
        self.pace = Pace(wait_until=world.use_is_up_until())
        world.pause(f"{name} {fault}")
        if fault is Fault.DONE:
            raise Uncertain("The answer was lost.", status=503)
        if fault is Fault.DONE_REPEAT:
            raise Uncertain("The network has these words already.", duplicate=True, status=403)
        if fault is Fault.DONE_BUG:
            raise KeyError("answer")
        return Receipt("") if fault is Fault.NO_ID else answer  # type: ignore[return-value]

    def _fail(self, fault: Fault) -> NoReturn:
        match fault:
            case Fault.UNREACHABLE:
                raise Unreachable("Connection refused.")
            case Fault.THROTTLED:
                raise Throttled("Too many calls.", until=self.world.reset_at(), status=429)
            case Fault.UNAUTHORIZED:
                raise Unauthorized("The token has expired.", status=401, code="190")
            case Fault.REFUSED:
                raise Refused("This is not allowed here.", status=400)
            case Fault.BLOCKED:
                raise Blocked("Too much of the same.", status=400)
            case Fault.REPEAT:
                raise Uncertain("The network has these words already.", duplicate=True, status=403)
            case Fault.BUG:
                raise KeyError("answer")
            case _:
                raise Uncertain("The connection was reset.")

    def _is_repeat(self, prepared: Prepared) -> bool:
        return any(
            post.account_id == self.account.id
            and not post.removed
            and post.remote_id != prepared.draft_id
            and said(post.message) == said(prepared.message)
            for post in self.world.truth.posts.values()
        )


def said(message: Message) -> tuple[object, ...]:
    """What one post says, as it compares with another."""
    return normalised(message.text), message.link, len(message.pictures), message.targeting or None
