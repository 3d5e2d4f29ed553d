"""Network keys of territories: bring them in, look at them, and have a person say that they are right."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from hub.database import in_turn
from hub.domain.account import AccountNetwork
from hub.domain.audit import note
from hub.domain.errors import FieldProblem, Invalid, NotAllowed, NotFound
from hub.domain.gate import GeoKey, KeyKind, Precision
from hub.domain.person import ACCOUNT_KEEPERS, Actor
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Atlas, Level
from hub.language import _
from hub.services import geotargeting

COLUMNS: Final = ("territory", "kind", "key", "name", "covers", "source")
"""What a file of keys is made of; `covers` and `source` may be empty or absent."""

REQUIRED: Final = COLUMNS[:4]

WITH_KEYS: Final = frozenset({AccountNetwork.FACEBOOK})
"""Networks that are told a territory by keys of their own."""


@dataclass(frozen=True)
class Imported:
    """What a file changed; changed and added keys are to be reviewed."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class KeyRow:
    """One checked row of a file."""

    territory: str
    kind: KeyKind
    key: str
    name: str
    covers: tuple[str, ...]
    source: str


def read_rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file (comma or semicolon), each with its `line`; Invalid when its heading is not ours."""
    lines = text.removeprefix("\ufeff")
    heading = lines.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(lines), delimiter=";" if heading.count(";") > heading.count(",") else ",")
    columns = [name.strip() for name in reader.fieldnames or []]
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise Invalid(
            _(
                "The first line must name the columns {columns}; missing: {missing}.",
                columns=", ".join(COLUMNS),
                missing=", ".join(missing),
            )
        )
    rows = []
    try:
        for row in reader:
            told = {name.strip(): value or "" for name, value in row.items() if name}
            rows.append({**told, "line": str(reader.line_num), "too_much": " ".join(row.get(None) or ())})
    except csv.Error as error:
        raise Invalid(_("Line {line}: {reasons}.", line=reader.line_num + 1, reasons=error)) from error
    return rows


def import_keys(
    session: Session,
    rows: Iterable[Mapping[str, str]],
    *,
    network: AccountNetwork,
    source: str,
    by: Actor | str,
    at: datetime,
) -> Imported:
    """Bring in keys, all or none: Invalid carries each wrong row with its line (the heading is line 1).

    `source` is for rows that name none. A key that is here already, as it is told, keeps its review; a changed one
    loses it.
    """
    if network not in WITH_KEYS:
        raise Invalid(_("Only Facebook is told territories by keys of its own."), field="network")
    checked = _checked(session, list(rows), source)
    if isinstance(by, Actor):
        _require_keeper(session, {row.territory for row in checked}, by)
    in_turn(session, "network keys")
    present = {
        (key.territory_code, key.kind, key.key): key
        for key in session.exec(select(GeoKey).where(GeoKey.network == network).with_for_update())
    }
    added = changed = 0
    for row in checked:
        known = present.get((row.territory, row.kind, row.key))
        if known is None:
            session.add(_fresh(row, network, at))
            added += 1
        elif _told(known) != row:
            known.name, known.covers, known.source = row.name, list(row.covers), row.source
            known.imported_at, known.reviewed_at, known.reviewed_by = at, None, None
            session.add(known)
            changed += 1
    session.flush()
    if added or changed:
        after = {"added": added, "changed": changed, "territories": sorted({row.territory for row in checked})}
        note(session, "keys.import", f"keys:{network.value}", by=by, at=at, after=after)
    return Imported(added, changed, len(checked) - added - changed)


def _checked(session: Session, rows: list[Mapping[str, str]], source: str) -> list[KeyRow]:
    named = {code for row in rows for code in [_cell(row, "territory"), *_cell(row, "covers").split()]}
    atlas = geotargeting.atlas(session, named)
    checked: list[KeyRow] = []
    problems: list[FieldProblem] = []
    lines: dict[tuple[str, str, str], int] = {}
    for place, row in enumerate(rows, start=2):
        line = int(row.get("line") or place)
        told = tuple(_cell(row, name) for name in ("territory", "kind", "key"))
        reasons = _reasons(row, atlas)
        if told in lines:
            reasons.append(_("the same key as on line {line}", line=lines[told]))
        lines.setdefault((told[0], told[1], told[2]), line)
        if reasons:
            message = _("Line {line}: {reasons}.", line=line, reasons="; ".join(reasons))
            problems.append(FieldProblem(f"line {line}", message))
        else:
            checked.append(_row(row, source))
    if not rows:
        problems.append(FieldProblem("", _("The file holds no keys.")))
    if problems:
        raise Invalid(problems)
    return checked


def _reasons(row: Mapping[str, str], atlas: Atlas) -> list[str]:
    """All that is wrong with a row."""
    reasons = [_("more cells than columns")] if _cell(row, "too_much") else []
    territory, kind, key = (_cell(row, name) for name in ("territory", "kind", "key"))
    if territory not in atlas:
        reasons.append(_("unknown territory “{code}”", code=territory))
    if kind not in set(KeyKind):
        reasons.append(_("unknown kind “{kind}” (one of {kinds})", kind=kind, kinds=", ".join(KeyKind)))
    if not key:
        reasons.append(_("there is no key"))
    elif not (key.isascii() and key.isprintable()) or len(key) > 64:
        reasons.append(_("“{key}” is not a key of the network", key=key))
    elif kind == KeyKind.COUNTRY and not (len(key) == 2 and key.isalpha() and key.isupper()):
        reasons.append(_("a country is told by two capital letters, such as RE"))
    unknown = [code for code in _cell(row, "covers").split() if code not in atlas]
    if unknown:
        reasons.append(_("unknown territories in “covers”: {codes}", codes=", ".join(unknown)))
    return reasons


def _row(row: Mapping[str, str], source: str) -> KeyRow:
    territory = _cell(row, "territory")
    covers = tuple(sorted(set(_cell(row, "covers").split()))) or (territory,)
    own = _cell(row, "source") or source
    return KeyRow(territory, KeyKind(_cell(row, "kind")), _cell(row, "key"), _cell(row, "name"), covers, own)


def _cell(row: Mapping[str, str], name: str) -> str:
    return (row.get(name) or "").strip()


def _fresh(row: KeyRow, network: AccountNetwork, at: datetime) -> GeoKey:
    return GeoKey(network=network, territory_code=row.territory, kind=row.kind, key=row.key, name=row.name,
                  covers=list(row.covers), source=row.source, imported_at=at)  # fmt: skip


def _told(key: GeoKey) -> KeyRow:
    return KeyRow(key.territory_code, key.kind, key.key, key.name, tuple(key.covers), key.source)


def list_keys(session: Session, territory: str | None = None, *, unreviewed: bool = False) -> list[GeoKey]:
    """Keys by territory; of one territory, or only those that nobody has looked at."""
    query = select(GeoKey).order_by(
        by_letters(col(GeoKey.territory_code)), by_letters(col(GeoKey.kind)), by_letters(col(GeoKey.key))
    )
    if territory is not None:
        query = query.where(GeoKey.territory_code == territory)
    if unreviewed:
        query = query.where(col(GeoKey.reviewed_at).is_(None))
    return list(session.exec(query))


def precisions(session: Session, keys: Iterable[GeoKey]) -> dict[str, Precision]:
    """How well the keys of each territory fit it, all of them together."""
    reached: dict[str, set[str]] = {}
    for key in keys:
        reached.setdefault(key.territory_code, set()).update(key.covers)
    atlas = geotargeting.atlas(session, {code for codes in reached.values() for code in codes} | set(reached))
    found = {}
    for territory, codes in reached.items():
        if territory in atlas and all(code in atlas for code in codes):
            both = atlas.population(atlas.intersection(codes, territory))
            zone, whole = atlas.population([territory]), atlas.population(codes)
            found[territory] = Precision.of(zone=zone, reached=whole, both=both)
    return found


def review(session: Session, territories: Iterable[str], *, by: Actor | str, at: datetime) -> int:
    """Say that all keys of these territories are right; how many are newly so. NotFound for one without keys."""
    codes = sorted(set(territories))
    if isinstance(by, Actor):
        _require_keeper(session, codes, by)
    keys = session.exec(select(GeoKey).where(col(GeoKey.territory_code).in_(codes)).with_for_update()).all()
    bare = [code for code in codes if code not in {key.territory_code for key in keys}]
    if bare:
        raise NotFound(
            _("No keys are known for {codes}. Bring them in first: relais geo keys import.", codes=", ".join(bare))
        )
    name = by.name if isinstance(by, Actor) else by
    fresh = [key for key in keys if key.reviewed_at is None]
    for key in fresh:
        key.reviewed_at, key.reviewed_by = at, name
        session.add(key)
        after = {"kind": key.kind.value, "key": key.key, "covers": key.covers, "source": key.source}
        note(session, "keys.review", f"key:{key.id}", by=by, at=at, after={"territory": key.territory_code, **after})
    return len(fresh)


def territories_to_tell(session: Session) -> list[str]:
    """The académies and overseas services: those that networks must be told by keys."""
    nodes = geotargeting.atlas(session).nodes.values()
    return sorted(node.code for node in nodes if node.level is Level.ACADEMIE)


def territories_without_keys(session: Session, network: AccountNetwork = AccountNetwork.FACEBOOK) -> list[str]:
    """The académies and overseas services that no reviewed key tells this network."""
    query = select(GeoKey.territory_code).where(GeoKey.network == network, col(GeoKey.reviewed_at).is_not(None))
    told = set(session.exec(query))
    return [code for code in territories_to_tell(session) if code not in told]


def _require_keeper(session: Session, codes: Iterable[str], by: Actor) -> None:
    """Raise NotAllowed unless the actor manages accounts for all of these territories."""
    wanted = list(codes) or [COUNTRY]
    atlas = geotargeting.atlas(session, wanted)
    if any(code not in atlas for code in wanted) or not by.holds_for_all(atlas, ACCOUNT_KEEPERS, wanted):
        raise NotAllowed(_("Only a coordinator or an administrator for these territories may do this."))
