"""The wheel: what is in it, and that it runs from elsewhere, in French."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built here and now."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
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
    assert "chaque publication n’atteint que le territoire auquel elle est destinée" in " ".join(words)
