"""Items as files that programs follow: Atom (RFC 4287) and iCalendar (RFC 5545). The same items make the same file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as Xml

from icalendar import Event as Entry

from hub.domain.event import Attendance, Event, Span
from hub.domain.place import Commune
from hub.domain.post import KIND_NAMES
from hub.language import _
from hub.services import describing, subscribing
from hub.services.following import AHEAD, MOST_DATES, Dated, moment_of
from hub.services.showing import Item

ATOM: Final = "http://www.w3.org/2005/Atom"

NAMED_ON: Final = "2026"
"""The year in which our names were made (RFC 4151): names of items never change."""

AGAIN: Final = "PT6H"
"""How often a calendar program may look again."""

_BREAKS: Final = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""All that some reader of text takes for the end of a line."""

_UNWRITABLE: Final = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, and the control characters that iCalendar forbids."""


def writable(text: str) -> str:
    """The text as both kinds of file can hold it: one kind of line end, no control characters."""
    return _UNWRITABLE.sub("", _BREAKS.sub("\n", text))


# --- Atom -----------------------------------------------------------------------------------------------


def atom(items: Sequence[Item], *, title: str, path: str, page: str, address: str, since: datetime) -> bytes:
    """A feed of these items. `path` is its own address here, `page` that of the page it belongs to.

    `since` is when the portal began: a feed in which nothing is yet has not changed since then.
    """
    feed = Xml.Element("feed", {"xmlns": ATOM, "xml:lang": "fr"})
    _add(feed, "id", _name(address, path))
    _add(feed, "title", title)
    _add(feed, "updated", _told(max([since, *map(moment_of, items)])))
    Xml.SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{address}{path}"})
    Xml.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": f"{address}{page}"})
    _add(Xml.SubElement(feed, "author"), "name", "Relais")
    for item in items:
        _add_entry(feed, item, address)
    return bytes(Xml.tostring(feed, encoding="utf-8", xml_declaration=True))


def _add_entry(feed: Xml.Element, item: Item, address: str) -> None:
    entry = Xml.SubElement(feed, "entry")
    page = f"/p/{item.delivery.key}"
    _add(entry, "id", _name(address, page))
    _add(entry, "title", item.title)
    _add(entry, "published", _told(moment_of(item)))
    _add(entry, "updated", _told(moment_of(item)))
    Xml.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{address}{page}"})
    if item.post.link:
        Xml.SubElement(entry, "link", {"rel": "related", "href": f"{address}/l/{item.delivery.key}"})
    Xml.SubElement(entry, "category", {"term": item.post.kind.value, "label": _(KIND_NAMES[item.post.kind])})
    # Plain text, so that no reader takes what people typed for HTML.
    _add(entry, "content", item.delivery.text.strip(), type="text")


def _add(parent: Xml.Element, name: str, text: str, **attributes: str) -> None:
    Xml.SubElement(parent, name, attributes).text = writable(text)


def _name(address: str, path: str) -> str:
    """A name that stays the same when the address of the hub gets https or another port (RFC 4151)."""
    return f"tag:{urlsplit(address).hostname},{NAMED_ON}:{path}"


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


# --- iCalendar ------------------------------------------------------------------------------------------


def calendar(found: Sequence[Dated], *, title: str, address: str, at: datetime, whole: bool = False) -> bytes:
    """These dates as a calendar file; only those within reach of `at`, unless the whole is asked for."""
    book = subscribing.empty_book(writable(title), again=AGAIN)
    left = MOST_DATES
    for dated in found:
        dates = list(dated.all_dates() if whole else dated.dates(at))
        for number, span in dates[:left]:
            book.add_component(_entry(dated, number, span, address))
        left -= len(dates[:left])
    return bytes(book.to_ical())


def changed_at(found: Sequence[Dated], *, at: datetime, since: datetime) -> datetime:
    """When a calendar last changed: something came out or was taken down, or a date came within reach."""
    moments = [since]
    for dated in found:
        begins = [span.begin - AHEAD for _number, span in dated.dates(at)]
        moments += [dated.changed_at, *(moment for moment in begins if moment <= at)]
    return max(moments)


def _entry(dated: Dated, number: int, span: Span, address: str) -> Entry:
    item = dated.item
    page = f"{address}/p/{item.delivery.key}"
    entry = Entry()
    entry.add("uid", f"{item.delivery.key}-{number}@{urlsplit(address).hostname or 'relais'}")
    entry.add("dtstamp", dated.changed_at)
    entry.add("last-modified", dated.changed_at)
    entry.add("sequence", 2 * item.post.version + (dated.removed_at is not None))
    if span.whole_days:
        entry.add("dtstart", span.first_day)
        entry.add("dtend", span.last_day + timedelta(days=1))  # a calendar's days end before that one
    else:
        entry.add("dtstart", span.begin.astimezone(UTC))
        entry.add("dtend", span.end.astimezone(UTC))
    if dated.removed_at is not None:
        # It was taken down, maybe for its words: they are not told again.
        entry.add("summary", _("Cancelled"))
        entry.add("status", "CANCELLED")
        return entry
    entry.add("summary", writable(item.title))
    entry.add("status", "CONFIRMED")
    entry.add("url", page)
    entry.add("categories", [_(KIND_NAMES[item.post.kind])])
    entry.add("description", writable(_description(item, dated.event, dated.commune, page)))
    if where := writable(_where(dated.event, dated.commune)):
        entry.add("location", where)
    if dated.commune is not None and dated.event.attendance is not Attendance.ONLINE:
        entry.add("geo", (dated.commune.lat, dated.commune.lon))
    return entry


def _where(event: Event, commune: Commune | None) -> str:
    if event.attendance is Attendance.ONLINE:
        return str(event.online)
    parts = [event.venue, event.address, commune.name if commune else None]
    return ", ".join(part for part in parts if part)


def _description(item: Item, event: Event, commune: Commune | None, page: str) -> str:
    """The text, how to take part, and where to read on; when and where stand in fields of their own."""
    told = describing.facts(event, lambda code: commune.name if commune else code)
    kept = [fact for fact in told if fact.field not in {"timings", "zone", "place"}]
    lines = [_("{name}: {words}", name=fact.name, words=", ".join(fact.lines)) for fact in kept]
    return "\n\n".join(part for part in (item.delivery.text.strip(), "\n".join(lines), page) if part)
