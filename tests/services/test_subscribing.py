"""The calendar as a file: what is in it, that it keeps its names, and that its link opens nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.delivery import DeliveryState
from hub.domain.errors import NotSignedIn
from hub.domain.person import Scope, Token
from hub.services import joining, subscribing
from tests.services.desk import Desk
from tests.services.test_reading_together import copies, statements

ADDRESS = "https://relais.example.org"


def events(desk: Desk, who: str = "animator") -> list[Any]:
    """The events of somebody's file, as another program reads them."""
    with reading(desk.stage.hub.engine) as session:
        told = subscribing.file_for(
            session, by=desk.who(who), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules, address=ADDRESS
        )
    return list(Calendar.from_ical(told).walk("VEVENT"))


def names(found: list[Any]) -> list[tuple[str, str]]:
    return [(str(one["UID"]), str(one["STATUS"])) for one in found]


def test_a_delivery_is_an_event_in_world_time_with_territory_link_and_categories(desk: Desk):
    post_id = desk.approved(kind="advice", text="Portes ouvertes; venez, nombreux\nà 14 h")

    [event] = events(desk)

    assert str(event["SUMMARY"]) == "Rennes · Portes ouvertes; venez, nombreux"
    assert event["DTSTART"].dt == datetime(2026, 11, 10, 17, tzinfo=UTC)
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(minutes=15)
    assert event["DTSTAMP"].dt == desk.now
    assert str(event["URL"]) == f"{ADDRESS}/equipe/publications/{post_id}"
    assert [str(one) for one in event["CATEGORIES"].cats] == ["advice", "Facebook"]
    assert str(event["UID"]).endswith("@relais.example.org")


def test_gaps_of_a_text_are_filled_for_each_territory(desk: Desk):
    desk.approved(text="{territoire} : portes ouvertes")

    assert [str(one["SUMMARY"]) for one in events(desk)] == ["Rennes : portes ouvertes"]


def test_an_event_keeps_its_name_from_the_plan_through_two_approvals(desk: Desk):
    post_id = desk.submitted()
    waiting = names(events(desk))
    desk.approve(post_id)
    confirmed = names(events(desk))
    desk.change(post_id, text="Autres mots")
    desk.submit(post_id)
    again = names(events(desk))
    desk.approve(post_id)

    [(name, _status)] = waiting
    assert waiting == again == [(name, "TENTATIVE")]
    assert confirmed == names(events(desk)) == [(name, "CONFIRMED")]


def test_what_was_cancelled_or_taken_down_is_told_as_cancelled_for_a_month(desk: Desk):
    desk.withdraw(desk.approved())
    live = desk.approved(text="Autre")
    desk.move(desk.deliveries(live)[0].id, state=DeliveryState.REMOVED)

    statuses = [status for _name, status in names(events(desk))]
    desk.stage.clock.forward(days=40)

    assert statuses == ["CANCELLED", "CANCELLED"]
    assert events(desk) == []


def test_drafts_and_what_is_far_away_are_not_in_it(desk: Desk):
    desk.write()
    desk.approved(when="2027-10-01T09:00")

    assert events(desk) == []


def test_a_stranger_finds_nothing_of_it_in_their_file(desk: Desk):
    desk.approved()

    assert events(desk, "stranger") == []


def test_a_full_file_is_made_with_few_questions(desk: Desk):
    copies(desk, desk.approved(), 300)

    with statements(desk.stage.hub.engine) as asked:
        found = events(desk)

    assert len(found) == 301
    assert len({str(one["UID"]) for one in found}) == 301
    assert len(asked) <= 20


def make_link(desk: Desk, who: str = "animator") -> str:
    with writing(desk.stage.hub.engine) as session:
        return subscribing.make_link(session, by=desk.who(who), at=desk.now)


def holder(desk: Desk, plain: str, scope: Scope) -> str:
    with reading(desk.stage.hub.engine) as session:
        return joining.actor_for_token(session, plain, desk.now, scope=scope).name


def test_a_private_link_opens_the_calendar_and_nothing_else_and_a_token_no_calendar(desk: Desk):
    link, token = make_link(desk), desk.stage.tokens["animator"]

    assert holder(desk, link, Scope.CALENDAR) == holder(desk, token, Scope.API) == "Animator"
    for plain, scope in ((link, Scope.API), (token, Scope.CALENDAR)):
        with pytest.raises(NotSignedIn):
            holder(desk, plain, scope)


def test_a_new_link_ends_the_one_before_and_ending_it_ends_it(desk: Desk):
    first, second = make_link(desk), make_link(desk)

    with pytest.raises(NotSignedIn):
        holder(desk, first, Scope.CALENDAR)
    known = holder(desk, second, Scope.CALENDAR)
    with writing(desk.stage.hub.engine) as session:
        subscribing.revoke_link(session, by=desk.who("animator"), at=desk.now)
    with pytest.raises(NotSignedIn):
        holder(desk, second, Scope.CALENDAR)

    assert known == "Animator"
    with reading(desk.stage.hub.engine) as session:
        assert subscribing.find_link(session, by=desk.who("animator"), at=desk.now) is None


def test_only_the_digest_of_a_link_is_kept_and_it_ends_after_a_year(desk: Desk):
    plain = make_link(desk)

    with reading(desk.stage.hub.engine) as session:
        [kept] = session.exec(select(Token).where(Token.scope == Scope.CALENDAR)).all()
    desk.stage.clock.forward(days=367)

    assert plain not in str(kept.model_dump())
    with pytest.raises(NotSignedIn):
        holder(desk, plain, Scope.CALENDAR)
