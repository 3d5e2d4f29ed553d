"""The reach of one territory from near: its weeks, what worked, its pages, its young people, and nobody else's."""

from __future__ import annotations

from datetime import date

from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.delivery import Provenance
from hub.domain.metric import Catalogue, Metric, Subject
from hub.domain.population import Cohort, Population
from hub.domain.reach import How, Unit
from hub.services import nearing
from hub.services.nearing import Nearby
from hub.services.reporting import Cell, Told
from tests.services.counting import posted, published, tell_page, visit
from tests.services.desk import Desk

TODAY = date(2026, 11, 12)


def near(desk: Desk, area: str = "A-14", by: str = "analyst", today: date = TODAY) -> Nearby:
    with reading(desk.stage.hub.engine) as session:
        return nearing.near(session, area, by=desk.who(by), today=today)


# --- Week by week -------------------------------------------------------------------------------------------


def test_twelve_weeks_are_looked_at_each_from_monday_on(desk: Desk) -> None:
    told = near(desk)

    assert (told.first, told.last, len(told.weeks)) == (date(2026, 8, 24), TODAY, 12)
    assert (told.weeks[-1], {day.weekday() for day in told.weeks}) == (date(2026, 11, 9), {0})


def test_a_week_without_posts_has_no_figure_and_one_with_several_is_told_as_the_report_tells_it(desk: Desk) -> None:
    posted(desk, "2026-10-26", 120)
    posted(desk, "2026-11-09", 80)
    posted(desk, "2026-11-10", 90)

    [series] = near(desk).series

    assert (series.network, series.provenance, series.unit) == ("facebook", Provenance.OWN_PAGE, Unit.PEOPLE)
    people = [step.get(Unit.PEOPLE) for step in series.steps]
    assert people[-3:] == [Cell(120, How.SINGLE), None, Cell(90, How.AT_LEAST)]
    assert series.steps[-1][Unit.VIEWS] == Cell(170, How.SUM)
    assert people[:-3] == [None] * 9


def test_sources_are_never_mixed(desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)
    posted(desk, "2026-11-09", 500, accounts=["facebook:FR"], text="Par la page nationale")
    [portal] = published(desk, accounts=["portal:FR"])
    visit(desk, portal, "D-35", Unit.VIEWS, 7)

    told = near(desk)

    assert [(one.network, one.provenance, one.unit) for one in told.series] == [
        ("facebook", Provenance.GATED, Unit.PEOPLE),
        ("facebook", Provenance.OWN_PAGE, Unit.PEOPLE),
        ("portal", Provenance.PORTAL, Unit.VIEWS),
    ]
    assert [one.cells[Unit.VIEWS].value for one in told.told] == [500, 80, 7]
    assert [one.key for one in told.told] == [()] * 3


def test_what_counts_for_france_is_not_what_its_academies_reached(desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)
    posted(desk, "2026-11-09", 5000, audience=["FR"], accounts=["facebook:FR"], text="Partout")

    assert [(one.provenance, one.cells[Unit.PEOPLE].value) for one in near(desk, "FR").told] == [
        (Provenance.NATIONAL, 5000)
    ]
    assert [(one.provenance, one.cells[Unit.PEOPLE].value) for one in near(desk, "A-14").told] == [
        (Provenance.OWN_PAGE, 80)
    ]


def test_posts_are_told_by_kind(desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)
    posted(desk, "2026-11-10", 20, kind="advice", text="Un conseil")

    assert [(one.key, one.posts, one.cells[Unit.PEOPLE].value) for one in near(desk).kinds] == [
        (("advice",), 1, 20),
        (("news",), 1, 80),
    ]


def test_an_animator_is_told_nothing_of_another_academie(desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)

    told = near(desk, "A-14", "stranger")

    assert (told.series, told.told, told.kinds, told.worked) == ([], [], [], [])


# --- What worked --------------------------------------------------------------------------------------------


def test_what_worked_is_set_against_the_territory_itself_and_the_best_comes_first(desk: Desk) -> None:
    for day, people in (("02", 100), ("03", 100), ("04", 110), ("05", 200), ("06", 125), ("09", 400)):
        best = posted(desk, f"2026-11-{day}", people)

    told = near(desk)

    assert told.enough
    assert [(one.title, one.value, round(one.against.share or 0, 2)) for one in told.worked] == [
        ("Le 2026-11-09", 400, 3.4),
        ("Le 2026-11-05", 200, 1.7),
    ]
    assert (told.worked[0].post_id, told.worked[0].day, told.worked[0].unit) == (
        best.post_id,
        date(2026, 11, 9),
        Unit.PEOPLE,
    )


def test_from_too_few_posts_nothing_is_told_to_have_worked(desk: Desk) -> None:
    posted(desk, "2026-11-09", 400)

    told = near(desk)

    assert (told.worked, told.enough) == ([], False)


def test_a_figure_that_was_not_told_has_not_worked(desk: Desk) -> None:
    for day in ("02", "03", "04", "05", "06"):
        posted(desk, f"2026-11-{day}", 100)
    posted(desk, "2026-11-09", None)

    assert near(desk).worked == []


# --- Pages --------------------------------------------------------------------------------------------------


def test_a_page_has_its_followers_its_days_and_its_cities(desk: Desk) -> None:
    tell_page(desk, "rennes", "page_follows", date(2026, 11, 10), 1200)
    tell_page(desk, "rennes", "page_follows", date(2026, 11, 11), None)
    tell_page(desk, "rennes", "page_follows", date(2026, 11, 12), 1210)
    tell_page(desk, "rennes", "page_total_media_view_unique", date(2026, 11, 11), 77)
    tell_page(desk, "rennes", "page_total_media_view_unique", date(2026, 11, 11), 500, period="week")
    tell_page(desk, "rennes", "page_follows_city", date(2026, 11, 10), 999, city="Brest, Bretagne, France")
    for city, value in (("Rennes, Bretagne, France", 800), ("Brest, Bretagne, France", 90)):
        tell_page(desk, "rennes", "page_follows_city", date(2026, 11, 11), value, city=city)
    tell_page(desk, "elsewhere", "page_follows", date(2026, 11, 10), 5)

    [page] = near(desk).pages

    assert page.account.name == "Page rennes"
    assert page.followers == [(date(2026, 11, 10), 1200), (date(2026, 11, 11), None), (date(2026, 11, 12), 1210)]
    assert page.people == [(date(2026, 11, 11), 77)]
    assert page.cities == [("Rennes, Bretagne, France", 800), ("Brest, Bretagne, France", 90)]
    assert page.read_on == date(2026, 11, 11)


def test_figures_of_a_profile_on_x_are_those_of_a_moment(desk: Desk) -> None:
    tell_page(desk, "x", "followers_count", date(2026, 11, 10), 3200, period="moment")

    [page] = near(desk, "FR").pages

    assert (page.account.name, page.followers, page.people) == ("Page x", [(date(2026, 11, 10), 3200)], [])


def test_a_page_of_which_nothing_was_told_is_left_out(desk: Desk) -> None:
    assert near(desk).pages == []


def test_a_metric_that_took_over_counts_as_well() -> None:
    def metric(name: str, replaces: str | None = None) -> Metric:
        return Metric(
            network=AccountNetwork.FACEBOOK,
            subject=Subject.PAGE,
            name=name,
            unit=Unit.PEOPLE,
            additive=False,
            counted=False,
            valid_from=TODAY,
            replaces=replaces,
            definition="",
            definition_en="",
        )

    known = Catalogue([metric("c", "b"), metric("b", "a"), metric("other", "something")], "1")

    assert nearing.heirs(known, ["a"]) == {"a", "b", "c"}


# --- Per 1,000 ----------------------------------------------------------------------------------------------


def told(provenance: Provenance, people: Cell | None) -> Told:
    return Told((), "facebook", provenance, 1, 1, False, {} if people is None else {Unit.PEOPLE: people})


def young(number: int) -> Population:
    return Population(territory_code="A-14", cohort=Cohort.YOUNG, year=2023, number=number, source="INSEE")


def test_people_are_told_per_thousand_of_their_own_territory_only() -> None:
    reached = Cell(500, How.AT_LEAST)

    assert nearing.per_thousand(told(Provenance.OWN_PAGE, reached), young(10_000)) == 50
    assert nearing.per_thousand(told(Provenance.ORIGIN, reached), young(10_000)) is None
    assert nearing.per_thousand(told(Provenance.OWN_PAGE, None), young(10_000)) is None
    assert nearing.per_thousand(told(Provenance.OWN_PAGE, Cell(None, How.MISSING)), young(10_000)) is None
    assert nearing.per_thousand(told(Provenance.OWN_PAGE, reached), young(0)) is None
    assert nearing.per_thousand(told(Provenance.OWN_PAGE, reached), None) is None


def test_the_population_of_the_territory_is_its_newest(desk: Desk) -> None:
    posted(desk, "2026-11-09", 80)
    assert near(desk).young is None
    with writing(desk.stage.hub.engine) as session:
        for year, number in ((2021, 100_000), (2023, 160_000)):
            session.add(
                Population(territory_code="A-14", cohort=Cohort.YOUNG, year=year, number=number, source="INSEE")
            )

    found = near(desk)

    assert found.young is not None
    assert (found.young.year, [found.rate(one) for one in found.told]) == (2023, [0.5])


def test_clicks_have_no_rate() -> None:
    only = Told((), "facebook", Provenance.OWN_PAGE, 1, 1, False, {Unit.CLICKS: Cell(5, How.SINGLE)})

    assert nearing.per_thousand(only, young(10_000)) is None
