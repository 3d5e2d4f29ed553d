"""The list of posts: the database says the same as the rules, and reads no more than a page."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from hub.database import reading, writing
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.domain.post import Kind, Post, PostAudience, PostState
from hub.domain.territory import Territory
from hub.services import drafting, listing
from hub.services.listing import Wanted
from tests.services.desk import Desk
from tests.services.test_reading_together import statements


def many(desk: Desk, number: int, codes: list[list[str]]) -> None:
    """So many posts, meant for these territories in turn, in every state and of every kind."""
    with writing(desk.stage.hub.engine) as session:
        for turn in range(number):
            post = Post(
                kind=list(Kind)[turn % 5],
                state=list(PostState)[turn % 7],
                text=f"Publication {turn}",
                wall_time="2026-11-10T18:00",
                zone="Europe/Paris",
                first_due_at=desk.now + timedelta(hours=turn),
                useless_after=desk.now + timedelta(days=90),
                author_id=desk.who("animator").id,
                changed_by_id=desk.who("animator").id,
                seed="seed",
                territory_code="A-14",
                created_at=desk.now,
                changed_at=desk.now,
            )
            session.add(post)
            session.flush()
            assert post.id is not None
            session.add_all(PostAudience(post_id=post.id, territory_code=code) for code in codes[turn % len(codes)])


def listed(desk: Desk, by: Actor, wanted: Wanted = Wanted(), **page: int) -> list[int]:
    """The numbers of the posts of one page."""
    with reading(desk.stage.hub.engine) as session:
        return [post.id or 0 for post in listing.list_posts(session, wanted, by=by, **page)]


def codes_of(session: Session, chance: random.Random, number: int) -> list[str]:
    """Territories of every level, those of Brittany and Guadeloupe often enough to meet."""
    places = [
        *session.exec(select(Territory.code).where(col(Territory.level) != "commune")),
        *["FR", "R-53", "A-14", "D-35", "D-22", "A-32", "D-971"] * 12,
        *session.exec(select(Territory.code).where(col(Territory.parent_code).in_(["D-35", "D-971"])).limit(90)),
    ]
    return chance.choices(places, k=number)


@pytest.mark.parametrize("seed", range(5))
def test_the_database_shows_exactly_what_the_rules_let_somebody_see(desk: Desk, seed):
    chance = random.Random(seed)
    with reading(desk.stage.hub.engine) as session:
        audiences = [sorted(set(codes_of(session, chance, chance.randint(1, 3)))) for _ in range(60)]
        held = [codes_of(session, chance, chance.randint(0, 3)) for _ in range(25)]
    many(desk, len(audiences), audiences)

    for codes in held:
        by = Actor(1, "a@example.org", "A", tuple(HeldRole(RoleKind.ANIMATOR, code) for code in codes))
        with reading(desk.stage.hub.engine) as session:
            every = session.exec(select(Post.id)).all()
            judged = drafting.visible(session, [number for number in every if number], by=by)
        assert set(listed(desk, by, limit=1000)) == judged


@pytest.mark.parametrize(
    ("wanted", "who"),
    [
        (Wanted(), "coordinator"),
        (Wanted(), "animator"),
        (Wanted(states=[PostState.APPROVED]), "coordinator"),
        (Wanted(author_id=3), "animator"),
        (Wanted(territory="D-35"), "coordinator"),
    ],
)
def test_a_page_of_many_posts_asks_little_and_sorts_nothing(desk: Desk, wanted, who):
    many(desk, 600, [["A-14"], ["A-32"], ["FR"], ["D-35"]])
    engine = desk.stage.hub.engine

    with reading(engine) as session:
        with statements(engine) as asked:
            listing.list_posts(session, wanted, by=desk.who(who), limit=50)
        query = select(Post.id).where(
            listing.reaching(session, desk.who(who).territories()), *listing.conditions(session, wanted)
        )
        told = query.order_by(col(Post.id).desc()).limit(50).compile(engine, compile_kwargs={"literal_binds": True})
        steps = plan_of(session, str(told))

    assert len(asked) <= 4
    assert [step for step in steps if step.startswith(SLOW)] == []


SLOW = ("USE TEMP B-TREE FOR ORDER BY", "SCAN post_audience", "SCAN territory", "Seq Scan on territory")


def plan_of(session: Session, query: str) -> list[str]:
    """The steps by which the database finds what a query asks for."""
    if session.get_bind().dialect.name == "sqlite":
        return [row[3] for row in session.connection().execute(text(f"EXPLAIN QUERY PLAN {query}"))]
    session.connection().execute(text("ANALYZE"))
    return [row[0].strip().removeprefix("->").strip() for row in session.connection().execute(text(f"EXPLAIN {query}"))]


def test_pages_follow_each_other_without_gap_or_repeat(desk: Desk):
    many(desk, 30, [["A-14"], ["A-32"]])
    by = desk.who("animator")

    pages = [listed(desk, by, limit=6)]
    while pages[-1]:
        pages.append(listed(desk, by, limit=6, before=pages[-1][-1]))

    assert [number for page in pages for number in page] == listed(desk, by, limit=1000)
    assert [len(page) for page in pages] == [6, 6, 3, 0]


def test_filters_hold_together(desk: Desk):
    many(desk, 70, [["A-14"], ["A-32"]])
    by = desk.who("coordinator")

    with reading(desk.stage.hub.engine) as session:
        found = listing.list_posts(
            session,
            Wanted(states=[PostState.DRAFT, PostState.APPROVED], kind=Kind.EVENT, territory="D-35"),
            by=by,
            limit=1000,
        )

    assert [one.text for one in found] == ["Publication 10", "Publication 0"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("école", True),
        ("ECOLE", True),
        ("de la DEUXIÈME chance", True),
        ("coeur", True),
        ("cœur", True),
        ("100 %", True),
        ("100_%", False),
        ("éc_le", False),
        ("%", True),
        ("\\", False),
        ("lycée", False),
    ],
)
def test_words_are_found_whatever_their_case_and_accents(desk: Desk, words, found):
    post_id = desk.write(text="L’École de la deuxième chance, 100 % avec le Cœur")

    assert listed(desk, desk.who("animator"), Wanted(text=words)) == ([post_id] if found else [])
