"""What a delivery costs with a million of history behind it, beside one with a thousand (goal: at least 0.8 of its throughput)."""  # noqa: E501

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import text

from bench.dispatch import embedded, furnish, network
from hub.database import build_engine

FEW, MANY = 1_000, 1_000_000
DELIVERIES, TURNS = 800, 5

COPIED = (
    "post_id", "account_id", "approval_id", "territory_code", "provenance", "text", "wall_time", "zone", "due_at",
    "useless_after", "state", "ready_at", "epoch", "attempts", "setbacks", "sent_at", "looks", "failed_looks",
    "withdrawn",
)  # fmt: skip
"""What sent deliveries of long ago have alike."""


def add_history(url: str, rows: int) -> None:
    """So many sent deliveries with their attempts, copied from one."""
    engine = build_engine(url)
    named = ", ".join(COPIED)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
    with engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO delivery ({named}, key, gate_key, text_key, remote_id) {numbers} "
                f"SELECT {named}, 'h' || i, 'h' || i, 'h' || i, 'h' || i FROM n, "
                "(SELECT * FROM delivery WHERE state = 'sent' ORDER BY id LIMIT 1) AS one"
            ),
            {"rows": rows},
        )
        connection.execute(
            text(
                "INSERT INTO attempt (delivery_id, n, kind, phase, started_at, deadline_at, ended_at, outcome) "
                "SELECT id, 1, 'publish', 'publishing', sent_at, sent_at, sent_at, 'ok' FROM delivery "
                "WHERE remote_id LIKE 'h%'"
            )
        )
    engine.dispose()


def per_second(rows: int, folder: Path, port: int) -> float:
    """How many deliveries leave in a second with so much behind them."""
    due_at = datetime.now(UTC)
    url = f"sqlite:///{folder / 'relais.db'}"
    furnish(url, deliveries=DELIVERIES, due_at=due_at, history=40)
    add_history(url, rows)
    return embedded(url, folder, port, due_at).per_second


def main() -> int:
    """Print the ratio; 1 when the goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MANY)
    parser.add_argument("--turns", type=int, default=TURNS)
    asked = parser.parse_args()
    ratios = []
    with network(0) as port, tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as kept:
        for turn in range(asked.turns):
            folders = [Path(kept) / f"{turn}-{rows}" for rows in (FEW, asked.rows)]
            for folder in folders:
                folder.mkdir()
            few, many = (
                per_second(rows, folder, port) for rows, folder in zip((FEW, asked.rows), folders, strict=True)
            )
            ratios.append(many / few)
            for folder in folders:
                for file in folder.iterdir():
                    file.unlink()
    told = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"{asked.rows} rows of history / {FEW}: {median(ratios):.2f} (goal 0.8, turns {told})")
    return 1 if median(ratios) < 0.8 else 0


if __name__ == "__main__":
    sys.exit(main())
