"""The export as an answer: streamed as it is read, or made as a file first and streamed then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Final

from fastapi.responses import StreamingResponse
from sqlmodel import Session

from hub.database import reading
from hub.domain.errors import Invalid
from hub.domain.person import Actor
from hub.language import _
from hub.services import exporting, geotargeting, lining, tabling
from hub.services.exporting import Entry, Format, Plan
from hub.services.reporting import Frame
from hub.wiring import Hub

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.JSONL: "application/x-ndjson",
}

PACKED: Final = (MEDIA_TYPES[Format.XLSX], MEDIA_TYPES[Format.PARQUET])
"""Media types whose bytes are compressed already."""

ROWS: Final = "Relais-Rows"
"""The header that tells how many rows a file has."""

CHUNK: Final = 256 * 1024
"""Bytes of a file that are sent at once."""


@dataclass(frozen=True)
class Wish:
    """How somebody wants an export."""

    format: Format = Format.CSV
    separator: str = ","
    bom: bool = False


def require_territory(session: Session, code: str | None) -> None:
    """Refuse a territory that reports are not made for."""
    if code is not None and code not in geotargeting.atlas(session):
        raise Invalid(
            _("Reports are by département or larger: give a code such as FR, R-53, A-14 or D-35."), field="territory"
        )


def answer(hub: Hub, person: Actor, frame: Frame, wish: Wish) -> StreamingResponse:
    """The export, with the name that a browser keeps it under.

    What breaks off in the middle ends without the mark of its end (or short of its length), and clients see that.
    """
    with reading(hub.engine) as session:
        require_territory(session, frame.territory)
        plan = exporting.plan(session, frame, by=person)
        if wish.format is Format.XLSX:
            tabling.require_room(exporting.count(session, plan))
    entries = exporting.entries(partial(reading, hub.engine), plan)
    name = f"relais-portee-{frame.first.isoformat()}-{frame.last.isoformat()}.{wish.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    media_type = MEDIA_TYPES[wish.format]
    if wish.format in WRITERS:
        file, rows = _made(WRITERS[wish.format], entries, plan)
        length = file.seek(0, 2)
        headers |= {"Content-Length": str(length), ROWS: str(rows)}
        return StreamingResponse(_pieces(file), media_type=media_type, headers=headers)
    version = plan.catalogue.version
    if wish.format is Format.JSONL:
        return StreamingResponse(lining.json_lines(entries, version), media_type=media_type, headers=headers)
    text = lining.csv(entries, version, separator=wish.separator, bom=wish.bom)
    return StreamingResponse(text, media_type=media_type, headers=headers)


WRITERS: Final[Mapping[Format, Callable[[IO[bytes], Iterator[Entry], Plan], int]]] = {
    Format.XLSX: tabling.write_workbook,
    Format.PARQUET: tabling.write_parquet,
}
"""Formats that are no stream: their end is written before they can be read."""


def _made(
    write: Callable[[IO[bytes], Iterator[Entry], Plan], int], entries: Iterator[Entry], plan: Plan
) -> tuple[IO[bytes], int]:
    """The whole export in a file without a name, which is gone once it was sent; and how many rows it has."""
    try:
        file = TemporaryFile()  # noqa: SIM115 - it is closed by whoever sends it
        try:
            return file, write(file, entries, plan)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise tabling.explained(error) from error


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(CHUNK):
            yield piece
