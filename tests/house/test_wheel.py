"""The wheel: what is in it, and that it runs from elsewhere, in French."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.house.tree import FLOORS, ROOT

pytestmark = pytest.mark.slow

PARTS = ("cli.py", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE")
PURPOSE = "Relais: each post reaches only the territory it is meant for."


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of what it is made of: other tests may be reading our own catalogues."""
    place, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, place / floor, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    for part in PARTS:
        shutil.copy(ROOT / part, place / part)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(place)]
    told = subprocess.run(build, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_our_rooms_and_what_they_need_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "hub",
        "channels",
        "schedules",
        "cli.py",
    }
    assert "hub/data/communes.csv" in names
    assert "hub/locale/fr/LC_MESSAGES/relais.mo" in names
    assert "hub/migrations/env.py" in names
    assert [name for name in names if name.endswith((".db", ".key", ".pyc"))] == []
    assert any(name.endswith("LICENSE") for name in names)


def test_the_wheel_runs_from_elsewhere_in_french(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)

    told = subprocess.run(
        [sys.executable, "-P", "-c", "import cli; print(cli.__file__); cli.main()", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(place), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )

    assert told.returncode == 0, told.stderr
    where, *words = told.stdout.splitlines()
    assert Path(where) == place / "cli.py"
    with (ROOT / "hub/locale/fr/LC_MESSAGES/relais.po").open("rb") as file:
        french = read_po(file, locale="fr")[PURPOSE].string
    assert isinstance(french, str)
    assert french
    assert french in " ".join(" ".join(words).split())
