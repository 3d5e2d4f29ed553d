"""Feeds and calendars as independent programs read them: valid, the same words back, the same names for good."""

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from icalendar import Calendar

from hub.domain.event import Event
from hub.language import speaking
from hub.services import syndicating
from hub.services.following import MOST_DATES, Dated
from hub.services.showing import Item
from hub.services.syndicating import writable
from tests.services.test_announcing import ADDRESS, BRUZ, MORNING, item

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
BEGAN = datetime(2026, 1, 5, 8, tzinfo=UTC)
NAMES = {"a": syndicating.ATOM}


def dated(text: str | None = None, removed_at: datetime | None = None, **typed: Any) -> Dated:
    found = item(**typed)
    if text is not None:
        found.delivery.text = found.post.text = text
    return Dated(found, Event.model_validate(found.post.event), removed_at, BRUZ)


def told(*found: Dated, **rest: Any) -> bytes:
    with speaking("en"):
        return syndicating.calendar(found, title="Near you: Rennes", address=ADDRESS, **({"at": NOON} | rest))


def entries(*found: Dated, **rest: Any) -> list[Any]:
    return list(Calendar.from_ical(told(*found, **rest)).walk("VEVENT"))


# --- iCalendar ---


def test_a_date_is_told_in_world_time_with_place_point_and_page():
    [entry] = entries(dated())

    assert str(entry["UID"]) == "abc-1@relais.example.org"
    assert str(entry["SUMMARY"]) == "Portes ouvertes au CFA"
    assert entry["DTSTART"].dt == datetime(2027, 1, 30, 8, tzinfo=UTC)
    assert entry["DTEND"].dt == datetime(2027, 1, 30, 11, tzinfo=UTC)
    assert entry["DTSTAMP"].dt == entry["LAST-MODIFIED"].dt == NOON
    assert str(entry["STATUS"]) == "CONFIRMED"
    assert str(entry["URL"]) == f"{ADDRESS}/p/abc"
    assert str(entry["LOCATION"]) == "CFA de Bruz, 1 rue du Port, Bruz"
    assert (entry["GEO"].latitude, entry["GEO"].longitude) == (48.02, -1.74)
    assert str(entry["DESCRIPTION"]).endswith(f"nombreux.\n\n{ADDRESS}/p/abc")


@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        ("Pacific/Noumea", datetime(2027, 1, 29, 22, tzinfo=UTC)),
        ("America/Cayenne", datetime(2027, 1, 30, 12, tzinfo=UTC)),
        ("Pacific/Marquesas", datetime(2027, 1, 30, 18, 30, tzinfo=UTC)),
        ("America/Miquelon", datetime(2027, 1, 30, 12, tzinfo=UTC)),
    ],
)
def test_overseas_a_date_is_the_moment_that_it_is_there(zone, begin):
    [entry] = entries(dated(zone=zone))

    assert entry["DTSTART"].dt == begin


def test_summer_and_winter_are_told_apart():
    summer = {"begin": "2027-06-30T09:00", "end": "2027-06-30T12:00"}

    begins = [entry["DTSTART"].dt.hour for entry in entries(dated(timings=[MORNING, summer]))]

    assert begins == [8, 7]


def test_whole_days_end_before_the_day_that_their_end_names():
    [entry] = entries(dated(timings=[{"begin": "2027-01-30T00:00", "end": "2027-01-31T23:59"}], zone="Pacific/Noumea"))

    assert (entry["DTSTART"].dt, entry["DTEND"].dt) == (date(2027, 1, 30), date(2027, 2, 1))
    assert entry["DTSTART"].params["VALUE"] == "DATE"


def test_several_dates_have_names_that_stay_when_one_is_over():
    later = {"begin": "2027-03-01T09:00", "end": "2027-03-01T12:00"}
    both = dated(timings=[later, MORNING])

    names = {str(one["UID"]): one["DTSTART"].dt.month for one in entries(both)}
    after = [str(one["UID"]) for one in entries(both, at=datetime(2027, 3, 2, tzinfo=UTC))]

    assert names == {"abc-1@relais.example.org": 3, "abc-2@relais.example.org": 1}
    assert after == ["abc-1@relais.example.org"]
    assert len(entries(both, at=datetime(2030, 1, 1, tzinfo=UTC), whole=True)) == 2


def test_what_was_taken_down_is_cancelled_under_its_name_and_its_words_are_not_told_again():
    [before] = entries(dated())
    gone = dated(removed_at=NOON + timedelta(days=3))
    [after] = entries(gone)

    assert after["UID"] == before["UID"]
    assert str(after["STATUS"]) == "CANCELLED"
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after["DTSTAMP"].dt == NOON + timedelta(days=3)
    assert str(after["SUMMARY"]) == "Cancelled"
    assert "CFA" not in told(gone).decode()


def test_online_the_place_is_the_link_and_there_is_no_point():
    [entry] = entries(dated(attendance="online", online="https://example.org/salle", venue=None, commune=None))

    assert str(entry["LOCATION"]) == "https://example.org/salle"
    assert "GEO" not in entry


def test_how_to_take_part_is_told_below_the_text():
    by = {"phone": "02 99 00 00 00", "link": "https://example.org/inscription"}

    [entry] = entries(dated(registration=by, conditions="Gratuit", ages={"min": 16}))

    assert (
        "Registration: https://example.org/inscription, 02 99 00 00 00\nAges: from 16 years on" in entry["DESCRIPTION"]
    )


def test_the_file_is_one_that_programs_take():
    file = told(dated("é" * 300 + "\n🎓" * 50))

    assert file.startswith(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
    assert file.endswith(b"END:VCALENDAR\r\n")
    assert max(map(len, file.split(b"\r\n"))) <= 75
    assert b"\n" not in file.replace(b"\r\n", b"")
    assert told() == told()


def test_a_calendar_holds_so_many_dates_and_no_more():
    days = [{"begin": f"2027-01-{day:02}T09:00", "end": f"2027-01-{day:02}T12:00"} for day in range(1, 29)]
    many = [dated(timings=days) for _ in range(40)]

    assert told(*many).count(b"BEGIN:VEVENT") == MOST_DATES


def test_a_calendar_changes_with_what_comes_out_is_taken_down_or_comes_within_reach():
    far = dated(timings=[{"begin": "2027-11-01T09:00", "end": "2027-11-01T12:00"}])
    gone = dated(removed_at=NOON + timedelta(hours=1))

    def changed(*found: Dated, at: datetime = NOON) -> datetime:
        return syndicating.changed_at(found, at=at, since=BEGAN)

    assert changed() == BEGAN
    assert changed(dated()) == NOON
    assert changed(dated(), gone) == NOON + timedelta(hours=1)
    in_reach = datetime(2026, 10, 31, 8, tzinfo=UTC)
    far.item.delivery.sent_at = in_reach - timedelta(days=9)
    assert changed(far) == in_reach


# --- Atom ---


def feed(*items: Item, address: str = ADDRESS) -> Xml.Element:
    with speaking("en"):
        made = syndicating.atom(
            items, title="Near you: Rennes", path="/suivre/C-35238.atom", page="/c/35238", address=address, since=BEGAN
        )
    return Xml.fromstring(made)


def text(of: Xml.Element, path: str) -> str:
    found = of.findtext(path, namespaces=NAMES)
    assert found is not None
    return found


def links(of: Xml.Element) -> dict[str, str]:
    return {one.attrib["rel"]: one.attrib["href"] for one in of.findall("a:link", NAMES)}


def test_a_feed_has_all_that_is_asked_of_one():
    found = feed(item())
    [entry] = found.findall("a:entry", NAMES)

    assert found.tag == f"{{{syndicating.ATOM}}}feed"
    assert text(found, "a:id") == "tag:relais.example.org,2026:/suivre/C-35238.atom"
    assert text(found, "a:title") == "Near you: Rennes"
    assert text(found, "a:updated") == text(entry, "a:updated") == text(entry, "a:published") == "2026-11-03T12:00:00Z"
    assert text(found, "a:author/a:name") == "Relais"
    assert links(found) == {"self": f"{ADDRESS}/suivre/C-35238.atom", "alternate": f"{ADDRESS}/c/35238"}
    assert text(entry, "a:id") == "tag:relais.example.org,2026:/p/abc"
    assert text(entry, "a:title") == "Portes ouvertes au CFA"
    assert links(entry) == {"alternate": f"{ADDRESS}/p/abc"}
    assert entry.find("a:category", NAMES).attrib == {"term": "event", "label": "event"}  # type: ignore[union-attr]


def test_words_are_plain_text_and_what_looks_like_html_stays_what_was_typed():
    [entry] = feed(item()).findall("a:entry", NAMES)
    content = entry.find("a:content", NAMES)

    assert content is not None
    assert content.attrib == {"type": "text"}
    assert content.text == "Portes ouvertes au CFA\n\nVenez </script> nombreux."


def test_a_link_of_the_post_goes_by_its_mark():
    linked = item()
    linked.post.link = "https://example.org"

    [entry] = feed(linked).findall("a:entry", NAMES)

    assert links(entry)["related"] == f"{ADDRESS}/l/abc"


def test_an_empty_feed_has_not_changed_since_the_portal_began():
    assert text(feed(), "a:updated") == "2026-01-05T08:00:00Z"


def test_names_do_not_change_with_port_or_https():
    other = feed(item(), address="http://relais.example.org:8000")

    assert text(other, "a:id") == text(feed(), "a:id")


# --- Whatever people type ---

ODD = some.one_of(
    some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200),
    some.text(",;:\\\"'\n\r\t<>&]🎓é \u2028\x85\x0b\x1f\x7f\ufffe" + string.ascii_letters, max_size=400),
    some.just("À vous, et à toi; tout\\n de suite 🎓\r\n" * 250),
)


@settings(max_examples=60, deadline=None)
@given(words=ODD, venue=ODD, minutes=some.integers(1, 100_000), start=some.datetimes(
    datetime(2026, 11, 4), datetime(2027, 10, 1)), zone=some.sampled_from(  # noqa: DTZ001
    ["Europe/Paris", "Pacific/Noumea", "Pacific/Marquesas", "America/Miquelon"]))  # fmt: skip
def test_whatever_is_typed_comes_back_as_the_same_words(words, venue, minutes, start, zone):
    begin = start.replace(second=0, microsecond=0)
    timing = {"begin": begin.isoformat(), "end": (begin + timedelta(minutes=minutes)).isoformat()}
    made = dated(f"Titre\n\n{words}", timings=[timing], zone=zone, venue=venue.strip()[:200] or None)

    file = told(made)
    entry: Any
    [entry] = Calendar.from_ical(file).walk("VEVENT")
    [again] = feed(made.item).findall("a:entry", NAMES)

    said = writable(made.item.delivery.text.strip())
    assert str(entry["DESCRIPTION"]) == f"{said}\n\n{ADDRESS}/p/abc"
    assert text(again, "a:content") == said
    assert str(entry["SUMMARY"]) == text(again, "a:title") == "Titre"
    assert max(map(len, file.split(b"\r\n"))) <= 75
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", file)
    assert entry["DTEND"].dt > entry["DTSTART"].dt


def test_what_no_file_can_hold_is_left_out_and_lines_end_in_one_way():
    assert writable("a\r\nb\rc\u2028d\x85e\x00\x07\x7f\ufffe🎓\tf") == "a\nb\nc\nd\ne🎓\tf"
