"""Open days that sources tell of places: somebody makes a post of each, or not; none is published by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select

from hub.domain.audit import note
from hub.domain.errors import NotFound, WrongState
from hub.domain.event import Attendance
from hub.domain.person import WRITERS, Actor
from hub.domain.place import Place, PlaceProposal, ProposalState
from hub.domain.post import Post
from hub.domain.territory import COUNTRY, Atlas, Level, lineage
from hub.language import _, current_language, speaking
from hub.services import choosing, drafting, geotargeting, keeping_places, placing

PAGE: Final = 40
"""Proposals on one page."""

MOST_DAYS: Final = 14
"""Days of one open day that get their hours each; longer ones are told as one span."""

WAITING: Final = (ProposalState.PROPOSED, ProposalState.UNREAD)


@dataclass(frozen=True)
class Proposed:
    """An open day with the place that it is told of."""

    proposal: PlaceProposal
    place: Place


@dataclass(frozen=True)
class Span:
    """One date of a form: what is not known is empty, for somebody to say."""

    day: str
    begin: str
    end: str
    last: str = ""


@dataclass(frozen=True)
class Sketch:
    """What a post about an open day begins with."""

    text: str
    link: str
    attendance: Attendance
    venue: str
    address: str
    commune: str
    online: str
    zone: str
    audience: str
    spans: Sequence[Span]


# --- Looking --------------------------------------------------------------------------------------------------


def list_proposals(
    session: Session,
    *,
    by: Actor,
    at: datetime,
    state: ProposalState | None = None,
    place_id: int | None = None,
    limit: int = PAGE,
    offset: int = 0,
) -> list[Proposed]:
    """Open days of one's own places, the next ones first, those without a date last.

    Without a state: those that wait, past ones left out.
    """
    keeping_places.require_keeper(by)
    query = select(PlaceProposal, Place).join(Place, col(Place.id) == col(PlaceProposal.place_id))
    query = query.where(*_conditions(session, state, by=by, at=at))
    if place_id is not None:
        query = query.where(PlaceProposal.place_id == place_id)
    undated = col(PlaceProposal.first_day).is_(None)
    order = (undated, col(PlaceProposal.first_day), col(PlaceProposal.id))
    return [Proposed(*row) for row in session.exec(query.order_by(*order).limit(limit).offset(offset))]


def count_waiting(session: Session, *, by: Actor, at: datetime) -> int:
    """How many open days wait for somebody of these territories; 0 for who keeps no places."""
    if not keeping_places.can_keep(by):
        return 0
    query = select(func.count()).select_from(PlaceProposal).join(Place, col(Place.id) == col(PlaceProposal.place_id))
    return session.exec(query.where(*_conditions(session, None, by=by, at=at))).one()


def _conditions(session: Session, state: ProposalState | None, *, by: Actor, at: datetime) -> list[ColumnElement[bool]]:
    told: list[Any] = [keeping_places.own_land(session, by)]
    if state is not None:
        return [*told, col(PlaceProposal.state) == state]
    today = at.astimezone(ZoneInfo("Europe/Paris")).date() - timedelta(days=1)  # it may still be yesterday overseas
    last = func.coalesce(PlaceProposal.last_day, PlaceProposal.first_day)
    return [
        *told,
        *placing.is_living(),
        col(PlaceProposal.state).in_(WAITING),
        or_(col(PlaceProposal.first_day).is_(None), last >= today),
    ]


def get_proposal(session: Session, proposal_id: int, *, by: Actor, lock: bool = False) -> Proposed:
    """An open day of one of one's own places, or NotFound."""
    keeping_places.require_keeper(by)
    query = select(PlaceProposal).where(PlaceProposal.id == proposal_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    proposal = session.exec(query).one_or_none()
    place = session.get(Place, proposal.place_id) if proposal else None
    if proposal is None or place is None or not keeping_places.holds(session, place.territory_code, by=by):
        raise NotFound(_("There is no open day {number} of a place that you keep.", number=proposal_id))
    return Proposed(proposal, place)


def why_unread(proposal: PlaceProposal) -> str:
    """Why an open day has no date that one could go by."""
    if not any(letter.isdigit() for letter in proposal.text):
        return _("It names no day. Look at the website of the place, or call.")
    return _("Its days are not written in a way that Relais knows. Read the text, and choose them yourself.")


# --- Deciding -------------------------------------------------------------------------------------------------


def dismiss(session: Session, proposal_id: int, *, by: Actor, at: datetime) -> Proposed:
    """Make nothing of an open day."""
    proposed = get_proposal(session, proposal_id, by=by, lock=True)
    if proposed.proposal.state not in WAITING:
        raise WrongState(_("This open day waits no longer: somebody has decided about it."))
    _move(session, proposed, ProposalState.DISMISSED, "place.dismiss", by=by, at=at)
    return proposed


def recall(session: Session, proposal_id: int, *, by: Actor, at: datetime) -> Proposed:
    """Let an open day wait again that was dismissed."""
    proposed = get_proposal(session, proposal_id, by=by, lock=True)
    if proposed.proposal.state is not ProposalState.DISMISSED:
        raise WrongState(_("This open day was not dismissed."))
    state = ProposalState.PROPOSED if proposed.proposal.first_day else ProposalState.UNREAD
    _move(session, proposed, state, "place.recall", by=by, at=at)
    return proposed


def take(session: Session, proposal_id: int, post: Post, *, by: Actor, at: datetime) -> bool:
    """Note which post was made of an open day; False where somebody has made one already."""
    proposed = get_proposal(session, proposal_id, by=by, lock=True)
    if proposed.proposal.state is ProposalState.TAKEN:
        return False
    proposed.proposal.post_id = post.id
    _move(session, proposed, ProposalState.TAKEN, "place.propose", by=by, at=at)
    return True


def _move(session: Session, proposed: Proposed, state: ProposalState, action: str, *, by: Actor, at: datetime) -> None:
    proposed.proposal.state = state
    session.add(proposed.proposal)
    session.flush()
    told = {"text": proposed.proposal.text[:200]}
    if proposed.proposal.post_id is not None and state is ProposalState.TAKEN:
        told["post"] = str(proposed.proposal.post_id)
    note(session, action, f"place:{proposed.place.id}", by=by, at=at, after=told)


# --- A post about it ------------------------------------------------------------------------------------------


def sketch(session: Session, proposal_id: int, *, by: Actor) -> Sketch:
    """What a post about an open day begins with; what the source does not say is left for its author."""
    drafting.require_writer(by)
    proposed = get_proposal(session, proposal_id, by=by)
    if proposed.proposal.state is ProposalState.TAKEN:
        raise WrongState(_("A post was made of this open day already."))
    proposal, place = proposed.proposal, proposed.place
    land = geotargeting.atlas(session, [place.territory_code, *by.territories()])
    online = proposal.online and bool(place.website)
    return Sketch(
        text=_words(proposal, place, land),
        link=place.website,
        attendance=Attendance.ONLINE if online else Attendance.ON_SITE,
        venue=place.name[:250],
        address=place.address[:250],
        commune=place.territory_code.removeprefix("C-"),
        online=place.website if online else "",
        zone=land.zone(place.territory_code),
        audience=_audience(place, land, by),
        spans=_spans(proposal),
    )


def _audience(place: Place, land: Atlas, by: Actor) -> str:
    """The académie of the place; for somebody who writes for a part of it, that part."""
    path = lineage(land.nodes[place.territory_code].path)
    academie = next((code for code in path if code in land and land.nodes[code].level is Level.ACADEMIE), COUNTRY)
    own = [code for code in by.territories(WRITERS) if code in land and land.within(code, academie)]
    return next((code for code in own if land.within(place.territory_code, code)), _nearest(own, academie, by, land))


def _nearest(own: Sequence[str], academie: str, by: Actor, land: Atlas) -> str:
    """The académie for who writes for all of it; else what they write for."""
    wide = any(land.within(academie, code) for code in by.territories(WRITERS) if code in land)
    return academie if wide else next(iter(own), choosing.home(by))


def _spans(proposal: PlaceProposal) -> list[Span]:
    """A date for each day, since its hours are those of each; one for all where no hours are known."""
    first, last = proposal.first_day, proposal.last_day or proposal.first_day
    if first is None or last is None:
        return []
    begin, end = proposal.from_hour, proposal.to_hour
    days = (last - first).days + 1
    if days > MOST_DAYS or not (begin and end):
        return [Span(first.isoformat(), begin, end, last.isoformat() if days > 1 else "")]
    return [Span((first + timedelta(days=number)).isoformat(), begin, end) for number in range(days)]


def _words(proposal: PlaceProposal, place: Place, land: Atlas) -> str:
    """The text of the post: in French, as all of them are, whatever its author's browser speaks."""
    with speaking("fr"):
        where = ", ".join(part for part in (place.name, place.address, _commune(place, land)) if part)
        lines = [
            _("Open day: {name}", name=place.name),
            "",
            _when(proposal),
            "" if proposal.online else _("Where: {place}", place=where),
            proposal.note,
            _("Information: {phone}", phone=place.phone) if place.phone else "",
        ]
    title, gap, *rest = lines
    return "\n".join([title, gap, *(line for line in rest if line)])


def _commune(place: Place, land: Atlas) -> str:
    return f"{place.postcode} {land.name(place.territory_code)}".strip()


def _when(proposal: PlaceProposal) -> str:
    """When it is, in a sentence; as the source has it where no date could be told."""
    if proposal.first_day is None:
        return proposal.text
    first, last = _day(proposal.first_day), _day(proposal.last_day or proposal.first_day)
    days = _("On {day}", day=first) if first == last else _("From {first} to {last}", first=first, last=last)
    if proposal.from_hour and proposal.to_hour:
        return _("{days}, from {begin} to {end}", days=days, begin=proposal.from_hour, end=proposal.to_hour)
    return _("{days}, from {begin} on", days=days, begin=proposal.from_hour) if proposal.from_hour else days


def _day(on: date) -> str:
    return str(format_date(on, "EEEE d MMMM y", locale=current_language()))
