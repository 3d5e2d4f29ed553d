"""A report out of the roll-up beside a scan of ten million samples, and keeping samples beside a bare insert (goals: 1/20, no slower than DuckDB, 0.5, flat)."""
# ruff: noqa: E501 - rows that are columns of a table read better whole

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text
from sqlmodel import Session, insert, select

from hub import bulk
from hub.database import build_engine, migrate, on_server, reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.clock import zone_info
from hub.domain.delivery import Delivery, DeliveryState, Provenance
from hub.domain.person import Actor, HeldRole, Person, RoleKind
from hub.domain.post import Approval, Kind, Post, PostState
from hub.domain.reach import SLOTS, Reached, ReachFigure, Sample, Unit, monday
from hub.domain.territory import Level, Territory
from hub.services import importing, joining, measuring, reporting, rolling, visiting
from hub.settings import Settings
from hub.web.app import create_app
from hub.wiring import wire
from tests import postgresql

TURNS: Final = 5
FIRST: Final = date(2023, 11, 1)
DAYS: Final = 3 * 365
METRICS: Final = (
    ("post_total_media_view_unique", Unit.PEOPLE, 40),
    ("post_media_view", Unit.VIEWS, 70),
    ("post_clicks", Unit.CLICKS, 9),
    ("post_reactions_by_type_total", Unit.REACTIONS, 5),
    ("post_video_views", Unit.VIEWS, 11),
    ("post_activity_by_action_type", Unit.REACTIONS, 3),
)
"""Name, kind, and how large it is about; the last two are kept, and counted by no report."""
HOURS: Final = tuple(int(slot.total_seconds() // 3600) for slot in SLOTS)
EACH: Final = len(METRICS) * len(HOURS)
"""Samples of one delivery."""
PAGE: Final = 5000
ANALYST: Final = Actor(1, "bench@example.org", "Bench", (HeldRole(RoleKind.ANALYST, "FR"),))


# --- Three years of a country -----------------------------------------------------------------------------------


def value(delivery: int, metric: int, slot: int) -> int:
    """A figure that grows with time, the same each time it is asked for."""
    size = METRICS[metric][2] * (1 + delivery * 2654435761 % 97)
    return size * (slot + 3) // 8


def samples_of(delivery: int, sent_at: datetime) -> Iterator[dict[str, Any]]:
    """Everything that was read of one delivery, oldest first."""
    for slot, hours in enumerate(HOURS):
        for metric, (name, unit, _size) in enumerate(METRICS):
            yield {
                "delivery_id": delivery, "metric": name, "unit": unit, "slot": hours,
                "value": value(delivery, metric, slot), "missing": None, "read_at": sent_at + timedelta(hours=hours),
            }  # fmt: skip


@dataclass(frozen=True)
class Country:
    """34 territories with a page each."""

    academies: list[str]
    accounts: list[int]

    def place(self, delivery: int) -> int:
        """Which territory a delivery is for."""
        return delivery % len(self.academies)


def found(engine: Engine) -> Country:
    """The reference data, the pages, one person."""
    migrate(engine)
    at = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    with writing(engine) as session:
        importing.load_reference(session, at=at)
        academies = sorted(session.exec(select(Territory.code).where(Territory.level == Level.ACADEMIE)))
        pages = [
            Account(
                network=AccountNetwork.FACEBOOK, name=f"Page {code}", remote_id=code, territory_code=code, created_at=at
            )
            for code in academies
        ]
        session.add_all([Person(email="bench@example.org", name="Bench", created_at=at), *pages])
        session.flush()
        return Country(academies, [page.id for page in pages if page.id is not None])


def sent_at(delivery: int, deliveries: int) -> datetime:
    """When a delivery went out: evenly over three years, in the daytime of Paris."""
    day = FIRST + timedelta(days=(delivery - 1) * DAYS // deliveries)
    return datetime(day.year, day.month, day.day, 7 + delivery % 11, tzinfo=UTC)


def publish(session: Session, country: Country, numbers: Sequence[int], deliveries: int) -> None:
    """Deliveries that are out, one post each, without any figure."""
    posts, approvals, out = [], [], []
    for number in numbers:
        at, place = sent_at(number, deliveries), country.place(number)
        useless = at + timedelta(days=1)
        wall = at.strftime("%Y-%m-%dT%H:%M")
        posts.append(
            {
                "id": number, "kind": list(Kind)[number % 5], "state": PostState.APPROVED, "version": 1, "text": f"Post {number}",
                "wall_time": wall, "zone": "Europe/Paris", "first_due_at": at, "useless_after": useless, "author_id": 1,
                "changed_by_id": 1, "seed": "x", "territory_code": country.academies[place], "created_at": at, "changed_at": at,
            }
        )  # fmt: skip
        approvals.append({"id": number, "post_id": number, "by_id": 1, "at": at, "content": "x", "fingerprint": "x"})
        out.append(
            {
                "id": number, "post_id": number, "account_id": country.accounts[place], "approval_id": number, "key": str(number),
                "gate_key": "open", "territory_code": country.academies[place], "provenance": Provenance.OWN_PAGE,
                "text": f"Post {number}", "text_key": str(number), "wall_time": wall, "zone": "Europe/Paris", "due_at": at,
                "useless_after": useless, "ready_at": at, "state": DeliveryState.SENT, "sent_at": at, "remote_id": f"r{number}",
            }
        )  # fmt: skip
    for table, rows in ((Post, posts), (Approval, approvals), (Delivery, out)):
        session.connection().execute(insert(table), rows)


def fill(engine: Engine, country: Country, deliveries: int) -> None:
    """Everything that was read of so many deliveries, and the roll-up of it as our services keep it."""
    for first in range(1, deliveries + 1, PAGE):
        numbers = range(first, min(first + PAGE, deliveries + 1))
        with writing(engine) as session:
            publish(session, country, numbers, deliveries)
            samples = [one for number in numbers for one in samples_of(number, sent_at(number, deliveries))]
            at = bulk.moments(session)
            rows = [(*tuple(one.values())[:-1], at[one["read_at"]]) for one in samples]
            bulk.put(session, Sample, measuring.SAMPLE, rows, keys=("delivery_id", "metric", "slot"), renew=False)
            session.connection().execute(
                insert(ReachFigure), [_newest(one) for one in samples if one["slot"] == HOURS[-1]]
            )
            session.connection().execute(insert(Reached), [_row(country, number, deliveries) for number in numbers])
            rolling.sum_up(session, numbers)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if on_server(engine) else "ANALYZE"))


def _newest(sample: dict[str, Any]) -> dict[str, Any]:
    first = sample["read_at"] - timedelta(hours=HOURS[-1] - HOURS[0])
    kept = {name: sample[name] for name in ("delivery_id", "metric", "unit", "value", "missing")}
    return kept | {"first_read_at": first, "last_read_at": sample["read_at"]}


def _row(country: Country, number: int, deliveries: int) -> dict[str, Any]:
    at, code = sent_at(number, deliveries), country.academies[country.place(number)]
    figures = {
        unit.value: value(number, place, len(HOURS) - 1) for place, (_name, unit, _size) in enumerate(METRICS[:4])
    }
    there = at.astimezone(zone_info("Europe/Paris"))
    return {
        **rolling.unread("facebook", has_link=False), "people_missing": 0, **figures,
        "delivery_id": number, "territory_code": code, "area": code, "day": there.date(), "week": monday(there.date()), "hour": there.hour,
        "post_id": number, "kind": list(Kind)[number % 5].value, "account_id": country.accounts[country.place(number)],
        "network": "facebook", "provenance": Provenance.OWN_PAGE.value, "unlimited": False,
    }  # fmt: skip


# --- The same question, asked in three ways -------------------------------------------------------------------

Weeks = dict[tuple[str, date, str], int]
"""Territory, Monday and kind of figure → what was reached."""


def by_roll_up(engine: Engine, first: date, last: date) -> Weeks:
    """As our report asks."""
    with reading(engine) as session:
        frame = reporting.Frame(first, last)
        weeks = reporting.over_time(session, frame, reporting.Span.WEEK, by=ANALYST, keys=("area",))
    return {
        (told.key[0], week, unit.value): cell.value or 0 for week, told in weeks for unit, cell in told.cells.items()
    }


COUNTED: Final = ", ".join(f"'{name}'" for name, _unit, _size in METRICS[:4])
SQLITE: Final = f"""
SELECT delivery.territory_code, date(delivery.sent_at, '+1 hours', 'weekday 0', '-6 days'), newest.unit,
       CASE newest.unit WHEN 'people' THEN max(newest.value) ELSE sum(newest.value) END
FROM (SELECT delivery_id, metric, unit, value, max(slot) FROM sample
      WHERE value IS NOT NULL AND metric IN ({COUNTED}) GROUP BY delivery_id, metric) AS newest
JOIN delivery ON delivery.id = newest.delivery_id GROUP BY 1, 2, 3"""
POSTGRESQL: Final = f"""
SELECT delivery.territory_code, date_trunc('week', delivery.sent_at AT TIME ZONE delivery.zone)::date, newest.unit,
       CASE newest.unit WHEN 'people' THEN max(newest.value) ELSE sum(newest.value) END
FROM (SELECT DISTINCT ON (delivery_id, metric) delivery_id, metric, unit, value FROM sample
      WHERE value IS NOT NULL AND metric IN ({COUNTED}) ORDER BY delivery_id, metric, slot DESC) AS newest
JOIN delivery ON delivery.id = newest.delivery_id GROUP BY 1, 2, 3"""
DUCKDB: Final = f"""
SELECT territory, date_trunc('week', day)::DATE, unit, CASE unit WHEN 'people' THEN max(value) ELSE sum(value) END
FROM (SELECT delivery_id, metric, any_value(territory) AS territory, any_value(day) AS day, any_value(unit) AS unit,
             arg_max(value, slot) AS value
      FROM read_parquet(?) WHERE value IS NOT NULL AND metric IN ({COUNTED}) GROUP BY delivery_id, metric)
GROUP BY 1, 2, 3"""


def by_scan(engine: Engine) -> Weeks:
    """Out of the raw samples, in the same database."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(POSTGRESQL if on_server(engine) else SQLITE).all()
    return {(row[0], _day(row[1]), row[2]): int(row[3]) for row in rows}


def _day(told: Any) -> date:
    return told if isinstance(told, date) else date.fromisoformat(told)


def by_duckdb(connection: duckdb.DuckDBPyConnection, file: Path) -> Weeks:
    """Out of a Parquet file of the raw samples, each with its territory and day."""
    rows = connection.execute(DUCKDB, [str(file)]).fetchall()
    return {(row[0], row[1], row[2]): int(row[3]) for row in rows}


def write_parquet(country: Country, deliveries: int, file: Path) -> None:
    """The raw samples as an analyst would keep them."""
    schema = pa.schema(
        [("delivery_id", pa.int64()), ("territory", pa.string()), ("day", pa.date32()), ("metric", pa.string()),
         ("unit", pa.string()), ("slot", pa.int32()), ("value", pa.int64())]
    )  # fmt: skip
    with pq.ParquetWriter(file, schema) as writer:
        for first in range(1, deliveries + 1, PAGE):
            rows = [
                {**one, "unit": one["unit"].value, "territory": country.academies[country.place(number)],
                 "day": (sent_at(number, deliveries) + timedelta(hours=1)).date()}
                for number in range(first, min(first + PAGE, deliveries + 1))
                for one in samples_of(number, sent_at(number, deliveries))
            ]  # fmt: skip
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


# --- Keeping samples ------------------------------------------------------------------------------------------


def keep(engine: Engine, deliveries: Sequence[int], total: int) -> float:
    """Our way: a hundred posts of an account at a time, samples and roll-up in one transaction; rows a second."""
    batches = [deliveries[first : first + 100] for first in range(0, len(deliveries), 100)]
    rows = [[one for number in some for one in samples_of(number, sent_at(number, total))] for some in batches]
    began = perf_counter()
    for some in rows:
        with writing(engine) as session:
            measuring.keep(session, "facebook", some)
    return sum(map(len, rows)) / (perf_counter() - began)


def insert_bare(engine: Engine, deliveries: Sequence[int], total: int) -> float:
    """The same rows put into the same table by the driver, a transaction per hundred posts, and nothing else."""
    batches = [deliveries[first : first + 100] for first in range(0, len(deliveries), 100)]
    mark = "%s" if on_server(engine) else "?"
    statement = (
        "INSERT INTO sample (delivery_id, metric, unit, slot, value, missing, read_at) "
        f"VALUES ({', '.join([mark] * 7)})"
    )
    rows = [[one for number in some for one in samples_of(number, sent_at(number, total))] for some in batches]
    began = perf_counter()
    for some in rows:
        with engine.execution_options(relais_writing=True).begin() as connection:
            told = [
                (one["delivery_id"], one["metric"], one["unit"].value, one["slot"], one["value"], None,
                 one["read_at"].isoformat(" "))
                for one in some
            ]  # fmt: skip
            connection.exec_driver_sql(statement, told)
    return sum(map(len, rows)) / (perf_counter() - began)


# --- The page -----------------------------------------------------------------------------------------------------


@contextmanager
def browser(engine: Engine, home: Path) -> Iterator[Callable[[], float]]:
    """A signed-in analyst who opens the reach page of a year; it answers the seconds that this took."""
    now = datetime(FIRST.year + 3, FIRST.month, FIRST.day, 12, tzinfo=UTC)
    with writing(engine) as session:
        joining.give_role(session, 1, RoleKind.ANALYST, "FR", by="operator", at=now)
        cookie = visiting.enter(session, 1, device="bench", at=now)
    hub = replace(wire(Settings(home=home), engine=engine), now=lambda: now)
    with TestClient(create_app(hub), cookies={"relais": cookie}, headers={"Accept-Language": "fr"}) as client:

        def ask() -> float:
            began = perf_counter()
            answer = client.get(f"/equipe/portee?du={FIRST.year + 2}-11-01&au={FIRST.year + 3}-10-31")
            assert answer.status_code == 200, answer.text[:300]
            return perf_counter() - began

        yield ask


def queries_of(engine: Engine, ask: Callable[[], float]) -> list[tuple[str, Any]]:
    """What the page asks the database."""
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    ask()
    event.remove(engine, "before_cursor_execute", listen)
    return asked


def alone(engine: Engine, asked: Sequence[tuple[str, Any]]) -> float:
    """Seconds that the same questions take the driver, rows fetched and thrown away."""
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        began = perf_counter()
        for statement, parameters in asked:
            cursor.execute(statement, parameters)
            cursor.fetchall()
        return perf_counter() - began


def _page(engine: Engine, name: str, folder: Path, turns: int) -> str:
    with browser(engine, folder) as ask:
        asked = queries_of(engine, ask)
        pages = [ask() for _turn in range(turns)]
        bare = [alone(engine, asked) for _turn in range(turns)]
    return ratio(f"{name}: the reach page of a year / its {len(asked)} queries alone", pages, bare, 1.5, least=False)


# --- In turns -----------------------------------------------------------------------------------------------------


def timed(do: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = perf_counter()
    do()
    return perf_counter() - began


def measure_reports(engine: Engine, name: str, turns: int) -> list[str]:
    """The roll-up beside the scan, and a month beside the same month without the years before."""
    last = FIRST + timedelta(days=DAYS)
    assert by_roll_up(engine, FIRST, last) == by_scan(engine), "both must tell the same"
    ours = [timed(lambda: by_roll_up(engine, FIRST, last)) for _turn in range(turns)]
    scan = [timed(lambda: by_scan(engine)) for _turn in range(max(1, turns // 2))]
    return [ratio(f"{name}: country by territory and week, roll-up / raw scan", ours, scan, 1 / 20, least=False)]


def ratio(what: str, ours: Sequence[float], theirs: Sequence[float], goal: float, *, least: bool) -> str:
    """One line: the ratio of the medians, its goal, and how far the runs were apart."""
    seen = median(ours) / median(theirs)
    sign, met = ("at least", seen >= goal) if least else ("at most", seen <= goal)
    spread = f"{min(ours) / max(theirs):.3f} to {max(ours) / min(theirs):.3f}"
    return f"{'met' if met else 'MISSED'}: {what}: {seen:.3f} (goal {sign} {goal:g}, turns {spread})"


@contextmanager
def databases(folder: Path, *, servers: bool) -> Iterator[list[tuple[str, str]]]:
    """SQLite, and a PostgreSQL of our own that waits for its disk."""
    addresses = [("SQLite", f"sqlite:///{folder / 'relais.db'}")]
    if not servers:
        yield addresses
        return
    with postgresql.running(durable=folder) as server, server.database() as name:
        yield [*addresses, ("PostgreSQL", server.url(name))]


def main() -> int:
    """Print what was seen; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--sqlite-only", action="store_true")
    asked = parser.parse_args()
    deliveries = asked.samples // EACH
    told: list[str] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as kept:
        folder = Path(kept)
        folder.chmod(0o755)
        with databases(folder, servers=not asked.sqlite_only) as addresses:
            for name, url in addresses:
                told += _on(name, url, folder, deliveries, asked.turns)
    print("\n".join(told))
    return 1 if any(line.startswith("MISSED") for line in told) else 0


def _on(name: str, url: str, folder: Path, deliveries: int, turns: int) -> list[str]:
    engine = build_engine(url)
    country = found(engine)
    fill(engine, country, deliveries)
    told = measure_reports(engine, name, turns)
    last = FIRST + timedelta(days=DAYS)
    file = folder / "samples.parquet"
    if not file.exists():
        write_parquet(country, deliveries, file)
    with duckdb.connect() as connection:
        assert by_duckdb(connection, file) == by_roll_up(engine, FIRST, last), "both must tell the same"
        ours = [timed(lambda: by_roll_up(engine, FIRST, last)) for _turn in range(turns)]
        duck = [timed(lambda: by_duckdb(connection, file)) for _turn in range(turns)]
    told.append(
        ratio(f"{name}: the same, roll-up / DuckDB over Parquet of the raw samples", ours, duck, 1, least=False)
    )
    told.append(_page(engine, name, folder, turns))
    told += _ingest(engine, name, country, deliveries, turns)
    told.append(_flat(engine, name, folder, country, deliveries, turns))
    engine.dispose()
    return told


def _ingest(engine: Engine, name: str, country: Country, deliveries: int, turns: int) -> list[str]:
    """New deliveries for each turn and side, behind all that is there."""
    ours: list[float] = []
    bare: list[float] = []
    more, following = 500, deliveries + 1
    total = deliveries + 2 * turns * more
    for _turn in range(turns):
        for side in (ours, bare):
            numbers = range(following, following + more)
            following += more
            with writing(engine) as session:
                publish(session, country, numbers, total)
                for number in numbers:
                    delivery = session.get(Delivery, number)
                    assert delivery is not None
                    rolling.enter(session, delivery)
            side.append((keep if side is ours else insert_bare)(engine, numbers, total))
    return [
        ratio(
            f"{name}: samples kept a second, with their roll-up / a bare insert of the same rows",
            ours,
            bare,
            0.5,
            least=True,
        )
    ]


def _flat(engine: Engine, name: str, folder: Path, country: Country, deliveries: int, turns: int) -> str:
    """Four weeks out of three years, beside four weeks of a hub that is a month old (on SQLite for both)."""
    last = FIRST + timedelta(days=DAYS - 1)
    month = (last - timedelta(days=27), last)
    fresh = build_engine(f"sqlite:///{folder / f'fresh-{name}.db'}")
    young = found(fresh)
    begin = next(number for number in range(1, deliveries + 1) if sent_at(number, deliveries).date() >= month[0])
    with writing(fresh) as session:
        numbers = range(begin, deliveries + 1)
        publish(session, young, numbers, deliveries)
        session.connection().execute(insert(Reached), [_row(young, number, deliveries) for number in numbers])
        rolling.sum_up(session, numbers)
    with fresh.connect() as connection:
        connection.execute(text("ANALYZE"))
    old = [timed(lambda: by_roll_up(engine, *month)) for _turn in range(3 * turns)]
    new = [timed(lambda: by_roll_up(fresh, *month)) for _turn in range(3 * turns)]
    fresh.dispose()
    return ratio(f"{name}: four weeks, behind three years of history / behind none", old, new, 1.25, least=False)


if __name__ == "__main__":
    sys.exit(main())
