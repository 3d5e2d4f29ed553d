"""Moving a post in time: checked like any change, approvals lost, what has begun locked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.clock import Fold
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid, NotAllowed, NotFound, WrongState
from hub.domain.post import Post, PostState
from hub.services import drafting, rescheduling
from tests.services.desk import Desk, told
from tests.services.test_reading_together import copies, statements

LATER = "2026-11-12T09:30"
AN_EVENT = {
    "timings": [{"begin": "2026-11-20T14:00", "end": "2026-11-20T17:00"}],
    "zone": "Europe/Paris",
    "venue": "CFA de Rennes",
}


def move(desk: Desk, post_id: int, when: str = LATER, by: str = "animator", **rest: Any) -> Post:
    """Move a post; as it is seen now unless told otherwise."""
    rest.setdefault("version", desk.post(post_id).version)
    with writing(desk.stage.hub.engine) as session:
        return rescheduling.move(session, post_id, datetime.fromisoformat(when), by=desk.who(by), at=desk.now, **rest)


def movable(desk: Desk, post_id: int, who: str = "animator") -> bool:
    with reading(desk.stage.hub.engine) as session:
        return post_id in rescheduling.movable(session, [desk.post(post_id)], by=desk.who(who))


def test_a_moved_post_says_the_same_at_another_time(desk: Desk):
    post_id = desk.write(link="https://example.org/cfa", variants={"facebook:A-14": "Autres mots"})
    with reading(desk.stage.hub.engine) as session:
        before = drafting.typed_of(session, desk.post(post_id))

    move(desk, post_id)

    with reading(desk.stage.hub.engine) as session:
        after = drafting.typed_of(session, desk.post(post_id))
    assert after == before.model_copy(update={"when": datetime.fromisoformat(LATER)})
    assert desk.post(post_id).version == 2


def test_moving_an_event_leaves_its_dates(desk: Desk):
    post_id = desk.write(kind="event", event=AN_EVENT)
    before = desk.post(post_id)

    move(desk, post_id)

    after = desk.post(post_id)
    assert (after.event, after.useless_after) == (before.event, before.useless_after)
    assert after.wall_time == "2026-11-12T09:30"


def test_an_event_is_not_announced_when_it_is_over(desk: Desk):
    post_id = desk.write(kind="event", event=AN_EVENT)

    with pytest.raises(Invalid) as refused:
        move(desk, post_id, "2026-11-21T09:00")

    assert [field for field, _sentence in told(refused)] == ["when"]


@pytest.mark.parametrize("state", ["submitted", "approved"])
def test_moving_what_was_handed_in_or_approved_makes_it_a_draft_and_that_is_said_before(desk: Desk, state):
    post_id = desk.submitted() if state == "submitted" else desk.approved()

    meaning = rescheduling.meaning(desk.post(post_id))
    moved = move(desk, post_id)

    assert meaning is not None
    assert moved.state is PostState.DRAFT
    assert rescheduling.meaning(desk.post(post_id)) is None
    assert [one.state for one in desk.deliveries(post_id)] == [DeliveryState.CANCELLED] * (state == "approved")


def test_a_post_that_has_begun_to_go_out_is_locked(desk: Desk):
    post_id = desk.approved(accounts=["facebook:A-14", "portal:FR"])
    before = movable(desk, post_id)
    desk.move(desk.deliveries(post_id)[0].id, state=DeliveryState.SENT)

    with pytest.raises(WrongState):
        move(desk, post_id)

    assert (before, movable(desk, post_id)) == (True, False)


def test_two_who_move_the_same_post_meet_a_conflict(desk: Desk):
    post_id = desk.write()
    move(desk, post_id)

    with pytest.raises(WrongState):
        move(desk, post_id, "2026-11-13T09:00", version=1)

    assert desk.post(post_id).wall_time == "2026-11-12T09:30"


def test_moving_to_the_same_time_changes_nothing(desk: Desk):
    post_id = desk.approved()

    with pytest.raises(Invalid) as refused:
        move(desk, post_id, "2026-11-10T18:00")

    assert told(refused) == [("when", "It goes out at that time already. Choose another one.")]
    assert desk.post(post_id).state is PostState.APPROVED


def test_a_past_time_is_refused_beside_its_field(desk: Desk):
    with pytest.raises(Invalid) as refused:
        move(desk, desk.write(), "2026-11-01T09:00")

    assert [field for field, _sentence in told(refused)] == ["when"]


def test_a_doubled_hour_asks_which_one_is_meant(desk: Desk):
    post_id = desk.write(when="2027-10-30T18:00", zone="Europe/Paris")
    doubled = "2027-10-31T02:30"

    with pytest.raises(Invalid) as refused:
        move(desk, post_id, doubled)
    moved = move(desk, post_id, doubled, fold=Fold.LATER)

    assert [field for field, _sentence in told(refused)] == ["fold"]
    assert (moved.wall_time, moved.fold) == ("2027-10-31T02:30", Fold.LATER)


def test_a_zone_may_be_given_with_the_time(desk: Desk):
    post_id = desk.write()

    moved = move(desk, post_id, LATER, zone="America/Guadeloupe")

    assert moved.zone == "America/Guadeloupe"
    assert moved.first_due_at.hour == 13


def test_only_those_who_may_change_a_post_may_move_it(desk: Desk):
    post_id = desk.write("deputy", audience=["FR"], accounts=["facebook:FR"])

    with pytest.raises(NotAllowed):
        move(desk, post_id)
    with pytest.raises(NotFound):
        move(desk, desk.write(), by="stranger")

    assert (movable(desk, post_id), movable(desk, post_id, "coordinator")) == (False, True)


def test_withdrawn_posts_are_not_moved(desk: Desk):
    post_id = desk.write()
    desk.withdraw(post_id)

    assert not movable(desk, post_id)


def test_what_may_be_moved_of_many_posts_is_found_with_few_questions(desk: Desk):
    copies(desk, desk.approved(), 300)
    with reading(desk.stage.hub.engine) as session:
        several = drafting.list_posts(session, by=desk.who("animator"), limit=1000)
        with statements(desk.stage.hub.engine) as asked:
            found = rescheduling.movable(session, several, by=desk.who("animator"))

    assert len(found) == 301
    assert len(asked) <= 5
