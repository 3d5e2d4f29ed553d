"""The printed report: one page without menu or script, as a browser shows it, and whole in itself for a file or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from fastapi import Response
from markupsafe import Markup

from hub import printing
from hub.database import reading
from hub.domain.clock import zone_name
from hub.domain.delivery import Provenance
from hub.domain.metric import Metric
from hub.domain.person import Actor
from hub.domain.post import KIND_NAMES, Kind
from hub.domain.reach import SMALL, Unit
from hub.language import _, current_language
from hub.services import compiling
from hub.services.compiling import Compiled
from hub.services.nearing import Series
from hub.services.reporting import PROVENANCE_NAMES, Cell
from hub.web import charts, nearby
from hub.web.api.typed import HOME_ZONE, period
from hub.web.nearby import rate_told, series_name, source_name, unit_name
from hub.web.pages import STATIC, environment
from hub.web.pages import day as day_in_words
from hub.wiring import Hub

SHEET: Final = "print.css"


def figure(unit: Unit, provenance: Provenance, cell: Cell | None) -> str:
    """A figure as it may leave the house: our own counts under five are not told exactly."""
    if cell is not None and compiling.is_own(unit, provenance) and compiling.is_few(cell):
        return f"< {SMALL}"
    return nearby.figure(cell)


def context(report: Compiled) -> dict[str, Any]:
    """What the template of a report says."""
    labels = [step_name(one, monthly=report.monthly) for one in report.steps]
    return {
        "report": report,
        "units": nearby.units_of(report.told),
        "lines": list(zip(report.told, map(rate_told, report.rates), strict=True)),
        "rated": any(rate is not None for rate in report.rates),
        "series_names": [series_name(one) for one in report.series],
        "trends": [
            (series_name(one), nearby.trend_chart(f"tendance-{place}", one, labels, outside=True))
            for place, one in enumerate(report.series)
        ],
        "step_rows": _step_rows(report.series, labels),
        "rankings": [
            (
                source_name(one.network, one.provenance),
                nearby.units_of(line.told for line in one.lines),
                [(line, rate_told(line.rate)) for line in one.lines],
                any(line.rate is not None for line in one.lines),
            )
            for one in report.rankings
        ],
        "post_units": nearby.units_of(one.told for one in report.posts),
        "kind_names": {kind.value: _(KIND_NAMES[Kind(kind)]) for kind in Kind},
        "definitions": [(_network_unit(one), one.name, _definition(one)) for one in report.metrics],
        "breaks": [
            _("{metric} took over from {before} on {day}: before and after are not the same measure.",
              metric=one.after, before=one.before, day=day_in_words(one.day, form="d MMMM y"))
            for one in report.breaks
        ],
        "provenances": [(_(name), _provenance(one)) for one, name in PROVENANCE_NAMES.items() if _is_used(one, report)],
        "shown": lambda unit, one: figure(unit, one.provenance, one.cells.get(unit)),
        "unit_name": unit_name,
        "source_name": source_name,
        "zone_name": zone_name,
        "patterns": charts.patterns,
    }  # fmt: skip


def alone(report: Compiled) -> str:
    """The report whole in itself: its style is within, and it asks for nothing from anywhere."""
    style = Markup((STATIC / SHEET).read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return environment().get_template("reach/print.html").render(**context(report), style=style, ways=None)


def gathered(
    hub: Hub, by: Actor, first: date | None, last: date | None, territory: str | None, *, at: datetime
) -> Compiled:
    """The report over a period, by default the last four weeks; the session ends before anything is printed."""
    today = at.astimezone(HOME_ZONE).date()
    begin, end = period(first, last, usual=(today - timedelta(days=27), today))
    with reading(hub.engine) as session:
        return compiling.compile_report(session, by=by, first=begin, last=end, territory=territory, at=at)


def html(report: Compiled) -> Response:
    """The report as a file that any browser opens and prints."""
    return _file(alone(report), "text/html; charset=utf-8", file_name(report, "html"))


def pdf(hub: Hub, report: Compiled) -> Response:
    """The report as a PDF; CannotPrint where this machine makes none."""
    made = printing.pdf_of(alone(report), chromium=hub.settings.chromium)
    return _file(made, "application/pdf", file_name(report, "pdf"))


def _file(content: str | bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def file_name(report: Compiled, ending: str) -> str:
    """What a file of it is called: « relais-portee-A-14-2026-11-01-2026-11-30.pdf »."""
    code = f"-{report.code}" if report.code else ""
    return f"relais-portee{code}-{report.first.isoformat()}-{report.last.isoformat()}.{ending}"


def step_name(first: date, *, monthly: bool) -> str:
    """What a week or a month is called."""
    return day_in_words(first, form="MMM y" if monthly else "d MMM")


def _step_rows(series: Sequence[Series], labels: Sequence[str]) -> list[tuple[str, list[str]]]:
    return [
        (label, [figure(one.unit, one.provenance, one.steps[place].get(one.unit)) for one in series])
        for place, label in enumerate(labels)
    ]


def _is_used(provenance: Provenance, report: Compiled) -> bool:
    return any(one.provenance is provenance for one in report.told)


def _network_unit(one: Metric) -> str:
    provenance = Provenance.PORTAL if one.network.value == "portal" else None
    network = _("Our portal") if provenance else source_name(one.network, Provenance.OWN_PAGE).split(" · ")[0]
    return f"{network}, {unit_name(one.unit).lower()}"


def _definition(one: Metric) -> str:
    return one.definition if current_language() == "fr" else one.definition_en


def _provenance(one: Provenance) -> str:
    return {
        Provenance.OWN_PAGE: _("The page of the territory itself."),
        Provenance.GATED: _("A post of a wider page, limited to the territory by the network."),
        Provenance.NATIONAL: _(
            "A post of the national page without a limit: it counts for France, and is never spread over territories."
        ),
        Provenance.ORIGIN: _(
            "X cannot limit a post: it counts for the territory that wrote it, wherever its readers are."
        ),
        Provenance.PORTAL: _("Our own counts on the public portal, of nobody in particular."),
    }[one]
