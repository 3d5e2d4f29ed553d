"""The catalogue of metrics: read from the file we ship, or brought in by the operator; a contradiction is refused."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

from sqlmodel import Session, col, select

from channels import Asked, AskedOfPage, UnitKind
from hub.domain.account import AccountNetwork
from hub.domain.errors import Invalid
from hub.domain.metric import Catalogue, Metric, Origin, Subject
from hub.domain.reach import Unit
from hub.domain.table import by_letters
from hub.language import _
from hub.services.reference import SHIPPED

FILE: Final = SHIPPED / "metrics.csv"

SHIPPED_VERSION: Final = 2
"""Version of the file that we ship; it grows with whatever changes in it. Exports carry it."""

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


def read(lines: Iterable[str], *, origin: Origin) -> list[Metric]:
    """The metrics of a file with semicolons; Invalid names every line that cannot be read."""
    rows = csv.DictReader(lines, delimiter=";")
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise Invalid(
            _("The file has no column {columns}. It needs: {all}.", columns=", ".join(missing), all=";".join(COLUMNS))
        )
    found, wrong = [], []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_metric(row, origin))
        except ValueError as error:
            wrong.append(_("line {number}: {why}", number=number, why=error))
    if wrong:
        raise Invalid(_("Nothing was changed. {lines}", lines="; ".join(wrong)))
    return found


def _metric(row: Mapping[str, Any], origin: Origin) -> Metric:
    name = (row["name"] or "").strip()
    if not name:
        raise ValueError(_("there is no name"))
    return Metric(
        network=_one_of(AccountNetwork, row, "network"),
        subject=_one_of(Subject, row, "subject"),
        name=name,
        period=(row["period"] or "").strip(),
        unit=_one_of(Unit, row, "unit"),
        additive=_yes(row, "additive"),
        counted=_yes(row, "counted"),
        valid_from=_day(row, "valid_from"),
        valid_until=_day(row, "valid_until") if (row["valid_until"] or "").strip() else None,
        replaces=(row["replaces"] or "").strip() or None,
        definition=(row["definition"] or "").strip(),
        definition_en=(row["definition_en"] or "").strip(),
        origin=origin,
    )


def _one_of(kind: Any, row: Mapping[str, Any], column: str) -> Any:
    typed = (row[column] or "").strip()
    try:
        return kind(typed)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise ValueError(
            _("{column} is “{typed}”: write one of {known}", column=column, typed=typed, known=known)
        ) from None


def _yes(row: Mapping[str, Any], column: str) -> bool:
    typed = (row[column] or "").strip().lower()
    if typed not in {"yes", "no"}:
        raise ValueError(_("{column} is “{typed}”: write yes or no", column=column, typed=typed))
    return typed == "yes"


def _day(row: Mapping[str, Any], column: str) -> date:
    typed = (row[column] or "").strip()
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise ValueError(
            _("{column} is “{typed}”: write a day such as 2026-11-30", column=column, typed=typed)
        ) from None
