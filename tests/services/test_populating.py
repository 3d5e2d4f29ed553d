"""Reference populations: from a file with their source, newest first, summed where all parts are known; and rates."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event
from sqlmodel import col, select

from hub.database import reading, writing
from hub.domain.audit import AuditEntry
from hub.domain.delivery import Provenance
from hub.domain.errors import Invalid
from hub.domain.population import Cohort, Population
from hub.domain.reach import How, Unit
from hub.domain.territory import Level, Territory
from hub.services import populating
from hub.services.populating import Changes
from hub.services.reporting import Row
from tests.conftest import FOUNDED

HEADING = "territory;cohort;year;number;source"
BRITTANY = ("D-22", "D-29", "D-35", "D-56")


def bring_in(engine: Engine, *lines: str, heading: str = HEADING) -> Changes:
    with writing(engine) as session:
        return populating.bring_in(session, [line + "\n" for line in (heading, *lines)], at=FOUNDED)


def known(engine: Engine, cohort: Cohort = Cohort.YOUNG) -> dict[str, tuple[int, int, str]]:
    """Number, year and source by territory."""
    with reading(engine) as session:
        return {code: (one.number, one.year, one.source) for code, one in populating.newest(session, cohort).items()}


def reasons(engine: Engine, *lines: str, heading: str = HEADING) -> list[str]:
    """Why a file is refused; nothing of it is kept."""
    with pytest.raises(Invalid) as refused:
        bring_in(engine, *lines, heading=heading)
    with reading(engine) as session:
        assert populating.list_all(session) == []
    return [problem.message for problem in refused.value.problems]


# --- Bringing it in -------------------------------------------------------------------------------------------


def test_populations_are_brought_in_once_and_corrected_by_a_later_file(engine):
    first = bring_in(engine, "A-14;young;2025;410000;INSEE", "A-14;leavers;2025;20000;Ministère")
    again = bring_in(engine, "A-14;young;2025;410000;INSEE", "A-14;leavers;2025;20000;Ministère")
    later = bring_in(engine, "A-14;young;2025;411000;INSEE", "A-14;young;2026;412000;INSEE")

    with reading(engine) as session:
        kept = [(one.cohort, one.year, one.number) for one in populating.list_all(session)]
        query = select(AuditEntry).where(AuditEntry.action == "population.import").order_by(col(AuditEntry.id))
        noted = [entry.after for entry in session.exec(query)]
    assert (first, again, later) == (Changes(2, 0, 0), Changes(0, 0, 2), Changes(1, 1, 0))
    assert kept == [(Cohort.LEAVERS, 2025, 20000), (Cohort.YOUNG, 2026, 412000), (Cohort.YOUNG, 2025, 411000)]
    assert noted == [
        {"added": 2, "changed": 0, "years": [2025], "sources": ["INSEE", "Ministère"]},
        {"added": 1, "changed": 1, "years": [2025, 2026], "sources": ["INSEE"]},
    ]


@pytest.mark.parametrize(
    ("heading", "line"),
    [
        ("territoire;groupe;annee;nombre;source", "A-14;jeunes;2025;410000;INSEE"),
        ("Territoire;Groupe;Année;Nombre;Source", "a-14;Jeunes;2025;410 000;INSEE"),
        ("\ufeffterritory,cohort,year,number,source", "A-14,young,2025,410000,INSEE"),
        (HEADING, "A-14;YOUNG;2025;410\u00a0000;INSEE"),
        (HEADING, " A-14 ; young ; 2025 ; 410\u202f000 ; INSEE "),
        ("source;number;year;cohort;territory", "INSEE;410000;2025;young;A-14"),
    ],
    ids=["French", "accents and blanks", "commas", "a no-break space", "blanks everywhere", "another order"],
)
def test_files_are_taken_as_people_write_them(engine, heading, line):
    bring_in(engine, line, heading=heading)

    assert known(engine)["A-14"] == (410_000, 2025, "INSEE")


def test_leavers_may_be_told_in_french(engine):
    bring_in(engine, "A-14;Décrocheurs;2025;20000;Ministère")

    assert known(engine, Cohort.LEAVERS)["A-14"] == (20_000, 2025, "Ministère")
    assert known(engine) == {}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("14;young;2025;7;INSEE", "unknown territory “14”: codes look like FR, R-53, A-14, D-35 or C-35238"),
        ("A-99;young;2025;7;INSEE", "unknown territory “A-99”: codes look like FR, R-53, A-14, D-35 or C-35238"),
        ("A-14;old;2025;7;INSEE", "unknown group “old”: write young (16 to 25) or leavers"),
        ("A-14;young;1989;7;INSEE", "“1989” is not a year from 1990 to 2100"),
        ("A-14;young;2101;7;INSEE", "“2101” is not a year from 1990 to 2100"),
        ("A-14;young;;7;INSEE", "“” is not a year from 1990 to 2100"),
        ("A-14;young;2025;-7;INSEE", "“-7” is not a number of people"),
        ("A-14;young;2025;7,5;INSEE", "“7,5” is not a number of people"),
        ("A-14;young;2025;9999999999;INSEE", "“9999999999” is not a number of people"),
        ("A-14;young;2025;n.d.;INSEE", "“n.d.” is not a number of people"),
        ("A-14;young;2025;;INSEE", "there is no number: where it is not known, leave the line out"),
        ("A-14;young;2025;7;", "there is no source"),
        ("A-14;young;2025;7", "there is no source"),
        ("A-14;young;2025;7;INSEE;more", "more cells than columns"),
        ("A-32;jeunes;2 025;8;INSEE", "the same territory, group and year as on line 2"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_kept(engine, line, why):
    assert reasons(engine, "A-32;young;2025;7;INSEE", line) == [f"Line 3: {why}.", "Nothing was changed."]


def test_all_that_is_wrong_is_told_at_once(engine):
    assert reasons(engine, "A-99;old;2025;7;INSEE", "A-14;young;2025;7;INSEE", "A-14;young;25;7;") == [
        "Line 2: unknown territory “A-99”: codes look like FR, R-53, A-14, D-35 or C-35238; "
        "unknown group “old”: write young (16 to 25) or leavers.",
        "Line 4: “25” is not a year from 1990 to 2100; there is no source.",
        "Nothing was changed.",
    ]


def test_a_file_without_our_columns_is_refused(engine):
    [why] = reasons(engine, "A-14;7", heading="code;population")

    assert why.startswith("The first line must name the columns territory, cohort, year, number, source;")


# --- What is known --------------------------------------------------------------------------------------------


def test_the_newest_year_of_a_territory_counts(engine):
    bring_in(engine, "A-14;young;2025;7;new", "A-14;young;2019;9;old", "A-32;young;2020;5;other")

    assert {code: known(engine)[code] for code in ("A-14", "A-32")} == {
        "A-14": (7, 2025, "new"),
        "A-32": (5, 2020, "other"),
    }


def test_a_territory_is_the_sum_of_its_parts_when_all_of_them_are_known(engine):
    bring_in(engine, *(f"{code};young;2025;{number};INSEE" for number, code in enumerate(BRITTANY, start=10)))

    told = known(engine)

    assert told["A-14"] == told["R-53"] == (46, 2025, "INSEE (sum of its parts)")
    assert sorted(told) == sorted([*BRITTANY, "A-14", "R-53"])


def test_parts_of_different_years_are_not_summed_nor_is_an_incomplete_set(engine):
    bring_in(engine, *(f"{code};young;2025;10;INSEE" for code in BRITTANY[:3]), "D-56;young;2024;10;INSEE")

    assert sorted(known(engine)) == sorted(BRITTANY)


def test_the_sum_is_that_of_the_newest_year_in_which_all_parts_are_known(engine):
    bring_in(
        engine,
        *(f"{code};young;2023;10;census" for code in BRITTANY),
        *(f"{code};young;2024;11;INSEE" for code in BRITTANY[:3]),
        "D-56;young;2024;11;estimate",
        "D-22;young;2025;12;INSEE",
    )

    assert known(engine)["A-14"] == (44, 2024, "INSEE; estimate (sum of its parts)")


def test_a_row_of_its_own_is_better_than_a_sum_even_an_older_one(engine):
    bring_in(engine, "A-14;young;2019;39;census", *(f"{code};young;2025;10;INSEE" for code in BRITTANY))

    assert known(engine)["A-14"] == (39, 2019, "census")
    assert known(engine)["R-53"] == (40, 2025, "INSEE (sum of its parts)")


def test_a_departement_is_the_sum_of_its_communes_only_when_each_of_them_is_there(engine):
    with reading(engine) as session:
        communes = session.exec(
            select(Territory.code).where(Territory.level == Level.COMMUNE, Territory.parent_code == "D-90")
        ).all()

    bring_in(engine, *(f"{code};young;2025;2;INSEE" for code in communes[1:]))
    before = known(engine)
    bring_in(engine, f"{communes[0]};young;2025;2;INSEE")

    assert "D-90" not in before
    assert known(engine)["D-90"] == (2 * len(communes), 2025, "INSEE (sum of its parts)")


def test_all_of_france_is_the_sum_of_all_academies(engine):
    with reading(engine) as session:
        codes = session.exec(select(Territory.code).where(Territory.level == Level.ACADEMIE)).all()

    bring_in(engine, *(f"{code};young;2025;1000;INSEE" for code in codes))

    assert known(engine)["FR"] == (34_000, 2025, "INSEE (sum of its parts)")


def test_nobody_is_no_population(engine):
    bring_in(engine, "A-14;young;2025;0;INSEE")

    assert known(engine) == {}


def test_the_territories_without_a_population_are_named_once_some_have_one(engine):
    with reading(engine) as session:
        before = populating.academies_without(session, Cohort.YOUNG)
    bring_in(engine, "A-14;young;2025;7;INSEE", "D-971;young;2025;7;INSEE")

    with reading(engine) as session:
        missing = populating.academies_without(session, Cohort.YOUNG)

    assert before == []
    assert len(missing) == 33
    assert "A-14" not in missing


def test_the_number_of_questions_does_not_grow_with_the_number_of_years(engine):
    def asked() -> int:
        count = 0

        def one_more(*_: object) -> None:
            nonlocal count
            count += 1

        event.listen(engine, "before_cursor_execute", one_more)
        try:
            known(engine)
        finally:
            event.remove(engine, "before_cursor_execute", one_more)
        return count

    bring_in(engine, "A-14;young;2025;7;INSEE")
    few = asked()
    bring_in(engine, *(f"A-14;young;{year};7;INSEE" for year in range(2000, 2025)))

    assert asked() == few


# --- Rates ----------------------------------------------------------------------------------------------------

OF = Population(territory_code="A-14", cohort=Cohort.YOUNG, year=2025, number=400_000, source="INSEE")


def line(value: int | None, unit: Unit | None, provenance: Provenance | None, code: str = "A-14") -> Row:
    """One line of a report."""
    return Row(code, "Rennes", "Page", "facebook", unit, provenance, 1, value, How.SINGLE)


def test_people_are_told_per_thousand():
    assert populating.per_thousand(1000, OF) == 2.5


@pytest.mark.parametrize(
    ("row", "rate"),
    [
        (line(1000, Unit.PEOPLE, Provenance.OWN_PAGE), 2.5),
        (line(1000, Unit.PEOPLE, Provenance.GATED), 2.5),
        (line(0, Unit.PEOPLE, Provenance.OWN_PAGE), 0),
        (line(None, Unit.PEOPLE, Provenance.OWN_PAGE), None),
        (line(1000, Unit.VIEWS, Provenance.OWN_PAGE), None),
        (line(1000, Unit.ARRIVALS, Provenance.OWN_PAGE), None),
        (line(1000, Unit.PEOPLE, Provenance.ORIGIN), None),
        (line(1000, Unit.PEOPLE, Provenance.PORTAL), None),
        (line(1000, Unit.PEOPLE, Provenance.OWN_PAGE, "A-32"), None),
        (line(1000, None, None), None),
    ],
    ids=[
        "own page",
        "gated",
        "nobody reached",
        "not told",
        "views",
        "arrivals",
        "X",
        "portal",
        "no population",
        "none",
    ],
)
def test_only_people_of_the_territory_itself_have_a_rate(row, rate):
    assert populating.rates([row], {"A-14": OF}) == [rate]


def test_national_figures_are_told_per_thousand_of_the_country():
    france = Population(territory_code="FR", cohort=Cohort.YOUNG, year=2025, number=8_000_000, source="INSEE")

    assert populating.rates([line(80_000, Unit.PEOPLE, Provenance.NATIONAL, "FR")], {"FR": france}) == [10]


def test_nothing_is_told_per_thousand_of_nobody():
    nobody = Population(territory_code="A-14", cohort=Cohort.YOUNG, year=2025, number=0, source="INSEE")

    assert populating.rate(7, Unit.PEOPLE, Provenance.OWN_PAGE, nobody) is None
