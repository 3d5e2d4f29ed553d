"""The catalogue of metrics: laid by us, changed by operators, and refused where it contradicts itself."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, select

from channels.sandbox import graph_figures
from hub.database import reading, writing
from hub.domain.account import AccountNetwork
from hub.domain.audit import AuditEntry
from hub.domain.errors import Invalid
from hub.domain.metric import Metric, Origin, Subject
from hub.domain.reach import Unit
from hub.services import cataloguing
from hub.services.cataloguing import COLUMNS, Changes
from tests.conftest import FOUNDED

USUAL = {
    "network": "facebook", "subject": "post", "name": "post_new", "period": "", "unit": "views", "additive": "yes",
    "counted": "yes", "valid_from": "2026-06-01", "valid_until": "", "replaces": "", "definition": "Affichages",
    "definition_en": "Shown",
}  # fmt: skip


def lines(*rows: dict[str, str], separator: str = ";") -> list[str]:
    """A file: each row like the usual one but for what is told."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, delimiter=separator)
    writer.writeheader()
    writer.writerows(USUAL | row for row in rows)
    return file.getvalue().splitlines(keepends=True)


def bring_in(engine: Engine, *rows: dict[str, str]) -> Changes:
    with writing(engine) as session:
        return cataloguing.bring_in(session, lines(*rows), at=FOUNDED)


def lay(engine: Engine) -> int:
    with writing(engine) as session:
        return cataloguing.lay(session, at=FOUNDED)


def stored(engine: Engine, name: str | None = None) -> list[Metric]:
    with reading(engine) as session:
        query = select(Metric).order_by(col(Metric.name), col(Metric.valid_from))
        return list(session.exec(query if name is None else query.where(Metric.name == name)))


def noted(engine: Engine) -> list[str]:
    with reading(engine) as session:
        query = select(AuditEntry.action).where(col(AuditEntry.action).startswith("metrics."))
        return list(session.exec(query.order_by(col(AuditEntry.id))))


def reasons(engine: Engine, *rows: dict[str, str]) -> list[str]:
    """Why a file is refused; that nothing changed is told last, and true."""
    before = [one.model_dump() for one in stored(engine)]
    with pytest.raises(Invalid) as refused:
        bring_in(engine, *rows)
    *told, last = [problem.message for problem in refused.value.problems]
    assert last == "Nothing was changed."
    assert [one.model_dump() for one in stored(engine)] == before
    return told


# --- What we ship ---------------------------------------------------------------------------------------------


def test_what_we_ship_is_sound_and_names_everything_that_the_networks_are_asked_for():
    cataloguing.require_sound(cataloguing.shipped())

    asked = {(str(one.network), one.name) for one in cataloguing.shipped() if one.subject is Subject.POST}
    facebook = {name for network, name in asked if network == "facebook"}
    assert facebook - {"link_arrivals"} <= set(graph_figures.POST_METRICS)
    assert {name for network, name in asked if network == "x"} == {
        "impression_count", "like_count", "repost_count", "reply_count", "quote_count", "bookmark_count",
        "url_link_clicks", "link_arrivals",
    }  # fmt: skip
    assert {name for network, name in asked if network == "portal"} == {"portal_views", "portal_clicks"}
    assert all(one.definition and one.definition_en for one in cataloguing.shipped())


def test_the_rows_that_we_ship_are_laid_once_and_kept_up_to_date(engine):
    shipped = len(cataloguing.shipped())
    with writing(engine) as session:
        rows = {one.name: one for one in session.exec(select(Metric))}
        rows["post_clicks"].definition = "Autre chose"
        session.delete(rows["like_count"])
        session.add(Metric(**(cataloguing.told(rows["quote_count"]) or {}) | {"name": "gone_count"}))

    assert (lay(engine), lay(engine)) == (3, 0)
    assert len(stored(engine)) == shipped
    assert stored(engine, "post_clicks")[0].definition != "Autre chose"
    assert noted(engine) == ["metrics.lay", "metrics.lay"]


def test_what_we_ship_counts_where_nothing_was_laid_yet(engine):
    with writing(engine) as session:
        for one in session.exec(select(Metric)):
            session.delete(one)

    with reading(engine) as session:
        catalogue = cataloguing.catalogue(session)

    assert len(catalogue.metrics) == len(cataloguing.shipped())
    assert catalogue.version == str(cataloguing.SHIPPED_VERSION)


def test_rows_of_the_operator_are_left_alone_when_ours_are_laid(engine):
    bring_in(engine, {"name": "post_clicks", "unit": "clicks", "valid_from": "2010-01-01", "definition": "À nous"})

    assert lay(engine) == 0
    assert [(one.definition, one.origin) for one in stored(engine, "post_clicks")] == [("À nous", Origin.LOCAL)]


def test_what_we_ship_is_not_laid_over_rows_that_contradict_it(engine):
    """As when a later Relais ships, a little differently, what somebody had brought in before."""
    with writing(engine) as session:
        [clicks] = session.exec(select(Metric).where(Metric.name == "post_clicks")).all()
        clicks.valid_from, clicks.origin = date(2020, 1, 1), Origin.LOCAL

    with pytest.raises(Invalid) as refused:
        lay(engine)
    right = bring_in(engine, {"name": "post_clicks", "unit": "clicks", "valid_from": "2010-01-01",
                              "valid_until": "2020-01-01"})  # fmt: skip

    assert "“post_clicks”" in refused.value.problems[0].message
    assert (right.added, right.changed) == (0, 1)
    assert [(one.valid_from.year, one.valid_until) for one in stored(engine, "post_clicks")] == [
        (2010, date(2020, 1, 1)),
        (2020, None),
    ]


# --- What an operator brings in -------------------------------------------------------------------------------

RETIRED = {"name": "post_media_view", "valid_from": "2010-01-01", "valid_until": "2026-06-01"}
TAKES_OVER = {"replaces": "post_media_view"}


def test_a_metric_that_is_retired_is_a_change_of_data(engine):
    before = cataloguing.SHIPPED_VERSION
    first = bring_in(engine, RETIRED, TAKES_OVER)
    again = bring_in(engine, RETIRED, TAKES_OVER)

    with reading(engine) as session:
        catalogue = cataloguing.catalogue(session)
    asked = {
        day: {one.name for one in catalogue.asked(AccountNetwork.FACEBOOK, Subject.POST, day) if one.unit is Unit.VIEWS}
        for day in (date(2026, 5, 31), date(2026, 6, 1))
    }
    assert (first, again) == (Changes(1, 1, 0, counted=True), Changes(0, 0, 2, counted=False))
    assert asked == {date(2026, 5, 31): {"post_media_view"}, date(2026, 6, 1): {"post_new"}}
    assert [(one.day, one.before, one.after) for one in catalogue.breaks(date(2026, 5, 1), date(2026, 6, 30))] == [
        (date(2026, 6, 1), "post_media_view", "post_new")
    ]
    assert catalogue.version.startswith(f"{before}-")
    assert noted(engine) == ["metrics.lay", "metrics.import"]


def test_a_row_that_says_what_we_ship_is_shipped_again(engine):
    ours = next(one for one in cataloguing.shipped() if one.name == "post_media_view")
    bring_in(engine, RETIRED)
    there = dict.fromkeys(COLUMNS, "") | {
        name: {True: "yes", False: "no", None: ""}.get(value, str(value))
        for name, value in (cataloguing.told(ours) or {}).items()
    }

    done = bring_in(engine, there)

    assert (done.changed, stored(engine, "post_media_view")[0].origin) == (1, Origin.SHIPPED)
    with reading(engine) as session:
        assert cataloguing.catalogue(session).version == str(cataloguing.SHIPPED_VERSION)


def test_other_words_for_the_same_figure_change_nothing_that_reports_count(engine):
    done = bring_in(engine, {"name": "post_media_view", "valid_from": "2010-01-01", "definition": "Vues"})

    assert done == Changes(0, 1, 0, counted=False)


def test_a_file_brings_in_rows_where_nothing_was_laid_yet(engine):
    with writing(engine) as session:
        for one in session.exec(select(Metric)):
            session.delete(one)

    done = bring_in(engine, {"counted": "no"})

    assert (done.added, done.counted) == (1, False)
    assert len(stored(engine)) == len(cataloguing.shipped()) + 1


def test_commas_are_taken_too_and_a_definition_may_hold_them(engine):
    with writing(engine) as session:
        done = cataloguing.bring_in(session, lines({"definition": "Vues, en tout"}, separator=","), at=FOUNDED)

    assert (done.added, stored(engine, "post_new")[0].definition) == (1, "Vues, en tout")


# --- Contradictions -------------------------------------------------------------------------------------------

CONTRADICTIONS: list[tuple[str, list[dict[str, str]], list[str]]] = [
    (
        "two of one name at once",
        [{"valid_from": "2020-01-01"}, {"valid_from": "2026-01-01"}],
        ["Line 3: it is valid at the same time as “post_new” of line 2, from 2020-01-01."],
    ),
    (
        "the same row twice",
        [{}, {}],
        ["Line 3: it is valid at the same time as “post_new” of line 2, from 2026-06-01."],
    ),
    (
        "beside what we ship",
        [{"name": "post_media_view"}],
        ["Line 2: it is valid at the same time as “post_media_view”, from 2010-01-01."],
    ),
    (
        "an end before the beginning",
        [{"valid_until": "2026-05-31"}],
        ["Line 2: it ends (2026-05-31) before it begins (2026-06-01)."],
    ),
    (
        "an end on the first day",
        [{"valid_until": "2026-06-01"}],
        ["Line 2: it ends (2026-06-01) before it begins (2026-06-01)."],
    ),
    (
        "people that are added up",
        [{"unit": "people", "counted": "no"}],
        ["Line 2: people are never added up: additive must be no."],
    ),
    (
        "views that are not added up, and counted",
        [{"additive": "no"}],
        ["Line 2: reports add views up: what may not be added up is not counted."],
    ),
    (
        "a counted figure of a page",
        [{"subject": "page", "period": "day"}],
        ["Line 2: reports count figures of posts, not of pages: counted must be no."],
    ),
    (
        "arrivals that a network tells",
        [{"unit": "arrivals"}],
        ["Line 2: “arrivals” is what Relais counts itself, as link_arrivals and nothing else."],
    ),
    (
        "arrivals that are something else",
        [{"name": "link_arrivals", "valid_from": "2010-01-01"}],
        ["Line 2: “arrivals” is what Relais counts itself, as link_arrivals and nothing else."],
    ),
    ("replaces itself", [{"replaces": "post_new"}], ["Line 2: it replaces itself."]),
    (
        "replaces what nobody knows",
        [{"replaces": "post_old"}],
        ["Line 2: it replaces “post_old”, which facebook has not."],
    ),
    (
        "replaces what another network has",
        [{"replaces": "like_count"}],
        ["Line 2: it replaces “like_count”, which facebook has not."],
    ),
    (
        "a circle",
        [
            {"name": "a", "replaces": "c", "valid_until": "2026-06-02"},
            {"name": "b", "replaces": "a", "valid_from": "2026-06-02", "valid_until": "2026-06-03"},
            {"name": "c", "replaces": "b", "valid_from": "2026-06-03"},
        ],
        [f"Line {line}: it replaces itself in a circle." for line in (2, 3, 4)],
    ),
    (
        "replaces what is not at its end",
        [{"replaces": "post_media_view"}],
        [
            "Line 2: one of it and “post_media_view” replaces the other: the older one must end when the newer one "
            "begins."
        ],
    ),
    (
        "takes over from another kind",
        [{"unit": "clicks", "replaces": "post_media_view", "counted": "no"}, RETIRED],
        [
            "Line 3: it and “post_new” of line 2 count different things (views, clicks): neither takes over from the "
            "other."
        ],
    ),
    (
        "two kinds of people of posts at once",
        [{"unit": "people", "additive": "no"}],
        [
            "Line 2: it and “post_total_media_view_unique” both count people of posts at the same time: people are "
            "never joined."
        ],
    ),
    (
        "several at once, in order of their lines",
        [{"valid_until": "2026-06-01"}, {"name": "other", "replaces": "other", "unit": "people", "counted": "no"}],
        [
            "Line 2: it ends (2026-06-01) before it begins (2026-06-01).",
            "Line 3: people are never added up: additive must be no; it replaces itself.",
        ],
    ),
]


@pytest.mark.parametrize(
    ("rows", "told"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)
def test_what_contradicts_itself_is_refused_with_every_reason_and_its_line(engine, rows, told):
    assert reasons(engine, *rows) == told


@pytest.mark.parametrize(
    "row",
    [
        {"network": "x", "subject": "page", "name": "post_media_view", "counted": "no"},
        {"unit": "people", "additive": "no", "counted": "no"},
        {"unit": "people", "additive": "no", "network": "x"},
        {"name": "page_media_view", "subject": "page", "period": "week", "counted": "no", "valid_from": "2010-01-01"},
    ],
    ids=["another thing of that name", "people that no report counts", "people of a network without", "another span"],
)
def test_what_only_looks_like_a_contradiction_is_taken(engine, row):
    assert bring_in(engine, row).added == 1


def test_rows_without_a_file_are_told_by_their_names():
    wrong = Metric(network=AccountNetwork.X, subject=Subject.POST, name="new", unit=Unit.PEOPLE, additive=True,
                   counted=False, valid_from=date(2026, 1, 1), definition="d", definition_en="d")  # fmt: skip

    with pytest.raises(Invalid) as refused:
        cataloguing.require_sound([wrong])

    assert refused.value.problems[0].message == (
        "x, new from 2026-01-01: people are never added up: additive must be no."
    )


NAMES = st.sampled_from("abc")


@given(
    st.lists(
        st.builds(
            lambda name, begin, length, replaces: Metric(
                network=AccountNetwork.FACEBOOK, subject=Subject.POST, name=name, unit=Unit.VIEWS, additive=True,
                counted=True, valid_from=date(2026, 1, begin), valid_until=date(2026, 1, begin + length),
                replaces=replaces, definition="d", definition_en="d",
            ),
            NAMES, st.integers(1, 20), st.integers(1, 10), st.one_of(st.none(), NAMES),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_in_a_sound_catalogue_a_name_means_one_thing_a_day_and_no_two_of_a_row_are_told_together(metrics):
    try:
        cataloguing.require_sound(metrics)
    except Invalid:
        return

    for day in (date(2026, 1, number) for number in range(1, 31)):
        valid = [one for one in metrics if one.is_valid(day)]
        assert len({one.name for one in valid}) == len(valid)
        assert not {one.name for one in valid} & {one.replaces for one in valid}


# --- Files that cannot be read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"network": "myspace"}, "network is “myspace”: write one of facebook, x, portal"),
        ({"subject": "story"}, "subject is “story”: write one of post, page"),
        ({"unit": "fans"}, "unit is “fans”: write one of people, views, impressions, clicks, reactions, arrivals"),
        ({"additive": "perhaps"}, "additive is “perhaps”: write yes or no"),
        ({"valid_from": "June"}, "valid_from is “June”: write a day such as 2026-11-30"),
        ({"valid_until": "2026-02-30"}, "valid_until is “2026-02-30”: write a day such as 2026-11-30"),
        ({"name": " "}, "there is no name"),
        ({"definition": ""}, "there is no definition"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(engine, changed, why):
    assert reasons(engine, {}, changed) == [f"Line 3: {why}."]


def test_a_line_with_too_many_cells_is_named(engine):
    file = lines({})
    file[1] = file[1].rstrip() + ";more\r\n"

    with pytest.raises(Invalid) as refused, writing(engine) as session:
        cataloguing.bring_in(session, file, at=FOUNDED)

    assert refused.value.problems[0].message == "Line 2: more cells than columns."
