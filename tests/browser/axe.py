"""What axe says of a page: the rules of WCAG 2.1 A and AA, and of the French RGAA."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from playwright.sync_api import Page

TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "RGAAv4")

RUN: Final = """async tags => {
    const found = await axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]});
    const told = (rule, node) => [rule.id, node.target.join(" "), node.html.slice(0, 160), node.failureSummary];
    return found.violations.flatMap(rule => rule.nodes.map(node => told(rule, node).join(": ").replace(/\\s+/g, " ")));
}"""


@cache
def _script() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What is against the rules: rule, place, what to do; the page's context must bypass our policy on scripts."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(_script())
    found: list[str] = page.evaluate(RUN, list(TAGS))
    return found
