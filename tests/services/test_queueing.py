"""The approver's queue, and a yes to several posts at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.database import reading, writing
from hub.domain.delivery import DeliveryState
from hub.domain.person import RoleKind
from hub.domain.post import Kind
from hub.services import approving, queueing
from hub.services.queueing import Answer, Place, Waiting
from tests.services.desk import Desk
from tests.services.test_reading_together import copies, statements


def waiting(desk: Desk, who: str = "coordinator", **wanted: object) -> list[Waiting]:
    """Somebody's queue."""
    with reading(desk.stage.hub.engine) as session:
        return queueing.waiting(
            session,
            by=desk.who(who),
            at=desk.now,
            terms=desk.terms,
            rules=desk.stage.hub.rules,
            **wanted,  # type: ignore[arg-type]
        )


def numbers(desk: Desk, who: str = "coordinator", **wanted: object) -> list[int | None]:
    """The posts in somebody's queue."""
    return [one.post.id for one in waiting(desk, who, **wanted)]


def place(desk: Desk, post_id: int, who: str = "coordinator") -> Place:
    """Where a post stands in somebody's queue."""
    with reading(desk.stage.hub.engine) as session:
        return queueing.place_of(session, desk.post(post_id), by=desk.who(who))


def approve(desk: Desk, seen: dict[int, str], who: str = "coordinator") -> list[Answer]:
    """A yes to several posts."""
    with writing(desk.stage.hub.engine) as session:
        return queueing.approve_several(
            session, seen, by=desk.who(who), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules
        )


def test_what_is_due_first_comes_first(desk: Desk):
    late = desk.submitted(when="2026-11-12T18:00")
    soon = desk.submitted(when="2026-11-03T18:00")
    desk.write(when="2026-11-04T18:00")

    assert numbers(desk) == [soon, late]


@pytest.mark.parametrize(
    ("who", "sees"), [("coordinator", True), ("deputy", False), ("animator", False), ("analyst", False)]
)
def test_nobody_finds_their_own_words_in_their_queue_nor_without_the_role(desk: Desk, who, sees):
    post_id = desk.submitted("deputy")

    with reading(desk.stage.hub.engine) as session:
        count = queueing.count_waiting(session, desk.who(who))

    assert numbers(desk, who) == ([post_id] if sees else [])
    assert count == (1 if sees else 0)


def test_who_changed_a_post_last_does_not_find_it_either(desk: Desk):
    post_id = desk.write("animator")
    desk.change(post_id, "coordinator", text="Autres mots")
    desk.submit(post_id)

    assert (numbers(desk), numbers(desk, "deputy")) == ([], [post_id])


@pytest.mark.parametrize(
    ("audience", "found"),
    [(["A-14"], True), (["D-35"], True), (["C-35238"], True), (["A-14", "A-32"], False), (["FR"], False)],
)
def test_a_coordinator_of_one_territory_finds_what_lies_wholly_in_it(desk: Desk, audience, found):
    desk.join("rennes", RoleKind.COORDINATOR, "A-14")
    post_id = desk.submitted(audience=audience, accounts=["portal:FR"])

    with reading(desk.stage.hub.engine) as session:
        may = approving.may_approve(session, desk.post(post_id), desk.who("rennes"))
        count = queueing.count_waiting(session, desk.who("rennes"))

    assert numbers(desk, "rennes") == ([post_id] if found else [])
    assert (may, count) == (found, int(found))


def test_the_queue_is_told_with_few_questions_however_long(desk: Desk):
    copies(desk, desk.submitted(audience=["D-35"], accounts=["facebook:A-14", "portal:FR"]), 150)
    engine = desk.stage.hub.engine

    with reading(engine) as session, statements(engine) as asked:
        found = queueing.waiting(
            session, by=desk.who("coordinator"), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules
        )
    with reading(engine) as session, statements(engine) as counted:
        number = queueing.count_waiting(session, desk.who("coordinator"))

    assert (len(found), number) == (151, 151)
    assert len(asked) <= 25
    assert len([one for one in counted if one != "BEGIN"]) == 1


def test_the_queue_shows_what_an_approval_is_bound_to(desk: Desk):
    post_id = desk.submitted(audience=["D-35"], accounts=["facebook:A-14", "portal:FR"])

    [one] = waiting(desk)

    assert one.fingerprint == desk.seen(post_id)
    assert list(one.planned) == desk.plan(post_id)
    assert list(one.audience) == ["D-35"]


def test_a_queue_is_narrowed_by_kind_and_territory(desk: Desk):
    advice = desk.submitted(kind="advice")
    news = desk.submitted("stranger", audience=["A-32"], accounts=["portal:FR"])

    assert numbers(desk, kind=Kind.ADVICE) == [advice]
    assert numbers(desk, territory="A-32") == [news]
    assert numbers(desk, kind=Kind.ADVICE, territory="A-32") == []


def test_what_is_due_within_a_day_is_urgent_and_a_repeat_is_trouble(desk: Desk):
    desk.submitted(when="2026-11-03T11:00")
    desk.submitted(when="2026-11-05T18:00", text="Autre chose")
    desk.approved(text="Autre chose", when="2026-11-05T20:00")

    told = [(one.urgent(desk.now), one.troubled, one.looked_at) for one in waiting(desk)]

    assert told == [(True, False, False), (False, True, False)]


def test_what_came_back_changed_is_marked(desk: Desk):
    post_id = desk.approved()
    desk.change(post_id, text="Autres mots")
    desk.submit(post_id)

    assert [one.looked_at for one in waiting(desk)] == [True]


def test_a_post_has_neighbours_in_the_queue(desk: Desk):
    first, second, third = (desk.submitted(when=f"2026-11-0{day}T18:00", text=f"Jour {day}") for day in (3, 4, 5))

    assert place(desk, first) == Place(1, 3, None, second)
    assert place(desk, second) == Place(2, 3, first, third)
    assert place(desk, third) == Place(3, 3, second, None)


def test_after_a_decision_what_was_due_next_comes_up_else_the_first(desk: Desk):
    first, second, third = (desk.submitted(when=f"2026-11-0{day}T18:00", text=f"Jour {day}") for day in (3, 4, 5))

    desk.approve(second)
    after_the_second = place(desk, second)
    desk.approve(third)
    after_the_last = place(desk, third)
    desk.approve(first)

    assert after_the_second == Place(0, 2, None, third)
    assert after_the_last == Place(0, 1, None, first)
    assert place(desk, first) == Place(0, 0, None, None)


def test_several_posts_are_approved_and_a_changed_one_stops_none_of_the_others(desk: Desk):
    first, changed, last = (desk.submitted(text=f"Texte {turn}") for turn in range(3))
    seen = {number: desk.seen(number) for number in (first, changed, last)}
    desk.change(changed, text="Autres mots")
    desk.submit(changed)

    answers = approve(desk, seen)

    assert answers == [
        Answer(first, "Texte 0"),
        Answer(
            changed,
            "Autres mots",
            "This post changed since you looked at it. Look at it again, then approve.",
        ),
        Answer(last, "Texte 2"),
    ]
    assert [desk.post(number).state for number in (first, changed, last)] == ["approved", "submitted", "approved"]
    assert [len(desk.deliveries(number)) for number in (first, changed, last)] == [1, 0, 1]


def test_a_refused_approval_among_several_leaves_nothing_behind(desk: Desk):
    late = desk.submitted(when="2026-11-02T12:30")
    good = desk.submitted()
    seen = {late: desk.seen(late), good: desk.seen(good)}
    desk.stage.clock.forward(hours=1)

    answers = approve(desk, seen)

    assert [one.refused is None for one in answers] == [False, True]
    assert [action for action, _by in desk.audited(late)] == ["post.draft", "post.submit"]
    assert [one.state for one in desk.deliveries(good)] == [DeliveryState.WAITING]


def test_nobody_approves_their_own_among_several_nor_what_they_may_not_see(desk: Desk):
    own = desk.submitted("deputy")

    answers = approve(desk, {own: desk.seen(own), 999: "x"}, "deputy")

    assert answers == [
        Answer(
            own,
            "Portes ouvertes au CFA",
            "Nobody approves their own words. Another coordinator must look at this post.",
        ),
        Answer(999, "", "There is no post 999 that you may see."),
    ]
    assert desk.post(own).state == "submitted"


def test_urgent_means_within_a_day(desk: Desk):
    desk.submitted(when="2026-11-03T12:00")
    [one] = waiting(desk)

    assert one.urgent(one.post.first_due_at - queueing.URGENT)
    assert not one.urgent(one.post.first_due_at - queueing.URGENT - timedelta(seconds=1))
