"""What a printed report says: of whom, by whom, with which ranking or posts, and what its figures mean."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hub.database import reading, writing
from hub.domain.delivery import Provenance
from hub.domain.errors import NotFound
from hub.domain.metric import Catalogue
from hub.domain.person import RoleKind
from hub.domain.population import Cohort, Population
from hub.domain.reach import How, Unit
from hub.services import cataloguing, compiling, joining
from hub.services.compiling import Compiled
from hub.services.reporting import Cell, Told
from tests.services.counting import posted, published, visit
from tests.services.desk import Desk

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


def report(desk: Desk, by: str = "analyst", territory: str | None = None, **rest: Any) -> Compiled:
    given = {"first": FIRST, "last": LAST} | rest
    with reading(desk.stage.hub.engine) as session:
        return compiling.compile_report(session, by=desk.who(by), territory=territory, at=desk.now, **given)


def elsewhere(desk: Desk, on: str, people: int, **typed: Any) -> None:
    posted(desk, on, people, "stranger", audience=["A-32"], accounts=["facebook:A-32"], **typed)


# --- Of whom ------------------------------------------------------------------------------------------------


def test_without_a_territory_it_is_of_all_that_is_theirs(desk: Desk) -> None:
    desk.join("yann", RoleKind.ANALYST, "D-35")

    names = {who: (told.code, told.name) for who in ("analyst", "animator", "yann") if (told := report(desk, who))}

    assert names == {"analyst": ("FR", "France"), "animator": ("A-14", "Rennes"), "yann": ("D-35", "Ille-et-Vilaine")}


def test_somebody_of_several_territories_gets_one_report_of_all_of_them(desk: Desk) -> None:
    desk.join("yann", RoleKind.ANALYST, "A-14")
    with writing(desk.stage.hub.engine) as session:
        joining.give_role(session, desk.who("yann").id, RoleKind.ANALYST, "A-32", by="operator", at=desk.now)
        desk.stage.people["yann"] = joining.actor_for(session, desk.who("yann").id)

    told = report(desk, "yann")

    assert (told.code, told.name, told.zone) == ("", "Guadeloupe, Rennes", "Europe/Paris")


@pytest.mark.parametrize(
    ("who", "territory"), [("animator", "A-32"), ("animator", "FR"), ("animator", "R-53"), ("analyst", "A-99")]
)
def test_what_is_not_theirs_is_not_found(desk: Desk, who: str, territory: str) -> None:
    with pytest.raises(NotFound, match=f"There is no report of {territory} that you may see"):
        report(desk, who, territory)


def test_somebody_for_a_departement_may_ask_for_their_academie(desk: Desk) -> None:
    desk.join("yann", RoleKind.ANALYST, "D-35")

    assert report(desk, "yann", "A-14").name == "Rennes"


def test_it_says_who_made_it_and_when_by_the_clock_of_the_territory(desk: Desk) -> None:
    told = report(desk, "stranger", "A-32")

    assert (told.by, told.at, told.zone) == ("Stranger", desk.now, "America/Guadeloupe")


def test_an_animator_gets_no_figure_of_another_academie(desk: Desk) -> None:
    posted(desk, "2026-11-03", 120)
    elsewhere(desk, "2026-11-04", 30)
    posted(desk, "2026-11-05", 5000, audience=["FR"], accounts=["facebook:FR"], text="Partout")

    told = report(desk, "stranger")

    assert [(one.provenance, one.cells[Unit.PEOPLE].value) for one in told.told] == [(Provenance.OWN_PAGE, 30)]
    assert [one.title for one in told.posts] == ["Le 2026-11-04"]
    assert told.silent == []


# --- What it says -------------------------------------------------------------------------------------------


def test_the_country_is_ranked_by_source_the_most_reached_first(desk: Desk) -> None:
    desk.keys("A-32", "GP")
    elsewhere(desk, "2026-11-03", 300)
    posted(desk, "2026-11-03", 120)
    posted(desk, "2026-11-04", 80)
    posted(desk, "2026-11-05", 700, accounts=["facebook:FR"], text="Limitée")
    posted(desk, "2026-11-05", 5000, audience=["FR"], accounts=["facebook:FR"], text="Partout")

    told = report(desk)

    assert [(one.provenance, [(line.name, line.told.posts) for line in one.lines]) for one in told.rankings] == [
        (Provenance.GATED, [("Rennes", 1)]),
        (Provenance.OWN_PAGE, [("Guadeloupe", 1), ("Rennes", 2)]),
    ]
    assert told.rankings[1].lines[1].told.cells[Unit.PEOPLE] == Cell(120, How.AT_LEAST)
    assert [one.provenance for one in told.told] == [Provenance.GATED, Provenance.NATIONAL, Provenance.OWN_PAGE]
    assert told.posts == []
    assert (len(told.silent), "Rennes" in told.silent) == (32, False)


def test_what_was_not_told_comes_last(desk: Desk) -> None:
    posted(desk, "2026-11-03", None)
    elsewhere(desk, "2026-11-03", 3)

    [ranking] = report(desk).rankings

    assert [line.name for line in ranking.lines] == ["Guadeloupe", "Rennes"]


def test_a_territory_has_its_posts_by_day(desk: Desk) -> None:
    posted(desk, "2026-11-05", 80, kind="advice", text="Un conseil")
    posted(desk, "2026-11-03", 120)
    [portal] = published(desk, accounts=["portal:FR"], text="Sur le portail")
    visit(desk, portal, "D-35", Unit.VIEWS, 7)

    told = report(desk, "animator", "A-14")

    assert [(one.title, one.day.day, one.kind, one.account, one.told.provenance.value) for one in told.posts] == [
        ("Le 2026-11-03", 3, "news", "Page rennes", "own page"),
        ("Un conseil", 5, "advice", "Page rennes", "own page"),
        ("Sur le portail", 10, "news", "Portail", "portal"),
    ]
    assert told.posts[2].told.cells[Unit.VIEWS].value == 7
    assert (told.rankings, told.more_posts) == ([], 0)


def test_of_very_many_posts_the_first_are_printed_and_the_rest_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "MOST_POSTS", 2)
    for day in ("03", "04", "05"):
        posted(desk, f"2026-11-{day}", 80)

    told = report(desk, "animator")

    assert ([one.title for one in told.posts], told.more_posts) == (["Le 2026-11-03", "Le 2026-11-04"], 1)


def test_a_region_is_told_by_its_territories(desk: Desk) -> None:
    posted(desk, "2026-11-03", 120)

    told = report(desk, "analyst", "R-53")

    assert ([line.name for line in told.rankings[0].lines], told.silent) == (["Rennes"], [])


def test_nothing_published_is_nothing_to_tell(desk: Desk) -> None:
    told = report(desk)

    assert (told.told, told.series, told.rankings, told.metrics, len(told.silent)) == ([], [], [], [], 34)


# --- Step by step -------------------------------------------------------------------------------------------


def test_a_short_period_goes_by_weeks_and_a_long_one_by_months() -> None:
    assert compiling.steps_of(date(2026, 11, 4), date(2026, 11, 17)) == (
        [date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16)],
        False,
    )
    assert compiling.steps_of(date(2026, 11, 4), date(2026, 11, 4)) == ([date(2026, 11, 2)], False)
    weeks, monthly = compiling.steps_of(date(2026, 1, 5), date(2026, 7, 5))
    assert (len(weeks), monthly) == (26, False)
    months, monthly = compiling.steps_of(date(2026, 1, 5), date(2026, 7, 6))
    assert (months, monthly) == ([date(2026, month, 1) for month in range(1, 8)], True)
    assert compiling.steps_of(date(2025, 12, 31), date(2026, 12, 31))[0][-1] == date(2026, 12, 1)


def test_a_day_before_the_first_month_has_its_place(desk: Desk) -> None:
    posted(desk, "2026-11-03", 120)
    posted(desk, "2026-10-30", 90)

    [series] = report(desk, first=date(2026, 1, 15), last=date(2026, 11, 30)).series

    people = [cell.value if (cell := step.get(Unit.PEOPLE)) else None for step in series.steps]
    assert people == [None] * 9 + [90, 120]


# --- Per 1,000 ----------------------------------------------------------------------------------------------


def test_rates_are_told_where_people_are_those_of_the_territory(desk: Desk) -> None:
    with writing(desk.stage.hub.engine) as session:
        for code, number in (("FR", 8_000_000), ("A-14", 400_000), ("R-53", 400_000)):
            session.add(
                Population(territory_code=code, cohort=Cohort.YOUNG, year=2023, number=number, source="INSEE 2023")
            )
    posted(desk, "2026-11-03", 200)
    posted(desk, "2026-11-05", 16_000, audience=["FR"], accounts=["facebook:FR"], text="Partout")

    country, near, region = report(desk), report(desk, "animator", "A-14"), report(desk, "analyst", "R-53")

    assert dict(zip([one.provenance for one in country.told], country.rates, strict=True)) == {
        Provenance.NATIONAL: 2,
        Provenance.OWN_PAGE: None,
    }
    assert [line.rate for line in country.rankings[0].lines] == [0.5]
    assert (near.rates, region.rates) == ([0.5], [None])
    assert country.sources == ["INSEE 2023"]


# --- What is meant ------------------------------------------------------------------------------------------


def test_the_figures_that_are_used_are_defined(desk: Desk) -> None:
    posted(desk, "2026-11-03", 120)

    told = report(desk)

    assert {one.name for one in told.metrics} == {"post_media_view", "post_total_media_view_unique"}
    assert told.version == str(cataloguing.SHIPPED_VERSION)


def test_a_metric_is_defined_for_the_days_on_which_it_was_told() -> None:
    shipped = cataloguing.shipped()
    [people] = [one for one in shipped if one.name == "post_total_media_view_unique"]
    people.valid_until = date(2026, 11, 1)
    used = {Unit.PEOPLE: Cell(1, How.SINGLE)}
    told = Told((), "facebook", Provenance.OWN_PAGE, 1, 1, False, used)

    def names(first: date, last: date) -> list[str]:
        return [one.name for one in compiling.used(Catalogue(shipped, "1"), [told], first, last)]

    assert names(date(2026, 10, 1), LAST) == ["post_total_media_view_unique"]
    assert names(date(2026, 11, 1), LAST) == []
    assert names(date(2009, 1, 1), date(2009, 12, 31)) == []


def test_few_of_our_own_are_from_one_to_four() -> None:
    assert [compiling.is_few(Cell(value, How.SINGLE)) for value in (0, 1, 4, 5)] == [False, True, True, False]
    assert not compiling.is_few(Cell(None, How.MISSING))
    assert compiling.is_own(Unit.ARRIVALS, Provenance.OWN_PAGE)
    assert compiling.is_own(Unit.VIEWS, Provenance.PORTAL)
    assert not compiling.is_own(Unit.VIEWS, Provenance.GATED)
