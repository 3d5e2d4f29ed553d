"""The small steps on the page of a post, for browsers without our module: rows added and moved, an audience picked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub.language import _
from hub.services.choosing import ZONE_PLACES
from hub.web.forms import Form
from hub.web.staff import draft_form

_ROW: Final = re.compile(r"(drop-timing|drop-picture|up-picture|pick):([A-Z0-9-]{1,8})")

NOT_KEPT: Final = frozenset({"step", "sheet", "post", "version", "confirm-repeats"})
"""What is about the page rather than the post."""


def taken(form: Form) -> Form:
    """The form after the step that was asked for; any other button leaves it as it is."""
    form = _at_home(form)
    asked = _ROW.fullmatch(form["step"])
    if asked is None:
        return form
    step, which = asked.groups()
    if step == "pick":
        kept = [pair for pair in form.pairs if pair[0] != "audience"]
        return replace(form, pairs=(*kept, ("audience", which)))
    if not which.isdigit():
        return form
    if step == "up-picture":
        return _swapped(form, int(which))
    thing = step.removeprefix("drop-")
    prefix = f"{thing}-{int(which)}-"
    return replace(form, pairs=tuple(pair for pair in form.pairs if not pair[0].startswith(prefix)))


def _swapped(form: Form, row: int) -> Form:
    """The form with a picture one place further to the front."""
    rows = draft_form.pictures(form)
    if row not in rows[1:]:
        return form
    other = rows[rows.index(row) - 1]
    names = {f"picture-{one}-{part}": f"picture-{two}-{part}" for one, two in ((row, other), (other, row))
             for part in ("id", "alt")}  # fmt: skip
    return replace(form, pairs=tuple((names.get(name, name), value) for name, value in form.pairs))


def _at_home(form: Form) -> Form:
    """An event in a commune that was just chosen goes by the clock there (the choice says which)."""
    chosen, _comma, zone = form["commune"].partition("@")
    if not zone:
        return form
    changed = {"commune": chosen, "commune-query": ""} | ({"event-zone": zone} if zone in ZONE_PLACES else {})
    kept = [pair for pair in form.pairs if pair[0] not in changed]
    return replace(form, pairs=(*kept, *changed.items()))


def kept(form: Form) -> list[tuple[str, str]]:
    """What a sheet keeps of a form."""
    return [pair for pair in form.keepable() if pair[0] not in NOT_KEPT]


def title(fields: Sequence[Sequence[str]]) -> str:
    """The beginning of the text of an unfinished form, by which its author knows it."""
    text = next((value for name, value in fields if name == "text"), "").strip()
    first = text.splitlines()[0] if text else ""
    return (first[:80] + "…" if len(first) > 80 else first) or _("without text yet")
