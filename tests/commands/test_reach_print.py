"""`relais reach print`: the report as a file, whole or not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hub.printing import find_chromium
from hub.web.app import create_app
from tests.commands.conftest import Ran, Relais
from tests.services.counting import posted
from tests.services.desk import Desk
from tests.stage import Stage, build_stage, serving

Typing = Callable[..., Ran]
NOVEMBER = ("--from", "2026-11-01", "--to", "2026-11-30")


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    """People and accounts, and one post of Rennes that reached some."""
    stage = build_stage(engine, tmp_path)
    posted(Desk(stage, stage.hub.terms), "2026-11-03", 1234)
    return stage


@pytest.fixture
def typing(
    relais: Relais, stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Typing]:
    """`typing("animator", …)` types a command as somebody, in an empty folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RELAIS_CONFIG", str(tmp_path / "config"))
    with serving(create_app(stage.hub)) as url:
        monkeypatch.setenv("RELAIS_URL", url)

        def run(who: str, *arguments: str) -> Ran:
            monkeypatch.setenv("RELAIS_TOKEN", stage.tokens[who])
            return relais("reach", "print", *arguments)

        yield run


def test_the_report_of_a_territory_is_written_as_html(typing: Typing) -> None:
    ran = typing("animator", "--territory", "A-14", *NOVEMBER, "-o", "report.html")

    assert (ran.code, ran.out) == (0, "report.html is written.\n"), ran.err
    assert list(Path().iterdir()) == [Path("report.html")]
    html = Path("report.html").read_text(encoding="utf-8")
    assert "<h1>Reach: Rennes</h1>" in html
    assert "1,234" in html


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium here: install Debian's chromium")
def test_the_report_of_the_country_is_written_as_pdf(typing: Typing) -> None:
    ran = typing("analyst", *NOVEMBER, "--output", "report.PDF")

    assert ran.code == 0, ran.err
    assert Path("report.PDF").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", ["report.doc", "report", "-"])
def test_what_kind_of_file_it_is_must_be_told(typing: Typing, name: str) -> None:
    ran = typing("analyst", *NOVEMBER, "-o", name)

    assert ran.code == 2
    assert "Name a file that ends in .pdf or .html." in ran.err
    assert list(Path().iterdir()) == []


def test_a_refusal_leaves_the_file_that_was_there(typing: Typing) -> None:
    kept = Path("kept.html")
    kept.write_text("as it was")

    elsewhere = typing("stranger", "--territory", "A-14", "-o", "kept.html")
    wrong = typing("analyst", "--from", "2026-02-30", "-o", "kept.html")
    nowhere = typing("analyst", "-o", "no/such/folder.html")

    assert (elsewhere.code, wrong.code, nowhere.code) == (4, 2, 2)
    assert "There is no report of A-14 that you may see." in elsewhere.err
    assert "no/such/folder.html cannot be written" in nowhere.err
    assert (kept.read_text(), list(Path().iterdir())) == ("as it was", [kept])
