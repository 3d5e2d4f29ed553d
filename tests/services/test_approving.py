"""Approving: who may, what was seen, destination by destination, never late, frozen, and noted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid, NotAllowed, NotFound, WrongState
from hub.domain.person import RoleKind
from hub.domain.post import Post, PostDestination, PostState
from hub.services import approving
from tests.services.desk import Desk, told

TWO: dict[str, Any] = {"audience": ["D-35"], "accounts": ["facebook:A-14", "portal:FR"]}
"""A post for two accounts, both gated."""


def give_back(desk: Desk, post_id: int, by: str = "coordinator", reason: str = "Trop long") -> Post:
    with writing(desk.stage.hub.engine) as session:
        return approving.give_back(session, post_id, by=desk.who(by), at=desk.now, reason=reason)


def expire(desk: Desk) -> list[int | None]:
    with writing(desk.stage.hub.engine) as session:
        return [post.id for post in approving.expire(session, at=desk.now)]


def lines(desk: Desk, post_id: int) -> list[list[tuple[str, str, str | None]]]:
    """Gate, verdict and reason of each line of each approval."""
    with reading(desk.stage.hub.engine) as session:
        return [
            sorted((line.gate_key, line.verdict.value, line.reason) for line in some)
            for _approval, some in approving.approvals_of(session, desk.post(post_id))
        ]


def destination(desk: Desk, post_id: int, account: str) -> str:
    """How the delivery on an account is pointed at."""
    [found] = [one.destination for one in desk.plan(post_id) if one.account.id == desk.stage.accounts[account]]
    return found


# --- Who ----------------------------------------------------------------------------------------------------


def test_an_approved_post_has_one_waiting_delivery_for_each_destination(desk: Desk):
    post_id = desk.submitted(**TWO)

    deliveries = desk.approve(post_id)

    assert desk.post(post_id).state == "approved"
    assert sorted(one.account_id for one in deliveries) == sorted(
        [desk.stage.accounts["rennes"], desk.stage.accounts["portal"]]
    )
    assert {one.state for one in desk.deliveries(post_id)} == {DeliveryState.WAITING}
    assert lines(desk, post_id) == [[("D-35", "approved", None), ("D-35", "approved", None)]]


def test_nobody_approves_or_returns_their_own_post(desk: Desk):
    post_id = desk.submitted("coordinator")

    for act in (desk.approve, lambda number, by: give_back(desk, number, by)):
        with pytest.raises(NotAllowed) as refused:
            act(post_id, "coordinator")

        assert str(refused.value) == "Nobody approves their own words. Another coordinator must look at this post."
    assert desk.post(post_id).state == "submitted"
    assert desk.approve(post_id, "deputy")


def test_who_changed_a_post_last_does_not_approve_it_either(desk: Desk):
    post_id = desk.write("animator")
    desk.change(post_id, "coordinator", text="Mes mots")
    desk.submit(post_id)

    with pytest.raises(NotAllowed):
        desk.approve(post_id, "coordinator")

    assert desk.approve(post_id, "deputy")


@pytest.mark.parametrize("who", ["colleague", "analyst", "administrator"])
def test_only_coordinators_approve(desk: Desk, who):
    post_id = desk.submitted()

    with pytest.raises(NotAllowed) as refused:
        desk.approve(post_id, who)

    assert str(refused.value) == "Only a coordinator for the whole audience may approve or return this post."


def test_a_post_of_another_territory_is_not_there_to_approve(desk: Desk):
    desk.join("limousine", RoleKind.COORDINATOR, "A-22")
    post_id = desk.submitted()

    with pytest.raises(NotFound):
        desk.approve(post_id, "limousine")


def test_a_coordinator_for_a_part_of_the_audience_does_not_approve(desk: Desk):
    desk.join("bretonne", RoleKind.COORDINATOR, "A-14")
    for_both = desk.submitted(audience=["A-14", "A-32"], accounts=["portal:FR"])
    for_rennes = desk.submitted(audience=["D-35"])

    with pytest.raises(NotAllowed):
        desk.approve(for_both, "bretonne")

    assert desk.approve(for_rennes, "bretonne")


# --- What was seen ------------------------------------------------------------------------------------------


def test_what_was_seen_is_what_is_approved(desk: Desk):
    post_id = desk.submitted()

    assert desk.approve(post_id, seen=desk.seen(post_id))


def test_a_post_that_changed_since_it_was_looked_at_is_not_approved(desk: Desk):
    post_id = desk.submitted()
    looked_at = desk.seen(post_id)
    desk.change(post_id, text="Autre chose")
    desk.submit(post_id)

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id, seen=looked_at)

    assert str(refused.value) == "This post changed since you looked at it. Look at it again, then approve."
    assert desk.deliveries(post_id) == []


def test_a_gate_that_changed_since_it_was_looked_at_is_not_approved(desk: Desk):
    post_id = desk.submitted(audience=["D-35"])
    looked_at = desk.seen(post_id)
    desk.keys("D-35", "more")

    with pytest.raises(WrongState):
        desk.approve(post_id, seen=looked_at)


def test_a_post_with_a_problem_is_not_approved(desk: Desk):
    post_id = desk.submitted(audience=["D-35"])
    desk.forget_keys()

    with pytest.raises(Invalid) as refused:
        desk.approve(post_id)

    assert [field for field, _message in told(refused)] == [destination(desk, post_id, "rennes")]
    assert desk.post(post_id).state == "submitted"


def test_a_problem_of_a_destination_that_is_held_does_not_stop_the_others(desk: Desk):
    post_id = desk.submitted(**TWO)
    desk.forget_keys()

    [delivery] = desk.approve(post_id, hold={destination(desk, post_id, "rennes"): "Pas de clé"})

    assert delivery.account_id == desk.stage.accounts["portal"]


def test_a_post_that_has_lost_its_accounts_is_not_approved(desk: Desk):
    post_id = desk.submitted()
    with writing(desk.stage.hub.engine) as session:
        for one in session.exec(select(PostDestination)):
            session.delete(one)

    with pytest.raises(Invalid) as refused:
        desk.approve(post_id)

    assert told(refused) == [("accounts", "This post has no account to go out on.")]


@pytest.mark.parametrize("state", ["draft", "returned", "expired", "withdrawn", "archived"])
def test_what_was_not_submitted_is_not_approved(desk: Desk, state):
    post_id = desk.write()
    with writing(desk.stage.hub.engine) as session:
        post = session.get(Post, post_id)
        assert post is not None
        post.state = PostState(state)

    with pytest.raises(WrongState):
        desk.approve(post_id)


# --- Held destinations --------------------------------------------------------------------------------------


def test_a_held_destination_has_no_delivery_and_may_be_approved_later(desk: Desk):
    post_id = desk.submitted(**TWO)
    rennes = destination(desk, post_id, "rennes")

    [first] = desk.approve(post_id, hold={rennes: "Après les vacances"})
    [second] = desk.approve(post_id, "deputy", release=[rennes])

    assert (first.account_id, second.account_id) == (desk.stage.accounts["portal"], desk.stage.accounts["rennes"])
    assert lines(desk, post_id) == [
        [("D-35", "approved", None), ("D-35", "held", "Après les vacances")],
        [("D-35", "approved", None), ("D-35", "approved", None)],
    ]
    assert len(desk.deliveries(post_id)) == 2


def test_an_account_stands_for_all_its_gated_deliveries(desk: Desk):
    desk.keys("A-32", "GP")
    post_id = desk.submitted("animator", audience=["A-14", "A-32"], accounts=["facebook:FR", "portal:FR"])
    national = desk.stage.accounts["national"]

    deliveries = desk.approve(post_id, hold={str(national): "Trop large"})
    later = desk.approve(post_id, release=[str(national)], hold={f"{national}:A-32": "Pas encore"})

    assert [one.gate_key for one in deliveries] == ["A-14+A-32"]
    assert [(one.account_id, one.gate_key) for one in later] == [(national, "A-14")]


def test_nothing_is_approved_twice(desk: Desk):
    post_id = desk.approved()

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id)

    assert str(refused.value) == "This post is approved already, and none of its destinations is held."
    assert len(desk.deliveries(post_id)) == 1


def test_what_is_approved_already_cannot_be_held_any_more(desk: Desk):
    post_id = desk.submitted(**TWO)
    portal = destination(desk, post_id, "portal")
    desk.approve(post_id, hold={destination(desk, post_id, "rennes"): "Attendre"})

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id, hold={portal: "Trop tard"})

    assert str(refused.value) == f"{portal} is approved already, so it cannot be held. Withdraw the post."


def test_a_held_destination_whose_time_has_passed_is_never_sent_late(desk: Desk):
    post_id = desk.submitted(**TWO)
    rennes = destination(desk, post_id, "rennes")
    desk.approve(post_id, hold={rennes: "Attendre"})
    desk.stage.clock.at = desk.post(post_id).first_due_at

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id, release=[rennes])

    assert str(refused.value) == (
        f"The time of {rennes} has passed, and nothing is sent late. Copy this post, or hold it."
    )
    assert len(desk.deliveries(post_id)) == 1


@pytest.mark.parametrize(
    ("hold", "message"),
    [
        ({"99": "Pourquoi"}, "There is no destination 99 to hold. There are: {known}."),
        ({"{known}": "  "}, "Say why {known} is held."),
    ],
)
def test_holding_needs_a_destination_that_is_there_and_a_reason(desk: Desk, hold, message):
    post_id = desk.submitted()
    known = destination(desk, post_id, "rennes")

    with pytest.raises(Invalid) as refused:
        desk.approve(post_id, hold={key.format(known=known): reason for key, reason in hold.items()})

    assert told(refused) == [("hold", message.format(known=known))]


# --- Never late ---------------------------------------------------------------------------------------------


def test_what_is_not_approved_in_time_expires_and_is_never_late(desk: Desk):
    late = desk.submitted()
    in_time = desk.submitted(when="2026-11-10T18:01")
    approved = desk.approved(text="Autre chose")
    desk.stage.clock.at = desk.post(late).first_due_at

    assert expire(desk) == [late]

    assert [desk.post(one).state for one in (late, in_time, approved)] == ["expired", "submitted", "approved"]
    assert desk.audited(late)[-1] == ("post.expire", "relais")
    assert expire(desk) == []


def test_a_post_whose_time_has_come_is_refused_even_before_it_is_noted_as_expired(desk: Desk):
    post_id = desk.submitted()
    desk.stage.clock.at = desk.post(post_id).first_due_at

    with pytest.raises(WrongState) as refused:
        desk.approve(post_id)

    assert str(refused.value) == (
        "The time to publish this post has passed, so it expires: it is never sent late. Its author may move it."
    )
    assert desk.deliveries(post_id) == []


def test_a_post_may_be_approved_until_its_time_comes(desk: Desk):
    post_id = desk.submitted()
    desk.stage.clock.at = desk.post(post_id).first_due_at - timedelta(seconds=1)

    assert desk.approve(post_id)


# --- Returning ----------------------------------------------------------------------------------------------


def test_a_returned_post_carries_the_reason_until_it_is_submitted_again(desk: Desk):
    post_id = desk.submitted()

    give_back(desk, post_id, reason="  Trop long ")

    assert (desk.post(post_id).state, desk.post(post_id).return_reason) == ("returned", "Trop long")
    desk.submit(post_id)
    assert (desk.post(post_id).state, desk.post(post_id).return_reason) == ("submitted", None)


def test_a_post_is_not_returned_without_a_reason(desk: Desk):
    post_id = desk.submitted()

    with pytest.raises(Invalid) as refused:
        give_back(desk, post_id, reason="  ")

    assert told(refused) == [("reason", "Say why, so that its author knows what to change.")]


def test_only_what_was_submitted_is_returned(desk: Desk):
    post_id = desk.approved()

    with pytest.raises(WrongState):
        give_back(desk, post_id)


# --- Frozen and noted ---------------------------------------------------------------------------------------


def test_text_and_gate_are_frozen_by_the_approval(desk: Desk):
    post_id = desk.approved(audience=["D-35"], text="En {territoire}", link="https://example.org/cfa")
    desk.keys("D-35", "more")

    [delivery] = desk.deliveries(post_id)

    assert delivery.text == "En Ille-et-Vilaine"
    assert delivery.gate == {
        "territories": ["D-35"],
        "keys": {"region": ["4002"]},
        "precision": {"covered": 100.0, "spilled": 0.0},
        "invented": True,
    }
    assert delivery.link == f"{desk.terms.link_base}{delivery.key}"
    assert (delivery.wall_time, delivery.zone) == ("2026-11-10T18:00", "Europe/Paris")
    assert delivery.due_at == delivery.ready_at == desk.post(post_id).first_due_at
    assert delivery.useless_after == desk.post(post_id).useless_after


def test_what_is_frozen_is_what_was_planned(desk: Desk):
    post_id = desk.submitted(**TWO)
    planned = {(one.account.id, one.gate_key): one for one in desk.plan(post_id)}

    for delivery in desk.approve(post_id):
        one = planned[delivery.account_id, delivery.gate_key]

        assert (delivery.text, delivery.key, delivery.text_key, delivery.gate) == (
            one.text,
            one.key,
            one.text_key,
            one.stored_gate(),
        )


def test_x_that_is_not_limited_keeps_saying_so(desk: Desk):
    post_id = desk.approved(audience=["A-14"], accounts=["x:FR"], accepts_unlimited=True)

    [delivery] = desk.deliveries(post_id)

    assert (delivery.gate, delivery.provenance, delivery.territory_code) == ({"unlimited": True}, "origin", "A-14")


def test_every_step_is_noted_with_who_took_it(desk: Desk):
    post_id = desk.submitted(**TWO)
    give_back(desk, post_id, "deputy")
    desk.submit(post_id)
    deliveries = desk.approve(post_id, hold={destination(desk, post_id, "rennes"): "Attendre"})

    assert desk.audited(post_id) == [
        ("post.draft", "Animator"),
        ("post.submit", "Animator"),
        ("post.return", "Deputy"),
        ("post.submit", "Animator"),
        ("post.approve", "Coordinator"),
    ]
    with reading(desk.stage.hub.engine) as session:
        newest = session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc())).first()
    assert newest is not None
    assert newest.before == {"state": "submitted"}
    assert newest.after == {
        "state": "approved",
        "deliveries": [one.id for one in deliveries],
        "held": {destination(desk, post_id, "rennes"): "Attendre"},
    }


def test_a_refused_approval_leaves_no_trace(desk: Desk):
    post_id = desk.submitted(audience=["D-35"])
    before = desk.audited(post_id)
    desk.forget_keys()

    with pytest.raises(Invalid):
        desk.approve(post_id)

    assert (desk.audited(post_id), lines(desk, post_id), desk.deliveries(post_id)) == (before, [], [])


# --- What one may do next -----------------------------------------------------------------------------------

STEPS = [
    # state, who, what they may do
    ("draft", "animator", ["edit", "submit", "withdraw"]),
    ("draft", "coordinator", ["edit", "submit", "withdraw"]),
    ("draft", "analyst", []),
    ("submitted", "animator", ["edit", "withdraw"]),
    ("submitted", "coordinator", ["edit", "withdraw", "approve", "return"]),
    ("approved", "animator", ["edit", "withdraw"]),
    ("approved", "coordinator", ["edit", "withdraw"]),
    ("held", "animator", ["edit", "withdraw"]),
    ("held", "coordinator", ["edit", "withdraw", "approve"]),
    ("sent", "animator", ["withdraw"]),
    ("withdrawn", "animator", ["edit"]),
    ("archived", "animator", []),
]


@pytest.mark.parametrize(("state", "who", "steps"), STEPS)
def test_each_person_is_told_what_they_may_do_next(desk: Desk, state, who, steps):
    post_id = desk.write(**TWO)
    if state in {"submitted", "approved", "held", "sent"}:
        desk.submit(post_id)
    if state in {"approved", "sent"}:
        desk.approve(post_id)
    if state == "held":
        desk.approve(post_id, hold={destination(desk, post_id, "rennes"): "Attendre"})
    if state == "sent":
        desk.move(desk.deliveries(post_id)[0].id, state=DeliveryState.SENT)
    if state in {"withdrawn", "archived"}:
        with writing(desk.stage.hub.engine) as session:
            post = session.get(Post, post_id)
            assert post is not None
            post.state = PostState(state)

    with reading(desk.stage.hub.engine) as session:
        told = approving.allowed_steps(session, desk.post(post_id), desk.who(who))

    assert told == steps
