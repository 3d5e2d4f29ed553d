"""Floors, names and opening lines: what holds the house together."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.house.tree import FLOORS, ROOT, docstring, modules, read

NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "core", "misc"}
HEAVY = (
    "alembic",
    "apscheduler",
    "facebook",
    "fastapi",
    "httpx",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "sqlmodel",
    "tweepy",
)


def test_everybody_looks_down_never_up() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    told = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout + told.stderr


def test_the_entry_point_imports_commands_only() -> None:
    found = [node for node in ast.walk(ast.parse(read("cli.py"))) if isinstance(node, ast.Import | ast.ImportFrom)]

    assert [ast.unparse(node) for node in found] == ["from hub.commands import run"]


def test_help_is_shown_without_waiting_for_what_is_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from cli import main\n"
        "sys.argv = ['relais', '--help']\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "RELAIS_LANGUAGE": "en"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stderr
    assert "init" in told.stdout
    assert [name for name in HEAVY if name in told.stderr.split()] == []


LOUD = frozenset({"debug", "info", "warning", "error", "exception", "critical"})


def test_every_line_of_log_is_made_of_words_and_values() -> None:
    free = []
    for path in modules(*FLOORS):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            said = node.func if isinstance(node, ast.Call) else None
            if (
                isinstance(node, ast.Call)
                and isinstance(said, ast.Attribute)
                and ast.unparse(said.value) in {"log", "logger", "logging"}
                and said.attr in LOUD
                and ast.unparse(node.args[0]) != "told"
                and not ast.unparse(node.args[0]).startswith("line(")
            ):
                free.append(f"{path}:{node.lineno}")

    assert free == []


def test_every_room_says_what_it_is() -> None:
    silent = []
    for path in [Path("cli.py"), Path("hatch_build.py"), *modules(*FLOORS, "bench", "tests")]:
        if path.name == "__init__.py" and not (ROOT / path).read_text(encoding="utf-8").strip():
            continue
        first = (docstring(path) or "").split("\n")[0]
        if len(first) < 10 or not first.endswith((".", "?", ":")):
            silent.append(f"{path}: {first!r}")

    assert silent == []


def test_no_room_has_a_name_that_says_nothing() -> None:
    found = [
        str(path)
        for path in modules(*FLOORS, "bench", "tests")
        for part in (*path.parent.parts, path.stem)
        if NO_NAMES & set(re.split(r"[_\W]+", part.lower()))
    ]

    assert found == []


def test_nobody_else_ships_our_names() -> None:
    owners = packages_distributions()

    others = {name: set(owners.get(name, ())) - {"relais"} for name in (*FLOORS, "cli")}

    assert {name: found for name, found in others.items() if found} == {}
