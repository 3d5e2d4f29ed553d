"""Who watches: after every commit, whether what the tables and the network say is what Relais promises."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from channels import Message
from hub.domain.delivery import FINAL, LEADS, DeliveryState, Patience
from tests.schedules.network import Post, Truth

S = DeliveryState

OURS: Final = frozenset({S.SENDING, S.UNKNOWN, S.REVIEW, S.SENT, S.REMOVED})
"""Where a delivery may stand once its post was made; from anywhere else it could go out again, or be forgotten."""


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(frozen=True)
class Row:
    """A delivery as it is stored; moments as text, which compares as the moments do."""

    id: int
    key: str
    state: DeliveryState
    epoch: int
    account_id: int
    post_id: int
    text_key: str
    due_at: str
    useless_after: str
    excused_until: str | None
    ready_at: str
    look_at: str | None
    lease_until: str | None
    remote_id: str | None
    draft_id: str | None
    removal_at: str | None
    removal_reason: str | None
    withdrawn: int


COLUMNS: Final = ", ".join(Row.__dataclass_fields__)


def stored(at: datetime) -> str:
    """A moment as SQLite has it."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


class Judge:
    """Reads the file by itself, with its own plain SQL, and compares it with the network's truth."""

    def __init__(self, file: Path, truth: Truth, patience: Patience) -> None:
        self._raw = sqlite3.connect(file, isolation_level=None)
        self._truth = truth
        self._patience = patience
        self.version = -1
        self._last_attempt = 0
        self.rows: dict[int, Row] = {}
        self.by_key: dict[str, Row] = {}
        self.moves: Counter[tuple[DeliveryState, DeliveryState]] = Counter()
        """From where to where deliveries went, so that a proof can show that it met everything."""

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def look(self, at: datetime) -> None:
        """Judge what was committed since the last look: nobody else acted in between."""
        (version,) = self._raw.execute("PRAGMA data_version").fetchone()
        if version == self.version:
            return
        self.version = version
        before = self.rows
        self.rows = {
            values[0]: Row(values[0], values[1], S(values[2]), *values[3:])
            for values in self._raw.execute(f"SELECT {COLUMNS} FROM delivery ORDER BY id")
        }
        self.by_key = {row.key: row for row in self.rows.values()}
        for row in self.rows.values():
            earlier = before.get(row.id)
            if earlier is not None and earlier.state is not row.state:
                self._moved(earlier, row)
        self._tries(at)
        self._posts()

    def _moved(self, before: Row, now: Row) -> None:
        self.moves[before.state, now.state] += 1
        if now.state not in LEADS[before.state]:
            raise Broken(f"delivery {now.id} went from {before.state} to {now.state}, where no way leads")
        if now.state is S.SENT:
            post = self._truth.posts.get(now.remote_id or "")
            if post is None:
                raise Broken(f"delivery {now.id} is said to be out as {now.remote_id}, which was never posted")
            if post.key != now.key:
                raise Broken(f"delivery {now.id} is linked to {now.remote_id}, the post of another one")

    def _tries(self, at: datetime) -> None:
        """Every new attempt to publish was allowed at this very moment."""
        tries = self._raw.execute(
            "SELECT id, delivery_id, kind FROM attempt WHERE id > ? ORDER BY id", [self._last_attempt]
        ).fetchall()
        for number, delivery_id, kind in tries:
            self._last_attempt = number
            if kind == "publish" and (why := self._why_not(self.rows[delivery_id], at)):
                raise Broken(f"delivery {delivery_id} is about to go out although {why}")

    def _why_not(self, row: Row, at: datetime) -> str | None:
        now = stored(at)
        if self._one("SELECT 1 FROM hold WHERE until IS NULL"):
            return "everything is on hold"
        if row.withdrawn or not self._one(
            "SELECT 1 FROM post JOIN delivery ON delivery.post_id = post.id JOIN approval ON approval.id = approval_id "
            "WHERE delivery.id = ? AND post.state = 'approved' AND voided_at IS NULL", row.id
        ):  # fmt: skip
            return "its post is not approved (any more)"
        if not self._one(
            "SELECT 1 FROM account WHERE id = ? AND (state = 'active' OR state = 'blocked' AND blocked_until <= ?) "
            "AND (not_before IS NULL OR not_before <= ?)", row.account_id, now, now
        ):  # fmt: skip
            return "its account may not be called"
        if any(one.text_key == row.text_key and one.state is S.UNKNOWN for one in self.rows.values()):
            return "nobody knows whether the same words are out"
        return None

    def _posts(self) -> None:
        for post in self._truth.posts.values():
            row = self.by_key[post.key]
            if row.state not in OURS:
                raise Broken(f"delivery {row.id} is {row.state} although {post.remote_id} was posted for it")

    def making(self, message: Message, at: datetime) -> None:
        """A post is being made now: in time, the first one, of an attempt that is written down and not yet over."""
        row = self.by_key[message.key]
        if row.due_at > stored(at):
            raise Broken(f"delivery {row.id} goes out before it is due")
        judged_at = stored(at - self._patience.lease - self._patience.deadline)  # late or not is asked when claiming
        excused = row.excused_until is not None and row.excused_until >= judged_at
        too_late = stored(at - self._patience.lease - self._patience.deadline - self._patience.too_late)
        if (row.useless_after < judged_at or row.due_at < too_late) and not excused:
            raise Broken(f"delivery {row.id} goes out too late")
        if made := self._truth.of(message.key):
            raise Broken(f"delivery {row.id} goes out again, although {made[0].remote_id} was posted for it")
        deadline = self._raw.execute(
            "SELECT deadline_at FROM attempt WHERE delivery_id = ? AND kind = 'publish' AND ended_at IS NULL", [row.id]
        ).fetchone()
        if deadline is None:
            raise Broken(f"delivery {row.id} goes out without an open attempt")
        if deadline[0] < stored(at):
            raise Broken(f"delivery {row.id} goes out after the deadline of its attempt")

    def removing(self, post: Post) -> None:
        """A post is being taken down now: somebody must have asked for it."""
        if self.by_key[post.key].removal_reason is None:
            raise Broken(f"{post.remote_id} is taken down although nobody asked for it")

    def end(self, at: datetime) -> None:
        """An hour after the last fault: everything is final or in front of a person, and every post has its owner."""
        now = stored(at)
        for row in self.rows.values():
            if row.state not in FINAL | {S.REVIEW} and not self._may_wait(row, now):
                raise Broken(f"delivery {row.id} is still {row.state} an hour after the last fault")
            if row.removal_at is not None and not self._may_wait(row, now):
                raise Broken(f"delivery {row.id} is still to be taken down an hour after the last fault")
        for post in self._truth.posts.values():
            row = self.by_key[post.key]
            if post.visible(at) and row.state is not S.REVIEW and row.remote_id != post.remote_id:
                raise Broken(f"{post.remote_id} can be seen, but delivery {row.id} ({row.state}) does not know of it")
            if post.removed and row.state not in {S.REMOVED, S.SENT}:
                raise Broken(f"{post.remote_id} was taken down, but delivery {row.id} is {row.state}")
        if self._one("SELECT 1 FROM auditentry WHERE action = 'delivery.duplicate'"):
            raise Broken("people were told of a duplicate")
        if self._one("SELECT 1 FROM attempt WHERE ended_at IS NULL AND kind = 'publish'"):
            raise Broken("an attempt is still open")

    def _may_wait(self, row: Row, now: str) -> bool:
        """Whether a person or the network itself keeps its account from going on."""
        return row.state in {S.WAITING, S.SENT} and not self._one(
            "SELECT 1 FROM account WHERE id = ? AND (state = 'active' OR state = 'blocked' AND blocked_until <= ?) "
            "AND (not_before IS NULL OR not_before <= ?)", row.account_id, now, now
        )  # fmt: skip

    def _one(self, query: str, *values: object) -> bool:
        return self._raw.execute(query, values).fetchone() is not None


def due_tasks(rows: dict[int, Row], at: datetime) -> set[str]:
    """What time may knock for, as far as deliveries tell."""
    now = stored(at)
    due = set()
    for row in rows.values():
        if row.state is S.WAITING and row.ready_at <= now:
            due.add("dispatch")
        elif row.state is S.UNKNOWN and row.look_at is not None and row.look_at <= now:
            due.add("reconcile")
        elif row.state in {S.CLAIMED, S.SENDING} and row.lease_until is not None and row.lease_until <= now:
            due.add("leases")
        elif row.state in {S.CANCELLED, S.FAILED} and row.draft_id is not None:
            due.add("tidy")
        if row.removal_at is not None and row.removal_at <= now:
            due.add("remove")
    return due


def next_moments(rows: dict[int, Row], at: datetime) -> list[datetime]:
    """The moments ahead at which something falls due."""
    now = stored(at)
    ahead = {
        moment
        for row in rows.values()
        for moment in (row.ready_at, row.look_at, row.lease_until, row.removal_at)
        if moment is not None and moment > now and row.state not in FINAL
    }
    return [datetime.fromisoformat(moment).replace(tzinfo=at.tzinfo) for moment in sorted(ahead)]
