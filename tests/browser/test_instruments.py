"""What this room looks with is sharp: on a page where everything is wrong, each instrument finds what it is for."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser import axe
from tests.browser.looking import ask, skipped_levels, sticks_out_at

BAD = """<!doctype html><html><head><title>Bad</title><style>
.still { animation: turn 3s infinite } @keyframes turn { to { opacity: .5 } } .ringless:focus-visible { outline: none }
.cut { width: 5rem; overflow: hidden; white-space: nowrap }</style></head><body><nav></nav>
<h2>Second</h2><h4>Fourth</h4><p style="color: #999; background: #fff">Pale</p>
<div id="wide" style="width: 500px">Wide</div><h3 class="cut">Cut off after five letters</h3>
<p class="still">Moving</p><button type="button" style="width: 9px; height: 9px; padding: 0">?</button>
<form action="/nowhere"><label>Name <input name="name" style="height: 2rem" aria-describedby="missing"></label>
<p class="wrong" id="name-wrong">Wrong</p><a class="ringless" href="#x">Seen?</a></form>
<div id="problems"><a href="#nobody">Wrong</a></div></body></html>"""


def test_each_finds_what_it_is_for(look: Callable[..., Page]) -> None:
    page = look(bypass_csp=True)
    page.set_content(BAD)

    assert skipped_levels(ask(page, "headings")) == ["h2 → h4: Fourth"]
    assert ask(page, "landmarks") == {"main": 0, "header": 0, "footer": 0, "nameless": 1, "language": ""}
    assert ask(page, "moving") == ["p still"]
    assert ask(page, "smallTargets") == ["button ?: 9 × 9"]
    assert ask(page, "buttonsThatNeedScripts") == ["button ?"]
    assert ask(page, "formsWithoutButton") == [page.evaluate("() => document.forms[0].action")]
    assert ask(page, "untied") == [
        "no field is tied to: Wrong", "described by missing, which is not there", "leads nowhere: #nobody",
    ]  # fmt: skip
    assert sticks_out_at(page, 320) == ["508 px in 320 px", "div wide to 508", "cut off: h3 cut"]
    assert {one.split(":")[0] for one in axe.violations(page)} >= {"color-contrast", "html-has-lang"}


def test_a_focus_that_is_not_seen_is_found(look: Callable[..., Page]) -> None:
    page = look()
    page.set_content(BAD)
    ask(page, "tabStops")

    arrived = []
    for _press in range(4):
        page.keyboard.press("Tab")
        arrived.append(ask(page, "arrive"))

    assert [(one["name"], one["seen"]) for one in arrived] == [
        ("button ?", True), ("input name", True), ("a ringless", False), ("a #nobody", True),
    ]  # fmt: skip
    assert ask(page, "missed") == []
