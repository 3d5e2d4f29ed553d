"""The contract that every network answers to: values, rules and errors, with no secret and no network in them."""

from __future__ import annotations

import html
import re
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol


class Network(StrEnum):
    """The networks that Relais speaks to."""

    FACEBOOK = "facebook"
    X = "x"
    PORTAL = "portal"


class UnitKind(StrEnum):
    """What a figure counts: only `people` may never be added up."""

    PEOPLE = "people"
    VIEWS = "views"
    IMPRESSIONS = "impressions"
    CLICKS = "clicks"
    REACTIONS = "reactions"


# --- What is said -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """One cleaned picture: bytes, media type (`image/jpeg`, `image/png`), and words for those who cannot see it.

    `size` stands for the bytes where they are not at hand: rules need no more, publishing does.
    """

    data: bytes
    mime: str
    alt: str = ""
    size: int | None = None

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return len(self.data) if self.size is None else self.size


@dataclass(frozen=True)
class Targeting:
    """Where a message may be seen, in the network's own keys; empty means everywhere."""

    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    zips: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.countries or self.regions or self.cities or self.zips)


@dataclass(frozen=True)
class Message:
    """One delivery's words, pictures and limit, ready for a network.

    `key` is the delivery's own mark. `draft_id` is what an earlier try of the same delivery prepared and that
    must be gone on with, so that a late first try and this one can only ever show one post.
    """

    text: str
    key: str
    link: str | None = None
    pictures: tuple[Picture, ...] = ()
    targeting: Targeting | None = None
    draft_id: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A message with what was uploaded for it; nothing of it can be seen by anybody yet."""

    message: Message
    draft_id: str | None = None
    media_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """A post as the network knows it. `trace_id` is the network's own mark of the call, for its support."""

    remote_id: str
    url: str | None = None
    posted_at: datetime | None = None
    trace_id: str | None = None


# --- What is asked ------------------------------------------------------------------------------

MOMENT: Final = "moment"
"""The period of a count as of now."""

NOT_AVAILABLE: Final = "not available"
"""Why there is no figure: the network gives none, and does not say why."""

RETIRED: Final = "retired by the network"
"""Why there is no figure: the network does not know its name, or no longer."""


@dataclass(frozen=True)
class Asked:
    """One figure that a network is asked for of its posts: its own name of it, and what it counts."""

    name: str
    unit: UnitKind

    def told(self, value: int | None, why: str = NOT_AVAILABLE) -> Figure:
        """The figure that it came to, or why there is none: what is missing is not 0."""
        return Figure(self.name, self.unit, value, why if value is None else None)


@dataclass(frozen=True)
class AskedOfPage:
    """One figure that a network is asked for of a page; `period` is the span that it counts, in the network's words.

    The period `moment` is a count as of now, such as that of the followers.
    """

    name: str
    unit: UnitKind
    period: str

    def told(self, day: date, value: int | None, why: str = NOT_AVAILABLE, *, dimension: str = "") -> PageFigure:
        """The figure of a day that it came to, or why there is none."""
        missing = why if value is None else None
        return PageFigure(self.name, self.unit, self.period, day, value, missing, dimension)


# --- What comes back ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One figure as the network gave it; `value` None means that it did not say, and `missing` says why."""

    metric: str
    unit: UnitKind
    value: int | None
    missing: str | None = None


@dataclass(frozen=True)
class Figures:
    """What a network said of several posts at one moment: remote id → figures. A post it did not speak of is absent."""

    by_post: Mapping[str, Sequence[Figure]] = field(default_factory=dict)


@dataclass(frozen=True)
class PageFigure:
    """One figure of a page for one day, as the network gave it; where there is none, `missing` says why.

    `dimension` is the part that is counted, such as a city; empty: all of it.
    """

    metric: str
    unit: UnitKind
    period: str
    day: date
    value: int | None
    missing: str | None = None
    dimension: str = ""


class Light(StrEnum):
    """How an account is: green (all well), amber (works, needs care), red (cannot publish)."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found; `code` names a sentence (docs/connecting.md lists them), `details` fill it."""

    light: Light
    code: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """What a harmless call as the account showed. `expires_at` None: no known end of the token."""

    findings: tuple[Finding, ...]
    name: str | None = None
    remote_id: str | None = None
    expires_at: datetime | None = None

    @property
    def light(self) -> Light:
        """The worst light found."""
        order = [Light.GREEN, Light.AMBER, Light.RED]
        return max((finding.light for finding in self.findings), key=order.index, default=Light.GREEN)


@dataclass(frozen=True)
class Pace:
    """How much use is left after a call: until when to make no further one, or to leave out what can wait.

    A page's own limit is one thing, that of the app through which all pages speak another. `slow` means that use
    grows: calls stay apart, and figures, which can wait, do.
    """

    wait_until: datetime | None = None
    """The account makes no call before this moment."""
    app_wait_until: datetime | None = None
    """No account that speaks through the same app makes a call before this moment."""
    slow_until: datetime | None = None
    app_slow_until: datetime | None = None


FREE: Final = Pace()
"""There is room: nobody waits."""


# --- Rules: need no secret and no network ---------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """Why a network would refuse a message; `code` names a sentence, `details` fill it."""

    code: str
    details: Mapping[str, str | int] = field(default_factory=dict)


class Rules(Protocol):
    """What a network takes, made by the same file that publishes, so that drafting and publishing say the same."""

    @property
    def network(self) -> Network:
        """Whose rules they are."""

    @property
    def can_gate(self) -> bool:
        """Whether this network can limit a post to a territory."""

    @property
    def max_pictures(self) -> int:
        """Most pictures of one post."""

    @property
    def keeps_link_apart(self) -> bool:
        """Whether a link travels beside the text (Facebook) rather than inside it (X)."""

    def length(self, text: str) -> int:
        """The length of a text as this network counts it."""

    @property
    def max_length(self) -> int:
        """The longest text that this network takes, in its own count."""

    def problems(self, message: Message) -> list[Problem]:
        """All reasons why the network would refuse this message; empty when it would take it."""

    def cost(self, message: Message) -> Decimal:
        """Price of publishing it, in US dollars; 0 where publishing is free."""


class Channel(Protocol):
    """One account on one network. Every method may raise a ChannelError and nothing else."""

    @property
    def rules(self) -> Rules:
        """What this network takes."""

    @property
    def pace(self) -> Pace:
        """After any call: how much use is left, for this account and for the app that it speaks through."""

    def prepare(self, message: Message) -> Prepared:
        """Upload what the message needs; may be repeated, shows nothing to anybody."""

    def publish(self, prepared: Prepared, deadline: Deadline) -> Receipt:
        """Make the one call that cannot be taken back; nothing is sent once the deadline has passed."""

    def find(self, message: Message, since: datetime) -> list[Receipt]:
        """The account's posts since a moment that say exactly this message: read-only, may be repeated."""

    def figures(self, receipts: Sequence[Receipt], asked: Sequence[Asked]) -> Figures:
        """What the network says now of these posts, of what is asked and no more: read-only, may be repeated."""

    def page_figures(self, asked: Sequence[AskedOfPage], since: date, until: date) -> list[PageFigure]:
        """What the network says of the page itself, day by day, both days included: read-only, may be repeated."""

    def remove(self, receipt: Receipt) -> None:
        """Take a post down; a post that is gone already is no error."""

    def check(self) -> Health:
        """Make a harmless call as the account and say how it is; a refused token is an answer, not an error."""

    def close(self) -> None:
        """Let go of connections."""


# --- What goes wrong --------------------------------------------------------------------------------


class ChannelError(Exception):
    """A call that did not go well; the class says what the hub does next.

    Messages never hold a token. `code` is the network's own code and `status` its HTTP status, for the record only.
    """

    def __init__(
        self, message: str, *, code: str | None = None, status: int | None = None, trace_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.trace_id = trace_id


class Refused(ChannelError):
    """Stop: this message will never be shown as it is."""


class Unauthorized(ChannelError):
    """Rest the account, its deliveries wait: token, permission, or credits used up."""


class Breadth(StrEnum):
    """Who waits when a network asks for it."""

    ACCOUNT = "account"
    APP = "app"
    """Every account that speaks through the same app."""
    READS = "reads"
    """Reading, for every account of the same app: publishing goes on."""


class Throttled(ChannelError):
    """Wait until `until` (None: the network did not say); not a failure, and nothing was sent."""

    def __init__(
        self,
        message: str,
        *,
        until: datetime | None = None,
        breadth: Breadth = Breadth.ACCOUNT,
        code: str | None = None,
        status: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status, trace_id=trace_id)
        self.until = until
        self.breadth = breadth


class Blocked(ChannelError):
    """Rest the account for hours and tell a person: the network blocks it for policy or spam."""


class Unreachable(ChannelError):
    """Nothing was sent: the connection was never made, or our own deadline had passed. Again, with patience."""


class Uncertain(ChannelError):
    """Maybe sent: read back. `duplicate` tells that the network refused it as a repeat of an earlier post."""

    def __init__(
        self,
        message: str,
        *,
        duplicate: bool = False,
        code: str | None = None,
        status: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status, trace_id=trace_id)
        self.duplicate = duplicate


# --- Small shared facts -----------------------------------------------------------------------------


def boot_clock() -> float:
    """Seconds on the boot-time clock, which also counts sleep; the monotonic clock where there is none."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


@dataclass(frozen=True)
class Deadline:
    """A moment on the boot-time clock after which nothing may be sent any more."""

    at: float
    clock: Callable[[], float] = boot_clock

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = boot_clock) -> Deadline:
        """A deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    @property
    def left(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - self.clock()

    @property
    def passed(self) -> bool:
        """Whether nothing may be sent any more."""
        return self.left <= 0


LARGEST: Final = 2**31 - 1
"""A greater number is no count of ours: databases would stumble over it."""


def whole(value: object) -> int | None:
    """A count as a network gives it; None for whatever is no whole number, or absurd."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= LARGEST else None


_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_SPACE = re.compile(r"\s+")


def normalised(text: str, *, mask_links: bool = False) -> str:
    """A text as it compares: entities undone, NFC, white space folded; on demand, links as `<link>`."""
    plain = unicodedata.normalize("NFC", html.unescape(text))
    if mask_links:
        plain = _URL.sub("<link>", plain)
    return _SPACE.sub(" ", plain).strip()
