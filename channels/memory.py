"""A channel that only remembers: for fast tests, with the same contract as the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from channels.base import (
    MOMENT,
    Asked,
    AskedOfPage,
    ChannelError,
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
    Problem,
    Receipt,
    Refused,
    UnitKind,
    Unreachable,
    normalised,
)


@dataclass(frozen=True)
class MemoryRules:
    """What it takes: nearly everything."""

    network: Network = Network.FACEBOOK
    can_gate: bool = True
    max_pictures: int = 10
    keeps_link_apart: bool = True
    max_length: int = 10_000

    def length(self, text: str) -> int:
        """Characters."""
        return len(text)

    def problems(self, message: Message) -> list[Problem]:
        """Empty, too long, too many pictures, or a limit it does not know."""
        found = []
        if not message.text.strip() and not message.link and not message.pictures:
            found.append(Problem("text_empty"))
        if len(message.text) > self.max_length:
            found.append(Problem("text_too_long", {"length": len(message.text), "max": self.max_length}))
        if len(message.pictures) > self.max_pictures:
            found.append(Problem("too_many_pictures", {"count": len(message.pictures), "max": self.max_pictures}))
        if message.targeting is not None and not self.can_gate:
            found.append(Problem("cannot_gate"))
        return found

    def cost(self, message: Message) -> Decimal:
        """Nothing."""
        return Decimal(0)


class MemoryChannel:
    """Remembers what it was told to show: `shown` by remote id, `drafts` by draft id."""

    def __init__(
        self,
        rules: MemoryRules | None = None,
        *,
        two_step: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.rules = rules or MemoryRules()
        self.shown: dict[str, Message] = {}
        self.drafts: dict[str, Message] = {}
        self.people: dict[str, int] = {}
        """People reached, by remote id; a post not in here has no figure."""
        self.counts: dict[str, dict[str, int]] = {}
        """Other figures by the name that is asked for, by remote id; those not in here are not spoken of."""
        self.page: dict[tuple[str, date], int] = {}
        """Figures of the page itself, by name and day; those not in here are missing."""
        self.calls: list[str] = []
        self.closed = False
        self.wait_until: datetime | None = None
        """What it says of its use after any call; a test sets it, and those below."""
        self.app_wait_until: datetime | None = None
        self.slow_until: datetime | None = None
        self.app_slow_until: datetime | None = None
        self._two_step = two_step
        self._now = now
        self._receipts: dict[str, Receipt] = {}
        self._failures: list[tuple[str, ChannelError, bool]] = []
        self._lock = threading.RLock()
        self._count = 0

    def fail_next(self, error: ChannelError, *, after_showing: bool = False, call: str = "publish") -> None:
        """Let the next call of that name raise this error; `after_showing`: what it asked for was done all the same."""
        self._failures.append((call, error, after_showing))

    @property
    def pace(self) -> Pace:
        """What a test set."""
        return Pace(self.wait_until, self.app_wait_until, self.slow_until, self.app_slow_until)

    def prepare(self, message: Message) -> Prepared:
        """Keep a draft where a network would."""
        with self._lock, self._failing("prepare") as failure:
            problems = self.rules.problems(message)
            if problems:
                raise Refused(f"It would not take it: {', '.join(problem.code for problem in problems)}.")
            failure.before()
            if message.draft_id and (message.draft_id in self.drafts or message.draft_id in self.shown):
                return Prepared(message, draft_id=message.draft_id)
            media_ids = tuple(self._new_id("picture") for _ in message.pictures)
            if not message.targeting and not self._two_step:
                return Prepared(message, media_ids=media_ids)
            draft_id = self._new_id("post")
            self.drafts[draft_id] = message
            return Prepared(message, draft_id=draft_id, media_ids=media_ids)

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Show it; a draft is shown once however often it is asked for."""
        with self._lock, self._failing("publish") as failure:
            if deadline.passed:
                raise Unreachable("The deadline had passed before anything was sent.")
            failure.before()
            remote_id = prepared.draft_id or self._new_id("post")
            if remote_id not in self.shown:
                if prepared.draft_id and self.drafts.pop(remote_id, None) is None:
                    raise Unreachable("The draft is gone.")
                self.shown[remote_id] = replace(prepared.message, draft_id=None)
                self._receipts[remote_id] = Receipt(remote_id, f"memory:{remote_id}", self._now())
            return self._receipts[remote_id]

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """A prepared post by its id, any other by all that it says."""
        with self._lock, self._failing("find") as failure:
            failure.before()
            if message.draft_id:
                return [self._receipts[message.draft_id]] if message.draft_id in self.shown else []
            return [
                receipt
                for remote_id, receipt in self._receipts.items()
                if remote_id in self.shown
                and receipt.posted_at is not None
                and receipt.posted_at >= since
                and _said(self.shown[remote_id]) == _said(message)
            ]

    def figures(self, receipts: Sequence[Receipt], asked: Sequence[Asked]) -> Figures:
        """The people given in `people`, and what `counts` holds."""
        with self._lock, self._failing("figures") as failure:
            failure.before()
            return Figures(
                {
                    receipt.remote_id: [
                        one.told(self._value(receipt.remote_id, one))
                        for one in asked
                        if one.unit is UnitKind.PEOPLE or one.name in self.counts.get(receipt.remote_id, {})
                    ]
                    for receipt in receipts
                    if receipt.remote_id in self.shown
                }
            )

    def page_figures(self, asked: Sequence[AskedOfPage], since: date, until: date) -> list[PageFigure]:
        """What `page` holds; of a moment, today's."""
        with self._lock, self._failing("page_figures") as failure:
            failure.before()
            days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
            return [
                one.told(day, self.page.get((one.name, day)))
                for one in asked
                for day in ([self._now().date()] if one.period == MOMENT else days)
            ]

    def remove(self, receipt: Receipt) -> None:
        """Show it no longer."""
        with self._lock, self._failing("remove") as failure:
            failure.before()
            self.shown.pop(receipt.remote_id, None)

    def check(self) -> Health:
        """All well."""
        with self._lock, self._failing("check") as failure:
            failure.before()
            return Health((Finding(Light.GREEN, "ok"),), name="Memory", remote_id="memory")

    def close(self) -> None:
        """Nothing to let go of."""
        self.closed = True

    def _value(self, remote_id: str, asked: Asked) -> int | None:
        counted = self.counts.get(remote_id, {})
        return counted.get(asked.name, self.people.get(remote_id) if asked.unit is UnitKind.PEOPLE else None)

    def _new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    def _failing(self, call: str) -> _Failing:
        self.calls.append(call)
        for place, (name, error, after) in enumerate(self._failures):
            if name == call:
                del self._failures[place]
                return _Failing(error, after)
        return _Failing(None, False)


class _Failing:
    """Raises the planned error, before the deed or once it is done."""

    def __init__(self, error: ChannelError | None, after: bool) -> None:
        self._error = error
        self._after = after

    def before(self) -> None:
        if self._error and not self._after:
            raise self._error

    def __enter__(self) -> _Failing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._error and self._after and error is None:
            raise self._error


def _said(message: Message) -> tuple[object, ...]:
    return normalised(message.text), message.link, len(message.pictures), message.targeting or None
