"""Events as schema.org tells them: everything that is asked of one, nothing that nobody typed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.place import Commune
from hub.domain.post import Kind, Post, PostMedia
from hub.services.announcing import event_of, is_free
from hub.services.showing import Item

ADDRESS = "https://relais.example.org"
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
BRUZ = Commune(
    insee="35047",
    name="Bruz",
    name_key="bruz",
    departement="35",
    academie_code="14",
    territory_code="C-35047",
    lat=48.02,
    lon=-1.74,
)
MORNING = {"begin": "2027-01-30T09:00", "end": "2027-01-30T12:00"}
REQUIRED = {
    "@context", "@type", "name", "startDate", "endDate", "eventStatus", "eventAttendanceMode", "location", "organizer",
    "inLanguage", "url",
}  # fmt: skip


def item(state: DeliveryState = DeliveryState.SENT, **typed: Any) -> Item:
    """An open day on the portal, changed as a test needs it."""
    event = {"timings": [MORNING], "venue": "CFA de Bruz", "address": "1 rue du Port", "commune": "35047"} | typed
    post = Post(
        kind=Kind.EVENT, text="Portes ouvertes au CFA\n\nVenez </script> nombreux.", event=event,
        wall_time="2026-11-10T18:00", zone="Europe/Paris", first_due_at=NOON, useless_after=NOON, author_id=1,
        changed_by_id=1, seed="s", territory_code="A-14", created_at=NOON, changed_at=NOON,
    )  # fmt: skip
    delivery = Delivery(
        post_id=1, account_id=1, approval_id=1, key="abc", gate_key="open", territory_code="FR",
        provenance=Provenance.PORTAL, text=post.text, text_key="t", wall_time=post.wall_time, zone=post.zone,
        due_at=NOON, useless_after=NOON, state=state, ready_at=NOON, sent_at=NOON,
    )  # fmt: skip
    return Item(delivery, post)


def told(commune: Commune | None = BRUZ, **typed: Any) -> dict[str, Any]:
    found = event_of(item(**typed), address=ADDRESS, organizer="Académie de Rennes", commune=commune)
    assert found is not None
    assert found.keys() >= REQUIRED
    assert json.loads(json.dumps(found)) == found
    return found


def test_an_open_day_is_told_with_place_and_moments_by_the_clocks_there():
    found = told()

    assert found["name"] == "Portes ouvertes au CFA"
    assert (found["startDate"], found["endDate"]) == ("2027-01-30T09:00:00+01:00", "2027-01-30T12:00:00+01:00")
    assert found["eventStatus"] == "https://schema.org/EventScheduled"
    assert found["eventAttendanceMode"] == "https://schema.org/OfflineEventAttendanceMode"
    assert found["location"] == {
        "@type": "Place",
        "name": "CFA de Bruz",
        "address": {
            "@type": "PostalAddress",
            "streetAddress": "1 rue du Port",
            "addressLocality": "Bruz",
            "addressCountry": "FR",
        },
    }
    assert found["organizer"] == {"@type": "Organization", "name": "Académie de Rennes", "url": f"{ADDRESS}/"}
    assert found["url"] == found["@id"] == f"{ADDRESS}/p/abc"
    assert not found.keys() & {"image", "isAccessibleForFree", "typicalAgeRange", "subEvent"}


@pytest.mark.parametrize(
    ("zone", "offset"), [("Pacific/Noumea", "+11:00"), ("America/Cayenne", "-03:00"), ("Pacific/Marquesas", "-09:30")]
)
def test_overseas_the_offset_is_theirs(zone, offset):
    assert told(zone=zone)["startDate"] == f"2027-01-30T09:00:00{offset}"


def test_a_whole_day_is_told_as_days_the_last_one_included():
    found = told(timings=[{"begin": "2027-01-30T00:00", "end": "2027-02-01T00:00"}])

    assert (found["startDate"], found["endDate"]) == ("2027-01-30", "2027-01-31")
    assert date.fromisoformat(found["endDate"]) == date(2027, 1, 31)


def test_several_dates_are_one_event_with_its_parts_in_order():
    later = {"begin": "2027-07-03T14:00", "end": "2027-07-03T17:00"}

    found = told(timings=[later, MORNING])

    assert (found["startDate"], found["endDate"]) == ("2027-01-30T09:00:00+01:00", "2027-07-03T17:00:00+02:00")
    assert [part["startDate"] for part in found["subEvent"]] == [
        "2027-01-30T09:00:00+01:00",
        "2027-07-03T14:00:00+02:00",
    ]
    assert all(part["location"] == found["location"] for part in found["subEvent"])


def test_online_and_mixed_events_have_an_address_of_the_web():
    link = {"@type": "VirtualLocation", "url": "https://example.org/salle"}

    online = told(attendance="online", online=link["url"], venue=None, commune=None)
    mixed = told(attendance="mixed", online=link["url"])

    assert online["location"] == link
    assert online["eventAttendanceMode"] == "https://schema.org/OnlineEventAttendanceMode"
    assert [one["@type"] for one in mixed["location"]] == ["Place", "VirtualLocation"]
    assert told(attendance="mixed")["location"][1]["url"] == f"{ADDRESS}/p/abc"


def test_a_place_always_has_a_name():
    assert told(venue=None)["location"]["name"] == "Bruz"
    assert told(None, venue=None)["location"]["name"] == "1 rue du Port"
    assert told(None, venue=None, address=None)["location"]["name"] == "35047"


@pytest.mark.parametrize(
    ("ages", "range_"),
    [({"min": 16, "max": 25}, "16-25"), ({"min": 16}, "16-"), ({"max": 25}, "0-25"), ({"min": 0, "max": 0}, "0-0")],
)
def test_ages_are_told_as_a_range(ages, range_):
    assert told(ages=ages)["typicalAgeRange"] == range_
    assert "typicalAgeRange" not in told(ages={})


@pytest.mark.parametrize(
    ("conditions", "free"),
    [
        ("Entrée libre", True),
        ("Gratuit, sur inscription", True),
        ("gratuit pour les moins de 26 ans", False),
        ("pas gratuit", False),
        ("Sur inscription", False),
        ("5 € (gratuit avec un justificatif)", False),
        ("", False),
        (None, False),
    ],
)
def test_free_is_said_only_where_the_conditions_say_so_without_a_but(conditions, free):
    assert is_free(conditions) is free
    if conditions:
        assert told(conditions=conditions).get("isAccessibleForFree", False) is free


def test_what_was_taken_down_is_cancelled_and_pictures_are_named():
    gone = item(DeliveryState.REMOVED)
    pictured = Item(
        gone.delivery, gone.post, [(PostMedia(post_id=1, position=0, media_id="m", alt="Un atelier"), 8, 6)]
    )

    found = event_of(pictured, address=ADDRESS, organizer="Relais", commune=None)

    assert found is not None
    assert found["eventStatus"] == "https://schema.org/EventCancelled"
    assert found["image"] == [f"{ADDRESS}/p/abc/0"]


def test_what_is_no_event_has_nothing_to_tell():
    advice = item()
    advice.post.event = None

    assert event_of(advice, address=ADDRESS, organizer="Relais") is None
