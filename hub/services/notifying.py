"""Telling people by mail: notices made from what is so now, gathered into letters, and what became of those."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, func, select

from hub.domain import notice as notices
from hub.domain.audit import note
from hub.domain.notice import Notice, Rhythm
from hub.domain.person import Actor, HeldRole, Person, Role
from hub.domain.policy import Policies
from hub.domain.table import by_letters
from hub.mail import Mail, NotSent
from hub.services import agreeing, joining, letters, matters, visiting

ON_ITS_WAY: Final = timedelta(minutes=5)
"""A letter that was taken and of which nothing was heard, since its process died, is sent again after this."""

FORGOTTEN_AFTER: Final = timedelta(days=400)
"""So long it is kept who was told of what."""

GIVEN_UP_SHOWN: Final = timedelta(days=7)
"""So long those who keep the machine hear of mails that were given up."""

WORTH_TELLING: Final = 3
"""So many failed tries are no hiccup."""

MOST_FORGOTTEN: Final = 500

_OPEN: Final[tuple[ColumnElement[bool], ...]] = (col(Notice.sent_at).is_(None), col(Notice.given_up_at).is_(None))


@dataclass(frozen=True)
class Letter:
    """One mail to one person, and the notices that it settles."""

    notice_ids: tuple[int, ...]
    person_id: int
    mail: Mail


# --- Making notices -------------------------------------------------------------------------------------------


def missing(session: Session, *, at: datetime) -> list[Notice]:
    """A notice for everybody whom something concerns that nobody was told of yet; only reads."""
    agreed = agreeing.policies(session)
    untold = matters.untold(session, at=at, agreed=agreed)
    people = _readers(session) if untold else []
    zones = {actor.id: visiting.home_zone(session, actor) for _person, actor in people}
    return [
        Notice(
            person_id=actor.id,
            kind=matter.kind,
            thing=matter.thing,
            occasion=matter.occasion,
            made_at=at,
            due_at=_due_at(person, zones[actor.id], agreed, ends_at=matter.ends_at, at=at),
        )
        for matter in untold
        for person, actor in people
        if matter.concerns(actor)
    ]


def _readers(session: Session) -> list[tuple[Person, Actor]]:
    """Everybody who wants mails, with the roles of this moment."""
    held: dict[int, list[HeldRole]] = {}
    for role in session.exec(select(Role).order_by(by_letters(col(Role.kind)), by_letters(col(Role.territory_code)))):
        held.setdefault(role.person_id, []).append(HeldRole(role.kind, role.territory_code))
    query = select(Person).where(col(Person.disabled_at).is_(None), Person.mail_rhythm != Rhythm.NEVER)
    return [
        (one, Actor(id=one.id, email=one.email, name=one.name, roles=tuple(held[one.id])))
        for one in session.exec(query.order_by(col(Person.id)))
        if one.id in held
    ]


def _due_at(person: Person, zone: str, agreed: Policies, *, ends_at: datetime | None, at: datetime) -> datetime:
    return notices.due_at(person.mail_rhythm, at=at, hour=agreed.daily_mail_hour, zone=zone, ends_at=ends_at)


# --- Letters --------------------------------------------------------------------------------------------------


def take_letter(session: Session, *, at: datetime, public_url: str) -> Letter | None:
    """The next letter that is due, marked as on its way; what is no longer true, or not wanted, is dropped."""
    while (person_id := _next_reader(session, at=at)) is not None:
        query = select(Notice).where(*_OPEN, Notice.person_id == person_id, Notice.due_at <= at)
        due = session.exec(query.order_by(col(Notice.id)).with_for_update()).all()
        person = joining.get_person(session, person_id)
        told = _still_told(session, person, due, at=at)
        for one in due:
            if one.id in told:
                one.due_at = at + ON_ITS_WAY
                session.add(one)
            else:
                # Forgotten rather than marked: should it become true again, it is told.
                session.delete(one)
        session.flush()
        if told:
            ids = tuple(sorted(told))
            mail = letters.of_matters(
                person, list(told.values()), at=at, public_url=public_url, mark=",".join(map(str, ids))
            )
            return Letter(ids, person_id, mail)
    return None


def any_due(session: Session, *, at: datetime) -> bool:
    """Whether somebody is to be told something now."""
    return _next_reader(session, at=at) is not None


def _next_reader(session: Session, *, at: datetime) -> int | None:
    query = select(Notice.person_id).where(*_OPEN, Notice.due_at <= at).order_by(col(Notice.due_at), col(Notice.id))
    return session.exec(query.limit(1)).first()


def _still_told(session: Session, person: Person, due: Sequence[Notice], *, at: datetime) -> dict[int, matters.Matter]:
    """What of this is still so, and still concerns this person, with the roles of this moment."""
    if person.disabled_at is not None or person.mail_rhythm is Rhythm.NEVER or person.id is None:
        return {}
    actor = joining.actor_for(session, person.id)
    true = matters.still_true(session, due, at=at, agreed=agreeing.policies(session))
    return {number: one for number, one in true.items() if one.concerns(actor)}


def note_sent(session: Session, letter: Letter, *, at: datetime) -> None:
    """The mail left."""
    for one in _notices(session, letter.notice_ids):
        one.sent_at, one.trouble = at, None
        session.add(one)


def note_failure(session: Session, letter: Letter, why: NotSent, *, at: datetime) -> None:
    """The mail did not leave: again later, or given up; where no mail leaves at all, everybody's wait together."""
    waiting = list(_notices(session, letter.notice_ids))
    if why.everybody:
        waiting += session.exec(select(Notice).where(*_OPEN, Notice.due_at <= at).with_for_update()).all()
    for one in waiting:
        one.tries += 1
        one.trouble = str(why)
        wait = None if why.lasting else notices.wait_after(one.tries)
        if wait is None:
            one.given_up_at = at
        else:
            one.due_at = at + wait
        session.add(one)


def _notices(session: Session, ids: Collection[int]) -> Iterable[Notice]:
    """Those that are still there and open."""
    return session.exec(select(Notice).where(*_OPEN, col(Notice.id).in_(ids)).with_for_update()).all()


def forget(session: Session, *, at: datetime) -> int:
    """Forget who was told of what long ago; return how much that was."""
    old = select(Notice.id).where(col(Notice.sent_at) < at - FORGOTTEN_AFTER).limit(MOST_FORGOTTEN)
    ids = session.exec(old).all()
    if ids:
        session.exec(delete(Notice).where(col(Notice.id).in_(ids)))
    return len(ids)


# --- What people choose, and what the machine's keepers see ---------------------------------------------------


def choose_rhythm(session: Session, rhythm: Rhythm, *, by: Actor, at: datetime) -> None:
    """Let a person have their mails at once, daily or never; what waits already follows."""
    person = joining.get_person(session, by.id, lock=True)
    before = person.mail_rhythm
    if before is rhythm:
        return
    person.mail_rhythm = rhythm
    session.add(person)
    untried = select(Notice).where(*_OPEN, Notice.person_id == by.id, Notice.tries == 0).order_by(col(Notice.id))
    waiting = session.exec(untried.with_for_update()).all()
    agreed, zone = agreeing.policies(session), visiting.home_zone(session, by)
    for one in waiting:
        if rhythm is Rhythm.NEVER:
            session.delete(one)
        elif one.due_at <= at or rhythm is Rhythm.AT_ONCE:
            one.due_at = _due_at(person, zone, agreed, ends_at=None, at=at)
            session.add(one)
    note(session, "person.mails", f"person:{by.id}", by=by, at=at, before={"mails": before}, after={"mails": rhythm})


@dataclass(frozen=True)
class Backlog:
    """Mails that do not leave: how many notices wait after failed tries, how many were given up, and why last."""

    waiting: int
    given_up: int
    why: str


def backlog(session: Session, *, at: datetime) -> Backlog:
    """What those who keep the machine should know of mails."""
    late: list[ColumnElement[bool]] = [*_OPEN, col(Notice.tries) >= WORTH_TELLING]
    lost: list[ColumnElement[bool]] = [col(Notice.given_up_at) > at - GIVEN_UP_SHOWN]
    waiting, given_up = (
        session.exec(select(func.count()).select_from(Notice).where(*which)).one() for which in (late, lost)
    )
    last = select(Notice.trouble).where(*(late if waiting else lost)).order_by(col(Notice.id).desc()).limit(1)
    return Backlog(waiting, given_up, session.exec(last).first() or "")
