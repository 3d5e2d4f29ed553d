"""Open days as official files write them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import open_days
from hub.domain.open_days import OpenDay


def one(text: str, first: date, last: date | None = None, **rest) -> OpenDay:
    return OpenDay(text, first, last or first, **rest)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("le 21/03/2026", {}),
        ("le 21/03/2026 de 08h30 à 12h00", {"from_hour": "08:30", "to_hour": "12:00"}),
        ("le 21/03/2026 de 9h à 16h30", {"from_hour": "09:00", "to_hour": "16:30"}),
        ("le 21/03/2026 de 9:00 à 16:30", {"from_hour": "09:00", "to_hour": "16:30"}),
        ("le 21/03/2026 à partir de 14h", {"from_hour": "14:00"}),
        ("le 21/03/2026 (sur inscription)", {"note": "sur inscription"}),
        (
            "le 21/03/2026 de 08h30 à 12h00 (note) (autre)",
            {"from_hour": "08:30", "to_hour": "12:00", "note": "note autre"},
        ),
        ("le 21/03/2026 en virtuel", {"online": True}),
        ("le 21/03/2026 (en ligne)", {"online": True, "note": "en ligne"}),
        ("le 21/03/2026 voir URL", {"note": "voir URL"}),
        ("le 21/03/2026 voir https://exemple.fr/jpo", {"note": "voir https://exemple.fr/jpo"}),
        ("Le 21 mars 2026 de 9h00 à 16h30 (sur inscription)",
         {"from_hour": "09:00", "to_hour": "16:30", "note": "sur inscription"}),
        ("samedi 21 mars 2026", {}),
        ("le samedi 21/03/2026.", {}),
    ],
)  # fmt: skip
def test_a_day_is_told_with_its_hours_and_note(text, told):
    assert open_days.read(text) == [one(text, date(2026, 3, 21), **told)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("du 13/03/2026 au 14/03/2026", {}),
        ("du 13/03/2026 au 14/03/2026 de 09h00 à 17h00", {"from_hour": "09:00", "to_hour": "17:00"}),
        ("du vendredi 13 mars 2026 au samedi 14 mars 2026 (nuit)", {"note": "nuit"}),
    ],
)
def test_several_days_are_told_with_their_last_one(text, told):
    assert open_days.read(text) == [one(text, date(2026, 3, 13), date(2026, 3, 14), **told)]


def test_months_are_read_with_or_without_accents_and_shortened():
    days = [f"le 1er {month} 2026" for month in ("août", "aout", "Décembre", "févr.", "sept.")]

    assert [found.first and found.first.month for found in open_days.read(" | ".join(days))] == [8, 8, 12, 2, 9]


def test_parts_are_told_apart_in_their_order_each_once():
    found = open_days.read("le 31/01/2026 | du 13/03/2026  au 14/03/2026 | le 31/01/2026 |  | ")

    assert [day.text for day in found] == ["le 31/01/2026", "du 13/03/2026 au 14/03/2026"]


@pytest.mark.parametrize(
    "text",
    [
        "voir URL",
        "nous contacter",
        "le 31/02/2026",
        "le 12/13/2026",
        "le 3 brumaire 2026",
        "du 14/03/2026 au 13/03/2026",
        "le 21/03/2026 de 25h00 à 26h00",
        "le 21/03/2026 de 16h00 à 9h00",
        "le 21/03/2026 et le 28/03/2026",
        "le 21/03/2026 pour les 3es",
        "le 21 mars",
        "x" * 2000,
    ],
)
def test_what_is_not_understood_stays_as_text(text):
    (found,) = open_days.read(text)

    assert found == OpenDay(text[: open_days.LONGEST])
    assert not found.is_read


@pytest.mark.parametrize(
    "text",
    [
        "Date(s) indicative(s) de l'année précédente : le 08/02/2025",
        "Dates indicatives, précédentes : le 08/02/2025",
        "JPO de l'année dernière : le 08/02/2025",
        "",
        " | ",
    ],
)
def test_dates_of_former_years_are_left_out(text):
    assert open_days.read(text) == []


def test_a_former_date_beside_a_new_one_leaves_the_new_one():
    found = open_days.read("le 21/03/2026 | Dates précédentes : le 08/02/2025")

    assert [day.first for day in found] == [date(2026, 3, 21)]


@given(st.text(max_size=200))
def test_no_text_is_too_strange_to_be_kept(text):
    for found in open_days.read(text):
        assert found.text
        assert found.is_read == (found.last is not None)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.booleans())
def test_every_day_is_read_in_both_ways_of_writing_it(day, in_words):
    text = f"le {day.day} {open_days.MONTHS[day.month - 1]} {day.year}" if in_words else f"le {day:%d/%m/%Y}"

    assert open_days.read(text) == [one(text, day)]
