"""The catalogue of metrics: read from the file we ship, or brought in by the operator; a contradiction is refused."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final

from sqlmodel import Session, col, select

from channels import Asked, AskedOfPage, UnitKind
from hub.database import in_turn
from hub.domain.account import AccountNetwork
from hub.domain.audit import METRICS_BROUGHT_IN, METRICS_LAID, OPERATOR, note
from hub.domain.errors import FieldProblem, Invalid
from hub.domain.metric import Catalogue, Metric, Origin, Subject
from hub.domain.reach import Unit
from hub.domain.table import by_letters
from hub.language import _
from hub.services import tabulating
from hub.services.reference import SHIPPED
from hub.services.tabulating import Line

FILE: Final = SHIPPED / "metrics.csv"

SHIPPED_VERSION: Final = 2
"""Version of the file that we ship; it grows with whatever changes in it. Exports carry it."""

OWN: Final = "link_arrivals"
"""The only metric whose unit is our own: arrivals by our links, which no network tells."""

COLUMNS: Final = (
    "network", "subject", "name", "period", "unit", "additive", "counted", "valid_from", "valid_until", "replaces",
    "definition", "definition_en",
)  # fmt: skip


def catalogue(session: Session) -> Catalogue:
    """All metrics; those that we ship where nobody laid any yet."""
    rows = session.exec(
        select(Metric).order_by(
            by_letters(col(Metric.network)),
            by_letters(col(Metric.subject)),
            by_letters(col(Metric.name)),
            by_letters(col(Metric.period)),
            col(Metric.valid_from),
        )
    ).all()
    return Catalogue(rows, _version(rows)) if rows else Catalogue(_shipped(), str(SHIPPED_VERSION))


def asked_of_posts(known: Catalogue, network: AccountNetwork, day: date) -> tuple[Asked, ...]:
    """What a network is asked of posts on that day; our own counts are asked of nobody."""
    return tuple(
        Asked(one.name, UnitKind(one.unit.value))
        for one in known.asked(network, Subject.POST, day)
        if one.unit is not Unit.ARRIVALS
    )


def asked_of_pages(known: Catalogue, network: AccountNetwork, day: date) -> tuple[AskedOfPage, ...]:
    """What a network is asked of a page on that day."""
    return tuple(
        AskedOfPage(one.name, UnitKind(one.unit.value), one.period)
        for one in known.asked(network, Subject.PAGE, day)
        if one.unit is not Unit.ARRIVALS
    )


def _version(rows: Iterable[Metric]) -> str:
    """The version of the shipped file, with a mark of whatever was brought in beside it."""
    own = [one.model_dump(exclude={"id"}) for one in rows if one.origin is Origin.LOCAL]
    if not own:
        return str(SHIPPED_VERSION)
    return f"{SHIPPED_VERSION}-{hashlib.sha256(repr(own).encode()).hexdigest()[:8]}"


@cache
def _shipped() -> tuple[Metric, ...]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(read(lines, origin=Origin.SHIPPED))


def shipped() -> list[Metric]:
    """The metrics of the file that we ship."""
    return [Metric(**one.model_dump()) for one in _shipped()]


# --- Bringing it in -------------------------------------------------------------------------------------------

Key = tuple[str, str, str, str, date]
"""What tells rows apart: network, subject, name, period, first day."""


@dataclass(frozen=True)
class Changes:
    """What a file changed; `counted`: whether reports count something else than before."""

    added: int
    changed: int
    unchanged: int
    counted: bool


def lay(session: Session, *, at: datetime) -> int:
    """Lay the rows that we ship, and bring those that are there up to date; return how many changed.

    Rows of the operator's own are left alone, and stand where we ship the same. Where they contradict what we ship,
    nothing is changed: Invalid with every reason.
    """
    in_turn(session, "metrics")
    present = _present(session)
    wanted = _with_shipped(present)
    if _same(present, wanted):
        return 0
    require_sound(wanted.values())
    changed = sum(told(present.get(key)) != told(one) for key, one in wanted.items()) + len(present.keys() - wanted)
    counted = _write(session, present, wanted)
    after = {"version": SHIPPED_VERSION, "changed": changed, "counted": counted}
    note(session, METRICS_LAID, "metrics:shipped", by=OPERATOR, at=at, after=after)
    return changed


def bring_in(session: Session, lines: Iterable[str], *, at: datetime) -> Changes:
    """Bring in an operator's file, all of it or none: rows are added, or replace those that they are about.

    Invalid carries each wrong line, and each contradiction with its line. A row that says what we ship is shipped.
    """
    placed = _read(lines, Origin.LOCAL)
    with suppress(Invalid):  # what we ship may contradict older rows of the operator's, which this file puts right
        lay(session, at=at)
    present = _present(session)
    before = _with_shipped(present)
    given = {key_of(one): one for _line, one in placed}
    _require_none(contradictions([*((None, one) for key, one in before.items() if key not in given), *placed]))
    ours = {key_of(one): told(one) for one in shipped()}
    for key, one in given.items():
        one.origin = Origin.SHIPPED if ours.get(key) == told(one) else Origin.LOCAL
    added = given.keys() - before
    changed = {key for key, one in given.items() if key in before and told(before[key]) != told(one)}
    counted = _write(session, present, before | given)
    if added or changed:
        after = {
            "added": len(added),
            "changed": len(changed),
            "metrics": sorted({given[key].name for key in added | changed}),
            "counted": counted,
        }
        note(session, METRICS_BROUGHT_IN, "metrics:local", by=OPERATOR, at=at, after=after)
    return Changes(len(added), len(changed), len(given) - len(added) - len(changed), counted)


def key_of(one: Metric) -> Key:
    """What tells a row apart from others."""
    return (str(one.network), str(one.subject), one.name, one.period, one.valid_from)


def told(one: Metric | None) -> dict[str, Any] | None:
    """All that a row says, whoever says it."""
    return one.model_dump(exclude={"id", "origin"}) if one is not None else None


def meaning(metrics: Iterable[Metric]) -> frozenset[tuple[str, ...]]:
    """What the roll-up takes from a catalogue: where this changes, it is to be counted again."""
    rows = list(metrics)
    counted = {("counted", str(one.network), one.name) for one in rows if one.counted}
    replacing = {("replaces", str(one.network), one.name, one.replaces) for one in rows if one.replaces}
    return frozenset(counted | replacing)


def _present(session: Session) -> dict[Key, Metric]:
    return {key_of(one): one for one in session.exec(select(Metric))}


def _with_shipped(present: Mapping[Key, Metric]) -> dict[Key, Metric]:
    """The rows that we ship, and over them the operator's own."""
    own = {key: one for key, one in present.items() if one.origin is Origin.LOCAL}
    return {key_of(one): one for one in shipped()} | own


def _same(present: Mapping[Key, Metric], wanted: Mapping[Key, Metric]) -> bool:
    return present.keys() == wanted.keys() and all(_whole(present[key]) == _whole(wanted[key]) for key in wanted)


def _whole(one: Metric) -> dict[str, Any]:
    return one.model_dump(exclude={"id"})


def _write(session: Session, present: Mapping[Key, Metric], wanted: Mapping[Key, Metric]) -> bool:
    """Write what differs; return whether reports count something else than before."""
    before = meaning(present.values()) if present else meaning(shipped())
    after = meaning(wanted.values())
    for key in present.keys() - wanted.keys():
        session.delete(present[key])
    session.flush()
    for key, one in wanted.items():
        known = present.get(key)
        if known is None:
            session.add(Metric(**_whole(one)))
        elif _whole(known) != _whole(one):
            known.sqlmodel_update(_whole(one))
            session.add(known)
    session.flush()
    return before != after


# --- Contradictions -------------------------------------------------------------------------------------------

Placed = tuple[int | None, Metric]
"""A row, and its line in the file that it comes from."""

Reason = tuple[Placed, str]
"""Why a row cannot be taken."""


def require_sound(metrics: Iterable[Metric]) -> None:
    """Invalid with every reason why these rows cannot be true together."""
    _require_none(contradictions([(None, one) for one in metrics]))


def contradictions(placed: Sequence[Placed]) -> list[Reason]:
    """Why these rows cannot be true together, each reason at the row that is to be changed: of two the later one."""
    names = {(one.network, one.subject, one.name) for _line, one in placed}
    reasons = [(row, reason) for row in placed for reason in _alone(row[1], names)]
    reasons += [(row, _("it replaces itself in a circle")) for row in placed if _in_circle(row[1], placed)]
    for number, row in enumerate(placed):
        reasons += [(row, reason) for other in placed[:number] for reason in _together(row[1], other)]
    return reasons


def _require_none(reasons: Iterable[Reason]) -> None:
    told = list(reasons)
    if not told:
        return
    unplaced = [
        FieldProblem("", _("{network}, {name} from {day}: {reasons}.", network=one.network, name=one.name,
                           day=one.valid_from, reasons=reason))
        for (line, one), reason in told
        if line is None
    ]  # fmt: skip
    lines = [(line, reason) for (line, _one), reason in told if line is not None]
    raise Invalid([*unplaced, *tabulating.problems(lines).problems])


def _alone(one: Metric, names: Collection[tuple[Any, ...]]) -> Iterator[str]:
    """What is wrong with a row by itself."""
    if one.valid_until is not None and one.valid_until <= one.valid_from:
        yield _("it ends ({until}) before it begins ({day})", until=one.valid_until, day=one.valid_from)
    if one.unit is Unit.PEOPLE and one.additive:
        yield _("people are never added up: additive must be no")
    if one.unit is not Unit.PEOPLE and one.counted and not one.additive:
        yield _("reports add {unit} up: what may not be added up is not counted", unit=one.unit)
    if one.subject is Subject.PAGE and one.counted:
        yield _("reports count figures of posts, not of pages: counted must be no")
    if (one.unit is Unit.ARRIVALS) != (one.name == OWN):
        yield _("“{unit}” is what Relais counts itself, as {name} and nothing else", unit=Unit.ARRIVALS, name=OWN)
    if one.replaces == one.name:
        yield _("it replaces itself")
    elif one.replaces and (one.network, one.subject, one.replaces) not in names:
        yield _("it replaces “{name}”, which {network} has not", name=one.replaces, network=one.network)


def _in_circle(one: Metric, placed: Sequence[Placed]) -> bool:
    """Whether what it replaces, or what that replaces, is itself; told above where it names itself."""
    leads: dict[str, set[str]] = defaultdict(set)
    for _line, other in placed:
        if (other.network, other.subject) == (one.network, one.subject) and other.replaces:
            leads[other.name].add(other.replaces)
    seen: set[str] = set()
    coming = {one.replaces} - {one.name} if one.replaces else set()
    while coming:
        seen |= coming
        coming = {name for before in coming for name in leads[before]} - seen
    return one.name in seen


def _together(one: Metric, placed: Placed) -> Iterator[str]:
    """What is wrong with a row beside another one."""
    line, other = placed
    if (one.network, one.subject) != (other.network, other.subject):
        return
    where = _("“{name}” of line {line}", name=other.name, line=line) if line else _("“{name}”", name=other.name)
    pair = [(one, other), (other, one)]
    if any(new.replaces == old.name and new.unit is not old.unit for new, old in pair if new.name != old.name):
        yield _("it and {other} count different things ({units}): neither takes over from the other",
                other=where, units=f"{one.unit}, {other.unit}")  # fmt: skip
    if not _overlap(one, other):
        return
    if (one.name, one.period) == (other.name, other.period):
        yield _("it is valid at the same time as {other}, from {day}", other=where, day=other.valid_from)
    elif any(new.replaces == old.name and new.period == old.period for new, old in pair):
        yield _(
            "one of it and {other} replaces the other: the older one must end when the newer one begins", other=where
        )
    elif (
        one.subject is Subject.POST
        and one.counted
        and other.counted
        and one.unit is other.unit is Unit.PEOPLE
        and one.name != other.name
    ):
        yield _("it and {other} both count people of posts at the same time: people are never joined", other=where)


def _overlap(one: Metric, other: Metric) -> bool:
    ends, begins = (one.valid_until or date.max), (other.valid_until or date.max)
    return one.valid_from < begins and other.valid_from < ends


# --- Reading a file -------------------------------------------------------------------------------------------


def read(lines: Iterable[str], *, origin: Origin) -> list[Metric]:
    """The metrics of a file with semicolons; Invalid names every line that cannot be read."""
    return [one for _line, one in _read(lines, origin)]


def _read(lines: Iterable[str], origin: Origin) -> list[Placed]:
    found: list[Placed] = []
    wrong = []
    for line in tabulating.table(lines, COLUMNS):
        try:
            found.append((line.number, _metric(line, origin)))
        except ValueError as error:
            wrong.append((line.number, str(error)))
    if wrong:
        raise tabulating.problems(wrong)
    return found


def _metric(row: Line, origin: Origin) -> Metric:
    if row.too_much:
        raise ValueError(_("more cells than columns"))
    if not row["definition"]:
        raise ValueError(_("there is no definition"))
    if not row["name"]:
        raise ValueError(_("there is no name"))
    return Metric(
        network=_one_of(AccountNetwork, row, "network"),
        subject=_one_of(Subject, row, "subject"),
        name=row["name"],
        period=row["period"],
        unit=_one_of(Unit, row, "unit"),
        additive=_yes(row, "additive"),
        counted=_yes(row, "counted"),
        valid_from=_day(row, "valid_from"),
        valid_until=_day(row, "valid_until") if row["valid_until"] else None,
        replaces=row["replaces"] or None,
        definition=row["definition"],
        definition_en=row["definition_en"] or row["definition"],
        origin=origin,
    )


def _one_of(kind: Any, row: Line, column: str) -> Any:
    typed = row[column]
    try:
        return kind(typed)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise ValueError(
            _("{column} is “{typed}”: write one of {known}", column=column, typed=typed, known=known)
        ) from None


def _yes(row: Line, column: str) -> bool:
    typed = row[column].lower()
    if typed not in {"yes", "no"}:
        raise ValueError(_("{column} is “{typed}”: write yes or no", column=column, typed=typed))
    return typed == "yes"


def _day(row: Line, column: str) -> date:
    typed = row[column]
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise ValueError(
            _("{column} is “{typed}”: write a day such as 2026-11-30", column=column, typed=typed)
        ) from None
