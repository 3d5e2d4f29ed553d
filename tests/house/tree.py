"""What lies in the house: its files, its modules, and what they say."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

FLOORS: Final = ("hub", "channels", "schedules")
"""What is shipped beside `cli.py`."""

_NOT_OURS: Final = {".git", ".venv", "build", "dist", "__pycache__"}


def tracked() -> list[Path]:
    """Every file that is kept in the history; where there is none, every file that is not made by tools."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        found = (path for path in ROOT.rglob("*") if path.is_file())
        return sorted(path for path in found if not _made_by_tools(path.relative_to(ROOT)))
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _made_by_tools(path: Path) -> bool:
    return any(part in _NOT_OURS or part.endswith("_cache") for part in path.parts) or path.suffix in {".pyc", ".mo"}


def modules(*tops: str) -> list[Path]:
    """The Python files under these folders, as paths from the root."""
    return sorted(path.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("*.py"))


def rooms() -> list[str]:
    """The rooms that the tour must show: `hub/language.py`, and a package by its folder, `hub/services/`."""
    shown = []
    for path in modules(*FLOORS):
        if "versions" in path.parts:
            continue
        shown.append(f"{path.parent}/" if path.name == "__init__.py" else str(path))
    return ["cli.py", *shown]


def docstring(path: Path) -> str | None:
    """What a module says of itself."""
    return ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))


def read(name: str) -> str:
    """The text of a file, by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")
