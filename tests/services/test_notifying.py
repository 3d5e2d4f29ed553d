"""Telling people by mail: who is told what, when, once, and in which words."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.account import Account
from hub.domain.delivery import DeliveryState
from hub.domain.notice import Notice, NoticeKind, Rhythm, next_daily, wait_after
from hub.domain.person import Person, RoleKind
from hub.language import speaking
from hub.mail import Mail, NotSent
from hub.services import agreeing, approving, connecting, joining, letters, notifying
from hub.services.notifying import Letter
from tests.services.desk import Desk
from tests.stage import NOON

HUB = "https://relais.example.org"


class Post:
    """A post office: what is noted, and the letters that leave."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.hub = desk.stage.hub

    def note(self) -> list[Notice]:
        with reading(self.hub.engine) as session:
            missing = notifying.missing(session, at=self.desk.now)
        with writing(self.hub.engine) as session:
            session.add_all(missing)
        return missing

    def take(self) -> Letter | None:
        with writing(self.hub.engine) as session:
            return notifying.take_letter(session, at=self.desk.now, public_url=HUB)

    def letters(self) -> list[Letter]:
        """All that is due, sent."""
        sent = []
        while letter := self.take():
            with writing(self.hub.engine) as session:
                notifying.note_sent(session, letter, at=self.desk.now)
            sent.append(letter)
        return sent

    def round(self) -> list[Mail]:
        """One pass of the clock."""
        self.note()
        return [letter.mail for letter in self.letters()]

    def told(self) -> dict[str, str]:
        """One pass of the clock: name → subject."""
        return {mail.to.partition("@")[0]: mail.subject for mail in self.round()}

    def fail(self, why: NotSent) -> None:
        letter = self.take()
        assert letter is not None
        with writing(self.hub.engine) as session:
            notifying.note_failure(session, letter, why, at=self.desk.now)

    def choose(self, name: str, rhythm: Rhythm) -> None:
        with writing(self.hub.engine) as session:
            notifying.choose_rhythm(session, rhythm, by=self.desk.who(name), at=self.desk.now)

    def notices(self) -> list[Notice]:
        with reading(self.hub.engine) as session:
            return list(session.exec(select(Notice).order_by(col(Notice.id))))


@pytest.fixture
def post(desk: Desk) -> Post:
    return Post(desk)


def give_back(desk: Desk, post_id: int, reason: str = "Ajoutez l’adresse") -> None:
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason=reason)


# --- Who is told of what --------------------------------------------------------------------------------------


def test_what_is_handed_in_is_told_once_to_each_who_may_approve_it(desk: Desk, post: Post) -> None:
    desk.submitted()

    first, second = post.told(), post.told()

    assert first == {
        "coordinator": "To approve: Portes ouvertes au CFA",
        "deputy": "To approve: Portes ouvertes au CFA",
    }
    assert second == {}


def test_nobody_is_asked_to_approve_their_own_words(desk: Desk, post: Post) -> None:
    desk.submitted(by="coordinator")

    assert list(post.told()) == ["deputy"]


def test_coordinators_of_elsewhere_are_not_asked(desk: Desk, post: Post) -> None:
    desk.join("far", RoleKind.COORDINATOR, "A-32")
    desk.join("near", RoleKind.COORDINATOR, "A-14")
    desk.submitted()

    assert sorted(post.told()) == ["coordinator", "deputy", "near"]


def test_what_is_handed_in_again_after_a_return_is_told_again(desk: Desk, post: Post) -> None:
    number = desk.submitted()
    post.round()
    give_back(desk, number)
    post.round()
    desk.stage.clock.forward(minutes=5)
    desk.submit(number, confirm_repeats=True)

    assert sorted(post.told()) == ["coordinator", "deputy"]


def test_a_returned_post_is_told_to_its_author_with_the_reason(desk: Desk, post: Post) -> None:
    number = desk.submitted(zone="Europe/Paris")
    give_back(desk, number)

    (mail,) = post.round()

    assert (mail.to, mail.subject) == ("animator@example.org", "Returned to you: Portes ouvertes au CFA")
    assert mail.text.split("\n\n")[2:3] == [
        "- Portes ouvertes au CFA\n"
        "  Rennes · Tuesday 10 November 2026, 18:00 (time of Paris)\n"
        "  Why: Ajoutez l’adresse\n"
        f"  {HUB}/equipe/publications/{number}"
    ]


@pytest.mark.parametrize(
    ("state", "subject"),
    [
        (DeliveryState.REVIEW, "To decide: Portes ouvertes au CFA"),
        (DeliveryState.FAILED, "Not published: Portes ouvertes au CFA"),
    ],
)
def test_what_went_wrong_is_told_to_the_author_and_to_those_who_may_decide(
    desk: Desk, post: Post, state: DeliveryState, subject: str
) -> None:
    (delivery,) = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=state, ready_at=desk.now)

    told = post.told()

    assert told == dict.fromkeys(["animator", "colleague", "coordinator", "deputy"], subject)


def test_a_failure_of_last_week_is_no_news(desk: Desk, post: Post) -> None:
    (delivery,) = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=DeliveryState.FAILED, ready_at=desk.now - timedelta(days=4))

    assert post.told() == {}


def test_several_failures_of_one_post_are_one_thing_in_one_mail(desk: Desk, post: Post) -> None:
    number = desk.approved(accounts=["facebook:A-14", "facebook:FR"])
    first, second = desk.deliveries(number)
    for one in (first, second):
        desk.move(one.id, state=DeliveryState.FAILED, ready_at=desk.now)

    mail = next(mail for mail in post.round() if mail.to.startswith("animator"))

    assert mail.subject == "Not published: Portes ouvertes au CFA"
    assert mail.text.count("/equipe/publications/") == 1
    assert [line for line in mail.text.splitlines() if "Account:" in line] == [
        "  Account: Page national",
        "  Account: Page rennes",
    ]


def rest(desk: Desk, name: str = "rennes") -> None:
    with writing(desk.stage.hub.engine) as session:
        connecting.rest(session, desk.stage.accounts[name], reason="token=EAAB-secret refused", at=desk.now)


def test_a_resting_account_is_told_to_its_keepers_and_the_animators_of_its_territory(desk: Desk, post: Post) -> None:
    rest(desk)

    assert sorted(post.told()) == ["administrator", "animator", "colleague", "coordinator", "deputy"]


def test_what_a_network_answered_is_never_in_a_mail(desk: Desk, post: Post) -> None:
    rest(desk)
    (delivery,) = desk.deliveries(desk.approved())
    desk.move(delivery.id, state=DeliveryState.FAILED, ready_at=desk.now, reason="token=EAAB-secret refused")

    assert [mail for mail in post.round() if "EAAB" in mail.text + mail.subject] == []


def test_an_account_that_rests_a_second_time_is_told_again(desk: Desk, post: Post) -> None:
    rest(desk)
    post.round()
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["rennes"])
        assert account is not None
        account.light = "green"
        session.flush()
        connecting.resume(session, account.id or 0, by="operator", at=desk.now)
    between = post.told()
    rest(desk)

    assert (between, len(post.told())) == ({}, 5)


def test_a_token_that_ends_soon_is_told_in_time(desk: Desk, post: Post) -> None:
    with writing(desk.stage.hub.engine) as session:
        account = session.get(Account, desk.stage.accounts["elsewhere"])
        assert account is not None
        account.token_expires_at = NOON + timedelta(days=20)
    before = post.told()
    desk.stage.clock.forward(days=6, minutes=1)

    mails = post.round()

    assert before == {}
    assert sorted(mail.to.partition("@")[0] for mail in mails) == ["administrator", "coordinator", "deputy", "stranger"]
    assert "Its connection ends on 22 November 2026: renew it before." in mails[0].text


def test_who_may_approve_is_warned_before_a_post_expires(desk: Desk, post: Post) -> None:
    desk.submitted()
    post.round()
    desk.stage.clock.at = datetime.fromisoformat("2026-11-09T16:59:00+00:00")
    before = post.told()
    desk.stage.clock.forward(minutes=1)

    assert before == {}
    assert post.told() == dict.fromkeys(["coordinator", "deputy"], "Approve soon: Portes ouvertes au CFA")


def test_what_is_handed_in_shortly_before_its_time_is_told_once_only(desk: Desk, post: Post) -> None:
    desk.stage.clock.at = datetime.fromisoformat("2026-11-10T12:00:00+00:00")
    desk.submitted()

    assert post.told() == dict.fromkeys(["coordinator", "deputy"], "To approve: Portes ouvertes au CFA")
    assert post.told() == {}


# --- When -----------------------------------------------------------------------------------------------------


def test_several_things_of_one_pass_come_in_one_mail(desk: Desk, post: Post) -> None:
    desk.submitted()
    desk.submitted(text="Réunion à Brest")

    mail = next(mail for mail in post.round() if mail.to.startswith("deputy"))

    assert mail.subject == "Relais: 2 things wait for you"
    assert [line for line in mail.text.splitlines() if line.startswith("- ")] == [
        "- Portes ouvertes au CFA",
        "- Réunion à Brest",
    ]
    assert f"All that waits for approval: {HUB}/equipe/validation" in mail.text


def test_the_mail_of_the_day_gathers_what_came_since_at_the_agreed_hour_of_ones_own_zone(
    desk: Desk, post: Post
) -> None:
    desk.join("far", RoleKind.COORDINATOR, "A-32")
    post.choose("far", Rhythm.DAILY)
    for text in ("Un", "Deux"):
        desk.submitted(by="stranger", text=text, audience=["A-32"], accounts=["facebook:A-32"])
    sent = []
    for hour in range(30):
        desk.stage.clock.at = NOON + timedelta(hours=hour)
        sent += [(desk.now.isoformat(), mail.subject) for mail in post.round() if mail.to.startswith("far")]

    # Seven in the morning in Guadeloupe, four hours behind UTC.
    assert sent == [("2026-11-03T11:00:00+00:00", "Relais: 2 things wait for you")]


def test_what_would_be_over_before_the_mail_of_the_day_comes_at_once(desk: Desk, post: Post) -> None:
    post.choose("deputy", Rhythm.DAILY)
    desk.submitted(when="2026-11-02T20:00")
    desk.submitted(text="Demain midi", when="2026-11-03T12:00")

    assert post.told()["deputy"] == "To approve: Portes ouvertes au CFA"


def test_who_wants_no_mails_gets_none_and_is_not_flooded_on_coming_back(desk: Desk, post: Post) -> None:
    post.choose("deputy", Rhythm.NEVER)
    desk.submitted()
    never = post.told()
    post.choose("deputy", Rhythm.AT_ONCE)

    assert (list(never), post.told()) == (["coordinator"], {})


def test_a_change_of_rhythm_moves_what_waits(desk: Desk, post: Post) -> None:
    post.choose("deputy", Rhythm.DAILY)
    desk.submitted()
    waiting = post.told()
    post.choose("deputy", Rhythm.AT_ONCE)

    assert (list(waiting), list(post.told())) == (["coordinator"], ["deputy"])


def test_a_disabled_person_gets_none_not_even_what_waits(desk: Desk, post: Post) -> None:
    desk.submitted()
    post.note()
    with writing(desk.stage.hub.engine) as session:
        joining.disable(session, desk.who("deputy").id, by="operator", at=desk.now)

    assert [letter.mail.to for letter in post.letters()] == ["coordinator@example.org"]


def test_what_is_no_longer_true_when_the_mail_goes_out_is_dropped(desk: Desk, post: Post) -> None:
    gone, stays = desk.submitted(), desk.submitted(text="Réunion à Brest")
    post.choose("deputy", Rhythm.DAILY)
    post.round()
    desk.approve(gone)
    desk.stage.clock.forward(days=1)

    assert post.told() == {"deputy": "To approve: Réunion à Brest"}
    assert [one.thing for one in post.notices() if one.person_id == desk.who("deputy").id] == [f"post:{stays}"]


def test_whoever_lost_the_role_meanwhile_learns_nothing(desk: Desk, post: Post) -> None:
    desk.submitted()
    post.note()
    with writing(desk.stage.hub.engine) as session:
        joining.take_role(session, desk.who("deputy").id, RoleKind.COORDINATOR, "FR", by="operator", at=desk.now)

    assert [letter.mail.to for letter in post.letters()] == ["coordinator@example.org"]


# --- What became of it ----------------------------------------------------------------------------------------


def test_a_letter_on_its_way_is_not_taken_twice_but_sent_again_when_nothing_was_heard(desk: Desk, post: Post) -> None:
    desk.submitted(by="coordinator")
    post.note()
    first = post.take()
    meanwhile = post.take()
    desk.stage.clock.forward(minutes=5)
    again = post.take()

    assert first is not None
    assert again is not None
    assert meanwhile is None
    assert (again.mail.mark, again.mail.text) == (first.mail.mark, first.mail.text)


def test_waits_after_failures_grow_to_an_hour_and_end_after_a_day() -> None:
    waits = [wait_after(tries) for tries in range(1, 29)]

    assert waits[:8] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60, 60)]
    assert waits[-1] is None
    assert timedelta(hours=20) < sum((wait for wait in waits if wait), timedelta()) < timedelta(hours=24)


def test_while_no_mail_leaves_at_all_everybody_waits_together(desk: Desk, post: Post) -> None:
    desk.submitted()
    post.note()
    post.fail(NotSent("The mail server does not answer.", everybody=True))

    assert post.take() is None
    assert [(one.tries, one.due_at - NOON) for one in post.notices()] == [(1, timedelta(minutes=1))] * 2


def test_an_address_that_is_refused_for_good_is_given_up_at_once(desk: Desk, post: Post) -> None:
    desk.submitted(by="coordinator")
    post.note()
    post.fail(NotSent("The mail server refuses the person's address (550).", lasting=True))
    desk.stage.clock.forward(days=1)

    assert post.told() == {}
    with reading(desk.stage.hub.engine) as session:
        kept = notifying.backlog(session, at=desk.now)
    assert (kept.waiting, kept.given_up, kept.why) == (0, 1, "The mail server refuses the person's address (550).")


def test_those_who_keep_the_machine_hear_of_mails_that_do_not_leave_after_three_tries(desk: Desk, post: Post) -> None:
    desk.submitted(by="coordinator")
    post.note()
    shown = []
    for _try in range(3):
        post.fail(NotSent("The mail server does not answer.", everybody=True))
        desk.stage.clock.forward(hours=1)
        with reading(desk.stage.hub.engine) as session:
            shown.append(notifying.backlog(session, at=desk.now).waiting)

    assert shown == [0, 0, 1]


def test_who_was_told_of_what_is_forgotten_after_a_year_and_more(desk: Desk, post: Post) -> None:
    desk.submitted(by="coordinator")
    post.round()
    with writing(desk.stage.hub.engine) as session:
        kept = notifying.forget(session, at=desk.now + timedelta(days=399))
        forgotten = notifying.forget(session, at=desk.now + timedelta(days=401))

    assert (kept, forgotten, post.notices()) == (0, 1, [])


# --- Words ----------------------------------------------------------------------------------------------------


def test_a_mail_greets_by_name_says_what_waits_and_how_to_change_the_rhythm(desk: Desk, post: Post) -> None:
    number = desk.submitted(by="coordinator")

    (mail,) = post.round()

    assert mail.text == (
        "Hello Deputy,\n\n"
        "1 post to approve\n\n"
        "- Portes ouvertes au CFA\n"
        "  Rennes · Tuesday 10 November 2026, 18:00 (local time of each territory)\n"
        f"  {HUB}/equipe/publications/{number}\n\n"
        f"You chose to get these mails at once. To change that: {HUB}/equipe/moi\n"
    )


def test_line_breaks_in_what_people_typed_make_no_lines_of_a_mail(desk: Desk, post: Post) -> None:
    number = desk.submitted(text="Portes\u2028Bcc: all@example.org\nouvertes")
    give_back(desk, number, "Non\r\n\r\nBcc: all@example.org")

    (mail,) = post.round()

    assert mail.subject == "Returned to you: Portes Bcc: all@example.org"
    assert "  Why: Non Bcc: all@example.org" in mail.text.splitlines()


def test_mails_with_single_use_links_hold_that_link_once_in_the_text_and_nowhere_else() -> None:
    person = Person(id=7, email="ana@example.org", name="Ana\nBcc: x", created_at=NOON, mail_rhythm=Rhythm.NEVER)

    mails = [write(person, f"{HUB}/equipe/bienvenue/s3cret", at=NOON) for write in (letters.invitation, letters.reset)]

    assert [mail.text.split("\n\n")[2] for mail in mails] == [f"{HUB}/equipe/bienvenue/s3cret"] * 2
    assert [mail.text.splitlines()[0] for mail in mails] == ["Hello Ana Bcc: x,"] * 2
    assert [mail for mail in mails if "s3cret" in mail.subject + mail.mark + mail.name] == []


def test_mails_speak_the_language_of_the_hub_not_of_whoever_is_at_the_page() -> None:
    person = Person(id=7, email="ana@example.org", name="Ana", created_at=NOON)

    with speaking("fr"):
        mail = letters.reset(person, f"{HUB}/equipe/bienvenue/s3cret", at=NOON)

    assert mail.subject == "A new password for Relais"


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2026-11-02T05:59:00+00:00", "Europe/Paris", "2026-11-02T06:00:00+00:00"),
        ("2026-11-02T06:00:00+00:00", "Europe/Paris", "2026-11-03T06:00:00+00:00"),
        ("2026-10-24T12:00:00+00:00", "Europe/Paris", "2026-10-25T06:00:00+00:00"),
        ("2026-11-02T11:00:00+00:00", "Pacific/Noumea", "2026-11-02T20:00:00+00:00"),
    ],
)
def test_the_next_mail_of_the_day_is_later_than_now_by_wall_time(at: str, zone: str, expected: str) -> None:
    assert next_daily(datetime.fromisoformat(at), hour=7, zone=zone).isoformat() == expected


def test_the_hour_of_the_mail_of_the_day_is_what_was_agreed_on(desk: Desk, post: Post) -> None:
    with writing(desk.stage.hub.engine) as session:
        agreeing.agree(session, {"daily_mail_hour": 18}, by="operator", at=desk.now)
    post.choose("deputy", Rhythm.DAILY)
    desk.submitted()
    post.note()

    due = {one.kind: one.due_at.isoformat() for one in post.notices() if one.person_id == desk.who("deputy").id}

    assert due == {NoticeKind.TO_APPROVE: "2026-11-02T17:00:00+00:00"}
