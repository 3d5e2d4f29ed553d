"""PDFs through the machine's Chromium: real ones, and what is said where it is missing, breaks or hangs."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from hub import printing
from hub.domain.errors import Busy
from hub.printing import CannotPrint, find_chromium, pdf_of

INSTEAD = "Take the report as HTML instead, open it in a browser and print it from there."

real = pytest.mark.skipif(find_chromium() is None, reason="no Chromium here: install Debian's chromium")


def program(folder: Path, words: str) -> Path:
    """A program that does what these words of the shell say; `$made` is where the PDF is expected."""
    path = folder / "chromium"
    find = 'for one in "$@"; do case "$one" in --print-to-pdf=*) made="${one#--print-to-pdf=}";; esac; done\n'
    path.write_text(f"#!/bin/sh\n{find}{words}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def corner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, so that what is left there can be seen."""
    made = tmp_path / "corner"
    made.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(made))
    return made


@real
def test_a_page_becomes_a_pdf_on_a4_and_nothing_is_left(corner: Path) -> None:
    css = "@page { size: A4 } section { break-after: page }"
    html = f"<!doctype html><title>Portée</title><style>{css}</style><section>Un</section><section>Deux</section>Trois"

    pdf = pdf_of(html)

    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 3
    assert re.search(rb"/MediaBox\s*\[\s*0 0 59[45][.\d]* 84[12]", pdf)
    assert list(corner.iterdir()) == []


@real
def test_a_page_reaches_nothing_outside(corner: Path) -> None:
    page = (
        '<!doctype html><img src="http://127.0.0.1:9/x.png"><link rel="stylesheet" href="http://localhost:9/y.css">Seul'
    )

    assert pdf_of(page).startswith(b"%PDF")


def test_what_it_makes_is_handed_over_and_its_folder_goes(corner: Path) -> None:
    chromium = program(corner.parent, 'printf "%%PDF-1.4 fine" > "$made"')

    assert pdf_of("<p>Bonjour", chromium=chromium) == b"%PDF-1.4 fine"
    assert list(corner.iterdir()) == []


def test_it_gets_the_page_a_folder_of_its_own_and_none_of_our_secrets(
    corner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAIS_SECRET_KEYS", "do-not-tell")
    chromium = program(corner.parent, '{ printf "%%PDF "; env; echo "$@"; cat page.html; } > "$made"')

    told = pdf_of("<p>Bonjour", chromium=chromium).decode()

    assert "RELAIS" not in told
    assert told.endswith("<p>Bonjour")
    assert "--no-pdf-header-footer" in told
    assert f"--user-data-dir={corner}/relais-print-" in told
    assert ("--no-sandbox" in told) == (os.geteuid() == 0)


def test_the_sandbox_is_left_out_for_root_only(corner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    chromium = program(corner.parent, 'echo "%PDF $@" > "$made"')

    assert b"--no-sandbox" not in pdf_of("", chromium=chromium)


def test_without_chromium_it_is_said_what_to_do_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CannotPrint) as refused:
        pdf_of("<p>Bonjour")

    assert str(refused.value) == f"A PDF needs Chromium on the machine of Relais, and there is none. {INSTEAD}"


def test_a_chosen_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    chosen = tmp_path / "nowhere"

    with pytest.raises(CannotPrint) as refused:
        pdf_of("<p>Bonjour", chromium=chosen)

    assert str(refused.value) == f"RELAIS_CHROMIUM names {chosen}, which cannot be started here. {INSTEAD}"


@pytest.mark.parametrize("words", ["exit 3", "exit 0", 'echo "no PDF" > "$made"', 'echo "%PDF" > "$made"; exit 1'])
def test_where_it_makes_none_it_is_said_what_to_do_instead(corner: Path, words: str) -> None:
    with pytest.raises(CannotPrint, match="Chromium made no PDF") as refused:
        pdf_of("<p>Bonjour", chromium=program(corner.parent, words))

    assert INSTEAD in str(refused.value)
    assert list(corner.iterdir()) == []


def test_a_program_that_the_machine_cannot_start_makes_none(corner: Path) -> None:
    chromium = corner.parent / "chromium"
    chromium.write_bytes(b"\x7fELF nonsense")
    chromium.chmod(0o755)

    with pytest.raises(CannotPrint, match="Chromium made no PDF"):
        pdf_of("<p>Bonjour", chromium=chromium)


def test_one_that_hangs_is_ended_with_all_that_it_started(corner: Path) -> None:
    kept = corner.parent / "child"
    chromium = program(corner.parent, f'sleep 600 & echo $! > "{kept}"; wait')

    with pytest.raises(CannotPrint, match="Chromium took too long") as refused:
        pdf_of("<p>Bonjour", chromium=chromium, patience=1)

    assert INSTEAD in str(refused.value)
    assert list(corner.iterdir()) == []
    assert not _runs(int(kept.read_text()))


def _runs(number: int) -> bool:
    """Whether a process runs; one that is dead and not fetched yet does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_only_one_is_made_at_a_time_and_the_next_one_is_asked_to_come_back(corner: Path) -> None:
    gate, begun = corner.parent / "gate", corner.parent / "begun"
    os.mkfifo(gate)
    os.mkfifo(begun)
    chromium = program(corner.parent, f'echo > "{begun}"; cat "{gate}" > /dev/null; echo "%PDF" > "$made"')
    made: list[bytes] = []
    first = threading.Thread(target=lambda: made.append(pdf_of("<p>Un", chromium=chromium)))
    first.start()
    begun.read_text()

    with pytest.raises(Busy):
        pdf_of("<p>Deux", chromium=chromium, patience=0.01)
    gate.write_text("go on")
    first.join()

    assert made == [b"%PDF\n"]


def test_the_first_of_several_names_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() is None
    for name in ("google-chrome", "chromium"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)

    assert find_chromium() == str(tmp_path / "chromium")
    assert find_chromium(tmp_path / "google-chrome") == str(tmp_path / "google-chrome")
    assert printing.NAMES[0] == "chromium-headless-shell"
