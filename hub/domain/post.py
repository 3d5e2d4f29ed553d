"""Posts: what people write, the road from draft to approved, who may approve, the fingerprint of what was approved."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from hub.domain.clock import Fold
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import WrongState
from hub.domain.person import WRITERS, Actor, RoleKind
from hub.domain.table import Moment, Table, choice
from hub.domain.territory import Atlas
from hub.language import N_, _

MAX_PICTURES: Final = 4


class Kind(StrEnum):
    """What a post is about."""

    EVENT = "event"
    OPTION = "option"
    MEETING = "meeting"
    ADVICE = "advice"
    NEWS = "news"


KIND_NAMES: Final[Mapping[Kind, str]] = {
    Kind.EVENT: N_("event"),
    Kind.OPTION: N_("option"),
    Kind.MEETING: N_("meeting"),
    Kind.ADVICE: N_("advice"),
    Kind.NEWS: N_("news"),
}


class PostState(StrEnum):
    """Where a post stands; published, partly published and failed are told from its deliveries."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    ARCHIVED = "archived"


ROADS: Final[Mapping[PostState, frozenset[PostState]]] = {
    PostState.DRAFT: frozenset({PostState.SUBMITTED, PostState.WITHDRAWN}),
    PostState.SUBMITTED: frozenset(
        {PostState.DRAFT, PostState.RETURNED, PostState.APPROVED, PostState.EXPIRED, PostState.WITHDRAWN}
    ),
    PostState.RETURNED: frozenset({PostState.DRAFT, PostState.SUBMITTED, PostState.WITHDRAWN}),
    PostState.APPROVED: frozenset({PostState.DRAFT, PostState.WITHDRAWN, PostState.ARCHIVED}),
    PostState.EXPIRED: frozenset({PostState.DRAFT, PostState.WITHDRAWN, PostState.ARCHIVED}),
    PostState.WITHDRAWN: frozenset({PostState.DRAFT, PostState.ARCHIVED}),
    PostState.ARCHIVED: frozenset(),
}
"""Where a post may go from where it stands. Back to draft: somebody changed it, which voids an approval."""

STATE_NAMES: Final[Mapping[str, str]] = {
    PostState.DRAFT: N_("draft"),
    PostState.SUBMITTED: N_("to approve"),
    PostState.RETURNED: N_("returned"),
    PostState.APPROVED: N_("approved"),
    PostState.EXPIRED: N_("expired"),
    PostState.WITHDRAWN: N_("withdrawn"),
    PostState.ARCHIVED: N_("archived"),
}


class Post(Table, table=True):
    """One publication, as its author means it."""

    id: int | None = Field(default=None, primary_key=True)
    kind: Kind = Field(sa_type=choice(Kind))
    state: PostState = Field(default=PostState.DRAFT, sa_type=choice(PostState), index=True)
    version: int = 1
    """Grows with each change of content, so that two editors meet a conflict instead of losing words."""
    text: str = Field(sa_type=Text)
    link: str | None = None
    event: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    wall_time: str
    """As typed, `2026-12-01T18:00`."""
    zone: str
    """IANA zone, or `local`: the local time of each territory."""
    fold: Fold | None = Field(default=None, sa_type=choice(Fold))
    first_due_at: datetime = Field(sa_type=Moment, index=True)
    """The earliest instant at which a delivery is due."""
    useless_after: datetime = Field(sa_type=Moment)
    author_id: int = Field(foreign_key="person.id", index=True)
    changed_by_id: int = Field(foreign_key="person.id")
    """Who wrote these words last: they do not approve them either."""
    seed: str
    """A random word from which the marks of its links are made, so that nobody guesses them."""
    territory_code: str = Field(foreign_key="territory.code", index=True)
    """The territory that writes."""
    created_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    submitted_at: datetime | None = Field(default=None, sa_type=Moment)
    return_reason: str | None = None
    returned_version: int | None = None
    """The version that was returned last."""

    @property
    def writers(self) -> frozenset[int]:
        """Whose words these are: its author, and whoever changed it last."""
        return frozenset({self.author_id, self.changed_by_id})

    def move(self, to: PostState) -> None:
        """Take one step along the road, or raise WrongState."""
        if to is self.state:
            raise WrongState(_("This post is already in the state “{state}”.", state=_(STATE_NAMES[to])))
        if to not in ROADS[self.state]:
            raise WrongState(
                _(
                    "This post is {state}, so it cannot become {wanted}.",
                    state=_(STATE_NAMES[self.state]),
                    wanted=_(STATE_NAMES[to]),
                )
            )
        self.state = to


class PostAudience(Table, table=True):
    """One territory that a post is meant for."""

    __tablename__ = "post_audience"
    __table_args__ = (Index("ix_post_audience_territory_code_post_id", "territory_code", "post_id"),)

    post_id: int = Field(foreign_key="post.id", primary_key=True)
    territory_code: str = Field(foreign_key="territory.code", primary_key=True)


class PostDestination(Table, table=True):
    """One account that a post goes out on, with its own words where the author wrote some."""

    __tablename__ = "post_destination"

    post_id: int = Field(foreign_key="post.id", primary_key=True)
    account_id: int = Field(foreign_key="account.id", primary_key=True, index=True)
    text: str | None = Field(default=None, sa_type=Text)
    accepts_unlimited: bool = False
    """The author accepts that this network cannot limit the post to the territory."""


class Media(Table, table=True):
    """One cleaned picture, kept once by its content."""

    id: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the cleaned bytes, in hex."""
    mime: str
    width: int
    height: int
    size: int
    """Bytes of `data`, told without reading them."""
    data: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=Moment)


class PostMedia(Table, table=True):
    """One picture of a post, at its place, with words for those who cannot see it."""

    __tablename__ = "post_media"

    post_id: int = Field(foreign_key="post.id", primary_key=True)
    position: int = Field(primary_key=True)
    media_id: str = Field(foreign_key="media.id")
    alt: str


class PostVersion(Table, table=True):
    """What a post said at one version, so that people see what changed since they looked."""

    __tablename__ = "post_version"

    post_id: int = Field(foreign_key="post.id", primary_key=True)
    version: int = Field(primary_key=True)
    by_id: int = Field(foreign_key="person.id")
    at: datetime = Field(sa_type=Moment)
    content: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """The draft as typed."""


class Verdict(StrEnum):
    """What the approver says of one destination."""

    APPROVED = "approved"
    HELD = "held"


class Approval(Table, table=True):
    """A coordinator's yes, bound to what the post said at that moment."""

    id: int | None = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True)
    by_id: int = Field(foreign_key="person.id")
    at: datetime = Field(sa_type=Moment)
    version: int | None = None
    """The version of the post that was approved; None where versions were not kept yet."""
    content: str
    """Fingerprint of what people typed; compared again when a delivery is claimed."""
    fingerprint: str
    """Fingerprint of the content and of every planned destination, as shown to the approver."""
    voided_at: datetime | None = Field(default=None, sa_type=Moment)


class ApprovalLine(Table, table=True):
    """The yes, or the not yet, for one destination: an account and a gate."""

    __tablename__ = "approval_line"
    __table_args__ = (UniqueConstraint("approval_id", "account_id", "gate_key"),)

    id: int | None = Field(default=None, primary_key=True)
    approval_id: int = Field(sa_column=Column(ForeignKey("approval.id"), nullable=False, index=True))
    account_id: int = Field(foreign_key="account.id")
    gate_key: str
    verdict: Verdict = Field(sa_type=choice(Verdict))
    reason: str | None = None
    fingerprint: str
    """Fingerprint of the one delivery: its text, gate, account and time."""


def fingerprint(value: object) -> str:
    """A stable digest of plain data (dicts, lists, text, numbers)."""
    plain = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()


_VARIABLE = re.compile(r"\{([^{}]*)\}")
VARIABLES: Final = frozenset({"academie", "territoire"})
"""What a text may ask to be filled in for each delivery."""


def unknown_variables(text: str) -> list[str]:
    """The `{names}` in a text that nobody can fill."""
    return sorted({name for name in _VARIABLE.findall(text) if name not in VARIABLES})


def variables_in(text: str) -> set[str]:
    """The variables that a text uses."""
    return {name for name in _VARIABLE.findall(text) if name in VARIABLES}


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled."""
    return _VARIABLE.sub(lambda match: values.get(match.group(1), match.group(0)), text)


class Progress(StrEnum):
    """How far an approved post has come, told from its deliveries."""

    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    PARTLY_PUBLISHED = "partly_published"
    FAILED = "failed"


PROGRESS_NAMES: Final[Mapping[str, str]] = {
    Progress.SCHEDULED: N_("scheduled"),
    Progress.PUBLISHED: N_("published"),
    Progress.PARTLY_PUBLISHED: N_("partly published"),
    Progress.FAILED: N_("publication failed"),
}


def progress(deliveries: Iterable[Delivery]) -> Progress | None:
    """How far the deliveries have come; None when there is none to speak of."""
    return progress_of(one.state for one in deliveries)


def progress_of(states: Iterable[DeliveryState]) -> Progress | None:
    """The same of their states alone, be each told once or as often as it occurs."""
    told = [state for state in states if state is not DeliveryState.CANCELLED]
    if not told:
        return None
    done = [state for state in told if state in {DeliveryState.SENT, DeliveryState.REMOVED}]
    if len(done) == len(told):
        return Progress.PUBLISHED
    if done:
        return Progress.PARTLY_PUBLISHED
    return Progress.FAILED if all(state is DeliveryState.FAILED for state in told) else Progress.SCHEDULED


def can_see(actor: Actor, atlas: Atlas, audience: Iterable[str]) -> bool:
    """Whether this person may see the post: a role of theirs meets its audience, whoever wrote it."""
    return actor.meets(atlas, audience)


def can_change(actor: Actor, atlas: Atlas, audience: Iterable[str], *, author_id: int) -> bool:
    """Whether this person may change the post: a writing role for its whole audience, for its author a part of it."""
    codes = list(audience)
    own = actor.id == author_id and actor.meets(atlas, codes, WRITERS)
    return own or actor.holds_for_all(atlas, WRITERS, codes)


def can_approve(actor: Actor, atlas: Atlas, audience: Iterable[str], *, writers: Collection[int]) -> bool:
    """Whether this person may approve or return the post: a coordinator for its whole audience who did not write it."""
    return actor.id not in writers and actor.holds_for_all(atlas, {RoleKind.COORDINATOR}, audience)
