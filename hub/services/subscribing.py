"""The calendar as a file for one's own calendar program, by a private link that opens nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from sqlmodel import Session, col, select

from channels import Network, Rules
from hub.domain.account import NETWORK_NAMES
from hub.domain.clock import local_day
from hub.domain.person import Actor, Scope, Token
from hub.domain.post import KIND_NAMES, fill
from hub.domain.territory import Atlas
from hub.language import _
from hub.services import calendaring, geotargeting, joining
from hub.services.calendaring import Entry, Standing, Wanted
from hub.services.geotargeting import Terms
from hub.services.showing import title

BEFORE: Final = timedelta(days=30)
AFTER: Final = timedelta(days=180)
"""How far the file reaches back and ahead."""

LASTS: Final = timedelta(days=366)
"""A link ends, but not so soon that everybody has to subscribe again each season."""

LENGTH: Final = timedelta(minutes=15)
"""How long a publication looks in a calendar: it has no length, and an event without one is not shown everywhere."""

MOST: Final = 5000
"""Most deliveries of one file: half a year of the whole country."""

SHOWN: Final = frozenset(Standing) - {Standing.DRAFT, Standing.RETURNED}
"""Drafts are nobody's promise; what was cancelled or taken down is told as such, so that programs strike it out."""

_STATUSES: Final[Mapping[Standing, str]] = {
    Standing.TO_APPROVE: "TENTATIVE",
    Standing.CANCELLED: "CANCELLED",
    Standing.REMOVED: "CANCELLED",
}


# --- The link -------------------------------------------------------------------------------------------


def make_link(session: Session, *, by: Actor, at: datetime) -> str:
    """A new private link's token, told this once; an earlier link of theirs ends."""
    joining.get_person(session, by.id, lock=True)  # of two made at once, the second one ends the first
    revoke_link(session, by=by, at=at)
    return joining.make_token(session, by.id, _("Calendar"), by=by, at=at, lasts=LASTS, scope=Scope.CALENDAR)


def revoke_link(session: Session, *, by: Actor, at: datetime) -> None:
    """End this person's private link; without one, nothing happens."""
    while (link := find_link(session, by=by, at=at)) is not None:
        assert link.id is not None
        joining.revoke_token(session, link.id, by=by, at=at)
        session.flush()


def find_link(session: Session, *, by: Actor, at: datetime) -> Token | None:
    """This person's private link as it stands, or None; its secret part is known to nobody any more."""
    query = (
        select(Token)
        .where(
            Token.person_id == by.id,
            Token.scope == Scope.CALENDAR,
            col(Token.revoked_at).is_(None),
            Token.expires_at > at,
        )
        .order_by(col(Token.id).desc())
    )
    return session.exec(query).first()


# --- The file -------------------------------------------------------------------------------------------


def file_for(
    session: Session, *, by: Actor, at: datetime, terms: Terms, rules: Mapping[Network, Rules], address: str
) -> bytes:
    """What this person may see, from the last month to the next six, as an iCalendar file.

    `address` is where this hub is reached, without a slash at its end.
    """
    home = ZoneInfo("Europe/Paris")
    today = local_day(at, home.key)
    wanted = Wanted(today - BEFORE, today + AFTER, standings=SHOWN)
    told = calendaring.entries(session, wanted, by=by, at=at, terms=terms, rules=rules, most=MOST)
    found = _last_of_each(told.entries)
    land = geotargeting.atlas(session, {code for entry in found for code in entry.zone_codes})
    book = empty_book(_("Relais: publications"), again="PT15M")
    book.add("method", "PUBLISH")
    for entry in found:
        book.add_component(_event(entry, land, at=at, address=address))
    return bytes(book.to_ical())


def empty_book(name: str, *, again: str) -> Calendar:
    """A calendar with nothing in it yet; `again` says after how long programs may ask anew, such as `PT15M`."""
    book = Calendar()
    book.add("version", "2.0")
    book.add("prodid", "-//Relais//Calendar//FR")
    book.add("x-wr-calname", name)
    book.add("x-published-ttl", again)
    return book


def _last_of_each(found: Sequence[Entry]) -> list[Entry]:
    """One line for each key: a cancelled delivery stands back behind the one that came after it."""
    kept: dict[str, Entry] = {}
    for entry in found:
        other = kept.get(key_of(entry))
        if other is None or _weight(entry) > _weight(other):
            kept[key_of(entry)] = entry
    return sorted(kept.values(), key=lambda entry: (entry.due_at, key_of(entry)))


def _weight(entry: Entry) -> tuple[bool, int]:
    number = entry.delivery.id or 0 if entry.delivery else 2**31
    return entry.standing is not Standing.CANCELLED, number


def key_of(entry: Entry) -> str:
    """What stays the same from the plan to the delivery, also when it is approved anew: account and limit of a post."""
    account = entry.account.id if entry.account else 0
    gate = entry.delivery.gate_key if entry.delivery else entry.planned.gate_key if entry.planned else ""
    return f"post-{entry.post.id}-{account}-{gate}"


def _event(entry: Entry, land: Atlas, *, at: datetime, address: str) -> Event:
    event = Event()
    event.add("uid", f"{key_of(entry)}@{urlsplit(address).hostname or 'relais'}")
    event.add("dtstamp", at)
    event.add("sequence", entry.post.version)
    event.add("dtstart", entry.due_at)
    event.add("dtend", entry.due_at + LENGTH)
    event.add("transp", "TRANSPARENT")
    event.add("summary", _summary(entry, _where(entry.zone_codes, land)))
    event.add("status", _STATUSES.get(entry.standing, "CONFIRMED"))
    event.add("url", f"{address}/equipe/publications/{entry.post.id}")
    event.add("categories", _categories(entry))
    event.add("description", _told(entry))
    return event


def _summary(entry: Entry, where: str) -> str:
    """Territory and first line, unless that begins with the territory itself."""
    words = title(fill(entry.post.text, {"territoire": where, "academie": where}), 80)
    return words if words.startswith(where) else f"{where} · {words}"


def _where(codes: Iterable[str], land: Atlas) -> str:
    names = sorted(land.name(code) for code in codes if code in land)
    return ", ".join(names) if len(names) <= 3 else _("{count} territories", count=len(names))


def _categories(entry: Entry) -> list[str]:
    network = [_(NETWORK_NAMES[entry.account.network])] if entry.account else []
    return [_(KIND_NAMES[entry.post.kind]), *network]


def _told(entry: Entry) -> str:
    day, hour = entry.wall_time[:10], entry.wall_time[11:16]
    lines = [
        _("State: {state}", state=entry.state_name),
        _("Account: {account}", account=entry.account.name if entry.account else "—"),
        _("Local time: {day} {hour} ({zone})", day=day, hour=hour, zone=entry.zone),
    ]
    return "\n".join(lines)
