"""Charts: their numbers are those that they were given, what is missing is no nought, and nothing is inline."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from hub.web import charts
from hub.web.charts import FLOOR, TOP, Mark

WEEKS = ["2 nov.", "9 nov.", "16 nov.", "23 nov."]


def mark(value: float | None, told: str = "", *, at_least: bool = False) -> Mark:
    return Mark("a week", value, told or str(value), at_least=at_least)


def drawn(svg: str) -> ElementTree.Element:
    """The chart, read as a browser would."""
    return ElementTree.fromstring(svg)


def rects(svg: str, look: str) -> list[dict[str, float]]:
    """Where the rectangles of one look are: in parts of a hundred across, in letters down."""
    return [
        {side: float(one.attrib[side].rstrip("%em")) for side in ("x", "width", "y", "height")}
        for one in drawn(svg).iter("rect")
        if one.attrib["class"] == look
    ]


def values(svg: str, look: str = "now") -> list[float]:
    """What the columns say when they are measured, as parts of the whole height."""
    return [round(one["height"] / (FLOOR - TOP), 2) for one in rects(svg, look)]


def titles(svg: str) -> list[str]:
    return [one.text or "" for one in drawn(svg).iter("title")]


def columns(*now: Mark | None, before: tuple[Mark | None, ...] = (), **rest: object) -> str:
    words: dict[str, object] = {"title": "Views by week", "description": "Highest in November"}
    return str(charts.columns("trend", WEEKS[: len(now)], now, before, **(words | rest)))  # type: ignore[arg-type]


def curve(*now: Mark | None, before: tuple[Mark | None, ...] = ()) -> str:
    return str(charts.curve("growth", WEEKS[: len(now)], now, before, title="Growth", description="Over a month"))


# --- Columns ------------------------------------------------------------------------------------------------


def test_a_column_is_as_high_as_its_number_and_says_it():
    svg = columns(mark(1000, "1 000"), mark(500, "at least 500", at_least=True), mark(0))

    assert values(svg)[:2] == [1.0, 0.5]
    assert titles(svg) == ["Views by week", "a week · 1 000", "a week · at least 500", "a week · 0"]


def test_what_was_not_told_is_hatched_what_is_not_there_is_a_gap_and_neither_is_nought():
    svg = columns(mark(10), mark(None, "—"), None, mark(0))

    [hatched] = rects(svg, "missing")
    assert (hatched["y"], hatched["height"]) == (TOP, FLOOR - TOP)
    assert [one["x"] // 25 for one in rects(svg, "now")] == [0, 3]
    assert hatched["x"] // 25 == 1


def test_nought_is_a_line_on_the_floor():
    [low] = rects(columns(mark(0)), "now")

    assert 0 < low["height"] < 0.2
    assert low["y"] + low["height"] == pytest.approx(FLOOR)


def test_a_lower_bound_has_an_open_top():
    svg = columns(mark(10, at_least=True), mark(20))

    [more], [first, _second] = rects(svg, "more"), rects(svg, "now")
    assert more["x"] == first["x"]
    assert more["y"] + more["height"] == pytest.approx(first["y"])


def test_the_period_before_is_thinner_and_striped():
    svg = columns(mark(10), before=(mark(20),))

    [now], [before] = rects(svg, "now"), rects(svg, "before")
    assert before["width"] < now["width"] / 2
    assert before["x"] + before["width"] <= now["x"]
    assert svg.count('fill="url(#before)"') == 1


def test_few_columns_have_their_numbers_and_of_many_the_highest_has():
    few = [
        one.text
        for one in drawn(columns(mark(1), mark(3, at_least=True), mark(2))).iter("text")
        if one.get("class") == "told"
    ]
    many = charts.columns("t", list("abcdef"), [mark(n) for n in (1, 5, 2, 3, 4, 0)], title="T", description="D")

    assert few == ["1", "≥\u202f3", "2"]
    assert [one.text for one in drawn(many).iter("text") if one.get("class") == "told"] == ["5"]


def test_labels_are_no_more_than_a_phone_has_room_for_and_stay_inside():
    days = [str(number) for number in range(28)]
    svg = charts.columns("t", days, [mark(1)] * 28, title="T", description="D")

    below = [one for one in drawn(svg).iter("text") if one.get("y") == "11em"]
    assert [one.text for one in below] == ["0", "6", "12", "18", "24"]
    assert (below[0].get("x"), below[0].get("text-anchor")) == ("0%", "start")


def test_a_break_is_a_line_with_its_reason():
    svg = columns(mark(1), mark(2), breaks={1: "Facebook counts differently"})

    [line] = [one for one in drawn(svg).iter("line") if one.get("class") == "break"]
    assert line.get("x1") == "50%"
    assert "Facebook counts differently" in titles(svg)


def test_without_any_number_there_is_still_a_chart():
    assert values(columns(None, None)) == []
    assert values(str(charts.columns("t", [], [], title="T", description="D"))) == []


# --- Curves -------------------------------------------------------------------------------------------------


def test_a_curve_is_broken_where_something_is_missing():
    svg = curve(mark(10), mark(20), mark(None, "—"), mark(30))

    assert len([one for one in drawn(svg).iter("line") if one.get("class") == "now"]) == 1
    assert len(list(drawn(svg).iter("circle"))) == 3
    assert len(rects(svg, "missing")) == 1


def test_a_curve_goes_through_its_numbers():
    svg = curve(mark(10), mark(5), before=(mark(5), None))

    dots = [(one.get("class"), one.get("cx"), one.get("cy")) for one in drawn(svg).iter("circle")]
    half = f"{(TOP + FLOOR) / 2:g}em"
    assert dots == [("before", "25%", half), ("now", "25%", f"{TOP}em"), ("now", "75%", half)]


def test_a_lower_bound_of_a_curve_points_up():
    assert curve(mark(10, at_least=True), mark(20)).count('class="up"') == 1


# --- Bars, samples, shades ----------------------------------------------------------------------------------


def test_a_bar_is_as_long_as_its_number_compared_with_the_most():
    long, short = (rects(str(charts.bar(mark(value), 200)), "now")[0]["width"] for value in (200, 50))

    assert short * 4 == long == 96


@pytest.mark.parametrize(
    ("given", "looks"),
    [
        (mark(5), ["now"]),
        (mark(0), ["now"]),
        (mark(5, at_least=True), ["now", "more"]),
        (mark(None), ["missing"]),
        (None, []),
    ],
)
def test_a_bar_tells_lower_bounds_missing_and_nothing_apart(given: Mark | None, looks: list[str]):
    svg = str(charts.bar(given, 10))

    assert re.findall(r'<rect class="(\w+)"', svg) == looks
    assert 'aria-hidden="true"' in svg


def test_bars_of_nothing_but_noughts_are_drawn():
    assert rects(str(charts.bar(mark(0), 0)), "now")[0]["width"] == 0.5


@pytest.mark.parametrize("look", ["now", "before", "missing", "more"])
def test_each_look_has_a_sample_for_the_key(look: str):
    [sample] = drawn(str(charts.swatch(look))).iter("rect")

    assert sample.get("class") == look
    assert (sample.get("fill") or "url(#x)").removeprefix("url(#").rstrip(")") in {*hatches(), "x"}


def hatches() -> set[str]:
    return set(re.findall(r'<pattern id="([\w-]+)"', str(charts.patterns())))


def test_every_hatch_that_a_chart_uses_is_made():
    svg = columns(mark(1, at_least=True), mark(None), before=(mark(1),)) + str(charts.bar(mark(None), 1))

    assert set(re.findall(r"url\(#([\w-]+)\)", svg)) == hatches()


@pytest.mark.parametrize(
    ("known", "ends"),
    [
        ([], []),
        ([None], []),
        ([7, None, 7], [7]),
        ([1, 2, 3], [1, 2, 3]),
        (range(1, 11), [2, 4, 6, 8, 10]),
    ],
)
def test_shades_hold_about_as_many_values_each(known: list[float | None], ends: list[float]):
    assert charts.steps(known) == ends


def test_a_shade_grows_with_its_value_and_nothing_known_has_none():
    ends = charts.steps(range(1, 11))

    assert [charts.shade(value, ends) for value in (1, 2, 3, 6, 10, None)] == [1, 1, 2, 3, 5, None]
    assert charts.shade(7, charts.steps([7])) == 5
    assert [charts.shade(value, [1, 9]) for value in (1, 9, 10)] == [1, 5, 5]
    assert charts.shade(7, []) is None


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (1, 1), (7, 8), (12, 15), (412, 500), (1000, 1000), (1001, 1500), (98_000, 100_000)]
)
def test_the_top_of_a_chart_is_a_round_number_above_all(highest: float, top: float):
    assert charts.ceiling([mark(highest), mark(None), None]) == top


# --- How they are made --------------------------------------------------------------------------------------


def test_a_chart_has_a_name_and_a_description_and_nothing_inline():
    svg = columns(mark(1), mark(None), before=(mark(2), mark(3)), breaks={1: "Other"}) + curve(mark(1))

    assert svg.count('role="img"') == 2
    assert 'aria-labelledby="trend-title" aria-describedby="trend-desc"' in svg
    assert '<desc id="trend-desc">Highest in November</desc>' in svg
    assert [wrong for wrong in (" style=", "<style", "<script", "javascript:", "#fff", "rgb(") if wrong in svg] == []


def test_words_are_escaped():
    svg = columns(mark(1, "<b>1</b>"), title='A "title" & <more>', description="<i>", breaks={0: "<u>"})

    assert titles(svg)[0] == 'A "title" & <more>'
    assert [tag for tag in ("<b>", "<i>", "<u>", "<more>") if tag in svg] == []
