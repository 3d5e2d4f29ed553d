"""The questions of docs/recipes.md, put to a real export and answered as its figures were made."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from hub.domain.reach import Unit
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, visit
from tests.services.desk import Desk
from tests.services.taking import asked, page_figure
from tests.stage import Stage
from tests.web.conftest import Ask

DOCS = Path(__file__).parents[2] / "docs"
PERIOD = {"from": "2026-11-01", "to": "2026-12-31"}


@dataclass(frozen=True)
class Told:
    """A post of a page, and what Facebook says of it."""

    day: str
    territory: str
    kind: str
    people: int | None
    views: int | None
    clicks: int | None

    @property
    def on(self) -> date:
        return date.fromisoformat(self.day)


POSTS = (
    Told("2026-11-10", "A-14", "event", 120, 400, 10),
    Told("2026-11-12", "A-14", "event", 300, 900, 45),
    Told("2026-11-17", "A-14", "advice", 80, 100, None),
    Told("2026-12-01", "A-14", "event", 50, 60, 6),
    Told("2026-11-11", "A-32", "event", 40, 150, 3),
    Told("2026-11-24", "A-32", "event", None, None, None),
)
"""On pages of two académies; the second one is silent in December."""


@pytest.fixture
def export(stage: Stage, ask: Ask, tmp_path: Path) -> Path:
    """A Parquet file of November and December, as the API gives it."""
    desk = Desk(stage, stage.hub.terms)
    for number, post in enumerate(POSTS):
        typed = {"text": f"Numéro {number}", "kind": post.kind, "when": f"{post.day}T12:00"}
        [delivery] = published(
            desk, "deputy", audience=[post.territory], accounts=[f"facebook:{post.territory}"], **typed
        )
        read(desk, delivery, **{PEOPLE: post.people, VIEWS: post.views, CLICKS: post.clicks})
    [portal] = published(desk, accounts=["portal:FR"], text="Chez nous", when="2026-11-13T12:00")
    visit(desk, portal, "A-14", Unit.VIEWS, 200)
    visit(desk, portal, "A-14", Unit.CLICKS, 3)
    [x] = published(desk, accounts=["x:FR"], accepts_unlimited=True, text="Sur X", when="2026-11-14T12:00")
    read(desk, x, impression_count=700)
    desk.page("A-10")
    page_figure(desk, "A-10", "page_follows", date(2026, 11, 5), 900)
    answer = ask("GET", "/reach/export", "analyst", params=PERIOD | {"format": "parquet"})
    file = tmp_path / "reach.parquet"
    file.write_bytes(answer.content)
    return file


def answer(export: Path, question: str) -> list[tuple[Any, ...]]:
    """What DuckDB says to one of the questions, as the page puts it."""
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    [query] = re.findall(rf"^## {re.escape(question)}\n.*?```sql\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    return asked(query.replace("'reach.parquet'", f"'{export}'"))


def test_which_territories_were_silent(export: Path):
    spoken = {(post.on.replace(day=1), post.territory) for post in POSTS}
    names = {"A-10": "Lyon", "A-14": "Rennes", "A-32": "Guadeloupe"}
    months = [date(2026, 11, 1), date(2026, 12, 1)]

    told = answer(export, "Which territories were silent, month by month?")

    assert told == [
        (month, code, names[code]) for month in months for code in sorted(names) if (month, code) not in spoken
    ]
    assert len(told) == 3


def test_what_a_post_of_each_kind_usually_reaches(export: Path):
    reached: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    for post in POSTS:
        reached[post.territory, post.kind].append(post.people)

    told = answer(export, "What does a post of each kind usually reach?")

    assert told == [
        (territory, kind, "own page", median(known), len(known), len(values))
        for (territory, kind), values in sorted(reached.items())
        if (known := [value for value in values if value is not None])
    ]


def test_on_which_day_of_the_week_posts_are_seen_most(export: Path):
    seen: dict[int, list[int]] = defaultdict(list)
    for post in POSTS:
        if post.views is not None:
            seen[post.on.isoweekday()].append(post.views)
    usual = sorted((-median(values), day, len(values)) for day, values in seen.items())

    told = answer(export, "On which day of the week are posts seen most?")

    assert told == [("impressions", 6, 700, 1), *(("views", day, -lowered, count) for lowered, day, count in usual)]


def test_how_much_networks_do_not_tell(export: Path):
    figures = [value for post in POSTS for value in (post.people, post.views, post.clicks)]
    missing, whole = figures.count(None), len(figures) + 1  # the page of Lyon has a figure too

    told = answer(export, "How much of it do networks not tell?")

    assert sorted(told) == [
        ("facebook", whole, round(missing / whole, 3), "not available"),
        ("portal", 2, 0.5, "< 5"),
        ("x", 1, 0.0, None),
    ]


def test_how_many_clicks_come_of_a_thousand_views(export: Path):
    both: dict[tuple[str, date], list[tuple[int, int]]] = defaultdict(list)
    for post in POSTS:
        if post.views is not None and post.clicks is not None:
            monday = post.on - timedelta(days=post.on.weekday())
            both[post.territory, monday].append((post.clicks, post.views))

    told = answer(export, "How many clicks come of a thousand views, by académie and week?")

    assert told == [
        (code, week, "own page", round(1000 * sum(c for c, _v in some) / sum(v for _c, v in some), 1), len(some))
        for (code, week), some in sorted(both.items())
        if sum(views for _clicks, views in some) >= 100
    ]
    assert [row[3] for row in told] == [42.3, 20.0]


def test_every_question_of_the_page_is_asked_here():
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")

    asked_here = Path(__file__).read_text(encoding="utf-8")
    assert [one for one in re.findall(r"^## (.+)$", page, re.MULTILINE) if f'"{one}"' not in asked_here] == []
    assert page.count("```sql") == 5
