"""Deliveries: one post to one account through one gate, once; their states, attempts, patience and giving up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from hub.domain.table import Moment, Table, choice
from hub.language import N_


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    """Approved; due now or later, also after a proven "not sent"."""
    CLAIMED = "claimed"
    """An owner holds the lease; nothing can have left yet."""
    SENDING = "sending"
    """An attempt is open; the call may have left."""
    UNKNOWN = "unknown"
    """The outcome is not known; never sent from here, read back."""
    REVIEW = "review"
    """A person must decide."""
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


S = DeliveryState

STATE_NAMES: Final[Mapping[str, str]] = {
    S.WAITING: N_("waiting"),
    S.CLAIMED: N_("about to go out"),
    S.SENDING: N_("going out"),
    S.UNKNOWN: N_("outcome unknown"),
    S.REVIEW: N_("to decide"),
    S.SENT: N_("published"),
    S.FAILED: N_("failed"),
    S.CANCELLED: N_("cancelled"),
    S.REMOVED: N_("taken down"),
}

LEADS: Final[Mapping[DeliveryState, frozenset[DeliveryState]]] = {
    # Straight to sent only by the late answer of an earlier try.
    S.WAITING: frozenset({S.CLAIMED, S.CANCELLED, S.REVIEW, S.SENT}),
    S.CLAIMED: frozenset({S.SENDING, S.WAITING, S.CANCELLED, S.SENT}),
    S.SENDING: frozenset({S.SENT, S.WAITING, S.FAILED, S.UNKNOWN, S.CANCELLED}),
    S.UNKNOWN: frozenset({S.SENT, S.WAITING, S.REVIEW}),
    S.REVIEW: frozenset({S.SENT, S.WAITING, S.CANCELLED}),
    S.SENT: frozenset({S.REMOVED}),
    S.FAILED: frozenset({S.WAITING, S.CANCELLED, S.REVIEW}),
    S.CANCELLED: frozenset({S.REVIEW}),
    S.REMOVED: frozenset(),
}
"""Where a delivery may go from where it stands; from failed and cancelled to a person when it proves to be live."""

FINAL: Final = frozenset({S.SENT, S.FAILED, S.CANCELLED, S.REMOVED})


class Provenance(StrEnum):
    """What a figure of this delivery can say about a territory."""

    OWN_PAGE = "own page"
    GATED = "gated"
    NATIONAL = "national"
    ORIGIN = "origin"
    PORTAL = "portal"


class Delivery(Table, table=True):
    """One post, one account, one gate, once. Gate and final text are frozen at approval."""

    __table_args__ = (
        Index("uq_delivery_post_account_gate", "post_id", "account_id", "gate_key", unique=True,
              sqlite_where=text("state <> 'cancelled'"), postgresql_where=text("state <> 'cancelled'")),
        Index("uq_delivery_sending", "account_id", unique=True,
              sqlite_where=text("state = 'sending'"), postgresql_where=text("state = 'sending'")),
        Index("uq_delivery_remote", "account_id", "remote_id", unique=True,
              sqlite_where=text("remote_id IS NOT NULL"), postgresql_where=text("remote_id IS NOT NULL")),
        Index("ix_delivery_state_ready", "state", "ready_at"),
        # The next to claim of an account, and whether somebody is at it: over the few that are open, not over history.
        Index("ix_delivery_waiting", "account_id", "due_at", "id",
              sqlite_where=text("state = 'waiting'"), postgresql_where=text("state = 'waiting'")),
        Index("ix_delivery_held", "account_id",
              sqlite_where=text("state = 'claimed' OR state = 'sending'"),
              postgresql_where=text("state = 'claimed' OR state = 'sending'")),
        Index("ix_delivery_due", "due_at", "id"),
        Index("ix_delivery_account_due", "account_id", "due_at"),
        Index("ix_delivery_account_sent", "account_id", "sent_at"),
        Index("ix_delivery_sampling", "next_sample_at",
              sqlite_where=text("next_sample_at IS NOT NULL"), postgresql_where=text("next_sample_at IS NOT NULL")),
        Index("ix_delivery_removal", "removal_at",
              sqlite_where=text("removal_at IS NOT NULL"), postgresql_where=text("removal_at IS NOT NULL")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    approval_id: int = Field(foreign_key="approval.id")
    key: str = Field(index=True)
    """Its own mark, in our links: `/l/{key}`."""
    gate_key: str
    gate: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    territory_code: str = Field(foreign_key="territory.code", index=True)
    """The territory that it is for, and that its figures count for."""
    provenance: Provenance = Field(sa_type=choice(Provenance))
    text: str = Field(sa_type=Text)
    link: str | None = None
    text_key: str = Field(index=True)
    """Digest of account, normalised text and gate: two of the same are repeats to a network."""
    wall_time: str
    zone: str
    due_at: datetime = Field(sa_type=Moment)
    useless_after: datetime = Field(sa_type=Moment)

    state: DeliveryState = Field(default=S.WAITING, sa_type=choice(DeliveryState))
    reason: str | None = None
    """Why it stands where it stands, in words, when that needs saying."""
    ready_at: datetime = Field(sa_type=Moment)
    """When it may be claimed: its due time, later after a failed try."""
    epoch: int = 0
    """Grows with each claim; a late answer of an earlier claim changes nothing."""
    owner: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=Moment)
    attempts: int = 0
    setbacks: int = 0
    """Proven "not sent" in a row."""
    excused_until: datetime | None = Field(default=None, sa_type=Moment)
    """Until when it may go out although it is late, since a person decided so."""
    remote_id: str | None = None
    url: str | None = None
    draft_id: str | None = None
    """What the last try prepared, unseen, on the network; the next one goes on with it."""
    sent_at: datetime | None = Field(default=None, sa_type=Moment)

    unknown_since: datetime | None = Field(default=None, sa_type=Moment)
    look_at: datetime | None = Field(default=None, sa_type=Moment)
    """When to read back next."""
    looks: int = 0
    failed_looks: int = 0

    next_sample_at: datetime | None = Field(default=None, sa_type=Moment)
    withdrawn: bool = False
    """Withdrawn while it was going out: told once the outcome is known."""
    removal_at: datetime | None = Field(default=None, sa_type=Moment)
    """When to try (again) to take it down."""
    removal_reason: str | None = None


class AttemptKind(StrEnum):
    """What a try was for."""

    PUBLISH = "publish"
    REMOVE = "remove"
    PERSON = "person"
    """Not a call: a person's answer to an open question."""


class Phase(StrEnum):
    """How far a try has come."""

    PREPARING = "preparing"
    PUBLISHING = "publishing"


class Attempt(Table, table=True):
    """One try, written down before the call; append-only, open until `ended_at`."""

    __table_args__ = (
        UniqueConstraint("delivery_id", "n"),
        Index("ix_attempt_started", "started_at"),
        Index("uq_attempt_open", "delivery_id", unique=True,
              sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    n: int
    """The delivery's epoch at that time."""
    kind: AttemptKind = Field(default=AttemptKind.PUBLISH, sa_type=choice(AttemptKind))
    phase: Phase = Field(default=Phase.PREPARING, sa_type=choice(Phase))
    started_at: datetime = Field(sa_type=Moment)
    deadline_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    outcome: str | None = None
    detail: str | None = None
    http_status: int | None = None
    code: str | None = None
    remote_id: str | None = None
    draft_id: str | None = None
    trace_id: str | None = None


class Hold(Table, table=True):
    """A stop of everything: while one is open (no `until`), nothing is claimed."""

    id: int | None = Field(default=None, primary_key=True)
    since: datetime = Field(sa_type=Moment)
    until: datetime | None = Field(default=None, sa_type=Moment)
    reason: str
    by_name: str


# --- Outcomes ---------------------------------------------------------------------------------------


class OutcomeKind(StrEnum):
    """The classes of what a try came to (docs/reliability has the table)."""

    OK = "ok"
    NOT_SENT = "not-sent"
    RATE = "rate"
    AUTH = "auth"
    CONTENT = "content"
    BLOCK = "block"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


class Breadth(StrEnum):
    """Who waits when a network asks for it; the values are those of `channels.Breadth`."""

    ACCOUNT = "account"
    APP = "app"
    READS = "reads"


@dataclass(frozen=True)
class Outcome:
    """What a try came to, apart from any network's words for it."""

    kind: OutcomeKind
    detail: str = ""
    remote_id: str | None = None
    url: str | None = None
    until: datetime | None = None
    stated: bool = True
    """Whether the network said until when; else `until` is our own guess."""
    breadth: Breadth = Breadth.ACCOUNT
    code: str | None = None
    http_status: int | None = None
    trace_id: str | None = None


@dataclass(frozen=True)
class Patience:
    """How long Relais waits, looks and gives up."""

    deadline: timedelta = timedelta(seconds=45)
    """The whole of one call."""
    lease: timedelta = timedelta(seconds=120)
    too_late: timedelta = timedelta(hours=6)
    """A delivery due longer ago goes to a person, not out."""
    first_setback: timedelta = timedelta(seconds=15)
    longest_setback: timedelta = timedelta(minutes=15)
    most_setbacks: int = 8
    rate_wait: timedelta = timedelta(minutes=15)
    """When the network does not say how long; doubled with every refusal in a row."""
    longest_rate_wait: timedelta = timedelta(hours=4)
    block_rest: timedelta = timedelta(hours=6)
    looks: tuple[timedelta, ...] = (timedelta(0), timedelta(seconds=15), timedelta(seconds=60), timedelta(minutes=5))
    """When to read back, counted from the moment the outcome became unknown."""
    most_unknown: int = 5
    """After so many tries whose outcome nobody found, a person looks."""
    longest_wait: timedelta = timedelta(hours=24)
    """However long a network asks us to wait, we look again after this."""
    sure_after: timedelta = timedelta(minutes=5)
    """Only a read that began so long after may say that nothing was sent: posts can show up late."""
    failed_looks: tuple[timedelta, ...] = (timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20))
    then_look_every: timedelta = timedelta(minutes=1)
    give_up_looking: timedelta = timedelta(hours=1)
    look_back: timedelta = timedelta(minutes=2)
    """How long before a try to start reading."""
    busy_wait: timedelta = timedelta(seconds=1)


@dataclass(frozen=True)
class Change:
    """What becomes of a delivery; fields left None stay as they are, except `reason`, which is always set."""

    state: DeliveryState
    reason: str | None = None
    ready_at: datetime | None = None
    setbacks: int = 0
    unknown_since: datetime | None = None


def settle(delivery: Delivery, outcome: Outcome, at: datetime, patience: Patience, *, jitter: float) -> Change:
    """What an outcome makes of a delivery that was being sent. `jitter` is in 0..1."""
    match outcome.kind:
        case OutcomeKind.OK:
            return Change(S.SENT)
        case OutcomeKind.CONTENT:
            return Change(S.FAILED, outcome.detail)
        case OutcomeKind.NOT_SENT:
            setbacks = delivery.setbacks + 1
            if setbacks > patience.most_setbacks:
                return Change(S.FAILED, outcome.detail, setbacks=setbacks)
            longest = min(patience.first_setback * 2 ** (setbacks - 1), patience.longest_setback)
            return Change(S.WAITING, outcome.detail, ready_at=at + longest * jitter, setbacks=setbacks)
        case OutcomeKind.RATE | OutcomeKind.AUTH | OutcomeKind.BLOCK:
            # The account waits or rests as a whole; this delivery is ready as soon as it is.
            return Change(S.WAITING, outcome.detail, ready_at=at)
        case OutcomeKind.DUPLICATE | OutcomeKind.UNKNOWN:
            return Change(S.UNKNOWN, outcome.detail, unknown_since=at)


def next_look(delivery: Delivery, at: datetime, patience: Patience) -> datetime:
    """When to read back again after a read that worked but found nothing yet."""
    since = delivery.unknown_since or at
    coming = [since + wait for wait in patience.looks if since + wait > at]
    return coming[0] if coming else max(at + patience.then_look_every, since + patience.sure_after)


def next_look_after_failure(delivery: Delivery, at: datetime, patience: Patience) -> datetime | None:
    """When to read back again after a read that failed; None: give up, a person must look."""
    since = delivery.unknown_since or at
    if at - since >= patience.give_up_looking:
        return None
    step = delivery.failed_looks
    wait = patience.failed_looks[step] if step < len(patience.failed_looks) else patience.then_look_every
    return at + wait


def may_say_not_sent(delivery: Delivery, began_at: datetime, deadline_at: datetime, patience: Patience) -> bool:
    """Whether a read that began then, and found nothing, proves that nothing was sent: judged by age, not by number."""
    since = delivery.unknown_since
    if since is None:
        return False
    lease_over = delivery.lease_until is None or began_at >= delivery.lease_until
    return began_at >= since + patience.sure_after and began_at >= deadline_at and lease_over


def too_late_at(delivery: Delivery, patience: Patience) -> datetime:
    """The first moment at which a delivery no longer goes out by itself; see `lateness`."""
    moment = min(delivery.useless_after, delivery.due_at + patience.too_late) + timedelta(seconds=1)
    return moment if delivery.excused_until is None else max(moment, delivery.excused_until + timedelta(seconds=1))


def lateness(delivery: Delivery, at: datetime, patience: Patience) -> str | None:
    """Why a delivery must not go out by itself any more, or None."""
    if delivery.excused_until is not None and at <= delivery.excused_until:
        return None
    if at > delivery.useless_after:
        return N_("It is past the moment after which it is useless.")
    if at - delivery.due_at > patience.too_late:
        return N_("It was due too long ago.")
    return None


class Action(StrEnum):
    """What a person can do about a delivery."""

    FOUND = "found"
    """It is on the network: here is its id."""
    SEND = "send"
    """It is not there, or it is late but still wanted: send it (again)."""
    GIVE_UP = "give-up"
    REMOVE = "remove"


WHY_NONE: Final[Mapping[DeliveryState, str]] = {
    S.WAITING: N_("It waits for its time. To stop it, withdraw the post."),
    S.CLAIMED: N_("It is about to go out. Look again in a minute."),
    S.SENDING: N_("It is going out. Look again in a minute."),
    S.UNKNOWN: N_("The network is being asked whether it is there. Look again in a few minutes."),
    S.SENT: N_("It is being taken down. Look again in a minute."),
    S.CANCELLED: N_("It was cancelled and will not go out. To say it after all, copy the post."),
    S.REMOVED: N_("It was taken down. To say it again, copy the post."),
}
"""Why a person can do nothing about a delivery, and what they can do instead."""


def actions(delivery: Delivery) -> list[Action]:
    """What a person may do about a delivery in its present state."""
    match delivery.state:
        case S.REVIEW:
            return [Action.FOUND, Action.SEND, Action.GIVE_UP]
        case S.FAILED:
            return [Action.SEND, Action.GIVE_UP]
        case S.SENT:
            return [] if delivery.removal_at else [Action.REMOVE]
        case _:
            return []


def text_key(account_id: int, normalised_text: str, gate: str) -> str:
    """The digest by which repeats are told."""
    return hashlib.sha256(f"{account_id}\n{gate}\n{normalised_text}".encode()).hexdigest()


def mark(seed: str, account_id: int, gate: str) -> str:
    """A delivery's own short mark: the same for the same post, account and gate; not to be guessed without the seed."""
    digest = hashlib.sha256(f"{seed}/{account_id}/{gate}".encode()).digest()
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:10])


def counts(states: Iterable[DeliveryState]) -> dict[str, int]:
    """How many deliveries stand in each state, with the passing ones told as waiting."""
    told = dict.fromkeys([S.SENT, S.WAITING, S.FAILED, S.UNKNOWN, S.REVIEW, S.CANCELLED, S.REMOVED], 0)
    for state in states:
        told[S.WAITING if state in {S.CLAIMED, S.SENDING} else state] += 1
    return {state.value: number for state, number in told.items()}
