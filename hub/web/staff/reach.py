"""The reach page: the report over a period, its figures explained, and its export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session

from hub.domain.delivery import Provenance
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.person import Actor
from hub.domain.post import KIND_NAMES, Kind
from hub.domain.reach import How, Unit
from hub.domain.territory import Atlas, Level, Node, search_key
from hub.language import N_, _
from hub.services import geotargeting, reporting
from hub.services.exporting import Format
from hub.services.reporting import PROVENANCE_NAMES, UNIT_NAMES, By, Frame, Report, Row
from hub.web.api.typed import HOME_ZONE, period
from hub.web.deps import Now, ReadDb, TheHub
from hub.web.exports import Wish, answer
from hub.web.forms import Form, filled
from hub.web.pages import number, page, query
from hub.web.visits import Inside

router = APIRouter()

HERE: Final = "/equipe/portee"

LINES: Final = 60
"""Most lines of one page."""

WAYS: Final[Mapping[str, By]] = {
    "territoire": By.TERRITORY,
    "compte": By.ACCOUNT,
    "publication": By.POST,
    "type": By.KIND,
}
"""What the report is told by: word of the address → order of the service."""

WAY_NAMES: Final = {
    "territoire": N_("By territory"),
    "compte": N_("By account"),
    "publication": N_("By post"),
    "type": N_("By kind"),
}

PRESET_NAMES: Final = {
    "4-semaines": N_("Last 4 weeks"),
    "mois": N_("This month"),
    "mois-dernier": N_("Last month"),
    "annee": N_("This year"),
}

UNITS: Final = (Unit.PEOPLE, Unit.VIEWS, Unit.IMPRESSIONS, Unit.CLICKS, Unit.REACTIONS)

Typed = Annotated[str, Query(max_length=40)]


@dataclass
class Line:
    """One line of the page: everything that was counted of one thing, on one account, from one source."""

    key: str
    name: str
    account: str
    network: str
    provenance: Provenance
    posts: int = 0
    unlimited: bool = False
    cells: dict[Unit, Row] = field(default_factory=dict)
    address: str = ""
    """Where the thing itself is shown."""
    behind: str = ""
    """Where the posts behind the figures are listed."""

    def value(self, unit: Unit) -> int:
        """What a column is ordered by; what was not told comes last."""
        row = self.cells.get(unit)
        return -1 if row is None or row.value is None else row.value


@dataclass(frozen=True)
class Asked:
    """What the address asks for, checked; `form` holds it as typed, with what is wrong."""

    way: str
    preset: str
    first: date
    last: date
    territory: str
    order: str
    form: Form

    def address(self, **changed: object) -> str:
        """The same page with something changed; the days stay as they were chosen."""
        given: dict[str, object] = {
            "par": self.way if self.way != "territoire" else "",
            "periode": self.preset if self.preset != "4-semaines" else "",
            "du": "" if self.preset else self.first,
            "au": "" if self.preset else self.last,
            "territoire": self.territory,
            "tri": self.order if self.order != "nom" else "",
        }
        return HERE + query(**(given | changed))


@router.get("/portee")
def show(
    request: Request,
    visit: Inside,
    session: ReadDb,
    now: Now,
    par: Typed = "",
    periode: Typed = "",
    du: Typed = "",
    au: Typed = "",
    territoire: Typed = "",
    tri: Typed = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """The report over a period; what was typed wrongly is told beside it, over the usual period."""
    land = geotargeting.atlas(session, visit.actor.territories())
    choices = _territories(land, visit.actor)
    typed = filled({"par": par, "periode": periode, "du": du, "au": au, "territoire": territoire, "tri": tri})
    asked = _asked(typed, {code for code, _name in choices}, now)
    told = reporting.report(
        session,
        by=visit.actor,
        first=asked.first,
        last=asked.last,
        order=WAYS[asked.way],
        territory=asked.territory or None,
    )
    lines = ordered(_lines(session, told, asked, land, visit.actor), asked.order)
    first = (page_number - 1) * LINES
    return page(
        request,
        "reach/report.html",
        status=422 if asked.form.problems else 200,
        asked=asked,
        form=asked.form,
        lines=lines[first : first + LINES],
        count=len(lines),
        page_number=page_number,
        more=asked.address(page=page_number + 1) if len(lines) > first + LINES else "",
        silent=sorted(((land.name(code), code) for code in told.silent), key=lambda one: search_key(one[0])),
        territories=[("", _("All my territories")), *choices],
        export=f"{HERE}/export" + query(du=asked.first, au=asked.last),
        excel=f"{HERE}/export" + query(du=asked.first, au=asked.last, forme="excel"),
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


# --- What is asked for ----------------------------------------------------------------------------------


def presets(now: datetime) -> dict[str, tuple[date, date]]:
    """The periods of one press, by the calendar of Paris."""
    today = now.astimezone(HOME_ZONE).date()
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    return {
        "4-semaines": (today - timedelta(days=27), today),
        "mois": (month, today),
        "mois-dernier": (before.replace(day=1), before),
        "annee": (today.replace(month=1, day=1), today),
    }


def _asked(typed: Form, territories: set[str], now: datetime) -> Asked:
    """The address as we read it; where it cannot be followed, the usual instead, and what is wrong."""
    form, known = typed, presets(now)
    preset = typed["periode"] if typed["periode"] in known else "4-semaines"
    first, last = known[preset]
    if typed["du"] or typed["au"]:
        try:
            days = [_day(typed, name) for name in ("du", "au")]
            first, last = period(*days, usual=known["4-semaines"])
            preset = next((word for word, span in known.items() if span == (first, last)), "")
        except Invalid as error:
            form = form.refused(error, names={"from": "du", "to": "au"})
    territory = typed["territoire"]
    if territory and territory not in territories:
        problem = FieldProblem("territoire", _("Choose one of your territories from the list."))
        form, territory = form.refused(Invalid([problem])), ""
    kept = {} if form.problems else {"du": first.isoformat(), "au": last.isoformat()}
    return Asked(
        way=typed["par"] if typed["par"] in WAYS else "territoire",
        preset=preset,
        first=first,
        last=last,
        territory=territory,
        order=typed["tri"] if typed["tri"] in ORDERS else "nom",
        form=form.with_values(**kept),
    )


def _day(typed: Form, name: str) -> date | None:
    if not typed[name]:
        return None
    try:
        return date.fromisoformat(typed[name])
    except ValueError as error:
        raise Invalid(_("Type a day such as 2026-11-30."), field=name) from error


def _territories(land: Atlas, by: Actor) -> list[tuple[str, str]]:
    """Every territory down to the académie that is this person's, the wider ones first."""
    wide = [Level.COUNTRY, Level.REGION, Level.ACADEMIE]
    own = [code for code in by.territories() if code in land]

    def theirs(node: Node) -> bool:
        part = node.level is Level.ACADEMIE and any(land.within(other, node.code) for other in own)
        return node.level in wide and (part or any(land.within(node.code, other) for other in own))

    mine = sorted(filter(theirs, land.nodes.values()), key=lambda node: (wide.index(node.level), search_key(node.name)))
    return [
        (node.code, _("{name} (région)", name=node.name) if node.level is Level.REGION else node.name) for node in mine
    ]


# --- Lines ----------------------------------------------------------------------------------------------


ORDERS: Final = ("nom", "compte", "publications", *(unit.value for unit in UNITS))


def ordered(lines: Sequence[Line], order: str) -> list[Line]:
    """The lines by one of the columns; those that are alike by name."""
    by_name = sorted(lines, key=lambda line: (search_key(line.name), search_key(line.account), line.provenance))
    if order == "nom":
        return by_name
    if order == "compte":
        return sorted(by_name, key=lambda line: search_key(line.account))
    if order == "publications":
        return sorted(by_name, key=lambda line: -line.posts)
    return sorted(by_name, key=lambda line: -line.value(Unit(order)))


def _lines(session: Session, told: Report, asked: Asked, land: Atlas, by: Actor) -> list[Line]:
    """The rows of a report side by side: one line for what differs in the kind of figure only."""
    lines: dict[tuple[str, str, str, Provenance], Line] = {}
    for row in told.rows:
        if row.unit is None or row.provenance is None:
            continue
        key = (row.key, row.account, row.network, row.provenance)
        line = lines.setdefault(key, Line(row.key, row.name, row.account, row.network, row.provenance))
        line.cells[row.unit] = row
        line.posts = max(line.posts, row.posts)
        line.unlimited = line.unlimited or row.unlimited
    _name(session, lines.values(), asked, land, by)
    return list(lines.values())


def _name(session: Session, lines: Any, asked: Asked, land: Atlas, by: Actor) -> None:
    """Call each line what people call it, and lead to what is behind it."""
    several = list(lines)
    if asked.way == "publication":
        names = reporting.titles(session, {int(line.key) for line in several}, by=by)
        for line in several:
            line.name = names.get(int(line.key)) or _("Post {number}", number=line.key)
            line.address = f"/equipe/publications/{line.key}" if int(line.key) in names else ""
    elif asked.way == "type":
        for line in several:
            line.name = _(KIND_NAMES[Kind(line.key)])
    elif asked.way == "territoire":
        for line in several:
            if line.key in land and land.nodes[line.key].level is Level.ACADEMIE:
                line.address = f"/equipe/couverture/{line.key}"
                line.behind = asked.address(par="publication", territoire=line.key, tri="")


def shown(row: Row | None) -> str:
    """A figure as its cell says it: « at least » before a lower bound, a dash for what nobody said."""
    if row is None:
        return ""
    if row.how is How.AT_LEAST:
        return _("at least {number}", number=number(row.value))
    return number(row.value)


def _words() -> dict[str, Any]:
    """What templates call things."""
    return {
        "units": UNITS,
        "unit_names": UNIT_NAMES,
        "provenances": PROVENANCE_NAMES,
        "ways": WAY_NAMES,
        "ways_named": [(word, _(name)) for word, name in WAY_NAMES.items()],
        "presets": PRESET_NAMES,
        "shown": shown,
    }
