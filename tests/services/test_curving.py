"""The reach of one post from near: its curves with their gaps, what is usual for its own territory, and who sees it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.database import reading
from hub.domain.delivery import Delivery, Provenance
from hub.domain.metric import Catalogue
from hub.domain.reach import How, Unit
from hub.services import cataloguing, curving
from hub.services.curving import Against, Curve, Landed, Point
from hub.services.reporting import Cell, Usual
from hub.services.rolling import Newest
from tests.services.counting import CLICKS, PEOPLE, VIEWS, published, read, visit
from tests.services.desk import Desk

USUAL = Usual(120, 5)


def landed(desk: Desk, post_id: int, by: str = "analyst", at: datetime | None = None) -> list[Landed]:
    with reading(desk.stage.hub.engine) as session:
        return curving.of_post(session, post_id, by=desk.who(by), at=at or desk.now)


def curves(desk: Desk, *deliveries: Delivery) -> dict[int, list[Curve]]:
    with reading(desk.stage.hub.engine) as session:
        return curving.curves(session, [one.id or 0 for one in deliveries])


def after(delivery: Delivery, **span: float) -> datetime:
    assert delivery.sent_at is not None
    return delivery.sent_at + timedelta(**span)


# --- Curves -------------------------------------------------------------------------------------------------


def test_a_curve_has_every_planned_reading_and_a_gap_where_nobody_read(desk: Desk) -> None:
    [delivery] = published(desk)
    read(desk, delivery, after(delivery, hours=1), **{PEOPLE: 40})
    read(desk, delivery, after(delivery, days=1, minutes=5), **{PEOPLE: 100})

    [curve] = curves(desk, delivery)[delivery.id or 0]

    assert curve.unit is Unit.PEOPLE
    assert [(one.hours, one.value, one.read_at is not None) for one in curve.points] == [
        (1, 40, True),
        (6, None, False),
        (24, 100, True),
        (72, None, False),
        (168, None, False),
        (672, None, False),
    ]


def test_a_figure_that_went_down_stays_as_it_was_read(desk: Desk) -> None:
    [delivery] = published(desk)
    for hours, value in ((1, 40), (6, 90), (24, 85)):
        read(desk, delivery, after(delivery, hours=hours), **{VIEWS: value})

    [curve] = curves(desk, delivery)[delivery.id or 0]

    assert [one.value for one in curve.points][:3] == [40, 90, 85]


def test_a_reading_without_an_answer_is_missing_and_no_gap(desk: Desk) -> None:
    [delivery] = published(desk)
    read(desk, delivery, after(delivery, hours=1), **{PEOPLE: None})
    read(desk, delivery, after(delivery, hours=6), **{PEOPLE: 12})

    [curve] = curves(desk, delivery)[delivery.id or 0]

    first, second, *_rest = curve.points
    assert (first.value, first.how, first.read_at) == (None, How.MISSING, after(delivery, hours=1))
    assert (second.value, second.how) == (12, How.SINGLE)


def test_several_metrics_of_one_kind_are_one_curve_and_a_part_that_is_missing_makes_it_at_least(desk: Desk) -> None:
    [delivery] = published(desk, audience=["D-35"], accounts=["x:FR"], accepts_unlimited=True)
    read(desk, delivery, after(delivery, hours=1), like_count=3, repost_count=2)
    read(desk, delivery, after(delivery, hours=6), like_count=4, repost_count=None)

    told = {one.unit: one for one in curves(desk, delivery)[delivery.id or 0]}

    assert [(one.value, one.how) for one in told[Unit.REACTIONS].points[:2]] == [
        (5, How.SINGLE),
        (4, How.AT_LEAST),
    ]


def test_what_reports_do_not_count_makes_no_curve(desk: Desk) -> None:
    [delivery] = published(desk)
    read(desk, delivery, post_media_view_of_another_kind=7)

    assert curves(desk, delivery) == {}


def test_nothing_is_told_of_deliveries_that_were_never_read(desk: Desk) -> None:
    [delivery] = published(desk)

    assert curves(desk, delivery) == {}


def test_a_reading_outside_of_the_plan_stands_where_it_was_made(desk: Desk) -> None:
    [delivery] = published(desk)
    at = after(delivery, hours=2)
    figure = Newest(PEOPLE, Unit.PEOPLE, 7, None, at, at)

    [curve] = curving.curves_of("facebook", {2: [figure]}, Catalogue(cataloguing.shipped(), "1"))

    assert curve.points[:3] == [Point(1), Point(2, 7, How.SINGLE, at), Point(6)]


# --- What is usual ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (50, "less than the usual 120 people of Rennes"),
        (95, "less than the usual 120 people of Rennes"),
        (96, "about the usual 120 people of Rennes"),
        (150, "about the usual 120 people of Rennes"),
        (151, "more than the usual 120 people of Rennes"),
        (210, "twice the usual 120 people of Rennes"),
        (250, "twice the usual 120 people of Rennes"),
        (360, "3 times the usual 120 people of Rennes"),
    ],
)
def test_a_figure_is_compared_in_words(value: int, words: str) -> None:
    against = curving.against_usual(value, USUAL)

    assert against is not None
    assert curving.compared(against, Unit.PEOPLE, "Rennes") == words


def test_where_nothing_is_usual_anything_is_more(desk: Desk) -> None:
    against = curving.against_usual(4, Usual(0, 9))

    assert against == Against(Usual(0, 9), None)
    assert curving.compared(against, Unit.CLICKS, "Rennes") == "more than the usual 0 clicks of Rennes"
    assert curving.against_usual(0, Usual(0, 9)) is None


def test_nothing_is_compared_without_a_figure_or_without_anything_usual() -> None:
    assert curving.against_usual(None, USUAL) is None
    assert curving.against_usual(50, None) is None


def test_a_young_post_is_never_told_to_have_reached_less() -> None:
    assert curving.against_usual(50, USUAL, settled=False) is None
    assert curving.against_usual(240, USUAL, settled=False) == Against(USUAL, 2.0)


# --- A post -------------------------------------------------------------------------------------------------


def six_posts(desk: Desk) -> list[Delivery]:
    """Five usual posts of Rennes, and one that did better."""
    made = []
    for number in range(6):
        [delivery] = published(desk, text=f"Numéro {number}")
        made.append(delivery)
        read(desk, delivery, after(delivery, days=7), **{PEOPLE: 100 + number, CLICKS: 3})
    read(desk, made[-1], after(made[-1], days=28), **{PEOPLE: 204, CLICKS: 0})
    return made


def test_a_post_is_set_against_the_posts_of_its_own_territory(desk: Desk) -> None:
    *_others, best = six_posts(desk)
    asked = after(best, days=28)

    [one] = landed(desk, best.post_id, at=asked)

    assert (one.area, one.name, one.network, one.provenance) == ("A-14", "Rennes", "facebook", Provenance.OWN_PAGE)
    assert one.cells[Unit.PEOPLE] == Cell(204, How.SINGLE)
    assert one.against[Unit.PEOPLE] == Against(Usual(102.5, 6), 204 / 102.5)
    assert one.against[Unit.CLICKS].share == 0
    assert (one.read_at, one.whole, one.unlimited) == (asked, True, False)


def test_larger_territories_and_other_sources_are_no_measure(desk: Desk) -> None:
    six_posts(desk)
    [gated] = published(desk, audience=["A-14"], accounts=["facebook:FR"])
    [elsewhere] = published(desk, "stranger", audience=["A-32"], accounts=["facebook:A-32"])
    for delivery in (gated, elsewhere):
        read(desk, delivery, after(delivery, days=7), **{PEOPLE: 5000})

    assert [one.against for one in landed(desk, gated.post_id)] == [{}]
    assert [one.against for one in landed(desk, elsewhere.post_id)] == [{}]


def test_a_post_that_is_on_its_way_is_not_told_to_have_reached_less(desk: Desk) -> None:
    six_posts(desk)
    [young] = published(desk, text="Le plus jeune")
    read(desk, young, after(young, hours=1), **{PEOPLE: 9})

    [early] = landed(desk, young.post_id)
    read(desk, young, after(young, days=7), **{PEOPLE: 11})
    [late] = landed(desk, young.post_id)

    assert Unit.PEOPLE not in early.against
    assert late.against[Unit.PEOPLE].share == pytest.approx(11 / 102)


def test_an_animator_sees_what_landed_in_their_own_territory_only(desk: Desk) -> None:
    desk.keys("A-32", "GP")
    rennes, guadeloupe = published(desk, audience=["A-14", "A-32"], accounts=["facebook:FR"])
    read(desk, rennes, **{PEOPLE: 120})
    read(desk, guadeloupe, **{PEOPLE: 30})

    seen = {who: [one.area for one in landed(desk, rennes.post_id, who)] for who in ("analyst", "animator", "stranger")}

    assert seen == {"analyst": ["A-14", "A-32"], "animator": ["A-14"], "stranger": ["A-32"]}


def test_the_portal_is_told_by_territory_and_its_whole_only_to_who_sees_all_of_it(desk: Desk) -> None:
    [delivery] = published(desk, audience=["A-14", "A-32"], accounts=["portal:FR"])
    visit(desk, delivery, "A-14", Unit.VIEWS, 10)
    visit(desk, delivery, "C-35238", Unit.VIEWS, 4)
    visit(desk, delivery, "D-971", Unit.VIEWS, 3)

    everywhere = landed(desk, delivery.post_id)
    own = landed(desk, delivery.post_id, "animator")

    views = {one.area: one.cells[Unit.VIEWS] for one in everywhere}
    assert views == {"FR": Cell(0, How.SINGLE), "A-14": Cell(14, How.SUM), "A-32": Cell(3, How.SINGLE)}
    assert {one.whole for one in everywhere} == {True}
    assert ([one.area for one in own], {one.whole for one in own}) == (["A-14", "FR"], {False})
    assert {one.read_at for one in everywhere} == {None}


def test_arrivals_by_our_link_stand_beside_what_the_network_told(desk: Desk) -> None:
    desk.settle(link_base="https://relais.example/l/")
    [delivery] = published(desk, link="https://example.org/cfa")
    visit(desk, delivery, "A-14", Unit.CLICKS, 6)

    [one] = landed(desk, delivery.post_id)

    assert one.cells[Unit.ARRIVALS] == Cell(6, How.SINGLE)
    assert (one.cells[Unit.PEOPLE], one.read_at) == (Cell(None, How.MISSING), None)


def test_what_did_not_go_out_landed_nowhere(desk: Desk) -> None:
    assert landed(desk, desk.approved()) == []
