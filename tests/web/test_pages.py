"""How pages write values: days, moments and numbers as a reader expects them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from hub.language import speaking
from hub.web.pages import day, local, moment, number, query, spoken, wall


@pytest.mark.parametrize(
    ("on", "told"),
    [
        (date(2026, 11, 1), "dimanche 1er novembre 2026"),
        (date(2026, 11, 11), "mercredi 11 novembre 2026"),
        (date(2026, 11, 21), "samedi 21 novembre 2026"),
    ],
)
def test_french_counts_the_first_day_of_a_month_and_no_other(on, told):
    with speaking("fr"):
        assert day(on) == told


def test_a_moment_is_told_by_the_clocks_of_its_place():
    at = datetime(2026, 12, 1, 2, 30, tzinfo=UTC)

    with speaking("fr"):
        assert moment(at, "America/Cayenne", form="d MMM y HH:mm") == "30 nov. 2026 23:30"
        assert moment(at, "Europe/Paris", form="d MMM y HH:mm") == "1er déc. 2026 03:30"
        assert wall("2026-12-01T18:00", form="HH:mm, d MMMM") == "18:00, 1er décembre"


def test_what_nobody_said_is_a_dash_and_never_nothing():
    with speaking("en"):
        assert (number(None), number(0), number(12345), moment(None)) == ("—", "0", "12,345", "—")
        assert number(Decimal("0.6"), 2) == "0.60"


def test_names_in_a_row_end_with_and():
    with speaking("en"):
        assert [spoken(some) for some in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_a_query_holds_what_is_given_and_only_that():
    assert query(a=1, b=None, c="", d=["x", "y"], e="é&") == "?a=1&d=x&d=y&e=%C3%A9%26"


@pytest.mark.parametrize(
    "path", ["//evil", "https://evil", "/equipe/../..//x", "/equipe\\x", "/equipe\n", "/autre", "/equipe" * 200]
)
def test_only_our_own_pages_are_led_to(path):
    assert local(path) == "/equipe"
