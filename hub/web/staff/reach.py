"""The reach page: an overview or a table of what was reached over a period, its figures explained, and its export."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from hub.domain.account import NETWORK_NAMES, AccountNetwork
from hub.domain.clock import place_of
from hub.domain.errors import Invalid
from hub.domain.post import KIND_NAMES
from hub.language import _
from hub.services import geotargeting
from hub.services.exporting import Format
from hub.services.reporting import PROVENANCE_NAMES, UNIT_NAMES, Frame
from hub.web import charts
from hub.web.api.typed import period
from hub.web.deps import Now, ReadDb, TheHub
from hub.web.exports import Wish, answer
from hub.web.pages import page, query
from hub.web.staff import reach_asked as asking
from hub.web.staff import reach_lines as lining
from hub.web.staff import reach_overview as overlooking
from hub.web.staff import reach_ranked as ranking
from hub.web.staff import reach_trends as trends
from hub.web.staff.reach_asked import HERE, Asked, Typed, Words, presets
from hub.web.staff.reach_overview import Overview
from hub.web.visits import Inside

router = APIRouter()

MOST_ACCOUNTS: Final = 12
"""Accounts that the overview names; a table has them all."""

FILES: Final = ("excel", "csv", "xlsx", "parquet", "jsonl")
"""The forms in which the figures may be taken away."""


@router.get("/portee")
def show(
    request: Request,
    visit: Inside,
    session: ReadDb,
    now: Now,
    words: Annotated[Words, Query()],
) -> Response:
    """The overview, or one table; what was typed wrongly is told beside it, over the usual period."""
    land = geotargeting.atlas(session, visit.actor.territories())
    choices = asking.choices_of(session, land, visit.actor)
    zone = asking.zone_of(land, visit.actor)
    asked = asking.understood(words.form(), choices, now, zone)
    view = Overview(session, asked, land, visit.actor)
    shown: dict[str, Any]
    if asked.way:
        shown = {"table": lining.table(session, asked, land, by=visit.actor, page=words.page)}
    else:
        shown = _overview(view)
    return page(
        request,
        "reach/table.html" if asked.way else "reach/overview.html",
        status=422 if asked.form.problems else 200,
        asked=asked,
        form=asked.form,
        view=view,
        choices=choices,
        zone_place=place_of(zone),
        **shown,
        **_files(asked),
        **_words(),
    )


WISHES: Final[Mapping[str, Wish]] = {
    "csv": Wish(),
    "excel": Wish(separator=";", bom=True),
    "xlsx": Wish(Format.XLSX),
    "parquet": Wish(Format.PARQUET),
    "jsonl": Wish(Format.JSONL),
}
"""What the export may be: word of the address → form. `excel` is the CSV that French spreadsheets open at once."""


@router.get("/portee/export")
def export(
    visit: Inside,
    hub: TheHub,
    now: Now,
    du: date | None = None,
    au: date | None = None,
    territoire: Typed = "",
    forme: Typed = "",
) -> StreamingResponse:
    """Every figure of a period, one per row, as it comes."""
    if forme and forme not in WISHES:
        raise Invalid(_("Choose one of: {expected}.", expected=", ".join(WISHES)), field="forme")
    begin, end = period(du, au, usual=presets(now)["4-semaines"])
    return answer(hub, visit.actor, Frame(begin, end, territoire or None), WISHES[forme or "csv"])


def _overview(view: Overview) -> dict[str, Any]:
    """What stands on the overview, as far as there is anything to tell."""
    source = view.source
    if source is None:
        return {"source": None}
    territories = ranking.territories(view, source)
    accounts = ranking.accounts(view, source)
    return {
        "source": source,
        "territories": territories,
        "shaded": ranking.shaded(view, territories),
        "kinds": ranking.kinds(view, source),
        "accounts": accounts,
        "most_accounts": MOST_ACCOUNTS,
        "trends": trends.trends(view),
        "rhythm": trends.rhythm(view, source),
    }


def _files(asked: Asked) -> dict[str, Any]:
    """Where the same period is printed or taken away."""
    given: dict[str, object] = {"du": asked.first, "au": asked.last, "territoire": asked.territory}
    return {
        "report": f"{HERE}/rapport" + query(**given),
        "files": {form: f"{HERE}/export" + query(**given, forme=form) for form in FILES},
    }


def _words() -> dict[str, Any]:
    """What templates call things."""
    return {
        "units": asking.UNITS,
        "unit_names": UNIT_NAMES,
        "provenances": PROVENANCE_NAMES,
        "networks": NETWORK_NAMES,
        "network_choices": [(one.value, _(NETWORK_NAMES[one])) for one in AccountNetwork],
        "kind_choices": [(kind.value, _(name)) for kind, name in KIND_NAMES.items()],
        "way_names": asking.WAY_NAMES,
        "step_names": asking.STEP_NAMES,
        "presets": asking.PRESET_NAMES,
        "usual": asking.USUAL,
        "shown": lining.shown,
        "units_of": lining.units_of,
        "rate_words": ranking.rate_words,
        "change_words": overlooking.change_words,
        "break_words": overlooking.break_words,
        "definition": overlooking.definition,
        "arrow": overlooking.arrow,
        "charts": charts,
    }
