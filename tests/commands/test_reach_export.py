"""`relais reach export`: every format into a file that is complete or not there."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import Engine

from hub.commands.client import Download
from hub.commands.people import saving
from hub.domain.errors import Invalid
from hub.services import exporting, lining
from hub.services.exporting import COLUMNS
from hub.web.app import create_app
from tests.commands.conftest import Ran, Relais
from tests.services.counting import PEOPLE, published, read
from tests.services.desk import Desk
from tests.services.taking import asked, page_figure, read_back
from tests.stage import Stage, build_stage, serving
from tests.web.test_reach_export import spoil

Typing = Callable[..., Ran]
NOVEMBER = ("--from", "2026-11-01", "--to", "2026-11-30")


@pytest.fixture
def stage(engine: Engine, tmp_path: Path) -> Stage:
    return build_stage(engine, tmp_path)


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """One figure of a post, one of the page it stands on."""
    desk = Desk(stage, stage.hub.terms)
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    page_figure(desk, "rennes", "page_follows", date(2026, 11, 5), 900)
    return desk


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run, and leave their files."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RELAIS_CONFIG", str(tmp_path / "config"))
    return folder


@pytest.fixture
def typing(relais: Relais, stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typing]:
    """Type `relais reach export …` as the analyst, against a Relais that is served for real."""
    monkeypatch.setenv("RELAIS_TOKEN", stage.tokens["analyst"])
    with serving(create_app(stage.hub)) as url:
        monkeypatch.setenv("RELAIS_URL", url)
        yield lambda *arguments: relais("reach", "export", *NOVEMBER, *arguments)


def values(file: Path) -> list[object]:
    """The values of a file, as a reader of its format finds them."""
    if file.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(file)["data"]
        return [row[COLUMNS.index("value")] for row in sheet.iter_rows(min_row=2, values_only=True)]
    if file.suffix == ".parquet":
        return [value for (value,) in asked(f"SELECT value FROM '{file.resolve()}'")]
    if file.suffix == ".jsonl":
        return [json.loads(line)["value"] for line in file.read_text(encoding="utf-8").splitlines()]
    return [int(row["value"]) for row in read_back(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "jsonl"])
@pytest.mark.parametrize("named", [True, False])
def test_each_format_is_kept_by_the_name_of_the_file_or_as_it_is_asked_for(
    typing: Typing, desk: Desk, folder: Path, kind: str, named: bool
):
    name = f"reach.{kind}" if named else "reach"
    ran = typing("-o", name, *([] if named else ["--format", kind]))

    assert (ran.code, ran.out, ran.err) == (0, f"{name}: 2 rows.\n", "")
    assert [file.name for file in folder.iterdir()] == [name]
    assert values((folder / name).rename(folder / f"reach.{kind}")) == [120, 900]


def test_csv_has_the_separator_and_the_mark_that_were_asked_for(typing: Typing, desk: Desk, folder: Path):
    typing("-o", "reach.csv", "--separator", ";", "--bom")

    assert (folder / "reach.csv").read_bytes().startswith(b'\xef\xbb\xbf"day";"territory"')


def test_a_territory_may_be_asked_for(typing: Typing, desk: Desk):
    told = {code: typing("-o", "reach.csv", "--territory", code).out for code in ("R-53", "A-32")}

    assert told == {"R-53": "reach.csv: 2 rows.\n", "A-32": "reach.csv: 0 rows.\n"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--format", "xml"), "Choose one of"),
        (("--separator", "|"), "Choose one of"),
        (("--territory", "A-99"), "give a code such as FR"),
    ],
)
def test_what_cannot_be_given_is_refused_and_nothing_is_written(typing: Typing, folder: Path, wrong, told):
    ran = typing("-o", "reach.csv", *wrong)

    assert (ran.code, told in ran.err) == (2, True)
    assert list(folder.iterdir()) == []


def test_a_file_that_was_there_is_replaced_whole_and_readable_by_all(typing: Typing, desk: Desk, folder: Path):
    file = folder / "reach.jsonl"
    file.write_text("old", encoding="utf-8")

    typing("-o", "reach.jsonl")

    assert values(file) == [120, 900]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_to_standard_output_goes_nothing_but_rows(typing: Typing, desk: Desk, folder: Path):
    ran = typing("-o", "-", "--format", "jsonl")

    assert [json.loads(line)["value"] for line in ran.out.splitlines()] == [120, 900]
    assert (ran.err, list(folder.iterdir())) == ("", [])


# --- What breaks off, and what cannot be written ----------------------------------------------------------------


def test_an_export_that_breaks_off_leaves_what_was_there(
    typing: Typing, desk: Desk, folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lining, "LINES", 1)
    monkeypatch.setattr(exporting, "PAGE", 1)
    for number in range(3):
        [delivery] = published(desk, text=f"Numéro {number}")
        read(desk, delivery, **{PEOPLE: number})
    spoil(engine)
    (folder / "reach.csv").write_text("from yesterday", encoding="utf-8")

    ran = typing("-o", "reach.csv")

    assert ran.code == 1
    assert "was sending broke off (RemoteProtocolError), and nothing was kept." in ran.err
    assert [(file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir()] == [
        ("reach.csv", "from yesterday")
    ]


@contextmanager
def cut_off(answer: bytes) -> Iterator[str]:
    """A server that sends this much and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _address = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1,2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nRelais-Rows: 3\r\n\r\nPAR1",
    ],
)
def test_a_line_that_is_cut_leaves_nothing(
    relais: Relais, folder: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
):
    monkeypatch.setenv("RELAIS_TOKEN", "relais_x")
    with cut_off(answer) as url:
        monkeypatch.setenv("RELAIS_URL", url)
        ran = relais("reach", "export", "-o", "reach.parquet")

    assert (ran.code, "broke off" in ran.err) == (1, True)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(typing: Typing, desk: Desk, folder: Path):
    ran = typing("-o", "no/such/reach.csv")

    assert ran.code == 2
    assert "no/such/reach.csv cannot be written: No such file or directory. Nothing was kept" in ran.err
    assert list(folder.iterdir()) == []


if os.geteuid() != 0:  # whoever is root may write everywhere

    def test_a_folder_without_rights_is_named(typing: Typing, desk: Desk, folder: Path):
        folder.chmod(0o500)
        try:
            ran = typing("-o", "reach.csv")
        finally:
            folder.chmod(0o700)

        assert (ran.code, "Permission denied" in ran.err) == (2, True)
        assert list(folder.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_left_alone(typing: Typing, desk: Desk, folder: Path):
    (folder / "reach.csv").mkdir()

    ran = typing("-o", "reach.csv")

    assert (ran.code, "cannot be written" in ran.err) == (2, True)
    assert [file.name for file in folder.iterdir()] == ["reach.csv"]


def test_a_full_disk_leaves_nothing(folder: Path):
    """The disk of a process of its own takes no file of more than a kilobyte."""
    script = (
        "import resource, signal\n"
        "from hub.commands.client import Download\n"
        "from hub.commands.people import saving\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "saving.save(Download(iter([b'x' * 700] * 100), None, None), 'reach.csv', header=True)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RELAIS_LANGUAGE": "en"},
    )

    assert re.search(r"Invalid: reach.csv cannot be written: File too large. Nothing was kept: make room", ran.stderr)
    assert list(folder.iterdir()) == []


def test_whoever_stops_an_export_leaves_nothing(folder: Path):
    def pieces() -> Iterator[bytes]:
        yield b"1,2\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        saving.save(Download(pieces(), None, None), "reach.csv", header=True)

    assert list(folder.iterdir()) == []


# --- Rows -----------------------------------------------------------------------------------------------------


def test_rows_are_told_as_they_come(folder: Path):
    told: list[tuple[int, int]] = []

    rows = saving.save(
        Download(iter([b"a\n1\n", b"2\n3\n"]), None, None), "reach.csv", header=True, tell=lambda *one: told.append(one)
    )

    assert (rows, told) == (3, [(2, 0), (4, 0)])


def test_of_a_file_the_rows_are_told_by_its_length(folder: Path):
    told: list[tuple[int, int]] = []
    download = Download(iter([b"xx", b"xx\n"]), 10, 5)

    rows = saving.save(download, "reach.xlsx", header=False, tell=lambda *one: told.append(one))

    assert (rows, told) == (10, [(4, 10), (10, 10)])


@pytest.mark.parametrize(
    ("output", "asked_for", "kind"),
    [
        ("reach.XLSX", None, "xlsx"),
        ("reach.parquet", "csv", "csv"),
        ("reach.txt", None, "csv"),
        ("-", None, "csv"),
        ("-", "jsonl", "jsonl"),
    ],
)
def test_the_format_is_the_one_asked_for_or_that_of_the_name(output, asked_for, kind):
    assert saving.format_of(output, asked_for) == kind


def test_the_formats_of_the_command_are_those_of_the_service():
    assert tuple(exporting.Format) == saving.FORMATS


def test_an_error_of_the_disk_names_the_option():
    with pytest.raises(Invalid) as refused:
        saving.save(Download(iter([b"x"]), None, None), "no/such/reach.csv", header=True)

    assert refused.value.problems[0].field == "output"
