"""QR codes as one path of an SVG picture, drawn by our own templates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

import segno

QUIET: Final = 4
"""Empty modules on each side, without which cameras find nothing."""


@dataclass(frozen=True)
class Picture:
    """Its side in modules, and its dark ones as the `d` of a path."""

    side: int
    path: str


def picture(text: str) -> Picture:
    """The QR code of a text, with the margin that cameras need."""
    rows = segno.make(text, error="m", micro=False).matrix
    strokes = []
    for y, row in enumerate(rows, start=QUIET):
        x = QUIET
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                strokes.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return Picture(len(rows) + 2 * QUIET, "".join(strokes))
