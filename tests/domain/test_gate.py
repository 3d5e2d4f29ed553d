"""Gates: short stable names for sets of territories, and how exact network keys are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.gate import OPEN, Gate, Precision, gate_key


def test_few_territories_are_named_in_order():
    assert gate_key(["D-35", "A-04"]) == "A-04+D-35"


def test_no_territory_is_no_limit():
    assert gate_key([]) == OPEN


def test_many_territories_are_counted_and_digested():
    codes = [f"C-{number:05}" for number in range(35001, 35041)]

    assert gate_key(codes).startswith("40x")
    assert len(gate_key(codes)) == 19
    assert gate_key(reversed(codes)) == gate_key(codes)
    assert gate_key([*codes[:-1], "C-99999"]) != gate_key(codes)


@given(st.sets(st.from_regex(r"D-[0-9]{2}", fullmatch=True), min_size=1, max_size=40))
def test_a_name_never_outgrows_its_column_and_never_reads_as_open(codes):
    told = gate_key(codes)

    assert len(told) <= 60
    assert told != OPEN


@pytest.mark.parametrize(
    ("zone", "reached", "both", "covered", "spilled"),
    [
        (1000, 1000, 1000, 100.0, 0.0),
        (1000, 500, 500, 50.0, 0.0),
        (1000, 2000, 1000, 100.0, 50.0),
        (3, 3, 1, 33.3, 66.7),
        (0, 10, 0, 0.0, 100.0),
        (10, 0, 0, 0.0, 0.0),
    ],
)
def test_precision_tells_whom_keys_miss_and_whom_they_reach_beyond(zone, reached, both, covered, spilled):
    assert Precision.of(zone=zone, reached=reached, both=both) == Precision(covered, spilled)


def test_a_gate_is_frozen_as_plain_data():
    gate = Gate(("D-22", "D-35"), {"region": ("4001", "4002")}, Precision(99.5, 0.5))

    assert gate.key == "D-22+D-35"
    assert gate.stored() == {
        "territories": ["D-22", "D-35"],
        "keys": {"region": ["4001", "4002"]},
        "precision": {"covered": 99.5, "spilled": 0.5},
    }
    assert Gate(("D-22",)).stored() == {"territories": ["D-22"], "keys": {}, "precision": None}
