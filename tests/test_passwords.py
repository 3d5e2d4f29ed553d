"""Which passwords are taken, how they are kept, and that a check tells strangers nothing."""

from __future__ import annotations

import threading
import time
from statistics import median

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from hub import passwords
from hub.domain.errors import Invalid

GOOD = "tuile ourse vapeur quinze"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "brume-cactus-violon-42",
        "je prends le bus de 8 h",
        "écureuil à Plœmeur",
        "x7#Kq2!vLm9z",
        "a" * 30 + "bcd efg hij",
        "mot à mot, passe le temps",
    ],
)
def test_a_long_password_of_ones_own_is_taken_whatever_it_is_made_of(password):
    passwords.require_good(password, email="ana@example.org", name="Ana Le Goff")


@pytest.mark.parametrize(
    "password",
    [
        "motdepasse123",
        "MotDePasse2026!",
        "mot-de-passe-2026",
        "Azertyuiop2026",
        "P@ssw0rd2026!",
        "password1234",
        "123456789012",
        "abcdefghijklmn",
        "zzzzzzzzzzzzzzz",
        "soleilsoleil",
        "abc1abc1abc1",
        "vivelafrance!",
        "libertéégalitéfraternité",
        "Correct Horse Battery Staple",
        "EducationNationale",
        "academie2026!",
    ],
)
def test_what_a_burglar_tries_first_is_refused(password):
    with pytest.raises(Invalid) as refused:
        passwords.require_good(password)

    assert [problem.field for problem in refused.value.problems] == ["password"]


@pytest.mark.parametrize(("password", "taken"), [("x7#Kq2!vLm9", False), ("x7#Kq2!vLm9z", True)])
def test_twelve_characters_are_enough_and_eleven_are_not(password, taken):
    if taken:
        passwords.require_good(password)
    else:
        with pytest.raises(Invalid, match="12"):
            passwords.require_good(password)


def test_128_characters_are_the_most():
    longest = "".join(chr(97 + (index * 7 + index // 3) % 26) for index in range(128))

    passwords.require_good(longest)
    with pytest.raises(Invalid, match="128"):
        passwords.require_good(longest + "z")


@pytest.mark.parametrize(
    "password",
    ["ana.legoff is me", "vive Ana Le Goff!", "ANA-LEGOFF-brume", "bonsoir legoffian", "ANA.LEGOFF@example.org"],
)
def test_ones_own_name_or_address_is_refused(password):
    with pytest.raises(Invalid, match="name"):
        passwords.require_good(password, email="ana.legoff@example.org", name="Ana Legoff")


def test_a_name_of_four_letters_may_be_part_of_a_word():
    passwords.require_good("panneau sur la colline", email="a.h@example.org", name="Anne Ho")


def test_the_list_that_we_ship_is_long_and_each_of_it_would_be_long_enough():
    assert len(passwords.common()) >= 500
    assert {word for word in passwords.common() if len(word) < passwords.SHORTEST} == set()


def test_a_hash_is_argon2id_with_enough_memory_and_passes():
    parameters = extract_parameters(passwords.hashed(GOOD))

    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2


def test_a_password_is_known_again_and_another_is_not():
    known = passwords.hashed(GOOD)

    assert passwords.check(known, GOOD) == passwords.Verdict(good=True, stale=False)
    assert passwords.check(known, GOOD + " ") == passwords.Verdict(good=False)


def test_accents_are_the_same_however_the_keyboard_composes_them():
    known = passwords.hashed("e\u0301cureuil de brume")

    assert passwords.check(known, "écureuil de brume").good


def test_a_weaker_hash_asks_to_be_renewed():
    weak = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(GOOD)

    assert passwords.check(weak, GOOD) == passwords.Verdict(good=True, stale=True)


@pytest.mark.parametrize("known", [None, "", "not a hash"])
def test_where_there_is_no_hash_nothing_is_right(known):
    assert passwords.check(known, "nobody knocks with these words") == passwords.Verdict(good=False)


def test_a_check_of_a_stranger_takes_as_long_as_that_of_a_person():
    known = passwords.hashed(GOOD)
    passwords.check(None, GOOD)

    def seconds(of: str | None) -> float:
        start = time.process_time()
        passwords.check(of, "wrong " + GOOD)
        return time.process_time() - start

    pairs = [(seconds(known), seconds(None)) for _ in range(7)]

    person, stranger = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    assert stranger == pytest.approx(person, rel=0.5)
    assert stranger > 0.01


def test_no_more_than_two_are_checked_at_once():
    known = passwords.hashed(GOOD)
    done = threading.Event()

    def knock() -> None:
        passwords.check(known, GOOD)
        done.set()

    knocking = threading.Thread(target=knock)
    with passwords.SLOTS, passwords.SLOTS:
        knocking.start()
        came_through = done.wait(1.0)

    knocking.join()
    assert (came_through, done.is_set()) == (False, True)
