"""What the address of the reach page asks for, checked: a period, what narrows it, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated, Final

from pydantic import BaseModel, Field
from sqlmodel import Session, select

from hub.domain.account import NETWORK_NAMES, Account, AccountNetwork
from hub.domain.clock import zone_info
from hub.domain.delivery import Provenance
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.person import Actor
from hub.domain.post import Kind
from hub.domain.reach import Unit
from hub.domain.territory import Atlas, Level, Node, search_key
from hub.language import N_, _
from hub.services import trending
from hub.services.reporting import PROVENANCE_NAMES, Frame
from hub.services.trending import Calendar, Step
from hub.web.api.typed import HOME_ZONE, period
from hub.web.forms import Form, filled
from hub.web.pages import day, query

HERE: Final = "/equipe/portee"

USUAL: Final = "4-semaines"
"""The period of who asks for none."""

PRESET_NAMES: Final = {
    USUAL: N_("Last 4 weeks"),
    "semaine": N_("This week"),
    "mois": N_("This month"),
    "mois-dernier": N_("Last month"),
    "annee-scolaire": N_("This school year"),
    "annee-scolaire-derniere": N_("Last school year"),
    "annee": N_("This year"),
}

CALENDARS: Final[Mapping[str, Calendar]] = {
    "semaine": Calendar.WEEK,
    "mois": Calendar.MONTH,
    "mois-dernier": Calendar.MONTH,
    "annee-scolaire": Calendar.YEAR,
    "annee-scolaire-derniere": Calendar.YEAR,
    "annee": Calendar.YEAR,
}
"""What a period of one press is a piece of; the others are compared with as many days before them."""

WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "territoire": ("account_id", "area"),
    "compte": ("account_id",),
    "publication": ("account_id", "post_id"),
    "type": ("account_id", "kind"),
}
"""What a table may be told by: word of the address → columns of the roll-up, the last of which names the thing."""

WAY_NAMES: Final = {
    "": N_("Overview"),
    "territoire": N_("By territory"),
    "compte": N_("By account"),
    "publication": N_("By post"),
    "type": N_("By kind"),
}

UNITS: Final = tuple(Unit)
"""The kinds of figures, in the order in which they are told."""

STEP_WORDS: Final[Mapping[str, Step]] = {"jour": Step.DAY, "semaine": Step.WEEK, "mois": Step.MONTH}
STEP_NAMES: Final = {"jour": N_("By day"), "semaine": N_("By week"), "mois": N_("By month")}

MOST_STEPS: Final = 160
"""Most columns of a trend; a longer period is told in longer steps."""

ORDERS: Final = ("nom", "taux", "compte", "publications", *(unit.value for unit in UNITS))
"""What lines and territories may be ordered by."""

Typed = Annotated[str, Field(max_length=60)]


class Words(BaseModel):
    """What the address may say, as typed."""

    par: Typed = ""
    periode: Typed = ""
    du: Typed = ""
    au: Typed = ""
    territoire: Typed = ""
    reseau: Typed = ""
    genre: Typed = ""
    compte: Typed = ""
    mesure: Typed = ""
    source: Typed = ""
    pas: Typed = ""
    ligne: Typed = ""
    jour: Typed = ""
    heure: Typed = ""
    tri: Typed = ""
    page: int = Field(1, ge=1, le=10_000)

    def form(self) -> Form:
        """The same as a form, which gives back what was typed."""
        return filled(self.model_dump(exclude={"page"}))


@dataclass(frozen=True, order=True)
class Source:
    """Where figures come from: what is of different ones is never joined in one number."""

    network: str
    provenance: Provenance

    @property
    def word(self) -> str:
        """How addresses name it."""
        return f"{self.network}-{self.provenance.value.replace(' ', '-')}"

    @property
    def name(self) -> str:
        """How people name it."""
        if self.provenance is Provenance.PORTAL:
            return _(NETWORK_NAMES[AccountNetwork.PORTAL])
        return f"{_(NETWORK_NAMES[AccountNetwork(self.network)])}, {_(PROVENANCE_NAMES[self.provenance])}"


SOURCES: Final[Mapping[str, Source]] = {
    one.word: one
    for one in (Source(network.value, provenance) for network in AccountNetwork for provenance in Provenance)
}


@dataclass(frozen=True)
class Choices:
    """What this reader may choose from."""

    territories: Sequence[tuple[str, str]]
    accounts: Sequence[tuple[int, str]]
    wider: frozenset[str]
    """Territories that are wider than one académie, whose own figures are a line of their own."""


@dataclass(frozen=True)
class Asked:
    """What the address asks for, checked; `form` holds it as typed, with what is wrong."""

    way: str
    preset: str
    first: date
    last: date
    before: tuple[date, date]
    """The days that the period is compared with."""
    territory: str
    network: str
    kind: str
    account: int | None
    source: Source | None
    unit: Unit | None
    step: Step
    order: str
    area: str
    weekday: int | None
    hour: int | None
    form: Form

    @property
    def frame(self) -> Frame:
        """The part of the roll-up that is asked for."""
        return self._frame(self.first, self.last)

    @property
    def frame_before(self) -> Frame:
        """The same part of what it is compared with."""
        return self._frame(*self.before)

    def _frame(self, first: date, last: date) -> Frame:
        # An overview shows all sources side by side; only a table may be narrowed to one.
        source = self.source if self.way else None
        return Frame(
            first,
            last,
            territory=self.territory or None,
            account_id=self.account,
            kind=self.kind or None,
            network=source.network if source else self.network or None,
            provenance=source.provenance if source else None,
            area=self.area or None,
            weekday=self.weekday,
            hour=self.hour,
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the period is chosen."""
        return bool(self.territory or self.network or self.kind or self.account or self.narrowings)

    @property
    def narrowings(self) -> list[str]:
        """What narrows a table that no field shows: by which number it was opened."""
        told = [self.source.name] if self.source and self.way else []
        if self.area:
            told.append(_("what is wider than one académie"))
        if self.weekday is not None:
            told.append(weekday_name(self.weekday))
        return told if self.hour is None else [*told, hour_name(self.hour)]

    @property
    def given(self) -> dict[str, object]:
        """The words of the address; the days stay as they were chosen."""
        return {
            "par": self.way,
            "periode": self.preset if self.preset != USUAL else "",
            "du": "" if self.preset else self.first,
            "au": "" if self.preset else self.last,
            "territoire": self.territory,
            "reseau": self.network,
            "genre": self.kind,
            "compte": self.account,
            "mesure": self.unit.value if self.unit else "",
            "source": self.source.word if self.source else "",
            "pas": self.form["pas"] if self.form["pas"] in STEP_WORDS else "",
            "ligne": self.area,
            "jour": None if self.weekday is None else str(self.weekday),
            "heure": None if self.hour is None else str(self.hour),
            "tri": self.order,
        }

    def address(self, **changed: object) -> str:
        """The same page with something changed."""
        return HERE + query(**(self.given | changed))

    @property
    def bare(self) -> str:
        """The same period with nothing that narrows it."""
        return self.address(
            territoire="", reseau="", genre="", compte="", source="", ligne="", jour="", heure="", tri=""
        )

    @property
    def step_word(self) -> str:
        """How addresses name the step of the trend."""
        return next(word for word, step in STEP_WORDS.items() if step is self.step)

    def posts(self, source: Source | None = None, unit: Unit | None = None, /, **changed: object) -> str:
        """Where the posts behind a number are listed, those with the most of it first."""
        narrowed = {"source": source.word if source else "", "tri": unit.value if unit else "", "pas": "", "mesure": ""}
        return self.address(**({"par": "publication"} | narrowed | changed))


def weekday_name(weekday: int) -> str:
    """A day of the week in words; Monday is 0."""
    return day(date(2024, 1, 1) + timedelta(days=weekday), form="EEEE")


def hour_name(hour: int) -> str:
    """An hour of the day."""
    return f"{hour:02}:00"


# --- Reading the address --------------------------------------------------------------------------------


def presets(now: datetime, zone: tzinfo = HOME_ZONE) -> dict[str, tuple[date, date]]:
    """The periods of one press, by the calendar of a zone; none of them has a day that is still to come."""
    today = now.astimezone(zone).date()
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    school = trending.school_year(today)
    return {
        USUAL: (today - timedelta(days=27), today),
        "semaine": (today - timedelta(days=today.weekday()), today),
        "mois": (month, today),
        "mois-dernier": (before.replace(day=1), before),
        "annee-scolaire": (school[0], today),
        "annee-scolaire-derniere": trending.school_year(school[0] - timedelta(days=1)),
        "annee": (today.replace(month=1, day=1), today),
    }


def zone_of(land: Atlas, by: Actor) -> str:
    """The zone in which this reader counts days: that of their first territory."""
    home = next((code for code in by.territories() if code in land), None)
    return land.zone(home) if home else HOME_ZONE.key


def understood(typed: Form, choices: Choices, now: datetime, zone: str) -> Asked:
    """The address as we read it; where it cannot be followed, the usual instead, and what is wrong."""
    form, preset, (first, last) = _days(typed, presets(now, zone_info(zone)))
    form, territory = _one_of(form, "territoire", [code for code, _name in choices.territories])
    form, network = _one_of(form, "reseau", [one.value for one in AccountNetwork])
    form, kind = _one_of(form, "genre", [one.value for one in Kind])
    form, account = _one_of(form, "compte", [str(number) for number, _name in choices.accounts])
    way = typed["par"] if typed["par"] in WAYS else ""
    kept = {} if form.problems else {"du": first.isoformat(), "au": last.isoformat()}
    return Asked(
        way=way,
        preset=preset,
        first=first,
        last=last,
        before=trending.before(first, last, CALENDARS.get(preset)),
        territory=territory,
        network=network,
        kind=kind,
        account=int(account) if account else None,
        source=SOURCES.get(typed["source"]),
        unit=next((unit for unit in UNITS if unit.value == typed["mesure"]), None),
        step=_step(typed["pas"], first, last),
        order=typed["tri"] if typed["tri"] in ORDERS else "",
        area=typed["ligne"] if way and typed["ligne"] in choices.wider else "",
        weekday=_number(typed["jour"], 6) if way else None,
        hour=_number(typed["heure"], 23) if way else None,
        form=form.with_values(**kept),
    )


def _days(typed: Form, known: Mapping[str, tuple[date, date]]) -> tuple[Form, str, tuple[date, date]]:
    preset = typed["periode"] if typed["periode"] in known else USUAL
    if not (typed["du"] or typed["au"]):
        return typed, preset, known[preset]
    try:
        days = [_day(typed, name) for name in ("du", "au")]
        chosen = period(*days, usual=known[USUAL])
    except Invalid as error:
        return typed.refused(error, names={"from": "du", "to": "au"}), preset, known[preset]
    return typed, next((word for word, span in known.items() if span == chosen), ""), chosen


def _day(typed: Form, name: str) -> date | None:
    if not typed[name]:
        return None
    try:
        return date.fromisoformat(typed[name])
    except ValueError as error:
        raise Invalid(_("Type a day such as 2026-11-30."), field=name) from error


def _one_of(form: Form, name: str, known: Sequence[str]) -> tuple[Form, str]:
    """What was chosen of a list, or nothing and what is wrong with it."""
    if not form[name] or form[name] in known:
        return form, form[name]
    if name == "territoire":
        problem = FieldProblem(name, _("Choose one of your territories from the list."))
    else:
        problem = FieldProblem(name, _("Choose one from the list."))
    return form.refused(Invalid([problem])), ""


def _number(typed: str, highest: int) -> int | None:
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 2 and int(typed) <= highest else None


def _step(typed: str, first: date, last: date) -> Step:
    step = STEP_WORDS.get(typed) or trending.fitting(first, last)
    days = (last - first).days + 1
    return step if days / {Step.DAY: 1, Step.WEEK: 7, Step.MONTH: 28}[step] <= MOST_STEPS else Step.MONTH


# --- Choices --------------------------------------------------------------------------------------------


def choices_of(session: Session, land: Atlas, by: Actor) -> Choices:
    """The territories and accounts of a reader."""
    wider = {code for code, node in land.nodes.items() if node.level in {Level.COUNTRY, Level.REGION}}
    return Choices(_territories(land, by), _accounts(session, land, by), frozenset(wider))


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


def _accounts(session: Session, land: Atlas, by: Actor) -> list[tuple[int, str]]:
    """The accounts that speak to this person's territories, by name."""
    own = [code for code in by.territories() if code in land]
    rows = session.exec(select(Account.id, Account.name, Account.territory_code))
    return sorted(
        (
            (number, name)
            for number, name, code in rows
            if number is not None and code in land and any(land.meet(code, mine) for mine in own)
        ),
        key=lambda one: search_key(one[1]),
    )
