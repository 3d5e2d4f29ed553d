"""Open days that sources tell: waiting for somebody, made a post of, or not; never published by themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.errors import NotAllowed, NotFound, WrongState
from hub.domain.event import Attendance
from hub.domain.person import RoleKind
from hub.domain.place import ProposalState
from hub.services import joining, proposing
from hub.services.proposing import Sketch, Span
from tests.services.desk import Desk
from tests.services.shelf import Shelf

POINTE_A_PITRE = "97120"


def waiting(shelf: Shelf, who: str = "animator", **rest: Any) -> list[str]:
    by, at = shelf.stage.people[who], shelf.stage.clock()
    with reading(shelf.stage.hub.engine) as session:
        found = proposing.list_proposals(session, by=by, at=at, **rest)
        if not rest:
            assert proposing.count_waiting(session, by=by, at=at) == len(found)
    return [one.proposal.text for one in found]


def do(shelf: Shelf, activity: Any, *what: Any, who: str = "animator") -> Any:
    with writing(shelf.stage.hub.engine) as session:
        return activity(session, *what, by=shelf.stage.people[who], at=shelf.stage.clock())


def sketch(shelf: Shelf, proposal_id: int, who: str = "animator") -> Sketch:
    with reading(shelf.stage.hub.engine) as session:
        return proposing.sketch(session, proposal_id, by=shelf.stage.people[who])


# --- Which there are ------------------------------------------------------------------------------------------


def test_open_days_wait_by_their_day_those_without_one_last(shelf: Shelf):
    place_id = shelf.put()
    shelf.unread(place_id, "au printemps")
    shelf.propose(place_id, "en mars", first_day=date(2027, 3, 1), last_day=None)
    shelf.propose(place_id, "en janvier")
    shelf.propose(place_id, "passée", first_day=date(2026, 10, 1), last_day=date(2026, 10, 31))
    shelf.propose(place_id, "en cours", first_day=date(2026, 10, 1), last_day=date(2026, 11, 2))
    shelf.propose(place_id, "écartée", state=ProposalState.DISMISSED)
    shelf.propose(shelf.put("Fermée", ended_on=date(2026, 1, 1)), "d’une structure fermée")

    assert waiting(shelf) == ["en cours", "en janvier", "en mars", "au printemps"]
    assert waiting(shelf, limit=2, offset=1) == ["en janvier", "en mars"]
    assert waiting(shelf, state=ProposalState.DISMISSED) == ["écartée"]
    assert waiting(shelf, place_id=shelf.put("Une autre")) == []


def test_open_days_wait_for_those_who_keep_the_place(shelf: Shelf):
    here, there = shelf.propose(shelf.put()), shelf.propose(shelf.put("Là-bas", POINTE_A_PITRE), "là-bas")
    analyst, at = shelf.stage.people["analyst"], shelf.stage.clock()

    assert waiting(shelf, "stranger") == ["là-bas"]
    assert len(waiting(shelf, "coordinator")) == 2
    with pytest.raises(NotAllowed):
        waiting(shelf, "analyst", limit=1)
    with reading(shelf.stage.hub.engine) as session:
        assert proposing.count_waiting(session, by=analyst, at=at) == 0
        for number in (there, 999):
            with pytest.raises(NotFound, match="There is no open day"):
                proposing.get_proposal(session, number, by=shelf.stage.people["animator"])
        assert proposing.get_proposal(session, here, by=shelf.stage.people["animator"]).place.name


def test_an_open_day_without_a_date_says_why(shelf: Shelf):
    place_id = shelf.put()
    nameless, odd = shelf.unread(place_id), shelf.unread(place_id, "les 30 et 31 janvier, ou presque")

    assert "It names no day" in proposing.why_unread(shelf.proposal(nameless))
    assert "not written in a way that Relais knows" in proposing.why_unread(shelf.proposal(odd))


# --- Deciding -------------------------------------------------------------------------------------------------


def test_an_open_day_is_dismissed_and_waits_again(shelf: Shelf):
    place_id = shelf.put()
    dated, undated = shelf.propose(place_id), shelf.unread(place_id)

    for number in (dated, undated):
        do(shelf, proposing.dismiss, number)
        with pytest.raises(WrongState, match="somebody has decided"):
            do(shelf, proposing.dismiss, number)
        do(shelf, proposing.recall, number)
        with pytest.raises(WrongState, match="was not dismissed"):
            do(shelf, proposing.recall, number)

    assert [shelf.proposal(number).state for number in (dated, undated)] == ["proposed", "unread"]
    text = {"text": "le 30/01/2027 de 09h00 à 12h00"}
    assert shelf.noted(place_id)[:2] == [
        ("place.dismiss", "Animator", None, text), ("place.recall", "Animator", None, text),
    ]  # fmt: skip


def test_open_days_of_elsewhere_are_decided_by_nobody_here(shelf: Shelf):
    number = shelf.propose(shelf.put())

    for activity in (proposing.dismiss, proposing.recall):
        with pytest.raises(NotFound):
            do(shelf, activity, number, who="stranger")


def test_the_first_post_that_is_made_of_an_open_day_is_its_post(shelf: Shelf, desk: Desk):
    place_id = shelf.put()
    number = shelf.propose(place_id)
    first, second = desk.post(desk.write()), desk.post(desk.write())

    assert do(shelf, proposing.take, number, first) is True
    assert do(shelf, proposing.take, number, second) is False

    kept = shelf.proposal(number)
    assert (kept.state, kept.post_id) == (ProposalState.TAKEN, first.id)
    assert shelf.noted(place_id)[-1][3] == {"text": kept.text, "post": str(first.id)}
    with pytest.raises(WrongState, match="A post was made of this open day already"):
        sketch(shelf, number)


# --- What a post begins with ----------------------------------------------------------------------------------


def test_a_post_begins_with_all_that_the_source_says_in_french(shelf: Shelf):
    place_id = shelf.put(
        "CFA de Rennes", address="3 rue du Port", postcode="35000", website="https://cfa.example.org", type_code="cfa"
    )
    told = sketch(shelf, shelf.propose(place_id, note="sur inscription"))

    assert told.text.splitlines()[0].endswith("CFA de Rennes")
    assert "samedi 30 janvier 2027" in told.text
    assert "3 rue du Port, 35000 Rennes" in told.text
    assert "sur inscription" in told.text
    assert "02 99 00 00 00" in told.text
    assert (told.link, told.venue, told.address, told.commune) == (
        "https://cfa.example.org", "CFA de Rennes", "3 rue du Port", "35238",
    )  # fmt: skip
    assert (told.attendance, told.online, told.zone) == (Attendance.ON_SITE, "", "Europe/Paris")
    assert told.spans == [Span("2027-01-30", "09:00", "12:00")]


def test_several_days_have_their_hours_each(shelf: Shelf):
    place_id = shelf.put()
    two = shelf.propose(place_id, "deux jours", last_day=date(2027, 1, 31))
    month = shelf.propose(place_id, "un mois", last_day=date(2027, 2, 28))
    hourless = shelf.propose(place_id, "sans heures", last_day=date(2027, 1, 31), from_hour="", to_hour="")
    morning = shelf.propose(place_id, "à partir de", from_hour="09:00", to_hour="")

    assert sketch(shelf, two).spans == [Span("2027-01-30", "09:00", "12:00"), Span("2027-01-31", "09:00", "12:00")]
    assert sketch(shelf, month).spans == [Span("2027-01-30", "09:00", "12:00", "2027-02-28")]
    assert sketch(shelf, hourless).spans == [Span("2027-01-30", "", "", "2027-01-31")]
    assert sketch(shelf, morning).spans == [Span("2027-01-30", "09:00", "")]
    assert "samedi 30 janvier 2027" in sketch(shelf, hourless).text
    assert "dimanche 31 janvier 2027" in sketch(shelf, two).text


def test_of_an_open_day_without_a_date_the_text_is_told_and_the_date_left_to_its_author(shelf: Shelf):
    told = sketch(shelf, shelf.unread(shelf.put(phone="")))

    assert told.spans == []
    assert "au printemps, voir le site" in told.text


def test_an_open_day_online_is_at_the_address_of_its_place(shelf: Shelf):
    with_site, without = shelf.put(website="https://e2c.example.org"), shelf.put("Sans site")
    online = sketch(shelf, shelf.propose(with_site, online=True))

    assert (online.attendance, online.online) == (Attendance.ONLINE, "https://e2c.example.org")
    assert sketch(shelf, shelf.propose(without, online=True)).attendance is Attendance.ON_SITE


def test_overseas_the_hours_are_those_of_there(shelf: Shelf):
    told = sketch(shelf, shelf.propose(shelf.put("CFA", POINTE_A_PITRE)), "stranger")

    assert (told.zone, told.audience) == ("America/Guadeloupe", "A-32")


@pytest.mark.parametrize(
    ("roles", "audience"),
    [
        ([(RoleKind.ANIMATOR, "A-14")], "A-14"),
        ([(RoleKind.COORDINATOR, "FR")], "A-14"),
        ([(RoleKind.ANIMATOR, "R-53")], "A-14"),
        ([(RoleKind.ANIMATOR, "D-35")], "D-35"),
        ([(RoleKind.ADMINISTRATOR, "A-14"), (RoleKind.ANIMATOR, "D-22")], "D-22"),
        ([(RoleKind.ADMINISTRATOR, "A-14"), (RoleKind.ANIMATOR, "A-32")], "A-32"),
    ],
)
def test_it_is_for_the_academie_of_the_place_or_the_part_that_somebody_writes_for(
    shelf: Shelf, desk: Desk, roles: list[tuple[RoleKind, str]], audience: str
):
    desk.join("somebody", *roles[0])
    with writing(shelf.stage.hub.engine) as session:
        number = shelf.stage.people["somebody"].id
        for kind, code in roles[1:]:
            joining.give_role(session, number, kind, code, by="operator", at=desk.now)
        shelf.stage.people["somebody"] = joining.actor_for(session, number)

    assert sketch(shelf, shelf.propose(shelf.put()), "somebody").audience == audience


def test_only_writers_make_a_post_of_it(shelf: Shelf):
    with pytest.raises(NotAllowed):
        sketch(shelf, shelf.propose(shelf.put()), "administrator")


def test_an_open_day_of_today_still_waits_where_it_is_yesterday_yet(shelf: Shelf):
    shelf.propose(shelf.put("Tahiti", "98735"), "hier", first_day=date(2026, 11, 1), last_day=date(2026, 11, 1))
    shelf.stage.clock.at = datetime(2026, 11, 2, 3, tzinfo=UTC)

    assert waiting(shelf, "coordinator") == ["hier"]
