"""Single-use links: each opens once, none outlives what it was made for, and nobody is flooded with them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlmodel import select

from hub.database import reading, writing
from hub.domain.audit import OPERATOR
from hub.domain.errors import NotAllowed, NotFound
from hub.domain.person import RoleKind
from hub.domain.sign_in import Purpose, SignIn, Ticket
from hub.services import joining, visiting
from tests.services.desk import Desk

Change = Callable[[Desk], object]


def link(desk: Desk, who: str = "animator", purpose: Purpose = Purpose.RESET) -> str:
    """A link to choose a password."""
    with writing(desk.stage.hub.engine) as session:
        return visiting.make_ticket(session, desk.who(who).id, purpose, by=OPERATOR, at=desk.now)


def asked(desk: Desk) -> str | None:
    """The link that somebody gets who says that the animator forgot their password."""
    with writing(desk.stage.hub.engine) as session:
        made = visiting.ask_reset(session, "animator@example.org", at=desk.now)
    return made[1] if made else None


def is_good(desk: Desk, plain: str) -> bool:
    with reading(desk.stage.hub.engine) as session:
        try:
            visiting.ticket_of(session, plain, at=desk.now)
        except NotFound:
            return False
        return True


def new_password(desk: Desk) -> None:
    with writing(desk.stage.hub.engine) as session:
        who = desk.who("animator")
        joining.set_password(session, who.id, password_hash="hash", by=who, at=desk.now)


def out_and_in_again(desk: Desk) -> None:
    with writing(desk.stage.hub.engine) as session:
        joining.disable(session, desk.who("animator").id, by=OPERATOR, at=desk.now)
        joining.enable(session, desk.who("animator").id, by=OPERATOR, at=desk.now)


def use(desk: Desk, plain: str) -> int:
    with writing(desk.stage.hub.engine) as session:
        return visiting.use_ticket(session, plain, password_hash="hash", at=desk.now)


@pytest.mark.parametrize("change", [new_password, out_and_in_again])
def test_no_link_outlives_a_new_password_nor_being_shut_out(desk: Desk, change: Change):
    links = [link(desk, purpose=purpose) for purpose in Purpose]

    change(desk)

    assert [is_good(desk, plain) for plain in links] == [False, False]


def test_a_link_that_is_used_takes_all_others_of_its_owner_along(desk: Desk):
    invitation, reset, foreign = link(desk, purpose=Purpose.INVITATION), link(desk), link(desk, "colleague")

    use(desk, reset)

    assert [is_good(desk, plain) for plain in (invitation, reset, foreign)] == [False, False, True]


def test_of_many_who_use_a_link_at_once_one_comes_in(desk: Desk):
    plain, together = link(desk), Barrier(6)

    def knock(_number: int) -> bool:
        together.wait()
        try:
            return bool(use(desk, plain))
        except NotFound:
            return False

    with ThreadPoolExecutor(6) as threads:
        came_in = list(threads.map(knock, range(6)))

    assert came_in.count(True) == 1


def test_whoever_asks_again_and_again_sends_three_mails_an_hour_and_spoils_no_link(desk: Desk):
    links = [asked(desk) for _time in range(10)]

    assert [bool(plain) for plain in links] == [True] * 3 + [False] * 7
    assert is_good(desk, links[2] or "")
    desk.stage.clock.forward(hours=1)
    assert asked(desk) is not None


def test_an_administrator_makes_no_link_for_themselves_since_it_would_spare_them_the_old_password(desk: Desk):
    administrator = desk.who("administrator")

    with writing(desk.stage.hub.engine) as session, pytest.raises(NotAllowed) as refused:
        visiting.make_ticket(session, administrator.id, Purpose.RESET, by=administrator, at=desk.now)

    assert str(refused.value) == "Change your own password on the page of your account."


def test_a_link_made_before_a_role_was_given_does_not_open_that_role(desk: Desk):
    reset, invitation = link(desk), link(desk, purpose=Purpose.INVITATION)

    with writing(desk.stage.hub.engine) as session:
        joining.give_role(session, desk.who("animator").id, RoleKind.COORDINATOR, "FR", by=OPERATOR, at=desk.now)

    # An invitation is given its roles after it was made: that is what it is for.
    assert [is_good(desk, plain) for plain in (reset, invitation)] == [False, True]


def test_whoever_enters_makes_room_of_what_ended_a_month_ago(desk: Desk):
    def kept() -> tuple[int, int]:
        with reading(desk.stage.hub.engine) as session:
            return len(session.exec(select(SignIn)).all()), len(session.exec(select(Ticket)).all())

    number = desk.who("animator").id
    with writing(desk.stage.hub.engine) as session:
        visiting.enter(session, number, device="Firefox", at=desk.now)
        visiting.make_ticket(session, number, Purpose.RESET, by=OPERATOR, at=desk.now)
    before = kept()
    for days in (29, 3):
        desk.stage.clock.forward(days=days)
        with writing(desk.stage.hub.engine) as session:
            visiting.enter(session, number, device="Firefox", at=desk.now)

    assert before == (1, 1)
    assert kept() == (2, 0)
