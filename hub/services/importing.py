"""Official files to territories and places, again and again safely: what vanished is kept and marked, never dropped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy
from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from hub.database import in_turn
from hub.domain.account import Account, AccountNetwork
from hub.domain.audit import OPERATOR, REFERENCE_LOADED, AuditEntry, note
from hub.domain.errors import Invalid
from hub.domain.place import Commune, Postcode
from hub.domain.table import Table, by_letters, metadata
from hub.domain.territory import COUNTRY, Territory
from hub.language import _
from hub.services import reference
from hub.services.reference import SHIPPED, CommuneRow
from hub.services.tree import Country, Rows

Told = Callable[[int, int], None]
"""Told how many rows of how many are done."""

COUNTED = ("territories", "communes", "arrondissements", "postcodes")

BATCH = 5000
"""Rows handed to the database at once."""

MOST_VANISHED = 0.1
"""A file without more than this share of the known communes is cut off, not newer (the most ever in a year: 3 %)."""


def load_reference(
    session: Session, *, at: datetime, communes: Path | None = None, told: Told | None = None
) -> dict[str, int]:
    """Bring territories, communes and postcodes in line with the official files.

    Returns how many of each there are, and how many rows were `added` or `changed` and communes newly `ended`.
    `communes` is a file to take instead of the shipped one.
    """
    in_turn(session, "reference data")
    file = communes or SHIPPED / "communes.csv"
    digest = reference.digest(file)
    last = session.exec(
        select(AuditEntry).where(AuditEntry.action == REFERENCE_LOADED).order_by(col(AuditEntry.id).desc())
    ).first()
    if digest is not None and last is not None and (last.after or {}).get("digest") == digest:
        return {**{name: (last.after or {})[name] for name in COUNTED}, "added": 0, "changed": 0, "ended": 0}
    present = _Present.read(session)
    plan = _plan(present, reference.read_communes(file), at=at)
    writing = _Writing(session, plan.size, told)
    counts: Counter[str] = Counter()
    for thing, wanted, there in (
        (Territory, plan.territories, present.territories),
        (Commune, plan.communes, present.communes),
        (Postcode, plan.postcodes, present.postcodes),
    ):
        counts += writing.sync(thing, wanted, there)
    counts["changed"] += writing.link(plan.successors, present.successors)
    writing.forget_postcodes(present.postcodes.keys() - plan.postcodes.keys())
    counts["changed"] += len(present.postcodes.keys() - plan.postcodes.keys())
    result = {
        "territories": len(plan.territories),
        "communes": sum(not row["arrondissement"] for row in plan.communes.values()),
        "arrondissements": sum(row["arrondissement"] for row in plan.communes.values()),
        "postcodes": len({postcode for postcode, _insee in plan.postcodes}),
        "added": counts["added"],
        "changed": counts["changed"],
        "ended": len(plan.ended),
    }
    if counts["added"] or counts["changed"]:
        note(session, REFERENCE_LOADED, f"territory:{COUNTRY}", by=OPERATOR, at=at, after={**result, "digest": digest})
    session.flush()
    session.expire_all()
    return result


def ended_communes(session: Session, *, at: datetime) -> list[Territory]:
    """The communes that a load on that day found to have ended, in order of code."""
    ended = select(Territory).where(Territory.ended_on == _day(at)).order_by(by_letters(col(Territory.code)))
    return list(session.exec(ended))


def _day(at: datetime) -> date:
    """The date in Paris, where the official files are made."""
    return at.astimezone(ZoneInfo("Europe/Paris")).date()


def make_portal_account(session: Session, *, at: datetime) -> bool:
    """Make the one account of our own portal unless it is there; return whether it was made."""
    in_turn(session, "accounts")
    if session.exec(select(Account).where(Account.network == AccountNetwork.PORTAL)).first() is not None:
        return False
    portal = Account(
        network=AccountNetwork.PORTAL, name="Portail", remote_id="portal", territory_code=COUNTRY, created_at=at
    )
    session.add(portal)
    session.flush()
    note(session, "account.add", f"account:{portal.id}", by=OPERATOR, at=at, after={"network": "portal"})
    return True


@dataclass(frozen=True)
class _Present:
    """What the database holds before."""

    territories: Rows
    successors: dict[str, str | None]
    communes: Rows
    postcodes: Rows

    @classmethod
    def read(cls, session: Session) -> _Present:
        territories = {row["code"]: row for row in _all(session, Territory)}
        successors = {code: row.pop("successor_code") for code, row in territories.items()}
        communes = {row["insee"]: row for row in _all(session, Commune)}
        postcodes = {(row["postcode"], row["insee"]): row for row in _all(session, Postcode)}
        return cls(territories, successors, communes, postcodes)

    def known(self) -> dict[str, CommuneRow]:
        """The communes as the files would say them, ended ones too."""
        postcodes = defaultdict(list)
        for postcode, insee in sorted(self.postcodes):
            postcodes[insee].append(postcode)
        return {
            insee: CommuneRow(
                insee=insee,
                name=row["name"],
                postcodes=tuple(postcodes[insee]),
                departement=row["departement"],
                lat=row["lat"],
                lon=row["lon"],
                population=row["population"],
                point=row["point"],
            )
            for insee, row in self.communes.items()
            if not row["arrondissement"]
        }

    def ended_on(self, insee: str) -> date | None:
        """When a commune ended; None for a living or unknown one."""
        ended: date | None = self.territories.get(f"C-{insee}", {}).get("ended_on")
        return ended


@dataclass(frozen=True)
class _Plan:
    """What the database will hold after."""

    territories: Rows
    successors: dict[str, str | None]
    communes: Rows
    postcodes: Rows
    ended: frozenset[str]

    @property
    def size(self) -> int:
        return len(self.territories) + len(self.communes) + len(self.postcodes)


def _plan(present: _Present, rows: list[CommuneRow], *, at: datetime) -> _Plan:
    """Join the files with what is known: a pure decision, nothing is written."""
    known = present.known()
    living, merged = _sort(rows, known, present)
    ended = {insee: row for insee, row in (known | merged).items() if insee not in living}
    newly = frozenset(insee for insee in ended if present.ended_on(insee) is None)
    if len(newly & known.keys()) > max(1, MOST_VANISHED * len(known)):
        raise Invalid(
            _(
                "The file lacks {count} of the {known} known communes: it seems to be cut off. Nothing was changed.",
                count=len(newly & known.keys()),
                known=len(known),
            )
        )
    country = Country(living)
    territories = country.territories()
    communes = {insee: country.commune(row) for insee, row in (living | ended).items()}
    for insee, row in ended.items():
        node = country.node(row)
        territories[node["code"]] = node | {"ended_on": present.ended_on(insee) or _day(at)}
    everywhere = {**living, **ended}
    for arrondissement in reference.read_arrondissements():
        if arrondissement.city not in everywhere:
            continue
        communes[arrondissement.insee] = country.commune(arrondissement)
        everywhere[arrondissement.insee] = arrondissement
    postcodes = {
        (postcode, insee): {"postcode": postcode, "insee": insee}
        for insee, row in everywhere.items()
        for postcode in row.postcodes
    }
    return _Plan(territories, _successors(present, merged, ended, territories), communes, postcodes, newly)


def _sort(
    rows: Iterable[CommuneRow], known: Mapping[str, CommuneRow], present: _Present
) -> tuple[dict[str, CommuneRow], dict[str, CommuneRow]]:
    """The living communes and the merged ones of a file; a département that it leaves out stays as it is."""
    living: dict[str, CommuneRow] = {}
    merged: dict[str, CommuneRow] = {}
    for row in rows:
        if row.insee in living or row.insee in merged:
            raise Invalid(_("The commune {insee} is there twice; nothing was changed.", insee=row.insee))
        if row.population is None:
            there = known.get(row.insee)
            row = replace(row, population=(there.population if there else None) or 0)
        (merged if row.merged_into else living)[row.insee] = row
    covered = {row.departement for row in living.values()}
    left_out = {
        insee: row
        for insee, row in known.items()
        if row.departement not in covered and insee not in merged and present.ended_on(insee) is None
    }
    return living | left_out, merged


def _successors(
    present: _Present, merged: Mapping[str, CommuneRow], ended: Iterable[str], territories: Rows
) -> dict[str, str | None]:
    """What each ended commune became, where somebody says so."""
    successors = dict.fromkeys(territories) | {
        f"C-{insee}": f"C-{merged[insee].merged_into}" if insee in merged else present.successors.get(f"C-{insee}")
        for insee in ended
    }
    for code, successor in successors.items():
        if successor is not None and successor not in territories:
            raise Invalid(
                _(
                    "{code} is said to have merged into {successor}, which is not a known commune.",
                    code=code.removeprefix("C-"),
                    successor=successor.removeprefix("C-"),
                )
            )
    return successors


class _Writing:
    """Rows on their way into the database, in batches, with somebody told of it."""

    def __init__(self, session: Session, total: int, told: Told | None) -> None:
        self._session = session
        self._total = total
        self._done = 0
        self._told = told or (lambda done, total: None)

    def sync(self, thing: type[Table], wanted: Rows, there: Rows) -> Counter[str]:
        """Insert what is missing and update what differs; return how many of each."""
        table = _table(thing)
        new = [row for key, row in wanted.items() if key not in there]
        changed = [row for key, row in wanted.items() if key in there and there[key] != row]
        self._advance(len(wanted) - len(new) - len(changed))
        self._in_batches(table.insert(), new)
        keys = [column.name for column in table.primary_key]
        update = table.update().where(*(table.c[key] == bindparam(f"key_{key}") for key in keys))
        self._in_batches(update, [row | {f"key_{key}": row[key] for key in keys} for row in changed])
        return Counter(added=len(new), changed=len(changed))

    def link(self, wanted: Mapping[str, str | None], there: Mapping[str, str | None]) -> int:
        """Name the successors of ended communes, once both are there; return how many changed."""
        changed = [
            {"key_code": code, "successor_code": successor}
            for code, successor in wanted.items()
            if there.get(code) != successor
        ]
        table = _table(Territory)
        self._in_batches(table.update().where(table.c.code == bindparam("key_code")), changed)
        return len(changed)

    def forget_postcodes(self, gone: Iterable[tuple[str, str]]) -> None:
        """Take away postcodes that their communes no longer have."""
        table = _table(Postcode)
        is_it = (table.c.postcode == bindparam("key_postcode")) & (table.c.insee == bindparam("key_insee"))
        rows = [{"key_postcode": postcode, "key_insee": insee} for postcode, insee in gone]
        self._in_batches(table.delete().where(is_it), rows)

    def _in_batches(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            self._session.connection().execute(statement, batch)
            self._advance(len(batch))

    def _advance(self, rows: int) -> None:
        self._done = min(self._total, self._done + rows)
        self._told(self._done, self._total)


def _table(thing: type[Table]) -> sqlalchemy.Table:
    """The table behind a thing: a hundred thousand rows go past the objects."""
    return metadata.tables[str(thing.__tablename__)]


def _all(session: Session, thing: type[Table]) -> list[dict[str, Any]]:
    """All rows of a table as plain dicts."""
    table = _table(thing)
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in session.connection().execute(table.select())]
