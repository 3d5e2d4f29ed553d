"""The roll-up under two at once: no visitor is lost, and whoever counts again waits for whoever is counting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, delete
from sqlmodel import Session, col, select

from channels import Figure, UnitKind
from hub.database import reading, writing
from hub.domain.delivery import Delivery
from hub.domain.population import Population
from hub.domain.reach import SLOTS, Reached, ReachedDay, Unit
from hub.services import cataloguing, measuring, populating, rebuilding, rolling
from hub.services.rolling import Proof
from tests.postgres.meeting import meet
from tests.services.counting import VIEWS, published, visit
from tests.services.desk import Desk


def doing(engine: Engine, work: Callable[..., Any], *given: Any, **more: Any) -> Callable[[], Any]:
    """A whole transaction of some work."""

    def run() -> Any:
        with writing(engine) as session:
            return work(session, *given, **more)

    return run


@pytest.fixture
def item(desk: Desk) -> Delivery:
    """An item of the portal that three people of Rennes have looked at."""
    [delivery] = published(desk, accounts=["portal:FR"])
    visit(desk, delivery, "A-14", Unit.VIEWS, 3)
    return delivery


def looking(engine: Engine, item: Delivery, territory: str, number: int) -> Callable[[], Any]:
    """So many look at it."""
    assert item.sent_at is not None
    return doing(
        engine,
        measuring.add_visits,
        item.id,
        territory_code=territory,
        unit=Unit.VIEWS,
        day=item.sent_at.date(),
        number=number,
    )


def counting_again(engine: Engine, desk: Desk) -> Callable[[], Any]:
    """All of it counted again, and put right."""

    def mend(session: Session) -> Proof:
        proof = Proof()
        for span in rolling.pages(session):
            rebuilding.mend(session, span, proof, at=desk.now)
        return proof

    return doing(engine, mend)


def views(engine: Engine) -> dict[str, int | None]:
    """What reports tell by territory."""
    with reading(engine) as session:
        return {one.territory_code: one.views for one in session.exec(select(Reached)) if one.views}


def differing(engine: Engine) -> list[object]:
    """Deliveries of which reports tell something else than was counted, and days that are not the sum of theirs."""
    proof = Proof()
    with reading(engine) as session:
        for span in rolling.pages(session):
            rebuilding.compare(session, span, proof)
        for first, last in rolling.months(session):
            rebuilding.compare_days(session, first, last, proof)
    return [*proof.differing, *proof.differing_days]


def test_the_first_two_visitors_of_a_territory_come_at_once_and_both_count(engine: Engine, desk: Desk, item: Delivery):
    meet(engine, looking(engine, item, "D-971", 4), looking(engine, item, "D-971", 2))

    assert views(engine) == {"A-14": 3, "D-971": 6}
    assert differing(engine) == []


@pytest.mark.parametrize("spoiled", [True, False], ids=["while rows are put right", "while all is well"])
@pytest.mark.parametrize("territory", ["A-14", "D-971"], ids=["known", "new"])
def test_a_visitor_who_comes_while_all_is_counted_again_is_not_lost(
    engine: Engine, desk: Desk, item: Delivery, territory: str, spoiled: bool
):
    if spoiled:
        with writing(engine) as session:
            session.execute(delete(Reached).where(col(Reached.territory_code) == "FR"))
            for one in session.exec(select(Reached)):
                one.views = 99

    meet(engine, counting_again(engine, desk), looking(engine, item, territory, 2))

    expected = {"A-14": 5} if territory == "A-14" else {"A-14": 3, "D-971": 2}
    assert (views(engine), differing(engine)) == (expected, [])


def test_whoever_counts_again_waits_for_the_visitor_under_way(engine: Engine, desk: Desk, item: Delivery):
    meet(engine, looking(engine, item, "A-14", 2), counting_again(engine, desk))

    assert (views(engine), differing(engine)) == ({"A-14": 5}, [])


def keeping(engine: Engine, delivery: Delivery, views: int) -> Callable[[], Any]:
    """A network told how often it was shown."""
    assert delivery.id is not None
    figure = Figure(VIEWS, UnitKind.VIEWS, views)
    sample = measuring.as_sample(delivery.id, figure, slot=SLOTS[0], at=datetime(2026, 11, 12, tzinfo=UTC))
    return doing(engine, measuring.keep, "facebook", [sample])


def test_two_posts_of_a_day_whose_figures_come_at_once_are_both_in_its_sum(engine: Engine, desk: Desk):
    [first] = published(desk, text="Un")
    [second] = published(desk, text="Deux")

    meet(engine, keeping(engine, first, 100), keeping(engine, second, 7))

    with reading(engine) as session:
        assert [one.views for one in session.exec(select(ReachedDay))] == [107]
    assert differing(engine) == []


@pytest.mark.parametrize("territory", ["A-14", "D-971"], ids=["known", "new"])
@pytest.mark.parametrize("first", ["the days", "the visitor"])
def test_a_visitor_who_comes_while_days_are_summed_up_again_is_in_their_sum(
    engine: Engine, desk: Desk, item: Delivery, territory: str, first: str
):
    with writing(engine) as session:
        for one in session.exec(select(ReachedDay)):
            one.views = 99

    def mend(session: Session) -> None:
        for begin, end in list(rolling.months(session)):
            rebuilding.mend_days(session, begin, end, Proof(), at=desk.now)

    both = [doing(engine, mend), looking(engine, item, territory, 2)]
    meet(engine, *(both if first == "the days" else reversed(both)))

    assert differing(engine) == []


def test_files_that_are_brought_in_twice_at_once_are_there_once(engine: Engine, desk: Desk):
    rows = ["territory;cohort;year;number;source\n", "A-14;young;2025;410000;INSEE\n"]
    metrics = [
        ";".join(cataloguing.COLUMNS) + "\n",
        "facebook;post;post_new_view;;views;yes;no;2026-06-01;;;Affichages;Shown\n",
    ]
    bring = doing(engine, populating.bring_in, rows, at=desk.now)
    change = doing(engine, cataloguing.bring_in, metrics, at=desk.now)

    populations, catalogues = meet(engine, bring, bring), meet(engine, change, change)

    assert [(one.added, one.unchanged) for one in (*populations, *catalogues)] == [(1, 0), (0, 1)] * 2
    with reading(engine) as session:
        assert len(session.exec(select(Population)).all()) == 1
