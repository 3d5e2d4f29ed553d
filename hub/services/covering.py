"""The coverage board: what each territory said last, says next, and whether it has fallen silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import sqlalchemy
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from channels import Light
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.clock import local_day
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.errors import NotFound
from hub.domain.gate import OPEN
from hub.domain.person import Actor
from hub.domain.policy import Policies
from hub.domain.post import Post, PostAudience, PostState
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Atlas, Level, Territory, lineage, search_key
from hub.language import _
from hub.services import geotargeting
from hub.services.showing import title

COMING: Final = (DeliveryState.WAITING, DeliveryState.CLAIMED, DeliveryState.SENDING)
"""Deliveries that have not gone out yet and will."""

AROUND: Final = timedelta(hours=14)
"""No clock on Earth is further from UTC."""

RECENT: Final = timedelta(days=30)
"""Last posts are looked for in this time first: further back only for territories that were silent all along."""

NEAR: Final = 8
"""How many posts to come, and last ones, are told of one territory."""


class Health(StrEnum):
    """How the accounts of a territory are together: as the worst of them. In order, the worst first."""

    TROUBLE = "trouble"
    """At least one does not publish, or its last check was red."""
    CARE = "care"
    """At least one needs somebody soon."""
    UNCHECKED = "unchecked"
    GOOD = "good"
    NONE = "none"
    """No account speaks for this territory alone."""


class Standing(StrEnum):
    """What a territory is shown as on the map; the first that holds."""

    TROUBLE = "trouble"
    SILENT = "silent"
    FINE = "fine"


@dataclass(frozen=True)
class Told:
    """A delivery as the board names it."""

    delivery_id: int
    post_id: int
    account_id: int
    state: DeliveryState
    at: datetime
    """When it went out, or is due."""
    title: str = ""
    account: str = ""


@dataclass(frozen=True)
class Covered:
    """One line of the board."""

    code: str
    name: str
    zone: str
    last: Told | None
    next: Told | None
    published: int
    """Posts of this ISO week that are out, by the days of the territory itself."""
    planned: int
    """Posts of this ISO week that are still to come."""
    to_approve: int
    accounts: Sequence[Account]
    health: Health
    silence: int | None
    """Days since it last said something of its own, by its own calendar; None: never."""
    silent: bool

    @property
    def standing(self) -> Standing:
        """What it is shown as."""
        if self.health is Health.TROUBLE:
            return Standing.TROUBLE
        return Standing.SILENT if self.silent else Standing.FINE


@dataclass(frozen=True)
class Board:
    """The board of one person: their territories, and what reaches several of them from above."""

    territories: list[Covered]
    wider: list[Covered]
    """France, and each région of several académies that has posts or accounts of its own."""


@dataclass(frozen=True)
class Near:
    """One line of the board from near: its newest posts, the next ones, and what reaches it from above."""

    line: Covered
    last: list[Told]
    next: list[Told]
    above: list[Covered]


def board(session: Session, *, by: Actor, at: datetime, policies: Policies) -> Board:
    """How each territory of this person is covered at a moment; others are not theirs.

    Silence counts from the last post meant for the territory itself: what reaches everybody fills no gap there.
    """
    facts = _read(session, by=by, at=at, most=1)
    names = _names(session, [one for some in (*facts.last.values(), *facts.next.values()) for one in some[:1]])
    territories, wider = facts.places.territories(), facts.wider()
    told = {code: _covered(facts, code, names, at=at, policies=policies) for code in (*territories, *wider)}
    return Board([told[code] for code in territories], [told[code] for code in wider])


def territory(session: Session, code: str, *, by: Actor, at: datetime, policies: Policies) -> Near:
    """One territory of the board from near, or NotFound when it is not this person's."""
    facts = _read(session, by=by, at=at, most=4 * NEAR)
    lines = [*facts.places.territories(), *facts.wider()]
    if code not in lines:
        raise NotFound(_("There is no territory {code} on your coverage board.", code=code))
    last, coming = _posts(facts.last.get(code, [])), _posts(facts.next.get(code, []))
    above = [other for other in facts.wider() if other != code and facts.places.land.within(code, other)]
    over = [one for other in above for some in (facts.last, facts.next) for one in some.get(other, [])[:1]]
    names = _names(session, [*last, *coming, *over])
    return Near(
        _covered(facts, code, names, at=at, policies=policies),
        last=[_named(one, names) for one in last],
        next=[_named(one, names) for one in coming],
        above=[_covered(facts, other, names, at=at, policies=policies) for other in above],
    )


def health_of(account: Account, *, at: datetime, policies: Policies) -> Health:
    """How one account is."""
    stopped = account.state in {AccountState.PAUSED, AccountState.RESTING}
    blocked = account.state is AccountState.BLOCKED and not account.may_call(at)
    ends = account.token_expires_at
    if stopped or blocked or account.light == Light.RED.value or (ends is not None and ends <= at):
        return Health.TROUBLE
    soon = ends is not None and ends - at < timedelta(days=policies.token_warning_days)
    if soon or account.light == Light.AMBER.value:
        return Health.CARE
    if account.light is None and account.network is not AccountNetwork.PORTAL:
        return Health.UNCHECKED
    return Health.GOOD


# --- Which line of the board ----------------------------------------------------------------------------


class _Land(NamedTuple):
    """By what the land of a delivery is known."""

    territory: str
    provenance: Provenance
    gated: bool
    audience: str


_Lines = dict[str, list[Told]]


class _Places:
    """From the land of a delivery or post to the line of the board that it belongs to, for one person."""

    def __init__(self, land: Atlas, own: Iterable[str]) -> None:
        self.land = land
        self.own = [code for code in own if code in land]
        self._known: dict[str, str | None] = {}

    def line(self, code: str) -> str | None:
        """The académie that holds a territory, or itself when it is wider; None when it is not this person's."""
        if code not in self._known:
            mine = code in self.land and any(self.land.meet(code, other) for other in self.own)
            self._known[code] = self._line(code) if mine else None
        return self._known[code]

    def _line(self, code: str) -> str:
        nodes = self.land.nodes
        for above in lineage(nodes[code].path):
            if nodes[above].level is Level.ACADEMIE:
                return above
        below = self.land.academies_of([code])
        return below[0] if len(below) == 1 else code

    def line_of(self, meant: _Land) -> str | None:
        """The line of a delivery: of its gate, without one of its account; X has no gates, there the audience tells.

        So an académie's page that shows a national post speaks for its académie, and so does a post of the national
        page that is limited to it; a national post without a limit is France's alone.
        """
        if meant.provenance is Provenance.ORIGIN:
            return self.line(meant.audience)
        if not meant.gated:
            return self.line(meant.territory)
        if meant.audience not in self.land or meant.territory not in self.land:
            return None
        both = self.land.meet(meant.audience, meant.territory)
        return self.line(both) if both else None

    def sorted(self, rows: Iterable[tuple[Told, _Land]], *, latest: bool = False) -> _Lines:
        """What was told, by line, by time."""
        lines: _Lines = {}
        for told, meant in rows:
            if (code := self.line_of(meant)) is not None:
                lines.setdefault(code, []).append(told)
        for some in lines.values():
            some.sort(key=lambda told: (told.at, told.delivery_id), reverse=latest)
        return lines

    def territories(self) -> list[str]:
        """The académies and overseas services of this person, by name."""
        codes = [code for code, node in self.land.nodes.items() if node.level is Level.ACADEMIE and self.line(code)]
        return sorted(codes, key=lambda code: search_key(self.land.name(code)))


# --- Reading --------------------------------------------------------------------------------------------


@dataclass
class _Facts:
    """What was read, by line of the board."""

    places: _Places
    last: _Lines
    next: _Lines
    week: _Lines
    waiting: dict[str, set[int]] = field(default_factory=dict)
    accounts: dict[str, list[Account]] = field(default_factory=dict)

    def wider(self) -> list[str]:
        """Lines that are wider than one territory: France always, a région when there is something to tell."""
        land = self.places.land
        spoken = {*self.last, *self.next, *self.week, *self.waiting, *self.accounts}
        wide = {code for code in spoken if land.nodes[code].level in {Level.COUNTRY, Level.REGION}}
        return sorted(wide | ({COUNTRY} if self.places.own else set()))


def _read(session: Session, *, by: Actor, at: datetime, most: int) -> _Facts:
    """Everything that the board tells, in as many questions however many posts and territories there are."""
    own = by.territories()
    recent = col(Delivery.due_at) >= at - RECENT
    last = _nearest(session, recent, col(Delivery.state) == DeliveryState.SENT, latest=True, most=most)
    coming = _nearest(session, col(Delivery.state).in_(COMING), latest=False, most=most)
    week = _around(session, at)
    waiting = session.execute(
        select(PostAudience.territory_code, PostAudience.post_id)
        .join(Post, col(Post.id) == col(PostAudience.post_id))
        .where(Post.state == PostState.SUBMITTED)
    ).all()
    accounts = session.exec(select(Account).order_by(by_letters(col(Account.network)), col(Account.id))).all()
    codes = {code for code, _post_id in waiting} | {account.territory_code for account in accounts} | set(own)
    places = _places(session, codes, [*last, *coming, *week], own)
    told = places.sorted(last, latest=True)
    if silent := [code for code in (COUNTRY, *places.territories()) if len(told.get(code, [])) < most]:
        older = _older(session, silent, places.land, at=at, most=most)
        places = _places(session, codes, [*last, *older, *coming, *week], own)
        told = places.sorted({*last, *older}, latest=True)
    facts = _Facts(places, told, places.sorted(coming), places.sorted(week))
    for code, post_id in waiting:
        if line := places.line(code):
            facts.waiting.setdefault(line, set()).add(post_id)
    for account in accounts:
        if line := places.line(account.territory_code):
            facts.accounts.setdefault(line, []).append(account)
    return facts


def _places(session: Session, codes: set[str], rows: Iterable[tuple[Told, _Land]], own: Sequence[str]) -> _Places:
    named = {code for _one, meant in rows for code in (meant.territory, meant.audience)}
    return _Places(geotargeting.atlas(session, codes | named), own)


def _older(session: Session, codes: Sequence[str], land: Atlas, *, at: datetime, most: int) -> list[tuple[Told, _Land]]:
    """The last deliveries of these territories that are not recent: by their own land, and by that of their posts."""
    upper = [code for code in land.nodes if any(land.within(code, one) for one in codes if one != COUNTRY)]
    within = select(Territory.code).where(
        col(Territory.code).in_([*upper, COUNTRY]) | col(Territory.parent_code).in_(upper)
    )
    old = (col(Delivery.state) == DeliveryState.SENT, col(Delivery.due_at) < at - RECENT)
    return [
        *_nearest(session, *old, col(Delivery.territory_code).in_(within), latest=True, most=most),
        *_nearest(session, *old, col(PostAudience.territory_code).in_(within), latest=True, most=most),
    ]


_GATED: Final = col(Delivery.gate_key) != OPEN


def _of_audience(moment: Any, *also: ColumnElement[Any]) -> Any:
    """Deliveries, each once for every territory of its post's audience."""
    return sqlalchemy.select(
        col(Delivery.id),
        col(Delivery.post_id),
        col(Delivery.account_id),
        col(Delivery.state),
        moment.label("moment"),
        col(Delivery.territory_code),
        col(Delivery.provenance),
        _GATED.label("gated"),
        col(PostAudience.territory_code).label("audience"),
        *also,
    ).join(PostAudience, col(PostAudience.post_id) == col(Delivery.post_id))


def _nearest(session: Session, *which: ColumnElement[bool], latest: bool, most: int) -> list[tuple[Told, _Land]]:
    """The last of these deliveries for each land, or the next ones: so many of each."""
    moment: Any = col(Delivery.sent_at) if latest else col(Delivery.due_at)
    place = func.row_number().over(
        partition_by=(Delivery.territory_code, Delivery.provenance, _GATED, PostAudience.territory_code),
        order_by=(moment.desc() if latest else moment.asc(), col(Delivery.id)),
    )
    ranked = _of_audience(moment, place.label("place")).where(*which).subquery()
    return _told(session.execute(sqlalchemy.select(*list(ranked.c)[:-1]).where(ranked.c.place <= most)))


def _around(session: Session, at: datetime) -> list[tuple[Told, _Land]]:
    """What is due on a day that is of this week somewhere on Earth, whether it is out or not."""
    begin = datetime.combine(at.date() - timedelta(days=at.weekday() + 1), time(), UTC) - AROUND
    query = _of_audience(col(Delivery.due_at)).where(
        col(Delivery.due_at).between(begin, begin + timedelta(days=9) + 2 * AROUND),
        col(Delivery.state).in_([*COMING, DeliveryState.SENT]),
    )
    return _told(session.execute(query))


def _told(rows: Iterable[Any]) -> list[tuple[Told, _Land]]:
    return [(Told(*row[:5]), _Land(row[5], row[6], bool(row[7]), row[8])) for row in rows]


_Names = Mapping[int, tuple[str, str]]
"""Delivery → the first line of its words, and the name of its account."""


def _names(session: Session, told: Iterable[Told]) -> _Names:
    query = (
        select(Delivery.id, Delivery.text, Account.name)
        .join(Account, col(Account.id) == col(Delivery.account_id))
        .where(col(Delivery.id).in_({one.delivery_id for one in told}))
    )
    return {number: (title(text), account) for number, text, account in session.exec(query) if number is not None}


# --- Telling --------------------------------------------------------------------------------------------


def _covered(facts: _Facts, code: str, names: _Names, *, at: datetime, policies: Policies) -> Covered:
    node = facts.places.land.nodes[code]
    last, coming = facts.last.get(code, [])[:1], facts.next.get(code, [])[:1]
    accounts = facts.accounts.get(code, [])
    today = local_day(at, node.zone)
    silence = max(0, (today - local_day(last[0].at, node.zone)).days) if last else None
    week = [one for one in facts.week.get(code, []) if _same_week(one.at, at, node.zone)]
    published = {one.post_id for one in week if one.state is DeliveryState.SENT}
    return Covered(
        code=code,
        name=node.name,
        zone=node.zone,
        last=_named(last[0], names) if last else None,
        next=_named(coming[0], names) if coming else None,
        published=len(published),
        planned=len({one.post_id for one in week} - published),
        to_approve=len(facts.waiting.get(code, ())),
        accounts=accounts,
        health=_worst(health_of(account, at=at, policies=policies) for account in accounts),
        silence=silence,
        silent=silence is None or silence >= policies.silence_days,
    )


def _same_week(one: datetime, other: datetime, zone: str) -> bool:
    return local_day(one, zone).isocalendar()[:2] == local_day(other, zone).isocalendar()[:2]


def _worst(healths: Iterable[Health]) -> Health:
    order = list(Health)
    return min(healths, key=order.index, default=Health.NONE)


def _named(told: Told, names: _Names) -> Told:
    words, account = names.get(told.delivery_id, ("", ""))
    return replace(told, title=words, account=account)


def _posts(told: Sequence[Told]) -> list[Told]:
    """The first few posts, each once though it went to several accounts."""
    once: dict[int, Told] = {}
    for one in told:
        once.setdefault(one.post_id, one)
    return list(once.values())[:NEAR]
