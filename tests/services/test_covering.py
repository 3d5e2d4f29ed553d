"""The coverage board: lines, silence, weeks, what comes from above, whose it is, and how much it asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from hub.database import reading, writing
from hub.domain.account import Account, AccountNetwork, AccountState
from hub.domain.delivery import DeliveryState
from hub.domain.errors import NotFound
from hub.domain.person import RoleKind
from hub.domain.policy import Policies
from hub.services import covering, joining
from hub.services.covering import Board, Covered, Health, Near, Standing
from tests.services.counting import published, sent
from tests.services.desk import Desk
from tests.stage import NOON

TUESDAY = datetime(2026, 11, 10, 17, tzinfo=UTC)
"""When posts of the desk go out: 18:00 in Paris."""


def board(desk: Desk, by: str = "analyst", at: datetime | None = None, **agreed: int) -> Board:
    with reading(desk.stage.hub.engine) as session:
        return covering.board(session, by=desk.who(by), at=at or desk.now, policies=Policies(**agreed))


def line(desk: Desk, code: str = "A-14", **rest: object) -> Covered:
    told = board(desk, **rest)  # type: ignore[arg-type]
    [found] = [one for one in (*told.territories, *told.wider) if one.code == code]
    return found


def near(desk: Desk, code: str = "A-14", by: str = "analyst") -> Near:
    with reading(desk.stage.hub.engine) as session:
        return covering.territory(session, code, by=desk.who(by), at=desk.now, policies=Policies())


def change_account(desk: Desk, name: str, **columns: object) -> None:
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts[name])
        for column, value in columns.items():
            setattr(account, column, value)


# --- Lines --------------------------------------------------------------------------------------------------


def test_the_board_has_a_line_for_each_of_the_34_territories_in_the_order_of_their_names(desk: Desk):
    told = board(desk)

    assert len(told.territories) == 34
    assert [one.name for one in told.territories[:3]] == ["Aix-Marseille", "Amiens", "Besançon"]
    assert [one.code for one in told.wider] == ["FR"]


def test_a_territory_without_any_post_is_silent_and_says_so_without_a_number(desk: Desk):
    told = line(desk)

    assert (told.last, told.next, told.published, told.planned, told.to_approve) == (None, None, 0, 0, 0)
    assert (told.silence, told.silent) == (None, True)


def test_a_line_names_the_last_post_and_the_next_one(desk: Desk):
    [old] = published(desk, when="2026-11-03T18:00", text="Ancienne\nDes détails.")
    [new] = published(desk, when="2026-11-04T18:00", text="Nouvelle")
    later = desk.approved(when="2026-11-12T18:00", text="Bientôt")
    desk.approved(when="2026-11-13T18:00", text="Plus tard")

    told = line(desk, at=TUESDAY)

    assert told.last is not None
    assert told.next is not None
    assert (told.last.delivery_id, told.last.post_id, told.last.title) == (new.id, new.post_id, "Nouvelle")
    assert (told.next.post_id, told.next.title) == (later, "Bientôt")
    assert old.id != new.id


def test_a_post_that_was_taken_down_is_not_the_last_one(desk: Desk):
    [delivery] = published(desk)
    desk.move(delivery.id, state=DeliveryState.REMOVED)

    assert line(desk, at=TUESDAY).last is None


def test_posts_that_wait_for_approval_count_for_each_territory_that_they_name(desk: Desk):
    desk.submitted(audience=["D-35", "D-22", "A-32"], accounts=["portal:FR"])
    desk.submitted(text="Autre chose")
    desk.write(text="Un brouillon")

    told = {one.code: one.to_approve for one in board(desk).territories}

    assert (told["A-14"], told["A-32"], told["A-10"]) == (2, 1, 0)


# --- Whose post it is ---------------------------------------------------------------------------------------


def spoke(desk: Desk) -> list[str]:
    told = board(desk, at=TUESDAY)
    return [one.code for one in (*told.wider, *told.territories) if one.last is not None]


@pytest.mark.parametrize(
    ("audience", "accounts", "lines"),
    [
        (["A-14"], ["facebook:A-14"], ["A-14"]),
        (["D-35"], ["facebook:A-14"], ["A-14"]),
        (["A-14"], ["facebook:FR"], ["A-14"]),
        (["R-53"], ["facebook:FR"], ["A-14"]),
        (["D-35", "A-32"], ["portal:FR"], ["A-32", "A-14"]),
        (["FR"], ["facebook:FR"], ["FR"]),
        (["FR"], ["facebook:A-14"], ["A-14"]),
        (["FR"], ["portal:FR"], ["FR"]),
        (["R-84"], ["portal:FR"], ["R-84"]),
    ],
    ids=[
        "its own page",
        "a part of it on its own page",
        "the national page limited to it",
        "a région that is one académie",
        "two territories on the portal",
        "a national post",
        "a national post on its own page",
        "a national post on the portal",
        "a région of several académies",
    ],
)
def test_a_post_counts_for_the_territory_that_it_is_meant_for(desk: Desk, audience, accounts, lines):
    sent(desk, approved_by_deputy(desk, audience=audience, accounts=accounts))

    assert spoke(desk) == lines


def approved_by_deputy(desk: Desk, **typed: object) -> int:
    post_id = desk.submitted("coordinator", **typed)
    desk.approve(post_id, "deputy")
    return post_id


def test_on_x_which_has_no_gates_the_audience_tells_whose_post_it_is(desk: Desk):
    sent(desk, approved_by_deputy(desk, audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True))

    assert spoke(desk) == ["A-14"]


def test_a_national_post_ends_no_territory_s_silence_and_has_its_own_line(desk: Desk):
    sent(desk, approved_by_deputy(desk, audience=["FR"], accounts=["facebook:FR"], text="Pour toutes et tous"))

    france, rennes = line(desk, "FR", at=TUESDAY), line(desk, at=TUESDAY)

    assert france.last is not None
    assert (france.last.title, france.silence) == ("Pour toutes et tous", 0)
    assert (rennes.last, rennes.silent) == (None, True)


# --- Silence and weeks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "silent"), [(0, False), (13, False), (14, True), (40, True)])
def test_a_territory_is_silent_from_the_agreed_number_of_days_on(desk: Desk, days: int, silent: bool):
    published(desk)

    told = line(desk, at=TUESDAY + timedelta(days=days))

    assert (told.silence, told.silent) == (days, silent)


@pytest.mark.parametrize(
    ("audience", "accounts", "lines"),
    [
        (["D-35"], ["facebook:A-14"], ["A-14"]),
        (["C-35238", "A-32"], ["portal:FR"], ["A-32", "A-14"]),
        (["D-35"], ["x:FR"], ["A-14"]),
        (["FR"], ["facebook:FR"], ["FR"]),
    ],
)
def test_the_last_post_is_found_however_long_ago_it_was(desk: Desk, audience, accounts, lines):
    sent(desk, approved_by_deputy(desk, audience=audience, accounts=accounts, accepts_unlimited=accounts == ["x:FR"]))

    told = board(desk, at=TUESDAY + timedelta(days=400))

    assert [(one.code, one.silence) for one in (*told.wider, *told.territories) if one.last] == [
        (code, 400) for code in lines
    ]


def test_the_agreement_on_silence_is_followed(desk: Desk):
    published(desk)

    assert line(desk, at=TUESDAY + timedelta(days=3), silence_days=3).silent
    assert not line(desk, at=TUESDAY + timedelta(days=3), silence_days=4).silent


def test_days_of_silence_are_those_of_the_territory_s_own_calendar(desk: Desk):
    desk.page("A-40")
    [delivery] = sent(desk, approved_by_deputy(desk, audience=["A-40"], accounts=["facebook:A-40"]))
    desk.move(delivery.id, sent_at=datetime(2026, 11, 10, 12, 30, tzinfo=UTC))  # 23:30 in Nouméa

    assert line(desk, "A-40", at=datetime(2026, 11, 10, 12, 50, tzinfo=UTC)).silence == 0
    assert line(desk, "A-40", at=datetime(2026, 11, 10, 13, 10, tzinfo=UTC)).silence == 1


def test_this_week_tells_what_is_out_and_what_is_still_to_come(desk: Desk):
    published(desk, when="2026-11-09T08:00", accounts=["facebook:A-14", "portal:FR"])
    desk.approved(when="2026-11-15T23:00", text="Dimanche soir")
    desk.approved(when="2026-11-16T08:00", text="Lundi suivant")

    told = line(desk, at=TUESDAY)

    assert (told.published, told.planned) == (1, 1)


def test_a_week_begins_on_monday_by_the_territory_s_own_clock(desk: Desk):
    desk.page("A-40")
    approved_by_deputy(
        desk, audience=["A-40"], accounts=["facebook:A-40"], when="2026-11-09T08:00", zone="Pacific/Noumea"
    )  # still Sunday in Paris

    assert line(desk, "A-40", at=datetime(2026, 11, 8, 12, tzinfo=UTC)).planned == 0
    assert line(desk, "A-40", at=datetime(2026, 11, 8, 14, tzinfo=UTC)).planned == 1


# --- Health -------------------------------------------------------------------------------------------------


def test_a_territory_without_an_account_of_its_own_says_so(desk: Desk):
    told = line(desk, "A-10")

    assert (told.health, list(told.accounts), told.standing) == (Health.NONE, [], Standing.SILENT)


@pytest.mark.parametrize(
    ("columns", "health"),
    [
        ({}, Health.UNCHECKED),
        ({"light": "green"}, Health.GOOD),
        ({"light": "amber"}, Health.CARE),
        ({"light": "green", "token_expires_at": NOON + timedelta(days=13)}, Health.CARE),
        ({"light": "green", "token_expires_at": NOON + timedelta(days=15)}, Health.GOOD),
        ({"light": "green", "token_expires_at": NOON}, Health.TROUBLE),
        ({"light": "red"}, Health.TROUBLE),
        ({"light": "green", "state": AccountState.PAUSED}, Health.TROUBLE),
        ({"light": "green", "state": AccountState.RESTING}, Health.TROUBLE),
        ({"state": AccountState.BLOCKED, "blocked_until": NOON + timedelta(hours=1), "light": "green"}, Health.TROUBLE),
        ({"state": AccountState.BLOCKED, "blocked_until": NOON, "light": "green"}, Health.GOOD),
    ],
)
def test_health_is_told_from_what_an_account_does_and_what_its_last_check_showed(desk: Desk, columns, health):
    change_account(desk, "rennes", **columns)

    assert line(desk).health is health


def test_several_accounts_are_as_well_as_the_worst_of_them(desk: Desk):
    desk.page("D-35", AccountNetwork.X)
    change_account(desk, "rennes", light="green")
    change_account(desk, "D-35", light="red")

    told = line(desk)

    assert ([account.name for account in told.accounts], told.health) == (["Page rennes", "Page D-35"], Health.TROUBLE)


def test_trouble_shows_before_silence_and_silence_before_calm(desk: Desk):
    change_account(desk, "rennes", light="green")
    assert line(desk).standing is Standing.SILENT

    published(desk)
    assert line(desk, at=TUESDAY).standing is Standing.FINE

    change_account(desk, "rennes", light="red")
    assert line(desk, at=TUESDAY).standing is Standing.TROUBLE


# --- Whose board --------------------------------------------------------------------------------------------


def test_an_animator_sees_their_territory_and_what_reaches_it_from_above(desk: Desk):
    sent(desk, approved_by_deputy(desk, audience=["FR"], accounts=["facebook:FR"]))

    told = board(desk, "animator", at=TUESDAY)

    assert ([one.code for one in told.territories], [one.code for one in told.wider]) == (["A-14"], ["FR"])
    assert told.wider[0].last is not None


def test_a_role_for_a_departement_tells_of_its_part_of_the_territory_only(desk: Desk):
    desk.join("yann", RoleKind.ANALYST, "D-22")
    published(desk, audience=["D-35"])
    desk.submitted(audience=["D-35"], text="Autre chose")

    told = line(desk, by="yann", at=TUESDAY)

    assert (told.last, told.to_approve) == (None, 0)


def test_somebody_without_a_role_has_an_empty_board(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        person = joining.add_person(session, email="zoe@example.org", name="Zoé", at=desk.now, by="operator")
        assert person.id is not None
        desk.stage.people["zoe"] = joining.actor_for(session, person.id)

    assert board(desk, "zoe") == Board([], [])


# --- From near ----------------------------------------------------------------------------------------------


def test_a_territory_from_near_lists_its_posts_each_once_and_what_comes_from_above(desk: Desk):
    first = published(desk, when="2026-11-03T18:00", accounts=["facebook:A-14", "portal:FR"], text="Une")[0]
    second = published(desk, when="2026-11-04T18:00", text="Deux")[0]
    coming = desk.approved(when="2026-11-20T18:00", text="Trois")
    national = approved_by_deputy(desk, audience=["FR"], accounts=["facebook:FR"], text="Pour tout le pays")

    told = near(desk, by="animator")

    assert [one.post_id for one in told.last] == [second.post_id, first.post_id]
    assert [(one.post_id, one.title) for one in told.next] == [(coming, "Trois")]
    assert [(one.code, one.next and one.next.post_id) for one in told.above] == [("FR", national)]


@pytest.mark.parametrize("code", ["A-32", "A-99", "D-35", "C-35238", ""])
def test_a_line_that_is_not_on_the_board_is_not_found(desk: Desk, code: str):
    with pytest.raises(NotFound):
        near(desk, code, by="animator")


# --- Size ---------------------------------------------------------------------------------------------------


def asked(desk: Desk, look: Callable[[Desk], object]) -> int:
    """How many questions the database is asked."""
    count = 0

    def one_more(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(desk.stage.hub.engine, "before_cursor_execute", one_more)
    try:
        look(desk)
    finally:
        event.remove(desk.stage.hub.engine, "before_cursor_execute", one_more)
    return count


@pytest.mark.parametrize("look", [board, near])
def test_the_number_of_questions_grows_neither_with_posts_nor_with_territories(desk: Desk, look):
    published(desk, audience=["C-35238"], accounts=["portal:FR"])
    asked(desk, look)  # the upper levels are read once for all
    few = asked(desk, look)
    desk.keys("A-32", "GP")
    for number in range(4):
        published(desk, text=f"Bonjour {number}")
        desk.approved(
            text=f"Bientôt {number}", when="2026-11-20T18:00", audience=["D-22", "C-35001"], accounts=["portal:FR"]
        )
        published(desk, text=f"Salut {number}", audience=["A-32", "A-14"], accounts=["facebook:FR"])
        desk.submitted(text=f"À valider {number}")

    assert asked(desk, look) == few
