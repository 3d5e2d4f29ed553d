"""The export as tables with types: a workbook (XLSX) for people, Parquet for programs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from io import BytesIO
from itertools import islice
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, Final

from hub.domain.errors import HubError, Invalid
from hub.language import _
from hub.services import legend
from hub.services.exporting import COLUMNS, SCHEMA_VERSION, Entry, Plan, Row, rows

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS: Final = 1_048_575
"""A sheet has 1,048,576 rows, and the first one is the header."""

GROUP: Final = 100_000
"""Rows of one row group of a Parquet file."""

BATCH: Final = 10_000
"""Rows that are turned into columns at once."""

WIDTHS: Final = {"day": 11, "territory_name": 22, "account": 28, "metric": 32, "missing": 16, "provenance": 11}
"""Of columns that need more, or less, room than usual; in letters."""

MOMENTS: Final = frozenset({"first_read", "last_read"})
NUMBERS: Final = frozenset({"post", "delivery", "value"})


def require_room(count: int) -> None:
    """Refuse what no sheet can hold, before any of it is written."""
    if count > MOST_ROWS:
        raise Invalid(
            _(
                "These are {count} rows, and a sheet holds {most}. Take Parquet or CSV, or ask for a shorter period.",
                count=count,
                most=MOST_ROWS,
            ),
            field="format",
        )


# --- A workbook -----------------------------------------------------------------------------------------------


def write_workbook(out: IO[bytes], entries: Iterable[Entry], plan: Plan) -> int:
    """Write the rows as the first sheet, then what they mean; return how many there are.

    Cells have types, and words are words whatever they begin with, so that none of them is a formula.
    """
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import XlsxWriterException

    with TemporaryDirectory() as folder:
        # Rows are written as they come and forgotten. What is laid beside meanwhile goes away with the folder.
        book = Workbook(_Sink(out), {"constant_memory": True, "tmpdir": folder, "use_zip64": True})
        try:
            count = _write_data(book, rows(entries, plan.catalogue.version))
            _write_definitions(book, plan)
            _write_notes(book, plan)
            book.close()
        except XlsxWriterException as error:
            raise (error.__context__ if isinstance(error.__context__, OSError) else OSError(str(error))) from None
        finally:
            for sheet in book.worksheets():
                sheet._opt_close()
    return count


class _Sink:
    """A file that is touched no more once its disk refused: a half archive tries again as it is thrown away."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out: IO[bytes] = out

    def write(self, piece: bytes) -> int:
        try:
            return self._out.write(piece)
        except OSError:
            self._out = BytesIO()
            raise

    def seek(self, place: int, whence: int = 0) -> int:
        return self._out.seek(place, whence)

    def tell(self) -> int:
        return self._out.tell()

    def flush(self) -> None:
        self._out.flush()


def _write_data(book: Workbook, coming: Iterable[Row]) -> int:
    sheet = book.add_worksheet("data")
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for place, column in enumerate(COLUMNS):
        sheet.set_column(place, place, 20 if column in MOMENTS else WIDTHS.get(column, 12))
        sheet.write_string(0, place, column, bold)
    sheet.freeze_panes(1, 0)
    count = 0
    for count, row in enumerate(coming, start=1):
        if count > MOST_ROWS:
            require_room(count)
        for place, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(count, place, cell)
            elif isinstance(cell, int):
                sheet.write_number(count, place, cell)
            elif isinstance(cell, datetime):
                sheet.write_datetime(count, place, cell.replace(tzinfo=None), moment)
            elif isinstance(cell, date):
                sheet.write_datetime(count, place, cell, day)
    sheet.autofilter(0, 0, count, len(COLUMNS) - 1)
    return count


def _write_definitions(book: Workbook, plan: Plan) -> None:
    _write_table(book, "definitions", legend.Definition._fields, legend.definitions(plan))


def _write_notes(book: Workbook, plan: Plan) -> None:
    _write_table(book, "read me", (_("About"), _("What to know")), legend.notes(plan))


def _write_table(book: Workbook, name: str, header: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
    sheet: Worksheet = book.add_worksheet(name)
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    fields = list(header)
    sheet.set_column(0, len(fields) - 2, 18)
    sheet.set_column(len(fields) - 1, len(fields) - 1, 90)
    for place, word in enumerate(fields):
        sheet.write_string(0, place, word, bold)
    sheet.freeze_panes(1, 0)
    for number, line in enumerate(lines, start=1):
        for place, word in enumerate(line):
            sheet.write_string(number, place, word, wrapped)


# --- Parquet --------------------------------------------------------------------------------------------------


def write_parquet(out: IO[bytes], entries: Iterable[Entry], plan: Plan) -> int:
    """Write the rows with the types of their columns; return how many there are."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = _schema(plan)
    coming, count = rows(entries, plan.catalogue.version), 0
    with ParquetWriter(out, schema, compression="zstd") as writer:
        waiting: list[Any] = []
        while some := list(islice(coming, BATCH)):
            count += len(some)
            columns = [
                pyarrow.array(cells, kind) for cells, kind in zip(zip(*some, strict=True), schema.types, strict=True)
            ]
            waiting.append(pyarrow.record_batch(columns, schema=schema))
            if len(waiting) * BATCH >= GROUP:
                writer.write_table(pyarrow.Table.from_batches(waiting), row_group_size=GROUP)
                waiting.clear()
        if waiting:
            writer.write_table(pyarrow.Table.from_batches(waiting), row_group_size=GROUP)
    return count


def _schema(plan: Plan) -> Any:
    """Columns with their types; the file itself says which version of them it has."""
    import pyarrow

    def kind(column: str) -> Any:
        if column == "day":
            return pyarrow.date32()
        if column in MOMENTS:
            return pyarrow.timestamp("s", tz="UTC")
        return pyarrow.int64() if column in NUMBERS else pyarrow.string()

    about = {
        "relais.schema_version": str(SCHEMA_VERSION),
        "relais.catalogue_version": plan.catalogue.version,
        "relais.from": plan.frame.first.isoformat(),
        "relais.to": plan.frame.last.isoformat(),
    }
    return pyarrow.schema([(column, kind(column)) for column in COLUMNS], metadata=about)


def explained(error: OSError) -> HubError:
    """What to do when the file could not be made."""
    return HubError(
        _(
            "The export could not be made: {why}. Nothing was kept. Make room where Relais keeps temporary files "
            "(TMPDIR), ask for a shorter period, or take CSV, which needs no room.",
            why=error.strerror or error,
        )
    )
