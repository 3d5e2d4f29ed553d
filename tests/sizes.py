"""How big a proof is: short in CI, long where `make prove` asks for it (RELAIS_PROVE=1)."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

PROVING: Final = os.environ.get("RELAIS_PROVE", "") not in {"", "0"}
"""Read when tests are collected: while they run, no setting of the machine reaches them."""


def size(*, ci: T, long: T) -> T:
    """The long size while proving, else the one for CI."""
    return long if PROVING else ci
