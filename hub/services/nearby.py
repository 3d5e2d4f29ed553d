"""What there is near home: an area, and every live item of the portal that is meant for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, union_all
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from hub.domain.clock import local_day, zone_info
from hub.domain.delivery import Delivery, DeliveryState
from hub.domain.errors import NotFound
from hub.domain.event import Attendance, Event, Impairment
from hub.domain.place import FOREVER, AreaVisit, Commune, Pinned, distance_km
from hub.domain.post import Kind, Post
from hub.domain.table import by_letters
from hub.domain.territory import COUNTRY, Level, Territory, lineage
from hub.language import _
from hub.services import geotargeting, showing

MOST: Final = 200
"""So many items of one board are looked through: the soonest to end, and the newest of those without a day."""

WIDENING: Final = (Level.COMMUNE, Level.DEPARTEMENT, Level.ACADEMIE, Level.REGION, Level.COUNTRY)
"""From near to wide."""


# --- Areas --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Area:
    """Where somebody looks: a commune, or something wider, which has no point."""

    code: str
    """Of the territory; an arrondissement has its city's."""
    name: str
    level: Level
    zone: str
    path: str
    insee: str = ""
    departement: str = ""
    academie: str = ""
    lat: float | None = None
    lon: float | None = None
    names: Mapping[str, str] | None = None
    """Names of all that it lies in, by code."""

    @property
    def lineage(self) -> list[str]:
        """The codes of all that it lies in, from France down, itself included."""
        return lineage(self.path)

    def name_of(self, code: str) -> str:
        """What one of its lineage is called."""
        return (self.names or {}).get(code, self.name)

    def above(self, level: Level) -> str | None:
        """The code of what it lies in on a level, or None where there is nothing of that level."""
        start = {Level.ACADEMIE: "A-", Level.DEPARTEMENT: "D-", Level.REGION: "R-"}.get(level, COUNTRY)
        return next((code for code in self.lineage if code.startswith(start)), None)


class Ended(NotFound):
    """A commune that is no more; `successor` is the INSEE code of what it merged into, when that is known."""

    def __init__(self, sentence: str, successor: str | None) -> None:
        self.successor = successor
        super().__init__(sentence)


def get_area(session: Session, insee: str) -> Area:
    """The area of a commune or an arrondissement; Ended for one that merged, NotFound for what is none."""
    query = select(Commune, Territory).join(Territory, col(Territory.code) == col(Commune.territory_code))
    found = session.exec(query.where(Commune.insee == insee)).first()
    if found is None:
        raise NotFound(_("No commune has the number {number}.", number=insee))
    commune, node = found
    if node.ended_on is not None:
        successor = node.successor_code.removeprefix("C-") if node.successor_code else None
        raise Ended(_("{commune} is no commune of its own any more.", commune=commune.name), successor)
    names = {code: one.name for code, one in geotargeting.atlas(session).nodes.items() if code in lineage(node.path)}
    return Area(
        code=node.code,
        name=commune.name,
        level=Level.COMMUNE,
        zone=node.zone,
        path=node.path,
        insee=commune.insee,
        departement=commune.departement,
        academie=commune.academie_code,
        lat=commune.lat,
        lon=commune.lon,
        names=names,
    )


def get_wide_area(session: Session, code: str) -> Area:
    """The area of an académie, a département, a région or the country; NotFound for what is none."""
    land = geotargeting.atlas(session)
    node = land.nodes.get(code)
    if node is None or node.ended_on is not None:
        raise NotFound(_("There is no territory with the code {code}.", code=code))
    codes = lineage(node.path)
    return Area(
        code=code,
        name=node.name,
        level=node.level,
        zone=node.zone,
        path=node.path,
        departement=code.removeprefix("D-") if node.level is Level.DEPARTEMENT else "",
        academie=next((one.removeprefix("A-") for one in codes if one.startswith("A-")), ""),
        names={one: land.name(one) for one in codes},
    )


# --- Items --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """One item as it is listed in an area."""

    delivery_id: int
    post_id: int
    key: str
    kind: Kind
    text: str
    link: str | None
    zone: str
    sent_at: datetime
    ends_at: datetime
    code: str
    """The territory by which it is meant for the area, the narrowest of several."""
    event: Mapping[str, Any] | None
    commune: str = ""
    """Where its event takes place."""
    distance_km: float | None = None
    """From the area's point; None: nobody knows, or it is online."""
    begins_at: datetime | None = None
    """When its next date begins; None for what has no day."""
    wall: datetime | None = None
    """The same by the clock of its zone."""

    @property
    def title(self) -> str:
        """Its first line."""
        return showing.title(self.text)

    @cached_property
    def attendance(self) -> Attendance | None:
        """Where its event takes place; None without an event."""
        return Attendance((self.event or {}).get("attendance", Attendance.ON_SITE)) if self.event else None

    @property
    def online(self) -> bool:
        """Whether one can take part from home."""
        return self.attendance in {Attendance.ONLINE, Attendance.MIXED}

    @property
    def place(self) -> str:
        """Where, in words: venue and commune."""
        venue = str((self.event or {}).get("venue") or "")
        return ", ".join(dict.fromkeys(part for part in (venue, self.commune) if part))


@dataclass(frozen=True)
class Listed:
    """What there is in an area."""

    items: list[Shown]
    """Those with a day first, by date then distance; then the others, the newest first."""
    nearest: str | None
    """The narrowest territory that something is for: wider than the area where nothing is nearer; None for nothing."""
    cut: bool
    """Whether a board held more than is looked through."""

    def of(self, *kinds: Kind) -> list[Shown]:
        """Those of some kinds."""
        return [one for one in self.items if one.kind in kinds]

    @property
    def dated(self) -> list[Shown]:
        """Events and meetings to come."""
        return self.of(Kind.EVENT, Kind.MEETING)


def items(
    session: Session,
    area: Area,
    *,
    kinds: Collection[Kind] | None = None,
    within_km: float | None = None,
    until: date | None = None,
    access: Impairment | None = None,
    online: bool | None = None,
    at: datetime,
) -> Listed:
    """Every live item that is meant for an area; of a wide area also those for a part of it.

    `within_km` and `until` leave out what is known to be farther or later; `access` and `online` keep what says so.
    """
    rows, cut = _pinned(session, area, kinds, at)
    communes = _communes(session, {one["event"]["commune"] for one in rows if (one["event"] or {}).get("commune")})
    found = [_shown(one, area, communes, at) for one in rows]
    kept = [one for one in found if _fits(one, within_km=within_km, until=until, access=access, online=online)]
    kept.sort(key=_order)
    return Listed(kept, _nearest(kept, area), cut)


class _Point(NamedTuple):
    name: str
    lat: float
    lon: float


def _pinned(
    session: Session, area: Area, kinds: Collection[Kind] | None, at: datetime
) -> tuple[list[dict[str, Any]], bool]:
    """What is on the boards of an area and of all that it lies in, each item once, by its narrowest board."""
    boards = [(code, True) for code in area.lineage]
    if area.level is not Level.COMMUNE:
        boards.append((area.code, False))
    asked: dict[str, Any] = {"at": at, "kinds": sorted(kinds or ())}
    for place, (code, whole) in enumerate(boards):
        asked |= {f"code_{place}": code, f"whole_{place}": whole}
    found = session.connection().execute(_boards(len(boards), some_kinds=bool(kinds)), asked).all()
    depth = {code: place for place, code in enumerate(area.lineage)}
    narrowest: dict[int, Any] = {}
    for row in found:
        known = narrowest.get(row.id)
        if known is None or depth[row.code] > depth[known.code]:
            narrowest[row.id] = row
    full = Counter(row.code for row in found).values()
    return [dict(row._mapping) for row in narrowest.values()], max(full, default=0) >= MOST


@cache
def _boards(number: int, *, some_kinds: bool) -> Any:
    """The items on so many boards, each read by its index, and only those really out.

    Put together once: every page of an area needs it.
    """
    branches: list[Any] = []
    for place in range(number):
        board: Any = sa_select(col(Pinned.delivery_id), col(Pinned.territory_code)).where(
            col(Pinned.territory_code) == bindparam(f"code_{place}"), col(Pinned.whole) == bindparam(f"whole_{place}")
        )
        if some_kinds:
            board = board.where(col(Pinned.kind).in_(bindparam("kinds", expanding=True)))
        dated = board.where(col(Pinned.ends_at) > bindparam("at"), col(Pinned.ends_at) < FOREVER)
        undated = board.where(col(Pinned.ends_at) == FOREVER)
        for part in (dated.order_by(col(Pinned.ends_at)), undated.order_by(col(Pinned.sent_at).desc())):
            limited = part.limit(MOST).subquery()
            branches.append(sa_select(limited.c.delivery_id, limited.c.territory_code))
    board = union_all(*branches).subquery()
    columns = [
        col(one)
        for one in (
            Delivery.id, Delivery.post_id, Delivery.key, Delivery.text, Delivery.zone, Delivery.sent_at, Post.kind,
            Post.link, Post.event,
        )
    ]  # fmt: skip
    return (
        sa_select(*columns, board.c.territory_code.label("code"))
        .join(board, board.c.delivery_id == col(Delivery.id))
        .join(Post, col(Post.id) == col(Delivery.post_id))
        .where(col(Delivery.state) == DeliveryState.SENT)
    )


def _communes(session: Session, insee: set[str]) -> dict[str, _Point]:
    if not insee:
        return {}
    rows = session.exec(
        select(Commune.insee, Commune.name, Commune.lat, Commune.lon).where(col(Commune.insee).in_(sorted(insee)))
    )
    return {number: _Point(name, lat, lon) for number, name, lat, lon in rows}


def _shown(row: Mapping[str, Any], area: Area, communes: Mapping[str, _Point], at: datetime) -> Shown:
    event = row["event"]
    told: dict[str, Any] = {"ends_at": FOREVER}
    if event:
        told = _next_date(event, at)
        point = communes.get(event.get("commune") or "")
        if point is not None:
            told["commune"] = point.name
            if area.lat is not None and area.lon is not None and event.get("attendance") != Attendance.ONLINE:
                told["distance_km"] = distance_km(area.lat, area.lon, point.lat, point.lon)
    same = {name: row[name] for name in ("post_id", "key", "text", "link", "zone", "sent_at", "code", "event")}
    return Shown(delivery_id=row["id"], kind=Kind(row["kind"]), **same, **told)


def _next_date(event: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The date that is going on or comes next; of what is over the last one."""
    zone: ZoneInfo = zone_info(event.get("zone") or "Europe/Paris")
    timings = sorted(
        (datetime.fromisoformat(one["begin"]), datetime.fromisoformat(one["end"])) for one in event["timings"]
    )
    ends = max(end for _begin, end in timings).replace(tzinfo=zone)
    begin = next((begin for begin, end in timings if end.replace(tzinfo=zone) > at), timings[-1][0])
    return {"begins_at": begin.replace(tzinfo=zone), "wall": begin, "ends_at": ends}


def _fits(
    one: Shown, *, within_km: float | None, until: date | None, access: Impairment | None, online: bool | None
) -> bool:
    if within_km is not None and one.distance_km is not None and one.distance_km > within_km:
        return False
    if until is not None and one.wall is not None and one.wall.date() > until:
        return False
    if access is not None and access not in (one.event or {}).get("accessibility", []):
        return False
    return online is None or one.online is online


def _order(one: Shown) -> tuple[Any, ...]:
    """By day, then distance, then hour; what has no day behind, the newest first."""
    if one.begins_at is None or one.wall is None:
        return (1, -one.sent_at.timestamp(), one.delivery_id)
    far = one.distance_km if one.distance_km is not None else float("inf")
    return (0, one.wall.date().toordinal(), far, one.begins_at.timestamp(), one.delivery_id)


def _nearest(found: Collection[Shown], area: Area) -> str | None:
    depth = {code: place for place, code in enumerate(area.lineage)}
    return max((one.code for one in found), key=lambda code: depth[code], default=None)


# --- Of one item --------------------------------------------------------------------------------------------


def is_past(event: Event, at: datetime) -> bool:
    """Whether the last date of an event is over."""
    zone = zone_info(event.zone)
    return max(timing.end for timing in event.timings).replace(tzinfo=zone) <= at


# --- Counting -----------------------------------------------------------------------------------------------


def count_visit(session: Session, area: Area, page: str, *, at: datetime) -> None:
    """Count one page of an area that was opened: for its département and day, of nobody in particular.

    Of an académie for itself, since it has no département.
    """
    code = area.above(Level.DEPARTEMENT) or area.code
    where = {"day": local_day(at, area.zone), "territory_code": code, "page": page}
    made = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement: Any = made(AreaVisit).values(**where, count=1)
    more = {"count": col(AreaVisit.count) + 1}
    session.execute(statement.on_conflict_do_update(index_elements=list(where), set_=more))


# --- For robots that look for all there is -------------------------------------------------------------------


def areas_with_something(session: Session, *, at: datetime) -> list[tuple[str, str]]:
    """INSEE code and name of the communes that something is meant for in particular."""
    own = select(Pinned.territory_code).where(
        col(Pinned.whole).is_(True), col(Pinned.territory_code).like("C-%"), col(Pinned.ends_at) > at
    )
    found = select(Commune.insee, Commune.name).where(
        col(Commune.territory_code).in_(own), col(Commune.arrondissement).is_(False)
    )
    return list(session.exec(found.order_by(by_letters(col(Commune.insee)))).all())


def live_keys(session: Session, *, at: datetime, limit: int) -> list[tuple[str, datetime]]:
    """The keys of live items, the newest first, and when they went out."""
    live = select(Pinned.delivery_id).where(col(Pinned.whole).is_(True), col(Pinned.ends_at) > at)
    found = select(Delivery.key, Delivery.sent_at).where(
        col(Delivery.id).in_(live), Delivery.state == DeliveryState.SENT
    )
    rows = session.exec(found.order_by(col(Delivery.sent_at).desc(), col(Delivery.id).desc()).limit(limit))
    return [(key, sent_at) for key, sent_at in rows if sent_at is not None]
