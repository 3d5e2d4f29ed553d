"""What changed between two looks at a post."""

from __future__ import annotations

from typing import Any

import pytest

from hub.database import reading, writing
from hub.services import approving, comparing
from hub.services.comparing import Difference, Fate, Look, Names, Segment
from hub.services.drafting import Draft
from tests.services.desk import Desk

NAMES = Names(
    {"1": "Page de Rennes", "2": "Portail"}, {"A-14": "Rennes", "D-35": "Ille-et-Vilaine", "C-35238": "Rennes"}
)
FAIR = {"timings": [{"begin": "2026-12-01T14:00", "end": "2026-12-01T17:00"}], "venue": "CIO"}


def typed(**changed: Any) -> Draft:
    """A short piece of news."""
    return Draft.model_validate({"text": "Bonjour", "when": "2026-11-10T18:00", "audience": ["A-14"]} | changed)


def told(before: Draft, after: Draft) -> list[tuple[str, str, str]]:
    """Field, before and after of everything that changed."""
    return [(one.name, one.before, one.after) for one in comparing.differences(before, after, NAMES)]


def look(desk: Desk, post_id: int) -> Look | None:
    """The last look at a post."""
    with reading(desk.stage.hub.engine) as session:
        return comparing.since_last_look(session, desk.post(post_id))


def test_words_are_compared_one_by_one():
    assert comparing.words_compared("Portes ouvertes mardi.", "Portes ouvertes jeudi.") == (
        Segment(Fate.KEPT, "Portes ouvertes "),
        Segment(Fate.REMOVED, "mardi"),
        Segment(Fate.ADDED, "jeudi"),
        Segment(Fate.KEPT, "."),
    )


@pytest.mark.parametrize("lines", [10, 3000])
def test_nothing_of_either_text_is_lost_in_a_comparison(lines):
    before = "\n".join(f"Ligne {number}" for number in range(lines))
    after = "\n".join(f"Ligne {number}" for number in range(lines) if number % 7) + "\nFin"

    segments = comparing.words_compared(before, after)

    assert "".join(one.text for one in segments if one.fate is not Fate.ADDED) == before
    assert "".join(one.text for one in segments if one.fate is not Fate.REMOVED) == after


def test_a_post_that_says_the_same_has_no_difference():
    assert comparing.differences(typed(event=FAIR), typed(event=FAIR), NAMES) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"kind": "advice"}, [("Kind", "news", "advice")]),
        ({}, {"link": "https://example.org/a"}, [("Link", "", "https://example.org/a")]),
        ({}, {"audience": ["D-35"]}, [("Territories", "Rennes", "Ille-et-Vilaine")]),
        ({"accounts": ["1"]}, {"accounts": ["1", "2"]}, [("Accounts", "Page de Rennes", "Page de Rennes, Portail")]),
        ({}, {"accepts_unlimited": True}, [("May be seen by everybody", "no", "yes")]),
        ({}, {"useless_after": "2026-11-12T18:00"}, [("Useless after", "as usual", "12/11/2026 at 18:00")]),
        (
            {},
            {"when": "2026-11-11T08:00", "zone": "Europe/Paris"},
            [
                (
                    "When",
                    "10/11/2026 at 18:00 (local time of each territory)",
                    "11/11/2026 at 08:00 (time of Paris)",
                )
            ],
        ),
        (
            {"zone": "Europe/Paris", "fold": "earlier"},
            {"zone": "Europe/Paris", "fold": "later"},
            [
                (
                    "When",
                    "10/11/2026 at 18:00 (time of Paris), the earlier one",
                    "10/11/2026 at 18:00 (time of Paris), the later one",
                )
            ],
        ),
        (
            {"accounts": ["1"]},
            {"accounts": ["1"], "variants": {"1": "Salut"}},
            [("Text for Page de Rennes", "", "Salut")],
        ),
        (
            {"pictures": [{"id": "a" * 64, "alt": "Une cour"}]},
            {"pictures": [{"id": "b" * 64, "alt": "Une cour"}]},
            [("Pictures", "Une cour", "Une cour (another picture)")],
        ),
        ({}, {"event": FAIR}, [("Dates", "", "01/12/2026, from 14:00 to 17:00"), ("Place", "", "CIO")]),
        (
            {"event": FAIR},
            {"event": FAIR | {"commune": "35238", "ages": {"min": 16, "max": 29}, "zone": "America/Cayenne"}},
            [
                ("Place", "CIO", "CIO, Rennes"),
                ("Time zone", "", "time of Cayenne"),
                ("Ages", "", "from 16 to 29 years"),
            ],
        ),
    ],
)
def test_each_field_is_told_in_words(before, after, expected):
    assert told(typed(**before), typed(**after)) == expected


def test_members_of_a_list_are_told_apart_as_kept_added_and_removed():
    [difference] = comparing.differences(typed(accounts=["1"]), typed(accounts=["2"]), NAMES)

    assert difference.segments == (Segment(Fate.ADDED, "Portail"), Segment(Fate.REMOVED, "Page de Rennes"))


def test_pictures_in_another_order_are_told_before_and_after():
    cour, salle = {"id": "a" * 64, "alt": "Cour"}, {"id": "b" * 64, "alt": "Salle"}

    found = comparing.differences(typed(pictures=[cour, salle]), typed(pictures=[salle, cour]), NAMES)

    assert found == [Difference("pictures", "Pictures", "Cour, Salle", "Salle, Cour")]


def test_nobody_looked_yet_at_a_fresh_post(desk: Desk):
    assert look(desk, desk.submitted()) is None


def test_a_returned_post_is_compared_with_what_was_returned(desk: Desk):
    post_id = desk.submitted()
    with writing(desk.stage.hub.engine) as session:
        approving.give_back(session, post_id, by=desk.who("coordinator"), at=desk.now, reason="Le jour")
    desk.change(post_id, text="Portes ouvertes à la mission locale")

    found = look(desk, post_id)

    assert found is not None
    assert (found.verdict, found.by_name, found.at) == ("returned", "Coordinator", desk.now)
    assert [(one.field, one.after) for one in found.differences] == [("text", "Portes ouvertes à la mission locale")]


def test_an_approved_post_is_compared_with_what_was_approved(desk: Desk):
    post_id = desk.approved()
    same = look(desk, post_id)
    desk.change(post_id, audience=["D-35"])

    found = look(desk, post_id)

    assert same is not None
    assert (same.verdict, same.differences) == ("approved", ())
    assert found is not None
    assert [(one.field, one.before, one.after) for one in found.differences] == [
        ("audience", "Rennes", "Ille-et-Vilaine")
    ]


def test_what_was_approved_before_versions_were_kept_is_not_known(desk: Desk):
    post_id = desk.approved()
    with writing(desk.stage.hub.engine) as session:
        [(approval, _lines)] = approving.approvals_of(session, desk.post(post_id))
        approval.version = None

    found = look(desk, post_id)

    assert found is not None
    assert (found.known, found.differences) == (False, ())
