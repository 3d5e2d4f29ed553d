"""My day: what waits for whom, what goes out today, how the last posts did, in as many questions as ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.account import Account, AccountState
from hub.domain.delivery import Action, Delivery, DeliveryState, Provenance
from hub.domain.person import RoleKind
from hub.domain.reach import How, Unit
from hub.services import approving, awaiting, holding, sketching
from hub.services.awaiting import Day, Places
from hub.services.covering import Health
from tests.services.counting import CLICKS, PEOPLE, VIEWS, read, sent, visit
from tests.services.desk import Desk
from tests.services.shelf import Shelf
from tests.services.test_reading_together import copies, statements


def day(desk: Desk, who: str = "animator") -> Day:
    """The day of somebody, now."""
    with reading(desk.stage.hub.engine) as session:
        return awaiting.day(session, by=desk.who(who), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules)


def give_back(desk: Desk, post_id: int, reason: str = "L’heure ?") -> None:
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason=reason)


def change_account(desk: Desk, name: str, **columns: Any) -> None:
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts[name])
        for column, value in columns.items():
            setattr(account, column, value)


def test_the_first_day_of_an_animator_is_calm_and_empty(desk: Desk):
    today = day(desk)

    assert (today.calm, today.wrote, today.writes) == (True, False, True)
    assert (today.today, today.recent, today.drafts) == ([], [], ())


def test_what_came_back_waits_for_its_author_with_the_reason(desk: Desk):
    post_id = desk.submitted()
    give_back(desk, post_id)

    assert [(post.id, post.return_reason) for post in day(desk).returned] == [(post_id, "L’heure ?")]
    assert day(desk, "colleague").returned == ()


def test_what_nobody_approved_in_time_is_told_to_its_author_for_a_week(desk: Desk):
    post_id = desk.submitted()
    desk.stage.clock.forward(days=9)
    with writing(desk.stage.hub.engine) as session:
        approving.expire(session, at=desk.now)

    told = [post.id for post in day(desk).expired]
    desk.stage.clock.forward(days=8)

    assert told == [post_id]
    assert day(desk).expired == []


def test_a_coordinator_sees_how_many_wait_and_the_next_five(desk: Desk):
    late = [desk.submitted(text=f"Texte {number}", when=f"2026-11-1{number}T18:00") for number in range(1, 7)]
    own = desk.submitted("coordinator", text="De moi")

    today = day(desk, "coordinator")

    assert today.to_approve == 6
    assert [one.post.id for one in today.first_to_approve] == late[:5]
    assert day(desk, "deputy").to_approve == 7
    assert own not in late
    assert (day(desk).to_approve, day(desk, "analyst").to_approve) == (0, 0)


def test_an_open_question_waits_for_those_who_may_decide_with_what_they_can_do(desk: Desk):
    [delivery] = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=DeliveryState.REVIEW, reason="Rien trouvé.")

    [open_yet] = day(desk).decisions

    assert (open_yet.delivery.id, open_yet.title, open_yet.territory) == (
        delivery.id,
        "Portes ouvertes au CFA",
        "Rennes",
    )
    assert open_yet.actions == [Action.FOUND, Action.SEND, Action.GIVE_UP]
    assert len(day(desk, "coordinator").decisions) == 1
    assert [len(day(desk, who).decisions) for who in ("stranger", "analyst")] == [0, 0]


def test_an_animator_is_not_asked_about_a_delivery_for_more_than_their_territory(desk: Desk):
    [delivery] = desk.deliveries(desk.approved("deputy", audience=["FR"], accounts=["facebook:FR"]))
    desk.move(delivery.id, state=DeliveryState.FAILED)

    assert day(desk).decisions == []
    assert [one.delivery.id for one in day(desk, "coordinator").decisions] == [delivery.id]


def test_an_old_failure_is_history_but_an_open_question_stays(desk: Desk):
    failed, asked = desk.deliveries(desk.approved(accounts=["facebook:A-14", "portal:FR"]))
    desk.move(failed.id, state=DeliveryState.FAILED)
    desk.move(asked.id, state=DeliveryState.REVIEW)
    desk.stage.clock.forward(days=60)

    assert [one.delivery.id for one in day(desk).decisions] == [asked.id]


@pytest.mark.parametrize(
    ("columns", "health", "sentence"),
    [
        ({"state": AccountState.PAUSED, "state_reason": "Vacances"}, Health.TROUBLE,
         "Paused by a person (Vacances): resume it when that is settled."),
        ({"state": AccountState.RESTING, "state_reason": "190"}, Health.TROUBLE,
         "Resting, since its authorisation was refused (190): check it, then resume it."),
        ({"token_in": timedelta(days=-1)}, Health.TROUBLE,
         "Its access has ended: nothing goes out until it is renewed."),
        ({"token_in": timedelta(days=3)}, Health.CARE, "Its access ends in 3 days."),
    ],
)  # fmt: skip
def test_an_account_in_trouble_is_told_to_those_who_use_or_keep_it(desk: Desk, columns, health, sentence):
    if "token_in" in columns:
        columns = {"token_expires_at": desk.now + columns["token_in"]}
    change_account(desk, "rennes", **columns)

    seen = {
        who: [(one.health, one.sentence, one.keeps) for one in day(desk, who).accounts]
        for who in ("animator", "administrator", "stranger", "analyst")
    }

    assert seen == {
        "animator": [(health, sentence, False)],
        "administrator": [(health, sentence, True)],
        "stranger": [],
        "analyst": [],
    }


def test_a_far_end_of_a_token_troubles_nobody(desk: Desk):
    change_account(desk, "rennes", token_expires_at=desk.now + timedelta(days=40))

    assert day(desk, "administrator").accounts == []


def test_unfinished_sheets_and_drafts_are_shown_to_their_writer_alone(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        sketching.keep(session, "a" * 32, [("text", "Salut")], by=desk.who("animator"), at=desk.now)
    draft = desk.write()

    assert [sheet.id for sheet in day(desk).sheets] == ["a" * 32]
    assert [post.id for post in day(desk).drafts] == [draft]
    assert (day(desk, "colleague").sheets, day(desk, "colleague").drafts) == ([], ())


def test_the_stop_of_everything_is_told_to_everybody(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        holding.hold(session, reason="Erreur", by="operator", at=desk.now)

    assert [day(desk, who).hold is not None for who in ("animator", "analyst")] == [True, True]


def test_today_is_the_day_of_each_territory_and_one_line_a_post(desk: Desk):
    desk.page("A-40")
    soon = desk.approved(when="2026-11-02T18:00", accounts=["facebook:A-14", "portal:FR"])
    desk.approved(text="Demain", when="2026-11-03T09:00")
    far = desk.approved(
        "deputy", text="Nouméa", when="2026-11-03T07:00", zone="local", audience=["A-40"], accounts=["facebook:A-40"]
    )
    desk.stage.clock.forward(hours=4)  # 16:00 in Paris, 02:00 of the next day in Nouméa

    today = day(desk, "coordinator")

    assert [slot.post.id for slot in today.today] == [soon, far]
    assert (today.today_count, len(today.today[0].accounts)) == (2, 2)
    assert [slot.post.id for slot in day(desk).today] == [soon]


def test_the_last_posts_tell_what_is_known_as_at_least_and_never_add_people_up(desk: Desk):
    both = sent(desk, desk.approved(accounts=["facebook:A-14", "portal:FR"]))
    page, portal = sorted(both, key=lambda one: one.provenance is Provenance.PORTAL)
    desk.stage.clock.forward(days=10)
    read(desk, page, **{PEOPLE: 120, VIEWS: None, CLICKS: 4})
    visit(desk, portal, "D-35", Unit.VIEWS, 7)

    [done] = day(desk).recent

    assert {one.unit: (one.value, one.how) for one in done.figures} == {
        Unit.PEOPLE: (120, How.SINGLE),
        Unit.VIEWS: (7, How.AT_LEAST),
        Unit.CLICKS: (4, How.SINGLE),
    }
    assert (done.accounts, done.first_read_at) == (2, None)


def test_siblings_reached_at_least_the_most_that_one_did(desk: Desk):
    desk.keys("A-32", "4032")
    first, second = sent(desk, desk.approved("deputy", audience=["A-14", "A-32"], accounts=["facebook:FR"]))
    desk.stage.clock.forward(days=10)
    read(desk, first, **{PEOPLE: 120})
    read(desk, second, **{PEOPLE: 80})

    [done] = day(desk, "coordinator").recent

    assert [(one.value, one.how) for one in done.figures] == [(120, How.AT_LEAST)]


def test_a_fresh_post_says_when_its_first_figures_come(desk: Desk):
    [delivery] = sent(desk, desk.approved())
    desk.stage.clock.forward(days=8, hours=7)

    [done] = day(desk).recent

    assert (done.figures, done.first_read_at) == ([], delivery.due_at + timedelta(hours=1))


def test_animators_see_their_own_last_posts_and_others_those_of_their_territories(desk: Desk):
    desk.approved()
    desk.approved("colleague", text="Autre")
    for post_id in (1, 2):
        sent(desk, post_id)
    desk.stage.clock.forward(days=10)

    seen = {who: len(day(desk, who).recent) for who in ("animator", "coordinator", "analyst", "stranger")}

    assert seen == {"animator": 1, "coordinator": 2, "analyst": 2, "stranger": 0}


def test_an_administrator_sees_how_many_people_are_here_and_who_has_not_come_yet(desk: Desk):
    desk.join("guest", RoleKind.ANIMATOR, "A-14")

    people = day(desk, "administrator").people

    assert people is not None
    assert (people.active, people.invited) == (7, 1)
    assert day(desk).people is None


@pytest.mark.parametrize("who", ["animator", "coordinator"])
def test_a_long_history_asks_no_more_questions(desk: Desk, who):
    def asked() -> int:
        with statements(desk.stage.hub.engine) as heard:
            day(desk, who)
        return len(heard)

    [waiting] = desk.deliveries(desk.approved())
    for state in (DeliveryState.FAILED, DeliveryState.SENT):
        copies(desk, waiting.post_id, 1)
        with writing(desk.stage.hub.engine) as session:
            delivery = session.get(Delivery, _last(desk))
            assert delivery is not None
            delivery.state, delivery.sent_at = state, desk.now
    copies(desk, desk.submitted(text="À valider"), 6)
    few = asked()
    for post_id in range(1, 8):
        copies(desk, post_id, 60)

    assert asked() == few
    assert few <= 45


def _last(desk: Desk) -> int:
    return max(one.id or 0 for post_id in range(1, 20) for one in desk.deliveries(post_id))


def test_places_and_open_days_wait_for_those_who_keep_them(desk: Desk, shelf: Shelf):
    assert day(desk).places is None
    shelf.put(dated_on=None)
    shelf.propose(shelf.put())

    assert day(desk).places == Places(stale=1, open_days=1)
    assert day(desk, "administrator").places == Places(stale=1, open_days=1)
    assert (day(desk, "stranger").places, day(desk, "analyst").places) == (None, None)
