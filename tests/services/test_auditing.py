"""The audit in the browser: who may read it, what can be asked for, page by page, and how it reads."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

import hub
from hub.database import reading, writing
from hub.domain.audit import CLOCK, OPERATOR, note
from hub.domain.errors import NotAllowed
from hub.domain.person import RoleKind
from hub.services import agreeing, auditing, recounting
from hub.services.auditing import Asked
from hub.services.recounting import DEEDS, Change, Deed
from tests.services.desk import Desk
from tests.stage import NOON


@pytest.fixture
def written(desk: Desk) -> int:
    """Three deeds by three doers after those of the stage, a minute apart."""
    post_id = desk.write()
    with writing(desk.stage.hub.engine) as session:
        note(session, "post.submit", f"post:{post_id}", by=desk.who("animator"), at=NOON + timedelta(minutes=1))
        note(session, "post.expire", f"post:{post_id}", by=CLOCK, at=NOON + timedelta(minutes=2))
        note(session, "hold.on", "hold:1", by=OPERATOR, at=NOON + timedelta(minutes=3))
    return post_id


def browse(desk: Desk, by: str = "coordinator", below: int | None = None, most: int = 50, **asked) -> list[str]:
    with reading(desk.stage.hub.engine) as session:
        found = auditing.browse(session, Asked(**asked), by=desk.who(by), below=below, most=most)
        return [entry.action for entry in found.entries]


@pytest.mark.parametrize("who", ["coordinator", "administrator"])
def test_those_who_keep_the_whole_country_read_it(desk: Desk, who: str):
    assert browse(desk, who, most=1) != []


@pytest.mark.parametrize("who", ["animator", "analyst", "regional", "keeper"])
def test_nobody_else_reads_it(desk: Desk, who: str):
    desk.join("regional", RoleKind.COORDINATOR, "A-14")
    desk.join("keeper", RoleKind.ADMINISTRATOR, "A-14")

    with pytest.raises(NotAllowed):
        browse(desk, who)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"thing": "post:1"}, ["post.expire", "post.submit", "post.draft"]),
        ({"thing": "post"}, ["post.expire", "post.submit", "post.draft"]),
        ({"thing": "post", "who": "ANIMATOR"}, ["post.submit", "post.draft"]),
        ({"who": "animator@example.org"}, ["post.submit", "post.draft"]),
        ({"who": "relais"}, ["post.expire"]),
        ({"action": "hold"}, ["hold.on"]),
        ({"action": "post.submit"}, ["post.submit"]),
        ({"action": "hol"}, []),
        ({"action": "%"}, []),
        ({"since": NOON + timedelta(minutes=2)}, ["hold.on", "post.expire"]),
        ({"since": NOON + timedelta(minutes=1), "before": NOON + timedelta(minutes=2)}, ["post.submit"]),
    ],
)
def test_it_is_asked_by_thing_person_action_and_time(desk: Desk, written: int, asked, expected):
    assert browse(desk, **asked) == expected


def test_pages_follow_each_other_without_losing_or_repeating_a_line(desk: Desk, written: int):
    whole = browse(desk, most=1000)
    pages: list[str] = []
    below: int | None = None
    while True:
        with reading(desk.stage.hub.engine) as session:
            found = auditing.browse(session, Asked(), by=desk.who("coordinator"), below=below, most=4)
            pages += [entry.action for entry in found.entries]
        below = found.older
        if below is None:
            break

    assert pages == whole
    assert len(whole) > 4


def test_it_reads_as_sentences(desk: Desk, written: int):
    with reading(desk.stage.hub.engine) as session:
        found = auditing.browse(session, Asked(), by=desk.who("coordinator"), most=4)
        told = [
            (one.who, one.what, one.about, one.kind, one.number) for one in recounting.deeds(session, found.entries)
        ]

    assert told == [
        ("An operator at the machine", "stopped all publishing", "", "hold", 1),
        ("Relais itself", "let a post expire", f"no. {written}, Portes ouvertes au CFA", "post", written),
        ("Animator", "handed in a post", f"no. {written}, Portes ouvertes au CFA", "post", written),
        ("Animator", "wrote a post", f"no. {written}, Portes ouvertes au CFA", "post", written),
    ]


def test_what_people_did_to_themselves_names_them_once(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        note(session, "factor.off", f"person:{desk.who('animator').id}", by=desk.who("animator"), at=NOON)

    told = last_deed(desk, "factor")
    assert (told.who, told.what, told.about) == ("Animator", "turned a second factor off", "")


def last_deed(desk: Desk, action: str) -> Deed:
    with reading(desk.stage.hub.engine) as session:
        found = auditing.browse(session, Asked(action=action), by=desk.who("coordinator"), most=1)
        [deed] = recounting.deeds(session, found.entries)
        return deed


def test_accounts_people_deliveries_and_tokens_are_called_by_their_names(desk: Desk):
    [delivery] = desk.deliveries(desk.approved())
    with writing(desk.stage.hub.engine) as session:
        note(session, "delivery.late", f"delivery:{delivery.id}", by=CLOCK, at=NOON)

    assert last_deed(desk, "delivery").about == "Page rennes, Portes ouvertes au CFA"
    assert last_deed(desk, "account").about == "Page x"
    assert last_deed(desk, "role").about == "Administrator"
    assert last_deed(desk, "token").about == "tests of Administrator"


def test_what_changed_is_told_with_names_and_words(desk: Desk):
    with writing(desk.stage.hub.engine) as session:
        agreeing.agree(session, {"second_factor": True, "silence_days": 9}, by=desk.who("coordinator"), at=NOON)
        note(session, "of.tomorrow", "thing:x", by="operator", at=NOON, after={"new": [1]})

    assert last_deed(desk, "policy").changes == (
        Change("silence, in days", "14", "9"),
        Change("second factor required", "no", "yes"),
    )
    assert last_deed(desk, "role").changes == (
        Change("role", "", "administrator"),
        Change("territory", "", "France"),
        Change("e-mail", "", "administrator@example.org"),
    )
    unknown = last_deed(desk, "of.tomorrow")
    assert (unknown.what, unknown.about, unknown.number) == ("of.tomorrow", "", None)
    assert unknown.changes == (Change("new", "", "1"),)


def test_every_action_that_the_house_notes_has_its_words():
    house = Path(hub.__file__).parent
    noted = {
        action
        for file in house.rglob("*.py")
        if "def note(" not in (text := file.read_text(encoding="utf-8"))
        for action in re.findall(r'(?:note\(\s*session,\s*|action=)"([a-z]+\.[a-z_-]+)"', text)
    }

    assert sorted(noted - {action for _name, names in DEEDS.values() for action in names}) == []
    assert len(noted) > 30


def test_what_a_post_said_is_told_without_codes(desk: Desk):
    desk.write("stranger", audience=["A-32"], accounts=["facebook:A-32", "portal:FR"], link=None)

    told = {one.name: one.after for one in last_deed(desk, "post.draft").changes}

    assert told == {
        "state": "draft",
        "version": "1",
        "text": "Portes ouvertes au CFA",
        "when": "10/11/2026 at 18:00 (local time of each territory)",
        "audience": "Guadeloupe",
        "accounts": "Portail, Page elsewhere",
    }


@pytest.mark.parametrize(
    ("thing", "state", "expected"),
    [
        ("post:1", "submitted", "to approve"),
        ("delivery:1", "sent", "published"),
        ("account:1", "resting", "resting"),
        ("thing:1", "sent", "sent"),
    ],
)
def test_a_state_is_told_as_its_thing_calls_it(desk: Desk, thing: str, state: str, expected: str):
    with writing(desk.stage.hub.engine) as session:
        note(session, "of.tomorrow", thing, by=OPERATOR, at=NOON, after={"state": state})

    assert last_deed(desk, "of.tomorrow").changes == (Change("state", "", expected),)
