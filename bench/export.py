"""The export as CSV beside DuckDB's own export of the same rows (goal: at least 0.3 of its speed), and a workbook of 100,000 rows beside one of 10,000 (goal: at most 1.5 times the memory)."""  # noqa: E501

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb
from sqlalchemy import Engine

from hub.database import build_engine, migrate, reading, writing
from hub.domain.account import Account, AccountNetwork
from hub.domain.person import Actor, HeldRole, RoleKind
from hub.domain.territory import Level
from hub.services import exporting, geotargeting, importing, lining, tabling
from hub.services.exporting import Plan
from hub.services.reporting import Frame

ROWS, TURNS = 1_000_000, 5
SHORT, LONG = 10_000, 100_000
ANALYST = Actor(1, "who@example.org", "Who", (HeldRole(RoleKind.ANALYST, "FR"),))
WHOLE = Frame(date(2023, 1, 1), date(2026, 12, 31))

METRICS = (
    ("post_clicks", "clicks"),
    ("post_media_view", "views"),
    ("post_reactions_by_type_total", "reactions"),
    ("post_total_media_view_unique", "people"),
)


def build(folder: Path, rows: int) -> Engine:
    """Three years of deliveries on the pages of all académies, four figures each, every twentieth not told."""
    engine = build_engine(f"sqlite:///{folder / 'relais.db'}")
    migrate(engine)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with writing(engine) as session:
        importing.load_reference(session, at=now)
        nodes = geotargeting.atlas(session).nodes.values()
        lands = sorted(node.code for node in nodes if node.level is Level.ACADEMIE)
        for code in lands:
            name = f"Page de l'académie {code}"
            session.add(
                Account(network=AccountNetwork.FACEBOOK, name=name, remote_id=code, territory_code=code, created_at=now)
            )
    # Only what an export reads: posts and deliveries behind these rows are left out.
    with sqlite3.connect(folder / "relais.db") as connection:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :deliveries)"
        deliveries = rows // len(METRICS)
        connection.execute("CREATE TEMP TABLE land (number INTEGER PRIMARY KEY, code TEXT)")
        connection.executemany("INSERT INTO land VALUES (?, ?)", enumerate(lands))
        given = {"deliveries": deliveries, "per_day": max(deliveries // 1000, 1), "lands": len(lands)}
        connection.execute(
            "INSERT INTO reached (delivery_id, territory_code, area, day, week, hour, post_id, kind, account_id, "
            "network, provenance, unlimited, people_missing, views_missing, impressions_missing, clicks_missing, "
            f"reactions_missing, arrivals_missing) {numbers} SELECT i, code, code, "
            "date('2023-01-01', '+' || (i / :per_day) || ' days'), "
            "date('2023-01-01', '+' || (i / :per_day) || ' days', 'weekday 0', '-6 days'), "
            "i % 24, i, 'event', number + 1, 'facebook', "
            "'own page', 0, 0, 0, 0, 0, 0, 0 FROM n JOIN land ON number = i % :lands",
            given,
        )
        told = ", ".join(f"('{metric}', '{unit}')" for metric, unit in METRICS)
        connection.execute(
            "INSERT INTO reach_figure (delivery_id, metric, unit, value, missing, first_read_at, last_read_at) "
            f"{numbers} SELECT i, column1, column2, iif((i + length(column1)) % 20, i * 7919 % 100000, NULL), "
            "iif((i + length(column1)) % 20, NULL, 'not available'), "
            "datetime('2023-01-01', '+' || i || ' minutes') || '.000000', "
            f"datetime('2023-01-29', '+' || i || ' minutes') || '.000000' FROM n, (VALUES {told})",
            given,
        )
    connection.close()
    return engine


def ours(engine: Engine, file: Path) -> float:
    """Seconds that the export takes, from the plan to the file."""
    began = perf_counter()
    with reading(engine) as session:
        plan = exporting.plan(session, WHOLE, by=ANALYST)
    entries = exporting.entries(partial(reading, engine), plan)
    with file.open("w", encoding="utf-8", newline="") as out:
        out.writelines(lining.csv(entries, plan.catalogue.version))
    return perf_counter() - began


def theirs(connection: duckdb.DuckDBPyConnection, file: Path) -> float:
    """Seconds that DuckDB takes to write the same rows, which it has in a table of its own."""
    began = perf_counter()
    connection.execute(f"COPY reach TO '{file}' (FORMAT csv, HEADER)")
    return perf_counter() - began


def in_turns(engine: Engine, folder: Path, turns: int, rows: int) -> tuple[list[float], float, float]:
    """The ratio of each pair of turns, and how many rows a second both sides write."""
    ours(engine, folder / "ours.csv")
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE reach AS SELECT * FROM read_csv('{folder / 'ours.csv'}')")
        [(count,)] = connection.execute("SELECT count(*) FROM reach").fetchall()
        assert count == rows, (count, rows)
        theirs(connection, folder / "theirs.csv")
        pairs = [
            (ours(engine, folder / "ours.csv"), theirs(connection, folder / "theirs.csv")) for _turn in range(turns)
        ]
    speeds = rows / median(one for one, _other in pairs), rows / median(other for _one, other in pairs)
    return [other / one for one, other in pairs], *speeds


def peak(engine: Engine, plan: Plan, file: Path, rows: int) -> int:
    """The most memory at any moment while a workbook of so many rows is written."""
    coming = exporting.entries(partial(reading, engine), plan)
    limited = (entry for _number, entry in zip(range(rows // len(METRICS)), coming, strict=False))
    tracemalloc.start()
    try:
        with file.open("wb") as out:
            assert tabling.write_workbook(out, limited, plan) == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def told(question: str, ratio: float, goal: float, good: Callable[[float, float], bool], beside: str) -> bool:
    """Print one line, and say whether the goal is met."""
    print(f"{question}: {ratio:.2f} (goal {goal}; {beside})")
    return good(ratio, goal)


def main() -> int:
    """Measure both questions; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--turns", type=int, default=TURNS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        engine = build(folder, asked.rows)
        ratios, here, there = in_turns(engine, folder, asked.turns, asked.rows)
        turns = f"turns {min(ratios):.2f} to {max(ratios):.2f}; {here:,.0f} and {there:,.0f} rows a second"
        fast = told("CSV / DuckDB's CSV of the same rows", median(ratios), 0.3, float.__ge__, turns)
        with reading(engine) as session:
            plan = exporting.plan(session, WHOLE, by=ANALYST)
        peak(engine, plan, folder / "first.xlsx", 400)
        few, many = (peak(engine, plan, folder / "reach.xlsx", rows) for rows in (SHORT, LONG))
        sizes = f"{few / 1e6:.1f} and {many / 1e6:.1f} MB"
        flat = told(f"memory of a workbook of {LONG:,} rows / of {SHORT:,}", many / few, 1.5, float.__le__, sizes)
        engine.dispose()
    return 0 if fast and flat else 1


if __name__ == "__main__":
    sys.exit(main())
