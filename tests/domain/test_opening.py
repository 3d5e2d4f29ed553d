"""Opening hours as people type them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import opening
from hub.domain.errors import Invalid
from hub.language import speaking


def hours(first: int, last: int, *spans: tuple[str, str], note: str = "") -> dict[str, Any]:
    return {"days": [first, last], "spans": [list(span) for span in spans], "note": note}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lundi-vendredi 9:00-12:00 14:00-17:30", hours(1, 5, ("09:00", "12:00"), ("14:00", "17:30"))),
        ("Lundi au vendredi : 9h-12h, 14h-17h30", hours(1, 5, ("09:00", "12:00"), ("14:00", "17:30"))),
        ("du lundi au jeudi de 9 h 00 à 12 h 30", hours(1, 4, ("09:00", "12:30"))),
        ("mercredi 13h30-17h", hours(3, 3, ("13:30", "17:00"))),
        ("Lun. – Ven. 08:30-18:00", hours(1, 5, ("08:30", "18:00"))),
        ("Monday to Friday 9:00-17:00", hours(1, 5, ("09:00", "17:00"))),
        ("samedi (sur rendez-vous)", hours(6, 6, note="sur rendez-vous")),
        ("(voir le site (en bas))", {"days": [], "spans": [], "note": "voir le site (en bas)"}),
        ("dimanche 10h-24h (l’été)", hours(7, 7, ("10:00", "24:00"), note="l’été")),
    ],
)
def test_hours_are_read_as_people_write_them(line: str, told: dict[str, Any]):
    assert opening.read(line) == [told]


@pytest.mark.parametrize(
    "line",
    [
        "9h-12h", "lundi", "lundi mardi 9h-12h", "lundi et jeudi et samedi 9h-12h", "vendredi-lundi 9h-12h",
        "lundi 12h-9h", "lundi 9h", "lundi 9h-25h", "lundi 9h61-10h", "fériés 9h-12h", "lundi 9h-12h sauf août",
        "lundi 9h-12h (un (deux", "<script>",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_told_with_its_line_and_an_example(line: str):
    with pytest.raises(Invalid) as refused:
        opening.read(f"lundi 9h-12h\n\n{line}")

    assert refused.value.problems[0].field == "hours"
    assert str(refused.value).startswith(f"Line 3, “{line}”: write it like “Monday-Friday 9:00-12:00")


def test_too_many_lines_and_too_long_a_note_are_refused():
    with pytest.raises(Invalid, match="at most 20 lines"):
        opening.read("lundi 9h-12h\n" * 21)
    with pytest.raises(Invalid, match="Line 1: write at most 500 characters"):
        opening.read(f"lundi ({'x' * 501})")


def test_hours_are_shown_with_the_days_of_the_readers_language():
    kept = [hours(1, 5, ("09:00", "12:00")), hours(6, 6, note="sur rendez-vous")]

    assert opening.told(kept) == "monday-friday 09:00-12:00\nsaturday (sur rendez-vous)"
    assert opening.told([]) == ""
    assert opening.told([{"days": [], "spans": [], "note": "voir le site"}]) == "(voir le site)"


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


CLOCKS = st.lists(st.integers(0, 24 * 60), min_size=2, max_size=6, unique=True).map(sorted)
ROWS = st.builds(
    lambda first, more, minutes, note: hours(
        first,
        min(first + more, 7),
        *[(clock(minutes[place]), clock(minutes[place + 1])) for place in range(0, len(minutes) // 2 * 2, 2)],
        note=note,
    ),
    st.integers(1, 7),
    st.integers(0, 6),
    CLOCKS,
    st.sampled_from(["", "sur rendez-vous", "sauf août"]),
)


@given(st.lists(ROWS, max_size=7), st.sampled_from(["fr", "en"]))
def test_what_is_shown_is_read_as_the_same(rows, language):
    with speaking(language):
        assert opening.read(opening.told(rows)) == rows
