"""Network keys of territories are brought in whole, reviewed by a person, and lose that review when they change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.audit import OPERATOR, AuditEntry
from hub.domain.errors import Invalid, NotAllowed, NotFound
from hub.domain.gate import SANDBOX_SOURCE
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.services import reviewing

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HEADING = "territory,kind,key,name,covers,source"
TWO = [
    HEADING,
    "A-14,region,3001,Bretagne,,",
    "A-28,country,RE,Réunion,A-28,sandbox",
]


def bring_in(
    engine, *lines: str, source="search of October", network=AccountNetwork.FACEBOOK, by: Actor | str = OPERATOR
):
    with writing(engine) as session:
        rows = reviewing.read_rows("\n".join(lines))
        done = reviewing.import_keys(session, rows, network=network, source=source, by=by, at=NOON)
        return done.added, done.changed, done.unchanged


def review(engine, *codes: str, by: Actor | str = OPERATOR) -> int:
    with writing(engine) as session:
        return reviewing.review(session, codes, by=by, at=NOON)


def keys(engine, **asked) -> list[tuple[str, str, list[str], str, bool]]:
    with reading(engine) as session:
        return [
            (key.territory_code, key.key, key.covers, key.source, key.reviewed_at is not None)
            for key in reviewing.list_keys(session, **asked)
        ]


def actions(engine) -> list[str]:
    with reading(engine) as session:
        rows = session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))
        return [row.action for row in rows if row.action.startswith("keys.")]


def coordinator(code: str) -> Actor:
    return Actor(0, "ana@example.org", "Ana", (HeldRole(RoleKind.COORDINATOR, code),))


def test_keys_come_in_unreviewed_covering_their_own_territory_unless_told_otherwise(engine):
    assert bring_in(engine, *TWO) == (2, 0, 0)

    assert keys(engine) == [
        ("A-14", "3001", ["A-14"], "search of October", False),
        ("A-28", "RE", ["A-28"], SANDBOX_SOURCE, False),
    ]
    assert actions(engine) == ["keys.import"]


def test_bringing_the_same_file_in_again_changes_nothing_and_keeps_the_review(engine):
    bring_in(engine, *TWO)
    review(engine, "A-14")

    assert bring_in(engine, *TWO) == (0, 0, 2)
    assert keys(engine, territory="A-14") == [("A-14", "3001", ["A-14"], "search of October", True)]
    assert actions(engine) == ["keys.import", "keys.review"]


@pytest.mark.parametrize(
    "row",
    [
        "A-14,region,3001,Brittany,,",
        "A-14,region,3001,Bretagne,A-14 D-44,",
        "A-14,region,3001,Bretagne,,another search",
    ],
)
def test_a_key_that_changes_loses_its_review(engine, row):
    bring_in(engine, *TWO)
    review(engine, "A-14", "A-28")

    assert bring_in(engine, HEADING, row, TWO[2]) == (0, 1, 1)
    assert [(key[0], key[4]) for key in keys(engine)] == [("A-14", False), ("A-28", True)]


def test_a_file_may_come_from_a_spreadsheet(engine):
    lines = ["\ufeffterritory;kind;key;name", "A-14;region;3001;Bretagne, la\r", ""]

    assert bring_in(engine, *lines) == (1, 0, 0)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A-99,region,1,x,,", "A-99"),
        ("14,region,1,x,,", "“14”"),
        ("A-14,planet,1,x,,", "planet"),
        ("A-14,region,,x,,", "no key"),
        ("A-14,region,é,x,,", "not a key"),
        ("A-14,country,fr,x,,", "capital"),
        ("A-14,country,FRA,x,,", "capital"),
        ("A-14,city,1,x,D-35 D-99 C-99999,", "D-99, C-99999"),
        ("A-14,city,1,x,,s,too much", "more cells"),
        ("A-28,country,RE,x,,", "line 2"),
    ],
)
def test_a_wrong_row_is_named_by_its_line_and_nothing_at_all_is_brought_in(engine, row, reason):
    with pytest.raises(Invalid) as refused:
        bring_in(engine, HEADING, TWO[2], "", TWO[1].replace("3001", "3002"), row)

    (problem,) = refused.value.problems
    assert problem.message.startswith("Line 5:")
    assert reason in problem.message
    assert keys(engine) == []


def test_every_wrong_row_is_told_at_once(engine):
    with pytest.raises(Invalid) as refused:
        bring_in(engine, HEADING, "A-99,region,1,x,,", TWO[1], "A-14,planet,,x,,")

    assert [problem.field for problem in refused.value.problems] == ["line 2", "line 4"]


@pytest.mark.parametrize("lines", [[""], ["a,b"], ["territory,kind,name"], [HEADING]])
def test_a_file_without_our_heading_or_without_keys_is_refused(engine, lines):
    with pytest.raises(Invalid):
        bring_in(engine, *lines)


def test_a_cell_that_never_ends_is_refused_with_its_line(engine):
    with pytest.raises(Invalid, match="Line 2"):
        bring_in(engine, HEADING, 'A-14,region,3001,"' + "x" * 200_000 + '",,')


@pytest.mark.parametrize("network", [AccountNetwork.X, AccountNetwork.PORTAL])
def test_only_facebook_is_told_territories_by_keys(engine, network):
    with pytest.raises(Invalid):
        bring_in(engine, *TWO, network=network)


def test_keys_are_listed_by_territory_and_by_what_is_left_to_review(engine):
    bring_in(engine, *TWO)
    review(engine, "A-14")

    assert [key[0] for key in keys(engine)] == ["A-14", "A-28"]
    assert [key[0] for key in keys(engine, unreviewed=True)] == ["A-28"]
    assert keys(engine, territory="A-04") == []


def test_a_review_is_noted_key_by_key_and_counts_what_is_new(engine):
    bring_in(engine, *TWO, "A-14,zip,FR:35000,Rennes,D-35,")

    assert [review(engine, "A-14"), review(engine, "A-14"), review(engine, "A-14", "A-28")] == [2, 0, 1]
    assert actions(engine) == ["keys.import", *["keys.review"] * 3]


def test_a_territory_without_keys_cannot_be_reviewed(engine):
    bring_in(engine, *TWO)

    with pytest.raises(NotFound, match="A-04"):
        review(engine, "A-14", "A-04")
    assert [key[4] for key in keys(engine)] == [False, False]


def test_keys_are_kept_by_those_who_manage_accounts_for_the_territory(engine):
    bring_in(engine, *TWO)

    with pytest.raises(NotAllowed):
        review(engine, "A-14", by=coordinator("A-04"))
    with pytest.raises(NotAllowed):
        bring_in(engine, HEADING, TWO[1].replace("3001", "3002"), by=coordinator("A-04"))
    with pytest.raises(NotAllowed):
        review(engine, "A-14", by=Actor(0, "z@example.org", "Z", (HeldRole(RoleKind.ANIMATOR, "A-14"),)))

    assert [key[1:2] + key[4:] for key in keys(engine, territory="A-14")] == [("3001", False)]


def test_territories_without_a_reviewed_key_are_counted_out_of_34(engine):
    bring_in(engine, *TWO)
    review(engine, "A-28")

    with reading(engine) as session:
        missing = reviewing.territories_without_keys(session)
        assert len(reviewing.territories_to_tell(session)) == 34
    assert len(missing) == 33
    assert "A-28" not in missing
    assert "A-14" in missing


def test_the_precision_of_a_territory_is_that_of_all_its_keys_together(engine):
    bring_in(
        engine,
        HEADING,
        "A-14,region,1,x,,",
        "A-04,region,2,x,D-33,",
        "A-04,region,3,x,D-24 D-40,",
        "A-22,region,4,x,R-75,",
    )

    with reading(engine) as session:
        fits = reviewing.precisions(session, reviewing.list_keys(session))

    assert (fits["A-14"].covered, fits["A-14"].spilled) == (100.0, 0.0)
    assert 50 < fits["A-04"].covered < 100
    assert fits["A-04"].spilled == 0.0
    assert fits["A-22"].covered == 100.0
    assert fits["A-22"].spilled > 50
