"""What somebody who writes a post chooses from: territories, accounts, clocks, and what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from sqlmodel import Session

from hub.domain.account import NETWORK_NAMES, Account, AccountNetwork, AccountState
from hub.domain.clock import LOCAL, zone_info
from hub.domain.clock import ZONE_PLACES as ZONE_PLACES
from hub.domain.clock import place_of as place_of
from hub.domain.clock import zone_name as zone_name
from hub.domain.person import WRITERS, Actor
from hub.domain.territory import COUNTRY, Atlas, Level
from hub.language import _
from hub.services import agreeing, connecting, geotargeting

HOME_ZONE: Final = "Europe/Paris"


@dataclass(frozen=True)
class Pick:
    """One quick choice of an audience."""

    code: str
    label: str


@dataclass(frozen=True)
class Branch:
    """A territory of the tree, with those right below."""

    code: str
    name: str
    level: Level
    children: tuple[Branch, ...] = ()

    def codes(self) -> set[str]:
        """Its code and those of everything below."""
        return {self.code, *(code for child in self.children for code in child.codes())}


@dataclass(frozen=True)
class Choice:
    """An account that may be chosen, as its chooser sees it."""

    account: Account
    territory: str
    network: str
    proposed: bool
    """The audience suggests it."""
    trouble: str = ""
    """Why its deliveries would wait; empty when all is well."""

    @property
    def id(self) -> str:
        """Its number, as forms say it."""
        return str(self.account.id)


@dataclass(frozen=True)
class Wall:
    """What a wall time means where several clocks are meant: there, and in Paris."""

    places: tuple[str, ...]
    zone: str
    at: datetime


def home(by: Actor) -> str:
    """The territory for which somebody writes, when they name none."""
    return (by.territories(WRITERS) or [COUNTRY])[0]


def picks(land: Atlas, by: Actor) -> list[Pick]:
    """The audiences that one click should choose: one's own territories, their régions, everywhere."""
    own = by.territories(WRITERS)
    told: dict[str, str] = {code: _own_label(land, code) for code in own if code != COUNTRY}
    for code in own:
        region = land.parent(code)
        if region and land.nodes[region].level is Level.REGION and not land.same([code], region):
            told.setdefault(region, _("My région: {name}", name=land.name(region)))
    told[COUNTRY] = _("Everywhere: all of France")
    return [Pick(code, label) for code, label in told.items()]


def _own_label(land: Atlas, code: str) -> str:
    name = land.name(code)
    match land.nodes[code].level:
        case Level.ACADEMIE:
            return _("My académie: {name}", name=name)
        case Level.REGION:
            return _("My région: {name}", name=name)
        case _level:
            return _("My territory: {name}", name=name)


def tree(land: Atlas) -> list[Branch]:
    """France down to départements, by name, the mainland first; a région that is one académie is told as that one."""
    near = [code for code in land.children(COUNTRY) if land.zone(code) == HOME_ZONE]
    far = [code for code in land.children(COUNTRY) if land.zone(code) != HOME_ZONE]
    return [*_branches(land, near), *_branches(land, far)]


def _branches(land: Atlas, codes: Iterable[str]) -> list[Branch]:
    ordered = sorted(codes, key=lambda code: (land.name(code).casefold(), code))
    return [_branch(land, code) for code in ordered if land.nodes[code].level is not Level.COMMUNE]


def _branch(land: Atlas, code: str) -> Branch:
    node = land.nodes[code]
    children = _branches(land, land.children(code))
    if node.level is Level.REGION and len(children) == 1:
        return Branch(children[0].code, node.name, children[0].level, children[0].children)
    if len(children) == 1 and children[0].name == node.name:
        children = []
    return Branch(code, node.name, node.level, tuple(children))


def accounts(session: Session, audience: Sequence[str], land: Atlas, *, by: Actor) -> list[Choice]:
    """The accounts that somebody may choose, those that the audience suggests first."""
    proposed = (
        {account.id for account in geotargeting.proposed_accounts(session, audience, land)} if audience else set()
    )
    told = [
        Choice(
            account=account,
            territory=land.name(account.territory_code),
            network=_(NETWORK_NAMES[account.network]),
            proposed=account.id in proposed,
            trouble="" if account.state is AccountState.ACTIVE else connecting.standing(account),
        )
        for account in connecting.list_accounts(session, by)
    ]
    return sorted(told, key=lambda one: (not one.proposed, ORDER[one.account.network]))


ORDER: Final[Mapping[AccountNetwork, int]] = {AccountNetwork.FACEBOOK: 0, AccountNetwork.PORTAL: 1, AccountNetwork.X: 2}
"""In which order networks are shown."""


# --- Clocks ---------------------------------------------------------------------------------------------


def usual_time(session: Session, *, by: Actor, land: Atlas, at: datetime) -> datetime:
    """The wall time that a new post begins with: tomorrow, or the next day of work, at the hour that is agreed on."""
    day = at.astimezone(zone_info(land.zone(home(by)))).date() + timedelta(days=1)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return datetime.combine(day, time.fromisoformat(agreeing.policies(session).usual_time))


def zones(land: Atlas, by: Actor, chosen: str) -> list[tuple[str, str]]:
    """The clocks by which a post may be timed, each spelled out; the one chosen already is always among them."""
    own = land.zone(home(by))
    known = list(dict.fromkeys([LOCAL, HOME_ZONE, own, chosen or LOCAL]))
    return [(zone, zone_name(zone)) for zone in known]


def local_times(land: Atlas, audience: Sequence[str], chosen: Iterable[Account], wall: datetime) -> list[Wall]:
    """What one local time means for each clock of the audience, earliest first; a missing hour is left out."""
    told: dict[str, list[str]] = {}
    for zone in geotargeting.local_zones(land, audience, chosen):
        told.setdefault(zone, []).append(place_of(zone))
    walls = [Wall(tuple(places), zone, wall.replace(tzinfo=zone_info(zone))) for zone, places in told.items()]
    return sorted(walls, key=lambda one: one.at)
