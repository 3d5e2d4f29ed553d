"""Approving binds to what was seen, releases by name only, and puts old posts away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid, WrongState
from hub.domain.post import Post
from hub.services import approving
from hub.services.approving import ARCHIVED_AFTER
from tests.services.desk import Desk, told

THREE: dict[str, Any] = {"audience": ["D-35"], "accounts": ["facebook:A-14", "facebook:FR", "portal:FR"]}
"""A post for three accounts."""


@pytest.fixture
def places(desk: Desk) -> tuple[int, dict[str, str]]:
    """An approved post that goes out on the portal, while two pages are held; its destinations by account."""
    post_id = desk.submitted(**THREE)
    names = {number: name for name, number in desk.stage.accounts.items()}
    found = {names[one.account.id or 0]: one.destination for one in desk.plan(post_id)}
    desk.approve(post_id, hold={found["rennes"]: "Après les vacances", found["national"]: "Trop large"})
    return post_id, found


def test_nothing_is_approved_unseen(desk: Desk):
    post_id = desk.submitted()

    with pytest.raises(Invalid) as refused:
        desk.approve(post_id, seen="")

    assert told(refused) == [
        ("fingerprint", "Look at the preview, then send its fingerprint: exactly what you saw is approved.")
    ]


def test_only_what_is_named_is_released_and_the_rest_stays_held_with_its_reason(desk: Desk, places):
    post_id, found = places

    [made] = desk.approve(post_id, "deputy", release=[found["rennes"]])

    with reading(desk.stage.hub.engine) as session:
        _approval, lines = approving.approvals_of(session, desk.post(post_id))[-1]
    assert made.account_id == desk.stage.accounts["rennes"]
    assert [line.reason for line in lines if line.verdict == "held"] == ["Trop large"]


def test_an_approved_post_says_what_is_held_and_how_it_is_released(desk: Desk, places):
    post_id, found = places

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id)

    held = {"rennes": "Après les vacances", "national": "Trop large"}
    listed = sorted((found[name], reason) for name, reason in held.items())
    assert str(refused.value) == (
        f"This post is approved already. Held: {', '.join(f'{key} ({reason})' for key, reason in listed)}. "
        f"Name what shall go out: “release” in the API, “relais approve {post_id} --release {listed[0][0]}” "
        "on the command line."
    )
    assert len(desk.deliveries(post_id)) == 1


def test_what_is_not_held_cannot_be_released(desk: Desk, places):
    post_id, found = places

    with pytest.raises(Invalid) as refused:
        desk.approve(post_id, release=[found["portal"]])

    held = ", ".join(sorted([found["rennes"], found["national"]]))
    assert told(refused) == [("release", f"{found['portal']} is not held, so it cannot be released. Held: {held}.")]


def test_what_is_released_and_held_at_once_stays_held(desk: Desk, places):
    post_id, found = places

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id, release=[found["rennes"]], hold={found["rennes"]: "Pas encore"})

    assert str(refused.value).startswith("This post is approved already. Held: ")


def test_a_delivery_that_was_given_up_is_not_sent_by_a_release(desk: Desk, places):
    post_id, found = places
    [portal] = desk.deliveries(post_id)
    desk.move(portal.id, state=DeliveryState.CANCELLED)

    made = desk.approve(post_id, release=[found["rennes"], found["national"]])

    assert {one.account_id for one in made} == {desk.stage.accounts["rennes"], desk.stage.accounts["national"]}


def test_who_may_release_is_told_so_until_nothing_is_held(desk: Desk, places):
    post_id, found = places

    def steps() -> list[str]:
        with reading(desk.stage.hub.engine) as session:
            return approving.allowed_steps(session, desk.post(post_id), desk.who("deputy"))

    before = steps()
    desk.approve(post_id, release=[found["rennes"], found["national"]])

    assert ("approve" in before, "approve" in steps()) == (True, False)


# --- Putting away ---------------------------------------------------------------------------------------------


def archive(desk: Desk, at: datetime) -> list[int | None]:
    with writing(desk.stage.hub.engine) as session:
        return [post.id for post in approving.archive(session, at=at)]


def long_after(post: Post) -> datetime:
    return post.useless_after + ARCHIVED_AFTER


def test_the_clock_puts_away_what_ended_long_ago_and_notes_it(desk: Desk):
    sent, withdrawn = desk.approved(), desk.approved(text="Retirée")
    expired = desk.submitted(text="Jamais validée")
    desk.withdraw(withdrawn)
    [delivery] = desk.deliveries(sent)
    desk.move(delivery.id, state=DeliveryState.SENT, sent_at=delivery.due_at)
    with writing(desk.stage.hub.engine) as session:
        approving.expire(session, at=desk.post(expired).first_due_at)
    moment = long_after(desk.post(sent))

    assert archive(desk, moment - timedelta(seconds=1)) == []
    assert archive(desk, moment) == [sent, withdrawn, expired]
    assert {desk.post(one).state for one in (sent, withdrawn, expired)} == {"archived"}
    assert desk.audited(sent)[-1] == ("post.archive", "relais")
    assert archive(desk, moment) == []


@pytest.mark.parametrize("state", ["waiting", "unknown", "review"])
def test_what_is_open_is_never_put_away(desk: Desk, state):
    post_id = desk.approved()
    desk.move(desk.deliveries(post_id)[0].id, state=DeliveryState(state))

    assert archive(desk, long_after(desk.post(post_id))) == []


def test_what_shall_be_taken_down_is_not_put_away_before(desk: Desk):
    post_id = desk.approved()
    [delivery] = desk.deliveries(post_id)
    desk.move(delivery.id, state=DeliveryState.SENT, removal_at=delivery.due_at)

    assert archive(desk, long_after(desk.post(post_id))) == []


def test_days_are_counted_from_the_last_thing_that_was_done(desk: Desk):
    post_id = desk.approved()
    [delivery] = desk.deliveries(post_id)
    desk.move(delivery.id, state=DeliveryState.SENT)
    desk.stage.clock.at = desk.post(post_id).useless_after + timedelta(days=30)
    desk.withdraw(post_id)

    assert archive(desk, long_after(desk.post(post_id))) == []
    assert archive(desk, desk.now + ARCHIVED_AFTER) == [post_id]


@pytest.mark.parametrize("state", ["draft", "submitted"])
def test_what_its_author_still_works_on_stays(desk: Desk, state):
    post_id = desk.submitted() if state == "submitted" else desk.write()

    assert archive(desk, long_after(desk.post(post_id))) == []
