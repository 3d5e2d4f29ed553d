"""What the house agreed on: deadlines, thresholds, the second factor, and quiet times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from hub.database import reading, writing
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.policy import Policies
from hub.domain.territory import Atlas, Level, search_key
from hub.language import _
from hub.services import agreeing, geotargeting, proving
from hub.web.deps import Now, TheHub
from hub.web.forms import Form, TypedForm, filled
from hub.web.pages import go, page
from hub.web.visits import Inside, Visit
from hub.wiring import Hub

router = APIRouter()

NUMBERS: Final = (
    "approval_lead_hours",
    "expiry_warning_hours",
    "silence_days",
    "token_warning_days",
    "daily_mail_hour",
)
PARTS: Final = ("name", "from_day", "to_day", "from_hour", "to_hour")
"""Parts of a quiet time that are one field each."""

MOST_WINDOWS: Final = 50
MOST_PLACES: Final = 60

_RANKS: Final = (Level.COUNTRY, Level.ACADEMIE, Level.REGION, Level.DEPARTEMENT)
"""Which of several namesakes is meant."""


@router.get("/reglages")
def show(request: Request, visit: Inside, hub: TheHub) -> Response:
    """What is agreed on now."""
    return _form_page(request, visit, hub, None)


def _form_page(request: Request, visit: Visit, hub: Hub, form: Form | None, *, status: int = 200) -> Response:
    with reading(hub.engine) as session:
        agreeing.require_agreer(visit.actor)
        land = geotargeting.atlas(session)
        shown = form or filled(_written(agreeing.policies(session), land))
        last = agreeing.last_change(session)
        lacking, concerned = proving.without_factor(session)
    return page(
        request,
        "policies/policies.html",
        status=status,
        form=shown,
        rows=_rows(shown),
        places={row: _places(shown, row) for row in _rows(shown)},
        blank=_blank(shown),
        territories=[_named(land, code) for code in _choices(land)],
        last=last,
        lacking=lacking,
        concerned=concerned,
    )


@router.post("/reglages")
def keep(request: Request, visit: Inside, hub: TheHub, now: Now, form: TypedForm) -> Response:
    """Agree on all that the form holds."""
    try:
        with writing(hub.engine) as session:
            changes = _read(form, geotargeting.atlas(session))
            agreeing.agree(session, changes, by=visit.actor, at=now)
    except Invalid as error:
        return _form_page(request, visit, hub, form.refused(error, names=_names(form)), status=422)
    return go(request, "/equipe/reglages", _("The rules are kept. They hold from now on."))


# --- From the page ----------------------------------------------------------------------------------------


def _read(form: Form, land: Atlas) -> dict[str, Any]:
    """The values typed; Invalid for territories that nobody knows."""
    problems: list[FieldProblem] = []
    windows = [_window(form, row, land, problems) for row in _kept(form)]
    if problems:
        raise Invalid(problems)
    changes: dict[str, Any] = {name: form[name] for name in NUMBERS}
    changes |= {"usual_time": form["usual_time"], "second_factor": "second_factor" in form, "quiet_windows": windows}
    return changes


def _window(form: Form, row: int, land: Atlas, problems: list[FieldProblem]) -> dict[str, Any]:
    told: dict[str, Any] = {part: form[f"window-{row}-{part}"] or None for part in PARTS}
    told["name"] = told["name"] or ""
    told["territories"] = []
    for place, typed in _places(form, row):
        code = _code(typed, land)
        if code is None:
            problems.append(
                FieldProblem(f"window-{row}-place-{place}", _("There is no territory “{name}”.", name=typed))
            )
        elif code not in told["territories"]:
            told["territories"].append(code)
    return told


def _code(typed: str, land: Atlas) -> str | None:
    """The code of a territory as it is chosen (« Rennes (A-14) ») or typed (a code, or a name)."""
    chosen = re.search(r"\(([A-Za-z0-9-]{2,8})\)$", typed)
    code = (chosen[1] if chosen else typed).upper()
    if code in land:
        return code
    key = search_key(typed)
    named = [one for one in _choices(land) if search_key(land.name(one)) == key]
    return min(named, key=lambda one: _RANKS.index(land.nodes[one].level), default=None)


def _rows(form: Form) -> list[int]:
    """The numbers of the quiet times in the form, whether filled in or not."""
    found = {int(row[1]) for name, _value in form.pairs if (row := re.match(r"window-(\d{1,3})-", name))}
    return [row for row in sorted(found) if _is_filled(form, row)][:MOST_WINDOWS]


def _is_filled(form: Form, row: int) -> bool:
    return any(form[f"window-{row}-{part}"] for part in PARTS) or bool(_places(form, row))


def _kept(form: Form) -> list[int]:
    return [row for row in _rows(form) if f"window-{row}-gone" not in form]


def _blank(form: Form) -> int:
    """The number of the empty quiet time at the end."""
    return max(_rows(form), default=-1) + 1


def _places(form: Form, row: int) -> list[tuple[int, str]]:
    """The territories typed for a quiet time, with the number of their field."""
    typed = ((place, form[f"window-{row}-place-{place}"]) for place in range(MOST_PLACES))
    return [(place, text) for place, text in typed if text]


def _names(form: Form) -> dict[str, str]:
    """From the fields of the policies to those of the page."""
    names: dict[str, str] = {}
    for place, row in enumerate(_kept(form)):
        own = f"quiet_windows.{place}"
        names |= {f"{own}.{part}": f"window-{row}-{part}" for part in PARTS}
        names |= {own: f"window-{row}-name", f"{own}.territories": f"window-{row}-place-0"}
    return names


# --- To the page ------------------------------------------------------------------------------------------


def _written(agreed: Policies, land: Atlas) -> Iterator[tuple[str, str]]:
    """The fields of what is agreed on."""
    yield from ((name, str(getattr(agreed, name))) for name in (*NUMBERS, "usual_time"))
    if agreed.second_factor:
        yield "second_factor", "1"
    for row, window in enumerate(agreed.quiet_windows):
        values: Mapping[str, Any] = window.model_dump(mode="json")
        yield from ((f"window-{row}-{part}", values[part] or "") for part in PARTS)
        for place, code in enumerate(window.territories):
            yield f"window-{row}-place-{place}", _named(land, code)


def _named(land: Atlas, code: str) -> str:
    return f"{land.name(code)} ({code})" if code in land else code


def _choices(land: Atlas) -> list[str]:
    """The territories to choose from, from wide to narrow, by name."""
    known = [one for one, node in land.nodes.items() if node.level in _RANKS and node.ended_on is None]
    return sorted(known, key=lambda one: (_RANKS.index(land.nodes[one].level), search_key(land.name(one))))
