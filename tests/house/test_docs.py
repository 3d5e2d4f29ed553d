"""The docs are true: they name every room, command and setting, and their pictures are those of the code."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from babel.messages.pofile import read_po

from hub.domain import delivery, post
from hub.domain.account import AccountState
from hub.domain.delivery import DeliveryState, Provenance
from hub.domain.person import RoleKind
from hub.domain.post import Kind, PostState
from hub.domain.reach import Unit
from hub.services import connecting, joining, reporting
from hub.settings import Settings
from tests.house.tree import FLOORS, ROOT, modules, read, rooms, tracked

OUTSIDE = {"http", "https", "mailto"}
DOORS = (
    "install",
    "check",
    "test",
    "test-all",
    "prove",
    "demo",
    "run",
    "migrate",
    "bench",
    "mutants",
    "docs",
    "screenshots",
    "wheel",
    "catalogues",
    "lock",
)


def test_the_tour_shows_every_room_and_no_other() -> None:
    shown = re.findall(r"^\| `([^`]+)` \| \S", read("docs/tour.md"), re.MULTILINE)
    drawers = {path for path in shown if not path.endswith(".py") and (ROOT / path).is_dir()}

    assert sorted(set(rooms()) - set(shown)) == [], "rooms that the tour does not show"
    assert sorted(set(shown) - set(rooms()) - drawers) == [], "shown, but not there"
    assert sorted(path for path in set(shown) if shown.count(path) > 1) == []


def test_what_is_drawn_from_the_code_is_current() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.house.drawn", "--check"],
        cwd=ROOT,
        env={**os.environ, "RELAIS_LANGUAGE": "en"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr + "Run: make docs"


def test_every_command_says_what_it_does() -> None:
    rows = re.findall(r"^\| `(relais [^`]+)` \|(.*)\|$", read("docs/commands.md"), re.MULTILINE)

    assert rows
    assert [command for command, words in rows if len(words.strip()) < 10] == []


def _glossary() -> dict[str, dict[str, str]]:
    """Heading → code word → screen word, as docs/glossary.md pairs them."""
    told: dict[str, dict[str, str]] = {}
    for line in read("docs/glossary.md").splitlines():
        if line.startswith("## "):
            heading = told.setdefault(line[3:], {})
        elif found := re.match(r"\| ([^|`]+) \| ([^|]+) \|", line):
            heading[found[1].strip()] = found[2].strip()
    return told


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Kinds of posts", list(Kind)),
        ("Roles", list(RoleKind)),
        ("States of a post", list(PostState)),
        ("States of a delivery", list(DeliveryState)),
        ("States of an account", list(AccountState)),
        ("Provenance: what a figure can say about a territory", list(Provenance)),
        ("Figures", list(Unit)),
    ],
)
def test_the_glossary_has_every_word_that_is_stored(heading: str, words: list[str]) -> None:
    assert sorted(set(words) - set(_glossary()[heading])) == []


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Roles", joining.ROLE_NAMES),
        ("States of a post", post.STATE_NAMES),
        ("States of a delivery", delivery.STATE_NAMES),
        ("States of an account", connecting.STATE_NAMES),
        ("Provenance: what a figure can say about a territory", reporting.PROVENANCE_NAMES),
        ("Figures", reporting.UNIT_NAMES),
    ],
)
def test_words_are_on_screen_as_in_the_glossary(heading: str, names: Mapping[str, str]) -> None:
    with (ROOT / "hub/locale/fr/LC_MESSAGES/relais.po").open("rb") as file:
        french = read_po(file, locale="fr")
    told = _glossary()[heading]

    shown = {str(state): getattr(french.get(name), "string", None) for state, name in names.items()}

    assert shown == {state: told[state] for state in shown}


def _settings_rows() -> dict[str, str]:
    """Name → default, as docs/settings.md gives them."""
    rows = re.findall(r"^\| `(RELAIS_[A-Z_]+)` \| ([^|]*) \| \S", read("docs/settings.md"), re.MULTILINE)
    assert len({name for name, _ in rows}) == len(rows)
    return dict(rows)


def test_every_setting_is_explained_with_its_default() -> None:
    told = _settings_rows()
    wrong = []
    for name, field in Settings.model_fields.items():
        variable = f"RELAIS_{name.upper()}"
        default = field.default
        plain = isinstance(default, str | int | float) or type(default).__name__ == "Decimal"
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        if variable not in told:
            wrong.append(f"{variable} is not explained")
        elif plain and f"`{shown}`" not in told[variable]:
            wrong.append(f"{variable} is {shown} by default, not {told[variable]}")

    assert wrong == []


def test_every_variable_that_the_code_reads_is_explained() -> None:
    told = set(_settings_rows())
    fields = {f"RELAIS_{name.upper()}" for name in Settings.model_fields}
    read_here = {
        node.value
        for path in modules(*FLOORS)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"RELAIS_[A-Z_]*[A-Z]", node.value)
    }

    assert sorted(read_here - told) == [], "read, but not explained"
    assert sorted(told - fields - read_here) == [], "explained, but never read"


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in tracked() if path.suffix == ".md"])
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    broken = [
        target
        for target in targets
        if urlsplit(target).scheme not in OUTSIDE
        and not target.startswith("#")
        and not ((ROOT / page).parent / target.split("#")[0]).exists()
    ]

    assert broken == []


def test_every_decision_has_its_four_parts() -> None:
    parts = ["## Context", "## Choice", "## Why", "## What we gave up"]
    pages = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))

    told = {page.name: re.findall(r"^## .*", page.read_text(encoding="utf-8"), re.MULTILINE) for page in pages}

    assert told
    assert {name: found for name, found in told.items() if found[: len(parts)] != parts} == {}


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads(read("pyproject.toml"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["dev"]]
    names = {re.match(r"[\w.-]+", one).group() for one in wanted}  # type: ignore[union-attr]
    shown = set(re.findall(r"^\| `([\w.-]+)` \|", read("docs/decisions/0001-dependencies.md"), re.MULTILINE))

    assert sorted(names ^ shown) == []


def test_make_help_lists_every_door() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    shown = re.findall(r"^make (\S+) +\S", told, re.MULTILINE)
    assert [door for door in DOORS if door not in shown] == []


def test_the_readme_fits_one_screen() -> None:
    lines = Path(ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert 15 <= len(lines) <= 60
    assert {"make demo", "make test"} <= {line.strip() for line in lines}
