"""Charts drawn on the server: from numbers to small themed SVG that needs no script, no style of its own and no colour to be read."""  # noqa: E501

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10
from typing import Final

from markupsafe import Markup

from hub.web.pages import number

HEIGHT: Final = 11.5
"""How high a chart is, in letters, so that it grows with the text of the reader; its width is that of its place."""

TOP: Final = 2.6
FLOOR: Final = 9.6
"""Where the highest value and nought are, from above."""

FEW: Final = 5
"""Up to so many values each one has its number written at it."""

LABELS: Final = 5
"""Most labels below a chart: more would not fit on a phone."""

SHADES: Final = 5
"""How many shades tell numbers apart on maps and grids; the lightest is 1."""


@dataclass(frozen=True)
class Mark:
    """One number of a chart, and how it is said in words, which are those of the table beside it.

    `value` None: it was not told, which is never drawn as nought. Where there is nothing to tell, there is no mark.
    """

    label: str
    """What it is a number of; said where somebody points at it."""
    value: float | None
    told: str
    at_least: bool = False

    @property
    def short(self) -> str:
        """The number as there is room for it on a chart: « ≥ » for at least."""
        said = number(self.value)
        return f"≥\u202f{said}" if self.at_least else said


Series = Sequence[Mark | None]


# --- Charts ----------------------------------------------------------------------------------------------------


def columns(
    name: str,
    labels: Sequence[str],
    now: Series,
    before: Series = (),
    *,
    title: str,
    description: str,
    breaks: Mapping[int, str] | None = None,
) -> Markup:
    """One column for each mark, above its label; the thin, striped ones beside them are those of `before`.

    `breaks`: before which column another measure begins, and what is said of it. `name` is one of the page's own.
    """
    top = ceiling([*now, *before])
    step = 100 / max(len(labels), 1)
    left, width = (0.36, 0.54) if before else (0.14, 0.72)
    drawn = [
        *_column_each(before, top, step, left=0.1, width=0.2, look="before"),
        *_column_each(now, top, step, left=left, width=width, look="now"),
        *(_break(place * step, words) for place, words in (breaks or {}).items()),
        *_numbers(now, top, step, middle=left + width / 2),
    ]
    return _chart(name, drawn, title=title, description=description, top=top, labels=_labels(labels))


def curve(
    name: str,
    labels: Sequence[str],
    now: Series,
    before: Series = (),
    *,
    title: str,
    description: str,
    breaks: Mapping[int, str] | None = None,
) -> Markup:
    """A line through the marks, broken where one is missing; that of `before` is thin, dashed and has hollow dots."""
    top = ceiling([*now, *before])
    step = 100 / max(len(labels), 1)
    drawn = [
        *_line(before, top, step, look="before"),
        *_line(now, top, step, look="now"),
        *(_break(place * step, words) for place, words in (breaks or {}).items()),
        *_numbers(now, top, step, middle=0.5),
    ]
    return _chart(name, drawn, title=title, description=description, top=top, labels=_labels(labels))


def bar(mark: Mark | None, most: float) -> Markup:
    """The bar of one cell of a table; it says nothing that the number in its row does not say."""
    return Markup('<svg class="beam" width="100%" height="1em" aria-hidden="true" focusable="false">{}</svg>').format(
        _bar(mark, most)
    )


def _bar(mark: Mark | None, most: float) -> Markup:
    if mark is None:
        return Markup()
    if mark.value is None:
        return _rect("missing", 0, 100, 0.1, 0.8, pattern="not-told")
    wide = 96 * mark.value / most if most > 0 else 0
    drawn = _rect("now", 0, max(wide, 0.5), 0.1, 0.8)
    return drawn + _rect("more", max(wide, 0.5), 4, 0.1, 0.8, pattern="and-more") if mark.at_least else drawn


def patterns() -> Markup:
    """What hatches are made of: once on each page that has a chart."""
    return Markup(
        '<svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
        '<pattern id="not-told" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">'
        '<rect class="ground" width="6" height="6"/><rect class="mark" width="1.5" height="6"/></pattern>'
        '<pattern id="before" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<rect class="ground" width="4" height="4"/><rect class="mark" width="4" height="2"/></pattern>'
        '<pattern id="and-more" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<rect class="mark" width="2" height="2"/><rect class="mark" x="2" y="2" width="2" height="2"/></pattern>'
        "</defs></svg>"
    )


def swatch(look: str) -> Markup:
    """A sample for the key of a chart: `now`, `before`, `missing` or `more`."""
    pattern = {"before": "before", "missing": "not-told", "more": "and-more"}.get(look, "")
    return Markup(
        '<svg class="swatch chart" width="28" height="18" aria-hidden="true" focusable="false">{}</svg>'
    ).format(
        Markup('<rect class="{}" width="28" height="18"{}/>').format(look, _filled(pattern)),
    )


# --- Shades ----------------------------------------------------------------------------------------------------


def steps(values: Iterable[float | None]) -> list[float]:
    """Where each shade ends, so that each has about as many of the known values; fewer of them for few values."""
    known = sorted({value for value in values if value is not None})
    if not known:
        return []
    parts = min(SHADES, len(known))
    return [known[(number + 1) * len(known) // parts - 1] for number in range(parts)]


def shade(value: float | None, ends: Sequence[float]) -> int | None:
    """The shade of a value, from 1 up to `SHADES`; None for one that was not told."""
    if value is None or not ends:
        return None
    step = next((number for number, end in enumerate(ends) if value <= end), len(ends) - 1)
    return SHADES if len(ends) == 1 else 1 + round(step * (SHADES - 1) / (len(ends) - 1))


# --- Pieces ----------------------------------------------------------------------------------------------------


def ceiling(marks: Iterable[Mark | None]) -> float:
    """The round number at the top of a chart: the next one from the highest value up."""
    highest = max((mark.value for mark in marks if mark and mark.value is not None), default=0)
    if highest <= 0:
        return 1
    size = 10.0 ** floor(log10(highest))
    rounded = next(size * step for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * step >= highest * 0.999999)
    return max(rounded, 1.0)


def _chart(
    name: str, drawn: Iterable[Markup], *, title: str, description: str, top: float, labels: Iterable[Markup]
) -> Markup:
    return Markup(
        '<svg class="chart" width="100%" height="{height}em" role="img" aria-labelledby="{name}-title"'
        ' aria-describedby="{name}-desc"><title id="{name}-title">{title}</title><desc id="{name}-desc">{desc}</desc>'
        '<line class="scale" x1="0" x2="100%" y1="{top}em" y2="{top}em"/>'
        '<line class="scale" x1="0" x2="100%" y1="{half}em" y2="{half}em"/>'
        '<text class="quiet" x="0" y="{above}em">{most}</text>{drawn}'
        '<line class="ground" x1="0" x2="100%" y1="{floor}em" y2="{floor}em"/>{labels}</svg>'
    ).format(
        name=name,
        title=title,
        desc=description,
        height=_size(HEIGHT),
        top=_size(TOP),
        half=_size((TOP + FLOOR) / 2),
        above=_size(TOP - 0.4),
        floor=_size(FLOOR),
        most=number(int(top) if top == int(top) else top),
        drawn=Markup().join(drawn),
        labels=Markup().join(labels),
    )


def _column_each(marks: Series, top: float, step: float, *, left: float, width: float, look: str) -> Iterator[Markup]:
    for place, mark in enumerate(marks):
        if mark is None:
            continue
        begin, wide = (place + left) * step, width * step
        drawn = Markup().join(_column(mark, top, begin, wide, look))
        yield Markup("<g><title>{}</title>{}</g>").format(f"{mark.label} · {mark.told}", drawn)


def _column(mark: Mark, top: float, begin: float, wide: float, look: str) -> Iterator[Markup]:
    if mark.value is None:
        yield _rect("missing", begin, wide, TOP, FLOOR - TOP, pattern="not-told")
        return
    high = max((FLOOR - TOP) * mark.value / top, 0.12)
    yield _rect(look, begin, wide, FLOOR - high, high, pattern="before" if look == "before" else "")
    if mark.at_least:
        yield _rect("more", begin, wide, FLOOR - high - 0.4, 0.4, pattern="and-more")


def _line(marks: Series, top: float, step: float, *, look: str) -> Iterator[Markup]:
    told = [(place, mark) for place, mark in enumerate(marks) if mark is not None]
    for (place, mark), (next_place, following) in pairwise(told):
        if next_place == place + 1 and mark.value is not None and following.value is not None:
            yield Markup('<line class="{}" x1="{}%" y1="{}em" x2="{}%" y2="{}em"/>').format(
                look,
                _size((place + 0.5) * step),
                _size(_height(mark.value, top)),
                _size((next_place + 0.5) * step),
                _size(_height(following.value, top)),
            )
    for place, mark in told:
        yield Markup("<g><title>{}</title>{}</g>").format(
            f"{mark.label} · {mark.told}", _dot(mark, top, place, step, look)
        )


def _dot(mark: Mark, top: float, place: int, step: float, look: str) -> Markup:
    if mark.value is None:
        return _rect("missing", (place + 0.3) * step, 0.4 * step, TOP, FLOOR - TOP, pattern="not-told")
    middle, high = (place + 0.5) * step, _height(mark.value, top)
    dot = Markup('<circle class="{}" cx="{}%" cy="{}em" r=".3em"/>').format(look, _size(middle), _size(high))
    if not mark.at_least:
        return dot
    return dot + Markup('<line class="up" x1="{x}%" x2="{x}%" y1="{}em" y2="{}em"/>').format(
        _size(high - 0.4), _size(high - 0.9), x=_size(middle)
    )


def _numbers(marks: Series, top: float, step: float, *, middle: float) -> Iterator[Markup]:
    """The numbers of few marks at each, else that of the highest one."""
    told = [(place, mark) for place, mark in enumerate(marks) if mark is not None and mark.value is not None]
    if len(marks) > FEW:
        told = sorted(told, key=lambda one: -(one[1].value or 0))[:1]
    for place, mark in told:
        high = _height(mark.value or 0, top)
        yield _text((place + middle) * step, high - (0.75 if mark.at_least else 0.4), mark.short, look="told")


def _labels(labels: Sequence[str]) -> Iterator[Markup]:
    """What is below: evenly chosen labels, as many as a phone has room for."""
    every = -(-len(labels) // LABELS) or 1
    for place, label in enumerate(labels):
        if place % every == 0:
            yield _text((place + 0.5) * 100 / len(labels), FLOOR + 1.4, label, look="quiet")


def _text(across: float, down: float, words: str, *, look: str) -> Markup:
    side = "start" if across < 9 else "end" if across > 91 else "middle"
    across = 0 if side == "start" else 100 if side == "end" else across
    return Markup('<text class="{}" x="{}%" y="{}em" text-anchor="{}">{}</text>').format(
        look, _size(across), _size(down), side, words
    )


def _break(across: float, words: str) -> Markup:
    """Where another measure begins."""
    return Markup(
        '<g><title>{words}</title><line class="break" x1="{x}%" x2="{x}%" y1="{top}em" y2="{floor}em"/>'
        '<text class="told" x="{x}%" y="{above}em" text-anchor="middle">≠</text></g>'
    ).format(words=words, x=_size(across), top=_size(TOP - 1), floor=_size(FLOOR), above=_size(TOP - 1.2))


def _rect(look: str, across: float, wide: float, down: float, high: float, *, pattern: str = "") -> Markup:
    return Markup('<rect class="{}" x="{}%" width="{}%" y="{}em" height="{}em"{}/>').format(
        look, _size(across), _size(wide), _size(down), _size(high), _filled(pattern)
    )


def _filled(pattern: str) -> Markup:
    return Markup(' fill="url(#{})"').format(pattern) if pattern else Markup()


def _height(value: float, top: float) -> float:
    return FLOOR - (FLOOR - TOP) * value / top


def _size(value: float) -> str:
    """A length in as few characters as can be."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
