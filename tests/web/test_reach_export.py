"""Taking reach away: every format by the API and from the page, and what breaks off in the middle is noticed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from sqlalchemy import Engine, text

from hub.database import writing
from hub.services import exporting, lining, tabling
from hub.services.exporting import COLUMNS
from hub.web import exports
from tests.services.counting import PEOPLE, published, read
from tests.services.desk import Desk
from tests.services.taking import asked, page_figure
from tests.stage import Stage
from tests.web.conftest import Ask, Browser

Browse = Callable[..., Browser]
NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30"}
PAGE = "/equipe/portee/export?du=2026-11-01&au=2026-11-30"


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Somewhere to write."""
    return Desk(stage, stage.hub.terms)


@pytest.fixture
def figures(desk: Desk) -> Desk:
    """One figure of a post, one of the page it stands on."""
    [delivery] = published(desk)
    read(desk, delivery, **{PEOPLE: 120})
    page_figure(desk, "rennes", "page_follows", date(2026, 11, 5), 900)
    return desk


def values(answer: httpx.Response, folder: Path) -> list[Any]:
    """The values in an export, as a reader of its format finds them."""
    kind = answer.headers["content-disposition"].rsplit(".", 1)[1].rstrip('"')
    if kind == "csv":
        return [int(row["value"]) for row in csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))]
    if kind == "jsonl":
        return [json.loads(line)["value"] for line in answer.text.splitlines()]
    if kind == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["data"]
        return [row[COLUMNS.index("value")] for row in sheet.iter_rows(min_row=2, values_only=True)]
    file = folder / "reach.parquet"
    file.write_bytes(answer.content)
    return [value for (value,) in asked(f"SELECT value FROM '{file}'")]


KINDS = [
    ("csv", "text/csv; charset=utf-8"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("parquet", "application/vnd.apache.parquet"),
    ("jsonl", "application/x-ndjson"),
]


@pytest.mark.parametrize(("kind", "media_type"), KINDS)
def test_the_api_gives_the_same_figures_in_each_format(
    ask: Ask, figures: Desk, tmp_path: Path, kind: str, media_type: str
):
    answer = ask("GET", "/reach/export", "analyst", params=NOVEMBER | {"format": kind})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="relais-portee-2026-11-01-2026-11-30.{kind}"'
    )
    assert values(answer, tmp_path) == [120, 900]


@pytest.mark.parametrize(("kind", "media_type"), KINDS)
def test_the_page_gives_the_same_as_the_api(browse: Browse, figures: Desk, tmp_path: Path, kind: str, media_type: str):
    answer = browse("analyst").get(f"{PAGE}&forme={kind}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert values(answer, tmp_path) == [120, 900]


def test_csv_has_the_separator_and_the_mark_that_were_asked_for(ask: Ask, figures: Desk):
    answer = ask("GET", "/reach/export", "analyst", params=NOVEMBER | {"separator": ";", "bom": "true"})

    assert answer.content.startswith(b'\xef\xbb\xbf"day";"territory"')


@pytest.mark.parametrize(
    "wrong",
    [{"format": "xml"}, {"separator": "|"}, {"bom": "perhaps"}, {"territory": "A-99"}, {"territory": "C-35238"}],
)
def test_what_cannot_be_given_is_refused(ask: Ask, wrong: dict[str, str]):
    answer = ask("GET", "/reach/export", "analyst", params=NOVEMBER | wrong)

    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["problems"]] == list(wrong)


@pytest.mark.parametrize("wrong", ["forme=xml", "territoire=A-99"])
def test_the_page_refuses_it_in_words(browse: Browse, wrong: str):
    answer = browse("analyst").get(f"{PAGE}&{wrong}")

    assert answer.status_code == 422
    assert "text/html" in answer.headers["content-type"]


def test_a_territory_may_be_asked_for(ask: Ask, browse: Browse, figures: Desk):
    counted = {
        code: [
            ask("GET", "/reach/export", "analyst", params=NOVEMBER | {"territory": code}).text.count("\r\n") - 1,
            browse("analyst").get(f"{PAGE}&territoire={code}").text.count("\r\n") - 1,
        ]
        for code in ("FR", "R-53", "A-32")
    }

    assert counted == {"FR": [2, 2], "R-53": [2, 2], "A-32": [0, 0]}


def test_a_file_tells_its_rows_and_its_length_and_is_not_packed_again(ask: Ask, figures: Desk):
    told = {}
    for kind in ("xlsx", "parquet"):
        answer = ask("GET", "/reach/export", "analyst", params=NOVEMBER | {"format": kind})
        told[kind] = (answer.headers["relais-rows"], int(answer.headers["content-length"]) == len(answer.content))
        assert "content-encoding" not in answer.headers

    assert told == {"xlsx": ("2", True), "parquet": ("2", True)}


def test_too_many_rows_for_a_sheet_are_refused_with_advice(
    ask: Ask, figures: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(tabling, "MOST_ROWS", 1)
    asked_for = NOVEMBER | {"format": "xlsx"}

    answer = ask("GET", "/reach/export", "analyst", params=asked_for)
    parquet = ask("GET", "/reach/export", "analyst", params=asked_for | {"format": "parquet"})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("These are 2 rows, and a sheet holds 1. Take Parquet or CSV")
    assert parquet.status_code == 200


def test_a_server_that_cannot_lay_a_file_aside_says_what_to_do(
    ask: Ask, figures: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))

    answer = ask("GET", "/reach/export", "analyst", params=NOVEMBER | {"format": "parquet"})

    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("The export could not be made: No such file or directory.")


def test_what_goes_wrong_while_a_file_is_made_leaves_nothing(
    ask: Ask, figures: Desk, monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
):
    spoil(engine)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    assert ask("GET", "/reach/export", "analyst", params=NOVEMBER | {"format": "xlsx"}).status_code == 500
    assert [file for file in tmp_path.iterdir() if file.name.startswith("tmp")] == []


# --- What breaks off ------------------------------------------------------------------------------------------


def spoil(engine: Engine) -> None:
    """The newest row of the roll-up is not what any program of ours would write."""
    with writing(engine) as session:
        session.execute(
            text("UPDATE reached SET provenance = 'spoilt' WHERE delivery_id = (SELECT max(delivery_id) FROM reached)")
        )


@pytest.fixture
def half(desk: Desk, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Some rows that can be read, and then one that cannot."""
    monkeypatch.setattr(lining, "LINES", 1)
    monkeypatch.setattr(exporting, "PAGE", 1)
    for number in range(6):
        [delivery] = published(desk, text=f"Numéro {number}")
        read(desk, delivery, **{PEOPLE: number})
    spoil(engine)
    return desk


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_stream_that_breaks_off_has_no_end_and_clients_notice(half: Desk, ask: Ask, kind: str, encoding: str):
    headers = {"Authorization": f"Bearer {ask.stage.tokens['analyst']}", "Accept-Encoding": encoding}
    pieces: list[bytes] = []

    with ask.client.stream(
        "GET", "/api/v1/reach/export", params=NOVEMBER | {"format": kind}, headers=headers
    ) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            pieces += answer.iter_raw()

    assert encoding == "gzip" or b"Page rennes" in b"".join(pieces)


def test_every_format_has_a_media_type_and_files_a_writer():
    assert set(exports.MEDIA_TYPES) == set(exporting.Format)
    assert set(exports.WRITERS) == {exporting.Format.XLSX, exporting.Format.PARQUET}
    assert set(exports.PACKED) == {exports.MEDIA_TYPES[kind] for kind in exports.WRITERS}
