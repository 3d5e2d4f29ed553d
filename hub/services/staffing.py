"""People as those who keep them see them: who is here, with which roles, how they come in, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from hub.domain.audit import note
from hub.domain.errors import Invalid, NotFound, WrongState
from hub.domain.person import Actor, HeldRole, Person, RoleKind
from hub.domain.sign_in import Purpose, SecondFactor, Ticket
from hub.domain.territory import Atlas, Level, search_key
from hub.language import N_, _
from hub.services import geotargeting, joining, visiting

PAGE: Final = 40
"""People on one page."""


class Access(StrEnum):
    """Whether somebody can come in."""

    OPEN = "open"
    INVITED = "invited"
    LAPSED = "lapsed"
    """Invited, but the link has ended."""
    DISABLED = "disabled"


ACCESS_NAMES: Final[Mapping[Access, str]] = {
    Access.OPEN: N_("can sign in"),
    Access.INVITED: N_("invited"),
    Access.LAPSED: N_("invitation ended"),
    Access.DISABLED: N_("shut out"),
}


@dataclass(frozen=True)
class Member:
    """A person with what their keeper must know."""

    person: Person
    roles: tuple[HeldRole, ...]
    access: Access
    link_until: datetime | None
    """Until when an invitation is good."""
    has_factor: bool

    @property
    def id(self) -> int:
        """Their number."""
        assert self.person.id is not None
        return self.person.id


@dataclass(frozen=True)
class Wanted:
    """Whom somebody looks for; empty: everybody."""

    words: str = ""
    kind: RoleKind | None = None
    access: Access | None = None


@dataclass(frozen=True)
class Group:
    """Territories to choose from, under one heading."""

    name: str
    territories: tuple[tuple[str, str], ...]


# --- Who is here ----------------------------------------------------------------------------------------


def members(session: Session, wanted: Wanted, *, by: Actor, at: datetime) -> list[Member]:
    """The people that this administrator keeps or meets, by name; NotAllowed for everybody else."""
    joining.require_people_keeper(by, geotargeting.atlas(session), [])
    land = geotargeting.atlas(session, by.territories({RoleKind.ADMINISTRATOR}))
    known = [(person, held) for person, held in joining.list_people(session) if _is_visible(by, land, held)]
    links, factors = _links(session, at), _factors(session)
    found = [_member(person, held, links, factors) for person, held in known]
    return sorted((one for one in found if _fits(one, wanted)), key=lambda one: search_key(one.person.name))


def get_member(session: Session, person_id: int, *, by: Actor, at: datetime) -> Member:
    """One of them; NotFound for those of elsewhere."""
    joining.require_people_keeper(by, geotargeting.atlas(session), [])
    person = joining.get_person(session, person_id)
    held = joining.list_roles(session, person_id)
    if not _is_visible(by, geotargeting.atlas(session), held):
        raise NotFound(_("There is no person {ref}.", ref=person_id))
    return _member(person, held, _links(session, at), _factors(session))


def keeps(session: Session, member: Member, *, by: Actor) -> bool:
    """Whether this administrator may change this person: only one for all that they hold may."""
    codes = [role.territory_code for role in member.roles]
    land = geotargeting.atlas(session, codes)
    return not codes or by.holds_for_all(land, {RoleKind.ADMINISTRATOR}, codes)


def _is_visible(by: Actor, land: Atlas, held: Sequence[HeldRole]) -> bool:
    kept = by.territories({RoleKind.ADMINISTRATOR})
    return not held or any(land.within(role.territory_code, own) for role in held for own in kept)


def _links(session: Session, at: datetime) -> dict[int, datetime]:
    """Until when invitations are good, by person."""
    query = select(Ticket.person_id, Ticket.expires_at).where(
        Ticket.purpose == Purpose.INVITATION, col(Ticket.used_at).is_(None), Ticket.expires_at > at
    )
    return dict(session.exec(query).all())


def _factors(session: Session) -> set[int]:
    return set(session.exec(select(SecondFactor.person_id)))


def _member(person: Person, held: Iterable[HeldRole], links: Mapping[int, datetime], factors: set[int]) -> Member:
    number = person.id or 0
    until = links.get(number)
    if person.disabled_at is not None:
        access = Access.DISABLED
    elif person.password_hash is not None:
        access = Access.OPEN
    else:
        access = Access.INVITED if until is not None else Access.LAPSED
    return Member(person, tuple(held), access, until if access is Access.INVITED else None, number in factors)


def _fits(member: Member, wanted: Wanted) -> bool:
    if wanted.access is not None and member.access is not wanted.access:
        return False
    if wanted.kind is not None and wanted.kind not in {role.kind for role in member.roles}:
        return False
    told = f"{search_key(member.person.name)} {member.person.email} {search_key(member.person.email)}"
    return all(word in told for word in (search_key(part) for part in wanted.words.split()) if word)


# --- What can be done -----------------------------------------------------------------------------------


def invite(
    session: Session, *, email: str, name: str, kind: RoleKind, territory_code: str, by: Actor, at: datetime
) -> tuple[Person, str]:
    """Add a person with a first role, and make the link by which they choose a password."""
    person, plain = visiting.invite(session, email=email, name=name, by=by, at=at)
    assert person.id is not None
    give_role(session, person.id, kind, territory_code, by=by, at=at)
    return person, plain


def end_sessions(session: Session, person_id: int, *, by: Actor, at: datetime) -> int:
    """End every session of somebody whom one keeps; how many there were."""
    joining.require_keeper_of(session, person_id, by)
    count = joining.end_sessions(session, person_id, at=at)
    note(session, "session.end_all", f"person:{person_id}", by=by, at=at, after={"sessions": count})
    return count


def shut_out(session: Session, person_id: int, *, by: Actor, at: datetime) -> None:
    """Disable somebody; nobody does so to themselves, or the last administrator would be gone by mistake."""
    if by.id == person_id:
        raise WrongState(_("Nobody shuts themselves out. Ask another administrator."))
    joining.disable(session, person_id, by=by, at=at)


def give_role(
    session: Session, person_id: int, kind: RoleKind, territory_code: str, *, by: Actor, at: datetime
) -> None:
    """Let somebody hold a role; a territory that nobody knows is a field left empty."""
    try:
        joining.give_role(session, person_id, kind, territory_code, by=by, at=at)
    except NotFound as error:
        raise Invalid(_("Choose the territory."), field="territory") from error


def territories_to_give(session: Session, *, by: Actor) -> list[Group]:
    """The territories that this administrator may give roles for, from wide to narrow."""
    land = geotargeting.atlas(session)
    kept = by.territories({RoleKind.ADMINISTRATOR})
    mine = {
        code
        for code, node in land.nodes.items()
        if node.level is not Level.COMMUNE and node.ended_on is None and any(land.within(code, own) for own in kept)
    }
    by_name = sorted(mine, key=lambda code: (land.nodes[code].level is not Level.COUNTRY, search_key(land.name(code))))
    wide = [code for code in by_name if land.nodes[code].level in {Level.COUNTRY, Level.REGION}]
    academies = [code for code in by_name if land.nodes[code].level is Level.ACADEMIE]
    narrow = [code for code in by_name if land.nodes[code].level is Level.DEPARTEMENT]
    above = sorted({land.parent(code) or "" for code in narrow}, key=lambda code: search_key(land.name(code)))
    groups = [
        _group(land, _("France and régions académiques"), wide),
        _group(land, _("Académies and overseas"), academies),
        *(_group(land, land.name(one), [code for code in narrow if land.parent(code) == one]) for one in above),
    ]
    return [group for group in groups if group.territories]


def _group(land: Atlas, name: str, codes: Iterable[str]) -> Group:
    return Group(name, tuple((code, land.name(code)) for code in codes))
