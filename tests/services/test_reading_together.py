"""Lists read what they need together: no question per post, no picture for a plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import col, select

from channels import Picture
from hub.database import reading, writing
from hub.domain.delivery import Delivery
from hub.domain.person import Actor
from hub.domain.post import Media, Post, PostAudience, PostDestination, PostMedia
from hub.services import delivering, drafting, geotargeting, resolving
from tests.services.counting import published
from tests.services.desk import Desk
from tests.services.taking import taken

MANY = 300


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def copies(desk: Desk, post_id: int, number: int = MANY) -> None:
    """So many more posts like one, with all that belongs to them."""
    with writing(desk.stage.hub.engine) as session:
        first = session.get(Post, post_id)
        assert first is not None
        parts = geotargeting.whole(session, first)
        made = session.exec(select(Delivery).where(Delivery.post_id == post_id)).all()
        for _copy in range(number):
            post = Post(**first.model_dump(exclude={"id"}))
            session.add(post)
            session.flush()
            assert post.id is not None
            session.add_all(PostAudience(post_id=post.id, territory_code=code) for code in parts.audience)
            session.add_all(
                PostDestination(**one.model_dump(exclude={"post_id"}), post_id=post.id) for one in parts.destinations
            )
            session.add_all(Delivery(**one.model_dump(exclude={"id", "post_id"}), post_id=post.id) for one in made)


@pytest.mark.parametrize(("who", "seen"), [("stranger", 0), ("colleague", MANY + 1)])
def test_deliveries_of_many_posts_are_listed_with_few_questions(desk: Desk, who, seen):
    copies(desk, desk.approved())

    with reading(desk.stage.hub.engine) as session, statements(desk.stage.hub.engine) as asked:
        found = resolving.list_deliveries(session, by=desk.who(who), limit=1000)

    assert len(found) == seen
    assert len(asked) <= 6
    assert [one.id for one in found] == sorted(one.id or 0 for one in found)


def test_pages_of_deliveries_hold_the_same_as_one_list(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    copies(desk, desk.approved(), 20)
    copies(desk, desk.approved(text="Ailleurs", when="2026-11-11T18:00"), 20)

    def listed(by: Actor, limit: int) -> list[int | None]:
        with reading(desk.stage.hub.engine) as session:
            return [one.id for one in resolving.list_deliveries(session, by=by, limit=limit)]

    whole = listed(desk.who("animator"), 1000)
    monkeypatch.setattr(resolving, "PAGE", 7)

    assert len(whole) == 42
    assert listed(desk.who("animator"), 1000) == whole
    assert listed(desk.who("animator"), 9) == whole[:9]


def test_many_posts_are_planned_with_few_questions_and_as_one_by_one(desk: Desk):
    copies(desk, desk.submitted(audience=["D-35"], accounts=["facebook:A-14", "portal:FR"]))
    hub = desk.stage.hub

    with reading(hub.engine) as session:
        waiting = drafting.list_posts(session, by=desk.who("coordinator"), limit=1000)
        with statements(hub.engine) as asked:
            plans = geotargeting.plans(session, waiting, terms=desk.terms, rules=hub.rules, at=desk.now)

    assert len(plans) == MANY + 1
    assert len(asked) <= 20
    assert plans[-1] == desk.plan(waiting[-1].id or 0)


def test_a_plan_reads_the_size_of_a_picture_and_never_its_bytes(desk: Desk):
    data = b"\x89PNG" + bytes(100)
    with writing(desk.stage.hub.engine) as session:
        columns: dict[str, Any] = {"mime": "image/png", "width": 1, "height": 1, "created_at": desk.now}
        session.add(Media(id="a" * 64, size=len(data), data=data, **columns))
    post_id = desk.submitted(pictures=[{"id": "a" * 64, "alt": "Une cour"}])

    with statements(desk.stage.hub.engine) as asked:
        desk.plan(post_id)
    desk.approve(post_id)
    with reading(desk.stage.hub.engine) as session:
        [part] = session.exec(select(PostMedia).where(col(PostMedia.post_id) == post_id))
        message = delivering.message_of(session, desk.deliveries(post_id)[0])

    assert [one for one in asked if "media.data" in one] == []
    assert any("media.size" in one for one in asked)
    assert message.pictures == (Picture(data, "image/png", part.alt),)


def test_a_picture_is_as_long_as_its_bytes_or_as_it_is_said_to_be():
    assert (Picture(b"four", "image/png").length, Picture(b"", "image/png", size=9).length) == (4, 9)


@pytest.mark.parametrize(
    ("typed", "limited"),
    [
        ({}, {"own page": "yes"}),
        ({"audience": ["A-14"], "accounts": ["facebook:FR"]}, {"gated": "yes"}),
        ({"audience": ["FR"], "accounts": ["facebook:FR", "x:FR", "portal:FR"]},
         {"national": "no", "origin": "no", "portal": "yes"}),
    ],
)  # fmt: skip
def test_the_export_says_whose_figures_are_limited_to_the_territory(desk: Desk, typed, limited):
    published(desk, "deputy", **typed)

    assert {str(row["provenance"]): row["limited"] for row in taken(desk)} == limited
