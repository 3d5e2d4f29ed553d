"""An access that ends is told before it ends, and before the post that it would stop: everywhere, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.account import Account, AppWait
from hub.domain.delivery import DeliveryState
from hub.domain.errors import Invalid
from hub.services import awaiting, tending, watching
from hub.services.covering import Health
from tests.services.desk import Desk, told
from tests.services.test_notifying import Post

END = datetime(2026, 12, 1, 9, tzinfo=UTC)
"""In a month: later than any warning by days alone."""

LATER = datetime(2026, 12, 12, 18)  # noqa: DTZ001
"""A wall time after that."""


@pytest.fixture(autouse=True)
def ends(desk: Desk) -> None:
    """The access of the page of Rennes ends."""
    set_end(desk, END)


def set_end(desk: Desk, end: datetime) -> None:
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["rennes"])
        assert account is not None
        account.token_expires_at = end


def plan_one(desk: Desk, **typed: Any) -> int:
    """Somebody plans a post for after it, all the same."""
    post_id = desk.submitted(when=LATER, **typed)
    desk.approve(post_id)
    return post_id


def signs(desk: Desk) -> list[tuple[str, str]]:
    """What doctor and /healthz say of accounts: to those who are signed in, and to all."""
    with reading(desk.stage.hub.engine) as session:
        found = watching.signs(session, at=desk.now)
    return [(sign.text, sign.brief) for sign in found if sign.area == "accounts"]


def troubles(desk: Desk, who: str = "animator") -> list[tuple[Health, str]]:
    with reading(desk.stage.hub.engine) as session:
        day = awaiting.day(session, by=desk.who(who), at=desk.now, terms=desk.terms, rules=desk.stage.hub.rules)
    return [(one.health, one.sentence) for one in day.accounts]


def foreseen(desk: Desk) -> str:
    with reading(desk.stage.hub.engine) as session:
        rules, number = desk.stage.hub.rules, desk.stage.accounts["rennes"]
        return tending.get_tended(session, number, by=desk.who("coordinator"), rules=rules, at=desk.now).foreseen


def test_a_far_end_with_nothing_planned_after_it_is_told_nowhere(desk: Desk):
    desk.approved()

    assert (signs(desk), troubles(desk), foreseen(desk)) == ([], [], "")
    assert Post(desk).told() == {}


def test_a_post_planned_for_after_the_end_is_told_to_the_machines_keepers(desk: Desk):
    plan_one(desk)

    assert signs(desk) == [
        (
            "The token of Page rennes ends on 2026-12-01, before the post planned for 2026-12-12: renew it before.",
            "Page rennes needs care: active.",
        )
    ]


def test_it_is_told_on_the_day_of_those_who_use_the_account_and_on_its_own_page(desk: Desk):
    plan_one(desk)

    sentence = "Its access ends on 1 December 2026, before the post planned for 12 December 2026."
    assert troubles(desk) == [(Health.CARE, sentence)]
    assert foreseen(desk) == sentence


def test_it_is_told_by_mail_once_and_names_the_first_such_post(desk: Desk):
    post = Post(desk)
    plan_one(desk, text="La seconde")
    desk.approve(desk.submitted(text="La première", when=LATER - timedelta(days=2)))

    mails = post.round()
    again = post.round()

    assert sorted(mail.to.partition("@")[0] for mail in mails) == [
        "administrator", "animator", "colleague", "coordinator", "deputy",
    ]  # fmt: skip
    words = "Its connection ends on 1 December 2026, before the post planned for 10 December 2026: renew it before."
    assert words in mails[0].text
    assert again == []


def test_a_post_planned_later_is_news_to_those_who_knew_of_the_end(desk: Desk):
    post = Post(desk)
    desk.stage.clock.at = END - timedelta(days=10)
    first = post.round()
    plan_one(desk)

    second = post.round()

    assert "Its connection ends on 1 December 2026: renew it before." in first[0].text
    assert "before the post planned for 12 December 2026" in second[0].text


def test_what_will_not_go_out_any_more_troubles_nobody(desk: Desk):
    post_id = plan_one(desk)
    desk.move(desk.deliveries(post_id)[0].id, state=DeliveryState.CANCELLED)

    assert (signs(desk), troubles(desk)) == ([], [])


def test_once_it_has_ended_it_is_said_so(desk: Desk):
    plan_one(desk)
    desk.stage.clock.at = END

    assert [text for text, _brief in signs(desk)] == [
        "The token of Page rennes ended on 2026-12-01: nothing goes out until it is renewed."
    ]
    assert troubles(desk) == [(Health.TROUBLE, "Its access has ended: nothing goes out until it is renewed.")]


def test_whoever_hands_in_a_post_for_after_the_end_must_have_seen_that(desk: Desk):
    post_id = desk.write(when=LATER)
    warning = "The access of Page rennes ends on 01/12/2026, before this post is due. Have it renewed in time, or the post waits."  # noqa: E501

    with pytest.raises(Invalid) as refused:
        desk.submit(post_id)

    assert told(refused) == [("accounts", f"{warning} Change the post, or confirm that you mean it.")]
    assert [one.warnings for one in desk.plan(post_id)] == [(warning,)]
    assert [one.warnings for one in desk.plan(desk.write())] == [()]


# --- Waits of a whole app ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "text", "brief"),
    [
        (
            {"app_key": "facebook", "not_before": END, "reason": "(#4) Application request limit reached"},
            "No account of this app on Facebook makes a call before 2026-12-01 09:00 UTC: "
            "(#4) Application request limit reached. They go on by themselves.",
            "Facebook asks to wait.",
        ),
        (
            {"app_key": "x:0123456789abcdef", "reads_not_before": END, "reason": "Usage cap exceeded."},
            "Nothing is read from X before 2026-12-01 09:00 UTC: Usage cap exceeded. Posts go out; figures wait, and "
            "what must be read back is shown to a person.",
            "X lets nothing be read for now.",
        ),
    ],
)
def test_a_wait_of_a_whole_app_is_told_while_it_lasts(desk: Desk, columns: dict[str, Any], text: str, brief: str):
    with writing(desk.stage.hub.engine) as session:
        session.add(AppWait(**columns))
    during = signs(desk)
    desk.stage.clock.at = END
    set_end(desk, END + timedelta(days=90))

    assert (during, signs(desk)) == ([(text, brief)], [])
