"""Who may see, choose and manage an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.domain.account import (
    Account,
    AccountNetwork,
    AccountState,
    can_choose_account,
    can_keep_account,
    can_see_account,
    require_account_keeper,
    require_account_seen,
)
from hub.domain.errors import NotAllowed, NotFound
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.domain.territory import Atlas, Level, Node

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PATHS = {
    "FR": Level.COUNTRY,
    "FR/R-53": Level.REGION,
    "FR/R-53/A-14": Level.ACADEMIE,
    "FR/R-53/A-14/D-22": Level.DEPARTEMENT,
    "FR/R-53/A-14/D-35": Level.DEPARTEMENT,
    "FR/R-75": Level.REGION,
    "FR/R-75/A-04": Level.ACADEMIE,
    "FR/R-75/A-22": Level.ACADEMIE,
}
ATLAS = Atlas(
    {
        path.split("/")[-1]: Node(path.split("/")[-1], path, level, path, "Europe/Paris", 100)
        for path, level in PATHS.items()
    }
)

SEES_CHOOSES_KEEPS = [
    # role, where it is held, where the account speaks, sees, chooses, manages
    ("animator", "A-14", "A-14", True, True, False),
    ("animator", "D-35", "A-14", True, True, False),
    ("animator", "A-14", "FR", True, True, False),
    ("animator", "R-53", "A-14", True, True, False),
    ("animator", "A-14", "A-04", False, False, False),
    ("coordinator", "A-14", "A-14", True, True, True),
    ("coordinator", "FR", "A-14", True, True, True),
    ("coordinator", "FR", "FR", True, True, True),
    ("coordinator", "A-14", "FR", True, True, False),
    ("coordinator", "D-35", "A-14", True, True, False),
    ("coordinator", "A-14", "A-04", False, False, False),
    ("administrator", "FR", "A-14", True, False, True),
    ("administrator", "A-14", "A-14", True, False, True),
    ("administrator", "A-14", "R-53", True, False, True),
    ("administrator", "A-04", "R-75", True, False, False),
    ("administrator", "A-14", "A-04", False, False, False),
    ("analyst", "FR", "A-14", True, False, False),
    ("analyst", "A-14", "FR", True, False, False),
    ("analyst", "A-14", "A-04", False, False, False),
]


def someone(*roles: tuple[str, str]) -> Actor:
    return Actor(1, "ana@example.org", "Ana", tuple(HeldRole(RoleKind(kind), code) for kind, code in roles))


def account(territory: str, **more) -> Account:
    return Account(
        id=7,
        network=AccountNetwork.FACEBOOK,
        name="Page",
        remote_id="1",
        territory_code=territory,
        created_at=NOON,
        **more,
    )


@pytest.mark.parametrize(("role", "held", "speaks", "sees", "chooses", "keeps"), SEES_CHOOSES_KEEPS)
def test_a_role_may_see_choose_or_manage_an_account_as_the_table_says(role, held, speaks, sees, chooses, keeps):
    actor, page = someone((role, held)), account(speaks)

    assert can_see_account(actor, ATLAS, page) == sees
    assert can_choose_account(actor, ATLAS, page) == chooses
    assert can_keep_account(actor, ATLAS, page) == keeps


def test_nobody_without_a_role_sees_anything():
    assert not can_see_account(someone(), ATLAS, account("FR"))
    assert not can_keep_account(someone(), ATLAS, account("FR"))


def test_roles_for_all_parts_of_a_territory_manage_the_whole():
    both = someone(("coordinator", "A-04"), ("administrator", "A-22"))

    assert can_keep_account(both, ATLAS, account("R-75"))
    assert not can_keep_account(both, ATLAS, account("FR"))


def test_an_account_out_of_sight_is_not_found_rather_than_refused():
    stranger = someone(("coordinator", "A-04"))

    with pytest.raises(NotFound):
        require_account_seen(stranger, ATLAS, account("A-14"))
    with pytest.raises(NotFound):
        require_account_keeper(stranger, ATLAS, account("A-14"))


def test_an_account_in_sight_is_refused_to_those_who_do_not_manage_it():
    animator = someone(("animator", "A-14"))

    require_account_seen(animator, ATLAS, account("A-14"))
    with pytest.raises(NotAllowed):
        require_account_keeper(animator, ATLAS, account("A-14"))


def test_whoever_manages_an_account_is_let_through():
    require_account_keeper(someone(("coordinator", "FR")), ATLAS, account("A-14"))


@pytest.mark.parametrize(
    ("state", "blocked_until", "not_before", "may"),
    [
        (AccountState.ACTIVE, None, None, True),
        (AccountState.ACTIVE, None, NOON, True),
        (AccountState.ACTIVE, None, NOON + timedelta(seconds=1), False),
        (AccountState.PAUSED, None, None, False),
        (AccountState.RESTING, None, None, False),
        (AccountState.BLOCKED, NOON + timedelta(hours=1), None, False),
        (AccountState.BLOCKED, NOON, None, True),
        (AccountState.BLOCKED, None, None, False),
    ],
)
def test_calls_are_made_only_for_an_account_that_stands_and_need_not_wait(state, blocked_until, not_before, may):
    page = account("A-14", state=state, blocked_until=blocked_until, not_before=not_before)

    assert page.may_call(NOON) == may
