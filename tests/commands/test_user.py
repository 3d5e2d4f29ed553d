"""`relais user`: people are added, given roles and tokens, and shut out, without a secret on any command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from hub import passwords
from hub.database import reading, writing
from hub.domain.sign_in import SecondFactor
from hub.services import joining
from tests.commands.conftest import Relais

WORDS = "tuile ourse vapeur quinze"

pytestmark = pytest.mark.usefixtures("hub_file")


@pytest.fixture
def words(tmp_path: Path) -> str:
    """A file that holds a good password."""
    file = tmp_path / "words.txt"
    file.write_text(WORDS + "\n", encoding="utf-8")
    return str(file)


def people(relais: Relais) -> list[dict[str, object]]:
    told: list[dict[str, object]] = json.loads(relais("user", "list", "--json").out)
    return told


def test_a_person_is_added_with_roles_and_a_password_from_a_file(relais, engine, words):
    ran = relais("user", "add", "Ana@example.org", "--name", "Ana", "--role", "animator:A-14", "--role",
                 "analyst:fr", "--password-file", words, "--json")  # fmt: skip

    told = json.loads(ran.out)
    assert ran.code == 0
    assert (told["email"], told["has_password"], told["disabled_at"]) == ("ana@example.org", True, None)
    assert told["roles"] == [{"role": "analyst", "territory": "FR"}, {"role": "animator", "territory": "A-14"}]
    assert people(relais) == [told]
    with reading(engine) as session:
        person = joining.person_by_email(session, "ana@example.org")
        assert passwords.check(person.password_hash, WORDS).good


def test_a_password_may_come_from_standard_input(relais, engine, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(WORDS + "\n"))

    assert relais("user", "add", "ana@example.org", "--name", "Ana", "--password-file", "-").code == 0
    with reading(engine) as session:
        assert passwords.check(joining.person_by_email(session, "ana@example.org").password_hash, WORDS).good


def test_without_a_password_a_person_has_none_yet(relais):
    relais("user", "add", "ana@example.org", "--name", "Ana")

    assert [person["has_password"] for person in people(relais)] == [False]
    assert "no password yet" in relais("user", "list").out


def test_a_poor_password_is_refused_without_being_repeated_and_nobody_is_added(relais, tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("motdepasse2026", encoding="utf-8")

    ran = relais("user", "add", "ana@example.org", "--name", "Ana", "--password-file", str(file))

    assert ran.code == 2
    assert "motdepasse2026" not in ran.out + ran.err
    assert people(relais) == []


@pytest.mark.parametrize("role", ["animator", "boss:FR", "animator:", ":FR", "ANIMATOR:FR"])
def test_a_mistyped_role_is_answered_with_the_roles_that_there_are(relais, role):
    ran = relais("user", "add", "ana@example.org", "--name", "Ana", "--role", role)

    assert ran.code == 2
    assert "animator, coordinator, analyst, administrator" in ran.err


def test_a_role_for_an_unknown_territory_adds_nobody(relais):
    ran = relais("user", "add", "ana@example.org", "--name", "Ana", "--role", "animator:A-99")

    assert (ran.code, people(relais)) == (4, [])
    assert "A-99" in ran.err


def test_roles_are_given_and_taken(relais):
    relais("user", "add", "ana@example.org", "--name", "Ana", "--role", "animator:A-14")

    given = relais("user", "role", "ana@example.org", "coordinator", "fr")
    taken = relais("user", "role", "ana@example.org", "animator", "A-14", "--take")

    assert "animator:A-14 coordinator:FR" in given.out
    assert people(relais)[0]["roles"] == [{"role": "coordinator", "territory": "FR"}]
    assert (given.code, taken.code) == (0, 0)
    assert relais("user", "role", "ana@example.org", "animator", "A-14", "--take").code == 4


def test_an_unknown_person_is_answered_with_the_nearest_one(relais):
    relais("user", "add", "ana@example.org", "--name", "Ana")

    for command in (
        ("role", "anna@example.org", "analyst", "FR"),
        ("disable", "anna@example.org"),
        ("token", "anna@example.org", "--name", "x"),
        ("password", "anna@example.org"),
    ):
        ran = relais("user", *command)
        assert (ran.code, "ana@example.org" in ran.err) == (4, True)


def test_a_password_is_set_later(relais, engine, words):
    relais("user", "add", "ana@example.org", "--name", "Ana")

    assert relais("user", "password", "ana@example.org", "--password-file", words).code == 0
    with reading(engine) as session:
        assert passwords.check(joining.person_by_email(session, "ana@example.org").password_hash, WORDS).good


def test_a_person_is_shut_out_and_let_in_again(relais):
    relais("user", "add", "ana@example.org", "--name", "Ana")

    assert relais("user", "disable", "ana@example.org").code == 0
    assert people(relais)[0]["disabled_at"] is not None
    assert relais("user", "disable", "ana@example.org").code == 5
    assert "disabled" in relais("user", "list").out
    assert relais("user", "enable", "ana@example.org").code == 0
    assert people(relais)[0]["disabled_at"] is None


def test_a_token_is_alone_on_standard_output_and_never_shown_again(relais, engine):
    relais("user", "add", "ana@example.org", "--name", "Ana")

    ran = relais("user", "token", "ana@example.org", "--name", "laptop")
    token = ran.out.strip()
    later = relais("user", "token", "ana@example.org", "--list").out + relais("audit", "--json").out

    assert token.startswith("relais_")
    assert len(token.splitlines()) == 1
    assert "laptop" in later
    assert token not in later
    with reading(engine) as session:
        person = joining.person_by_email(session, "ana@example.org")
        assert joining.list_tokens(session, person.id or 0)[0].hash not in later


def test_a_token_is_made_listed_and_revoked_for_programs_too(relais):
    relais("user", "add", "ana@example.org", "--name", "Ana")
    relais("user", "add", "zoe@example.org", "--name", "Zoé")

    made = json.loads(relais("user", "token", "ana@example.org", "--name", "laptop", "--json").out)
    number = str(made["id"])
    others = relais("user", "token", "zoe@example.org", "--revoke", number)
    revoked = relais("user", "token", "ana@example.org", "--revoke", number)
    (listed,) = json.loads(relais("user", "token", "ana@example.org", "--list", "--json").out)

    assert made["token"].startswith("relais_")
    assert (others.code, revoked.code) == (4, 0)
    assert listed["name"] == "laptop"
    assert listed["revoked_at"] is not None
    assert "token" not in listed


@pytest.mark.parametrize("options", [(), ("--list", "--name", "x"), ("--name", "x", "--revoke", "1")])
def test_one_thing_is_done_with_tokens_at_a_time(relais, options):
    relais("user", "add", "ana@example.org", "--name", "Ana")

    assert relais("user", "token", "ana@example.org", *options).code == 2


def test_a_missing_password_file_is_said_in_words(relais, tmp_path):
    ran = relais("user", "add", "ana@example.org", "--name", "Ana", "--password-file", str(tmp_path / "none.txt"))

    assert ran.code == 2
    assert "none.txt" in ran.err


def test_a_lost_second_factor_is_taken_away_and_noted(relais, engine):
    relais("user", "add", "ana@example.org", "--name", "Ana")
    with writing(engine) as session:
        person = joining.person_by_email(session, "ana@example.org")
        session.add(SecondFactor(person_id=person.id or 0, secret="sealed", created_at=person.created_at))

    ran = relais("user", "factor", "reset", "ANA@example.org")
    again = relais("user", "factor", "reset", "ana@example.org")
    (entry,) = [one for one in json.loads(relais("audit", "--json").out) if one["action"] == "factor.reset"]

    assert (ran.code, ran.out) == (0, "Ana has no second factor any more; their sessions have ended.\n")
    assert (again.code, again.err.strip()) == (5, "ana@example.org has no second factor.")
    assert (entry["by_name"], entry["thing"]) == ("operator", f"person:{person.id}")
    assert relais("user", "factor", "reset", "zoe@example.org").code == 4
