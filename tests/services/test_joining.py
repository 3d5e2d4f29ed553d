"""People join, hold roles, carry tokens, sign in and are shut out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlmodel import col, select

from hub import passwords
from hub.database import reading, writing
from hub.domain.audit import OPERATOR, AuditEntry
from hub.domain.errors import Invalid, NotAllowed, NotFound, NotSignedIn, WrongState
from hub.domain.person import Actor, HeldRole, Person, RoleKind, Token
from hub.services import joining
from tests.beside import dump, tell

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
WORDS = "tuile ourse vapeur quinze"
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Tests of the road, not of the hash, need not wait for it."""


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def join(engine, email="ana@example.org", *roles: tuple[RoleKind, str], words: str | None = WORDS) -> int:
    known = QUICK.hash(words) if words else None
    with writing(engine) as session:
        person = joining.add_person(session, email=email, name="Ana Le Goff", at=NOON, by=OPERATOR, password_hash=known)
        assert person.id is not None
        for kind, code in roles:
            joining.give_role(session, person.id, kind, code, by=OPERATOR, at=NOON)
        return person.id


def actor(engine, person_id: int) -> Actor:
    with reading(engine) as session:
        return joining.actor_for(session, person_id)


def person(engine, person_id: int) -> Person:
    with reading(engine) as session:
        found = joining.get_person(session, person_id)
        session.expunge(found)
        return found


def actions(engine) -> list[str]:
    with reading(engine) as session:
        return [entry.action for entry in session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))]


# --- Coming -------------------------------------------------------------------------------------------------


def test_a_person_joins_with_their_address_in_lower_case_and_acts_with_their_roles(engine):
    number = join(engine, "Ana@Example.ORG", (RoleKind.ANIMATOR, "A-14"), (RoleKind.ANALYST, "FR"))

    assert actor(engine, number) == Actor(
        number,
        "ana@example.org",
        "Ana Le Goff",
        (HeldRole(RoleKind.ANALYST, "FR"), HeldRole(RoleKind.ANIMATOR, "A-14")),
    )
    assert actions(engine)[-3:] == ["person.add", "role.give", "role.give"]


@pytest.mark.parametrize("email", ["", "ana", "ana@", "ana@example", "a na@example.org", "ana@example.org\nx"])
def test_what_is_not_an_address_is_refused(engine, email):
    with writing(engine) as session, pytest.raises(Invalid) as refused:
        joining.add_person(session, email=email, name="Ana", at=NOON, by=OPERATOR)

    assert refused.value.problems[0].field == "email"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "Ana\nLe Goff"])
def test_a_name_is_one_line_that_is_not_empty(engine, name):
    with writing(engine) as session, pytest.raises(Invalid) as refused:
        joining.add_person(session, email="a@example.org", name=name, at=NOON, by=OPERATOR)

    assert refused.value.problems[0].field == "name"


def test_nobody_joins_twice(engine):
    join(engine)

    with writing(engine) as session, pytest.raises(Invalid) as refused:
        joining.add_person(session, email="ANA@example.org", name="Ana", at=NOON, by=OPERATOR)

    assert refused.value.problems[0].field == "email"


def test_a_mistyped_address_is_answered_with_the_nearest_one(engine):
    join(engine)

    with reading(engine) as session, pytest.raises(NotFound, match=r"ana@example\.org"):
        joining.person_by_email(session, "anna@example.org")


def test_a_person_who_is_not_there_is_not_found_and_cannot_act(engine):
    with reading(engine) as session:
        with pytest.raises(NotFound):
            joining.get_person(session, 999)
        with pytest.raises(NotSignedIn):
            joining.actor_for(session, 999)


# --- Roles --------------------------------------------------------------------------------------------------


def test_a_role_held_already_is_not_given_twice(engine):
    number = join(engine, "ana@example.org", (RoleKind.ANIMATOR, "A-14"))

    with writing(engine) as session:
        joining.give_role(session, number, RoleKind.ANIMATOR, "A-14", by=OPERATOR, at=NOON)

    assert len(actor(engine, number).roles) == 1
    assert actions(engine).count("role.give") == 1


def test_a_role_is_taken_away_at_once_and_only_if_held(engine):
    number = join(engine, "ana@example.org", (RoleKind.ANIMATOR, "A-14"))

    with writing(engine) as session:
        joining.take_role(session, number, RoleKind.ANIMATOR, "A-14", by=OPERATOR, at=NOON)

    assert actor(engine, number).roles == ()
    with writing(engine) as session, pytest.raises(NotFound):
        joining.take_role(session, number, RoleKind.ANIMATOR, "A-14", by=OPERATOR, at=NOON)


@pytest.mark.parametrize(("code", "error"), [("A-99", NotFound), ("C-35238", Invalid)])
def test_a_role_is_held_for_a_known_territory_above_the_commune(engine, code, error):
    number = join(engine)

    with writing(engine) as session, pytest.raises(error):
        joining.give_role(session, number, RoleKind.ANIMATOR, code, by=OPERATOR, at=NOON)


@pytest.mark.parametrize(
    ("kind", "held", "wanted", "may"),
    [
        (RoleKind.ADMINISTRATOR, "FR", "A-14", True),
        (RoleKind.ADMINISTRATOR, "A-14", "D-35", True),
        (RoleKind.ADMINISTRATOR, "A-14", "A-04", False),
        (RoleKind.ADMINISTRATOR, "A-14", "FR", False),
        (RoleKind.COORDINATOR, "FR", "A-14", False),
        (RoleKind.ANIMATOR, "A-14", "A-14", False),
        (RoleKind.ANALYST, "FR", "A-14", False),
    ],
)
def test_only_an_administrator_for_the_whole_territory_gives_and_takes_roles(engine, kind, held, wanted, may):
    keeper = actor(engine, join(engine, "keeper@example.org", (kind, held)))
    number = join(engine, "ana@example.org", (RoleKind.ANALYST, wanted))

    def change() -> None:
        with writing(engine) as session:
            joining.give_role(session, number, RoleKind.ANIMATOR, wanted, by=keeper, at=NOON)
            joining.take_role(session, number, RoleKind.ANALYST, wanted, by=keeper, at=NOON)

    if may:
        change()
        assert actor(engine, number).roles == (HeldRole(RoleKind.ANIMATOR, wanted),)
    else:
        with pytest.raises(NotAllowed):
            change()
        assert actor(engine, number).roles == (HeldRole(RoleKind.ANALYST, wanted),)


@pytest.mark.parametrize(
    ("kind", "held", "may"),
    [
        (RoleKind.ADMINISTRATOR, "FR", True),
        (RoleKind.ADMINISTRATOR, "A-14", True),
        (RoleKind.ADMINISTRATOR, "A-04", False),
        (RoleKind.COORDINATOR, "FR", False),
    ],
)
def test_people_are_shut_out_and_let_in_only_by_an_administrator_for_all_they_hold(engine, kind, held, may):
    keeper = actor(engine, join(engine, "keeper@example.org", (kind, held)))
    number = join(engine, "ana@example.org", (RoleKind.ANIMATOR, "A-14"))

    def shut_and_open() -> None:
        with writing(engine) as session:
            joining.disable(session, number, by=keeper, at=NOON)
            joining.enable(session, number, by=keeper, at=NOON)

    if may:
        shut_and_open()
    else:
        with pytest.raises(NotAllowed):
            shut_and_open()
    assert ("person.disable" in actions(engine)) == may


def test_a_person_changes_their_own_password_but_not_that_of_others(engine):
    ana, zoe = join(engine, "ana@example.org"), join(engine, "zoe@example.org")
    by = actor(engine, ana)

    with writing(engine) as session:
        joining.set_password(session, ana, password_hash=QUICK.hash("new"), by=by, at=NOON)
    with writing(engine) as session, pytest.raises(NotAllowed):
        joining.set_password(session, zoe, password_hash=QUICK.hash("new"), by=by, at=NOON)

    assert passwords.check(person(engine, ana).password_hash, "new").good
    assert passwords.check(person(engine, zoe).password_hash, WORDS).good


def test_only_an_administrator_adds_people(engine):
    by = actor(engine, join(engine, "ana@example.org", (RoleKind.COORDINATOR, "FR")))

    with writing(engine) as session, pytest.raises(NotAllowed):
        joining.add_person(session, email="zoe@example.org", name="Zoé", at=NOON, by=by)


# --- Leaving ------------------------------------------------------------------------------------------------


def test_a_disabled_person_acts_no_more_and_their_tokens_stay_revoked(engine):
    number = join(engine)
    with writing(engine) as session:
        token = joining.make_token(session, number, "laptop", by=OPERATOR, at=NOON)
    with writing(engine) as session:
        joining.disable(session, number, by=OPERATOR, at=NOON)

    with reading(engine) as session:
        with pytest.raises(NotSignedIn):
            joining.actor_for(session, number)
        with pytest.raises(NotSignedIn):
            joining.actor_for_token(session, token, NOON)
    with pytest.raises(NotSignedIn):
        joining.sign_in(engine, "ana@example.org", WORDS, at=NOON)
    with writing(engine) as session, pytest.raises(WrongState):
        joining.disable(session, number, by=OPERATOR, at=NOON)
    with writing(engine) as session:
        joining.enable(session, number, by=OPERATOR, at=NOON)
    assert joining.sign_in(engine, "ana@example.org", WORDS, at=NOON).id == number
    with reading(engine) as session, pytest.raises(NotSignedIn):
        joining.actor_for_token(session, token, NOON)
    with writing(engine) as session, pytest.raises(WrongState):
        joining.enable(session, number, by=OPERATOR, at=NOON)


def test_a_disabled_person_gets_no_token(engine):
    number = join(engine)
    with writing(engine) as session:
        joining.disable(session, number, by=OPERATOR, at=NOON)

    with writing(engine) as session, pytest.raises(WrongState):
        joining.make_token(session, number, "laptop", by=OPERATOR, at=NOON)


# --- Tokens -------------------------------------------------------------------------------------------------


def test_a_token_ends_by_itself_and_with_the_password_it_was_made_under(engine):
    number = join(engine, "ana@example.org", (RoleKind.ANIMATOR, "A-14"))
    with writing(engine) as session:
        old = joining.make_token(session, number, "old", by=OPERATOR, at=NOON)
        joining.set_password(session, number, password_hash="x", by=OPERATOR, at=minutes(1))
        fresh = joining.make_token(session, number, "fresh", by=OPERATOR, at=minutes(2))

    with reading(engine) as session:
        assert joining.actor_for_token(session, fresh, minutes(3)).id == number
        with pytest.raises(NotSignedIn):
            joining.actor_for_token(session, old, minutes(3))
        with pytest.raises(NotSignedIn):
            joining.actor_for_token(session, fresh, minutes(2) + joining.TOKEN_LASTS)


def test_a_token_speaks_for_its_person_until_it_is_revoked(engine):
    number = join(engine, "ana@example.org", (RoleKind.ANIMATOR, "A-14"))
    with writing(engine) as session:
        token = joining.make_token(session, number, "laptop", by=OPERATOR, at=NOON)

    with reading(engine) as session:
        assert joining.actor_for_token(session, token, NOON) == joining.actor_for(session, number)
        (kept,) = joining.list_tokens(session, number)
        assert kept.id is not None
        kept_id = kept.id
    with writing(engine) as session:
        joining.revoke_token(session, kept_id, by=OPERATOR, at=minutes(1))
        joining.revoke_token(session, kept_id, by=OPERATOR, at=minutes(2))
    with reading(engine) as session:
        with pytest.raises(NotSignedIn):
            joining.actor_for_token(session, token, minutes(1))
        assert joining.list_tokens(session, number)[0].revoked_at == minutes(1)


def test_tokens_are_long_all_different_and_begin_so_that_scanners_find_them(engine):
    number = join(engine)
    with writing(engine) as session:
        tokens = {joining.make_token(session, number, "x", by=OPERATOR, at=NOON) for _ in range(20)}

    assert len(tokens) == 20
    assert {token[:7] for token in tokens} == {"relais_"}
    assert min(len(token) for token in tokens) >= 7 + 128 / 6


@pytest.mark.parametrize("token", ["", "relais_", "relais_no", "relais_é\ud800", "password"])
def test_an_unknown_token_is_nobody(engine, token):
    join(engine)

    with reading(engine) as session, pytest.raises(NotSignedIn):
        joining.actor_for_token(session, token, NOON)


def test_the_hash_of_a_token_is_not_a_token(engine):
    number = join(engine)
    with writing(engine) as session:
        joining.make_token(session, number, "x", by=OPERATOR, at=NOON)
        stored = session.exec(select(Token.hash)).one()

    with reading(engine) as session, pytest.raises(NotSignedIn):
        joining.actor_for_token(session, f"relais_{stored}", NOON)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb"])
def test_a_token_needs_a_name(engine, name):
    number = join(engine)

    with writing(engine) as session, pytest.raises(Invalid):
        joining.make_token(session, number, name, by=OPERATOR, at=NOON)


def test_the_tokens_of_others_are_not_found(engine):
    ana, zoe = join(engine, "ana@example.org"), join(engine, "zoe@example.org")
    with writing(engine) as session:
        token = joining.make_token(session, zoe, "x", by=OPERATOR, at=NOON)
        kept = joining.list_tokens(session, zoe)[0].id
        assert kept is not None

    by = actor(engine, ana)
    with writing(engine) as session:
        with pytest.raises(NotFound):
            joining.revoke_token(session, kept, by=by, at=NOON)
        with pytest.raises(NotFound):
            joining.revoke_token(session, kept + 1, by=by, at=NOON)
        with pytest.raises(NotAllowed):
            joining.make_token(session, zoe, "x", by=by, at=NOON)
    with reading(engine) as session:
        assert joining.actor_for_token(session, token, NOON).id == zoe


def test_the_use_of_a_token_is_remembered_to_the_hour(engine):
    number = join(engine)
    with writing(engine) as session:
        token = joining.make_token(session, number, "x", by=OPERATOR, at=NOON)

    seen = []
    for wait in (1, 30, 61):
        assert joining.actor_by_token(engine, token, at=minutes(wait)).id == number
        with reading(engine) as session:
            seen.append(joining.list_tokens(session, number)[0].last_used_at)

    assert seen == [minutes(1), minutes(1), minutes(61)]


def test_a_dump_of_the_database_holds_no_plain_token_and_no_password(engine):
    number = join(engine)
    with writing(engine) as session:
        token = joining.make_token(session, number, "laptop", by=OPERATOR, at=NOON)
        joining.set_password(session, number, password_hash=QUICK.hash("planted words here"), by=OPERATOR, at=NOON)

    lines = dump(engine)

    assert sum("laptop" in line for line in lines) >= 2
    assert [line for line in lines if token in line or token.removeprefix("relais_") in line] == []
    assert [line for line in lines if WORDS in line or "planted words" in line] == []


# --- Signing in ---------------------------------------------------------------------------------------------


def tries(engine, words: str, *moments: datetime, email: str = "ana@example.org") -> list[bool]:
    """Whether each try at these moments came through."""
    through = []
    for at in moments:
        try:
            joining.sign_in(engine, email, words, at=at)
            through.append(True)
        except NotSignedIn:
            through.append(False)
    return through


def test_the_right_words_let_a_person_in_whatever_the_case_of_their_address(engine):
    number = join(engine, "ana@example.org", (RoleKind.ANIMATOR, "A-14"))

    assert joining.sign_in(engine, " ANA@example.org ", WORDS, at=NOON) == actor(engine, number)


def test_every_failure_says_the_same(engine):
    join(engine, "ana@example.org")
    join(engine, "invited@example.org", words=None)
    with writing(engine) as session:
        joining.disable(session, join_disabled(session), by=OPERATOR, at=NOON)

    said = set()
    for email in ("ana@example.org", "invited@example.org", "gone@example.org", "nobody@example.org", ""):
        with pytest.raises(NotSignedIn) as refused:
            joining.sign_in(engine, email, "wrong words, all of them", at=NOON)
        said.add(str(refused.value))

    assert len(said) == 1


def join_disabled(session) -> int:
    gone = joining.add_person(
        session, email="gone@example.org", name="Gone", at=NOON, by=OPERATOR, password_hash=QUICK.hash(WORDS)
    )
    assert gone.id is not None
    return gone.id


def test_the_fifth_wrong_password_makes_even_the_right_one_wait(engine):
    number = join(engine)
    assert tries(engine, "wrong", *[NOON] * 5) == [False] * 5

    assert tries(engine, WORDS, NOON, NOON + timedelta(seconds=29)) == [False, False]
    assert tries(engine, WORDS, NOON + timedelta(seconds=30)) == [True]
    assert person(engine, number).failures == 0
    assert actions(engine).count("person.throttle") == 1


def test_four_wrong_passwords_make_nobody_wait(engine):
    join(engine)
    tries(engine, "wrong", *[NOON] * 4)

    assert tries(engine, WORDS, NOON) == [True]


def test_waits_grow_up_to_a_quarter_of_an_hour_and_no_further(engine):
    number = join(engine)
    tries(engine, "wrong", *[NOON] * 4)

    waits, at = [], NOON
    for _ in range(9):
        tries(engine, "wrong", at)
        until = person(engine, number).wait_until
        assert until is not None
        waits.append((until - at).total_seconds() / 60)
        at = until

    assert waits == [0.5, 1, 2, 4, 8, 15, 15, 15, 15]


def test_tries_during_a_wait_do_not_lengthen_it(engine):
    number = join(engine)
    tries(engine, "wrong", *[NOON] * 5)
    until = person(engine, number).wait_until

    tries(engine, "wrong", *[NOON + timedelta(seconds=10)] * 20)

    assert person(engine, number).wait_until == until
    assert person(engine, number).failures == 5


def test_many_tries_at_once_gain_nothing_since_each_is_counted_before_it_is_made(engine):
    join(engine)

    with writing(engine) as session:
        challenges = [joining.begin_sign_in(session, "ana@example.org", at=NOON) for _ in range(50)]

    assert sum(challenge.known_hash is not None for challenge in challenges) == joining.FREE_TRIES


def test_a_new_password_ends_the_wait(engine):
    number = join(engine)
    tries(engine, "wrong", *[NOON] * 5)

    with writing(engine) as session:
        joining.set_password(session, number, password_hash=QUICK.hash("new words"), by=OPERATOR, at=NOON)

    assert tries(engine, "new words", NOON) == [True]


def test_whoever_is_shut_out_while_the_password_is_checked_does_not_come_in(engine):
    number = join(engine)
    with writing(engine) as session:
        challenge = joining.begin_sign_in(session, "ana@example.org", at=NOON)
    with writing(engine) as session:
        joining.disable(session, number, by=OPERATOR, at=NOON)

    with writing(engine) as session:
        assert joining.end_sign_in(session, challenge, good=True, at=NOON) is None


def test_an_old_password_does_not_come_in_once_it_was_changed_meanwhile(engine):
    number = join(engine)
    with writing(engine) as session:
        challenge = joining.begin_sign_in(session, "ana@example.org", at=NOON)
    with writing(engine) as session:
        joining.set_password(session, number, password_hash=QUICK.hash("new words"), by=OPERATOR, at=NOON)

    with writing(engine) as session:
        assert joining.end_sign_in(session, challenge, good=True, at=NOON) is None


def test_a_weak_hash_is_renewed_at_the_next_sign_in(engine):
    number = join(engine)
    assert passwords.check(person(engine, number).password_hash, WORDS).stale

    joining.sign_in(engine, "ana@example.org", WORDS, at=NOON)

    assert passwords.check(person(engine, number).password_hash, WORDS) == passwords.Verdict(good=True, stale=False)


def test_no_transaction_is_open_while_a_password_is_checked(engine):
    join(engine)
    through = []

    with passwords.SLOTS, passwords.SLOTS:
        import threading

        knocking = threading.Thread(
            target=lambda: through.append(joining.sign_in(engine, "ana@example.org", WORDS, at=NOON))
        )
        knocking.start()
        knocking.join(0.5)  # it stands before the check now
        [(failures,)] = tell(engine, "SELECT failures FROM person")

    knocking.join()
    assert failures == 1
    assert len(through) == 1
