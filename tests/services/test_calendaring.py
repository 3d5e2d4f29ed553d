"""The calendar: what is in it, for whom, at which wall time, and with how few questions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid
from hub.services import approving, calendaring
from hub.services.calendaring import Entry, Standing, Wanted
from tests.services.counting import sent
from tests.services.desk import Desk, told
from tests.services.test_reading_together import copies, statements

NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


def look(desk: Desk, who: str = "animator", **asked: Any) -> list[Entry]:
    """The calendar of November, as somebody sees it."""
    wanted = Wanted(*asked.pop("days", NOVEMBER), **asked)
    with reading(desk.stage.hub.engine) as session:
        return calendaring.entries(
            session, wanted, by=desk.who(who), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules
        ).entries


def standings(found: list[Entry]) -> list[Standing]:
    return [entry.standing for entry in found]


def test_a_post_is_in_the_calendar_all_its_way_from_draft_to_published(desk: Desk):
    post_id = desk.write()
    drafted = standings(look(desk))
    desk.submit(post_id)
    submitted = standings(look(desk))
    desk.approve(post_id)
    approved = standings(look(desk))
    sent(desk, post_id)

    assert (drafted, submitted, approved) == ([Standing.DRAFT], [Standing.TO_APPROVE], [Standing.SCHEDULED])
    assert standings(look(desk)) == [Standing.PUBLISHED]


def test_a_returned_post_stands_apart_from_drafts(desk: Desk):
    post_id = desk.submitted()
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason="Heure ?")

    assert standings(look(desk)) == [Standing.RETURNED]


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (DeliveryState.SENDING, Standing.SCHEDULED),
        (DeliveryState.UNKNOWN, Standing.TROUBLE),
        (DeliveryState.REVIEW, Standing.TROUBLE),
        (DeliveryState.FAILED, Standing.TROUBLE),
        (DeliveryState.REMOVED, Standing.REMOVED),
    ],
)
def test_each_state_of_a_delivery_is_one_of_a_few_that_can_be_told_apart(desk: Desk, state, standing):
    [delivery] = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=state)

    assert standings(look(desk)) == [standing]


def test_what_was_cancelled_is_shown_to_those_only_who_ask(desk: Desk):
    [delivery] = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=DeliveryState.CANCELLED)

    assert look(desk) == []
    assert standings(look(desk, standings=frozenset(Standing))) == [Standing.CANCELLED]


def test_a_day_is_that_of_the_clocks_there(desk: Desk):
    desk.page("A-40")
    desk.approved("deputy", audience=["A-40"], accounts=["facebook:A-40"], when="2026-11-10T23:30", zone="local")

    [entry] = look(desk, "coordinator", days=(date(2026, 11, 10), date(2026, 11, 10)))

    assert (entry.wall_time, entry.zone) == ("2026-11-10T23:30", "Pacific/Noumea")
    assert look(desk, "coordinator", days=(date(2026, 11, 9), date(2026, 11, 9))) == []


def test_a_draft_for_several_accounts_has_a_line_for_each_and_one_for_none_yet(desk: Desk):
    desk.write(accounts=["facebook:A-14", "portal:FR"])
    desk.write(accounts=[], when="2026-11-11T18:00")

    names = [entry.account.name if entry.account else None for entry in look(desk)]

    assert names[:2] != [None, None]
    assert names[2:] == [None]


def test_territory_account_and_state_each_narrow_the_calendar(desk: Desk):
    desk.write(when="2026-11-10T09:00", accounts=["facebook:A-14"])
    desk.approved("deputy", when="2026-11-11T09:00", audience=["FR"], accounts=["facebook:FR"])
    desk.approved("deputy", when="2026-11-12T09:00", audience=["A-32"], accounts=["facebook:A-32"])

    def days(**asked: Any) -> list[int]:
        return [entry.day.day for entry in look(desk, "coordinator", **asked)]

    assert days() == [10, 11, 12]
    assert days(territory="D-35") == [10, 11]
    assert days(territory="A-32") == [11, 12]
    assert days(account_id=desk.stage.accounts["rennes"]) == [10]
    assert days(standings={Standing.DRAFT}) == [10]
    assert days(standings={Standing.SCHEDULED}) == [11, 12]


def test_an_unknown_territory_is_named(desk: Desk):
    with pytest.raises(Invalid) as refused:
        look(desk, territory="A-99")

    assert [field for field, _sentence in told(refused)] == ["territory"]


def test_a_stranger_sees_nothing_of_it(desk: Desk):
    desk.write()
    desk.submitted(text="Un")
    desk.approved(text="Deux")

    assert look(desk, "stranger") == []


def test_what_still_waits_an_hour_after_its_time_needs_somebody(desk: Desk):
    desk.approved()
    desk.stage.clock.forward(days=8, hours=8)

    assert standings(look(desk)) == [Standing.TROUBLE]
    assert standings(look(desk, standings={Standing.TROUBLE})) == [Standing.TROUBLE]
    assert look(desk, standings={Standing.SCHEDULED}) == []


def test_gaps_of_a_text_are_filled_for_one_land_and_told_for_several(desk: Desk):
    desk.keys("A-32", "4032")
    desk.approved(text="{territoire} : portes ouvertes", accounts=["facebook:A-14"])
    desk.approved(
        "deputy",
        text="{territoire} : forum",
        when="2026-11-11T18:00",
        audience=["A-14", "A-32"],
        accounts=["facebook:FR"],
    )

    titles = [slot.title for slot in calendaring.slots(look(desk, "coordinator"))]

    assert titles == ["Rennes : portes ouvertes", "Each territory : forum"]


def test_siblings_and_accounts_of_a_post_are_one_slot_a_day_told_by_what_needs_care_first(desk: Desk):
    post_id = desk.approved(accounts=["facebook:A-14", "portal:FR"])
    first, _second = desk.deliveries(post_id)
    desk.move(first.id, state=DeliveryState.FAILED)

    [slot] = calendaring.slots(look(desk))

    assert (slot.hour, slot.title, slot.standing) == ("18:00", "Portes ouvertes au CFA", Standing.TROUBLE)
    assert len(slot.accounts) == 2
    assert slot.zones == ["Europe/Paris"]


def test_slots_stand_on_their_day_in_the_order_of_local_time(desk: Desk):
    late, early = desk.write(when="2026-11-10T18:00"), desk.write(when="2026-11-10T08:00")

    days = calendaring.by_day(look(desk))

    assert [slot.post.id for slot in days[date(2026, 11, 10)]] == [early, late]


def test_today_is_asked_of_the_clocks_there(desk: Desk):
    desk.approved()
    [entry] = look(desk)

    assert calendaring.is_today(entry, entry.due_at)
    assert not calendaring.is_today(entry, entry.due_at + timedelta(hours=7))


def test_a_full_month_is_read_with_few_questions(desk: Desk):
    copies(desk, desk.approved(), 400)
    copies(desk, desk.write(when="2026-11-12T18:00"), 400)

    with statements(desk.stage.hub.engine) as asked:
        found = look(desk, "coordinator")

    assert len(found) == 802
    assert len(asked) <= 30


def test_a_month_never_grows_beyond_what_a_page_can_hold_and_says_so(desk: Desk):
    copies(desk, desk.approved(), 30)
    wanted = Wanted(*NOVEMBER)

    with reading(desk.stage.hub.engine) as session:
        found = calendaring.entries(
            session,
            wanted,
            by=desk.who("coordinator"),
            at=desk.now,
            terms=desk.terms,
            rules=desk.stage.hub.rules,
            most=10,
        )

    assert (len(found.entries), found.cut) == (10, True)
