"""What an account needs next, what it may do, and what begins to move when it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.errors import NotFound
from hub.domain.policy import Policies
from hub.services import tending
from hub.services.covering import Health
from hub.services.findings import CURED_BY_KEYS, SENTENCES
from hub.services.tending import Leave, Release, Step, Tended
from tests.services.desk import Desk

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def account(**values: Any) -> Account:
    """A page that was checked and is well, unless told otherwise."""
    codes = values.pop("codes", ["ok"])
    usual: dict[str, Any] = {
        "network": AccountNetwork.FACEBOOK,
        "name": "Page",
        "remote_id": "1",
        "territory_code": "A-14",
        "created_at": NOON,
        "light": "green",
        "findings": [{"light": values.get("light", "green"), "code": code} for code in codes],
    }
    return Account(**(usual | values))


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ({}, Step.NOTHING),
        ({"light": None, "codes": []}, Step.CHECK),
        ({"light": None, "codes": [], "network": AccountNetwork.PORTAL}, Step.NOTHING),
        ({"light": "amber", "codes": ["unreachable"]}, Step.CHECK),
        ({"light": "red", "codes": ["suspended"]}, Step.CHECK),
        ({"light": "red", "codes": ["token_expired"]}, Step.RENEW),
        ({"light": "amber", "codes": ["token_expires_soon"]}, Step.RENEW),
        ({"token_expires_at": NOON + timedelta(days=13)}, Step.RENEW),
        ({"token_expires_at": NOON + timedelta(days=14)}, Step.NOTHING),
        ({"state": AccountState.RESTING, "light": "red", "codes": ["token_revoked"]}, Step.RENEW),
        ({"state": AccountState.RESTING, "light": "red", "codes": []}, Step.CHECK),
        ({"state": AccountState.RESTING}, Step.RESUME),
        ({"state": AccountState.RESTING, "light": "amber", "codes": ["renamed"]}, Step.RESUME),
        ({"state": AccountState.PAUSED}, Step.RESUME),
        ({"state": AccountState.PAUSED, "light": "red", "codes": ["keys_refused"]}, Step.RENEW),
        ({"state": AccountState.BLOCKED, "blocked_until": NOON + timedelta(hours=1)}, Step.WAIT),
        ({"state": AccountState.BLOCKED, "blocked_until": NOON - timedelta(hours=1)}, Step.NOTHING),
    ],
)
def test_the_next_step_is_the_one_that_helps(values: dict[str, Any], step: Step):
    assert tending.next_step(account(**values), at=NOON, policies=Policies()) is step


def test_every_finding_that_keys_put_right_is_known():
    assert set(SENTENCES) >= CURED_BY_KEYS


@pytest.mark.parametrize(
    ("values", "publish", "count"),
    [
        ({}, Leave.YES, Leave.YES),
        ({"light": None, "codes": []}, Leave.UNKNOWN, Leave.UNKNOWN),
        ({"light": "amber", "codes": ["throttled"]}, Leave.UNKNOWN, Leave.UNKNOWN),
        ({"light": "red", "codes": ["permission_missing"]}, Leave.NO, Leave.UNKNOWN),
        ({"light": "amber", "codes": ["figures_permission_missing"]}, Leave.YES, Leave.NO),
        ({"codes": ["ok", "permissions_not_checked"]}, Leave.YES, Leave.UNKNOWN),
    ],
)
def test_permissions_are_told_as_far_as_they_are_known(values: dict[str, Any], publish: Leave, count: Leave):
    one = account(**values)

    assert (tending.may_publish(one), tending.may_count(one)) == (publish, count)


def seen(desk: Desk, who: str) -> list[Tended]:
    with reading(desk.stage.hub.engine) as session:
        return tending.tended(session, by=desk.who(who), rules=desk.stage.hub.rules, at=desk.now)


def set_to(desk: Desk, name: str, **values: Any) -> None:
    with writing(desk.stage.hub.engine) as session:
        found = session.get(Account, desk.stage.accounts[name])
        for field, value in values.items():
            setattr(found, field, value)


def test_the_worst_comes_first_and_keepers_are_told_apart(desk: Desk):
    set_to(desk, "rennes", light="amber")
    set_to(desk, "national", light="red")

    coordinator, animator = seen(desk, "coordinator"), seen(desk, "animator")

    assert [(one.account.name, one.health) for one in coordinator[:2]] == [
        ("Page national", Health.TROUBLE),
        ("Page rennes", Health.CARE),
    ]
    assert {one.keeps for one in coordinator} == {True}
    assert ({one.keeps for one in animator}, len(animator), len(coordinator)) == ({False}, 4, 5)


def test_an_account_elsewhere_is_not_found(desk: Desk):
    with reading(desk.stage.hub.engine) as session, pytest.raises(NotFound):
        tending.get_tended(
            session,
            desk.stage.accounts["elsewhere"],
            by=desk.who("animator"),
            rules=desk.stage.hub.rules,
            at=desk.now,
        )


def test_the_last_deliveries_are_those_of_posts_that_one_may_see(desk: Desk):
    number = desk.stage.accounts["national"]
    desk.keys("A-32", "4032")
    for who, place in (("animator", "A-14"), ("stranger", "A-32")):
        post_id = desk.approved(who, text=f"Nouvelle de {place}", audience=[place], accounts=["facebook:FR"])
        [delivery] = desk.deliveries(post_id)
        assert delivery.state.value == "waiting"
        with reading(desk.stage.hub.engine) as session:
            assert tending.recent(session, number, by=desk.who(who)) == []
        desk.move(delivery.id, state="sent", sent_at=desk.now)

    def titles(who: str) -> list[str]:
        with reading(desk.stage.hub.engine) as session:
            return sorted(one.title for one in tending.recent(session, number, by=desk.who(who)))

    assert titles("animator") == ["Nouvelle de A-14"]
    assert titles("stranger") == ["Nouvelle de A-32"]
    assert titles("coordinator") == ["Nouvelle de A-14", "Nouvelle de A-32"]


def test_what_begins_to_move_is_told_apart_from_what_is_too_late(desk: Desk):
    for hours in (0, 1, 7):
        [delivery] = desk.deliveries(desk.approved(text=f"Il y a {hours} heures"))
        desk.move(delivery.id, due_at=desk.now - timedelta(hours=hours), ready_at=desk.now)
    desk.approved(text="Plus tard")

    with reading(desk.stage.hub.engine) as session:
        number, patience = desk.stage.accounts["rennes"], desk.stage.hub.patience
        told = tending.release(session, number, at=desk.now, patience=patience)

    assert told == Release(waiting=4, due=3, late=1)
    assert told.at_once == 2
