"""What is kept in the history holds no registry's address and no machine's path."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.tree import ROOT, tracked

REGISTRY = re.compile(
    "|".join(
        ("py" + r"pi\.org", "python" + r"hosted\.org", "--(?:extra-)?index" + r"-url[ =]\S", "/simp" + r"le/?[\s\"']")
    )
)
"""Written in pieces, so that this file does not find itself."""

MACHINE = re.compile(r"(?<![\w.}/~-])/(?:home|root|Users|work|opt|mnt)" + r"/[A-Za-z0-9._-]+")
OWN = re.compile("|".join(re.escape(str(place)) for place in {ROOT, Path.home()} if len(place.parts) > 1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_address_of_a_registry_is_kept() -> None:
    assert _found(REGISTRY) == []


def test_no_path_of_a_machine_is_kept() -> None:
    assert _found(MACHINE) + _found(OWN) == []


def test_nothing_secret_or_made_by_tools_is_kept() -> None:
    unwanted = re.compile(r"(\.db|\.db-wal|\.db-shm|\.key|\.pem|\.mo|\.pyc|\.log)$|(^|/)(\.env|access\.json|uv\.lock)$")

    assert [name for path in tracked() if unwanted.search(name := str(path.relative_to(ROOT)))] == []


def test_every_pinned_dependency_has_its_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")

        pins = re.findall(r"^([a-z0-9][\w.\[\]-]*)==\S+(.*)$", text, re.MULTILINE)

        assert pins
        assert [pin for pin, rest in pins if not rest.rstrip().endswith("\\")] == []
