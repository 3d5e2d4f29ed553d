"""Asks a page in the browser how it looks from inside; the questions are in looking.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

QUESTIONS: Final = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def ask(page: Page, question: str) -> Any:
    """The answer to one of the questions."""
    return page.evaluate(
        f"question => {{ const questions = {QUESTIONS.strip()};\nreturn questions[question](); }}", question
    )


def skipped_levels(headings: list[Any]) -> list[str]:
    """Headings that are more than one level below the one before."""
    levels = [level for level, _words in headings]
    return [
        f"h{before} → h{level}: {words}"
        for before, (level, words) in zip(levels, headings[1:], strict=False)
        if level > before + 1
    ]


def sticks_out_at(page: Page, width: int, *, text: str = "100%") -> list[str]:
    """What makes the page scroll sideways, or is cut off, in a window so wide with text so large."""
    page.set_viewport_size({"width": width, "height": 740})
    page.evaluate("size => document.documentElement.style.setProperty('font-size', size)", text)
    return [*ask(page, "stickingOut"), *ask(page, "cutOff")]
